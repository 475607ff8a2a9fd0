/* What systemd is told: that we are ready, how things stand, that we are alive. Without systemd, or
 * built without libsystemd, nothing happens. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_stopping(void);
void notify_status(const char *text);

/* How often notify_alive() is asked for, 0: never. */
uint32_t notify_alive_interval_ms(void);
void notify_alive(void);

#endif
