/* SPDX-License-Identifier: Apache-2.0 */
/* Entities and accounts. */
#include "rows_int.h"

static DB_READER(read_entity, identity_entity_row_t, IDENTITY_ENTITY_ROW)

    DB_READER(db_read_account, identity_account_row_t, IDENTITY_ACCOUNT_ROW)

        identity_db_status_t
    identity_entity_insert(identity_db_t *db, const identity_entity_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_ENTITY_INSERT, DB_ROW_ARGS(IDENTITY_ENTITY_ROW));
}

identity_db_status_t identity_entity_find(identity_db_t *db, const char *id_or_reference,
                                          identity_entity_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ENTITY_FIND, DB_ARGS(S(id_or_reference), S(id_or_reference)),
                  read_entity, row);
}

identity_db_status_t identity_entities_list(identity_db_t *db, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ENTITIES_LIST, NULL, 0, read_entity, rows);
}

identity_db_status_t identity_entity_update(identity_db_t *db, const identity_entity_row_t *row)
{
    return db_guarded(db, IDENTITY_SQL_ENTITY_UPDATE,
                      DB_ARGS(S(row->reference), S(row->name), S(row->id)));
}

identity_db_status_t identity_accounts_of(identity_db_t *db, const apr_array_header_t *ids,
                                          apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ACCOUNTS_OF_IDS, DB_ARGS(S(db_json(db, ids))), db_read_account,
                   rows);
}

static void *read_left(const db_row_t *row, int from)
{
    identity_left_row_t *left = apr_palloc(db_pool(row), sizeof *left);

    left->what = db_text(row, from);
    left->count = db_number(row, from + 1);
    return left;
}

identity_db_status_t identity_entity_left(identity_db_t *db, const char *id,
                                          apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ENTITY_LEFT,
                   DB_ARGS(S(id), S(id), S(id), S(id), S(id), S(id), S(id)), read_left, rows);
}

identity_db_status_t identity_entity_delete(identity_db_t *db, const char *id)
{
    identity_db_status_t status = db_in_write(db, "ENTITY_DELETE");
    return status == IDENTITY_DB_OK ? db_guarded(db, IDENTITY_SQL_ENTITY_DELETE, DB_ARGS(S(id)))
                                    : status;
}

identity_db_status_t identity_account_update(identity_db_t *db, const identity_account_row_t *row)
{
    return db_guarded(db, IDENTITY_SQL_ACCOUNT_UPDATE,
                      DB_ARGS(S(row->reference), S(row->account_type_code), S(row->environment),
                              S(row->parent_id), S(row->id), S(row->entity_id)));
}

identity_db_status_t identity_account_left(identity_db_t *db, const char *entity_id, const char *id,
                                           apr_time_t now, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ACCOUNT_LEFT,
                   DB_ARGS(S(id), S(entity_id), N(now), S(id), S(id)), read_left, rows);
}

identity_db_status_t identity_account_delete(identity_db_t *db, const char *entity_id,
                                             const char *id)
{
    identity_db_status_t status = db_in_write(db, "ACCOUNT_DELETE");
    return status == IDENTITY_DB_OK
               ? db_guarded(db, IDENTITY_SQL_ACCOUNT_DELETE, DB_ARGS(S(id), S(entity_id)))
               : status;
}

identity_db_status_t identity_account_insert(identity_db_t *db, const identity_account_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_ACCOUNT_INSERT, DB_ROW_ARGS(IDENTITY_ACCOUNT_ROW));
}

identity_db_status_t identity_account_find(identity_db_t *db, const char *entity_id,
                                           const char *id_or_reference,
                                           identity_account_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ACCOUNT_FIND,
                  DB_ARGS(S(id_or_reference), S(entity_id), S(entity_id), S(id_or_reference)),
                  db_read_account, row);
}

identity_db_status_t identity_accounts_count(identity_db_t *db, const char *entity_id,
                                             apr_int64_t cap, apr_int64_t *count)
{
    return db_count(db, IDENTITY_SQL_ACCOUNTS_COUNT, DB_ARGS(S(entity_id), N(cap + 1)), count);
}

identity_db_status_t identity_accounts_list(identity_db_t *db, const char *entity_id,
                                            apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ACCOUNTS_LIST, DB_ARGS(S(entity_id)), db_read_account, rows);
}

identity_db_status_t identity_account_named(identity_db_t *db, const char *id_or_reference,
                                            identity_account_row_t **row)
{
    apr_array_header_t *rows = NULL;
    identity_db_status_t status =
        db_list(db, IDENTITY_SQL_ACCOUNTS_NAMED, DB_ARGS(S(id_or_reference), S(id_or_reference)),
                db_read_account, &rows);

    *row = NULL;
    if (status != IDENTITY_DB_OK)
        return status;
    for (int i = 0; i < rows->nelts && !*row; i++)
        if (rows->nelts == 1 ||
            strcmp(APR_ARRAY_IDX(rows, i, identity_account_row_t *)->id, id_or_reference) == 0)
            *row = APR_ARRAY_IDX(rows, i, identity_account_row_t *);
    return *row ? IDENTITY_DB_OK : rows->nelts ? IDENTITY_DB_CONFLICT : IDENTITY_DB_NONE;
}

/* ---- sandboxes -------------------------------------------------------------------------------------------------- */

identity_db_status_t identity_sandboxes_count(identity_db_t *db, apr_int64_t cap,
                                              apr_int64_t *count)
{
    return db_count(db, IDENTITY_SQL_SANDBOXES_COUNT, DB_ARGS(N(cap)), count);
}

identity_db_status_t identity_sandbox_over(identity_db_t *db, apr_time_t now,
                                           identity_entity_row_t **row)
{
    return db_one(db, IDENTITY_SQL_SANDBOX_OVER, DB_ARGS(N(now)), read_entity, row);
}

identity_db_status_t identity_sandbox_reduce(identity_db_t *db, const char *entity_id,
                                             apr_int64_t limit, int *deleted)
{
    /* Stored answers to users and keys are found through these, so they are deleted first and do not count. */
    static const struct {
        identity_sql_t sql;
        bool counts;
    } steps[] = {{IDENTITY_SQL_SANDBOX_ANSWERS_USERS, false}, {IDENTITY_SQL_SANDBOX_USERS, true},
                 {IDENTITY_SQL_SANDBOX_ANSWERS_KEYS, false},  {IDENTITY_SQL_SANDBOX_KEYS, true},
                 {IDENTITY_SQL_SANDBOX_TEAMS, true},          {IDENTITY_SQL_SANDBOX_CHILDREN, true},
                 {IDENTITY_SQL_SANDBOX_ROLES, true},          {IDENTITY_SQL_SANDBOX_AUDIT, true}};
    identity_db_status_t status = db_in_write(db, "SANDBOX_REDUCE");

    *deleted = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == IDENTITY_DB_OK && !*deleted;
         i++) {
        int changed = 0;
        status = db_change(db, steps[i].sql, DB_ARGS(S(entity_id), N(limit)), &changed);
        *deleted = steps[i].counts ? changed : 0;
    }
    if (status == IDENTITY_DB_OK && !*deleted)
        status = db_guarded(db, IDENTITY_SQL_SANDBOX_ENTITY, DB_ARGS(S(entity_id)));
    return status;
}
