/* SPDX-License-Identifier: Apache-2.0 */
/* Account memberships of users, teams and invitations. */
#include "rows_int.h"

static const char *const type_names[] = {"ADMIN", "USER", "PARTNER"};

const char *identity_member_type_name(identity_member_type_t type)
{
    return type_names[type];
}

bool identity_member_type_parse(const char *name, identity_member_type_t *type)
{
    for (int i = IDENTITY_MEMBER_ADMIN; name && i <= IDENTITY_MEMBER_PARTNER; i++)
        if (strcmp(name, type_names[i]) == 0) {
            *type = (identity_member_type_t)i;
            return true;
        }
    return false;
}

/* Unknown types get the least rights. */
static identity_member_type_t type_of(const char *name)
{
    identity_member_type_t type = IDENTITY_MEMBER_PARTNER;

    identity_member_type_parse(name, &type);
    return type;
}

/* ---- account memberships ---------------------------------------------------------------------------------------- */

#define DB_READ_MEMBER_TYPE(row, at) type_of(db_text(row, at))
static void *read_membership(const db_row_t *row, int from)
{
    identity_membership_row_t *made = apr_pcalloc(db_pool(row), sizeof *made);

    IDENTITY_MEMBERSHIP_ROW(DB_READ, DB_READ, DB_READ(m, TEXT, owner_id))
    made->account = *(identity_account_row_t *)db_read_account(row, from);
    return made;
}

identity_db_status_t identity_membership_insert(identity_db_t *db, identity_owner_t owner,
                                                const identity_membership_row_t *row,
                                                const apr_array_header_t *role_ids)
{
    identity_db_status_t status = db_in_write(db, "MEMBERSHIP_INSERT");

    if (status == IDENTITY_DB_OK)
        status =
            db_insert(db, IDENTITY_SQL_MEMBERSHIP_INSERT,
                      DB_ARGS(S(row->id), S(row->entity_id),
                              S(db_owner_column(IDENTITY_OWNER_USER, owner, row->owner_id)),
                              S(db_owner_column(IDENTITY_OWNER_TEAM, owner, row->owner_id)),
                              S(db_owner_column(IDENTITY_OWNER_INVITATION, owner, row->owner_id)),
                              S(row->account.id), S(type_names[row->type]), N(row->created_at)));

    if (status != IDENTITY_DB_OK || !role_ids || role_ids->nelts == 0)
        return status;
    return db_change(db, IDENTITY_SQL_MEMBERSHIP_ROLE_INSERT,
                     DB_ARGS(S(row->id), S(db_json(db, role_ids))), NULL);
}

identity_db_status_t identity_memberships_of(identity_db_t *db, identity_owner_t owner,
                                             const apr_array_header_t *owner_ids,
                                             apr_array_header_t **rows)
{
    static const identity_sql_t sql[] = {IDENTITY_SQL_MEMBERSHIPS_OF_USERS,
                                         IDENTITY_SQL_MEMBERSHIPS_OF_TEAMS,
                                         IDENTITY_SQL_MEMBERSHIPS_OF_INVITATIONS};
    return db_list(db, sql[owner], DB_ARGS(S(db_json(db, owner_ids))), read_membership, rows);
}

static void *read_shown(const db_row_t *row, int from)
{
    identity_membership_shown_t *shown = apr_palloc(db_pool(row), sizeof *shown);

    shown->owner_id = db_text(row, from);
    shown->id = db_text(row, from + 1);
    shown->account_id = db_text(row, from + 2);
    shown->type = type_of(db_text(row, from + 3));
    shown->created_at = db_number(row, from + 4);
    shown->role_id = db_text_or_null(row, from + 5);
    shown->position = db_number(row, from + 6);
    return shown;
}

static bool shown_before(const void *one_, const void *other_)
{
    const identity_membership_shown_t *one = one_, *other = other_;
    int order;

    if (one->created_at != other->created_at)
        return one->created_at < other->created_at;
    order = strcmp(one->id, other->id);
    return order < 0 || (order == 0 && one->position < other->position);
}

static const char *shown_owner(const void *row)
{
    return ((const identity_membership_shown_t *)row)->owner_id;
}

static identity_db_status_t shown_of(identity_db_t *db, identity_sql_t sql, const char *owners,
                                     apr_array_header_t **rows)
{
    identity_db_status_t status = db_list(db, sql, DB_ARGS(S(owners)), read_shown, rows);

    db_sort_runs(*rows, shown_owner, shown_before);
    return status;
}

identity_db_status_t identity_memberships_shown(identity_db_t *db, identity_owner_t owner,
                                                const apr_array_header_t *owner_ids,
                                                apr_array_header_t **rows)
{
    bool team = owner == IDENTITY_OWNER_TEAM;

    if (owner_ids->nelts == 1)
        return shown_of(
            db, team ? IDENTITY_SQL_MEMBERSHIPS_SHOWN_TEAM : IDENTITY_SQL_MEMBERSHIPS_SHOWN_USER,
            APR_ARRAY_IDX(owner_ids, 0, const char *), rows);
    return shown_of(
        db, team ? IDENTITY_SQL_MEMBERSHIPS_SHOWN_TEAMS : IDENTITY_SQL_MEMBERSHIPS_SHOWN_USERS,
        db_json(db, owner_ids), rows);
}

identity_db_status_t identity_membership_update(identity_db_t *db,
                                                const identity_membership_row_t *row,
                                                const apr_array_header_t *role_ids)
{
    identity_db_status_t status = db_in_write(db, "MEMBERSHIP_TYPE");

    if (status == IDENTITY_DB_OK)
        status = db_guarded(db, IDENTITY_SQL_MEMBERSHIP_TYPE,
                            DB_ARGS(S(type_names[row->type]), S(row->id), S(row->entity_id)));
    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_MEMBERSHIP_ROLES_DELETE, DB_ARGS(S(row->id)), NULL);
    if (status != IDENTITY_DB_OK || role_ids->nelts == 0)
        return status;
    return db_change(db, IDENTITY_SQL_MEMBERSHIP_ROLE_INSERT,
                     DB_ARGS(S(row->id), S(db_json(db, role_ids))), NULL);
}

identity_db_status_t identity_membership_delete(identity_db_t *db, identity_owner_t owner,
                                                const identity_membership_row_t *row)
{
    return db_guarded(db,
                      owner == IDENTITY_OWNER_USER ? IDENTITY_SQL_MEMBERSHIP_DELETE_OF_USER
                                                   : IDENTITY_SQL_MEMBERSHIP_DELETE_OF_TEAM,
                      DB_ARGS(S(row->id), S(row->owner_id), S(row->entity_id)));
}

identity_db_status_t identity_memberships_delete(identity_db_t *db, identity_owner_t owner,
                                                 const char *owner_id)
{
    static const identity_sql_t sql[] = {IDENTITY_SQL_MEMBERSHIPS_DELETE_USER,
                                         IDENTITY_SQL_MEMBERSHIPS_DELETE_TEAM,
                                         IDENTITY_SQL_MEMBERSHIPS_DELETE_INVITATION};
    return db_change(db, sql[owner], DB_ARGS(S(owner_id)), NULL);
}

identity_db_status_t identity_memberships_adopt(identity_db_t *db, const char *invitation_id,
                                                const char *user_id)
{
    identity_db_status_t status = db_in_write(db, "MEMBERSHIPS_ADOPT");

    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_MEMBERSHIPS_ADOPT,
                           DB_ARGS(S(user_id), S(invitation_id), S(user_id)), NULL);
    return status == IDENTITY_DB_OK
               ? identity_memberships_delete(db, IDENTITY_OWNER_INVITATION, invitation_id)
               : status;
}

static void *read_membership_role(const db_row_t *row, int from)
{
    identity_membership_role_row_t *role = apr_palloc(db_pool(row), sizeof *role);

    role->membership_id = db_text(row, from);
    role->role_id = db_text(row, from + 1);
    return role;
}

identity_db_status_t identity_membership_roles(identity_db_t *db,
                                               const apr_array_header_t *membership_ids,
                                               apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_MEMBERSHIP_ROLES, DB_ARGS(S(db_json(db, membership_ids))),
                   read_membership_role, rows);
}

static void *read_grant(const db_row_t *row, int from)
{
    identity_grant_row_t *grant = apr_palloc(db_pool(row), sizeof *grant);

    grant->account_id = db_text(row, from);
    grant->membership_id = db_text(row, from + 1);
    grant->type = type_of(db_text(row, from + 2));
    grant->role_id = db_text(row, from + 3);
    grant->permission = db_text(row, from + 4);
    return grant;
}

identity_db_status_t identity_grants_of_user(identity_db_t *db, const char *user_id, apr_time_t now,
                                             apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_GRANTS_OF_USER, DB_ARGS(S(user_id), S(user_id), N(now), N(now)),
                   read_grant, rows);
}

static void *read_standing(const db_row_t *row, int from)
{
    identity_standing_row_t *standing = apr_palloc(db_pool(row), sizeof *standing);
    const char *kind = db_text(row, from);

    standing->kind = strcmp(kind, "entity") == 0    ? IDENTITY_STANDING_ENTITY
                     : strcmp(kind, "account") == 0 ? IDENTITY_STANDING_ACCOUNT
                     : strcmp(kind, "role") == 0    ? IDENTITY_STANDING_ROLE
                                                    : IDENTITY_STANDING_TEAM;
    standing->account_id = db_text(row, from + 1);
    standing->id = db_text(row, from + 2);
    standing->name = db_text(row, from + 3);
    standing->slug = db_text(row, from + 4);
    standing->start_at = db_number(row, from + 5);
    standing->lasting = 0;
    if (standing->kind == IDENTITY_STANDING_ENTITY) {
        standing->lasting = (int)standing->start_at;
        standing->start_at = 0;
    }
    standing->end_at = db_number(row, from + 6);
    return standing;
}

identity_db_status_t identity_standing_of_user(identity_db_t *db, const char *entity_id,
                                               const char *user_id, apr_time_t now,
                                               apr_array_header_t **rows)
{
    return db_list(
        db, IDENTITY_SQL_STANDING_OF_USER,
        DB_ARGS(S(user_id), S(user_id), N(now), N(now), S(entity_id), S(user_id), N(now)),
        read_standing, rows);
}
