/* What has had its time goes in small batches, so that nobody waits long for the writers' gate. */
#include "service_int.h"

#define BATCH         200
/* Users, keys, ...: each takes what hangs on it along. */
#define SANDBOX_BATCH 20
/* Much longer than a node may leave it unread before it forgets everything (follow.c). */
#define CHANGES_KEPT  apr_time_from_sec(600)

typedef struct purge {
    apr_time_t before; /* of answers */
    apr_int64_t answers, visits, changes;
    identity_entity_row_t *sandbox; /* or NULL */
    int deleted;
} purge_t;

static bool read_old(identity_call_t *call, void *data)
{
    purge_t *purge = data;
    bool found;

    if (!identity_db_ok(call, identity_idempotency_old(call->db, purge->before, &purge->answers)) ||
        !identity_db_ok(call, identity_visits_over(call->db, call->now, &purge->visits)) ||
        !identity_db_ok(call, identity_changes_old(call->db, call->now - CHANGES_KEPT, &purge->changes)) ||
        !identity_db_found(call, identity_sandbox_over(call->db, call->now, &purge->sandbox), &found))
        return false;
    if (!found)
        purge->sandbox = NULL;
    return true;
}

static bool reduce(identity_call_t *call, purge_t *purge, int *deleted)
{
    identity_audit_t audit = {.action = "SANDBOX_REMOVED",
                              .type = "ENTITY",
                              .id = purge->sandbox->id,
                              .entity_id = "",
                              .message = "A sandbox had its time and was taken away."};

    if (!identity_db_ok(call, identity_sandbox_reduce(call->db, purge->sandbox->id, SANDBOX_BATCH, deleted)))
        return false;
    if (*deleted)
        return true;
    *deleted = 1; /* the entity itself */
    return identity_audit(call, &audit);
}

static bool write_purge(identity_call_t *call, void *data)
{
    purge_t *purge = data;
    int answers = 0, visits = 0, changes = 0, sandbox = 0;

    if (purge->answers && !identity_db_ok(call, identity_idempotency_purge(call->db, purge->before, BATCH, &answers)))
        return false;
    if (purge->visits && !identity_db_ok(call, identity_visits_purge(call->db, call->now, BATCH, &visits)))
        return false;
    if (purge->changes &&
        !identity_db_ok(call, identity_changes_purge(call->db, call->now - CHANGES_KEPT, BATCH, &changes)))
        return false;
    if (purge->sandbox && !reduce(call, purge, &sandbox))
        return false;
    purge->deleted = answers + visits + changes + sandbox;
    return true;
}

int identity_purge(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;
    purge_t purge = {.deleted = 0};

    identity_call_begin(&call, pool, env, NULL);
    purge.before = call.now - IDENTITY_ONCE_KEPT;
    if (identity_read(&call, read_old, &purge) &&
        ((!purge.answers && !purge.visits && !purge.changes && !purge.sandbox) ||
         identity_write(&call, write_purge, &purge)))
        return purge.deleted;
    identity_log(&call, IDENTITY_LOG_ERROR, "ID0341: what has had its time cannot be deleted");
    return 0;
}
