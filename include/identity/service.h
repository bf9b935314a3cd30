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

/* ---- figures (metrics.c, metrics.def) --------------------------------------------------------------------------- */

#define FAMILY(kind, unit, section, name, help)
#define METRIC(id, labels, key, title) IDENTITY_METRIC_##id,
typedef enum {
#include "identity/metrics.def"
    IDENTITY_METRICS
} identity_metric_t;
#undef FAMILY
#undef METRIC

/* Counters in memory that processes share, in as many parts as there may be processes. */
typedef struct identity_metrics identity_metrics_t;

size_t identity_metrics_size(unsigned parts);
/* In memory of that size, all zero when it is new; the handle lives in pool and is a process's own. */
identity_metrics_t *identity_metrics_make(apr_pool_t *pool, void *memory, unsigned parts);
/* From here on this process counts in that part, whose levels begin at nothing. */
void identity_metrics_use(identity_metrics_t *metrics, unsigned part);
/* The process of that part is gone: its levels go, its counters stay. */
void identity_metrics_leave(identity_metrics_t *metrics, unsigned part);
/* One atomic addition. metrics may be NULL. n below 0: for a LEVEL. */
void identity_metric_add(identity_metrics_t *metrics, identity_metric_t metric, apr_int64_t n);
/* What all processes have added up to. metrics may be NULL: 0. */
apr_int64_t identity_metric_read(const identity_metrics_t *metrics, identity_metric_t metric);
/* A request to the API that was answered. route: its number in routes.def, -1 where none matched. */
void identity_metric_request(identity_metrics_t *metrics, int route, int status, apr_interval_time_t took);
/* The counter of a decision on other content: 401, 403, 5xx, or anything else for let in; method: key, bearer, basic,
 * cookie as IDENTITY_AUTH says, NULL for none. */
identity_metric_t identity_metric_protected(const char *method, int status);

/* What all processes have counted so far; GAUGEs are not known until they are set. */
typedef struct identity_metrics_snapshot identity_metrics_snapshot_t;
identity_metrics_snapshot_t *identity_metrics_read(apr_pool_t *pool, const identity_metrics_t *metrics);
void identity_snapshot_set(identity_metrics_snapshot_t *snapshot, identity_metric_t metric, apr_int64_t n);
/* There may be more of it than were counted. */
void identity_snapshot_open(identity_metrics_snapshot_t *snapshot, identity_metric_t metric);

typedef enum { IDENTITY_LOG_ERROR, IDENTITY_LOG_WARNING, IDENTITY_LOG_INFO, IDENTITY_LOG_DEBUG } identity_log_level_t;

/* One a virtual host (or a test, or the command line); used by many threads at once, so nothing in it changes. */
typedef struct identity_env {
    const identity_settings_t *settings;
    const identity_keyset_t *keys;
    identity_random_t random;
    /* What needs no more than to differ, such as the ids of requests, at less cost. fill NULL: as random. */
    identity_random_t labels;
    apr_time_t (*now)(void *context);
    /* A clock that only goes forward, the same in all processes of the machine, even while it sleeps. NULL where
     * revisions is. */
    apr_time_t (*ticks)(void *context);
    /* A connection for the shortest time; BUSY where none comes within IdentityDatabaseWait. Never two at once in a
     * thread. */
    identity_db_status_t (*borrow)(void *context, apr_pool_t *pool, identity_db_t **db);
    void (*give_back)(void *context, identity_db_t *db);
    /* Could a connection be had, as far as is known? Asked before a caller without a good credential is refused: while
     * nobody can be known the answer is 503. NULL: always; then keys may be missing, too. */
    bool (*available)(void *context, apr_pool_t *pool);
    /* The writers' gate, taken before BEGIN IMMEDIATE and left after COMMIT; false past IdentityDatabaseWait. NULL:
     * none is needed. */
    bool (*enter_write)(void *context);
    void (*leave_write)(void *context);
    /* enter_write without any wait: for what can be written another time. NULL: as enter_write. */
    bool (*try_write)(void *context);
    /* The semaphore of password hashing (architecture, decision 6). NULL: everybody hashes. */
    identity_hash_turn_t (*enter_hash)(void *context, const identity_hash_request_t *request,
                                       identity_hash_ticket_t *ticket);
    void (*leave_hash)(void *context, const identity_hash_ticket_t *ticket, identity_hash_result_t result);
    /* What IdentityRateLimit is counted by, shared by all children: failures and requests; and which clients have
     * proved to be who they say. NULL: nothing is limited. counters_scope: what the names of users and keys belong to
     * (the database). */
    identity_counters_t *counters, *proofs;
    const char *counters_scope;
    /* Of all processes: as of when somebody's rights are known; NULL: nothing tells, so nobody is remembered. And who
     * is remembered in this process; NULL: nobody. */
    identity_revisions_t *revisions;
    identity_cache_t *cache;
    /* What many answers show alike, kept as text in this process under the same revisions; NULL: nothing. */
    identity_cache_t *shared;
    /* Where what happens is counted. NULL: nowhere. */
    identity_metrics_t *metrics;
    /* One line, tagged IDnnnn:, without secrets. request_id may be NULL. */
    void (*log)(void *context, identity_log_level_t level, const char *request_id, const char *line);
    void *context;
} identity_env_t;

/* What the database tells, in a few bounded reads on one connection. Where it does not answer: DATABASE_UP is 0 and the
 * others stay unknown. */
void identity_metrics_statistics(apr_pool_t *pool, const identity_env_t *env, identity_metrics_snapshot_t *snapshot);

/* What is too dear for each who asks: rows, size and oldest row of each table, mails by how long they wait, the newest
 * backup. Taken by one process now and then, and shown by all, from shared memory that was all zero (watch.c). */
typedef struct identity_watch identity_watch_t;
typedef struct identity_watched {
    apr_int64_t size;          /* of the database's file; 0: not known */
    apr_time_t signing_key_at; /* of the newest file with a signing key; 0: not known */
} identity_watched_t;
size_t identity_watch_size(void);
void identity_watch_take(apr_pool_t *pool, const identity_env_t *env, const identity_watched_t *files,
                         identity_watch_t *watch);
void identity_watch_show(const identity_watch_t *watch, identity_metrics_snapshot_t *snapshot);
/* htidentity backup has made one. False: that could not be written. */
bool identity_backup_done(apr_pool_t *pool, const identity_env_t *env);

/* The three forms of the same figures. Lines `IdentityKey: value` as mod_status writes them. */
const char *identity_metrics_lines(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);
/* OpenMetrics 1.0 with its # EOF. */
#define IDENTITY_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
const char *identity_metrics_openmetrics(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);

/* Who looks at the page, and where. */
typedef struct identity_metrics_view {
    const char *site; /* name of the server; escaped here */
    apr_time_t now;
    bool mail;   /* mails are sent at all */
    int refresh; /* seconds after which the page is asked for again, 0: never */
} identity_metrics_view_t;
/* A whole document without script or anything from elsewhere. *policy: its Content-Security-Policy. */
const char *identity_metrics_page(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot,
                                  const identity_metrics_view_t *view, const char **policy);
/* The tables alone, for a page of mod_status. */
const char *identity_metrics_section(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot);

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

/* ---- for the command line: the same rules without a credential -------------------------------------------------- */

/* All permissions in one entity. */
void identity_authenticate_local(apr_pool_t *pool, const char *entity_id, identity_authentication_t *out);

/* What has no route. Each runs in one write transaction with its audit row; false with *problem. */
bool identity_entity_add(apr_pool_t *pool, const identity_env_t *env, const char *reference, const char *name,
                         identity_entity_row_t **made, identity_problem_t *problem);
bool identity_account_add(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *reference,
                          const char *environment, const char *account_type_code, const char *parent,
                          identity_account_row_t **made, identity_problem_t *problem);
/* *secret: the alias itself, once. lifetime in microseconds. user: an id or a username. */
bool identity_alias_add(apr_pool_t *pool, const identity_env_t *env, const char *user, const char *description,
                        apr_interval_time_t lifetime, const char **secret, identity_alias_row_t **made,
                        identity_problem_t *problem);
/* reference, name: NULL stays. named: an id or a reference. */
bool identity_entity_set(apr_pool_t *pool, const identity_env_t *env, const char *named, const char *reference,
                         const char *name, identity_entity_row_t **row, identity_problem_t *problem);
/* Only of an entity in which nothing is left. */
bool identity_entity_remove(apr_pool_t *pool, const identity_env_t *env, const char *named,
                            identity_problem_t *problem);
typedef struct identity_account_change { /* NULL stays; parent "": none */
    const char *reference, *environment, *account_type_code, *parent;
} identity_account_change_t;
bool identity_account_set(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *named,
                          const identity_account_change_t *request, identity_account_row_t **row,
                          identity_problem_t *problem);
/* memberships: may end with it, the last administrator's too. Accounts below it and open invitations keep it. */
bool identity_account_remove(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *named,
                             bool memberships, identity_problem_t *problem);
/* The sessions that it began go on. */
bool identity_alias_revoke(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *id,
                           identity_problem_t *problem);
bool identity_provider_remove(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *id,
                              identity_problem_t *problem);
/* Asks every running server to forget the failures that it has counted against a user, and, where address is not NULL,
 * those of that client whoever it was wrong about: it does so with its next identity_poll_changes. */
bool identity_user_unlock(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *user_id,
                          const char *address, identity_problem_t *problem);
/* On the server's own record: a new signing key, and whether those before were dropped. */
bool identity_rotation_note(apr_pool_t *pool, const identity_env_t *env, bool now, identity_problem_t *problem);
/* Runs read on a borrowed connection: entity, account, alias lists. */
bool identity_entities(apr_pool_t *pool, const identity_env_t *env, apr_array_header_t **rows,
                       identity_problem_t *problem);
bool identity_accounts(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, apr_array_header_t **rows,
                       identity_problem_t *problem);
bool identity_aliases(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, apr_array_header_t **rows,
                      identity_problem_t *problem);
bool identity_entity_named(apr_pool_t *pool, const identity_env_t *env, const char *id_or_reference,
                           identity_entity_row_t **row, identity_problem_t *problem);

/* The block list of passwords that comes with the module. */
identity_blocklist_t *identity_blocklist_shipped(apr_pool_t *pool);
/* A user of an entity, ACTIVE, with the hash of a password that another program made: replaced at the first login.
 * login: or NULL. */
bool identity_user_import(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *username,
                          const char *login, const char *hash, identity_user_row_t **made, identity_problem_t *problem);

/* What a user (an id or a username) of the entity holds now, and where each permission comes from:
 *   user       a User
 *   teams      {team_id, name, start_at, end_at, counts}: of which memberships count now
 *   effective  {account_id, reference, environment, permissions: [{permission, sources}]}, empty for who is not ACTIVE.
 *              permission: a name, `*` for all. A source: {membership_id, team (its name, or
 *              null), type, roles}: the roles' names, from the one that was given to the child that grants; none for
 *              what comes with type ADMIN. */
bool identity_user_explain(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *user,
                           json_t **answer, identity_problem_t *problem);

/* How many mails are queued, at most so many. 0 where the database does not tell. */
#define IDENTITY_MAILS_MOST 10000
apr_int64_t identity_mails_queued(apr_pool_t *pool, const identity_env_t *env);

/* Signing keys beside a database (key_files.c). The file of that number, 0 for the first. */
const char *identity_key_file(apr_pool_t *pool, const char *folder, long number);
/* Those that are there, the one that signs first: of those that every process knows by now the greatest number. Where
 * there is none, the one that the server would make. */
typedef struct identity_key_folder {
    apr_array_header_t *paths; /* of const char * */
    long highest;              /* the greatest number, -1 where there is none */
    int waiting;               /* so many, the last, are too new to sign */
    apr_uint64_t mark;         /* another one where anything has changed, their order too */
} identity_key_folder_t;
void identity_key_folder(apr_pool_t *pool, const char *folder, apr_time_t now, identity_key_folder_t *keys);
/* A new signing key (PEM, 0600), of the folder's owner where root makes it; a file that is there stays. NULL, or a
 * sentence. */
const char *identity_key_file_make(apr_pool_t *pool, const char *path);

/* An object of settings, kept in the database for htidentity; written only where it differs. False: it could not be. */
bool identity_settings_keep(apr_pool_t *pool, const identity_env_t *env, json_t *settings);
/* {} where no server has kept any. *settings is the pool's. */
bool identity_settings_kept(apr_pool_t *pool, const identity_env_t *env, json_t **settings,
                            identity_problem_t *problem);

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

/* ---- whole sites (site_export.c, import*.c) --------------------------------------------------------------------- */

#define IDENTITY_SITE_FORMAT 1

/* How many rows of a table. */
typedef struct identity_site_count {
    const char *table;
    apr_int64_t rows;
} identity_site_count_t;
typedef struct identity_site_totals {
    apr_array_header_t *tables; /* of identity_site_count_t, none of 0 */
    apr_int64_t rows;
    const char *digest; /* SHA-256 in hex of all lines but the last */
} identity_site_totals_t;

/* Takes a piece of the export, whole lines; false ends it. */
typedef bool identity_site_sink_t(void *context, const char *text, size_t length, apr_int64_t rows);
/* The whole of a site as JSON Lines, as of one moment: a first line that says of which version it is, a line for each
 * row, a last one with counts and digest. The same rows give the same bytes. With what is secret in them: digests,
 * hashes, sealed secrets. */
bool identity_site_export(apr_pool_t *pool, const identity_env_t *env, identity_site_sink_t *sink, void *context,
                          identity_site_totals_t *totals, identity_problem_t *problem);

/* Looks an export through before anything is made of it: line after line, each without its end. False with *problem:
 * it is of another version, or was cut or changed. */
typedef struct identity_site_check identity_site_check_t;
identity_site_check_t *identity_site_check_make(apr_pool_t *pool, const identity_env_t *env);
bool identity_site_check_line(identity_site_check_t *check, const char *line, size_t length,
                              identity_problem_t *problem);
bool identity_site_check_end(identity_site_check_t *check, identity_problem_t *problem);
/* Of the export, as its last line says it; once it was looked through. */
const char *identity_site_check_digest(const identity_site_check_t *check);
/* Is it the first line of an export? */
bool identity_site_begins(const char *line, size_t length);

typedef enum {
    IDENTITY_IMPORT_SITE,    /* an export, which was looked through */
    IDENTITY_IMPORT_USERS,   /* users of another program, a JSON object a line */
    IDENTITY_IMPORT_HTPASSWD /* name:hash, as httpd reads it */
} identity_import_kind_t;

typedef struct identity_import_options {
    identity_import_kind_t kind;
    const char *entity_id; /* where the users go; not of a site */
    const char *domain;    /* that makes user names of plain ones, which are then logins; or NULL */
    const json_t *given;   /* memberships, as a line has them, of users whose line names none; or NULL */
    bool resume;           /* what was imported before is passed over */
    /* Each line that is not taken over, once what it stands between has been committed. The reason never repeats a
     * secret. */
    void (*refused)(void *context, apr_int64_t line, const char *reason);
    void *context;
} identity_import_options_t;

typedef struct identity_import_totals {
    apr_int64_t lines; /* that had something in them */
    apr_int64_t made, present, refused, memberships;
} identity_import_totals_t;

/* Takes over line after line, many in one transaction, and lets others write in between. A line is taken over as a
 * whole or not at all. */
typedef struct identity_importer identity_importer_t;
/* NULL with *problem. */
identity_importer_t *identity_importer_make(apr_pool_t *pool, const identity_env_t *env,
                                            const identity_import_options_t *options, identity_problem_t *problem);
/* The next line, without its end; text NULL: it is longer than IDENTITY_IMPORT_LINE. False with *problem: the database
 * failed, and what was committed before stands. */
#define IDENTITY_IMPORT_LINE 1048576
bool identity_importer_line(identity_importer_t *importer, const char *text, size_t length,
                            identity_problem_t *problem);
/* What still waits. */
bool identity_importer_end(identity_importer_t *importer, identity_problem_t *problem);
const identity_import_totals_t *identity_importer_totals(const identity_importer_t *importer);

#endif
