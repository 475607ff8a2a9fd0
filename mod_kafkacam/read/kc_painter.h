/* A thread that makes the offline pictures. One takes milliseconds, so they are not made where
 * pictures arrive (kc_feed). */
#ifndef KC_PAINTER_H
#define KC_PAINTER_H

#include "kc_roster.h"

typedef struct kc_painter_t kc_painter_t;

/* roster outlives it. */
apr_status_t kc_painter_start(kc_painter_t **painter, kc_roster_t *roster, apr_pool_t *pool);

/* The thread is to end; kc_painter_close() waits for that, NULL is fine. Abandon takes no lock, for
 * where nobody can wait (kc_source_abandon). */
void kc_painter_stopping(kc_painter_t *painter);
void kc_painter_abandon(kc_painter_t *painter);
void kc_painter_close(kc_painter_t *painter);

#endif
