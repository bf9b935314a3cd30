/* SPDX-License-Identifier: Apache-2.0 */
/* The change feed: reads what others have changed from the table `changes`, from the last position on, and counts it
 * in the revisions that all processes of this server share. */
#include <string.h>

#include "call/call.h"

#define BATCH    1000
/* After a longer gap everything is invalidated: records are kept for twice as long (purge.c). */
#define TOO_LONG apr_time_from_sec(300)

void identity_look_begin(const identity_env_t *env, identity_look_t *look)
{
    *look = (identity_look_t){.from = identity_revisions_followed(env->revisions),
                              .to.at = env->ticks(env->context)};
}

bool identity_look_read(identity_call_t *call, identity_look_t *look)
{
    bool found;

    return identity_db_ok(call, identity_changes_from(call->db, look->from.sequence, BATCH + 1,
                                                      &look->rows)) &&
           identity_db_found(call, identity_change_last(call->db, &look->last), &found);
}

/* Do the records continue from the last one seen? Not at the beginning, after a long time, with a large backlog, or
 * if the database was replaced by a backup. */
static bool continues(const identity_look_t *look)
{
    const identity_change_row_t *first =
        look->rows->nelts ? APR_ARRAY_IDX(look->rows, 0, identity_change_row_t *) : NULL;

    return first && look->rows->nelts <= BATCH && look->from.at &&
           look->to.at - look->from.at < TOO_LONG && first->sequence == look->from.sequence &&
           first->created_at == look->from.made_at;
}

static const identity_change_row_t *count_changes(const identity_env_t *env,
                                                  const identity_look_t *look)
{
    if (!continues(look)) {
        identity_revisions_bump(env->revisions, "");
        return look->last;
    }
    for (int i = 1; i < look->rows->nelts; i++)
        identity_revisions_bump(env->revisions,
                                APR_ARRAY_IDX(look->rows, i, identity_change_row_t *)->subject_id);
    return APR_ARRAY_IDX(look->rows, look->rows->nelts - 1, identity_change_row_t *);
}

void identity_look_end(const identity_env_t *env, identity_look_t *look)
{
    const identity_change_row_t *reached = count_changes(env, look);

    look->to.sequence = reached->sequence;
    look->to.made_at = reached->created_at;
    identity_revisions_polled(env->revisions, &look->to);
}

/* Requests among the records are left to the reader of the whole feed (change_feed.c), and must not be skipped
 * before. */
static bool asks_for_more(const identity_look_t *look)
{
    for (int i = 1; i < look->rows->nelts; i++) {
        const char *kind = APR_ARRAY_IDX(look->rows, i, identity_change_row_t *)->kind;
        if (strcmp(kind, IDENTITY_CHANGE_UNLOCK) == 0 ||
            strcmp(kind, IDENTITY_CHANGE_UNLOCK_CLIENT) == 0)
            return true;
    }
    return false;
}

bool identity_followed_to(identity_call_t *call, apr_int64_t sequence)
{
    const identity_env_t *env = call->env;
    identity_look_t look;

    if (!sequence)
        return false;
    if (identity_revisions_followed(env->revisions).sequence == sequence)
        return true;
    identity_look_begin(env, &look);
    if (!identity_look_read(call, &look) || !look.last || asks_for_more(&look))
        return false;
    identity_look_end(env, &look);
    return true;
}
