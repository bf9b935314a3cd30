/* SPDX-License-Identifier: Apache-2.0 */
/* The table `changes`: whose rights a transaction may have changed, written by the transaction itself, so that other
 * nodes, and this one where a child dies between COMMIT and telling the others, learn of it.
 *
 * sequence grows with the order of commits: SQLite has one writer at a time. Where a database has several, two that
 * commit in the other order than they took their numbers would let a reader pass one by; there the number must be taken
 * under a lock that is held until COMMIT (PostgreSQL: pg_advisory_xact_lock, MariaDB: a row of its own, FOR UPDATE).
 * Only transactions that touch somebody then queue, and only for their last statement.
 */
#include "db_state.h"

#define EVERYBODY_ID ""

typedef struct invalidation {
    enum { INVALIDATION, INVALIDATION_OF_ALL, CREATION } kind;
    identity_sql_t sql;
    const char *subject, *given; /* names of parameters */
} invalidation_t;

static const invalidation_t invalidations[] = {
#define INVALIDATES(statement, subject)                                                            \
    {INVALIDATION, IDENTITY_SQL_##statement, #subject, #subject},
#define INVALIDATES_WITH(statement, subject, given)                                                \
    {INVALIDATION, IDENTITY_SQL_##statement, #subject, #given},
#define INVALIDATES_ALL(statement)  {INVALIDATION_OF_ALL, IDENTITY_SQL_##statement, NULL, NULL},
#define CREATES(statement, subject) {CREATION, IDENTITY_SQL_##statement, #subject, #subject},
#define NO_EFFECT(statement, reason)
#include "invalidation.def"
#undef INVALIDATES
#undef INVALIDATES_WITH
#undef INVALIDATES_ALL
#undef CREATES
#undef NO_EFFECT
};

#define INVALIDATIONS (sizeof invalidations / sizeof invalidations[0])

/* The statements with the names of their parameters. */
#define PARAM(name)     "%s:" #name ":"
#define SQL(name, text) text,
static const char *const named[] = {
#include "sql.def"
};
#undef SQL

int db_parameter(identity_sql_t sql, const char *name)
{
    size_t length = strlen(name);
    int number = 0;

    for (const char *at = strchr(named[sql], '%'); at; at = strchr(at + 2, '%')) {
        if (strncmp(at, "%s:", 3) == 0 && strncmp(at + 3, name, length) == 0 &&
            at[3 + length] == ':')
            return number;
        number += at[1] != '%';
    }
    return -1;
}

static const char *argument(identity_sql_t sql, const char *name, const db_argument_t *arguments)
{
    int number = db_parameter(sql, name);
    return number < 0 ? NULL : arguments[number].text;
}

/* Statements that change the number of users of an entity, or of a status, in addition to those in invalidation.def
 * that concern everybody or the entity. entity: the parameter; NULL: unknown. They change nobody's rights, so no
 * change record is written; other servers count anew every second. */
static const struct {
    identity_sql_t sql;
    const char *entity;
} counted[] = {{IDENTITY_SQL_USER_INSERT, "entity_id"},
               {IDENTITY_SQL_USER_UPDATE, "entity_id"},
               {IDENTITY_SQL_ERASURE_USER, NULL}};

/* list: of ids to be recorded, NULL for new rows. */
static void enter(identity_db_t *db, apr_array_header_t *list, const char *id)
{
    if (!id || apr_hash_get(db->known, id, APR_HASH_KEY_STRING))
        return;
    id = apr_pstrdup(db->invalidated->pool, id);
    apr_hash_set(db->known, id, APR_HASH_KEY_STRING, id);
    if (list)
        APR_ARRAY_PUSH(list, const char *) = id;
}

void db_invalidation_begin(identity_db_t *db)
{
    db->invalidated = apr_array_make(db->use, 4, sizeof(const char *));
    db->counted = apr_array_make(db->use, 1, sizeof(const char *));
    db->known = apr_hash_make(db->use);
}

bool db_invalidations(identity_sql_t sql)
{
    for (size_t i = 0; i < INVALIDATIONS; i++)
        if (invalidations[i].sql == sql && invalidations[i].kind != CREATION)
            return true;
    return false;
}

static void count_anew(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments)
{
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        if (counted[i].sql == sql)
            APR_ARRAY_PUSH(db->counted, const char *) = identity_users_of(
                db->counted->pool,
                counted[i].entity ? argument(sql, counted[i].entity, arguments) : "");
}

void db_invalidate(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments)
{
    if (db->open && db->write)
        count_anew(db, sql, arguments);
    for (size_t i = 0; i < INVALIDATIONS && db->open && db->write; i++) {
        const invalidation_t *row = &invalidations[i];
        if (row->sql != sql)
            continue;
        if (row->kind == INVALIDATION_OF_ALL)
            enter(db, db->invalidated, EVERYBODY_ID);
        else if (argument(sql, row->given, arguments))
            enter(db, row->kind == CREATION ? NULL : db->invalidated,
                  argument(sql, row->subject, arguments));
    }
}

/* user_..., apik_...: the prefix. */
static const char *kind_of(apr_pool_t *pool, const char *id)
{
    return *id ? apr_pstrmemdup(pool, id, strcspn(id, "_")) : "all";
}

static identity_db_status_t insert(identity_db_t *db, const char *kind, const char *subject_id,
                                   apr_time_t at)
{
    return db_insert(db, IDENTITY_SQL_CHANGE_INSERT, DB_ARGS(S(kind), S(subject_id), N(at)));
}

identity_db_status_t identity_change_tell(identity_db_t *db, const char *kind,
                                          const char *subject_id)
{
    return insert(db, kind, subject_id, apr_time_now());
}

identity_db_status_t identity_change_insert(identity_db_t *db, const char *subject_id)
{
    return identity_change_tell(db, kind_of(db->use, subject_id), subject_id);
}

identity_db_status_t db_invalidation_end(identity_db_t *db)
{
    identity_db_status_t status = IDENTITY_DB_OK;
    apr_time_t now = apr_time_now();

    db->written = (identity_written_t){.made_at = now};
    for (int i = 0; status == IDENTITY_DB_OK && i < db->invalidated->nelts; i++) {
        const char *id = APR_ARRAY_IDX(db->invalidated, i, const char *);
        status = insert(db, kind_of(db->use, id), id, now);
    }
    if (status == IDENTITY_DB_OK && db->invalidated->nelts)
        status = identity_change_sequence(db, &db->written.last);
    /* Nobody else writes meanwhile. */
    db->written.first = db->written.last - db->invalidated->nelts + 1;
    return status;
}

identity_written_t identity_db_written(const identity_db_t *db)
{
    return db->written;
}

const char *identity_users_of(apr_pool_t *pool, const char *entity_id)
{
    return apr_pstrcat(pool, "users ", entity_id, NULL);
}

const apr_array_header_t *identity_db_counted(const identity_db_t *db)
{
    return db->counted;
}

const apr_array_header_t *identity_db_invalidated(const identity_db_t *db)
{
    return db->invalidated;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void *read_change(const db_row_t *row, int from)
{
    identity_change_row_t *change = apr_palloc(db_pool(row), sizeof *change);

    change->sequence = db_number(row, from);
    change->kind = db_text(row, from + 1);
    change->subject_id = db_text(row, from + 2);
    change->created_at = db_number(row, from + 3);
    return change;
}

identity_db_status_t identity_changes_from(identity_db_t *db, apr_int64_t sequence,
                                           apr_int64_t limit, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_CHANGES_FROM, DB_ARGS(N(sequence), N(limit)), read_change,
                   rows);
}

identity_db_status_t identity_change_last(identity_db_t *db, identity_change_row_t **row)
{
    return db_one(db, IDENTITY_SQL_CHANGE_LAST, NULL, 0, read_change, row);
}

identity_db_status_t identity_change_sequence(identity_db_t *db, apr_int64_t *sequence)
{
    return db_count(db, IDENTITY_SQL_CHANGE_SEQUENCE, NULL, 0, sequence);
}

identity_db_status_t identity_changes_old(identity_db_t *db, apr_time_t before, apr_int64_t *old)
{
    return db_count(db, IDENTITY_SQL_CHANGES_OLD, DB_ARGS(N(before)), old);
}

identity_db_status_t identity_changes_purge(identity_db_t *db, apr_time_t before, apr_int64_t limit,
                                            int *deleted)
{
    return db_change(db, IDENTITY_SQL_CHANGES_PURGE, DB_ARGS(N(before), N(limit)), deleted);
}
