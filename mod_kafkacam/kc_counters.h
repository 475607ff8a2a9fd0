/* What the whole server counts, in shared memory: a slot for each child, so that the status page
 * shows all of them whichever child answers.
 *
 * Counters never fall: a child that ends leaves its counts behind. Gauges (how many now) go with
 * the child, if it crashed too. The memory stays over graceful restarts, when children of the old
 * and the new configuration run side by side. */
#ifndef KC_COUNTERS_H
#define KC_COUNTERS_H

#include <httpd.h>
#include <apr_time.h>

typedef enum {
    /* Gauges */
    KC_COUNTER_VIEWERS,          /* open streams */
    KC_COUNTER_BLOCKING_VIEWERS, /* those that hold a worker thread */
    KC_COUNTER_PENDING_POOLS,    /* ended connections whose memory waits for the worker */
    KC_COUNTER_PARTITIONS,       /* partitions being fetched */
    KC_COUNTER_LONGEST_TURN,     /* us that one viewer kept a pump; the largest of all */
    KC_COUNTER_LAG,              /* ms that pictures came later than need be; the largest too */
    KC_COUNTER_GAUGES,
    /* Counters */
    KC_COUNTER_VIEWERS_BEGUN = KC_COUNTER_GAUGES,
    KC_COUNTER_VIEWERS_REFUSED,   /* 503: a limit */
    KC_COUNTER_VIEWERS_STALLED,   /* cut: read nothing for KafkaCamStallTimeout, or too little */
    KC_COUNTER_VIEWERS_DISPLACED, /* cut: had not read yet, and others wanted their places */
    KC_COUNTER_FRAMES_SENT,
    KC_COUNTER_FRAMES_SKIPPED, /* a newer one was there first */
    KC_COUNTER_BYTES_SENT,
    KC_COUNTER_FRAMES_RECEIVED,
    KC_COUNTER_BYTES_RECEIVED,
    KC_COUNTER_FRAMES_OUTDATED, /* dropped: epoch below one that was seen */
    KC_COUNTER_FRAMES_BROKEN,   /* dropped: no JPEG, or too large */
    KC_COUNTER_FRAMES_LATE,     /* passed over: newer ones were there when we came to them */
    KC_COUNTER_NOTICES,         /* "offline since" pictures made */
    KC_COUNTER_STATUS_BROKEN,   /* status records that made no sense */
    KC_COUNTER_PAST_RECORDS,    /* read from Kafka for those who look back */
    KC_COUNTER_PAST_BYTES,
    KC_COUNTERS
} kc_counter_t;

/* Add to this child's count; a gauge may get a negative delta. Any thread, never waits. */
void kc_counters_add(kc_counter_t counter, apr_int64_t delta);

/* Make this child's gauge at least value. Any thread, never waits. */
void kc_counters_raise(kc_counter_t counter, apr_int64_t value);

/* Show the largest of what several threads of this child have: each calls it again and again with
 * its value of the moment, and keeps in *mine what it said last (0 at first). */
void kc_counters_show_largest(kc_counter_t gauge, apr_uint64_t *mine, apr_uint64_t value);

/* Of all children that live, and for counters of all there ever were since httpd's start. */
apr_int64_t kc_counters_sum(kc_counter_t counter);

/* Of this child. */
apr_int64_t kc_counters_own(kc_counter_t counter);

/* "viewers_begun", and a sentence that explains it. */
const char *kc_counters_name(kc_counter_t counter);
const char *kc_counters_help(kc_counter_t counter);

/* When httpd was started (not reloaded), and how many children have a slot now. */
apr_time_t kc_counters_since(void);
int kc_counters_children(void);

/* The memory itself: in post_config, in the parent. Keeps what an earlier call made. */
apr_status_t kc_counters_create(server_rec *s);

/* Take a slot for this child; in child_init. It is given back when pchild goes. */
void kc_counters_join(apr_pool_t *pchild, server_rec *s);

/* A child is gone, however it ended; in the parent. */
void kc_counters_leave(pid_t pid);

/* The same for each camera of a source: a record that several children read counts once. Starts
 * anew with each configuration. */
typedef struct kc_counters_cameras_t kc_counters_cameras_t;

typedef enum {
    KC_COUNTERS_PICTURE,
    KC_COUNTERS_BROKEN,
    KC_COUNTERS_OUTDATED,
    KC_COUNTERS_OUTCOMES
} kc_counters_outcome_t;

typedef struct {
    apr_time_t news; /* when the newest picture came, or was taken if it was old; 0: none */
    apr_uint64_t records[KC_COUNTERS_OUTCOMES];
    apr_uint64_t bytes; /* of pictures */
    apr_time_t fetched; /* when a child last said that it fetches the camera; 0: none did */
} kc_counters_camera_t;

/* For the cameras 0 to cams - 1; in post_config. */
apr_status_t kc_counters_cameras_create(kc_counters_cameras_t **result, apr_uint32_t cams,
                                        apr_pool_t *pconf);

/* A record was read. time is what becomes news if it is a picture. NULL cameras is fine. */
void kc_counters_camera_add(kc_counters_cameras_t *cameras, apr_uint32_t cam, apr_int64_t offset,
                            kc_counters_outcome_t outcome, apr_size_t size, apr_time_t time);

/* This child fetches cam: to be said at least every two seconds, as the status page forgets it
 * after three. */
void kc_counters_camera_fetched(kc_counters_cameras_t *cameras, apr_uint32_t cam, apr_time_t now);

void kc_counters_camera_read(kc_counters_cameras_t *cameras, apr_uint32_t cam,
                             kc_counters_camera_t *counts);

#endif
