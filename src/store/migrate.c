/* The schema's life: version, migrations, seed, check. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "db_int.h"

typedef struct step {
    int version;
    const char *text;
} step_t;

/* Clustered by the primary key: a look-up by a text id then reads one tree, not two. */
#define TABLE(version, name, columns) {version, "CREATE TABLE " #name " (" columns ") WITHOUT ROWID"},
#define STEP(version, text)           {version, text},
static const step_t steps[] = {
#include "schema.def"
};
#undef TABLE
#undef STEP

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

static identity_db_status_t seed_roles(identity_db_t *db)
{
    identity_db_status_t status = IDENTITY_DB_OK;

    for (int i = 0; status == IDENTITY_DB_OK && i < identity_builtin_role_count(); i++) {
        const identity_builtin_role_t *role = identity_builtin_role(i);
        status = db_change(db, IDENTITY_SQL_ROLE_SEED,
                           DB_ARGS(S(role->id), S(role->name), S(identity_name_canonical(db_use_pool(db), role->name)),
                                   S(role->slug), S(role->description)),
                           NULL);
    }
    return status;
}

/* One migration, with its version row; runners queue at BEGIN IMMEDIATE and find the work done. */
static identity_db_status_t migrate_one(identity_db_t *db, int *version)
{
    identity_db_status_t status = identity_schema_version(db, version);
    int next = *version + 1;

    if (status == IDENTITY_DB_OK && *version == 0)
        status = db_plain(db, "schema_version",
                          "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at "
                          "BIGINT NOT NULL)");
    if (status != IDENTITY_DB_OK || *version >= identity_schema_current())
        return status == IDENTITY_DB_OK ? seed_roles(db) : status;
    for (int i = 0; status == IDENTITY_DB_OK && i < STEP_COUNT; i++)
        if (steps[i].version == next)
            status = db_plain(db, "migration", steps[i].text);
    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_SCHEMA_STEP, DB_ARGS(N(next), N(apr_time_now())), NULL);
    *version = next;
    return status;
}

static identity_db_status_t begin_patiently(identity_db_t *db)
{
    identity_db_status_t status = IDENTITY_DB_BUSY;

    for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 10; tries++)
        status = identity_db_begin(db, true);
    return status;
}

static identity_db_status_t migrate_all(identity_db_t *db, int *from, int *to)
{
    bool first = true;

    for (;;) {
        int before, version = 0;
        identity_db_status_t status = begin_patiently(db);
        if (status == IDENTITY_DB_OK)
            status = identity_schema_version(db, &before);
        if (status == IDENTITY_DB_OK && first)
            *from = before;
        if (status == IDENTITY_DB_OK && before > identity_schema_current()) {
            *to = before;
            identity_db_rollback(db);
            return IDENTITY_DB_OK;
        }
        if (status == IDENTITY_DB_OK)
            status = migrate_one(db, &version);
        if (status == IDENTITY_DB_OK)
            status = identity_db_commit(db);
        if (status != IDENTITY_DB_OK) {
            identity_db_rollback(db);
            return status;
        }
        first = false;
        *to = version;
        if (before == version)
            return IDENTITY_DB_OK;
    }
}

/* 0600 from the first moment: SQLite itself would make it readable by all. */
static const char *make_file(apr_pool_t *pool, const char *path)
{
    int file = strcmp(path, ":memory:") == 0 ? -2 : open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (file >= 0)
        close(file);
    if (file == -1 && errno != EEXIST)
        return apr_psprintf(pool, "The database %s cannot be made: %s.", path, strerror(errno));
    return NULL;
}

/* Kept in the file; set by nobody else (P3, P4). Two that set it at once meet a lock that SQLite does not wait for. */
static bool set_wal(identity_db_t *db)
{
    apr_array_header_t *mode;

    for (int tries = 0; tries < 50; tries++) {
        if (db_plain_list(db, "journal_mode", "PRAGMA journal_mode=WAL", &mode) == IDENTITY_DB_OK && mode->nelts > 0 &&
            (strcmp(APR_ARRAY_IDX(mode, 0, const char *), "wal") == 0 ||
             strcmp(APR_ARRAY_IDX(mode, 0, const char *), "memory") == 0))
            return true;
        apr_sleep(apr_time_from_msec(100));
    }
    return false;
}

const char *identity_schema_migrate(apr_pool_t *pool, const char *driver, const char *params, int *from, int *to)
{
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL};
    const char *error = strcmp(driver, "sqlite3") == 0 ? make_file(pool, params) : NULL;
    apr_pool_t *own;

    if (error)
        return error;
    apr_pool_create(&own, pool);
    identity_db_t *db = db_open_any(own, driver, params, &options, &error);
    if (!db)
        error = apr_pstrdup(pool, error);
    else if (!set_wal(db))
        error = apr_psprintf(
            pool, "The file %s is no SQLite database, or its WAL mode cannot be set (it must lie on a local disk).",
            params);
    else if (migrate_all(db, from, to) != IDENTITY_DB_OK)
        error = apr_psprintf(pool, "The database %s could not be brought up to date; it is as it was.", params);
    else if (*to > identity_schema_current())
        error = apr_psprintf(pool, "The database %s has version %d, newer than this program's %d.", params, *to,
                             identity_schema_current());
    apr_pool_destroy(own);
    return error;
}

identity_db_status_t identity_schema_check(identity_db_t *db, apr_array_header_t **faults)
{
    apr_array_header_t *lines = NULL, *orphans = NULL;
    identity_db_status_t status = db_plain_list(db, "integrity_check", "PRAGMA integrity_check", &lines);

    *faults = apr_array_make(db_use_pool(db), 4, sizeof(const char *));
    if (status == IDENTITY_DB_OK)
        status = db_plain_list(db, "foreign_key_check", "PRAGMA foreign_key_check", &orphans);
    if (status != IDENTITY_DB_OK)
        return status;
    for (int i = 0; i < lines->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(lines, i, const char *), "ok") != 0)
            APR_ARRAY_PUSH(*faults, const char *) =
                apr_pstrcat((*faults)->pool, "damaged: ", APR_ARRAY_IDX(lines, i, const char *), NULL);
    for (int i = 0; i < orphans->nelts; i++)
        APR_ARRAY_PUSH(*faults, const char *) =
            apr_pstrcat((*faults)->pool, "a row of ", APR_ARRAY_IDX(orphans, i, const char *),
                        " names something that is not there", NULL);
    return status;
}
