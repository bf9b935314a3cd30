/* API keys: list, create. */
#include <string.h>

#include "service_int.h"

typedef struct accounts {
    apr_array_header_t *rows; /* of the entity */
    identity_roles_t *roles;  /* Read Only, for keys that only read */
    apr_array_header_t *read_only;
} accounts_t;

/* A key acts in every account of its entity. */
static bool load_accounts(identity_call_t *call, accounts_t *accounts)
{
    accounts->read_only = apr_array_make(call->pool, 1, sizeof(const char *));
    for (int i = 0; i < identity_builtin_role_count(); i++)
        if (strcmp(identity_builtin_role(i)->slug, "read-only") == 0)
            APR_ARRAY_PUSH(accounts->read_only, const char *) = identity_builtin_role(i)->id;
    return identity_db_ok(call, identity_accounts_list(call->db, call->who->entity_id, &accounts->rows)) &&
           identity_roles_load(call, accounts->read_only, &accounts->roles);
}

static json_t *accounts_json(identity_call_t *call, const accounts_t *accounts, identity_key_role_t role)
{
    json_t *list = json_array();

    for (int i = 0; i < accounts->rows->nelts; i++) {
        const identity_account_row_t *account = APR_ARRAY_IDX(accounts->rows, i, identity_account_row_t *);
        bool administrator = role == IDENTITY_KEY_ADMINISTRATOR;
        json_array_append_new(list,
                              identity_membership_json(call, NULL, account,
                                                       administrator ? IDENTITY_MEMBER_ADMIN : IDENTITY_MEMBER_USER,
                                                       administrator ? NULL : accounts->read_only, accounts->roles));
    }
    return list;
}

/* text: the key in clear or its mask; permissions: array of strings, or NULL; takes both references. */
static json_t *key_json(const identity_key_row_t *key, const char *text, json_t *permissions, json_t *accounts)
{
    json_t *object = json_object();

    json_object_set_new(object, "object_type", json_string("API_KEY"));
    json_object_set_new(object, "id", json_string(key->id));
    json_object_set_new(object, "api_key", json_string(text));
    json_object_set_new(object, "entity_id", json_string(key->entity_id));
    json_object_set_new(object, "created_at", identity_time_json(key->created_at));
    json_object_set_new(object, "status", json_string(key->active ? "ACTIVE" : "INACTIVE"));
    json_object_set_new(object, "description", key->description ? json_string(key->description) : json_null());
    json_object_set_new(object, "role_type", json_string(identity_key_role_name(key->role)));
    json_object_set_new(object, "active", json_boolean(key->active));
    json_object_set_new(object, "account_memberships", accounts);
    json_object_set_new(object, "team_memberships", json_array());
    json_object_set_new(object, "expires_at", identity_time_json(key->expires_at));
    json_object_set_new(object, "last_used_at", identity_time_json(key->last_used_at));
    json_object_set_new(object, "permissions", permissions ? permissions : json_array());
    return object;
}

/* ---- GET /api-keys ---------------------------------------------------------------------------------------------- */

typedef struct list {
    identity_listing_t page;
    accounts_t accounts;
    apr_hash_t *permissions; /* key id -> json array */
} list_t;

static bool load_permissions(identity_call_t *call, list_t *list)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 8, sizeof(const char *)), *rows = NULL;

    list->permissions = apr_hash_make(call->pool);
    for (int i = 0; i < list->page.rows->nelts; i++)
        if (APR_ARRAY_IDX(list->page.rows, i, identity_key_row_t *)->narrowed)
            APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(list->page.rows, i, identity_key_row_t *)->id;
    if (ids->nelts && !identity_db_ok(call, identity_key_permissions(call->db, ids, &rows)))
        return false;
    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_role_permission_row_t *row = APR_ARRAY_IDX(rows, i, identity_role_permission_row_t *);
        json_t *array = apr_hash_get(list->permissions, row->role_id, APR_HASH_KEY_STRING);
        if (!array) {
            array = identity_json_own(call->pool, json_array());
            apr_hash_set(list->permissions, row->role_id, APR_HASH_KEY_STRING, array);
        }
        json_array_append_new(array, json_string(row->permission));
    }
    return true;
}

static bool load_list(identity_call_t *call, void *data)
{
    list_t *list = data;
    return identity_page_load(call, &list->page, identity_keys_page, identity_keys_count) &&
           load_permissions(call, list) && load_accounts(call, &list->accounts);
}

static const char *key_key(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    (void)page;
    return identity_key_order_key(call->pool, row);
}

static const char *key_id(const void *row)
{
    return ((const identity_key_row_t *)row)->id;
}

bool identity_keys_list(identity_call_t *call)
{
    list_t list = {.permissions = NULL};

    if (!identity_page_parse(call, NULL, &list.page) ||
        !identity_query_boolean(call, "active", &list.page.query.active) || !identity_read(call, load_list, &list))
        return false;
    json_t *data = json_array(), *accounts[2];
    accounts[IDENTITY_KEY_ADMINISTRATOR] =
        identity_json_own(call->pool, accounts_json(call, &list.accounts, IDENTITY_KEY_ADMINISTRATOR));
    accounts[IDENTITY_KEY_READ_ONLY] =
        identity_json_own(call->pool, accounts_json(call, &list.accounts, IDENTITY_KEY_READ_ONLY));
    for (int i = 0; i < list.page.rows->nelts; i++) {
        const identity_key_row_t *row = APR_ARRAY_IDX(list.page.rows, i, identity_key_row_t *);
        json_t *permissions = apr_hash_get(list.permissions, row->id, APR_HASH_KEY_STRING);
        json_array_append_new(data,
                              key_json(row, row->mask, json_incref(permissions), json_incref(accounts[row->role])));
    }
    return identity_answer(call, 200, identity_page_json(call, &list.page, data, key_key, key_id));
}

/* ---- POST /api-keys --------------------------------------------------------------------------------------------- */

typedef struct creation {
    identity_key_row_t row;
    apr_array_header_t *permissions;
    accounts_t accounts;
    const char *key; /* in clear */
} creation_t;

/* A key holds the same in every account of the entity, so its maker must. */
static bool may_create(identity_call_t *call, const creation_t *creation)
{
    identity_permset_t want = {0}, narrow = {0};
    bool covers;

    if (creation->row.role == IDENTITY_KEY_ADMINISTRATOR)
        want.all = true;
    else
        identity_permset_add_view(&want);
    for (int i = 0; i < creation->permissions->nelts; i++)
        identity_permset_add(call->pool, &narrow, APR_ARRAY_IDX(creation->permissions, i, const char *));
    if (creation->row.narrowed)
        identity_permset_intersect(call->pool, &want, &narrow);
    identity_permset_add(call->pool, &want, call->route->permission);
    if (!identity_principal_covers_entity(call, &want, &covers))
        return false;
    return covers ||
           identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, creation->row.narrowed ? "permissions" : "role_type",
                         "Nobody can make a key that holds more than they do in every account.");
}

static bool answer_creation(identity_call_t *call, const creation_t *creation)
{
    const identity_key_row_t *row = &creation->row;
    json_t *permissions = json_array();

    for (int i = 0; i < creation->permissions->nelts; i++)
        json_array_append_new(permissions, json_string(APR_ARRAY_IDX(creation->permissions, i, const char *)));
    return identity_answer(
        call, 201, key_json(row, creation->key, permissions, accounts_json(call, &creation->accounts, row->role)));
}

static bool write_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    identity_audit_t audit = {
        .action = "CREATE", .type = "API_KEY", .id = creation->row.id, .message = "An API key was created."};

    return may_create(call, creation) &&
           identity_db_ok(call, identity_key_insert(call->db, &creation->row, creation->permissions)) &&
           identity_audit(call, &audit) && load_accounts(call, &creation->accounts) && answer_creation(call, creation);
}

static bool read_creation(identity_call_t *call, creation_t *creation)
{
    identity_key_row_t *row = &creation->row;
    const char *status = identity_json_string(call->body, "status"),
               *role = identity_json_string(call->body, "role_type");
    bool active = identity_json_boolean(call->body, "active", true);

    row->active = status ? strcmp(status, "ACTIVE") == 0 : active;
    if (identity_json_has(call->body, "active") && active != row->active)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "active", "active says something else than status.");
    row->role = role && strcmp(role, "READ_ONLY") == 0 ? IDENTITY_KEY_READ_ONLY : IDENTITY_KEY_ADMINISTRATOR;
    row->description = identity_json_string(call->body, "description");
    if (identity_json_has(call->body, "expires_at"))
        identity_time_parse(identity_json_string(call->body, "expires_at"), &row->expires_at);
    if (identity_json_has(call->body, "expires_at") && row->expires_at <= call->now)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "expires_at", "expires_at must lie in the future.");
    row->narrowed = json_array_size(json_object_get(call->body, "permissions")) > 0;
    return identity_permissions_read(call, &creation->permissions);
}

bool identity_keys_create(identity_call_t *call)
{
    creation_t creation = {.permissions = NULL};
    identity_key_row_t *row = &creation.row;

    if (!read_creation(call, &creation))
        return false;
    row->id = identity_call_id(call, "apik");
    const char *key = row->id ? identity_key_make(call->pool, row->id, &call->env->random) : NULL;
    if (!key)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    row->digest = identity_token_digest(call->pool, key);
    row->mask = identity_key_mask(call->pool, key);
    row->entity_id = call->who->entity_id;
    row->created_by = call->who->id;
    row->created_at = call->now;
    row->version = 1;
    creation.key = key;
    return identity_write(call, write_creation, &creation);
}
