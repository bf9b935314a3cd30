/* What the files about roles share. */
#ifndef IDENTITY_ROLES_INT_H
#define IDENTITY_ROLES_INT_H

#include "access/keys.h"

/* The role of that id, the entity's own or a built-in one: 404 otherwise. Reads. */
bool identity_role_found(identity_call_t *call, const char *id, identity_role_row_t **row);
/* identity_roles_load of one. */
bool identity_role_load(identity_call_t *call, const char *id, identity_roles_t **roles);

/* ---- role_rules.c: what POST and PATCH judge alike --------------------------------------------------------------- */

/* The body's child_role_ids as children of the role id (NULL: of one that is still to be made): each is there, none is
 * the role itself or has it in it, and no chain of roles becomes longer than two steps, be it below the role or above.
 * 400 naming the position. children: the closure of them. Asked inside identity_write: what it judges must not change
 * before it is written. */
bool identity_role_children_fit(identity_call_t *call, const char *id, const identity_roles_t *children);
/* Names and slugs of an entity's roles, the built-in ones too, are one name space: is the name (and the slug, where one
 * was asked for; else NULL) of no other role than id, by either, whatever its case, blanks and hyphens? 409 naming the
 * field. Asked inside identity_write. */
bool identity_role_name_free(identity_call_t *call, const identity_role_row_t *row, const char *slug);
/* Does the caller hold in every account what a role grants, and the permission of the call? 403 on field with the
 * sentence otherwise. */
bool identity_role_covered(identity_call_t *call, const identity_permset_t *granted, const char *field,
                           const char *sentence);
/* Adds what a list of permissions and a list of children with their closure grant. */
void identity_role_sum(identity_call_t *call, const apr_array_header_t *permissions,
                       const apr_array_header_t *child_ids, const identity_roles_t *children,
                       identity_permset_t *granted);

/* key_escrow.c: what is kept of a new key beside its digest, where IdentityKeyEscrow names a sealing key. */
bool identity_key_seal(identity_call_t *call, identity_key_row_t *row, const char *key);

#endif
