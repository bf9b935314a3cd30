/* SPDX-License-Identifier: Apache-2.0 */
/* Entities, accounts, users, searches. */
#include "store_fixture.h"

static identity_db_t *db;

static void test_entities(void)
{
    identity_entity_row_t full = {"enti_00000000000000000003", "third", "Third & Co \xe2\x82\xac", NOW + 3, NOW + HOUR},
                          taken = full, *read;
    apr_array_header_t *rows;

    is_int(identity_entity_insert(db, &full), IDENTITY_DB_OK, "an entity is taken");
    taken.id = "enti_00000000000000000004";
    is_int(identity_entity_insert(db, &taken), IDENTITY_DB_CONFLICT, "another of its reference is not");
    is_int(identity_entity_find(db, full.id, &read), IDENTITY_DB_OK, "it is found by its id");
    is_str(read->id, full.id, "id");
    is_str(read->reference, full.reference, "reference");
    is_str(read->name, full.name, "name");
    ok(read->created_at == full.created_at && read->expires_at == full.expires_at, "times");
    is_int(identity_entity_find(db, "third", &read), IDENTITY_DB_OK, "and by its reference");
    is_str(read->id, full.id, "the same one");
    is_int(identity_entity_find(db, "fourth", &read), IDENTITY_DB_NONE, "an unknown one is NONE");
    taken.reference = full.id;
    must(identity_entity_insert(db, &taken), "an entity whose reference looks like an id");
    must(identity_entity_find(db, full.id, &read), "find");
    is_str(read->id, full.id, "an id goes before a reference");
    must(identity_entities_list(db, &rows), "list");
    is_int(rows->nelts, 4, "all are listed");
    is_str(APR_ARRAY_IDX(rows, 0, identity_entity_row_t *)->id, ENTITY, "the oldest first");
    is_str(APR_ARRAY_IDX(rows, 3, identity_entity_row_t *)->id, taken.id, "the newest last");
}

static void test_accounts(void)
{
    identity_account_row_t full = {id("plat", 2), ENTITY, "second", "CODE", "TEST", "group-7", id("plat", 1), NOW + 2},
                           bare = {id("plat", 1), ENTITY, "first", "", "LIVE", NULL, NULL, NOW + 1}, more, *read;
    apr_array_header_t *rows;

    must(identity_account_insert(db, &bare), "account");
    is_int(identity_account_insert(db, &full), IDENTITY_DB_OK, "an account with a parent");
    more = bare;
    more.id = id("plat", 3);
    is_int(identity_account_insert(db, &more), IDENTITY_DB_CONFLICT, "a reference is taken in its entity");
    more.entity_id = OTHER;
    is_int(identity_account_insert(db, &more), IDENTITY_DB_OK, "and free in another");
    is_int(identity_account_find(db, ENTITY, full.id, &read), IDENTITY_DB_OK, "found by id");
    is_str(read->id, full.id, "id");
    is_str(read->entity_id, ENTITY, "entity");
    is_str(read->reference, "second", "reference");
    is_str(read->account_type_code, "CODE", "type code");
    is_str(read->environment, "TEST", "environment");
    is_str(read->account_group_id, "group-7", "group");
    is_str(read->parent_id, bare.id, "parent");
    ok(read->created_at == NOW + 2, "time");
    is_int(identity_account_find(db, ENTITY, "first", &read), IDENTITY_DB_OK, "found by reference");
    is_str(read->id, bare.id, "the one of the entity");
    is_str(read->parent_id, NULL, "without a parent");
    is_str(read->account_group_id, NULL, "without a group");
    is_int(identity_account_find(db, OTHER, full.id, &read), IDENTITY_DB_NONE, "an account of another entity is NONE");
    must(identity_accounts_list(db, ENTITY, &rows), "list");
    is_int(rows->nelts, 2, "the entity's are listed");
    is_str(APR_ARRAY_IDX(rows, 0, identity_account_row_t *)->id, bare.id, "the oldest first");
    must(identity_accounts_list(db, "enti_x", &rows), "list");
    is_int(rows->nelts, 0, "an empty list is a list");
}

static identity_user_row_t full_user(void)
{
    return (identity_user_row_t){.id = id("user", 1),
                                 .entity_id = ENTITY,
                                 .username = "Ada@Example.org",
                                 .canonical = "ada@example.org",
                                 .status = IDENTITY_USER_ACTIVE,
                                 .password_hash = "$argon2id$v=19$m=19456,t=2,p=1$x$y",
                                 .created_at = NOW + 1,
                                 .updated_at = NOW + 2,
                                 .verified_at = NOW + 3,
                                 .password_changed_at = NOW + 4,
                                 .invite_expires_at = NOW + 5,
                                 .version = 6};
}

static void same_user(const identity_user_row_t *read, const identity_user_row_t *row, const char *how)
{
    is_str(read->id, row->id, "%s: id", how);
    is_str(read->entity_id, row->entity_id, "%s: entity", how);
    is_str(read->username, row->username, "%s: username", how);
    is_str(read->canonical, row->canonical, "%s: canonical", how);
    is_int(read->status, row->status, "%s: status", how);
    is_str(read->password_hash, row->password_hash, "%s: hash", how);
    ok(read->created_at == row->created_at && read->updated_at == row->updated_at &&
           read->verified_at == row->verified_at && read->password_changed_at == row->password_changed_at &&
           read->invite_expires_at == row->invite_expires_at,
       "%s: times", how);
    is_int(read->version, row->version, "%s: version", how);
}

static void test_users(void)
{
    identity_user_row_t row = full_user(), more = full_user(), *read;

    is_int(identity_user_insert(db, &row), IDENTITY_DB_OK, "a user is taken");
    more.id = id("user", 2);
    more.entity_id = OTHER;
    is_int(identity_user_insert(db, &more), IDENTITY_DB_CONFLICT, "a name is taken over all entities");
    must(identity_user_get(db, ENTITY, row.id, &read), "get");
    same_user(read, &row, "by id");
    must(identity_user_by_name(db, "ada@example.org", &read), "by name");
    same_user(read, &row, "by name");
    must(identity_user_by_id(db, row.id, &read), "by id alone");
    same_user(read, &row, "by id alone");
    is_int(identity_user_get(db, OTHER, row.id, &read), IDENTITY_DB_NONE, "a user of another entity is NONE");
    is_int(identity_user_by_name(db, "Ada@Example.ORG", &read), IDENTITY_DB_OK, "a name is looked up in any spelling");
    for (identity_user_status_t i = IDENTITY_USER_INVITED; i <= IDENTITY_USER_INACTIVE; i++) {
        read = add_user(db, ENTITY, 10 + (int)i, text("status-%d@a.b", i), i);
        must(identity_user_get(db, ENTITY, read->id, &read), "get");
        is_int(read->status, i, "%s comes back", identity_user_status_name(i));
        is_str(sql_value(db, text("SELECT active FROM users WHERE id = '%s'", read->id)),
               i == IDENTITY_USER_ACTIVE ? "1" : "0", "with its mark for lists");
    }
}

static void test_updates(void)
{
    identity_user_row_t *row, *stale;

    must(identity_user_get(db, ENTITY, id("user", 1), &row), "get");
    must(identity_user_get(db, ENTITY, id("user", 1), &stale), "get");
    row->username = "Ada@Work.Example";
    row->canonical = "ada@work.example";
    row->status = IDENTITY_USER_INACTIVE;
    row->password_hash = NULL;
    row->updated_at++;
    row->verified_at = 0;
    row->password_changed_at++;
    row->invite_expires_at = 0;
    is_int(written(identity_user_update(db, row)), IDENTITY_DB_OK, "a user is changed");
    is_int(row->version, 7, "the version moves on");
    identity_user_row_t *read;
    must(identity_user_get(db, ENTITY, row->id, &read), "get");
    same_user(read, row, "changed");
    is_str(sql_value(db, text("SELECT domain FROM users WHERE id = '%s'", row->id)), "work.example",
           "the domain goes with the name");
    is_int(written(identity_user_update(db, stale)), IDENTITY_DB_NONE, "who read before that changes nothing");
    is_int(stale->version, 6, "and is not moved on");
    must(identity_user_get(db, ENTITY, row->id, &read), "get");
    is_str(read->username, "Ada@Work.Example", "the first change stands");
    row->canonical = row->username = "status-0@a.b";
    is_int(written(identity_user_update(db, row)), IDENTITY_DB_CONFLICT, "the name of another is a conflict");
    is_int(row->version, 7, "which changes nothing");
    row->version = 3;
    row->canonical = row->username = "status-0@a.b";
    is_int(written(identity_user_update(db, row)), IDENTITY_DB_CONFLICT, "also where the version is wrong");
    row->id = id("user", 999);
    row->canonical = row->username = "nobody@a.b";
    is_int(written(identity_user_update(db, row)), IDENTITY_DB_NONE, "a user who is not there is NONE");

    is_int(identity_user_rehash(db, id("user", 10), "old", "new"), IDENTITY_DB_NONE, "no hash, no upgrade");
    sql(db, text("UPDATE users SET password_hash = 'old' WHERE id = '%s'", id("user", 10)));
    is_int(identity_user_rehash(db, id("user", 10), "older", "new"), IDENTITY_DB_NONE, "another hash, no upgrade");
    is_int(identity_user_rehash(db, id("user", 10), "old", "new"), IDENTITY_DB_OK, "this hash is upgraded");
    must(identity_user_get(db, ENTITY, id("user", 10), &read), "get");
    is_str(read->password_hash, "new", "to the new one");
}

/* ---- searches --------------------------------------------------------------------------------------------------- */

typedef struct search {
    const char *exact, *prefix, *domain, *only;
    apr_int64_t limit;
    const char *expected; /* names, joined by spaces */
} search_t;

static void test_search(void)
{
    static const char *const names[] = {"a@x.example",      "ab@x.example",         "abc@y.example", "b@x.example",
                                        "z@deep.x.example", "\xc3\xa9ve@y.example", "ab@y.example"};
    const search_t searches[] = {
        {.limit = 500,
         .expected = "a@x.example ab@x.example ab@y.example abc@y.example b@x.example z@deep.x.example "
                     "\xc3\xa9ve@y.example"},
        {.limit = 3, .expected = "a@x.example ab@x.example ab@y.example"},
        {.exact = "ab@x.example", .limit = 500, .expected = "ab@x.example"},
        {.exact = "ab@x.exampl", .limit = 500, .expected = ""},
        {.exact = "theirs@x.example", .limit = 500, .expected = ""},
        {.prefix = "ab", .limit = 500, .expected = "ab@x.example ab@y.example abc@y.example"},
        {.prefix = "ab", .limit = 2, .expected = "ab@x.example ab@y.example"},
        {.prefix = "abc@y.example", .limit = 500, .expected = "abc@y.example"},
        {.prefix = "q", .limit = 500, .expected = ""},
        {.prefix = "%", .limit = 500, .expected = ""},
        {.prefix = "\xc3\xa9", .limit = 500, .expected = "\xc3\xa9ve@y.example"},
        {.prefix = "", .limit = 2, .expected = "a@x.example ab@x.example"},
        {.domain = "x.example", .limit = 500, .expected = "a@x.example ab@x.example b@x.example"},
        {.domain = "x.example", .limit = 1, .expected = "a@x.example"},
        {.domain = "example", .limit = 500, .expected = ""},
        {.only = id("user", 101), .limit = 500, .expected = "ab@x.example"},
        {.only = id("user", 101), .exact = "ab@x.example", .limit = 500, .expected = "ab@x.example"},
        {.only = id("user", 101), .exact = "a@x.example", .limit = 500, .expected = ""},
        {.only = id("user", 101), .prefix = "a", .limit = 500, .expected = "ab@x.example"},
        {.only = id("user", 101), .prefix = "b", .limit = 500, .expected = ""},
        {.only = id("user", 101), .domain = "x.example", .limit = 500, .expected = "ab@x.example"},
        {.only = id("user", 101), .domain = "y.example", .limit = 500, .expected = ""},
        {.only = id("user", 200), .limit = 500, .expected = ""},
    };

    sql(db, "DELETE FROM users");
    for (int i = 0; i < 7; i++)
        add_user(db, ENTITY, 100 + i, names[i], IDENTITY_USER_ACTIVE);
    add_user(db, OTHER, 200, "theirs@x.example", IDENTITY_USER_ACTIVE);
    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++) {
        const search_t *search = &searches[i];
        const char *got = "";
        apr_array_header_t *rows;
        must(identity_users_search(db, ENTITY, search->exact, search->prefix, search->domain, search->only,
                                   search->limit, &rows),
             "search");
        for (int j = 0; j < rows->nelts; j++)
            got = text("%s%s%s", got, j ? " " : "", APR_ARRAY_IDX(rows, j, identity_user_row_t *)->username);
        is_str(got, search->expected, "search %d: exact %s prefix %s domain %s", (int)i,
               search->exact ? search->exact : "-", search->prefix ? search->prefix : "-",
               search->domain ? search->domain : "-");
    }
}

/* All of an entity goes with it: nothing is left that names it. */
static void test_deletion(void)
{
    sql(db, text("DELETE FROM entities WHERE id = '%s'", ENTITY));
    is_str(sql_value(db, "SELECT COUNT(*) FROM users"), "1", "users go with their entity");
    is_str(sql_value(db, "SELECT COUNT(*) FROM accounts"), "1", "accounts too");
}

int main(void)
{
    db = fixture_begin();
    test_entities();
    test_accounts();
    test_users();
    test_updates();
    test_search();
    test_deletion();
    return fixture_end();
}
