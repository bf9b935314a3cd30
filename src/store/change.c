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

typedef struct touch {
    enum { TOUCH, TOUCH_EVERYBODY, TOUCH_BORN } kind;
    identity_sql_t sql;
    int subject, given;
} touch_t;

static const touch_t touches[] = {
#define TOUCHES(statement, subject, given) {TOUCH, IDENTITY_SQL_##statement, subject, given},
#define EVERYBODY(statement)               {TOUCH_EVERYBODY, IDENTITY_SQL_##statement, 0, 0},
#define BORN(statement, subject)           {TOUCH_BORN, IDENTITY_SQL_##statement, subject, 0},
#define HARMLESS(statement, reason)
#include "touches.def"
#undef TOUCHES
#undef EVERYBODY
#undef BORN
#undef HARMLESS
};

#define TOUCH_COUNT (sizeof touches / sizeof touches[0])

/* list: of those that are written down, NULL for who was born. */
static void enter(identity_db_t *db, apr_array_header_t *list, const char *id)
{
    if (!id || apr_hash_get(db->known, id, APR_HASH_KEY_STRING))
        return;
    id = apr_pstrdup(db->touched->pool, id);
    apr_hash_set(db->known, id, APR_HASH_KEY_STRING, id);
    if (list)
        APR_ARRAY_PUSH(list, const char *) = id;
}

void db_touch_begin(identity_db_t *db)
{
    db->touched = apr_array_make(db->use, 4, sizeof(const char *));
    db->known = apr_hash_make(db->use);
}

bool db_touches(identity_sql_t sql)
{
    for (size_t i = 0; i < TOUCH_COUNT; i++)
        if (touches[i].sql == sql && touches[i].kind != TOUCH_BORN)
            return true;
    return false;
}

void db_touch(identity_db_t *db, identity_sql_t sql, const db_argument_t *arguments)
{
    for (size_t i = 0; i < TOUCH_COUNT && db->open && db->write; i++) {
        const touch_t *touch = &touches[i];
        if (touch->sql != sql)
            continue;
        if (touch->kind == TOUCH_BORN)
            enter(db, NULL, arguments[touch->subject].text);
        else if (touch->kind == TOUCH_EVERYBODY)
            enter(db, db->touched, EVERYBODY_ID);
        else if (arguments[touch->given].text)
            enter(db, db->touched, arguments[touch->subject].text);
    }
}

/* user_..., apik_...: the word in front. */
static const char *kind_of(apr_pool_t *pool, const char *id)
{
    return *id ? apr_pstrmemdup(pool, id, strcspn(id, "_")) : "all";
}

identity_db_status_t identity_change_tell(identity_db_t *db, const char *kind, const char *subject_id)
{
    return db_insert(db, IDENTITY_SQL_CHANGE_INSERT, DB_ARGS(S(kind), S(subject_id), N(apr_time_now())));
}

identity_db_status_t identity_change_insert(identity_db_t *db, const char *subject_id)
{
    return identity_change_tell(db, kind_of(db->use, subject_id), subject_id);
}

identity_db_status_t db_touch_end(identity_db_t *db)
{
    identity_db_status_t status = IDENTITY_DB_OK;

    for (int i = 0; status == IDENTITY_DB_OK && i < db->touched->nelts; i++)
        status = identity_change_insert(db, APR_ARRAY_IDX(db->touched, i, const char *));
    return status;
}

const apr_array_header_t *identity_db_touched(const identity_db_t *db)
{
    return db->touched;
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

identity_db_status_t identity_changes_from(identity_db_t *db, apr_int64_t sequence, apr_int64_t limit,
                                           apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_CHANGES_FROM, DB_ARGS(N(sequence), N(limit)), read_change, rows);
}

identity_db_status_t identity_change_last(identity_db_t *db, identity_change_row_t **row)
{
    return db_one(db, IDENTITY_SQL_CHANGE_LAST, NULL, 0, read_change, row);
}

identity_db_status_t identity_changes_old(identity_db_t *db, apr_time_t before, apr_int64_t *old)
{
    return db_count(db, IDENTITY_SQL_CHANGES_OLD, DB_ARGS(N(before)), old);
}

identity_db_status_t identity_changes_purge(identity_db_t *db, apr_time_t before, apr_int64_t limit, int *deleted)
{
    return db_change(db, IDENTITY_SQL_CHANGES_PURGE, DB_ARGS(N(before), N(limit)), deleted);
}
