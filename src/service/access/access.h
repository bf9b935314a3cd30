/* What somebody holds and may do: principals, assignments, roles, delegation. */
#ifndef IDENTITY_SERVICE_ACCESS_H
#define IDENTITY_SERVICE_ACCESS_H

#include "call/call.h"

/* ---- principals and permissions (principal.c) -------------------------------------------------------------------- */

/* A user with what it holds now. The user must be ACTIVE. */
bool identity_principal_of_user(identity_call_t *call, const identity_user_row_t *user,
                                identity_principal_t **principal);
/* NULL: of a personal key whose owner is not ACTIVE. */
bool identity_principal_of_key(identity_call_t *call, const identity_key_row_t *key, identity_principal_t **principal);
/* The permissions that narrow a key (array of const char *; empty where it is not narrowed). Reads. */
bool identity_key_narrowing(identity_call_t *call, const identity_key_row_t *key, apr_array_header_t **names);
/* What the key holds in each account of its entity, into an empty set. */
void identity_key_holds(identity_call_t *call, const identity_key_row_t *key, const apr_array_header_t *names,
                        identity_permset_t *set);
/* What the caller holds in the account that the call acts on (or in all of its accounts alike): call->permissions,
 * account_id, partner. */
bool identity_permissions_select(identity_call_t *call);
/* The same of a caller that was read once more, without a connection of its own. */
bool identity_permissions_again(identity_call_t *call);
/* Does call->permissions have the route's, or is it the caller's own record? 403 otherwise. */
bool identity_permission_held(identity_call_t *call);
/* Does who hold all of want in the account? */
bool identity_principal_covers(const identity_principal_t *principal, const char *account_id,
                               const identity_permset_t *want);
/* In every account of the entity. Reads. */
bool identity_principal_covers_entity(identity_call_t *call, const identity_permset_t *want, bool *covers);
/* Every permission in every account of the entity, and there is one: what is asked for where something grants nothing.
 * No PARTNER does. Reads. */
bool identity_principal_holds_everything(identity_call_t *call, const identity_principal_t *principal, bool *holds);
/* Denies to a caller who does not. what: what takes it, as a sentence begins: "A link for somebody". */
bool identity_needs_everything(identity_call_t *call, const char *what);
bool identity_principal_is_partner(const identity_principal_t *principal, const char *account_id);

/* ---- memberships, teams and roles of many owners at once (assignments.c, role_closure.c) ------------------------- */

#define IDENTITY_ROLE_DEPTH 2 /* levels of roles within a role; the closures of sql.def go as deep */

typedef struct identity_roles {
    apr_hash_t *rows;                              /* role id -> identity_role_row_t */
    apr_hash_t *children;                          /* role id -> array of const char * */
    apr_hash_t *permissions;                       /* role id -> identity_permset_t, own permissions only */
    apr_hash_t *rendered[IDENTITY_ROLE_DEPTH + 1]; /* role id -> json_t, by depth */
    apr_hash_t *embedded[IDENTITY_ROLE_DEPTH + 1]; /* the same, as memberships have it */
} identity_roles_t;
/* Reads the closure of the ids: three statements at most. */
bool identity_roles_load(identity_call_t *call, const apr_array_header_t *ids, identity_roles_t **roles);
/* The same without permissions, which do not stand in a membership. */
bool identity_roles_load_shown(identity_call_t *call, const apr_array_header_t *ids, identity_roles_t **roles);
/* Adds what a role and its children grant. */
void identity_roles_add_permissions(identity_call_t *call, const identity_roles_t *roles, const char *id,
                                    identity_permset_t *set);
/* New reference; levels of child_roles to show, 0 for none. */
json_t *identity_role_json(identity_call_t *call, identity_roles_t *roles, const char *id, int levels);
/* As it stands in a membership: without slug and permissions, which the published interface does not have. */
json_t *identity_embedded_role_json(identity_call_t *call, identity_roles_t *roles, const char *id);

typedef struct identity_assignments {
    apr_hash_t *memberships;      /* owner id -> array of identity_membership_row_t * */
    apr_hash_t *membership_roles; /* membership id -> array of const char * */
    apr_hash_t *teams;            /* owner id -> array of identity_team_member_row_t * */
    apr_hash_t *team_memberships; /* team id -> array of identity_membership_row_t * */
    identity_roles_t *roles;
} identity_assignments_t;
/* Reads what the owners hold, in a number of statements that does not grow with them. */
bool identity_assignments_load(identity_call_t *call, identity_owner_t owner, const apr_array_header_t *owner_ids,
                               identity_assignments_t **assignments);
/* The same of one. */
bool identity_assignments_of(identity_call_t *call, identity_owner_t owner, const char *owner_id,
                             identity_assignments_t **assignments);
bool identity_user_assignments(identity_call_t *call, const identity_user_row_t *user,
                               identity_assignments_t **assignments);
/* NULL where there are none. */
apr_array_header_t *identity_assigned_memberships(const identity_assignments_t *assignments, const char *owner_id);
apr_array_header_t *identity_assigned_teams(const identity_assignments_t *assignments, const char *owner_id);
apr_array_header_t *identity_assigned_team_memberships(const identity_assignments_t *assignments, const char *team_id);
apr_array_header_t *identity_assigned_role_ids(const identity_assignments_t *assignments, const char *membership_id);
/* The one of that account among memberships (may be NULL), or NULL. */
identity_membership_row_t *identity_membership_in(const apr_array_header_t *memberships, const char *account_id);
json_t *identity_memberships_json(identity_call_t *call, identity_assignments_t *assignments, const char *owner_id);
json_t *identity_teams_json(identity_call_t *call, identity_assignments_t *assignments, const char *owner_id);
json_t *identity_membership_json(identity_call_t *call, const char *id, const identity_account_row_t *account,
                                 identity_member_type_t type, const apr_array_header_t *role_ids,
                                 identity_roles_t *roles);
json_t *identity_user_json(identity_call_t *call, const identity_user_row_t *user, identity_assignments_t *assignments);

/* An account as answers show it. A new reference. */
json_t *identity_account_json(const identity_account_row_t *account);

/* ---- users as most answers show them, written (shown.c) ---------------------------------------------------------- */

#define IDENTITY_SHOWN_LENGTH 1500 /* about as long as a user becomes */
typedef struct identity_shown identity_shown_t;
/* Reads what users of the caller's entity hold: two statements, and more, for what is not known in this process yet.
 * sequence: as identity_shared_begin has it. */
bool identity_shown_load(identity_call_t *call, const apr_array_header_t *user_ids, apr_int64_t sequence,
                         identity_shown_t **shown);
/* A writer for about so many users. */
void identity_shown_begin(identity_call_t *call, identity_writer_t *writer, int users);
/* The bytes of identity_user_json, identity_memberships_json, identity_teams_json of one of the users. */
void identity_shown_user(identity_call_t *call, identity_writer_t *writer, const identity_shown_t *shown,
                         const identity_user_row_t *user);
void identity_shown_memberships(identity_writer_t *writer, const identity_shown_t *shown, const char *user_id);
void identity_shown_teams(identity_writer_t *writer, const identity_shown_t *shown, const char *user_id);

/* ---- where permissions come from ----------------------------------------------------------------------------------
 */

/* Each set of permissions that the memberships (identity_membership_row_t *, of the holdings; NULL: none) give, with
 * its source as identity_user_explain has it: of a membership itself (all for ADMIN, else nothing), then of its roles.
 * team: name of the one that gives them, or NULL. The source is the pool's. */
typedef void identity_source_each_t(identity_call_t *call, void *data, const identity_account_row_t *account,
                                    const identity_permset_t *set, json_t *source);
void identity_sources_of(identity_call_t *call, const identity_assignments_t *assignments,
                         const apr_array_header_t *rows, const char *team, identity_source_each_t *each, void *data);

/* ---- memberships in a body (membership_request.c) ---------------------------------------------------------------- */

typedef struct identity_membership_request {
    apr_array_header_t *memberships;                /* of identity_membership_row_t *, id and owner_id not set yet */
    apr_array_header_t *role_ids;                   /* beside them: array of const char * each */
    apr_array_header_t *teams;                      /* of identity_team_member_row_t * */
    apr_array_header_t *positions, *team_positions; /* of int: where in the body's lists they stood */
    const apr_array_header_t *present_role_ids;     /* set before: roles of the membership that is changed, or NULL */
} identity_membership_request_t;
/* Resolves account_memberships and team_memberships of the body within the entity and checks that the caller may grant
 * them: 400 naming the position, 403. */
bool identity_membership_request_read(identity_call_t *call, identity_membership_request_t *request);
/* The same where the body itself is one membership of that list (account_memberships, team_memberships): a problem
 * names its fields without the list. */
bool identity_membership_request_read_one(identity_call_t *call, const char *list,
                                          identity_membership_request_t *request);
/* Nothing yet: what a handler puts together itself. */
void identity_membership_request_make(identity_call_t *call, identity_membership_request_t *request);
/* All of them, as given. */
void identity_changes_add_membership_request(identity_changes_t *changes, const identity_membership_request_t *request);
/* Writes them for the owner, with new ids. */
bool identity_membership_request_write(identity_call_t *call, identity_owner_t owner, const char *owner_id,
                                       const identity_membership_request_t *request);

/* ---- delegation: what one may give, take, and whom one may act on (delegation.c) --------------------------------- */

/* All of these are true where it is allowed; else the problem is set, 403 but for a fault. They read, inside the
 * transaction that makes the change, so that what is judged is what is changed. */

/* May the caller give all that was asked for? Names the position. */
bool identity_may_grant(identity_call_t *call, const identity_membership_request_t *request);
/* ... beside that, give a membership to a team (holdings: its own)? One that gives nothing and has members is dressed
 * up by nobody who could not let them in. */
bool identity_may_grant_to_team(identity_call_t *call, const identity_assignments_t *assignments, const char *team_id);
/* May the caller put somebody into the team, or take somebody out? holdings: that person's. */
bool identity_may_move_in_team(identity_call_t *call, const identity_assignments_t *assignments, const char *team_id);
/* May the caller rename or end the team (holdings: its own), and so give or take what its members hold by it? */
bool identity_may_change_team(identity_call_t *call, const identity_assignments_t *assignments, const char *team_id);
/* May the caller take back all that the owner (a user, an invitation) was given? field: of the body, or NULL. */
bool identity_may_revoke(identity_call_t *call, const identity_assignments_t *assignments, const char *owner_id,
                         const char *field);
/* May the caller change a membership as it is, or take it? stay: those of its roles that are not taken, or NULL. */
bool identity_may_change_membership(identity_call_t *call, const identity_membership_row_t *row,
                                    const apr_array_header_t *role_ids, const identity_roles_t *roles,
                                    const apr_array_header_t *stay);
/* May the caller change name, password or status of the user, end a membership of it, list or end its sessions?
 * permission: needed in each account that the user is in. Nobody acts upward. */
bool identity_may_act_on(identity_call_t *call, const identity_assignments_t *assignments, const char *user_id,
                         const char *permission);
/* May the caller send an invitation once more for whoever answers for it? given: what its owner holds. */
bool identity_may_resend(identity_call_t *call, const identity_assignments_t *given, const char *owner_id);

/* Could who invite to all that came with the invitation? given: what its owner holds. Reads. */
bool identity_inviter_covers(identity_call_t *call, const identity_principal_t *principal,
                             const identity_invitation_row_t *invitation, const identity_assignments_t *given,
                             bool *covers);
/* Is the inviter still there, and could still invite to it (security 25, 26)? Reads. */
bool identity_inviter_holds(identity_call_t *call, const identity_invitation_row_t *invitation,
                            const identity_assignments_t *given, bool *holds);
/* Neither the role nor any within it has a permission; and: it is such a one, or has one within. */
bool identity_role_grants_nothing(const identity_roles_t *roles, const char *id);
bool identity_role_holds_nothing_within(const identity_roles_t *roles, const char *id);

/* ---- users and protected locations (user_lookup.c, authorization.c) ---------------------------------------------- */

/* Is there one, and may it still be confirmed? */
bool identity_change_pending(const identity_call_t *call, const identity_user_row_t *user);
/* Is what was identified somebody at a protected place, and in which account? 403 otherwise. */
bool identity_authorize_location(identity_call_t *call, identity_authentication_t *out);

/* ---- administrators (administrators.c) --------------------------------------------------------------------------- */

/* Nothing takes the last administrator from an account (security 63). Both inside identity_write: how the accounts that
 * the user administers stand before a change, and that none of them stands worse after it (409). */
typedef struct identity_administered {
    apr_array_header_t *account_ids; /* of const char * */
    apr_array_header_t *before;      /* beside them: of identity_admins_t */
} identity_administered_t;
bool identity_administrators_before(identity_call_t *call, const identity_assignments_t *assignments,
                                    const char *user_id, identity_administered_t *administered);
bool identity_administrators_remain(identity_call_t *call, const identity_administered_t *administered);

/* ---- guests (guest.c) -------------------------------------------------------------------------------------------- */

/* The demo account, NULL where there is none or not one. Reads. */
bool identity_demo_account(identity_call_t *call, identity_account_row_t **account);
/* Who looks at it in the session, both NULL where it is over. Reads. */
bool identity_principal_of_guest(identity_call_t *call, const char *session_id, identity_session_row_t **session,
                                 identity_principal_t **principal);

/* ---- users (user_lookup.c) --------------------------------------------------------------------------------------- */

/* What limits count for the user: what a name that signs it in is counted by. */
const char *identity_user_key(identity_call_t *call, const identity_user_row_t *user);
/* The name that others are told: the canonical form, or the id of who has a name of an older database. */
const char *identity_user_told(const identity_user_row_t *user);

/* Canonical form of a username in the body, NULL where absent. */
const char *identity_canonical_field(identity_call_t *call, const char *name);
/* Is the caller a PARTNER, who sees nobody else, and this not its own id? */
bool identity_user_hidden(const identity_call_t *call, const char *id);
/* The user of that id within the caller's sight: 404 otherwise. Reads. */
bool identity_user_found(identity_call_t *call, const char *id, identity_user_row_t **user);
/* Is it active and within its time? A personal key lives no longer than IdentityPersonalKeyLifetime says now, which its
 * row then says, too. */
bool identity_key_live(const identity_call_t *call, identity_key_row_t *row);

#endif
