/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files about roles. */
#ifndef IDENTITY_ROLES_INT_H
#define IDENTITY_ROLES_INT_H

#include "access/keys.h"

/* The role of that id, either the entity's or a built-in one: 404 otherwise. Reads. */
bool identity_role_found(identity_call_t *call, const char *id, identity_role_row_t **row);
/* identity_roles_load for one role. */
bool identity_role_load(identity_call_t *call, const char *id, identity_roles_t **roles);

/* ---- role_rules.c: what POST and PATCH judge alike --------------------------------------------------------------- */

/* Checks the body's child_role_ids as children of the role id (NULL: a new role): each exists, none is the role
 * itself or contains it, and no chain of roles becomes longer than two steps, below or above the role. 400 naming
 * the position. children: their closure. Runs inside identity_write, so that what it checked cannot change before
 * the write. */
bool identity_role_children_fit(identity_call_t *call, const char *id,
                                const identity_roles_t *children);
/* Names and slugs of an entity's roles and of the built-in ones share one name space, ignoring case, blanks and
 * hyphens: is the name (and the slug if one was requested, else NULL) used by no role except id? 409 naming the
 * field. Inside identity_write. */
bool identity_role_name_free(identity_call_t *call, const identity_role_row_t *row,
                             const char *slug);
/* Does the caller hold the permissions that the role grants, and the call's permission, in every account? 403 on
 * field with that message otherwise. */
bool identity_role_covered(identity_call_t *call, const identity_permset_t *granted,
                           const char *field, const char *sentence);
/* Adds the permissions of a list, and those that a list of children grants through its closure. */
void identity_role_sum(identity_call_t *call, const apr_array_header_t *permissions,
                       const apr_array_header_t *child_ids, const identity_roles_t *children,
                       identity_permset_t *granted);

/* key_escrow.c: seals the text of a new key for storage beside its digest, if IdentityKeyEscrow names a sealing key. */
bool identity_key_seal(identity_call_t *call, identity_key_row_t *row, const char *key);

#endif
