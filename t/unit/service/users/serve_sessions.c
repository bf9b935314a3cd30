/* SPDX-License-Identifier: Apache-2.0 */
/* GET and DELETE /users/{id}/sessions, the limit of sessions, and pages of other origins at the cookie's calls.
 * route list_user_sessions end_user_sessions end_user_session */
#include "routes.h"
#include "users/users.h"
#include "oauth.h"

static const char *ada_id, *ada, *bob_id, *eve_id;

static const char *sessions_of(const char *user)
{
    return text("/v1/users/%s/sessions", user);
}

static door_answer_t end(const char *path, const char *credential)
{
    return door_call(door, "DELETE", path, credential, NULL);
}

static const char *session_of(const char *bearer)
{
    return json_string_value(json_object_get(claims_of(bearer + 7), "sid"));
}

static const char *one_of(const char *user, const char *bearer)
{
    return text("%s/%s", sessions_of(user), session_of(bearer));
}

static int status_with(const char *user, const char *bearer)
{
    return get(sessions_of(user), bearer).status;
}

/* Ends whatever a test before has left. */
static void fresh(const char *user)
{
    change(text("UPDATE sessions SET ended_at = 1 WHERE user_id = '%s'", user));
}

static const char *last_record(void)
{
    return rows("SELECT action, user_id, target_resource_type, target_id FROM audit_records ORDER BY id DESC LIMIT 1");
}

/* ---- the list --------------------------------------------------------------------------------------------------- */

static void test_list(void)
{
    fresh(bob_id);
    apr_time_t now = door->now;
    const char *first = login("bob@example.org");
    pass(60);
    identity_headers_t headers = {.user_agent = "Browser/1.0"};
    door_answer_t in = call_with("POST", "/v1/oauth/token", headers, true, false,
                                 "{\"username\":\"bob@example.org\",\"password\":\"" PASSWORD "\"}");
    const char *second = bearer_of(&in);
    door_answer_t answer = get(sessions_of(bob_id), second);

    accepted(answer, 200, "own sessions, without a permission # security 39");
    is_str(members_at(&answer, ""), "data", "... in a wrapper");
    is_int(size_at(&answer, "data"), 2, "... both");
    is_str(json_at(&answer, "data.0"),
           text("{\"object_type\":\"SESSION\",\"id\":\"%s\",\"user_id\":\"%s\",\"created_at\":\"%s\","
                "\"authenticated_at\":\"%s\",\"idle_expires_at\":\"%s\",\"expires_at\":\"%s\",\"method\":\"password\","
                "\"client_address\":\"192.0.2.7\",\"user_agent\":\"Browser/1.0\",\"current\":true}",
                session_of(second), bob_id, identity_time_format(door->pool, now + apr_time_from_sec(60)),
                identity_time_format(door->pool, now + apr_time_from_sec(60)),
                identity_time_format(door->pool, now + apr_time_from_sec(60 + 7 * 86400)),
                identity_time_format(door->pool, now + apr_time_from_sec(60 + 30 * 86400))),
           "... the newest first, word for word");
    is_str(door_text(&answer, "data.1.id"), session_of(first), "... then the other");
    is_str(json_at(&answer, "data.1.current"), "false", "... which is not this one");
    answer = get(sessions_of(bob_id), door->key);
    is_str(json_at(&answer, "data.0.current"), "false", "to a key none is its own");
    answer = get(sessions_of(bob_id), ada);
    is_int(size_at(&answer, "data"), 2, "by who may view users");
    answer = get(sessions_of(ada_id), first);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "of others not without the permission");
    answer = get(sessions_of(bob_id), door->other_key);
    refused(answer, 404, "USER_NOT_FOUND", "", "of another entity's user not at all # security 60");
}

static void test_live_only(void)
{
    fresh(bob_id);
    const char *out = login("bob@example.org"), *stays = login("bob@example.org");

    post("/v1/oauth/logout", out, NULL);
    door_answer_t answer = get(sessions_of(bob_id), stays);
    is_int(size_at(&answer, "data"), 1, "one that was signed out of is not listed");
    change(text("UPDATE sessions SET idle_expires_at = 1 WHERE id = '%s'", session_of(stays)));
    answer = get(sessions_of(bob_id), door->key);
    is_int(size_at(&answer, "data"), 0, "nor one that was not used");
    change(text("UPDATE sessions SET idle_expires_at = expires_at, expires_at = 1 WHERE id = '%s'", session_of(stays)));
    answer = get(sessions_of(bob_id), door->key);
    is_int(size_at(&answer, "data"), 0, "nor one past its end");
    answer = end(one_of(bob_id, stays), door->key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "... which cannot be ended");
}

/* ---- ending one ------------------------------------------------------------------------------------------------- */

static void test_end_one(void)
{
    fresh(bob_id);
    const char *cookie, *first = door_login(door, "bob@example.org", PASSWORD, &cookie);
    const char *second = login("bob@example.org"), *third = login("bob@example.org");
    door_answer_t answer = end(one_of(bob_id, first), second);

    accepted(answer, 200, "one ends one's own, without a permission # security 39");
    is_int(size_at(&answer, "data"), 2, "... and is told what is left");
    is_str(last_record(), text("SESSION_ENDED|%s|SESSION|%s", bob_id, session_of(first)),
           "... on record # security 82");
    is_int(status_with(bob_id, first), 401, "its access token is dead with the next request # security 37");
    door->cookie = cookie;
    answer = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    refused(answer, 401, "UNAUTHORISED", "", "... and its refresh token # security 37");
    answer = end(one_of(bob_id, first), second);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "not twice");
    answer = end(one_of(bob_id, second), second);
    accepted(answer, 200, "the one that one is in");
    is_int(status_with(bob_id, second), 401, "... is dead too # security 37");
    answer = end(one_of(bob_id, third), ada);
    accepted(answer, 200, "an administrator ends somebody's # security 39");
    is_str(json_at(&answer, "data"), "[]", "... none is left");
    is_int(status_with(bob_id, third), 401, "... it is dead # security 37");
}

static void test_end_refused(void)
{
    fresh(bob_id);
    const char *bob = login("bob@example.org"), *helper = login("helper@example.org");
    get("/v1/roles?limit=1", door->key);
    get("/v1/roles?limit=1", door->other_key);
    const char *before = state();
    door_answer_t answer = end(one_of(ada_id, ada), bob);

    refused(answer, 403, "USER_NOT_ALLOWED", "", "somebody else's, without the permission");
    answer = end(sessions_of(ada_id), bob);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... nor all of them");
    answer = end(text("%s/%s", sessions_of(bob_id), session_of(ada)), bob);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "somebody else's by one's own path # security 60");
    answer = end(text("%s/%s", sessions_of(bob_id), session_of(ada)), door->key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "... whoever asks # security 60");
    answer = end(one_of(bob_id, bob), door->other_key);
    refused(answer, 404, "USER_NOT_FOUND", "", "another entity's # security 60");
    answer = end(sessions_of(bob_id), door->other_key);
    refused(answer, 404, "USER_NOT_FOUND", "", "... nor all of them # security 60");
    answer = end(one_of(ada_id, ada), helper);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "of somebody who holds more # security 62");
    answer = end(sessions_of(ada_id), helper);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... nor all of them # security 62");
    answer = end(text("%s/sess_00000000000000000000", sessions_of(bob_id)), bob);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "an unknown one");
    answer = end(text("%s?except_current=maybe", sessions_of(bob_id)), bob);
    refused(answer, 400, "INVALID_FIELD", "except_current", "neither true nor false");
    is_str(state(), before, "none of it changed a row");
    answer = end(one_of(bob_id, bob), helper);
    accepted(answer, 200, "of somebody who holds less");
}

/* ---- ending all ------------------------------------------------------------------------------------------------- */

static void test_end_all(void)
{
    fresh(bob_id);
    const char *cookie, *first = door_login(door, "bob@example.org", PASSWORD, &cookie),
                        *second = login("bob@example.org");
    door_answer_t answer = end(text("%s?except_current=true", sessions_of(bob_id)), second);

    accepted(answer, 200, "all but the one that one is in # security 39");
    is_int(size_at(&answer, "data"), 1, "... which is left");
    is_str(door_text(&answer, "data.0.id"), session_of(second), "... alone");
    is_str(last_record(), text("SESSIONS_ENDED|%s|USER|%s", bob_id, bob_id), "... on record # security 82");
    is_int(status_with(bob_id, first), 401, "the other is dead # security 37");
    is_int(status_with(bob_id, second), 200, "this one lives");
    long long records = count("SELECT count(*) FROM audit_records");
    answer = end(text("%s?except_current=true", sessions_of(bob_id)), second);
    accepted(answer, 200, "again");
    is_int(count("SELECT count(*) FROM audit_records"), records, "... is no news");
    login("bob@example.org");
    answer = end(sessions_of(bob_id), second);
    accepted(answer, 200, "all, this one too");
    is_str(json_at(&answer, "data"), "[]", "... none is left");
    is_int(status_with(bob_id, second), 401, "... it is dead # security 37");
    second = login("bob@example.org");
    answer = end(text("%s?except_current=true", sessions_of(bob_id)), ada);
    accepted(answer, 200, "an administrator ends all of somebody's # security 39");
    is_str(json_at(&answer, "data"), "[]", "... whose own is not among them");
    is_int(status_with(bob_id, second), 401, "... dead # security 37");
    is_int(status_with(ada_id, ada), 200, "nobody else's");
    second = login("bob@example.org");
    answer = end(sessions_of(bob_id), door->key);
    accepted(answer, 200, "a key does");
    is_int(status_with(bob_id, second), 401, "... dead # security 37");
}

/* ---- the limit (security 40) ------------------------------------------------------------------------------------ */

static int live_of(const char *user)
{
    return (int)count(text("SELECT count(*) FROM sessions WHERE user_id = '%s' AND ended_at = 0", user));
}

static void test_limit(void)
{
    fresh(eve_id);
    const char *oldest = login("eve@example.org"), *next = login("eve@example.org"), *newest = NULL;

    for (int i = 2; i < IDENTITY_SESSIONS_MAX; i++)
        newest = login("eve@example.org");
    is_int(IDENTITY_SESSIONS_MAX, 100, "a hundred sessions, as README says # security 40");
    is_int(live_of(eve_id), 100, "... are had # security 40");
    is_int(status_with(eve_id, oldest), 200, "... the oldest among them");
    is_int(count("SELECT count(*) FROM audit_records WHERE action = 'SESSION_LIMIT'"), 0, "... nobody is told");
    newest = login("eve@example.org");
    is_int(status_with(eve_id, newest), 200, "one more");
    is_int(live_of(eve_id), 100, "... is not one more # security 40");
    is_int(status_with(eve_id, oldest), 401, "the oldest ended for it # security 40");
    is_int(status_with(eve_id, next), 200, "... alone");
    is_str(rows("SELECT user_id, target_id FROM audit_records WHERE action = 'SESSION_LIMIT'"),
           text("%s|%s", eve_id, eve_id), "... on record # security 82");
    change(text("UPDATE sessions SET idle_expires_at = 1 WHERE user_id = '%s' AND ended_at = 0 AND id NOT IN ('%s', "
                "'%s')",
                eve_id, session_of(next), session_of(newest)));
    login("eve@example.org");
    is_int(status_with(eve_id, next), 200, "those whose time is up make room first");
    is_int(live_of(eve_id), 3, "... all of them");
    is_int(count("SELECT count(*) FROM audit_records WHERE action = 'SESSION_LIMIT'"), 1, "... which is no news");
    fresh(eve_id);
}

/* ---- pages of other origins (security 42) ----------------------------------------------------------------------- */

static door_answer_t from(const char *path, const char *cookie, const char *bearer, const char *origin,
                          const char *site)
{
    identity_headers_t headers = {.cookie = cookie, .authorization = bearer, .origin = origin, .fetch_site = site};
    return call_with("POST", path, headers, true, false, NULL);
}

static void test_origins(void)
{
    static const struct {
        const char *origin, *site, *what;
        bool fits;
    } cases[] = {{NULL, NULL, "no browser", true},
                 {"https://id.example.org", "same-origin", "our own page", true},
                 {"https://id.example.org", NULL, "our own page in an old browser", true},
                 {NULL, "same-origin", "our own page, without Origin", true},
                 {NULL, "none", "the person alone", true},
                 {"https://evil.example", "cross-site", "another site", false},
                 {"https://evil.example", NULL, "another site in an old browser", false},
                 {"https://www.example.org", "same-site", "a neighbour", false},
                 {NULL, "same-site", "a neighbour, without Origin", false},
                 {NULL, "cross-site", "another site, without Origin", false},
                 {"http://id.example.org", "cross-site", "our name without TLS", false},
                 {"https://id.example.org:8443", "same-site", "another port", false},
                 {"https://id.example.org.evil.example", "cross-site", "a name that begins like ours", false},
                 {"https://id.example.org/", NULL, "what is no origin", false},
                 {"null", "same-origin", "B1: our own page that hides its origin", true},
                 {"https://wiki.example.org", "same-origin", "B1: our own page on another name", true},
                 {"null", NULL, "B1: nowhere, in an old browser", false},
                 {"null", "cross-site", "nowhere", false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *cookie;
        door_login(door, "bob@example.org", PASSWORD, &cookie);
        const char *before = state();
        door_answer_t answer = from("/v1/oauth/refresh-token", cookie, NULL, cases[i].origin, cases[i].site);
        if (cases[i].fits) {
            accepted(answer, 200, "refresh by the cookie: %s # security 42", cases[i].what);
            door_login(door, "bob@example.org", PASSWORD, &cookie);
        } else {
            refused(answer, 403, "USER_NOT_ALLOWED", "", "refresh by the cookie: %s # security 42", cases[i].what);
            ok(!header(&answer, "Set-Cookie"), "... leaves the cookie alone");
            is_str(state(), before, "... and changes nothing");
        }
        answer = from("/v1/oauth/logout", cookie, NULL, cases[i].origin, cases[i].site);
        is_int(answer.status, cases[i].fits ? 200 : 403, "logout by the cookie: %s # security 42", cases[i].what);
    }
}

/* Who shows a token needs no cookie, and another's is not touched by it. */
static void test_origin_with_bearer(void)
{
    const char *cookie, *other = door_login(door, "eve@example.org", PASSWORD, &cookie),
                        *bob = login("bob@example.org");
    door_answer_t answer = from("/v1/oauth/logout", cookie, bob, "https://evil.example", "cross-site");

    is_int(answer.status, 200, "logout by a token, from another site # security 42");
    is_int(status_with(bob_id, bob), 401, "... ends its session");
    is_int(status_with(eve_id, other), 200, "... and not the cookie's # security 42");
    answer = from("/v1/oauth/refresh-token", NULL, NULL, "https://evil.example", "cross-site");
    refused(answer, 401, "UNAUTHORISED", "", "without a cookie there is nothing to guard");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", "");
    eve_id = person_with("eve@example.org", "USER", "");
    post("/v1/roles", door->key, "{\"name\":\"Helper\",\"permissions\":[\"USER.MORTAL.VIEW\",\"USER.MORTAL.UPDATE\"]}");
    person_with("helper@example.org", "USER", named("Helper"));
    ada = login("ada@example.org");
    test_list();
    test_live_only();
    test_end_one();
    test_end_refused();
    test_end_all();
    test_limit();
    test_origins();
    test_origin_with_bearer();
    return serve_end();
}
