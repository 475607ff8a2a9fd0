#include "kc_step.h"

/* The earlier of both, of which 0 is none. */
static apr_time_t earlier(apr_time_t one, apr_time_t other)
{
    return !one || (other && other < one) ? other : one;
}

kc_step_t kc_step_next(const kc_step_view_t *view, apr_time_t now, apr_time_t last,
                       apr_time_t *wake)
{
    apr_time_t due = view->blocked ? view->cut : view->news;

    *wake = 0;
    if (last) {
        return now < last && (view->blocked || view->midway) ? KC_STEP_WAIT : KC_STEP_END;
    }
    if (view->ask && view->ask <= now) {
        return KC_STEP_ASK;
    }
    if (view->busy) {
        due = 0;
    }
    if (due && due <= now) {
        return view->blocked ? KC_STEP_CUT : KC_STEP_SERVE;
    }
    *wake = earlier(due, view->ask);
    return KC_STEP_WAIT;
}
