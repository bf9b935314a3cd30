/* SPDX-License-Identifier: Apache-2.0 */
/* Who signs in where: the client, the person, whether one may use the other, and what the client is told. */
#include <string.h>

#include "oidc/oidc.h"

#define USE_STEP apr_time_from_sec(3600)

bool oidc_enabled(identity_call_t *call)
{
    if (call->env->settings->openid)
        return true;
    call->standard = false; /* there is no OAuth endpoint here */
    return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL,
                         "There is nothing at this address.");
}

bool oidc_client_find(identity_call_t *call, const char *id, oidc_party_t *party)
{
    bool found = false;

    party->client = NULL;
    if (!id || !identity_id_valid(id, "clnt"))
        return true;
    if (!identity_db_found(call, identity_client_by_id(call->db, id, &party->client), &found))
        return false;
    if (!found || strcmp(party->client->status, "ENABLED") != 0)
        party->client = NULL;
    else
        party->settings =
            identity_json_own(call->pool, json_loads(party->client->settings, 0, NULL));
    return true;
}

bool oidc_person_find(identity_call_t *call, const char *session_id, oidc_party_t *party)
{
    bool found;

    party->session = NULL;
    if (!identity_db_found(
            call, identity_session_get(call->db, session_id, &party->session, &party->user),
            &found))
        return false;
    if (!found || !identity_session_live(party->session, party->user, call->now)) {
        party->session = NULL;
        return true;
    }
    return identity_principal_of_user(call, party->user, &party->principal);
}

bool oidc_admitted(const oidc_party_t *party)
{
    const json_t *required = json_object_get(party->settings, "require");
    const char *permission = identity_json_string(required, "permission"),
               *role = identity_json_string(required, "role"),
               *team = identity_json_string(required, "team");

    if (!party->principal || strcmp(party->user->entity_id, party->client->entity_id) != 0)
        return false;
    if (permission)
        return identity_may_anywhere(party->principal, permission);
    if (role)
        return identity_has_role_anywhere(party->principal, role);
    return team ? identity_in_team(party->principal, team) : !json_is_object(required);
}

bool oidc_setting(const oidc_party_t *party, const char *name)
{
    return json_is_true(json_object_get(party->settings, name));
}

static bool lists(const json_t *list, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach ((json_t *)list, i, item)
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    return false;
}

bool oidc_grants(const oidc_party_t *party, const char *type)
{
    return lists(json_object_get(party->settings, "grant_types"), type);
}

/* ---- scopes ----------------------------------------------------------------------------------------------------- */

bool oidc_scope_has(const char *scopes, const char *scope)
{
    size_t length = strlen(scope);

    for (const char *at = scopes; at; at = strchr(at, ' ')) {
        at += strspn(at, " ");
        if (strncmp(at, scope, length) == 0 && strchr(" ", at[length]))
            return true;
    }
    return false;
}

const char *oidc_scopes(identity_call_t *call, const oidc_party_t *party, const char *asked)
{
    const json_t *allowed = json_object_get(party->settings, "scopes"), *item;
    const char *given = "";
    size_t i;

    json_array_foreach ((json_t *)allowed, i, item)
        if (oidc_scope_has(asked, json_string_value(item)))
            given =
                apr_pstrcat(call->pool, given, *given ? " " : "", json_string_value(item), NULL);
    return given;
}

/* ---- claims ----------------------------------------------------------------------------------------------------- */

static void add_group(json_t *groups, const char *name)
{
    if (!lists(groups, name))
        json_array_append_new(groups, json_string(name));
}

/* Slugs of roles in any account, ids of teams: names may be anything. */
static json_t *groups_of(const identity_principal_t *principal)
{
    json_t *groups = json_array();

    for (int i = 0; principal->grants && i < principal->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(principal->grants, i, identity_grant_t);
        for (int r = 0; grant->roles && r < grant->roles->nelts; r++)
            add_group(groups, APR_ARRAY_IDX(grant->roles, r, identity_assigned_role_t).slug);
    }
    for (int i = 0; principal->teams && i < principal->teams->nelts; i++)
        add_group(groups, APR_ARRAY_IDX(principal->teams, i, identity_assigned_team_t).id);
    return groups;
}

void oidc_claims_add(const oidc_party_t *party, const char *scopes, json_t *claims)
{
    const identity_user_row_t *user = party->user;

    if (oidc_scope_has(scopes, "profile")) {
        json_object_set_new(claims, "preferred_username",
                            json_string(user->login ? user->login : identity_user_told(user)));
        json_object_set_new(claims, "updated_at", json_integer(apr_time_sec(user->updated_at)));
    }
    if (oidc_scope_has(scopes, "email") && strchr(user->username, '@')) {
        json_object_set_new(claims, "email", json_string(user->username));
        json_object_set_new(claims, "email_verified", json_boolean(user->verified_at != 0));
    }
    if (oidc_scope_has(scopes, "groups"))
        json_object_set_new(claims, "groups", groups_of(party->principal));
}

bool oidc_session_used(identity_call_t *call, const identity_session_row_t *session)
{
    apr_interval_time_t eighth = call->env->settings->refresh_idle / 8,
                        step = eighth < USE_STEP ? eighth : USE_STEP;
    apr_time_t idle = call->now + call->env->settings->refresh_idle;

    if (idle > session->expires_at)
        idle = session->expires_at; /* never past the absolute expiry (security 34) */
    return idle - session->idle_expires_at < step ||
           identity_db_ok(call, identity_session_touch(call->db, session->id, idle));
}
