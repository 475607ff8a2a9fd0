/* Kafka, as the rest of read/ sees it: librdkafka wrapped thinly, in the only file that includes
 * it. A client here is librdkafka's simple consumer, not its group consumer: partitions start and
 * stop one by one and the others' flow is not touched, there is no group (no rights for one
 * needed, no coordinator asked), and one queue carries as many as are started on it. It is the
 * same in every version from 1.8 on.
 *
 * What waits for the network says so and has a time to wait; everything else returns at once. */
#ifndef KC_KAFKA_H
#define KC_KAFKA_H

#include <httpd.h>
#include <apr_tables.h>
#include "kc_config.h"
#include "kc_wire.h"

typedef struct kc_kafka_t kc_kafka_t;             /* a client */
typedef struct kc_kafka_topic_t kc_kafka_topic_t; /* of a client */
typedef struct kc_kafka_queue_t kc_kafka_queue_t; /* of a client: what was fetched */

/* ---- Errors: librdkafka's numbers, 0 for none ---- */

typedef enum {
    KC_KAFKA_FINE,
    KC_KAFKA_AWAY,      /* nobody answers, or not in time */
    KC_KAFKA_NO_LEADER, /* of this partition, at the moment: an election */
    KC_KAFKA_GONE,      /* there is no such topic or partition */
    KC_KAFKA_DENIED,    /* this user may not */
    KC_KAFKA_OUTSIDE,   /* the offset is not (any more) in the partition */
    KC_KAFKA_OTHER
} kc_kafka_trouble_t;

/* What reading a topic without the right to ends in. */
#define KC_KAFKA_READ_DENIED 29

/* What sort of trouble it is, and the words for people. */
kc_kafka_trouble_t kc_kafka_trouble(int error);
const char *kc_kafka_text(int error);

/* ---- Clients ---- */

/* For kc_config_on_property(): does this librdkafka know the property and take the value? NULL, or
 * what is wrong with it. */
const char *kc_kafka_check_property(const char *name, const char *value, apr_pool_t *pool);

/* What a client is for. Live ones read from the leaders: followers learn late how far they may
 * go. */
typedef enum {
    KC_KAFKA_LIVE,
    KC_KAFKA_PAST /* client.rack counts; a fetch at a partition's end returns soon */
} kc_kafka_use_t;

/* A client with config's brokers and properties, and our own settings where those do not say
 * otherwise. After fork only: it has threads. Its log goes to s's, the same words once a minute; an
 * error here is logged. Memory from pool, but pool does not close it. */
apr_status_t kc_kafka_open(kc_kafka_t **kafka, kc_kafka_use_t use, const kc_config_t *config,
                           server_rec *s, apr_pool_t *pool);

/* After its topics and queues. May take until a broker that is connected to right now has answered
 * or failed. NULL is fine. */
void kc_kafka_close(kc_kafka_t *kafka);

/* Let librdkafka tell what it has to tell (kc_kafka_last_error). From time to time, any thread. */
void kc_kafka_poll(kc_kafka_t *kafka);

/* What the client last said about a broker, with the broker's name: "" for nothing since
 * kc_kafka_forget_error(). Any thread. */
void kc_kafka_last_error(kc_kafka_t *kafka, char *text, apr_size_t size);
void kc_kafka_forget_error(kc_kafka_t *kafka);

/* ---- Fetching ---- */

/* Where to begin: an offset, or one of these. */
#define KC_KAFKA_BEGINNING   (-2)
#define KC_KAFKA_END         (-1)
#define KC_KAFKA_TAIL(count) (-2000 - (apr_int64_t)(count)) /* so many before the end */

/* baton comes with each event of it. lost: where to go on when an offset is no longer there,
 * KC_KAFKA_BEGINNING or KC_KAFKA_END. Errors are logged. */
apr_status_t kc_kafka_topic_open(kc_kafka_topic_t **topic, kc_kafka_t *kafka, const char *name,
                                 apr_int64_t lost, void *baton, apr_pool_t *pool);
void kc_kafka_topic_close(kc_kafka_topic_t *topic);

/* Forget all that the library knows of the topic, and begin anew. Nothing of it may be fetched. */
void kc_kafka_topic_reopen(kc_kafka_topic_t *topic);

kc_kafka_queue_t *kc_kafka_queue_open(kc_kafka_t *kafka, apr_pool_t *pool);
void kc_kafka_queue_close(kc_kafka_queue_t *queue);

/* Fetch a partition into queue from an offset on, until it is stopped; it need not exist yet. Each
 * once. Stopping drops what is in the queue and waits for librdkafka's own thread, not for a
 * broker. An error of starting is returned. */
int kc_kafka_start(kc_kafka_topic_t *topic, apr_uint32_t partition, apr_int64_t from,
                   kc_kafka_queue_t *queue);
void kc_kafka_stop(kc_kafka_topic_t *topic, apr_uint32_t partition);

typedef enum {
    KC_KAFKA_RECORD,
    KC_KAFKA_AT_END, /* for now: offset is the next record's */
    KC_KAFKA_TROUBLE /* error and text; fetching goes on by itself where it can */
} kc_kafka_event_kind_t;

/* Everything it points to ends with the handler. */
typedef struct {
    kc_kafka_event_kind_t kind;
    void *baton; /* the topic's */
    apr_uint32_t partition;
    apr_int64_t offset;
    const void *key; /* NULL: none */
    apr_size_t key_size;
    const void *value; /* NULL: a tombstone */
    apr_size_t value_size;
    apr_int64_t stamp_ms; /* the record's timestamp, as it stands there; 0: none */
    int error;
    const char *text;
    const void *message; /* for kc_kafka_headers() */
} kc_kafka_event_t;

typedef void kc_kafka_handler_fn(const kc_kafka_event_t *event);

/* Hand what is in the queue to handler; if there is nothing, wait for it so long. One thread per
 * queue. */
void kc_kafka_take(kc_kafka_queue_t *queue, int wait_ms, kc_kafka_handler_fn *handler);

/* The same for at most so many, without waiting. Returns how many there were. */
int kc_kafka_take_some(kc_kafka_queue_t *queue, int most, kc_kafka_handler_fn *handler);

/* End the wait of kc_kafka_take(), or of the next one. Any thread. */
void kc_kafka_wake(kc_kafka_queue_t *queue);

/* Our headers of a record; what it does not say stays as it is in meta. */
void kc_kafka_headers(const kc_kafka_event_t *event, struct kc_wire_meta *meta);

/* ---- Questions to Kafka: these wait ---- */

typedef struct {
    const char *name;          /* the question; everything else is the answer */
    int said;                  /* 0: the answer does not name it */
    int error;                 /* of the topic as a whole */
    apr_uint32_t count;        /* partitions */
    const apr_int32_t *leader; /* of each: a broker's id, -1: none */
} kc_kafka_topic_said_t;

typedef struct {
    apr_int32_t id;
    const char *address; /* HOST:PORT, as the broker calls itself */
} kc_kafka_broker_t;

/* What Kafka says of the topics that are open here. brokers: an array of kc_kafka_broker_t. Memory
 * from pool. Returns an error, topics and brokers are untouched then. */
int kc_kafka_ask_topics(kc_kafka_t *kafka, kc_kafka_topic_said_t *topics, apr_size_t count,
                        apr_array_header_t **brokers, int wait_ms, apr_pool_t *pool);

typedef struct {
    apr_uint32_t partition; /* the question, and when: milliseconds since 1970, */
    apr_int64_t at;         /* KC_KAFKA_BEGINNING or KC_KAFKA_END */
    apr_int64_t offset;     /* the answer: of the first record from then on; -1: not known */
    int error;
} kc_kafka_offset_t;

/* Offsets by time, of several partitions of a topic: one question to each of their leaders. All of
 * them answer in time, or the error is returned and no offset is set. */
int kc_kafka_ask_offsets(kc_kafka_t *kafka, const char *topic, kc_kafka_offset_t *offsets,
                         apr_size_t count, int wait_ms);

#endif
