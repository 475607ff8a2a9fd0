#include "kc_stopwatch.h"

#include <time.h>

/* Shorter turns are what the wall says they are. */
#define LONG apr_time_from_msec(1)

/* A mark serves so many turns, if none of them was longer than that: what it adds to the answer is
 * below a millisecond. */
#define TURNS 16
#define SHORT 50

static apr_time_t processor_time(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (apr_time_t)used.tv_sec * APR_USEC_PER_SEC + used.tv_nsec / 1000;
}

void kc_stopwatch_begin(kc_stopwatch_t *watch)
{
    if (watch->turns == 0) {
        watch->mark = processor_time();
    }
    watch->turns = (watch->turns + 1) % TURNS;
}

apr_interval_time_t kc_stopwatch_end(kc_stopwatch_t *watch, apr_interval_time_t by_the_wall)
{
    apr_interval_time_t used;

    if (by_the_wall > SHORT) {
        watch->turns = 0;
    }
    if (by_the_wall < LONG) {
        return by_the_wall;
    }
    used = processor_time() - watch->mark;
    return used < by_the_wall ? used : by_the_wall;
}
