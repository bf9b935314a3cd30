/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, counters, revision counters and the cache. Part of identity/core.h. */
#ifndef IDENTITY_CORE_CACHE_PUBLIC_H
#define IDENTITY_CORE_CACHE_PUBLIC_H

#include "identity/core.h"

/* ---- rates and counters (rate.c, counters.c) -------------------------------------------------------------------- */

/* At most count in any period; a count of 0 means no limit, and none of the functions below is called with it. */
typedef struct identity_rate {
    unsigned count;
    apr_interval_time_t period;
} identity_rate_t;

#define IDENTITY_RATE_GROUPS 10
typedef struct identity_rate_group {
    apr_time_t last;
    unsigned count;
} identity_rate_group_t;

/* The state of one counter. Zeroed memory: never used. */
typedef struct identity_rate_state {
    apr_time_t until, quiet; /* of a growing wait: its end, and when the history is forgotten */
    apr_time_t first;        /* start of the newest group */
    identity_rate_group_t groups[IDENTITY_RATE_GROUPS]; /* oldest first */
    int used;
    unsigned waits;
} identity_rate_state_t;

/* The wait until the next event is allowed; 0: now. After that time it is allowed, whatever is asked in between. */
apr_interval_time_t identity_rate_wait(const identity_rate_state_t *state,
                                       const identity_rate_t *rate, apr_time_t now);
/* Counts an event if it is allowed (0); otherwise returns the wait without counting. Never allows more than the rate
 * in any period.
 *
 * growing: the event that reaches the rate starts a wait of one period. After it the next event is allowed, and if
 * that is counted too the wait starts again, twice as long, up to identity_rate_longest. Staying away after a wait
 * for as long as it lasted resets it. */
apr_interval_time_t identity_rate_count(identity_rate_state_t *state, const identity_rate_t *rate,
                                        bool growing, apr_time_t now);
/* Takes the newest event back, unless a wait has begun. */
void identity_rate_give_back(identity_rate_state_t *state);
/* 16 periods, but at most an hour; a single period if that is longer. */
apr_interval_time_t identity_rate_longest(const identity_rate_t *rate);
/* The time after which the state is equivalent to zeroed memory. */
apr_time_t identity_rate_idle_at(const identity_rate_state_t *state, const identity_rate_t *rate);

/* Counters by name, in memory of fixed size that processes may share: when it is full, the least recently used
 * counter is replaced. Safe for threads and processes. */
typedef struct identity_counters identity_counters_t;

size_t identity_counters_size(unsigned entries);
/* memory: zeroed, aligned to 64, of identity_counters_size(entries). NULL on a system failure. */
identity_counters_t *identity_counters_make(void *memory, unsigned entries,
                                            const identity_random_t *random);
/* identity_rate_wait and identity_rate_count for the counter of that name. */
apr_interval_time_t identity_counters_wait(identity_counters_t *counters, const char *key,
                                           const identity_rate_t *rate, apr_time_t now);
apr_interval_time_t identity_counters_count(identity_counters_t *counters, const char *key,
                                            const identity_rate_t *rate, bool growing,
                                            apr_time_t now);
/* identity_rate_give_back for it. */
void identity_counters_give_back(identity_counters_t *counters, const char *key);
/* The same table used as a set of names that expire. */
void identity_counters_mark(identity_counters_t *counters, const char *key, apr_time_t until,
                            apr_time_t now);
bool identity_counters_marked(identity_counters_t *counters, const char *key, apr_time_t now);
/* The expiry; 0: not marked, or expired. */
apr_time_t identity_counters_marked_until(identity_counters_t *counters, const char *key,
                                          apr_time_t now);

/* ---- the principal cache and its revisions (revisions.c, cache.c) ----------------------------------------------- */

/* A revision counter for each id, selected by a keyed hash, in memory that processes may share; lock-free. */
typedef struct identity_revisions identity_revisions_t;

size_t identity_revisions_size(void);
/* memory: zeroed, aligned to 64, of identity_revisions_size(). NULL on a system failure. */
identity_revisions_t *identity_revisions_make(void *memory, const identity_random_t *random);
/* Call after COMMIT of a change to the id's rights; "": everybody's. */
void identity_revisions_bump(identity_revisions_t *revisions, const char *id);

#define IDENTITY_STAMP_IDS 3
/* As of which revisions something was read. Zeroed: of none, and never current. */
typedef struct identity_snapshot {
    unsigned count, places[IDENTITY_STAMP_IDS + 1];
    apr_uint64_t values[IDENTITY_STAMP_IDS + 1];
} identity_snapshot_t;
/* Call before the rows are read. */
apr_uint64_t identity_revisions_begin(identity_revisions_t *revisions);
/* Call after reading rows of these ids (NULL: none): the snapshot as of began. False, with a snapshot that is never
 * current, if anybody's rights were changed in between. */
bool identity_snapshot_take(identity_revisions_t *revisions, apr_uint64_t began,
                            const char *const ids[], identity_snapshot_t *snapshot);
/* Are the revisions in it unchanged? */
bool identity_snapshot_current(identity_revisions_t *revisions,
                               const identity_snapshot_t *snapshot);

/* How far changes made by others have been counted: all commits before `at` (of a monotonic clock; 0: never).
 * sequence and made_at: the last change seen. */
typedef struct identity_change_feed {
    apr_time_t at, made_at;
    apr_int64_t sequence;
} identity_change_feed_t;
identity_change_feed_t identity_revisions_followed(identity_revisions_t *revisions);
void identity_revisions_polled(identity_revisions_t *revisions,
                               const identity_change_feed_t *follow);
/* These changes are this server's own, and counted: where they come right behind what was followed, that goes on to the
 * last of them. */
void identity_revisions_pass(identity_revisions_t *revisions, apr_int64_t first, apr_int64_t last,
                             apr_time_t made_at);

/* A cache of blocks, with a bounded number of entries and twice as many KiB; the least recently used block is
 * evicted. */
typedef struct identity_cache identity_cache_t;
#define IDENTITY_CACHE_KEY 16

/* entries: at least 1. Lives as long as the pool; identity_cache_clear frees its entries. NULL on a system failure. */
identity_cache_t *identity_cache_make(apr_pool_t *pool, unsigned entries,
                                      const identity_random_t *random);
/* A keyed digest of a credential of a kind (below 8): useless to anyone who finds it in memory. */
void identity_cache_key(const identity_cache_t *cache, unsigned kind, const char *text,
                        unsigned char key[IDENTITY_CACHE_KEY]);
/* Zeroed memory with a reference for the caller; NULL if there is none. */
void *identity_cache_block(size_t size);
/* Releases a reference, once. */
void identity_cache_release(const void *block);
/* The block with a reference for the caller; NULL: not cached. */
void *identity_cache_get(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY]);
/* Adds the block, replacing another one of that key; the caller keeps its reference. False if it is too large.
 * *gone: how many blocks were removed, *evicted: how many of them had other keys. */
bool identity_cache_put(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY],
                        void *block, unsigned *gone, unsigned *evicted);
/* Removes the block; false if the key now has another one. */
bool identity_cache_drop(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY],
                         const void *block);
void identity_cache_clear(identity_cache_t *cache);

typedef struct identity_cache_size {
    unsigned entries;
    size_t bytes;
} identity_cache_size_t;
identity_cache_size_t identity_cache_size(identity_cache_t *cache);

/* Text made safe for one log line: control characters, bidirectional formatting and invalid UTF-8 become \xHH
 * (security 85). */
const char *identity_log_text(apr_pool_t *pool, const char *text);
/* Reads the contents of a sealing key file: 32 bytes as 64 hex digits or in base64 (either alphabet, padded or not),
 * optionally with a line end. False for anything else. */
bool identity_sealing_key_read(const char *text, unsigned char key[32]);

#endif
