#include "unit.h"
#include <stdlib.h>
#include "kc_playback.h"

#define SECOND APR_USEC_PER_SEC
#define BASE   (INT64_C(1700000000) * SECOND) /* time of the first record */
#define STEP   (SECOND / 5)
#define CAMS   3

/* A log of made-up records, five a second. */
typedef struct {
    apr_pool_t *pool;
    kc_hub_t *hub;
    apr_int64_t end[CAMS];    /* records there are */
    apr_int64_t oldest[CAMS]; /* first that is kept */
    int hidden[CAMS];         /* being read */
    apr_time_t jump_at[CAMS]; /* from this record on the clock is jump later */
    apr_interval_time_t jump[CAMS];
    kc_choice_t *choice;
    kc_playback_t *playback;
    apr_time_t now; /* the viewer's clock */
    apr_time_t wall;
} world_t;

static apr_time_t time_of(const world_t *world, apr_uint32_t cam, apr_int64_t offset)
{
    return BASE + offset * STEP + (apr_time_t)cam * 1000 +
           (world->jump_at[cam] && offset >= world->jump_at[cam] ? world->jump[cam] : 0);
}

static kc_frame_t *make(const world_t *world, apr_uint32_t cam, apr_int64_t offset)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, cam, 4);

    frame->offset = offset;
    frame->captured = time_of(world, cam, offset);
    return frame;
}

static kc_playback_answer_t find(void *baton, apr_uint32_t cam, apr_int64_t offset, int step,
                                 kc_frame_t **frame)
{
    world_t *world = baton;

    *frame = NULL;
    if (world->hidden[cam]) {
        return KC_PLAYBACK_ASKED;
    }
    if (step > 0 && offset < world->oldest[cam]) {
        offset = world->oldest[cam];
    }
    if (step > 0 ? offset >= world->end[cam] : offset < world->oldest[cam]) {
        return KC_PLAYBACK_END;
    }
    *frame = make(world, cam, offset < world->end[cam] ? offset : world->end[cam] - 1);
    return KC_PLAYBACK_FOUND;
}

static void read_ahead(void *baton, apr_uint32_t cam, apr_int64_t offset)
{
}

static int set_up(void **state)
{
    world_t *world;
    apr_pool_t *pool;
    int cam;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    world = apr_pcalloc(pool, sizeof(*world));
    world->pool = pool;
    world->now = 1000 * SECOND;
    assert_int_equal(kc_hub_create(&world->hub, CAMS, pool), APR_SUCCESS);
    for (cam = 0; cam < CAMS; cam++) {
        world->end[cam] = 100;
    }
    world->wall = BASE + 3600 * SECOND;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_t *world = *state;

    kc_playback_close(world->playback);
    apr_pool_destroy(world->pool);
    return 0;
}

/* Begin at a record of cameras 0 to cams - 1. */
static void play(world_t *world, apr_size_t cams, apr_int64_t offset, int speed,
                 kc_playback_spec_t spec)
{
    static const apr_uint32_t all[CAMS] = { 0, 1, 2 };
    apr_int64_t offsets[CAMS] = { offset, offset, offset };

    spec.log.find = find;
    spec.log.read_ahead = read_ahead;
    spec.log.baton = world;
    spec.hub = world->hub;
    spec.speed_milli = speed;
    spec.at = BASE + offset * STEP;
    world->choice = kc_choice_create(world->hub, all, cams, cams > 1, 0, world->pool);
    world->playback = kc_playback_create(&spec, world->choice, offsets, world->pool);
}

/* The offset of the picture that is sent now, -1: none. */
static apr_int64_t shown(world_t *world)
{
    kc_frame_t *frame = kc_playback_next(world->playback, world->now, world->wall);
    apr_int64_t offset = frame ? frame->offset : -1;

    if (!frame && kc_playback_is_live(world->playback)) {
        frame = kc_choice_next(world->choice, world->now);
        offset = frame ? frame->offset : -1;
    }
    kc_frame_unref(frame);
    return offset;
}

static void pass(world_t *world, apr_interval_time_t time)
{
    world->now += time;
    world->wall += time;
}

static const kc_playback_spec_t no_limit = { .back = -1 };

static void pictures_come_at_the_speed_they_were_recorded(void **state)
{
    world_t *world = *state;
    apr_int64_t offset;

    play(world, 1, 10, 1000, no_limit);
    assert_int_equal(shown(world), 10);
    for (offset = 11; offset < 20; offset++) {
        assert_int_equal(shown(world), -1);
        assert_int_equal(kc_playback_due(world->playback), world->now + STEP);
        pass(world, STEP);
        assert_int_equal(shown(world), offset);
    }
}

static void speed_makes_time_shorter_or_longer(void **state)
{
    world_t *world = *state;

    play(world, 1, 10, 4000, no_limit);
    assert_int_equal(shown(world), 10);
    assert_int_equal(shown(world), -1);
    assert_int_equal(kc_playback_due(world->playback), world->now + STEP / 4);
    kc_playback_close(world->playback);
    play(world, 1, 10, 250, no_limit);
    assert_int_equal(shown(world), 10);
    assert_int_equal(shown(world), -1);
    assert_int_equal(kc_playback_due(world->playback), world->now + STEP * 4);
}

static void cameras_are_in_step(void **state)
{
    world_t *world = *state;
    apr_int64_t last[CAMS] = { 0 };
    int i;

    play(world, CAMS, 10, 4000, no_limit);
    for (i = 0; i < 500; i++) {
        kc_frame_t *frame = kc_playback_next(world->playback, world->now, world->wall);

        if (!frame) {
            pass(world, 3000);
            continue;
        }
        last[frame->cam] = frame->offset;
        kc_frame_unref(frame);
        if (last[0] && last[1] && last[2]) {
            assert_true(labs((long)(last[0] - last[1])) <= 1);
            assert_true(labs((long)(last[1] - last[2])) <= 1);
        }
    }
    assert_true(last[0] > 30);
}

static void nothing_is_missed_while_pictures_are_being_read(void **state)
{
    world_t *world = *state;
    apr_int64_t offset;

    play(world, 1, 10, 1000, no_limit);
    assert_int_equal(shown(world), 10);
    world->hidden[0] = 1;
    assert_int_equal(shown(world), -1);
    pass(world, 30 * SECOND);
    assert_int_equal(shown(world), -1);
    world->hidden[0] = 0;
    assert_int_equal(shown(world), -1); /* its time begins to run again */
    for (offset = 11; offset < 15; offset++) {
        pass(world, STEP);
        assert_int_equal(shown(world), offset);
    }
    assert_int_equal(kc_playback_skipped(world->playback), 0);
}

static void a_viewer_that_is_too_slow_is_sent_what_is_due(void **state)
{
    world_t *world = *state;

    play(world, 1, 10, 1000, no_limit);
    assert_int_equal(shown(world), 10);
    pass(world, 3 * SECOND); /* its line was full */
    assert_int_equal(shown(world), 25);
    assert_int_equal(kc_playback_skipped(world->playback), 14);
}

static void a_cap_of_the_rate_counts_in_the_past_too(void **state)
{
    world_t *world = *state;
    kc_playback_spec_t spec = no_limit;
    int i, pictures = 0;

    spec.interval = SECOND;
    play(world, 1, 0, 1000, spec);
    for (i = 0; i < 100; i++) {
        pictures += shown(world) >= 0;
        pass(world, SECOND / 10);
    }
    assert_in_range(pictures, 9, 11);
    assert_int_equal(kc_playback_skipped(world->playback), 0);
}

static void it_ends_at_until(void **state)
{
    world_t *world = *state;
    kc_playback_spec_t spec = no_limit;
    apr_int64_t offset;

    spec.until = BASE + 15 * STEP;
    play(world, 1, 10, KC_PLAYBACK_ALL, spec);
    for (offset = 10; offset <= 15; offset++) {
        assert_false(kc_playback_is_over(world->playback));
        assert_int_equal(shown(world), offset);
    }
    assert_int_equal(shown(world), -1);
    assert_true(kc_playback_is_over(world->playback));
}

static void backwards_it_goes_by_key_moments_to_the_beginning(void **state)
{
    world_t *world = *state;
    apr_int64_t last = 80, offset;
    int i, pictures = 0;

    world->oldest[0] = 7;
    play(world, 1, 80, -4000, no_limit);
    assert_int_equal(shown(world), 80);
    for (i = 0; i < 1000 && !kc_playback_is_over(world->playback); i++) {
        offset = shown(world);
        if (offset >= 0) {
            assert_true(offset < last);
            pictures++;
            last = offset;
        }
        pass(world, SECOND / 50);
    }
    assert_true(kc_playback_is_over(world->playback));
    assert_in_range(pictures, 12, 20);
    assert_in_range(last, 7, 12);
    assert_in_range(i, 4 * 40, 4 * 60); /* 15 s of it in less than 4 */
}

static void nobody_sees_more_of_the_past_than_allowed(void **state)
{
    world_t *world = *state;
    kc_playback_spec_t spec = no_limit;

    world->wall = BASE + 100 * STEP;
    spec.back = 10 * SECOND; /* records from 50 on */
    play(world, 1, 10, 1000, spec);
    assert_int_equal(shown(world), 50);
    kc_playback_close(world->playback);
    play(world, 1, 55, -1000, spec);
    assert_int_equal(shown(world), 55);
    pass(world, 2 * SECOND);
    assert_int_equal(shown(world), -1);
    assert_true(kc_playback_is_over(world->playback));
}

/* Publish records of camera 0 from the end on, as the live source does. */
static void publish(world_t *world, int count)
{
    while (count-- > 0) {
        kc_hub_publish(world->hub, make(world, 0, world->end[0]++));
        kc_choice_tell(world->choice, 0);
    }
}

static void it_goes_on_into_live_pictures_without_missing_or_repeating_one(void **state)
{
    world_t *world = *state;
    apr_int64_t offset;

    world->wall = BASE + 100 * STEP;
    play(world, 1, 97, 1000, no_limit);
    assert_int_equal(shown(world), 97);
    assert_int_equal(shown(world), 98); /* the rest comes as it is there */
    assert_int_equal(shown(world), 99);
    assert_int_equal(shown(world), -1);
    assert_true(kc_playback_is_live(world->playback));
    kc_hub_publish(world->hub, make(world, 0, 99)); /* the source begins at the newest */
    assert_int_equal(shown(world), -1);
    world->end[0] = 103; /* the hub is told of none of these */
    publish(world, 1);
    for (offset = 100; offset <= 103; offset++) {
        assert_int_equal(shown(world), offset);
    }
    for (; offset < 120; offset++) {
        assert_int_equal(shown(world), -1);
        publish(world, 1);
        assert_int_equal(shown(world), offset);
    }
}

static void live_pictures_that_were_seen_already_do_not_come_again(void **state)
{
    world_t *world = *state;
    kc_frame_t *notice = kc_frame_create(KC_FRAME_NOTICE, 0, 4);

    world->wall = BASE + 100 * STEP;
    play(world, 1, 99, 1000, no_limit);
    assert_int_equal(shown(world), 99);
    assert_int_equal(shown(world), -1);
    kc_hub_publish(world->hub, notice); /* offline since */
    assert_int_equal(shown(world), -1);
    assert_int_equal(kc_choice_skipped(world->choice), 0);
    kc_hub_publish(world->hub, make(world, 0, 99));
    kc_choice_tell(world->choice, 0);
    assert_int_equal(shown(world), -1);
    publish(world, 1);
    assert_int_equal(shown(world), 100);
}

static void faster_than_time_it_reaches_now(void **state)
{
    world_t *world = *state;
    apr_int64_t offset, last = 49;
    int i;

    world->wall = BASE + 100 * STEP;
    play(world, 1, 50, 4000, no_limit);
    for (i = 0; i < 600 && last < 120; i++) {
        offset = shown(world);
        if (offset >= 0) {
            assert_int_equal(offset, last + 1);
            last = offset;
        }
        else {
            pass(world, SECOND / 20);
            if (i % 4 == 0) {
                publish(world, 1);
            }
        }
    }
    assert_true(kc_playback_is_live(world->playback));
    assert_int_equal(last, 120);
}

static void a_clock_that_jumped_back_does_not_make_it_hurry(void **state)
{
    world_t *world = *state;

    world->jump_at[0] = 12;
    world->jump[0] = -60 * SECOND;
    play(world, 1, 10, 1000, no_limit);
    assert_int_equal(shown(world), 10);
    pass(world, STEP);
    assert_int_equal(shown(world), 11);
    assert_int_equal(shown(world), 12); /* on from where it was */
    assert_int_equal(shown(world), -1);
    pass(world, STEP);
    assert_int_equal(shown(world), 13);
    assert_int_equal(shown(world), -1);
}

static void what_kafka_let_go_of_is_jumped_over(void **state)
{
    world_t *world = *state;

    play(world, 1, 10, 1000, no_limit);
    assert_int_equal(shown(world), 10);
    world->oldest[0] = 90;
    pass(world, STEP);
    assert_int_equal(shown(world), 90);
    assert_int_equal(kc_playback_jumps(world->playback), 1);
    pass(world, STEP);
    assert_int_equal(shown(world), 91);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pictures_come_at_the_speed_they_were_recorded),
        TEST(speed_makes_time_shorter_or_longer),
        TEST(cameras_are_in_step),
        TEST(nothing_is_missed_while_pictures_are_being_read),
        TEST(a_viewer_that_is_too_slow_is_sent_what_is_due),
        TEST(a_cap_of_the_rate_counts_in_the_past_too),
        TEST(it_ends_at_until),
        TEST(backwards_it_goes_by_key_moments_to_the_beginning),
        TEST(nobody_sees_more_of_the_past_than_allowed),
        TEST(it_goes_on_into_live_pictures_without_missing_or_repeating_one),
        TEST(live_pictures_that_were_seen_already_do_not_come_again),
        TEST(faster_than_time_it_reaches_now),
        TEST(a_clock_that_jumped_back_does_not_make_it_hurry),
        TEST(what_kafka_let_go_of_is_jumped_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
