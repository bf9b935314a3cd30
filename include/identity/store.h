/* SPDX-License-Identifier: Apache-2.0 */
/* Rows. The only folder that knows SQL (src/store/sql.def, schema.def); src/store/db.c and db_open.c
 * alone call apr_dbd.
 *
 * Every function returns one of seven outcomes and copies what it reads into the pool set with identity_db_use.
 * Permissions are not checked here: look-ups that take an entity are restricted to it in the same statement. */
#ifndef IDENTITY_STORE_H
#define IDENTITY_STORE_H

#include <apr_dbd.h>

#include "identity/core.h"
#include "identity/rows.def"

/* ---- connections, statements, transactions ---------------------------------------------------------------------- */

typedef enum {
    IDENTITY_DB_OK,
    IDENTITY_DB_NONE,     /* no such row, or a guarded update matched no row */
    IDENTITY_DB_CONFLICT, /* violates a uniqueness rule; nothing was changed */
    IDENTITY_DB_BUSY,     /* locked by others for too long, or no connection in time: 503 */
    IDENTITY_DB_RETRY, /* the database gave the transaction up for another's sake: it can be run again as a whole */
    IDENTITY_DB_LOST,  /* the connection is gone: 503 */
    IDENTITY_DB_FAILED /* anything else: 503, and a line in the log */
} identity_db_status_t;

typedef enum { IDENTITY_SYNC_FULL, IDENTITY_SYNC_NORMAL } identity_sync_t;

typedef struct identity_db identity_db_t;

/* Receives the name of the statement and the class of the failure for the error log; `detail` (driver's text, may
 * contain users' data) is for debug level only. */
typedef void identity_db_log_t(void *context, const char *statement, const char *failure,
                               const char *detail);

typedef struct identity_db_options {
    identity_sync_t sync;
    identity_db_log_t *log; /* or NULL */
    void *log_context;
    int *
        fail_after; /* tests: counts down with every statement; the one that brings it to 0 fails. NULL in production */
    const identity_db_status_t
        *fail_with; /* tests: the outcome of that statement, RETRY or LOST. NULL, or OK: FAILED */
    identity_catalogue_t catalogue; /* which built-in roles exist */
    bool read_only;                 /* only for identity_db_open: the file is not written */
    bool bulk; /* only for identity_db_open: uses more memory, for bulk writes */
} identity_db_options_t;

/* The state of a connection, kept on the connection's pool and found there by the next borrower; the first use sets
 * the connection up. SQLite: refuses (NULL, *error a sentence) a file that is not in WAL mode, unless it is
 * :memory:. Only sqlite3 is supported so far: other drivers are refused. */
identity_db_t *identity_db_attach(apr_pool_t *connection_pool, const apr_dbd_driver_t *driver,
                                  apr_dbd_t *handle, const identity_db_options_t *options,
                                  const char **error);
/* Opens a connection without mod_dbd (command line, tests, start-up check). Never creates: a missing SQLite file is
 * an error. Closed with the pool. */
identity_db_t *identity_db_open(apr_pool_t *pool, const char *driver, const char *params,
                                const identity_db_options_t *options, const char **error);
/* From here on results are allocated in pool (a request's). */
void identity_db_use(identity_db_t *db, apr_pool_t *pool);
/* BEGIN, or with write BEGIN IMMEDIATE: then nobody else writes until the end. A change in a read-only transaction
 * is FAILED; so is, outside of a write transaction, a change of more than one row (memberships and roles with their
 * parts, keys, adoptions, leases and sent mail). Once a statement has FAILED, no further one is run. */
identity_db_status_t identity_db_begin(identity_db_t *db, bool write);
/* COMMIT. Returns FAILED and rolls back if any statement since BEGIN failed other than with NONE or CONFLICT. */
identity_db_status_t identity_db_commit(identity_db_t *db);
void identity_db_rollback(identity_db_t *db);
/* Called when a connection is returned: rolls back an open transaction, so that the next borrower gets a clean
 * connection. */
void identity_db_release(identity_db_t *db);
/* Has a write transaction been committed since the last call? */
bool identity_db_wrote(identity_db_t *db);
/* After a failure, before the connection is released: is it worth to run the same work again? Nothing of it is in the
 * database. */
typedef enum {
    IDENTITY_AGAIN_NOT,
    IDENTITY_AGAIN, /* on this connection: a statement of the transaction, or its COMMIT, answered RETRY */
    IDENTITY_AGAIN_ELSEWHERE /* on another one: the first statement since it was borrowed found it dead */
} identity_again_t;
identity_again_t identity_db_again(const identity_db_t *db);
/* Can the connection be lent again? */
bool identity_db_usable(identity_db_t *db);
/* Statements run on this connection since it was attached (tests assert counts). */
unsigned long identity_db_statements(const identity_db_t *db);

/* Ids whose rights the current (or else the last) write transaction has changed (const char *, each once: users,
 * sessions, keys and entities; "" is everybody). After COMMIT they are in the table `changes`. */
const apr_array_header_t *identity_db_invalidated(const identity_db_t *db);

/* ---- schema (schema.def) ---------------------------------------------------------------------------------------- */

#define IDENTITY_SCHEMA_ABSENT 0
int identity_schema_current(void); /* the version this build needs */

/* How a database compares with this build. */
typedef enum {
    IDENTITY_SCHEMA_FITS,
    IDENTITY_SCHEMA_EMPTY,   /* an SQLite database without tables */
    IDENTITY_SCHEMA_OLDER,   /* needs migration */
    IDENTITY_SCHEMA_NEWER,   /* made by a newer build */
    IDENTITY_SCHEMA_FOREIGN, /* tables of another program */
    IDENTITY_SCHEMA_JOURNAL, /* not in WAL mode: migrate sets it */
    IDENTITY_SCHEMA_LOCKED,  /* locked by another process */
    IDENTITY_SCHEMA_DAMAGED, /* not an SQLite database, or unreadable */
} identity_schema_state_t;

/* Checks with a connection of its own; *version: IDENTITY_SCHEMA_ABSENT if there is none. Creates nothing.
 * read_only: does not write to the file either, not even to recover it after a crash. */
identity_schema_state_t identity_schema_look(apr_pool_t *pool, const char *driver,
                                             const char *params, bool read_only, int *version);
/* Version of the database; ABSENT for an empty one. */
identity_db_status_t identity_schema_version(identity_db_t *db, int *version);
/* Migrates the database to the current version, each step in one transaction with its version row; concurrent runs
 * are serialised; seeds the built-in roles. Creates a missing SQLite file (mode 0600, WAL). *from and *to: the
 * versions. NULL on success, else a sentence. */
const char *identity_schema_migrate(apr_pool_t *pool, const char *driver, const char *params,
                                    int *from, int *to);

/* Checks for damage: the file's own integrity check, dangling references. *faults: sentences (const char *), empty
 * if there is none. */
identity_db_status_t identity_schema_check(identity_db_t *db, apr_array_header_t **faults);

/* ... and for broken invariants: rows of different entities that refer to each other, circles (invariants.def).
 * Appends to faults. */
identity_db_status_t identity_invariants_check(identity_db_t *db, apr_array_header_t **faults);

/* ---- rows ------------------------------------------------------------------------------------------------------- */
/* Their columns are listed in rows.def. Lists are arrays of pointers to rows (APR_ARRAY_IDX(list, i,
 * identity_..._row_t *)), never NULL on OK. Times: 0 means none. Strings: NULL means none only where a comment says
 * so, else it is "". Lists of ids are arrays of const char *. */

typedef struct identity_entity_row {
    IDENTITY_ENTITY_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_entity_row_t;

identity_db_status_t
identity_entity_insert(identity_db_t *db,
                       const identity_entity_row_t *row); /* CONFLICT: reference taken */
/* By id or reference. The entity may have expired. */
identity_db_status_t identity_entity_find(identity_db_t *db, const char *id_or_reference,
                                          identity_entity_row_t **row);
identity_db_status_t
identity_entities_list(identity_db_t *db,
                       apr_array_header_t **rows); /* oldest first, 500 at most */

identity_db_status_t identity_entity_update(identity_db_t *db, const identity_entity_row_t *row);
/* A number of objects of one kind: `user`, `account`, ... */
typedef struct identity_left_row {
    const char *what;
    apr_int64_t count;
} identity_left_row_t;
/* For every kind of object in the entity. */
identity_db_status_t identity_entity_left(identity_db_t *db, const char *id,
                                          apr_array_header_t **rows);
/* With all its contents. In a write transaction. */
identity_db_status_t identity_entity_delete(identity_db_t *db, const char *id);

typedef struct identity_account_row {
    IDENTITY_ACCOUNT_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_account_row_t;

identity_db_status_t identity_account_insert(
    identity_db_t *db,
    const identity_account_row_t *row); /* CONFLICT: reference taken in the entity */
identity_db_status_t identity_account_find(identity_db_t *db, const char *entity_id,
                                           const char *id_or_reference,
                                           identity_account_row_t **row);
/* Those of the ids, in no order (identity_account_row_t *). */
identity_db_status_t identity_accounts_of(identity_db_t *db, const apr_array_header_t *ids,
                                          apr_array_header_t **rows);
/* All columns except id, entity and group; the reference must be free. */
identity_db_status_t identity_account_update(identity_db_t *db, const identity_account_row_t *row);
/* Counts accounts below it, open invitations to it, and memberships. */
identity_db_status_t identity_account_left(identity_db_t *db, const char *entity_id, const char *id,
                                           apr_time_t now, apr_array_header_t **rows);
/* Also deletes its memberships; no account may be below it. In a write transaction. */
identity_db_status_t identity_account_delete(identity_db_t *db, const char *entity_id,
                                             const char *id);
/* Counted to cap + 1 at most. */
identity_db_status_t identity_accounts_count(identity_db_t *db, const char *entity_id,
                                             apr_int64_t cap, apr_int64_t *count);
identity_db_status_t
identity_accounts_list(identity_db_t *db, const char *entity_id,
                       apr_array_header_t **rows); /* oldest first, 500 at most */
/* The account with that id or reference in any entity, sandboxes excluded; NONE if there is none, CONFLICT if
 * several have the reference. */
identity_db_status_t identity_account_named(identity_db_t *db, const char *id_or_reference,
                                            identity_account_row_t **row);

/* Sandboxes are entities with an expiry. */
identity_db_status_t identity_sandboxes_count(identity_db_t *db, apr_int64_t cap,
                                              apr_int64_t *count);
/* The sandbox that expired first; NONE if there is none. */
identity_db_status_t identity_sandbox_over(identity_db_t *db, apr_time_t now,
                                           identity_entity_row_t **row);
/* Deletes a part of it, with at most limit users, keys, roles or the like; *deleted: how many, 0 if only the entity
 * itself was left, which has now been deleted. In a write transaction. */
identity_db_status_t identity_sandbox_reduce(identity_db_t *db, const char *entity_id,
                                             apr_int64_t limit, int *deleted);

typedef enum {
    IDENTITY_USER_INVITED,
    IDENTITY_USER_INVITE_REVOKED,
    IDENTITY_USER_ACTIVE,
    IDENTITY_USER_INACTIVE
} identity_user_status_t;
bool identity_user_status_parse(const char *name, identity_user_status_t *status);
const char *identity_user_status_name(
    identity_user_status_t status); /* as in the API: INVITED, ...; also used in the database */

typedef struct identity_user_row {
    IDENTITY_USER_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    const char *
        login; /* as it was entered; NULL: none. Read-only here; written by identity_user_login_set */
    apr_int64_t sequence; /* identity_user_shown alone: of the last change of the database */
} identity_user_row_t;

identity_db_status_t
identity_user_insert(identity_db_t *db, const identity_user_row_t *row); /* CONFLICT: name taken */
/* If a sandbox's user has a name that a user of an ordinary entity claims (entity_id NULL: any claimant), deletes
 * that user: a sandbox cannot keep a name from its owner. In a write transaction. OK also if there was none. */
identity_db_status_t identity_user_give_way(identity_db_t *db, const char *canonical,
                                            const char *entity_id);
/* Sets the time of deletion, 0 to restore. Together with identity_user_update, in the same write transaction. */
identity_db_status_t identity_user_deleted(identity_db_t *db, const char *id, apr_time_t at);
/* Writes row->login. Together with identity_user_insert or identity_user_update, in the same write transaction.
 * CONFLICT: another user of the entity has it. */
identity_db_status_t identity_user_login_set(identity_db_t *db, const identity_user_row_t *row);
/* In any status. */
identity_db_status_t identity_user_of_login(identity_db_t *db, const char *entity_id,
                                            const char *login, identity_user_row_t **row);
/* Finds the user by what is entered at sign-in: `reference/login` of an entity that is not a sandbox, or `login` if
 * there is only one such entity. */
identity_db_status_t identity_user_by_login(identity_db_t *db, const char *name,
                                            identity_user_row_t **row);
identity_db_status_t identity_user_get(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_user_row_t **row);
/* Only what is shown of it: id, username, canonical, status, login and the times that go with them; and the number of
 * the last change that was committed by then. */
identity_db_status_t identity_user_shown(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_user_row_t **row);
/* In any entity: for mailed links. */
identity_db_status_t identity_user_by_id(identity_db_t *db, const char *id,
                                         identity_user_row_t **row);
/* In any entity, the holder of that name as it was entered: for login. */
identity_db_status_t identity_user_by_name(identity_db_t *db, const char *name,
                                           identity_user_row_t **row);
/* In the entity, in any status. */
identity_db_status_t identity_user_in_entity(identity_db_t *db, const char *entity_id,
                                             const char *name, identity_user_row_t **row);
/* In all entities, in any status: a person invited by several of them has several rows. The 500 oldest. */
identity_db_status_t identity_users_of_name(identity_db_t *db, const char *canonical,
                                            apr_array_header_t **rows);
/* Another user who holds the claimant's name (id, username, canonical), or signs in by it. NONE: the name is free. */
identity_db_status_t identity_user_holder(identity_db_t *db, const identity_user_row_t *claimant,
                                          identity_user_row_t **row);
/* Records the user's first sign-in. */
identity_db_status_t identity_user_signed_in(identity_db_t *db, const char *id, apr_time_t now);
/* Does anybody still sign in with a name from an older database? */
identity_db_status_t identity_names_old(identity_db_t *db, bool *any);
/* Sentences (const char *) about names from older databases that the present rule rejects, or that are equivalent to
 * another's. */
identity_db_status_t identity_names_check(identity_db_t *db, apr_array_header_t **lines);
/* Writes all columns except id, entity_id, created_at if the row still has row->version, and increments that. NONE:
 * changed meanwhile. CONFLICT: name taken. */
identity_db_status_t identity_user_update(identity_db_t *db, identity_user_row_t *row);
/* Replaces only the hash, if it is still old_hash (upgrade at login). */
identity_db_status_t identity_user_rehash(identity_db_t *db, const char *id, const char *old_hash,
                                          const char *new_hash);

typedef enum {
    IDENTITY_ORDER_CREATED_AT,
    IDENTITY_ORDER_NAME,
    IDENTITY_ORDER_EXPIRY
} identity_order_t; /* NAME: username or role name, by its canonical form. EXPIRY: of invitations, by expires_at */

typedef enum {
    IDENTITY_PAGE_OF_USERS,
    IDENTITY_PAGE_OF_ROLES,
    IDENTITY_PAGE_OF_TEAMS,
    IDENTITY_PAGE_OF_KEYS,
    IDENTITY_PAGE_OF_PROVIDERS,
    IDENTITY_PAGE_OF_CLIENTS,
    IDENTITY_PAGE_OF_AUDITS,
    IDENTITY_PAGE_OF_INVITATIONS,
    IDENTITY_PAGE_OF_HOLDERS
} identity_page_of_t;

/* Selects holders of a permission, with one row for each account in which they hold it. */
typedef struct identity_holders {
    const char *permission;
    const apr_array_header_t *role_ids; /* that grant it, directly or through a child role */
    const apr_array_header_t
        *account_ids;    /* that are asked about; NULL: all accounts of the entity */
    bool keys;           /* also the entity's active keys */
    bool read_only_keys; /* READ_ONLY keys hold it */
    apr_time_t now;
} identity_holders_t;

/* A page of a total order (order column, id); key-range reads only. */
typedef struct identity_page_query {
    identity_page_of_t of;
    const char *entity_id;
    const char *only_id; /* at most this row (for a PARTNER), or NULL */
    const char *name;    /* canonical, exact, or NULL; for invitations the address */
    int active;          /* users and keys: 1 only ACTIVE, 0 only others, -1 all */
    bool childless;      /* roles: only roles without children */
    const char *domain;  /* providers: only ENABLED ones that admit its addresses, or NULL */
    /* Audit records: NULL if not filtered. */
    const char *user_id, *target_id, *target_type, *platform_id;
    const char *
        state; /* invitations: the stored state (expired is stored as invited); users: their status, instead of
                      active; or NULL */
    const char *role_slug; /* invitations; or NULL */
    apr_time_t from, to; /* in [from, to); 0: open. Audit records: created; invitations: expiring */
    const identity_holders_t *holders; /* for HOLDERS, else NULL */
    identity_order_t order;
    bool descending;
    const identity_cursor_t *cursor; /* or NULL: from the start, skipping offset rows */
    apr_int64_t limit, offset;
} identity_page_query_t;
/* A row's cursor key: its name (canonical), or its creation time. */
const char *identity_order_key(apr_pool_t *pool, identity_order_t order, const char *name,
                               apr_time_t created_at);
/* Rows (identity_user_row_t * with only the columns that identity_user_shown reads, ... by query->of) in the
 * requested order, also with a backward cursor. Callers ask for one more than they show. Roles: the entity's own and
 * the built-in ones, in one order. */
identity_db_status_t identity_page(identity_db_t *db, const identity_page_query_t *query,
                                   apr_array_header_t **rows);
/* The number of matching rows, counted to cap + 1 at most. */
identity_db_status_t identity_page_count(identity_db_t *db, const identity_page_query_t *query,
                                         apr_int64_t cap, apr_int64_t *count);

/* Exactly one of exact, prefix, domain (canonical forms; domain without @) or none of them; only_id (or NULL) narrows
 * to one user. By username; limit at most 500. Of rows what identity_user_shown reads. */
identity_db_status_t identity_users_search(identity_db_t *db, const char *entity_id,
                                           const char *exact, const char *prefix,
                                           const char *domain, const char *only_id,
                                           apr_int64_t limit, apr_array_header_t **rows);
/* The account's present administrators: active users with an ADMIN membership, their own or through a team. */
typedef enum {
    IDENTITY_ADMINS_NONE,
    IDENTITY_ADMINS_PASSING, /* only through team memberships that end */
    IDENTITY_ADMINS_LASTING
} identity_admins_t;
identity_db_status_t identity_account_admins(identity_db_t *db, const char *account_id,
                                             apr_time_t now, identity_admins_t *admins);

typedef enum {
    IDENTITY_MEMBER_ADMIN,
    IDENTITY_MEMBER_USER,
    IDENTITY_MEMBER_PARTNER
} identity_member_type_t;
const char *identity_member_type_name(identity_member_type_t type);
bool identity_member_type_parse(const char *name, identity_member_type_t *type);

/* The owner of a membership: a user, a team, or an open invitation (additional memberships offered to an active
 * user). */
typedef enum {
    IDENTITY_OWNER_USER,
    IDENTITY_OWNER_TEAM,
    IDENTITY_OWNER_INVITATION
} identity_owner_t;

typedef struct identity_membership_row {
    IDENTITY_MEMBERSHIP_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER, const char *owner_id;)
    identity_account_row_t account; /* joined on reading; insert uses account.id */
} identity_membership_row_t;

/* CONFLICT: the owner already has one in that account. The order of role_ids is kept. */
identity_db_status_t identity_membership_insert(identity_db_t *db, identity_owner_t owner,
                                                const identity_membership_row_t *row,
                                                const apr_array_header_t *role_ids);
/* Of all the owners (one statement), ordered by owner, then by age. */
identity_db_status_t identity_memberships_of(identity_db_t *db, identity_owner_t owner,
                                             const apr_array_header_t *owner_ids,
                                             apr_array_header_t **rows);
/* What answers show of memberships of users or teams: a row for each role, by owner, oldest membership first, roles in
 * their order (identity_membership_shown_t *). */
typedef struct identity_membership_shown {
    const char *owner_id, *id, *account_id;
    const char *role_id; /* NULL: the membership has none */
    identity_member_type_t type;
    apr_time_t created_at;
    apr_int64_t position; /* of the role */
} identity_membership_shown_t;
identity_db_status_t identity_memberships_shown(identity_db_t *db, identity_owner_t owner,
                                                const apr_array_header_t *owner_ids,
                                                apr_array_header_t **rows);
/* Writes type and the full list of roles of a user's or a team's membership. In a write transaction. NONE: not
 * found. */
identity_db_status_t identity_membership_update(identity_db_t *db,
                                                const identity_membership_row_t *row,
                                                const apr_array_header_t *role_ids);
/* Deletes a user's or a team's membership (row->owner_id) with its roles. NONE: not found. */
identity_db_status_t identity_membership_delete(identity_db_t *db, identity_owner_t owner,
                                                const identity_membership_row_t *row);
identity_db_status_t identity_memberships_delete(identity_db_t *db, identity_owner_t owner,
                                                 const char *owner_id);
/* On acceptance: the invitation's memberships become the user's; those in accounts where the user already has one
 * are dropped. */
identity_db_status_t identity_memberships_adopt(identity_db_t *db, const char *invitation_id,
                                                const char *user_id);

typedef struct identity_membership_role_row {
    const char *membership_id, *role_id;
} identity_membership_role_row_t;
/* Directly assigned roles, in the order of their assignment. */
identity_db_status_t identity_membership_roles(identity_db_t *db,
                                               const apr_array_header_t *membership_ids,
                                               apr_array_header_t **rows);

#include "identity/store_access.h"
#include "identity/store_login.h"
#include "identity/store_jobs.h"

/* ---- whole sites (site.c) --------------------------------------------------------------------------------------- */

#define IDENTITY_SITE_KEYS    2
#define IDENTITY_SITE_COLUMNS 60
typedef struct identity_site_column {
    const char *name;
    bool number;   /* else text */
    bool required; /* never NULL */
} identity_site_column_t;
typedef struct identity_site_reference {
    int column;
    const char *parent; /* a table whose rows belong to an entity */
} identity_site_reference_t;
/* A table with rows that belong to the site, as it is in this database. */
typedef struct identity_site_table {
    const char *name;
    apr_array_header_t *columns;  /* of identity_site_column_t */
    int keys[IDENTITY_SITE_KEYS]; /* indexes of the primary key columns */
    int key_count;
    int entity;                     /* the column that holds the entity, or -1 */
    int owner;                      /* otherwise the column of a row that leads to it, or -1 */
    apr_array_header_t *references; /* of identity_site_reference_t */
    const char *insert, *find, *page, *owners; /* statements */
} identity_site_table_t;
/* Ordered so that each table refers only to earlier ones (identity_site_table_t *). */
identity_db_status_t identity_site_tables(identity_db_t *db, apr_array_header_t **tables);

/* A row as one line of JSON: an object with `table` and its columns in order. */
typedef struct identity_site_line {
    const char *text;
    const char *keys[IDENTITY_SITE_KEYS]; /* where the next page begins */
} identity_site_line_t;
/* The next rows in key order (identity_site_line_t *); after NULL: the first. Built-in roles are omitted. */
identity_db_status_t identity_site_page(identity_db_t *db, const identity_site_table_t *table,
                                        const identity_site_line_t *after, apr_int64_t limit,
                                        apr_array_header_t **lines);
/* The row with these primary key values (one for each column, NULL for NULL, a number as its digits). */
identity_db_status_t identity_site_find(identity_db_t *db, const identity_site_table_t *table,
                                        const char *const *values, const char **text);
/* The entities of the existing rows that the row refers to (identity_site_owner_t *). */
typedef struct identity_site_owner {
    int column;
    const char *entity_id; /* "": built in */
} identity_site_owner_t;
identity_db_status_t identity_site_owners(identity_db_t *db, const identity_site_table_t *table,
                                          const char *const *values, apr_array_header_t **owners);
/* CONFLICT: violates a rule of the schema; *rule is the database's message. Inside a write transaction, which
 * continues; the caller records whose rights change. */
identity_db_status_t identity_site_insert(identity_db_t *db, const identity_site_table_t *table,
                                          const char *const *values, const char **rule);

#endif
