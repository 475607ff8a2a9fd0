#include "kc_permission.h"
#include <http_config.h>
#include <http_log.h>
#include <http_request.h>
#include <apr_strings.h>
#include "kc_child.h"
#include "kc_config.h"
#include "kc_lease.h"

/* In the notes of a request while its questions are asked. */
#define ASKING "kafkacam-asking"

int kc_permission_is_question(const request_rec *r)
{
    return r->main && apr_table_get(r->main->notes, ASKING);
}

/* Not in r's pool: that of a stream lives for days, and is asked about each minute. */
static void write_url(char *url, apr_size_t size, request_rec *r, apr_uint32_t cam)
{
    const char *tail = kc_config_tail(r, KC_HANDLER_CAM, NULL);

    if (tail) {
        apr_snprintf(url, size, "%.*s/%u", (int)(tail - r->uri), r->uri, cam);
    }
    else {
        apr_snprintf(url, size, "%s/%u", kc_config_get(r->server)->path, cam);
    }
}

/* Is the URL a camera at all? What nobody serves, or somebody else does, is guarded by nobody. */
static int reached_us(request_rec *question, apr_uint32_t cam)
{
    const char *tail;

    if (!question->handler || strcmp(question->handler, KC_HANDLER_CAM)) {
        return 0;
    }
    tail = kc_config_tail(question, KC_HANDLER_CAM, NULL);
    return tail && !strcmp(tail, apr_psprintf(question->pool, "/%u", cam));
}

static int judge(request_rec *r, request_rec *question, apr_uint32_t cam)
{
    static apr_uint32_t told;

    if (question->status == HTTP_UNAUTHORIZED) {
        return HTTP_UNAUTHORIZED;
    }
    if (question->status >= HTTP_INTERNAL_SERVER_ERROR) {
        return question->status;
    }
    if (question->status != HTTP_OK) {
        return HTTP_FORBIDDEN;
    }
    if (!reached_us(question, cam)) {
        if (kc_child_time_to_tell(&told)) {
            ap_log_rerror(
                APLOG_MARK, APLOG_WARNING, 0, r,
                KC_ID(2032) "%s is no camera of this module, so nobody may see camera %u: "
                            "KafkaCamPath is the path of the <Location> that has "
                            "SetHandler kafkacam-cam, and nothing else may take its URLs",
                question->uri, cam);
        }
        return HTTP_FORBIDDEN;
    }
    return HTTP_OK;
}

/* challenge and past may be NULL. */
static int ask(request_rec *r, apr_uint32_t cam, const char **challenge, apr_interval_time_t *past)
{
    char url[HUGE_STRING_LEN];
    request_rec *question;
    int status;

    write_url(url, sizeof(url), r, cam);
    apr_table_setn(r->notes, ASKING, "1");
    question = ap_sub_req_method_uri("GET", url, r, NULL);
    apr_table_unset(r->notes, ASKING);
    status = judge(r, question, cam);
    if (status == HTTP_UNAUTHORIZED && challenge) {
        *challenge =
            apr_pstrdup(r->pool, apr_table_get(question->err_headers_out, "WWW-Authenticate"));
    }
    if (past) {
        *past = status == HTTP_OK ? kc_config_past(question->per_dir_config) : 0;
    }
    ap_destroy_sub_req(question);
    kc_lease_end(r);
    return status;
}

/* httpd skips access control for a subrequest whose configuration is the very one of its request,
 * as the one of the same URL is. A copy of it, with the same contents, is another one. */
static void be_asked_anew(request_rec *r)
{
    r->per_dir_config =
        ap_merge_per_dir_configs(r->pool, ap_create_request_config(r->pool), r->per_dir_config);
}

/* SetEnvIf Request_URI is looked at for a client's request alone, first the server's and then the
 * section's; a "Require env" may wait for it. */
static void set_environment(request_rec *r)
{
    if (ap_find_linked_module("mod_setenvif.c")) {
        ap_run_header_parser(r);
        ap_run_header_parser(r);
    }
}

static int prepare_question(request_rec *r)
{
    if (kc_permission_is_question(r)) {
        be_asked_anew(r);
        set_environment(r);
    }
    return DECLINED;
}

int kc_permission_ask(request_rec *r, apr_uint32_t cam, const char **challenge)
{
    return ask(r, cam, challenge, NULL);
}

int kc_permission_may_see(request_rec *r, apr_uint32_t cam)
{
    return ask(r, cam, NULL, NULL) == HTTP_OK;
}

int kc_permission_look(request_rec *r, apr_uint32_t cam, apr_interval_time_t *past)
{
    return ask(r, cam, NULL, past) == HTTP_OK;
}

apr_interval_time_t kc_permission_past(request_rec *r, apr_uint32_t cam)
{
    apr_interval_time_t past;

    ask(r, cam, NULL, &past);
    return past;
}

int kc_permission_may_look_back(request_rec *r, apr_uint32_t cam)
{
    return kc_permission_past(r, cam) > 0;
}

/* A camera that is not shown is nothing to log an error for, and certainly not each time
 * somebody's page asks for its list. It takes a hook, because httpd sets the LogLevel of the
 * question's Location just before. */
static int quieten(request_rec *r)
{
    static const struct ap_logconf quiet = { NULL, APLOG_CRIT };

    if (kc_permission_is_question(r)) {
        r->log = &quiet;
    }
    return DECLINED;
}

void kc_permission_register_hooks(apr_pool_t *pool)
{
    ap_hook_post_perdir_config(prepare_question, NULL, NULL, APR_HOOK_LAST);
    ap_hook_check_access(quieten, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_URI);
}
