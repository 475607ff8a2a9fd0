#include "topics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "clock.h"
#include "kafka.h"
#include "kc_wire.h"
#include "mem.h"
#include "once.h"

#define TICK_MS       100
#define METADATA_MS   5000
#define ADMIN_MS      15000
#define LOOK_AGAIN_MS 30000 /* topics are looked at this often: somebody may have deleted one */
#define SOON_MS       1000

struct topic {
    const char *name;    /* conf's */
    struct once trouble; /* the thread's */
    uint32_t wanted;     /* partitions; guarded by the lock */
    uint32_t have;       /* guarded by the lock */
    int failed;          /* guarded by the lock: could not be had when last tried */
};

struct topics {
    const struct conf *conf; /* set at creation, never changes */
    void (*wake)(void *user);
    void *user;
    rd_kafka_t *kafka; /* thread-safe */
    pthread_t thread;
    atomic_int stop;

    unsigned failures; /* the thread's own */
    uint64_t trouble_ms, look_ms;

    pthread_mutex_t lock; /* guards everything below, and in topics what says so */
    struct topic topics[TOPICS];
    int look_now;
    char last_error[300]; /* that librdkafka reported by itself */
};

/* ---- troubles are said once --------------------------------------------------------------- */

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct topics *topics = opaque;

    log_debug("kafka: %s: %s", rd_kafka_err2name(code), reason);
    /* "All brokers are down" follows each error of a broker and says less. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        pthread_mutex_lock(&topics->lock);
        log_url(topics->last_error, sizeof(topics->last_error), reason);
        pthread_mutex_unlock(&topics->lock);
    }
}

static void say_away(struct topics *topics, rd_kafka_resp_err_t error)
{
    char why[400];

    pthread_mutex_lock(&topics->lock);
    snprintf(why, sizeof(why), "%s%s%s", rd_kafka_err2str(error), *topics->last_error ? ": " : "",
             topics->last_error);
    pthread_mutex_unlock(&topics->lock);
    if (!topics->failures++) {
        topics->trouble_ms = clock_mono_ms();
        log_warning(1203, "kafka at %s does not answer: %s; trying again (section [kafka] of %s)",
                    topics->conf->kafka.brokers, why, topics->conf->path);
    }
}

static void say_back(struct topics *topics)
{
    if (topics->failures) {
        log_info("kafka at %s is back after %llu s", topics->conf->kafka.brokers,
                 (unsigned long long)(clock_mono_ms() - topics->trouble_ms) / 1000);
    }
    topics->failures = 0;
    pthread_mutex_lock(&topics->lock);
    topics->last_error[0] = '\0';
    pthread_mutex_unlock(&topics->lock);
}

/* ---- making ------------------------------------------------------------------------------- */

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

    if (which == TOPICS_STATUS) {
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
static rd_kafka_event_t *wait_answer(struct topics *topics, rd_kafka_queue_t *answers)
{
    uint64_t end = clock_mono_ms() + ADMIN_MS + 5000;
    rd_kafka_event_t *event = NULL;

    while (!event && !atomic_load(&topics->stop) && clock_mono_ms() < end) {
        event = rd_kafka_queue_poll(answers, TICK_MS);
        rd_kafka_poll(topics->kafka, 0);
    }
    return event;
}

static void ask_for_topic(struct topics *topics, int which, uint32_t wanted,
                          rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *answers)
{
    struct topic_setting settings[TOPIC_SETTINGS];
    const struct conf *conf = topics->conf;
    size_t count = topic_settings(settings, conf, which);
    rd_kafka_NewTopic_t *topic;
    char why[200];
    size_t i;

    topic = rd_kafka_NewTopic_new(topics->topics[which].name, (int)wanted,
                                  conf->kafka.replication ? (int)conf->kafka.replication : -1, why,
                                  sizeof(why));
    for (i = 0; topic && i < count; i++) {
        rd_kafka_NewTopic_set_config(topic, settings[i].name, settings[i].value);
    }
    if (topic) {
        rd_kafka_CreateTopics(topics->kafka, &topic, 1, options, answers);
        rd_kafka_NewTopic_destroy(topic);
    }
}

static void ask_for_partitions(struct topics *topics, int which, uint32_t wanted,
                               rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *answers)
{
    char why[200];
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(topics->topics[which].name, wanted, why, sizeof(why));

    if (more) {
        rd_kafka_CreatePartitions(topics->kafka, &more, 1, options, answers);
        rd_kafka_NewPartitions_destroy(more);
    }
}

static void say_not_made(struct topics *topics, int which, uint32_t have, uint32_t wanted,
                         const char *why)
{
    struct topic *topic = &topics->topics[which];
    char *command = admin_command(topics->conf, which, topic->name, have, wanted);
    char *text = mem_print("%s: %s", why, command);

    if (!once_new(&topic->trouble, text)) {
        /* said before */
    }
    else if (have) {
        log_error(1204,
                  "topic %s has %u partitions, cameras up to %u ask for %u, and they cannot be "
                  "added: %s; an administrator can: %s",
                  topic->name, have, wanted - 1, wanted, why, command);
    }
    else {
        log_error(1205, "topic %s is missing and cannot be made: %s; an administrator can: %s",
                  topic->name, why, command);
    }
    free(text);
    free(command);
}

/* Make a topic, or add partitions to it. 1: done, it will be seen with the next look. */
static int make_topic(struct topics *topics, int which, uint32_t have, uint32_t wanted)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(topics->kafka);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(
        topics->kafka, have ? RD_KAFKA_ADMIN_OP_CREATEPARTITIONS : RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *why = "no answer";
    rd_kafka_event_t *answer;
    char text[200];
    int done;

    rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, text, sizeof(text));
    if (have) {
        ask_for_partitions(topics, which, wanted, options, answers);
    }
    else {
        ask_for_topic(topics, which, wanted, options, answers);
    }
    answer = wait_answer(topics, answers);
    if (answer) {
        error = result_of(answer, &why);
    }
    /* Somebody else was there first, another host perhaps: look again. */
    done = error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ||
           error == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS;
    if (!done && !atomic_load(&topics->stop)) {
        say_not_made(topics, which, have, wanted, why ? why : rd_kafka_err2str(error));
    }
    else if (!error) {
        log_info("topic %s %s %u partitions", topics->topics[which].name,
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
static int look(struct topics *topics)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(topics->kafka, 1, NULL, &metadata, METADATA_MS);
    int changed = 0;
    int i;

    if (error) {
        say_away(topics, error);
        return -1;
    }
    say_back(topics);
    pthread_mutex_lock(&topics->lock);
    for (i = 0; i < TOPICS; i++) {
        uint32_t have = partitions_in(metadata, topics->topics[i].name);

        changed |= have != topics->topics[i].have;
        topics->topics[i].have = have;
    }
    pthread_mutex_unlock(&topics->lock);
    rd_kafka_metadata_destroy(metadata);
    if (changed) {
        topics->wake(topics->user);
    }
    return 0;
}

/* Make what is missing. 0: nothing is, 1: something was made, -1: something could not be. */
static int make_missing(struct topics *topics)
{
    int result = 0;
    int i;

    for (i = 0; i < TOPICS; i++) {
        struct topic *topic = &topics->topics[i];
        uint32_t wanted, have;
        int made;

        pthread_mutex_lock(&topics->lock);
        wanted = topic->wanted;
        have = topic->have;
        pthread_mutex_unlock(&topics->lock);
        if (have >= wanted) {
            once_forget(&topic->trouble);
            continue;
        }
        made = make_topic(topics, i, have, wanted);
        pthread_mutex_lock(&topics->lock);
        topic->failed = !made;
        pthread_mutex_unlock(&topics->lock);
        result = made && result >= 0 ? 1 : -1;
        if (!made) {
            topics->wake(topics->user);
        }
    }
    return result;
}

/* Milliseconds until the next look: soon after something was made (not at once: one that exists and
 * that we may not see would be made again and again), else now and then. */
static uint32_t look_and_make(struct topics *topics)
{
    if (look(topics)) {
        return clock_backoff_ms(topics->failures);
    }
    return make_missing(topics) > 0 ? SOON_MS : LOOK_AGAIN_MS;
}

/* ---- the whole ---------------------------------------------------------------------------- */

void topics_want(struct topics *topics, const struct topics_camera *cameras, size_t count)
{
    struct topic *all = topics->topics;
    size_t i;

    pthread_mutex_lock(&topics->lock);
    all[TOPICS_VIDEO].wanted = all[TOPICS_SMALL].wanted = 0;
    for (i = 0; i < count; i++) {
        uint32_t partitions = cameras[i].cam + 1;

        if (partitions > all[TOPICS_VIDEO].wanted) {
            all[TOPICS_VIDEO].wanted = partitions;
        }
        if (cameras[i].small && partitions > all[TOPICS_SMALL].wanted) {
            all[TOPICS_SMALL].wanted = partitions;
        }
    }
    all[TOPICS_STATUS].wanted = 1;
    for (i = 0; i < TOPICS; i++) {
        topics->look_now |= all[i].wanted > all[i].have && !all[i].failed;
    }
    pthread_mutex_unlock(&topics->lock);
}

int topics_ready(struct topics *topics, uint32_t cam, int small)
{
    const struct topic *all = topics->topics;
    int ready;

    pthread_mutex_lock(&topics->lock);
    ready = all[TOPICS_VIDEO].have > cam &&
            (!small || all[TOPICS_SMALL].have > cam || all[TOPICS_SMALL].failed);
    pthread_mutex_unlock(&topics->lock);
    return ready;
}

uint32_t topics_partitions(struct topics *topics, enum topics_which which)
{
    uint32_t have;

    pthread_mutex_lock(&topics->lock);
    have = topics->topics[which].have;
    pthread_mutex_unlock(&topics->lock);
    return have;
}

static int time_to_look(struct topics *topics)
{
    int now;

    pthread_mutex_lock(&topics->lock);
    now = topics->look_now;
    topics->look_now = 0;
    pthread_mutex_unlock(&topics->lock);
    return now || clock_mono_ms() >= topics->look_ms;
}

static void *run(void *arg)
{
    struct topics *topics = arg;

    while (!atomic_load(&topics->stop)) {
        rd_kafka_poll(topics->kafka, TICK_MS);
        if (time_to_look(topics)) {
            topics->look_ms = clock_mono_ms() + look_and_make(topics);
        }
    }
    return NULL;
}

static rd_kafka_t *open_client(struct topics *topics)
{
    static const struct kafka_preset presets[] = { { "client.id", "kafkacam-producer", 0 },
                                                   { NULL, NULL, 0 } };
    const struct kafka_given given = { topics->conf->kafka.properties,
                                       topics->conf->kafka.property_count, topics->conf->path };
    rd_kafka_conf_t *settings = kafka_conf(presets, &given);

    if (settings) {
        rd_kafka_conf_set_opaque(settings, topics);
        rd_kafka_conf_set_error_cb(settings, on_error);
    }
    return kafka_open(RD_KAFKA_PRODUCER, settings, topics->conf->path);
}

int topics_start(struct topics **result, const struct conf *conf, void (*wake)(void *user),
                 void *user)
{
    struct topics *topics = mem_zeroed(1, sizeof(*topics));
    int rc;

    topics->conf = conf;
    topics->wake = wake;
    topics->user = user;
    topics->topics[TOPICS_VIDEO].name = conf->kafka.topic;
    topics->topics[TOPICS_STATUS].name = conf->kafka.status_topic;
    topics->topics[TOPICS_SMALL].name = conf->kafka.small_topic;
    pthread_mutex_init(&topics->lock, NULL);
    topics->kafka = open_client(topics);
    if (!topics->kafka) {
        free(topics);
        return -1;
    }
    rc = pthread_create(&topics->thread, NULL, run, topics);
    if (rc) {
        log_error(1207, "no thread for Kafka: %s", strerror(rc));
        rd_kafka_destroy(topics->kafka);
        free(topics);
        return -1;
    }
    *result = topics;
    return 0;
}

void topics_stop(struct topics *topics)
{
    struct timespec until;

    if (!topics) {
        return;
    }
    atomic_store(&topics->stop, 1);
    until = clock_after(CLOCK_REALTIME, 500);
    if (pthread_timedjoin_np(topics->thread, NULL, &until)) {
        return; /* waits for a broker; what it uses stays, the process ends soon */
    }
    rd_kafka_destroy(topics->kafka);
    pthread_mutex_destroy(&topics->lock);
    free(topics);
}

/* Whether a client is told to use Kerberos: librdkafka starts kinit for it, which a camera in its
 * sandbox may not. */
static int is_kerberos(const rd_kafka_conf_t *settings)
{
    char protocol[40] = "", mechanism[40] = "";
    size_t size = sizeof(protocol);

    rd_kafka_conf_get(settings, "security.protocol", protocol, &size);
    size = sizeof(mechanism);
    rd_kafka_conf_get(settings, "sasl.mechanisms", mechanism, &size);
    return !strncasecmp(protocol, "sasl", 4) && !strcasecmp(mechanism, "GSSAPI");
}

int topics_settings_check(const struct conf *conf)
{
    const struct kafka_given given = { conf->kafka.properties, conf->kafka.property_count,
                                       conf->path };
    const struct job job = { .settings = conf->cameras };
    rd_kafka_conf_t *settings = kafka_live_conf(&given, &job);
    rd_kafka_t *kafka;

    if (settings && is_kerberos(settings)) {
        log_error(1611,
                  "%s: SASL with mechanism GSSAPI (Kerberos) needs a program that renews tickets, "
                  "which a camera's process may not start; use kafka.sasl.mechanisms = "
                  "SCRAM-SHA-512, or certificates",
                  conf->path);
        rd_kafka_conf_destroy(settings);
        return -1;
    }
    kafka = kafka_open(RD_KAFKA_PRODUCER, settings, conf->path);
    if (!kafka) {
        return -1;
    }
    rd_kafka_destroy(kafka);
    return 0;
}

int topics_check(const struct conf *conf)
{
    const struct kafka_given given = { conf->kafka.properties, conf->kafka.property_count,
                                       conf->path };
    const char *const names[] = { conf->kafka.topic, conf->kafka.status_topic };
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error;
    rd_kafka_t *kafka;
    int i;

    kafka = kafka_open(RD_KAFKA_PRODUCER, kafka_conf(NULL, &given), conf->path);
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
