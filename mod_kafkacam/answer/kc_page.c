#include "kc_page.h"
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>
#include "kc_origin.h"
#include "kc_web.h"

/* Scripts may set styles (the tiles' places), markup may not. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "        \
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "                 \
    "frame-ancestors "

const char *kc_page_version(void)
{
    return kc_web_version;
}

void kc_page_set_headers(request_rec *r)
{
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_pstrcat(r->pool, POLICY, kc_origin_ancestors(r), NULL));
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Referrer-Policy", "same-origin");
}

int kc_page_check_method(request_rec *r)
{
    if (r->method_number == M_GET) {
        return OK;
    }
    ap_allow_methods(r, REPLACE_ALLOW, "GET", "HEAD", "OPTIONS", NULL);
    if (r->method_number != M_OPTIONS) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    apr_table_setn(r->headers_out, "Allow", "GET, HEAD, OPTIONS");
    ap_set_content_length(r, 0);
    return DONE;
}

int kc_page_send_bytes(request_rec *r, const char *data, apr_size_t size)
{
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, list);
    int status = ap_meets_conditions(r);

    if (status == OK) {
        ap_set_content_length(r, (apr_off_t)size);
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_transient_create(data, size, list));
    }
    else {
        r->status = status; /* through the filters, not as an error: a cache wants to see a 304 */
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(list));
    ap_pass_brigade(r->output_filters, brigade); /* if it fails, the client is gone */
    return OK;
}

int kc_page_send_text(request_rec *r, int status, const char *text)
{
    kc_page_set_headers(r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_set_content_type(r, "text/plain; charset=utf-8");
    r->status = status;
    ap_rputs(text, r);
    ap_rputs("\n", r);
    return OK;
}

static const kc_web_file_t *find_file(const char *name)
{
    const kc_web_file_t *file;

    for (file = kc_web_files; file->name; file++) {
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

int kc_page_send_asset(request_rec *r, const char *rest)
{
    apr_size_t size = strlen(kc_web_version);
    const kc_web_file_t *file = NULL;

    if (strncmp(rest, kc_web_version, size) == 0 && rest[size] == '/') {
        file = find_file(rest + size + 1);
    }
    if (!file) {
        return kc_page_send_text(r, HTTP_NOT_FOUND, "There is no such file; load the page anew.");
    }
    kc_page_set_headers(r);
    apr_table_setn(r->headers_out, "Cache-Control", "public, max-age=31536000, immutable");
    apr_table_setn(r->headers_out, "ETag", apr_pstrcat(r->pool, "\"", kc_web_version, "\"", NULL));
    ap_set_content_type(r, file->type);
    return kc_page_send_bytes(r, file->data, file->size);
}

/* The way from the page to path, as HTML text. It starts from the path the browser sees: r->uri
 * has fewer slashes where the browser sent several in a row. */
static const char *link_to(request_rec *r, const char *path)
{
    apr_size_t ups = 0, i;
    const char *at;
    char *way;

    for (at = r->parsed_uri.path + 1; (at = strchr(at, '/')) != NULL; at++) {
        ups++;
    }
    if (ups == 0) {
        way = apr_pstrdup(r->pool, "./");
    }
    else {
        way = apr_palloc(r->pool, ups * 3 + 1);
        for (i = 0; i < ups; i++) {
            memcpy(way + i * 3, "../", 3);
        }
        way[ups * 3] = '\0';
    }
    way = apr_pstrcat(r->pool, way, ap_os_escape_path(r->pool, path + 1, 1), NULL);
    return ap_escape_html(r->pool, way);
}

static void put_data(request_rec *r, const kc_page_t *page)
{
    ap_rvputs(r, " data-title=\"", ap_escape_html(r->pool, page->title), "\" data-page=\"",
              kc_web_version, "\" data-base=\"", link_to(r, page->base), "\" data-list=\"",
              link_to(r, page->list), "\" data-stream=\"", link_to(r, page->stream), "\"", NULL);
    if (page->all) {
        ap_rvputs(r, " data-all=\"", link_to(r, page->all), "\"", NULL);
    }
    if (page->cams) {
        ap_rvputs(r, " data-cams=\"", link_to(r, page->cams), "\"", NULL);
    }
    if (page->single) {
        ap_rputs(" data-single", r);
    }
}

static void put_plain(request_rec *r, const kc_page_t *page)
{
    apr_size_t i;

    for (i = 0; page->cams && i < page->plain_count && i < KC_PAGE_PLAIN_MAX; i++) {
        const char *name = ap_escape_html(r->pool, page->plain[i].name);

        ap_rprintf(r,
                   "<figure><img src=\"%s%u\" alt=\"%s\">"
                   "<figcaption dir=\"auto\">%s</figcaption></figure>",
                   link_to(r, page->cams), page->plain[i].cam, name, name);
    }
}

/* What stands between two @ in index.html. */
static void put_mark(request_rec *r, const kc_page_t *page, const char *mark, apr_size_t size)
{
    if (strncmp(mark, "DATA", size) == 0) {
        put_data(r, page);
    }
    else if (strncmp(mark, "TITLE", size) == 0) {
        ap_rputs(ap_escape_html(r->pool, page->title), r);
    }
    else if (strncmp(mark, "ASSETS", size) == 0) {
        ap_rvputs(r, link_to(r, page->base), "-/", kc_web_version, "/", NULL);
    }
    else if (strncmp(mark, "NOSCRIPT", size) == 0) {
        put_plain(r, page);
    }
}

int kc_page_send(request_rec *r, const kc_page_t *page)
{
    const kc_web_file_t *html = find_file("index.html");
    const char *at = html->data, *end = at + html->size;

    kc_page_set_headers(r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_set_content_type(r, html->type);
    while (at < end) {
        const char *mark = memchr(at, '@', (apr_size_t)(end - at));
        const char *after = mark ? memchr(mark + 1, '@', (apr_size_t)(end - mark - 1)) : NULL;

        ap_rwrite(at, (int)((after ? mark : end) - at), r);
        if (!after) {
            break;
        }
        put_mark(r, page, mark + 1, (apr_size_t)(after - mark - 1));
        at = after + 1;
    }
    return OK;
}

int kc_page_send_single(request_rec *r, const char *base, apr_uint32_t cam, const char *name)
{
    kc_page_camera_t plain = { cam, name };
    kc_page_t page = { 0 };

    page.title = name;
    page.single = 1;
    page.base = page.cams = apr_pstrcat(r->pool, base, "/", NULL);
    page.list = apr_psprintf(r->pool, "%s/%u.json", base, cam);
    page.stream = apr_psprintf(r->pool, "%s/%u/stream", base, cam);
    page.plain = &plain;
    page.plain_count = 1;
    return kc_page_send(r, &page);
}
