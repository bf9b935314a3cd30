/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of users, roles and keys, held against lists that are sorted here: forward and backward by cursors, by offset,
 * with every filter; rows whose order columns are equal stay in order by their ids. */
#include "store_fixture.h"

#define ROWS 40

static identity_db_t *db;

/* One row of the three kinds, as the order sees it. */
typedef struct item {
    const char *id, *name;
    apr_time_t created_at;
    bool active;
} item_t;

typedef struct kind {
    const char *name;
    identity_page_of_t of;
    const char *(*id)(const void *row);
    const char *(*key)(const void *row, identity_order_t order);
    item_t items[512];
    int count_of_items;
    bool by_name, by_active;
} kind_t;

static const char *user_id(const void *row)
{
    return ((const identity_user_row_t *)row)->id;
}

static const char *user_key(const void *row, identity_order_t order)
{
    return identity_order_key(pool, order, ((const identity_user_row_t *)row)->canonical,
                              ((const identity_user_row_t *)row)->created_at);
}

static const char *role_id(const void *row)
{
    return ((const identity_role_row_t *)row)->id;
}

static const char *role_key(const void *row, identity_order_t order)
{
    return identity_order_key(pool, order, ((const identity_role_row_t *)row)->canonical,
                              ((const identity_role_row_t *)row)->created_at);
}

static const char *key_id(const void *row)
{
    return ((const identity_key_row_t *)row)->id;
}

static const char *key_key(const void *row, identity_order_t order)
{
    return identity_order_key(pool, order, NULL, ((const identity_key_row_t *)row)->created_at);
}

static kind_t users = {.name = "users",
                       .of = IDENTITY_PAGE_OF_USERS,
                       .id = user_id,
                       .key = user_key,
                       .by_name = true,
                       .by_active = true},
              roles = {.name = "roles", .of = IDENTITY_PAGE_OF_ROLES, .id = role_id, .key = role_key, .by_name = true},
              keys = {.name = "keys", .of = IDENTITY_PAGE_OF_KEYS, .id = key_id, .key = key_key, .by_active = true};

static void add_item(kind_t *kind, const char *row_id, const char *name, apr_time_t created_at, bool active)
{
    kind->items[kind->count_of_items++] = (item_t){row_id, name, created_at, active};
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void add_page_user(int number, const char *entity, bool active)
{
    identity_user_row_t row = {.id = id("user", (number * 7) % 97),
                               .entity_id = entity,
                               .status = (identity_user_status_t)(active ? IDENTITY_USER_ACTIVE : number % 2),
                               .created_at = NOW + number / 5,
                               .version = 1};

    row.username = row.canonical = text("%c%d@example.org", 'a' + number * 11 % 26, number);
    must(identity_user_insert(db, &row), "user");
    if (strcmp(entity, ENTITY) == 0)
        add_item(&users, row.id, row.canonical, row.created_at, active);
}

static void add_page_key(int number, const char *entity, bool active)
{
    identity_key_row_t row = {.id = id("apik", (number * 7) % 97),
                              .entity_id = entity,
                              .digest = text("digest %d", number),
                              .mask = "",
                              .created_by = "",
                              .active = active,
                              .created_at = NOW + number / 5,
                              .version = 1};

    must(identity_key_insert(db, &row, NULL), "key");
    if (strcmp(entity, ENTITY) == 0)
        add_item(&keys, row.id, "", row.created_at, active);
}

static void fill(void)
{
    must(identity_db_begin(db, true), "begin");
    for (int i = 0; i < ROWS; i++) {
        add_page_user(i, ENTITY, i % 3 != 0);
        add_page_key(i, ENTITY, i % 3 != 0);
    }
    for (int i = ROWS; i < ROWS + 8; i++) {
        add_page_user(i, OTHER, true);
        add_page_key(i, OTHER, true);
    }
    for (int i = 0; i < 12; i++) {
        const char *name = text("%c role %d", 'a' + i * 11 % 26, i);
        add_item(&roles, add_role(db, ENTITY, i, name, NULL, NULL), identity_name_canonical(pool, name), NOW + i, true);
    }
    add_role(db, OTHER, 50, "theirs", NULL, NULL);
    for (int i = 0; i < identity_builtin_role_count(); i++)
        add_item(&roles, identity_builtin_role(i)->id, identity_name_canonical(pool, identity_builtin_role(i)->name), 0,
                 true);
    must(identity_db_commit(db), "commit");
}

/* ---- what must come --------------------------------------------------------------------------------------------- */

static identity_order_t sort_order;

static int compare(const void *a_, const void *b_)
{
    const item_t *a = a_, *b = b_;
    int by_key = sort_order == IDENTITY_ORDER_NAME ? strcmp(a->name, b->name)
                                                   : (a->created_at > b->created_at) - (a->created_at < b->created_at);
    return by_key ? by_key : strcmp(a->id, b->id);
}

static int expected(const kind_t *kind, const identity_page_query_t *query, const char **ids)
{
    item_t sorted[512];
    int count = 0;

    for (int i = 0; i < kind->count_of_items; i++)
        if (query->active < 0 || !kind->by_active || kind->items[i].active == query->active)
            sorted[count++] = kind->items[i];
    sort_order = query->order;
    qsort(sorted, (size_t)count, sizeof sorted[0], compare);
    for (int i = 0; i < count; i++)
        ids[i] = sorted[query->descending ? count - 1 - i : i].id;
    return count;
}

/* Is this page the rows from `from` on? */
static bool is_page(const kind_t *kind, const identity_page_query_t *query, const char **ids, int count, int from,
                    apr_array_header_t **rows)
{
    int wanted = count - from < query->limit ? count - from : (int)query->limit;

    if (identity_page(db, query, rows) != IDENTITY_DB_OK || (*rows)->nelts != wanted)
        return false;
    for (int i = 0; i < wanted; i++)
        if (strcmp(kind->id(APR_ARRAY_IDX(*rows, i, void *)), ids[from + i]) != 0)
            return false;
    return true;
}

static identity_cursor_t cursor_at(const kind_t *kind, const identity_page_query_t *query, const void *row,
                                   bool backward)
{
    return (identity_cursor_t){.key = kind->key(row, query->order), .id = kind->id(row), .backward = backward};
}

static void walk(const kind_t *kind, identity_page_query_t query)
{
    const char *ids[512],
        *how = text("%s by %s %s, active %d", kind->name, query.order == IDENTITY_ORDER_NAME ? "name" : "time",
                    query.descending ? "down" : "up", query.active);
    int count = expected(kind, &query, ids), right = 0, from = 0;
    apr_array_header_t *rows = NULL;
    identity_cursor_t cursor;
    apr_int64_t counted = -1;

    query.limit = 7;
    for (; from < count && is_page(kind, &query, ids, count, from, &rows); from += 7) {
        cursor = cursor_at(kind, &query, APR_ARRAY_IDX(rows, rows->nelts - 1, void *), false);
        query.cursor = &cursor;
        right++;
    }
    is_int(right, (count + 6) / 7, "%s: forward by cursors", how);
    is_int(identity_page(db, &query, &rows), IDENTITY_DB_OK, "%s: behind the end", how);
    is_int(rows->nelts, 0, "%s: there is nothing", how);
    /* From before the last row back to the first. */
    query.cursor = NULL;
    query.offset = count - 1;
    ok(is_page(kind, &query, ids, count, count - 1, &rows), "%s: the last row by its offset", how);
    query.offset = 0;
    for (from = count - 1, right = 0; from > 0; right++) {
        int next = from > 7 ? from - 7 : 0;
        cursor = cursor_at(kind, &query, APR_ARRAY_IDX(rows, 0, void *), true);
        query.cursor = &cursor;
        query.limit = from - next;
        if (!is_page(kind, &query, ids, count, next, &rows))
            break;
        from = next;
    }
    is_int(from, 0, "%s: backward by cursors", how);
    query.cursor = NULL;
    query.limit = 5;
    for (from = 0, right = 0; from < count; from += 5) {
        query.offset = from;
        right += is_page(kind, &query, ids, count, from, &rows);
    }
    is_int(right, (count + 4) / 5, "%s: by offsets", how);
    must(identity_page_count(db, &query, 1000, &counted), "count");
    is_int(counted, count, "%s: counted", how);
    must(identity_page_count(db, &query, 10, &counted), "count");
    is_int(counted, count > 10 ? 11 : count, "%s: counted to its cap", how);
}

static void test_orders(const kind_t *kind)
{
    for (int bits = 0; bits < 12; bits++) {
        identity_page_query_t query = {.of = kind->of,
                                       .entity_id = ENTITY,
                                       .active = bits / 4 - 1,
                                       .order = bits & 1 ? IDENTITY_ORDER_NAME : IDENTITY_ORDER_CREATED_AT,
                                       .descending = bits & 2};
        if ((!(bits & 1) || kind->by_name) && (query.active < 0 || kind->by_active))
            walk(kind, query);
    }
}

static int rows_of(const kind_t *kind, identity_page_query_t query)
{
    apr_array_header_t *rows;
    apr_int64_t count;

    query.of = kind->of;
    query.entity_id = query.entity_id ? query.entity_id : ENTITY;
    query.limit = 500;
    must(identity_page(db, &query, &rows), "page");
    must(identity_page_count(db, &query, 1000, &count), "count");
    return rows->nelts == count ? rows->nelts : -1;
}

static void test_filters(void)
{
    const char *mine = users.items[1].id, *my_name = users.items[1].name;

    is_int(rows_of(&users, (identity_page_query_t){.name = my_name, .active = -1}), 1, "a user by name");
    is_int(rows_of(&users, (identity_page_query_t){.name = my_name, .active = 1}), 1, "who is active");
    is_int(rows_of(&users, (identity_page_query_t){.name = my_name, .active = 0}), 0, "is not inactive");
    is_int(rows_of(&users, (identity_page_query_t){.name = my_name, .entity_id = OTHER, .active = -1}), 0,
           "a user of another entity by name");
    is_int(rows_of(&users, (identity_page_query_t){.only_id = mine, .active = -1}), 1, "one user");
    is_int(rows_of(&users, (identity_page_query_t){.only_id = mine, .name = my_name, .active = -1}), 1, "of that name");
    is_int(rows_of(&users, (identity_page_query_t){.only_id = mine, .name = "x", .active = -1}), 0, "of no other");
    is_int(rows_of(&users, (identity_page_query_t){.only_id = mine, .entity_id = OTHER, .active = -1}), 0,
           "one user of another entity");
    is_int(rows_of(&users, (identity_page_query_t){.entity_id = "enti_x", .active = -1}), 0, "no users");

    const char *builtin = identity_name_canonical(pool, identity_builtin_role(1)->name);
    is_int(rows_of(&roles, (identity_page_query_t){.name = builtin, .active = -1}), 1, "a built-in role by name");
    is_int(rows_of(&roles, (identity_page_query_t){.name = roles.items[3].name, .active = -1}), 1, "an own one");
    is_int(rows_of(&roles, (identity_page_query_t){.name = "theirs", .active = -1}), 0, "one of another entity");
    is_int(rows_of(&roles, (identity_page_query_t){.entity_id = OTHER, .name = "theirs", .active = -1}), 1,
           "which has it");

    int before = rows_of(&roles, (identity_page_query_t){.childless = true, .entity_id = OTHER, .active = -1});
    must(identity_db_begin(db, true), "begin");
    add_role(db, OTHER, 60, "family", ids_of(1, identity_builtin_role(0)->id), NULL);
    must(identity_db_commit(db), "commit");
    is_int(before, identity_builtin_role_count() + 1, "roles without children");
    is_int(rows_of(&roles, (identity_page_query_t){.childless = true, .entity_id = OTHER, .active = -1}), before,
           "are no more for one that has some");
    is_int(rows_of(&roles, (identity_page_query_t){.entity_id = OTHER, .active = -1}), before + 1, "but there it is");
}

/* A cursor is what somebody sends: whatever stands in it, the page is one of the entity's. */
static void test_strange_cursors(void)
{
    static const char *const strange[] = {"", "x", "-5", "99999999999999999999999", "' OR 1=1 --", "%s"};
    identity_cursor_t cursor = {.id = "%lld'"};
    identity_page_query_t query = {.entity_id = ENTITY, .active = -1, .cursor = &cursor, .limit = 100};
    apr_array_header_t *rows;

    for (int i = 0; i < 24; i++) {
        cursor.key = strange[i / 4];
        cursor.backward = i & 1;
        query.order = i & 2 ? IDENTITY_ORDER_NAME : IDENTITY_ORDER_CREATED_AT;
        is_int(identity_page(db, &query, &rows), IDENTITY_DB_OK, "a cursor of %s", cursor.key);
        ok(rows->nelts <= ROWS, "no more than there are");
    }
}

int main(void)
{
    db = fixture_begin();
    fill();
    test_orders(&users);
    test_orders(&roles);
    test_orders(&keys);
    test_filters();
    test_strange_cursors();
    return fixture_end();
}
