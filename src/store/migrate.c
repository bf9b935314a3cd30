/* SPDX-License-Identifier: Apache-2.0 */
/* Schema version, migrations, seed, check. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rows_int.h"

typedef struct step {
    int version;
    const char *text; /* or */
    identity_db_status_t (*run)(identity_db_t *db);
} step_t;

/* Clustered by the primary key: a look-up by a text id then reads one tree, not two. */
#define TABLE(version, name, columns)                                                              \
    {version, "CREATE TABLE " #name " (" columns ") WITHOUT ROWID", NULL},
#define STEP(version, text)     {version, text, NULL},
#define CODE(version, function) {version, NULL, function},
static const step_t steps[] = {
#include "schema.def"
};
#undef TABLE
#undef STEP
#undef CODE

#define STEP_COUNT ((int)(sizeof steps / sizeof steps[0]))

int identity_schema_current(void)
{
    return steps[STEP_COUNT - 1].version;
}

identity_db_status_t identity_schema_version(identity_db_t *db, int *version)
{
    apr_int64_t value = 0;
    identity_db_status_t status = db_count(db, IDENTITY_SQL_SCHEMA_TABLE, NULL, 0, &value);

    if (status == IDENTITY_DB_OK && value > 0)
        status = db_count(db, IDENTITY_SQL_SCHEMA_VERSION, NULL, 0, &value);
    *version = (int)value;
    return status;
}

/* ---- the built-in roles as rows, so that pages of roles are one order ------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool seeded(apr_array_header_t *rows, const identity_builtin_role_t *role)
{
    for (int i = 0; i < rows->nelts; i++) {
        const identity_role_row_t *row = APR_ARRAY_IDX(rows, i, identity_role_row_t *);
        if (same(row->id, role->id))
            return same(row->name, role->name) && same(row->slug, role->slug) &&
                   same(row->description, role->description);
    }
    return false;
}

/* Rows that a newer catalogue adds or changes. If it changes nothing, nothing is written. */
static identity_db_status_t roles_to_seed(identity_db_t *db, apr_array_header_t **missing)
{
    apr_array_header_t *rows;
    identity_db_status_t status =
        db_list(db, IDENTITY_SQL_ROLES_BUILTIN, NULL, 0, db_read_role, &rows);

    *missing = apr_array_make(db_use_pool(db), 8, sizeof(const identity_builtin_role_t *));
    for (int i = 0; status == IDENTITY_DB_OK && i < identity_builtin_role_count(); i++)
        if (!seeded(rows, identity_builtin_role(i)))
            APR_ARRAY_PUSH(*missing, const identity_builtin_role_t *) = identity_builtin_role(i);
    return status;
}

static identity_db_status_t begin_patiently(identity_db_t *db)
{
    identity_db_status_t status = IDENTITY_DB_BUSY;

    for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 10; tries++)
        status = identity_db_begin(db, true);
    return status;
}

static identity_db_status_t seed_roles(identity_db_t *db)
{
    apr_array_header_t *missing;
    identity_db_status_t status = roles_to_seed(db, &missing);

    if (status != IDENTITY_DB_OK || missing->nelts == 0)
        return status;
    status = begin_patiently(db);
    for (int i = 0; status == IDENTITY_DB_OK && i < missing->nelts; i++) {
        const identity_builtin_role_t *role =
            APR_ARRAY_IDX(missing, i, const identity_builtin_role_t *);
        const char *canonical = identity_name_canonical(db_use_pool(db), role->name);
        status = db_change(
            db, IDENTITY_SQL_ROLE_SEED,
            DB_ARGS(S(role->id), S(role->name), S(canonical), S(role->slug), S(role->description)),
            NULL);
    }
    return status == IDENTITY_DB_OK ? identity_db_commit(db) : status;
}

/* ---- migrations ------------------------------------------------------------------------------------------------- */

static identity_db_status_t apply(identity_db_t *db, int version)
{
    identity_db_status_t status = IDENTITY_DB_OK;

    for (int i = 0; status == IDENTITY_DB_OK && i < STEP_COUNT; i++)
        if (steps[i].version == version)
            status = steps[i].run ? steps[i].run(db) : db_plain(db, "migration", steps[i].text);
    if (status == IDENTITY_DB_OK)
        status =
            db_change(db, IDENTITY_SQL_SCHEMA_STEP, DB_ARGS(N(version), N(apr_time_now())), NULL);
    return status == IDENTITY_DB_OK ? identity_db_commit(db) : status;
}

/* One transaction per migration. Concurrent runs queue at BEGIN IMMEDIATE and then see what others have done. */
static identity_db_status_t migrate_all(identity_db_t *db, int *version)
{
    identity_db_status_t status = IDENTITY_DB_OK;

    while (status == IDENTITY_DB_OK && *version < identity_schema_current()) {
        status = begin_patiently(db);
        if (status == IDENTITY_DB_OK)
            status = identity_schema_version(db, version);
        if (status == IDENTITY_DB_OK && *version < identity_schema_current())
            status = apply(db, ++*version);
        identity_db_rollback(db);
    }
    return status == IDENTITY_DB_OK ? seed_roles(db) : status;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

/* Files created by root are given to the owner of the folder, who could not use them otherwise (P22). By descriptor:
 * the folder is under that owner's control. */
static bool give_to_owner(apr_pool_t *pool, int file, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? apr_pstrmemdup(pool, path, (apr_size_t)(slash + 1 - path)) : ".";
    struct stat info;

    return geteuid() != 0 ||
           (stat(folder, &info) == 0 && fchown(file, info.st_uid, info.st_gid) == 0);
}

/* 0600 from the first moment: SQLite itself would make it readable by all. */
static const char *make_file(apr_pool_t *pool, const char *path)
{
    const char *error = NULL;

    if (same(path, ":memory:"))
        return "A database in memory would be gone at once: name a file.";
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if ((file < 0 && errno != EEXIST) || (file >= 0 && !give_to_owner(pool, file, path)))
        error = apr_psprintf(pool, "The database %s cannot be made: %s (errno %d).", path,
                             strerror(errno), errno);
    if (file >= 0)
        close(file);
    return error;
}

/* Stored in the file; set nowhere else (P3, P4). Two processes that set it at once meet a lock that SQLite does not
 * wait for. */
static bool set_wal(identity_db_t *db)
{
    identity_db_status_t status = IDENTITY_DB_BUSY;
    apr_array_header_t *mode = NULL;

    for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 10; tries++)
        status = db_plain_list(db, "journal_mode", "PRAGMA journal_mode=WAL", &mode);
    return status == IDENTITY_DB_OK && mode->nelts > 0 &&
           same(APR_ARRAY_IDX(mode, 0, const char *), "wal");
}

/* Checks whose file it is, before anything in it is changed. */
static const char *look(identity_db_t *db, const char *params, int *version)
{
    apr_pool_t *pool = db_use_pool(db);
    identity_db_status_t status = IDENTITY_DB_BUSY;
    apr_int64_t strangers = 0;

    for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 10; tries++)
        status = identity_schema_version(db, version);
    if (status == IDENTITY_DB_OK && *version == IDENTITY_SCHEMA_ABSENT)
        status = db_count(db, IDENTITY_SQL_SCHEMA_STRANGERS, NULL, 0, &strangers);
    if (status == IDENTITY_DB_BUSY)
        return apr_psprintf(pool, "The database %s is locked by another process.", params);
    if (status != IDENTITY_DB_OK)
        return apr_psprintf(pool, "The file %s is no SQLite database, or cannot be read.", params);
    if (strangers > 0)
        return apr_psprintf(pool, "The database %s holds tables of another program.", params);
    if (*version > identity_schema_current())
        return apr_psprintf(pool,
                            "The database %s has schema version %d, newer than this program's %d.",
                            params, *version, identity_schema_current());
    return NULL;
}

/* The driver's text for the last failure. Statements that create tables contain no personal data. */
static void keep_detail(void *context, const char *statement, const char *failure,
                        const char *detail)
{
    const char **kept = context;

    (void)statement;
    *kept = detail ? detail : failure;
}

static const char *migrate(identity_db_t *db, const char *params, const char *const *detail,
                           int *from, int *to)
{
    const char *error = look(db, params, from);

    *to = *from;
    if (error)
        return error;
    if (!set_wal(db))
        return apr_psprintf(
            db_use_pool(db),
            "The WAL mode of %s cannot be set: it must lie, writable, on a local disk.", params);
    if (migrate_all(db, to) == IDENTITY_DB_OK)
        return NULL;
    return apr_psprintf(db_use_pool(db), "The database %s could not be brought up to date (%s).",
                        params, *detail ? *detail : "unknown");
}

const char *identity_schema_migrate(apr_pool_t *pool, const char *driver, const char *params,
                                    int *from, int *to)
{
    const char *detail = NULL;
    const identity_db_options_t options = {
        .sync = IDENTITY_SYNC_FULL, .log = keep_detail, .log_context = &detail};
    const char *error = same(driver, "sqlite3") ? make_file(pool, params) : NULL;
    apr_pool_t *own;

    *from = *to = IDENTITY_SCHEMA_ABSENT;
    if (error)
        return error;
    apr_pool_create(&own, pool);
    identity_db_t *db = db_open_any(own, driver, params, &options, &error);
    if (db) {
        error = migrate(db, params, &detail, from, to);
        identity_db_release(db);
    }
    error = error ? apr_pstrdup(pool, error) : NULL;
    apr_pool_destroy(own);
    return error;
}

/* ---- does it fit? ----------------------------------------------------------------------------------------------- */

static identity_schema_state_t state_of(identity_db_t *db, int *version)
{
    identity_db_status_t status = identity_schema_version(db, version);
    apr_array_header_t *mode = NULL;
    apr_int64_t strangers = 0;

    if (status == IDENTITY_DB_OK && *version == IDENTITY_SCHEMA_ABSENT)
        status = db_count(db, IDENTITY_SQL_SCHEMA_STRANGERS, NULL, 0, &strangers);
    if (status == IDENTITY_DB_OK)
        status = db_plain_list(db, "journal_mode", "PRAGMA journal_mode", &mode);
    if (status != IDENTITY_DB_OK || mode->nelts == 0)
        return status == IDENTITY_DB_BUSY ? IDENTITY_SCHEMA_LOCKED : IDENTITY_SCHEMA_DAMAGED;
    if (*version == IDENTITY_SCHEMA_ABSENT)
        return strangers > 0 ? IDENTITY_SCHEMA_FOREIGN : IDENTITY_SCHEMA_EMPTY;
    if (*version != identity_schema_current())
        return *version < identity_schema_current() ? IDENTITY_SCHEMA_OLDER : IDENTITY_SCHEMA_NEWER;
    return same(APR_ARRAY_IDX(mode, 0, const char *), "wal") ? IDENTITY_SCHEMA_FITS
                                                             : IDENTITY_SCHEMA_JOURNAL;
}

identity_schema_state_t identity_schema_look(apr_pool_t *pool, const char *driver,
                                             const char *params, bool read_only, int *version)
{
    const char *detail = NULL, *error = NULL;
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL,
                                           .log = keep_detail,
                                           .log_context = &detail,
                                           .read_only = read_only};
    identity_schema_state_t state;
    apr_pool_t *own;

    *version = IDENTITY_SCHEMA_ABSENT;
    apr_pool_create(&own, pool);
    identity_db_t *db = db_open_any(own, driver, params, &options, &error);
    if (db)
        state = state_of(db, version);
    else
        state =
            detail && strstr(detail, "locked") ? IDENTITY_SCHEMA_LOCKED : IDENTITY_SCHEMA_DAMAGED;
    apr_pool_destroy(own);
    return state;
}

/* ---- is all well? ----------------------------------------------------------------------------------------------- */

identity_db_status_t identity_schema_check(identity_db_t *db, apr_array_header_t **faults)
{
    apr_array_header_t *lines = NULL, *orphans = NULL;
    identity_db_status_t status =
        db_plain_list(db, "integrity_check", "PRAGMA integrity_check", &lines);

    *faults = apr_array_make(db_use_pool(db), 4, sizeof(const char *));
    if (status == IDENTITY_DB_OK)
        status = db_plain_list(db, "foreign_key_check", "PRAGMA foreign_key_check", &orphans);
    if (status != IDENTITY_DB_OK)
        return status;
    for (int i = 0; i < lines->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(lines, i, const char *), "ok") != 0)
            APR_ARRAY_PUSH(*faults, const char *) = apr_pstrcat(
                (*faults)->pool, "damaged: ", APR_ARRAY_IDX(lines, i, const char *), NULL);
    for (int i = 0; i < orphans->nelts; i++)
        APR_ARRAY_PUSH(*faults, const char *) =
            apr_pstrcat((*faults)->pool, "a row of ", APR_ARRAY_IDX(orphans, i, const char *),
                        " names something that is not there", NULL);
    return status;
}
