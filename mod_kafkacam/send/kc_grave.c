#include "kc_grave.h"

#include <stdlib.h>
#include "kc_counters.h"

struct kc_grave_stone_t {
    kc_grave_stone_t *next;
    apr_pool_t *pool;
    kc_grave_worker_t worker;
};

void kc_grave_note(kc_grave_worker_t *worker, conn_rec *c)
{
    worker->slot = ap_get_scoreboard_worker(c->sbh);
    worker->last_used = worker->slot ? worker->slot->last_used : 0;
    c->sbh = NULL;
}

/* SERVER_GRACEFUL proves nothing: the listener stamps it, and the time with it, on all slots, busy
 * workers' too. Any other change of the time is the worker's own, SERVER_READY too, which is
 * written anew for each connection. Compared for being different, because clocks are set back. */
static int worker_left(const kc_grave_worker_t *worker)
{
    unsigned char status;

    if (!worker->slot) {
        return 0;
    }
    status = __atomic_load_n(&worker->slot->status, __ATOMIC_ACQUIRE);
    return status == SERVER_READY ||
           (status != SERVER_GRACEFUL &&
            __atomic_load_n(&worker->slot->last_used, __ATOMIC_ACQUIRE) != worker->last_used);
}

void kc_grave_bury(kc_grave_t *grave, conn_rec *c, const kc_grave_worker_t *worker)
{
    kc_grave_stone_t *stone = malloc(sizeof(*stone));

    if (!stone) {
        abort();
    }
    stone->pool = c->pool;
    stone->worker = *worker;
    stone->next = grave->first;
    grave->first = stone;
    kc_counters_add(KC_COUNTER_PENDING_POOLS, 1);
    apr_allocator_max_free_set(apr_pool_allocator_get(stone->pool),
                               APR_ALLOCATOR_MAX_FREE_UNLIMITED);
    apr_pool_clear(stone->pool);
}

apr_size_t kc_grave_sweep(kc_grave_t *grave)
{
    kc_grave_stone_t **place = &grave->first;
    apr_size_t left = 0;

    while (*place) {
        kc_grave_stone_t *stone = *place;

        if (!worker_left(&stone->worker)) {
            place = &stone->next;
            left++;
            continue;
        }
        *place = stone->next;
        apr_pool_destroy(stone->pool);
        free(stone);
        kc_counters_add(KC_COUNTER_PENDING_POOLS, -1);
    }
    return left;
}

void kc_grave_abandon(kc_grave_t *grave)
{
    while (grave->first) {
        kc_grave_stone_t *stone = grave->first;

        grave->first = stone->next;
        free(stone);
        kc_counters_add(KC_COUNTER_PENDING_POOLS, -1);
    }
}
