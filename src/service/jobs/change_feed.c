/* What others have changed: the table `changes` is read from where it was left, once a second, by one process of the
 * server, and counted in the generations that all of them look at. */
#include <string.h>

#include "users/users.h"

#define BATCH    1000
/* Who has not looked for so long begins anew: rows that were not read are kept for twice as long (purge.c). */
#define TOO_LONG apr_time_from_sec(300)

typedef struct follow {
    identity_change_feed_t from, to;
    apr_array_header_t *rows; /* of identity_change_row_t * */
    identity_change_row_t *last;
} follow_t;

/* Whose failures an operator wants to be forgotten: the limits of this server are in its own memory. */
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
    follow_t *follow = data;
    bool found;

    if (!identity_db_ok(call, identity_changes_from(call->db, follow->from.sequence, BATCH + 1, &follow->rows)))
        return false;
    /* The first one was read before. */
    for (int i = 1; i < follow->rows->nelts; i++)
        if (!unlock(call, APR_ARRAY_IDX(follow->rows, i, identity_change_row_t *)))
            return false;
    return identity_db_found(call, identity_change_last(call->db, &follow->last), &found);
}

/* A row to begin from: by it a database is told from another that is put in its place. */
static bool write_first(identity_call_t *call, void *data)
{
    follow_t *follow = data;

    return identity_db_ok(call, identity_change_insert(call->db, "")) &&
           identity_db_ok(call, identity_change_last(call->db, &follow->last));
}

/* Do the rows go on from the one that was the last? Not so at the beginning, after a long time, behind a backlog, and
 * where a backup was put in the database's place. */
static bool continues(const follow_t *follow)
{
    const identity_change_row_t *first =
        follow->rows->nelts ? APR_ARRAY_IDX(follow->rows, 0, identity_change_row_t *) : NULL;

    return first && follow->rows->nelts <= BATCH && follow->from.at && follow->to.at - follow->from.at < TOO_LONG &&
           first->sequence == follow->from.sequence && first->created_at == follow->from.made_at;
}

static const identity_change_row_t *count_changes(const identity_env_t *env, const follow_t *follow)
{
    if (!continues(follow)) {
        identity_revisions_bump(env->revisions, "");
        return follow->last;
    }
    for (int i = 1; i < follow->rows->nelts; i++)
        identity_revisions_bump(env->revisions, APR_ARRAY_IDX(follow->rows, i, identity_change_row_t *)->subject_id);
    return APR_ARRAY_IDX(follow->rows, follow->rows->nelts - 1, identity_change_row_t *);
}

bool identity_poll_changes(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;
    follow_t follow = {.from = identity_revisions_followed(env->revisions)};

    identity_call_begin(&call, pool, env, NULL);
    follow.to.at = env->ticks(env->context);
    if (!identity_read(&call, read_changes, &follow) ||
        (!follow.last && !identity_write(&call, write_first, &follow))) {
        identity_log(&call, IDENTITY_LOG_ERROR, "ID0345: what others have changed cannot be read");
        return false;
    }
    const identity_change_row_t *reached = count_changes(env, &follow);
    follow.to.sequence = reached->sequence;
    follow.to.made_at = reached->created_at;
    identity_revisions_polled(env->revisions, &follow.to);
    return true;
}
