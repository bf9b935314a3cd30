/* SPDX-License-Identifier: Apache-2.0 */
/* Whose rights a transaction changes is written down by the transaction itself. (security 37) */
#include "store_fixture.h"

#include "src/store/db_int.h"

static identity_db_t *db;

/* ---- invalidation.def is complete ------------------------------------------------------------------------------- */

static const struct {
    identity_sql_t sql;
    const char *subject, *given;
} named[] = {
#define INVALIDATES(statement, subject)             {IDENTITY_SQL_##statement, #subject, NULL},
#define INVALIDATES_WITH(statement, subject, given) {IDENTITY_SQL_##statement, #subject, #given},
#define INVALIDATES_ALL(statement)                  {IDENTITY_SQL_##statement, NULL, NULL},
#define CREATES(statement, subject)                 {IDENTITY_SQL_##statement, #subject, NULL},
#define NO_EFFECT(statement, reason)                {IDENTITY_SQL_##statement, NULL, NULL},
#include "src/store/invalidation.def"
#undef INVALIDATES
#undef INVALIDATES_WITH
#undef INVALIDATES_ALL
#undef CREATES
#undef NO_EFFECT
};

#define NAMED ((int)(sizeof named / sizeof named[0]))

static const char *const marked[] = {
#define PARAM(name)     "%s:" #name ":"
#define SQL(name, text) text,
#include "src/store/sql.def"
#undef SQL
};

/* The column that the parameter at `at` is compared with, or that it becomes. */
static const char *column_at(const char *statement, const char *at)
{
    int number = 0;

    if (strncmp(statement, "INSERT INTO ", 12) == 0) {
        for (const char *before = strchr(statement, '%'); before < at; before = strchr(before + 1, '%'))
            number++;
        const char *column = strchr(statement, '(') + 1;
        while (number-- > 0)
            column = strchr(column, ',') + 2;
        return text("%.*s", (int)strcspn(column, ",)"), column);
    }
    const char *end = at - (strncmp(at - 3, " = ", 3) == 0 ? strlen(" = ") : strlen(" IN ('', ")), *start = end;
    while (start[-1] == '_' || (start[-1] >= 'a' && start[-1] <= 'z'))
        start--;
    return text("%.*s", (int)(end - start), start);
}

static void test_parameters(void)
{
    int looked = 0;

    for (int sql = 0; sql < IDENTITY_SQL_COUNT; sql++)
        for (const char *at = strstr(marked[sql], "%s:"); at; at = strstr(at + 1, "%s:")) {
            const char *name = text("%.*s", (int)strcspn(at + 3, ":"), at + 3), *column = column_at(marked[sql], at);
            if (strcmp(name, column) != 0)
                is_str(name, column, "%s: the parameter has the name of its column",
                       identity_sql_name((identity_sql_t)sql));
            looked++;
        }
    ok(looked > 35, "%d parameters are named as the columns that they are compared with or become", looked);
    for (int i = 0; i < NAMED; i++)
        if ((named[i].subject && db_parameter(named[i].sql, named[i].subject) < 0) ||
            (named[i].given && db_parameter(named[i].sql, named[i].given) < 0))
            ok(false, "%s has the parameters that invalidation.def names", identity_sql_name(named[i].sql));
    is_int(db_parameter(IDENTITY_SQL_ENTITY_UPDATE, "reference"), -1, "what is not named is not found");
}

/* What a principal is made of. */
static const char *const tables[] = {
    "entities",     "accounts", "users",         "memberships",      "membership_roles", "teams",
    "team_members", "roles",    "role_children", "role_permissions", "api_keys",         "api_key_permissions",
    "sessions"};

static bool changes_one(const char *statement)
{
    static const char *const verbs[] = {"INSERT INTO ", "UPDATE ", "DELETE FROM "};

    for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++) {
        size_t length = strlen(verbs[v]);
        for (size_t t = 0; strncmp(statement, verbs[v], length) == 0 && t < sizeof tables / sizeof tables[0]; t++)
            if (strncmp(statement + length, tables[t], strlen(tables[t])) == 0 &&
                statement[length + strlen(tables[t])] == ' ')
                return true;
    }
    return false;
}

static void test_complete(void)
{
    int looked = 0;

    for (int sql = 0; sql < IDENTITY_SQL_COUNT; sql++) {
        bool stands = false, wanted = changes_one(identity_sql_text((identity_sql_t)sql));
        for (int i = 0; i < NAMED; i++) {
            stands = stands || named[i].sql == (identity_sql_t)sql;
        }
        looked += wanted;
        if (wanted != stands)
            ok(false, "%s %s in invalidation.def", identity_sql_name((identity_sql_t)sql),
               wanted ? "must stand" : "need not stand");
    }
    ok(looked > 40, "%d statements that change what somebody may do are all in invalidation.def", looked);
}

/* ---- what is written -------------------------------------------------------------------------------------------- */

static const char *written_since(apr_int64_t sequence)
{
    apr_array_header_t *list;
    const char *all = "";

    must(identity_changes_from(db, sequence + 1, 100, &list), "changes");
    for (int i = 0; i < list->nelts; i++)
        all = text("%s[%s]", all, APR_ARRAY_IDX(list, i, identity_change_row_t *)->subject_id);
    return all;
}

static apr_int64_t last(void)
{
    identity_change_row_t *row;
    return identity_change_last(db, &row) == IDENTITY_DB_OK ? row->sequence : 0;
}

static void test_transaction(const char *user)
{
    identity_user_row_t *row;
    apr_int64_t before = last();

    must(identity_user_by_id(db, user, &row), "user");
    is_int(identity_user_update(db, row), IDENTITY_DB_FAILED, "not outside a write transaction");
    identity_db_release(db);
    identity_db_use(db, pool);
    must(identity_db_begin(db, true), "begin");
    must(identity_user_update(db, row), "update");
    must(identity_sessions_end(db, user, NULL, 5), "no session ends");
    must(identity_user_update(db, row), "update");
    is_int(identity_db_invalidated(db)->nelts, 1, "each once");
    identity_db_rollback(db);
    is_str(written_since(before), "", "what is rolled back is not written");
    row->version -= 2;
    must(identity_db_begin(db, true), "begin");
    must(identity_user_update(db, row), "update");
    must(identity_db_commit(db), "commit");
    is_str(written_since(before), text("[%s]", user), "what is committed is");
    is_str(APR_ARRAY_IDX(identity_db_invalidated(db), 0, const char *), user, "... and told to who committed");
    must(identity_db_begin(db, true), "begin");
    is_int(identity_db_invalidated(db)->nelts, 0, "the next one begins empty");
    identity_db_rollback(db);
}

static void test_born(void)
{
    identity_user_row_t row = {.id = id("user", 900),
                               .entity_id = ENTITY,
                               .username = "born@example.org",
                               .canonical = "born@example.org",
                               .status = IDENTITY_USER_ACTIVE,
                               .version = 1};
    apr_int64_t before = last();

    must(identity_db_begin(db, true), "begin");
    must(identity_user_insert(db, &row), "insert");
    must(identity_user_update(db, &row), "update");
    must(identity_db_commit(db), "commit");
    is_str(written_since(before), "", "who was just made is nobody's memory");
}

static void test_purge(const char *user)
{
    identity_user_row_t *row;
    apr_int64_t old;
    int deleted;

    for (int i = 0; i < 5; i++) {
        must(identity_user_by_id(db, user, &row), "user");
        must(written(identity_user_update(db, row)), "update");
    }
    apr_int64_t newest = last();
    must(identity_changes_old(db, 1, &old), "old");
    is_int(old, 0, "none is that old");
    must(identity_changes_old(db, apr_time_now() + 10, &old), "old");
    is_int(old, 1, "some are");
    must(identity_changes_purge(db, apr_time_now() + 10, 2, &deleted), "purge");
    is_int(deleted, 2, "a few at a time # security 88");
    while (deleted)
        must(identity_changes_purge(db, apr_time_now() + 10, 2, &deleted), "purge");
    is_int(last(), newest, "the last one stays");
    must(identity_user_by_id(db, user, &row), "user");
    must(written(identity_user_update(db, row)), "update");
    is_int(last(), newest + 1, "so that no number comes twice");
}

int main(void)
{
    db = fixture_begin();
    test_complete();
    test_parameters();
    const char *user = add_user(db, ENTITY, 1, "ada@example.org", IDENTITY_USER_ACTIVE)->id;
    test_transaction(user);
    test_born();
    test_purge(user);
    return fixture_end();
}
