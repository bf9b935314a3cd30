/* SPDX-License-Identifier: Apache-2.0 */
/* User names of a database of version 2: brought into their canonical forms, looked up, and listed by `check`. */
#include "store_fixture.h"

static identity_db_t *db;
static int number;

/* As version 2 wrote it: ASCII letters in lower case were its whole canonical form. */
static const char *old_user(const char *entity, const char *name, const char *status, bool verified)
{
    const char *key = identity_username_old_form(pool, name), *user = id("user", ++number);

    sql(db,
        text("INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, updated_at, "
             "verified_at, version) VALUES ('%s', '%s', '%s', '%s', '%s', '%s', %d, %d, 1, %d, 1)",
             user, entity, name, key, identity_username_domain(key), status, strcmp(status, "ACTIVE") == 0, number,
             verified));
    sql(db,
        text("INSERT INTO invitations (id, entity_id, user_id, email, state, invited_by, adds, created_at, "
             "modified_at, expires_at, canonical) VALUES ('%d', '%s', '%s', '%s', 'accepted', '', 0, 1, 1, 1, '%s')",
             number, entity, user, name, key));
    return user;
}

static const char *stored(const char *user)
{
    return sql_value(db,
                     text("SELECT canonical || '|' || COALESCE(held_name, '-') || '|' || COALESCE(old_name, '-') || "
                          "'|' || domain FROM users WHERE id = '%s'",
                          user));
}

static const char *found(const char *name)
{
    identity_user_row_t *row;
    identity_db_status_t status = identity_user_by_name(db, name, &row);
    return status == IDENTITY_DB_OK ? row->id : status == IDENTITY_DB_NONE ? "nobody" : "a fault";
}

static const char *plain, *upper, *lower, *late, *proved, *idn, *dotted, *list, *asked_a, *asked_b, *sharp, *composed;

static void fill(void)
{
    for (int i = 1; i <= 2; i++)
        sql(db, text("INSERT INTO entities (id, reference, name, created_at) VALUES ('%s', 'e%d', 'e', 1)",
                     i == 1 ? ENTITY : OTHER, i));
    plain = old_user(ENTITY, "Ada@Example.org", "ACTIVE", false);
    upper = old_user(ENTITY, "\xc3\x84@x.example", "ACTIVE", false);
    lower = old_user(OTHER, "\xc3\xa4@x.example", "ACTIVE", false);
    late = old_user(ENTITY, "\xc3\x96@x.example", "ACTIVE", false);
    proved = old_user(OTHER, "\xc3\xb6@x.example", "INACTIVE", true);
    idn = old_user(ENTITY,
                   "Bob@B\xc3\xbc"
                   "cher.example",
                   "ACTIVE", false);
    dotted = old_user(ENTITY, "eve@x.example.", "ACTIVE", false);
    list = old_user(ENTITY, "x@y.z, Other@y.z", "ACTIVE", false);
    asked_a = old_user(ENTITY, "\xc3\x9c@x.example", "INVITED", false);
    asked_b = old_user(OTHER, "\xc3\xbc@x.example", "INVITED", false);
    sharp = old_user(ENTITY,
                     "Stra\xc3\x9f"
                     "e@x.example",
                     "ACTIVE", true);
    composed = old_user(ENTITY, "e\xcc\x81@x.example", "ACTIVE", false);
    for (int i = 0; i < 1200; i++)
        old_user(i % 2 ? ENTITY : OTHER,
                 text("many%d@B\xc3\x9c"
                      "cher.example",
                      i),
                 "ACTIVE", false);
    sql(db,
        text("INSERT INTO sessions (id, entity_id, user_id, method, client_address, user_agent, created_at, "
             "authenticated_at, idle_expires_at, expires_at) VALUES ('s', '%s', '%s', 'password', '', '', 77, 1, 1, 1)",
             ENTITY, plain));
}

static void test_forms(void)
{
    is_str(stored(plain), "ada@example.org|ada@example.org|-|example.org", "a plain name stays");
    is_str(stored(idn), "bob@xn--bcher-kva.example|bob@xn--bcher-kva.example|-|xn--bcher-kva.example",
           "A15: an IDN gets its A-labels");
    is_str(found("Bob@B\xc3\xbc"
                 "cher.example"),
           idn, "... and signs in by its spelling");
    is_str(found("bob@xn--bcher-kva.example"), idn, "... and by its form");
    is_str(stored(upper), "\xc3\xa4@x.example|\xc3\xa4@x.example|-|x.example",
           "A15: of two that meet the older keeps the name");
    is_str(stored(lower),
           text("%s:\xc3\xa4@x.example|%s:\xc3\xa4@x.example|\xc3\xa4@x.example|x.example", lower, lower),
           "A15: ... the other what it was compared by");
    is_str(found("\xc3\x84@x.example"), upper, "A15: the older signs in by its spelling");
    is_str(found("\xc3\xa4@X.example"), lower, "A15: ... the other by its own, until renamed");
    is_str(stored(proved), "\xc3\xb6@x.example|\xc3\xb6@x.example|-|x.example",
           "A15: a proved one goes before an older one");
    is_str(found("\xc3\x96@x.example"), late, "A15: ... who signs in by its old spelling");
    is_str(found("\xc3\xb6@x.example"), proved, "... and the proved one by its own");
    is_str(stored(asked_a), "\xc3\xbc@x.example|-|-|x.example", "A8: people invited by two entities");
    is_str(stored(asked_b), "\xc3\xbc@x.example|-|-|x.example", "A8: ... stand beside each other");
    is_str(found("\xc3\xbc@x.example"), "nobody", "A8: ... and neither signs in");
    is_str(stored(dotted), "eve@x.example.|eve@x.example.|eve@x.example.|x.example.",
           "A15: a name that the rule refuses stays as it is");
    is_str(found("Eve@X.example."), dotted, "A15: ... and signs in");
    is_str(found("eve@x.example"), "nobody", "... by no other spelling");
    is_str(found("X@y.z, other@y.z"), list, "A15: a list signs in, too");
    is_str(found("stra\xc3\x9f"
                 "e@x.example"),
           sharp, "A15: so does a name that folds in two ways");
    is_str(found("e\xcc\x81@x.example"), composed, "A15: and one that is not NFC");
    is_str(sql_value(db,
                     "SELECT COUNT(*) FROM users WHERE canonical LIKE 'many%@xn--bcher-kva.example' AND held_name = "
                     "canonical AND old_name IS NULL"),
           "1200", "more than a batch of them");
    is_str(sql_value(db, "SELECT COUNT(*) FROM invitations WHERE canonical LIKE 'many%@xn--bcher-kva.example'"), "1200",
           "invitations are looked up by the form, too");
    is_str(sql_value(db, text("SELECT group_concat(signed_in_at) FROM users WHERE id IN ('%s', '%s')", plain, upper)),
           "77,0", "A8: who has signed in before is known");
}

static const char *digest_of(const char *query)
{
    const char *value = sql_value(db, query);
    return identity_sha256_hex(pool, value, strlen(value));
}

static void test_again(void)
{
    const char *all =
                   "SELECT group_concat(id || canonical || COALESCE(held_name, '-') || COALESCE(old_name, '-')) FROM "
                   "(SELECT * FROM users ORDER BY id)",
               *before = digest_of(all);

    is_int(written(db_migrate_names(db)), IDENTITY_DB_OK, "it can be run again");
    is_str(digest_of(all), before, "... and changes nothing then");
}

static const char *noted(apr_array_header_t *lines, const char *user)
{
    for (int i = 0; i < lines->nelts; i++)
        if (strstr(APR_ARRAY_IDX(lines, i, const char *), text(" of %s (entity", user)))
            return APR_ARRAY_IDX(lines, i, const char *);
    return NULL;
}

static void test_check(void)
{
    apr_array_header_t *lines;

    must(identity_names_check(db, &lines), "check");
    is_int(lines->nelts, 6, "check lists six names");
    is_str(noted(lines, dotted),
           text("the name \"eve@x.example.\" of %s (entity " ENTITY ") is not a valid user name", dotted),
           "A15: check lists what the rule refuses");
    is_str(noted(lines, composed),
           text("the name \"e\\u0301@x.example\" of %s (entity " ENTITY ") is not a valid user name", composed),
           "A15: ... so that what cannot be seen is seen");
    is_str(noted(lines, lower),
           text("the name \"\\u00E4@x.example\" of %s (entity " OTHER ") means the same as \"\\u00C4@x.example\" of %s "
                "(entity " ENTITY ")",
                lower, upper),
           "A15: check lists names that now meet, with whom");
}

/* Nobody new comes between an old spelling and its user. */
/* Teams of version 2 may share a name; each keeps it, and is found by its canonical form. */
static void fill_teams(void)
{
    static const char *const names[] = {"Night Shift", "NIGHT SHIFT", "\xc3\x84rzte", "Day"};

    for (int i = 0; i < 4; i++)
        sql(db, text("INSERT INTO teams (id, entity_id, name, created_at) VALUES ('%s', '%s', '%s', %d)",
                     id("team", i + 1), ENTITY, names[i], i));
}

static void test_teams(void)
{
    identity_team_row_t team = {.id = id("team", 9), .entity_id = ENTITY, .name = "\xc3\xa4RZTE", .created_at = 9};
    apr_array_header_t *lines = apr_array_make(pool, 4, sizeof(const char *));

    is_str(sql_value(db, "SELECT GROUP_CONCAT(canonical, '|') FROM (SELECT canonical FROM teams ORDER BY id)"),
           "night shift|night shift|\xc3\xa4rzte|day",
           "M3: teams of version 2 get the form that names are compared by");
    is_int(identity_team_names_check(db, &lines), IDENTITY_DB_OK, "check");
    is_int(lines->nelts, 2, "M3: check lists both of a name");
    ok(strstr(APR_ARRAY_IDX(lines, 1, const char *), "\"NIGHT SHIFT\""), "... as they are spelled");
    is_int(written(identity_team_insert(db, &team)), IDENTITY_DB_CONFLICT, "M3: a new one meets an old one");
    is_int(written(db_migrate_team_names(db)), IDENTITY_DB_OK, "it can be run again");
}

static void test_claims(void)
{
    identity_user_row_t *lost, *holder, claim = {.id = id("user", 999999), .entity_id = OTHER};

    must(identity_user_get(db, ENTITY, upper, &lost), "get");
    lost->username = lost->canonical = "else@x.example";
    is_int(written(identity_user_update(db, lost)), IDENTITY_DB_OK, "the holder is renamed");
    claim.username = claim.canonical = "\xc3\xa4@x.example";
    must(identity_user_holder(db, &claim, &holder), "holder");
    is_str(holder->id, lower, "A15: who signs in by an old spelling keeps others from it");
    must(identity_user_get(db, OTHER, lower, &lost), "get");
    lost->username = lost->canonical = "\xc3\xa4@x.example";
    is_int(written(identity_user_update(db, lost)), IDENTITY_DB_OK, "... and takes the name once it is free");
    is_str(stored(lower), "\xc3\xa4@x.example|\xc3\xa4@x.example|-|x.example", "... as anybody's");
    must(identity_user_get(db, ENTITY, sharp, &lost), "get");
    lost->password_hash = "x";
    is_int(written(identity_user_update(db, lost)), IDENTITY_DB_OK, "a new password");
    is_str(found("STRA\xc3\x9f"
                 "E@x.example"),
           sharp, "A15: ... leaves the old spelling as it is");
    lost->username = lost->canonical = "strasse@x.example";
    is_int(written(identity_user_update(db, lost)), IDENTITY_DB_OK, "a new name");
    is_str(found("stra\xc3\x9f"
                 "e@x.example"),
           "nobody", "A15: ... ends it");
    is_str(found("Strasse@x.example"), sharp, "... and signs in");
}

int main(void)
{
    int from, to;

    fixture_folder();
    const char *path = text("%s/two.db", folder);
    db = old_database(path, 2);
    identity_db_use(db, pool);
    fill();
    fill_teams();
    is_str(identity_schema_migrate(pool, "sqlite3", path, &from, &to), NULL,
           "a database of version 2 is brought up to date");
    is_int(from, 2, "from 2");
    test_forms();
    test_again();
    test_check();
    test_teams();
    test_claims();
    is_str(sql_value(db, "PRAGMA integrity_check"), "ok", "the file is sound");
    return fixture_end();
}
