/* The supervisor's side of Kafka: topics with a partition for each camera, and the cameras' states
 * in the status topic. A thread of its own talks to the brokers, so that one that hangs holds up
 * nothing; until they answer, nothing is ready.
 *
 * All functions may be called by any thread, and none waits unless it says so. */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stddef.h>
#include <stdint.h>
#include "conf.h"

struct placement;

struct placement_camera {
    uint32_t cam;
    int small; /* wants a partition of the small topic as well */
};

/* What of a camera goes into the status topic; wire/kc_wire.h names the fields. */
struct placement_status {
    uint32_t cam;
    const char *name;
    const char *error; /* no passwords, "": none */
    enum kc_wire_state state;
    uint64_t since_ms;
    uint32_t restarts;
    double cpu;                      /* of one core, 0.25: a quarter */
    const struct job_report *report; /* of a camera that streams, else NULL */
};

/* Whether librdkafka takes the kafka.* settings: 0, or -1 after messages with file and line. */
int placement_settings_check(const struct conf *conf);

/* wake(user) is called in placement's thread when placement_ready() may have news: it must not
 * wait. conf must outlive it. 0, or -1 after a message. */
int placement_start(struct placement **placement, const struct conf *conf, void (*wake)(void *user),
                    void *user);

/* These are the cameras there are: they get partitions, and of all others nothing stays in the
 * status topic, also if they went while no supervisor was running. */
void placement_cameras(struct placement *placement, const struct placement_camera *cameras,
                       size_t count);

/* Whether the camera's pictures have a place to go. A small topic that cannot be had is waited for
 * no longer than that takes to find out. */
int placement_ready(struct placement *placement, uint32_t cam, int small);

/* Write a state. 0, or -1: Kafka did not take it, try later. */
int placement_status(struct placement *placement, const struct placement_status *status);

/* Wait, at most wait_ms, until the states are written. */
void placement_flush(struct placement *placement, int wait_ms);

/* Waits for the thread, at most half a second; one that hangs ends with the process. NULL is
 * fine. */
void placement_stop(struct placement *placement);

/* For --check: ask the brokers, say which topics there are and which would be made. Waits up to
 * 10 s. 0, or -1 after a message. */
int placement_check(const struct conf *conf);

#endif
