/* One thread waits, others ring. What was rung while nobody waited is not lost: the next wait
 * returns at once.
 *
 * It has no end and belongs to no pool: prefork ends its children in a signal handler, which may
 * interrupt the very wait, and APR's cleanup of a condition variable would then wait for it for
 * ever. It stands in the waiting function's own memory and goes with it. */
#ifndef KC_DOORBELL_H
#define KC_DOORBELL_H

#include <pthread.h>
#include <apr_time.h>

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int rung; /* guarded by lock */
} kc_doorbell_t;

void kc_doorbell_init(kc_doorbell_t *bell);

/* Any thread; does not wait. */
void kc_doorbell_ring(kc_doorbell_t *bell);

/* Until it rings, but no longer than time. 1: it rang since the last time, 0: it did not. */
int kc_doorbell_wait(kc_doorbell_t *bell, apr_interval_time_t time);

#endif
