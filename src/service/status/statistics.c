/* What the database tells of how things stand, as figures. */
#include "status/status.h"

#define MOST IDENTITY_MAILS_MOST

typedef struct view {
    identity_survey_t survey;
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
    return identity_db_ok(call, identity_survey_take(call->db, call->now, MOST, &view->survey));
}

/* Some of all that were looked at; there may be more. */
static void set_some(identity_figures_t *figures, identity_metric_t metric, apr_int64_t some, apr_int64_t all)
{
    identity_figure_set(figures, metric, some);
    if (all >= MOST)
        identity_figure_open(figures, metric);
}

void identity_figures_survey(apr_pool_t *pool, const identity_env_t *env, identity_figures_t *figures)
{
    identity_call_t call;
    view_t view = {.version = 0};
    const identity_survey_t *survey = &view.survey;

    identity_call_begin(&call, pool, env, NULL);
    bool up = identity_read(&call, look, &view);
    identity_figure_set(figures, IDENTITY_METRIC_DATABASE_UP, up);
    if (!up)
        return;
    identity_figure_set(figures, IDENTITY_METRIC_DATABASE_LATENCY, view.latency > 0 ? view.latency : 0);
    identity_figure_set(figures, IDENTITY_METRIC_DATABASE_SCHEMA, view.version);
    set_some(figures, IDENTITY_METRIC_USERS_ACTIVE, survey->users_active, survey->users);
    set_some(figures, IDENTITY_METRIC_USERS_OTHER, survey->users - survey->users_active, survey->users);
    set_some(figures, IDENTITY_METRIC_SESSIONS_LIVE, survey->sessions_live, survey->sessions);
    set_some(figures, IDENTITY_METRIC_KEYS_ACTIVE, survey->keys_active, survey->keys);
    set_some(figures, IDENTITY_METRIC_KEYS_OTHER, survey->keys - survey->keys_active, survey->keys);
    set_some(figures, IDENTITY_METRIC_OUTBOX_QUEUED, survey->queued, survey->queued);
    set_some(figures, IDENTITY_METRIC_OUTBOX_FAILED, survey->failed, survey->failed);
    identity_figure_set(
        figures, IDENTITY_METRIC_OUTBOX_AGE,
        survey->oldest_queued_at && survey->oldest_queued_at < call.now ? call.now - survey->oldest_queued_at : 0);
}

apr_int64_t identity_mails_queued(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;
    view_t view = {.version = 0};

    identity_call_begin(&call, pool, env, NULL);
    return identity_read(&call, look, &view) ? view.survey.queued : 0;
}
