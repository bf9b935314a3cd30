/* Commands on what the interface serves: users, roles, keys; and what these share with the others. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

#define PASSWORD_LINE 4096

json_t *tool_strings(const apr_array_header_t *list)
{
    json_t *array = json_array();

    for (int i = 0; i < list->nelts; i++)
        json_array_append_new(array, json_string(APR_ARRAY_IDX(list, i, const char *)));
    return array;
}

void tool_set_text(json_t *object, const char *name, const char *value)
{
    if (value)
        json_object_set_new(object, name, json_string(value));
}

int tool_print_pages(tool_t *tool, const char *path, const char *filters, const char *const *names)
{
    apr_pool_t *pool = tool->pool;
    const char *query = apr_pstrcat(pool, "limit=500&order_direction=asc", filters, NULL);
    int status = 0;

    while (status == 0 && query) {
        json_t *page, *item;
        size_t i;
        apr_pool_create(&tool->pool, pool);
        status = tool_call(tool, "GET", path, query, NULL, &page);
        if (status == 0)
            json_array_foreach (json_is_array(page) ? page : json_object_get(page, "data"), i, item)
                tool_print(tool, item, names);
        query = status == 0 && tool->next ? apr_pstrdup(pool, tool->next) : NULL;
        apr_pool_destroy(tool->pool);
        tool->pool = pool;
    }
    return status;
}

static int print_all(tool_t *tool, const char *path, const char *const *names)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_print_pages(tool, path, "", names);
}

int tool_find_account(tool_t *tool)
{
    identity_account_row_t *row = NULL;

    if (identity_account_find(tool->db, tool->entity_id, tool->account, &row) != IDENTITY_DB_OK)
        return tool_fail("there is no account %s", tool->account);
    tool->account_id = row->id;
    return 0;
}

/* ---- users ------------------------------------------------------------------------------------------------------ */

static int read_password(tool_t *tool, char **password)
{
    *password = apr_pcalloc(tool->pool, PASSWORD_LINE);
    identity_wipe_with_pool(tool->pool, *password);
    if (!fgets(*password, PASSWORD_LINE, stdin))
        return tool_fail("no password came on standard input");
    (*password)[strcspn(*password, "\r\n")] = '\0';
    return 0;
}

/* Asked before anything is made, so that a mistyped name leaves no half-made user. */
static bool role_exists(tool_t *tool, const char *name)
{
    json_t *page;

    if (tool_call(tool, "GET", "/v1/roles",
                  apr_pstrcat(tool->pool, "name=", identity_query_escape(tool->pool, name), NULL), NULL, &page) != 0)
        return false;
    return json_array_size(json_object_get(page, "data")) > 0 || tool_fail("there is no role %s", name) == 0;
}

int tool_membership(tool_t *tool, json_t **object)
{
    int status;

    *object = NULL;
    if (!tool->account)
        return tool->type || tool->roles->nelts ? tool_fail("--type and --role go with --account") : 0;
    if ((status = tool_find_account(tool)) != 0)
        return status;
    *object = identity_json_own(tool->pool, json_object());
    tool_set_text(*object, "account_id", tool->account_id);
    tool_set_text(*object, "type", tool->type ? tool->type : "USER");
    json_object_set_new(*object, "roles", json_array());
    tool->account_id = NULL;
    for (int i = 0; i < tool->roles->nelts; i++)
        if (!role_exists(tool, APR_ARRAY_IDX(tool->roles, i, const char *)))
            return 1;
    for (int i = 0; i < tool->roles->nelts; i++)
        json_array_append_new(json_object_get(*object, "roles"),
                              json_pack("{s:s}", "name", APR_ARRAY_IDX(tool->roles, i, const char *)));
    return 0;
}

static const char *const user_columns[] = {"id", "status", "username", "created_at", NULL};

static int add_with_password(tool_t *tool, json_t **user)
{
    char *password;
    int status = read_password(tool, &password);
    json_t *body;

    if (status)
        return status;
    body = json_object();
    tool_set_text(body, "username", tool->argument);
    tool_set_text(body, "password", password);
    return tool_call(tool, "POST", "/v1/users", NULL, body, user);
}

/* The hash alone, or a line of htpasswd: what stands in front of its first colon is not the username here. */
static int add_with_hash(tool_t *tool, json_t **user)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    identity_user_row_t *row;
    char *line;
    int status = read_password(tool, &line);

    if (status)
        return status;
    const char *colon = strchr(line, ':'), *hash = colon ? colon + 1 : line;
    if (!identity_user_import(tool->pool, &tool->env, tool->entity_id, tool->argument, hash, &row, &problem))
        return tool_problem(&problem);
    return tool_call(tool, "GET", apr_pstrcat(tool->pool, "/v1/users/", row->id, NULL), NULL, NULL, user);
}

static int add_active(tool_t *tool, json_t *given)
{
    json_t *user, *memberships;
    int status = tool->hash_stdin ? add_with_hash(tool, &user) : add_with_password(tool, &user);

    if (status)
        return status;
    if (given) {
        const char *path =
            apr_pstrcat(tool->pool, "/v1/users/", json_string_value(json_object_get(user, "id")), "/memberships", NULL);
        status = tool_call(tool, "POST", path, NULL, json_incref(given), &memberships);
        if (status == 0)
            json_object_set(user, "account_memberships", memberships);
    }
    tool_print(tool, user, user_columns);
    return status;
}

static int add_invited(tool_t *tool, json_t *given)
{
    static const char *const columns[] = {"username", "entity_id", NULL};
    json_t *body, *answer;
    int status = tool_load_keys(tool);

    if (status)
        return status;
    body = json_object();
    tool_set_text(body, "username", tool->argument);
    if (given)
        json_object_set_new(body, "account_memberships", json_pack("[O]", given));
    status = tool_call(tool, "POST", "/v1/users/invite", NULL, body, &answer);
    if (status == 0)
        tool_print(tool, answer, columns);
    return status;
}

int tool_user_add(tool_t *tool)
{
    json_t *given;
    int status = tool_open_entity(tool);

    if (status == 0)
        status = tool_membership(tool, &given);
    if (status)
        return status;
    if (tool->password_stdin && tool->hash_stdin)
        return tool_fail("--password-stdin and --hash-stdin cannot both be");
    return tool->password_stdin || tool->hash_stdin ? add_active(tool, given) : add_invited(tool, given);
}

int tool_user_list(tool_t *tool)
{
    return print_all(tool, "/v1/users", user_columns);
}

/* ---- roles ------------------------------------------------------------------------------------------------------ */

static const char *const role_columns[] = {"id", "slug", "name", "description", NULL};

int tool_role_add(tool_t *tool)
{
    json_t *body = json_object(), *answer;
    int status = tool_open_entity(tool);

    tool_set_text(body, "name", tool->argument);
    tool_set_text(body, "description", tool->description);
    tool_set_text(body, "slug", tool->slug);
    json_object_set_new(body, "permissions", tool_strings(tool->permissions));
    json_object_set_new(body, "child_role_ids", tool_strings(tool->children));
    if (status == 0)
        status = tool_call(tool, "POST", "/v1/roles", NULL, json_incref(body), &answer);
    json_decref(body);
    if (status == 0)
        tool_print(tool, answer, role_columns);
    return status;
}

int tool_role_list(tool_t *tool)
{
    return print_all(tool, "/v1/roles", role_columns);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

int tool_key_add(tool_t *tool)
{
    static const char *const columns[] = {"api_key", NULL};
    json_t *body = json_object(), *answer;
    int status = tool_open_entity(tool);

    tool_set_text(body, "description", tool->description);
    tool_set_text(body, "role_type", tool->role);
    json_object_set_new(body, "permissions", tool_strings(tool->permissions));
    if (tool->expires)
        tool_set_text(body, "expires_at", identity_time_format(tool->pool, apr_time_now() + tool->expires));
    if (status == 0)
        status = tool_call(tool, "POST", "/v1/api-keys", NULL, json_incref(body), &answer);
    json_decref(body);
    if (status == 0)
        tool_print(tool, answer, columns);
    return status;
}

int tool_key_list(tool_t *tool)
{
    static const char *const columns[] = {"id",         "status",       "role_type",   "api_key",
                                          "created_at", "last_used_at", "description", NULL};
    return print_all(tool, "/v1/api-keys", columns);
}
