/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a name where several entities want it: A8, security 27, 69, 70 (conf/interface.md). */
#include "serve_racers.h"

static int number;

/* A name that nobody had before. */
static const char *fresh_name(void)
{
    return text("person%d@shared.example", ++number);
}

static const char *of(const char *entity_id, const char *name, const char *columns)
{
    return rows(text("SELECT %s FROM users WHERE entity_id = '%s' AND canonical = '%s'", columns, entity_id, name));
}

static door_answer_t invite(const char *key, const char *name)
{
    return post("/v1/users/invite", key, text("{\"username\":\"%s\"}", name));
}

static door_answer_t create(const char *key, const char *name)
{
    return post("/v1/users", key, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", name));
}

static const char *invited(const char *key, const char *name)
{
    door_answer_t answer = invite(key, name);
    accepted(answer, 200, "(%s is invited)", name);
    const char *token = door_mailed_token(door, name);
    return token ? token : (bail(text("no mail for %s", name)), NULL);
}

static door_answer_t accept_by(const char *token)
{
    return post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
}

/* An administrator gives somebody of the first entity another name, which counts at once. */
static void rename_away(const char *name)
{
    const char *id = of(door->entity_id, name, "id");

    accepted(patch(text("/v1/users/%s", id), door->key, text("{\"username\":\"%s\"}", fresh_name())), 200,
             "(the holder is renamed)");
}

/* ---- invited by two --------------------------------------------------------------------------------------------- */

static void test_beside(void)
{
    const char *name = fresh_name(), *theirs = invited(door->other_key, name), *ours = invited(door->key, name);

    is_str(rows(text("SELECT status FROM users WHERE canonical = '%s'", name)), "INVITED INVITED",
           "A8: two entities invite one address, and neither stands in the other's way");
    refused(post("/v1/oauth/token", NULL, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", name)), 401,
            "UNAUTHORISED", "", "A8: who is only invited signs in nowhere");
    accepted(accept_by(ours), 200, "A8: the first who accepts has the name");
    is_str(of(door->entity_id, name, "status, held_name"), text("ACTIVE|%s", name), "... and holds it");
    is_str(of(door->other_entity_id, name, "status, held_name"), "INVITED|-", "... the other is still invited");
    const char *before = state();
    refused(accept_by(theirs), 409, "RESOURCE_ALREADY_EXISTS", "", "A8: an invitation that comes too late is 409");
    is_str(state(), before, "... and nothing is written: the link stays alive");
    refused(invite(door->other_key, name), 409, "RESOURCE_ALREADY_EXISTS", "username",
            "A8: it is not sent again, the name is proved elsewhere");
    refused(create(door->other_key, name), 409, "RESOURCE_ALREADY_EXISTS", "username", "... nor is the user created");
    refused(post("/v1/users", door->other_key, text("{\"username\":\"%s\"}", name)), 409, "RESOURCE_ALREADY_EXISTS",
            "username", "... or made by an invitation");
    ok(door_login(door, name, PASSWORD, NULL) != NULL, "A8: the one who accepted signs in");
    const char *id = of(door->other_entity_id, name, "id");
    accepted(patch(text("/v1/users/%s", id), door->other_key, "{\"status\":\"INACTIVE\"}"), 200,
             "A8: who waits in the other entity can be deactivated there");
    is_str(of(door->other_entity_id, name, "status, held_name"), "INACTIVE|-", "... without taking the name");
    rename_away(name);
    accepted(patch(text("/v1/users/%s", id), door->other_key, "{\"status\":\"INVITE_REVOKED\"}"), 200,
             "A8: the name is free again");
    accepted(invite(door->other_key, name), 200, "... and the other entity invites to it");
}

/* ---- taken without a proof -------------------------------------------------------------------------------------- */

static void test_displaced(void)
{
    const char *name = fresh_name();
    door_answer_t answer = create(door->other_key, name);
    const char *id = door_text(&answer, "id");

    accepted(answer, 201, "(the other entity creates a user of the name)");
    refused(create(door->key, name), 409, "RESOURCE_ALREADY_EXISTS", "username",
            "A8: who proves nothing either has to wait");
    const char *token = invited(door->key, name);
    accepted(accept_by(token), 200, "A8: who proves the address is not stopped by who neither proved it nor signed in");
    is_str(of(door->entity_id, name, "status, held_name"), text("ACTIVE|%s", name), "... and holds the name");
    is_str(of(door->other_entity_id, name, "status, active, held_name"), "INACTIVE|0|-",
           "A8: the other is deactivated, its name set free");
    is_str(
        rows(text("SELECT action, user_id FROM audit_records WHERE entity_id = '%s' AND target_id = '%s' ORDER BY id "
                  "DESC LIMIT 1",
                  door->other_entity_id, id)),
        "DEACTIVATE|", "A8: ... with an audit record in its entity, which names nobody of the first");
    refused(patch(text("/v1/users/%s", id), door->other_key, "{\"status\":\"ACTIVE\"}"), 409, "RESOURCE_ALREADY_EXISTS",
            "username", "A8: it is not made active again while the name is held");
    answer = get(text("/v1/users/%s", id), door->other_key);
    is_str(door_text(&answer, "status"), "INACTIVE", "... and is shown INACTIVE in its entity");
    ok(door_login(door, name, PASSWORD, NULL) != NULL, "A8: who proved the address signs in");
    rename_away(name);
    accepted(patch(text("/v1/users/%s", id), door->other_key, "{\"status\":\"ACTIVE\"}"), 200,
             "A8: ... and is once the name is free");
    is_str(of(door->other_entity_id, name, "status, held_name"), text("ACTIVE|%s", name), "... and holds it");
}

static void test_signed_in(void)
{
    const char *name = fresh_name();

    accepted(create(door->other_key, name), 201, "(created)");
    const char *token = invited(door->key, name);
    ok(door_login(door, name, PASSWORD, NULL) != NULL, "(and signed in meanwhile)");
    ok(count(text("SELECT signed_in_at > 0 FROM users WHERE held_name = '%s'", name)), "the first sign-in is noted");
    refused(accept_by(token), 409, "RESOURCE_ALREADY_EXISTS", "", "A8: who has signed in is not displaced");
    is_str(of(door->other_entity_id, name, "status"), "ACTIVE", "... and stays");
    refused(invite(door->key, name), 409, "RESOURCE_ALREADY_EXISTS", "username", "... nor invited over");
}

static void test_basic(void)
{
    const char *name = fresh_name();
    identity_request_t in = {.method = "GET", .path = "/x", .client_address = "192.0.2.7", .secure = true};
    identity_authentication_t found;

    accepted(create(door->other_key, name), 201, "(created)");
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_identify_password(door->pool, &door->env, &in, name, PASSWORD, &found);
    ok(count(text("SELECT signed_in_at > 0 FROM users WHERE held_name = '%s'", name)),
       "A8: a sign-in by HTTP Basic counts as one");
}

static void test_last_administrator(void)
{
    const char *name = fresh_name(), *account = door->other_account_id;
    door_answer_t answer = create(door->other_key, name);
    const char *id = door_text(&answer, "id");

    accepted(post(text("/v1/users/%s/memberships", id), door->other_key, member(account, "ADMIN", "")), 201,
             "(the only administrator of an account)");
    const char *token = invited(door->key, name), *before = state();
    refused(accept_by(token), 409, "INVALID_OPERATION", "", "A8: the last administrator is not displaced");
    is_str(state(), before, "... nothing is written: the link stays alive");
    answer = create(door->other_key, fresh_name());
    accepted(
        post(text("/v1/users/%s/memberships", door_text(&answer, "id")), door->other_key, member(account, "ADMIN", "")),
        201, "(there is another administrator)");
    accepted(accept_by(token), 200, "A8: ... and then it is, by the same link");
    is_str(of(door->other_entity_id, name, "status"), "INACTIVE", "... deactivated");
}

static void test_sandbox(void)
{
    const char *name = fresh_name(), *second = fresh_name();

    change(text("UPDATE entities SET expires_at = %" APR_INT64_T_FMT " WHERE id = '%s'",
                (apr_int64_t)(door->now + apr_time_from_sec(86400)), door->other_entity_id));
    accepted(create(door->key, name), 201, "(a user who has proved nothing)");
    refused(invite(door->other_key, name), 409, "RESOURCE_ALREADY_EXISTS", "username",
            "A8: a sandbox invites nobody over another's user");
    const char *token = invited(door->other_key, second);
    accepted(create(door->key, second), 201, "A8: an invitation of a sandbox stands in nobody's way");
    refused(accept_by(token), 409, "RESOURCE_ALREADY_EXISTS", "", "A8: sandboxes displace nobody");
    change(text("UPDATE entities SET expires_at = 0 WHERE id = '%s'", door->other_entity_id));
}

/* ---- at the same moment ----------------------------------------------------------------------------------------- */

static void test_race(void)
{
    const char *name = fresh_name(), *tokens[2];

    tokens[0] = invited(door->other_key, name);
    tokens[1] = invited(door->key, name);
    prepare();
    for (int i = 0; i < RACERS; i++) {
        ask(i, "POST", "/v1/oauth/activate-user",
            text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", tokens[i % 2]));
        racers[i].nobody = true;
    }
    const char *statuses = race(RACERS);
    ok(strncmp(statuses, "200 4", 5) == 0 && !strstr(statuses + 3, "200") && !strstr(statuses, "50"),
       "A8: of sixteen who accept at once in two entities exactly one succeeds (%s)", statuses);
    is_str(rows(text("SELECT status, held_name FROM users WHERE canonical = '%s' ORDER BY status", name)),
           text("ACTIVE|%s INVITED|-", name), "A8: ... and holds the name");
    is_int(count(text("SELECT COUNT(*) FROM audit_records WHERE action = 'ACTIVATE' AND target_id IN (SELECT id FROM "
                      "users WHERE canonical = '%s')",
                      name)),
           1, "... once on record");
}

/* ---- an invitation that adds ------------------------------------------------------------------------------------ */

static void test_renamed(void)
{
    const char *name = fresh_name(), *id = door_person(door, name, PASSWORD, "[]"), *bearer = login(name);
    door_answer_t answer =
        post("/v1/users/invite", door->key,
             text("{\"username\":\"%s\",\"account_memberships\":[%s]}", name, member(door->account_id, "USER", "")));

    accepted(answer, 200, "(invited to more)");
    const char *token = door_mailed_token(door, name), *accept = text("{\"token\":\"%s\"}", token ? token : "");
    change(text("UPDATE users SET username = 'moved@shared.example', canonical = 'moved@shared.example', held_name = "
                "'moved@shared.example' WHERE id = '%s'",
                id));
    const char *before = state();
    refused(post("/v1/oauth/activate-user", bearer, accept), 403, "USER_NOT_ALLOWED", "",
            "A14: whoever has another address by now does not accept (security 27)");
    is_str(state(), before, "A14: ... and the link stays alive");
    change(text("UPDATE users SET username = '%s', canonical = '%s', held_name = '%s' WHERE id = '%s'",
                text("P%s", name + 1), name, name, id));
    accepted(post("/v1/oauth/activate-user", bearer, accept), 200,
             "A14: another spelling of the address is the address");
}

int main(void)
{
    serve_begin();
    door->settings.rates = (identity_rates_t){.of = {{0, 0}}};
    test_beside();
    test_displaced();
    test_signed_in();
    test_basic();
    test_last_administrator();
    test_sandbox();
    test_renamed();
    test_race();
    return serve_end();
}
