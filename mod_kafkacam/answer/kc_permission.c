#include "kc_permission.h"
#include <http_log.h>
#include <http_request.h>
#include <apr_strings.h>
#include "kc_config.h"

/* In the notes of a request while its questions are asked. */
#define ASKING "kafkacam-asking"

/* past may be NULL. */
static int ask(request_rec *r, apr_uint32_t cam, apr_interval_time_t *past)
{
    char url[HUGE_STRING_LEN];
    request_rec *question;
    int allowed;

    apr_snprintf(url, sizeof(url), "%s/%u", kc_config_get(r->server)->path, cam);
    apr_table_setn(r->notes, ASKING, "1");
    question = ap_sub_req_method_uri("GET", url, r, NULL);
    apr_table_unset(r->notes, ASKING);
    allowed = question->status == HTTP_OK;
    if (past) {
        *past = allowed ? kc_config_past(question->per_dir_config) : 0;
    }
    ap_destroy_sub_req(question);
    return allowed;
}

int kc_permission_may_see(request_rec *r, apr_uint32_t cam)
{
    return ask(r, cam, NULL);
}

apr_interval_time_t kc_permission_past(request_rec *r, apr_uint32_t cam)
{
    apr_interval_time_t past;

    ask(r, cam, &past);
    return past;
}

int kc_permission_may_look_back(request_rec *r, apr_uint32_t cam)
{
    return kc_permission_past(r, cam) > 0;
}

/* A camera that is not shown is nothing to log an error for, and certainly not each time
 * somebody's page asks for its list. Whoever goes to the URL itself is logged as ever. It takes a
 * hook, because httpd sets the LogLevel of the question's Location just before. */
static int quieten(request_rec *r)
{
    static const struct ap_logconf quiet = { NULL, APLOG_CRIT };

    if (r->main && apr_table_get(r->main->notes, ASKING)) {
        r->log = &quiet;
    }
    return DECLINED;
}

void kc_permission_register_hooks(apr_pool_t *pool)
{
    ap_hook_check_access(quieten, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_URI);
}
