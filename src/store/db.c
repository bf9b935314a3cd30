/* The only file that calls apr_dbd, by the contract in design/database.md, section 2.2. What it answers there is told
 * by the numbers P1 to P20. */
#include <pthread.h>
#include <stdlib.h>

#include <apr_file_info.h>
#include <apr_hash.h>

#include "db_int.h"

#define USERDATA  "mod_identity-db"
#define ARGUMENTS 20
#define BUSY      5 /* SQLite's codes */
#define LOCKED    6

typedef struct statement {
    apr_dbd_prepared_t *prepared;
} statement_t;

struct identity_db {
    apr_pool_t *connection; /* state that lives as long as the connection */
    apr_pool_t *use;        /* where results go: the present borrower's */
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    identity_db_options_t options;
    apr_hash_t *statements; /* by text: a finite set, prepared on first use */
    bool open, failed;      /* inside a transaction; one of its statements failed */
    bool usable;
    unsigned long count;
};

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

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

static identity_db_status_t outcome(int code)
{
    int base = code & 0xff;
    return code == 0 ? IDENTITY_DB_OK : base == BUSY || base == LOCKED ? IDENTITY_DB_BUSY : IDENTITY_DB_FAILED;
}

/* The driver's text can hold users' data (P10): it is for debug level. */
static identity_db_status_t failed(identity_db_t *db, const char *name, identity_db_status_t status, int code)
{
    db->failed = true;
    if (status == IDENTITY_DB_FAILED && apr_dbd_check_conn(db->driver, db->use, db->handle) != APR_SUCCESS)
        status = IDENTITY_DB_LOST;
    if (status == IDENTITY_DB_LOST || status == IDENTITY_DB_FAILED)
        db->usable = false;
    if (db->options.log)
        db->options.log(db->options.log_context, name,
                        status == IDENTITY_DB_BUSY   ? "locked by others"
                        : status == IDENTITY_DB_LOST ? "connection lost"
                                                     : "failed",
                        apr_dbd_error(db->driver, db->handle, code));
    return status;
}

/* Tests let the Nth statement fail without touching the connection. */
static bool fails_now(identity_db_t *db)
{
    int *after = db->options.fail_after;

    db->count++;
    if (!after || *after <= 0 || --*after > 0)
        return false;
    db->failed = true;
    return true;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static int prepare(identity_db_t *db, const char *text, statement_t **statement)
{
    *statement = apr_hash_get(db->statements, text, APR_HASH_KEY_STRING);
    if (*statement)
        return 0;
    statement_t *made = apr_pcalloc(db->connection, sizeof *made);
    /* No label: with one PostgreSQL folds its case and loses it in a restart (P14). */
    int code = apr_dbd_prepare(db->driver, db->connection, db->handle, text, NULL, &made->prepared);
    /* The driver waits for a lock in a step, but not here (P4). */
    for (int tries = 0; outcome(code) == IDENTITY_DB_BUSY && tries < 16; tries++) {
        apr_sleep(apr_time_from_msec(100));
        code = apr_dbd_prepare(db->driver, db->connection, db->handle, text, NULL, &made->prepared);
    }
    if (code == 0) {
        apr_hash_set(db->statements, apr_pstrdup(db->connection, text), APR_HASH_KEY_STRING, made);
        *statement = made;
    }
    return code;
}

/* False where text and arguments do not fit each other: a mistake in this room, never made into a bad binding (P12). */
static bool bind_values(const char *text, const db_argument_t *arguments, int count, const void **values)
{
    int seen = 0;

    for (const char *at = strchr(text, '%'); at; at = strchr(at + 1, '%')) {
        bool numeric = strncmp(at, "%lld", 4) == 0;
        if ((!numeric && at[1] != 's') || seen >= count || seen >= ARGUMENTS || arguments[seen].numeric != numeric)
            return false;
        values[seen] = numeric ? (const void *)&arguments[seen].number : arguments[seen].text;
        seen++;
    }
    return seen == count;
}

typedef int run_t(identity_db_t *db, statement_t *statement, const void **values, void *result);

/* Once more after a failure with the statement prepared anew: others may have changed the schema (P1). */
static identity_db_status_t run(identity_db_t *db, const char *name, const char *text, const db_argument_t *arguments,
                                int count, run_t *step, void *result)
{
    const void *values[ARGUMENTS + 1] = {NULL};
    statement_t *statement;

    if (fails_now(db))
        return IDENTITY_DB_FAILED;
    if (!bind_values(text, arguments, count, values))
        return failed(db, name, IDENTITY_DB_FAILED, 0);
    int code = prepare(db, text, &statement);
    if (code == 0)
        code = step(db, statement, values, result);
    if (outcome(code) == IDENTITY_DB_FAILED) {
        apr_hash_set(db->statements, text, APR_HASH_KEY_STRING, NULL);
        code = prepare(db, text, &statement);
        if (code == 0)
            code = step(db, statement, values, result);
    }
    return code == 0 ? IDENTITY_DB_OK : failed(db, name, outcome(code), code);
}

static int step_change(identity_db_t *db, statement_t *statement, const void **values, void *result)
{
    return apr_dbd_pbquery(db->driver, db->use, db->handle, result, statement->prepared, values);
}

identity_db_status_t db_change(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments, int count,
                               int *changed)
{
    int rows = 0;
    identity_db_status_t status =
        run(db, statements[sql].name, statements[sql].text, arguments, count, step_change, &rows);

    if (changed)
        *changed = rows;
    return status;
}

identity_db_status_t db_guarded(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments, int count)
{
    int changed;
    identity_db_status_t status = db_change(db, sql, arguments, count, &changed);
    return status == IDENTITY_DB_OK && changed == 0 ? IDENTITY_DB_NONE : status;
}

identity_db_status_t db_insert(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments, int count)
{
    identity_db_status_t status = db_guarded(db, sql, arguments, count);
    return status == IDENTITY_DB_NONE ? IDENTITY_DB_CONFLICT : status;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static const char *datum(const db_row_t *row, int column)
{
    char *text = NULL;
    /* get_entry would give "" for NULL on PostgreSQL (P11). */
    return apr_dbd_datum_get(row->db->driver, row->row, column, APR_DBD_TYPE_STRING, &text) == APR_SUCCESS ? text
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

static int step_select(identity_db_t *db, statement_t *statement, const void **values, void *result)
{
    *(apr_dbd_results_t **)result = NULL;
    return apr_dbd_pbselect(db->driver, db->use, db->handle, result, statement->prepared, 1, values);
}

/* Every row is asked for by its number, from 1, until there is none (P15), so that all drivers free their result. */
static void each(identity_db_t *db, apr_dbd_results_t *results, void (*take)(const db_row_t *row, void *data),
                 void *data)
{
    db_row_t row = {.db = db};

    for (int i = 1; apr_dbd_get_row(db->driver, db->use, results, &row.row, i) == 0; i++) {
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

identity_db_status_t db_list_text(identity_db_t *db, const char *name, const char *text, const db_argument_t *arguments,
                                  int count, db_reader_t *reader, apr_array_header_t **rows)
{
    apr_dbd_results_t *results = NULL;
    listing_t listing = {reader, apr_array_make(db->use, 8, sizeof(void *))};
    identity_db_status_t status = run(db, name, text, arguments, count, step_select, &results);

    *rows = listing.rows;
    if (status == IDENTITY_DB_OK)
        each(db, results, take_row, &listing);
    return status;
}

identity_db_status_t db_list(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments, int count,
                             db_reader_t *reader, apr_array_header_t **rows)
{
    return db_list_text(db, statements[sql].name, statements[sql].text, arguments, count, reader, rows);
}

identity_db_status_t db_one(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments, int count,
                            db_reader_t *reader, void *row)
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
    identity_db_status_t status = db_list_text(db, name, text, arguments, count, read_number, &rows);

    *value = status == IDENTITY_DB_OK && rows->nelts ? *APR_ARRAY_IDX(rows, 0, apr_int64_t *) : 0;
    return status;
}

identity_db_status_t db_count(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments, int count,
                              apr_int64_t *value)
{
    return db_count_text(db, statements[sql].name, statements[sql].text, arguments, count, value);
}

identity_db_status_t db_plain(identity_db_t *db, const char *name, const char *text)
{
    int rows, code;

    if (fails_now(db))
        return IDENTITY_DB_FAILED;
    code = apr_dbd_query(db->driver, db->handle, &rows, text);
    return code == 0 ? IDENTITY_DB_OK : failed(db, name, outcome(code), code);
}

static void take_text(const db_row_t *row, void *data)
{
    APR_ARRAY_PUSH((apr_array_header_t *)data, const char *) = db_text(row, 0);
}

identity_db_status_t db_plain_list(identity_db_t *db, const char *name, const char *text, apr_array_header_t **texts)
{
    apr_dbd_results_t *results = NULL;

    *texts = apr_array_make(db->use, 4, sizeof(const char *));
    if (fails_now(db))
        return IDENTITY_DB_FAILED;
    int code = apr_dbd_select(db->driver, db->use, db->handle, &results, text, 1);
    if (code != 0)
        return failed(db, name, outcome(code), code);
    each(db, results, take_text, *texts);
    return IDENTITY_DB_OK;
}

const char *db_json(identity_db_t *db, const apr_array_header_t *texts)
{
    json_t *array = identity_json_own(db->use, json_array());

    for (int i = 0; texts && i < texts->nelts; i++)
        json_array_append_new(array, json_string(APR_ARRAY_IDX(texts, i, const char *)));
    return identity_json_text(db->use, array, NULL);
}

apr_pool_t *db_use_pool(const identity_db_t *db)
{
    return db->use;
}

/* ---- transactions: plain statements, never apr_dbd_transaction_* (P7) -------------------------------------------- */

identity_db_status_t identity_db_begin(identity_db_t *db, bool write)
{
    db->failed = false;
    identity_db_status_t status =
        db_plain(db, write ? "BEGIN IMMEDIATE" : "BEGIN", write ? "BEGIN IMMEDIATE" : "BEGIN");
    db->open = status == IDENTITY_DB_OK;
    return status;
}

identity_db_status_t identity_db_commit(identity_db_t *db)
{
    bool refused = db->failed || !db->open;
    identity_db_status_t status = refused ? IDENTITY_DB_FAILED : db_plain(db, "COMMIT", "COMMIT");

    if (status == IDENTITY_DB_OK)
        db->open = false;
    else
        identity_db_rollback(db);
    return status;
}

void identity_db_rollback(identity_db_t *db)
{
    int rows;

    if (!db->open)
        return;
    db->open = false;
    db->count++;
    if (apr_dbd_query(db->driver, db->handle, &rows, "ROLLBACK") != 0)
        db->usable = false;
}

void identity_db_release(identity_db_t *db)
{
    identity_db_rollback(db);
    db->failed = false;
    db->use = db->connection;
}

void identity_db_use(identity_db_t *db, apr_pool_t *pool)
{
    db->use = pool;
}

bool identity_db_usable(identity_db_t *db)
{
    return db->usable;
}

unsigned long identity_db_statements(const identity_db_t *db)
{
    return db->count;
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static identity_db_t *attach(apr_pool_t *connection, const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                             const identity_db_options_t *options)
{
    identity_db_t *db = apr_pcalloc(connection, sizeof *db);

    db->connection = db->use = connection;
    db->driver = driver;
    db->handle = handle;
    db->options = *options;
    db->statements = apr_hash_make(connection);
    db->usable = true;
    return db;
}

/* Before anything is prepared: the first of these expires compiled statements (P2). Neither gives rows, which would
 * count as a failure (P3). */
static bool set_up(identity_db_t *db)
{
    return db_plain(db, "foreign_keys", "PRAGMA foreign_keys=ON") == IDENTITY_DB_OK &&
           db_plain(db, "synchronous",
                    db->options.sync == IDENTITY_SYNC_FULL ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL") ==
               IDENTITY_DB_OK;
}

/* Without WAL several children lock each other out for good (P6). */
static bool journal_fits(identity_db_t *db)
{
    apr_array_header_t *mode;

    if (db_plain_list(db, "journal_mode", "PRAGMA journal_mode", &mode) != IDENTITY_DB_OK || mode->nelts == 0)
        return false;
    const char *name = APR_ARRAY_IDX(mode, 0, const char *);
    return strcmp(name, "wal") == 0 || strcmp(name, "memory") == 0;
}

static bool driver_fits(const char *name, const char **error)
{
    if (strcmp(name, "sqlite3") == 0)
        return true;
    *error = "The database driver must be sqlite3: others are not supported by this version.";
    return false;
}

identity_db_t *identity_db_attach(apr_pool_t *connection, const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                                  const identity_db_options_t *options, const char **error)
{
    identity_db_t *db = NULL;

    apr_pool_userdata_get((void **)&db, USERDATA, connection);
    if (db)
        return db;
    if (!driver_fits(apr_dbd_name(driver), error))
        return NULL;
    db = attach(connection, driver, handle, options);
    if (!set_up(db)) {
        *error = "The connection to the database could not be set up.";
        return NULL;
    }
    if (!journal_fits(db)) {
        *error = "The database is not in WAL mode: htidentity migrate sets it.";
        return NULL;
    }
    apr_pool_userdata_setn(db, USERDATA, NULL, connection);
    return db;
}

static void start_apr_dbd(void)
{
    apr_pool_t *process;
    /* Drivers stay loaded as long as the process: apr_dbd ties them to the topmost pool. */
    if (apr_pool_create(&process, NULL) == APR_SUCCESS)
        apr_dbd_init(process);
}

static apr_status_t close_handle(void *db_)
{
    identity_db_t *db = db_;
    return apr_dbd_close(db->driver, db->handle);
}

identity_db_t *db_open_any(apr_pool_t *pool, const char *name, const char *params, const identity_db_options_t *options,
                           const char **error)
{
    static pthread_once_t started = PTHREAD_ONCE_INIT;
    const apr_dbd_driver_t *driver;
    const char *detail = NULL;
    apr_dbd_t *handle;
    apr_finfo_t info;

    pthread_once(&started, start_apr_dbd);
    if (!driver_fits(name, error))
        return NULL;
    if (strcmp(params, ":memory:") != 0 && apr_stat(&info, params, APR_FINFO_TYPE, pool) != APR_SUCCESS) {
        *error = apr_psprintf(pool, "The database %s is not there, or cannot be reached: htidentity migrate makes it.",
                              params);
        return NULL;
    }
    if (apr_dbd_get_driver(pool, name, &driver) != APR_SUCCESS) {
        *error = apr_psprintf(pool, "APR has no driver for %s: is libaprutil1-dbd-sqlite3 installed?", name);
        return NULL;
    }
    if (apr_dbd_open_ex(driver, pool, params, &handle, &detail) != APR_SUCCESS) {
        *error = apr_psprintf(pool, "The database %s cannot be opened.", params);
        return NULL;
    }
    identity_db_t *db = attach(pool, driver, handle, options);
    apr_pool_cleanup_register(pool, db, close_handle, apr_pool_cleanup_null);
    if (set_up(db))
        return db;
    *error = apr_psprintf(pool, "The file %s is no database of this program, or cannot be read.", params);
    return NULL;
}

identity_db_t *identity_db_open(apr_pool_t *pool, const char *driver, const char *params,
                                const identity_db_options_t *options, const char **error)
{
    identity_db_t *db = db_open_any(pool, driver, params, options, error);

    if (!db || journal_fits(db))
        return db;
    *error = apr_psprintf(pool, "The file %s is no database in WAL mode: htidentity migrate sets it.", params);
    return NULL;
}
