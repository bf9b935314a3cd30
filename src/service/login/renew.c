/* SPDX-License-Identifier: Apache-2.0 */
/* The present rights of a caller who was authenticated some time ago: read without the credential, which may be gone
 * by now. */
#include <string.h>

#include "login/login.h"

typedef struct renewal {
    const identity_principal_t *before;
    identity_bearer_t bearer;
} renewal_t;

static bool load_bearer(identity_call_t *call, renewal_t *renewal)
{
    identity_bearer_t *bearer = &renewal->bearer;

    bearer->claims.subject =
        renewal->before->key_id ? renewal->before->key_id : renewal->before->id;
    bearer->claims.entity_id = renewal->before->entity_id;
    bearer->claims.session_id = renewal->before->session_id;
    if (!identity_bearer_load(call, bearer))
        return false;
    if (bearer->principal && bearer->key)
        bearer->principal->ends_at = bearer->key->expires_at;
    return true;
}

/* Authenticated by password, without a session: as long as it is the same password. */
static bool load_user(identity_call_t *call, renewal_t *renewal)
{
    const identity_principal_t *before = renewal->before;
    identity_user_row_t *user = NULL;
    bool found;

    if (!identity_db_found(call, identity_user_get(call->db, before->entity_id, before->id, &user),
                           &found))
        return false;
    if (!found || user->status != IDENTITY_USER_ACTIVE ||
        user->password_changed_at > before->authenticated_at)
        return true;
    if (!identity_principal_of_user(call, user, &renewal->bearer.principal))
        return false;
    renewal->bearer.principal->authenticated_at = before->authenticated_at;
    return true;
}

static bool load(identity_call_t *call, void *data)
{
    renewal_t *renewal = data;
    const identity_principal_t *before = renewal->before;

    return before->kind == IDENTITY_CALLER_KEY || before->key_id || before->session_id
               ? load_bearer(call, renewal)
               : load_user(call, renewal);
}

static bool known_still(const identity_call_t *call, const identity_principal_t *principal)
{
    return identity_stale_enough(call->env) &&
           identity_snapshot_current(call->env->revisions, &principal->snapshot) &&
           (!principal->ends_at || call->now < principal->ends_at);
}

identity_renewal_t identity_principal_renew(apr_pool_t *pool, const identity_env_t *env,
                                            const identity_principal_t *before,
                                            const identity_principal_t **now)
{
    renewal_t renewal = {.before = before};
    identity_call_t call;

    *now = NULL;
    identity_call_begin(&call, pool, env, NULL);
    apr_uint64_t began = env->revisions ? identity_revisions_begin(env->revisions) : 0;
    if (!identity_read(&call, load, &renewal))
        return known_still(&call, before) ? IDENTITY_RENEWAL_UNKNOWN : IDENTITY_RENEWAL_ENDED;
    if (!renewal.bearer.principal)
        return IDENTITY_RENEWAL_ENDED;
    identity_principal_snapshot(env, began, renewal.bearer.principal);
    *now = renewal.bearer.principal;
    return IDENTITY_RENEWAL_DONE;
}
