/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/token with a form, as RFC 6749 has it. route obtain_token */
#include "oauth.h"

static const char *ada_id;

static int status_with(const char *bearer)
{
    door_answer_t answer = get(text("/v1/users/%s", ada_id), bearer);
    return answer.status;
}

/* ---- password --------------------------------------------------------------------------------------------------- */

static void test_password(void)
{
    door_answer_t answer = form_login("ADA@example.org");

    granted(answer, "sign in by a form # security 45");
    is_str(members_at(&answer, ""), "access_token,token_type,expires_in,refresh_token", "... the members of RFC 6749");
    is_str(answer.content_type, "application/json", "... as JSON # security 45");
    is_str(door_text(&answer, "token_type"), "Bearer", "... Bearer");
    is_str(json_at(&answer, "expires_in"), "900", "... for 15 minutes # security 34");
    is_str(header(&answer, "Pragma"), "no-cache", "... kept by nobody # security 45");
    ok(identity_token_valid(refresh_of(&answer), IDENTITY_TOKEN_REFRESH), "... the refresh token in the body");
    is_str(claim(&answer, "sub"), ada_id, "... of the person");
    is_int(status_with(bearer_of(&answer)), 200, "... which opens");
    is_str(rows("SELECT action, user_id FROM audit_records ORDER BY id DESC LIMIT 1"), text("LOGIN|%s", ada_id),
           "... and is recorded # security 82");
    door_answer_t again = form_login("ada@example.org");
    ok(strcmp(claim(&answer, "sid"), claim(&again, "sid")) != 0, "each sign-in is a session of its own # security 38");
}

static void test_password_refused(void)
{
    static const struct {
        const char *form, *outcome, *what;
    } cases[] = {
        {"grant_type=password&username=ada@example.org&password=Wrong1password", "400 invalid_grant", "wrong password"},
        {"grant_type=password&username=who@example.org&password=" PASSWORD, "400 invalid_grant", "unknown name"},
        {"grant_type=password&username=ada@example.org", "400 invalid_request", "no password"},
        {"grant_type=password&username=ada@example.org&password=", "400 invalid_request", "an empty password"},
        {"grant_type=password&password=x", "400 invalid_request", "no name"},
        {"grant_type=password&username=ada@example.org&password=" PASSWORD "&scope=admin", "400 invalid_scope",
         "a scope"},
        {"username=ada@example.org&password=" PASSWORD, "400 invalid_request", "no grant_type"},
        {"grant_type=&username=ada@example.org&password=" PASSWORD, "400 invalid_request", "an empty grant_type"},
        {"grant_type=PASSWORD&username=ada@example.org&password=" PASSWORD, "400 unsupported_grant_type",
         "a grant_type in capitals"},
        {"grant_type=authorization_code&code=x", "400 unsupported_grant_type", "another grant_type"},
        {"grant_type=token_alias&token_alias=x", "400 unsupported_grant_type", "an alias"},
        {"grant_type=password&grant_type=password&username=ada@example.org&password=" PASSWORD, "400 invalid_request",
         "grant_type twice # security 45"},
        {"grant_type=password&username=ada@example.org&username=bob@example.org&password=" PASSWORD,
         "400 invalid_request", "username twice # security 45"},
        {"grant_type=password&username=ada@example.org&password=x&password=" PASSWORD, "400 invalid_request",
         "password twice # security 45"},
        {"grant_type=password&username=ada@example.org&password=" PASSWORD "&x=1&x=2", "400 invalid_request",
         "what nobody reads twice # security 45"},
        {"grant_type=password&username=ada@example.org&password=%zz", "400 invalid_request", "a bad escape"},
        {"grant_type=password&username=ada@example.org&password=%00", "400 invalid_request", "a NUL"},
        {"grant_type=password&username=ada@example.org&password=%ff", "400 invalid_request", "no UTF-8"},
        {"{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}", "400 invalid_request", "JSON in a form"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        denied(token_form(cases[i].form), cases[i].outcome, "%s", cases[i].what);
    const char *long_one = apr_pstrcat(door->pool, "A1", NULL);
    while (strlen(long_one) < 1100)
        long_one = text("%s%s", long_one, long_one);
    denied(token_form(text("grant_type=password&username=ada@example.org&password=%s", long_one)),
           "400 invalid_request", "a password past the cap # security 4");
    is_str(oauth_outcome(token_form("grant_type=password&username=ada@example.org&password=x")),
           oauth_outcome(token_form("grant_type=password&username=nobody@example.org&password=x")),
           "wrong and unknown are answered alike # security 15");
    const char *nul = "grant_type=password\0&username=a";
    door->content_type = "application/x-www-form-urlencoded";
    denied(door_call_bytes(door, "POST", "/v1/oauth/token", NULL, nul, 31), "400 invalid_request", "a bare NUL");
    door->content_type = NULL;
}

static void test_password_off(void)
{
    door->settings.password_grant = false;
    denied(form_login("ada@example.org"), "400 unsupported_grant_type", "IdentityPasswordGrant Off");
    door_answer_t answer =
        post("/v1/oauth/token", NULL, "{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... in JSON too");
    door->settings.password_grant = true;
}

/* ---- refresh_token ---------------------------------------------------------------------------------------------- */

static long long leaves(const char *session)
{
    return count(text("SELECT count(*) FROM refresh_tokens WHERE spent_at = 0 AND session_id = '%s'", session));
}

static void test_refresh(void)
{
    door_answer_t first = form_login("ada@example.org");
    const char *session = claim(&first, "sid");

    pass(60);
    door_answer_t second = form_refresh(refresh_of(&first));
    granted(second, "refresh by a form");
    is_str(members_at(&second, ""), "access_token,token_type,expires_in,refresh_token", "... answers the same members");
    is_str(claim(&second, "sid"), session, "... in the same session");
    ok(strcmp(refresh_of(&first), refresh_of(&second)) != 0, "... with another refresh token # security 35");
    is_int(leaves(session), 1, "... the one usable leaf # security 35");
    is_str(rows("SELECT action, user_id, target_id FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("REFRESH|%s|%s", ada_id, session), "... on record # security 82");
    long long records = count("SELECT count(*) FROM audit_records");
    pass(9);
    door_answer_t retry = form_refresh(refresh_of(&first));
    granted(retry, "the spent one within ten seconds");
    is_str(refresh_of(&retry), refresh_of(&second), "... gets the same successor # security 36");
    is_int(count("SELECT count(*) FROM audit_records"), records, "... which is no news");
    pass(2);
    denied(form_refresh(refresh_of(&first)), "400 invalid_grant", "later it is theft # security 36");
    is_str(rows("SELECT action, user_id, target_id FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("REFRESH_REUSED|%s|%s", ada_id, session), "... on record # security 36");
    denied(form_refresh(refresh_of(&second)), "400 invalid_grant", "... the family is dead # security 36");
    is_int(status_with(bearer_of(&second)), 401, "... its access tokens too # security 36");
}

static void test_refresh_refused(void)
{
    door_answer_t in = form_login("ada@example.org");
    const char *token = refresh_of(&in);
    const char *made_up = identity_token_make(door->pool, IDENTITY_TOKEN_REFRESH, &door->env.random);
    const char *bad[] = {"x", made_up, text("%sx", token), door_text(&in, "access_token"),
                         identity_token_make(door->pool, IDENTITY_TOKEN_RESET, &door->env.random)};
    const char *before = state();

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        denied(form_refresh(bad[i]), strlen(bad[i]) > 256 ? "400 invalid_request" : "400 invalid_grant",
               "no refresh token, %d", (int)i);
    denied(token_form("grant_type=refresh_token"), "400 invalid_request", "none at all");
    identity_headers_t cookie = {.cookie = text("identity_refresh=%s", token)};
    denied(form_with("/v1/oauth/token", cookie, "grant_type=refresh_token"), "400 invalid_request",
           "a cookie is not looked at # security 42");
    is_str(state(), before, "none of it changed a row");
    granted(form_refresh(token), "the good one is still good");
}

/* The two ways in are one family: what is spent by one is spent for the other. */
static void test_mixed(void)
{
    door_answer_t in = form_login("ada@example.org");
    const char *token = refresh_of(&in);

    door->cookie = text("identity_refresh=%s", token);
    door_answer_t by_cookie = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    accepted(by_cookie, 200, "a refresh token of the form in the cookie");
    door_answer_t by_form = form_refresh(token);
    granted(by_form, "... the same again by the form");
    ok(strstr(header(&by_cookie, "Set-Cookie"), refresh_of(&by_form)) != NULL, "... has the same successor");
}

/* Security 34. */
static void test_lifetimes(void)
{
    door_answer_t in = form_login("ada@example.org");
    apr_time_t start = door->now;

    for (int day = 6; day <= 24; day += 6) {
        door->now = start + apr_time_from_sec(day * 86400);
        in = form_refresh(refresh_of(&in));
        granted(in, "used every six days it lives on the %dth", day);
    }
    is_str(rows("SELECT idle_expires_at = expires_at FROM sessions ORDER BY id DESC LIMIT 1"), "1",
           "the idle end never lies past the absolute one # security 34");
    door->now = start + apr_time_from_sec(30 * 86400 - 60);
    in = form_refresh(refresh_of(&in));
    granted(in, "in its last minute");
    ok(json_integer_value(door_at(in.json, "expires_in")) <= 60, "... the access token ends with it # security 34");
    door->now = start + apr_time_from_sec(30 * 86400);
    denied(form_refresh(refresh_of(&in)), "400 invalid_grant", "past 30 days it is dead # security 34");
    is_int(status_with(bearer_of(&in)), 401, "... with its access token # security 34");
    in = form_login("ada@example.org");
    pass(7 * 86400 + 1);
    denied(form_refresh(refresh_of(&in)), "400 invalid_grant", "unused for seven days # security 34");
}

/* ---- client_credentials ----------------------------------------------------------------------------------------- */

#define CLIENT "grant_type=client_credentials"

static const char *by_body(const char *id, const char *secret)
{
    return text(CLIENT "&client_id=%s&client_secret=%s", id, secret);
}

static void test_client(void)
{
    const char *key = door->key, *id = key_id(key);
    const struct {
        identity_headers_t headers;
        const char *body, *what;
    } ways[] = {
        {basic(id, key), CLIENT, "HTTP Basic"},
        {basic(id, key), text(CLIENT "&client_id=%s", id), "HTTP Basic and its client_id again"},
        {no_headers, by_body(id, key), "the body"},
        {with_key(key), CLIENT, "X-API-KEY"},
        {with_key(key), text(CLIENT "&client_id=%s", id), "X-API-KEY and its client_id"},
        {with_authorization(text("ApiKey %s", key)), CLIENT, "Authorization: ApiKey"},
        {basic(text("%%61%s", id + 1), key), CLIENT, "HTTP Basic, percent-encoded as RFC 6749 has it"},
    };

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        door_answer_t answer = form_with("/v1/oauth/token", ways[i].headers, ways[i].body);
        granted(answer, "a key by %s", ways[i].what);
        is_str(members_at(&answer, ""), "access_token,token_type,expires_in", "... and nothing to refresh");
    }
    door_answer_t answer = token_form(by_body(id, key));
    is_str(claim(&answer, "sub"), id, "sub is the key");
    is_str(claim(&answer, "client_id"), id, "client_id too # security 48");
    is_str(claim(&answer, "entity_id"), door->entity_id, "entity_id is its entity");
    is_str(rows("SELECT action, user_id, target_resource_type, target_id, entity_id FROM audit_records WHERE action = "
                "'TOKEN_ISSUED'"),
           text("TOKEN_ISSUED|%s|API_KEY|%s|%s", id, id, door->entity_id), "it is on record # security 82");
    door_answer_t list = get("/v1/users", bearer_of(&answer));
    accepted(list, 200, "its token opens what the key opens");
    list = get("/v1/users", "Bearer x");
    refused(list, 401, "UNAUTHORISED", "", "... and nothing else does");
    is_int(count("SELECT count(*) FROM sessions WHERE user_id LIKE 'apik%'"), 0, "there is no session");
}

static void test_client_refused(void)
{
    const char *key = door->key, *id = key_id(key), *other = door->other_key;
    const char *made_up = identity_key_make(door->pool, id, &door->env.random);
    const struct {
        identity_headers_t headers;
        const char *body, *outcome, *what;
    } cases[] = {
        {no_headers, CLIENT, "401 invalid_client", "no credential"},
        {no_headers, text(CLIENT "&client_id=%s", id), "401 invalid_client", "an id alone"},
        {no_headers, text(CLIENT "&client_secret=%s", key), "401 invalid_client", "a secret alone"},
        {no_headers, by_body(key_id(other), key), "401 invalid_client", "another key's id"},
        {no_headers, by_body(id, made_up), "401 invalid_client", "a key that was made up"},
        {no_headers, by_body(id, "x"), "401 invalid_client", "what is no key"},
        {basic(id, "x"), CLIENT, "401 invalid_client", "what is no key by Basic"},
        {basic("", key), CLIENT, "401 invalid_client", "no id by Basic"},
        {basic(key_id(other), key), CLIENT, "401 invalid_client", "another key's id by Basic"},
        {with_authorization("Basic !!!"), CLIENT, "401 invalid_client", "no base64"},
        {with_authorization("Basic"), CLIENT, "401 invalid_client", "Basic and nothing"},
        {with_authorization("Basic eA=="), CLIENT, "401 invalid_client", "no colon"},
        {with_authorization("Bearer x"), CLIENT, "401 invalid_client", "a bearer"},
        {with_authorization("Digest x"), CLIENT, "401 invalid_client", "another scheme"},
        {with_key("x"), CLIENT, "401 invalid_client", "no key in X-API-KEY"},
        {basic(id, key), by_body(id, key), "400 invalid_request", "Basic and body # security 43"},
        {with_key(key), by_body(id, key), "400 invalid_request", "header and body # security 43"},
        {basic(id, key), text(CLIENT "&client_id=%s", key_id(other)), "400 invalid_request", "two ids"},
        {basic(id, "x"), "grant_type=refresh_token&refresh_token=x", "401 invalid_client",
         "a wrong client, whatever the grant"},
    };

    get("/v1/roles?limit=1", key);
    const char *before = state();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        denied(form_with("/v1/oauth/token", cases[i].headers, cases[i].body), cases[i].outcome, "a client with %s",
               cases[i].what);
    identity_headers_t both = basic(id, key);
    both.api_key = key;
    denied(form_with("/v1/oauth/token", both, CLIENT), "400 invalid_request", "a client in two headers # security 43");
    is_str(state(), before, "none of it changed a row");
    door_answer_t answer = form_with("/v1/oauth/token", basic(id, "x"), CLIENT);
    is_str(header(&answer, "WWW-Authenticate"), "Basic realm=\"identity\"", "the challenge is Basic # security 45");
}

/* A key's token is the key's shadow: it holds what that holds now, and as long as that. */
static void test_client_token(void)
{
    door_answer_t made = post("/v1/api-keys", door->key, "{\"role_type\":\"READ_ONLY\"}");
    const char *key = door_text(&made, "api_key"), *id = door_text(&made, "id");
    door_answer_t answer = token_form(by_body(id, key));
    const char *bearer = bearer_of(&answer);

    is_int(status_with(bearer), 200, "a READ_ONLY key's token reads");
    answer = post("/v1/roles", bearer, "{\"name\":\"No\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... and no more # security 58");
    is_str(header(&answer, "WWW-Authenticate"),
           "Bearer realm=\"identity\", error=\"insufficient_scope\", scope=\"ROLE.CREATE\"", "... # security 44");
    change(text("UPDATE api_keys SET narrowed = 1 WHERE id = '%s'", id));
    is_int(status_with(bearer), 403, "narrowed with the key # security 37");
    change(text("UPDATE api_keys SET narrowed = 0, active = 0 WHERE id = '%s'", id));
    answer = get("/v1/users", bearer);
    refused(answer, 401, "UNAUTHORISED", "", "dead with the key # security 37");
    denied(token_form(by_body(id, key)), "401 invalid_client", "... which gets no other");
    change(text("UPDATE api_keys SET active = 1, expires_at = %" APR_INT64_T_FMT " WHERE id = '%s'",
                (apr_int64_t)(door->now + apr_time_from_sec(100)), id));
    answer = token_form(by_body(id, key));
    ok(json_integer_value(door_at(answer.json, "expires_in")) <= 100, "no longer than the key # security 55");
    pass(101);
    is_int(status_with(bearer), 401, "... at whose end it ends # security 55");
    change(text("UPDATE api_keys SET expires_at = 0, entity_id = '%s' WHERE id = '%s'", door->other_entity_id, id));
    is_int(status_with(bearer), 401, "never in another entity");
    change(text("UPDATE api_keys SET entity_id = '%s' WHERE id = '%s'", door->entity_id, id));
    is_int(status_with(bearer), 200, "there again");
    pass(900);
    is_int(status_with(bearer), 401, "until its time is up");
    answer = post("/v1/oauth/logout", bearer_of(&answer), NULL);
    is_int(answer.status, 401, "there is nothing to log out of");
}

/* security 58, 62: the token may not do what the key may not. */
static void test_client_limits(void)
{
    door_answer_t answer = token_form(by_body(key_id(door->key), door->key));
    const char *bearer = bearer_of(&answer);

    door_answer_t made = post("/v1/api-keys", door->key, "{\"role_type\":\"READ_ONLY\"}");
    door_answer_t token = token_form(by_body(door_text(&made, "id"), door_text(&made, "api_key")));
    refused(patch(text("/v1/users/%s", ada_id), bearer_of(&token), "{\"password\":\"Another1one\"}"), 403,
            "USER_NOT_ALLOWED", "", "a person's password is not every key's to change # security 58");
    change(text("UPDATE api_keys SET last_used_at = 0 WHERE id = '%s'", key_id(door->key)));
    get("/v1/roles?limit=1", bearer);
    ok(count(text("SELECT last_used_at FROM api_keys WHERE id = '%s'", key_id(door->key))) > 0,
       "use of the token is use of the key # security 55");
}

/* ---- the two forms side by side --------------------------------------------------------------------------------- */

static door_answer_t typed(const char *type, const char *body)
{
    identity_headers_t headers = {.content_type = type};
    return call_with("POST", "/v1/oauth/token", headers, true, false, body);
}

static void test_types(void)
{
    const char *form_body = "grant_type=password&username=ada@example.org&password=" PASSWORD;
    const char *json_body = "{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}";
    static const char *const fine[] = {"application/x-www-form-urlencoded; charset=UTF-8",
                                       "Application/X-WWW-Form-Urlencoded"};

    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        granted(typed(fine[i], form_body), "%s # security 45", fine[i]);
    door_answer_t answer = typed("application/json", json_body);
    accepted(answer, 200, "JSON on the same route");
    ok(header(&answer, "Set-Cookie") && !door_text(&answer, "refresh_token"), "... with the cookie, not in the body");
    answer = typed("application/json", form_body);
    refused(answer, 400, "BAD_REQUEST", "", "a form that says JSON");
    answer = typed("text/plain", form_body);
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "", "another type # security 74");
    ok(strstr(door_text(&answer, "message"), "application/x-www-form-urlencoded"), "... is told both");
    answer = typed("multipart/form-data; boundary=x", form_body);
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "", "multipart # security 74");
    denied(typed("application/x-www-form-urlencoded", NULL), "400 invalid_request", "a form without a body");
    char *large = apr_palloc(door->pool, 70001);
    memset(large, 'a', 70000);
    large[70000] = '\0';
    denied(token_form(large), "413 invalid_request", "too large a form # security 74");
    door->content_type = "application/x-www-form-urlencoded";
    answer = post("/v1/roles", door->key, "name=Form");
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "", "a form is taken nowhere else # security 74");
    answer = post("/v1/oauth/request-password-reset", NULL, "email=ada@example.org");
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "", "... nor by the calls beside it # security 74");
    door->content_type = NULL;
}

/* security 43 */
static void test_no_bearer_in_forms(void)
{
    const char *bearer = login("ada@example.org");
    door_answer_t answer = get(text("/v1/users?access_token=%s", bearer + 7), NULL);

    refused(answer, 401, "UNAUTHORISED", "", "a token in the query is not read # security 43");
    denied(form("/v1/oauth/introspect", text("token=x&access_token=%s", bearer + 7)), "401 invalid_client",
           "nor one in a form # security 43");
}

static void test_transport(void)
{
    identity_headers_t headers = {.content_type = "application/x-www-form-urlencoded"};
    const char *body = "grant_type=password&username=ada@example.org&password=" PASSWORD;

    denied(call_with("POST", "/v1/oauth/token", headers, false, false, body), "403 access_denied", "without TLS");
    granted(call_with("POST", "/v1/oauth/token", headers, false, true, body), "over loopback");
}

/* Failures of both forms count together; what cannot be guessed is not held up by them (security 12). */
static void test_limits(void)
{
    door_answer_t in;
    const char *wrong = "grant_type=password&username=ada@example.org&password=Wrong1password";

    pass(40 * 86400);
    in = form_login("ada@example.org");
    door->settings.rates.of[IDENTITY_RATE_LOGIN] = (identity_rate_t){3, apr_time_from_sec(60)};
    denied(token_form(wrong), "400 invalid_grant", "a failure");
    post("/v1/oauth/token", NULL, "{\"username\":\"ada@example.org\",\"password\":\"x\"}");
    denied(token_form(wrong), "400 invalid_grant", "... the third, with one in JSON");
    door_answer_t answer = token_form(wrong);
    denied(answer, "429 temporarily_unavailable", "the next is throttled # security 12, 80");
    ok(strtol(header(&answer, "Retry-After"), NULL, 10) > 0, "... and told for how long");
    is_int(answer.statements, 0, "... at no cost of the database");
    denied(form_login("ada@example.org"), "429 temporarily_unavailable", "the right password too # security 13");
    granted(form_refresh(refresh_of(&in)), "a refresh token goes on");
    granted(token_form(by_body(key_id(door->key), door->key)), "... and so does a key");
    door->settings.rates.of[IDENTITY_RATE_LOGIN] = (identity_rate_t){0, 0};
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    test_password();
    test_password_refused();
    test_password_off();
    test_refresh();
    test_refresh_refused();
    test_mixed();
    test_client();
    test_client_refused();
    test_client_token();
    test_client_limits();
    test_types();
    test_no_bearer_in_forms();
    test_transport();
    test_lifetimes();
    test_limits();
    return serve_end();
}
