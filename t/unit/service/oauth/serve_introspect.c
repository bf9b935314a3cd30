/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/introspect (RFC 7662) and /oauth/revoke (RFC 7009). route introspect_token revoke_token */
#include "oauth.h"

#define INACTIVE "{\"active\":false}"

static const char *ada_id, *ada, *viewer, *partner, *nobody;

static door_answer_t ask(const char *token, identity_headers_t headers)
{
    return form_with("/v1/oauth/introspect", headers, text("token=%s", token));
}

static door_answer_t ask_refresh(const char *token, identity_headers_t headers)
{
    return form_with("/v1/oauth/introspect", headers, text("token=%s&token_type_hint=refresh_token", token));
}

static const char *told(door_answer_t answer)
{
    return answer.status == 200 ? answer.text : oauth_outcome(answer);
}

static identity_headers_t as(const char *bearer)
{
    return with_authorization(bearer);
}

static const char *key_token(const char *key)
{
    door_answer_t answer =
        token_form(text("grant_type=client_credentials&client_id=%s&client_secret=%s", key_id(key), key));
    return bearer_of(&answer) + 7;
}

/* ---- introspection ---------------------------------------------------------------------------------------------- */

static void test_access_token(void)
{
    apr_int64_t issued = apr_time_sec(door->now);
    door_answer_t in = form_login("ada@example.org"), answer = ask(door_text(&in, "access_token"), with_key(door->key));

    granted(answer, "a key asks about an access token");
    is_str(members_at(&answer, ""),
           "active,token_type,client_id,username,sub,iss,aud,exp,iat,jti,sid,entity_id,auth_time,auth_method",
           "... what is told");
    is_str(
        answer.text,
        text("{\"active\":true,\"token_type\":\"Bearer\",\"client_id\":\"identity\",\"username\":\"ada@example.org\","
             "\"sub\":\"%s\",\"iss\":\"https://id.example.org\",\"aud\":\"https://"
             "id.example.org\",\"exp\":%" APR_INT64_T_FMT ",\"iat\":%" APR_INT64_T_FMT
             ",\"jti\":\"%s\",\"sid\":\"%s\",\"entity_id\":\"%s\",\"auth_time\":%" APR_INT64_T_FMT
             ",\"auth_method\":\"password\"}",
             ada_id, issued + 900, issued, claim(&in, "jti"), claim(&in, "sid"), door->entity_id, issued),
        "... word for word # security 47");
    is_str(answer.content_type, "application/json", "... as JSON");
    answer = ask(key_token(door->read_key), with_key(door->key));
    is_str(members_at(&answer, ""), "active,token_type,client_id,sub,iss,aud,exp,iat,jti,sid,entity_id",
           "a key's token has no person");
    is_str(door_text(&answer, "sub"), key_id(door->read_key), "... but the key");
}

static void test_who_asks(void)
{
    const char *token = ada + 7, *key = door->read_key, *id = key_id(key);
    const char *told_to_key = told(ask(token, with_key(key)));
    const struct {
        identity_headers_t headers;
        const char *more, *what;
    } fine[] = {{basic(id, key), "", "a client by Basic"},
                {no_headers, text("&client_id=%s&client_secret=%s", id, key), "a client in the body"},
                {with_authorization(text("ApiKey %s", key)), "", "a key by Authorization"},
                {as(text("Bearer %s", key_token(key))), "", "a key by its token"},
                {as(ada), "", "oneself"},
                {as(viewer), "", "who may view users"},
                {with_key(key), "&token_type_hint=refresh_token", "a wrong hint"},
                {with_key(key), "&token_type_hint=access_token", "a right hint"},
                {with_key(key), "&token_type_hint=nonsense", "a hint that is none"}};

    ok(strstr(told_to_key, "\"active\":true"), "a key is told");
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        is_str(told(form_with("/v1/oauth/introspect", fine[i].headers, text("token=%s%s", token, fine[i].more))),
               told_to_key, "%s is told the same # security 47", fine[i].what);
    is_str(told(ask(token, with_key(door->other_key))), INACTIVE, "another entity's key is not # security 47, 60");
    is_str(told(ask(token, basic(key_id(door->other_key), door->other_key))), INACTIVE, "... nor as a client");
    is_str(told(ask(token, as(nobody))), INACTIVE, "nor somebody without the permission # security 47");
    is_str(told(ask(token, as(partner))), INACTIVE, "nor a PARTNER # security 47");
    ok(strstr(told(ask(partner + 7, as(partner))), "\"active\":true"), "... save about itself");
    ok(strstr(told(ask(key_token(key), as(viewer))), INACTIVE), "keys are seen by who may view keys");
}

/* security 47 */
static void test_not_active(void)
{
    door_answer_t in = form_login("ada@example.org");
    const char *token = door_text(&in, "access_token"), *cut = apr_pstrmemdup(door->pool, token, strlen(token) - 2);
    const char *dead[] = {"x",
                          cut,
                          text("%s%s", cut, token[strlen(cut)] == 'A' ? "QA" : "AA"),
                          door->key,
                          identity_token_make(door->pool, IDENTITY_TOKEN_REFRESH, &door->env.random),
                          identity_token_make(door->pool, IDENTITY_TOKEN_INVITE, &door->env.random),
                          refresh_of(&in)};

    for (size_t i = 0; i < sizeof dead / sizeof dead[0]; i++)
        is_str(told(ask(dead[i], with_key(door->key))), INACTIVE, "what is no live access token, %d # security 47",
               (int)i);
    door_answer_t answer = ask("x", with_key(door->key));
    is_int(answer.statements, 1, "a text that is no token costs no look-up");
    post("/v1/oauth/logout", bearer_of(&in), NULL);
    is_str(told(ask(token, with_key(door->key))), INACTIVE, "of an ended session # security 37, 47");
    in = form_login("ada@example.org");
    token = door_text(&in, "access_token");
    pass(900);
    is_str(told(ask(token, with_key(door->key))), INACTIVE, "past its time # security 47");
    const char *gone = login("gone@example.org");
    patch(text("/v1/users/%s", rows("SELECT id FROM users WHERE canonical = 'gone@example.org'")), door->key,
          "{\"status\":\"INACTIVE\"}");
    is_str(told(ask(gone + 7, with_key(door->key))), INACTIVE, "of somebody who is not active # security 37, 47");
    ada = login("ada@example.org");
}

static void test_refresh_token(void)
{
    door_answer_t in = form_login("ada@example.org");
    const char *token = refresh_of(&in);
    door_answer_t answer = ask_refresh(token, with_key(door->key));

    granted(answer, "a refresh token, asked for as one");
    is_str(members_at(&answer, ""), "active,username,sub,iss,exp,iat,sid,entity_id", "... what is told");
    is_str(door_text(&answer, "sid"), claim(&in, "sid"), "... its session");
    is_int(json_integer_value(door_at(answer.json, "exp")),
           count("SELECT idle_expires_at / 1000000 FROM sessions ORDER BY id DESC LIMIT 1"), "... and its end");
    is_str(told(ask(token, with_key(door->key))), INACTIVE, "not to who takes it for an access token # security 47");
    is_str(told(ask_refresh(token, with_key(door->other_key))), INACTIVE, "not to another entity # security 47, 60");
    is_str(told(ask_refresh(token, as(nobody))), INACTIVE, "not without the permission # security 47");
    granted(form_refresh(token), "it is used");
    is_str(told(ask_refresh(token, with_key(door->key))), INACTIVE, "a spent one is not active # security 35, 47");
}

static void test_refused(void)
{
    const char *token = ada + 7, *key = door->key;
    identity_headers_t none = no_headers, both = with_key(key);

    denied(ask(token, none), "401 invalid_client", "nobody is told anything # security 47");
    denied(ask(token, with_key("x")), "401 invalid_client", "nor with a key that is none");
    denied(ask(token, basic(key_id(key), "x")), "401 invalid_client", "nor as a client that is none");
    denied(ask(token, as("Bearer x")), "401 invalid_token", "nor with a token that is none");
    door_answer_t answer = ask(token, as("Bearer x"));
    is_str(header(&answer, "WWW-Authenticate"), "Bearer realm=\"identity\", error=\"invalid_token\"",
           "... which the challenge says # security 44");
    both.authorization = ada;
    denied(ask(token, both), "400 invalid_request", "nor with two credentials # security 43");
    denied(form_with("/v1/oauth/introspect", with_key(key),
                     text("token=%s&client_id=%s&client_secret=%s", token, key_id(key), key)),
           "400 invalid_request", "... the second in the body # security 43");
    denied(form_with("/v1/oauth/introspect", with_key(key), "token_type_hint=access_token"), "400 invalid_request",
           "no token");
    denied(form_with("/v1/oauth/introspect", with_key(key), text("token=%s&token=%s", token, token)),
           "400 invalid_request", "two tokens # security 45");
    denied(post("/v1/oauth/introspect", key, text("{\"token\":\"%s\"}", token)), "415 invalid_request", "JSON");
    denied(post("/v1/oauth/introspect", key, NULL), "400 invalid_request", "no body");
    door->platform_id = door->other_account_id;
    answer = form_with("/v1/oauth/introspect", with_key(key), text("token=%s", token));
    door->platform_id = NULL;
    granted(answer, "x-platform-id stands in headers only");
    identity_headers_t foreign = with_key(key);
    foreign.platform_id = door->other_account_id;
    denied(ask(token, foreign), "403 access_denied", "an account of others");
}

/* ---- revocation ------------------------------------------------------------------------------------------------- */

static door_answer_t revoke_token(const char *token, identity_headers_t headers)
{
    return form_with("/v1/oauth/revoke", headers, text("token=%s", token));
}

static int status_with(const char *bearer)
{
    return get(text("/v1/users/%s", ada_id), bearer).status;
}

static void dead_family(const door_answer_t *in, const char *what)
{
    is_int(status_with(bearer_of(in)), 401, "%s: the access token is dead # security 37, 46", what);
    denied(form_refresh(refresh_of(in)), "400 invalid_grant", "%s: the refresh token too # security 37, 46", what);
}

static void test_revoke(void)
{
    door_answer_t in = form_login("ada@example.org"), other = form_login("ada@example.org");
    door_answer_t answer = revoke_token(refresh_of(&in), no_headers);

    granted(answer, "a refresh token, by who holds it # security 46");
    ok(!answer.content_type && answer.length == 0, "... an empty answer");
    dead_family(&in, "by its refresh token");
    is_str(rows("SELECT action, user_id, target_resource_type, target_id, entity_id FROM audit_records ORDER BY id "
                "DESC LIMIT 1"),
           text("TOKEN_REVOKED|%s|SESSION|%s|%s", ada_id, claim(&in, "sid"), door->entity_id),
           "... on record # security 82");
    is_int(status_with(bearer_of(&other)), 200, "another session lives");
    granted(revoke_token(door_text(&other, "access_token"), no_headers), "an access token # security 46");
    dead_family(&other, "by its access token");
    in = form_login("ada@example.org");
    answer = form_refresh(refresh_of(&in));
    granted(revoke_token(refresh_of(&in), no_headers), "a spent refresh token");
    dead_family(&answer, "by a spent one");
    in = form_login("ada@example.org");
    granted(revoke_token(refresh_of(&in), basic(key_id(door->key), door->key)), "by a client # security 46");
    dead_family(&in, "by a client");
    is_str(rows("SELECT user_id FROM audit_records WHERE action = 'TOKEN_REVOKED' ORDER BY id DESC LIMIT 1"),
           key_id(door->key), "... on its account # security 82");
    in = form_login("ada@example.org");
    granted(revoke_token(refresh_of(&in), as(bearer_of(&in))), "by oneself");
    dead_family(&in, "by oneself");
}

static void test_revoke_nothing(void)
{
    door_answer_t in = form_login("ada@example.org");
    const char *token = refresh_of(&in), *access = door_text(&in, "access_token");
    const char *unknown[] = {"x", identity_token_make(door->pool, IDENTITY_TOKEN_REFRESH, &door->env.random),
                             text("%sx", access), door->key};

    get("/v1/roles?limit=1", door->key);
    get("/v1/roles?limit=1", door->other_key);
    get("/v1/roles?limit=1", door->read_key);
    const char *before = state();
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        granted(revoke_token(unknown[i], no_headers), "200 for what is no token, %d # security 46", (int)i);
    granted(revoke_token(token, with_key(door->other_key)), "another entity's key ends nothing # security 46, 60");
    granted(revoke_token(access, as(nobody)), "nor does a stranger # security 46");
    granted(revoke_token(access, as(viewer)), "nor who may only view # security 46");
    denied(revoke_token(token, with_key("x")), "401 invalid_client", "a wrong credential is refused # security 46");
    denied(revoke_token(token, basic(key_id(door->key), "x")), "401 invalid_client",
           "... a client's too # security 46");
    denied(revoke_token(token, as("Bearer x")), "401 invalid_token", "... a token's too # security 46");
    denied(form("/v1/oauth/revoke", "token="), "400 invalid_request", "no token");
    denied(form("/v1/oauth/revoke", text("token=%s&token=x", token)), "400 invalid_request",
           "two tokens # security 45");
    is_str(state(), before, "none of it changed a row");
    is_int(status_with(bearer_of(&in)), 200, "the session lives");
    const char *of_key = key_token(door->read_key);
    denied(revoke_token(of_key, no_headers), "400 unsupported_token_type", "a key's token ends with the key");
    is_int(status_with(text("Bearer %s", of_key)), 200, "... and lives so long");
    granted(revoke_token(of_key, with_key(door->other_key)), "... of which another entity learns nothing");
    granted(revoke_token(token, no_headers), "ended at last");
    before = state();
    granted(revoke_token(token, no_headers), "... once more");
    is_str(state(), before, "... is no news");
}

static bool enter_after_loss(void *context)
{
    (void)context;
    door->env.enter_write = NULL;
    change("UPDATE sessions SET ended_at = 1 WHERE ended_at = 0");
    return true;
}

static void test_revoke_meeting(void)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;
    door_answer_t in = form_login("ada@example.org");
    long long records = count("SELECT count(*) FROM audit_records");

    door->env.leave_write = NULL;
    door->env.enter_write = enter_after_loss;
    granted(revoke_token(refresh_of(&in), no_headers), "a session that was ended since it was read");
    door->env.enter_write = enter;
    door->env.leave_write = leave;
    is_int(count("SELECT count(*) FROM audit_records"), records, "... is not ended twice");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    post("/v1/roles", door->key, "{\"name\":\"Onlooker\",\"permissions\":[\"USER.MORTAL.VIEW\"]}");
    person_with("viewer@example.org", "USER", named("Onlooker"));
    person_with("partner@example.org", "PARTNER", named("Onlooker"));
    person_with("gone@example.org", "USER", "");
    door_person(door, "nobody@example.org", PASSWORD, "[]");
    ada = login("ada@example.org");
    viewer = login("viewer@example.org");
    partner = login("partner@example.org");
    nobody = login("nobody@example.org");
    test_access_token();
    test_who_asks();
    test_refresh_token();
    test_refused();
    test_revoke();
    test_revoke_nothing();
    test_not_active();
    test_revoke_meeting();
    return serve_end();
}
