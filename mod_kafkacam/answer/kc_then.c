#include "kc_then.h"

#include <stdlib.h>
#include <string.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include "kc_config.h"
#include "kc_page.h"
#include "kc_permission.h"
#include "kc_query.h"
#include "kc_source.h"
#include "kc_state.h"
#include "kc_time.h"
#include "kc_wire.h"

#define WAIT        apr_time_from_sec(5)
#define RETRY_AFTER "2"

static apr_status_t unref_frame(void *frame)
{
    kc_frame_unref(frame);
    return APR_SUCCESS;
}

/* Until the request ends. */
static void keep(request_rec *r, kc_frame_t *frame)
{
    apr_pool_cleanup_register(r->pool, frame, unref_frame, apr_pool_cleanup_null);
}

static const char *number_text(request_rec *r, apr_int64_t number)
{
    return apr_psprintf(r->pool, "%" APR_INT64_T_FMT, number);
}

const char *kc_then_etag(request_rec *r, const kc_frame_t *frame)
{
    return apr_psprintf(r->pool, "\"%s:%u:%" APR_INT64_T_FMT ":%" APR_TIME_T_FMT "\"",
                        kc_config_get(r->server)->topic, frame->cam, frame->offset,
                        frame->captured);
}

int kc_then_allow(kc_then_t *then, request_rec *r, apr_interval_time_t back)
{
    then->r = r;
    then->past = kc_config_get(r->server)->past;
    then->now = apr_time_now();
    if (back <= 0 || !then->past) {
        kc_page_send_text(r, HTTP_FORBIDDEN,
                          "You may not look back at this camera (KafkaCamPast).");
        return DONE;
    }
    then->earliest = back == KC_CONFIG_PAST_ALL ? APR_INT64_MIN : then->now - back;
    return OK;
}

int kc_then_open(kc_then_t *then, request_rec *r, apr_uint32_t cam)
{
    then->cam = cam;
    then->layer = KC_LAYER_FULL;
    if (kc_then_allow(then, r, kc_permission_past(r, cam)) != OK) {
        return DONE;
    }
    if (kc_query_is(r->args, "small", "1") &&
        kc_source_has(kc_config_get(r->server)->source, KC_LAYER_SMALL, cam)) {
        then->layer = KC_LAYER_SMALL;
    }
    return OK;
}

int kc_then_time(const kc_then_t *then, const char *name, apr_time_t none, apr_time_t *time,
                 int *relative)
{
    request_rec *r = then->r;

    *time = none;
    if (kc_query_time(r->args, name, then->now, time, relative) >= 0) {
        return OK;
    }
    kc_page_send_text(r, HTTP_BAD_REQUEST,
                      apr_psprintf(r->pool,
                                   "%s: a moment is 2026-11-28T14:03:21.4+01:00 (with its zone), "
                                   "milliseconds since 1970, or -90s, -5min, -1h before now.",
                                   name));
    return DONE;
}

int kc_then_no_answer(request_rec *r, int error)
{
    if (error == KC_PAST_DENIED) {
        return kc_page_send_text(r, HTTP_FORBIDDEN, "Kafka does not let this server read it.");
    }
    apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    return kc_page_send_text(r, HTTP_SERVICE_UNAVAILABLE,
                             "Kafka does not answer, or too much is being read just now.");
}

/* What was shown may have been taken before the earliest moment that may be seen. */
static void keep_off(const kc_then_t *then, kc_past_moment_t *moment)
{
    kc_past_asker_t asker = { 0 };
    apr_int64_t after;

    if (!moment->frame || moment->frame->captured >= then->earliest) {
        return;
    }
    kc_frame_unref(moment->frame);
    moment->frame = NULL;
    moment->shown = KC_PAST_NOTHING;
    after = kc_past_after(then->past, then->layer, &moment->extent, then->earliest - 1,
                          then->now + WAIT);
    if (after >= 0 && kc_past_await(then->past, &asker, then->layer, then->cam, after, 1,
                                    then->now + WAIT, &moment->frame) == KC_PAST_FOUND) {
        moment->shown = KC_PAST_BEGINNING;
    }
    if (moment->frame && moment->frame->captured < then->earliest) {
        kc_frame_unref(moment->frame);
        moment->frame = NULL;
        moment->shown = KC_PAST_NOTHING;
    }
}

void kc_then_look(const kc_then_t *then, apr_time_t time, kc_past_moment_t *moment)
{
    if (time < then->earliest) {
        time = then->earliest;
    }
    memset(moment, 0, sizeof(*moment));
    moment->extent.cam = then->cam;
    kc_past_look(then->past, then->layer, time, moment, 1, then->now + WAIT);
    keep_off(then, moment);
}

static const char *shown_word(kc_past_shown_t shown)
{
    return shown == KC_PAST_THEN ? "then" : shown == KC_PAST_BEGINNING ? "beginning" : "newest";
}

/* Where this very record is for ever, from the folder of /cam/N.jpg. */
static const char *address_of(request_rec *r, const kc_frame_t *frame, const char *folder)
{
    return apr_psprintf(r->pool, "%s%" APR_INT64_T_FMT ".jpg?us=%" APR_TIME_T_FMT, folder,
                        frame->offset, frame->captured);
}

/* The headers and the bytes of a record. */
static int send_frame(request_rec *r, const kc_frame_t *frame, const char *cache)
{
    kc_page_set_headers(r);
    ap_set_content_type(r, "image/jpeg");
    apr_table_setn(r->headers_out, "Cache-Control", cache);
    apr_table_setn(r->headers_out, "ETag", kc_then_etag(r, frame));
    apr_table_setn(r->headers_out, "X-Timestamp", number_text(r, frame->captured));
    apr_table_setn(r->headers_out, "X-Offset", number_text(r, frame->offset));
    apr_table_setn(r->headers_out, "X-Seq", number_text(r, (apr_int64_t)frame->seq));
    ap_update_mtime(r, frame->captured);
    ap_set_last_modified(r);
    return kc_page_send_bytes(r, frame->data, frame->size);
}

static int no_picture(const kc_then_t *then, const kc_past_moment_t *moment)
{
    return moment->extent.error != KC_PAST_FOUND
               ? kc_then_no_answer(then->r, moment->extent.error)
               : kc_page_send_text(then->r, HTTP_NOT_FOUND,
                                   "Nothing is kept of this camera that you may look at.");
}

int kc_then_picture(kc_then_t *then)
{
    request_rec *r = then->r;
    kc_past_moment_t moment;
    apr_time_t time;
    char when[KC_TIME_SIZE];
    int relative = 0;
    int settled;

    if (kc_then_time(then, "at", then->now, &time, &relative) != OK) {
        return OK;
    }
    kc_then_look(then, time, &moment);
    if (!moment.frame) {
        return no_picture(then, &moment);
    }
    keep(r, moment.frame);
    settled = moment.shown == KC_PAST_THEN && !relative;
    kc_time_format(when, moment.frame->captured);
    apr_table_setn(r->headers_out, "X-KafkaCam-Past", shown_word(moment.shown));
    apr_table_setn(r->headers_out, "Content-Location",
                   address_of(r, moment.frame, apr_psprintf(r->pool, "%u/o/", then->cam)));
    if (kc_query_is(r->args, "save", "1")) {
        apr_table_setn(
            r->headers_out, "Content-Disposition",
            apr_psprintf(r->pool, "attachment; filename=\"%u %s.jpg\"", then->cam, when));
    }
    return send_frame(r, moment.frame, settled ? "private, max-age=3600" : "no-cache");
}

int kc_then_state(kc_then_t *then, const char *name)
{
    request_rec *r = then->r;
    kc_past_moment_t moment;
    const kc_frame_t *frame;
    apr_time_t time;

    if (kc_then_time(then, "at", then->now, &time, NULL) != OK) {
        return OK;
    }
    kc_then_look(then, time, &moment);
    if (!moment.frame) {
        return no_picture(then, &moment);
    }
    frame = moment.frame;
    keep(r, moment.frame);
    kc_page_set_headers(r);
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_rprintf(r,
               "{\"camera\":%u,\"name\":%s,\"past\":\"%s\",\"at\":%" APR_TIME_T_FMT
               ",\"offset\":%" APR_INT64_T_FMT ",\"seq\":%" APR_UINT64_T_FMT
               ",\"captured\":%" APR_TIME_T_FMT ",\"size\":%" APR_SIZE_T_FMT
               ",\"w\":%u,\"h\":%u,\"picture\":\"%s\"}\n",
               then->cam, kc_state_json_text(name, r->pool), shown_word(moment.shown), time,
               frame->offset, frame->seq, frame->captured, frame->size, frame->width, frame->height,
               address_of(r, frame, apr_psprintf(r->pool, "%u/o/", then->cam)));
    return OK;
}

/* ---- This record for ever ---- */

/* "<122.jpg?us=...>; rel=\"next\"", where there is one that may be seen. */
static void add_link(const kc_then_t *then, apr_int64_t offset, int step, const char *rel)
{
    request_rec *r = then->r;
    kc_past_asker_t asker = { 0 };
    kc_frame_t *frame;

    if (offset < 0 || kc_past_await(then->past, &asker, then->layer, then->cam, offset, step,
                                    then->now + WAIT, &frame) != KC_PAST_FOUND) {
        return;
    }
    if (frame->captured >= then->earliest) {
        apr_table_mergen(r->headers_out, "Link",
                         apr_psprintf(r->pool, "<%s>; rel=\"%s\"", address_of(r, frame, ""), rel));
    }
    kc_frame_unref(frame);
}

static int gone(const kc_then_t *then, const kc_past_extent_t *extent, const char *why)
{
    request_rec *r = then->r;
    kc_past_asker_t asker = { 0 };
    kc_frame_t *oldest = NULL;
    char when[KC_TIME_SIZE] = "now";

    kc_past_await(then->past, &asker, then->layer, then->cam, extent->oldest, 1, then->now + WAIT,
                  &oldest);
    if (oldest) {
        kc_time_format(when, oldest->captured);
        apr_table_setn(r->err_headers_out, "X-KafkaCam-Oldest", number_text(r, oldest->offset));
        kc_frame_unref(oldest);
    }
    return kc_page_send_text(r, HTTP_GONE,
                             apr_psprintf(r->pool,
                                          "%s Pictures of this camera are kept from offset "
                                          "%" APR_INT64_T_FMT ", %s on.",
                                          why, extent->oldest, when));
}

/* Its neighbours, and the bytes. */
static int send_record(const kc_then_t *then, kc_frame_t *frame, int identified)
{
    add_link(then, frame->offset - 1, -1, "prev");
    add_link(then, frame->offset + 1, 1, "next");
    apr_table_setn(then->r->headers_out, "Content-Location", address_of(then->r, frame, ""));
    return send_frame(then->r, frame,
                      identified ? "private, max-age=31536000, immutable" : "no-cache");
}

/* us: the time of the picture that is meant, 0: not said. */
static int judge_record(const kc_then_t *then, const kc_past_extent_t *extent, kc_frame_t *frame,
                        apr_int64_t offset, apr_int64_t us)
{
    if (!frame || frame->offset != offset) {
        return kc_page_send_text(then->r, HTTP_NOT_FOUND, "There is no picture at this offset.");
    }
    if (us && frame->captured != us) {
        return gone(then, extent, "The topic was made anew; this picture went with the old one.");
    }
    if (frame->captured < then->earliest) {
        return kc_page_send_text(then->r, HTTP_FORBIDDEN,
                                 "You may not look back so far (KafkaCamPast).");
    }
    return send_record(then, frame, us != 0);
}

int kc_then_record(kc_then_t *then, const char *digits, apr_size_t size)
{
    request_rec *r = then->r;
    kc_past_extent_t extent = { .cam = then->cam };
    kc_past_asker_t asker = { 0 };
    kc_past_answer_t answer;
    kc_frame_t *frame;
    apr_int64_t us = 0;
    uint64_t offset;

    if (kc_wire_number_parse(&offset, digits, size, KC_WIRE_NUMBER_MAX) ||
        kc_query_number(r->args, "us", KC_WIRE_NUMBER_MAX, &us) < 0) {
        return HTTP_NOT_FOUND;
    }
    kc_past_extents(then->past, then->layer, &extent, 1, then->now + WAIT);
    if (extent.error != KC_PAST_FOUND) {
        return kc_then_no_answer(r, extent.error);
    }
    if ((apr_int64_t)offset < extent.oldest) {
        return gone(then, &extent, "This picture is no longer kept.");
    }
    if ((apr_int64_t)offset >= extent.end) {
        return us ? gone(then, &extent, "This picture is no longer there: the topic was made anew.")
                  : kc_page_send_text(r, HTTP_NOT_FOUND, "There is no such picture yet.");
    }
    answer = kc_past_await(then->past, &asker, then->layer, then->cam, (apr_int64_t)offset, 1,
                           then->now + WAIT, &frame);
    if (answer != KC_PAST_FOUND && answer != KC_PAST_END) {
        return kc_then_no_answer(r, answer);
    }
    keep(r, frame);
    return judge_record(then, &extent, frame, (apr_int64_t)offset, us);
}
