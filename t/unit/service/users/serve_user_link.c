/* SPDX-License-Identifier: Apache-2.0 */
/* POST /users/{id}/link: what an administrator hands over while mail is down works as a mailed link does, and proves
 * nothing of the address. route create_user_link reset_password activate_user */
#include "serve.h"

static const char *ada_id, *ada, *bob_id, *kim_id;
static identity_courier_t courier;

static door_answer_t make(const char *user, const char *credential, const char *kind)
{
    return post(text("/v1/users/%s/link", user), credential, text("{\"kind\":\"%s\"}", kind));
}

/* "" where the answer has no such link. */
static const char *token_of(const door_answer_t *answer, const char *page)
{
    const char *link = door_text(answer, "link"), *start = text("https://id.example.org%s#token=", page);
    return link && strncmp(link, start, strlen(start)) == 0 ? link + strlen(start) : "";
}

static door_answer_t redeem(const char *call, const char *token, const char *password)
{
    return post(text("/v1/oauth/%s", call), NULL, text("{\"token\":\"%s\",\"new_password\":\"%s\"}", token, password));
}

static const char *waiting(void)
{
    return rows("SELECT kind, recipient FROM outbox WHERE state = 'queued' ORDER BY kind, recipient");
}

static const char *invited(const char *address)
{
    door_answer_t answer =
        post("/v1/users/invite", door->key,
             text("{\"username\":\"%s\",\"account_memberships\":[%s]}", address, member(door->account_id, "USER", "")));

    if (answer.status != 200)
        bail(answer.text);
    return rows(text("SELECT id FROM users WHERE canonical = '%s' AND entity_id = '%s'", address, door->entity_id));
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void test_refusals(void)
{
    const char *narrow =
        "{\"permissions\":[\"USER.MORTAL.UPDATE\",\"USER.MORTAL.VIEW\",\"USER.MORTAL.CREATE\",\"ROLE.VIEW\"]}";
    door_answer_t made = post("/v1/api-keys", door->key, narrow);
    const char *narrowed = door_text(&made, "api_key");

    person_with("half@example.org", "ADMIN", "");
    const char *half = login("half@example.org"), *bob = login("bob@example.org");
    get("/v1/roles", narrowed), get("/v1/roles", door->read_key),
        get("/v1/roles", door->other_key); /* their first use */
    const char *before = state();
    refused(make(bob_id, NULL, "reset"), 401, "UNAUTHORISED", "", "link without a credential");
    refused(make(bob_id, door->read_key, "reset"), 403, "USER_NOT_ALLOWED", "", "link without the permission");
    refused(make(bob_id, narrowed, "reset"), 403, "USER_NOT_ALLOWED", "", "... with the permission alone");
    refused(make(bob_id, half, "reset"), 403, "USER_NOT_ALLOWED", "", "... by an ADMIN of one account of two");
    refused(make(bob_id, bob, "reset"), 403, "USER_NOT_ALLOWED", "", "... for oneself");
    refused(make(bob_id, door->other_key, "reset"), 404, "USER_NOT_FOUND", "", "of another entity # security 60");
    refused(make(ada_id, ada, "reset"), 403, "USER_NOT_ALLOWED", "kind",
            "... for oneself, whoever one is # security 9");
    refused(make("user_00000000000000000000", door->key, "reset"), 404, "USER_NOT_FOUND", "", "of nobody");
    refused(make(bob_id, door->key, "activate"), 409, "INVALID_OPERATION", "kind", "bob has no open invitation");
    refused(make(kim_id, door->key, "reset"), 409, "INVALID_OPERATION", "kind", "kim has no password yet");
    refused(make(bob_id, door->key, "both"), 400, "INVALID_FIELD", "kind", "no such kind");
    refused(post(text("/v1/users/%s/link", bob_id), door->key, "{}"), 400, "MISSING_FIELD", "kind", "no kind");
    is_str(state(), before, "none of it changed a row");
}

static void test_deleted(void)
{
    const char *gone = door_person(door, "gone@example.org", PASSWORD, "[]");

    accepted(door_call(door, "DELETE", text("/v1/users/%s", gone), door->key, NULL), 200, "(deleted)");
    refused(make(gone, door->key, "reset"), 409, "INVALID_OPERATION", "", "M5: nobody deleted comes in by a link");
}

/* ---- reset ------------------------------------------------------------------------------------------------------ */

static void test_reset(void)
{
    change("UPDATE outbox SET state = 'cancelled' WHERE state = 'queued'");
    change(text("UPDATE users SET verified_at = 0 WHERE id = '%s'", bob_id));
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"bob@example.org\"}");
    const char *mailed = door_mailed_token(door, "bob@example.org");
    door_answer_t answer = make(bob_id, ada, "reset");
    accepted(answer, 201, "a link to reset by who holds everything");
    is_str(members_at(&answer, ""), "link,expires_at", "... and nothing else");
    const char *token = token_of(&answer, "/v1/oauth/reset-password");
    ok(identity_token_valid(token, IDENTITY_TOKEN_RESET), "... opens the page of mailed ones");
    is_str(door_text(&answer, "expires_at"), identity_time_format(door->pool, door->now + apr_time_from_sec(3600)),
           "... for as long");
    refused(redeem("reset-password", mailed, "Another1one"), 400, "INVALID_FIELD", "token",
            "what was mailed before is void # security 28");
    is_int(count(text("SELECT COUNT(*) FROM secrets WHERE digest = '%s'", identity_token_digest(door->pool, token))), 1,
           "the database holds its digest # security 20");
    is_str(waiting(), "link|bob@example.org", "... and what waits is a notice");
    is_str(
        rows(text("SELECT d.action, d.user_id, d.message, x.target_name FROM audit_records d JOIN audit_details x ON "
                  "x.record_id = d.id WHERE d.target_id = '%s' AND d.action = 'LINK'",
                  bob_id)),
        text("LINK|%s|A link to set a new password was created, to be handed over.|bob@example.org", ada_id),
        "on record # security 82");
    ok(!strstr(rows("SELECT changes FROM audit_details"), token), "... without the link");
    accepted(redeem("reset-password", token, "Another1one"), 200, "it sets the password");
    refused(redeem("reset-password", token, "Third1password"), 400, "INVALID_FIELD", "token", "once # security 21");
    ok(door_login(door, "bob@example.org", "Another1one", NULL) != NULL, "bob signs in");
    is_str(rows(text("SELECT verified_at FROM users WHERE id = '%s'", bob_id)), "0", "which proves no address");
    is_str(rows(text("SELECT message FROM audit_records WHERE target_id = '%s' AND action = 'PASSWORD_RESET' "
                     "ORDER BY id DESC LIMIT 1",
                     bob_id)),
           "A password was reset by a link that was handed over.", "... and the record says how");
}

static void test_expiry(void)
{
    door_answer_t answer = make(bob_id, door->key, "reset");
    const char *token = token_of(&answer, "/v1/oauth/reset-password");

    pass(3600);
    refused(redeem("reset-password", token, PASSWORD), 400, "INVALID_FIELD", "token", "an hour later it has expired");
    answer = make(bob_id, door->key, "reset");
    token = token_of(&answer, "/v1/oauth/reset-password");
    accepted(post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"bob@example.org\"}"), 200, "(a mail)");
    refused(redeem("reset-password", token, PASSWORD), 400, "INVALID_FIELD", "token",
            "a mail that the person asks for takes its place # security 28");
}

/* ---- activation ------------------------------------------------------------------------------------------------- */

static void test_activate(void)
{
    const char *id = rows(text("SELECT id FROM invitations WHERE user_id = '%s'", kim_id));

    pass(8 * 86400); /* the invitation has expired */
    door_answer_t answer = make(kim_id, door->key, "activate");
    accepted(answer, 201, "a link to an invitation that has expired");
    const char *token = token_of(&answer, "/v1/oauth/activate-user");
    is_str(door_text(&answer, "expires_at"), identity_time_format(door->pool, door->now + apr_time_from_sec(7 * 86400)),
           "... whose time begins anew");
    door_answer_t user = get(text("/v1/users/%s", kim_id), door->key);
    is_str(json_at(&user, "invite_expired"), "false", "... as the user shows");
    is_str(rows(text("SELECT state, expires_at > %" APR_TIME_T_FMT " FROM invitations WHERE id = '%s'", door->now, id)),
           "invited|1", "... and the invitation");
    accepted(redeem("activate-user", token, PASSWORD), 200, "it is accepted");
    is_str(rows(text("SELECT status, verified_at FROM users WHERE id = '%s'", kim_id)), "ACTIVE|0",
           "which proves no address");
    ok(door_login(door, "kim@example.org", PASSWORD, NULL) != NULL, "kim signs in");
    refused(make(kim_id, door->key, "activate"), 409, "INVALID_OPERATION", "kind",
            "there is nothing to accept any more");
}

/* Somebody of another entity who never proved the address gives way to who has the mailbox, not to who got a link. */
static void test_displaces_nobody(void)
{
    const char *theirs = text("{\"username\":\"eve@example.org\",\"password\":\"" PASSWORD "\"}");
    const char *mine = invited("eve@example.org");

    accepted(post("/v1/users", door->other_key, theirs), 201, "the other entity has an unproved eve");
    door_answer_t answer = make(mine, door->key, "activate");
    const char *token = token_of(&answer, "/v1/oauth/activate-user");
    answer = redeem("activate-user", token, PASSWORD);
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "", "a link that was handed over displaces nobody # security 70");
    is_str(rows("SELECT status FROM users WHERE canonical = 'eve@example.org' ORDER BY status"), "ACTIVE INVITED",
           "... both stay as they are");
}

/* ---- the notice ------------------------------------------------------------------------------------------------- */

static void test_told(void)
{
    const identity_mail_target_t *mail = door->settings.mail;

    change("DELETE FROM outbox");
    pass(3601);
    door->settings.mail = NULL;
    accepted(make(bob_id, door->key, "reset"), 201, "without a way to mail it is made all the same");
    door->settings.mail = mail;
    ok(strstr(rows(text("SELECT message FROM audit_records WHERE target_id = '%s' AND action = 'LINK' ORDER BY id DESC "
                        "LIMIT 1",
                        bob_id)),
              "No notice was mailed: this server is not configured to send mail."),
       "... and the record says that nobody was told");
    accepted(make(bob_id, login("ada@example.org"), "reset"), 201, "once more");
    is_int(identity_deliver(door->pool, &door->env, "unit:1", &courier, NULL), 1, "mail is back: the person is told");
    is_int(system(text("grep -q 'made by ada@example.org, and handed over' '%s/mail/new'/*", door->folder)), 0,
           "... by whom");
    ok(system(text("grep -l 'handed over' '%s/mail/new'/* | xargs grep -q token=", door->folder)) != 0,
       "... without the link");
}

int main(void)
{
    serve_begin();
    ada_id = door_person(
        door, "ada@example.org", PASSWORD,
        text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", "")));
    ada = login("ada@example.org");
    bob_id = person_with("bob@example.org", "USER", named("Quote Viewer"));
    kim_id = invited("kim@example.org");
    test_refusals();
    test_deleted();
    test_reset();
    test_expiry();
    test_activate();
    test_displaces_nobody();
    test_told();
    return serve_end();
}
