#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include "settings.h"

/* The text of a file, the caller's. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 100000);

    if (!file) {
        fail_msg("no %s", path);
    }
    assert_true(fread(text, 1, 99999, file) > 0);
    fclose(file);
    return text;
}

static void every_default_is_in_range(void **state)
{
    const struct value *value;
    struct camera_settings settings = { .fps = 0 };

    for (value = settings_table; value->name; value++) {
        assert_int_equal(value_parse(value, &settings, value->preset), 0);
        assert_non_null(value->help);
        assert_non_null(value->option);
    }
}

static void a_difference_in_any_setting_is_another_job(void **state)
{
    struct camera_settings one, two;
    const struct value *value;

    settings_preset(&one);
    for (value = settings_table; value->name; value++) {
        settings_preset(&two);
        assert_true(settings_same(&one, &two));
        ((char *)&two)[value->offset] ^= 1;
        if (settings_same(&one, &two)) {
            fail_msg("%s is not compared", value->name);
        }
    }
}

/* The columns between enabled and updated_at, and no others. */
static void the_table_of_cameras_has_a_column_for_each(void **state)
{
    char *schema = read_file(SRCDIR "/conf/schema.sql");
    const struct value *value;
    char column[60];
    char *line, *rest;
    int inside = 0;

    for (value = settings_table; value->name; value++) {
        snprintf(column, sizeof(column), "\n    %s ", value->name);
        if ((strstr(schema, column) != NULL) != settings_is_column(value)) {
            fail_msg("schema.sql and settings.c do not agree on %s", value->name);
        }
    }
    for (line = strtok_r(schema, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        inside |= !strncmp(line, "    enabled ", 12);
        if (!strncmp(line, "    updated_at ", 15)) {
            break;
        }
        if (inside && line[4] >= 'a' && line[4] <= 'z' && strncmp(line, "    enabled ", 12)) {
            snprintf(column, sizeof(column), "%.*s", (int)strcspn(line + 4, " "), line + 4);
            for (value = settings_table; value->name && strcmp(value->name, column); value++) {
            }
            if (!value->name) {
                fail_msg("column %s of schema.sql is not in settings.c", column);
            }
        }
    }
    free(schema);
}

/* In the table's order: an option's words reach from its .It to the next. */
static void the_man_page_has_every_option_with_its_default(void **state)
{
    char *man = read_file(SRCDIR "/man/kafkacam-camera.8");
    const struct value *value;
    char item[80];
    char *at = man;
    char *p, *found, *next;

    for (value = settings_table; value->name; value++) {
        snprintf(item, sizeof(item), ".It Fl -%s ", value->name);
        for (p = item; (p = strchr(p, '_')) != NULL;) {
            *p = '-';
        }
        at = strstr(at, item);
        if (!at) {
            fail_msg("kafkacam-camera(8) lacks, or has not in its place: %s", item);
        }
        at += strlen(item);
        snprintf(item, sizeof(item), "Default: %s", *value->preset ? value->preset : "empty");
        found = strstr(at, item);
        next = strstr(at, ".It Fl ");
        if (!found || (next && found > next) || !strchr(",.", found[strlen(item)])) {
            fail_msg("kafkacam-camera(8) lacks of %s: %s", value->name, item);
        }
    }
    free(man);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_in_range),
        cmocka_unit_test(a_difference_in_any_setting_is_another_job),
        cmocka_unit_test(the_table_of_cameras_has_a_column_for_each),
        cmocka_unit_test(the_man_page_has_every_option_with_its_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
