/* SPDX-License-Identifier: Apache-2.0 */
/* Iterates over whole tables in bounded memory. */
#include "db_int.h"

#define BATCH 500

identity_db_status_t db_each(identity_db_t *db, identity_sql_t sql, db_reader_t *reader,
                             db_key_t *key, db_each_t *each, void *context)
{
    apr_pool_t *pool = db_use_pool(db), *batch;
    identity_db_status_t status;
    apr_array_header_t *rows = NULL;
    const char *last = "";

    apr_pool_create(&batch, pool);
    identity_db_use(db, batch);
    do {
        apr_pool_clear(batch);
        status = db_list(db, sql, DB_ARGS(S(last), N(BATCH)), reader, &rows);
        if (status == IDENTITY_DB_OK && rows->nelts)
            last = apr_pstrdup(pool, key(APR_ARRAY_IDX(rows, rows->nelts - 1, const void *)));
        for (int i = 0; status == IDENTITY_DB_OK && i < rows->nelts; i++)
            status = each(db, APR_ARRAY_IDX(rows, i, const void *), context);
    } while (status == IDENTITY_DB_OK && rows->nelts == BATCH);
    identity_db_use(db, pool);
    apr_pool_destroy(batch);
    return status;
}
