/* Which brokers answer. A broker can be in Kafka's own list and yet nobody reaches it: it is down,
 * or it calls itself by a name that means nothing here. Judged by what each was asked, round by
 * round. Pure: no clock, no Kafka. One thread. */
#ifndef KC_REACH_H
#define KC_REACH_H

#include <apr_pools.h>

typedef struct kc_reach_t kc_reach_t;

/* Failing once is no news: a connection was lost, a leader moved. */
#define KC_REACH_FAILURES 2

kc_reach_t *kc_reach_create(apr_pool_t *pool);

/* A round begins. */
void kc_reach_begin(kc_reach_t *reach);

/* How a broker calls itself: HOST:PORT. */
void kc_reach_name(kc_reach_t *reach, apr_int32_t id, const char *address);

/* Asking one that does not answer takes the whole time to wait: not twice in a round, and of those
 * known not to answer only every third round. */
int kc_reach_should_ask(kc_reach_t *reach, apr_int32_t id);

/* It was asked, and has answered or not. */
void kc_reach_note(kc_reach_t *reach, apr_int32_t id, int answered);

/* Has it not answered KC_REACH_FAILURES times in a row? */
int kc_reach_is_away(kc_reach_t *reach, apr_int32_t id);

/* At the end of a round: of those that were needed in it, how many are away, and how many are
 * not; the lowest one's name that is away ("" if none is), until the next round. */
typedef struct {
    int away;
    int there;
    apr_int32_t id;
    const char *address;
} kc_reach_summary_t;
void kc_reach_summary(kc_reach_t *reach, kc_reach_summary_t *summary);

#endif
