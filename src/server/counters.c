/* SPDX-License-Identifier: Apache-2.0 */
/* The two tables of the rate limits, in shared memory. Untouched pages take no memory. */
#include "server_int.h"

#define COUNTERS 32768 /* about 8 MiB when fully used */
#define PROOFS   8192

typedef struct table {
    unsigned entries;
    const identity_random_t *random;
} table_t;

static bool init(void *memory, const void *table_)
{
    const table_t *table = table_;
    return identity_counters_make(memory, table->entries, table->random) != NULL;
}

static identity_counters_t *table_of(const identity_site_t *site, const char *name,
                                     unsigned entries)
{
    table_t table = {entries, &APR_ARRAY_IDX(site->hosts, 0, identity_host_t *)->env.random};
    return identity_shared(site, name, 1, identity_counters_size(entries), init, &table);
}

bool identity_counters_share(identity_site_t *site)
{
    identity_counters_t *counters = table_of(site, "counters", COUNTERS),
                        *proofs = table_of(site, "proofs", PROOFS);

    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        host->env.counters = counters;
        host->env.proofs = proofs;
        host->env.counters_scope = host->dbd.params;
    }
    return counters && proofs;
}
