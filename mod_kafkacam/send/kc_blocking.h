/* The sender that holds a worker thread for as long as its viewer looks: for prefork, worker,
 * HTTP/2, and whatever else a pump cannot take over. Bounded by KafkaCamMaxBlockingViewers, so that
 * the rest of the site always finds a thread. */
#ifndef KC_BLOCKING_H
#define KC_BLOCKING_H

#include "kc_viewer.h"

/* Send viewer to its end. Waits; returns when the client is gone or stalled, nothing is left to
 * see, or the child is told to stop. A kc_viewer_sender_fn. */
int kc_blocking_send(kc_viewer_t *viewer);

/* For others who hold a worker thread for long: one more of them. OK, or the refusal to return;
 * either way kc_blocking_leave() is due. */
int kc_blocking_enter(request_rec *r);
void kc_blocking_leave(void);

#endif
