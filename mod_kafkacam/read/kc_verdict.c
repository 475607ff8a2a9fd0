#include "kc_verdict.h"

#define WINDOW apr_time_from_sec(60)

/* Time without records is no time to get used to a delay: after an hour's outage the first record
 * is an hour late. */
#define GAP apr_time_from_sec(5)

kc_verdict_t kc_verdict_judge(kc_verdict_memory_t *memory, apr_int64_t position, apr_int64_t end)
{
    kc_verdict_t verdict = KC_VERDICT_HEALTHY;

    if (position == KC_VERDICT_NOT_BEGUN && memory->position == position && memory->end >= 0 &&
        end >= 0) {
        verdict = KC_VERDICT_STUCK; /* even of an empty one the end is heard */
    }
    else if (position >= 0 && end >= 0) {
        if (end < position) {
            verdict = KC_VERDICT_OTHER;
        }
        else if (memory->position >= 0 && memory->end > position) {
            verdict = position == memory->position ? KC_VERDICT_STUCK : KC_VERDICT_LAGGING;
        }
    }
    memory->end = verdict == KC_VERDICT_HEALTHY ? end : -1;
    memory->position = position;
    return verdict;
}

void kc_verdict_accept(kc_verdict_delay_t *delay, apr_time_t stamp, apr_time_t now)
{
    delay->last = now;
    delay->window = 0;
    delay->least = delay->least_before = now - stamp;
}

static void note_time(kc_verdict_delay_t *delay, apr_interval_time_t late, apr_time_t now)
{
    apr_interval_time_t passed = now - delay->last;

    delay->last = now;
    delay->window += passed < 0 ? 0 : passed > GAP ? GAP : passed;
    if (delay->window >= WINDOW) {
        delay->window = 0;
        delay->least_before = delay->least;
        delay->least = late;
    }
}

apr_interval_time_t kc_verdict_lag(kc_verdict_delay_t *delay, apr_time_t stamp, apr_time_t now)
{
    apr_interval_time_t late = now - stamp;

    if (!stamp) {
        return 0;
    }
    if (!delay->last) {
        kc_verdict_accept(delay, stamp, now);
    }
    note_time(delay, late, now);
    if (late < delay->least) {
        delay->least = late;
    }
    return late - (delay->least < delay->least_before ? delay->least : delay->least_before);
}
