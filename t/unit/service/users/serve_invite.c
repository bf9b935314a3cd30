/* SPDX-License-Identifier: Apache-2.0 */
/* POST /users/invite and /users/revoke-invite: what is given, to whom, by whom. route invite_user revoke_invite */
#include "serve.h"

static door_answer_t invite(const char *credential, const char *address, const char *memberships)
{
    return post("/v1/users/invite", credential,
                text("{\"username\":\"%s\",\"account_memberships\":[%s]}", address, memberships));
}

static const char *user_of(const char *canonical, const char *columns)
{
    return rows(text("SELECT %s FROM users WHERE canonical = '%s'", columns, canonical));
}

static door_answer_t accept_token(const char *token, const char *credential)
{
    return post("/v1/oauth/activate-user", credential,
                text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token ? token : "none"));
}

/* ---- the published sample bodies -------------------------------------------------------------------------------- */

static const char *embedded_role(const char *name)
{
    char *escaped = apr_pstrdup(door->pool, name);
    for (char *space = strchr(escaped, ' '); space; space = strchr(space, ' '))
        *space = '+';
    door_answer_t answer = get(text("/v1/roles?name=%s&include_child_roles=true", escaped), door->key);
    json_object_del(json_array_get(json_object_get(answer.json, "data"), 0), "slug");
    json_object_del(json_array_get(json_object_get(answer.json, "data"), 0), "permissions");
    return json_at(&answer, "data.0");
}

static const char *expected_sample(const door_answer_t *answer)
{
    const char *account = door->account_id;

    return text("{\"username\":\"johndoe@solvimon.com\",\"entity_id\":\"%s\",\"account_memberships\":[{"
                "\"object_type\":\"MEMBERSHIP\",\"id\":\"%s\",\"account_id\":\"%s\",\"account\":{\"id\":\"%s\","
                "\"reference\":\"default\",\"account_type_code\":\"PLATFORM\",\"environment\":\"LIVE\","
                "\"parent_id\":null,\"platform_id\":\"%s\"},\"type\":\"USER\","
                "\"role_ids\":[\"%s\",\"%s\"],\"account_reference\":\"default\",\"environment\":\"LIVE\","
                "\"roles\":[%s,%s]}],\"team_memberships\":[]}",
                door->entity_id, door_text(answer, "account_memberships.0.id"), account, account, account,
                role_named("Administrator"), role_named("Quote Viewer"), embedded_role("Administrator"),
                embedded_role("Quote Viewer"));
}

static void test_samples(void)
{
    const char *names = "\"roles\":[{\"name\":\"Administrator\"},{\"name\":\"Quote Viewer\"}]",
               *ids = text("\"role_ids\":[\"%s\",\"%s\"]", role_named("Administrator"), role_named("Quote Viewer"));
    const char *forms[] = {names, ids, text("%s,%s", ids, names),
                           text("\"roles\":[{\"id\":\"%s\"},{\"id\":\"%s\",\"name\":\"Quote Viewer\"}]",
                                role_named("Administrator"), role_named("Quote Viewer"))};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        door_answer_t answer =
            post("/v1/users/invite", door->key,
                 text("{\"username\":\"johndoe@solvimon.com\",\"entity_id\":\"%s\",\"account_memberships\":[{"
                      "\"account_id\":\"%s\",\"type\":\"USER\",%s}],\"team_memberships\":[{}]}",
                      door->entity_id, door->account_id, forms[i]));
        accepted(answer, 200, "invite, as published: %s", forms[i]);
        is_str(answer.text, expected_sample(&answer), "... answers these four fields, nothing more");
    }
    door_answer_t answer = post("/v1/users/revoke-invite", door->key, "{\"username\":\"johndoe@solvimon.com\"}");
    accepted(answer, 200, "revoke-invite, as published");
    is_str(door_text(&answer, "status"), "INVITE_REVOKED", "... answers the User");
    is_str(door_text(&answer, "object_type"), "USER", "... as such");
    answer = post("/v1/oauth/activate-user", NULL, "{}");
    refused(answer, 400, "MISSING_FIELD", "token", "activate-user, as published");
    answer = post("/v1/users/invite", door->key, "{\"username\":\"alone@example.org\"}");
    accepted(answer, 200, "all but username may be left out");
    is_str(answer.text,
           text("{\"username\":\"alone@example.org\",\"entity_id\":\"%s\",\"account_memberships\":[],"
                "\"team_memberships\":[]}",
                door->entity_id),
           "... and is answered empty");
}

static void test_teams(void)
{
    const char *team = serve_team("Bookkeepers");
    serve_team_gives(team, door->account_id, "USER", "Quote Viewer");

    door_answer_t answer =
        post("/v1/users/invite", door->key,
             text("{\"username\":\"team@example.org\",\"team_memberships\":[{},{\"team_id\":\"%s\",\"start_at\":"
                  "\"2023-12-01T02:00:00+02:00\",\"end_at\":\"2024-12-01T00:00:00Z\"}]}",
                  team));
    accepted(answer, 200, "an invitation to a team");
    is_str(members_at(&answer, "team_memberships.0"), "team_id,start_at,end_at,account_memberships",
           "... has its members");
    is_str(door_text(&answer, "team_memberships.0.team_id"), team, "... the team");
    is_str(door_text(&answer, "team_memberships.0.start_at"), "2023-12-01T00:00:00Z", "... from then, in UTC");
    is_str(door_text(&answer, "team_memberships.0.end_at"), "2024-12-01T00:00:00Z", "... to then");
    is_str(door_text(&answer, "team_memberships.0.account_memberships.0.roles.0.name"), "Quote Viewer",
           "... what it grants");
    is_int(size_at(&answer, "team_memberships"), 1, "an empty object is skipped");
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void test_positions(void)
{
    const char *account = door->account_id, *second = door->second_account_id, *viewer = role_named("Quote Viewer"),
               *chief = role_named("Administrator");
    const char *good = member(account, "USER", named("Quote Viewer"));
    door_answer_t foreign = post("/v1/roles", door->other_key, "{\"name\":\"Foreign\"}");
    const struct {
        const char *memberships, *field;
    } wrong[] = {
        {member(account, "USER", named("Nobody")), "account_memberships.0.roles.0.name"},
        {member(account, "USER", ",\"roles\":[{\"name\":\"Administrator\"},{\"name\":\"Administrator \"}]"),
         "account_memberships.0.roles.1.name"},
        {member(account, "USER", named("")), "account_memberships.0.roles.0.name"},
        {member(account, "USER", named("Foreign")), "account_memberships.0.roles.0.name"},
        {text("{},%s,%s", good, member(second, "USER", ",\"roles\":[{},{\"id\":\"role_x\"}]")),
         "account_memberships.2.roles.1.id"},
        {member(account, "USER", ",\"role_ids\":[\"role_00000000000000000000\"]"), "account_memberships.0.role_ids.0"},
        {member(account, "USER", text(",\"role_ids\":[\"%s\",\"%s\"]", chief, door_text(&foreign, "id"))),
         "account_memberships.0.role_ids.1"},
        {member(account, "USER", ",\"role_ids\":[\"\"]"), "account_memberships.0.role_ids.0"},
        {member(account, "USER", text("%s,\"role_ids\":[\"%s\"]", named("Quote Viewer"), chief)),
         "account_memberships.0.roles"},
        {text("%s,%s", good,
              member(second, "USER",
                     text(",\"roles\":[{\"id\":\"%s\"},{\"id\":\"%s\"}],\"role_ids\":[\"%s\"]", viewer, chief, chief))),
         "account_memberships.1.roles"},
        {member("plat_00000000000000000000", "USER", ""), "account_memberships.0.account_id"},
        {text("%s,%s", good, member(door->other_account_id, "USER", "")), "account_memberships.1.account_id"},
        {member("default", "USER", ""), "account_memberships.0.account_id"},
        {text("%s,{},%s", good, member(account, "ADMIN", "")), "account_memberships.2.account_id"},
    };
    const char *before = state();

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = invite(door->key, "wrong@example.org", wrong[i].memberships);
        refused(answer, 400, "INVALID_FIELD", wrong[i].field, "invite to %s", wrong[i].memberships);
    }
    is_str(state(), before, "none of it changed a row");
}

static void test_team_positions(void)
{
    const char *team = serve_team("Mine"), *theirs = serve_team_of(door->other_entity_id, "Theirs");
    const struct {
        const char *teams, *field;
    } wrong[] = {
        {"{\"team_id\":\"team_00000000000000000000\"}", "team_memberships.0.team_id"},
        {"{},{\"team_id\":\"x\"}", "team_memberships.1.team_id"},
        {text("{\"team_id\":\"%s\"}", theirs), "team_memberships.0.team_id"},
        {text("{\"team_id\":\"%s\"},{\"team_id\":\"%s\"}", team, team), "team_memberships.1.team_id"},
        {text("{\"team_id\":\"%s\",\"start_at\":\"2024-01-02T00:00:00Z\",\"end_at\":\"2024-01-01T00:00:00Z\"}", team),
         "team_memberships.0.end_at"},
        {text("{\"team_id\":\"%s\",\"start_at\":\"2024-01-02T00:00:00Z\",\"end_at\":\"2024-01-02T00:00:00Z\"}", team),
         "team_memberships.0.end_at"},
        {text("{},{\"team_id\":\"%s\",\"end_at\":\"2000-01-01T00:00:00Z\"}", team), "team_memberships.1.end_at"},
        {text("{\"team_id\":\"%s\",\"end_at\":\"1970-01-01T00:00:00Z\"}", team), "team_memberships.0.end_at"},
    };
    const char *entities[] = {door->other_entity_id, "enti_00000000000000000000", "default", ""}, *before = state();

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer =
            post("/v1/users/invite", door->key,
                 text("{\"username\":\"wrong@example.org\",\"team_memberships\":[%s]}", wrong[i].teams));
        refused(answer, 400, "INVALID_FIELD", wrong[i].field, "invite to %s", wrong[i].teams);
    }
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        door_answer_t answer = post("/v1/users/invite", door->key,
                                    text("{\"username\":\"wrong@example.org\",\"entity_id\":\"%s\"}", entities[i]));
        refused(answer, 400, "INVALID_FIELD", "entity_id", "invite into \"%s\"", entities[i]);
    }
    is_str(state(), before, "none of it changed a row");
}

/* Nobody gives what they lack (security 25, 62). */
static void test_lacking(void)
{
    const char *helper = login("helper@example.org"), *team = serve_team("Chiefs"), *first = door->account_id;
    serve_team_gives(team, first, "ADMIN", "");
    post("/v1/roles", door->key,
         text("{\"name\":\"Nested\",\"child_role_ids\":[\"%s\"]}", role_named("Wallet Viewer")));
    post("/v1/roles", door->key, "{\"name\":\"Own\",\"permissions\":[\"SITE.OPEN\"]}");
    const struct {
        const char *membership, *what;
    } more[] = {{member(first, "ADMIN", ""), "ADMIN"},
                {member(first, "USER", named("Administrator")), "the role Administrator"},
                {member(first, "USER", named("Read Only")), "a wider role"},
                {member(first, "PARTNER", named("Wallet Viewer")), "another role"},
                {member(first, "USER", named("Nested")), "a role with another one in it"},
                {member(first, "USER", named("Own")), "a permission of the site's own"},
                {member(door->second_account_id, "USER", named("Quote Viewer")), "an account that is not theirs"}};
    const char *before = state();

    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        door_answer_t answer = invite(helper, "given@example.org", text("{},%s", more[i].membership));
        refused(answer, 403, "USER_NOT_ALLOWED", "account_memberships.1", "nobody gives %s # security 25",
                more[i].what);
    }
    door_answer_t answer =
        post("/v1/users/invite", helper,
             text("{\"username\":\"given@example.org\",\"team_memberships\":[{\"team_id\":\"%s\"}]}", team));
    refused(answer, 403, "USER_NOT_ALLOWED", "team_memberships.0.team_id", "nor by a team # security 25");
    is_str(state(), before, "none of it changed a row");
    answer = invite(helper, "given@example.org", member(first, "USER", named("Quote Viewer")));
    accepted(answer, 200, "what they hold they may give");
}

static void test_partner(void)
{
    const char *partner = login("partner@example.org"), *before = state();

    door_answer_t answer =
        invite(partner, "given@example.org", member(door->account_id, "USER", named("Quote Viewer")));
    refused(answer, 403, "USER_NOT_ALLOWED", "account_memberships.0",
            "a PARTNER makes nobody more than a PARTNER # security 62");
    answer = invite(partner, "ada@example.org", member(door->account_id, "PARTNER", ""));
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "... and learns of nobody whether they are active");
    answer = invite(partner, "idle@example.org", "");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "... or not");
    is_str(state(), before, "none of it changed a row");
    answer = invite(partner, "peer@example.org", member(door->account_id, "PARTNER", named("Quote Viewer")));
    accepted(answer, 200, "... but invites another PARTNER");
}

/* ---- the states of the person ----------------------------------------------------------------------------------- */

static void test_states(void)
{
    door_answer_t answer = invite(door->key, "ADA@example.org", "");
    refused(answer, 409, "INVALID_OPERATION", "username", "somebody ACTIVE, with nothing to add");
    answer = invite(door->key, "ada@example.org", member(door->account_id, "USER", named("Quote Viewer")));
    refused(answer, 409, "INVALID_OPERATION", "username", "... or nothing new");
    answer = invite(door->other_key, "ada@example.org", "");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "somebody of another entity");
    answer = invite(door->key, "idle@example.org", "");
    refused(answer, 409, "INVALID_OPERATION", "username", "somebody INACTIVE");
    answer = invite(door->key, "x@example.org, y@example.org", "");
    refused(answer, 400, "INVALID_FIELD", "username", "what is no address of a mail");
    const identity_mail_target_t *mail = door->settings.mail;
    const char *before = state();
    door->settings.mail = NULL;
    answer = invite(door->key, "nomail@example.org", "");
    refused(answer, 503, "INTERNAL_ERROR", "", "mail that is not set up");
    door->settings.mail = mail;
    is_str(state(), before, "... makes nobody");
}

static void test_again(void)
{
    const char *name = "again@example.org";

    invite(door->key, name,
           text("%s,%s", member(door->account_id, "USER", named("Quote Viewer")),
                member(door->second_account_id, "ADMIN", "")));
    const char *id = user_of(name, "id"), *first = door_mailed_token(door, name);
    pass(60);
    door_answer_t answer =
        invite(door->key, "Again@example.org", member(door->account_id, "PARTNER", named("Wallet Viewer")));
    accepted(answer, 200, "invited again");
    const char *second = door_mailed_token(door, "Again@example.org");
    ok(first && second && strcmp(first, second) != 0, "... by a new link");
    is_str(user_of(name, "id, username, status, invite_expires_at > created_at + 604800000000"),
           text("%s|Again@example.org|INVITED|1", id), "... the same person, for longer");
    is_int(size_at(&answer, "account_memberships"), 1, "memberships are replaced");
    is_str(door_text(&answer, "account_memberships.0.roles.0.name"), "Wallet Viewer", "... by those given");
    is_int(count(text("SELECT count(*) FROM memberships WHERE user_id = '%s'", id)), 1, "... in the database too");
    is_str(rows(text("SELECT state FROM invitations WHERE user_id = '%s' ORDER BY created_at", id)), "revoked invited",
           "one invitation is open");
    answer = accept_token(first, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "the old link is dead # security 24");
    const char *dead = answer.text;
    answer = accept_token(identity_token_make(door->pool, IDENTITY_TOKEN_INVITE, &door->env.random), NULL);
    is_str(answer.text, dead, "... in the words for an unknown one # security 24");
    answer = accept_token(second, NULL);
    accepted(answer, 200, "the new one is good");
    is_str(door_text(&answer, "id"), id, "... for the same person");
}

static void test_revoke(void)
{
    const char *name = "revoked@example.org";
    invite(door->key, name, member(door->account_id, "USER", ""));
    const char *token = door_mailed_token(door, name), *id = user_of(name, "id");

    door_answer_t answer = post("/v1/users/revoke-invite", door->key, "{\"username\":\"REVOKED@example.org\"}");
    accepted(answer, 200, "revoked, the name in any case");
    is_str(door_text(&answer, "status"), "INVITE_REVOKED", "... as the answer says");
    is_str(rows("SELECT action, target_id FROM audit_records ORDER BY id DESC LIMIT 1"), text("REVOKE_INVITE|%s", id),
           "... and an audit record # security 82");
    is_str(rows(text("SELECT state FROM invitations WHERE user_id = '%s'", id)), "revoked", "... and the invitation");
    is_int(count(text("SELECT count(*) FROM secrets WHERE user_id = '%s' AND ended_at = 0", id)), 0,
           "... and its link");
    answer = accept_token(token, NULL);
    refused(answer, 400, "INVALID_FIELD", "token", "its link is dead # security 24");
    answer = post("/v1/users/revoke-invite", door->key, text("{\"username\":\"%s\"}", name));
    refused(answer, 409, "INVALID_OPERATION", "username", "twice is once too often # security 23");
    answer = post("/v1/users/revoke-invite", door->key, "{\"username\":\"ada@example.org\"}");
    refused(answer, 409, "INVALID_OPERATION", "username", "somebody ACTIVE without an invitation");
    answer = post("/v1/users/revoke-invite", door->key, "{\"username\":\"unknown@example.org\"}");
    refused(answer, 404, "USER_NOT_FOUND", "", "somebody unknown");
    invite(door->key, name, "");
    is_str(user_of(name, "status"), "INVITED", "whoever was revoked may be invited again");
    /* Not sent yet when it is revoked: then never. */
    post("/v1/users/revoke-invite", door->key, text("{\"username\":\"%s\"}", name));
    is_str(door_mailed_token(door, name), NULL, "a mail that waits is not sent any more");
    invite(door->key, name, "");
    pass(7 * 86400 + 1);
    answer = post("/v1/users/revoke-invite", door->key, text("{\"username\":\"%s\"}", name));
    refused(answer, 409, "INVALID_OPERATION", "username", "an expired one is not open # security 23");
}

static void test_audit(void)
{
    invite(door->key, "audited@example.org", member(door->second_account_id, "USER", ""));
    is_str(
        rows("SELECT action, user_id, target_entity_id, target_platform_id, target_environment, target_resource_type, "
             "target_id, x.client_address FROM audit_records JOIN audit_details x ON record_id = id ORDER BY id DESC "
             "LIMIT 1"),
        text("INVITE|%s|%s|%s|TEST|USER|%s|192.0.2.7", identity_key_id(door->pool, door->key), door->entity_id,
             door->second_account_id, user_of("audited@example.org", "id")),
        "an invitation is recorded: what, who, where, whom, from # security 82");
}

int main(void)
{
    serve_begin();
    person_with("ada@example.org", "ADMIN", "");
    person_with("helper@example.org", "USER",
                ",\"roles\":[{\"name\":\"User Administrator\"},{\"name\":\"Quote Viewer\"}]");
    person_with("partner@example.org", "PARTNER",
                ",\"roles\":[{\"name\":\"User Administrator\"},{\"name\":\"Quote Viewer\"}]");
    post("/v1/users", door->key,
         "{\"username\":\"idle@example.org\",\"password\":\"" PASSWORD "\",\"status\":\"INACTIVE\"}");
    test_samples();
    test_teams();
    test_positions();
    test_team_positions();
    test_lacking();
    test_partner();
    test_states();
    test_again();
    test_revoke();
    test_audit();
    return serve_end();
}
