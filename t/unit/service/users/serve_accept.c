/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/activate-user: how an invitation is accepted, and when it is not. route activate_user */
#include "serve.h"

static const char *ada;

static void invite(const char *credential, const char *address, const char *memberships)
{
    door_answer_t answer = post("/v1/users/invite", credential,
                                text("{\"username\":\"%s\",\"account_memberships\":[%s]}", address, memberships));
    if (answer.status != 200)
        bail(text("%s could not be invited: %s", address, answer.text));
}

static const char *invited(const char *credential, const char *address, const char *memberships)
{
    invite(credential, address, memberships);
    const char *token = door_mailed_token(door, address);
    if (!token)
        bail(text("no mail for %s", address));
    return token;
}

static door_answer_t accept_with(const char *token, const char *password, const char *bearer)
{
    return post("/v1/oauth/activate-user", bearer,
                password ? text("{\"token\":\"%s\",\"new_password\":\"%s\"}", token, password)
                         : text("{\"token\":\"%s\"}", token));
}

static const char *of_user(const char *canonical, const char *columns)
{
    return rows(text("SELECT %s FROM users WHERE canonical = '%s'", columns, canonical));
}

static const char *dead_text(void)
{
    const char *token = identity_token_make(door->pool, IDENTITY_TOKEN_INVITE, &door->env.random);
    door_answer_t answer = accept_with(token, PASSWORD, NULL);
    return answer.text;
}

/* ---- a new person ----------------------------------------------------------------------------------------------- */

static void test_accept(void)
{
    const char *name = "new@example.org",
               *token = invited(door->key, name, member(door->account_id, "USER", named("Quote Viewer")));
    const char *digest = identity_token_digest(door->pool, token), *id = of_user(name, "id");

    is_int(count(text("SELECT count(*) FROM secrets WHERE digest = '%s'", digest)), 1,
           "the database holds the digest of the link's token # security 20");
    door_answer_t answer = accept_with(token, PASSWORD, NULL);
    accepted(answer, 200, "accepted");
    is_str(members_at(&answer, ""),
           "object_type,id,entity_id,created_at,status,username,password,invite_expired,active,account_memberships,"
           "team_memberships",
           "... the answer is the User");
    is_str(door_text(&answer, "status"), "ACTIVE", "... now ACTIVE");
    is_str(json_at(&answer, "invite_expired"), "null", "... with no invitation open");
    is_str(door_text(&answer, "account_memberships.0.roles.0.name"), "Quote Viewer", "... and what was given");
    is_str(of_user(name, "status, verified_at > 0, password_changed_at > 0, invite_expires_at"), "ACTIVE|1|1|0",
           "what the database holds");
    is_str(rows(text("SELECT state FROM invitations WHERE user_id = '%s'", id)), "accepted", "... of the invitation");
    is_str(rows("SELECT action, user_id, target_id FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("ACTIVATE|%s|%s", id, id), "... an audit record # security 82");
    ok(!header(&answer, "Set-Cookie"), "accepting signs nobody in");
    ok(login(name) != NULL, "the password signs in");
    answer = accept_with(token, "Another1one", NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "once # security 21");
    is_str(answer.text, dead_text(), "... in the words for an unknown one");
    ok(door_login(door, name, "Another1one", NULL) == NULL, "... and changes no password");
}

static void test_password(void)
{
    const char *token = invited(door->key, "weak1@example.org", "");
    static const char *const weak[] = {"short1A", "nocapital1", "NoDigitAtAll", "Weak1@Example.org", ""};
    const char *before = state();

    door_answer_t answer = accept_with(token, NULL, NULL);
    refused(answer, 400, "MISSING_FIELD", "new_password", "a password is needed");
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        answer = accept_with(token, weak[i], NULL);
        refused(answer, 400, "INVALID_FIELD", "new_password", "not \"%s\"", weak[i]);
    }
    door->refuse_hash = true;
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 503, "INTERNAL_ERROR", "", "a full hash gate # security 17");
    door->refuse_hash = false;
    is_str(state(), before, "none of it spent the link");
    answer = accept_with(token, PASSWORD, NULL);
    accepted(answer, 200, "a good one is taken");
}

static void test_tokens(void)
{
    const char *token = invited(door->key, "tokens@example.org", "");
    const char *reset = identity_token_make(door->pool, IDENTITY_TOKEN_RESET, &door->env.random);
    const char *wrong[] = {"",
                           "x",
                           apr_pstrndup(door->pool, token, strlen(token) - 1),
                           text("%sA", token),
                           text(" %s", token),
                           reset,
                           text("idp%s", token + 3),
                           door->key};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = accept_with(wrong[i], PASSWORD, NULL);
        refused(answer, 400, "INVALID_FIELD", "token", "no token: %d", (int)i);
        is_str(answer.text, dead_text(), "... all in the same words");
        is_int(answer.statements, 0, "... and never looked up");
    }
}

static void test_expiry(void)
{
    const char *name = "late@example.org", *token = invited(door->key, name, "");
    apr_time_t start = door->now;

    door->now = (apr_time_t)count("SELECT max(expires_at) FROM invitations") - 10;
    door_answer_t answer = get(text("/v1/users/%s", of_user(name, "id")), door->key);
    is_str(json_at(&answer, "invite_expired"), "false", "shortly before its end an invitation is not expired");
    door->now = (apr_time_t)count("SELECT max(expires_at) FROM invitations");
    answer = get(text("/v1/users/%s", of_user(name, "id")), door->key);
    is_str(json_at(&answer, "invite_expired"), "true", "then it is, with nobody cleaning up # security 23");
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "an expired link # security 23");
    ok(strcmp(answer.text, dead_text()) != 0 && strstr(answer.text, "expired"), "... is told so in a text of its own");
    invite(door->key, name, "");
    answer = accept_with(door_mailed_token(door, name), PASSWORD, NULL);
    accepted(answer, 200, "invited again it can be accepted");
    door->now = start + apr_time_from_sec(30 * 86400);
    ada = login("ada@example.org");
}

/* ---- the inviter ------------------------------------------------------------------------------------------------ */

static void test_inviter(void)
{
    const char *role = named("User Administrator");
    const char *chief = login("chief@example.org"), *chief_id = of_user("chief@example.org", "id");

    const char *token = invited(chief, "first@example.org", member(door->account_id, "USER", role));
    patch(text("/v1/users/%s", chief_id), door->key, "{\"status\":\"INACTIVE\"}");
    const char *before = state();
    door_answer_t answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "an inviter who was deactivated voids the invitation # security 26");
    is_str(answer.text, dead_text(), "... in the words for an unknown one");
    is_str(state(), before, "... and nothing is changed");
    patch(text("/v1/users/%s", chief_id), door->key, "{\"status\":\"ACTIVE\"}");
    change(text("UPDATE memberships SET type = 'USER' WHERE user_id = '%s'", chief_id));
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "an inviter who lost what it gives does too # security 25");
    change(text("UPDATE memberships SET type = 'ADMIN' WHERE user_id = '%s'", chief_id));
    answer = accept_with(token, PASSWORD, NULL);
    accepted(answer, 200, "with both back it holds");
    token = invited(login("chief@example.org"), "bare@example.org", "");
    change(text("UPDATE memberships SET type = 'USER' WHERE user_id = '%s'", chief_id));
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "an inviter who may not invite any more # security 25");
    change(text("UPDATE memberships SET type = 'ADMIN' WHERE user_id = '%s'", chief_id));
    answer = post("/v1/api-keys", door->key, "{\"expires_at\":\"2030-01-01T00:00:00Z\"}");
    const char *key = door_text(&answer, "api_key"), *key_id = door_text(&answer, "id");
    token = invited(key, "second@example.org", member(door->account_id, "USER", role));
    change(text("UPDATE api_keys SET active = 0 WHERE id = '%s'", key_id));
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "a key that was switched off # security 26");
    change(text("UPDATE api_keys SET active = 1, expires_at = 1600000000000000 WHERE id = '%s'", key_id));
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "a key that expired # security 26");
    change(text("UPDATE api_keys SET role_type = 'READ_ONLY', expires_at = 0 WHERE id = '%s'", key_id));
    answer = accept_with(token, PASSWORD, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "a key that holds less now # security 25");
    change(text("UPDATE api_keys SET role_type = 'ADMINISTRATOR' WHERE id = '%s'", key_id));
    answer = accept_with(token, PASSWORD, NULL);
    accepted(answer, 200, "a key that is as it was");
}

/* ---- somebody else's hands -------------------------------------------------------------------------------------- */

static void test_other_hands(void)
{
    const char *token = invited(door->key, "mine@example.org", "");

    door_answer_t answer = accept_with(token, PASSWORD, ada);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "somebody who is signed in does not accept for another # security 27");
    answer = accept_with(token, PASSWORD, door->key);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "nor does a key # security 58");
    answer = accept_with(token, PASSWORD, "Bearer nonsense");
    accepted(answer, 200, "a bad credential counts as none here");
}

/* ---- somebody who is ACTIVE: added memberships ------------------------------------------------------------------ */

static void test_added(void)
{
    const char *name = "ben@example.org", *id = person_with(name, "USER", named("Quote Viewer"));
    const char *team = serve_team("Night watch");
    const char *given = text("%s,%s", member(door->account_id, "ADMIN", ""),
                             member(door->second_account_id, "USER", named("Wallet Viewer")));
    const char *hash = of_user(name, "password_hash"), *bearer = login(name);

    door_answer_t answer = post("/v1/users/invite", door->key,
                                text("{\"username\":\"BEN@example.org\",\"account_memberships\":[%s],\"team_"
                                     "memberships\":[{\"team_id\":\"%s\"}]}",
                                     given, team));
    accepted(answer, 200, "somebody ACTIVE is invited to further accounts");
    is_int(size_at(&answer, "account_memberships"), 1, "... the answer shows what is added");
    is_str(door_text(&answer, "account_memberships.0.account_id"), door->second_account_id, "... and only that");
    is_str(of_user(name, "status, username"), "ACTIVE|ben@example.org", "... the person stays as it is");
    answer = get(text("/v1/users/%s", id), bearer);
    is_int(size_at(&answer, "account_memberships"), 1, "... and has nothing yet");
    is_str(json_at(&answer, "invite_expired"), "null", "... nor is it INVITED");
    const char *token = door_mailed_token(door, name);
    const char *before = state();
    answer = accept_with(token, NULL, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "accepted without signing in # security 27");
    answer = accept_with(token, "Another1one", NULL);
    refused(answer, 401, "UNAUTHORISED", "", "... a new password does not do # security 27");
    answer = accept_with(token, NULL, ada);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... another's session neither # security 27");
    answer = accept_with(token, NULL, door->key);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... nor a key # security 58");
    is_str(state(), before, "none of it changed a row");
    answer = accept_with(token, "Another1one", bearer);
    accepted(answer, 200, "accepted with one's own session");
    is_int(size_at(&answer, "account_memberships"), 2, "... both are there");
    is_str(door_text(&answer, "team_memberships.0.team_id"), team, "... and the team");
    is_str(of_user(name, "password_hash"), hash, "... and no new password is set");
    answer = accept_with(token, NULL, bearer);
    refused(answer, 400, "INVALID_FIELD", "token", "once # security 21");
    answer =
        post("/v1/users/invite", door->key, text("{\"username\":\"%s\",\"account_memberships\":[%s]}", name, given));
    refused(answer, 409, "INVALID_OPERATION", "username", "then there is nothing to add");
}

/* Who was in a team once can be invited into it again. */
static void test_added_again(void)
{
    const char *name = "again@example.org", *id = person_with(name, "USER", named("Quote Viewer")),
               *team = serve_team("Again");
    const char *invitation = text("{\"username\":\"%s\",\"team_memberships\":[{\"team_id\":\"%s\"}]}", name, team);
    door_answer_t answer = post(
        text("/v1/users/%s/teams", id), door->key,
        text("{\"team_id\":\"%s\",\"start_at\":\"2020-01-01T00:00:00Z\",\"end_at\":\"2020-02-01T00:00:00Z\"}", team));

    accepted(answer, 201, "in a team, for a time that is over");
    answer = post("/v1/users/invite", door->key, invitation);
    accepted(answer, 200, "... and invited into it again");
    answer = accept_with(door_mailed_token(door, name), NULL, login(name));
    accepted(answer, 200, "... which is accepted");
    is_str(json_at(&answer, "team_memberships.0.end_at"), "null", "... and open");
    is_int(count(text("SELECT count(*) FROM team_members WHERE user_id = '%s'", id)), 1, "... in place of the old one");
    answer = post("/v1/users/invite", door->key, invitation);
    refused(answer, 409, "INVALID_OPERATION", "username", "then there is nothing to add");
}

/* Two ways to the same membership meet: what the person has stays, and the link is no dead end. */
static void test_added_twice(void)
{
    const char *name = "cora@example.org", *id = person_with(name, "USER", named("Quote Viewer"));
    const char *token = invited(door->key, name, member(door->second_account_id, "USER", named("Wallet Viewer")));

    post(text("/v1/users/%s/memberships", id), door->key, member(door->second_account_id, "PARTNER", ""));
    door_answer_t answer = accept_with(token, NULL, login(name));
    accepted(answer, 200, "an invitation to what the person was given meanwhile");
    is_int(size_at(&answer, "account_memberships"), 2, "... gives it once");
    is_int(count(text("SELECT count(*) FROM memberships WHERE account_id = '%s' AND user_id = '%s'",
                      door->second_account_id, id)),
           1, "... in the database too");
}

static void test_added_revoked(void)
{
    const char *name = "dan@example.org", *id = person_with(name, "USER", named("Quote Viewer"));
    const char *first = invited(door->key, name, member(door->second_account_id, "ADMIN", ""));
    const char *second = invited(door->key, name, member(door->second_account_id, "USER", ""));
    const char *bearer = login(name);

    door_answer_t answer = accept_with(first, NULL, bearer);
    refused(answer, 400, "INVALID_FIELD", "token", "an invitation that was replaced # security 24");
    answer = post("/v1/users/revoke-invite", door->key, text("{\"username\":\"%s\"}", name));
    accepted(answer, 200, "an invitation to further accounts is revoked");
    is_str(door_text(&answer, "status"), "ACTIVE", "... the person stays ACTIVE");
    answer = accept_with(second, NULL, bearer);
    refused(answer, 400, "INVALID_FIELD", "token", "its link is dead # security 24");
    is_int(count(text("SELECT count(*) FROM memberships WHERE user_id = '%s'", id)), 1, "nothing was added");
    is_int(
        count(text(
            "SELECT count(*) FROM memberships WHERE invitation_id IN (SELECT id FROM invitations WHERE user_id = '%s')",
            id)),
        0, "and nothing waits any more");
}

/* ---- at the same time ------------------------------------------------------------------------------------------- */

static const char *racing;
static door_answer_t rival;

static bool enter_after_rival(void *context)
{
    (void)context;
    door->env.enter_write = NULL;
    rival = accept_with(racing, "Rival1password", NULL);
    return true;
}

static void test_race(void)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;

    racing = invited(door->key, "race@example.org", "");
    door->env.leave_write = NULL;
    door->env.enter_write = enter_after_rival;
    door_answer_t answer = accept_with(racing, PASSWORD, NULL);
    door->env.enter_write = enter;
    door->env.leave_write = leave;
    accepted(rival, 200, "of two that met, both good when they were read, one wins");
    refused(answer, 400, "INVALID_FIELD", "token", "... and one loses # security 21");
    ok(door_login(door, "race@example.org", "Rival1password", NULL) != NULL, "... with its password");
}

int main(void)
{
    serve_begin();
    person_with("ada@example.org", "ADMIN", "");
    person_with("chief@example.org", "ADMIN", "");
    ada = login("ada@example.org");
    test_accept();
    test_password();
    test_tokens();
    test_other_hands();
    test_expiry();
    test_inviter();
    test_added();
    test_added_again();
    test_added_twice();
    test_added_revoked();
    test_race();
    return serve_end();
}
