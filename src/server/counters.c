/* The memory of the rate limits: two tables in anonymous shared memory, made once in the life of the parent. Pages that
 * no counter has used yet take no room. */
#include <stdint.h>

#include <apr_shm.h>

#include "server_int.h"

#define COUNTERS 32768 /* some 8 MiB when all are used */
#define PROOFS   8192
#define BORDER   64

typedef struct tables {
    identity_counters_t *counters, *proofs;
} tables_t;

void *identity_memory_shared(apr_pool_t *pool, size_t size)
{
    apr_shm_t *memory;

    /* APR keeps a word of its own in front. */
    if (apr_shm_create(&memory, size + BORDER, NULL, pool) != APR_SUCCESS)
        return NULL;
    return (void *)(((uintptr_t)apr_shm_baseaddr_get(memory) + BORDER - 1) & ~(uintptr_t)(BORDER - 1));
}

static identity_counters_t *table(apr_pool_t *pool, unsigned entries, const identity_random_t *random)
{
    void *memory = identity_memory_shared(pool, identity_counters_size(entries));
    return memory ? identity_counters_make(memory, entries, random) : NULL;
}

bool identity_counters_share(identity_site_t *site)
{
    apr_pool_t *process = site->main_server->process->pool;
    const identity_random_t *random = &APR_ARRAY_IDX(site->hosts, 0, identity_host_t *)->env.random;
    /* A module that was replaced before a graceful restart may lay it out in another way. */
    const char *name =
        apr_psprintf(site->pool, "identity-counters-1-%" APR_SIZE_T_FMT, identity_counters_size(COUNTERS));
    void *found = NULL;

    apr_pool_userdata_get(&found, name, process);
    tables_t *tables = found;
    if (!tables) {
        tables = apr_pcalloc(process, sizeof *tables);
        tables->counters = table(process, COUNTERS, random);
        tables->proofs = table(process, PROOFS, random);
        if (!tables->counters || !tables->proofs)
            return false;
        apr_pool_userdata_set(tables, name, NULL, process);
    }
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        host->env.counters = tables->counters;
        host->env.proofs = tables->proofs;
        host->env.counters_scope = host->dbd.params;
    }
    return true;
}
