/* What there is in Kafka: a thread that asks, again and again, which partitions the topics have and
 * how far they reach, which librdkafka only answers to those who wait. Tells the feed what to fetch
 * anew and the roster what grows, and says whether Kafka is there. */
#ifndef KC_KEEPER_H
#define KC_KEEPER_H

#include <httpd.h>
#include "kc_config.h"
#include "kc_feed.h"
#include "kc_kafka.h"
#include "kc_roster.h"

typedef struct kc_keeper_t kc_keeper_t;

/* A slow camera's partition need not grow in each round: it counts as live for two and some. */
#define KC_KEEPER_SETTLE apr_time_from_sec(15)

apr_status_t kc_keeper_create(kc_keeper_t **keeper, kc_kafka_t *kafka, kc_feed_t *feed,
                              const kc_config_t *config, kc_roster_t *roster, server_rec *s,
                              apr_pool_t *pool);
apr_status_t kc_keeper_start(kc_keeper_t *keeper, apr_pool_t *pool);

/* As of a feed. */
void kc_keeper_stopping(kc_keeper_t *keeper);
void kc_keeper_abandon(kc_keeper_t *keeper);
void kc_keeper_close(kc_keeper_t *keeper);

/* All of these: any thread. */

/* For operators. The texts hold no secrets. */
typedef struct {
    int reached;             /* since the start */
    int away;                /* right now: nobody who has pictures for us answers */
    int denied;              /* right now: we may not read them */
    apr_time_t since;        /* of away, denied or neither; 0: not known yet */
    char error[640];         /* what is wrong, with some cameras too; "" for nothing */
    apr_uint32_t partitions; /* being fetched by this child */
    int producer_was_here;   /* a state was ever written, or there is no topic for them */
} kc_keeper_health_t;
void kc_keeper_health(kc_keeper_t *keeper, kc_keeper_health_t *health);

/* Topics and states have been read once, as far as they can be: what is not known is not there, or
 * stands with a broker that does not answer (kc_keeper_reaches). */
int kc_keeper_knows_all(kc_keeper_t *keeper);

/* Was it ever told how far this partition reaches? */
int kc_keeper_reaches(kc_keeper_t *keeper, int topic, apr_uint32_t partition);

/* Ask anew, at most twice a second however many want it, and wait until it was answered or wait is
 * over. */
void kc_keeper_look(kc_keeper_t *keeper, apr_interval_time_t wait);

/* Wait until all is known, or Kafka is known to be away, or the child is old enough for what it
 * knows to be all it will: 1. 0: none of these, and wait is over. */
int kc_keeper_settle(kc_keeper_t *keeper, apr_interval_time_t wait);

#endif
