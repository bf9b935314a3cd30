/* SPDX-License-Identifier: Apache-2.0 */
/* Erases a deleted user's personal data; the audit trail keeps a pseudonym (security 89). Rows that refer to the
 * user (memberships, sessions, mails, invitations, links to providers) are deleted with the user's row. */
#include "rows_int.h"

identity_db_status_t identity_erasure_due(identity_db_t *db, apr_time_t before,
                                          identity_user_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ERASURE_DUE, DB_ARGS(N(before)), db_read_user, row);
}

/* *changed: number of records in which the user is actor or target. */
static identity_db_status_t erase_records(identity_db_t *db, const identity_user_row_t *user,
                                          const char *pseudonym, apr_int64_t limit, int *changed)
{
    const struct {
        identity_sql_t details, record;
    } sides[] = {{IDENTITY_SQL_ERASURE_ACTOR_DETAILS, IDENTITY_SQL_ERASURE_ACTOR},
                 {IDENTITY_SQL_ERASURE_TARGET_DETAILS, IDENTITY_SQL_ERASURE_TARGET}};
    identity_db_status_t status = IDENTITY_DB_OK;

    *changed = 0;
    /* The second side only after the first: what it erases depends on the actor. */
    for (int i = 0; i < 2 && status == IDENTITY_DB_OK && !*changed; i++) {
        status = db_change(db, sides[i].details, DB_ARGS(S(user->entity_id), S(user->id), N(limit)),
                           NULL);
        if (status == IDENTITY_DB_OK)
            status = db_change(db, sides[i].record,
                               DB_ARGS(S(pseudonym), S(user->entity_id), S(user->id), N(limit)),
                               changed);
    }
    return status;
}

/* Rows that name the user without a reference, and then the user. */
static identity_db_status_t erase_user(identity_db_t *db, const identity_user_row_t *user,
                                       const char *pseudonym)
{
    const char *id = user->id, *entity = user->entity_id;
    identity_db_status_t status =
        db_change(db, IDENTITY_SQL_ERASURE_SESSIONS, DB_ARGS(S(id), S(entity)), NULL);

    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_ERASURE_SESSIONS_NAMED,
                           DB_ARGS(S(user->username), S(entity)), NULL);
    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_ERASURE_ANSWERS, DB_ARGS(S(id)), NULL);
    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_ERASURE_INVITED_BY,
                           DB_ARGS(S(pseudonym), S(entity), S(id)), NULL);
    if (status == IDENTITY_DB_OK)
        status =
            db_change(db, IDENTITY_SQL_ERASURE_KEYS, DB_ARGS(S(pseudonym), S(entity), S(id)), NULL);
    return status == IDENTITY_DB_OK ? db_guarded(db, IDENTITY_SQL_ERASURE_USER, DB_ARGS(S(id)))
                                    : status;
}

identity_db_status_t identity_erasure_step(identity_db_t *db, const identity_user_row_t *user,
                                           const char *pseudonym, apr_int64_t limit, bool *over)
{
    identity_db_status_t status = db_in_write(db, "ERASURE_STEP");
    int changed = 0;

    *over = false;
    if (status == IDENTITY_DB_OK && !*user->pseudonym)
        status = db_guarded(db, IDENTITY_SQL_ERASURE_BEGIN, DB_ARGS(S(pseudonym), S(user->id)));
    if (status == IDENTITY_DB_OK)
        status = erase_records(db, user, pseudonym, limit, &changed);
    if (status != IDENTITY_DB_OK || changed)
        return status;
    *over = true;
    return erase_user(db, user, pseudonym);
}
