/* SPDX-License-Identifier: Apache-2.0 */
/* Security 60: each operation with each id of another entity, wherever it takes one: in the path, the query, a header
 * or the body. It answers as for an id that does not exist at all, shows nothing of the other entity and changes
 * nothing. Then the same between the two accounts of one entity, as far as they are apart. */
#include "serve_world.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* ---- ids -------------------------------------------------------------------------------------------------------- */

/* What of a world has an id of this prefix. */
static const struct {
    const char *prefix, *tokens[4];
} kinds[] = {
    {"user", {"user", "pending", "admin"}},
    {"role", {"role", "child"}},
    {"team", {"team"}},
    {"memb", {"memb", "team_memb"}},
    {"apik", {"apik", "key"}},
    {"auth", {"auth"}},
    {"clnt", {"clnt"}},
    {"audi", {"audi"}},
    {"sess", {"sess"}},
    {"plat", {"account", "account2"}},
    {"enti", {"entity"}},
    {"invitation", {"invitation"}},
    {"slug", {"slug"}},
    {"permission", {NULL}}, /* a name, which nobody owns */
};

/* Fields of bodies that hold an id, or a list of ids; below: of the object in whose list they stand. */
static const struct {
    const char *name, *below, *prefix;
} id_fields[] = {
    {"account_id", NULL, "plat"}, {"entity_id", NULL, "enti"},      {"team_id", NULL, "team"},
    {"role_ids", NULL, "role"},   {"child_role_ids", NULL, "role"}, {"resource_id", NULL, "apik"},
    {"id", "roles", "role"},      {"roleID", NULL, "slug"},
};

/* Fields that end like an id of ours and are none. */
static const char *const no_ids[] = {"client_id"};

static const char *const *tokens_of(const char *prefix)
{
    for (int i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].prefix, prefix) == 0)
            return kinds[i].tokens;
    bail(text("nothing of a world has an id %s_: add it to this test", prefix));
}

static const char *unknown(const char *prefix)
{
    if (strcmp(prefix, "invitation") == 0)
        return "0000000000000000000000000000FFFF";
    return strcmp(prefix, "slug") == 0 ? "nobody-has-it" : text("%s_0000000000000000zzzz", prefix);
}

static bool ends(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* NULL for a field that holds no id. */
static const char *prefix_of(const identity_field_t *field, const char *below)
{
    for (int i = 0; i < COUNT(id_fields); i++)
        if (strcmp(id_fields[i].name, field->name) == 0 &&
            (!id_fields[i].below || (below && strcmp(id_fields[i].below, below) == 0)))
            return id_fields[i].prefix;
    for (int i = 0; i < COUNT(no_ids); i++)
        if (strcmp(no_ids[i], field->name) == 0)
            return NULL;
    if (strcmp(field->name, "id") == 0 || ends(field->name, "_id") || ends(field->name, "_ids"))
        bail(text("what %s is an id of is not known: add it to this test", field->name));
    return NULL;
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

/* Who asks for what: the caller's own world and the other one. */
typedef struct side {
    const world_t *own, *other;
    const char *credential, *principal;
} side_t;

/* One question with a foreign id and with one that nobody has. */
typedef struct question {
    const identity_route_t *route;
    const char *where;           /* for the reader of the test */
    const char *foreign, *none;  /* the two ids */
    door_answer_t answer, known; /* to them */
} question_t;

/* Commits of others are seen by this number. */
static const char *commits(void)
{
    return rows("PRAGMA data_version");
}

static const char *without(const char *content, const char *id)
{
    const char *made = "", *at;

    while (content && *id && (at = strstr(content, id))) {
        made = text("%s%.*s<id>", made, (int)(at - content), content);
        content = at + strlen(id);
    }
    return text("%s%s", made, content ? content : "");
}

static apr_array_header_t *needles[2]; /* what must not be seen, of the two worlds */
static const world_t *worlds[2];

static void add_needles(apr_array_header_t *list, const char *sql)
{
    char *found = apr_pstrdup(door->pool, rows(sql)), *rest;

    for (char *one = apr_strtok(found, " ", &rest); one; one = apr_strtok(NULL, " ", &rest))
        APR_ARRAY_PUSH(list, const char *) = one;
}

/* All ids of the entity, and the label that stands in each of its names. */
static void gather_needles(int index)
{
    static const char *const tables[] = {"users",        "roles",     "teams",         "memberships",
                                         "team_members", "api_keys",  "audit_records", "invitations",
                                         "accounts",     "providers", "sessions",      "outbox"};

    needles[index] = apr_array_make(door->pool, 64, sizeof(const char *));
    for (int i = 0; i < COUNT(tables); i++)
        add_needles(needles[index], text("SELECT id FROM %s WHERE entity_id = '%s'", tables[i], worlds[index]->entity));
    APR_ARRAY_PUSH(needles[index], const char *) = worlds[index]->entity;
    APR_ARRAY_PUSH(needles[index], const char *) = worlds[index]->label;
}

/* What an answer shows of a world, "" for nothing. */
static const char *shown(const world_t *world, const char *content)
{
    const apr_array_header_t *list = needles[world == worlds[1]];

    for (int i = 0; content && i < list->nelts; i++)
        if (strstr(content, APR_ARRAY_IDX(list, i, const char *)))
            return text("; shows %s", APR_ARRAY_IDX(list, i, const char *));
    return "";
}

/* "404", "400 INVALID_FIELD role_ids.0" and whatever is wrong behind it. */
static const char *story(const side_t *side, const question_t *question, const char *before)
{
    const door_answer_t *answer = &question->answer, *known = &question->known;
    const char *body = without(answer->text, question->foreign),
               *headers = without(headers_of(answer), question->foreign), *field = door_field(answer);
    const char *told =
        text("%d%s", answer->status, answer->status == 400 ? text(" %s %s", door_code(answer), field) : "");

    if (answer->status != known->status || strcmp(body, without(known->text, question->none)) != 0)
        told = text("%s; an unknown id: %d %s against %s", told, known->status, known->text, answer->text);
    else if (strcmp(headers, without(headers_of(known), question->none)) != 0)
        told = text("%s; other headers than for an unknown id", told);
    else if (answer->statements != known->statements)
        told = text("%s; %lu statements, %lu for an unknown id", told, answer->statements, known->statements);
    /* Showing a secret is put on record. */
    if (answer->status >= 400 && strcmp(commits(), before) != 0)
        told = text("%s; something was written", told);
    return text("%s%s%s", told, shown(side->other, body), shown(side->other, headers));
}

static void told(const side_t *side, const question_t *question, const char *expected, const char *before)
{
    is_str(story(side, question, before), expected, "%s by %s, %s # security 60", question->route->operation,
           side->principal, question->where);
}

/* ---- in the path ------------------------------------------------------------------------------------------------ */

/* Nor do the conditions of a request tell that something is there. */
static void ask_path(const side_t *side, const identity_route_t *route, const char *body, const char *name,
                     bool conditional)
{
    const char *const *tokens = tokens_of(name);

    for (int i = 0; i < 4 && tokens[i]; i++) {
        question_t question = {
            .route = route,
            .where = text("the other's %s in the path%s", tokens[i], conditional ? " under conditions" : ""),
            .foreign = world_token(side->other, tokens[i]),
            .none = unknown(name)};
        const char *before = commits();
        door->if_match = conditional ? "\"x\"" : NULL;
        door->if_none_match = conditional ? "*" : NULL;
        question.answer = door_call(door, route->method, world_pattern(side->own, route, name, question.foreign),
                                    side->credential, body);
        question.known = door_call(door, route->method, world_pattern(side->own, route, name, question.none),
                                   side->credential, body);
        door->if_match = door->if_none_match = NULL;
        told(side, &question, "404", before);
    }
}

static int test_path(const side_t *side, const identity_route_t *route, const char *body)
{
    int asked = 0;

    for (const char *at = strchr(route->pattern, '{'); at; at = strchr(at + 1, '{'), asked++) {
        const char *name = text("%.*s", (int)strcspn(at + 1, "}"), at + 1);
        ask_path(side, route, body, name, false);
        ask_path(side, route, body, name, true);
    }
    return asked;
}

/* An id of the own entity that does not belong to the one before it. */
static void test_nested(const side_t *side, const identity_route_t *route, const char *body)
{
    const char *first = strchr(route->pattern, '{'), *second = first ? strchr(first + 1, '{') : NULL;

    if (!second)
        return;
    const char *name = text("%.*s", (int)strcspn(second + 1, "}"), second + 1);
    bool user = strncmp(first, "{user}", 6) == 0;
    const struct {
        const char *name;
        bool below_user;
        const char *where, *foreign;
    } others[] = {{"sess", true, "an own session below somebody else", side->own->admin_sess},
                  {"apik", true, "an own key of the entity below a user", side->own->apik},
                  {"memb", true, "an own team's membership below a user", side->own->team_memb},
                  {"memb", false, "a user's membership below an own team", side->own->memb},
                  {"team", true, "an own team below a user who is not in it", side->own->idle_team}};
    question_t question = {.route = route, .none = unknown(name)};
    for (int i = 0; i < COUNT(others); i++)
        if (strcmp(others[i].name, name) == 0 && others[i].below_user == user) {
            question.where = others[i].where;
            question.foreign = others[i].foreign;
        }
    if (!question.where)
        bail(text("which %s_ belongs to another owner is not known: add it to this test", name));
    const char *before = commits();
    question.answer =
        door_call(door, route->method, world_pattern(side->own, route, name, question.foreign), side->credential, body);
    question.known =
        door_call(door, route->method, world_pattern(side->own, route, name, question.none), side->credential, body);
    told(side, &question, "404", before);
}

/* ---- in the query ----------------------------------------------------------------------------------------------- */

/* Parameters by which a read is narrowed to what belongs to an id, and some more that a read might take. */
static const struct {
    const char *name, *prefix;
} parameters[] = {
    {"user_id", "user"},
    {"user_id", "apik"},
    {"target_entity_id", "enti"},
    {"target_id", "user"},
    {"target_id", "role"},
    {"target_id", "team"},
    {"target_id", "apik"},
    {"target_id", "auth"},
    {"entity_id", "enti"},
    {"account_id", "plat"},
    {"target_platform_id", "plat"},
    {"resource_id", "user"},
    {"resource_id", "apik"},
    {"roleID", "slug"},
    {"account", "plat"},
};

/* Those that the description names and that hold no id; provider is that of a sign-on, which nobody has an entity for
 * yet (serve_sso_people.c). */
/* client_id of authorize names a client of any entity: whose people may use it is t/unit/service/oidc's to test. */
static const char *const no_id_parameters[] = {"client_id",
                                               "response_type",
                                               "response_mode",
                                               "scope",
                                               "nonce",
                                               "code_challenge",
                                               "code_challenge_method",
                                               "prompt",
                                               "max_age",
                                               "id_token_hint",
                                               "login_hint",
                                               "active",
                                               "except_current",
                                               "revoke_keys",
                                               "created_at",
                                               "cursor",
                                               "include_child_roles",
                                               "limit",
                                               "name",
                                               "order_by",
                                               "only_childless_roles",
                                               "page",
                                               "username",
                                               "order_direction",
                                               "target_type",
                                               "user_type",
                                               "provider",
                                               "redirect_uri",
                                               "email",
                                               "state",
                                               "status",
                                               "return"};

static bool known_parameter(const char *name)
{
    for (int i = 0; i < COUNT(parameters); i++)
        if (strcmp(parameters[i].name, name) == 0)
            return true;
    for (int i = 0; i < COUNT(no_id_parameters); i++)
        if (strcmp(no_id_parameters[i], name) == 0)
            return true;
    return false;
}

/* Every parameter of the description is one that is asked here, or holds no id. */
static void test_parameters(void)
{
    json_t *document = get("/v1/openapi.json", NULL).json, *methods, *operation, *parameter;
    const char *path, *method;
    int found = 0;
    size_t i;

    json_object_foreach (json_object_get(document, "paths"), path, methods)
        json_object_foreach (methods, method, operation)
            json_array_foreach (json_object_get(operation, "parameters"), i, parameter) {
                const char *ref = json_string_value(json_object_get(parameter, "$ref"));
                json_t *meant =
                    ref ? door_at(document, text("components.parameters.%s", strrchr(ref, '/') + 1)) : parameter;
                const char *name = json_string_value(json_object_get(meant, "name")),
                           *in = json_string_value(json_object_get(meant, "in"));
                if (!in || strcmp(in, "query") != 0)
                    continue;
                found++;
                if (!known_parameter(name))
                    ok(false, "%s of %s holds an id or none: say so in this test", name, path);
            }
    ok(found >= 20, "%d parameters of queries are known", found);
}

static void test_query(const side_t *side, const identity_route_t *route, const char *path)
{
    for (int i = 0; i < COUNT(parameters); i++) {
        question_t question = {.route = route,
                               .where = text("the other's %s as %s", parameters[i].prefix, parameters[i].name),
                               .foreign = world_token(side->other, tokens_of(parameters[i].prefix)[0]),
                               .none = unknown(parameters[i].prefix)};
        const char *before = commits();
        question.answer = get(text("%s?%s=%s", path, parameters[i].name, question.foreign), side->credential);
        question.known = get(text("%s?%s=%s", path, parameters[i].name, question.none), side->credential);
        told(side, &question,
             question.known.status == 400 ? text("400 %s %s", door_code(&question.known), door_field(&question.known))
                                          : text("%d", question.known.status),
             before);
    }
}

/* ---- in a header ------------------------------------------------------------------------------------------------ */

static void ask_platform(const side_t *side, const identity_route_t *route, const world_request_t *request,
                         const char *account, const char *where)
{
    question_t question = {.route = route, .where = where, .foreign = account, .none = unknown("plat")};
    const char *before = commits();

    door->platform_id = question.foreign;
    question.answer = door_call(door, route->method, request->path, side->credential, request->body);
    door->platform_id = question.none;
    question.known = door_call(door, route->method, request->path, side->credential, request->body);
    door->platform_id = NULL;
    told(side, &question, "403", before);
}

static void ask_resource(const side_t *side, const identity_route_t *route, const world_request_t *request)
{
    question_t question = {.route = route,
                           .where = "the other's user as resource_id",
                           .foreign = side->other->user,
                           .none = unknown("user")};
    const char *before = commits();

    door->resource_id = question.foreign;
    question.answer = door_call(door, route->method, request->path, side->credential, request->body);
    door->resource_id = question.none;
    question.known = door_call(door, route->method, request->path, side->credential, request->body);
    door->resource_id = NULL;
    told(side, &question, text("%d", question.known.status), before);
}

static void test_headers(const side_t *side, const identity_route_t *route, const world_request_t *request)
{
    ask_platform(side, route, request, side->other->account, "the other's account as x-platform-id");
    ask_platform(side, route, request, side->other->account2, "the other's second account as x-platform-id");
    if (strcmp(route->method, "GET") == 0)
        ask_resource(side, route, request);
}

/* ---- in the body ------------------------------------------------------------------------------------------------ */

/* Where a foreign id is answered otherwise than by 400 naming the position. */
static const struct {
    const char *route, *field, *expected;
} answered[] = {
    {"POST /v1/api-keys/search", "resource_id", "404"},
};

static const char *expected_at(const identity_route_t *route, const char *path)
{
    for (int i = 0; i < COUNT(answered); i++)
        if (strcmp(answered[i].route, world_name_of(route)) == 0 && strcmp(answered[i].field, path) == 0)
            return answered[i].expected;
    return text("400 INVALID_FIELD %s", path);
}

static const identity_field_t *field_named(const identity_field_t *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    bail(text("no field %s", name));
}

/* An object of this table that has what it must have. */
static json_t *smallest(const world_t *world, const identity_field_t *table)
{
    json_t *object = json_object();

    for (; table->name; table++) {
        if (!(table->flags & IDENTITY_FIELD_REQUIRED))
            continue;
        const char *prefix = prefix_of(table, NULL);
        if (table->type == IDENTITY_FIELD_ENUM)
            json_object_set_new(object, table->name, json_string(table->values[0]));
        else if (table->type == IDENTITY_FIELD_STRING && prefix)
            json_object_set_new(object, table->name, json_string(world_token(world, tokens_of(prefix)[0])));
        else
            bail(text("%s has no value in this test: add one", table->name));
    }
    return object;
}

/* Puts the id where the dotted path says, making lists and objects on the way. */
static void put(const world_t *world, json_t *object, const identity_field_t *table, const char *path, const char *id)
{
    size_t length = strcspn(path, ".");
    const char *name = text("%.*s", (int)length, path), *rest = path[length] ? path + length + 1 : "";
    const identity_field_t *field = field_named(table, name);
    json_t *at = json_object_get(object, name);

    if (field->type == IDENTITY_FIELD_STRING) {
        json_object_set_new(object, name, json_string(id));
    } else if (field->type == IDENTITY_FIELD_LIST && !field->items) {
        json_object_set_new(object, name, json_pack("[s]", id));
    } else if (field->type == IDENTITY_FIELD_LIST) {
        if (json_array_size(at) == 0) {
            at = json_pack("[o]", smallest(world, field->items));
            json_object_set_new(object, name, at);
        }
        put(world, json_array_get(at, 0), field->items, rest + 2, id); /* behind "0." */
    } else {
        if (!at) {
            at = smallest(world, field->items);
            json_object_set_new(object, name, at);
        }
        put(world, at, field->items, rest, id);
    }
}

static const char *body_with(const world_t *world, const identity_route_t *route, const world_request_t *request,
                             const char *path, const char *id)
{
    json_t *body = identity_json_own(door->pool, json_loads(request->body, 0, NULL));

    put(world, body, route->body, path, id);
    return identity_json_text(door->pool, body, NULL);
}

/* With an id of the own world it is carried out: what is refused next is the id, nothing else. */
static void ask_own(const side_t *side, const identity_route_t *route, const char *path, const char *prefix)
{
    world_request_t request = world_request(side->own, route);
    request.body = body_with(side->own, route, &request, path, world_token(side->own, tokens_of(prefix)[0]));
    door_answer_t answer = world_ask(route, &request, side->credential);

    if (!is_int(answer.status, request.status, "%s by %s, an own id at %s", route->operation, side->principal, path))
        diag("%s %s: %s", request.path, request.body, answer.text);
}

static void ask_body(const side_t *side, const identity_route_t *route, const char *path, const char *prefix)
{
    const char *const *tokens = tokens_of(prefix);

    ask_own(side, route, path, prefix);
    for (int i = 0; i < 4 && tokens[i]; i++) {
        world_request_t request = world_request(side->own, route);
        question_t question = {.route = route,
                               .where = text("the other's %s at %s", tokens[i], path),
                               .foreign = world_token(side->other, tokens[i]),
                               .none = unknown(prefix)};
        const char *before = commits();
        request.body = body_with(side->own, route, &request, path, question.foreign);
        question.answer = world_ask(route, &request, side->credential);
        request.body = body_with(side->own, route, &request, path, question.none);
        question.known = world_ask(route, &request, side->credential);
        told(side, &question, expected_at(route, path), before);
    }
}

/* Each field of the table that holds an id; path ends in a dot, or is "". */
static int walk_body(const side_t *side, const identity_route_t *route, const identity_field_t *table, const char *path,
                     const char *below)
{
    int asked = 0;

    for (const identity_field_t *field = table; field->name; field++) {
        const char *prefix = prefix_of(field, below), *at = text("%s%s", path, field->name);
        if (field->items)
            asked += walk_body(side, route, field->items,
                               text("%s%s", at, field->type == IDENTITY_FIELD_LIST ? ".0." : "."), field->name);
        if (!prefix)
            continue;
        asked++;
        ask_body(side, route, field->type == IDENTITY_FIELD_LIST ? text("%s.0", at) : at, prefix);
    }
    return asked;
}

/* Members of a body that its table does not name are not looked at: nobody is put elsewhere by them. */
static void test_smuggled(const side_t *side, const identity_route_t *route)
{
    static const char *const members[] = {"id", "entity_id", "user_id", "account_id", "team_id", "created_by"};
    static const char *const tokens[] = {"user", "entity", "user", "account", "team", "admin"};
    world_request_t request = world_request(side->own, route);
    json_t *body = identity_json_own(door->pool, json_loads(request.body ? request.body : "{}", 0, NULL));

    for (int i = 0; i < COUNT(members); i++) {
        const identity_field_t *field = route->body;
        while (field->name && strcmp(field->name, members[i]) != 0)
            field++;
        if (!field->name)
            json_object_set_new(body, members[i], json_string(world_token(side->other, tokens[i])));
    }
    request.body = identity_json_text(door->pool, body, NULL);
    door_answer_t answer = world_ask(route, &request, side->credential);
    is_str(text("%d%s", answer.status, shown(side->other, answer.text)), text("%d", request.status),
           "%s by %s, the other's ids as members that it does not have", route->operation, side->principal);
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

/* Everything that reads shows the own entity's only; all pages of it. */
static void test_shown(const side_t *side, const identity_route_t *route, const char *path)
{
    const char *seen = "";
    int pages = 0;

    for (const char *at = text("%s?limit=5", path); at && pages < 100; pages++) {
        door_answer_t answer = get(at, side->credential);
        seen = text("%s%s%s", seen, shown(side->other, answer.text), shown(side->other, headers_of(&answer)));
        const char *cursor = door_text(&answer, "next");
        at = cursor ? text("%s?limit=5&cursor=%s", path, cursor) : door_text(&answer, "links.next");
    }
    is_str(seen, "", "%s by %s: %d pages with nothing of the other # security 60", route->operation, side->principal,
           pages);
}

/* What was answered to somebody under an Idempotency-Key is nobody else's, not even for the very same request. */
static void test_once(const side_t *side, const identity_route_t *route)
{
    world_request_t theirs = world_request(side->other, route);

    door->idempotency_key = text("once %s", route->operation);
    door_answer_t first = world_ask(route, &theirs, side->other->key);
    door_answer_t again = world_ask(route, &theirs, side->other->key);
    door_answer_t answer = door_call(door, route->method, theirs.path, side->credential, theirs.body);
    door->idempotency_key = NULL;
    is_int(first.status, theirs.status, "%s under an Idempotency-Key", route->operation);
    is_str(again.text, first.text, "... is answered again");
    ok(!header(&answer, "Idempotent-Replayed") && strcmp(door_code(&answer), "IDEMPOTENCY_CHECK_FAILED") != 0 &&
           strcmp(answer.text, first.text) != 0,
       "... but not to %s: %d", side->principal, answer.status);
}

static void test_onces(const side_t *side)
{
    for (int i = 0; i < identity_route_count; i++)
        if (identity_routes[i].credential == IDENTITY_CREDENTIAL_REQUIRED &&
            strcmp(identity_routes[i].method, "POST") == 0)
            test_once(side, &identity_routes[i]);
}

/* ---- everything ------------------------------------------------------------------------------------------------- */

/* What belongs to the other's entity: its rows of the tables that name it, and theirs in turn. */
static const char *assignments_of(const world_t *world)
{
    static const char *const below[][3] = {{"membership_roles", "membership_id", "memberships"},
                                           {"role_children", "role_id", "roles"},
                                           {"role_permissions", "role_id", "roles"},
                                           {"api_key_permissions", "key_id", "api_keys"},
                                           {"secrets", "user_id", "users"},
                                           {"refresh_tokens", "session_id", "sessions"}};
    char *tables = apr_pstrdup(door->pool, rows("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
                                                "WHERE m.type = 'table' AND c.name = 'entity_id' ORDER BY 1"));
    const char *all = "";
    char *rest;

    for (char *table = apr_strtok(tables, " ", &rest); table; table = apr_strtok(NULL, " ", &rest))
        all =
            text("%s\n%s: %s", all, table, rows(text("SELECT * FROM %s WHERE entity_id = '%s'", table, world->entity)));
    for (int i = 0; i < COUNT(below); i++)
        all = text("%s\n%s: %s", all, below[i][0],
                   rows(text("SELECT * FROM %s WHERE %s IN (SELECT id FROM %s WHERE entity_id = '%s')", below[i][0],
                             below[i][1], below[i][2], world->entity)));
    return all;
}

static void test_route(const side_t *side, const identity_route_t *route, int *paths, int *fields)
{
    world_request_t request = world_request(side->own, route);

    *paths += test_path(side, route, request.body);
    test_nested(side, route, request.body);
    test_headers(side, route, &request);
    if (strcmp(route->method, "GET") == 0) {
        test_query(side, route, request.path);
        test_shown(side, route, request.path);
    }
    if (route->body) {
        *fields += walk_body(side, route, route->body, "", NULL);
        test_smuggled(side, route);
    }
}

static void test_side(const side_t *side)
{
    const char *others = assignments_of(side->other);
    int paths = 0, fields = 0;

    for (int i = 0; i < identity_route_count; i++)
        if (identity_routes[i].credential == IDENTITY_CREDENTIAL_REQUIRED)
            test_route(side, &identity_routes[i], &paths, &fields);
    is_str(assignments_of(side->other), others, "%s left everything of the other as it was # security 60",
           side->principal);
    ok(paths >= 10 && fields >= 10, "%d ids stand in paths, %d in bodies", paths, fields);
}

int main(void)
{
    serve_begin();
    worlds[0] = world_make("victoria");
    worlds[1] = world_make("wilhelmina");
    gather_needles(0);
    gather_needles(1);
    side_t by_key = {worlds[1], worlds[0], worlds[1]->key, "the other's key"},
           by_user = {worlds[0], worlds[1], worlds[0]->admin, "the other's administrator"};
    test_side(&by_key);
    test_side(&by_user);
    test_onces(&by_key);
    test_parameters();
    return serve_end();
}
