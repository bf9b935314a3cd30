/* What only the command line does. Part of identity/service.h. */
#ifndef IDENTITY_SERVICE_SITE_PUBLIC_H
#define IDENTITY_SERVICE_SITE_PUBLIC_H

#include "identity/service.h"

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
