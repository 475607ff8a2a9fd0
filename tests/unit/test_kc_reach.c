#include "unit.h"
#include "kc_reach.h"

#include <apr_general.h>

static apr_pool_t *pool;
static kc_reach_t *reach;

static int begin(void **state)
{
    apr_pool_create(&pool, NULL);
    reach = kc_reach_create(pool);
    kc_reach_name(reach, 1, "one:9092");
    kc_reach_name(reach, 2, "two:9092");
    return 0;
}

static int end(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

/* A round in which both are needed; says whether 2 was asked. */
static int play(int one_answers, int two_answers)
{
    int asked;

    kc_reach_begin(reach);
    if (kc_reach_should_ask(reach, 1)) {
        kc_reach_note(reach, 1, one_answers);
    }
    asked = kc_reach_should_ask(reach, 2);
    if (asked) {
        kc_reach_note(reach, 2, two_answers);
    }
    return asked;
}

static void a_broker_that_fails_once_is_not_away(void **state)
{
    kc_reach_summary_t summary;

    play(1, 0);
    kc_reach_summary(reach, &summary);
    assert_int_equal(summary.away, 0);
    assert_int_equal(summary.there, 2);
    play(1, 1);
    play(1, 0);
    assert_false(kc_reach_is_away(reach, 2));
}

static void a_broker_that_fails_twice_is_away_by_its_own_name(void **state)
{
    kc_reach_summary_t summary;

    play(1, 0);
    play(1, 0);
    kc_reach_summary(reach, &summary);
    assert_int_equal(summary.away, 1);
    assert_int_equal(summary.there, 1);
    assert_int_equal(summary.id, 2);
    assert_string_equal(summary.address, "two:9092");
    assert_true(kc_reach_is_away(reach, 2));
    assert_false(kc_reach_is_away(reach, 1));
}

static void one_that_is_away_is_asked_every_third_round(void **state)
{
    int i, asked = 0;

    play(1, 0);
    play(1, 0);
    for (i = 0; i < 9; i++) {
        asked += play(1, 0);
    }
    assert_int_equal(asked, 3);
    while (!play(1, 1)) {
    }
    assert_false(kc_reach_is_away(reach, 2));
    assert_true(play(1, 1));
}

static void one_that_failed_is_not_asked_twice_in_a_round(void **state)
{
    play(0, 1);
    assert_false(kc_reach_should_ask(reach, 1));
    assert_true(kc_reach_should_ask(reach, 2));
}

static void who_leads_nothing_does_not_count(void **state)
{
    kc_reach_summary_t summary;

    play(1, 0);
    play(1, 0);
    kc_reach_begin(reach);
    kc_reach_note(reach, 1, 1);
    kc_reach_summary(reach, &summary);
    assert_int_equal(summary.away, 0);
    assert_int_equal(summary.there, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_broker_that_fails_once_is_not_away, begin, end),
        cmocka_unit_test_setup_teardown(a_broker_that_fails_twice_is_away_by_its_own_name, begin,
                                        end),
        cmocka_unit_test_setup_teardown(one_that_is_away_is_asked_every_third_round, begin, end),
        cmocka_unit_test_setup_teardown(one_that_failed_is_not_asked_twice_in_a_round, begin, end),
        cmocka_unit_test_setup_teardown(who_leads_nothing_does_not_count, begin, end),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
