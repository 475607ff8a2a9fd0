#include "unit_hub.h"

#include <pthread.h>

typedef struct {
    int told;
    apr_uint32_t cam;
    int wanted;
} witness_t;

static apr_uint64_t expect_newest(apr_uint32_t cam, kc_frame_kind_t kind, apr_uint64_t after,
                                  char mark)
{
    kc_frame_t *frame = kc_hub_newest(hub, cam, kind, after);
    apr_uint64_t number;

    assert_non_null(frame);
    assert_int_equal(frame->data[0], mark);
    number = frame->number;
    kc_frame_unref(frame);
    return number;
}

static void count_notify(void *baton, apr_uint32_t cam)
{
    witness_t *witness = baton;

    witness->told++;
    witness->cam = cam;
}

static void count_demand(void *baton, apr_uint32_t cam, int wanted)
{
    witness_t *witness = baton;

    witness->told++;
    witness->cam = cam;
    witness->wanted = wanted;
}

static void hub_gives_a_late_viewer_only_the_newest_frame(void **state)
{
    apr_uint64_t number;

    assert_null(kc_hub_newest(hub, 1, KC_FRAME_PICTURE, 0));
    publish(KC_FRAME_PICTURE, 1, 'a');
    publish(KC_FRAME_PICTURE, 1, 'b');
    publish(KC_FRAME_PICTURE, 1, 'c');
    number = expect_newest(1, KC_FRAME_PICTURE, 0, 'c');
    assert_null(kc_hub_newest(hub, 1, KC_FRAME_PICTURE, number));
    assert_null(kc_hub_newest(hub, 2, KC_FRAME_PICTURE, 0));
}

static void a_frame_outlives_its_replacement_while_somebody_sends_it(void **state)
{
    kc_frame_t *held;

    publish(KC_FRAME_PICTURE, 1, 'a');
    held = kc_hub_newest(hub, 1, KC_FRAME_PICTURE, 0);
    publish(KC_FRAME_PICTURE, 1, 'b');
    assert_int_equal(held->data[0], 'a');
    kc_frame_unref(held);
}

static void a_picture_ends_the_notice_and_a_state_does_not(void **state)
{
    publish(KC_FRAME_NOTICE, 1, 'n');
    publish(KC_FRAME_STATE, 1, 's');
    expect_newest(1, KC_FRAME_NOTICE, 0, 'n');
    publish(KC_FRAME_PICTURE, 1, 'p');
    assert_null(kc_hub_newest(hub, 1, KC_FRAME_NOTICE, 0));
    expect_newest(1, KC_FRAME_STATE, 0, 's');
}

static void numbers_rise_even_after_forgetting(void **state)
{
    apr_uint64_t before, after;

    publish(KC_FRAME_PICTURE, 1, 'a');
    before = expect_newest(1, KC_FRAME_PICTURE, 0, 'a');
    kc_hub_forget(hub, 1);
    assert_null(kc_hub_newest(hub, 1, KC_FRAME_PICTURE, 0));
    publish(KC_FRAME_PICTURE, 1, 'b');
    after = expect_newest(1, KC_FRAME_PICTURE, before, 'b');
    assert_true(after > before);
}

static void a_watch_is_told_of_its_camera_until_it_is_taken_back(void **state)
{
    witness_t witness = { 0, 0, 0 };
    kc_hub_watch_t watch = { .notify = count_notify, .baton = &witness };

    assert_int_equal(kc_hub_watch(hub, 3, &watch), APR_SUCCESS);
    publish(KC_FRAME_PICTURE, 2, 'a');
    assert_int_equal(witness.told, 0);
    publish(KC_FRAME_PICTURE, 3, 'a');
    assert_int_equal(witness.told, 1);
    assert_int_equal(witness.cam, 3);
    kc_hub_unwatch(hub, 3, &watch);
    publish(KC_FRAME_PICTURE, 3, 'b');
    assert_int_equal(witness.told, 1);
}

static void only_the_first_and_the_last_watch_change_the_demand(void **state)
{
    witness_t ignored = { 0, 0, 0 };
    witness_t demand = { 0, 0, 0 };
    kc_hub_watch_t one = { .notify = count_notify, .baton = &ignored };
    kc_hub_watch_t two = { .notify = count_notify, .baton = &ignored };

    kc_hub_on_demand(hub, count_demand, &demand);
    kc_hub_watch(hub, 2, &one);
    assert_int_equal(demand.told, 1);
    assert_int_equal(demand.wanted, 1);
    kc_hub_watch(hub, 2, &two);
    kc_hub_unwatch(hub, 2, &one);
    assert_int_equal(demand.told, 1);
    kc_hub_unwatch(hub, 2, &two);
    assert_int_equal(demand.told, 2);
    assert_int_equal(demand.wanted, 0);
    assert_int_equal(demand.cam, 2);
}

static void cameras_past_the_end_are_refused(void **state)
{
    witness_t ignored = { 0, 0, 0 };
    kc_hub_watch_t watch = { .notify = count_notify, .baton = &ignored };

    assert_int_equal(kc_hub_publish(hub, kc_frame_create(KC_FRAME_PICTURE, 4, 1)), APR_NOTFOUND);
    assert_int_equal(kc_hub_watch(hub, 4, &watch), APR_NOTFOUND);
    assert_null(kc_hub_newest(hub, 4, KC_FRAME_PICTURE, 0));
}

#define ROUNDS 100000

/* A frame of many bytes, all the same, so that half of one and half of another would show. */
static void *publish_rounds(void *unused)
{
    int i;

    for (i = 1; i <= ROUNDS; i++) {
        kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, 1, 64);

        memset(frame->data, i & 0x7f, frame->size);
        frame->seq = (apr_uint64_t)i;
        kc_hub_publish(hub, frame);
    }
    return unused;
}

/* Returns what it saw wrong, NULL if nothing. */
static void *view_rounds(void *unused)
{
    const char *wrong = NULL;
    apr_uint64_t number = 0, seq = 0;

    while (seq < ROUNDS && !wrong) {
        kc_frame_t *frame = kc_hub_newest(hub, 1, KC_FRAME_PICTURE, number);

        if (frame) {
            if (frame->seq <= seq) {
                wrong = "an older one after a newer one";
            }
            if (frame->data[0] != (char)(frame->seq & 0x7f) ||
                memcmp(frame->data, frame->data + 1, frame->size - 1)) {
                wrong = "not a whole one";
            }
            number = frame->number;
            seq = frame->seq;
            kc_frame_unref(frame);
        }
    }
    return (void *)(uintptr_t)wrong;
}

/* The witness lives for one watch alone: told afterwards, a sanitizer would see it. */
static void *watch_rounds(void *unused)
{
    int i;

    for (i = 0; i < ROUNDS / 10; i++) {
        witness_t *witness = calloc(1, sizeof(*witness));
        kc_hub_watch_t watch = { .notify = count_notify, .baton = witness };

        kc_hub_watch(hub, 1, &watch);
        kc_hub_unwatch(hub, 1, &watch);
        free(witness);
    }
    return unused;
}

static void threads_see_whole_frames_in_their_order(void **state)
{
    static void *(*const work[])(void *) = { publish_rounds, view_rounds, view_rounds,
                                             watch_rounds };
    pthread_t threads[4];
    void *wrong;
    int i;

    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], NULL), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        assert_ptr_equal(wrong, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hub_gives_a_late_viewer_only_the_newest_frame, make_hub,
                                        end_hub),
        cmocka_unit_test_setup_teardown(a_frame_outlives_its_replacement_while_somebody_sends_it,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(a_picture_ends_the_notice_and_a_state_does_not, make_hub,
                                        end_hub),
        cmocka_unit_test_setup_teardown(numbers_rise_even_after_forgetting, make_hub, end_hub),
        cmocka_unit_test_setup_teardown(a_watch_is_told_of_its_camera_until_it_is_taken_back,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(only_the_first_and_the_last_watch_change_the_demand,
                                        make_hub, end_hub),
        cmocka_unit_test_setup_teardown(cameras_past_the_end_are_refused, make_hub, end_hub),
        cmocka_unit_test_setup_teardown(threads_see_whole_frames_in_their_order, make_hub, end_hub),
    };

    apr_initialize();
    atexit(apr_terminate);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
