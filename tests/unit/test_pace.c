#include "unit.h"
#include "pace.h"

#define SECOND INT64_C(1000000)

/* How many of the pictures step_us apart (jittering by up to jitter_us) are taken, and the longest
 * and shortest time between two of them. */
struct taken {
    int count;
    int64_t longest_us, shortest_us;
};

static struct taken play(double cap, int64_t step_us, int64_t jitter_us, int pictures)
{
    struct pace_rhythm rhythm;
    struct taken taken = { 0, 0, INT64_MAX };
    int64_t last_us = -1;
    uint32_t random = 1;
    int i;

    pace_rhythm_init(&rhythm, cap);
    for (i = 0; i < pictures; i++) {
        int64_t at_us = i * step_us;

        random = random * 1664525 + 1013904223;
        at_us += jitter_us ? (int64_t)(random >> 8) % (2 * jitter_us) - jitter_us : 0;
        if (pace_rhythm_wants(&rhythm, at_us)) {
            if (last_us >= 0) {
                taken.longest_us =
                    at_us - last_us > taken.longest_us ? at_us - last_us : taken.longest_us;
                taken.shortest_us =
                    at_us - last_us < taken.shortest_us ? at_us - last_us : taken.shortest_us;
            }
            last_us = at_us;
            taken.count++;
        }
    }
    return taken;
}

static void a_cap_of_zero_takes_every_picture(void **state)
{
    assert_int_equal(play(0, 40000, 10000, 1000).count, 1000);
}

static void thirty_become_ten_by_each_third_picture(void **state)
{
    struct taken taken = play(10, 33333, 0, 900);

    assert_int_equal(taken.count, 300);
    assert_in_range(taken.shortest_us, 99000, 101000);
    assert_in_range(taken.longest_us, 99000, 101000);
}

static void jitter_of_the_camera_does_not_break_the_rhythm(void **state)
{
    struct taken taken = play(5, 40000, 8000, 2500);

    assert_in_range(taken.count, 499, 501);
    assert_in_range(taken.shortest_us, 180000, 220000);
    assert_in_range(taken.longest_us, 180000, 220000);
}

static void a_rate_that_does_not_divide_stays_near_its_beats(void **state)
{
    struct taken taken = play(10, 40000, 0, 1000);

    assert_in_range(taken.count, 399, 401);
    assert_in_range(taken.shortest_us, 80000, 120000);
    assert_in_range(taken.longest_us, 80000, 120000);
}

static void a_camera_at_its_cap_loses_nothing(void **state)
{
    assert_int_equal(play(25, 40000, 8000, 1000).count, 1000);
    assert_int_equal(play(5, SECOND, 0, 100).count, 100);
}

static void a_gap_is_not_made_up_for(void **state)
{
    struct pace_rhythm rhythm;
    int64_t at_us, last_us = 0;

    pace_rhythm_init(&rhythm, 5);
    for (at_us = 0; at_us < SECOND; at_us += 40000) {
        pace_rhythm_wants(&rhythm, at_us);
    }
    assert_true(pace_rhythm_wants(&rhythm, 5 * SECOND));
    for (at_us = 5 * SECOND + 40000, last_us = 5 * SECOND; at_us < 7 * SECOND; at_us += 40000) {
        if (pace_rhythm_wants(&rhythm, at_us)) {
            assert_in_range(at_us - last_us, 160000, 240000);
            last_us = at_us;
        }
    }
}

static void a_stream_clock_that_jumps_back_starts_a_new_rhythm(void **state)
{
    struct pace_rhythm rhythm;

    pace_rhythm_init(&rhythm, 1);
    assert_true(pace_rhythm_wants(&rhythm, 1000 * SECOND));
    assert_false(pace_rhythm_wants(&rhythm, 1000 * SECOND + 40000));
    assert_true(pace_rhythm_wants(&rhythm, 3 * SECOND));
    assert_false(pace_rhythm_wants(&rhythm, 3 * SECOND + 40000));
    assert_true(pace_rhythm_wants(&rhythm, 4 * SECOND));
}

#define NOW (INT64_C(1700000000) * SECOND)

static struct pace_clock clock_;

static int64_t capture(int64_t sender_us, int64_t at_us)
{
    return pace_clock_capture(&clock_, sender_us, NOW + at_us, at_us);
}

static int make_clock(void **state)
{
    pace_clock_init(&clock_);
    return 0;
}

static void the_camera_s_time_counts_while_it_is_plausible(void **state)
{
    assert_true(capture(NOW - 120000, 0) == NOW - 120000);
    assert_true(capture(NOW - 80000, 300000) == NOW - 80000); /* however late it arrives */
    assert_false(pace_clock_wrong(&clock_));
}

static void without_the_camera_s_time_that_of_arrival_counts(void **state)
{
    assert_true(capture(PACE_NO_TIME, 0) == NOW);
    assert_true(capture(PACE_NO_TIME, 40000) == NOW + 40000);
}

static void a_picture_is_never_captured_after_it_arrived(void **state)
{
    assert_true(capture(NOW + 500000, 0) == NOW);
    assert_false(pace_clock_wrong(&clock_));
}

static void a_camera_clock_an_hour_off_does_not_count(void **state)
{
    assert_true(capture(NOW + 3600 * SECOND, 0) == NOW);
    assert_true(pace_clock_wrong(&clock_));
    assert_true(capture(NOW - 3600 * SECOND, SECOND) == NOW + SECOND);
    /* Right again: believed when it has been for a while. */
    assert_true(capture(NOW + 2 * SECOND - 100000, 2 * SECOND) == NOW + 2 * SECOND);
    assert_true(capture(NOW + 12 * SECOND - 100000, 12 * SECOND) == NOW + 12 * SECOND - 100000);
    assert_false(pace_clock_wrong(&clock_));
}

static void time_never_goes_back_and_closes_up_without_a_jump(void **state)
{
    int64_t last_us = capture(PACE_NO_TIME, 0);
    int64_t at_us, captured_us;

    /* The camera's clock turns up, two seconds behind. */
    for (at_us = 40000; at_us < 6 * SECOND; at_us += 40000) {
        captured_us = capture(NOW + at_us - 2 * SECOND, at_us);
        assert_true(captured_us > last_us);
        assert_true(captured_us - last_us <= 40000);
        last_us = captured_us;
    }
    assert_true(last_us == NOW + at_us - 40000 - 2 * SECOND);
}

static void our_own_clock_set_back_an_hour_does_not_turn_time_back(void **state)
{
    int64_t last_us = capture(PACE_NO_TIME, 0);
    int64_t captured_us = pace_clock_capture(&clock_, PACE_NO_TIME, NOW - 3600 * SECOND, 40000);

    assert_true(captured_us == last_us + 20000);
    last_us = captured_us;
    captured_us = pace_clock_capture(&clock_, PACE_NO_TIME, NOW - 3600 * SECOND, 40000);
    assert_true(captured_us == last_us + 1);
}

/* How many of the pictures of seconds at 25 fps a cap of 5 lets through, when the stream's clock
 * goes speed times as fast as time; the last half of them in *late. */
static int capped(double speed, int seconds, int *late)
{
    struct pace_rhythm rhythm;
    struct pace_media media;
    int i, count = 0;

    pace_rhythm_init(&rhythm, 5);
    pace_media_init(&media);
    for (i = *late = 0; i < seconds * 25; i++) {
        int64_t mono_us = INT64_C(1000000000) + i * INT64_C(40000);
        int wants = pace_rhythm_wants(
            &rhythm, pace_media_time(&media, (int64_t)(7 + i * 40000 * speed), mono_us));

        count += wants;
        *late += wants && i >= seconds * 25 / 2;
    }
    assert_int_equal(pace_media_wrong(&media), speed < 0.7 || speed > 1.3);
    return count;
}

static void the_cap_holds_in_real_seconds_whatever_the_streams_clock_says(void **state)
{
    static const double speeds[] = { 1, 0, 1 / 90.0, 1 / 3.0, 0.98, 1.02, 2, 10, 1000, -1 };
    size_t i;
    int late;

    for (i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        assert_in_range(capped(speeds[i], 8, &late), 32, 48);
        assert_in_range(late, 18, 22);
    }
}

static void a_burst_or_a_jump_of_the_streams_clock_is_no_reason_to_give_it_up(void **state)
{
    struct pace_media media;
    int64_t mono_us = 0, media_us = 0, due_us, last_us = 0;
    int i;

    pace_media_init(&media);
    for (i = 0; i < 1000; i++) {
        media_us += 40000;
        mono_us += i < 100 ? 1000 : 40000; /* four seconds that were stored */
        if (i == 500) {
            media_us += INT64_C(3600000000);
        }
        if (i == 700) {
            mono_us += 3000000; /* a stall */
        }
        due_us = pace_media_time(&media, media_us, mono_us);
        assert_true(due_us <= mono_us + PACE_EARLY_US && due_us >= mono_us - PACE_LATE_US);
        assert_true(i == 500 || due_us > last_us);
        last_us = due_us;
    }
    assert_false(pace_media_wrong(&media));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cap_of_zero_takes_every_picture),
        cmocka_unit_test(thirty_become_ten_by_each_third_picture),
        cmocka_unit_test(jitter_of_the_camera_does_not_break_the_rhythm),
        cmocka_unit_test(a_rate_that_does_not_divide_stays_near_its_beats),
        cmocka_unit_test(a_camera_at_its_cap_loses_nothing),
        cmocka_unit_test(a_gap_is_not_made_up_for),
        cmocka_unit_test(a_stream_clock_that_jumps_back_starts_a_new_rhythm),
        cmocka_unit_test_setup(the_camera_s_time_counts_while_it_is_plausible, make_clock),
        cmocka_unit_test_setup(without_the_camera_s_time_that_of_arrival_counts, make_clock),
        cmocka_unit_test_setup(a_picture_is_never_captured_after_it_arrived, make_clock),
        cmocka_unit_test_setup(a_camera_clock_an_hour_off_does_not_count, make_clock),
        cmocka_unit_test_setup(time_never_goes_back_and_closes_up_without_a_jump, make_clock),
        cmocka_unit_test_setup(our_own_clock_set_back_an_hour_does_not_turn_time_back, make_clock),
        cmocka_unit_test(the_cap_holds_in_real_seconds_whatever_the_streams_clock_says),
        cmocka_unit_test(a_burst_or_a_jump_of_the_streams_clock_is_no_reason_to_give_it_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
