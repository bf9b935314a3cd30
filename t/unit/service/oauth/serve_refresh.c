/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/refresh-token and /oauth/logout. route refresh_token logout */
#include "serve.h"

static const char *ada_id;

static door_answer_t refresh(const char *cookie)
{
    door->cookie = cookie;
    door_answer_t answer = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    return answer;
}

static const char *cookie_of(const door_answer_t *answer)
{
    const char *set = header(answer, "Set-Cookie");
    return set ? apr_pstrmemdup(door->pool, set, strcspn(set, ";")) : NULL;
}

static const char *bearer_of(const door_answer_t *answer)
{
    return text("Bearer %s", door_text(answer, "access_token"));
}

static int status_with(const char *bearer)
{
    door_answer_t answer = get(text("/v1/users/%s", ada_id), bearer);
    return answer.status;
}

static const char *begin(const char **bearer)
{
    const char *cookie;
    *bearer = door_login(door, "ada@example.org", PASSWORD, &cookie);
    return cookie;
}

static long long reuses(void)
{
    return count("SELECT count(*) FROM audit_records WHERE action = 'REFRESH_REUSED'");
}

#define CLEARED "identity_refresh=; Path=/v1/oauth; Max-Age=0; HttpOnly; Secure; SameSite=Strict"

static void test_rotation(void)
{
    const char *bearer, *first = begin(&bearer);

    pass(60);
    door_answer_t answer = refresh(first);
    accepted(answer, 200, "refresh");
    is_str(members_at(&answer, ""), "issued_at,access_token,expires_in,expires_at,token_type,scope,id_token",
           "... answers a Token");
    const char *second = cookie_of(&answer);
    ok(second && strcmp(first, second) != 0, "... and another refresh token # security 35");
    ok(strcmp(bearer_of(&answer), bearer) != 0, "... and another access token");
    is_int(status_with(bearer_of(&answer)), 200, "... which opens");
    is_int(count("SELECT count(*) FROM refresh_tokens WHERE spent_at = 0"), 1, "one leaf is usable # security 35");
    is_int(count("SELECT count(*) FROM sessions WHERE ended_at = 0"), 1, "... in the same session");
    for (int i = 0; i < 3; i++) {
        pass(60);
        answer = refresh(second);
        accepted(answer, 200, "and again");
        second = cookie_of(&answer);
    }
    is_int(count("SELECT count(*) FROM refresh_tokens WHERE spent_at = 0"), 1, "still one leaf # security 35");
}

static void test_retry(void)
{
    const char *bearer, *first = begin(&bearer);
    long long before = reuses();

    door_answer_t answer = refresh(first);
    const char *second = cookie_of(&answer);
    door->now = (apr_time_t)count("SELECT max(spent_at) FROM refresh_tokens") + apr_time_from_sec(10) - 100;
    answer = refresh(first);
    accepted(answer, 200, "the spent token within ten seconds, its answer was lost");
    is_str(cookie_of(&answer), second, "... gets the same successor # security 36");
    is_int(status_with(bearer_of(&answer)), 200, "... and an access token that opens");
    is_int(
        count("SELECT count(*) FROM refresh_tokens WHERE spent_at = 0 AND session_id = (SELECT max(id) FROM sessions)"),
        1, "... and there is one usable leaf # security 35");
    answer = refresh(second);
    accepted(answer, 200, "the successor goes on");
    is_int(reuses(), before, "nobody is accused");
}

static void test_reuse(void)
{
    const char *bearer, *first = begin(&bearer), *other, *others = begin(&other);

    door_answer_t answer = refresh(first);
    const char *second = cookie_of(&answer), *newer = bearer_of(&answer);
    long long before = reuses();
    pass(11);
    answer = refresh(first);
    refused(answer, 401, "UNAUTHORISED", "", "a spent token after that # security 36");
    is_str(header(&answer, "Set-Cookie"), CLEARED, "... is taken away");
    is_int(reuses(), before + 1, "... and recorded # security 36");
    is_str(rows("SELECT user_id, target_resource_type, target_id FROM audit_records WHERE action = 'REFRESH_REUSED' "
                "ORDER BY id DESC LIMIT 1"),
           text("%s|SESSION|%s", ada_id, rows("SELECT id FROM sessions ORDER BY id DESC LIMIT 1 OFFSET 1")),
           "... with its session");
    answer = refresh(second);
    refused(answer, 401, "UNAUTHORISED", "", "the whole family is dead # security 36");
    is_int(status_with(bearer), 401, "... its access tokens too # security 36");
    is_int(status_with(newer), 401, "... all of them # security 36");
    is_int(status_with(other), 200, "another session of the same person lives");
    answer = refresh(others);
    accepted(answer, 200, "... and goes on");
    answer = refresh(first);
    refused(answer, 401, "UNAUTHORISED", "", "a second time");
    is_int(reuses(), before + 1, "... is no news");
}

static void test_lifetimes(void)
{
    const char *bearer, *cookie = begin(&bearer);
    apr_time_t start = (apr_time_t)count("SELECT max(created_at) FROM sessions");
    door_answer_t answer;

    for (int day = 6; day <= 24; day += 6) {
        door->now = start + apr_time_from_sec(day * 86400);
        answer = refresh(cookie);
        accepted(answer, 200, "used every six days it lives on the %dth", day);
        cookie = cookie_of(&answer);
    }
    ok(strstr(header(&answer, "Set-Cookie"), text("Max-Age=%d;", 6 * 86400)) ||
           strstr(header(&answer, "Set-Cookie"), text("Max-Age=%d;", 6 * 86400 - 1)),
       "... its cookie no longer than the session # security 34");
    door->now = start + apr_time_from_sec(30 * 86400 - 60);
    answer = refresh(cookie);
    accepted(answer, 200, "in its last minute");
    is_int(json_integer_value(door_at(answer.json, "expires_in")) <= 60, 1,
           "... the access token ends with it # security 34");
    cookie = cookie_of(&answer);
    bearer = bearer_of(&answer);
    door->now = start + apr_time_from_sec(30 * 86400);
    answer = refresh(cookie);
    refused(answer, 401, "UNAUTHORISED", "", "past 30 days it is dead, however often used # security 34");
    is_int(status_with(bearer), 401, "... with its access token");
    cookie = begin(&bearer);
    pass(7 * 86400 - 1);
    answer = refresh(cookie);
    accepted(answer, 200, "unused for less than seven days");
    cookie = cookie_of(&answer);
    pass(7 * 86400 + 1);
    answer = refresh(cookie);
    refused(answer, 401, "UNAUTHORISED", "", "unused for seven days # security 34");
    is_str(header(&answer, "Set-Cookie"), CLEARED, "... is cleared");
}

static void test_bad_cookies(void)
{
    const char *bearer, *good = begin(&bearer), *value = good + strlen("identity_refresh=");
    const char *made_up = identity_token_make(door->pool, IDENTITY_TOKEN_REFRESH, &door->env.random);
    const char *bad[] = {NULL,
                         "",
                         "identity_refresh=",
                         "identity_refresh=x",
                         text("identity_refresh=%s", made_up),
                         text("identity_refreshx=%s", value),
                         text("xidentity_refresh=%s", value),
                         text("%sx", good),
                         value};
    const char *fine[] = {text("a=b; %s", good), text("identity_refreshx=x; %s; c=d", good),
                          text("a=\"1;2\";%s", good)};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *before = state();
        door_answer_t answer = refresh(bad[i]);
        refused(answer, 401, "UNAUTHORISED", "", "no refresh token, %d", (int)i);
        is_str(state(), before, "... changes nothing");
    }
    door_answer_t answer = post("/v1/oauth/refresh-token", bearer, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "an access token refreshes nothing");
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        answer = refresh(fine[i]);
        accepted(answer, 200, "among other cookies, %d", (int)i);
    }
}

/* ---- logout ----------------------------------------------------------------------------------------------------- */

static door_answer_t logout(const char *credential, const char *cookie)
{
    door->cookie = cookie;
    door_answer_t answer = post("/v1/oauth/logout", credential, NULL);
    door->cookie = NULL;
    return answer;
}

static void test_logout(void)
{
    const char *bearer, *cookie = begin(&bearer);

    door_answer_t answer = logout(bearer, NULL);
    is_int(answer.status, 200, "logout by the access token");
    ok(!answer.content_type && answer.length == 0, "... without a body");
    is_str(header(&answer, "Set-Cookie"), CLEARED, "... clears the cookie");
    is_int(status_with(bearer), 401, "... ends the access token # security 37");
    answer = refresh(cookie);
    refused(answer, 401, "UNAUTHORISED", "", "... and the refresh token # security 37");
    is_str(rows("SELECT action, user_id FROM audit_records ORDER BY id DESC LIMIT 1"), text("LOGOUT|%s", ada_id),
           "... and is recorded # security 82");
    cookie = begin(&bearer);
    answer = logout(NULL, cookie);
    is_int(answer.status, 200, "logout by the cookie");
    is_int(status_with(bearer), 401, "... ends the access token # security 37");
    cookie = begin(&bearer);
    long long records = count("SELECT count(*) FROM audit_records");
    answer = logout(bearer, cookie);
    is_int(answer.status, 200, "logout by both");
    is_int(count("SELECT count(*) FROM audit_records"), records + 1, "... is one");
    const char *other, *others = begin(&other);
    cookie = begin(&bearer);
    answer = logout(bearer, others);
    is_int(answer.status, 200, "logout by those of two sessions");
    is_int(status_with(bearer) + status_with(other), 802, "... ends both");
}

static void test_logout_refused(void)
{
    const char *bearer, *cookie = begin(&bearer);
    logout(bearer, NULL);
    const struct {
        const char *credential, *cookie, *what;
    } cases[] = {{NULL, NULL, "nothing"},
                 {bearer, NULL, "an ended session's token"},
                 {NULL, cookie, "... and cookie"},
                 {"Bearer x", "identity_refresh=x", "nonsense"},
                 {door->key, NULL, "a key, which has no session"}};

    get("/v1/roles?limit=1", door->key); /* writes its last use */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *before = state();
        door_answer_t answer = logout(cases[i].credential, cases[i].cookie);
        refused(answer, 401, "UNAUTHORISED", "", "logout with %s", cases[i].what);
        is_str(header(&answer, "Set-Cookie"), CLEARED, "... clears the cookie all the same");
        is_str(state(), before, "... and changes nothing");
    }
    bearer = login("ada@example.org");
    pass(901);
    door_answer_t answer = logout(bearer, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "logout with an expired token");
}

/* ---- at the same time ------------------------------------------------------------------------------------------- */

static const char *racing;
static door_answer_t rival;

static bool enter_after_rival(void *context)
{
    (void)context;
    door->env.enter_write = NULL;
    rival = refresh(racing);
    return true;
}

static bool enter_after_loss(void *context)
{
    (void)context;
    door->env.enter_write = NULL;
    change("DELETE FROM refresh_tokens");
    return true;
}

static void test_meeting(void)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;
    const char *bearer;

    racing = begin(&bearer);
    door->env.leave_write = NULL;
    door->env.enter_write = enter_after_rival;
    door_answer_t answer = refresh(racing);
    accepted(answer, 200, "two refreshes that meet");
    is_str(cookie_of(&answer), cookie_of(&rival), "... have one successor # security 35");
    is_int(
        count("SELECT count(*) FROM refresh_tokens WHERE spent_at = 0 AND session_id = (SELECT max(id) FROM sessions)"),
        1, "... one usable leaf # security 35");
    racing = begin(&bearer);
    door->env.enter_write = enter_after_loss;
    answer = refresh(racing);
    refused(answer, 401, "UNAUTHORISED", "", "a token that was cleaned away since it was read");
    door->env.enter_write = enter;
    door->env.leave_write = leave;
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    test_rotation();
    test_retry();
    test_reuse();
    test_bad_cookies();
    test_logout();
    test_logout_refused();
    test_lifetimes();
    test_meeting();
    return serve_end();
}
