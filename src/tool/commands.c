/* Commands on what has no route: the database itself, entities, accounts, aliases. */
#include <stdio.h>

#include <apr_strings.h>

#include "tool.h"

#define ALIAS_LIFETIME apr_time_from_sec(86400)

int tool_migrate(tool_t *tool)
{
    int from = 0, to = 0;
    if (!tool->driver)
        return tool_fail(TOOL_USAGE, "which database? Give --db DRIVER:PARAMS or set IDENTITY_DB");
    const char *error = identity_schema_migrate(tool->pool, tool->driver, tool->params, &from, &to);

    if (error)
        return tool_fail(TOOL_DATABASE, "%s", error);
    if (from == to)
        printf("the database has version %d already\n", to);
    else
        printf("the database was brought from version %d to %d\n", from, to);
    return 0;
}

int tool_check(tool_t *tool)
{
    apr_array_header_t *faults = NULL, *names = NULL;
    int status = tool_open(tool);

    if (status)
        return status;
    if (identity_schema_check(tool->db, &faults) != IDENTITY_DB_OK ||
        identity_names_check(tool->db, &names) != IDENTITY_DB_OK ||
        identity_team_names_check(tool->db, &names) != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    for (int i = 0; i < faults->nelts; i++)
        status = tool_fail(TOOL_FAILED, "%s", APR_ARRAY_IDX(faults, i, const char *));
    /* Nothing is broken by these: users sign in and teams count until somebody renames them. */
    for (int i = 0; i < names->nelts; i++)
        printf("note: %s\n", APR_ARRAY_IDX(names, i, const char *));
    if (status == 0)
        puts("no fault was found");
    return status;
}

/* ---- entities --------------------------------------------------------------------------------------------------- */

static const char *const entity_columns[] = {"id", "reference", "name", "created_at", "expires_at", NULL};

static void print_entity(tool_t *tool, const identity_entity_row_t *row)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", row->id, "reference", row->reference, "name", row->name,
                  "created_at", identity_time_json(row->created_at), "expires_at", identity_time_json(row->expires_at));

    tool_line(tool, object, entity_columns);
    json_decref(object);
}

int tool_entity_add(tool_t *tool)
{
    identity_entity_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open(tool);

    if (status)
        return status;
    if (!identity_entity_add(tool->pool, &tool->env, tool->argument, tool_text(tool, TOOL_NAME), &row, &problem))
        return tool_problem(&problem);
    tool->headed = true;
    print_entity(tool, row);
    return 0;
}

int tool_entity_list(tool_t *tool)
{
    apr_array_header_t *rows;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open(tool);

    if (status)
        return status;
    if (!identity_entities(tool->pool, &tool->env, &rows, &problem))
        return tool_problem(&problem);
    for (int i = 0; i < rows->nelts && tool_wants_more(tool); i++)
        print_entity(tool, APR_ARRAY_IDX(rows, i, identity_entity_row_t *));
    return 0;
}

int tool_entity_show(tool_t *tool)
{
    identity_entity_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open(tool);

    if (status)
        return status;
    if (!identity_entity_named(tool->pool, &tool->env, tool->argument, &row, &problem))
        return tool_problem(&problem);
    tool->headed = true;
    print_entity(tool, row);
    return 0;
}

/* ---- accounts --------------------------------------------------------------------------------------------------- */

static const char *const account_columns[] = {"id",        "reference",  "environment", "account_type_code",
                                              "parent_id", "created_at", NULL};

static void print_account(tool_t *tool, const identity_account_row_t *row)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o}", "id", row->id, "reference", row->reference,
                               "environment", row->environment, "account_type_code", row->account_type_code,
                               "parent_id", row->parent_id, "created_at", identity_time_json(row->created_at));

    tool_line(tool, object, account_columns);
    json_decref(object);
}

int tool_account_add(tool_t *tool)
{
    identity_account_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open_entity(tool);

    if (status)
        return status;
    if (!identity_account_add(tool->pool, &tool->env, tool->entity_id, tool->argument,
                              tool_text(tool, TOOL_ENVIRONMENT), tool_text(tool, TOOL_TYPE),
                              tool_text(tool, TOOL_PARENT), &row, &problem))
        return tool_problem(&problem);
    tool->headed = true;
    print_account(tool, row);
    return 0;
}

int tool_account_list(tool_t *tool)
{
    apr_array_header_t *rows;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open_entity(tool);

    if (status)
        return status;
    if (!identity_accounts(tool->pool, &tool->env, tool->entity_id, &rows, &problem))
        return tool_problem(&problem);
    for (int i = 0; i < rows->nelts && tool_wants_more(tool); i++)
        print_account(tool, APR_ARRAY_IDX(rows, i, identity_account_row_t *));
    return 0;
}

int tool_account_show(tool_t *tool)
{
    identity_account_row_t *row = NULL;
    const char *id;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_find_account(tool, tool->argument, &id);
    if (status == TOOL_DONE && identity_account_find(tool->db, tool->entity_id, id, &row) != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    tool->headed = true;
    if (status == TOOL_DONE)
        print_account(tool, row);
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
    if (!identity_alias_add(tool->pool, &tool->env, tool->argument, tool_text(tool, TOOL_DESCRIPTION),
                            tool_has(tool, TOOL_EXPIRES) ? tool_expires(tool) : ALIAS_LIFETIME, &secret, &row,
                            &problem))
        return tool_problem(&problem);
    if (tool->json) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "id", row->id, "token_alias", secret, "username",
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
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "id", row->id, "username", row->username, "created_at",
                      identity_time_json(row->created_at), "expires_at", identity_time_json(row->expires_at),
                      "last_used_at", identity_time_json(row->last_used_at), "description", row->description);
        tool_line(tool, object, columns);
        json_decref(object);
    }
    return 0;
}
