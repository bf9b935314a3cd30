/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity user show: a user's rights in readable form. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "-";
}

/* `Administrator, Quote Viewer` */
static void print_names(const json_t *roles, const char *before)
{
    size_t i;
    json_t *role;

    json_array_foreach (roles, i, role)
        printf("%s%s", i ? ", " : before, text_of(role, "name"));
}

static void print_memberships(const json_t *memberships, const char *indent)
{
    size_t i;
    json_t *membership;

    json_array_foreach (memberships, i, membership) {
        printf("%s%s (%s, %s): %s", indent, text_of(membership, "account_reference"),
               text_of(membership, "account_id"), text_of(membership, "environment"),
               text_of(membership, "type"));
        print_names(json_object_get(membership, "roles"), "; roles ");
        putchar('\n');
    }
    if (json_array_size(memberships) == 0)
        printf("%snone\n", indent);
}

/* Both lists have the same teams in the same order. */
static void print_teams(const json_t *answer)
{
    const json_t *memberships =
        json_object_get(json_object_get(answer, "user"), "team_memberships");
    size_t i;
    json_t *team;

    json_array_foreach (json_object_get(answer, "teams"), i, team) {
        bool counts = json_is_true(json_object_get(team, "counts"));
        printf("  %s (%s) from %s until %s: %s\n", text_of(team, "name"), text_of(team, "team_id"),
               text_of(team, "start_at"), text_of(team, "end_at"),
               counts ? "counts now" : "does not count now");
        print_memberships(json_object_get(json_array_get(memberships, i), "account_memberships"),
                          "    ");
    }
    if (json_array_size(json_object_get(answer, "teams")) == 0)
        puts("  none");
}

/* `team Support: role Night Shift via child Quote Viewer` */
static void print_source(const json_t *source)
{
    const json_t *team = json_object_get(source, "team");
    size_t i;
    json_t *role;

    if (json_is_string(team))
        printf("team %s: ", json_string_value(team));
    if (json_array_size(json_object_get(source, "roles")) == 0)
        printf("membership %s", text_of(source, "type"));
    json_array_foreach (json_object_get(source, "roles"), i, role)
        printf("%s%s", i ? " via child " : "role ", json_string_value(role));
}

static void print_account(const json_t *account)
{
    size_t i, s;
    json_t *permission, *source;

    printf("  %s (%s, %s)\n", text_of(account, "reference"), text_of(account, "account_id"),
           text_of(account, "environment"));
    json_array_foreach (json_object_get(account, "permissions"), i, permission) {
        printf("    %-36s ", text_of(permission, "permission"));
        json_array_foreach (json_object_get(permission, "sources"), s, source) {
            fputs(s ? "; " : "", stdout);
            print_source(source);
        }
        putchar('\n');
    }
    if (json_array_size(json_object_get(account, "permissions")) == 0)
        puts("    none");
}

static void print_effective(const json_t *answer)
{
    const json_t *accounts = json_object_get(answer, "effective"),
                 *user = json_object_get(answer, "user");
    size_t i;
    json_t *account;

    puts("effective permissions (* stands for all)");
    json_array_foreach (accounts, i, account)
        print_account(account);
    if (strcmp(text_of(user, "status"), "ACTIVE") != 0)
        printf("  none: the user is %s\n", text_of(user, "status"));
    else if (json_array_size(accounts) == 0)
        puts("  none");
}

int tool_user_show(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *id;
    json_t *answer;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_find_user(tool, tool->argument, &id);
    if (status)
        return status;
    if (!identity_user_explain(tool->pool, &tool->env, tool->entity_id, id, &answer, &problem))
        return tool_problem(&problem);
    if (tool->json) {
        tool_print(tool, answer, NULL);
        return 0;
    }
    const json_t *user = json_object_get(answer, "user");
    printf("%s\n  id       %s\n", text_of(user, "username"), text_of(user, "id"));
    if (json_object_get(user, "login"))
        printf("  login    %s\n", text_of(user, "login"));
    printf("  status   %s\n  created  %s\nmemberships\n", text_of(user, "status"),
           text_of(user, "created_at"));
    print_memberships(json_object_get(user, "account_memberships"), "  ");
    puts("teams");
    print_teams(answer);
    print_effective(answer);
    return 0;
}
