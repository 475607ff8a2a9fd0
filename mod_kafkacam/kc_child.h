/* What every thread of ours in an httpd child needs. */
#ifndef KC_CHILD_H
#define KC_CHILD_H

#include <apr_pools.h>
#include <apr_thread_proc.h>

/* A thread that gets none of httpd's signals: those are for its own threads. */
apr_status_t kc_child_start_thread(apr_thread_t **thread, apr_thread_start_t run, void *data,
                                   apr_pool_t *pool);

/* A pool that another thread may use beside its parent: some MPMs' pools have no lock. Goes with
 * parent. */
apr_status_t kc_child_create_pool(apr_pool_t **pool, apr_pool_t *parent);

#endif
