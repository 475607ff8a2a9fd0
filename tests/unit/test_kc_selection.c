#include "unit.h"
#include "kc_selection.h"

static int parse(kc_selection_t *selection, const char *text)
{
    return kc_selection_parse(selection, text, strlen(text));
}

static void a_number_alone_is_a_count_and_a_comma_or_dash_makes_a_list(void **state)
{
    kc_selection_t selection;

    assert_int_equal(parse(&selection, "4"), 0);
    assert_int_equal(selection.kind, KC_SELECTION_COUNT);
    assert_int_equal(selection.count, 4);
    assert_int_equal(parse(&selection, "4-4"), 0);
    assert_int_equal(selection.kind, KC_SELECTION_LIST);
    assert_int_equal(selection.ranges, 1);
    assert_int_equal(selection.range[0].first, 4);
    assert_int_equal(selection.range[0].last, 4);
    assert_int_equal(parse(&selection, "1,3,5-8"), 0);
    assert_int_equal(selection.ranges, 3);
    assert_int_equal(selection.range[2].first, 5);
    assert_int_equal(selection.range[2].last, 8);
    assert_int_equal(parse(&selection, ""), 0);
    assert_int_equal(selection.kind, KC_SELECTION_ALL);
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "0",        "01",  "-1",  "1-",         "-",
        "1--2",     "8-5", "1,",  ",1",         ",",
        "1,,2",     " 4",  "4 ",  "4-4 ",       "+4",
        "4.0",      "1;2", "all", "1-2-3",      "100000",
        "1-100000", "1,x", "0x4", "4294967297", "18446744073709551617",
        "\xd9\xa4"
    };
    kc_selection_t selection;
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse(&selection, wrong[i]), -1);
    }
    assert_int_equal(kc_selection_parse(&selection, "1\0,2", 4), -1);
}

static void a_list_has_an_end(void **state)
{
    char text[KC_SELECTION_RANGES_MAX * 2 + 3] = "1";
    kc_selection_t selection;
    int i;

    for (i = 1; i < KC_SELECTION_RANGES_MAX; i++) {
        strcat(text, ",1");
    }
    assert_int_equal(parse(&selection, text), 0);
    strcat(text, ",1");
    assert_int_equal(parse(&selection, text), -1);
}

/* Cameras that exist in these tests. */
static const apr_uint32_t known[] = { 0, 1, 3, 4, 7, 8, 9, 12 };
#define KNOWN (sizeof(known) / sizeof(known[0]))

static int not_3_or_7(void *baton, apr_uint32_t cam)
{
    ++*(unsigned *)baton;
    return cam != 3 && cam != 7;
}

static void assert_choice(const char *text, unsigned asks, const apr_uint32_t *right, size_t count)
{
    apr_uint32_t chosen[KNOWN];
    char taken[KNOWN] = { 0 };
    kc_selection_t selection;
    unsigned asked = 0;

    assert_int_equal(parse(&selection, text), 0);
    assert_int_equal(
        kc_selection_choose(&selection, known, KNOWN, not_3_or_7, &asked, taken, chosen), count);
    assert_memory_equal(chosen, right, count * sizeof(*right));
    assert_int_equal(asked, asks);
}

static void a_count_is_of_cameras_that_may_be_seen(void **state)
{
    static const apr_uint32_t three[] = { 0, 1, 4 };
    static const apr_uint32_t all[] = { 0, 1, 4, 8, 9, 12 };

    assert_choice("3", 4, three, 3); /* 3 is asked about, 7 and later are not */
    assert_choice("50", KNOWN, all, 6);
    assert_choice("", KNOWN, all, 6);
}

static void a_list_keeps_its_order_and_names_each_camera_once(void **state)
{
    static const apr_uint32_t right[] = { 9, 0, 1, 4, 8 };

    assert_choice("9,0-5,2-9", 7, right, 5);
    assert_choice("5-6", 0, NULL, 0);
    assert_choice("13-99999", 0, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_alone_is_a_count_and_a_comma_or_dash_makes_a_list),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_list_has_an_end),
        cmocka_unit_test(a_count_is_of_cameras_that_may_be_seen),
        cmocka_unit_test(a_list_keeps_its_order_and_names_each_camera_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
