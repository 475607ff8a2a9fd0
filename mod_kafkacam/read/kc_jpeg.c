#include "kc_jpeg.h"

int kc_jpeg_is(const void *data, apr_size_t size)
{
    const unsigned char *bytes = data;

    return bytes && size >= 4 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

/* SOF0 to SOF15, which hold the size; four numbers between them are other markers. */
static int is_frame_header(unsigned char marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

static apr_uint32_t two_bytes(const unsigned char *bytes)
{
    return (apr_uint32_t)bytes[0] << 8 | bytes[1];
}

int kc_jpeg_size(const void *data, apr_size_t size, apr_uint32_t *width, apr_uint32_t *height)
{
    const unsigned char *bytes = data;
    apr_size_t at = 2;

    /* Each segment: FF, marker, length of what follows including itself (ITU-T T.81, B.1.1.4). */
    while (kc_jpeg_is(data, size) && size - at >= 9 && bytes[at] == 0xFF) {
        unsigned char marker = bytes[at + 1];
        apr_size_t length = two_bytes(bytes + at + 2);

        if (marker == 0xFF) { /* a fill byte */
            at++;
            continue;
        }
        if (is_frame_header(marker)) {
            *height = two_bytes(bytes + at + 5);
            *width = two_bytes(bytes + at + 7);
            return *width && *height ? 0 : -1;
        }
        if (marker == 0xDA || length < 2 || length > size - at - 2) {
            break; /* the picture itself begins, or nonsense */
        }
        at += 2 + length;
    }
    return -1;
}
