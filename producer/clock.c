#include "clock.h"

static int64_t now_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
    return (uint64_t)now_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_coarse_us(void)
{
    return now_us(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_wall_ms(void)
{
    return (uint64_t)now_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

struct timespec clock_after(clockid_t clock, uint32_t ms)
{
    struct timespec until;

    clock_gettime(clock, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

uint32_t clock_backoff_ms(unsigned failures)
{
    static const uint32_t steps[] = { 1000, 2000, 5000, 10000, 30000 };
    const unsigned last = sizeof(steps) / sizeof(*steps) - 1;

    return steps[failures == 0 ? 0 : failures > last ? last : failures - 1];
}
