/* SPDX-License-Identifier: Apache-2.0 */
/* Security 59: each operation with each built-in role, with every kind of caller beside them, and with keys narrowed to
 * one permission and to all but one. What a role holds is worked out here from permissions.def and roles.def. */
#include "serve_world.h"

static world_t *world;

/* ---- the catalogue, read once more ------------------------------------------------------------------------------ */

typedef enum { VIEW = 1, WRITE = 2, ADMIN = 4, SITE = 8 } class_t;

static const struct {
    const char *family, *name;
    class_t class;
} catalogue[] = {
#define PERMISSION(family, name, class) {#family, name, class},
#include "src/core/permissions.def"
#undef PERMISSION
};

static const struct {
    const char *name, *family; /* family: NULL for the two that have none */
    unsigned classes;
} roles[] = {
#define BUILTIN(number, name, slug, description) {name, NULL, strcmp(slug, "full-access") == 0 ? 15 : VIEW},
#define FAMILY(family, number, words, slug)                                                                            \
    {words " Viewer", #family, VIEW}, {words " Contributor", #family, VIEW | WRITE},                                   \
        {words " Administrator", #family, VIEW | WRITE | ADMIN},
#include "src/core/roles.def"
#undef FAMILY
#undef BUILTIN
};

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

static bool role_holds(int role, const char *permission)
{
    for (int i = 0; i < COUNT(catalogue); i++)
        if (strcmp(catalogue[i].name, permission) == 0)
            return (roles[role].classes & catalogue[i].class) &&
                   (!roles[role].family || strcmp(roles[role].family, catalogue[i].family) == 0);
    return false;
}

/* ---- callers ---------------------------------------------------------------------------------------------------- */

/* Authenticated once; then every operation is asked with what was found. */
typedef struct caller {
    const char *name;
    bool bearer;
    identity_authentication_t authentication;
} caller_t;

static caller_t caller_of(const char *name, const char *credential)
{
    caller_t caller = {.name = name, .bearer = strncmp(credential, "Bearer ", 7) == 0};
    identity_request_t in = {.method = "GET", .path = "/v1/users", .secure = true};

    if (caller.bearer)
        in.headers.authorization = credential;
    else
        in.headers.api_key = credential;
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &caller.authentication);
    if (!caller.authentication.principal)
        bail(text("%s is nobody", name));
    return caller;
}

static door_answer_t ask(const caller_t *caller, const identity_route_t *route, const world_request_t *request)
{
    serve_body_t given = {request->body, request->body ? strlen(request->body) : 0};
    const char *question = strchr(request->path, '?');
    identity_request_t in = {.method = route->method,
                             .path = question ? text("%.*s", (int)(question - request->path), request->path)
                                              : request->path,
                             .query = question ? question + 1 : NULL,
                             .headers.authorization = caller->bearer ? "Bearer x" : NULL,
                             .headers.platform_id = request->platform,
                             .headers.content_type = request->body ? "application/json" : NULL,
                             .secure = true,
                             .has_body = request->body != NULL,
                             .read_body = request->body ? serve_read : NULL,
                             .body_context = &given};
    identity_response_t out;

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_serve(door->pool, &door->env, &in, &caller->authentication, &out);
    door_answer_t answer = {.status = out.status, .text = out.body, .length = out.length, .headers = out.headers};
    return answer;
}

/* Refused because this permission lacks, in the words and with the header that belong to it? */
static bool lacks(const caller_t *caller, const door_answer_t *answer, const char *permission)
{
    const char *told = header(answer, "WWW-Authenticate");

    if (answer->status != 403 || !strstr(answer->text, "\"code\":\"USER_NOT_ALLOWED\"") ||
        !strstr(answer->text, text("This needs the permission %s.", permission)))
        return false;
    return !caller->bearer || (told && strstr(told, text("scope=\"%s\"", permission)));
}

/* What shows a secret, or by what somebody else comes in, looks at more than the route's permission. */
static bool judges_more(const identity_route_t *route)
{
    return strcmp(world_name_of(route), "GET /v1/api-keys/{apik}/decrypt") == 0 ||
           strcmp(world_name_of(route), "GET /v1/users/{user}/api-keys") == 0 ||
           strcmp(world_name_of(route), "GET /v1/permissions/{permission}/holders") == 0;
}

static const char *fault_of(const caller_t *caller, const identity_route_t *route, const world_request_t *request,
                            bool holds)
{
    door_answer_t answer = ask(caller, route, request);
    bool lacking = lacks(caller, &answer, route->permission);

    if (!holds)
        return lacking ? "" : text(" %s answers %d without %s;", route->operation, answer.status, route->permission);
    if (lacking || answer.status >= 500 || answer.status == 401)
        return text(" %s answers %d with %s;", route->operation, answer.status, route->permission);
    if (strcmp(route->method, "GET") == 0 && answer.status != request->status &&
        !(answer.status == 403 && judges_more(route)))
        return text(" %s answers %d;", route->operation, answer.status);
    return "";
}

typedef bool holds_t(const char *permission, const void *context);

static world_request_t requests[128];

/* Everything that is not as it should be, in one line. */
static const char *faults_of(const caller_t *caller, holds_t *holds, const void *context)
{
    apr_pool_t *kept = door->pool, *pool;
    const char *faults = "";

    apr_pool_create(&pool, kept);
    door->pool = pool;
    for (int i = 0; i < identity_route_count; i++)
        if (identity_routes[i].permission)
            faults = text(
                "%s%s", faults,
                fault_of(caller, &identity_routes[i], &requests[i], holds(identity_routes[i].permission, context)));
    faults = apr_pstrdup(kept, faults);
    door->pool = kept;
    apr_pool_destroy(pool);
    return faults;
}

static bool by_role(const char *permission, const void *context)
{
    return role_holds(*(const int *)context, permission);
}

static bool by_name(const char *permission, const void *context)
{
    return strcmp(permission, context) == 0;
}

static bool by_other_name(const char *permission, const void *context)
{
    return strcmp(permission, context) != 0;
}

static bool by_view(const char *permission, const void *context)
{
    (void)context;
    return strcmp(permission + strlen(permission) - 5, ".VIEW") == 0;
}

static bool by_nothing(const char *permission, const void *context)
{
    (void)permission;
    (void)context;
    return false;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* What needs no permission, and why. */
static const struct {
    const char *route, *reason;
} open[] = {
    {"POST /v1/oauth/token", "signs in"},
    {"POST /v1/oauth/refresh-token", "by its cookie"},
    {"POST /v1/oauth/logout", "one's own session"},
    {"POST /v1/oauth/request-password-reset", "before signing in"},
    {"GET /v1/oauth/reset-password", "a page that says nothing"},
    {"POST /v1/oauth/reset-password", "by a mailed secret"},
    {"GET /v1/oauth/activate-user", "a page that says nothing"},
    {"POST /v1/oauth/activate-user", "by a mailed secret"},
    {"GET /v1/oauth/confirm-address", "a page that says nothing"},
    {"POST /v1/oauth/confirm-address", "by a mailed secret"},
    {"GET /v1/oauth/sign-in", "a page that says nothing"},
    {"POST /v1/oauth/sign-in", "signs in"},
    {"GET /v1/oauth/sign-out", "a page that says nothing"},
    {"POST /v1/oauth/sign-out", "by its cookies"},
    {"POST /v1/oauth/describe-link", "by a mailed secret"},
    {"GET /v1/oauth/authorize", "sends on to a provider"},
    {"POST /v1/oauth/callback", "by what a provider says"},
    {"POST /v1/oauth/demo-token", "by a captcha"},
    {"POST /v1/oauth/sandbox-token", "by a captcha"},
    {"POST /v1/authentication-providers/enabled", "by a mailed secret"},
    {"POST /v1/oauth/introspect", "judges who asks by itself, since clients come by Basic too"},
    {"POST /v1/oauth/revoke", "by the token"},
    {"GET /.well-known/jwks.json", "tells of nobody"},
    {"GET /.well-known/oauth-authorization-server", "tells of nobody"},
    {"GET /.well-known/openid-configuration", "tells of nobody"},
    {"GET /v1/oidc/authorize", "by the access cookie, for a registered application"},
    {"POST /v1/oidc/authorize", "sends on to the same by GET"},
    {"POST /v1/oidc/token", "by a client's secret and code"},
    {"GET /v1/oidc/userinfo", "by a client's access token"},
    {"POST /v1/oidc/userinfo", "by a client's access token"},
    {"GET /v1/openapi.json", "tells of nobody"},
    {"GET /v1/reference", "tells of nobody"},
};

static bool is_open(const identity_route_t *route)
{
    for (int i = 0; i < COUNT(open); i++)
        if (strcmp(open[i].route, world_name_of(route)) == 0)
            return true;
    return false;
}

static bool in_catalogue(const char *permission)
{
    for (int i = 0; i < COUNT(catalogue); i++)
        if (strcmp(catalogue[i].name, permission) == 0)
            return true;
    return false;
}

static void test_declared(void)
{
    int found = 0;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        bool listed = is_open(route);
        found += listed;
        if (listed)
            ok(!route->permission && route->credential != IDENTITY_CREDENTIAL_REQUIRED,
               "%s needs no permission # security 59", world_name_of(route));
        else
            ok(route->permission && in_catalogue(route->permission) &&
                   route->credential == IDENTITY_CREDENTIAL_REQUIRED,
               "%s needs one of the catalogue # security 59", world_name_of(route));
    }
    is_int(found, COUNT(open), "what is listed as open is there");
}

/* ---- users ------------------------------------------------------------------------------------------------------ */

/* One with a membership of this type and role (or ""), past the service: no mail, no password. */
static caller_t person(int number, const char *name, const char *type, const char *role_id)
{
    const char *id = text("user_%020d", number), *session = text("sess_%020d", number),
               *memb = text("memb_%020d", number);
    const char *now = text("%" APR_TIME_T_FMT, door->now);
    identity_claims_t claims = {.issuer = door->settings.public_url,
                                .audience = door->settings.public_url,
                                .client_id = "identity",
                                .jwt_id = text("tokn_%020d", number),
                                .subject = id,
                                .session_id = session,
                                .entity_id = world->entity,
                                .issued_at = door->now,
                                .expires_at = door->now + apr_time_from_sec(600)};

    change(
        text("INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, updated_at, "
             "version) VALUES ('%s', '%s', 'role%d@example.org', 'role%d@example.org', 'example.org', 'ACTIVE', 1, "
             "%s, %s, 1)",
             id, world->entity, number, number, now, now));
    change(text("INSERT INTO memberships (id, entity_id, user_id, account_id, type, created_at) VALUES ('%s', '%s', "
                "'%s', '%s', '%s', %s)",
                memb, world->entity, id, world->account, type, now));
    if (*role_id)
        change(text("INSERT INTO membership_roles (membership_id, position, role_id) VALUES ('%s', 0, '%s')", memb,
                    role_id));
    change(text("INSERT INTO sessions (id, entity_id, user_id, method, client_address, user_agent, created_at, "
                "authenticated_at, idle_expires_at, expires_at) VALUES ('%s', '%s', '%s', 'password', '', '', %s, %s, "
                "%s + 1000000000, %s + 1000000000)",
                session, world->entity, id, now, now, now, now));
    return caller_of(name, text("Bearer %s", identity_jwt_sign(door->pool, door->env.keys, &claims)));
}

static void test_roles(void)
{
    const char *ids[COUNT(roles)];
    caller_t callers[COUNT(roles)];

    is_int(COUNT(roles), 164, "built-in roles");
    for (int i = 0; i < COUNT(roles); i++) {
        ids[i] = rows(text("SELECT id FROM roles WHERE entity_id = '' AND name = '%s'", roles[i].name));
        if (!*ids[i])
            bail(text("no role %s", roles[i].name));
    }
    for (int i = 0; i < COUNT(roles); i++)
        callers[i] = person(i + 1, roles[i].name, "USER", ids[i]);
    for (int i = 0; i < COUNT(roles); i++)
        is_str(faults_of(&callers[i], by_role, &i), "", "USER with %s # security 59", roles[i].name);
}

static void test_types(void)
{
    caller_t caller = person(901, "USER", "USER", "");
    is_str(faults_of(&caller, by_nothing, NULL), "", "USER without a role may do nothing");
    caller = person(902, "PARTNER", "PARTNER", "");
    is_str(faults_of(&caller, by_nothing, NULL), "", "PARTNER without a role may do nothing");
    caller = caller_of("READ_ONLY", world_key(world->entity, "{\"role_type\":\"READ_ONLY\"}", NULL));
    is_str(faults_of(&caller, by_view, NULL), "", "a READ_ONLY key may view # security 58");
}

/* Each operation is carried out by who holds all: the requests are good ones. */
static void test_all(void)
{
    caller_t callers[] = {caller_of("ADMIN", world->admin), caller_of("an ADMINISTRATOR key", world->key)};

    for (int c = 0; c < COUNT(callers); c++) {
        for (int i = 0; i < identity_route_count; i++) {
            const identity_route_t *route = &identity_routes[i];
            if (!route->permission)
                continue;
            world_request_t request = world_request(world, route);
            door_answer_t answer = ask(&callers[c], route, &request);
            if (!is_int(answer.status, request.status, "%s by %s", route->operation, callers[c].name))
                diag("%s %s: %s", request.path, request.body ? request.body : "", answer.text);
        }
    }
}

/* ---- narrowed keys ---------------------------------------------------------------------------------------------- */

static const char *all_but(const char *permission)
{
    const char *list = "";

    for (int i = 0; i < COUNT(catalogue); i++)
        if (strcmp(catalogue[i].name, permission) != 0)
            list = text("%s%s\"%s\"", list, *list ? "," : "", catalogue[i].name);
    return list;
}

static void test_narrowed(void)
{
    apr_hash_t *seen = apr_hash_make(door->pool);

    for (int i = 0; i < identity_route_count; i++) {
        const char *permission = identity_routes[i].permission;
        if (!permission || apr_hash_get(seen, permission, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, permission, APR_HASH_KEY_STRING, permission);
        caller_t one =
            caller_of(permission, world_key(world->entity, text("{\"permissions\":[\"%s\"]}", permission), NULL));
        caller_t others =
            caller_of(permission, world_key(world->entity, text("{\"permissions\":[%s]}", all_but(permission)), NULL));
        is_str(faults_of(&one, by_name, permission), "", "a key with nothing but %s # security 54", permission);
        is_str(faults_of(&others, by_other_name, permission), "", "a key with all but %s # security 54", permission);
    }
    ok(apr_hash_count(seen) >= 6, "%d permissions are asked for", (int)apr_hash_count(seen));
}

/* The test itself can fail. */
static void test_sees(void)
{
    caller_t caller = caller_of("ADMINISTRATOR", world->key);

    ok(*faults_of(&caller, by_nothing, NULL), "what is allowed and should not be is seen");
    caller = caller_of("READ_ONLY", world_key(world->entity, "{\"role_type\":\"READ_ONLY\"}", NULL));
    ok(*faults_of(&caller, by_other_name, "x"), "so is what should be and is not");
}

int main(void)
{
    serve_begin();
    world = world_make("matrix");
    for (int i = 0; i < identity_route_count; i++)
        if (identity_routes[i].permission)
            requests[i] = world_request(world, &identity_routes[i]);
    change("PRAGMA synchronous = OFF");
    test_declared();
    test_roles();
    test_types();
    test_all();
    test_narrowed();
    test_sees();
    return serve_end();
}
