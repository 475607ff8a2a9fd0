#include "kc_viewer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include "kc_child.h"
#include "kc_clients.h"
#include "kc_counters.h"
#include "kc_http1.h"
#include "kc_lease.h"
#include "kc_timers.h"

/* Bytes the kernel takes that it has not sent. A viewer at half the stream's rate sees pictures
 * 0.15 s old with it, and 4 s and growing without. */
#define NOTSENT_LOWAT 16384

/* Whatever a browser takes a stream for, when somebody opens it as a page: it shows images, and has
 * no rights of this site. A browser's own page around an image has its styles in it. */
#define POLICY "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"

static kc_viewer_sender_fn *send_suspended;
static kc_viewer_sender_fn *send_blocking;
static kc_viewer_room_fn *make_room;

void kc_viewer_senders(kc_viewer_sender_fn *suspended, kc_viewer_sender_fn *blocking,
                       kc_viewer_room_fn *room)
{
    send_suspended = suspended;
    send_blocking = blocking;
    make_room = room;
}

int kc_viewer_refuse(request_rec *r, const char *limit)
{
    static apr_uint32_t told;

    if (kc_child_time_to_tell(&told)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      KC_ID(2300) "%s is reached: viewers are refused with 503", limit);
    }
    kc_counters_add(KC_COUNTER_VIEWERS_REFUSED, 1);
    apr_table_setn(r->err_headers_out, "Retry-After", "10");
    return HTTP_SERVICE_UNAVAILABLE;
}

/* With the request's pool, however the response ended. */
static apr_status_t end_viewer(void *data)
{
    kc_viewer_t *viewer = data;

    kc_mjpeg_end(&viewer->part);
    if (viewer->playback) {
        kc_playback_close(viewer->playback);
    }
    kc_counters_add(KC_COUNTER_VIEWERS, -1);
    return APR_SUCCESS;
}

/* In the connection's pool: a pump needs it after the request is gone. */
static kc_viewer_t *create(request_rec *r, const kc_viewer_spec_t *spec)
{
    kc_viewer_t *viewer = apr_pcalloc(r->connection->pool, sizeof(*viewer));

    viewer->r = r;
    viewer->config = kc_config_get(r->server);
    viewer->form = spec->form;
    viewer->hub = spec->past ? spec->news : spec->hub;
    viewer->live = spec->hub;
    viewer->may_see = spec->may_see;
    viewer->choice =
        kc_choice_create(spec->hub, spec->cams, spec->cam_count, spec->form == KC_VIEWER_WALL,
                         spec->interval, r->connection->pool);
    if (spec->past) {
        viewer->playback =
            kc_playback_create(spec->past, viewer->choice, spec->offsets, r->connection->pool);
    }
    viewer->moved = viewer->said = viewer->checked = kc_timers_now();
    if (spec->form == KC_VIEWER_MJPEG) {
        kc_choice_without_dashes(viewer->choice);
        kc_mjpeg_open_plain(&viewer->part);
    }
    else if (spec->form == KC_VIEWER_MJPEG_META) {
        kc_mjpeg_open_meta(&viewer->part);
    }
    ap_set_module_config(r->request_config, &kafkacam_module, viewer);
    kc_counters_add(KC_COUNTER_VIEWERS, 1);
    apr_pool_cleanup_register(r->pool, viewer, end_viewer, apr_pool_cleanup_null);
    return viewer;
}

/* No chunks (a browser shows a part sooner without), nothing that stores, collects or
 * compresses. */
static void set_headers(request_rec *r, kc_viewer_form_t form)
{
    ap_set_content_type(r, form == KC_VIEWER_WALL
                               ? "multipart/mixed; boundary=" KC_MJPEG_BOUNDARY
                               : "multipart/x-mixed-replace; boundary=" KC_MJPEG_BOUNDARY);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Accel-Buffering", "no");
    apr_table_setn(r->headers_out, "Content-Security-Policy", POLICY);
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    if (form == KC_VIEWER_WALL) {
        /* The page compares it with its own clock, to say how old a picture is. */
        apr_table_setn(r->headers_out, "X-Server-Time",
                       apr_psprintf(r->pool, "%" APR_TIME_T_FMT, apr_time_now()));
    }
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
    r->no_local_copy = 1;
    r->connection->keepalive = AP_CONN_CLOSE;
}

/* A wall's memory grows with its cameras. */
static void bound_wall(request_rec *r, const kc_config_t *config, kc_viewer_spec_t *spec)
{
    static apr_uint32_t told;
    apr_size_t most = (apr_size_t)config->max_wall_cameras;

    if (spec->cam_count <= most) {
        return;
    }
    if (kc_child_time_to_tell(&told)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      KC_ID(2330) "a wall of %" APR_SIZE_T_FMT
                                  " cameras shows the first %" APR_SIZE_T_FMT
                                  ": KafkaCamMaxWallCameras",
                      spec->cam_count, most);
    }
    apr_table_setn(r->headers_out, "X-KafkaCam-Left-Out",
                   apr_psprintf(r->pool, "%" APR_SIZE_T_FMT, spec->cam_count - most));
    spec->cam_count = most;
}

int kc_viewer_serve(request_rec *r, const kc_viewer_spec_t *spec)
{
    const kc_config_t *config = kc_config_get(r->server);
    kc_viewer_spec_t bounded = *spec;
    kc_viewer_t *viewer;
    int rc;

    if (kc_http1_wanted(r)) {
        return HTTP_FORBIDDEN; /* the client sees HTTP_1_1_REQUIRED instead */
    }
    rc = ap_discard_request_body(r);
    if (rc != OK) {
        return rc;
    }
    bound_wall(r, config, &bounded);
    set_headers(r, spec->form);
    if (r->header_only) {
        return OK;
    }
    kc_lease_end(r);
    viewer = create(r, &bounded);
    if (!kc_clients_enter(r, config->max_viewers_per_client)) {
        return kc_viewer_refuse(r, "KafkaCamMaxViewersPerClient");
    }
    if (kc_counters_sum(KC_COUNTER_VIEWERS) > config->max_viewers && !(make_room && make_room())) {
        return kc_viewer_refuse(r, "KafkaCamMaxViewers");
    }
    rc = send_suspended ? send_suspended(viewer) : DECLINED;
    if (rc == DECLINED) {
        rc = send_blocking(viewer);
    }
    if (rc == OK || rc == SUSPENDED) {
        kc_counters_add(KC_COUNTER_VIEWERS_BEGUN, 1);
    }
    return rc;
}

void kc_viewer_prepare_socket(const kc_viewer_t *viewer, apr_socket_t *socket)
{
    int lowat = NOTSENT_LOWAT;
    /* Later than the sender's own deadline: that one has a word for the log. */
    unsigned int patience_ms = (unsigned int)apr_time_as_msec(viewer->config->stall_timeout) * 2;
    apr_os_sock_t fd;

    if (apr_os_sock_get(&fd, socket) == APR_SUCCESS) {
        /* Not every family has these: without, pictures get older on a slow line, and a client
         * whose machine is gone is noticed when TCP gives up. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
    }
}

static void begin_part(kc_viewer_t *viewer, kc_frame_t *frame)
{
    switch (viewer->form) {
    case KC_VIEWER_MJPEG:
        kc_mjpeg_plain(&viewer->part, frame);
        break;
    case KC_VIEWER_MJPEG_META:
        kc_mjpeg_meta(&viewer->part, frame);
        break;
    case KC_VIEWER_WALL:
        kc_mjpeg_wall(&viewer->part, frame);
        break;
    }
}

static apr_time_t heartbeat_due(const kc_viewer_t *viewer)
{
    return viewer->said + viewer->config->heartbeat;
}

/* A line that is silent for long is cut by whatever has a read time-out, and a client that left
 * without a word, or does not read, is found out only by what it does not take. */
static int next_heartbeat(kc_viewer_t *viewer)
{
    kc_frame_t *frame;

    if (viewer->form == KC_VIEWER_WALL) {
        kc_mjpeg_heartbeat(&viewer->part);
        return 1;
    }
    frame = viewer->playback && !kc_playback_is_live(viewer->playback)
                ? kc_playback_again(viewer->playback)
                : kc_choice_again(viewer->choice);
    if (frame) {
        begin_part(viewer, frame);
    }
    return frame != NULL;
}

static void set_deadline(kc_viewer_t *viewer)
{
    const kc_config_t *config = viewer->config;

    viewer->deadline = 0;
    if (config->least_rate) {
        viewer->deadline =
            viewer->moved + config->stall_timeout +
            (apr_time_t)kc_mjpeg_left(&viewer->part) * APR_USEC_PER_SEC / config->least_rate;
    }
}

/* Of the past, and when that has reached now, live ones. */
static kc_frame_t *next_frame(kc_viewer_t *viewer, apr_time_t now)
{
    kc_frame_t *frame = NULL;

    if (viewer->playback) {
        frame = kc_playback_next(viewer->playback, now, apr_time_now());
        if (kc_playback_is_live(viewer->playback)) {
            viewer->hub = viewer->live;
        }
    }
    return frame ? frame : kc_choice_next(viewer->choice, now);
}

int kc_viewer_is_over(const kc_viewer_t *viewer)
{
    return viewer->playback && kc_mjpeg_left(&viewer->part) == 0 &&
           kc_playback_is_over(viewer->playback);
}

int kc_viewer_next(kc_viewer_t *viewer, apr_time_t now)
{
    kc_frame_t *frame = next_frame(viewer, now);

    if (frame) {
        begin_part(viewer, frame);
    }
    else if (now < heartbeat_due(viewer)) {
        return 0;
    }
    else {
        viewer->said = now;
        if (!next_heartbeat(viewer)) {
            return 0;
        }
    }
    viewer->moved = now; /* the deadlines of a part run from its beginning */
    set_deadline(viewer);
    return 1;
}

apr_time_t kc_viewer_due(const kc_viewer_t *viewer)
{
    apr_time_t due = kc_choice_due(viewer->choice);
    apr_time_t past = viewer->playback ? kc_playback_due(viewer->playback) : 0;

    due = past && (!due || past < due) ? past : due;
    return due && due < heartbeat_due(viewer) ? due : heartbeat_due(viewer);
}

static apr_uint64_t skipped_so_far(const kc_viewer_t *viewer)
{
    return kc_choice_skipped(viewer->choice) +
           (viewer->playback ? kc_playback_skipped(viewer->playback) : 0);
}

static void count_part(kc_viewer_t *viewer)
{
    apr_uint64_t skipped = skipped_so_far(viewer);

    if (viewer->part.frame && viewer->part.frame->kind != KC_FRAME_STATE) {
        viewer->frames++;
        kc_counters_add(KC_COUNTER_FRAMES_SENT, 1);
    }
    if (skipped != viewer->skipped) {
        kc_counters_add(KC_COUNTER_FRAMES_SKIPPED, (apr_int64_t)(skipped - viewer->skipped));
        viewer->skipped = skipped;
    }
}

void kc_viewer_sent(kc_viewer_t *viewer, apr_size_t size, apr_time_t now)
{
    viewer->part.sent += size;
    viewer->moved = viewer->said = now;
    kc_counters_add(KC_COUNTER_BYTES_SENT, (apr_int64_t)size);
    if (kc_mjpeg_left(&viewer->part) == 0) {
        count_part(viewer);
        kc_mjpeg_end(&viewer->part);
    }
}

apr_time_t kc_viewer_cut_due(const kc_viewer_t *viewer)
{
    apr_time_t due = viewer->moved + viewer->config->stall_timeout;

    return viewer->deadline && viewer->deadline < due ? viewer->deadline : due;
}

apr_time_t kc_viewer_recheck_due(const kc_viewer_t *viewer)
{
    return viewer->may_see && viewer->config->recheck ? viewer->checked + viewer->config->recheck
                                                      : 0;
}

int kc_viewer_recheck(kc_viewer_t *viewer, apr_time_t now)
{
    apr_time_t due = kc_viewer_recheck_due(viewer);
    apr_size_t seat, left = 0;

    if (!due || now < due) {
        return 1;
    }
    viewer->checked = now;
    for (seat = 0; seat < kc_choice_count(viewer->choice); seat++) {
        if (kc_choice_dropped(viewer->choice, seat)) {
            continue;
        }
        if (viewer->may_see(viewer->r, kc_choice_cam(viewer->choice, seat))) {
            left++;
        }
        else {
            kc_choice_drop(viewer->choice, seat);
        }
    }
    return left > 0;
}

/* Before the log modules: LogFormat may ask for these as %{kafkacam-frames}n and so on. */
static int note_for_log(request_rec *r)
{
    kc_viewer_t *viewer;
    request_rec *last;

    if (kc_http1_was_wanted(r)) {
        return DONE; /* not a request of its own: the same one follows over HTTP/1.1 */
    }
    for (last = r; last->next; last = last->next) {
    }
    viewer = ap_get_module_config(last->request_config, &kafkacam_module);
    if (!viewer) {
        return DECLINED;
    }
    apr_table_setn(last->notes, "kafkacam-frames",
                   apr_psprintf(last->pool, "%" APR_UINT64_T_FMT, viewer->frames));
    apr_table_setn(last->notes, "kafkacam-skipped",
                   apr_psprintf(last->pool, "%" APR_UINT64_T_FMT, skipped_so_far(viewer)));
    if (viewer->form != KC_VIEWER_WALL) {
        apr_table_setn(last->notes, "kafkacam-camera",
                       apr_psprintf(last->pool, "%u", kc_choice_cam(viewer->choice, 0)));
    }
    return DECLINED;
}

void kc_viewer_register_hooks(apr_pool_t *pool)
{
    ap_hook_log_transaction(note_for_log, NULL, NULL, APR_HOOK_REALLY_FIRST);
    kc_http1_register_hooks(pool);
}
