/* Authentication providers: list, create, get, change, and which of them an invited person may use. */
#include <string.h>

#include "providers_int.h"
#include "users_int.h"

#define RESOURCE "AUTHENTICATION_PROVIDER"

static identity_place_t place_of(const void *row_)
{
    const identity_provider_row_t *row = row_;
    return (identity_place_t){.id = row->id, .created_at = row->created_at};
}

static bool answer_page(identity_call_t *call, const identity_listing_t *page, const char *domain)
{
    json_t *data = json_array();

    for (int i = 0; i < page->rows->nelts; i++)
        json_array_append_new(
            data, identity_provider_json(call, APR_ARRAY_IDX(page->rows, i, identity_provider_row_t *), domain));
    return identity_answer(call, 200, identity_page_json(call, page, data, place_of));
}

/* ---- GET /authentication-providers ------------------------------------------------------------------------------ */

static bool load_list(identity_call_t *call, void *data)
{
    return identity_page_load(call, data, identity_providers_page, identity_providers_count);
}

bool identity_providers_list(identity_call_t *call)
{
    identity_listing_t page;

    return identity_page_parse(call, NULL, &page) && identity_read(call, load_list, &page) &&
           answer_page(call, &page, NULL);
}

/* ---- POST /authentication-providers/enabled --------------------------------------------------------------------- */

typedef struct enabled {
    identity_listing_t page;
    const char *token, *email;
} enabled_t;

static bool load_enabled(identity_call_t *call, void *data)
{
    enabled_t *enabled = data;
    identity_user_row_t *user;

    if (!identity_invitation_of_token(call, enabled->token, enabled->email, &user))
        return false;
    enabled->page.query.entity_id = user->entity_id;
    enabled->page.query.domain = identity_username_domain(enabled->email);
    return load_list(call, &enabled->page);
}

bool identity_providers_enabled(identity_call_t *call)
{
    enabled_t enabled = {.token = identity_json_string(call->body, "token"),
                         .email = identity_canonical_field(call, "email")};

    return identity_page_parse(call, NULL, &enabled.page) && identity_read(call, load_enabled, &enabled) &&
           answer_page(call, &enabled.page, identity_username_domain(enabled.email));
}

/* ---- POST /authentication-providers ----------------------------------------------------------------------------- */

/* A provider lets people into the whole entity, so whoever decides about it must do so in all of it (security 62). */
static bool may_change(identity_call_t *call)
{
    identity_permset_t want = {0};
    bool covers;

    identity_permset_add(call->pool, &want, call->route->permission);
    if (!identity_principal_covers_entity(call, &want, &covers))
        return false;
    return covers ||
           identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "Providers are for the whole entity: this needs the permission %s in each of its accounts.",
                         call->route->permission);
}

static bool write_creation(identity_call_t *call, void *data)
{
    identity_provider_row_t *row = data;
    identity_audit_t audit = {
        .action = "CREATE", .type = RESOURCE, .id = row->id, .message = "An authentication provider was created."};

    return may_change(call) && identity_db_ok(call, identity_provider_insert(call->db, row)) &&
           identity_audit(call, &audit) && identity_answer(call, 201, identity_provider_json(call, row, NULL));
}

bool identity_providers_create(identity_call_t *call)
{
    identity_provider_row_t row = {.entity_id = call->who->entity_id, .created_at = call->now, .version = 1};

    row.id = identity_call_id(call, "auth");
    return row.id && identity_provider_read(call, call->body, &row) && identity_write(call, write_creation, &row);
}

/* ---- GET, PATCH /authentication-providers/{id} ------------------------------------------------------------------ */

static bool load_provider(identity_call_t *call, void *data)
{
    identity_provider_row_t **row = data;
    bool found;

    if (!identity_db_found(call, identity_provider_get(call->db, call->who->entity_id, call->id, row), &found))
        return false;
    return found || identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
}

bool identity_providers_get(identity_call_t *call)
{
    identity_provider_row_t *row = NULL;

    if (!identity_read(call, load_provider, &row))
        return false;
    return identity_answer(call, 200, identity_provider_json(call, row, NULL));
}

/* What differs, in words; "" where nothing does. */
static const char *changes_of(identity_call_t *call, const identity_provider_row_t *from,
                              const identity_provider_row_t *to)
{
    bool sso = strcmp(from->variant, to->variant) != 0 || strcmp(from->issuer, to->issuer) != 0 ||
               strcmp(from->client_id, to->client_id) != 0 || strcmp(from->settings, to->settings) != 0;

    return apr_pstrcat(call->pool, strcmp(from->type, to->type) != 0 ? " type" : "",
                       strcmp(from->name, to->name) != 0 ? " name" : "", sso ? " sso" : "",
                       strcmp(from->status, to->status) != 0 ? " status " : "",
                       strcmp(from->status, to->status) != 0 ? to->status : "", NULL);
}

static bool write_update(identity_call_t *call, void *data)
{
    identity_provider_row_t *row = data, *present;
    identity_audit_t audit = {.action = "UPDATE", .type = RESOURCE, .id = call->id};

    if (!load_provider(call, &present) || !may_change(call) || !identity_provider_merge(call, present, row))
        return false;
    const char *changes = changes_of(call, present, row);
    if (!*changes)
        return true;
    audit.message = apr_pstrcat(call->pool, "Changed:", changes, NULL);
    return identity_db_ok(call, identity_provider_update(call->db, row)) && identity_audit(call, &audit);
}

bool identity_providers_update(identity_call_t *call)
{
    identity_provider_row_t row;

    if (!identity_write(call, write_update, &row))
        return false;
    return identity_answer(call, 200, identity_provider_json(call, &row, NULL));
}
