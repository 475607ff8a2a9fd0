/* mod_kafkacam's senders with made-up pictures instead of Kafka, for the benchmarks and for tests
 * of the pump: as many cameras, frames per second and bytes as KAFKACAM_FEED says.
 *
 *   KAFKACAM_FEED="CAMS FPS SIZE"   in httpd's environment
 *   /cam/N ?fps= ?meta=1            as in mod_kafkacam; cameras count from 1
 *   /wall                           all of them in one response
 *   KAFKACAM_FEED_FILE=FILE         this JPEG instead of one made up, for browsers
 *   KAFKACAM_FEED_MAY=FILE          who asks may see camera 1 as long as there is that file
 *
 * A picture begins with FF D8, carries its time and number as text in a comment, and ends with
 * FF D9: enough for a client to check it and to see how old it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <ap_mpm.h>
#include <apr_atomic.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include "kc_advice.h"
#include "kc_blocking.h"
#include "kc_config.h"
#include "kc_clients.h"
#include "kc_counters.h"
#include "kc_pump.h"
#include "kc_viewer.h"

#define MARK_SIZE 64

/* A camera's next picture may be far away, and httpd's end near. */
#define LOOK_AROUND apr_time_from_msec(100)

static struct {
    apr_uint32_t cams;
    double fps;
    apr_size_t size;
    char *file; /* size bytes, NULL: made up */
    kc_hub_t *hub;
    apr_thread_t *thread;
    apr_uint32_t quit;
} feed;

static kc_frame_t *make_frame(apr_uint32_t cam, apr_uint64_t seq)
{
    static const unsigned char comment[] = { 0xff, 0xd8, 0xff, 0xfe, 0, MARK_SIZE + 2 };
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, cam, feed.size);
    char *mark = frame->data + sizeof(comment);

    frame->captured = frame->arrived = apr_time_now();
    frame->seq = seq;
    frame->offset = (apr_int64_t)seq;
    if (feed.file) {
        memcpy(frame->data, feed.file, feed.size);
        return frame;
    }
    memset(frame->data, 0x55, feed.size);
    memcpy(frame->data, comment, sizeof(comment));
    memset(mark, ' ', MARK_SIZE);
    apr_snprintf(mark, MARK_SIZE, "us=%" APR_TIME_T_FMT " seq=%" APR_UINT64_T_FMT " cam=%u ",
                 frame->captured, seq, cam);
    memcpy(frame->data + feed.size - 2, "\xff\xd9", 2);
    return frame;
}

/* The cameras' frames evenly spread over the interval, as real cameras' are. */
static void *APR_THREAD_FUNC publish_all(apr_thread_t *thread, void *data)
{
    double step = (double)APR_USEC_PER_SEC / feed.fps / feed.cams;
    apr_time_t start = apr_time_now();
    apr_uint64_t n = 0;

    while (!apr_atomic_read32(&feed.quit)) {
        apr_time_t due = start + (apr_time_t)((double)n * step);
        apr_interval_time_t early = due - apr_time_now();

        if (early > LOOK_AROUND) {
            apr_sleep(LOOK_AROUND);
            continue;
        }
        if (early > 0) {
            apr_sleep(early);
        }
        kc_hub_publish(feed.hub, make_frame((apr_uint32_t)(n % feed.cams) + 1, n / feed.cams + 1));
        n++;
    }
    return NULL;
}

static void read_file(const char *name, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_file_t *file;

    if (!name || apr_file_open(&file, name, APR_READ, 0, pool) != APR_SUCCESS ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return;
    }
    feed.size = (apr_size_t)info.size;
    feed.file = apr_palloc(pool, feed.size);
    if (apr_file_read_full(file, feed.file, feed.size, NULL) != APR_SUCCESS) {
        feed.file = NULL;
    }
    apr_file_close(file);
}

static apr_status_t stop(void *data)
{
    apr_status_t rv;

    apr_atomic_set32(&feed.quit, 1);
    return apr_thread_join(&rv, feed.thread);
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    const char *words = getenv("KAFKACAM_FEED");
    unsigned long size = 0;
    int threaded = 0;

    kc_counters_join(pchild, s);
    if (!words || sscanf(words, "%u %lf %lu", &feed.cams, &feed.fps, &size) != 3 ||
        size < MARK_SIZE + 8) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "KAFKACAM_FEED is not CAMS FPS SIZE");
        return;
    }
    feed.size = size;
    read_file(getenv("KAFKACAM_FEED_FILE"), pchild);
    kc_hub_create(&feed.hub, feed.cams + 1, pchild);
    kc_pump_start(pchild, s);
    if (feed.fps > 0) {
        apr_thread_create(&feed.thread, NULL, publish_all, NULL, pchild);
        /* prefork ends its children in a signal handler, wherever they are: nothing to wait for. */
        if (ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS &&
            threaded != AP_MPMQ_NOT_SUPPORTED) {
            apr_pool_pre_cleanup_register(pchild, NULL, stop);
        }
    }
}

static int may_see(request_rec *r, apr_uint32_t cam)
{
    const char *file = getenv("KAFKACAM_FEED_MAY");

    return cam != 1 || !file || access(file, F_OK) == 0;
}

static int answer(request_rec *r)
{
    kc_viewer_spec_t spec = { .hub = feed.hub, .may_see = may_see };
    const char *fps = r->args ? strstr(r->args, "fps=") : NULL;
    apr_uint32_t *cams, i;

    if (!r->handler || strcmp(r->handler, "kafkacam-feed") != 0) {
        return DECLINED;
    }
    cams = apr_pcalloc(r->pool, feed.cams * sizeof(*cams));
    for (i = 0; i < feed.cams; i++) {
        cams[i] = i + 1;
    }
    spec.cams = cams;
    spec.cam_count = 1;
    spec.form = r->args && strstr(r->args, "meta=1") ? KC_VIEWER_MJPEG_META : KC_VIEWER_MJPEG;
    if (fps) {
        spec.interval = (apr_interval_time_t)(APR_USEC_PER_SEC / atof(fps + 4));
    }
    if (strcmp(r->uri, "/wall") == 0) {
        spec.form = KC_VIEWER_WALL;
        spec.cam_count = feed.cams;
    }
    else {
        cams[0] = (apr_uint32_t)atoi(r->uri + strlen("/cam/"));
        if (cams[0] < 1 || cams[0] > feed.cams) {
            return HTTP_NOT_FOUND;
        }
    }
    return kc_viewer_serve(r, &spec);
}

/* The counters, one a line, in place of mod_kafkacam's status page. */
static int show_counters(request_rec *r)
{
    int i;

    if (!r->handler || strcmp(r->handler, "kafkacam-counters") != 0) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/plain");
    for (i = 0; i < KC_COUNTERS; i++) {
        ap_rprintf(r, "%s: %" APR_INT64_T_FMT "\n", kc_counters_name(i), kc_counters_sum(i));
    }
    return OK;
}

/* KAFKACAM_FILTER=1: a filter that does nothing keeps the pump off the plain socket. */
static apr_status_t pass(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    return ap_pass_brigade(filter->next, brigade);
}

static int add_filter(conn_rec *c, void *socket)
{
    if (!c->master && getenv("KAFKACAM_FILTER")) {
        ap_add_output_filter("KAFKACAM_FEED_PASS", NULL, NULL, c);
    }
    return OK;
}

static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                         mpm_child_status state)
{
    if (state == MPM_CHILD_EXITED) {
        kc_counters_leave(pid);
        kc_clients_leave(pid);
    }
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    kc_config_finish(s);
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    kc_advice_give(s);
    return kc_counters_create(s) == APR_SUCCESS && kc_clients_create(s) == APR_SUCCESS ? OK : 500;
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(show_counters, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_connection(add_filter, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_register_output_filter("KAFKACAM_FEED_PASS", pass, NULL, AP_FTYPE_CONNECTION);
    kc_viewer_register_hooks(pool);
    kc_viewer_senders(getenv("KAFKACAM_NO_PUMP") ? NULL : kc_pump_send, kc_blocking_send,
                      kc_pump_make_room);
    kc_pump_register_hooks(pool);
}

/* Under mod_kafkacam's name, whose directives it has. */
module AP_MODULE_DECLARE_DATA kafkacam_module __attribute__((visibility("default"))) = {
    STANDARD20_MODULE_STUFF, NULL,           NULL, kc_config_create, kc_config_merge,
    kc_config_commands,      register_hooks, 0
};
