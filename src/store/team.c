/* SPDX-License-Identifier: Apache-2.0 */
/* Teams and their members. A name is unique in its entity by its canonical form; colliding names from older
 * databases stay as they are, and `check` lists them. */
#include "rows_int.h"

/* "" if nothing is left */
static const char *canonical_of(identity_db_t *db, const char *name)
{
    const char *canonical = identity_name_canonical(db_use_pool(db), name);
    return canonical ? canonical : "";
}

DB_READER(db_read_team, identity_team_row_t, IDENTITY_TEAM_ROW)

static void *read_team_member(const db_row_t *row, int from)
{
    identity_team_member_row_t *made = apr_pcalloc(db_pool(row), sizeof *made);

    IDENTITY_TEAM_MEMBER_ROW(DB_READ, DB_READ, DB_READ(t, TEXT, owner_id))
    return made;
}

identity_db_status_t identity_team_insert(identity_db_t *db, const identity_team_row_t *row)
{
    const char *canonical = canonical_of(db, row->name);

    return db_insert(db, IDENTITY_SQL_TEAM_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->name), N(row->created_at),
                             S(canonical), S(row->entity_id), S(canonical)));
}

identity_db_status_t identity_team_rename(identity_db_t *db, const identity_team_row_t *row)
{
    const char *canonical = canonical_of(db, row->name);
    identity_db_status_t status =
        db_guarded(db, IDENTITY_SQL_TEAM_RENAME,
                   DB_ARGS(S(row->name), S(canonical), S(row->id), S(row->entity_id),
                           S(row->entity_id), S(canonical), S(row->id)));

    /* That the team is there was read in the same transaction. */
    return status == IDENTITY_DB_NONE ? IDENTITY_DB_CONFLICT : status;
}

identity_db_status_t identity_team_delete(identity_db_t *db, const char *entity_id, const char *id)
{
    return db_guarded(db, IDENTITY_SQL_TEAM_DELETE, DB_ARGS(S(id), S(entity_id)));
}

static void *read_team_id(const db_row_t *row, int from)
{
    return (void *)db_text(row, from);
}

identity_db_status_t identity_team_named(identity_db_t *db, const char *entity_id, const char *name,
                                         const char **id)
{
    return db_one(db, IDENTITY_SQL_TEAM_NAMED, DB_ARGS(S(entity_id), S(name)), read_team_id, id);
}

identity_db_status_t identity_team_get(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_team_row_t **row)
{
    return db_one(db, IDENTITY_SQL_TEAM_GET, DB_ARGS(S(id), S(entity_id)), db_read_team, row);
}

identity_db_status_t identity_team_members_count(identity_db_t *db, const char *team_id,
                                                 apr_time_t now, apr_int64_t cap,
                                                 apr_int64_t *count)
{
    return db_count(db, IDENTITY_SQL_TEAM_MEMBERS_COUNT, DB_ARGS(S(team_id), N(now), N(cap)),
                    count);
}

identity_db_status_t identity_team_member_insert(identity_db_t *db, identity_owner_t owner,
                                                 const identity_team_member_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_TEAM_MEMBER_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->team_id),
                             S(db_owner_column(IDENTITY_OWNER_USER, owner, row->owner_id)),
                             S(db_owner_column(IDENTITY_OWNER_INVITATION, owner, row->owner_id)),
                             N(row->start_at), N(row->end_at), N(row->created_at)));
}

identity_db_status_t identity_team_members_of(identity_db_t *db, identity_owner_t owner,
                                              const apr_array_header_t *owner_ids,
                                              apr_array_header_t **rows)
{
    return db_list(db,
                   owner == IDENTITY_OWNER_USER ? IDENTITY_SQL_TEAM_MEMBERS_OF_USERS
                                                : IDENTITY_SQL_TEAM_MEMBERS_OF_INVITATIONS,
                   DB_ARGS(S(db_json(db, owner_ids))), read_team_member, rows);
}

static void *read_member_shown(const db_row_t *row, int from)
{
    identity_team_member_row_t *member = apr_pcalloc(db_pool(row), sizeof *member);

    member->owner_id = db_text(row, from);
    member->team_id = db_text(row, from + 1);
    member->start_at = db_number(row, from + 2);
    member->end_at = db_number(row, from + 3);
    member->created_at = db_number(row, from + 4);
    member->id = db_text(row, from + 5);
    return member;
}

static bool member_before(const void *one_, const void *other_)
{
    const identity_team_member_row_t *one = one_, *other = other_;

    return one->created_at != other->created_at ? one->created_at < other->created_at
                                                : strcmp(one->id, other->id) < 0;
}

static const char *member_owner(const void *row)
{
    return ((const identity_team_member_row_t *)row)->owner_id;
}

identity_db_status_t identity_team_members_shown(identity_db_t *db,
                                                 const apr_array_header_t *user_ids,
                                                 apr_array_header_t **rows)
{
    bool one = user_ids->nelts == 1;
    identity_db_status_t status = db_list(
        db, one ? IDENTITY_SQL_TEAM_MEMBERS_SHOWN_USER : IDENTITY_SQL_TEAM_MEMBERS_SHOWN_USERS,
        DB_ARGS(S(one ? APR_ARRAY_IDX(user_ids, 0, const char *) : db_json(db, user_ids))),
        read_member_shown, rows);

    db_sort_runs(*rows, member_owner, member_before);
    return status;
}

identity_db_status_t identity_team_member_update(identity_db_t *db,
                                                 const identity_team_member_row_t *row)
{
    return db_guarded(
        db, IDENTITY_SQL_TEAM_MEMBER_UPDATE,
        DB_ARGS(N(row->start_at), N(row->end_at), S(row->id), S(row->owner_id), S(row->entity_id)));
}

identity_db_status_t identity_team_member_delete(identity_db_t *db, const char *entity_id,
                                                 const char *id)
{
    return db_guarded(db, IDENTITY_SQL_TEAM_MEMBER_DELETE, DB_ARGS(S(id), S(entity_id)));
}

identity_db_status_t identity_team_members_delete(identity_db_t *db, identity_owner_t owner,
                                                  const char *owner_id)
{
    return db_change(db,
                     owner == IDENTITY_OWNER_USER ? IDENTITY_SQL_TEAM_MEMBERS_DELETE_USER
                                                  : IDENTITY_SQL_TEAM_MEMBERS_DELETE_INVITATION,
                     DB_ARGS(S(owner_id)), NULL);
}

identity_db_status_t identity_team_members_adopt(identity_db_t *db, const char *invitation_id,
                                                 const char *user_id, apr_time_t now)
{
    identity_db_status_t status = db_in_write(db, "TEAM_MEMBERS_ADOPT");

    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_TEAM_MEMBERS_MAKE_ROOM,
                           DB_ARGS(S(user_id), N(now), S(invitation_id)), NULL);
    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_TEAM_MEMBERS_ADOPT,
                           DB_ARGS(S(user_id), S(invitation_id), S(user_id)), NULL);
    return status == IDENTITY_DB_OK
               ? identity_team_members_delete(db, IDENTITY_OWNER_INVITATION, invitation_id)
               : status;
}

/* ---- names of older databases ------------------------------------------------------------------------------------ */

static const char *team_id(const void *team)
{
    return ((const identity_team_row_t *)team)->id;
}

static identity_db_status_t set_canonical(identity_db_t *db, const void *row, void *context)
{
    const identity_team_row_t *team = row;

    (void)context;
    return db_change(db, IDENTITY_SQL_TEAM_NAME_SET,
                     DB_ARGS(S(canonical_of(db, team->name)), S(team->id)), NULL);
}

identity_db_status_t db_migrate_team_names(identity_db_t *db)
{
    return db_each(db, IDENTITY_SQL_TEAM_NAMES, db_read_team, team_id, set_canonical, NULL);
}

identity_db_status_t identity_team_names_check(identity_db_t *db, apr_array_header_t **lines)
{
    apr_array_header_t *rows = NULL;
    identity_db_status_t status =
        db_list(db, IDENTITY_SQL_TEAM_NAMES_MET, NULL, 0, db_read_team, &rows);

    for (int i = 0; status == IDENTITY_DB_OK && i < rows->nelts; i++) {
        const identity_team_row_t *team = APR_ARRAY_IDX(rows, i, const identity_team_row_t *);
        APR_ARRAY_PUSH(*lines, const char *) = apr_psprintf(
            db_use_pool(db), "the team %s (entity %s) has a name that another team has as well: %s",
            team->id, team->entity_id, db_quoted(db_use_pool(db), team->name));
    }
    return status;
}
