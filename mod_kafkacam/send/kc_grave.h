/* Ended connections whose memory still waits for the worker that handed them over.
 *
 * After the hook in which a pump gets a connection the worker writes to it once more
 * (event.c: "cs->c->sbh = NULL; cs->suspended = 1"). There is no later hook to wait for, and a
 * viewer may be gone before the worker got so far. So a connection ends in two steps. First its
 * pool is cleared: cleanups run, the socket closes, the MPM's counters are right, and the memory
 * stays in the pool's own allocator, where a late write hits nothing. The pool is destroyed when
 * the scoreboard shows that the worker went on to something else.
 *
 * One thread. */
#ifndef KC_GRAVE_H
#define KC_GRAVE_H

#include <httpd.h>
#include <scoreboard.h>

/* Where the worker was when it handed the connection over. */
typedef struct {
    worker_score *slot;
    apr_time_t last_used;
} kc_grave_worker_t;

/* All 0 before its first use. */
typedef struct kc_grave_stone_t kc_grave_stone_t;
typedef struct {
    kc_grave_stone_t *first;
} kc_grave_t;

/* In the suspend_connection hook, in the worker: note where it is, and take the scoreboard handle
 * from c, since ending its request would move that very mark. */
void kc_grave_note(kc_grave_worker_t *worker, conn_rec *c);

/* First step: clear c's pool. c, its requests and everything in them are gone. */
void kc_grave_bury(kc_grave_t *grave, conn_rec *c, const kc_grave_worker_t *worker);

/* Second step, for those whose worker is provably elsewhere. Returns how many are left. */
apr_size_t kc_grave_sweep(kc_grave_t *grave);

/* The child goes, and the pools with it: they are kept, as a worker may still be on its way. */
void kc_grave_abandon(kc_grave_t *grave);

#endif
