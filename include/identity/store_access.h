/* Rows of teams, roles, grants and API keys. Part of identity/store.h. */
#ifndef IDENTITY_STORE_ACCESS_PUBLIC_H
#define IDENTITY_STORE_ACCESS_PUBLIC_H

#include "identity/store.h"

typedef struct identity_team_row {
    IDENTITY_TEAM_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_team_row_t;
/* CONFLICT: another team of the entity has that name, in any case. */
identity_db_status_t identity_team_insert(identity_db_t *db, const identity_team_row_t *row);
/* The same, for the name of a team that was read in the same write transaction. */
identity_db_status_t identity_team_rename(identity_db_t *db, const identity_team_row_t *row);
/* With its memberships and members. NONE: not there. */
identity_db_status_t identity_team_delete(identity_db_t *db, const char *entity_id, const char *id);
/* Adds a line for each team whose name another team of its entity has as well. */
identity_db_status_t identity_team_names_check(identity_db_t *db, apr_array_header_t **lines);
/* The oldest of this name, which several of an older database may have. */
identity_db_status_t identity_team_named(identity_db_t *db, const char *entity_id, const char *name, const char **id);
identity_db_status_t identity_team_get(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_team_row_t **row);

typedef struct identity_team_member_row {
    IDENTITY_TEAM_MEMBER_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER, const char *owner_id;) /* of a user or an invitation */
} identity_team_member_row_t;
identity_db_status_t
identity_team_member_insert(identity_db_t *db, identity_owner_t owner,
                            const identity_team_member_row_t *row); /* CONFLICT: already one in that team */
/* Users and invitations whose time in it is not over; cap: counted no further. */
identity_db_status_t identity_team_members_count(identity_db_t *db, const char *team_id, apr_time_t now,
                                                 apr_int64_t cap, apr_int64_t *count);
identity_db_status_t identity_team_members_of(identity_db_t *db, identity_owner_t owner,
                                              const apr_array_header_t *owner_ids, apr_array_header_t **rows);
/* Of users, by owner, oldest first: owner_id, team_id, start_at, end_at, created_at and id of them. */
identity_db_status_t identity_team_members_shown(identity_db_t *db, const apr_array_header_t *user_ids,
                                                 apr_array_header_t **rows);
/* The window of a user's, by its id. NONE: not there. */
identity_db_status_t identity_team_member_update(identity_db_t *db, const identity_team_member_row_t *row);
identity_db_status_t identity_team_member_delete(identity_db_t *db, const char *entity_id, const char *id);
identity_db_status_t identity_team_members_delete(identity_db_t *db, identity_owner_t owner, const char *owner_id);
/* Those of an invitation become the user's, in teams that the user is not in (any more). */
identity_db_status_t identity_team_members_adopt(identity_db_t *db, const char *invitation_id, const char *user_id,
                                                 apr_time_t now);

typedef struct identity_role_row {
    IDENTITY_ROLE_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_role_row_t;

/* CONFLICT: name or slug taken among the entity's own and the built-in ones. */
identity_db_status_t identity_role_insert(identity_db_t *db, const identity_role_row_t *row,
                                          const apr_array_header_t *child_ids, const apr_array_header_t *permissions);
/* Writes name, canonical and description where the row still has row->version, and moves it on; replaces its children
 * and its permissions where the lists are not NULL. NONE: changed meanwhile. CONFLICT: name taken, as above. */
identity_db_status_t identity_role_update(identity_db_t *db, identity_role_row_t *row,
                                          const apr_array_header_t *child_ids, const apr_array_header_t *permissions);
/* CONFLICT: in use by a membership, an open invitation or as a child; or no role of the entity. */
identity_db_status_t identity_role_delete(identity_db_t *db, const char *entity_id, const char *id);
/* Those of the ids, names (canonical) or slugs that the entity can use; any list may be NULL. One statement. */
identity_db_status_t identity_roles_find(identity_db_t *db, const char *entity_id, const apr_array_header_t *ids,
                                         const apr_array_header_t *names, const apr_array_header_t *slugs,
                                         apr_array_header_t **rows);

typedef struct identity_role_edge_row {
    const char *role_id, *child_id;
    int position; /* among the children of the role */
} identity_role_edge_row_t;
typedef struct identity_role_permission_row {
    const char *role_id, *permission;
} identity_role_permission_row_t;
/* The roles of the ids and their children to depth 2, the edges among them in order, the permissions of those that are
 * not built in (permissions NULL: without those): a fixed number of statements. */
identity_db_status_t identity_roles_closure(identity_db_t *db, const apr_array_header_t *ids,
                                            apr_array_header_t **roles, apr_array_header_t **edges,
                                            apr_array_header_t **permissions);

/* The roles that have the role in them, to two levels above it: its parents and theirs. */
typedef struct identity_role_ancestor_row {
    const char *id;
    int height; /* 1: a parent, 2: a parent's parent; an id may come with both */
} identity_role_ancestor_row_t;
/* Of an entity and the built-in ones: those whose slug is not the canonical name with hyphens for blanks. */
identity_db_status_t identity_roles_named_apart(identity_db_t *db, const char *entity_id, apr_array_header_t **rows);
/* Is the role one of a membership, or within another role? */
identity_db_status_t identity_role_in_use(identity_db_t *db, const char *id, bool *used);
identity_db_status_t identity_role_ancestors(identity_db_t *db, const char *id, apr_array_header_t **rows);

/* Does a role or key of the entity name the permission? */
identity_db_status_t identity_permission_named(identity_db_t *db, const char *entity_id, const char *permission,
                                               bool *named);
/* Ids of the roles that grant the permission, themselves or by a role within, some of them twice: those of the built-in
 * ones that are given, and the entity's own. */
identity_db_status_t identity_roles_granting(identity_db_t *db, const char *entity_id, const char *permission,
                                             const apr_array_header_t *built_in, apr_array_header_t **ids);

/* What a user holds now, directly and by teams inside their window: a row for each (membership, role of the closure,
 * own permission). One statement. */
typedef struct identity_grant_row {
    const char *account_id, *membership_id;
    identity_member_type_t type;
    const char *role_id;    /* "" where the membership has no roles */
    const char *permission; /* of a role that is not built in; "" for built-in roles or none */
} identity_grant_row_t;
identity_db_status_t identity_grants_of_user(identity_db_t *db, const char *user_id, apr_time_t now,
                                             apr_array_header_t **rows);
/* The names of what a user belongs to: its entity, and what it holds now; of teams also those that it will be in. One
 * statement. */
typedef enum {
    IDENTITY_STANDING_ENTITY,
    IDENTITY_STANDING_ACCOUNT,
    IDENTITY_STANDING_ROLE,
    IDENTITY_STANDING_TEAM
} identity_standing_kind_t;
typedef struct identity_standing_row {
    identity_standing_kind_t kind;
    const char *account_id;      /* that a role is held in */
    const char *id, *name;       /* name: the reference; of a role in its canonical form */
    const char *slug;            /* of a role */
    apr_time_t start_at, end_at; /* of a team; of an entity end_at; 0: none */
    int lasting;                 /* with an entity: how many of them are no sandboxes, counted to 2 */
} identity_standing_row_t;
identity_db_status_t identity_standing_of_user(identity_db_t *db, const char *entity_id, const char *user_id,
                                               apr_time_t now, apr_array_header_t **rows);

typedef enum { IDENTITY_KEY_ADMINISTRATOR, IDENTITY_KEY_READ_ONLY } identity_key_role_t;
const char *identity_key_role_name(identity_key_role_t role);

typedef struct identity_key_row {
    IDENTITY_KEY_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    const char *entity_reference; /* of identity_key_get; NULL elsewhere */
    apr_time_t entity_expires_at; /* ... and 0 */
} identity_key_row_t;

identity_db_status_t identity_key_insert(identity_db_t *db, const identity_key_row_t *row,
                                         const apr_array_header_t *permissions);
identity_db_status_t identity_key_get(identity_db_t *db, const char *id,
                                      identity_key_row_t **row); /* over all entities: for authentication; expires_at:
                                                                    its own, or its entity's where that is first */
/* Keys of the entity itself. */
identity_db_status_t identity_key_find(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_key_row_t **row);
/* A personal key; all of a user's, the newest first; and their end, which leaves no row. KEY_DELETE: NONE where it is
 * not there. Both in a write transaction. */
identity_db_status_t identity_key_of_user(identity_db_t *db, const char *user_id, const char *id,
                                          identity_key_row_t **row);
identity_db_status_t identity_keys_of_user(identity_db_t *db, const char *user_id, apr_int64_t limit,
                                           apr_array_header_t **rows);
/* user_id: "" of a key of the entity. */
identity_db_status_t identity_key_delete(identity_db_t *db, const char *user_id, const char *id);
identity_db_status_t identity_keys_delete_user(identity_db_t *db, const char *user_id);
/* Active keys of the entity itself that the user made, the oldest first. */
identity_db_status_t identity_keys_made_by(identity_db_t *db, const char *entity_id, const char *user_id,
                                           apr_array_header_t **rows);
/* Writes description, active, narrowed, role and expires_at where the row still has row->version, and moves it on;
 * replaces its permissions where the list is not NULL. NONE: changed meanwhile. */
identity_db_status_t identity_key_update(identity_db_t *db, identity_key_row_t *row,
                                         const apr_array_header_t *permissions);
/* Permissions of each of the keys (role_id is the key's id here). */
identity_db_status_t identity_key_permissions(identity_db_t *db, const apr_array_header_t *key_ids,
                                              apr_array_header_t **rows);
identity_db_status_t identity_key_touch(identity_db_t *db, const char *id, apr_time_t now);

#endif
