/* SPDX-License-Identifier: Apache-2.0 */
/* GET /permissions/{name}/holders: who holds a permission, in which account and by what, against what the service lets
 * them do. route list_permission_holders */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

static const char *admin, *deep, *member_of, *bare, *whole, *partner;

static door_answer_t ask(const char *permission, const char *query, const char *credential)
{
    return get(text("/v1/permissions/%s/holders%s", permission, query), credential);
}

static const char *name_of(const json_t *row)
{
    const char *name = json_string_value(json_object_get(json_object_get(row, "user"), "username"));
    return name ? name : json_string_value(json_object_get(json_object_get(row, "api_key"), "description"));
}

static const char *account_name(const char *id)
{
    return strcmp(id, door->account_id) == 0 ? "1" : strcmp(id, door->second_account_id) == 0 ? "2" : id;
}

/* `team: role>child` or the type, of each way. */
static const char *sources_of(const json_t *row)
{
    const char *all = "";
    json_t *source, *role;
    size_t s, r;

    json_array_foreach (json_object_get(row, "sources"), s, source) {
        const char *team = json_string_value(json_object_get(source, "team"));
        all = text("%s%s%s%s", all, s ? "+" : "", team ? team : "", team ? ":" : "");
        if (json_array_size(json_object_get(source, "roles")) == 0)
            all = text("%s%s", all, json_string_value(json_object_get(source, "type")));
        json_array_foreach (json_object_get(source, "roles"), r, role)
            all = text("%s%s%s", all, r ? ">" : "", json_string_value(role));
    }
    return all;
}

/* `name@account(sources)` of each row, in their order. */
static const char *told(const door_answer_t *answer)
{
    const char *all = "";
    json_t *row;
    size_t i;

    json_array_foreach (json_object_get(answer->json, "data"), i, row)
        all = text("%s%s%s@%s(%s)", all, i ? " " : "", name_of(row),
                   account_name(json_string_value(json_object_get(row, "account_id"))), sources_of(row));
    return all;
}

/* ---- people ----------------------------------------------------------------------------------------------------- */

static void joins(const char *user_id, const char *team, apr_int64_t from, apr_int64_t until)
{
    const char *start = identity_time_format(door->pool, door->now + apr_time_from_sec(from)),
               *end = identity_time_format(door->pool, door->now + apr_time_from_sec(until));

    accepted(post(text("/v1/users/%s/teams", user_id), door->key,
                  text("{\"team_id\":\"%s\",\"start_at\":\"%s\",\"end_at\":\"%s\"}", team, start, end)),
             201, "(joins a team)");
}

static const char *role(const char *name, const char *permissions, const char *children)
{
    door_answer_t answer =
        post("/v1/roles", door->key,
             text("{\"name\":\"%s\",\"permissions\":[%s],\"child_role_ids\":[%s]}", name, permissions, children));
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

static void begin(void)
{
    const char *one = role("One", "\"SITE.ONE\"", text("\"%s\"", role_named("Wallet Viewer")));
    role("Two", "\"SITE.TWO\"", text("\"%s\"", one));
    const char *support = serve_team("Support"), *masters = serve_team("Masters");
    serve_team_gives(support, door->account_id, "USER", "Two");
    serve_team_gives(support, door->second_account_id, "USER", "Read Only");
    serve_team_gives(masters, door->second_account_id, "ADMIN", "");
    admin = person_with("admin@example.org", "ADMIN", named("Wallet Viewer"));
    deep = person_with("deep@example.org", "USER", ",\"roles\":[{\"name\":\"Two\"},{\"name\":\"Wallet Viewer\"}]");
    member_of = person_with("member@example.org", "PARTNER", "");
    bare = door_person(door, "bare@example.org", PASSWORD, "[]");
    whole = person_with("whole@example.org", "USER", named("Administrator"));
    partner = person_with("partner@example.org", "PARTNER", named("Read Only"));
    joins(deep, support, -100, 100000);
    joins(member_of, support, 1000, 2000);
    joins(member_of, masters, -100, 1000);
}

static void test_who(void)
{
    static const struct {
        const char *permission, *account, *people;
    } cases[] = {
        {"SITE.ONE", "1", "admin@1(ADMIN) deep@1(Two>One+Support:Two>One) whole@1(Administrator)"},
        {"SITE.ONE", "2", "member@2(Masters:ADMIN)"},
        {"WALLET.VIEW", "1",
         "admin@1(ADMIN+Wallet Viewer) deep@1(Two>One>Wallet Viewer+Wallet Viewer+Support:Two>One>Wallet Viewer) "
         "whole@1(Administrator) partner@1(Read Only)"},
        {"WALLET.VIEW", "2", "deep@2(Support:Read Only) member@2(Masters:ADMIN)"},
        {"ROLE.CREATE", "1", "admin@1(ADMIN) whole@1(Administrator)"},
        {"NO.SUCH", "1", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *id = *cases[i].account == '1' ? door->account_id : door->second_account_id, *people = "";
        door_answer_t answer = ask(cases[i].permission, text("?order_direction=asc&account=%s", id), door->key);
        accepted(answer, 200, "holders of %s in account %s", cases[i].permission, cases[i].account);
        json_t *row;
        size_t r;
        json_array_foreach (json_object_get(answer.json, "data"), r, row)
            if (json_object_get(row, "user"))
                people =
                    text("%s%s%.*s@%s(%s)", people, *people ? " " : "", (int)strcspn(name_of(row), "@"), name_of(row),
                         account_name(json_string_value(json_object_get(row, "account_id"))), sources_of(row));
        is_str(people, cases[i].people, "... are those");
    }
}

/* ---- the same as what they may ---------------------------------------------------------------------------------- */

static bool load(identity_call_t *call, void *data)
{
    identity_user_row_t *user;
    return identity_db_ok(call, identity_user_by_id(call->db, call->id, &user)) &&
           identity_principal_of_user(call, user, data);
}

static bool may(const char *user_id, const char *account_id, const char *permission)
{
    identity_principal_t *principal = NULL;
    identity_call_t call;

    identity_call_begin(&call, door->pool, &door->env, NULL);
    call.id = user_id;
    if (!identity_read(&call, load, &principal))
        bail("no principal");
    return identity_may(principal, account_id, permission);
}

static bool is_told(const door_answer_t *answer, const char *user_id, const char *account_id)
{
    json_t *row;
    size_t i;

    json_array_foreach (json_object_get(answer->json, "data"), i, row) {
        const char *id = json_string_value(json_object_get(json_object_get(row, "user"), "id"));
        if (id && strcmp(id, user_id) == 0 &&
            strcmp(json_string_value(json_object_get(row, "account_id")), account_id) == 0)
            return json_array_size(json_object_get(row, "sources")) > 0;
    }
    return false;
}

static void test_agreement(void)
{
    const char *users[] = {admin, deep, member_of, bare, whole, partner},
               *accounts[] = {door->account_id, door->second_account_id},
               *permissions[] = {"SITE.ONE", "SITE.TWO", "WALLET.VIEW", "WALLET.CREATE", "ROLE.VIEW", "ROLE.CREATE"};
    apr_time_t now = door->now;

    for (int turn = 0; turn < 3; turn++, pass(1000))
        for (size_t p = 0; p < sizeof permissions / sizeof permissions[0]; p++) {
            door_answer_t answer = ask(permissions[p], "?limit=500", door->key);
            int differ = 0;
            for (size_t u = 0; u < sizeof users / sizeof users[0]; u++)
                for (size_t a = 0; a < 2; a++)
                    differ += may(users[u], accounts[a], permissions[p]) != is_told(&answer, users[u], accounts[a]);
            is_int(differ, 0, "%d: who is told to hold %s may do it, and nobody else", turn, permissions[p]);
        }
    door->now = now;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static int keys_told(const char *permission, const char *name)
{
    door_answer_t answer = ask(permission, text("?limit=500&account=%s", door->account_id), door->key);
    json_t *row;
    size_t i;
    int count = 0;

    json_array_foreach (json_object_get(answer.json, "data"), i, row)
        count += json_object_get(row, "api_key") && name_of(row) && strcmp(name_of(row), name) == 0;
    return count;
}

static void test_keys(void)
{
    static const char *const bodies[] = {
        "{\"description\":\"all\"}",
        "{\"description\":\"reader\",\"role_type\":\"READ_ONLY\"}",
        "{\"description\":\"narrow\",\"permissions\":[\"SITE.ONE\",\"KEY.ALONE\"]}",
        "{\"description\":\"narrow reader\",\"role_type\":\"READ_ONLY\",\"permissions\":[\"ROLE.VIEW\",\"SITE.ONE\"]}",
        "{\"description\":\"idle\",\"status\":\"INACTIVE\"}",
        "{\"description\":\"brief\",\"expires_at\":\"2023-11-14T23:00:00Z\"}"};
    static const struct {
        const char *permission, *keys;
    } cases[] = {{"SITE.ONE", "all narrow brief"},
                 {"ROLE.VIEW", "all reader narrow_reader brief"},
                 {"ROLE.CREATE", "all brief"},
                 {"KEY.ALONE", "all narrow brief"}};

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        accepted(post("/v1/api-keys", door->key, bodies[i]), 201, "(a key)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static const char *const names[] = {"all", "reader", "narrow", "narrow reader", "idle", "brief"};
        const char *found = "";
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            if (keys_told(cases[i].permission, names[n]))
                found = text("%s%s%s", found, *found ? " " : "",
                             strcmp(names[n], "narrow reader") == 0 ? "narrow_reader" : names[n]);
        is_str(found, cases[i].keys, "keys that hold %s", cases[i].permission);
    }
    door_answer_t answer = ask("ROLE.CREATE", "?limit=500", door->key);
    ok(strstr(told(&answer), "all@1(ADMIN)") && strstr(told(&answer), "all@2(ADMIN)"), "in every account");
    answer = ask("ROLE.VIEW", text("?limit=500&account=%s", door->account_id), door->key);
    ok(strstr(told(&answer), "reader@1(Read Only)") != NULL, "as their account_memberships have it");
    ok(strstr(answer.text, "{\"api_key\":{\"id\":\"apik_") && !strstr(answer.text, "idk_"), "by id and description");
    apr_time_t now = door->now;
    identity_time_parse("2023-11-14T23:00:00Z", &door->now);
    is_int(keys_told("ROLE.CREATE", "brief"), 0, "one whose time is over holds nothing");
    door->now = now;
}

/* ---- who is told ------------------------------------------------------------------------------------------------ */

static void test_refusals(void)
{
    person_with("viewer@example.org", "USER", named("User Viewer"));
    const char *viewer = login("viewer@example.org"), *half = login("admin@example.org");
    const char *unknown = "plat_00000000000000000000";

    refused(ask("ROLE.VIEW", "", NULL), 401, "UNAUTHORISED", "", "without a credential");
    refused(ask("ROLE.VIEW", "", login("bare@example.org")), 403, "USER_NOT_ALLOWED", "", "without a permission");
    refused(ask("ROLE.VIEW", "", viewer), 403, "USER_NOT_ALLOWED", "", "without ROLE.VIEW");
    door_answer_t answer = ask("ROLE.VIEW", "", viewer);
    is_str(header(&answer, "WWW-Authenticate"),
           "Bearer realm=\"identity\", error=\"insufficient_scope\", scope=\"ROLE.VIEW\"", "... which is named");
    refused(ask("role.view", "", door->key), 404, "RESOURCE_NOT_FOUND", "", "what is no name of a permission");
    refused(ask("*", "", door->key), 404, "RESOURCE_NOT_FOUND", "", "nor is *");
    refused(ask("ROLE.VIEW", text("?account=%s", unknown), door->key), 403, "USER_NOT_ALLOWED", "account",
            "an account that nobody has");
    refused(ask("ROLE.VIEW", text("?account=%s", door->account_id), door->other_key), 403, "USER_NOT_ALLOWED",
            "account", "... and one of another entity # security 60");
    refused(ask("ROLE.VIEW", text("?account=%s", door->second_account_id), half), 403, "USER_NOT_ALLOWED", "account",
            "... and one where the caller is not");
    refused(ask("ROLE.VIEW", "?accounts=x", door->key), 400, "INVALID_FIELD", "accounts", "an unknown parameter");
    refused(ask("ROLE.VIEW", "?order_by=username", door->key), 400, "INVALID_FIELD", "order_by", "another order");
    answer = ask("ROLE.CREATE", "?order_direction=asc", door->other_key);
    ok(!strstr(answer.text, "example.org"), "another entity is told of its own # security 60");
    answer = ask("SITE.ONE", "", door->other_key);
    is_str(json_at(&answer, "data"), "[]", "... and what only others name is unknown there");
}

static void test_accounts(void)
{
    const char *half = login("admin@example.org"),
               *reference = rows(text("SELECT reference FROM accounts WHERE id = '%s'", door->second_account_id));
    door_answer_t both = ask("SITE.ONE", "?limit=500", door->key), mine = ask("SITE.ONE", "?limit=500", half);

    ok(strstr(told(&both), "@1(") && strstr(told(&both), "@2("), "a key is told of every account");
    ok(strstr(told(&mine), "@1(") && !strstr(told(&mine), "@2("), "a person of those where it is");
    door_answer_t by_id = ask("SITE.ONE", text("?account=%s", door->second_account_id), door->key),
                  by_name = ask("SITE.ONE", text("?account=%s", reference), door->key);
    is_str(told(&by_name), told(&by_id), "an account is named by its reference, too");
    door->platform_id = door->second_account_id;
    door_answer_t by_header = ask("SITE.ONE", "", door->key);
    is_str(told(&by_header), told(&by_id), "... or by x-platform-id");
    refused(ask("SITE.ONE", text("?account=%s", door->account_id), door->key), 400, "INVALID_FIELD", "account",
            "... but not two of them");
    door->platform_id = NULL;
    /* In one account the permissions, in the other none. */
    const char *id = person_with("split@example.org", "ADMIN", "");
    accepted(post(text("/v1/users/%s/memberships", id), door->key, member(door->second_account_id, "USER", "")), 201,
             "(a second account)");
    const char *split = login("split@example.org");
    refused(ask("SITE.ONE", "", split), 403, "USER_NOT_ALLOWED", "", "what is not held in all of them is not asked");
    accepted(ask("SITE.ONE", text("?account=%s", door->account_id), split), 200, "... but where it is");
    refused(ask("SITE.ONE", text("?account=%s", door->second_account_id), split), 403, "USER_NOT_ALLOWED", "",
            "... and there alone");
}

static void test_partner(void)
{
    door_answer_t answer = ask("ROLE.VIEW", "", login("partner@example.org"));
    is_str(told(&answer), "partner@example.org@1(Read Only)", "a PARTNER is told of itself alone");
    answer = ask("SITE.ONE", "", login("partner@example.org"));
    is_str(json_at(&answer, "data"), "[]", "... where it holds it");
    person_with("people@example.org", "USER", ",\"roles\":[{\"name\":\"User Viewer\"},{\"name\":\"Role Viewer\"}]");
    accepted(post("/v1/roles", door->key, "{\"name\":\"Looks\",\"permissions\":[\"USER.MORTAL.VIEW\",\"ROLE.VIEW\"]}"),
             200, "(a role)");
    person_with("looks@example.org", "USER", named("Looks"));
    answer = ask("ROLE.CREATE", "?limit=500", login("looks@example.org"));
    ok(strstr(answer.text, "admin@example.org") && !strstr(answer.text, "api_key"),
       "who may not view keys is not told of them");
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

static const char *follow(const char *direction, const char *query)
{
    const char *target = text("/v1/permissions/ROLE.VIEW/holders?%s", query), *all = "";

    for (int i = 0; target && i < 100; i++) {
        door_answer_t answer = get(target, door->key);
        if (answer.status != 200)
            bail(answer.text);
        all = strcmp(direction, "next") == 0 ? text("%s %s", all, told(&answer)) : text(" %s%s", told(&answer), all);
        target = door_text(&answer, text("links.%s", direction));
    }
    return all;
}

static void test_pages(void)
{
    door_answer_t whole_list = ask("ROLE.VIEW", "?limit=500&order_direction=asc", door->key),
                  descending = ask("ROLE.VIEW", "?limit=500", door->key);
    const char *all = text(" %s", told(&whole_list)), *numbered = "";
    size_t count = size_at(&whole_list, "data");

    ok(count > 12, "%d holders in two accounts", (int)count);
    is_str(follow("next", "limit=2&order_direction=asc"), all, "the same by following links");
    is_str(follow("next", "limit=3"), text(" %s", told(&descending)), "... the newest first");
    for (size_t page = 1; page <= (count + 3) / 4; page++) {
        door_answer_t answer = ask("ROLE.VIEW", text("?limit=4&order_direction=asc&page=%d", (int)page), door->key);
        numbered = text("%s %s", numbered, told(&answer));
        is_int(json_integer_value(door_at(answer.json, "total_number_of_pages")), (count + 3) / 4, "page %d of",
               (int)page);
    }
    is_str(numbered, all, "... and by number");
    door_answer_t last = ask("ROLE.VIEW", text("?limit=1&order_direction=asc&page=%d", (int)count), door->key);
    const char *back = strchr(door_text(&last, "links.previous"), '?') + 1;
    is_str(text("%s %s", follow("previous", back), told(&last)), all, "... and backwards");
}

int main(void)
{
    serve_begin();
    begin();
    test_who();
    test_agreement();
    test_keys();
    test_refusals();
    test_accounts();
    test_partner();
    test_pages();
    return serve_end();
}
