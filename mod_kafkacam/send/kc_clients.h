/* How many streams each client address has open, in all children: KafkaCamMaxViewersPerClient.
 *
 * Shared memory with an entry for each stream, which holds a hash of the address and the child. It
 * is searched, not indexed: that happens once for each stream and takes microseconds. */
#ifndef KC_CLIENTS_H
#define KC_CLIENTS_H

#include <httpd.h>

/* Make the memory, if any server has the limit; in post_config, in the parent. */
apr_status_t kc_clients_create(server_rec *s);

/* One more stream of the client that r is from (behind a proxy: what mod_remoteip found; of IPv6
 * the /64 network, which is one client's as a rule), until r's pool goes. 0: it has max already.
 * Any thread. */
int kc_clients_enter(request_rec *r, int max);

/* A child is gone, however it ended; in the parent. */
void kc_clients_leave(pid_t pid);

#endif
