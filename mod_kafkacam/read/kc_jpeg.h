/* What a JPEG says of itself, without decoding it. Pure; any thread. */
#ifndef KC_JPEG_H
#define KC_JPEG_H

#include <apr.h>

/* Does it begin as a JPEG does? */
int kc_jpeg_is(const void *data, apr_size_t size);

/* Its width and height in pixels. 0, or -1 if they are not found: it is broken, or only looks like
 * a JPEG. Reads a few markers at the beginning. */
int kc_jpeg_size(const void *data, apr_size_t size, apr_uint32_t *width, apr_uint32_t *height);

#endif
