#include "kc_painter.h"

#include <apr_atomic.h>
#include <apr_thread_cond.h>
#include "kc_child.h"
#include "kc_counters.h"

/* How late an offline picture may be; it stands for hours. */
#define LOOK apr_time_from_msec(250)

struct kc_painter_t {
    kc_roster_t *roster; /* these do not change after the start */
    apr_thread_t *thread;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *wake;
    apr_uint32_t stopping; /* atomic */
};

static void *APR_THREAD_FUNC paint(apr_thread_t *thread, void *data)
{
    kc_painter_t *painter = data;

    apr_thread_mutex_lock(painter->lock);
    while (!apr_atomic_read32(&painter->stopping)) {
        apr_thread_cond_timedwait(painter->wake, painter->lock, LOOK);
        apr_thread_mutex_unlock(painter->lock);
        kc_counters_add(KC_COUNTER_NOTICES,
                        kc_roster_paint(painter->roster, kc_moment_now(), &painter->stopping));
        apr_thread_mutex_lock(painter->lock);
    }
    apr_thread_mutex_unlock(painter->lock);
    return NULL;
}

apr_status_t kc_painter_start(kc_painter_t **result, kc_roster_t *roster, apr_pool_t *pool)
{
    kc_painter_t *painter = apr_pcalloc(pool, sizeof(*painter));
    apr_status_t rv;

    painter->roster = roster;
    if ((rv = apr_thread_mutex_create(&painter->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = apr_thread_cond_create(&painter->wake, pool)) ||
        (rv = kc_child_start_thread(&painter->thread, paint, painter, pool))) {
        return rv;
    }
    *result = painter;
    return APR_SUCCESS;
}

void kc_painter_stopping(kc_painter_t *painter)
{
    apr_thread_mutex_lock(painter->lock);
    apr_atomic_set32(&painter->stopping, 1);
    apr_thread_cond_signal(painter->wake);
    apr_thread_mutex_unlock(painter->lock);
}

void kc_painter_abandon(kc_painter_t *painter)
{
    apr_atomic_set32(&painter->stopping, 1);
}

void kc_painter_close(kc_painter_t *painter)
{
    apr_status_t ended;

    if (painter) {
        kc_painter_stopping(painter);
        apr_thread_join(&ended, painter->thread);
    }
}
