#include "unit.h"
#include "kc_query.h"

static void a_value_is_found_by_its_whole_name(void **state)
{
    assert_true(kc_query_is("small=1", "small", "1"));
    assert_true(kc_query_is("a=2&small=1&b", "small", "1"));
    assert_false(kc_query_is("xsmall=1", "small", "1"));
    assert_false(kc_query_is("small=10", "small", "1"));
    assert_false(kc_query_is("small=0&small=1", "small", "1"));
    assert_false(kc_query_is("small", "small", "1"));
    assert_false(kc_query_is("", "small", "1"));
    assert_false(kc_query_is(NULL, "small", "1"));
}

static void a_rate_becomes_an_interval(void **state)
{
    static const struct {
        const char *args;
        apr_interval_time_t interval;
    } right[] = { { NULL, 0 },
                  { "", 0 },
                  { "meta=1", 0 },
                  { "fps=5", 200000 },
                  { "fps=0.2", 5000000 },
                  { "meta=1&fps=12.5", 80000 },
                  { "fps=1000", 1000 },
                  { "fps=0.001", 1000 * APR_USEC_PER_SEC },
                  { "fps=2.", 500000 },
                  { "fps=002", 500000 } };
    apr_interval_time_t interval;
    size_t i;

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        interval = -1;
        assert_int_equal(kc_query_fps(right[i].args, &interval), 0);
        assert_int_equal(interval, right[i].interval);
    }
}

static void a_rate_that_is_none_is_refused(void **state)
{
    static const char *const wrong[] = {
        "fps=",   "fps=0",   "fps=-1",    "fps=1001",   "fps=1e3",
        "fps=.5", "fps=1,5", "fps=nan",   "fps=inf",    "fps=0x5",
        "fps= 5", "fps=0.0", "fps=1.2.3", "fps=0.0001", "fps=99999999999999999999999999"
    };
    apr_interval_time_t interval;
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(kc_query_fps(wrong[i], &interval), -1);
    }
}

static void a_moment_may_be_written_with_percents(void **state)
{
    apr_time_t time = 1;
    int relative = 7;

    assert_int_equal(kc_query_time("at=2023-11-14T23%3A13%3a20%2B01:00", "at", 0, &time, &relative),
                     1);
    assert_int_equal(time, INT64_C(1700000000000000));
    assert_int_equal(relative, 0);
    assert_int_equal(kc_query_time("x&at=2023-11-14T23:13:20+01:00", "at", 0, &time, NULL), 1);
    assert_int_equal(time, INT64_C(1700000000000000));
    assert_int_equal(kc_query_time("at=-2s", "at", 5000000, &time, &relative), 1);
    assert_int_equal(time, 3000000);
    assert_int_equal(relative, 1);
    assert_int_equal(kc_query_time("until=5", "at", 0, &time, NULL), 0);
    assert_int_equal(kc_query_time(NULL, "at", 0, &time, NULL), 0);
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const wrong[] = {
        "at=",
        "at=%",
        "at=%3",
        "at=%zz",
        "at=17%00",
        "at=now",
        "at=-0",
        "at=1 ",
        "at=%2D",
        "at=1e30",
        "at=1000000000000000000000000000000",
        "at=0000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    };
    apr_time_t time = 1;
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(kc_query_time(wrong[i], "at", 0, &time, NULL), -1);
    }
    assert_int_equal(time, 1);
}

static void a_speed_may_be_negative(void **state)
{
    static const struct {
        const char *args;
        int milli;
    } right[] = { { NULL, 1000 },       { "rate=1", 1000 },   { "rate=0.25", 250 },
                  { "rate=16", 16000 }, { "rate=-1", -1000 }, { "rate=-16", -16000 },
                  { "rate=1.5", 1500 } };
    static const char *const wrong[] = {
        "rate=",    "rate=0",    "rate=0.1", "rate=16.1", "rate=-",
        "rate=-17", "rate=-0.5", "rate=x",   "rate=--1",  "rate=+1"
    };
    int milli;
    size_t i;

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(kc_query_speed(right[i].args, &milli), 0);
        assert_int_equal(milli, right[i].milli);
    }
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(kc_query_speed(wrong[i], &milli), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_by_its_whole_name),
        cmocka_unit_test(a_rate_becomes_an_interval),
        cmocka_unit_test(a_rate_that_is_none_is_refused),
        cmocka_unit_test(a_moment_may_be_written_with_percents),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(a_speed_may_be_negative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
