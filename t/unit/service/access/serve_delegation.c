/* SPDX-License-Identifier: Apache-2.0 */
/* Who may give, take and act on whom: a table of callers, acts and targets. What is expected comes from the rule as the
 * contract states it ("Giving and taking"), said once more below in a few lines of its own; nothing of the service's
 * own judgement is asked.
 *
 * Two accounts, the first and the second. Permissions are reduced to those that matter here. */
#include "serve_world.h"

enum { UPDATE = 1, VIEW = 2, CREATE = 4, ROLES = 8, QUOTE = 16, SITE = 32, ALL = 64 };

static const struct {
    unsigned bit;
    const char *name;
} names[] = {{UPDATE, "USER.MORTAL.UPDATE"}, {VIEW, "USER.MORTAL.VIEW"}, {CREATE, "USER.MORTAL.CREATE"},
             {ROLES, "ROLE.UPDATE"},         {QUOTE, "QUOTE.VIEW"},      {SITE, "SITE.ONE"}};

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* ---- the catalogue ---------------------------------------------------------------------------------------------- */

typedef enum { CLASS_VIEW = 1, CLASS_WRITE = 2, CLASS_ADMIN = 4, CLASS_SITE = 8 } class_t;

static const struct {
    const char *family, *name;
    class_t class;
} catalogue[] = {
#define PERMISSION(family, name, class) {#family, name, CLASS_##class},
#include "src/core/permissions.def"
#undef PERMISSION
};

static const struct {
    const char *name, *family;
    unsigned classes;
} builtin[] = {
#define BUILTIN(number, name, slug, description) {name, NULL, strcmp(slug, "full-access") == 0 ? 15 : CLASS_VIEW},
#define FAMILY(family, number, words, slug)                                                                            \
    {words " Viewer", #family, CLASS_VIEW}, {words " Contributor", #family, CLASS_VIEW | CLASS_WRITE},                 \
        {words " Administrator", #family, CLASS_VIEW | CLASS_WRITE | CLASS_ADMIN},
#include "src/core/roles.def"
#undef FAMILY
#undef BUILTIN
};

static unsigned bits_of_builtin(int role)
{
    unsigned bits = builtin[role].classes == 15 && !builtin[role].family ? ALL : 0;

    for (int n = 0; n < COUNT(names); n++)
        for (int i = 0; i < COUNT(catalogue); i++)
            if (strcmp(catalogue[i].name, names[n].name) == 0 && (catalogue[i].class & builtin[role].classes) &&
                (!builtin[role].family || strcmp(builtin[role].family, catalogue[i].family) == 0))
                bits |= names[n].bit;
    return bits;
}

/* ---- the rule --------------------------------------------------------------------------------------------------- */

/* What is given in one account; nothing: there is a role in it that grants nothing. */
typedef struct grant {
    bool given, nothing;
    unsigned bits;
} grant_t;

typedef struct thing {
    const char *name;
    grant_t in[2];
    bool empty_team; /* ... which it is, or is in */
    const char *id;
} thing_t;

typedef struct caller {
    const char *name, *id;
    bool key, member[2], partner[2];
    unsigned in[2];            /* of a key: in each account */
    bool has_void, in_nothing; /* has the role that grants nothing in the first account; is in the team without any */
    identity_authentication_t authentication;
} caller_t;

static bool holds(const caller_t *principal, int account, unsigned bits)
{
    return (principal->key || principal->member[account]) &&
           ((principal->in[account] & ALL) || (principal->in[account] & bits) == bits);
}

static bool everything(const caller_t *principal)
{
    return !principal->partner[0] && !principal->partner[1] && holds(principal, 0, ALL) && holds(principal, 1, ALL);
}

/* Without x-platform-id what is common to all accounts holds. */
static bool permitted(const caller_t *principal, unsigned bit)
{
    bool some = principal->key || principal->member[0] || principal->member[1];
    return some && (!principal->member[0] || holds(principal, 0, bit)) &&
           (!principal->member[1] || holds(principal, 1, bit)) && (!principal->key || holds(principal, 0, bit));
}

static bool holds_all(const caller_t *principal, unsigned permission, const thing_t *thing)
{
    bool all = true;

    for (int a = 0; a < 2; a++)
        if (thing->in[a].given)
            all = all && holds(principal, a, permission | thing->in[a].bits) && !principal->partner[a];
    return all;
}

static bool may_move(const caller_t *principal, unsigned permission, const thing_t *thing)
{
    bool nothing = thing->empty_team || thing->in[0].nothing || thing->in[1].nothing;
    return permitted(principal, permission) && holds_all(principal, permission, thing) &&
           (!nothing || everything(principal));
}

static bool may_act_on(const caller_t *principal, unsigned permission, const thing_t *person)
{
    bool in_none = !person->in[0].given && !person->in[1].given;
    bool lacks = (person->empty_team && !principal->in_nothing) || (person->in[0].nothing && !principal->has_void);

    return permitted(principal, permission) && holds_all(principal, permission, person) &&
           ((!in_none && !lacks) || everything(principal));
}

static bool sees_others(const caller_t *principal)
{
    return !principal->partner[0] && !principal->partner[1];
}

/* ---- what there is ---------------------------------------------------------------------------------------------- */

/* By these names in the requests: roles, teams, people. */
static thing_t roles[] = {
    {.name = "a role to view", .in[0] = {true, false, VIEW}},
    {.name = "a role of a site's own permission", .in[0] = {true, false, SITE}},
    {.name = "a role of quotes", .in[0] = {true, false, QUOTE}},
    {.name = "full access", .in[0] = {true, false, ALL}},
    {.name = "a role without permissions", .in[0] = {true, true, 0}},
    {.name = "a role with one without permissions in it", .in[0] = {true, true, VIEW}},
    {.name = "a role whose child alone grants", .in[0] = {true, false, VIEW}},
};

static thing_t teams[] = {
    {.name = "a team without memberships", .empty_team = true},
    {.name = "a team that views in the first", .in[0] = {true, false, VIEW}},
    {.name = "a team that views in the second", .in[1] = {true, false, VIEW}},
    {.name = "a team that views in both", .in = {{true, false, VIEW}, {true, false, VIEW}}},
    {.name = "a team of administrators", .in[0] = {true, false, ALL}},
    {.name = "a team with a role that grants nothing", .in[0] = {true, true, 0}},
    {.name = "a team that is in the first", .in[0] = {true, false, 0}},
};

static thing_t people[] = {
    {.name = "somebody in the first account", .in[0] = {true, false, VIEW}},
    {.name = "somebody in the second account", .in[1] = {true, false, VIEW}},
    {.name = "somebody in both", .in = {{true, false, VIEW}, {true, false, VIEW}}},
    {.name = "somebody in none", .in = {{false}}},
    {.name = "somebody in the first without a role", .in[0] = {true, false, 0}},
    {.name = "an administrator of the first", .in[0] = {true, false, ALL}},
    {.name = "somebody with a role that grants nothing", .in[0] = {true, true, 0}},
    {.name = "somebody of a team without memberships", .empty_team = true},
    {.name = "... who is in the first account, too", .in[0] = {true, false, VIEW}, .empty_team = true},
    {.name = "somebody by a team that begins tomorrow", .in[0] = {true, false, ALL}},
    {.name = "somebody by a team that was over yesterday", .in = {{false}}},
};

static const char *account(int number)
{
    return number ? door->second_account_id : door->account_id;
}

static int made;

static const char *make_user(void)
{
    const char *id = text("user_%020d", ++made);

    change(text("INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, "
                "updated_at, version) VALUES ('%s', '%s', 'p%d@example.org', 'p%d@example.org', 'example.org', "
                "'ACTIVE', 1, %" APR_TIME_T_FMT ", 1, 1)",
                id, door->entity_id, made, made, door->now));
    return id;
}

/* column: user_id or team_id. roles: up to two ids. */
static const char *make_membership(const char *column, const char *owner, int in, const char *type, const char *role,
                                   const char *second)
{
    const char *id = text("memb_%020d", ++made);

    change(text("INSERT INTO memberships (id, entity_id, %s, account_id, type, created_at) VALUES ('%s', '%s', '%s', "
                "'%s', '%s', 1)",
                column, id, door->entity_id, owner, account(in), type));
    if (role)
        change(text("INSERT INTO membership_roles VALUES ('%s', 0, '%s')", id, role));
    if (second)
        change(text("INSERT INTO membership_roles VALUES ('%s', 1, '%s')", id, second));
    return id;
}

static void join(const char *user, const char *team, apr_time_t start, apr_time_t end)
{
    change(text("INSERT INTO team_members (id, entity_id, team_id, user_id, start_at, end_at, created_at) VALUES "
                "('tmem_%020d', '%s', '%s', '%s', %" APR_TIME_T_FMT ", %" APR_TIME_T_FMT ", 1)",
                ++made, door->entity_id, team, user, start, end));
}

static const char *make_role(const char *name, const char *fields)
{
    door_answer_t answer = post("/v1/roles", door->key, text("{\"name\":\"%s\"%s}", name, fields));
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

#define TOMORROW (door->now + apr_time_from_sec(86400))

static void make_things(void)
{
    const char *inner;

    roles[0].id = make_role("To View", ",\"permissions\":[\"USER.MORTAL.VIEW\"]");
    roles[1].id = make_role("Site", ",\"permissions\":[\"SITE.ONE\"]");
    roles[2].id = make_role("Quotes", ",\"permissions\":[\"QUOTE.VIEW\"]");
    roles[3].id = role_named("Administrator");
    roles[4].id = make_role("Void", "");
    roles[5].id =
        make_role("Wrap", text(",\"permissions\":[\"USER.MORTAL.VIEW\"],\"child_role_ids\":[\"%s\"]", roles[4].id));
    inner = text(",\"child_role_ids\":[\"%s\"]", roles[0].id);
    roles[6].id = make_role("By Child", inner);
    for (int i = 0; i < COUNT(teams); i++) {
        teams[i].id = serve_team(teams[i].name);
        for (int a = 0; a < 2; a++)
            if (teams[i].in[a].given)
                make_membership("team_id", teams[i].id, a, teams[i].in[a].bits == ALL ? "ADMIN" : "USER",
                                teams[i].in[a].nothing       ? roles[4].id
                                : teams[i].in[a].bits & VIEW ? roles[0].id
                                                             : NULL,
                                NULL);
    }
    for (int i = 0; i < COUNT(people); i++) {
        people[i].id = make_user();
        for (int a = 0; a < 2 && i < 9; a++)
            if (people[i].in[a].given)
                make_membership("user_id", people[i].id, a, people[i].in[a].bits == ALL ? "ADMIN" : "USER",
                                people[i].in[a].nothing       ? roles[4].id
                                : people[i].in[a].bits & VIEW ? roles[0].id
                                                              : NULL,
                                NULL);
        if (people[i].empty_team)
            join(people[i].id, teams[0].id, 1, 0);
    }
    join(people[9].id, teams[4].id, TOMORROW, 0);
    join(people[10].id, teams[4].id, 1, door->now - 1);
}

/* ---- callers ---------------------------------------------------------------------------------------------------- */

static void authenticate(caller_t *principal, const char *credential)
{
    identity_request_t in = {.method = "GET", .path = "/v1/users", .secure = true};

    if (strncmp(credential, "Bearer ", 7) == 0)
        in.headers.authorization = credential;
    else
        in.headers.api_key = credential;
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &principal->authentication);
    if (!principal->authentication.principal)
        bail(text("%s is nobody", principal->name));
}

/* Once all it holds is written. */
static void sign_in(caller_t *principal)
{
    const char *session = text("sess_%020d", ++made);
    identity_claims_t claims = {.issuer = door->settings.public_url,
                                .audience = door->settings.public_url,
                                .client_id = "identity",
                                .jwt_id = text("tokn_%020d", made),
                                .subject = principal->id,
                                .session_id = session,
                                .entity_id = door->entity_id,
                                .issued_at = door->now,
                                .expires_at = door->now + apr_time_from_sec(600)};

    change(text("INSERT INTO sessions (id, entity_id, user_id, method, client_address, user_agent, created_at, "
                "authenticated_at, idle_expires_at, expires_at) VALUES ('%s', '%s', '%s', 'password', '', '', 1, 1, "
                "%" APR_TIME_T_FMT ", %" APR_TIME_T_FMT ")",
                session, door->entity_id, principal->id, TOMORROW, TOMORROW));
    authenticate(principal, text("Bearer %s", identity_jwt_sign(door->pool, door->env.keys, &claims)));
}

static caller_t person(const char *name)
{
    return (caller_t){.name = name, .id = make_user()};
}

static void member_of(caller_t *principal, int in, const char *type, const char *role, const char *second,
                      unsigned bits)
{
    principal->member[in] = true;
    principal->partner[in] = strcmp(type, "PARTNER") == 0;
    principal->in[in] |= strcmp(type, "ADMIN") == 0 ? ALL : bits;
    make_membership("user_id", principal->id, in, type, role, second);
}

static caller_t key(const char *name, const char *body, unsigned bits)
{
    door_answer_t answer = post("/v1/api-keys", door->key, body);
    caller_t principal = {.name = name, .key = true, .in = {bits, bits}};

    principal.id = door_text(&answer, "id");
    authenticate(&principal, door_text(&answer, "api_key"));
    return principal;
}

/* ---- acts ------------------------------------------------------------------------------------------------------- */

static int ask(const caller_t *principal, const char *method, const char *path, const char *body)
{
    serve_body_t given = {body, body ? strlen(body) : 0};
    identity_request_t in = {.method = method,
                             .path = path,
                             .headers.authorization = principal->key ? NULL : "Bearer x",
                             .headers.content_type = body ? "application/json" : NULL,
                             .secure = true,
                             .has_body = body != NULL,
                             .read_body = body ? serve_read : NULL,
                             .body_context = &given};
    identity_response_t out;

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_serve(door->pool, &door->env, &in, &principal->authentication, &out);
    return out.status;
}

/* Takes back what was done. */
static void undo(int status, const char *sql)
{
    if (status < 300)
        change(sql);
}

/* "" where it came as it has to: done, or 403 (404 of who sees nobody), and nothing else. */
static const char *fault(const char *target, int status, bool may, bool seen)
{
    bool fits = may && seen ? status / 100 == 2 : status == 403 || (!seen && status == 404);
    return fits ? "" : text(" [%s: %d, %s]", target, status, may ? "may" : "may not");
}

typedef const char *act_t(const caller_t *principal);

static const char *someone, *someones; /* USER of the first account, and its membership */

static const char *gives_roles(const caller_t *principal)
{
    const char *faults = "", *path = text("/v1/users/%s/memberships/%s", someone, someones);

    for (int i = 0; i < COUNT(roles); i++) {
        int status = ask(principal, "PATCH", path, text("{\"role_ids\":[\"%s\"]}", roles[i].id));
        faults = text("%s%s", faults,
                      fault(roles[i].name, status, may_move(principal, UPDATE, &roles[i]), sees_others(principal)));
        undo(status, text("DELETE FROM membership_roles WHERE membership_id = '%s'", someones));
    }
    return faults;
}

static const char *takes_roles(const caller_t *principal)
{
    const char *faults = "", *path = text("/v1/users/%s/memberships/%s", someone, someones);

    for (int i = 0; i < COUNT(roles); i++) {
        change(text("INSERT INTO membership_roles VALUES ('%s', 0, '%s')", someones, roles[i].id));
        int status = ask(principal, "PATCH", path, "{\"role_ids\":[]}");
        faults = text("%s%s", faults,
                      fault(roles[i].name, status, may_move(principal, UPDATE, &roles[i]), sees_others(principal)));
        change(text("DELETE FROM membership_roles WHERE membership_id = '%s'", someones));
    }
    return faults;
}

static const char *gives_memberships(const caller_t *principal)
{
    const char *faults = "", *path = text("/v1/users/%s/memberships", people[3].id);

    for (int i = 0; i < 2 * COUNT(roles); i++) {
        int a = i % 2;
        thing_t thing = {.name = NULL};
        thing.in[a] = roles[i / 2].in[0];
        int status =
            ask(principal, "POST", path, member(account(a), "USER", text(",\"role_ids\":[\"%s\"]", roles[i / 2].id)));
        faults = text("%s%s", faults,
                      fault(text("%s in account %d", roles[i / 2].name, a + 1), status,
                            may_move(principal, UPDATE, &thing), sees_others(principal)));
        undo(status, text("DELETE FROM memberships WHERE user_id = '%s'", people[3].id));
    }
    return faults;
}

static const char *invites(const caller_t *principal)
{
    const char *faults = "";

    for (int i = 0; i < COUNT(roles) + COUNT(teams); i++) {
        bool team = i >= COUNT(roles);
        const thing_t *thing = team ? &teams[i - COUNT(roles)] : &roles[i];
        const char *body = team ? text("\"team_memberships\":[{\"team_id\":\"%s\"}]", thing->id)
                                : text("\"account_memberships\":[%s]",
                                       member(account(0), "USER", text(",\"role_ids\":[\"%s\"]", thing->id)));
        int status = ask(principal, "POST", "/v1/users/invite", text("{\"username\":\"guest@example.org\",%s}", body));
        faults = text("%s%s", faults, fault(thing->name, status, may_move(principal, CREATE, thing), true));
        undo(status, "DELETE FROM users WHERE canonical = 'guest@example.org'");
    }
    return faults;
}

static const char *joins(const caller_t *principal)
{
    const char *faults = "", *path = text("/v1/users/%s/teams", someone);

    for (int i = 0; i < COUNT(teams); i++) {
        int status = ask(principal, "POST", path, text("{\"team_id\":\"%s\"}", teams[i].id));
        faults = text("%s%s", faults,
                      fault(teams[i].name, status, may_move(principal, UPDATE, &teams[i]), sees_others(principal)));
        undo(status, text("DELETE FROM team_members WHERE user_id = '%s'", someone));
    }
    return faults;
}

/* To a team that nobody is in yet. */
static const char *gives_to_a_team(const caller_t *principal)
{
    const char *faults = "", *team = serve_team("New"), *path = text("/v1/teams/%s/memberships", team);

    for (int i = 0; i < COUNT(roles); i++) {
        int status =
            ask(principal, "POST", path, member(account(0), "USER", text(",\"role_ids\":[\"%s\"]", roles[i].id)));
        faults = text("%s%s", faults, fault(roles[i].name, status, may_move(principal, ROLES, &roles[i]), true));
        undo(status, text("DELETE FROM memberships WHERE team_id = '%s'", team));
    }
    return faults;
}

static const char *acts_on(const caller_t *principal, unsigned permission, const char *method, const char *suffix,
                           const char *body)
{
    const char *faults = "";

    for (int i = 0; i < COUNT(people); i++) {
        /* A name that was set is held until the next one is. */
        const char *sent =
            body && strstr(body, "username") ? text("{\"username\":\"new%d@example.org\"}", ++made) : body;
        int status = ask(principal, method, text("/v1/users/%s%s", people[i].id, suffix), sent);
        faults =
            text("%s%s", faults,
                 fault(people[i].name, status, may_act_on(principal, permission, &people[i]), sees_others(principal)));
        if (strcmp(method, "PATCH") == 0)
            undo(status, text("UPDATE users SET status = 'ACTIVE', active = 1, password_hash = NULL, username = id || "
                              "'@example.org', canonical = id || '@example.org' WHERE id = '%s'",
                              people[i].id));
    }
    return faults;
}

static const char *resets_passwords(const caller_t *principal)
{
    return principal->key ? "" : acts_on(principal, UPDATE, "PATCH", "", "{\"password\":\"" PASSWORD "\"}");
}

static const char *renames(const caller_t *principal)
{
    return principal->key ? "" : acts_on(principal, UPDATE, "PATCH", "", "{\"username\":\"renamed@example.org\"}");
}

static const char *deactivates(const caller_t *principal)
{
    return acts_on(principal, UPDATE, "PATCH", "", "{\"status\":\"INACTIVE\"}");
}

static const char *lists_sessions(const caller_t *principal)
{
    return acts_on(principal, VIEW, "GET", "/sessions", NULL);
}

static const char *ends_sessions(const caller_t *principal)
{
    return acts_on(principal, UPDATE, "DELETE", "/sessions", NULL);
}

static const struct {
    const char *number, *name;
    act_t *act;
} acts[] = {{"A3", "gives a role # security 62", gives_roles},
            {"A3", "takes a role # security 62", takes_roles},
            {"A3", "gives a membership # security 62", gives_memberships},
            {"A3", "invites to roles and teams # security 25", invites},
            {"A3", "lets somebody join a team # security 62", joins},
            {"A3", "gives a membership to a team # security 62", gives_to_a_team},
            {"A3", "sets a password # security 62", resets_passwords},
            {"A3", "renames somebody # security 62", renames},
            {"A3", "deactivates somebody # security 62", deactivates},
            {"A17", "lists somebody's sessions # security 62", lists_sessions},
            {"A3", "ends somebody's sessions # security 62", ends_sessions}};

static void test_caller(const caller_t *principal)
{
    apr_pool_t *kept = door->pool, *pool;

    for (int i = 0; i < COUNT(acts); i++) {
        apr_pool_create(&pool, kept);
        door->pool = pool;
        is_str(acts[i].act(principal), "", "%s: %s %s", acts[i].number, principal->name, acts[i].name);
        door->pool = kept;
        apr_pool_destroy(pool);
    }
}

/* ---- the callers ------------------------------------------------------------------------------------------------ */

static void test_builtin_roles(void)
{
    is_int(COUNT(builtin), identity_builtin_role_count(), "A3: each built-in role is asked");
    for (int i = 0; i < COUNT(builtin); i++) {
        caller_t principal = person(text("USER with %s", builtin[i].name));
        member_of(&principal, 0, "USER", role_named(builtin[i].name), NULL, bits_of_builtin(i));
        sign_in(&principal);
        test_caller(&principal);
    }
}

static void test_members(void)
{
    static const struct {
        const char *name, *types[2], *role[2];
    } cases[] = {{"USER without a role", {"USER", NULL}, {NULL, NULL}},
                 {"ADMIN of the first account", {"ADMIN", NULL}, {NULL, NULL}},
                 {"ADMIN of the second account", {NULL, "ADMIN"}, {NULL, NULL}},
                 {"ADMIN of both", {"ADMIN", "ADMIN"}, {NULL, NULL}},
                 {"ADMIN of one, USER of the other", {"ADMIN", "USER"}, {NULL, NULL}},
                 {"Administrator in both", {"USER", "USER"}, {"Administrator", "Administrator"}},
                 {"ADMIN here, Administrator there", {"ADMIN", "USER"}, {NULL, "Administrator"}},
                 {"User Administrator in the second", {NULL, "USER"}, {NULL, "User Administrator"}},
                 {"User Administrator in both", {"USER", "USER"}, {"User Administrator", "User Administrator"}},
                 {"User Administrator here, Viewer there", {"USER", "USER"}, {"User Administrator", "User Viewer"}},
                 {"PARTNER with User Administrator", {"PARTNER", NULL}, {"User Administrator", NULL}},
                 {"PARTNER with Administrator in both", {"PARTNER", "PARTNER"}, {"Administrator", "Administrator"}},
                 {"PARTNER here, ADMIN there", {"PARTNER", "ADMIN"}, {"Administrator", NULL}}};

    for (int i = 0; i < COUNT(cases); i++) {
        caller_t principal = person(cases[i].name);
        for (int a = 0; a < 2; a++) {
            unsigned bits = 0;
            for (int b = 0; cases[i].role[a] && b < COUNT(builtin); b++)
                if (strcmp(builtin[b].name, cases[i].role[a]) == 0)
                    bits = bits_of_builtin(b);
            if (cases[i].types[a])
                member_of(&principal, a, cases[i].types[a], cases[i].role[a] ? role_named(cases[i].role[a]) : NULL,
                          NULL, bits);
        }
        sign_in(&principal);
        test_caller(&principal);
    }
}

/* A User Administrator of the first account whom something more makes an administrator of both, for a time. */
static void test_windows(void)
{
    const char *team = serve_team("Administrators of both"), *role = role_named("User Administrator");
    const struct {
        const char *name;
        apr_time_t start, end;
        bool open;
    } cases[] = {{"in a team of administrators", 1, 0, true},
                 {"in a team of administrators until tomorrow", 1, TOMORROW, true},
                 {"in a team of administrators until a moment ago", 1, door->now - 1, false},
                 {"in a team of administrators from tomorrow on", TOMORROW, 0, false}};

    make_membership("team_id", team, 0, "ADMIN", NULL, NULL);
    make_membership("team_id", team, 1, "ADMIN", NULL, NULL);
    for (int i = 0; i < COUNT(cases); i++) {
        caller_t principal = person(cases[i].name);
        member_of(&principal, 0, "USER", role, NULL, UPDATE | VIEW | CREATE);
        join(principal.id, team, cases[i].start, cases[i].end);
        if (cases[i].open) {
            principal.member[1] = true;
            principal.in[0] = principal.in[1] = ALL;
        }
        sign_in(&principal);
        test_caller(&principal);
    }
}

/* To have what grants nothing is no leave to give or take it; but whoever has it may act on others who do. */
static void test_holders_of_nothing(void)
{
    const char *role = role_named("User Administrator"), *clerk = "User Administrator";
    caller_t by_role = person(text("%s with a role that grants nothing", clerk)),
             by_wrap = person(text("%s with such a role inside another", clerk)),
             by_team = person(text("%s in a team without memberships", clerk));

    member_of(&by_role, 0, "USER", role, roles[4].id, UPDATE | VIEW | CREATE);
    by_role.has_void = true;
    sign_in(&by_role);
    test_caller(&by_role);
    member_of(&by_wrap, 0, "USER", role, roles[5].id, UPDATE | VIEW | CREATE);
    by_wrap.has_void = true;
    sign_in(&by_wrap);
    test_caller(&by_wrap);
    member_of(&by_team, 0, "USER", role, NULL, UPDATE | VIEW | CREATE);
    by_team.in_nothing = true;
    join(by_team.id, teams[0].id, 1, 0);
    sign_in(&by_team);
    test_caller(&by_team);
}

static void test_keys(void)
{
    const caller_t keys[] = {
        key("an ADMINISTRATOR key", "{}", ALL),
        key("a READ_ONLY key", "{\"role_type\":\"READ_ONLY\"}", VIEW | QUOTE),
        key("a key narrowed to users",
            "{\"permissions\":[\"USER.MORTAL.UPDATE\",\"USER.MORTAL.VIEW\",\"USER.MORTAL.CREATE\"]}",
            UPDATE | VIEW | CREATE),
        key("a key narrowed to all of these",
            "{\"permissions\":[\"USER.MORTAL.UPDATE\",\"USER.MORTAL.VIEW\",\"USER.MORTAL.CREATE\",\"ROLE.UPDATE\","
            "\"QUOTE.VIEW\",\"SITE.ONE\"]}",
            UPDATE | VIEW | CREATE | ROLES | QUOTE | SITE),
        key("a READ_ONLY key narrowed to writing",
            "{\"role_type\":\"READ_ONLY\",\"permissions\":["
            "\"USER.MORTAL.UPDATE\"]}",
            0),
    };

    for (int i = 0; i < COUNT(keys); i++)
        test_caller(&keys[i]);
}

/* ---- oneself ---------------------------------------------------------------------------------------------------- */

static void test_oneself(void)
{
    caller_t principal = person("User Administrator");
    const char *role = role_named("User Administrator"), *path;

    principal.member[0] = true;
    const char *own = make_membership("user_id", principal.id, 0, "USER", role, roles[4].id);
    sign_in(&principal);
    path = text("/v1/users/%s/memberships/%s", principal.id, own);
    is_int(ask(&principal, "PATCH", path, text("{\"role_ids\":[\"%s\"]}", role)), 403,
           "A3: to have a role that grants nothing is no leave to take it off oneself # security 62");
    is_int(ask(&principal, "PATCH", path, text("{\"role_ids\":[\"%s\"]}", roles[4].id)), 200,
           "A3: ... but to take off another one beside it # security 62");
    is_str(rows(text("SELECT role_id FROM membership_roles WHERE membership_id = '%s'", own)), roles[4].id,
           "A3: ... which stays");
    is_int(ask(&principal, "PATCH", path, text("{\"role_ids\":[\"%s\",\"%s\"]}", roles[4].id, roles[3].id)), 403,
           "A3: nobody makes oneself more # security 62");
    is_int(ask(&principal, "PATCH", path, "{\"type\":\"ADMIN\"}"), 403, "A3: ... by type either # security 62");
    is_int(ask(&principal, "POST", text("/v1/users/%s/memberships", principal.id), member(account(1), "USER", "")), 403,
           "A3: ... nor in another account # security 62");
    is_int(ask(&principal, "POST", text("/v1/users/%s/teams", principal.id), text("{\"team_id\":\"%s\"}", teams[0].id)),
           403, "A3: nobody joins a team without memberships # security 62");
    is_int(ask(&principal, "GET", text("/v1/users/%s/sessions", principal.id), NULL), 200,
           "A17: one's own sessions are shown");
    is_int(ask(&principal, "DELETE", text("/v1/users/%s/sessions", principal.id), NULL), 200, "A17: ... and ended");
    is_int(ask(&principal, "PATCH", text("/v1/users/%s", principal.id), "{\"status\":\"INACTIVE\"}"), 200,
           "A3: one may deactivate oneself # security 62");

    caller_t half = person("who may not in the other account");
    member_of(&half, 0, "USER", role, NULL, UPDATE);
    member_of(&half, 1, "USER", NULL, NULL, 0);
    sign_in(&half);
    is_int(ask(&half, "PATCH", text("/v1/users/%s", half.id), "{\"status\":\"INACTIVE\"}"), 403,
           "A3: ... but not who lacks the permission in another account # security 62");
}

/* ---- what grants nothing is not dressed up ---------------------------------------------------------------------- */

/* Somebody who may change roles and teams everywhere, and holds little. */
static void test_dressing_up(void)
{
    caller_t principal = person("a keeper of roles");
    const char *keeper = make_role("Role Keeper", ",\"permissions\":[\"ROLE.UPDATE\",\"ROLE.VIEW\",\"ROLE.CREATE\","
                                                  "\"USER.MORTAL.UPDATE\",\"USER.MORTAL.VIEW\"]");
    const char *fresh = make_role("Fresh", ""), *used = make_role("Used", ""), *path;
    const char *plain = make_role("Plain", ",\"permissions\":[\"USER.MORTAL.VIEW\"]");
    const char *body = "{\"permissions\":[\"USER.MORTAL.VIEW\"]}", *child = text("{\"child_role_ids\":[\"%s\"]}", used);

    member_of(&principal, 0, "USER", keeper, plain, 0);
    member_of(&principal, 1, "USER", keeper, NULL, 0);
    sign_in(&principal);
    make_membership("user_id", make_user(), 0, "USER", used, NULL);
    const char *before = state();
    is_int(ask(&principal, "PATCH", text("/v1/roles/%s", used), body), 403,
           "A3: a role that grants nothing and that somebody has is not made one that could be given # security 62");
    is_int(ask(&principal, "PATCH", text("/v1/roles/%s", plain), child), 403,
           "A3: nor put into a role that somebody has # security 62");
    path = text("/v1/teams/%s/memberships", teams[0].id);
    is_int(ask(&principal, "POST", path, member(account(0), "USER", "")), 403,
           "A3: a team without memberships that has members is not filled so that others could join # security 62");
    is_str(state(), before, "A3: none of it changed a row");
    is_int(ask(&principal, "PATCH", text("/v1/roles/%s", fresh), body), 200,
           "A3: a role that nobody has may be filled");
    is_int(
        ask(&principal, "POST", text("/v1/teams/%s/memberships", serve_team("Fresh")), member(account(0), "USER", "")),
        201, "A3: ... and a team that nobody is in");
}

/* "In every account of the entity, of which there must be one." */
static void test_no_account(void)
{
    identity_entity_row_t *entity;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (!identity_entity_add(door->pool, &door->env, "bare", NULL, &entity, &problem))
        bail("no entity could be made");
    const char *bare = world_key(entity->id, "{}", NULL), *body = "{\"status\":\"INACTIVE\"}";
    door_answer_t answer = post("/v1/users", bare, "{\"username\":\"bare@example.net\",\"password\":\"" PASSWORD "\"}");
    const char *path = text("/v1/users/%s", door_text(&answer, "id"));
    refused(patch(path, bare, body), 403, "USER_NOT_ALLOWED", "",
            "A3: where there is no account not even a key holds all in each # security 62");
    identity_account_row_t *row;
    if (!identity_account_add(door->pool, &door->env, entity->id, "first", "LIVE", NULL, NULL, &row, &problem))
        bail("no account could be made");
    accepted(patch(path, bare, body), 200, "A3: ... and where there is one it does");
}

/* What a team is given later reaches nobody who came in by a hole. */
static void test_later(void)
{
    const char *team = serve_team("Later");
    caller_t principal = person("User Administrator");

    member_of(&principal, 0, "USER", role_named("User Administrator"), NULL, UPDATE | VIEW | CREATE);
    sign_in(&principal);
    is_int(ask(&principal, "POST", text("/v1/users/%s/teams", principal.id), text("{\"team_id\":\"%s\"}", team)), 403,
           "A3: a team without memberships is not joined # security 62");
    is_int(post(text("/v1/teams/%s/memberships", team), door->key, member(account(1), "ADMIN", "")).status, 201,
           "A3: ... it is given something later");
    is_str(rows(text("SELECT COUNT(*) FROM team_members WHERE team_id = '%s'", team)), "0",
           "A3: ... which reaches nobody");
}

int main(void)
{
    serve_begin();
    change("PRAGMA synchronous = OFF");
    make_things();
    someone = make_user();
    someones = make_membership("user_id", someone, 0, "USER", NULL, NULL);
    /* So that nobody is the last administrator. */
    make_membership("user_id", make_user(), 0, "ADMIN", NULL, NULL);
    test_members();
    test_windows();
    test_holders_of_nothing();
    test_keys();
    test_oneself();
    test_dressing_up();
    test_later();
    test_no_account();
    test_builtin_roles();
    return serve_end();
}
