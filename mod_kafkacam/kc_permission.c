#include "kc_permission.h"
#include <http_log.h>
#include <http_request.h>
#include <apr_strings.h>
#include "kc_config.h"

int kc_permission_may_see(request_rec *r, apr_uint32_t cam)
{
    /* A camera that is not shown is nothing to log an error for, and certainly not each time
     * somebody's page asks for its list. Whoever goes to the URL itself is logged as ever. */
    static const struct ap_logconf quiet = {NULL, APLOG_CRIT};
    const struct ap_logconf *log = r->log;
    char url[HUGE_STRING_LEN];
    request_rec *question;
    int allowed;

    apr_snprintf(url, sizeof(url), "%s/%u", kc_config_get(r->server)->path, cam);
    r->log = &quiet;
    question = ap_sub_req_method_uri("GET", url, r, NULL);
    r->log = log;
    allowed = question->status == HTTP_OK;
    ap_destroy_sub_req(question);
    return allowed;
}
