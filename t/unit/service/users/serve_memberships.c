/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH of a membership, and the last administrator on every path. route update_user_membership add_user_membership
 * list_user_memberships */
#include "serve.h"

static const char *ada_id, *ada, *bob_id, *bob, *bobs;

static const char *membership_of(const char *user, const char *account)
{
    return rows(text("SELECT id FROM memberships WHERE user_id = '%s' AND account_id = '%s'", user, account));
}

static door_answer_t change_membership(const char *user, const char *membership, const char *credential,
                                       const char *body)
{
    return patch(text("/v1/users/%s/memberships/%s", user, membership), credential, body);
}

static const char *type_of(const char *membership)
{
    return rows(text("SELECT type FROM memberships WHERE id = '%s'", membership));
}

static const char *roles_of(const char *membership)
{
    return rows(text("SELECT r.name FROM membership_roles m JOIN roles r ON r.id = m.role_id WHERE m.membership_id = "
                     "'%s' ORDER BY m.position",
                     membership));
}

/* ---- change ----------------------------------------------------------------------------------------------------- */

static void test_change(void)
{
    door_answer_t answer = change_membership(bob_id, bobs, door->key, "{\"type\":\"PARTNER\"}");
    accepted(answer, 200, "another type");
    is_str(type_of(bobs), "PARTNER", "... is written");
    is_str(roles_of(bobs), "Quote Viewer", "... and the roles are kept");
    is_str(answer.text, get(text("/v1/users/%s/memberships", bob_id), door->key).text, "the answer is the whole list");
    is_str(rows("SELECT action, target_resource_type, target_id, target_platform_id FROM audit_records ORDER BY id "
                "DESC LIMIT 1"),
           text("UPDATE_MEMBERSHIP|USER|%s|%s", bob_id, door->account_id), "audited # security 82");

    answer = change_membership(bob_id, bobs, door->key, text("{\"type\":\"USER\"%s}", named("Wallet Viewer")));
    accepted(answer, 200, "another role by its name");
    is_str(roles_of(bobs), "Wallet Viewer", "... takes the place of the others");
    answer = change_membership(
        bob_id, bobs, door->key,
        text("{\"role_ids\":[\"%s\",\"%s\"]}", role_named("Role Viewer"), role_named("Quote Viewer")));
    is_str(roles_of(bobs), "Role Viewer Quote Viewer", "by ids, in their order");
    is_int(get("/v1/roles?limit=1", bob).status, 200, "it holds from the next request on # security 37");
    answer = change_membership(bob_id, bobs, door->key, "{\"role_ids\":null}");
    accepted(answer, 200, "null clears");
    is_str(roles_of(bobs), "", "... the roles");
    refused(get("/v1/roles?limit=1", bob), 403, "USER_NOT_ALLOWED", "", "gone from the next request on # security 37");
    answer = change_membership(bob_id, bobs, door->key, text("{%s}", named("Quote Viewer") + 1));
    const char *got = json_at(&answer, "0");
    answer = change_membership(bob_id, bobs, door->key, got);
    is_str(json_at(&answer, "0"), got, "what was got may be sent back");
}

static void test_refusals(void)
{
    const char *before = state(), *unknown = "memb_00000000000000000000";

    refused(change_membership(bob_id, bobs, door->key, text("{\"account_id\":\"%s\"}", door->second_account_id)), 400,
            "INVALID_FIELD", "account_id", "it stays in its account");
    refused(change_membership(bob_id, bobs, door->key, "{\"type\":\"KING\"}"), 400, "INVALID_FIELD", "type", "a type");
    refused(change_membership(bob_id, bobs, door->key, "{\"role_ids\":[\"role_00000000000000000000\"]}"), 400,
            "INVALID_FIELD", "role_ids.0", "an unknown role");
    refused(change_membership(bob_id, bobs, door->key,
                              text("{\"role_ids\":[\"%s\"]%s}", role_named("Role Viewer"), named("Quote Viewer"))),
            400, "INVALID_FIELD", "roles", "ids and names that differ");
    refused(change_membership(bob_id, unknown, door->key, "{}"), 404, "RESOURCE_NOT_FOUND", "", "an unknown one");
    refused(change_membership(ada_id, bobs, door->key, "{}"), 404, "RESOURCE_NOT_FOUND", "", "somebody else's");
    refused(change_membership(bob_id, bobs, door->other_key, "{}"), 404, "USER_NOT_FOUND", "",
            "another entity's # security 60");
    refused(change_membership(bob_id, bobs, bob, "{\"type\":\"ADMIN\"}"), 403, "USER_NOT_ALLOWED", "",
            "oneself upward # security 62");
    refused(change_membership(bob_id, bobs, door->read_key, "{}"), 403, "USER_NOT_ALLOWED", "", "a key that may look");
    is_str(state(), before, "none of it changed a row");
}

/* security 25, 62: neither given nor taken beyond what one holds. */
static void test_giving(void)
{
    const char *id = person_with("clerk@example.org", "USER", named("User Administrator"));
    const char *clerk = login("clerk@example.org"), *before = state();

    refused(change_membership(bob_id, bobs, clerk, "{\"type\":\"ADMIN\"}"), 403, "USER_NOT_ALLOWED", "",
            "administration given by who has it not # security 62");
    refused(change_membership(bob_id, bobs, clerk, text("{%s}", named("Role Viewer") + 1)), 403, "USER_NOT_ALLOWED", "",
            "a role given by who has it not # security 62");
    refused(change_membership(id, membership_of(id, door->account_id), clerk, text("{%s}", named("Administrator") + 1)),
            403, "USER_NOT_ALLOWED", "", "one's own role upward # security 62");
    refused(change_membership(ada_id, membership_of(ada_id, door->account_id), clerk, "{\"type\":\"USER\"}"), 403,
            "USER_NOT_ALLOWED", "", "an administrator made less by who is none");
    is_str(state(), before, "none of it changed a row");
    change(text("UPDATE memberships SET type = 'USER' WHERE id = '%s'", bobs));
    change(text("DELETE FROM membership_roles WHERE membership_id = '%s'", bobs));
    accepted(change_membership(bob_id, bobs, clerk, text("{%s}", named("User Viewer") + 1)), 200,
             "what one holds may be given");
    accepted(change_membership(id, membership_of(id, door->account_id), clerk, text("{%s}", named("User Viewer") + 1)),
             200, "and one may make oneself less");
}

/* ---- the last administrator (security 63) ----------------------------------------------------------------------- */

static door_answer_t deactivate(const char *user)
{
    return patch(text("/v1/users/%s", user), door->key, "{\"status\":\"INACTIVE\"}");
}

static void test_last_administrator(void)
{
    const char *adas = membership_of(ada_id, door->account_id), *before = state();

    refused(change_membership(ada_id, adas, ada, "{\"type\":\"USER\"}"), 409, "INVALID_OPERATION", "",
            "the last one, by oneself # security 63");
    refused(change_membership(ada_id, adas, door->key, "{\"type\":\"PARTNER\"}"), 409, "INVALID_OPERATION", "",
            "... by a key # security 63");
    refused(deactivate(ada_id), 409, "INVALID_OPERATION", "", "... by deactivation # security 63");
    is_str(state(), before, "none of it changed a row");
    accepted(change_membership(ada_id, adas, door->key, text("{\"type\":\"ADMIN\"%s}", named("Quote Viewer"))), 200,
             "a change that leaves it one is none of that");

    const char *second = person_with("second@example.org", "ADMIN", "");
    accepted(change_membership(ada_id, adas, ada, "{\"type\":\"USER\"}"), 200, "where there is another");
    refused(deactivate(second), 409, "INVALID_OPERATION", "", "... who is then the last # security 63");
    accepted(change_membership(ada_id, adas, door->key, "{\"type\":\"ADMIN\"}"), 200, "made one again");
    accepted(deactivate(second), 200, "... the other may go");
    refused(deactivate(ada_id), 409, "INVALID_OPERATION", "", "somebody inactive does not count # security 63");
}

/* An account whose administrators come by a team alone. */
static void test_by_team(void)
{
    const char *team = serve_team("Administrators"), *account = door->second_account_id;
    const char *eve = door_person(door, "eve@example.org", PASSWORD, "[]"),
               *fay = door_person(door, "fay@example.org", PASSWORD, "[]");
    const char *teams = text("{\"team_id\":\"%s\"}", team);

    post(text("/v1/teams/%s/memberships", team), door->key, member(account, "ADMIN", ""));
    accepted(deactivate(eve), 200, "who is in no team yet may go");
    accepted(patch(text("/v1/users/%s", eve), door->key, "{\"status\":\"ACTIVE\"}"), 200, "... and come back");
    is_int(post(text("/v1/users/%s/teams", eve), door->key, teams).status, 201, "one joins");
    refused(deactivate(eve), 409, "INVALID_OPERATION", "", "the last by a team # security 63");
    const char *until = identity_time_format(door->pool, door->now + apr_time_from_sec(50));
    is_int(post(text("/v1/users/%s/teams", fay), door->key, text("{\"team_id\":\"%s\",\"end_at\":\"%s\"}", team, until))
               .status,
           201, "another joins for a while");
    refused(deactivate(eve), 409, "INVALID_OPERATION", "", "who ends soon takes nobody's place # security 63");
    accepted(deactivate(fay), 200, "... and may go");
    const char *gus = door_person(door, "gus@example.org", PASSWORD, text("[%s]", member(account, "ADMIN", "")));
    accepted(deactivate(eve), 200, "where another one stays");
    refused(change_membership(gus, membership_of(gus, account), door->key, "{\"type\":\"USER\"}"), 409,
            "INVALID_OPERATION", "", "... who is then the last # security 63");
}

int main(void)
{
    serve_begin();
    get("/v1/teams", door->read_key); /* writes the last use of the keys */
    get("/v1/teams", door->other_key);
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", named("Quote Viewer"));
    ada = login("ada@example.org");
    bob = login("bob@example.org");
    bobs = membership_of(bob_id, door->account_id);
    test_change();
    test_refusals();
    test_giving();
    test_last_administrator();
    test_by_team();
    return serve_end();
}
