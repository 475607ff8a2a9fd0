/* The line to one client, written to without ever waiting, by a thread that is not httpd's worker.
 *
 * Bytes go through httpd's output filters, which is what TLS needs; a plain connection with
 * nothing but httpd's own core filter gets its frames straight through the socket, which costs a
 * fifth less. Either way the bytes are counted where the access log looks.
 *
 * The thread that owns the connection alone. */
#ifndef KC_LINE_H
#define KC_LINE_H

#include <util_filter.h>
#include "kc_viewer.h"

typedef struct {
    kc_viewer_t *viewer;
    conn_rec *c;
    apr_socket_t *socket;
    apr_bucket_brigade *brigade;
    ap_filter_t *core;    /* the last of the connection's output filters */
    apr_size_t slice_max; /* more than this in one brigade, and the core filter may wait */
    unsigned opened : 1;  /* the response's headers went into the filters */
    unsigned direct : 1;  /* straight through the socket */
    unsigned settled : 1; /* which of both was decided */
} kc_line_t;

/* Can a response be sent in this way at all? Not if a filter of the request may wait or collect:
 * mod_ratelimit sleeps. */
int kc_line_suits(const request_rec *r);

/* Take over viewer's connection: the socket waits for nothing from now on, and little is queued
 * in it, because what is queued there gets old. */
void kc_line_open(kc_line_t *line, kc_viewer_t *viewer);

/* Push out what is left of the response's headers and the viewer's part. APR_SUCCESS: all of it is
 * out. APR_EAGAIN: the line is full, try again when it is writable. Else the client is gone. */
apr_status_t kc_line_push(kc_line_t *line, apr_time_t now);

/* End the request, with its line in the access log, and after it TLS, as far as that goes without
 * waiting: what the kernel has taken still reaches the client. aborted: the client is gone, or cut.
 * The request and its pool are gone afterwards; the connection is as the MPM left it. */
void kc_line_close(kc_line_t *line, int aborted);

/* mod_logio counts what goes past it; to be asked for when all modules are loaded. */
void kc_line_register_hooks(apr_pool_t *pool);

#endif
