/* A moment on both clocks: the wall's, which people and records go by, and a steady one that nobody
 * sets, which says how long something has lasted. A wall clock that is put right by an hour must
 * keep nobody alive, and kill nobody. */
#ifndef KC_MOMENT_H
#define KC_MOMENT_H

#include <apr_time.h>

/* Microseconds on the steady clock, from some start. Never mixed with apr_time_t, which is wall
 * time everywhere. */
typedef apr_int64_t kc_steady_t;

typedef struct {
    apr_time_t wall; /* 0: never */
    kc_steady_t steady;
} kc_moment_t;

kc_moment_t kc_moment_now(void);

#endif
