/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of routes.def, one after the other: who is let in, and whom the rows of another entity belong to. A new
 * route is asked the same without a word said here, save for a body that it would take. */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

static const char *nobody, *nobody_id, *target_id, *membership_id, *team_id, *role_id, *key_id, *provider_id,
    *client_id, *record_id, *session_id, *invitation_id;

static const struct {
    const char *operation, *body;
} bodies[] = {{"obtain_token", "{\"username\":\"ada@example.org\",\"password\":\"x\"}"},
              {"request_password_reset", "{\"email\":\"ada@example.org\"}"},
              {"reset_password", "{\"token\":\"x\",\"new_password\":\"" PASSWORD "\"}"},
              {"activate_user", "{\"token\":\"x\",\"new_password\":\"" PASSWORD "\"}"},
              {"describe_link", "{\"token\":\"x\"}"},
              {"confirm_address", "{\"token\":\"x\"}"},
              {"demo_token", "{\"email\":\"ada@example.org\",\"captcha_token\":\"x\"}"},
              {"sandbox_token", "{\"email\":\"ada@example.org\",\"captcha_token\":\"x\"}"},
              {"oauth_callback", "{\"code\":\"c\",\"redirect_uri\":\"https://app.example.org/\",\"state\":\"s\"}"},
              {"create_user", "{\"username\":\"new@example.org\",\"password\":\"" PASSWORD "\"}"},
              {"invite_user", "{\"username\":\"new@example.org\"}"},
              {"revoke_invite", "{\"username\":\"open@example.org\"}"},
              {"update_user", "{\"status\":\"INACTIVE\"}"},
              {"create_user_link", "{\"kind\":\"reset\"}"},
              {"add_user_membership", NULL}, /* need an account or a team: body_of */
              {"add_user_team", NULL},
              {"add_team_membership", NULL},
              {"update_user_membership", "{\"type\":\"USER\"}"},
              {"update_user_team", "{\"end_at\":null}"},
              {"update_team", "{\"name\":\"Renamed\"}"},
              {"create_team", "{\"name\":\"New\"}"},
              {"create_role", "{\"name\":\"New\"}"},
              {"enabled_authentication_providers", "{\"token\":\"x\",\"email\":\"ada@example.org\"}"},
              {"create_authentication_provider", "{\"type\":\"DEFAULT\"}"},
              {"create_client", "{\"name\":\"Wiki\",\"redirect_uris\":[\"https://wiki.example/cb\"]}"},
              {"update_client", "{\"name\":\"Wikis\"}"},
              {"rotate_client_secret", "{}"},
              {"update_authentication_provider", "{\"status\":\"DISABLED\"}"},
              {"create_invitation", "{\"email\":\"new@example.org\",\"roleID\":\"read-only\"}"},
              {"update_invitation", "{}"},
              {"update_role", "{\"description\":\"Changed\"}"},
              {"create_api_key", "{}"},
              {"search_api_key", "{}"},
              {"create_user_api_key", "{\"description\":\"x\"}"},
              {"update_api_key", "{\"status\":\"INACTIVE\"}"}};

/* A body that the operation would carry out. */
static const char *body_of(const identity_route_t *route)
{
    if (!route->body)
        return NULL;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (strcmp(bodies[i].operation, route->operation) == 0)
            return bodies[i].body                                   ? bodies[i].body
                   : strcmp(route->operation, "add_user_team") == 0 ? text("{\"team_id\":\"%s\"}", team_id)
                                                                    : member(door->second_account_id, "USER", "");
    bail(text("no body for %s is known: add one to this test", route->operation));
}

/* One that is there, for a prefix in braces. */
static const char *known_id(const char *braces)
{
    const struct {
        const char *prefix, *id;
    } ids[] = {
        {"{user}", target_id},   {"{memb}", membership_id},       {"{team}", team_id},          {"{clnt}", client_id},
        {"{auth}", provider_id}, {"{audi}", record_id},           {"{role}", role_id},          {"{apik}", key_id},
        {"{sess}", session_id},  {"{invitation}", invitation_id}, {"{permission}", "ROLE.VIEW"}};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (strncmp(braces, ids[i].prefix, strlen(ids[i].prefix)) == 0)
            return ids[i].id;
    bail(text("no id for %s is known: add one to this test", braces));
}

/* The route's path with ids in it: the one given (NULL: a known one) at the position, known ones elsewhere. */
static const char *path_with(const identity_route_t *route, int position, const char *id)
{
    const char *rest = route->pattern, *made = "", *open;

    for (int i = 0; (open = strchr(rest, '{')) != NULL; i++) {
        made = text("%s%.*s%s", made, (int)(open - rest), rest, id && i == position ? id : known_id(open));
        rest = strchr(open, '}') + 1;
    }
    return text("%s%s", made, rest);
}

static const char *path_of(const identity_route_t *route, const char *id)
{
    return path_with(route, 0, id);
}

static door_answer_t call(const identity_route_t *route, const char *id, const char *credential)
{
    return door_call(door, route->method, path_of(route, id), credential, body_of(route));
}

static void test_declared(void)
{
    int required = 0;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (route->credential == IDENTITY_CREDENTIAL_REQUIRED) {
            required++;
            ok(route->permission && identity_permission_valid(route->permission),
               "%s declares a permission # security 59", route->operation);
        } else {
            bool known = strncmp(route->pattern, "/v1/oauth/", 10) == 0 ||
                         strncmp(route->pattern, "/v1/oidc/", 9) == 0 ||
                         strncmp(route->pattern, "/.well-known/", 13) == 0 ||
                         strcmp(route->operation, "enabled_authentication_providers") == 0 ||
                         strcmp(route->operation, "get_openapi") == 0 || strcmp(route->operation, "get_reference") == 0;
            ok(known && !route->permission,
               "%s is public: an oauth call, one that a mailed token opens, or a document # security 59",
               route->operation);
        }
        ok(!route->self || strchr(route->pattern, '{'), "%s: an own record has an id", route->operation);
        ok((!route->body && !route->form) || strcmp(route->method, "POST") == 0 ||
               (route->body && !route->form && strcmp(route->method, "PATCH") == 0),
           "%s: a body is asked of a POST or PATCH only", route->operation);
    }
    ok(required >= 13, "%d routes need a credential", required);
}

/* What no route answers is told what some do. */
static void test_methods(void)
{
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        door_answer_t answer = door_call(door, "TRACE", path_of(route, NULL), NULL, NULL);
        refused(answer, 405, "INVALID_OPERATION", "", "TRACE %s # security 76", route->pattern);
        const char *allow = header(&answer, "Allow"), *at = allow ? strstr(allow, route->method) : NULL;
        ok(at && strstr(at, "OPTIONS") && (strcmp(route->method, "GET") != 0 || strncmp(at, "GET, HEAD, ", 11) == 0),
           "... is told %s", allow);
    }
}

/* HEAD works where GET does, and nowhere else; OPTIONS works everywhere and asks nobody who it is. */
static void test_head(void)
{
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        const char *path = path_of(route, NULL);
        bool reads = strcmp(route->method, "GET") == 0;
        door_answer_t options = door_call(door, "OPTIONS", path, NULL, NULL);
        is_int(options.status, 204, "OPTIONS %s", route->pattern);
        is_int(options.statements, 0, "... without the database");
        const char *allow = header(&options, "Allow");
        door_answer_t head = door_call(door, "HEAD", path, door->key, NULL);
        if (!strstr(allow, "GET")) {
            refused(head, 405, "INVALID_OPERATION", "", "HEAD %s, which has no GET", path);
            is_str(header(&head, "Allow"), allow, "... is told %s", allow);
        } else if (reads) {
            door_answer_t whole = get(path, door->key);
            is_int(head.status, whole.status, "HEAD %s", path);
            is_int(head.length, whole.length, "... with the length of GET");
            is_str(head.content_type, whole.content_type, "... its type");
            is_str(headers_of(&head), headers_of(&whole), "... its headers");
        }
    }
}

/* Nobody, somebody whose session ended, and somebody without a role. */
static void test_let_in(void)
{
    const char *gone = login("gone@example.org");
    door_answer_t answer = post("/v1/oauth/logout", gone, NULL);
    is_int(answer.status, 200, "one signs out");
    const char *before = state();

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (route->credential != IDENTITY_CREDENTIAL_REQUIRED)
            continue;
        answer = call(route, NULL, NULL);
        refused(answer, 401, "UNAUTHORISED", "", "%s without a credential", route->operation);
        is_int(answer.statements, 0, "... costs the database nothing");
        answer = call(route, NULL, gone);
        refused(answer, 401, "UNAUTHORISED", "", "%s with an ended session # security 37", route->operation);
        answer = call(route, NULL, nobody);
        refused(answer, 403, "USER_NOT_ALLOWED", "", "%s by a user with no roles", route->operation);
        is_str(header(&answer, "WWW-Authenticate"),
               text("Bearer realm=\"identity\", error=\"insufficient_scope\", scope=\"%s\"", route->permission),
               "... names %s # security 44", route->permission);
    }
    is_str(state(), before, "none of it changed a row");
}

/* A key that may only look. */
static void test_read_only(void)
{
    const char *before = state();

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        bool view = route->permission && strstr(route->permission, ".VIEW");
        if (route->credential != IDENTITY_CREDENTIAL_REQUIRED)
            continue;
        door_answer_t answer = call(route, NULL, door->read_key);
        is_int(answer.status, view ? 200 : 403, "%s by a READ_ONLY key # security 58", route->operation);
    }
    change("DELETE FROM audit_details WHERE record_id IN (SELECT id FROM audit_records WHERE action = 'DECRYPT')");
    is_int(change("DELETE FROM audit_records WHERE action = 'DECRYPT'"), 1, "what shows a key is on record");
    is_str(state(), before, "none of it changed a row");
}

static void test_own_record(void)
{
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (!route->self || strcmp(route->method, "GET") != 0)
            continue;
        door_answer_t answer = call(route, nobody_id, nobody);
        accepted(answer, 200, "%s of oneself needs no permission", route->operation);
    }
}

static const char *type_of(const char *prefix)
{
    static const char *const types[][2] = {{"user", "USER"},    {"memb", "MEMBERSHIP"},
                                           {"role", "ROLE"},    {"team", "TEAM"},
                                           {"apik", "API_KEY"}, {"auth", "AUTHENTICATION_PROVIDER"},
                                           {"clnt", "CLIENT"},  {"audi", "AUDIT_RECORD"},
                                           {"sess", "SESSION"}, {"invitation", "INVITATION"}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i][0], prefix) == 0)
            return types[i][1];
    return (bail(text("what is there called of whose id is %s_?", prefix)), NULL);
}

/* What an answer says of whatever id it was asked for. */
static const char *without_id(const door_answer_t *answer)
{
    json_object_del(answer->json, "resource_id");
    return json_at(answer, "");
}

static const char *unknown_id(const char *prefix)
{
    return strcmp(prefix, "invitation") == 0 ? "00000000000000000000000000000000"
                                             : text("%s_00000000000000000000", prefix);
}

/* Security 60: for each operation and each foreign object. */
static void test_foreign_ids(void)
{
    const char *malformed[] = {"x",
                               "user_",
                               "user_0000000000000000000",
                               "user_000000000000000000000",
                               "user_0000000000000000000!",
                               text("role_%s", target_id + 5),
                               text("User_%s", target_id + 5),
                               text("%s ", target_id),
                               "0123456789ABCDEF0123456789abcdef",
                               "0123456789ABCDEF0123456789ABCDE",
                               "0123456789ABCDEF0123456789ABCDEF0",
                               "invitation_00000000000000000000",
                               "user_' OR '1'='1' --      "};
    const char *before = state();
    int asked = 0;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        const char *at = route->pattern;
        for (int position = 0; (at = strchr(at, '{')) != NULL; position++, at++) {
            const char *code = strncmp(at, "{user}", 6) == 0 ? "USER_NOT_FOUND" : "RESOURCE_NOT_FOUND";
            const char *prefix = text("%.*s", (int)strcspn(at + 1, "}"), at + 1), *body = body_of(route);
            if (strcmp(prefix, "permission") == 0) /* a name, which nobody owns */
                continue;
            asked++;
            door_answer_t unknown =
                door_call(door, route->method, path_with(route, position, unknown_id(prefix)), door->key, body);
            refused(unknown, 404, code, "", "%s of an unknown id", route->operation);
            is_str(text("%s %s", door_text(&unknown, "resource_type"), door_text(&unknown, "resource_id")),
                   text("%s %s", type_of(prefix), unknown_id(prefix)), "... which is named");
            if (position == 0) {
                door_answer_t foreign = call(route, NULL, door->other_key);
                refused(foreign, 404, code, "", "%s of another entity's id # security 60", route->operation);
                is_str(without_id(&foreign), without_id(&unknown), "... in the words for an unknown one");
            }
            for (size_t m = 0; m < sizeof malformed / sizeof malformed[0]; m++) {
                door_answer_t answer =
                    door_call(door, route->method, path_with(route, position, malformed[m]), door->key, body);
                refused(answer, 404, code, "", "%s of \"%s\", which is no id", route->operation, malformed[m]);
            }
        }
    }
    ok(asked >= 10, "%d ids stand in the routes", asked);
    is_str(state(), before, "none of it changed a row");
}

/* The routes without an id: what they show and name is the caller's entity's alone. */
static void test_foreign_names(void)
{
    door_answer_t answer = get("/v1/users", door->other_key);
    is_int(size_at(&answer, "data"), 0, "no user of another entity is listed # security 60");
    answer = get("/v1/users?username=ada@example.org", door->other_key);
    is_int(size_at(&answer, "data"), 0, "... nor by name");
    answer = get("/v1/users/search?username=ada@example.org", door->other_key);
    is_str(answer.text, "[]", "... nor found");
    answer = get("/v1/users/search?username=@example.org", door->other_key);
    is_str(answer.text, "[]", "... nor by domain");
    door->resource_id = target_id;
    answer = get("/v1/users/search", door->other_key);
    is_str(answer.text, "[]", "... nor by id");
    door->resource_id = NULL;
    answer = post("/v1/users/revoke-invite", door->other_key, "{\"username\":\"open@example.org\"}");
    refused(answer, 404, "USER_NOT_FOUND", "", "their invitations cannot be revoked # security 60");
    answer = get("/v1/invitations", door->other_key);
    is_str(answer.text, "{\"invitations\":[]}", "no invitation of another entity is listed # security 60");
    answer = get("/v1/invitations?email=open@example.org", door->other_key);
    is_str(answer.text, "{\"invitations\":[]}", "... nor by address");
    answer = get("/v1/api-keys", door->other_key);
    is_int(size_at(&answer, "data"), 1, "no key of another entity is listed # security 60");
    answer = get("/v1/roles?name=Ours", door->other_key);
    is_int(size_at(&answer, "data"), 0, "no role of another entity is listed # security 60");
    answer = get("/v1/authentication-providers", door->other_key);
    is_int(size_at(&answer, "data"), 0, "no provider of another entity is listed # security 60");
    answer = get(text("/v1/audit-records?target_id=%s", provider_id), door->other_key);
    is_int(size_at(&answer, "data"), 0, "nor what was recorded there # security 60");
    answer = get("/v1/roles?name=Ours", door->key);
    is_int(size_at(&answer, "data"), 1, "... which is there");
    answer = post("/v1/api-keys/search", door->other_key, text("{\"resource_id\":\"%s\"}", key_id));
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "no key of another entity is found # security 60");
}

int main(void)
{
    serve_begin();
    person_with("ada@example.org", "ADMIN", "");
    nobody_id = door_person(door, "nobody@example.org", PASSWORD, "[]");
    target_id = person_with("target@example.org", "USER", named("Quote Viewer"));
    membership_id = rows(text("SELECT id FROM memberships WHERE user_id = '%s'", target_id));
    team_id = serve_team("Team");
    person_with("gone@example.org", "ADMIN", "");
    post("/v1/users/invite", door->key, "{\"username\":\"open@example.org\"}");
    invitation_id = rows("SELECT id FROM invitations WHERE email = 'open@example.org'");
    post("/v1/roles", door->key, "{\"name\":\"Ours\"}");
    role_id = role_named("Ours");
    door->settings.key_escrow = (const unsigned char *)"0123456789abcdef0123456789abcdef";
    door_answer_t made = post("/v1/api-keys", door->key, "{\"role_type\":\"READ_ONLY\"}");
    key_id = door_text(&made, "id");
    made = post("/v1/authentication-providers", door->key, "{\"type\":\"DEFAULT\"}");
    provider_id = door_text(&made, "id");
    made = post("/v1/clients", door->key, "{\"name\":\"Client\",\"redirect_uris\":[\"https://a.example/\"]}");
    client_id = door_text(&made, "id");
    record_id = rows(text("SELECT id FROM audit_records WHERE target_id = '%s'", provider_id));
    nobody = login("nobody@example.org");
    login("target@example.org");
    session_id = rows(text("SELECT id FROM sessions WHERE user_id = '%s'", target_id));
    get("/v1/roles", door->read_key); /* writes the last use of the keys */
    get("/v1/roles", door->other_key);
    test_declared();
    test_methods();
    test_let_in();
    test_read_only();
    test_own_record();
    test_foreign_ids();
    test_foreign_names();
    test_head();
    return serve_end();
}
