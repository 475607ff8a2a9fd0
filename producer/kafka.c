#include "kafka.h"

#include <stdio.h>
#include <string.h>
#include "mem.h"

/* The queue is bounded in bytes and in time (librdkafka's defaults are 1 GiB and 5 minutes).
 * Nothing is sent twice: a second try would arrive behind later pictures. A broker that dies
 * without a word is given up after seconds, not after librdkafka's minute. */
static const struct kafka_preset live_presets[] = {
    { "linger.ms", "0", 0 },
    { "acks", "1", 0 },
    { "compression.codec", "none", 0 }, /* JPEGs do not get smaller */
    { "queue.buffering.max.kbytes", "16384", 0 },
    { "queue.buffering.max.messages", "1000", 0 },
    { "message.timeout.ms", "2000", 0 },
    { "request.timeout.ms", "3000", 0 },
    { "message.send.max.retries", "0", 0 },
    { "socket.nagle.disable", "true", 0 },
    { "topic.metadata.refresh.fast.interval.ms", "100", 0 },
    { "topic.metadata.refresh.interval.ms", "30000", 0 }, /* partitions get added while we run */
    { NULL, NULL, 0 },
};

static const struct kafka_preset all_presets[] = {
    { "socket.keepalive.enable", "true", 0 },
    { "socket.timeout.ms", "5000", 0 },
    { "socket.connection.setup.timeout.ms", "2000", 1 },
    { "reconnect.backoff.max.ms", "1000", 0 },
    { NULL, NULL, 0 },
};

/* Called in librdkafka's threads too; log_debug() may be. */
static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    char safe[512];

    log_debug("librdkafka: %s: %s", facility, log_url(safe, sizeof(safe), text));
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, int optional)
{
    char why[300];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK || optional) {
        return 0;
    }
    log_error(1600, "librdkafka %s does not take %s = %s: %s", rd_kafka_version_str(), name, value,
              why);
    return -1;
}

static int set_presets(rd_kafka_conf_t *conf, const struct kafka_preset *presets)
{
    int wrong = 0;

    for (; presets && presets->name; presets++) {
        wrong += set(conf, presets->name, presets->value, presets->optional) != 0;
    }
    return wrong;
}

static int set_given(rd_kafka_conf_t *conf, const struct kafka_given *given)
{
    char why[300];
    int wrong = 0;
    size_t i;

    for (i = 0; i < given->count; i++) {
        const struct job_setting *one = &given->settings[i];

        if (rd_kafka_conf_set(conf, one->name, one->value, why, sizeof(why)) == RD_KAFKA_CONF_OK) {
            continue;
        }
        wrong++;
        if (given->path) {
            log_error(1201, "%s:%d: kafka.%s: %s", given->path, one->line, one->name, why);
        }
        else {
            log_error(1532, "Kafka setting %s: %s", one->name, why);
        }
    }
    return wrong;
}

rd_kafka_conf_t *kafka_conf(const struct kafka_preset *presets, const struct kafka_given *given)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, on_log);
    if (set_presets(conf, all_presets) + set_presets(conf, presets) + set_given(conf, given)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

rd_kafka_conf_t *kafka_live_conf(const struct kafka_given *given, const struct job *job)
{
    const struct kafka_given nothing = { .count = 0 };
    rd_kafka_conf_t *conf = kafka_conf(live_presets, &nothing);
    char client[64], bytes[64];

    snprintf(client, sizeof(client), "kafkacam-camera-%u", job->cam);
    snprintf(bytes, sizeof(bytes), "%llu",
             (unsigned long long)job->settings.max_frame_bytes + 65536);
    if (conf && (set(conf, "client.id", client, 0) || set(conf, "message.max.bytes", bytes, 0) ||
                 set_given(conf, given))) {
        rd_kafka_conf_destroy(conf);
        conf = NULL;
    }
    return conf;
}

rd_kafka_t *kafka_open(rd_kafka_type_t type, rd_kafka_conf_t *settings, const char *path)
{
    char why[300];
    rd_kafka_t *kafka;

    if (!settings) {
        return NULL;
    }
    kafka = rd_kafka_new(type, settings, why, sizeof(why));
    if (!kafka) {
        rd_kafka_conf_destroy(settings); /* rd_kafka_new() takes it only when it succeeds */
        if (path) {
            log_error(1202, "librdkafka does not start: %s (section [kafka] of %s)", why, path);
        }
        else {
            log_error(1534, "Kafka client: %s", why);
        }
    }
    return kafka;
}

const char *kafka_brokers(const struct kafka_given *given)
{
    const char *brokers = "no broker";
    size_t i;

    for (i = 0; i < given->count; i++) {
        if (!strcmp(given->settings[i].name, "bootstrap.servers") ||
            !strcmp(given->settings[i].name, "metadata.broker.list")) {
            brokers = given->settings[i].value;
        }
    }
    return brokers;
}
