#include "kc_asker.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include "kc_timers.h"

struct kc_asker_t {
    kc_asker_back_fn *back; /* set at creation, never changes, as is baton */
    void *baton;
    apr_thread_t *thread;
    apr_thread_mutex_t *lock; /* guards everything below */
    apr_thread_cond_t *work;
    kc_viewer_t *viewer; /* that is away, NULL: none */
    int quit;
};

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    kc_asker_t *asker = data;

    apr_thread_mutex_lock(asker->lock);
    while (!asker->quit) {
        kc_viewer_t *viewer = asker->viewer;
        int may;

        if (!viewer) {
            apr_thread_cond_wait(asker->work, asker->lock);
            continue;
        }
        apr_thread_mutex_unlock(asker->lock);
        may = kc_viewer_recheck(viewer, kc_timers_now());
        kc_choice_pass(viewer->choice);
        apr_thread_mutex_lock(asker->lock);
        asker->viewer = NULL;
        apr_thread_mutex_unlock(asker->lock);
        asker->back(asker->baton, viewer, may); /* without the lock: it takes the pump's */
        apr_thread_mutex_lock(asker->lock);
    }
    apr_thread_mutex_unlock(asker->lock);
    return NULL;
}

apr_status_t kc_asker_start(kc_asker_t **result, kc_asker_back_fn *back, void *baton,
                            apr_pool_t *pool)
{
    kc_asker_t *asker = apr_pcalloc(pool, sizeof(*asker));
    apr_status_t rv;

    asker->back = back;
    asker->baton = baton;
    if ((rv = apr_thread_mutex_create(&asker->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = apr_thread_cond_create(&asker->work, pool)) ||
        (rv = apr_thread_create(&asker->thread, NULL, run, asker, pool))) {
        return rv;
    }
    *result = asker;
    return APR_SUCCESS;
}

int kc_asker_ask(kc_asker_t *asker, kc_viewer_t *viewer)
{
    int free;

    apr_thread_mutex_lock(asker->lock);
    free = !asker->viewer;
    if (free) {
        kc_choice_pass(viewer->choice);
        asker->viewer = viewer;
        apr_thread_cond_signal(asker->work);
    }
    apr_thread_mutex_unlock(asker->lock);
    return free;
}

void kc_asker_stop(kc_asker_t *asker)
{
    apr_status_t ended;

    if (!asker) {
        return;
    }
    apr_thread_mutex_lock(asker->lock);
    asker->quit = 1;
    apr_thread_cond_signal(asker->work);
    apr_thread_mutex_unlock(asker->lock);
    apr_thread_join(&ended, asker->thread);
}
