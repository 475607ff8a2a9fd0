#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include "catalog.h"

static struct conf conf;

static int set_conf(void **state)
{
    conf.producer.max_cameras = 1000;
    conf.cameras.fps = 5;
    conf.cameras.quality = 80;
    conf.cameras.tls_verify = 1;
    return 0;
}

/* Parse a row of columns and texts, NULL ends it. */
static int parse(struct catalog_row *row, const char *const *pairs, char why[200])
{
    struct catalog_cell cells[20];
    size_t count = 0;

    for (; pairs[2 * count]; count++) {
        cells[count].column = pairs[2 * count];
        cells[count].text = pairs[2 * count + 1];
        cells[count].size = cells[count].text ? strlen(cells[count].text) : 0;
    }
    return catalog_row_parse(row, cells, count, &conf, why, 200);
}

static void a_row_of_nulls_has_what_the_settings_say(void **state)
{
    const char *const pairs[] = {
        "ID",        "3",  "name",        "",   "url",        "rtsp://u:p@h/x",
        "fps",       NULL, "width",       NULL, "quality",    NULL,
        "transport", NULL, "small_width", NULL, "tls_verify", NULL,
        "enabled",   "1",  NULL
    };
    struct catalog_row row;
    char why[200];

    assert_int_equal(parse(&row, pairs, why), 1);
    assert_null(row.refused);
    assert_int_equal(row.cam, 3);
    assert_string_equal(row.name, "Camera 3");
    assert_string_equal(row.url, "rtsp://u:p@h/x");
    assert_true(row.settings.fps == 5 && row.settings.quality == 80 && row.settings.width == 0 &&
                row.settings.tls_verify == 1);
    assert_string_equal(row.settings.tls_ca, "");
    catalog_row_clear(&row);
}

static void a_full_row_is_taken_as_it_is(void **state)
{
    const char *const pairs[] = {
        "id",         "1000",  "name",        "Gate",        "url",       "RTSPS://[::1]:322/x?y#z",
        "fps",        "12.50", "width",       "640",         "quality",   "1",
        "transport",  "auto",  "small_width", "320",         "small_fps", "0",
        "tls_verify", "0",     "tls_ca",      "/etc/ca.pem", "owner",     "whatever",
        NULL
    };
    struct catalog_row row;
    char why[200];

    assert_int_equal(parse(&row, pairs, why), 1);
    assert_null(row.refused);
    assert_true(row.settings.fps == 12.5 && row.settings.width == 640 &&
                row.settings.small_width == 320 && row.settings.small_fps == 0);
    assert_int_equal(row.settings.transport, SETTINGS_AUTO);
    assert_int_equal(row.settings.tls_verify, 0);
    assert_string_equal(row.settings.tls_ca, "/etc/ca.pem");
    catalog_row_clear(&row);
}

static void a_row_that_is_not_enabled_is_no_camera(void **state)
{
    const char *const off[] = { "id", "x", "enabled", "0", NULL };
    const struct catalog_cell bit[] = { { "enabled", "\0", 1 }, { "id", "1", 1 } };
    struct catalog_row row;
    char why[200];

    assert_int_equal(parse(&row, off, why), 0);
    assert_int_equal(catalog_row_parse(&row, bit, 2, &conf, why, sizeof(why)), 0);
}

static void a_number_that_is_none_or_too_high_is_refused(void **state)
{
    static const char *const ids[] = { "-1", "1001", "", "1.0", "99999999999999999999", NULL };
    const char *pairs[] = { "id", NULL, "url", "rtsp://h", NULL };
    struct catalog_row row;
    char why[200];
    size_t i;

    for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        pairs[1] = ids[i];
        assert_int_equal(parse(&row, pairs, why), -1);
        assert_non_null(strstr(why, "from 0 to 1000"));
    }
}

static void a_wrong_value_refuses_the_row_and_says_what_is_right(void **state)
{
    static const char *const wrong[][3] = {
        { "fps", "-1", "fps must be a number from 0 to 1000" },
        { "fps", "1e3", "fps must be" },
        { "fps", "nan", "fps must be" },
        { "fps", "1001", "fps must be" },
        { "width", "-5", "width must be" },
        { "width", "99999", "width must be" },
        { "quality", "101", "quality must be a whole number from 0 to 100" },
        { "transport", "", "transport must be one of tcp|udp|auto|http|multicast" },
        { "transport", "quic", "transport must be one of tcp|udp|auto|http|multicast" },
        { "small_width", "x", "small_width must be" },
        { "small_fps", " ", "small_fps must be" },
        { "tls_verify", "2", "tls_verify must be 0 or 1" },
    };
    const char *pairs[] = { "id", "1", "url", "rtsp://h", NULL, NULL, NULL };
    struct catalog_row row;
    char why[200];
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        pairs[4] = wrong[i][0];
        pairs[5] = wrong[i][1];
        assert_int_equal(parse(&row, pairs, why), 1);
        assert_non_null(row.refused);
        assert_non_null(strstr(row.refused, wrong[i][2]));
        assert_null(row.url);
        catalog_row_clear(&row);
    }
}

static void a_long_name_is_cut_between_characters(void **state)
{
    char name[601];
    const char *pairs[] = { "id", "1", "name", name, "url", "rtsp://h", NULL };
    struct catalog_row row;
    char why[200];
    size_t i;

    for (i = 0; i < 600; i += 2) {
        memcpy(name + i, "\xc3\xa9", 3);
    }
    assert_int_equal(parse(&row, pairs, why), 1);
    assert_int_equal(strlen(row.name), 254);
    catalog_row_clear(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_nulls_has_what_the_settings_say),
        cmocka_unit_test(a_full_row_is_taken_as_it_is),
        cmocka_unit_test(a_row_that_is_not_enabled_is_no_camera),
        cmocka_unit_test(a_number_that_is_none_or_too_high_is_refused),
        cmocka_unit_test(a_wrong_value_refuses_the_row_and_says_what_is_right),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, set_conf, NULL);
}
