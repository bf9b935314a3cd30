/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of clients, and what may stand in it. The settings are stored in the form in which they are shown. */
#include <string.h>

#include "oidc/clients.h"

#define CODE "authorization_code"

static const char *const grant_types[] = {CODE, "refresh_token", NULL};
static const char *const scopes[] = {"openid", "profile", "email", "groups", NULL};
/* Shown in this order. */
static const char *const settings[] = {
    "redirect_uris",      "grant_types", "scopes", "require", "id_token_signed_response_alg",
    "claims_in_id_token", "require_pkce"};
#define SETTINGS (sizeof settings / sizeof settings[0])

json_t *identity_client_json(const identity_client_row_t *row, const char *secret)
{
    json_t *object = json_object(), *kept = json_loads(row->settings, 0, NULL);

    json_object_set_new(object, "id", json_string(row->id));
    json_object_set_new(object, "entity_id", json_string(row->entity_id));
    json_object_set_new(object, "name", json_string(row->name));
    json_object_set_new(object, "type", json_string(row->type));
    json_object_set_new(object, "status", json_string(row->status));
    for (size_t i = 0; i < SETTINGS; i++)
        json_object_set(object, settings[i], json_object_get(kept, settings[i]));
    json_object_set_new(object, "created_at", identity_time_json(row->created_at));
    json_object_set_new(object, "previous_secret_expires_at",
                        row->old_expires_at ? identity_time_json(row->old_expires_at)
                                            : json_null());
    if (secret)
        json_object_set_new(object, "client_secret", json_string(secret));
    json_decref(kept);
    return object;
}

/* ---- from a body ------------------------------------------------------------------------------------------------ */

static bool among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static const char *listed(apr_pool_t *pool, const char *const *names)
{
    const char *list = *names;

    while (*++names)
        list = apr_pstrcat(pool, list, ", ", *names, NULL);
    return list;
}

static json_t *all_of(const char *const *names)
{
    json_t *list = json_array();

    for (; *names; names++)
        json_array_append_new(list, json_string(*names));
    return list;
}

/* A list of known names, all of them if it is absent; each stands in it once. */
static bool read_names(identity_call_t *call, const json_t *whole, const char *field,
                       const char *const *known, json_t *kept)
{
    json_t *list = json_object_get(whole, field), *item, *read;
    size_t i;

    if (!list || json_is_null(list)) {
        json_object_set_new(kept, field, all_of(known));
        return true;
    }
    json_object_set_new(kept, field, read = json_array());
    json_array_foreach (list, i, item)
        if (!among(known, json_string_value(item)))
            return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD,
                                 apr_psprintf(call->pool, "%s.%" APR_SIZE_T_FMT, field, i),
                                 "%s must be of these: %s.", field, listed(call->pool, known));
    /* In the order of the known ones. */
    for (; *known; known++)
        json_array_foreach (list, i, item)
            if (strcmp(json_string_value(item), *known) == 0) {
                json_array_append(read, item);
                break;
            }
    return true;
}

static bool read_redirects(identity_call_t *call, const json_t *whole, json_t *kept)
{
    json_t *list = json_object_get(whole, "redirect_uris"), *item;
    json_t *grants = json_object_get(kept, "grant_types");
    size_t i;

    json_array_foreach (list, i, item)
        if (!identity_client_redirect_valid(call->pool, json_string_value(item)))
            return identity_deny(
                call, IDENTITY_PROBLEM_INVALID_FIELD,
                apr_psprintf(call->pool, "redirect_uris.%" APR_SIZE_T_FMT, i),
                "A redirect URI is an https URL, http on the person's own machine, or of a private "
                "scheme such as com.example.app:/callback, without fragment and *.");
    json_object_set_new(kept, "redirect_uris", list ? json_incref(list) : json_array());
    return json_array_size(list) > 0 || json_string_value(json_array_get(grants, 0)) == NULL ||
           strcmp(json_string_value(json_array_get(grants, 0)), CODE) != 0 ||
           identity_deny(
               call, IDENTITY_PROBLEM_MISSING_FIELD, "redirect_uris",
               "redirect_uris is needed: nobody can come back from signing in otherwise.");
}

static bool role_known(identity_call_t *call, const char *name)
{
    const apr_array_header_t *list = identity_list_of(call->pool, name);
    bool by_id = identity_id_valid(name, "role");
    apr_array_header_t *rows;

    if (!identity_db_ok(call,
                        identity_roles_find(call->db, call->principal->entity_id,
                                            by_id ? list : NULL, NULL, by_id ? NULL : list, &rows)))
        return false;
    return rows->nelts > 0 || identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "require.role",
                                            "require.role must be the id or the slug of a role.");
}

static bool team_known(identity_call_t *call, const char *id)
{
    identity_team_row_t *row;
    bool found = false;

    if (identity_id_valid(id, "team") &&
        !identity_db_found(call, identity_team_get(call->db, call->principal->entity_id, id, &row),
                           &found))
        return false;
    return found || identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "require.team",
                                  "require.team must be the id of a team.");
}

/* What somebody has to hold to use the client: one of permission, role and team. */
static bool read_requirement(identity_call_t *call, const json_t *whole, json_t *kept)
{
    static const char *const members[] = {"permission", "role", "team"};
    const json_t *required = json_object_get(whole, "require");
    const char *member = NULL, *value = NULL;

    json_object_set_new(kept, "require", json_null());
    if (!json_is_object(required))
        return true;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!identity_json_has(required, members[i]))
            continue;
        if (member)
            value = NULL;
        else
            value = identity_json_string(required, members[i]);
        member = members[i];
    }
    if (!value || !*value)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "require",
                             "require names one permission, one role or one team.");
    json_object_set_new(kept, "require", json_pack("{s:s}", member, value));
    return strcmp(member, "role") == 0   ? role_known(call, value)
           : strcmp(member, "team") == 0 ? team_known(call, value)
                                         : true;
}

bool identity_client_read(identity_call_t *call, const json_t *whole, identity_client_row_t *row)
{
    const char *type = identity_json_string(whole, "type"),
               *status = identity_json_string(whole, "status"),
               *algorithm = identity_json_string(whole, "id_token_signed_response_alg");
    bool pkce = identity_json_boolean(whole, "require_pkce", true);
    json_t *kept = identity_json_own(call->pool, json_object());

    row->name = identity_json_string(whole, "name");
    row->type = type ? type : "CONFIDENTIAL";
    row->status = status ? status : "ENABLED";
    if (!pkce && strcmp(row->type, "PUBLIC") == 0)
        return identity_deny(
            call, IDENTITY_PROBLEM_INVALID_FIELD, "require_pkce",
            "A PUBLIC client has no secret: only PKCE keeps others from using its codes.");
    if (!read_names(call, whole, "grant_types", grant_types, kept) ||
        !read_names(call, whole, "scopes", scopes, kept) || !read_redirects(call, whole, kept) ||
        !read_requirement(call, whole, kept))
        return false;
    json_object_set_new(kept, "id_token_signed_response_alg",
                        json_string(algorithm ? algorithm : "RS256"));
    json_object_set_new(kept, "claims_in_id_token",
                        json_boolean(identity_json_boolean(whole, "claims_in_id_token", false)));
    json_object_set_new(kept, "require_pkce", json_boolean(pkce));
    row->settings = identity_json_text(call->pool, kept, NULL);
    return true;
}

bool identity_client_merge(identity_call_t *call, const identity_client_row_t *present,
                           identity_client_row_t *row)
{
    json_t *whole = identity_json_own(call->pool, identity_client_json(present, NULL)), *value;
    const char *member;

    *row = *present;
    json_object_foreach (call->body, member, value)
        if (strcmp(member, "type") != 0 && (!json_is_null(value) || strcmp(member, "require") == 0))
            json_object_set(whole, member, value);
    return identity_client_read(call, whole, row);
}
