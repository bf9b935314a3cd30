/* SPDX-License-Identifier: Apache-2.0 */
/* M3: people leave accounts and teams, teams are renamed and go; nobody takes what they lack, and the last
 * administrator stays. route delete_user_membership update_user_team delete_user_team update_team delete_team
 * delete_team_membership */
#include "serve.h"

static const char *ada_id, *ada, *bob_id, *bob, *other_team;

static door_answer_t end(const char *target, const char *credential)
{
    return door_call(door, "DELETE", target, credential, NULL);
}

static const char *team_made(const char *name)
{
    door_answer_t answer = post("/v1/teams", door->key, text("{\"name\":\"%s\"}", name));
    return answer.status == 201 ? door_text(&answer, "id") : (bail(answer.text), NULL);
}

static void gives(const char *team, const char *account, const char *type, const char *roles)
{
    accepted(post(text("/v1/teams/%s/memberships", team), door->key, member(account, type, roles)), 201,
             "(the team gives %s)", type);
}

static void joins(const char *user, const char *team)
{
    accepted(post(text("/v1/users/%s/teams", user), door->key, text("{\"team_id\":\"%s\"}", team)), 201,
             "(somebody joins)");
}

static const char *seat(const char *column, const char *owner, const char *account)
{
    return rows(text("SELECT id FROM memberships WHERE %s = '%s' AND account_id = '%s'", column, owner, account));
}

static const char *of_user(const char *user, const char *account)
{
    return text("/v1/users/%s/memberships/%s", user, seat("user_id", user, account));
}

static const char *of_team(const char *team, const char *account)
{
    return text("/v1/teams/%s/memberships/%s", team, seat("team_id", team, account));
}

static const char *in_team(const char *user, const char *team)
{
    return text("/v1/users/%s/teams/%s", user, team);
}

static const char *at(apr_int64_t seconds)
{
    return identity_time_format(door->pool, door->now + apr_time_from_sec(seconds));
}

static const char *last_audit(void)
{
    return rows("SELECT action, target_resource_type, target_id, COALESCE(target_platform_id, '-') FROM audit_records "
                "ORDER BY id DESC LIMIT 1");
}

static int looks(const char *credential)
{
    return get("/v1/roles?limit=1", credential).status;
}

/* ---- out of an account ------------------------------------------------------------------------------------------ */

static void test_membership(void)
{
    const char *path = of_user(bob_id, door->account_id), *memb = strrchr(path, '/') + 1;
    const char *second = member(door->second_account_id, "USER", named("Quote Viewer"));

    accepted(post(text("/v1/users/%s/memberships", bob_id), door->key, second), 201, "(a second membership)");
    is_int(looks(bob), 403, "(not common to both accounts)");
    refused(end(path, NULL), 401, "UNAUTHORISED", "", "M3: without a credential");
    const char *before = state();
    refused(end(path, door->read_key), 403, "USER_NOT_ALLOWED", "", "M3: without the permission");
    refused(end(path, bob), 403, "USER_NOT_ALLOWED", "", "M3: oneself without the permission");
    refused(end(path, door->other_key), 404, "USER_NOT_FOUND", "", "M3: of another entity # security 60");
    refused(end(text("/v1/users/%s/memberships/%s", ada_id, memb), door->key), 404, "RESOURCE_NOT_FOUND", "",
            "M3: of somebody else");
    refused(end(path, ada), 403, "USER_NOT_ALLOWED", "",
            "M3: by the administrator of one account, where the person is in two");
    is_str(state(), before, "... none of it changed a row");

    door_answer_t answer = end(of_user(bob_id, door->second_account_id), door->key);
    accepted(answer, 200, "M3: a membership ends");
    is_str(answer.text, get(text("/v1/users/%s/memberships", bob_id), door->key).text,
           "M3: the answer is the array of what is left");
    is_int(size_at(&answer, ""), 1, "... which is one");
    is_str(last_audit(), text("REMOVE_MEMBERSHIP|USER|%s|%s", bob_id, door->second_account_id),
           "M3: on record in its account # security 82");
    is_int(looks(bob), 200, "(what the first gives holds)");
    accepted(end(path, ada), 200, "M3: by the administrator, where it is the one account");
    is_int(count(text("SELECT COUNT(*) FROM membership_roles WHERE membership_id = '%s'", memb)), 0, "with its roles");
    is_int(looks(bob), 403, "M3: gone from the next request on # security 37");
    refused(end(path, door->key), 404, "RESOURCE_NOT_FOUND", "", "M3: once more");
    accepted(post(text("/v1/users/%s/memberships", bob_id), door->key,
                  member(door->account_id, "USER", named("Role Viewer"))),
             201, "M3: and given again");
}

/* Who holds the permission only, and somebody who holds something that grants nothing. */
static void test_upward(void)
{
    person_with("clerk@example.org", "USER", named("User Administrator"));
    const char *clerk = login("clerk@example.org"), *team = team_made("Nothing at all");
    const char *eve = person_with("eve@example.org", "USER", "");

    joins(eve, team);
    const char *before = state();
    refused(end(of_user(ada_id, door->account_id), clerk), 403, "USER_NOT_ALLOWED", "",
            "M3: nobody ends a membership upward # security 62");
    refused(end(of_user(bob_id, door->account_id), clerk), 403, "USER_NOT_ALLOWED", "",
            "M3: nor what they do not hold # security 62");
    refused(end(in_team(eve, team), clerk), 403, "USER_NOT_ALLOWED", "",
            "M3: a team that grants nothing takes everything # security 62");
    refused(end(of_user(eve, door->account_id), clerk), 403, "USER_NOT_ALLOWED", "",
            "M3: so does acting on who is in it # security 62");
    refused(patch(in_team(eve, team), clerk, "{\"end_at\":\"2020-01-01T00:00:00Z\"}"), 403, "USER_NOT_ALLOWED", "",
            "M3: by another way # security 62");
    refused(patch(in_team(eve, team), clerk, "{\"end_at\":\"2999-01-01T00:00:00Z\"}"), 403, "USER_NOT_ALLOWED", "",
            "M3: nor later # security 62");
    is_str(state(), before, "... none of it changed a row");
    accepted(end(in_team(eve, team), door->key), 200, "M3: who holds everything may");
    accepted(end(of_user(eve, door->account_id), clerk), 200, "M3: then the clerk may, too");
}

/* ---- out of a team ---------------------------------------------------------------------------------------------- */

static void test_window(void)
{
    const char *team = team_made("Window"), *path = in_team(bob_id, team);

    gives(team, door->account_id, "USER", named("Audit Record Viewer"));
    joins(bob_id, team);
    is_int(get("/v1/audit-records?limit=1", bob).status, 200, "(the team counts)");
    const char *before = state();
    door_answer_t answer = patch(path, door->key, "{}");
    accepted(answer, 200, "M3: nothing asked for");
    accepted(patch(path, door->key, json_at(&answer, "data.0")), 200, "M3: what was told may be sent back");
    refused(patch(path, NULL, "{}"), 401, "UNAUTHORISED", "", "M3: a window without a credential");
    refused(patch(path, bob, "{}"), 403, "USER_NOT_ALLOWED", "", "M3: one's own without the permission");
    refused(patch(path, door->other_key, "{}"), 404, "USER_NOT_FOUND", "", "M3: of another entity # security 60");
    refused(patch(in_team(bob_id, other_team), door->key, "{}"), 404, "RESOURCE_NOT_FOUND", "",
            "M3: of a team of another entity # security 60");
    refused(patch(in_team(ada_id, team), door->key, "{}"), 404, "RESOURCE_NOT_FOUND", "", "M3: of who is not in it");
    refused(patch(path, door->key, "{\"end_at\":\"soon\"}"), 400, "INVALID_FIELD", "end_at", "M3: no time");
    refused(patch(path, door->key, text("{\"start_at\":\"%s\",\"end_at\":\"%s\"}", at(90), at(80))), 400,
            "INVALID_FIELD", "end_at", "M3: an end before the beginning");
    is_str(state(), before, "... none of it changed a row");

    answer = patch(path, door->key, text("{\"end_at\":\"%s\"}", at(50)));
    accepted(answer, 200, "M3: an end to come");
    is_str(members_at(&answer, ""), "data", "M3: the answer is {\"data\":[TeamMember]}");
    is_str(door_text(&answer, "data.0.end_at"), at(50), "... with it");
    is_str(last_audit(), text("UPDATE_TEAM|USER|%s|%s", bob_id, door->account_id), "M3: on record # security 82");
    is_int(get("/v1/audit-records?limit=1", bob).status, 200, "it counts until then");
    accepted(patch(path, door->key, text("{\"end_at\":\"%s\"}", at(0))), 200, "M3: now ends it");
    refused(get("/v1/audit-records?limit=1", bob), 403, "USER_NOT_ALLOWED", "", "M3: at once # security 37");
    answer = patch(path, door->key, "{\"end_at\":null}");
    accepted(answer, 200, "M3: null opens it again");
    is_str(json_at(&answer, "data.0.end_at"), "null", "... for good");
    is_int(get("/v1/audit-records?limit=1", bob).status, 200, "... which counts");
    accepted(patch(path, door->key, text("{\"start_at\":\"%s\"}", at(500))), 200, "M3: a beginning to come");
    refused(get("/v1/audit-records?limit=1", bob), 403, "USER_NOT_ALLOWED", "", "M3: not yet # security 37");
    accepted(patch(path, door->key, "{\"end_at\":\"2001-01-01T00:00:00Z\"}"), 200, "M3: earlier ends what is to come");
    pass(501);
    refused(get("/v1/audit-records?limit=1", bob), 403, "USER_NOT_ALLOWED", "", "... which never counts");
    answer = end(path, door->key);
    accepted(answer, 200, "M3: DELETE");
    is_str(answer.text, "{\"data\":[]}", "M3: the answer is what is left");
    is_int(count(text("SELECT COUNT(*) FROM team_members WHERE user_id = '%s'", bob_id)), 0,
           "M3: DELETE leaves no row");
    is_str(last_audit(), text("REMOVE_TEAM|USER|%s|%s", bob_id, door->account_id), "M3: on record # security 82");
    refused(end(path, door->key), 404, "RESOURCE_NOT_FOUND", "", "M3: once more");
    refused(end(path, NULL), 401, "UNAUTHORISED", "", "M3: without a credential");
}

/* ---- teams ------------------------------------------------------------------------------------------------------ */

static void test_rename(void)
{
    const char *team = team_made("Day"), *path = text("/v1/teams/%s", team);

    get("/v1/teams", door->read_key); /* writes their last use */
    get("/v1/teams", door->other_key);
    team_made("Night");
    gives(team, door->second_account_id, "USER", named("Quote Viewer"));
    joins(bob_id, team);
    door_answer_t answer = patch(path, door->key, "{\"name\":\"DAY\"}");
    accepted(answer, 200, "M3: another spelling of its own name");
    is_str(answer.text, get(path, door->key).text, "M3: 200 Team");
    is_str(last_audit(), text("UPDATE|TEAM|%s|%s", team, door->second_account_id), "M3: on record # security 82");
    const char *before = state();
    refused(patch(path, door->key, "{\"name\":\"nIGHT\"}"), 409, "RESOURCE_ALREADY_EXISTS", "name", "M3: a taken name");
    refused(patch(path, door->key, "{\"name\":\" \"}"), 400, "INVALID_FIELD", "name", "M3: a blank name");
    refused(patch(path, NULL, "{}"), 401, "UNAUTHORISED", "", "M3: renaming without a credential");
    refused(patch(path, door->read_key, "{}"), 403, "USER_NOT_ALLOWED", "", "M3: renaming without the permission");
    refused(patch(path, ada, "{\"name\":\"x\"}"), 403, "USER_NOT_ALLOWED", "",
            "M3: by the administrator of another account than it gives # security 62");
    refused(patch(text("/v1/teams/%s", other_team), door->key, "{}"), 404, "RESOURCE_NOT_FOUND", "",
            "M3: of another entity # security 60");
    is_str(state(), before, "... none of it changed a row");
    accepted(patch(path, door->key, "{\"name\":\"Morning\"}"), 200, "M3: a free name");
    accepted(post("/v1/teams", door->key, "{\"name\":\"Day\"}"), 201, "M3: ... sets the old one free");
    accepted(post("/v1/teams", door->other_key, "{\"name\":\"Morning\"}"), 201, "M3: names are of one entity");
    accepted(end(in_team(bob_id, team), door->key), 200, "(bob leaves)");
}

/* Of an older database: both stay, and only a change is judged. */
static void test_doubles(void)
{
    const char *one = team_made("Once"), *two = team_made("Twice");
    apr_array_header_t *lines = apr_array_make(door->pool, 4, sizeof(const char *));

    change("UPDATE teams SET name = 'ONCE', canonical = 'once' WHERE name = 'Twice'");
    accepted(patch(text("/v1/teams/%s", two), door->key, "{\"name\":\"ONCE\"}"), 200, "M3: an old double may stay");
    refused(patch(text("/v1/teams/%s", two), door->key, "{\"name\":\"once\"}"), 409, "RESOURCE_ALREADY_EXISTS", "name",
            "M3: what is changed is judged");
    identity_db_use(door->db, door->pool);
    is_int(identity_team_names_check(door->db, &lines), IDENTITY_DB_OK, "(check)");
    is_int(lines->nelts, 2, "M3: check lists both");
    for (int i = 0; i < lines->nelts && i < 2; i++)
        ok(strstr(APR_ARRAY_IDX(lines, i, const char *), i ? two : one) &&
               strstr(APR_ARRAY_IDX(lines, i, const char *), i ? "\"ONCE\"" : "\"Once\""),
           "... by id and name: %s", APR_ARRAY_IDX(lines, i, const char *));
    accepted(patch(text("/v1/teams/%s", two), door->key, "{\"name\":\"Twice\"}"), 200, "(renamed)");
}

static void test_team_membership(void)
{
    const char *team = team_made("Taken from");

    gives(team, door->account_id, "USER", named("Audit Record Viewer"));
    gives(team, door->second_account_id, "USER", named("Quote Viewer"));
    joins(bob_id, team);
    const char *path = of_team(team, door->account_id), *second = of_team(team, door->second_account_id),
               *before = state();
    refused(end(path, NULL), 401, "UNAUTHORISED", "", "M3: a team's membership without a credential");
    refused(end(path, door->read_key), 403, "USER_NOT_ALLOWED", "", "M3: ... without the permission");
    refused(end(second, ada), 403, "USER_NOT_ALLOWED", "", "M3: ... of an account that is another's # security 62");
    refused(end(path, door->other_key), 404, "RESOURCE_NOT_FOUND", "", "M3: ... of another entity # security 60");
    refused(end(text("/v1/teams/%s/memberships/%s", team, seat("user_id", ada_id, door->account_id)), door->key), 404,
            "RESOURCE_NOT_FOUND", "", "M3: a user's membership is no team's");
    is_str(state(), before, "... none of it changed a row");
    door_answer_t answer = end(path, ada);
    accepted(answer, 200, "M3: what one holds may be taken from a team");
    is_int(size_at(&answer, ""), 1, "M3: the answer is the array of what is left");
    is_str(door_text(&answer, "0.account_id"), door->second_account_id, "... which is the other");
    is_str(last_audit(), text("REMOVE_MEMBERSHIP|TEAM|%s|%s", team, door->account_id), "M3: on record # security 82");
    refused(get("/v1/audit-records?limit=1", bob), 403, "USER_NOT_ALLOWED", "",
            "M3: its members have it no longer # security 37");
    accepted(end(text("/v1/teams/%s", team), door->key), 200, "(the team goes)");
}

static void test_team(void)
{
    const char *team = team_made("To go"), *path = text("/v1/teams/%s", team), *empty = team_made("Empty");

    gives(team, door->account_id, "USER", named("Audit Record Viewer"));
    gives(team, door->second_account_id, "USER", named("Quote Viewer"));
    joins(bob_id, team);
    is_int(post("/v1/users/invite", door->key,
                text("{\"username\":\"ivy@example.org\",\"team_memberships\":[{\"team_id\":\"%s\"}]}", team))
               .status,
           200, "(somebody is invited into it)");
    door_answer_t whole = get(path, door->key);
    const char *before = state();
    refused(end(path, NULL), 401, "UNAUTHORISED", "", "M3: deleting a team without a credential");
    refused(end(path, door->read_key), 403, "USER_NOT_ALLOWED", "", "M3: ... without the permission");
    refused(end(path, ada), 403, "USER_NOT_ALLOWED", "", "M3: ... that gives more than one holds # security 62");
    refused(end(path, door->other_key), 404, "RESOURCE_NOT_FOUND", "", "M3: ... of another entity # security 60");
    is_str(state(), before, "... none of it changed a row");
    door_answer_t answer = end(path, door->key);
    accepted(answer, 200, "M3: DELETE of a team");
    is_str(answer.text, whole.text, "M3: 200 Team, as it was");
    is_str(rows(text("SELECT action, COUNT(*) FROM audit_records WHERE target_id = '%s' AND action = 'DELETE'", team)),
           "DELETE|2", "M3: on record in each account # security 82");
    is_str(rows(text("SELECT (SELECT COUNT(*) FROM teams WHERE id = '%s'), (SELECT COUNT(*) FROM team_members WHERE "
                     "team_id = '%s'), (SELECT COUNT(*) FROM memberships WHERE team_id = '%s')",
                     team, team, team)),
           "0|0|0", "M3: with its memberships and members");
    refused(get("/v1/audit-records?limit=1", bob), 403, "USER_NOT_ALLOWED", "",
            "M3: what it gave is over # security 37");
    refused(end(path, door->key), 404, "RESOURCE_NOT_FOUND", "", "M3: once more");
    accept_mailed("ivy@example.org");
    accepted(end(text("/v1/teams/%s", empty), ada), 200, "M3: what grants nothing to nobody goes easily");
}

/* ---- the last administrator ------------------------------------------------------------------------------------- */

static void test_last(void)
{
    const char *team = team_made("Administrators"), *account = door->second_account_id;
    const char *gus = door_person(door, "gus@example.org", PASSWORD, "[]");

    gives(team, account, "ADMIN", "");
    joins(gus, team);
    const char *before = state();
    refused(end(of_user(ada_id, door->account_id), door->key), 409, "INVALID_OPERATION", "",
            "security 63: the last administrator's membership stays");
    refused(end(of_user(ada_id, door->account_id), ada), 409, "INVALID_OPERATION", "", "security 63: ... by oneself");
    refused(end(in_team(gus, team), door->key), 409, "INVALID_OPERATION", "",
            "security 63: who administers by a team stays in it");
    refused(patch(in_team(gus, team), door->key, text("{\"end_at\":\"%s\"}", at(1000))), 409, "INVALID_OPERATION", "",
            "security 63: ... and for good");
    refused(patch(in_team(gus, team), door->key, text("{\"end_at\":\"%s\"}", at(0))), 409, "INVALID_OPERATION", "",
            "security 63: ... now, too");
    refused(patch(in_team(gus, team), door->key, text("{\"start_at\":\"%s\"}", at(1000))), 409, "INVALID_OPERATION", "",
            "security 63: ... without a break");
    refused(end(of_team(team, account), door->key), 409, "INVALID_OPERATION", "",
            "security 63: the team keeps its ADMIN membership");
    refused(end(text("/v1/teams/%s", team), door->key), 409, "INVALID_OPERATION", "", "security 63: the team stays");
    is_str(state(), before, "... none of it changed a row");
    door_person(door, "hal@example.org", PASSWORD, text("[%s]", member(account, "ADMIN", "")));
    accepted(patch(in_team(gus, team), door->key, text("{\"end_at\":\"%s\"}", at(1000))), 200,
             "M3: where another administers it");
    accepted(end(text("/v1/teams/%s", team), door->key), 200, "M3: ... the team goes");
}

int main(void)
{
    serve_begin();
    get("/v1/teams", door->read_key); /* writes the last use of the keys */
    get("/v1/teams", door->other_key);
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", named("Role Viewer"));
    ada = login("ada@example.org");
    bob = login("bob@example.org");
    other_team = serve_team_of(door->other_entity_id, "Theirs");
    test_membership();
    test_upward();
    test_window();
    test_rename();
    test_doubles();
    test_team_membership();
    test_team();
    test_last();
    return serve_end();
}
