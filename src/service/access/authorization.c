/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates permissions and memberships for rules in httpd's configuration. */
#include <string.h>

#include "access/access.h"

/* Nobody has granted these rights: anyone who solves a captcha gets a session of the demo account, or all
 * permissions in a sandbox. */
static bool anybody(const identity_principal_t *principal)
{
    return principal->guest || principal->sandbox;
}

bool identity_authorize_location(identity_call_t *call, identity_authentication_t *out)
{
    const identity_principal_t *principal = call->principal = out->principal;

    if (anybody(principal))
        return identity_deny(
            call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
            "Guests and sandboxes can use the interface under /v1 and nothing else.");
    if (call->in->headers.platform_id && !identity_permissions_select(call))
        return false;
    out->account_id = call->account_id;
    if (!out->account_id && principal->grants && principal->grants->nelts == 1)
        out->account_id = APR_ARRAY_IDX(principal->grants, 0, identity_grant_t).account_id;
    return true;
}

/* Does it hold in the account or, without one, in each account (at least one)? */
typedef bool holds_t(const identity_grant_t *grant, const void *what);

static bool in_each(const identity_principal_t *principal, const char *account_id, holds_t *holds,
                    const void *what)
{
    int asked = 0;

    for (int i = 0; principal->grants && i < principal->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(principal->grants, i, identity_grant_t);
        if (account_id && strcmp(grant->account_id, account_id) != 0)
            continue;
        if (!holds(grant, what))
            return false;
        asked++;
    }
    return asked > 0;
}

static bool in_any(const identity_principal_t *principal, holds_t *holds, const void *what)
{
    for (int i = 0; principal->grants && i < principal->grants->nelts; i++)
        if (holds(&APR_ARRAY_IDX(principal->grants, i, identity_grant_t), what))
            return true;
    return false;
}

static bool permits(const identity_grant_t *grant, const void *permission)
{
    return identity_permset_has(&grant->permissions, permission);
}

bool identity_may(const identity_principal_t *principal, const char *account_id,
                  const char *permission)
{
    return principal->entity_wide ? identity_permset_has(&principal->entity_permissions, permission)
                                  : in_each(principal, account_id, permits, permission);
}

static bool permits_whole(const identity_grant_t *grant, const void *permission)
{
    return identity_permset_has(grant->whole ? grant->whole : &grant->permissions, permission);
}

bool identity_may_anywhere(const identity_principal_t *principal, const char *permission)
{
    return principal->entity_wide ? identity_permset_has(&principal->entity_permissions, permission)
                                  : in_any(principal, permits_whole, permission);
}

static bool has_role(const identity_grant_t *grant, const void *role)
{
    for (int i = 0; grant->roles && i < grant->roles->nelts; i++) {
        const identity_assigned_role_t *held =
            &APR_ARRAY_IDX(grant->roles, i, identity_assigned_role_t);
        /* A slug has no underscore, so an id and a slug cannot be confused. */
        if (strcmp(held->slug, role) == 0 || strcmp(held->id, role) == 0)
            return true;
    }
    return false;
}

bool identity_has_role(const identity_principal_t *principal, const char *account_id,
                       const char *role)
{
    return in_each(principal, account_id, has_role, role);
}

bool identity_has_role_anywhere(const identity_principal_t *principal, const char *role)
{
    return in_any(principal, has_role, role);
}

bool identity_can_belong(const identity_principal_t *principal)
{
    return !principal->entity_wide;
}

/* A reference that looks like an id never matches: it could be the id of another tenant's account. */
static bool called(const char *prefix, const char *id, const char *reference, const char *request)
{
    if (identity_id_valid(request, prefix))
        return strcmp(id, request) == 0;
    return reference && strcmp(reference, request) == 0;
}

bool identity_in_account(const identity_principal_t *principal, const char *account)
{
    for (int i = 0; principal->grants && i < principal->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(principal->grants, i, identity_grant_t);
        if (called("plat", grant->account_id, grant->reference, account))
            return true;
    }
    return false;
}

bool identity_in_team(const identity_principal_t *principal, const char *team)
{
    for (int i = 0; principal->teams && i < principal->teams->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(principal->teams, i, identity_assigned_team_t).id, team) == 0)
            return true;
    return false;
}

bool identity_in_entity(const identity_principal_t *principal, const char *entity)
{
    return called("enti", principal->entity_id, principal->entity_reference, entity);
}

/* ---- the list of permissions ------------------------------------------------------------------------------------ */

typedef struct list {
    char *text, *to, *end;
    bool full;
} list_t;

static void add_name(list_t *list, const char *name)
{
    size_t length = strlen(name), comma = list->to > list->text;

    list->full = list->full || (size_t)(list->end - list->to) < length + comma;
    if (list->full)
        return;
    if (comma)
        *list->to++ = ',';
    memcpy(list->to, name, length + 1);
    list->to += length;
}

static void add_set(list_t *list, const identity_permset_t *set)
{
    if (set->all) {
        add_name(list, "*");
        return;
    }
    for (int i = 0; i < identity_permission_count(); i++)
        if (identity_permset_has(set, identity_permission_name(i)))
            add_name(list, identity_permission_name(i));
    for (int i = 0; set->own && i < set->own->nelts; i++)
        add_name(list, APR_ARRAY_IDX(set->own, i, const char *));
}

static identity_permset_t common(apr_pool_t *pool, const identity_principal_t *principal,
                                 const char *account_id)
{
    identity_permset_t set = {0};
    bool first = true;

    if (principal->entity_wide)
        return principal->entity_permissions;
    for (int i = 0; principal->grants && i < principal->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(principal->grants, i, identity_grant_t);
        if (account_id && strcmp(grant->account_id, account_id) != 0)
            continue;
        if (first)
            identity_permset_add_set(pool, &set, &grant->permissions);
        else
            identity_permset_intersect(pool, &set, &grant->permissions);
        first = false;
    }
    return set;
}

const char *identity_permission_list(apr_pool_t *pool, const identity_principal_t *principal,
                                     const char *account_id, size_t max)
{
    identity_permset_t set = common(pool, principal, account_id);
    list_t list = {.text = apr_pcalloc(pool, max + 1)};

    list.to = list.text;
    list.end = list.text + max;
    add_set(&list, &set);
    return list.text;
}
