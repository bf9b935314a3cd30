/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the server layer. */
#ifndef IDENTITY_SERVER_INT_H
#define IDENTITY_SERVER_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include <mod_auth.h>

#include <apr_global_mutex.h>
#include <apr_strings.h>

#include "identity/server.h"
#include "identity/service.h"

/* ---- configuration (config.c) ----------------------------------------------------------------------------------- */

typedef struct identity_refresh_lifetime {
    apr_interval_time_t idle, absolute;
} identity_refresh_lifetime_t;

/* A line of IdentityProvider. */
typedef struct identity_provider_conf {
    const char *name, *issuer, *client_id, *secret_file;
    const char *entity;          /* NULL: all */
    apr_array_header_t *domains; /* of const char *, lower case */
    bool private_network;
    apr_array_header_t *verified; /* NULL: none */
} identity_provider_conf_t;

/* IdentityCaptcha. */
typedef struct identity_captcha_conf {
    const char *url, *secret_file;
    bool private_network;
} identity_captcha_conf_t;

typedef struct identity_rate_conf {
    identity_rates_t rates;
    unsigned set; /* bits of the classes set by directives */
} identity_rate_conf_t;

typedef struct identity_retention_conf {
    identity_retention_t retention;
    unsigned set; /* bits set by directives */
} identity_retention_conf_t;

typedef struct identity_host identity_host_t;
typedef struct identity_secrets identity_secrets_t;

/* IdentityStreamRecheck without a directive. */
#define IDENTITY_RECHECK_UNSET    (-1)
#define IDENTITY_RECHECK_STANDARD apr_time_from_sec(10)

#define SERVER(name, arguments, setter, type, member, standard, help) type member;
#define SETTING(name, arguments, setter, type, member, standard, help)
typedef struct identity_conf {
#include "directives.def"
    identity_settings_t settings; /* defaults come from the table; start.c computes the rest */
    apr_uint64_t set;             /* bits of the members set by directives */
    apr_uint64_t own;             /* subset of `set` given in this virtual host itself */
    bool engine;                  /* IdentityEngine On is set here or in an enclosing server */
    bool forwards;                /* IdentityForwardHeaders is On */
    /* Their origin, for htidentity. */
    const char *blocklist_file, *templates_folder;
    bool active;           /* answers the API, or protects something */
    identity_host_t *host; /* created at start, if it is active */
    const identity_site_t
        *database_of; /* set at start, if mod_dbd's database here is an identity database */
} identity_conf_t;

#define DIRECTORY(name, arguments, setter, type, member, standard, help) type member;
typedef struct identity_directory_conf {
#include "directives.def"
    apr_uint64_t set;
} identity_directory_conf_t;

/* Programs that verify access tokens without asking this server trust them until they expire: never longer than a
 * day. */
#define IDENTITY_TOKEN_LONGEST apr_time_from_sec(86400)
static inline apr_interval_time_t identity_within_day(apr_interval_time_t lifetime)
{
    return lifetime < IDENTITY_TOKEN_LONGEST ? lifetime : IDENTITY_TOKEN_LONGEST;
}

static inline identity_conf_t *identity_conf(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &identity_module);
}

/* Parsing of values (values.c): NULL, or an error message about the directive `name`. */
const char *identity_read_duration(apr_pool_t *pool, const char *name, const char *text, bool zero,
                                   apr_interval_time_t *value);
const char *identity_read_size(apr_pool_t *pool, const char *name, const char *text,
                               apr_size_t largest, apr_size_t *value);
const char *identity_read_number(apr_pool_t *pool, const char *name, const char *text,
                                 unsigned least, unsigned most, unsigned *value);
/* N/D, or off. */
const char *identity_read_rate(apr_pool_t *pool, const char *name, const char *text,
                               identity_rate_t *value);
const char *identity_read_origin(apr_pool_t *pool, const char *name, const char *text,
                                 const char **value);
const char *identity_read_sender(apr_pool_t *pool, const char *name, const char *text);
/* Scheme, host and the port unless it is the scheme's default (or 0). */
const char *identity_origin(apr_pool_t *pool, bool secure, const char *host, unsigned port);
/* Is the host of an origin loopback? */
bool identity_origin_loopback(apr_pool_t *pool, const char *origin);

/* providers.c: checks of one line, and of two. */
const char *identity_read_provider(apr_pool_t *pool, const char *name, int count,
                                   char *const arguments[], identity_provider_conf_t *provider);
const char *identity_provider_clash(apr_pool_t *pool, const char *name,
                                    const identity_provider_conf_t *one,
                                    const identity_provider_conf_t *other);

/* guests.c */
const char *identity_read_account(apr_pool_t *pool, const char *name, const char *value);
const char *identity_read_captcha(apr_pool_t *pool, const char *name, const char *url,
                                  const char *file, const char *option,
                                  identity_captcha_conf_t *captcha);

/* The settings of mod_dbd and mod_ssl for a server (tree.c). */
typedef struct identity_dbd {
    const char *driver, *params; /* NULL if not set */
    int max;
    bool persist;
} identity_dbd_t;
void identity_dbd_read(apr_pool_t *pool, const server_rec *main_server, const server_rec *server,
                       identity_dbd_t *dbd);
bool identity_dbd_same(const identity_dbd_t *a, const identity_dbd_t *b);
/* A directive by which another module runs SQL through mod_dbd, in this very server or virtual host; NULL: none. */
const ap_directive_t *identity_dbd_user(apr_pool_t *pool, const server_rec *main_server,
                                        const server_rec *server);
/* Does mod_dbd prepare statements of other modules for this server, its own or the main server's? */
bool identity_dbd_shared(apr_pool_t *pool, const server_rec *main_server, const server_rec *server);
void identity_dbd_open_late(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *server);
/* Calls want for each server in which AuthType, AuthBasicProvider or Require asks for identities. */
void identity_servers_asking(apr_pool_t *pool, server_rec *main_server,
                             void (*want)(void *data, server_rec *server), void *data);
bool identity_server_tls(apr_pool_t *pool, const server_rec *main_server, const server_rec *server);

/* Secrets in files (secrets.c): NULL, or an error message. A file that others than its owner can read is refused. */
const char *identity_secret_read(apr_pool_t *pool, const char *path, char **text);
/* Only its first line, which must not be empty. */
const char *identity_secret_line(apr_pool_t *pool, const char *path, char **secret);
/* reread.c: from now on a secret file that changes is read again, and its first line passed on. name: of the
 * directive. */
typedef void identity_secret_take_t(void *user, const char *secret);
void identity_secret_watch(identity_site_t *site, const char *name, const char *path,
                           identity_secret_take_t *take, void *user);
void identity_start_secrets(identity_site_t *site);
const char *identity_keys_load(apr_pool_t *pool, const apr_array_header_t *paths,
                               identity_keyset_t **keys);
/* The sealing key of IdentityKeyEscrow; wiped with the pool. */
const char *identity_escrow_load(apr_pool_t *pool, const char *path, const unsigned char **key);
/* The RSA key of IdentityOpenIDKey, or of the file beside the database. */
const char *identity_openid_load(apr_pool_t *pool, const char *path,
                                 const identity_openid_key_t **key);

/* ---- what a start makes ----------------------------------------------------------------------------------------- */

typedef struct identity_dbpool identity_dbpool_t;
typedef struct identity_database identity_database_t;
typedef struct identity_job identity_job_t;
typedef struct identity_board identity_board_t;

/* A virtual host that answers the API or protects something, or several that share everything. */
struct identity_host {
    server_rec *server;
    const identity_conf_t *conf;
    identity_site_t *site;
    identity_dbd_t dbd;
    /* shared by the hosts of a database: */
    identity_database_t *database;
    identity_dbpool_t *pool;
    identity_watch_t *watch;   /* NULL: not collected */
    apr_time_t signing_key_at; /* of IdentitySigningKey's newest file, as seen by the parent */
    identity_settings_t settings;
    identity_env_t env;
    apr_uint64_t
        keys_mark; /* of the signing keys beside the database, when this process last read them */
};

/* From which a child makes request ids (env.c). */
typedef struct identity_request_ids {
    bool ready;
    unsigned char key[16];
    atomic_ullong count;
} identity_request_ids_t;
void identity_request_ids_begin(identity_request_ids_t *labels);

struct identity_site {
    apr_pool_t *pool; /* of this configuration */
    server_rec *main_server;
    const identity_blocklist_t *blocklist; /* that comes with the module */
    apr_array_header_t *hosts;             /* of identity_host_t * */
    apr_array_header_t *pools;             /* of identity_dbpool_t * */
    apr_global_mutex_t *write;
    identity_hashsem_t *hashing;
    unsigned hash_slots;
    identity_board_t *board;     /* metrics.c */
    identity_secrets_t *secrets; /* reread.c; NULL: there are none */
    identity_request_ids_t labels;
    identity_job_t *job; /* NULL without mod_watchdog */
    struct identity_streams *streams;
};

/* Logs a tagged line for a server. */
#define IDENTITY_LOG(level, server, ...) ap_log_error(APLOG_MARK, level, 0, server, __VA_ARGS__)

/* env.c: the members of host->env that call into httpd and the system. */
void identity_env_fill(identity_host_t *host);

/* providers.c: checks the directives about single sign-on together, and creates the providers, with their secrets.
 * NULL, or an error message. */
const char *identity_check_sso(apr_pool_t *temporary, const identity_conf_t *conf);
const char *identity_start_sso(identity_host_t *host);

/* guests.c: checks the directives about demo account and sandboxes together, and creates their settings. NULL, or an
 * error message. */
const char *identity_check_guests(apr_pool_t *temporary, const identity_conf_t *conf);
const char *identity_start_guests(identity_host_t *host);
/* Logs if the demo account does not exist. */
void identity_tell_demo(apr_pool_t *temporary, const identity_host_t *host);

/* start.c: the first host that answers the API from the same database. Servers that only protect something use its
 * keys and origin. */
identity_host_t *identity_api_of(const identity_site_t *site, const identity_dbd_t *dbd);

/* ---- what may be wrong with a database (database_fault.c) ------------------------------------------------------- */

typedef enum {
    IDENTITY_FAULT_NONE,
    IDENTITY_FAULT_MISSING, /* also an empty file */
    IDENTITY_FAULT_RIGHTS,
    IDENTITY_FAULT_DAMAGED,
    IDENTITY_FAULT_OLDER,
    IDENTITY_FAULT_SCHEMA, /* newer, empty, another program's, not in WAL mode */
    IDENTITY_FAULT_LOCKED,
    IDENTITY_FAULT_FULL,
    IDENTITY_FAULT_KEY, /* the signing key beside it */
} identity_fault_t;

/* The file whose first bytes were read, kept open; file below 0: none. */
typedef struct identity_magic {
    int file;
    dev_t device;
    ino_t number;
} identity_magic_t;

/* Examines the database with the permissions of the children; *errmsg: the problem and its fix. kept: NULL if this
 * process has no connections. Creates nothing; read_only: does not write to the file either. */
identity_fault_t identity_database_check(apr_pool_t *pool, const identity_dbd_t *dbd,
                                         identity_magic_t *kept, bool read_only,
                                         const char **errmsg);
/* What a failed statement reveals about the whole database; NONE: nothing. */
identity_fault_t identity_statement_fault(apr_pool_t *pool, const identity_dbd_t *dbd,
                                          const char *failure, const char *detail,
                                          const char **errmsg);
/* A file beside the database that belongs to one: a signing key, a journal; NULL: none. If the database is missing,
 * it was moved away, or its disk is not mounted. */
const char *identity_database_remains(apr_pool_t *pool, const identity_dbd_t *dbd);
const char *identity_folder_of(apr_pool_t *pool, const char *path);
/* The user that the children run as. */
const char *identity_children_user(apr_pool_t *pool);
/* access(2) with the permissions of the children: 0 or errno. */
int identity_child_access(const char *path, int mode);
/* The command that gives the children read and write access to a file or folder. */
const char *identity_rights_command(apr_pool_t *pool, const char *path);

/* ---- what is known of it (database_state.c) --------------------------------------------------------------------- */

typedef struct identity_file {
    dev_t device;
    ino_t number; /* 0: there is none */
    mode_t mode;
    uid_t owner;
    gid_t group;
    bool empty;
} identity_file_t;
bool identity_file_same(const identity_file_t *a, const identity_file_t *b);

identity_database_t *identity_database_make(identity_site_t *site, const identity_dbd_t *dbd);
/* In the parent: takes over the result of its examination; logs a problem. */
void identity_database_started(identity_database_t *database, identity_fault_t fault,
                               const char *errmsg);
identity_site_t *identity_database_site(const identity_database_t *database);
bool identity_database_well(const identity_database_t *database); /* in the parent */
/* In each child, false without a mutex; then by any thread: may a connection be used? *file is the one to open. BUSY
 * while another process locks it, LOST for any other problem. */
bool identity_database_child(identity_database_t *database);
identity_db_status_t identity_database_ready(identity_database_t *database, apr_pool_t *pool,
                                             identity_file_t *file);
/* Before a request received now: checks every few seconds for signing keys beside the database that were added or
 * removed. */
void identity_database_keys(identity_database_t *database, apr_time_t now);
/* A connection has failed: the database is examined before the next one is lent. */
void identity_database_suspect(identity_database_t *database);
/* A statement has failed; a change was committed. */
void identity_database_heard(identity_database_t *database, const char *failure,
                             const char *detail);
void identity_database_wrote(identity_database_t *database);

/* databases.c: gives files created by root, and no others, to the children's user. NULL, or an error message. */
const char *identity_give_to_children(apr_pool_t *pool, const char *path);

/* signing_keys.c: loads the keys beside the database if they are not known yet, or again if it was replaced. */
/* Files of IdentitySigningKey; NULL: those beside the database. */
const apr_array_header_t *identity_keys_configured(const identity_host_t *host);

/* watch.c */
void identity_watch_share(identity_site_t *site);
void identity_note_key(identity_host_t *host, const char *path);
identity_watched_t identity_watched_files(apr_pool_t *pool, const identity_host_t *host);
/* Hosts that share a database keep its rows for the longest of their retention times. */
void identity_retention_share(identity_site_t *site);
/* A host's description for htidentity (describe.c). */
json_t *identity_host_json(const identity_host_t *host);
/* That of all hosts, on standard output. */
void identity_dump(apr_pool_t *configuration, server_rec *main_server);
identity_fault_t identity_keys_reload(apr_pool_t *temporary, const identity_database_t *database,
                                      bool replaced, const char **errmsg);

/* dbpool.c: connections from mod_dbd, never more at once than it may open, and the write lock. */
identity_dbpool_t *identity_dbpool_make(apr_pool_t *configuration, identity_host_t *host);
void identity_dbpool_child(identity_dbpool_t *pool, apr_pool_t *child);
identity_db_status_t identity_dbpool_borrow(void *host, apr_pool_t *pool, identity_db_t **db);
void identity_dbpool_release(void *host, identity_db_t *db);
bool identity_write_enter(void *host);
bool identity_write_try(void *host);
void identity_write_leave(void *host);

/* shared.c: anonymous memory of the parent, zeroed, aligned to 64 bytes; NULL if there is none. */
void *identity_memory_shared(apr_pool_t *pool, apr_size_t size);
#define IDENTITY_SHARED_BORDER ((uintptr_t)64)
static inline uintptr_t identity_shared_border(uintptr_t at)
{
    return (at + IDENTITY_SHARED_BORDER - 1) & ~(IDENTITY_SHARED_BORDER - 1);
}
/* Such memory, created once in the life of the parent and found again by name, version and size, so that old and new
 * children of a graceful restart share it. version: of its layout. init: initializes it; may be NULL. */
typedef bool identity_shared_init_t(void *memory, const void *context);
void *identity_shared(const identity_site_t *site, const char *name, unsigned version,
                      apr_size_t size, identity_shared_init_t *init, const void *context);
/* Has a process that was a child of this server ended, or its pid been reused by another program? All children of a
 * server are in one process group. */
bool identity_process_gone(pid_t pid);

/* semaphores.c: the password hashing semaphore for all hosts; false without shared memory. */
bool identity_hashsem_share(identity_site_t *site, unsigned slots);
void identity_hashsem_metrics(const identity_site_t *site, identity_metrics_snapshot_t *snapshot);

/* counters.c: the counters of the rate limits of all hosts; false without shared memory. */
bool identity_counters_share(identity_site_t *site);

/* metrics.c: the counters of all hosts, in shared memory; and each process's own part. */
bool identity_metrics_share(identity_site_t *site, unsigned processes);
void identity_metrics_join(identity_site_t *site, apr_pool_t *child);
identity_metrics_snapshot_t *identity_metrics_collect(apr_pool_t *pool, identity_site_t *site);

/* principal_cache.c: false without shared memory; and in each child. */
bool identity_revisions_share(identity_site_t *site);
apr_time_t identity_ticks(void *context); /* of env */
void identity_cache_child(identity_host_t *host);

/* watchdog.c */
bool identity_watchdog_loaded(void);
void identity_job_child(identity_job_t *job, apr_pool_t *child);

/* ---- a request that is ours ------------------------------------------------------------------------------------- */

typedef struct identity_rctx identity_rctx_t; /* rctx.h */

/* filename of claimed requests: not a path on disk, so that nothing maps it to a file */
#define IDENTITY_SCHEME "identity:"

/* A header, NULL if absent or empty. */
const char *identity_header_in(const request_rec *r, const char *name);
/* Fills the members about the transport of a request. */
void identity_describe_transport(const request_rec *r, identity_request_t *in);

/* ---- a request to anything else (protect.c, require.c, forward.c, basic.c) -------------------------------------- */

/* The result of a Require line of ours for the caller. */
typedef struct identity_answered {
    const struct identity_line *line;
    bool held;
} identity_answered_t;
/* Would it give the same result for that principal? Thread-safe. */
bool identity_answers_same(const identity_answered_t *answered,
                           const identity_principal_t *principal, const char *account_id);

/* For the log: what the caller lacks for a line that denied access, and which of its names do not exist; NULL if it
 * granted access. */
const char *identity_answer_lacks(apr_pool_t *pool, const identity_rctx_t *rctx,
                                  const identity_answered_t *answered);

/* stream.c: a long-running response (IdentityStreamRecheck). */
typedef struct identity_streams identity_streams_t;
identity_streams_t *identity_streams_make(identity_site_t *site);
void identity_streams_child(identity_streams_t *streams, apr_pool_t *child);

/* After successful authentication: r->user, environment. */
void identity_location_granted(request_rec *r, const identity_rctx_t *rctx);
int identity_protect_authn(request_rec *r);
int identity_protect_authz(request_rec *r);
/* WWW-Authenticate for a 401. */
void identity_challenge(request_rec *r, const identity_rctx_t *rctx);

/* alias.c. Is the Require line being read below an odd number of negations? */
bool identity_negated(const cmd_parms *cmd);
/* Called by our providers' parsers: if an alias is being defined, records it. */
void identity_alias_note(cmd_parms *cmd, const char *text, const authz_provider *provider);
const char *identity_beside_require(cmd_parms *cmd, void *directory, const char *arguments);
const char *identity_beside_alias(cmd_parms *cmd, void *directory, const char *arguments);
void identity_alias_finish(apr_pool_t *temporary, const server_rec *server);

/* named.c. Records the names in a line; and makes httpd -t warn of names that do not exist. */
void identity_named_note(const cmd_parms *cmd, identity_named_t kind, const char *name);
void identity_named_check(apr_pool_t *temporary, const server_rec *main_server);

/* credential.c. A header as the client sent it, even if it was removed from this request or a preceding one. */
const char *identity_header_sent(const request_rec *r, const char *name);
/* Hides credentials from whatever answers the request, or restores them, as its location requires. */
void identity_keep_credentials(request_rec *r);

/* transport.c. The scheme that the client sees. */
const char *identity_scheme_of(const request_rec *r);

/* forward.c */
bool identity_header_ours(const char *name); /* X-Identity-..., in any spelling */

/* handler.c: counts the answer, once. route: -1 if unknown. */
void identity_count_answer(const request_rec *r, identity_rctx_t *rctx, int route, int status);

/* signals.c: between the two calls the thread is not interrupted by the end of its child; they nest. */
void identity_signals_hold(void);
void identity_signals_release(void);

/* stand_in.c: describes the request whose error page is being served (ErrorDocument). */
void identity_describe_stand_in(request_rec *r, identity_request_t *in);
/* May the answer be sent? Always if it does not replace another. response NULL: is it worth asking for? */
bool identity_stands_in(const identity_rctx_t *rctx, const identity_response_t *response);
/* Answers as httpd does without an ErrorDocument. */
int identity_plain_error(request_rec *r, identity_rctx_t *rctx);

/* cors.c: the CORS headers for the request's Origin, and the answer to a preflight (allow: the methods of the path). */
void identity_cors_answer(request_rec *r, apr_table_t *headers);
bool identity_cors_granted(const request_rec *r); /* is its Origin one of the configured ones? */
void identity_cors_withdraw(apr_table_t *headers);
void identity_cors_preflight(request_rec *r, const char *allow);

/* authn.c: httpd skips the phase if an internal redirect or a subrequest has the same configuration as a request
 * that passed it. */
void identity_authenticate_inherited(request_rec *r, identity_rctx_t *rctx);

/* body.c: fills the members of in about the body. */
void identity_body_announce(request_rec *r, identity_rctx_t *rctx);
/* An HTTP/2 stream that ends before its body was read is reset, and many clients then lose the answer: reads the
 * rest, up to a limit. With HTTP/1 httpd does so itself. */
void identity_body_drain(request_rec *r, const identity_rctx_t *rctx);

#endif
