/* One picture in memory, on its way from the decoder to the JPEG. It owns nothing: its planes
 * belong to whoever made it and hold until that maker makes the next one.
 *
 * Width and height are of the luma plane in memory. Chroma planes of odd sizes are rounded up. */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdint.h>

#define PICTURE_PLANES 4

/* format: planar 4:2:0 with 8 bits, what everything after scale takes. Any other number is
 * libavutil's, for scale.c alone. */
#define PICTURE_I420 (-420)

struct picture {
    const uint8_t *planes[PICTURE_PLANES];
    int strides[PICTURE_PLANES]; /* bytes from one line to the next, negative: upside down */
    int width, height;
    int format;
    int full_range;             /* 0 to 255 as JPEG wants it, not 16 to 235 */
    int bt709;                  /* the matrix of HD video, JPEG is BT.601 */
    int aspect_num, aspect_den; /* a pixel's width to its height, both above 0 */
};

#endif
