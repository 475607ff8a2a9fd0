/* Demands for a login, one field a line, and the answer to them. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest digest = { 0 };
    char *text = malloc(size + 1);
    char answer[2048];
    char *line, *rest;

    memcpy(text, data, size);
    text[size] = '\0';
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        digest_take(&digest, line);
    }
    size = digest_format(&digest, answer, sizeof(answer), "user", "pass\"word", "PLAY",
                         "rtsp://camera/", "0123456789abcdef");
    if (size && size != strlen(answer)) {
        abort();
    }
    free(text);
    return 0;
}
