/* Counters in memory that processes share, by which each of them tells that what it remembers of somebody is old.
 *
 * An id has its counter by a keyed hash. Two ids may have the same: then a change of the one lets the other be read
 * anew, no more. Who reads rows asks before (`identity_generations_begin`) and takes the stamp after: it is refused
 * where anything at all was changed between, so it need not know beforehand whose rows it will read. Who changes rows
 * counts after COMMIT: `changes` first, then the ids' counters. So a reader that has seen old rows either finds
 * `changes` moved, or holds the counter's old value.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define COUNTERS  65536u /* a power of two; 512 KiB */
#define EVERYBODY 0u     /* no id's */

struct identity_generations {
    unsigned char secret[crypto_shorthash_KEYBYTES];
    _Alignas(64) atomic_uint_fast64_t changes;
    /* How far the table `changes` is followed (identity_follow_t). */
    _Alignas(64) _Atomic int64_t followed_at, sequence, made_at;
    _Alignas(64) atomic_uint_fast64_t counters[COUNTERS];
};

size_t identity_generations_size(void)
{
    return sizeof(identity_generations_t);
}

identity_generations_t *identity_generations_make(void *memory, const identity_random_t *random)
{
    identity_generations_t *generations = memory;

    if (!identity_crypto_ready() || !random->fill(random->context, generations->secret, sizeof generations->secret))
        return NULL;
    return generations;
}

static unsigned place_of(const identity_generations_t *generations, const char *id)
{
    unsigned char hash[crypto_shorthash_BYTES];
    uint32_t number;

    crypto_shorthash(hash, (const unsigned char *)id, strlen(id), generations->secret);
    memcpy(&number, hash, sizeof number);
    number &= COUNTERS - 1;
    return number == EVERYBODY ? 1 : number;
}

static void count(identity_generations_t *generations, unsigned place)
{
    atomic_fetch_add(&generations->changes, 1);
    atomic_fetch_add(&generations->counters[place], 1);
}

void identity_generations_bump(identity_generations_t *generations, const char *id)
{
    count(generations, *id ? place_of(generations, id) : EVERYBODY);
}

apr_uint64_t identity_generations_begin(identity_generations_t *generations)
{
    return atomic_load(&generations->changes);
}

static void add(identity_generations_t *generations, identity_stamp_t *stamp, unsigned place)
{
    stamp->places[stamp->count] = place;
    stamp->values[stamp->count++] = atomic_load(&generations->counters[place]);
}

bool identity_stamp_take(identity_generations_t *generations, apr_uint64_t began, const char *const ids[],
                         identity_stamp_t *stamp)
{
    stamp->count = 0;
    add(generations, stamp, EVERYBODY);
    for (int i = 0; i < IDENTITY_STAMP_IDS; i++)
        if (ids[i])
            add(generations, stamp, place_of(generations, ids[i]));
    if (atomic_load(&generations->changes) == began)
        return true;
    stamp->count = 0;
    return false;
}

bool identity_stamp_current(identity_generations_t *generations, const identity_stamp_t *stamp)
{
    for (unsigned i = 0; i < stamp->count; i++)
        if (atomic_load(&generations->counters[stamp->places[i]]) != stamp->values[i])
            return false;
    return stamp->count > 0;
}

identity_follow_t identity_generations_followed(identity_generations_t *generations)
{
    return (identity_follow_t){.at = atomic_load(&generations->followed_at),
                               .sequence = atomic_load(&generations->sequence),
                               .made_at = atomic_load(&generations->made_at)};
}

void identity_generations_follow(identity_generations_t *generations, const identity_follow_t *follow)
{
    atomic_store(&generations->sequence, follow->sequence);
    atomic_store(&generations->made_at, follow->made_at);
    /* Two that follow at the same time (around a graceful restart) never turn it back. */
    int64_t present = atomic_load(&generations->followed_at);
    while (present < follow->at && !atomic_compare_exchange_weak(&generations->followed_at, &present, follow->at))
        ;
}
