/* Pages of users, roles and keys: a total order (order column, id), entered at a key, never by counting rows behind a
 * cursor.
 *
 * A page's text is put together from the fragments below: order, direction, cursor or not, filters. That makes a finite
 * set, each prepared once a connection, and a test looks at the plan of every one of them: ranges of an index, and no
 * sorting.
 */
#include "rows_int.h"

#define ARGUMENTS 12

typedef struct resource {
    const char *name;    /* in the log */
    const char *columns; /* of a row */
    const char *from;    /* table and alias */
    const char *alias;
    const char *name_column;
    bool builtin;       /* rows of the entity '' belong to every entity */
    const char *active; /* column, or NULL */
    const char *childless;
    db_reader_t *reader;
} resource_t;

/* Columns as sql.def has them. */
#define SQL(name, text)
#include "sql.def"
#undef SQL

static const resource_t users = {"USERS_PAGE", USER_COLUMNS, "users u", "u",         "canonical",
                                 false,        "u.active",   NULL,      db_read_user};
static const resource_t roles = {
    "ROLES_PAGE", ROLE_COLUMNS, "roles r", "r",
    "canonical",  true,         NULL,      " AND NOT EXISTS (SELECT 1 FROM role_children x WHERE x.role_id = r.id)",
    db_read_role};
static const resource_t teams = {"TEAMS_PAGE", TEAM_COLUMNS, "teams t", "t", NULL, false, NULL, NULL, db_read_team};
static const resource_t keys = {"KEYS_PAGE", KEY_COLUMNS, "api_keys k", "k",        NULL,
                                false,       "k.active",  NULL,         db_read_key};

typedef struct text {
    apr_pool_t *pool;
    const char *sql;
    db_argument_t arguments[ARGUMENTS];
    int count;
} text_t;

static void add(text_t *text, const char *more)
{
    text->sql = apr_pstrcat(text->pool, text->sql, more, NULL);
}

static void add_argument(text_t *text, const char *more, db_argument_t argument)
{
    add(text, more);
    text->arguments[text->count++] = argument;
}

static bool backward(const identity_page_query_t *query)
{
    return query->cursor && query->cursor->backward;
}

static const char *order_column(const resource_t *resource, const identity_page_query_t *query)
{
    return query->order == IDENTITY_ORDER_NAME && resource->name_column ? resource->name_column : "created_at";
}

/* entity: NULL for the built-in rows. */
static void add_filters(text_t *text, const resource_t *resource, const identity_page_query_t *query,
                        const char *entity)
{
    const char *alias = resource->alias;

    if (entity)
        add_argument(text, apr_pstrcat(text->pool, " WHERE ", alias, ".entity_id = %s", NULL), S(entity));
    else
        add(text, apr_pstrcat(text->pool, " WHERE ", alias, ".entity_id = ''", NULL));
    if (query->only_id)
        add_argument(text, apr_pstrcat(text->pool, " AND ", alias, ".id = %s", NULL), S(query->only_id));
    if (query->name)
        add_argument(text, apr_pstrcat(text->pool, " AND ", alias, ".", resource->name_column, " = %s", NULL),
                     S(query->name));
    if (resource->active && query->active >= 0)
        add_argument(text, apr_pstrcat(text->pool, " AND ", resource->active, " = %lld", NULL), N(query->active));
    if (resource->childless && query->childless)
        add(text, resource->childless);
}

static void add_cursor(text_t *text, const resource_t *resource, const identity_page_query_t *query)
{
    bool by_time = strcmp(order_column(resource, query), "created_at") == 0;
    const char *sign = query->descending != backward(query) ? "<" : ">";

    if (!query->cursor)
        return;
    add_argument(text,
                 apr_pstrcat(text->pool, " AND (", resource->alias, ".", order_column(resource, query), ", ",
                             resource->alias, ".id) ", sign, by_time ? " (%lld" : " (%s", NULL),
                 by_time ? N(apr_atoi64(query->cursor->key)) : S(query->cursor->key));
    add_argument(text, ", %s)", S(query->cursor->id));
}

static void add_select(text_t *text, const resource_t *resource, const identity_page_query_t *query,
                       const char *columns, const char *entity, bool cursor)
{
    add(text, apr_pstrcat(text->pool, "SELECT ", columns, " FROM ", resource->from, NULL));
    add_filters(text, resource, query, entity);
    if (cursor)
        add_cursor(text, resource, query);
}

static void compose_page(text_t *text, const resource_t *resource, const identity_page_query_t *query)
{
    const char *direction = query->descending != backward(query) ? " DESC" : "",
               *column = order_column(resource, query);
    /* Behind UNION ALL the order is that of the result's columns; both halves come in it by their index and are merged.
     */
    const char *alias = resource->builtin ? "" : apr_pstrcat(text->pool, resource->alias, ".", NULL);

    text->sql = "";
    if (resource->builtin) {
        add_select(text, resource, query, resource->columns, NULL, true);
        add(text, " UNION ALL ");
    }
    add_select(text, resource, query, resource->columns, query->entity_id, true);
    add(text, apr_pstrcat(text->pool, " ORDER BY ", alias, column, direction, ", ", alias, "id", direction, NULL));
    add_argument(text, " LIMIT %lld", N(query->limit));
    if (!query->cursor)
        add_argument(text, " OFFSET %lld", N(query->offset));
}

static void compose_count(text_t *text, const resource_t *resource, const identity_page_query_t *query, apr_int64_t cap)
{
    text->sql = "SELECT COUNT(*) FROM (";
    if (resource->builtin) {
        add_select(text, resource, query, "1", NULL, false);
        add(text, " UNION ALL ");
    }
    add_select(text, resource, query, "1", query->entity_id, false);
    add_argument(text, " LIMIT %lld) n", N(cap + 1));
}

static void reverse(apr_array_header_t *rows)
{
    void **list = (void **)rows->elts;

    for (int i = 0, j = rows->nelts - 1; i < j; i++, j--) {
        void *kept = list[i];
        list[i] = list[j];
        list[j] = kept;
    }
}

static identity_db_status_t page(identity_db_t *db, const resource_t *resource, const identity_page_query_t *query,
                                 apr_array_header_t **rows)
{
    text_t text = {.pool = db_use_pool(db)};

    compose_page(&text, resource, query);
    identity_db_status_t status =
        db_list_text(db, resource->name, text.sql, text.arguments, text.count, resource->reader, rows);
    if (backward(query))
        reverse(*rows);
    return status;
}

static identity_db_status_t count_rows(identity_db_t *db, const resource_t *resource,
                                       const identity_page_query_t *query, apr_int64_t cap, apr_int64_t *count)
{
    text_t text = {.pool = db_use_pool(db)};

    compose_count(&text, resource, query, cap);
    return db_count_text(db, resource->name, text.sql, text.arguments, text.count, count);
}

identity_db_status_t identity_users_page(identity_db_t *db, const identity_page_query_t *query,
                                         apr_array_header_t **rows)
{
    return page(db, &users, query, rows);
}

identity_db_status_t identity_users_count(identity_db_t *db, const identity_page_query_t *query, apr_int64_t cap,
                                          apr_int64_t *count)
{
    return count_rows(db, &users, query, cap, count);
}

identity_db_status_t identity_roles_page(identity_db_t *db, const identity_page_query_t *query,
                                         apr_array_header_t **rows)
{
    return page(db, &roles, query, rows);
}

identity_db_status_t identity_roles_count(identity_db_t *db, const identity_page_query_t *query, apr_int64_t cap,
                                          apr_int64_t *count)
{
    return count_rows(db, &roles, query, cap, count);
}

identity_db_status_t identity_teams_page(identity_db_t *db, const identity_page_query_t *query,
                                         apr_array_header_t **rows)
{
    return page(db, &teams, query, rows);
}

identity_db_status_t identity_keys_page(identity_db_t *db, const identity_page_query_t *query,
                                        apr_array_header_t **rows)
{
    return page(db, &keys, query, rows);
}

identity_db_status_t identity_keys_count(identity_db_t *db, const identity_page_query_t *query, apr_int64_t cap,
                                         apr_int64_t *count)
{
    return count_rows(db, &keys, query, cap, count);
}

/* ---- keys of cursors -------------------------------------------------------------------------------------------- */

static const char *time_key(apr_pool_t *pool, apr_time_t time)
{
    return apr_psprintf(pool, "%" APR_TIME_T_FMT, time);
}

const char *identity_user_order_key(apr_pool_t *pool, const identity_user_row_t *row, identity_order_t order)
{
    return order == IDENTITY_ORDER_NAME ? row->canonical : time_key(pool, row->created_at);
}

const char *identity_role_order_key(apr_pool_t *pool, const identity_role_row_t *row, identity_order_t order)
{
    return order == IDENTITY_ORDER_NAME ? row->canonical : time_key(pool, row->created_at);
}

const char *identity_key_order_key(apr_pool_t *pool, const identity_key_row_t *row)
{
    return time_key(pool, row->created_at);
}

const char *identity_team_order_key(apr_pool_t *pool, const identity_team_row_t *row)
{
    return time_key(pool, row->created_at);
}

/* ---- for the test of the plans ---------------------------------------------------------------------------------- */

static void see(apr_pool_t *pool, const resource_t *resource, const identity_page_query_t *query, db_text_seen_t *seen,
                void *context)
{
    text_t text = {.pool = pool};

    compose_page(&text, resource, query);
    seen(context, resource->name, text.sql);
    text.count = 0;
    compose_count(&text, resource, query, 1);
    seen(context, resource->name, text.sql);
}

void db_page_texts(apr_pool_t *pool, db_text_seen_t *seen, void *context)
{
    static const resource_t *const all[] = {&users, &roles, &keys, &teams};
    identity_cursor_t cursor = {.key = "0", .id = "x"};

    for (unsigned bits = 0; bits < 4 * 256; bits++) {
        const resource_t *resource = all[bits / 256];
        identity_page_query_t query = {.entity_id = "x",
                                       .active = bits & 1 ? 1 : -1,
                                       .order = bits & 2 ? IDENTITY_ORDER_NAME : IDENTITY_ORDER_CREATED_AT};
        query.descending = bits & 4;
        query.cursor = bits & 8 ? &cursor : NULL;
        cursor.backward = bits & 16;
        query.name = bits & 32 && resource->name_column ? "x" : NULL;
        query.only_id = bits & 64 ? "x" : NULL;
        query.childless = bits & 128;
        see(pool, resource, &query, seen, context);
    }
}
