/* Streams that begin in the past: /cam/N?at=TIME and /cameras/SEL/stream?at=TIME, with
 * &rate=SPEED and &until=TIME. */
#ifndef KC_REPLAY_H
#define KC_REPLAY_H

#include <httpd.h>
#include "kc_past.h"
#include "kc_viewer.h"

/* Does the request ask for the past, right or wrong? */
int kc_replay_is_wanted(request_rec *r);

/* Make spec, which has its cameras and its hub of live pictures, begin where the request says.
 * back: how far back this client may look at all of them, as kc_config_past(). OK, or DONE with
 * the answer sent (400, 403, 404, 503). Waits some seconds at most. */
int kc_replay_prepare(request_rec *r, kc_viewer_spec_t *spec, kc_layer_t layer,
                      apr_interval_time_t back);

#endif
