/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on authentication providers, audit records and invitations. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

/* ---- providers -------------------------------------------------------------------------------------------------- */

static const char *const provider_columns[] = {"id", "type", "status", "name", "sso", NULL};

/* The API checks which settings go with which variant. */
static json_t *sso(const tool_t *tool)
{
    const char *connection = tool_text(tool, TOOL_CONNECTION);
    bool microsoft = strcmp(tool->argument, "MICROSOFT") == 0;
    json_t *object = json_object();

    tool_set_text(object, "variant", tool->argument);
    if (tool_has(tool, TOOL_DOMAIN))
        json_object_set_new(object, "allowed_domains", tool_strings(tool_list(tool, TOOL_DOMAIN)));
    if (connection)
        json_object_set_new(object, microsoft ? "microsoft" : "okta",
                            json_pack("{s:s}", "connection", connection));
    tool_set_text(object, "issuer", tool_text(tool, TOOL_ISSUER));
    tool_set_text(object, "client_id", tool_text(tool, TOOL_CLIENT_ID));
    return object;
}

int tool_provider_add(tool_t *tool)
{
    bool password = strcmp(tool->argument, "DEFAULT") == 0;
    json_t *body;

    if (password && (tool_has(tool, TOOL_CONNECTION) || tool_has(tool, TOOL_ISSUER) ||
                     tool_has(tool, TOOL_CLIENT_ID) || tool_has(tool, TOOL_DOMAIN)))
        return tool_fail(TOOL_USAGE, "a DEFAULT provider accepts only --name and --disabled");
    int status = tool_open_entity(tool);
    if (status)
        return status;
    body = json_object();
    tool_set_text(body, "type", password ? "DEFAULT" : "SSO");
    tool_set_text(body, "name", tool_text(tool, TOOL_NAME));
    tool_set_text(body, "status", tool_has(tool, TOOL_DISABLED) ? "DISABLED" : "ENABLED");
    if (!password)
        json_object_set_new(body, "sso", sso(tool));
    return tool_call_and_print(tool, "POST", "/v1/authentication-providers", body,
                               provider_columns);
}

int tool_provider_list(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status
                  : tool_print_pages(tool, "/v1/authentication-providers", "", provider_columns);
}

int tool_provider_show(tool_t *tool)
{
    const char *id;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_find_provider(tool, tool->argument, &id);
    return status ? status
                  : tool_call_and_print(tool, "GET",
                                        tool_path(tool, "authentication-providers", id, NULL), NULL,
                                        provider_columns);
}

/* The API checks which settings go with which variant; the variant determines the member for a connection. */
static int sso_changes(tool_t *tool, const char *id, json_t *body)
{
    static const tool_option_t options[] = {TOOL_CONNECTION, TOOL_ISSUER, TOOL_CLIENT_ID,
                                            TOOL_DOMAIN};
    const char *connection = tool_text(tool, TOOL_CONNECTION),
               *domain = tool_text(tool, TOOL_DOMAIN);
    json_t *provider, *changes;
    bool any = false;

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        any = any || tool_has(tool, options[i]);
    int status = any ? tool_call(tool, "GET", tool_path(tool, "authentication-providers", id, NULL),
                                 NULL, NULL, &provider)
                     : TOOL_DONE;
    if (status || !any)
        return status;
    const char *variant = tool_member(json_object_get(provider, "sso"), "variant");
    json_object_set_new(body, "sso", changes = json_object());
    if (connection)
        json_object_set_new(changes,
                            variant && strcmp(variant, "MICROSOFT") == 0 ? "microsoft" : "okta",
                            json_pack("{s:s}", "connection", connection));
    tool_set_text(changes, "issuer", tool_text(tool, TOOL_ISSUER));
    tool_set_text(changes, "client_id", tool_text(tool, TOOL_CLIENT_ID));
    if (domain)
        json_object_set_new(changes, "allowed_domains",
                            strcmp(domain, "none") == 0
                                ? json_array()
                                : tool_strings(tool_list(tool, TOOL_DOMAIN)));
    return TOOL_DONE;
}

int tool_provider_set(tool_t *tool)
{
    json_t *body = identity_json_own(tool->pool, json_object());
    const char *id;
    int status = tool_open_entity(tool);

    tool_set_text(body, "name", tool_text(tool, TOOL_NAME));
    tool_set_text(body, "status", tool_text(tool, TOOL_STATUS));
    if (status == TOOL_DONE)
        status = tool_find_provider(tool, tool->argument, &id);
    if (status == TOOL_DONE)
        status = sso_changes(tool, id, body);
    if (status)
        return status;
    return json_object_size(body)
               ? tool_call_and_print(tool, "PATCH",
                                     tool_path(tool, "authentication-providers", id, NULL),
                                     json_incref(body), provider_columns)
               : tool_fail(
                     TOOL_USAGE,
                     "provider set requires --name, --status, --connection, --issuer, --client-id or --domain");
}

int tool_provider_delete(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *id;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_find_provider(tool, tool->argument, &id);
    if (status == TOOL_DONE &&
        !identity_provider_remove(tool->pool, &tool->env, tool->entity_id, id, &problem))
        return tool_problem(&problem);
    return status;
}

/* ---- audit ------------------------------------------------------------------------------------------------------ */

/* A duration means that long ago. NULL after a message. */
static const char *moment(const tool_t *tool, tool_option_t option)
{
    const char *text = tool_text(tool, option);
    apr_interval_time_t ago;
    apr_time_t time;

    if (!text)
        return "";
    if (tool_duration(text, &ago))
        return identity_time_format(tool->pool, apr_time_now() - ago);
    if (identity_time_parse(text, &time))
        return text;
    tool_fail(TOOL_USAGE,
              "--%s must be a time such as 2024-01-15T09:30:00Z, or how long ago, such as 90d",
              tool_options[option].name);
    return NULL;
}

int tool_audit_list(tool_t *tool)
{
    static const char *const columns[] = {"id",
                                          "created_at",
                                          "user_id",
                                          "action",
                                          "target_resource_type",
                                          "target_id",
                                          "target_platform_id",
                                          "message",
                                          "actor_name",
                                          "target_name",
                                          "client_address",
                                          "user_agent",
                                          "changes",
                                          NULL};
    const char *since = moment(tool, TOOL_SINCE), *until = since ? moment(tool, TOOL_UNTIL) : NULL,
               *user = NULL;
    int status = until ? tool_open_entity(tool) : TOOL_USAGE;

    if (status == TOOL_DONE && tool_has(tool, TOOL_USER))
        status = tool_find_user(tool, tool_text(tool, TOOL_USER), &user);
    if (status == TOOL_DONE && tool_has(tool, TOOL_ACCOUNT))
        status = tool_find_account(tool, tool_text(tool, TOOL_ACCOUNT), &tool->account_id);
    if (status)
        return status;
    bool span = tool_has(tool, TOOL_SINCE) || tool_has(tool, TOOL_UNTIL);
    return tool_print_pages(
        tool, "/v1/audit-records",
        apr_pstrcat(
            tool->pool, tool_filter(tool, "user_id", user),
            tool_filter(tool, "target_id", tool_text(tool, TOOL_TARGET)),
            tool_filter(tool, "target_type", tool_text(tool, TOOL_TARGET_TYPE)),
            tool_filter(tool, "created_at",
                        span ? apr_pstrcat(tool->pool, "[", since, ",", until, "]", NULL) : NULL),
            NULL),
        columns);
}

int tool_audit_export(tool_t *tool)
{
    tool->json = tool->headed = true;
    return tool_audit_list(tool);
}

/* ---- invitations ------------------------------------------------------------------------------------------------ */

/* The state of the mail comes last. The name shown by the server depends on its configuration. */
static bool print_invitation(tool_t *tool, json_t *invitation)
{
    static const char *const columns[] = {"id",       "state",  "email",    "roleID", "created",
                                          "lastSent", "expiry", "delivery", NULL};

    json_object_del(invitation, "urn");
    return tool_line(tool, invitation, columns);
}

int tool_invitation_list(tool_t *tool)
{
    apr_pool_t *pool = tool->pool;
    const char *query = "limit=100";
    bool more = true;
    int status = tool_open_entity(tool);

    while (status == TOOL_DONE && query && more) {
        json_t *page, *item;
        size_t i;
        apr_pool_create(&tool->pool, pool);
        status = tool_call(tool, "GET", "/v1/invitations", query, NULL, &page);
        if (status == TOOL_DONE)
            json_array_foreach (json_object_get(page, "invitations"), i, item)
                more = more && print_invitation(tool, item);
        const char *next = status == TOOL_DONE ? tool_member(page, "next") : NULL;
        query = next ? apr_pstrcat(pool, "limit=100&cursor=", next, NULL) : NULL;
        apr_pool_destroy(tool->pool);
        tool->pool = pool;
    }
    return status;
}

static int on_invitation(tool_t *tool, const char *method, json_t *body)
{
    json_t *invitation;
    int status = tool_call(tool, method, tool_path(tool, "invitations", tool->argument, NULL), NULL,
                           body, &invitation);

    tool->headed = true;
    if (status == TOOL_DONE)
        print_invitation(tool, invitation);
    return status;
}

int tool_invitation_show(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : on_invitation(tool, "GET", NULL);
}

int tool_invitation_resend(tool_t *tool)
{
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_load_keys(tool);
    return status ? status : on_invitation(tool, "POST", json_object());
}

int tool_invitation_revoke(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : on_invitation(tool, "POST", json_pack("{s:s}", "state", "revoked"));
}

int tool_invitation_link(tool_t *tool)
{
    const char *id;
    json_t *invitation;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "invitations", tool->argument, NULL), NULL,
                           NULL, &invitation);
    if (status)
        return status;
    const char *state = tool_member(invitation, "state");
    if (strcmp(state, "invited") != 0)
        return tool_fail(TOOL_STATE, "this invitation is %s: a link needs one that is invited",
                         state);
    status = tool_find_user(tool, tool_member(invitation, "email"), &id);
    return status ? status : tool_hand_link(tool, id, "activate");
}
