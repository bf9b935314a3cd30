/* SPDX-License-Identifier: Apache-2.0 */
/* An entity with two accounts and one of everything, and for every row of routes.def a request that can be carried out
 * in it. What goes over the whole table (serve_tenancy.c, serve_matrix.c) takes its requests from here, so a new route
 * is asked as soon as it is there; where it needs more than its pattern says, the tests stop and say so.
 *
 * In paths and bodies $name$ stands for something of the world: see world_token. */
#ifndef IDENTITY_TEST_WORLD_H
#define IDENTITY_TEST_WORLD_H

#include "routes.h"
#include "users/users.h"
#include "serve.h"

typedef struct world {
    const char *label; /* stands in every name of the world and in no other */
    const char *entity, *account, *account2;
    const char *key, *key_id;     /* of an ADMINISTRATOR key */
    const char *admin, *admin_id; /* Bearer of the ADMIN of both accounts */
    const char *second;           /* Bearer of an ADMIN of the second account only */
    const char *user;             /* USER of the first account by memb, with role; in team */
    const char *pending;          /* invited, with a membership */
    const char *role, *child, *team, *memb, *team_memb, *tmem, *apik, *auth, *clnt;
    const char *idle_team;         /* which nobody is in */
    const char *sess, *admin_sess; /* of user, of admin */
    const char *audi;              /* of what was done in the first account */
    const char *invitation;        /* of pending */
    const char *slug;              /* of role */
} world_t;

/* ---- requests --------------------------------------------------------------------------------------------------- */

typedef struct sample {
    const char *route; /* method and pattern */
    int status;        /* of the request made by an administrator */
    const char *path;  /* NULL: the pattern */
    const char *body;
} sample_t;

/* Reads need no row here: 200 from the pattern itself. */
static const sample_t world_samples[] = {
    {"POST /v1/users", 201, NULL, "{\"username\":\"$n$@$label$.example\",\"password\":\"" PASSWORD "\"}"},
    {"POST /v1/users/invite", 200, NULL,
     "{\"username\":\"$n$@$label$.example\",\"account_memberships\":[{\"account_id\":\"$account$\",\"type\":\"USER\"}]"
     "}"},
    {"POST /v1/users/revoke-invite", 200, NULL, "{\"username\":\"$newpending$\"}"},
    {"PATCH /v1/users/{user}", 200, "/v1/users/$newuser$", "{\"status\":\"INACTIVE\"}"},
    {"DELETE /v1/users/{user}", 200, "/v1/users/$newuser$", NULL},
    {"POST /v1/users/{user}/restore", 200, "/v1/users/$newdeleted$/restore", NULL},
    {"POST /v1/users/{user}/link", 201, NULL, "{\"kind\":\"reset\"}"},
    {"POST /v1/users/{user}/memberships", 201, "/v1/users/$newuser$/memberships",
     "{\"account_id\":\"$account$\",\"type\":\"USER\",\"role_ids\":[\"$role$\"]}"},
    {"PATCH /v1/users/{user}/memberships/{memb}", 200, NULL, "{\"role_ids\":[\"$role$\"]}"},
    {"DELETE /v1/users/{user}/memberships/{memb}", 200, "/v1/users/$pending$/memberships/$newmemb$", NULL},
    {"PATCH /v1/users/{user}/teams/{team}", 200, NULL, "{\"end_at\":\"2999-01-01T00:00:00Z\"}"},
    {"DELETE /v1/users/{user}/teams/{team}", 200, "/v1/users/$pending$/teams/$newjoined$", NULL},
    {"POST /v1/users/{user}/teams", 201, "/v1/users/$newuser$/teams", "{\"team_id\":\"$team$\"}"},
    {"DELETE /v1/users/{user}/sessions", 200, "/v1/users/$newuser$/sessions", NULL},
    {"DELETE /v1/users/{user}/sessions/{sess}", 200, "/v1/users/$user$/sessions/$newsess$", NULL},
    {"POST /v1/users/{user}/api-keys", 201, NULL, "{\"description\":\"$label$ key\"}"},
    {"DELETE /v1/users/{user}/api-keys/{apik}", 200, "/v1/users/$user$/api-keys/$newpersonal$", NULL},
    {"POST /v1/teams", 201, NULL, "{\"name\":\"$label$ team $n$\"}"},
    {"PATCH /v1/teams/{team}", 200, "/v1/teams/$newteam$", "{\"name\":\"$label$ renamed $n$\"}"},
    {"DELETE /v1/teams/{team}", 200, "/v1/teams/$newteam$", NULL},
    {"DELETE /v1/teams/{team}/memberships/{memb}", 200, "/v1/teams/$idle_team$/memberships/$newteammemb$", NULL},
    {"POST /v1/teams/{team}/memberships", 201, "/v1/teams/$newteam$/memberships",
     "{\"account_id\":\"$account$\",\"type\":\"USER\"}"},
    {"POST /v1/roles", 200, NULL, "{\"name\":\"$label$ role $n$\"}"},
    {"PATCH /v1/roles/{role}", 200, "/v1/roles/$newrole$", "{\"description\":\"$label$ $n$\"}"},
    {"DELETE /v1/roles/{role}", 200, "/v1/roles/$newrole$", NULL},
    {"POST /v1/api-keys", 201, NULL, "{\"description\":\"$label$ key\"}"},
    {"PATCH /v1/api-keys/{apik}", 200, NULL, "{\"description\":\"$label$ $n$\"}"},
    {"DELETE /v1/api-keys/{apik}", 200, "/v1/api-keys/$newkey$", NULL},
    {"POST /v1/api-keys/search", 200, NULL, "{\"resource_id\":\"$apik$\"}"},
    {"POST /v1/authentication-providers", 201, NULL, "{\"type\":\"DEFAULT\",\"name\":\"$label$ $n$\"}"},
    {"PATCH /v1/authentication-providers/{auth}", 200, NULL, "{\"name\":\"$label$ $n$\"}"},
    {"POST /v1/clients", 201, NULL, "{\"name\":\"$label$ $n$\",\"redirect_uris\":[\"https://$n$.example/cb\"]}"},
    {"PATCH /v1/clients/{clnt}", 200, NULL, "{\"name\":\"$label$ $n$\"}"},
    {"DELETE /v1/clients/{clnt}", 200, "/v1/clients/$newclnt$", NULL},
    {"POST /v1/clients/{clnt}/rotate-secret", 200, NULL, NULL},
    {"POST /v1/invitations", 201, NULL, "{\"email\":\"$n$@$label$.example\",\"roleID\":\"$slug$\"}"},
    {"POST /v1/invitations/{invitation}", 200, "/v1/invitations/$newinvitation$", NULL},
};

static inline const char *world_name_of(const identity_route_t *route)
{
    return text("%s %s", route->method, route->pattern);
}

/* NULL: the pattern says it all. */
static inline const sample_t *world_sample(const identity_route_t *route)
{
    const char *name = world_name_of(route);

    for (size_t i = 0; i < sizeof world_samples / sizeof world_samples[0]; i++)
        if (strcmp(world_samples[i].route, name) == 0)
            return &world_samples[i];
    if (strcmp(route->method, "GET") != 0)
        bail(text("no request for %s is known: add one to world_samples", name));
    return NULL;
}

/* ---- making one ------------------------------------------------------------------------------------------------- */

static inline const char *world_must(const world_t *world, const char *path, const char *body, const char *member)
{
    door_answer_t answer = post(path, world->key, body);
    const char *value = answer.status < 300 ? door_text(&answer, member) : NULL;

    return value ? value : (bail(text("%s %s: %d %s", path, body, answer.status, answer.text)), NULL);
}

static inline const char *world_client(const world_t *world, const char *name)
{
    return world_must(
        world, "/v1/clients",
        text("{\"name\":\"%s %s\",\"redirect_uris\":[\"https://%s.example/cb\"]}", world->label, name, world->label),
        "id");
}

/* A key made as the command line makes one. */
static inline const char *world_key(const char *entity_id, const char *body, const char **id)
{
    serve_body_t given = {body, strlen(body)};
    identity_request_t in = {.method = "POST",
                             .path = "/v1/api-keys",
                             .headers.content_type = "application/json",
                             .has_body = true,
                             .read_body = serve_read,
                             .body_context = &given};
    identity_authentication_t local;
    identity_response_t out;
    door_answer_t answer = {.status = 0};

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_authenticate_local(door->pool, entity_id, &local);
    identity_request_match(door->pool, &in);
    identity_serve(door->pool, &door->env, &in, &local, &out);
    answer.json = identity_json_own(door->pool, json_loadb(out.body, out.length, JSON_DECODE_ANY, NULL));
    if (id)
        *id = door_text(&answer, "id");
    const char *key = door_text(&answer, "api_key");
    return key ? key : (bail(text("no key: %s", out.body)), NULL);
}

static inline const char *world_person(const world_t *world, const char *name, const char *memberships,
                                       const char *teams)
{
    const char *address = text("%s@%s.example", name, world->label);

    world_must(world, "/v1/users/invite",
               text("{\"username\":\"%s\",\"account_memberships\":[%s],\"team_memberships\":[%s]}", address,
                    memberships, teams),
               "username");
    return accept_mailed(address);
}

static inline const char *world_team(const world_t *world, const char *name)
{
    return world_must(world, "/v1/teams", text("{\"name\":\"%s %s\"}", world->label, name), "id");
}

static inline const char *world_account(const world_t *world, const char *reference)
{
    identity_account_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (!identity_account_add(door->pool, &door->env, world->entity, text("%s-%s", world->label, reference), "LIVE",
                              NULL, NULL, &row, &problem))
        bail("no account could be made");
    return row->id;
}

static inline const char *world_invitation_of(const char *user)
{
    return rows(text("SELECT id FROM invitations WHERE user_id = '%s'", user));
}

static inline const char *world_new_session(const world_t *world)
{
    login(text("user@%s.example", world->label));
    return rows(text("SELECT max(id) FROM sessions WHERE user_id = '%s'", world->user));
}

static inline void world_people(world_t *world)
{
    const char *roles = text(",\"role_ids\":[\"%s\"]", world->role);

    world->admin_id = world_person(
        world, "admin", text("%s,%s", member(world->account, "ADMIN", ""), member(world->account2, "ADMIN", "")), "");
    world->admin = login(text("admin@%s.example", world->label));
    world_person(world, "second", member(world->account2, "ADMIN", ""), "");
    world->second = login(text("second@%s.example", world->label));
    world->user =
        world_person(world, "user", member(world->account, "USER", roles), text("{\"team_id\":\"%s\"}", world->team));
    world_must(world, "/v1/users/invite",
               text("{\"username\":\"pending@%s.example\",\"account_memberships\":[%s]}", world->label,
                    member(world->account, "USER", roles)),
               "username");
    world->pending = rows(text("SELECT id FROM users WHERE canonical = 'pending@%s.example'", world->label));
    world->invitation = world_invitation_of(world->pending);
    world->memb = rows(text("SELECT id FROM memberships WHERE user_id = '%s'", world->user));
    world->team_memb = rows(text("SELECT id FROM memberships WHERE team_id = '%s'", world->team));
    world->tmem = rows(text("SELECT id FROM team_members WHERE user_id = '%s'", world->user));
    world->sess = world_new_session(world);
    world->admin_sess = rows(text("SELECT max(id) FROM sessions WHERE user_id = '%s'", world->admin_id));
}

static inline world_t *world_make(const char *label)
{
    static const unsigned char escrow[32] = {1};
    world_t *world = apr_pcalloc(door->pool, sizeof *world);
    identity_entity_row_t *entity;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    world->label = label;
    door->settings.key_escrow = escrow;
    if (!identity_entity_add(door->pool, &door->env, label, label, &entity, &problem))
        bail("no entity could be made");
    world->entity = entity->id;
    world->account = world_account(world, "first");
    world->account2 = world_account(world, "second");
    world->key = world_key(world->entity, "{}", &world->key_id);
    world->child = world_must(world, "/v1/roles",
                              text("{\"name\":\"%s child\",\"permissions\":[\"USER.MORTAL.VIEW\"]}", label), "id");
    world->role = world_must(world, "/v1/roles",
                             text("{\"name\":\"%s parent\",\"child_role_ids\":[\"%s\"]}", label, world->child), "id");
    world->slug = rows(text("SELECT slug FROM roles WHERE id = '%s'", world->role));
    world->team = world_team(world, "team");
    world->idle_team = world_team(world, "idle team");
    world_must(world, text("/v1/teams/%s/memberships", world->team),
               member(world->account, "USER", text(",\"role_ids\":[\"%s\"]", world->role)), "0.id");
    world->apik = world_must(world, "/v1/api-keys", text("{\"description\":\"%s key\"}", label), "id");
    world->auth = world_must(world, "/v1/authentication-providers",
                             text("{\"type\":\"DEFAULT\",\"name\":\"%s provider\"}", label), "id");
    world->clnt = world_client(world, "client");
    world_people(world);
    world->audi = rows(
        text("SELECT id FROM audit_records WHERE entity_id = '%s' AND target_platform_id = '%s' ORDER BY id LIMIT 1",
             world->entity, world->account));
    return world;
}

/* ---- $name$ ----------------------------------------------------------------------------------------------------- */

static inline const char *world_new_user(const world_t *world, int number)
{
    return world_must(world, "/v1/users",
                      text("{\"username\":\"new%d@%s.example\",\"password\":\"" PASSWORD "\"}", number, world->label),
                      "id");
}

/* A membership of the owner in the second account: the one before it ends. */
static inline const char *world_new_membership(const world_t *world, const char *column, const char *owner)
{
    const char *present = rows(text("SELECT id FROM memberships WHERE %s = '%s' AND account_id = '%s'", column, owner,
                                    world->account2)),
               *path = text("/v1/%s/%s/memberships", strcmp(column, "user_id") == 0 ? "users" : "teams", owner);

    if (*present)
        return present;
    world_must(world, path, member(world->account2, "USER", text(",\"role_ids\":[\"%s\"]", world->role)), "0.id");
    return rows(
        text("SELECT id FROM memberships WHERE %s = '%s' AND account_id = '%s'", column, owner, world->account2));
}

/* A team that the pending person is in. */
static inline const char *world_new_joined(const world_t *world, int number)
{
    const char *team = world_team(world, text("joined %d", number));

    world_must(world, text("/v1/users/%s/teams", world->pending), text("{\"team_id\":\"%s\"}", team), "0.team_id");
    return team;
}

static inline const char *world_new_pending(const world_t *world, int number)
{
    return world_must(world, "/v1/users/invite",
                      text("{\"username\":\"newpending%d@%s.example\"}", number, world->label), "username");
}

/* Something fresh, or NULL. */
static inline const char *world_fresh(const world_t *world, const char *name, int number)
{
    if (strcmp(name, "n") == 0)
        return text("n%d", number);
    if (strcmp(name, "newuser") == 0)
        return world_new_user(world, number);
    if (strcmp(name, "newdeleted") == 0) {
        const char *id = world_new_user(world, number);
        door_answer_t answer = door_call(door, "DELETE", text("/v1/users/%s", id), world->key, NULL);
        return answer.status == 200 ? id : (bail(answer.text), NULL);
    }
    if (strcmp(name, "newpending") == 0)
        return world_new_pending(world, number);
    if (strcmp(name, "newinvitation") == 0)
        return world_invitation_of(
            rows(text("SELECT id FROM users WHERE username = '%s'", world_new_pending(world, number))));
    if (strcmp(name, "newrole") == 0)
        return world_must(world, "/v1/roles", text("{\"name\":\"%s new %d\"}", world->label, number), "id");
    if (strcmp(name, "newteam") == 0)
        return world_team(world, text("new %d", number));
    if (strcmp(name, "newmemb") == 0)
        return world_new_membership(world, "user_id", world->pending);
    if (strcmp(name, "newteammemb") == 0)
        return world_new_membership(world, "team_id", world->idle_team);
    if (strcmp(name, "newjoined") == 0)
        return world_new_joined(world, number);
    if (strcmp(name, "newsess") == 0)
        return world_new_session(world);
    if (strcmp(name, "newkey") == 0)
        return world_must(world, "/v1/api-keys", "{}", "id");
    if (strcmp(name, "newclnt") == 0)
        return world_client(world, text("new %d", number));
    if (strcmp(name, "newpersonal") == 0)
        return world_must(world, text("/v1/users/%s/api-keys", world->user), "{}", "id");
    return NULL;
}

/* Members of the world by their name; $n$ is a number and $new...$ something fresh, another one each time. */
static inline const char *world_token(const world_t *world, const char *name)
{
    static int number;
    const struct {
        const char *name, *value;
    } members[] = {{"label", world->label},
                   {"entity", world->entity},
                   {"account", world->account},
                   {"user", world->user},
                   {"account2", world->account2},
                   {"pending", world->pending},
                   {"role", world->role},
                   {"admin", world->admin_id},
                   {"child", world->child},
                   {"team", world->team},
                   {"memb", world->memb},
                   {"team_memb", world->team_memb},
                   {"tmem", world->tmem},
                   {"apik", world->apik},
                   {"key", world->key_id},
                   {"auth", world->auth},
                   {"clnt", world->clnt},
                   {"sess", world->sess},
                   {"audi", world->audi},
                   {"slug", world->slug},
                   {"invitation", world->invitation},
                   {"idle_team", world->idle_team},
                   {"permission", "SITE.PERMISSION"}};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(members[i].name, name) == 0)
            return members[i].value;
    const char *fresh = world_fresh(world, name, ++number);
    return fresh ? fresh : (bail(text("$%s$ is nothing of a world", name)), NULL);
}

static inline const char *world_text(const world_t *world, const char *template)
{
    const char *made = "", *open;

    while ((open = strchr(template, '$'))) {
        size_t length = strcspn(open + 1, "$");
        made = text("%s%.*s%s", made, (int)(open - template), template,
                    world_token(world, text("%.*s", (int)length, open + 1)));
        template = open + length + 2;
    }
    return text("%s%s", made, template);
}

/* The pattern with the world's ids; value stands for the one in braces that is called name (or NULL). */
static inline const char *world_pattern(const world_t *world, const identity_route_t *route, const char *name,
                                        const char *value)
{
    const char *made = "", *from = route->pattern, *open;

    while ((open = strchr(from, '{'))) {
        const char *token = text("%.*s", (int)strcspn(open + 1, "}"), open + 1);
        made = text("%s%.*s%s", made, (int)(open - from), from,
                    name && strcmp(name, token) == 0 ? value : world_token(world, token));
        from = strchr(open, '}') + 1;
    }
    return text("%s%s", made, from);
}

typedef struct world_request {
    const char *path, *body;
    const char *platform; /* the account it acts on, or NULL */
    int status;
} world_request_t;

static inline world_request_t world_request(const world_t *world, const identity_route_t *route)
{
    const sample_t *sample = world_sample(route);
    world_request_t request = {.status = sample ? sample->status : 200};

    request.path = sample && sample->path ? world_text(world, sample->path) : world_pattern(world, route, NULL, NULL);
    request.body = sample && sample->body ? world_text(world, sample->body) : NULL;
    if (strcmp(world_name_of(route), "POST /v1/invitations") == 0) /* of which account the body does not say */
        request.platform = world->account;
    return request;
}

static inline door_answer_t world_ask(const identity_route_t *route, const world_request_t *request,
                                      const char *credential)
{
    door->platform_id = request->platform;
    door_answer_t answer = door_call(door, route->method, request->path, credential, request->body);
    door->platform_id = NULL;
    return answer;
}

#endif
