#include "kc_blocking.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include "kc_bucket.h"
#include "kc_child.h"
#include "kc_counters.h"
#include "kc_timers.h"
#include "kc_doorbell.h"

/* How long a viewer of a silent camera waits before it looks whether the client is still there and
 * the child still wanted. Not woken for either: prefork stops its children in signal handlers. */
#define LOOK_AROUND apr_time_from_msec(500)

/* As much is passed on before anybody looks at the clock. */
#define SLICE_MAX 65536

/* Where the hub's thread and the worker meet. */
typedef struct {
    kc_doorbell_t bell;
    kc_hub_t *hub;
    kc_hub_watch_t *watches; /* one for each seat */
    apr_size_t watching;     /* of them, those entered */
} meeting_t;

static void tell(void *baton, apr_uint32_t cam)
{
    meeting_t *meeting = baton;

    kc_doorbell_ring(&meeting->bell);
}

static apr_status_t meet(meeting_t *meeting, const kc_viewer_t *viewer)
{
    apr_size_t seats = kc_choice_count(viewer->choice);
    apr_pool_t *pool = viewer->r->pool;
    apr_status_t rv = APR_SUCCESS;

    if (!meeting->watches) {
        kc_doorbell_init(&meeting->bell);
        meeting->watches = apr_pcalloc(pool, seats * sizeof(*meeting->watches));
    }
    meeting->hub = viewer->hub;
    while (rv == APR_SUCCESS && meeting->watching < seats) {
        kc_hub_watch_t *watch = &meeting->watches[meeting->watching];

        watch->notify = tell;
        watch->baton = meeting;
        rv = kc_hub_watch(meeting->hub, kc_choice_cam(viewer->choice, meeting->watching), watch);
        meeting->watching += rv == APR_SUCCESS;
    }
    return rv;
}

static void part_company(meeting_t *meeting, const kc_viewer_t *viewer)
{
    while (meeting->watching > 0) {
        meeting->watching--;
        kc_hub_unwatch(meeting->hub, kc_choice_cam(viewer->choice, meeting->watching),
                       &meeting->watches[meeting->watching]);
    }
}

/* All seats are looked at after any news: that is what makes this path simple. It is bounded. */
static void hear(kc_viewer_t *viewer)
{
    apr_size_t seat;

    for (seat = 0; seat < kc_choice_count(viewer->choice); seat++) {
        kc_choice_tell(viewer->choice, seat);
    }
}

/* Until there is news, but no longer than viewer has time. */
static void wait_for_news(meeting_t *meeting, kc_viewer_t *viewer, apr_time_t now)
{
    apr_time_t due = kc_viewer_due(viewer);
    apr_interval_time_t time = LOOK_AROUND;

    if (due && due - now < time) {
        time = due > now ? due - now : 1;
    }
    if (kc_doorbell_wait(&meeting->bell, time)) {
        hear(viewer);
    }
}

/* The next of the part, if there is one, and a flush: httpd's filters wait until the line took
 * it. */
static apr_status_t send_slice(kc_viewer_t *viewer, apr_bucket_brigade *brigade)
{
    apr_bucket_alloc_t *list = viewer->r->connection->bucket_alloc;
    apr_size_t size = 0;
    struct iovec pieces[3];
    int count = kc_mjpeg_vec(&viewer->part, pieces, SLICE_MAX), i;
    apr_status_t rv;

    for (i = 0; i < count; i++) {
        APR_BRIGADE_INSERT_TAIL(brigade, kc_bucket_piece(viewer->part.frame, &pieces[i], list));
        size += pieces[i].iov_len;
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(list));
    rv = ap_pass_brigade(viewer->r->output_filters, brigade);
    apr_brigade_cleanup(brigade);
    if (rv == APR_SUCCESS) {
        kc_viewer_sent(viewer, size, kc_timers_now());
    }
    return rv;
}

static apr_status_t send_part(kc_viewer_t *viewer, apr_bucket_brigade *brigade)
{
    apr_status_t rv = send_slice(viewer, brigade);

    while (rv == APR_SUCCESS && kc_mjpeg_left(&viewer->part) > 0) {
        if (kc_timers_now() >= kc_viewer_cut_due(viewer)) {
            kc_counters_add(KC_COUNTER_VIEWERS_STALLED, 1);
            return APR_TIMEUP;
        }
        rv = send_slice(viewer, brigade);
    }
    return rv;
}

/* Nobody writes to a viewer of a silent camera, so nobody would notice that it left. */
static int client_is_gone(const request_rec *r)
{
    apr_socket_t *socket = r->connection->master ? NULL : ap_get_conn_socket(r->connection);
    int eof = 0;

    return r->connection->aborted ||
           (socket && apr_socket_atreadeof(socket, &eof) == APR_SUCCESS && eof);
}

/* From news of the past to those of live pictures. */
static apr_status_t change_company(meeting_t *meeting, kc_viewer_t *viewer)
{
    apr_status_t rv = APR_SUCCESS;

    if (meeting->hub != viewer->hub) {
        part_company(meeting, viewer);
        rv = meet(meeting, viewer);
        hear(viewer);
    }
    return rv;
}

/* The next part, or a while without one. 0: that was all. */
static int send_next(kc_viewer_t *viewer, meeting_t *meeting, apr_bucket_brigade *brigade,
                     apr_time_t now)
{
    if (kc_viewer_next(viewer, now)) {
        return send_part(viewer, brigade) == APR_SUCCESS;
    }
    if (kc_viewer_is_over(viewer)) {
        return 0;
    }
    wait_for_news(meeting, viewer, now);
    return !client_is_gone(viewer->r);
}

static void send_all(kc_viewer_t *viewer, meeting_t *meeting)
{
    apr_bucket_brigade *brigade =
        apr_brigade_create(viewer->r->pool, viewer->r->connection->bucket_alloc);
    apr_time_t now = kc_timers_now();

    if (send_part(viewer, brigade) != APR_SUCCESS) {
        return;
    }
    while (!kc_child_is_stopping() && kc_viewer_recheck(viewer, now)) {
        if (kc_doorbell_wait(&meeting->bell, 0)) {
            hear(viewer);
        }
        if (change_company(meeting, viewer) != APR_SUCCESS ||
            !send_next(viewer, meeting, brigade, now)) {
            return;
        }
        now = kc_timers_now();
    }
}

/* Where a child has one worker (prefork), it has one viewer at most: there the limit is for the
 * whole server. */
static int too_many(const kc_config_t *config)
{
    apr_int64_t viewers = kc_child_is_threaded() ? kc_counters_own(KC_COUNTER_BLOCKING_VIEWERS)
                                                 : kc_counters_sum(KC_COUNTER_BLOCKING_VIEWERS);

    return viewers > config->max_blocking_viewers;
}

int kc_blocking_enter(request_rec *r)
{
    kc_counters_add(KC_COUNTER_BLOCKING_VIEWERS, 1);
    return too_many(kc_config_get(r->server)) ? kc_viewer_refuse(r, "KafkaCamMaxBlockingViewers")
                                              : OK;
}

void kc_blocking_leave(void)
{
    kc_counters_add(KC_COUNTER_BLOCKING_VIEWERS, -1);
}

int kc_blocking_send(kc_viewer_t *viewer)
{
    meeting_t meeting = { 0 };
    apr_socket_t *socket;
    int rc = kc_blocking_enter(viewer->r);

    if (rc != OK) {
        /* the refusal */
    }
    else if (meet(&meeting, viewer) != APR_SUCCESS) {
        rc = HTTP_NOT_FOUND;
    }
    else {
        socket = viewer->r->connection->master ? NULL : ap_get_conn_socket(viewer->r->connection);
        if (socket) {
            apr_socket_timeout_set(socket, viewer->config->stall_timeout);
            kc_viewer_prepare_socket(viewer, socket);
        }
        send_all(viewer, &meeting);
    }
    part_company(&meeting, viewer);
    kc_blocking_leave();
    return rc;
}
