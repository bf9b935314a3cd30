/* Migrations: made once, also by two at once; what is not ours, newer, or not in WAL mode is refused with a sentence.
 */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <sodium.h>

#include "identity/store.h"
#include "tap.h"

static apr_pool_t *pool;
static const char *folder;

static const char *in_folder(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

static void sql(const char *path, const char *text)
{
    if (system(apr_psprintf(pool, "sqlite3 '%s' \"%s\" > /dev/null", path, text)) != 0)
        bail(text);
}

static const char *open_error(const char *path)
{
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL};
    const char *error = "";
    return identity_db_open(pool, "sqlite3", path, &options, &error) ? "" : error;
}

static void test_first(void)
{
    const char *path = in_folder("first.db");
    int from = -1, to = -1;
    struct stat info;

    ok(strstr(open_error(path), "is not there") != NULL, "a missing file is an error, not a new database");
    ok(access(path, F_OK) != 0, "and is not made by asking");
    is_str(identity_schema_migrate(pool, "sqlite3", path, &from, &to), NULL, "migrate makes it");
    is_int(from, 0, "from nothing");
    is_int(to, identity_schema_current(), "to the current version");
    ok(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600, "readable by its owner only (P22)");
    is_str(open_error(path), "", "it can be opened");
    is_str(identity_schema_migrate(pool, "sqlite3", path, &from, &to), NULL, "a second time");
    is_int(from, to, "does nothing");
    sql(path, "UPDATE schema_version SET version = 999");
    ok(strstr(identity_schema_migrate(pool, "sqlite3", path, &from, &to), "newer") != NULL,
       "a newer schema is refused");
}

static void test_refusals(void)
{
    int from, to;
    const char *path = in_folder("none.db"), *rollback = in_folder("rollback.db"), *foreign = in_folder("foreign.db");
    apr_file_t *file;

    apr_file_open(&file, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE, APR_FPROT_OS_DEFAULT, pool);
    apr_file_puts("this is no database, but it is long enough to look like a file of something or other, is it not?",
                  file);
    apr_file_close(file);
    ok(identity_schema_migrate(pool, "sqlite3", path, &from, &to) != NULL, "a file that is no database is refused");
    sql(rollback, "CREATE TABLE t (a)");
    ok(strstr(open_error(rollback), "WAL") != NULL, "a file that is not in WAL mode is not opened (P6)");
    sql(foreign, "CREATE TABLE users (a)");
    ok(identity_schema_migrate(pool, "sqlite3", foreign, &from, &to) != NULL,
       "another program's database is left alone");
    ok(identity_schema_migrate(pool, "sqlite3", in_folder("no/such/folder.db"), &from, &to) != NULL,
       "a folder that is not there");
    ok(strstr(identity_schema_migrate(pool, "pgsql", "host=x", &from, &to), "sqlite3") != NULL,
       "a driver that is not supported");
}

/* Eight processes at once: all succeed, and the work is done once. */
static void test_together(void)
{
    const char *path = in_folder("together.db");
    int good = 0, status, from, to;

    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            _exit(identity_schema_migrate(pool, "sqlite3", path, &from, &to) ? 1 : 0);
    while (wait(&status) > 0)
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    is_int(good, 8, "eight migrations at once all succeed");
    sql(path, "CREATE TEMP TABLE x AS SELECT 1/(COUNT(*) = 1) a FROM schema_version WHERE version = 1; INSERT INTO x "
              "SELECT 1/(COUNT(*) > 160) FROM roles");
    is_str(identity_schema_migrate(pool, "sqlite3", path, &from, &to), NULL, "and leave a whole database");
}

int main(void)
{
    char made[] = "/tmp/identity-unit-XXXXXX";

    if (apr_initialize() != APR_SUCCESS || sodium_init() < 0 || !mkdtemp(made))
        bail("the libraries do not start");
    apr_pool_create(&pool, NULL);
    folder = made;
    test_together(); /* before this process has a connection: SQLite must not be carried over a fork */
    test_first();
    test_refusals();
    apr_pool_destroy(pool);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", made);
    ok(system(command) == 0, "nothing is left behind");
    return tap_done();
}
