/* SPDX-License-Identifier: Apache-2.0 */
/* A table of counters in memory that processes may share.
 *
 * It has a fixed size: a keyed digest assigns each key to a bucket, so that outsiders cannot choose which keys share
 * one. In a full bucket an expired counter is replaced, or else the least recently used. One lock guards a number of
 * buckets; it is robust, so a process killed while holding it blocks nobody, and what it leaves half written is a
 * counter that may be off by one. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define BUCKET 8
#define LOCKS  64

typedef struct entry {
    uint64_t key[2];
    apr_time_t used, idle_at; /* used 0: free */
    identity_rate_state_t state;
} entry_t;

typedef struct lock {
    _Alignas(64) pthread_mutex_t mutex;
} lock_t;

struct identity_counters {
    unsigned buckets;
    unsigned char secret[crypto_generichash_KEYBYTES];
    lock_t locks[LOCKS];
    entry_t entries[];
};

typedef struct place {
    uint64_t key[2];
    entry_t *bucket;
    pthread_mutex_t *mutex;
} place_t;

size_t identity_counters_size(unsigned entries)
{
    return sizeof(identity_counters_t) + (size_t)entries / BUCKET * BUCKET * sizeof(entry_t);
}

static bool lock_make(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t kind;
    bool made = pthread_mutexattr_init(&kind) == 0 &&
                pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0 &&
                pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0 &&
                pthread_mutex_init(mutex, &kind) == 0;

    pthread_mutexattr_destroy(&kind);
    return made;
}

identity_counters_t *identity_counters_make(void *memory, unsigned entries,
                                            const identity_random_t *random)
{
    identity_counters_t *counters = memory;

    counters->buckets = entries / BUCKET;
    if (!identity_crypto_ready() || !counters->buckets ||
        !random->fill(random->context, counters->secret, sizeof counters->secret))
        return NULL;
    for (int i = 0; i < LOCKS; i++)
        if (!lock_make(&counters->locks[i].mutex))
            return NULL;
    return counters;
}

static bool enter(identity_counters_t *counters, const char *key, place_t *place)
{
    crypto_generichash((unsigned char *)place->key, sizeof place->key, (const unsigned char *)key,
                       strlen(key), counters->secret, sizeof counters->secret);
    size_t number = place->key[0] % counters->buckets;
    place->bucket = &counters->entries[number * BUCKET];
    place->mutex = &counters->locks[number % LOCKS].mutex;
    int error = pthread_mutex_lock(place->mutex);
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(place->mutex);
    return error == 0;
}

static void leave(const place_t *place)
{
    pthread_mutex_unlock(place->mutex);
}

static entry_t *find(const place_t *place)
{
    for (int i = 0; i < BUCKET; i++) {
        entry_t *entry = &place->bucket[i];
        if (entry->used && entry->key[0] == place->key[0] && entry->key[1] == place->key[1])
            return entry;
    }
    return NULL;
}

/* Free, then idle, then least recently used. */
static apr_time_t worth(const entry_t *entry, apr_time_t now)
{
    return !entry->used ? -2 : entry->idle_at <= now ? -1 : entry->used;
}

static entry_t *find_or_make(const place_t *place, apr_time_t now)
{
    entry_t *entry = find(place);

    if (!entry) {
        entry = &place->bucket[0];
        for (int i = 1; i < BUCKET; i++)
            if (worth(&place->bucket[i], now) < worth(entry, now))
                entry = &place->bucket[i];
        memset(entry, 0, sizeof *entry);
        memcpy(entry->key, place->key, sizeof entry->key);
    }
    entry->used = now;
    return entry;
}

apr_interval_time_t identity_counters_wait(identity_counters_t *counters, const char *key,
                                           const identity_rate_t *rate, apr_time_t now)
{
    apr_interval_time_t wait = 0;
    place_t place;

    if (!enter(counters, key, &place))
        return 0;
    entry_t *entry = find(&place);
    if (entry) {
        entry->used = now;
        wait = identity_rate_wait(&entry->state, rate, now);
    }
    leave(&place);
    return wait;
}

apr_interval_time_t identity_counters_count(identity_counters_t *counters, const char *key,
                                            const identity_rate_t *rate, bool growing,
                                            apr_time_t now)
{
    place_t place;

    if (!enter(counters, key, &place))
        return 0;
    entry_t *entry = find_or_make(&place, now);
    apr_interval_time_t wait = identity_rate_count(&entry->state, rate, growing, now);
    entry->idle_at = identity_rate_idle_at(&entry->state, rate);
    leave(&place);
    return wait;
}

void identity_counters_give_back(identity_counters_t *counters, const char *key)
{
    place_t place;

    if (!enter(counters, key, &place))
        return;
    entry_t *entry = find(&place);
    if (entry)
        identity_rate_give_back(&entry->state);
    leave(&place);
}

void identity_counters_mark(identity_counters_t *counters, const char *key, apr_time_t until,
                            apr_time_t now)
{
    place_t place;

    if (!enter(counters, key, &place))
        return;
    find_or_make(&place, now)->idle_at = until;
    leave(&place);
}

apr_time_t identity_counters_marked_until(identity_counters_t *counters, const char *key,
                                          apr_time_t now)
{
    place_t place;

    if (!enter(counters, key, &place))
        return 0;
    const entry_t *entry = find(&place);
    apr_time_t until = entry && entry->idle_at > now ? entry->idle_at : 0;
    leave(&place);
    return until;
}

bool identity_counters_marked(identity_counters_t *counters, const char *key, apr_time_t now)
{
    return identity_counters_marked_until(counters, key, now) > 0;
}
