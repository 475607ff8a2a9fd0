/* SetHandler kafkacam-status and kafkacam-metrics: what operators and their monitoring see. Counts
 * are of the whole server, whichever child answers; the cameras are those of the server (vhost)
 * that was asked. Shows no password and no librdkafka property. */
#ifndef KC_STATUS_H
#define KC_STATUS_H

#include <apr_pools.h>

void kc_status_register_hooks(apr_pool_t *pool);

#endif
