/* What is fetched, and what becomes of it: a thread that starts and stops partitions as viewers
 * come and go (kc_hub_on_demand), makes a frame of each record, tells the roster, and publishes
 * into the hubs. It is the only one that publishes, and never waits for the network. */
#ifndef KC_FEED_H
#define KC_FEED_H

#include <httpd.h>
#include "kc_config.h"
#include "kc_hub.h"
#include "kc_kafka.h"
#include "kc_roster.h"
#include "kc_verdict.h"

typedef struct kc_feed_t kc_feed_t;

/* Topics are counted as the layers are, and the one of states is the last. */
#define KC_FEED_STATES KC_LAYERS
#define KC_FEED_TOPICS (KC_LAYERS + 1)

/* Opens config's topics on kafka. hubs as in kc_roster_create(). */
apr_status_t kc_feed_create(kc_feed_t **feed, kc_kafka_t *kafka, const kc_config_t *config,
                            kc_hub_t *hubs[KC_LAYERS], kc_roster_t *roster, server_rec *s,
                            apr_pool_t *pool);

/* To be told, in the feed's thread, when states have been read to their end (kc_feed_has_states),
 * or may not be read (kc_feed_is_denied). Before the start. */
typedef void kc_feed_progress_fn(void *baton);
void kc_feed_on_progress(kc_feed_t *feed, kc_feed_progress_fn *progress, void *baton);

apr_status_t kc_feed_start(kc_feed_t *feed, apr_pool_t *pool);

/* The thread is to end; kc_feed_close() waits for that, and closes the topics. Abandon takes no
 * lock, for where nobody can wait (kc_source_abandon). */
void kc_feed_stopping(kc_feed_t *feed);
void kc_feed_abandon(kc_feed_t *feed);
void kc_feed_close(kc_feed_t *feed);

/* All of these: any thread, none waits. */

/* NULL: there is no such topic. */
const char *kc_feed_topic(kc_feed_t *feed, int topic);

/* Partitions that exist, as far as there is a place for them: camera numbers below
 * KafkaCamMaxCameras. States are read from all of them. */
void kc_feed_set_count(kc_feed_t *feed, int topic, apr_uint32_t count);
apr_uint32_t kc_feed_count(kc_feed_t *feed, int topic);

/* The offset expected next, or one of KC_VERDICT_NOT_FETCHED and KC_VERDICT_NOT_BEGUN. */
apr_int64_t kc_feed_position(kc_feed_t *feed, int topic, apr_uint32_t partition);

/* Have the states, of all partitions there are, been read to their end once? */
int kc_feed_has_states(kc_feed_t *feed);

/* Was a state ever written, even if it was taken back since? Yes where there is no topic of
 * them. */
int kc_feed_had_states(kc_feed_t *feed);

/* What was found of a partition: if it is not healthy, it is fetched anew. */
void kc_feed_judge(kc_feed_t *feed, int topic, apr_uint32_t partition, kc_verdict_t verdict);

/* Was the feed told that it may not read there? */
int kc_feed_is_denied(kc_feed_t *feed, int topic);

/* Look again what there is to do. */
void kc_feed_wake(kc_feed_t *feed);

/* Partitions of pictures being fetched. */
apr_uint32_t kc_feed_fetched(kc_feed_t *feed);

#endif
