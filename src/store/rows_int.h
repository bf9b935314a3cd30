/* SPDX-License-Identifier: Apache-2.0 */
/* Row readers shared by files of this folder, and what the test of the query plans examines. */
#ifndef IDENTITY_ROWS_INT_H
#define IDENTITY_ROWS_INT_H

#include "db_int.h"

db_reader_t db_read_user, db_read_user_shown, db_read_account, db_read_role,
    db_read_role_permission, db_read_key, db_read_team, db_read_provider, db_read_audit,
    db_read_client, db_read_invitation;

/* For a list of rows.def: reads its columns into `made`, starting at the column `from`; their number; and the
 * arguments of an insert of `row`. Kinds that are enums are converted in the file of their table. */
#define DB_READ(alias, kind, name)      made->name = DB_READ_##kind(row, from++);
#define DB_READ_TEXT(row, at)           db_text(row, at)
#define DB_READ_NULLABLE(row, at)       db_text_or_null(row, at)
#define DB_READ_TIME(row, at)           db_number(row, at)
#define DB_READ_END(row, at)            db_number(row, at)
#define DB_READ_NUMBER(row, at)         db_number(row, at)
#define DB_READ_COUNT(row, at)          (int)db_number(row, at)
#define DB_READ_FLAG(row, at)           db_number(row, at) != 0
#define DB_READ_HELD(row, at)           db_text_or_null(row, at) != NULL
#define DB_COUNT_ONE(alias, kind, name) +1
#define DB_COLUMNS(LIST)                (0 LIST(DB_COUNT_ONE, DB_COUNT_ONE))
#define DB_BIND(alias, kind, name)      DB_BIND_##kind(row->name)
#define DB_NEXT_BIND(alias, kind, name) , DB_BIND_##kind(row->name)
#define DB_BIND_TEXT(value)             S(value)
#define DB_BIND_NULLABLE(value)         S(value)
#define DB_BIND_TIME(value)             N(value)
#define DB_BIND_END(value)              N(value)
#define DB_BIND_NUMBER(value)           N(value)
#define DB_BIND_FLAG(value)             N(value)
#define DB_ROW_ARGS(LIST)               DB_ARGS(LIST(DB_BIND, DB_NEXT_BIND))
/* A reader for exactly the columns of a list. */
#define DB_READER(function, row_t, LIST)                                                           \
    void *function(const db_row_t *row, int from)                                                  \
    {                                                                                              \
        row_t *made = apr_pcalloc(db_pool(row), sizeof *made);                                     \
                                                                                                   \
        LIST(DB_READ, DB_READ)                                                                     \
        return made;                                                                               \
    }

/* Converts the user names of an older database to their canonical forms (names.c). Idempotent. In a write
 * transaction. */
identity_db_status_t db_migrate_names(identity_db_t *db);
/* Sets the compared form of the team names of an older database (team.c). In a write transaction. */
identity_db_status_t db_migrate_team_names(identity_db_t *db);
/* Readable whatever it contains: quoted as in JSON (names.c). */
const char *db_quoted(apr_pool_t *pool, const char *text);

/* Rows of one owner are adjacent; sorts those of each. They are few: insertion sort. */
typedef bool db_before_t(const void *one, const void *other);
static inline void db_sort_runs(apr_array_header_t *rows, db_key_t *owner, db_before_t *before)
{
    const void **all = (const void **)rows->elts;

    for (int i = 1; i < rows->nelts; i++)
        for (int k = i;
             k > 0 && strcmp(owner(all[k - 1]), owner(all[k])) == 0 && before(all[k], all[k - 1]);
             k--) {
            const void *kept = all[k];
            all[k] = all[k - 1];
            all[k - 1] = kept;
        }
}

/* The id in the column of its kind of owner, NULL in the others. */
static inline const char *db_owner_column(identity_owner_t wanted, identity_owner_t owner,
                                          const char *id)
{
    return wanted == owner ? id : NULL;
}

/* Pages of holders (holder.c), as for identity_page and identity_page_count, except for the order behind a backward
 * cursor. */
identity_db_status_t db_holders(identity_db_t *db, const identity_page_query_t *query,
                                apr_array_header_t **rows);
identity_db_status_t db_holders_count(identity_db_t *db, const identity_page_query_t *query,
                                      apr_int64_t cap, apr_int64_t *count);

/* Every text that page.c and holder.c can compose. */
typedef void db_text_seen_t(void *context, const char *name, const char *text);
void db_page_texts(apr_pool_t *pool, db_text_seen_t *seen, void *context);
void db_holder_texts(apr_pool_t *pool, db_text_seen_t *seen, void *context);

#endif
