/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: create, change, delete. */
#include <string.h>

#include "roles/roles.h"

#define LACKING "A key cannot hold more than the caller holds in every account."

/* ---- POST /api-keys --------------------------------------------------------------------------------------------- */

typedef struct creation {
    identity_key_view_t view;
    identity_key_row_t row;
    const char *key; /* in clear */
} creation_t;

/* A key has the same rights in every account of the entity, so its creator must have them, too. */
static bool may_create(identity_call_t *call, const identity_key_view_t *view)
{
    bool covers;

    if (!identity_key_covered(call, view->row, view->names, &covers))
        return false;
    return covers || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED,
                                   view->row->narrowed ? "permissions" : "role_type", LACKING);
}

static bool write_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    identity_key_view_t *view = &creation->view;
    identity_audit_t audit = {.action = "CREATE",
                              .type = "API_KEY",
                              .id = view->row->id,
                              .message = "An API key was created."};

    return may_create(call, view) &&
           identity_db_ok(call, identity_key_insert(call->db, view->row, view->names)) &&
           identity_audit(call, &audit) && identity_key_accounts_load(call, &view->accounts) &&
           identity_answer(call, 201, identity_key_view_json(call, view, creation->key));
}

static identity_key_role_t role_of(const char *name)
{
    return strcmp(name, identity_key_role_name(IDENTITY_KEY_READ_ONLY)) == 0
               ? IDENTITY_KEY_READ_ONLY
               : IDENTITY_KEY_ADMINISTRATOR;
}

static bool lies_ahead(identity_call_t *call, apr_time_t expires_at)
{
    return expires_at > call->now ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "expires_at",
                         "expires_at must be in the future.");
}

static bool read_creation(identity_call_t *call, identity_key_view_t *view)
{
    identity_key_row_t *row = view->row;
    const char *status = identity_json_string(call->body, "status"),
               *role = identity_json_string(call->body, "role_type");
    bool active = identity_json_boolean(call->body, "active", true);

    row->active = status ? strcmp(status, "ACTIVE") == 0 : active;
    if (identity_json_has(call->body, "active") && active != row->active)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "active",
                             "active contradicts status.");
    row->role_type = role ? role_of(role) : IDENTITY_KEY_ADMINISTRATOR;
    row->description = identity_json_string(call->body, "description");
    if (identity_json_has(call->body, "expires_at")) {
        identity_time_parse(identity_json_string(call->body, "expires_at"), &row->expires_at);
        if (!lies_ahead(call, row->expires_at))
            return false;
    }
    row->narrowed = json_array_size(json_object_get(call->body, "permissions")) > 0;
    return identity_permissions_read(call, &view->names);
}

bool identity_op_create_api_key(identity_call_t *call)
{
    creation_t creation = {.row = {.version = 1}};
    identity_key_row_t *row = creation.view.row = &creation.row;

    if (!read_creation(call, &creation.view))
        return false;
    row->id = identity_call_id(call, "apik");
    creation.key = row->id ? identity_key_make(call->pool, row->id, &call->env->random) : NULL;
    if (!creation.key)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    row->digest = identity_token_digest(call->pool, creation.key);
    row->mask = identity_key_mask(call->pool, creation.key);
    row->entity_id = call->principal->entity_id;
    row->created_by = call->principal->id;
    row->created_at = call->now;
    return identity_key_seal(call, row, creation.key) &&
           identity_write(call, write_creation, &creation);
}

/* ---- PATCH /api-keys/{id} --------------------------------------------------------------------------------------- */

typedef struct update {
    identity_key_view_t view;
    apr_array_header_t *asked; /* the body's permissions, NULL if absent */
    identity_changes_t *changes;
    bool role, permissions; /* differ from the present ones */
    bool longer;            /* its lifetime would be extended */
} update_t;

static bool same_names(identity_call_t *call, const apr_array_header_t *present,
                       const apr_array_header_t *request)
{
    identity_permset_t a = {0}, b = {0};

    for (int i = 0; i < present->nelts; i++)
        identity_permset_add(call->pool, &a, APR_ARRAY_IDX(present, i, const char *));
    for (int i = 0; i < request->nelts; i++)
        identity_permset_add(call->pool, &b, APR_ARRAY_IDX(request, i, const char *));
    return identity_permset_covers(&a, &b) && identity_permset_covers(&b, &a);
}

static const char *status_name(bool active)
{
    return active ? "ACTIVE" : "INACTIVE";
}

/* A client may send both back as read and change one: the one that differs counts. */
static void wants_status(identity_call_t *call, update_t *update)
{
    identity_key_row_t *row = update->view.row;
    const char *status = identity_json_string(call->body, "status");
    bool by_status = status && (strcmp(status, "ACTIVE") == 0) != row->active;
    bool by_alias = identity_json_boolean(call->body, "active", row->active) != row->active;

    if (!by_status && !by_alias)
        return;
    identity_changes_add(update->changes, "status", status_name(row->active),
                         status_name(!row->active));
    row->active = !row->active;
}

static bool wants_expiry(identity_call_t *call, update_t *update)
{
    identity_key_row_t *row = update->view.row;
    apr_time_t present = row->expires_at, request = 0;
    bool ends = identity_json_has(call->body, "expires_at");

    if (!json_object_get(call->body, "expires_at"))
        return true;
    if (ends)
        identity_time_parse(identity_json_string(call->body, "expires_at"), &request);
    /* Compared with the resolution of a second in which it is shown. */
    if (ends ? present && apr_time_sec(request) == apr_time_sec(present) : !present)
        return true;
    identity_changes_add_time(update->changes, "expires_at", present, request);
    update->longer = present && (!ends || request > present);
    row->expires_at = request;
    return !ends || lies_ahead(call, request);
}

static bool wants(identity_call_t *call, update_t *update)
{
    identity_key_row_t *row = update->view.row;
    const char *role = identity_json_string(call->body, "role_type"),
               *told = identity_json_string(call->body, "description");

    wants_status(call, update);
    if (json_object_get(call->body, "description")) {
        told = told && *told ? told : NULL;
        identity_changes_add(update->changes, "description", row->description, told);
        row->description = told;
    }
    update->role = role && role_of(role) != row->role_type;
    if (update->role) {
        identity_changes_add(update->changes, "role_type", identity_key_role_name(row->role_type),
                             role);
        row->role_type = role_of(role);
    }
    update->permissions = update->asked && !same_names(call, update->view.names, update->asked);
    if (update->permissions) {
        identity_changes_add_list(update->changes, "permissions", update->view.names,
                                  update->asked);
        update->view.names = update->asked;
        row->narrowed = update->asked->nelts > 0;
    }
    return wants_expiry(call, update);
}

static bool may_change(identity_call_t *call, const update_t *update)
{
    const identity_key_row_t *row = update->view.row;
    bool covers;

    if (update->longer && call->principal->kind == IDENTITY_CALLER_KEY &&
        strcmp(call->principal->id, row->id) == 0)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, "expires_at",
                             "A key cannot extend its own lifetime.");
    if (!update->role && !update->permissions)
        return true;
    if (!identity_key_covered(call, row, update->view.names, &covers))
        return false;
    return covers || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED,
                                   update->permissions ? "permissions" : "role_type", LACKING);
}

static bool save(identity_call_t *call, update_t *update)
{
    identity_key_row_t *row = update->view.row;
    identity_audit_t audit = {
        .action = "UPDATE", .type = "API_KEY", .id = row->id, .changes = update->changes};

    return identity_db_ok(call,
                          identity_key_update(call->db, row,
                                              update->permissions ? update->view.names : NULL)) &&
           identity_audit(call, &audit);
}

/* A key with no more rights than the caller. */
static bool load_covered(identity_call_t *call, identity_key_view_t *view)
{
    bool covers;

    if (!identity_key_load(call, view) ||
        !identity_key_covered(call, view->row, view->names, &covers))
        return false;
    return covers || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                                   "This key holds more than the caller does.");
}

static bool write_update(identity_call_t *call, void *data)
{
    update_t *update = data;

    update->changes = identity_changes_make(call);
    if (!load_covered(call, &update->view))
        return false;
    if (!wants(call, update) || !may_change(call, update))
        return false;
    if (identity_changes_any(update->changes) && !save(call, update))
        return false;
    return identity_key_load(call, &update->view);
}

bool identity_op_update_api_key(identity_call_t *call)
{
    update_t update = {.view = {.id = call->id}};

    if (identity_json_has(call->body, "permissions") &&
        !identity_permissions_read(call, &update.asked))
        return false;
    if (!identity_write(call, write_update, &update))
        return false;
    return identity_answer(call, 200,
                           identity_key_view_json(call, &update.view, update.view.row->mask));
}

/* ---- DELETE /api-keys/{id} -------------------------------------------------------------------------------------- */

static bool write_deletion(identity_call_t *call, void *data)
{
    identity_key_view_t *view = data;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "DELETE",
                              .type = "API_KEY",
                              .id = call->id,
                              .message = "An API key was deleted.",
                              .changes = changes};

    if (!load_covered(call, view))
        return false;
    identity_changes_add(changes, "status", status_name(view->row->active), NULL);
    identity_changes_add(changes, "role_type", identity_key_role_name(view->row->role_type), NULL);
    identity_changes_add_list(changes, "permissions", view->names, NULL);
    view->row->active = false;
    /* The record identifies the key by its description. */
    return identity_audit(call, &audit) &&
           identity_db_ok(call, identity_key_delete(call->db, "", call->id));
}

bool identity_op_delete_api_key(identity_call_t *call)
{
    identity_key_view_t view = {.id = call->id};

    if (!identity_write(call, write_deletion, &view))
        return false;
    return identity_answer(call, 200, identity_key_view_json(call, &view, view.row->mask));
}
