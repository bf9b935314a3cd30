/* Authentication providers. Pages of them are in page.c. */
#include "rows_int.h"

void *db_read_provider(const db_row_t *row, int from)
{
    identity_provider_row_t *provider = apr_palloc(db_pool(row), sizeof *provider);

    provider->id = db_text(row, from);
    provider->entity_id = db_text(row, from + 1);
    provider->type = db_text(row, from + 2);
    provider->name = db_text(row, from + 3);
    provider->status = db_text(row, from + 4);
    provider->variant = db_text(row, from + 5);
    provider->issuer = db_text(row, from + 6);
    provider->client_id = db_text(row, from + 7);
    provider->settings = db_text(row, from + 8);
    provider->created_at = db_number(row, from + 9);
    provider->version = db_number(row, from + 10);
    return provider;
}

identity_db_status_t identity_provider_insert(identity_db_t *db, const identity_provider_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_PROVIDER_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->type), S(row->name), S(row->status), S(row->variant),
                             S(row->issuer), S(row->client_id), S(row->settings), N(row->created_at), N(row->version)));
}

identity_db_status_t identity_provider_get(identity_db_t *db, const char *entity_id, const char *id,
                                           identity_provider_row_t **row)
{
    return db_one(db, IDENTITY_SQL_PROVIDER_GET, DB_ARGS(S(id), S(entity_id)), db_read_provider, row);
}

identity_db_status_t identity_provider_update(identity_db_t *db, identity_provider_row_t *row)
{
    identity_db_status_t status =
        db_guarded(db, IDENTITY_SQL_PROVIDER_UPDATE,
                   DB_ARGS(S(row->type), S(row->name), S(row->status), S(row->variant), S(row->issuer),
                           S(row->client_id), S(row->settings), S(row->id), S(row->entity_id), N(row->version)));

    if (status == IDENTITY_DB_OK)
        row->version++;
    return status;
}
