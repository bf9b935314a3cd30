/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication providers, and signing on at them. Pages of them are in page.c. */
#include "rows_int.h"

DB_READER(db_read_provider, identity_provider_row_t, IDENTITY_PROVIDER_ROW)

identity_db_status_t identity_provider_insert(identity_db_t *db, const identity_provider_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_PROVIDER_INSERT, DB_ROW_ARGS(IDENTITY_PROVIDER_ROW));
}

identity_db_status_t identity_provider_get(identity_db_t *db, const char *entity_id, const char *id,
                                           identity_provider_row_t **row)
{
    return db_one(db, IDENTITY_SQL_PROVIDER_GET, DB_ARGS(S(id), S(entity_id)), db_read_provider,
                  row);
}

identity_db_status_t identity_provider_update(identity_db_t *db, identity_provider_row_t *row)
{
    identity_db_status_t status =
        db_guarded(db, IDENTITY_SQL_PROVIDER_UPDATE,
                   DB_ARGS(S(row->type), S(row->name), S(row->status), S(row->variant),
                           S(row->issuer), S(row->client_id), S(row->settings), S(row->id),
                           S(row->entity_id), N(row->version)));

    if (status == IDENTITY_DB_OK)
        row->version++;
    return status;
}

identity_db_status_t identity_provider_delete(identity_db_t *db, const char *entity_id,
                                              const char *id)
{
    return db_guarded(db, IDENTITY_SQL_PROVIDER_DELETE, DB_ARGS(S(id), S(entity_id)));
}

identity_db_status_t identity_provider_by_id(identity_db_t *db, const char *id,
                                             identity_provider_row_t **row)
{
    return db_one(db, IDENTITY_SQL_PROVIDER_BY_ID, DB_ARGS(S(id)), db_read_provider, row);
}

identity_db_status_t identity_providers_sso(identity_db_t *db, const char *entity_id,
                                            apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_PROVIDERS_SSO, DB_ARGS(S(entity_id)), db_read_provider, rows);
}

identity_db_status_t identity_providers_password_off(identity_db_t *db, const char *entity_id,
                                                     bool *off)
{
    apr_int64_t count = 0;
    identity_db_status_t status =
        db_count(db, IDENTITY_SQL_PROVIDERS_PASSWORD_OFF, DB_ARGS(S(entity_id)), &count);

    *off = count > 0;
    return status;
}

/* ---- signing on ------------------------------------------------------------------------------------------------- */

identity_db_status_t identity_sso_state_spend(identity_db_t *db, const char *digest, apr_time_t now,
                                              apr_time_t expires_at)
{
    identity_db_status_t status =
        db_change(db, IDENTITY_SQL_SSO_STATES_FORGET, DB_ARGS(N(now)), NULL);

    if (status != IDENTITY_DB_OK)
        return status;
    return db_insert(db, IDENTITY_SQL_SSO_STATE_SPEND, DB_ARGS(S(digest), N(now), N(expires_at)));
}

identity_db_status_t identity_provider_link_get(identity_db_t *db, const char *issuer,
                                                const char *subject, identity_user_row_t **user)
{
    return db_one(db, IDENTITY_SQL_PROVIDER_LINK_GET, DB_ARGS(S(issuer), S(subject)), db_read_user,
                  user);
}

identity_db_status_t identity_provider_link_insert(identity_db_t *db, const char *issuer,
                                                   const char *subject, const char *user_id,
                                                   apr_time_t now)
{
    return db_insert(db, IDENTITY_SQL_PROVIDER_LINK_INSERT,
                     DB_ARGS(S(issuer), S(subject), S(user_id), N(now)));
}

identity_db_status_t identity_provider_links_at(identity_db_t *db, const char *user_id,
                                                const char *issuer, apr_int64_t *count)
{
    return db_count(db, IDENTITY_SQL_PROVIDER_LINKS_AT, DB_ARGS(S(user_id), S(issuer)), count);
}

identity_db_status_t identity_provider_links_end(identity_db_t *db, const char *user_id)
{
    return db_change(db, IDENTITY_SQL_PROVIDER_LINKS_END, DB_ARGS(S(user_id)), NULL);
}
