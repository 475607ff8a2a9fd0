#include "kc_source.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <apr_atomic.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include <librdkafka/rdkafka.h>
#include "kc_counters.h"
#include "kc_jpeg.h"
#include "kc_wire.h"

/* Two threads for each source. The feed takes what Kafka sends and is the only one that
 * publishes; it never waits for the network. The keeper asks what there is (topics, partitions,
 * how far they reach), which librdkafka only answers to those who wait.
 *
 * librdkafka's simple consumer, not assign(): partitions start and stop one by one and the
 * others' flow is not touched, there is no group (no rights for one needed, no coordinator
 * asked), and one queue carries all. It is the same in every version from 1.8 on. */

/* How long the keeper rests, and the longest it waits for an answer: also how long the end of a
 * child can take when a broker is away. */
#define KEEPER_REST    apr_time_from_sec(5)
#define KEEPER_WAIT_MS 1500

/* Not sooner after somebody asked for a camera that is not known. */
#define KEEPER_HURRY apr_time_from_msec(500)

/* The feed looks at the time this often: states, offline pictures, idle cameras. */
#define TICK_MS 250

/* Nobody sends a larger JPEG; what is larger is dropped. */
#define PICTURE_MAX (16 * 1024 * 1024)

/* The same words of librdkafka are logged again after this. */
#define REPEAT_AFTER apr_time_from_sec(60)

#define TOPIC_STATUS KC_LAYERS
#define TOPICS       (KC_LAYERS + 1)

typedef enum {
    HEALTHY,
    STUCK,  /* there is more, and it does not come */
    SHORTER /* it ends before where we stand: another topic of the same name */
} verdict_t;

typedef struct {
    /* Guarded by lock. */
    int wanted;      /* somebody watches */
    verdict_t renew; /* what the keeper found */
    apr_time_t left; /* when the last watch went */
    /* Atomic: the offset the feed expects next; -1: none yet. */
    apr_uint64_t position;
    /* The feed's own. */
    int fetching;
    int old;        /* the next record may be older than the fetch */
    int last_error; /* said so far, a rd_kafka_resp_err_t */
    /* The keeper's own: as of its last round. */
    apr_int64_t seen_end;
    apr_int64_t seen_position;
} partition_t;

typedef struct topic_t {
    kc_source_t *source; /* none of these change */
    int kind;            /* a kc_layer_t, or TOPIC_STATUS */
    const char *name;    /* NULL: there is none */
    rd_kafka_topic_t *handle;
    kc_hub_t *hub;     /* NULL for the status topic */
    apr_uint32_t room; /* partitions we have a place for */
    partition_t *partitions;
    apr_uint32_t count;  /* atomic: partitions that exist, as of the keeper's last round */
    apr_uint32_t denied; /* atomic: the feed was told that it may not read here */
    apr_uint32_t at_end; /* the feed's own: status partitions read to their end once */
    rd_kafka_resp_err_t last_error; /* the keeper's own: said so far */
} topic_t;

struct kc_source_t {
    server_rec *s; /* these do not change after the start */
    const kc_config_t *config;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queue;
    topic_t topics[TOPICS];
    kc_roster_t *roster;
    apr_thread_t *feed;
    apr_thread_t *keeper;
    apr_pool_t *scratch; /* the feed's own, cleared with each tick */
    apr_pool_t *round;   /* the keeper's own, cleared with each round */

    apr_uint32_t stopping;  /* atomic */
    apr_uint32_t dirty;     /* atomic: a partition's wanted or renew changed */
    apr_uint32_t known_all; /* atomic: topics and states have been read once */
    apr_uint32_t fetched;   /* atomic: partitions of pictures */

    apr_thread_mutex_t *lock; /* guards everything below and the partitions' wishes */
    apr_thread_cond_t *wake;  /* for the keeper */
    apr_thread_cond_t *round_over;
    int hurry;
    apr_uint32_t rounds_begun;
    apr_uint32_t rounds_over;
    int complete; /* a round has asked all and been answered */
    kc_source_health_t health;
    char last_line[512]; /* of librdkafka's log, and how often it came again */
    apr_time_t last_logged;
    apr_uint32_t repeated;
};

/* ---- Settings ---- */

/* An administrator's properties come after these and win. Queues stay large: versions below 2.2
 * stop fetching for a second when one is full. */
static const char *const own_settings[][2] = {
    { "client.id", "mod_kafkacam" },          { "enable.partition.eof", "true" },
    { "fetch.wait.max.ms", "100" }, /* also how long a camera just added may wait its turn */
    { "fetch.error.backoff.ms", "100" },      { "fetch.max.bytes", "33554432" },
    { "fetch.message.max.bytes", "1048576" }, { "queued.max.messages.kbytes", "65536" },
    { "socket.nagle.disable", "true" },       { "socket.keepalive.enable", "true" },
    { "reconnect.backoff.ms", "100" },        { "reconnect.backoff.max.ms", "3000" },
};

const char *kc_source_check_property(const char *name, const char *value, apr_pool_t *pool)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[512];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, sizeof(why));

    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_OK) {
        return NULL;
    }
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        return apr_psprintf(pool,
                            "librdkafka %s does not know this property (its CONFIGURATION.md "
                            "lists them)",
                            rd_kafka_version_str());
    }
    /* librdkafka's own text quotes the value. */
    return kc_config_property_is_secret(name) ? "librdkafka does not take this value"
                                              : apr_pstrdup(pool, why);
}

static void on_error(rd_kafka_t *kafka, int error, const char *reason, void *opaque)
{
    kc_source_t *source = opaque;

    apr_thread_mutex_lock(source->lock);
    apr_cpystrn(source->health.error, reason, sizeof(source->health.error));
    apr_thread_mutex_unlock(source->lock);
}

/* Text that differs in its figures alone (ports, times, counts) is the same text. */
static int is_repetition(const char *one, const char *other)
{
    while (*one && *other) {
        if (apr_isdigit(*one) && apr_isdigit(*other)) {
            one += strspn(one, "0123456789");
            other += strspn(other, "0123456789");
        }
        else if (*one++ != *other++) {
            return 0;
        }
    }
    return *one == *other;
}

/* How often the line before came again, if this one is to be logged; else -1. */
static int time_to_log(kc_source_t *source, const char *line)
{
    apr_time_t now = apr_time_now();
    int repeated = -1;

    apr_thread_mutex_lock(source->lock);
    if (is_repetition(line, source->last_line) && now - source->last_logged < REPEAT_AFTER) {
        source->repeated++;
    }
    else {
        repeated = (int)source->repeated;
        source->repeated = 0;
        source->last_logged = now;
        apr_cpystrn(source->last_line, line, sizeof(source->last_line));
    }
    apr_thread_mutex_unlock(source->lock);
    return repeated;
}

/* In librdkafka's threads. What matters to an operator (Kafka away, back, no right to read) is said
 * by the keeper and the feed once each; these lines are the details. */
static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    kc_source_t *source = rd_kafka_opaque(kafka);
    int repeated;

    if (level >= 7) {
        ap_log_error(APLOG_MARK, APLOG_TRACE1, 0, source->s, "librdkafka %s: %s", facility, text);
        return;
    }
    repeated = time_to_log(source, text);
    if (repeated < 0) {
        return;
    }
    if (repeated > 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, source->s,
                     "librdkafka: the line before came %d more times", repeated);
    }
    if (level <= 2) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, source->s, KC_ID(2010) "librdkafka %s: %s", facility,
                     text);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, source->s, "librdkafka %s: %s", facility, text);
    }
}

static const char *set(rd_kafka_conf_t *conf, const char *name, const char *value, apr_pool_t *pool)
{
    char why[512];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK) {
        return NULL;
    }
    return kc_config_property_is_secret(name) ? apr_psprintf(pool, "%s was refused", name)
                                              : apr_pstrdup(pool, why);
}

static const char *apply_settings(rd_kafka_conf_t *conf, const kc_config_t *config,
                                  apr_pool_t *pool)
{
    const kc_property_t *properties = (const kc_property_t *)config->properties->elts;
    const char *why = set(conf, "bootstrap.servers", config->brokers, pool);
    apr_size_t i;

    for (i = 0; !why && i < sizeof(own_settings) / sizeof(own_settings[0]); i++) {
        why = set(conf, own_settings[i][0], own_settings[i][1], pool);
    }
    for (i = 0; !why && i < (apr_size_t)config->properties->nelts; i++) {
        why = set(conf, properties[i].name, properties[i].value, pool);
    }
    return why;
}

static apr_status_t open_kafka(kc_source_t *source, apr_pool_t *pool)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *why = apply_settings(conf, source->config, pool);
    char reason[512];

    rd_kafka_conf_set_opaque(conf, source);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (!why) {
        source->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
        why = source->kafka ? NULL : reason;
    }
    if (why) {
        rd_kafka_conf_destroy(conf);
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, source->s,
            KC_ID(2003) "no Kafka consumer for %s, so no pictures: %s (see KafkaCamProperty)",
            source->config->brokers, why);
        return APR_EGENERAL;
    }
    source->queue = rd_kafka_queue_new(source->kafka);
    return APR_SUCCESS;
}

static apr_status_t open_topic(topic_t *topic)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    apr_uint32_t i;

    rd_kafka_topic_conf_set_opaque(conf, topic);
    /* Where a position is no longer there (retention, a topic made anew): the newest. States are
     * read from the start each time. */
    rd_kafka_topic_conf_set(conf, "auto.offset.reset",
                            topic->kind == TOPIC_STATUS ? "smallest" : "largest", NULL, 0);
    rd_kafka_topic_conf_set(conf, "auto.commit.enable", "false", NULL, 0);
    topic->handle = rd_kafka_topic_new(topic->source->kafka, topic->name, conf);
    if (!topic->handle) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, topic->source->s, KC_ID(2004) "Kafka topic %s: %s",
                     topic->name, rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_topic_conf_destroy(conf);
        return APR_EGENERAL;
    }
    for (i = 0; i < topic->room; i++) {
        topic->partitions[i].position = (apr_uint64_t)-1;
        topic->partitions[i].seen_end = topic->partitions[i].seen_position = -1;
    }
    return APR_SUCCESS;
}

/* ---- Partitions come and go: the feed ---- */

static void start_partition(topic_t *topic, apr_uint32_t number)
{
    partition_t *partition = &topic->partitions[number];
    apr_int64_t from =
        topic->kind == TOPIC_STATUS ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_TAIL(1);

    apr_atomic_set64(&partition->position, (apr_uint64_t)-1);
    partition->old = 1;
    if (rd_kafka_consume_start_queue(topic->handle, (int32_t)number, from, topic->source->queue)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, topic->source->s,
                     KC_ID(2005) "partition %u of %s cannot be fetched: %s", number, topic->name,
                     rd_kafka_err2str(rd_kafka_last_error()));
        return;
    }
    partition->fetching = 1;
    if (topic->kind != TOPIC_STATUS) {
        kc_roster_fetch(topic->source->roster, (kc_layer_t)topic->kind, number, 1, apr_time_now());
        kc_counters_add(KC_COUNTER_PARTITIONS, 1);
        apr_atomic_inc32(&topic->source->fetched);
    }
}

static void stop_partition(topic_t *topic, apr_uint32_t number)
{
    /* Waits for librdkafka's own thread, not for a broker. */
    rd_kafka_consume_stop(topic->handle, (int32_t)number);
    topic->partitions[number].fetching = 0;
    if (topic->kind != TOPIC_STATUS) {
        kc_roster_fetch(topic->source->roster, (kc_layer_t)topic->kind, number, 0, apr_time_now());
        kc_counters_add(KC_COUNTER_PARTITIONS, -1);
        apr_atomic_dec32(&topic->source->fetched);
    }
}

/* The same camera from its newest picture on; viewers keep what they have. */
static void renew_partition(topic_t *topic, apr_uint32_t number, verdict_t verdict)
{
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, topic->source->s, "partition %u of %s %s: fetched anew",
                 number, topic->name, verdict == SHORTER ? "is another one now" : "stood still");
    rd_kafka_consume_stop(topic->handle, (int32_t)number);
    topic->partitions[number].fetching = 0;
    if (topic->kind != TOPIC_STATUS) {
        kc_counters_add(KC_COUNTER_PARTITIONS, -1);
        apr_atomic_dec32(&topic->source->fetched);
    }
    else if (verdict == SHORTER) {
        kc_roster_forget_records(topic->source->roster);
    }
    start_partition(topic, number);
}

static void tend_partition(topic_t *topic, apr_uint32_t number, apr_time_t now)
{
    partition_t *partition = &topic->partitions[number];
    verdict_t verdict;
    int wanted;

    apr_thread_mutex_lock(topic->source->lock);
    verdict = partition->renew;
    partition->renew = HEALTHY;
    wanted = partition->wanted ||
             (partition->fetching && now < partition->left + topic->source->config->idle);
    apr_thread_mutex_unlock(topic->source->lock);
    if (wanted && !partition->fetching) {
        start_partition(topic, number);
    }
    else if (!wanted && partition->fetching) {
        stop_partition(topic, number);
    }
    else if (wanted && verdict != HEALTHY) {
        renew_partition(topic, number, verdict);
    }
    if (partition->fetching && topic->kind == KC_LAYER_FULL) {
        kc_counters_camera_fetched(topic->source->config->camera_counts, number, now);
    }
}

/* Every partition of the status topic, as they appear. */
static void want_states(topic_t *topic)
{
    apr_uint32_t count = apr_atomic_read32(&topic->count);
    apr_uint32_t i;

    apr_thread_mutex_lock(topic->source->lock);
    for (i = 0; i < count; i++) {
        topic->partitions[i].wanted = 1;
    }
    apr_thread_mutex_unlock(topic->source->lock);
}

static void tend_partitions(kc_source_t *source, apr_time_t now)
{
    apr_uint32_t number;
    int kind;

    apr_atomic_set32(&source->dirty, 0);
    for (kind = 0; kind < TOPICS; kind++) {
        topic_t *topic = &source->topics[kind];

        if (kind == TOPIC_STATUS && topic->name) {
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
    kc_source_t *source = topic->source;

    apr_thread_mutex_lock(source->lock);
    topic->partitions[cam].wanted = wanted;
    if (!wanted) {
        topic->partitions[cam].left = apr_time_now();
    }
    apr_thread_mutex_unlock(source->lock);
    if (wanted) {
        apr_atomic_set32(&source->dirty, 1);
        rd_kafka_queue_yield(source->queue);
    }
}

/* ---- Records: the feed ---- */

static void read_headers(const rd_kafka_message_t *message, struct kc_wire_meta *meta)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size, i;

    if (rd_kafka_message_headers(message, &headers)) {
        return; /* there are none */
    }
    for (i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
        if (value) {
            kc_wire_meta_parse(meta, name, value, size);
        }
    }
}

/* The one copy: a message kept would keep the whole answer of the broker with it. */
static kc_frame_t *frame_of(const rd_kafka_message_t *message, apr_time_t now)
{
    kc_frame_t *frame =
        kc_frame_create(KC_FRAME_PICTURE, (apr_uint32_t)message->partition, message->len);
    struct kc_wire_meta meta = { 0 };
    rd_kafka_timestamp_type_t type;
    apr_int64_t stamp = rd_kafka_message_timestamp(message, &type);

    memcpy(frame->data, message->payload, message->len);
    read_headers(message, &meta);
    frame->offset = message->offset;
    frame->arrived = now;
    frame->captured = now;
    if (meta.captured_us) {
        frame->captured = (apr_time_t)meta.captured_us;
    }
    else if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && stamp > 0) {
        frame->captured = apr_time_from_msec(stamp);
    }
    frame->seq = meta.seq;
    frame->epoch_ms = meta.epoch_ms;
    frame->width = meta.width;
    frame->height = meta.height;
    if (!meta.width || !meta.height) {
        kc_jpeg_size(frame->data, frame->size, &frame->width, &frame->height);
    }
    return frame;
}

/* NULL, or what makes it no picture. */
static const char *not_a_picture(const rd_kafka_message_t *message)
{
    if (message->len > PICTURE_MAX) {
        return "is larger than 16 MiB";
    }
    return kc_jpeg_is(message->payload, message->len) ? NULL : "is no JPEG";
}

static void count(topic_t *topic, const rd_kafka_message_t *message, kc_counters_outcome_t outcome,
                  apr_time_t news)
{
    if (topic->kind == KC_LAYER_FULL) {
        kc_counters_camera_add(topic->source->config->camera_counts,
                               (apr_uint32_t)message->partition, message->offset, outcome,
                               message->len, news);
    }
}

static void take_picture(topic_t *topic, const rd_kafka_message_t *message)
{
    kc_source_t *source = topic->source;
    partition_t *partition = &topic->partitions[message->partition];
    apr_uint32_t cam = (apr_uint32_t)message->partition;
    const char *wrong = not_a_picture(message);
    kc_frame_t *frame;

    kc_counters_add(KC_COUNTER_BYTES_RECEIVED, (apr_int64_t)message->len);
    if (wrong) {
        kc_counters_add(KC_COUNTER_FRAMES_BROKEN, 1);
        count(topic, message, KC_COUNTERS_BROKEN, 0);
        if (kc_roster_broken(source->roster, (kc_layer_t)topic->kind, cam)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, source->s,
                         KC_ID(2020) "camera %u: the record at offset %" APR_INT64_T_FMT
                                     " of %s %s; it and "
                                     "what follows like it are dropped",
                         cam, message->offset, topic->name, wrong);
        }
        return;
    }
    frame = frame_of(message, apr_time_now());
    kc_counters_add(KC_COUNTER_FRAMES_RECEIVED, 1);
    if (kc_roster_picture(source->roster, (kc_layer_t)topic->kind, frame, partition->old) ==
        KC_ROSTER_OUTDATED) {
        kc_counters_add(KC_COUNTER_FRAMES_OUTDATED, 1);
        count(topic, message, KC_COUNTERS_OUTDATED, 0);
        kc_frame_unref(frame);
        return;
    }
    count(topic, message, KC_COUNTERS_PICTURE,
          partition->old && frame->captured < frame->arrived ? frame->captured : frame->arrived);
    partition->old = 0;
    kc_hub_publish(topic->hub, frame);
}

static void take_record(topic_t *topic, const rd_kafka_message_t *message)
{
    kc_source_t *source = topic->source;
    kc_status_record_t record;
    const char *why = NULL;
    uint64_t cam;

    if (!message->key || kc_wire_number_parse(&cam, message->key, message->key_len,
                                              (uint64_t)source->config->max_cameras - 1)) {
        why = "its key is no camera's number";
    }
    else if (!message->payload) {
        kc_roster_record(source->roster, (apr_uint32_t)cam, NULL, apr_time_now());
        return;
    }
    else if (kc_state_record_parse(&record, message->payload, message->len, &why) == APR_SUCCESS) {
        kc_roster_record(source->roster, (apr_uint32_t)cam, &record, apr_time_now());
        return;
    }
    if (kc_counters_own(KC_COUNTER_STATUS_BROKEN) == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, source->s,
                     KC_ID(2021) "the record at offset %" APR_INT64_T_FMT
                                 " of %s is passed over: %s "
                                 "(said once; the status page counts them)",
                     message->offset, topic->name, why);
    }
    kc_counters_add(KC_COUNTER_STATUS_BROKEN, 1);
}

static void reached_end(topic_t *topic, const rd_kafka_message_t *message)
{
    partition_t *partition = &topic->partitions[message->partition];

    apr_atomic_set64(&partition->position, (apr_uint64_t)message->offset);
    if (topic->kind != TOPIC_STATUS) {
        kc_roster_empty(topic->source->roster, (kc_layer_t)topic->kind,
                        (apr_uint32_t)message->partition);
    }
    else if (partition->old) {
        topic->at_end++;
    }
    partition->old = 0;
}

/* The topic was deleted while it was read. One of the same name has other records, perhaps as
 * many, so the offsets would not tell. */
static void note_gone(topic_t *topic, partition_t *partition)
{
    if (apr_atomic_read64(&partition->position) == (apr_uint64_t)-1) {
        return; /* it was not there yet: librdkafka waits for it */
    }
    apr_thread_mutex_lock(topic->source->lock);
    partition->renew = SHORTER;
    apr_thread_mutex_unlock(topic->source->lock);
    apr_atomic_set32(&topic->source->dirty, 1);
}

/* The keeper says what is wrong with a whole topic. What is left is said once until it is another
 * one. */
static void note_trouble(topic_t *topic, const rd_kafka_message_t *message)
{
    partition_t *partition = &topic->partitions[message->partition];
    int repeated = partition->last_error == message->err;

    partition->last_error = message->err;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        note_gone(topic, partition);
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        apr_atomic_set32(&topic->denied, 1);
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return;
    default:
        break;
    }
    if (!repeated) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, topic->source->s,
                     KC_ID(2022) "partition %d of %s: %s", message->partition, topic->name,
                     rd_kafka_message_errstr(message));
    }
}

static void on_message(rd_kafka_message_t *message, void *opaque)
{
    topic_t *topic = message->rkt ? rd_kafka_topic_opaque(message->rkt) : NULL;

    if (!topic || message->partition < 0 || (apr_uint32_t)message->partition >= topic->room) {
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        apr_atomic_set32(&topic->denied, 0);
        reached_end(topic, message);
    }
    else if (message->err) {
        note_trouble(topic, message);
    }
    else {
        apr_atomic_set32(&topic->denied, 0);
        topic->partitions[message->partition].last_error = 0;
        apr_atomic_set64(&topic->partitions[message->partition].position,
                         (apr_uint64_t)message->offset + 1);
        if (topic->kind == TOPIC_STATUS) {
            take_record(topic, message);
        }
        else {
            take_picture(topic, message);
        }
    }
}

/* ---- The feed ---- */

static int stopping(kc_source_t *source)
{
    return apr_atomic_read32(&source->stopping) != 0;
}

/* Everything about the cameras has been read: from now on a number can be told to be none. */
static void note_completeness(kc_source_t *source)
{
    topic_t *status = &source->topics[TOPIC_STATUS];
    int complete;

    if (apr_atomic_read32(&source->known_all)) {
        return;
    }
    apr_thread_mutex_lock(source->lock);
    complete = source->complete;
    apr_thread_mutex_unlock(source->lock);
    if (complete && status->at_end >= apr_atomic_read32(&status->count)) {
        apr_thread_mutex_lock(source->lock);
        apr_atomic_set32(&source->known_all, 1);
        apr_thread_cond_broadcast(source->round_over);
        apr_thread_mutex_unlock(source->lock);
    }
}

/* 1: there is more to do at once. */
static int tick(kc_source_t *source, apr_time_t now)
{
    int notices = kc_roster_tick(source->roster, now, source->scratch);

    kc_counters_add(KC_COUNTER_NOTICES, notices);
    apr_pool_clear(source->scratch);
    return notices == KC_ROSTER_NOTICES;
}

static void *APR_THREAD_FUNC feed(apr_thread_t *thread, void *data)
{
    kc_source_t *source = data;
    apr_time_t next = 0;
    apr_time_t now;

    while (!stopping(source)) {
        now = apr_time_now();
        if (apr_atomic_read32(&source->dirty)) {
            tend_partitions(source, now);
        }
        if (now >= next || next - now > apr_time_from_msec(TICK_MS)) {
            tend_partitions(source, now);
            next = now + (tick(source, now) ? 0 : apr_time_from_msec(TICK_MS));
        }
        note_completeness(source);
        now = apr_time_now();
        rd_kafka_consume_callback_queue(source->queue,
                                        next > now ? (int)apr_time_as_msec(next - now) + 1 : 0,
                                        on_message, source);
        rd_kafka_poll(source->kafka, 0);
    }
    return NULL;
}

/* ---- The keeper ---- */

static void note_reached(kc_source_t *source, rd_kafka_resp_err_t error, int failures)
{
    apr_time_t now = apr_time_now();
    kc_source_health_t before;
    char reason[256];

    apr_thread_mutex_lock(source->lock);
    before = source->health;
    if (!error) {
        source->health.reached = 1;
        source->health.away = 0;
        source->health.error[0] = '\0';
    }
    else if (failures >= 2) {
        source->health.away = 1;
    }
    if (before.away != source->health.away || !before.since) {
        source->health.since = now;
    }
    apr_cpystrn(reason, before.error[0] ? before.error : rd_kafka_err2str(error), sizeof(reason));
    apr_thread_mutex_unlock(source->lock);
    if (error && failures >= 2 && !before.away) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, source->s,
                     KC_ID(2011) "Kafka at %s does not answer, streams wait for it: %s",
                     source->config->brokers, reason);
    }
    else if (!error && before.away) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, source->s,
                     "Kafka at %s is back after %" APR_TIME_T_FMT " s", source->config->brokers,
                     apr_time_sec(now - before.since));
    }
}

static void note_topic_error(topic_t *topic, rd_kafka_resp_err_t error)
{
    server_rec *s = topic->source->s;
    rd_kafka_resp_err_t before = topic->last_error;

    topic->last_error = error;
    if (error == before || (!error && before == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)) {
        return;
    }
    if (!error) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "Kafka topic %s can be read now", topic->name);
    }
    else if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        /* Small pictures are an option; a producer makes the other two. */
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "Kafka has no topic %s (yet)", topic->name);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     KC_ID(2012) "Kafka topic %s cannot be read: %s%s", topic->name,
                     rd_kafka_err2str(error),
                     error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                         ? " (the module's Kafka user needs READ and DESCRIBE on it)"
                         : "");
    }
}

static void note_partitions(topic_t *topic, const rd_kafka_metadata_topic_t *said)
{
    apr_uint32_t count = said->err ? 0 : (apr_uint32_t)said->partition_cnt;

    /* An election of a moment is no reason to forget cameras. */
    if (said->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        return;
    }
    note_topic_error(topic, !said->err && apr_atomic_read32(&topic->denied)
                                ? RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                                : said->err);
    if (count > topic->room && topic->kind != TOPIC_STATUS && topic->count <= topic->room) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, topic->source->s,
                     "Kafka topic %s has %u partitions; cameras from %u on are left out "
                     "(KafkaCamMaxCameras)",
                     topic->name, count, topic->room);
    }
    apr_atomic_set32(&topic->count, count < topic->room ? count : topic->room);
}

static rd_kafka_resp_err_t ask_topics(kc_source_t *source)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t error;
    int i, kind;

    /* Those with a handle, and no others. */
    error = rd_kafka_metadata(source->kafka, 0, NULL, &metadata, KEEPER_WAIT_MS);
    if (error) {
        return error;
    }
    for (i = 0; i < metadata->topic_cnt; i++) {
        for (kind = 0; kind < TOPICS; kind++) {
            topic_t *topic = &source->topics[kind];

            if (topic->name && !strcmp(topic->name, metadata->topics[i].topic)) {
                note_partitions(topic, &metadata->topics[i]);
            }
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* end was asked for after position was noted. */
static verdict_t judge(partition_t *partition, apr_int64_t end, apr_int64_t position)
{
    verdict_t verdict = HEALTHY;

    if (position >= 0 && end >= 0) {
        if (end < position) {
            verdict = SHORTER;
        }
        else if (position == partition->seen_position && partition->seen_end > position) {
            verdict = STUCK; /* for a whole round */
        }
    }
    partition->seen_end = verdict == HEALTHY ? end : -1;
    partition->seen_position = position;
    return verdict;
}

static void note_ends(topic_t *topic, const rd_kafka_topic_partition_list_t *list,
                      const apr_int64_t *positions, apr_int64_t *ends)
{
    kc_source_t *source = topic->source;
    int i;

    for (i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *said = &list->elems[i];
        partition_t *partition = &topic->partitions[said->partition];
        verdict_t verdict;

        ends[said->partition] = said->err ? -1 : said->offset;
        verdict = judge(partition, ends[said->partition], positions[said->partition]);
        if (verdict != HEALTHY) {
            apr_thread_mutex_lock(source->lock);
            partition->renew = verdict;
            apr_thread_mutex_unlock(source->lock);
            apr_atomic_set32(&source->dirty, 1);
        }
    }
}

/* How far the partitions reach: one question for all, an answer from each broker. */
static rd_kafka_resp_err_t ask_ends(topic_t *topic, apr_pool_t *pool)
{
    apr_uint32_t count = apr_atomic_read32(&topic->count);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    apr_int64_t *positions = apr_palloc(pool, (count + 1) * sizeof(*positions));
    apr_int64_t *ends = apr_palloc(pool, (count + 1) * sizeof(*ends));
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topic->name, (int32_t)i)->offset =
            RD_KAFKA_OFFSET_END;
        positions[i] = (apr_int64_t)apr_atomic_read64(&topic->partitions[i].position);
        ends[i] = -1;
    }
    if (count) {
        error = rd_kafka_offsets_for_times(topic->source->kafka, list, KEEPER_WAIT_MS);
    }
    if (!error) {
        note_ends(topic, list, positions, ends);
        if (topic->kind != TOPIC_STATUS) {
            kc_roster_ends(topic->source->roster, (kc_layer_t)topic->kind, ends, count,
                           apr_time_now());
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/* How far all of them reach. A partition that changes its leader just now, or a topic made a moment
 * ago, gives an error that is none: Kafka is there, and knows next time. */
static rd_kafka_resp_err_t ask_all_ends(kc_source_t *source)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    int kind;

    for (kind = 0; kind < TOPICS && !error && !stopping(source); kind++) {
        if (source->topics[kind].name) {
            error = ask_ends(&source->topics[kind], source->round);
        }
    }
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, source->s,
                     "Kafka does not say how far partitions "
                     "reach: %s",
                     rd_kafka_err2str(error));
    }
    return error;
}

/* Whether Kafka answers is what its answer about topics says. *complete: the rest is known as
 * well. */
static rd_kafka_resp_err_t play_round(kc_source_t *source, int *complete)
{
    rd_kafka_resp_err_t error;

    apr_thread_mutex_lock(source->lock);
    source->rounds_begun++;
    apr_thread_mutex_unlock(source->lock);
    error = ask_topics(source);
    *complete = !error && !ask_all_ends(source);
    apr_pool_clear(source->round);
    apr_thread_mutex_lock(source->lock);
    source->rounds_over++;
    source->complete |= *complete;
    apr_thread_cond_broadcast(source->round_over);
    apr_thread_mutex_unlock(source->lock);
    return error;
}

/* Until the time is over, or all ends, or somebody is in a hurry where that counts. */
static void rest(kc_source_t *source, apr_interval_time_t time, int hurry_counts)
{
    apr_time_t until = apr_time_now() + time;
    apr_time_t now;

    apr_thread_mutex_lock(source->lock);
    while (!stopping(source) && !(hurry_counts && source->hurry) &&
           (now = apr_time_now()) < until && until - now <= time) {
        apr_thread_cond_timedwait(source->wake, source->lock, until - now);
    }
    source->hurry = hurry_counts ? 0 : source->hurry;
    apr_thread_mutex_unlock(source->lock);
}

static void *APR_THREAD_FUNC keep(apr_thread_t *thread, void *data)
{
    kc_source_t *source = data;
    int failures = 0;
    int complete;

    while (!stopping(source)) {
        rd_kafka_resp_err_t error = play_round(source, &complete);

        failures = error ? failures + 1 : 0;
        if (stopping(source)) {
            break;
        }
        note_reached(source, error, failures);
        apr_atomic_set32(&source->dirty, 1);
        rd_kafka_queue_yield(source->queue); /* there may be states to read now */
        if (complete) {
            rest(source, KEEPER_REST - KEEPER_HURRY, 1);
        }
        rest(source, KEEPER_HURRY, 0);
    }
    return NULL;
}

/* ---- Start and end ---- */

int kc_source_fits(const kc_config_t *one, const kc_config_t *other)
{
    const kc_property_t *a = (const kc_property_t *)one->properties->elts;
    const kc_property_t *b = (const kc_property_t *)other->properties->elts;
    int i;

    if (!one->brokers || !other->brokers || strcmp(one->brokers, other->brokers) ||
        strcmp(one->topic, other->topic) ||
        strcmp(one->status_topic ? one->status_topic : "",
               other->status_topic ? other->status_topic : "") ||
        strcmp(one->small_topic ? one->small_topic : "",
               other->small_topic ? other->small_topic : "") ||
        one->idle != other->idle || one->stale_after != other->stale_after ||
        one->max_cameras != other->max_cameras ||
        one->properties->nelts != other->properties->nelts) {
        return 0;
    }
    for (i = 0; i < one->properties->nelts; i++) {
        if (strcmp(a[i].name, b[i].name) || strcmp(a[i].value, b[i].value)) {
            return 0;
        }
    }
    return 1;
}

void kc_source_abandon(kc_source_t *source)
{
    apr_atomic_set32(&source->stopping, 1);
}

void kc_source_stopping(kc_source_t *source)
{
    apr_thread_mutex_lock(source->lock);
    apr_atomic_set32(&source->stopping, 1);
    apr_thread_cond_broadcast(source->wake);
    apr_thread_cond_broadcast(source->round_over);
    apr_thread_mutex_unlock(source->lock);
    rd_kafka_queue_yield(source->queue);
}

static void close_kafka(kc_source_t *source)
{
    apr_uint32_t number;
    int kind;

    for (kind = 0; kind < TOPICS; kind++) {
        topic_t *topic = &source->topics[kind];

        for (number = 0; topic->handle && number < topic->room; number++) {
            if (topic->partitions[number].fetching) {
                rd_kafka_consume_stop(topic->handle, (int32_t)number);
            }
        }
        if (topic->handle) {
            rd_kafka_topic_destroy(topic->handle);
        }
    }
    rd_kafka_queue_destroy(source->queue);
    rd_kafka_destroy(source->kafka);
}

static apr_status_t stop(void *data)
{
    kc_source_t *source = data;
    apr_status_t ended;

    kc_source_stopping(source);
    if (source->feed) {
        apr_thread_join(&ended, source->feed);
    }
    if (source->keeper) {
        apr_thread_join(&ended, source->keeper);
    }
    close_kafka(source);
    return APR_SUCCESS;
}

static apr_status_t set_up_topic(kc_source_t *source, int kind, const char *name, apr_pool_t *pool)
{
    topic_t *topic = &source->topics[kind];
    apr_status_t rv = APR_SUCCESS;

    topic->source = source;
    topic->kind = kind;
    topic->name = name;
    if (!name) {
        return APR_SUCCESS;
    }
    topic->room = (apr_uint32_t)source->config->max_cameras;
    topic->partitions = apr_pcalloc(pool, topic->room * sizeof(*topic->partitions));
    if (kind != TOPIC_STATUS) {
        rv = kc_hub_create(&topic->hub, topic->room, pool);
    }
    return rv;
}

/* A pool that another thread may use beside its parent: some MPMs' pools have no lock. */
static apr_status_t create_own_pool(apr_pool_t **result, apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create_ex(result, parent, NULL, allocator);
        if (rv != APR_SUCCESS) {
            apr_allocator_destroy(allocator);
            return rv;
        }
        apr_allocator_owner_set(allocator, *result);
    }
    return rv;
}

static apr_status_t set_up(kc_source_t *source, apr_pool_t *pool)
{
    const kc_config_t *config = source->config;
    kc_hub_t *hubs[KC_LAYERS];
    apr_status_t rv;
    int kind;

    if ((rv = apr_thread_mutex_create(&source->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = apr_thread_cond_create(&source->wake, pool)) ||
        (rv = apr_thread_cond_create(&source->round_over, pool)) ||
        (rv = create_own_pool(&source->scratch, pool)) ||
        (rv = create_own_pool(&source->round, pool)) ||
        (rv = set_up_topic(source, KC_LAYER_FULL, config->topic, pool)) ||
        (rv = set_up_topic(source, KC_LAYER_SMALL, config->small_topic, pool)) ||
        (rv = set_up_topic(source, TOPIC_STATUS, config->status_topic, pool))) {
        return rv;
    }
    for (kind = 0; kind < KC_LAYERS; kind++) {
        hubs[kind] = source->topics[kind].hub;
        if (hubs[kind]) {
            kc_hub_on_demand(hubs[kind], on_demand, &source->topics[kind]);
        }
    }
    /* Two rounds of the keeper and some: a slow camera's partition need not grow in each. */
    source->roster = kc_roster_create(hubs, config->stale_after, 3 * KEEPER_REST, pool);
    return source->roster ? APR_SUCCESS : APR_ENOMEM;
}

static apr_status_t start_threads(kc_source_t *source, apr_pool_t *pool)
{
    sigset_t all, before;
    apr_status_t rv;

    /* httpd's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(&source->feed, NULL, feed, source, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_create(&source->keeper, NULL, keep, source, pool);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

apr_status_t kc_source_start(kc_source_t **result, const kc_config_t *config, apr_pool_t *pchild,
                             server_rec *s)
{
    kc_source_t *source = apr_pcalloc(pchild, sizeof(*source));
    apr_status_t rv;
    int kind;

    source->s = s;
    source->config = config;
    rv = set_up(source, pchild);
    if (rv == APR_SUCCESS) {
        rv = open_kafka(source, pchild);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_pre_cleanup_register(pchild, source, stop);
    for (kind = 0; kind < TOPICS && rv == APR_SUCCESS; kind++) {
        if (source->topics[kind].name) {
            rv = open_topic(&source->topics[kind]);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = start_threads(source, pchild);
    }
    if (rv == APR_SUCCESS) {
        *result = source;
    }
    return rv;
}

/* ---- Questions ---- */

kc_hub_t *kc_source_hub(kc_source_t *source, kc_layer_t layer)
{
    return source->topics[layer].hub;
}

int kc_source_has(kc_source_t *source, kc_layer_t layer, apr_uint32_t cam)
{
    return source->topics[layer].name && kc_roster_has(source->roster, layer, cam);
}

kc_source_answer_t kc_source_find(kc_source_t *source, apr_uint32_t cam)
{
    if (cam >= (apr_uint32_t)source->config->max_cameras) {
        return KC_SOURCE_NO_CAMERA;
    }
    if (kc_roster_knows(source->roster, cam)) {
        return KC_SOURCE_CAMERA;
    }
    if (!apr_atomic_read32(&source->known_all)) {
        return KC_SOURCE_NOT_YET;
    }
    return KC_SOURCE_NO_CAMERA;
}

void kc_source_look(kc_source_t *source, apr_interval_time_t wait)
{
    apr_time_t until = apr_time_now() + wait;
    apr_time_t now;
    apr_uint32_t begun;

    apr_thread_mutex_lock(source->lock);
    begun = source->rounds_begun;
    source->hurry = 1;
    apr_thread_cond_signal(source->wake);
    /* A round that had begun may have missed what is looked for. */
    while (((apr_int32_t)(source->rounds_over - begun) <= 0 ||
            !apr_atomic_read32(&source->known_all)) &&
           !stopping(source) && (now = apr_time_now()) < until && until - now <= wait) {
        apr_thread_cond_timedwait(source->round_over, source->lock, until - now);
    }
    apr_thread_mutex_unlock(source->lock);
}

void kc_source_settle(kc_source_t *source, apr_interval_time_t wait)
{
    apr_time_t until = apr_time_now() + wait;
    apr_time_t now;

    if (apr_atomic_read32(&source->known_all)) {
        return;
    }
    apr_thread_mutex_lock(source->lock);
    while (!apr_atomic_read32(&source->known_all) && !source->health.away && !stopping(source) &&
           (now = apr_time_now()) < until && until - now <= wait) {
        apr_thread_cond_timedwait(source->round_over, source->lock, until - now);
    }
    apr_thread_mutex_unlock(source->lock);
}

apr_array_header_t *kc_source_cameras(kc_source_t *source, apr_pool_t *pool)
{
    return kc_roster_list(source->roster, pool);
}

apr_uint32_t kc_source_version(kc_source_t *source)
{
    return kc_roster_version(source->roster);
}

void kc_source_state(kc_source_t *source, apr_uint32_t cam, kc_state_t *state)
{
    kc_roster_state(source->roster, cam, apr_time_now(), state);
}

void kc_source_health(kc_source_t *source, kc_source_health_t *health)
{
    apr_thread_mutex_lock(source->lock);
    *health = source->health;
    apr_thread_mutex_unlock(source->lock);
    health->partitions = apr_atomic_read32(&source->fetched);
}

void kc_source_figures(kc_source_t *source, kc_layer_t layer, apr_uint32_t cam,
                       kc_roster_figures_t *figures)
{
    kc_roster_figures(source->roster, layer, cam, figures);
}
