/* url_encode_login() with any text: what comes out has the same beginning and end, and a second
 * pass changes nothing any more. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "url.h"

static void check(int right)
{
    if (!right) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char host[64];
    char *once, *twice;

    memcpy(text, data, size);
    text[size] = '\0';
    once = url_encode_login(text);
    if (once) {
        check(strlen(once) <= 3 * strlen(text));
        twice = url_encode_login(once);
        check(twice && !strcmp(once, twice));
        free(twice);
        url_host(host, sizeof(host), once);
    }
    free(once);
    free(text);
    return 0;
}
