/* SPDX-License-Identifier: Apache-2.0 */
/* Statements, rows and transactions, with one of seven outcomes each. What it does about the traps of apr_dbd
 * is held by t/unit/store/store_db.c, where they are numbered P1 to P20. apr_dbd is called here and in db_open.c,
 * nowhere else.
 */
#include <stdint.h>
#include <stdlib.h>

#include "db_state.h"

#define ARGUMENTS 64
#define PATIENCE  apr_time_from_msec(1500) /* a little less than the driver's own */

struct db_row {
    identity_db_t *db;
    apr_dbd_row_t *row;
};

static const struct {
    const char *name, *text;
} statements[] = {
#define SQL(name, text) {#name, text},
#include "sql.def"
#undef SQL
};

const char *identity_sql_name(identity_sql_t sql)
{
    return statements[sql].name;
}

const char *identity_sql_text(identity_sql_t sql)
{
    return statements[sql].text;
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

/* The result of a statement: its status, and the driver's text, which may contain users' data (P10). */
typedef struct fault {
    db_outcome_t outcome;
    const char *detail;
} fault_t;

static fault_t fault_of(identity_db_t *db, int code)
{
    fault_t fault = {DB_OUTCOME_OK, ""};

    if (code == 0)
        return fault;
    const char *detail = apr_dbd_error(db->driver, db->handle, code);
    fault.detail = detail ? apr_pstrdup(db->scratch, detail) : "";
    fault.outcome = db_outcome(db->dialect, code, fault.detail);
    return fault;
}

static identity_db_status_t say(identity_db_t *db, const char *name, identity_db_status_t status,
                                const char *failure, const char *detail)
{
    db->failed = true;
    if (db->options.log)
        db->options.log(db->options.log_context, name, failure, detail);
    return status;
}

/* A violated constraint is not an error of the connection. */
static bool broke_rule(const fault_t *fault)
{
    return fault->outcome == DB_OUTCOME_RULE || fault->outcome == DB_OUTCOME_UNIQUE;
}

/* SQLite's message about the machine, not about a row: without personal data, so it may be logged (M25). */
static const char *cause_of(const fault_t *fault)
{
    static const struct {
        const char *text, *cause;
    } causes[] = {
        {"database or disk is full", "failed: the disk is full"},
        {"disk I/O error", "failed: the disk reports an error (or is full)"},
        {"attempt to write a readonly database", "failed: the database may not be written"},
        {"unable to open database file", "failed: the database's file cannot be opened"},
        {"database disk image is malformed", "failed: the database's file is damaged"},
        {"out of memory", "failed: out of memory"}};

    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (strcmp(fault->detail, causes[i].text) == 0)
            return causes[i].cause;
    return "failed";
}

static identity_db_status_t lost(identity_db_t *db)
{
    db->usable = false;
    db->lost_first = db->lost_first || db->done == 0;
    return IDENTITY_DB_LOST;
}

static identity_db_status_t failed(identity_db_t *db, const char *name, const fault_t *fault)
{
    if (fault->outcome == DB_OUTCOME_BUSY)
        return say(db, name, IDENTITY_DB_BUSY, "locked by others", fault->detail);
    db->given_up = fault->outcome == DB_OUTCOME_RETRY;
    if (db->given_up)
        return say(db, name, IDENTITY_DB_RETRY, "gave way to another transaction", fault->detail);
    if (broke_rule(fault))
        return say(db, name, IDENTITY_DB_FAILED, "a rule of the schema was broken", fault->detail);
    if (fault->outcome == DB_OUTCOME_LOST)
        return say(db, name, lost(db), "connection lost", fault->detail);
    db->usable = false;
    return say(db, name, IDENTITY_DB_FAILED, cause_of(fault), fault->detail);
}

static identity_db_status_t ended(identity_db_t *db, const char *name, const fault_t *fault)
{
    if (fault->outcome != DB_OUTCOME_OK)
        return failed(db, name, fault);
    db->done++;
    return IDENTITY_DB_OK;
}

/* Tests make the Nth statement fail without touching the connection. */
static identity_db_status_t fails_now(identity_db_t *db)
{
    const identity_db_status_t *with = db->options.fail_with;
    int *after = db->options.fail_after;

    db->count++;
    if (!after || *after <= 0 || --*after > 0)
        return IDENTITY_DB_OK;
    db->failed = true;
    if (!with || *with == IDENTITY_DB_OK)
        return IDENTITY_DB_FAILED;
    db->given_up = *with == IDENTITY_DB_RETRY;
    return *with == IDENTITY_DB_LOST ? lost(db) : *with;
}

/* Is SQLite still inside the transaction? Some failures (full disk, no memory) end it, and each later statement
 * would be committed by itself. A second BEGIN fails inside a transaction, which reveals this without the native
 * handle. */
static bool still_inside(identity_db_t *db)
{
    int rows;

    /* Elsewhere a second BEGIN is not refused: PostgreSQL's ROLLBACK would then end the first, MariaDB commits it. */
    if (db->dialect != DB_SQLITE)
        return true;
    if (apr_dbd_query(db->driver, db->handle, &rows, "BEGIN") != 0)
        return true;
    apr_dbd_query(db->driver, db->handle, &rows, "ROLLBACK");
    return false;
}

/* Anything but OK if a statement must not be run at all: a test makes it fail, the transaction is already lost, or it
 * would write without the write lock (the driver would then wait for a lock that cannot be obtained, P5). */
static identity_db_status_t may_run(identity_db_t *db, const char *name, bool change)
{
    bool over = db->open && db->failed;
    identity_db_status_t status = fails_now(db);

    if (status != IDENTITY_DB_OK)
        return status;
    if (over)
        return db->given_up ? IDENTITY_DB_RETRY : IDENTITY_DB_FAILED;
    if (!change || !db->open || db->write)
        return IDENTITY_DB_OK;
    return say(db, name, IDENTITY_DB_FAILED, "a change in a transaction that reads", NULL);
}

identity_db_status_t db_in_write(identity_db_t *db, const char *name)
{
    return db->open && db->write
               ? IDENTITY_DB_OK
               : say(db, name, IDENTITY_DB_FAILED, "outside a write transaction", NULL);
}

/* ---- statements ------------------------------------------------------------------------------------------------- */

/* The driver waits for a lock while it steps, but not while it compiles, for which SQLite may have to read (P4).
 * True if that failed immediately: then it is worth the same patience here. */
static bool wait_for_lock(identity_db_t *db, int code, apr_time_t began)
{
    if (code == 0 || fault_of(db, code).outcome != DB_OUTCOME_BUSY ||
        apr_time_now() - began > PATIENCE)
        return false;
    apr_sleep(apr_time_from_msec(50));
    return true;
}

static int prepare(identity_db_t *db, const char *text, apr_dbd_prepared_t **statement)
{
    apr_time_t began = apr_time_now();
    int code;

    *statement = apr_hash_get(db->statements, text, APR_HASH_KEY_STRING);
    if (*statement)
        return 0;
    /* No label: with one PostgreSQL folds its case and loses it in a restart (P14). */
    do
        code = apr_dbd_prepare(db->driver, db->connection, db->handle, text, NULL, statement);
    while (wait_for_lock(db, code, began));
    if (code == 0)
        apr_hash_set(db->statements, apr_pstrdup(db->connection, text), APR_HASH_KEY_STRING,
                     *statement);
    return code;
}

/* False if text and arguments do not match: a bug in this folder, which must not lead to a wrong binding (P12). */
static bool bind_values(const char *text, const db_argument_t *arguments, int count,
                        const void **values)
{
    int seen = 0;

    for (const char *at = strchr(text, '%'); at; at = strchr(at + 1, '%')) {
        bool numeric = strncmp(at, "%lld", 4) == 0;
        if ((!numeric && at[1] != 's') || seen >= count || seen >= ARGUMENTS ||
            arguments[seen].numeric != numeric)
            return false;
        values[seen] = numeric ? (const void *)&arguments[seen].number : arguments[seen].text;
        seen++;
    }
    return seen == count;
}

typedef int step_t(identity_db_t *db, apr_dbd_prepared_t *statement, const void **values,
                   void *result);

static fault_t attempt(identity_db_t *db, const char *text, const void **values, step_t *step,
                       void *result)
{
    apr_dbd_prepared_t *statement;
    int code = prepare(db, text, &statement);

    if (code == 0)
        code = step(db, statement, values, result);
    return fault_of(db, code);
}

static bool worth_again(identity_db_t *db, const fault_t *fault)
{
    if (db->dialect != DB_SQLITE)
        return fault->outcome == DB_OUTCOME_STALE && !db->open;
    return fault->outcome == DB_OUTCOME_FAILED && (!db->open || still_inside(db));
}

static step_t step_change;

/* rule: NULL, or receives the text of a violated constraint: then the result is CONFLICT, and not a failure. */
static identity_db_status_t run_ruled(identity_db_t *db, const char *name, const char *text,
                                      const db_argument_t *arguments, int count, step_t *step,
                                      void *result, const char **rule)
{
    const void *values[ARGUMENTS] = {NULL};

    apr_pool_clear(db->scratch);
    identity_db_status_t status = may_run(db, name, step == step_change);
    if (status != IDENTITY_DB_OK)
        return status;
    if (!bind_values(text, arguments, count, values))
        return say(db, name, IDENTITY_DB_FAILED, "parameters that do not fit the statement", NULL);
    fault_t fault = attempt(db, text, values, step, result);
    /* Again with the statement prepared anew: others may have changed the schema (P1). A statement that expired here
     * while another process changed the schema is told of the one by the first failure and of the other by the second.
     */
    for (int again = 0; again < 2 && worth_again(db, &fault); again++) {
        apr_hash_set(db->statements, text, APR_HASH_KEY_STRING, NULL);
        fault = attempt(db, text, values, step, result);
    }
    if (rule && broke_rule(&fault)) {
        *rule = apr_pstrdup(db->use, fault.detail);
        return IDENTITY_DB_CONFLICT;
    }
    if (fault.outcome == DB_OUTCOME_UNIQUE) {
        /* MariaDB's transaction goes on, PostgreSQL's answers nothing but ROLLBACK, and 0 to COMMIT. */
        db->failed = db->dialect == DB_PGSQL;
        return IDENTITY_DB_CONFLICT;
    }
    return ended(db, name, &fault);
}

static identity_db_status_t run(identity_db_t *db, const char *name, const char *text,
                                const db_argument_t *arguments, int count, step_t *step,
                                void *result)
{
    return run_ruled(db, name, text, arguments, count, step, result, NULL);
}

static int step_change(identity_db_t *db, apr_dbd_prepared_t *statement, const void **values,
                       void *result)
{
    return apr_dbd_pbquery(db->driver, db->scratch, db->handle, result, statement, values);
}

identity_db_status_t db_change(identity_db_t *db, identity_sql_t sql,
                               const db_argument_t *arguments, int count, int *changed)
{
    int rows = 0;
    identity_db_status_t status =
        db_invalidations(sql) ? db_in_write(db, statements[sql].name) : IDENTITY_DB_OK;

    if (status == IDENTITY_DB_OK)
        status = run(db, statements[sql].name, statements[sql].text, arguments, count, step_change,
                     &rows);
    if (status == IDENTITY_DB_OK && rows > 0)
        db_invalidate(db, sql, arguments);
    if (changed)
        *changed = rows;
    return status;
}

identity_db_status_t db_try_text(identity_db_t *db, const char *name, const char *text,
                                 const db_argument_t *arguments, int count, const char **rule)
{
    identity_db_status_t status = db_in_write(db, name);
    int rows;

    return status == IDENTITY_DB_OK
               ? run_ruled(db, name, text, arguments, count, step_change, &rows, rule)
               : status;
}

identity_db_status_t db_guarded(identity_db_t *db, identity_sql_t sql,
                                const db_argument_t *arguments, int count)
{
    int changed;
    identity_db_status_t status = db_change(db, sql, arguments, count, &changed);
    return status == IDENTITY_DB_OK && changed == 0 ? IDENTITY_DB_NONE : status;
}

identity_db_status_t db_insert(identity_db_t *db, identity_sql_t sql,
                               const db_argument_t *arguments, int count)
{
    identity_db_status_t status = db_guarded(db, sql, arguments, count);
    return status == IDENTITY_DB_NONE ? IDENTITY_DB_CONFLICT : status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static const char *datum(const db_row_t *row, int column)
{
    char *text = NULL;
    /* get_entry would return "" for NULL on PostgreSQL (P11). */
    return apr_dbd_datum_get(row->db->driver, row->row, column, APR_DBD_TYPE_STRING, &text) ==
                   APR_SUCCESS
               ? text
               : NULL;
}

const char *db_text_or_null(const db_row_t *row, int column)
{
    return apr_pstrdup(row->db->use, datum(row, column));
}

const char *db_text(const db_row_t *row, int column)
{
    const char *text = db_text_or_null(row, column);
    return text ? text : "";
}

apr_int64_t db_number(const db_row_t *row, int column)
{
    const char *text = datum(row, column);
    return text ? apr_atoi64(text) : 0;
}

apr_pool_t *db_pool(const db_row_t *row)
{
    return row->db->use;
}

static int step_select(identity_db_t *db, apr_dbd_prepared_t *statement, const void **values,
                       void *result)
{
    *(apr_dbd_results_t **)result = NULL;
    return apr_dbd_pbselect(db->driver, db->scratch, db->handle, result, statement, 1, values);
}

/* Rows are fetched until there are no more (P15), so that all drivers free their result. SQLite's driver counts from
 * the first row for each row number, which is quadratic: its next row is -1, even without random access. */
static void each(identity_db_t *db, apr_dbd_results_t *results,
                 void (*take)(const db_row_t *row, void *data), void *data)
{
    bool next = db->dialect == DB_SQLITE;
    db_row_t row = {.db = db};

    for (int i = 1; apr_dbd_get_row(db->driver, db->scratch, results, &row.row, next ? -1 : i) == 0;
         i++) {
        take(&row, data);
        row.row = NULL;
    }
}

typedef struct listing {
    db_reader_t *reader;
    apr_array_header_t *rows;
} listing_t;

static void take_row(const db_row_t *row, void *data)
{
    listing_t *listing = data;
    APR_ARRAY_PUSH(listing->rows, void *) = listing->reader(row, 0);
}

identity_db_status_t db_list_text(identity_db_t *db, const char *name, const char *text,
                                  const db_argument_t *arguments, int count, db_reader_t *reader,
                                  apr_array_header_t **rows)
{
    apr_dbd_results_t *results = NULL;
    listing_t listing = {reader, apr_array_make(db->use, 8, sizeof(void *))};
    identity_db_status_t status = run(db, name, text, arguments, count, step_select, &results);

    *rows = listing.rows;
    if (status == IDENTITY_DB_OK)
        each(db, results, take_row, &listing);
    return status;
}

identity_db_status_t db_list(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments,
                             int count, db_reader_t *reader, apr_array_header_t **rows)
{
    return db_list_text(db, statements[sql].name, statements[sql].text, arguments, count, reader,
                        rows);
}

identity_db_status_t db_one(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments,
                            int count, db_reader_t *reader, void *row)
{
    apr_array_header_t *rows;
    identity_db_status_t status = db_list(db, sql, arguments, count, reader, &rows);

    *(void **)row = status == IDENTITY_DB_OK && rows->nelts ? APR_ARRAY_IDX(rows, 0, void *) : NULL;
    return status == IDENTITY_DB_OK && !rows->nelts ? IDENTITY_DB_NONE : status;
}

static void *read_number(const db_row_t *row, int from)
{
    apr_int64_t *number = apr_palloc(row->db->use, sizeof *number);
    *number = db_number(row, from);
    return number;
}

identity_db_status_t db_count_text(identity_db_t *db, const char *name, const char *text,
                                   const db_argument_t *arguments, int count, apr_int64_t *value)
{
    apr_array_header_t *rows;
    identity_db_status_t status =
        db_list_text(db, name, text, arguments, count, read_number, &rows);

    *value = status == IDENTITY_DB_OK && rows->nelts ? *APR_ARRAY_IDX(rows, 0, apr_int64_t *) : 0;
    return status;
}

identity_db_status_t db_count(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments,
                              int count, apr_int64_t *value)
{
    return db_count_text(db, statements[sql].name, statements[sql].text, arguments, count, value);
}

identity_db_status_t db_plain(identity_db_t *db, const char *name, const char *text)
{
    apr_time_t began = apr_time_now();
    int rows, code;

    apr_pool_clear(db->scratch);
    identity_db_status_t status = may_run(db, name, false);
    if (status != IDENTITY_DB_OK)
        return status;
    do
        code = apr_dbd_query(db->driver, db->handle, &rows, text);
    while (wait_for_lock(db, code, began));
    fault_t fault = fault_of(db, code);
    return ended(db, name, &fault);
}

static void take_text(const db_row_t *row, void *data)
{
    APR_ARRAY_PUSH((apr_array_header_t *)data, const char *) = db_text(row, 0);
}

identity_db_status_t db_plain_list(identity_db_t *db, const char *name, const char *text,
                                   apr_array_header_t **texts)
{
    apr_dbd_results_t *results = NULL;
    apr_time_t began = apr_time_now();
    int code;

    *texts = apr_array_make(db->use, 4, sizeof(const char *));
    apr_pool_clear(db->scratch);
    identity_db_status_t status = may_run(db, name, false);
    if (status != IDENTITY_DB_OK)
        return status;
    do
        code = apr_dbd_select(db->driver, db->scratch, db->handle, &results, text, 1);
    while (wait_for_lock(db, code, began));
    fault_t fault = fault_of(db, code);
    status = ended(db, name, &fault);
    if (status == IDENTITY_DB_OK)
        each(db, results, take_text, *texts);
    return status;
}

const char *db_json(identity_db_t *db, const apr_array_header_t *texts)
{
    int count = texts ? texts->nelts : 0;
    identity_writer_t writer;
    size_t length;

    identity_writer_begin(&writer, db->use, (size_t)count * 40, SIZE_MAX - 1);
    identity_write_literal(&writer, "[");
    for (int i = 0; i < count; i++)
        identity_write_member(&writer, writer.length > 1 ? "," : "",
                              APR_ARRAY_IDX(texts, i, const char *));
    identity_write_literal(&writer, "]");
    return identity_writer_end(&writer, &length);
}

identity_catalogue_t db_catalogue(const identity_db_t *db)
{
    return db->options.catalogue;
}

apr_pool_t *db_use_pool(const identity_db_t *db)
{
    return db->use;
}

/* ---- transactions: plain statements, never apr_dbd_transaction_* (P7) ------------------------------------------- */

identity_db_status_t identity_db_begin(identity_db_t *db, bool write)
{
    const char *text = write ? "BEGIN IMMEDIATE" : "BEGIN";

    if (db->open)
        return say(db, text, IDENTITY_DB_FAILED, "inside a transaction already", NULL);
    db->failed = db->given_up = false;
    identity_db_status_t status = db_plain(db, text, text);
    db->open = status == IDENTITY_DB_OK;
    db->write = write;
    db_invalidation_begin(db);
    return status;
}

identity_db_status_t identity_db_commit(identity_db_t *db)
{
    identity_db_status_t status = db->open ? db_invalidation_end(db) : IDENTITY_DB_FAILED;

    if (status == IDENTITY_DB_OK)
        status = db_plain(db, "COMMIT", "COMMIT");
    if (status == IDENTITY_DB_OK) {
        db->open = false;
        db->wrote = db->wrote || db->write;
    } else {
        identity_db_rollback(db);
    }
    return status;
}

void identity_db_rollback(identity_db_t *db)
{
    int rows;

    if (!db->open)
        return;
    db->open = false;
    db->count++;
    if (apr_dbd_query(db->driver, db->handle, &rows, "ROLLBACK") != 0 && still_inside(db))
        db->usable = false;
}

void identity_db_release(identity_db_t *db)
{
    identity_db_rollback(db);
    db->failed = db->given_up = db->lost_first = false;
    db->done = 0;
    db->use = db->connection;
}

void identity_db_use(identity_db_t *db, apr_pool_t *pool)
{
    db->use = pool;
}

bool identity_db_wrote(identity_db_t *db)
{
    bool wrote = db->wrote;

    db->wrote = false;
    return wrote;
}

identity_again_t identity_db_again(const identity_db_t *db)
{
    return db->lost_first ? IDENTITY_AGAIN_ELSEWHERE
           : db->given_up ? IDENTITY_AGAIN
                          : IDENTITY_AGAIN_NOT;
}

bool identity_db_usable(identity_db_t *db)
{
    return db->usable;
}

unsigned long identity_db_statements(const identity_db_t *db)
{
    return db->count;
}
