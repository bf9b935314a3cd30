/* SPDX-License-Identifier: Apache-2.0 */
/* What every call has in common: addresses, methods, credentials, transport, the account a call acts on. */
#include "serve.h"

#define UNKNOWN_ID "00000000000000000000"

/* ---- addresses and methods -------------------------------------------------------------------------------------- */

static void test_addresses(void)
{
    static const char *const unknown[] = {"/",
                                          "/v1",
                                          "/v1/",
                                          "/v1/nothing",
                                          "/v1/users/",
                                          "/v1/users/search/",
                                          "//v1/users",
                                          "/V1/users",
                                          "/v1/Users",
                                          "/v1//users",
                                          "/v1/oauth",
                                          "/v1/users/user_" UNKNOWN_ID "/nothing",
                                          "/v1/users/user_" UNKNOWN_ID "/memberships/memb_" UNKNOWN_ID "/x",
                                          "/x",
                                          "*",
                                          ""};
    static const char *const versions[] = {"/v2/users", "/vx/a", "/v2", "/v10/users", "/v0/roles"};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        door_answer_t answer = get(unknown[i], door->key);
        refused(answer, 404, "RESOURCE_NOT_FOUND", "", "nothing at \"%s\"", unknown[i]);
    }
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        door_answer_t answer = get(versions[i], NULL);
        refused(answer, 404, "UNSUPPORTED_VERSION", "", "another version: %s", versions[i]);
    }
    door_answer_t answer = get("/v1/nothing", "not a key");
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "and nobody is asked who they are there");
    is_int(answer.statements, 0, "nor the database");
}

static const struct {
    const char *path, *allow;
} paths[] = {{"/v1/oauth/token", "POST, OPTIONS"},
             {"/v1/oauth/refresh-token", "POST, OPTIONS"},
             {"/v1/oauth/logout", "POST, OPTIONS"},
             {"/v1/oauth/request-password-reset", "POST, OPTIONS"},
             {"/v1/oauth/reset-password", "GET, HEAD, POST, OPTIONS"},
             {"/v1/oauth/confirm-address", "GET, HEAD, POST, OPTIONS"},
             {"/v1/oauth/activate-user", "GET, HEAD, POST, OPTIONS"},
             {"/v1/oauth/sign-in", "GET, HEAD, POST, OPTIONS"},
             {"/v1/oauth/sign-out", "GET, HEAD, POST, OPTIONS"},
             {"/v1/users", "GET, HEAD, POST, OPTIONS"},
             {"/v1/users/search", "GET, HEAD, OPTIONS"},
             {"/v1/users/invite", "POST, OPTIONS"},
             {"/v1/users/revoke-invite", "POST, OPTIONS"},
             {"/v1/users/user_" UNKNOWN_ID "/restore", "POST, OPTIONS"},
             {"/v1/users/user_" UNKNOWN_ID "/link", "POST, OPTIONS"},
             {"/v1/users/user_" UNKNOWN_ID "/memberships", "GET, HEAD, POST, OPTIONS"},
             {"/v1/roles", "GET, HEAD, POST, OPTIONS"},
             {"/v1/api-keys", "GET, HEAD, POST, OPTIONS"}};

static void test_methods(void)
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        door_answer_t answer = door_call(door, "DELETE", paths[i].path, NULL, NULL);
        refused(answer, 405, "INVALID_OPERATION", "", "DELETE %s", paths[i].path);
        is_str(header(&answer, "Allow"), paths[i].allow, "... says what it answers # security 76");
        answer = door_call(door, "OPTIONS", paths[i].path, NULL, NULL);
        is_int(answer.status, 204, "OPTIONS %s", paths[i].path);
        is_str(header(&answer, "Allow"), paths[i].allow, "... says it too");
        ok(!answer.content_type && answer.length == 0, "... without a body");
        is_int(answer.statements, 0, "... and without the database");
    }
    door_answer_t answer = door_call(door, "OPTIONS", "/v1/nothing", NULL, NULL);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "OPTIONS of nothing");
    answer = patch("/v1/users/search", door->key, "{}");
    refused(answer, 405, "INVALID_OPERATION", "",
            "the literal segment wins: PATCH of users/search is no PATCH of a user");
    answer = get("/v1/users/invite", door->key);
    refused(answer, 405, "INVALID_OPERATION", "", "nor is GET of users/invite a GET of one");
    answer = door_call(door, "get", "/v1/users", door->key, NULL);
    refused(answer, 405, "INVALID_OPERATION", "", "methods are written in capitals");
}

static void test_head(void)
{
    door_answer_t whole = get("/v1/users/search", door->key),
                  head = door_call(door, "HEAD", "/v1/users/search", door->key, NULL);

    accepted(whole, 200, "GET");
    accepted(head, 200, "HEAD works where GET does");
    is_int(head.length, whole.length, "... with the same length");
    head = door_call(door, "HEAD", "/v1/users/search", NULL, NULL);
    refused(head, 401, "UNAUTHORISED", "", "and is no way around the credential");
}

/* ---- credentials ------------------------------------------------------------------------------------------------ */

static door_answer_t users_with(const char *key, const char *authorization)
{
    return call_with("GET", "/v1/users/search", (identity_headers_t){.api_key = key, .authorization = authorization},
                     true, false, NULL);
}

#define REALM "Bearer realm=\"identity\""

static void test_absent_and_wrong(void)
{
    const char *key_id = identity_key_id(door->pool, door->key);
    const char *bad_keys[] = {"x",
                              "idk_",
                              text("%sx", door->key),
                              apr_pstrndup(door->pool, door->key, strlen(door->key) - 1),
                              identity_key_make(door->pool, key_id, &door->env.random),
                              identity_key_make(door->pool, "apik_" UNKNOWN_ID, &door->env.random),
                              key_id};
    const char *bad_bearers[] = {"Bearer x", "Bearer ", "bearer a.b.c", text("Bearer %s", door->key)};
    const char *others[] = {"Basic YTpi", "Bearer", "ApiKey", "ApiKey ", "Digest x", text("ApiKey :%s", door->key),
                            "x"};

    door_answer_t answer = users_with(NULL, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "no credential");
    is_str(header(&answer, "WWW-Authenticate"), REALM, "no error where none was sent # security 44");
    is_int(answer.statements, 0, "and no look at the database");
    for (size_t i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
        answer = users_with(bad_keys[i], NULL);
        refused(answer, 401, "UNAUTHORISED", "", "a bad key, %d # security 53", (int)i);
        is_str(header(&answer, "WWW-Authenticate"), REALM, "... is no bad bearer");
    }
    for (size_t i = 0; i < sizeof bad_bearers / sizeof bad_bearers[0]; i++) {
        answer = users_with(NULL, bad_bearers[i]);
        refused(answer, 401, "UNAUTHORISED", "", "a bad bearer, %d", (int)i);
        is_str(header(&answer, "WWW-Authenticate"), REALM ", error=\"invalid_token\"", "... is told so # security 44");
        is_int(answer.statements, 0, "... and costs the database nothing");
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        answer = users_with(NULL, others[i]);
        refused(answer, 401, "UNAUTHORISED", "", "another scheme, %d", (int)i);
    }
}

static void test_forms(void)
{
    const char *key = door->key, *bearer = login("ada@example.org");
    const struct {
        const char *key, *authorization, *what;
    } good[] = {{key, NULL, "X-API-KEY"},
                {NULL, text("ApiKey %s", key), "Authorization: ApiKey"},
                {NULL, text("apikey %s", key), "... in any case"},
                {NULL, bearer, "Authorization: Bearer"},
                {NULL, text("BEARER  %s", bearer + 7), "... in any case and with more blanks"},
                {"", bearer, "an empty X-API-KEY counts as absent"},
                {key, "", "an empty Authorization counts as absent"}},
      two[] = {{key, bearer, "a key and a bearer"},
               {key, text("ApiKey %s", key), "the same key twice"},
               {"x", "y", "two bad ones"}};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        door_answer_t answer = users_with(good[i].key, good[i].authorization);
        accepted(answer, 200, "%s", good[i].what);
    }
    for (size_t i = 0; i < sizeof two / sizeof two[0]; i++) {
        door_answer_t answer = users_with(two[i].key, two[i].authorization);
        refused(answer, 400, "BAD_REQUEST", "", "%s # security 43", two[i].what);
        is_str(header(&answer, "WWW-Authenticate"), REALM ", error=\"invalid_request\"", "... # security 44");
        is_int(answer.statements, 0, "... costs the database nothing");
    }
    door_answer_t answer = users_with("", "");
    refused(answer, 401, "UNAUTHORISED", "", "two empty ones are none");
    is_str(header(&answer, "WWW-Authenticate"), REALM, "... # security 44");
    answer = get(text("/v1/users?access_token=%s&api_key=%s&token=%s", bearer + 7, key, bearer + 7), NULL);
    refused(answer, 401, "UNAUTHORISED", "", "credentials in the query are never read # security 43");
}

static void test_scope(void)
{
    const char *bearer = login("bob@example.org");

    door_answer_t answer = get("/v1/users", bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a permission lacks");
    is_str(header(&answer, "WWW-Authenticate"), REALM ", error=\"insufficient_scope\", scope=\"USER.MORTAL.VIEW\"",
           "and is named # security 44");
    answer = post("/v1/roles", door->read_key, "{\"name\":\"x\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a key that lacks one");
    is_str(header(&answer, "WWW-Authenticate"), NULL, "is no bearer");
}

/* ---- transport -------------------------------------------------------------------------------------------------- */

static void test_transport(void)
{
    const identity_headers_t key = {.api_key = door->key}, none = {.api_key = NULL},
                             bearer = {.authorization = login("ada@example.org")};

    door_answer_t answer = call_with("GET", "/v1/users", key, false, false, NULL);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a key over plain HTTP");
    ok(strstr(door_text(&answer, "message"), "TLS"), "... is told that TLS is needed");
    is_int(answer.statements, 0, "... and not looked at");
    answer = call_with("GET", "/v1/users", bearer, false, false, NULL);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a bearer over plain HTTP");
    is_str(header(&answer, "WWW-Authenticate"), NULL, "... lacks no scope # security 44");
    answer = call_with("POST", "/v1/oauth/token", none, false, false, NULL);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a password over plain HTTP");
    answer = call_with("GET", "/v1/users", none, false, false, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "without a credential there is none to refuse");
    answer = call_with("GET", "/v1/oauth/activate-user", none, false, false, NULL);
    is_int(answer.status, 200, "a page carries none");
    answer = call_with("GET", "/v1/users", key, false, true, NULL);
    accepted(answer, 200, "loopback is exempt");
    door->settings.require_tls = false;
    answer = call_with("GET", "/v1/users", key, false, false, NULL);
    accepted(answer, 200, "IdentityRequireTLS Off");
    answer = call_with("POST", "/v1/oauth/token", none, false, false, NULL);
    refused(answer, 400, "BAD_REQUEST", "", "... for passwords too");
    door->settings.require_tls = true;
    answer = call_with("GET", "/v1/users", key, true, false, NULL);
    accepted(answer, 200, "TLS");
}

/* ---- x-platform-id ---------------------------------------------------------------------------------------------- */

static void test_platform(void)
{
    const char *foreign[] = {
        door->second_account_id, door->other_account_id, "plat_" UNKNOWN_ID, "default", "' OR 1=1 --", "plat_",
        door->entity_id};
    const char *ada = login("ada@example.org"), *first = NULL;

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        door->platform_id = foreign[i];
        door_answer_t answer = get("/v1/users", ada);
        refused(answer, 403, "USER_NOT_ALLOWED", "", "x-platform-id without a membership there: %s", foreign[i]);
        is_str(answer.text, first ? first : answer.text, "... answered as all the others");
        first = answer.text;
        answer = get("/v1/users", door->other_key);
        if (i != 1) {
            refused(answer, 403, "USER_NOT_ALLOWED", "", "the same for a key of another entity");
            is_str(answer.text, first, "... in the same words");
        }
    }
    door->platform_id = door->account_id;
    door_answer_t answer = get("/v1/users", ada);
    accepted(answer, 200, "the account of the caller's membership");
    answer = get("/v1/users", door->key);
    accepted(answer, 200, "an account of the key's entity");
    door->platform_id = door->second_account_id;
    answer = get("/v1/users", door->key);
    accepted(answer, 200, "the other one");
    door->platform_id = NULL;
}

static void test_several_accounts(void)
{
    const char *both = text("[%s,%s]", member(door->account_id, "ADMIN", ""),
                            member(door->second_account_id, "USER", named("Role Viewer")));
    door_person(door, "both@example.org", PASSWORD, both);
    const char *bearer = login("both@example.org");

    door_answer_t answer = get("/v1/users", bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "",
            "with several accounts and none named: what all of them permit, no union");
    answer = get("/v1/roles?limit=1", bearer);
    accepted(answer, 200, "... which is what both hold");
    door->platform_id = door->account_id;
    answer = get("/v1/users", bearer);
    accepted(answer, 200, "in the one, everything");
    door->platform_id = door->second_account_id;
    answer = get("/v1/users", bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "in the other, what is held there");
    door->platform_id = NULL;
}

/* ---- headers of every answer ------------------------------------------------------------------------------------ */

static void test_headers(void)
{
    const door_answer_t answers[] = {get("/v1/users", door->key),
                                     get("/v1/users", NULL),
                                     get("/v1/nothing", NULL),
                                     door_call(door, "OPTIONS", "/v1/users", NULL, NULL),
                                     door_call(door, "DELETE", "/v1/users", NULL, NULL),
                                     get("/v1/oauth/activate-user", NULL),
                                     post("/v1/users/invite", door->key, "{"),
                                     post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"x\"}")};
    const char *before = "";

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const char *id = header(&answers[i], "X-REQUEST-ID");
        ok(id && identity_id_valid(id, "reqr"), "%d carries a request id", answers[i].status);
        ok(id && strcmp(id, before) != 0, "... of its own");
        is_str(header(&answers[i], "Cache-Control"), "no-store", "... and is not to be kept # security 31");
        is_str(header(&answers[i], "X-Content-Type-Options"), "nosniff", "... nor guessed at");
        before = id;
    }
}

/* ---- what httpd refuses ----------------------------------------------------------------------------------------- */

/* As errors.c asks: authentication has refused with one status, and httpd answers with that one or another. */
static door_answer_t refused_with(const char *path, const char *key, int status)
{
    identity_request_t in = {
        .method = "GET", .path = path, .headers.api_key = key, .client_address = "192.0.2.7", .secure = true};
    identity_authentication_t authentication;
    identity_response_t out;

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &authentication);
    identity_serve_refused(door->pool, &door->env, &in, &authentication, status, &out);
    door_answer_t answer = {.status = out.status, .text = out.body, .length = out.length, .headers = out.headers};
    answer.json = identity_json_own(door->pool, json_loadb(out.body, out.length, JSON_DECODE_ANY, NULL));
    return answer;
}

/* Issue 12, item 3: a request is refused in one place, whoever refuses it. */
static void test_refusals(void)
{
    door_answer_t served = get("/v1/users", "not a key"), answer = refused_with("/v1/users", "not a key", 401);
    identity_response_t out;

    is_str(answer.text, served.text, "authentication's refusal has its own words");
    is_str(headers_of(&answer), headers_of(&served), "... and headers");
    answer = refused_with("/v1/users", "not a key", 403);
    is_int(answer.status, 403, "what httpd refuses otherwise keeps httpd's status");
    ok(strstr(answer.text, "USER_NOT_ALLOWED") != NULL, "... and is told as that");
    is_str(header(&answer, "WWW-Authenticate"), NULL, "... without a challenge");
    answer = refused_with("/v1/users", door->key, 503);
    is_str(header(&answer, "Retry-After"), "1", "503 says when to come again");
    identity_serve_refused(door->pool, &door->env, NULL, NULL, 414, &out);
    is_int(out.status, 414, "before the request is known, too");
    is_str(apr_table_get(out.headers, "Cache-Control"), "no-store", "... with the headers of every answer");
}

/* route search_users list_users create_role activate_user_page */
int main(void)
{
    serve_begin();
    person_with("ada@example.org", "ADMIN", "");
    person_with("bob@example.org", "USER", named("Quote Viewer"));
    test_addresses();
    test_methods();
    test_head();
    test_absent_and_wrong();
    test_forms();
    test_scope();
    test_transport();
    test_platform();
    test_several_accounts();
    test_headers();
    test_refusals();
    return serve_end();
}
