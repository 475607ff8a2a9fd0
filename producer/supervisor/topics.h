/* The topics in Kafka: that there are such, with a partition for each camera. A thread of its own
 * talks to the brokers, so that one that hangs holds up nothing; until they answer, nothing is
 * ready.
 *
 * All functions may be called by any thread, and none waits unless it says so. */
#ifndef TOPICS_H
#define TOPICS_H

#include <stddef.h>
#include <stdint.h>
#include "conf.h"

struct topics;

enum topics_which { TOPICS_VIDEO, TOPICS_STATUS, TOPICS_SMALL, TOPICS };

struct topics_camera {
    uint32_t cam;
    int small; /* wants a partition of the small topic as well */
};

/* Whether librdkafka takes the kafka.* settings, and opens a camera's client with them: 0, or -1
 * after messages with file and line. */
int topics_settings_check(const struct conf *conf);

/* wake(user) is called in the topics' thread when topics_ready() may have news: it must not wait.
 * conf must outlive it. 0, or -1 after a message. */
int topics_start(struct topics **topics, const struct conf *conf, void (*wake)(void *user),
                 void *user);

/* These are the cameras there are: they get partitions. */
void topics_want(struct topics *topics, const struct topics_camera *cameras, size_t count);

/* Whether the camera's pictures have a place to go. The small topic counts only until an attempt to
 * make it has failed: a camera does not wait for small pictures that cannot be had. */
int topics_ready(struct topics *topics, uint32_t cam, int small);

/* How many the topic has as far as is known, 0: none, or nothing is known yet. */
uint32_t topics_partitions(struct topics *topics, enum topics_which which);

/* Waits for the thread, at most half a second; one that hangs ends with the process. NULL is
 * fine. */
void topics_stop(struct topics *topics);

/* For --check: ask the brokers, say which topics there are and which would be made. Waits up to
 * 10 s. 0, or -1 after a message. */
int topics_check(const struct conf *conf);

#endif
