/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of users, roles, keys, teams, providers, clients, audit records and invitations: a total order (order column, id),
 * entered at a key, never by counting rows behind a cursor.
 *
 * The text of a query is composed of the fragments below: order, direction, cursor or not, filters. That makes a
 * finite set, each prepared once per connection, and a test checks the plan of every one of them: ranges of an
 * index, and no sorting. */
#include <stddef.h>

#include "rows_int.h"

#define ARGUMENTS 12

/* A column that must equal a text of the query, if that is given. */
typedef struct filter {
    const char *column; /* NULL ends a list */
    size_t wanted;      /* offset of the const char * in identity_page_query_t */
} filter_t;

typedef struct resource {
    const char *name;    /* for the log */
    const char *columns; /* of a row */
    const char *from;    /* table and alias */
    const char *alias;
    const char *name_column;
    bool builtin;       /* rows of the entity '' belong to every entity */
    const char *active; /* column, or NULL */
    const char *childless;
    db_reader_t *reader;
    const char *open_to;     /* for query->domain, or NULL */
    const filter_t *filters; /* or NULL */
    const char *between;     /* the column for query->from and to, or NULL */
    const char *always;      /* a condition for all rows, or NULL */
} resource_t;

/* Columns as in sql.def. */
#define SQL(name, text)
#include "sql.def"
#undef SQL

static const filter_t user_filters[] = {{"status", offsetof(identity_page_query_t, state)},
                                        {NULL, 0}};

static const filter_t audit_filters[] = {
    {"user_id", offsetof(identity_page_query_t, user_id)},
    {"target_id", offsetof(identity_page_query_t, target_id)},
    {"target_resource_type", offsetof(identity_page_query_t, target_type)},
    {"target_platform_id", offsetof(identity_page_query_t, platform_id)},
    {NULL, 0}};

static const filter_t invitation_filters[] = {
    {"user_id", offsetof(identity_page_query_t, user_id)},
    {"state", offsetof(identity_page_query_t, state)},
    {"role_slug", offsetof(identity_page_query_t, role_slug)},
    {NULL, 0}};

static const resource_t resources[] = {
    [IDENTITY_PAGE_OF_USERS] = {.name = "USERS_PAGE",
                                .columns = USER_SHOWN_COLUMNS,
                                .from = "users u",
                                .alias = "u",
                                .name_column = "canonical",
                                .active = "u.active",
                                .filters = user_filters,
                                .reader = db_read_user_shown},
    [IDENTITY_PAGE_OF_ROLES] =
        {.name = "ROLES_PAGE",
         .columns = ROLE_COLUMNS,
         .from = "roles r",
         .alias = "r",
         .name_column = "canonical",
         .builtin = true,
         .childless = " AND NOT EXISTS (SELECT 1 FROM role_children x WHERE x.role_id = r.id)",
         .reader = db_read_role},
    [IDENTITY_PAGE_OF_KEYS] = {.name = "KEYS_PAGE",
                               .columns = KEY_COLUMNS,
                               .from = "api_keys k",
                               .alias = "k",
                               .active = "k.active",
                               .always = " AND k.user_id IS NULL",
                               .reader = db_read_key},
    [IDENTITY_PAGE_OF_TEAMS] = {.name = "TEAMS_PAGE",
                                .columns = TEAM_COLUMNS,
                                .from = "teams t",
                                .alias = "t",
                                .reader = db_read_team},
    [IDENTITY_PAGE_OF_PROVIDERS] =
        {.name = "PROVIDERS_PAGE",
         .columns = PROVIDER_COLUMNS,
         .from = "providers v",
         .alias = "v",
         .open_to = " AND v.status = 'ENABLED' AND (v.type = 'DEFAULT' OR "
                    "json_array_length(v.settings, '$.allowed_domains') = 0 OR EXISTS "
                    "(SELECT 1 FROM json_each(v.settings, '$.allowed_domains') j "
                    "WHERE j.value = %s))",
         .reader = db_read_provider},
    [IDENTITY_PAGE_OF_CLIENTS] = {.name = "CLIENTS_PAGE",
                                  .columns = CLIENT_COLUMNS,
                                  .from = "clients c",
                                  .alias = "c",
                                  .reader = db_read_client},
    [IDENTITY_PAGE_OF_AUDITS] = {.name = "AUDIT_PAGE",
                                 .columns = AUDIT_COLUMNS,
                                 .from = AUDIT_RECORDS,
                                 .alias = "d",
                                 .filters = audit_filters,
                                 .between = "created_at",
                                 .reader = db_read_audit},
    [IDENTITY_PAGE_OF_INVITATIONS] = {.name = "INVITATIONS_PAGE",
                                      .columns = INVITATION_COLUMNS,
                                      .from = "invitations i",
                                      .alias = "i",
                                      .name_column = "canonical",
                                      .filters = invitation_filters,
                                      .between = "expires_at",
                                      .reader = db_read_invitation}};

typedef struct text {
    apr_pool_t *pool;
    const char *sql;
    db_argument_t arguments[ARGUMENTS];
    int count;
    identity_catalogue_t catalogue;
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
    if (query->order == IDENTITY_ORDER_EXPIRY)
        return "expires_at";
    return query->order == IDENTITY_ORDER_NAME && resource->name_column ? resource->name_column
                                                                        : "created_at";
}

/* entity: NULL for the built-in rows. */
static void add_filters(text_t *text, const resource_t *resource,
                        const identity_page_query_t *query, const char *entity)
{
    const char *alias = resource->alias;

    if (entity)
        add_argument(text, apr_pstrcat(text->pool, " WHERE ", alias, ".entity_id = %s", NULL),
                     S(entity));
    else
        add(text, apr_pstrcat(
                      text->pool, " WHERE ", alias, ".entity_id = ''",
                      text->catalogue == IDENTITY_CATALOGUE_CORE ? " AND r.id IN " CORE_ROLES : "",
                      NULL));
    if (resource->always)
        add(text, resource->always);
    if (query->only_id)
        add_argument(text, apr_pstrcat(text->pool, " AND ", alias, ".id = %s", NULL),
                     S(query->only_id));
    if (query->name)
        add_argument(
            text,
            apr_pstrcat(text->pool, " AND ", alias, ".", resource->name_column, " = %s", NULL),
            S(query->name));
    if (resource->active && query->active >= 0)
        add_argument(text, apr_pstrcat(text->pool, " AND ", resource->active, " = %lld", NULL),
                     N(query->active));
    if (resource->childless && query->childless)
        add(text, resource->childless);
    if (resource->open_to && query->domain)
        add_argument(text, resource->open_to, S(query->domain));
    for (const filter_t *filter = resource->filters; filter && filter->column; filter++) {
        const char *wanted = *(const char *const *)((const char *)query + filter->wanted);
        /* Few rows have a name: no other index must be chosen. */
        if (wanted && query->name)
            add_argument(text,
                         apr_pstrcat(text->pool, " AND COALESCE(", alias, ".", filter->column,
                                     ", '') = %s", NULL),
                         S(wanted));
        else if (wanted)
            add_argument(
                text, apr_pstrcat(text->pool, " AND ", alias, ".", filter->column, " = %s", NULL),
                S(wanted));
    }
}

/* An index range has one lower and one upper bound: a cursor on the bounded column, which lies between the bounds,
 * replaces the nearer one. */
static void add_bounds(text_t *text, const resource_t *resource, const identity_page_query_t *query,
                       bool cursor)
{
    bool entered = cursor && query->cursor && resource->between &&
                   strcmp(resource->between, order_column(resource, query)) == 0;
    bool upper = entered && query->descending != backward(query), lower = entered && !upper;

    if (!resource->between)
        return;
    const char *column =
        apr_pstrcat(text->pool, " AND ", resource->alias, ".", resource->between, NULL);
    if (query->from && !lower)
        add_argument(text, apr_pstrcat(text->pool, column, " >= %lld", NULL), N(query->from));
    if (query->to && !upper)
        add_argument(text, apr_pstrcat(text->pool, column, " < %lld", NULL), N(query->to));
}

static void add_cursor(text_t *text, const resource_t *resource, const identity_page_query_t *query)
{
    bool by_time = query->order != IDENTITY_ORDER_NAME || !resource->name_column;
    const char *sign = query->descending != backward(query) ? "<" : ">";

    if (!query->cursor)
        return;
    add_argument(text,
                 apr_pstrcat(text->pool, " AND (", resource->alias, ".",
                             order_column(resource, query), ", ", resource->alias, ".id) ", sign,
                             by_time ? " (%lld" : " (%s", NULL),
                 by_time ? N(apr_atoi64(query->cursor->key)) : S(query->cursor->key));
    add_argument(text, ", %s)", S(query->cursor->id));
}

static void add_select(text_t *text, const resource_t *resource, const identity_page_query_t *query,
                       const char *columns, const char *entity, bool cursor)
{
    add(text, apr_pstrcat(text->pool, "SELECT ", columns, " FROM ", resource->from, NULL));
    add_filters(text, resource, query, entity);
    add_bounds(text, resource, query, cursor);
    if (cursor)
        add_cursor(text, resource, query);
}

static void compose_page(text_t *text, const resource_t *resource,
                         const identity_page_query_t *query)
{
    const char *direction = query->descending != backward(query) ? " DESC" : "",
               *column = order_column(resource, query);
    /* After UNION ALL the order refers to the columns of the result; both halves are read in index order and merged. */
    const char *alias =
        resource->builtin ? "" : apr_pstrcat(text->pool, resource->alias, ".", NULL);

    text->sql = "";
    if (resource->builtin) {
        add_select(text, resource, query, resource->columns, NULL, true);
        add(text, " UNION ALL ");
    }
    add_select(text, resource, query, resource->columns, query->entity_id, true);
    add(text, apr_pstrcat(text->pool, " ORDER BY ", alias, column, direction, ", ", alias, "id",
                          direction, NULL));
    add_argument(text, " LIMIT %lld", N(query->limit));
    if (!query->cursor)
        add_argument(text, " OFFSET %lld", N(query->offset));
}

static void compose_count(text_t *text, const resource_t *resource,
                          const identity_page_query_t *query, apr_int64_t cap)
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

static identity_db_status_t page_of(identity_db_t *db, const identity_page_query_t *query,
                                    apr_array_header_t **rows)
{
    const resource_t *resource = &resources[query->of];
    text_t text = {.pool = db_use_pool(db), .catalogue = db_catalogue(db)};

    compose_page(&text, resource, query);
    return db_list_text(db, resource->name, text.sql, text.arguments, text.count, resource->reader,
                        rows);
}

identity_db_status_t identity_page(identity_db_t *db, const identity_page_query_t *query,
                                   apr_array_header_t **rows)
{
    identity_db_status_t status = query->of == IDENTITY_PAGE_OF_HOLDERS
                                      ? db_holders(db, query, rows)
                                      : page_of(db, query, rows);

    if (backward(query))
        reverse(*rows);
    return status;
}

identity_db_status_t identity_page_count(identity_db_t *db, const identity_page_query_t *query,
                                         apr_int64_t cap, apr_int64_t *count)
{
    if (query->of == IDENTITY_PAGE_OF_HOLDERS)
        return db_holders_count(db, query, cap, count);
    const resource_t *resource = &resources[query->of];
    text_t text = {.pool = db_use_pool(db), .catalogue = db_catalogue(db)};

    compose_count(&text, resource, query, cap);
    return db_count_text(db, resource->name, text.sql, text.arguments, text.count, count);
}

const char *identity_order_key(apr_pool_t *pool, identity_order_t order, const char *name,
                               apr_time_t created_at)
{
    return order == IDENTITY_ORDER_NAME ? name : apr_psprintf(pool, "%" APR_TIME_T_FMT, created_at);
}

/* ---- for the test of the plans ---------------------------------------------------------------------------------- */

static void see(apr_pool_t *pool, const resource_t *resource, const identity_page_query_t *query,
                db_text_seen_t *seen, void *context)
{
    text_t text = {.pool = pool};

    compose_page(&text, resource, query);
    seen(context, resource->name, text.sql);
    text.count = 0;
    compose_count(&text, resource, query, 1);
    seen(context, resource->name, text.sql);
}

/* Invitations: newest first; by expiry if open or expired ones are requested without an address. */
static void see_invitations(apr_pool_t *pool, db_text_seen_t *seen, void *context)
{
    identity_cursor_t cursor = {.key = "0", .id = "x"};

    for (unsigned bits = 0; bits < 1 << 6; bits++) {
        identity_page_query_t query = {.entity_id = "x", .active = -1, .descending = true};
        query.cursor = bits & 1 ? &cursor : NULL;
        query.name = bits & 2 ? "x" : NULL;
        query.user_id = bits & 2 && bits & 4 ? "x" : NULL;
        query.role_slug = bits & 8 ? "x" : NULL;
        query.from = bits & 16;
        query.to = bits & 32;
        query.state = bits & (4 | 16 | 32) ? "x" : NULL;
        query.order = !query.name && (query.from || query.to) ? IDENTITY_ORDER_EXPIRY
                                                              : IDENTITY_ORDER_CREATED_AT;
        see(pool, &resources[IDENTITY_PAGE_OF_INVITATIONS], &query, seen, context);
    }
}

/* Every filter, alone and with every other: those that a resource does not support leave its text unchanged. */
void db_page_texts(apr_pool_t *pool, db_text_seen_t *seen, void *context)
{
    identity_cursor_t cursor = {.key = "0", .id = "x"};

    see_invitations(pool, seen, context);
    db_holder_texts(pool, seen, context);
    for (unsigned bits = 0; bits < IDENTITY_PAGE_OF_INVITATIONS << 9; bits++) {
        const resource_t *resource = &resources[bits >> 9];
        bool audit = bits >> 9 == IDENTITY_PAGE_OF_AUDITS;
        identity_page_query_t query = {.entity_id = "x", .active = -1};
        query.descending = bits & 1;
        query.cursor = bits & 2 ? &cursor : NULL;
        cursor.backward = bits & 4;
        query.order = bits & 8 && !audit ? IDENTITY_ORDER_NAME : IDENTITY_ORDER_CREATED_AT;
        query.active = bits & 16 && !audit ? 1 : -1;
        query.name = bits & 32 && resource->name_column ? "x" : NULL;
        query.only_id = bits & 64 && !audit ? "x" : NULL;
        query.childless = bits & 128;
        query.state = bits & 128 && !(bits & 16)
                          ? "x"
                          : NULL; /* a status filter already determines who is active */
        query.domain = bits & 256 ? "x" : NULL;
        query.user_id = bits & 8 ? "x" : NULL;
        query.target_id = bits & 16 ? "x" : NULL;
        query.target_type = bits & 32 ? "x" : NULL;
        query.platform_id = bits & 64 ? "x" : NULL;
        query.from = bits & 128;
        query.to = bits & 256;
        see(pool, resource, &query, seen, context);
    }
}
