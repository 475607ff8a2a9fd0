/* Brings lines of a 4:2:0 picture to what a JPEG means: full range, BT.601. Video is mostly limited
 * range (washed out when shown as it is) and, from HD on, BT.709 (skin and grass off). Some lines
 * at a time, so that they are still in the processor's cache when they are encoded. */
#ifndef COLOUR_H
#define COLOUR_H

#include <stddef.h>
#include <stdint.h>
#include "picture.h"

/* Where lines go. The planes may not overlap with the picture's. */
struct colour_lines {
    uint8_t *planes[3];
    int strides[3];   /* bytes from one line to the next */
    int16_t *scratch; /* colour_scratch_size() bytes for the picture's width */
};

size_t colour_scratch_size(int width);

/* Lines first (even) to first + count of in, and the lines of chroma that belong to them, converted
 * where that changes anything, to the beginning of out's planes. */
void colour_convert(const struct colour_lines *out, const struct picture *in, int first, int count);

#endif
