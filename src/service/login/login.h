/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication: credentials, sessions, cookies, passwords, rate limits. */
#ifndef IDENTITY_SERVICE_LOGIN_H
#define IDENTITY_SERVICE_LOGIN_H

#include "access/access.h"

/* ---- rate limits (rate_limit.c) ---------------------------------------------------------------------------------- */

/* These return true if the call may proceed; otherwise the problem is 429 with the seconds to wait. */

/* By the route's class, before its permission is checked: counts invite, read, write; checks the client address's
 * bucket of login, token. */
bool identity_ratelimit_enter(identity_call_t *call);
/* login, token: the handler names the account (canonical user name, or an id; NULL: none) as soon as it is known and
 * before it checks any secret. Handlers of the class login must call it. */
bool identity_ratelimit_account(identity_call_t *call, const char *account);
/* ... and reports the outcome: the secret was wrong (counted and logged; the caller then sets the problem), or
 * right, before anything follows from that. */
bool identity_ratelimit_failed(identity_call_t *call);
bool identity_ratelimit_check(identity_call_t *call);
/* The client has proved to belong to this account (canonical user name), so that strangers' failures do not lock it
 * out. */
void identity_ratelimit_trust_client(identity_call_t *call, const char *account);
/* Resets the failures counted for an account (canonical user name, or id for its own password) or, if that is "",
 * for a client (identity_client_counted). */
void identity_ratelimit_unlock(identity_call_t *call, const char *client, const char *account);
/* Outside of a route: both steps of a password login. */
bool identity_ratelimit_password(identity_call_t *call, const char *account);
/* Replaces identity_ratelimit_account for a signed-in user who must enter the password again. */
bool identity_ratelimit_self(identity_call_t *call);
/* Counts one event of the class under that key: an address, a credential. */
bool identity_ratelimit_take(identity_call_t *call, identity_rate_class_t class, const char *what);
/* Counts a requested mail to this address, and a hundred times as many for the client. */
bool identity_ratelimit_reset(identity_call_t *call, const char *address);
/* Counts a user's request to change to another address: for that address, and for that user. 429 if either has had
 * too many. */
bool identity_ratelimit_change(identity_call_t *call, const char *user_id, const char *address);
/* Counts a mail of any kind to this address; false, without a problem, if there were too many. */
bool identity_ratelimit_mail(identity_call_t *call, const char *address);
/* The same for a notice, counted separately, so that provoking other mails cannot suppress an address's notices. */
bool identity_ratelimit_notice(identity_call_t *call, const char *address);

/* ---- a call's credential (authenticate.c, recheck.c) ------------------------------------------------------------- */

/* In a write transaction: if something changed since authentication, checks that the caller's credential is still
 * valid and updates its rights. 401, 403. Runs no statement if nothing changed. */
bool identity_caller_recheck(identity_call_t *call);

/* ---- principal cache (principal_cache.c) ------------------------------------------------------------------------- */

/* A look-up in the principal cache. */
typedef struct identity_cache_lookup {
    const identity_principal_t *principal; /* the cached principal; NULL: none */
    bool sure;                             /* ... it is current, the database need not be asked */
    struct identity_cached_principal *entry;
    unsigned char key[IDENTITY_CACHE_KEY];
    apr_uint64_t began;
    apr_time_t used_at; /* of a key that is not cached */
} identity_cache_lookup_t;
/* Looks the credential up before any row is read. The principal lives as long as the call's pool. */
void identity_principal_cache_get(identity_call_t *call, unsigned kind, const char *credential,
                                  identity_cache_lookup_t *lookup);
/* The database could not be asked (the problem says so): may the cached principal still be used? If so, clears the
 * problem. */
bool identity_principal_cache_stale(identity_call_t *call, const identity_cache_lookup_t *lookup);
/* After the rows were read: caches their principal (NULL: none) with its snapshot. ends: when the credential itself
 * expires, 0 for never; used_at: when its last use was written. */
void identity_principal_cache_put(identity_call_t *call, identity_cache_lookup_t *lookup,
                                  identity_principal_t *principal, apr_time_t ends,
                                  apr_time_t used_at);
/* After a principal's rows were read: sets its ends_at and snapshot (if revisions are available). False if the
 * snapshot is not current. */
bool identity_principal_snapshot(const identity_env_t *env, apr_uint64_t began,
                                 identity_principal_t *principal);
/* During a database outage: are cached principals still valid? */
bool identity_stale_enough(const identity_env_t *env);
/* Should this caller write the credential's last use again, a step after the last time? And: that write failed. */
bool identity_use_due(identity_call_t *call, const identity_cache_lookup_t *lookup,
                      apr_interval_time_t step);
void identity_use_missed(identity_call_t *call, const identity_cache_lookup_t *lookup,
                         apr_interval_time_t step);

/* ---- passwords, sessions, cookies -------------------------------------------------------------------------------- */

/* Is the password acceptable? 400 naming the field and the reason otherwise. */
bool identity_password_permitted(identity_call_t *call, const char *password, const char *username,
                                 const char *field);
/* Hashes under the hashing semaphore; 503 if its queue is full. No connection may be held. */
bool identity_hash_password(identity_call_t *call, const char *account, const char *normalised,
                            const char **hash);
/* Verifies under the hashing semaphore; *fresh: a hash that should replace the stored one, or NULL. */
bool identity_verify_password(identity_call_t *call, const char *account, const char *hash,
                              const char *password, bool *right, const char **fresh);

/* Is signing in by password enabled at all? 403 otherwise. */
bool identity_password_grant(identity_call_t *call);
/* ... in the entity? Not if it has a DEFAULT provider that is DISABLED and none that is ENABLED. Reads. */
bool identity_password_sign_in(identity_call_t *call, const char *entity_id, bool *on);
/* The error message for a user whose entity has passwords disabled, with the alternatives; NULL: enabled. To be
 * shown only after the right password. Reads. */
bool identity_password_refusal(identity_call_t *call, const identity_user_row_t *user,
                               const char **sentence);
/* Can anybody of the entity sign in, by password or at a provider? Reads. */
bool identity_ways_left(identity_call_t *call, const char *entity_id, bool *left);
/* Audits a correct password that was refused because passwords are disabled. Inside identity_write. */
bool identity_password_refused(identity_call_t *call, const identity_user_row_t *user);
/* The user of that username or, with IdentityUserName login, of that login; NULL if there is none. Reads. */
bool identity_login_user(identity_call_t *call, const char *username, identity_user_row_t **user);
/* The rate limit key of a sign-in with that name: the same for both names of a user. Reads if it is a login. No
 * connection may be held. */
bool identity_login_account(identity_call_t *call, const char *username, const char **account);
/* Can the user (or NULL) sign in by password? */
static inline bool identity_user_usable(const identity_user_row_t *user)
{
    return user && user->status == IDENTITY_USER_ACTIVE && user->password_hash;
}
/* identity_verify_password for a user; takes equally long if the user has no password. */
bool identity_verify_user(identity_call_t *call, const char *account,
                          const identity_user_row_t *user, const char *password, bool *right,
                          const char **fresh);
/* Audits it. user: NULL if the name is unknown. Inside identity_write. */
bool identity_login_failed(identity_call_t *call, const identity_user_row_t *user);

#define IDENTITY_SESSIONS_MAX 100 /* for each user; then the oldest is ended (security 40) */
/* Session, first refresh token and audit record; 401 if the user's entity is an expired sandbox. Inside
 * identity_write. */
typedef struct identity_login {
    const identity_user_row_t *user; /* NULL: a guest */
    const char *method;
    identity_session_row_t *session;
    const char *refresh; /* the token for the cookie; NULL: none */
} identity_login_t;
bool identity_login_open(identity_call_t *call, identity_login_t *login);
/* The session of a guest of the demo account: short, and not renewable. */
bool identity_login_guest(identity_call_t *call, identity_login_t *login,
                          const identity_account_row_t *account);
/* 200 Token and the cookie; a form gets both tokens in the body and no cookie. Needs no connection. */
bool identity_login_answer(identity_call_t *call, const identity_login_t *login);
/* Signs in by user name and password, and answers. */
bool identity_login_by_password(identity_call_t *call, const char *username, const char *password);
/* The session (and user) of a refresh token, spent or not; both NULL if no live session has it. Reads. */
bool identity_refresh_session(identity_call_t *call, const char *token,
                              identity_refresh_row_t **refresh, identity_session_row_t **session,
                              identity_user_row_t **user);
/* Checks that there is only one refresh cookie; otherwise 400, and the cookie is cleared. */
bool identity_refresh_cookie_single(identity_call_t *call);
const char *
identity_refresh_cookie(identity_call_t *call); /* the token in the cookie, NULL if malformed */
void identity_session_cookies_clear(identity_call_t *call); /* when a session has ended */
/* The value of that cookie, a typed secret with that prefix; NULL if absent, or if several differ. */
const char *identity_cookie(identity_call_t *call, const char *name, const char *prefix);
/* Secure, except for plain HTTP over loopback. */
void identity_cookie_set(identity_call_t *call, const identity_cookie_t *cookie);
/* For /v1/oauth only, SameSite=Strict. seconds 0 deletes it. */
void identity_oauth_cookie_set(identity_call_t *call, const char *name, const char *value,
                               apr_int64_t seconds);
bool identity_cookie_plain(const identity_call_t *call); /* is Secure omitted? */

/* The access cookie (cookies.c). Set and cleared if the location uses it. */
void identity_access_cookie_set(identity_call_t *call, const identity_session_row_t *session);
void identity_access_cookie_clear(identity_call_t *call);
/* Was the request sent by a page of its own origin, or of IdentityPublicURL's? */
bool identity_origin_fits(const identity_call_t *call);
const char *identity_access_cookie(identity_call_t *call); /* the cookie's raw value, or NULL */
/* The session that it names, NULL if it is not ours. No look-up. */
const char *identity_access_cookie_session(identity_call_t *call, const char *text);
/* A request that is authenticated only by this cookie and changes something must come from a page of the same
 * origin: 403 otherwise. */
bool identity_own_page(identity_call_t *call);
/* Extends the session's idle expiry, at intervals. */
void identity_session_used(identity_call_t *call, const identity_principal_t *principal,
                           const identity_cache_lookup_t *lookup);

bool identity_session_live(const identity_session_row_t *session, const identity_user_row_t *user,
                           apr_time_t now);

/* An access token: its claims and text. ends: expiry of its session or key, 0 for never; whole: expire exactly then. */
typedef struct identity_access {
    const char *subject, *session_id, *client_id, *entity_id;
    bool whole;
    apr_time_t ends, issued_at, expires_at;
    const char *text;
} identity_access_t;
bool identity_access_sign(identity_call_t *call, identity_access_t *access);

/* Was a request with a cookie sent by one of our pages, or by no browser at all? 403 otherwise (security 42). */
bool identity_same_origin(identity_call_t *call);

/* May a secret be sent over this connection: TLS, or loopback? 403 otherwise. */
bool identity_transport_fits(identity_call_t *call);

/* Verifies the signed-in user by the body's current_password: 400 naming it, 429; refusals are audited. lacking: the
 * error message if it is missing. No connection may be held. */
bool identity_owner_proved(identity_call_t *call, const identity_user_row_t *user,
                           const char *lacking);

json_t *identity_made_keys_json(const apr_array_header_t *rows); /* their ids */

/* ---- credentials ------------------------------------------------------------------------------------------------- */

/* The credentials after that scheme in Authorization, NULL for another scheme. */
const char *identity_scheme(const char *authorization, const char *name);
/* Sets the reason for a failed authentication, unless good. */
void identity_authentication_end(const identity_call_t *call, bool good,
                                 identity_authentication_t *out);
/* The valid key of that text: *row NULL for anything else. Reads. */
bool identity_apikey_verify(identity_call_t *call, const char *text, identity_key_row_t **row);
#define IDENTITY_LAST_USE_STEP                                                                     \
    apr_time_from_sec(60) /* interval at which the last use of a key is written */
/* What a valid access token refers to: principal NULL for anything else; user NULL for keys and guests. */
typedef struct identity_bearer {
    identity_claims_t claims;
    identity_principal_t *principal;
    identity_session_row_t *session;
    identity_user_row_t *user;
    identity_key_row_t *key;
} identity_bearer_t;
/* Checks signature and claims; no look-up. */
bool identity_bearer_verify(identity_call_t *call, const char *text, identity_bearer_t *bearer);
/* identity_work_t: reads the rows that the verified claims name. */
bool identity_bearer_load(identity_call_t *call, void *bearer);

/* ---- OAuth in its standard forms (oauth_answer.c, client_auth.c) ------------------------------------------------- */

/* 200 as in RFC 6749, 5.1. refresh: or NULL. */
bool identity_oauth_answer(identity_call_t *call, const identity_access_t *access,
                           const char *refresh);
/* The call's problem in the form of RFC 6749, 5.2, with its headers. *status: in, that of the problem's kind; out,
 * that of the answer. A new reference. */
json_t *identity_oauth_problem(identity_call_t *call, int *status);
/* Sets the problem and its OAuth error code, and evaluates to false. */
#define identity_oauth_deny(call, error, kind, ...)                                                \
    ((call)->oauth_error = (error), identity_deny(call, kind, NULL, __VA_ARGS__))

/* A program that presents its API key as an OAuth client: by HTTP Basic, in the form, or in the headers that every
 * call accepts. */
typedef struct identity_client {
    identity_key_row_t *key; /* NULL: none presented */
    identity_principal_t *principal;
} identity_client_t;
/* Refuses an invalid key, and one that is presented twice. */
bool identity_oauth_client(identity_call_t *call, identity_client_t *client);

/* ---- how people may sign in (sign_in_ways.c) --------------------------------------------------------------------- */

/* A provider button on the sign-in page. */
typedef struct entry_item {
    const char *name, *handle; /* handle: the provider's name in GET /v1/oauth/authorize */
} entry_item_t;

typedef struct entry_ways {
    apr_array_header_t *items; /* of entry_item_t: enabled and configured providers */
    bool password;
} entry_ways_t;

/* identity_work_t on entry_ways_t: the ways to sign in here, as far as they are known before the user is. */
bool entry_find_ways(identity_call_t *call, void *ways);

#endif
