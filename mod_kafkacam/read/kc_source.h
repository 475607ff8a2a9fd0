/* Pictures and states from Kafka: one consumer per child, for each distinct set of brokers, topics
 * and properties, without a consumer group.
 *
 * It fetches only cameras that somebody watches (kc_hub_watch), from the newest picture on, and
 * lets go of them KafkaCamIdle after the last watch. What it publishes into the hubs: every
 * picture; a KC_FRAME_STATE whenever a known camera's state changes, watched or not; a
 * KC_FRAME_NOTICE when a watched camera has been without a picture for KafkaCamStaleAfter.
 *
 * A broker that is away, at the start or later, is waited for: nothing here fails because of it. */
#ifndef KC_SOURCE_H
#define KC_SOURCE_H

#include <httpd.h>
#include <apr_tables.h>
#include "kc_config.h"
#include "kc_hub.h"
#include "kc_keeper.h"
#include "kc_roster.h"
#include "kc_state.h"

/* In child_init: start what config asks for, in threads of its own, and set nothing else. Ends
 * when pchild goes: the threads are joined then. s is for the log. */
apr_status_t kc_source_start(kc_source_t **source, const kc_config_t *config, apr_pool_t *pchild,
                             server_rec *s);

/* Would a source for one do for the other? */
int kc_source_fits(const kc_config_t *one, const kc_config_t *other);

/* This child is about to end: make the threads ready for it, so that joining takes no time. */
void kc_source_stopping(kc_source_t *source);

/* Instead of kc_source_stopping() in a child that ends in a signal handler (prefork): takes no
 * lock, as whoever it has interrupted may hold it. Nobody may wait for the threads then, so
 * source's pool must stay. */
void kc_source_abandon(kc_source_t *source);

/* All of these: any thread, none waits but kc_source_look() and kc_source_settle(). */

/* NULL: no such layer is configured. Watch a camera there to have it fetched. */
kc_hub_t *kc_source_hub(kc_source_t *source, kc_layer_t layer);

/* Does the layer have this camera: does its partition exist, and was something written to it? */
int kc_source_has(kc_source_t *source, kc_layer_t layer, apr_uint32_t cam);

typedef enum {
    KC_SOURCE_NO_CAMERA,
    KC_SOURCE_CAMERA,
    KC_SOURCE_NOT_YET /* Kafka was not reached yet, or has not told everything: open and wait */
} kc_source_answer_t;

/* Is there such a camera: has it a status record, or a partition that holds or held pictures? */
kc_source_answer_t kc_source_find(kc_source_t *source, apr_uint32_t cam);

/* Ask Kafka anew which cameras there are, at most twice a second however many ask, and wait until
 * it has answered or wait is over. For a number that is no camera as yet, or not told to be one:
 * kc_source_find() may know it then. */
void kc_source_look(kc_source_t *source, apr_interval_time_t wait);

/* Wait until topics and states have been read once, or Kafka is known to be away. For a list of all
 * cameras: in the first moments of a child there would be none. Does not wait in a child that is
 * older than that, whatever Kafka withholds. 0: wait is over, and a list would say too little. */
int kc_source_settle(kc_source_t *source, apr_interval_time_t wait);

/* The cameras a list should show, in rising order: an array of apr_uint32_t. Fewer than
 * kc_source_find() knows: what was deleted from the producer's table is left out even if Kafka
 * still holds its old pictures. */
apr_array_header_t *kc_source_cameras(kc_source_t *source, apr_pool_t *pool);

/* The state of cam now. For a camera nobody ever heard of too: "unknown", named "Camera N". */
void kc_source_state(kc_source_t *source, apr_uint32_t cam, kc_state_t *state);

/* For operators. */
typedef kc_keeper_health_t kc_source_health_t;
/* Pictures can be fetched, as far as is known. */
int kc_source_is_up(const kc_source_health_t *health);

void kc_source_health(kc_source_t *source, kc_source_health_t *health);

#endif
