/* SPDX-License-Identifier: Apache-2.0 */
/* Database statistics as metrics. */
#include "status/status.h"

#define MOST IDENTITY_MAILS_MOST

typedef struct view {
    identity_statistics_t statistics;
    apr_interval_time_t latency;
    int version;
} view_t;

static bool look(identity_call_t *call, void *data)
{
    view_t *view = data;
    apr_time_t before = call->env->now(call->env->context);

    if (!identity_db_ok(call, identity_schema_version(call->db, &view->version)))
        return false;
    view->latency = call->env->now(call->env->context) - before;
    return identity_db_ok(call,
                          identity_statistics_take(call->db, call->now, MOST, &view->statistics));
}

/* Counted up to a limit; there may be more. */
static void set_some(identity_metrics_snapshot_t *snapshot, identity_metric_t metric,
                     apr_int64_t some, apr_int64_t all)
{
    identity_snapshot_set(snapshot, metric, some);
    if (all >= MOST)
        identity_snapshot_open(snapshot, metric);
}

void identity_metrics_statistics(apr_pool_t *pool, const identity_env_t *env,
                                 identity_metrics_snapshot_t *snapshot)
{
    identity_call_t call;
    view_t view = {.version = 0};
    const identity_statistics_t *statistics = &view.statistics;

    identity_call_begin(&call, pool, env, NULL);
    bool up = identity_read(&call, look, &view);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_DATABASE_UP, up);
    if (!up)
        return;
    identity_snapshot_set(snapshot, IDENTITY_METRIC_DATABASE_LATENCY,
                          view.latency > 0 ? view.latency : 0);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_DATABASE_SCHEMA, view.version);
    set_some(snapshot, IDENTITY_METRIC_USERS_ACTIVE, statistics->users_active, statistics->users);
    set_some(snapshot, IDENTITY_METRIC_USERS_OTHER, statistics->users - statistics->users_active,
             statistics->users);
    set_some(snapshot, IDENTITY_METRIC_SESSIONS_LIVE, statistics->sessions_live,
             statistics->sessions);
    set_some(snapshot, IDENTITY_METRIC_KEYS_ACTIVE, statistics->keys_active, statistics->keys);
    set_some(snapshot, IDENTITY_METRIC_KEYS_OTHER, statistics->keys - statistics->keys_active,
             statistics->keys);
    set_some(snapshot, IDENTITY_METRIC_OUTBOX_QUEUED, statistics->queued, statistics->queued);
    set_some(snapshot, IDENTITY_METRIC_OUTBOX_FAILED, statistics->failed, statistics->failed);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_OUTBOX_AGE,
                          statistics->oldest_queued_at && statistics->oldest_queued_at < call.now
                              ? call.now - statistics->oldest_queued_at
                              : 0);
}

apr_int64_t identity_mails_queued(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;
    view_t view = {.version = 0};

    identity_call_begin(&call, pool, env, NULL);
    return identity_read(&call, look, &view) ? view.statistics.queued : 0;
}
