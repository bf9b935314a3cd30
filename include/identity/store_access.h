/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of teams, roles, grants and API keys. Part of identity/store.h. */
#ifndef IDENTITY_STORE_ACCESS_PUBLIC_H
#define IDENTITY_STORE_ACCESS_PUBLIC_H

#include "identity/store.h"

typedef struct identity_team_row {
    IDENTITY_TEAM_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_team_row_t;
/* CONFLICT: another team of the entity has that name, ignoring case. */
identity_db_status_t identity_team_insert(identity_db_t *db, const identity_team_row_t *row);
/* Writes the name; the team must have been read in the same write transaction. CONFLICT as above. */
identity_db_status_t identity_team_rename(identity_db_t *db, const identity_team_row_t *row);
/* With its memberships and members. NONE: not found. */
identity_db_status_t identity_team_delete(identity_db_t *db, const char *entity_id, const char *id);
/* Appends a line for each team whose name another team of its entity has as well. */
identity_db_status_t identity_team_names_check(identity_db_t *db, apr_array_header_t **lines);
/* The oldest team of that name; an older database may have several. */
identity_db_status_t identity_team_named(identity_db_t *db, const char *entity_id, const char *name,
                                         const char **id);
identity_db_status_t identity_team_get(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_team_row_t **row);

typedef struct identity_team_member_row {
    IDENTITY_TEAM_MEMBER_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER,
                             const char *owner_id;) /* of a user or an invitation */
} identity_team_member_row_t;
identity_db_status_t identity_team_member_insert(
    identity_db_t *db, identity_owner_t owner,
    const identity_team_member_row_t *row); /* CONFLICT: already one in that team */
/* Users and invitations whose membership in the team has not ended; counted to cap. */
identity_db_status_t identity_team_members_count(identity_db_t *db, const char *team_id,
                                                 apr_time_t now, apr_int64_t cap,
                                                 apr_int64_t *count);
identity_db_status_t identity_team_members_of(identity_db_t *db, identity_owner_t owner,
                                              const apr_array_header_t *owner_ids,
                                              apr_array_header_t **rows);
/* Of users, by owner, oldest first: owner_id, team_id, start_at, end_at, created_at and id of them. */
identity_db_status_t identity_team_members_shown(identity_db_t *db,
                                                 const apr_array_header_t *user_ids,
                                                 apr_array_header_t **rows);
/* Writes the start and end of a user's membership in a team, by its id. NONE: not found. */
identity_db_status_t identity_team_member_update(identity_db_t *db,
                                                 const identity_team_member_row_t *row);
identity_db_status_t identity_team_member_delete(identity_db_t *db, const char *entity_id,
                                                 const char *id);
identity_db_status_t identity_team_members_delete(identity_db_t *db, identity_owner_t owner,
                                                  const char *owner_id);
/* The invitation's become the user's, except for teams that the user is in. */
identity_db_status_t identity_team_members_adopt(identity_db_t *db, const char *invitation_id,
                                                 const char *user_id, apr_time_t now);

typedef struct identity_role_row {
    IDENTITY_ROLE_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_role_row_t;

/* CONFLICT: name or slug taken by one of the entity's roles or a built-in one. */
identity_db_status_t identity_role_insert(identity_db_t *db, const identity_role_row_t *row,
                                          const apr_array_header_t *child_ids,
                                          const apr_array_header_t *permissions);
/* Writes name, canonical and description if the row still has row->version, and increments that; replaces its
 * children and permissions if the lists are not NULL. NONE: changed meanwhile. CONFLICT: name taken, as above. */
identity_db_status_t identity_role_update(identity_db_t *db, identity_role_row_t *row,
                                          const apr_array_header_t *child_ids,
                                          const apr_array_header_t *permissions);
/* CONFLICT: used by a membership, an open invitation or as a child; or not a role of the entity. */
identity_db_status_t identity_role_delete(identity_db_t *db, const char *entity_id, const char *id);
/* The roles that the entity can use with these ids, names (canonical) or slugs; any list may be NULL. One statement. */
identity_db_status_t identity_roles_find(identity_db_t *db, const char *entity_id,
                                         const apr_array_header_t *ids,
                                         const apr_array_header_t *names,
                                         const apr_array_header_t *slugs,
                                         apr_array_header_t **rows);

typedef struct identity_role_edge_row {
    const char *role_id, *child_id;
    int position; /* among the children of the role */
} identity_role_edge_row_t;
typedef struct identity_role_permission_row {
    const char *role_id, *permission;
} identity_role_permission_row_t;
/* The roles with these ids and their children to depth 2, their edges in order, and the permissions of those that
 * are not built in (permissions NULL: without them): a constant number of statements. */
identity_db_status_t identity_roles_closure(identity_db_t *db, const apr_array_header_t *ids,
                                            apr_array_header_t **roles, apr_array_header_t **edges,
                                            apr_array_header_t **permissions);

/* Roles that contain the role, up to two levels above it. */
typedef struct identity_role_ancestor_row {
    const char *id;
    int height; /* 1: a parent, 2: a parent's parent; an id may occur with both */
} identity_role_ancestor_row_t;
/* An entity's and built-in roles whose slug is not the canonical name with hyphens for blanks. */
identity_db_status_t identity_roles_named_apart(identity_db_t *db, const char *entity_id,
                                                apr_array_header_t **rows);
/* Is the role assigned to a membership, or contained in another role? */
identity_db_status_t identity_role_in_use(identity_db_t *db, const char *id, bool *used);
identity_db_status_t identity_role_ancestors(identity_db_t *db, const char *id,
                                             apr_array_header_t **rows);

/* Does a role or key of the entity name the permission? */
identity_db_status_t identity_permission_named(identity_db_t *db, const char *entity_id,
                                               const char *permission, bool *named);
/* Ids of the roles that grant the permission, directly or through a child role, possibly repeated: of the given
 * built-in roles and the entity's own. */
identity_db_status_t identity_roles_granting(identity_db_t *db, const char *entity_id,
                                             const char *permission,
                                             const apr_array_header_t *built_in,
                                             apr_array_header_t **ids);

/* A user's present rights, direct and through current team memberships: a row for each (membership, role of the
 * closure, own permission). One statement. */
typedef struct identity_grant_row {
    const char *account_id, *membership_id;
    identity_member_type_t type;
    const char *role_id; /* "" where the membership has no roles */
    const char
        *permission; /* of a role that is not built in; "" for built-in roles, or if it has none */
} identity_grant_row_t;
identity_db_status_t identity_grants_of_user(identity_db_t *db, const char *user_id, apr_time_t now,
                                             apr_array_header_t **rows);
/* Names of the entity, accounts, roles and teams that a user presently belongs to; teams include future memberships.
 * One statement. */
typedef enum {
    IDENTITY_STANDING_ENTITY,
    IDENTITY_STANDING_ACCOUNT,
    IDENTITY_STANDING_ROLE,
    IDENTITY_STANDING_TEAM
} identity_standing_kind_t;
typedef struct identity_standing_row {
    identity_standing_kind_t kind;
    const char *account_id;      /* in which a role is held */
    const char *id, *name;       /* name: the reference; for a role its canonical name */
    const char *slug;            /* of a role */
    apr_time_t start_at, end_at; /* of a team; end_at also of an entity; 0: none */
    int lasting; /* for an entity: how many entities are not sandboxes, counted to 2 */
} identity_standing_row_t;
identity_db_status_t identity_standing_of_user(identity_db_t *db, const char *entity_id,
                                               const char *user_id, apr_time_t now,
                                               apr_array_header_t **rows);

typedef enum { IDENTITY_KEY_ADMINISTRATOR, IDENTITY_KEY_READ_ONLY } identity_key_role_t;
const char *identity_key_role_name(identity_key_role_t role);

typedef struct identity_key_row {
    IDENTITY_KEY_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    const char *entity_reference; /* set by identity_key_get; NULL elsewhere */
    apr_time_t entity_expires_at; /* ... and 0 */
} identity_key_row_t;

identity_db_status_t identity_key_insert(identity_db_t *db, const identity_key_row_t *row,
                                         const apr_array_header_t *permissions);
identity_db_status_t
identity_key_get(identity_db_t *db, const char *id,
                 identity_key_row_t **row); /* in any entity: for authentication; expires_at: the
                                                                    key's or its entity's, whichever is earlier */
/* Keys of the entity itself, not personal ones. */
identity_db_status_t identity_key_find(identity_db_t *db, const char *entity_id, const char *id,
                                       identity_key_row_t **row);
/* A personal key; all of a user's, newest first; and their deletion. KEY_DELETE: NONE if not found. The last two in
 * a write transaction. */
identity_db_status_t identity_key_of_user(identity_db_t *db, const char *user_id, const char *id,
                                          identity_key_row_t **row);
identity_db_status_t identity_keys_of_user(identity_db_t *db, const char *user_id,
                                           apr_int64_t limit, apr_array_header_t **rows);
/* user_id: "" for a key of the entity. */
identity_db_status_t identity_key_delete(identity_db_t *db, const char *user_id, const char *id);
identity_db_status_t identity_keys_delete_user(identity_db_t *db, const char *user_id);
/* Active keys of the entity itself that the user created, oldest first. */
identity_db_status_t identity_keys_made_by(identity_db_t *db, const char *entity_id,
                                           const char *user_id, apr_array_header_t **rows);
/* Writes description, active, narrowed, role and expires_at if the row still has row->version, and increments that;
 * replaces its permissions if the list is not NULL. NONE: changed meanwhile. */
identity_db_status_t identity_key_update(identity_db_t *db, identity_key_row_t *row,
                                         const apr_array_header_t *permissions);
/* Permissions of each key (role_id holds the key's id here). */
identity_db_status_t identity_key_permissions(identity_db_t *db, const apr_array_header_t *key_ids,
                                              apr_array_header_t **rows);
identity_db_status_t identity_key_touch(identity_db_t *db, const char *id, apr_time_t now);

#endif
