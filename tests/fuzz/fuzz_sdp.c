/* sdp_parse() with any text: all lengths hold. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdp sdp;

    sdp_parse(&sdp, (const char *)data, size);
    if (sdp.parameters_size > sizeof(sdp.parameters) ||
        strlen(sdp.control) >= sizeof(sdp.control) ||
        (sdp.codec != SDP_NONE && !sdp.clock_hz)) {
        abort();
    }
    return 0;
}
