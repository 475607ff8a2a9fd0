#include "kc_doorbell.h"

#include <time.h>

void kc_doorbell_init(kc_doorbell_t *bell)
{
    pthread_condattr_t attributes;

    bell->rung = 0;
    pthread_mutex_init(&bell->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

void kc_doorbell_ring(kc_doorbell_t *bell)
{
    pthread_mutex_lock(&bell->lock);
    bell->rung = 1;
    pthread_cond_signal(&bell->cond);
    pthread_mutex_unlock(&bell->lock);
}

int kc_doorbell_wait(kc_doorbell_t *bell, apr_interval_time_t time)
{
    struct timespec until;
    int rung;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)apr_time_sec(time);
    until.tv_nsec += (long)apr_time_usec(time) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&bell->lock);
    while (!bell->rung && !pthread_cond_timedwait(&bell->cond, &bell->lock, &until)) {
    }
    rung = bell->rung;
    bell->rung = 0;
    pthread_mutex_unlock(&bell->lock);
    return rung;
}
