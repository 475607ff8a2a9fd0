#include "config.h"
#include "sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "kafka.h"
#include "mem.h"

struct sink {
    const struct job *job;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topics[SINK_TOPICS];
    struct sink_counts counts[SINK_TOPICS];
    char key[KC_WIRE_NUMBER_SIZE];
    size_t key_size;
    const char *brokers;   /* the job's */
    uint64_t away_ms;      /* monotonic, 0: the broker takes pictures */
    uint64_t away_dropped; /* since then */
    int size_refused;      /* said so already */
};

static void broker_away(struct sink *sink, const char *why)
{
    if (sink->away_ms) {
        return;
    }
    sink->away_ms = clock_mono_ms();
    sink->away_dropped = 0;
    log_warning(1530, "Kafka at %s takes no pictures: %s; they are dropped until it does",
                sink->brokers, why);
}

static void broker_back(struct sink *sink)
{
    if (!sink->away_ms) {
        return;
    }
    log_info("Kafka takes pictures again after %llu s, %llu dropped",
             (unsigned long long)(clock_mono_ms() - sink->away_ms) / 1000,
             (unsigned long long)sink->away_dropped);
    sink->away_ms = 0;
}

static void lost(struct sink *sink, enum sink_topic topic, rd_kafka_resp_err_t error)
{
    sink->counts[topic].dropped++;
    switch (error) {
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        break; /* we did that */
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        if (!sink->size_refused) {
            log_warning(1531,
                        "Kafka refuses pictures as too large; raise max.message.bytes of "
                        "topic %s or lower max_frame_bytes, quality or width",
                        topic == SINK_WHOLE ? sink->job->topic : sink->job->small_topic);
            sink->size_refused = 1;
        }
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        broker_away(sink, "its user needs WRITE and DESCRIBE on the topic");
        break;
    default:
        broker_away(sink, rd_kafka_err2str(error));
        break;
    }
    sink->away_dropped++;
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *baton)
{
    struct sink *sink = baton;
    enum sink_topic topic = (enum sink_topic)(intptr_t)message->_private;

    if (message->err) {
        lost(sink, topic, message->err);
        return;
    }
    sink->counts[topic].taken++;
    sink->counts[topic].bytes += message->len;
    broker_back(sink);
}

static void on_error(rd_kafka_t *kafka, int error, const char *reason, void *baton)
{
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
        error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL ||
        error == RD_KAFKA_RESP_ERR__RESOLVE) {
        broker_away(baton, reason);
    }
    else {
        log_debug("Kafka: %s", reason);
    }
}

static rd_kafka_t *open_client(struct sink *sink)
{
    const struct kafka_given given = { sink->job->kafka, sink->job->kafka_count, NULL };
    rd_kafka_conf_t *conf = kafka_live_conf(&given, sink->job);

    sink->brokers = kafka_brokers(&given);
    if (conf) {
        rd_kafka_conf_set_opaque(conf, sink);
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rd_kafka_conf_set_error_cb(conf, on_error);
    }
    return kafka_open(RD_KAFKA_PRODUCER, conf, NULL);
}

static int open_topic(struct sink *sink, enum sink_topic topic, const char *name)
{
    sink->topics[topic] = rd_kafka_topic_new(sink->kafka, name, NULL);
    if (!sink->topics[topic]) {
        log_error(1533, "Kafka topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
        return -1;
    }
    return 0;
}

int sink_open(struct sink **result, const struct job *job)
{
    struct sink *sink = mem_zeroed(1, sizeof(*sink));
    int rc = -1;

    sink->job = job;
    sink->key_size = kc_wire_number_format(sink->key, job->cam);
    sink->kafka = open_client(sink);
    if (!sink->kafka) {
        goto out;
    }
    if (open_topic(sink, SINK_WHOLE, job->topic) ||
        (job->settings.small_width && open_topic(sink, SINK_SMALL, job->small_topic))) {
        goto out;
    }
    *result = sink;
    sink = NULL;
    rc = 0;
out:
    sink_close(sink, 0);
    return rc;
}

void sink_close(struct sink *sink, int wait_ms)
{
    int i;

    if (!sink) {
        return;
    }
    if (sink->kafka) {
        if (wait_ms > 0) {
            rd_kafka_flush(sink->kafka, wait_ms);
        }
        rd_kafka_purge(sink->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_poll(sink->kafka, 0);
    }
    for (i = 0; i < SINK_TOPICS; i++) {
        if (sink->topics[i]) {
            rd_kafka_topic_destroy(sink->topics[i]);
        }
    }
    if (sink->kafka) {
        rd_kafka_destroy(sink->kafka);
    }
    free(sink);
}

struct header_text {
    char text[KC_WIRE_NUMBER_SIZE];
    size_t size;
};

static rd_kafka_resp_err_t produce(struct sink *sink, enum sink_topic topic, const uint8_t *jpeg,
                                   size_t size, const struct kc_wire_meta *meta)
{
    struct header_text us, seq, epoch, w, h;

    us.size = kc_wire_number_format(us.text, meta->captured_us);
    seq.size = kc_wire_number_format(seq.text, meta->seq);
    epoch.size = kc_wire_number_format(epoch.text, meta->epoch_ms);
    w.size = kc_wire_number_format(w.text, meta->width);
    h.size = kc_wire_number_format(h.text, meta->height);
    return rd_kafka_producev(
        sink->kafka, RD_KAFKA_V_RKT(sink->topics[topic]),
        RD_KAFKA_V_PARTITION((int32_t)sink->job->cam), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(sink->key, sink->key_size), RD_KAFKA_V_VALUE((void *)(intptr_t)jpeg, size),
        RD_KAFKA_V_TIMESTAMP((int64_t)(meta->captured_us / 1000)),
        RD_KAFKA_V_HEADER(KC_WIRE_HEADER_CAPTURED, us.text, (ssize_t)us.size),
        RD_KAFKA_V_HEADER(KC_WIRE_HEADER_SEQ, seq.text, (ssize_t)seq.size),
        RD_KAFKA_V_HEADER(KC_WIRE_HEADER_EPOCH, epoch.text, (ssize_t)epoch.size),
        RD_KAFKA_V_HEADER(KC_WIRE_HEADER_WIDTH, w.text, (ssize_t)w.size),
        RD_KAFKA_V_HEADER(KC_WIRE_HEADER_HEIGHT, h.text, (ssize_t)h.size),
        RD_KAFKA_V_OPAQUE((void *)(intptr_t)topic), RD_KAFKA_V_END);
}

int sink_send(struct sink *sink, enum sink_topic topic, const uint8_t *jpeg, size_t size,
              const struct kc_wire_meta *meta)
{
    rd_kafka_resp_err_t error = produce(sink, topic, jpeg, size, meta);

    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        /* Everything in the queue is older than this picture and nobody waits for it. */
        rd_kafka_purge(sink->kafka, RD_KAFKA_PURGE_F_QUEUE);
        rd_kafka_poll(sink->kafka, 0); /* a purged picture leaves the count with its report */
        error = produce(sink, topic, jpeg, size, meta);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            sink->counts[topic].dropped++;
            sink->away_dropped++;
            return 0;
        }
    }
    if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return -1;
    }
    if (error) {
        lost(sink, topic, error);
    }
    return 0;
}

void sink_poll(struct sink *sink)
{
    rd_kafka_poll(sink->kafka, 0);
}

struct sink_counts sink_counts(const struct sink *sink, enum sink_topic topic)
{
    return sink->counts[topic];
}
