/* SPDX-License-Identifier: Apache-2.0 */
/* What only the command line does. Part of identity/service.h. */
#ifndef IDENTITY_SERVICE_SITE_PUBLIC_H
#define IDENTITY_SERVICE_SITE_PUBLIC_H

#include "identity/service.h"

/* ---- for the command line: the same rules without a credential -------------------------------------------------- */

/* All permissions in one entity. */
void identity_authenticate_local(apr_pool_t *pool, const char *entity_id,
                                 identity_authentication_t *out);

/* Operations without a route. Each runs in one write transaction with its audit record; false with *problem. */
bool identity_entity_add(apr_pool_t *pool, const identity_env_t *env, const char *reference,
                         const char *name, identity_entity_row_t **made,
                         identity_problem_t *problem);
bool identity_account_add(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *reference, const char *environment,
                          const char *account_type_code, const char *parent,
                          identity_account_row_t **made, identity_problem_t *problem);
/* *secret: the alias itself, shown once. lifetime in microseconds. user: an id or a username. */
bool identity_alias_add(apr_pool_t *pool, const identity_env_t *env, const char *user,
                        const char *description, apr_interval_time_t lifetime, const char **secret,
                        identity_alias_row_t **made, identity_problem_t *problem);
/* reference, name: NULL leaves it unchanged. named: an id or a reference. */
bool identity_entity_set(apr_pool_t *pool, const identity_env_t *env, const char *named,
                         const char *reference, const char *name, identity_entity_row_t **row,
                         identity_problem_t *problem);
/* Only if the entity is empty. */
bool identity_entity_remove(apr_pool_t *pool, const identity_env_t *env, const char *named,
                            identity_problem_t *problem);
typedef struct identity_account_change { /* NULL: unchanged; parent "": no parent */
    const char *reference, *environment, *account_type_code, *parent;
} identity_account_change_t;
bool identity_account_set(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *named, const identity_account_change_t *request,
                          identity_account_row_t **row, identity_problem_t *problem);
/* memberships: may remove memberships too, even the last administrator's. Refused while accounts below it or open
 * invitations exist. */
bool identity_account_remove(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                             const char *named, bool memberships, identity_problem_t *problem);
/* Sessions that were started with it continue. */
bool identity_alias_revoke(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                           const char *id, identity_problem_t *problem);
bool identity_provider_remove(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                              const char *id, identity_problem_t *problem);
/* Tells all running servers to reset the failure counters of a user and, if address is not NULL, of that client for
 * all users. They do so at their next identity_poll_changes. */
bool identity_user_unlock(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *user_id, const char *address, identity_problem_t *problem);
/* Audits a new signing key in the server's own records; now: the previous keys were dropped. */
bool identity_rotation_note(apr_pool_t *pool, const identity_env_t *env, bool now,
                            identity_problem_t *problem);
/* These read on a borrowed connection: lists of entities, accounts, aliases. */
bool identity_entities(apr_pool_t *pool, const identity_env_t *env, apr_array_header_t **rows,
                       identity_problem_t *problem);
bool identity_accounts(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                       apr_array_header_t **rows, identity_problem_t *problem);
bool identity_aliases(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                      apr_array_header_t **rows, identity_problem_t *problem);
bool identity_entity_named(apr_pool_t *pool, const identity_env_t *env, const char *id_or_reference,
                           identity_entity_row_t **row, identity_problem_t *problem);

/* The password blocklist shipped with the module. */
identity_blocklist_t *identity_blocklist_shipped(apr_pool_t *pool);
/* An ACTIVE user of an entity with a password hash from another program, replaced at the first login. login may be
 * NULL. */
bool identity_user_import(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *username, const char *login, const char *hash,
                          identity_user_row_t **made, identity_problem_t *problem);

/* The user's (an id or a username) present rights in the entity, and the source of each permission:
 *   user       a User
 *   teams      {team_id, name, start_at, end_at, counts}: counts: is the membership in force now
 *   effective  {account_id, reference, environment, permissions: [{permission, sources}]}, empty unless the user is
 *              ACTIVE. permission: a name, `*` for all. A source: {membership_id, team (its name, or null), type,
 *              roles}: the names of the roles, from the assigned one down to the child role that grants it; empty for
 *              rights that come from type ADMIN. */
bool identity_user_explain(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                           const char *user, json_t **answer, identity_problem_t *problem);

/* The number of queued mails, counted to a maximum. 0 if the database does not answer. */
#define IDENTITY_MAILS_MOST 10000
apr_int64_t identity_mails_queued(apr_pool_t *pool, const identity_env_t *env);

/* Signing keys stored beside a database (key_files.c). The path of the file with that number, 0 for the first. */
const char *identity_key_file(apr_pool_t *pool, const char *folder, long number);
/* The existing files, the signing key first: the highest number among those that every process has had time to load.
 * If there is none, the path that the server would create. */
typedef struct identity_key_folder {
    apr_array_header_t *paths; /* of const char * */
    long highest;              /* the highest number, -1 if there is none */
    int waiting;               /* this many, the last ones, are too new to sign */
    apr_uint64_t mark;         /* differs whenever anything changes, even the order */
} identity_key_folder_t;
void identity_key_folder(apr_pool_t *pool, const char *folder, apr_time_t now,
                         identity_key_folder_t *keys);
/* Creates a signing key (PEM, 0600), owned by the folder's owner if root creates it; never overwrites a file. NULL,
 * or an error message. */
const char *identity_key_file_make(apr_pool_t *pool, const char *path);
/* The same for the RSA key of the OpenID provider: its file in that folder, and a new one. */
const char *identity_openid_key_file(apr_pool_t *pool, const char *folder);
const char *identity_openid_key_file_make(apr_pool_t *pool, const char *path);

/* Stores a settings object in the database for htidentity; written only if it differs. False: it could not be
 * written. */
bool identity_settings_keep(apr_pool_t *pool, const identity_env_t *env, json_t *settings);
/* {} if no server has stored settings. *settings is allocated in pool. */
bool identity_settings_kept(apr_pool_t *pool, const identity_env_t *env, json_t **settings,
                            identity_problem_t *problem);

/* ---- whole sites (site_export.c, import*.c) --------------------------------------------------------------------- */

#define IDENTITY_SITE_FORMAT 1

/* The number of rows of a table. */
typedef struct identity_site_count {
    const char *table;
    apr_int64_t rows;
} identity_site_count_t;
typedef struct identity_site_totals {
    apr_array_header_t *tables; /* of identity_site_count_t, without tables that have 0 rows */
    apr_int64_t rows;
    const char *digest; /* hex SHA-256 of all lines except the last */
} identity_site_totals_t;

/* Receives a piece of the export, in whole lines; false aborts it. */
typedef bool identity_site_sink_t(void *context, const char *text, size_t length, apr_int64_t rows);
/* Exports a whole site as JSON Lines, from one snapshot: a header line with the version, one line for each row, a
 * last line with counts and digest. The same rows give the same bytes. The export contains secrets: digests, hashes,
 * sealed secrets. */
bool identity_site_export(apr_pool_t *pool, const identity_env_t *env, identity_site_sink_t *sink,
                          void *context, identity_site_totals_t *totals,
                          identity_problem_t *problem);

/* Validates an export before any of it is imported: one line at a time, without line ends. False with *problem: it
 * has another version, or was truncated or altered. */
typedef struct identity_site_check identity_site_check_t;
identity_site_check_t *identity_site_check_make(apr_pool_t *pool, const identity_env_t *env);
bool identity_site_check_line(identity_site_check_t *check, const char *line, size_t length,
                              identity_problem_t *problem);
bool identity_site_check_end(identity_site_check_t *check, identity_problem_t *problem);
/* The digest from the last line of the export; valid after the check. */
const char *identity_site_check_digest(const identity_site_check_t *check);
/* Is it the first line of an export? */
bool identity_site_begins(const char *line, size_t length);

typedef enum {
    IDENTITY_IMPORT_SITE,    /* an export, already validated */
    IDENTITY_IMPORT_USERS,   /* users of another program, one JSON object per line */
    IDENTITY_IMPORT_HTPASSWD /* name:hash, as httpd reads it */
} identity_import_kind_t;

typedef struct identity_import_options {
    identity_import_kind_t kind;
    const char *entity_id; /* entity that the users are added to; not for a site */
    const char *
        domain; /* appended to plain names, which then become logins, to form user names; or NULL */
    const json_t
        *given;  /* memberships, in the format of a line, for users whose line has none; or NULL */
    bool resume; /* lines that were imported before are skipped */
    /* Called for each rejected line, after the transaction around it has been committed. The reason never repeats a
     * secret. */
    void (*refused)(void *context, apr_int64_t line, const char *reason);
    void *context;
} identity_import_options_t;

typedef struct identity_import_totals {
    apr_int64_t lines; /* non-empty lines */
    apr_int64_t made, present, refused, memberships;
} identity_import_totals_t;

/* Imports lines, many in one transaction, and lets others write in between. A line is imported as a whole or not at
 * all. */
typedef struct identity_importer identity_importer_t;
/* NULL with *problem. */
identity_importer_t *identity_importer_make(apr_pool_t *pool, const identity_env_t *env,
                                            const identity_import_options_t *options,
                                            identity_problem_t *problem);
/* The next line, without its end; text NULL: it is longer than IDENTITY_IMPORT_LINE. False with *problem: the database
 * failed, and what was committed before stands. */
#define IDENTITY_IMPORT_LINE 1048576
bool identity_importer_line(identity_importer_t *importer, const char *text, size_t length,
                            identity_problem_t *problem);
/* What still waits. */
bool identity_importer_end(identity_importer_t *importer, identity_problem_t *problem);
const identity_import_totals_t *identity_importer_totals(const identity_importer_t *importer);

#endif
