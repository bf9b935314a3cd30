/* SPDX-License-Identifier: Apache-2.0 */
/* What callers may do: principals, assignments, roles, delegation. */
#ifndef IDENTITY_SERVICE_ACCESS_H
#define IDENTITY_SERVICE_ACCESS_H

#include "call/call.h"

/* ---- principals and permissions (principal.c) -------------------------------------------------------------------- */

/* The principal of an ACTIVE user, with its present rights. */
bool identity_principal_of_user(identity_call_t *call, const identity_user_row_t *user,
                                identity_principal_t **principal);
/* *principal NULL: a personal key whose owner is not ACTIVE. */
bool identity_principal_of_key(identity_call_t *call, const identity_key_row_t *key,
                               identity_principal_t **principal);
/* The permissions that a key is narrowed to (array of const char *; empty if it is not narrowed). Reads. */
bool identity_key_narrowing(identity_call_t *call, const identity_key_row_t *key,
                            apr_array_header_t **names);
/* The key's permissions in each account of its entity, into an empty set. */
void identity_key_holds(identity_call_t *call, const identity_key_row_t *key,
                        const apr_array_header_t *names, identity_permset_t *set);
/* The caller's permissions in the account that the call acts on (or in all of its accounts alike): sets
 * call->permissions, account_id, partner. */
bool identity_permissions_select(identity_call_t *call);
/* The same for a principal that was read again, without borrowing a connection. */
bool identity_permissions_again(identity_call_t *call);
/* Does call->permissions include the route's permission, or is it the caller's own record? 403 otherwise. */
bool identity_permission_held(identity_call_t *call);
/* Does the principal hold all permissions of want in the account? */
bool identity_principal_covers(const identity_principal_t *principal, const char *account_id,
                               const identity_permset_t *want);
/* ... in every account of the entity? Reads. */
bool identity_principal_covers_entity(identity_call_t *call, const identity_permset_t *want,
                                      bool *covers);
/* For what belongs to the whole entity: refuses a caller who lacks the route's permission in one of its accounts. what:
 * the plural that begins the sentence. Reads. */
bool identity_permission_in_entity(identity_call_t *call, const char *what);
/* Does it hold every permission in every account of the entity, which must have one? Required where the role or key
 * in question grants nothing that could be compared. Never true of a PARTNER. Reads. */
bool identity_principal_holds_everything(identity_call_t *call,
                                         const identity_principal_t *principal, bool *holds);
/* 403 unless the caller holds everything. what: the beginning of the sentence, such as "A link for somebody". */
bool identity_needs_everything(identity_call_t *call, const char *what);
bool identity_principal_is_partner(const identity_principal_t *principal, const char *account_id);

/* ---- memberships, teams and roles of many owners at once (assignments.c, role_closure.c) ------------------------- */

#define IDENTITY_ROLE_DEPTH 2 /* nesting levels of roles; the closures in sql.def go equally deep */

typedef struct identity_roles {
    apr_hash_t *rows;        /* role id -> identity_role_row_t */
    apr_hash_t *children;    /* role id -> array of const char * */
    apr_hash_t *permissions; /* role id -> identity_permset_t, own permissions only */
    apr_hash_t *rendered[IDENTITY_ROLE_DEPTH + 1]; /* role id -> json_t, by depth */
    apr_hash_t *embedded[IDENTITY_ROLE_DEPTH + 1]; /* the same, in the form used in memberships */
} identity_roles_t;
/* Reads the closure of the ids, in three statements at most. */
bool identity_roles_load(identity_call_t *call, const apr_array_header_t *ids,
                         identity_roles_t **roles);
/* The same without permissions, which do not stand in a membership. */
bool identity_roles_load_shown(identity_call_t *call, const apr_array_header_t *ids,
                               identity_roles_t **roles);
/* Adds the permissions that a role and its children grant. */
void identity_roles_add_permissions(identity_call_t *call, const identity_roles_t *roles,
                                    const char *id, identity_permset_t *set);
/* New reference; levels of child_roles to show, 0 for none. */
json_t *identity_role_json(identity_call_t *call, identity_roles_t *roles, const char *id,
                           int levels);
/* The form used in memberships: without slug and permissions, which the published interface does not have there. */
json_t *identity_embedded_role_json(identity_call_t *call, identity_roles_t *roles, const char *id);

typedef struct identity_assignments {
    apr_hash_t *memberships;      /* owner id -> array of identity_membership_row_t * */
    apr_hash_t *membership_roles; /* membership id -> array of const char * */
    apr_hash_t *teams;            /* owner id -> array of identity_team_member_row_t * */
    apr_hash_t *team_memberships; /* team id -> array of identity_membership_row_t * */
    identity_roles_t *roles;
} identity_assignments_t;
/* Reads the owners' assignments, in a constant number of statements. */
bool identity_assignments_load(identity_call_t *call, identity_owner_t owner,
                               const apr_array_header_t *owner_ids,
                               identity_assignments_t **assignments);
/* The same for one owner. */
bool identity_assignments_of(identity_call_t *call, identity_owner_t owner, const char *owner_id,
                             identity_assignments_t **assignments);
bool identity_user_assignments(identity_call_t *call, const identity_user_row_t *user,
                               identity_assignments_t **assignments);
/* NULL if there are none. */
apr_array_header_t *identity_assigned_memberships(const identity_assignments_t *assignments,
                                                  const char *owner_id);
apr_array_header_t *identity_assigned_teams(const identity_assignments_t *assignments,
                                            const char *owner_id);
apr_array_header_t *identity_assigned_team_memberships(const identity_assignments_t *assignments,
                                                       const char *team_id);
apr_array_header_t *identity_assigned_role_ids(const identity_assignments_t *assignments,
                                               const char *membership_id);
/* The membership in that account, or NULL. memberships may be NULL. */
identity_membership_row_t *identity_membership_in(const apr_array_header_t *memberships,
                                                  const char *account_id);
json_t *identity_memberships_json(identity_call_t *call, identity_assignments_t *assignments,
                                  const char *owner_id);
json_t *identity_teams_json(identity_call_t *call, identity_assignments_t *assignments,
                            const char *owner_id);
json_t *identity_membership_json(identity_call_t *call, const char *id,
                                 const identity_account_row_t *account, identity_member_type_t type,
                                 const apr_array_header_t *role_ids, identity_roles_t *roles);
json_t *identity_user_json(identity_call_t *call, const identity_user_row_t *user,
                           identity_assignments_t *assignments);

/* An account as answers show it. A new reference. */
json_t *identity_account_json(const identity_account_row_t *account);

/* ---- users as most answers show them, written (shown.c) ---------------------------------------------------------- */

#define IDENTITY_SHOWN_LENGTH 1500 /* about as long as a user becomes */
typedef struct identity_shown identity_shown_t;
/* Reads what users of the caller's entity hold: two statements, and more, for what is not known in this process yet.
 * sequence: as identity_shared_begin has it. */
bool identity_shown_load(identity_call_t *call, const apr_array_header_t *user_ids,
                         apr_int64_t sequence, identity_shown_t **shown);
/* A writer for about so many users. */
void identity_shown_begin(identity_call_t *call, identity_writer_t *writer, int users);
/* The bytes of identity_user_json, identity_memberships_json, identity_teams_json of one of the users. */
void identity_shown_user(identity_call_t *call, identity_writer_t *writer,
                         const identity_shown_t *shown, const identity_user_row_t *user);
void identity_shown_memberships(identity_writer_t *writer, const identity_shown_t *shown,
                                const char *user_id);
void identity_shown_teams(identity_writer_t *writer, const identity_shown_t *shown,
                          const char *user_id);

/* ---- where permissions come from ----------------------------------------------------------------------------------
 */

/* Calls each for every set of permissions that the memberships (identity_membership_row_t *, from assignments; NULL:
 * none) grant, with its source in the form of identity_user_explain: first the membership's own (everything for
 * ADMIN, else nothing), then that of its roles. team: name of the team that owns them, or NULL. The source is
 * allocated in pool. */
typedef void identity_source_each_t(identity_call_t *call, void *data,
                                    const identity_account_row_t *account,
                                    const identity_permset_t *set, json_t *source);
void identity_sources_of(identity_call_t *call, const identity_assignments_t *assignments,
                         const apr_array_header_t *rows, const char *team,
                         identity_source_each_t *each, void *data);

/* ---- memberships in a body (membership_request.c) ---------------------------------------------------------------- */

typedef struct identity_membership_request {
    apr_array_header_t
        *memberships;             /* of identity_membership_row_t *, id and owner_id not set yet */
    apr_array_header_t *role_ids; /* parallel to memberships: an array of const char * each */
    apr_array_header_t *teams;    /* of identity_team_member_row_t * */
    apr_array_header_t *positions, *team_positions; /* of int: positions in the lists of the body */
    const apr_array_header_t
        *present_role_ids; /* input: roles of the membership being changed, or NULL */
} identity_membership_request_t;
/* Resolves account_memberships and team_memberships of the body within the entity and checks that the caller may grant
 * them: 400 naming the position, 403. */
bool identity_membership_request_read(identity_call_t *call,
                                      identity_membership_request_t *request);
/* The same for a body that is itself one membership of that list (account_memberships, team_memberships): problems
 * name its fields without the list. */
bool identity_membership_request_read_one(identity_call_t *call, const char *list,
                                          identity_membership_request_t *request);
/* An empty request, to be filled by the handler. */
void identity_membership_request_make(identity_call_t *call,
                                      identity_membership_request_t *request);
/* Records all of them as changes. */
void identity_changes_add_membership_request(identity_changes_t *changes,
                                             const identity_membership_request_t *request);
/* Stores them for the owner, with new ids. */
bool identity_membership_request_write(identity_call_t *call, identity_owner_t owner,
                                       const char *owner_id,
                                       const identity_membership_request_t *request);

/* ---- delegation: what one may give, take, and whom one may act on (delegation.c) --------------------------------- */

/* These return true if the action is allowed; otherwise they set the problem, 403 unless the database failed. They
 * read inside the transaction that makes the change, so that the decision is based on what is changed. */

/* May the caller grant everything in the request? The problem names the position. */
bool identity_may_grant(identity_call_t *call, const identity_membership_request_t *request);
/* ... and give that membership to a team (assignments: the team's)? A team that grants nothing yet but has members
 * may only be given rights by somebody who could add those members. */
bool identity_may_grant_to_team(identity_call_t *call, const identity_assignments_t *assignments,
                                const char *team_id);
/* May the caller add somebody to the team, or remove somebody? assignments: those of that person. */
bool identity_may_move_in_team(identity_call_t *call, const identity_assignments_t *assignments,
                               const char *team_id);
/* May the caller rename or delete the team (assignments: the team's), and so grant or revoke what its members hold
 * through it? */
bool identity_may_change_team(identity_call_t *call, const identity_assignments_t *assignments,
                              const char *team_id);
/* May the caller revoke everything the owner (a user, an invitation) was given? field: in the body, or NULL. */
bool identity_may_revoke(identity_call_t *call, const identity_assignments_t *assignments,
                         const char *owner_id, const char *field);
/* May the caller change or remove a membership? stay: those of its roles that are kept, or NULL. */
bool identity_may_change_membership(identity_call_t *call, const identity_membership_row_t *row,
                                    const apr_array_header_t *role_ids,
                                    const identity_roles_t *roles, const apr_array_header_t *stay);
/* May the caller change the user's name, password or status, remove its memberships, list or end its sessions?
 * permission: required in each account that the user is in. Nobody may act on users with more rights. */
bool identity_may_act_on(identity_call_t *call, const identity_assignments_t *assignments,
                         const char *user_id, const char *permission);
/* May the caller resend an invitation on behalf of its inviter? given: the assignments of its owner. */
bool identity_may_resend(identity_call_t *call, const identity_assignments_t *given,
                         const char *owner_id);

/* Could the principal grant everything that the invitation grants? given: the assignments of its owner. Reads. */
bool identity_inviter_covers(identity_call_t *call, const identity_principal_t *principal,
                             const identity_invitation_row_t *invitation,
                             const identity_assignments_t *given, bool *covers);
/* Does the inviter still exist, and could it still grant what the invitation grants (security 25, 26)? Reads. */
bool identity_inviter_holds(identity_call_t *call, const identity_invitation_row_t *invitation,
                            const identity_assignments_t *given, bool *holds);
/* Do neither the role nor its child roles have a permission? And: is that true of the role, or of a role within it? */
bool identity_role_grants_nothing(const identity_roles_t *roles, const char *id);
bool identity_role_holds_nothing_within(const identity_roles_t *roles, const char *id);

/* ---- users and protected locations (user_lookup.c, authorization.c) ---------------------------------------------- */

/* Is a change of address pending, and may it still be confirmed? */
bool identity_change_pending(const identity_call_t *call, const identity_user_row_t *user);
/* May the authenticated principal access protected locations, and in which account? 403 otherwise. */
bool identity_authorize_location(identity_call_t *call, identity_authentication_t *out);

/* ---- administrators (administrators.c) --------------------------------------------------------------------------- */

/* An account never loses its last administrator (security 63). Both run inside identity_write: _before records the
 * accounts that the user administers, _after checks that none of them is worse off (409). */
typedef struct identity_administered {
    apr_array_header_t *account_ids; /* of const char * */
    apr_array_header_t *before;      /* parallel to account_ids: of identity_admins_t */
} identity_administered_t;
bool identity_administrators_before(identity_call_t *call,
                                    const identity_assignments_t *assignments, const char *user_id,
                                    identity_administered_t *administered);
bool identity_administrators_remain(identity_call_t *call,
                                    const identity_administered_t *administered);

/* ---- guests (guest.c) -------------------------------------------------------------------------------------------- */

/* The demo account; NULL if there is none, or if its name is ambiguous. Reads. */
bool identity_demo_account(identity_call_t *call, identity_account_row_t **account);
/* The guest of a session; both NULL if the session is over. Reads. */
bool identity_principal_of_guest(identity_call_t *call, const char *session_id,
                                 identity_session_row_t **session,
                                 identity_principal_t **principal);

/* ---- users (user_lookup.c) --------------------------------------------------------------------------------------- */

/* The key of the user's rate limit buckets: that of any name it signs in with. */
const char *identity_user_key(identity_call_t *call, const identity_user_row_t *user);
/* The user's name as shown to others: the canonical form, or the id if its name predates the present rule. */
const char *identity_user_told(const identity_user_row_t *user);

/* The canonical form of a username in the body, NULL if absent. */
const char *identity_canonical_field(identity_call_t *call, const char *name);
/* Is the caller a PARTNER, who sees nobody else, and this not its own id? */
bool identity_user_hidden(const identity_call_t *call, const char *id);
/* The user of that id, if the caller may see it: 404 otherwise. Reads. */
bool identity_user_found(identity_call_t *call, const char *id, identity_user_row_t **user);
/* Is the key active and not expired? A personal key expires after the present IdentityPersonalKeyLifetime at the
 * latest; the row is adjusted accordingly. */
bool identity_key_live(const identity_call_t *call, identity_key_row_t *row);

#endif
