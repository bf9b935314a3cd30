/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records: written, never changed. Pages of them are in page.c. */
#include "rows_int.h"

DB_READER(db_read_audit, identity_audit_row_t, IDENTITY_AUDIT_ROW)

static const char *text(const char *given)
{
    return given ? given : "";
}

/* A record that only gets a higher count has its details already. */
static identity_db_status_t put(identity_db_t *db, identity_sql_t statement,
                                const identity_audit_row_t *row)
{
    db_argument_t actor = S(row->user_id), target = S(row->target_id);
    identity_db_status_t status = db_insert(
        db, statement,
        DB_ARGS(S(row->id), S(row->entity_id), S(row->user_id), S(row->target_entity_id),
                S(row->target_platform_id), S(row->target_resource_type), S(row->target_id),
                S(row->target_environment), S(row->target_platform_id), S(row->action),
                S(row->message), S(row->reference), S(row->idempotency_key), N(row->created_at),
                S(row->entity_id), N(row->sandbox_cap), S(row->entity_id), N(row->sandbox_cap),
                N(row->sandbox_cap)));
    if (status != IDENTITY_DB_OK)
        return status;
    return db_change(db, IDENTITY_SQL_AUDIT_DETAILS_INSERT,
                     DB_ARGS(S(row->id), S(row->actor_name), actor, actor, S(row->target_name),
                             target, target, target, target, target, target, target, target, target,
                             S(text(row->client_address)), S(text(row->user_agent)),
                             S(text(row->changes))),
                     NULL);
}

identity_db_status_t identity_audit_insert(identity_db_t *db, const identity_audit_row_t *row)
{
    return put(db, IDENTITY_SQL_AUDIT_INSERT, row);
}

identity_db_status_t identity_audit_count(identity_db_t *db, const identity_audit_row_t *row)
{
    return put(db, IDENTITY_SQL_AUDIT_COUNT, row);
}

identity_db_status_t identity_audit_get(identity_db_t *db, const char *entity_id, const char *id,
                                        identity_audit_row_t **row)
{
    return db_one(db, IDENTITY_SQL_AUDIT_GET, DB_ARGS(S(id), S(entity_id)), db_read_audit, row);
}
