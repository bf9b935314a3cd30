/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sites: which tables belong to one, in an order in which they can be read back, page by page. */
#include "store_fixture.h"

static identity_db_t *db;
static apr_array_header_t *tables;

static const identity_site_table_t *table_of(const char *name)
{
    for (int i = 0; i < tables->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(tables, i, identity_site_table_t *)->name, name) == 0)
            return APR_ARRAY_IDX(tables, i, identity_site_table_t *);
    return NULL;
}

/* Whoever makes a table finds it exported, unless it is named in site.c as one that passes. */
static void test_tables(void)
{
    static const char *const passing[] = {"schema_version", "sessions", "refresh_tokens", "sso_states",   "outbox",
                                          "idempotency",    "changes",  "settings",       "client_grants"};
    apr_array_header_t *names, *parents;

    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        ok(!table_of(passing[i]), "%s is left out", passing[i]);
        is_str(sql_value(db, text("SELECT COUNT(*) FROM sqlite_master WHERE name = '%s'", passing[i])), "1",
               "and there is such a table");
    }
    must(db_plain_list(db, "test", "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                       &names),
         "names");
    is_int(tables->nelts, names->nelts - (int)(sizeof passing / sizeof passing[0]), "all others belong to a site");
    for (int i = 0; i < tables->nelts; i++) {
        const identity_site_table_t *table = APR_ARRAY_IDX(tables, i, const identity_site_table_t *);
        bool before = true;
        must(db_plain_list(db, "test", text("SELECT \"table\" FROM pragma_foreign_key_list('%s')", table->name),
                           &parents),
             "references");
        for (int p = 0; p < parents->nelts; p++) {
            int at = 0;
            while (at <= i && strcmp(APR_ARRAY_IDX(tables, at, identity_site_table_t *)->name,
                                     APR_ARRAY_IDX(parents, p, const char *)) != 0)
                at++;
            before = before && at <= i;
        }
        ok(before, "%s refers to what comes before it", table->name);
        ok(table->columns->nelts <= IDENTITY_SITE_COLUMNS, "and has %d columns", table->columns->nelts);
    }
}

/* All rows of a table in pages of one. */
static apr_array_header_t *rows_of(const char *name)
{
    const identity_site_line_t *after = NULL;
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(const char *)), *lines;

    do {
        must(identity_site_page(db, table_of(name), after, 1, &lines), name);
        for (int i = 0; i < lines->nelts; i++) {
            after = APR_ARRAY_IDX(lines, i, const identity_site_line_t *);
            APR_ARRAY_PUSH(all, const char *) = after->text;
        }
    } while (lines->nelts == 1 && all->nelts < 100);
    return all;
}

static void account(int number, int parent)
{
    sql(db,
        text("INSERT INTO accounts (id, entity_id, reference, account_type_code, environment, parent_id, created_at) "
             "VALUES ('%s', '%s', 'a%d', 'PLATFORM', 'LIVE', %s, 1)",
             id("plat", number), ENTITY, number, parent ? text("'%s'", id("plat", parent)) : "NULL"));
}

static void test_rows(void)
{
    apr_array_header_t *rows;
    const char *order = "", *rule = NULL, *found = NULL;
    const char *values[] = {id("role", 77), "-1", "x"};

    sql(db, text("UPDATE entities SET reference = 'one', name = 'On\"e', created_at = 1 WHERE id = '%s'", ENTITY));
    rows = rows_of("entities");
    is_str(APR_ARRAY_IDX(rows, 0, const char *),
           text("{\"table\":\"entities\",\"id\":\"%s\",\"reference\":\"one\",\"name\":\"On\\\"e\",\"created_at\":1,"
                "\"expires_at\":0}",
                ENTITY),
           "as a line");
    account(3, 0);
    account(2, 3);
    account(1, 2);
    account(4, 0);
    rows = rows_of("accounts");
    for (int i = 0; i < rows->nelts; i++)
        order = text("%s %.1s", order, strstr(APR_ARRAY_IDX(rows, i, const char *), "\"reference\":\"a") + 14);
    is_str(order, " 3 4 2 1", "accounts stand behind those above them, whatever their ids");
    is_int(rows_of("roles")->nelts, 0, "roles that are built in are in every database");
    sql(db, text("INSERT INTO roles (id, entity_id, name, canonical, slug, description, created_at, version) VALUES "
                 "('%s', '%s', 'R', 'r', 'r', '', 1, 1)",
                 id("role", 77), ENTITY));
    for (int i = 0; i < 12; i++)
        sql(db, text("INSERT INTO role_children (role_id, position, child_id) VALUES ('%s', %d, '%s')", id("role", 77),
                     i, id("role", 2)));
    rows = rows_of("role_children");
    is_int(rows->nelts, 12, "rows of two keys, page by page");
    ok(strstr(APR_ARRAY_IDX(rows, 11, const char *), "\"position\":11,"), "in the order of numbers");

    /* Whoever breaks a rule breaks nothing else. */
    must(identity_db_begin(db, true), "begin");
    is_int((int)identity_site_insert(db, table_of("role_children"), values, &rule), IDENTITY_DB_CONFLICT, "refused");
    is_str(rule, "FOREIGN KEY constraint failed", "with the rule");
    values[2] = id("role", 2);
    is_int((int)identity_site_insert(db, table_of("role_children"), values, &rule), IDENTITY_DB_OK,
           "and the next goes on");
    is_int((int)identity_site_insert(db, table_of("role_children"), values, &rule), IDENTITY_DB_CONFLICT,
           "but not twice");
    is_int((int)identity_site_find(db, table_of("role_children"), values, &found), IDENTITY_DB_OK, "it is found");
    ok(found && strstr(found, "\"position\":-1,"), "as a number: %s", found);
    must(identity_db_commit(db), "commit");
    is_int((int)identity_site_insert(db, table_of("role_children"), values, &rule), IDENTITY_DB_FAILED,
           "nothing is written outside of a transaction");
}

int main(void)
{
    db = fixture_begin();
    must(identity_site_tables(db, &tables), "the tables of a site");
    test_tables();
    test_rows();
    return fixture_end();
}
