#include "unit.h"
#include "kc_wire.h"

static int parse(uint64_t *number, const char *text, uint64_t max)
{
    return kc_wire_number_parse(number, text, strlen(text), max);
}

static void a_number_is_digits_and_nothing_else(void **state)
{
    static const char *const wrong[] = { "",   "-1",  "+1",  " 1",  "1 ", "01",
                                         "00", "1.0", "0x1", "1e3", "a",  "\xd9\xa1" };
    uint64_t number = 77;
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse(&number, wrong[i], UINT64_MAX), -1);
        assert_int_equal(number, 77);
    }
    assert_int_equal(parse(&number, "0", UINT64_MAX), 0);
    assert_int_equal(number, 0);
    assert_int_equal(parse(&number, "42", 42), 0);
    assert_int_equal(number, 42);
}

static void a_number_above_its_limit_is_refused_without_overflow(void **state)
{
    uint64_t number = 0;

    assert_int_equal(parse(&number, "43", 42), -1);
    assert_int_equal(parse(&number, "1", 0), -1);
    assert_int_equal(parse(&number, "18446744073709551615", UINT64_MAX), 0);
    assert_true(number == UINT64_MAX);
    assert_int_equal(parse(&number, "18446744073709551616", UINT64_MAX), -1);
    assert_int_equal(parse(&number, "99999999999999999999999", UINT64_MAX), -1);
}

static void a_number_comes_back_from_its_text(void **state)
{
    static const uint64_t numbers[] = { 0, 9, 10, 99999, INT64_MAX, UINT64_MAX };
    char text[KC_WIRE_NUMBER_SIZE];
    uint64_t back;
    size_t size, i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size = kc_wire_number_format(text, numbers[i]);
        assert_int_equal(size, strlen(text));
        assert_int_equal(parse(&back, text, UINT64_MAX), 0);
        assert_true(back == numbers[i]);
    }
}

static void headers_of_others_are_passed_over_and_bad_ones_change_nothing(void **state)
{
    struct kc_wire_meta meta = { 0 };

    assert_int_equal(kc_wire_meta_parse(&meta, "us", "1700000000000000", 16), 0);
    assert_int_equal(kc_wire_meta_parse(&meta, "w", "1280", 4), 0);
    assert_int_equal(kc_wire_meta_parse(&meta, "traceparent", "\x00\xff", 2), 0);
    assert_int_equal(kc_wire_meta_parse(&meta, "w", "70000", 5), -1);
    assert_int_equal(kc_wire_meta_parse(&meta, "us", "9223372036854775808", 19), -1);
    assert_int_equal(kc_wire_meta_parse(&meta, "seq", "", 0), -1);
    assert_true(meta.captured_us == 1700000000000000);
    assert_int_equal(meta.width, 1280);
    assert_int_equal(meta.seq, 0);
}

static void every_state_comes_back_from_its_word(void **state)
{
    enum kc_wire_state back = KC_WIRE_STATES;
    int i;

    for (i = 0; i < KC_WIRE_STATES; i++) {
        assert_int_equal(kc_wire_state_parse(&back, kc_wire_state_format((enum kc_wire_state)i)),
                         0);
        assert_int_equal(back, i);
    }
    assert_int_equal(kc_wire_state_parse(&back, "asleep"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(a_number_above_its_limit_is_refused_without_overflow),
        cmocka_unit_test(a_number_comes_back_from_its_text),
        cmocka_unit_test(headers_of_others_are_passed_over_and_bad_ones_change_nothing),
        cmocka_unit_test(every_state_comes_back_from_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
