/* SPDX-License-Identifier: Apache-2.0 */
/* The last administrator of an account (security 63). */
#include "access/access.h"

static void push_administered(const apr_array_header_t *rows, apr_array_header_t *account_ids)
{
    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_membership_row_t *row = APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
        if (row->type == IDENTITY_MEMBER_ADMIN)
            APR_ARRAY_PUSH(account_ids, const char *) = row->account.id;
    }
}

bool identity_administrators_before(identity_call_t *call,
                                    const identity_assignments_t *assignments, const char *user_id,
                                    identity_administered_t *administered)
{
    const apr_array_header_t *teams = identity_assigned_teams(assignments, user_id);

    administered->account_ids = apr_array_make(call->pool, 4, sizeof(const char *));
    administered->before = apr_array_make(call->pool, 4, sizeof(identity_admins_t));
    push_administered(identity_assigned_memberships(assignments, user_id),
                      administered->account_ids);
    for (int i = 0; teams && i < teams->nelts; i++)
        push_administered(
            identity_assigned_team_memberships(
                assignments, APR_ARRAY_IDX(teams, i, identity_team_member_row_t *)->team_id),
            administered->account_ids);
    for (int i = 0; i < administered->account_ids->nelts; i++)
        if (!identity_db_ok(call,
                            identity_account_admins(
                                call->db, APR_ARRAY_IDX(administered->account_ids, i, const char *),
                                call->now, apr_array_push(administered->before))))
            return false;
    return true;
}

bool identity_administrators_remain(identity_call_t *call,
                                    const identity_administered_t *administered)
{
    for (int i = 0; i < administered->account_ids->nelts; i++) {
        identity_admins_t after;
        if (!identity_db_ok(call,
                            identity_account_admins(
                                call->db, APR_ARRAY_IDX(administered->account_ids, i, const char *),
                                call->now, &after)))
            return false;
        if (after < APR_ARRAY_IDX(administered->before, i, identity_admins_t))
            return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                                 "This would leave an account without an administrator.");
    }
    return true;
}
