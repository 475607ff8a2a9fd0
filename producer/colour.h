/* Brings the planes of a 4:2:0 picture to what a JPEG means: full range, BT.601. Video is mostly
 * limited range (washed out when shown as it is) and, from HD on, BT.709 (skin and grass off). */
#ifndef COLOUR_H
#define COLOUR_H

#include <stddef.h>
#include <stdint.h>
#include "picture.h"

/* Whether colour_convert() would change anything. */
int colour_needed(const struct picture *in);

/* Bytes that colour_convert() needs for a picture of this size. */
size_t colour_size(int width, int height);

/* Write in, converted, to buffer (colour_size() bytes); *out describes it there. */
void colour_convert(struct picture *out, const struct picture *in, uint8_t *buffer);

#endif
