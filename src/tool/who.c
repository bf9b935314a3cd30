/* who-can, who-has, who-is-in: the question of `user show` the other way round. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static const char *const columns[] = {"id", "username", "account", "by", NULL};

typedef struct question {
    const char *permission, *role_id, *role_name, *account_id, *team_id;
    int status;
} question_t;

/* `team Support: role Night Shift via child Quote Viewer`, as user show writes it. */
static const char *source_text(tool_t *tool, const json_t *source)
{
    const char *text =
        tool_member(source, "team") ? apr_pstrcat(tool->pool, "team ", tool_member(source, "team"), ": ", NULL) : "";
    const json_t *roles = json_object_get(source, "roles"), *role;
    size_t i;

    if (json_array_size(roles) == 0)
        return apr_pstrcat(tool->pool, text, "membership ", tool_member(source, "type"), NULL);
    json_array_foreach ((json_t *)roles, i, role)
        text = apr_pstrcat(tool->pool, text, i ? " via child " : "role ", json_string_value(role), NULL);
    return text;
}

static bool print_answer(tool_t *tool, const char *id, const char *name, const char *account, const char *by)
{
    json_t *line = json_pack("{s:s, s:s?, s:s?, s:s}", "id", id, "username", name, "account", account, "by", by);
    bool more = tool_line(tool, line, columns);

    json_decref(line);
    return more;
}

/* Does a held name grant the asked one? `*` is every one; *.VIEW every one that ends so. */
static bool grants(tool_t *tool, const char *held, const char *asked)
{
    identity_permset_t set = {0};

    if (strcmp(held, "*") == 0)
        return true;
    identity_permset_add(tool->pool, &set, held);
    return identity_permset_has(&set, asked);
}

static bool tell_account(tool_t *tool, const question_t *question, const json_t *user, const json_t *account)
{
    json_t *permission, *source;
    size_t i, s;

    json_array_foreach (json_object_get(account, "permissions"), i, permission) {
        if (!grants(tool, tool_member(permission, "permission"), question->permission))
            continue;
        json_array_foreach (json_object_get(permission, "sources"), s, source)
            if (!print_answer(tool, tool_member(user, "id"), tool_member(user, "username"),
                              tool_member(account, "reference"), source_text(tool, source)))
                return false;
    }
    return true;
}

static bool tell_permission(tool_t *tool, json_t *user, void *data)
{
    question_t *question = data;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *told, *account;
    size_t i;

    if (!identity_user_explain(tool->pool, &tool->env, tool->entity_id, tool_member(user, "id"), &told, &problem)) {
        question->status = tool_problem(&problem);
        return false;
    }
    json_array_foreach (json_object_get(told, "effective"), i, account)
        if (!tell_account(tool, question, user, account))
            return false;
    return true;
}

/* A key holds the same in every account of its entity. */
static bool tell_key(tool_t *tool, json_t *key, void *data)
{
    const question_t *question = data;
    const json_t *only = json_object_get(key, "permissions"), *name;
    const char *role = tool_member(key, "role_type");
    bool read_only = strcmp(role, "READ_ONLY") == 0, holds = json_array_size(only) == 0;
    size_t i;

    json_array_foreach ((json_t *)only, i, name)
        holds = holds || grants(tool, json_string_value(name), question->permission);
    if (!holds || (read_only && !grants(tool, "*.VIEW", question->permission)))
        return true;
    const char *description = tool_member(key, "description");
    return print_answer(tool, tool_member(key, "id"), description, NULL, apr_pstrcat(tool->pool, "key ", role, NULL));
}

int tool_who_can(tool_t *tool)
{
    question_t question = {.permission = tool->argument};
    int status = identity_permission_valid(tool->argument)
                     ? tool_open_entity(tool)
                     : tool_fail(TOOL_USAGE, "who-can: %s is no name of a permission", tool->argument);

    if (status == TOOL_DONE)
        status = tool_each_page(tool, "/v1/users", "&status=ACTIVE", tell_permission, &question);
    if (status == TOOL_DONE)
        status = question.status;
    if (status == TOOL_DONE && tool_wants_more(tool))
        status = tool_each_page(tool, "/v1/api-keys", "&active=true", tell_key, &question);
    return status;
}

/* ---- who-has, who-is-in ----------------------------------------------------------------------------------------- */

static bool holds_role(const json_t *membership, const char *role_id)
{
    json_t *id;
    size_t i;

    json_array_foreach (json_object_get(membership, "role_ids"), i, id)
        if (strcmp(json_string_value(id), role_id) == 0)
            return true;
    return false;
}

static bool tell_memberships(tool_t *tool, const question_t *question, const json_t *user, const json_t *memberships,
                             const char *team)
{
    json_t *membership;
    size_t i;

    json_array_foreach (memberships, i, membership) {
        const char *account = tool_member(membership, "account_id");
        bool meant =
            question->role_id ? holds_role(membership, question->role_id) : strcmp(account, question->account_id) == 0;
        const char *by = apr_pstrcat(tool->pool, team ? "team " : "", team ? team : "", team ? ": " : "", "membership ",
                                     tool_member(membership, "type"), NULL);
        if (meant && !print_answer(tool, tool_member(user, "id"), tool_member(user, "username"),
                                   tool_member(membership, "account_reference"), by))
            return false;
    }
    return true;
}

/* Of each team that counts now what it gives, and of the user what it holds itself. */
static bool tell_holdings(tool_t *tool, json_t *item, void *data)
{
    question_t *question = data;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *told, *team;
    size_t i;

    if (!identity_user_explain(tool->pool, &tool->env, tool->entity_id, tool_member(item, "id"), &told, &problem)) {
        question->status = tool_problem(&problem);
        return false;
    }
    const json_t *user = json_object_get(told, "user"), *given = json_object_get(user, "team_memberships");
    if (!question->team_id &&
        !tell_memberships(tool, question, user, json_object_get(user, "account_memberships"), NULL))
        return false;
    json_array_foreach (json_object_get(told, "teams"), i, team) {
        const char *name = tool_member(team, "name");
        if (!json_is_true(json_object_get(team, "counts")))
            continue;
        if (question->team_id && strcmp(tool_member(team, "team_id"), question->team_id) == 0 &&
            !print_answer(tool, tool_member(user, "id"), tool_member(user, "username"), NULL,
                          apr_pstrcat(tool->pool, "team ", name, NULL)))
            return false;
        if (!question->team_id &&
            !tell_memberships(tool, question, user, json_object_get(json_array_get(given, i), "account_memberships"),
                              name))
            return false;
    }
    return true;
}

static int tell_all(tool_t *tool, question_t *question)
{
    int status = tool_each_page(tool, "/v1/users", "&status=ACTIVE", tell_holdings, question);
    return status ? status : question->status;
}

int tool_who_has(tool_t *tool)
{
    question_t question = {.status = TOOL_DONE};
    json_t *role;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_find_role(tool, tool->argument, &question.role_id);
    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "roles", question.role_id, NULL), NULL, NULL, &role);
    return status ? status : tell_all(tool, &question);
}

/* An account is looked for first: its reference is unique, where a team's name may be that of an account too. */
int tool_who_is_in(tool_t *tool)
{
    question_t question = {.status = TOOL_DONE};
    identity_account_row_t *row = NULL;
    json_t *team;
    int status = tool_open_entity(tool);

    if (status)
        return status;
    identity_db_status_t found = identity_account_find(tool->db, tool->entity_id, tool->argument, &row);
    if (found != IDENTITY_DB_OK && found != IDENTITY_DB_NONE)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    if (found == IDENTITY_DB_OK) {
        question.account_id = row->id;
        return tell_all(tool, &question);
    }
    status = tool_find_team(tool, tool->argument, &question.team_id);
    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "teams", question.team_id, NULL), NULL, NULL, &team);
    return status ? status : tell_all(tool, &question);
}
