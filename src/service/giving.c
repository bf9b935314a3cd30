/* Nobody gives, or takes over, what they do not hold themselves (security 25, 62). */
#include <string.h>

#include "service_int.h"

#define INVITE_PERMISSION "USER.MORTAL.CREATE"

/* In the account concerned: the permission to do it there, and everything that the membership grants. A PARTNER, who
 * sees nobody else, makes nobody more. */
static bool holds_all(identity_call_t *call, const identity_principal_t *who, const char *permission,
                      const identity_membership_row_t *row, const apr_array_header_t *role_ids,
                      const identity_roles_t *roles)
{
    identity_permset_t want = {.all = row->type == IDENTITY_MEMBER_ADMIN};

    identity_permset_add(call->pool, &want, permission);
    for (int i = 0; role_ids && i < role_ids->nelts; i++)
        identity_roles_add_permissions(call, roles, APR_ARRAY_IDX(role_ids, i, const char *), &want);
    if (identity_principal_is_partner(who, row->account.id) && row->type != IDENTITY_MEMBER_PARTNER)
        return false;
    return identity_principal_covers(who, row->account.id, &want);
}

/* ---- what a body gives ------------------------------------------------------------------------------------------ */

bool identity_membership_covered(identity_call_t *call, const identity_membership_row_t *row,
                                 const apr_array_header_t *role_ids, const identity_roles_t *roles)
{
    return holds_all(call, call->who, call->route->permission, row, role_ids, roles);
}

static bool may_give(identity_call_t *call, const identity_membership_row_t *row, const apr_array_header_t *role_ids,
                     const identity_roles_t *roles, const char *field)
{
    if (identity_membership_covered(call, row, role_ids, roles))
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, field,
                         "Nobody can give what they do not hold themselves in that account.");
}

static bool may_give_accounts(identity_call_t *call, const identity_wanted_t *wanted)
{
    apr_array_header_t *all = apr_array_make(call->pool, 8, sizeof(const char *));
    identity_roles_t *roles;

    for (int i = 0; i < wanted->role_ids->nelts; i++)
        apr_array_cat(all, APR_ARRAY_IDX(wanted->role_ids, i, apr_array_header_t *));
    if (!identity_roles_load(call, all, &roles))
        return false;
    for (int i = 0; i < wanted->memberships->nelts; i++)
        if (!may_give(call, APR_ARRAY_IDX(wanted->memberships, i, identity_membership_row_t *),
                      APR_ARRAY_IDX(wanted->role_ids, i, apr_array_header_t *), roles,
                      apr_psprintf(call->pool, "account_memberships.%d", APR_ARRAY_IDX(wanted->positions, i, int))))
            return false;
    return true;
}

static bool may_give_teams(identity_call_t *call, const identity_wanted_t *wanted)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 4, sizeof(const char *));
    identity_holdings_t *holdings;

    for (int i = 0; i < wanted->teams->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(wanted->teams, i, identity_team_member_row_t *)->team_id;
    if (ids->nelts == 0)
        return true;
    if (!identity_holdings_load(call, IDENTITY_OWNER_TEAM, ids, &holdings))
        return false;
    for (int i = 0; i < ids->nelts; i++) {
        const apr_array_header_t *rows =
            apr_hash_get(holdings->memberships, APR_ARRAY_IDX(ids, i, const char *), APR_HASH_KEY_STRING);
        for (int m = 0; rows && m < rows->nelts; m++) {
            const identity_membership_row_t *row = APR_ARRAY_IDX(rows, m, identity_membership_row_t *);
            if (!may_give(call, row, apr_hash_get(holdings->membership_roles, row->id, APR_HASH_KEY_STRING),
                          holdings->roles,
                          apr_psprintf(call->pool, "team_memberships.%d.team_id",
                                       APR_ARRAY_IDX(wanted->team_positions, i, int))))
                return false;
        }
    }
    return true;
}

bool identity_wanted_permitted(identity_call_t *call, const identity_wanted_t *wanted)
{
    return may_give_accounts(call, wanted) && may_give_teams(call, wanted);
}

/* ---- what somebody holds ---------------------------------------------------------------------------------------- */

typedef struct holder {
    const identity_principal_t *who;
    const char *permission;
    const identity_holdings_t *holdings;
    apr_time_t until;
} holder_t;

static bool covers_rows(identity_call_t *call, const holder_t *holder, const apr_array_header_t *rows, bool given_until)
{
    bool covers = true;

    for (int i = 0; covers && rows && i < rows->nelts; i++) {
        const identity_membership_row_t *row = APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
        if (given_until && holder->until && row->created_at > holder->until)
            continue;
        covers = holds_all(call, holder->who, holder->permission, row,
                           apr_hash_get(holder->holdings->membership_roles, row->id, APR_HASH_KEY_STRING),
                           holder->holdings->roles);
    }
    return covers;
}

bool identity_principal_covers_holdings(identity_call_t *call, const identity_principal_t *who, const char *permission,
                                        const identity_holdings_t *holdings, const char *owner_id, apr_time_t until)
{
    const holder_t holder = {who, permission, holdings, until};
    const apr_array_header_t *teams = apr_hash_get(holdings->teams, owner_id, APR_HASH_KEY_STRING);
    bool covers = covers_rows(call, &holder, apr_hash_get(holdings->memberships, owner_id, APR_HASH_KEY_STRING), true);

    for (int i = 0; covers && teams && i < teams->nelts; i++) {
        const identity_team_member_row_t *team = APR_ARRAY_IDX(teams, i, identity_team_member_row_t *);
        if (until && team->created_at > until)
            continue;
        covers = covers_rows(call, &holder,
                             apr_hash_get(holdings->team_memberships, team->team_id, APR_HASH_KEY_STRING), false);
    }
    return covers;
}

static bool may_take_rows(identity_call_t *call, const apr_array_header_t *rows)
{
    identity_permset_t want = {0};

    identity_permset_add(call->pool, &want, call->route->permission);
    for (int i = 0; rows && i < rows->nelts; i++)
        if (!identity_principal_covers(call->who, APR_ARRAY_IDX(rows, i, identity_membership_row_t *)->account.id,
                                       &want))
            return false;
    return true;
}

bool identity_may_take(identity_call_t *call, const identity_holdings_t *holdings, const char *owner_id,
                       const char *field)
{
    const apr_array_header_t *teams = apr_hash_get(holdings->teams, owner_id, APR_HASH_KEY_STRING);
    bool may = may_take_rows(call, apr_hash_get(holdings->memberships, owner_id, APR_HASH_KEY_STRING));

    for (int i = 0; may && teams && i < teams->nelts; i++)
        may = may_take_rows(call, apr_hash_get(holdings->team_memberships,
                                               APR_ARRAY_IDX(teams, i, identity_team_member_row_t *)->team_id,
                                               APR_HASH_KEY_STRING));
    return may || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, field,
                                "This person was invited into an account where the caller may not do this.");
}

bool identity_principal_holds_anywhere(const identity_principal_t *who, const char *permission)
{
    bool holds = who->entity_wide && identity_permset_has(&who->entity_permissions, permission);

    for (int i = 0; !who->entity_wide && i < who->grants->nelts; i++)
        holds = holds || identity_permset_has(&APR_ARRAY_IDX(who->grants, i, identity_grant_t).permissions, permission);
    return holds;
}

/* ---- who answers for an invitation ------------------------------------------------------------------------------ */

/* Only what came with the invitation: what others gave since has been judged by their own rights. */
bool identity_inviter_covers(identity_call_t *call, const identity_principal_t *who,
                             const identity_invitation_row_t *invitation, const identity_holdings_t *given)
{
    return identity_principal_holds_anywhere(who, INVITE_PERMISSION) &&
           identity_principal_covers_holdings(call, who, INVITE_PERMISSION, given,
                                              invitation->adds ? invitation->id : invitation->user_id,
                                              invitation->created_at);
}

static bool load_inviter(identity_call_t *call, const identity_invitation_row_t *invitation, identity_principal_t **who)
{
    const char *id = invitation->invited_by;
    identity_user_row_t *user = NULL;
    identity_key_row_t *key = NULL;
    bool found = false;

    *who = NULL;
    if (identity_id_valid(id, "user")) {
        if (!identity_db_found(call, identity_user_get(call->db, invitation->entity_id, id, &user), &found))
            return false;
        return !found || user->status != IDENTITY_USER_ACTIVE || identity_principal_of_user(call, user, who);
    }
    if (!identity_db_found(call, identity_key_get(call->db, id, &key), &found))
        return false;
    bool live = found && key->active && (!key->expires_at || key->expires_at > call->now);
    return !live || identity_principal_of_key(call, key, who);
}

bool identity_inviter_holds(identity_call_t *call, const identity_invitation_row_t *invitation,
                            const identity_holdings_t *given, bool *holds)
{
    identity_principal_t *who;

    *holds = invitation->invited_by[0] == '\0'; /* the command line */
    if (*holds)
        return true;
    if (!load_inviter(call, invitation, &who))
        return false;
    *holds = who && identity_inviter_covers(call, who, invitation, given);
    return true;
}
