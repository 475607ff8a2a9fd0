#include "unit.h"

#include <stdlib.h>
#include "clock.h"
#include "slot.h"

static struct slot_queue queue;
static struct slot slot;

static int fresh(void **state)
{
    queue = (struct slot_queue){ .interval_ms = 100, .parallel = 8, .chance = 1 };
    slot = (struct slot){ .state = SLOT_FOREIGN };
    return 0;
}

/* One round over slot alone: what is to be done, and whether it is to start. */
static enum slot_action look(uint64_t now, int *start)
{
    uint64_t due = UINT64_MAX;
    enum slot_action action;

    slot_round(&queue);
    action = slot_look(&slot, &queue, 1, now, &due);
    *start = slot_next(&queue, now, &due) == &slot;
    return action;
}

static void run(uint64_t now)
{
    int start;

    slot_wish(&slot, SLOT_YES, now, 0);
    assert_int_equal(look(now, &start), SLOT_NOTHING);
    assert_true(start);
    slot_started(&slot, &queue, now, now + 10000);
    assert_int_equal(slot.state, SLOT_STARTING);
    slot_heard(&slot, now + 15000);
    assert_int_equal(slot.state, SLOT_RUNNING);
}

static void a_camera_that_is_wanted_starts_and_runs(void **state)
{
    int start;

    run(1000);
    assert_int_equal(look(15999, &start), SLOT_NOTHING);
    assert_false(start);
    assert_int_equal(slot_wish(&slot, SLOT_NO, 16000, 0), SLOT_STOP);
    assert_int_equal(look(18999, &start), SLOT_NOTHING);
    assert_int_equal(look(19000, &start), SLOT_KILL);
    assert_int_equal(look(19001, &start), SLOT_NOTHING);
    assert_false(slot_ended(&slot, &queue, 19002));
    assert_int_equal(slot.state, SLOT_FOREIGN);
}

static void silence_kills_once(void **state)
{
    int start;

    run(1000);
    assert_int_equal(look(16000, &start), SLOT_KILL_SILENT);
    assert_int_equal(look(16001, &start), SLOT_NOTHING);
    assert_true(slot_ended(&slot, &queue, 16100));
    assert_int_equal(slot.state, SLOT_OWNED);
    look(16100, &start);
    assert_false(start);
    look(16100 + 1200, &start);
    assert_true(start);
}

static void a_changed_row_starts_again_without_a_pause(void **state)
{
    int start;

    run(1000);
    slot.failures = 4;
    assert_int_equal(slot_restart(&slot, 5000), SLOT_STOP);
    assert_int_equal(slot_restart(&slot, 5001), SLOT_NOTHING);
    assert_false(slot_ended(&slot, &queue, 5100));
    look(5100, &start);
    assert_true(start);
}

static void a_camera_runs_on_while_the_group_decides(void **state)
{
    int start;

    run(1000);
    assert_int_equal(slot_wish(&slot, SLOT_UNSURE, 2000, 8000), SLOT_NOTHING);
    assert_int_equal(slot.state, SLOT_ORPHANED);
    assert_int_equal(look(7999, &start), SLOT_NOTHING);
    assert_int_equal(slot_wish(&slot, SLOT_YES, 7999, 0), SLOT_NOTHING); /* given back */
    assert_int_equal(slot.state, SLOT_RUNNING);
    slot_wish(&slot, SLOT_UNSURE, 9000, 12000);
    assert_int_equal(slot_wish(&slot, SLOT_NO, 9500, 0), SLOT_STOP); /* given to another */
    slot_wish(&slot, SLOT_YES, 9600, 0);                             /* and back again */
    assert_false(slot_ended(&slot, &queue, 9700));
    assert_int_equal(slot.state, SLOT_OWNED);
}

static void a_camera_without_an_answer_of_the_group_stops_in_time(void **state)
{
    int start;

    run(1000);
    slot_wish(&slot, SLOT_UNSURE, 2000, 8000);
    assert_int_equal(look(8000, &start), SLOT_STOP);
    assert_int_equal(slot.state, SLOT_LEAVING);
    slot_ended(&slot, &queue, 8100);
    assert_int_equal(slot.state, SLOT_FOREIGN);
    look(9000, &start);
    assert_false(start); /* not before the group says so */
    slot_wish(&slot, SLOT_YES, 9000, 0);
    look(9000, &start);
    assert_true(start);
}

static void nothing_is_started_that_the_group_has_not_given(void **state)
{
    int start;

    slot_wish(&slot, SLOT_UNSURE, 1000, 5000);
    look(2000, &start);
    assert_false(start);
    slot_wish(&slot, SLOT_YES, 2000, 0);
    slot_wish(&slot, SLOT_UNSURE, 2001, 5000);
    look(2002, &start);
    assert_false(start);
}

/* ---- many of them ------------------------------------------------------------------------- */

/* A camera that refuses ends some time after its start; one that can run crashes now and then. */
struct camera {
    struct slot slot;
    int refuses;
    uint64_t word_ms, end_ms; /* of the process, 0: none */
    uint64_t wants_ms;        /* may run since, 0: runs */
    uint64_t waited_ms;       /* longest time beyond its own pause */
};

static unsigned long draw;

static uint64_t any(uint64_t below)
{
    draw = draw * 6364136223846793005u + 1442695040888963407u;
    return (draw >> 33) % below;
}

static void start(struct camera *camera, uint64_t now, uint64_t crash_ms)
{
    uint64_t waited = now - camera->slot.due_ms;

    if (camera->slot.due_ms && waited > camera->waited_ms) {
        camera->waited_ms = waited;
    }
    slot_started(&camera->slot, &queue, now, UINT64_MAX);
    camera->word_ms = now + 20 + any(200);
    camera->end_ms = camera->refuses ? now + 300 + any(10000) : now + crash_ms / 2 + any(crash_ms);
}

static void live(struct camera *camera, uint64_t now, uint64_t *due)
{
    if (camera->word_ms && now >= camera->word_ms) {
        slot_heard(&camera->slot, UINT64_MAX);
        camera->word_ms = 0;
    }
    if (camera->end_ms && now >= camera->end_ms) {
        slot_ended(&camera->slot, &queue, now);
        camera->word_ms = camera->end_ms = 0;
    }
    if (camera->word_ms && camera->word_ms < *due) {
        *due = camera->word_ms;
    }
    if (camera->end_ms && camera->end_ms < *due) {
        *due = camera->end_ms;
    }
}

/* All of them from now to until, with steps from event to event. */
static uint64_t simulate(struct camera *cameras, size_t count, uint64_t now, uint64_t until,
                         uint64_t crash_ms)
{
    while (now < until) {
        uint64_t due = until;
        struct slot *next;
        size_t i;

        slot_round(&queue);
        for (i = 0; i < count; i++) {
            live(&cameras[i], now, &due);
            slot_look(&cameras[i].slot, &queue, 1, now, &due);
        }
        next = slot_next(&queue, now, &due);
        if (next) {
            start((struct camera *)(void *)next, now, crash_ms);
            continue;
        }
        now = due > now ? due : now + 1;
    }
    return now;
}

static struct camera *make(size_t count, size_t refusing)
{
    struct camera *cameras = calloc(count, sizeof(*cameras));
    size_t i;

    draw = 7;
    for (i = 0; i < count; i++) {
        cameras[i].refuses = i < refusing; /* the lowest numbers: no help for the others */
        slot_wish(&cameras[i].slot, SLOT_YES, 0, 0);
    }
    return cameras;
}

static unsigned running(const struct camera *cameras, size_t count)
{
    unsigned sum = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        sum += !cameras[i].refuses && cameras[i].slot.state == SLOT_RUNNING;
    }
    return sum;
}

static void of_500_cameras_with_320_that_refuse_all_others_run_within_a_minute(void **state)
{
    struct camera *cameras = make(500, 320);

    simulate(cameras, 500, 0, 60000, UINT32_MAX);
    assert_int_equal(running(cameras, 500), 180);
    free(cameras);
}

/* Most of them refuse; the others crash every two hours on the average. How long one of these
 * waited behind others, beyond its own pause and after the first minutes. */
static uint64_t longest_wait(size_t count, uint64_t hours)
{
    const uint64_t hour = 3600000;
    struct camera *cameras = make(count, count * 7 / 10);
    uint64_t now = simulate(cameras, count, 0, hour / 10, 2 * hour);
    uint64_t longest = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        cameras[i].waited_ms = 0;
    }
    simulate(cameras, count, now, hours * hour, 2 * hour);
    for (i = 0; i < count; i++) {
        if (!cameras[i].refuses && cameras[i].waited_ms > longest) {
            longest = cameras[i].waited_ms;
        }
    }
    free(cameras);
    return longest;
}

static void no_camera_that_can_run_waits_much_longer_than_its_own_pause(void **state)
{
    assert_in_range(longest_wait(1000, 2), 0, 10000);
    fresh(NULL);
    assert_in_range(longest_wait(60, 48), 0, 2000);
}

static void no_more_start_at_the_same_time_than_are_allowed(void **state)
{
    struct slot many[20] = { { .state = SLOT_FOREIGN } };
    uint64_t due = UINT64_MAX;
    struct slot *next;
    unsigned i;

    queue.interval_ms = 0;
    for (i = 0; i < 20; i++) {
        slot_wish(&many[i], SLOT_YES, 0, 0);
    }
    do {
        slot_round(&queue);
        for (i = 0; i < 20; i++) {
            slot_look(&many[i], &queue, 1, 10, &due);
        }
        next = slot_next(&queue, 10, &due);
        if (next) {
            slot_started(next, &queue, 10, 1000);
        }
    } while (next);
    assert_int_equal(queue.starting, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_camera_that_is_wanted_starts_and_runs, fresh),
        cmocka_unit_test_setup(silence_kills_once, fresh),
        cmocka_unit_test_setup(a_changed_row_starts_again_without_a_pause, fresh),
        cmocka_unit_test_setup(a_camera_runs_on_while_the_group_decides, fresh),
        cmocka_unit_test_setup(a_camera_without_an_answer_of_the_group_stops_in_time, fresh),
        cmocka_unit_test_setup(nothing_is_started_that_the_group_has_not_given, fresh),
        cmocka_unit_test_setup(of_500_cameras_with_320_that_refuse_all_others_run_within_a_minute,
                               fresh),
        cmocka_unit_test_setup(no_camera_that_can_run_waits_much_longer_than_its_own_pause, fresh),
        cmocka_unit_test_setup(no_more_start_at_the_same_time_than_are_allowed, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
