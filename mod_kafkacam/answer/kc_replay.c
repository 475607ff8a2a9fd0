#include "kc_replay.h"

#include <apr_strings.h>
#include "kc_config.h"
#include "kc_page.h"
#include "kc_permission.h"
#include "kc_query.h"
#include "kc_then.h"

#define WAIT apr_time_from_sec(5)

/* What a playback gets its pictures from. */
typedef struct {
    kc_past_t *past;
    kc_layer_t layer;
    kc_past_asker_t asker;
} baton_t;

static kc_playback_answer_t find(void *data, apr_uint32_t cam, apr_int64_t offset, int step,
                                 kc_frame_t **frame)
{
    baton_t *baton = data;

    switch (kc_past_find(baton->past, &baton->asker, baton->layer, cam, offset, step, frame)) {
    case KC_PAST_FOUND:
        return KC_PLAYBACK_FOUND;
    case KC_PAST_ASKED:
        return KC_PLAYBACK_ASKED;
    case KC_PAST_END:
        return KC_PLAYBACK_END;
    default:
        return KC_PLAYBACK_LATER;
    }
}

static void read_ahead(void *data, apr_uint32_t cam, apr_int64_t offset)
{
    baton_t *baton = data;

    kc_past_read_ahead(baton->past, &baton->asker, baton->layer, cam, offset);
}

int kc_replay_is_wanted(request_rec *r)
{
    apr_time_t ignored;

    return kc_query_time(r->args, "at", apr_time_now(), &ignored, NULL) != 0;
}

/* at, rate and until. OK, or DONE. */
static int parse(const kc_then_t *then, kc_playback_spec_t *past)
{
    if (kc_then_time(then, "at", then->now, &past->at, NULL) != OK ||
        kc_then_time(then, "until", 0, &past->until, NULL) != OK) {
        return DONE;
    }
    if (kc_query_speed(then->r->args, &past->speed_milli)) {
        kc_page_send_text(then->r, HTTP_BAD_REQUEST,
                          "rate: a speed is 0.25 to 16, or -1 to -16 for backwards.");
        return DONE;
    }
    if (past->at < then->earliest) {
        past->at = then->earliest;
    }
    return OK;
}

/* Where the oldest of them is after the moment that was asked for, play begins there. */
static const char *begin(kc_playback_spec_t *past, const kc_past_moment_t *moments,
                         apr_size_t count)
{
    apr_time_t oldest = 0;
    int beginning = 0, newest = 1;
    apr_size_t i;

    for (i = 0; i < count; i++) {
        if (moments[i].frame && (!oldest || moments[i].frame->captured < oldest)) {
            oldest = moments[i].frame->captured;
            beginning = moments[i].shown == KC_PAST_BEGINNING;
        }
        newest &= moments[i].shown == KC_PAST_NEWEST || moments[i].shown == KC_PAST_NOTHING;
    }
    if (beginning && oldest > past->at) {
        past->at = oldest;
        return "beginning";
    }
    return newest ? "newest" : "then";
}

/* Offsets of what the cameras showed; NULL: none of them shows anything, *error says why. */
static const apr_int64_t *look(const kc_then_t *then, const kc_viewer_spec_t *spec,
                               kc_playback_spec_t *past, int *error)
{
    apr_pool_t *pool = then->r->connection->pool;
    kc_past_moment_t *moments = apr_pcalloc(then->r->pool, spec->cam_count * sizeof(*moments));
    apr_int64_t *offsets = apr_palloc(pool, spec->cam_count * sizeof(*offsets));
    int some = 0;
    apr_size_t i;

    *error = KC_PAST_FOUND;
    for (i = 0; i < spec->cam_count; i++) {
        moments[i].extent.cam = spec->cams[i];
    }
    kc_past_look(then->past, then->layer, past->at, moments, spec->cam_count, then->now + WAIT);
    apr_table_setn(then->r->headers_out, "X-KafkaCam-Past", begin(past, moments, spec->cam_count));
    for (i = 0; i < spec->cam_count; i++) {
        offsets[i] = moments[i].frame ? moments[i].frame->offset : -1;
        some |= moments[i].frame != NULL;
        *error = moments[i].extent.error ? moments[i].extent.error : *error;
        kc_frame_unref(moments[i].frame);
    }
    return some ? offsets : NULL;
}

/* Nothing of the past: then live pictures, where they may follow. */
static int nothing_there(const kc_then_t *then, const kc_playback_spec_t *past, int error)
{
    if (error == KC_PAST_FOUND && past->speed_milli > 0 && !past->until) {
        return OK;
    }
    apr_table_unset(then->r->headers_out, "X-KafkaCam-Past");
    if (error != KC_PAST_FOUND) {
        kc_then_no_answer(then->r, error);
        return DONE;
    }
    kc_page_send_text(then->r, HTTP_NOT_FOUND, "Nothing is kept of this that you may look at.");
    return DONE;
}

static int may_see(request_rec *r, apr_uint32_t cam)
{
    return kc_permission_may_look_back(r, cam);
}

int kc_replay_prepare(request_rec *r, kc_viewer_spec_t *spec, kc_layer_t layer,
                      apr_interval_time_t back)
{
    kc_playback_spec_t *past = apr_pcalloc(r->connection->pool, sizeof(*past));
    baton_t *baton = apr_pcalloc(r->connection->pool, sizeof(*baton));
    kc_then_t then;
    int error;

    if (kc_then_allow(&then, r, back) != OK || parse(&then, past) != OK) {
        return DONE;
    }
    if (past->at >= then.now && past->speed_milli > 0 && !past->until) {
        apr_table_setn(r->headers_out, "X-KafkaCam-Past", "live");
        return OK; /* what is to come is seen when it comes */
    }
    then.layer = baton->layer = layer;
    spec->offsets = look(&then, spec, past, &error);
    if (!spec->offsets) {
        return nothing_there(&then, past, error);
    }
    baton->past = then.past;
    past->log.find = find;
    past->log.read_ahead = read_ahead;
    past->log.baton = baton;
    past->hub = spec->hub;
    past->back = back == KC_CONFIG_PAST_ALL ? -1 : back;
    past->interval = spec->interval;
    spec->past = past;
    spec->news = kc_past_news(then.past, layer);
    spec->may_see = may_see;
    return OK;
}
