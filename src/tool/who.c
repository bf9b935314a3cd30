/* SPDX-License-Identifier: Apache-2.0 */
/* who-can, who-has, who-is-in: the inverse of `user show`. */
#include <stdio.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "tool.h"

static const char *const columns[] = {"id", "username", "account", "by", NULL};

typedef struct question {
    const char *role_id, *role_name, *account_id, *team_id;
    apr_hash_t *keys;       /* who-can: keys already printed */
    apr_hash_t *references; /* ... account id -> reference */
    int status;
} question_t;

/* `team Support: role Night Shift via child Quote Viewer`, as user show writes it. */
static const char *source_text(tool_t *tool, const json_t *source)
{
    const char *text =
        tool_member(source, "team")
            ? apr_pstrcat(tool->pool, "team ", tool_member(source, "team"), ": ", NULL)
            : "";
    const json_t *roles = json_object_get(source, "roles"), *role;
    size_t i;

    if (json_array_size(roles) == 0)
        return apr_pstrcat(tool->pool, text, "membership ", tool_member(source, "type"), NULL);
    json_array_foreach ((json_t *)roles, i, role)
        text = apr_pstrcat(tool->pool, text, i ? " via child " : "role ", json_string_value(role),
                           NULL);
    return text;
}

static bool print_answer(tool_t *tool, const char *id, const char *name, const char *account,
                         const char *by)
{
    json_t *line = json_pack("{s:s, s:s?, s:s?, s:s}", "id", id, "username", name, "account",
                             account, "by", by);
    bool more = tool_line(tool, line, columns);

    json_decref(line);
    return more;
}

/* A readable name for an id. */
static const char *reference_of(tool_t *tool, question_t *question, const char *account_id)
{
    const char *reference = apr_hash_get(question->references, account_id, APR_HASH_KEY_STRING);
    apr_pool_t *pool = apr_hash_pool_get(question->references);
    identity_account_row_t *row = NULL;

    if (reference)
        return reference;
    identity_db_use(tool->db, tool->pool);
    if (identity_account_find(tool->db, tool->entity_id, account_id, &row) != IDENTITY_DB_OK)
        return account_id;
    reference = apr_pstrdup(pool, row->reference);
    apr_hash_set(question->references, apr_pstrdup(pool, account_id), APR_HASH_KEY_STRING,
                 reference);
    return reference;
}

/* A key has the same rights in every account of its entity: print it once. */
static bool tell_key(tool_t *tool, question_t *question, const json_t *key, const json_t *source)
{
    const char *id = tool_member(key, "id"), *role = tool_member(source, "type");

    if (apr_hash_get(question->keys, id, APR_HASH_KEY_STRING))
        return true;
    id = apr_pstrdup(apr_hash_pool_get(question->keys), id);
    apr_hash_set(question->keys, id, APR_HASH_KEY_STRING, id);
    return print_answer(tool, id, tool_member(key, "description"), NULL,
                        strcmp(role, "ADMIN") == 0 ? "key ADMINISTRATOR" : "key READ_ONLY");
}

static bool tell_holder(tool_t *tool, json_t *holder, void *data)
{
    question_t *question = data;
    const json_t *user = json_object_get(holder, "user"), *key = json_object_get(holder, "api_key");
    json_t *source;
    size_t i;

    json_array_foreach (json_object_get(holder, "sources"), i, source)
        if (!(key ? tell_key(tool, question, key, source)
                  : print_answer(tool, tool_member(user, "id"), tool_member(user, "username"),
                                 reference_of(tool, question, tool_member(holder, "account_id")),
                                 source_text(tool, source))))
            return false;
    return true;
}

int tool_who_can(tool_t *tool)
{
    question_t question = {.keys = apr_hash_make(tool->pool),
                           .references = apr_hash_make(tool->pool)};
    int status =
        identity_permission_valid(tool->argument)
            ? tool_open_entity(tool)
            : tool_fail(TOOL_USAGE, "who-can: %s is not the name of a permission", tool->argument);

    return status ? status
                  : tool_each_page(tool,
                                   tool_path(tool, "permissions", tool->argument, "holders", NULL),
                                   "", tell_holder, &question);
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

static bool tell_memberships(tool_t *tool, const question_t *question, const json_t *user,
                             const json_t *memberships, const char *team)
{
    json_t *membership;
    size_t i;

    json_array_foreach (memberships, i, membership) {
        const char *account = tool_member(membership, "account_id");
        bool meant = question->role_id ? holds_role(membership, question->role_id)
                                       : strcmp(account, question->account_id) == 0;
        const char *by =
            apr_pstrcat(tool->pool, team ? "team " : "", team ? team : "", team ? ": " : "",
                        "membership ", tool_member(membership, "type"), NULL);
        if (meant && !print_answer(tool, tool_member(user, "id"), tool_member(user, "username"),
                                   tool_member(membership, "account_reference"), by))
            return false;
    }
    return true;
}

/* The grants of each current team, and the user's own memberships. */
static bool tell_holdings(tool_t *tool, json_t *item, void *data)
{
    question_t *question = data;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *told, *team;
    size_t i;

    if (!identity_user_explain(tool->pool, &tool->env, tool->entity_id, tool_member(item, "id"),
                               &told, &problem)) {
        question->status = tool_problem(&problem);
        return false;
    }
    const json_t *user = json_object_get(told, "user"),
                 *given = json_object_get(user, "team_memberships");
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
            !tell_memberships(tool, question, user,
                              json_object_get(json_array_get(given, i), "account_memberships"),
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
        status = tool_call(tool, "GET", tool_path(tool, "roles", question.role_id, NULL), NULL,
                           NULL, &role);
    return status ? status : tell_all(tool, &question);
}

/* Accounts are tried first: their references are unique, while a team may have the name of an account. */
int tool_who_is_in(tool_t *tool)
{
    question_t question = {.status = TOOL_DONE};
    identity_account_row_t *row = NULL;
    json_t *team;
    int status = tool_open_entity(tool);

    if (status)
        return status;
    identity_db_status_t found =
        identity_account_find(tool->db, tool->entity_id, tool->argument, &row);
    if (found != IDENTITY_DB_OK && found != IDENTITY_DB_NONE)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    if (found == IDENTITY_DB_OK) {
        question.account_id = row->id;
        return tell_all(tool, &question);
    }
    status = tool_find_team(tool, tool->argument, &question.team_id);
    if (status == TOOL_DONE)
        status = tool_call(tool, "GET", tool_path(tool, "teams", question.team_id, NULL), NULL,
                           NULL, &team);
    return status ? status : tell_all(tool, &question);
}
