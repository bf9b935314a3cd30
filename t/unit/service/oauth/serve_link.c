/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/describe-link: what the page behind a mailed link is told. route describe_link */
#include "serve.h"

static const char *mailed_to(const char *path, const char *body, const char *address)
{
    post(path, door->key, body);
    const char *token = door_mailed_token(door, address);
    return token ? token : (bail(text("no mail for %s", address)), NULL);
}

static const char *invited(const char *address, const char *memberships)
{
    return mailed_to("/v1/users/invite",
                     text("{\"username\":\"%s\",\"account_memberships\":[%s]}", address, memberships), address);
}

static door_answer_t describe(const char *token)
{
    return post("/v1/oauth/describe-link", NULL, text("{\"token\":\"%s\"}", token));
}

static door_answer_t use(const char *path, const char *token)
{
    return post(path, NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
}

static void described(const char *token, const char *kind, const char *address, const char *adds, const char *what)
{
    const char *before = state();
    door_answer_t answer = describe(token);

    accepted(answer, 200, "%s", what);
    is_str(members_at(&answer, ""), "kind,username,adds,expires_at,password_min_length,password_sign_in",
           "... in the documented order");
    is_str(door_text(&answer, "kind"), kind, "... its kind");
    is_str(door_text(&answer, "username"), address, "... whom it was mailed to");
    is_str(json_at(&answer, "adds"), adds, "... whether it adds to an account");
    is_str(state(), before, "... which changes no row # security 22");
}

static void refused_as_used(const char *path, const char *token, const char *what)
{
    door_answer_t answer = describe(token), used = use(path, token);

    refused(answer, 400, "INVALID_FIELD", "token", "%s", what);
    is_str(answer.text, used.text, "... in the words of where it is used # security 24");
}

static void test_invitation(void)
{
    const char *first = invited("fay@example.org", ""), *second;

    described(first, "INVITE", "fay@example.org", "false", "an invitation of somebody new");
    second = invited("fay@example.org", "");
    refused_as_used("/v1/oauth/activate-user", first, "one that was sent again");
    use("/v1/oauth/activate-user", second);
    refused_as_used("/v1/oauth/activate-user", second, "one that was used");
    described(invited("fay@example.org", member(door->second_account_id, "USER", "")), "INVITE", "fay@example.org",
              "true", "one of somebody who is active");
    first = invited("gus@example.org", "");
    post("/v1/users/revoke-invite", door->key, "{\"username\":\"gus@example.org\"}");
    refused_as_used("/v1/oauth/activate-user", first, "one that was revoked");
}

static void test_inviter(void)
{
    const char *chief = login("chief@example.org");

    post("/v1/users/invite", chief, "{\"username\":\"hal@example.org\",\"account_memberships\":[]}");
    const char *token = door_mailed_token(door, "hal@example.org");
    described(token, "INVITE", "hal@example.org", "false", "an invitation by a person");
    change("UPDATE users SET status = 'INACTIVE', active = 0 WHERE canonical = 'chief@example.org'");
    refused_as_used("/v1/oauth/activate-user", token, "... who was deactivated # security 26");
    change("UPDATE users SET status = 'ACTIVE', active = 1 WHERE canonical = 'chief@example.org'");
}

static void test_reset(void)
{
    const char *token =
        mailed_to("/v1/oauth/request-password-reset", "{\"email\":\"ada@example.org\"}", "ada@example.org");

    described(token, "RESET", "ada@example.org", "false", "a link for a new password");
    use("/v1/oauth/reset-password", token);
    refused_as_used("/v1/oauth/reset-password", token, "one that was used");
}

static void test_settings(void)
{
    const char *token = invited("ivy@example.org", "");
    door_answer_t answer = describe(token);

    is_str(json_at(&answer, "password_min_length"), "8", "how long a password must be");
    is_str(json_at(&answer, "password_sign_in"), "true", "and that it signs in");
    door->settings.password_minimum = 15;
    door->settings.password_grant = false;
    answer = describe(token);
    is_str(json_at(&answer, "password_min_length"), "15", "as the site has it");
    is_str(json_at(&answer, "password_sign_in"), "false", "both");
    door->settings.password_minimum = 8;
    door->settings.password_grant = true;
    door->now = (apr_time_t)count("SELECT max(expires_at) FROM invitations");
    refused_as_used("/v1/oauth/activate-user", token, "an expired one # security 23");
    answer = describe(token);
    ok(strstr(answer.text, "expired") != NULL, "... which is told so");
}

int main(void)
{
    serve_begin();
    test_invitation();
    person_with("ada@example.org", "ADMIN", "");
    person_with("chief@example.org", "ADMIN", "");
    test_inviter();
    test_reset();
    test_settings();
    return serve_end();
}
