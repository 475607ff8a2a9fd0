/* Where pictures leave: one partition of a Kafka topic. Live video: what cannot be sent within two
 * seconds is dropped and counted, and a full queue is emptied for the newest picture; nothing here
 * ever waits for a broker.
 *
 * One thread calls; librdkafka's own threads are inside. */
#ifndef SINK_H
#define SINK_H

#include <stddef.h>
#include <stdint.h>
#include "job.h"
#include "kc_wire.h"

struct sink;

/* What became of what was sent. Rising numbers. */
struct sink_counts {
    uint64_t taken;   /* pictures that the broker has */
    uint64_t bytes;   /* of those */
    uint64_t dropped; /* pictures it does not have and never will */
};

enum sink_topic { SINK_WHOLE, SINK_SMALL, SINK_TOPICS };

/* 0, or -1, logged. No broker has to be there yet. Keeps job, which must outlive it. */
int sink_open(struct sink **result, const struct job *job);

/* Gives what is still on its way up to wait_ms. NULL is fine. */
void sink_close(struct sink *sink, int wait_ms);

/* Hand over one JPEG; copied, the caller's memory is free again at once. 0: on its way or dropped,
 * sink_counts() will tell. -1: larger than the broker or the client takes, try a smaller one. */
int sink_send(struct sink *sink, enum sink_topic topic, const uint8_t *jpeg, size_t size,
              const struct kc_wire_meta *meta);

/* Take the broker's answers; call a few times a second. Does not wait. */
void sink_poll(struct sink *sink);

struct sink_counts sink_counts(const struct sink *sink, enum sink_topic topic);

#endif
