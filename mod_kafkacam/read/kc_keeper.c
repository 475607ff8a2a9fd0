#include "kc_keeper.h"

#include <string.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include "kc_child.h"
#include "kc_verdict.h"

/* How long the keeper rests, and the longest it waits for an answer: also how long the end of a
 * child can take when a broker is away. */
#define REST    apr_time_from_sec(5)
#define WAIT_MS 1500

/* Not sooner after somebody asked for a camera that is not known. */
#define HURRY apr_time_from_msec(500)

typedef struct {
    const char *name; /* NULL: there is none */
    int last_error;   /* said so far */
    int told_room;    /* said that there are more partitions than we have a place for */
    apr_uint32_t room;
    kc_verdict_memory_t *memory; /* of each partition */
} topic_t;

struct kc_keeper_t {
    server_rec *s; /* these do not change after the start */
    const kc_config_t *config;
    kc_kafka_t *kafka;
    kc_feed_t *feed;
    kc_roster_t *roster;
    apr_thread_t *thread;

    topic_t topics[KC_FEED_TOPICS]; /* the keeper's own */
    apr_pool_t *round;              /* and cleared with each round */

    apr_uint32_t stopping;  /* atomic */
    apr_uint32_t knows_all; /* atomic: topics and states have been read once */

    apr_thread_mutex_t *lock; /* guards everything below */
    apr_thread_cond_t *wake;  /* for the keeper */
    apr_thread_cond_t *round_over;
    int hurry;
    apr_uint32_t rounds_begun;
    apr_uint32_t rounds_over;
    int complete; /* a round has asked all and been answered */
    kc_keeper_health_t health;
};

static int stopping(kc_keeper_t *keeper)
{
    return apr_atomic_read32(&keeper->stopping) != 0;
}

/* ---- Whether Kafka is there ---- */

static void note_reached(kc_keeper_t *keeper, int error, int failures)
{
    apr_time_t now = apr_time_now();
    kc_keeper_health_t before;
    char reason[256];

    kc_kafka_last_error(keeper->kafka, reason, sizeof(reason));
    apr_thread_mutex_lock(keeper->lock);
    before = keeper->health;
    if (!error) {
        keeper->health.reached = 1;
        keeper->health.away = 0;
    }
    else if (failures >= 2) {
        keeper->health.away = 1;
    }
    if (before.away != keeper->health.away || !before.since) {
        keeper->health.since = now;
    }
    apr_thread_mutex_unlock(keeper->lock);
    if (!error) {
        kc_kafka_forget_error(keeper->kafka);
    }
    if (error && failures >= 2 && !before.away) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                     KC_ID(2011) "Kafka at %s does not answer, streams wait for it: %s",
                     keeper->config->brokers, reason[0] ? reason : kc_kafka_text(error));
    }
    else if (!error && before.away) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, keeper->s,
                     "Kafka at %s is back after %" APR_TIME_T_FMT " s", keeper->config->brokers,
                     apr_time_sec(now - before.since));
    }
}

/* ---- Topics ---- */

static void note_topic_error(kc_keeper_t *keeper, topic_t *topic, int error)
{
    int before = topic->last_error;

    topic->last_error = error;
    if (error == before) {
        return;
    }
    switch (kc_kafka_trouble(error)) {
    case KC_KAFKA_FINE:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s, "Kafka topic %s can be read now",
                     topic->name);
        break;
    case KC_KAFKA_GONE:
        /* Small pictures are an option; a producer makes the other two. */
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s, "Kafka has no topic %s (yet)",
                     topic->name);
        break;
    case KC_KAFKA_DENIED:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                     KC_ID(2012) "Kafka topic %s cannot be read: %s (the module's Kafka user "
                                 "needs READ and DESCRIBE on it)",
                     topic->name, kc_kafka_text(error));
        break;
    default:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                     KC_ID(2012) "Kafka topic %s cannot be read: %s", topic->name,
                     kc_kafka_text(error));
    }
}

static void note_topic(kc_keeper_t *keeper, int kind, const kc_kafka_topic_said_t *said)
{
    topic_t *topic = &keeper->topics[kind];

    /* An election of a moment is no reason to forget cameras. */
    if (!said->said || kc_kafka_trouble(said->error) == KC_KAFKA_NO_LEADER) {
        return;
    }
    note_topic_error(keeper, topic,
                     !said->error && kc_feed_is_denied(keeper->feed, kind) ? KC_KAFKA_READ_DENIED
                                                                           : said->error);
    if (said->count > topic->room && kind != KC_FEED_STATES && !topic->told_room) {
        topic->told_room = 1;
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s,
                     "Kafka topic %s has %u partitions; cameras from %u on are left out "
                     "(KafkaCamMaxCameras)",
                     topic->name, said->count, topic->room);
    }
    kc_feed_set_count(keeper->feed, kind, said->error ? 0 : said->count);
}

static int ask_topics(kc_keeper_t *keeper)
{
    kc_kafka_topic_said_t said[KC_FEED_TOPICS] = { { 0 } };
    apr_array_header_t *brokers;
    int kind, error;

    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        said[kind].name = keeper->topics[kind].name;
    }
    error =
        kc_kafka_ask_topics(keeper->kafka, said, KC_FEED_TOPICS, &brokers, WAIT_MS, keeper->round);
    for (kind = 0; kind < KC_FEED_TOPICS && !error; kind++) {
        note_topic(keeper, kind, &said[kind]);
    }
    return error;
}

/* ---- How far their partitions reach ---- */

static void note_ends(kc_keeper_t *keeper, int kind, const kc_kafka_offset_t *asked,
                      const apr_int64_t *positions, apr_uint32_t count)
{
    apr_int64_t *ends = apr_palloc(keeper->round, (count + 1) * sizeof(*ends));
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        ends[i] = asked[i].offset;
        kc_feed_judge(keeper->feed, kind, i,
                      kc_verdict_judge(&keeper->topics[kind].memory[i], positions[i], ends[i]));
    }
    if (kind != KC_FEED_STATES) {
        kc_roster_ends(keeper->roster, (kc_layer_t)kind, ends, count, kc_moment_now());
    }
}

/* One question for all, an answer from each broker. */
static int ask_ends(kc_keeper_t *keeper, int kind)
{
    apr_uint32_t count = kc_feed_count(keeper->feed, kind);
    kc_kafka_offset_t *asked = apr_pcalloc(keeper->round, (count + 1) * sizeof(*asked));
    apr_int64_t *positions = apr_palloc(keeper->round, (count + 1) * sizeof(*positions));
    apr_uint32_t i;
    int error;

    for (i = 0; i < count; i++) {
        asked[i].partition = i;
        asked[i].at = KC_KAFKA_END;
        positions[i] = kc_feed_position(keeper->feed, kind, i);
    }
    error = kc_kafka_ask_offsets(keeper->kafka, keeper->topics[kind].name, asked, count, WAIT_MS);
    if (!error) {
        note_ends(keeper, kind, asked, positions, count);
    }
    return error;
}

/* A partition that changes its leader just now, or a topic made a moment ago, gives an error that
 * is none: Kafka is there, and knows next time. */
static int ask_all_ends(kc_keeper_t *keeper)
{
    int kind, error = 0;

    for (kind = 0; kind < KC_FEED_TOPICS && !error && !stopping(keeper); kind++) {
        if (keeper->topics[kind].name) {
            error = ask_ends(keeper, kind);
        }
    }
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, keeper->s,
                     "Kafka does not say how far partitions reach: %s", kc_kafka_text(error));
    }
    return error;
}

/* ---- The thread ---- */

/* Everything about the cameras has been read: from now on a number can be told to be none. With
 * the lock held. */
static void note_completeness(kc_keeper_t *keeper)
{
    if (keeper->complete && kc_feed_has_states(keeper->feed)) {
        apr_atomic_set32(&keeper->knows_all, 1);
    }
    apr_thread_cond_broadcast(keeper->round_over);
}

/* In the feed's thread. */
static void on_progress(void *baton)
{
    kc_keeper_t *keeper = baton;

    apr_thread_mutex_lock(keeper->lock);
    note_completeness(keeper);
    apr_thread_mutex_unlock(keeper->lock);
}

/* Whether Kafka answers is what its answer about topics says. *complete: the rest is known as
 * well. */
static int play_round(kc_keeper_t *keeper, int *complete)
{
    int error;

    apr_thread_mutex_lock(keeper->lock);
    keeper->rounds_begun++;
    apr_thread_mutex_unlock(keeper->lock);
    error = ask_topics(keeper);
    *complete = !error && !ask_all_ends(keeper);
    apr_pool_clear(keeper->round);
    apr_thread_mutex_lock(keeper->lock);
    keeper->rounds_over++;
    keeper->complete |= *complete;
    note_completeness(keeper);
    apr_thread_mutex_unlock(keeper->lock);
    return error;
}

/* Until the time is over, or all ends, or somebody is in a hurry where that counts. */
static void rest(kc_keeper_t *keeper, apr_interval_time_t time, int hurry_counts)
{
    apr_time_t until = apr_time_now() + time;
    apr_time_t now;

    apr_thread_mutex_lock(keeper->lock);
    while (!stopping(keeper) && !(hurry_counts && keeper->hurry) &&
           (now = apr_time_now()) < until && until - now <= time) {
        apr_thread_cond_timedwait(keeper->wake, keeper->lock, until - now);
    }
    keeper->hurry = hurry_counts ? 0 : keeper->hurry;
    apr_thread_mutex_unlock(keeper->lock);
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    kc_keeper_t *keeper = data;
    int failures = 0;
    int complete;

    while (!stopping(keeper)) {
        int error = play_round(keeper, &complete);

        failures = error ? failures + 1 : 0;
        if (stopping(keeper)) {
            break;
        }
        note_reached(keeper, error, failures);
        kc_feed_wake(keeper->feed); /* there may be states to read now */
        if (complete) {
            rest(keeper, REST - HURRY, 1);
        }
        rest(keeper, HURRY, 0);
    }
    return NULL;
}

/* ---- Start and end ---- */

static void set_up_topics(kc_keeper_t *keeper, apr_pool_t *pool)
{
    const kc_verdict_memory_t nothing = KC_VERDICT_NOTHING;
    apr_uint32_t i;
    int kind;

    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        topic_t *topic = &keeper->topics[kind];

        topic->name = kc_feed_topic(keeper->feed, kind);
        topic->room = (apr_uint32_t)keeper->config->max_cameras;
        topic->memory = apr_palloc(pool, topic->room * sizeof(*topic->memory));
        for (i = 0; i < topic->room; i++) {
            topic->memory[i] = nothing;
        }
    }
}

apr_status_t kc_keeper_create(kc_keeper_t **result, kc_kafka_t *kafka, kc_feed_t *feed,
                              const kc_config_t *config, kc_roster_t *roster, server_rec *s,
                              apr_pool_t *pool)
{
    kc_keeper_t *keeper = apr_pcalloc(pool, sizeof(*keeper));
    apr_status_t rv;

    keeper->s = s;
    keeper->config = config;
    keeper->kafka = kafka;
    keeper->feed = feed;
    keeper->roster = roster;
    if ((rv = apr_thread_mutex_create(&keeper->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = apr_thread_cond_create(&keeper->wake, pool)) ||
        (rv = apr_thread_cond_create(&keeper->round_over, pool)) ||
        (rv = kc_child_create_pool(&keeper->round, pool))) {
        return rv;
    }
    set_up_topics(keeper, pool);
    kc_feed_on_progress(feed, on_progress, keeper);
    *result = keeper;
    return APR_SUCCESS;
}

apr_status_t kc_keeper_start(kc_keeper_t *keeper, apr_pool_t *pool)
{
    return kc_child_start_thread(&keeper->thread, run, keeper, pool);
}

void kc_keeper_abandon(kc_keeper_t *keeper)
{
    apr_atomic_set32(&keeper->stopping, 1);
}

void kc_keeper_stopping(kc_keeper_t *keeper)
{
    apr_thread_mutex_lock(keeper->lock);
    kc_keeper_abandon(keeper);
    apr_thread_cond_broadcast(keeper->wake);
    apr_thread_cond_broadcast(keeper->round_over);
    apr_thread_mutex_unlock(keeper->lock);
}

void kc_keeper_close(kc_keeper_t *keeper)
{
    apr_status_t ended;

    if (keeper && keeper->thread) {
        kc_keeper_stopping(keeper);
        apr_thread_join(&ended, keeper->thread);
    }
}

/* ---- Questions ---- */

void kc_keeper_health(kc_keeper_t *keeper, kc_keeper_health_t *health)
{
    apr_thread_mutex_lock(keeper->lock);
    *health = keeper->health;
    apr_thread_mutex_unlock(keeper->lock);
    kc_kafka_last_error(keeper->kafka, health->error, sizeof(health->error));
    health->partitions = kc_feed_fetched(keeper->feed);
}

int kc_keeper_knows_all(kc_keeper_t *keeper)
{
    return apr_atomic_read32(&keeper->knows_all) != 0;
}

void kc_keeper_look(kc_keeper_t *keeper, apr_interval_time_t wait)
{
    apr_time_t until = apr_time_now() + wait;
    apr_time_t now;
    apr_uint32_t begun;

    apr_thread_mutex_lock(keeper->lock);
    begun = keeper->rounds_begun;
    keeper->hurry = 1;
    apr_thread_cond_signal(keeper->wake);
    /* A round that had begun may have missed what is looked for. */
    while (((apr_int32_t)(keeper->rounds_over - begun) <= 0 || !kc_keeper_knows_all(keeper)) &&
           !stopping(keeper) && (now = apr_time_now()) < until && until - now <= wait) {
        apr_thread_cond_timedwait(keeper->round_over, keeper->lock, until - now);
    }
    apr_thread_mutex_unlock(keeper->lock);
}

void kc_keeper_settle(kc_keeper_t *keeper, apr_interval_time_t wait)
{
    apr_time_t until = apr_time_now() + wait;
    apr_time_t now;

    if (kc_keeper_knows_all(keeper)) {
        return;
    }
    apr_thread_mutex_lock(keeper->lock);
    while (!kc_keeper_knows_all(keeper) && !keeper->health.away && !stopping(keeper) &&
           (now = apr_time_now()) < until && until - now <= wait) {
        apr_thread_cond_timedwait(keeper->round_over, keeper->lock, until - now);
    }
    apr_thread_mutex_unlock(keeper->lock);
}
