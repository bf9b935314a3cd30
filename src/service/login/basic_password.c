/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP Basic with user name and password at protected locations: a login without a session, repeated with every
 * request.
 *
 * Hashing each time would be slow for the client and costly for the server. A verified password is therefore cached
 * as a MAC over user, hash, client address and password: neither another password nor a new hash matches it, and
 * whether the user is still allowed in is looked up anyway. */
#include <string.h>

#include "login/login.h"

#define PURPOSE "remembered-password"

typedef struct attempt {
    const char *username, *canonical, *password;
    identity_user_row_t *user; /* NULL: unknown */
    const char *verified;      /* the hash against which the password was just verified, or NULL */
    const char *fresh;         /* a stronger hash of it */
    identity_principal_t *principal;
    const char *refusal; /* correct, but passwords are disabled in the user's entity */
} attempt_t;

/* NULL on an error: then nothing is cached. */
static const char *lookup_of(identity_call_t *call, const attempt_t *attempt, const char *hash)
{
    const char *address = call->in->client_address ? call->in->client_address : "";
    unsigned char key[32];

    if (!identity_keyset_derive(call->env->keys, 0, PURPOSE, key))
        return NULL;
    char *text = apr_pstrcat(call->pool, attempt->user->id, "\n", hash, "\n", address, "\n",
                             attempt->password, NULL);
    const char *digest = identity_keyed_digest(call->pool, key, text, strlen(text));
    identity_wipe_string(text);
    identity_wipe(key, sizeof key);
    return apr_pstrcat(call->pool, "password\n", digest, NULL);
}

static bool cached(identity_call_t *call, const attempt_t *attempt)
{
    const char *lookup =
        call->env->proofs ? lookup_of(call, attempt, attempt->user->password_hash) : NULL;
    return lookup && identity_counters_marked(call->env->proofs, lookup, call->now);
}

static void remember(identity_call_t *call, const attempt_t *attempt, const char *hash)
{
    const char *lookup = call->env->proofs ? lookup_of(call, attempt, hash) : NULL;

    if (lookup)
        identity_counters_mark(call->env->proofs, lookup, call->now + IDENTITY_PASSWORD_REMEMBERED,
                               call->now);
}

static bool read_user(identity_call_t *call, void *data)
{
    attempt_t *attempt = data;

    if (!identity_login_user(call, attempt->username, &attempt->user))
        return false;
    if (!identity_user_usable(attempt->user))
        return true;
    /* The password verified a moment ago must still be the user's. */
    bool right = attempt->verified ? strcmp(attempt->verified, attempt->user->password_hash) == 0
                                   : cached(call, attempt);
    if (!right)
        return true;
    if (!identity_password_refusal(call, attempt->user, &attempt->refusal) || attempt->refusal)
        return attempt->refusal != NULL;
    if (!identity_principal_of_user(call, attempt->user, &attempt->principal))
        return false;
    attempt->principal->authenticated_at = call->now;
    return true;
}

static bool write_failure(identity_call_t *call, void *data)
{
    const attempt_t *attempt = data;
    return identity_login_failed(call, attempt->user);
}

static bool write_success(identity_call_t *call, void *data)
{
    attempt_t *attempt = data;
    const identity_user_row_t *user = attempt->user;
    identity_audit_t audit = {.action = "LOGIN",
                              .type = "USER",
                              .id = user->id,
                              .entity_id = user->entity_id,
                              .actor = user->id,
                              .each_minute = true,
                              .message = "Authenticated by password, without a session."};

    bool replaced = true;

    if (!identity_password_refusal(call, user, &attempt->refusal))
        return false;
    if (attempt->refusal)
        return identity_password_refused(call, user);
    if (attempt->fresh &&
        !identity_db_found(
            call, identity_user_rehash(call->db, user->id, user->password_hash, attempt->fresh),
            &replaced))
        return false;
    if (!user->signed_in_at &&
        !identity_db_ok(call, identity_user_signed_in(call->db, user->id, call->now)))
        return false;
    return !replaced || identity_audit(call, &audit);
}

static bool wrong(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                         "The username or password is wrong.");
}

/* Sets the principal, NULL if the user has changed since the verification. */
static bool verify(identity_call_t *call, attempt_t *attempt)
{
    bool right;

    if (!identity_verify_user(call, attempt->canonical, attempt->user, attempt->password, &right,
                              &attempt->fresh))
        return false;
    if (!right)
        return identity_ratelimit_failed(call) && identity_write(call, write_failure, attempt) &&
               wrong(call);
    if (!identity_ratelimit_check(call) || !identity_write(call, write_success, attempt))
        return false;
    if (attempt->refusal)
        return true;
    attempt->verified = attempt->fresh ? attempt->fresh : attempt->user->password_hash;
    remember(call, attempt, attempt->verified);
    identity_ratelimit_trust_client(call, attempt->canonical);
    return identity_read(call, read_user, attempt);
}

static bool identify(identity_call_t *call, attempt_t *attempt, identity_authentication_t *out)
{
    out->credential = true;
    out->method = "basic";
    if (!identity_transport_fits(call) || !identity_password_grant(call))
        return false;
    if (strlen(attempt->password) > IDENTITY_PASSWORD_MAX)
        return wrong(call);
    if (!identity_login_account(call, attempt->username, &attempt->canonical) ||
        !identity_ratelimit_password(call, attempt->canonical) ||
        !identity_read(call, read_user, attempt))
        return false;
    /* Retried once, in case a concurrent request of the same person has upgraded the hash. */
    for (int i = 0; i < 2 && !attempt->principal && !attempt->refusal; i++)
        if (!verify(call, attempt))
            return false;
    if (attempt->refusal)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL, "%s", attempt->refusal);
    if (!attempt->principal)
        return identity_db_ok(call, IDENTITY_DB_BUSY);
    out->principal = attempt->principal;
    return identity_authorize_location(call, out);
}

void identity_identify_password(apr_pool_t *pool, const identity_env_t *env,
                                const identity_request_t *in, const char *username,
                                const char *password, identity_authentication_t *out)
{
    attempt_t attempt = {.username = username, .password = password};
    identity_call_t call;

    memset(out, 0, sizeof *out);
    identity_call_begin(&call, pool, env, in);
    identity_authentication_end(&call, identity_call_ready(&call) && identify(&call, &attempt, out),
                                out);
}
