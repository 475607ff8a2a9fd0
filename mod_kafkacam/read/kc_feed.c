#include "kc_feed.h"

#include <apr_atomic.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include "kc_child.h"
#include "kc_counters.h"
#include "kc_record.h"

/* The feed looks at the time this often: states, offline pictures, idle cameras. */
#define TICK_MS 250

/* What comes later than this after it could have come is passed over for the newest there is. */
#define LAG_MAX apr_time_from_sec(2)

/* How long the largest lag is shown; for how long pictures come late until somebody is to look at
 * it; for how long they come in time until that is over. */
#define LAG_SHOWN   apr_time_from_sec(10)
#define LAG_WORTH   apr_time_from_sec(10)
#define LAG_IS_OVER apr_time_from_sec(30)

typedef struct {
    /* Guarded by lock. */
    int wanted;         /* somebody watches */
    kc_verdict_t renew; /* what the keeper found */
    apr_time_t left;    /* when the last watch went */
    /* Atomic: the offset the feed expects next; -1: none yet. */
    apr_uint64_t position;
    /* The feed's own. */
    int fetching;
    int old;             /* the next record may be older than the fetch */
    int late;            /* a record came late: we are on the way to the newest */
    apr_int64_t late_at; /* that record's offset */
    int last_error;      /* said so far */
    kc_verdict_delay_t delay;
} partition_t;

typedef struct {
    kc_feed_t *feed;  /* none of these change */
    int kind;         /* a kc_layer_t, or KC_FEED_STATES */
    const char *name; /* NULL: there is none */
    kc_kafka_topic_t *handle;
    kc_hub_t *hub;     /* NULL for the states */
    apr_uint32_t room; /* partitions we have a place for */
    partition_t *partitions;
    apr_uint32_t count;  /* atomic: partitions that exist, as of the keeper's last round */
    apr_uint32_t denied; /* atomic: we were told that we may not read here */
    apr_uint32_t at_end; /* atomic: status partitions read to their end once */
} topic_t;

/* What operators see of lag; the feed's own. */
typedef struct {
    apr_interval_time_t largest[2]; /* of the time now shown, and before */
    apr_time_t turned;
    apr_uint64_t shown_ms;
    apr_time_t began; /* pictures come late since then; 0: they do not */
    apr_time_t last;
    int told;
    apr_uint64_t passed_over; /* since it began */
} lag_t;

struct kc_feed_t {
    server_rec *s; /* these do not change after the start */
    const kc_config_t *config;
    kc_kafka_t *kafka;
    kc_kafka_queue_t *queue;
    kc_roster_t *roster;
    topic_t topics[KC_FEED_TOPICS];
    kc_feed_progress_fn *progress;
    void *progress_baton;
    apr_thread_t *thread;

    apr_uint32_t stopping; /* atomic */
    apr_uint32_t dirty;    /* atomic: a partition's wanted or renew changed */
    apr_uint32_t fetched;  /* atomic: partitions of pictures */

    apr_pool_t *scratch; /* the feed's own, cleared with each tick */
    lag_t lag;

    apr_thread_mutex_t *lock; /* guards the partitions' wishes */
};

/* ---- Partitions come and go ---- */

static void start_partition(topic_t *topic, apr_uint32_t number)
{
    kc_feed_t *feed = topic->feed;
    partition_t *partition = &topic->partitions[number];
    int states = topic->kind == KC_FEED_STATES;
    int error;

    apr_atomic_set64(&partition->position, (apr_uint64_t)-1);
    partition->old = 1;
    error = kc_kafka_start(topic->handle, number, states ? KC_KAFKA_BEGINNING : KC_KAFKA_TAIL(1),
                           feed->queue);
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, feed->s,
                     KC_ID(2005) "partition %u of %s cannot be fetched: %s", number, topic->name,
                     kc_kafka_text(error));
        return;
    }
    partition->fetching = 1;
    if (!states) {
        kc_roster_fetch(feed->roster, (kc_layer_t)topic->kind, number, 1, kc_moment_now().steady);
        kc_counters_add(KC_COUNTER_PARTITIONS, 1);
        apr_atomic_inc32(&feed->fetched);
    }
}

static void stop_fetching(topic_t *topic, apr_uint32_t number)
{
    kc_kafka_stop(topic->handle, number);
    topic->partitions[number].fetching = 0;
    if (topic->kind != KC_FEED_STATES) {
        kc_counters_add(KC_COUNTER_PARTITIONS, -1);
        apr_atomic_dec32(&topic->feed->fetched);
    }
}

static void stop_partition(topic_t *topic, apr_uint32_t number)
{
    stop_fetching(topic, number);
    if (topic->kind != KC_FEED_STATES) {
        kc_roster_fetch(topic->feed->roster, (kc_layer_t)topic->kind, number, 0,
                        kc_moment_now().steady);
    }
}

static const char *const renew_why[] = {
    [KC_VERDICT_HEALTHY] = "is healthy",
    [KC_VERDICT_STUCK] = "stood still",
    [KC_VERDICT_LAGGING] = "comes late",
    [KC_VERDICT_OTHER] = "is another one now",
};

/* The same camera from its newest picture on; viewers keep what they have. */
static void renew_partition(topic_t *topic, apr_uint32_t number, kc_verdict_t verdict)
{
    partition_t *partition = &topic->partitions[number];

    ap_log_error(APLOG_MARK, verdict == KC_VERDICT_LAGGING ? APLOG_DEBUG : APLOG_INFO, 0,
                 topic->feed->s, "partition %u of %s %s: fetched anew", number, topic->name,
                 renew_why[verdict]);
    stop_fetching(topic, number);
    if (verdict == KC_VERDICT_LAGGING && !partition->late) {
        partition->late = 1; /* the keeper found it */
        partition->late_at = kc_feed_position(topic->feed, topic->kind, number);
    }
    else if (verdict == KC_VERDICT_OTHER) {
        partition->late = 0;
    }
    if (topic->kind == KC_FEED_STATES && verdict == KC_VERDICT_OTHER) {
        kc_roster_forget_records(topic->feed->roster);
    }
    start_partition(topic, number);
}

static void tend_partition(topic_t *topic, apr_uint32_t number, apr_time_t now)
{
    kc_feed_t *feed = topic->feed;
    partition_t *partition = &topic->partitions[number];
    kc_verdict_t verdict;
    int wanted;

    apr_thread_mutex_lock(feed->lock);
    verdict = partition->renew;
    partition->renew = KC_VERDICT_HEALTHY;
    wanted =
        partition->wanted || (partition->fetching && now < partition->left + feed->config->idle);
    apr_thread_mutex_unlock(feed->lock);
    if (wanted && !partition->fetching) {
        memset(&partition->delay, 0, sizeof(partition->delay));
        partition->late = 0;
        start_partition(topic, number);
    }
    else if (!wanted && partition->fetching) {
        stop_partition(topic, number);
    }
    else if (wanted && verdict != KC_VERDICT_HEALTHY) {
        renew_partition(topic, number, verdict);
    }
    if (partition->fetching && topic->kind == KC_LAYER_FULL) {
        kc_counters_camera_fetched(feed->config->camera_counts, number, now);
    }
}

/* Every partition of the status topic, as they appear. */
static void want_states(topic_t *topic)
{
    apr_uint32_t count = apr_atomic_read32(&topic->count);
    apr_uint32_t i;

    apr_thread_mutex_lock(topic->feed->lock);
    for (i = 0; i < count; i++) {
        topic->partitions[i].wanted = 1;
    }
    apr_thread_mutex_unlock(topic->feed->lock);
}

static void tend_partitions(kc_feed_t *feed, apr_time_t now)
{
    apr_uint32_t number;
    int kind;

    apr_atomic_set32(&feed->dirty, 0);
    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        topic_t *topic = &feed->topics[kind];

        if (kind == KC_FEED_STATES && topic->name) {
            want_states(topic);
        }
        for (number = 0; number < topic->room; number++) {
            tend_partition(topic, number, now);
        }
    }
}

/* In a viewer's thread, with a lock of the hub held. */
static void on_demand(void *baton, apr_uint32_t cam, int wanted)
{
    topic_t *topic = baton;
    kc_feed_t *feed = topic->feed;

    apr_thread_mutex_lock(feed->lock);
    topic->partitions[cam].wanted = wanted;
    if (!wanted) {
        topic->partitions[cam].left = apr_time_now();
    }
    apr_thread_mutex_unlock(feed->lock);
    if (wanted) {
        kc_feed_wake(feed);
    }
}

/* ---- Records ---- */

static void count(topic_t *topic, const kc_kafka_event_t *event, kc_counters_outcome_t outcome,
                  apr_time_t news)
{
    if (topic->kind == KC_LAYER_FULL) {
        kc_counters_camera_add(topic->feed->config->camera_counts, event->partition, event->offset,
                               outcome, event->value_size, news);
    }
}

static void drop_broken(topic_t *topic, const kc_kafka_event_t *event, const char *wrong)
{
    kc_counters_add(KC_COUNTER_FRAMES_BROKEN, 1);
    count(topic, event, KC_COUNTERS_BROKEN, 0);
    if (kc_roster_broken(topic->feed->roster, (kc_layer_t)topic->kind, event->partition)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, topic->feed->s,
                     KC_ID(2020) "camera %u: the record at offset %" APR_INT64_T_FMT
                                 " of %s %s; it and "
                                 "what follows like it are dropped",
                     event->partition, event->offset, topic->name, wrong);
    }
}

/* ---- What comes late ---- */

/* Long outages and short ones, a machine that was suspended, a link that is too slow for its
 * cameras: said when it begins, and that somebody should look when it does not end. */
static void note_late(topic_t *topic, apr_uint32_t cam, apr_interval_time_t lag, apr_time_t now)
{
    kc_feed_t *feed = topic->feed;
    lag_t *seen = &feed->lag;

    seen->last = now;
    if (!seen->began) {
        seen->began = now;
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, feed->s,
                     "camera %u of %s comes %" APR_TIME_T_FMT " ms late: on to the newest picture",
                     cam, topic->name, apr_time_as_msec(lag));
    }
    else if (!seen->told && now - seen->began > LAG_WORTH) {
        seen->told = 1;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, feed->s,
                     KC_ID(2013) "pictures have been coming late from Kafka for %" APR_TIME_T_FMT
                                 " s (camera %u of %s: %" APR_TIME_T_FMT " ms): this machine or "
                                 "its link to Kafka is too slow for what is watched; late ones "
                                 "are passed over",
                     apr_time_sec(now - seen->began), cam, topic->name, apr_time_as_msec(lag));
    }
}

static void show_lag(kc_feed_t *feed, apr_time_t now)
{
    lag_t *seen = &feed->lag;
    apr_interval_time_t largest;

    if (now - seen->turned >= LAG_SHOWN || now < seen->turned) {
        seen->turned = now;
        seen->largest[1] = seen->largest[0];
        seen->largest[0] = 0;
    }
    largest = seen->largest[0] > seen->largest[1] ? seen->largest[0] : seen->largest[1];
    kc_counters_show_largest(KC_COUNTER_LAG, &seen->shown_ms,
                             (apr_uint64_t)apr_time_as_msec(largest));
    if (seen->began && now - seen->last > LAG_IS_OVER) {
        ap_log_error(APLOG_MARK, seen->told ? APLOG_NOTICE : APLOG_INFO, 0, feed->s,
                     "pictures come in time again; %" APR_UINT64_T_FMT " were passed over",
                     seen->passed_over);
        seen->began = 0;
        seen->told = 0;
        seen->passed_over = 0;
    }
}

/* The record's time stamp, 0: it has none that makes sense. */
static apr_time_t stamp_of(const kc_kafka_event_t *event)
{
    return event->stamp_ms > 0 && event->stamp_ms < APR_INT64_MAX / 1000 / 2
               ? apr_time_from_msec(event->stamp_ms)
               : 0;
}

/* The first record, or the end, after a late one was left: what lay between was passed over. If
 * that is nothing, it could not have come earlier: a clock was set back, or it waited in its
 * producer. */
static void land(topic_t *topic, const kc_kafka_event_t *event, apr_time_t now)
{
    partition_t *partition = &topic->partitions[event->partition];
    apr_int64_t passed_over = event->offset - partition->late_at;

    partition->late = 0;
    if (passed_over > 0) {
        kc_counters_add(KC_COUNTER_FRAMES_LATE, passed_over);
        topic->feed->lag.passed_over += (apr_uint64_t)passed_over;
    }
    else if (stamp_of(event)) {
        kc_verdict_accept(&partition->delay, stamp_of(event), now);
    }
}

/* 1: it is left for the newest there is. */
static int comes_late(topic_t *topic, const kc_kafka_event_t *event, apr_time_t now)
{
    partition_t *partition = &topic->partitions[event->partition];
    apr_interval_time_t lag = kc_verdict_lag(&partition->delay, stamp_of(event), now);

    if (partition->old) { /* there is no newer one */
        if (partition->late) {
            land(topic, event, now);
            partition->old = lag > LAG_MAX; /* else this says more than its own clock */
        }
        return 0;
    }
    if (lag > topic->feed->lag.largest[0]) {
        topic->feed->lag.largest[0] = lag;
    }
    if (!partition->late && lag > LAG_MAX) {
        partition->late = 1;
        partition->late_at = event->offset;
        note_late(topic, event->partition, lag, now);
        kc_feed_judge(topic->feed, topic->kind, event->partition, KC_VERDICT_LAGGING);
    }
    return partition->late;
}

/* ---- Pictures and states ---- */

/* What there is to say about a picture's epoch. */
static void note_epoch(topic_t *topic, const kc_frame_t *frame, kc_roster_verdict_t verdict)
{
    server_rec *s = topic->feed->s;

    if (verdict == KC_ROSTER_PLAY_AHEAD) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     KC_ID(2080) "camera %u: the epoch %" APR_UINT64_T_FMT
                                 " at offset %" APR_INT64_T_FMT
                                 " of %s is later than clocks can differ and counts as none, "
                                 "so a producer that was replaced may go on showing (said once)",
                     frame->cam, frame->epoch_ms, frame->offset, topic->name);
    }
    else if (verdict == KC_ROSTER_OUTDATED_NEW) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            KC_ID(2081) "camera %u: pictures of a producer that began before the one "
                        "that shows (epoch %" APR_UINT64_T_FMT " at offset %" APR_INT64_T_FMT
                        " of %s) are dropped: two write for this camera, or a clock is wrong",
            frame->cam, frame->epoch_ms, frame->offset, topic->name);
    }
}

static void take_picture(topic_t *topic, const kc_kafka_event_t *event)
{
    partition_t *partition = &topic->partitions[event->partition];
    const char *wrong = kc_record_wrong(event);
    kc_moment_t now = kc_moment_now();
    kc_roster_verdict_t verdict;
    kc_frame_t *frame;

    kc_counters_add(KC_COUNTER_BYTES_RECEIVED, (apr_int64_t)event->value_size);
    if (comes_late(topic, event, now.wall)) {
        return;
    }
    if (wrong) {
        drop_broken(topic, event, wrong);
        return;
    }
    frame = kc_record_frame(event, now.wall);
    kc_counters_add(KC_COUNTER_FRAMES_RECEIVED, 1);
    verdict = kc_roster_picture(topic->feed->roster, (kc_layer_t)topic->kind, frame, partition->old,
                                now.steady);
    note_epoch(topic, frame, verdict);
    if (verdict >= KC_ROSTER_OUTDATED) {
        kc_counters_add(KC_COUNTER_FRAMES_OUTDATED, 1);
        count(topic, event, KC_COUNTERS_OUTDATED, 0);
        kc_frame_unref(frame);
        return;
    }
    count(topic, event, KC_COUNTERS_PICTURE,
          partition->old && frame->captured < frame->arrived ? frame->captured : frame->arrived);
    partition->old = 0;
    kc_hub_publish(topic->hub, frame);
}

static void take_record(topic_t *topic, const kc_kafka_event_t *event)
{
    kc_feed_t *feed = topic->feed;
    kc_status_record_t record;
    const char *why = NULL;
    uint64_t cam;

    if (!event->key || kc_wire_number_parse(&cam, event->key, event->key_size,
                                            (uint64_t)feed->config->max_cameras - 1)) {
        why = "its key is no camera's number";
    }
    else if (!event->value) {
        kc_roster_record(feed->roster, (apr_uint32_t)cam, NULL, kc_moment_now());
        return;
    }
    else if (kc_state_record_parse(&record, event->value, event->value_size, &why) == APR_SUCCESS) {
        kc_roster_record(feed->roster, (apr_uint32_t)cam, &record, kc_moment_now());
        return;
    }
    if (kc_counters_own(KC_COUNTER_STATUS_BROKEN) == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, feed->s,
                     KC_ID(2021) "the record at offset %" APR_INT64_T_FMT
                                 " of %s is passed over: %s "
                                 "(said once; the status page counts them)",
                     event->offset, topic->name, why);
    }
    kc_counters_add(KC_COUNTER_STATUS_BROKEN, 1);
}

static void reached_end(topic_t *topic, const kc_kafka_event_t *event)
{
    partition_t *partition = &topic->partitions[event->partition];

    apr_atomic_set64(&partition->position, (apr_uint64_t)event->offset);
    if (partition->late && partition->old) {
        land(topic, event, apr_time_now());
    }
    if (topic->kind != KC_FEED_STATES) {
        kc_roster_empty(topic->feed->roster, (kc_layer_t)topic->kind, event->partition);
    }
    else if (partition->old) {
        apr_atomic_inc32(&topic->at_end);
        topic->feed->progress(topic->feed->progress_baton);
    }
    partition->old = 0;
}

/* The topic was deleted while it was read. One of the same name has other records, perhaps as
 * many, so the offsets would not tell. */
static void note_gone(topic_t *topic, apr_uint32_t number)
{
    if (kc_feed_position(topic->feed, topic->kind, number) >= 0) {
        kc_feed_judge(topic->feed, topic->kind, number, KC_VERDICT_OTHER);
    } /* else it was not there yet: librdkafka waits for it */
}

/* The keeper says what is wrong with a whole topic. What is left is said once until it is another
 * one. */
static void note_trouble(topic_t *topic, const kc_kafka_event_t *event)
{
    partition_t *partition = &topic->partitions[event->partition];
    int repeated = partition->last_error == event->error;

    partition->last_error = event->error;
    switch (kc_kafka_trouble(event->error)) {
    case KC_KAFKA_GONE:
        note_gone(topic, event->partition);
        return;
    case KC_KAFKA_DENIED:
        apr_atomic_set32(&topic->denied, 1);
        topic->feed->progress(topic->feed->progress_baton);
        return;
    case KC_KAFKA_AWAY: /* the keeper says who */
    case KC_KAFKA_OUTSIDE:
        return;
    default:
        break;
    }
    if (!repeated) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, topic->feed->s,
                     KC_ID(2022) "partition %u of %s: %s", event->partition, topic->name,
                     event->text);
    }
}

static void on_event(const kc_kafka_event_t *event)
{
    topic_t *topic = event->baton;

    if (event->partition >= topic->room) {
        return;
    }
    if (event->kind == KC_KAFKA_TROUBLE) {
        note_trouble(topic, event);
        return;
    }
    apr_atomic_set32(&topic->denied, 0);
    if (event->kind == KC_KAFKA_AT_END) {
        reached_end(topic, event);
        return;
    }
    topic->partitions[event->partition].last_error = 0;
    apr_atomic_set64(&topic->partitions[event->partition].position,
                     (apr_uint64_t)event->offset + 1);
    if (topic->kind == KC_FEED_STATES) {
        take_record(topic, event);
    }
    else {
        take_picture(topic, event);
    }
}

/* ---- The thread ---- */

/* 1: there is more to do at once. */
static int tick(kc_feed_t *feed, apr_time_t now)
{
    int notices = kc_roster_tick(feed->roster, kc_moment_now(), feed->scratch);

    kc_counters_add(KC_COUNTER_NOTICES, notices);
    apr_pool_clear(feed->scratch);
    show_lag(feed, now);
    return notices == KC_ROSTER_NOTICES;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    kc_feed_t *feed = data;
    apr_time_t next = 0;
    apr_time_t now;

    while (!apr_atomic_read32(&feed->stopping)) {
        now = apr_time_now();
        if (apr_atomic_read32(&feed->dirty)) {
            tend_partitions(feed, now);
        }
        if (now >= next || next - now > apr_time_from_msec(TICK_MS)) {
            tend_partitions(feed, now);
            next = now + (tick(feed, now) ? 0 : apr_time_from_msec(TICK_MS));
        }
        now = apr_time_now();
        kc_kafka_take(feed->queue, next > now ? (int)apr_time_as_msec(next - now) + 1 : 0,
                      on_event);
        kc_kafka_poll(feed->kafka);
    }
    return NULL;
}

/* ---- Start and end ---- */

static apr_status_t set_up_topic(kc_feed_t *feed, int kind, const char *name, apr_pool_t *pool)
{
    topic_t *topic = &feed->topics[kind];
    apr_uint32_t i;

    topic->feed = feed;
    topic->kind = kind;
    topic->name = name;
    if (!name) {
        return APR_SUCCESS;
    }
    topic->room = (apr_uint32_t)feed->config->max_cameras;
    topic->partitions = apr_pcalloc(pool, topic->room * sizeof(*topic->partitions));
    for (i = 0; i < topic->room; i++) {
        topic->partitions[i].position = (apr_uint64_t)-1;
    }
    if (topic->hub) {
        kc_hub_on_demand(topic->hub, on_demand, topic);
    }
    /* Where a position is no longer there (retention, a topic made anew): the newest. States are
     * read from the start each time. */
    return kc_kafka_topic_open(&topic->handle, feed->kafka, name,
                               kind == KC_FEED_STATES ? KC_KAFKA_BEGINNING : KC_KAFKA_END, topic,
                               pool);
}

apr_status_t kc_feed_create(kc_feed_t **result, kc_kafka_t *kafka, const kc_config_t *config,
                            kc_hub_t *hubs[KC_LAYERS], kc_roster_t *roster, server_rec *s,
                            apr_pool_t *pool)
{
    kc_feed_t *feed = apr_pcalloc(pool, sizeof(*feed));
    apr_status_t rv;
    int kind;

    feed->s = s;
    feed->config = config;
    feed->kafka = kafka;
    feed->roster = roster;
    feed->queue = kc_kafka_queue_open(kafka, pool);
    for (kind = 0; kind < KC_LAYERS; kind++) {
        feed->topics[kind].hub = hubs[kind];
    }
    *result = feed;
    if ((rv = apr_thread_mutex_create(&feed->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = kc_child_create_pool(&feed->scratch, pool)) ||
        (rv = set_up_topic(feed, KC_LAYER_FULL, config->topic, pool)) ||
        (rv = set_up_topic(feed, KC_LAYER_SMALL, config->small_topic, pool)) ||
        (rv = set_up_topic(feed, KC_FEED_STATES, config->status_topic, pool))) {
        return rv;
    }
    return APR_SUCCESS;
}

void kc_feed_on_progress(kc_feed_t *feed, kc_feed_progress_fn *progress, void *baton)
{
    feed->progress = progress;
    feed->progress_baton = baton;
}

apr_status_t kc_feed_start(kc_feed_t *feed, apr_pool_t *pool)
{
    return kc_child_start_thread(&feed->thread, run, feed, pool);
}

void kc_feed_abandon(kc_feed_t *feed)
{
    apr_atomic_set32(&feed->stopping, 1);
}

void kc_feed_stopping(kc_feed_t *feed)
{
    kc_feed_abandon(feed);
    kc_kafka_wake(feed->queue);
}

static void close_topic(topic_t *topic)
{
    apr_uint32_t number;

    for (number = 0; number < topic->room; number++) {
        if (topic->partitions[number].fetching) {
            kc_kafka_stop(topic->handle, number);
        }
    }
    kc_kafka_topic_close(topic->handle);
}

void kc_feed_close(kc_feed_t *feed)
{
    apr_status_t ended;
    int kind;

    if (!feed) {
        return;
    }
    kc_feed_stopping(feed);
    if (feed->thread) {
        apr_thread_join(&ended, feed->thread);
    }
    for (kind = 0; kind < KC_FEED_TOPICS; kind++) {
        if (feed->topics[kind].handle) {
            close_topic(&feed->topics[kind]);
        }
    }
    kc_kafka_queue_close(feed->queue);
}

/* ---- Between the threads ---- */

const char *kc_feed_topic(kc_feed_t *feed, int topic)
{
    return feed->topics[topic].name;
}

void kc_feed_set_count(kc_feed_t *feed, int topic, apr_uint32_t count)
{
    apr_uint32_t room = feed->topics[topic].room;

    apr_atomic_set32(&feed->topics[topic].count, count < room ? count : room);
}

apr_uint32_t kc_feed_count(kc_feed_t *feed, int topic)
{
    return apr_atomic_read32(&feed->topics[topic].count);
}

apr_int64_t kc_feed_position(kc_feed_t *feed, int topic, apr_uint32_t partition)
{
    return (apr_int64_t)apr_atomic_read64(&feed->topics[topic].partitions[partition].position);
}

int kc_feed_has_states(kc_feed_t *feed)
{
    return apr_atomic_read32(&feed->topics[KC_FEED_STATES].at_end) >=
           kc_feed_count(feed, KC_FEED_STATES);
}

int kc_feed_had_states(kc_feed_t *feed)
{
    apr_uint32_t count = kc_feed_count(feed, KC_FEED_STATES);
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        if (kc_feed_position(feed, KC_FEED_STATES, i) > 0) {
            return 1;
        }
    }
    return !feed->topics[KC_FEED_STATES].name;
}

void kc_feed_judge(kc_feed_t *feed, int topic, apr_uint32_t partition, kc_verdict_t verdict)
{
    /* States are read from the start each time, which takes as long as it takes. */
    if (verdict == KC_VERDICT_HEALTHY ||
        (topic == KC_FEED_STATES && verdict == KC_VERDICT_LAGGING)) {
        return;
    }
    apr_thread_mutex_lock(feed->lock);
    feed->topics[topic].partitions[partition].renew = verdict;
    apr_thread_mutex_unlock(feed->lock);
    apr_atomic_set32(&feed->dirty, 1);
}

int kc_feed_is_denied(kc_feed_t *feed, int topic)
{
    return apr_atomic_read32(&feed->topics[topic].denied) != 0;
}

void kc_feed_wake(kc_feed_t *feed)
{
    apr_atomic_set32(&feed->dirty, 1);
    kc_kafka_wake(feed->queue);
}

apr_uint32_t kc_feed_fetched(kc_feed_t *feed)
{
    return apr_atomic_read32(&feed->fetched);
}
