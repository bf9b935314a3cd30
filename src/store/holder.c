/* SPDX-License-Identifier: Apache-2.0 */
/* Holders of a permission: pages of (holder, account), ordered by the creation of the holder, for people and keys
 * together. People are iterated by their index and their rights looked up by key, so the cost of a page depends on
 * the distance between two holders, and nothing is sorted. */
#include "rows_int.h"

#define ARGUMENTS 32
/* What a membership m grants: ADMIN everything, else by one of the roles. */
#define GRANTS                                                                                                     \
    "(m.type = 'ADMIN' OR EXISTS (SELECT 1 FROM membership_roles x WHERE x.membership_id = m.id AND x.role_id IN " \
    "(SELECT r.value FROM json_each(%s) r)))"
#define USERS                                                                                                        \
    "SELECT u.created_at, u.id, a.id, 'USER', u.username FROM users u CROSS JOIN accounts a WHERE u.entity_id = %s " \
    "AND u.active = 1 AND a.id IN (SELECT m.account_id FROM memberships m WHERE m.user_id = u.id AND " GRANTS        \
    " UNION SELECT m.account_id FROM team_members t CROSS JOIN memberships m WHERE t.user_id = u.id "                \
    "AND t.start_at <= %lld AND (t.end_at = 0 OR t.end_at > %lld) AND m.team_id = t.team_id AND " GRANTS             \
    ")"
#define KEYS                                                                                                       \
    "SELECT k.created_at, k.id, a.id, k.role_type, k.description FROM api_keys k CROSS JOIN accounts a "           \
    "WHERE k.entity_id = %s AND k.user_id IS NULL AND k.active = 1 AND (k.expires_at = 0 OR k.expires_at > %lld) " \
    "AND (k.narrowed = 0 OR EXISTS (SELECT 1 FROM api_key_permissions p WHERE p.key_id = k.id AND p.permission = " \
    "%s)) AND a.entity_id = %s"

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

static void add_arguments(text_t *text, const db_argument_t *arguments, int count)
{
    for (int i = 0; i < count; i++)
        text->arguments[text->count++] = arguments[i];
}

static bool backward(const identity_page_query_t *query)
{
    return query->cursor && query->cursor->backward;
}

/* The cursor's id consists of the holder's and the account's. alias: of the holder's table. */
static void add_cursor(text_t *text, const identity_page_query_t *query, const char *alias)
{
    const char *sign = query->descending != backward(query) ? "<" : ">", *id = query->cursor->id,
               *dash = strchr(id, '-'),
               *holder = dash ? apr_pstrmemdup(text->pool, id, (apr_size_t)(dash - id)) : id,
               *place = apr_pstrcat(text->pool, "(", alias, ".created_at, ", alias, ".id)", NULL);
    apr_int64_t at = apr_atoi64(query->cursor->key);

    add(text, apr_pstrcat(text->pool, " AND ", place, " ", sign, "= (%lld, %s) AND (", place, " ",
                          sign, " (%lld, %s) OR a.id ", sign, " %s)", NULL));
    add_arguments(text, DB_ARGS(N(at), S(holder), N(at), S(holder), S(dash ? dash + 1 : "")));
}

static void add_accounts(text_t *text, const char *accounts)
{
    if (!accounts)
        return;
    add(text, " AND a.id IN (SELECT s.value FROM json_each(%s) s)");
    add_arguments(text, DB_ARGS(S(accounts)));
}

static void add_users(text_t *text, const identity_page_query_t *query, bool cursor,
                      const char *roles, const char *accounts)
{
    add(text, USERS);
    add_arguments(text, DB_ARGS(S(query->entity_id), S(roles), N(query->holders->now),
                                N(query->holders->now), S(roles)));
    add_accounts(text, accounts);
    if (query->only_id) {
        add(text, " AND u.id = %s");
        add_arguments(text, DB_ARGS(S(query->only_id)));
    }
    if (cursor && query->cursor)
        add_cursor(text, query, "u");
}

static void add_keys(text_t *text, const identity_page_query_t *query, bool cursor,
                     const char *accounts)
{
    const identity_holders_t *holders = query->holders;

    if (!holders->keys)
        return;
    add(text, " UNION ALL " KEYS);
    add_arguments(text, DB_ARGS(S(query->entity_id), N(holders->now), S(holders->permission),
                                S(query->entity_id)));
    if (!holders->read_only_keys)
        add(text, " AND k.role_type = 'ADMINISTRATOR'");
    add_accounts(text, accounts);
    if (cursor && query->cursor)
        add_cursor(text, query, "k");
}

/* roles, accounts: JSON arrays of ids; accounts NULL: all. */
static void compose_page(text_t *text, const identity_page_query_t *query, const char *roles,
                         const char *accounts)
{
    const char *direction = query->descending != backward(query) ? " DESC" : "";

    add_users(text, query, true, roles, accounts);
    add_keys(text, query, true, accounts);
    add(text, apr_pstrcat(text->pool, " ORDER BY 1", direction, ", 2", direction, ", 3", direction,
                          " LIMIT %lld", NULL));
    add_arguments(text, DB_ARGS(N(query->limit)));
    if (query->cursor)
        return;
    add(text, " OFFSET %lld");
    add_arguments(text, DB_ARGS(N(query->offset)));
}

static void compose_count(text_t *text, const identity_page_query_t *query, const char *roles,
                          const char *accounts, apr_int64_t cap)
{
    add(text, "SELECT COUNT(*) FROM (");
    add_users(text, query, false, roles, accounts);
    add_keys(text, query, false, accounts);
    add(text, " LIMIT %lld) n");
    add_arguments(text, DB_ARGS(N(cap + 1)));
}

static void *read_holder(const db_row_t *row, int from)
{
    identity_holder_row_t *holder = apr_pcalloc(db_pool(row), sizeof *holder);
    const char *kind = db_text(row, from + 3);

    holder->created_at = db_number(row, from);
    holder->id = db_text(row, from + 1);
    holder->account_id = db_text(row, from + 2);
    holder->place = apr_pstrcat(db_pool(row), holder->id, "-", holder->account_id, NULL);
    holder->key = strcmp(kind, "USER") != 0;
    holder->role = strcmp(kind, identity_key_role_name(IDENTITY_KEY_ADMINISTRATOR)) == 0
                       ? IDENTITY_KEY_ADMINISTRATOR
                       : IDENTITY_KEY_READ_ONLY;
    holder->name = db_text_or_null(row, from + 4);
    return holder;
}

identity_db_status_t db_holders(identity_db_t *db, const identity_page_query_t *query,
                                apr_array_header_t **rows)
{
    const identity_holders_t *holders = query->holders;
    text_t text = {.pool = db_use_pool(db), .sql = ""};

    compose_page(&text, query, db_json(db, holders->role_ids),
                 holders->account_ids ? db_json(db, holders->account_ids) : NULL);
    return db_list_text(db, "HOLDERS_PAGE", text.sql, text.arguments, text.count, read_holder,
                        rows);
}

identity_db_status_t db_holders_count(identity_db_t *db, const identity_page_query_t *query,
                                      apr_int64_t cap, apr_int64_t *count)
{
    const identity_holders_t *holders = query->holders;
    text_t text = {.pool = db_use_pool(db), .sql = ""};

    compose_count(&text, query, db_json(db, holders->role_ids),
                  holders->account_ids ? db_json(db, holders->account_ids) : NULL, cap);
    return db_count_text(db, "HOLDERS_PAGE", text.sql, text.arguments, text.count, count);
}

/* ---- roles ------------------------------------------------------------------------------------------------------ */

static void *read_id(const db_row_t *row, int from)
{
    return (void *)db_text(row, from);
}

identity_db_status_t identity_permission_named(identity_db_t *db, const char *entity_id,
                                               const char *permission, bool *named)
{
    apr_int64_t count = 0;
    identity_db_status_t status =
        db_count(db, IDENTITY_SQL_PERMISSION_NAMED,
                 DB_ARGS(S(permission), S(entity_id), S(permission), S(entity_id)), &count);

    *named = count > 0;
    return status;
}

identity_db_status_t identity_roles_granting(identity_db_t *db, const char *entity_id,
                                             const char *permission,
                                             const apr_array_header_t *built_in,
                                             apr_array_header_t **ids)
{
    return db_list(db, IDENTITY_SQL_ROLES_GRANTING,
                   DB_ARGS(S(db_json(db, built_in)), S(permission), S(entity_id), S(entity_id)),
                   read_id, ids);
}

/* ---- for the test of the plans ---------------------------------------------------------------------------------- */

void db_holder_texts(apr_pool_t *pool, db_text_seen_t *seen, void *context)
{
    identity_cursor_t cursor = {.key = "0", .id = "x-y"};

    for (unsigned bits = 0; bits < 1 << 6; bits++) {
        identity_holders_t holders = {
            .permission = "x", .keys = bits & 1, .read_only_keys = bits & 2};
        identity_page_query_t query = {.entity_id = "x", .active = -1, .holders = &holders};
        const char *accounts = bits & 4 ? "[]" : NULL;
        text_t page = {.pool = pool, .sql = ""}, count = {.pool = pool, .sql = ""};
        query.only_id = bits & 8 ? "x" : NULL;
        query.descending = bits & 16;
        query.cursor = bits & 32 ? &cursor : NULL;
        compose_page(&page, &query, "[]", accounts);
        seen(context, "HOLDERS_PAGE", page.sql);
        compose_count(&count, &query, "[]", accounts, 1);
        seen(context, "HOLDERS_PAGE", count.sql);
    }
}
