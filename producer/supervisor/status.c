#include "status.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "kafka.h"
#include "kc_wire.h"
#include "mem.h"

#define TICK_MS   100
#define BURY_MS   1000
#define BURY_MAX  100   /* at one go */
#define REOPEN_MS 30000 /* after the topic could not be read */

/* What is known of a camera's record in the status topic. */
enum {
    WANTED = 1,   /* there is such a camera */
    ON_TOPIC = 2, /* somebody wrote about it */
    BURYING = 4   /* an empty record is on its way */
};

struct seen {
    uint64_t epoch_ms; /* highest that was seen in its records */
    unsigned char flags;
};

struct status {
    const struct conf *conf; /* set at creation, never changes */
    struct topics *topics;
    rd_kafka_t *writer; /* thread-safe */
    pthread_t thread;
    atomic_int stop;

    rd_kafka_t *reader; /* the thread's own, NULL: not open */
    uint32_t reading;   /* the thread's own: partitions that are read */
    uint32_t at_end;    /* and those of which all is known */
    uint64_t reopen_ms, bury_ms;
    int known;                   /* the thread's own: all there was is read, or cannot be */
    int refused;                 /* that it cannot be read was said */
    rd_kafka_resp_err_t refusal; /* the writer's callbacks': of a state, said so far */

    pthread_mutex_t lock; /* guards everything below */
    int told;             /* which cameras there are is known */
    struct seen seen[KC_WIRE_CAM_MAX + 1];
};

/* ---- reading ------------------------------------------------------------------------------ */

static void note_value(struct status *status, uint32_t cam, const rd_kafka_message_t *record)
{
    struct seen *seen = &status->seen[cam];
    json_t *object = json_loadb(record->payload, record->len, 0, NULL);
    json_int_t epoch = json_integer_value(json_object_get(object, KC_WIRE_STATUS_EPOCH));

    pthread_mutex_lock(&status->lock);
    seen->flags |= ON_TOPIC;
    if (epoch > 0 && epoch < KC_WIRE_NUMBER_MAX && (uint64_t)epoch > seen->epoch_ms) {
        seen->epoch_ms = (uint64_t)epoch;
    }
    pthread_mutex_unlock(&status->lock);
    json_decref(object);
}

static void note_record(struct status *status, const rd_kafka_message_t *record)
{
    uint64_t cam;

    if (!record->key || kc_wire_number_parse(&cam, record->key, record->key_len, KC_WIRE_CAM_MAX)) {
        return;
    }
    if (record->len > 0) {
        note_value(status, (uint32_t)cam, record);
        return;
    }
    pthread_mutex_lock(&status->lock);
    if (!(status->seen[cam].flags & WANTED)) {
        status->seen[cam].flags &= (unsigned char)~ON_TOPIC;
    }
    pthread_mutex_unlock(&status->lock);
}

static void close_reader(struct status *status)
{
    if (status->reader) {
        rd_kafka_destroy(status->reader);
    }
    status->reader = NULL;
}

/* Said once. What it costs: states of cameras that are gone may stay, and how high its
 * epochs were is not known. */
static void reading_failed(struct status *status, rd_kafka_resp_err_t error)
{
    if (!status->refused) {
        status->refused = 1;
        log_warning(1206,
                    "topic %s cannot be read: %s; states of cameras that are gone may stay (the "
                    "producer's Kafka user needs READ and DESCRIBE on it)",
                    status->conf->kafka.status_topic, rd_kafka_err2str(error));
    }
    close_reader(status);
    status->reopen_ms = clock_mono_ms() + REOPEN_MS;
    status->known = 1; /* as far as it can be */
}

/* From the beginning of all partitions on, without a group. */
static void open_reader(struct status *status, uint32_t partitions)
{
    static const struct kafka_preset presets[] = {
        { "client.id", "kafkacam-producer", 0 },
        { "group.id", "none", 0 }, /* librdkafka wants a name; it is not used */
        { "enable.auto.commit", "false", 0 },
        { "enable.auto.offset.store", "false", 0 },
        { "enable.partition.eof", "true", 0 },
        { "auto.offset.reset", "earliest", 0 },
        { NULL, NULL, 0 },
    };
    const struct kafka_given given = { status->conf->kafka.properties,
                                       status->conf->kafka.property_count, status->conf->path };
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)partitions);
    uint32_t i;

    for (i = 0; i < partitions; i++) {
        rd_kafka_topic_partition_list_add(list, status->conf->kafka.status_topic, (int32_t)i)
            ->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    status->reader = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(presets, &given), status->conf->path);
    status->reading = partitions;
    status->at_end = 0;
    status->reopen_ms = clock_mono_ms() + REOPEN_MS;
    if (status->reader) {
        rd_kafka_poll_set_consumer(status->reader);
        rd_kafka_assign(status->reader, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void take_message(struct status *status, const rd_kafka_message_t *record)
{
    switch (record->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        note_record(status, record);
        break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (++status->at_end == status->reading) {
            status->known = 1;
            status->refused = 0;
        }
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        reading_failed(status, record->err);
        break;
    default:
        log_debug("topic %s: %s", status->conf->kafka.status_topic,
                  rd_kafka_err2str(record->err)); /* librdkafka tries again */
        break;
    }
}

/* What has arrived, for at most TICK_MS. */
static void read_some(struct status *status)
{
    uint64_t end = clock_mono_ms() + TICK_MS;
    rd_kafka_message_t *record;
    int wait_ms = TICK_MS;

    while (status->reader && clock_mono_ms() <= end) {
        record = rd_kafka_consumer_poll(status->reader, wait_ms);
        if (!record) {
            return;
        }
        take_message(status, record);
        rd_kafka_message_destroy(record);
        wait_ms = 0;
    }
}

/* ---- writing ------------------------------------------------------------------------------ */

static int produce(struct status *status, uint32_t cam, const char *text, void *opaque)
{
    char key[KC_WIRE_NUMBER_SIZE];
    size_t size = kc_wire_number_format(key, cam);
    rd_kafka_resp_err_t error;

    error = rd_kafka_producev(status->writer, RD_KAFKA_V_TOPIC(status->conf->kafka.status_topic),
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
static void bury(struct status *status)
{
    uint32_t gone[BURY_MAX];
    size_t count = 0, i;
    uint32_t cam;

    pthread_mutex_lock(&status->lock);
    for (cam = 0; cam <= KC_WIRE_CAM_MAX && count < BURY_MAX; cam++) {
        if (status->seen[cam].flags == ON_TOPIC) {
            status->seen[cam].flags |= BURYING;
            gone[count++] = cam;
        }
    }
    pthread_mutex_unlock(&status->lock);
    for (i = 0; i < count; i++) {
        if (produce(status, gone[i], NULL, (void *)(uintptr_t)(gone[i] + 1))) {
            pthread_mutex_lock(&status->lock);
            status->seen[gone[i]].flags &= (unsigned char)~BURYING;
            pthread_mutex_unlock(&status->lock);
        }
    }
}

/* What Kafka itself says of a state it was sent. That it is away is said elsewhere. */
static void note_answer(struct status *status, rd_kafka_resp_err_t error)
{
    if (error && error != status->refusal && error > RD_KAFKA_RESP_ERR_NO_ERROR) {
        status->refusal = error;
        log_warning(1209, "states of cameras cannot be written to topic %s: %s%s",
                    status->conf->kafka.status_topic, rd_kafka_err2str(error),
                    error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                        ? " (the producer's Kafka user needs WRITE and DESCRIBE on it)"
                        : "");
    }
    else if (!error && status->refusal) {
        status->refusal = RD_KAFKA_RESP_ERR_NO_ERROR;
        log_info("states of cameras are written to topic %s again",
                 status->conf->kafka.status_topic);
    }
}

/* Delivery report. The opaque is the number of a buried camera, plus one. */
static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *record, void *opaque)
{
    struct status *status = opaque;
    uintptr_t cam = (uintptr_t)record->_private;

    if (record->err) {
        log_debug("status not written: %s", rd_kafka_err2str(record->err));
    }
    note_answer(status, record->err);
    if (cam == 0) {
        return;
    }
    cam--;
    pthread_mutex_lock(&status->lock);
    status->seen[cam].flags &= (unsigned char)~BURYING;
    if (!record->err && !(status->seen[cam].flags & WANTED)) {
        status->seen[cam].flags &= (unsigned char)~ON_TOPIC;
    }
    pthread_mutex_unlock(&status->lock);
}

static void add_numbers(json_t *object, const struct job_report *report)
{
    json_object_set_new(object, KC_WIRE_STATUS_FPS, json_real(round(report->fps_out * 100) / 100));
    json_object_set_new(object, KC_WIRE_STATUS_WIDTH, json_integer(report->width));
    json_object_set_new(object, KC_WIRE_STATUS_HEIGHT, json_integer(report->height));
    json_object_set_new(object, KC_WIRE_STATUS_BYTES_PER_S,
                        json_integer((json_int_t)report->bytes_per_s));
    json_object_set_new(object, KC_WIRE_STATUS_FPS_IN,
                        json_real(round(report->fps_in * 100) / 100));
    json_object_set_new(object, KC_WIRE_STATUS_DROPPED, json_integer((json_int_t)report->dropped));
    json_object_set_new(object, KC_WIRE_STATUS_DECODE_MS,
                        json_real(round(report->decode_ms * 1000) / 1000));
    json_object_set_new(object, KC_WIRE_STATUS_ENCODE_MS,
                        json_real(round(report->encode_ms * 1000) / 1000));
}

/* A state as JSON, the caller's. Text that is no UTF-8 is left out. */
static char *text_of(const struct status *status, const struct status_state *state)
{
    json_t *object = json_object();
    char safe[512];
    char *text;

    json_object_set_new(object, KC_WIRE_STATUS_NAME, json_string(state->name));
    json_object_set_new(object, KC_WIRE_STATUS_STATE,
                        json_string(kc_wire_state_format(state->state)));
    json_object_set_new(object, KC_WIRE_STATUS_SINCE, json_integer((json_int_t)state->since_ms));
    json_object_set_new(object, KC_WIRE_STATUS_HOST, json_string(status->conf->producer.host));
    if (state->epoch_ms) {
        json_object_set_new(object, KC_WIRE_STATUS_EPOCH,
                            json_integer((json_int_t)state->epoch_ms));
    }
    if (*state->error) {
        json_object_set_new(object, KC_WIRE_STATUS_ERROR,
                            json_string(log_url(safe, sizeof(safe), state->error)));
    }
    json_object_set_new(object, KC_WIRE_STATUS_CPU, json_real(round(state->cpu * 1000) / 1000));
    json_object_set_new(object, KC_WIRE_STATUS_RESTARTS, json_integer(state->restarts));
    if (state->report) {
        add_numbers(object, state->report);
    }
    text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    return text;
}

int status_write(struct status *status, const struct status_state *state)
{
    char *text;
    int rc;

    /* Not before the topic is known: librdkafka's question for it would make it, the wrong way. */
    if (!topics_partitions(status->topics, TOPICS_STATUS) || !(text = text_of(status, state))) {
        return -1;
    }
    pthread_mutex_lock(&status->lock);
    status->seen[state->cam].flags |= ON_TOPIC;
    pthread_mutex_unlock(&status->lock);
    rc = produce(status, state->cam, text, NULL);
    free(text);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

void status_cameras(struct status *status, const uint32_t *cameras, size_t count)
{
    size_t i;

    pthread_mutex_lock(&status->lock);
    for (i = 0; i <= KC_WIRE_CAM_MAX; i++) {
        status->seen[i].flags &= (unsigned char)~WANTED;
    }
    for (i = 0; i < count; i++) {
        status->seen[cameras[i]].flags |= WANTED;
    }
    status->told = 1;
    pthread_mutex_unlock(&status->lock);
}

uint64_t status_epoch(struct status *status, uint32_t cam)
{
    uint64_t epoch_ms;

    pthread_mutex_lock(&status->lock);
    epoch_ms = status->seen[cam].epoch_ms;
    pthread_mutex_unlock(&status->lock);
    return epoch_ms;
}

/* Nothing is read or buried before the table is known. */
static void tend(struct status *status)
{
    uint32_t partitions = topics_partitions(status->topics, TOPICS_STATUS);
    uint64_t now = clock_mono_ms();
    int told;

    pthread_mutex_lock(&status->lock);
    told = status->told;
    pthread_mutex_unlock(&status->lock);
    if (!partitions || !told) {
        return;
    }
    if ((!status->reader && now >= status->reopen_ms) ||
        (status->reader && status->reading != partitions)) {
        close_reader(status);
        open_reader(status, partitions);
    }
    if (status->known && now >= status->bury_ms) {
        bury(status);
        status->bury_ms = now + BURY_MS;
    }
}

static void *run(void *arg)
{
    struct status *status = arg;

    while (!atomic_load(&status->stop)) {
        rd_kafka_poll(status->writer, status->reader ? 0 : TICK_MS);
        tend(status);
        read_some(status);
    }
    close_reader(status);
    return NULL;
}

static rd_kafka_t *open_writer(struct status *status)
{
    static const struct kafka_preset presets[] = {
        { "client.id", "kafkacam-producer", 0 },
        { "max.in.flight", "1", 0 }, /* an empty record must not overtake, nor be overtaken */
        { "message.timeout.ms", "20000", 0 },
        { "queue.buffering.max.kbytes", "16384", 0 },
        { "linger.ms", "5", 0 },
        { NULL, NULL, 0 },
    };
    const struct kafka_given given = { status->conf->kafka.properties,
                                       status->conf->kafka.property_count, status->conf->path };
    rd_kafka_conf_t *settings = kafka_conf(presets, &given);

    if (settings) {
        rd_kafka_conf_set_opaque(settings, status);
        rd_kafka_conf_set_dr_msg_cb(settings, on_delivery);
    }
    return kafka_open(RD_KAFKA_PRODUCER, settings, status->conf->path);
}

int status_start(struct status **result, const struct conf *conf, struct topics *topics)
{
    struct status *status = mem_zeroed(1, sizeof(*status));
    int rc;

    status->conf = conf;
    status->topics = topics;
    pthread_mutex_init(&status->lock, NULL);
    status->writer = open_writer(status);
    if (!status->writer) {
        free(status);
        return -1;
    }
    rc = pthread_create(&status->thread, NULL, run, status);
    if (rc) {
        log_error(1610, "no thread for the states in Kafka: %s", strerror(rc));
        rd_kafka_destroy(status->writer);
        free(status);
        return -1;
    }
    *result = status;
    return 0;
}

void status_flush(struct status *status, int wait_ms)
{
    rd_kafka_flush(status->writer, wait_ms);
}

void status_stop(struct status *status)
{
    struct timespec until;

    if (!status) {
        return;
    }
    atomic_store(&status->stop, 1);
    until = clock_after(CLOCK_REALTIME, 500);
    if (pthread_timedjoin_np(status->thread, NULL, &until)) {
        return; /* waits for a broker; what it uses stays, the process ends soon */
    }
    rd_kafka_purge(status->writer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(status->writer);
    pthread_mutex_destroy(&status->lock);
    free(status);
}
