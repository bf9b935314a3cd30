/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes expired rows in small batches, each in a transaction of a few milliseconds, so that the write lock is
 * never held for long (security 88). */
#include <string.h>

#include "users/users.h"

#define BATCH         200
#define PAUSE         apr_time_from_msec(10)
#define SESSIONS      20 /* each with its refresh tokens */
/* Users, keys, ...: each with everything that belongs to it. */
#define SANDBOX_BATCH 20
/* Much longer than a node may fall behind before it invalidates its whole cache (change_feed.c). */
#define CHANGES_KEPT  apr_time_from_sec(600)

const identity_retention_t identity_retention_standard = {
    .leaves = apr_time_from_sec(7 * 86400),
    .deleted = apr_time_from_sec(7 * 86400),
    .of = {[IDENTITY_KEEP_AUDIT] = apr_time_from_sec(400 * 86400),
           [IDENTITY_KEEP_SESSIONS] = apr_time_from_sec(30 * 86400),
           [IDENTITY_KEEP_MAIL] = apr_time_from_sec(30 * 86400)}};

static const char *const names[IDENTITY_KEEPS] = {[IDENTITY_KEEP_AUDIT] = "audit",
                                                  [IDENTITY_KEEP_SESSIONS] = "sessions",
                                                  [IDENTITY_KEEP_MAIL] = "mail"};

const char *identity_keep_name(identity_keep_t keep)
{
    return names[keep];
}

identity_keep_t identity_keep_find(const char *name)
{
    for (int keep = 0; keep < IDENTITY_KEEPS; keep++)
        if (strcasecmp(names[keep], name) == 0)
            return (identity_keep_t)keep;
    return IDENTITY_KEEPS;
}

/* The IdentityRetention class of each kind of rows, and the batch size. Exchanged refresh tokens are kept only while
 * a browser may still have them, when their reuse indicates theft (security 36). */
static const struct {
    identity_keep_t keep;
    int batch;
    identity_purged_t purged;
} kinds[IDENTITY_OLD_KINDS] = {
    [IDENTITY_OLD_AUDIT] = {IDENTITY_KEEP_AUDIT, BATCH, IDENTITY_PURGED_AUDIT},
    [IDENTITY_OLD_SESSIONS_ENDED] = {IDENTITY_KEEP_SESSIONS, SESSIONS, IDENTITY_PURGED_SESSIONS},
    [IDENTITY_OLD_SESSIONS_EXPIRED] = {IDENTITY_KEEP_SESSIONS, SESSIONS, IDENTITY_PURGED_SESSIONS},
    [IDENTITY_OLD_LEAVES] = {IDENTITY_KEEPS, BATCH, IDENTITY_PURGED_REFRESH_TOKENS},
    [IDENTITY_OLD_SECRETS] = {IDENTITY_KEEP_SESSIONS, BATCH, IDENTITY_PURGED_SECRETS},
    [IDENTITY_OLD_MAILS] = {IDENTITY_KEEP_MAIL, BATCH, IDENTITY_PURGED_MAILS},
    [IDENTITY_OLD_MAILS_QUEUED] = {IDENTITY_KEEP_MAIL, BATCH, IDENTITY_PURGED_MAILS}};

static const char *const purged_names[IDENTITY_PURGED_KINDS] = {
    [IDENTITY_PURGED_ANSWERS] = "answers",   [IDENTITY_PURGED_GUESTS] = "visits",
    [IDENTITY_PURGED_CHANGES] = "changes",   [IDENTITY_PURGED_SANDBOXES] = "sandboxes",
    [IDENTITY_PURGED_USERS] = "users",       [IDENTITY_PURGED_AUDIT] = "audit",
    [IDENTITY_PURGED_SESSIONS] = "sessions", [IDENTITY_PURGED_REFRESH_TOKENS] = "refresh_tokens",
    [IDENTITY_PURGED_SECRETS] = "secrets",   [IDENTITY_PURGED_MAILS] = "mails"};

const char *identity_purged_name(identity_purged_t kind)
{
    return purged_names[kind];
}

typedef struct purge {
    bool entered;       /* the write lock */
    identity_old_t old; /* the first kind with expired rows; IDENTITY_OLD_KINDS: none */
    apr_time_t before;  /* of answers */
    apr_int64_t answers, visits, changes;
    identity_entity_row_t *sandbox; /* or NULL */
    identity_user_row_t *erased;    /* whose restore period is over; or NULL */
    int deleted[IDENTITY_PURGED_KINDS];
} purge_t;

static apr_time_t kept_since(const identity_call_t *call, identity_old_t kind)
{
    const identity_settings_t *settings = call->env->settings;
    identity_keep_t keep = kinds[kind].keep;

    return call->now -
           (keep == IDENTITY_KEEPS ? settings->retention.leaves : settings->retention.of[keep]);
}

static bool find_old(identity_call_t *call, purge_t *purge)
{
    bool any = false;

    purge->old = IDENTITY_OLD_KINDS;
    for (int kind = 0; kind < IDENTITY_OLD_KINDS && !any; kind++) {
        if (!identity_db_ok(call, identity_old_any(call->db, (identity_old_t)kind,
                                                   kept_since(call, (identity_old_t)kind), &any)))
            return false;
        if (any)
            purge->old = (identity_old_t)kind;
    }
    return true;
}

/* Checked again inside the write: the user may have been restored meanwhile. */
static bool find_erased(identity_call_t *call, purge_t *purge)
{
    bool found;

    if (!identity_db_found(call,
                           identity_erasure_due(call->db,
                                                call->now - call->env->settings->retention.deleted,
                                                &purge->erased),
                           &found))
        return false;
    if (!found)
        purge->erased = NULL;
    return true;
}

static bool read_old(identity_call_t *call, void *data)
{
    purge_t *purge = data;
    bool found;

    if (!identity_db_ok(call, identity_idempotency_old(call->db, purge->before, &purge->answers)) ||
        !identity_db_ok(call, identity_guests_over(call->db, call->now, &purge->visits)) ||
        !identity_db_ok(
            call, identity_changes_old(call->db, call->now - CHANGES_KEPT, &purge->changes)) ||
        !identity_db_found(call, identity_sandbox_over(call->db, call->now, &purge->sandbox),
                           &found))
        return false;
    if (!found)
        purge->sandbox = NULL;
    return find_erased(call, purge) && find_old(call, purge);
}

static bool reduce(identity_call_t *call, purge_t *purge, int *deleted)
{
    identity_audit_t audit = {.action = "SANDBOX_REMOVED",
                              .type = "ENTITY",
                              .id = purge->sandbox->id,
                              .entity_id = "",
                              .message = "A sandbox expired and was deleted."};

    if (!identity_db_ok(
            call, identity_sandbox_reduce(call->db, purge->sandbox->id, SANDBOX_BATCH, deleted)))
        return false;
    if (*deleted)
        return true;
    *deleted = 1; /* the entity itself */
    return identity_audit(call, &audit);
}

static bool erase(identity_call_t *call, purge_t *purge, int *erased)
{
    bool over;

    if (!find_erased(call, purge) || !purge->erased)
        return !purge->erased && call->problem.kind == IDENTITY_PROBLEM_NONE;
    *erased = 1;
    return identity_user_erase(call, purge->erased, BATCH, &over);
}

static int total(const purge_t *purge)
{
    int sum = 0;

    for (int kind = 0; kind < IDENTITY_PURGED_KINDS; kind++)
        sum += purge->deleted[kind];
    return sum;
}

static bool write_purge(identity_call_t *call, void *data)
{
    purge_t *purge = data;
    int *deleted = purge->deleted;

    purge->entered = true;

    if (purge->answers &&
        !identity_db_ok(call, identity_idempotency_purge(call->db, purge->before, BATCH,
                                                         &deleted[IDENTITY_PURGED_ANSWERS])))
        return false;
    if (purge->visits &&
        !identity_db_ok(call, identity_guests_purge(call->db, call->now, BATCH,
                                                    &deleted[IDENTITY_PURGED_GUESTS])))
        return false;
    if (purge->changes &&
        !identity_db_ok(call, identity_changes_purge(call->db, call->now - CHANGES_KEPT, BATCH,
                                                     &deleted[IDENTITY_PURGED_CHANGES])))
        return false;
    if (purge->sandbox && !reduce(call, purge, &deleted[IDENTITY_PURGED_SANDBOXES]))
        return false;
    if (purge->erased && !erase(call, purge, &deleted[IDENTITY_PURGED_USERS]))
        return false;
    return purge->old == IDENTITY_OLD_KINDS || total(purge) ||
           identity_db_ok(call, identity_old_purge(
                                    call->db, purge->old, kept_since(call, purge->old),
                                    kinds[purge->old].batch, &deleted[kinds[purge->old].purged]));
}

typedef bool writer_t(identity_call_t *call, identity_work_t *work, void *data, size_t size);

/* Runs a batch. False on failure, which is logged unless the lock was taken; then purge->entered stays false. */
static bool run(apr_pool_t *pool, const identity_env_t *env, writer_t *writer, purge_t *purge)
{
    identity_call_t call;

    memset(purge, 0, sizeof *purge);
    identity_call_begin(&call, pool, env, NULL);
    purge->before = call.now - IDENTITY_IDEMPOTENCY_KEPT;
    bool done = identity_read(&call, read_old, purge);
    bool any = purge->answers || purge->visits || purge->changes || purge->sandbox ||
               purge->erased || purge->old < IDENTITY_OLD_KINDS;
    if (!done || !any) {
        purge->entered = true;
    } else if (!writer(&call, write_purge, purge, sizeof *purge)) {
        if (!purge->entered && writer != identity_write_data)
            return false;
        done = false;
        purge->entered = true;
    }
    if (!done)
        identity_log(&call, IDENTITY_LOG_ERROR, "ID0341: expired rows cannot be deleted");
    return done;
}

int identity_purge(apr_pool_t *pool, const identity_env_t *env)
{
    purge_t purge;
    return run(pool, env, identity_write_data, &purge) ? total(&purge) : 0;
}

int identity_purge_nowait(apr_pool_t *pool, const identity_env_t *env)
{
    purge_t purge;

    if (run(pool, env, identity_write_nowait_data, &purge))
        return total(&purge);
    return purge.entered ? 0 : IDENTITY_PURGE_BUSY;
}

bool identity_purge_all(apr_pool_t *pool, const identity_env_t *env,
                        apr_int64_t deleted[IDENTITY_PURGED_KINDS])
{
    bool done = true, more = true;

    memset(deleted, 0, IDENTITY_PURGED_KINDS * sizeof *deleted);
    while (done && more) {
        apr_pool_t *round;
        purge_t purge;
        apr_pool_create(&round, pool);
        done = run(round, env, identity_write_data, &purge);
        for (int kind = 0; done && kind < IDENTITY_PURGED_KINDS; kind++)
            deleted[kind] += purge.deleted[kind];
        more = done && total(&purge) > 0;
        apr_pool_destroy(round);
        if (more)
            apr_sleep(PAUSE);
    }
    return done;
}
