/* The contract of the database file (design/database.md, 2.2), on real SQLite: what P1 to P12 say bites must not bite
 * here. */
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/store/rows_int.h"
#include "support/door.h"
#include "tap.h"

static const char *const outcomes[] = {"OK", "NONE", "CONFLICT", "BUSY", "LOST", "FAILED"};
#define is_outcome(got, expected, ...) is_str(outcomes[got], outcomes[expected], __VA_ARGS__)

static identity_db_t *another(door_t *door)
{
    const identity_db_options_t *options = apr_pcalloc(door->pool, sizeof *options);
    const char *error = NULL;
    identity_db_t *db = identity_db_open(door->pool, "sqlite3", door->params, options, &error);

    if (!db)
        bail(error);
    identity_db_use(db, door->pool);
    return db;
}

static identity_user_row_t *user(door_t *door, const char *name)
{
    identity_user_row_t *row = apr_pcalloc(door->pool, sizeof *row);

    row->id = identity_id_make(door->pool, "user", ++door->now, &door->env.random);
    row->entity_id = door->entity_id;
    row->username = name;
    row->canonical = identity_username_canonical(door->pool, name);
    row->status = IDENTITY_USER_ACTIVE;
    row->created_at = row->updated_at = door->now;
    row->version = 1;
    return row;
}

static void test_values(door_t *door)
{
    identity_user_row_t *row = user(door, "100%s\xc3\xa9'\"--@example.org"), *got;

    row->invite_expires_at = (apr_time_t)1 << 60;
    is_outcome(identity_user_insert(door->db, row), IDENTITY_DB_OK,
               "a name with a percent sign, a quote and an accent");
    is_outcome(identity_user_get(door->db, door->entity_id, row->id, &got), IDENTITY_DB_OK, "is found by its id");
    is_str(got->username, row->username, "and comes back as it went in");
    ok(got->invite_expires_at == (apr_time_t)1 << 60, "2^60 makes the round (P12)");
    ok(got->password_hash == NULL, "NULL comes back as NULL (P11)");
    is_outcome(identity_user_get(door->db, door->other_entity_id, row->id, &got), IDENTITY_DB_NONE,
               "not in another entity");
    is_outcome(identity_user_insert(door->db, row), IDENTITY_DB_CONFLICT,
               "twice is a conflict, told by the row count (P9)");
    identity_user_row_t *same = user(door, "100%S\xc3\xa9'\"--@EXAMPLE.org");
    is_outcome(identity_user_insert(door->db, same), IDENTITY_DB_CONFLICT, "the same canonical name too");
    identity_user_row_t *other = user(door, "other@example.org");
    is_outcome(identity_user_insert(door->db, other), IDENTITY_DB_OK, "another name is none");
    other->username = row->username;
    other->canonical = row->canonical;
    is_outcome(identity_user_update(door->db, other), IDENTITY_DB_CONFLICT, "a change to a taken name is a conflict");
    other->username = other->canonical = "third@example.org";
    is_outcome(identity_user_update(door->db, other), IDENTITY_DB_OK, "a free one is not");
    is_int(other->version, 2, "and moves the version on");
    other->version = 1;
    is_outcome(identity_user_update(door->db, other), IDENTITY_DB_NONE, "a change from an old version meets no row");
    is_outcome(db_change(door->db, IDENTITY_SQL_KEY_TOUCH, DB_ARGS(S("1"), S("x"), N(1)), NULL), IDENTITY_DB_FAILED,
               "text where a number belongs never reaches the driver (P12)");
    ok(identity_db_usable(door->db), "and does the connection no harm");
    identity_db_release(door->db);
    identity_db_use(door->db, door->pool);
}

/* P1: the driver's statements die when anybody changes the schema. */
static void test_schema_change(door_t *door)
{
    identity_db_t *rival = another(door);
    identity_user_row_t *got;

    identity_user_by_name(door->db, "third@example.org", &got);
    is_outcome(db_plain(rival, "test", "CREATE TABLE later (a INTEGER)"), IDENTITY_DB_OK,
               "another connection makes a table");
    is_outcome(identity_user_by_name(door->db, "third@example.org", &got), IDENTITY_DB_OK,
               "a statement prepared before still reads (P1)");
    is_outcome(identity_db_begin(door->db, true), IDENTITY_DB_OK, "BEGIN IMMEDIATE");
    identity_user_insert(door->db, user(door, "p1@example.org"));
    is_outcome(identity_db_commit(door->db), IDENTITY_DB_OK, "and COMMIT");
    db_plain(rival, "test", "ANALYZE");
    is_outcome(identity_user_by_name(door->db, "p1@example.org", &got), IDENTITY_DB_OK, "after ANALYZE too");
    db_plain(rival, "test", "DROP TABLE later");
    ok(identity_db_usable(door->db), "the connection is good");
}

static void test_transactions(door_t *door)
{
    identity_user_row_t *got;

    identity_db_begin(door->db, true);
    identity_user_insert(door->db, user(door, "gone@example.org"));
    identity_db_release(door->db);
    identity_db_use(door->db, door->pool);
    is_outcome(identity_user_by_name(door->db, "gone@example.org", &got), IDENTITY_DB_NONE,
               "what a borrower leaves open is rolled back (P7)");
    identity_db_begin(door->db, true);
    identity_user_insert(door->db, user(door, "half@example.org"));
    door->fail_after = 1;
    is_outcome(identity_user_by_name(door->db, "x", &got), IDENTITY_DB_FAILED, "a statement fails inside");
    is_outcome(identity_db_commit(door->db), IDENTITY_DB_FAILED, "then COMMIT is refused (P7)");
    is_outcome(identity_user_by_name(door->db, "half@example.org", &got), IDENTITY_DB_NONE,
               "and nothing is left of it");
    is_outcome(identity_db_commit(door->db), IDENTITY_DB_FAILED, "COMMIT without BEGIN is refused");
    identity_db_release(door->db);
    identity_db_use(door->db, door->pool);
    identity_db_begin(door->db, true);
    is_outcome(identity_user_insert(door->db, user(door, "third@example.org")), IDENTITY_DB_CONFLICT,
               "a conflict inside");
    identity_user_insert(door->db, user(door, "kept@example.org"));
    is_outcome(identity_db_commit(door->db), IDENTITY_DB_OK, "is no failure: COMMIT");
    is_outcome(identity_user_by_name(door->db, "kept@example.org", &got), IDENTITY_DB_OK, "keeps the rest");
}

/* Another process holds the lock: the driver waits its 1.6 s, then BUSY, and the connection goes on. */
static void test_busy(door_t *door)
{
    int ready[2], leave[2];
    char byte = 0;

    if (pipe(ready) != 0 || pipe(leave) != 0)
        bail("no pipe");
    /* A program of its own: SQLite must not be carried over a fork. */
    pid_t holder = fork();
    if (holder == 0) {
        char command[512];
        dup2(leave[0], 0);
        dup2(ready[1], 1);
        snprintf(
            command, sizeof command,
            "(echo 'BEGIN IMMEDIATE;'; echo '.print x'; head -c 1 >/dev/null; echo 'ROLLBACK;') | exec sqlite3 '%s'",
            door->params);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (read(ready[0], &byte, 1) != 1 || byte != 'x')
        bail("the lock could not be held");
    is_outcome(identity_db_begin(door->db, true), IDENTITY_DB_BUSY, "BEGIN IMMEDIATE while another process writes");
    identity_user_row_t *got;
    is_outcome(identity_user_by_name(door->db, "kept@example.org", &got), IDENTITY_DB_OK, "readers go on");
    ok(write(leave[1], "y", 1) == 1 && waitpid(holder, NULL, 0) == holder, "it ends");
    identity_db_release(door->db);
    identity_db_use(door->db, door->pool);
    is_outcome(identity_db_begin(door->db, true), IDENTITY_DB_OK, "then the same connection writes");
    identity_db_rollback(door->db);
    ok(identity_db_usable(door->db), "and is good");
}

/* The same number of statements whatever the rows. */
static void test_counts(door_t *door)
{
    apr_array_header_t *ids = apr_array_make(door->pool, 64, sizeof(const char *)), *rows, *edges, *permissions;
    unsigned long few, many;

    APR_ARRAY_PUSH(ids, const char *) = identity_builtin_role(0)->id;
    unsigned long before = identity_db_statements(door->db);
    identity_roles_closure(door->db, ids, &rows, &edges, &permissions);
    few = identity_db_statements(door->db) - before;
    for (int i = 1; i < 60; i++)
        APR_ARRAY_PUSH(ids, const char *) = identity_builtin_role(i)->id;
    before = identity_db_statements(door->db);
    identity_roles_closure(door->db, ids, &rows, &edges, &permissions);
    many = identity_db_statements(door->db) - before;
    is_int(few, 3, "three statements for one role");
    is_int(many, 3, "and for sixty");
    is_int(rows->nelts, 60, "which are all read");
}

int main(void)
{
    door_t *door = door_open();

    identity_db_use(door->db, door->pool);
    test_values(door);
    test_schema_change(door);
    test_transactions(door);
    test_busy(door);
    test_counts(door);
    door_close(door);
    return tap_done();
}
