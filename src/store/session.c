/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, their refresh tokens, and the aliases that open one. */
#include "rows_int.h"

static DB_READER(read_session, identity_session_row_t, IDENTITY_SESSION_ROW)

    typedef struct session_and_user {
    identity_session_row_t *session;
    identity_user_row_t *user;
} session_and_user_t;

static void *read_both(const db_row_t *row, int from)
{
    session_and_user_t *both = apr_palloc(db_pool(row), sizeof *both);

    both->session = read_session(row, from);
    both->user = db_read_user(row, from + DB_COLUMNS(IDENTITY_SESSION_ROW));
    return both;
}

identity_db_status_t identity_session_insert(identity_db_t *db, const identity_session_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_SESSION_INSERT, DB_ROW_ARGS(IDENTITY_SESSION_ROW));
}

identity_db_status_t identity_session_get(identity_db_t *db, const char *id,
                                          identity_session_row_t **session,
                                          identity_user_row_t **user)
{
    session_and_user_t *both;
    identity_db_status_t status =
        db_one(db, IDENTITY_SQL_SESSION_GET, DB_ARGS(S(id)), read_both, &both);

    *session = both ? both->session : NULL;
    *user = both ? both->user : NULL;
    return status;
}

identity_db_status_t identity_session_of_guest(identity_db_t *db, const char *id,
                                               identity_session_row_t **session)
{
    return db_one(db, IDENTITY_SQL_SESSION_OF_GUEST, DB_ARGS(S(id)), read_session, session);
}

identity_db_status_t identity_guests_over(identity_db_t *db, apr_time_t now, apr_int64_t *over)
{
    return db_count(db, IDENTITY_SQL_GUESTS_OVER, DB_ARGS(N(now)), over);
}

identity_db_status_t identity_guests_purge(identity_db_t *db, apr_time_t now, apr_int64_t limit,
                                           int *deleted)
{
    identity_db_status_t status = db_in_write(db, "GUESTS_PURGE");

    return status == IDENTITY_DB_OK
               ? db_change(db, IDENTITY_SQL_GUESTS_PURGE, DB_ARGS(N(now), N(limit)), deleted)
               : status;
}

identity_db_status_t identity_session_touch(identity_db_t *db, const char *id,
                                            apr_time_t idle_expires_at)
{
    return db_guarded(db, IDENTITY_SQL_SESSION_TOUCH, DB_ARGS(N(idle_expires_at), S(id)));
}

identity_db_status_t identity_session_end(identity_db_t *db, const char *id, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_SESSION_END, DB_ARGS(N(now), S(id)));
}

identity_db_status_t identity_sessions_end(identity_db_t *db, const char *user_id,
                                           const char *except, apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_SESSIONS_END,
                     DB_ARGS(N(now), S(user_id), S(except ? except : "")), NULL);
}

identity_db_status_t identity_sessions_live(identity_db_t *db, const char *user_id, apr_time_t now,
                                            apr_int64_t limit, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_SESSIONS_LIVE, DB_ARGS(S(user_id), N(now), N(now), N(limit)),
                   read_session, rows);
}

identity_db_status_t identity_sessions_count(identity_db_t *db, const char *user_id,
                                             apr_int64_t cap, apr_int64_t *count)
{
    return db_count(db, IDENTITY_SQL_SESSIONS_COUNT, DB_ARGS(S(user_id), N(cap)), count);
}

identity_db_status_t identity_sessions_expire(identity_db_t *db, const char *user_id,
                                              apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_SESSIONS_EXPIRE, DB_ARGS(N(now), S(user_id), N(now), N(now)),
                     NULL);
}

identity_db_status_t identity_sessions_trim(identity_db_t *db, const char *user_id,
                                            apr_int64_t keep, apr_time_t now, int *ended)
{
    return db_change(db, IDENTITY_SQL_SESSIONS_TRIM,
                     DB_ARGS(N(now), S(user_id), S(user_id), N(keep)), ended);
}

/* ---- refresh tokens --------------------------------------------------------------------------------------------- */

static DB_READER(read_refresh, identity_refresh_row_t, IDENTITY_REFRESH_ROW)

    identity_db_status_t
    identity_refresh_insert(identity_db_t *db, const identity_refresh_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_REFRESH_INSERT, DB_ROW_ARGS(IDENTITY_REFRESH_ROW));
}

identity_db_status_t identity_refresh_get(identity_db_t *db, const char *digest,
                                          identity_refresh_row_t **row)
{
    return db_one(db, IDENTITY_SQL_REFRESH_GET, DB_ARGS(S(digest)), read_refresh, row);
}

identity_db_status_t identity_refresh_spend(identity_db_t *db, const char *digest,
                                            const char *nonce, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_REFRESH_SPEND, DB_ARGS(N(now), S(nonce), S(digest)));
}

/* ---- aliases ---------------------------------------------------------------------------------------------------- */

static void *read_alias(const db_row_t *row, int from)
{
    identity_alias_row_t *made = apr_pcalloc(db_pool(row), sizeof *made);

    IDENTITY_ALIAS_ROW(DB_READ, DB_READ)
    made->username = db_text(row, from);
    return made;
}

identity_db_status_t identity_alias_insert(identity_db_t *db, const identity_alias_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_ALIAS_INSERT, DB_ROW_ARGS(IDENTITY_ALIAS_ROW));
}

identity_db_status_t identity_alias_get(identity_db_t *db, const char *digest,
                                        identity_alias_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ALIAS_GET, DB_ARGS(S(digest)), read_alias, row);
}

identity_db_status_t identity_alias_touch(identity_db_t *db, const char *id, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_ALIAS_TOUCH, DB_ARGS(N(now), S(id)));
}

identity_db_status_t identity_aliases_end(identity_db_t *db, const char *user_id, apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_ALIASES_END, DB_ARGS(N(now), S(user_id), N(now)), NULL);
}

identity_db_status_t identity_alias_find(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_alias_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ALIAS_FIND, DB_ARGS(S(id), S(entity_id)), read_alias, row);
}

identity_db_status_t identity_alias_end(identity_db_t *db, const char *entity_id, const char *id,
                                        apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_ALIAS_END, DB_ARGS(N(now), S(id), S(entity_id), N(now)));
}

identity_db_status_t identity_aliases_list(identity_db_t *db, const char *entity_id,
                                           apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ALIASES_LIST, DB_ARGS(S(entity_id)), read_alias, rows);
}
