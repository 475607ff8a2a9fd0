#include "kc_times.h"

#include <string.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include "kc_page.h"
#include "kc_query.h"
#include "kc_state.h"

#define WAIT apr_time_from_sec(10)

/* ?step=SECONDS, and the most steps there are: else the step is made longer. One costs a
 * question to Kafka, about a millisecond. */
#define STEP_DEFAULT 60
#define STEP_MAX     86400
#define STEPS_MAX    240

/* Gaps that are looked at more closely. */
#define GAPS_MAX 32

typedef struct {
    kc_then_t *then;
    apr_time_t until; /* to have answered by then */
    kc_past_extent_t extent;
    apr_time_t from;   /* of the first step */
    apr_time_t oldest; /* of the first and last picture that one may see */
    apr_time_t newest;
    apr_interval_time_t step;
    apr_size_t steps;
    apr_int64_t *offsets; /* where each step begins, and where the last one ends */
    apr_size_t size;      /* of a picture, on average */
} times_t;

static kc_frame_t *picture(times_t *times, apr_int64_t offset, int step)
{
    kc_past_asker_t asker = { 0 };
    kc_frame_t *frame;

    kc_past_await(times->then->past, &asker, times->then->layer, times->then->cam, offset, step,
                  times->until, &frame);
    return frame;
}

/* From when to when: 0, or -1: there is nothing. */
static int find_ends(times_t *times)
{
    kc_then_t *then = times->then;
    kc_frame_t *newest = picture(times, times->extent.end - 1, -1);
    kc_frame_t *oldest = NULL;
    int rc = -1;

    if (then->earliest > 0 && newest && newest->captured >= then->earliest) {
        times->extent.oldest = kc_past_after(then->past, then->layer, &times->extent,
                                             then->earliest - 1, times->until);
    }
    if (newest && times->extent.oldest >= 0) {
        oldest = picture(times, times->extent.oldest, 1);
    }
    if (oldest && newest && oldest->captured >= then->earliest) {
        times->oldest = oldest->captured;
        times->newest = newest->captured;
        times->size = (oldest->size + newest->size) / 2;
        rc = 0;
    }
    kc_frame_unref(oldest);
    kc_frame_unref(newest);
    return rc;
}

static void divide(times_t *times, apr_int64_t step_s)
{
    times->step = apr_time_from_sec(step_s);
    while ((times->newest - times->oldest) / times->step >= STEPS_MAX) {
        times->step *= 2;
    }
    times->from = times->oldest - times->oldest % times->step;
    times->steps = times->newest < times->from
                       ? 1
                       : (apr_size_t)((times->newest - times->from) / times->step) + 1;
}

/* Clocks that jumped may have steps begin before the one before: those count nothing. 0, or -1:
 * Kafka does not answer. */
static int count(times_t *times)
{
    const kc_then_t *then = times->then;
    apr_size_t i;

    times->offsets = apr_palloc(then->r->pool, (times->steps + 1) * sizeof(*times->offsets));
    times->offsets[0] = times->extent.oldest;
    times->offsets[times->steps] = times->extent.end;
    for (i = 1; i < times->steps; i++) {
        times->offsets[i] = kc_past_index(then->past, then->layer, &times->extent,
                                          times->from + (apr_time_t)i * times->step, times->until);
        if (times->offsets[i] < 0) {
            return -1;
        }
        if (times->offsets[i] < times->offsets[i - 1]) {
            times->offsets[i] = times->offsets[i - 1];
        }
    }
    return 0;
}

static void put_counts(const times_t *times)
{
    request_rec *r = times->then->r;
    apr_size_t i;

    ap_rputs("\"pictures\":[", r);
    for (i = 0; i < times->steps; i++) {
        ap_rprintf(r, "%s%" APR_INT64_T_FMT, i ? "," : "",
                   times->offsets[i + 1] - times->offsets[i]);
    }
    ap_rputs("],\"bytes\":[", r);
    for (i = 0; i < times->steps; i++) {
        ap_rprintf(r, "%s%" APR_INT64_T_FMT, i ? "," : "",
                   (times->offsets[i + 1] - times->offsets[i]) * (apr_int64_t)times->size);
    }
    ap_rputs("],", r);
}

/* Steps without a picture: the last one before and the first one after say how long it really
 * is. */
static void put_gaps(times_t *times)
{
    request_rec *r = times->then->r;
    apr_int64_t last = -1;
    int gaps = 0;
    apr_size_t i;

    ap_rputs("\"gaps\":[", r);
    for (i = 1; i < times->steps && gaps < GAPS_MAX; i++) {
        kc_frame_t *before, *after;

        if (times->offsets[i + 1] > times->offsets[i] || times->offsets[i] == last ||
            times->offsets[i] <= times->extent.oldest || times->offsets[i] >= times->extent.end) {
            continue;
        }
        last = times->offsets[i];
        before = picture(times, last - 1, -1);
        after = picture(times, last, 1);
        if (before && after) {
            ap_rprintf(r, "%s[%" APR_TIME_T_FMT ",%" APR_TIME_T_FMT "]", gaps++ ? "," : "",
                       before->captured, after->captured);
        }
        kc_frame_unref(before);
        kc_frame_unref(after);
    }
    ap_rputs("]", r);
}

static void put(times_t *times, const char *name)
{
    request_rec *r = times->then->r;

    kc_page_set_headers(r);
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "private, max-age=5");
    ap_rprintf(r,
               "{\"camera\":%u,\"name\":%s,\"oldest\":%" APR_TIME_T_FMT
               ",\"newest\":%" APR_TIME_T_FMT ",\"oldest_offset\":%" APR_INT64_T_FMT
               ",\"end_offset\":%" APR_INT64_T_FMT ",\"from\":%" APR_TIME_T_FMT
               ",\"step\":%" APR_TIME_T_FMT ",",
               times->then->cam, kc_state_json_text(name, r->pool), times->oldest, times->newest,
               times->extent.oldest, times->extent.end, times->from, times->step);
    put_counts(times);
    put_gaps(times);
    ap_rputs("}\n", r);
}

int kc_times_send(kc_then_t *then, const char *name)
{
    request_rec *r = then->r;
    times_t times = { .then = then, .until = then->now + WAIT, .extent.cam = then->cam };
    apr_int64_t step_s = STEP_DEFAULT;

    if (kc_query_number(r->args, "step", STEP_MAX, &step_s) < 0 || step_s == 0) {
        return kc_page_send_text(r, HTTP_BAD_REQUEST, "step: seconds, 1 to 86400.");
    }
    kc_past_extents(then->past, then->layer, &times.extent, 1, times.until);
    if (times.extent.error != KC_PAST_FOUND) {
        return kc_then_no_answer(r, times.extent.error);
    }
    if (times.extent.oldest >= times.extent.end || find_ends(&times)) {
        return kc_page_send_text(r, HTTP_NOT_FOUND,
                                 "Nothing is kept of this camera that you may look at.");
    }
    divide(&times, step_s);
    if (count(&times)) {
        return kc_then_no_answer(r, KC_PAST_AWAY);
    }
    put(&times, name);
    return OK;
}
