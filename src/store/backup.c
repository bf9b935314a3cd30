/* SPDX-License-Identifier: Apache-2.0 */
/* Whole databases: copied while in use, replaced, and measured table by table. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db_int.h"

/* ---- copies ----------------------------------------------------------------------------------------------------- */

static const char *quoted(apr_pool_t *pool, const char *text)
{
    const char *done = "";

    for (const char *quote; (quote = strchr(text, '\'')) != NULL; text = quote + 1)
        done = apr_pstrcat(pool, done, apr_pstrmemdup(pool, text, (apr_size_t)(quote - text)), "''",
                           NULL);
    return apr_pstrcat(pool, "'", done, text, "'", NULL);
}

static bool on_disk(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool done = file >= 0 && fsync(file) == 0;

    if (file >= 0)
        close(file);
    return done;
}

/* 0600 from the first moment: SQLite uses an existing empty file. */
identity_file_status_t identity_db_backup(identity_db_t *db, const char *path, const char **error)
{
    apr_pool_t *pool = db_use_pool(db);
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (file < 0) {
        *error =
            apr_psprintf(pool, "%s cannot be made: %s (errno %d)", path, strerror(errno), errno);
        return errno == EEXIST ? IDENTITY_FILE_STATE : IDENTITY_FILE_FAILED;
    }
    close(file);
    if (db_plain(db, "VACUUM INTO", apr_pstrcat(pool, "VACUUM INTO ", quoted(pool, path), NULL)) ==
            IDENTITY_DB_OK &&
        on_disk(path))
        return IDENTITY_FILE_DONE;
    unlink(path);
    *error = apr_psprintf(pool, "%s could not be written: is there room for it?", path);
    return IDENTITY_FILE_FAILED;
}

/* Checks that it is an intact database of this program, of this version or an older one. NULL, or an error message. */
static const char *unfit(apr_pool_t *pool, const char *driver, const char *path)
{
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL, .read_only = true};
    apr_array_header_t *faults = NULL;
    const char *error = NULL;
    apr_pool_t *own;
    int version;

    if (access(path, R_OK) != 0)
        return apr_psprintf(pool, "%s cannot be read: %s (errno %d)", path, strerror(errno), errno);
    identity_schema_state_t state = identity_schema_look(pool, driver, path, true, &version);
    if (state == IDENTITY_SCHEMA_NEWER)
        return apr_psprintf(pool, "%s has version %d, this program knows %d", path, version,
                            identity_schema_current());
    if (state != IDENTITY_SCHEMA_FITS && state != IDENTITY_SCHEMA_OLDER &&
        state != IDENTITY_SCHEMA_JOURNAL)
        return apr_psprintf(pool, "%s is no database of this program, or is damaged", path);
    apr_pool_create(&own, pool);
    identity_db_t *db = db_open_any(own, driver, path, &options, &error);
    if (!db)
        error = apr_pstrdup(pool, error);
    else if (identity_schema_check(db, &faults) != IDENTITY_DB_OK)
        error = apr_psprintf(pool, "%s cannot be read", path);
    else if (faults->nelts)
        error = apr_psprintf(pool, "%s: %s", path, APR_ARRAY_IDX(faults, 0, const char *));
    apr_pool_destroy(own);
    return error;
}

static const char *copy(apr_pool_t *pool, const char *driver, const char *from, const char *to)
{
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL, .read_only = true};
    const char *error = NULL, *said;
    apr_pool_t *own;

    unlink(to);
    apr_pool_create(&own, pool);
    identity_db_t *db = db_open_any(own, driver, from, &options, &error);
    if (db && identity_db_backup(db, to, &said) != IDENTITY_FILE_DONE)
        error = said;
    error = error ? apr_pstrdup(pool, error) : NULL;
    apr_pool_destroy(own);
    return error;
}

/* Every connection to a database in WAL mode holds a read lock on these bytes while it is open, so this shows
 * whether the database is in use, and keeps others out meanwhile. *file is -1 if there is none. */
static bool take(const char *path, int *file)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 512};

    *file = open(path, O_RDWR | O_CLOEXEC);
    return *file < 0 ? errno == ENOENT : fcntl(*file, F_SETLK, &lock) == 0;
}

static bool put(apr_pool_t *pool, const char *made, const char *path, const char *kept)
{
    struct stat info;

    /* In somebody else's folder a link may have replaced the new file. */
    if (stat(path, &info) == 0 &&
        (lchown(made, info.st_uid, info.st_gid) != 0 || rename(path, kept) != 0))
        return false;
    rename(apr_pstrcat(pool, path, "-wal", NULL), apr_pstrcat(pool, kept, "-wal", NULL));
    unlink(apr_pstrcat(pool, path, "-shm", NULL));
    return rename(made, path) == 0;
}

identity_file_status_t identity_db_restore(apr_pool_t *pool, const char *driver, const char *params,
                                           const char *from, const char **kept, const char **error)
{
    const char *made = apr_pstrcat(pool, params, ".restoring", NULL);
    identity_file_status_t status = IDENTITY_FILE_FAILED;
    int file, before, now;

    *kept = apr_pstrcat(pool, params, ".before-restore", NULL);
    if ((*error = unfit(pool, driver, from)) != NULL)
        return IDENTITY_FILE_UNFIT;
    if (!take(params, &file)) {
        *error = apr_psprintf(pool, "%s is in use: stop httpd first", params);
        status = IDENTITY_FILE_STATE;
    } else if (!(*error = copy(pool, driver, from, made)) &&
               !(*error = identity_schema_migrate(pool, driver, made, &before, &now))) {
        if (put(pool, made, params, *kept))
            status = IDENTITY_FILE_DONE;
        else
            *error = apr_psprintf(pool, "%s cannot be put in place: %s (errno %d)", params,
                                  strerror(errno), errno);
    }
    if (status != IDENTITY_FILE_DONE)
        unlink(made);
    if (file < 0)
        *kept = NULL;
    else
        close(file);
    return status;
}

identity_file_status_t identity_db_trial(identity_db_t *db, const char *driver, const char *params,
                                         const char **path, const char **error)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    apr_pool_t *pool = db_use_pool(db);
    int file, before, now;

    *path = apr_pstrcat(pool, params, IDENTITY_TRIAL_SUFFIX, NULL);
    bool alone = take(*path, &file);
    if (file >= 0)
        close(file);
    if (!alone) {
        *error = apr_psprintf(pool, "%s is in use: another dry run is under way", *path);
        return IDENTITY_FILE_STATE;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        unlink(apr_pstrcat(pool, *path, suffixes[i], NULL));
    identity_file_status_t status = identity_db_backup(db, *path, error);
    if (status != IDENTITY_FILE_DONE)
        return status;
    *error =
        identity_schema_migrate(pool, driver, *path, &before, &now); /* the mode of its journal */
    if (!*error)
        return IDENTITY_FILE_DONE;
    unlink(*path);
    return IDENTITY_FILE_FAILED;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

typedef struct pair {
    const char *name;
    apr_int64_t number;
} pair_t;

static void *read_pair(const db_row_t *row, int from)
{
    pair_t *pair = apr_palloc(db_pool(row), sizeof *pair);

    pair->name = db_text(row, from);
    pair->number = db_number(row, from + 1);
    return pair;
}

#define HAS_TIME 1
#define HAS_ID   2
#define TABLES                                                                                                        \
    "SELECT m.name, (SELECT COALESCE(SUM(CASE c.name WHEN 'created_at' THEN 1 WHEN 'id' THEN 2 ELSE 0 END), 0) FROM " \
    "pragma_table_info(m.name) c) FROM "                                                                              \
    "sqlite_master m WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_' ORDER BY m.name"
/* With those of its indexes. */
#define BYTES                                                                                                   \
    "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s CROSS JOIN sqlite_master m WHERE m.name = s.name GROUP BY " \
    "m.tbl_name"

/* most: maximum number of rows to examine, 0: all. */
static identity_db_status_t measure(identity_db_t *db, const pair_t *table, apr_int64_t most,
                                    identity_table_row_t *row)
{
    apr_pool_t *pool = db_use_pool(db);
    const char *from = apr_psprintf(pool, "FROM \"%s\"", table->name);
    const char *rows =
        most ? apr_psprintf(pool, "FROM (SELECT 1 %s LIMIT %" APR_INT64_T_FMT ")", from, most)
             : from;
    bool whole, by_id = most && (table->number & HAS_ID);
    identity_db_status_t status = db_count_text(
        db, "stats", apr_pstrcat(pool, "SELECT COUNT(*) ", rows, NULL), NULL, 0, &row->rows);

    whole = !most || row->rows < most;
    if (status != IDENTITY_DB_OK || !(table->number & HAS_TIME) || !row->rows || (!by_id && !whole))
        return status;
    return db_count_text(
        db, "stats",
        by_id ? apr_pstrcat(pool, "SELECT created_at ", from, " ORDER BY id LIMIT 1", NULL)
              : apr_pstrcat(pool, "SELECT COALESCE(MIN(created_at), 0) ", from, NULL),
        NULL, 0, &row->oldest_at);
}

identity_db_status_t identity_tables_measure(identity_db_t *db, apr_array_header_t **rows)
{
    return identity_tables_look(db, 0, true, rows);
}

identity_db_status_t identity_tables_look(identity_db_t *db, apr_int64_t most, bool sized,
                                          apr_array_header_t **rows)
{
    apr_array_header_t *tables = NULL, *bytes = NULL;
    apr_int64_t counted = 0;
    identity_db_status_t status = db_list_text(db, "stats", TABLES, NULL, 0, read_pair, &tables);

    *rows = apr_array_make(db_use_pool(db), 32, sizeof(identity_table_row_t *));
    if (status == IDENTITY_DB_OK && sized)
        status = db_count_text(db, "stats",
                               "SELECT COUNT(*) FROM pragma_module_list WHERE name = 'dbstat'",
                               NULL, 0, &counted);
    if (status == IDENTITY_DB_OK && counted)
        status = db_list_text(db, "stats", BYTES, NULL, 0, read_pair, &bytes);
    for (int i = 0; status == IDENTITY_DB_OK && i < tables->nelts; i++) {
        const pair_t *table = APR_ARRAY_IDX(tables, i, const pair_t *);
        identity_table_row_t *row = apr_pcalloc(db_use_pool(db), sizeof *row);
        row->name = table->name;
        row->bytes = bytes ? 0 : -1;
        for (int b = 0; bytes && b < bytes->nelts; b++)
            if (strcmp(APR_ARRAY_IDX(bytes, b, const pair_t *)->name, table->name) == 0)
                row->bytes = APR_ARRAY_IDX(bytes, b, const pair_t *)->number;
        status = measure(db, table, most, row);
        APR_ARRAY_PUSH(*rows, identity_table_row_t *) = row;
    }
    return status;
}
