#include "kc_line.h"

#include <strings.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include "kc_bucket.h"

/* The core filter waits when it is left with more than FlushMaxThreshold bytes (64 KiB), whatever
 * it is asked. TLS adds a little to a slice. */
#define SLICE_MAX    61440
#define SLICE_MIN    4096
#define TLS_OVERHEAD 2048

/* Straight through the socket nothing waits, but copying takes its time and others have a turn. */
#define DIRECT_MAX 262144

static APR_OPTIONAL_FN_TYPE(ap_logio_add_bytes_out) * logio_add_bytes_out;

/* Filters of a request that pass everything on, or step aside when they see the response's type or
 * no-gzip. mod_filter's harness is called bytype:NAME and steps aside if NAME is not meant. */
static int is_harmless(const ap_filter_t *filter)
{
    static const char *const names[] = {
        "byterange",   "content_length", "http_header",       "http_outerror",   "old_write",
        "mod_expires", "deflate",        "fixup_headers_out", "brotli_compress", NULL
    };
    const char *name = filter->frec->name;
    int i;

    for (i = 0; names[i]; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return 1;
        }
    }
    return strncasecmp(name, "bytype:", 7) == 0;
}

int kc_line_suits(const request_rec *r)
{
    const ap_filter_t *filter;

    for (filter = r->output_filters; filter && filter != r->connection->output_filters;
         filter = filter->next) {
        if (!is_harmless(filter)) {
            ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                          "filter %s may wait: this viewer gets a thread of its own",
                          filter->frec->name);
            return 0;
        }
    }
    return 1;
}

static void set_slice_max(kc_line_t *line)
{
    const core_server_config *core = ap_get_core_module_config(line->c->base_server->module_config);

    line->slice_max = SLICE_MAX;
    if (core->flush_max_threshold < SLICE_MAX + TLS_OVERHEAD) {
        line->slice_max = core->flush_max_threshold > SLICE_MIN + TLS_OVERHEAD
                              ? core->flush_max_threshold - TLS_OVERHEAD
                              : SLICE_MIN;
    }
}

void kc_line_open(kc_line_t *line, kc_viewer_t *viewer)
{
    conn_rec *c = viewer->r->connection;

    line->viewer = viewer;
    line->c = c;
    line->socket = ap_get_conn_socket(c);
    line->brigade = apr_brigade_create(c->pool, c->bucket_alloc);
    for (line->core = c->output_filters; line->core->next; line->core = line->core->next) {
    }
    set_slice_max(line);
    apr_socket_timeout_set(line->socket, 0);
    kc_viewer_prepare_socket(viewer, line->socket);
}

/* The first of the connection's filters that does something to what passes it. */
static const ap_filter_t *first_real_filter(const conn_rec *c)
{
    const ap_filter_t *filter = c->output_filters;

    while (strcmp(filter->frec->name, "reqtimeout") == 0) { /* waits for the request's end */
        filter = filter->next;
    }
    return filter;
}

/* When the response's headers are out. */
static void settle(kc_line_t *line)
{
    const ap_filter_t *filter;

    line->settled = 1;
    for (filter = line->viewer->r->output_filters; filter != line->c->output_filters;
         filter = filter->next) {
        if (!is_harmless(filter)) {
            return;
        }
    }
    line->direct = first_real_filter(line->c)->frec == ap_core_output_filter_handle;
}

/* The next slice of the part: as few as slice_max allows, all of about the same size. */
static apr_size_t slice_size(const kc_line_t *line)
{
    apr_size_t left = kc_mjpeg_left(&line->viewer->part);
    apr_size_t slices = (left + line->slice_max - 1) / line->slice_max;

    return slices ? (left + slices - 1) / slices : 0;
}

static apr_status_t pass_slice(kc_line_t *line, apr_time_t now)
{
    kc_viewer_t *viewer = line->viewer;
    apr_size_t size = slice_size(line);
    struct iovec pieces[3];
    int count = kc_mjpeg_vec(&viewer->part, pieces, size), i;
    apr_status_t rv;

    for (i = 0; i < count; i++) {
        APR_BRIGADE_INSERT_TAIL(
            line->brigade, kc_bucket_piece(viewer->part.frame, &pieces[i], line->c->bucket_alloc));
    }
    APR_BRIGADE_INSERT_TAIL(line->brigade, kc_bucket_nudge(line->c->bucket_alloc));
    line->opened = 1;
    rv = ap_pass_brigade(viewer->r->output_filters, line->brigade);
    apr_brigade_cleanup(line->brigade);
    if (rv == APR_SUCCESS) {
        kc_viewer_sent(viewer, size, now);
    }
    return line->c->aborted ? APR_ECONNABORTED : rv;
}

/* The core filter keeps less than 4 KiB back without trying to send it. Nobody would ever wake us
 * for that: the poll set reports when a full line has room again, and this one was never full. So
 * the filters are called once more, with nothing new. */
static apr_status_t flush(kc_line_t *line)
{
    apr_status_t rv = line->core->frec->filter_func.out_func(line->core, NULL);

    if (rv == APR_SUCCESS && line->c->aborted) {
        rv = APR_ECONNABORTED;
    }
    if (rv == APR_SUCCESS && line->c->data_in_output_filters) {
        rv = APR_EAGAIN;
    }
    return rv;
}

static apr_status_t push_through_filters(kc_line_t *line, apr_time_t now)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS) {
        if (line->c->data_in_output_filters) {
            rv = flush(line);
            if (rv == APR_SUCCESS) {
                line->viewer->moved = now;
            }
        }
        else if (!line->opened || kc_mjpeg_left(&line->viewer->part) > 0) {
            rv = pass_slice(line, now);
        }
        else {
            break;
        }
    }
    return rv;
}

static apr_status_t push_directly(kc_line_t *line, apr_time_t now)
{
    kc_viewer_t *viewer = line->viewer;
    apr_size_t left;

    while ((left = kc_mjpeg_left(&viewer->part)) > 0) {
        apr_size_t wanted = left < DIRECT_MAX ? left : DIRECT_MAX;
        struct iovec pieces[3];
        int count = kc_mjpeg_vec(&viewer->part, pieces, wanted);
        apr_size_t sent = 0;
        apr_status_t rv = apr_socket_sendv(line->socket, pieces, count, &sent);

        if (sent > 0) {
            viewer->r->bytes_sent += sent;
            if (logio_add_bytes_out) {
                logio_add_bytes_out(line->c, sent);
            }
            kc_viewer_sent(viewer, sent, now);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (sent < wanted) {
            return APR_EAGAIN; /* the kernel tells when there is room again */
        }
    }
    return APR_SUCCESS;
}

apr_status_t kc_line_push(kc_line_t *line, apr_time_t now)
{
    apr_status_t rv;

    if (line->direct) {
        return push_directly(line, now);
    }
    rv = push_through_filters(line, now);
    if (rv == APR_SUCCESS && !line->settled) {
        settle(line);
    }
    return rv;
}

/* A client that reads nothing would keep what is queued for it in the kernel for minutes after the
 * close, and never learn of it. */
static void forget_queue(apr_socket_t *socket)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    apr_os_sock_t fd;

    if (apr_os_sock_get(&fd, socket) == APR_SUCCESS) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
}

void kc_line_close(kc_line_t *line, int aborted)
{
    conn_rec *c = line->c;

    /* What the kernel does not take now cannot be waited for. What it has taken still reaches the
     * client, and after it the stream's end, unless the client is to be cut. */
    if (aborted) {
        forget_queue(line->socket);
    }
    else if (c->data_in_output_filters) {
        aborted = flush(line) != APR_SUCCESS;
    }
    c->aborted = aborted;
    c->keepalive = AP_CONN_CLOSE;
    ap_process_request_after_handler(line->viewer->r);
    if (!c->aborted && ap_prep_lingering_close(c) == 0) {
        ap_shutdown_conn(c, 0);
        line->core->frec->filter_func.out_func(line->core, NULL);
    }
    /* It says now that the MPM writes or closes, but the MPM counts this connection as
     * suspended. */
    c->cs->state = CONN_STATE_SUSPENDED;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    logio_add_bytes_out = APR_RETRIEVE_OPTIONAL_FN(ap_logio_add_bytes_out);
    return OK;
}

void kc_line_register_hooks(apr_pool_t *pool)
{
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
}
