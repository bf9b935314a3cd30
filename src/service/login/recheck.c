/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's rights are read with its credential. By the time a write gets its turn they may have been revoked: then
 * they are read again, where they cannot change any more until COMMIT. This server learns within a second of changes
 * made by other processes (htidentity, other nodes); changes it has not learned of yet are not checked. */
#include <string.h>

#include "login/login.h"

/* Callers with rights of their own that may change. A request that was already refused is only finished. */
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
        return identity_unauthorised(call, "This credential is no longer valid.");
    now.principal->method = principal->method;
    identity_principal_snapshot(call->env, began, now.principal);
    call->principal = now.principal;
    return identity_permissions_again(call) && identity_permission_held(call);
}
