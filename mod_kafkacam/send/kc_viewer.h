/* One open response that shows live pictures: which cameras, which frame goes next, how much of
 * the current one is out. Latest frame wins: a frame that was begun is finished, then the newest
 * follows; whatever was in between is skipped and counted.
 *
 * Handlers know only kc_viewer_serve(). Whether a pump or this worker thread sends is its
 * business; the two senders use what stands below it. */
#ifndef KC_VIEWER_H
#define KC_VIEWER_H

#include <httpd.h>
#include "kc_config.h"
#include "kc_hub.h"
#include "kc_mjpeg.h"
#include "kc_choice.h"
#include "kc_playback.h"

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

    /* Pictures of the past first: news tells when some were read (kc_past_news), offsets is
     * where each camera begins (kc_playback_create). NULL: live ones alone. Copied. */
    const kc_playback_spec_t *past;
    kc_hub_t *news;
    const apr_int64_t *offsets;

    /* Asked for each camera every KafkaCamRecheck, with the viewer's own request, in the worker's
     * thread or the asker's: may this client still see it? NULL: no need to ask. Where it says 0, a
     * wall drops the camera and an MJPEG ends. */
    int (*may_see)(request_rec *r, apr_uint32_t cam);
} kc_viewer_spec_t;

/* Answer r with live pictures as spec says. OK: sent to its end in this thread. SUSPENDED: a pump
 * thread owns r and its connection from now on, touch nothing. Else an HTTP status with nothing
 * sent yet: 503 past a limit (Retry-After is set). */
int kc_viewer_serve(request_rec *r, const kc_viewer_spec_t *spec);

/* The rest is for the senders. A viewer belongs to one thread at a time: the worker, then its
 * sender. */
typedef struct {
    request_rec *r;
    const kc_config_t *config;
    kc_viewer_form_t form;
    kc_hub_t *hub; /* whose news it wants; changes when the past has reached now */
    kc_hub_t *live;
    kc_choice_t *choice;
    kc_playback_t *playback; /* NULL: live pictures alone */
    int (*may_see)(request_rec *r, apr_uint32_t cam);
    void *sender;         /* the sender's own, NULL: none took it yet */
    kc_mjpeg_part_t part; /* on its way; empty between two frames */
    apr_time_t moved;     /* when the line last took something, or the stream began */
    apr_time_t said;      /* when the stream last said something, or found nothing to say */
    apr_time_t deadline;  /* of the part: by when a client of KafkaCamLeastRate has all of it */
    apr_time_t checked;   /* when may_see was last asked */
    apr_uint64_t frames;  /* pictures that are out completely */
    apr_uint64_t skipped; /* of the choice's count, what the counters know already */
} kc_viewer_t;

/* A sender takes an admitted viewer: OK, SUSPENDED or a status as above, or DECLINED: not one for
 * me. Tried in this order; set while hooks are registered. */
typedef int kc_viewer_sender_fn(kc_viewer_t *viewer);

/* All places are taken: end a viewer that has not shown that it reads. 0: there is none. */
typedef int kc_viewer_room_fn(void);

void kc_viewer_senders(kc_viewer_sender_fn *suspended, kc_viewer_sender_fn *blocking,
                       kc_viewer_room_fn *make_room);

/* Times here are kc_timers_now()'s. */

/* What the kernel queues for a slow client gets old there, and one that left without a word is to
 * be noticed. */
void kc_viewer_prepare_socket(const kc_viewer_t *viewer, apr_socket_t *socket);

/* Make the next part, if there is one to send now: 1 or 0. The last one must be out. */
int kc_viewer_next(kc_viewer_t *viewer, apr_time_t now);

/* All there is to send was sent. */
int kc_viewer_is_over(const kc_viewer_t *viewer);

/* When to call kc_viewer_next() again though the hub says nothing, after it returned 0. */
apr_time_t kc_viewer_due(const kc_viewer_t *viewer);

/* The line took size more bytes of the part. */
void kc_viewer_sent(kc_viewer_t *viewer, apr_size_t size, apr_time_t now);

/* Of a viewer whose line is full: when to cut it, because it took nothing for
 * KafkaCamStallTimeout, or less of this part than KafkaCamLeastRate. */
apr_time_t kc_viewer_cut_due(const kc_viewer_t *viewer);

/* When to ask may_see again, 0: never. */
apr_time_t kc_viewer_recheck_due(const kc_viewer_t *viewer);

/* Ask may_see again if it is time. 0: nothing is left that this client may see. */
int kc_viewer_recheck(kc_viewer_t *viewer, apr_time_t now);

/* Refuse r past a limit: 503 with Retry-After, counted, and told to the log once a minute. */
int kc_viewer_refuse(request_rec *r, const char *limit);

/* Let httpd call us: the access log's notes, the line of a refused HTTP/2 request. */
void kc_viewer_register_hooks(apr_pool_t *pool);

#endif
