/* mod_kafkacam: live pictures from Kafka to any number of browsers. This file wires the parts
 * together and knows what each of them needs of httpd; docs/HTTP.md is the manual. */
#include <stdlib.h>
#include <unistd.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <ap_mpm.h>
#include <mpm_common.h>
#include "kc_child.h"
#include "kc_config.h"
#include "kc_counters.h"
#include "kc_clients.h"
#include "kc_advice.h"
#include "kc_lease.h"
#include "kc_kafka.h"
#include "kc_source.h"
#include "kc_past.h"
#include "kc_viewer.h"
#include "kc_blocking.h"
#include "kc_pump.h"
#include "kc_permission.h"
#include "kc_cam.h"
#include "kc_cameras.h"
#include "kc_origin.h"
#include "kc_status.h"

/* A table for each source there will be in the children. */
static apr_status_t create_camera_counts(apr_pool_t *pconf, server_rec *main_server)
{
    server_rec *s, *earlier;
    apr_status_t rv = APR_SUCCESS;

    for (s = main_server; s && rv == APR_SUCCESS; s = s->next) {
        kc_config_t *config = kc_config_get(s);

        for (earlier = main_server; earlier != s; earlier = earlier->next) {
            if (kc_source_fits(kc_config_get(earlier), config)) {
                config->camera_counts = kc_config_get(earlier)->camera_counts;
            }
        }
        if (config->brokers && !config->camera_counts) {
            rv = kc_counters_cameras_create(&config->camera_counts,
                                            (apr_uint32_t)config->max_cameras, pconf);
        }
    }
    return rv;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* httpd reads the configuration twice at its start: this time only to look */
    }
    if (kc_counters_create(s) != APR_SUCCESS || create_camera_counts(pconf, s) != APR_SUCCESS ||
        kc_clients_create(s) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    kc_advice_give(s);
    return OK;
}

/* configtest ends after this hook, a start goes on and reads the configuration once more: say what
 * is wrong once. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    kc_config_finish(s);
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG ||
        ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        kc_advice_check(s);
    }
    return OK;
}

/* The source of an earlier server that does for s too, or NULL. */
static kc_source_t *find_source(server_rec *main_server, const server_rec *s)
{
    server_rec *earlier;

    for (earlier = main_server; earlier != s; earlier = earlier->next) {
        if (kc_source_fits(kc_config_get(earlier), kc_config_get(s))) {
            return kc_config_get(earlier)->source;
        }
    }
    return NULL;
}

/* prefork ends a child in a signal handler, wherever it is, perhaps within a lock that a source's
 * thread needs: waiting for that thread there would take until httpd kills the child. */
static int ends_in_a_signal_handler(void)
{
    return !kc_child_is_threaded();
}

/* Before exit() takes from the threads what they use: APR's pools, OpenSSL's tables. */
static void end_with_all_threads(int status, void *data)
{
    _exit(status);
}

/* Where the sources' threads cannot be waited for, their memory is the process's and goes with
 * it. */
static apr_pool_t *pool_for_sources(apr_pool_t *pchild)
{
    apr_pool_t *own;

    if (!ends_in_a_signal_handler() || apr_pool_create_unmanaged(&own) != APR_SUCCESS) {
        return pchild;
    }
    on_exit(end_with_all_threads, NULL);
    return own;
}

/* As find_source(); only where somebody may look back, as it has connections of its own. */
static void start_past(kc_config_t *config, apr_pool_t *pool, server_rec *main_server,
                       server_rec *s)
{
    server_rec *earlier;

    for (earlier = main_server; earlier != s && !config->past; earlier = earlier->next) {
        if (kc_source_fits(kc_config_get(earlier), config) &&
            kc_config_get(earlier)->past_cache_mb == config->past_cache_mb) {
            config->past = kc_config_get(earlier)->past;
        }
    }
    if (config->source && config->has_past && !config->past) {
        kc_past_start(&config->past, config, pool, s);
    }
}

/* Sources come after fork: librdkafka's threads would not live in a child of their process. */
static void child_init(apr_pool_t *pchild, server_rec *main_server)
{
    apr_pool_t *pool = pool_for_sources(pchild);
    server_rec *s;

    kc_counters_join(pchild, main_server);
    for (s = main_server; s; s = s->next) {
        kc_config_t *config = kc_config_get(s);

        config->source = find_source(main_server, s);
        if (config->brokers && !config->source) {
            /* What is wrong was logged; requests get 503. */
            kc_source_start(&config->source, config, pool, s);
        }
        start_past(config, pool, main_server, s);
    }
    kc_pump_start(pchild, main_server); /* ends before the sources do */
}

static void child_stopping(apr_pool_t *pchild, int graceful)
{
    server_rec *s;

    for (s = ap_server_conf; s; s = s->next) {
        kc_source_t *source = kc_config_get(s)->source;
        kc_past_t *past = kc_config_get(s)->past;

        if (source && ends_in_a_signal_handler()) {
            kc_source_abandon(source);
        }
        else if (source) {
            kc_source_stopping(source);
        }
        if (past && ends_in_a_signal_handler()) {
            kc_past_abandon(past);
        }
        else if (past) {
            kc_past_stopping(past);
        }
    }
}

static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                         mpm_child_status state)
{
    if (state == MPM_CHILD_EXITED) {
        kc_counters_leave(pid);
        kc_clients_leave(pid);
    }
}

static void register_hooks(apr_pool_t *pool)
{
    kc_config_on_property(kc_kafka_check_property);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_LAST);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
    kc_lease_register_hooks(pool);
    kc_viewer_register_hooks(pool);
    kc_viewer_senders(kc_pump_send, kc_blocking_send, kc_pump_make_room);
    kc_pump_register_hooks(pool);
    kc_permission_register_hooks(pool);
    kc_origin_register_hooks(pool);
    kc_cam_register_hooks(pool);
    kc_cameras_register_hooks(pool);
    kc_status_register_hooks(pool);
}

/* The only symbol httpd sees (-fvisibility=hidden). */
module AP_MODULE_DECLARE_DATA kafkacam_module __attribute__((visibility("default"))) = {
    STANDARD20_MODULE_STUFF, kc_config_create_dir, kc_config_merge_dir, kc_config_create,
    kc_config_merge,         kc_config_commands,   register_hooks,      0
};
