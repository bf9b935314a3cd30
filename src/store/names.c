/* SPDX-License-Identifier: Apache-2.0 */
/* User names and their holders: looked up, converted to the form of schema version 3, and checked by `check`.
 *
 * A name is unique in its entity (canonical). Across the server it belongs to one user (held_name) who is ACTIVE or
 * INACTIVE. Names from older databases that the present rule rejects, or that now collide with another, keep the
 * form in which they used to be compared in old_name, and their users sign in with that. */
#include <stdlib.h>

#include "rows_int.h"

identity_db_status_t identity_user_by_name(identity_db_t *db, const char *name,
                                           identity_user_row_t **row)
{
    apr_pool_t *pool = db_use_pool(db);

    return db_one(db, IDENTITY_SQL_USER_BY_NAME,
                  DB_ARGS(S(identity_username_old_form(pool, name)),
                          S(identity_username_canonical(pool, name))),
                  db_read_user, row);
}

identity_db_status_t identity_user_in_entity(identity_db_t *db, const char *entity_id,
                                             const char *name, identity_user_row_t **row)
{
    apr_pool_t *pool = db_use_pool(db);

    return db_one(db, IDENTITY_SQL_USER_IN_ENTITY,
                  DB_ARGS(S(identity_username_old_form(pool, name)), S(entity_id), S(entity_id),
                          S(identity_username_canonical(pool, name))),
                  db_read_user, row);
}

identity_db_status_t identity_users_of_name(identity_db_t *db, const char *canonical,
                                            apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_USERS_OF_NAME, DB_ARGS(S(canonical)), db_read_user, rows);
}

identity_db_status_t identity_user_holder(identity_db_t *db, const identity_user_row_t *claimant,
                                          identity_user_row_t **row)
{
    const char *old_form = identity_username_old_form(db_use_pool(db), claimant->username);

    return db_one(db, IDENTITY_SQL_USER_HOLDER,
                  DB_ARGS(S(claimant->canonical), S(claimant->id), S(claimant->canonical),
                          S(claimant->id), S(old_form), S(claimant->id)),
                  db_read_user, row);
}

identity_db_status_t identity_user_signed_in(identity_db_t *db, const char *id, apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_USER_SIGNED_IN, DB_ARGS(N(now), S(id)), NULL);
}

/* ---- the migration ---------------------------------------------------------------------------------------------- */

static bool lasting(const identity_user_row_t *user)
{
    return user->status == IDENTITY_USER_ACTIVE || user->status == IDENTITY_USER_INACTIVE;
}

static identity_db_status_t set_name(identity_db_t *db, const identity_user_row_t *user,
                                     const char *canonical, const char *old_name)
{
    return db_change(db, IDENTITY_SQL_NAMES_SET,
                     DB_ARGS(S(canonical), S(identity_username_domain(canonical)),
                             S(lasting(user) ? canonical : NULL), S(old_name), S(user->id)),
                     NULL);
}

/* Cannot be anybody's canonical form: valid names contain no colon. */
static identity_db_status_t set_old_name(identity_db_t *db, const identity_user_row_t *user,
                                         const char *old_name)
{
    return set_name(db, user, apr_pstrcat(db_use_pool(db), user->id, ":", old_name, NULL),
                    old_name);
}

/* First, all users whose form changes are moved aside, so that nobody collides with a user that is still to be
 * changed. */
static identity_db_status_t put_aside(identity_db_t *db, const void *row, void *context)
{
    const identity_user_row_t *user = row;
    const char *canonical = identity_username_canonical(db_use_pool(db), user->username);

    (void)context;
    if (!canonical)
        return set_name(db, user, user->canonical, user->canonical);
    if (strcmp(canonical, user->canonical) == 0 || user->old_name)
        return IDENTITY_DB_OK;
    return set_old_name(db, user, user->canonical);
}

/* The proved one takes precedence, then the older. */
static bool goes_before(const identity_user_row_t *a, const identity_user_row_t *b)
{
    if (!a->verified_at != !b->verified_at)
        return a->verified_at != 0;
    if (a->created_at != b->created_at)
        return a->created_at < b->created_at;
    return strcmp(a->id, b->id) < 0;
}

/* Do they collide? People invited by two entities may share a name. */
static bool meet(const identity_user_row_t *a, const identity_user_row_t *b)
{
    return strcmp(a->id, b->id) != 0 &&
           (strcmp(a->entity_id, b->entity_id) == 0 || (lasting(a) && lasting(b)));
}

/* In the state of the database during its migration. */
static identity_db_status_t rivals_of(identity_db_t *db, const char *canonical,
                                      apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_NAMES_MEETING, DB_ARGS(S(canonical)), db_read_user, rows);
}

static identity_db_status_t settle(identity_db_t *db, const void *row, void *context)
{
    const identity_user_row_t *user = row;
    const char *canonical = identity_username_canonical(db_use_pool(db), user->username);
    apr_array_header_t *rivals;
    identity_db_status_t status = canonical ? rivals_of(db, canonical, &rivals) : IDENTITY_DB_OK;

    (void)context;
    if (!canonical || status != IDENTITY_DB_OK)
        return status;
    for (int i = 0; i < rivals->nelts; i++) {
        const identity_user_row_t *rival = APR_ARRAY_IDX(rivals, i, const identity_user_row_t *);
        if (meet(user, rival) && goes_before(rival, user))
            return IDENTITY_DB_OK;
    }
    for (int i = 0; status == IDENTITY_DB_OK && i < rivals->nelts; i++) {
        const identity_user_row_t *rival = APR_ARRAY_IDX(rivals, i, const identity_user_row_t *);
        if (meet(user, rival))
            status = set_old_name(db, rival,
                                  identity_username_old_form(db_use_pool(db), rival->username));
    }
    return status == IDENTITY_DB_OK ? set_name(db, user, canonical, NULL) : status;
}

static const char *user_id(const void *user)
{
    return ((const identity_user_row_t *)user)->id;
}

static const char *user_old_name(const void *user)
{
    return ((const identity_user_row_t *)user)->old_name;
}

typedef struct address {
    const char *id, *email, *canonical;
} address_t;

static void *read_address(const db_row_t *row, int from)
{
    address_t *address = apr_palloc(db_pool(row), sizeof *address);

    *address = (address_t){db_text(row, from), db_text(row, from + 1), db_text(row, from + 2)};
    return address;
}

static const char *address_id(const void *address)
{
    return ((const address_t *)address)->id;
}

/* Invitations are looked up by address. */
static identity_db_status_t move_invitation(identity_db_t *db, const void *row, void *context)
{
    const address_t *address = row;
    const char *key = identity_username_key(db_use_pool(db), address->email);

    (void)context;
    return strcmp(key, address->canonical) == 0 ? IDENTITY_DB_OK
                                                : db_change(db, IDENTITY_SQL_NAMES_INVITED_SET,
                                                            DB_ARGS(S(key), S(address->id)), NULL);
}

identity_db_status_t db_migrate_names(identity_db_t *db)
{
    identity_db_status_t status =
        db_each(db, IDENTITY_SQL_NAMES_ALL, db_read_user, user_id, put_aside, NULL);

    if (status == IDENTITY_DB_OK)
        status = db_each(db, IDENTITY_SQL_NAMES_OLD, db_read_user, user_old_name, settle, NULL);
    return status == IDENTITY_DB_OK ? db_each(db, IDENTITY_SQL_NAMES_INVITED, read_address,
                                              address_id, move_invitation, NULL)
                                    : status;
}

/* ---- check ------------------------------------------------------------------------------------------------------ */

const char *db_quoted(apr_pool_t *pool, const char *text)
{
    json_t *string = json_stringn_nocheck(text, strlen(text));
    char *dump = json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    const char *copy = apr_pstrdup(pool, dump ? dump : "\"?\"");

    free(dump);
    json_decref(string);
    return copy;
}

typedef struct notes {
    apr_pool_t *pool;
    apr_array_header_t *lines;
} notes_t;

static identity_db_status_t look_at(identity_db_t *db, const void *row, void *context)
{
    const identity_user_row_t *user = row;
    notes_t *notes = context;
    apr_pool_t *batch = db_use_pool(db);
    const char *canonical = identity_username_canonical(batch, user->username), *line;
    apr_array_header_t *rivals;

    if (canonical && strcmp(canonical, user->canonical) == 0)
        return IDENTITY_DB_OK;
    line = apr_psprintf(notes->pool, "the name %s of %s (entity %s) ",
                        db_quoted(batch, user->username), user->id, user->entity_id);
    if (!canonical) {
        APR_ARRAY_PUSH(notes->lines, const char *) =
            apr_pstrcat(notes->pool, line, "is not a valid user name", NULL);
        return IDENTITY_DB_OK;
    }
    identity_db_status_t status = identity_users_of_name(db, canonical, &rivals);
    const identity_user_row_t *rival = status == IDENTITY_DB_OK && rivals->nelts
                                           ? APR_ARRAY_IDX(rivals, 0, const identity_user_row_t *)
                                           : NULL;
    APR_ARRAY_PUSH(notes->lines, const char *) =
        rival ? apr_pstrcat(notes->pool, line, "means the same as ",
                            db_quoted(batch, rival->username), " of ", rival->id, " (entity ",
                            rival->entity_id, ")", NULL)
              : apr_pstrcat(notes->pool, line, "is compared by an old spelling", NULL);
    return status;
}

identity_db_status_t identity_names_old(identity_db_t *db, bool *any)
{
    apr_int64_t count = 0;
    identity_db_status_t status = db_count(db, IDENTITY_SQL_NAMES_OLD_ANY, NULL, 0, &count);

    *any = count > 0;
    return status;
}

identity_db_status_t identity_names_check(identity_db_t *db, apr_array_header_t **lines)
{
    notes_t notes = {db_use_pool(db), apr_array_make(db_use_pool(db), 4, sizeof(const char *))};

    *lines = notes.lines;
    return db_each(db, IDENTITY_SQL_NAMES_ALL, db_read_user, user_id, look_at, &notes);
}
