/* Signs of life of a camera in one size, and what they mean at a moment. A sign is a picture that
 * was read, or, while nobody reads, the partition having grown. Pure: time is an argument, there
 * are no locks, no clock, no Kafka. */
#ifndef KC_LIFE_H
#define KC_LIFE_H

#include "kc_moment.h"

typedef struct {
    apr_interval_time_t stale_after; /* a picture counts for so long */
    apr_interval_time_t settle;      /* growth does: more than the time between two looks at it */
} kc_life_rules_t;

typedef struct {
    int fetched;
    kc_steady_t fetched_since;
    int answered;        /* since then a record came, or word that there is none */
    kc_moment_t picture; /* when the newest came, or was taken if it is old */
    kc_moment_t grew;    /* when end was last seen to have risen */
    apr_int64_t end;     /* the partition's, -1: not known, or there is none */
    kc_steady_t known;   /* since when end is */
} kc_life_t;

/* Nothing is known. */
#define KC_LIFE_NONE                                                                               \
    {                                                                                              \
        .end = -1                                                                                  \
    }

/* What happens. */

void kc_life_fetch(kc_life_t *life, int on, kc_steady_t now);

/* Something was read that is no picture, or the partition's end was reached. */
void kc_life_answer(kc_life_t *life);

/* A picture was read. taken: of one that may have been there before the fetch, by its own clock;
 * else 0. */
void kc_life_picture(kc_life_t *life, apr_time_t taken, kc_moment_t now);

/* The partition reaches to end; -1: there is none. A broker that does not say is no news. */
void kc_life_end(kc_life_t *life, apr_int64_t end, kc_moment_t now);

/* The camera was removed: what was seen before does not count any more. */
void kc_life_forget(kc_life_t *life);

/* What it means. */

/* Its pictures alone say how it is: it is fetched, and there was an answer or time enough for
 * one. */
int kc_life_is_judged(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now);

int kc_life_is_live(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now);

/* The last sign of life; never: .wall is 0. */
kc_moment_t kc_life_sign(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now);

/* Was there ever a picture? */
int kc_life_was_seen(const kc_life_t *life);

/* Is this size worth fetching in place of the full one: were there pictures, and do they still come
 * as the full ones do? Not where they have been switched off; that is known after a minute. */
int kc_life_serves(const kc_life_t *life, const kc_life_t *full, const kc_life_rules_t *rules,
                   kc_steady_t now);

#endif
