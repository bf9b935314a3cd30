/* SPDX-License-Identifier: Apache-2.0 */
/* API keys. Pages of them are in page.c. */
#include "rows_int.h"

static const char *const role_names[] = {"ADMINISTRATOR", "READ_ONLY"};

const char *identity_key_role_name(identity_key_role_t role)
{
    return role_names[role];
}

static identity_key_role_t role_of(const char *name)
{
    return strcmp(name, role_names[IDENTITY_KEY_ADMINISTRATOR]) == 0 ? IDENTITY_KEY_ADMINISTRATOR
                                                                     : IDENTITY_KEY_READ_ONLY;
}

#define DB_READ_KEY_ROLE(row, at) role_of(db_text(row, at))
#define DB_BIND_KEY_ROLE(role)    S(role_names[role])
DB_READER(db_read_key, identity_key_row_t, IDENTITY_KEY_ROW)

static void *read_with_entity(const db_row_t *row, int from)
{
    identity_key_row_t *key = db_read_key(row, from);

    key->entity_reference = db_text(row, from + DB_COLUMNS(IDENTITY_KEY_ROW));
    key->entity_expires_at = db_number(row, from + DB_COLUMNS(IDENTITY_KEY_ROW) + 1);
    return key;
}

static identity_db_status_t insert_permissions(identity_db_t *db, const char *id,
                                               const apr_array_header_t *permissions)
{
    if (!permissions || permissions->nelts == 0)
        return IDENTITY_DB_OK;
    return db_change(db, IDENTITY_SQL_KEY_PERMISSION_INSERT,
                     DB_ARGS(S(id), S(db_json(db, permissions))), NULL);
}

identity_db_status_t identity_key_insert(identity_db_t *db, const identity_key_row_t *row,
                                         const apr_array_header_t *permissions)
{
    identity_db_status_t status = db_in_write(db, "KEY_INSERT");

    if (status == IDENTITY_DB_OK)
        status = db_insert(db, IDENTITY_SQL_KEY_INSERT, DB_ROW_ARGS(IDENTITY_KEY_ROW));
    return status == IDENTITY_DB_OK ? insert_permissions(db, row->id, permissions) : status;
}

identity_db_status_t identity_key_update(identity_db_t *db, identity_key_row_t *row,
                                         const apr_array_header_t *permissions)
{
    identity_db_status_t status = db_in_write(db, "KEY_UPDATE");

    if (status == IDENTITY_DB_OK)
        status = db_guarded(db, IDENTITY_SQL_KEY_UPDATE,
                            DB_ARGS(S(row->description), N(row->active), N(row->narrowed),
                                    S(role_names[row->role_type]), N(row->expires_at), S(row->id),
                                    S(row->entity_id), N(row->version)));
    if (status == IDENTITY_DB_OK)
        row->version++;
    if (status == IDENTITY_DB_OK && permissions)
        status = db_change(db, IDENTITY_SQL_KEY_PERMISSIONS_DELETE, DB_ARGS(S(row->id)), NULL);
    return status == IDENTITY_DB_OK ? insert_permissions(db, row->id, permissions) : status;
}

identity_db_status_t identity_key_get(identity_db_t *db, const char *id, identity_key_row_t **row)
{
    return db_one(db, IDENTITY_SQL_KEY_GET, DB_ARGS(S(id)), read_with_entity, row);
}

identity_db_status_t identity_key_find(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_key_row_t **row)
{
    return db_one(db, IDENTITY_SQL_KEY_FIND, DB_ARGS(S(id), S(entity_id)), db_read_key, row);
}

identity_db_status_t identity_key_of_user(identity_db_t *db, const char *user_id, const char *id,
                                          identity_key_row_t **row)
{
    return db_one(db, IDENTITY_SQL_KEY_OF_USER, DB_ARGS(S(id), S(user_id)), db_read_key, row);
}

identity_db_status_t identity_keys_of_user(identity_db_t *db, const char *user_id,
                                           apr_int64_t limit, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_KEYS_OF_USER, DB_ARGS(S(user_id), N(limit)), db_read_key, rows);
}

identity_db_status_t identity_key_delete(identity_db_t *db, const char *user_id, const char *id)
{
    identity_db_status_t status = db_in_write(db, "KEY_DELETE");
    return status == IDENTITY_DB_OK
               ? db_guarded(db, IDENTITY_SQL_KEY_DELETE, DB_ARGS(S(id), S(user_id)))
               : status;
}

identity_db_status_t identity_keys_delete_user(identity_db_t *db, const char *user_id)
{
    identity_db_status_t status = db_in_write(db, "KEYS_DELETE_USER");
    return status == IDENTITY_DB_OK
               ? db_change(db, IDENTITY_SQL_KEYS_DELETE_USER, DB_ARGS(S(user_id)), NULL)
               : status;
}

identity_db_status_t identity_keys_made_by(identity_db_t *db, const char *entity_id,
                                           const char *user_id, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_KEYS_MADE_BY, DB_ARGS(S(user_id), S(entity_id)), db_read_key,
                   rows);
}

identity_db_status_t identity_key_permissions(identity_db_t *db, const apr_array_header_t *key_ids,
                                              apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_KEY_PERMISSIONS, DB_ARGS(S(db_json(db, key_ids))),
                   db_read_role_permission, rows);
}

identity_db_status_t identity_key_touch(identity_db_t *db, const char *id, apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_KEY_TOUCH, DB_ARGS(N(now), S(id), N(now)), NULL);
}
