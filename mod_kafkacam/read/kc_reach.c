#include "kc_reach.h"

#include <string.h>
#include <apr_strings.h>
#include <apr_tables.h>

/* Of those known to be away, which round's turn it is. */
#define AGAIN_AFTER 3

typedef struct {
    apr_int32_t id;
    char address[280]; /* a host's name has at most 255 */
    int failures;      /* in a row */
    int needed;        /* in this round */
    int failed;        /* in this round */
} broker_t;

struct kc_reach_t {
    apr_array_header_t *brokers; /* of broker_t: all there ever were */
    unsigned round;
};

kc_reach_t *kc_reach_create(apr_pool_t *pool)
{
    kc_reach_t *reach = apr_pcalloc(pool, sizeof(*reach));

    reach->brokers = apr_array_make(pool, 8, sizeof(broker_t));
    return reach;
}

static broker_t *broker_at(kc_reach_t *reach, int i)
{
    return &APR_ARRAY_IDX(reach->brokers, i, broker_t);
}

static broker_t *find(kc_reach_t *reach, apr_int32_t id)
{
    broker_t *broker;
    int i;

    for (i = 0; i < reach->brokers->nelts; i++) {
        if (broker_at(reach, i)->id == id) {
            return broker_at(reach, i);
        }
    }
    broker = apr_array_push(reach->brokers);
    memset(broker, 0, sizeof(*broker));
    broker->id = id;
    return broker;
}

void kc_reach_begin(kc_reach_t *reach)
{
    int i;

    reach->round++;
    for (i = 0; i < reach->brokers->nelts; i++) {
        broker_at(reach, i)->needed = 0;
        broker_at(reach, i)->failed = 0;
    }
}

void kc_reach_name(kc_reach_t *reach, apr_int32_t id, const char *address)
{
    apr_cpystrn(find(reach, id)->address, address, sizeof(((broker_t *)0)->address));
}

int kc_reach_should_ask(kc_reach_t *reach, apr_int32_t id)
{
    broker_t *broker = find(reach, id);

    broker->needed = 1;
    return !broker->failed &&
           (broker->failures < KC_REACH_FAILURES || reach->round % AGAIN_AFTER == 0);
}

void kc_reach_note(kc_reach_t *reach, apr_int32_t id, int answered)
{
    broker_t *broker = find(reach, id);

    broker->needed = 1;
    broker->failed = !answered;
    broker->failures = answered ? 0 : broker->failures + 1;
}

int kc_reach_is_away(kc_reach_t *reach, apr_int32_t id)
{
    return find(reach, id)->failures >= KC_REACH_FAILURES;
}

void kc_reach_summary(kc_reach_t *reach, kc_reach_summary_t *summary)
{
    int i;

    memset(summary, 0, sizeof(*summary));
    summary->address = "";
    for (i = 0; i < reach->brokers->nelts; i++) {
        const broker_t *broker = broker_at(reach, i);

        if (!broker->needed) {
            continue;
        }
        if (broker->failures < KC_REACH_FAILURES) {
            summary->there++;
        }
        else if (summary->away++ == 0 || broker->id < summary->id) {
            summary->id = broker->id;
            summary->address = broker->address;
        }
    }
}
