/* The query of a URL, "fps=2&meta=1". Pure: no I/O, no allocation, any thread. */
#ifndef KC_QUERY_H
#define KC_QUERY_H

#include <apr_time.h>

/* Is it there with exactly this value? args may be NULL. The first of several counts. */
int kc_query_is(const char *args, const char *name, const char *value);

/* What fps=RATE asks for: *interval between two pictures, 0 if it is not there. A rate is a decimal
 * number like 5 or 0.2, above 0 and at most 1000. 0, or -1 if it is none of these. */
int kc_query_fps(const char *args, apr_interval_time_t *interval);

/* The moment that name=TIME says (kc_time_parse), after %XX is undone. 1 and *time; 0: it is not
 * there,
 * -1: it is no moment, *time is untouched then. *relative (may be NULL): it means another one
 * later. */
int kc_query_time(const char *args, const char *name, apr_time_t now, apr_time_t *time,
                  int *relative);

/* A whole number of name, from 0 to max, decimal. As kc_query_time(). */
int kc_query_number(const char *args, const char *name, apr_int64_t max, apr_int64_t *number);

/* What rate=SPEED asks for: a decimal number from 0.25 to 16, or -1 to -16 for backwards, in
 * thousandths; 1000 if it is not there. 0, or -1 if it is none of these. */
int kc_query_speed(const char *args, int *milli);

#endif
