#include "notify.h"

#include <config.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_status(const char *text)
{
    sd_notifyf(0, "STATUS=%s", text);
}

uint32_t notify_alive_interval_ms(void)
{
    uint64_t limit_us = 0;

    /* Half of what systemd waits for, as sd_watchdog_enabled(3) advises. */
    return sd_watchdog_enabled(0, &limit_us) > 0 ? (uint32_t)(limit_us / 2000) : 0;
}

void notify_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

#else

void notify_ready(void)
{
}

void notify_stopping(void)
{
}

void notify_status(const char *text)
{
}

uint32_t notify_alive_interval_ms(void)
{
    return 0;
}

void notify_alive(void)
{
}

#endif
