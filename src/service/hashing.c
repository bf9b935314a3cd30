/* Passwords, hashed and verified inside the gate that all children share (architecture, decision 6; security 17). */
#include "identity/pages.h"
#include "service_int.h"

static bool enter(identity_call_t *call)
{
    const identity_env_t *env = call->env;

    if (!env->enter_hash || env->enter_hash(env->context))
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                         "Too many people are signing in at this moment; please try again.");
}

static void leave(identity_call_t *call)
{
    if (call->env->leave_hash)
        call->env->leave_hash(call->env->context);
}

bool identity_hash_password(identity_call_t *call, const char *normalised, const char **hash)
{
    if (!enter(call))
        return false;
    *hash = identity_password_hash(call->pool, &call->env->settings->hash, normalised);
    leave(call);
    return *hash ||
           identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL, "The service is short of memory; please try again.");
}

identity_blocklist_t *identity_blocklist_shipped(apr_pool_t *pool)
{
    return identity_blocklist_make(pool, identity_document_blocklist.text, identity_document_blocklist.length);
}

bool identity_password_permitted(identity_call_t *call, const char *password, const char *username, const char *field)
{
    const identity_settings_t *settings = call->env->settings;
    const identity_password_policy_t policy = {.minimum = settings->password_minimum,
                                               .blocklist = settings->blocklist,
                                               .username = username,
                                               .site = settings->public_url};

    return identity_password_acceptable(call->pool, password, &policy, field, &call->problem);
}

bool identity_verify_password(identity_call_t *call, const char *hash, const char *password, bool *right,
                              const char **fresh)
{
    const identity_hash_parameters_t *parameters = &call->env->settings->hash;
    char *normalised = identity_password_normalise(call->pool, password);
    bool weaker = false;

    *fresh = NULL;
    *right = false;
    /* No password has this form, but the answer must cost what any other costs. */
    const char *tried = normalised ? normalised : "";
    if (!enter(call))
        return false;
    identity_password_verdict_t verdict =
        identity_password_verify(hash, normalised ? password : "", tried, parameters, &weaker);
    *right = normalised && verdict == IDENTITY_PASSWORD_RIGHT;
    /* Made for a wrong one as well: else the time would tell whose hash is still an old one (security 15). */
    const char *made = weaker ? identity_password_hash(call->pool, parameters, tried) : NULL;
    if (*right)
        *fresh = made;
    leave(call);
    return verdict != IDENTITY_PASSWORD_NO_MEMORY ||
           identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL, "The service is short of memory; please try again.");
}
