/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH /users/{id}: every transition, and who may make it. route update_user */
#include "serve.h"

static const char *ada_id, *bob_id, *dora_id, *ada, *bob;

static door_answer_t change_user(const char *id, const char *credential, const char *body)
{
    return patch(text("/v1/users/%s", id), credential, body);
}

static const char *column(const char *name, const char *id)
{
    return rows(text("SELECT %s FROM users WHERE id = '%s'", name, id));
}

static const char *last_audit(const char *columns)
{
    return rows(text("SELECT %s FROM audit_records ORDER BY id DESC LIMIT 1", columns));
}

/* ---- a client may send back what it got ------------------------------------------------------------------------- */

static void test_sent_back(void)
{
    const char *invited = rows("SELECT id FROM users WHERE canonical = 'invited@example.org'");
    const char *ids[] = {ada_id, bob_id, invited};
    const char *before = state();

    for (size_t i = 0; i < 3; i++) {
        door_answer_t got = get(text("/v1/users/%s", ids[i]), door->key);
        door_answer_t answer = change_user(ids[i], door->key, got.text);
        accepted(answer, 200, "what GET gave, sent back");
        is_str(answer.text, got.text, "... gives it again");
        answer = change_user(ids[i], door->key, "{}");
        is_str(answer.text, got.text, "... as an empty object does");
        answer =
            change_user(ids[i], door->key, "{\"status\":null,\"active\":null,\"username\":null,\"password\":null}");
        is_str(answer.text, got.text, "... and nulls");
    }
    door_answer_t answer = change_user(bob_id, bob, "{\"status\":\"ACTIVE\",\"active\":true}");
    accepted(answer, 200, "one's own, unchanged, needs no permission");
    is_str(state(), before, "none of it changed a row");
}

/* ---- status ----------------------------------------------------------------------------------------------------- */

typedef struct transition {
    const char *from, *body, *outcome, *to;
} transition_t;

/* The user's password is there or not; INVITED and INVITE_REVOKED have none. */
static void test_transitions(void)
{
    static const transition_t transitions[] = {
        {"ACTIVE", "{\"status\":\"INACTIVE\"}", "200", "INACTIVE"},
        {"ACTIVE", "{\"active\":false}", "200", "INACTIVE"},
        {"ACTIVE", "{\"status\":\"INACTIVE\",\"active\":true}", "200", "INACTIVE"},
        {"ACTIVE", "{\"status\":\"ACTIVE\",\"active\":false}", "200", "INACTIVE"},
        {"ACTIVE", "{\"status\":\"INACTIVE\",\"active\":false}", "200", "INACTIVE"},
        {"ACTIVE", "{\"status\":\"ACTIVE\",\"active\":true}", "200", "ACTIVE"},
        {"ACTIVE", "{\"status\":\"INVITED\"}", "409 INVALID_OPERATION status", "ACTIVE"},
        {"ACTIVE", "{\"status\":\"INVITE_REVOKED\"}", "409 INVALID_OPERATION status", "ACTIVE"},
        {"INACTIVE", "{\"status\":\"ACTIVE\"}", "200", "ACTIVE"},
        {"INACTIVE", "{\"active\":true}", "200", "ACTIVE"},
        {"INACTIVE", "{\"status\":\"INACTIVE\",\"active\":true}", "200", "ACTIVE"},
        {"INACTIVE", "{\"status\":\"ACTIVE\",\"active\":false}", "200", "ACTIVE"},
        {"INACTIVE", "{\"status\":\"INACTIVE\"}", "200", "INACTIVE"},
        {"INACTIVE", "{\"status\":\"INVITED\"}", "409 INVALID_OPERATION status", "INACTIVE"},
        {"INVITED", "{\"status\":\"ACTIVE\"}", "409 INVALID_OPERATION status", "INVITED"},
        {"INVITED", "{\"active\":true}", "409 INVALID_OPERATION active", "INVITED"},
        {"INVITED", "{\"status\":\"INACTIVE\",\"active\":true}", "400 INVALID_FIELD active", "INVITED"},
        {"INVITED", "{\"status\":\"INVITE_REVOKED\"}", "409 INVALID_OPERATION status", "INVITED"},
        {"INVITED", "{\"password\":\"" PASSWORD "\"}", "409 INVALID_OPERATION password", "INVITED"},
        {"INVITED", "{\"username\":\"other@example.org\"}", "409 INVALID_OPERATION username", "INVITED"},
        {"INVITED", "{\"status\":\"INACTIVE\"}", "200", "INACTIVE"},
        {"INVITE_REVOKED", "{\"status\":\"ACTIVE\"}", "409 INVALID_OPERATION status", "INVITE_REVOKED"},
        {"INVITE_REVOKED", "{\"status\":\"INVITED\"}", "409 INVALID_OPERATION status", "INVITE_REVOKED"},
        {"INVITE_REVOKED", "{\"password\":\"" PASSWORD "\"}", "409 INVALID_OPERATION password", "INVITE_REVOKED"},
        {"INVITE_REVOKED", "{\"status\":\"INACTIVE\"}", "200", "INACTIVE"},
    };
    const char *id = door_person(door, "moved@example.org", PASSWORD, "[]"), *hash = column("password_hash", id);

    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        const transition_t *t = &transitions[i];
        bool pending = strncmp(t->from, "INV", 3) == 0;
        change(text("UPDATE users SET status = '%s', active = %d, password_hash = %s WHERE id = '%s'", t->from,
                    strcmp(t->from, "ACTIVE") == 0, pending ? "NULL" : text("'%s'", hash), id));
        const char *before = state();
        door_answer_t answer = change_user(id, door->key, t->body);
        is_str(outcome_of(&answer), t->outcome, "%s: %s", t->from, t->body);
        is_str(column("status", id), t->to, "... is then %s", t->to);
        if (answer.status == 200)
            is_str(json_at(&answer, "active"), strcmp(t->to, "ACTIVE") == 0 ? "true" : "false", "... active too");
        if (strcmp(t->from, t->to) == 0)
            is_str(state(), before, "... and no row was changed");
        else
            is_str(last_audit("action, target_id, message"), text("UPDATE|%s|Changed: status", id),
                   "... and an audit record written # security 82");
    }
    change(text(
        "UPDATE users SET status = 'INACTIVE', active = 0, password_hash = NULL, verified_at = 0 WHERE id = '%s'", id));
    door_answer_t answer = change_user(id, door->key, "{\"status\":\"ACTIVE\"}");
    refused(answer, 409, "INVALID_OPERATION", "status", "nobody becomes active without ever having accepted");
    answer = change_user(id, door->key, "{\"status\":\"INVITE_REVOKED\"}");
    accepted(answer, 200, "the way back leads over another invitation");
    answer = post("/v1/users/invite", door->key, "{\"username\":\"moved@example.org\"}");
    accepted(answer, 200, "... which may be made then");
}

/* Deactivation ends sessions, links and open invitations; all of it from the next request on. */
static void test_deactivation(void)
{
    const char *cookie;
    const char *bearer = door_login(door, "dora@example.org", PASSWORD, &cookie);

    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"dora@example.org\"}");
    const char *reset = door_mailed_token(door, "dora@example.org");
    post("/v1/users/invite", door->key,
         text("{\"username\":\"dora@example.org\",\"account_memberships\":[%s]}",
              member(door->second_account_id, "USER", "")));
    const char *added = door_mailed_token(door, "dora@example.org");
    door_answer_t answer = get(text("/v1/users/%s", dora_id), bearer);
    accepted(answer, 200, "before, the session is good");
    answer = change_user(dora_id, door->key, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "deactivated");
    answer = get(text("/v1/users/%s", dora_id), bearer);
    refused(answer, 401, "UNAUTHORISED", "", "the access token is dead # security 37");
    door->cookie = cookie;
    answer = post("/v1/oauth/refresh-token", NULL, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "the refresh token too # security 37");
    door->cookie = NULL;
    ok(!door_login(door, "dora@example.org", PASSWORD, NULL), "the password opens nothing");
    answer = post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"Another1one\"}", reset));
    refused(answer, 400, "INVALID_FIELD", "token", "the reset link is dead");
    is_int(count(text("SELECT count(*) FROM invitations WHERE user_id = '%s' AND state = 'invited'", dora_id)), 0,
           "the open invitation is none any more");
    answer = change_user(dora_id, door->key, "{\"active\":true}");
    accepted(answer, 200, "active again");
    answer = get(text("/v1/users/%s", dora_id), bearer);
    refused(answer, 401, "UNAUTHORISED", "", "the old session stays dead");
    bearer = login("dora@example.org");
    answer = post("/v1/oauth/activate-user", bearer, text("{\"token\":\"%s\"}", added));
    refused(answer, 400, "INVALID_FIELD", "token", "and so does the old invitation");
}

/* ---- the last administrator ------------------------------------------------------------------------------------- */

static void test_last_administrator(void)
{
    const char *eve_id = person_with("eve@example.org", "ADMIN", "");

    door_answer_t answer = change_user(eve_id, door->key, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "one of two administrators goes");
    const char *before = state();
    answer = change_user(ada_id, door->key, "{\"status\":\"INACTIVE\"}");
    refused(answer, 409, "INVALID_OPERATION", "", "the last one does not # security 63");
    answer = change_user(ada_id, ada, "{\"active\":false}");
    refused(answer, 409, "INVALID_OPERATION", "", "... not by her own wish either");
    is_str(state(), before, "none of it changed a row, and no session ended");
    answer = change_user(eve_id, door->key, "{\"status\":\"ACTIVE\"}");
    accepted(answer, 200, "the other one comes back");
    answer = change_user(ada_id, door->key, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "now the first may go");
    change_user(ada_id, door->key, "{\"status\":\"ACTIVE\"}");
    ada = login("ada@example.org");
    change_user(eve_id, door->key, "{\"status\":\"INACTIVE\"}");
}

/* ---- passwords and names ---------------------------------------------------------------------------------------- */

static void test_own_password(void)
{
    const char *cookie, *second = door_login(door, "bob@example.org", PASSWORD, &cookie);
    const char *before, *version = column("version", bob_id);
    static const struct {
        const char *body, *code, *field;
    } wrong[] = {
        {"{\"password\":\"Another1one\"}", "MISSING_FIELD", "current_password"},
        {"{\"username\":\"bobby@example.org\"}", "MISSING_FIELD", "current_password"},
        {"{\"password\":\"Another1one\",\"current_password\":\"\"}", "INVALID_FIELD", "current_password"},
        {"{\"password\":\"Another1one\",\"current_password\":\"correct1horse\"}", "INVALID_FIELD", "current_password"},
        {"{\"password\":\"Another1one\",\"current_password\":\"" PASSWORD " \"}", "INVALID_FIELD", "current_password"},
        {"{\"password\":\"weak\",\"current_password\":\"" PASSWORD "\"}", "INVALID_FIELD", "password"},
        {"{\"password\":\"Bob@Example.org1\",\"username\":\"bob@example.org1\",\"current_password\":\"" PASSWORD "\"}",
         "INVALID_FIELD", "password"}};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bool tried = strcmp(wrong[i].code, "INVALID_FIELD") == 0 && strcmp(wrong[i].field, "current_password") == 0;
        long long records =
            count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'PASSWORD_REFUSED'");
        door_answer_t answer = change_user(bob_id, bob, wrong[i].body);
        refused(answer, 400, wrong[i].code, wrong[i].field, "%s # security 9", wrong[i].body);
        is_int(count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'PASSWORD_REFUSED'"),
               records + tried, "... a wrong one is recorded # security 82");
    }
    is_str(column("version", bob_id), version, "... and nothing else is changed");
    before = state();
    door_answer_t answer = change_user(bob_id, bob, "{\"status\":\"INACTIVE\",\"current_password\":\"" PASSWORD "\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "status", "one's own status takes the permission");
    answer = change_user(ada_id, bob, "{\"status\":\"INACTIVE\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "another's record too");
    is_str(state(), before, "none of it changed a row");
    answer = change_user(bob_id, bob, "{\"password\":\"Another1one\",\"current_password\":\"" PASSWORD "\"}");
    accepted(answer, 200, "with the present one it is changed");
    is_str(json_at(&answer, "password"), "null", "... and not shown");
    is_str(last_audit("action, user_id, target_id, message"), text("UPDATE|%s|%s|Changed: password", bob_id, bob_id),
           "... audited");
    answer = get(text("/v1/users/%s", bob_id), bob);
    accepted(answer, 200, "the session that changed it stays");
    answer = get(text("/v1/users/%s", bob_id), second);
    refused(answer, 401, "UNAUTHORISED", "", "the others end # security 10");
    ok(!door_login(door, "bob@example.org", PASSWORD, NULL), "the old password is dead");
    ok(door_login(door, "bob@example.org", "Another1one", NULL) != NULL, "the new one is good");
}

/* What becomes of a new address: serve_change_address.c. */
static void test_own_name(void)
{
    const char *before = state();
    door_answer_t answer = change_user(bob_id, bob, "{\"username\":\"bobby@example.org\"}");
    refused(answer, 400, "MISSING_FIELD", "current_password", "one's own name needs the password # security 9");
    is_str(state(), before, "... and is not changed without");
    answer = change_user(bob_id, bob, "{\"username\":\"BOB@example.org\",\"current_password\":\"Another1one\"}");
    accepted(answer, 200, "the case alone may change");
    is_str(column("username, canonical, pending_username", bob_id), "BOB@example.org|bob@example.org|",
           "... and does at once: it is the same mailbox");
    ok(strcmp(column("verified_at", bob_id), "0") != 0, "... which stays proved");
    answer = change_user(bob_id, bob, "{\"username\":\"bob@example.org\",\"current_password\":\"Another1one\"}");
    accepted(answer, 200, "... and back");
}

/* Security 62 and "Decided": an administrator, be it a key, for those who hold no more than it does. */
static void test_others_password(void)
{
    const char *helper = login("helper@example.org"), *bearer = NULL;
    door_answer_t made = post("/v1/api-keys", door->key, "{\"role_type\":\"READ_ONLY\"}");
    const char *reader = door_text(&made, "api_key");

    get("/v1/roles?limit=1", reader); /* writes the key's last use */
    const char *before = state();
    door_answer_t answer = change_user(dora_id, reader, "{\"password\":\"Another1one\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "C3: a key without USER.MORTAL.UPDATE changes no password");
    answer = change_user(dora_id, NULL, "{\"password\":\"Another1one\"}");
    refused(answer, 401, "UNAUTHORISED", "", "C3: nor does nobody");
    answer = change_user(ada_id, helper, "{\"password\":\"Another1one\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "nobody sets the password of somebody stronger # security 62");
    answer = change_user(ada_id, helper, "{\"username\":\"mine@example.org\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... nor the address");
    answer = change_user(ada_id, helper, "{\"status\":\"INACTIVE\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... nor the status");
    answer = change_user(dora_id, door->key, "{\"username\":\"ADA@example.org\"}");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "C3: a name that is taken");
    is_str(state(), before, "none of it changed a row");
    bearer = login("dora@example.org");
    answer = change_user(dora_id, ada, "{\"password\":\"Another1one\"}");
    accepted(answer, 200, "an administrator sets a weaker user's");
    answer = get(text("/v1/users/%s", dora_id), bearer);
    refused(answer, 401, "UNAUTHORISED", "", "... which ends all sessions # security 10");
    ok(door_login(door, "dora@example.org", "Another1one", NULL) != NULL, "... and is good");
    is_str(last_audit("action, target_resource_type"), "LOGIN|SESSION", "(that was the last record)");
    is_int(
        count(text("SELECT count(*) FROM audit_records WHERE action = 'UPDATE' AND target_id = '%s' AND user_id = '%s'",
                   dora_id, ada_id)),
        1, "... audited with who did it # security 82");
    bearer = door_login(door, "dora@example.org", "Another1one", NULL);
    answer = change_user(dora_id, door->key, "{\"password\":\"Third1password\"}");
    accepted(answer, 200, "C3: so does an administrator's key");
    answer = get(text("/v1/users/%s", dora_id), bearer);
    refused(answer, 401, "UNAUTHORISED", "", "C3: ... which ends all sessions # security 10");
    ok(door_login(door, "dora@example.org", "Third1password", NULL) != NULL, "C3: ... and is good");
}

/* ---- changes that meet ------------------------------------------------------------------------------------------ */

static const char *meanwhile_sql;

static bool enter_with_change(void *context)
{
    door->env.enter_write = NULL;
    change(meanwhile_sql);
    (void)context;
    return true;
}

/* The next write waits at the gate while somebody else does this. */
static void meanwhile(const char *sql)
{
    meanwhile_sql = sql;
    door->env.enter_write = enter_with_change;
    door->env.leave_write = NULL;
}

static void test_meeting(void)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;

    meanwhile(text("UPDATE users SET version = version + 1 WHERE id = '%s'", dora_id));
    door_answer_t answer = change_user(dora_id, ada, "{\"status\":\"INACTIVE\"}");
    refused(answer, 503, "INTERNAL_ERROR", "", "a change that met another one is not made on what was read before");
    is_str(column("status", dora_id), "ACTIVE", "... really");
    meanwhile(text("INSERT INTO memberships (id, entity_id, account_id, user_id, type, created_at) VALUES "
                   "('memb_00000000000000000001', '%s', '%s', '%s', 'ADMIN', 1)",
                   door->entity_id, door->second_account_id, dora_id));
    answer = change_user(dora_id, ada, "{\"password\":\"Stolen1one\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "nor on what the user held before # security 62");
    ok(!door_login(door, "dora@example.org", "Stolen1one", NULL), "... really");
    change("DELETE FROM memberships WHERE id = 'memb_00000000000000000001'");
    const char *eve_id = rows("SELECT id FROM users WHERE canonical = 'eve@example.org'");
    change_user(eve_id, door->key, "{\"status\":\"ACTIVE\"}");
    meanwhile(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", eve_id));
    answer = change_user(ada_id, door->key, "{\"status\":\"INACTIVE\"}");
    refused(answer, 409, "INVALID_OPERATION", "", "of two administrators who go at once one stays # security 63");
    door->env.enter_write = enter;
    door->env.leave_write = leave;
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", named("Quote Viewer"));
    dora_id = person_with("dora@example.org", "USER", named("Quote Viewer"));
    person_with("helper@example.org", "USER", named("User Administrator"));
    post("/v1/users/invite", door->key, "{\"username\":\"invited@example.org\"}");
    ada = login("ada@example.org");
    bob = login("bob@example.org");
    test_sent_back();
    test_transitions();
    test_deactivation();
    test_last_administrator();
    test_own_password();
    test_own_name();
    test_others_password();
    test_meeting();
    return serve_end();
}
