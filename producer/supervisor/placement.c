#include "placement.h"

#include <errno.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "kc_wire.h"
#include "mem.h"

#define TICK_MS       100
#define METADATA_MS   5000
#define ADMIN_MS      15000
#define LOOK_AGAIN_S  30 /* topics are looked at this often: somebody may have deleted one */
#define READ_STATUS_S 30

enum { VIDEO, STATUS, SMALL, TOPICS };

/* What is known of a camera's record in the status topic. */
enum { WANTED = 1, ON_TOPIC = 2, BURYING = 4 };

struct topic {
    const char *name; /* conf's */
    uint32_t wanted;  /* partitions; guarded by the lock */
    uint32_t have;    /* guarded by the lock */
    int failed;       /* guarded by the lock: could not be had when last tried */
    uint64_t trouble; /* the thread's: hash of what was said, 0: nothing */
};

struct placement {
    const struct conf *conf; /* set at creation, never changes */
    void (*wake)(void *user);
    void *user;
    rd_kafka_t *kafka; /* thread-safe */
    pthread_t thread;
    atomic_int stop;

    int status_read;             /* the thread's own */
    rd_kafka_resp_err_t refusal; /* the thread's own: of a state, said so far */
    uint64_t trouble;
    time_t trouble_since;
    time_t next_look;
    unsigned failures;

    pthread_mutex_t lock; /* guards everything below, and in topics what says so */
    struct topic topics[TOPICS];
    int look_now;
    char last_error[300]; /* that librdkafka reported by itself */
    unsigned char flags[KC_WIRE_CAM_MAX + 1];
};

static time_t seconds_now(void)
{
    return (time_t)(clock_mono_ms() / 1000);
}

/* ---- settings ----------------------------------------------------------------------------- */

static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    log_debug("librdkafka %s: %s", facility, text);
}

static void set(rd_kafka_conf_t *settings, const char *name, const char *value)
{
    char why[200];

    if (rd_kafka_conf_set(settings, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        log_warning(1200, "librdkafka does not know %s = %s: %s", name, value, why);
    }
}

/* Ours first, then what the administrator says. The caller's; *wrong counts what was refused. */
static rd_kafka_conf_t *settings_of(const struct conf *conf, int *wrong)
{
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    char why[300];
    size_t i;

    *wrong = 0;
    rd_kafka_conf_set_log_cb(settings, on_log);
    set(settings, "bootstrap.servers", conf->kafka.brokers);
    set(settings, "client.id", "kafkacam-producer");
    set(settings, "socket.keepalive.enable", "true");
    for (i = 0; i < conf->kafka.property_count; i++) {
        const struct job_setting *property = &conf->kafka.properties[i];

        if (rd_kafka_conf_set(settings, property->name, property->value, why, sizeof(why)) !=
            RD_KAFKA_CONF_OK) {
            log_error(1201, "%s:%d: kafka.%s: %s", conf->path, property->line, property->name, why);
            ++*wrong;
        }
    }
    return settings;
}

int placement_settings_check(const struct conf *conf)
{
    rd_kafka_conf_t *settings;
    int wrong;

    settings = settings_of(conf, &wrong);
    rd_kafka_conf_destroy(settings);
    return wrong ? -1 : 0;
}

/* A handle of the given type; NULL after a message. Takes over settings. */
static rd_kafka_t *open_kafka(rd_kafka_type_t type, rd_kafka_conf_t *settings,
                              const struct conf *conf)
{
    char why[300];
    rd_kafka_t *kafka = rd_kafka_new(type, settings, why, sizeof(why));

    if (!kafka) {
        log_error(1202, "librdkafka does not start: %s (section [kafka] of %s)", why, conf->path);
        rd_kafka_conf_destroy(settings);
    }
    return kafka;
}

/* ---- troubles are said once --------------------------------------------------------------- */

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct placement *placement = opaque;

    log_debug("kafka: %s: %s", rd_kafka_err2name(code), reason);
    /* "All brokers are down" follows each error of a broker and says less. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        pthread_mutex_lock(&placement->lock);
        log_url(placement->last_error, sizeof(placement->last_error), reason);
        pthread_mutex_unlock(&placement->lock);
    }
}

static void say_away(struct placement *placement, rd_kafka_resp_err_t error)
{
    char why[400];

    pthread_mutex_lock(&placement->lock);
    snprintf(why, sizeof(why), "%s%s%s", rd_kafka_err2str(error),
             *placement->last_error ? ": " : "", placement->last_error);
    pthread_mutex_unlock(&placement->lock);
    if (!placement->failures++) {
        placement->trouble_since = seconds_now();
        log_warning(1203, "kafka at %s does not answer: %s; trying again (section [kafka] of %s)",
                    placement->conf->kafka.brokers, why, placement->conf->path);
    }
}

static void say_back(struct placement *placement)
{
    if (placement->failures) {
        log_info("kafka at %s is back after %ld s", placement->conf->kafka.brokers,
                 (long)(seconds_now() - placement->trouble_since));
    }
    placement->failures = 0;
    pthread_mutex_lock(&placement->lock);
    placement->last_error[0] = '\0';
    pthread_mutex_unlock(&placement->lock);
}

/* ---- topics ------------------------------------------------------------------------------- */

struct topic_setting {
    const char *name;
    char value[32];
};

#define TOPIC_SETTINGS 4

/* How a topic of ours is made. */
static size_t topic_settings(struct topic_setting settings[TOPIC_SETTINGS], const struct conf *conf,
                             int which)
{
    const unsigned long long numbers[] = { conf->kafka.retention_ms, conf->kafka.retention_bytes,
                                           conf->kafka.segment_bytes,
                                           conf->kafka.max_message_bytes };
    static const char *const names[] = { "retention.ms", "retention.bytes", "segment.bytes",
                                         "max.message.bytes" };
    /* Small segments: only closed ones are compacted, and readers begin with all of it. */
    static const struct topic_setting compacted[TOPIC_SETTINGS] = {
        { "cleanup.policy", "compact" },
        { "segment.bytes", "16777216" },
        { "segment.ms", "3600000" },
        { "min.cleanable.dirty.ratio", "0.1" },
    };
    int i;

    if (which == STATUS) {
        memcpy(settings, compacted, sizeof(compacted));
        return TOPIC_SETTINGS;
    }
    for (i = 0; i < TOPIC_SETTINGS; i++) {
        settings[i].name = names[i];
        snprintf(settings[i].value, sizeof(settings[i].value), "%llu", numbers[i]);
    }
    return TOPIC_SETTINGS;
}

/* What an administrator would type for the same. The caller's. */
static char *admin_command(const struct conf *conf, int which, const char *name, uint32_t have,
                           uint32_t wanted)
{
    struct topic_setting settings[TOPIC_SETTINGS];
    size_t count = topic_settings(settings, conf, which);
    char *command, *longer;
    size_t i;

    command = mem_print("kafka-topics.sh --bootstrap-server %s --%s --topic %s --partitions %u",
                        conf->kafka.brokers, have ? "alter" : "create", name, wanted);
    if (!have && conf->kafka.replication) {
        longer = mem_print("%s --replication-factor %u", command, conf->kafka.replication);
        free(command);
        command = longer;
    }
    for (i = 0; i < count && !have; i++) {
        longer = mem_print("%s --config %s=%s", command, settings[i].name, settings[i].value);
        free(command);
        command = longer;
    }
    return command;
}

/* Error and text of an admin request's only topic; *why lives as long as the event. */
static rd_kafka_resp_err_t result_of(rd_kafka_event_t *event, const char **why)
{
    const rd_kafka_topic_result_t **topics = NULL;
    size_t count = 0;

    *why = rd_kafka_event_error_string(event);
    if (rd_kafka_event_error(event)) {
        return rd_kafka_event_error(event);
    }
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT) {
        topics =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    }
    else {
        topics = rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(event), &count);
    }
    if (count == 0) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (rd_kafka_topic_result_error_string(topics[0])) {
        *why = rd_kafka_topic_result_error_string(topics[0]);
    }
    return rd_kafka_topic_result_error(topics[0]);
}

/* Wait for the answer of an admin request, serving what else there is. NULL: stopped or none. */
static rd_kafka_event_t *wait_answer(struct placement *placement, rd_kafka_queue_t *answers)
{
    time_t end = seconds_now() + ADMIN_MS / 1000 + 5;
    rd_kafka_event_t *event = NULL;

    while (!event && !atomic_load(&placement->stop) && seconds_now() < end) {
        event = rd_kafka_queue_poll(answers, TICK_MS);
        rd_kafka_poll(placement->kafka, 0);
    }
    return event;
}

static void ask_for_topic(struct placement *placement, int which, uint32_t wanted,
                          rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *answers)
{
    struct topic_setting settings[TOPIC_SETTINGS];
    const struct conf *conf = placement->conf;
    size_t count = topic_settings(settings, conf, which);
    rd_kafka_NewTopic_t *topic;
    char why[200];
    size_t i;

    topic = rd_kafka_NewTopic_new(placement->topics[which].name, (int)wanted,
                                  conf->kafka.replication ? (int)conf->kafka.replication : -1, why,
                                  sizeof(why));
    for (i = 0; topic && i < count; i++) {
        rd_kafka_NewTopic_set_config(topic, settings[i].name, settings[i].value);
    }
    if (topic) {
        rd_kafka_CreateTopics(placement->kafka, &topic, 1, options, answers);
        rd_kafka_NewTopic_destroy(topic);
    }
}

static void ask_for_partitions(struct placement *placement, int which, uint32_t wanted,
                               rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *answers)
{
    char why[200];
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(placement->topics[which].name, wanted, why, sizeof(why));

    if (more) {
        rd_kafka_CreatePartitions(placement->kafka, &more, 1, options, answers);
        rd_kafka_NewPartitions_destroy(more);
    }
}

static void say_not_made(struct placement *placement, int which, uint32_t have, uint32_t wanted,
                         const char *why)
{
    struct topic *topic = &placement->topics[which];
    char *command = admin_command(placement->conf, which, topic->name, have, wanted);
    uint64_t hash = mem_hash(command) ^ mem_hash(why);

    if (hash != topic->trouble) {
        topic->trouble = hash;
        if (have) {
            log_error(1204,
                      "topic %s has %u partitions, cameras up to %u ask for %u, and they cannot be "
                      "added: %s; an administrator can: %s",
                      topic->name, have, wanted - 1, wanted, why, command);
        }
        else {
            log_error(1205, "topic %s is missing and cannot be made: %s; an administrator can: %s",
                      topic->name, why, command);
        }
    }
    free(command);
}

/* Make a topic, or add partitions to it. 1: done, it will be seen with the next look. */
static int make_topic(struct placement *placement, int which, uint32_t have, uint32_t wanted)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(placement->kafka);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(placement->kafka, have ? RD_KAFKA_ADMIN_OP_CREATEPARTITIONS
                                                         : RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *why = "no answer";
    rd_kafka_event_t *answer;
    char text[200];
    int done;

    rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, text, sizeof(text));
    if (have) {
        ask_for_partitions(placement, which, wanted, options, answers);
    }
    else {
        ask_for_topic(placement, which, wanted, options, answers);
    }
    answer = wait_answer(placement, answers);
    if (answer) {
        error = result_of(answer, &why);
    }
    done = error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
    if (!done && !atomic_load(&placement->stop)) {
        say_not_made(placement, which, have, wanted, why ? why : rd_kafka_err2str(error));
    }
    else if (!error) {
        log_info("topic %s %s %u partitions", placement->topics[which].name,
                 have ? "has now" : "was made with", wanted);
    }
    if (answer) {
        rd_kafka_event_destroy(answer);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(answers);
    return done;
}

/* Partitions that a topic has, 0: there is none. */
static uint32_t partitions_in(const struct rd_kafka_metadata *metadata, const char *name)
{
    int i;

    for (i = 0; i < metadata->topic_cnt; i++) {
        if (!strcmp(metadata->topics[i].topic, name)) {
            return metadata->topics[i].err ? 0 : (uint32_t)metadata->topics[i].partition_cnt;
        }
    }
    return 0;
}

/* Which partitions there are. All topics are asked for: a question for one by name makes it, with
 * the broker's own settings, where brokers make topics by themselves. */
static int look(struct placement *placement)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(placement->kafka, 1, NULL, &metadata, METADATA_MS);
    int changed = 0;
    int i;

    if (error) {
        say_away(placement, error);
        return -1;
    }
    say_back(placement);
    pthread_mutex_lock(&placement->lock);
    for (i = 0; i < TOPICS; i++) {
        uint32_t have = partitions_in(metadata, placement->topics[i].name);

        changed |= have != placement->topics[i].have;
        placement->topics[i].have = have;
    }
    pthread_mutex_unlock(&placement->lock);
    rd_kafka_metadata_destroy(metadata);
    if (changed) {
        placement->wake(placement->user);
    }
    return 0;
}

/* Make what is missing. 0: nothing is, 1: something was made, -1: something could not be. */
static int make_missing(struct placement *placement)
{
    int result = 0;
    int i;

    for (i = 0; i < TOPICS; i++) {
        struct topic *topic = &placement->topics[i];
        uint32_t wanted, have;
        int made;

        pthread_mutex_lock(&placement->lock);
        wanted = topic->wanted;
        have = topic->have;
        pthread_mutex_unlock(&placement->lock);
        if (have >= wanted) {
            topic->trouble = 0;
            continue;
        }
        made = make_topic(placement, i, have, wanted);
        pthread_mutex_lock(&placement->lock);
        topic->failed = !made;
        pthread_mutex_unlock(&placement->lock);
        result = made && result >= 0 ? 1 : -1;
        if (!made) {
            placement->wake(placement->user);
        }
    }
    return result;
}

/* Seconds until the next look: soon after something was made (not at once: one that exists and that
 * we may not see would be made again and again), else now and then. */
static time_t look_and_make(struct placement *placement)
{
    int made;

    if (look(placement)) {
        return (time_t)(clock_backoff_ms(placement->failures) / 1000);
    }
    made = make_missing(placement);
    return made > 0 ? 1 : LOOK_AGAIN_S;
}

/* ---- the status topic --------------------------------------------------------------------- */

static void note_record(struct placement *placement, const rd_kafka_message_t *record)
{
    uint64_t cam;

    if (!record->key || kc_wire_number_parse(&cam, record->key, record->key_len, KC_WIRE_CAM_MAX)) {
        return;
    }
    pthread_mutex_lock(&placement->lock);
    if (record->len > 0) {
        placement->flags[cam] |= ON_TOPIC;
    }
    else if (!(placement->flags[cam] & WANTED)) {
        placement->flags[cam] &= (unsigned char)~ON_TOPIC;
    }
    pthread_mutex_unlock(&placement->lock);
}

/* One partition from its beginning to its end as of now. 0, or an error. */
static rd_kafka_resp_err_t read_partition(struct placement *placement, rd_kafka_topic_t *topic,
                                          int32_t partition)
{
    time_t end = seconds_now() + READ_STATUS_S;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_message_t *record;

    if (rd_kafka_consume_start(topic, partition, RD_KAFKA_OFFSET_BEGINNING)) {
        return rd_kafka_last_error();
    }
    while (!error) {
        record = rd_kafka_consume(topic, partition, TICK_MS);
        if (record) {
            error = record->err;
            if (!error) {
                note_record(placement, record);
            }
            rd_kafka_message_destroy(record);
        }
        if (atomic_load(&placement->stop) || seconds_now() > end) {
            error = RD_KAFKA_RESP_ERR__TIMED_OUT;
        }
    }
    rd_kafka_consume_stop(topic, partition);
    return error == RD_KAFKA_RESP_ERR__PARTITION_EOF ? RD_KAFKA_RESP_ERR_NO_ERROR : error;
}

/* Which cameras have a record from former times, so that those that are gone lose it. A client of
 * its own, without a group, for these seconds. */
static void read_status(struct placement *placement, uint32_t partitions)
{
    const struct conf *conf = placement->conf;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_conf_t *settings;
    rd_kafka_topic_t *topic;
    rd_kafka_t *kafka;
    uint32_t i;
    int wrong;

    settings = settings_of(conf, &wrong);
    set(settings, "enable.partition.eof", "true");
    kafka = open_kafka(RD_KAFKA_CONSUMER, settings, conf);
    if (!kafka) {
        return;
    }
    topic = rd_kafka_topic_new(kafka, conf->kafka.status_topic, NULL);
    for (i = 0; i < partitions && !error; i++) {
        error = topic ? read_partition(placement, topic, (int32_t)i) : rd_kafka_last_error();
    }
    if (error && !atomic_load(&placement->stop)) {
        log_warning(1206, "topic %s cannot be read: %s; states of cameras that are gone may stay",
                    conf->kafka.status_topic, rd_kafka_err2str(error));
    }
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    rd_kafka_destroy(kafka);
}

static int produce(struct placement *placement, uint32_t cam, const char *text, void *opaque)
{
    char key[KC_WIRE_NUMBER_SIZE];
    size_t size = kc_wire_number_format(key, cam);
    rd_kafka_resp_err_t error;

    error = rd_kafka_producev(placement->kafka, RD_KAFKA_V_TOPIC(placement->topics[STATUS].name),
                              RD_KAFKA_V_KEY(key, size),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)text, text ? strlen(text) : 0),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(opaque),
                              RD_KAFKA_V_END);
    if (error) {
        log_debug("camera %u: status not written: %s", cam, rd_kafka_err2str(error));
    }
    return error ? -1 : 0;
}

/* Empty records for cameras that are gone, some of them in one go. One that does not arrive is sent
 * again a second later. */
static void bury(struct placement *placement)
{
    uint32_t gone[100];
    size_t count = 0, i;
    uint32_t cam;

    pthread_mutex_lock(&placement->lock);
    for (cam = 0; cam <= KC_WIRE_CAM_MAX && count < sizeof(gone) / sizeof(*gone); cam++) {
        if (placement->flags[cam] == ON_TOPIC) {
            placement->flags[cam] |= BURYING;
            gone[count++] = cam;
        }
    }
    pthread_mutex_unlock(&placement->lock);
    for (i = 0; i < count; i++) {
        if (produce(placement, gone[i], NULL, (void *)(uintptr_t)(gone[i] + 1))) {
            pthread_mutex_lock(&placement->lock);
            placement->flags[gone[i]] &= (unsigned char)~BURYING;
            pthread_mutex_unlock(&placement->lock);
        }
    }
}

/* What Kafka itself says of a state it was sent. That it is away is said elsewhere. */
static void note_answer(struct placement *placement, rd_kafka_resp_err_t error)
{
    if (error && error != placement->refusal && error > RD_KAFKA_RESP_ERR_NO_ERROR) {
        placement->refusal = error;
        log_warning(1209, "states of cameras cannot be written to topic %s: %s%s",
                    placement->topics[STATUS].name, rd_kafka_err2str(error),
                    error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                        ? " (the producer's Kafka user needs WRITE and DESCRIBE on it)"
                        : "");
    }
    else if (!error && placement->refusal) {
        placement->refusal = RD_KAFKA_RESP_ERR_NO_ERROR;
        log_info("states of cameras are written to topic %s again", placement->topics[STATUS].name);
    }
}

/* Delivery report. The opaque is the number of a buried camera, plus one. */
static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *record, void *opaque)
{
    struct placement *placement = opaque;
    uintptr_t cam = (uintptr_t)record->_private;

    if (record->err) {
        log_debug("status not written: %s", rd_kafka_err2str(record->err));
    }
    note_answer(placement, record->err);
    if (cam == 0) {
        return;
    }
    cam--;
    pthread_mutex_lock(&placement->lock);
    placement->flags[cam] &= (unsigned char)~BURYING;
    if (!record->err && !(placement->flags[cam] & WANTED)) {
        placement->flags[cam] &= (unsigned char)~ON_TOPIC;
    }
    pthread_mutex_unlock(&placement->lock);
}

static void add_numbers(json_t *object, const struct job_report *report)
{
    json_object_set_new(object, KC_WIRE_STATUS_FPS, json_real(round(report->fps_out * 100) / 100));
    json_object_set_new(object, KC_WIRE_STATUS_WIDTH, json_integer(report->width));
    json_object_set_new(object, KC_WIRE_STATUS_HEIGHT, json_integer(report->height));
    json_object_set_new(object, KC_WIRE_STATUS_BYTES_PER_S,
                        json_integer((json_int_t)report->bytes_per_s));
    json_object_set_new(object, "fps_in", json_real(round(report->fps_in * 100) / 100));
    json_object_set_new(object, "dropped", json_integer((json_int_t)report->dropped));
    json_object_set_new(object, "decode_ms", json_real(round(report->decode_ms * 1000) / 1000));
    json_object_set_new(object, "encode_ms", json_real(round(report->encode_ms * 1000) / 1000));
}

/* A state as JSON, the caller's. Text that is no UTF-8 is left out. */
static char *status_text(const struct placement *placement, const struct placement_status *status)
{
    json_t *object = json_object();
    char safe[512];
    char *text;

    json_object_set_new(object, KC_WIRE_STATUS_NAME, json_string(status->name));
    json_object_set_new(object, KC_WIRE_STATUS_STATE,
                        json_string(kc_wire_state_format(status->state)));
    json_object_set_new(object, KC_WIRE_STATUS_SINCE, json_integer((json_int_t)status->since_ms));
    json_object_set_new(object, KC_WIRE_STATUS_HOST, json_string(placement->conf->producer.host));
    if (*status->error) {
        json_object_set_new(object, KC_WIRE_STATUS_ERROR,
                            json_string(log_url(safe, sizeof(safe), status->error)));
    }
    json_object_set_new(object, "cpu", json_real(round(status->cpu * 1000) / 1000));
    json_object_set_new(object, "restarts", json_integer(status->restarts));
    if (status->report) {
        add_numbers(object, status->report);
    }
    text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    return text;
}

int placement_status(struct placement *placement, const struct placement_status *status)
{
    char *text;
    int there, rc;

    pthread_mutex_lock(&placement->lock);
    there = placement->topics[STATUS].have > 0;
    if (there) {
        placement->flags[status->cam] |= ON_TOPIC;
    }
    pthread_mutex_unlock(&placement->lock);
    /* Not before the topic is known: librdkafka's question for it would make it, the wrong way. */
    if (!there || !(text = status_text(placement, status))) {
        return -1;
    }
    rc = produce(placement, status->cam, text, NULL);
    free(text);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

void placement_cameras(struct placement *placement, const struct placement_camera *cameras,
                       size_t count)
{
    struct topic *topics = placement->topics;
    size_t i;

    pthread_mutex_lock(&placement->lock);
    for (i = 0; i <= KC_WIRE_CAM_MAX; i++) {
        placement->flags[i] &= (unsigned char)~WANTED;
    }
    topics[VIDEO].wanted = topics[SMALL].wanted = 0;
    for (i = 0; i < count; i++) {
        uint32_t partitions = cameras[i].cam + 1;

        placement->flags[cameras[i].cam] |= WANTED;
        topics[VIDEO].wanted =
            partitions > topics[VIDEO].wanted ? partitions : topics[VIDEO].wanted;
        if (cameras[i].small && partitions > topics[SMALL].wanted) {
            topics[SMALL].wanted = partitions;
        }
    }
    topics[STATUS].wanted = 1;
    for (i = 0; i < TOPICS; i++) {
        placement->look_now |= topics[i].wanted > topics[i].have && !topics[i].failed;
    }
    pthread_mutex_unlock(&placement->lock);
}

int placement_ready(struct placement *placement, uint32_t cam, int small)
{
    const struct topic *topics = placement->topics;
    int ready;

    pthread_mutex_lock(&placement->lock);
    ready =
        topics[VIDEO].have > cam && (!small || topics[SMALL].have > cam || topics[SMALL].failed);
    pthread_mutex_unlock(&placement->lock);
    return ready;
}

static int time_to_look(struct placement *placement)
{
    int now;

    pthread_mutex_lock(&placement->lock);
    now = placement->look_now;
    placement->look_now = 0;
    pthread_mutex_unlock(&placement->lock);
    return now || seconds_now() >= placement->next_look;
}

/* Nothing is buried before the table is known: until then there is no wish for a status topic. */
static void tend_status(struct placement *placement)
{
    uint32_t partitions, wanted;

    pthread_mutex_lock(&placement->lock);
    partitions = placement->topics[STATUS].have;
    wanted = placement->topics[STATUS].wanted;
    pthread_mutex_unlock(&placement->lock);
    if (!partitions || !wanted) {
        return;
    }
    if (!placement->status_read) {
        read_status(placement, partitions);
        placement->status_read = 1;
    }
    bury(placement);
}

static void *run(void *arg)
{
    struct placement *placement = arg;
    time_t next_status = 0;

    while (!atomic_load(&placement->stop)) {
        rd_kafka_poll(placement->kafka, TICK_MS);
        if (time_to_look(placement)) {
            placement->next_look = seconds_now() + look_and_make(placement);
        }
        if (seconds_now() >= next_status) {
            tend_status(placement);
            next_status = seconds_now() + 1;
        }
    }
    return NULL;
}

static rd_kafka_conf_t *status_settings(struct placement *placement)
{
    int wrong;
    rd_kafka_conf_t *settings = settings_of(placement->conf, &wrong);

    rd_kafka_conf_set_opaque(settings, placement);
    rd_kafka_conf_set_error_cb(settings, on_error);
    rd_kafka_conf_set_dr_msg_cb(settings, on_delivery);
    /* A tombstone must not overtake, nor be overtaken. */
    set(settings, "max.in.flight", "1");
    set(settings, "message.timeout.ms", "20000");
    set(settings, "queue.buffering.max.kbytes", "16384");
    set(settings, "linger.ms", "5");
    return settings;
}

int placement_start(struct placement **result, const struct conf *conf, void (*wake)(void *user),
                    void *user)
{
    struct placement *placement = mem_zeroed(1, sizeof(*placement));
    int rc;

    placement->conf = conf;
    placement->wake = wake;
    placement->user = user;
    placement->topics[VIDEO].name = conf->kafka.topic;
    placement->topics[STATUS].name = conf->kafka.status_topic;
    placement->topics[SMALL].name = conf->kafka.small_topic;
    pthread_mutex_init(&placement->lock, NULL);
    placement->kafka = open_kafka(RD_KAFKA_PRODUCER, status_settings(placement), conf);
    if (!placement->kafka) {
        free(placement);
        return -1;
    }
    rc = pthread_create(&placement->thread, NULL, run, placement);
    if (rc) {
        log_error(1207, "no thread for Kafka: %s", strerror(rc));
        rd_kafka_destroy(placement->kafka);
        free(placement);
        return -1;
    }
    *result = placement;
    return 0;
}

void placement_flush(struct placement *placement, int wait_ms)
{
    rd_kafka_flush(placement->kafka, wait_ms);
}

void placement_stop(struct placement *placement)
{
    struct timespec until;

    if (!placement) {
        return;
    }
    atomic_store(&placement->stop, 1);
    until = clock_after(CLOCK_REALTIME, 500);
    if (pthread_timedjoin_np(placement->thread, NULL, &until)) {
        return; /* waits for a broker; what it uses stays, the process ends soon */
    }
    rd_kafka_purge(placement->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(placement->kafka);
    pthread_mutex_destroy(&placement->lock);
    free(placement);
}

int placement_check(const struct conf *conf)
{
    const char *const names[] = { conf->kafka.topic, conf->kafka.status_topic };
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error;
    rd_kafka_t *kafka;
    int wrong, i;

    kafka = open_kafka(RD_KAFKA_PRODUCER, settings_of(conf, &wrong), conf);
    if (!kafka) {
        return -1;
    }
    error = rd_kafka_metadata(kafka, 1, NULL, &metadata, 2 * METADATA_MS);
    if (error) {
        log_error(1208, "kafka at %s: %s (section [kafka] of %s)", conf->kafka.brokers,
                  rd_kafka_err2str(error), conf->path);
        rd_kafka_destroy(kafka);
        return -1;
    }
    for (i = 0; i < 2; i++) {
        uint32_t have = partitions_in(metadata, names[i]);

        if (have) {
            log_info("kafka at %s: topic %s has %u partitions", conf->kafka.brokers, names[i],
                     have);
        }
        else {
            log_info("kafka at %s: topic %s is missing and will be made", conf->kafka.brokers,
                     names[i]);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(kafka);
    return 0;
}
