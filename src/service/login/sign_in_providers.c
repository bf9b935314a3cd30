/* SPDX-License-Identifier: Apache-2.0 */
/* Providers for signing on: configured ones, and the entities' own rows for them. */
#include <string.h>

#include "login/sign_in_providers.h"

#define GOOGLE "https://accounts.google.com"

static int configured_count(const identity_call_t *call)
{
    return call->env->settings->providers ? call->env->settings->providers->nelts : 0;
}

static const identity_configured_provider_t *configured_at(const identity_call_t *call, int index)
{
    return APR_ARRAY_IDX(call->env->settings->providers, index,
                         const identity_configured_provider_t *);
}

/* ---- rows and what they are rows of ----------------------------------------------------------------------------- */

/* A row never has a secret of its own: it refers to a configured provider with the same issuer and client, to
 * Google, or to the name in its connection. */
static bool is_of(identity_call_t *call, const identity_provider_row_t *row,
                  const identity_configured_provider_t *configured)
{
    static const struct {
        const char *variant, *member;
    } connections[] = {{"OKTA", "okta"}, {"MICROSOFT", "microsoft"}};

    if (strcmp(row->type, "SSO") != 0)
        return false;
    if (strcmp(row->variant, "OIDC") == 0)
        return strcmp(row->issuer, configured->issuer) == 0 &&
               strcmp(row->client_id, configured->client_id) == 0;
    if (strcmp(row->variant, "GOOGLE") == 0)
        return strcmp(configured->issuer, GOOGLE) == 0;
    for (size_t i = 0; i < sizeof connections / sizeof connections[0]; i++) {
        if (strcmp(row->variant, connections[i].variant) != 0)
            continue;
        json_t *settings = identity_json_own(call->pool, json_loads(row->settings, 0, NULL));
        const char *name =
            identity_json_string(json_object_get(settings, connections[i].member), "connection");
        return name && strcmp(name, configured->name) == 0;
    }
    return false;
}

static const identity_configured_provider_t *configured_of(identity_call_t *call,
                                                           const identity_provider_row_t *row)
{
    for (int i = 0; i < configured_count(call); i++)
        if (is_of(call, row, configured_at(call, i)))
            return configured_at(call, i);
    return NULL;
}

static bool enabled(const identity_provider_row_t *row)
{
    return strcmp(row->status, "ENABLED") == 0;
}

bool sso_provider_configured(identity_call_t *call, const char *id_or_name,
                             sso_provider_t *provider)
{
    *provider = (sso_provider_t){.configured = NULL};
    for (int i = 0; i < configured_count(call) && !provider->configured; i++)
        if (strcmp(configured_at(call, i)->id, id_or_name) == 0 ||
            strcmp(configured_at(call, i)->name, id_or_name) == 0)
            provider->configured = configured_at(call, i);
    /* Not backed by any row, and nothing else has a row's id. */
    return provider->configured || !configured_count(call) ||
           !identity_id_valid(id_or_name, "auth");
}

void sso_provider_of_row(identity_call_t *call, const identity_provider_row_t *row,
                         sso_provider_t *provider)
{
    *provider = (sso_provider_t){.configured = NULL};
    if (!enabled(row))
        return;
    provider->configured = configured_of(call, row);
    provider->row_id = row->id;
    provider->entity_id = row->entity_id;
}

bool sso_provider_find(identity_call_t *call, const char *id_or_name, sso_provider_t *provider)
{
    identity_provider_row_t *row;
    bool found;

    if (sso_provider_configured(call, id_or_name, provider))
        return true;
    if (!identity_db_found(call, identity_provider_by_id(call->db, id_or_name, &row), &found))
        return false;
    if (found)
        sso_provider_of_row(call, row, provider);
    return true;
}

/* ---- whom it may vouch for -------------------------------------------------------------------------------------- */

static bool in_list(const apr_array_header_t *domains, const char *domain, bool listed)
{
    for (int i = 0; domains && i < domains->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(domains, i, const char *), domain) == 0)
            return true;
    return !listed && (!domains || domains->nelts == 0);
}

static bool row_admits(identity_call_t *call, const identity_provider_row_t *row,
                       const char *domain, bool listed)
{
    json_t *settings = identity_json_own(call->pool, json_loads(row->settings, 0, NULL)), *item;
    apr_array_header_t *domains = apr_array_make(call->pool, 4, sizeof(const char *));
    size_t i;

    json_array_foreach (json_object_get(settings, "allowed_domains"), i, item)
        /* Older rows have IDNs in Unicode. */
        if (json_is_string(item)) {
            const char *canonical = identity_domain_canonical(call->pool, json_string_value(item));
            APR_ARRAY_PUSH(domains, const char *) = canonical ? canonical : json_string_value(item);
        }
    return enabled(row) && in_list(domains, domain, listed);
}

static bool for_entity(identity_call_t *call, const identity_configured_provider_t *configured,
                       const char *entity_id, bool *meant)
{
    identity_entity_row_t *entity;

    *meant = true;
    if (!configured->entity)
        return true;
    return identity_db_found(call, identity_entity_find(call->db, configured->entity, &entity),
                             meant) &&
           ((*meant = *meant && strcmp(entity->id, entity_id) == 0), true);
}

/* Does an entity have rows for a configured provider, which then replace it, and does one of them admit the domain? */
static bool rows_admit(identity_call_t *call, const sso_provider_t *provider, const char *entity_id,
                       const char *domain, bool listed, bool *stand, bool *admitted)
{
    apr_array_header_t *rows;

    *stand = *admitted = false;
    if (!identity_db_ok(call, identity_providers_sso(call->db, entity_id, &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        const identity_provider_row_t *row =
            APR_ARRAY_IDX(rows, i, const identity_provider_row_t *);
        if (!is_of(call, row, provider->configured) ||
            (provider->row_id && strcmp(provider->row_id, row->id) != 0))
            continue;
        *stand = true;
        *admitted = *admitted || row_admits(call, row, domain, listed);
    }
    return true;
}

bool sso_admits(identity_call_t *call, const sso_provider_t *provider, const char *entity_id,
                const char *domain, bool listed, bool *admitted)
{
    bool stand, meant;

    *admitted = false;
    if (provider->entity_id && strcmp(provider->entity_id, entity_id) != 0)
        return true;
    if (!for_entity(call, provider->configured, entity_id, &meant))
        return false;
    /* An entity's own row may restrict the configuration, never extend it. */
    if (!meant || !in_list(provider->configured->domains, domain, false))
        return true;
    if (!rows_admit(call, provider, entity_id, domain, listed, &stand, admitted))
        return false;
    if (!stand && !provider->row_id)
        *admitted = in_list(provider->configured->domains, domain, listed);
    return true;
}

bool sso_vouches(const sso_provider_t *provider, const char *domain)
{
    return in_list(provider->configured->verified, domain, true);
}

bool sso_entity(identity_call_t *call, const sso_provider_t *provider, const char **entity_id)
{
    identity_entity_row_t *entity;
    apr_array_header_t *all;
    bool found;

    *entity_id = provider->entity_id;
    if (*entity_id)
        return true;
    if (provider->configured->entity) {
        if (!identity_db_found(
                call, identity_entity_find(call->db, provider->configured->entity, &entity),
                &found))
            return false;
        *entity_id = found ? entity->id : NULL;
        return true;
    }
    if (!identity_db_ok(call, identity_entities_list(call->db, &all)))
        return false;
    for (int i = 0, lasting = 0; i < all->nelts; i++) {
        entity = APR_ARRAY_IDX(all, i, identity_entity_row_t *);
        if (!entity->expires_at)
            *entity_id = lasting++ == 0 ? entity->id : NULL;
    }
    return true;
}

bool sso_set_up_for(identity_call_t *call, const sso_provider_t *provider, const char *entity_id,
                    bool *set_up)
{
    const char *only;
    bool admitted;

    if (!sso_entity(call, provider, &only))
        return false;
    *set_up = only && strcmp(only, entity_id) == 0;
    return *set_up || provider->row_id || provider->configured->entity ||
           rows_admit(call, provider, entity_id, "", false, set_up, &admitted);
}

/* ---- as they are shown ------------------------------------------------------------------------------------------ */

static identity_provider_row_t *row_of(identity_call_t *call,
                                       const identity_configured_provider_t *configured)
{
    identity_provider_row_t *row = apr_pcalloc(call->pool, sizeof *row);
    json_t *settings = identity_json_own(call->pool, json_object()), *domains = json_array();

    for (int i = 0; configured->domains && i < configured->domains->nelts; i++)
        json_array_append_new(domains,
                              json_string(APR_ARRAY_IDX(configured->domains, i, const char *)));
    json_object_set_new(settings, "allowed_domains", domains);
    row->id = configured->id;
    row->entity_id = "";
    row->type = "SSO";
    row->name = configured->name;
    row->status = "ENABLED";
    row->variant = "OIDC";
    row->issuer = configured->issuer;
    row->client_id = configured->client_id;
    row->settings = identity_json_text(call->pool, settings, NULL);
    return row;
}

bool identity_providers_builtin(identity_call_t *call, const char *entity_id, const char *domain,
                                apr_array_header_t **rows)
{
    *rows = apr_array_make(call->pool, 2, sizeof(identity_provider_row_t *));
    for (int i = 0; i < configured_count(call); i++) {
        const sso_provider_t provider = {.configured = configured_at(call, i)};
        bool meant, stand, admitted;
        if (!for_entity(call, provider.configured, entity_id, &meant) ||
            !rows_admit(call, &provider, entity_id, "", false, &stand, &admitted))
            return false;
        if (meant && !stand && (!domain || in_list(provider.configured->domains, domain, false)))
            APR_ARRAY_PUSH(*rows, identity_provider_row_t *) = row_of(call, provider.configured);
    }
    return true;
}
