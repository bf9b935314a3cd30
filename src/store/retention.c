/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose retention time is over: for each kind, whether there are any, and the deletion of a batch. */
#include "rows_int.h"

static const struct {
    identity_sql_t look, purge;
} kinds[IDENTITY_OLD_KINDS] = {
#define OLD(kind) [IDENTITY_OLD_##kind] = {IDENTITY_SQL_OLD_##kind, IDENTITY_SQL_OLD_##kind##_PURGE}
    OLD(AUDIT),   OLD(SESSIONS_ENDED), OLD(SESSIONS_EXPIRED), OLD(LEAVES),
    OLD(SECRETS), OLD(MAILS),          OLD(MAILS_QUEUED),
#undef OLD
};

identity_db_status_t identity_old_any(identity_db_t *db, identity_old_t kind, apr_time_t before,
                                      bool *any)
{
    apr_int64_t count = 0;
    identity_db_status_t status =
        db_count(db, kinds[kind].look, DB_ARGS(N(before), N(before)), &count);

    *any = count > 0;
    return status;
}

identity_db_status_t identity_old_purge(identity_db_t *db, identity_old_t kind, apr_time_t before,
                                        apr_int64_t limit, int *deleted)
{
    identity_db_status_t status = db_in_write(db, "OLD_PURGE");

    return status == IDENTITY_DB_OK
               ? db_change(db, kinds[kind].purge, DB_ARGS(N(before), N(before), N(limit)), deleted)
               : status;
}
