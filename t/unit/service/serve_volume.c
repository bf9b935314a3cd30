/* SPDX-License-Identifier: Apache-2.0 */
/* What pages and searches cost among 100,000 users: counted, not timed. Every statement that the door runs is looked at
 * when it has ended: how many steps it took, whether it walked a table or sorted. What costs the same number of steps
 * among 1,000 users and among 100,000, and on the first page and on the last, reads the same number of rows. */
#include <sqlite3.h>

#include "routes.h"
#include "users/users.h"
#include "src/store/db_state.h"
#include "serve.h"

#define FEW         1000
#define MANY        100000
#define LIMIT       20
#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* ---- counting --------------------------------------------------------------------------------------------------- */

typedef struct cost {
    long steps;   /* of all statements but those that count */
    long counted; /* of those */
    int statements;
    const char *fault; /* a walk or a sort, "" for none */
} cost_t;

static cost_t spent;
static const char *on_users; /* the last statement that read users, with its values */

/* The order in which what belongs to the rows of a page comes costs a sort of that. */
static bool of_page(const char *sql)
{
    return strstr(sql, "json_each(") != NULL;
}

static int ended(unsigned kind, void *context, void *statement, void *time)
{
    const char *sql = sqlite3_sql(statement);
    long steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1),
         walked = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1),
         sorted = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 1),
         indexed = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_AUTOINDEX, 1);

    (void)kind;
    (void)context;
    (void)time;
    spent.statements++;
    *(strncmp(sql, "SELECT COUNT(*)", 15) == 0 ? &spent.counted : &spent.steps) += steps;
    if (walked || indexed || (sorted && !of_page(sql)))
        spent.fault = text("%s; walks %ld, sorts %ld, indexes %ld: %s", spent.fault, walked, sorted, indexed, sql);
    if (strstr(sql, " FROM users u")) {
        char *expanded = sqlite3_expanded_sql(statement);
        on_users = text("%s", expanded);
        sqlite3_free(expanded);
    }
    return 0;
}

static void count_from_here(void)
{
    sqlite3 *native = apr_dbd_native_handle(door->db->driver, door->db->handle);

    if (!native || sqlite3_trace_v2(native, SQLITE_TRACE_PROFILE, ended, NULL) != SQLITE_OK)
        bail("statements cannot be counted");
    /* The whole file in memory: the test is to be quick. */
    sqlite3_exec(native, "PRAGMA cache_size = -131072", NULL, NULL, NULL);
}

static cost_t cost_of(const char *target, door_answer_t *answer)
{
    spent = (cost_t){.fault = ""};
    *answer = get(target, door->key);
    if (answer->status != 200)
        bail(text("%s: %d %s", target, answer->status, answer->text));
    if (spent.statements == 0)
        bail("no statement was seen");
    return spent;
}

/* Less than one row: where a cursor stands among rows of one time changes a comparison or two. */
#define SLACK 12

/* "" or what is wrong: it costs other than this, walks or sorts. */
static const char *unlike(const cost_t *cost, long steps, long slack)
{
    bool same = labs(cost->steps - steps) <= slack;
    return text("%s%s", same ? "" : text("%ld steps, not %ld", cost->steps, steps), cost->fault);
}

/* ---- users ------------------------------------------------------------------------------------------------------ */

/* The first thousand hold 50 of a domain and of a prefix that nobody later has; half of those who come later share a
 * domain. The indexes are made anew behind the rows: that takes half the time. */
static void add_users(int from, int to)
{
    const char *domain = text("CASE WHEN i <= %d AND i %% 20 = 0 THEN 'probe.example' WHEN i > %d AND i %% 2 = 0 THEN "
                              "'many.example' ELSE printf('d%%04d.example', i %% 2000) END",
                              FEW, FEW);
    const char *name = text("CASE WHEN i <= %d AND i %% 20 = 0 THEN 'probe' ELSE 'u' END || printf('%%06d@', i * 7919 "
                            "%% 1000003) || %s",
                            FEW, domain);
    char *indexes = apr_pstrdup(door->pool, rows("SELECT name, replace(sql, ' ', '~') FROM sqlite_master WHERE type = "
                                                 "'index' AND tbl_name = 'users' AND sql IS NOT NULL"));
    char *copy = apr_pstrdup(door->pool, indexes), *rest;

    change("BEGIN");
    for (char *one = apr_strtok(copy, " ", &rest); one; one = apr_strtok(NULL, " ", &rest))
        change(text("DROP INDEX %.*s", (int)strcspn(one, "|"), one));
    change(text("INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, "
                "updated_at, version) WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                "SELECT printf('user_%%020d', i), '%s', %s, %s, %s, CASE i %% 3 WHEN 0 THEN 'INACTIVE' ELSE 'ACTIVE' "
                "END, i %% 3 > 0, 1600000000000000 + i / 3, 1, 1 FROM n",
                from, to, door->entity_id, name, name, domain));
    for (char *one = apr_strtok(indexes, " ", &rest); one; one = apr_strtok(NULL, " ", &rest)) {
        char *sql = strchr(one, '|') + 1;
        for (char *at = sql; *at; at++)
            *at = *at == '~' ? ' ' : *at;
        change(sql);
    }
    change("COMMIT");
}

/* ---- the same among few and among many -------------------------------------------------------------------------- */

/* index: what a search must go in by, or NULL. */
static const struct {
    const char *target, *resource_id, *index;
    int found; /* -1: whatever fits on a page */
} alike[] = {
    {"/v1/users?limit=50", NULL, NULL, -1},
    {"/v1/users?limit=50&order_direction=asc", NULL, NULL, -1},
    {"/v1/users?limit=50&order_by=username", NULL, NULL, -1},
    {"/v1/users?limit=50&active=true", NULL, NULL, -1},
    {"/v1/users?limit=50&active=false&order_by=username&order_direction=asc", NULL, NULL, -1},
    {"/v1/users?username=PROBE158380%40probe.example", NULL, NULL, 1},
    {"/v1/users/user_00000000000000000020", NULL, NULL, -1},
    {"/v1/users/search?username=probe158380%40probe.example", NULL, "users_name", 1},
    {"/v1/users/search?username=Probe158380%40PROBE.example&user_type=MORTAL", NULL, "users_name", 1},
    {"/v1/users/search?username=nobody%40probe.example", NULL, "users_name", 0},
    {"/v1/users/search?username=probe158380%40probe.exam", NULL, "users_name", 1},
    {"/v1/users/search?username=probe", NULL, "users_name", 50},
    {"/v1/users/search?username=probe158380", NULL, "users_name", 1},
    {"/v1/users/search?username=probe158380%40pro", NULL, "users_name", 1},
    {"/v1/users/search?username=nobody", NULL, "users_name", 0},
    {"/v1/users/search?username=%40probe.example", NULL, "users_domain", 50},
    {"/v1/users/search?username=%40nowhere.example", NULL, "users_domain", 0},
    {"/v1/users/search", NULL, "users_name", 500},
    {"/v1/users/search", "user_00000000000000000020", "PRIMARY KEY", 1},
};

static size_t found_in(const door_answer_t *answer)
{
    return json_is_array(answer->json) ? json_array_size(answer->json) : size_at(answer, "data");
}

static void test_index(int number)
{
    const char *plan = rows(text("EXPLAIN QUERY PLAN %s", on_users));

    ok(strstr(plan, text("SEARCH u USING %s%s", strncmp(alike[number].index, "users", 5) == 0 ? "INDEX " : "",
                         alike[number].index)) ||
           strstr(plan, text("SEARCH u USING %s%s", "COVERING INDEX ", alike[number].index)),
       "... by %s: %s", alike[number].index, plan);
}

static void measure_alike(cost_t costs[])
{
    door_answer_t answer;

    for (int i = 0; i < COUNT(alike); i++) {
        door->resource_id = alike[i].resource_id;
        get(alike[i].target, door->key); /* prepares the statements, since indexes were made */
        costs[i] = cost_of(alike[i].target, &answer);
        door->resource_id = NULL;
        if (alike[i].found >= 0)
            is_int(found_in(&answer), alike[i].found, "%s finds", alike[i].target);
        if (alike[i].index)
            test_index(i);
    }
}

static void test_alike(const cost_t few[], const cost_t many[])
{
    for (int i = 0; i < COUNT(alike); i++) {
        is_str(unlike(&many[i], few[i].steps, SLACK), "", "%s%s costs the same among %d and %d users", alike[i].target,
               alike[i].resource_id ? " by id" : "", FEW, MANY);
        is_int(many[i].statements, few[i].statements + (many[i].counted > 0 && few[i].counted == 0),
               "... in as many statements");
    }
}

/* A domain of half of all: what is read ends with what is shown. */
static void test_wide(long steps_of_500)
{
    door_answer_t answer;
    cost_t cost = cost_of("/v1/users/search?username=%40many.example", &answer);

    is_int(found_in(&answer), 500, "500 of a domain of 49,500 are shown");
    ok(cost.steps < steps_of_500 * 5 / 4 && !*cost.fault, "... and no more are read: %ld steps", cost.steps);
    cost = cost_of("/v1/users/search?username=u", &answer);
    ok(found_in(&answer) == 500 && cost.steps < steps_of_500 * 5 / 4 && !*cost.fault,
       "the same for a prefix: %ld steps", cost.steps);
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

/* links.next of an object, rel="next" of an array's header. */
static const char *link_of(const door_answer_t *answer, const char *name)
{
    const char *links = header(answer, "Link"), *rel = text("; rel=\"%s\"", strcmp(name, "previous") ? name : "prev");
    const char *at = links ? strstr(links, rel) : NULL, *open = at;

    if (!json_is_array(answer->json))
        return door_text(answer, text("links.%s", name));
    while (open && open > links && *open != '<')
        open--;
    return open ? text("%.*s", (int)(at - open - 2), open + 1) : NULL;
}

static const char *must_link(const door_answer_t *answer, const char *name)
{
    const char *link = answer->status == 200 ? link_of(answer, name) : NULL;
    return link ? link : (bail(text("no %s: %d %s", name, answer->status, answer->text)), NULL);
}

/* A list and the SQL that reads it; column and id: what it is ordered by. */
typedef struct listing {
    const char *target, *from, *column, *direction;
    long slack; /* steps by which pages may differ */
} listing_t;

/* The link to the page behind (or before) so many rows, as the page there would give it. */
static const char *link_at(const listing_t *listing, int rows_before, bool backward)
{
    const char *sql = text("SELECT %s, id %s ORDER BY %s %s, id %s LIMIT 1 OFFSET %d", listing->column, listing->from,
                           listing->column, listing->direction, listing->direction, rows_before - !backward);
    char *id, *key = apr_strtok(apr_pstrdup(door->pool, rows(sql)), "|", &id);
    identity_cursor_t cursor = {
        .key = key, .id = id, .backward = backward, .page = rows_before / LIMIT + (backward ? 0 : 1), .total = -1};

    return text("%s&limit=%d&cursor=%s", listing->target, LIMIT, identity_cursor_encode(door->pool, &cursor));
}

static const char *without_total(const char *link)
{
    const char *text_of = strstr(link, "cursor=");
    identity_cursor_t cursor;

    if (!text_of || !identity_cursor_decode(door->pool, text_of + 7, &cursor))
        bail(text("%s has no cursor", link));
    return text("%s %s %s %d %d", text("%.*s", (int)(text_of - link), link), cursor.key, cursor.id, cursor.backward,
                (int)cursor.page);
}

/* Each page by next costs what the second does, each by previous what another does. all: how many rows the list has. */
static void test_pages(const listing_t *listing, int all)
{
    int last = (all + LIMIT - 1) / LIMIT, numbers[] = {10, 1000, last / 2, last - 2};
    const char *target = text("%s&limit=%d", listing->target, LIMIT);
    door_answer_t answer;
    cost_t first = cost_of(target, &answer), second = cost_of(must_link(&answer, "next"), &answer);
    is_str(without_total(link_at(listing, 2 * LIMIT, false)), without_total(must_link(&answer, "next")), "%s", target);
    cost_t third = cost_of(must_link(&answer, "next"), &answer), back;
    is_str(without_total(link_at(listing, 2 * LIMIT, true)), without_total(must_link(&answer, "previous")),
           "... its links are made alike here");
    back = cost_of(must_link(&answer, "previous"), &answer);

    ok(second.steps <= first.steps + 6 * (LIMIT + 1), "... the second page reads what the first does (%ld, %ld)",
       first.steps, second.steps);
    is_str(text("%s%s%s", first.fault, unlike(&third, second.steps, listing->slack), back.fault), "",
           "... so does the third");
    for (int i = 0; i < COUNT(numbers); i++) {
        if (numbers[i] < 3 || numbers[i] > last - 2)
            continue;
        cost_t next = cost_of(link_at(listing, numbers[i] * LIMIT, false), &answer),
               previous = cost_of(link_at(listing, numbers[i] * LIMIT, true), &answer);
        is_str(unlike(&next, second.steps, listing->slack), "", "... so does page %d", numbers[i] + 1);
        is_str(unlike(&previous, back.steps, listing->slack), "", "... and page %d from behind", numbers[i]);
        is_int(next.counted + previous.counted, 0, "... where nothing is counted again");
    }
    cost_t end = cost_of(link_at(listing, (last - 1) * LIMIT, false), &answer);
    ok(end.steps <= second.steps + listing->slack && !*end.fault && !link_of(&answer, "next") &&
           link_of(&answer, "previous"),
       "... and the last, page %d (%ld)", last, end.steps);
}

static void test_user_pages(void)
{
    static const char *const orders[] = {"created_at", "username"}, *const columns[] = {"created_at", "canonical"},
                             *const directions[] = {"asc", "desc"},
                             *const actives[] = {"", "&active=true", "&active=false"},
                             *const conditions[] = {"", "AND active = 1", "AND active = 0"};
    const int totals[] = {MANY, MANY - MANY / 3, MANY / 3};

    for (int o = 0; o < COUNT(orders); o++)
        for (int d = 0; d < COUNT(directions); d++)
            for (int a = 0; a < COUNT(actives); a++) {
                listing_t listing = {
                    text("/v1/users?order_by=%s&order_direction=%s%s", orders[o], directions[d], actives[a]),
                    text("FROM users WHERE entity_id = '%s' %s", door->entity_id, conditions[a]), columns[o],
                    directions[d], SLACK};
                test_pages(&listing, totals[a]);
            }
}

/* Counting ends behind 10,000; total_number_of_pages says nothing then. */
static void test_count(void)
{
    static const char *const targets[] = {"/v1/users?limit=50", "/v1/users?limit=100&page=7",
                                          "/v1/users?limit=50&active=false&order_by=username"};
    door_answer_t answer;

    for (int i = 0; i < COUNT(targets); i++) {
        cost_t cost = cost_of(targets[i], &answer);
        is_str(json_at(&answer, "total_number_of_pages"), "null", "%s is not counted to its end", targets[i]);
        ok(cost.counted > 0 && cost.counted <= 10 * (IDENTITY_COUNT_CAP + 1), "... %ld steps for it", cost.counted);
        get(door_text(&answer, "links.next"), door->key);
    }
    cost_t cost = cost_of("/v1/users?limit=1&username=nobody%40probe.example", &answer);
    ok(cost.counted == 0 && json_integer_value(door_at(answer.json, "total_number_of_pages")) == 0,
       "what is all on one page is not counted");
}

static void test_statements(const char *list)
{
    door_answer_t answer;
    const char *sign = strchr(list, '?') ? "&" : "?";
    int one = cost_of(text("%s%slimit=2", list, sign), &answer).statements;

    is_int(cost_of(text("%s%slimit=100", list, sign), &answer).statements, one,
           "%s: 100 rows in as many statements as 2", list);
    ok(one <= 9, "... %d", one);
}

/* ---- the other lists -------------------------------------------------------------------------------------------- */

#define OTHERS 1000

#define ENTITY "(SELECT id FROM entities WHERE reference = 'default')"

/* Each list of routes.def, what makes OTHERS rows of it, and by what it is narrowed or ordered: all of these rows are
 * in each, and they come before what was there. */
static const struct {
    const char *path, *table;
    long slack;
    const char *insert;
    struct {
        const char *parameters, *column, *direction, *condition;
    } queries[8];
} lists[] = {
    {"/v1/users", NULL, 0, NULL, {{NULL, NULL, NULL, NULL}}}, /* test_user_pages */
    {"/v1/roles",
     "roles",
     400, /* two lists are merged: from which one a row comes makes a difference */
     "INTO roles (id, entity_id, name, canonical, slug, description, created_at, version) SELECT printf('role_%020d', "
     "i + 5000), " ENTITY ", '0r' || i, printf('0r%05d', i), '0r' || i, '', 1900000000000000 + i / 3, 1",
     {{"order_by=created_at", "created_at", "desc", ""},
      {"order_by=name&order_direction=asc", "canonical", "asc", ""},
      {"only_childless_roles=true", "created_at", "desc", ""},
      {"include_child_roles=true", "created_at", "desc", ""}}},
    {"/v1/api-keys",
     "api_keys",
     SLACK,
     "INTO api_keys (id, entity_id, digest, mask, created_by, active, narrowed, role_type, created_at, version) SELECT "
     "printf('apik_%020d', i), " ENTITY ", 'd' || i, 'idk_...aaaa', '', 1, 0, 'READ_ONLY', 1900000000000000 + i / 3, 1",
     {{"order_by=created_at", "created_at", "desc", ""},
      {"order_direction=asc", "created_at", "asc", ""},
      {"active=true", "created_at", "desc", ""}}},
    {"/v1/teams",
     "teams",
     SLACK,
     "INTO teams (id, entity_id, name, created_at) SELECT printf('team_%020d', i), " ENTITY
     ", 't' || i, 1900000000000000 + i / 3",
     {{"order_by=created_at", "created_at", "desc", ""}, {"order_direction=asc", "created_at", "asc", ""}}},
    {"/v1/authentication-providers",
     "providers",
     SLACK,
     "INTO providers (id, entity_id, type, name, status, settings, created_at, version) SELECT printf('auth_%020d', "
     "i), " ENTITY ", 'DEFAULT', 'p', 'ENABLED', '{}', 1900000000000000 + i / 3, 1",
     {{"order_by=created_at", "created_at", "desc", ""}, {"order_direction=asc", "created_at", "asc", ""}}},
    {"/v1/clients",
     "clients",
     SLACK,
     "INTO clients (id, entity_id, type, name, status, settings, created_at, version) SELECT printf('clnt_%020d', i), " ENTITY
     ", 'PUBLIC', 'c', 'ENABLED', '{}', 1900000000000000 + i / 3, 1",
     {{"order_by=created_at", "created_at", "desc", ""}, {"order_direction=asc", "created_at", "asc", ""}}},
    {"/v1/audit-records",
     "audit_records",
     SLACK,
     "INTO audit_records (id, entity_id, user_id, target_resource_type, target_id, target_platform_id, action, "
     "message, "
     "client_address, created_at) SELECT printf('audi_%020d', i), " ENTITY ", 'x', 'X', 'y', (SELECT id FROM accounts "
     "WHERE reference = 'second'), 'DO', '', '', 1900000000000000 + i / 3",
     {{"order_by=created_at", "created_at", "desc", ""},
      {"user_id=x&order_direction=asc", "created_at", "asc", "AND user_id = 'x'"},
      {"target_id=y", "created_at", "desc", "AND target_id = 'y'"},
      {"target_type=X", "created_at", "desc", "AND target_resource_type = 'X'"},
      {"created_at=%5B2030-03-17T17%3A46%3A40Z%2C%5D", "created_at", "desc", "AND created_at >= 1900000000000000"},
      {"created_at=%5B%2C2030-03-17T18%3A46%3A41Z%5D&user_id=x", "created_at", "desc", "AND user_id = 'x'"}}},
};

static void test_list(int number)
{
    const char *from = text("FROM %s WHERE entity_id IN ('', '%s')", lists[number].table, door->entity_id);

    change(text("INSERT %s FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i "
                "FROM n)",
                lists[number].insert, OTHERS));
    for (int i = 0; lists[number].queries[i].parameters; i++) {
        const char *rows_of = text("%s %s", from, lists[number].queries[i].condition);
        listing_t listing = {text("%s?%s", lists[number].path, lists[number].queries[i].parameters), rows_of,
                             lists[number].queries[i].column, lists[number].queries[i].direction, lists[number].slack};
        test_pages(&listing, (int)count(text("SELECT COUNT(*) %s", rows_of)));
        test_statements(listing.target);
    }
}

/* ---- invitations, whose pages have no links --------------------------------------------------------------------- */

#define INVITATIONS 20000

static void add_invitations(void)
{
    change("INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, updated_at, "
           "version) "
           "SELECT 'user_invitations', " ENTITY ", 'i@x.example', 'i@x.example', 'x.example', 'ACTIVE', 1, 1, 1, 1");
    change(text(
        "INSERT INTO invitations (id, entity_id, user_id, email, canonical, role_slug, state, invited_by, adds, "
        "created_at, modified_at, expires_at) SELECT printf('%%032d', i), " ENTITY ", 'user_invitations', 'x', "
        "printf('i%%d@x.example', i / 100), CASE i %% 5 WHEN 0 THEN 'rare' ELSE 'common' END, CASE i %% 4 WHEN 0 THEN "
        "'accepted' WHEN 1 THEN 'revoked' ELSE 'invited' END, '', 0, 1600000000000000 + i / 3, 1, "
        "CASE i %% 4 WHEN 2 THEN 1600000000000000 ELSE 1900000000000000 END + i / 3 FROM (WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)",
        INVITATIONS));
}

/* From the second page to the last, each costs the same and walks nowhere. */
static void test_invitations_of(const char *filter, int all)
{
    door_answer_t answer;
    cost_t first = cost_of(text("/v1/invitations?limit=100&%s", filter), &answer), second = {.fault = ""};
    const char *cursor = door_text(&answer, "next"), *fault = first.fault;
    int found = (int)size_at(&answer, "invitations");

    for (int page = 2; cursor && page < 1000; page++) {
        cost_t cost = cost_of(text("/v1/invitations?limit=100&%s&cursor=%s", filter, cursor), &answer);
        cursor = door_text(&answer, "next");
        found += (int)size_at(&answer, "invitations");
        if (page == 2)
            second = cost;
        if (cursor && !*fault)
            fault = unlike(&cost, second.steps, SLACK);
    }
    is_str(text("%d%s", found, fault), text("%d", all), "invitations by \"%s\": all, each page for the same price",
           filter);
}

static void test_invitations(void)
{
    add_invitations();
    test_invitations_of("", INVITATIONS);
    test_invitations_of("state=accepted", INVITATIONS / 4);
    test_invitations_of("state=expired", INVITATIONS / 4);
    test_invitations_of("state=invited", INVITATIONS / 4);
    test_invitations_of("roleID=rare", INVITATIONS / 5);
    test_invitations_of("email=I7@x.example", 100);
    test_invitations_of("email=i7@x.example&state=expired", 25);
}

/* A list is what has links. */
static void test_other_lists(void)
{
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        bool known = false;
        if (strcmp(route->method, "GET") != 0 || strchr(route->pattern, '{') || !route->permission)
            continue;
        for (int l = 0; l < COUNT(lists); l++) {
            bool same = strcmp(lists[l].path, route->pattern) == 0;
            if (same && lists[l].insert)
                test_list(l);
            known = known || same;
        }
        door_answer_t answer = get(text("%s?limit=1", route->pattern), door->key);
        ok(known || (!link_of(&answer, "next") && !link_of(&answer, "first")), "%s is no list that is not tried here",
           route->operation);
    }
}

/* ---- from end to end -------------------------------------------------------------------------------------------- */

static char seen[MANY + 1];

/* Every user of a page, told by the number in its id. */
static void mark(const char *page)
{
    for (const char *at = page; (at = strstr(at, "\"USER\",\"id\":\"user_000000")); at++) {
        int number = atoi(at + strlen("\"USER\",\"id\":\"user_"));
        if (number >= 1 && number <= MANY)
            seen[number]++;
    }
}

/* A link of a wrapper's text. */
static const char *link_in(const char *page, const char *name)
{
    const char *links = strstr(page, "\"links\":{"), *at = links ? strstr(links, text("\"%s\":\"", name)) : NULL;

    at = at ? at + strlen(name) + 4 : NULL;
    return at ? text("%.*s", (int)strcspn(at, "\""), at) : NULL;
}

/* The text of a page, not parsed: there are many. */
static const char *page_of(const char *target, const identity_authentication_t *principal)
{
    const char *question = strchr(target, '?');
    identity_request_t in = {.method = "GET",
                             .path = text("%.*s", (int)(question - target), target),
                             .query = question + 1,
                             .secure = true,
                             .request_id = identity_request_id(door->pool, &door->env)};
    identity_response_t out;

    identity_request_match(door->pool, &in);
    identity_serve(door->pool, &door->env, &in, principal, &out);
    if (out.status != 200)
        bail(text("%s: %d %s", target, out.status, out.body));
    return out.body;
}

/* Follows a link to its end; meanwhile may do something between two pages. */
static int follow(const char *target, const char *link, void (*meanwhile)(int page))
{
    apr_pool_t *kept = door->pool, *pool[2];
    identity_authentication_t principal;
    int pages = 0;

    memset(seen, 0, sizeof seen);
    identity_authenticate_local(kept, door->entity_id, &principal);
    apr_pool_create(&pool[0], kept);
    apr_pool_create(&pool[1], kept);
    for (; target && pages < 2 * MANY / 500; pages++) {
        door->pool = pool[pages % 2];
        const char *page = page_of(target, &principal);
        mark(page);
        target = link_in(page, link);
        if (meanwhile)
            meanwhile(pages);
        apr_pool_clear(pool[(pages + 1) % 2]);
    }
    door->pool = kept;
    return pages;
}

static int marked(void)
{
    int all = 0;

    for (int i = 1; i <= MANY; i++)
        all += seen[i];
    return all;
}

static int marked_twice(void)
{
    int twice = 0;

    for (int i = 1; i <= MANY; i++)
        twice += seen[i] > 1;
    return twice;
}

/* New ones at the top, at the end and where the reader is; others change all but what orders them. */
static void stir(int page)
{
    int number = MANY + 10 * page;
    const char *times[] = {"1500000000000000", "1900000000000000", text("16000000000%05d", (MANY - page * 500) / 3)};

    if (page % 4)
        return;
    for (int i = 0; i < COUNT(times); i++)
        change(text("INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, "
                    "updated_at, version) VALUES ('user_%020d', '%s', 'new%d@x.example', 'new%d@x.example', "
                    "'x.example', 'ACTIVE', 1, %s, 1, 1)",
                    number + i + 1, door->entity_id, number + i, number + i, times[i]));
    change(text("UPDATE users SET canonical = 'moved' || canonical, active = 1 - active, updated_at = %d, version = "
                "version + 1 WHERE id IN ('user_%020d', 'user_%020d', 'user_%020d')",
                page, MANY - page * 500 - 250, MANY - page * 500 + 400, page * 37 + 1));
}

static void test_follow(void)
{
    int pages = follow("/v1/users?limit=500", "next", stir);
    is_str(text("%d, %d twice", marked(), marked_twice()), text("%d, 0 twice", MANY),
           "each of %d users once by next, on %d pages, while others came and all changed", MANY, pages);
    pages = follow(text("/v1/users?limit=500&active=false&order_by=username&page=%d", MANY / 3 / 500 + 1), "previous",
                   NULL);
    is_int(pages, MANY / 3 / 500 + 1, "by previous from the last page to the first");
    is_str(text("%d, %d twice", marked(), marked_twice()),
           text("%d, 0 twice", (int)count("SELECT COUNT(*) FROM users WHERE active = 0")), "each who is inactive once");
}

/* What `htidentity check` asks reads each row once or a few times, never each with all others. */
static void test_check(void)
{
    apr_array_header_t *faults = NULL;

    spent = (cost_t){.fault = ""};
    is_int(identity_invariants_check(door->db, &faults), IDENTITY_DB_OK, "the invariants are looked at");
    ok(spent.steps > MANY && spent.steps < 100L * MANY, "M23: ... in %ld steps for %d users", spent.steps, MANY);
}

int main(void)
{
    cost_t few[COUNT(alike)], many[COUNT(alike)];

    /* The same kinds of answers are held against the description by the other tests: not some megabytes of them here.
     */
    unsetenv("IDENTITY_ANSWERS");
    serve_begin();
    change("PRAGMA synchronous = OFF");
    change("PRAGMA cache_size = -65536");
    count_from_here();
    add_users(1, FEW);
    get("/v1/users?limit=1", door->key); /* writes the last use of the key */
    measure_alike(few);
    add_users(FEW + 1, MANY);
    measure_alike(many);
    test_alike(few, many);
    test_wide(few[COUNT(alike) - 2].steps);
    test_user_pages();
    test_count();
    test_statements("/v1/users");
    test_statements("/v1/users?order_by=username&active=true");
    test_other_lists();
    test_invitations();
    test_follow();
    test_check();
    return serve_end();
}
