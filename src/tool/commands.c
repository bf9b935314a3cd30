/* SPDX-License-Identifier: Apache-2.0 */
/* Commands without a route: the database itself, aliases. */
#include <stdio.h>

#include <apr_strings.h>

#include "tool.h"

#define ALIAS_LIFETIME apr_time_from_sec(86400)

int tool_migrate(tool_t *tool)
{
    int from = 0, to = 0;
    int status = tool_configure(tool);
    if (status)
        return status;
    const char *error = identity_schema_migrate(tool->pool, tool->driver, tool->params, &from, &to);

    if (error)
        return tool_fail(TOOL_DATABASE, "%s", error);
    if (from == to)
        printf("the database already has version %d\n", to);
    else
        printf("the database was migrated from version %d to %d\n", from, to);
    return 0;
}

int tool_check(tool_t *tool)
{
    apr_array_header_t *faults = NULL, *names = NULL;
    int status = tool_open(tool);

    if (status)
        return status;
    if (identity_schema_check(tool->db, &faults) != IDENTITY_DB_OK ||
        identity_invariants_check(tool->db, &faults) != IDENTITY_DB_OK ||
        identity_names_check(tool->db, &names) != IDENTITY_DB_OK ||
        identity_team_names_check(tool->db, &names) != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    for (int i = 0; i < faults->nelts; i++)
        status = tool_fail(TOOL_FAILED, "%s", APR_ARRAY_IDX(faults, i, const char *));
    /* These break nothing: users sign in and teams work until somebody renames them. */
    for (int i = 0; i < names->nelts; i++)
        printf("note: %s\n", APR_ARRAY_IDX(names, i, const char *));
    if (status == 0)
        puts("no faults found");
    return status;
}

/* ---- aliases ---------------------------------------------------------------------------------------------------- */

int tool_alias_add(tool_t *tool)
{
    identity_alias_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *secret;
    int status = tool_open(tool);

    if (status)
        return status;
    if (!identity_alias_add(tool->pool, &tool->env, tool->argument,
                            tool_text(tool, TOOL_DESCRIPTION),
                            tool_has(tool, TOOL_EXPIRES) ? tool_expires(tool) : ALIAS_LIFETIME,
                            &secret, &row, &problem))
        return tool_problem(&problem);
    if (tool->json) {
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:o}", "id", row->id, "token_alias", secret, "username",
                      row->username, "expires_at", identity_time_json(row->expires_at));
        tool_print(tool, object, NULL);
        json_decref(object);
    } else {
        puts(secret);
    }
    return 0;
}

int tool_alias_list(tool_t *tool)
{
    static const char *const columns[] = {"id",           "username",    "created_at", "expires_at",
                                          "last_used_at", "description", NULL};
    apr_array_header_t *rows;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open_entity(tool);

    if (status)
        return status;
    if (!identity_aliases(tool->pool, &tool->env, tool->entity_id, &rows, &problem))
        return tool_problem(&problem);
    for (int i = 0; i < rows->nelts && tool_wants_more(tool); i++) {
        const identity_alias_row_t *row = APR_ARRAY_IDX(rows, i, identity_alias_row_t *);
        json_t *object =
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "id", row->id, "username", row->username,
                      "created_at", identity_time_json(row->created_at), "expires_at",
                      identity_time_json(row->expires_at), "last_used_at",
                      identity_time_json(row->last_used_at), "description", row->description);
        tool_line(tool, object, columns);
        json_decref(object);
    }
    return 0;
}

int tool_alias_revoke(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE &&
        !identity_alias_revoke(tool->pool, &tool->env, tool->entity_id, tool->argument, &problem))
        return tool_problem(&problem);
    return status;
}
