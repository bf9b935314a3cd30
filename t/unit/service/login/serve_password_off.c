/* SPDX-License-Identifier: Apache-2.0 */
/* A9: a DEFAULT provider that is DISABLED ends sign-in by password for its entity, on every way in, and is refused
 * where nobody could sign in any more. */
#include "oauth.h"

#define PROVIDERS "/v1/authentication-providers"
#define OFF       "{\"type\":\"DEFAULT\",\"status\":\"DISABLED\"}"
#define ROW       "\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"https://login.example.net\",\"client_id\":\"c\""

static identity_configured_provider_t work = {
    .id = "auth_0000000000000000work", .name = "work", .issuer = "https://login.example.net", .client_id = "c"};
static apr_array_header_t *configured, *none;
static const char *ada_id;

static door_answer_t make(const char *body)
{
    return post(PROVIDERS, door->key, body);
}

static const char *made(const char *body)
{
    door_answer_t answer = make(body);
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

static door_answer_t set(const char *id, const char *body)
{
    return patch(text(PROVIDERS "/%s", id), door->key, body);
}

static door_answer_t sign_in(const char *password)
{
    return post("/v1/oauth/token", NULL, text("{\"username\":\"ada@example.org\",\"password\":\"%s\"}", password));
}

/* As AuthBasicProvider identity asks: "200", or what it is refused with. */
static const char *basic_sign_in(const char *user, const char *password)
{
    identity_request_t in = {.method = "GET", .path = "/", .client_address = "192.0.2.9", .secure = true};
    identity_authentication_t found;

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_identify_password(door->pool, &door->env, &in, user, password, &found);
    return found.refused ? text("%d", identity_problem_status(found.problem.kind)) : "200";
}

static long long sessions(void)
{
    return count("SELECT COUNT(*) FROM sessions");
}

/* ---- where nobody could sign in any more ------------------------------------------------------------------------ */

#define locks_out(answer, ...) refused(answer, 409, "INVALID_OPERATION", "status", __VA_ARGS__)

static void test_no_way_left(void)
{
    const char *on = made("{\"type\":\"DEFAULT\"}"), *before = state();

    locks_out(set(on, "{\"status\":\"DISABLED\"}"), "A9: refused where there is no other way in");
    is_str(state(), before, "A9: ... and nothing is changed");
    accepted(make("{\"type\":\"SSO\"," ROW "}}"), 201, "a provider that httpd has no secret of");
    locks_out(set(on, "{\"status\":\"DISABLED\"}"), "A9: ... is no way in");
    change("DELETE FROM providers");
    locks_out(make(OFF), "A9: nor is it made so");
    door->settings.providers = configured;
    accepted(make("{\"type\":\"SSO\",\"status\":\"DISABLED\"," ROW "}}"), 201, "one that is switched off");
    locks_out(make(OFF), "A9: ... is no way in, and stands for that of the configuration");
    change("DELETE FROM providers");
    accepted(make("{\"type\":\"SSO\"," ROW ",\"allowed_domains\":[\"nobody.example\"]}}"), 201, "one for nobody here");
    locks_out(make(OFF), "A9: ... is no way in");
    change("DELETE FROM providers");
    accepted(make("{\"type\":\"SSO\"," ROW ",\"allowed_domains\":[\"gone.example\"]}}"), 201,
             "one for somebody who is inactive");
    locks_out(make(OFF), "A9: ... is no way in");
    change("DELETE FROM providers");
    work.entity = "other";
    locks_out(make(OFF), "A9: nor is one of another entity");
    work.entity = NULL;
}

static void test_other_side(const char *row)
{
    const char *before = state();

    locks_out(set(row, "{\"status\":\"DISABLED\"}"), "A9: the last other way is not switched off either");
    locks_out(set(row, "{\"sso\":{\"allowed_domains\":[\"nobody.example\"]}}"), "A9: ... nor narrowed to nobody");
    is_str(state(), before, "A9: ... and nothing is changed");
    accepted(set(row, "{\"sso\":{\"client_id\":\"d\"}}"), 200,
             "A9: what is of nothing in the configuration leaves that one as the way");
    accepted(set(row, "{\"sso\":{\"client_id\":\"c\"}}"), 200, "... back");
    accepted(set(row, "{\"name\":\"Office\"}"), 200, "A9: its name is nothing to that");
    door->settings.providers = none;
    accepted(set(row, "{\"name\":\"Work\"}"), 200, "A9: where nobody can sign in anyway no change is to blame");
    door->settings.providers = configured;
}

/* IdentityPasswordGrant Off is the same for all. */
static void test_switched_off_server(void)
{
    const char *row;

    change("DELETE FROM providers");
    row = made("{\"type\":\"SSO\"," ROW "}}");
    door->settings.password_grant = false;
    locks_out(set(row, "{\"status\":\"DISABLED\"}"), "A9: the only way in on a server without passwords");
    door->settings.password_grant = true;
    accepted(set(row, "{\"status\":\"DISABLED\"}"), 200, "A9: ... on a server with them it may go");
    change("DELETE FROM providers");
}

/* ---- the ways in ------------------------------------------------------------------------------------------------ */

static void test_ways_in(void)
{
    door_answer_t unknown =
        post("/v1/oauth/token", NULL, "{\"username\":\"x@example.org\",\"password\":\"" PASSWORD "\"}");
    long long before = sessions(),
              failures = count("SELECT SUM(times) FROM audit_records WHERE action = 'LOGIN_FAILED'");
    door_answer_t answer = sign_in(PASSWORD);

    refused(answer, 403, "USER_NOT_ALLOWED", "", "A9: the right password is refused");
    ok(strstr(door_text(&answer, "message"), "Work (GET /v1/oauth/authorize?provider=auth_") != NULL,
       "A9: ... saying how else: %s", door_text(&answer, "message"));
    ok(!header(&answer, "Set-Cookie"), "A9: ... without a cookie");
    is_str(
        rows(
            "SELECT times, target_id FROM audit_records WHERE message LIKE '%refused: signing in by password is switched off.'"),
        text("1|%s", ada_id), "A9: ... on record # security 82");
    sign_in(PASSWORD);
    is_str(
        rows(
            "SELECT times, target_id FROM audit_records WHERE message LIKE '%refused: signing in by password is switched off.'"),
        text("2|%s", ada_id), "A9, A11: once a minute, with a count");
    answer = sign_in("Wrong2horse");
    refused(answer, 401, "UNAUTHORISED", "", "A9: a wrong one is wrong as ever # security 15");
    is_str(answer.text, unknown.text, "A9: ... as for a name that nobody has # security 15");
    denied(token_form("grant_type=password&username=ada@example.org&password=" PASSWORD), "400 unauthorized_client",
           "A9: by a form");
    denied(token_form("grant_type=password&username=ada@example.org&password=Wrong2horse"), "400 invalid_grant",
           "A9: ... with a wrong one");
    is_str(basic_sign_in("ada@example.org", PASSWORD), "403", "A9: at a protected place, though it was right before");
    is_str(basic_sign_in("eva@example.org", PASSWORD), "403", "A9: ... and for the first time");
    is_str(basic_sign_in("ada@example.org", "Wrong2horse"), "401", "A9: ... with a wrong one");
    is_int(sessions(), before, "A9: no session was opened");
    is_int(count("SELECT SUM(times) FROM audit_records WHERE action = 'LOGIN_FAILED'") - failures, 7,
           "A9: each is on record, that of a password that is known to be right once");
    accepted(post("/v1/oauth/token", NULL, "{\"username\":\"max@example.net\",\"password\":\"" PASSWORD "\"}"), 200,
             "A9: another entity's people go on");
}

/* Neither opens a session: a password may be set, and is good for nothing until it is switched on again. */
static void test_links(void)
{
    is_int(post("/v1/users/invite", door->key,
                text("{\"username\":\"new@example.org\",\"account_memberships\":[%s]}",
                     member(door->account_id, "USER", "")))
               .status,
           200, "somebody is invited");
    const char *token = door_mailed_token(door, "new@example.org");
    door_answer_t answer = post("/v1/oauth/describe-link", NULL, text("{\"token\":\"%s\"}", token));
    is_str(json_at(&answer, "password_sign_in"), "false", "A9: the page is told that passwords do not sign in");
    accepted(post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token)),
             200, "A9: the invitation is accepted all the same");
    is_int(post("/v1/oauth/token", NULL, "{\"username\":\"new@example.org\",\"password\":\"" PASSWORD "\"}").status,
           403, "A9: ... and signs nobody in");
}

int main(void)
{
    serve_begin();
    configured = apr_array_make(door->pool, 1, sizeof(identity_configured_provider_t *));
    APR_ARRAY_PUSH(configured, identity_configured_provider_t *) = &work;
    none = apr_array_make(door->pool, 1, sizeof(identity_configured_provider_t *));
    ada_id = person_with("ada@example.org", "ADMIN", "");
    person_with("eva@example.org", "USER", "");
    person_with("old@gone.example", "USER", "");
    change("UPDATE users SET status = 'INACTIVE', active = 0 WHERE canonical = 'old@gone.example'");
    is_int(
        post("/v1/users", door->other_key, "{\"username\":\"max@example.net\",\"password\":\"" PASSWORD "\"}").status,
        201, "a person of another entity");
    const char *bearer = login("ada@example.org");
    is_str(basic_sign_in("ada@example.org", PASSWORD), "200", "it is on");
    test_no_way_left();
    test_switched_off_server();

    const char *row = made("{\"type\":\"SSO\",\"name\":\"Work\"," ROW ",\"allowed_domains\":[\"example.org\"]}}");
    const char *on = made("{\"type\":\"DEFAULT\"}"), *off = made(OFF);
    accepted(sign_in(PASSWORD), 200, "A9: where another DEFAULT provider is ENABLED, passwords sign in");
    accepted(set(on, "{\"status\":\"DISABLED\"}"), 200, "A9: the last one is switched off");
    test_ways_in();
    test_links();
    test_other_side(row);
    is_int(get("/v1/users?limit=1", bearer).status, 200, "A9: who is signed in stays so");
    accepted(set(off, "{\"status\":\"ENABLED\"}"), 200, "A9: switched on again");
    accepted(sign_in(PASSWORD), 200, "A9: ... it signs in");
    is_str(basic_sign_in("ada@example.org", PASSWORD), "200", "A9: ... at a protected place, too");
    return serve_end();
}
