/* A moment from any text: it is refused, or it is one that a calendar has, and what is written from
 * it is read as the same. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "kc_time.h"

#define NOW INT64_C(1795669401400000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[KC_TIME_SIZE];
    apr_time_t time, again;

    if (kc_time_parse(&time, (const char *)data, size, NOW)) {
        return 0;
    }
    if (time < NOW - INT64_C(100000000) * 86400 * 1000000 || time > INT64_C(253402387200000000)) {
        abort();
    }
    if (time < 0 || time >= INT64_C(253402300800000000)) {
        return 0; /* years that the format does not have */
    }
    kc_time_format(text, time);
    if (kc_time_parse(&again, text, strlen(text), NOW) || again != time) {
        abort();
    }
    return 0;
}
