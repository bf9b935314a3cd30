/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies a signed-in user again. */
#include "login/login.h"

static bool write_refusal(identity_call_t *call, void *data)
{
    identity_audit_t audit = {.action = "PASSWORD_REFUSED",
                              .each_minute = true,
                              .type = "USER",
                              .id = call->principal->id,
                              .message = "The current password was wrong."};
    (void)data;
    return identity_audit(call, &audit);
}

bool identity_owner_proved(identity_call_t *call, const identity_user_row_t *user,
                           const char *lacking)
{
    const char *current = identity_json_string(call->body, "current_password"),
               *hash = user->password_hash, *fresh;
    bool right;

    if (!current)
        return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "current_password", "%s",
                             lacking);
    /* Users who sign on at a provider have no password, and get one by a mailed link. */
    if (!hash)
        hash = identity_password_dummy(call->pool, &call->env->settings->hash);
    if (!identity_ratelimit_self(call) ||
        !identity_verify_password(call, user->canonical, hash, current, &right, &fresh) ||
        !(right ? identity_ratelimit_check(call) : identity_ratelimit_failed(call)))
        return false;
    if (!right && !identity_write(call, write_refusal, NULL))
        return false;
    return right || identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "current_password",
                                  "current_password is wrong.");
}
