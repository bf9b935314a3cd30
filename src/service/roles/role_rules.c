/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for the permissions and child roles of a role, shared by POST and PATCH. */
#include <string.h>

#include "roles/roles.h"

/* ---- names and slugs -------------------------------------------------------------------------------------------- */

static bool is_slug_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The slug that people would expect for a name; NULL if it would not represent the name: letters beyond ASCII and
 * anything longer than a slug would be lost. */
static const char *slug_like(identity_call_t *call, const char *canonical)
{
    const char *slug = identity_slug_of_name(call->pool, canonical), *rest = slug;

    for (const char *c = canonical; *c; c++) {
        if ((unsigned char)*c >= 0x80)
            return NULL;
        if (!is_slug_char(*c))
            continue;
        while (*rest && !is_slug_char(*rest))
            rest++;
        if (*rest++ != *c)
            return NULL;
    }
    return *rest ? NULL : slug;
}

static bool same_name(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* The field that is already used by another role, or NULL. */
static const char *clash(identity_call_t *call, const identity_role_row_t *row, const char *like,
                         const char *slug, const identity_role_row_t *other)
{
    const char *others = slug_like(call, other->canonical);

    if (strcmp(row->id, other->id) == 0)
        return NULL;
    if (strcmp(row->canonical, other->canonical) == 0 || same_name(like, other->slug) ||
        same_name(like, others))
        return "name";
    return same_name(slug, other->slug) || same_name(slug, others) ? "slug" : NULL;
}

bool identity_role_name_free(identity_call_t *call, const identity_role_row_t *row,
                             const char *slug)
{
    const char *like = slug_like(call, row->canonical);
    apr_array_header_t *names = identity_list_of(call->pool, row->canonical),
                       *slugs = apr_array_make(call->pool, 2, sizeof(const char *)), *found[2];

    if (like)
        APR_ARRAY_PUSH(slugs, const char *) = like;
    if (slug)
        APR_ARRAY_PUSH(slugs, const char *) = slug;
    if (!identity_db_ok(
            call, identity_roles_find(call->db, row->entity_id, NULL, names, slugs, &found[0])) ||
        !identity_db_ok(call, identity_roles_named_apart(call->db, row->entity_id, &found[1])))
        return false;
    for (int i = 0; i < 2; i++)
        for (int r = 0; r < found[i]->nelts; r++) {
            const char *field =
                clash(call, row, like, slug, APR_ARRAY_IDX(found[i], r, identity_role_row_t *));
            if (field)
                return identity_deny(
                    call, IDENTITY_PROBLEM_EXISTS, field,
                    "A role with this name or slug already exists; names and slugs differ by "
                    "letters and digits only.");
        }
    return true;
}

/* ---- the graph of roles ----------------------------------------------------------------------------------------- */

/* The roles above a role that is given children. */
typedef struct above {
    const char *id; /* NULL: a new role */
    apr_hash_t *ids;
    int height; /* edges of the longest chain that ends in it */
} above_t;

static bool look_up(identity_call_t *call, const char *id, above_t *above)
{
    apr_array_header_t *rows = NULL;

    above->id = id;
    above->ids = apr_hash_make(call->pool);
    above->height = 0;
    if (!id)
        return true;
    if (!identity_db_ok(call, identity_role_ancestors(call->db, id, &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        const identity_role_ancestor_row_t *row =
            APR_ARRAY_IDX(rows, i, identity_role_ancestor_row_t *);
        apr_hash_set(above->ids, row->id, APR_HASH_KEY_STRING, row);
        if (row->height > above->height)
            above->height = row->height;
    }
    return true;
}

/* Edges of the longest chain below a role, counted no further than necessary. */
static int depth_below(const identity_roles_t *roles, const char *id, int most)
{
    const apr_array_header_t *children = apr_hash_get(roles->children, id, APR_HASH_KEY_STRING);
    int deepest = 0;

    for (int i = 0; deepest < most && children && i < children->nelts; i++) {
        int depth = 1 + depth_below(roles, APR_ARRAY_IDX(children, i, const char *), most - 1);
        if (depth > deepest)
            deepest = depth;
    }
    return deepest;
}

static bool child_fits(identity_call_t *call, const above_t *above,
                       const identity_roles_t *children, const char *child, const char *field)
{
    const identity_role_row_t *row = apr_hash_get(children->rows, child, APR_HASH_KEY_STRING);

    int builtin = identity_builtin_role_find(child);
    if (!row || (row->entity_id[0] && strcmp(row->entity_id, call->principal->entity_id) != 0) ||
        (builtin >= 0 && !identity_builtin_role_in(builtin, call->env->settings->catalogue)))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field, "There is no such role.");
    if (above->id && (strcmp(child, above->id) == 0 ||
                      apr_hash_get(above->ids, child, APR_HASH_KEY_STRING) != NULL))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                             "A role cannot include itself, directly or through other roles.");
    if (above->height + 1 + depth_below(children, child, IDENTITY_ROLE_DEPTH) > IDENTITY_ROLE_DEPTH)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                             "Child roles can be nested at most two deep.");
    return true;
}

bool identity_role_children_fit(identity_call_t *call, const char *id,
                                const identity_roles_t *children)
{
    above_t above;
    size_t i;
    json_t *item;

    if (!look_up(call, id, &above))
        return false;
    /* Positions refer to the body's own list: the list to be written has no duplicates, so its positions differ. */
    json_array_foreach (json_object_get(call->body, "child_role_ids"), i, item)
        if (!child_fits(call, &above, children, json_string_value(item),
                        apr_psprintf(call->pool, "child_role_ids.%" APR_SIZE_T_FMT, (apr_size_t)i)))
            return false;
    return true;
}

/* ---- nobody gives what they lack (security 62) ------------------------------------------------------------------ */

bool identity_role_covered(identity_call_t *call, const identity_permset_t *granted,
                           const char *field, const char *sentence)
{
    identity_permset_t want = {0};
    bool covers;

    identity_permset_add_set(call->pool, &want, granted);
    identity_permset_add(call->pool, &want, call->route->permission);
    if (!identity_principal_covers_entity(call, &want, &covers))
        return false;
    return covers || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, field, "%s", sentence);
}

void identity_role_sum(identity_call_t *call, const apr_array_header_t *permissions,
                       const apr_array_header_t *child_ids, const identity_roles_t *children,
                       identity_permset_t *granted)
{
    for (int i = 0; permissions && i < permissions->nelts; i++)
        identity_permset_add(call->pool, granted, APR_ARRAY_IDX(permissions, i, const char *));
    for (int i = 0; child_ids && i < child_ids->nelts; i++)
        identity_roles_add_permissions(call, children, APR_ARRAY_IDX(child_ids, i, const char *),
                                       granted);
}
