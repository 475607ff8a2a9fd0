/* The bytes around a frame on its way to a browser, and how far that frame is out.
 *
 * Browsers paint a part when they have read the headers of the next one. So the headers of the next
 * part follow each JPEG at once, which is why those of the plain form are constant: a picture's own
 * headers would have to wait for the picture. Knows neither httpd nor Kafka; no I/O, no locks. */
#ifndef KC_MJPEG_H
#define KC_MJPEG_H

#include <sys/uio.h>
#include "kc_frame.h"
#include "kc_marks.h"

#define KC_MJPEG_BOUNDARY KC_MARKS_WORD

/* "--frame", headers with 20-digit numbers, the empty line. */
#define KC_MJPEG_HEAD_MAX 256

/* head, then a frame's data, then tail. Copied nowhere: it stays where it is until it is out. */
typedef struct {
    kc_frame_t *frame; /* our reference, NULL: no data between head and tail */
    const char *tail;  /* constant text */
    apr_size_t head_size;
    apr_size_t data_size; /* of the frame */
    apr_size_t tail_size;
    apr_size_t sent; /* bytes of all three together that are out */
    char head[KC_MJPEG_HEAD_MAX];
} kc_mjpeg_part_t;

/* The three forms of a stream. The plain and the meta form begin with an opening, before there is
 * any frame; a wall has none, its first bytes are its first part. */
void kc_mjpeg_open_plain(kc_mjpeg_part_t *part);
void kc_mjpeg_open_meta(kc_mjpeg_part_t *part);

/* Make part carry frame, from its first byte on. Takes over the caller's reference. The part must
 * be empty: never used, all 0, or ended with kc_mjpeg_end(). */
void kc_mjpeg_plain(kc_mjpeg_part_t *part, kc_frame_t *frame);
void kc_mjpeg_meta(kc_mjpeg_part_t *part, kc_frame_t *frame);
void kc_mjpeg_wall(kc_mjpeg_part_t *part, kc_frame_t *frame);

/* A part of a wall that says nothing ("{}"): a dead line shows when something is sent. */
void kc_mjpeg_heartbeat(kc_mjpeg_part_t *part);

/* Let go of the frame, out or not. The part is empty afterwards. */
void kc_mjpeg_end(kc_mjpeg_part_t *part);

/* Bytes that are not out yet. 0 for an empty part. */
apr_size_t kc_mjpeg_left(const kc_mjpeg_part_t *part);

/* Point vec at what is not out yet, at most max bytes of it. Returns how many of the three are in
 * use: head and tail first and last, the frame's data between. */
int kc_mjpeg_vec(const kc_mjpeg_part_t *part, struct iovec vec[3], apr_size_t max);

#endif
