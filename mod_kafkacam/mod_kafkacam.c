/* mod_kafkacam: live pictures from Kafka to any number of browsers. This file wires the parts
 * together and knows what each of them needs of httpd; docs/HTTP.md is the manual. */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <ap_mpm.h>
#include "kc_config.h"
#include "kc_counters.h"
#include "kc_viewer.h"
#include "kc_blocking.h"
#include "kc_pump.h"

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    kc_config_finish(s);
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* httpd reads the configuration twice at its start: this time only to look */
    }
    return kc_counters_create(s) == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    kc_counters_join(pchild, s);
    kc_pump_start(pchild, s);
}

static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                         mpm_child_status state)
{
    if (state == MPM_CHILD_EXITED) {
        kc_counters_leave(pid);
    }
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
    kc_viewer_register_hooks(pool);
    kc_viewer_senders(kc_pump_send, kc_blocking_send);
    kc_pump_register_hooks(pool);
}

/* The only symbol httpd sees (-fvisibility=hidden). */
module AP_MODULE_DECLARE_DATA kafkacam_module __attribute__((visibility("default"))) = {
    STANDARD20_MODULE_STUFF,
    NULL,
    NULL,
    kc_config_create,
    kc_config_merge,
    kc_config_commands,
    register_hooks,
    0
};
