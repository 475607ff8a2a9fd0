/* What every thread of ours in an httpd child needs, and what is asked about the child. */
#ifndef KC_CHILD_H
#define KC_CHILD_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_thread_proc.h>

/* A thread that gets none of httpd's signals: those are for its own threads. */
apr_status_t kc_child_start_thread(apr_thread_t **thread, apr_thread_start_t run, void *data,
                                   apr_pool_t *pool);

/* A pool that another thread may use beside its parent: some MPMs' pools have no lock. Goes with
 * parent. */
apr_status_t kc_child_create_pool(apr_pool_t **pool, apr_pool_t *parent);

/* Is this child told to end: should whoever waits give up? Any thread. */
int kc_child_is_stopping(void);

/* Has a child more than one worker (event, worker), or is it one (prefork)? */
int kc_child_is_threaded(void);

/* 1 once a minute and child, however many ask about the same: what is wrong is for the log, and not
 * each time. *told is the caller's, one for each thing to tell, 0 at first. Any thread. */
int kc_child_time_to_tell(apr_uint32_t *told);

#endif
