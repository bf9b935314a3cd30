/* SPDX-License-Identifier: Apache-2.0 */
/* Users. */
#include "rows_int.h"

static const char *const status_names[] = {"INVITED", "INVITE_REVOKED", "ACTIVE", "INACTIVE"};

const char *identity_user_status_name(identity_user_status_t status)
{
    return status_names[status];
}

bool identity_user_status_parse(const char *name, identity_user_status_t *status)
{
    for (int i = IDENTITY_USER_INVITED; i <= IDENTITY_USER_INACTIVE; i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *status = (identity_user_status_t)i;
            return true;
        }
    }
    return false;
}

static identity_user_status_t status_of(const char *name)
{
    identity_user_status_t status;
    return identity_user_status_parse(name, &status)
               ? status
               : IDENTITY_USER_INACTIVE; /* who may do nothing */
}

#define DB_READ_USER_STATUS(row, at) status_of(db_text(row, at))
void *db_read_user(const db_row_t *row, int from)
{
    identity_user_row_t *made = apr_pcalloc(db_pool(row), sizeof *made);

    IDENTITY_USER_ROW(DB_READ, DB_READ)
    made->login = db_text_or_null(row, from);
    return made;
}

void *db_read_user_shown(const db_row_t *row, int from)
{
    identity_user_row_t *user = apr_pcalloc(db_pool(row), sizeof *user);

    user->id = db_text(row, from);
    user->username = db_text(row, from + 1);
    user->canonical = db_text(row, from + 2);
    user->status = status_of(db_text(row, from + 3));
    user->created_at = db_number(row, from + 4);
    user->invite_expires_at = db_number(row, from + 5);
    user->pending_username = db_text(row, from + 6);
    user->pending_expires_at = db_number(row, from + 7);
    user->deleted_at = db_number(row, from + 8);
    user->login = db_text_or_null(row, from + 9);
    return user;
}

static void *read_user_and_sequence(const db_row_t *row, int from)
{
    identity_user_row_t *user = db_read_user_shown(row, from);

    user->sequence = db_number(row, from + 10);
    return user;
}

static bool active(const identity_user_row_t *row)
{
    return row->status == IDENTITY_USER_ACTIVE;
}

/* The name that the row is to hold over the whole server, or NULL. */
static const char *held_name(const identity_user_row_t *row, bool anew)
{
    bool holds = active(row) || (row->status == IDENTITY_USER_INACTIVE && (anew || row->held_name));
    return holds ? row->canonical : NULL;
}

identity_db_status_t identity_user_insert(identity_db_t *db, const identity_user_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_USER_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->username), S(row->canonical),
                             S(identity_username_domain(row->canonical)),
                             S(status_names[row->status]), N(active(row)), S(row->password_hash),
                             N(row->created_at), N(row->updated_at), N(row->verified_at),
                             N(row->password_changed_at), N(row->invite_expires_at),
                             N(row->version), S(held_name(row, true))));
}

identity_db_status_t identity_user_give_way(identity_db_t *db, const char *canonical,
                                            const char *entity_id)
{
    identity_db_status_t status = db_in_write(db, "USER_GIVE_WAY");

    return status == IDENTITY_DB_OK ? db_change(db, IDENTITY_SQL_USER_GIVE_WAY,
                                                DB_ARGS(S(canonical), S(entity_id)), NULL)
                                    : status;
}

identity_db_status_t identity_user_deleted(identity_db_t *db, const char *id, apr_time_t at)
{
    return db_guarded(db, IDENTITY_SQL_USER_DELETED, DB_ARGS(N(at), S(id)));
}

identity_db_status_t identity_user_login_set(identity_db_t *db, const identity_user_row_t *row)
{
    const char *key = row->login ? identity_login_key(db_use_pool(db), row->login) : NULL;
    identity_db_status_t status = db_guarded(
        db, IDENTITY_SQL_USER_LOGIN,
        DB_ARGS(S(row->login), S(key), S(row->id), S(key), S(row->entity_id), S(row->id)));

    return status == IDENTITY_DB_NONE ? IDENTITY_DB_CONFLICT : status;
}

identity_db_status_t identity_user_of_login(identity_db_t *db, const char *entity_id,
                                            const char *login, identity_user_row_t **row)
{
    return db_one(db, IDENTITY_SQL_USER_OF_LOGIN,
                  DB_ARGS(S(identity_login_key(db_use_pool(db), login)), S(entity_id)),
                  db_read_user, row);
}

identity_db_status_t identity_user_by_login(identity_db_t *db, const char *name,
                                            identity_user_row_t **row)
{
    apr_pool_t *pool = db_use_pool(db);
    const char *slash = strrchr(name, '/'), *login = slash ? slash + 1 : name;

    return db_one(db, IDENTITY_SQL_USER_BY_LOGIN,
                  DB_ARGS(S(identity_login_key(pool, login)),
                          S(slash ? apr_pstrmemdup(pool, name, (apr_size_t)(slash - name)) : ""),
                          N(!slash)),
                  db_read_user, row);
}

identity_db_status_t identity_user_get(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_user_row_t **row)
{
    return db_one(db, IDENTITY_SQL_USER_GET, DB_ARGS(S(id), S(entity_id)), db_read_user, row);
}

identity_db_status_t identity_user_shown(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_user_row_t **row)
{
    return db_one(db, IDENTITY_SQL_USER_SHOWN, DB_ARGS(S(id), S(entity_id)), read_user_and_sequence,
                  row);
}

identity_db_status_t identity_user_by_id(identity_db_t *db, const char *id,
                                         identity_user_row_t **row)
{
    return db_one(db, IDENTITY_SQL_USER_BY_ID, DB_ARGS(S(id)), db_read_user, row);
}

static void *read_id(const db_row_t *row, int from)
{
    return (void *)db_text(row, from);
}

identity_db_status_t identity_user_update(identity_db_t *db, identity_user_row_t *row)
{
    const char *holder, *held = held_name(row, false);
    identity_db_status_t status = db_guarded(
        db, IDENTITY_SQL_USER_UPDATE,
        DB_ARGS(S(row->username), S(row->canonical), S(row->old_name), S(row->canonical),
                S(identity_username_domain(row->canonical)), S(status_names[row->status]),
                N(active(row)), S(held), S(row->password_hash), N(row->updated_at),
                N(row->verified_at), N(row->password_changed_at), N(row->invite_expires_at),
                S(row->pending_username ? row->pending_username : ""), N(row->pending_expires_at),
                S(row->id), N(row->version), S(row->entity_id), S(row->canonical), S(row->id),
                S(held), S(row->id)));

    if (status == IDENTITY_DB_OK) {
        row->version++;
        row->held_name = held != NULL;
    }
    if (status != IDENTITY_DB_NONE)
        return status;
    /* Nothing was changed: because of the name, or of a concurrent change? */
    status = db_one(db, IDENTITY_SQL_USER_NAME_TAKEN,
                    DB_ARGS(S(row->entity_id), S(row->canonical), S(row->id), S(held), S(row->id)),
                    read_id, &holder);
    return status == IDENTITY_DB_OK ? IDENTITY_DB_CONFLICT : status;
}

identity_db_status_t identity_user_rehash(identity_db_t *db, const char *id, const char *old_hash,
                                          const char *new_hash)
{
    return db_guarded(db, IDENTITY_SQL_USER_REHASH, DB_ARGS(S(new_hash), S(id), S(old_hash)));
}

/* One user at most can be meant: what the filters say of it is asked here. */
static identity_db_status_t search_one(identity_db_t *db, const char *entity_id, const char *exact,
                                       const char *prefix, const char *domain, const char *only_id,
                                       apr_array_header_t **rows)
{
    identity_user_row_t *row;
    identity_db_status_t status = identity_user_shown(db, entity_id, only_id, &row);

    *rows = apr_array_make(db_use_pool(db), 1, sizeof(identity_user_row_t *));
    if (status != IDENTITY_DB_OK)
        return status == IDENTITY_DB_NONE ? IDENTITY_DB_OK : status;
    if ((!exact || strcmp(exact, row->canonical) == 0) &&
        (!prefix || strncmp(prefix, row->canonical, strlen(prefix)) == 0) &&
        (!domain || strcmp(domain, identity_username_domain(row->canonical)) == 0))
        APR_ARRAY_PUSH(*rows, identity_user_row_t *) = row;
    return IDENTITY_DB_OK;
}

identity_db_status_t identity_users_search(identity_db_t *db, const char *entity_id,
                                           const char *exact, const char *prefix,
                                           const char *domain, const char *only_id,
                                           apr_int64_t limit, apr_array_header_t **rows)
{
    const char *end = prefix ? identity_prefix_end(db_use_pool(db), prefix) : NULL;

    if (only_id)
        return search_one(db, entity_id, exact, prefix, domain, only_id, rows);
    if (exact)
        return db_list(db, IDENTITY_SQL_USERS_EXACT, DB_ARGS(S(entity_id), S(exact), N(limit)),
                       db_read_user_shown, rows);
    if (domain)
        return db_list(db, IDENTITY_SQL_USERS_DOMAIN, DB_ARGS(S(entity_id), S(domain), N(limit)),
                       db_read_user_shown, rows);
    if (prefix && end)
        return db_list(db, IDENTITY_SQL_USERS_PREFIX,
                       DB_ARGS(S(entity_id), S(prefix), S(end), N(limit)), db_read_user_shown,
                       rows);
    if (prefix)
        return db_list(db, IDENTITY_SQL_USERS_PREFIX_OPEN,
                       DB_ARGS(S(entity_id), S(prefix), N(limit)), db_read_user_shown, rows);
    return db_list(db, IDENTITY_SQL_USERS_ALL, DB_ARGS(S(entity_id), N(limit)), db_read_user_shown,
                   rows);
}

identity_db_status_t identity_account_admins(identity_db_t *db, const char *account_id,
                                             apr_time_t now, identity_admins_t *admins)
{
    apr_int64_t value = 0;
    identity_db_status_t status = db_count(
        db, IDENTITY_SQL_ACCOUNT_ADMINS,
        DB_ARGS(S(account_id), S(account_id), N(now), S(account_id), N(now), N(now)), &value);

    *admins = (identity_admins_t)value;
    return status;
}
