/* The cameras' states in the status topic: written for the cameras there are, and read all the
 * time: a record that belongs to no camera is buried, and who starts a camera does so with an epoch
 * above all that were seen, whatever its clock says. A thread of its
 * own talks to the brokers.
 *
 * All functions may be called by any thread, and none waits unless it says so. */
#ifndef STATUS_H
#define STATUS_H

#include <stddef.h>
#include <stdint.h>
#include "topics.h"

struct status;

/* What of a camera goes into the status topic; wire/kc_wire.h names the fields. */
struct status_state {
    uint32_t cam;
    const char *name;
    const char *error; /* no passwords, "": none */
    enum kc_wire_state state;
    uint64_t since_ms;
    uint64_t epoch_ms; /* of the process that runs, or ran last: the claim */
    uint32_t restarts;
    double cpu;                      /* of one core, 0.25: a quarter */
    const struct job_report *report; /* of a camera that streams, else NULL */
};

/* conf and topics must outlive it. 0, or -1 after a message. */
int status_start(struct status **status, const struct conf *conf, struct topics *topics);

/* These are the cameras there are. Of all others nothing stays in the topic, also if
 * they went while no supervisor was running. */
void status_cameras(struct status *status, const uint32_t *cameras, size_t count);

/* The highest epoch that was seen in the camera's records, 0: none. */
uint64_t status_epoch(struct status *status, uint32_t cam);

/* Write a state. 0, or -1: Kafka did not take it, try later. */
int status_write(struct status *status, const struct status_state *state);

/* Wait, at most wait_ms, until the states are written. */
void status_flush(struct status *status, int wait_ms);

/* Waits for the thread, at most half a second; one that hangs ends with the process. NULL is
 * fine. */
void status_stop(struct status *status);

#endif
