/* SPDX-License-Identifier: Apache-2.0 */
/* What audit records tell of a change: from what to what, who, whose, from where; and what they keep to themselves. */
#include "serve.h"

#define RECORDS "/v1/audit-records"

static const char *ada_id;

/* The newest record of the target. */
static door_answer_t newest(const char *target)
{
    return get(text(RECORDS "?target_id=%s&limit=1", target), door->key);
}

static void changed(const char *target, const char *changes, const char *what)
{
    door_answer_t answer = newest(target);
    is_str(json_at(&answer, "data.0.changes"), changes, "B8: %s", what);
}

/* ---- every kind of thing that can be changed -------------------------------------------------------------------- */

static void test_users(void)
{
    const char *path = text("/v1/users/%s", ada_id);
    door_answer_t answer;

    accepted(patch(path, door->key, "{\"status\":\"INACTIVE\"}"), 200, "deactivate");
    changed(ada_id, "[{\"field\":\"status\",\"from\":\"ACTIVE\",\"to\":\"INACTIVE\"}]", "a status");
    accepted(patch(path, door->key, "{\"active\":true}"), 200, "activate, by the alias");
    changed(ada_id, "[{\"field\":\"status\",\"from\":\"INACTIVE\",\"to\":\"ACTIVE\"}]", "a status by its alias");
    const char *ada = login("ada@example.org");
    accepted(patch(path, ada, "{\"password\":\"Other1Password-\",\"current_password\":\"" PASSWORD "\"}"), 200,
             "a password");
    answer = newest(ada_id);
    is_str(json_at(&answer, "data.0.changes"), "[{\"field\":\"password\",\"from\":null,\"to\":null}]",
           "B8: that a password changed, and neither value");
    ok(!strstr(answer.text, "Other1Password") && !strstr(answer.text, "$argon2"), "B8: no secret in the record");
    const char *before = rows("SELECT COUNT(*) FROM audit_records");
    accepted(patch(path, door->key, "{\"status\":\"ACTIVE\"}"), 200, "what is so already");
    is_str(rows("SELECT COUNT(*) FROM audit_records"), before, "B8: nothing changed is no record");
}

static void test_memberships(void)
{
    const char *viewer = role_named("Quote Viewer");
    door_answer_t answer =
        post(text("/v1/users/%s/memberships", ada_id), door->key, member(door->second_account_id, "USER", ""));
    const char *id = door_text(&answer, "1.id");

    accepted(answer, 201, "a membership");
    changed(ada_id,
            text("[{\"field\":\"account_memberships\",\"from\":null,\"to\":{\"account_id\":\"%s\",\"type\":\"USER\","
                 "\"role_ids\":[]}}]",
                 door->second_account_id),
            "a membership that was given");
    answer = patch(text("/v1/users/%s/memberships/%s", ada_id, id), door->key, text("{\"role_ids\":[\"%s\"]}", viewer));
    accepted(answer, 200, "its roles");
    changed(ada_id,
            text("[{\"field\":\"account_memberships\",\"from\":{\"account_id\":\"%s\",\"type\":\"USER\",\"role_ids\":"
                 "[]},\"to\":{\"account_id\":\"%s\",\"type\":\"USER\",\"role_ids\":[\"%s\"]}}]",
                 door->second_account_id, door->second_account_id, viewer),
            "a membership that was changed");
}

static void test_teams(void)
{
    const char *team = serve_team("Desk");

    accepted(post(text("/v1/teams/%s/memberships", team), door->key, member(door->account_id, "USER", "")), 201,
             "a team's membership");
    changed(team,
            text("[{\"field\":\"account_memberships\",\"from\":null,\"to\":{\"account_id\":\"%s\",\"type\":\"USER\","
                 "\"role_ids\":[]}}]",
                 door->account_id),
            "what a team gives");
    accepted(post(text("/v1/users/%s/teams", ada_id), door->key,
                  text("{\"team_id\":\"%s\",\"start_at\":\"2023-11-01T00:00:00Z\"}", team)),
             201, "to join it");
    changed(ada_id,
            text("[{\"field\":\"team_memberships\",\"from\":null,\"to\":{\"team_id\":\"%s\",\"start_at\":"
                 "\"2023-11-01T00:00:00Z\",\"end_at\":null}}]",
                 team),
            "a team that was joined");
    const char *window = text("{\"field\":\"team_memberships\",\"from\":{\"team_id\":\"%s\",\"start_at\":"
                              "\"2023-11-01T00:00:00Z\",\"end_at\":null},\"to\":",
                              team);
    accepted(patch(text("/v1/users/%s/teams/%s", ada_id, team), door->key, "{\"end_at\":\"2030-01-01T00:00:00Z\"}"),
             200, "an end");
    door_answer_t answer = newest(ada_id);
    ok(strstr(json_at(&answer, "data.0.changes"), window) != NULL, "B8: a time in a team");
    accepted(door_call(door, "DELETE", text("/v1/users/%s/teams/%s", ada_id, team), door->key, NULL), 200, "to leave");
    answer = newest(ada_id);
    is_str(json_at(&answer, "data.0.changes.0.to"), "null", "B8: a team that was left");
    accepted(patch(text("/v1/teams/%s", team), door->key, "{\"name\":\"Counter\"}"), 200, "a name");
    changed(team, "[{\"field\":\"name\",\"from\":\"Desk\",\"to\":\"Counter\"}]", "a team's name");
    accepted(door_call(door, "DELETE", text("/v1/teams/%s", team), door->key, NULL), 200, "to delete it");
    answer = newest(team);
    is_str(door_text(&answer, "data.0.target_name"), "Counter", "M18: the target's name, though it is gone");
}

static void test_keys(void)
{
    door_answer_t made = post("/v1/api-keys", door->key, "{\"description\":\"Till\",\"permissions\":[\"SITE.A\"]}");
    const char *id = door_text(&made, "id");

    accepted(patch(text("/v1/api-keys/%s", id), door->key,
                   "{\"status\":\"INACTIVE\",\"description\":null,\"role_type\":\"READ_ONLY\",\"expires_at\":"
                   "\"2030-01-01T00:00:00Z\",\"permissions\":[\"SITE.B\",\"SITE.C\"]}"),
             200, "a key");
    changed(id,
            "[{\"field\":\"status\",\"from\":\"ACTIVE\",\"to\":\"INACTIVE\"},"
            "{\"field\":\"description\",\"from\":\"Till\",\"to\":null},"
            "{\"field\":\"role_type\",\"from\":\"ADMINISTRATOR\",\"to\":\"READ_ONLY\"},"
            "{\"field\":\"permissions\",\"from\":[\"SITE.A\"],\"to\":[\"SITE.B\",\"SITE.C\"]},"
            "{\"field\":\"expires_at\",\"from\":null,\"to\":\"2030-01-01T00:00:00Z\"}]",
            "every field of a key");
}

static void test_roles(void)
{
    const char *viewer = role_named("Quote Viewer");
    door_answer_t made = post("/v1/roles", door->key, "{\"name\":\"Clerk\",\"permissions\":[\"SITE.A\"]}");
    const char *id = door_text(&made, "id"), *path = text("/v1/roles/%s", id);

    accepted(patch(path, door->key,
                   text("{\"name\":\"Chief\",\"description\":\"Leads\",\"child_role_ids\":[\"%s\"],\"permissions\":[]}",
                        viewer)),
             200, "a role");
    changed(id,
            text("[{\"field\":\"name\",\"from\":\"Clerk\",\"to\":\"Chief\"},"
                 "{\"field\":\"description\",\"from\":\"\",\"to\":\"Leads\"},"
                 "{\"field\":\"child_role_ids\",\"from\":[],\"to\":[\"%s\"]},"
                 "{\"field\":\"permissions\",\"from\":[\"SITE.A\"],\"to\":[]}]",
                 viewer),
            "every field of a role");
    const char *list = "";
    for (int i = 0; i < 400; i++)
        list = text("%s%s\"SITE.PERMISSION.NUMBER.%c%c\"", list, i ? "," : "", 'A' + i / 20, 'A' + i % 20);
    accepted(patch(path, door->key, text("{\"permissions\":[%s]}", list)), 200, "a long list");
    door_answer_t answer = newest(id);
    json_t *to = door_at(answer.json, "data.0.changes.0.to");
    const char *last = json_string_value(json_array_get(to, json_array_size(to) - 1));
    is_str(last, text("... and %d more", 401 - (int)json_array_size(to)), "B8: a long list is cut and says so");
    accepted(door_call(door, "DELETE", path, door->key, NULL), 200, "delete it");
    answer = newest(id);
    is_str(door_text(&answer, "data.0.target_name"), "Chief", "M18: the name of what is gone");
}

static void test_providers(void)
{
    door_answer_t made = post("/v1/authentication-providers", door->key,
                              "{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":\"acme\"}}}");
    const char *id = door_text(&made, "id");

    accepted(patch(text("/v1/authentication-providers/%s", id), door->key,
                   "{\"name\":\"Work\",\"sso\":{\"okta\":{\"connection\":\"other\"},\"allowed_domains\":[\"a.example\"]"
                   "}}"),
             200, "a provider");
    changed(id,
            "[{\"field\":\"name\",\"from\":\"Okta\",\"to\":\"Work\"},"
            "{\"field\":\"sso.allowed_domains\",\"from\":[],\"to\":[\"a.example\"]},"
            "{\"field\":\"sso.okta.connection\",\"from\":\"acme\",\"to\":\"other\"}]",
            "fields of a provider, inner ones by dotted names");
}

static void test_invitations(void)
{
    const char *first = text("{\"field\":\"account_memberships\",\"from\":null,\"to\":{\"account_id\":\"%s\",\"type\":"
                             "\"USER\",\"role_ids\":[]}}",
                             door->account_id),
               *second = text("{\"field\":\"account_memberships\",\"from\":null,\"to\":{\"account_id\":\"%s\","
                              "\"type\":\"ADMIN\",\"role_ids\":[]}}",
                              door->second_account_id);
    const char *body = text("{\"username\":\"zoe@example.org\",\"account_memberships\":[%s,%s]}",
                            member(door->account_id, "USER", ""), member(door->second_account_id, "ADMIN", ""));

    accepted(post("/v1/users/invite", door->key, body), 200, "an invitation");
    const char *zoe = rows("SELECT id FROM users WHERE canonical = 'zoe@example.org'");
    door_answer_t answer = get(text(RECORDS "?target_id=%s&order_direction=asc", zoe), door->key);
    for (int i = 0; i < 2; i++) {
        bool of_first = strcmp(door_text(&answer, text("data.%d.target_platform_id", i)), door->account_id) == 0;
        is_str(json_at(&answer, text("data.%d.changes", i)), text("[%s]", of_first ? first : second),
               "B8: what an invitation gives in an account stands in that account's record alone");
    }
    accepted(post("/v1/users/revoke-invite", door->key, "{\"username\":\"zoe@example.org\"}"), 200, "revoke");
    changed(zoe,
            "[{\"field\":\"state\",\"from\":\"invited\",\"to\":\"revoked\"},"
            "{\"field\":\"status\",\"from\":\"INVITED\",\"to\":\"INVITE_REVOKED\"}]",
            "an invitation that was revoked");
    accepted(post("/v1/users/invite", door->key, "{\"username\":\"Zoe@example.org\"}"), 200, "invited again");
    changed(zoe,
            "[{\"field\":\"status\",\"from\":\"INVITE_REVOKED\",\"to\":\"INVITED\"},"
            "{\"field\":\"username\",\"from\":\"zoe@example.org\",\"to\":\"Zoe@example.org\"}]",
            "an invitation that was made again");
}

/* ---- who, and from where ---------------------------------------------------------------------------------------- */

static void test_failed(void)
{
    door->user_agent = "Browser/1.0";
    door->client_address = "198.51.100.23";
    refused(post("/v1/oauth/token", NULL, "{\"username\":\"bob@example.org\",\"password\":\"Wrong1Password\"}"), 401,
            "UNAUTHORISED", "", "a wrong password");
    accepted(post("/v1/oauth/token", NULL, "{\"username\":\"bob@example.org\",\"password\":\"" PASSWORD "\"}"), 200,
             "the right one");
    door->user_agent = door->client_address = NULL;
    const char *bob = rows("SELECT id FROM users WHERE canonical = 'bob@example.org'");
    door_answer_t answer = newest(bob);
    is_str(text("%s %s %s %s", door_text(&answer, "data.0.action"), door_text(&answer, "data.0.target_name"),
                door_text(&answer, "data.0.client_address"), door_text(&answer, "data.0.user_agent")),
           "LOGIN_FAILED bob@example.org 198.51.100.23 Browser/1.0",
           "M18: a failed sign-in: whose, from which address, by which agent");
    is_str(json_at(&answer, "data.0.actor_name"), "null", "M18: ... by nobody");
    answer = get(text(RECORDS "?user_id=%s&limit=1", bob), door->key);
    is_str(text("%s %s %s %s", door_text(&answer, "data.0.action"), door_text(&answer, "data.0.actor_name"),
                door_text(&answer, "data.0.client_address"), door_text(&answer, "data.0.user_agent")),
           "LOGIN bob@example.org 198.51.100.23 Browser/1.0", "M18: a sign-in tells the same, with who it is");
    is_str(rows("SELECT COUNT(*) FROM audit_records WHERE client_address <> '' OR message LIKE '%@%'"), "0",
           "M18: the part that stays names nobody");
}

int main(void)
{
    serve_begin();
    door_person(door, "ada@example.org", PASSWORD, text("[%s]", member(door->account_id, "USER", "")));
    door_person(door, "bob@example.org", PASSWORD, text("[%s]", member(door->account_id, "USER", "")));
    ada_id = rows("SELECT id FROM users WHERE canonical = 'ada@example.org'");
    test_users();
    test_memberships();
    test_teams();
    test_keys();
    test_roles();
    test_providers();
    test_invitations();
    test_failed();
    return serve_end();
}
