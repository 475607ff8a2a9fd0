/* A Matroska file of JPEGs (V_MJPEG), as a stream: nothing has to be known at its beginning but
 * the size of the pictures, nothing is written at its end. Each picture is a cluster of its own
 * with the time it was taken, to the microsecond; its bytes stand there as they are. Pure:
 * writes into memory. */
#ifndef KC_MKV_H
#define KC_MKV_H

#include <apr_time.h>

typedef struct {
    const char *title;  /* UTF-8; the rest is cut where it is too long */
    apr_time_t began;   /* when the first picture was taken: time 0 of the file */
    apr_time_t ended;   /* the last one, as far as is known */
    apr_uint32_t width; /* pixels, 0: not known */
    apr_uint32_t height;
} kc_mkv_t;

/* What stands before the first picture. Returns its size. */
#define KC_MKV_BEGIN_MAX 1024
apr_size_t kc_mkv_begin(const kc_mkv_t *mkv, unsigned char text[KC_MKV_BEGIN_MAX]);

/* What stands before a picture of size bytes, taken after microseconds from the first. Returns its
 * size. */
#define KC_MKV_BLOCK_MAX 64
apr_size_t kc_mkv_block(apr_interval_time_t after, apr_size_t size,
                        unsigned char text[KC_MKV_BLOCK_MAX]);

#endif
