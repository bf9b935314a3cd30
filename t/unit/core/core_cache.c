/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded cache of blocks for many threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core_fixture.h"

static identity_cache_t *cache_of(unsigned entries)
{
    identity_cache_t *cache = identity_cache_make(pool, entries, &machine_random);
    return cache ? cache : (bail("no cache"), NULL);
}

typedef struct name {
    unsigned char key[IDENTITY_CACHE_KEY];
} name_t;

static name_t key_of(const identity_cache_t *cache, unsigned kind, int number)
{
    name_t name;
    char text[32];

    snprintf(text, sizeof text, "credential %d", number);
    identity_cache_key(cache, kind, text, name.key);
    return name;
}

/* A block that holds its number. */
static unsigned put(identity_cache_t *cache, int number, size_t size, unsigned *evicted)
{
    int *block = identity_cache_block(size);
    unsigned gone = 0;

    *block = number;
    identity_cache_put(cache, key_of(cache, 1, number).key, block, &gone, evicted);
    identity_cache_release(block);
    return gone;
}

static int get(identity_cache_t *cache, int number)
{
    const int *block = identity_cache_get(cache, key_of(cache, 1, number).key);
    int found = block ? *block : -1;

    if (block)
        identity_cache_release(block);
    return found;
}

static void test_cold(void)
{
    identity_cache_t *cache = cache_of(100);
    unsigned evicted;

    is_int(get(cache, 1), -1, "nothing is there at first");
    is_int((int)put(cache, 1, 100, &evicted), 0, "nothing gives way");
    is_int(get(cache, 1), 1, "what was put in is found");
    is_int(get(cache, 2), -1, "nothing else");
    ok(memcmp(key_of(cache, 1, 1).key, key_of(cache, 2, 1).key, IDENTITY_CACHE_KEY) != 0,
       "a key's text is another credential than a token's");
    ok(memcmp(key_of(cache, 1, 1).key, key_of(cache_of(100), 1, 1).key, IDENTITY_CACHE_KEY) != 0,
       "each cache has digests of its own");
    is_int((int)put(cache, 1, 100, &evicted), 1, "another of the same credential takes its place");
    is_int((int)evicted, 0, "... which is no eviction");
    is_int((int)identity_cache_size(cache).entries, 1, "one entry");
    identity_cache_clear(cache);
    is_int(get(cache, 1), -1, "empty again");
}

static void test_full(void)
{
    identity_cache_t *cache = cache_of(10);
    unsigned evicted, all = 0;

    for (int i = 0; i < 10; i++)
        put(cache, i, 64, &evicted);
    is_int((int)identity_cache_size(cache).entries, 10, "ten of ten");
    get(cache, 0);
    for (int i = 10; i < 19; i++) {
        put(cache, i, 64, &evicted);
        all += evicted;
    }
    is_int((int)identity_cache_size(cache).entries, 10, "no more");
    is_int((int)all, 9, "each has taken another's place");
    is_int(get(cache, 0), 0, "what was used last stays");
    is_int(get(cache, 1), -1, "what was used longest ago went");
    identity_cache_clear(cache);
}

/* Entries with very many permissions. */
static void test_bytes(void)
{
    identity_cache_t *cache = cache_of(1000);
    unsigned evicted;

    for (int i = 0; i < 2000; i++)
        put(cache, i, 10000, &evicted);
    identity_cache_size_t size = identity_cache_size(cache);
    ok(size.bytes <= 1024 * 2048 && size.entries > 100, "%u large entries take %zu bytes, no more than all may",
       size.entries, size.bytes);
    int *huge = identity_cache_block(1000000);
    unsigned gone;
    ok(!identity_cache_put(cache, key_of(cache, 1, 1).key, huge, &gone, &evicted), "one that is too large stays out");
    ok(identity_cache_size(cache).entries == size.entries, "... and nothing went for it");
    identity_cache_release(huge);
    identity_cache_clear(cache);
    is_int((int)identity_cache_size(cache).bytes, 0, "nothing is left");
    /* What the memory of 10,000 entries comes to is in README. */
    cache = cache_of(10000);
    for (int i = 0; i < 10000; i++)
        put(cache, i, 500, &evicted);
    ok(identity_cache_size(cache).entries > 9500, "as many as are asked for, but for uneven shards: %u",
       identity_cache_size(cache).entries);
    identity_cache_clear(cache);
}

static void test_held(void)
{
    identity_cache_t *cache = cache_of(1);
    unsigned evicted;

    put(cache, 1, 64, &evicted);
    const int *held = identity_cache_get(cache, key_of(cache, 1, 1).key);
    put(cache, 2, 64, &evicted);
    is_int(get(cache, 1), -1, "it gave way");
    is_int(*held, 1, "who holds it has it still");
    ok(!identity_cache_drop(cache, key_of(cache, 1, 2).key, held), "one that is not there is not taken out");
    identity_cache_release(held);
    held = identity_cache_get(cache, key_of(cache, 1, 2).key);
    ok(identity_cache_drop(cache, key_of(cache, 1, 2).key, held), "one that is there is");
    ok(!identity_cache_drop(cache, key_of(cache, 1, 2).key, held), "... once");
    identity_cache_release(held);
    is_int((int)identity_cache_size(cache).entries, 0, "none");
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

static identity_cache_t *common;
static atomic_int wrong;

static void *use(void *start)
{
    unsigned seed = *(unsigned *)start, evicted;

    for (int i = 0; i < 20000; i++) {
        seed = seed * 1103515245 + 12345;
        int number = (int)(seed >> 8) % 700;
        const int *block = identity_cache_get(common, key_of(common, 1, number).key);
        if (!block) {
            put(common, number, 64 + (size_t)number, &evicted);
            continue;
        }
        if (*block != number)
            atomic_fetch_add(&wrong, 1);
        if (seed % 13 == 0)
            identity_cache_drop(common, key_of(common, 1, number).key, block);
        identity_cache_release(block);
    }
    return start;
}

static void test_threads(void)
{
    pthread_t threads[4];
    unsigned seeds[4] = {1, 2, 3, 4};

    common = cache_of(500);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, use, &seeds[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    is_int(wrong, 0, "many threads find what they ask for, or nothing");
    ok(identity_cache_size(common).entries <= 512, "and never too many: %u", identity_cache_size(common).entries);
    identity_cache_clear(common);
}

int main(void)
{
    fixture_begin();
    test_cold();
    test_full();
    test_bytes();
    test_held();
    test_threads();
    return fixture_end();
}
