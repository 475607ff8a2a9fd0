/* log_url() with any text, and with any text as the password of a URL amid other text: whatever it
 * is, what comes out is printable, fits, and does not hold the password. */
#include "replay.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"

#define MAX 3000

static void check(int right)
{
    if (!right) {
        abort();
    }
}

static void any_text(const char *text, size_t length)
{
    char safe[MAX + 100];
    size_t size, i;

    for (size = 0; size < length + 2 && size < 40; size++) {
        memset(safe, 'x', sizeof(safe));
        log_url(safe, size, text);
        check(size == 0 || strlen(safe) < size);
        check(safe[size] == 'x');
    }
    log_url(safe, sizeof(safe), text);
    for (i = 0; safe[i]; i++) {
        check((unsigned char)safe[i] >= 32 && safe[i] != 127);
    }
}

/* Between two marks that stand nowhere else, so that any rest of the password would show one. A
 * line feed and the scheme of a URL behind white space are what ends a URL: catalog refuses
 * both. */
static void any_password(const char *text, size_t length)
{
    char line[MAX + 100], safe[MAX + 200];
    size_t i;

    for (i = 0; i < length; i++) {
        if (isspace((unsigned char)text[i]) || text[i] == 1 || text[i] == 2) {
            return;
        }
    }
    strcpy(line, "open rtsp://user:\001");
    strcat(line, text);
    strcat(line, "\001@host/path: failed");
    for (i = 0; line[i]; i++) {
        line[i] = line[i] == 1 ? 'Q' : line[i] == 'Q' ? 'q' : line[i];
    }
    log_url(safe, sizeof(safe), line);
    check(!strchr(safe, 'Q'));
    check(!strncmp(safe, "open rtsp://user:***@host", 25));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[MAX + 1];

    if (size > MAX) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    any_text(text, strlen(text));
    any_password(text, strlen(text));
    return 0;
}
