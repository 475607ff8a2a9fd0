#include "kc_keeper.h"

#include <string.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include "kc_child.h"
#include "kc_reach.h"
#include "kc_verdict.h"

/* How long the keeper rests, and the longest it waits for an answer: also how long the end of a
 * child can take when a broker is away. */
#define REST    apr_time_from_sec(5)
#define WAIT_MS 1500

/* Not sooner after somebody asked for a camera that is not known. */
#define HURRY apr_time_from_msec(500)

/* Something that passes by itself, an election or a broker that starts, has passed after so many
 * rounds; what has not is how it is. */
#define ROUNDS_TO_PASS 2

/* A list waits for what is not known yet in a child that is as young as this. */
#define YOUNG apr_time_from_sec(10)

typedef struct {
    const char *name; /* NULL: there is none */
    int last_error;   /* said so far */
    int told_room;    /* said that there are more partitions than we have a place for */
    apr_uint32_t room;
    int rounds_gone;             /* in a row */
    int rounds_unsaid;           /* without a word about its partitions */
    int rounds_leaderless;       /* with partitions that have no leader */
    apr_uint32_t leaderless;     /* so many, in this round */
    kc_verdict_memory_t *memory; /* of each partition */
    apr_uint32_t *reaches;       /* atomic, of each: how far it reaches is known */
} topic_t;

struct kc_keeper_t {
    server_rec *s; /* these do not change after the start */
    const kc_config_t *config;
    kc_kafka_t *kafka;
    kc_feed_t *feed;
    kc_roster_t *roster;
    apr_thread_t *thread;

    topic_t topics[KC_FEED_TOPICS]; /* the keeper's own, as are these four */
    kc_kafka_topic_said_t said[KC_FEED_TOPICS];
    kc_reach_t *reach;
    apr_pool_t *round; /* cleared with each round, as is said */
    int told_partly;   /* said that some brokers are away */
    apr_time_t started;

    apr_uint32_t stopping;  /* atomic */
    apr_uint32_t knows_all; /* atomic: topics and states have been read once */
    apr_uint32_t no_states; /* atomic: they cannot be read now */

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

/* ---- Whether Kafka is there, and pictures can be fetched from it ---- */

/* What there is to say of brokers that Kafka names and that do not answer. "" if all do. The name
 * is the broker's own word: often nobody but itself, or the container next to it, knows it. */
static const char *describe_reach(kc_keeper_t *keeper, const kc_reach_summary_t *reach)
{
    char said[512];
    const char *why = NULL;

    if (!reach->away) {
        return "";
    }
    kc_kafka_last_error(keeper->kafka, said, sizeof(said));
    if (reach->address[0] && strstr(said, reach->address)) {
        why = strstr(said, ": ");
    }
    return apr_psprintf(
        keeper->round, "cannot reach %s, as broker %d calls itself (its advertised.listeners)%s%s",
        reach->address, (int)reach->id,
        reach->away > 1 ? apr_psprintf(keeper->round, ", and %d more", reach->away - 1) : "",
        why ? why : "");
}

/* Partitions that nobody leads, "" if there are none. */
static const char *describe_leaders(kc_keeper_t *keeper)
{
    int kind;

    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        const topic_t *topic = &keeper->topics[kind];

        if (topic->rounds_leaderless >= ROUNDS_TO_PASS) {
            return apr_psprintf(keeper->round, "%u of %u partitions of %s have no leader",
                                topic->leaderless, kc_feed_count(keeper->feed, kind), topic->name);
        }
    }
    return "";
}

static const char *describe_rights(kc_keeper_t *keeper, int kind)
{
    const topic_t *topic = &keeper->topics[kind];

    return kc_kafka_trouble(topic->last_error) == KC_KAFKA_DENIED
               ? apr_psprintf(keeper->round, "topic %s cannot be read: %s", topic->name,
                              kc_kafka_text(topic->last_error))
               : "";
}

/* Kafka answers, but some cameras cannot be fetched. Said when it begins, and when it is over. */
static void tell_partly(kc_keeper_t *keeper, const char *what)
{
    int partly = what[0] != '\0';

    if (partly && !keeper->told_partly) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                     KC_ID(2014) "Kafka at %s: some cameras cannot be fetched: %s",
                     keeper->config->brokers, what);
    }
    else if (!partly && keeper->told_partly) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, keeper->s,
                     "Kafka at %s: all cameras can be fetched again", keeper->config->brokers);
    }
    keeper->told_partly = partly;
}

static void tell_away(kc_keeper_t *keeper, const kc_keeper_health_t *before, int away,
                      const char *why)
{
    if (away && !before->away) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                     KC_ID(2011) "Kafka at %s does not answer, streams wait for it: %s",
                     keeper->config->brokers, why);
    }
    else if (!away && before->away) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, keeper->s,
                     "Kafka at %s is back after %" APR_TIME_T_FMT " s", keeper->config->brokers,
                     apr_time_sec(apr_time_now() - before->since));
    }
}

/* Without the lock; returns how it was. */
static kc_keeper_health_t set_health(kc_keeper_t *keeper, int away, int denied, int reached,
                                     const char *error)
{
    kc_keeper_health_t before;

    apr_thread_mutex_lock(keeper->lock);
    before = keeper->health;
    keeper->health.reached |= reached;
    keeper->health.away = away;
    keeper->health.denied = denied;
    if (before.away != away || before.denied != denied || !before.since) {
        keeper->health.since = apr_time_now();
    }
    apr_cpystrn(keeper->health.error, error, sizeof(keeper->health.error));
    apr_thread_mutex_unlock(keeper->lock);
    return before;
}

/* Nobody has told us what topics there are. */
static void note_silence(kc_keeper_t *keeper, int error, int failures)
{
    char why[512];
    kc_keeper_health_t before;

    kc_kafka_last_error(keeper->kafka, why, sizeof(why));
    if (!why[0]) {
        apr_cpystrn(why, kc_kafka_text(error), sizeof(why));
    }
    kc_keeper_health(keeper, &before);
    set_health(keeper, before.away || failures >= ROUNDS_TO_PASS, before.denied, 0, why);
    tell_away(keeper, &before, before.away || failures >= ROUNDS_TO_PASS, why);
}

/* Topics are known. Whether Kafka is there for us is whether their leaders answer. */
static void note_answer(kc_keeper_t *keeper)
{
    const char *denied = describe_rights(keeper, KC_LAYER_FULL);
    kc_keeper_health_t before;
    kc_reach_summary_t reach;
    const char *what;
    int away;

    kc_reach_summary(keeper->reach, &reach);
    away = reach.away && !reach.there;
    what = describe_reach(keeper, &reach);
    if (!what[0]) {
        what = denied[0] ? denied : describe_leaders(keeper);
    }
    before = set_health(keeper, away, denied[0] != '\0', !away, what);
    tell_away(keeper, &before, away, what);
    tell_partly(keeper, away || denied[0] ? "" : what);
    if (!reach.away) {
        kc_kafka_forget_error(keeper->kafka);
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

/* How many partitions there are. An error that passes is no reason to forget cameras, and a topic
 * that is not there may be one that this broker has not heard of yet. */
static void note_count(kc_keeper_t *keeper, int kind, const kc_kafka_topic_said_t *said)
{
    topic_t *topic = &keeper->topics[kind];

    topic->rounds_unsaid = said->error ? topic->rounds_unsaid + 1 : 0;
    topic->rounds_gone =
        kc_kafka_trouble(said->error) == KC_KAFKA_GONE ? topic->rounds_gone + 1 : 0;
    if (said->error) {
        if (topic->rounds_gone >= ROUNDS_TO_PASS) {
            kc_feed_set_count(keeper->feed, kind, 0);
        }
        return;
    }
    if (said->count > topic->room && kind != KC_FEED_STATES && !topic->told_room) {
        topic->told_room = 1;
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s,
                     "Kafka topic %s has %u partitions; cameras from %u on are left out "
                     "(KafkaCamMaxCameras)",
                     topic->name, said->count, topic->room);
    }
    kc_feed_set_count(keeper->feed, kind, said->count);
}

static void note_topic(kc_keeper_t *keeper, int kind)
{
    kc_kafka_topic_said_t *said = &keeper->said[kind];
    topic_t *topic = &keeper->topics[kind];

    if (!topic->name) {
        return;
    }
    if (!said->said) {
        topic->rounds_unsaid++;
        return;
    }
    if (kc_kafka_trouble(said->error) != KC_KAFKA_NO_LEADER) {
        note_topic_error(keeper, topic,
                         !said->error && kc_feed_is_denied(keeper->feed, kind)
                             ? KC_KAFKA_READ_DENIED
                             : said->error);
    }
    note_count(keeper, kind, said);
}

static int ask_topics(kc_keeper_t *keeper)
{
    apr_array_header_t *brokers;
    int kind, error, i;

    memset(keeper->said, 0, sizeof(keeper->said));
    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        keeper->said[kind].name = keeper->topics[kind].name;
    }
    error = kc_kafka_ask_topics(keeper->kafka, keeper->said, KC_FEED_TOPICS, &brokers, WAIT_MS,
                                keeper->round);
    if (error) {
        return error;
    }
    for (i = 0; i < brokers->nelts; i++) {
        const kc_kafka_broker_t *broker = &APR_ARRAY_IDX(brokers, i, kc_kafka_broker_t);

        kc_reach_name(keeper->reach, broker->id, broker->address);
    }
    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        note_topic(keeper, kind);
    }
    return 0;
}

/* ---- How far their partitions reach ---- */

/* Ask one broker about those of a topic's first count partitions that it leads. ends: -1 where it
 * is not known. */
static void ask_leader(kc_keeper_t *keeper, int kind, apr_int32_t leader, apr_uint32_t count,
                       apr_int64_t *ends)
{
    topic_t *topic = &keeper->topics[kind];
    kc_kafka_offset_t *asked = apr_pcalloc(keeper->round, count * sizeof(*asked));
    apr_int64_t *positions = apr_palloc(keeper->round, count * sizeof(*positions));
    apr_uint32_t i, number = 0;
    int error;

    for (i = 0; i < count; i++) {
        if (keeper->said[kind].leader[i] == leader) {
            asked[number].partition = i;
            asked[number].at = KC_KAFKA_END;
            positions[number++] = kc_feed_position(keeper->feed, kind, i);
        }
    }
    error = kc_kafka_ask_offsets(keeper->kafka, topic->name, asked, number, WAIT_MS);
    kc_reach_note(keeper->reach, leader, kc_kafka_trouble(error) != KC_KAFKA_AWAY);
    for (i = 0; i < number && !error; i++) {
        apr_uint32_t partition = asked[i].partition;

        ends[partition] = asked[i].offset;
        apr_atomic_set32(&topic->reaches[partition], asked[i].offset >= 0);
        kc_feed_judge(keeper->feed, kind, partition,
                      kc_verdict_judge(&topic->memory[partition], positions[i], asked[i].offset));
    }
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, keeper->s,
                     "broker %d does not say how far its partitions of %s reach: %s", (int)leader,
                     topic->name, kc_kafka_text(error));
    }
}

/* One question to each leader, so that one who does not answer spoils nobody else's. */
static void ask_ends(kc_keeper_t *keeper, int kind)
{
    const apr_int32_t *leader = keeper->said[kind].leader;
    topic_t *topic = &keeper->topics[kind];
    apr_uint32_t count = kc_feed_count(keeper->feed, kind);
    apr_int64_t *ends = apr_palloc(keeper->round, (count + 1) * sizeof(*ends));
    apr_uint32_t i, before;

    topic->leaderless = 0;
    for (i = 0; i < count; i++) {
        ends[i] = -1;
        topic->leaderless += leader[i] < 0;
    }
    topic->rounds_leaderless = topic->leaderless ? topic->rounds_leaderless + 1 : 0;
    for (i = 0; i < count && !stopping(keeper); i++) {
        for (before = 0; before < i && leader[before] != leader[i]; before++) {
        }
        if (before == i && leader[i] >= 0 && kc_reach_should_ask(keeper->reach, leader[i])) {
            ask_leader(keeper, kind, leader[i], count, ends);
        }
    }
    if (kind != KC_FEED_STATES) {
        kc_roster_ends(keeper->roster, (kc_layer_t)kind, ends, count, kc_moment_now());
    }
}

/* Is there more to be learned of a topic than was, if one only asks again? */
static int may_be_learned(kc_keeper_t *keeper, int kind)
{
    topic_t *topic = &keeper->topics[kind];
    const kc_kafka_topic_said_t *said = &keeper->said[kind];
    apr_uint32_t i, count = kc_feed_count(keeper->feed, kind);

    if (!topic->name) {
        return 0;
    }
    if (!said->said || said->error) {
        return kc_kafka_trouble(said->error) != KC_KAFKA_GONE &&
               topic->rounds_unsaid < ROUNDS_TO_PASS;
    }
    for (i = 0; i < count; i++) {
        if (!apr_atomic_read32(&topic->reaches[i]) &&
            (said->leader[i] < 0 ? topic->rounds_leaderless < ROUNDS_TO_PASS
                                 : !kc_reach_is_away(keeper->reach, said->leader[i]))) {
            return 1;
        }
    }
    return 0;
}

/* Nobody answers for the states: then nobody is to wait for them. */
static int states_are_away(kc_keeper_t *keeper)
{
    const kc_kafka_topic_said_t *said = &keeper->said[KC_FEED_STATES];
    apr_uint32_t i, count = kc_feed_count(keeper->feed, KC_FEED_STATES);

    for (i = 0; said->said && !said->error && i < count; i++) {
        if (said->leader[i] < 0 || kc_reach_is_away(keeper->reach, said->leader[i])) {
            return 1;
        }
    }
    return 0;
}

/* 1: all is known that can be. */
static int ask_all_ends(kc_keeper_t *keeper)
{
    int kind, complete = 1;

    for (kind = 0; kind < KC_FEED_TOPICS && !stopping(keeper); kind++) {
        if (keeper->said[kind].said && !keeper->said[kind].error) {
            ask_ends(keeper, kind);
        }
        complete &= !may_be_learned(keeper, kind);
    }
    apr_atomic_set32(&keeper->no_states, states_are_away(keeper));
    return complete;
}

/* ---- The thread ---- */

/* Everything about the cameras has been read: from now on a number can be told to be none. With
 * the lock held. */
static void note_completeness(kc_keeper_t *keeper)
{
    if (keeper->complete &&
        (kc_feed_has_states(keeper->feed) || kc_feed_is_denied(keeper->feed, KC_FEED_STATES) ||
         apr_atomic_read32(&keeper->no_states))) {
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

/* An error: nobody has said what topics there are. *complete: all is known that can be. */
static int play_round(kc_keeper_t *keeper, int *complete)
{
    int error;

    apr_thread_mutex_lock(keeper->lock);
    keeper->rounds_begun++;
    apr_thread_mutex_unlock(keeper->lock);
    kc_reach_begin(keeper->reach);
    error = ask_topics(keeper);
    *complete = !error && ask_all_ends(keeper) && !stopping(keeper);
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
        if (error) {
            note_silence(keeper, error, failures);
        }
        else {
            note_answer(keeper);
        }
        apr_pool_clear(keeper->round);
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
        topic->reaches = apr_pcalloc(pool, topic->room * sizeof(*topic->reaches));
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
    keeper->reach = kc_reach_create(pool);
    keeper->started = apr_time_now();
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
    health->partitions = kc_feed_fetched(keeper->feed);
    health->producer_was_here = kc_feed_had_states(keeper->feed);
}

int kc_keeper_knows_all(kc_keeper_t *keeper)
{
    return apr_atomic_read32(&keeper->knows_all) != 0;
}

int kc_keeper_reaches(kc_keeper_t *keeper, int topic, apr_uint32_t partition)
{
    return apr_atomic_read32(&keeper->topics[topic].reaches[partition]) != 0;
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

int kc_keeper_settle(kc_keeper_t *keeper, apr_interval_time_t wait)
{
    apr_time_t until = apr_time_now() + wait;
    apr_time_t now;
    int settled;

    if (kc_keeper_knows_all(keeper)) {
        return 1;
    }
    apr_thread_mutex_lock(keeper->lock);
    while (!kc_keeper_knows_all(keeper) && !keeper->health.away && !stopping(keeper) &&
           (now = apr_time_now()) < until && until - now <= wait && now - keeper->started < YOUNG) {
        apr_thread_cond_timedwait(keeper->round_over, keeper->lock, until - now);
    }
    settled = kc_keeper_knows_all(keeper) || keeper->health.away ||
              apr_time_now() - keeper->started >= YOUNG;
    apr_thread_mutex_unlock(keeper->lock);
    return settled;
}
