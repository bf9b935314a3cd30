/* SPDX-License-Identifier: Apache-2.0 */
/* M19: the second, short name of a user: unique in its entity, written by who may, and signing in where
 * IdentityUserName login says so. route create_user update_user obtain_token */
#include "routes.h"
#include "users/users.h"
#include "serve_racers.h"

#define WRONG "Wrong1horse"

static const char *ada_id;

static door_answer_t set(const char *id, const char *credential, const char *login)
{
    return patch(text("/v1/users/%s", id), credential, login ? text("{\"login\":\"%s\"}", login) : "{\"login\":null}");
}

static door_answer_t make(const char *username, const char *login, const char *credential)
{
    return post("/v1/users", credential,
                text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\",\"login\":\"%s\"}", username, login));
}

static const char *login_of(const char *id)
{
    door_answer_t answer = get(text("/v1/users/%s", id), door->key);
    return door_text(&answer, "login");
}

/* ---- written ---------------------------------------------------------------------------------------------------- */

static void test_written(void)
{
    door_answer_t answer = make("eve@example.org", "Eve_1", door->key);

    accepted(answer, 201, "M19: POST with a login");
    const char *eve = door_text(&answer, "id");
    is_str(door_text(&answer, "login"), "Eve_1", "M19: ... as it was written");
    ok(strstr(members_at(&answer, ""), "team_memberships,login"), "M19: ... after the published members");
    is_str(rows(text("SELECT changes FROM audit_details x JOIN audit_records d ON d.id = x.record_id WHERE "
                     "d.target_id = '%s' AND d.action = 'CREATE'",
                     eve)),
           "[{\"field\":\"login\",\"from\":null,\"to\":\"Eve_1\"}]", "M19: ... on record");
    answer = get(text("/v1/users/%s", ada_id), door->key);
    ok(!json_at(&answer, "login"), "M19: left out where there is none");
    answer = set(ada_id, door->key, "ada");
    accepted(answer, 200, "M19: PATCH");
    is_str(door_text(&answer, "login"), "ada", "M19: ... writes it");
    const char *before = state();
    accepted(patch(text("/v1/users/%s", ada_id), door->key, answer.text), 200, "M19: sent back");
    accepted(patch(text("/v1/users/%s", ada_id), door->key, "{}"), 200, "M19: or left out");
    is_str(state(), before, "M19: ... it changes nothing");
    accepted(set(ada_id, door->key, "Ada"), 200, "M19: another spelling of its own");
    is_str(login_of(ada_id), "Ada", "M19: ... is kept");
    is_str(rows(text("SELECT changes FROM audit_details x JOIN audit_records d ON d.id = x.record_id WHERE "
                     "d.target_id = '%s' AND d.action = 'UPDATE' ORDER BY d.id DESC LIMIT 1",
                     ada_id)),
           "[{\"field\":\"login\",\"from\":\"ada\",\"to\":\"Ada\"}]", "M19: ... on record");
    is_int(count("SELECT COUNT(*) FROM outbox WHERE state = 'queued'"), 0, "M19: and nobody is mailed");
    accepted(set(eve, door->key, NULL), 200, "M19: null takes it away");
    is_str(login_of(eve), NULL, "M19: ... and it is left out");
    accepted(set(eve, door->key, NULL), 200, "M19: ... twice");
    answer = get("/v1/users?username=ada@example.org", door->key);
    is_str(json_at(&answer, "data.0.login"), "\"Ada\"", "M19: lists have it");
    answer = get("/v1/users?login=ada", door->key);
    refused(answer, 400, "INVALID_FIELD", "login", "M19: and are not searched by it");
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "", ".a", "a b", "a@b", "a/b", "\\u00e4", "user_01234567890123456789", "0123456789abcdef0123456789ABCDEF"};
    const char *idle = door_person(door, "idle@example.org", PASSWORD, "[]");
    const char *before = state();

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused(set(ada_id, door->key, bad[i]), 400, "INVALID_FIELD", "login", "M19: \"%s\" is no login", bad[i]);
        refused(make("bad@example.org", bad[i], door->key), 400, "INVALID_FIELD", "login", "M19: ... nor at POST");
    }
    refused(patch(text("/v1/users/%s", ada_id), door->key, "{\"login\":7}"), 400, "INVALID_FIELD", "login",
            "M19: no text");
    refused(set(idle, door->key, "ADA"), 409, "RESOURCE_ALREADY_EXISTS", "login", "M19: taken, in whatever case");
    refused(make("twin@example.org", "aDA", door->key), 409, "RESOURCE_ALREADY_EXISTS", "login",
            "M19: ... also at POST");
    is_str(state(), before, "M19: none of it changed a row");
    door_answer_t other = make("ada@other.example", "ada", door->other_key);
    accepted(other, 201, "M19: another entity has its own");
    refused(set(door_text(&other, "id"), door->key, "x"), 404, "USER_NOT_FOUND", "", "M19: ... # security 60");
}

static void test_rights(void)
{
    person_with("clerk@example.org", "USER", named("User Administrator"));
    const char *viewer_id = person_with("viewer@example.org", "USER", named("User Viewer"));
    const char *clerk = login("clerk@example.org"), *viewer = login("viewer@example.org");
    door_answer_t key = post("/v1/api-keys", door->key, "{\"permissions\":[\"USER.MORTAL.CREATE\"]}");

    refused(set(viewer_id, viewer, "mine"), 403, "USER_NOT_ALLOWED", "login",
            "M19: not one's own without the permission");
    refused(set(ada_id, clerk, "root"), 403, "USER_NOT_ALLOWED", "", "M19: not upward # security 62");
    accepted(set(viewer_id, clerk, "viewer"), 200, "M19: of who holds no more");
    refused(make("small@example.org", "small", door_text(&key, "api_key")), 403, "USER_NOT_ALLOWED", "login",
            "M19: nor at POST without USER.MORTAL.UPDATE");
}

static void test_held(void)
{
    door_answer_t made = make("gone@example.org", "gone", door->key);
    const char *id = door_text(&made, "id");

    accepted(door_call(door, "DELETE", text("/v1/users/%s", id), door->key, NULL), 200, "(deleted)");
    door_answer_t answer = make("new@example.org", "Gone", door->key);
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "login", "M19: a deleted user holds its login");
    ok(strstr(door_text(&answer, "message"), "restored until"), "M19: ... until when is told");
    accepted(post(text("/v1/users/%s/restore", id), door->key, NULL), 200, "(restored)");
    is_str(login_of(id), "gone", "M19: ... and has it back");
    accepted(set(id, door->key, NULL), 200, "M19: set free");
    answer = make("new@example.org", "Gone", door->key);
    accepted(answer, 201, "M19: ... it is another's");
}

/* Of an older database: it has no @, and is signed in by before anybody's login. */
static void test_old_name(void)
{
    const char *old = door_person(door, "old@example.org", PASSWORD, "[]");

    change(text("UPDATE users SET username = 'Olga', old_name = 'olga' WHERE id = '%s'", old));
    refused(set(ada_id, door->key, "OLGA"), 409, "RESOURCE_ALREADY_EXISTS", "login", "M19: no login is an old name");
    refused(make("olga@example.org", "olga", door->key), 409, "RESOURCE_ALREADY_EXISTS", "login", "M19: ... by POST");
    accepted(set(old, door->key, "olga"), 200, "M19: ... but one's own");
}

static void test_race(void)
{
    int wrong = 0;

    prepare();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            ask(i, "POST", "/v1/users",
                text("{\"username\":\"race%d.%d@example.org\",\"login\":\"%s%d\"}", round, i, i % 2 ? "race" : "RACE",
                     round));
        wrong += strcmp(race(4), "201 409 409 409") != 0;
        wrong += count(text("SELECT COUNT(*) FROM users WHERE username LIKE 'race%d.%%'", round)) != 1;
    }
    is_int(wrong, 0, "M19: of several at once one gets it, and nothing is left of the others");
    is_str(rows("SELECT sql FROM sqlite_master WHERE name = 'users_login'"),
           "CREATE UNIQUE INDEX users_login ON users (login_key, entity_id)", "M19: the database itself sees to it");
}

/* ---- signing in ------------------------------------------------------------------------------------------------- */

static door_answer_t sign_in(const char *name, const char *password)
{
    return post("/v1/oauth/token", NULL, text("{\"username\":\"%s\",\"password\":\"%s\"}", name, password));
}

static door_answer_t by_form(const char *name, const char *password)
{
    return call_with(
        "POST", "/v1/oauth/token", (identity_headers_t){.content_type = "application/x-www-form-urlencoded"}, true,
        false, text("grant_type=password&username=%s&password=%s", identity_query_escape(door->pool, name), password));
}

/* At a protected place: what r->user would be, or the status. */
static const char *by_basic(const char *name, const char *password)
{
    identity_authentication_t found;
    identity_request_t in = {.method = "GET",
                             .path = "/reports",
                             .client_address = "192.0.2.7",
                             .secure = true,
                             .request_id = "reqr_00000000000000000001"};

    identity_identify_password(door->pool, &door->env, &in, name, password, &found);
    return found.refused ? text("%d", identity_problem_status(found.problem.kind))
                         : identity_remote_user(&door->settings, found.principal);
}

static void lasting(bool several)
{
    change(text("UPDATE entities SET expires_at = %s WHERE id = '%s'", several ? "0" : "4000000000000000",
                door->other_entity_id));
}

static void test_off(void)
{
    lasting(false);
    refused(sign_in("ada", PASSWORD), 401, "UNAUTHORISED", "",
            "M19: without IdentityUserName login it signs nobody in");
    is_str(by_basic("ada", PASSWORD), "401", "M19: ... nowhere");
    is_str(by_basic("ada@example.org", PASSWORD), "ada@example.org", "M19: ... and r->user is the address");
    door->settings.logins = true;
}

static void test_one_entity(void)
{
    static const char *const names[] = {"ada", "ADA", "default/ada", "ada@example.org"};
    const char *reference = rows(text("SELECT reference FROM entities WHERE id = '%s'", door->entity_id));

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = strchr(names[i], '/') ? text("%s/ada", reference) : names[i];
        door_answer_t answer = sign_in(name, PASSWORD);
        accepted(answer, 200, "M19: %s signs in", name);
        answer = by_form(name, PASSWORD);
        accepted(answer, 200, "M19: ... by a form");
        is_str(by_basic(name, PASSWORD), "ada", "M19: ... by Basic, and r->user is the login in lower case");
        is_str(by_basic(name, PASSWORD), "ada", "M19: ... remembered");
        is_str(by_basic(name, WRONG), "401", "M19: ... with the right password alone");
    }
    is_str(by_basic("clerk@example.org", PASSWORD), "clerk@example.org", "M19: who has no login is the address");
    refused(sign_in("other/ada", PASSWORD), 401, "UNAUTHORISED", "", "M19: no login of a sandbox signs in");
    accepted(set(ada_id, door->key, "countess"), 200, "M19: changed");
    refused(sign_in("ada", PASSWORD), 401, "UNAUTHORISED", "", "M19: ... the old one is nobody's");
    is_str(by_basic("countess", PASSWORD), "countess", "M19: ... and the new one counts at once");
    accepted(set(ada_id, door->key, "Ada"), 200, "(back)");
    accepted(patch(text("/v1/users/%s", ada_id), door->key, "{\"status\":\"INACTIVE\"}"), 200, "(inactive)");
    refused(sign_in("ada", PASSWORD), 401, "UNAUTHORISED", "", "M19: nor does it let in who is INACTIVE");
    accepted(patch(text("/v1/users/%s", ada_id), door->key, "{\"status\":\"ACTIVE\"}"), 200, "(active)");
}

static void test_several_entities(void)
{
    const char *reference = rows(text("SELECT reference FROM entities WHERE id = '%s'", door->entity_id)),
               *other = rows(text("SELECT reference FROM entities WHERE id = '%s'", door->other_entity_id));

    lasting(true);
    refused(sign_in("ada", PASSWORD), 401, "UNAUTHORISED", "",
            "M19: where two entities last, a login alone is nobody's");
    is_str(by_basic(text("%s/ADA", reference), PASSWORD), text("%s/ada", reference),
           "M19: ... behind the reference it is, and so is r->user");
    is_str(by_basic(text("%s/ada", other), PASSWORD), text("%s/ada", other), "M19: ... each in its own entity");
    is_str(by_basic(text("%s/clerk", other), PASSWORD), "401", "M19: ... and in no other");
    is_str(by_basic("none/ada", PASSWORD), "401", "M19: ... nor in one that is not there");
    lasting(false);
}

/* The same answer, and as many statements, whether somebody has the login or not. */
static void test_unknown(void)
{
    door_answer_t known = sign_in("ada", WRONG), unknown = sign_in("nobody", WRONG);

    refused(known, 401, "UNAUTHORISED", "", "M19: a wrong password");
    is_str(unknown.text, known.text, "M19: ... is answered like a login that nobody has # security 15");
    is_str(headers_of(&unknown), headers_of(&known), "M19: ... with the same headers");
    is_int(unknown.statements, known.statements, "M19: ... in as many statements");
}

/* Both names are one user's: no more guesses than by one. */
static void test_limits(void)
{
    static const char *const names[] = {"ada", "ada@example.org", "ADA", "Ada@Example.org"};
    int tries = 0;

    pass(40 * 86400);
    door->settings.rates = identity_rates_standard;
    /* Of the same network, no two of one address. */
    for (; tries < 40; tries++) {
        door->client_address = text("192.0.2.%d", tries + 1);
        if (sign_in(names[tries % 4], WRONG).status != 401)
            break;
    }
    is_int(tries, 10, "M19: ten wrong passwords of a network, whichever name is typed # security 12");
    refused(sign_in("ada", PASSWORD), 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "M19: then neither by the login");
    refused(sign_in("ada@example.org", PASSWORD), 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "",
            "M19: ... nor the address");
    is_str(by_basic("ada", PASSWORD), "429", "M19: ... nor by Basic");
    door->client_address = "192.0.2.99";
    refused(sign_in("viewer", WRONG), 401, "UNAUTHORISED", "", "M19: others are not concerned");
    refused(sign_in("nobody", WRONG), 401, "UNAUTHORISED", "", "M19: nor who is not there");
    door->client_address = NULL;
    pass(61);
    accepted(sign_in("ada", PASSWORD), 200, "M19: a minute later it signs in");
    door->settings.rates = (identity_rates_t){.of = {{0}}};
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    person_with("second@example.org", "ADMIN", "");
    change("UPDATE outbox SET state = 'cancelled' WHERE state = 'queued'");
    test_written();
    test_refused();
    test_rights();
    test_held();
    test_off();
    test_one_entity();
    test_several_entities();
    test_unknown();
    test_limits();
    test_old_name();
    test_race();
    return serve_end();
}
