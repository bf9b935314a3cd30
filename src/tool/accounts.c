/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on entities and their accounts. */
#include <string.h>

#include "tool.h"

/* ---- entities --------------------------------------------------------------------------------------------------- */

static const char *const entity_columns[] = {"id",         "reference",  "name",
                                             "created_at", "expires_at", NULL};

static void print_entity(tool_t *tool, const identity_entity_row_t *row)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", row->id, "reference", row->reference, "name",
                  row->name, "created_at", identity_time_json(row->created_at), "expires_at",
                  identity_time_json(row->expires_at));

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
    if (!identity_entity_add(tool->pool, &tool->env, tool->argument, tool_text(tool, TOOL_NAME),
                             &row, &problem))
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

int tool_entity_set(tool_t *tool)
{
    identity_entity_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (!tool_has(tool, TOOL_REFERENCE) && !tool_has(tool, TOOL_NAME))
        return tool_fail(TOOL_USAGE, "entity set requires --reference or --name");
    int status = tool_open(tool);
    if (status)
        return status;
    if (!identity_entity_set(tool->pool, &tool->env, tool->argument,
                             tool_text(tool, TOOL_REFERENCE), tool_text(tool, TOOL_NAME), &row,
                             &problem))
        return tool_problem(&problem);
    tool->headed = true;
    print_entity(tool, row);
    return TOOL_DONE;
}

int tool_entity_delete(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open(tool);

    if (status == TOOL_DONE &&
        !identity_entity_remove(tool->pool, &tool->env, tool->argument, &problem))
        return tool_problem(&problem);
    return status;
}

/* ---- accounts --------------------------------------------------------------------------------------------------- */

static const char *const account_columns[] = {
    "id", "reference", "environment", "account_type_code", "parent_id", "created_at", NULL};

static void print_account(tool_t *tool, const identity_account_row_t *row)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o}", "id", row->id, "reference", row->reference,
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
    if (status == TOOL_DONE &&
        identity_account_find(tool->db, tool->entity_id, id, &row) != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    tool->headed = true;
    if (status == TOOL_DONE)
        print_account(tool, row);
    return status;
}

int tool_account_set(tool_t *tool)
{
    const char *parent = tool_text(tool, TOOL_PARENT);
    const identity_account_change_t change = {
        .reference = tool_text(tool, TOOL_REFERENCE),
        .environment = tool_text(tool, TOOL_ENVIRONMENT),
        .account_type_code = tool_text(tool, TOOL_TYPE),
        .parent = parent && strcmp(parent, "none") == 0 ? "" : parent};
    identity_account_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (!change.reference && !change.environment && !change.account_type_code && !parent)
        return tool_fail(TOOL_USAGE,
                         "account set requires --reference, --environment, --type or --parent");
    int status = tool_open_entity(tool);
    if (status)
        return status;
    if (!identity_account_set(tool->pool, &tool->env, tool->entity_id, tool->argument, &change,
                              &row, &problem))
        return tool_problem(&problem);
    tool->headed = true;
    print_account(tool, row);
    return TOOL_DONE;
}

int tool_account_delete(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE &&
        !identity_account_remove(tool->pool, &tool->env, tool->entity_id, tool->argument,
                                 tool_has(tool, TOOL_MEMBERSHIPS), &problem))
        return tool_problem(&problem);
    return status;
}
