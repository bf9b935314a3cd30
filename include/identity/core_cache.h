/* Rates, counters, revision counters and the cache. Part of identity/core.h. */
#ifndef IDENTITY_CORE_CACHE_PUBLIC_H
#define IDENTITY_CORE_CACHE_PUBLIC_H

#include "identity/core.h"

/* ---- rates and counters (rate.c, counters.c) -------------------------------------------------------------------- */

/* At most count in any period; a count of 0 is no limit, and nothing below is called with it. */
typedef struct identity_rate {
    unsigned count;
    apr_interval_time_t period;
} identity_rate_t;

#define IDENTITY_RATE_GROUPS 10
typedef struct identity_rate_group {
    apr_time_t last;
    unsigned count;
} identity_rate_group_t;

/* What one counter remembers. Zeroed memory: nothing. */
typedef struct identity_rate_state {
    apr_time_t until, quiet; /* of a growing wait: its end, and when it is forgotten that there was one */
    apr_time_t first;        /* beginning of the newest group */
    identity_rate_group_t groups[IDENTITY_RATE_GROUPS]; /* oldest first */
    int used;
    unsigned waits;
} identity_rate_state_t;

/* How long until the next one is allowed; 0: now. After so long it is, whatever is asked meanwhile. */
apr_interval_time_t identity_rate_wait(const identity_rate_state_t *state, const identity_rate_t *rate, apr_time_t now);
/* Counts one that is allowed (0), else counts nothing and tells the wait. Never more than the rate in any period.
 *
 * growing: the one that reaches the rate starts a wait of one period. When it is over the next one is allowed, and if
 * that is counted too the wait begins again, twice as long, up to identity_rate_longest. Who stays away after a wait
 * for as long as it was starts anew. */
apr_interval_time_t identity_rate_count(identity_rate_state_t *state, const identity_rate_t *rate, bool growing,
                                        apr_time_t now);
/* 16 periods, but at most an hour; a period, where that is longer. */
apr_interval_time_t identity_rate_longest(const identity_rate_t *rate);
/* From when on the state says nothing that zeroed memory does not. */
apr_time_t identity_rate_idle_at(const identity_rate_state_t *state, const identity_rate_t *rate);

/* Counters by name, in memory that processes may share and that never grows: where it is full, the counter that was
 * used longest ago gives way. Safe for threads and processes. */
typedef struct identity_counters identity_counters_t;

size_t identity_counters_size(unsigned entries);
/* memory: zeroed, on a border of 64, of identity_counters_size(entries). NULL where the machine fails. */
identity_counters_t *identity_counters_make(void *memory, unsigned entries, const identity_random_t *random);
/* identity_rate_wait and identity_rate_count of the counter of that name. */
apr_interval_time_t identity_counters_wait(identity_counters_t *counters, const char *key, const identity_rate_t *rate,
                                           apr_time_t now);
apr_interval_time_t identity_counters_count(identity_counters_t *counters, const char *key, const identity_rate_t *rate,
                                            bool growing, apr_time_t now);
/* The same table as a set of names, each until its time. */
void identity_counters_mark(identity_counters_t *counters, const char *key, apr_time_t until, apr_time_t now);
bool identity_counters_marked(identity_counters_t *counters, const char *key, apr_time_t now);
/* Until when; 0: it is not, or not any more. */
apr_time_t identity_counters_marked_until(identity_counters_t *counters, const char *key, apr_time_t now);

/* ---- what is remembered of somebody, and when it is old (revisions.c, cache.c) -------------------------------- */

/* A counter for each id, by a keyed hash, in memory that processes may share; never waits. */
typedef struct identity_revisions identity_revisions_t;

size_t identity_revisions_size(void);
/* memory: zeroed, on a border of 64, of identity_revisions_size(). NULL where the machine fails. */
identity_revisions_t *identity_revisions_make(void *memory, const identity_random_t *random);
/* After COMMIT of what changed the id's rights; "": everybody's. */
void identity_revisions_bump(identity_revisions_t *revisions, const char *id);

#define IDENTITY_STAMP_IDS 3
/* As of which revisions something was read. Zeroed: of none, and never current. */
typedef struct identity_snapshot {
    unsigned count, places[IDENTITY_STAMP_IDS + 1];
    apr_uint64_t values[IDENTITY_STAMP_IDS + 1];
} identity_snapshot_t;
/* Before the rows are read. */
apr_uint64_t identity_revisions_begin(identity_revisions_t *revisions);
/* After: the stamp of what was read of these ids (NULL: none) since then. False, with a stamp that is never current,
 * where anybody's rights were changed meanwhile. */
bool identity_snapshot_take(identity_revisions_t *revisions, apr_uint64_t began, const char *const ids[],
                            identity_snapshot_t *snapshot);
/* Is it still so? */
bool identity_snapshot_current(identity_revisions_t *revisions, const identity_snapshot_t *snapshot);

/* How far changes that others made have been counted: all that were committed before `at` (of a clock that only goes
 * forward; 0: never). sequence and made_at: the last of them. */
typedef struct identity_change_feed {
    apr_time_t at, made_at;
    apr_int64_t sequence;
} identity_change_feed_t;
identity_change_feed_t identity_revisions_followed(identity_revisions_t *revisions);
void identity_revisions_polled(identity_revisions_t *revisions, const identity_change_feed_t *follow);
/* These changes are this server's own, and counted: where they come right behind what was followed, that goes on to the
 * last of them. */
void identity_revisions_pass(identity_revisions_t *revisions, apr_int64_t first, apr_int64_t last, apr_time_t made_at);

/* A cache of blocks, of a bounded number of entries and twice as many KiB; what was used longest ago gives way. */
typedef struct identity_cache identity_cache_t;
#define IDENTITY_CACHE_KEY 16

/* entries: at least 1. Lives as long as the pool; identity_cache_clear frees its entries. NULL where the machine fails.
 */
identity_cache_t *identity_cache_make(apr_pool_t *pool, unsigned entries, const identity_random_t *random);
/* A keyed digest of a credential of a kind (below 8): says nothing to who finds it in memory. */
void identity_cache_key(const identity_cache_t *cache, unsigned kind, const char *text,
                        unsigned char key[IDENTITY_CACHE_KEY]);
/* Zeroed memory, held by the caller; NULL where there is none. */
void *identity_cache_block(size_t size);
/* Whoever holds a block releases it once. */
void identity_cache_release(const void *block);
/* The block, held for the caller; NULL: there is none. */
void *identity_cache_get(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY]);
/* Takes it in, in the place of another of the key; the caller holds it still. False where it is too large. *gone: how
 * many gave way, *evicted: of these, how many of other keys. */
bool identity_cache_put(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY], void *block,
                        unsigned *gone, unsigned *evicted);
/* Takes it out; false where it is not this one any more. */
bool identity_cache_drop(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY], const void *block);
void identity_cache_clear(identity_cache_t *cache);

typedef struct identity_cache_size {
    unsigned entries;
    size_t bytes;
} identity_cache_size_t;
identity_cache_size_t identity_cache_size(identity_cache_t *cache);

/* A text as one line of a log: control characters, marks that turn the direction of writing and bytes that are no UTF-8
 * become \xHH (security 85). */
const char *identity_log_text(apr_pool_t *pool, const char *text);
/* Reads a sealing key as its file has it: 32 bytes as 64 hexadecimal digits or in base64 (either alphabet, padded or
 * not), and perhaps the end of the line. False for anything else. */
bool identity_sealing_key_read(const char *text, unsigned char key[32]);

#endif
