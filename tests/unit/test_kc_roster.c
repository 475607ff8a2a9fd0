#include "unit.h"
#include "kc_roster.h"

#include <stdlib.h>
#include <apr_general.h>

#define S     APR_USEC_PER_SEC
#define STALE (10 * S)
#define START ((apr_time_t)1700000000 * S)

static apr_pool_t *pool;
static kc_hub_t *hubs[KC_LAYERS];
static kc_roster_t *roster;
static kc_moment_t now;

static int make_roster(void **state)
{
    apr_pool_create(&pool, NULL);
    kc_hub_create(&hubs[KC_LAYER_FULL], 8, pool);
    kc_hub_create(&hubs[KC_LAYER_SMALL], 8, pool);
    roster = kc_roster_create(hubs, STALE, 15 * S, pool);
    now.wall = START;
    now.steady = 77 * S;
    return roster == NULL;
}

static int end_roster(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

static void pass(apr_interval_time_t time)
{
    now.wall += time;
    now.steady += time;
}

static kc_frame_t *picture_of(apr_uint32_t cam, apr_uint64_t epoch_ms, apr_time_t captured)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, cam, 100);

    frame->epoch_ms = epoch_ms;
    frame->captured = captured;
    frame->arrived = now.wall;
    frame->width = 32;
    frame->height = 16;
    return frame;
}

/* As the source does it. */
static kc_roster_verdict_t play(apr_uint32_t cam, apr_uint64_t epoch_ms, apr_time_t captured,
                                int old)
{
    kc_frame_t *frame = picture_of(cam, epoch_ms, captured);
    kc_roster_verdict_t verdict = kc_roster_picture(roster, KC_LAYER_FULL, frame, old, now.steady);

    if (verdict < KC_ROSTER_OUTDATED) {
        kc_hub_publish(hubs[KC_LAYER_FULL], frame);
    }
    else {
        kc_frame_unref(frame);
    }
    return verdict;
}

static void say(apr_uint32_t cam, enum kc_wire_state state, const char *name)
{
    kc_status_record_t record = { .streaming = state == KC_WIRE_STREAMING,
                                  .since = START - 100 * S,
                                  .fps = 5 };

    strcpy(record.told, record.streaming ? "" : kc_wire_state_format(state));
    strcpy(record.name, name);
    kc_roster_record(roster, cam, &record, now);
}

static void reach(apr_int64_t first, apr_int64_t second)
{
    apr_int64_t ends[2] = { first, second };

    kc_roster_ends(roster, KC_LAYER_FULL, ends, 2, now);
}

static kc_state_t state_of(apr_uint32_t cam)
{
    kc_state_t state;

    kc_roster_state(roster, cam, now, &state);
    return state;
}

static int has(apr_uint32_t cam, kc_frame_kind_t kind)
{
    kc_frame_t *frame = kc_hub_newest(hubs[KC_LAYER_FULL], cam, kind, 0);

    kc_frame_unref(frame);
    return frame != NULL;
}

static void tick(void)
{
    apr_uint32_t stop = 0;

    kc_roster_tick(roster, now, pool);
    kc_roster_paint(roster, now, &stop);
}

static void a_camera_is_known_by_its_record_or_by_its_pictures(void **state)
{
    assert_false(kc_roster_knows(roster, 0));
    assert_false(kc_roster_knows(roster, 99));
    reach(0, 7);
    assert_false(kc_roster_knows(roster, 0));
    assert_true(kc_roster_knows(roster, 1));
    say(5, KC_WIRE_CONNECTING, "");
    assert_true(kc_roster_knows(roster, 5));
    assert_int_equal(state_of(5).word, KC_STATE_TOLD);
    assert_string_equal(state_of(5).told, "connecting");
    assert_string_equal(state_of(5).name, "Camera 5");
    assert_int_equal(state_of(6).word, KC_STATE_UNKNOWN);
}

static void a_watched_camera_is_live_while_pictures_come(void **state)
{
    say(1, KC_WIRE_STREAMING, "Gate");
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    assert_int_equal(play(1, 0, now.wall - S, 0), KC_ROSTER_PLAY);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    assert_true(state_of(1).since == START - 100 * S);
    pass(STALE - 1);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    pass(1);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE); /* whatever the record says */
    assert_true(state_of(1).since == START);
    play(1, 0, now.wall, 0);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
}

static void an_old_picture_makes_nobody_live(void **state)
{
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    play(1, 0, now.wall - 3600 * S, 1);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    assert_true(state_of(1).since == START - 3600 * S);
    tick();
    assert_true(has(1, KC_FRAME_NOTICE));
    play(1, 0, now.wall - 3600 * S, 0); /* a new one, of a producer whose clock is wrong */
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    assert_false(has(1, KC_FRAME_NOTICE));
}

static void a_notice_comes_once_when_pictures_stop(void **state)
{
    kc_frame_t *frame;

    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    play(1, 0, now.wall, 0);
    pass(STALE - 1);
    tick();
    assert_false(has(1, KC_FRAME_NOTICE));
    pass(1);
    tick();
    frame = kc_hub_newest(hubs[KC_LAYER_FULL], 1, KC_FRAME_NOTICE, 0);
    assert_non_null(frame);
    assert_int_equal(frame->width, 32);
    pass(60 * S);
    tick();
    assert_null(kc_hub_newest(hubs[KC_LAYER_FULL], 1, KC_FRAME_NOTICE, frame->number));
    kc_frame_unref(frame);
    assert_false(has(2, KC_FRAME_NOTICE)); /* nobody watches it */
}

static void an_empty_partition_says_so_at_once_and_silence_after_a_while(void **state)
{
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    kc_roster_fetch(roster, KC_LAYER_FULL, 2, 1, now.steady);
    kc_roster_empty(roster, KC_LAYER_FULL, 1);
    tick();
    assert_true(has(1, KC_FRAME_NOTICE));
    assert_false(has(2, KC_FRAME_NOTICE));
    pass(STALE);
    tick();
    assert_true(has(2, KC_FRAME_NOTICE));
}

static void a_camera_nobody_fetches_any_more_leaves_no_old_picture(void **state)
{
    say(1, KC_WIRE_STREAMING, "Gate");
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    play(1, 0, now.wall, 0);
    tick();
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 0, now.steady);
    assert_false(has(1, KC_FRAME_PICTURE));
    tick();
    assert_true(has(1, KC_FRAME_STATE));
}

static void a_lower_epoch_is_dropped_and_none_plays(void **state)
{
    assert_int_equal(play(1, 500, now.wall, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, 600, now.wall, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, 500, now.wall, 0), KC_ROSTER_OUTDATED_NEW);
    assert_int_equal(play(1, 400, now.wall, 0), KC_ROSTER_OUTDATED); /* said already */
    assert_int_equal(play(1, 0, now.wall, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, 600, now.wall, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(2, 500, now.wall, 0), KC_ROSTER_PLAY);
    pass(301 * S); /* a clock that ran ahead does not silence a camera for ever */
    assert_int_equal(play(1, 500, now.wall, 0), KC_ROSTER_PLAY);
}

static void an_epoch_ahead_of_all_clocks_silences_nobody(void **state)
{
    apr_uint64_t this_ms = (apr_uint64_t)(START / 1000);

    assert_int_equal(play(1, this_ms, now.wall, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, APR_INT64_MAX, now.wall, 0), KC_ROSTER_PLAY_AHEAD);
    assert_int_equal(play(1, APR_INT64_MAX - 1, now.wall, 0), KC_ROSTER_PLAY); /* said once */
    assert_int_equal(play(1, this_ms, now.wall, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, this_ms + 599000, now.wall, 0), KC_ROSTER_PLAY); /* a clock may be */
    assert_int_equal(play(1, this_ms, now.wall, 0), KC_ROSTER_OUTDATED_NEW);
    assert_int_equal(play(2, this_ms + 601000, now.wall, 0), KC_ROSTER_PLAY_AHEAD);
}

static void two_that_fight_for_a_camera_do_not_fill_the_log(void **state)
{
    int said = 0, i;

    for (i = 1; i <= 1200; i++) {
        play(1, 1000 + (apr_uint64_t)i, now.wall, 0);
        said += play(1, 500, now.wall, 0) == KC_ROSTER_OUTDATED_NEW;
        pass(S / 10);
    }
    assert_int_equal(said, 2); /* in two minutes */
}

static void a_camera_nobody_watches_is_live_while_its_partition_grows(void **state)
{
    reach(0, 100);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    pass(5 * S);
    reach(0, 125);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    pass(5 * S);
    reach(0, -1); /* a broker that did not answer changes nothing */
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    pass(11 * S);
    reach(0, 125);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    assert_true(state_of(1).since == START + 5 * S);
}

static void an_error_about_the_topic_revives_nobody(void **state)
{
    reach(0, 100);
    say(1, KC_WIRE_FAILED, "Gate");
    pass(5 * S);
    kc_roster_ends(roster, KC_LAYER_FULL, NULL, 0, now); /* no partitions, says Kafka */
    pass(5 * S);
    reach(0, 100);
    assert_int_equal(state_of(1).word, KC_STATE_TOLD);
    kc_roster_record(roster, 1, NULL, now);
    pass(3600 * S);
    kc_roster_ends(roster, KC_LAYER_FULL, NULL, 0, now);
    assert_false(kc_roster_knows(roster, 1));
    reach(0, 100);
    assert_false(kc_roster_knows(roster, 1)); /* deleted it stays */
    pass(5 * S);
    reach(0, 101);
    assert_true(kc_roster_knows(roster, 1));
}

static void small_pictures_that_are_switched_off_make_nobody_offline(void **state)
{
    apr_int64_t small[2] = { 0, 40 };
    int round;

    say(1, KC_WIRE_STREAMING, "Gate");
    kc_roster_ends(roster, KC_LAYER_SMALL, small, 2, now); /* as far as it once was written */
    kc_roster_fetch(roster, KC_LAYER_SMALL, 1, 1, now.steady);
    kc_roster_empty(roster, KC_LAYER_SMALL, 1);
    for (round = 0; round < 20; round++) {
        reach(0, 100 + round);
        kc_roster_ends(roster, KC_LAYER_SMALL, small, 2, now);
        assert_int_equal(state_of(1).word, KC_STATE_LIVE);
        pass(5 * S);
    }
    assert_false(kc_roster_has(roster, KC_LAYER_SMALL, 1, now.steady));
    small[1]++; /* on again */
    kc_roster_fetch(roster, KC_LAYER_SMALL, 1, 0, now.steady);
    kc_roster_ends(roster, KC_LAYER_SMALL, small, 2, now);
    assert_true(kc_roster_has(roster, KC_LAYER_SMALL, 1, now.steady));
}

static void a_clock_that_is_set_keeps_nobody_alive_and_kills_nobody(void **state)
{
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    play(1, 0, now.wall, 0);
    reach(100, 0);
    pass(5 * S);
    reach(101, 0);
    now.wall -= 3600 * S;
    assert_int_equal(state_of(0).word, KC_STATE_LIVE);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    pass(15 * S);
    assert_int_equal(state_of(0).word, KC_STATE_OFFLINE);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    tick();
    assert_true(has(1, KC_FRAME_NOTICE));
    play(1, 0, now.wall, 0);
    now.wall += 86400 * S;
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
}

static void a_state_of_the_far_future_has_no_beginning(void **state)
{
    kc_status_record_t record = { .told = "failed", .since = START + 601 * S };

    kc_roster_record(roster, 1, &record, now);
    assert_true(state_of(1).since == 0);
    record.since = START + 599 * S;
    kc_roster_record(roster, 1, &record, now);
    assert_true(state_of(1).since == START + 599 * S);
}

static void the_producers_word_counts_until_it_could_be_checked(void **state)
{
    say(1, KC_WIRE_STREAMING, "Gate");
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    pass(10 * S);
    say(1, KC_WIRE_STREAMING, "Gate"); /* said again: no news */
    pass(5 * S);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
}

static void a_removed_camera_is_gone_until_it_really_comes_back(void **state)
{
    reach(0, 100);
    say(1, KC_WIRE_STREAMING, "Gate");
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    play(1, 0, now.wall, 0);
    tick();
    kc_roster_record(roster, 1, NULL, now);
    assert_false(kc_roster_knows(roster, 1));
    assert_false(has(1, KC_FRAME_PICTURE));
    pass(S);
    play(1, 0, now.wall, 0); /* its last ones, on their way */
    assert_false(kc_roster_knows(roster, 1));
    pass(60 * S);
    play(1, 0, now.wall, 0); /* somebody else's producer */
    assert_true(kc_roster_knows(roster, 1));
}

static void the_list_leaves_out_what_only_kafka_remembers(void **state)
{
    apr_array_header_t *list;

    reach(3, 100);
    list = kc_roster_list(roster, pool);
    assert_int_equal(list->nelts, 2); /* nobody writes records: all that has pictures */
    say(5, KC_WIRE_FAILED, "Gate");
    list = kc_roster_list(roster, pool);
    assert_int_equal(list->nelts, 1);
    assert_int_equal(APR_ARRAY_IDX(list, 0, apr_uint32_t), 5);
    assert_true(kc_roster_knows(roster, 1));
    pass(5 * S);
    reach(3, 101); /* it lives after all */
    list = kc_roster_list(roster, pool);
    assert_int_equal(list->nelts, 2);
    assert_int_equal(APR_ARRAY_IDX(list, 0, apr_uint32_t), 1);
}

static void states_are_published_when_they_change_and_only_then(void **state)
{
    kc_frame_t *frame;
    apr_uint64_t number;

    say(1, KC_WIRE_FAILED, "Gate");
    tick();
    frame = kc_hub_newest(hubs[KC_LAYER_SMALL], 1, KC_FRAME_STATE, 0);
    assert_non_null(frame);
    number = frame->number;
    assert_true(frame->size > 10 && frame->data[0] == '{' && frame->data[frame->size - 1] == '}');
    kc_frame_unref(frame);
    say(1, KC_WIRE_FAILED, "Gate");
    pass(S);
    tick();
    assert_null(kc_hub_newest(hubs[KC_LAYER_SMALL], 1, KC_FRAME_STATE, number));
    say(1, KC_WIRE_FAILED, "Yard");
    tick();
    frame = kc_hub_newest(hubs[KC_LAYER_SMALL], 1, KC_FRAME_STATE, number);
    assert_non_null(frame);
    kc_frame_unref(frame);
    assert_false(has(2, KC_FRAME_STATE)); /* no camera, no state */
}

static void rates_are_measured_where_no_record_says_them(void **state)
{
    int i;

    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now.steady);
    for (i = 0; i < 60; i++) {
        play(1, 0, now.wall, 0);
        pass(S / 5);
    }
    assert_true(state_of(1).fps > 4.9 && state_of(1).fps < 5.1);
    assert_true(state_of(1).bytes_per_s > 490 && state_of(1).bytes_per_s < 510);
    say(1, KC_WIRE_STREAMING, "Gate");
    assert_true(state_of(1).fps == 5);
}

static void notices_are_made_until_the_painter_is_to_stop(void **state)
{
    kc_hub_t *many[KC_LAYERS] = { NULL, NULL };
    kc_roster_t *large;
    apr_uint32_t cam;
    apr_uint32_t stop = 1;

    kc_hub_create(&many[KC_LAYER_FULL], 40, pool);
    large = kc_roster_create(many, STALE, 15 * S, pool);
    for (cam = 0; cam < 40; cam++) {
        kc_roster_fetch(large, KC_LAYER_FULL, cam, 1, now.steady);
        kc_roster_empty(large, KC_LAYER_FULL, cam);
    }
    assert_int_equal(kc_roster_paint(large, now, &stop), 0);
    stop = 0;
    assert_int_equal(kc_roster_paint(large, now, &stop), 40);
    assert_int_equal(kc_roster_paint(large, now, &stop), 0);
    for (cam = 0; cam < 40; cam++) {
        kc_frame_t *frame = kc_hub_newest(many[KC_LAYER_FULL], cam, KC_FRAME_NOTICE, 0);

        assert_non_null(frame);
        kc_frame_unref(frame);
    }
}

static void broken_records_are_said_once_in_a_row(void **state)
{
    assert_true(kc_roster_broken(roster, KC_LAYER_FULL, 1));
    assert_false(kc_roster_broken(roster, KC_LAYER_FULL, 1));
    play(1, 0, now.wall, 0);
    assert_true(kc_roster_broken(roster, KC_LAYER_FULL, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_roster, end_roster)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_camera_is_known_by_its_record_or_by_its_pictures),
        TEST(a_watched_camera_is_live_while_pictures_come),
        TEST(an_old_picture_makes_nobody_live),
        TEST(a_notice_comes_once_when_pictures_stop),
        TEST(an_empty_partition_says_so_at_once_and_silence_after_a_while),
        TEST(a_camera_nobody_fetches_any_more_leaves_no_old_picture),
        TEST(a_lower_epoch_is_dropped_and_none_plays),
        TEST(an_epoch_ahead_of_all_clocks_silences_nobody),
        TEST(two_that_fight_for_a_camera_do_not_fill_the_log),
        TEST(an_error_about_the_topic_revives_nobody),
        TEST(small_pictures_that_are_switched_off_make_nobody_offline),
        TEST(a_clock_that_is_set_keeps_nobody_alive_and_kills_nobody),
        TEST(a_state_of_the_far_future_has_no_beginning),
        TEST(a_camera_nobody_watches_is_live_while_its_partition_grows),
        TEST(the_producers_word_counts_until_it_could_be_checked),
        TEST(a_removed_camera_is_gone_until_it_really_comes_back),
        TEST(the_list_leaves_out_what_only_kafka_remembers),
        TEST(states_are_published_when_they_change_and_only_then),
        TEST(rates_are_measured_where_no_record_says_them),
        TEST(notices_are_made_until_the_painter_is_to_stop),
        TEST(broken_records_are_said_once_in_a_row),
    };

    apr_initialize();
    atexit(apr_terminate);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
