/* How long a thread's turns keep it busy: processor time, without what it waited for a processor,
 * which on a busy machine may be longer than all it did.
 *
 * Asking for a thread's processor time is a system call, which a turn of some microseconds cannot
 * afford. So a clock on the wall measures, and only what is long by it is looked into. The
 * answer is never too small; it may hold a few short turns before the long one.
 *
 * One thread. */
#ifndef KC_STOPWATCH_H
#define KC_STOPWATCH_H

#include <apr_time.h>

/* All 0 before its first use. */
typedef struct {
    apr_time_t mark; /* the thread's processor time at a turn's begin, ... */
    int turns;       /* ... so many turns ago; 0: not known */
} kc_stopwatch_t;

/* A turn begins. */
void kc_stopwatch_begin(kc_stopwatch_t *watch);

/* The turn ends; by_the_wall is how long it took by a clock. How long the thread worked meanwhile,
 * without what it waited for a processor. */
apr_interval_time_t kc_stopwatch_end(kc_stopwatch_t *watch, apr_interval_time_t by_the_wall);

#endif
