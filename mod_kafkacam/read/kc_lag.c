#include "kc_lag.h"

#include <http_log.h>
#include "kc_config.h"
#include "kc_counters.h"

/* How long the largest delay is shown; for how long pictures come late until somebody is to look
 * at it; for how long they come in time until that is over. */
#define SHOWN   apr_time_from_sec(10)
#define WORTH   apr_time_from_sec(10)
#define IS_OVER apr_time_from_sec(30)

void kc_lag_see(kc_lag_t *lag, apr_interval_time_t late)
{
    if (late > lag->largest[0]) {
        lag->largest[0] = late;
    }
}

void kc_lag_leave(kc_lag_t *lag, server_rec *s, const char *topic, apr_uint32_t cam,
                  apr_interval_time_t late, apr_time_t now)
{
    kc_lag_see(lag, late);
    lag->last = now;
    if (!lag->began) {
        lag->began = now;
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "camera %u of %s comes %" APR_TIME_T_FMT " ms late: on to the newest picture",
                     cam, topic, apr_time_as_msec(late));
    }
    else if (!lag->told && now - lag->began > WORTH) {
        lag->told = 1;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     KC_ID(2013) "pictures have been coming late from Kafka for %" APR_TIME_T_FMT
                                 " s (camera %u of %s: %" APR_TIME_T_FMT " ms): this machine or "
                                 "its link to Kafka is too slow for what is watched; late ones "
                                 "are passed over",
                     apr_time_sec(now - lag->began), cam, topic, apr_time_as_msec(late));
    }
}

void kc_lag_passed_over(kc_lag_t *lag, apr_int64_t count)
{
    kc_counters_add(KC_COUNTER_FRAMES_LATE, count);
    lag->passed_over += (apr_uint64_t)count;
}

void kc_lag_tick(kc_lag_t *lag, server_rec *s, apr_time_t now)
{
    apr_interval_time_t largest;

    if (now - lag->turned >= SHOWN || now < lag->turned) {
        lag->turned = now;
        lag->largest[1] = lag->largest[0];
        lag->largest[0] = 0;
    }
    largest = lag->largest[0] > lag->largest[1] ? lag->largest[0] : lag->largest[1];
    kc_counters_show_largest(KC_COUNTER_LAG, &lag->shown_ms,
                             (apr_uint64_t)apr_time_as_msec(largest));
    if (lag->began && now - lag->last > IS_OVER) {
        ap_log_error(APLOG_MARK, lag->told ? APLOG_NOTICE : APLOG_INFO, 0, s,
                     "pictures come in time again; %" APR_UINT64_T_FMT " were passed over",
                     lag->passed_over);
        lag->began = 0;
        lag->told = 0;
        lag->passed_over = 0;
    }
}
