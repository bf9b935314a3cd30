/* SPDX-License-Identifier: Apache-2.0 */
/* Who is remembered: without the database as long as nothing has changed, and never a moment longer. Every request here
 * is held against a server that remembers nobody (door_hold_against_cold). (security 37, 65, 86) */
#include "serve_world.h"

#define MINUTE 60

static world_t *world;
static const char *path;

/* Let in without a single statement? */
static bool remembered(const char *credential)
{
    int before = door->warm;

    get(path, credential);
    return door->warm > before;
}

static void warm(const char *credential)
{
    get(path, credential);
    if (!remembered(credential))
        bail(text("%.20s... is not remembered", credential));
}

static int status_of(const char *credential)
{
    return get(path, credential).status;
}

/* ---- cold, warm, disabled, full --------------------------------------------------------------------------------- */

static void test_statements(void)
{
    identity_cache_t *cache = door->env.cache, *shared = door->env.shared;

    door->env.shared = NULL; /* what answers are made of is not the matter here */
    door_answer_t cold = get(path, world->key), again = get(path, world->key);

    ok(cold.statements > again.statements, "a key that is remembered takes fewer statements: %lu, then %lu",
       cold.statements, again.statements);
    ok(remembered(world->key), "... of which none is for the key");
    get(path, world->admin);
    ok(remembered(world->admin), "an access token neither");
    ok(!remembered("idk_nonsense") && !remembered("idk_nonsense"), "what is no credential is not remembered");
    door->env.cache = NULL;
    is_int(get(path, world->key).statements, cold.statements, "IdentityCache 0: as if for the first time");
    door->env.cache = cache;
    door->env.cache = door_cache(door, 1);
    warm(world->key);
    get(path, world->admin);
    ok(!remembered(world->key), "in a cache of one the other gives way");
    door->env.cache = cache;
    door->env.shared = shared;
}

/* ---- whatever is done ------------------------------------------------------------------------------------------- */

static void ask_all(const char *const *credentials, int count)
{
    for (int i = 0; i < count; i++)
        get(path, credentials[i]);
}

/* Every operation of the route table, with everybody remembered before it. */
static void test_operations(void)
{
    const char *key = world_key(world->entity, "{\"role_type\":\"READ_ONLY\"}", NULL);
    const char *const everybody[] = {world->key, world->admin, world->second, key,
                                     login(text("user@%s.example", world->label))};
    int count = sizeof everybody / sizeof everybody[0];

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (route->credential != IDENTITY_CREDENTIAL_REQUIRED || strcmp(route->method, "GET") == 0)
            continue;
        world_request_t request = world_request(world, route);
        ask_all(everybody, count);
        int before = door->differences, warmed = door->warm;
        ask_all(everybody, count);
        door_answer_t answer = world_ask(route, &request, world->key);
        ok(answer.status == request.status && door->warm - warmed >= count - 1, "%s with everybody remembered: %d",
           route->operation, answer.status);
        ask_all(everybody, count);
        is_int(door->differences - before, 0, "... then all are who they are without a cache");
    }
}

/* ---- what takes something away ---------------------------------------------------------------------------------- */

typedef struct person {
    const char *id, *address, *bearer, *cookie, *memb;
} person_t;

static person_t person_of(const char *name, const char *type, const char *roles)
{
    person_t person = {.address = text("%s@taken.example", name)};

    person.id = person_with(person.address, type, roles);
    person.bearer = door_login(door, person.address, PASSWORD, &person.cookie);
    person.memb = rows(text("SELECT id FROM memberships WHERE user_id = '%s'", person.id));
    return person;
}

static void forgotten(const char *credential, int status, const char *what)
{
    bool known = remembered(credential);

    ok(!known, "%s: is not gone by from memory", what);
    is_int(status_of(credential), status, "... and answered %d # security 37", status);
}

#define TAKES(what, credential, answered, request)                                                                     \
    do {                                                                                                               \
        const char *taken_from = credential;                                                                           \
        warm(taken_from);                                                                                              \
        door_answer_t taken = request;                                                                                 \
        if (taken.status >= 300)                                                                                       \
            bail(text("%s: %d %s", what, taken.status, taken.text ? taken.text : ""));                                 \
        forgotten(taken_from, answered, what);                                                                         \
    } while (0)

static door_answer_t with_cookie(const char *target, const char *credential, const char *cookie)
{
    door->cookie = cookie;
    door_answer_t answer = post(target, credential, NULL);
    door->cookie = NULL;
    return answer;
}

static door_answer_t reuse(const char *cookie)
{
    const char *own = door_format(door, "%s", cookie);

    with_cookie("/v1/oauth/refresh-token", NULL, own);
    pass(3600);
    with_cookie("/v1/oauth/refresh-token", NULL, own);
    return (door_answer_t){.status = 200};
}

static void test_people(void)
{
    const char *role = role_named("User Viewer"), *roles = text(",\"role_ids\":[\"%s\"]", role);
    person_t one = person_of("one", "USER", roles);

    path = text("/v1/users/%s", person_of("seen", "USER", "").id);
    TAKES("roles of a membership", one.bearer, 403,
          patch(text("/v1/users/%s/memberships/%s", one.id, one.memb), door->key, "{\"role_ids\":[]}"));
    TAKES(
        "... and back", one.bearer, 200,
        patch(text("/v1/users/%s/memberships/%s", one.id, one.memb), door->key, text("{\"role_ids\":[\"%s\"]}", role)));
    TAKES("a further membership", one.bearer, 403,
          post(text("/v1/users/%s/memberships", one.id), door->key, member(door->second_account_id, "USER", "")));
    one = person_of("logout", "USER", roles);
    TAKES("logout", one.bearer, 401, post("/v1/oauth/logout", one.bearer, NULL));
    one = person_of("inactive", "USER", roles);
    TAKES("a user who is made INACTIVE", one.bearer, 401,
          patch(text("/v1/users/%s", one.id), door->key, "{\"status\":\"INACTIVE\"}"));
    const char *boss = person_of("boss", "ADMIN", "").bearer;
    one = person_of("password", "USER", roles);
    TAKES("a new password by an administrator", one.bearer, 401,
          patch(text("/v1/users/%s", one.id), boss, "{\"password\":\"Another1horse\"}"));
    one = person_of("renamed", "USER", roles);
    TAKES("another user name, given by an administrator", one.bearer, 401,
          patch(text("/v1/users/%s", one.id), boss, "{\"username\":\"other@taken.example\"}"));
    one = person_of("sessions", "USER", roles);
    TAKES("all sessions", one.bearer, 401,
          door_call(door, "DELETE", text("/v1/users/%s/sessions", one.id), door->key, NULL));
    one = person_of("session", "USER", roles);
    TAKES("one session", one.bearer, 401,
          door_call(door, "DELETE",
                    text("/v1/users/%s/sessions/%s", one.id,
                         rows(text("SELECT id FROM sessions WHERE user_id = '%s'", one.id))),
                    door->key, NULL));
    one = person_of("revoked", "USER", roles);
    door->settings.access_lifetime = apr_time_from_sec(86400);
    one.bearer = door_login(door, one.address, PASSWORD, &one.cookie);
    TAKES("a refresh token that came twice # security 36", one.bearer, 401, reuse(one.cookie));
    door->settings.access_lifetime = apr_time_from_sec(900);
}

static void test_reset(void)
{
    person_t one = person_of("reset", "ADMIN", "");

    post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", one.address));
    const char *token = door_mailed_token(door, one.address);
    TAKES("a reset password # security 10", one.bearer, 401,
          post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"Another1horse\"}", token)));
}

/* What comes by a role and by a team is everybody's who has it. */
static void test_roles_and_teams(void)
{
    door_answer_t made = post("/v1/roles", door->key, "{\"name\":\"Taken\",\"permissions\":[\"USER.MORTAL.VIEW\"]}");
    const char *child = door_text(&made, "id");
    made = post("/v1/roles", door->key, text("{\"name\":\"Above\",\"child_role_ids\":[\"%s\"]}", child));
    const char *above = door_text(&made, "id");
    made = post("/v1/teams", door->key, "{\"name\":\"Taken\"}");
    const char *team = door_text(&made, "id");
    person_t by_role = person_of("role", "USER", text(",\"role_ids\":[\"%s\"]", above)),
             by_team = person_of("team", "USER", "");

    TAKES("a permission of a role within a role", by_role.bearer, 403,
          patch(text("/v1/roles/%s", child), door->key, "{\"permissions\":[]}"));
    TAKES("... and back", by_role.bearer, 200,
          patch(text("/v1/roles/%s", child), door->key, "{\"permissions\":[\"USER.MORTAL.VIEW\"]}"));
    TAKES("a role that another is taken from", by_role.bearer, 403,
          patch(text("/v1/roles/%s", above), door->key, "{\"child_role_ids\":[]}"));
    TAKES("a team", by_team.bearer, 403,
          post(text("/v1/users/%s/teams", by_team.id), door->key, text("{\"team_id\":\"%s\"}", team)));
    TAKES("... which holds something then", by_team.bearer, 200,
          post(text("/v1/teams/%s/memberships", team), door->key, member(door->account_id, "ADMIN", "")));
}

static void test_keys(void)
{
    door_answer_t made = post("/v1/api-keys", door->key, "{}");
    const char *key = door_text(&made, "api_key"), *own = text("/v1/api-keys/%s", door_text(&made, "id"));

    TAKES("a key that is narrowed", key, 403, patch(own, door->key, "{\"permissions\":[\"ROLE.VIEW\"]}"));
    TAKES("... in another way", key, 200, patch(own, door->key, "{\"permissions\":[\"USER.MORTAL.VIEW\"]}"));
    TAKES("a key that is switched off", key, 401, patch(own, door->key, "{\"status\":\"INACTIVE\"}"));
    patch(own, door->key, "{\"status\":\"ACTIVE\"}");
    is_int(status_of(key), 200, "... and on again");
}

/* ---- what ends by itself ---------------------------------------------------------------------------------------- */

static void test_times(void)
{
    person_t one = person_of("times", "USER", "");
    door_answer_t made = post("/v1/teams", door->key, "{\"name\":\"Times\"}");
    const char *team = door_text(&made, "id");
    apr_time_t start = door->now + apr_time_from_sec(100), end = start + apr_time_from_sec(100);

    post(text("/v1/teams/%s/memberships", team), door->key, member(door->account_id, "ADMIN", ""));
    post(text("/v1/users/%s/teams", one.id), door->key,
         text("{\"team_id\":\"%s\",\"start_at\":\"%s\",\"end_at\":\"%s\"}", team,
              identity_time_format(door->pool, start), identity_time_format(door->pool, end)));
    warm(one.bearer);
    is_int(status_of(one.bearer), 403, "before a team membership begins");
    pass(101);
    is_int(status_of(one.bearer), 200, "when it has begun");
    ok(remembered(one.bearer), "... remembered");
    pass(101);
    is_int(status_of(one.bearer), 403, "when it is over # security 37");
    warm(one.bearer);
    pass(900);
    is_int(status_of(one.bearer), 401, "an access token past its end");
    made = post("/v1/api-keys", door->key,
                text("{\"expires_at\":\"%s\"}", identity_time_format(door->pool, door->now + apr_time_from_sec(100))));
    const char *key = door_text(&made, "api_key");
    warm(key);
    pass(101);
    is_int(status_of(key), 401, "a key past its end # security 55");
}

/* A key's last use is written once a minute, whoever is remembered. */
static void test_last_use(void)
{
    door_answer_t made = post("/v1/api-keys", door->key, "{}");
    const char *key = door_text(&made, "api_key"),
               *used = text("SELECT last_used_at FROM api_keys WHERE id = '%s'", door_text(&made, "id"));

    warm(key);
    long long first = count(used);
    pass(MINUTE / 2);
    warm(key);
    is_int(count(used), first, "not twice in a minute");
    pass(MINUTE);
    ok(!remembered(key), "a minute later one request writes");
    ok(count(used) > first && remembered(key), "... and no other # security 55");
}

/* ---- children, other nodes, faults ------------------------------------------------------------------------------ */

static void test_children(void)
{
    identity_cache_t *first = door->env.cache, *second = door_cache(door, 100);
    person_t one = person_of("children", "ADMIN", "");

    warm(one.bearer);
    door->env.cache = second;
    warm(one.bearer);
    post("/v1/oauth/logout", one.bearer, NULL);
    forgotten(one.bearer, 401, "by the child that ended the session");
    door->env.cache = first;
    forgotten(one.bearer, 401, "by the other child");
}

/* Done by somebody who counts in no revisions of ours: the command line, another node, a child that died right behind
 * COMMIT. */
#define ELSEWHERE(request)                                                                                             \
    do {                                                                                                               \
        identity_env_t present = door->env;                                                                            \
        door->env.revisions = NULL;                                                                                    \
        door->env.cache = NULL;                                                                                        \
        door_answer_t done_there = request;                                                                            \
        door->env = present;                                                                                           \
        if (done_there.status >= 300)                                                                                  \
            bail(text("elsewhere: %d", done_there.status));                                                            \
    } while (0)

static bool follow(void)
{
    door->ticks += apr_time_from_sec(1);
    return identity_poll_changes(door->pool, &door->env);
}

static void test_elsewhere(void)
{
    person_t one = person_of("elsewhere", "ADMIN", ""), other = person_of("beside", "ADMIN", "");
    int differences = door->differences;

    follow();
    warm(one.bearer);
    warm(other.bearer);
    ELSEWHERE(post("/v1/oauth/logout", one.bearer, NULL));
    ok(remembered(one.bearer), "what was done elsewhere is not known at once");
    door->differences = differences;
    unsigned long before = identity_db_statements(door->db);
    ok(follow(), "changes are read");
    is_int((int)(identity_db_statements(door->db) - before), 2, "... with two statements");
    forgotten(one.bearer, 401, "a second later");
    ok(remembered(other.bearer), "... and others are remembered as before");
    ELSEWHERE(patch(text("/v1/users/%s", other.id), door->key, "{\"status\":\"INACTIVE\"}"));
    follow();
    forgotten(other.bearer, 401, "the next one too");
}

/* Another database in the place of this one, a backlog, a long silence: nobody is gone by from memory. */
static void test_begin_anew(void)
{
    person_t one = person_of("anew", "ADMIN", "");

    follow();
    warm(one.bearer);
    change("UPDATE changes SET created_at = created_at + 1 WHERE sequence = (SELECT max(sequence) FROM changes)");
    follow();
    ok(!remembered(one.bearer), "another row under the number of the last");
    warm(one.bearer);
    change("DELETE FROM changes");
    follow();
    ok(!remembered(one.bearer) && count("SELECT COUNT(*) FROM changes") == 1,
       "an empty table, which gets its first row");
    warm(one.bearer);
    follow();
    ok(remembered(one.bearer), "then it goes on from there");
    change("WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 2000) "
           "INSERT INTO changes (kind, subject_id, created_at) SELECT 'user', 'user_x', 1 FROM n");
    follow();
    ok(!remembered(one.bearer), "more rows than are read one by one");
    warm(one.bearer);
    door->ticks += apr_time_from_sec(300);
    follow();
    ok(!remembered(one.bearer), "nothing read for five minutes");
}

static void test_purge(void)
{
    apr_time_t now = door->now;

    door->now = apr_time_now() + apr_time_from_sec(3600);
    for (int i = 0; i < 30 && identity_purge(door->pool, &door->env) > 0; i++)
        ;
    is_int(count("SELECT COUNT(*) FROM changes"), 1, "old changes go, but for the last # security 88");
    door->now = now;
    follow();
    warm(world->key);
    follow();
    ok(remembered(world->key), "... by which others go on");
}

static void test_trust(void)
{
    follow();
    warm(door->key);
    door->ticks += apr_time_from_sec(4);
    ok(remembered(door->key), "changes read 4 s ago will do");
    door->ticks += apr_time_from_sec(2);
    ok(!remembered(door->key) && !remembered(door->key), "after 5 s the database is asked each time");
    follow();
    ok(remembered(door->key), "until they are read again");
    for (int i = 0; i < 301; i++)
        follow();
    ok(!remembered(door->key) && remembered(door->key), "and once in five minutes, whatever is told");
}

static void fault(const char *credential, int status, const char *what)
{
    int differences = door->differences;

    door->refuse_borrow = true;
    identity_request_t in = {.method = "GET", .path = "/v1/users", .headers.authorization = credential, .secure = true};
    identity_authentication_t found;
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &found);
    door->refuse_borrow = false;
    door->differences = differences;
    is_int(found.refused ? identity_problem_status(found.problem.kind) : 200, status, "%s: %d", what, status);
}

/* security 65, 86 */
static void test_database_away(void)
{
    person_t one = person_of("away", "ADMIN", ""), other = person_of("new", "ADMIN", ""),
             gone = person_of("gone", "ADMIN", "");

    follow();
    warm(one.bearer);
    warm(gone.bearer);
    fault(other.bearer, 503, "the database is away: a new one");
    fault(one.bearer, 200, "who is remembered, for the moment");
    door->ticks += apr_time_from_sec(6);
    fault(one.bearer, 503, "IdentityStale 0: then no more");
    door->settings.stale = apr_time_from_sec(3600);
    fault(one.bearer, 200, "IdentityStale 1h: goes on");
    fault(other.bearer, 503, "... but nobody else");
    fault("Bearer nonsense", 401, "... and what is no token stays none");
    identity_revisions_bump(door->env.revisions, gone.id);
    fault(gone.bearer, 503, "... nor who was taken something meanwhile");
    door->ticks += apr_time_from_sec(3600);
    fault(one.bearer, 503, "after that hour no more");
    ok(follow(), "the database is back");
    ok(!remembered(one.bearer) && remembered(one.bearer), "... and all is as before");
    pass(901);
    fault(one.bearer, 401, "an access token past its end is none, database or not");
    door->settings.stale = 0;
}

static void test_current(void)
{
    person_t one = person_of("current", "ADMIN", "");
    identity_request_t in = {.method = "GET", .path = "/v1/users", .headers.authorization = one.bearer, .secure = true};
    identity_authentication_t found;
    identity_cache_t *cache = door->env.cache;

    follow();
    for (int i = 0; i < 2; i++) {
        identity_request_match(door->pool, &in);
        identity_authenticate(door->pool, &door->env, &in, &found);
        ok(identity_principal_current(&door->env, found.principal), "who was just let in is current, %s cache",
           door->env.cache ? "with" : "without");
        door->env.cache = NULL;
    }
    door->env.cache = cache;
    patch(text("/v1/users/%s", one.id), door->key, "{\"status\":\"INACTIVE\"}");
    ok(!identity_principal_current(&door->env, found.principal), "until something is changed");
}

/* The list of who was changed says no more than it must: nothing of who was just made, nothing of what takes nothing.
 */
static void test_list(void)
{
    long long before = count("SELECT COUNT(*) FROM changes");
    person_t one = person_of("listed", "USER", text(",\"role_ids\":[\"%s\"]", role_named("User Viewer")));

    get(path, one.bearer);
    with_cookie("/v1/oauth/refresh-token", NULL, one.cookie);
    login(one.address);
    is_str(rows(text("SELECT kind, subject_id FROM changes WHERE sequence > %ld", (long)before)),
           text("user|%s", one.id), "invited, accepted, signed in, renewed: one line, of the acceptance");
    patch(text("/v1/users/%s", one.id), door->key, "{\"username\":\"\"}");
    is_int(count("SELECT COUNT(*) FROM changes"), before + 1, "nothing of what was refused");
}

int main(void)
{
    serve_begin();
    change("PRAGMA synchronous = OFF");
    world = world_make("memory");
    path = "/v1/users?limit=1";
    door_remember(door, 1000);
    test_statements();
    test_operations();
    test_list();
    test_people();
    test_reset();
    test_roles_and_teams();
    test_keys();
    test_times();
    test_last_use();
    test_children();
    test_elsewhere();
    test_begin_anew();
    test_purge();
    test_trust();
    test_database_away();
    test_current();
    is_int(door->differences, 0, "nobody was ever somebody else than without a cache, %d times from memory",
           door->warm);
    return serve_end();
}
