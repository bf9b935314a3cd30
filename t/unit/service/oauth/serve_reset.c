/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/request-password-reset and /oauth/reset-password. route request_password_reset reset_password */
#include "serve.h"

static const char *ada_id;

static door_answer_t ask(const char *email)
{
    return post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", email));
}

static door_answer_t reset(const char *token, const char *password)
{
    return post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"%s\"}", token, password));
}

static const char *asked(void)
{
    ask("ada@example.org");
    const char *token = door_mailed_token(door, "ada@example.org");
    if (!token)
        bail("no mail");
    return token;
}

static const char *dead_text(void)
{
    const char *token = identity_token_make(door->pool, IDENTITY_TOKEN_RESET, &door->env.random);
    door_answer_t answer = reset(token, PASSWORD);
    return answer.text;
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

static void test_alike(void)
{
    static const char *const emails[] = {"ada@example.org",
                                         "ADA@Example.org",
                                         "unknown@example.org",
                                         "invited@example.org",
                                         "idle@example.org",
                                         "not an address",
                                         "",
                                         "' OR 1=1 --",
                                         "x@y.z\\r\\nBcc: all"};
    const char *headers = NULL;
    unsigned long statements = 0;

    for (size_t i = 0; i < sizeof emails / sizeof emails[0]; i++) {
        long long records = count("SELECT count(*) FROM audit_records WHERE action = 'RESET_REQUESTED'");
        door_answer_t answer = ask(emails[i]);
        is_int(answer.status, 200, "a reset is asked for by %s", emails[i]);
        ok(!answer.content_type && answer.length == 0, "... answered without a body # security 15");
        is_str(headers_of(&answer), headers ? headers : headers_of(&answer), "... by the same headers # security 15");
        is_int(answer.statements, statements ? statements : answer.statements,
               "... in as many statements # security 15");
        is_int(count("SELECT count(*) FROM audit_records WHERE action = 'RESET_REQUESTED'"), records + 1,
               "... and one audit record # security 82");
        headers = headers_of(&answer);
        statements = answer.statements;
    }
    is_int(count("SELECT count(*) FROM outbox WHERE kind = 'reset'"), 2,
           "but a mail goes to the one who is there and ACTIVE");
    is_int(count("SELECT count(*) FROM outbox WHERE kind = 'reset' AND state = 'queued'"), 1,
           "... once, if it was asked for twice");
    ok(door_mailed_token(door, "ada@example.org") != NULL, "... and comes");
    const identity_mail_target_t *mail = door->settings.mail;
    door->settings.mail = NULL;
    door_answer_t answer = ask("ada@example.org"), other = ask("unknown@example.org");
    refused(answer, 503, "INTERNAL_ERROR", "", "without a way to mail it");
    is_str(other.text, answer.text, "... for everybody # security 15");
    door->settings.mail = mail;
}

/* ---- resetting -------------------------------------------------------------------------------------------------- */

static void test_reset(void)
{
    const char *cookie, *bearer = door_login(door, "ada@example.org", PASSWORD, &cookie),
                        *second = login("ada@example.org");
    const char *token = asked();

    is_int(count(text("SELECT count(*) FROM secrets WHERE digest = '%s'", identity_token_digest(door->pool, token))), 1,
           "the database holds the digest of the link's token # security 20");
    door_answer_t answer = reset(token, "Another1one");
    accepted(answer, 200, "reset");
    ok(json_is_string(answer.json), "... answers a JSON string");
    ok(!header(&answer, "Set-Cookie"), "... and signs nobody in # security 29");
    is_str(rows("SELECT action, user_id, target_id FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("PASSWORD_RESET|%s|%s", ada_id, ada_id), "... an audit record # security 82");
    answer = get(text("/v1/users/%s", ada_id), bearer);
    refused(answer, 401, "UNAUTHORISED", "", "all sessions end # security 10");
    answer = get(text("/v1/users/%s", ada_id), second);
    refused(answer, 401, "UNAUTHORISED", "", "... all of them # security 10");
    door->cookie = cookie;
    answer = post("/v1/oauth/refresh-token", NULL, NULL);
    refused(answer, 401, "UNAUTHORISED", "", "... their refresh tokens too # security 10");
    door->cookie = NULL;
    ok(!door_login(door, "ada@example.org", PASSWORD, NULL), "the old password is dead");
    ok(door_login(door, "ada@example.org", "Another1one", NULL) != NULL, "the new one is good");
    answer = reset(token, "Third1password");
    refused(answer, 400, "INVALID_FIELD", "token", "a link is good once # security 21");
    is_str(answer.text, dead_text(), "... then in the words for an unknown one");
    ok(door_login(door, "ada@example.org", "Another1one", NULL) != NULL, "... and changes nothing");
}

static void test_replaced(void)
{
    const char *first = asked(), *second = asked();

    door_answer_t answer = reset(first, PASSWORD);
    refused(answer, 400, "INVALID_FIELD", "token", "a new request kills the old link # security 28");
    is_str(answer.text, dead_text(), "... in the words for an unknown one");
    answer = reset(second, PASSWORD);
    accepted(answer, 200, "the new one is good");
}

static void test_expiry(void)
{
    const char *token = asked();
    apr_time_t end = (apr_time_t)count("SELECT max(expires_at) FROM secrets WHERE kind = 'reset'");

    ok(end - door->now <= apr_time_from_sec(3600), "an hour");
    door->now = end;
    door_answer_t answer = reset(token, "Another1one");
    refused(answer, 400, "INVALID_FIELD", "token", "an expired link # security 23");
    ok(strcmp(answer.text, dead_text()) != 0 && strstr(answer.text, "expired"), "... is told so in a text of its own");
    token = asked();
    door->now = (apr_time_t)count("SELECT max(expires_at) FROM secrets WHERE kind = 'reset'") - 100;
    answer = reset(token, PASSWORD);
    accepted(answer, 200, "just before it a link is good");
}

static void test_password(void)
{
    static const char *const weak[] = {"short1A",          "nocapital1", "NoDigitAtAll",
                                       "ADA@example.org1", "",           "Ctrl1\\u0001char"};
    const char *token;

    change(text("UPDATE users SET username = 'Ada@example.org1', canonical = 'ada@example.org1', held_name = "
                "'ada@example.org1' WHERE id = '%s'",
                ada_id));
    ask("ada@example.org1");
    token = door_mailed_token(door, "Ada@example.org1");
    const char *before = state();
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        door_answer_t answer = reset(token, weak[i]);
        refused(answer, 400, "INVALID_FIELD", "new_password", "not \"%s\"", weak[i]);
    }
    door_answer_t answer = reset(token, text("A1%01030d", 0));
    refused(answer, 400, "INVALID_FIELD", "new_password", "nor over 1,024 bytes # security 4");
    door->refuse_hash = true;
    answer = reset(token, PASSWORD);
    refused(answer, 503, "INTERNAL_ERROR", "", "a full hash gate # security 17");
    door->refuse_hash = false;
    is_str(state(), before, "none of it spent the link");
    answer = reset(token, text("A1 %01021d", 0));
    accepted(answer, 200, "1,024 bytes with a blank are taken # security 4");
    ok(door_login(door, "ada@example.org1", text("A1 %01021d", 0), NULL) != NULL, "... whole");
    ok(!door_login(door, "ada@example.org1", text("A1 %01020d", 0), NULL), "... to the last # security 3");
    change(text("UPDATE users SET username = 'ada@example.org', canonical = 'ada@example.org', held_name = "
                "'ada@example.org' WHERE id = '%s'",
                ada_id));
}

static void test_tokens(void)
{
    const char *token = asked();
    const char *wrong[] = {"",
                           "x",
                           text("%sA", token),
                           text("idi%s", token + 3),
                           identity_token_make(door->pool, IDENTITY_TOKEN_INVITE, &door->env.random),
                           door->key};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = reset(wrong[i], PASSWORD);
        refused(answer, 400, "INVALID_FIELD", "token", "no token: %d", (int)i);
        is_str(answer.text, dead_text(), "... all in the same words");
        is_int(answer.statements, 0, "... and never looked up");
    }
    door_answer_t answer =
        post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    refused(answer, 400, "INVALID_FIELD", "token", "a reset's token accepts no invitation");
    change(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", ada_id));
    answer = reset(token, PASSWORD);
    refused(answer, 400, "INVALID_FIELD", "token", "nobody who is not ACTIVE resets");
    is_str(answer.text, dead_text(), "... in the words for an unknown link");
    change(text("UPDATE users SET status = 'ACTIVE', active = 1 WHERE id = '%s'", ada_id));
}

/* ---- at the same time ------------------------------------------------------------------------------------------- */

static const char *racing;
static door_answer_t rival;

static bool enter_after_rival(void *context)
{
    (void)context;
    door->env.enter_write = NULL;
    rival = reset(racing, "Rival1password");
    return true;
}

static void test_race(void)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;

    racing = asked();
    door->env.leave_write = NULL;
    door->env.enter_write = enter_after_rival;
    door_answer_t answer = reset(racing, "Loser1password");
    door->env.enter_write = enter;
    door->env.leave_write = leave;
    accepted(rival, 200, "of two that met one wins");
    refused(answer, 400, "INVALID_FIELD", "token", "... and one loses # security 21");
    ok(door_login(door, "ada@example.org", "Rival1password", NULL) != NULL, "... with its password");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    post("/v1/users", door->key,
         "{\"username\":\"idle@example.org\",\"password\":\"" PASSWORD "\",\"status\":\"INACTIVE\"}");
    post("/v1/users/invite", door->key, "{\"username\":\"invited@example.org\"}");
    test_alike();
    test_reset();
    test_replaced();
    test_expiry();
    test_tokens();
    test_password();
    test_race();
    return serve_end();
}
