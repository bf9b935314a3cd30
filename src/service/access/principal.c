/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's rights: computed once, when the principal is loaded. */
#include <string.h>

#include "access/access.h"

static identity_grant_t *grant_in(const apr_array_header_t *grants, const char *account_id)
{
    for (int i = 0; i < grants->nelts; i++) {
        identity_grant_t *grant = &APR_ARRAY_IDX(grants, i, identity_grant_t);
        if (strcmp(grant->account_id, account_id) == 0)
            return grant;
    }
    return NULL;
}

static apr_array_header_t *grants_of_rows(const identity_call_t *call,
                                          const apr_array_header_t *rows)
{
    apr_pool_t *pool = call->pool;
    apr_array_header_t *grants = apr_array_make(pool, 4, sizeof(identity_grant_t));

    for (int i = 0; i < rows->nelts; i++) {
        const identity_grant_row_t *row = APR_ARRAY_IDX(rows, i, identity_grant_row_t *);
        identity_grant_t *grant = grant_in(grants, row->account_id);
        identity_permset_t builtin = {0};
        if (!grant) {
            grant = apr_array_push(grants);
            memset(grant, 0, sizeof *grant);
            grant->account_id = row->account_id;
            grant->type = row->type;
        }
        if (row->type < grant->type) /* ADMIN, USER, PARTNER: the strongest comes first */
            grant->type = row->type;
        if (row->type == IDENTITY_MEMBER_ADMIN)
            grant->permissions.all = true;
        int index = identity_builtin_role_find(row->role_id);
        if (index >= 0) {
            identity_builtin_role_permissions(index, call->env->settings->catalogue, &builtin);
            identity_permset_add_set(pool, &grant->permissions, &builtin);
        }
        if (row->permission[0])
            identity_permset_add(pool, &grant->permissions, row->permission);
    }
    return grants;
}

static void add_role(apr_pool_t *pool, const apr_array_header_t *grants,
                     const identity_standing_row_t *row)
{
    identity_grant_t *grant = grant_in(grants, row->account_id);

    if (!grant)
        return;
    if (!grant->roles)
        grant->roles = apr_array_make(pool, 4, sizeof(identity_assigned_role_t));
    APR_ARRAY_PUSH(grant->roles, identity_assigned_role_t) =
        (identity_assigned_role_t){row->id, row->name, row->slug};
}

static void add_team(apr_pool_t *pool, identity_principal_t *principal,
                     const identity_standing_row_t *row, apr_time_t now)
{
    principal->changes_at = identity_time_sooner(principal->changes_at,
                                                 row->start_at > now ? row->start_at : row->end_at);
    if (row->start_at > now)
        return;
    if (!principal->teams)
        principal->teams = apr_array_make(pool, 2, sizeof(identity_assigned_team_t));
    APR_ARRAY_PUSH(principal->teams, identity_assigned_team_t) =
        (identity_assigned_team_t){row->id, row->name};
}

static void set_entity(identity_principal_t *principal, const char *reference,
                       apr_time_t expires_at)
{
    principal->entity_reference = reference;
    principal->sandbox = expires_at != 0;
}

/* Logins of different entities may be equal, and in a sandbox anybody can choose any login: those are never used as
 * the user's name. */
static void set_login(identity_call_t *call, identity_principal_t *principal,
                      const identity_user_row_t *user, const identity_standing_row_t *entity)
{
    const char *key =
        user->login && !principal->sandbox ? identity_login_key(call->pool, user->login) : NULL;

    principal->login =
        key && entity->lasting > 1 ? apr_pstrcat(call->pool, entity->name, "/", key, NULL) : key;
}

const char *identity_remote_user(const identity_settings_t *settings,
                                 const identity_principal_t *principal)
{
    return settings->logins && principal->login ? principal->login : principal->name;
}

/* The names that rules in the configuration may use. */
static bool load_names(identity_call_t *call, identity_principal_t *principal,
                       const identity_user_row_t *user)
{
    apr_array_header_t *rows = NULL;

    if (!identity_db_ok(call, identity_standing_of_user(call->db, principal->entity_id,
                                                        principal->id, call->now, &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        const identity_standing_row_t *row = APR_ARRAY_IDX(rows, i, identity_standing_row_t *);
        identity_grant_t *grant =
            row->kind == IDENTITY_STANDING_ACCOUNT ? grant_in(principal->grants, row->id) : NULL;
        if (grant)
            grant->reference = row->name;
        if (row->kind == IDENTITY_STANDING_ENTITY) {
            set_entity(principal, row->name, row->end_at);
            set_login(call, principal, user, row);
        }
        if (row->kind == IDENTITY_STANDING_ROLE)
            add_role(call->pool, principal->grants, row);
        if (row->kind == IDENTITY_STANDING_TEAM)
            add_team(call->pool, principal, row, call->now);
    }
    return true;
}

bool identity_principal_of_user(identity_call_t *call, const identity_user_row_t *user,
                                identity_principal_t **principal)
{
    apr_array_header_t *rows = NULL;

    if (!identity_db_ok(call, identity_grants_of_user(call->db, user->id, call->now, &rows)))
        return false;
    *principal = apr_pcalloc(call->pool, sizeof **principal);
    (*principal)->kind = IDENTITY_CALLER_USER;
    (*principal)->id = user->id;
    (*principal)->name = identity_user_told(user);
    (*principal)->method = "bearer";
    (*principal)->entity_id = user->entity_id;
    (*principal)->grants = grants_of_rows(call, rows);
    return load_names(call, *principal, user);
}

/* The owner's present principal, reduced in each account to the key's permissions. */
static bool principal_of_owner(identity_call_t *call, const identity_key_row_t *key,
                               identity_principal_t **principal)
{
    identity_user_row_t *user = NULL;
    identity_permset_t narrow = {0};
    apr_array_header_t *names;
    bool found;

    *principal = NULL;
    if (!identity_db_found(call, identity_user_get(call->db, key->entity_id, key->user_id, &user),
                           &found))
        return false;
    if (!found || user->status != IDENTITY_USER_ACTIVE)
        return true;
    if (!identity_key_narrowing(call, key, &names) ||
        !identity_principal_of_user(call, user, principal))
        return false;
    (*principal)->key_id = key->id;
    (*principal)->method = "key";
    for (int i = 0; i < names->nelts; i++)
        identity_permset_add(call->pool, &narrow, APR_ARRAY_IDX(names, i, const char *));
    for (int i = 0; key->narrowed && i < (*principal)->grants->nelts; i++) {
        identity_grant_t *grant = &APR_ARRAY_IDX((*principal)->grants, i, identity_grant_t);
        grant->whole = apr_pmemdup(call->pool, &grant->permissions, sizeof grant->permissions);
        identity_permset_intersect(call->pool, &grant->permissions, &narrow);
    }
    return true;
}

bool identity_principal_of_key(identity_call_t *call, const identity_key_row_t *key,
                               identity_principal_t **principal)
{
    identity_principal_t *made = apr_pcalloc(call->pool, sizeof *made);
    apr_array_header_t *names;

    if (key->user_id)
        return principal_of_owner(call, key, principal);
    made->kind = IDENTITY_CALLER_KEY;
    made->id = made->name = key->id;
    made->method = "key";
    made->entity_id = key->entity_id;
    made->entity_wide = true;
    made->narrowed = key->narrowed;
    set_entity(made, key->entity_reference, key->entity_expires_at);
    if (!identity_key_narrowing(call, key, &names))
        return false;
    identity_key_holds(call, key, names, &made->entity_permissions);
    *principal = made;
    return true;
}

static bool account_of_entity(identity_call_t *call, void *data)
{
    identity_account_row_t **row = data;
    bool found;

    return identity_db_found(
        call,
        identity_account_find(
            call->db, call->principal->entity_id,
            call->account_asked ? call->account_asked : call->in->headers.platform_id, row),
        &found);
}

/* The same answer for an account of another entity, an unknown one, and one without a membership. */
static bool foreign_account(identity_call_t *call)
{
    return call->account_asked
               ? identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, "account",
                               "The caller has no access to the account named by account.")
               : identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                               "The caller has no access to the account named by x-platform-id.");
}

static bool select_entity_wide(identity_call_t *call)
{
    identity_account_row_t *row = NULL;

    call->permissions = call->principal->entity_permissions;
    if (!call->in->headers.platform_id && !call->account_asked)
        return true;
    call->account_id = call->in->headers.platform_id;
    if (!call->account_asked && !identity_id_valid(call->account_id, "plat"))
        return foreign_account(call);
    if (!identity_read(call, account_of_entity, &row))
        return false;
    if (!row)
        return foreign_account(call);
    call->account_id = row->id;
    return true;
}

static const identity_grant_t *grant_selected(const identity_call_t *call)
{
    const apr_array_header_t *grants = call->principal->grants;

    if (!call->account_asked)
        return grant_in(grants, call->in->headers.platform_id);
    for (int i = 0; i < grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(grants, i, identity_grant_t);
        if (strcmp(grant->account_id, call->account_asked) == 0 ||
            (grant->reference && strcmp(grant->reference, call->account_asked) == 0))
            return grant;
    }
    return NULL;
}

/* If the request names an account both to act on and to ask about, they must be the same. */
static bool accounts_agree(identity_call_t *call)
{
    const char *header = call->in->headers.platform_id;

    return !call->account_asked || !header || !call->account_id ||
           strcmp(call->account_id, header) == 0 ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "account",
                         "account and x-platform-id name different accounts.");
}

static bool select_named(identity_call_t *call)
{
    const identity_grant_t *grant = grant_selected(call);

    if (!grant)
        return foreign_account(call);
    call->account_id = grant->account_id;
    call->permissions = grant->permissions;
    call->partner = grant->type == IDENTITY_MEMBER_PARTNER;
    return accounts_agree(call);
}

bool identity_permissions_select(identity_call_t *call)
{
    const apr_array_header_t *grants = call->principal->grants;

    if (call->principal->entity_wide)
        return select_entity_wide(call) && accounts_agree(call);
    if (call->in->headers.platform_id || call->account_asked)
        return select_named(call);
    for (int i = 0; i < grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(grants, i, identity_grant_t);
        if (i == 0)
            identity_permset_add_set(call->pool, &call->permissions, &grant->permissions);
        else
            identity_permset_intersect(call->pool, &call->permissions, &grant->permissions);
        call->partner = call->partner || grant->type == IDENTITY_MEMBER_PARTNER;
    }
    if (grants->nelts == 1)
        call->account_id = APR_ARRAY_IDX(grants, 0, identity_grant_t).account_id;
    return true;
}

bool identity_permissions_again(identity_call_t *call)
{
    memset(&call->permissions, 0, sizeof call->permissions);
    if (call->principal->entity_wide) {
        call->permissions = call->principal->entity_permissions; /* in the same account as before */
        return true;
    }
    call->account_id = NULL;
    call->partner = false;
    return identity_permissions_select(call);
}

bool identity_permission_held(identity_call_t *call)
{
    const identity_route_t *route = call->route;
    bool own = route->self && call->id && call->principal->kind == IDENTITY_CALLER_USER &&
               strcmp(call->id, call->principal->id) == 0;

    if (!route->permission || own || identity_permset_has(&call->permissions, route->permission))
        return true;
    call->lacking = route->permission;
    return identity_deny(
        call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL, "This needs the permission %s.%s",
        route->permission,
        call->principal->narrowed
            ? " The key is restricted: its own list of permissions does not include it."
            : "");
}

bool identity_principal_covers(const identity_principal_t *principal, const char *account_id,
                               const identity_permset_t *want)
{
    if (principal->entity_wide)
        return identity_permset_covers(&principal->entity_permissions, want);
    const identity_grant_t *grant = grant_in(principal->grants, account_id);
    return grant && identity_permset_covers(&grant->permissions, want);
}

bool identity_principal_is_partner(const identity_principal_t *principal, const char *account_id)
{
    const identity_grant_t *grant =
        principal->entity_wide ? NULL : grant_in(principal->grants, account_id);
    return grant && grant->type == IDENTITY_MEMBER_PARTNER;
}

/* In every account, and there must be one. */
static bool grants_cover(identity_call_t *call, const identity_principal_t *principal,
                         const identity_permset_t *want, bool *covers)
{
    apr_int64_t covered = 0, accounts = 0;

    for (int i = 0; i < principal->grants->nelts; i++)
        covered += identity_permset_covers(
            &APR_ARRAY_IDX(principal->grants, i, identity_grant_t).permissions, want);
    /* Each grant belongs to a different account of the entity: compare their number. */
    if (!identity_db_ok(
            call, identity_accounts_count(call->db, principal->entity_id, covered, &accounts)))
        return false;
    *covers = covered > 0 && covered == accounts;
    return true;
}

bool identity_principal_covers_entity(identity_call_t *call, const identity_permset_t *want,
                                      bool *covers)
{
    const identity_principal_t *principal = call->principal;

    *covers = principal->entity_wide ? identity_permset_covers(&principal->entity_permissions, want)
                                     : !call->partner;
    return principal->entity_wide || !*covers || grants_cover(call, principal, want, covers);
}

bool identity_permission_in_entity(identity_call_t *call, const char *what)
{
    identity_permset_t want = {0};
    bool covers;

    identity_permset_add(call->pool, &want, call->route->permission);
    if (!identity_principal_covers_entity(call, &want, &covers))
        return false;
    return covers ||
           identity_deny(
               call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
               "%s belong to the whole entity: in each of its accounts this needs the permission %s.",
               what, call->route->permission);
}

bool identity_principal_holds_everything(identity_call_t *call,
                                         const identity_principal_t *principal, bool *holds)
{
    const identity_permset_t everything = {.all = true};
    apr_int64_t accounts = 1;

    for (int i = 0; !principal->entity_wide && i < principal->grants->nelts; i++)
        if (APR_ARRAY_IDX(principal->grants, i, identity_grant_t).type == IDENTITY_MEMBER_PARTNER)
            return !(*holds = false);
    if (!principal->entity_wide)
        return grants_cover(call, principal, &everything, holds);
    /* A caller with direct access to the database needs no account. */
    if (principal->kind != IDENTITY_CALLER_LOCAL &&
        !identity_db_ok(call,
                        identity_accounts_count(call->db, principal->entity_id, 1, &accounts)))
        return false;
    *holds = accounts > 0 && identity_permset_covers(&principal->entity_permissions, &everything);
    return true;
}

bool identity_needs_everything(identity_call_t *call, const char *what)
{
    bool holds;

    if (!identity_principal_holds_everything(call, call->principal, &holds))
        return false;
    return holds ||
           identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "%s needs every permission in every account of the entity.", what);
}
