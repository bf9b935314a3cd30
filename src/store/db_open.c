/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: borrowed from a pool such as mod_dbd's (attach), or opened here. */
#include <pthread.h>
#include <stdlib.h>

#include <apr_escape.h>
#include <apr_file_info.h>

#include "db_state.h"

#define USERDATA "mod_identity-db"

#define BULK_CACHE_KIB "262144"
#define BULK_WAL_PAGES "50000" /* 200 MB */

/* In a pool of its own, so that a failure leaves nothing behind. */
static identity_db_t *make(apr_pool_t *pool, const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                           const identity_db_options_t *options)
{
    apr_pool_t *connection;

    apr_pool_create(&connection, pool);
    identity_db_t *db = apr_pcalloc(connection, sizeof *db);
    db->connection = db->use = connection;
    apr_pool_create(&db->scratch, connection);
    db->driver = driver;
    db->handle = handle;
    db_dialect_of(apr_dbd_name(driver), &db->dialect);
    db->options = *options;
    db->statements = apr_hash_make(connection);
    db->usable = true;
    return db;
}

/* Before anything is prepared: the first of these expires compiled statements (P2). Neither returns rows, which
 * would count as a failure (P3). */
static bool set_up(identity_db_t *db)
{
    return db_plain(db, "foreign_keys", "PRAGMA foreign_keys=ON") == IDENTITY_DB_OK &&
           db_plain(db, "synchronous",
                    db->options.sync == IDENTITY_SYNC_FULL
                        ? "PRAGMA synchronous=FULL"
                        : "PRAGMA synchronous=NORMAL") == IDENTITY_DB_OK;
}

/* Indexes accessed at random are read and written repeatedly unless the cache holds them; and undo data is kept in
 * memory. Each of these returns nothing, or a row (P3). */
static bool set_up_bulk(identity_db_t *db)
{
    static const char *const settings[] = {"PRAGMA cache_size=-" BULK_CACHE_KIB,
                                           "PRAGMA temp_store=MEMORY",
                                           "PRAGMA wal_autocheckpoint=" BULK_WAL_PAGES};
    apr_array_header_t *answer;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (db_plain_list(db, "bulk", settings[i], &answer) != IDENTITY_DB_OK)
            return false;
    return true;
}

/* Without WAL several children would permanently lock each other out (P6). The file is read first: the mode that
 * SQLite reports is otherwise the one of the connection's last access. */
static const char *check_journal(identity_db_t *db)
{
    apr_array_header_t *mode;

    if (db_plain_list(db, "sqlite_master", "SELECT COUNT(*) FROM sqlite_master", &mode) !=
            IDENTITY_DB_OK ||
        db_plain_list(db, "journal_mode", "PRAGMA journal_mode", &mode) != IDENTITY_DB_OK ||
        mode->nelts == 0)
        return "The database cannot be read.";
    const char *name = APR_ARRAY_IDX(mode, 0, const char *);
    return strcmp(name, "wal") == 0 || strcmp(name, "memory") == 0
               ? NULL
               : "The database is not in WAL mode: htidentity migrate sets it.";
}

static bool driver_fits(const char *name, const char **error)
{
    if (strcmp(name, "sqlite3") == 0)
        return true;
    *error = "The database driver must be sqlite3: others are not supported by this version.";
    return false;
}

identity_db_t *identity_db_attach(apr_pool_t *connection, const apr_dbd_driver_t *driver,
                                  apr_dbd_t *handle, const identity_db_options_t *options,
                                  const char **error)
{
    identity_db_t *db = NULL;

    apr_pool_userdata_get((void **)&db, USERDATA, connection);
    if (db) {
        /* Failures are reported to the present borrower, not to the first. */
        db->options = *options;
        return db;
    }
    if (!driver_fits(apr_dbd_name(driver), error))
        return NULL;
    db = make(connection, driver, handle, options);
    *error = set_up(db) ? check_journal(db) : "The connection to the database could not be set up.";
    if (*error) {
        apr_pool_destroy(db->connection);
        return NULL;
    }
    apr_pool_userdata_setn(db, USERDATA, NULL, connection);
    return db;
}

static void start_apr_dbd(void)
{
    apr_pool_t *process;
    /* Drivers stay loaded for the life of the process: apr_dbd ties them to the topmost pool. */
    if (apr_pool_create(&process, NULL) == APR_SUCCESS)
        apr_dbd_init(process);
}

static apr_status_t close_handle(void *db_)
{
    identity_db_t *db = db_;
    return apr_dbd_close(db->driver, db->handle);
}

/* As a URI, the only way to open SQLite read-only through apr_dbd. */
static const char *read_only_name(apr_pool_t *pool, const char *path)
{
    return apr_pstrcat(pool, "file:", apr_pescape_path(pool, path, 0), "?mode=ro", NULL);
}

identity_db_t *db_open_any(apr_pool_t *pool, const char *name, const char *params,
                           const identity_db_options_t *options, const char **error)
{
    static pthread_once_t started = PTHREAD_ONCE_INIT;
    const apr_dbd_driver_t *driver;
    const char *detail = NULL;
    apr_dbd_t *handle;
    apr_pool_t *own;
    apr_finfo_t info;

    pthread_once(&started, start_apr_dbd);
    if (!driver_fits(name, error))
        return NULL;
    apr_status_t there = strcmp(params, ":memory:") == 0
                             ? APR_SUCCESS
                             : apr_stat(&info, params, APR_FINFO_TYPE, pool);
    if (there != APR_SUCCESS) {
        *error =
            APR_STATUS_IS_ENOENT(there) || APR_STATUS_IS_ENOTDIR(there)
                ? apr_psprintf(pool, "The database %s is not there: htidentity migrate makes it.",
                               params)
                : apr_psprintf(pool, "The database %s cannot be reached: %s (errno %d).", params,
                               strerror(there), there);
        return NULL;
    }
    if (apr_dbd_get_driver(pool, name, &driver) != APR_SUCCESS) {
        *error = apr_psprintf(
            pool, "APR has no driver for %s: is libaprutil1-dbd-sqlite3 installed?", name);
        return NULL;
    }
    apr_pool_create(&own, pool);
    if (apr_dbd_open_ex(driver, own, options->read_only ? read_only_name(pool, params) : params,
                        &handle, &detail) != APR_SUCCESS) {
        *error = apr_psprintf(pool, "The database %s cannot be opened.", params);
        apr_pool_destroy(own);
        return NULL;
    }
    identity_db_t *db = make(own, driver, handle, options);
    apr_pool_cleanup_register(own, db, close_handle, apr_pool_cleanup_null);
    if (set_up(db) && (!options->bulk || set_up_bulk(db)))
        return db;
    *error = apr_psprintf(pool, "The file %s is no database of this program, or cannot be read.",
                          params);
    apr_pool_destroy(own);
    return NULL;
}

identity_db_t *identity_db_open(apr_pool_t *pool, const char *driver, const char *params,
                                const identity_db_options_t *options, const char **error)
{
    identity_db_t *db = db_open_any(pool, driver, params, options, error);
    const char *fault = db ? check_journal(db) : NULL;

    if (!fault)
        return db;
    *error = apr_psprintf(pool, "%s (%s)", fault, params);
    apr_pool_destroy(apr_pool_parent_get(db->connection));
    return NULL;
}
