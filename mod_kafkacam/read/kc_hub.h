/* The newest frame of each camera, shared by all viewers of one httpd child.
 *
 * Nobody waits for anybody: a slow viewer misses frames, it never holds up the camera. A frame is
 * not queued for anyone; whoever is ready asks for what is newest then. Knows neither httpd nor
 * Kafka.
 *
 * Who wants a camera's frames enters a watch. The first watch of a camera and the last one's
 * leaving are told to the source (kc_hub_on_demand), which fetches only what somebody watches. */
#ifndef KC_HUB_H
#define KC_HUB_H

#include <apr_pools.h>
#include <apr_ring.h>
#include "kc_frame.h"

typedef struct kc_hub_t kc_hub_t;

/* Somebody who is told that camera cam has something new. Owned by whoever enters it; one camera
 * at a time. notify runs in the publishing thread with the camera's lock held: it sets a flag or
 * wakes a thread, and never waits or calls the hub. */
typedef struct kc_hub_watch_t kc_hub_watch_t;
struct kc_hub_watch_t {
    APR_RING_ENTRY(kc_hub_watch_t) link;
    void (*notify)(void *baton, apr_uint32_t cam);
    void *baton;
};

/* wanted is 1 when the first watch of cam came, 0 when the last one left. Runs in the watching
 * thread, with the camera's lock held: it notes the wish for another thread, and never waits or
 * calls the hub. */
typedef void kc_hub_demand_fn(void *baton, apr_uint32_t cam, int wanted);

/* A hub for the cameras 0 to cams - 1. Lives in pool; frames that are left go with it. */
apr_status_t kc_hub_create(kc_hub_t **hub, apr_uint32_t cams, apr_pool_t *pool);

/* Whom to tell about demand. At wiring time, before any thread uses the hub. */
void kc_hub_on_demand(kc_hub_t *hub, kc_hub_demand_fn *demand, void *baton);

/* How many camera numbers there are: cams of kc_hub_create(). */
apr_uint32_t kc_hub_cams(const kc_hub_t *hub);

/* Make frame the newest of its camera and kind, number it, and tell who watches. A picture ends
 * the notice, if there is one. Takes over the caller's reference, on errors too. Any thread; frames
 * of one camera are in the order in which they were published. Does not wait: the lock covers
 * pointer swaps. APR_NOTFOUND: there is no such camera. */
apr_status_t kc_hub_publish(kc_hub_t *hub, kc_frame_t *frame);

/* The newest frame of cam of that kind if its number is above after, else NULL. A notice is there
 * only as long as it is true. Any thread. You own one reference; end it with kc_frame_unref(). */
kc_frame_t *kc_hub_newest(kc_hub_t *hub, apr_uint32_t cam, kc_frame_kind_t kind,
                          apr_uint64_t after);

/* What a viewer of cam alone looks at: the notice while there is one, else the newest picture; NULL
 * if its number is not above after. So a notice is never followed by the old picture it replaced.
 * plain: of the pictures only those without dashes (kc_frame.h). Any thread. You own one
 * reference. */
kc_frame_t *kc_hub_shown(kc_hub_t *hub, apr_uint32_t cam, apr_uint64_t after, int plain);

/* Forget all frames of cam: its number now means another camera, or none. */
void kc_hub_forget(kc_hub_t *hub, apr_uint32_t cam);

/* Tell who watches cam that there is something new, though no frame is published here. Any
 * thread. */
void kc_hub_tell(kc_hub_t *hub, apr_uint32_t cam);

/* Enter and take back a watch. After kc_hub_unwatch() its notify does not run any more, and never
 * will again. Any thread. APR_NOTFOUND: there is no such camera. */
apr_status_t kc_hub_watch(kc_hub_t *hub, apr_uint32_t cam, kc_hub_watch_t *watch);
void kc_hub_unwatch(kc_hub_t *hub, apr_uint32_t cam, kc_hub_watch_t *watch);

#endif
