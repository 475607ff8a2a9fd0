#include "unit.h"
#include "kc_stopwatch.h"

#include <time.h>

static apr_time_t now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (apr_time_t)time.tv_sec * APR_USEC_PER_SEC + time.tv_nsec / 1000;
}

static void stopwatch_leaves_out_what_the_thread_waited_for(void **state)
{
    struct timespec nap = { .tv_nsec = 50000000 };
    kc_stopwatch_t watch = { 0 };
    apr_time_t wall = now(CLOCK_MONOTONIC), used = now(CLOCK_THREAD_CPUTIME_ID);
    apr_interval_time_t took;

    kc_stopwatch_begin(&watch);
    nanosleep(&nap, NULL);
    wall = now(CLOCK_MONOTONIC) - wall;
    took = kc_stopwatch_end(&watch, wall);
    used = now(CLOCK_THREAD_CPUTIME_ID) - used;
    assert_true(wall >= apr_time_from_msec(50));
    assert_true(took <= used);
}

static void stopwatch_counts_what_the_thread_did(void **state)
{
    kc_stopwatch_t watch = { 0 };
    apr_time_t wall, from;
    int turn;

    /* However many turns a mark has served. */
    for (turn = 0; turn < 40; turn++) {
        wall = now(CLOCK_MONOTONIC);
        kc_stopwatch_begin(&watch);
        from = now(CLOCK_THREAD_CPUTIME_ID);
        while (turn % 10 == 9 && now(CLOCK_THREAD_CPUTIME_ID) - from < apr_time_from_msec(2)) {
        }
        wall = now(CLOCK_MONOTONIC) - wall;
        if (turn % 10 == 9) {
            /* The two clocks need not run at quite the same rate. */
            assert_true(kc_stopwatch_end(&watch, wall) >= apr_time_from_msec(2) * 9 / 10);
        }
        else {
            assert_int_equal(kc_stopwatch_end(&watch, 20), 20);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopwatch_leaves_out_what_the_thread_waited_for),
        cmocka_unit_test(stopwatch_counts_what_the_thread_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
