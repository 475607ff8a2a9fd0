/* A moment as a URL says it: "2026-11-28T14:03:21.4+01:00" (RFC 3339), "1700000000123.456"
 * (milliseconds since 1970), "-90s" or "-5min" (before now). Pure: no I/O, no allocation, any
 * thread. */
#ifndef KC_TIME_H
#define KC_TIME_H

#include <apr_time.h>

/* 0 and *time, or -1 for everything else: no zone, no such day, a number that has no place in
 * microseconds, "-0". Moments before 1970 are negative, leap seconds the next second. text needs no
 * terminating 0. */
int kc_time_parse(apr_time_t *time, const char *text, apr_size_t size, apr_time_t now);

/* Does the text mean another moment when it is said again later? */
int kc_time_is_relative(const char *text, apr_size_t size);

/* "2026-11-28T13:03:21.400123Z" with its terminating 0, of the years 0 to 9999. */
#define KC_TIME_SIZE 28
void kc_time_format(char text[KC_TIME_SIZE], apr_time_t time);

#endif
