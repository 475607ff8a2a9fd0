#include "kc_cam.h"

#include <string.h>
#include <httpd.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include "kc_child.h"
#include "kc_clip.h"
#include "kc_config.h"
#include "kc_doorbell.h"
#include "kc_page.h"
#include "kc_permission.h"
#include "kc_query.h"
#include "kc_replay.h"
#include "kc_source.h"
#include "kc_then.h"
#include "kc_times.h"
#include "kc_viewer.h"
#include "kc_wire.h"

/* How long a picture is waited for where nobody watched the camera before: a broker answers within
 * a few milliseconds, its first connection may take longer. */
#define PICTURE_WAIT apr_time_from_sec(5)
#define JSON_WAIT    apr_time_from_sec(2)

/* Kafka may have heard of a camera since it was last asked. */
#define LOOK_WAIT apr_time_from_sec(1)

/* Between two looks whether the child is about to end. */
#define WAIT_SLICE apr_time_from_msec(200)

#define RETRY_AFTER "5"

/* What a request is about. */
typedef struct {
    const char *base; /* /cam */
    apr_uint32_t cam;
    kc_source_t *source;
    kc_hub_t *hub;
} target_t;

/* ---- Waiting for a picture ---- */

static void on_news(void *baton, apr_uint32_t cam)
{
    kc_doorbell_ring(baton);
}

/* The newest picture, waited for until until. NULL: none came, or there is word that none will. */
static kc_frame_t *await_picture(const target_t *target, kc_doorbell_t *bell, apr_time_t until)
{
    kc_frame_t *frame, *notice;

    for (;;) {
        apr_time_t now = apr_time_now();

        frame = kc_hub_newest(target->hub, target->cam, KC_FRAME_PICTURE, 0);
        if (frame || now >= until || kc_child_is_stopping()) {
            return frame;
        }
        notice = kc_hub_newest(target->hub, target->cam, KC_FRAME_NOTICE, 0);
        if (notice) {
            kc_frame_unref(notice);
            return NULL;
        }
        kc_doorbell_wait(bell, until - now < WAIT_SLICE ? until - now : WAIT_SLICE);
    }
}

/* Waiting requests hold worker threads, so they are bounded as blocking viewers are. */
static apr_uint32_t waiting;

/* 1, and leave_waiting() is due; 0: too many wait. */
static int enter_waiting(request_rec *r)
{
    if (apr_atomic_inc32(&waiting) < (apr_uint32_t)kc_config_get(r->server)->max_blocking_viewers) {
        return 1;
    }
    apr_atomic_dec32(&waiting);
    return 0;
}

static void leave_waiting(void)
{
    apr_atomic_dec32(&waiting);
}

/* The newest picture of the camera, NULL if there is none to be had. The watch makes Kafka fetch
 * it, and for KafkaCamIdle after; so it is entered even when the hub has a picture already. */
static kc_frame_t *newest_picture(request_rec *r, const target_t *target, apr_interval_time_t wait)
{
    kc_doorbell_t bell;
    kc_hub_watch_t watch = { .notify = on_news, .baton = &bell };
    kc_frame_t *frame;

    kc_doorbell_init(&bell);
    if (kc_hub_watch(target->hub, target->cam, &watch) != APR_SUCCESS) {
        return NULL;
    }
    frame = kc_hub_newest(target->hub, target->cam, KC_FRAME_PICTURE, 0);
    if (!frame && enter_waiting(r)) {
        frame = await_picture(target, &bell, apr_time_now() + wait);
        leave_waiting();
    }
    kc_hub_unwatch(target->hub, target->cam, &watch);
    return frame;
}

/* ---- The answers ---- */

static int refuse_fps(request_rec *r)
{
    return kc_page_send_text(r, HTTP_BAD_REQUEST,
                             "fps: a rate is a number above 0 and at most 1000, like 5 or 0.2.");
}

/* Whoever waits for Kafka holds a worker thread, so they are bounded as those above. */
static int serve_replay(request_rec *r, kc_viewer_spec_t *spec)
{
    int rc;

    if (!enter_waiting(r)) {
        return kc_then_no_answer(r, KC_PAST_BUSY);
    }
    rc = kc_replay_prepare(r, spec, KC_LAYER_FULL, kc_permission_past(r, spec->cams[0]));
    leave_waiting();
    return rc == OK ? kc_viewer_serve(r, spec) : OK;
}

static int serve_stream(request_rec *r, const target_t *target, kc_viewer_form_t form)
{
    kc_viewer_spec_t spec = { 0 };

    if (kc_query_fps(r->args, &spec.interval)) {
        return refuse_fps(r);
    }
    spec.form = form;
    if (form == KC_VIEWER_MJPEG && kc_query_is(r->args, "meta", "1")) {
        spec.form = KC_VIEWER_MJPEG_META;
    }
    spec.hub = target->hub;
    spec.cams = &target->cam;
    spec.cam_count = 1;
    spec.may_see = kc_permission_may_see;
    return kc_replay_is_wanted(r) ? serve_replay(r, &spec) : kc_viewer_serve(r, &spec);
}

static int no_picture(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    return kc_page_send_text(r, HTTP_SERVICE_UNAVAILABLE,
                             "There is no picture of this camera now.");
}

static apr_status_t unref_frame(void *frame)
{
    kc_frame_unref(frame);
    return APR_SUCCESS;
}

static int serve_picture(request_rec *r, const target_t *target)
{
    kc_frame_t *frame = newest_picture(r, target, PICTURE_WAIT);
    kc_state_t state;

    if (!frame) {
        return no_picture(r);
    }
    apr_pool_cleanup_register(r->pool, frame, unref_frame, apr_pool_cleanup_null);
    kc_source_state(target->source, target->cam, &state);
    kc_page_set_headers(r);
    ap_set_content_type(r, "image/jpeg");
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache");
    apr_table_setn(r->headers_out, "ETag", kc_then_etag(r, frame));
    apr_table_setn(r->headers_out, "X-KafkaCam-State", kc_state_word(&state));
    apr_table_setn(r->headers_out, "X-Timestamp",
                   apr_psprintf(r->pool, "%" APR_TIME_T_FMT, frame->captured));
    ap_update_mtime(r, frame->captured);
    ap_set_last_modified(r);
    return kc_page_send_bytes(r, frame->data, frame->size);
}

static int serve_state(request_rec *r, const target_t *target)
{
    kc_frame_t *frame = newest_picture(r, target, JSON_WAIT);
    kc_state_t state;
    char *json;
    int past;

    kc_source_state(target->source, target->cam, &state);
    json = kc_state_json(&state, frame, apr_time_now(), r->pool);
    json[strlen(json) - 1] = '\0'; /* as a wall's list says them */
    past = kc_config_get(r->server)->past && kc_permission_past(r, target->cam) > 0;
    json = apr_pstrcat(r->pool, json, ",\"page\":\"", kc_page_version(), "\"",
                       past ? ",\"past\":true}" : "}", NULL);
    kc_frame_unref(frame);
    kc_page_set_headers(r);
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_rvputs(r, json, "\n", NULL);
    return OK;
}

static int serve_page(request_rec *r, const target_t *target)
{
    kc_state_t state;

    kc_source_state(target->source, target->cam, &state);
    return kc_page_send_single(r, target->base, target->cam, apr_pstrdup(r->pool, state.name));
}

/* ---- The past ---- */

/* "/o/1234.jpg" to the size of "1234", -1: it is not like this. */
static apr_ssize_t record_size(const char *what)
{
    apr_size_t size;

    if (strncmp(what, "/o/", 3)) {
        return -1;
    }
    size = strspn(what + 3, "0123456789");
    return strcmp(what + 3 + size, ".jpg") ? -1 : (apr_ssize_t)size;
}

static int serve_past(request_rec *r, const target_t *target, const char *what)
{
    kc_state_t state;
    kc_then_t then;
    int rc;

    if (kc_then_open(&then, r, target->cam) != OK) {
        return OK;
    }
    kc_source_state(target->source, target->cam, &state);
    if (!strcmp(what, ".mkv")) {
        return kc_clip_send(&then, state.name);
    }
    if (!enter_waiting(r)) {
        return kc_then_no_answer(r, KC_PAST_BUSY);
    }
    if (record_size(what) >= 0) {
        rc = kc_then_record(&then, what + 3, (apr_size_t)record_size(what));
    }
    else if (!strcmp(what, "/times.json")) {
        rc = kc_times_send(&then, state.name);
    }
    else if (!strcmp(what, ".jpg")) {
        rc = kc_then_picture(&then);
    }
    else {
        rc = kc_then_state(&then, state.name);
    }
    leave_waiting();
    return rc;
}

/* ---- Which one ---- */

/* "/3.jpg" to 3 and ".jpg". NULL: no camera's number stands there. */
static const char *parse_cam(const char *tail, apr_uint32_t *cam)
{
    size_t digits = tail[0] == '/' ? strspn(tail + 1, "0123456789") : 0;
    uint64_t number;

    if (!digits || kc_wire_number_parse(&number, tail + 1, digits, KC_WIRE_CAM_MAX)) {
        return NULL;
    }
    *cam = (apr_uint32_t)number;
    return tail + 1 + digits;
}

static int answer(request_rec *r, const target_t *target, const char *what)
{
    if (!*what) {
        return serve_stream(r, target, KC_VIEWER_MJPEG);
    }
    if (record_size(what) >= 0 || !strcmp(what, "/times.json") || !strcmp(what, ".mkv") ||
        ((!strcmp(what, ".jpg") || !strcmp(what, ".json")) && kc_replay_is_wanted(r))) {
        return serve_past(r, target, what);
    }
    if (!strcmp(what, ".jpg")) {
        return serve_picture(r, target);
    }
    if (!strcmp(what, ".json")) {
        return serve_state(r, target);
    }
    if (!strcmp(what, "/")) {
        return serve_page(r, target);
    }
    if (!strcmp(what, "/stream")) {
        return serve_stream(r, target, KC_VIEWER_WALL);
    }
    return HTTP_NOT_FOUND;
}

static int no_location(request_rec *r)
{
    static apr_uint32_t told;

    if (!kc_child_time_to_tell(&told)) {
        return HTTP_NOT_FOUND;
    }
    ap_log_rerror(
        APLOG_MARK, APLOG_WARNING, 0, r,
        KC_ID(2030) "%s: SetHandler kafkacam-cam works in a <Location \"/PATH\"> alone, not in "
                    "<Directory>, <Files> or <LocationMatch>",
        r->uri);
    return HTTP_NOT_FOUND;
}

static int no_source(request_rec *r)
{
    static apr_uint32_t told;

    if (kc_child_time_to_tell(&told)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      KC_ID(2031) "%s: this server has no cameras (KafkaCamBrokers is not set, or "
                                  "its consumer could not be made; see the log of the start)",
                      r->uri);
    }
    apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    return HTTP_SERVICE_UNAVAILABLE;
}

/* OK if there is such a camera, or nobody can know yet: 404 is said only after Kafka was asked. */
static int check_camera(request_rec *r, const target_t *target)
{
    kc_source_answer_t found = kc_source_find(target->source, target->cam);

    if (target->cam >= (apr_uint32_t)kc_config_get(r->server)->max_cameras) {
        return HTTP_NOT_FOUND;
    }
    if (found != KC_SOURCE_CAMERA && enter_waiting(r)) {
        kc_source_look(target->source, LOOK_WAIT);
        leave_waiting();
        found = kc_source_find(target->source, target->cam);
    }
    else if (found == KC_SOURCE_NO_CAMERA) {
        apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
        return HTTP_SERVICE_UNAVAILABLE; /* as many are asking already as may */
    }
    return found == KC_SOURCE_NO_CAMERA ? HTTP_NOT_FOUND : OK;
}

/* ---- Who may see it ---- */

/* <Location "/cam/3"> covers /cam/3 and /cam/3/, but not /cam/3.jpg, and <LocationMatch> covers
 * what it likes: who may not see /cam/3 must not see any form of it. So it is asked about for every
 * form, before access control looks at the form itself, in whose place 404 may be the answer. */
#define PERMITTED "kafkacam-permitted"

/* As long as for a camera that does not exist, so that time does not tell them apart. */
static void wait_as_for_unknown(request_rec *r)
{
    kc_source_t *source = kc_config_get(r->server)->source;

    if (source && enter_waiting(r)) {
        kc_source_look(source, LOOK_WAIT);
        leave_waiting();
    }
}

static int forbid(request_rec *r, apr_uint32_t cam)
{
    int hide = kc_config_get(r->server)->hide_forbidden;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  KC_ID(2033) "camera %u: this client may not see it%s", cam,
                  hide ? "; the answer is 404, as if there was none" : "");
    if (hide) {
        wait_as_for_unknown(r);
    }
    return hide ? HTTP_NOT_FOUND : HTTP_FORBIDDEN;
}

static int guard(request_rec *r)
{
    const char *tail;
    apr_uint32_t cam;
    int status;

    if (kc_permission_is_question(r) || !kc_config_sets_handler(r, KC_HANDLER_CAM)) {
        return DECLINED;
    }
    tail = kc_config_tail(r, KC_HANDLER_CAM, NULL);
    if (!tail || !parse_cam(tail, &cam) ||
        cam >= (apr_uint32_t)kc_config_get(r->server)->max_cameras) {
        return DECLINED;
    }
    status = kc_permission_ask(r, cam, NULL);
    if (status == HTTP_OK) {
        apr_table_setn(r->notes, PERMITTED, "1");
    }
    return status == HTTP_FORBIDDEN ? forbid(r, cam) : DECLINED;
}

/* Nobody asked yet where access control was skipped or had its own answer. OK, or a status. */
static int check_permission(request_rec *r, apr_uint32_t cam)
{
    const char *challenge = NULL;
    int status;

    if (apr_table_get(r->notes, PERMITTED)) {
        return OK;
    }
    status = kc_permission_ask(r, cam, &challenge);
    if (challenge) {
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", challenge);
    }
    return status == HTTP_OK ? OK : status == HTTP_FORBIDDEN ? forbid(r, cam) : status;
}

static int handle_cam(request_rec *r)
{
    target_t target = { 0 };
    const char *tail, *what;
    int rc;

    if (!r->handler || strcmp(r->handler, KC_HANDLER_CAM)) {
        return DECLINED;
    }
    if ((rc = kc_page_check_method(r)) != OK) {
        return rc;
    }
    tail = kc_config_tail(r, KC_HANDLER_CAM, &target.base);
    if (!tail) {
        return no_location(r);
    }
    if (!strncmp(tail, "/-/", 3)) {
        return kc_page_send_asset(r, tail + 3);
    }
    what = parse_cam(tail, &target.cam);
    if (!what) {
        return HTTP_NOT_FOUND;
    }
    target.source = kc_config_get(r->server)->source;
    if (!target.source) {
        return no_source(r);
    }
    target.hub = kc_source_hub(target.source, KC_LAYER_FULL);
    if ((rc = check_permission(r, target.cam)) != OK || (rc = check_camera(r, &target)) != OK) {
        return rc;
    }
    return answer(r, &target, what);
}

void kc_cam_register_hooks(apr_pool_t *pool)
{
    ap_hook_check_access(guard, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_URI);
    ap_hook_handler(handle_cam, NULL, NULL, APR_HOOK_MIDDLE);
}
