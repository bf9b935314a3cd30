/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics. Part of identity/service.h. */
#ifndef IDENTITY_SERVICE_METRICS_PUBLIC_H
#define IDENTITY_SERVICE_METRICS_PUBLIC_H

#include "identity/service.h"

/* ---- metrics (metrics.c, metrics.def) --------------------------------------------------------------------------- */

#define FAMILY(kind, unit, section, name, help)
#define METRIC(id, labels, key, title) IDENTITY_METRIC_##id,
typedef enum {
#include "identity/metrics.def"
    IDENTITY_METRICS
} identity_metric_t;
#undef FAMILY
#undef METRIC

/* Counters in shared memory, with one part for each possible process. */
typedef struct identity_metrics identity_metrics_t;

size_t identity_metrics_size(unsigned parts);
/* memory: of that size, zeroed when new. The handle lives in pool and belongs to one process. */
identity_metrics_t *identity_metrics_make(apr_pool_t *pool, void *memory, unsigned parts);
/* From here on this process counts in that part. Its levels start at 0. */
void identity_metrics_use(identity_metrics_t *metrics, unsigned part);
/* The process using that part has ended: its levels are dropped, its counters stay. */
void identity_metrics_leave(identity_metrics_t *metrics, unsigned part);
/* One atomic addition. metrics may be NULL. n may be negative for a LEVEL. */
void identity_metric_add(identity_metrics_t *metrics, identity_metric_t metric, apr_int64_t n);
/* The sum over all processes. metrics may be NULL: 0. */
apr_int64_t identity_metric_read(const identity_metrics_t *metrics, identity_metric_t metric);
/* Counts an answered API request. route: its number in routes.def, -1 if none matched. */
void identity_metric_request(identity_metrics_t *metrics, int route, int status,
                             apr_interval_time_t took);
/* The counter for a decision on protected content. status: 401, 403, 5xx, anything else counts as allowed; method:
 * key, bearer, basic, cookie as in IDENTITY_AUTH, NULL for none. */
identity_metric_t identity_metric_protected(const char *method, int status);

/* The sums over all processes. GAUGEs are unknown until they are set. */
typedef struct identity_metrics_snapshot identity_metrics_snapshot_t;
identity_metrics_snapshot_t *identity_metrics_read(apr_pool_t *pool,
                                                   const identity_metrics_t *metrics);
void identity_snapshot_set(identity_metrics_snapshot_t *snapshot, identity_metric_t metric,
                           apr_int64_t n);
/* Marks the value as a lower bound: counting stopped there. */
void identity_snapshot_open(identity_metrics_snapshot_t *snapshot, identity_metric_t metric);

typedef enum {
    IDENTITY_LOG_ERROR,
    IDENTITY_LOG_WARNING,
    IDENTITY_LOG_INFO,
    IDENTITY_LOG_DEBUG
} identity_log_level_t;

/* One for each virtual host (or test, or command line). Used by many threads at once, so it is immutable. */
typedef struct identity_env {
    const identity_settings_t *settings;
    const identity_keyset_t *keys;
    identity_random_t random;
    /* Cheaper randomness where values only need to be distinct, such as request ids. fill NULL: use random. */
    identity_random_t labels;
    apr_time_t (*now)(void *context);
    /* A monotonic clock, the same in all processes of the machine, which also counts while the machine sleeps. NULL
     * if revisions is NULL. */
    apr_time_t (*ticks)(void *context);
    /* Borrows a connection, to be held as briefly as possible; BUSY if none comes free within IdentityDatabaseWait.
     * A thread never holds two. */
    identity_db_status_t (*borrow)(void *context, apr_pool_t *pool, identity_db_t **db);
    void (*give_back)(void *context, identity_db_t *db);
    /* Waits before work is run again. NULL: apr_sleep. */
    void (*pause)(void *context, apr_interval_time_t pause);
    /* Is a connection expected to be available? Asked before a caller without a valid credential is refused: while
     * nobody can be authenticated the answer is 503. NULL: always available; keys may be missing then, too. */
    bool (*available)(void *context, apr_pool_t *pool);
    /* The write lock, taken before BEGIN IMMEDIATE and released after COMMIT; false on timeout
     * (IdentityDatabaseWait). NULL: no lock is needed. */
    bool (*enter_write)(void *context);
    void (*leave_write)(void *context);
    /* enter_write without waiting, for writes that can be done later. NULL: same as enter_write. */
    bool (*try_write)(void *context);
    /* The password hashing semaphore. NULL: hashing is unlimited. */
    identity_hash_turn_t (*enter_hash)(void *context, const identity_hash_request_t *request,
                                       identity_hash_ticket_t *ticket);
    void (*leave_hash)(void *context, const identity_hash_ticket_t *ticket,
                       identity_hash_result_t result);
    /* Counters of IdentityRateLimit (failures and requests), and the clients that have proved their identity, shared
     * by all children. NULL: no limits. counters_scope: the database to which the names of users and keys belong. */
    identity_counters_t *counters, *proofs;
    const char *counters_scope;
    /* revisions: shared by all processes, tells when somebody's rights change; NULL: unknown, so nothing is cached.
     * cache: the principal cache of this process; NULL: none. */
    identity_revisions_t *revisions;
    identity_cache_t *cache;
    /* What many answers show alike, kept as text in this process under the same revisions; NULL: nothing. */
    identity_cache_t *shared;
    /* NULL: events are not counted. */
    identity_metrics_t *metrics;
    /* Logs one line, tagged IDnnnn:, without secrets. request_id may be NULL. */
    void (*log)(void *context, identity_log_level_t level, const char *request_id,
                const char *line);
    void *context;
} identity_env_t;

/* Statistics from the database, in a few bounded reads on one connection. If it does not answer, DATABASE_UP is 0
 * and the others stay unknown. */
void identity_metrics_statistics(apr_pool_t *pool, const identity_env_t *env,
                                 identity_metrics_snapshot_t *snapshot);

/* Statistics too expensive for every request: rows, size and oldest row of each table, queued mails by age, the
 * newest backup. One process collects them from time to time; all processes show them, from shared memory that
 * starts zeroed (watch.c). */
typedef struct identity_watch identity_watch_t;
typedef struct identity_watched {
    apr_int64_t size;          /* of the database file; 0: unknown */
    apr_time_t signing_key_at; /* of the newest signing key file; 0: unknown */
} identity_watched_t;
size_t identity_watch_size(void);
void identity_watch_take(apr_pool_t *pool, const identity_env_t *env,
                         const identity_watched_t *files, identity_watch_t *watch);
void identity_watch_show(const identity_watch_t *watch, identity_metrics_snapshot_t *snapshot);
/* Records that htidentity backup has succeeded. False: the record could not be written. */
bool identity_backup_done(apr_pool_t *pool, const identity_env_t *env);

/* The same metrics in three formats. Here: lines `IdentityKey: value` as mod_status writes them. */
const char *identity_metrics_lines(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);
/* OpenMetrics 1.0, ending in # EOF. */
#define IDENTITY_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
const char *identity_metrics_openmetrics(apr_pool_t *pool,
                                         const identity_metrics_snapshot_t *snapshot);

/* How the status page is shown. */
typedef struct identity_metrics_view {
    const char *site; /* server name; escaped here */
    apr_time_t now;
    bool mail;   /* mail is configured */
    int refresh; /* seconds between page refreshes, 0: never */
} identity_metrics_view_t;
/* A complete document without scripts or external resources. *policy: its Content-Security-Policy. */
const char *identity_metrics_page(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot,
                                  const identity_metrics_view_t *view, const char **policy);
/* Only the tables, to be inserted into the page of mod_status. */
const char *identity_metrics_section(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);

#endif
