#include "kc_http1.h"

#include <apr_atomic.h>
#include <apr_hash.h>
#include <http_config.h>
#include <http_connection.h>
#include "kc_config.h"

/* mod_http2 knows this note as mod_ssl's: a request that needs a renegotiation, which HTTP/2 does
 * not have, is reset with HTTP_1_1_REQUIRED. There is no other way to ask it for that reset. */
#define RESET_NOTE "ssl-renegotiate-forbidden"
#define OUR_NOTE   "kafkacam-http1"

/* Hashes of the URLs that were refused on a connection, the oldest overwritten. Written by the
 * threads of its streams at once; at worst a URL is refused once more. */
#define REMEMBERED 8

typedef struct {
    apr_uint32_t next;
    apr_uint32_t refused[REMEMBERED];
} memory_t;

static int insists(memory_t *memory, const char *url)
{
    apr_ssize_t size = APR_HASH_KEY_STRING;
    apr_uint32_t hash = apr_hashfunc_default(url, &size) | 1; /* 0 is: none */
    apr_uint32_t place;

    for (place = 0; place < REMEMBERED; place++) {
        if (apr_atomic_read32(&memory->refused[place]) == hash) {
            return 1;
        }
    }
    place = apr_atomic_inc32(&memory->next) % REMEMBERED;
    apr_atomic_set32(&memory->refused[place], hash);
    return 0;
}

int kc_http1_wanted(request_rec *r)
{
    conn_rec *master = r->connection->master;
    memory_t *memory;

    if (!master) {
        return 0;
    }
    memory = ap_get_module_config(master->conn_config, &kafkacam_module);
    if (!memory || insists(memory, r->unparsed_uri)) {
        return 0;
    }
    apr_table_setn(r->notes, RESET_NOTE, "live pictures");
    apr_table_setn(r->notes, OUR_NOTE, "1");
    return 1;
}

int kc_http1_was_wanted(const request_rec *r)
{
    return apr_table_get(r->notes, OUR_NOTE) != NULL;
}

/* Before any stream of the connection exists, so that their threads find it there. */
static int remember(conn_rec *c, void *socket)
{
    if (!c->master) {
        ap_set_module_config(c->conn_config, &kafkacam_module,
                             apr_pcalloc(c->pool, sizeof(memory_t)));
    }
    return OK;
}

void kc_http1_register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_connection(remember, NULL, NULL, APR_HOOK_FIRST);
}
