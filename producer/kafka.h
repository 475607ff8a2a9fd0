/* librdkafka as both programs set it up: our settings, then the administrator's, its log at debug
 * with passwords hidden. The only header of ours that knows its types. */
#ifndef KAFKA_H
#define KAFKA_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include "job.h"

/* What we set before the administrator's have their say; a list is ended by one without a name. */
struct kafka_preset {
    const char *name;
    const char *value;
    int optional; /* of later versions than 1.8 */
};

/* Where the administrator's settings come from. */
struct kafka_given {
    const struct job_setting *settings;
    size_t count;
    const char *path; /* of the file with their lines, NULL: a job */
};

/* All of it; NULL after a message for each that librdkafka refuses. The caller's. */
rd_kafka_conf_t *kafka_conf(const struct kafka_preset *presets, const struct kafka_given *given);

/* What a camera's client is set to: live video, soon or never. */
rd_kafka_conf_t *kafka_live_conf(const struct kafka_given *given, const struct job *job);

/* A client of the given type; NULL after a message. Takes over settings, NULL of them is fine. */
rd_kafka_t *kafka_open(rd_kafka_type_t type, rd_kafka_conf_t *settings, const char *path);

/* Of the settings given, "no broker" if there is none. */
const char *kafka_brokers(const struct kafka_given *given);

#endif
