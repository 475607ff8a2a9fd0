#include "unit.h"
#include "kc_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <apr_general.h>

static apr_pool_t *pool;

static apr_status_t parse(kc_status_record_t *record, const char *text)
{
    const char *why = NULL;
    apr_status_t rv = kc_state_record_parse(record, text, strlen(text), &why);

    assert_true((rv == APR_SUCCESS) == (why == NULL));
    return rv;
}

static void a_record_is_read_and_unknown_fields_are_passed_over(void **state)
{
    kc_status_record_t record;

    assert_int_equal(parse(&record,
                           "{\"name\":\"Gate\",\"state\":\"streaming\",\"since\":1700000000123,"
                           "\"fps\":4.97,\"w\":640,\"h\":360,\"bytes_per_s\":180000,"
                           "\"host\":\"a\",\"cpu\":{\"deep\":[1]},\"error\":\"\"}"),
                     APR_SUCCESS);
    assert_string_equal(record.name, "Gate");
    assert_true(record.streaming);
    assert_string_equal(record.told, "");
    assert_true(record.since == 1700000000123000);
    assert_true(record.fps > 4.96 && record.fps < 4.98);
    assert_int_equal(record.width, 640);
    assert_int_equal(record.bytes_per_s, 180000);
}

static void what_a_record_leaves_out_is_empty(void **state)
{
    kc_status_record_t record;

    assert_int_equal(parse(&record, "{\"state\":\"failed\",\"fps\":null,\"error\":\"no route\"}"),
                     APR_SUCCESS);
    assert_string_equal(record.name, "");
    assert_string_equal(record.error, "no route");
    assert_true(record.since == 0);
}

static void nonsense_is_refused_and_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "[]",
        "7",
        "{}",
        "{\"state\":\"\"}",
        "{\"state\":\"Asleep at last\"}",
        "{\"state\":\"a\\r\\nX: y\"}",
        "{\"state\":1}",
        "{\"state\":null}",
        "{\"state\":\"failed\",\"name\":7}",
        "{\"state\":\"failed\",\"error\":[]}",
        "{\"state\":\"failed\",\"fps\":-1}",
        "{\"state\":\"failed\",\"fps\":1e300}",
        "{\"state\":\"failed\",\"w\":70000}",
        "{\"state\":\"failed\",\"since\":\"now\"}",
        "{\"state\":\"failed\",\"since\":1e18}",
        "{\"state\":\"failed\",\"state\":\"failed\"}",
        "{\"state\":\"failed\",\"name\":\"\xff\"}",
        "{\"state\":\"failed\",\"name\":\"a\\u0000b\"}",
        "{\"state\":\"failed\"} {}",
    };
    kc_status_record_t record;
    size_t i;

    memset(&record, 7, sizeof(record));
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse(&record, wrong[i]), APR_EINVAL);
        assert_int_equal(record.width, 0x07070707);
    }
}

static void a_state_of_a_newer_producer_is_told_as_it_is(void **state)
{
    static const struct {
        const char *word;
        int streaming;
        const char *told;
    } cases[] = {
        { "connecting", 0, "connecting" },
        { "failed", 0, "failed" },
        { "streaming", 1, "" },
        { "asleep", 0, "asleep" },
        { "live", 0, "" }, /* that is ours to say */
        { "offline", 0, "" },
        { "unknown", 0, "" },
    };
    kc_status_record_t record;
    char text[64];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sprintf(text, "{\"state\":\"%s\"}", cases[i].word);
        assert_int_equal(parse(&record, text), APR_SUCCESS);
        assert_int_equal(record.streaming, cases[i].streaming);
        assert_string_equal(record.told, cases[i].told);
    }
}

static void a_field_that_is_wrong_is_named(void **state)
{
    static const char *const cases[][2] = {
        { "{\"state\":\"failed\",\"w\":-1}", "its \"w\" is no number, or out of range" },
        { "{\"state\":\"failed\",\"bytes_per_s\":\"9\"}",
          "its \"bytes_per_s\" is no number, or out of range" },
        { "{\"state\":\"failed\",\"error\":9}", "its \"error\" is no text" },
        { "{\"state\":9}", "its \"state\" is no word" },
    };
    kc_status_record_t record;
    const char *why;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(kc_state_record_parse(&record, cases[i][0], strlen(cases[i][0]), &why),
                         APR_EINVAL);
        assert_string_equal(why, cases[i][1]);
    }
}

static void names_and_reasons_are_fit_to_be_shown(void **state)
{
    kc_status_record_t record;

    assert_int_equal(parse(&record, "{\"state\":\"failed\",\"name\":\"gate\\u202egpj\\u001b[2J\","
                                    "\"error\":\"no\\nroute\"}"),
                     APR_SUCCESS);
    assert_string_equal(record.name, "gate?gpj?[2J");
    assert_string_equal(record.error, "no route");
}

static void a_long_record_is_refused(void **state)
{
    char *text = malloc(KC_STATE_RECORD_MAX + 2);
    kc_status_record_t record;

    memset(text, ' ', KC_STATE_RECORD_MAX + 1);
    memcpy(text, "{\"state\":\"failed\"}", 18);
    text[KC_STATE_RECORD_MAX] = '\0';
    assert_int_equal(parse(&record, text), APR_SUCCESS);
    text[KC_STATE_RECORD_MAX] = ' ';
    text[KC_STATE_RECORD_MAX + 1] = '\0';
    assert_int_equal(parse(&record, text), APR_EINVAL);
    free(text);
}

static void a_long_name_is_cut_between_characters(void **state)
{
    char text[1024] = "{\"state\":\"failed\",\"name\":\"x";
    kc_status_record_t record;
    int i;

    for (i = 0; i < 100; i++) {
        strcat(text, "\xc3\xa4"); /* two bytes: an a with dots */
    }
    strcat(text, "\"}");
    assert_int_equal(parse(&record, text), APR_SUCCESS);
    assert_int_equal(strlen(record.name), 127);
    assert_int_equal((unsigned char)record.name[126], 0xa4);
    memmove(strstr(text, "x"), strstr(text, "x") + 1, strlen(strstr(text, "x")));
    assert_int_equal(parse(&record, text), APR_SUCCESS);
    assert_int_equal(strlen(record.name), 126);
}

static kc_state_t gate(void)
{
    kc_state_t state = { .cam = 3,
                         .word = KC_STATE_LIVE,
                         .since = 1700000000123456,
                         .fps = 4.967,
                         .width = 640,
                         .height = 360,
                         .bytes_per_s = 180000 };

    strcpy(state.name, "Gate");
    return state;
}

static void the_json_is_the_camera_object(void **state)
{
    kc_state_t said = gate();

    assert_string_equal(
        kc_state_json(&said, NULL, 0, pool),
        "{\"camera\":3,\"name\":\"Gate\",\"state\":\"live\",\"since\":1700000000123,"
        "\"fps\":4.97,\"w\":640,\"h\":360,\"bytes_per_s\":180000}");
}

static void the_json_of_odd_names_cannot_break_out(void **state)
{
    kc_state_t said = gate();
    char *json;

    strcpy(said.name, "</script>\"\\\n\xe2\x80\xa8");
    strcpy(said.error, "<!--");
    json = kc_state_json(&said, NULL, 0, pool);
    assert_non_null(strstr(json, "\"name\":\"<\\/script>\\\"\\\\\\n\\u2028\""));
    assert_non_null(strstr(json, "\"error\":\"<!--\""));
}

static void the_newest_picture_adds_its_figures(void **state)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, 3, 5);
    kc_state_t said = gate();
    char *json;

    frame->offset = 42;
    frame->seq = 7;
    frame->captured = 1700000001000000;
    json = kc_state_json(&said, frame, 1700000001250000, pool);
    assert_non_null(strstr(json, "\"offset\":42,\"seq\":7,\"captured\":1700000001000000,\"size\":5,"
                                 "\"age_ms\":250}"));
    json = kc_state_json(&said, frame, 1600000000000000, pool); /* a clock ahead of ours */
    assert_non_null(strstr(json, "\"age_ms\":0}"));
    kc_frame_unref(frame);
}

static void any_visible_change_is_a_difference(void **state)
{
    kc_state_t one = gate(), other = gate();

    assert_false(kc_state_differs(&one, &other));
    strcpy(other.error, "x");
    assert_true(kc_state_differs(&one, &other));
    other = gate();
    other.since++;
    assert_true(kc_state_differs(&one, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_and_unknown_fields_are_passed_over),
        cmocka_unit_test(what_a_record_leaves_out_is_empty),
        cmocka_unit_test(nonsense_is_refused_and_changes_nothing),
        cmocka_unit_test(a_state_of_a_newer_producer_is_told_as_it_is),
        cmocka_unit_test(a_field_that_is_wrong_is_named),
        cmocka_unit_test(names_and_reasons_are_fit_to_be_shown),
        cmocka_unit_test(a_long_record_is_refused),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(the_json_is_the_camera_object),
        cmocka_unit_test(the_json_of_odd_names_cannot_break_out),
        cmocka_unit_test(the_newest_picture_adds_its_figures),
        cmocka_unit_test(any_visible_change_is_a_difference),
    };

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
