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

/* What one record may say, and what is made of it. */
static void numbers_of_a_record_stay_where_every_reader_can_hold_them(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        { "0", 0 },
        { "9007199254740991", 0 },   /* 2^53 - 1 */
        { "9007199254740992", -1 },  /* JavaScript loses the odd ones from here on */
        { "10000000000000000", -1 }, /* 17 digits */
        { "9223372036854775807", -1 },
        { "9223372036854775808", -1 }, /* -1 as signed */
        { "18446744073709551615", -1 },
        { "18446744073709551616", -1 },
    };
    static const char *const names[] = { "us", "seq", "epoch" };
    size_t i, k;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            struct kc_wire_meta meta = { 0 };

            assert_int_equal(
                kc_wire_meta_parse(&meta, names[k], cases[i].text, strlen(cases[i].text)),
                cases[i].rc);
            if (cases[i].rc) {
                assert_true(!meta.captured_us && !meta.seq && !meta.epoch_ms);
            }
        }
    }
}

#define NOW   INT64_C(1700000000000000)
#define APART KC_WIRE_CLOCKS_APART_US

static void a_picture_is_never_from_later_than_clocks_can_differ(void **state)
{
    static const struct {
        uint64_t us;
        int64_t stamp_ms;
        int64_t arrived;
        int64_t captured;
    } cases[] = {
        { NOW - 5, 77, NOW, NOW - 5 },
        { 0, NOW / 1000 - 7, NOW, NOW - 7000 },
        { 0, 0, NOW, NOW },
        { 0, -1, NOW, NOW },
        { 1, 0, NOW, 1 }, /* old is possible: topics keep what they are told to */
        { NOW + APART, 0, NOW, NOW + APART },
        { NOW + APART + 1, 0, NOW, NOW },
        { NOW + APART + 1, NOW / 1000 - 3, NOW, NOW - 3000 },
        { UINT64_MAX, INT64_MAX, NOW, NOW },
        { 0, INT64_MAX, NOW, NOW },
        { 0, INT64_MAX / 1000, NOW, NOW },
        { NOW, NOW, 5, 5 }, /* a reader whose clock was never set */
        { NOW, INT64_MIN, -APART - 1, -APART - 1 },
        { INT64_MAX, 0, INT64_MAX, INT64_MAX },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kc_wire_meta meta = { .captured_us = cases[i].us };

        assert_true(kc_wire_captured(&meta, cases[i].stamp_ms, cases[i].arrived) ==
                    cases[i].captured);
    }
}

static void an_epoch_is_ahead_when_no_clock_can_be(void **state)
{
    assert_false(kc_wire_epoch_is_ahead(0, NOW));
    assert_false(kc_wire_epoch_is_ahead((NOW + APART) / 1000, NOW));
    assert_true(kc_wire_epoch_is_ahead((NOW + APART) / 1000 + 1, NOW));
    assert_true(kc_wire_epoch_is_ahead(INT64_MAX, NOW));
    assert_true(kc_wire_epoch_is_ahead(UINT64_MAX, NOW));
    assert_true(kc_wire_epoch_is_ahead(0, INT64_MIN));
    assert_false(kc_wire_epoch_is_ahead(NOW / 1000, INT64_MAX));
}

static void a_topics_name_leaves_room_for_its_companions(void **state)
{
    char name[KC_WIRE_ANY_TOPIC_MAX + 2];

    assert_true(kc_wire_topic_is_name(KC_WIRE_TOPIC KC_WIRE_STATUS_SUFFIX));
    assert_true(kc_wire_topic_is_name("a-B_9."));
    assert_false(kc_wire_topic_is_name(""));
    assert_false(kc_wire_topic_is_name("."));
    assert_false(kc_wire_topic_is_name(".."));
    assert_false(kc_wire_topic_is_name("a b"));
    assert_false(kc_wire_topic_is_name("\xc3\xa4"));
    memset(name, 'a', sizeof(name));
    name[KC_WIRE_ANY_TOPIC_MAX + 1] = '\0';
    assert_false(kc_wire_topic_is_name(name));
    memcpy(name + KC_WIRE_TOPIC_MAX, KC_WIRE_STATUS_SUFFIX, sizeof(KC_WIRE_STATUS_SUFFIX));
    assert_true(kc_wire_topic_is_name(name));
}

static void every_field_of_a_status_record_is_in_the_list_once(void **state)
{
    const struct kc_wire_status_field *field;
    size_t i;

    for (i = 0; (field = kc_wire_status_field_at(i)) != NULL; i++) {
        assert_ptr_equal(kc_wire_status_field(field->name), field);
    }
    assert_int_equal(i, 16);
    assert_true(kc_wire_status_field(KC_WIRE_STATUS_NAME)->max == 0);
    assert_true(kc_wire_status_field(KC_WIRE_STATUS_WIDTH)->max == 65535);
    assert_null(kc_wire_status_field("mood"));
}

static void a_word_for_a_state_may_stand_in_headers_and_pages(void **state)
{
    static const char *const wrong[] = {
        "",         "Asleep", "a b",
        "7up",      "-",      "a\r\nX: y",
        "\xc3\xa4", "a<b",    "abcdefghijklmnopqrstuvwxyz0123456",
    };
    size_t i;

    for (i = 0; i < KC_WIRE_STATES; i++) {
        assert_true(kc_wire_state_is_word(kc_wire_state_format((enum kc_wire_state)i)));
    }
    assert_true(kc_wire_state_is_word("asleep"));
    assert_true(kc_wire_state_is_word("key-frames_only2"));
    assert_true(kc_wire_state_is_word("abcdefghijklmnopqrstuvwxyz012345"));
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(kc_wire_state_is_word(wrong[i]));
    }
}

static void text_is_cleaned_of_what_moves_cursors_and_turns_lines_around(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "Gate 3", "Gate 3" },
        { "T\xc3\xbcr \xe9\x96\x80 \xf0\x9f\x90\x88", "T\xc3\xbcr \xe9\x96\x80 \xf0\x9f\x90\x88" },
        { "a\tb\r\nc", "a b  c" },
        { "\x1b[2Jx\x07\x7f", "?[2Jx??" },
        { "\xc2\x9b"
          "2J\xc2\xa0",
          "?2J\xc2\xa0" },                                  /* CSI as one character */
        { "gate\xe2\x80\xaegpj.exe", "gate?gpj.exe" },      /* right-to-left override */
        { "\xe2\x81\xa6x\xe2\x81\xa9", "?x?" },             /* isolates */
        { "\xe2\x80\xa8\xe2\x80\xa9", "  " },               /* separators */
        { "\xd7\x90\xe2\x80\x8f", "\xd7\x90\xe2\x80\x8f" }, /* Hebrew and its mark */
        { "\xe2\x80", "\xe2\x80" },                         /* cut off: nothing past it */
        { "\xc2", "\xc2" },
    };
    char text[64];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strcpy(text, cases[i][0]);
        kc_wire_text_clean(text);
        assert_string_equal(text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(a_number_above_its_limit_is_refused_without_overflow),
        cmocka_unit_test(a_number_comes_back_from_its_text),
        cmocka_unit_test(headers_of_others_are_passed_over_and_bad_ones_change_nothing),
        cmocka_unit_test(every_state_comes_back_from_its_word),
        cmocka_unit_test(numbers_of_a_record_stay_where_every_reader_can_hold_them),
        cmocka_unit_test(a_picture_is_never_from_later_than_clocks_can_differ),
        cmocka_unit_test(an_epoch_is_ahead_when_no_clock_can_be),
        cmocka_unit_test(a_topics_name_leaves_room_for_its_companions),
        cmocka_unit_test(every_field_of_a_status_record_is_in_the_list_once),
        cmocka_unit_test(a_word_for_a_state_may_stand_in_headers_and_pages),
        cmocka_unit_test(text_is_cleaned_of_what_moves_cursors_and_turns_lines_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
