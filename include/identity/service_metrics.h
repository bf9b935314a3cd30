/* Metrics. Part of identity/service.h. */
#ifndef IDENTITY_SERVICE_METRICS_PUBLIC_H
#define IDENTITY_SERVICE_METRICS_PUBLIC_H

#include "identity/service.h"

/* ---- figures (metrics.c, metrics.def) --------------------------------------------------------------------------- */

#define FAMILY(kind, unit, section, name, help)
#define METRIC(id, labels, key, title) IDENTITY_METRIC_##id,
typedef enum {
#include "identity/metrics.def"
    IDENTITY_METRICS
} identity_metric_t;
#undef FAMILY
#undef METRIC

/* Counters in memory that processes share, in as many parts as there may be processes. */
typedef struct identity_metrics identity_metrics_t;

size_t identity_metrics_size(unsigned parts);
/* In memory of that size, all zero when it is new; the handle lives in pool and is a process's own. */
identity_metrics_t *identity_metrics_make(apr_pool_t *pool, void *memory, unsigned parts);
/* From here on this process counts in that part, whose levels begin at nothing. */
void identity_metrics_use(identity_metrics_t *metrics, unsigned part);
/* The process of that part is gone: its levels go, its counters stay. */
void identity_metrics_leave(identity_metrics_t *metrics, unsigned part);
/* One atomic addition. metrics may be NULL. n below 0: for a LEVEL. */
void identity_metric_add(identity_metrics_t *metrics, identity_metric_t metric, apr_int64_t n);
/* What all processes have added up to. metrics may be NULL: 0. */
apr_int64_t identity_metric_read(const identity_metrics_t *metrics, identity_metric_t metric);
/* A request to the API that was answered. route: its number in routes.def, -1 where none matched. */
void identity_metric_request(identity_metrics_t *metrics, int route, int status, apr_interval_time_t took);
/* The counter of a decision on other content: 401, 403, 5xx, or anything else for let in; method: key, bearer, basic,
 * cookie as IDENTITY_AUTH says, NULL for none. */
identity_metric_t identity_metric_protected(const char *method, int status);

/* What all processes have counted so far; GAUGEs are not known until they are set. */
typedef struct identity_metrics_snapshot identity_metrics_snapshot_t;
identity_metrics_snapshot_t *identity_metrics_read(apr_pool_t *pool, const identity_metrics_t *metrics);
void identity_snapshot_set(identity_metrics_snapshot_t *snapshot, identity_metric_t metric, apr_int64_t n);
/* There may be more of it than were counted. */
void identity_snapshot_open(identity_metrics_snapshot_t *snapshot, identity_metric_t metric);

typedef enum { IDENTITY_LOG_ERROR, IDENTITY_LOG_WARNING, IDENTITY_LOG_INFO, IDENTITY_LOG_DEBUG } identity_log_level_t;

/* One a virtual host (or a test, or the command line); used by many threads at once, so nothing in it changes. */
typedef struct identity_env {
    const identity_settings_t *settings;
    const identity_keyset_t *keys;
    identity_random_t random;
    /* What needs no more than to differ, such as the ids of requests, at less cost. fill NULL: as random. */
    identity_random_t labels;
    apr_time_t (*now)(void *context);
    /* A clock that only goes forward, the same in all processes of the machine, even while it sleeps. NULL where
     * revisions is. */
    apr_time_t (*ticks)(void *context);
    /* A connection for the shortest time; BUSY where none comes within IdentityDatabaseWait. Never two at once in a
     * thread. */
    identity_db_status_t (*borrow)(void *context, apr_pool_t *pool, identity_db_t **db);
    void (*give_back)(void *context, identity_db_t *db);
    /* Could a connection be had, as far as is known? Asked before a caller without a good credential is refused: while
     * nobody can be known the answer is 503. NULL: always; then keys may be missing, too. */
    bool (*available)(void *context, apr_pool_t *pool);
    /* The writers' gate, taken before BEGIN IMMEDIATE and left after COMMIT; false past IdentityDatabaseWait. NULL:
     * none is needed. */
    bool (*enter_write)(void *context);
    void (*leave_write)(void *context);
    /* enter_write without any wait: for what can be written another time. NULL: as enter_write. */
    bool (*try_write)(void *context);
    /* The semaphore of password hashing (architecture, decision 6). NULL: everybody hashes. */
    identity_hash_turn_t (*enter_hash)(void *context, const identity_hash_request_t *request,
                                       identity_hash_ticket_t *ticket);
    void (*leave_hash)(void *context, const identity_hash_ticket_t *ticket, identity_hash_result_t result);
    /* What IdentityRateLimit is counted by, shared by all children: failures and requests; and which clients have
     * proved to be who they say. NULL: nothing is limited. counters_scope: what the names of users and keys belong to
     * (the database). */
    identity_counters_t *counters, *proofs;
    const char *counters_scope;
    /* Of all processes: as of when somebody's rights are known; NULL: nothing tells, so nobody is remembered. And who
     * is remembered in this process; NULL: nobody. */
    identity_revisions_t *revisions;
    identity_cache_t *cache;
    /* What many answers show alike, kept as text in this process under the same revisions; NULL: nothing. */
    identity_cache_t *shared;
    /* Where what happens is counted. NULL: nowhere. */
    identity_metrics_t *metrics;
    /* One line, tagged IDnnnn:, without secrets. request_id may be NULL. */
    void (*log)(void *context, identity_log_level_t level, const char *request_id, const char *line);
    void *context;
} identity_env_t;

/* What the database tells, in a few bounded reads on one connection. Where it does not answer: DATABASE_UP is 0 and the
 * others stay unknown. */
void identity_metrics_statistics(apr_pool_t *pool, const identity_env_t *env, identity_metrics_snapshot_t *snapshot);

/* What is too dear for each who asks: rows, size and oldest row of each table, mails by how long they wait, the newest
 * backup. Taken by one process now and then, and shown by all, from shared memory that was all zero (watch.c). */
typedef struct identity_watch identity_watch_t;
typedef struct identity_watched {
    apr_int64_t size;          /* of the database's file; 0: not known */
    apr_time_t signing_key_at; /* of the newest file with a signing key; 0: not known */
} identity_watched_t;
size_t identity_watch_size(void);
void identity_watch_take(apr_pool_t *pool, const identity_env_t *env, const identity_watched_t *files,
                         identity_watch_t *watch);
void identity_watch_show(const identity_watch_t *watch, identity_metrics_snapshot_t *snapshot);
/* htidentity backup has made one. False: that could not be written. */
bool identity_backup_done(apr_pool_t *pool, const identity_env_t *env);

/* The three forms of the same figures. Lines `IdentityKey: value` as mod_status writes them. */
const char *identity_metrics_lines(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);
/* OpenMetrics 1.0 with its # EOF. */
#define IDENTITY_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
const char *identity_metrics_openmetrics(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);

/* Who looks at the page, and where. */
typedef struct identity_metrics_view {
    const char *site; /* name of the server; escaped here */
    apr_time_t now;
    bool mail;   /* mails are sent at all */
    int refresh; /* seconds after which the page is asked for again, 0: never */
} identity_metrics_view_t;
/* A whole document without script or anything from elsewhere. *policy: its Content-Security-Policy. */
const char *identity_metrics_page(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot,
                                  const identity_metrics_view_t *view, const char **policy);
/* The tables alone, for a page of mod_status. */
const char *identity_metrics_section(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);

#endif
