/* Is a partition read as it should be? Judged in two ways: from how far it reached and how far it
 * was read, in the last round and now; and from how late its records come. Pure: no clock, no
 * Kafka. */
#ifndef KC_VERDICT_H
#define KC_VERDICT_H

#include <apr.h>
#include <apr_time.h>

typedef enum {
    KC_VERDICT_HEALTHY,
    KC_VERDICT_STUCK,   /* there was more for a whole round, and nothing was read */
    KC_VERDICT_LAGGING, /* it is read, but what was there a whole round ago is not read yet */
    KC_VERDICT_OTHER    /* it ends before where we stand: another topic of the same name */
} kc_verdict_t;

/* What the last round saw of one partition; KC_VERDICT_NOTHING before the first. */
typedef struct {
    apr_int64_t end;
    apr_int64_t position;
} kc_verdict_memory_t;

#define KC_VERDICT_NOTHING                                                                         \
    {                                                                                              \
        -1, -1                                                                                     \
    }

/* A position that is none. */
#define KC_VERDICT_NOT_FETCHED (-1)
#define KC_VERDICT_NOT_BEGUN   (-2) /* fetched, and nothing was heard of it since */

/* position: the offset expected next, or one of these. end: the
 * offset after the last record, asked for after position was noted; -1: not known. Remembers both
 * for the next round. */
kc_verdict_t kc_verdict_judge(kc_verdict_memory_t *memory, apr_int64_t position, apr_int64_t end);

/* How late one partition's records come; all 0 before the first. The clock that stamped them may
 * be any: what counts is how much later than the least late one of the last minute or two in which
 * records came. */
typedef struct {
    apr_time_t last;                  /* record; 0: there was none */
    apr_interval_time_t window;       /* how long this minute has been going on */
    apr_interval_time_t least;        /* late in it, */
    apr_interval_time_t least_before; /* and in the minute before */
} kc_verdict_delay_t;

/* How much later than need be the record that was stamped then has come now. 0 without a stamp. */
apr_interval_time_t kc_verdict_lag(kc_verdict_delay_t *delay, apr_time_t stamp, apr_time_t now);

/* No record can come earlier than this one, late as it is: its clock was set back. */
void kc_verdict_accept(kc_verdict_delay_t *delay, apr_time_t stamp, apr_time_t now);

#endif
