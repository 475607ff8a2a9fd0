#include "kc_hub.h"

#include <apr_thread_mutex.h>

typedef struct {
    apr_thread_mutex_t *lock;           /* guards everything below */
    kc_frame_t *newest[KC_FRAME_KINDS]; /* our references, NULL before the first */
    kc_frame_t *plain;                  /* the newest picture without dashes, our reference too */
    apr_uint64_t number;                /* of the last frame of any kind */
    apr_uint64_t nth[KC_FRAME_KINDS];   /* how many of each kind there were */
    APR_RING_HEAD(kc_watches_t, kc_hub_watch_t) watches;
} slot_t;

struct kc_hub_t {
    apr_uint32_t cams; /* set at creation, never changes */
    slot_t *slots;
    kc_hub_demand_fn *demand; /* set at wiring time */
    void *demand_baton;
};

static apr_status_t drop_frames(void *data)
{
    kc_hub_t *hub = data;
    apr_uint32_t cam;
    int kind;

    for (cam = 0; cam < hub->cams; cam++) {
        for (kind = 0; kind < KC_FRAME_KINDS; kind++) {
            kc_frame_unref(hub->slots[cam].newest[kind]);
        }
        kc_frame_unref(hub->slots[cam].plain);
    }
    return APR_SUCCESS;
}

apr_status_t kc_hub_create(kc_hub_t **result, apr_uint32_t cams, apr_pool_t *pool)
{
    kc_hub_t *hub = apr_pcalloc(pool, sizeof(*hub));
    apr_uint32_t cam;
    apr_status_t rv;

    hub->cams = cams;
    hub->slots = apr_pcalloc(pool, cams * sizeof(*hub->slots));
    for (cam = 0; cam < cams; cam++) {
        slot_t *slot = &hub->slots[cam];

        APR_RING_INIT(&slot->watches, kc_hub_watch_t, link);
        rv = apr_thread_mutex_create(&slot->lock, APR_THREAD_MUTEX_DEFAULT, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    apr_pool_cleanup_register(pool, hub, drop_frames, apr_pool_cleanup_null);
    *result = hub;
    return APR_SUCCESS;
}

void kc_hub_on_demand(kc_hub_t *hub, kc_hub_demand_fn *demand, void *baton)
{
    hub->demand = demand;
    hub->demand_baton = baton;
}

apr_uint32_t kc_hub_cams(const kc_hub_t *hub)
{
    return hub->cams;
}

static void tell_watches(slot_t *slot, apr_uint32_t cam)
{
    kc_hub_watch_t *watch;

    APR_RING_FOREACH(watch, &slot->watches, kc_hub_watch_t, link)
    {
        watch->notify(watch->baton, cam);
    }
}

void kc_hub_tell(kc_hub_t *hub, apr_uint32_t cam)
{
    if (cam < hub->cams) {
        apr_thread_mutex_lock(hub->slots[cam].lock);
        tell_watches(&hub->slots[cam], cam);
        apr_thread_mutex_unlock(hub->slots[cam].lock);
    }
}

apr_status_t kc_hub_publish(kc_hub_t *hub, kc_frame_t *frame)
{
    kc_frame_t *old, *notice = NULL, *plain = NULL;
    slot_t *slot;

    if (frame->cam >= hub->cams) {
        kc_frame_unref(frame);
        return APR_NOTFOUND;
    }
    slot = &hub->slots[frame->cam];
    apr_thread_mutex_lock(slot->lock);
    frame->number = ++slot->number;
    frame->nth = ++slot->nth[frame->kind];
    old = slot->newest[frame->kind];
    slot->newest[frame->kind] = frame;
    if (frame->kind == KC_FRAME_PICTURE) {
        notice = slot->newest[KC_FRAME_NOTICE];
        slot->newest[KC_FRAME_NOTICE] = NULL;
    }
    if (frame->kind == KC_FRAME_PICTURE && !frame->dashes) {
        plain = slot->plain;
        slot->plain = kc_frame_ref(frame);
    }
    tell_watches(slot, frame->cam);
    apr_thread_mutex_unlock(slot->lock);
    kc_frame_unref(old);
    kc_frame_unref(notice);
    kc_frame_unref(plain);
    return APR_SUCCESS;
}

kc_frame_t *kc_hub_newest(kc_hub_t *hub, apr_uint32_t cam, kc_frame_kind_t kind, apr_uint64_t after)
{
    kc_frame_t *frame;

    if (cam >= hub->cams) {
        return NULL;
    }
    apr_thread_mutex_lock(hub->slots[cam].lock);
    frame = hub->slots[cam].newest[kind];
    frame = frame && frame->number > after ? kc_frame_ref(frame) : NULL;
    apr_thread_mutex_unlock(hub->slots[cam].lock);
    return frame;
}

kc_frame_t *kc_hub_shown(kc_hub_t *hub, apr_uint32_t cam, apr_uint64_t after, int plain)
{
    kc_frame_t *frame;
    slot_t *slot;

    if (cam >= hub->cams) {
        return NULL;
    }
    slot = &hub->slots[cam];
    apr_thread_mutex_lock(slot->lock);
    frame = slot->newest[KC_FRAME_NOTICE];
    if (!frame) {
        frame = plain ? slot->plain : slot->newest[KC_FRAME_PICTURE];
    }
    frame = frame && frame->number > after ? kc_frame_ref(frame) : NULL;
    apr_thread_mutex_unlock(slot->lock);
    return frame;
}

void kc_hub_forget(kc_hub_t *hub, apr_uint32_t cam)
{
    kc_frame_t *gone[KC_FRAME_KINDS], *plain;
    slot_t *slot;
    int kind;

    if (cam >= hub->cams) {
        return;
    }
    slot = &hub->slots[cam];
    apr_thread_mutex_lock(slot->lock);
    for (kind = 0; kind < KC_FRAME_KINDS; kind++) {
        gone[kind] = slot->newest[kind];
        slot->newest[kind] = NULL;
    }
    plain = slot->plain;
    slot->plain = NULL;
    apr_thread_mutex_unlock(slot->lock);
    for (kind = 0; kind < KC_FRAME_KINDS; kind++) {
        kc_frame_unref(gone[kind]);
    }
    kc_frame_unref(plain);
}

apr_status_t kc_hub_watch(kc_hub_t *hub, apr_uint32_t cam, kc_hub_watch_t *watch)
{
    slot_t *slot;

    if (cam >= hub->cams) {
        return APR_NOTFOUND;
    }
    slot = &hub->slots[cam];
    apr_thread_mutex_lock(slot->lock);
    if (APR_RING_EMPTY(&slot->watches, kc_hub_watch_t, link) && hub->demand) {
        hub->demand(hub->demand_baton, cam, 1);
    }
    APR_RING_INSERT_TAIL(&slot->watches, watch, kc_hub_watch_t, link);
    apr_thread_mutex_unlock(slot->lock);
    return APR_SUCCESS;
}

void kc_hub_unwatch(kc_hub_t *hub, apr_uint32_t cam, kc_hub_watch_t *watch)
{
    slot_t *slot = &hub->slots[cam];

    apr_thread_mutex_lock(slot->lock);
    APR_RING_REMOVE(watch, link);
    if (APR_RING_EMPTY(&slot->watches, kc_hub_watch_t, link) && hub->demand) {
        hub->demand(hub->demand_baton, cam, 0);
    }
    apr_thread_mutex_unlock(slot->lock);
}
