/* SPDX-License-Identifier: Apache-2.0 */
/* A user's account memberships: list, add, change, end. */
#include <string.h>

#include "users/users.h"

/* ---- GET /users/{id}/memberships -------------------------------------------------------------------------------- */

bool identity_op_list_user_memberships(identity_call_t *call)
{
    identity_user_look_t look;
    identity_writer_t writer;

    if (!identity_read(call, identity_user_look, &look))
        return false;
    identity_shown_begin(call, &writer, 1);
    identity_shown_memberships(&writer, look.shown, call->id);
    return identity_answer_written(call, &writer);
}

/* ---- POST /users/{id}/memberships ------------------------------------------------------------------------------- */

bool identity_membership_absent(identity_call_t *call, const identity_assignments_t *assignments,
                                const char *owner_id, const char *account_id)
{
    return !identity_membership_in(identity_assigned_memberships(assignments, owner_id),
                                   account_id) ||
           identity_deny(call, IDENTITY_PROBLEM_EXISTS, "account_id",
                         "There is already a membership in this account.");
}

static bool write_membership(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_membership_request_t request = {.present_role_ids = NULL};
    identity_audit_t audit = {.action = "ADD_MEMBERSHIP",
                              .type = "USER",
                              .id = call->id,
                              .message = "An account membership was added."};

    if (!identity_user_load(call, view) || !identity_user_present(call, view->user, NULL) ||
        !identity_membership_request_read_one(call, "account_memberships", &request))
        return false;
    audit.account = &APR_ARRAY_IDX(request.memberships, 0, identity_membership_row_t *)->account;
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add_membership_request(changes, &request);
    audit.changes = changes;
    return identity_membership_absent(call, view->assignments, call->id, audit.account->id) &&
           identity_membership_request_write(call, IDENTITY_OWNER_USER, call->id, &request) &&
           identity_audit(call, &audit) && identity_user_load(call, view) &&
           identity_answer(call, 201, identity_memberships_json(call, view->assignments, call->id));
}

bool identity_op_add_user_membership(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_membership, &view);
}

/* ---- PATCH /users/{id}/memberships/{membership} ----------------------------------------------------------------- */

static const identity_membership_row_t *membership_of(const identity_call_t *call,
                                                      const identity_assignments_t *assignments)
{
    const apr_array_header_t *rows = identity_assigned_memberships(assignments, call->id);

    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_membership_row_t *row = APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
        if (strcmp(row->id, call->inner_id) == 0)
            return row;
    }
    return NULL;
}

/* The complete membership: the body, merged with the present one (RFC 7396). */
static bool complete(identity_call_t *call, const identity_membership_row_t *present,
                     const apr_array_header_t *role_ids)
{
    json_t *body = call->body;
    const char *account = identity_json_string(body, "account_id");
    bool mentioned = json_object_get(body, "role_ids") || json_object_get(body, "roles");

    if (account && strcmp(account, present->account.id) != 0)
        return identity_deny(
            call, IDENTITY_PROBLEM_INVALID_FIELD, "account_id",
            "The account of a membership cannot be changed; add another membership instead.");
    json_object_set_new(body, "account_id", json_string(present->account.id));
    if (!identity_json_has(body, "type"))
        json_object_set_new(body, "type", json_string(identity_member_type_name(present->type)));
    if (mentioned)
        return true;
    json_t *ids = json_array();
    for (int i = 0; role_ids && i < role_ids->nelts; i++)
        json_array_append_new(ids, json_string(APR_ARRAY_IDX(role_ids, i, const char *)));
    json_object_set_new(body, "role_ids", ids);
    return true;
}

static bool change(identity_call_t *call, const identity_user_view_t *view,
                   const identity_membership_row_t *present, const apr_array_header_t *role_ids)
{
    identity_membership_request_t request = {.present_role_ids = role_ids};
    identity_administered_t administered;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "UPDATE_MEMBERSHIP",
                              .type = "USER",
                              .id = call->id,
                              .message = "An account membership was changed.",
                              .changes = changes};

    if (!identity_membership_request_read_one(call, "account_memberships", &request) ||
        !identity_may_change_membership(call, present, role_ids, view->assignments->roles,
                                        APR_ARRAY_IDX(request.role_ids, 0, apr_array_header_t *)) ||
        !identity_administrators_before(call, view->assignments, call->id, &administered))
        return false;
    identity_membership_row_t *row =
        APR_ARRAY_IDX(request.memberships, 0, identity_membership_row_t *);
    const apr_array_header_t *wanted_ids = APR_ARRAY_IDX(request.role_ids, 0, apr_array_header_t *);
    row->id = present->id;
    audit.account = &row->account;
    identity_changes_add_membership(changes, present, role_ids, row, wanted_ids);
    return identity_db_ok(call, identity_membership_update(call->db, row, wanted_ids)) &&
           identity_administrators_remain(call, &administered) && identity_audit(call, &audit);
}

static bool write_change(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;

    if (!identity_user_load(call, view))
        return false;
    const identity_membership_row_t *present = membership_of(call, view->assignments);
    if (!present)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    const apr_array_header_t *role_ids = identity_assigned_role_ids(view->assignments, present->id);
    /* Before the body is judged: it is not the caller's to change at all. */
    return identity_may_change_membership(call, present, role_ids, view->assignments->roles,
                                          role_ids) &&
           complete(call, present, role_ids) && change(call, view, present, role_ids) &&
           identity_user_load(call, view) &&
           identity_answer(call, 200, identity_memberships_json(call, view->assignments, call->id));
}

bool identity_op_update_user_membership(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_change, &view);
}

/* ---- DELETE /users/{id}/memberships/{membership} ---------------------------------------------------------------- */

bool identity_membership_end(identity_call_t *call, identity_owner_t owner,
                             const identity_assignments_t *assignments, identity_audit_t *audit)
{
    const identity_membership_row_t *row = membership_of(call, assignments);
    identity_administered_t administered;

    if (!row)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    const apr_array_header_t *role_ids = identity_assigned_role_ids(assignments, row->id);
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add_membership(changes, row, role_ids, NULL, NULL);
    audit->account = &row->account;
    audit->changes = changes;
    return identity_may_change_membership(call, row, role_ids, assignments->roles, NULL) &&
           (owner != IDENTITY_OWNER_USER ||
            identity_may_act_on(call, assignments, call->id, call->route->permission)) &&
           identity_administrators_before(call, assignments, call->id, &administered) &&
           identity_db_ok(call, identity_membership_delete(call->db, owner, row)) &&
           identity_administrators_remain(call, &administered) && identity_audit(call, audit);
}

static bool write_end(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_audit_t audit = {.action = "REMOVE_MEMBERSHIP",
                              .type = "USER",
                              .id = call->id,
                              .message = "An account membership was removed."};

    return identity_user_load(call, view) &&
           identity_membership_end(call, IDENTITY_OWNER_USER, view->assignments, &audit) &&
           identity_user_load(call, view) &&
           identity_answer(call, 200, identity_memberships_json(call, view->assignments, call->id));
}

bool identity_op_delete_user_membership(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_end, &view);
}
