/* Brings any decoded picture to planar 4:2:0 of 8 bits, square pixels and the wanted width. What is
 * like that already passes untouched. Range and matrix stay as they are: that is colour's. */
#ifndef SCALE_H
#define SCALE_H

#include "picture.h"

struct scale;

struct scale *scale_open(void);
void scale_close(struct scale *scale);

/* The size of a picture of in's size and pixel aspect, at most max_width wide (0: no limit). Never
 * larger than in, either way. */
void scale_target(int *width, int *height, const struct picture *in, int max_width);

/* 0: *out is a PICTURE_I420 of at most max_width; its planes are in's or scale's own, until the
 * next call. -1: no way from this format, logged once. */
int scale_convert(struct scale *scale, struct picture *out, const struct picture *in,
                  int max_width);

#endif
