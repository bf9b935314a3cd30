/* SPDX-License-Identifier: Apache-2.0 */
/* Security 60 and 62 between the two accounts of one entity: for every row of routes.def, what somebody who administers
 * the second account only can do in the first. */
#include "serve_world.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* Commits of others are seen by this number. */
static const char *commits(void)
{
    return rows("PRAGMA data_version");
}

/* What the administrator of the second account tries in the first. Users, roles, teams, keys and providers belong to
 * the entity; what they give belongs to accounts. */
static const struct {
    const char *route, *path, *body;
    const char *expected; /* NULL: may be done, since it gives nothing in any account */
} deeds[] = {
    {"POST /v1/users", NULL, "{\"username\":\"$n$@$label$.example\",\"password\":\"" PASSWORD "\"}", NULL},
    {"POST /v1/users/invite", NULL,
     "{\"username\":\"$n$@$label$.example\",\"account_memberships\":[{\"account_id\":\"$account$\",\"type\":\"USER\"}]"
     "}",
     "403 USER_NOT_ALLOWED account_memberships.0"},
    {"POST /v1/users/invite", NULL,
     "{\"username\":\"$n$@$label$.example\",\"team_memberships\":[{\"team_id\":\"$team$\"}]}",
     "403 USER_NOT_ALLOWED team_memberships.0.team_id"},
    {"POST /v1/users/invite", NULL, "{\"username\":\"pending@$label$.example\"}", "403 USER_NOT_ALLOWED username"},
    {"POST /v1/users/revoke-invite", NULL, "{\"username\":\"pending@$label$.example\"}",
     "403 USER_NOT_ALLOWED username"},
    {"POST /v1/users/revoke-invite", NULL, "{\"username\":\"$newpending$\"}", "403 USER_NOT_ALLOWED "},
    {"GET /v1/users/{user}/sessions", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/users/{user}", NULL, "{\"status\":\"INACTIVE\"}", "403 USER_NOT_ALLOWED "},
    {"POST /v1/users/{user}/memberships", "/v1/users/$newuser$/memberships",
     "{\"account_id\":\"$account$\",\"type\":\"PARTNER\"}", "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/users/{user}/memberships/{memb}", NULL, "{\"role_ids\":[]}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/users/{user}/memberships/{memb}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/users/{user}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/users/{user}/restore", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/users/{user}/link", NULL, "{\"kind\":\"reset\"}", "403 USER_NOT_ALLOWED "},
    {"POST /v1/users/{user}/link", "/v1/users/$pending$/link", "{\"kind\":\"activate\"}", "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/users/{user}/teams/{team}", NULL, "{\"end_at\":null}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/users/{user}/teams/{team}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/teams/{team}", NULL, "{\"name\":\"$n$\"}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/teams/{team}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/teams/{team}/memberships/{memb}", "/v1/teams/$team$/memberships/$team_memb$", NULL,
     "403 USER_NOT_ALLOWED "},
    {"POST /v1/users/{user}/teams", "/v1/users/$newuser$/teams", "{\"team_id\":\"$team$\"}",
     "403 USER_NOT_ALLOWED team_id"},
    {"GET /v1/users/{user}/api-keys", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/users/{user}/api-keys", NULL, "{}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/users/{user}/api-keys/{apik}", "/v1/users/$user$/api-keys/$newpersonal$", NULL,
     "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/users/{user}/sessions", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/users/{user}/sessions/{sess}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/teams", NULL, "{\"name\":\"$label$ team $n$\"}", NULL},
    {"POST /v1/teams/{team}/memberships", "/v1/teams/$newteam$/memberships",
     "{\"account_id\":\"$account$\",\"type\":\"USER\"}", "403 USER_NOT_ALLOWED "},
    {"POST /v1/roles", NULL, "{\"name\":\"$label$ role $n$\",\"permissions\":[\"QUOTE.VIEW\"]}",
     "403 USER_NOT_ALLOWED permissions"},
    {"PATCH /v1/roles/{role}", NULL, "{\"description\":\"$n$\"}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/roles/{role}", "/v1/roles/$newrole$", NULL, "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/api-keys/{apik}", NULL, "{\"description\":\"$n$\"}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/api-keys/{apik}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/api-keys/search", NULL, "{\"resource_id\":\"$apik$\"}", NULL},
    {"GET /v1/api-keys/{apik}/decrypt", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/authentication-providers", NULL, "{\"type\":\"DEFAULT\"}", "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/authentication-providers/{auth}", NULL, "{\"name\":\"$n$\"}", "403 USER_NOT_ALLOWED "},
    {"POST /v1/clients", NULL, "{\"name\":\"$n$\",\"redirect_uris\":[\"https://a.example/\"]}",
     "403 USER_NOT_ALLOWED "},
    {"PATCH /v1/clients/{clnt}", NULL, "{\"name\":\"$n$\"}", "403 USER_NOT_ALLOWED "},
    {"DELETE /v1/clients/{clnt}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/clients/{clnt}/rotate-secret", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"GET /v1/audit-records/{audi}", NULL, NULL, "404 RESOURCE_NOT_FOUND "},
    {"POST /v1/api-keys", NULL, "{\"permissions\":[\"QUOTE.VIEW\"]}", "403 USER_NOT_ALLOWED permissions"},
    /* To their own account, which the call acts on. */
    {"POST /v1/invitations", NULL, "{\"email\":\"$n$@$label$.example\",\"roleID\":\"full-access\"}", NULL},
    {"POST /v1/invitations", NULL, "{\"email\":\"pending@$label$.example\",\"roleID\":\"full-access\"}",
     "400 INVALID_FIELD email"},
    {"POST /v1/invitations/{invitation}", NULL, NULL, "403 USER_NOT_ALLOWED "},
    {"POST /v1/invitations/{invitation}", NULL, "{\"state\":\"revoked\"}", "403 USER_NOT_ALLOWED "},
};

static void do_deed(const world_t *world, const identity_route_t *route, int deed)
{
    world_request_t request = world_request(world, route);
    const char *path = deeds[deed].path ? world_text(world, deeds[deed].path) : world_pattern(world, route, NULL, NULL);
    const char *body = deeds[deed].body ? world_text(world, deeds[deed].body) : NULL;
    const char *platforms[] = {NULL, world->account2};

    for (int i = 0; i < COUNT(platforms); i++) {
        const char *before = commits();
        door->platform_id = platforms[i];
        door_answer_t answer = door_call(door, route->method, path, world->second, body);
        door->platform_id = NULL;
        if (!deeds[deed].expected) {
            is_int(answer.status, request.status, "%s by the second account's administrator", route->operation);
            return;
        }
        is_str(text("%s%s", outcome_of(&answer), strcmp(commits(), before) == 0 ? "" : "; something was written"),
               deeds[deed].expected, "%s by the second account's administrator%s # security 62", route->operation,
               platforms[i] ? " in that account" : "");
    }
}

static void test_deeds(const world_t *world, const identity_route_t *route, const world_request_t *request)
{
    int done = 0;

    for (int i = 0; i < COUNT(deeds); i++) {
        if (strcmp(deeds[i].route, world_name_of(route)) != 0)
            continue;
        done++;
        do_deed(world, route, i);
    }
    if (done)
        return;
    if (strcmp(route->method, "GET") != 0)
        bail(text("what %s may do in another account is not known: add it to the deeds of this test",
                  world_name_of(route)));
    door_answer_t answer = get(request->path, world->second);
    is_int(answer.status, request->status, "%s: what is the entity's can be looked at", route->operation);
}

/* An account that is not open to the caller is answered like one that does not exist. */
static void test_platform(const world_t *world, const identity_route_t *route, const world_request_t *request)
{
    const char *before = commits();

    door->platform_id = world->account;
    door_answer_t first = door_call(door, route->method, request->path, world->second, request->body);
    door->platform_id = "plat_0000000000000000zzzz";
    door_answer_t unknown = door_call(door, route->method, request->path, world->second, request->body);
    door->platform_id = NULL;
    refused(first, 403, "USER_NOT_ALLOWED", "", "%s in the first account # security 60", route->operation);
    is_str(first.text, unknown.text, "... as in one that is not there");
    is_str(commits(), before, "... and nothing is written");
}

/* The trail of the second account holds nothing of the first. */
static void test_trail(const world_t *world)
{
    door_answer_t answer = get("/v1/audit-records?limit=500", world->second);

    ok(size_at(&answer, "data") > 0 && strstr(answer.text, world->account2) && !strstr(answer.text, world->account),
       "the audit records of one account tell nothing of the other");
    for (size_t i = 0; i < size_at(&answer, "data"); i++)
        is_str(door_text(&answer, text("data.%d.target_platform_id", (int)i)), world->account2, "... each is of it");
}

int main(void)
{
    serve_begin();
    world_t *world = world_make("victoria");

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (route->credential != IDENTITY_CREDENTIAL_REQUIRED)
            continue;
        world_request_t request = world_request(world, route);
        test_platform(world, route, &request);
        test_deeds(world, route, &request);
    }
    test_trail(world);
    return serve_end();
}
