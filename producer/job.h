/* What the supervisor tells a camera's process to do (once, first thing), and what that process
 * says of itself from then on. Both travel over one SOCK_SEQPACKET socketpair that the camera finds
 * as descriptor JOB_FD, one JSON object a packet: never argv or the environment, a URL holds a
 * password. Both are well under a packet's 200 kB; a larger one is an error. Between an upgrade's
 * files and its restart the two are not of one version: what only one of them knows is optional,
 * its default is settings.c's, or 0.
 *
 * The supervisor starts "kafkacam-camera [--syslog]" with the job waiting in JOB_FD, no other
 * descriptor above 2, stdin from /dev/null, and the few variables of process.c as environment.
 * A camera ends itself when JOB_FD shows the end of file: the supervisor is gone, kill -9 included.
 * It ends on SIGTERM within 2 s. */
#ifndef JOB_H
#define JOB_H

#include <stddef.h>
#include <stdint.h>
#include "kc_wire.h"
#include "log.h"
#include "settings.h"

#define JOB_FD 3

#define JOB_REPORT_INTERVAL_MS 5000 /* of jobs that name none */

struct job_setting {
    char *name;
    char *value;
    int line; /* in producer.conf, 0: not from there */
};

struct job {
    uint32_t cam;
    char *name;
    char *url; /* rtsp:// or rtsps://, password and all */
    struct camera_settings settings;
    uint32_t report_interval_ms;
    uint64_t epoch_ms; /* of this start, for the record header */
    char *topic;
    char *small_topic;
    struct job_setting *kafka; /* librdkafka properties, bootstrap.servers among them */
    size_t kafka_count;
    enum log_level log_level;
};

struct job_report {
    enum kc_wire_state state;
    char why[256];               /* no passwords; "" while streaming */
    double fps_in;               /* video frames from the camera a second */
    double fps_out;              /* pictures that Kafka took a second */
    uint32_t width, height;      /* of the published picture */
    uint64_t bytes_per_s;        /* published */
    uint64_t frames;             /* published since the start */
    uint64_t dropped;            /* not published: Kafka's queue, too large, corrupted */
    double decode_ms, encode_ms; /* per frame, mean over the interval */
};

/* 0, or -1 with errno: the other end is gone (EPIPE), or the packet is no such thing (EBADMSG).
 * job_receive waits at most timeout_ms (then ETIMEDOUT); everything in *job is its own, end it with
 * job_clear(), which wipes what may be secret. job_send does not wait (EAGAIN: the pipe is
 * full). */
int job_send(int fd, const struct job *job);
int job_receive(int fd, struct job *job, int timeout_ms);
void job_clear(struct job *job);

/* Neither waits: EAGAIN when the pipe is full or empty; else as above. Text that is no UTF-8
 * arrives with "?" in its place. */
int job_report_send(int fd, const struct job_report *report);
int job_report_receive(int fd, struct job_report *report);

#endif
