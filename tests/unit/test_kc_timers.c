#include "unit.h"
#include "kc_timers.h"

#include <stdlib.h>

static kc_timers_t timers;

static int close_timers(void **state)
{
    kc_timers_close(&timers);
    return 0;
}

static void timers_come_in_the_order_of_their_times(void **state)
{
    kc_timer_t all[500] = { { 0 } };
    kc_timer_t *timer;
    apr_time_t last = 0;
    int i, count = 0;

    srand(1);
    for (i = 0; i < 500; i++) {
        kc_timers_set(&timers, &all[i], 1 + rand() % 1000);
    }
    for (i = 0; i < 500; i += 3) {
        kc_timers_set(&timers, &all[i], 1 + rand() % 1000);
    }
    for (i = 1; i < 500; i += 3) {
        kc_timers_unset(&timers, &all[i]);
        kc_timers_unset(&timers, &all[i]);
    }
    while ((timer = kc_timers_due(&timers, 2000)) != NULL) {
        assert_true(timer->due >= last);
        assert_int_equal(timer->place, 0);
        assert_int_not_equal((timer - all) % 3, 1);
        last = timer->due;
        count++;
    }
    assert_int_equal(count, 333);
    assert_null(kc_timers_first(&timers));
}

static void a_timer_is_not_due_before_its_time(void **state)
{
    kc_timer_t one = { 0 }, two = { 0 };

    kc_timers_set(&timers, &one, 100);
    kc_timers_set(&timers, &two, 50);
    assert_null(kc_timers_due(&timers, 49));
    assert_ptr_equal(kc_timers_first(&timers), &two);
    assert_ptr_equal(kc_timers_due(&timers, 50), &two);
    assert_null(kc_timers_due(&timers, 50));
    kc_timers_set(&timers, &one, 20);
    assert_ptr_equal(kc_timers_due(&timers, 50), &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(timers_come_in_the_order_of_their_times, close_timers),
        cmocka_unit_test_teardown(a_timer_is_not_due_before_its_time, close_timers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
