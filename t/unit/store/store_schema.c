/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: what identity_schema_migrate makes, what it refuses, and that it may be run twice, and by two at once. */
#include "store_fixture.h"

static identity_db_t *db;

static const char *migrate(const char *path, int *from, int *to)
{
    return identity_schema_migrate(pool, "sqlite3", path, from, to);
}

static void refused(const char *path, const char *what)
{
    int from = -1, to = -1;
    const char *error = migrate(path, &from, &to);

    ok(error && strlen(error) > 20, "%s is refused: %s", what, error ? error : "");
    is_int(to, from, "and stays as it is");
}

static void test_fresh(void)
{
    int from = -1, to = -1, version = -1, current = identity_schema_current();
    struct stat status;

    umask(0);
    is_str(migrate(file, &from, &to), NULL, "a missing file is made");
    is_int(from, IDENTITY_SCHEMA_ABSENT, "from nothing");
    is_int(to, current, "to the version of this build");
    ok(stat(file, &status) == 0 && (status.st_mode & 07777) == 0600, "readable by its owner alone");
    db = connect_store();
    ok(stat(text("%s-wal", file), &status) == 0 && (status.st_mode & 07777) == 0600, "its log too");
    is_int(identity_schema_version(db, &version), IDENTITY_DB_OK, "the version can be asked for");
    is_int(version, current, "and is the current one");
    is_str(sql_value(db, "PRAGMA journal_mode"), "wal", "it is in WAL mode");
    apr_array_header_t *rows;
    must(db_plain_list(db, "test", "SELECT version FROM schema_version ORDER BY version", &rows), "versions");
    is_int(rows->nelts, current, "with a row for each migration");

    const char *empty = text("%s/empty.db", folder);
    fclose(fopen(empty, "w"));
    identity_db_t *nothing = any(empty);
    is_int(identity_schema_version(nothing, &version), IDENTITY_DB_OK, "an empty file has a version");
    is_int(version, IDENTITY_SCHEMA_ABSENT, "that of none");
    is_str(migrate(empty, &from, &to), NULL, "and is filled");
    const char *const tables[] = {"entities", "accounts", "users", "api_keys", "aliases", "memberships", "sessions"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        is_str(sql_value(db, text("SELECT COUNT(*) FROM %s", tables[i])), "0",
               "no %s: nobody has access by default # security 19", tables[i]);
}

static void test_tables(void)
{
    static const char *const tables[] = {"schema_version",
                                         "entities",
                                         "accounts",
                                         "users",
                                         "teams",
                                         "team_members",
                                         "memberships",
                                         "membership_roles",
                                         "roles",
                                         "role_children",
                                         "role_permissions",
                                         "api_keys",
                                         "api_key_permissions",
                                         "invitations",
                                         "secrets",
                                         "sessions",
                                         "refresh_tokens",
                                         "aliases",
                                         "providers",
                                         "clients",
                                         "provider_links",
                                         "sso_states",
                                         "audit_records",
                                         "audit_details",
                                         "outbox",
                                         "idempotency",
                                         "changes"};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        is_str(
            sql_value(db, text("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '%s'", tables[i])),
            "1", "table %s", tables[i]);
    is_str(sql_value(db, "SELECT m.name || '.' || f.\"from\" FROM sqlite_master m, pragma_foreign_key_list(m.name) f "
                         "WHERE m.type = 'table' AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) i, "
                         "pragma_index_info(i.name) c WHERE c.seqno = 0 AND c.name = f.\"from\")"),
           NULL, "no reference is without an index: a deletion looks nothing up by reading all");
    is_str(
        sql_value(
            db,
            "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c "
            "WHERE m.type = 'table' AND c.type NOT GLOB 'VARCHAR(*)' AND c.type NOT IN ('BIGINT', 'INTEGER', 'TEXT')"),
        NULL, "every column is of a type that all databases have");
    ok(apr_atoi64(sql_value(db, "SELECT COUNT(*) FROM sqlite_master m, pragma_foreign_key_list(m.name) f")) > 20,
       "(there are references)");
    apr_array_header_t *faults;
    must(identity_schema_check(db, &faults), "check");
    is_int(faults->nelts, 0, "the whole is sound");
}

static void test_again(void)
{
    int from, to;
    const char *version = sql_value(db, "PRAGMA data_version");

    is_str(migrate(file, &from, &to), NULL, "a second run is well");
    ok(from == to && to == identity_schema_current(), "it has nothing to do");
    is_str(sql_value(db, "PRAGMA data_version"), version, "and writes nothing");
    /* Nor does it disturb, or wait for, who is writing. */
    must(identity_db_begin(db, true), "begin");
    apr_time_t began = apr_time_now();
    is_str(migrate(file, &from, &to), NULL, "not even while another process writes");
    ok(apr_time_now() - began < apr_time_from_msec(1500), "without the wait for a lock");
    identity_db_rollback(db);
}

static void test_roles(void)
{
    int from, to, count = identity_builtin_role_count();
    const identity_builtin_role_t *first = identity_builtin_role(0), *last = identity_builtin_role(count - 1);
    apr_array_header_t *rows;

    must(db_list(db, IDENTITY_SQL_ROLES_BUILTIN, NULL, 0, db_read_role, &rows), "roles");
    is_int(rows->nelts, count, "the built-in roles are rows");
    must(identity_roles_find(db, ENTITY, ids_of(1, first->id), NULL, NULL, &rows), "find");
    identity_role_row_t *row = APR_ARRAY_IDX(rows, 0, identity_role_row_t *);
    is_str(row->name, first->name, "with their names");
    is_str(row->slug, first->slug, "slugs");
    is_str(row->description, first->description, "descriptions");
    is_str(row->canonical, identity_name_canonical(pool, first->name), "canonical names");
    is_str(row->entity_id, "", "and no entity");

    sql(db, text("DELETE FROM roles WHERE id = '%s'", last->id));
    sql(db, text("UPDATE roles SET description = 'old' WHERE id = '%s'", first->id));
    is_str(migrate(file, &from, &to), NULL, "a newer catalogue is brought in");
    must(identity_roles_find(db, ENTITY, ids_of(2, first->id, last->id), NULL, NULL, &rows), "find");
    is_int(rows->nelts, 2, "what it has besides is added");
    is_str(sql_value(db, text("SELECT description FROM roles WHERE id = '%s'", first->id)), first->description,
           "what it says otherwise is changed");
    is_str(sql_value(db, "SELECT COUNT(*) FROM roles WHERE version > 1"), "1", "and the rest is left");
}

static void write_file(const char *path, const char *content, int times)
{
    FILE *out = fopen(path, "w");

    for (int i = 0; i < times; i++)
        fputs(content, out);
    fclose(out);
}

static void test_refusals(void)
{
    const char *path = text("%s/text.db", folder);
    int from, to, newer = identity_schema_current() + 1;
    struct stat status;
    apr_time_t began = apr_time_now();

    write_file(path, "this is no database at all\n", 1000);
    refused(path, "a file of text");
    ok(stat(path, &status) == 0 && status.st_size == 27000, "it is left alone");
    ok(apr_time_now() - began < apr_time_from_sec(3), "and not tried again and again");

    path = text("%s/foreign.db", folder);
    write_file(path, "", 0);
    identity_db_t *foreign = any(path);
    sql(foreign, "CREATE TABLE recipes (id INTEGER)");
    refused(path, "a database of another program");
    is_str(sql_value(foreign, "PRAGMA journal_mode"), "delete", "its journal is not touched");
    is_str(sql_value(foreign, "SELECT COUNT(*) FROM sqlite_master"), "1", "nothing is added");

    sql(db, text("INSERT INTO schema_version (version, applied_at) VALUES (%d, 0)", newer));
    refused(file, "a newer schema");
    sql(db, text("DELETE FROM schema_version WHERE version = %d", newer));
    is_str(migrate(file, &from, &to), NULL, "without it all is well again");

    refused(text("%s/none/identity.db", folder), "a folder that is not there");
    refused(folder, "a folder");
    ok(identity_schema_migrate(pool, "pgsql", "dbname=x", &from, &to), "another driver is refused");
    refused(":memory:", "a database that nobody else could see");
}

static void test_from_version_1(void)
{
    const char *path = text("%s/old.db", folder);
    identity_db_t *old = old_database(path, 1);
    int from, to;

    sql(old, "INSERT INTO entities (id, reference, name, created_at) VALUES ('e', 'e', 'e', 1)");
    sql(old, "INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, updated_at, "
             "version) "
             "VALUES ('u', 'e', 'Ada@Example.org', 'ada@example.org', 'example.org', 'INVITED', 0, 1, 1, 1)");
    sql(old, "INSERT INTO roles (id, entity_id, name, canonical, slug, description, created_at, version) "
             "VALUES ('r', 'e', 'Clerk', 'clerk', 'clerk', '', 1, 1)");
    sql(old, "INSERT INTO invitations (id, entity_id, user_id, email, role_id, state, invited_by, adds, created_at, "
             "modified_at, expires_at) VALUES ('1', 'e', 'u', 'Ada@Example.org', 'r', 'revoked', '', 0, 1, 1, 1), "
             "('2', 'e', 'u', 'Ada@Example.org', NULL, 'invited', '', 0, 2, 2, 2)");
    sql(old,
        "INSERT INTO audit_records (id, entity_id, user_id, target_resource_type, action, message, client_address, "
        "created_at) VALUES ('a', 'e', 'u', 'X', 'X', '', '192.0.2.1', 1), ('b', 'e', 'u', 'X', 'X', '', '', 2)");
    is_str(migrate(path, &from, &to), NULL, "a database of version 1 is brought up to date");
    is_str(sql_value(old, "SELECT group_concat(record_id || ' ' || client_address) FROM audit_details"), "a 192.0.2.1",
           "M18: an audit record's address moves to where it can be erased");
    is_str(sql_value(old, "SELECT COUNT(*) FROM audit_records WHERE client_address = ''"), "2",
           "M18: and leaves no copy");
    is_str(text("%d to %d", from, to), text("1 to %d", identity_schema_current()), "from 1");
    is_str(sql_value(old,
                     "SELECT group_concat(id || canonical || ' ' || role_slug || ' ' || superseded) FROM invitations"),
           "1ada@example.org clerk 0,2ada@example.org none 0",
           "its invitations have the canonical address and the slug");
    is_str(sql_value(old, "PRAGMA integrity_check"), "ok", "and the file is sound");
    is_str(sql_value(old, "PRAGMA foreign_key_check"), NULL, "no row leads nowhere");
}

/* A file that lost its mode (a copy by VACUUM INTO) gets it back. */
static void test_mode(void)
{
    const char *path = text("%s/copy.db", folder);
    int from, to;

    sql_value(db, text("VACUUM INTO '%s'", path));
    is_str(sql_value(any(path), "PRAGMA journal_mode"), "delete", "a copy is not in WAL mode");
    is_str(migrate(path, &from, &to), NULL, "it is taken");
    is_str(sql_value(any(path), "PRAGMA journal_mode"), "wal", "and set to it");
}

static int round_of_race;

static bool migrate_new(int number)
{
    int from, to;
    const char *error = migrate(text("%s/race-%d.db", folder, round_of_race), &from, &to);

    if (error)
        diag("process %d: %s", number, error);
    return !error && to == identity_schema_current();
}

static void test_race(void)
{
    for (round_of_race = 0; round_of_race < 5; round_of_race++) {
        is_int(in_processes(8, migrate_new), 8, "eight processes migrate one new file");
        identity_db_t *raced = any(text("%s/race-%d.db", folder, round_of_race));
        is_str(sql_value(raced, "SELECT COUNT(*) FROM schema_version"), text("%d", identity_schema_current()),
               "each migration is done once");
        is_str(sql_value(raced, "SELECT COUNT(*) FROM roles"), text("%d", identity_builtin_role_count()),
               "each role is there once");
        is_str(sql_value(raced, "PRAGMA integrity_check"), "ok", "and the file is sound");
    }
}

static identity_schema_state_t look(const char *path, int *version)
{
    return identity_schema_look(pool, "sqlite3", path, true, version);
}

static void test_look(void)
{
    const char *path = text("%s/look ?#%%.db", folder), *theirs = text("%s/theirs.db", folder);
    int from, to, version = -1, current = identity_schema_current();
    struct stat before, after;

    is_int(look(text("%s/none.db", folder), &version), IDENTITY_SCHEMA_DAMAGED,
           "M1: a missing file is not looked into");
    ok(stat(text("%s/none.db", folder), &before) != 0, "M1: nor is it made");
    write_file(path, "", 0);
    is_int(look(path, &version), IDENTITY_SCHEMA_EMPTY, "M1: a file without a byte is empty");
    is_str(migrate(path, &from, &to), NULL, "M1: it is filled");
    ok(stat(path, &before) == 0, "M1: it is there");
    is_int(look(path, &version), IDENTITY_SCHEMA_FITS, "M1: it fits then");
    is_int(version, current, "M1: by its version");
    ok(stat(path, &after) == 0 && before.st_mtime == after.st_mtime && before.st_size == after.st_size,
       "M1: a look has not written to it");
    sql(any(path), "INSERT INTO schema_version VALUES (99, 1)");
    is_int(look(path, &version), IDENTITY_SCHEMA_NEWER, "M1: a newer version is told");
    is_int(version, 99, "M1: by its number");
    sql(any(path), "DELETE FROM schema_version WHERE version > 1");
    is_int(look(path, &version), IDENTITY_SCHEMA_OLDER, "M1: an older one too");
    write_file(theirs, "", 0);
    sql(any(theirs), "CREATE TABLE theirs (x)");
    is_int(look(theirs, &version), IDENTITY_SCHEMA_FOREIGN, "M1: tables of another program");
    write_file(theirs, "This is no database, and long enough to be one.", 47);
    is_int(look(theirs, &version), IDENTITY_SCHEMA_DAMAGED, "M1: what is no database");
}

/* What root makes belongs to the owner of its folder. */
static void test_owner(void)
{
    const char *inside = text("%s/owned", folder), *path = text("%s/owned/identity.db", folder);
    struct stat status;
    int from, to;

    if (geteuid() != 0)
        return;
    ok(mkdir(inside, 0700) == 0 && chown(inside, 65534, 65534) == 0, "M8: a folder of somebody else");
    is_str(migrate(path, &from, &to), NULL, "M8: root makes a database there");
    ok(stat(path, &status) == 0 && status.st_uid == 65534 && (status.st_mode & 07777) == 0600,
       "M8: it belongs to the owner of the folder");
}

int main(void)
{
    fixture_folder();
    test_fresh();
    test_tables();
    test_again();
    test_roles();
    test_refusals();
    test_mode();
    test_from_version_1();
    test_race();
    test_look();
    test_owner();
    return fixture_end();
}
