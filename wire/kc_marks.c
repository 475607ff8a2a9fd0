#include "kc_marks.h"

#include <string.h>

/* Looked through at once, so that the compiler makes a few instructions of it. */
#define BLOCK 64

/* Do two dashes stand anywhere in data[0] to data[BLOCK]? */
static int block_has_dashes(const unsigned char *data)
{
    unsigned char found = 0;
    int i;

    for (i = 0; i < BLOCK; i++) {
        found |= (unsigned char)((data[i] == '-') & (data[i + 1] == '-'));
    }
    return found;
}

/* What stands around the two dashes at at. */
static unsigned look_at(const unsigned char *data, size_t size, size_t at)
{
    static const char word[] = KC_MARKS_WORD;
    unsigned marks = 0;

    if (at >= 2 && data[at - 2] == '\r' && data[at - 1] == '\n') {
        marks |= KC_MARKS_DASHES;
    }
    if (size - at >= 2 + strlen(word) && memcmp(data + at + 2, word, strlen(word)) == 0) {
        marks |= KC_MARKS_BOUNDARY;
    }
    return marks;
}

unsigned kc_marks_find(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    unsigned marks = 0;
    size_t at = 0, end;

    while (at + 1 < size) {
        int whole = size - at > BLOCK;

        end = whole ? at + BLOCK : size - 1;
        if (whole && !block_has_dashes(bytes + at)) {
            at = end;
            continue;
        }
        for (; at < end; at++) {
            if (bytes[at] == '-' && bytes[at + 1] == '-') {
                marks |= look_at(bytes, size, at);
            }
        }
    }
    return marks;
}
