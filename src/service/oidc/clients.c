/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the OpenID provider: list, create, get, change, delete, and another secret. */
#include <string.h>

#include "oidc/clients.h"

#define RESOURCE    "CLIENT"
#define OVERLAP     apr_time_from_sec(24 * 3600)
#define OVERLAP_MAX apr_time_from_sec(30 * 24 * 3600)

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    (void)call;
    (void)page;
    return identity_client_json(row, NULL);
}

static identity_position_t position_of(const void *row_)
{
    const identity_client_row_t *row = row_;
    return (identity_position_t){.id = row->id, .created_at = row->created_at};
}

bool identity_op_list_clients(identity_call_t *call)
{
    static const identity_collection_t clients = {
        .of = IDENTITY_PAGE_OF_CLIENTS, .row_json = row_json, .position_of = position_of};
    return identity_collection_list(call, &clients);
}

static bool load_client(identity_call_t *call, void *data)
{
    identity_client_row_t **row = data;
    bool found;

    if (!identity_db_found(
            call, identity_client_get(call->db, call->principal->entity_id, call->id, row), &found))
        return false;
    return found || identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
}

bool identity_op_get_client(identity_call_t *call)
{
    identity_client_row_t *row = NULL;

    return identity_read(call, load_client, &row) &&
           identity_answer(call, 200, identity_client_json(row, NULL));
}

/* A client learns of people of the whole entity, so deciding about it requires the permission in all of it. */
static bool may_change(identity_call_t *call)
{
    return identity_permission_in_entity(call, "Clients");
}

/* A new secret of the row; NULL for a PUBLIC client, which has none. */
static bool make_secret(identity_call_t *call, identity_client_row_t *row, const char **secret)
{
    *secret = NULL;
    row->digest = "";
    if (strcmp(row->type, "PUBLIC") == 0)
        return true;
    *secret = identity_token_make(call->pool, IDENTITY_TOKEN_CLIENT, &call->env->random);
    if (!*secret)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    row->digest = identity_token_digest(call->pool, *secret);
    return true;
}

static bool record(identity_call_t *call, const identity_client_row_t *row, const char *action,
                   const char *message, const identity_changes_t *changes)
{
    identity_audit_t audit = {.action = action,
                              .type = RESOURCE,
                              .id = row->id,
                              .target_name = row->name,
                              .message = message,
                              .changes = changes};
    return identity_audit(call, &audit);
}

/* ---- POST /clients ---------------------------------------------------------------------------------------------- */

static bool write_creation(identity_call_t *call, void *data)
{
    identity_client_row_t *row = data;
    const char *secret;

    return may_change(call) && identity_client_read(call, call->body, row) &&
           make_secret(call, row, &secret) &&
           identity_db_ok(call, identity_client_insert(call->db, row)) &&
           record(call, row, "CREATE", "A client was created.", NULL) &&
           identity_answer(call, 201, identity_client_json(row, secret));
}

bool identity_op_create_client(identity_call_t *call)
{
    identity_client_row_t row = {.entity_id = call->principal->entity_id,
                                 .old_digest = "",
                                 .created_at = call->now,
                                 .version = 1};

    row.id = identity_call_id(call, "clnt");
    return row.id && identity_write(call, write_creation, &row);
}

/* ---- PATCH, DELETE /clients/{id} -------------------------------------------------------------------------------- */

static bool write_update(identity_call_t *call, void *data)
{
    identity_client_row_t *row = data, *present;
    identity_changes_t *changes = identity_changes_make(call);

    if (!load_client(call, &present) || !may_change(call) ||
        !identity_client_merge(call, present, row))
        return false;
    identity_changes_compare(changes, "",
                             identity_json_own(call->pool, identity_client_json(present, NULL)),
                             identity_json_own(call->pool, identity_client_json(row, NULL)));
    if (!identity_changes_any(changes))
        return true;
    return identity_db_ok(call, identity_client_update(call->db, row)) &&
           record(call, row, "UPDATE", NULL, changes);
}

bool identity_op_update_client(identity_call_t *call)
{
    identity_client_row_t row;

    return identity_write(call, write_update, &row) &&
           identity_answer(call, 200, identity_client_json(&row, NULL));
}

static bool write_deletion(identity_call_t *call, void *data)
{
    identity_client_row_t **row = data;

    return load_client(call, row) && may_change(call) &&
           record(call, *row, "DELETE", "A client was deleted.", NULL) &&
           identity_db_ok(call, identity_client_delete(call->db, (*row)->entity_id, (*row)->id));
}

bool identity_op_delete_client(identity_call_t *call)
{
    identity_client_row_t *row = NULL;

    return identity_write(call, write_deletion, &row) &&
           identity_answer(call, 200, identity_client_json(row, NULL));
}

/* ---- POST /clients/{id}/rotate-secret --------------------------------------------------------------------------- */

/* Until when the present secret stays good. */
static bool read_overlap(identity_call_t *call, apr_time_t *end)
{
    *end = call->now + OVERLAP;
    if (identity_json_has(call->body, "previous_expires_at"))
        identity_time_parse(identity_json_string(call->body, "previous_expires_at"), end);
    return *end <= call->now + OVERLAP_MAX ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "previous_expires_at",
                         "previous_expires_at must be within the next 30 days.");
}

static bool write_rotation(identity_call_t *call, void *data)
{
    const apr_time_t *end = data;
    identity_client_row_t *row;
    identity_changes_t *changes = identity_changes_make(call);
    const char *secret;

    if (!load_client(call, &row) || !may_change(call))
        return false;
    if (strcmp(row->type, "PUBLIC") == 0)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL, "A PUBLIC client has no secret.");
    bool lasts = *end > call->now;
    row->old_digest = lasts ? row->digest : "";
    row->old_expires_at = lasts ? *end : 0;
    identity_changes_add_secret(changes, "client_secret");
    return make_secret(call, row, &secret) &&
           identity_db_ok(call, identity_client_update(call->db, row)) &&
           record(call, row, "UPDATE", NULL, changes) &&
           identity_answer(call, 200, identity_client_json(row, secret));
}

bool identity_op_rotate_client_secret(identity_call_t *call)
{
    apr_time_t end;

    return read_overlap(call, &end) && identity_write(call, write_rotation, &end);
}
