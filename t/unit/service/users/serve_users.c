/* SPDX-License-Identifier: Apache-2.0 */
/* GET /users/{id}, GET /users/search, and what a PARTNER sees. */
#include "serve.h"

static const char *ada_id, *bob_id, *pat_id;

/* ---- one user --------------------------------------------------------------------------------------------------- */

/* route get_user */
static void test_members(void)
{
    door_answer_t answer = get(text("/v1/users/%s", bob_id), door->key);

    accepted(answer, 200, "get");
    is_str(members_at(&answer, ""),
           "object_type,id,entity_id,created_at,status,username,password,invite_expired,active,account_memberships,"
           "team_memberships",
           "User: members and their order");
    is_str(members_at(&answer, "account_memberships.0"),
           "object_type,id,account_id,account,type,role_ids,account_reference,environment,roles",
           "AccountMembership: members and their order");
    is_str(members_at(&answer, "account_memberships.0.account"),
           "id,reference,account_type_code,environment,parent_id,platform_id", "C1: account: members and their order");
    is_str(members_at(&answer, "account_memberships.0.roles.0"),
           "object_type,id,name,description,entity_id,child_role_ids,child_roles", "C2: Role: members and their order");
    is_str(members_at(&answer, "team_memberships.0"), "team_id,start_at,end_at,account_memberships",
           "TeamMember: members and their order");
    is_str(members_at(&answer, "team_memberships.0.account_memberships.0"),
           "object_type,id,account_id,account,type,role_ids,account_reference,environment,roles",
           "what a team gives has the same members");
}

static void test_values(void)
{
    door_answer_t answer = get(text("/v1/users/%s", ada_id), door->key);
    const char *membership = door_text(&answer, "account_memberships.0.id");
    const char *created = identity_time_format(
        door->pool, (apr_time_t)count(text("SELECT created_at FROM users WHERE id = '%s'", ada_id)));

    ok(identity_id_valid(membership, "memb"), "the membership has an id of its own");
    is_str(
        answer.text,
        text("{\"object_type\":\"USER\",\"id\":\"%s\",\"entity_id\":\"%s\",\"created_at\":\"%s\",\"status\":\"ACTIVE\","
             "\"username\":\"Ada@Example.org\",\"password\":null,\"invite_expired\":null,\"active\":true,"
             "\"account_memberships\":[{\"object_type\":\"MEMBERSHIP\",\"id\":\"%s\",\"account_id\":\"%s\","
             "\"account\":{\"id\":\"%s\",\"reference\":\"default\",\"account_type_code\":\"PLATFORM\","
             "\"environment\":\"LIVE\",\"parent_id\":null,\"platform_id\":\"%s\"},"
             "\"type\":\"ADMIN\",\"role_ids\":[],\"account_reference\":\"default\",\"environment\":\"LIVE\","
             "\"roles\":[]}],\"team_memberships\":[]}",
             ada_id, door->entity_id, created, membership, door->account_id, door->account_id, door->account_id),
        "the whole of a User");
    answer = get(text("/v1/users/%s", bob_id), door->key);
    is_str(json_at(&answer, "account_memberships.0.roles.0"),
           text("{\"object_type\":\"ROLE\",\"id\":\"%s\",\"name\":\"Clerk\",\"description\":\"Keeps the books\","
                "\"entity_id\":\"%s\",\"child_role_ids\":[\"%s\"],\"child_roles\":[%s]}",
                door_text(&answer, "account_memberships.0.role_ids.0"), door->entity_id,
                door_text(&answer, "account_memberships.0.roles.0.child_role_ids.0"),
                json_at(&answer, "account_memberships.0.roles.0.child_roles.0")),
           "the whole of a Role with its child");
    is_str(door_text(&answer, "account_memberships.0.roles.0.child_roles.0.name"), "Quote Viewer", "... which it is");
    is_str(json_at(&answer, "account_memberships.0.roles.0.child_roles.0.entity_id"), "null", "... built in");
    is_str(json_at(&answer, "team_memberships.0.start_at"), "\"2023-11-14T00:00:00Z\"", "a team from then");
    is_str(json_at(&answer, "team_memberships.0.end_at"), "null", "... on");
    is_str(door_text(&answer, "team_memberships.0.account_memberships.0.roles.0.name"), "Wallet Viewer",
           "what the team gives");
}

static void test_own(void)
{
    const char *bearer = login("bob@example.org");

    door_answer_t answer = get(text("/v1/users/%s", bob_id), bearer);
    accepted(answer, 200, "one's own record needs no permission");
    answer = get(text("/v1/users/%s", ada_id), bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "another's does");
    answer = get(text("/v1/users/%s", ada_id), login("ada@example.org"));
    accepted(answer, 200, "whoever holds it may");
    answer = get(text("/v1/users/%s", bob_id), door->read_key);
    accepted(answer, 200, "a key too");
}

static void test_team_window(void)
{
    const char *path = text("/v1/users/%s", ada_id);
    const char *bearer = login("teammate@example.org");

    door_answer_t answer = get(path, bearer);
    accepted(answer, 200, "what a team gives counts inside its window");
    change("UPDATE team_members SET end_at = 1600000000000000 WHERE user_id IN "
           "(SELECT id FROM users WHERE canonical = 'teammate@example.org')");
    answer = get(path, bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "not past it # security 37");
    change("UPDATE team_members SET end_at = 0, start_at = 4000000000000000 WHERE user_id IN "
           "(SELECT id FROM users WHERE canonical = 'teammate@example.org')");
    answer = get(path, bearer);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "nor before it");
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

static const char *found(const char *query, const char *resource_id)
{
    door->resource_id = resource_id;
    door_answer_t answer = get(text("/v1/users/search%s", query), door->key);
    door->resource_id = NULL;
    const char *names = "";
    json_t *user;
    size_t i;

    if (answer.status != 200 || !json_is_array(answer.json))
        return outcome_of(&answer);
    json_array_foreach (answer.json, i, user)
        names = text("%s%s%s", names, *names ? " " : "", json_string_value(json_object_get(user, "username")));
    return names;
}

/* route search_users */
static void test_search(void)
{
    const char *all = "Ada@Example.org bob@example.org open@elsewhere.example pat@example.org teammate@example.org";
    const struct {
        const char *query, *resource_id, *names, *what;
    } cases[] = {
        {"", NULL, all, "nothing asked: all, by username"},
        {"?username=ada@example.org", NULL, "Ada@Example.org", "a whole address"},
        {"?username=ADA%40eXample.ORG", NULL, "Ada@Example.org", "... in any case"},
        {"?username=da@example.org", NULL, "", "... whole, not its end"},
        {"?username=bo", NULL, "bob@example.org", "a prefix"},
        {"?username=BO", NULL, "bob@example.org", "... in any case"},
        {"?username=ob", NULL, "", "... from the beginning"},
        {"?username=bob@example", NULL, "bob@example.org", "... up to the domain"},
        {"?username=bob@example.o", NULL, "bob@example.org", "... into its last label"},
        {"?username=Ada@example.o", NULL, "Ada@Example.org", "... in any case"},
        {"?username=bob@example.o", bob_id, "bob@example.org", "... of one user"},
        {"?username=%25", NULL, "", "no pattern # security 78"},
        {"?username=_ob", NULL, "", "... of any kind # security 78"},
        {"?username=a'--", NULL, "", "... nor SQL # security 78"},
        {"?username=@example.org", NULL, "Ada@Example.org bob@example.org pat@example.org teammate@example.org",
         "a domain"},
        {"?username=@EXAMPLE.org", NULL, "Ada@Example.org bob@example.org pat@example.org teammate@example.org",
         "... in any case"},
        {"?username=@xample.org", NULL, "", "... the whole domain"},
        {"?username=@example", NULL, "", "... to its end"},
        {"?username=", NULL, all, "an empty one asks nothing"},
        {"", bob_id, "bob@example.org", "by the header resource_id"},
        {"?username=bob@example.org", bob_id, "bob@example.org", "both filters: AND"},
        {"?username=bo", bob_id, "bob@example.org", "... a prefix"},
        {"?username=@example.org", bob_id, "bob@example.org", "... a domain"},
        {"?username=ada@example.org", bob_id, "", "... which do not fit"},
        {"?username=@elsewhere.example", bob_id, "", "... nor these"},
        {"", "user_00000000000000000000", "", "an unknown id"},
        {"", "x", "", "what is no id"},
        {"?user_type=MORTAL", NULL, all, "people"},
        {"?user_type=MORTAL&username=bo", bob_id, "bob@example.org", "... and further filters"},
        {"?user_type=API", NULL, "", "keys are no users"},
        {"?user_type=API&username=bob@example.org", NULL, "", "... whatever else is asked"},
        {"?user_type=mortal", NULL, "400 INVALID_FIELD user_type", "another type"},
        {"?username=a&username=b", NULL, "400 INVALID_FIELD username", "a parameter twice"},
        {"?username=%zz", NULL, "400 INVALID_FIELD username", "a bad escape"},
        {"?username=%ff", NULL, "400 INVALID_FIELD username", "what is no UTF-8"},
        {"?username=a%00b", NULL, "400 INVALID_FIELD username", "a NUL"},
        {"?unknown=1", NULL, "400 INVALID_FIELD unknown", "M24: a parameter that is not known"},
        {"?_=1&_unknown=2", NULL, all, "M24: names that begin with _ ask nothing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_str(found(cases[i].query, cases[i].resource_id), cases[i].names, "search %s: %s", cases[i].query,
               cases[i].what);
    door_answer_t one = get("/v1/users/search?username=bob@example.org", door->key),
                  same = get(text("/v1/users/%s", bob_id), door->key);
    accepted(one, 200, "search answers a list");
    is_str(json_at(&one, "0"), same.text, "... of whole Users");
}

/* ---- a PARTNER sees no other user ------------------------------------------------------------------------------- */

static void test_partner(void)
{
    const char *bearer = login("pat@example.org");
    const char *before;

    door_answer_t answer = get("/v1/users", bearer);
    is_str(json_at(&answer, "data.0.username"), "\"pat@example.org\"", "a PARTNER lists itself");
    is_int(size_at(&answer, "data"), 1, "... alone");
    is_str(json_at(&answer, "total_number_of_pages"), "1", "... and is not told of others");
    answer = get("/v1/users?username=bob@example.org", bearer);
    is_int(size_at(&answer, "data"), 0, "... not by name");
    answer = get("/v1/users/search", bearer);
    is_int(size_at(&answer, ""), 1, "... finds itself alone");
    answer = get("/v1/users/search?username=@example.org", bearer);
    is_str(json_at(&answer, "0.username"), "\"pat@example.org\"", "... by domain too");
    answer = get("/v1/users/search?username=bob@example.org", bearer);
    is_str(answer.text, "[]", "... nobody else");
    door->resource_id = bob_id;
    answer = get("/v1/users/search", bearer);
    is_str(answer.text, "[]", "... not by id either");
    door->resource_id = pat_id;
    answer = get("/v1/users/search", bearer);
    is_int(size_at(&answer, ""), 1, "... but itself");
    door->resource_id = NULL;
    answer = get(text("/v1/users/%s", pat_id), bearer);
    accepted(answer, 200, "... gets itself");
    door->platform_id = door->account_id;
    answer = get("/v1/users/search", bearer);
    is_int(size_at(&answer, ""), 1, "... also where it names the account");
    door->platform_id = NULL;
    before = state();
    answer = get(text("/v1/users/%s", bob_id), bearer);
    refused(answer, 404, "USER_NOT_FOUND", "", "... and nobody else");
    answer = get(text("/v1/users/%s/memberships", bob_id), bearer);
    refused(answer, 404, "USER_NOT_FOUND", "", "... nor what others hold");
    answer = patch(text("/v1/users/%s", bob_id), bearer, "{\"status\":\"INACTIVE\"}");
    refused(answer, 404, "USER_NOT_FOUND", "", "... nor changes others");
    answer = post("/v1/users/revoke-invite", bearer, "{\"username\":\"open@elsewhere.example\"}");
    refused(answer, 404, "USER_NOT_FOUND", "", "... nor revokes their invitations");
    answer = post(text("/v1/users/%s/memberships", bob_id), bearer, member(door->account_id, "USER", ""));
    refused(answer, 404, "USER_NOT_FOUND", "", "... nor gives them anything");
    is_str(state(), before, "none of it changed a row");
}

static void seed_people(void)
{
    const char *team = serve_team("Bookkeepers"), *access = serve_team("Access");

    post("/v1/roles", door->key,
         text("{\"name\":\"Clerk\",\"description\":\"Keeps the "
              "books\",\"permissions\":[\"LEDGER.KEEP\",\"INVOICE.VIEW\"],"
              "\"child_role_ids\":[\"%s\"]}",
              role_named("Quote Viewer")));
    serve_team_gives(team, door->second_account_id, "USER", "Wallet Viewer");
    serve_team_gives(access, door->account_id, "USER", "User Viewer");
    ada_id = person_with("Ada@Example.org", "ADMIN", "");
    post(
        "/v1/users/invite", door->key,
        text("{\"username\":\"bob@example.org\",\"account_memberships\":[%s],\"team_memberships\":[{\"team_id\":\"%s\","
             "\"start_at\":\"2023-11-14T01:00:00+01:00\"}]}",
             member(door->account_id, "USER", named("Clerk")), team));
    post("/v1/users/invite", door->key,
         text("{\"username\":\"teammate@example.org\",\"team_memberships\":[{\"team_id\":\"%s\"}]}", access));
    bob_id = accept_mailed("bob@example.org");
    accept_mailed("teammate@example.org");
    pat_id = person_with("pat@example.org", "PARTNER", ",\"roles\":[{\"name\":\"User Administrator\"}]");
    post("/v1/users/invite", door->key, "{\"username\":\"open@elsewhere.example\"}");
    get("/v1/roles?limit=1", door->read_key); /* writes the last use of the key */
}

int main(void)
{
    serve_begin();
    seed_people();
    test_members();
    test_values();
    test_own();
    test_search();
    test_partner();
    test_team_window();
    return serve_end();
}
