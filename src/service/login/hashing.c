/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords, hashed and verified under the semaphore that all children share (security
 * 17). */
#include "identity/pages.h"
#include "login/login.h"

static identity_hash_turn_t enter(identity_call_t *call, const char *account, const char *hash,
                                  const char *password, identity_hash_ticket_t *ticket)
{
    const identity_env_t *env = call->env;
    const identity_hash_request_t request = {.client = call->in ? call->in->client_address : NULL,
                                             .account = account,
                                             .hash = hash,
                                             .password = password};

    identity_hash_turn_t turn =
        env->enter_hash ? env->enter_hash(env->context, &request, ticket) : IDENTITY_HASH_ENTERED;
    if (turn == IDENTITY_HASH_REFUSED)
        identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                      "Too many users are signing in at the moment; please try again.");
    return turn;
}

static void leave(identity_call_t *call, const identity_hash_ticket_t *ticket,
                  identity_hash_result_t result)
{
    if (call->env->leave_hash)
        call->env->leave_hash(call->env->context, ticket, result);
}

static bool no_memory(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                         "The service is short of memory; please try again.");
}

bool identity_hash_password(identity_call_t *call, const char *account, const char *normalised,
                            const char **hash)
{
    identity_hash_ticket_t ticket;

    if (enter(call, account, NULL, NULL, &ticket) == IDENTITY_HASH_REFUSED)
        return false;
    *hash = identity_password_hash(call->pool, &call->env->settings->hash, normalised);
    leave(call, &ticket, IDENTITY_HASH_UNKNOWN);
    return *hash || no_memory(call);
}

identity_blocklist_t *identity_blocklist_shipped(apr_pool_t *pool)
{
    return identity_blocklist_sorted(pool, identity_document_blocklist.text,
                                     identity_document_blocklist.length);
}

bool identity_password_permitted(identity_call_t *call, const char *password, const char *username,
                                 const char *field)
{
    const identity_settings_t *settings = call->env->settings;
    const identity_password_policy_t policy = {.minimum = settings->password_minimum,
                                               .blocklist = settings->blocklist,
                                               .username = username,
                                               .site = settings->public_url};

    return identity_password_acceptable(call->pool, password, &policy, field, &call->problem);
}

/* Under the semaphore. *fresh: a stronger hash of the password, if the old one is weaker. */
static identity_hash_result_t verify(identity_call_t *call, const char *hash, const char *typed,
                                     const char *normalised, const char **fresh)
{
    const identity_hash_parameters_t *parameters = &call->env->settings->hash;
    /* No password has this form, but the answer must take as long as any other. */
    const char *tried = normalised ? normalised : "";
    bool weaker = false;

    identity_password_verdict_t verdict =
        identity_password_verify(hash, normalised ? typed : "", tried, parameters, &weaker);
    bool right = normalised && verdict == IDENTITY_PASSWORD_RIGHT;
    /* Computed for a wrong password, too: otherwise the time would reveal whose hash is still an old one (security
     * 15). */
    const char *made = weaker ? identity_password_hash(call->pool, parameters, tried) : NULL;
    if (right)
        *fresh = made;
    if (verdict == IDENTITY_PASSWORD_NO_MEMORY)
        return IDENTITY_HASH_UNKNOWN;
    return right ? IDENTITY_HASH_RIGHT : IDENTITY_HASH_WRONG;
}

bool identity_verify_password(identity_call_t *call, const char *account, const char *hash,
                              const char *password, bool *right, const char **fresh)
{
    char *normalised = identity_password_normalise(call->pool, password);
    identity_hash_ticket_t ticket;
    identity_hash_result_t result;

    *fresh = NULL;
    *right = false;
    /* Shared as typed: hashes of other programs are compared byte for byte. */
    switch (enter(call, account, hash, password, &ticket)) {
    case IDENTITY_HASH_REFUSED:
        return false;
    case IDENTITY_HASH_SHARED:
        result = ticket.result;
        break;
    default:
        result = verify(call, hash, password, normalised, fresh);
        leave(call, &ticket, result);
    }
    *right = normalised && result == IDENTITY_HASH_RIGHT;
    return result != IDENTITY_HASH_UNKNOWN || no_memory(call);
}
