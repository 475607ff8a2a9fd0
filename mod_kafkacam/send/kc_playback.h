/* Which picture of the past a viewer is sent next, and when: the time of the pictures is played
 * at a speed, all cameras of a viewer in step, forwards or backwards; and where that reaches
 * now, on into live pictures, without missing one and without showing one twice.
 *
 * Its clock waits while pictures that it needs are still being read, so that nothing is missed
 * for that; a viewer that is too slow for what there is misses some, as with live ones.
 *
 * One thread at a time. Never waits; gets its pictures through functions, so it knows neither
 * httpd nor Kafka. */
#ifndef KC_PLAYBACK_H
#define KC_PLAYBACK_H

#include "kc_choice.h"

/* What finds pictures: kc_past_find() and kc_past_read_ahead(). */
typedef enum {
    KC_PLAYBACK_FOUND,
    KC_PLAYBACK_ASKED, /* news will come */
    KC_PLAYBACK_LATER, /* try again in a while */
    KC_PLAYBACK_END    /* nothing there, as yet */
} kc_playback_answer_t;

typedef struct {
    kc_playback_answer_t (*find)(void *baton, apr_uint32_t cam, apr_int64_t offset, int step,
                                 kc_frame_t **frame);
    void (*read_ahead)(void *baton, apr_uint32_t cam, apr_int64_t offset);
    void *baton;
} kc_playback_log_t;

typedef struct {
    kc_playback_log_t log;
    kc_hub_t *hub;   /* of live pictures */
    apr_time_t at;   /* the moment to begin at */
    int speed_milli; /* 1000: as it was recorded; below 0: backwards; KC_PLAYBACK_ALL: each picture,
                        as fast as they are taken */
    apr_time_t until; /* no picture after it (backwards: before it); 0: on into live pictures */
    apr_interval_time_t back;     /* nothing older than this, reckoned from now; < 0: no limit */
    apr_interval_time_t interval; /* between two pictures of a camera, at least; 0: all */
} kc_playback_spec_t;

#define KC_PLAYBACK_ALL 0

typedef struct kc_playback_t kc_playback_t;

/* For the seats of choice (its cameras, in its order), which get no picture from there until
 * they are live. offsets: where each begins: of the picture shown at spec->at, -1: this camera
 * has no past. Lives in pool, and so do the pictures it holds, until kc_playback_close(). */
kc_playback_t *kc_playback_create(const kc_playback_spec_t *spec, kc_choice_t *choice,
                                  const apr_int64_t *offsets, apr_pool_t *pool);
void kc_playback_close(kc_playback_t *playback);

/* Times are kc_timers_now()'s but wall, which is apr_time_now(). */

/* The picture to send now, or NULL. You own one reference. Live pictures of seats that are live
 * come from the choice, not from here. */
kc_frame_t *kc_playback_next(kc_playback_t *playback, apr_time_t now, apr_time_t wall);

/* The picture of the only camera that was sent last, once more, if it is at hand. You own one
 * reference. */
kc_frame_t *kc_playback_again(kc_playback_t *playback);

/* After kc_playback_next() said NULL: when to ask again though no news come, 0: never. */
apr_time_t kc_playback_due(const kc_playback_t *playback);

/* Has it reached now? From then on it wants to be told of the hub's news, and no others. */
int kc_playback_is_live(const kc_playback_t *playback);

/* Everything up to until, or back to the beginning, was sent. */
int kc_playback_is_over(const kc_playback_t *playback);

/* Pictures that were due and were not sent, as the viewer was too slow. */
apr_uint64_t kc_playback_skipped(const kc_playback_t *playback);

/* How often a camera jumped to the oldest picture there is, as Kafka let go of what was next. */
apr_uint32_t kc_playback_jumps(const kc_playback_t *playback);

#endif
