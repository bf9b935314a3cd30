/* SPDX-License-Identifier: Apache-2.0 */
/* Once a second one process of the server reads the change feed (follow.c). */
#include <string.h>

#include "users/users.h"

/* An operator wants this user's failures to be reset: the rate limits are in each server's own memory. */
static bool unlock(identity_call_t *call, const identity_change_row_t *change)
{
    identity_user_row_t *user;
    bool found;

    if (strcmp(change->kind, IDENTITY_CHANGE_UNLOCK_CLIENT) == 0)
        identity_ratelimit_unlock(call, change->subject_id, "");
    if (strcmp(change->kind, IDENTITY_CHANGE_UNLOCK) != 0)
        return true;
    if (!identity_db_found(call, identity_user_by_id(call->db, change->subject_id, &user), &found))
        return false;
    if (found) {
        identity_ratelimit_unlock(call, "", identity_user_key(call, user));
        identity_ratelimit_unlock(call, "", user->id);
    }
    return true;
}

static bool read_changes(identity_call_t *call, void *data)
{
    identity_look_t *look = data;

    if (!identity_look_read(call, look))
        return false;
    for (int i = 1; i < look->rows->nelts; i++)
        if (!unlock(call, APR_ARRAY_IDX(look->rows, i, identity_change_row_t *)))
            return false;
    return true;
}

/* Inserts a first record: it identifies the database, in case another one replaces it. */
static bool write_first(identity_call_t *call, void *data)
{
    identity_look_t *look = data;

    return identity_db_ok(call, identity_change_insert(call->db, "")) &&
           identity_db_ok(call, identity_change_last(call->db, &look->last));
}

bool identity_poll_changes(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;
    identity_look_t look;

    identity_call_begin(&call, pool, env, NULL);
    identity_look_begin(env, &look);
    if (!identity_read(&call, read_changes, &look) ||
        (!look.last && !identity_write(&call, write_first, &look))) {
        identity_log(&call, IDENTITY_LOG_ERROR, "ID0345: changes made by others cannot be read");
        return false;
    }
    identity_look_end(env, &look);
    return true;
}
