/* Pages of other sites: which may read our answers with fetch() and draw them on a canvas
 * (KafkaCamOrigins; the Fetch standard's CORS), and which may put our pages into a frame
 * (KafkaCamFrameAncestors). None, unless they are named.
 *
 * Who is asked for a password is asked all the same: these headers let a browser hand over what its
 * user may see, and nobody else. */
#ifndef KC_ORIGIN_H
#define KC_ORIGIN_H

#include <httpd.h>

/* Hooks: whatever a <Location> of ours answers, errors too, carries the headers for a named origin,
 * and a preflight is answered before a password is asked for, since browsers send none with it. */
void kc_origin_register_hooks(apr_pool_t *pool);

/* The value of frame-ancestors for r's server. */
const char *kc_origin_ancestors(const request_rec *r);

#endif
