/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication providers: list, create, get, change, and those that an invited person may use. */
#include <string.h>

#include "login/sign_in_providers.h"
#include "sso/providers.h"
#include "users/users.h"

#define RESOURCE "AUTHENTICATION_PROVIDER"

static identity_position_t position_of(const void *row_)
{
    const identity_provider_row_t *row = row_;
    return (identity_position_t){.id = row->id, .created_at = row->created_at};
}

/* The configured providers precede the first page, beyond its limit. */
static bool load_list(identity_call_t *call, identity_listing_t *page)
{
    const identity_page_query_t *query = &page->query;

    if (page->page > 1 || query->cursor)
        return true;
    if (!identity_providers_builtin(call, query->entity_id, query->domain, &page->before))
        return false;
    if (page->before->nelts && page->total == 0)
        page->total = 1;
    return true;
}

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    return identity_provider_json(call, row, page->query.domain);
}

/* ---- GET /authentication-providers ------------------------------------------------------------------------------ */

bool identity_op_list_authentication_providers(identity_call_t *call)
{
    static const identity_collection_t providers = {.of = IDENTITY_PAGE_OF_PROVIDERS,
                                                    .load = load_list,
                                                    .row_json = row_json,
                                                    .position_of = position_of};
    return identity_collection_list(call, &providers);
}

/* ---- POST /authentication-providers/enabled --------------------------------------------------------------------- */

static bool narrow_to_invited(identity_call_t *call, identity_listing_t *page)
{
    const char *email = identity_canonical_field(call, "email");
    identity_user_row_t *user;

    if (!identity_invitation_of_token(call, identity_json_string(call->body, "token"), email,
                                      &user))
        return false;
    page->query.entity_id = user->entity_id;
    page->query.domain = identity_username_domain(email);
    return true;
}

bool identity_op_enabled_authentication_providers(identity_call_t *call)
{
    static const identity_collection_t enabled = {.of = IDENTITY_PAGE_OF_PROVIDERS,
                                                  .narrow = narrow_to_invited,
                                                  .load = load_list,
                                                  .row_json = row_json,
                                                  .position_of = position_of};
    return identity_collection_list(call, &enabled);
}

/* ---- POST /authentication-providers ----------------------------------------------------------------------------- */

/* A provider admits people to the whole entity, so deciding about it requires the permission in all of it (security
 * 62). */
static bool may_change(identity_call_t *call)
{
    return identity_permission_in_entity(call, "Providers");
}

/* Nobody may lock everybody out. If nobody could sign in before either, the change is not to blame. */
static bool write_row(identity_call_t *call, identity_provider_row_t *row, bool made)
{
    bool before, left;

    if (!identity_ways_left(call, row->entity_id, &before) ||
        !identity_db_ok(call, made ? identity_provider_insert(call->db, row)
                                   : identity_provider_update(call->db, row)) ||
        !identity_ways_left(call, row->entity_id, &left))
        return false;
    return left || !before ||
           identity_deny(
               call, IDENTITY_PROBLEM_STATE, "status",
               "Nobody could sign in any more: with passwords switched off, there must be an "
               "enabled and configured provider that somebody can use.");
}

static bool write_creation(identity_call_t *call, void *data)
{
    identity_provider_row_t *row = data;
    identity_audit_t audit = {.action = "CREATE",
                              .type = RESOURCE,
                              .id = row->id,
                              .message = "An authentication provider was created."};

    return may_change(call) && write_row(call, row, true) && identity_audit(call, &audit) &&
           identity_answer(call, 201, identity_provider_json(call, row, NULL));
}

bool identity_op_create_authentication_provider(identity_call_t *call)
{
    identity_provider_row_t row = {
        .entity_id = call->principal->entity_id, .created_at = call->now, .version = 1};

    row.id = identity_call_id(call, "auth");
    return row.id && identity_provider_read(call, call->body, &row) &&
           identity_write(call, write_creation, &row);
}

/* ---- GET, PATCH /authentication-providers/{id} ------------------------------------------------------------------ */

/* A configured one, or NULL. */
static bool load_builtin(identity_call_t *call, identity_provider_row_t **row)
{
    apr_array_header_t *builtin;

    *row = NULL;
    if (!identity_providers_builtin(call, call->principal->entity_id, NULL, &builtin))
        return false;
    for (int i = 0; i < builtin->nelts && !*row; i++)
        if (strcmp(APR_ARRAY_IDX(builtin, i, identity_provider_row_t *)->id, call->id) == 0)
            *row = APR_ARRAY_IDX(builtin, i, identity_provider_row_t *);
    return true;
}

static bool load_provider(identity_call_t *call, void *data)
{
    identity_provider_row_t **row = data;
    bool found;

    if (!load_builtin(call, row) || *row)
        return *row != NULL;
    if (!identity_db_found(
            call, identity_provider_get(call->db, call->principal->entity_id, call->id, row),
            &found))
        return false;
    return found || identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
}

bool identity_op_get_authentication_provider(identity_call_t *call)
{
    identity_provider_row_t *row = NULL;

    if (!identity_read(call, load_provider, &row))
        return false;
    return identity_answer(call, 200, identity_provider_json(call, row, NULL));
}

static bool write_update(identity_call_t *call, void *data)
{
    identity_provider_row_t *row = data, *present;
    identity_audit_t audit = {.action = "UPDATE", .type = RESOURCE, .id = call->id};

    if (!load_provider(call, &present) || !may_change(call))
        return false;
    if (!*present->entity_id)
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, NULL,
            "This provider belongs to the server's configuration and cannot be changed here.");
    if (!identity_provider_merge(call, present, row))
        return false;
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_compare(
        changes, "", identity_json_own(call->pool, identity_provider_json(call, present, NULL)),
        identity_json_own(call->pool, identity_provider_json(call, row, NULL)));
    if (!identity_changes_any(changes))
        return true;
    audit.changes = changes;
    return write_row(call, row, false) && identity_audit(call, &audit);
}

bool identity_op_update_authentication_provider(identity_call_t *call)
{
    identity_provider_row_t row;

    if (!identity_write(call, write_update, &row))
        return false;
    return identity_answer(call, 200, identity_provider_json(call, &row, NULL));
}
