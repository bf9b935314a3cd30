/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on roles, API keys and sessions. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

/* ---- roles ------------------------------------------------------------------------------------------------------ */

static const char *const role_columns[] = {"id", "slug", "name", "description", NULL};

/* The role described by the options: name, description, slug, permissions, child roles. */
static int role_body(tool_t *tool, json_t **body)
{
    json_t *children;
    int status = tool_role_ids(tool, TOOL_CHILD, &children);

    *body = identity_json_own(tool->pool, json_object());
    tool_set_text(*body, "name", tool_text(tool, TOOL_NAME));
    tool_set_text(*body, "description", tool_text(tool, TOOL_DESCRIPTION));
    tool_set_text(*body, "slug", tool_text(tool, TOOL_SLUG));
    if (tool_has(tool, TOOL_PERMISSION))
        json_object_set_new(*body, "permissions", tool_strings(tool_list(tool, TOOL_PERMISSION)));
    if (status == TOOL_DONE && tool_has(tool, TOOL_CHILD))
        json_object_set(*body, "child_role_ids", children);
    return status;
}

int tool_role_add(tool_t *tool)
{
    json_t *body;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = role_body(tool, &body);
    if (status)
        return status;
    tool_set_text(body, "name", tool->argument);
    return tool_call_and_print(tool, "POST", "/v1/roles", json_incref(body), role_columns);
}

int tool_role_list(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_print_pages(tool, "/v1/roles", "", role_columns);
}

static int open_role(tool_t *tool, const char **id)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_find_role(tool, tool->argument, id);
}

int tool_role_show(tool_t *tool)
{
    static const char *const columns[] = {"id",          "slug",           "name", "description",
                                          "permissions", "child_role_ids", NULL};
    const char *id;
    int status = open_role(tool, &id);

    return status ? status
                  : tool_call_and_print(tool, "GET", tool_path(tool, "roles", id, NULL), NULL,
                                        columns);
}

int tool_role_set(tool_t *tool)
{
    const char *id;
    json_t *body;
    int status = open_role(tool, &id);

    if (status == TOOL_DONE)
        status = role_body(tool, &body);
    if (status == TOOL_DONE && json_object_size(body) == 0)
        return tool_fail(
            TOOL_USAGE, "role set requires --name, --description, --slug, --permission or --child");
    return status ? status
                  : tool_call_and_print(tool, "PATCH", tool_path(tool, "roles", id, NULL),
                                        json_incref(body), role_columns);
}

int tool_role_delete(tool_t *tool)
{
    const char *id;
    json_t *answer;
    int status = open_role(tool, &id);

    return status
               ? status
               : tool_call(tool, "DELETE", tool_path(tool, "roles", id, NULL), NULL, NULL, &answer);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static const char *const key_columns[] = {"id",         "status",       "role_type",   "api_key",
                                          "created_at", "last_used_at", "description", NULL};

static json_t *key_body(const tool_t *tool)
{
    json_t *body = json_object();

    tool_set_text(body, "description", tool_text(tool, TOOL_DESCRIPTION));
    tool_set_text(body, "role_type", tool_text(tool, TOOL_ROLE));
    tool_set_text(body, "status", tool_text(tool, TOOL_STATUS));
    if (tool_has(tool, TOOL_ONLY))
        json_object_set_new(body, "permissions", tool_strings(tool_list(tool, TOOL_ONLY)));
    if (tool_has(tool, TOOL_EXPIRES))
        tool_set_text(body, "expires_at",
                      identity_time_format(tool->pool, apr_time_now() + tool_expires(tool)));
    return body;
}

/* Explains where it applies that --only does not grant but restrict (M17). */
static void say_narrowed(const tool_t *tool, const json_t *key)
{
    if (!tool_has(tool, TOOL_ONLY))
        return;
    fprintf(stderr, "htidentity: the key %s is restricted: of what %s holds it keeps only",
            tool_member(key, "id"),
            tool_has(tool, TOOL_USER) ? "its user" : tool_member(key, "role_type"));
    for (int i = 0; i < tool_list(tool, TOOL_ONLY)->nelts; i++)
        fprintf(stderr, "%s %s", i ? "," : "",
                APR_ARRAY_IDX(tool_list(tool, TOOL_ONLY), i, const char *));
    fputc('\n', stderr);
}

int tool_key_add(tool_t *tool)
{
    static const char *const columns[] = {"api_key", NULL};
    const char *path = "/v1/api-keys", *user;
    json_t *answer;

    if (tool_has(tool, TOOL_USER) && tool_has(tool, TOOL_ROLE))
        return tool_fail(
            TOOL_USAGE,
            "a personal key holds what its user holds: --user cannot be combined with --role");
    int status = tool_open_entity(tool);
    if (status == TOOL_DONE && tool_has(tool, TOOL_USER)) {
        status = tool_find_user(tool, tool_text(tool, TOOL_USER), &user);
        if (status == TOOL_DONE)
            path = tool_path(tool, "users", user, "api-keys", NULL);
    }
    if (status == TOOL_DONE)
        status = tool_load_escrow(tool);
    if (status == TOOL_DONE)
        status = tool_call(tool, "POST", path, NULL, key_body(tool), &answer);
    if (status)
        return status;
    tool_print(tool, answer, columns);
    say_narrowed(tool, answer);
    return TOOL_DONE;
}

static const char *const personal_columns[] = {
    "id", "status", "api_key", "created_at", "last_used_at", "expires_at", "description", NULL};

static int list_personal(tool_t *tool)
{
    const char *wanted = tool_text(tool, TOOL_STATUS), *user;
    json_t *keys, *key;
    size_t i;
    int status = tool_find_user(tool, tool_text(tool, TOOL_USER), &user);

    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "users", user, "api-keys", NULL), NULL,
                           NULL, &keys);
    if (status)
        return status;
    json_array_foreach (keys, i, key)
        if ((!wanted || strcmp(tool_member(key, "status"), wanted) == 0) &&
            !tool_line(tool, key, personal_columns))
            break;
    return TOOL_DONE;
}

int tool_key_list(tool_t *tool)
{
    const char *wanted = tool_text(tool, TOOL_STATUS), *active = NULL;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE && tool_has(tool, TOOL_USER))
        return list_personal(tool);
    if (wanted)
        active = strcmp(wanted, "ACTIVE") == 0 ? "true" : "false";
    return status ? status
                  : tool_print_pages(tool, "/v1/api-keys", tool_filter(tool, "active", active),
                                     key_columns);
}

int tool_key_show(tool_t *tool)
{
    static const char *const columns[] = {
        "id",           "status",      "role_type",  "api_key",     "created_at",
        "last_used_at", "description", "expires_at", "permissions", NULL};
    int status = tool_open_entity(tool);

    return status
               ? status
               : tool_call_and_print(tool, "GET", tool_path(tool, "api-keys", tool->argument, NULL),
                                     NULL, columns);
}

static int change_key(tool_t *tool, json_t *body)
{
    json_t *answer;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_call(tool, "PATCH", tool_path(tool, "api-keys", tool->argument, NULL), NULL,
                           json_incref(body), &answer);
    if (status)
        return status;
    tool_print(tool, answer, key_columns);
    say_narrowed(tool, answer);
    return TOOL_DONE;
}

int tool_key_set(tool_t *tool)
{
    json_t *body = identity_json_own(tool->pool, key_body(tool));

    return json_object_size(body)
               ? change_key(tool, body)
               : tool_fail(TOOL_USAGE,
                           "key set requires --description, --role, --expires, --only or --status");
}

static int revoke_personal(tool_t *tool)
{
    const char *user;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_find_user(tool, tool_text(tool, TOOL_USER), &user);
    return status ? status
                  : tool_call_and_print(
                        tool, "DELETE",
                        tool_path(tool, "users", user, "api-keys", tool->argument, NULL), NULL,
                        personal_columns);
}

int tool_key_revoke(tool_t *tool)
{
    if (tool_has(tool, TOOL_USER))
        return revoke_personal(tool);
    return change_key(tool,
                      identity_json_own(tool->pool, json_pack("{s:s}", "status", "INACTIVE")));
}

int tool_key_delete(tool_t *tool)
{
    json_t *answer;
    int status = tool_open_entity(tool);

    return status ? status
                  : tool_call(tool, "DELETE", tool_path(tool, "api-keys", tool->argument, NULL),
                              NULL, NULL, &answer);
}

/* ---- sessions --------------------------------------------------------------------------------------------------- */

static const char *const session_columns[] = {
    "id",     "user_id",        "created_at", "idle_expires_at",
    "method", "client_address", "user_agent", NULL};

static int check_whose(tool_t *tool)
{
    return tool_has(tool, TOOL_USER) != tool_has(tool, TOOL_ALLOW_ALL)
               ? TOOL_DONE
               : tool_fail(TOOL_USAGE, "%s requires --user USER or --all", tool->command->name);
}

static bool list_sessions(tool_t *tool, json_t *user, void *status)
{
    json_t *sessions, *session;
    size_t i;

    *(int *)status =
        tool_call(tool, "GET", tool_path(tool, "users", tool_member(user, "id"), "sessions", NULL),
                  NULL, NULL, &sessions);
    if (*(int *)status)
        return false;
    json_array_foreach (json_object_get(sessions, "data"), i, session)
        if (!tool_line(tool, session, session_columns))
            return false;
    return true;
}

/* For one user, or for each of the entity in turn. */
static int for_users(tool_t *tool, tool_each_t *each, void *data, int *status)
{
    const char *id;

    if (!tool_has(tool, TOOL_USER)) {
        int listed = tool_each_page(tool, "/v1/users", "", each, data);
        return listed ? listed : *status;
    }
    int found = tool_find_user(tool, tool_text(tool, TOOL_USER), &id);
    if (found)
        return found;
    each(tool, identity_json_own(tool->pool, json_pack("{s:s}", "id", id)), data);
    return *status;
}

int tool_session_list(tool_t *tool)
{
    int failed = TOOL_DONE, status = check_whose(tool);

    if (status == TOOL_DONE)
        status = tool_open_entity(tool);
    return status ? status : for_users(tool, list_sessions, &failed, &failed);
}

typedef struct ending {
    int status;
    json_int_t ended;
} ending_t;

static bool end_sessions(tool_t *tool, json_t *user, void *data)
{
    ending_t *ending = data;
    const char *path = tool_path(tool, "users", tool_member(user, "id"), "sessions", NULL);
    json_t *before, *after;

    ending->status = tool_call(tool, "GET", path, NULL, NULL, &before);
    size_t count = json_array_size(json_object_get(before, "data"));
    if (ending->status == TOOL_DONE && count)
        ending->status = tool_call(tool, "DELETE", path, NULL, NULL, &after);
    if (ending->status == TOOL_DONE)
        ending->ended += (json_int_t)count;
    return ending->status == TOOL_DONE;
}

static int end_one(tool_t *tool, const char *session)
{
    const char *id;
    json_t *answer;
    int status = tool_find_user(tool, tool_text(tool, TOOL_USER), &id);

    return status
               ? status
               : tool_call(tool, "DELETE", tool_path(tool, "users", id, "sessions", session, NULL),
                           NULL, NULL, &answer);
}

int tool_session_end(tool_t *tool)
{
    ending_t ending = {.ended = 0};
    const char *session = tool_text(tool, TOOL_SESSION);
    int status = check_whose(tool);

    if (status == TOOL_DONE && session && !tool_has(tool, TOOL_USER))
        return tool_fail(TOOL_USAGE, "--session requires --user");
    if (status == TOOL_DONE)
        status = tool_open_entity(tool);
    if (status == TOOL_DONE && session && (status = end_one(tool, session)) == TOOL_DONE)
        ending.ended = 1;
    else if (status == TOOL_DONE)
        status = for_users(tool, end_sessions, &ending, &ending.status);
    if (status)
        return status;
    if (tool->json)
        printf("{\"ended\":%d}\n", (int)ending.ended);
    else
        printf("sessions ended: %d\n", (int)ending.ended);
    return TOOL_DONE;
}
