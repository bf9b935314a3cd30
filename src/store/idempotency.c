/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to Idempotency-Keys. */
#include "db_int.h"

static void *read_row(const db_row_t *row, int from)
{
    identity_idempotency_row_t *answer = apr_pcalloc(db_pool(row), sizeof *answer);
    const char *sealed = db_text(row, from + 3);

    answer->digest = db_text(row, from);
    answer->running = strcmp(db_text(row, from + 1), "done") != 0;
    answer->status = (int)db_number(row, from + 2);
    answer->owner = answer->running ? sealed : NULL;
    answer->sealed = answer->running ? NULL : sealed;
    answer->sealed_with = db_text(row, from + 4);
    answer->created_at = db_number(row, from + 5);
    return answer;
}

identity_db_status_t identity_idempotency_reserve(identity_db_t *db,
                                                  const identity_idempotency_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_IDEMPOTENCY_RESERVE,
                     DB_ARGS(S(row->credential_id), S(row->key), S(row->digest), S(row->owner),
                             S(row->sealed_with), N(row->created_at)));
}

identity_db_status_t identity_idempotency_get(identity_db_t *db, const char *credential_id,
                                              const char *key, identity_idempotency_row_t **row)
{
    identity_db_status_t status =
        db_one(db, IDENTITY_SQL_IDEMPOTENCY_GET, DB_ARGS(S(credential_id), S(key)), read_row, row);

    if (status == IDENTITY_DB_OK) {
        (*row)->credential_id = credential_id;
        (*row)->key = key;
    }
    return status;
}

identity_db_status_t identity_idempotency_take(identity_db_t *db,
                                               const identity_idempotency_row_t *seen,
                                               const identity_idempotency_row_t *row)
{
    return db_guarded(db, IDENTITY_SQL_IDEMPOTENCY_TAKE,
                      DB_ARGS(S(row->digest), S(row->owner), S(row->sealed_with),
                              N(row->created_at), S(row->credential_id), S(row->key),
                              S(seen->running ? "running" : "done"), N(seen->created_at)));
}

identity_db_status_t identity_idempotency_store(identity_db_t *db,
                                                const identity_idempotency_row_t *row)
{
    return db_guarded(
        db, IDENTITY_SQL_IDEMPOTENCY_STORE,
        DB_ARGS(N(row->status), S(row->sealed), S(row->credential_id), S(row->key), S(row->owner)));
}

identity_db_status_t identity_idempotency_free(identity_db_t *db,
                                               const identity_idempotency_row_t *row)
{
    return db_change(db, IDENTITY_SQL_IDEMPOTENCY_FREE,
                     DB_ARGS(S(row->credential_id), S(row->key), S(row->owner)), NULL);
}

identity_db_status_t identity_idempotency_old(identity_db_t *db, apr_time_t before,
                                              apr_int64_t *old)
{
    return db_count(db, IDENTITY_SQL_IDEMPOTENCY_OLD, DB_ARGS(N(before)), old);
}

identity_db_status_t identity_idempotency_purge(identity_db_t *db, apr_time_t before,
                                                apr_int64_t limit, int *deleted)
{
    identity_db_status_t status = db_in_write(db, "IDEMPOTENCY_PURGE");

    return status == IDENTITY_DB_OK ? db_change(db, IDENTITY_SQL_IDEMPOTENCY_PURGE,
                                                DB_ARGS(N(before), N(limit)), deleted)
                                    : status;
}
