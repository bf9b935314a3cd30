/* Operations on identities behind one door, identity_serve. httpd, the unit tests, the fuzzer and htidentity all come
 * in by it; nothing here knows httpd. */
#ifndef IDENTITY_SERVICE_H
#define IDENTITY_SERVICE_H

#include "identity/client.h"
#include "identity/core.h"
#include "identity/store.h"

/* ---- what the operations are told and lent ---------------------------------------------------------------------- */

/* An OpenID provider of the configuration. It is there for every entity, or for one; an entity's own row of the same
 * provider takes its place there. */
typedef struct identity_configured_provider {
    const char *id; /* auth_..., made of the name */
    const char *name, *issuer, *client_id;
    const char *entity;                 /* id or reference; NULL: all */
    const apr_array_header_t *domains;  /* of const char *, lower case: whose addresses it may vouch for; empty: all */
    const apr_array_header_t *verified; /* of domains: addresses that are taken for verified where it does not say */
    identity_oidc_t *oidc;
} identity_configured_provider_t;

/* Classes of routes that IdentityRateLimit knows. */
typedef enum {
    IDENTITY_RATE_NONE,
    IDENTITY_RATE_LOGIN,   /* failed logins, by client address and by account */
    IDENTITY_RATE_TOKEN,   /* failed uses of mailed secrets, alike */
    IDENTITY_RATE_RESET,   /* mails asked for, by the address that they go to */
    IDENTITY_RATE_INVITE,  /* requests, by credential */
    IDENTITY_RATE_MAIL,    /* mails of all kinds that are queued, by the address that they go to */
    IDENTITY_RATE_REFRESH, /* exchanges of refresh tokens, by session */
    IDENTITY_RATE_READ,    /* requests, by credential */
    IDENTITY_RATE_WRITE,
    IDENTITY_RATE_CLASSES
} identity_rate_class_t;

typedef struct identity_rates {
    identity_rate_t of[IDENTITY_RATE_CLASSES];
} identity_rates_t;
extern const identity_rates_t identity_rates_standard;
/* login, token, ...: NULL for NONE; NONE for what is no name of a class. */
const char *identity_rate_class_name(identity_rate_class_t class);
identity_rate_class_t identity_rate_class_find(const char *name);
/* All of them, as a sentence lists them: login, ... or write. */
const char *identity_rate_class_names(apr_pool_t *pool);

/* IdentityRetention: how long rows are kept that nobody needs any more, counted from their end. */
typedef enum { IDENTITY_KEEP_AUDIT, IDENTITY_KEEP_SESSIONS, IDENTITY_KEEP_MAIL, IDENTITY_KEEPS } identity_keep_t;
typedef struct identity_retention {
    apr_interval_time_t of[IDENTITY_KEEPS];
    apr_interval_time_t deleted; /* IdentityDeleteAfter: of users, from their deletion to their erasure */
    apr_interval_time_t leaves;  /* exchanged refresh tokens: the idle lifetime of sessions */
} identity_retention_t;
extern const identity_retention_t identity_retention_standard;
/* audit, sessions, mail. */
const char *identity_keep_name(identity_keep_t keep);
/* IDENTITY_KEEPS for what is no name of one. */
identity_keep_t identity_keep_find(const char *name);

/* Settings of a virtual host, fixed after start. Durations in microseconds. */
typedef struct identity_settings {
    const char *public_url; /* no trailing slash: origin of mailed links and issuer of tokens (security 30) */
    bool require_tls;
    size_t max_body;
    apr_interval_time_t access_lifetime, refresh_idle, refresh_absolute, invite_lifetime, reset_lifetime;
    apr_interval_time_t personal_key_lifetime;
    identity_hash_parameters_t hash;
    size_t password_minimum;
    const identity_blocklist_t *blocklist; /* of passwords, or NULL */
    bool password_grant;
    bool logins; /* IdentityUserName login: logins sign in, and are r->user */
    identity_rates_t rates;
    identity_retention_t retention;
    const unsigned char *key_escrow;    /* 32 bytes by which the text of new API keys is sealed; NULL: it is not kept */
    const identity_mail_target_t *mail; /* NULL: nothing that needs a mail can be done (503) */
    const char *mail_from;
    const identity_mail_templates_t *mail_templates; /* NULL only where mail is */
    const apr_array_header_t *providers;             /* of identity_configured_provider_t *; NULL: none */
    const apr_array_header_t *redirect_uris; /* of const char *: where a sign-on may come back to; NULL: nowhere */
    bool sso_provision;                      /* unknown people of a listed domain become users */
    const identity_captcha_t *captcha;       /* what visitors are asked by; NULL: there are none */
    const char *demo_account;                /* that anybody may look at, id or reference; NULL: none */
    apr_interval_time_t demo_lifetime;       /* of such a visit */
    bool sandbox;                            /* anybody may have an entity of their own, for sandbox_lifetime */
    apr_interval_time_t sandbox_lifetime;
    const char *urn_namespace, *urn_region; /* of the names of invitations */
    identity_catalogue_t catalogue;         /* which permissions and roles are built in */
    apr_interval_time_t stale;              /* how much longer who is remembered is let in while the database is away */
} identity_settings_t;

/* The part of them that htidentity goes by, too, as an object that holds no secret; and back: members that are absent
 * stay as they are. */
json_t *identity_settings_json(const identity_settings_t *settings);
void identity_settings_read(apr_pool_t *pool, const json_t *object, identity_settings_t *settings);

/* ---- the semaphore of password hashing (password_semaphore.c) --------------------------------------------------- */

/* Who asks for a hash. hash and password: where it verifies one, so that equal requests at the same moment can share
 * it; NULL where a new hash is made. */
typedef struct identity_hash_request {
    const char *client, *account; /* address; whose password it is. NULL counts as "" */
    const char *hash, *password;
} identity_hash_request_t;

typedef enum { IDENTITY_HASH_UNKNOWN, IDENTITY_HASH_RIGHT, IDENTITY_HASH_WRONG } identity_hash_result_t;

typedef enum {
    IDENTITY_HASH_ENTERED, /* hash, then leave */
    IDENTITY_HASH_SHARED,  /* an equal request has done it: the ticket has its result; nothing to leave */
    IDENTITY_HASH_REFUSED  /* no place in the queue, or no slot in ten seconds */
} identity_hash_turn_t;

typedef struct identity_hash_ticket {
    unsigned entry;
    apr_uint64_t number;
    identity_hash_result_t result; /* of SHARED: RIGHT or WRONG */
    bool waited;
} identity_hash_ticket_t;

typedef struct identity_hashsem identity_hashsem_t;

/* Memory for it, shared by all processes and all zero; init once, before they use it. */
size_t identity_hashsem_size(unsigned slots);
bool identity_hashsem_init(void *memory, const identity_random_t *random);
/* A handle on memory of identity_hashsem_size(slots). gone: whether a process has ended that used it. */
identity_hashsem_t *identity_hashsem_open(apr_pool_t *pool, void *memory, unsigned slots, bool (*gone)(pid_t pid));
/* In a new process before it hashes: one that was killed may have had its number. */
void identity_hashsem_join(identity_hashsem_t *sem);
/* Waits for a slot. Any thread may. */
identity_hash_turn_t identity_hashsem_enter(identity_hashsem_t *sem, const identity_hash_request_t *request,
                                            identity_hash_ticket_t *ticket);
/* result: what those who share it are told; UNKNOWN: they must see for themselves. */
void identity_hashsem_leave(identity_hashsem_t *sem, const identity_hash_ticket_t *ticket,
                            identity_hash_result_t result);
void identity_hashsem_look(identity_hashsem_t *sem, unsigned *hashing, unsigned *queued);

#include "identity/service_metrics.h"

/* ---- the door --------------------------------------------------------------------------------------------------- */

/* Who calls: made from a key, a token, or by the command line. */
typedef enum { IDENTITY_CALLER_KEY, IDENTITY_CALLER_USER, IDENTITY_CALLER_LOCAL } identity_caller_t;

/* A role, by what it may be called: its name in the canonical form, and its slug. */
typedef struct identity_assigned_role {
    const char *id, *name, *slug;
} identity_assigned_role_t;

typedef struct identity_assigned_team {
    const char *id, *name;
} identity_assigned_team_t;

/* What the caller holds in one account. */
typedef struct identity_grant {
    const char *account_id, *reference; /* reference: NULL of a visitor's */
    apr_array_header_t *roles;          /* of identity_assigned_role_t, those within others too; NULL: none */
    identity_member_type_t type;        /* the strongest of its memberships there: ADMIN, then USER, then PARTNER */
    identity_permset_t permissions;
    const identity_permset_t *whole; /* what the person holds whose key narrows that; NULL: the same */
} identity_grant_t;

typedef struct identity_principal {
    identity_caller_t kind;
    const char *id;   /* user_..., apik_..., "" for the command line; of a visitor of the demo account the session's */
    const char *name; /* r->user: the username, a key's id */
    /* ... where IdentityUserName is login: that in lower case, behind the entity's reference and a slash where several
     * entities last. NULL: name. */
    const char *login;
    const char *method;                       /* IDENTITY_AUTH: key, bearer */
    const char *entity_id, *entity_reference; /* reference: NULL of visitors and of the command line */
    bool sandbox;                             /* its entity is one */
    const char *session_id;                   /* NULL for keys */
    const char *key_id;                       /* the personal key by which the user came; NULL: none */
    bool guest; /* of the demo account: a user without a record, who looks and changes nothing */
    apr_time_t authenticated_at;
    apr_time_t expires_at, idle_expires_at; /* of the session; 0 without one */
    bool narrowed;                          /* a key whose own list of permissions leaves it less than its role holds */
    bool entity_wide; /* keys and the command line: the same permissions in every account of the entity */
    identity_permset_t entity_permissions; /* where entity_wide */
    apr_array_header_t *grants;            /* of identity_grant_t, for users */
    apr_array_header_t *teams;             /* of identity_assigned_team_t, for users: those it is in now; NULL: none */
    apr_time_t changes_at; /* when a time in a team begins or ends next: it is not this any more then; 0: never */
    apr_time_t ends_at;    /* the first of all these times, a key's end too; 0: never. Like stamp only of who has been
                              authenticated where there are revisions */
    identity_snapshot_t snapshot; /* as of which revisions it was read */
} identity_principal_t;

/* What r->user, IDENTITY_USERNAME and X-Identity-Username are. */
const char *identity_remote_user(const identity_settings_t *settings, const identity_principal_t *principal);

/* Headers that are read; NULL where absent or empty. */
typedef struct identity_headers {
    const char *authorization, *api_key, *cookie, *content_type, *platform_id, *resource_id, *user_agent;
    const char *origin, *fetch_site; /* Origin, Sec-Fetch-Site */
    const char *if_match, *if_none_match, *accept_language, *api_version;
    const char *accept, *fetch_destination; /* Accept, Sec-Fetch-Dest */
    const char *idempotency_key;            /* "" where it is there and empty: that is no key */
} identity_headers_t;

/* The request whose answer the page that signs in takes the place of (httpd's ErrorDocument). */
typedef struct identity_stand_in {
    int status;          /* 401 or 403; 0: it is asked for itself */
    const char *path;    /* what was asked for, with its query, as it was sent */
    const char *user;    /* who is known there, or NULL */
    const char *contact; /* whom to ask (ServerAdmin), or NULL */
    bool cookie;         /* the access cookie is taken there: signing in may help */
} identity_stand_in_t;

typedef struct identity_route identity_route_t;
#define IDENTITY_PATH_IDS 2

/* What method and path name, by the table of routes. */
typedef struct identity_match {
    enum { IDENTITY_MATCH_NOTHING, IDENTITY_MATCH_PATH, IDENTITY_MATCH_ROUTE } kind; /* PATH: but not by that method */
    const identity_route_t *route;      /* NULL: NOTHING; of PATH: the first of the path's */
    const char *ids[IDENTITY_PATH_IDS]; /* the segments in braces, NULL without one */
    const char *allow;                  /* of PATH: the methods that there are */
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
    const char *own_origin;     /* of a request to a protected place: where it was sent to, https://app.example.org */
    bool upgrade;               /* ... asks for another protocol, such as WebSocket */
    identity_stand_in_t stand_in;
    const char *request_id; /* reqr_..., made with identity_request_id */
    bool has_body;          /* a body was announced (Content-Length other than 0, or chunked) */
    /* Reads the body to its end, at most limit bytes, NUL-terminated in pool. NONE, or TOO_LARGE, TIMEOUT, BAD_REQUEST,
     * MEDIA_TYPE (it came in a Content-Encoding). NULL: there is no body. */
    identity_problem_kind_t (*read_body)(void *context, apr_pool_t *pool, size_t limit, char **text, size_t *length);
    void *body_context;
} identity_request_t;

typedef struct identity_response {
    int status;
    const char *content_type; /* NULL: no body */
    const char *body;
    size_t length;
    apr_table_t *headers;  /* further ones: Allow, WWW-Authenticate, Retry-After, Set-Cookie, Cache-Control, ...;
                              X-REQUEST-ID too */
    const char *operation; /* id of the route for logs, NULL where none matched */
    int route;             /* its number for counters, -1 where none matched */
} identity_response_t;

/* What the authentication phase found; handed back to identity_serve. */
typedef struct identity_authentication {
    bool refused; /* problem says why */
    identity_problem_t problem;
    bool credential;                       /* one was sent */
    bool ambiguous;                        /* two were sent */
    const identity_principal_t *principal; /* NULL for public routes without a credential, and where refused */
    /* Of identity_identify. */
    const char *method;     /* how it was shown: key, bearer, basic, cookie */
    const char *account_id; /* the one that the request counts in: NULL: each that the caller is in */
} identity_authentication_t;

/* The error code of a challenge (RFC 6750, 3.1); NULL: none, as where no credential was sent (security 44). */
const char *identity_authentication_error(const identity_authentication_t *found, bool bearer);

const char *identity_request_id(apr_pool_t *pool, const identity_env_t *env);

/* Does a person's browser want to show the answer: Accept names text/html, and Sec-Fetch-Dest, if any, a document? */
bool identity_wants_page(const identity_request_t *in);

/* Finds what method and path name, once: authentication and operation go by it. */
void identity_request_match(apr_pool_t *pool, identity_request_t *in);

/* Is it a call by which people come in: one below /v1/oauth or /.well-known that needs no credential? */
bool identity_request_open(const identity_request_t *in);

/* The authentication phase of a request to the API: finds the one credential, checks transport (403), key or token with
 * its session (401), faults (503). A route that is public answers without a credential; a wrong or unknown path is left
 * to identity_serve. Borrows and returns one connection at a time. */
void identity_authenticate(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                           identity_authentication_t *out);

/* Is it still who it was when it was read? False also where that cannot be told: the database must be asked. */
bool identity_principal_current(const identity_env_t *env, const identity_principal_t *principal);
/* What it is now, read anew without its credential: of a session or key that has ended, or of somebody who is not
 * active any more, nothing. The end of an access token alone is none. */
typedef enum {
    IDENTITY_RENEWAL_DONE, /* *now, in pool */
    IDENTITY_RENEWAL_ENDED,
    IDENTITY_RENEWAL_UNKNOWN /* the database is away, and IdentityStale lets who was known be known for now */
} identity_renewal_t;
identity_renewal_t identity_principal_renew(apr_pool_t *pool, const identity_env_t *env,
                                            const identity_principal_t *before, const identity_principal_t **now);

/* ---- whatever else a server serves (authenticate.c, authorization.c)
 * ----------------------------------------------------- */

/* What a protected place takes beside X-API-KEY and Authorization: Bearer, ApiKey. */
typedef struct identity_accepts {
    bool basic_keys; /* Authorization: Basic with a key as the password, whatever the user name */
    bool cookie;     /* the access cookie, where nothing else was sent */
} identity_accepts_t;

/* Over TLS its name begins with __Host-. */
#define IDENTITY_ACCESS_COOKIE  "identity_access"
#define IDENTITY_REFRESH_COOKIE "identity_refresh"

/* Does the value of a header hold, by its form alone, a key or token of ours: a key with the right checksum, or a JWT
 * with our issuer and one of our key ids, after whatever scheme, more than once, or as name or password of Basic? Each
 * that is found goes into secrets (const char *), unless that is NULL. Looks nothing up. */
bool identity_credential_formed(apr_pool_t *pool, const identity_env_t *env, const char *value,
                                apr_array_header_t *secrets);

/* Who sends a request to anything that is not the API. Beside a good access cookie, headers that are no credential of
 * ours by their form are another program's business. Refused: two credentials (400), none or one that is not valid
 * (401), plain HTTP, a cookie without proof that a page of the same origin sent it, an account that is not the caller's
 * (403), a fault (503). Visitors of the demo account and who is of a sandbox are nobody here (403): anybody can be
 * one. */
void identity_identify(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                       const identity_accepts_t *accepts, identity_authentication_t *out);
/* The same by user name and password, under the rules of a login (limits, hashing, audit) but without a session: 401,
 * 403 (plain HTTP, IdentityPasswordGrant Off), 429, 503. A password that was right is not hashed again for
 * IDENTITY_PASSWORD_REMEMBERED by the same client, as long as it is the user's. */
#define IDENTITY_PASSWORD_REMEMBERED apr_time_from_sec(300)
void identity_identify_password(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                                const char *username, const char *password, identity_authentication_t *out);

/* In the account, or, where account_id is NULL, in each of the caller's (there must be one). */
bool identity_may(const identity_principal_t *principal, const char *account_id, const char *permission);
/* role: a slug or an id, never a name: whoever may make roles may give them any name. Keys have no roles. */
bool identity_has_role(const identity_principal_t *principal, const char *account_id, const char *role);
/* The same in any account, whichever was chosen: for rules below a negation. */
bool identity_may_anywhere(const identity_principal_t *principal, const char *permission);
bool identity_has_role_anywhere(const identity_principal_t *principal, const char *role);
/* False for callers that cannot have roles, teams or memberships at all (the key of an entity): not having one proves
 * nothing about them. */
bool identity_can_belong(const identity_principal_t *principal);
/* Of an account or an entity, by id or by reference; of a team, by id: names change, and teams may share one. */
bool identity_in_account(const identity_principal_t *principal, const char *account);
bool identity_in_team(const identity_principal_t *principal, const char *team);
bool identity_in_entity(const identity_principal_t *principal, const char *entity);
/* What a rule may name in an entity (NULL: in any), and a phrase about it where it is not there (or, of a team, is
 * named otherwise); NULL where it is, and where the database cannot be asked. Reads: for the log of a refusal. */
typedef enum {
    IDENTITY_NAMED_ROLE,
    IDENTITY_NAMED_ACCOUNT,
    IDENTITY_NAMED_TEAM,
    IDENTITY_NAMED_ENTITY
} identity_named_t;
const char *identity_named_missing(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                                   identity_named_t kind, const char *name);
/* Names of what the caller may do (identity_may), with a comma between; cut behind a name at max bytes. `*`: all,
 * */
const char *identity_permission_list(apr_pool_t *pool, const identity_principal_t *principal, const char *account_id,
                                     size_t max);

/* Answers a request that was matched. authentication must come from identity_authenticate on the same request (or
 * identity_authenticate_local): NULL answers 401, never more. Everything is in pool. HEAD is answered as GET; the
 * caller leaves the body out. */
void identity_serve(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                    const identity_authentication_t *authentication, identity_response_t *out);

/* The answer to a request that httpd refuses with that status, whether by itself or because authentication has refused
 * it. in: NULL where the request was not claimed; authentication: NULL where nobody was asked. */
void identity_serve_refused(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                            const identity_authentication_t *authentication, int status, identity_response_t *out);

/* ---- cleaning --------------------------------------------------------------------------------------------------- */

/* Deletes a batch of what has had its time: answers to Idempotency-Keys (48 hours old), visits of the demo account,
 * sandboxes with all that is in them, the list of changes (10 minutes old), and what IdentityRetention says. Returns
 * how many rows went: 0 where nothing is left, which costs a few look-ups. Never fails: logs. */
int identity_purge(apr_pool_t *pool, const identity_env_t *env);
/* The same, but where others write just now: IDENTITY_PURGE_BUSY, and nothing was done. */
#define IDENTITY_PURGE_BUSY -1
int identity_purge_nowait(apr_pool_t *pool, const identity_env_t *env);
/* Batch after batch until nothing is left, with a pause after each in which others can write; how many rows of a kind
 * went (of sandboxes: parts of them). False where one could not be done: logged. */
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
bool identity_purge_all(apr_pool_t *pool, const identity_env_t *env, apr_int64_t deleted[IDENTITY_PURGED_KINDS]);

/* Counts in env->revisions what others (other nodes, the command line, a child that died) have changed since the last
 * round: one read. To be called about once a second, by one process; who is remembered is believed only while that goes
 * on. False where the database could not be asked: logs. */
bool identity_poll_changes(apr_pool_t *pool, const identity_env_t *env);

/* ---- delivery --------------------------------------------------------------------------------------------------- */

/* What is remembered of the way out from one round to the next, by the process that sends; zeroed at first. */
typedef struct identity_courier {
    apr_time_t not_before; /* the mail server is not tried earlier */
    unsigned failures;     /* in a row, to reach or use it */
    char unrecorded[40];   /* id of a mail that was sent when the database was away, or "" */
    apr_time_t sent_at;
} identity_courier_t;

/* One round of the outbox: leases due mails to owner, sends them with no connection held, records what became of each;
 * stop (or NULL) is asked between mails and while one takes long, what is left is returned. An outage of the mail
 * server ends the round; until courier->not_before nothing is asked, not even the database. owner: PLACE:PID, PLACE
 * unique to one process table; leases of dead processes of the same place are taken over. One round at a time for an
 * owner. Returns how many mails left. Never fails: logs. */
int identity_deliver(apr_pool_t *pool, const identity_env_t *env, const char *owner, identity_courier_t *courier,
                     const identity_stop_t *stop);

#include "identity/service_site.h"

#endif
