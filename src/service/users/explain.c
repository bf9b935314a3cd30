/* SPDX-License-Identifier: Apache-2.0 */
/* A user's rights, explained: every permission with its sources. identity_principal_of_user defines the rule itself;
 * a test compares the two. */
#include <stdlib.h>
#include <string.h>

#include "users/users.h"

typedef struct account {
    const identity_account_row_t *row;
    apr_hash_t *sources;       /* permission -> json array */
    apr_array_header_t *names; /* of the permissions */
} account_t;

typedef struct explanation {
    const char *user_named;
    identity_user_row_t *user;
    identity_assignments_t *assignments;
    apr_array_header_t *accounts; /* of account_t * */
    json_t *teams, *shown;        /* shown: the user */
} explanation_t;

static account_t *account_of(identity_call_t *call, explanation_t *told,
                             const identity_account_row_t *row)
{
    for (int i = 0; i < told->accounts->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(told->accounts, i, account_t *)->row->id, row->id) == 0)
            return APR_ARRAY_IDX(told->accounts, i, account_t *);
    account_t *made = apr_pcalloc(call->pool, sizeof *made);
    made->row = row;
    made->sources = apr_hash_make(call->pool);
    made->names = apr_array_make(call->pool, 16, sizeof(const char *));
    APR_ARRAY_PUSH(told->accounts, account_t *) = made;
    return made;
}

static void add(identity_call_t *call, account_t *account, const char *permission, json_t *source)
{
    json_t *sources = apr_hash_get(account->sources, permission, APR_HASH_KEY_STRING);

    if (!sources) {
        sources = identity_json_own(call->pool, json_array());
        apr_hash_set(account->sources, permission, APR_HASH_KEY_STRING, sources);
        APR_ARRAY_PUSH(account->names, const char *) = permission;
    }
    json_array_append(sources, source);
}

static void add_set(identity_call_t *call, account_t *account, const identity_permset_t *set,
                    json_t *source)
{
    json_t *names = identity_json_own(call->pool,
                                      identity_permset_json(set, call->env->settings->catalogue)),
           *name;
    size_t i;

    if (set->all)
        add(call, account, "*", source);
    json_array_foreach (names, i, name)
        if (!set->all)
            add(call, account, json_string_value(name), source);
}

static void add_source(identity_call_t *call, void *data, const identity_account_row_t *row,
                       const identity_permset_t *set, json_t *source)
{
    add_set(call, account_of(call, data, row), set, source);
}

static void add_memberships(identity_call_t *call, explanation_t *told,
                            const apr_array_header_t *rows, const char *team)
{
    identity_sources_of(call, told->assignments, rows, team, add_source, told);
}

/* Teams with their names; and what the current ones grant. */
static bool add_teams(identity_call_t *call, explanation_t *told)
{
    const apr_array_header_t *rows = identity_assigned_teams(told->assignments, told->user->id);

    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_team_member_row_t *row =
            APR_ARRAY_IDX(rows, i, identity_team_member_row_t *);
        bool counts = row->start_at <= call->now && (!row->end_at || row->end_at > call->now);
        identity_team_row_t *team;
        if (!identity_db_ok(call, identity_team_get(call->db, row->entity_id, row->team_id, &team)))
            return false;
        json_array_append_new(
            told->teams, json_pack("{s:s, s:s, s:o, s:o, s:b}", "team_id", team->id, "name",
                                   team->name, "start_at", identity_time_json(row->start_at),
                                   "end_at", identity_time_json(row->end_at), "counts", counts));
        if (counts)
            add_memberships(call, told,
                            identity_assigned_team_memberships(told->assignments, row->team_id),
                            team->name);
    }
    return true;
}

static bool read_explanation(identity_call_t *call, void *data)
{
    explanation_t *told = data;
    const char *named = told->user_named;
    identity_db_status_t status =
        identity_id_valid(named, "user")
            ? identity_user_by_id(call->db, named, &told->user)
            : identity_user_in_entity(call->db, call->principal->entity_id, named, &told->user);
    bool found;

    if (!identity_db_found(call, status, &found))
        return false;
    if (!found || strcmp(told->user->entity_id, call->principal->entity_id) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_USER_NOT_FOUND, "user", "There is no user %s.",
                             named);
    if (!identity_user_assignments(call, told->user, &told->assignments))
        return false;
    add_memberships(call, told, identity_assigned_memberships(told->assignments, told->user->id),
                    NULL);
    if (!add_teams(call, told))
        return false;
    told->shown =
        identity_json_own(call->pool, identity_user_json(call, told->user, told->assignments));
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *account_json(const account_t *account)
{
    json_t *permissions = json_array();

    qsort(account->names->elts, (size_t)account->names->nelts, sizeof(const char *), by_name);
    for (int i = 0; i < account->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(account->names, i, const char *);
        json_array_append_new(permissions, json_pack("{s:s, s:O}", "permission", name, "sources",
                                                     (json_t *)apr_hash_get(account->sources, name,
                                                                            APR_HASH_KEY_STRING)));
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "account_id", account->row->id, "reference",
                     account->row->reference, "environment", account->row->environment,
                     "permissions", permissions);
}

bool identity_user_explain(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                           const char *user, json_t **answer, identity_problem_t *problem)
{
    explanation_t told = {.user_named = user,
                          .accounts = apr_array_make(pool, 4, sizeof(account_t *))};
    json_t *effective = identity_json_own(pool, json_array());

    told.teams = identity_json_own(pool, json_array());
    if (!identity_run_local(pool, env, entity_id, false, read_explanation, &told, problem))
        return false;
    for (int i = 0; told.user->status == IDENTITY_USER_ACTIVE && i < told.accounts->nelts; i++)
        json_array_append_new(effective,
                              account_json(APR_ARRAY_IDX(told.accounts, i, account_t *)));
    *answer = identity_json_own(pool, json_pack("{s:O, s:O, s:O}", "user", told.shown, "teams",
                                                told.teams, "effective", effective));
    return true;
}
