/* Audit records: written, never changed. */
#include "db_int.h"

identity_db_status_t identity_audit_insert(identity_db_t *db, const identity_audit_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_AUDIT_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->user_id), S(row->target_entity_id),
                             S(row->target_platform_id), S(row->target_resource_type), S(row->target_id),
                             S(row->target_environment), S(row->action), S(row->message), S(row->reference),
                             S(row->idempotency_key), S(row->client_address), N(row->created_at)));
}
