/* Database connections of mod_dbd, given back early. mod_dbd binds one to the request that used it
 * (AuthBasicProvider dbd, Require dbd-group, ...) until that ends, and a stream's does not: with
 * the DBDMax-th viewer of a child every page that needs the database would hang.
 *
 * So modules that ask mod_dbd for a request's connection get it from here. For requests that our
 * handlers answer it is a lease, which ends when we say so; for all others nothing changes. */
#ifndef KC_LEASE_H
#define KC_LEASE_H

#include <httpd.h>

/* Whoever used a connection on r's behalf has done so: give it back. The next use gets one anew. In
 * the thread that has r. */
void kc_lease_end(request_rec *r);

void kc_lease_register_hooks(apr_pool_t *pool);

#endif
