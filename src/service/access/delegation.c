/* SPDX-License-Identifier: Apache-2.0 */
/* Delegation: the privilege ceiling of everybody who gives, takes or acts on somebody (security 25, 62).
 *
 *     granting, revoking   the caller holds the permission and everything that the role, team or membership grants, in
 *                          the account concerned
 *     acting on a user     (name, password, status, sessions, the end of a membership) the same of all that the user
 *                          holds, teams included
 *
 * All of nothing is no leave: a role without permissions, a team without memberships and a user without either are for
 * those who hold every permission in every account. To have such a role or team oneself is enough for acting on others
 * who have it (nobody gets anything new by that), but neither for granting nor for revoking it. */
#include <string.h>

#include "access/access.h"

#define INVITE_PERMISSION "USER.MORTAL.CREATE"
#define GRANTS_NOTHING                                                                             \
    "Only callers who hold every permission in every account of the entity can grant or remove "   \
    "what grants nothing."

/* An action, and what has been found so far about the rights it requires. */
typedef struct act {
    const identity_principal_t *principal;
    const char *permission; /* required in each account concerned */
    bool peers; /* roles or teams that grant nothing are no obstacle if the caller has them too */
    const apr_array_header_t *stays; /* roles that are neither granted nor revoked, or NULL */
    bool exceeds;                    /* something exceeds the caller's rights */
    bool everything;                 /* ... something grants nothing */
} act_t;

static bool contains(const apr_array_header_t *ids, const char *id)
{
    for (int i = 0; ids && i < ids->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(ids, i, const char *), id) == 0)
            return true;
    return false;
}

/* ---- roles ------------------------------------------------------------------------------------------------------ */

static bool grants_nothing(const identity_roles_t *roles, const char *id, int levels)
{
    const identity_permset_t *own = apr_hash_get(roles->permissions, id, APR_HASH_KEY_STRING);
    const apr_array_header_t *children = apr_hash_get(roles->children, id, APR_HASH_KEY_STRING);
    bool nothing = !own || identity_permset_empty(own);

    for (int i = 0; nothing && levels > 0 && children && i < children->nelts; i++)
        nothing = grants_nothing(roles, APR_ARRAY_IDX(children, i, const char *), levels - 1);
    return nothing;
}

bool identity_role_grants_nothing(const identity_roles_t *roles, const char *id)
{
    return grants_nothing(roles, id, IDENTITY_ROLE_DEPTH);
}

static bool has_role(const identity_principal_t *principal, const char *account_id, const char *id)
{
    for (int i = 0; principal->grants && i < principal->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(principal->grants, i, identity_grant_t);
        if (strcmp(grant->account_id, account_id) != 0)
            continue;
        for (int r = 0; grant->roles && r < grant->roles->nelts; r++)
            if (strcmp(APR_ARRAY_IDX(grant->roles, r, identity_assigned_role_t).id, id) == 0)
                return true;
    }
    return false;
}

/* For the role and its child roles: anyone with the role has those, too. */
static bool needs_everything(const act_t *act, const char *account_id,
                             const identity_roles_t *roles, const char *id, int levels)
{
    const apr_array_header_t *children = apr_hash_get(roles->children, id, APR_HASH_KEY_STRING);
    bool needs = grants_nothing(roles, id, levels) &&
                 !(act->peers && has_role(act->principal, account_id, id));

    for (int i = 0; !needs && levels > 0 && children && i < children->nelts; i++)
        needs = needs_everything(act, account_id, roles, APR_ARRAY_IDX(children, i, const char *),
                                 levels - 1);
    return needs;
}

bool identity_role_holds_nothing_within(const identity_roles_t *roles, const char *id)
{
    const act_t nobody = {.principal = NULL};
    return needs_everything(&nobody, "", roles, id, IDENTITY_ROLE_DEPTH);
}

/* ---- memberships and teams -------------------------------------------------------------------------------------- */

/* A PARTNER, who sees nobody else, cannot give rights to anybody. */
static void weigh_membership(identity_call_t *call, act_t *act,
                             const identity_membership_row_t *row,
                             const apr_array_header_t *role_ids, const identity_roles_t *roles)
{
    identity_permset_t want = {.all = row->type == IDENTITY_MEMBER_ADMIN};

    identity_permset_add(call->pool, &want, act->permission);
    for (int i = 0; role_ids && i < role_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(role_ids, i, const char *);
        identity_roles_add_permissions(call, roles, id, &want);
        act->everything = act->everything ||
                          (!contains(act->stays, id) &&
                           needs_everything(act, row->account.id, roles, id, IDENTITY_ROLE_DEPTH));
    }
    act->exceeds = act->exceeds ||
                   !identity_principal_covers(act->principal, row->account.id, &want) ||
                   (identity_principal_is_partner(act->principal, row->account.id) &&
                    row->type != IDENTITY_MEMBER_PARTNER);
}

/* rows: memberships; until: only those assigned by then, 0: all. */
static void weigh_memberships(identity_call_t *call, act_t *act, const apr_array_header_t *rows,
                              const identity_assignments_t *assignments, apr_time_t until)
{
    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_membership_row_t *row = APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
        if (!until || row->created_at <= until)
            weigh_membership(call, act, row, identity_assigned_role_ids(assignments, row->id),
                             assignments->roles);
    }
}

static bool in_team(const identity_principal_t *principal, const char *id)
{
    for (int i = 0; principal->teams && i < principal->teams->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(principal->teams, i, identity_assigned_team_t).id, id) == 0)
            return true;
    return false;
}

/* rows: what the team grants. */
static void weigh_team(identity_call_t *call, act_t *act, const char *id,
                       const apr_array_header_t *rows, const identity_assignments_t *assignments)
{
    weigh_memberships(call, act, rows, assignments, 0);
    if ((!rows || rows->nelts == 0) && !(act->peers && in_team(act->principal, id)))
        act->everything = true;
}

/* All of an owner's memberships and teams: a team membership that has ended is ignored, one that begins later
 * counts. Returns their number. */
static int weigh_owner(identity_call_t *call, act_t *act, const identity_assignments_t *assignments,
                       const char *owner_id, apr_time_t until)
{
    const apr_array_header_t *rows = identity_assigned_memberships(assignments, owner_id),
                             *teams = identity_assigned_teams(assignments, owner_id);
    int weighed = rows ? rows->nelts : 0;

    weigh_memberships(call, act, rows, assignments, until);
    for (int i = 0; teams && i < teams->nelts; i++) {
        const identity_team_member_row_t *team =
            APR_ARRAY_IDX(teams, i, identity_team_member_row_t *);
        if ((team->end_at && team->end_at <= call->now) || (until && team->created_at > until))
            continue;
        rows = identity_assigned_team_memberships(assignments, team->team_id);
        weigh_team(call, act, team->team_id, rows, assignments);
        weighed += rows ? rows->nelts : 0;
    }
    return weighed;
}

/* Reads only if something grants nothing. */
static bool conclude(identity_call_t *call, const act_t *act, bool *may)
{
    *may = !act->exceeds;
    return act->exceeds || !act->everything ||
           identity_principal_holds_everything(call, act->principal, may);
}

static bool refuse(identity_call_t *call, const act_t *act, const char *field, const char *sentence)
{
    return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, field, "%s",
                         act->exceeds ? sentence : GRANTS_NOTHING);
}

/* ---- granting --------------------------------------------------------------------------------------------------- */

static bool may_grant(identity_call_t *call, const act_t *act, const char *field)
{
    bool may;

    if (!conclude(call, act, &may))
        return false;
    return may || refuse(call, act, field,
                         "The caller can grant only what it holds itself in that account.");
}

static bool may_grant_accounts(identity_call_t *call, const identity_membership_request_t *request)
{
    apr_array_header_t *all = apr_array_make(call->pool, 8, sizeof(const char *));
    identity_roles_t *roles;

    for (int i = 0; i < request->role_ids->nelts; i++)
        apr_array_cat(all, APR_ARRAY_IDX(request->role_ids, i, apr_array_header_t *));
    if (!identity_roles_load(call, all, &roles))
        return false;
    for (int i = 0; i < request->memberships->nelts; i++) {
        act_t act = {.principal = call->principal,
                     .permission = call->route->permission,
                     .stays = request->present_role_ids};
        weigh_membership(call, &act,
                         APR_ARRAY_IDX(request->memberships, i, identity_membership_row_t *),
                         APR_ARRAY_IDX(request->role_ids, i, apr_array_header_t *), roles);
        if (!may_grant(call, &act,
                       apr_psprintf(call->pool, "account_memberships.%d",
                                    APR_ARRAY_IDX(request->positions, i, int))))
            return false;
    }
    return true;
}

static bool may_grant_teams(identity_call_t *call, const identity_membership_request_t *request)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 4, sizeof(const char *));
    identity_assignments_t *assignments;

    for (int i = 0; i < request->teams->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) =
            APR_ARRAY_IDX(request->teams, i, identity_team_member_row_t *)->team_id;
    if (ids->nelts == 0)
        return true;
    if (!identity_assignments_load(call, IDENTITY_OWNER_TEAM, ids, &assignments))
        return false;
    for (int i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        act_t act = {.principal = call->principal, .permission = call->route->permission};
        weigh_team(call, &act, id, identity_assigned_memberships(assignments, id), assignments);
        if (!may_grant(call, &act,
                       apr_psprintf(call->pool, "team_memberships.%d.team_id",
                                    APR_ARRAY_IDX(request->team_positions, i, int))))
            return false;
    }
    return true;
}

bool identity_may_grant(identity_call_t *call, const identity_membership_request_t *request)
{
    return may_grant_accounts(call, request) && may_grant_teams(call, request);
}

bool identity_may_grant_to_team(identity_call_t *call, const identity_assignments_t *assignments,
                                const char *team_id)
{
    const apr_array_header_t *rows = identity_assigned_memberships(assignments, team_id);
    const act_t act = {.principal = call->principal, .everything = true};
    apr_int64_t members = 0;

    if (rows && rows->nelts)
        return true;
    if (!identity_db_ok(call,
                        identity_team_members_count(call->db, team_id, call->now, 1, &members)))
        return false;
    return members == 0 || may_grant(call, &act, NULL);
}

/* ---- revoking --------------------------------------------------------------------------------------------------- */

bool identity_may_revoke(identity_call_t *call, const identity_assignments_t *assignments,
                         const char *owner_id, const char *field)
{
    act_t act = {.principal = call->principal, .permission = call->route->permission};
    bool may;

    weigh_owner(call, &act, assignments, owner_id, 0);
    if (!conclude(call, &act, &may))
        return false;
    return may ||
           refuse(call, &act, field, "This invitation grants more than the caller may revoke.");
}

bool identity_may_change_membership(identity_call_t *call, const identity_membership_row_t *row,
                                    const apr_array_header_t *role_ids,
                                    const identity_roles_t *roles, const apr_array_header_t *stay)
{
    act_t act = {
        .principal = call->principal, .permission = call->route->permission, .stays = stay};
    bool may;

    weigh_membership(call, &act, row, role_ids, roles);
    if (!conclude(call, &act, &may))
        return false;
    return may || refuse(call, &act, NULL,
                         "This membership grants more than the caller holds in that account.");
}

static bool may_move(identity_call_t *call, const act_t *act)
{
    bool may;

    if (!conclude(call, act, &may))
        return false;
    return may || refuse(call, act, NULL, "This team grants more than the caller holds.");
}

bool identity_may_move_in_team(identity_call_t *call, const identity_assignments_t *assignments,
                               const char *team_id)
{
    act_t act = {.principal = call->principal, .permission = call->route->permission};

    weigh_team(call, &act, team_id, identity_assigned_team_memberships(assignments, team_id),
               assignments);
    return may_move(call, &act);
}

bool identity_may_change_team(identity_call_t *call, const identity_assignments_t *assignments,
                              const char *team_id)
{
    act_t act = {.principal = call->principal, .permission = call->route->permission};
    apr_int64_t members = 0;

    if (!identity_db_ok(call,
                        identity_team_members_count(call->db, team_id, call->now, 1, &members)))
        return false;
    weigh_team(call, &act, team_id, identity_assigned_memberships(assignments, team_id),
               assignments);
    /* A team that grants nothing and has no members needs no special right. */
    act.everything = act.everything && members > 0;
    return may_move(call, &act);
}

/* ---- acting on somebody ----------------------------------------------------------------------------------------- */

bool identity_may_act_on(identity_call_t *call, const identity_assignments_t *assignments,
                         const char *user_id, const char *permission)
{
    act_t act = {.principal = call->principal, .permission = permission, .peers = true};
    bool may;

    if (weigh_owner(call, &act, assignments, user_id, 0) == 0)
        act.everything = true;
    if (!conclude(call, &act, &may))
        return false;
    if (!may && !act.exceeds)
        return identity_deny(
            call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
            "This user holds nothing, or something that grants nothing: the caller needs every "
            "permission in every account of the entity.");
    return may || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                                "This user holds more than the caller does.");
}

/* ---- invitations ------------------------------------------------------------------------------------------------ */

static bool holds_anywhere(const identity_principal_t *principal, const char *permission)
{
    bool holds =
        principal->entity_wide && identity_permset_has(&principal->entity_permissions, permission);

    for (int i = 0; !principal->entity_wide && i < principal->grants->nelts; i++)
        holds = holds ||
                identity_permset_has(
                    &APR_ARRAY_IDX(principal->grants, i, identity_grant_t).permissions, permission);
    return holds;
}

static bool permitted_in_each(const identity_call_t *call, const identity_permset_t *want,
                              const apr_array_header_t *rows)
{
    for (int i = 0; rows && i < rows->nelts; i++)
        if (!identity_principal_covers(
                call->principal, APR_ARRAY_IDX(rows, i, identity_membership_row_t *)->account.id,
                want))
            return false;
    return true;
}

bool identity_may_resend(identity_call_t *call, const identity_assignments_t *given,
                         const char *owner_id)
{
    const apr_array_header_t *teams = identity_assigned_teams(given, owner_id);
    identity_permset_t want = {0};

    identity_permset_add(call->pool, &want, call->route->permission);
    bool may = permitted_in_each(call, &want, identity_assigned_memberships(given, owner_id));
    for (int i = 0; may && teams && i < teams->nelts; i++)
        may = permitted_in_each(
            call, &want,
            identity_assigned_team_memberships(
                given, APR_ARRAY_IDX(teams, i, identity_team_member_row_t *)->team_id));
    return may || identity_deny(
                      call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                      "This user was invited to an account in which the caller may not do this.");
}

/* Checks only what came with the invitation: whatever others added since was checked against their rights. */
bool identity_inviter_covers(identity_call_t *call, const identity_principal_t *principal,
                             const identity_invitation_row_t *invitation,
                             const identity_assignments_t *given, bool *covers)
{
    act_t act = {.principal = principal,
                 .permission = INVITE_PERMISSION,
                 .exceeds = !holds_anywhere(principal, INVITE_PERMISSION)};

    weigh_owner(call, &act, given, invitation->adds ? invitation->id : invitation->user_id,
                invitation->created_at);
    return conclude(call, &act, covers);
}

static bool load_inviter(identity_call_t *call, const identity_invitation_row_t *invitation,
                         identity_principal_t **principal)
{
    const char *id = invitation->invited_by;
    identity_user_row_t *user = NULL;
    identity_key_row_t *key = NULL;
    bool found = false;

    *principal = NULL;
    if (identity_id_valid(id, "user")) {
        if (!identity_db_found(call, identity_user_get(call->db, invitation->entity_id, id, &user),
                               &found))
            return false;
        return !found || user->status != IDENTITY_USER_ACTIVE ||
               identity_principal_of_user(call, user, principal);
    }
    if (!identity_db_found(call, identity_key_get(call->db, id, &key), &found))
        return false;
    return !found || !identity_key_live(call, key) ||
           identity_principal_of_key(call, key, principal);
}

bool identity_inviter_holds(identity_call_t *call, const identity_invitation_row_t *invitation,
                            const identity_assignments_t *given, bool *holds)
{
    identity_principal_t *principal;

    *holds = invitation->invited_by[0] == '\0'; /* the command line */
    if (*holds)
        return true;
    if (!load_inviter(call, invitation, &principal))
        return false;
    return !principal || identity_inviter_covers(call, principal, invitation, given, holds);
}
