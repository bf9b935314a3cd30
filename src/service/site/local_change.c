/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that only the command line can make: to entities, accounts, aliases, providers, and failure counters. */
#include <string.h>

#include "site/site.h"

/* ---- what is still there ---------------------------------------------------------------------------------------- */

/* `2 users, 1 team`; "" if there is nothing. skip: a kind to be ignored, or NULL. */
static const char *listed(apr_pool_t *pool, const apr_array_header_t *rows, const char *skip)
{
    const char *list = "";

    for (int i = 0; i < rows->nelts; i++) {
        const identity_left_row_t *row = APR_ARRAY_IDX(rows, i, const identity_left_row_t *);
        if (row->count > 0 && !(skip && strcmp(row->what, skip) == 0))
            list = apr_psprintf(pool, "%s%s%" APR_INT64_T_FMT " %s%s", list, *list ? ", " : "",
                                row->count, row->what, row->count == 1 ? "" : "s");
    }
    return list;
}

static const char *changed(const char *request, const char *present)
{
    return request ? request : present;
}

/* ---- entities --------------------------------------------------------------------------------------------------- */

typedef struct entity_change {
    const char *named, *reference, *name; /* reference, name: NULL: unchanged */
    identity_entity_row_t *row;
} entity_change_t;

static bool load_entity(identity_call_t *call, entity_change_t *change)
{
    bool found;

    if (!identity_db_found(call, identity_entity_find(call->db, change->named, &change->row),
                           &found))
        return false;
    return found || identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, "entity",
                                  "There is no entity %s.", change->named);
}

static bool entity_free(identity_call_t *call, const entity_change_t *change)
{
    identity_entity_row_t *other;
    bool found = false;

    if (!change->reference)
        return true;
    if (!identity_local_reference(call, change->reference) ||
        !identity_db_found(call, identity_entity_find(call->db, change->reference, &other), &found))
        return false;
    return !found || strcmp(other->id, change->row->id) == 0 ||
           identity_deny(call, IDENTITY_PROBLEM_EXISTS, "reference",
                         "An entity with this reference already exists.");
}

static bool write_entity_change(identity_call_t *call, void *data)
{
    entity_change_t *change = data;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "UPDATE", .type = "ENTITY", .changes = changes};

    if (!load_entity(call, change) || !entity_free(call, change) ||
        (change->name && !identity_local_label(call, "name", change->name)))
        return false;
    identity_entity_row_t *row = change->row;
    identity_changes_add(changes, "reference", row->reference,
                         changed(change->reference, row->reference));
    identity_changes_add(changes, "name", row->name, changed(change->name, row->name));
    if (!identity_changes_any(changes))
        return true;
    row->reference = changed(change->reference, row->reference);
    row->name = changed(change->name, row->name);
    audit.id = audit.entity_id = row->id;
    return identity_db_ok(call, identity_entity_update(call->db, row)) &&
           identity_audit(call, &audit);
}

bool identity_entity_set(apr_pool_t *pool, const identity_env_t *env, const char *named,
                         const char *reference, const char *name, identity_entity_row_t **row,
                         identity_problem_t *problem)
{
    entity_change_t change = {.named = named, .reference = reference, .name = name};
    bool done = identity_run_local(pool, env, "", true, write_entity_change, &change, problem);

    *row = change.row;
    return done;
}

/* Its audit trail stays until its retention ends; the server's own trail records the deletion. */
static bool write_entity_deletion(identity_call_t *call, void *data)
{
    entity_change_t *change = data;
    identity_audit_t audit = {
        .action = "DELETE", .type = "ENTITY", .entity_id = "", .message = "An entity was deleted."};
    apr_array_header_t *left;

    if (!load_entity(call, change) ||
        !identity_db_ok(call, identity_entity_left(call->db, change->row->id, &left)))
        return false;
    const char *list = listed(call->pool, left, NULL);
    if (*list)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL, "The entity %s still has %s.",
                             change->row->reference, list);
    audit.id = change->row->id;
    audit.target_name = change->row->name;
    return identity_audit(call, &audit) &&
           identity_db_ok(call, identity_entity_delete(call->db, change->row->id));
}

bool identity_entity_remove(apr_pool_t *pool, const identity_env_t *env, const char *named,
                            identity_problem_t *problem)
{
    entity_change_t change = {.named = named};
    return identity_run_local(pool, env, "", true, write_entity_deletion, &change, problem);
}

/* ---- accounts --------------------------------------------------------------------------------------------------- */

typedef struct account_change {
    const char *named;
    const identity_account_change_t *request;
    bool memberships; /* may be deleted with it */
    identity_account_row_t *row;
} account_change_t;

static bool load_account(identity_call_t *call, const char *named, const char *field,
                         identity_account_row_t **row)
{
    bool found;

    if (!identity_db_found(
            call, identity_account_find(call->db, call->principal->entity_id, named, row), &found))
        return false;
    return found ||
           identity_deny(call, field ? IDENTITY_PROBLEM_INVALID_FIELD : IDENTITY_PROBLEM_NOT_FOUND,
                         field, "There is no account %s.", named);
}

/* "": none. No account may be its own ancestor. */
static bool find_parent(identity_call_t *call, const account_change_t *change,
                        const char **parent_id)
{
    identity_account_row_t *above = NULL;
    const char *next = change->request->parent;

    *parent_id = change->row->parent_id;
    if (!next)
        return true;
    *parent_id = NULL;
    while (next && *next) {
        if (!load_account(call, next, "parent", &above))
            return false;
        if (strcmp(above->id, change->row->id) == 0)
            return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "parent",
                                 "An account cannot be below itself.");
        if (!*parent_id)
            *parent_id = above->id;
        next = above->parent_id;
    }
    return true;
}

static bool account_valid(identity_call_t *call, const account_change_t *change)
{
    const identity_account_change_t *request = change->request;
    identity_account_row_t *other;
    bool found = false;

    if ((request->environment && !identity_local_environment(call, request->environment)) ||
        (request->account_type_code && !identity_local_type(call, request->account_type_code)))
        return false;
    if (!request->reference)
        return true;
    if (!identity_local_reference(call, request->reference) ||
        !identity_db_found(
            call,
            identity_account_find(call->db, call->principal->entity_id, request->reference, &other),
            &found))
        return false;
    return !found || strcmp(other->id, change->row->id) == 0 ||
           identity_deny(call, IDENTITY_PROBLEM_EXISTS, "reference",
                         "An account with this reference already exists.");
}

static bool write_account_change(identity_call_t *call, void *data)
{
    account_change_t *change = data;
    const identity_account_change_t *request = change->request;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "UPDATE", .type = "ACCOUNT", .changes = changes};
    const char *parent_id;

    if (!load_account(call, change->named, NULL, &change->row) || !account_valid(call, change) ||
        !find_parent(call, change, &parent_id))
        return false;
    identity_account_row_t *row = change->row, before = *row;
    row->reference = changed(request->reference, row->reference);
    row->environment = changed(request->environment, row->environment);
    row->account_type_code = changed(request->account_type_code, row->account_type_code);
    row->parent_id = parent_id;
    identity_changes_add(changes, "reference", before.reference, row->reference);
    identity_changes_add(changes, "environment", before.environment, row->environment);
    identity_changes_add(changes, "account_type_code", before.account_type_code,
                         row->account_type_code);
    identity_changes_add(changes, "parent_id", before.parent_id, row->parent_id);
    if (!identity_changes_any(changes))
        return true;
    audit.id = row->id;
    audit.account = row;
    return identity_db_ok(call, identity_account_update(call->db, row)) &&
           identity_audit(call, &audit);
}

bool identity_account_set(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *named, const identity_account_change_t *request,
                          identity_account_row_t **row, identity_problem_t *problem)
{
    account_change_t change = {.named = named, .request = request};
    bool done =
        identity_run_local(pool, env, entity_id, true, write_account_change, &change, problem);

    *row = change.row;
    return done;
}

static bool write_account_deletion(identity_call_t *call, void *data)
{
    account_change_t *change = data;
    identity_audit_t audit = {
        .action = "DELETE", .type = "ACCOUNT", .message = "An account was deleted."};
    apr_array_header_t *left;

    if (!load_account(call, change->named, NULL, &change->row) ||
        !identity_db_ok(call, identity_account_left(call->db, call->principal->entity_id,
                                                    change->row->id, call->now, &left)))
        return false;
    const char *all = listed(call->pool, left, NULL),
               *others = listed(call->pool, left, "membership");
    if (*others || (*all && !change->memberships))
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL, "The account %s still has %s%s.",
                             change->row->reference, change->memberships ? others : all,
                             *others ? "" : "; --memberships ends them as well");
    audit.id = change->row->id;
    audit.account = change->row;
    audit.target_name = change->row->reference;
    return identity_audit(call, &audit) &&
           identity_db_ok(call, identity_account_delete(call->db, call->principal->entity_id,
                                                        change->row->id));
}

bool identity_account_remove(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                             const char *named, bool memberships, identity_problem_t *problem)
{
    account_change_t change = {.named = named, .memberships = memberships};
    return identity_run_local(pool, env, entity_id, true, write_account_deletion, &change, problem);
}

/* ---- aliases, providers ----------------------------------------------------------------------------------------- */

static bool write_alias_end(identity_call_t *call, void *data)
{
    const char *id = *(const char *const *)data;
    identity_audit_t audit = {.action = "REVOKE",
                              .type = "TOKEN_ALIAS",
                              .id = id,
                              .message = "A token alias was revoked."};
    identity_alias_row_t *row;
    bool found;

    if (!identity_db_found(
            call, identity_alias_find(call->db, call->principal->entity_id, id, &row), &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, "There is no token alias %s.",
                             id);
    if (row->expires_at <= call->now)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                             "The token alias %s has ended already.", id);
    return identity_db_ok(
               call, identity_alias_end(call->db, call->principal->entity_id, id, call->now)) &&
           identity_audit(call, &audit);
}

bool identity_alias_revoke(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                           const char *id, identity_problem_t *problem)
{
    return identity_run_local(pool, env, entity_id, true, write_alias_end, &id, problem);
}

/* Links to identities at the provider remain: if a provider for the same issuer is added again, they are valid. */
static bool write_provider_deletion(identity_call_t *call, void *data)
{
    const char *id = *(const char *const *)data, *entity_id = call->principal->entity_id;
    identity_audit_t audit = {.action = "DELETE",
                              .type = "AUTHENTICATION_PROVIDER",
                              .id = id,
                              .message = "An authentication provider was deleted."};
    identity_provider_row_t *row;
    bool found, before, left;

    if (!identity_db_found(call, identity_provider_get(call->db, entity_id, id, &row), &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL,
                             "There is no authentication provider %s.", id);
    audit.target_name = row->name;
    if (!identity_ways_left(call, entity_id, &before) ||
        !identity_db_ok(call, identity_provider_delete(call->db, entity_id, id)) ||
        !identity_ways_left(call, entity_id, &left))
        return false;
    if (before && !left)
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, NULL,
            "Nobody could sign in any more: passwords are switched off, and there is no other "
            "provider.");
    return identity_audit(call, &audit);
}

bool identity_provider_remove(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                              const char *id, identity_problem_t *problem)
{
    return identity_run_local(pool, env, entity_id, true, write_provider_deletion, &id, problem);
}

/* ---- failures that count ---------------------------------------------------------------------------------------- */

typedef struct unlocking {
    const char *user_id, *client; /* client: its rate limit key, or NULL */
} unlocking_t;

/* Counters are in the memory of each server, which reads this within a second (change_feed.c). */
static bool write_unlocking(identity_call_t *call, void *data)
{
    const unlocking_t *unlocking = data;
    identity_audit_t audit = {.action = "UNLOCK",
                              .type = "USER",
                              .id = unlocking->user_id,
                              .message = "The failed sign-ins counted for a user were reset."};
    identity_user_row_t *user;
    bool found;

    if (!identity_db_found(
            call,
            identity_user_get(call->db, call->principal->entity_id, unlocking->user_id, &user),
            &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_USER_NOT_FOUND, NULL, "There is no user %s.",
                             unlocking->user_id);
    return identity_db_ok(call, identity_change_tell(call->db, IDENTITY_CHANGE_UNLOCK, user->id)) &&
           (!unlocking->client ||
            identity_db_ok(call, identity_change_tell(call->db, IDENTITY_CHANGE_UNLOCK_CLIENT,
                                                      unlocking->client))) &&
           identity_audit(call, &audit);
}

bool identity_user_unlock(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *user_id, const char *address, identity_problem_t *problem)
{
    unlocking_t unlocking = {.user_id = user_id};

    if (address && !(unlocking.client = identity_client_counted(pool, address)))
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "address",
                               "%s is not an IP address.", address);
    return identity_run_local(pool, env, entity_id, true, write_unlocking, &unlocking, problem);
}

/* ---- signing keys ----------------------------------------------------------------------------------------------- */

static bool write_rotation(identity_call_t *call, void *data)
{
    const bool *now = data;
    const identity_audit_t audit = {
        .action = "ROTATE",
        .type = "SIGNING_KEY",
        .entity_id = "",
        .message = *now ? "A new signing key was created, and the earlier ones were dropped."
                        : "A new signing key was created."};
    return identity_audit(call, &audit);
}

bool identity_rotation_note(apr_pool_t *pool, const identity_env_t *env, bool now,
                            identity_problem_t *problem)
{
    return identity_run_local(pool, env, "", true, write_rotation, &now, problem);
}
