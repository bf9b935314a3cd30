/* SPDX-License-Identifier: Apache-2.0 */
/* Do the names in the configuration's rules exist? Only for the log. */
#include <string.h>

#include "site/site.h"

typedef struct named {
    identity_named_t kind;
    const char *entity_id, *name;
    const char *missing; /* NULL: it exists */
} named_t;

static bool find_role(identity_call_t *call, named_t *named)
{
    const apr_array_header_t *list = identity_list_of(call->pool, named->name);
    apr_array_header_t *rows;
    bool by_id = identity_id_valid(named->name, "role");

    if (!identity_db_ok(call, identity_roles_find(call->db, named->entity_id, by_id ? list : NULL,
                                                  NULL, by_id ? NULL : list, &rows)))
        return false;
    if (!rows->nelts)
        named->missing = apr_psprintf(call->pool, "there is no role %s", named->name);
    return true;
}

static bool find_account(identity_call_t *call, named_t *named)
{
    identity_account_row_t *row;
    bool found;

    if (!identity_db_found(
            call, identity_account_find(call->db, named->entity_id, named->name, &row), &found))
        return false;
    if (!found)
        named->missing = apr_psprintf(call->pool, "there is no account %s", named->name);
    return true;
}

static bool find_team(identity_call_t *call, named_t *named)
{
    identity_team_row_t *row;
    const char *id = NULL;
    bool found;

    if (!identity_db_found(call, identity_team_get(call->db, named->entity_id, named->name, &row),
                           &found))
        return false;
    if (found)
        return true;
    if (!identity_db_found(call, identity_team_named(call->db, named->entity_id, named->name, &id),
                           &found))
        return false;
    named->missing =
        found ? apr_psprintf(call->pool, "teams are named by id: write team=%s for team=%s", id,
                             named->name)
              : apr_psprintf(call->pool, "there is no team %s", named->name);
    return true;
}

static bool find_entity(identity_call_t *call, named_t *named)
{
    identity_entity_row_t *row;
    bool found;

    if (!identity_db_found(call, identity_entity_find(call->db, named->name, &row), &found))
        return false;
    if (!found)
        named->missing = apr_psprintf(call->pool, "there is no entity %s", named->name);
    return true;
}

static bool find(identity_call_t *call, void *data)
{
    static bool (*const finds[])(identity_call_t * call,
                                 named_t * named) = {[IDENTITY_NAMED_ROLE] = find_role,
                                                     [IDENTITY_NAMED_ACCOUNT] = find_account,
                                                     [IDENTITY_NAMED_TEAM] = find_team,
                                                     [IDENTITY_NAMED_ENTITY] = find_entity};
    named_t *named = data;
    return finds[named->kind](call, named);
}

/* In at least one entity. */
static bool find_anywhere(identity_call_t *call, void *data)
{
    named_t *named = data;
    apr_array_header_t *rows;
    const char *missing = NULL;

    if (!identity_db_ok(call, identity_entities_list(call->db, &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        named->entity_id = APR_ARRAY_IDX(rows, i, identity_entity_row_t *)->id;
        named->missing = NULL;
        if (!find(call, named))
            return false;
        if (!named->missing)
            return true;
        /* That a rule must name the team otherwise is more useful than that it was not found. */
        if (!missing || strncmp(missing, "there is no", 11) == 0)
            missing = named->missing;
    }
    named->missing = missing;
    return true;
}

const char *identity_named_missing(apr_pool_t *pool, const identity_env_t *env,
                                   const char *entity_id, identity_named_t kind, const char *name)
{
    named_t named = {.kind = kind, .entity_id = entity_id, .name = name};
    identity_problem_t problem;

    return identity_run_local(pool, env, entity_id ? entity_id : "", false,
                              entity_id ? find : find_anywhere, &named, &problem)
               ? named.missing
               : NULL;
}
