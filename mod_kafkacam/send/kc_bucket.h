/* Frames in httpd's bucket brigades without a copy.
 *
 * APR's own counted buckets count with a plain int, which is not enough for a frame that many
 * threads send at once; these count with the frame's atomic. */
#ifndef KC_BUCKET_H
#define KC_BUCKET_H

#include <sys/uio.h>
#include <apr_buckets.h>
#include "kc_frame.h"

/* size bytes of frame's data from start on. Takes a reference of its own. */
apr_bucket *kc_bucket_frame(kc_frame_t *frame, apr_size_t start, apr_size_t size,
                            apr_bucket_alloc_t *list);

/* A piece of kc_mjpeg_vec() of a part with that frame, which may be NULL. Other text than the
 * frame's stays where it is until the filters have it. */
apr_bucket *kc_bucket_piece(kc_frame_t *frame, const struct iovec *piece, apr_bucket_alloc_t *list);

/* Metadata that means nothing. mod_ssl's coalescing filter keeps a small last piece of data to send
 * it with more; what follows it here makes it let go, or every viewer would be a frame late. */
apr_bucket *kc_bucket_nudge(apr_bucket_alloc_t *list);

#endif
