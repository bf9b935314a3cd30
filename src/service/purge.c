/* What has had its time goes in small batches, so that nobody waits long for the writers' gate. */
#include "service_int.h"

#define BATCH 200

typedef struct purge {
    apr_time_t before;
    apr_int64_t old;
    int deleted;
} purge_t;

static bool read_old(identity_call_t *call, void *data)
{
    purge_t *purge = data;
    return identity_db_ok(call, identity_idempotency_old(call->db, purge->before, &purge->old));
}

static bool write_purge(identity_call_t *call, void *data)
{
    purge_t *purge = data;
    return identity_db_ok(call, identity_idempotency_purge(call->db, purge->before, BATCH, &purge->deleted));
}

int identity_purge(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;
    purge_t purge = {.old = 0};

    identity_call_begin(&call, pool, env, NULL);
    purge.before = call.now - IDENTITY_ONCE_KEPT;
    if (identity_read(&call, read_old, &purge) && (!purge.old || identity_write(&call, write_purge, &purge)))
        return purge.deleted;
    identity_log(&call, IDENTITY_LOG_ERROR, "ID0341: what has had its time cannot be deleted");
    return 0;
}
