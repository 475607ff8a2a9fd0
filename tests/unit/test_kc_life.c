#include "unit.h"
#include "kc_life.h"

#define S     APR_USEC_PER_SEC
#define START ((apr_time_t)1700000000 * S)

static const kc_life_rules_t rules = { 10 * S, 15 * S };

/* A moment so long after the start, as long as nobody sets the clock. */
static kc_moment_t at(apr_interval_time_t after)
{
    const kc_moment_t moment = { START + after, 50 * S + after };

    return moment;
}

static int is_live(const kc_life_t *life, apr_interval_time_t after)
{
    return kc_life_is_live(life, &rules, at(after).steady);
}

static int is_judged(const kc_life_t *life, apr_interval_time_t after)
{
    return kc_life_is_judged(life, &rules, at(after).steady);
}

static void a_picture_counts_for_as_long_as_it_is_fresh(void **state)
{
    kc_life_t life = KC_LIFE_NONE;

    assert_false(is_live(&life, 0));
    kc_life_fetch(&life, 1, at(0).steady);
    kc_life_picture(&life, 0, at(S));
    assert_true(is_judged(&life, S));
    assert_true(is_live(&life, 11 * S - 1));
    assert_false(is_live(&life, 11 * S));
}

static void a_picture_that_lay_there_is_as_old_as_it_says(void **state)
{
    kc_life_t life = KC_LIFE_NONE;

    kc_life_fetch(&life, 1, at(0).steady);
    kc_life_picture(&life, START - 3600 * S, at(0)); /* before this machine was started */
    assert_false(is_live(&life, 0));
    assert_true(kc_life_sign(&life, &rules, at(0).steady).wall == START - 3600 * S);
    kc_life_picture(&life, START + 5 * S, at(0)); /* a clock that is ahead */
    assert_true(is_live(&life, 0));
    assert_false(is_live(&life, 10 * S));
}

static void growth_counts_while_nobody_reads(void **state)
{
    kc_life_t life = KC_LIFE_NONE;

    kc_life_end(&life, 100, at(0));
    assert_true(kc_life_was_seen(&life));
    assert_false(is_live(&life, 0)); /* it may have been so for years */
    kc_life_end(&life, 101, at(5 * S));
    assert_true(is_live(&life, 20 * S - 1));
    assert_false(is_live(&life, 20 * S));
    kc_life_end(&life, 102, at(25 * S));
    kc_life_fetch(&life, 1, at(26 * S).steady);
    assert_true(is_live(&life, 27 * S)); /* nothing has been said yet */
    kc_life_answer(&life);
    assert_false(is_live(&life, 27 * S)); /* it grows, but not by pictures */
}

static void a_fetch_without_an_answer_is_judged_after_a_while(void **state)
{
    kc_life_t life = KC_LIFE_NONE;

    kc_life_end(&life, 100, at(0));
    kc_life_fetch(&life, 1, at(0).steady);
    assert_false(is_judged(&life, 10 * S - 1));
    assert_true(is_judged(&life, 10 * S));
}

static void growth_that_the_last_pictures_were_is_no_later_sign(void **state)
{
    kc_life_t life = KC_LIFE_NONE;

    kc_life_end(&life, 100, at(0));
    kc_life_fetch(&life, 1, at(0).steady);
    kc_life_picture(&life, 0, at(S));
    kc_life_fetch(&life, 0, at(2 * S).steady);
    kc_life_end(&life, 101, at(5 * S));
    assert_true(kc_life_sign(&life, &rules, at(5 * S).steady).wall == START + S);
    assert_false(is_live(&life, 11 * S));
    kc_life_end(&life, 102, at(12 * S));
    assert_true(is_live(&life, 12 * S));
}

static void what_vanishes_and_returns_has_not_grown(void **state)
{
    kc_life_t life = KC_LIFE_NONE;

    kc_life_end(&life, 100, at(0));
    kc_life_end(&life, -1, at(5 * S));
    assert_false(kc_life_was_seen(&life));
    kc_life_end(&life, 100, at(10 * S));
    assert_false(is_live(&life, 10 * S));
    kc_life_end(&life, 3, at(15 * S)); /* made anew */
    assert_false(is_live(&life, 15 * S));
    kc_life_end(&life, 4, at(20 * S));
    assert_true(is_live(&life, 20 * S));
}

static void only_the_steady_clock_says_how_long_ago(void **state)
{
    kc_life_t life = KC_LIFE_NONE;
    kc_moment_t now = at(0);

    kc_life_fetch(&life, 1, now.steady);
    kc_life_picture(&life, 0, now);
    now.wall -= 7200 * S;
    now.steady += 10 * S;
    assert_false(kc_life_is_live(&life, &rules, now.steady));
    kc_life_picture(&life, 0, now);
    assert_true(kc_life_is_live(&life, &rules, now.steady));
}

static void small_pictures_serve_while_they_keep_up_with_the_full_ones(void **state)
{
    kc_life_t full = KC_LIFE_NONE, small = KC_LIFE_NONE;
    apr_int64_t i;

    assert_false(kc_life_serves(&small, &full, &rules, at(0).steady)); /* there never were any */
    for (i = 0; i <= 12; i++) {
        kc_life_end(&small, 40, at(5 * S * i));
        kc_life_end(&full, 100 + i, at(5 * S * i));
        /* A minute is waited for their growth, and then known that there is none. */
        assert_int_equal(kc_life_serves(&small, &full, &rules, at(5 * S * i).steady), i < 12);
    }
    assert_true(kc_life_serves(&small, &full, &rules, at(300 * S).steady)); /* both are off */
    kc_life_end(&full, 200, at(301 * S));
    kc_life_end(&small, 41, at(301 * S)); /* one a minute is enough */
    assert_true(kc_life_serves(&small, &full, &rules, at(301 * S).steady));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_counts_for_as_long_as_it_is_fresh),
        cmocka_unit_test(a_picture_that_lay_there_is_as_old_as_it_says),
        cmocka_unit_test(growth_counts_while_nobody_reads),
        cmocka_unit_test(a_fetch_without_an_answer_is_judged_after_a_while),
        cmocka_unit_test(growth_that_the_last_pictures_were_is_no_later_sign),
        cmocka_unit_test(what_vanishes_and_returns_has_not_grown),
        cmocka_unit_test(only_the_steady_clock_says_how_long_ago),
        cmocka_unit_test(small_pictures_serve_while_they_keep_up_with_the_full_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
