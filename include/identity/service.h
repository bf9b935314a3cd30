/* SPDX-License-Identifier: Apache-2.0 */
/* The identity operations behind one entry point, identity_serve. httpd, the unit tests, the fuzzer and htidentity
 * all call it; nothing here knows httpd. */
#ifndef IDENTITY_SERVICE_H
#define IDENTITY_SERVICE_H

#include "identity/client.h"
#include "identity/core.h"
#include "identity/store.h"

/* ---- what the operations are told and lent ---------------------------------------------------------------------- */

/* An OpenID provider from the configuration, for all entities or for one. Within an entity, its own row of the same
 * provider takes precedence. */
typedef struct identity_configured_provider {
    const char *id; /* auth_..., derived from the name */
    const char *name, *issuer, *client_id;
    const char *entity; /* id or reference; NULL: all */
    const apr_array_header_t *
        domains; /* of const char *, lower case: domains whose addresses it may vouch for; empty: all */
    const apr_array_header_t
        *verified; /* of domains whose addresses count as verified if it does not say */
    identity_oidc_t *oidc;
} identity_configured_provider_t;

/* Classes of routes that IdentityRateLimit knows. */
typedef enum {
    IDENTITY_RATE_NONE,
    IDENTITY_RATE_LOGIN,   /* failed logins, by client address and by account */
    IDENTITY_RATE_TOKEN,   /* failed uses of mailed secrets, alike */
    IDENTITY_RATE_RESET,   /* mails requested, by recipient address */
    IDENTITY_RATE_INVITE,  /* requests, by credential */
    IDENTITY_RATE_MAIL,    /* queued mails of all kinds, by recipient address */
    IDENTITY_RATE_REFRESH, /* exchanges of refresh tokens, by session */
    IDENTITY_RATE_READ,    /* requests, by credential */
    IDENTITY_RATE_WRITE,
    IDENTITY_RATE_CLASSES
} identity_rate_class_t;

typedef struct identity_rates {
    identity_rate_t of[IDENTITY_RATE_CLASSES];
} identity_rates_t;
extern const identity_rates_t identity_rates_standard;
/* login, token, ...: NULL for NONE; NONE for an unknown name. */
const char *identity_rate_class_name(identity_rate_class_t class);
identity_rate_class_t identity_rate_class_find(const char *name);
/* All class names, for use in a sentence: login, ... or write. */
const char *identity_rate_class_names(apr_pool_t *pool);

/* IdentityRetention: how long rows are kept that are no longer needed, counted from their end. */
typedef enum {
    IDENTITY_KEEP_AUDIT,
    IDENTITY_KEEP_SESSIONS,
    IDENTITY_KEEP_MAIL,
    IDENTITY_KEEPS
} identity_keep_t;
typedef struct identity_retention {
    apr_interval_time_t of[IDENTITY_KEEPS];
    apr_interval_time_t
        deleted; /* IdentityDeleteAfter: time from a user's deletion to its erasure */
    apr_interval_time_t leaves; /* exchanged refresh tokens: the idle lifetime of sessions */
} identity_retention_t;
extern const identity_retention_t identity_retention_standard;
/* audit, sessions, mail. */
const char *identity_keep_name(identity_keep_t keep);
/* IDENTITY_KEEPS for an unknown name. */
identity_keep_t identity_keep_find(const char *name);

/* Settings of a virtual host, fixed after start. Durations in microseconds. */
typedef struct identity_settings {
    const char *
        public_url; /* no trailing slash: origin of mailed links and issuer of tokens (security 30) */
    bool require_tls;
    size_t max_body;
    apr_interval_time_t access_lifetime, refresh_idle, refresh_absolute, invite_lifetime,
        reset_lifetime;
    apr_interval_time_t personal_key_lifetime;
    identity_hash_parameters_t hash;
    size_t password_minimum;
    const identity_blocklist_t *blocklist; /* of passwords, or NULL */
    bool password_grant;
    bool logins; /* IdentityUserName login: users sign in by login, and r->user is the login */
    identity_rates_t rates;
    identity_retention_t retention;
    const unsigned char *
        key_escrow; /* 32-byte key that seals the text of new API keys; NULL: the text is not kept */
    const identity_mail_target_t *mail; /* NULL: operations that need to send mail fail with 503 */
    const char *mail_from;
    const identity_mail_templates_t *mail_templates; /* NULL only if mail is NULL */
    const apr_array_header_t *providers; /* of identity_configured_provider_t *; NULL: none */
    const apr_array_header_t
        *redirect_uris; /* of const char *: allowed redirect URIs of a sign-on; NULL: none */
    bool sso_provision; /* unknown people from a listed domain become users */
    const identity_captcha_t *captcha; /* captcha for guests; NULL: guests are disabled */
    const char *demo_account;          /* open to anybody, id or reference; NULL: none */
    apr_interval_time_t demo_lifetime; /* of a guest session */
    bool sandbox; /* anybody may create a sandbox entity, for sandbox_lifetime */
    apr_interval_time_t sandbox_lifetime;
    const char *urn_namespace, *urn_region;  /* used in the names of invitations */
    bool openid;                             /* IdentityOpenID: applications sign people in here */
    const identity_openid_key_t *openid_key; /* signs their ID tokens by RS256; NULL: none */
    identity_catalogue_t catalogue;          /* which permissions and roles are built in */
    apr_interval_time_t
        stale; /* grace period: cached principals stay valid this long during a database outage */
} identity_settings_t;

/* The settings that htidentity needs too, as a JSON object without secrets, and back: absent members keep their
 * value. */
json_t *identity_settings_json(const identity_settings_t *settings);
void identity_settings_read(apr_pool_t *pool, const json_t *object, identity_settings_t *settings);

/* ---- the semaphore of password hashing (password_semaphore.c) --------------------------------------------------- */

/* A request for a hash. hash and password are set to verify one, so that equal concurrent requests can share the
 * result; NULL to make a new hash. */
typedef struct identity_hash_request {
    const char *client, *account; /* address; owner of the password. NULL counts as "" */
    const char *hash, *password;
} identity_hash_request_t;

typedef enum {
    IDENTITY_HASH_UNKNOWN,
    IDENTITY_HASH_RIGHT,
    IDENTITY_HASH_WRONG
} identity_hash_result_t;

typedef enum {
    IDENTITY_HASH_ENTERED, /* hash, then leave */
    IDENTITY_HASH_SHARED, /* an equal request has done the work: the result is in the ticket; do not leave */
    IDENTITY_HASH_REFUSED /* the queue is full, or no slot came free in ten seconds */
} identity_hash_turn_t;

typedef struct identity_hash_ticket {
    unsigned entry;
    apr_uint64_t number;
    identity_hash_result_t result; /* of SHARED: RIGHT or WRONG */
    bool waited;
} identity_hash_ticket_t;

typedef struct identity_hashsem identity_hashsem_t;

/* Size of its memory, which all processes share and which must be zeroed; call init once, before anything uses it. */
size_t identity_hashsem_size(unsigned slots);
bool identity_hashsem_init(void *memory, const identity_random_t *random);
/* A handle on memory of identity_hashsem_size(slots). gone: has the process that used it ended? */
identity_hashsem_t *identity_hashsem_open(apr_pool_t *pool, void *memory, unsigned slots,
                                          bool (*gone)(pid_t pid));
/* Called in a new process before it hashes: a killed process may have had the same pid. */
void identity_hashsem_join(identity_hashsem_t *sem);
/* Waits for a slot. Thread-safe. */
identity_hash_turn_t identity_hashsem_enter(identity_hashsem_t *sem,
                                            const identity_hash_request_t *request,
                                            identity_hash_ticket_t *ticket);
/* result: passed on to the requests that share it; UNKNOWN: they hash for themselves. */
void identity_hashsem_leave(identity_hashsem_t *sem, const identity_hash_ticket_t *ticket,
                            identity_hash_result_t result);
void identity_hashsem_look(identity_hashsem_t *sem, unsigned *hashing, unsigned *queued);

#include "identity/service_metrics.h"

/* ---- entry point ---------------------------------------------------------------------------------------------------
 */

/* What the caller authenticated with: a key, a user's token, or the command line. */
typedef enum { IDENTITY_CALLER_KEY, IDENTITY_CALLER_USER, IDENTITY_CALLER_LOCAL } identity_caller_t;

/* A role, with the names that rules may use: its canonical name and its slug. */
typedef struct identity_assigned_role {
    const char *id, *name, *slug;
} identity_assigned_role_t;

typedef struct identity_assigned_team {
    const char *id, *name;
} identity_assigned_team_t;

/* The caller's rights in one account. */
typedef struct identity_grant {
    const char *account_id, *reference; /* reference: NULL for guests */
    apr_array_header_t *roles; /* of identity_assigned_role_t, child roles included; NULL: none */
    identity_member_type_t
        type; /* the strongest membership type there: ADMIN, then USER, then PARTNER */
    identity_permset_t permissions;
    const identity_permset_t
        *whole; /* permissions of the owner of a narrowed key; NULL: the same */
} identity_grant_t;

typedef struct identity_principal {
    identity_caller_t kind;
    const char *
        id; /* user_..., apik_..., "" for the command line; for a guest of the demo account the session's id */
    const char *name; /* r->user: the username, a key's id */
    /* ... with IdentityUserName login: the lower-case login, prefixed with the entity's reference and a slash if
     * several lasting entities exist. NULL: name. */
    const char *login;
    const char *method;                       /* IDENTITY_AUTH: key, bearer */
    const char *entity_id, *entity_reference; /* reference: NULL for guests and the command line */
    bool sandbox;                             /* its entity is a sandbox */
    const char *session_id;                   /* NULL for keys */
    const char *key_id; /* the personal key that the user authenticated with; NULL: none */
    bool guest;         /* of the demo account: no user record, read-only */
    apr_time_t authenticated_at;
    apr_time_t expires_at, idle_expires_at; /* of the session; 0 if there is none */
    bool narrowed; /* a key whose own permission list gives it less than its role */
    bool
        entity_wide; /* keys and the command line: the same permissions in every account of the entity */
    identity_permset_t entity_permissions; /* where entity_wide */
    apr_array_header_t *grants;            /* of identity_grant_t, for users */
    apr_array_header_t
        *teams; /* of identity_assigned_team_t, for users: present teams; NULL: none */
    apr_time_t
        changes_at; /* when a team membership next begins or ends, which makes this principal outdated; 0: never */
    apr_time_t
        ends_at; /* the earliest of all these times and a key's expiry; 0: never. Like snapshot, only set for
                           authenticated callers when revisions are available */
    identity_snapshot_t snapshot; /* as of which revisions it was read */
} identity_principal_t;

/* The value of r->user, IDENTITY_USERNAME and X-Identity-Username. */
const char *identity_remote_user(const identity_settings_t *settings,
                                 const identity_principal_t *principal);

/* The request headers that are evaluated; NULL if absent or empty. */
typedef struct identity_headers {
    const char *authorization, *api_key, *cookie, *content_type, *platform_id, *resource_id,
        *user_agent;
    const char *origin, *fetch_site; /* Origin, Sec-Fetch-Site */
    const char *if_match, *if_none_match, *accept_language, *api_version;
    const char *accept, *fetch_destination; /* Accept, Sec-Fetch-Dest */
    const char *idempotency_key;            /* "" if present but empty, which is not a valid key */
} identity_headers_t;

/* The request whose answer is replaced by the sign-in page (httpd's ErrorDocument). */
typedef struct identity_stand_in {
    int status;          /* 401 or 403; 0: the page was requested directly */
    const char *path;    /* the requested path with its query, as sent */
    const char *user;    /* the authenticated user there, or NULL */
    const char *contact; /* contact (ServerAdmin), or NULL */
    bool cookie;         /* the access cookie is accepted there: signing in may help */
} identity_stand_in_t;

typedef struct identity_route identity_route_t;
#define IDENTITY_PATH_IDS 2

/* The result of matching method and path against the route table. */
typedef struct identity_match {
    enum {
        IDENTITY_MATCH_NOTHING,
        IDENTITY_MATCH_PATH,
        IDENTITY_MATCH_ROUTE
    } kind;                        /* PATH: the path exists, but not with that method */
    const identity_route_t *route; /* NULL for NOTHING; for PATH, the first route of the path */
    const char *ids[IDENTITY_PATH_IDS]; /* values of the segments in braces, NULL where unused */
    const char *allow;                  /* for PATH: the methods that the path has */
} identity_match_t;

typedef struct identity_request {
    const char *method;     /* upper case */
    const char *path;       /* decoded, /v1/users */
    const char *query;      /* raw, without ?, or NULL */
    identity_match_t match; /* set by identity_request_match */
    identity_headers_t headers;
    const char *client_address; /* of the person (behind mod_remoteip the real one) */
    bool secure;                /* TLS */
    bool loopback;              /* the connection itself comes over loopback */
    bool origin_granted;        /* Origin is one that IdentityCORSOrigin names */
    bool access_cookie;         /* who signs in gets the access cookie, too (IdentityCookie) */
    const char *
        own_origin; /* of a request to a protected location: the origin it was sent to, https://app.example.org */
    bool upgrade; /* ... it asks to upgrade to another protocol, such as WebSocket */
    identity_stand_in_t stand_in;
    const char *request_id; /* reqr_..., made with identity_request_id */
    bool has_body;          /* has a body (Content-Length other than 0, or chunked) */
    /* Reads the whole body, at most limit bytes, NUL-terminated in pool. NONE, or TOO_LARGE, TIMEOUT, BAD_REQUEST,
     * MEDIA_TYPE (it has a Content-Encoding). NULL: there is no body. */
    identity_problem_kind_t (*read_body)(void *context, apr_pool_t *pool, size_t limit, char **text,
                                         size_t *length);
    void *body_context;
} identity_request_t;

typedef struct identity_response {
    int status;
    const char *content_type; /* NULL: no body */
    const char *body;
    size_t length;
    apr_table_t *
        headers; /* additional headers: Allow, WWW-Authenticate, Retry-After, Set-Cookie, Cache-Control, ...;
                              X-REQUEST-ID too */
    const char *operation; /* route id for logs, NULL if none matched */
    int route;             /* route number for metrics, -1 if none matched */
} identity_response_t;

/* The result of the authentication phase, passed on to identity_serve. */
typedef struct identity_authentication {
    bool refused; /* see problem */
    identity_problem_t problem;
    bool credential; /* a credential was sent */
    bool ambiguous;  /* several credentials were sent */
    const identity_principal_t
        *principal; /* NULL for public routes without a credential, and if refused */
    /* From identity_identify. */
    const char *method;     /* how it was presented: key, bearer, basic, cookie */
    const char *account_id; /* the account that the request refers to; NULL: each of the caller's */
} identity_authentication_t;

/* The error code of a challenge (RFC 6750, 3.1); NULL: none, as when no credential was sent (security 44). */
const char *identity_authentication_error(const identity_authentication_t *found, bool bearer);

const char *identity_request_id(apr_pool_t *pool, const identity_env_t *env);

/* Does a browser want to show the answer to a person: does Accept name text/html, and Sec-Fetch-Dest, if present, a
 * document? */
bool identity_wants_page(const identity_request_t *in);

/* Matches method and path against the route table, once, for both authentication and operation. */
void identity_request_match(apr_pool_t *pool, identity_request_t *in);

/* Is it one of the public sign-in endpoints: below /v1/oauth or /.well-known, without a required credential? */
bool identity_request_open(const identity_request_t *in);

/* The authentication phase of an API request: finds the credential, checks the transport (403) and the key or token
 * with its session (401); database errors (503). Public routes succeed without a credential; unknown paths are left
 * to identity_serve. Borrows and returns one connection at a time. */
void identity_authenticate(apr_pool_t *pool, const identity_env_t *env,
                           const identity_request_t *in, identity_authentication_t *out);

/* Is the principal unchanged since it was read? False also if this is unknown: then the database must be asked. */
bool identity_principal_current(const identity_env_t *env, const identity_principal_t *principal);
/* Reads the principal again, without its credential. For an ended session or key, and for a user who is no longer
 * active, the result is none. The expiry of an access token alone does not count. */
typedef enum {
    IDENTITY_RENEWAL_DONE, /* *now, in pool */
    IDENTITY_RENEWAL_ENDED,
    IDENTITY_RENEWAL_UNKNOWN /* the database is unavailable, and IdentityStale still accepts the cached principal */
} identity_renewal_t;
identity_renewal_t identity_principal_renew(apr_pool_t *pool, const identity_env_t *env,
                                            const identity_principal_t *before,
                                            const identity_principal_t **now);

/* ---- whatever else a server serves (authenticate.c, authorization.c)
 * ----------------------------------------------------- */

/* Credentials that a protected location accepts besides X-API-KEY and Authorization: Bearer, ApiKey. */
typedef struct identity_accepts {
    bool basic_keys; /* Authorization: Basic with a key as the password and any user name */
    bool cookie;     /* the access cookie, if nothing else was sent */
} identity_accepts_t;

/* Over TLS the name has the prefix __Host-. */
#define IDENTITY_ACCESS_COOKIE  "identity_access"
#define IDENTITY_REFRESH_COOKIE "identity_refresh"

/* Does the header value look like it holds one of our keys or tokens? That is a key with the right checksum, or a
 * JWT with our issuer and one of our key ids, after any scheme, anywhere in the value, or as user name or password
 * of Basic. Each match is added to secrets (const char *) unless that is NULL. Does no look-ups. */
bool identity_credential_formed(apr_pool_t *pool, const identity_env_t *env, const char *value,
                                apr_array_header_t *secrets);

/* Authenticates a request outside the API. With a valid access cookie, headers that do not look like our credentials
 * are left to other programs. Refused: two credentials (400), no valid one (401), plain HTTP, a cookie without proof
 * that a page of the same origin sent it, an account that is not the caller's (403), a database error (503). Guests
 * of the demo account and users of sandboxes get 403 here, because anybody can become one. */
void identity_identify(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                       const identity_accepts_t *accepts, identity_authentication_t *out);
/* Authenticates by user name and password, under the rules of a login (limits, hashing, audit) but without a
 * session: 401, 403 (plain HTTP, IdentityPasswordGrant Off), 429, 503. A correct password is not hashed again for
 * IDENTITY_PASSWORD_REMEMBERED for the same client, as long as it remains the user's password. */
#define IDENTITY_PASSWORD_REMEMBERED apr_time_from_sec(300)
void identity_identify_password(apr_pool_t *pool, const identity_env_t *env,
                                const identity_request_t *in, const char *username,
                                const char *password, identity_authentication_t *out);

/* Checks in that account or, if account_id is NULL, in each of the caller's accounts (there must be one). */
bool identity_may(const identity_principal_t *principal, const char *account_id,
                  const char *permission);
/* role: a slug or an id, never a name, because anyone who may create roles may give them any name. Keys have no
 * roles. */
bool identity_has_role(const identity_principal_t *principal, const char *account_id,
                       const char *role);
/* The same in any account, whichever was selected: for rules below a negation. */
bool identity_may_anywhere(const identity_principal_t *principal, const char *permission);
bool identity_has_role_anywhere(const identity_principal_t *principal, const char *role);
/* False for callers that can never have roles, teams or memberships (an entity's key): for them, the absence of one
 * proves nothing. */
bool identity_can_belong(const identity_principal_t *principal);
/* Accounts and entities by id or reference; teams by id only, because names change and several teams may share one. */
bool identity_in_account(const identity_principal_t *principal, const char *account);
bool identity_in_team(const identity_principal_t *principal, const char *team);
bool identity_in_entity(const identity_principal_t *principal, const char *entity);
/* Looks up a name from a rule in an entity (NULL: in any). Returns a phrase for the log if it does not exist, or is
 * a team that the rule must name by its id; NULL if the name is fine, or if the database cannot be asked. Reads. */
typedef enum {
    IDENTITY_NAMED_ROLE,
    IDENTITY_NAMED_ACCOUNT,
    IDENTITY_NAMED_TEAM,
    IDENTITY_NAMED_ENTITY
} identity_named_t;
const char *identity_named_missing(apr_pool_t *pool, const identity_env_t *env,
                                   const char *entity_id, identity_named_t kind, const char *name);
/* Names of what the caller may do (identity_may), with a comma between; cut behind a name at max bytes. `*`: all,
 * */
const char *identity_permission_list(apr_pool_t *pool, const identity_principal_t *principal,
                                     const char *account_id, size_t max);

/* Answers a matched request. authentication must come from identity_authenticate on the same request (or
 * identity_authenticate_local): NULL answers 401, never more. The answer is in pool. HEAD is answered like GET; the
 * caller omits the body. */
void identity_serve(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                    const identity_authentication_t *authentication, identity_response_t *out);

/* The answer to a request that httpd refuses with that status, on its own or because authentication failed. in: NULL
 * if the request was not claimed; authentication: NULL if authentication did not run. */
void identity_serve_refused(apr_pool_t *pool, const identity_env_t *env,
                            const identity_request_t *in,
                            const identity_authentication_t *authentication, int status,
                            identity_response_t *out);

/* ---- cleaning --------------------------------------------------------------------------------------------------- */

/* Deletes a batch of expired rows: answers to Idempotency-Keys (48 hours old), sessions of demo guests, sandboxes
 * with their contents, change records (10 minutes old), and what IdentityRetention covers. Returns the number of
 * deleted rows: 0 if nothing is left, which costs a few look-ups. Never fails; errors are logged. */
int identity_purge(apr_pool_t *pool, const identity_env_t *env);
/* The same without waiting for the write lock: IDENTITY_PURGE_BUSY if it is taken, and nothing was done. */
#define IDENTITY_PURGE_BUSY -1
int identity_purge_nowait(apr_pool_t *pool, const identity_env_t *env);
/* Repeats batches until nothing is left, with a pause after each so that others can write; deleted: rows of each
 * kind (for sandboxes, parts of them). False if a batch failed, which is logged. */
typedef enum {
    IDENTITY_PURGED_ANSWERS,
    IDENTITY_PURGED_GUESTS,
    IDENTITY_PURGED_CHANGES,
    IDENTITY_PURGED_SANDBOXES,
    IDENTITY_PURGED_USERS,
    IDENTITY_PURGED_AUDIT,
    IDENTITY_PURGED_SESSIONS,
    IDENTITY_PURGED_REFRESH_TOKENS,
    IDENTITY_PURGED_SECRETS,
    IDENTITY_PURGED_MAILS,
    IDENTITY_PURGED_KINDS
} identity_purged_t;
const char *identity_purged_name(identity_purged_t kind);
bool identity_purge_all(apr_pool_t *pool, const identity_env_t *env,
                        apr_int64_t deleted[IDENTITY_PURGED_KINDS]);

/* Adds to env->revisions what others (other nodes, the command line, a child that crashed) have changed since the
 * last round, in one read. To be called about once a second, by one process; cached principals are trusted only
 * while this continues. False if the database could not be asked, which is logged. */
bool identity_poll_changes(apr_pool_t *pool, const identity_env_t *env);

/* ---- delivery --------------------------------------------------------------------------------------------------- */

/* State of mail delivery between rounds, kept by the sending process; zeroed at first. */
typedef struct identity_courier {
    apr_time_t not_before; /* the mail server is not contacted before */
    unsigned failures;     /* consecutive failures to reach or use it */
    char unrecorded
        [40]; /* id of a mail that was sent but not recorded during a database outage, or "" */
    apr_time_t sent_at;
} identity_courier_t;

/* One round of the outbox: leases due mails to owner, sends them without holding a connection, records the outcome
 * of each. stop (or NULL) is polled between mails and during slow ones; unsent mails are returned. An outage of the
 * mail server ends the round, and until courier->not_before nothing is contacted, not even the database. owner:
 * PLACE:PID, with PLACE unique to one process table; leases of dead processes of the same PLACE are taken over. An
 * owner runs one round at a time. Returns the number of mails sent. Never fails; errors are logged. */
int identity_deliver(apr_pool_t *pool, const identity_env_t *env, const char *owner,
                     identity_courier_t *courier, const identity_stop_t *stop);

#include "identity/service_site.h"

#endif
