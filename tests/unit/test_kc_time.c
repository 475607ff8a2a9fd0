#include "unit.h"
#include <string.h>
#include "kc_time.h"

#define NOW INT64_C(1795669401400000) /* 2026-11-26T05:03:21.4Z */

static int parse(const char *text, apr_time_t *time)
{
    return kc_time_parse(time, text, strlen(text), NOW);
}

static void a_moment_is_said_in_three_ways(void **state)
{
    static const struct {
        const char *text;
        apr_int64_t us;
    } right[] = { { "1970-01-01T00:00:00Z", 0 },
                  { "2023-11-14T22:13:20Z", INT64_C(1700000000000000) },
                  { "2023-11-14T23:13:20.5+01:00", INT64_C(1700000000500000) },
                  { "2023-11-14t17:13:20.123456789-05:00", INT64_C(1700000000123456) },
                  { "2023-11-14 22:13:20z", INT64_C(1700000000000000) },
                  { "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
                  { "2016-12-31T23:59:60Z", INT64_C(1483228800000000) },
                  { "1969-12-31T23:59:59Z", -1000000 },
                  { "0000-01-01T00:00:00Z", INT64_C(-62167219200000000) },
                  { "9999-12-31T23:59:59Z", INT64_C(253402300799000000) },
                  { "0", 0 },
                  { "1700000000123", INT64_C(1700000000123000) },
                  { "1700000000123.456", INT64_C(1700000000123456) },
                  { "1700000000123.4567", INT64_C(1700000000123456) },
                  { "-0s", NOW },
                  { "-90s", NOW - 90000000 },
                  { "-1.5s", NOW - 1500000 },
                  { "-250ms", NOW - 250000 },
                  { "-5min", NOW - 300000000 },
                  { "-0.5h", NOW - INT64_C(1800000000) },
                  { "-2d", NOW - INT64_C(172800000000) } };
    apr_time_t time;
    size_t i;

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        time = 1;
        if (parse(right[i].text, &time)) {
            fail_msg("%s is refused", right[i].text);
        }
        assert_int_equal(time, right[i].us);
    }
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const wrong[] = { "",
                                         "-",
                                         "-0",
                                         "-90",
                                         "-s",
                                         "-1.s",
                                         "-.5s",
                                         "-1..5s",
                                         "-1.5.5s",
                                         "--1s",
                                         "-5m",
                                         "-5 min",
                                         "+5s",
                                         "-99999999999999999999s",
                                         "now",
                                         "1e3",
                                         "0x10",
                                         "1.",
                                         ".5",
                                         " 1",
                                         "1000000000000000000000000000000",
                                         "253402300800001",
                                         "2023-11-14T22:13:20",
                                         "2023-11-14",
                                         "2023-11-14T22:13Z",
                                         "2023-02-29T00:00:00Z",
                                         "2023-13-01T00:00:00Z",
                                         "2023-00-01T00:00:00Z",
                                         "2023-01-00T00:00:00Z",
                                         "2023-01-01T24:00:00Z",
                                         "2023-01-01T00:60:00Z",
                                         "2023-01-01T00:00:61Z",
                                         "2023-01-01T00:00:00.Z",
                                         "2023-01-01T00:00:00+1:00",
                                         "2023-01-01T00:00:00+24:00",
                                         "2023-01-01T00:00:00Zx",
                                         "10000-01-01T00:00:00Z",
                                         "-2023-01-01T00:00:00Z" };
    apr_time_t time = 1;
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (!parse(wrong[i], &time)) {
            fail_msg("%s is taken", wrong[i]);
        }
    }
    assert_int_equal(kc_time_parse(&time, "1700\0000", 8, NOW), -1);
    assert_int_equal(time, 1);
}

static void a_moment_comes_back_as_it_was_written(void **state)
{
    char text[KC_TIME_SIZE];
    apr_time_t time;

    kc_time_format(text, INT64_C(1700000000123456));
    assert_string_equal(text, "2023-11-14T22:13:20.123456Z");
    assert_int_equal(parse(text, &time), 0);
    assert_int_equal(time, INT64_C(1700000000123456));
}

static void only_what_counts_from_now_is_relative(void **state)
{
    assert_true(kc_time_is_relative("-90s", 4));
    assert_false(kc_time_is_relative("1700000000123", 13));
    assert_false(kc_time_is_relative("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_said_in_three_ways),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(a_moment_comes_back_as_it_was_written),
        cmocka_unit_test(only_what_counts_from_now_is_relative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
