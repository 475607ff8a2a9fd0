/* The query of a URL, "fps=2&meta=1". Pure: no I/O, no allocation, any thread. */
#ifndef KC_QUERY_H
#define KC_QUERY_H

#include <apr_time.h>

/* Is it there with exactly this value? args may be NULL. The first of several counts. */
int kc_query_is(const char *args, const char *name, const char *value);

/* What fps=RATE asks for: *interval between two pictures, 0 if it is not there. A rate is a decimal
 * number like 5 or 0.2, above 0 and at most 1000. 0, or -1 if it is none of these. */
int kc_query_fps(const char *args, apr_interval_time_t *interval);

#endif
