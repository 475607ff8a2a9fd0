#include "kc_counters.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <ap_mpm.h>
#include <apr_atomic.h>
#include <apr_shm.h>
#include <http_log.h>
#include "kc_config.h"

#define RETAINED "kafkacam-counters"

typedef struct {
    apr_uint32_t pid; /* atomic; 0: free */
    apr_uint64_t values[KC_COUNTERS]; /* atomic; gauges are signed, in two's complement */
} slot_t;

typedef struct {
    apr_uint32_t slots;               /* set at creation, never changes, as is started */
    apr_time_t started;
    apr_uint64_t past[KC_COUNTERS];   /* atomic; what children that are gone have counted */
    slot_t slot[];
} memory_t;

/* Outlives the configuration pool; found again after a reload unloaded and loaded the module. */
typedef struct {
    memory_t *memory;
} retained_t;

static const struct {
    const char *name;
    const char *help;
} words[KC_COUNTERS] = {
    [KC_COUNTER_VIEWERS] = { "viewers", "Open streams." },
    [KC_COUNTER_BLOCKING_VIEWERS] = { "blocking_viewers", "Open streams that hold a worker thread." },
    [KC_COUNTER_PENDING_POOLS] = { "pending_pools",
                                   "Ended connections whose memory waits for its worker." },
    [KC_COUNTER_PARTITIONS] = { "partitions", "Kafka partitions being fetched, all children." },
    [KC_COUNTER_LONGEST_TURN] = { "longest_turn_us",
                                  "Longest time that one viewer kept a pump, microseconds." },
    [KC_COUNTER_VIEWERS_BEGUN] = { "viewers_begun", "Streams opened." },
    [KC_COUNTER_VIEWERS_REFUSED] = { "viewers_refused", "Streams refused by a limit." },
    [KC_COUNTER_VIEWERS_STALLED] = { "viewers_stalled",
                                     "Streams cut because the client read nothing." },
    [KC_COUNTER_FRAMES_SENT] = { "frames_sent", "Pictures sent to viewers." },
    [KC_COUNTER_FRAMES_SKIPPED] = { "frames_skipped",
                                    "Pictures a viewer was too slow for: a newer one came first." },
    [KC_COUNTER_BYTES_SENT] = { "bytes_sent", "Bytes sent to viewers." },
    [KC_COUNTER_FRAMES_RECEIVED] = { "frames_received", "Pictures read from Kafka, all children." },
    [KC_COUNTER_BYTES_RECEIVED] = { "bytes_received", "Bytes of pictures read from Kafka." },
    [KC_COUNTER_FRAMES_OUTDATED] = { "frames_outdated",
                                     "Pictures dropped: from a producer that was replaced." },
    [KC_COUNTER_FRAMES_BROKEN] = { "frames_broken", "Records dropped: no JPEG, or too large." },
    [KC_COUNTER_NOTICES] = { "notices", "Offline pictures made." },
    [KC_COUNTER_STATUS_BROKEN] = { "status_broken", "Status records that made no sense." },
};

static memory_t *memory; /* the same in the parent and its children */
static slot_t nowhere;   /* counts of a child that found no slot, and of the parent */
static slot_t *own = &nowhere;

const char *kc_counters_name(kc_counter_t counter)
{
    return words[counter].name;
}

const char *kc_counters_help(kc_counter_t counter)
{
    return words[counter].help;
}

static apr_uint32_t slots_needed(void)
{
    int children = 0;

    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children) != APR_SUCCESS || children < 1) {
        children = 256;
    }
    /* Twice: in a reload the old children, streams open, stand beside as many new ones. */
    return 2 * (apr_uint32_t)children;
}

apr_status_t kc_counters_create(server_rec *s)
{
    retained_t *retained = ap_retained_data_get(RETAINED);
    apr_uint32_t slots = slots_needed();
    apr_status_t rv;
    apr_shm_t *shm;

    if (!retained) {
        retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    }
    if (!retained->memory) {
        apr_size_t size = sizeof(memory_t) + slots * sizeof(slot_t);

        rv = apr_shm_create(&shm, size, NULL, s->process->pool);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                         KC_ID(2001) "no shared memory for the counters (%" APR_SIZE_T_FMT
                         " bytes): the server cannot start", size);
            return rv;
        }
        retained->memory = apr_shm_baseaddr_get(shm);
        memset(retained->memory, 0, size);
        retained->memory->slots = slots;
        retained->memory->started = apr_time_now();
    }
    memory = retained->memory;
    return APR_SUCCESS;
}

/* Whoever changes pid to 0 has moved the counts before; nobody adds any more. */
static void empty_slot(slot_t *slot)
{
    int i;

    for (i = 0; i < KC_COUNTERS; i++) {
        apr_uint64_t count = apr_atomic_xchg64(&slot->values[i], 0);

        if (i >= KC_COUNTER_GAUGES) {
            apr_atomic_add64(&memory->past[i], count);
        }
    }
}

static void free_slot(slot_t *slot, apr_uint32_t pid)
{
    empty_slot(slot);
    apr_atomic_cas32(&slot->pid, 0, pid);
}

void kc_counters_leave(pid_t pid)
{
    apr_uint32_t i;

    for (i = 0; memory && i < memory->slots; i++) {
        if (apr_atomic_read32(&memory->slot[i].pid) == (apr_uint32_t)pid) {
            free_slot(&memory->slot[i], (apr_uint32_t)pid);
        }
    }
}

static apr_status_t give_back(void *unused)
{
    if (own != &nowhere) {
        free_slot(own, (apr_uint32_t)getpid());
        own = &nowhere;
    }
    return APR_SUCCESS;
}

void kc_counters_join(apr_pool_t *pchild, server_rec *s)
{
    apr_uint32_t i;

    if (!memory) {
        return;
    }
    for (i = 0; i < memory->slots; i++) {
        if (apr_atomic_cas32(&memory->slot[i].pid, (apr_uint32_t)getpid(), 0) == 0) {
            own = &memory->slot[i];
            apr_pool_cleanup_register(pchild, NULL, give_back, apr_pool_cleanup_null);
            return;
        }
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 KC_ID(2002) "no slot for this child's counters, %u are taken: the status page will "
                 "not show it", memory->slots);
}

void kc_counters_add(kc_counter_t counter, apr_int64_t delta)
{
    apr_atomic_add64(&own->values[counter], (apr_uint64_t)delta);
}

apr_int64_t kc_counters_own(kc_counter_t counter)
{
    return (apr_int64_t)apr_atomic_read64(&own->values[counter]);
}

apr_int64_t kc_counters_sum(kc_counter_t counter)
{
    apr_uint64_t sum;
    apr_uint32_t i;

    if (!memory) {
        return kc_counters_own(counter);
    }
    sum = apr_atomic_read64(&memory->past[counter]);
    for (i = 0; i < memory->slots; i++) {
        apr_uint64_t value = apr_atomic_read64(&memory->slot[i].values[counter]);

        if (counter != KC_COUNTER_LONGEST_TURN) {
            sum += value;
        }
        else if (value > sum) {
            sum = value;
        }
    }
    return (apr_int64_t)sum;
}

apr_time_t kc_counters_since(void)
{
    return memory ? memory->started : 0;
}

int kc_counters_children(void)
{
    int children = 0;
    apr_uint32_t i;

    for (i = 0; memory && i < memory->slots; i++) {
        children += apr_atomic_read32(&memory->slot[i].pid) != 0;
    }
    return children;
}
