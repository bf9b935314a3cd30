/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may do is read with its credential. By the time that a write has its turn others may have taken it:
 * then it is read once more, where nobody can change it any more until COMMIT. Of changes that other processes make
 * (htidentity, other nodes) this server hears within a second; what it has not heard of yet is not asked for. */
#include <string.h>

#include "login/login.h"

/* Of somebody with rights of its own that may change. What was refused already only clears up. */
static bool is_outdated(const identity_call_t *call)
{
    const identity_principal_t *principal = call->principal;

    return principal && call->problem.kind == IDENTITY_PROBLEM_NONE && call->route &&
           call->route->credential == IDENTITY_CREDENTIAL_REQUIRED && !principal->guest &&
           principal->kind != IDENTITY_CALLER_LOCAL && call->env->revisions &&
           !identity_snapshot_current(call->env->revisions, &principal->snapshot);
}

bool identity_caller_recheck(identity_call_t *call)
{
    const identity_principal_t *principal = call->principal;
    identity_bearer_t now = {.user = NULL};

    if (!is_outdated(call))
        return true;
    apr_uint64_t began = identity_revisions_begin(call->env->revisions);
    now.claims.subject = principal->key_id ? principal->key_id : principal->id;
    now.claims.session_id = principal->session_id;
    now.claims.entity_id = principal->entity_id;
    if (!identity_bearer_load(call, &now))
        return false;
    if (!now.principal)
        return identity_unauthorised(call, "This credential is not valid any more.");
    now.principal->method = principal->method;
    identity_principal_snapshot(call->env, began, now.principal);
    call->principal = now.principal;
    return identity_permissions_again(call) && identity_permission_held(call);
}
