/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the OpenID provider. Pages of them are in page.c. */
#include "rows_int.h"

DB_READER(db_read_client, identity_client_row_t, IDENTITY_CLIENT_ROW)
static DB_READER(read_grant, identity_client_grant_row_t, IDENTITY_CLIENT_GRANT_ROW)

    identity_db_status_t identity_client_insert(identity_db_t *db, const identity_client_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_CLIENT_INSERT, DB_ROW_ARGS(IDENTITY_CLIENT_ROW));
}

identity_db_status_t identity_client_get(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_client_row_t **row)
{
    return db_one(db, IDENTITY_SQL_CLIENT_GET, DB_ARGS(S(id), S(entity_id)), db_read_client, row);
}

identity_db_status_t identity_client_update(identity_db_t *db, identity_client_row_t *row)
{
    identity_db_status_t status =
        db_guarded(db, IDENTITY_SQL_CLIENT_UPDATE,
                   DB_ARGS(S(row->name), S(row->status), S(row->digest), S(row->old_digest),
                           N(row->old_expires_at), S(row->settings), S(row->id), S(row->entity_id),
                           N(row->version)));

    if (status == IDENTITY_DB_OK)
        row->version++;
    return status;
}

identity_db_status_t identity_client_delete(identity_db_t *db, const char *entity_id,
                                            const char *id)
{
    return db_guarded(db, IDENTITY_SQL_CLIENT_DELETE, DB_ARGS(S(id), S(entity_id)));
}

identity_db_status_t identity_client_by_id(identity_db_t *db, const char *id,
                                           identity_client_row_t **row)
{
    return db_one(db, IDENTITY_SQL_CLIENT_BY_ID, DB_ARGS(S(id)), db_read_client, row);
}

/* ---- grants ----------------------------------------------------------------------------------------------------- */

identity_db_status_t identity_client_grant_insert(identity_db_t *db,
                                                  const identity_client_grant_row_t *row,
                                                  apr_time_t forget)
{
    identity_db_status_t status =
        db_change(db, IDENTITY_SQL_CLIENT_GRANTS_FORGET,
                  DB_ARGS(S(row->session_id), S(row->client_id), N(forget)), NULL);

    if (status != IDENTITY_DB_OK)
        return status;
    return db_insert(db, IDENTITY_SQL_CLIENT_GRANT_INSERT, DB_ROW_ARGS(IDENTITY_CLIENT_GRANT_ROW));
}

identity_db_status_t identity_client_grant_of_code(identity_db_t *db, const char *digest,
                                                   identity_client_grant_row_t **row)
{
    return db_one(db, IDENTITY_SQL_CLIENT_GRANT_OF_CODE, DB_ARGS(S(digest)), read_grant, row);
}

identity_db_status_t identity_client_grant_get(identity_db_t *db, const char *id,
                                               identity_client_grant_row_t **row)
{
    return db_one(db, IDENTITY_SQL_CLIENT_GRANT_GET, DB_ARGS(S(id)), read_grant, row);
}

identity_db_status_t identity_client_grant_spend(identity_db_t *db, const char *id,
                                                 const char *refresh, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_CLIENT_GRANT_SPEND, DB_ARGS(N(now), S(refresh), S(id)));
}

identity_db_status_t identity_client_grant_refresh(identity_db_t *db, const char *id,
                                                   const char *present, const char *next,
                                                   const char *nonce, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_CLIENT_GRANT_REFRESH,
                      DB_ARGS(S(next), S(present), S(nonce), N(now), S(id), S(present)));
}

identity_db_status_t identity_client_grant_end(identity_db_t *db, const char *id, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_CLIENT_GRANT_END, DB_ARGS(N(now), S(id)));
}
