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
static apr_time_t now;

static int make_roster(void **state)
{
    apr_pool_create(&pool, NULL);
    kc_hub_create(&hubs[KC_LAYER_FULL], 8, pool);
    kc_hub_create(&hubs[KC_LAYER_SMALL], 8, pool);
    roster = kc_roster_create(hubs, STALE, 15 * S, pool);
    now = START;
    return roster == NULL;
}

static int end_roster(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

static kc_frame_t *picture_of(apr_uint32_t cam, apr_uint64_t epoch_ms, apr_time_t captured)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, cam, 100);

    frame->epoch_ms = epoch_ms;
    frame->captured = captured;
    frame->arrived = now;
    frame->width = 32;
    frame->height = 16;
    return frame;
}

/* As the source does it. */
static kc_roster_verdict_t play(apr_uint32_t cam, apr_uint64_t epoch_ms, apr_time_t captured,
                                int old)
{
    kc_frame_t *frame = picture_of(cam, epoch_ms, captured);
    kc_roster_verdict_t verdict = kc_roster_picture(roster, KC_LAYER_FULL, frame, old);

    if (verdict == KC_ROSTER_PLAY) {
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
    kc_roster_tick(roster, now, pool);
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
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    assert_int_equal(play(1, 0, now - S, 0), KC_ROSTER_PLAY);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    assert_true(state_of(1).since == START - 100 * S);
    now += STALE - 1;
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    now += 1;
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE); /* whatever the record says */
    assert_true(state_of(1).since == START);
    play(1, 0, now, 0);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
}

static void an_old_picture_makes_nobody_live(void **state)
{
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    play(1, 0, now - 3600 * S, 1);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    assert_true(state_of(1).since == START - 3600 * S);
    tick();
    assert_true(has(1, KC_FRAME_NOTICE));
    play(1, 0, now - 3600 * S, 0); /* a new one, of a producer whose clock is wrong */
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    assert_false(has(1, KC_FRAME_NOTICE));
}

static void a_notice_comes_once_when_pictures_stop(void **state)
{
    kc_frame_t *frame;

    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    play(1, 0, now, 0);
    now += STALE - 1;
    tick();
    assert_false(has(1, KC_FRAME_NOTICE));
    now += 1;
    tick();
    frame = kc_hub_newest(hubs[KC_LAYER_FULL], 1, KC_FRAME_NOTICE, 0);
    assert_non_null(frame);
    assert_int_equal(frame->width, 32);
    now += 60 * S;
    tick();
    assert_null(kc_hub_newest(hubs[KC_LAYER_FULL], 1, KC_FRAME_NOTICE, frame->number));
    kc_frame_unref(frame);
    assert_false(has(2, KC_FRAME_NOTICE)); /* nobody watches it */
}

static void an_empty_partition_says_so_at_once_and_silence_after_a_while(void **state)
{
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    kc_roster_fetch(roster, KC_LAYER_FULL, 2, 1, now);
    kc_roster_empty(roster, KC_LAYER_FULL, 1);
    tick();
    assert_true(has(1, KC_FRAME_NOTICE));
    assert_false(has(2, KC_FRAME_NOTICE));
    now += STALE;
    tick();
    assert_true(has(2, KC_FRAME_NOTICE));
}

static void a_camera_nobody_fetches_any_more_leaves_no_old_picture(void **state)
{
    say(1, KC_WIRE_STREAMING, "Gate");
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    play(1, 0, now, 0);
    tick();
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 0, now);
    assert_false(has(1, KC_FRAME_PICTURE));
    tick();
    assert_true(has(1, KC_FRAME_STATE));
}

static void a_lower_epoch_is_dropped_and_none_plays(void **state)
{
    kc_roster_figures_t figures;

    assert_int_equal(play(1, 500, now, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, 600, now, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, 500, now, 0), KC_ROSTER_OUTDATED);
    assert_int_equal(play(1, 0, now, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(1, 600, now, 0), KC_ROSTER_PLAY);
    assert_int_equal(play(2, 500, now, 0), KC_ROSTER_PLAY);
    kc_roster_figures(roster, KC_LAYER_FULL, 1, &figures);
    assert_int_equal(figures.outdated, 1);
    assert_int_equal(figures.frames, 4);
    now += 301 * S; /* a clock that ran ahead does not silence a camera for ever */
    assert_int_equal(play(1, 500, now, 0), KC_ROSTER_PLAY);
}

static void a_camera_nobody_watches_is_live_while_its_partition_grows(void **state)
{
    reach(0, 100);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    now += 5 * S;
    reach(0, 125);
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    now += 5 * S;
    reach(0, -1); /* a broker that did not answer changes nothing */
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    now += 11 * S;
    reach(0, 125);
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
    assert_true(state_of(1).since == START + 5 * S);
}

static void the_producers_word_counts_until_it_could_be_checked(void **state)
{
    say(1, KC_WIRE_STREAMING, "Gate");
    assert_int_equal(state_of(1).word, KC_STATE_LIVE);
    now += 10 * S;
    say(1, KC_WIRE_STREAMING, "Gate"); /* said again: no news */
    now += 5 * S;
    assert_int_equal(state_of(1).word, KC_STATE_OFFLINE);
}

static void a_removed_camera_is_gone_until_it_really_comes_back(void **state)
{
    apr_uint32_t version;

    reach(0, 100);
    say(1, KC_WIRE_STREAMING, "Gate");
    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    play(1, 0, now, 0);
    tick();
    version = kc_roster_version(roster);
    kc_roster_record(roster, 1, NULL, now);
    assert_false(kc_roster_knows(roster, 1));
    assert_false(has(1, KC_FRAME_PICTURE));
    tick();
    assert_true(kc_roster_version(roster) > version);
    now += S;
    play(1, 0, now, 0); /* its last ones, on their way */
    assert_false(kc_roster_knows(roster, 1));
    now += 60 * S;
    play(1, 0, now, 0); /* somebody else's producer */
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
    now += 5 * S;
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
    now += S;
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

    kc_roster_fetch(roster, KC_LAYER_FULL, 1, 1, now);
    for (i = 0; i < 60; i++) {
        play(1, 0, now, 0);
        now += S / 5;
    }
    assert_true(state_of(1).fps > 4.9 && state_of(1).fps < 5.1);
    assert_true(state_of(1).bytes_per_s > 490 && state_of(1).bytes_per_s < 510);
    say(1, KC_WIRE_STREAMING, "Gate");
    assert_true(state_of(1).fps == 5);
}

static void many_notices_are_made_in_several_goes(void **state)
{
    kc_hub_t *many[KC_LAYERS] = { NULL, NULL };
    kc_roster_t *large;
    apr_uint32_t cam;
    int goes = 1;

    kc_hub_create(&many[KC_LAYER_FULL], 40, pool);
    large = kc_roster_create(many, STALE, 15 * S, pool);
    for (cam = 0; cam < 40; cam++) {
        kc_roster_fetch(large, KC_LAYER_FULL, cam, 1, now);
        kc_roster_empty(large, KC_LAYER_FULL, cam);
    }
    while (kc_roster_tick(large, now, pool) == KC_ROSTER_NOTICES) {
        goes++;
    }
    assert_int_equal(goes, 3);
    for (cam = 0; cam < 40; cam++) {
        kc_frame_t *frame = kc_hub_newest(many[KC_LAYER_FULL], cam, KC_FRAME_NOTICE, 0);

        assert_non_null(frame);
        kc_frame_unref(frame);
    }
}

static void broken_records_are_counted_and_said_once_in_a_row(void **state)
{
    kc_roster_figures_t figures;

    assert_true(kc_roster_broken(roster, KC_LAYER_FULL, 1));
    assert_false(kc_roster_broken(roster, KC_LAYER_FULL, 1));
    play(1, 0, now, 0);
    assert_true(kc_roster_broken(roster, KC_LAYER_FULL, 1));
    kc_roster_figures(roster, KC_LAYER_FULL, 1, &figures);
    assert_int_equal(figures.broken, 3);
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
        TEST(a_camera_nobody_watches_is_live_while_its_partition_grows),
        TEST(the_producers_word_counts_until_it_could_be_checked),
        TEST(a_removed_camera_is_gone_until_it_really_comes_back),
        TEST(the_list_leaves_out_what_only_kafka_remembers),
        TEST(states_are_published_when_they_change_and_only_then),
        TEST(rates_are_measured_where_no_record_says_them),
        TEST(many_notices_are_made_in_several_goes),
        TEST(broken_records_are_counted_and_said_once_in_a_row),
    };

    apr_initialize();
    atexit(apr_terminate);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
