#include "unit.h"
#include "kc_step.h"

static apr_time_t wake;

static kc_step_t next(kc_step_view_t view, apr_time_t now, apr_time_t last)
{
    wake = -1;
    return kc_step_next(&view, now, last, &wake);
}

static void a_free_viewer_is_served_when_something_is_due_and_not_before(void **state)
{
    assert_int_equal(next((kc_step_view_t){ .news = 100 }, 99, 0), KC_STEP_WAIT);
    assert_int_equal(wake, 100);
    assert_int_equal(next((kc_step_view_t){ .news = 100 }, 100, 0), KC_STEP_SERVE);
    assert_int_equal(wake, 0);
    assert_int_equal(next((kc_step_view_t){ .news = 0 }, 100, 0), KC_STEP_WAIT);
    assert_int_equal(wake, 0);
}

static void a_blocked_viewer_waits_for_room_until_it_is_cut(void **state)
{
    kc_step_view_t view = { .blocked = 1, .midway = 1, .cut = 100, .news = 10 };

    assert_int_equal(next(view, 50, 0), KC_STEP_WAIT);
    assert_int_equal(wake, 100);
    assert_int_equal(next(view, 100, 0), KC_STEP_CUT);
}

static void permission_goes_before_everything_but_the_end(void **state)
{
    kc_step_view_t view = { .news = 10, .ask = 20 };

    assert_int_equal(next(view, 5, 0), KC_STEP_WAIT);
    assert_int_equal(wake, 10);
    assert_int_equal(next(view, 20, 0), KC_STEP_ASK);
    view.blocked = 1;
    view.cut = 15;
    assert_int_equal(next(view, 20, 0), KC_STEP_ASK);
    assert_int_equal(next(view, 20, 90), KC_STEP_WAIT);
}

static void who_has_a_turn_to_come_is_woken_for_permission_alone(void **state)
{
    kc_step_view_t view = { .busy = 1, .news = 10, .ask = 200 };

    assert_int_equal(next(view, 50, 0), KC_STEP_WAIT);
    assert_int_equal(wake, 200);
    view.ask = 0;
    assert_int_equal(next(view, 50, 0), KC_STEP_WAIT);
    assert_int_equal(wake, 0);
}

static void no_timer_is_set_while_the_child_stops(void **state)
{
    int bits;

    for (bits = 0; bits < 64; bits++) {
        kc_step_view_t view = { .blocked = bits & 1,
                                .midway = !!(bits & 2),
                                .busy = !!(bits & 4),
                                .cut = bits & 8 ? 50 : 0,
                                .news = bits & 16 ? 50 : 0,
                                .ask = bits & 32 ? 50 : 0 };
        int rest = view.blocked || view.midway;

        assert_int_equal(next(view, 100, 200), rest ? KC_STEP_WAIT : KC_STEP_END);
        assert_int_equal(wake, 0);
        assert_int_equal(next(view, 200, 200), KC_STEP_END);
        assert_int_equal(wake, 0);
    }
}

static void it_never_wants_to_be_woken_at_a_time_that_is_over(void **state)
{
    apr_time_t now = 10, cut, news, ask;
    int bits;

    for (bits = 0; bits < 8; bits++) {
        for (cut = 0; cut < 20; cut++) {
            for (news = 0; news < 20; news++) {
                for (ask = 0; ask < 20; ask++) {
                    kc_step_view_t view = { bits & 1, bits & 2, bits & 4, cut, news, ask };

                    if (next(view, now, 0) == KC_STEP_WAIT) {
                        assert_true(wake == 0 || wake > now);
                    }
                    else {
                        assert_int_equal(wake, 0);
                    }
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_viewer_is_served_when_something_is_due_and_not_before),
        cmocka_unit_test(a_blocked_viewer_waits_for_room_until_it_is_cut),
        cmocka_unit_test(permission_goes_before_everything_but_the_end),
        cmocka_unit_test(who_has_a_turn_to_come_is_woken_for_permission_alone),
        cmocka_unit_test(no_timer_is_set_while_the_child_stops),
        cmocka_unit_test(it_never_wants_to_be_woken_at_a_time_that_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
