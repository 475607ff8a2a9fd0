/* Who wants to be woken when: a heap of times, for the one thread that sleeps. Knows neither httpd
 * nor Kafka; one thread, the first that calls. */
#ifndef KC_TIMERS_H
#define KC_TIMERS_H

#include <apr.h>
#include <apr_time.h>
#include "kc_thread.h"

/* Microseconds on a clock that nobody sets: for what is waited for, not for what is shown. */
apr_time_t kc_timers_now(void);

/* Part of what is woken; all 0 before its first use, and taken back before its memory goes. */
typedef struct {
    apr_time_t due;
    apr_size_t place; /* in the heap, counted from 1; 0: not set */
    void *owner;      /* the user's */
} kc_timer_t;

/* All 0 before its first use. */
typedef struct {
    kc_timer_t **heap;
    apr_size_t count;
    apr_size_t size;
    kc_thread_t thread;
} kc_timers_t;

/* Wake timer at due, instead of what was set before. Its memory stays where it is till it is due or
 * taken back. */
void kc_timers_set(kc_timers_t *timers, kc_timer_t *timer, apr_time_t due);

/* Take it back; one that is not set is fine. */
void kc_timers_unset(kc_timers_t *timers, kc_timer_t *timer);

/* The earliest, NULL if there is none. */
const kc_timer_t *kc_timers_first(const kc_timers_t *timers);

/* The earliest that is due by now, not set any more; NULL: none is. */
kc_timer_t *kc_timers_due(kc_timers_t *timers, apr_time_t now);

/* Give the heap's own memory back. */
void kc_timers_close(kc_timers_t *timers);

#endif
