/* Commands on what the interface serves: teams, authentication providers, audit records. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static int list(tool_t *tool, const char *path, const char *const *columns)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_print_pages(tool, path, "", columns);
}

/* ---- teams ------------------------------------------------------------------------------------------------------ */

static const char *const team_columns[] = {"id", "name", NULL};

int tool_team_add(tool_t *tool)
{
    json_t *body, *team, *given, *memberships;
    int status = tool_open_entity(tool);

    if (status == 0)
        status = tool_membership(tool, &given);
    if (status)
        return status;
    body = json_object();
    tool_set_text(body, "name", tool->argument);
    status = tool_call(tool, "POST", "/v1/teams", NULL, body, &team);
    if (status)
        return status;
    if (given) {
        const char *path =
            apr_pstrcat(tool->pool, "/v1/teams/", json_string_value(json_object_get(team, "id")), "/memberships", NULL);
        status = tool_call(tool, "POST", path, NULL, json_incref(given), &memberships);
        if (status == 0)
            json_object_set(team, "account_memberships", memberships);
    }
    tool_print(tool, team, team_columns);
    return status;
}

int tool_team_list(tool_t *tool)
{
    return list(tool, "/v1/teams", team_columns);
}

/* ---- providers -------------------------------------------------------------------------------------------------- */

static const char *const provider_columns[] = {"id", "type", "status", "name", "sso", NULL};

/* What goes with which variant is for the interface to say. */
static json_t *sso(const tool_t *tool)
{
    static const struct {
        const char *variant, *member;
    } connections[] = {{"OKTA", "okta"}, {"MICROSOFT", "microsoft"}};
    const char *member = "okta";
    json_t *object = json_object();

    tool_set_text(object, "variant", tool->argument);
    if (tool->domains->nelts)
        json_object_set_new(object, "allowed_domains", tool_strings(tool->domains));
    for (size_t i = 0; i < sizeof connections / sizeof connections[0]; i++)
        if (strcmp(connections[i].variant, tool->argument) == 0)
            member = connections[i].member;
    if (tool->connection)
        json_object_set_new(object, member, json_pack("{s:s}", "connection", tool->connection));
    tool_set_text(object, "issuer", tool->issuer);
    tool_set_text(object, "client_id", tool->client_id);
    return object;
}

int tool_provider_add(tool_t *tool)
{
    bool password = strcmp(tool->argument, "DEFAULT") == 0;
    json_t *body, *answer;
    int status = tool_open_entity(tool);

    if (password && (tool->connection || tool->issuer || tool->client_id || tool->domains->nelts))
        return tool_fail("a DEFAULT provider takes --name and --disabled only");
    if (status)
        return status;
    body = json_object();
    tool_set_text(body, "type", password ? "DEFAULT" : "SSO");
    tool_set_text(body, "name", tool->name);
    tool_set_text(body, "status", tool->disabled ? "DISABLED" : "ENABLED");
    if (!password)
        json_object_set_new(body, "sso", sso(tool));
    status = tool_call(tool, "POST", "/v1/authentication-providers", NULL, body, &answer);
    if (status == 0)
        tool_print(tool, answer, provider_columns);
    return status;
}

int tool_provider_list(tool_t *tool)
{
    return list(tool, "/v1/authentication-providers", provider_columns);
}

/* ---- audit ------------------------------------------------------------------------------------------------------ */

static const char *filter(const tool_t *tool, const char *name, const char *value)
{
    return value ? apr_pstrcat(tool->pool, "&", name, "=", identity_query_escape(tool->pool, value), NULL) : "";
}

/* A username is told by its @. */
static int find_user(tool_t *tool)
{
    json_t *page;
    int status = 0;

    if (!tool->user || !strchr(tool->user, '@'))
        return 0;
    status = tool_call(tool, "GET", "/v1/users", filter(tool, "username", tool->user) + 1, NULL, &page);
    if (status)
        return status;
    const char *id = json_string_value(json_object_get(json_array_get(json_object_get(page, "data"), 0), "id"));
    if (!id)
        return tool_fail("there is no user %s", tool->user);
    tool->user = id;
    return 0;
}

/* A duration is that long ago. NULL after a message. */
static const char *moment(const tool_t *tool, const char *name, const char *text)
{
    apr_interval_time_t ago;
    apr_time_t time;

    if (!text)
        return "";
    if (tool_duration(text, &ago))
        return identity_time_format(tool->pool, apr_time_now() - ago);
    if (identity_time_parse(text, &time))
        return text;
    tool_fail("%s must be a time such as 2024-01-15T09:30:00Z, or how long ago, such as 90d", name);
    return NULL;
}

int tool_audit_list(tool_t *tool)
{
    static const char *const columns[] = {"created_at",
                                          "id",
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
    const char *since = moment(tool, "--since", tool->since),
               *until = since ? moment(tool, "--until", tool->until) : NULL;
    int status = until ? tool_open_entity(tool) : 1;

    if (status == 0)
        status = find_user(tool);
    if (status == 0 && tool->account)
        status = tool_find_account(tool);
    if (status)
        return status;
    const char *span = apr_pstrcat(tool->pool, "[", since, ",", until, "]", NULL);
    return tool_print_pages(tool, "/v1/audit-records",
                            apr_pstrcat(tool->pool, filter(tool, "user_id", tool->user),
                                        filter(tool, "target_id", tool->target),
                                        filter(tool, "target_type", tool->target_type),
                                        filter(tool, "created_at", tool->since || tool->until ? span : NULL), NULL),
                            columns);
}

/* ---- invitations ------------------------------------------------------------------------------------------------ */

/* How the mail fares stands last. Under which name the server shows it is for the server's configuration to say. */
static void print_invitation(const tool_t *tool, json_t *invitation)
{
    static const char *const columns[] = {"id",       "state",  "email",    "roleID", "created",
                                          "lastSent", "expiry", "delivery", NULL};

    json_object_del(invitation, "urn");
    tool_print(tool, invitation, columns);
}

int tool_invitation_list(tool_t *tool)
{
    apr_pool_t *pool = tool->pool;
    const char *query = "limit=100";
    int status = tool_open_entity(tool);

    while (status == 0 && query) {
        json_t *page, *item;
        size_t i;
        apr_pool_create(&tool->pool, pool);
        status = tool_call(tool, "GET", "/v1/invitations", query, NULL, &page);
        if (status == 0)
            json_array_foreach (json_object_get(page, "invitations"), i, item)
                print_invitation(tool, item);
        const char *next = status == 0 ? json_string_value(json_object_get(page, "next")) : NULL;
        query = next ? apr_pstrcat(pool, "limit=100&cursor=", next, NULL) : NULL;
        apr_pool_destroy(tool->pool);
        tool->pool = pool;
    }
    return status;
}

int tool_invitation_show(tool_t *tool)
{
    json_t *invitation;
    int status = tool_open_entity(tool);

    if (status == 0)
        status = tool_call(tool, "GET", apr_pstrcat(tool->pool, "/v1/invitations/", tool->argument, NULL), NULL, NULL,
                           &invitation);
    if (status == 0)
        print_invitation(tool, invitation);
    return status;
}
