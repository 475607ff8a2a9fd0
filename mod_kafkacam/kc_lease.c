#include "kc_lease.h"
#include <apr_dbd.h>
#include <http_config.h>
#include <http_request.h>
#include <mod_dbd.h>
#include "kc_config.h"

#define LEASE "kafkacam-lease"

typedef struct {
    server_rec *server;
    ap_dbd_t *connection; /* NULL: none is out */
} lease_t;

/* mod_dbd's own; set while the configuration is read. NULL: there is no mod_dbd. */
static APR_OPTIONAL_FN_TYPE(ap_dbd_acquire) * acquire_for_request;
static APR_OPTIONAL_FN_TYPE(ap_dbd_open) * open_connection;
static APR_OPTIONAL_FN_TYPE(ap_dbd_close) * close_connection;

static request_rec *initial(request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

static int is_ours(request_rec *r)
{
    return r->per_dir_config && (kc_config_sets_handler(r, KC_HANDLER_CAM) ||
                                 kc_config_sets_handler(r, KC_HANDLER_CAMERAS));
}

static lease_t *lease_of(const request_rec *r)
{
    void *lease = NULL;

    apr_pool_userdata_get(&lease, LEASE, r->pool);
    return lease;
}

static apr_status_t give_back(void *data)
{
    lease_t *lease = data;

    if (lease->connection) {
        close_connection(lease->server, lease->connection);
        lease->connection = NULL;
    }
    return APR_SUCCESS;
}

static lease_t *make_lease(const request_rec *r)
{
    lease_t *lease = apr_pcalloc(r->pool, sizeof(*lease));

    lease->server = r->server;
    apr_pool_userdata_setn(lease, LEASE, NULL, r->pool);
    apr_pool_cleanup_register(r->pool, lease, give_back, apr_pool_cleanup_null);
    return lease;
}

/* In place of ap_dbd_acquire(). What is needed only now comes from the pool of who asks: a question
 * about permission has one of its own, a stream's lives for days. */
static ap_dbd_t *acquire(request_rec *r)
{
    request_rec *owner = initial(r);
    lease_t *lease;

    if (!is_ours(owner)) {
        return acquire_for_request(r);
    }
    lease = lease_of(owner);
    if (!lease) {
        lease = make_lease(owner);
    }
    if (!lease->connection) {
        lease->connection = open_connection(r->pool, owner->server);
    }
    return lease->connection;
}

void kc_lease_end(request_rec *r)
{
    lease_t *lease = lease_of(initial(r));

    if (lease) {
        give_back(lease);
    }
}

/* After all modules are loaded, before a directive makes one of them look for mod_dbd. */
static int stand_in(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    acquire_for_request = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_acquire);
    open_connection = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    close_connection = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);
    if (acquire_for_request && open_connection && close_connection) {
        apr_dynamic_fn_register("ap_dbd_acquire", (apr_opt_fn_t *)acquire);
    }
    return OK;
}

void kc_lease_register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_config(stand_in, NULL, NULL, APR_HOOK_MIDDLE);
}
