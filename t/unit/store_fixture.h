/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/store share: a fresh database in a folder of its own, connections to it, and rows to begin
 * with. */
#ifndef IDENTITY_STORE_FIXTURE_H
#define IDENTITY_STORE_FIXTURE_H

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

#include "src/store/rows_int.h"
#include "tap.h"

#define NOW    apr_time_from_sec(1700000000)
#define HOUR   apr_time_from_sec(3600)
#define ENTITY "enti_00000000000000000001"
#define OTHER  "enti_00000000000000000002"

static apr_pool_t *pool;
static const char *folder, *file;
static int fail_after;
/* The last line that a connection has logged, NULL for none since it was cleared. */
static const char *logged_statement, *logged_failure;

__attribute__((unused)) static void keep_log(void *context, const char *statement, const char *failure,
                                             const char *detail)
{
    (void)context;
    (void)detail;
    logged_statement = apr_pstrdup(pool, statement);
    logged_failure = apr_pstrdup(pool, failure);
}

__attribute__((unused)) static identity_db_t *try_connect(const char *path, const char **error)
{
    identity_db_options_t options = {.sync = IDENTITY_SYNC_NORMAL, .log = keep_log, .fail_after = &fail_after};
    identity_db_t *db = identity_db_open(pool, "sqlite3", path, &options, error);

    if (db)
        identity_db_use(db, pool);
    return db;
}

__attribute__((unused)) static identity_db_t *connect_store(void)
{
    const char *error = NULL;
    identity_db_t *db = try_connect(file, &error);

    if (!db)
        bail(error);
    return db;
}

/* printf into the pool */
__attribute__((unused, format(printf, 1, 2))) static const char *text(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    const char *made = apr_pvsprintf(pool, format, list);
    va_end(list);
    return made;
}

/* A connection to a file in whatever mode it is. */
__attribute__((unused)) static identity_db_t *any(const char *path)
{
    const char *error;
    identity_db_t *opened = db_open_any(pool, "sqlite3", path, &(identity_db_options_t){0}, &error);

    if (!opened)
        bail(error);
    return opened;
}

/* An id of the house's form: prefix and number. */
__attribute__((unused)) static const char *id(const char *prefix, int number)
{
    return text("%s_%020d", prefix, number);
}

__attribute__((unused)) static void must(identity_db_status_t status, const char *what)
{
    if (status != IDENTITY_DB_OK)
        bail(text("%s answers %d (%s: %s)", what, (int)status, logged_statement ? logged_statement : "-",
                  logged_failure ? logged_failure : "-"));
}

/* A statement as it stands, for what the store has no function for. */
__attribute__((unused)) static void sql(identity_db_t *db, const char *statement)
{
    must(db_plain(db, "test", statement), statement);
}

__attribute__((unused)) static const char *sql_value(identity_db_t *db, const char *statement)
{
    apr_array_header_t *values;

    must(db_plain_list(db, "test", statement, &values), statement);
    return values->nelts ? APR_ARRAY_IDX(values, 0, const char *) : NULL;
}

/* A new database of an older version, as it was released. */
__attribute__((unused)) static identity_db_t *old_database(const char *path, int version)
{
#define TABLE(version, name, columns) {version, "CREATE TABLE " #name " (" columns ") WITHOUT ROWID"},
#define STEP(version, text)           {version, text},
#define CODE(version, function)
    static const struct {
        int version;
        const char *text;
    } all[] = {
#include "src/store/schema.def"
    };
#undef TABLE
#undef STEP
#undef CODE
    fclose(fopen(path, "w"));
    identity_db_t *old = any(path);
    sql_value(old, "PRAGMA journal_mode = WAL");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].version <= version)
            sql(old, all[i].text);
    for (int i = 1; i <= version; i++)
        sql(old, text("INSERT INTO schema_version (version, applied_at) VALUES (%d, 1)", i));
    return old;
}

__attribute__((unused)) static apr_array_header_t *ids_of(int count, ...)
{
    apr_array_header_t *ids = apr_array_make(pool, 4, sizeof(const char *));
    va_list list;

    va_start(list, count);
    for (int i = 0; i < count; i++)
        APR_ARRAY_PUSH(ids, const char *) = va_arg(list, const char *);
    va_end(list);
    return ids;
}

/* A change that must stand in a write transaction, in one of its own: what it answered. */
__attribute__((unused)) static identity_db_status_t end_written(identity_db_t *db, identity_db_status_t status)
{
    if (status != IDENTITY_DB_OK && status != IDENTITY_DB_NONE && status != IDENTITY_DB_CONFLICT)
        identity_db_rollback(db);
    else
        must(identity_db_commit(db), "commit");
    return status;
}
#define written(change) (must(identity_db_begin(db, true), "begin"), end_written(db, change))

/* ---- rows to begin with ----------------------------------------------------------------------------------------- */

__attribute__((unused)) static void add_entity(identity_db_t *db, const char *entity, const char *reference)
{
    must(identity_entity_insert(
             db, &(identity_entity_row_t){.id = entity, .reference = reference, .name = reference, .created_at = NOW}),
         "entity");
}

__attribute__((unused)) static const char *add_account(identity_db_t *db, const char *entity, int number)
{
    identity_account_row_t row = {.id = id("plat", number),
                                  .entity_id = entity,
                                  .reference = text("account-%d", number),
                                  .account_type_code = "STANDARD",
                                  .environment = "LIVE",
                                  .created_at = NOW + number};

    must(identity_account_insert(db, &row), "account");
    return row.id;
}

__attribute__((unused)) static identity_user_row_t *add_user(identity_db_t *db, const char *entity, int number,
                                                             const char *name, identity_user_status_t status)
{
    identity_user_row_t *row = apr_pcalloc(pool, sizeof *row);

    row->id = id("user", number);
    row->entity_id = entity;
    row->username = name;
    row->canonical = identity_username_canonical(pool, name);
    row->status = status;
    row->created_at = row->updated_at = NOW + number;
    row->version = 1;
    must(identity_user_insert(db, row), "user");
    return row;
}

/* Teams have no function of their own yet. */
__attribute__((unused)) static const char *add_team(identity_db_t *db, const char *entity, int number)
{
    const char *team = id("team", number);

    sql(db, text("INSERT INTO teams (id, entity_id, name, created_at) VALUES ('%s', '%s', 'team %d', %d)", team, entity,
                 number, number));
    return team;
}

__attribute__((unused)) static identity_db_status_t give(identity_db_t *db, identity_owner_t owner, int number,
                                                         const char *owner_id, const char *account,
                                                         identity_member_type_t type, const apr_array_header_t *roles)
{
    identity_membership_row_t row = {.id = id("memb", number),
                                     .entity_id = ENTITY,
                                     .owner_id = owner_id,
                                     .type = type,
                                     .created_at = NOW + number,
                                     .account.id = account};

    return identity_membership_insert(db, owner, &row, roles);
}

__attribute__((unused)) static const char *add_role(identity_db_t *db, const char *entity, int number, const char *name,
                                                    const apr_array_header_t *children,
                                                    const apr_array_header_t *permissions)
{
    identity_role_row_t row = {.id = id("role", 900 + number),
                               .entity_id = entity,
                               .name = name,
                               .canonical = identity_name_canonical(pool, name),
                               .slug = identity_slug_of_name(pool, name),
                               .description = text("what %s may", name),
                               .created_at = NOW + number,
                               .version = 1};

    must(identity_role_insert(db, &row, children, permissions), "role");
    return row.id;
}

__attribute__((unused)) static identity_invitation_row_t *add_invitation(identity_db_t *db, int number,
                                                                         const char *user_id, apr_time_t created_at)
{
    identity_invitation_row_t *row = apr_pcalloc(pool, sizeof *row);

    row->id = text("%032X", number);
    row->entity_id = ENTITY;
    row->user_id = user_id;
    row->email = row->canonical = "ada@example.org";
    row->invited_by = "apik_00000000000000000001";
    row->created_at = row->modified_at = created_at;
    row->expires_at = created_at + HOUR;
    must(identity_invitation_insert(db, row), "invitation");
    return row;
}

/* ---- processes -------------------------------------------------------------------------------------------------- */

/* Runs work in processes of their own at once; how many of them answered true. Each opens its own connection. */
__attribute__((unused)) static int in_processes(int count, bool (*work)(int number))
{
    int start[2], right = 0, status;
    char byte;

    fflush(stdout);
    if (pipe(start))
        bail("no pipe");
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0)
            bail("no process");
        if (child == 0) {
            /* All wait for the writing end to be closed. */
            close(start[1]);
            if (read(start[0], &byte, 1) < 0)
                _exit(2);
            _exit(work(i) ? 0 : 1);
        }
    }
    close(start[0]);
    close(start[1]);
    while (wait(&status) > 0) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            bail("a process came to grief");
        right += WEXITSTATUS(status) == 0;
    }
    return right;
}

/* ---- beginning and end ------------------------------------------------------------------------------------------ */

static char folder_name[] = "/tmp/identity-store-XXXXXX";

/* At the end of the process that made it, also after a bail; the others end by _exit. */
__attribute__((unused)) static void remove_folder(void)
{
    DIR *open = opendir(folder_name);

    for (struct dirent *entry; open && (entry = readdir(open));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder_name, entry->d_name);
        unlink(path);
    }
    if (open)
        closedir(open);
    rmdir(folder_name);
}

__attribute__((unused)) static void fixture_folder(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    json_object_seed(0);
    if (!mkdtemp(folder_name))
        bail("no temporary folder");
    atexit(remove_folder);
    folder = folder_name;
    file = text("%s/identity.db", folder);
}

/* A migrated database with the entities ENTITY and OTHER, and a connection. */
__attribute__((unused)) static identity_db_t *fixture_begin(void)
{
    int from, to;

    fixture_folder();
    const char *error = identity_schema_migrate(pool, "sqlite3", file, &from, &to);
    if (error)
        bail(error);
    identity_db_t *db = connect_store();
    add_entity(db, ENTITY, "default");
    add_entity(db, OTHER, "other");
    return db;
}

__attribute__((unused)) static int fixture_end(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}

#endif
