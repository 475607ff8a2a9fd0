#include "unit.h"
#include "kc_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE 400

static unsigned char data[SIZE];

/* text at each place of an otherwise harmless picture, which may end with it. */
static void assert_found_everywhere(const char *text, unsigned marks)
{
    size_t length = strlen(text), at, size;

    for (at = 0; at + length <= 200; at++) {
        memset(data, 'x', sizeof(data));
        memcpy(data + at, text, length);
        for (size = at + length; size < at + length + 140; size++) {
            assert_int_equal(kc_marks_find(data, size), marks);
        }
        assert_int_equal(kc_marks_find(data, at + length - 1), 0);
    }
}

static void dashes_after_an_end_of_line_are_found_wherever_they_stand(void **state)
{
    assert_found_everywhere("\r\n--", KC_MARKS_DASHES);
}

static void a_boundary_is_found_wherever_it_stands(void **state)
{
    assert_found_everywhere("--frame", KC_MARKS_BOUNDARY);
}

static void both_are_told_apart(void **state)
{
    static const char both[] = "\xff\xd8\r\n--frame\r\nContent-Type: text/html";
    static const char apart[] = "\xff\xd8 --fram-- --frame and \r\n--";

    assert_int_equal(kc_marks_find(both, sizeof(both) - 1), KC_MARKS_DASHES | KC_MARKS_BOUNDARY);
    assert_int_equal(kc_marks_find(apart, sizeof(apart) - 1), KC_MARKS_DASHES | KC_MARKS_BOUNDARY);
}

static void what_only_looks_like_them_is_none(void **state)
{
    static const char near[] = "\n-- \r-- \r\n- -\r\n-frame --Frame -frame--fram";

    memset(data, '-', sizeof(data));
    assert_int_equal(kc_marks_find(data, sizeof(data)), 0);
    assert_int_equal(kc_marks_find(near, sizeof(near) - 1), 0);
    assert_int_equal(kc_marks_find(data, 0), 0);
    assert_int_equal(kc_marks_find(data, 1), 0);
}

/* As a slow way to find them says, for random bytes of which many are those that matter. */
static void random_pictures_are_judged_as_by_a_plain_search(void **state)
{
    static const char letters[] = "\r\n--frame";
    int round;

    srand(1);
    for (round = 0; round < 20000; round++) {
        size_t size = (size_t)(rand() % SIZE), i;
        unsigned expected = 0;

        for (i = 0; i < size; i++) {
            data[i] = (unsigned char)letters[rand() % 9];
            if (rand() % 8 == 0 && i + 7 < size) {
                memcpy(data + i, "--frame", 7);
                i += 6;
            }
        }
        for (i = 0; i < size; i++) {
            expected |= size - i >= 4 && !memcmp(data + i, "\r\n--", 4) ? KC_MARKS_DASHES : 0;
            expected |= size - i >= 7 && !memcmp(data + i, "--frame", 7) ? KC_MARKS_BOUNDARY : 0;
        }
        assert_int_equal(kc_marks_find(data, size), expected);
    }
}

/* What it costs, for whoever runs this by hand: no time is asserted. */
static void its_cost_is_told(void **state)
{
    size_t size = 500000, i;
    unsigned char *picture = malloc(size);
    unsigned found = 0;
    clock_t begun;
    int round;

    assert_non_null(picture);
    for (i = 0; i < size; i++) {
        picture[i] = (unsigned char)(rand() >> 7);
    }
    begun = clock();
    for (round = 0; round < 400; round++) {
        picture[round] = (unsigned char)round;
        found += kc_marks_find(picture, size);
    }
    print_message("%.2f GB/s, %u found\n",
                  400.0 * (double)size / 1e9 / ((double)(clock() - begun) / CLOCKS_PER_SEC), found);
    free(picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dashes_after_an_end_of_line_are_found_wherever_they_stand),
        cmocka_unit_test(a_boundary_is_found_wherever_it_stands),
        cmocka_unit_test(both_are_told_apart),
        cmocka_unit_test(what_only_looks_like_them_is_none),
        cmocka_unit_test(random_pictures_are_judged_as_by_a_plain_search),
        cmocka_unit_test(its_cost_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
