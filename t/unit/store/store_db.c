/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of db.c, on a real file: what goes wrong with apr_dbd, and what must
 * come of it. */

#include <signal.h>
#include <sys/resource.h>

#include "store_fixture.h"

static identity_db_t *db;

static int users_there(void)
{
    return (int)apr_atoi64(sql_value(db, "SELECT COUNT(*) FROM users"));
}

static identity_user_row_t *user_row(int number, const char *name)
{
    identity_user_row_t *row = apr_pcalloc(pool, sizeof *row);

    row->id = id("user", number);
    row->entity_id = ENTITY;
    row->username = row->canonical = name;
    row->status = IDENTITY_USER_ACTIVE;
    row->version = 1;
    return row;
}

static void test_values(void)
{
    static const char *const hard[] = {"100%s@a.b %lld %% %n",
                                       "o'neill\"; DROP TABLE users;--@a.b",
                                       "",
                                       "gr\xc3\xbc\xc3\x9f"
                                       "e@b\xc3\xbc"
                                       "cher.example",
                                       "\xf0\x9f\x9c\x81@a.b",
                                       "back\\slash\t\n@a.b",
                                       "?1 :a @b $c"};
    static const apr_int64_t numbers[] = {0, 1, -1, 1LL << 60, INT64_MAX, INT64_MIN};
    identity_user_row_t *row, *read;

    for (int i = 0; i < 7; i++) {
        row = user_row(100 + i, hard[i]);
        row->password_hash = i % 2 ? hard[i] : NULL;
        row->created_at = numbers[i % 6];
        is_int(identity_user_insert(db, row), IDENTITY_DB_OK, "a row of hard text %d is taken", i);
        is_int(identity_user_by_id(db, row->id, &read), IDENTITY_DB_OK, "and found");
        is_str(read->username, hard[i], "the text comes back as it went");
        is_str(read->password_hash, row->password_hash, "NULL comes back as NULL, text as text");
        ok(read->created_at == numbers[i % 6], "the number comes back as it went");
    }
    sql(db, "DELETE FROM users");
    is_int(identity_user_by_name(db, hard[0], &read), IDENTITY_DB_NONE, "no row is NONE");
}

/* P1, P2: the driver never prepares a statement again by itself. */
static void test_stale_statements(void)
{
    static const char *const changes[] = {"CREATE TABLE extra (id INTEGER)", "CREATE INDEX extra_id ON extra (id)",
                                          "ANALYZE", "DROP TABLE extra", "VACUUM"};
    identity_db_t *another = connect_store();
    identity_user_row_t *read;

    must(identity_user_insert(db, user_row(1, "ada@example.org")), "user");
    must(identity_user_by_name(db, "ada@example.org", &read), "prepared");
    logged_statement = NULL;
    for (int i = 0; i < 5; i++) {
        sql(another, changes[i]);
        is_int(identity_user_by_name(db, "ada@example.org", &read), IDENTITY_DB_OK, "a read survives %s by another",
               changes[i]);
        sql(another, "CREATE TABLE again (id INTEGER)");
        must(identity_db_begin(db, true), "begin");
        is_int(identity_user_rehash(db, read->id, "x", "y"), IDENTITY_DB_NONE, "a change inside a transaction too");
        is_int(identity_user_by_name(db, "ada@example.org", &read), IDENTITY_DB_OK, "and a read there");
        is_int(identity_db_commit(db), IDENTITY_DB_OK, "and its commit");
        sql(another, "DROP TABLE again");
    }
    sql(db, "PRAGMA foreign_keys=ON");
    is_int(identity_user_by_name(db, "ada@example.org", &read), IDENTITY_DB_OK,
           "a pragma that expires statements of the same connection is survived");
    ok(!logged_statement && identity_db_usable(db), "nothing is logged and the connection is good");
    sql(db, "DELETE FROM users");
}

static void test_transactions(void)
{
    identity_user_row_t *row = user_row(1, "ada@example.org"), *read;

    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, row), "user");
    is_int(identity_db_begin(db, true), IDENTITY_DB_FAILED, "no transaction within a transaction");
    is_int(identity_db_commit(db), IDENTITY_DB_FAILED, "which spoils it");
    is_int(users_there(), 0, "and leaves nothing");

    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, row), "user");
    is_int(identity_user_insert(db, row), IDENTITY_DB_CONFLICT, "a second row of that id is a conflict");
    is_int(identity_user_rehash(db, row->id, "none", "x"), IDENTITY_DB_NONE, "a guarded change meets no row");
    is_int(identity_db_commit(db), IDENTITY_DB_OK, "neither of which stands in the way of a commit");
    is_int(users_there(), 1, "the row is there");

    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, user_row(2, "bob@example.org")), "user");
    identity_db_rollback(db);
    is_int(users_there(), 1, "a rollback leaves nothing");
    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, user_row(2, "bob@example.org")), "user");
    identity_db_release(db);
    identity_db_use(db, pool);
    is_int(users_there(), 1, "neither does a borrower who goes away");
    ok(identity_db_usable(db), "the connection is good");
    is_int(identity_db_commit(db), IDENTITY_DB_FAILED, "there is nothing to commit then");

    must(identity_db_begin(db, false), "begin to read");
    is_int(identity_user_by_name(db, "ada@example.org", &read), IDENTITY_DB_OK, "a transaction that reads reads");
    is_int(identity_user_insert(db, user_row(3, "eve@example.org")), IDENTITY_DB_FAILED, "and changes nothing");
    is_str(logged_failure, "a change in a transaction that reads", "which is logged");
    identity_db_rollback(db);
    is_int(give(db, IDENTITY_OWNER_USER, 1, row->id, "plat_x", IDENTITY_MEMBER_USER, NULL), IDENTITY_DB_FAILED,
           "what takes several statements is refused outside of a transaction");
    is_str(logged_failure, "outside a write transaction", "which is logged too");
    sql(db, "DELETE FROM users");
}

static void test_failed_statement(void)
{
    identity_user_row_t *row = user_row(1, "ada@example.org"), *stray = user_row(2, "bob@example.org");

    stray->entity_id = "enti_99999999999999999999";
    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, row), "user");
    is_int(identity_user_insert(db, stray), IDENTITY_DB_FAILED, "a user of no entity fails");
    is_str(logged_statement, "USER_INSERT", "the log names the statement");
    is_str(logged_failure, "a rule of the schema was broken", "and the class of the failure");
    is_int(identity_user_insert(db, user_row(3, "eve@example.org")), IDENTITY_DB_FAILED,
           "what follows in the transaction is not run");
    is_int(identity_db_commit(db), IDENTITY_DB_FAILED, "its commit is refused");
    is_int(users_there(), 0, "and nothing of it is there");
    ok(identity_db_usable(db), "the connection is good");
    is_int(identity_user_insert(db, stray), IDENTITY_DB_FAILED, "the same fails by itself");
    is_int(identity_user_insert(db, row), IDENTITY_DB_OK, "and does not spoil what comes after it");
    sql(db, "DELETE FROM users");

    /* SQLite ends a transaction by itself when the disk is full; a trigger can say so without a full disk. */
    sql(db, "CREATE TRIGGER full BEFORE INSERT ON users WHEN NEW.canonical = 'full@a.b' "
            "BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END");
    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, row), "user");
    is_int(identity_user_insert(db, user_row(2, "full@a.b")), IDENTITY_DB_FAILED, "a transaction is ended underneath");
    is_int(identity_user_insert(db, user_row(3, "eve@example.org")), IDENTITY_DB_FAILED,
           "what follows is not committed by itself");
    is_int(identity_db_commit(db), IDENTITY_DB_FAILED, "nor is there anything to commit");
    is_int(users_there(), 0, "nothing is there");
    ok(!identity_db_usable(db), "the connection is told to be replaced");
    db = connect_store();
    sql(db, "DROP TRIGGER full");

    is_int(db_change(db, IDENTITY_SQL_USER_REHASH, DB_ARGS(S("a"), N(1), S("b")), NULL), IDENTITY_DB_FAILED,
           "a number for a text is refused");
    is_str(logged_failure, "parameters that do not fit the statement", "and logged");
    is_int(db_change(db, IDENTITY_SQL_USER_REHASH, DB_ARGS(S("a"), S("b")), NULL), IDENTITY_DB_FAILED,
           "so is a parameter too few");
    is_int(db_change(db, IDENTITY_SQL_USER_REHASH, DB_ARGS(S("a"), S("b"), S("c"), S("d")), NULL), IDENTITY_DB_FAILED,
           "and one too many");
}

/* A transaction of a kind that the service makes; false where a step failed. */
static bool whole_change(const char *account)
{
    identity_audit_row_t audit = {.id = id("audi", 1),
                                  .entity_id = ENTITY,
                                  .user_id = "",
                                  .target_resource_type = "USER",
                                  .action = "CREATE",
                                  .message = "",
                                  .client_address = ""};
    identity_user_row_t *row = user_row(7, "grace@example.org"), *read;

    bool done = identity_db_begin(db, true) == IDENTITY_DB_OK &&
                identity_user_by_name(db, row->canonical, &read) == IDENTITY_DB_NONE &&
                identity_user_insert(db, row) == IDENTITY_DB_OK &&
                give(db, IDENTITY_OWNER_USER, 7, row->id, account, IDENTITY_MEMBER_USER,
                     ids_of(1, identity_builtin_role(0)->id)) == IDENTITY_DB_OK &&
                identity_audit_insert(db, &audit) == IDENTITY_DB_OK && identity_db_commit(db) == IDENTITY_DB_OK;
    identity_db_release(db);
    identity_db_use(db, pool);
    return done;
}

static void test_every_failure(void)
{
    const char *account = add_account(db, ENTITY, 70);
    int last = 0;
    unsigned long before = identity_db_statements(db);

    for (int nth = 1; nth < 50; nth++) {
        fail_after = nth;
        bool done = whole_change(account);
        if (done) {
            last = nth - 1;
            break;
        }
        fail_after = 0;
        is_str(sql_value(db, "SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM memberships) + "
                             "(SELECT COUNT(*) FROM membership_roles) + (SELECT COUNT(*) FROM audit_records) + (SELECT "
                             "COUNT(*) FROM audit_details)"),
               "0", "a failure of statement %d leaves nothing", nth);
        ok(identity_db_usable(db), "and a good connection");
    }
    fail_after = 0;
    is_int(last, 8, "each of the 8 statements was failed in turn");
    is_int(users_there(), 1, "then all of it was done");
    before = identity_db_statements(db);
    sql(db, "DELETE FROM users");
    ok(!whole_change("plat_99999999999999999999"), "an account that is not there fails the whole");
    is_int(identity_db_statements(db) - before, 6, "statements are counted: DELETE, BEGIN, 3, ROLLBACK");
    is_int(users_there(), 0, "nothing is left of it");
    sql(db, "DELETE FROM audit_records");
}

/* ---- locks of other processes ----------------------------------------------------------------------------------- */

static pid_t hold_lock(const char *path, int *release)
{
    int ready[2], go[2];
    char byte;

    fflush(stdout);
    if (pipe(ready) || pipe(go))
        bail("no pipe");
    pid_t child = fork();
    if (child < 0)
        bail("no process");
    if (child == 0) {
        const char *error;
        identity_db_t *own = try_connect(path, &error);
        close(go[1]);
        if (!own || identity_db_begin(own, true) != IDENTITY_DB_OK || write(ready[1], "r", 1) != 1)
            _exit(1);
        if (read(go[0], &byte, 1) < 0)
            _exit(1);
        identity_db_rollback(own);
        _exit(0);
    }
    close(ready[1]);
    close(go[0]);
    if (read(ready[0], &byte, 1) != 1)
        bail("the other process takes no lock");
    close(ready[0]);
    *release = go[1];
    return child;
}

static void test_busy(void)
{
    int release, status;
    identity_user_row_t *read;
    apr_time_t began = apr_time_now();
    pid_t child = hold_lock(file, &release);

    logged_failure = NULL;
    is_int(identity_db_begin(db, true), IDENTITY_DB_BUSY, "another process writes: BUSY");
    is_str(logged_failure, "locked by others", "which is logged as such");
    ok(apr_time_now() - began >= apr_time_from_msec(1400), "after the driver's patience of 1.6 s");
    is_int(identity_user_insert(db, user_row(5, "tim@example.org")), IDENTITY_DB_BUSY, "a change by itself: BUSY");
    is_int(identity_user_by_name(db, "tim@example.org", &read), IDENTITY_DB_NONE, "readers are not held up");
    must(identity_db_begin(db, false), "begin to read");
    is_int(identity_db_commit(db), IDENTITY_DB_OK, "nor are transactions that read");
    ok(identity_db_usable(db), "the connection is good");
    close(release);
    waitpid(child, &status, 0);
    is_int(identity_db_begin(db, true), IDENTITY_DB_OK, "afterwards there is a transaction");
    is_int(identity_user_insert(db, user_row(5, "tim@example.org")), IDENTITY_DB_OK, "that changes");
    is_int(identity_db_commit(db), IDENTITY_DB_OK, "and is committed");

    /* Whoever waits within the driver's patience gets it. */
    child = hold_lock(file, &release);
    fflush(stdout);
    pid_t releaser = fork();
    if (releaser == 0) {
        apr_sleep(apr_time_from_msec(500));
        _exit(0);
    }
    close(release); /* the releaser's copy holds it for half a second */
    is_int(identity_db_begin(db, true), IDENTITY_DB_OK, "a lock that goes in time is waited for");
    identity_db_rollback(db);
    waitpid(releaser, &status, 0);
    waitpid(child, &status, 0);
    sql(db, "DELETE FROM users");
}

/* ---- what the machine does -------------------------------------------------------------------------------------- */

/* No byte can be written any more, as on a full disk. */
static bool disk_full(int number)
{
    struct rlimit limit, before;
    identity_db_t *own = connect_store();

    (void)number;
    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &before))
        return false;
    limit = before;
    limit.rlim_cur = 1;
    if (identity_db_begin(own, true) != IDENTITY_DB_OK || setrlimit(RLIMIT_FSIZE, &limit) ||
        identity_user_insert(own, user_row(40, "full@example.org")) != IDENTITY_DB_OK)
        return false;
    bool refused = identity_db_commit(own) == IDENTITY_DB_FAILED && !identity_db_usable(own);
    identity_db_release(own);
    if (setrlimit(RLIMIT_FSIZE, &before))
        return false;
    own = connect_store();
    return refused && identity_user_insert(own, user_row(41, "room@example.org")) == IDENTITY_DB_OK;
}

static bool die_inside(int number)
{
    identity_db_t *own = connect_store();

    (void)number;
    must(identity_db_begin(own, true), "begin");
    must(identity_user_insert(own, user_row(42, "dead@example.org")), "user");
    raise(SIGSTOP);
    return true;
}

static void test_machine(void)
{
    int status;

    is_int(in_processes(1, disk_full), 1, "a full disk fails the commit; afterwards a new connection writes");
    is_int(users_there(), 1, "what was refused is not there, what was told to be there is");
    sql(db, "DELETE FROM users");

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(die_inside(0));
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        bail("the other process does not stop");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    is_int(users_there(), 0, "a process that dies inside a transaction leaves nothing");
    is_int(identity_db_begin(db, true), IDENTITY_DB_OK, "and no lock");
    identity_db_rollback(db);
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

/* Nothing is got, and a sentence says why. */
static void refused(const void *got, const char **error, const char *what)
{
    ok(!got && *error && strlen(*error) > 20, "%s is refused: %s", what, *error ? *error : "");
    *error = NULL;
}

static void test_open(void)
{
    const char *error = NULL, *path = text("%s/other.db", folder);
    struct stat status;

    refused(try_connect(path, &error), &error, "a missing file");
    ok(access(path, F_OK) != 0, "and not made");
    refused(identity_db_open(pool, "pgsql", "dbname=x", &(identity_db_options_t){0}, &error), &error, "another driver");
    identity_db_t *memory = try_connect(":memory:", &error);
    ok(memory, "a database in memory is let be");
    is_str(sql_value(memory, "PRAGMA foreign_keys"), "1", "foreign keys are watched");
    is_str(sql_value(memory, "PRAGMA synchronous"), "1", "NORMAL where it is asked for");
    sql(memory, "CREATE TABLE t (x)");
    is_str(sql_value(memory, "SELECT COUNT(*) FROM t"), "0", "and it works");

    identity_db_t *full = identity_db_open(pool, "sqlite3", file, &(identity_db_options_t){0}, &error);
    is_str(sql_value(full, "PRAGMA synchronous"), "2", "FULL by default");

    identity_db_t *other = db_open_any(pool, "sqlite3", file, &(identity_db_options_t){0}, &error);
    is_str(sql_value(other, text("VACUUM INTO '%s'", path)), NULL, "a copy is made that is not in WAL mode");
    refused(try_connect(path, &error), &error, "it");

    path = text("%s/text.db", folder);
    FILE *junk = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database at all\n", junk);
    fclose(junk);
    refused(try_connect(path, &error), &error, "a file of text");
    ok(stat(path, &status) == 0 && status.st_size == 27000, "and left alone");
}

static void test_attach(void)
{
    const apr_dbd_driver_t *driver;
    const char *error = NULL;
    identity_db_options_t options = {.log = keep_log};
    identity_user_row_t *read;
    apr_pool_t *own;
    apr_dbd_t *handle;

    apr_pool_create(&own, pool);
    if (apr_dbd_get_driver(own, "sqlite3", &driver) || apr_dbd_open_ex(driver, own, file, &handle, &error))
        bail("no handle");
    identity_db_t *first = identity_db_attach(own, driver, handle, &options, &error);
    ok(first, "a lent connection is set up");
    identity_db_use(first, pool);
    is_str(sql_value(first, "PRAGMA foreign_keys"), "1", "foreign keys are watched");
    must(identity_db_begin(first, true), "begin");
    must(identity_user_insert(first, user_row(9, "sue@example.org")), "user");
    identity_db_release(first);
    ok(identity_db_attach(own, driver, handle, &options, &error) == first, "the next borrower finds its state again");
    identity_db_use(first, pool);
    is_int(identity_user_by_name(first, "sue@example.org", &read), IDENTITY_DB_NONE, "and nothing of the one before");
    apr_dbd_close(driver, handle);

    const char *path = text("%s/other.db", folder); /* not in WAL mode */
    apr_pool_clear(own);
    if (apr_dbd_open_ex(driver, own, path, &handle, &error))
        bail("no handle");
    refused(identity_db_attach(own, driver, handle, &options, &error), &error, "a file without WAL");
    sql_value(db_open_any(own, "sqlite3", path, &options, &error), "PRAGMA journal_mode=WAL");
    ok(identity_db_attach(own, driver, handle, &options, &error), "and taken once that is mended");
    apr_dbd_close(driver, handle);
    apr_pool_destroy(own);
}

/* KiB of memory of this process. */
static long memory(void)
{
    long size = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");

    if (!in || fscanf(in, "%ld %ld", &size, &resident) != 2)
        bail("no /proc/self/statm");
    fclose(in);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* What a statement takes is given back: neither the connection nor its pools grow with use. */
static void test_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    const long limit = 512 * 1024; /* it keeps what is freed */
#else
    const long limit = 1024;
#endif
    long before = 0;
    apr_pool_t *request;
    identity_user_row_t *read;

    apr_pool_create(&request, pool);
    must(identity_user_insert(db, user_row(1, "ada@example.org")), "user");
    for (int i = 0; i < 20000; i++) {
        identity_db_use(db, request);
        if (identity_user_by_name(db, "ada@example.org", &read) != IDENTITY_DB_OK)
            bail("a read fails");
        identity_db_release(db);
        apr_pool_clear(request);
        if (i == 1000)
            before = memory();
    }
    identity_db_use(db, pool);
    long grown = memory() - before;
    ok(grown < limit, "19,000 reads take %ld KiB", grown);
    apr_pool_destroy(request);
}

/* M25 (security 86): a file that cannot grow. What is said names it, and no row's data. */
static void test_full(void)
{
    identity_db_t *own = connect_store();
    identity_db_status_t status = IDENTITY_DB_OK;
    const char *long_name = apr_pstrcat(pool, apr_psprintf(pool, "%0*d", 4000, 0), NULL);

    sql_value(own, text("PRAGMA max_page_count = %s", sql_value(own, "PRAGMA page_count")));
    for (int i = 0; i < 50 && status == IDENTITY_DB_OK; i++) {
        identity_audit_row_t row = {.id = id("audi", 7000 + i),
                                    .entity_id = "",
                                    .user_id = "",
                                    .target_resource_type = "USER",
                                    .action = "FULL",
                                    .message = long_name,
                                    .client_address = "",
                                    .created_at = NOW};
        logged_failure = NULL;
        status = identity_db_begin(own, true);
        if (status == IDENTITY_DB_OK)
            status = identity_audit_insert(own, &row);
        if (status == IDENTITY_DB_OK)
            status = identity_db_commit(own);
        identity_db_release(own);
        identity_db_use(own, pool);
    }
    is_int(status, IDENTITY_DB_FAILED, "M25: a full disk fails a change");
    is_str(logged_failure, "failed: the disk is full", "M25: and is said to be the cause");
}

int main(void)
{
    db = fixture_begin();
    test_values();
    test_stale_statements();
    test_transactions();
    test_failed_statement();
    test_every_failure();
    test_busy();
    test_machine();
    test_open();
    test_attach();
    test_memory();
    test_full();
    return fixture_end();
}
