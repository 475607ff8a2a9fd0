#include "kc_clients.h"

#include <unistd.h>
#include <apr_atomic.h>
#include <apr_shm.h>
#include <http_log.h>
#include "kc_config.h"

#define RETAINED "kafkacam-clients"

typedef struct {
    apr_uint32_t pid;     /* atomic; 0: free */
    apr_uint64_t address; /* atomic; hash */
} entry_t;

typedef struct {
    apr_uint32_t size; /* set at creation, never changes */
    entry_t entries[];
} memory_t;

typedef struct {
    memory_t *memory; /* outlives reloads, because streams of the old children do */
} retained_t;

static memory_t *memory;

apr_status_t kc_clients_create(server_rec *s)
{
    const kc_config_t *config = kc_config_get(s);
    retained_t *retained = ap_retained_data_get(RETAINED);
    apr_uint32_t size = (apr_uint32_t)config->max_viewers;
    apr_status_t rv;
    apr_shm_t *shm;

    if (!retained) {
        retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    }
    if (config->max_viewers_per_client && (!retained->memory || retained->memory->size < size)) {
        rv =
            apr_shm_create(&shm, sizeof(memory_t) + size * sizeof(entry_t), NULL, s->process->pool);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                         KC_ID(2301) "no shared memory for KafkaCamMaxViewersPerClient, %u "
                                     "streams: the server cannot start",
                         size);
            return rv;
        }
        retained->memory = apr_shm_baseaddr_get(shm);
        memset(retained->memory, 0, sizeof(memory_t) + size * sizeof(entry_t));
        retained->memory->size = size;
    }
    memory = retained->memory;
    return APR_SUCCESS;
}

/* FNV-1a. A stranger with the same hash would share a limit, one in 2^64. */
static apr_uint64_t hash_of(const unsigned char *data, apr_size_t size)
{
    apr_uint64_t hash = 14695981039346656037ULL;
    apr_size_t i;

    for (i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 1099511628211ULL;
    }
    return hash;
}

/* Of IPv6 the network: whoever has one address has all of its /64. */
static apr_uint64_t hash_client(const request_rec *r)
{
    const apr_sockaddr_t *address = r->useragent_addr;

    if (address && address->family == APR_INET6) {
        const struct in6_addr *six = &address->sa.sin6.sin6_addr;
        int mapped = IN6_IS_ADDR_V4MAPPED(six);

        return hash_of(six->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
    if (address && address->family == APR_INET) {
        return hash_of((const unsigned char *)&address->sa.sin.sin_addr, 4);
    }
    return hash_of((const unsigned char *)r->useragent_ip, strlen(r->useragent_ip));
}

static apr_status_t leave(void *data)
{
    entry_t *entry = data;

    apr_atomic_set64(&entry->address, 0);
    apr_atomic_set32(&entry->pid, 0);
    return APR_SUCCESS;
}

static entry_t *enter(apr_uint64_t address)
{
    apr_uint32_t i;

    for (i = 0; i < memory->size; i++) {
        entry_t *entry = &memory->entries[i];

        if (apr_atomic_read32(&entry->pid) == 0 &&
            apr_atomic_cas32(&entry->pid, (apr_uint32_t)getpid(), 0) == 0) {
            apr_atomic_set64(&entry->address, address);
            return entry;
        }
    }
    return NULL;
}

static int count_of(apr_uint64_t address)
{
    apr_uint32_t i;
    int count = 0;

    for (i = 0; i < memory->size; i++) {
        count += apr_atomic_read64(&memory->entries[i].address) == address;
    }
    return count;
}

/* Entered before counting, so that of two at once at least one sees the other. */
int kc_clients_enter(request_rec *r, int max)
{
    apr_uint64_t address = hash_client(r);
    entry_t *entry;

    if (!memory || !max) {
        return 1;
    }
    entry = enter(address);
    if (!entry) {
        return 1; /* as many streams as KafkaCamMaxViewers: that limit speaks */
    }
    apr_pool_cleanup_register(r->pool, entry, leave, apr_pool_cleanup_null);
    return count_of(address) <= max;
}

void kc_clients_leave(pid_t pid)
{
    apr_uint32_t i;

    for (i = 0; memory && i < memory->size; i++) {
        if (apr_atomic_read32(&memory->entries[i].pid) == (apr_uint32_t)pid) {
            leave(&memory->entries[i]);
        }
    }
}
