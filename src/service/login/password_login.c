/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in by name and password: finds the user, verifies the password, opens the session and audits the outcome. */
#include <string.h>

#include "login/login.h"

typedef struct attempt {
    const char *username, *canonical; /* username: as typed; canonical: the rate limit key */
    identity_user_row_t *user;        /* NULL: unknown */
    const char *fresh;                /* a stronger hash of the same password */
    bool moved;                       /* the user has changed since the verification */
    const char *refusal;              /* correct, but passwords are disabled in the user's entity */
    identity_login_t login;
} attempt_t;

/* The same message for any reason (security 15). */
static bool wrong(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                         "The username or password is wrong.");
}

/* Is it formed like a login, optionally with a reference, and do logins work here? */
static bool is_login(const identity_call_t *call, const char *username)
{
    const char *slash = strrchr(username, '/');
    return call->env->settings->logins && identity_login_valid(slash ? slash + 1 : username);
}

bool identity_login_user(identity_call_t *call, const char *username, identity_user_row_t **user)
{
    bool found;

    if (!identity_db_found(call, identity_user_by_name(call->db, username, user), &found))
        return false;
    if (!found && is_login(call, username) &&
        !identity_db_found(call, identity_user_by_login(call->db, username, user), &found))
        return false;
    if (!found)
        *user = NULL;
    return true;
}

typedef struct named {
    const char *name;
    identity_user_row_t *user;
} named_t;

static bool find_named(identity_call_t *call, void *data)
{
    named_t *named = data;
    return identity_login_user(call, named->name, &named->user);
}

/* Using both names must not double the number of guesses. */
bool identity_login_account(identity_call_t *call, const char *username, const char **account)
{
    named_t named = {.name = username};

    *account = identity_username_key(call->pool, username);
    if (!is_login(call, username))
        return true;
    if (!identity_read(call, find_named, &named))
        return false;
    if (named.user)
        *account = identity_user_key(call, named.user);
    return true;
}

static bool find_user(identity_call_t *call, void *data)
{
    attempt_t *attempt = data;
    return identity_login_user(call, attempt->username, &attempt->user);
}

bool identity_login_failed(identity_call_t *call, const identity_user_row_t *user)
{
    identity_audit_t audit = {.action = "LOGIN_FAILED",
                              .type = "USER",
                              .message = "A sign-in failed.",
                              .each_minute = true};

    audit.entity_id = user ? user->entity_id : "";
    audit.id = user ? user->id : NULL;
    audit.actor = "";
    return identity_audit(call, &audit);
}

bool identity_password_refused(identity_call_t *call, const identity_user_row_t *user)
{
    identity_audit_t audit = {.action = "LOGIN_FAILED",
                              .type = "USER",
                              .id = user->id,
                              .entity_id = user->entity_id,
                              .actor = "",
                              .each_minute = true,
                              .message =
                                  "A sign-in was refused: signing in by password is switched off."};

    return identity_audit(call, &audit);
}

static bool write_failure(identity_call_t *call, void *data)
{
    const attempt_t *attempt = data;
    return identity_login_failed(call, attempt->user);
}

static bool write_login(identity_call_t *call, void *data)
{
    attempt_t *attempt = data;
    const char *hash = attempt->user->password_hash;
    identity_user_row_t *user;

    /* The password was verified in the meantime: the user must be unchanged. */
    if (!identity_db_ok(
            call, identity_user_get(call->db, attempt->user->entity_id, attempt->user->id, &user)))
        return false;
    attempt->moved = user->status != IDENTITY_USER_ACTIVE || !user->password_hash ||
                     strcmp(user->password_hash, hash) != 0;
    if (attempt->moved)
        return true;
    if (!identity_password_refusal(call, user, &attempt->refusal))
        return false;
    if (attempt->refusal)
        return identity_password_refused(call, user);
    if (attempt->fresh &&
        !identity_db_ok(call, identity_user_rehash(call->db, user->id, hash, attempt->fresh)))
        return false;
    attempt->login.user = user;
    attempt->login.method = "password";
    return identity_login_open(call, &attempt->login);
}

bool identity_verify_user(identity_call_t *call, const char *account,
                          const identity_user_row_t *user, const char *password, bool *right,
                          const char **fresh)
{
    /* Unknown, invited, inactive: the same work against a hash that no password has (security 16). */
    bool usable = identity_user_usable(user);
    const char *hash = usable ? user->password_hash
                              : identity_password_dummy(call->pool, &call->env->settings->hash);

    if (!identity_verify_password(call, account, hash, password, right, fresh))
        return false;
    *right = *right && usable;
    return true;
}

/* One attempt. Afterwards a session is open, or the password is wrong, or the user has changed meanwhile. */
static bool try_password(identity_call_t *call, attempt_t *attempt, const char *password)
{
    bool right;

    attempt->moved = false;
    if (!identity_read(call, find_user, attempt))
        return false;
    if (!identity_verify_user(call, attempt->canonical, attempt->user, password, &right,
                              &attempt->fresh))
        return false;
    return !right || (identity_ratelimit_check(call) && identity_write(call, write_login, attempt));
}

bool identity_password_grant(identity_call_t *call)
{
    return call->env->settings->password_grant ||
           identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "Signing in by password is switched off on this "
                         "server.");
}

bool identity_login_by_password(identity_call_t *call, const char *username, const char *password)
{
    attempt_t attempt = {.username = username};

    if (!identity_password_grant(call))
        return false;
    if (strlen(password) > IDENTITY_PASSWORD_MAX)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "password",
                             "password must be at most %d bytes.", IDENTITY_PASSWORD_MAX);
    if (!identity_login_account(call, username, &attempt.canonical) ||
        !identity_ratelimit_account(call, attempt.canonical))
        return false;
    /* A second attempt if the hash was replaced meanwhile: another sign-in of the same person may have upgraded it. */
    if (!try_password(call, &attempt, password) ||
        (attempt.moved && !try_password(call, &attempt, password)))
        return false;
    if (attempt.moved)
        return identity_db_ok(call, IDENTITY_DB_BUSY);
    if (attempt.refusal)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL, "%s", attempt.refusal);
    if (attempt.login.session) {
        identity_ratelimit_trust_client(call, attempt.canonical);
        return identity_login_answer(call, &attempt.login);
    }
    return identity_ratelimit_failed(call) && identity_write(call, write_failure, &attempt) &&
           wrong(call);
}
