/* SPDX-License-Identifier: Apache-2.0 */
/* The semaphore of password hashing (password_semaphore.c) of all hosts. */
#include "server_int.h"

static bool init(void *memory, const void *random)
{
    return identity_hashsem_init(memory, random);
}

bool identity_hashsem_share(identity_site_t *site, unsigned slots)
{
    const identity_random_t *random = &APR_ARRAY_IDX(site->hosts, 0, identity_host_t *)->env.random;
    const char *name = apr_psprintf(site->pool, "hash-semaphore-%u", slots);
    void *memory = identity_shared(site, name, 1, identity_hashsem_size(slots), init, random);

    if (!memory)
        return false;
    site->hash_slots = slots;
    site->hashing = identity_hashsem_open(site->pool, memory, slots, identity_process_gone);
    return true;
}

void identity_hashsem_metrics(const identity_site_t *site, identity_metrics_snapshot_t *snapshot)
{
    unsigned hashing, queued;

    identity_hashsem_look(site->hashing, &hashing, &queued);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_HASH_SLOTS, site->hash_slots);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_HASH_IN_USE, hashing);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_HASH_WAITING, queued);
}
