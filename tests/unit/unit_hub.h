/* What tests of the hub and of what reads from it share: a hub of four cameras, made for each
 * test. */
#ifndef UNIT_HUB_H
#define UNIT_HUB_H

#include "unit.h"
#include "kc_hub.h"

#include <stdlib.h>
#include <apr_general.h>

static apr_pool_t *pool;
static kc_hub_t *hub;

static int make_hub(void **state)
{
    apr_pool_create(&pool, NULL);
    return kc_hub_create(&hub, 4, pool) != APR_SUCCESS;
}

static int end_hub(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

static void publish(kc_frame_kind_t kind, apr_uint32_t cam, char mark)
{
    kc_frame_t *frame = kc_frame_create(kind, cam, 1);

    frame->data[0] = mark;
    assert_int_equal(kc_hub_publish(hub, frame), APR_SUCCESS);
}

#endif
