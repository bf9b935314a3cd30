/* SPDX-License-Identifier: Apache-2.0 */
/* GET and POST /roles. route list_roles create_role */
#include "serve.h"

static const char *last_audit(const char *columns)
{
    return rows(text("SELECT %s FROM audit_records ORDER BY id DESC LIMIT 1", columns));
}

static door_answer_t make(const char *credential, const char *body)
{
    return post("/v1/roles", credential, body);
}

/* ---- list ------------------------------------------------------------------------------------------------------- */

static void test_catalogue(void)
{
    door_answer_t answer = get("/v1/roles?limit=500&order_by=name&order_direction=asc", door->key);
    int missing = 0, wrong = 0;
    json_t *role;
    size_t i;

    accepted(answer, 200, "list");
    is_str(members_at(&answer, ""), "data,links,page,limit,total_number_of_pages", "wrapper: members and their order");
    is_int(size_at(&answer, "data"), identity_builtin_role_count(), "the whole catalogue of built-in roles");
    json_array_foreach (door_at(answer.json, "data"), i, role) {
        wrong += strcmp(door_members(door, role),
                        "object_type,id,name,description,entity_id,child_role_ids,child_roles,slug,permissions") != 0;
        wrong += !json_is_null(json_object_get(role, "entity_id"));
        wrong += identity_builtin_role_find(json_string_value(json_object_get(role, "id"))) < 0;
    }
    is_int(wrong, 0, "... each a Role of nobody's entity");
    static const struct {
        const char *name, *slug;
        size_t permissions;
    } known[] = {{"Administrator", "full-access", 204},
                 {"Quote Viewer", "quote-viewer", 4},
                 {"User Administrator", "user-administrator", 7},
                 {"Billing Entity Administrator", "billing-entity-administrator", 3},
                 {"Invoice Viewer", "invoice-viewer", 1}};
    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t r, found = 0;
        json_array_foreach (door_at(answer.json, "data"), r, role)
            if (strcmp(json_string_value(json_object_get(role, "name")), known[i].name) == 0) {
                found++;
                missing += strcmp(json_string_value(json_object_get(role, "slug")), known[i].slug) != 0;
                missing += json_array_size(json_object_get(role, "permissions")) != known[i].permissions;
            }
        missing += found != 1;
    }
    is_int(missing, 0, "... as the published guides name them");
    answer = get("/v1/roles", door->key);
    is_int(size_at(&answer, "data"), 50, "fifty a page");
    answer = get(door_text(&answer, "links.next"), door->key);
    is_int(size_at(&answer, "data"), 50, "... and on");
}

static void test_name_filter(void)
{
    static const struct {
        const char *query;
        size_t found;
    } cases[] = {{"Administrator", 1}, {"aDMINISTRATOR", 1}, {"Admin", 0},          {"dministrator", 0},
                 {"%25", 0},           {"Quote+Viewer", 1},  {"quote%20viewer", 1}, {"", 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = get(text("/v1/roles?name=%s", cases[i].query), door->key);
        is_int(size_at(&answer, "data"), cases[i].found, "roles named \"%s\": exactly, in any case # security 78",
               cases[i].query);
    }
    static const struct {
        const char *query, *field;
    } wrong[] = {{"include_child_roles=1", "include_child_roles"},
                 {"only_childless_roles=yes", "only_childless_roles"},
                 {"order_by=username", "order_by"},
                 {"limit=501", "limit"},
                 {"name=%ff", "name"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = get(text("/v1/roles?%s", wrong[i].query), door->key);
        refused(answer, 400, "INVALID_FIELD", wrong[i].field, "?%s", wrong[i].query);
    }
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

static void test_create(void)
{
    const char *viewer = role_named("Quote Viewer");

    door_answer_t answer = make(
        door->key, text("{\"name\":\"Night Shift\",\"description\":\"After hours\",\"child_role_ids\":[\"%s\",\"%s\"],"
                        "\"permissions\":[\"SITE.OPEN\",\"ALERT.VIEW\",\"SITE.OPEN\"]}",
                        viewer, viewer));
    accepted(answer, 200, "create");
    const char *id = door_text(&answer, "id");
    ok(identity_id_valid(id, "role"), "... has an id");
    door_answer_t child = get("/v1/roles?name=Quote+Viewer", door->key);
    is_str(answer.text,
           text("{\"object_type\":\"ROLE\",\"id\":\"%s\",\"name\":\"Night Shift\",\"description\":\"After "
                "hours\",\"entity_id\":\"%s\","
                "\"child_role_ids\":[\"%s\"],\"child_roles\":[%s],\"slug\":\"night-shift\",\"permissions\":[\"ALERT."
                "VIEW\",\"SITE.OPEN\"]}",
                id, door->entity_id, viewer, json_at(&child, "data.0")),
           "... the whole of it: each child and permission once, a slug made of the name");
    is_str(last_audit("action, user_id, target_resource_type, target_id"),
           text("CREATE|%s|ROLE|%s", identity_key_id(door->pool, door->key), id), "... an audit record # security 82");
    door_answer_t nested = get("/v1/roles?name=NIGHT+shift&include_child_roles=true", door->key);
    is_str(json_at(&nested, "data.0"), answer.text, "listed with its children as it was answered");
    nested = get("/v1/roles?name=Night+Shift", door->key);
    is_str(json_at(&nested, "data.0.child_roles"), "[]", "without them by default");
    is_str(json_at(&nested, "data.0.child_role_ids"), text("[\"%s\"]", viewer), "... but for their ids");
    nested = get("/v1/roles?name=Night+Shift&only_childless_roles=true", door->key);
    is_int(size_at(&nested, "data"), 0, "no role without children");
    nested = get("/v1/roles?name=Quote+Viewer&only_childless_roles=true", door->key);
    is_int(size_at(&nested, "data"), 1, "... as its child is");
    answer = make(door->key, "{\"name\":\"Plain\",\"description\":null}");
    is_str(json_at(&answer, "description"), "\"\"", "C1: no description is an empty one");
    is_str(json_at(&answer, "permissions"), "[]", "no permission");
}

static void test_slugs(void)
{
    static const struct {
        const char *fields, *outcome, *slug;
    } cases[] = {{"\"name\":\"night-shift\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"Night (Shift)\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"Night Shift 2\",\"slug\":\"night-shift\"", "409 RESOURCE_ALREADY_EXISTS slug", NULL},
                 {"\"name\":\"Given\",\"slug\":\"my-slug\"", "200", "my-slug"},
                 {"\"name\":\"Other\",\"slug\":\"my-slug\"", "409 RESOURCE_ALREADY_EXISTS slug", NULL},
                 {"\"name\":\"Other\",\"slug\":\"full-access\"", "409 RESOURCE_ALREADY_EXISTS slug", NULL},
                 {"\"name\":\"full access\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"Full-Access\",\"slug\":\"fine\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"\xef\xbd\x86ull-access\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"My (Slug)\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"Fine\",\"slug\":\"given\"", "409 RESOURCE_ALREADY_EXISTS slug", NULL},
                 {"\"name\":\"Fine\",\"slug\":\"administrator\"", "409 RESOURCE_ALREADY_EXISTS slug", NULL},
                 {"\"name\":\"administrator.\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"GIVEN\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"given\",\"slug\":\"another\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"ADMINISTRATOR\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"\xc3\x84rzte\"", "200", "rzte"},
                 {"\"name\":\"\xc3\xa4rzte\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"A\xcc\x88rzte\"", "409 RESOURCE_ALREADY_EXISTS name", NULL},
                 {"\"name\":\"\xe5\xa4\x9c\"", "200", "role"},
                 {"\"name\":\"\xe6\x9c\x9d\"", "200", "role-*"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *before = state();
        door_answer_t answer = make(door->key, text("{%s}", cases[i].fields));
        is_str(outcome_of(&answer), cases[i].outcome, "A2: a role with %s", cases[i].fields);
        const char *slug = door_text(&answer, "slug");
        if (cases[i].slug && strchr(cases[i].slug, '*'))
            ok(slug && identity_slug_valid(slug) && strncmp(slug, cases[i].slug, strlen(cases[i].slug) - 1) == 0,
               "... a slug of its own: %s", slug);
        else
            is_str(slug, cases[i].slug, "... slug");
        if (!cases[i].slug)
            is_str(state(), before, "... changes nothing");
    }
    door_answer_t answer = make(door->other_key, "{\"name\":\"Given\",\"slug\":\"my-slug\"}");
    accepted(answer, 200, "another entity may have the same");
}

static void test_children(void)
{
    door_answer_t answer =
        make(door->key, text("{\"name\":\"Level 1\",\"child_role_ids\":[\"%s\"],\"permissions\":[\"SITE.ONE\"]}",
                             role_named("Quote Viewer")));
    const char *one = door_text(&answer, "id");
    answer = make(door->key, text("{\"name\":\"Level 2\",\"child_role_ids\":[\"%s\"]}", one));
    const char *two = door_text(&answer, "id");
    accepted(answer, 200, "a role of a role with a child");
    is_str(door_text(&answer, "child_roles.0.child_roles.0.name"), "Quote Viewer", "... shows both levels");
    const char *before = state();
    answer = make(door->key, text("{\"name\":\"Level 3\",\"child_role_ids\":[\"%s\",\"%s\"]}", one, two));
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.1", "three levels");
    answer = make(door->key, "{\"name\":\"x\",\"child_role_ids\":[\"role_00000000000000000000\"]}");
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.0", "an unknown child");
    answer = make(door->key, text("{\"name\":\"x\",\"child_role_ids\":[\"%s\",\"%s\",\"nonsense\"]}", one, one));
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.2", "what is no id, by its own position");
    answer = make(door->other_key, text("{\"name\":\"x\",\"child_role_ids\":[\"%s\"]}", one));
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.0", "another entity's role # security 60");
    answer = make(door->key, "{\"name\":\"x\",\"permissions\":[\"A.B\",\"A.B\",\"a.b\"]}");
    refused(answer, 400, "INVALID_FIELD", "permissions.2", "a malformed permission, by its own position");
    answer = make(door->key, "{\"name\":\"x\",\"permissions\":[\"NODOT\"]}");
    refused(answer, 400, "INVALID_FIELD", "permissions.0", "a permission of one word");
    is_str(state(), before, "none of it changed a row");
    person_with("deep@example.org", "USER", named("Level 2"));
    door->platform_id = NULL;
    answer = get("/v1/roles", login("deep@example.org"));
    refused(answer, 403, "USER_NOT_ALLOWED", "", "(what no level grants is not held)");
    change("UPDATE role_permissions SET permission = 'ROLE.VIEW' WHERE permission = 'SITE.ONE'");
    answer = get("/v1/roles", login("deep@example.org"));
    accepted(answer, 200, "what a child grants is held");
}

/* Nobody defines what they lack in any account of the entity (security 62). */
static void test_lacking(void)
{
    const char *keeper = login("keeper@example.org"), *before = state();
    const char *more[] = {"\"permissions\":[\"ALERT.VIEW\"]", "\"permissions\":[\"SITE.ANY\"]",
                          text("\"child_role_ids\":[\"%s\"]", role_named("Administrator")),
                          text("\"child_role_ids\":[\"%s\"]", role_named("Level 1"))};

    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        door_answer_t answer = make(keeper, text("{\"name\":\"More\",%s}", more[i]));
        refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "a role with %s # security 62", more[i]);
    }
    is_str(state(), before, "none of it changed a row");
    door_answer_t answer = make(keeper, "{\"name\":\"No More\",\"permissions\":[\"ROLE.VIEW\"]}");
    accepted(answer, 200, "what is held in all accounts may be put into a role");
    person_with("half@example.org", "ADMIN", "");
    answer = make(login("half@example.org"), "{\"name\":\"Half\",\"permissions\":[\"ROLE.VIEW\"]}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions",
            "what is held in one of two accounts may not # security 62");
    answer = make(login("half@example.org"), "{\"name\":\"Empty\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "nor any role: roles are the whole entity's # security 62");
    answer = make(keeper, "{\"name\":\"Empty\"}");
    accepted(answer, 200, "whoever may make roles in all of them may make an empty one");
}

int main(void)
{
    serve_begin();
    door_person(door, "keeper@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "USER", named("Role Administrator")),
                     member(door->second_account_id, "USER", named("Role Administrator"))));
    test_catalogue();
    test_name_filter();
    test_create();
    test_slugs();
    test_children();
    test_lacking();
    return serve_end();
}
