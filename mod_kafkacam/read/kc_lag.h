/* What operators are told of pictures that come late: the largest delay of the last seconds
 * (lag_ms), how many were passed over (frames_late), and in the log when it begins, when it does
 * not end, and when it is over. Long outages and short ones, a machine that was suspended, a link
 * that is too slow for its cameras: it is all one. */
#ifndef KC_LAG_H
#define KC_LAG_H

#include <httpd.h>
#include <apr_time.h>

/* One thread's. All 0: nothing has been late yet. */
typedef struct {
    apr_interval_time_t largest[2]; /* of the time now shown, and before */
    apr_time_t turned;
    apr_uint64_t shown_ms;
    apr_time_t began; /* pictures come late since then; 0: they do not */
    apr_time_t last;
    int told;
    apr_uint64_t passed_over; /* since it began */
} kc_lag_t;

/* A record came so late. */
void kc_lag_see(kc_lag_t *lag, apr_interval_time_t late);

/* It was so late that it is left for the newest one there is. */
void kc_lag_leave(kc_lag_t *lag, server_rec *s, const char *topic, apr_uint32_t cam,
                  apr_interval_time_t late, apr_time_t now);

/* So many were passed over. */
void kc_lag_passed_over(kc_lag_t *lag, apr_int64_t count);

/* A few times a second. */
void kc_lag_tick(kc_lag_t *lag, server_rec *s, apr_time_t now);

#endif
