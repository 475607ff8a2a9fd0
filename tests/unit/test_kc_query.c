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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_by_its_whole_name),
        cmocka_unit_test(a_rate_becomes_an_interval),
        cmocka_unit_test(a_rate_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
