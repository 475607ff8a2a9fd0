#include "kc_feed.h"

#include <string.h>
#include <apr_atomic.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include "kc_child.h"
#include "kc_counters.h"
#include "kc_lag.h"
#include "kc_record.h"

/* The feed looks at the time this often: states, offline pictures, idle cameras. */
#define TICK_MS 250

/* What comes later than this after it could have come is passed over for the newest there is. */
#define LAG_MAX apr_time_from_sec(2)

/* What was not read for a whole round of the keeper is at least so late. */
#define LAG_OF_A_ROUND apr_time_from_sec(5)

/* Fetched anew so often without a word of it: more has to be done. */
#define STUCK_FOR_GOOD 2

/* The feed takes so many states at once, then pictures again; and looks for them so often until it
 * has read all there are. */
#define STATES_AT_ONCE 64
#define STATES_MS      20

/* By chance two pictures in a row hold CR LF - - once in years: so many do because their camera
 * writes it into each. */
#define DASHES_WORTH 5

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
    int step;            /* which of steps the fetch began with */
    int met;             /* a record of what is looked back at came */
    int again;           /* look further back */
    int stuck;           /* so often in a row */
    apr_int64_t behind;  /* what lies before is looked back at; 0: nothing is */
    kc_frame_t *found;   /* ours: the newest picture in it so far */
    int last_error;      /* said so far */
    unsigned dashes;     /* pictures in a row that hold CR LF - - */
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

struct kc_feed_t {
    server_rec *s; /* these do not change after the start */
    const kc_config_t *config;
    kc_kafka_t *kafka;
    kc_kafka_queue_t *queue;  /* of pictures */
    kc_kafka_queue_t *states; /* of their own: however many there are, pictures do not wait */
    kc_roster_t *roster;
    topic_t topics[KC_FEED_TOPICS];
    kc_feed_progress_fn *progress;
    void *progress_baton;
    apr_thread_t *thread;

    apr_uint32_t stopping; /* atomic */
    apr_uint32_t dirty;    /* atomic: a partition's wanted or renew changed */
    apr_uint32_t fetched;  /* atomic: partitions of pictures */

    apr_pool_t *scratch; /* the feed's own, cleared with each tick */
    kc_lag_t lag;

    apr_thread_mutex_t *lock; /* guards the partitions' wishes */
};

/* ---- Partitions come and go ---- */

/* Where a partition is begun to be read. What stands last need be no picture: a tombstone, text,
 * the mark of a transaction. Then it is looked back at, once, and what is found is the newest
 * picture. If nothing stands there, the log may start later (retention), so its start is tried; if
 * that turns out to be further back, it was marks all the way, and that is given up. */
enum { NEWEST, BACK, START, GIVEN_UP };
#define LOOK_BACK 32
static const apr_int64_t steps[] = {
    [NEWEST] = KC_KAFKA_TAIL(1),
    [BACK] = KC_KAFKA_TAIL(LOOK_BACK),
    [START] = KC_KAFKA_BEGINNING,
    [GIVEN_UP] = KC_KAFKA_TAIL(1),
};

static void forget_looking_back(partition_t *partition)
{
    kc_frame_unref(partition->found);
    partition->found = NULL;
    partition->step = NEWEST;
    partition->again = 0;
    partition->behind = 0;
}

static void start_partition(topic_t *topic, apr_uint32_t number)
{
    kc_feed_t *feed = topic->feed;
    partition_t *partition = &topic->partitions[number];
    int states = topic->kind == KC_FEED_STATES;
    int error;

    apr_atomic_set64(&partition->position, (apr_uint64_t)KC_VERDICT_NOT_BEGUN);
    partition->old = 1;
    partition->met = 0;
    error =
        kc_kafka_start(topic->handle, number, states ? KC_KAFKA_BEGINNING : steps[partition->step],
                       states ? feed->states : feed->queue);
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

static void stop_counting(topic_t *topic, apr_uint32_t number)
{
    topic->partitions[number].fetching = 0;
    apr_atomic_set64(&topic->partitions[number].position, (apr_uint64_t)KC_VERDICT_NOT_FETCHED);
    if (topic->kind != KC_FEED_STATES) {
        kc_counters_add(KC_COUNTER_PARTITIONS, -1);
        apr_atomic_dec32(&topic->feed->fetched);
    }
}

static void stop_fetching(topic_t *topic, apr_uint32_t number)
{
    kc_kafka_stop(topic->handle, number);
    stop_counting(topic, number);
}

static void stop_partition(topic_t *topic, apr_uint32_t number)
{
    stop_fetching(topic, number);
    forget_looking_back(&topic->partitions[number]);
    if (topic->kind != KC_FEED_STATES) {
        kc_roster_fetch(topic->feed->roster, (kc_layer_t)topic->kind, number, 0,
                        kc_moment_now().steady);
    }
}

/* A partition that is not read though it is fetched anew: librdkafka knows no leader for it and
 * does not ask (its issue 5430). What it knows of a topic goes with the topic's handle. */
static void reopen_topic(topic_t *topic, apr_uint32_t stuck)
{
    apr_uint32_t i;

    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, topic->feed->s,
                 KC_ID(2015) "partition %u of %s has records that do not come, though it was "
                             "fetched anew %d times: the whole topic is",
                 stuck, topic->name, topic->partitions[stuck].stuck);
    for (i = 0; i < topic->room; i++) {
        if (topic->partitions[i].fetching) {
            kc_kafka_stop(topic->handle, i);
        }
    }
    kc_kafka_topic_reopen(topic->handle);
    for (i = 0; i < topic->room; i++) {
        topic->partitions[i].stuck = 0;
        if (topic->partitions[i].fetching) {
            stop_counting(topic, i);
            forget_looking_back(&topic->partitions[i]);
            start_partition(topic, i);
        }
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
    apr_int64_t position = kc_feed_position(topic->feed, topic->kind, number);

    ap_log_error(APLOG_MARK, verdict == KC_VERDICT_LAGGING ? APLOG_DEBUG : APLOG_INFO, 0,
                 topic->feed->s, "partition %u of %s %s: fetched anew", number, topic->name,
                 renew_why[verdict]);
    stop_fetching(topic, number);
    forget_looking_back(partition);
    if (verdict == KC_VERDICT_LAGGING && !partition->late && position >= 0) {
        partition->late = 1; /* the keeper found it */
        partition->late_at = position;
        kc_lag_leave(&topic->feed->lag, topic->feed->s, topic->name, number, LAG_OF_A_ROUND,
                     apr_time_now());
    }
    else if (verdict == KC_VERDICT_OTHER) {
        partition->late = 0;
    }
    if (topic->kind == KC_FEED_STATES && verdict == KC_VERDICT_OTHER) {
        kc_roster_forget_records(topic->feed->roster);
    }
    if (verdict == KC_VERDICT_STUCK && ++partition->stuck >= STUCK_FOR_GOOD) {
        reopen_topic(topic, number);
    }
    start_partition(topic, number);
}

static void tend_partition(topic_t *topic, apr_uint32_t number, kc_moment_t now)
{
    kc_feed_t *feed = topic->feed;
    partition_t *partition = &topic->partitions[number];
    kc_verdict_t verdict;
    int wanted;

    apr_thread_mutex_lock(feed->lock);
    verdict = partition->renew;
    partition->renew = KC_VERDICT_HEALTHY;
    wanted = partition->wanted ||
             (partition->fetching && now.steady < partition->left + feed->config->idle);
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
    else if (wanted && partition->again) {
        partition->again = 0;
        kc_frame_unref(partition->found);
        partition->found = NULL;
        stop_fetching(topic, number);
        start_partition(topic, number);
    }
    if (partition->fetching && topic->kind == KC_LAYER_FULL) {
        kc_counters_camera_fetched(feed->config->camera_counts, number, now.wall);
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

/* The camera that has been without a viewer for the longest, and how many there are. */
static apr_uint32_t count_idle(kc_feed_t *feed, topic_t **topic, apr_uint32_t *number)
{
    apr_uint32_t i, idle = 0;
    apr_time_t first = 0;
    int kind;

    apr_thread_mutex_lock(feed->lock);
    for (kind = 0; kind < KC_LAYERS; kind++) {
        for (i = 0; i < feed->topics[kind].room; i++) {
            const partition_t *partition = &feed->topics[kind].partitions[i];

            if (!partition->fetching || partition->wanted) {
                continue;
            }
            if (idle++ == 0 || partition->left < first) {
                first = partition->left;
                *topic = &feed->topics[kind];
                *number = i;
            }
        }
    }
    apr_thread_mutex_unlock(feed->lock);
    return idle;
}

/* Whoever asks for one picture of each of a thousand cameras is not to have them all fetched. */
static void limit_idle(kc_feed_t *feed)
{
    apr_uint32_t number = 0;
    topic_t *topic = NULL;

    while (count_idle(feed, &topic, &number) > (apr_uint32_t)feed->config->max_idle) {
        stop_partition(topic, number);
    }
}

static void tend_partitions(kc_feed_t *feed, kc_moment_t now)
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
    limit_idle(feed);
}

/* In a viewer's thread, with a lock of the hub held. */
static void on_demand(void *baton, apr_uint32_t cam, int wanted)
{
    topic_t *topic = baton;
    kc_feed_t *feed = topic->feed;

    apr_thread_mutex_lock(feed->lock);
    topic->partitions[cam].wanted = wanted;
    if (!wanted) {
        topic->partitions[cam].left = kc_moment_now().steady;
    }
    apr_thread_mutex_unlock(feed->lock);
    if (wanted) {
        kc_feed_wake(feed);
    }
}

/* ---- Records ---- */

static void count(topic_t *topic, apr_uint32_t cam, apr_int64_t offset,
                  kc_counters_outcome_t outcome, apr_size_t size, apr_time_t news)
{
    if (topic->kind == KC_LAYER_FULL) {
        kc_counters_camera_add(topic->feed->config->camera_counts, cam, offset, outcome, size,
                               news);
    }
}

static void drop_broken(topic_t *topic, const kc_kafka_event_t *event, const char *wrong)
{
    kc_counters_add(KC_COUNTER_FRAMES_BROKEN, 1);
    count(topic, event->partition, event->offset, KC_COUNTERS_BROKEN, event->value_size, 0);
    if (kc_roster_broken(topic->feed->roster, (kc_layer_t)topic->kind, event->partition)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, topic->feed->s,
                     KC_ID(2020) "camera %u: the record at offset %" APR_INT64_T_FMT
                                 " of %s %s; it and "
                                 "what follows like it are dropped",
                     event->partition, event->offset, topic->name, wrong);
    }
}

/* ---- What comes late ---- */

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
        kc_lag_passed_over(&topic->feed->lag, passed_over);
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
    kc_lag_see(&topic->feed->lag, lag);
    if (!partition->late && lag > LAG_MAX) {
        partition->late = 1;
        partition->late_at = event->offset;
        kc_lag_leave(&topic->feed->lag, topic->feed->s, topic->name, event->partition, lag, now);
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

static void note_dashes(topic_t *topic, const kc_frame_t *frame)
{
    partition_t *partition = &topic->partitions[frame->cam];

    partition->dashes = frame->dashes ? partition->dashes + 1 : 0;
    if (partition->dashes == DASHES_WORTH) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, topic->feed->s,
                     KC_ID(2331) "camera %u: each picture of %s holds CR LF - -, where FFmpeg and "
                                 "OpenCV would end: the plain stream does not show them, walls and "
                                 "?meta=1 do",
                     frame->cam, topic->name);
    }
}

/* Show it, if it is not a replaced producer's. Takes over the caller's reference. */
static void show(topic_t *topic, kc_frame_t *frame, apr_time_t steady)
{
    partition_t *partition = &topic->partitions[frame->cam];
    apr_time_t news =
        partition->old && frame->captured < frame->arrived ? frame->captured : frame->arrived;
    kc_roster_verdict_t verdict;

    kc_counters_add(KC_COUNTER_FRAMES_RECEIVED, 1);
    verdict = kc_roster_picture(topic->feed->roster, (kc_layer_t)topic->kind, frame, partition->old,
                                steady);
    note_epoch(topic, frame, verdict);
    note_dashes(topic, frame);
    if (verdict >= KC_ROSTER_OUTDATED) {
        kc_counters_add(KC_COUNTER_FRAMES_OUTDATED, 1);
        count(topic, frame->cam, frame->offset, KC_COUNTERS_OUTDATED, frame->size, 0);
        kc_frame_unref(frame);
        return;
    }
    count(topic, frame->cam, frame->offset, KC_COUNTERS_PICTURE, frame->size, news);
    partition->old = 0;
    kc_hub_publish(topic->hub, frame);
}

/* One of the records before the end that had no picture in it. */
static void look_at(topic_t *topic, partition_t *partition, const kc_kafka_event_t *event)
{
    kc_frame_t *frame;

    partition->met = 1;
    if (partition->step == START && event->offset + LOOK_BACK < partition->behind) {
        partition->step = GIVEN_UP;
        partition->again = 1;
        apr_atomic_set32(&topic->feed->dirty, 1);
    }
    if (partition->again || kc_record_wrong(event)) {
        return; /* from before somebody watched: nobody's trouble */
    }
    frame = kc_record_frame(event, apr_time_now());
    if (partition->found && frame->epoch_ms && frame->epoch_ms < partition->found->epoch_ms) {
        kc_frame_unref(frame);
        return;
    }
    kc_frame_unref(partition->found);
    partition->found = frame;
}

static void take_picture(topic_t *topic, const kc_kafka_event_t *event)
{
    partition_t *partition = &topic->partitions[event->partition];
    const char *wrong = kc_record_wrong(event);
    kc_moment_t now = kc_moment_now();

    kc_counters_add(KC_COUNTER_BYTES_RECEIVED, (apr_int64_t)event->value_size);
    if (event->offset < partition->behind) {
        look_at(topic, partition, event);
        return;
    }
    forget_looking_back(partition); /* this one is new */
    if (comes_late(topic, event, now.wall)) {
        return;
    }
    if (wrong) {
        drop_broken(topic, event, wrong);
        return;
    }
    show(topic, kc_record_frame(event, now.wall), now.steady);
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

/* The end, and no picture since the fetch began: is it to be looked further back? */
static int is_to_look_back(partition_t *partition, apr_int64_t end)
{
    if (!partition->old || partition->found || end <= 0 || partition->step >= START ||
        (partition->step == BACK && partition->met)) {
        return 0;
    }
    partition->step++;
    partition->behind = end;
    partition->again = 1;
    return 1;
}

static void reached_end_of_pictures(topic_t *topic, const kc_kafka_event_t *event)
{
    partition_t *partition = &topic->partitions[event->partition];
    kc_frame_t *found = partition->found;

    if (partition->late && partition->old) {
        land(topic, event, apr_time_now());
    }
    if (partition->again || is_to_look_back(partition, event->offset)) {
        apr_atomic_set32(&topic->feed->dirty, 1);
        return;
    }
    partition->found = NULL;
    forget_looking_back(partition);
    if (found) {
        show(topic, found, kc_moment_now().steady);
    }
    kc_roster_empty(topic->feed->roster, (kc_layer_t)topic->kind, event->partition);
    partition->old = 0;
}

static void reached_end(topic_t *topic, const kc_kafka_event_t *event)
{
    partition_t *partition = &topic->partitions[event->partition];

    apr_atomic_set64(&partition->position, (apr_uint64_t)event->offset);
    if (topic->kind != KC_FEED_STATES) {
        reached_end_of_pictures(topic, event);
        return;
    }
    if (partition->old) {
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
    topic->partitions[event->partition].stuck = 0;
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

static void tick(kc_feed_t *feed, apr_time_t now)
{
    kc_roster_tick(feed->roster, kc_moment_now(), feed->scratch);
    apr_pool_clear(feed->scratch);
    kc_lag_tick(&feed->lag, feed->s, now);
}

/* States are waiting to be read, or there may be some. */
static int is_reading_states(kc_feed_t *feed)
{
    return !kc_feed_has_states(feed) && !kc_feed_is_denied(feed, KC_FEED_STATES);
}

/* States, as many as pictures can wait for, then all pictures there are, or the next one until
 * then. */
static void take(kc_feed_t *feed, apr_time_t until)
{
    int more = kc_kafka_take_some(feed->states, STATES_AT_ONCE, on_event) == STATES_AT_ONCE;
    apr_time_t now = apr_time_now();
    int wait_ms = more || until <= now ? 0 : (int)apr_time_as_msec(until - now) + 1;

    if (wait_ms > STATES_MS && is_reading_states(feed)) {
        wait_ms = STATES_MS;
    }
    kc_kafka_take(feed->queue, wait_ms, on_event);
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    kc_feed_t *feed = data;
    apr_time_t next = 0;
    apr_time_t now;

    while (!apr_atomic_read32(&feed->stopping)) {
        now = apr_time_now();
        if (apr_atomic_read32(&feed->dirty)) {
            tend_partitions(feed, kc_moment_now());
        }
        if (now >= next || next - now > apr_time_from_msec(TICK_MS)) {
            tend_partitions(feed, kc_moment_now());
            tick(feed, now);
            next = now + apr_time_from_msec(TICK_MS);
        }
        take(feed, next);
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
        topic->partitions[i].position = (apr_uint64_t)KC_VERDICT_NOT_FETCHED;
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
    feed->states = kc_kafka_queue_open(kafka, pool);
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
        kc_frame_unref(topic->partitions[number].found);
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
    kc_kafka_queue_close(feed->states);
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
        (topic == KC_FEED_STATES && verdict == KC_VERDICT_LAGGING) ||
        (verdict == KC_VERDICT_STUCK && kc_feed_is_denied(feed, topic))) {
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
