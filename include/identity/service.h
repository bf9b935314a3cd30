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
    const char *entity;                /* id or reference; NULL: all */
    const apr_array_header_t *domains; /* of const char *, lower case: whose addresses it may vouch for; empty: all */
    identity_oidc_t *oidc;
} identity_configured_provider_t;

/* Classes of routes that IdentityRateLimit knows. */
typedef enum {
    IDENTITY_RATE_NONE,
    IDENTITY_RATE_LOGIN,  /* failed logins, by client address and by account */
    IDENTITY_RATE_TOKEN,  /* failed uses of mailed secrets, alike */
    IDENTITY_RATE_RESET,  /* mails asked for, by the address that they go to */
    IDENTITY_RATE_INVITE, /* requests, by credential; so the next two */
    IDENTITY_RATE_READ,
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

/* Settings of a virtual host, fixed after start. Durations in microseconds. */
typedef struct identity_settings {
    const char *public_url; /* no trailing slash: origin of mailed links and issuer of tokens (security 30) */
    bool require_tls;
    size_t max_body;
    apr_interval_time_t access_lifetime, refresh_idle, refresh_absolute, invite_lifetime, reset_lifetime;
    identity_hash_parameters_t hash;
    size_t password_minimum;
    const identity_blocklist_t *blocklist; /* of passwords, or NULL */
    bool password_grant;
    identity_rates_t rates;
    const unsigned char *key_escrow;    /* 32 bytes by which the text of new API keys is sealed; NULL: it is not kept */
    const identity_mail_target_t *mail; /* NULL: nothing that needs a mail can be done (503) */
    const char *mail_from;
    const apr_array_header_t *providers;     /* of identity_configured_provider_t *; NULL: none */
    const apr_array_header_t *redirect_uris; /* of const char *: where a sign-on may come back to; NULL: nowhere */
    bool sso_provision;                      /* unknown people of a listed domain become users */
    const identity_captcha_t *captcha;       /* what visitors are asked by; NULL: there are none */
    const char *demo_account;                /* that anybody may look at, id or reference; NULL: none */
    apr_interval_time_t demo_lifetime;       /* of such a visit */
    bool sandbox;                            /* anybody may have an entity of their own, for sandbox_lifetime */
    apr_interval_time_t sandbox_lifetime;
    const char *urn_namespace, *urn_region; /* of the names of invitations */
} identity_settings_t;

typedef enum { IDENTITY_LOG_ERROR, IDENTITY_LOG_WARNING, IDENTITY_LOG_INFO, IDENTITY_LOG_DEBUG } identity_log_level_t;

/* One a virtual host (or a test, or the command line); used by many threads at once, so nothing in it changes. */
typedef struct identity_env {
    const identity_settings_t *settings;
    const identity_keyset_t *keys;
    identity_random_t random;
    apr_time_t (*now)(void *context);
    /* A connection for the shortest time; BUSY where none comes within IdentityDatabaseWait. Never two at once in a
     * thread. */
    identity_db_status_t (*borrow)(void *context, apr_pool_t *pool, identity_db_t **db);
    void (*give_back)(void *context, identity_db_t *db);
    /* The writers' gate, taken before BEGIN IMMEDIATE and left after COMMIT; false past IdentityDatabaseWait. NULL:
     * none is needed. */
    bool (*enter_write)(void *context);
    void (*leave_write)(void *context);
    /* enter_write without any wait: for what can be written another time. NULL: as enter_write. */
    bool (*try_write)(void *context);
    /* The gate of password hashing (architecture, decision 6): false at once where its queue is full. */
    bool (*enter_hash)(void *context);
    void (*leave_hash)(void *context);
    /* What IdentityRateLimit is counted by, shared by all children: failures and requests; and which clients have
     * proved to be who they say. NULL: nothing is limited. counters_scope: what the names of users and keys belong to
     * (the database). */
    identity_counters_t *counters, *proofs;
    const char *counters_scope;
    /* One line, tagged IDnnnn:, without secrets. request_id may be NULL. */
    void (*log)(void *context, identity_log_level_t level, const char *request_id, const char *line);
    void *context;
} identity_env_t;

/* ---- the door --------------------------------------------------------------------------------------------------- */

/* Who calls: made from a key, a token, or by the command line. */
typedef enum { IDENTITY_CALLER_KEY, IDENTITY_CALLER_USER, IDENTITY_CALLER_LOCAL } identity_caller_t;

/* What the caller holds in one account. */
typedef struct identity_grant {
    const char *account_id;
    identity_member_type_t type; /* the strongest of its memberships there: ADMIN, then USER, then PARTNER */
    identity_permset_t permissions;
} identity_grant_t;

typedef struct identity_principal {
    identity_caller_t kind;
    const char *id;   /* user_..., apik_..., "" for the command line; of a visitor of the demo account the session's */
    const char *name; /* r->user: the username, a key's id */
    const char *method; /* IDENTITY_AUTH: key, bearer */
    const char *entity_id;
    const char *session_id; /* NULL for keys */
    bool visitor;           /* of the demo account: a user without a record, who looks and changes nothing */
    apr_time_t authenticated_at;
    bool entity_wide; /* keys and the command line: the same permissions in every account of the entity */
    identity_permset_t entity_permissions; /* where entity_wide */
    apr_array_header_t *grants;            /* of identity_grant_t, for users */
} identity_principal_t;

/* Headers that are read; NULL where absent or empty. */
typedef struct identity_headers {
    const char *authorization, *api_key, *cookie, *content_type, *platform_id, *resource_id, *user_agent;
    const char *origin, *fetch_site; /* Origin, Sec-Fetch-Site */
    const char *if_match, *if_none_match;
    const char *api_version;
    const char *idempotency_key; /* "" where it is there and empty: that is no key */
} identity_headers_t;

typedef struct identity_request {
    const char *method; /* upper case */
    const char *path;   /* decoded, /v1/users */
    const char *query;  /* raw, without ?, or NULL */
    identity_headers_t headers;
    const char *client_address; /* of the person (behind mod_remoteip the real one) */
    bool secure;                /* TLS */
    bool loopback;              /* the connection itself comes over loopback */
    bool origin_granted;        /* Origin is one that IdentityCORSOrigin names */
    const char *request_id;     /* reqr_..., made with identity_request_id */
    bool has_body;              /* a body was announced (Content-Length other than 0, or chunked) */
    /* Reads the body to its end, at most limit bytes, NUL-terminated in pool. NONE, or TOO_LARGE, TIMEOUT, BAD_REQUEST.
     * NULL: there is no body. */
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
    const char *operation; /* id of the route for counters and logs, NULL where none matched */
} identity_response_t;

/* What the authentication phase found; handed back to identity_serve. */
typedef struct identity_authentication {
    bool refused; /* problem says why */
    identity_problem_t problem;
    bool credential;                       /* one was sent */
    bool ambiguous;                        /* two were sent */
    const identity_principal_t *principal; /* NULL for public routes without a credential, and where refused */
} identity_authentication_t;

const char *identity_request_id(apr_pool_t *pool, const identity_env_t *env);

/* The authentication phase of a request to the API: finds the one credential, checks transport (403), key or token with
 * its session (401), faults (503). A route that is public answers without a credential; a wrong or unknown path is left
 * to identity_serve. Borrows and returns one connection at a time. */
void identity_authenticate(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                           identity_authentication_t *out);

/* Answers a request. authentication must come from identity_authenticate on the same request (or
 * identity_authenticate_local): NULL answers 401, never more. Everything is in pool. HEAD is answered as GET; the
 * caller leaves the body out. */
void identity_serve(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                    const identity_authentication_t *authentication, identity_response_t *out);

/* The JSON error answer that httpd's own refusals are turned into; for 401 and 503 with the headers that belong to
 * them. */
void identity_serve_error(apr_pool_t *pool, int status, identity_response_t *out);

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
/* A user of an entity, ACTIVE, with the hash of a password that another program made: replaced at the first login. */
bool identity_user_import(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *username,
                          const char *hash, identity_user_row_t **made, identity_problem_t *problem);

/* What a user (an id or a username) of the entity holds now, and where each permission comes from:
 *   user       a User
 *   teams      {team_id, name, start_at, end_at, counts}: of which memberships count now
 *   effective  {account_id, reference, environment, permissions: [{permission, sources}]}, empty for who is not ACTIVE.
 *              permission: a name, `*` for all, `*.VIEW` for all to view. A source: {membership_id, team (its name, or
 *              null), type, roles}: the roles' names, from the one that was given to the child that grants; none for
 *              what comes with type ADMIN. */
bool identity_user_explain(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, const char *user,
                           json_t **answer, identity_problem_t *problem);

/* ---- cleaning --------------------------------------------------------------------------------------------------- */

/* Deletes a batch of what has had its time: answers to Idempotency-Keys (48 hours old), visits of the demo account,
 * sandboxes with all that is in them. Returns how many rows went: 0 where nothing is left, which costs one read. Never
 * fails: logs. */
int identity_purge(apr_pool_t *pool, const identity_env_t *env);

/* ---- delivery --------------------------------------------------------------------------------------------------- */

/* One round of the outbox: leases due mails to owner, sends them with no connection held, records what became of each;
 * stop is asked between mails, what is left is returned. owner: HOST:PID; leases of dead processes of this host are
 * taken over. Returns how many mails left. Never fails: logs. */
int identity_deliver(apr_pool_t *pool, const identity_env_t *env, const char *owner, bool (*stop)(void *context),
                     void *stop_context);

#endif
