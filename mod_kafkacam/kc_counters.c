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
    apr_uint32_t pid;                 /* atomic; 0: free */
    apr_uint64_t values[KC_COUNTERS]; /* atomic; gauges are signed, in two's complement */
} slot_t;

typedef struct {
    apr_uint32_t slots; /* set at creation, never changes, as is started */
    apr_time_t started;
    apr_uint64_t past[KC_COUNTERS]; /* atomic; what children that are gone have counted */
    slot_t slot[];
} memory_t;

/* Outlives the configuration pool; found again after a reload unloaded and loaded the module. */
typedef struct {
    memory_t *memory;
    apr_size_t size;
} retained_t;

static const struct {
    const char *name;
    const char *help;
} words[KC_COUNTERS] = {
    [KC_COUNTER_VIEWERS] = { "viewers", "Open streams." },
    [KC_COUNTER_BLOCKING_VIEWERS] = { "blocking_viewers",
                                      "Open streams that hold a worker thread." },
    [KC_COUNTER_PENDING_POOLS] = { "pending_pools",
                                   "Ended connections whose memory waits for its worker." },
    [KC_COUNTER_PARTITIONS] = { "partitions", "Kafka partitions being fetched, all children." },
    [KC_COUNTER_LONGEST_TURN] = { "longest_turn_us",
                                  "Longest time that one viewer kept a pump, microseconds." },
    [KC_COUNTER_LAG] = { "lag_ms",
                         "How much later than need be pictures came from Kafka within the last "
                         "seconds, milliseconds; the largest of all children." },
    [KC_COUNTER_VIEWERS_BEGUN] = { "viewers_begun", "Streams opened." },
    [KC_COUNTER_VIEWERS_REFUSED] = { "viewers_refused", "Streams refused by a limit." },
    [KC_COUNTER_VIEWERS_STALLED] = { "viewers_stalled", "Streams cut because the client read "
                                                        "nothing, or too little." },
    [KC_COUNTER_VIEWERS_DISPLACED] = { "viewers_displaced",
                                       "Streams cut, not read yet, as all places were taken." },
    [KC_COUNTER_FRAMES_SENT] = { "frames_sent", "Pictures sent to viewers." },
    [KC_COUNTER_FRAMES_SKIPPED] = { "frames_skipped",
                                    "Pictures a viewer was too slow for: a newer one came first." },
    [KC_COUNTER_BYTES_SENT] = { "bytes_sent", "Bytes sent to viewers." },
    [KC_COUNTER_FRAMES_RECEIVED] = { "frames_received", "Pictures read from Kafka, all children." },
    [KC_COUNTER_BYTES_RECEIVED] = { "bytes_received", "Bytes of pictures read from Kafka." },
    [KC_COUNTER_FRAMES_OUTDATED] = { "frames_outdated",
                                     "Pictures dropped: from a producer that was replaced." },
    [KC_COUNTER_FRAMES_BROKEN] = { "frames_broken", "Records dropped: no JPEG, or too large." },
    [KC_COUNTER_FRAMES_LATE] = { "frames_late",
                                 "Pictures passed over in Kafka because newer ones were there." },
    [KC_COUNTER_NOTICES] = { "notices", "Offline pictures made." },
    [KC_COUNTER_STATUS_BROKEN] = { "status_broken", "Status records that made no sense." },
    [KC_COUNTER_PAST_RECORDS] = { "past_records",
                                  "Records read from Kafka for those who look back." },
    [KC_COUNTER_PAST_BYTES] = { "past_bytes", "Bytes of records read for those who look back." },
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
    apr_size_t size = sizeof(memory_t) + slots * sizeof(slot_t);
    apr_status_t rv;
    apr_shm_t *shm;

    if (!retained) {
        retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    }
    /* Another size: a version of the module that was installed before the reload made it. */
    if (!retained->memory || retained->size != size) {
        rv = apr_shm_create(&shm, size, NULL, s->process->pool);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                         KC_ID(2001) "no shared memory for the counters (%" APR_SIZE_T_FMT
                                     " bytes): the server cannot start",
                         size);
            return rv;
        }
        retained->memory = apr_shm_baseaddr_get(shm);
        memset(retained->memory, 0, size);
        retained->size = size;
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
            empty_slot(
                own); /* of what threads may have added after their child had given it back */
            apr_pool_cleanup_register(pchild, NULL, give_back, apr_pool_cleanup_null);
            return;
        }
    }
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, s,
        KC_ID(2002) "no slot for this child's counters, %u are taken: the status page will "
                    "not show it",
        memory->slots);
}

void kc_counters_add(kc_counter_t counter, apr_int64_t delta)
{
    apr_atomic_add64(&own->values[counter], (apr_uint64_t)delta);
}

void kc_counters_raise(kc_counter_t counter, apr_int64_t value)
{
    apr_uint64_t before = apr_atomic_read64(&own->values[counter]), found;

    while ((apr_int64_t)before < value &&
           (found = apr_atomic_cas64(&own->values[counter], (apr_uint64_t)value, before)) !=
               before) {
        before = found;
    }
}

void kc_counters_show_largest(kc_counter_t gauge, apr_uint64_t *mine, apr_uint64_t value)
{
    apr_uint64_t shown = apr_atomic_read64(&own->values[gauge]);

    /* Whoever has shown the largest takes it back; another's turn comes with its next call. */
    if (value > shown || (value < shown && *mine == shown)) {
        apr_atomic_cas64(&own->values[gauge], value, shown);
    }
    *mine = value;
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

        if (counter != KC_COUNTER_LONGEST_TURN && counter != KC_COUNTER_LAG) {
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

/* ---- For each camera ---- */

typedef struct {          /* all atomic */
    apr_uint64_t next;    /* offset after the last record that was counted */
    apr_uint64_t counted; /* when that was */
    apr_uint64_t news;
    apr_uint64_t records[KC_COUNTERS_OUTCOMES];
    apr_uint64_t bytes;
    apr_uint64_t fetched;
} camera_t;

struct kc_counters_cameras_t {
    apr_uint32_t cams;
    camera_t *camera; /* shared memory */
};

/* Lower offsets are another child's, late; or, after so long, a topic's that was made anew. */
#define OFFSETS_HOLD apr_time_from_sec(30)

apr_status_t kc_counters_cameras_create(kc_counters_cameras_t **result, apr_uint32_t cams,
                                        apr_pool_t *pconf)
{
    kc_counters_cameras_t *cameras = apr_palloc(pconf, sizeof(*cameras));
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, cams * sizeof(camera_t), NULL, pconf);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    cameras->cams = cams;
    cameras->camera = apr_shm_baseaddr_get(shm);
    memset(cameras->camera, 0, cams * sizeof(camera_t));
    *result = cameras;
    return APR_SUCCESS;
}

/* Is the record at offset to be counted by us? One child gets a 1. */
static int is_first(camera_t *camera, apr_uint64_t offset, apr_time_t now)
{
    apr_uint64_t next;

    do {
        next = apr_atomic_read64(&camera->next);
        if (offset < next && now - (apr_time_t)apr_atomic_read64(&camera->counted) < OFFSETS_HOLD) {
            return 0;
        }
    } while (apr_atomic_cas64(&camera->next, offset + 1, next) != next);
    apr_atomic_set64(&camera->counted, (apr_uint64_t)now);
    return 1;
}

void kc_counters_camera_add(kc_counters_cameras_t *cameras, apr_uint32_t cam, apr_int64_t offset,
                            kc_counters_outcome_t outcome, apr_size_t size, apr_time_t time)
{
    camera_t *camera;

    if (!cameras || cam >= cameras->cams) {
        return;
    }
    camera = &cameras->camera[cam];
    if (!is_first(camera, (apr_uint64_t)offset, apr_time_now())) {
        return;
    }
    apr_atomic_add64(&camera->records[outcome], 1);
    if (outcome == KC_COUNTERS_PICTURE) {
        apr_atomic_add64(&camera->bytes, size);
        apr_atomic_set64(&camera->news, (apr_uint64_t)time);
    }
}

void kc_counters_camera_fetched(kc_counters_cameras_t *cameras, apr_uint32_t cam, apr_time_t now)
{
    if (cameras && cam < cameras->cams) {
        apr_atomic_set64(&cameras->camera[cam].fetched, (apr_uint64_t)now);
    }
}

void kc_counters_camera_read(kc_counters_cameras_t *cameras, apr_uint32_t cam,
                             kc_counters_camera_t *counts)
{
    camera_t *camera;
    int i;

    memset(counts, 0, sizeof(*counts));
    if (!cameras || cam >= cameras->cams) {
        return;
    }
    camera = &cameras->camera[cam];
    counts->news = (apr_time_t)apr_atomic_read64(&camera->news);
    counts->bytes = apr_atomic_read64(&camera->bytes);
    counts->fetched = (apr_time_t)apr_atomic_read64(&camera->fetched);
    for (i = 0; i < KC_COUNTERS_OUTCOMES; i++) {
        counts->records[i] = apr_atomic_read64(&camera->records[i]);
    }
}
