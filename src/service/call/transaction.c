/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and transactions of a call, and the work that is run again.
 *
 * A database that serves several writers may give a transaction up for another's sake (a deadlock, a conflict of
 * serialisation, a certification that failed): nothing of it is left there, and it can be run again. What the attempt
 * has put into the call is taken out first, or the second one would answer twice. A connection that has died while
 * nobody used it is noticed by the first statement: then the same is done on another one.
 */
#include "call/call.h"

#define TRIES 3

/* A piece of work, and the call as it was before. */
typedef struct job {
    identity_work_t *work;
    void *data;
    const void *data_before;
    size_t size;
    identity_call_t call;
    identity_response_t out;
    int headers, taken;
    int tries;
} job_t;

static bool borrow(identity_call_t *call)
{
    return identity_db_ok(call, call->env->borrow(call->env->context, call->pool, &call->db));
}

static void give_back(identity_call_t *call)
{
    identity_db_release(call->db);
    call->env->give_back(call->env->context, call->db);
    call->db = NULL;
}

static job_t begin(const identity_call_t *call, identity_work_t *work, void *data, size_t size)
{
    job_t job = {.work = work, .data = data, .size = data ? size : 0};

    job.call = *call;
    job.taken = identity_taken(call);
    job.data_before = apr_pmemdup(call->pool, data, job.size);
    if (call->out) {
        job.out = *call->out;
        job.headers = apr_table_elts(call->out->headers)->nelts;
    }
    return job;
}

/* Work adds headers and never changes one that is there. */
static apr_table_t *first_headers(apr_pool_t *pool, const apr_table_t *table, int count)
{
    const apr_array_header_t *all = apr_table_elts(table);
    apr_table_t *first = apr_table_make(pool, 8);

    for (int i = 0; i < count; i++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        apr_table_addn(first, header->key, header->val);
    }
    return first;
}

static void undo(identity_call_t *call, const job_t *before)
{
    identity_db_t *db = call->db;
    apr_array_header_t *taken = call->taken;

    identity_taken_give_back(call, before->taken);
    identity_idempotency_unstore(call);
    if (call->out) {
        apr_table_t *headers = first_headers(call->pool, call->out->headers, before->headers);
        *call->out = before->out;
        call->out->headers = headers;
    }
    if (before->size)
        memcpy(before->data, before->data_before, before->size);
    *call = before->call;
    call->db = db;
    call->taken = taken;
}

/* 5 to 25 ms, so that two that met do not meet again. */
static void pause_a_moment(const identity_call_t *call)
{
    unsigned char byte = 0;

    call->env->random.fill(call->env->random.context, &byte, sizeof byte);
    apr_interval_time_t pause = apr_time_from_msec(5) + apr_time_from_msec(20) * byte / 255;
    if (call->env->pause)
        call->env->pause(call->env->context, pause);
    else
        apr_sleep(pause);
}

/* May the work that has just failed be run again, and is everything ready for it? */
static bool again(identity_call_t *call, job_t *job)
{
    identity_again_t where = identity_db_again(call->db);

    if (where == IDENTITY_AGAIN_NOT || ++job->tries >= TRIES)
        return false;
    identity_metric_add(call->env->metrics, IDENTITY_METRIC_DATABASE_RETRIES, 1);
    undo(call, job);
    identity_db_release(call->db);
    if (where == IDENTITY_AGAIN) {
        pause_a_moment(call);
        return true;
    }
    /* The others that are kept may have died as well, but each costs one look. */
    call->env->give_back(call->env->context, call->db);
    call->db = NULL;
    return borrow(call);
}

bool identity_read_data(identity_call_t *call, identity_work_t *work, void *data, size_t size)
{
    job_t job = begin(call, work, data, size);
    bool done;

    if (!borrow(call))
        return false;
    do {
        identity_db_use(call->db, call->pool);
        done = work(call, data);
    } while (!done && again(call, &job));
    if (call->db)
        give_back(call);
    return done;
}

/* After COMMIT, whatever it returned: it may have succeeded all the same. */
static void bump_all(const identity_call_t *call, const apr_array_header_t *names)
{
    for (int i = 0; call->env->revisions && i < names->nelts; i++)
        identity_revisions_bump(call->env->revisions, APR_ARRAY_IDX(names, i, const char *));
}

static void tell_revisions(const identity_call_t *call)
{
    bump_all(call, identity_db_invalidated(call->db));
    bump_all(call, identity_db_counted(call->db));
}

/* Changes counted here need not be read again from the change feed. */
static void tell_followers(const identity_call_t *call)
{
    identity_written_t written = identity_db_written(call->db);

    if (call->env->revisions && written.last)
        identity_revisions_pass(call->env->revisions, written.first, written.last, written.made_at);
}

static bool commit(identity_call_t *call)
{
    identity_db_status_t status = identity_db_commit(call->db);

    tell_revisions(call);
    if (status == IDENTITY_DB_OK)
        tell_followers(call);
    return identity_db_ok(call, status);
}

static bool write_once(identity_call_t *call, const job_t *job)
{
    identity_db_use(call->db, call->pool);
    if (!identity_db_ok(call, identity_db_begin(call->db, true)))
        return false;
    if ((!call->recheck || call->recheck(call)) && job->work(call, job->data) &&
        identity_idempotency_complete(call))
        return commit(call);
    identity_db_rollback(call->db);
    return false;
}

static bool write_behind(identity_call_t *call, bool (*enter)(void *), job_t *job)
{
    const identity_env_t *env = call->env;

    /* The lock is taken before the connection, so that waiting writers do not occupy connections that readers need. */
    if (enter && !enter(env->context))
        return identity_db_ok(call, IDENTITY_DB_BUSY);
    bool done = false;
    if (borrow(call)) {
        do
            done = write_once(call, job);
        while (!done && again(call, job));
        if (call->db)
            identity_db_release(call->db);
    }
    if (env->leave_write)
        env->leave_write(env->context);
    if (call->db)
        give_back(call);
    return done;
}

bool identity_write_data(identity_call_t *call, identity_work_t *work, void *data, size_t size)
{
    job_t job = begin(call, work, data, size);
    return write_behind(call, call->env->enter_write, &job);
}

bool identity_write_nowait_data(identity_call_t *call, identity_work_t *work, void *data,
                                size_t size)
{
    job_t job = begin(call, work, data, size);

    bool done = write_behind(
        call, call->env->try_write ? call->env->try_write : call->env->enter_write, &job);
    call->problem = job.call.problem;
    return done;
}
