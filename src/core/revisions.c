/* SPDX-License-Identifier: Apache-2.0 */
/* Counters in memory shared by processes, by which each of them detects that its cached principals are outdated.
 *
 * A keyed hash selects an id's counter. If two ids share one, a change of either makes both be read again, no more.
 * A reader calls `identity_revisions_begin` before and takes the snapshot after reading: it is refused if anything
 * at all was changed in between, so the reader need not know beforehand whose rows it will read. A writer increments
 * after COMMIT: `changes` first, then the ids' counters. So a reader that has seen old rows either finds `changes`
 * moved, or has the counter's old value. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define COUNTERS  65536u /* a power of two; 512 KiB */
#define EVERYBODY 0u     /* not used for any id */

struct identity_revisions {
    unsigned char secret[crypto_shorthash_KEYBYTES];
    _Alignas(64) atomic_uint_fast64_t changes;
    /* How far the change feed has been read (identity_change_feed_t). */
    _Alignas(64) _Atomic int64_t followed_at, sequence, made_at;
    _Alignas(64) atomic_uint_fast64_t counters[COUNTERS];
};

size_t identity_revisions_size(void)
{
    return sizeof(identity_revisions_t);
}

identity_revisions_t *identity_revisions_make(void *memory, const identity_random_t *random)
{
    identity_revisions_t *revisions = memory;

    if (!identity_crypto_ready() ||
        !random->fill(random->context, revisions->secret, sizeof revisions->secret))
        return NULL;
    return revisions;
}

static unsigned place_of(const identity_revisions_t *revisions, const char *id)
{
    unsigned char hash[crypto_shorthash_BYTES];
    uint32_t number;

    crypto_shorthash(hash, (const unsigned char *)id, strlen(id), revisions->secret);
    memcpy(&number, hash, sizeof number);
    number &= COUNTERS - 1;
    return number == EVERYBODY ? 1 : number;
}

static void count(identity_revisions_t *revisions, unsigned place)
{
    atomic_fetch_add(&revisions->changes, 1);
    atomic_fetch_add(&revisions->counters[place], 1);
}

void identity_revisions_bump(identity_revisions_t *revisions, const char *id)
{
    count(revisions, *id ? place_of(revisions, id) : EVERYBODY);
}

apr_uint64_t identity_revisions_begin(identity_revisions_t *revisions)
{
    return atomic_load(&revisions->changes);
}

static void add(identity_revisions_t *revisions, identity_snapshot_t *snapshot, unsigned place)
{
    snapshot->places[snapshot->count] = place;
    snapshot->values[snapshot->count++] = atomic_load(&revisions->counters[place]);
}

bool identity_snapshot_take(identity_revisions_t *revisions, apr_uint64_t began,
                            const char *const ids[], identity_snapshot_t *snapshot)
{
    snapshot->count = 0;
    add(revisions, snapshot, EVERYBODY);
    for (int i = 0; i < IDENTITY_STAMP_IDS; i++)
        if (ids[i])
            add(revisions, snapshot, place_of(revisions, ids[i]));
    if (atomic_load(&revisions->changes) == began)
        return true;
    snapshot->count = 0;
    return false;
}

bool identity_snapshot_current(identity_revisions_t *revisions, const identity_snapshot_t *snapshot)
{
    for (unsigned i = 0; i < snapshot->count; i++)
        if (atomic_load(&revisions->counters[snapshot->places[i]]) != snapshot->values[i])
            return false;
    return snapshot->count > 0;
}

identity_change_feed_t identity_revisions_followed(identity_revisions_t *revisions)
{
    return (identity_change_feed_t){.at = atomic_load(&revisions->followed_at),
                                    .sequence = atomic_load(&revisions->sequence),
                                    .made_at = atomic_load(&revisions->made_at)};
}

void identity_revisions_polled(identity_revisions_t *revisions,
                               const identity_change_feed_t *follow)
{
    atomic_store(&revisions->sequence, follow->sequence);
    atomic_store(&revisions->made_at, follow->made_at);
    /* Two concurrent readers of the feed (around a graceful restart) never turn it back. */
    int64_t present = atomic_load(&revisions->followed_at);
    while (present < follow->at &&
           !atomic_compare_exchange_weak(&revisions->followed_at, &present, follow->at))
        ;
}

void identity_revisions_pass(identity_revisions_t *revisions, apr_int64_t first, apr_int64_t last,
                             apr_time_t made_at)
{
    int64_t before = first - 1;

    /* Reading one without the other looks like another database, so everything is invalidated: that only costs time. */
    if (atomic_compare_exchange_strong(&revisions->sequence, &before, last))
        atomic_store(&revisions->made_at, made_at);
}
