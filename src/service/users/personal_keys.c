/* SPDX-License-Identifier: Apache-2.0 */
/* Personal keys: a program that presents one acts as its owner, limited to the key's permissions. They end with the
 * user and with a mailed password reset, and cannot change credentials (personal_key.def). */
#include <string.h>

#include "access/keys.h"
#include "users/users.h"

#define KEYS_MAX 100 /* of one user */
#define LIFETIME apr_time_from_sec(90 * 86400)
#define SIGNED_IN                                                                                  \
    apr_time_from_sec(600) /* maximum age of the sign-in of a user who creates a key */
#define PROOF_NEEDED                                                                               \
    "current_password is required to create a key, unless the sign-in is less than 10 minutes old."

typedef struct personal {
    bool own;
    identity_user_row_t *user;
    identity_assignments_t *assignments;
    apr_array_header_t *rows; /* of the user's keys */
    apr_hash_t *permissions;  /* key id -> JSON array */
} personal_t;

static json_t *personal_json(identity_call_t *call, const personal_t *personal,
                             const identity_key_row_t *key, const char *text, json_t *permissions)
{
    const char *id = personal->user->id;
    json_t *object = identity_key_json(key, text, permissions,
                                       identity_memberships_json(call, personal->assignments, id));

    json_object_set_new(object, "team_memberships",
                        identity_teams_json(call, personal->assignments, id));
    return object;
}

static bool load_user(identity_call_t *call, personal_t *personal)
{
    personal->own =
        call->principal->kind == IDENTITY_CALLER_USER && strcmp(call->principal->id, call->id) == 0;
    return identity_user_found(call, call->id, &personal->user) &&
           identity_user_assignments(call, personal->user, &personal->assignments);
}

static bool load_permitted(identity_call_t *call, personal_t *personal)
{
    return load_user(call, personal) &&
           (personal->own || identity_may_act_on(call, personal->assignments, personal->user->id,
                                                 call->route->permission));
}

/* ---- GET /users/{id}/api-keys ----------------------------------------------------------------------------------- */

static bool load_list(identity_call_t *call, void *data)
{
    personal_t *personal = data;

    return load_permitted(call, personal) &&
           identity_db_ok(call, identity_keys_of_user(call->db, personal->user->id, KEYS_MAX,
                                                      &personal->rows)) &&
           identity_keys_permissions(call, personal->rows, &personal->permissions);
}

bool identity_op_list_user_api_keys(identity_call_t *call)
{
    personal_t personal = {.rows = NULL};

    if (!identity_read(call, load_list, &personal))
        return false;
    json_t *list = json_array();
    for (int i = 0; i < personal.rows->nelts; i++) {
        const identity_key_row_t *key = APR_ARRAY_IDX(personal.rows, i, identity_key_row_t *);
        json_t *permissions = apr_hash_get(personal.permissions, key->id, APR_HASH_KEY_STRING);
        json_array_append_new(
            list, personal_json(call, &personal, key, key->mask, json_incref(permissions)));
    }
    return identity_answer(call, 200, list);
}

/* ---- POST /users/{id}/api-keys ---------------------------------------------------------------------------------- */

typedef struct creation {
    personal_t personal;
    identity_key_row_t row;
    apr_array_header_t *names;
    const char *key; /* in clear */
} creation_t;

static bool load_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    personal_t *personal = &creation->personal;

    /* Whoever creates a key for somebody else can act as that person from then on. */
    if (!load_user(call, personal) ||
        !(personal->own || identity_needs_everything(call, "A key for another user")))
        return false;
    return personal->user->status == IDENTITY_USER_ACTIVE ||
           identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                         "Only ACTIVE users can have personal keys.");
}

static bool room_left(identity_call_t *call, const creation_t *creation)
{
    apr_array_header_t *rows;

    if (!identity_db_ok(
            call, identity_keys_of_user(call->db, creation->personal.user->id, KEYS_MAX, &rows)))
        return false;
    return rows->nelts < KEYS_MAX ||
           identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                         "A user can have %d personal keys: delete one first.", KEYS_MAX);
}

static bool write_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    const identity_key_row_t *row = &creation->row;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "CREATE",
                              .type = "API_KEY",
                              .id = row->id,
                              .message = "A personal key was created.",
                              .changes = changes};

    identity_changes_add(changes, "user_id", NULL, row->user_id);
    identity_changes_add(changes, "description", NULL, row->description);
    identity_changes_add_time(changes, "expires_at", 0, row->expires_at);
    identity_changes_add_list(changes, "permissions", NULL, creation->names);
    if (!load_creation(call, creation) || !room_left(call, creation) ||
        !identity_db_ok(call, identity_key_insert(call->db, row, creation->names)) ||
        !identity_audit(call, &audit))
        return false;
    return identity_answer(call, 201,
                           personal_json(call, &creation->personal, row, creation->key,
                                         identity_key_names_json(creation->names)));
}

static bool read_expiry(identity_call_t *call, apr_time_t *expires_at)
{
    apr_interval_time_t longest = call->env->settings->personal_key_lifetime;

    *expires_at = call->now + (longest < LIFETIME ? longest : LIFETIME);
    if (!identity_json_has(call->body, "expires_at"))
        return true;
    identity_time_parse(identity_json_string(call->body, "expires_at"), expires_at);
    if (*expires_at <= call->now)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "expires_at",
                             "expires_at must be in the future.");
    return *expires_at - call->now <= longest ||
           identity_deny(
               call, IDENTITY_PROBLEM_INVALID_FIELD, "expires_at",
               "expires_at is later than the lifetime of personal keys on this server allows.");
}

static bool fill_row(identity_call_t *call, creation_t *creation)
{
    identity_key_row_t *row = &creation->row;

    row->id = identity_call_id(call, "apik");
    creation->key = row->id ? identity_key_make(call->pool, row->id, &call->env->random) : NULL;
    if (!creation->key)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    row->digest = identity_token_digest(call->pool, creation->key);
    row->mask = identity_key_mask(call->pool, creation->key);
    row->description = identity_json_string(call->body, "description");
    row->narrowed = creation->names->nelts > 0;
    row->entity_id = call->principal->entity_id;
    row->user_id = creation->personal.user->id;
    row->created_by = call->principal->id;
    row->created_at = call->now;
    row->active = true;
    row->version = 1;
    return true;
}

bool identity_op_create_user_api_key(identity_call_t *call)
{
    creation_t creation = {.row = {.role_type = IDENTITY_KEY_ADMINISTRATOR}};
    const identity_principal_t *principal = call->principal;

    if (!read_expiry(call, &creation.row.expires_at) ||
        !identity_permissions_read(call, &creation.names) ||
        !identity_read(call, load_creation, &creation))
        return false;
    bool fresh = principal->authenticated_at && call->now - principal->authenticated_at < SIGNED_IN;
    if (creation.personal.own && !fresh &&
        !identity_owner_proved(call, creation.personal.user, PROOF_NEEDED))
        return false;
    /* Everybody may create their own, and delete them again. */
    if (creation.personal.own &&
        !identity_ratelimit_take(call, IDENTITY_RATE_REFRESH, principal->id))
        return false;
    return fill_row(call, &creation) && identity_write(call, write_creation, &creation);
}

/* ---- DELETE /users/{id}/api-keys/{kid} -------------------------------------------------------------------------- */

typedef struct deletion {
    personal_t personal;
    identity_key_row_t *row;
    apr_array_header_t *names;
} deletion_t;

static bool write_deletion(identity_call_t *call, void *data)
{
    deletion_t *deletion = data;
    identity_audit_t audit = {.action = "DELETE",
                              .type = "API_KEY",
                              .id = call->inner_id,
                              .message = "A personal key was deleted."};
    bool found;

    if (!load_permitted(call, &deletion->personal) ||
        !identity_db_found(
            call, identity_key_of_user(call->db, call->id, call->inner_id, &deletion->row), &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    deletion->row->active = false;
    return identity_key_narrowing(call, deletion->row, &deletion->names) &&
           identity_audit(call, &audit) &&
           identity_db_ok(call, identity_key_delete(call->db, call->id, call->inner_id));
}

bool identity_op_delete_user_api_key(identity_call_t *call)
{
    deletion_t deletion = {.row = NULL};

    if (!identity_write(call, write_deletion, &deletion))
        return false;
    return identity_answer(call, 200,
                           personal_json(call, &deletion.personal, deletion.row, deletion.row->mask,
                                         identity_key_names_json(deletion.names)));
}

/* ---- the end of all --------------------------------------------------------------------------------------------- */

bool identity_personal_keys_end(identity_call_t *call, const identity_user_row_t *user,
                                const char *actor)
{
    apr_array_header_t *rows, *ids = apr_array_make(call->pool, 4, sizeof(const char *));
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "KEYS_ENDED",
                              .type = "USER",
                              .id = user->id,
                              .entity_id = user->entity_id,
                              .actor = actor,
                              .changes = changes};

    if (!identity_db_ok(call, identity_keys_of_user(call->db, user->id, KEYS_MAX, &rows)))
        return false;
    if (rows->nelts == 0)
        return true;
    for (int i = 0; i < rows->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(rows, i, identity_key_row_t *)->id;
    identity_changes_add_list(changes, "api_keys", ids, NULL);
    audit.message = apr_psprintf(call->pool, "Personal keys ended: %d.", rows->nelts);
    return identity_db_ok(call, identity_keys_delete_user(call->db, user->id)) &&
           identity_audit(call, &audit);
}
