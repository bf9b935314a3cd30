/* SPDX-License-Identifier: Apache-2.0 */
/* Roles. Pages of them are in page.c. */
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>

#include "rows_int.h"

#define DEPTH 2 /* of the children shown */

DB_READER(db_read_role, identity_role_row_t, IDENTITY_ROLE_ROW)

void *db_read_role_permission(const db_row_t *row, int from)
{
    identity_role_permission_row_t *permission = apr_palloc(db_pool(row), sizeof *permission);

    permission->role_id = db_text(row, from);
    permission->permission = db_text(row, from + 1);
    return permission;
}

static void *read_edge(const db_row_t *row, int from)
{
    identity_role_edge_row_t *edge = apr_palloc(db_pool(row), sizeof *edge);

    edge->role_id = db_text(row, from);
    edge->position = (int)db_number(row, from + 1);
    edge->child_id = db_text(row, from + 2);
    return edge;
}

static identity_db_status_t insert_content(identity_db_t *db, const char *id,
                                           const apr_array_header_t *child_ids,
                                           const apr_array_header_t *permissions)
{
    identity_db_status_t status = IDENTITY_DB_OK;

    if (child_ids && child_ids->nelts)
        status = db_change(db, IDENTITY_SQL_ROLE_CHILD_INSERT,
                           DB_ARGS(S(id), S(db_json(db, child_ids))), NULL);
    if (status == IDENTITY_DB_OK && permissions && permissions->nelts)
        status = db_change(db, IDENTITY_SQL_ROLE_PERMISSION_INSERT,
                           DB_ARGS(S(id), S(db_json(db, permissions))), NULL);
    return status;
}

identity_db_status_t identity_role_insert(identity_db_t *db, const identity_role_row_t *row,
                                          const apr_array_header_t *child_ids,
                                          const apr_array_header_t *permissions)
{
    identity_db_status_t status = db_in_write(db, "ROLE_INSERT");

    if (status == IDENTITY_DB_OK)
        status = db_insert(db, IDENTITY_SQL_ROLE_INSERT,
                           DB_ARGS(S(row->id), S(row->entity_id), S(row->name), S(row->canonical),
                                   S(row->slug), S(row->description), N(row->created_at),
                                   N(row->version), S(row->canonical), N(db_catalogue(db)),
                                   S(row->slug), N(db_catalogue(db))));
    return status == IDENTITY_DB_OK ? insert_content(db, row->id, child_ids, permissions) : status;
}

static void *read_id(const db_row_t *row, int from)
{
    return (void *)db_text(row, from);
}

static identity_db_status_t update_row(identity_db_t *db, identity_role_row_t *row)
{
    const char *holder;
    identity_db_status_t status = db_guarded(
        db, IDENTITY_SQL_ROLE_UPDATE,
        DB_ARGS(S(row->name), S(row->canonical), S(row->description), S(row->id), N(row->version),
                S(row->entity_id), S(row->canonical), S(row->id), N(db_catalogue(db))));

    if (status == IDENTITY_DB_OK)
        row->version++;
    if (status != IDENTITY_DB_NONE)
        return status;
    /* Nothing was changed: because of the name, or of a concurrent change? */
    status = db_one(db, IDENTITY_SQL_ROLE_NAME_TAKEN,
                    DB_ARGS(S(row->entity_id), S(row->canonical), S(row->id), N(db_catalogue(db))),
                    read_id, &holder);
    return status == IDENTITY_DB_OK ? IDENTITY_DB_CONFLICT : status;
}

identity_db_status_t identity_role_update(identity_db_t *db, identity_role_row_t *row,
                                          const apr_array_header_t *child_ids,
                                          const apr_array_header_t *permissions)
{
    identity_db_status_t status = db_in_write(db, "ROLE_UPDATE");

    if (status == IDENTITY_DB_OK)
        status = update_row(db, row);
    if (status == IDENTITY_DB_OK && child_ids)
        status = db_change(db, IDENTITY_SQL_ROLE_CHILDREN_DELETE, DB_ARGS(S(row->id)), NULL);
    if (status == IDENTITY_DB_OK && permissions)
        status = db_change(db, IDENTITY_SQL_ROLE_PERMISSIONS_DELETE, DB_ARGS(S(row->id)), NULL);
    return status == IDENTITY_DB_OK ? insert_content(db, row->id, child_ids, permissions) : status;
}

identity_db_status_t identity_role_delete(identity_db_t *db, const char *entity_id, const char *id)
{
    identity_db_status_t status = db_in_write(db, "ROLE_DELETE");

    if (status == IDENTITY_DB_OK)
        status = db_guarded(db, IDENTITY_SQL_ROLE_DELETE,
                            DB_ARGS(S(id), S(entity_id), S(id), S(id), S(entity_id), S(id)));
    return status == IDENTITY_DB_NONE ? IDENTITY_DB_CONFLICT : status;
}

identity_db_status_t identity_role_in_use(identity_db_t *db, const char *id, bool *used)
{
    apr_int64_t count = 0;
    identity_db_status_t status =
        db_count(db, IDENTITY_SQL_ROLE_IN_USE, DB_ARGS(S(id), S(id)), &count);

    *used = count > 0;
    return status;
}

static void *read_ancestor(const db_row_t *row, int from)
{
    identity_role_ancestor_row_t *ancestor = apr_palloc(db_pool(row), sizeof *ancestor);

    ancestor->id = db_text(row, from);
    ancestor->height = (int)db_number(row, from + 1);
    return ancestor;
}

identity_db_status_t identity_role_ancestors(identity_db_t *db, const char *id,
                                             apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ROLE_ANCESTORS, DB_ARGS(S(id)), read_ancestor, rows);
}

identity_db_status_t identity_roles_find(identity_db_t *db, const char *entity_id,
                                         const apr_array_header_t *ids,
                                         const apr_array_header_t *names,
                                         const apr_array_header_t *slugs, apr_array_header_t **rows)
{
    identity_db_status_t status =
        db_list(db, IDENTITY_SQL_ROLES_FIND,
                DB_ARGS(S(db_json(db, ids)), S(entity_id), S(db_json(db, names)), S(entity_id),
                        S(db_json(db, slugs)), S(entity_id)),
                db_read_role, rows);
    int kept = 0;

    for (int i = 0; i < (*rows)->nelts; i++) {
        identity_role_row_t *row = APR_ARRAY_IDX(*rows, i, identity_role_row_t *);
        int index = identity_builtin_role_find(row->id);
        if (index < 0 || identity_builtin_role_in(index, db_catalogue(db)))
            APR_ARRAY_IDX(*rows, kept++, identity_role_row_t *) = row;
    }
    (*rows)->nelts = kept;
    return status;
}

identity_db_status_t identity_roles_named_apart(identity_db_t *db, const char *entity_id,
                                                apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_ROLES_NAMED_APART, DB_ARGS(S(entity_id)), db_read_role, rows);
}

/* Ordered by role and position. A child reached in several ways occurs several times. */
static int compare_edges(const void *one_, const void *other_)
{
    const identity_role_edge_row_t *one = *(identity_role_edge_row_t *const *)one_,
                                   *other = *(identity_role_edge_row_t *const *)other_;
    int order = strcmp(one->role_id, other->role_id);

    return order ? order : (one->position > other->position) - (one->position < other->position);
}

static void sort_edges(apr_array_header_t *edges)
{
    int kept = 0;

    qsort(edges->elts, (size_t)edges->nelts, (size_t)edges->elt_size, compare_edges);
    for (int i = 0; i < edges->nelts; i++)
        if (i == 0 || compare_edges((void **)edges->elts + i, (void **)edges->elts + kept - 1) != 0)
            ((void **)edges->elts)[kept++] = ((void **)edges->elts)[i];
    edges->nelts = kept;
}

/* Edges of a role are adjacent. */
static int first_edge(const apr_array_header_t *edges, const char *id)
{
    int from = 0, until = edges->nelts;

    while (from < until) {
        int middle = (from + until) / 2;
        if (strcmp(APR_ARRAY_IDX(edges, middle, identity_role_edge_row_t *)->role_id, id) < 0)
            from = middle + 1;
        else
            until = middle;
    }
    return from;
}

static void push_children(apr_array_header_t *list, apr_hash_t *seen,
                          const apr_array_header_t *edges, const char *id)
{
    for (int i = first_edge(edges, id); i < edges->nelts; i++) {
        const identity_role_edge_row_t *edge = APR_ARRAY_IDX(edges, i, identity_role_edge_row_t *);
        if (strcmp(edge->role_id, id) != 0)
            return;
        if (apr_hash_get(seen, edge->child_id, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, edge->child_id, APR_HASH_KEY_STRING, edge);
        APR_ARRAY_PUSH(list, const char *) = edge->child_id;
    }
}

/* The ids and everything reachable from them in that many steps. */
static apr_array_header_t *reached(apr_pool_t *pool, const apr_array_header_t *ids,
                                   const apr_array_header_t *edges)
{
    apr_hash_t *seen = apr_hash_make(pool);
    apr_array_header_t *all =
        apr_array_make(pool, ids->nelts + edges->nelts + 1, sizeof(const char *));

    for (int i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        if (apr_hash_get(seen, id, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, id, APR_HASH_KEY_STRING, id);
        APR_ARRAY_PUSH(all, const char *) = id;
    }
    for (int from = 0, depth = 0; depth < DEPTH && from < all->nelts; depth++) {
        int until = all->nelts;
        for (; from < until; from++)
            push_children(all, seen, edges, APR_ARRAY_IDX(all, from, const char *));
    }
    return all;
}

identity_db_status_t identity_roles_closure(identity_db_t *db, const apr_array_header_t *ids,
                                            apr_array_header_t **roles, apr_array_header_t **edges,
                                            apr_array_header_t **permissions)
{
    const char *list = db_json(db, ids);
    identity_db_status_t status =
        db_list(db, IDENTITY_SQL_ROLE_EDGES, DB_ARGS(S(list), S(list), S(list)), read_edge, edges);

    sort_edges(*edges);
    list = db_json(db, reached(db_use_pool(db), ids, *edges));
    if (status == IDENTITY_DB_OK)
        status = db_list(db, IDENTITY_SQL_ROLES_OF_IDS, DB_ARGS(S(list)), db_read_role, roles);
    if (status == IDENTITY_DB_OK && permissions)
        status = db_list(db, IDENTITY_SQL_ROLE_PERMISSIONS, DB_ARGS(S(list)),
                         db_read_role_permission, permissions);
    return status;
}
