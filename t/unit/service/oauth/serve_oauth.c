/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/token, what its token opens and for how long, and the two pages. route obtain_token */
#include "serve.h"

#define WRONG "The username or password is wrong."

static const char *ada_id;

static door_answer_t sign_in(const char *username, const char *password)
{
    return post("/v1/oauth/token", NULL, text("{\"username\":\"%s\",\"password\":\"%s\"}", username, password));
}

/* ---- the token -------------------------------------------------------------------------------------------------- */

static json_t *part_of(const char *token, int part)
{
    size_t size;
    for (; part > 0; part--)
        token = strchr(token, '.') + 1;
    const unsigned char *decoded =
        identity_base64url_decode(door->pool, apr_pstrmemdup(door->pool, token, strcspn(token, ".")), &size);
    return identity_json_own(door->pool, json_loadb((const char *)decoded, size, 0, NULL));
}

static void test_token(void)
{
    apr_int64_t issued = apr_time_sec(door->now);
    door_answer_t answer = sign_in("ADA@example.org", PASSWORD);

    accepted(answer, 200, "sign in, the name in any case");
    is_str(members_at(&answer, ""), "issued_at,access_token,expires_in,expires_at,token_type,scope,id_token",
           "Token: members and their order");
    is_str(door_text(&answer, "issued_at"), identity_time_format(door->pool, apr_time_from_sec(issued)), "issued now");
    is_str(json_at(&answer, "expires_in"), "900", "... for 15 minutes # security 34");
    is_str(door_text(&answer, "expires_at"), identity_time_format(door->pool, apr_time_from_sec(issued + 900)),
           "... to then");
    is_str(door_text(&answer, "token_type"), "Bearer", "... as Bearer");
    is_str(json_at(&answer, "scope"), "null", "... no scope");
    is_str(json_at(&answer, "id_token"), "null", "... no id_token");
    const char *token = door_text(&answer, "access_token");
    json_t *head = part_of(token, 0), *claims = part_of(token, 1);
    is_str(json_string_value(json_object_get(head, "typ")), "at+jwt", "typ # security 48");
    is_str(json_string_value(json_object_get(head, "alg")), "ES256", "alg # security 48");
    is_str(json_string_value(json_object_get(head, "kid")), identity_keyset_kid(door->env.keys, 0),
           "kid # security 48");
    is_str(json_string_value(json_object_get(claims, "iss")), "https://id.example.org", "iss # security 48");
    is_str(json_string_value(json_object_get(claims, "aud")), "https://id.example.org", "aud # security 48");
    is_str(json_string_value(json_object_get(claims, "sub")), ada_id, "sub # security 48");
    is_str(json_string_value(json_object_get(claims, "entity_id")), door->entity_id, "entity_id");
    is_int(json_integer_value(json_object_get(claims, "iat")), issued, "iat # security 48");
    is_int(json_integer_value(json_object_get(claims, "exp")), issued + 900, "exp # security 48");
    is_str(json_string_value(json_object_get(claims, "sid")), rows("SELECT max(id) FROM sessions"), "sid, the session");
    ok(json_object_get(claims, "jti") && json_object_get(claims, "client_id"), "jti, client_id # security 48");
    is_int(json_object_size(claims), 9, "and nothing else: no roles");
}

#define HELD "; Path=/v1/oauth; Max-Age=604800; HttpOnly"

/* Secure is left off only on plain HTTP over loopback, and not behind a proxy that ends TLS there. */
static void test_plain_cookie(void)
{
    const identity_headers_t none = {.api_key = NULL};
    const char *body = "{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}",
               *url = door->settings.public_url;

    door_answer_t answer = call_with("POST", "/v1/oauth/token", none, false, true, body);
    is_str(strchr(header(&answer, "Set-Cookie"), ';'), HELD "; Secure; SameSite=Strict",
           "loopback behind https # security 41");
    door->settings.public_url = "http://127.0.0.1:8080";
    answer = call_with("POST", "/v1/oauth/token", none, false, true, body);
    is_str(strchr(header(&answer, "Set-Cookie"), ';'), HELD "; SameSite=Strict", "loopback without TLS: no Secure");
    answer = call_with("POST", "/v1/oauth/token", none, true, true, body);
    is_str(strchr(header(&answer, "Set-Cookie"), ';'), HELD "; Secure; SameSite=Strict", "loopback with TLS");
    door->settings.require_tls = false;
    answer = call_with("POST", "/v1/oauth/token", none, false, false, body);
    is_str(strchr(header(&answer, "Set-Cookie"), ';'), HELD "; Secure; SameSite=Strict",
           "elsewhere always # security 41");
    door->settings.require_tls = true;
    door->settings.public_url = url;
}

static void test_cookie(void)
{
    door_answer_t answer = sign_in("ada@example.org", PASSWORD);
    const char *cookie = header(&answer, "Set-Cookie");
    const char *value = apr_pstrmemdup(door->pool, cookie + 17, strcspn(cookie + 17, ";"));

    ok(strncmp(cookie, "identity_refresh=", 17) == 0 && identity_token_valid(value, IDENTITY_TOKEN_REFRESH),
       "the refresh token is a cookie # security 33");
    is_str(cookie + strcspn(cookie, ";"), HELD "; Secure; SameSite=Strict",
           "... for oauth alone, unseen by scripts and other sites # security 41");
    ok(strlen(cookie) <= 200, "... and short # security 41");
    is_int(count(text("SELECT count(*) FROM refresh_tokens WHERE digest = '%s'",
                      identity_token_digest(door->pool, value))),
           1, "... stored as its digest # security 33");
    test_plain_cookie();
}

/* ---- refusals: all alike ---------------------------------------------------------------------------------------- */

static void test_alike(void)
{
    static const struct {
        const char *username, *password, *what;
    } cases[] = {{"ada@example.org", "Wrong1password", "a wrong password"},
                 {"unknown@example.org", PASSWORD, "an unknown name"},
                 {"invited@example.org", PASSWORD, "somebody INVITED"},
                 {"revoked@example.org", PASSWORD, "somebody INVITE_REVOKED"},
                 {"idle@example.org", PASSWORD, "somebody INACTIVE"},
                 {"ada@example.org", "", "an empty password"},
                 {"ada@example.org", "correct1horse", "another case # security 3"},
                 {"ada@example.org", PASSWORD " ", "a blank behind # security 3"},
                 {"ada@example.org", PASSWORD "x", "one character more # security 3"},
                 {"", PASSWORD, "an empty name"},
                 {"' OR 1=1 --", PASSWORD, "SQL # security 78"}};
    const char *body = NULL, *headers = NULL;
    unsigned long statements = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long long failures = count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'LOGIN_FAILED'");
        long long others = count("SELECT count(*) FROM audit_records WHERE action <> 'LOGIN_FAILED'");
        door_answer_t answer = sign_in(cases[i].username, cases[i].password);
        refused(answer, 401, "UNAUTHORISED", "", "%s", cases[i].what);
        is_str(answer.text, body ? body : answer.text, "... the same body # security 15");
        is_str(headers_of(&answer), headers ? headers : headers_of(&answer), "... the same headers # security 15");
        is_int(answer.statements, statements ? statements : answer.statements, "... the same statements # security 16");
        is_int(count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'LOGIN_FAILED'"), failures + 1,
               "... one audit record # security 82");
        is_int(count("SELECT count(*) FROM audit_records WHERE action <> 'LOGIN_FAILED'"), others, "... and no other");
        body = answer.text;
        headers = headers_of(&answer);
        statements = answer.statements;
    }
    ok(strstr(body, WRONG), "one sentence for all");
    is_str(rows("SELECT count(*) FROM audit_records WHERE action = 'LOGIN_FAILED' AND message LIKE '%1%'"), "0",
           "no password stands in an audit record # security 20");
    const char *longest = text("A1%01030d", 0);
    door_answer_t answer = sign_in("ada@example.org", longest), other = sign_in("unknown@example.org", longest);
    refused(answer, 400, "INVALID_FIELD", "password", "over 1,024 bytes nothing is hashed # security 4");
    is_str(other.text, answer.text, "... for nobody # security 15");
}

static void test_gate(void)
{
    const char *before = state();

    door->refuse_hash = true;
    door_answer_t answer = sign_in("ada@example.org", PASSWORD), other = sign_in("unknown@example.org", PASSWORD);
    door->refuse_hash = false;
    refused(answer, 503, "INTERNAL_ERROR", "", "a full hash gate # security 17");
    is_str(header(&answer, "Retry-After"), "1", "... come again in a second");
    is_str(other.text, answer.text, "... for unknown names too # security 15");
    is_str(state(), before, "... nothing is recorded");
    /* An equal request is being hashed: what it finds out holds for this one, without a hash of its own. */
    door->hash_result = IDENTITY_HASH_WRONG;
    answer = sign_in("ada@example.org", PASSWORD);
    other = sign_in("unknown@example.org", PASSWORD);
    door->hash_result = IDENTITY_HASH_UNKNOWN;
    refused(answer, 401, "UNAUTHORISED", "", "A5: a shared hash that was wrong");
    is_str(other.text, answer.text, "A5: ... for unknown names too");
    door->hash_result = IDENTITY_HASH_RIGHT;
    accepted(sign_in("ada@example.org", PASSWORD), 200, "A5: a shared hash that was right");
    other = sign_in("unknown@example.org", PASSWORD);
    door->hash_result = IDENTITY_HASH_UNKNOWN;
    refused(other, 401, "UNAUTHORISED", "", "A5: ... lets nobody in who is no user");
    accepted(sign_in("Ada@Example.org", PASSWORD), 200, "a hash of its own");
    is_int(door->hash_told, IDENTITY_HASH_RIGHT, "A5: those who share it are told that it was right");
    is_str(door->hash_account, "ada@example.org", "A5: it waits for the account, however it was written");
    refused(sign_in("ada@example.org", "Wrong1Horse"), 401, "UNAUTHORISED", "", "a wrong password");
    is_int(door->hash_told, IDENTITY_HASH_WRONG, "A5: ... that it was wrong");
    refused(sign_in("unknown@example.org", PASSWORD), 401, "UNAUTHORISED", "", "an unknown name");
    is_str(door->hash_account, "unknown@example.org", "A5: ... waits for a name alike");
    is_int(door->hash_told, IDENTITY_HASH_WRONG, "A5: ... and is told alike");
    door->settings.password_grant = false;
    answer = sign_in("ada@example.org", PASSWORD);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "IdentityPasswordGrant Off");
    is_int(answer.statements, 0, "... asks nobody");
    door->settings.password_grant = true;
}

/* ---- hashes ----------------------------------------------------------------------------------------------------- */

static void test_rehash(void)
{
    const identity_hash_parameters_t weak = {8192, 1}, quick = door->settings.hash;
    const char *hash = identity_password_hash(door->pool, &weak, PASSWORD);

    door->settings.hash = (identity_hash_parameters_t){IDENTITY_HASH_MEMORY_MIN, IDENTITY_HASH_PASSES_MIN};
    change(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", hash, ada_id));
    door_answer_t answer = sign_in("ada@example.org", "Wrong1password");
    is_str(rows(text("SELECT password_hash FROM users WHERE id = '%s'", ada_id)), hash,
           "a wrong password replaces no hash");
    answer = sign_in("ada@example.org", PASSWORD);
    accepted(answer, 200, "a weaker hash is good once more # security 8");
    const char *fresh = rows(text("SELECT password_hash FROM users WHERE id = '%s'", ada_id));
    ok(strncmp(fresh, "$argon2id$v=19$m=19456,t=2,p=1$", 31) == 0, "... and replaced in the same login # security 8");
    answer = sign_in("ada@example.org", PASSWORD);
    accepted(answer, 200, "... by one of the same password");
    is_str(rows(text("SELECT password_hash FROM users WHERE id = '%s'", ada_id)), fresh, "... which stays");
    door->settings.hash = quick;
}

static const char *meanwhile;

static bool enter_with_change(void *context)
{
    (void)context;
    door->env.enter_write = NULL;
    change(meanwhile);
    return true;
}

/* Signs in while, after the password was verified, somebody does this. */
static door_answer_t sign_in_while(const char *sql)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;

    meanwhile = sql;
    door->env.enter_write = enter_with_change;
    door->env.leave_write = NULL;
    door_answer_t answer = sign_in("ada@example.org", PASSWORD);
    door->env.enter_write = enter;
    door->env.leave_write = leave;
    return answer;
}

static void test_meeting(void)
{
    const char *same = identity_password_hash(door->pool, &door->settings.hash, PASSWORD),
               *other = identity_password_hash(door->pool, &door->settings.hash, "Another1one");
    long long failures = count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'LOGIN_FAILED'");

    door_answer_t answer = sign_in_while(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", same, ada_id));
    accepted(answer, 200, "a hash that another sign-in replaced meanwhile locks nobody out # security 8");
    answer = sign_in_while(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", other, ada_id));
    refused(answer, 401, "UNAUTHORISED", "", "a password that was changed meanwhile is not right any more");
    change(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", same, ada_id));
    answer = sign_in_while(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", ada_id));
    refused(answer, 401, "UNAUTHORISED", "", "nor does somebody get in who was deactivated meanwhile # security 37");
    change(text("UPDATE users SET status = 'ACTIVE', active = 1 WHERE id = '%s'", ada_id));
    is_int(count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'LOGIN_FAILED'"), failures + 2,
           "each is recorded # security 82");
}

/* ---- how a token dies ------------------------------------------------------------------------------------------- */

static void test_deaths(void)
{
    const char *path = text("/v1/users/%s", ada_id), *bearer = login("ada@example.org");
    apr_time_t start = door->now;

    door->now = start - start % APR_USEC_PER_SEC + apr_time_from_sec(899);
    door_answer_t answer = get(path, bearer);
    accepted(answer, 200, "a token just before its end");
    door->now = start - start % APR_USEC_PER_SEC + apr_time_from_sec(900);
    answer = get(path, bearer);
    refused(answer, 401, "UNAUTHORISED", "", "... and at it # security 34");
    const char *first = login("ada@example.org"), *second = login("ada@example.org");
    answer = post("/v1/oauth/logout", first, NULL);
    is_int(answer.status, 200, "logout");
    answer = get(path, first);
    refused(answer, 401, "UNAUTHORISED", "", "... kills the token # security 37");
    answer = get(path, second);
    accepted(answer, 200, "... not another session's");
    change("UPDATE sessions SET ended_at = 1 WHERE ended_at = 0");
    answer = get(path, second);
    refused(answer, 401, "UNAUTHORISED", "", "a session that ended # security 37");
    bearer = login("ada@example.org");
    change(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", ada_id));
    answer = get(path, bearer);
    refused(answer, 401, "UNAUTHORISED", "", "a user who is not active # security 37");
    change(text("UPDATE users SET status = 'ACTIVE', active = 1 WHERE id = '%s'", ada_id));
    answer = get(path, bearer);
    accepted(answer, 200, "(and is again)");
    change(text("UPDATE memberships SET type = 'USER' WHERE user_id = '%s'", ada_id));
    answer = get("/v1/users", bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a role that was taken away counts at once # security 37");
    change(text("UPDATE memberships SET type = 'ADMIN' WHERE user_id = '%s'", ada_id));
}

static void test_forged(void)
{
    const char *path = text("/v1/users/%s", ada_id), *bearer = login("ada@example.org"),
               *pem = identity_signing_key_make(door->pool), *error;
    const identity_keyset_t *other = identity_keyset_load(door->pool, &pem, 1, &error);
    identity_claims_t claims;

    identity_jwt_verify(door->pool, door->env.keys, bearer + 7, "https://id.example.org", "https://id.example.org",
                        door->now, &claims);
    door_answer_t answer = get(path, text("Bearer %s", identity_jwt_sign(door->pool, other, &claims)));
    refused(answer, 401, "UNAUTHORISED", "", "another server's key # security 48");
    claims.subject = rows("SELECT id FROM users WHERE canonical = 'invited@example.org'");
    answer = get(path, text("Bearer %s", identity_jwt_sign(door->pool, door->env.keys, &claims)));
    refused(answer, 401, "UNAUTHORISED", "", "somebody else's session");
    claims.subject = ada_id;
    claims.session_id = "sess_00000000000000000000";
    answer = get(path, text("Bearer %s", identity_jwt_sign(door->pool, door->env.keys, &claims)));
    refused(answer, 401, "UNAUTHORISED", "", "a session that is none");
}

/* ---- aliases ---------------------------------------------------------------------------------------------------- */

static door_answer_t by_alias(const char *alias)
{
    return post("/v1/oauth/token", NULL, text("{\"token_alias\":\"%s\"}", alias));
}

static void test_alias(void)
{
    identity_alias_row_t *made;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *alias;

    ok(identity_alias_add(door->pool, &door->env, "ada@example.org", "desk", apr_time_from_sec(3600), &alias, &made,
                          &problem),
       "an alias is made");
    door_answer_t answer = by_alias(alias);
    accepted(answer, 200, "it signs in # security 33");
    answer = get(text("/v1/users/%s", ada_id), text("Bearer %s", door_text(&answer, "access_token")));
    accepted(answer, 200, "... as the person");
    is_str(rows("SELECT method FROM sessions ORDER BY id DESC LIMIT 1"), "alias", "... by that way");
    ok(count("SELECT last_used_at > 0 FROM aliases") == 1, "... which is noted");
    answer = by_alias(alias);
    accepted(answer, 200, "... more than once");

    /* What ends a person's sessions ends what would open another one, and other people's stay. */
    const char *const ends[] = {"{\"password\":\"" PASSWORD "\"}", "{\"status\":\"INACTIVE\"}", NULL};
    person_with("eve@example.org", "ADMIN", "");
    const char *boss = login("eve@example.org"), *theirs;
    identity_alias_add(door->pool, &door->env, "eve@example.org", NULL, apr_time_from_sec(3600), &theirs, &made,
                       &problem);
    for (size_t i = 0; i < 3; i++) {
        if (ends[i]) {
            accepted(patch(text("/v1/users/%s", ada_id), boss, ends[i]), 200, "(%s)", ends[i]);
        } else {
            post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"ada@example.org\"}");
            accepted(post("/v1/oauth/reset-password", NULL,
                          text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}",
                               door_mailed_token(door, "ada@example.org"))),
                     200, "(a reset)");
        }
        if (i == 1)
            accepted(patch(text("/v1/users/%s", ada_id), boss, "{\"status\":\"ACTIVE\"}"), 200, "(and back)");
        refused(by_alias(alias), 401, "UNAUTHORISED", "", "an alias ends with the sessions, %d # security 10", (int)i);
        accepted(by_alias(theirs), 200, "... of that person alone");
        identity_alias_add(door->pool, &door->env, "ada@example.org", NULL, apr_time_from_sec(3600), &alias, &made,
                           &problem);
    }
    const char *wrong[] = {"", "x", identity_token_make(door->pool, IDENTITY_TOKEN_ALIAS, &door->env.random),
                           text("%sA", alias)};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        long long before = count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'LOGIN_FAILED'");
        answer = by_alias(wrong[i]);
        refused(answer, 401, "UNAUTHORISED", "", "a bad alias, %d", (int)i);
        is_int(count("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = 'LOGIN_FAILED'"), before + 1,
               "... is recorded # security 82");
    }
    change(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", ada_id));
    answer = by_alias(alias);
    refused(answer, 401, "UNAUTHORISED", "", "the alias of somebody INACTIVE");
    change(text("UPDATE users SET status = 'ACTIVE', active = 1 WHERE id = '%s'", ada_id));
    pass(3601);
    answer = by_alias(alias);
    refused(answer, 401, "UNAUTHORISED", "", "an expired one");
}

/* ---- the pages -------------------------------------------------------------------------------------------------- */

/* route activate_user_page reset_password_page confirm_address_page */
static void test_pages(void)
{
    static const char *const pages[] = {"/v1/oauth/activate-user", "/v1/oauth/reset-password",
                                        "/v1/oauth/confirm-address"};
    const char *before = state();

    for (size_t i = 0; i < 3; i++) {
        door_answer_t answer = get(pages[i], NULL);
        is_int(answer.status, 200, "GET %s", pages[i]);
        is_str(answer.content_type, "text/html; charset=utf-8", "... is a page");
        const char *policy = header(&answer, "Content-Security-Policy");
        ok(policy && strstr(policy, "default-src 'none'") && !strstr(policy, "unsafe-inline") &&
               !strstr(policy, "http"),
           "... of its own content alone # security 31");
        is_str(header(&answer, "Referrer-Policy"), "no-referrer", "... tells nobody where it was # security 31");
        is_str(header(&answer, "Cache-Control"), "no-store", "... is not kept # security 31");
        is_str(header(&answer, "X-Frame-Options"), "DENY", "... nor framed");
        ok(!strstr(answer.text, "http://") && !strstr(answer.text, "https://"),
           "... and loads nothing from elsewhere # security 31");
        is_int(answer.statements, 0, "... asks the database nothing # security 22");
        door_answer_t head = door_call(door, "HEAD", pages[i], NULL, NULL);
        is_int(head.length, answer.length, "HEAD too");
        answer = get(text("%s?token=idi_x", pages[i]), "no key");
        is_int(answer.status, 200, "a credential or a query changes nothing");
    }
    is_str(state(), before, "none of it changed a row # security 22");
}

/* A password is good until somebody changes it. */
static void test_old_password(void)
{
    change(text("UPDATE users SET password_changed_at = 1, created_at = 1 WHERE id = '%s'", ada_id));
    ok(door_login(door, "ada@example.org", PASSWORD, NULL), "a password of many years still signs in # security 5");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    post("/v1/users", door->key,
         "{\"username\":\"idle@example.org\",\"password\":\"" PASSWORD "\",\"status\":\"INACTIVE\"}");
    post("/v1/users/invite", door->key, "{\"username\":\"invited@example.org\"}");
    post("/v1/users/invite", door->key, "{\"username\":\"revoked@example.org\"}");
    post("/v1/users/revoke-invite", door->key, "{\"username\":\"revoked@example.org\"}");
    test_token();
    test_cookie();
    test_alike();
    test_gate();
    test_rehash();
    test_meeting();
    test_deaths();
    test_forged();
    test_alias();
    test_pages();
    test_old_password();
    return serve_end();
}
