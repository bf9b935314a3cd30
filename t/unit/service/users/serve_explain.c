/* SPDX-License-Identifier: Apache-2.0 */
/* What htidentity user show tells: held, account by account, against what the service itself lets somebody do. */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

static const char *admin, *deep, *member_of, *bare, *whole;

static json_t *explain(const char *user)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *answer = NULL;

    if (!identity_user_explain(door->pool, &door->env, door->entity_id, user, &answer, &problem))
        bail(problem.message);
    return answer;
}

static bool load(identity_call_t *call, void *data)
{
    identity_user_row_t *user;
    return identity_db_ok(call, identity_user_by_id(call->db, call->id, &user)) &&
           identity_principal_of_user(call, user, data);
}

static identity_principal_t *load_principal(const char *user_id)
{
    identity_principal_t *principal = NULL;
    identity_call_t call;

    identity_call_begin(&call, door->pool, &door->env, NULL);
    call.id = user_id;
    if (!identity_read(&call, load, &principal))
        bail("no principal");
    return principal;
}

static identity_permset_t set_of(json_t *permissions)
{
    identity_permset_t set = {0};
    json_t *permission;
    size_t i;

    json_array_foreach (permissions, i, permission) {
        const char *name = json_string_value(json_object_get(permission, "permission"));
        if (strcmp(name, "*") == 0)
            set.all = true;
        else
            identity_permset_add(door->pool, &set, name);
    }
    return set;
}

static void agree(const char *user_id, const char *principal)
{
    const identity_principal_t *holder = load_principal(user_id);
    json_t *effective = json_object_get(explain(user_id), "effective");
    int alike = 0;

    is_int(json_array_size(effective), holder->grants->nelts, "%s: the accounts", principal);
    for (int i = 0; i < holder->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(holder->grants, i, identity_grant_t);
        json_t *account;
        size_t a;
        json_array_foreach (effective, a, account) {
            identity_permset_t set = set_of(json_object_get(account, "permissions"));
            if (strcmp(json_string_value(json_object_get(account, "account_id")), grant->account_id) == 0)
                alike += identity_permset_covers(&set, &grant->permissions) &&
                         identity_permset_covers(&grant->permissions, &set);
        }
    }
    is_int(alike, holder->grants->nelts, "%s: what is told is what is held, in each of them", principal);
}

/* `team: role>child; ADMIN` of a permission in an account. */
static const char *sources(json_t *told, const char *account_id, const char *name)
{
    json_t *account, *permission, *source, *role;
    const char *all = "";
    size_t a, p, s, r;

    json_array_foreach (json_object_get(told, "effective"), a, account)
        json_array_foreach (json_object_get(account, "permissions"), p, permission) {
            if (strcmp(json_string_value(json_object_get(account, "account_id")), account_id) != 0 ||
                strcmp(json_string_value(json_object_get(permission, "permission")), name) != 0)
                continue;
            json_array_foreach (json_object_get(permission, "sources"), s, source) {
                const char *team = json_string_value(json_object_get(source, "team"));
                all = text("%s%s%s%s", all, s ? "; " : "", team ? team : "", team ? ": " : "");
                if (json_array_size(json_object_get(source, "roles")) == 0)
                    all = text("%s%s", all, json_string_value(json_object_get(source, "type")));
                json_array_foreach (json_object_get(source, "roles"), r, role)
                    all = text("%s%s%s", all, r ? ">" : "", json_string_value(role));
            }
        }
    return all;
}

static void joins(const char *user_id, const char *team, const char *start, const char *end)
{
    accepted(post(text("/v1/users/%s/teams", user_id), door->key,
                  text("{\"team_id\":\"%s\",\"start_at\":\"%s\"%s%s%s}", team, start, end ? ",\"end_at\":\"" : "",
                       end ? end : "", end ? "\"" : "")),
             201, "(joins a team)");
}

static void begin(void)
{
    const char *past = identity_time_format(door->pool, door->now - apr_time_from_sec(100)),
               *soon = identity_time_format(door->pool, door->now + apr_time_from_sec(1000)),
               *later = identity_time_format(door->pool, door->now + apr_time_from_sec(2000));
    door_answer_t one = post("/v1/roles", door->key,
                             text("{\"name\":\"One\",\"permissions\":[\"SITE.ONE\"],\"child_role_ids\":[\"%s\"]}",
                                  role_named("Wallet Viewer"))),
                  two = post(
                      "/v1/roles", door->key,
                      text(
                          "{\"name\":\"Two\",\"permissions\":[\"SITE.TWO\",\"SITE.VIEW\"],\"child_role_ids\":[\"%s\"]}",
                          door_text(&one, "id")));
    accepted(two, 200, "(roles two deep)");
    const char *support = serve_team("Support"), *masters = serve_team("Masters");
    serve_team_gives(support, door->account_id, "USER", "Two");
    serve_team_gives(support, door->second_account_id, "USER", "Read Only");
    serve_team_gives(masters, door->second_account_id, "ADMIN", "");

    admin = person_with("admin@example.org", "ADMIN", named("Wallet Viewer"));
    deep = person_with("deep@example.org", "USER",
                       ",\"roles\":[{\"name\":\"Two\"},{\"name\":\"Wallet Viewer\"},{\"name\":\"Read Only\"}]");
    member_of = person_with("Member@example.org", "PARTNER", "");
    bare = door_person(door, "bare@example.org", PASSWORD, "[]");
    whole = person_with("whole@example.org", "USER", named("Administrator"));
    joins(deep, support, past, NULL);
    joins(member_of, support, soon, later);
    joins(member_of, masters, past, soon);
}

static void test_agreement(void)
{
    for (int turn = 0; turn < 3; turn++, pass(1000)) {
        agree(admin, text("%d: an administrator", turn));
        agree(deep, text("%d: roles, children and a team", turn));
        agree(member_of, text("%d: teams whose time comes and goes", turn));
        agree(bare, text("%d: nothing", turn));
        agree(whole, text("%d: the role Administrator", turn));
    }
    door->now -= apr_time_from_sec(3000);
}

static void test_sources(void)
{
    json_t *told = explain("DEEP@example.org");
    is_str(door_members(door, told), "user,teams,effective", "the answer");
    is_str(sources(told, door->account_id, "SITE.TWO"), "Two; Support: Two", "a role, and a role by a team");
    is_str(sources(told, door->account_id, "SITE.ONE"), "Two>One; Support: Two>One", "by a child");
    is_str(sources(told, door->account_id, "WALLET.VIEW"),
           "Two>One>Wallet Viewer; Wallet Viewer; Read Only; Support: Two>One>Wallet Viewer",
           "by a child's child, and by itself");
    is_str(sources(told, door->account_id, "ALERT.VIEW"), "Read Only", "whatever is built in to be viewed");
    is_str(sources(told, door->second_account_id, "ALERT.VIEW"), "Support: Read Only", "in another account by a team");
    is_str(sources(explain(admin), door->account_id, "*"), "ADMIN", "everything by the type");
    is_str(sources(explain(admin), door->account_id, "WALLET.VIEW"), "Wallet Viewer", "and what would stay without it");
    is_str(sources(explain(whole), door->account_id, "*"), "Administrator", "everything by a role");
    told = explain(member_of);
    is_str(sources(told, door->second_account_id, "*"), "Masters: ADMIN", "everything by a team");
    is_str(json_string_value(door_at(told, "teams.0.name")), "Support", "teams by name");
    ok(json_is_false(door_at(told, "teams.0.counts")) && json_is_true(door_at(told, "teams.1.counts")),
       "of which one does not count yet");
    door_answer_t user = get(text("/v1/users/%s", member_of), door->key);
    is_str(identity_json_text(door->pool, json_object_get(told, "user"), NULL), user.text,
           "the user as the interface shows it");
}

static void test_refusals(void)
{
    accepted(patch(text("/v1/users/%s", deep), door->key, "{\"status\":\"INACTIVE\"}"), 200, "who is not active");
    is_int(json_array_size(json_object_get(explain(deep), "effective")), 0, "... holds nothing");
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *none = NULL;
    ok(!identity_user_explain(door->pool, &door->env, door->other_entity_id, admin, &none, &problem) &&
           problem.kind == IDENTITY_PROBLEM_USER_NOT_FOUND,
       "another entity's user is unknown # security 60");
    ok(!identity_user_explain(door->pool, &door->env, door->entity_id, "no@example.org", &none, &problem) &&
           problem.kind == IDENTITY_PROBLEM_USER_NOT_FOUND,
       "and so is nobody");
    for (int n = 1; n < 20; n++) {
        door->fail_after = n;
        bool done = identity_user_explain(door->pool, &door->env, door->entity_id, admin, &none, &problem);
        bool failed = door->fail_after <= 0;
        door->fail_after = 0;
        if (!failed)
            break;
        ok(!done && problem.kind == IDENTITY_PROBLEM_UNAVAILABLE, "statement %d fails # security 86", n);
    }
}

int main(void)
{
    serve_begin();
    begin();
    test_agreement();
    test_sources();
    test_refusals();
    return serve_end();
}
