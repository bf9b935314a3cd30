/* Authentication: credentials, sessions, cookies, passwords, rate limits. */
#ifndef IDENTITY_SERVICE_LOGIN_H
#define IDENTITY_SERVICE_LOGIN_H

#include "access/access.h"

/* ---- rate limits (rate_limit.c) ---------------------------------------------------------------------------------- */

/* All are true where the call may go on; else the problem is 429 with the seconds to wait. */

/* By the route's class, before its permission is asked: counts invite, read, write; looks at the address's counter of
 * login, token. */
bool identity_ratelimit_enter(identity_call_t *call);
/* login, token: a handler says whose account is meant (canonical user name, or an id; NULL: nobody's), as soon as it
 * knows and before it looks at any secret. A handler of the class login must call it. */
bool identity_ratelimit_account(identity_call_t *call, const char *account);
/* ... and what became of it: the secret was wrong (counted, and logged; afterwards the problem is the caller's to set),
 * or right, before anything follows from that. */
bool identity_ratelimit_failed(identity_call_t *call);
bool identity_ratelimit_check(identity_call_t *call);
/* The client has shown to be this account (canonical user name) itself: strangers cannot keep its address out. */
void identity_ratelimit_trust_client(identity_call_t *call, const char *account);
/* Forgets the failures that were counted against an account (canonical user name, or id for its own password), or,
 * where that is "", of a client (identity_client_counted). */
void identity_ratelimit_unlock(identity_call_t *call, const char *client, const char *account);
/* Outside of a route: both steps of a login with a password. */
bool identity_ratelimit_password(identity_call_t *call, const char *account);
/* Instead of identity_ratelimit_account, for who is signed in and has to show its password once more. */
bool identity_ratelimit_self(identity_call_t *call);
/* Counts one of the class by what: an address, a credential. */
bool identity_ratelimit_take(identity_call_t *call, identity_rate_class_t class, const char *what);
/* A mail to this address is asked for: counted by it, and a hundred times as many by client. */
bool identity_ratelimit_reset(identity_call_t *call, const char *address);
/* A person asks for another address: a mail to that address, at the wish of this person. 429 where there were too many
 * of either. */
bool identity_ratelimit_change(identity_call_t *call, const char *user_id, const char *address);
/* A mail of whatever kind goes to this address, which is counted; false, and nothing denied, where there were too many.
 */
bool identity_ratelimit_mail(identity_call_t *call, const char *address);
/* The same of a notice: counted apart, so that nobody who has other mails sent to it keeps an address from its notices.
 */
bool identity_ratelimit_notice(identity_call_t *call, const char *address);

/* ---- a call's credential (authenticate.c, recheck.c) ------------------------------------------------------------- */

/* In a write transaction that has begun: does the caller's credential still hold, and what may it do now, where that
 * has changed since it was shown? 401, 403. No statement where nothing has. */
bool identity_caller_recheck(identity_call_t *call);

/* ---- principal cache (principal_cache.c) ------------------------------------------------------------------------- */

/* A credential's place in the cache. */
typedef struct identity_cache_lookup {
    const identity_principal_t *principal; /* remembered; NULL: nobody is */
    bool sure;                             /* ... and the database need not be asked */
    struct identity_cached_principal *entry;
    unsigned char key[IDENTITY_CACHE_KEY];
    apr_uint64_t began;
    apr_time_t used_at; /* of a key that is not remembered */
} identity_cache_lookup_t;
/* Looks it up, before any row is read. who lives as long as the call's pool. */
void identity_principal_cache_get(identity_call_t *call, unsigned kind, const char *credential,
                                  identity_cache_lookup_t *lookup);
/* The database could not be asked (the problem says so): may who is remembered be believed still? Then there is no
 * problem. */
bool identity_principal_cache_stale(identity_call_t *call, const identity_cache_lookup_t *lookup);
/* The rows were read: who they are of (NULL: nobody), which gets its stamp. ends: when the credential itself does, 0
 * for never; used_at: when its last use was written. */
void identity_principal_cache_put(identity_call_t *call, identity_cache_lookup_t *lookup,
                                  identity_principal_t *principal, apr_time_t ends, apr_time_t used_at);
/* After the rows of who were read: when it ends, and as of which generations it is (where there are any). False where
 * that cannot be told. */
bool identity_principal_snapshot(const identity_env_t *env, apr_uint64_t began, identity_principal_t *principal);
/* The database is away: may who is known be believed still? */
bool identity_stale_enough(const identity_env_t *env);
/* Is its last use to be written once more, a step after the last time, and by this caller? And that it could not be. */
bool identity_use_due(identity_call_t *call, const identity_cache_lookup_t *lookup, apr_interval_time_t step);
void identity_use_missed(identity_call_t *call, const identity_cache_lookup_t *lookup, apr_interval_time_t step);

/* ---- passwords, sessions, cookies -------------------------------------------------------------------------------- */

/* May a password be set? 400 naming the field and the reason otherwise. */
bool identity_password_permitted(identity_call_t *call, const char *password, const char *username, const char *field);
/* Hashes inside the gate; 503 where it is full. No connection may be held. */
bool identity_hash_password(identity_call_t *call, const char *account, const char *normalised, const char **hash);
/* Verifies inside the gate; *fresh: a hash that should replace the present one, or NULL. */
bool identity_verify_password(identity_call_t *call, const char *account, const char *hash, const char *password,
                              bool *right, const char **fresh);

/* May somebody sign in by a password at all? 403 otherwise. */
bool identity_password_grant(identity_call_t *call);
/* May somebody of the entity? Not where it has a DEFAULT provider that is DISABLED and none that is ENABLED. Reads. */
bool identity_password_sign_in(identity_call_t *call, const char *entity_id, bool *on);
/* What the user is told where the own entity has it switched off, with the other ways in; NULL: it is on. To be told
 * only after the right password. Reads. */
bool identity_password_refusal(identity_call_t *call, const identity_user_row_t *user, const char **sentence);
/* Is there a way to sign in for anybody of the entity: by password, or at a provider? Reads. */
bool identity_ways_left(identity_call_t *call, const char *entity_id, bool *left);
/* On record: the password was right, and switched off. Inside identity_write. */
bool identity_password_refused(identity_call_t *call, const identity_user_row_t *user);
/* The user of that name, or NULL: a username, and where IdentityUserName says so a login. Reads. */
bool identity_login_user(identity_call_t *call, const char *username, identity_user_row_t **user);
/* What a sign-in with the name is counted by: the same for both names of a user. Reads for who types a login. No
 * connection may be held. */
bool identity_login_account(identity_call_t *call, const char *username, const char **account);
/* Can the user (or NULL) sign in by one? */
static inline bool identity_user_usable(const identity_user_row_t *user)
{
    return user && user->status == IDENTITY_USER_ACTIVE && user->password_hash;
}
/* identity_verify_password for a user, or as long as that for who has none. */
bool identity_verify_user(identity_call_t *call, const char *account, const identity_user_row_t *user,
                          const char *password, bool *right, const char **fresh);
/* On record. user: NULL where there is none of that name. Inside identity_write. */
bool identity_login_failed(identity_call_t *call, const identity_user_row_t *user);

#define IDENTITY_SESSIONS_MAX 100 /* of one user at a time; then the oldest ends (security 40) */
/* Session, first refresh token and audit row; 401 where the user's entity, a sandbox, has had its time. Inside
 * identity_write. */
typedef struct identity_login {
    const identity_user_row_t *user; /* NULL: a visitor */
    const char *method;
    identity_session_row_t *session;
    const char *refresh; /* the token for the cookie; NULL: there is none */
} identity_login_t;
bool identity_login_open(identity_call_t *call, identity_login_t *login);
/* The session of a visitor of the demo account: short, and nothing renews it. */
bool identity_login_guest(identity_call_t *call, identity_login_t *login, const identity_account_row_t *account);
/* 200 Token and the cookie; to a form both tokens in the body and no cookie. No connection is needed. */
bool identity_login_answer(identity_call_t *call, const identity_login_t *login);
/* By user name and password; answers. */
bool identity_login_by_password(identity_call_t *call, const char *username, const char *password);
/* The session (and its user) that a refresh token belongs to, spent or not; both NULL where there is none that lives.
 * Reads. */
bool identity_refresh_session(identity_call_t *call, const char *token, identity_refresh_row_t **refresh,
                              identity_session_row_t **session, identity_user_row_t **user);
/* Else 400, and the cookie is cleared. */
bool identity_refresh_cookie_single(identity_call_t *call);
const char *identity_refresh_cookie(identity_call_t *call); /* the token in the cookie, NULL where it is none */
void identity_session_cookies_clear(identity_call_t *call); /* where a session has ended */
/* What was sent in a cookie of that name, with prefix a typed secret; NULL where there is none, or several that differ.
 */
const char *identity_cookie(identity_call_t *call, const char *name, const char *prefix);
/* Secure but for plain HTTP over loopback. */
void identity_cookie_set(identity_call_t *call, const identity_cookie_t *cookie);
/* For /v1/oauth only, SameSite=Strict. seconds 0: it is taken back. */
void identity_oauth_cookie_set(identity_call_t *call, const char *name, const char *value, apr_int64_t seconds);
bool identity_cookie_plain(const identity_call_t *call); /* is Secure left off? */

/* The access cookie (cookies.c). Set and cleared where the location has it. */
void identity_access_cookie_set(identity_call_t *call, const identity_session_row_t *session);
void identity_access_cookie_clear(identity_call_t *call);
/* Was it sent by a page of the origin that it was sent to, or of IdentityPublicURL's? */
bool identity_origin_fits(const identity_call_t *call);
const char *identity_access_cookie(identity_call_t *call); /* what was sent under its name, or NULL */
/* The session that it names, NULL where it is none of ours. No look-up. */
const char *identity_access_cookie_session(identity_call_t *call, const char *text);
/* What came with this cookie only and changes something was sent by a page of the same origin: 403 otherwise. */
bool identity_own_page(identity_call_t *call);
/* Moves the session's idle end on, now and then. */
void identity_session_used(identity_call_t *call, const identity_principal_t *principal,
                           const identity_cache_lookup_t *lookup);

bool identity_session_live(const identity_session_row_t *session, const identity_user_row_t *user, apr_time_t now);

/* An access token: what it says, and its text. ends: when what it lives by ends, 0 for never; whole: then and not
 * before. */
typedef struct identity_access {
    const char *subject, *session_id, *client_id, *entity_id;
    bool whole;
    apr_time_t ends, issued_at, expires_at;
    const char *text;
} identity_access_t;
bool identity_access_sign(identity_call_t *call, identity_access_t *access);

/* Was a request that a cookie came with sent by a page of ours, or by no browser at all? 403 otherwise (security 42).
 */
bool identity_same_origin(identity_call_t *call);

/* May a secret come this way: TLS, or this machine itself? 403 otherwise. */
bool identity_transport_fits(identity_call_t *call);

/* Somebody signed in shows who it is by the body's current_password: 400 naming it, 429, and a refusal on record.
 * lacking: the sentence where it is not there. No connection may be held. */
bool identity_owner_proved(identity_call_t *call, const identity_user_row_t *user, const char *lacking);

json_t *identity_made_keys_json(const apr_array_header_t *rows); /* their ids */

/* ---- credentials ------------------------------------------------------------------------------------------------- */

/* What stands behind a scheme in Authorization, NULL for another scheme. */
const char *identity_scheme(const char *authorization, const char *name);
/* What an authentication was refused for, where it was not good. */
void identity_authentication_end(const identity_call_t *call, bool good, identity_authentication_t *out);
/* The live key of that text: *row NULL for anything else. Reads. */
bool identity_apikey_verify(identity_call_t *call, const char *text, identity_key_row_t **row);
#define IDENTITY_LAST_USE_STEP apr_time_from_sec(60) /* the last use of a key is written that often */
/* What a live access token stands for: *who NULL for anything else. user is NULL for a key's and a visitor's. */
typedef struct identity_bearer {
    identity_claims_t claims;
    identity_principal_t *principal;
    identity_session_row_t *session;
    identity_user_row_t *user;
    identity_key_row_t *key;
} identity_bearer_t;
/* Signature and claims; no look-up. */
bool identity_bearer_verify(identity_call_t *call, const char *text, identity_bearer_t *bearer);
/* identity_work_t: looks up what the verified claims name. */
bool identity_bearer_load(identity_call_t *call, void *bearer);

/* ---- OAuth in its standard forms (oauth_answer.c, client_auth.c) ------------------------------------------------- */

/* 200 of RFC 6749, 5.1. refresh: NULL without one. */
bool identity_oauth_answer(identity_call_t *call, const identity_access_t *access, const char *refresh);
/* The call's problem as RFC 6749, 5.2, has it, with its headers. *status: in, that of the problem's kind; out, that of
 * the answer. A new reference. */
json_t *identity_oauth_problem(identity_call_t *call, int *status);
/* Sets the problem, with the name that a standard answer gives it, and is false. */
#define identity_oauth_deny(call, error, kind, ...)                                                                    \
    ((call)->oauth_error = (error), identity_deny(call, kind, NULL, __VA_ARGS__))

/* A program that shows its API key as a client of OAuth does: by HTTP Basic, in the form, or in the headers that any
 * call takes. */
typedef struct identity_client {
    identity_key_row_t *key; /* NULL: it shows none */
    identity_principal_t *principal;
} identity_client_t;
/* One that is not valid, or shown in two ways at once, is refused. */
bool identity_oauth_client(identity_call_t *call, identity_client_t *client);

/* ---- how people may sign in (sign_in_ways.c) --------------------------------------------------------------------- */

/* A provider with a button on the page. */
typedef struct entry_item {
    const char *name, *handle; /* handle: what GET /v1/oauth/authorize calls it */
} entry_item_t;

typedef struct entry_ways {
    apr_array_header_t *items; /* of entry_item_t: providers that are enabled and configured */
    bool password;
} entry_ways_t;

/* identity_work_t on entry_ways_t: how people sign in here, as far as it can be known before anybody has said who they
 * are. */
bool entry_find_ways(identity_call_t *call, void *ways);

#endif
