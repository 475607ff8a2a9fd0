/* One open response that shows live pictures: which cameras, which frame goes next, how much of
 * the current one is out. Latest frame wins: a frame that was begun is finished, then the newest
 * follows; whatever was in between is skipped and counted.
 *
 * Handlers know only kc_viewer_serve(). Whether a pump or this worker thread sends is its
 * business. */
#ifndef KC_VIEWER_H
#define KC_VIEWER_H

#include <httpd.h>
#include "kc_hub.h"

typedef enum {
    KC_VIEWER_MJPEG,      /* multipart/x-mixed-replace with constant part headers: one camera */
    KC_VIEWER_MJPEG_META, /* the same with headers per part (?meta=1) */
    KC_VIEWER_WALL        /* parts of many cameras, and their states as JSON parts */
} kc_viewer_form_t;

typedef struct {
    kc_viewer_form_t form;
    kc_hub_t *hub;
    const apr_uint32_t *cams;     /* copied; the order is the order of the first pictures */
    apr_size_t cam_count;         /* 1 for the MJPEG forms */
    apr_interval_time_t interval; /* at least this long between two pictures of a camera, 0: all */

    /* Asked for each camera every minute, in the sending thread, with the viewer's own request:
     * may this client still see it? NULL: no need to ask. Where it says 0, a wall drops the
     * camera and an MJPEG ends. */
    int (*may_see)(request_rec *r, apr_uint32_t cam);
} kc_viewer_spec_t;

/* Answer r with live pictures as spec says. OK: sent to its end in this thread. SUSPENDED: a pump
 * thread owns r and its connection from now on, touch nothing. Else an HTTP status with nothing
 * sent yet: 503 past a limit (Retry-After is set). */
int kc_viewer_serve(request_rec *r, const kc_viewer_spec_t *spec);

#endif
