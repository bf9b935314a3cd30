/* Entities and accounts. */
#include "rows_int.h"

static void *read_entity(const db_row_t *row, int from)
{
    identity_entity_row_t *entity = apr_pcalloc(db_pool(row), sizeof *entity);

    entity->id = db_text(row, from);
    entity->reference = db_text(row, from + 1);
    entity->name = db_text(row, from + 2);
    entity->created_at = db_number(row, from + 3);
    entity->expires_at = db_number(row, from + 4);
    return entity;
}

void *db_read_account(const db_row_t *row, int from)
{
    identity_account_row_t *account = apr_pcalloc(db_pool(row), sizeof *account);

    account->id = db_text(row, from);
    account->entity_id = db_text(row, from + 1);
    account->reference = db_text(row, from + 2);
    account->account_type_code = db_text(row, from + 3);
    account->environment = db_text(row, from + 4);
    account->account_group_id = db_text_or_null(row, from + 5);
    account->parent_id = db_text_or_null(row, from + 6);
    account->created_at = db_number(row, from + 7);
    return account;
}

identity_db_status_t identity_entity_insert(identity_db_t *db, const identity_entity_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_ENTITY_INSERT,
                     DB_ARGS(S(row->id), S(row->reference), S(row->name), N(row->created_at), N(row->expires_at)));
}

identity_db_status_t identity_entity_find(identity_db_t *db, const char *id_or_reference, identity_entity_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ENTITY_FIND, DB_ARGS(S(id_or_reference), S(id_or_reference)), read_entity, row);
}

identity_db_status_t identity_entities_list(identity_db_t *db, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ENTITIES_LIST, NULL, 0, read_entity, rows);
}

identity_db_status_t identity_account_insert(identity_db_t *db, const identity_account_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_ACCOUNT_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->reference), S(row->account_type_code),
                             S(row->environment), S(row->account_group_id), S(row->parent_id), N(row->created_at)));
}

identity_db_status_t identity_account_find(identity_db_t *db, const char *entity_id, const char *id_or_reference,
                                           identity_account_row_t **row)
{
    return db_one(db, IDENTITY_SQL_ACCOUNT_FIND,
                  DB_ARGS(S(id_or_reference), S(entity_id), S(entity_id), S(id_or_reference)), db_read_account, row);
}

identity_db_status_t identity_accounts_count(identity_db_t *db, const char *entity_id, apr_int64_t cap,
                                             apr_int64_t *count)
{
    return db_count(db, IDENTITY_SQL_ACCOUNTS_COUNT, DB_ARGS(S(entity_id), N(cap + 1)), count);
}

identity_db_status_t identity_accounts_list(identity_db_t *db, const char *entity_id, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ACCOUNTS_LIST, DB_ARGS(S(entity_id)), db_read_account, rows);
}
