/* Rows. The only room that knows SQL (src/store/sql.def, schema.def); src/store/db.c alone calls apr_dbd, by the
 * contract in design/database.md.
 *
 * Every function answers one of six outcomes and copies what it read into the pool given with identity_db_use. Nothing
 * here judges permissions: look-ups that take an entity answer only within it, in the same statement.
 */
#ifndef IDENTITY_STORE_H
#define IDENTITY_STORE_H

#include <apr_dbd.h>

#include "identity/core.h"
#include "identity/rows.def"

/* ---- connections, statements, transactions ---------------------------------------------------------------------- */

typedef enum {
    IDENTITY_DB_OK,
    IDENTITY_DB_NONE,     /* no such row, or a guarded change met no row */
    IDENTITY_DB_CONFLICT, /* a unique rule would be broken; nothing was changed */
    IDENTITY_DB_BUSY,     /* locked by others too long, or no connection in time: 503 */
    IDENTITY_DB_LOST,     /* the connection is gone: 503 */
    IDENTITY_DB_FAILED    /* anything else: 503, and a line in the log */
} identity_db_status_t;

typedef enum { IDENTITY_SYNC_FULL, IDENTITY_SYNC_NORMAL } identity_sync_t;

typedef struct identity_db identity_db_t;

/* Told the name of the statement and the class of the failure at error level; `detail` (driver's text, may hold users'
 * data) is for debug level only. */
typedef void identity_db_log_t(void *context, const char *statement, const char *failure, const char *detail);

typedef struct identity_db_options {
    identity_sync_t sync;
    identity_db_log_t *log; /* or NULL */
    void *log_context;
    int *
        fail_after; /* tests: counts down with every statement; the one that brings it to 0 fails. NULL in production */
    identity_catalogue_t catalogue; /* which of the built-in roles are there */
    bool read_only;                 /* identity_db_open alone: nothing is written to the file */
    bool bulk;                      /* identity_db_open alone: very much is written, with memory for it */
} identity_db_options_t;

/* The state of a connection, kept on its own pool and found there again by the next borrower; the first use sets the
 * connection up. SQLite: refuses (NULL, *error a sentence) a file that is not in WAL mode, unless it is :memory:. Only
 * sqlite3 is claimed so far: another driver is refused. */
identity_db_t *identity_db_attach(apr_pool_t *connection_pool, const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                                  const identity_db_options_t *options, const char **error);
/* Opens a connection without mod_dbd (command line, tests, start-up check). Creates nothing: a missing SQLite file is
 * an error. Closed with the pool. */
identity_db_t *identity_db_open(apr_pool_t *pool, const char *driver, const char *params,
                                const identity_db_options_t *options, const char **error);
/* From here on results go to pool (a request's). */
void identity_db_use(identity_db_t *db, apr_pool_t *pool);
/* BEGIN, or BEGIN IMMEDIATE where write: then nobody else writes until the end. A change in a transaction that only
 * reads is FAILED, and so is, outside of a write transaction, whatever changes more than one row (memberships and roles
 * with what belongs to them, keys, adoptions, leases and sent mail). Once a statement has FAILED none that follows is
 * run. */
identity_db_status_t identity_db_begin(identity_db_t *db, bool write);
/* COMMIT. Refuses with FAILED, and rolls back, when any statement since BEGIN failed other than by NONE or CONFLICT. */
identity_db_status_t identity_db_commit(identity_db_t *db);
void identity_db_rollback(identity_db_t *db);
/* Borrower's exit path: rolls back what is open, so that the next one gets a clean connection. */
void identity_db_release(identity_db_t *db);
/* Has a write transaction been committed since this was last asked? */
bool identity_db_wrote(identity_db_t *db);
/* Is the connection still good for another borrower? */
bool identity_db_usable(identity_db_t *db);
/* Statements run on this connection since it was attached (tests assert counts). */
unsigned long identity_db_statements(const identity_db_t *db);

/* Whose rights the present write transaction has changed so far, or the last one (const char *, each once: ids of
 * users, sessions, keys and entities; "" is everybody). What it lists stands in the table `changes` once COMMIT has
 * come. */
const apr_array_header_t *identity_db_invalidated(const identity_db_t *db);

/* ---- schema (schema.def) ---------------------------------------------------------------------------------------- */

#define IDENTITY_SCHEMA_ABSENT 0
int identity_schema_current(void); /* the version this build needs */

/* How the database that lies there fits this build. */
typedef enum {
    IDENTITY_SCHEMA_FITS,
    IDENTITY_SCHEMA_EMPTY,   /* an SQLite database without a table */
    IDENTITY_SCHEMA_OLDER,   /* migrate brings it up to date */
    IDENTITY_SCHEMA_NEWER,   /* a newer build made it */
    IDENTITY_SCHEMA_FOREIGN, /* tables of another program */
    IDENTITY_SCHEMA_JOURNAL, /* not in WAL mode: migrate sets it */
    IDENTITY_SCHEMA_LOCKED,  /* another process keeps it */
    IDENTITY_SCHEMA_DAMAGED, /* not an SQLite database, or one that cannot be read */
} identity_schema_state_t;

/* Looks by a connection of its own, which is closed again; *version: IDENTITY_SCHEMA_ABSENT where there is none.
 * Creates nothing. read_only: does not write to the file either, not even what a crash has left to be written. */
identity_schema_state_t identity_schema_look(apr_pool_t *pool, const char *driver, const char *params, bool read_only,
                                             int *version);
/* Version of the database; ABSENT for an empty one. */
identity_db_status_t identity_schema_version(identity_db_t *db, int *version);
/* Brings the database to the current version, each migration in one transaction with its version row, runners
 * serialised; seeds the built-in roles. Makes a missing SQLite file (mode 0600, WAL). *from and *to say what was done.
 * NULL on success, else a sentence. */
const char *identity_schema_migrate(apr_pool_t *pool, const char *driver, const char *params, int *from, int *to);

/* Looks for damage: the file's own check, references that lead nowhere. *faults: sentences (const char *), empty where
 * all is well. */
identity_db_status_t identity_schema_check(identity_db_t *db, apr_array_header_t **faults);

/* ... and for what must hold beside: of one entity what belongs together, no circles (invariants.def). Adds to the
 * faults. */
identity_db_status_t identity_invariants_check(identity_db_t *db, apr_array_header_t **faults);

/* ---- rows ------------------------------------------------------------------------------------------------------- */
/* Their columns stand in rows.def. Lists are arrays of pointers to rows (APR_ARRAY_IDX(list, i, identity_..._row_t *)),
 * never NULL on OK. Times: 0 is "none". Strings: NULL is none only where a comment says so, else "". Lists of ids are
 * arrays of const char *. */

typedef struct identity_entity_row {
    IDENTITY_ENTITY_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_entity_row_t;

identity_db_status_t identity_entity_insert(identity_db_t *db,
                                            const identity_entity_row_t *row); /* CONFLICT: reference taken */
/* By id or reference. expires_at may have passed. */
identity_db_status_t identity_entity_find(identity_db_t *db, const char *id_or_reference, identity_entity_row_t **row);
identity_db_status_t identity_entities_list(identity_db_t *db,
                                            apr_array_header_t **rows); /* oldest first, 500 at most */

identity_db_status_t identity_entity_update(identity_db_t *db, const identity_entity_row_t *row);
/* How much of a kind there is: `user`, `account`, ... */
typedef struct identity_left_row {
    const char *what;
    apr_int64_t count;
} identity_left_row_t;
/* Of every kind that an entity can hold. */
identity_db_status_t identity_entity_left(identity_db_t *db, const char *id, apr_array_header_t **rows);
/* With all that is in it. In a write transaction. */
identity_db_status_t identity_entity_delete(identity_db_t *db, const char *id);

typedef struct identity_account_row {
    IDENTITY_ACCOUNT_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_account_row_t;

identity_db_status_t
identity_account_insert(identity_db_t *db,
                        const identity_account_row_t *row); /* CONFLICT: reference taken in the entity */
identity_db_status_t identity_account_find(identity_db_t *db, const char *entity_id, const char *id_or_reference,
                                           identity_account_row_t **row);
/* Those of the ids, in no order (identity_account_row_t *). */
identity_db_status_t identity_accounts_of(identity_db_t *db, const apr_array_header_t *ids, apr_array_header_t **rows);
/* All but id, entity and group; the reference must be free. */
identity_db_status_t identity_account_update(identity_db_t *db, const identity_account_row_t *row);
/* Accounts below it, invitations to it that are open now, and memberships. */
identity_db_status_t identity_account_left(identity_db_t *db, const char *entity_id, const char *id, apr_time_t now,
                                           apr_array_header_t **rows);
/* With the memberships in it; none may stand below it. In a write transaction. */
identity_db_status_t identity_account_delete(identity_db_t *db, const char *entity_id, const char *id);
/* Counted to cap + 1 at most. */
identity_db_status_t identity_accounts_count(identity_db_t *db, const char *entity_id, apr_int64_t cap,
                                             apr_int64_t *count);
identity_db_status_t identity_accounts_list(identity_db_t *db, const char *entity_id,
                                            apr_array_header_t **rows); /* oldest first, 500 at most */
/* The account of an id or reference in whatever entity, sandboxes left out; NONE where there is none, CONFLICT where
 * several have the reference. */
identity_db_status_t identity_account_named(identity_db_t *db, const char *id_or_reference,
                                            identity_account_row_t **row);

/* Sandboxes: entities with an end. */
identity_db_status_t identity_sandboxes_count(identity_db_t *db, apr_int64_t cap, apr_int64_t *count);
/* One whose time is up, the longest ago; NONE where there is none. */
identity_db_status_t identity_sandbox_over(identity_db_t *db, apr_time_t now, identity_entity_row_t **row);
/* Takes away a part of it, with at most limit users, keys, roles or the like; *deleted: how many of them, 0 where
 * nothing was left but the entity itself, which has gone now. In a write transaction. */
identity_db_status_t identity_sandbox_reduce(identity_db_t *db, const char *entity_id, apr_int64_t limit, int *deleted);

typedef enum {
    IDENTITY_USER_INVITED,
    IDENTITY_USER_INVITE_REVOKED,
    IDENTITY_USER_ACTIVE,
    IDENTITY_USER_INACTIVE
} identity_user_status_t;
bool identity_user_status_parse(const char *name, identity_user_status_t *status);
const char *identity_user_status_name(
    identity_user_status_t status); /* as in the contract: INVITED, ... also what the database holds */

typedef struct identity_user_row {
    IDENTITY_USER_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    const char *login;    /* as it was written; NULL: none. Read, not written but by identity_user_login_set */
    apr_int64_t sequence; /* identity_user_shown alone: of the last change of the database */
} identity_user_row_t;

identity_db_status_t identity_user_insert(identity_db_t *db, const identity_user_row_t *row); /* CONFLICT: name taken */
/* Where a sandbox holds a name that is wanted by an entity which is none (NULL: by whoever), its user goes: nobody who
 * tries something out keeps a name from whom it belongs to. In a write transaction. OK also where there was none. */
identity_db_status_t identity_user_give_way(identity_db_t *db, const char *canonical, const char *entity_id);
/* Since when it is deleted, 0: not any more. Beside identity_user_update, in the same write transaction. */
identity_db_status_t identity_user_deleted(identity_db_t *db, const char *id, apr_time_t at);
/* Writes row->login. Beside identity_user_insert or identity_user_update, in the same write transaction. CONFLICT:
 * another user of the entity has it. */
identity_db_status_t identity_user_login_set(identity_db_t *db, const identity_user_row_t *row);
/* In any status. */
identity_db_status_t identity_user_of_login(identity_db_t *db, const char *entity_id, const char *login,
                                            identity_user_row_t **row);
/* What is typed to sign in: `reference/login` of an entity that is no sandbox, or `login` where there is only one such.
 */
identity_db_status_t identity_user_by_login(identity_db_t *db, const char *name, identity_user_row_t **row);
identity_db_status_t identity_user_get(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_user_row_t **row);
/* Only what is shown of it: id, username, canonical, status, login and the times that go with them; and the number of
 * the last change that was committed by then. */
identity_db_status_t identity_user_shown(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_user_row_t **row);
/* Over all entities: for who holds a mailed link. */
identity_db_status_t identity_user_by_id(identity_db_t *db, const char *id, identity_user_row_t **row);
/* Over all entities, the one who holds the name, as it was typed: for login. */
identity_db_status_t identity_user_by_name(identity_db_t *db, const char *name, identity_user_row_t **row);
/* Of the entity, in any status. */
identity_db_status_t identity_user_in_entity(identity_db_t *db, const char *entity_id, const char *name,
                                             identity_user_row_t **row);
/* Over all entities, in any status: people who are invited by several stand beside each other. The 500 oldest. */
identity_db_status_t identity_users_of_name(identity_db_t *db, const char *canonical, apr_array_header_t **rows);
/* Another user who holds the name of the claimant (id, username, canonical), or signs in by it. NONE: it is free. */
identity_db_status_t identity_user_holder(identity_db_t *db, const identity_user_row_t *claimant,
                                          identity_user_row_t **row);
/* Notes the first time that the user signed in. */
identity_db_status_t identity_user_signed_in(identity_db_t *db, const char *id, apr_time_t now);
/* Does anybody still sign in by a name of an older database? */
identity_db_status_t identity_names_old(identity_db_t *db, bool *any);
/* Sentences (const char *) on names of older databases that the rule refuses, or that mean the same as another's. */
identity_db_status_t identity_names_check(identity_db_t *db, apr_array_header_t **lines);
/* Writes all columns but id, entity_id, created_at where the row still has row->version, and moves it on. NONE: changed
 * meanwhile. CONFLICT: name taken. */
identity_db_status_t identity_user_update(identity_db_t *db, identity_user_row_t *row);
/* Replaces only the hash, where it is still old_hash (upgrade at login). */
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
    IDENTITY_PAGE_OF_AUDITS,
    IDENTITY_PAGE_OF_INVITATIONS,
    IDENTITY_PAGE_OF_HOLDERS
} identity_page_of_t;

/* Of whom pages of holders are: who holds the permission now, each in every account where that is so. */
typedef struct identity_holders {
    const char *permission;
    const apr_array_header_t *role_ids;    /* that grant it, themselves or by a role within */
    const apr_array_header_t *account_ids; /* that are asked about; NULL: all of the entity */
    bool keys;                             /* active ones of the entity too */
    bool read_only_keys;                   /* READ_ONLY ones hold it */
    apr_time_t now;
} identity_holders_t;

/* A page of a total order (order column, id); key-range reads only. */
typedef struct identity_page_query {
    identity_page_of_t of;
    const char *entity_id;
    const char *only_id; /* one row at most (what a PARTNER may see), or NULL */
    const char *name;    /* canonical, exact, or NULL; of invitations the address */
    int active;          /* users and keys: 1 only ACTIVE, 0 only others, -1 all */
    bool childless;      /* roles: only those without children */
    const char *domain;  /* providers: only those that are ENABLED and open to addresses of it, or NULL */
    /* Audit records: NULL where not asked for. */
    const char *user_id, *target_id, *target_type, *platform_id;
    const char *state;     /* invitations: as held (expired is invited); users: their status, without active; or NULL */
    const char *role_slug; /* invitations; or NULL */
    apr_time_t from, to;   /* in [from, to); 0: open. Audit records: made; invitations: expiring */
    const identity_holders_t *holders; /* of HOLDERS, else NULL */
    identity_order_t order;
    bool descending;
    const identity_cursor_t *cursor; /* or NULL: from the beginning, skipping offset rows */
    apr_int64_t limit, offset;
} identity_page_query_t;
/* The key of a cursor at a row of a page: its name (canonical), or when it was made. */
const char *identity_order_key(apr_pool_t *pool, identity_order_t order, const char *name, apr_time_t created_at);
/* Rows (identity_user_row_t *, of which as much as identity_user_shown reads, ... by query->of) in the asked order,
 * also behind a backward cursor. Callers ask one more than they show. Roles: the entity's own and the built-in ones, as
 * one order. */
identity_db_status_t identity_page(identity_db_t *db, const identity_page_query_t *query, apr_array_header_t **rows);
/* Rows that match, counted to cap + 1 at most. */
identity_db_status_t identity_page_count(identity_db_t *db, const identity_page_query_t *query, apr_int64_t cap,
                                         apr_int64_t *count);

/* Exactly one of exact, prefix, domain (canonical forms; domain without @) or none of them; only_id (or NULL) narrows
 * to one user. By username; limit at most 500. Of rows what identity_user_shown reads. */
identity_db_status_t identity_users_search(identity_db_t *db, const char *entity_id, const char *exact,
                                           const char *prefix, const char *domain, const char *only_id,
                                           apr_int64_t limit, apr_array_header_t **rows);
/* Who administers an account now: active users with an ADMIN membership, their own or a team's. */
typedef enum {
    IDENTITY_ADMINS_NONE,
    IDENTITY_ADMINS_PASSING, /* all of them by team memberships that end */
    IDENTITY_ADMINS_LASTING
} identity_admins_t;
identity_db_status_t identity_account_admins(identity_db_t *db, const char *account_id, apr_time_t now,
                                             identity_admins_t *admins);

typedef enum { IDENTITY_MEMBER_ADMIN, IDENTITY_MEMBER_USER, IDENTITY_MEMBER_PARTNER } identity_member_type_t;
const char *identity_member_type_name(identity_member_type_t type);
bool identity_member_type_parse(const char *name, identity_member_type_t *type);

/* What an account membership belongs to: a user, a team, or an invitation that is not accepted yet (added memberships
 * of somebody who is active). */
typedef enum { IDENTITY_OWNER_USER, IDENTITY_OWNER_TEAM, IDENTITY_OWNER_INVITATION } identity_owner_t;

typedef struct identity_membership_row {
    IDENTITY_MEMBERSHIP_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER, const char *owner_id;)
    identity_account_row_t account; /* joined on reading; insert uses account.id */
} identity_membership_row_t;

/* CONFLICT: the owner has one in that account already. role_ids keep their order. */
identity_db_status_t identity_membership_insert(identity_db_t *db, identity_owner_t owner,
                                                const identity_membership_row_t *row,
                                                const apr_array_header_t *role_ids);
/* Of all the owners at once (one statement), by owner, then oldest first. */
identity_db_status_t identity_memberships_of(identity_db_t *db, identity_owner_t owner,
                                             const apr_array_header_t *owner_ids, apr_array_header_t **rows);
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
                                                const apr_array_header_t *owner_ids, apr_array_header_t **rows);
/* Type and roles of a user's or a team's membership, all of them. In a write transaction. NONE: not there. */
identity_db_status_t identity_membership_update(identity_db_t *db, const identity_membership_row_t *row,
                                                const apr_array_header_t *role_ids);
/* The one membership of a user or a team (row->owner_id), with its roles. NONE: not there. */
identity_db_status_t identity_membership_delete(identity_db_t *db, identity_owner_t owner,
                                                const identity_membership_row_t *row);
identity_db_status_t identity_memberships_delete(identity_db_t *db, identity_owner_t owner, const char *owner_id);
/* On acceptance: the invitation's become the user's; those in accounts where the user has one meanwhile are dropped. */
identity_db_status_t identity_memberships_adopt(identity_db_t *db, const char *invitation_id, const char *user_id);

typedef struct identity_membership_role_row {
    const char *membership_id, *role_id;
} identity_membership_role_row_t;
/* Roles given directly, in the order in which they were given. */
identity_db_status_t identity_membership_roles(identity_db_t *db, const apr_array_header_t *membership_ids,
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
    const char *parent; /* a table whose rows have an entity */
} identity_site_reference_t;
/* A table whose rows belong to the site, as this database has it. */
typedef struct identity_site_table {
    const char *name;
    apr_array_header_t *columns;  /* of identity_site_column_t */
    int keys[IDENTITY_SITE_KEYS]; /* which columns are the primary key */
    int key_count;
    int entity;                                /* the column that says whose a row is, or -1 */
    int owner;                                 /* else the one of a row that says so, or -1 */
    apr_array_header_t *references;            /* of identity_site_reference_t */
    const char *insert, *find, *page, *owners; /* statements */
} identity_site_table_t;
/* In an order in which each refers only to what comes before it (identity_site_table_t *). */
identity_db_status_t identity_site_tables(identity_db_t *db, apr_array_header_t **tables);

/* A row as one line of JSON: an object of `table` and its columns in order. */
typedef struct identity_site_line {
    const char *text;
    const char *keys[IDENTITY_SITE_KEYS]; /* by which the next page begins */
} identity_site_line_t;
/* The next rows in the order of their keys (identity_site_line_t *); after NULL: the first. None of built-in roles. */
identity_db_status_t identity_site_page(identity_db_t *db, const identity_site_table_t *table,
                                        const identity_site_line_t *after, apr_int64_t limit,
                                        apr_array_header_t **lines);
/* The row that has the primary key of these values (one for each column, NULL for NULL, a number as its digits). */
identity_db_status_t identity_site_find(identity_db_t *db, const identity_site_table_t *table,
                                        const char *const *values, const char **text);
/* Of whom is what the row refers to, where it is there (identity_site_owner_t *)? */
typedef struct identity_site_owner {
    int column;
    const char *entity_id; /* "": what is built in */
} identity_site_owner_t;
identity_db_status_t identity_site_owners(identity_db_t *db, const identity_site_table_t *table,
                                          const char *const *values, apr_array_header_t **owners);
/* CONFLICT: a rule of the schema is broken, *rule is the database's text about it. Inside a write transaction, which
 * goes on; whoever inserts writes down whose rights change. */
identity_db_status_t identity_site_insert(identity_db_t *db, const identity_site_table_t *table,
                                          const char *const *values, const char **rule);

#endif
