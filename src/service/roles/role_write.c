/* SPDX-License-Identifier: Apache-2.0 */
/* Roles: create, change, delete. */
#include <string.h>

#include "roles/roles.h"

#define LACKING "The caller can put into a role only what it holds itself."

static bool name_taken(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "name",
                         "A role with this name already exists.");
}

/* ---- POST /roles ------------------------------------------------------------------------------------------------ */

typedef struct creation {
    identity_role_row_t row;
    apr_array_header_t *children, *permissions;
    bool slug_given;
    identity_roles_t *roles;
} creation_t;

static bool insert_role(identity_call_t *call, creation_t *creation)
{
    identity_role_row_t *row = &creation->row;

    if (!identity_role_name_free(call, row, creation->slug_given ? row->slug : NULL))
        return false;
    identity_db_status_t status =
        identity_role_insert(call->db, row, creation->children, creation->permissions);
    if (status == IDENTITY_DB_CONFLICT && !creation->slug_given) {
        /* Generated from a name that a slug cannot represent: the end of the id makes it unique. */
        row->slug =
            identity_slug_of_name(call->pool, apr_psprintf(call->pool, "%.48s-%s", row->slug,
                                                           row->id + strlen(row->id) - 10));
        status = identity_role_insert(call->db, row, creation->children, creation->permissions);
    }
    if (status != IDENTITY_DB_CONFLICT)
        return identity_db_ok(call, status);
    return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "slug",
                         "A role with this slug already exists.");
}

static bool write_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    identity_permset_t granted = {0};
    identity_audit_t audit = {.action = "CREATE",
                              .type = "ROLE",
                              .id = creation->row.id,
                              .message = "A role was created."};

    if (!identity_roles_load(call, creation->children, &creation->roles) ||
        !identity_role_children_fit(call, NULL, creation->roles))
        return false;
    identity_role_sum(call, creation->permissions, creation->children, creation->roles, &granted);
    return identity_role_covered(call, &granted, "permissions", LACKING) &&
           insert_role(call, creation) && identity_audit(call, &audit) &&
           identity_role_load(call, creation->row.id, &creation->roles) &&
           identity_answer(
               call, 200,
               identity_role_json(call, creation->roles, creation->row.id, IDENTITY_ROLE_DEPTH));
}

bool identity_op_create_role(identity_call_t *call)
{
    creation_t creation = {.children = identity_body_strings(call, "child_role_ids")};
    identity_role_row_t *row = &creation.row;
    const char *slug = identity_json_string(call->body, "slug"),
               *description = identity_json_string(call->body, "description");

    row->name = identity_json_string(call->body, "name");
    row->slug = slug ? slug : identity_slug_of_name(call->pool, row->name);
    row->description = description ? description : "";
    row->entity_id = call->principal->entity_id;
    row->created_at = call->now;
    row->version = 1;
    creation.slug_given = slug != NULL;
    if (!identity_name_compared(call, row->name, &row->canonical))
        return false;
    row->id = identity_call_id(call, "role");
    return row->id && identity_permissions_read(call, &creation.permissions) &&
           identity_write(call, write_creation, &creation);
}

/* ---- what PATCH and DELETE begin with ---------------------------------------------------------------------------- */

/* Inside identity_write, so that what is checked is what is changed. */
static bool load_changeable(identity_call_t *call, identity_role_row_t **row,
                            identity_roles_t **roles)
{
    if (!identity_role_found(call, call->id, row))
        return false;
    if (!(*row)->entity_id[0])
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                             "Built-in roles cannot be changed or deleted.");
    return identity_role_load(call, call->id, roles) &&
           (!identity_conditional(call) ||
            identity_precondition(call,
                                  identity_role_json(call, *roles, call->id, IDENTITY_ROLE_DEPTH)));
}

/* ---- PATCH /roles/{id} ------------------------------------------------------------------------------------------ */

typedef struct update {
    const char *canonical;            /* of the body's name, NULL if absent */
    apr_array_header_t *asked;        /* the body's permissions, NULL if absent */
    identity_role_row_t *row;         /* before, then after the change */
    identity_roles_t *before, *roles; /* closure of the role; roles: after the change */
    identity_changes_t *changes;
    bool renamed;
    apr_array_header_t *children,
        *permissions; /* requested and different from the present ones, else NULL */
} update_t;

static bool same_children(const apr_array_header_t *present, const apr_array_header_t *request)
{
    bool same = present->nelts == request->nelts;

    for (int i = 0; same && i < request->nelts; i++)
        same = strcmp(APR_ARRAY_IDX(present, i, const char *),
                      APR_ARRAY_IDX(request, i, const char *)) == 0;
    return same;
}

static bool same_permissions(identity_call_t *call, const identity_permset_t *present,
                             const apr_array_header_t *request)
{
    identity_permset_t set = {0};

    identity_role_sum(call, request, NULL, NULL, &set);
    return identity_permset_covers(present, &set) && identity_permset_covers(&set, present);
}

static void wants_children(identity_call_t *call, update_t *update)
{
    const apr_array_header_t *present =
        apr_hash_get(update->before->children, update->row->id, APR_HASH_KEY_STRING);
    apr_array_header_t *request = identity_body_strings(call, "child_role_ids");

    if (same_children(present, request))
        return;
    update->children = request;
    identity_changes_add_list(update->changes, "child_role_ids", present, request);
}

/* What differs from the present; a client may send back everything it received. */
static bool wants(identity_call_t *call, update_t *update)
{
    identity_role_row_t *row = update->row;
    const json_t *description = json_object_get(call->body, "description");
    const char *name = identity_json_string(call->body, "name"),
               *slug = identity_json_string(call->body, "slug"),
               *told =
                   description && !json_is_null(description) ? json_string_value(description) : "";

    if (slug && strcmp(slug, row->slug) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "slug",
                             "The slug of a role cannot be changed.");
    if (name) {
        update->renamed = strcmp(name, row->name) != 0;
        identity_changes_add(update->changes, "name", row->name, name);
        row->name = name;
        row->canonical = update->canonical;
    }
    if (description) {
        identity_changes_add(update->changes, "description", row->description, told);
        row->description = told;
    }
    if (identity_json_has(call->body, "child_role_ids"))
        wants_children(call, update);
    const identity_permset_t *present =
        apr_hash_get(update->before->permissions, row->id, APR_HASH_KEY_STRING);
    if (update->asked && !same_permissions(call, present, update->asked)) {
        update->permissions = update->asked;
        identity_changes_add_json(update->changes, "permissions",
                                  identity_permset_json(present, call->env->settings->catalogue),
                                  json_deep_copy(json_object_get(call->body, "permissions")));
    }
    return true;
}

static bool contains(const apr_array_header_t *ids, const char *id)
{
    for (int i = 0; ids && i < ids->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(ids, i, const char *), id) == 0)
            return true;
    return false;
}

/* Among the children that only one side has: does one of them grant nothing, or contain such a role? */
static bool moves_nothing(const apr_array_header_t *children, const apr_array_header_t *others,
                          const identity_roles_t *roles)
{
    bool moves = false;

    for (int i = 0; !moves && children && i < children->nelts; i++) {
        const char *child = APR_ARRAY_IDX(children, i, const char *);
        moves = !contains(others, child) && identity_role_holds_nothing_within(roles, child);
    }
    return moves;
}

/* A role that grants nothing may not be added to this role or removed from it, nor be given permissions so that it
 * could be assigned like others, by callers who could not assign it. */
static bool may_move_nothing(identity_call_t *call, const update_t *update,
                             const identity_roles_t *children, const char *field)
{
    const apr_array_header_t *present =
        apr_hash_get(update->before->children, update->row->id, APR_HASH_KEY_STRING);
    bool used, may;

    if (!identity_role_grants_nothing(update->before, update->row->id) &&
        !(update->children && (moves_nothing(update->children, present, children) ||
                               moves_nothing(present, update->children, update->before))))
        return true;
    if (!identity_db_ok(call, identity_role_in_use(call->db, update->row->id, &used)))
        return false;
    if (!used)
        return true;
    if (!identity_principal_holds_everything(call, call->principal, &may))
        return false;
    return may ||
           identity_deny(
               call, IDENTITY_PROBLEM_NOT_ALLOWED, field,
               "This role is assigned and grants nothing: only callers who hold every permission "
               "in every account of the entity can change it.");
}

/* Changing a role changes its holders' rights: the caller must have everything it grants, before and after. */
static bool may_change(identity_call_t *call, const update_t *update)
{
    identity_permset_t granted = {0};
    identity_roles_t *children = update->before;
    const char *id = update->row->id;

    identity_roles_add_permissions(call, update->before, id, &granted);
    if (!identity_role_covered(call, &granted, NULL,
                               "This role grants more than the caller holds."))
        return false;
    if (!update->children && !update->permissions)
        return true;
    if (update->children && (!identity_roles_load(call, update->children, &children) ||
                             !identity_role_children_fit(call, id, children)))
        return false;
    granted = (identity_permset_t){0};
    if (!update->permissions)
        identity_permset_add_set(
            call->pool, &granted,
            apr_hash_get(update->before->permissions, id, APR_HASH_KEY_STRING));
    identity_role_sum(call, update->permissions,
                      update->children
                          ? update->children
                          : apr_hash_get(update->before->children, id, APR_HASH_KEY_STRING),
                      children, &granted);
    const char *field = update->permissions ? "permissions" : "child_role_ids";
    return identity_role_covered(call, &granted, field, LACKING) &&
           may_move_nothing(call, update, children, field);
}

static bool save(identity_call_t *call, update_t *update)
{
    identity_audit_t audit = {
        .action = "UPDATE", .type = "ROLE", .id = update->row->id, .changes = update->changes};

    if (update->renamed && !identity_role_name_free(call, update->row, NULL))
        return false;
    identity_db_status_t status =
        identity_role_update(call->db, update->row, update->children, update->permissions);
    if (status == IDENTITY_DB_CONFLICT)
        return name_taken(call);
    return identity_db_ok(call, status) && identity_audit(call, &audit);
}

static bool write_update(identity_call_t *call, void *data)
{
    update_t *update = data;

    update->changes = identity_changes_make(call);
    if (!load_changeable(call, &update->row, &update->before) || !wants(call, update) ||
        !may_change(call, update))
        return false;
    if (identity_changes_any(update->changes) && !save(call, update))
        return false;
    /* Checked before COMMIT: a role that would be too large to be shown is not stored. */
    return identity_role_load(call, call->id, &update->roles) &&
           identity_answer_tagged(
               call, 200, identity_role_json(call, update->roles, call->id, IDENTITY_ROLE_DEPTH));
}

bool identity_op_update_role(identity_call_t *call)
{
    update_t update = {.row = NULL};
    const char *name = identity_json_string(call->body, "name");

    if (name && !identity_name_compared(call, name, &update.canonical))
        return false;
    if (identity_json_has(call->body, "permissions") &&
        !identity_permissions_read(call, &update.asked))
        return false;
    return identity_write(call, write_update, &update);
}

/* ---- DELETE /roles/{id} ----------------------------------------------------------------------------------------- */

static bool write_deletion(identity_call_t *call, void *data)
{
    identity_roles_t **roles = data;
    identity_role_row_t *row;
    identity_permset_t nothing = {0};
    identity_audit_t audit = {
        .action = "DELETE", .type = "ROLE", .id = call->id, .message = "A role was deleted."};

    /* An unused role grants nothing to anybody, so deleting it takes nothing away; but roles belong to the whole
     * entity. */
    if (!load_changeable(call, &row, roles) ||
        !identity_role_covered(
            call, &nothing, NULL,
            "Roles belong to the whole entity: in every account the caller needs ROLE.DELETE."))
        return false;
    identity_db_status_t status = identity_role_delete(call->db, row->entity_id, row->id);
    if (status == IDENTITY_DB_CONFLICT)
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, NULL,
            "This role is in use: by a membership, an open invitation or another role.");
    audit.target_name = row->name;
    return identity_db_ok(call, status) && identity_audit(call, &audit);
}

bool identity_op_delete_role(identity_call_t *call)
{
    identity_roles_t *roles;

    if (!identity_write(call, write_deletion, &roles))
        return false;
    return identity_answer(call, 200,
                           identity_role_json(call, roles, call->id, IDENTITY_ROLE_DEPTH));
}
