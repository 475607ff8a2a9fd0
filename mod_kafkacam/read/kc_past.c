#include "kc_past.h"

#include <stdlib.h>
#include <apr_atomic.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include "kc_blocks.h"
#include "kc_child.h"
#include "kc_counters.h"
#include "kc_kafka.h"
#include "kc_record.h"

/* Two, so that one camera's partition that does not answer leaves a way for the others. */
#define READERS 2

/* Partitions that one reader reads at a time. */
#define READS 16

/* Requests that wait. A wall of a hundred cameras asks for as many at a jump. */
#define QUEUE_MAX 1024

/* Adjacent blocks that are read in one go. */
#define RUN_MAX 8

/* A request that was not begun, or not answered, for so long. */
#define DEADLINE apr_time_from_sec(5)

/* After a failure, and at the end of a partition, it is asked again no sooner than this. */
#define RETRY_AFTER apr_time_from_msec(500)
#define LOOK_AGAIN  apr_time_from_msec(50)

/* A partition does not grow by much in this time. */
#define END_HOLDS apr_time_from_sec(2)

/* What was read is read anew after this: Kafka may have let go of it, or the topic is another. */
#define KEEP apr_time_from_sec(60)

/* Longest wait of librdkafka: how long the end of a child can take when a broker is away. */
#define KAFKA_WAIT_MS 1500
#define TAKE_MS       50

/* Pictures whose own time is out of the order of the index are looked at so many back. */
#define STEPS_BACK 64

/* An error that is none of Kafka's. */
#define NOT_ANSWERED (-1)

/* Blocks without a picture that are passed over in one call. */
#define EMPTY_MAX 16

typedef struct {
    struct reader_t *reader;
    kc_layer_t layer;
    kc_kafka_topic_t *handle;
} topic_t;

/* A partition that is being read. */
typedef struct {
    int busy;
    topic_t *topic;
    apr_uint32_t cam;
    apr_int64_t from;     /* its blocks: from this offset, */
    apr_int64_t until;    /* to before this one */
    apr_int64_t position; /* everything before it has been seen */
    apr_time_t moved;     /* when a record last came */
    int over;
    int error; /* why, 0: it is read */
    int told;  /* something came since the hub was told */
} read_t;

typedef struct reader_t {
    kc_past_t *past;
    kc_kafka_t *kafka;
    kc_kafka_queue_t *queue;
    topic_t topics[KC_LAYERS];
    apr_thread_t *thread;
    read_t reads[READS]; /* the thread's own, as is active */
    int active;
} reader_t;

typedef struct {
    apr_int64_t oldest;
    apr_int64_t end;  /* there were records before it, and none behind it */
    apr_time_t heard; /* of end */
} ends_t;

struct kc_past_t {
    server_rec *s; /* these do not change after the start */
    const kc_config_t *config;
    kc_hub_t *news[KC_LAYERS];
    const char *names[KC_LAYERS];
    reader_t readers[READERS];
    apr_uint32_t stopping; /* atomic */

    apr_thread_mutex_t *lock; /* guards everything below */
    apr_thread_cond_t *work;  /* something is wanted */
    apr_thread_cond_t *done;  /* something was read */
    kc_blocks_t *blocks;
    APR_RING_HEAD(wanted_t, kc_block_t) wanted; /* by rank, those of a rank as they came */
    unsigned waiting;                           /* of them */
    ends_t *known[KC_LAYERS];                   /* of each camera, as last heard */
    apr_time_t told_denied;
};

static int stopping(kc_past_t *past)
{
    return apr_atomic_read32(&past->stopping) != 0;
}

/* ---- Requests ---- */

/* Those who asked for much in this second stand behind those who asked for little. */
static unsigned rank_of(kc_past_asker_t *asker, apr_time_t now)
{
    if (now - asker->second > APR_USEC_PER_SEC || now < asker->second) {
        asker->second = now;
        asker->asked = 0;
    }
    return asker->asked++;
}

static void enqueue(kc_past_t *past, kc_block_t *block, unsigned rank)
{
    kc_block_t *before = APR_RING_LAST(&past->wanted);

    while (before != APR_RING_SENTINEL(&past->wanted, kc_block_t, place) && before->rank > rank) {
        before = APR_RING_PREV(before, place);
    }
    if (before == APR_RING_SENTINEL(&past->wanted, kc_block_t, place)) {
        APR_RING_INSERT_HEAD(&past->wanted, block, kc_block_t, place);
    }
    else {
        APR_RING_INSERT_AFTER(before, block, place);
    }
    block->rank = rank;
    block->state = KC_BLOCK_WANTED;
    past->waiting++;
}

static void dequeue(kc_past_t *past, kc_block_t *block, kc_block_state_t state)
{
    APR_RING_REMOVE(block, place);
    block->state = state;
    past->waiting--;
}

static void wake_readers(kc_past_t *past)
{
    int i;

    apr_thread_cond_broadcast(past->work);
    for (i = 0; i < READERS; i++) {
        kc_kafka_wake(past->readers[i].queue);
    }
}

/* Ask for the block with offset. */
static kc_past_answer_t want(kc_past_t *past, kc_past_asker_t *asker, int layer, apr_uint32_t cam,
                             apr_int64_t offset, apr_time_t now)
{
    kc_block_t *block = kc_blocks_find(past->blocks, layer, cam, offset);

    if (block && block->state != KC_BLOCK_IDLE) {
        return KC_PAST_ASKED;
    }
    if (block && block->failed && now - block->failed < RETRY_AFTER && now >= block->failed) {
        return block->denied ? KC_PAST_DENIED : KC_PAST_AWAY;
    }
    if (past->waiting >= QUEUE_MAX) {
        return KC_PAST_BUSY;
    }
    block = kc_blocks_make(past->blocks, layer, cam, offset);
    block->asked = now;
    enqueue(past, block, rank_of(asker, now));
    wake_readers(past);
    return KC_PAST_ASKED;
}

static int is_stale(const kc_block_t *block, apr_time_t now)
{
    return block->state == KC_BLOCK_IDLE && block->read &&
           (now - block->read > KEEP || now < block->read);
}

/* Was the partition just now seen to end where block does? */
static int ends_here(const kc_block_t *block, apr_time_t now)
{
    return block->at_end && now - block->at_end < LOOK_AGAIN && now >= block->at_end;
}

/* Forwards: what block says of offset; KC_PAST_FOUND with *frame NULL: look at *on. */
static kc_past_answer_t look_on(const kc_block_t *block, apr_int64_t offset, apr_time_t now,
                                kc_frame_t **frame, apr_int64_t *on)
{
    *frame = kc_block_picture(block, offset, 1);
    if (*frame) {
        return KC_PAST_FOUND;
    }
    if (kc_block_is_settled(block)) {
        *on = block->next > block->limit ? block->next : block->limit;
        return KC_PAST_FOUND;
    }
    return block->end <= offset && ends_here(block, now) ? KC_PAST_END : KC_PAST_ASKED;
}

/* Backwards: block is needed as far as offset. */
static kc_past_answer_t look_back(const kc_block_t *block, apr_int64_t offset, apr_time_t now,
                                  kc_frame_t **frame, apr_int64_t *on)
{
    if (block->end <= offset && !kc_block_is_settled(block) && !ends_here(block, now)) {
        return KC_PAST_ASKED;
    }
    *frame = kc_block_picture(block, offset, -1);
    *on = block->first - 1;
    return KC_PAST_FOUND;
}

static kc_past_answer_t find(kc_past_t *past, kc_past_asker_t *asker, int layer, apr_uint32_t cam,
                             apr_int64_t offset, int step, kc_frame_t **frame)
{
    apr_time_t now = apr_time_now();
    kc_past_answer_t answer;
    kc_block_t *block;
    int passed;

    for (passed = 0; passed < EMPTY_MAX; passed++) {
        if (offset < 0 || (step < 0 && offset < past->known[layer][cam].oldest)) {
            return KC_PAST_END;
        }
        block = kc_blocks_find(past->blocks, layer, cam, offset);
        if (block && is_stale(block, now)) {
            kc_blocks_drop(past->blocks, block);
            block = NULL;
        }
        if (!block) {
            return want(past, asker, layer, cam, offset, now);
        }
        answer = step > 0 ? look_on(block, offset, now, frame, &offset)
                          : look_back(block, offset, now, frame, &offset);
        if (answer == KC_PAST_ASKED) {
            return want(past, asker, layer, cam, block->first, now);
        }
        if (answer != KC_PAST_FOUND || *frame) {
            return answer;
        }
    }
    return want(past, asker, layer, cam, offset, now);
}

kc_past_answer_t kc_past_find(kc_past_t *past, kc_past_asker_t *asker, kc_layer_t layer,
                              apr_uint32_t cam, apr_int64_t offset, int step, kc_frame_t **frame)
{
    kc_past_answer_t answer;

    *frame = NULL;
    apr_thread_mutex_lock(past->lock);
    answer = find(past, asker, layer, cam, offset, step, frame);
    if (*frame) {
        kc_frame_ref(*frame);
    }
    apr_thread_mutex_unlock(past->lock);
    return answer;
}

static void note_end(kc_past_t *past, int layer, apr_uint32_t cam, apr_int64_t end)
{
    past->known[layer][cam].end = end;
    past->known[layer][cam].heard = apr_time_now();
}

/* What lies behind the end is asked for when it may be there. */
static int is_behind_end(kc_past_t *past, int layer, apr_uint32_t cam, apr_int64_t offset)
{
    const ends_t *known = &past->known[layer][cam];
    apr_time_t now = apr_time_now();

    return offset > known->end && now - known->heard < END_HOLDS && now >= known->heard;
}

void kc_past_read_ahead(kc_past_t *past, kc_past_asker_t *asker, kc_layer_t layer, apr_uint32_t cam,
                        apr_int64_t offset)
{
    kc_frame_t *ignored = NULL;

    apr_thread_mutex_lock(past->lock);
    if (offset >= 0 && !is_behind_end(past, layer, cam, offset)) {
        find(past, asker, layer, cam, offset, 1, &ignored);
    }
    apr_thread_mutex_unlock(past->lock);
}

kc_past_answer_t kc_past_await(kc_past_t *past, kc_past_asker_t *asker, kc_layer_t layer,
                               apr_uint32_t cam, apr_int64_t offset, int step, apr_time_t until,
                               kc_frame_t **frame)
{
    kc_past_answer_t answer;
    apr_time_t now;

    *frame = NULL;
    apr_thread_mutex_lock(past->lock);
    for (;;) {
        answer = find(past, asker, layer, cam, offset, step, frame);
        now = apr_time_now();
        if ((answer != KC_PAST_ASKED && answer != KC_PAST_BUSY && answer != KC_PAST_AWAY) ||
            now >= until || stopping(past)) {
            break;
        }
        apr_thread_cond_timedwait(past->done, past->lock,
                                  until - now < RETRY_AFTER ? until - now : RETRY_AFTER);
    }
    if (*frame) {
        kc_frame_ref(*frame);
    }
    apr_thread_mutex_unlock(past->lock);
    return answer == KC_PAST_ASKED || answer == KC_PAST_BUSY ? KC_PAST_AWAY : answer;
}

/* ---- Reading: what a reader's thread does ---- */

static read_t *find_read(reader_t *reader, int layer, apr_uint32_t cam)
{
    int i;

    for (i = 0; i < READS; i++) {
        read_t *one = &reader->reads[i];

        if (one->busy && one->topic->layer == (kc_layer_t)layer && one->cam == cam) {
            return one;
        }
    }
    return NULL;
}

static read_t *free_read(reader_t *reader)
{
    int i;

    for (i = 0; i < READS && reader->active < READS; i++) {
        if (!reader->reads[i].busy) {
            return &reader->reads[i];
        }
    }
    return NULL;
}

/* Take those that follow block too, if they are wanted: one read for all of them. */
static apr_int64_t take_run(kc_past_t *past, kc_block_t *block)
{
    int more;

    for (more = 1; more < RUN_MAX; more++) {
        kc_block_t *next = kc_blocks_find(past->blocks, block->layer, block->cam, block->limit);

        if (!next || next->state != KC_BLOCK_WANTED || next->end != next->first) {
            break;
        }
        dequeue(past, next, KC_BLOCK_READING);
        block = next;
    }
    return block->limit;
}

static void fail(kc_past_t *past, kc_block_t *block, int denied, apr_time_t now)
{
    block->failed = now;
    block->denied = denied;
    block->state = KC_BLOCK_IDLE;
}

/* The next that may be read by reader: one of a partition that it does not read already. What
 * nobody can wait for any more goes. */
static kc_block_t *next_wanted(reader_t *reader, apr_time_t now)
{
    kc_past_t *past = reader->past;
    kc_block_t *block = APR_RING_FIRST(&past->wanted), *next;

    for (; block != APR_RING_SENTINEL(&past->wanted, kc_block_t, place); block = next) {
        next = APR_RING_NEXT(block, place);
        if (now - block->asked > DEADLINE || now < block->asked) {
            dequeue(past, block, KC_BLOCK_IDLE);
            fail(past, block, 0, now);
        }
        else if (!find_read(reader, block->layer, block->cam)) {
            return block;
        }
    }
    return NULL;
}

/* All blocks of a read are its own till it is over. */
static void give_back(kc_past_t *past, const read_t *one, int error, int denied)
{
    apr_time_t now = apr_time_now();
    apr_int64_t at;

    for (at = one->from; at < one->until; at += KC_BLOCK_RECORDS) {
        kc_block_t *block = kc_blocks_find(past->blocks, one->topic->layer, one->cam, at);

        if (block && block->state == KC_BLOCK_READING) {
            block->state = KC_BLOCK_IDLE;
            if (error && !kc_block_is_settled(block)) {
                fail(past, block, denied, now);
            }
        }
    }
}

static void end_read(reader_t *reader, read_t *one, int error)
{
    kc_past_t *past = reader->past;
    int denied = kc_kafka_trouble(error) == KC_KAFKA_DENIED;

    kc_kafka_stop(one->topic->handle, one->cam);
    apr_thread_mutex_lock(past->lock);
    give_back(past, one, error, denied);
    apr_thread_cond_broadcast(past->done);
    apr_thread_mutex_unlock(past->lock);
    one->busy = 0;
    reader->active--;
    kc_hub_tell(past->news[one->topic->layer], one->cam);
}

/* 1: something was begun. */
static int begin_read(reader_t *reader)
{
    kc_past_t *past = reader->past;
    read_t *one = free_read(reader);
    kc_block_t *block = NULL;
    int error;

    if (!one) {
        return 0;
    }
    apr_thread_mutex_lock(past->lock);
    block = next_wanted(reader, apr_time_now());
    if (block) {
        dequeue(past, block, KC_BLOCK_READING);
        block->failed = 0;
        one->topic = &reader->topics[block->layer];
        one->cam = block->cam;
        one->from = block->first;
        one->position = block->end;
        one->until = take_run(past, block);
    }
    apr_thread_mutex_unlock(past->lock);
    if (!block) {
        return 0;
    }
    one->busy = 1;
    one->over = one->told = one->error = 0;
    one->moved = apr_time_now();
    reader->active++;
    error = kc_kafka_start(one->topic->handle, one->cam, one->position, reader->queue);
    if (error) {
        end_read(reader, one, error);
    }
    return 1;
}

/* Everything before offset has been seen; there is nothing between the read's position and it. */
static void pass_over(kc_past_t *past, read_t *one, apr_int64_t offset)
{
    kc_block_t *block;
    apr_int64_t at = one->position;

    while (at < offset && at < one->until) {
        block = kc_blocks_find(past->blocks, one->topic->layer, one->cam, at);
        if (!block) {
            break;
        }
        kc_block_settle(block, offset);
        if (kc_block_is_settled(block) && offset > block->limit) {
            block->next = offset;
        }
        at = block->limit;
    }
    one->position = offset;
}

/* What comes after the end of a read was in the same answer of the broker, so it is kept; but not
 * all that a fast broker has. */
static int is_spill(const read_t *one, apr_int64_t offset)
{
    return offset >= one->until + KC_BLOCK_RECORDS;
}

static void take_record(kc_past_t *past, read_t *one, const kc_kafka_event_t *event)
{
    const char *wrong = kc_record_wrong(event);
    apr_time_t now = apr_time_now();
    kc_frame_t *frame = wrong ? NULL : kc_record_frame(event, now);
    kc_block_t *block;

    kc_counters_add(KC_COUNTER_PAST_RECORDS, 1);
    kc_counters_add(KC_COUNTER_PAST_BYTES, (apr_int64_t)event->value_size);
    apr_thread_mutex_lock(past->lock);
    pass_over(past, one, event->offset);
    block = kc_blocks_make(past->blocks, one->topic->layer, one->cam, event->offset);
    block->read = block->read ? block->read : now;
    block->at_end = 0;
    if (frame && event->offset >= block->end) {
        kc_blocks_add(past->blocks, block, frame);
    }
    else {
        kc_frame_unref(frame);
    }
    kc_block_settle(block, event->offset + 1);
    apr_thread_mutex_unlock(past->lock);
    one->position = event->offset + 1;
    one->moved = now;
    one->told = 1;
}

/* The partition ends here, for now. */
static void take_end(kc_past_t *past, read_t *one, apr_int64_t end)
{
    kc_block_t *block;

    apr_thread_mutex_lock(past->lock);
    if (end > one->position) {
        pass_over(past, one, end); /* transactions' markers, what was compacted */
    }
    note_end(past, one->topic->layer, one->cam, one->position);
    block = kc_blocks_find(past->blocks, one->topic->layer, one->cam, one->position);
    if (block && !kc_block_is_settled(block)) {
        block->at_end = apr_time_now();
        block->read = block->read ? block->read : block->at_end;
    }
    apr_thread_mutex_unlock(past->lock);
    one->over = 1;
}

/* The read began behind the partition's end: a viewer was ahead of itself, or the topic is
 * shorter. */
static void note_behind_end(kc_past_t *past, read_t *one)
{
    apr_time_t now = apr_time_now();
    apr_int64_t at;

    apr_thread_mutex_lock(past->lock);
    for (at = one->from; at < one->until; at += KC_BLOCK_RECORDS) {
        kc_block_t *block = kc_blocks_find(past->blocks, one->topic->layer, one->cam, at);

        if (block && !kc_block_is_settled(block)) {
            block->at_end = now;
        }
    }
    past->known[one->topic->layer][one->cam].heard = now;
    apr_thread_mutex_unlock(past->lock);
    one->over = 1;
}

static void note_denied(kc_past_t *past, const topic_t *topic, const kc_kafka_event_t *event)
{
    apr_time_t now = apr_time_now();
    int tell;

    apr_thread_mutex_lock(past->lock);
    tell = now - past->told_denied > apr_time_from_sec(60);
    past->told_denied = tell ? now : past->told_denied;
    apr_thread_mutex_unlock(past->lock);
    if (tell) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, past->s,
                     KC_ID(2400) "the past of %s cannot be read: %s", past->names[topic->layer],
                     event->text);
    }
}

/* librdkafka goes on by itself where there is no leader at the moment; the deadline ends that. */
static void take_trouble(kc_past_t *past, read_t *one, const kc_kafka_event_t *event)
{
    switch (kc_kafka_trouble(event->error)) {
    case KC_KAFKA_GONE:
        apr_thread_mutex_lock(past->lock);
        kc_blocks_forget(past->blocks, one->topic->layer, one->cam);
        apr_thread_mutex_unlock(past->lock);
        break;
    case KC_KAFKA_DENIED:
        note_denied(past, one->topic, event);
        break;
    default:
        return;
    }
    one->over = 1;
    one->error = event->error;
}

static void on_event(const kc_kafka_event_t *event)
{
    topic_t *topic = event->baton;
    read_t *one = find_read(topic->reader, topic->layer, event->partition);

    if (!one || one->over) {
        return;
    }
    if (event->kind == KC_KAFKA_TROUBLE) {
        take_trouble(topic->reader->past, one, event);
    }
    else if (event->kind == KC_KAFKA_AT_END) {
        take_end(topic->reader->past, one, event->offset);
    }
    else if (event->offset < one->position) {
        note_behind_end(topic->reader->past, one); /* and Kafka began with the first one */
    }
    else if (is_spill(one, event->offset)) {
        one->over = 1;
        if (event->offset > one->position && one->position < one->until) {
            apr_thread_mutex_lock(topic->reader->past->lock);
            pass_over(topic->reader->past, one, event->offset);
            apr_thread_mutex_unlock(topic->reader->past->lock);
        }
    }
    else {
        take_record(topic->reader->past, one, event);
    }
}

/* After each batch, not each record: who waits looks once for all of them. */
static void look_at_reads(reader_t *reader)
{
    kc_past_t *past = reader->past;
    apr_time_t now = apr_time_now();
    int i;

    for (i = 0; i < READS && reader->active > 0; i++) {
        read_t *one = &reader->reads[i];

        if (!one->busy) {
            continue;
        }
        if (one->over || one->position >= one->until) {
            end_read(reader, one, one->error);
        }
        else if (now - one->moved > DEADLINE || now < one->moved) {
            end_read(reader, one, NOT_ANSWERED);
        }
        else if (one->told) {
            one->told = 0;
            apr_thread_mutex_lock(past->lock);
            apr_thread_cond_broadcast(past->done);
            apr_thread_mutex_unlock(past->lock);
            kc_hub_tell(past->news[one->topic->layer], one->cam);
        }
    }
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    reader_t *reader = data;
    kc_past_t *past = reader->past;

    while (!stopping(past)) {
        while (begin_read(reader)) {
        }
        if (reader->active) {
            kc_kafka_take(reader->queue, TAKE_MS, on_event);
            look_at_reads(reader);
        }
        else {
            apr_thread_mutex_lock(past->lock);
            if (past->waiting == 0 && !stopping(past)) {
                apr_thread_cond_timedwait(past->work, past->lock, APR_USEC_PER_SEC);
            }
            apr_thread_mutex_unlock(past->lock);
        }
        kc_kafka_poll(reader->kafka);
    }
    return NULL;
}

/* ---- Questions: in the asker's thread ---- */

static int wait_ms(apr_time_t until)
{
    apr_interval_time_t left = until - apr_time_now();

    return left <= 0                                  ? 0
           : left < apr_time_from_msec(KAFKA_WAIT_MS) ? (int)apr_time_as_msec(left) + 1
                                                      : KAFKA_WAIT_MS;
}

static int error_of(int error)
{
    return !error                                       ? KC_PAST_FOUND
           : kc_kafka_trouble(error) == KC_KAFKA_DENIED ? KC_PAST_DENIED
                                                        : KC_PAST_AWAY;
}

/* A leader that moved gives an error before it is known (librdkafka before 2.10): once more. */
static int ask_offsets(kc_past_t *past, kc_layer_t layer, kc_kafka_offset_t *offsets,
                       apr_size_t count, apr_time_t until)
{
    kc_kafka_t *kafka = past->readers[0].kafka;
    int error = kc_kafka_ask_offsets(kafka, past->names[layer], offsets, count, wait_ms(until));

    if (error && !stopping(past) && wait_ms(until) > 0) {
        error = kc_kafka_ask_offsets(kafka, past->names[layer], offsets, count, wait_ms(until));
    }
    return error;
}

static kc_kafka_offset_t *ask_all(kc_past_t *past, kc_layer_t layer,
                                  const kc_past_extent_t *extents, apr_size_t stride,
                                  apr_size_t count, apr_int64_t at, apr_time_t until, int *error)
{
    kc_kafka_offset_t *offsets = calloc(count + 1, sizeof(*offsets));
    apr_size_t i;

    if (!offsets) {
        abort();
    }
    for (i = 0; i < count; i++) {
        offsets[i].partition =
            ((const kc_past_extent_t *)((const char *)extents + i * stride))->cam;
        offsets[i].at = at;
    }
    *error = ask_offsets(past, layer, offsets, count, until);
    return offsets;
}

/* The partition has grown past where its end was seen. */
static void forget_end(kc_past_t *past, kc_layer_t layer, apr_uint32_t cam, apr_int64_t end)
{
    apr_int64_t seen[] = { past->known[layer][cam].end, end - 1 };
    int i;

    for (i = 0; i < 2; i++) {
        kc_block_t *block = seen[i] < 0 ? NULL : kc_blocks_find(past->blocks, layer, cam, seen[i]);

        if (block && block->end < end) {
            block->at_end = 0;
        }
    }
}

/* A partition that ends before what we have of it is another one of the same name. */
static void note_extent(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent)
{
    apr_thread_mutex_lock(past->lock);
    if (extent->oldest < past->known[layer][extent->cam].oldest ||
        kc_blocks_find(past->blocks, layer, extent->cam, extent->end + KC_BLOCK_RECORDS)) {
        kc_blocks_forget(past->blocks, layer, extent->cam);
    }
    past->known[layer][extent->cam].oldest = extent->oldest;
    forget_end(past, layer, extent->cam, extent->end);
    note_end(past, layer, extent->cam, extent->end);
    apr_thread_mutex_unlock(past->lock);
}

static void ask_extents(kc_past_t *past, kc_layer_t layer, kc_past_extent_t *extents,
                        apr_size_t stride, apr_size_t count, apr_time_t until)
{
    int error, late_error;
    kc_kafka_offset_t *oldest =
        ask_all(past, layer, extents, stride, count, KC_KAFKA_BEGINNING, until, &error);
    kc_kafka_offset_t *ends =
        ask_all(past, layer, extents, stride, count, KC_KAFKA_END, until, &late_error);
    apr_size_t i;

    for (i = 0; i < count; i++) {
        kc_past_extent_t *extent = (kc_past_extent_t *)((char *)extents + i * stride);
        int wrong = error             ? error
                    : late_error      ? late_error
                    : oldest[i].error ? oldest[i].error
                                      : ends[i].error;

        extent->error = error_of(wrong);
        extent->oldest = wrong ? 0 : oldest[i].offset;
        extent->end = wrong ? 0 : ends[i].offset;
        if (!wrong && (extent->oldest < 0 || extent->end < 0)) {
            extent->error = KC_PAST_AWAY;
        }
        if (extent->error == KC_PAST_FOUND) {
            note_extent(past, layer, extent);
        }
    }
    free(oldest);
    free(ends);
}

void kc_past_extents(kc_past_t *past, kc_layer_t layer, kc_past_extent_t *extents, apr_size_t count,
                     apr_time_t until)
{
    ask_extents(past, layer, extents, sizeof(*extents), count, until);
}

/* The first picture after time, by halves: for brokers without an index of times. Where clocks
 * jumped there may be several such places; this is one of them. */
static apr_int64_t search(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                          apr_time_t time, apr_time_t until)
{
    apr_int64_t low = extent->oldest, high = extent->end;
    kc_past_asker_t asker = { 0 };
    kc_frame_t *frame;

    while (low < high) {
        apr_int64_t middle = low + (high - low) / 2;
        kc_past_answer_t answer =
            kc_past_await(past, &asker, layer, extent->cam, middle, 1, until, &frame);

        if (answer != KC_PAST_FOUND && answer != KC_PAST_END) {
            return -1;
        }
        if (!frame || frame->captured > time) {
            high = middle;
        }
        else {
            low = frame->offset + 1;
        }
        kc_frame_unref(frame);
    }
    return high;
}

/* What the index said, made exact by the pictures' own times: several may share its millisecond,
 * and it counts record timestamps, which others than our producer write as they like. */
static apr_int64_t correct(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                           apr_int64_t after, apr_time_t time, apr_time_t until)
{
    kc_past_asker_t asker = { 0 };
    kc_frame_t *frame = NULL;
    int steps;

    for (steps = 0; steps < STEPS_BACK && after > extent->oldest; steps++) {
        kc_past_answer_t answer =
            kc_past_await(past, &asker, layer, extent->cam, after - 1, -1, until, &frame);
        int is_before = frame && frame->captured <= time;

        if (answer != KC_PAST_FOUND && answer != KC_PAST_END) {
            return -1;
        }
        if (!frame || is_before) {
            kc_frame_unref(frame);
            break;
        }
        after = frame->offset;
        kc_frame_unref(frame);
    }
    /* Whole partitions whose timestamps say nothing. */
    return steps < STEPS_BACK ? after : search(past, layer, extent, time, until);
}

/* indexed: Kafka's answer, -1: there is none after time, or no index. */
static apr_int64_t exact(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                         apr_int64_t indexed, apr_time_t time, apr_time_t until)
{
    kc_past_asker_t asker = { 0 };
    kc_past_answer_t answer;
    kc_frame_t *newest;
    int all_before;

    if (indexed >= 0) {
        indexed = indexed < extent->oldest ? extent->oldest
                  : indexed > extent->end  ? extent->end
                                           : indexed;
        return correct(past, layer, extent, indexed, time, until);
    }
    answer = kc_past_await(past, &asker, layer, extent->cam, extent->end - 1, -1, until, &newest);
    if (answer != KC_PAST_FOUND && answer != KC_PAST_END) {
        return -1;
    }
    all_before = !newest || newest->captured <= time;
    kc_frame_unref(newest);
    return all_before ? extent->end : search(past, layer, extent, time, until);
}

/* The first millisecond that is wholly after time; times before 1970 are before everything. */
static apr_int64_t index_time(apr_time_t time)
{
    return time < 0 ? 0 : apr_time_as_msec(time) + 1;
}

apr_int64_t kc_past_after(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                          apr_time_t time, apr_time_t until)
{
    kc_kafka_offset_t indexed = { .partition = extent->cam, .at = index_time(time) };

    if (extent->oldest >= extent->end) {
        return extent->end;
    }
    if (ask_offsets(past, layer, &indexed, 1, until)) {
        return -1;
    }
    return exact(past, layer, extent, indexed.offset, time, until);
}

apr_int64_t kc_past_index(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                          apr_time_t time, apr_time_t until)
{
    kc_kafka_offset_t indexed = { .partition = extent->cam, .at = index_time(time - 1000) };

    if (ask_offsets(past, layer, &indexed, 1, until)) {
        return -1;
    }
    if (indexed.offset < 0) {
        return search(past, layer, extent, time - 1, until);
    }
    return indexed.offset < extent->oldest ? extent->oldest
           : indexed.offset > extent->end  ? extent->end
                                           : indexed.offset;
}

static void show(kc_past_t *past, kc_layer_t layer, kc_past_moment_t *moment, apr_int64_t after,
                 apr_time_t until)
{
    const kc_past_extent_t *extent = &moment->extent;
    kc_past_asker_t asker = { 0 };
    kc_past_answer_t answer = KC_PAST_END;

    if (after < 0) {
        moment->extent.error = KC_PAST_AWAY;
        return;
    }
    if (after > extent->oldest) {
        answer =
            kc_past_await(past, &asker, layer, extent->cam, after - 1, -1, until, &moment->frame);
        moment->shown = after >= extent->end ? KC_PAST_NEWEST : KC_PAST_THEN;
    }
    if (answer == KC_PAST_END) {
        answer = kc_past_await(past, &asker, layer, extent->cam, extent->oldest, 1, until,
                               &moment->frame);
        moment->shown = KC_PAST_BEGINNING;
    }
    if (answer != KC_PAST_FOUND) {
        moment->shown = KC_PAST_NOTHING;
        moment->extent.error = answer == KC_PAST_END ? KC_PAST_FOUND : answer;
    }
}

/* All blocks that will be needed are asked for before the first is waited for. */
static void ask_ahead(kc_past_t *past, kc_layer_t layer, const kc_past_moment_t *moments,
                      const kc_kafka_offset_t *indexed, apr_size_t count)
{
    kc_past_asker_t asker = { 0 };
    apr_size_t i;

    for (i = 0; i < count; i++) {
        const kc_past_extent_t *extent = &moments[i].extent;
        apr_int64_t offset = indexed[i].offset >= 0 ? indexed[i].offset : extent->end;

        if (extent->oldest < extent->end) {
            kc_past_read_ahead(past, &asker, layer, extent->cam,
                               offset > extent->oldest ? offset - 1 : extent->oldest);
        }
    }
}

void kc_past_look(kc_past_t *past, kc_layer_t layer, apr_time_t time, kc_past_moment_t *moments,
                  apr_size_t count, apr_time_t until)
{
    kc_kafka_offset_t *indexed;
    apr_size_t i;
    int error;

    if (!count) {
        return;
    }
    ask_extents(past, layer, &moments[0].extent, sizeof(*moments), count, until);
    indexed = ask_all(past, layer, &moments[0].extent, sizeof(*moments), count, index_time(time),
                      until, &error);
    ask_ahead(past, layer, moments, indexed, count);
    for (i = 0; i < count; i++) {
        kc_past_extent_t *extent = &moments[i].extent;

        moments[i].shown = KC_PAST_NOTHING;
        moments[i].frame = NULL;
        if (error && extent->error == KC_PAST_FOUND) {
            extent->error = error_of(error);
        }
        if (extent->error == KC_PAST_FOUND && extent->oldest < extent->end) {
            show(past, layer, &moments[i],
                 exact(past, layer, extent, indexed[i].offset, time, until), until);
        }
    }
    free(indexed);
}

/* ---- Start and end ---- */

kc_hub_t *kc_past_news(kc_past_t *past, kc_layer_t layer)
{
    return past->news[layer];
}

void kc_past_abandon(kc_past_t *past)
{
    apr_atomic_set32(&past->stopping, 1);
}

void kc_past_stopping(kc_past_t *past)
{
    kc_past_abandon(past);
    apr_thread_mutex_lock(past->lock);
    wake_readers(past);
    apr_thread_cond_broadcast(past->done);
    apr_thread_mutex_unlock(past->lock);
}

static void close_reader(reader_t *reader)
{
    apr_status_t ended;
    int i;

    if (reader->thread) {
        apr_thread_join(&ended, reader->thread);
    }
    for (i = 0; i < READS; i++) {
        if (reader->reads[i].busy) {
            kc_kafka_stop(reader->reads[i].topic->handle, reader->reads[i].cam);
        }
    }
    for (i = 0; i < KC_LAYERS; i++) {
        if (reader->topics[i].handle) {
            kc_kafka_topic_close(reader->topics[i].handle);
        }
    }
    if (reader->queue) {
        kc_kafka_queue_close(reader->queue);
    }
    kc_kafka_close(reader->kafka);
}

static apr_status_t stop(void *data)
{
    kc_past_t *past = data;
    int i;

    kc_past_abandon(past);
    if (past->readers[READERS - 1].queue) {
        kc_past_stopping(past);
    }
    for (i = 0; i < READERS; i++) {
        close_reader(&past->readers[i]);
    }
    return APR_SUCCESS;
}

static apr_status_t open_reader(reader_t *reader, kc_past_t *past, apr_pool_t *pool)
{
    apr_status_t rv = kc_kafka_open(&reader->kafka, KC_KAFKA_PAST, past->config, past->s, pool);
    int layer;

    reader->past = past;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    reader->queue = kc_kafka_queue_open(reader->kafka, pool);
    for (layer = 0; layer < KC_LAYERS && rv == APR_SUCCESS; layer++) {
        topic_t *topic = &reader->topics[layer];

        topic->reader = reader;
        topic->layer = (kc_layer_t)layer;
        if (past->names[layer]) {
            rv = kc_kafka_topic_open(&topic->handle, reader->kafka, past->names[layer],
                                     KC_KAFKA_BEGINNING, topic, pool);
        }
    }
    return rv;
}

static apr_status_t set_up(kc_past_t *past, apr_pool_t *pool)
{
    apr_uint32_t cams = (apr_uint32_t)past->config->max_cameras;
    apr_status_t rv;
    int i;

    past->names[KC_LAYER_FULL] = past->config->topic;
    past->names[KC_LAYER_SMALL] = past->config->small_topic;
    APR_RING_INIT(&past->wanted, kc_block_t, place);
    past->blocks = kc_blocks_create((apr_size_t)past->config->past_cache_mb << 20, pool);
    if ((rv = apr_thread_mutex_create(&past->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = apr_thread_cond_create(&past->work, pool)) ||
        (rv = apr_thread_cond_create(&past->done, pool))) {
        return rv;
    }
    for (i = 0; i < KC_LAYERS && rv == APR_SUCCESS; i++) {
        past->known[i] = apr_pcalloc(pool, cams * sizeof(*past->known[i]));
        if (past->names[i]) {
            rv = kc_hub_create(&past->news[i], cams, pool);
        }
    }
    for (i = 0; i < READERS && rv == APR_SUCCESS; i++) {
        rv = open_reader(&past->readers[i], past, pool);
    }
    for (i = 0; i < READERS && rv == APR_SUCCESS; i++) {
        rv = kc_child_start_thread(&past->readers[i].thread, run, &past->readers[i], pool);
    }
    return rv;
}

apr_status_t kc_past_start(kc_past_t **result, const kc_config_t *config, apr_pool_t *pchild,
                           server_rec *s)
{
    kc_past_t *past = apr_pcalloc(pchild, sizeof(*past));
    apr_status_t rv;

    past->config = config;
    past->s = s;
    rv = set_up(past, pchild);
    if (rv != APR_SUCCESS) {
        stop(past);
        return rv;
    }
    apr_pool_pre_cleanup_register(pchild, past, stop);
    *result = past;
    return APR_SUCCESS;
}
