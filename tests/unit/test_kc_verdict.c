#include "unit.h"
#include "kc_verdict.h"

static kc_verdict_memory_t memory;

static int forget(void **state)
{
    const kc_verdict_memory_t nothing = KC_VERDICT_NOTHING;

    memory = nothing;
    return 0;
}

static void what_is_read_to_its_end_is_healthy(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, 100, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 100, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 150, 151), KC_VERDICT_HEALTHY);
}

static void what_is_not_read_or_not_known_is_not_judged(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, -1, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, -1, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 7, -1), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 7, -1), KC_VERDICT_HEALTHY);
}

static void more_that_is_not_read_for_a_whole_round_is_stuck(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, 100, 101), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 100, 120), KC_VERDICT_STUCK);
}

static void a_partition_fetched_anew_has_a_whole_round_again(void **state)
{
    kc_verdict_judge(&memory, 100, 101);
    assert_int_equal(kc_verdict_judge(&memory, 100, 120), KC_VERDICT_STUCK);
    assert_int_equal(kc_verdict_judge(&memory, 100, 130), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 100, 140), KC_VERDICT_STUCK);
}

static void a_partition_that_nothing_is_heard_of_for_a_whole_round_is_stuck(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, 0), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, 0), KC_VERDICT_STUCK);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, 5), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, 5), KC_VERDICT_STUCK);
}

static void nothing_is_expected_of_a_partition_whose_leader_says_nothing(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, -1), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, 7), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_BEGUN, -1), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_FETCHED, 7), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, KC_VERDICT_NOT_FETCHED, 9), KC_VERDICT_HEALTHY);
}

static void an_end_before_our_position_is_another_topic(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, 100, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 100, 3), KC_VERDICT_OTHER);
    assert_int_equal(kc_verdict_judge(&memory, 3, 5), KC_VERDICT_HEALTHY);
}

static void what_a_round_ago_is_still_not_read_lags(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, 100, 160), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 150, 230), KC_VERDICT_LAGGING);
    assert_int_equal(kc_verdict_judge(&memory, 240, 240), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 250, 255), KC_VERDICT_HEALTHY);
}

static void a_partition_just_begun_does_not_lag(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, -1, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 90, 101), KC_VERDICT_HEALTHY);
}

#define SECONDS(count) apr_time_from_sec(count)

/* Records that are stamped one a second by a clock that is an hour ahead. */
static apr_interval_time_t lag_at(kc_verdict_delay_t *delay, int stamped, double came)
{
    return kc_verdict_lag(delay, SECONDS(10000 + 3600 + stamped),
                          SECONDS(10000) + (apr_time_t)(came * 1000000));
}

static void lag_is_what_a_record_comes_later_than_the_others(void **state)
{
    kc_verdict_delay_t delay = { 0 };

    assert_int_equal(lag_at(&delay, 0, 0.5), 0);
    assert_int_equal(lag_at(&delay, 1, 1.25), 0);
    assert_int_equal(lag_at(&delay, 2, 2.75), SECONDS(1) / 2);
    assert_int_equal(lag_at(&delay, 3, 18.25), SECONDS(15));
    assert_int_equal(lag_at(&delay, 18, 18.25), 0);
}

static void lag_does_not_become_the_custom_before_two_minutes(void **state)
{
    kc_verdict_delay_t delay = { 0 };
    int i;

    lag_at(&delay, 0, 0);
    for (i = 1; i < 60; i++) {
        assert_int_equal(lag_at(&delay, i, i + 5), SECONDS(5));
    }
    for (; i < 115; i++) {
        assert_true(lag_at(&delay, i, i + 5) <= SECONDS(5));
    }
    for (; i < 200; i++) {
        lag_at(&delay, i, i + 5);
    }
    assert_int_equal(lag_at(&delay, i, i + 5), 0); /* a clock that was set back */
}

static void a_clock_set_back_is_accepted_at_once_where_it_is_known_to_be_one(void **state)
{
    kc_verdict_delay_t delay = { 0 };

    assert_int_equal(lag_at(&delay, 3600, 0), 0);
    assert_int_equal(lag_at(&delay, 1, 1), SECONDS(3600));
    kc_verdict_accept(&delay, SECONDS(10000 + 3600 + 1), SECONDS(10000 + 1));
    assert_int_equal(lag_at(&delay, 2, 2), 0);
}

static void what_comes_after_an_outage_of_hours_is_hours_late(void **state)
{
    kc_verdict_delay_t delay = { 0 };

    lag_at(&delay, 0, 0);
    lag_at(&delay, 1, 1);
    assert_int_equal(lag_at(&delay, 2, 7202), SECONDS(7200));
    assert_int_equal(lag_at(&delay, 3, 7202), SECONDS(7199));
    assert_int_equal(lag_at(&delay, 7202, 7202.5), SECONDS(1) / 2);
}

static void our_own_clock_may_be_set_back(void **state)
{
    kc_verdict_delay_t delay = { 0 };

    lag_at(&delay, 0, 0);
    assert_int_equal(lag_at(&delay, 1, -3599), 0);
    assert_int_equal(lag_at(&delay, 2, -3598), 0);
}

static void records_without_a_stamp_do_not_lag(void **state)
{
    kc_verdict_delay_t delay = { 0 };

    lag_at(&delay, 0, 0);
    assert_int_equal(kc_verdict_lag(&delay, 0, SECONDS(10000)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_read_to_its_end_is_healthy, forget),
        cmocka_unit_test_setup(what_is_not_read_or_not_known_is_not_judged, forget),
        cmocka_unit_test_setup(more_that_is_not_read_for_a_whole_round_is_stuck, forget),
        cmocka_unit_test_setup(a_partition_fetched_anew_has_a_whole_round_again, forget),
        cmocka_unit_test_setup(a_partition_that_nothing_is_heard_of_for_a_whole_round_is_stuck,
                               forget),
        cmocka_unit_test_setup(nothing_is_expected_of_a_partition_whose_leader_says_nothing,
                               forget),
        cmocka_unit_test_setup(an_end_before_our_position_is_another_topic, forget),
        cmocka_unit_test_setup(what_a_round_ago_is_still_not_read_lags, forget),
        cmocka_unit_test_setup(a_partition_just_begun_does_not_lag, forget),
        cmocka_unit_test(lag_is_what_a_record_comes_later_than_the_others),
        cmocka_unit_test(lag_does_not_become_the_custom_before_two_minutes),
        cmocka_unit_test(a_clock_set_back_is_accepted_at_once_where_it_is_known_to_be_one),
        cmocka_unit_test(what_comes_after_an_outage_of_hours_is_hours_late),
        cmocka_unit_test(our_own_clock_may_be_set_back),
        cmocka_unit_test(records_without_a_stamp_do_not_lag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
