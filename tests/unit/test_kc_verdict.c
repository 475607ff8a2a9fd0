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

static void an_end_before_our_position_is_another_topic(void **state)
{
    assert_int_equal(kc_verdict_judge(&memory, 100, 100), KC_VERDICT_HEALTHY);
    assert_int_equal(kc_verdict_judge(&memory, 100, 3), KC_VERDICT_OTHER);
    assert_int_equal(kc_verdict_judge(&memory, 3, 5), KC_VERDICT_HEALTHY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_read_to_its_end_is_healthy, forget),
        cmocka_unit_test_setup(what_is_not_read_or_not_known_is_not_judged, forget),
        cmocka_unit_test_setup(more_that_is_not_read_for_a_whole_round_is_stuck, forget),
        cmocka_unit_test_setup(a_partition_fetched_anew_has_a_whole_round_again, forget),
        cmocka_unit_test_setup(an_end_before_our_position_is_another_topic, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
