/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of permissions: memberships, their roles, and the roles nested in those. */
#include <string.h>

#include "access/access.h"

typedef struct walk {
    const identity_assignments_t *assignments;
    const identity_account_row_t *account;
    const json_t *source; /* of the membership */
    identity_source_each_t *each;
    void *data;
} walk_t;

/* path: names of the roles down to this one's parent. */
static void tell_role(identity_call_t *call, const walk_t *walk, const json_t *path, const char *id,
                      int levels)
{
    const identity_roles_t *roles = walk->assignments->roles;
    const identity_role_row_t *row = apr_hash_get(roles->rows, id, APR_HASH_KEY_STRING);
    const apr_array_header_t *children = apr_hash_get(roles->children, id, APR_HASH_KEY_STRING);

    if (!row)
        return;
    json_t *own = identity_json_own(call->pool, json_copy((json_t *)walk->source)),
           *down = identity_json_own(call->pool, json_copy((json_t *)path));
    json_array_append_new(down, json_string(row->name));
    json_object_set(own, "roles", down);
    walk->each(call, walk->data, walk->account,
               apr_hash_get(roles->permissions, id, APR_HASH_KEY_STRING), own);
    for (int i = 0; levels > 0 && children && i < children->nelts; i++)
        tell_role(call, walk, down, APR_ARRAY_IDX(children, i, const char *), levels - 1);
}

void identity_sources_of(identity_call_t *call, const identity_assignments_t *assignments,
                         const apr_array_header_t *rows, const char *team,
                         identity_source_each_t *each, void *data)
{
    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_membership_row_t *row = APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
        const apr_array_header_t *roles = identity_assigned_role_ids(assignments, row->id);
        const identity_permset_t own = {.all = row->type == IDENTITY_MEMBER_ADMIN};
        json_t *source = identity_json_own(
            call->pool, json_pack("{s:s, s:s?, s:s, s:[]}", "membership_id", row->id, "team", team,
                                  "type", identity_member_type_name(row->type), "roles"));
        const walk_t walk = {assignments, &row->account, source, each, data};
        each(call, data, &row->account, &own, source);
        for (int r = 0; roles && r < roles->nelts; r++)
            tell_role(call, &walk, json_object_get(source, "roles"),
                      APR_ARRAY_IDX(roles, r, const char *), IDENTITY_ROLE_DEPTH);
    }
}
