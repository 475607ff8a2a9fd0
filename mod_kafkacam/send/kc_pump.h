/* The sender for thousands of viewers: under an asynchronous MPM a viewer is a suspended request,
 * served by one of a few threads that never wait for any client.
 *
 * The handler returns SUSPENDED having written nothing, the worker's last hook hands the connection
 * to a pump, and from then on the pump alone touches it, to the end. docs/PUMP.md tells the whole
 * life of such a viewer, and what happens when one of these steps is left out. */
#ifndef KC_PUMP_H
#define KC_PUMP_H

#include "kc_viewer.h"

/* Start this child's pumps; in child_init. They stop when pchild goes, and end their viewers when
 * the child is told to stop. Where the MPM cannot suspend there are none, and that is fine. */
void kc_pump_start(apr_pool_t *pchild, server_rec *s);

/* A kc_viewer_sender_fn: SUSPENDED, or DECLINED for what cannot be suspended. */
int kc_pump_send(kc_viewer_t *viewer);

/* A kc_viewer_room_fn: of this child's viewers, the oldest that has not shown that it reads. */
int kc_pump_make_room(void);

void kc_pump_register_hooks(apr_pool_t *pool);

#endif
