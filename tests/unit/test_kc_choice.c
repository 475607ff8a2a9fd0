#include "unit_hub.h"
#include "kc_choice.h"

static const apr_uint32_t cams[] = { 1, 2, 3 };

/* What a sender does with news of a camera. */
static void news(kc_choice_t *choice, apr_size_t seat, kc_frame_kind_t kind, char mark)
{
    publish(kind, kc_choice_cam(choice, seat), mark);
    kc_choice_tell(choice, seat);
}

/* The marks of what is sent from now on until nothing is left, with cameras' numbers. */
static const char *drain(kc_choice_t *choice, apr_time_t now)
{
    static char marks[64];
    apr_size_t size = 0;
    kc_frame_t *frame;

    while ((frame = kc_choice_next(choice, now)) != NULL) {
        assert_true(size < sizeof(marks) - 3);
        marks[size++] = (char)('0' + frame->cam);
        marks[size++] = frame->data[0];
        kc_frame_unref(frame);
    }
    marks[size] = '\0';
    return marks;
}

static void a_new_viewer_gets_what_there_is(void **state)
{
    kc_choice_t *choice;

    publish(KC_FRAME_PICTURE, 1, 'a');
    choice = kc_choice_create(hub, cams, 1, 0, 0, pool);
    assert_string_equal(drain(choice, 1), "1a");
    assert_int_equal(kc_choice_due(choice), 0);
}

static void what_came_in_between_is_skipped_and_counted(void **state)
{
    kc_choice_t *choice = kc_choice_create(hub, cams, 1, 0, 0, pool);

    news(choice, 0, KC_FRAME_PICTURE, 'a');
    assert_string_equal(drain(choice, 1), "1a");
    news(choice, 0, KC_FRAME_PICTURE, 'b');
    news(choice, 0, KC_FRAME_STATE, 's');
    news(choice, 0, KC_FRAME_PICTURE, 'c');
    news(choice, 0, KC_FRAME_PICTURE, 'd');
    assert_string_equal(drain(choice, 1), "1d");
    assert_int_equal(kc_choice_skipped(choice), 2);
}

static void a_notice_is_shown_instead_of_the_old_picture(void **state)
{
    kc_choice_t *choice;

    publish(KC_FRAME_PICTURE, 1, 'a');
    publish(KC_FRAME_NOTICE, 1, 'n');
    choice = kc_choice_create(hub, cams, 1, 0, 0, pool);
    assert_string_equal(drain(choice, 1), "1n");
    news(choice, 0, KC_FRAME_PICTURE, 'b');
    assert_string_equal(drain(choice, 1), "1b");
    assert_int_equal(kc_choice_skipped(choice), 0);
}

static void a_wall_sends_states_before_pictures_and_no_notices(void **state)
{
    kc_choice_t *choice;
    apr_uint32_t cam;

    for (cam = 1; cam <= 3; cam++) {
        publish(KC_FRAME_PICTURE, cam, 'p');
        publish(KC_FRAME_STATE, cam, 's');
    }
    publish(KC_FRAME_NOTICE, 2, 'n');
    choice = kc_choice_create(hub, cams, 3, 1, 0, pool);
    assert_string_equal(drain(choice, 1), "1s2s3s1p2p3p");
}

static void no_camera_starves_on_a_slow_line(void **state)
{
    kc_choice_t *choice = kc_choice_create(hub, cams, 3, 1, 0, pool);
    int sent[4] = { 0 };
    int turn;

    for (turn = 0; turn < 30; turn++) {
        kc_frame_t *frame;

        news(choice, 0, KC_FRAME_PICTURE, 'a'); /* each makes a frame while one goes out */
        news(choice, 1, KC_FRAME_PICTURE, 'b');
        news(choice, 2, KC_FRAME_PICTURE, 'c');
        frame = kc_choice_next(choice, 1);
        sent[frame->cam]++;
        kc_frame_unref(frame);
    }
    assert_int_equal(sent[1], 10);
    assert_int_equal(sent[2], 10);
    assert_int_equal(sent[3], 10);
}

static void the_interval_thins_a_camera_out_and_keeps_its_rhythm(void **state)
{
    kc_choice_t *choice = kc_choice_create(hub, cams, 1, 0, 100, pool);

    news(choice, 0, KC_FRAME_PICTURE, 'a');
    assert_string_equal(drain(choice, 1000), "1a");
    news(choice, 0, KC_FRAME_PICTURE, 'b');
    assert_string_equal(drain(choice, 1050), "");
    assert_int_equal(kc_choice_due(choice), 1100);
    news(choice, 0, KC_FRAME_PICTURE, 'c');
    assert_string_equal(drain(choice, 1110), "1c");
    news(choice, 0, KC_FRAME_PICTURE, 'd');
    assert_string_equal(drain(choice, 1199), "");
    assert_int_equal(kc_choice_due(choice), 1200);
    assert_string_equal(drain(choice, 1200), "1d");
    news(choice, 0, KC_FRAME_PICTURE, 'e');
    assert_string_equal(drain(choice, 5000), "1e");
    news(choice, 0, KC_FRAME_PICTURE, 'f');
    assert_string_equal(drain(choice, 5050), "");
    assert_int_equal(kc_choice_due(choice), 5100);
    assert_int_equal(kc_choice_skipped(choice), 0);
}

static void what_there_is_can_be_had_again_whatever_the_interval(void **state)
{
    kc_choice_t *choice = kc_choice_create(hub, cams, 1, 0, 1000000, pool);
    kc_frame_t *frame;

    assert_null(kc_choice_again(choice));
    news(choice, 0, KC_FRAME_PICTURE, 'a');
    assert_string_equal(drain(choice, 1), "1a");
    frame = kc_choice_again(choice);
    assert_int_equal(frame->data[0], 'a');
    kc_frame_unref(frame);
    news(choice, 0, KC_FRAME_PICTURE, 'b');
    assert_string_equal(drain(choice, 100), "");
    frame = kc_choice_again(choice);
    assert_int_equal(frame->data[0], 'b');
    kc_frame_unref(frame);
    assert_string_equal(drain(choice, 1000002), ""); /* it was sent already */
    publish(KC_FRAME_NOTICE, 1, 'n');
    frame = kc_choice_again(choice);
    assert_int_equal(frame->data[0], 'n');
    kc_frame_unref(frame);
    kc_choice_drop(choice, 0);
    assert_null(kc_choice_again(choice));
}

static void publish_dashes(kc_choice_t *choice, char mark)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, 1, 1);

    frame->data[0] = mark;
    frame->dashes = 1;
    kc_hub_publish(hub, frame);
    kc_choice_tell(choice, 0);
}

static void a_stream_without_lengths_shows_no_picture_with_dashes(void **state)
{
    kc_choice_t *plain = kc_choice_create(hub, cams, 1, 0, 0, pool);
    kc_choice_t *meta = kc_choice_create(hub, cams, 1, 0, 0, pool);
    kc_frame_t *frame;

    kc_choice_without_dashes(plain);
    publish_dashes(plain, 'x');
    assert_string_equal(drain(plain, 1), "");
    assert_null(kc_choice_again(plain));
    news(plain, 0, KC_FRAME_PICTURE, 'a');
    assert_string_equal(drain(plain, 1), "1a");
    publish_dashes(plain, 'y');
    assert_string_equal(drain(plain, 1), "");
    frame = kc_choice_again(plain);
    assert_int_equal(frame->data[0], 'a');
    kc_frame_unref(frame);
    assert_string_equal(drain(meta, 1), "1y");
    news(plain, 0, KC_FRAME_PICTURE, 'b');
    assert_string_equal(drain(plain, 1), "1b");
    assert_int_equal(kc_choice_skipped(plain), 1);
}

static void a_dropped_camera_is_never_sent_again(void **state)
{
    kc_choice_t *choice = kc_choice_create(hub, cams, 3, 1, 0, pool);

    kc_choice_drop(choice, 1);
    news(choice, 0, KC_FRAME_PICTURE, 'a');
    news(choice, 1, KC_FRAME_PICTURE, 'b');
    news(choice, 1, KC_FRAME_STATE, 's');
    assert_string_equal(drain(choice, 1), "1a");
    assert_true(kc_choice_dropped(choice, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_viewer_gets_what_there_is, make_hub, end_hub),
        cmocka_unit_test_setup_teardown(what_came_in_between_is_skipped_and_counted, make_hub,
                                        end_hub),
        cmocka_unit_test_setup_teardown(a_notice_is_shown_instead_of_the_old_picture, make_hub,
                                        end_hub),
        cmocka_unit_test_setup_teardown(a_wall_sends_states_before_pictures_and_no_notices,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(no_camera_starves_on_a_slow_line, make_hub, end_hub),
        cmocka_unit_test_setup_teardown(the_interval_thins_a_camera_out_and_keeps_its_rhythm,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(what_there_is_can_be_had_again_whatever_the_interval,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(a_stream_without_lengths_shows_no_picture_with_dashes,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(a_dropped_camera_is_never_sent_again, make_hub, end_hub),
    };

    apr_initialize();
    atexit(apr_terminate);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
