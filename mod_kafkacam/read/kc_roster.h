/* What is known of every camera: whether there is one, whether it is live, since when, what its
 * status record says. It is told what happens (a picture, a status record, how far Kafka's
 * partitions reach) and tells the hubs what people should see: states, and the offline pictures.
 *
 * Time is always an argument, so that the tests need not wait. Knows neither httpd nor Kafka. None
 * waits. Questions may come from any thread. What happens comes from two, each for its part: how
 * far partitions reach from the keeper, all else from the feed, so that what it publishes keeps its
 * order. */
#ifndef KC_ROSTER_H
#define KC_ROSTER_H

#include <apr_tables.h>
#include "kc_hub.h"
#include "kc_life.h"
#include "kc_state.h"

/* The same cameras in another size: another topic with the same partitions, a hub of its own. */
typedef enum {
    KC_LAYER_FULL,
    KC_LAYER_SMALL, /* KafkaCamSmallTopic */
    KC_LAYERS
} kc_layer_t;

typedef struct kc_roster_t kc_roster_t;

/* hubs[KC_LAYER_SMALL] may be NULL. settle: how long a camera that nobody watches counts as live
 * after its partition was last seen to grow; more than the time between two kc_roster_ends(). */
kc_roster_t *kc_roster_create(kc_hub_t *hubs[KC_LAYERS], apr_interval_time_t stale_after,
                              apr_interval_time_t settle, apr_pool_t *pool);

/* What happens. */

typedef enum {
    KC_ROSTER_PLAY,
    KC_ROSTER_PLAY_AHEAD, /* the first whose epoch is later than clocks can differ: as none */
    KC_ROSTER_OUTDATED,    /* of a producer that was replaced: drop it */
    KC_ROSTER_OUTDATED_NEW /* the same; the first since the one that replaced it was seen */
} kc_roster_verdict_t;

/* A picture was read. Says whether to publish it, and whether there is something to say. old: it
 * may have been there before the fetch began, so its own clock says when it was taken. */
kc_roster_verdict_t kc_roster_picture(kc_roster_t *roster, kc_layer_t layer,
                                      const kc_frame_t *frame, int old, kc_steady_t now);

/* A record that is no picture, which does not say that there is none. Says 1 if it is the first one
 * since the camera's last picture. */
int kc_roster_broken(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam);

/* A status record; NULL: the camera was taken off the producer's table. */
void kc_roster_record(kc_roster_t *roster, apr_uint32_t cam, const kc_status_record_t *record,
                      kc_moment_t now);

/* All status records are void: their topic is another one now. */
void kc_roster_forget_records(kc_roster_t *roster);

/* Fetching of cam began or ended; its partition has nothing to fetch. */
void kc_roster_fetch(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam, int on,
                     kc_steady_t now);
void kc_roster_empty(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam);

/* How far the first count partitions of a layer's topic reach: the offset after the last record,
 * 0: nothing was ever written, -1: not known. The others do not exist; if they do again, that is no
 * growth. */
void kc_roster_ends(kc_roster_t *roster, kc_layer_t layer, const apr_int64_t *ends,
                    apr_uint32_t count, kc_moment_t now);

/* Look at the time: publish what changed, to be called a few times a second. */
void kc_roster_tick(kc_roster_t *roster, kc_moment_t now, apr_pool_t *scratch);

/* Make the offline pictures that are due and publish them, until *stop (atomic) is not 0. One takes
 * a millisecond or some, so not in a thread that pictures wait for. Returns how many. */
int kc_roster_paint(kc_roster_t *roster, kc_moment_t now, apr_uint32_t *stop);

/* Questions. */

/* Whether this number is a camera, whether this size of it is worth fetching (kc_life_serves), and
 * which cameras should be in a list of all, in rising order. */
int kc_roster_knows(kc_roster_t *roster, apr_uint32_t cam);
int kc_roster_has(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam, kc_steady_t now);
apr_array_header_t *kc_roster_list(kc_roster_t *roster, apr_pool_t *pool);
void kc_roster_state(kc_roster_t *roster, apr_uint32_t cam, kc_moment_t now, kc_state_t *state);

#endif
