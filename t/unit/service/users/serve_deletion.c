/* SPDX-License-Identifier: Apache-2.0 */
/* M5: a deleted user is gone at once, can be restored for a while, and then leaves nothing but a pseudonym.
 * route delete_user restore_user */
#include "serve.h"

#define WEEK (7 * 86400)

static const char *ada_id, *ada, *zoe_id, *zoe;

static door_answer_t end(const char *user, const char *credential)
{
    return door_call(door, "DELETE", text("/v1/users/%s", user), credential, NULL);
}

static door_answer_t restore(const char *user, const char *credential)
{
    return post(text("/v1/users/%s/restore", user), credential, NULL);
}

static void purge_all(void)
{
    for (int i = 0; i < 200 && identity_purge(door->pool, &door->env) > 0; i++)
        continue;
}

/* In which tables and columns something can be read, "" for nowhere. */
static const char *found_in(const char *what)
{
    char *columns = apr_pstrdup(door->pool, rows("SELECT m.name || '.' || c.name FROM sqlite_master m JOIN "
                                                 "pragma_table_info(m.name) c WHERE m.type = 'table'"));
    const char *found = "";
    char *rest;

    for (char *column = apr_strtok(columns, " ", &rest); column; column = apr_strtok(NULL, " ", &rest)) {
        const char *name = strchr(column, '.') + 1,
                   *table = apr_pstrndup(door->pool, column, (apr_size_t)(name - column - 1));
        /* What other processes must forget is kept for ten minutes. */
        if (strcmp(table, "changes") != 0 &&
            count(text("SELECT COUNT(*) FROM %s WHERE instr(lower(COALESCE(%s, '')), lower('%s')) > 0", table, name,
                       what)))
            found = text("%s %s", found, column);
    }
    return found;
}

static const char *last_audit(void)
{
    return rows("SELECT action, target_resource_type, target_id, COALESCE(target_platform_id, '-') FROM audit_records "
                "ORDER BY id DESC LIMIT 1");
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void test_refusals(void)
{
    const char *before;

    person_with("clerk@example.org", "USER", named("User Administrator"));
    const char *clerk = login("clerk@example.org");
    const char *idle = door_person(door, "idle@example.org", PASSWORD, "[]");
    before = state();
    refused(end(zoe_id, NULL), 401, "UNAUTHORISED", "", "M5: without a credential");
    refused(end(zoe_id, door->read_key), 403, "USER_NOT_ALLOWED", "", "M5: without the permission");
    refused(end(zoe_id, zoe), 403, "USER_NOT_ALLOWED", "", "M5: oneself without the permission");
    refused(end(zoe_id, door->other_key), 404, "USER_NOT_FOUND", "", "M5: of another entity # security 60");
    refused(end("user_00000000000000000000", door->key), 404, "USER_NOT_FOUND", "", "M5: nobody");
    refused(end(ada_id, clerk), 403, "USER_NOT_ALLOWED", "", "M5: not upward # security 62");
    refused(end(idle, clerk), 403, "USER_NOT_ALLOWED", "", "M5: who holds nothing takes everything # security 62");
    refused(end(ada_id, door->key), 409, "INVALID_OPERATION", "", "security 63: M5: not the last administrator");
    refused(end(ada_id, ada), 409, "INVALID_OPERATION", "", "security 63: M5: nor by oneself");
    refused(restore(zoe_id, NULL), 401, "UNAUTHORISED", "", "M5: restore without a credential");
    refused(restore(zoe_id, door->read_key), 403, "USER_NOT_ALLOWED", "", "M5: restore without the permission");
    refused(restore(zoe_id, door->other_key), 404, "USER_NOT_FOUND", "", "M5: restore of another entity # security 60");
    refused(restore(zoe_id, door->key), 409, "INVALID_OPERATION", "", "M5: there is nothing to restore");
    is_str(state(), before, "... none of it changed a row");
}

/* ---- deleted ---------------------------------------------------------------------------------------------------- */

static void test_deletion(void)
{
    const char *memberships =
        json_at(&(door_answer_t){.json = get(text("/v1/users/%s", zoe_id), door->key).json}, "account_memberships");
    const char *refresh = NULL, *team = serve_team("Night");

    post(text("/v1/users/%s/teams", zoe_id), door->key, text("{\"team_id\":\"%s\"}", team));
    zoe = door_login(door, "zoe@example.org", PASSWORD, &refresh);
    accepted(get(text("/v1/users/%s", zoe_id), zoe), 200, "(signed in)");
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"zoe@example.org\"}");
    const char *token = door_mailed_token(door, "zoe@example.org");

    door_answer_t answer = end(zoe_id, door->key);
    accepted(answer, 200, "M5: DELETE of a user");
    is_str(door_text(&answer, "status"), "INACTIVE", "M5: INACTIVE");
    is_str(door_text(&answer, "deleted_at"), identity_time_format(door->pool, door->now), "M5: with deleted_at");
    ok(strstr(members_at(&answer, ""), "team_memberships,deleted_at"), "M5: ... after the published members");
    is_str(json_at(&answer, "account_memberships"), memberships, "its memberships are shown as they were");
    is_str(answer.text, get(text("/v1/users/%s", zoe_id), door->key).text, "M5: it is still there");
    answer = get("/v1/users?username=zoe@example.org", door->key);
    is_int(size_at(&answer, "data"), 1, "M5: and listed");
    is_str(rows(text("SELECT target_id, target_platform_id FROM audit_records WHERE action = 'DELETE' AND "
                     "target_resource_type = 'USER'")),
           text("%s|%s", zoe_id, door->account_id), "M5: on record in its account # security 82");
    ok(strstr(rows("SELECT d.changes FROM audit_details d JOIN audit_records r ON r.id = d.record_id WHERE r.action = "
                   "'DELETE' AND r.target_resource_type = 'USER'"),
              "{\"field\":\"status\",\"from\":\"ACTIVE\",\"to\":\"INACTIVE\"}"),
       "M5: with what changed");
    is_str(rows(text("SELECT kind, recipient FROM outbox WHERE user_id = '%s' AND state = 'queued'", zoe_id)),
           "deleted|zoe@example.org", "M5: the person is told, and nothing else is on its way");

    refused(get(text("/v1/users/%s", zoe_id), zoe), 401, "UNAUTHORISED", "", "M5: sessions are over # security 37");
    is_int(count(text("SELECT COUNT(*) FROM sessions WHERE user_id = '%s' AND ended_at = 0", zoe_id)), 0, "... all");
    ok(!door_login(door, "zoe@example.org", PASSWORD, NULL), "M5: nobody signs in");
    refused(post("/v1/oauth/reset-password", NULL,
                 text("{\"token\":\"%s\",\"new_password\":\"Another1horse\"}", token ? token : "")),
            400, "INVALID_FIELD", "token", "M5: open links are dead");

    const char *before = state(), *path = text("/v1/users/%s", zoe_id);
    refused(end(zoe_id, door->key), 409, "INVALID_OPERATION", "", "M5: deleted once");
    refused(patch(path, door->key, "{\"status\":\"ACTIVE\"}"), 409, "INVALID_OPERATION", "", "M5: not made ACTIVE");
    refused(patch(path, door->key, "{\"username\":\"new@example.org\"}"), 409, "INVALID_OPERATION", "",
            "M5: nor renamed");
    refused(post(text("%s/memberships", path), door->key, member(door->second_account_id, "USER", "")), 409,
            "INVALID_OPERATION", "", "M5: nor given a membership");
    refused(post(text("%s/teams", path), door->key, text("{\"team_id\":\"%s\"}", serve_team("Other"))), 409,
            "INVALID_OPERATION", "", "M5: nor a team");
    answer = post("/v1/users", door->key, "{\"username\":\"ZOE@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "M5: its name is held");
    ok(strstr(door_text(&answer, "message"), "deleted"), "M5: 409 says so: %s", door_text(&answer, "message"));
    answer = post("/v1/users/invite", door->key, "{\"username\":\"zoe@example.org\"}");
    refused(answer, 409, "INVALID_OPERATION", "username", "M5: nor is it invited");
    ok(strstr(door_text(&answer, "message"), "restored"), "M5: ... which says so");
    change("DELETE FROM teams WHERE name = 'Other'");
    is_str(state(), before, "... none of it changed a row");
}

static void test_restoration(void)
{
    pass(WEEK - 60);
    purge_all();
    door_answer_t answer = restore(zoe_id, door->key);
    accepted(answer, 200, "M5: restored within the time");
    is_str(door_text(&answer, "status"), "INACTIVE", "M5: INACTIVE");
    ok(!json_at(&answer, "deleted_at"), "M5: without deleted_at");
    is_int(size_at(&answer, "account_memberships"), 1, "M5: with its memberships");
    is_str(last_audit(), text("RESTORE|USER|%s|%s", zoe_id, door->account_id), "M5: on record # security 82");
    refused(restore(zoe_id, door->key), 409, "INVALID_OPERATION", "", "M5: once");
    pass(WEEK);
    purge_all();
    is_int(get(text("/v1/users/%s", zoe_id), door->key).status, 200, "M5: the purge leaves it alone");
    accepted(door_call(door, "DELETE", text("/v1/teams/%s", rows("SELECT id FROM teams WHERE name = 'Night'")),
                       door->key, NULL),
             200, "(the team goes)");
    accepted(patch(text("/v1/users/%s", zoe_id), door->key, "{\"status\":\"ACTIVE\"}"), 200, "M5: and made ACTIVE");
    ok(door_login(door, "zoe@example.org", PASSWORD, NULL), "M5: signs in as before");
}

/* ---- invited ---------------------------------------------------------------------------------------------------- */

static void test_invited(void)
{
    is_int(post("/v1/users/invite", door->key, "{\"username\":\"ivy@example.org\"}").status, 200,
           "(somebody is invited)");
    const char *id = rows("SELECT id FROM users WHERE canonical = 'ivy@example.org'"),
               *token = door_mailed_token(door, "ivy@example.org");

    accepted(end(id, door->key), 200, "M5: who was only invited");
    refused(post("/v1/oauth/activate-user", NULL,
                 text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token ? token : "")),
            400, "INVALID_FIELD", "token", "M5: the invitation is over");
    is_str(rows(text("SELECT state FROM invitations WHERE user_id = '%s'", id)), "revoked", "... and revoked");
}

/* ---- erased ----------------------------------------------------------------------------------------------------- */

/* What somebody leaves everywhere: records, sessions, an answer under a key, invitations, a key, a link to a provider.
 */
static void leave_traces(void)
{
    identity_headers_t headers = {.api_key = NULL, .user_agent = "ZoeAgent/1", .content_type = "application/json"};

    for (int i = 0; i < 3; i++)
        call_with("POST", "/v1/oauth/token", headers, true, false,
                  "{\"username\":\"zoe@example.org\",\"password\":\"" PASSWORD "\"}");
    call_with("POST", "/v1/oauth/token", headers, true, false,
              "{\"username\":\"zoe@example.org\",\"password\":\"Wrong1horse\"}");
    change(text("INSERT INTO provider_links (issuer, subject, user_id, created_at) VALUES ('https://op.example', "
                "'zoe-at-op', '%s', 1)",
                zoe_id));
    accepted(patch(text("/v1/users/%s/memberships/%s", zoe_id,
                        rows(text("SELECT id FROM memberships WHERE user_id = '%s'", zoe_id))),
                   door->key, "{\"type\":\"ADMIN\"}"),
             200, "(zoe becomes an administrator)");
    zoe = login("zoe@example.org");
    door->idempotency_key = "zoe's";
    is_int(post("/v1/users/invite", zoe, "{\"username\":\"guest@example.org\"}").status, 200, "(zoe invites)");
    door->idempotency_key = NULL;
    accepted(post("/v1/api-keys", door->key, "{\"description\":\"CI\"}"), 201, "(a key)");
    change(text("UPDATE api_keys SET created_by = '%s' WHERE description = 'CI'", zoe_id));
    accepted(patch(text("/v1/users/%s", zoe_id), ada, "{\"username\":\"zoe.two@example.org\"}"), 200,
             "(zoe is renamed)");
    accepted(patch(text("/v1/users/%s", zoe_id), door->key, "{\"login\":\"ZoeLogin\"}"), 200, "(zoe has a login)");
    change(
        text("UPDATE audit_records SET message = 'Changed: username from zoe@example.org' WHERE target_id = '%s' AND "
             "action = 'UPDATE'",
             zoe_id));
    for (int i = 0; i < 250; i++)
        change(text(
            "INSERT INTO audit_records (id, entity_id, user_id, target_entity_id, target_resource_type, target_id, "
            "action, message, client_address, created_at) VALUES ('audi_trace%015d', '%s', '%s', '%s', 'ROLE', "
            "'x', 'TRACE', '', '', %" APR_TIME_T_FMT ")",
            i, door->entity_id, zoe_id, door->entity_id, door->now));
}

static void test_erasure(void)
{
    leave_traces();
    const char *acted = rows(text("SELECT COUNT(*) FROM audit_records WHERE user_id = '%s'", zoe_id)),
               *targets = rows(text("SELECT COUNT(*) FROM audit_records WHERE target_id = '%s'", zoe_id));
    ok(*found_in("zoe@example.org") && *found_in("ZoeAgent") && *found_in(zoe_id), "(there are traces:%s)",
       found_in("zoe@example.org"));
    accepted(end(zoe_id, ada), 200, "(deleted)");
    pass(WEEK - 1);
    purge_all();
    is_int(get(text("/v1/users/%s", zoe_id), door->key).status, 200, "M5: nothing is erased before its time");
    pass(2);
    refused(restore(zoe_id, door->key), 409, "INVALID_OPERATION", "", "M5: nor restored after it");
    is_int(identity_purge(door->pool, &door->env) > 0, 1, "a first batch");
    purge_all();
    refused(get(text("/v1/users/%s", zoe_id), door->key), 404, "USER_NOT_FOUND", "", "M5: the user is gone");
    refused(restore(zoe_id, door->key), 404, "USER_NOT_FOUND", "", "M5: for good");
    is_str(found_in("zoe@example.org"), "", "security 89: M5: its names stand in no table");
    is_str(found_in("zoe.two@example.org"), "", "security 89: M5: nor the later one");
    is_str(found_in("ZoeLogin"), "", "M19: nor its login");
    is_str(found_in("ZoeAgent"), "", "security 89: M5: nor its user agent");
    is_str(found_in(zoe_id), "", "security 89: M5: nor its id");
    is_str(found_in("zoe-at-op"), "", "security 89: M5: nor who it is at a provider");

    const char *pseudonym = rows("SELECT target_id FROM audit_records WHERE action = 'ERASE' ORDER BY id DESC LIMIT 1");
    ok(identity_id_valid(pseudonym, "user") && strcmp(pseudonym, zoe_id) != 0, "security 89: a pseudonym: %s",
       pseudonym);
    is_int(count(text("SELECT COUNT(*) FROM audit_records WHERE user_id = '%s'", pseudonym)), strtoll(acted, NULL, 10),
           "security 89: what it did is still there, of one pseudonym");
    ok(count(text("SELECT COUNT(*) FROM audit_records WHERE target_id = '%s'", pseudonym)) > strtoll(targets, NULL, 10),
       "security 89: so is what was done to it");
    is_str(rows("SELECT DISTINCT created_by FROM api_keys WHERE description = 'CI'"), pseudonym,
           "security 89: and who made a key");
    door_answer_t answer = get(text("/v1/audit-records?user_id=%s&limit=1", pseudonym), door->key);
    is_int(size_at(&answer, "data"), 1, "security 89: records are found by it");
    accepted(post("/v1/users", door->key, "{\"username\":\"zoe@example.org\",\"password\":\"" PASSWORD "\"}"), 201,
             "M5: its name is free");
    is_str(rows("PRAGMA integrity_check"), "ok", "the file is sound");
}

/* Another key, another pseudonym: it is not made of the id alone. */
static void test_keyed(void)
{
    const char *id = door_person(door, "kim@example.org", PASSWORD, "[]"), *plain[2];

    accepted(end(id, door->key), 200, "(deleted)");
    plain[0] = identity_id_of_name(door->pool, "user", id);
    plain[1] = identity_id_of_name(door->pool, "user", identity_sha256_hex(door->pool, id, strlen(id)));
    door->settings.retention.deleted = 0;
    purge_all();
    is_int(count(text("SELECT COUNT(*) FROM users WHERE id = '%s'", id)), 0,
           "M5: IdentityDeleteAfter 0 erases at once");
    const char *pseudonym = rows("SELECT target_id FROM audit_records WHERE action = 'ERASE' ORDER BY id DESC LIMIT 1");
    ok(strcmp(pseudonym, plain[0]) != 0 && strcmp(pseudonym, plain[1]) != 0, "security 89: the pseudonym is keyed");
}

int main(void)
{
    serve_begin();
    get("/v1/teams", door->read_key); /* writes the last use of the keys */
    get("/v1/teams", door->other_key);
    ada_id = person_with("ada@example.org", "ADMIN", "");
    zoe_id = person_with("zoe@example.org", "USER", named("Quote Viewer"));
    ada = login("ada@example.org");
    zoe = login("zoe@example.org");
    test_refusals();
    test_deletion();
    test_restoration();
    ada = login("ada@example.org");
    test_invited();
    test_erasure();
    test_keyed();
    return serve_end();
}
