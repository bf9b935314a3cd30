/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sites: every row of every table that belongs to one, as JSON, and back.
 *
 * Tables and columns are those of this database, so that later migrations are covered automatically. Tables are
 * ordered by their creation, so that each refers only to earlier ones; rows by their keys. The database itself
 * formats the lines: the same row gives the same text. */
#include "db_int.h"

#define FIRST_KEY "-1"

/* Not part of a site: temporary, or about this server only. */
static const struct {
    const char *table, *reason;
} left_out[] = {
    {"schema_version", "of the database, not of what is in it"},
    {"sessions", "everybody signs in again"},
    {"refresh_tokens", "of sessions"},
    {"client_grants", "of sessions"},
    {"sso_states", "sign-ons under way"},
    {"outbox", "mails under way are sealed with this server's key"},
    {"idempotency", "answers are sealed with this server's key"},
    {"changes", "what running servers have to forget"},
    {"settings", "how this server is configured"},
};

/* Rows that refer to rows of the same table come after those, whatever their keys. */
#define ACCOUNTS_SOURCE                                                                                    \
    "(WITH RECURSIVE d(id, depth) AS (SELECT r.id, 0 FROM accounts r WHERE r.parent_id IS NULL UNION ALL " \
    "SELECT c.id, d.depth + 1 FROM d CROSS JOIN accounts c WHERE c.parent_id = d.id) "                     \
    "SELECT d.depth AS depth, a.* FROM d CROSS JOIN accounts a WHERE a.id = d.id)"

/* Built-in ones are in every database. */
#define CUSTOM_ROLES " AND t.entity_id <> ''"

static bool belongs(const char *table)
{
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (strcmp(left_out[i].table, table) == 0)
            return false;
    return true;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

typedef struct described {
    identity_site_column_t column;
    apr_int64_t key; /* its position in the primary key, from 1; 0: not part of it */
} described_t;

static void *read_column(const db_row_t *row, int from)
{
    described_t *described = apr_pcalloc(db_pool(row), sizeof *described);

    described->column.name = db_text(row, from);
    described->column.number = strstr(db_text(row, from + 1), "INT") != NULL;
    described->column.required = db_number(row, from + 2) != 0;
    described->key = db_number(row, from + 3);
    return described;
}

static const identity_site_column_t *column_of(const identity_site_table_t *table, int i)
{
    return &APR_ARRAY_IDX(table->columns, i, identity_site_column_t);
}

static const char *quoted_name(apr_pool_t *pool, const char *name)
{
    return apr_pstrcat(pool, "\"", name, "\"", NULL);
}

static const char *listed(apr_pool_t *pool, const identity_site_table_t *table, const char *before,
                          const char *each)
{
    const char *list = "";

    for (int i = 0; i < table->columns->nelts; i++) {
        const char *name = column_of(table, i)->name;
        list = apr_pstrcat(pool, list, i ? ", " : "", before, each ? each : quoted_name(pool, name),
                           NULL);
    }
    return list;
}

/* The row as a line. */
static const char *line_of(apr_pool_t *pool, const identity_site_table_t *table)
{
    const char *line = apr_pstrcat(pool, "json_object('table', '", table->name, "'", NULL);

    for (int i = 0; i < table->columns->nelts; i++)
        line = apr_pstrcat(pool, line, ", '", column_of(table, i)->name, "', t.",
                           quoted_name(pool, column_of(table, i)->name), NULL);
    return apr_pstrcat(pool, line, ")", NULL);
}

/* A page begins after two keys; tables with one ignore the second. */
static void compose(apr_pool_t *pool, identity_site_table_t *table)
{
    const char *line = line_of(pool, table), *name = quoted_name(pool, table->name);
    const char *one = quoted_name(pool, column_of(table, table->keys[0])->name);
    const char *two =
        table->key_count > 1 ? quoted_name(pool, column_of(table, table->keys[1])->name) : NULL;

    table->insert = apr_pstrcat(pool, "INSERT INTO ", name, " (", listed(pool, table, "", NULL),
                                ") VALUES (", listed(pool, table, "", "%s"), ")", NULL);
    table->find =
        apr_pstrcat(pool, "SELECT ", line, ", '', '' FROM ", name, " t WHERE t.", one, " = %s",
                    two ? " AND t." : "", two ? two : "", two ? " = %s" : "", NULL);
    if (strcmp(table->name, "accounts") == 0)
        table->page = apr_pstrcat(
            pool, "SELECT ", line, ", t.depth, t.id FROM ", ACCOUNTS_SOURCE,
            " t WHERE (t.depth, t.id) > (CAST(%s AS INTEGER), %s) ORDER BY t.depth, t.id "
            "LIMIT %lld",
            NULL);
    else if (two)
        table->page = apr_pstrcat(pool, "SELECT ", line, ", t.", one, ", t.", two, " FROM ", name,
                                  " t WHERE (t.", one, ", t.", two, ") > (%s, %s) ORDER BY t.", one,
                                  ", t.", two, " LIMIT %lld", NULL);
    else
        table->page = apr_pstrcat(pool, "SELECT ", line, ", t.", one, ", '' FROM ", name,
                                  " t WHERE t.", one, " > %s AND %s IS NOT NULL",
                                  strcmp(table->name, "roles") == 0 ? CUSTOM_ROLES : "",
                                  " ORDER BY t.", one, " LIMIT %lld", NULL);
}

/* ---- whose a row is --------------------------------------------------------------------------------------------- */

static void *read_reference(const db_row_t *row, int from)
{
    const char **reference = apr_palloc(db_pool(row), 2 * sizeof *reference);

    reference[0] = db_text(row, from);
    reference[1] = db_text(row, from + 1);
    return reference;
}

static int column_named(const identity_site_table_t *table, const char *name)
{
    for (int i = 0; i < table->columns->nelts; i++)
        if (strcmp(column_of(table, i)->name, name) == 0)
            return i;
    return -1;
}

static bool is_key(const identity_site_table_t *table, int column)
{
    for (int i = 0; i < table->key_count; i++)
        if (table->keys[i] == column)
            return true;
    return false;
}

/* Other referenced rows have an entity of their own: of several, the one in the key owns the row, else the user. */
static identity_db_status_t find_owners(identity_db_t *db, identity_site_table_t *table)
{
    apr_pool_t *pool = db_use_pool(db);
    apr_array_header_t *rows = NULL;
    identity_db_status_t status = db_list_text(
        db, "SITE_REFERENCES",
        "SELECT f.\"from\", f.\"table\" FROM pragma_foreign_key_list(%s) f WHERE f.\"table\" <> 'entities' "
        "ORDER BY f.id, f.seq",
        DB_ARGS(S(table->name)), read_reference, &rows);

    table->entity = column_named(table, "entity_id");
    table->owner = -1;
    table->owners = "";
    table->references = apr_array_make(pool, 4, sizeof(identity_site_reference_t));
    for (int i = 0; status == IDENTITY_DB_OK && i < rows->nelts; i++) {
        const char **reference = APR_ARRAY_IDX(rows, i, const char **);
        int column = column_named(table, reference[0]);
        APR_ARRAY_PUSH(table->references, identity_site_reference_t) =
            (identity_site_reference_t){column, reference[1]};
        table->owners = apr_psprintf(pool, "%s%sSELECT %d, x.entity_id FROM %s x WHERE x.id = %%s",
                                     table->owners, i ? " UNION ALL " : "", column,
                                     quoted_name(pool, reference[1]));
        if (is_key(table, column) || (table->owner < 0 && strcmp(reference[0], "user_id") == 0))
            table->owner = column;
    }
    if (table->references->nelts > IDENTITY_SITE_COLUMNS ||
        (table->references->nelts > 0 && table->entity < 0 && table->owner < 0))
        return IDENTITY_DB_FAILED;
    return status;
}

static identity_db_status_t describe(identity_db_t *db, const char *name,
                                     identity_site_table_t **made)
{
    apr_pool_t *pool = db_use_pool(db);
    identity_site_table_t *table = apr_pcalloc(pool, sizeof *table);
    apr_array_header_t *rows = NULL;
    identity_db_status_t status = db_list_text(
        db, "SITE_COLUMNS",
        "SELECT c.name, c.type, c.\"notnull\", c.pk FROM pragma_table_info(%s) c ORDER BY c.cid",
        DB_ARGS(S(name)), read_column, &rows);

    *made = table;
    table->name = name;
    table->columns = apr_array_make(pool, 24, sizeof(identity_site_column_t));
    for (int i = 0; status == IDENTITY_DB_OK && i < rows->nelts; i++) {
        const described_t *described = APR_ARRAY_IDX(rows, i, const described_t *);
        APR_ARRAY_PUSH(table->columns, identity_site_column_t) = described->column;
        if (described->key > IDENTITY_SITE_KEYS)
            return IDENTITY_DB_FAILED;
        if (described->key) {
            table->keys[described->key - 1] = i;
            table->key_count++;
        }
    }
    if (status == IDENTITY_DB_OK && table->key_count == 0)
        return IDENTITY_DB_FAILED;
    if (status == IDENTITY_DB_OK)
        compose(pool, table);
    return status == IDENTITY_DB_OK ? find_owners(db, table) : status;
}

identity_db_status_t identity_site_tables(identity_db_t *db, apr_array_header_t **tables)
{
    apr_array_header_t *names = NULL;
    identity_db_status_t status = db_plain_list(
        db, "SITE_TABLES",
        "SELECT m.name FROM sqlite_master m WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_' "
        "ORDER BY m.rowid",
        &names);

    *tables = apr_array_make(db_use_pool(db), 24, sizeof(identity_site_table_t *));
    for (int i = 0; status == IDENTITY_DB_OK && i < names->nelts; i++) {
        identity_site_table_t *table;
        if (!belongs(APR_ARRAY_IDX(names, i, const char *)))
            continue;
        status = describe(db, APR_ARRAY_IDX(names, i, const char *), &table);
        APR_ARRAY_PUSH(*tables, identity_site_table_t *) = table;
    }
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void *read_line(const db_row_t *row, int from)
{
    identity_site_line_t *line = apr_palloc(db_pool(row), sizeof *line);

    line->text = db_text(row, from);
    line->keys[0] = db_text(row, from + 1);
    line->keys[1] = db_text(row, from + 2);
    return line;
}

/* Before everything: texts are greater than "", numbers are not below 0. */
static const char *first_key(const identity_site_table_t *table, int i)
{
    if (strcmp(table->name, "accounts") == 0)
        return i == 0 ? FIRST_KEY : "";
    return i < table->key_count && column_of(table, table->keys[i])->number ? FIRST_KEY : "";
}

identity_db_status_t identity_site_page(identity_db_t *db, const identity_site_table_t *table,
                                        const identity_site_line_t *after, apr_int64_t limit,
                                        apr_array_header_t **lines)
{
    return db_list_text(db, "SITE_ROWS", table->page,
                        DB_ARGS(S(after ? after->keys[0] : first_key(table, 0)),
                                S(after ? after->keys[1] : first_key(table, 1)), N(limit)),
                        read_line, lines);
}

identity_db_status_t identity_site_find(identity_db_t *db, const identity_site_table_t *table,
                                        const char *const *values, const char **text)
{
    apr_array_header_t *lines = NULL;
    const db_argument_t keys[] = {S(values[table->keys[0]]), S(values[table->keys[1]])};
    identity_db_status_t status =
        db_list_text(db, "SITE_FIND", table->find, keys, table->key_count, read_line, &lines);

    *text = status == IDENTITY_DB_OK && lines->nelts
                ? APR_ARRAY_IDX(lines, 0, identity_site_line_t *)->text
                : NULL;
    return status == IDENTITY_DB_OK && !lines->nelts ? IDENTITY_DB_NONE : status;
}

static void *read_owner(const db_row_t *row, int from)
{
    identity_site_owner_t *owner = apr_palloc(db_pool(row), sizeof *owner);

    owner->column = (int)db_number(row, from);
    owner->entity_id = db_text(row, from + 1);
    return owner;
}

identity_db_status_t identity_site_owners(identity_db_t *db, const identity_site_table_t *table,
                                          const char *const *values, apr_array_header_t **owners)
{
    db_argument_t arguments[IDENTITY_SITE_COLUMNS];
    int count = table->references->nelts;

    for (int i = 0; i < count; i++)
        arguments[i] =
            S(values[APR_ARRAY_IDX(table->references, i, identity_site_reference_t).column]);
    if (count > 0)
        return db_list_text(db, "SITE_OWNERS", table->owners, arguments, count, read_owner, owners);
    *owners = apr_array_make(db_use_pool(db), 1, sizeof(identity_site_owner_t *));
    return IDENTITY_DB_OK;
}

identity_db_status_t identity_site_insert(identity_db_t *db, const identity_site_table_t *table,
                                          const char *const *values, const char **rule)
{
    db_argument_t arguments[IDENTITY_SITE_COLUMNS];

    if (table->columns->nelts > IDENTITY_SITE_COLUMNS)
        return IDENTITY_DB_FAILED;
    /* A numeric column converts its text to a number. */
    for (int i = 0; i < table->columns->nelts; i++)
        arguments[i] = S(values[i]);
    return db_try_text(db, "SITE_INSERT", table->insert, arguments, table->columns->nelts, rule);
}
