/* A thread that asks whether viewers may still see what they see. The answer may come from a
 * directory server somewhere, and while one viewer waits for it a pump must go on with the others.
 * So a viewer is away with the asker for that long, one at a time. */
#ifndef KC_ASKER_H
#define KC_ASKER_H

#include "kc_viewer.h"

typedef struct kc_asker_t kc_asker_t;

/* The viewer is back; may is 0 if nothing is left that it may see. In the asker's thread. */
typedef void kc_asker_back_fn(void *baton, kc_viewer_t *viewer, int may);

/* Start the thread; *asker lives in pool. It does not use the pool. */
apr_status_t kc_asker_start(kc_asker_t **asker, kc_asker_back_fn *back, void *baton,
                            apr_pool_t *pool);

/* Give viewer away until it is back: touch neither it nor its request nor its connection. 0:
 * another one is away, nothing was done. One thread. */
int kc_asker_ask(kc_asker_t *asker, kc_viewer_t *viewer);

/* Waits for an answer that is due, and for the thread. NULL is fine. */
void kc_asker_stop(kc_asker_t *asker);

#endif
