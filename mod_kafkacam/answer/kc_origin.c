#include "kc_origin.h"

#include <string.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include "kc_config.h"

/* What a script of such a site may set and see besides what every script may. */
#define REQUEST_HEADERS "Authorization, If-None-Match, If-Modified-Since, Cache-Control"
#define ANSWER_HEADERS                                                                             \
    "ETag, X-Timestamp, X-Offset, X-Seq, X-Server-Time, X-KafkaCam-State, X-KafkaCam-Past, "       \
    "X-KafkaCam-Left-Out, Content-Location, Link, Retry-After"

/* How long a browser need not ask again. */
#define REMEMBER "600"

/* The handler is not known yet: SetHandler is read after access was checked. */
static int is_ours(request_rec *r)
{
    const core_dir_config *location = ap_get_core_module_config(r->per_dir_config);
    const char *handler = location->handler, *error = NULL;

    if (location->expr_handler) {
        handler = ap_expr_str_exec(r, location->expr_handler, &error);
    }
    return !error && handler && !strncmp(handler, "kafkacam-", 9);
}

/* Of the named ones, as it stands in the request: an origin is compared byte by byte (RFC 6454, 6.2
 * writes it in one way only). */
static const char *allowed_origin(const request_rec *r)
{
    const kc_config_t *config = kc_config_get(r->server);
    const char *origin = apr_table_get(r->headers_in, "Origin");
    int i;

    for (i = 0; origin && config->origins && i < config->origins->nelts; i++) {
        if (!strcmp(origin, APR_ARRAY_IDX(config->origins, i, const char *))) {
            return origin;
        }
    }
    return NULL;
}

static int is_preflight(const request_rec *r)
{
    return r->method_number == M_OPTIONS &&
           apr_table_get(r->headers_in, "Access-Control-Request-Method");
}

static void set_headers(request_rec *r, const char *origin)
{
    apr_table_t *headers = r->err_headers_out; /* of errors too: a script should see a 401 */

    apr_table_setn(headers, "Access-Control-Allow-Origin", origin);
    apr_table_setn(headers, "Access-Control-Allow-Credentials", "true");
    apr_table_setn(headers, "Access-Control-Expose-Headers", ANSWER_HEADERS);
}

static int answer_preflight(request_rec *r)
{
    apr_table_t *headers = r->err_headers_out;

    apr_table_setn(headers, "Access-Control-Allow-Methods", "GET, HEAD");
    apr_table_setn(headers, "Access-Control-Allow-Headers", REQUEST_HEADERS);
    apr_table_setn(headers, "Access-Control-Max-Age", REMEMBER);
    r->status = HTTP_NO_CONTENT;
    return DONE;
}

/* Before anybody is asked who he is. */
static int check_origin(request_rec *r)
{
    const kc_config_t *config = kc_config_get(r->server);
    const char *origin;

    if (r->main || !config->origins || !is_ours(r)) {
        return DECLINED;
    }
    apr_table_mergen(r->err_headers_out, "Vary", "Origin");
    origin = allowed_origin(r);
    if (!origin) {
        return DECLINED;
    }
    set_headers(r, origin);
    return is_preflight(r) ? answer_preflight(r) : DECLINED;
}

const char *kc_origin_ancestors(const request_rec *r)
{
    const kc_config_t *config = kc_config_get(r->server);

    return config->frame_ancestors ? config->frame_ancestors : "'self'";
}

void kc_origin_register_hooks(apr_pool_t *pool)
{
    ap_hook_check_access_ex(check_origin, NULL, NULL, APR_HOOK_REALLY_FIRST,
                            AP_AUTH_INTERNAL_PER_URI);
}
