/* SPDX-License-Identifier: Apache-2.0 */
/* A person's own change of address: PATCH /users/{id} and POST /oauth/confirm-address. route update_user
 * confirm_address
 */
#include "serve.h"

static const char *ada_id, *ada;

static door_answer_t change_user(const char *id, const char *credential, const char *body)
{
    return patch(text("/v1/users/%s", id), credential, body);
}

static door_answer_t ask_for(const char *address)
{
    return change_user(ada_id, ada, text("{\"username\":\"%s\",\"current_password\":\"" PASSWORD "\"}", address));
}

static door_answer_t confirm(const char *token)
{
    return post("/v1/oauth/confirm-address", NULL, text("{\"token\":\"%s\"}", token ? token : ""));
}

static const char *column(const char *names)
{
    return rows(text("SELECT %s FROM users WHERE id = '%s'", names, ada_id));
}

static const char *asked(const char *address)
{
    door_answer_t answer = ask_for(address);
    const char *token = door_mailed_token(door, address);

    return answer.status == 200 && token ? token : (bail(text("no mail: %s", answer.text)), NULL);
}

static const char *dead_text(void)
{
    door_answer_t answer = confirm(identity_token_make(door->pool, IDENTITY_TOKEN_CHANGE, &door->env.random));
    return answer.text;
}

/* Her session, and her name as it was. */
static void afresh(void)
{
    change(text("UPDATE users SET username = 'ada@example.org', canonical = 'ada@example.org', held_name = "
                "'ada@example.org', domain = 'example.org', "
                "verified_at = created_at, status = 'ACTIVE', active = 1, pending_username = '' WHERE id = '%s'",
                ada_id));
    change("DELETE FROM outbox");
    pass(3601); /* the limit of mails to an address */
    ada = login("ada@example.org");
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

static void test_asked(void)
{
    const char *before = column("username, canonical, domain, verified_at");
    door_answer_t answer = ask_for("Ada.Lovelace@example.org");

    accepted(answer, 200, "A4: a person asks for another address");
    is_str(door_text(&answer, "username"), "ada@example.org", "A4: ... and has the old name");
    is_str(door_text(&answer, "pending_username"), "Ada.Lovelace@example.org", "A4: ... beside the one that waits");
    is_str(members_at(&answer, ""),
           "object_type,id,entity_id,created_at,status,username,password,invite_expired,active,account_memberships,"
           "team_memberships,pending_username",
           "A4: ... behind the published members");
    is_str(column("username, canonical, domain, verified_at"), before, "A4: the name of the row is as it was");
    is_str(rows("SELECT kind, recipient, state FROM outbox ORDER BY kind"),
           "change|ada.lovelace@example.org|queued changed|ada@example.org|queued",
           "A4: a link goes to the new address and a notice to the old one");
    is_int(count("SELECT count(*) FROM outbox WHERE kind = 'changed' AND sealed = '' AND link_expires_at = 0"), 1,
           "... which has no link");
    ok(door_login(door, "ada@example.org", PASSWORD, NULL) != NULL, "A4: one signs in by the old name");
    ok(!door_login(door, "ada.lovelace@example.org", PASSWORD, NULL), "A4: ... and not by the new one");
    answer = get(text("/v1/users/%s", ada_id), ada);
    is_str(door_text(&answer, "pending_username"), "Ada.Lovelace@example.org", "GET shows what waits");
    accepted(answer, 200, "... and the session goes on");
    const char *token = door_mailed_token(door, "Ada.Lovelace@example.org");
    is_int(count(text("SELECT count(*) FROM secrets WHERE kind = 'change' AND digest = '%s'",
                      identity_token_digest(door->pool, token))),
           1, "the database holds the digest of the link's token # security 20");
    is_int(count(text("SELECT count(*) FROM outbox WHERE sealed LIKE '%%%s%%' OR details LIKE '%%%s%%'", token, token)),
           0, "... and not the token");
    answer = change_user(ada_id, ada, text("{\"username\":\"ada@example.org\",\"status\":\"ACTIVE\"}"));
    is_str(door_text(&answer, "pending_username"), "Ada.Lovelace@example.org",
           "what GET gave, sent back, changes nothing of what waits");
}

static void test_refused(void)
{
    const identity_mail_target_t *mail = door->settings.mail;
    const char *before;

    afresh();
    before = state();
    door_answer_t answer = change_user(ada_id, ada, "{\"username\":\"new@example.org\"}");
    refused(answer, 400, "MISSING_FIELD", "current_password", "not without the password # security 9");
    answer = change_user(ada_id, ada, "{\"username\":\"no address\",\"current_password\":\"" PASSWORD "\"}");
    refused(answer, 400, "INVALID_FIELD", "username", "what is not an address");
    door->settings.mail = NULL;
    answer = ask_for("new@example.org");
    refused(answer, 503, "INTERNAL_ERROR", "", "without a way to mail the link");
    door->settings.mail = mail;
    is_str(state(), before, "none of it changed a row");
    answer = change_user(ada_id, ada, "{\"username\":\"new@example.org\",\"current_password\":\"Wrong1horse\"}");
    refused(answer, 400, "INVALID_FIELD", "current_password", "a wrong password # security 9");
    is_str(column("pending_username"), "", "... changes nothing");
    int seen = 0;
    while (seen < 20 && ask_for("often@example.org").status == 200)
        seen++;
    is_int(seen, 10, "the link counts for the class mail, by the new address");
    is_int(ask_for("often@example.org").status, 429, "... and past it is 429");
    is_int(ask_for("other@example.org").status, 200, "... another address is not touched");
}

/* ---- confirming ------------------------------------------------------------------------------------------------- */

static void test_confirmed(void)
{
    afresh();
    const char *second = login("ada@example.org"), *alias;
    identity_alias_row_t *made;
    identity_problem_t problem;

    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"ada@example.org\"}");
    const char *reset = door_mailed_token(door, "ada@example.org"), *token;
    identity_alias_add(door->pool, &door->env, "ada@example.org", NULL, apr_time_from_sec(86400), &alias, &made,
                       &problem);
    token = asked("Ada.L@Example.org");
    change(text("UPDATE users SET verified_at = 0 WHERE id = '%s'", ada_id));
    door_answer_t answer = post("/v1/oauth/describe-link", NULL, text("{\"token\":\"%s\"}", token));
    accepted(answer, 200, "the page asks what the link is about");
    is_str(members_at(&answer, ""), "kind,username,adds,expires_at,password_min_length,password_sign_in",
           "... in the documented order");
    is_str(text("%s %s", door_text(&answer, "kind"), door_text(&answer, "username")), "CHANGE Ada.L@Example.org",
           "... and is told the new address alone");
    const char *before = state();
    answer = get("/v1/oauth/confirm-address", NULL);
    is_int(answer.status, 200, "GET is the page");
    is_str(state(), before, "... and changes nothing # security 22");
    answer = confirm(token);
    accepted(answer, 200, "A4: the new mailbox answers");
    is_str(door_text(&answer, "username"), "Ada.L@Example.org", "A4: ... and is the name");
    ok(!door_at(answer.json, "pending_username"), "A4: ... nothing waits any more");
    ok(!header(&answer, "Set-Cookie"), "... nobody is signed in by it # security 29");
    is_str(column("username, canonical, domain, pending_username, pending_expires_at, verified_at > 0"),
           "Ada.L@Example.org|ada.l@example.org|example.org||0|1", "A4: ... proved, in all forms");
    ok(door_login(door, "ada.l@example.org", PASSWORD, NULL) != NULL, "A4: one signs in by it");
    ok(!door_login(door, "ada@example.org", PASSWORD, NULL), "A4: ... and not by the old one");
    accepted(get(text("/v1/users/%s", ada_id), ada), 200, "the session that asked goes on");
    answer = get(text("/v1/users/%s", ada_id), second);
    refused(answer, 401, "UNAUTHORISED", "", "all others end");
    answer = post("/v1/oauth/token", NULL, text("{\"token_alias\":\"%s\"}", alias));
    refused(answer, 401, "UNAUTHORISED", "", "aliases end");
    answer = post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"Taken1over\"}", reset));
    refused(answer, 400, "INVALID_FIELD", "token", "open links for a new password end");
    door_answer_t record = get(text("/v1/audit-records?target_id=%s&limit=9", ada_id), door->key);
    ok(record.text && strstr(record.text, "Changed: username, confirmed by a mailed link") &&
           strstr(record.text, "{\"field\":\"username\",\"from\":\"ada@example.org\",\"to\":\"Ada.L@Example.org\"}"),
       "B8: the audit record says from what to what");
    answer = confirm(token);
    refused(answer, 400, "INVALID_FIELD", "token", "a link is good once # security 21");
    is_str(answer.text, dead_text(), "... then in the words for an unknown one");
}

static void test_expired(void)
{
    afresh();
    const char *token = asked("later@example.org");
    apr_time_t end = (apr_time_t)strtoll(column("pending_expires_at"), NULL, 10);

    is_int(end - door->now <= door->settings.reset_lifetime, 1, "a link lives as one for a new password does");
    door->now = end;
    door_answer_t answer = confirm(token);
    refused(answer, 400, "INVALID_FIELD", "token", "an expired link # security 23");
    ok(strstr(answer.text, "expired") != NULL, "... is told so in a text of its own");
    answer = get(text("/v1/users/%s", ada_id), door->key);
    ok(answer.status == 200 && !door_at(answer.json, "pending_username"), "... and nothing waits any more");
    is_str(column("username"), "ada@example.org", "... the name is as it was");
}

/* Unique is what is unique then. */
static void test_taken(void)
{
    afresh();
    door_answer_t answer = ask_for("helper@example.org");
    accepted(answer, 200, "A4: whether a name is taken is not told to who asks for it");
    const char *taken = door_mailed_token(door, "helper@example.org");
    const char *before = state();
    answer = confirm(taken);
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "A4: it is judged when it is confirmed");
    is_str(state(), before, "... and nothing is changed");
    const char *token = asked("free@example.org");
    post("/v1/users", door->key, "{\"username\":\"free@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(confirm(token), 409, "RESOURCE_ALREADY_EXISTS", "username", "... taken meanwhile");
    change("UPDATE users SET username = 'moved@example.org', canonical = 'moved@example.org', held_name = "
           "'moved@example.org' WHERE canonical = "
           "'free@example.org'");
    accepted(confirm(token), 200, "... the link stays good until the name is free");
}

static void test_tokens(void)
{
    afresh();
    const char *token = asked("tokens@example.org");
    const char *wrong[] = {"",
                           "x",
                           text("%sA", token),
                           text("idp%s", token + 3),
                           identity_token_make(door->pool, IDENTITY_TOKEN_RESET, &door->env.random),
                           door->key};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = confirm(wrong[i]);
        refused(answer, 400, "INVALID_FIELD", "token", "no token: %d", (int)i);
        is_str(answer.text, dead_text(), "... all in the same words");
        is_int(answer.statements, 0, "... and never looked up");
    }
    door_answer_t answer =
        post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    refused(answer, 400, "INVALID_FIELD", "token", "it sets no password");
    answer = post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    refused(answer, 400, "INVALID_FIELD", "token", "... and accepts no invitation");
}

/* ---- what voids it ---------------------------------------------------------------------------------------------- */

static void voided(const char *token, const char *what)
{
    door_answer_t answer = confirm(token), user = get(text("/v1/users/%s", ada_id), door->key);

    refused(answer, 400, "INVALID_FIELD", "token", "A4: %s voids what waits", what);
    is_str(answer.text, dead_text(), "... in the words for an unknown link");
    ok(user.status == 200 && !door_at(user.json, "pending_username"), "... and it is shown no more");
    is_int(count("SELECT count(*) FROM outbox WHERE kind = 'change' AND state = 'queued'"), 0,
           "... nor does a mail of it leave");
}

static void test_voided(void)
{
    const char *token, *reset;

    afresh();
    token = asked("one@example.org");
    const char *newer = asked("two@example.org");
    refused(confirm(token), 400, "INVALID_FIELD", "token", "A4: a newer change voids the older # security 24");
    accepted(confirm(newer), 200, "... and is good");
    afresh();
    token = asked("three@example.org");
    accepted(change_user(ada_id, ada, "{\"password\":\"Another1one\",\"current_password\":\"" PASSWORD "\"}"), 200,
             "(a new password)");
    voided(token, "a change of the password");
    accepted(change_user(ada_id, ada, "{\"password\":\"" PASSWORD "\",\"current_password\":\"Another1one\"}"), 200,
             "(the old one)");
    afresh();
    token = asked("four@example.org");
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"ada@example.org\"}");
    reset = door_mailed_token(door, "ada@example.org");
    accepted(
        post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", reset)),
        200, "(a reset)");
    voided(token, "a reset of the password");
    afresh();
    token = asked("five@example.org");
    accepted(change_user(ada_id, door->key, "{\"username\":\"given@example.org\"}"), 200, "(by a key)");
    voided(token, "an administrator's PATCH of the name");
    is_str(column("username, verified_at"), "given@example.org|0", "... which counts at once and proves nothing");
    afresh();
    token = asked("six@example.org");
    accepted(change_user(ada_id, door->key, "{\"status\":\"INACTIVE\"}"), 200, "(deactivated)");
    voided(token, "deactivation");
    accepted(change_user(ada_id, door->key, "{\"status\":\"ACTIVE\"}"), 200, "(and back)");
    voided(token, "... also when the user is back, it");
    afresh();
    asked("seven@example.org");
    door_answer_t both = change_user(
        ada_id, ada,
        "{\"username\":\"eight@example.org\",\"password\":\"Another1one\",\"current_password\":\"" PASSWORD "\"}");
    accepted(both, 200, "name and password at once");
    is_str(door_text(&both, "pending_username"), "eight@example.org", "... the password counts, the name waits");
    accepted(confirm(door_mailed_token(door, "eight@example.org")), 200, "... and is confirmed");
    ok(door_login(door, "eight@example.org", "Another1one", NULL) != NULL, "... both are good");
}

/* ---- by somebody else ------------------------------------------------------------------------------------------- */

static void test_by_somebody_else(void)
{
    const char *id = person_with("carl@example.org", "USER", named("Quote Viewer")),
               *bearer = login("carl@example.org");

    change("DELETE FROM outbox");
    door_answer_t answer = change_user(id, door->key, "{\"username\":\"karl@example.org\"}");
    accepted(answer, 200, "C3: a key changes the name");
    is_str(door_text(&answer, "username"), "karl@example.org", "C3: ... at once");
    ok(!door_at(answer.json, "pending_username"), "C3: ... nothing waits");
    is_str(rows(text("SELECT username, canonical, verified_at FROM users WHERE id = '%s'", id)),
           "karl@example.org|karl@example.org|0", "C3: ... and proves nothing");
    refused(get(text("/v1/users/%s", id), bearer), 401, "UNAUTHORISED", "", "C3: ... all sessions end");
    is_str(rows("SELECT kind, recipient FROM outbox ORDER BY kind, recipient"),
           "changed|carl@example.org changed|karl@example.org", "C3: ... both addresses are told");
    answer = get(text("/v1/audit-records?target_id=%s&limit=1", id), door->key);
    ok(answer.text && strstr(answer.text, "carl@example.org") && strstr(answer.text, "karl@example.org") &&
           !strstr(answer.text, "otice"),
       "C3: ... and the audit record says from what to what");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    person_with("chief@example.org", "ADMIN", "");
    person_with("helper@example.org", "USER", named("User Administrator"));
    door->settings.rates = identity_rates_standard;
    afresh();
    test_asked();
    test_refused();
    test_confirmed();
    test_expired();
    test_taken();
    test_tokens();
    test_voided();
    test_by_somebody_else();
    return serve_end();
}
