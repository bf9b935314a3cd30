/* SPDX-License-Identifier: Apache-2.0 */
/* The assignments of users, teams or invitations, loaded for all of them at once, and their JSON. */
#include <string.h>

#include "access/access.h"

static void push_ids(apr_array_header_t *list, const char *id)
{
    APR_ARRAY_PUSH(list, const char *) = id;
}

/* owner id -> array of rows; owner_of returns a row's owner. */
static apr_hash_t *grouped(apr_pool_t *pool, const apr_array_header_t *rows,
                           const char *(*owner_of)(const void *))
{
    apr_hash_t *groups = apr_hash_make(pool);

    for (int i = 0; i < rows->nelts; i++) {
        const void *row = APR_ARRAY_IDX(rows, i, const void *);
        apr_array_header_t *group = apr_hash_get(groups, owner_of(row), APR_HASH_KEY_STRING);
        if (!group) {
            group = apr_array_make(pool, 2, sizeof(const void *));
            apr_hash_set(groups, owner_of(row), APR_HASH_KEY_STRING, group);
        }
        APR_ARRAY_PUSH(group, const void *) = row;
    }
    return groups;
}

static const char *membership_owner(const void *row)
{
    return ((const identity_membership_row_t *)row)->owner_id;
}

static const char *team_owner(const void *row)
{
    return ((const identity_team_member_row_t *)row)->owner_id;
}

static apr_array_header_t *team_ids(apr_pool_t *pool, const apr_array_header_t *members)
{
    apr_array_header_t *ids = apr_array_make(pool, 4, sizeof(const char *));
    apr_hash_t *seen = apr_hash_make(pool);

    for (int i = 0; i < members->nelts; i++) {
        const char *team = APR_ARRAY_IDX(members, i, identity_team_member_row_t *)->team_id;
        if (apr_hash_get(seen, team, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, team, APR_HASH_KEY_STRING, team);
        push_ids(ids, team);
    }
    return ids;
}

static bool load_roles(identity_call_t *call, const apr_array_header_t *memberships,
                       const apr_array_header_t *of_teams, identity_assignments_t *made)
{
    apr_array_header_t *ids =
        apr_array_make(call->pool, memberships->nelts + 1, sizeof(const char *));
    apr_array_header_t *role_ids = apr_array_make(call->pool, 8, sizeof(const char *)),
                       *rows = NULL;
    apr_hash_t *seen = apr_hash_make(call->pool);

    for (int i = 0; i < memberships->nelts; i++)
        push_ids(ids, APR_ARRAY_IDX(memberships, i, identity_membership_row_t *)->id);
    for (int i = 0; i < of_teams->nelts; i++)
        push_ids(ids, APR_ARRAY_IDX(of_teams, i, identity_membership_row_t *)->id);
    made->membership_roles = apr_hash_make(call->pool);
    if (ids->nelts && !identity_db_ok(call, identity_membership_roles(call->db, ids, &rows)))
        return false;
    for (int i = 0; rows && i < rows->nelts; i++) {
        identity_membership_role_row_t *row =
            APR_ARRAY_IDX(rows, i, identity_membership_role_row_t *);
        apr_array_header_t *roles = identity_assigned_role_ids(made, row->membership_id);
        if (!roles) {
            roles = apr_array_make(call->pool, 2, sizeof(const char *));
            apr_hash_set(made->membership_roles, row->membership_id, APR_HASH_KEY_STRING, roles);
        }
        push_ids(roles, row->role_id);
        if (!apr_hash_get(seen, row->role_id, APR_HASH_KEY_STRING)) {
            apr_hash_set(seen, row->role_id, APR_HASH_KEY_STRING, row);
            push_ids(role_ids, row->role_id);
        }
    }
    return identity_roles_load(call, role_ids, &made->roles);
}

bool identity_assignments_load(identity_call_t *call, identity_owner_t owner,
                               const apr_array_header_t *owner_ids,
                               identity_assignments_t **assignments)
{
    identity_assignments_t *made = apr_pcalloc(call->pool, sizeof *made);
    apr_array_header_t *none = apr_array_make(call->pool, 1, sizeof(void *));
    apr_array_header_t *memberships = none, *members = none, *of_teams = none;

    if (owner_ids->nelts &&
        (!identity_db_ok(call, identity_memberships_of(call->db, owner, owner_ids, &memberships)) ||
         (owner != IDENTITY_OWNER_TEAM &&
          !identity_db_ok(call, identity_team_members_of(call->db, owner, owner_ids, &members)))))
        return false;
    if (members->nelts &&
        !identity_db_ok(call, identity_memberships_of(call->db, IDENTITY_OWNER_TEAM,
                                                      team_ids(call->pool, members), &of_teams)))
        return false;
    made->memberships = grouped(call->pool, memberships, membership_owner);
    made->teams = grouped(call->pool, members, team_owner);
    made->team_memberships = grouped(call->pool, of_teams, membership_owner);
    *assignments = made;
    return load_roles(call, memberships, of_teams, made);
}

bool identity_assignments_of(identity_call_t *call, identity_owner_t owner, const char *owner_id,
                             identity_assignments_t **assignments)
{
    return identity_assignments_load(call, owner, identity_list_of(call->pool, owner_id),
                                     assignments);
}

bool identity_user_assignments(identity_call_t *call, const identity_user_row_t *user,
                               identity_assignments_t **assignments)
{
    return identity_assignments_of(call, IDENTITY_OWNER_USER, user->id, assignments);
}

json_t *identity_account_json(const identity_account_row_t *account)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_string(account->id));
    json_object_set_new(object, "reference", json_string(account->reference));
    json_object_set_new(object, "account_type_code",
                        identity_json_text_or_null(account->account_type_code));
    json_object_set_new(object, "environment", json_string(account->environment));
    if (account->account_group_id)
        json_object_set_new(object, "account_group_id", json_string(account->account_group_id));
    json_object_set_new(object, "parent_id", identity_json_text_or_null(account->parent_id));
    json_object_set_new(object, "platform_id", json_string(account->id));
    return object;
}

json_t *identity_membership_json(identity_call_t *call, const char *id,
                                 const identity_account_row_t *account, identity_member_type_t type,
                                 const apr_array_header_t *role_ids, identity_roles_t *roles)
{
    json_t *object = json_object(), *ids = json_array(), *list = json_array();

    for (int i = 0; role_ids && i < role_ids->nelts; i++) {
        const char *role = APR_ARRAY_IDX(role_ids, i, const char *);
        json_array_append_new(ids, json_string(role));
        json_array_append_new(list, identity_embedded_role_json(call, roles, role));
    }
    json_object_set_new(object, "object_type", json_string("MEMBERSHIP"));
    json_object_set_new(object, "id", identity_json_text_or_null(id));
    json_object_set_new(object, "account_id", json_string(account->id));
    json_object_set_new(object, "account", identity_account_json(account));
    json_object_set_new(object, "type", json_string(identity_member_type_name(type)));
    json_object_set_new(object, "role_ids", ids);
    json_object_set_new(object, "account_reference", json_string(account->reference));
    json_object_set_new(object, "environment", json_string(account->environment));
    json_object_set_new(object, "roles", list);
    return object;
}

static json_t *memberships_json(identity_call_t *call, identity_assignments_t *assignments,
                                const apr_array_header_t *rows)
{
    json_t *list = json_array();

    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_membership_row_t *row = APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
        const apr_array_header_t *roles = identity_assigned_role_ids(assignments, row->id);
        json_array_append_new(list, identity_membership_json(call, row->id, &row->account,
                                                             row->type, roles, assignments->roles));
    }
    return list;
}

json_t *identity_memberships_json(identity_call_t *call, identity_assignments_t *assignments,
                                  const char *owner_id)
{
    return memberships_json(call, assignments,
                            identity_assigned_memberships(assignments, owner_id));
}

json_t *identity_teams_json(identity_call_t *call, identity_assignments_t *assignments,
                            const char *owner_id)
{
    const apr_array_header_t *rows = identity_assigned_teams(assignments, owner_id);
    json_t *list = json_array();

    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_team_member_row_t *row =
            APR_ARRAY_IDX(rows, i, identity_team_member_row_t *);
        json_t *object = json_object();
        json_object_set_new(object, "team_id", json_string(row->team_id));
        json_object_set_new(object, "start_at", identity_time_json(row->start_at));
        json_object_set_new(object, "end_at", identity_time_json(row->end_at));
        json_object_set_new(
            object, "account_memberships",
            memberships_json(call, assignments,
                             identity_assigned_team_memberships(assignments, row->team_id)));
        json_array_append_new(list, object);
    }
    return list;
}

json_t *identity_user_json(identity_call_t *call, const identity_user_row_t *user,
                           identity_assignments_t *assignments)
{
    json_t *object = json_object();

    json_object_set_new(object, "object_type", json_string("USER"));
    json_object_set_new(object, "id", json_string(user->id));
    json_object_set_new(object, "entity_id", json_string(user->entity_id));
    json_object_set_new(object, "created_at", identity_time_json(user->created_at));
    json_object_set_new(object, "status", json_string(identity_user_status_name(user->status)));
    json_object_set_new(object, "username", json_string(user->username));
    json_object_set_new(object, "password", json_null());
    json_object_set_new(object, "invite_expired",
                        user->invite_expires_at ? json_boolean(user->invite_expires_at <= call->now)
                                                : json_null());
    json_object_set_new(object, "active", json_boolean(user->status == IDENTITY_USER_ACTIVE));
    json_object_set_new(object, "account_memberships",
                        identity_memberships_json(call, assignments, user->id));
    json_object_set_new(object, "team_memberships",
                        identity_teams_json(call, assignments, user->id));
    if (user->login)
        json_object_set_new(object, "login", json_string(user->login));
    if (identity_change_pending(call, user))
        json_object_set_new(object, "pending_username", json_string(user->pending_username));
    if (user->deleted_at)
        json_object_set_new(object, "deleted_at", identity_time_json(user->deleted_at));
    return object;
}

/* ---- looking into them ------------------------------------------------------------------------------------------ */

apr_array_header_t *identity_assigned_memberships(const identity_assignments_t *assignments,
                                                  const char *owner_id)
{
    return apr_hash_get(assignments->memberships, owner_id, APR_HASH_KEY_STRING);
}

apr_array_header_t *identity_assigned_teams(const identity_assignments_t *assignments,
                                            const char *owner_id)
{
    return apr_hash_get(assignments->teams, owner_id, APR_HASH_KEY_STRING);
}

apr_array_header_t *identity_assigned_team_memberships(const identity_assignments_t *assignments,
                                                       const char *team_id)
{
    return apr_hash_get(assignments->team_memberships, team_id, APR_HASH_KEY_STRING);
}

apr_array_header_t *identity_assigned_role_ids(const identity_assignments_t *assignments,
                                               const char *membership_id)
{
    return apr_hash_get(assignments->membership_roles, membership_id, APR_HASH_KEY_STRING);
}

identity_membership_row_t *identity_membership_in(const apr_array_header_t *memberships,
                                                  const char *account_id)
{
    for (int i = 0; memberships && i < memberships->nelts; i++) {
        identity_membership_row_t *row = APR_ARRAY_IDX(memberships, i, identity_membership_row_t *);
        if (strcmp(row->account.id, account_id) == 0)
            return row;
    }
    return NULL;
}
