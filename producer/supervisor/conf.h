/* producer.conf: every setting of kafkacam-producer, read once at the start. All keys stand in
 * tables, conf.c's and settings.c's, with type, range, default and words; conf/producer.conf is
 * printed from them.
 *
 * One thread; after conf_read() nothing in it changes. */
#ifndef CONF_H
#define CONF_H

#include <stdint.h>
#include <stdio.h>
#include "job.h"
#include "log.h"

enum conf_db_tls { CONF_DB_TLS_NO, CONF_DB_TLS_YES, CONF_DB_TLS_VERIFY };

struct conf {
    char *path; /* of the file itself, for messages */

    struct {
        char *host, *socket, *user, *password, *name, *table, *tls_ca; /* "": none */
        uint32_t port;
        uint32_t timeout_ms;
        enum conf_db_tls tls;
    } database;

    struct {
        char *brokers, *topic, *status_topic, *small_topic;
        uint32_t replication; /* 0: the broker's default */
        uint64_t retention_ms, retention_bytes, segment_bytes, max_message_bytes;
        struct job_setting *properties; /* "kafka.NAME = VALUE", without "kafka.", and at
                                         * the end bootstrap.servers */
        size_t property_count;
    } kafka;

    struct camera_settings cameras; /* what a row that says NULL gets */

    struct {
        enum log_level log_level;
        uint32_t max_cameras;
        uint32_t catalog_interval_ms, report_interval_ms, status_interval_ms, start_interval_ms;
        char *camera_program, *host, *user;
    } producer;
};

/* Read the file. 0 and *conf, the caller's, ended with conf_free(); or -1 after messages that name
 * file, line and what would be right, for everything that is wrong, not just the first of it. */
int conf_read(struct conf **conf, const char *path);
void conf_free(struct conf *conf); /* passwords are wiped; NULL is fine */

/* Print a producer.conf that holds every key with its words and its default. */
void conf_print_defaults(FILE *out);

/* For tests: conf_read() of what stream holds; path is for messages alone. */
int conf_read_stream(struct conf **conf, FILE *stream, const char *path);

#endif
