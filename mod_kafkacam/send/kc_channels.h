/* The cameras as one pump sees them: a camera's news come to a pump once, however many viewers it
 * has there, and the pump hands them to all of these in its own thread.
 *
 * Viewers take seats. The first seat at a camera enters a watch with the hub, the last one's
 * leaving takes it back. All of it belongs to the pump's thread but what the hub tells, which comes
 * in the publishing thread. */
#ifndef KC_CHANNELS_H
#define KC_CHANNELS_H

#include <apr_ring.h>
#include "kc_hub.h"

typedef struct kc_channels_t kc_channels_t;
typedef struct kc_channel_t kc_channel_t;

/* A viewer's place at one camera, in the viewer's memory. Taken at kc_channels_enter(). */
typedef struct kc_seat_t {
    APR_RING_ENTRY(kc_seat_t) link;
    void *owner;
    apr_size_t place; /* the seat's number in the viewer's choice */
    kc_channel_t *channel;
} kc_seat_t;

/* There are news where there were none: the pump should look. In the publishing thread, with a
 * camera's lock held; never waits. */
typedef void kc_channels_wake_fn(void *baton);

/* Lives in pool, which is the pump's thread's own from now on. */
apr_status_t kc_channels_create(kc_channels_t **channels, kc_channels_wake_fn *wake, void *baton,
                                apr_pool_t *pool);

/* Take a seat at camera cam of hub, and give it back. */
void kc_channels_enter(kc_channels_t *channels, kc_seat_t *seat, kc_hub_t *hub, apr_uint32_t cam);
void kc_channels_leave(kc_seat_t *seat);

/* Tell each seat of each camera that had news since the last call, the first that had some first.
 * Nobody takes or leaves a seat meanwhile. */
typedef void kc_channels_news_fn(kc_seat_t *seat);
void kc_channels_deliver(kc_channels_t *channels, kc_channels_news_fn *news);

#endif
