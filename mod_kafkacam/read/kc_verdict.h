/* Is a partition read as it should be? Judged from what Kafka says, twice: how far the partition
 * reached and how far it was read in the last round, and now. Pure: no clock, no Kafka. */
#ifndef KC_VERDICT_H
#define KC_VERDICT_H

#include <apr.h>

typedef enum {
    KC_VERDICT_HEALTHY,
    KC_VERDICT_STUCK, /* there was more for a whole round, and nothing was read */
    KC_VERDICT_OTHER  /* it ends before where we stand: another topic of the same name */
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

/* position: the offset expected next, -1: nothing was read yet, or it is not fetched. end: the
 * offset after the last record, asked for after position was noted; -1: not known. Remembers both
 * for the next round. */
kc_verdict_t kc_verdict_judge(kc_verdict_memory_t *memory, apr_int64_t position, apr_int64_t end);

#endif
