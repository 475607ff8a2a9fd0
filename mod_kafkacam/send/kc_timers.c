#include "kc_timers.h"

#include <stdlib.h>
#include <time.h>

apr_time_t kc_timers_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_time_t)now.tv_sec * APR_USEC_PER_SEC + now.tv_nsec / 1000;
}

static void put(kc_timers_t *timers, apr_size_t place, kc_timer_t *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

static kc_timer_t *at(const kc_timers_t *timers, apr_size_t place)
{
    return timers->heap[place - 1];
}

static void rise(kc_timers_t *timers, kc_timer_t *timer, apr_size_t place)
{
    while (place > 1 && timer->due < at(timers, place / 2)->due) {
        put(timers, place, at(timers, place / 2));
        place /= 2;
    }
    put(timers, place, timer);
}

static void sink(kc_timers_t *timers, kc_timer_t *timer, apr_size_t place)
{
    for (;;) {
        apr_size_t child = place * 2;

        if (child < timers->count && at(timers, child + 1)->due < at(timers, child)->due) {
            child++;
        }
        if (child > timers->count || at(timers, child)->due >= timer->due) {
            break;
        }
        put(timers, place, at(timers, child));
        place = child;
    }
    put(timers, place, timer);
}

static void move(kc_timers_t *timers, kc_timer_t *timer, apr_size_t place)
{
    rise(timers, timer, place);
    sink(timers, timer, timer->place);
}

void kc_timers_set(kc_timers_t *timers, kc_timer_t *timer, apr_time_t due)
{
    kc_thread_own(&timers->thread);
    timer->due = due;
    if (timer->place) {
        move(timers, timer, timer->place);
        return;
    }
    if (timers->count == timers->size) {
        timers->size = timers->size ? timers->size * 2 : 64;
        timers->heap = realloc(timers->heap, timers->size * sizeof(*timers->heap));
        if (!timers->heap) {
            abort();
        }
    }
    rise(timers, timer, ++timers->count);
}

void kc_timers_unset(kc_timers_t *timers, kc_timer_t *timer)
{
    apr_size_t place = timer->place;
    kc_timer_t *last;

    kc_thread_own(&timers->thread);
    if (!place) {
        return;
    }
    last = at(timers, timers->count--);
    timer->place = 0;
    if (last != timer) {
        move(timers, last, place);
    }
}

const kc_timer_t *kc_timers_first(const kc_timers_t *timers)
{
    return timers->count ? timers->heap[0] : NULL;
}

kc_timer_t *kc_timers_due(kc_timers_t *timers, apr_time_t now)
{
    kc_timer_t *timer;

    kc_thread_own(&timers->thread);
    if (!timers->count || timers->heap[0]->due > now) {
        return NULL;
    }
    timer = timers->heap[0];
    kc_timers_unset(timers, timer);
    return timer;
}

void kc_timers_close(kc_timers_t *timers)
{
    free(timers->heap);
    timers->heap = NULL;
    timers->count = timers->size = 0;
}
