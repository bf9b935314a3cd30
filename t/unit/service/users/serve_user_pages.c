/* SPDX-License-Identifier: Apache-2.0 */
/* GET /users page by page, and that no page costs more statements than another. */
#include "serve.h"

#define PEOPLE 23
#define LIMIT  5
#define PAGES  5

/* What each request of these takes where nothing is kept: who calls; the page, how many there are; memberships with
 * their roles, teams, accounts, and the roles' children and rows. */
#define STATEMENTS_LIST   (1 + 2 + 5)
#define STATEMENTS_CURSOR (1 + 1 + 5)
#define STATEMENTS_SEARCH (1 + 1 + 5)

static const char *ids_of(const door_answer_t *answer)
{
    const char *ids = "";
    json_t *user;
    size_t i;

    json_array_foreach (door_at(answer->json, "data"), i, user)
        ids = text("%s%s%s", ids, *ids ? " " : "", json_string_value(json_object_get(user, "id")));
    return ids;
}

/* Follows the links from target to the end: all ids in the order of the pages. */
static const char *walk(const char *target, const char *link, int first_page, int step)
{
    const char *all = "";
    int page = first_page, faults = 0;

    while (target) {
        door_answer_t answer = get(target, door->key);
        if (answer.status != 200)
            return text("%s: %s", target, outcome_of(&answer));
        const char *ids = ids_of(&answer);
        all = step > 0 ? text("%s%s%s", all, *all ? " " : "", ids) : text("%s%s%s", ids, *all ? " " : "", all);
        faults += json_integer_value(door_at(answer.json, "page")) != page;
        faults += json_integer_value(door_at(answer.json, "limit")) != LIMIT;
        faults += json_integer_value(door_at(answer.json, "total_number_of_pages")) != PAGES;
        faults += size_at(&answer, "data") != (page == PAGES ? PEOPLE - LIMIT * (PAGES - 1) : LIMIT);
        faults += (page == 1) != json_is_null(door_at(answer.json, "links.previous"));
        faults += (page == PAGES) != json_is_null(door_at(answer.json, "links.next"));
        target = door_text(&answer, text("links.%s", link));
        page += step;
    }
    is_int(faults, 0, "page, limit, number of pages, length and links of each");
    is_int(page, step > 0 ? PAGES + 1 : 0, "to the end");
    return all;
}

/* route list_users */
static void test_orders(void)
{
    static const struct {
        const char *query, *sql;
    } orders[] = {{"order_by=created_at&order_direction=asc", "created_at ASC, id ASC"},
                  {"order_by=created_at&order_direction=desc", "created_at DESC, id DESC"},
                  {"order_direction=desc", "created_at DESC, id DESC"},
                  {"order_by=created_at", "created_at DESC, id DESC"},
                  {"order_by=username&order_direction=asc", "canonical ASC, id ASC"},
                  {"order_by=username", "canonical DESC, id DESC"}};

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        const char *base = text("/v1/users?limit=%d&%s", LIMIT, orders[i].query);
        const char *expected =
            rows(text("SELECT id FROM users WHERE entity_id = '%s' ORDER BY %s", door->entity_id, orders[i].sql));
        const char *by_number = "";
        is_str(walk(base, "next", 1, 1), expected, "%s: by next, each once and in order", orders[i].query);
        is_str(walk(text("%s&page=%d", base, PAGES), "previous", PAGES, -1), expected, "... by previous from the last");
        for (int page = 1; page <= PAGES; page++) {
            door_answer_t answer = get(text("%s&page=%d", base, page), door->key);
            by_number = text("%s%s%s", by_number, *by_number ? " " : "", ids_of(&answer));
        }
        is_str(by_number, expected, "... by page without a cursor");
    }
}

/* People who come and go between two pages shift nothing for whoever follows the links. */
static void test_steady(void)
{
    door_answer_t first = get("/v1/users?limit=5&order_by=created_at", door->key);
    const char *second = rows(text("SELECT id FROM users WHERE entity_id = '%s' ORDER BY created_at DESC, id DESC "
                                   "LIMIT 5 OFFSET 5",
                                   door->entity_id));
    post("/v1/users/invite", door->key, "{\"username\":\"late@example.org\"}");
    door_answer_t next = get(door_text(&first, "links.next"), door->key);
    is_str(ids_of(&next), second, "a newcomer does not shift the next page");
    door_answer_t back = get(door_text(&next, "links.previous"), door->key);
    is_str(ids_of(&back), ids_of(&first), "and the page before is the one that was seen");
    change("DELETE FROM outbox WHERE user_id IN (SELECT id FROM users WHERE canonical = 'late@example.org')");
    change("DELETE FROM secrets WHERE user_id IN (SELECT id FROM users WHERE canonical = 'late@example.org')");
    change("DELETE FROM invitations WHERE user_id IN (SELECT id FROM users WHERE canonical = 'late@example.org')");
    is_int(change("DELETE FROM users WHERE canonical = 'late@example.org'"), 1, "(the newcomer leaves)");
}

static void test_wrapper(void)
{
    door_answer_t answer = get("/v1/users?order_by=username&limit=2&order_direction=asc&active=false", door->key);

    accepted(answer, 200, "list");
    is_str(members_at(&answer, ""), "data,links,page,limit,total_number_of_pages", "wrapper: members and their order");
    is_str(members_at(&answer, "links"), "first,previous,current,next", "links: members and their order");
    is_str(door_text(&answer, "links.first"),
           "/v1/users?order_by=username&limit=2&order_direction=asc&active=false&page=1", "first keeps what was asked");
    is_str(door_text(&answer, "links.current"),
           "/v1/users?order_by=username&limit=2&order_direction=asc&active=false&page=1", "current");
    is_str(json_at(&answer, "links.previous"), "null", "no previous of the first");
    const char *next = door_text(&answer, "links.next");
    const char *start = "/v1/users?order_by=username&limit=2&order_direction=asc&active=false&cursor=";
    ok(next && strncmp(next, start, strlen(start)) == 0, "next carries a cursor");
    answer = get(next, door->key);
    is_str(door_text(&answer, "links.current"), next, "the next page's current is the link that led there");
    is_str(json_at(&answer, "page"), "2", "... with its number");
    answer = get("/v1/users?page=99&limit=5", door->key);
    accepted(answer, 200, "a page behind the last");
    is_str(json_at(&answer, "data"), "[]", "... is empty");
    is_str(json_at(&answer, "links.next"), "null", "... and leads nowhere");
    answer = get("/v1/users", door->other_key);
    is_str(answer.text,
           "{\"data\":[],\"links\":{\"first\":\"/v1/users?page=1\",\"previous\":null,\"current\":\"/v1/users?page=1\","
           "\"next\":null},\"page\":1,\"limit\":50,\"total_number_of_pages\":0}",
           "an empty list, with the defaults");
}

static void test_refusals(void)
{
    door_answer_t first = get("/v1/users?limit=2", door->key);
    const char *cursor = strstr(door_text(&first, "links.next"), "cursor=") + 7;
    const struct {
        const char *query, *field;
    } wrong[] = {{"limit=0", "limit"},
                 {"limit=501", "limit"},
                 {"limit=-1", "limit"},
                 {"limit=%2B5", "limit"},
                 {"limit=1.5", "limit"},
                 {"limit=5x", "limit"},
                 {"limit=", "limit"},
                 {"limit=99999999999999999999", "limit"},
                 {"limit=18446744073709551617", "limit"},
                 {"limit=5&limit=5", "limit"},
                 {"page=0", "page"},
                 {"page=-1", "page"},
                 {"page=two", "page"},
                 {"page=9223372036854775808", "page"},
                 {"page=1000000001", "page"},
                 {"order_by=id", "order_by"},
                 {"order_by=name", "order_by"},
                 {"order_by=created_at;DROP TABLE users", "order_by"},
                 {"order_by=", "order_by"},
                 {"order_direction=up", "order_direction"},
                 {"order_direction=ASC", "order_direction"},
                 {"active=yes", "active"},
                 {"active=1", "active"},
                 {"cursor=", "cursor"},
                 {"cursor=x", "cursor"},
                 {"cursor=AAAA", "cursor"},
                 {"cursor=%F0%9F%98%80", "cursor"},
                 {text("cursor=%sA", cursor), "cursor"},
                 {text("cursor=%.*s", 6, cursor), "cursor"}};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = get(text("/v1/users?%s", wrong[i].query), door->key);
        refused(answer, 400, "INVALID_FIELD", wrong[i].field, "?%s", wrong[i].query);
    }
    door_answer_t answer = get("/v1/users?limit=500", door->key);
    is_int(size_at(&answer, "data"), PEOPLE, "limit=500");
    answer = get("/v1/users?limit=1&page=1000000000", door->key);
    accepted(answer, 200, "the greatest page");
    answer = get(text("/v1/users?order_by=username&cursor=%s", cursor), door->key);
    ok(answer.status == 200 || answer.status == 400, "a cursor of another order does no harm");
    answer = get(text("/v1/users?cursor=%s", cursor), door->other_key);
    is_int(size_at(&answer, "data"), 0, "another entity's cursor opens nothing # security 60");
}

static const char *names(const char *query)
{
    door_answer_t answer = get(text("/v1/users?order_by=username&order_direction=asc&limit=500%s", query), door->key);
    const char *all = "";
    json_t *user;
    size_t i;

    json_array_foreach (door_at(answer.json, "data"), i, user)
        all = text("%s%s%s", all, *all ? " " : "", json_string_value(json_object_get(user, "username")));
    return all;
}

static void test_filters(void)
{
    is_str(names("&active=true"), "Ada@example.org bob@example.org", "active=true");
    is_str(names("&active=false&username=ada@example.org"), "", "filters combine");
    is_str(names("&active=true&username=ADA@EXAMPLE.ORG"), "Ada@example.org", "username in any case");
    is_str(names("&username=da@example.org"), "", "... exact");
    is_str(names("&username=%25"), "", "... no pattern # security 78");
    door_answer_t answer = get("/v1/users?active=false&limit=500", door->key);
    is_int(size_at(&answer, "data"), PEOPLE - 2, "active=false: everybody else");
}

static unsigned long statements(const char *target, size_t wanted)
{
    door_answer_t answer = get(target, door->key);
    is_int(size_at(&answer, json_is_array(answer.json) ? "" : "data"), wanted, "%s", target);
    return answer.statements;
}

/* No query count grows with the page. */
static void test_statements(void)
{
    is_int(statements("/v1/users?limit=2", 2), STATEMENTS_LIST, "statements for 2 users");
    is_int(statements("/v1/users?limit=20", 20), STATEMENTS_LIST, "... as for 20");
    for (int i = PEOPLE; i < 60; i++)
        post("/v1/users/invite", door->key,
             text("{\"username\":\"more%d@example.net\",\"account_memberships\":[%s,%s]}", i,
                  member(door->account_id, "USER", named("Clerk")),
                  member(door->second_account_id, "USER",
                         ",\"roles\":[{\"name\":\"Quote Viewer\"},{\"name\":\"Clerk\"}]")));
    is_int(statements("/v1/users?limit=50", 50), STATEMENTS_LIST, "... as for 50");
    door_answer_t answer = get("/v1/users?limit=25", door->key);
    is_int(statements(door_text(&answer, "links.next"), 25), STATEMENTS_CURSOR,
           "behind a cursor one less: it knows the count");
    is_int(statements("/v1/users/search", 60), STATEMENTS_SEARCH, "statements of a search that finds 60");
    is_int(statements("/v1/users/search?username=person2", 4), STATEMENTS_SEARCH, "... and 4");
    is_int(statements("/v1/users/search?username=bob@example.org", 1), STATEMENTS_SEARCH, "... and 1");
}

/* Counting stops at 10,000; paging does not. */
static void test_many(void)
{
    change(text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9939) INSERT INTO users (id, "
                "entity_id, username, canonical, domain, status, active, created_at, updated_at, version) SELECT "
                "printf('user_%%020d', i), '%s', printf('n%%05d@many.example', i), printf('n%%05d@many.example', i), "
                "'many.example', 'INACTIVE', 0, i, 1, 1 FROM n",
                door->entity_id));
    door_answer_t answer = get("/v1/users?limit=500", door->key);
    is_str(json_at(&answer, "total_number_of_pages"), "20", "9,999 people on 20 pages");
    post("/v1/users/invite", door->key, "{\"username\":\"last@many.example\"}");
    answer = get("/v1/users?limit=500&page=20", door->key);
    is_str(json_at(&answer, "total_number_of_pages"), "20", "10,000 too");
    post("/v1/users/invite", door->key, "{\"username\":\"more@many.example\"}");
    answer = get("/v1/users?limit=500", door->key);
    is_str(json_at(&answer, "total_number_of_pages"), "null", "one more is not counted any more");
    answer = get(door_text(&answer, "links.next"), door->key);
    is_str(json_at(&answer, "total_number_of_pages"), "null", "... nor behind a cursor");
    is_int(size_at(&answer, "data"), 500, "... which leads on");
    is_int(answer.statements, STATEMENTS_CURSOR - 3, "... in no more statements");
    answer = get("/v1/users?username=n00001@many.example", door->key);
    is_str(json_at(&answer, "total_number_of_pages"), "1", "what a filter leaves is counted");
    answer = get("/v1/users/search", door->key);
    is_int(size_at(&answer, ""), 500, "a search answers 500 at most");
}

/* 23 people whose names are in another order than their days, some of them made in the same microsecond. */
static void seed_people(void)
{
    post("/v1/roles", door->key, text("{\"name\":\"Clerk\",\"child_role_ids\":[\"%s\"]}", role_named("Quote Viewer")));
    door_person(door, "Ada@example.org", PASSWORD, text("[%s]", member(door->account_id, "USER", named("Clerk"))));
    door_person(door, "bob@example.org", PASSWORD, text("[%s]", member(door->account_id, "USER", named("Clerk"))));
    for (int i = 2; i < PEOPLE; i++)
        post("/v1/users/invite", door->key,
             text("{\"username\":\"%s%d@example.org\",\"account_memberships\":[%s]}", i % 2 ? "Person" : "person",
                  i * 7 % PEOPLE, member(door->account_id, "USER", named("Clerk"))));
    change("UPDATE users SET created_at = (SELECT min(created_at) FROM users) + 5 WHERE canonical LIKE '%1%'");
    is_int(count("SELECT count(*) FROM users"), PEOPLE, "23 people");
}

/* M24 */
static void test_status(void)
{
    static const char *const statuses[] = {"INVITED", "INVITE_REVOKED", "ACTIVE", "INACTIVE"};
    long long all = 0;

    accepted(post("/v1/users/revoke-invite", door->key, "{\"username\":\"person14@example.org\"}"), 200, "revoke one");
    change("UPDATE users SET status = 'INACTIVE', active = 0 WHERE canonical = 'bob@example.org'");
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        door_answer_t answer = get(text("/v1/users?limit=500&status=%s", statuses[i]), door->key);
        long long there = count(text("SELECT count(*) FROM users WHERE status = '%s'", statuses[i]));
        is_int(size_at(&answer, "data"), there, "M24: status=%s", statuses[i]);
        for (size_t u = 0; u < size_at(&answer, "data"); u++)
            if (strcmp(door_text(&answer, text("data.%d.status", (int)u)), statuses[i]) != 0)
                ok(false, "M24: and nobody else");
        all += there;
        for (int active = 0; active < 2; active++) {
            answer =
                get(text("/v1/users?limit=500&active=%s&status=%s", active ? "true" : "false", statuses[i]), door->key);
            is_int(size_at(&answer, "data"), (strcmp(statuses[i], "ACTIVE") == 0) == active ? there : 0,
                   "M24: ... and active=%d", active);
            is_str(json_at(&answer, "total_number_of_pages"), size_at(&answer, "data") ? "1" : "0", "M24: ... counted");
        }
        is_int(there > 0, 1, "(there is somebody %s)", statuses[i]);
    }
    is_int(all, count("SELECT count(*) FROM users"), "M24: everybody has one");
    door_answer_t page = get("/v1/users?limit=4&status=INVITED&order_by=username", door->key);
    ok(strstr(door_text(&page, "links.next"), "status=INVITED"), "M24: its links keep the filter");
    page = get("/v1/users?status=ACTIVE&username=ADA@example.org", door->key);
    is_int(size_at(&page, "data"), 1, "M24: beside a name");
    refused(get("/v1/users?status=active", door->key), 400, "INVALID_FIELD", "status", "M24: in capitals");
    refused(get("/v1/users?status=", door->key), 400, "INVALID_FIELD", "status", "M24: one of the four");
    refused(get("/v1/users?state=INVITED", door->key), 400, "INVALID_FIELD", "state", "M24: a parameter not known");
    accepted(get("/v1/users?_=17&limit=1", door->key), 200, "M24: a name that begins with _ is ignored");
    accepted(get(text("/v1/users/%s?state=1", rows("SELECT id FROM users LIMIT 1")), door->key), 200,
             "M24: and everything is where there is no collection");
}

int main(void)
{
    serve_begin();
    seed_people();
    test_orders();
    test_wrapper();
    test_refusals();
    test_filters();
    test_steady();
    test_statements();
    test_status();
    test_many();
    return serve_end();
}
