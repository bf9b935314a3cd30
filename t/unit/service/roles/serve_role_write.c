/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PATCH and DELETE /roles/{id}. route get_role update_role delete_role */
#include "serve.h"

static door_answer_t role(const char *id, const char *credential)
{
    return get(text("/v1/roles/%s", id), credential);
}

static door_answer_t set(const char *id, const char *credential, const char *body)
{
    return patch(text("/v1/roles/%s", id), credential, body);
}

static door_answer_t drop(const char *id, const char *credential)
{
    return door_call(door, "DELETE", text("/v1/roles/%s", id), credential, NULL);
}

/* fields: JSON of further members, such as ,"permissions":[], or "". */
static const char *make(const char *name, const char *fields)
{
    door_answer_t answer = post("/v1/roles", door->key, text("{\"name\":\"%s\"%s}", name, fields));
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(text("no role %s: %s", name, answer.text)), NULL);
}

static const char *inside(const char *id)
{
    return text(",\"child_role_ids\":[\"%s\"]", id);
}

static long long version(const char *id)
{
    return count(text("SELECT version FROM roles WHERE id = '%s'", id));
}

static const char *last_audit(void)
{
    return rows("SELECT action, target_resource_type, target_id, message FROM audit_records ORDER BY id DESC LIMIT 1");
}

/* ---- get -------------------------------------------------------------------------------------------------------- */

static void test_get(void)
{
    const char *viewer = role_named("Quote Viewer");
    const char *inner = make("Inner", text("%s,\"permissions\":[\"SITE.IN\"]", inside(viewer)));
    const char *outer = make("Outer", inside(inner));
    door_answer_t answer = role(outer, door->key),
                  listed = get("/v1/roles?name=Outer&include_child_roles=true", door->key);

    accepted(answer, 200, "get");
    is_str(members_at(&answer, ""),
           "object_type,id,name,description,entity_id,child_role_ids,child_roles,slug,permissions",
           "Role: members and their order");
    is_str(answer.text, json_at(&listed, "data.0"), "as it is listed with its children");
    is_str(door_text(&answer, "child_roles.0.child_roles.0.name"), "Quote Viewer", "two levels deep");
    is_int(answer.statements, 5, "the key, the role, and three for what is in it");
    answer = role(viewer, door->other_key);
    is_str(text("%s %s", door_text(&answer, "name"), json_at(&answer, "entity_id")), "Quote Viewer null",
           "a built-in role is seen by every entity");
    answer = role(outer, door->other_key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "another entity's is not # security 60");
}

/* ---- size ------------------------------------------------------------------------------------------------------- */

#define WIDTH 35

/* As many long permissions, or as many children, as WIDTH. */
static const char *wide(const char *permission, const char *const *children)
{
    const char *list = "";

    for (int i = 0; i < WIDTH; i++)
        list = text("%s%s\"%s%s\"", list, i ? "," : "", children ? children[i] : permission,
                    children ? "" : text("_%02d", i));
    return text(",\"%s\":[%s]", children ? "child_role_ids" : "permissions", list);
}

/* Roles within roles multiply: what a few requests make must not take a server's memory, or its writers' time. */
static void test_size(void)
{
    const char *inner[WIDTH], *middle[WIDTH], *permission = "SITE.X";
    door_answer_t answer;

    while (strlen(permission) < 120)
        permission = text("%sX", permission);
    for (int i = 0; i < WIDTH; i++)
        inner[i] = make(text("Inner %d", i), wide(permission, NULL));
    for (int i = 0; i < WIDTH; i++)
        middle[i] = make(text("Middle %d", i), wide(NULL, inner));
    const char *outer = make("Wide", "");
    long long before = version(outer);
    const char *body = text("{\"name\":\"Widest\"%s}", wide(NULL, middle));

    answer = post("/v1/roles", door->key, body);
    refused(answer, 400, "BAD_REQUEST", "", "a role that is too large to be shown is not made");
    is_int(count("SELECT COUNT(*) FROM roles WHERE name = 'Widest'"), 0, "... indeed not");
    answer = set(outer, door->key, body);
    refused(answer, 400, "BAD_REQUEST", "", "nor does one become so");
    is_int(version(outer), before, "... indeed not");
    /* Made from the inside out it can become so unseen. */
    for (int i = 0; i < 7; i++) {
        outer = make(text("Grown %d", i), "");
        change(text(
            "INSERT INTO role_children (role_id, position, child_id) SELECT '%s', ROW_NUMBER() OVER (ORDER BY id), "
            "id FROM roles WHERE name LIKE 'Middle %%'",
            outer));
    }
    answer = role(outer, door->key);
    ok(answer.status == 200 && answer.length > 5 * 1024 * 1024, "one that has become large is shown");
    answer = get("/v1/roles?include_child_roles=true&limit=500", door->key);
    refused(answer, 400, "INVALID_FIELD", "limit", "but not many of them at once");
    answer = get("/v1/roles?include_child_roles=true&limit=1", door->key);
    is_int(answer.status, 200, "... a few are");
    answer = patch(text("/v1/roles/%s", outer), door->key, "{\"description\":\"Changed\"}");
    refused(answer, 400, "BAD_REQUEST", "", "it is not changed but to something smaller");
    answer = patch(text("/v1/roles/%s", outer), door->key, "{\"child_role_ids\":[]}");
    is_int(answer.status, 200, "... which it is");
}

/* ---- change ----------------------------------------------------------------------------------------------------- */

static void test_fields(void)
{
    const char *viewer = role_named("Quote Viewer"), *wallet = role_named("Wallet Viewer");
    const char *id =
        make("Clerk", text("%s,\"description\":\"Works\",\"permissions\":[\"SITE.A\",\"SITE.B\"]", inside(viewer)));
    static const struct {
        const char *body, *at, *value, *changed;
    } cases[] = {
        {"{\"name\":\"Head Clerk\"}", "name", "\"Head Clerk\"", " name"},
        {"{\"name\":\"HEAD clerk\"}", "name", "\"HEAD clerk\"", " name"},
        {"{\"description\":\"Works on\"}", "description", "\"Works on\"", " description"},
        {"{\"description\":null}", "description", "\"\"", " description"},
        {"{\"permissions\":[\"SITE.C\",\"ALERT.VIEW\",\"SITE.C\"]}", "permissions", "[\"ALERT.VIEW\",\"SITE.C\"]",
         " permissions"},
        {"{\"permissions\":[]}", "permissions", "[]", " permissions"},
        {"{\"child_role_ids\":[]}", "child_role_ids", "[]", " child_role_ids"},
        {"{\"name\":\"Clerk\",\"description\":\"x\",\"permissions\":[\"SITE.A\"]}", "slug", "\"clerk\"",
         " name description permissions"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long long before = version(id);
        door_answer_t answer = set(id, door->key, cases[i].body), seen = role(id, door->key);
        accepted(answer, 200, "PATCH %s", cases[i].body);
        is_str(json_at(&answer, cases[i].at), cases[i].value, "... %s", cases[i].at);
        is_str(seen.text, answer.text, "... and so it is read");
        is_int(version(id), before + 1, "... one version on");
        is_str(last_audit(), text("UPDATE|ROLE|%s|Changed:%s", id, cases[i].changed),
               "... an audit record # security 82");
    }
    door_answer_t answer =
        set(id, door->key, text("{\"child_role_ids\":[\"%s\",\"%s\",\"%s\"]}", wallet, viewer, wallet));
    is_str(json_at(&answer, "child_role_ids"), text("[\"%s\",\"%s\"]", wallet, viewer),
           "children are replaced, in their order, each once");
    is_str(text("%s %s %s", door_text(&answer, "name"), door_text(&answer, "description"),
                json_at(&answer, "permissions")),
           "Clerk x [\"SITE.A\"]", "what is not said is kept");
    answer = set(id, door->key, text("{\"child_role_ids\":[\"%s\",\"%s\"]}", viewer, wallet));
    is_str(json_at(&answer, "child_roles.0.name"), "\"Quote Viewer\"", "another order is another list");
}

/* A client sends back what it got. */
static void test_sent_back(void)
{
    const char *id = make("Echo", text("%s,\"permissions\":[\"SITE.B\",\"SITE.A\"]", inside(role_named("Clerk")))),
               *before = state();
    door_answer_t first = role(id, door->key), answer = set(id, door->key, first.text);

    is_str(answer.text, first.text, "all of it sent back");
    answer = set(id, door->key, "{}");
    is_str(answer.text, first.text, "nothing sent");
    answer = set(id, door->key,
                 "{\"id\":\"x\",\"object_type\":7,\"entity_id\":[],\"child_roles\":{},\"name\":null,\"slug\":null,"
                 "\"permissions\":null,\"child_role_ids\":null}");
    is_str(answer.text, first.text, "what cannot be written, and null where nothing can be cleared");
    is_str(state(), before, "... changes no row: no version, no audit record");
    /* The whole object with one member changed. */
    json_t *whole = json_deep_copy(first.json);
    json_object_set_new(whole, "description", json_string("Again"));
    answer = set(id, door->key, identity_json_text(door->pool, identity_json_own(door->pool, whole), NULL));
    accepted(answer, 200, "the whole object with one change");
    is_str(last_audit(), text("UPDATE|ROLE|%s|Changed: description", id), "... is that change");
}

static void test_refusals(void)
{
    const char *id = make("Refuser", ""), *builtin = role_named("Quote Viewer");
    static const struct {
        const char *body, *outcome;
    } cases[] = {
        {"{\"slug\":\"another\"}", "400 INVALID_FIELD slug"},
        {"{\"slug\":\"Not A Slug\"}", "400 INVALID_FIELD slug"},
        {"{\"name\":\"clerk\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"ADMINISTRATOR\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"full-access\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"Full  Access!\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"read_only\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"Renamed-Shift\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"first.shift\"}", "409 RESOURCE_ALREADY_EXISTS name"},
        {"{\"name\":\"\"}", "400 INVALID_FIELD name"},
        {"{\"name\":7}", "400 INVALID_FIELD name"},
        {"{\"description\":\"a\\u0007b\"}", "400 INVALID_FIELD description"},
        {"{\"permissions\":[\"A.B\",\"A.B\",\"a.b\"]}", "400 INVALID_FIELD permissions.2"},
        {"{\"permissions\":{}}", "400 INVALID_FIELD permissions"},
        {"{\"child_role_ids\":[\"role_00000000000000000000\"]}", "400 INVALID_FIELD child_role_ids.0"},
        {"{\"child_role_ids\":[\"nonsense\"]}", "400 INVALID_FIELD child_role_ids.0"},
        {"[]", "400 BAD_REQUEST "},
    };
    accepted(set(make("First Shift", ""), door->key, "{\"name\":\"Renamed Shift\"}"), 200,
             "A2: another role is renamed and keeps its slug");
    const char *before = state();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = set(id, door->key, cases[i].body);
        is_str(outcome_of(&answer), cases[i].outcome, "%sPATCH %s",
               cases[i].outcome[0] == '4' && strstr(cases[i].outcome, " name") ? "A2: " : "", cases[i].body);
    }
    accepted(set(id, door->key, "{\"name\":\"refuser\"}"), 200, "A2: its own slug is in nobody's way");
    accepted(set(id, door->key, "{\"name\":\"Refuser\"}"), 200, "... back");
    before = state();
    door_answer_t answer = set(builtin, door->key, "{\"description\":\"x\"}");
    refused(answer, 409, "INVALID_OPERATION", "", "a built-in role is read-only");
    answer = set(builtin, door->key, "{}");
    refused(answer, 409, "INVALID_OPERATION", "", "... whatever is sent");
    answer = drop(builtin, door->key);
    refused(answer, 409, "INVALID_OPERATION", "", "... and stays");
    is_str(state(), before, "none of it changed a row");
    const char *theirs = role_named("Administrator");
    answer = post("/v1/roles", door->other_key, "{\"name\":\"Theirs\"}");
    theirs = door_text(&answer, "id");
    before = state();
    answer = set(id, door->key, text("{\"child_role_ids\":[\"%s\"]}", theirs));
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.0", "another entity's role as a child # security 60");
    answer = set(theirs, door->key, "{\"description\":\"x\"}");
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "another entity's role # security 60");
    answer = drop(theirs, door->key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "... cannot be deleted");
    is_str(state(), before, "none of it changed a row");
}

/* Chains of roles: at most two steps, below and above, and never a ring. */
static void test_graph(void)
{
    const char *a = make("A", ""), *b = make("B", inside(a)), *c = make("C", inside(b)), *x = make("X", ""),
               *y = make("Y", inside(x)), *deepest = "Child roles can be nested at most two deep.",
               *ring = "A role cannot include itself, directly or through other roles.";
    const struct {
        const char *what, *id, *body, *field, *message;
    } cases[] = {
        {"itself", a, text("{\"child_role_ids\":[\"%s\"]}", a), "child_role_ids.0", ring},
        {"itself beside another", b, text("{\"child_role_ids\":[\"%s\",\"%s\"]}", a, b), "child_role_ids.1", ring},
        {"its parent", a, text("{\"child_role_ids\":[\"%s\"]}", b), "child_role_ids.0", ring},
        {"its parent's parent", a, text("{\"child_role_ids\":[\"%s\"]}", c), "child_role_ids.0", ring},
        {"a child, where it is a grandchild", a, text("{\"child_role_ids\":[\"%s\"]}", x), "child_role_ids.0", deepest},
        {"a child with a child, where it is a child", b, text("{\"child_role_ids\":[\"%s\",\"%s\"]}", a, y),
         "child_role_ids.1", deepest},
        {"a role that is two deep", x, text("{\"child_role_ids\":[\"%s\"]}", c), "child_role_ids.0", deepest},
    };
    const char *before = state();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = set(cases[i].id, door->key, cases[i].body);
        refused(answer, 400, "INVALID_FIELD", cases[i].field, "a role is given %s", cases[i].what);
        is_str(door_text(&answer, "message"), cases[i].message, "... and told why");
    }
    is_str(state(), before, "none of it changed a row");
    door_answer_t answer = set(b, door->key, text("{\"child_role_ids\":[\"%s\",\"%s\"]}", x, a));
    accepted(answer, 200, "a child of a child may be another one");
    answer = role(c, door->key);
    is_str(door_text(&answer, "child_roles.0.child_roles.0.name"), "X", "... which shows above");
    answer = set(c, door->key, "{\"child_role_ids\":[]}");
    accepted(answer, 200, "the chain is cut above");
    answer = set(a, door->key, text("{\"child_role_ids\":[\"%s\"]}", y));
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.0", "(three steps still)");
    answer = set(a, door->key, inside(x) + 1);
    is_int(answer.status, 400, "(not JSON)");
    answer = set(a, door->key, text("{%s}", inside(x) + 1));
    accepted(answer, 200, "... now the last but one may have a child");
    answer = set(x, door->key, text("{\"child_role_ids\":[\"%s\"]}", b));
    refused(answer, 400, "INVALID_FIELD", "child_role_ids.0", "a ring by two others");
    is_str(door_text(&answer, "message"), ring, "... is told as one");
}

/* ---- nobody gives what they lack (security 62) ------------------------------------------------------------------ */

static void test_lacking(void)
{
    const char *keeper = login("keeper@example.org"), *half = login("half@example.org");
    const char *more = make("More", ",\"permissions\":[\"ALERT.VIEW\"]"), *empty = make("Void", ""),
               *nested = make("Nested", inside(more)), *own = role_named("Keeper"), *before = state();
    const struct {
        const char *id, *body, *field;
    } cases[] = {
        {empty, "{\"permissions\":[\"ALERT.VIEW\"]}", "permissions"},
        {empty, "{\"permissions\":[\"SITE.ANY\"]}", "permissions"},
        {empty, text("{\"child_role_ids\":[\"%s\"]}", more), "child_role_ids"},
        {empty, text("{\"child_role_ids\":[\"%s\"]}", nested), "child_role_ids"},
        {empty, text("{\"child_role_ids\":[\"%s\"]}", role_named("Administrator")), "child_role_ids"},
        {own, "{\"permissions\":[\"ROLE.VIEW\",\"ROLE.UPDATE\",\"USER.MORTAL.UPDATE\"]}", "permissions"},
        {own, text("{\"child_role_ids\":[\"%s\"]}", more), "child_role_ids"},
        /* What others hold by it is not the caller's to take or to change. */
        {more, "{\"permissions\":[]}", ""},
        {more, "{\"name\":\"Less\"}", ""},
        {nested, "{\"child_role_ids\":[]}", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = set(cases[i].id, keeper, cases[i].body);
        refused(answer, 403, "USER_NOT_ALLOWED", cases[i].field, "PATCH %s # security 62", cases[i].body);
    }
    door_answer_t answer = set(empty, half, "{\"name\":\"Half\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "an administrator of one of two accounts: roles are the entity's");
    answer = drop(empty, half);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... and cannot be deleted by them");
    is_str(state(), before, "none of it changed a row");
    answer = set(empty, keeper, "{\"permissions\":[\"ROLE.VIEW\"]}");
    accepted(answer, 200, "what is held in all accounts may be given");
    answer = post("/v1/api-keys", door->key, "{\"permissions\":[\"ROLE.UPDATE\",\"SITE.ONE\"]}");
    const char *narrow = door_text(&answer, "api_key");
    answer = set(empty, narrow, "{\"description\":\"x\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a narrowed key, by a role that grants more # security 58");
    const char *site = make("Site", "");
    answer = set(site, narrow, "{\"permissions\":[\"SITE.ONE\",\"SITE.TWO\"]}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "... gives no more than it has # security 58");
    answer = set(site, narrow, "{\"permissions\":[\"SITE.ONE\"]}");
    accepted(answer, 200, "... and what it has");
}

/* However many accounts the entity has, their administrator is that of all, and one of all but one is not. */
static void test_many_accounts(void)
{
    const char *name = "many@example.org", *id = person_with(name, "ADMIN", "");

    change("BEGIN");
    change(text("INSERT INTO accounts (id, entity_id, reference, account_type_code, environment, created_at) "
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) "
                "SELECT printf('plat_%%020d', i), '%s', 'many' || i, 'PLATFORM', 'TEST', i FROM n",
                door->entity_id));
    change(text("INSERT INTO memberships (id, entity_id, user_id, account_id, type, created_at) "
                "SELECT 'memb_' || substr(a.id, 6), a.entity_id, '%s', a.id, 'ADMIN', 1 FROM accounts a "
                "WHERE a.entity_id = '%s' AND a.id <> '%s'",
                id, door->entity_id, door->account_id));
    change("COMMIT");
    const char *bearer = login(name);
    door_answer_t answer = post("/v1/roles", bearer, "{\"name\":\"Of 602\"}");
    accepted(answer, 200, "who administers each of 602 accounts makes roles");
    change(text("DELETE FROM memberships WHERE user_id = '%s' AND account_id = '%s'", id, door->second_account_id));
    answer = post("/v1/roles", bearer, "{\"name\":\"Of 601\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "who administers all but one does not # security 62");
    change("DELETE FROM accounts WHERE reference LIKE 'many%'");
}

/* ---- a change holds from the next request on (security 37) ------------------------------------------------------ */

static void test_effect(void)
{
    const char *inner = make("Core", ",\"permissions\":[\"ROLE.VIEW\"]"), *id = make("Shell", inside(inner));
    person_with("holder@example.org", "USER", named("Shell"));
    const char *holder = login("holder@example.org");

    is_int(get("/v1/roles", holder).status, 200, "a permission by a role inside a role");
    set(inner, door->key, "{\"permissions\":[\"SITE.NONE\"]}");
    is_int(get("/v1/roles", holder).status, 403, "is gone with the next request # security 37");
    set(id, door->key, "{\"permissions\":[\"ROLE.VIEW\",\"ROLE.UPDATE\"]}");
    is_int(get("/v1/roles", holder).status, 200, "a new one is there # security 37");
    set(id, door->key, "{\"permissions\":[]}");
    is_int(get("/v1/roles", holder).status, 403, "and taken");
    set(id, door->key, text("{\"child_role_ids\":[\"%s\"]}", role_named("Role Viewer")));
    is_int(get("/v1/roles", holder).status, 200, "by another child it is back");
}

/* ---- delete ----------------------------------------------------------------------------------------------------- */

static void test_delete(void)
{
    const char *id = make("Gone", text("%s,\"permissions\":[\"SITE.A\"]", inside(role_named("Quote Viewer"))));
    door_answer_t was = role(id, door->key), answer = drop(id, door->key);

    accepted(answer, 200, "delete");
    is_str(answer.text, was.text, "... answers the role as it was");
    is_str(last_audit(), text("DELETE|ROLE|%s|A role was deleted.", id), "... an audit record # security 82");
    is_str(rows(text("SELECT (SELECT COUNT(*) FROM roles WHERE id = '%s'), (SELECT COUNT(*) FROM role_children WHERE "
                     "role_id = '%s'), (SELECT COUNT(*) FROM role_permissions WHERE role_id = '%s')",
                     id, id, id)),
           "0|0|0", "... nothing of it is left");
    answer = drop(id, door->key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "twice");
    answer = role(id, door->key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "it is not there");
    make("Gone", ",\"slug\":\"gone\"");
    ok(true, "its name and slug are free again");
    answer = drop(make("Full", ",\"permissions\":[\"ALERT.VIEW\"]"), login("keeper@example.org"));
    accepted(answer, 200, "what nobody holds may be deleted by whoever may delete roles");
}

static void test_in_use(void)
{
    const char *by_user = make("By User", ""), *by_team = make("By Team", ""), *by_invitation = make("By Invite", ""),
               *by_role = make("By Role", ""), *parent = make("Parent", inside(by_role)), *named_by = make("Named", ""),
               *team = serve_team("Users");
    const char *used[] = {by_user, by_team, by_invitation, by_role, named_by};

    person_with("user@example.org", "USER", named("By User"));
    serve_team_gives(team, door->account_id, "USER", "By Team");
    post("/v1/users/invite", door->key,
         text("{\"username\":\"user@example.org\",\"account_memberships\":[%s]}",
              member(door->second_account_id, "USER", named("By Invite"))));
    post("/v1/users/invite", door->key, "{\"username\":\"open@example.org\"}");
    is_int(change(text("UPDATE invitations SET role_id = '%s' WHERE email = 'open@example.org'", named_by)), 1,
           "an invitation names a role");
    const char *before = state();
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        door_answer_t answer = drop(used[i], door->key);
        refused(answer, 409, "INVALID_OPERATION", "", "%s: in use",
                rows(text("SELECT name FROM roles WHERE id = '%s'", used[i])));
    }
    is_str(state(), before, "none of it changed a row");
    post("/v1/users/revoke-invite", door->key, "{\"username\":\"open@example.org\"}");
    door_answer_t answer = drop(named_by, door->key);
    accepted(answer, 200, "an invitation that is closed uses none");
    answer = drop(parent, door->key);
    accepted(answer, 200, "the role around it goes");
    answer = drop(by_role, door->key);
    accepted(answer, 200, "... and then the one inside");
}

int main(void)
{
    serve_begin();
    make("Keeper", ",\"permissions\":[\"ROLE.VIEW\",\"ROLE.UPDATE\",\"ROLE.DELETE\"]");
    door_person(door, "keeper@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "USER", named("Keeper")),
                     member(door->second_account_id, "USER", named("Keeper"))));
    person_with("half@example.org", "ADMIN", "");
    test_get();
    test_size();
    test_fields();
    test_sent_back();
    test_refusals();
    test_graph();
    test_lacking();
    test_many_accounts();
    test_effect();
    test_delete();
    test_in_use();
    return serve_end();
}
