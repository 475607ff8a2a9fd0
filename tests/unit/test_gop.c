#include "unit.h"
#include "gop.h"

/* Play seconds of a stream of 25 fps with a key frame every gop pictures, of which each step-th is
 * a reference. Returns how many of the last second's would be decoded. */
static int decoded(struct gop *gop, int length, int step, int seconds)
{
    int count = 0;
    int i;

    for (i = 0; i < seconds * 25; i++) {
        int wants = gop_wants(gop, i % length == 0, i % step == 0, i * INT64_C(40000));

        count += wants && i >= (seconds - 1) * 25;
    }
    return count;
}

static void everything_is_decoded_without_a_cap(void **state)
{
    struct gop gop;

    gop_init(&gop, 0);
    assert_int_equal(decoded(&gop, 25, 1, 10), 25);
    assert_int_equal(gop.mode, GOP_ALL);
}

static void key_frames_alone_when_they_come_often_enough(void **state)
{
    struct gop gop;

    gop_init(&gop, 1);
    assert_int_equal(decoded(&gop, 25, 1, 10), 1);
    assert_int_equal(gop.mode, GOP_KEYS);
}

static void all_when_key_frames_are_too_rare(void **state)
{
    struct gop gop;

    gop_init(&gop, 2);
    assert_int_equal(decoded(&gop, 25, 1, 10), 25);
}

static void references_alone_when_those_suffice(void **state)
{
    struct gop gop;

    gop_init(&gop, 5);
    assert_int_equal(decoded(&gop, 50, 5, 10), 5);
    assert_int_equal(gop.mode, GOP_REFERENCES);
}

static void nothing_is_left_out_before_the_stream_is_known(void **state)
{
    struct gop gop;

    gop_init(&gop, 1);
    assert_int_equal(decoded(&gop, 25, 1, 2), 25);
}

static void a_camera_that_makes_its_groups_longer_gets_decoded_again(void **state)
{
    struct gop gop;
    int i;

    gop_init(&gop, 1);
    decoded(&gop, 25, 1, 10);
    for (i = 250; i < 250 + 500; i++) {
        gop_wants(&gop, i % 250 == 0, 1, i * INT64_C(40000));
    }
    assert_int_not_equal(gop.mode, GOP_KEYS);
    assert_true(gop_wants(&gop, 0, 1, i * INT64_C(40000)));
}

static void key_frames_that_show_nothing_by_themselves_end_that_way(void **state)
{
    struct gop gop;

    gop_init(&gop, 1);
    assert_int_equal(decoded(&gop, 25, 1, 6), 1);
    gop_barren(&gop);
    assert_int_equal(gop.mode, GOP_REFERENCES);
    assert_int_equal(decoded(&gop, 25, 1, 6), 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_decoded_without_a_cap),
        cmocka_unit_test(key_frames_alone_when_they_come_often_enough),
        cmocka_unit_test(all_when_key_frames_are_too_rare),
        cmocka_unit_test(references_alone_when_those_suffice),
        cmocka_unit_test(nothing_is_left_out_before_the_stream_is_known),
        cmocka_unit_test(a_camera_that_makes_its_groups_longer_gets_decoded_again),
        cmocka_unit_test(key_frames_that_show_nothing_by_themselves_end_that_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
