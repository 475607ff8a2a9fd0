/* Pictures to JPEG: baseline, 4:2:0, a restart marker after each row of MCUs, so that rows can be
 * cut out and put together again without decoding. One thread per struct. */
#ifndef JPEG_H
#define JPEG_H

#include <stddef.h>
#include <stdint.h>
#include "picture.h"

struct jpeg;

int jpeg_open(struct jpeg **result); /* 0, or -1, logged */
void jpeg_close(struct jpeg *jpeg);

/* picture must be PICTURE_I420; its colours are converted on the way (colour.h). 0: *data is the
 * JPEG, until the next call. -1: libjpeg would not, logged once. */
int jpeg_compress(struct jpeg *jpeg, const struct picture *picture, int quality,
                  const uint8_t **data, size_t *size);

/* Whether a JPEG that jfif_check() found complete is so inside, too: decodes it, small. Missing
 * Huffman tables are no fault. */
int jpeg_is_sound(struct jpeg *jpeg, const uint8_t *data, size_t size);

#endif
