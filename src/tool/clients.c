/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on clients of the OpenID provider. */
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static const char *const columns[] = {"id",      "type",   "status",        "name", "redirect_uris",
                                      "require", "scopes", "client_secret", NULL};

/* --require: a permission, role:ROLE, team:TEAM, or none. */
static int requirement(tool_t *tool, json_t *body)
{
    const char *text = tool_text(tool, TOOL_REQUIRE), *id = NULL;
    int status = TOOL_DONE;

    if (!text)
        return TOOL_DONE;
    if (strcmp(text, "none") == 0) {
        json_object_set_new(body, "require", json_null());
        return TOOL_DONE;
    }
    if (strncmp(text, "role:", 5) == 0) {
        status = tool_find_role(tool, text + 5, &id);
        if (status == TOOL_DONE)
            json_object_set_new(body, "require", json_pack("{s:s}", "role", id));
    } else if (strncmp(text, "team:", 5) == 0) {
        status = tool_find_team(tool, text + 5, &id);
        if (status == TOOL_DONE)
            json_object_set_new(body, "require", json_pack("{s:s}", "team", id));
    } else {
        json_object_set_new(body, "require", json_pack("{s:s}", "permission", text));
    }
    return status;
}

static int settings(tool_t *tool, json_t *body)
{
    if (tool_has(tool, TOOL_REDIRECT))
        json_object_set_new(body, "redirect_uris", tool_strings(tool_list(tool, TOOL_REDIRECT)));
    if (tool_has(tool, TOOL_SCOPE))
        json_object_set_new(body, "scopes", tool_strings(tool_list(tool, TOOL_SCOPE)));
    tool_set_text(body, "id_token_signed_response_alg", tool_text(tool, TOOL_ALGORITHM));
    return requirement(tool, body);
}

int tool_client_add(tool_t *tool)
{
    json_t *body = identity_json_own(tool->pool, json_object());
    int status = tool_open_entity(tool);

    tool_set_text(body, "name", tool->argument);
    tool_set_text(body, "type", tool_has(tool, TOOL_PUBLIC) ? "PUBLIC" : "CONFIDENTIAL");
    if (tool_has(tool, TOOL_CLAIMS))
        json_object_set_new(body, "claims_in_id_token", json_true());
    if (tool_has(tool, TOOL_NO_PKCE))
        json_object_set_new(body, "require_pkce", json_false());
    if (status == TOOL_DONE)
        status = settings(tool, body);
    return status ? status
                  : tool_call_and_print(tool, "POST", "/v1/clients", json_incref(body), columns);
}

int tool_client_list(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_print_pages(tool, "/v1/clients", "", columns);
}

/* A call on the client that the argument names. */
static int on_client(tool_t *tool, const char *method, const char *below, json_t *body)
{
    const char *id;
    int status = tool_find_client(tool, tool->argument, &id);

    return status ? status
                  : tool_call_and_print(tool, method, tool_path(tool, "clients", id, below, NULL),
                                        json_incref(body), columns);
}

int tool_client_show(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : on_client(tool, "GET", NULL, NULL);
}

int tool_client_set(tool_t *tool)
{
    json_t *body = identity_json_own(tool->pool, json_object());
    int status = tool_open_entity(tool);

    tool_set_text(body, "name", tool_text(tool, TOOL_NAME));
    tool_set_text(body, "status", tool_text(tool, TOOL_STATUS));
    if (status == TOOL_DONE)
        status = settings(tool, body);
    if (status)
        return status;
    return json_object_size(body)
               ? on_client(tool, "PATCH", NULL, body)
               : tool_fail(TOOL_USAGE,
                           "client set requires --name, --redirect, --require, --scope, "
                           "--algorithm or --status");
}

int tool_client_rotate(tool_t *tool)
{
    json_t *body = identity_json_own(tool->pool, json_object());
    int status = tool_open_entity(tool);

    if (tool_has(tool, TOOL_EXPIRES))
        json_object_set_new(body, "previous_expires_at",
                            identity_time_json(apr_time_now() + tool_expires(tool)));
    return status ? status : on_client(tool, "POST", "rotate-secret", body);
}

int tool_client_delete(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : on_client(tool, "DELETE", NULL, NULL);
}
