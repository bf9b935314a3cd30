/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded cache of memory blocks, for many threads of one process.
 *
 * It is divided into shards by the key's first byte, each with a lock, a hash table and a list by last use. A shard
 * that is full, in entries or bytes, evicts the least recently used block. A block is freed when the cache and all
 * holders have released it: a held block stays valid, whatever happens to the cache. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define SHARDS 16
#define SMALL                                                                                      \
    (SHARDS * 16)       /* a smaller cache has a single shard, so that it holds exactly as many */
#define KINDS      8    /* of credentials */
#define BYTES_EACH 2048 /* average size of an entry */

typedef struct entry entry_t;
struct entry {
    unsigned char key[IDENTITY_CACHE_KEY];
    entry_t *next;          /* in the same bucket */
    entry_t *newer, *older; /* by last use */
    size_t size;            /* of all of it */
    atomic_uint holders;    /* including the cache */
    _Alignas(16) unsigned char block[];
};

typedef struct shard {
    _Alignas(64) pthread_mutex_t mutex;
    entry_t **buckets;
    entry_t *newest, *oldest;
    unsigned entries;
    size_t bytes;
} shard_t;

struct identity_cache {
    unsigned shards, buckets; /* powers of two; buckets: of each shard */
    unsigned entries;         /* maximum for each shard */
    unsigned char secrets[KINDS][crypto_shorthash_siphashx24_KEYBYTES];
    shard_t shard[SHARDS];
};

identity_cache_t *identity_cache_make(apr_pool_t *pool, unsigned entries,
                                      const identity_random_t *random)
{
    void *memory = apr_pcalloc(pool, sizeof(identity_cache_t) + 64);
    identity_cache_t *cache = (void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);

    if (!identity_crypto_ready() ||
        !random->fill(random->context, cache->secrets, sizeof cache->secrets))
        return NULL;
    cache->shards = entries < SMALL ? 1 : SHARDS;
    cache->entries = (entries + cache->shards - 1) / cache->shards;
    for (cache->buckets = 1; cache->buckets < cache->entries; cache->buckets *= 2)
        ;
    for (unsigned i = 0; i < cache->shards; i++) {
        cache->shard[i].buckets = apr_pcalloc(pool, cache->buckets * sizeof(entry_t *));
        if (pthread_mutex_init(&cache->shard[i].mutex, NULL) != 0)
            return NULL;
    }
    return cache;
}

/* SipHash-2-4 with a secret key costs a fifth of BLAKE2b: this is computed with every request. */
void identity_cache_key(const identity_cache_t *cache, unsigned kind, const char *text,
                        unsigned char key[IDENTITY_CACHE_KEY])
{
    crypto_shorthash_siphashx24(key, (const unsigned char *)text, strlen(text),
                                cache->secrets[kind % KINDS]);
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static entry_t *entry_of(const void *block)
{
    return (entry_t *)((char *)(uintptr_t)block - offsetof(entry_t, block));
}

void *identity_cache_block(size_t size)
{
    entry_t *entry = calloc(1, sizeof *entry + size);

    if (!entry)
        return NULL;
    entry->size = sizeof *entry + size;
    atomic_init(&entry->holders, 1);
    return entry->block;
}

void identity_cache_release(const void *block)
{
    entry_t *entry = entry_of(block);

    if (atomic_fetch_sub(&entry->holders, 1) == 1)
        free(entry);
}

/* ---- a shard, its mutex held ------------------------------------------------------------------------------------ */

static entry_t **link_of(const identity_cache_t *cache, shard_t *shard, const unsigned char *key)
{
    uint32_t number;

    memcpy(&number, key + 1, sizeof number);
    entry_t **link = &shard->buckets[number & (cache->buckets - 1)];
    while (*link && memcmp((*link)->key, key, IDENTITY_CACHE_KEY) != 0)
        link = &(*link)->next;
    return link;
}

static void unlink_age(shard_t *shard, entry_t *entry)
{
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void make_newest(shard_t *shard, entry_t *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
    shard->newest = entry;
}

static void let_go(shard_t *shard, entry_t **link)
{
    entry_t *entry = *link;

    *link = entry->next;
    unlink_age(shard, entry);
    shard->entries--;
    shard->bytes -= entry->size;
    identity_cache_release(entry->block);
}

static shard_t *enter(identity_cache_t *cache, const unsigned char *key)
{
    shard_t *shard = &cache->shard[key[0] & (cache->shards - 1)];

    pthread_mutex_lock(&shard->mutex);
    return shard;
}

static void leave(shard_t *shard)
{
    pthread_mutex_unlock(&shard->mutex);
}

/* ---- what others call ------------------------------------------------------------------------------------------- */

void *identity_cache_get(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY])
{
    shard_t *shard = enter(cache, key);
    entry_t *entry = *link_of(cache, shard, key);

    if (entry) {
        atomic_fetch_add(&entry->holders, 1);
        unlink_age(shard, entry);
        make_newest(shard, entry);
    }
    leave(shard);
    return entry ? entry->block : NULL;
}

bool identity_cache_put(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY],
                        void *block, unsigned *gone, unsigned *evicted)
{
    entry_t *entry = entry_of(block);
    size_t most = (size_t)cache->entries * BYTES_EACH;

    *gone = *evicted = 0;
    if (entry->size > most)
        return false;
    memcpy(entry->key, key, IDENTITY_CACHE_KEY);
    atomic_fetch_add(&entry->holders, 1);
    shard_t *shard = enter(cache, key);
    unsigned before = shard->entries;
    entry_t **link = link_of(cache, shard, key);
    if (*link)
        let_go(shard, link);
    for (; shard->entries >= cache->entries || shard->bytes + entry->size > most; ++*evicted)
        let_go(shard, link_of(cache, shard, shard->oldest->key));
    *gone = before - shard->entries;
    link = link_of(cache, shard, key);
    entry->next = *link;
    *link = entry;
    make_newest(shard, entry);
    shard->entries++;
    shard->bytes += entry->size;
    leave(shard);
    return true;
}

bool identity_cache_drop(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY],
                         const void *block)
{
    shard_t *shard = enter(cache, key);
    entry_t **link = link_of(cache, shard, key);
    bool there = *link && (*link)->block == block;

    if (there)
        let_go(shard, link);
    leave(shard);
    return there;
}

void identity_cache_clear(identity_cache_t *cache)
{
    for (unsigned i = 0; i < cache->shards; i++) {
        shard_t *shard = &cache->shard[i];
        pthread_mutex_lock(&shard->mutex);
        while (shard->oldest)
            let_go(shard, link_of(cache, shard, shard->oldest->key));
        pthread_mutex_unlock(&shard->mutex);
    }
}

identity_cache_size_t identity_cache_size(identity_cache_t *cache)
{
    identity_cache_size_t size = {.entries = 0};

    for (unsigned i = 0; i < cache->shards; i++) {
        pthread_mutex_lock(&cache->shard[i].mutex);
        size.entries += cache->shard[i].entries;
        size.bytes += cache->shard[i].bytes;
        pthread_mutex_unlock(&cache->shard[i].mutex);
    }
    return size;
}
