/* The producer's clocks. What is compared within a program is monotonic ("mono"); what others read,
 * in a record or a state, is wall time, since 1970. Any thread; nothing waits. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

uint64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_coarse_us(void); /* as clock_mono_us(), up to 4 ms behind, for a tenth of its price */
uint64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* A moment from now by the given clock, for pthread_cond_timedwait() and its like. */
struct timespec clock_after(clockid_t clock, uint32_t ms);

/* How long to leave alone what failed so many times in a row, 1 or more: 1, 2, 5, 10, 30 s. */
uint32_t clock_backoff_ms(unsigned failures);

#endif
