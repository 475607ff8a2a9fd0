/* Streams over HTTP/2: the client is asked to come again over HTTP/1.1.
 *
 * A stream over HTTP/2 holds a worker thread for as long as it plays, and a connection has few of
 * those, so a handful of viewers would starve everything else the connection is used for. HTTP/2
 * has an answer for a URL that wants HTTP/1.1, the reset HTTP_1_1_REQUIRED; browsers and curl
 * follow it by themselves. Who asks for the same URL again on the same connection insists, and gets
 * the blocking sender with its limit. */
#ifndef KC_HTTP1_H
#define KC_HTTP1_H

#include <httpd.h>

/* Is r to be answered with HTTP_1_1_REQUIRED? If so it is marked, and the handler returns
 * HTTP_FORBIDDEN, which mod_http2 turns into that reset. */
int kc_http1_wanted(request_rec *r);

/* Was it? Such a request is no line in the access log. */
int kc_http1_was_wanted(const request_rec *r);

void kc_http1_register_hooks(apr_pool_t *pool);

#endif
