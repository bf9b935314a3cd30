/* SPDX-License-Identifier: Apache-2.0 */
/* Teams, and who is in them. route list_teams create_team get_team add_team_membership list_user_teams add_user_team */
#include "serve.h"

static const char *ada, *bob_id, *bob, *other_team;

static const char *last_audit(void)
{
    return rows("SELECT action, target_resource_type, target_id, COALESCE(target_platform_id, '-') FROM audit_records "
                "ORDER BY id DESC LIMIT 1");
}

static const char *team_made(const char *name)
{
    door_answer_t answer = post("/v1/teams", door->key, text("{\"name\":\"%s\"}", name));
    if (answer.status != 201)
        bail(answer.text);
    return door_text(&answer, "id");
}

static door_answer_t join(const char *user, const char *credential, const char *team, const char *more)
{
    return post(text("/v1/users/%s/teams", user), credential, text("{\"team_id\":\"%s\"%s}", team, more));
}

static const char *at(apr_int64_t seconds)
{
    return identity_time_format(door->pool, door->now + apr_time_from_sec(seconds));
}

/* ---- teams ------------------------------------------------------------------------------------------------------ */

static void test_create(void)
{
    door_answer_t answer = post("/v1/teams", door->key, "{\"name\":\"Night Shift\",\"id\":\"x\"}");

    is_int(answer.status, 201, "a team is made");
    const char *id = door_text(&answer, "id");
    is_str(answer.text,
           text("{\"id\":\"%s\",\"entity_id\":\"%s\",\"name\":\"Night Shift\",\"account_memberships\":[]}", id,
                door->entity_id),
           "... told whole");
    is_str(last_audit(), text("CREATE|TEAM|%s|-", id), "... audited # security 82");
    is_str(rows(text("SELECT entity_id, name FROM teams WHERE id = '%s'", id)), text("%s|Night Shift", door->entity_id),
           "... and there");
    answer = get(text("/v1/teams/%s", id), door->key);
    is_int(answer.status, 200, "it can be read");
    is_str(door_text(&answer, "name"), "Night Shift", "... by its id");
    answer = post("/v1/teams", door->key, text("{\"name\":\"Night Shift\",\"entity_id\":\"%s\"}", door->entity_id));
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "name", "M3: another of that name");

    const char *before = state();
    refused(post("/v1/teams", door->key, "{\"name\":\"\uff4eIGHT sHIFT\"}"), 409, "RESOURCE_ALREADY_EXISTS", "name",
            "M3: nor of that name in another case or width");
    refused(post("/v1/teams", door->key, "{\"name\":\"\\u00ad\"}"), 400, "INVALID_FIELD", "name",
            "M3: a name of which nothing is left to compare");
    refused(post("/v1/teams", door->key, "{}"), 400, "MISSING_FIELD", "name", "without a name");
    refused(post("/v1/teams", door->key, "{\"name\":\" \"}"), 400, "INVALID_FIELD", "name", "with a blank one");
    refused(post("/v1/teams", door->key, "{\"name\":7}"), 400, "INVALID_FIELD", "name", "with a number");
    refused(post("/v1/teams", door->key, text("{\"name\":\"x\",\"entity_id\":\"%s\"}", door->other_entity_id)), 400,
            "INVALID_FIELD", "entity_id", "in another entity # security 60");
    refused(post("/v1/teams", door->read_key, "{\"name\":\"x\"}"), 403, "USER_NOT_ALLOWED", "", "by who may only look");
    is_str(state(), before, "none of it changed a row");
}

static void test_list(void)
{
    const char *first = team_made("T 0"), *seen = "", *next = "/v1/teams?limit=3&order_direction=asc";
    int pages = 0, teams = 0;

    for (int i = 1; i < 7; i++)
        team_made(text("T %d", i));
    for (; next && pages < 10; pages++) {
        door_answer_t answer = get(next, door->key);
        accepted(answer, 200, "%s", next);
        ok(json_is_array(answer.json), "a bare array");
        for (size_t i = 0; i < json_array_size(answer.json); i++, teams++)
            seen = text("%s %s", seen, door_text(&answer, text("%d.id", (int)i)));
        const char *link = header(&answer, "Link"), *mark = link ? strstr(link, "rel=\"next\"") : NULL, *open = NULL;
        for (const char *c = link; mark && c < mark; c++)
            open = *c == '<' ? c + 1 : open;
        next = mark ? text("%.*s", (int)(strchr(open, '>') - open), open) : NULL;
    }
    is_int(teams, count(text("SELECT COUNT(*) FROM teams WHERE entity_id = '%s'", door->entity_id)),
           "each team once, page by page");
    is_str(seen + 1, rows(text("SELECT id FROM teams WHERE entity_id = '%s' ORDER BY created_at, id", door->entity_id)),
           "... in order");
    ok(pages > 2, "on %d pages", pages);
    door_answer_t answer = get("/v1/teams?limit=500", door->key);
    ok(answer.text && !strstr(answer.text, other_team), "none of another entity # security 60");
    ok(!header(&answer, "Link"), "one page needs no links");
    is_int(get("/v1/teams?limit=2", door->key).statements, get("/v1/teams?limit=8", door->key).statements,
           "the number of statements does not grow with the page");
    answer = get("/v1/teams?limit=1&page=2&order_direction=asc", door->key);
    ok(header(&answer, "Link") && strstr(header(&answer, "Link"), "rel=\"prev\""), "the second page leads back too");
    refused(get("/v1/teams?limit=0", door->key), 400, "INVALID_FIELD", "limit", "limit=0");
    refused(get("/v1/teams?order_by=name", door->key), 400, "INVALID_FIELD", "order_by", "an order that is none");
    (void)first;
}

static void test_memberships(void)
{
    const char *team = team_made("Givers"), *path = text("/v1/teams/%s/memberships", team);
    door_answer_t answer = post(path, door->key, member(door->account_id, "USER", named("Quote Viewer")));

    is_int(answer.status, 201, "a team is given a membership");
    is_int(size_at(&answer, ""), 1, "... told as a list");
    is_str(door_text(&answer, "0.roles.0.name"), "Quote Viewer", "... with its role");
    is_str(last_audit(), text("ADD_MEMBERSHIP|TEAM|%s|%s", team, door->account_id), "... audited # security 82");
    answer = post(path, door->key, member(door->second_account_id, "ADMIN", ""));
    is_int(size_at(&answer, ""), 2, "and a second one");
    door_answer_t whole = get(text("/v1/teams/%s", team), door->key);
    is_str(json_at(&whole, "account_memberships"), answer.text, "the team shows them");

    const char *before = state();
    refused(post(path, door->key, member(door->account_id, "USER", "")), 409, "RESOURCE_ALREADY_EXISTS", "account_id",
            "a second one of the same account");
    refused(post(path, door->key, "{\"type\":\"USER\"}"), 400, "MISSING_FIELD", "account_id", "without an account");
    refused(post(path, door->key, member(door->other_account_id, "USER", "")), 400, "INVALID_FIELD", "account_id",
            "an account of another entity # security 60");
    refused(post(path, door->key, member(door->account_id, "KING", "")), 400, "INVALID_FIELD", "type", "no such type");
    refused(post(path, door->key, member(door->account_id, "USER", named("Nobody"))), 400, "INVALID_FIELD",
            "roles.0.name", "no such role");
    refused(post(text("/v1/teams/%s/memberships", other_team), door->key, member(door->account_id, "USER", "")), 404,
            "RESOURCE_NOT_FOUND", "", "a team of another entity # security 60");
    refused(post(path, bob, member(door->account_id, "USER", named("Quote Viewer"))), 403, "USER_NOT_ALLOWED", "",
            "by somebody who may not");
    refused(
        post(text("/v1/teams/%s/memberships", team_made("Empty")), ada, member(door->second_account_id, "USER", "")),
        403, "USER_NOT_ALLOWED", "", "by an administrator of another account only # security 62");
    change("DELETE FROM teams WHERE name = 'Empty'");
    change("DELETE FROM audit_details WHERE record_id = (SELECT MAX(id) FROM audit_records)");
    change("DELETE FROM audit_records WHERE id = (SELECT MAX(id) FROM audit_records)");
    is_str(state(), before, "none of it changed a row");
}

/* ---- members ---------------------------------------------------------------------------------------------------- */

static void test_window(void)
{
    const char *team = team_made("Window"), *list = text("/v1/users/%s/teams", bob_id), *roles = "/v1/roles?limit=1";

    post(text("/v1/teams/%s/memberships", team), door->key, member(door->account_id, "USER", named("Role Viewer")));
    refused(get(roles, bob), 403, "USER_NOT_ALLOWED", "", "before: not allowed");
    door_answer_t answer =
        join(bob_id, door->key, team, text(",\"start_at\":\"%s\",\"end_at\":\"%s\"", at(100), at(200)));
    is_int(answer.status, 201, "a person joins");
    is_int(size_at(&answer, ""), 1, "... told as a list of all teams");
    is_str(members_at(&answer, "0"), "team_id,start_at,end_at,account_memberships", "... each of these fields");
    is_str(door_text(&answer, "0.account_memberships.0.roles.0.name"), "Role Viewer", "... with what it gives");
    is_str(last_audit(), text("ADD_TEAM|USER|%s|%s", bob_id, door->account_id),
           "... audited in the account that the team gives # security 82");
    door_answer_t shown = get(list, door->key);
    is_str(shown.text, text("{\"data\":%s}", answer.text), "the list holds data and nothing else");
    refused(get(roles, bob), 403, "USER_NOT_ALLOWED", "", "it counts not yet");
    pass(101);
    is_int(get(roles, bob).status, 200, "it counts from its beginning");
    refused(join(bob_id, door->key, team, ""), 409, "RESOURCE_ALREADY_EXISTS", "team_id", "there is one already");
    pass(100);
    refused(get(roles, bob), 403, "USER_NOT_ALLOWED", "", "and not beyond its end # security 37");
    answer = join(bob_id, door->key, team, "");
    is_int(answer.status, 201, "one that is over makes room");
    is_int(size_at(&answer, ""), 1, "... for another");
    is_str(json_at(&answer, "0.end_at"), "null", "... without an end");
    is_int(get(roles, bob).status, 200, "... which counts");
}

static void test_refusals(void)
{
    const char *team = team_made("Refused"), *strong = team_made("Strong"), *before;

    post(text("/v1/teams/%s/memberships", strong), door->key, member(door->second_account_id, "ADMIN", ""));
    get("/v1/teams", door->other_key);
    before = state();
    refused(join(bob_id, door->key, other_team, ""), 400, "INVALID_FIELD", "team_id",
            "a team of another entity # security 60");
    refused(join(bob_id, door->key, "team_00000000000000000000", ""), 400, "INVALID_FIELD", "team_id", "none");
    refused(join(bob_id, door->key, "x", ""), 400, "INVALID_FIELD", "team_id", "no id");
    refused(post(text("/v1/users/%s/teams", bob_id), door->key, "{}"), 400, "MISSING_FIELD", "team_id", "no team");
    refused(join(bob_id, door->key, team, ",\"start_at\":\"2026-01-01\""), 400, "INVALID_FIELD", "start_at", "no time");
    refused(join(bob_id, door->key, team, text(",\"start_at\":\"%s\",\"end_at\":\"%s\"", at(5), at(5))), 400,
            "INVALID_FIELD", "end_at", "an end that is not later");
    refused(join(bob_id, bob, team, ""), 403, "USER_NOT_ALLOWED", "", "by oneself, without the permission");
    refused(join(bob_id, ada, strong, ""), 403, "USER_NOT_ALLOWED", "team_id",
            "by who holds less than the team gives # security 62");
    refused(join("user_00000000000000000000", door->key, team, ""), 404, "USER_NOT_FOUND", "", "nobody");
    refused(join(bob_id, door->other_key, team, ""), 404, "USER_NOT_FOUND", "", "of another entity # security 60");
    is_str(state(), before, "none of it changed a row");
}

int main(void)
{
    serve_begin();
    get("/v1/teams", door->read_key); /* writes the last use of the keys */
    get("/v1/teams", door->other_key);
    person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", named("Quote Viewer"));
    ada = login("ada@example.org");
    bob = login("bob@example.org");
    other_team = serve_team_of(door->other_entity_id, "Theirs");
    test_create();
    test_list();
    test_memberships();
    test_window();
    test_refusals();
    return serve_end();
}
