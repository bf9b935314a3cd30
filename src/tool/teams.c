/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on teams: what they grant, and their members. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static const char *const team_columns[] = {"id", "name", NULL};

static int open_team(tool_t *tool, const char **id)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_find_team(tool, tool->argument, id);
}

int tool_team_add(tool_t *tool)
{
    json_t *team, *given, *memberships;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_membership(tool, &given);
    if (status == TOOL_DONE)
        status = tool_call(tool, "POST", "/v1/teams", NULL,
                           json_pack("{s:s}", "name", tool->argument), &team);
    if (status)
        return status;
    if (given) {
        status = tool_call(tool, "POST",
                           tool_path(tool, "teams", tool_member(team, "id"), "memberships", NULL),
                           NULL, json_incref(given), &memberships);
        if (status == TOOL_DONE)
            json_object_set(team, "account_memberships", memberships);
    }
    tool_print(tool, team, team_columns);
    return status;
}

int tool_team_list(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_print_pages(tool, "/v1/teams", "", team_columns);
}

int tool_team_show(tool_t *tool)
{
    static const char *const columns[] = {"account_id", "account_reference", "type", "roles", NULL};
    const char *id;
    json_t *team, *membership, *role;
    size_t i, r;
    int status = open_team(tool, &id);

    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "teams", id, NULL), NULL, NULL, &team);
    if (status)
        return status;
    tool_print(tool, team, team_columns);
    if (tool->json)
        return TOOL_DONE;
    json_array_foreach (json_object_get(team, "account_memberships"), i, membership) {
        const char *names = "";
        json_array_foreach (json_object_get(membership, "roles"), r, role)
            names =
                apr_pstrcat(tool->pool, names, *names ? ", " : "", tool_member(role, "name"), NULL);
        tool_set_text(membership, "roles", *names ? names : "-");
        tool_print(tool, membership, columns);
    }
    return TOOL_DONE;
}

int tool_team_rename(tool_t *tool)
{
    const char *id;
    int status = open_team(tool, &id);

    return status ? status
                  : tool_call_and_print(tool, "PATCH", tool_path(tool, "teams", id, NULL),
                                        json_pack("{s:s}", "name", tool->second), team_columns);
}

int tool_team_delete(tool_t *tool)
{
    const char *id;
    json_t *answer;
    int status = open_team(tool, &id);

    return status
               ? status
               : tool_call(tool, "DELETE", tool_path(tool, "teams", id, NULL), NULL, NULL, &answer);
}

int tool_team_grant(tool_t *tool)
{
    const char *id;
    json_t *body, *answer;
    int status = open_team(tool, &id);

    if (status == TOOL_DONE)
        status = tool_membership_of(tool, tool->second, "USER", &body);
    if (status == TOOL_DONE)
        status = tool_call(tool, "POST", tool_path(tool, "teams", id, "memberships", NULL), NULL,
                           json_incref(body), &answer);
    return status ? status
                  : tool_call_and_print(tool, "GET", tool_path(tool, "teams", id, NULL), NULL,
                                        team_columns);
}

int tool_team_revoke(tool_t *tool)
{
    const char *id, *account_id, *found = NULL;
    json_t *team, *membership, *answer;
    size_t i;
    int status = open_team(tool, &id);

    if (status == TOOL_DONE)
        status = tool_find_account(tool, tool->second, &account_id);
    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "teams", id, NULL), NULL, NULL, &team);
    if (status)
        return status;
    json_array_foreach (json_object_get(team, "account_memberships"), i, membership) {
        const char *account = tool_member(membership, "account_id");
        if (account && strcmp(account, account_id) == 0)
            found = tool_member(membership, "id");
    }
    if (!found)
        return tool_fail(TOOL_NOT_FOUND, "%s has no membership of account %s", tool->argument,
                         tool->second);
    return tool_call(tool, "DELETE", tool_path(tool, "teams", id, "memberships", found, NULL), NULL,
                     NULL, &answer);
}

/* ---- members ---------------------------------------------------------------------------------------------------- */

static int open_member(tool_t *tool, const char **team_id, const char **user_id)
{
    int status = open_team(tool, team_id);
    return status ? status : tool_find_user(tool, tool->second, user_id);
}

/* --start and --end: a time, or `none`, which removes the end. */
static int times(const tool_t *tool, json_t *body)
{
    static const tool_option_t options[] = {TOOL_START, TOOL_END};
    static const char *const names[] = {"start_at", "end_at"};

    for (int i = 0; i < 2; i++) {
        const char *text = tool_text(tool, options[i]);
        apr_time_t time;
        if (!text)
            continue;
        if (options[i] == TOOL_END && strcmp(text, "none") == 0)
            json_object_set_new(body, names[i], json_null());
        else if (identity_time_parse(text, &time))
            tool_set_text(body, names[i], text);
        else
            return tool_fail(TOOL_USAGE, "--%s must be a time such as 2024-01-15T09:30:00Z",
                             tool_options[options[i]].name);
    }
    return TOOL_DONE;
}

static const char *const member_columns[] = {"user_id", "username", "status", "start_at",
                                             "end_at",  "counts",   NULL};

/* One line about a team membership; nothing if there is none. */
static bool print_member(tool_t *tool, const char *user_id, const char *team_id)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *told, *team;
    size_t i;

    if (!identity_user_explain(tool->pool, &tool->env, tool->entity_id, user_id, &told, &problem))
        return tool_problem(&problem) == TOOL_DONE;
    const json_t *user = json_object_get(told, "user");
    json_array_foreach (json_object_get(told, "teams"), i, team) {
        if (strcmp(tool_member(team, "team_id"), team_id) != 0)
            continue;
        json_object_set(team, "user_id", json_object_get(user, "id"));
        json_object_set(team, "username", json_object_get(user, "username"));
        json_object_set(team, "status", json_object_get(user, "status"));
        return tool_line(tool, team, member_columns);
    }
    return true;
}

int tool_team_member_add(tool_t *tool)
{
    const char *team_id, *user_id;
    json_t *body = identity_json_own(tool->pool, json_object()), *answer;
    int status = times(tool, body);

    if (status == TOOL_DONE)
        status = open_member(tool, &team_id, &user_id);
    if (status)
        return status;
    tool_set_text(body, "team_id", team_id);
    status = tool_call(tool, "POST", tool_path(tool, "users", user_id, "teams", NULL), NULL,
                       json_incref(body), &answer);
    if (status == TOOL_DONE)
        print_member(tool, user_id, team_id);
    return status;
}

int tool_team_member_set(tool_t *tool)
{
    const char *team_id, *user_id;
    json_t *body = identity_json_own(tool->pool, json_object()), *answer;
    int status = times(tool, body);

    if (status == TOOL_DONE && json_object_size(body) == 0)
        return tool_fail(TOOL_USAGE, "team member set requires --start or --end");
    if (status == TOOL_DONE)
        status = open_member(tool, &team_id, &user_id);
    if (status == TOOL_DONE)
        status = tool_call(tool, "PATCH", tool_path(tool, "users", user_id, "teams", team_id, NULL),
                           NULL, json_incref(body), &answer);
    if (status == TOOL_DONE)
        print_member(tool, user_id, team_id);
    return status;
}

int tool_team_member_remove(tool_t *tool)
{
    const char *team_id, *user_id;
    json_t *answer;
    int status = open_member(tool, &team_id, &user_id);

    return status ? status
                  : tool_call(tool, "DELETE",
                              tool_path(tool, "users", user_id, "teams", team_id, NULL), NULL, NULL,
                              &answer);
}

static bool list_member(tool_t *tool, json_t *user, void *team_id)
{
    const json_t *team;
    size_t i;

    json_array_foreach (json_object_get(user, "team_memberships"), i, team) {
        const char *id = tool_member(team, "team_id");
        if (id && strcmp(id, team_id) == 0)
            return print_member(tool, tool_member(user, "id"), team_id);
    }
    return true;
}

int tool_team_member_list(tool_t *tool)
{
    const char *id;
    json_t *team;
    int status = open_team(tool, &id);

    /* A malformed id is reported, like an unknown name. */
    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "teams", id, NULL), NULL, NULL, &team);
    return status ? status : tool_each_page(tool, "/v1/users", "", list_member, (void *)id);
}
