/* SPDX-License-Identifier: Apache-2.0 */
/* User names on every way in: the same rule, the same canonical form (conf/interface.md; security 77). */
#include "serve.h"
#include "support/usernames.h"

static const char *json_text(const char *text_)
{
    json_t *value = json_string(text_);
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    const char *copy = dump ? apr_pstrdup(door->pool, dump) : apr_pstrcat(door->pool, "\"", text_, "\"", NULL);

    free(dump);
    json_decref(value);
    return copy;
}

/* What is no UTF-8 is no JSON either: the whole body is refused. */
static const char *refusal(const char *name, const char *field)
{
    return identity_utf8_valid(name) ? text("400 INVALID_FIELD %s", field) : "400 BAD_REQUEST ";
}

#define comes_to(answer, expected, ...) tap_is_str(serve_outcome(answer), expected, __FILE__, __LINE__, __VA_ARGS__)

static const char *spare_id, *spare_token;

/* ---- refused ---------------------------------------------------------------------------------------------------- */

static void test_refused(const username_case_t *item, int number)
{
    const char *name = json_text(item->name), *before = rows("SELECT COUNT(*) FROM users");
    identity_user_row_t *made;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    identity_vouched_t vouched = {.subject = "1"};

    comes_to(post("/v1/users", door->key, text("{\"username\":%s,\"password\":\"" PASSWORD "\"}", name)),
             refusal(item->name, "username"), "%s: POST /users refuses name %d", item->number, number);
    comes_to(post("/v1/users", door->key, text("{\"username\":%s}", name)), refusal(item->name, "username"),
             "%s: ... without a password, too", item->number);
    comes_to(post("/v1/users/invite", door->key, text("{\"username\":%s}", name)), refusal(item->name, "username"),
             "%s: users/invite refuses name %d", item->number, number);
    comes_to(post("/v1/users/revoke-invite", door->key, text("{\"username\":%s}", name)),
             refusal(item->name, "username"), "%s: users/revoke-invite refuses name %d", item->number, number);
    comes_to(post("/v1/invitations", door->key, text("{\"email\":%s,\"roleID\":\"quote-viewer\"}", name)),
             refusal(item->name, "email"), "%s: /invitations refuses name %d", item->number, number);
    comes_to(patch(text("/v1/users/%s", spare_id), door->key, text("{\"username\":%s}", name)),
             refusal(item->name, "username"), "%s: PATCH by a key refuses name %d", item->number, number);
    comes_to(patch(text("/v1/users/%s", spare_id), spare_token,
                   text("{\"username\":%s,\"current_password\":\"" PASSWORD "\"}", name)),
             refusal(item->name, "username"), "%s: PATCH of the own name refuses name %d", item->number, number);
    comes_to(post("/v1/oauth/sandbox-token", NULL, text("{\"email\":%s,\"captcha_token\":\"x\"}", name)),
             refusal(item->name, "email"), "%s: a sandbox refuses name %d", item->number, number);
    comes_to(post("/v1/oauth/demo-token", NULL, text("{\"email\":%s,\"captcha_token\":\"x\"}", name)),
             refusal(item->name, "email"), "%s: so does the demo account", item->number);
    ok(!identity_user_import(door->pool, &door->env, door->entity_id, item->name, NULL,
                             "$2y$10$abcdefghijklmnopqrstuuJ5r5l1oZ0m0CBRMkzZPb3zT8Jm9pGvW", &made, &problem) &&
           strcmp(problem.field ? problem.field : "", "username") == 0,
       "%s: an import refuses name %d", item->number, number);
    json_t *claims = identity_json_own(door->pool, json_object());
    json_object_set_new(claims, "sub", json_string("1"));
    if (identity_utf8_valid(item->name)) {
        json_object_set_new(claims, "email", json_string(item->name));
        json_object_set_new(claims, "email_verified", json_true());
    }
    ok(identity_userinfo_take(door->pool, claims, &vouched), "%s: userinfo is read", item->number);
    is_str(vouched.email, NULL, "%s: a provider's address is not taken: name %d", item->number, number);
    comes_to(post("/v1/oauth/token", NULL, text("{\"username\":%s,\"password\":\"" PASSWORD "\"}", name)),
             identity_utf8_valid(item->name) ? "401 UNAUTHORISED " : "400 BAD_REQUEST ",
             "%s: nobody signs in by name %d", item->number, number);
    if (identity_utf8_valid(item->name))
        accepted(post("/v1/oauth/request-password-reset", NULL, text("{\"email\":%s}", name)), 200,
                 "%s: a reset tells nothing of name %d", item->number, number);
    is_str(rows("SELECT COUNT(*) FROM users"), before, "%s: ... and nobody has come by name %d", item->number, number);
}

/* ---- taken ------------------------------------------------------------------------------------------------------ */

static const char *told(const char *username)
{
    identity_request_t in = {.method = "GET", .path = "/place", .client_address = "192.0.2.7", .secure = true};
    identity_authentication_t found;

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_identify_password(door->pool, &door->env, &in, username, PASSWORD, &found);
    return found.principal ? found.principal->name : NULL;
}

static const char *escaped(const char *canonical)
{
    const char *quoted = "";

    for (; *canonical; canonical++)
        quoted = text("%s%s%c", quoted, *canonical == '\'' ? "'" : "", *canonical);
    return quoted;
}

static void test_taken(const username_case_t *item, int number)
{
    const char *name = json_text(item->name), *canonical = json_text(item->canonical);
    door_answer_t answer = post("/v1/users", door->key, text("{\"username\":%s,\"password\":\"" PASSWORD "\"}", name));
    const char *id = door_text(&answer, "id");

    accepted(answer, 201, "%s: POST /users takes name %d", item->number, number);
    is_str(door_text(&answer, "username"), item->name, "%s: ... in its spelling", item->number);
    is_str(rows(text("SELECT canonical, held_name FROM users WHERE id = '%s'", id ? id : "")),
           text("%s|%s", item->canonical, item->canonical), "%s: ... which is compared by its canonical form",
           item->number);
    refused(post("/v1/users", door->key, text("{\"username\":%s,\"password\":\"" PASSWORD "\"}", canonical)), 409,
            "RESOURCE_ALREADY_EXISTS", "username", "%s: ... so that the form is taken", item->number);
    refused(post("/v1/users/invite", door->key, text("{\"username\":%s}", canonical)), 409, "INVALID_OPERATION",
            "username", "%s: ... and nobody else is invited to it", item->number);
    refused(patch(text("/v1/users/%s", spare_id), door->key, text("{\"username\":%s}", canonical)), 409,
            "RESOURCE_ALREADY_EXISTS", "username", "%s: ... or renamed to it", item->number);
    ok(door_login(door, item->name, PASSWORD, NULL) != NULL, "%s: name %d signs in as it is spelled", item->number,
       number);
    ok(door_login(door, item->canonical, PASSWORD, NULL) != NULL, "%s: ... and by its form", item->number);
    is_str(told(item->name), item->canonical, "B10: protected content is told the form of name %d", number);
    const char *escape = identity_query_escape(door->pool, item->name);
    answer = get(text("/v1/users?username=%s", escape), door->key);
    is_str(door_text(&answer, "data.0.id"), id, "%s: the list finds name %d", item->number, number);
    answer = get(text("/v1/users/search?username=%s", escape), door->key);
    is_str(door_text(&answer, "0.id"), id, "%s: so does a search", item->number);
    accepted(patch(text("/v1/users/%s", id ? id : ""), door->key, text("{\"username\":%s}", name)), 200,
             "%s: PATCH with the present name changes nothing", item->number);
    accepted(post("/v1/oauth/request-password-reset", NULL, text("{\"email\":%s}", name)), 200, "(a reset)");
    is_str(rows(text("SELECT recipient FROM outbox WHERE user_id = '%s' AND kind = 'reset'", id ? id : "")),
           item->canonical, "%s: mail to name %d goes to the canonical form", item->number, number);
    change(text("DELETE FROM users WHERE id = '%s'", id ? id : ""));

    accepted(post("/v1/users/invite", door->key, text("{\"username\":%s}", name)), 200,
             "%s: users/invite takes name %d", item->number, number);
    is_str(rows(text("SELECT u.username, u.canonical, i.canonical, o.recipient FROM users u, invitations i, outbox o "
                     "WHERE u.canonical = '%s' AND i.user_id = u.id AND o.invitation_id = i.id",
                     escaped(item->canonical))),
           text("%s|%s|%s|%s", item->name, item->canonical, item->canonical, item->canonical),
           "%s: ... and mails to the canonical form", item->number);
    door->platform_id = door->account_id;
    refused(post("/v1/invitations", door->key, text("{\"email\":%s,\"roleID\":\"quote-viewer\"}", canonical)), 400,
            "INVALID_FIELD", "email", "%s: /invitations sees that it is open", item->number);
    door->platform_id = NULL;
    accepted(post("/v1/users/revoke-invite", door->key, text("{\"username\":%s}", canonical)), 200,
             "%s: revoke-invite finds it by the form", item->number);
    change(text("DELETE FROM users WHERE canonical = '%s'", escaped(item->canonical)));
}

static void test_json(void)
{
    refused(post("/v1/users/invite", door->key, "{\"username\":\"a\\u0000b@x.example\"}"), 400, "BAD_REQUEST", "",
            "A15: NUL in a name is refused with the whole body");
    refused(post("/v1/users/invite", door->key, "{\"username\":\"a\\ud800@x.example\"}"), 400, "BAD_REQUEST", "",
            "A15: so is half a surrogate pair");
    refused(post("/v1/users/invite", door->key, "{\"username\":\"a\\u200b@x.example\"}"), 400, "INVALID_FIELD",
            "username", "A15: an escape is the character");
    accepted(post("/v1/users/invite", door->key, "{\"username\":\"\\u00c4da@x.example\"}"), 200,
             "A15: of a letter too");
    change("DELETE FROM users WHERE canonical = '\xc3\xa4"
           "da@x.example'");
}

/* Many spellings, one mailbox. */
static void test_limit(void)
{
    static const char *const spellings[] = {"\xc3\x84@B\xc3\xbc"
                                            "cher.example",
                                            "\xc3\xa4@xn--bcher-kva.example", "\xc3\x84@XN--BCHER-KVA.example",
                                            "\xc3\xa4@B\xc3\x9c"
                                            "CHER.EXAMPLE",
                                            "\xc3\xa4@b\xc3\xbc"
                                            "cher.example"};
    int sent = 0, throttled = 0;

    door->settings.rates.of[IDENTITY_RATE_MAIL] = (identity_rate_t){10, apr_time_from_sec(3600)};
    for (int i = 0; i < 23; i++) {
        door_answer_t answer =
            post("/v1/users/invite", door->key, text("{\"username\":%s}", json_text(spellings[i % 5])));
        sent += answer.status == 200;
        throttled += answer.status == 429;
    }
    is_str(text("%d sent, %d refused", sent, throttled), "10 sent, 13 refused",
           "A15: a mailbox gets ten mails an hour, however its name is spelled");
}

int main(void)
{
    serve_begin();
    door->settings.rates = (identity_rates_t){.of = {{0, 0}}};
    door->settings.sandbox = true;
    door->settings.demo_account = door->account_id;
    door->settings.captcha = apr_pcalloc(door->pool, sizeof *door->settings.captcha);
    spare_id = door_person(door, "spare@example.org", PASSWORD, "[]");
    spare_token = login("spare@example.org");
    for (size_t i = 0; i < username_case_count; i++)
        if (username_cases[i].canonical)
            test_taken(&username_cases[i], (int)i);
        else
            test_refused(&username_cases[i], (int)i);
    test_json();
    test_limit();
    return serve_end();
}
