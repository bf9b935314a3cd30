/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder: statements by name, their arguments, and row readers. */
#ifndef IDENTITY_DB_INT_H
#define IDENTITY_DB_INT_H

#include <string.h>

#include <apr_strings.h>

#include "identity/store.h"

typedef enum {
#define SQL(name, text) IDENTITY_SQL_##name,
#include "sql.def"
#undef SQL
    IDENTITY_SQL_COUNT
} identity_sql_t;

const char *identity_sql_name(identity_sql_t sql);
const char *identity_sql_text(identity_sql_t sql);

/* One parameter: text for %s (NULL binds NULL), a number for %lld. Checked against the statement's text before it
 * runs. */
typedef struct db_argument {
    bool numeric;
    const char *text;
    apr_int64_t number;
} db_argument_t;

#define S(value) ((db_argument_t){.numeric = false, .text = (value)})
#define N(value) ((db_argument_t){.numeric = true, .number = (value)})
/* Two arguments of a call: the list and its length. */
#define DB_ARGS(...)                                                                               \
    (const db_argument_t[]){__VA_ARGS__},                                                          \
        (int)(sizeof((const db_argument_t[]){__VA_ARGS__}) / sizeof(db_argument_t))

/* A row, valid while its reader runs; values are copied to the pool in use. */
typedef struct db_row db_row_t;
const char *db_text(const db_row_t *row, int column); /* NULL reads as "" */
const char *db_text_or_null(const db_row_t *row, int column);
apr_int64_t db_number(const db_row_t *row, int column);
apr_pool_t *db_pool(const db_row_t *row);
/* Creates a row struct from the columns starting at `from`. */
typedef void *db_reader_t(const db_row_t *row, int from);

/* *changed (or NULL): the number of affected rows. */
identity_db_status_t db_change(identity_db_t *db, identity_sql_t sql,
                               const db_argument_t *arguments, int count, int *changed);
/* NONE, or CONFLICT, if no row was affected. */
identity_db_status_t db_guarded(identity_db_t *db, identity_sql_t sql,
                                const db_argument_t *arguments, int count);
identity_db_status_t db_insert(identity_db_t *db, identity_sql_t sql,
                               const db_argument_t *arguments, int count);

/* *row (a pointer to a pointer): the first row, NONE if there is none. */
identity_db_status_t db_one(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments,
                            int count, db_reader_t *reader, void *row);
identity_db_status_t db_list(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments,
                             int count, db_reader_t *reader, apr_array_header_t **rows);
identity_db_status_t db_count(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments,
                              int count, apr_int64_t *value);
/* The same for a text composed of fragments; name is for the log. */
identity_db_status_t db_list_text(identity_db_t *db, const char *name, const char *text,
                                  const db_argument_t *arguments, int count, db_reader_t *reader,
                                  apr_array_header_t **rows);
identity_db_status_t db_count_text(identity_db_t *db, const char *name, const char *text,
                                   const db_argument_t *arguments, int count, apr_int64_t *value);

/* Calls each for every row of a list with two arguments, the key after which it begins and the batch size: batch by
 * batch, each in memory of its own, to which db_use_pool is set meanwhile. Ends with the first status other than OK. */
typedef const char *db_key_t(const void *row);
typedef identity_db_status_t db_each_t(identity_db_t *db, const void *row, void *context);
identity_db_status_t db_each(identity_db_t *db, identity_sql_t sql, db_reader_t *reader,
                             db_key_t *key, db_each_t *each, void *context);

/* A change by a composed text, in a write transaction. CONFLICT if it violates a rule of the schema: *rule is the
 * database's text, which names columns but no data; the transaction continues. The caller records whose rights it
 * changes. */
identity_db_status_t db_try_text(identity_db_t *db, const char *name, const char *text,
                                 const db_argument_t *arguments, int count, const char **rule);

/* A statement without parameters, not prepared; the second function reads its first column. */
identity_db_status_t db_plain(identity_db_t *db, const char *name, const char *text);
identity_db_status_t db_plain_list(identity_db_t *db, const char *name, const char *text,
                                   apr_array_header_t **texts);

/* A JSON array from an array of const char *, for json_each(%s); NULL is the empty list. */
const char *db_json(identity_db_t *db, const apr_array_header_t *texts);
identity_catalogue_t db_catalogue(const identity_db_t *db);
apr_pool_t *db_use_pool(const identity_db_t *db);

/* OK inside a write transaction, else FAILED: for changes of more than one row. */
identity_db_status_t db_in_write(identity_db_t *db, const char *name);

/* Records whose rights the write transaction changes (invalidation.def, change.c): at its begin, after a change that
 * affected rows, before COMMIT. db_invalidations: must the statement be in a write transaction? */
void db_invalidation_begin(identity_db_t *db);
bool db_invalidations(identity_sql_t sql);
/* The number, from 0, of the parameter of that name (PARAM in sql.def); -1: none. */
int db_parameter(identity_sql_t sql, const char *name);
void db_invalidate(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments);
identity_db_status_t db_invalidation_end(identity_db_t *db);

/* Opens the file in any journal mode. */
identity_db_t *db_open_any(apr_pool_t *pool, const char *driver, const char *params,
                           const identity_db_options_t *options, const char **error);

#endif
