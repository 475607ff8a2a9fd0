/* What cameras answer, with any text: every result is text without control characters within its
 * bounds. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "soap.h"

static void check_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size), i;

    if (length == size) {
        abort();
    }
    for (i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 32 || text[i] == 127) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct soap_profile profiles[SOAP_PROFILE_MAX];
    char one[SOAP_TEXT_MAX], other[SOAP_TEXT_MAX];
    const char *text = (const char *)data;
    struct soap_match match;
    long seconds;
    int count, i;

    soap_match_parse(&match, text, size, "1-2-3");
    check_text(match.address, sizeof(match.address));
    check_text(match.name, sizeof(match.name));
    check_text(match.hardware, sizeof(match.hardware));
    soap_clock_parse(&seconds, text, size);
    soap_device_parse(one, other, text, size);
    check_text(one, sizeof(one));
    check_text(other, sizeof(other));
    if (!soap_stream_parse(one, text, size) || !soap_media_parse(one, text, size) ||
        !soap_fault_parse(one, text, size)) {
        check_text(one, sizeof(one));
    }
    count = soap_profiles_parse(profiles, text, size);
    for (i = 0; i < count; i++) {
        check_text(profiles[i].token, sizeof(profiles[i].token));
        check_text(profiles[i].encoding, sizeof(profiles[i].encoding));
    }
    return 0;
}
