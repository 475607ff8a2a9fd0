#include "kc_moment.h"

#include <time.h>

kc_moment_t kc_moment_now(void)
{
    kc_moment_t now = { .wall = apr_time_now() };
    struct timespec steady;

    clock_gettime(CLOCK_MONOTONIC, &steady);
    now.steady = (kc_steady_t)steady.tv_sec * APR_USEC_PER_SEC + steady.tv_nsec / 1000;
    return now;
}
