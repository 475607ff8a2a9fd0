/* One thread waits, others ring. What was rung while nobody waited is not lost: the next wait
 * returns at once.
 *
 * It is a variable of the function that waits and needs no cleanup. APR's condition variables do:
 * prefork ends its children in a signal handler, which may interrupt the wait itself, and the
 * cleanup would then wait for that wait's end, for ever. */
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
