/* SPDX-License-Identifier: Apache-2.0 */
/* The principal of a guest of the demo account: a session without a user, with read permissions (*.VIEW) in the
 * configured account. */
#include <string.h>

#include "access/access.h"

bool identity_demo_account(identity_call_t *call, identity_account_row_t **account)
{
    const char *name = call->env->settings->demo_account;
    identity_db_status_t status =
        name ? identity_account_named(call->db, name, account) : IDENTITY_DB_NONE;

    if (status == IDENTITY_DB_OK)
        return true;
    *account = NULL;
    return status == IDENTITY_DB_NONE || status == IDENTITY_DB_CONFLICT ||
           identity_db_ok(call, status);
}

bool identity_principal_of_guest(identity_call_t *call, const char *session_id,
                                 identity_session_row_t **live, identity_principal_t **principal)
{
    identity_session_row_t *session;
    identity_account_row_t *account;
    bool found;

    *live = NULL;
    *principal = NULL;
    if (!identity_db_found(call, identity_session_of_guest(call->db, session_id, &session), &found))
        return false;
    if (!found || session->ended_at || session->expires_at <= call->now)
        return true;
    if (!identity_demo_account(call, &account))
        return false;
    if (!account || strcmp(account->entity_id, session->entity_id) != 0)
        return true;
    *live = session;
    identity_principal_t *made = *principal = apr_pcalloc(call->pool, sizeof *made);
    made->kind = IDENTITY_CALLER_USER;
    made->guest = true;
    made->id = made->session_id = session->id;
    made->name = "demo";
    made->method = "bearer";
    made->entity_id = session->entity_id;
    made->authenticated_at = session->authenticated_at;
    made->grants = apr_array_make(call->pool, 1, sizeof(identity_grant_t));
    identity_grant_t *grant = apr_array_push(made->grants);
    *grant = (identity_grant_t){.account_id = account->id, .type = IDENTITY_MEMBER_USER};
    identity_permset_add_view(&grant->permissions, call->env->settings->catalogue);
    return true;
}
