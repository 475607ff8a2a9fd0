#include "kc_kafka.h"

#include <stdlib.h>
#include <string.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <http_log.h>
#include <librdkafka/rdkafka.h>
#include "kc_thread.h"

/* The same words of librdkafka are logged again after this. */
#define REPEAT_AFTER apr_time_from_sec(60)

struct kc_kafka_t {
    server_rec *s; /* these do not change after the start */
    rd_kafka_t *client;
    int scram;                /* this library, with brokers of Kafka 4: never */
    apr_thread_mutex_t *lock; /* guards everything below */
    char error[512];
    int told_scram;
    char last_line[512]; /* of librdkafka's log, and how often it came again */
    apr_time_t last_logged;
    apr_uint32_t repeated;
};

struct kc_kafka_topic_t {
    kc_kafka_t *kafka;
    void *baton;
    const char *name;
    apr_int64_t lost;
    rd_kafka_topic_t *handle; /* NULL: it could not be opened again */
};

struct kc_kafka_queue_t {
    rd_kafka_queue_t *queue;
    kc_thread_t thread; /* that takes */
};

/* ---- Errors ---- */

_Static_assert(KC_KAFKA_READ_DENIED == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
               "the protocol's own number");

kc_kafka_trouble_t kc_kafka_trouble(int error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return KC_KAFKA_FINE;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return KC_KAFKA_AWAY;
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
        return KC_KAFKA_NO_LEADER;
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return KC_KAFKA_GONE;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return KC_KAFKA_DENIED;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return KC_KAFKA_OUTSIDE;
    default:
        return KC_KAFKA_OTHER;
    }
}

const char *kc_kafka_text(int error)
{
    return rd_kafka_err2str((rd_kafka_resp_err_t)error);
}

/* ---- Settings ---- */

/* An administrator's properties come after these and win; what this librdkafka does not know is
 * left out. Queues stay large: versions below 2.2 stop fetching for a second when one is full.
 *
 * A broker that dies without a word (its power, its cable) is noticed by socket.timeout.ms alone,
 * which is a minute by default. An answer that takes longer than that to come in is lost, so it is
 * bounded: 2 MiB in 4 s are 4 Mbit/s, and only what was lagging is so large. */
static const char *const own_settings[][2] = {
    { "socket.timeout.ms", "4000" },
    { "socket.connection.setup.timeout.ms", "2000" },
    { "topic.metadata.refresh.fast.interval.ms", "100" },
    { "client.id", "mod_kafkacam" },
    { "enable.partition.eof", "true" },
    { "fetch.wait.max.ms", "100" }, /* also how long a camera just added may wait its turn */
    { "fetch.error.backoff.ms", "100" },
    { "fetch.max.bytes", "2097152" },
    { "fetch.message.max.bytes", "1048576" },
    { "queued.max.messages.kbytes", "65536" },
    { "socket.nagle.disable", "true" },
    { "socket.keepalive.enable", "true" },
    { "reconnect.backoff.ms", "100" },
    { "reconnect.backoff.max.ms", "3000" },
};

const char *kc_kafka_check_property(const char *name, const char *value, apr_pool_t *pool)
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

static const char *set(rd_kafka_conf_t *conf, const char *name, const char *value, apr_pool_t *pool)
{
    char why[512];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK) {
        return NULL;
    }
    return kc_config_property_is_secret(name) ? apr_psprintf(pool, "%s was refused", name)
                                              : apr_pstrdup(pool, why);
}

/* Ours, which may be younger than the library. */
static const char *set_own(rd_kafka_conf_t *conf, const char *name, const char *value,
                           apr_pool_t *pool)
{
    char why[512];

    return rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_INVALID
               ? apr_pstrdup(pool, why)
               : NULL;
}

/* The past is read from offsets that are there: nothing is waited for at a partition's end, where
 * the next partition to be read would wait as well. */
static const char *apply_past(rd_kafka_conf_t *conf, kc_kafka_use_t use, apr_pool_t *pool)
{
    return use == KC_KAFKA_PAST ? set(conf, "fetch.wait.max.ms", "5", pool) : NULL;
}

static int number_of(rd_kafka_conf_t *conf, const char *name)
{
    char text[32] = "";
    size_t size = sizeof(text);

    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? atoi(text) : 0;
}

/* Fetches that wait longer need a time-out that is longer still: librdkafka refuses others. */
static const char *leave_time(rd_kafka_conf_t *conf, apr_pool_t *pool)
{
    int wait_ms = number_of(conf, "fetch.wait.max.ms");

    return wait_ms + 1000 > number_of(conf, "socket.timeout.ms")
               ? set(conf, "socket.timeout.ms", apr_itoa(pool, wait_ms + 4000), pool)
               : NULL;
}

static int counts(const kc_property_t *property, kc_kafka_use_t use)
{
    return use == KC_KAFKA_PAST || strcmp(property->name, "client.rack");
}

static const char *apply_settings(rd_kafka_conf_t *conf, kc_kafka_use_t use,
                                  const kc_config_t *config, apr_pool_t *pool)
{
    const kc_property_t *properties = (const kc_property_t *)config->properties->elts;
    const char *why = set(conf, "bootstrap.servers", config->brokers, pool);
    apr_size_t i;

    for (i = 0; !why && i < sizeof(own_settings) / sizeof(own_settings[0]); i++) {
        why = set_own(conf, own_settings[i][0], own_settings[i][1], pool);
    }
    for (i = 0; !why && i < (apr_size_t)config->properties->nelts; i++) {
        why = counts(&properties[i], use) ? set(conf, properties[i].name, properties[i].value, pool)
                                          : NULL;
    }
    why = why ? why : apply_past(conf, use, pool);
    return why ? why : leave_time(conf, pool);
}

/* ---- Its log ---- */

/* Kafka 4 minds what the library got wrong before: a right password is "invalid credentials", which
 * sends people searching. */
#define SCRAM_WORKS 0x020601ff
#define SCRAM_HINT                                                                                 \
    "before version 2.6.1 librdkafka cannot use SCRAM with Kafka 4, right as the password may be"

static int uses_broken_scram(rd_kafka_conf_t *conf)
{
    char mechanism[64] = "";
    size_t size = sizeof(mechanism);

    return rd_kafka_version() < SCRAM_WORKS &&
           rd_kafka_conf_get(conf, "sasl.mechanisms", mechanism, &size) == RD_KAFKA_CONF_OK &&
           !strncasecmp(mechanism, "SCRAM-", 6);
}

static void on_error(rd_kafka_t *client, int error, const char *reason, void *opaque)
{
    kc_kafka_t *kafka = opaque;
    int scram = kafka->scram && error == RD_KAFKA_RESP_ERR__AUTHENTICATION;
    int tell;

    apr_thread_mutex_lock(kafka->lock);
    apr_snprintf(kafka->error, sizeof(kafka->error), "%s%s", reason, scram ? "; " SCRAM_HINT : "");
    tell = scram && !kafka->told_scram;
    kafka->told_scram |= scram;
    apr_thread_mutex_unlock(kafka->lock);
    if (tell) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, kafka->s,
                     KC_ID(2016) "a broker refuses the SCRAM password: " SCRAM_HINT
                                 " (this is %s): use a newer one, or SASL PLAIN over TLS",
                     rd_kafka_version_str());
    }
}

void kc_kafka_last_error(kc_kafka_t *kafka, char *text, apr_size_t size)
{
    apr_thread_mutex_lock(kafka->lock);
    apr_cpystrn(text, kafka->error, size);
    apr_thread_mutex_unlock(kafka->lock);
}

void kc_kafka_forget_error(kc_kafka_t *kafka)
{
    apr_thread_mutex_lock(kafka->lock);
    kafka->error[0] = '\0';
    apr_thread_mutex_unlock(kafka->lock);
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
static int time_to_log(kc_kafka_t *kafka, const char *line)
{
    apr_time_t now = apr_time_now();
    int repeated = -1;

    apr_thread_mutex_lock(kafka->lock);
    if (is_repetition(line, kafka->last_line) && now - kafka->last_logged < REPEAT_AFTER) {
        kafka->repeated++;
    }
    else {
        repeated = (int)kafka->repeated;
        kafka->repeated = 0;
        kafka->last_logged = now;
        apr_cpystrn(kafka->last_line, line, sizeof(kafka->last_line));
    }
    apr_thread_mutex_unlock(kafka->lock);
    return repeated;
}

/* In librdkafka's threads. What matters to an operator (Kafka away, back, no right to read) is said
 * by the client's owner once each; these lines are the details. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    kc_kafka_t *kafka = rd_kafka_opaque(client);
    int repeated;

    if (level >= 7) {
        ap_log_error(APLOG_MARK, APLOG_TRACE1, 0, kafka->s, "librdkafka %s: %s", facility, text);
        return;
    }
    repeated = time_to_log(kafka, text);
    if (repeated < 0) {
        return;
    }
    if (repeated > 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, kafka->s,
                     "librdkafka: the line before came %d more times", repeated);
    }
    if (level <= 2) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, kafka->s, KC_ID(2010) "librdkafka %s: %s", facility,
                     text);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, kafka->s, "librdkafka %s: %s", facility, text);
    }
}

/* ---- Clients ---- */

apr_status_t kc_kafka_open(kc_kafka_t **result, kc_kafka_use_t use, const kc_config_t *config,
                           server_rec *s, apr_pool_t *pool)
{
    kc_kafka_t *kafka = apr_pcalloc(pool, sizeof(*kafka));
    apr_status_t rv = apr_thread_mutex_create(&kafka->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *why = apply_settings(conf, use, config, pool);
    char reason[512];

    kafka->s = s;
    kafka->scram = uses_broken_scram(conf);
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (rv == APR_SUCCESS && !why) {
        kafka->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
        why = kafka->client ? NULL : reason;
    }
    if (!kafka->client) {
        rd_kafka_conf_destroy(conf);
        ap_log_error(
            APLOG_MARK, APLOG_ERR, rv, s,
            KC_ID(2003) "no Kafka consumer for %s, so no pictures: %s (see KafkaCamProperty)",
            config->brokers, why ? why : "no lock");
        return rv ? rv : APR_EGENERAL;
    }
    *result = kafka;
    return APR_SUCCESS;
}

void kc_kafka_close(kc_kafka_t *kafka)
{
    if (kafka) {
        rd_kafka_destroy(kafka->client);
    }
}

void kc_kafka_poll(kc_kafka_t *kafka)
{
    rd_kafka_poll(kafka->client, 0);
}

/* ---- Fetching ---- */

static int open_handle(kc_kafka_topic_t *topic)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();

    rd_kafka_topic_conf_set_opaque(conf, topic);
    rd_kafka_topic_conf_set(conf, "auto.offset.reset",
                            topic->lost == KC_KAFKA_BEGINNING ? "smallest" : "largest", NULL, 0);
    rd_kafka_topic_conf_set(conf, "auto.commit.enable", "false", NULL, 0);
    topic->handle = rd_kafka_topic_new(topic->kafka->client, topic->name, conf);
    if (!topic->handle) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, topic->kafka->s, KC_ID(2004) "Kafka topic %s: %s",
                     topic->name, rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_topic_conf_destroy(conf);
    }
    return topic->handle != NULL;
}

apr_status_t kc_kafka_topic_open(kc_kafka_topic_t **result, kc_kafka_t *kafka, const char *name,
                                 apr_int64_t lost, void *baton, apr_pool_t *pool)
{
    kc_kafka_topic_t *topic = apr_pcalloc(pool, sizeof(*topic));

    topic->kafka = kafka;
    topic->baton = baton;
    topic->name = name;
    topic->lost = lost;
    if (!open_handle(topic)) {
        return APR_EGENERAL;
    }
    *result = topic;
    return APR_SUCCESS;
}

void kc_kafka_topic_close(kc_kafka_topic_t *topic)
{
    if (topic->handle) {
        rd_kafka_topic_destroy(topic->handle);
    }
}

void kc_kafka_topic_reopen(kc_kafka_topic_t *topic)
{
    kc_kafka_topic_close(topic);
    open_handle(topic);
}

kc_kafka_queue_t *kc_kafka_queue_open(kc_kafka_t *kafka, apr_pool_t *pool)
{
    kc_kafka_queue_t *queue = apr_pcalloc(pool, sizeof(*queue));

    queue->queue = rd_kafka_queue_new(kafka->client);
    return queue;
}

void kc_kafka_queue_close(kc_kafka_queue_t *queue)
{
    rd_kafka_queue_destroy(queue->queue);
}

static int64_t logical_offset(apr_int64_t from)
{
    switch (from) {
    case KC_KAFKA_BEGINNING:
        return RD_KAFKA_OFFSET_BEGINNING;
    case KC_KAFKA_END:
        return RD_KAFKA_OFFSET_END;
    default:
        return from <= KC_KAFKA_TAIL(0) ? RD_KAFKA_OFFSET_TAIL(KC_KAFKA_TAIL(0) - from) : from;
    }
}

int kc_kafka_start(kc_kafka_topic_t *topic, apr_uint32_t partition, apr_int64_t from,
                   kc_kafka_queue_t *queue)
{
    if (!topic->handle && !open_handle(topic)) {
        return RD_KAFKA_RESP_ERR__STATE;
    }
    return rd_kafka_consume_start_queue(topic->handle, (int32_t)partition, logical_offset(from),
                                        queue->queue)
               ? (int)rd_kafka_last_error()
               : 0;
}

void kc_kafka_stop(kc_kafka_topic_t *topic, apr_uint32_t partition)
{
    if (topic->handle) {
        rd_kafka_consume_stop(topic->handle, (int32_t)partition);
    }
}

static void hand_over(rd_kafka_message_t *message, void *handler)
{
    kc_kafka_topic_t *topic = message->rkt ? rd_kafka_topic_opaque(message->rkt) : NULL;
    kc_kafka_handler_fn *const *call = handler;
    kc_kafka_event_t event = { 0 };
    rd_kafka_timestamp_type_t type;
    apr_int64_t stamp;

    if (!topic || message->partition < 0) {
        return;
    }
    event.baton = topic->baton;
    event.partition = (apr_uint32_t)message->partition;
    event.offset = message->offset;
    event.message = message;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        event.kind = KC_KAFKA_AT_END;
    }
    else if (message->err) {
        event.kind = KC_KAFKA_TROUBLE;
        event.error = message->err;
        event.text = rd_kafka_message_errstr(message);
    }
    else {
        event.kind = KC_KAFKA_RECORD;
        event.key = message->key;
        event.key_size = message->key_len;
        event.value = message->payload;
        event.value_size = message->len;
        stamp = rd_kafka_message_timestamp(message, &type);
        if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && stamp > 0) {
            event.stamp_ms = stamp;
        }
    }
    (*call)(&event);
}

void kc_kafka_take(kc_kafka_queue_t *queue, int wait_ms, kc_kafka_handler_fn *handler)
{
    kc_thread_own(&queue->thread);
    rd_kafka_consume_callback_queue(queue->queue, wait_ms, hand_over, &handler);
}

/* What is handed over so far, and to whom. */
typedef struct {
    kc_kafka_handler_fn *handler;
    int taken, most;
} some_t;

static void hand_over_some(rd_kafka_message_t *message, void *baton)
{
    some_t *some = baton;

    hand_over(message, &some->handler);
    if (++some->taken >= some->most) {
        rd_kafka_yield(NULL); /* of this thread's callbacks; the client does not matter */
    }
}

/* Not by rd_kafka_consume_batch_queue(): that one gives a partition's errors to the error callback,
 * and nobody would hear that a topic was deleted. */
int kc_kafka_take_some(kc_kafka_queue_t *queue, int most, kc_kafka_handler_fn *handler)
{
    some_t some = { .handler = handler, .most = most };

    kc_thread_own(&queue->thread);
    rd_kafka_consume_callback_queue(queue->queue, 0, hand_over_some, &some);
    return some.taken;
}

void kc_kafka_wake(kc_kafka_queue_t *queue)
{
    rd_kafka_queue_yield(queue->queue);
}

void kc_kafka_headers(const kc_kafka_event_t *event, struct kc_wire_meta *meta)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size, i;

    if (rd_kafka_message_headers(event->message, &headers)) {
        return; /* there are none */
    }
    for (i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
        if (value) {
            kc_wire_meta_parse(meta, name, value, size);
        }
    }
}

/* ---- Questions ---- */

static void note_topic(kc_kafka_topic_said_t *said, const rd_kafka_metadata_topic_t *topic,
                       apr_pool_t *pool)
{
    apr_size_t room = (apr_size_t)topic->partition_cnt + 1;
    apr_int32_t *leader = apr_palloc(pool, room * sizeof(*leader));
    int i;

    said->said = 1;
    said->error = topic->err;
    said->count = (apr_uint32_t)topic->partition_cnt;
    said->leader = leader;
    for (i = 0; i < topic->partition_cnt; i++) {
        leader[i] = -1;
    }
    for (i = 0; i < topic->partition_cnt; i++) {
        if (topic->partitions[i].id >= 0 && topic->partitions[i].id < topic->partition_cnt) {
            leader[topic->partitions[i].id] = topic->partitions[i].leader;
        }
    }
}

static apr_array_header_t *note_brokers(const rd_kafka_metadata_t *metadata, apr_pool_t *pool)
{
    apr_array_header_t *brokers =
        apr_array_make(pool, metadata->broker_cnt, sizeof(kc_kafka_broker_t));
    int i;

    for (i = 0; i < metadata->broker_cnt; i++) {
        kc_kafka_broker_t *broker = apr_array_push(brokers);

        broker->id = metadata->brokers[i].id;
        broker->address =
            apr_psprintf(pool, "%s:%d", metadata->brokers[i].host, metadata->brokers[i].port);
    }
    return brokers;
}

int kc_kafka_ask_topics(kc_kafka_t *kafka, kc_kafka_topic_said_t *topics, apr_size_t count,
                        apr_array_header_t **brokers, int wait_ms, apr_pool_t *pool)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t error;
    apr_size_t topic;
    int i;

    /* Those with a handle, and no others. */
    error = rd_kafka_metadata(kafka->client, 0, NULL, &metadata, wait_ms);
    if (error) {
        return error;
    }
    for (i = 0; i < metadata->topic_cnt; i++) {
        for (topic = 0; topic < count; topic++) {
            if (topics[topic].name && !strcmp(topics[topic].name, metadata->topics[i].topic)) {
                note_topic(&topics[topic], &metadata->topics[i], pool);
            }
        }
    }
    *brokers = note_brokers(metadata, pool);
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

int kc_kafka_ask_offsets(kc_kafka_t *kafka, const char *topic, kc_kafka_offset_t *offsets,
                         apr_size_t count, int wait_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    apr_size_t i;

    for (i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)offsets[i].partition)->offset =
            logical_offset(offsets[i].at);
        offsets[i].offset = -1;
        offsets[i].error = 0;
    }
    if (count) {
        error = rd_kafka_offsets_for_times(kafka->client, list, wait_ms);
    }
    for (i = 0; i < count && !error; i++) {
        offsets[i].error = list->elems[i].err;
        offsets[i].offset = list->elems[i].err ? -1 : list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}
