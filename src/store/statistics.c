/* SPDX-License-Identifier: Apache-2.0 */
/* Database statistics for administrators. */
#include "db_int.h"

typedef struct pair {
    apr_int64_t all, some;
} pair_t;

static void *read_pair(const db_row_t *row, int from)
{
    pair_t *pair = apr_palloc(db_pool(row), sizeof *pair);

    pair->all = db_number(row, from);
    pair->some = db_number(row, from + 1);
    return pair;
}

static identity_db_status_t look(identity_db_t *db, identity_sql_t statement,
                                 const db_argument_t *arguments, int count, apr_int64_t *all,
                                 apr_int64_t *some)
{
    pair_t *pair = NULL;
    identity_db_status_t status =
        db_one(db, statement, arguments, count, read_pair, (void **)&pair);

    if (status == IDENTITY_DB_OK) {
        *all = pair->all;
        *some = pair->some;
    }
    return status;
}

identity_db_status_t identity_statistics_take(identity_db_t *db, apr_time_t now, apr_int64_t most,
                                              identity_statistics_t *statistics)
{
    apr_int64_t oldest_failed;
    identity_db_status_t status = look(db, IDENTITY_SQL_STATISTICS_USERS, DB_ARGS(N(most)),
                                       &statistics->users, &statistics->users_active);

    if (status == IDENTITY_DB_OK)
        status = look(db, IDENTITY_SQL_STATISTICS_KEYS, DB_ARGS(N(most)), &statistics->keys,
                      &statistics->keys_active);
    if (status == IDENTITY_DB_OK)
        status = look(db, IDENTITY_SQL_STATISTICS_SESSIONS, DB_ARGS(N(now), N(now), N(most)),
                      &statistics->sessions, &statistics->sessions_live);
    if (status == IDENTITY_DB_OK)
        status = look(db, IDENTITY_SQL_STATISTICS_OUTBOX, DB_ARGS(S("queued"), N(most)),
                      &statistics->queued, &statistics->oldest_queued_at);
    if (status == IDENTITY_DB_OK)
        status = look(db, IDENTITY_SQL_STATISTICS_OUTBOX, DB_ARGS(S("failed"), N(most)),
                      &statistics->failed, &oldest_failed);
    return status;
}

identity_db_status_t identity_statistics_waiting(identity_db_t *db, const apr_time_t before[],
                                                 int count, apr_int64_t most, apr_int64_t waiting[])
{
    identity_db_status_t status = IDENTITY_DB_OK;

    for (int i = 0; i < count && status == IDENTITY_DB_OK; i++)
        status = db_count(db, IDENTITY_SQL_STATISTICS_WAITING, DB_ARGS(N(most), N(before[i])),
                          &waiting[i]);
    return status;
}
