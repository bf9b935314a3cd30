/* SPDX-License-Identifier: Apache-2.0 */
/* The settings that htidentity shares with the server, as one JSON object: `httpd -t` prints it, and the server
 * stores it in the database for a htidentity that only knows that. Never contains a secret: secret files are listed
 * by path. */
#include <stddef.h>
#include <string.h>

#include "site/site.h"

typedef enum { TEXT, TIME, SIZE, UNSIGNED, CATALOGUE } kind_t;

#define SETTING(name, kind, member)                                                                \
    {                                                                                              \
        name, kind, offsetof(identity_settings_t, member)                                          \
    }
static const struct {
    const char *name;
    kind_t kind;
    size_t at;
} members[] = {
    SETTING("public_url", TEXT, public_url),
    SETTING("max_body", SIZE, max_body),
    SETTING("invite_lifetime", TIME, invite_lifetime),
    SETTING("reset_lifetime", TIME, reset_lifetime),
    SETTING("personal_key_lifetime", TIME, personal_key_lifetime),
    SETTING("hash_memory_kib", UNSIGNED, hash.memory_kib),
    SETTING("hash_passes", UNSIGNED, hash.passes),
    SETTING("password_minimum", SIZE, password_minimum),
    SETTING("keep_audit", TIME, retention.of[IDENTITY_KEEP_AUDIT]),
    SETTING("keep_sessions", TIME, retention.of[IDENTITY_KEEP_SESSIONS]),
    SETTING("keep_mail", TIME, retention.of[IDENTITY_KEEP_MAIL]),
    SETTING("keep_refreshed", TIME, retention.leaves),
    SETTING("delete_after", TIME, retention.deleted),
    SETTING("urn_namespace", TEXT, urn_namespace),
    SETTING("urn_region", TEXT, urn_region),
    SETTING("built_in_roles", CATALOGUE, catalogue),
};
#undef SETTING

#define MEMBERS (sizeof members / sizeof members[0])

json_t *identity_settings_json(const identity_settings_t *settings)
{
    json_t *object = json_object();

    for (size_t i = 0; i < MEMBERS; i++) {
        const char *at = (const char *)settings + members[i].at;
        json_t *value = NULL;
        switch (members[i].kind) {
        case TEXT:
            value = json_string(*(const char *const *)(const void *)at);
            break;
        case TIME:
            value = json_integer(*(const apr_interval_time_t *)(const void *)at);
            break;
        case SIZE:
            value = json_integer((json_int_t) * (const size_t *)(const void *)at);
            break;
        case UNSIGNED:
            value = json_integer(*(const unsigned *)(const void *)at);
            break;
        case CATALOGUE:
            value = json_integer(*(const identity_catalogue_t *)(const void *)at);
            break;
        }
        json_object_set_new(object, members[i].name, value);
    }
    return object;
}

static void read_member(apr_pool_t *pool, const json_t *value, kind_t kind, void *at)
{
    json_int_t number = json_integer_value(value);

    if (kind == TEXT && json_is_string(value))
        *(const char **)at = apr_pstrdup(pool, json_string_value(value));
    else if (!json_is_integer(value) || number < 0)
        return;
    else if (kind == TIME)
        *(apr_interval_time_t *)at = number;
    else if (kind == SIZE)
        *(size_t *)at = (size_t)number;
    else if (kind == UNSIGNED)
        *(unsigned *)at = (unsigned)number;
    else if (kind == CATALOGUE)
        *(identity_catalogue_t *)at = number == IDENTITY_CATALOGUE_CORE
                                          ? IDENTITY_CATALOGUE_CORE
                                          : IDENTITY_CATALOGUE_PUBLISHED;
}

void identity_settings_read(apr_pool_t *pool, const json_t *object, identity_settings_t *settings)
{
    for (size_t i = 0; i < MEMBERS; i++)
        read_member(pool, json_object_get(object, members[i].name), members[i].kind,
                    (char *)settings + members[i].at);
}

/* ---- in the database -------------------------------------------------------------------------------------------- */

static bool read_kept(identity_call_t *call, json_t **object)
{
    apr_array_header_t *rows;

    if (!identity_db_ok(call, identity_settings_list(call->db, &rows)))
        return false;
    *object = identity_json_own(call->pool, json_object());
    for (int i = 0; i < rows->nelts; i++) {
        const identity_setting_row_t *row = APR_ARRAY_IDX(rows, i, const identity_setting_row_t *);
        json_t *value = json_loads(row->value, JSON_DECODE_ANY, NULL);
        if (value)
            json_object_set_new(*object, row->name, value);
    }
    return true;
}

typedef struct keeping {
    json_t *settings, *kept;
} keeping_t;

static bool look_kept(identity_call_t *call, void *data)
{
    return read_kept(call, &((keeping_t *)data)->kept);
}

static bool write_kept(identity_call_t *call, void *data)
{
    const keeping_t *keeping = data;
    const char *name;
    json_t *value;

    if (!identity_db_ok(call, identity_settings_clear(call->db)))
        return false;
    json_object_foreach (keeping->settings, name, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        const identity_setting_row_t row = {.name = name,
                                            .value = text ? apr_pstrdup(call->pool, text) : "null"};
        free(text);
        if (!identity_db_ok(call, identity_setting_put(call->db, &row)))
            return false;
    }
    return true;
}

bool identity_settings_keep(apr_pool_t *pool, const identity_env_t *env, json_t *settings)
{
    identity_call_t call;
    keeping_t keeping = {.settings = settings};

    identity_call_begin(&call, pool, env, NULL);
    return identity_read(&call, look_kept, &keeping) &&
           (json_equal(keeping.kept, settings) || identity_write(&call, write_kept, &keeping));
}

bool identity_settings_kept(apr_pool_t *pool, const identity_env_t *env, json_t **settings,
                            identity_problem_t *problem)
{
    identity_call_t call;
    keeping_t keeping = {.kept = NULL};

    identity_call_begin(&call, pool, env, NULL);
    bool done = identity_read(&call, look_kept, &keeping);
    *settings = keeping.kept;
    *problem = call.problem;
    return done;
}
