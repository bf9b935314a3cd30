/* SPDX-License-Identifier: Apache-2.0 */
/* Exports: validated as a whole, then imported row by row. */
#include <string.h>

#include "site/import.h"

#define FIRST "{\"type\":\"site\","
#define LAST  "{\"type\":\"end\","

static bool begins(const char *line, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

bool identity_site_begins(const char *line, size_t length)
{
    return begins(line, length, FIRST);
}

/* ---- looking through -------------------------------------------------------------------------------------------- */

struct identity_site_check {
    apr_pool_t *pool;
    const identity_env_t *env;
    identity_digest_t *digest;
    apr_int64_t rows;
    bool begun;
    json_t *last;
};

identity_site_check_t *identity_site_check_make(apr_pool_t *pool, const identity_env_t *env)
{
    identity_site_check_t *check = apr_pcalloc(pool, sizeof *check);

    check->pool = pool;
    check->env = env;
    check->digest = identity_digest_make(pool);
    return check;
}

static bool damaged(const identity_site_check_t *check, identity_problem_t *problem)
{
    return identity_refuse(check->pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                           "The export is truncated or was changed: nothing of it is imported.");
}

static bool read_version(identity_call_t *call, void *data)
{
    return identity_db_ok(call, identity_schema_version(call->db, data));
}

static bool same_version(identity_site_check_t *check, const json_t *first,
                         identity_problem_t *problem)
{
    json_int_t format = json_integer_value(json_object_get(first, "format")),
               schema = json_integer_value(json_object_get(first, "schema"));
    int present = 0;

    if (format != IDENTITY_SITE_FORMAT)
        return identity_refuse(check->pool, problem, IDENTITY_PROBLEM_STATE, NULL,
                               "The export has format %d, but this program reads format %d.",
                               (int)format, IDENTITY_SITE_FORMAT);
    if (!identity_run_local(check->pool, check->env, "", false, read_version, &present, problem))
        return false;
    return schema == present ||
           identity_refuse(
               check->pool, problem, IDENTITY_PROBLEM_STATE, NULL,
               "The export is of schema version %d, this database has %d: bring both sites to the same "
               "version of mod_identity, then export again.",
               (int)schema, present);
}

bool identity_site_check_line(identity_site_check_t *check, const char *line, size_t length,
                              identity_problem_t *problem)
{
    identity_problem_t ignored = {.kind = IDENTITY_PROBLEM_NONE};

    if (check->last || !line || !check->digest)
        return damaged(check, problem);
    if (begins(line, length, LAST)) {
        check->last = identity_json_read(check->pool, "line", line, length, &ignored);
        return check->last ? true : damaged(check, problem);
    }
    identity_digest_add(check->digest, line, length);
    identity_digest_add(check->digest, "\n", 1);
    if (check->begun) {
        check->rows++;
        return true;
    }
    check->begun = true;
    json_t *first = identity_json_read(check->pool, "line", line, length, &ignored);
    return first && begins(line, length, FIRST) ? same_version(check, first, problem)
                                                : damaged(check, problem);
}

bool identity_site_check_end(identity_site_check_t *check, identity_problem_t *problem)
{
    const char *digest = identity_json_string(check->last, "sha256");

    return (digest && json_integer_value(json_object_get(check->last, "rows")) == check->rows &&
            strcmp(digest, identity_digest_hex(check->pool, check->digest)) == 0) ||
           damaged(check, problem);
}

const char *identity_site_check_digest(const identity_site_check_t *check)
{
    return identity_json_string(check->last, "sha256");
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

typedef struct site_row {
    const identity_site_table_t *table;
    const char **values; /* one for each column */
    const char *text;
} site_row_t;

static const identity_site_column_t *column_of(const identity_site_table_t *table, int i)
{
    return &APR_ARRAY_IDX(table->columns, i, identity_site_column_t);
}

static bool read_value(identity_importer_t *importer, import_item_t *item,
                       const identity_site_column_t *column, const json_t *member,
                       const char **value)
{
    *value = NULL;
    if (!member)
        return identity_item_refuse(importer, item, "%s is missing.", column->name);
    if (json_is_null(member))
        return !column->required ||
               identity_item_refuse(importer, item, "%s must not be null.", column->name);
    if (column->number ? !json_is_integer(member) : !json_is_string(member))
        return identity_item_refuse(importer, item, "%s must be a %s.", column->name,
                                    column->number ? "whole number" : "string");
    *value = column->number ? apr_psprintf(importer->batch, "%" APR_INT64_T_FMT,
                                           (apr_int64_t)json_integer_value(member))
                            : apr_pstrdup(importer->batch, json_string_value(member));
    return true;
}

static bool read_columns(identity_importer_t *importer, import_item_t *item, site_row_t *row,
                         json_t *object)
{
    const identity_site_table_t *table = row->table;
    const char *name;
    json_t *member;

    row->values = apr_palloc(importer->batch, sizeof *row->values * (size_t)table->columns->nelts);
    for (int i = 0; i < table->columns->nelts; i++)
        if (!read_value(importer, item, column_of(table, i),
                        json_object_get(object, column_of(table, i)->name), &row->values[i]))
            return false;
    if (json_object_size(object) == (size_t)table->columns->nelts + 1)
        return true;
    json_object_foreach (object, name, member) {
        bool known = strcmp(name, "table") == 0;
        for (int i = 0; !known && i < table->columns->nelts; i++)
            known = strcmp(name, column_of(table, i)->name) == 0;
        if (!known)
            return identity_item_unknown(importer, item, name);
    }
    return true;
}

/* ---- what the interface would not have written ------------------------------------------------------------------ */

#define SANDBOX   "sandbox:"                      /* prefix of sandbox references (guest.c) */
#define LAST_TIME APR_INT64_C(253402300799999999) /* of the year 9999 */

static const struct {
    const char *table, *prefix;
} prefixes[] = {
    {"entities", "enti"}, {"accounts", "plat"}, {"users", "user"}, {"api_keys", "apik"}};

/* Ids appear in REMOTE_USER, in paths and on terminals. */
static bool id_fits(const char *table, const char *id)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strcmp(prefixes[i].table, table) == 0)
            return identity_id_valid(id, prefixes[i].prefix);
    return *id && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
                      strlen(id);
}

static bool has_controls(const char *text)
{
    while (*text && (unsigned char)*text >= ' ' && *text != 127)
        text++;
    return *text != '\0';
}

static bool is_time(const identity_site_column_t *column)
{
    size_t length = strlen(column->name);
    return column->number && length > 3 && strcmp(column->name + length - 3, "_at") == 0;
}

static bool reference_fits(const char *reference)
{
    bool sandbox = strncmp(reference, SANDBOX, sizeof SANDBOX - 1) == 0;
    return identity_reference_valid(sandbox ? reference + sizeof SANDBOX - 1 : reference);
}

static bool check_values(identity_importer_t *importer, import_item_t *item, const site_row_t *row)
{
    for (int i = 0; i < row->table->columns->nelts; i++) {
        const identity_site_column_t *column = column_of(row->table, i);
        const char *value = row->values[i];
        bool time = is_time(column);
        if (!value)
            continue;
        if (time && (apr_atoi64(value) < 0 || apr_atoi64(value) > LAST_TIME))
            return identity_item_refuse(importer, item, "%s is not a time.", column->name);
        if (strcmp(column->name, "id") == 0 && !id_fits(row->table->name, value))
            return identity_item_refuse(importer, item, "id does not have the form of an id.");
        if (strcmp(column->name, "reference") == 0 &&
            strcmp(row->table->name, "audit_records") != 0 && !reference_fits(value))
            return identity_item_refuse(importer, item,
                                        "reference does not have the form of a reference.");
    }
    return true;
}

/* Names that are shown, mailed to and compared. Derived columns must match their source, or the user could not be
 * found. */
static bool check_names(identity_importer_t *importer, import_item_t *item, const json_t *object)
{
    const char *pending = identity_json_string(object, "pending_username"),
               *login = identity_json_string(object, "login"),
               *key = identity_json_string(object, "login_key");

    /* Old names may be unusual in other ways. */
    if (has_controls(identity_json_string(object, "username")))
        return identity_item_refuse(importer, item, "username contains control characters.");
    if (*pending && !identity_username_valid(pending))
        return identity_item_refuse(importer, item,
                                    "pending_username must be " IDENTITY_USERNAME_RULE ".");
    if (login && !identity_login_valid(login))
        return identity_item_refuse(importer, item, "login must be " IDENTITY_LOGIN_RULE ".");
    return (!login == !key &&
            (!login || strcmp(identity_login_key(importer->scratch, login), key) == 0)) ||
           identity_item_refuse(importer, item, "login_key does not match login.");
}

static bool check_user(identity_importer_t *importer, import_item_t *item, const json_t *object)
{
    const char *username = identity_json_string(object, "username"),
               *canonical = identity_json_string(object, "canonical"),
               *held = identity_json_string(object, "held_name"), *form;
    identity_user_status_t status;
    bool active = json_integer_value(json_object_get(object, "active")) == 1;

    if (!identity_user_status_parse(identity_json_string(object, "status"), &status))
        return identity_item_refuse(importer, item, "status is not a valid status of a user.");
    if (active != (status == IDENTITY_USER_ACTIVE))
        return identity_item_refuse(importer, item, "active contradicts status.");
    form = identity_username_canonical(importer->scratch, username);
    if (!identity_json_has(object, "old_name") && (!form || strcmp(form, canonical) != 0))
        return identity_item_refuse(importer, item, "canonical does not match username.");
    if (strcmp(identity_username_domain(canonical), identity_json_string(object, "domain")) != 0)
        return identity_item_refuse(importer, item, "domain does not match canonical.");
    if (held && strcmp(held, canonical) != 0 && !identity_json_has(object, "old_name"))
        return identity_item_refuse(importer, item, "held_name differs from canonical.");
    return check_names(importer, item, object);
}

static bool read_row(identity_importer_t *importer, import_item_t *item, const char *text,
                     size_t length)
{
    site_row_t *row = apr_pcalloc(importer->batch, sizeof *row);
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (begins(text, length, FIRST) || begins(text, length, LAST))
        return false;
    item->request = row;
    apr_pool_clear(importer->scratch);
    json_t *object = identity_json_read(importer->scratch, "line", text, length, &problem);
    if (!object)
        return identity_item_refuse(importer, item, "%s", problem.message);
    const char *name = identity_json_string(object, "table");
    row->table = name ? apr_hash_get(importer->tables, name, APR_HASH_KEY_STRING) : NULL;
    if (!row->table)
        return identity_item_refuse(importer, item, "table is not the name of an exported table.");
    row->text = apr_pstrmemdup(importer->batch, text, length);
    return read_columns(importer, item, row, object) && check_values(importer, item, row) &&
           (strcmp(name, "users") != 0 || check_user(importer, item, object));
}

static bool begin_rows(identity_call_t *call, identity_importer_t *importer)
{
    (void)call;
    (void)importer;
    return true;
}

/* ---- what is there already -------------------------------------------------------------------------------------- */

static const char *differences(identity_importer_t *importer, const site_row_t *row,
                               const char *present)
{
    identity_problem_t ignored = {.kind = IDENTITY_PROBLEM_NONE};
    const char *names = "";

    apr_pool_clear(importer->scratch);
    const json_t *one = identity_json_read(importer->scratch, "line", present, strlen(present),
                                           &ignored),
                 *other = identity_json_read(importer->scratch, "line", row->text,
                                             strlen(row->text), &ignored);
    for (int i = 0; i < row->table->columns->nelts; i++) {
        const char *name = column_of(row->table, i)->name;
        if (!json_equal(json_object_get(one, name), json_object_get(other, name)))
            names = apr_pstrcat(importer->batch, names, *names ? ", " : "", name, NULL);
    }
    return names;
}

static bool refuse_broken(identity_importer_t *importer, import_item_t *item, const site_row_t *row,
                          const char *rule)
{
    static const char unique[] = "UNIQUE constraint failed: ";

    if (strncmp(rule, "FOREIGN KEY", 11) == 0)
        identity_item_refuse(importer, item, "A row of %s refers to one that does not exist.",
                             row->table->name);
    else if (strncmp(rule, unique, sizeof unique - 1) == 0)
        identity_item_refuse(importer, item, "Another row of %s already has this value: %s.",
                             row->table->name, rule + sizeof unique - 1);
    else
        identity_item_refuse(importer, item, "A row of %s breaks a rule: %s.", row->table->name,
                             rule);
    return true;
}

static bool met(identity_call_t *call, identity_importer_t *importer, import_item_t *item,
                const site_row_t *row, const char *rule)
{
    const char *present = NULL, *names;
    bool found;

    if (!identity_db_found(call, identity_site_find(call->db, row->table, row->values, &present),
                           &found))
        return false;
    if (!found)
        return refuse_broken(importer, item, row, rule);
    const char *key = row->values[row->table->keys[0]];
    names = strcmp(present, row->text) == 0 ? "" : differences(importer, row, present);
    if (!*names && importer->options.resume)
        item->outcome = IMPORT_PRESENT;
    else
        identity_item_refuse(importer, item, "The row of %s (%s) already exists%s%s.",
                             row->table->name, key, *names ? " and differs: " : "", names);
    return true;
}

/* ---- whose it is ------------------------------------------------------------------------------------------------ */

/* Records of failed sign-ins with unknown names belong to no user, and records outlive their entity. */
static bool is_record(const site_row_t *row)
{
    return strncmp(row->table->name, "audit_", 6) == 0;
}

/* *fits: the row, and everything it refers to, belongs to an entity that came with this export: an export of one
 * site must not make anybody an administrator of another, or of all through what is built in. */
static bool look_at_entity(identity_call_t *call, identity_importer_t *importer,
                           import_item_t *item, const site_row_t *row, const char *own, bool *fits)
{
    identity_entity_row_t *entity;
    bool found;

    if (apr_hash_get(importer->entities, own, APR_HASH_KEY_STRING))
        return true;
    if (!*own && !is_record(row))
        *fits = identity_item_refuse(importer, item, "A row of %s changes a built-in one.",
                                     row->table->name);
    if (!*own)
        return true;
    if (!identity_db_found(call, identity_entity_find(call->db, own, &entity), &found))
        return false;
    if (found)
        *fits = identity_item_refuse(importer, item,
                                     "A row of %s belongs to an entity that is not in the export.",
                                     row->table->name);
    return true;
}

static bool look_at_owners(identity_call_t *call, identity_importer_t *importer,
                           import_item_t *item, const site_row_t *row, bool *fits)
{
    const identity_site_table_t *table = row->table;
    const char *own = table->entity >= 0 ? row->values[table->entity] : NULL;
    apr_array_header_t *owners = NULL;

    *fits = true;
    if (!identity_db_ok(call, identity_site_owners(call->db, table, row->values, &owners)))
        return false;
    for (int i = 0; i < owners->nelts; i++) {
        const identity_site_owner_t *owner = APR_ARRAY_IDX(owners, i, identity_site_owner_t *);
        if (table->entity < 0 && owner->column == table->owner)
            own = owner->entity_id;
    }
    /* Refers to nobody who exists: a rule of the schema reports it. */
    if (!own)
        return true;
    for (int i = 0; i < owners->nelts; i++) {
        const identity_site_owner_t *owner = APR_ARRAY_IDX(owners, i, identity_site_owner_t *);
        if (*owner->entity_id && strcmp(owner->entity_id, own) != 0)
            *fits = identity_item_refuse(
                importer, item, "A row of %s refers to one of another entity.", table->name);
    }
    return !*fits || look_at_entity(call, importer, item, row, own, fits);
}

static bool write_row(identity_call_t *call, identity_importer_t *importer, import_item_t *item)
{
    const site_row_t *row = item->request;
    const char *rule = NULL;
    bool fits, done;

    if (!look_at_owners(call, importer, item, row, &fits))
        return false;
    if (!fits)
        return true;
    identity_db_status_t status = identity_site_insert(call->db, row->table, row->values, &rule);
    if (status == IDENTITY_DB_CONFLICT) {
        done = met(call, importer, item, row, rule);
    } else {
        item->outcome = IMPORT_MADE;
        importer->changed = true;
        done = identity_db_ok(call, status);
    }
    if (done && item->outcome != IMPORT_REFUSED && strcmp(row->table->name, "entities") == 0) {
        const char *id = apr_pstrdup(importer->pool, row->values[row->table->keys[0]]);
        apr_hash_set(importer->entities, id, APR_HASH_KEY_STRING, id);
    }
    return done;
}

/* Running servers drop their caches. */
static bool end_rows(identity_call_t *call, identity_importer_t *importer)
{
    return !importer->changed || identity_db_ok(call, identity_change_insert(call->db, ""));
}

const import_kind_t identity_import_site = {10000, read_row, begin_rows, write_row, end_rows};
