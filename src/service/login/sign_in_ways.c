/* SPDX-License-Identifier: Apache-2.0 */
/* The ways in which people of an entity may sign in: by password, unless its DEFAULT providers are DISABLED, and at
 * the providers open to them. A setting that would leave nobody a way in is refused. */
#include <string.h>

#include "login/sign_in_providers.h"

typedef struct way {
    const char *name, *handle; /* handle: the provider's name in GET /v1/oauth/authorize */
    sso_provider_t provider;
    const apr_array_header_t *domains; /* of const char *: domains it is for; empty: all */
} way_t;

/* The command line does not know httpd's configuration. */
static bool is_local(const identity_call_t *call)
{
    return call->principal && call->principal->kind == IDENTITY_CALLER_LOCAL;
}

static bool push_row(identity_call_t *call, const identity_provider_row_t *row,
                     apr_array_header_t *ways)
{
    json_t *settings = identity_json_own(call->pool, json_loads(row->settings, 0, NULL)), *item;
    apr_array_header_t *domains = apr_array_make(call->pool, 4, sizeof(const char *));
    sso_provider_t provider;
    size_t i;

    sso_provider_of_row(call, row, &provider);
    if (!provider.configured && is_local(call) && strcmp(row->status, "ENABLED") == 0)
        provider.row_id = row->id;
    else if (!provider.configured)
        return true;
    json_array_foreach (json_object_get(settings, "allowed_domains"), i, item)
        APR_ARRAY_PUSH(domains, const char *) = json_string_value(item);
    way_t *way = apr_array_push(ways);
    *way = (way_t){.name = row->name, .handle = row->id, .provider = provider, .domains = domains};
    if (provider.configured && domains->nelts == 0 && provider.configured->domains)
        way->domains = provider.configured->domains;
    return true;
}

/* Collects all usable ones. */
static bool find_ways(identity_call_t *call, const char *entity_id, apr_array_header_t **ways)
{
    apr_array_header_t *rows, *builtin;

    *ways = apr_array_make(call->pool, 4, sizeof(way_t));
    if (!identity_db_ok(call, identity_providers_sso(call->db, entity_id, &rows)) ||
        !identity_providers_builtin(call, entity_id, NULL, &builtin))
        return false;
    for (int i = 0; i < rows->nelts; i++)
        if (!push_row(call, APR_ARRAY_IDX(rows, i, identity_provider_row_t *), *ways))
            return false;
    for (int i = 0; i < builtin->nelts; i++) {
        const identity_provider_row_t *row = APR_ARRAY_IDX(builtin, i, identity_provider_row_t *);
        way_t *way = apr_array_push(*ways);
        *way = (way_t){.name = row->name, .handle = row->name};
        sso_provider_configured(call, row->id, &way->provider);
        way->domains = way->provider.configured->domains;
    }
    return true;
}

static bool admits(identity_call_t *call, const way_t *way, const char *entity_id,
                   const char *domain, bool *admitted)
{
    *admitted = true;
    return !way->provider.configured ||
           sso_admits(call, &way->provider, entity_id, domain, false, admitted);
}

/* ---- by password ------------------------------------------------------------------------------------------------ */

bool identity_password_sign_in(identity_call_t *call, const char *entity_id, bool *on)
{
    bool off;

    if (!identity_db_ok(call, identity_providers_password_off(call->db, entity_id, &off)))
        return false;
    *on = !off;
    return true;
}

bool identity_password_refusal(identity_call_t *call, const identity_user_row_t *user,
                               const char **sentence)
{
    const char *domain = identity_username_domain(user->canonical), *others = "";
    apr_array_header_t *ways;
    bool on, admitted;

    *sentence = NULL;
    if (!identity_password_sign_in(call, user->entity_id, &on))
        return false;
    if (on)
        return true;
    if (!find_ways(call, user->entity_id, &ways))
        return false;
    for (int i = 0; i < ways->nelts; i++) {
        const way_t *way = &APR_ARRAY_IDX(ways, i, way_t);
        if (!admits(call, way, user->entity_id, domain, &admitted))
            return false;
        if (admitted)
            others = apr_psprintf(call->pool, "%s%s%s (GET /v1/oauth/authorize?provider=%s)",
                                  others, *others ? ", " : "", way->name,
                                  identity_query_escape(call->pool, way->handle));
    }
    *sentence =
        *others
            ? apr_psprintf(call->pool,
                           "Signing in by password is switched off here; sign in by %s.", others)
            : "Signing in by password is switched off here; ask an administrator for another way to sign in.";
    return true;
}

/* ---- on the page that signs in ---------------------------------------------------------------------------------- */

/* The entity whose people sign in here: the only lasting one; NULL if there are several. */
static bool only_entity(identity_call_t *call, const char **entity_id)
{
    apr_array_header_t *all;
    int lasting = 0;

    *entity_id = NULL;
    if (!identity_db_ok(call, identity_entities_list(call->db, &all)))
        return false;
    for (int i = 0; i < all->nelts; i++) {
        const identity_entity_row_t *entity = APR_ARRAY_IDX(all, i, identity_entity_row_t *);
        if (!entity->expires_at)
            *entity_id = lasting++ == 0 ? entity->id : NULL;
    }
    return true;
}

bool entry_find_ways(identity_call_t *call, void *data)
{
    entry_ways_t *ways = data;
    const apr_array_header_t *configured = call->env->settings->providers;
    apr_array_header_t *found;
    const char *entity_id;
    bool on = true;

    ways->items = apr_array_make(call->pool, 4, sizeof(entry_item_t));
    if (!only_entity(call, &entity_id) ||
        (entity_id &&
         (!identity_password_sign_in(call, entity_id, &on) || !find_ways(call, entity_id, &found))))
        return false;
    ways->password = on && call->env->settings->password_grant;
    for (int i = 0; entity_id && i < found->nelts; i++) {
        const way_t *way = &APR_ARRAY_IDX(found, i, way_t);
        if (way->provider.configured)
            *(entry_item_t *)apr_array_push(ways->items) =
                (entry_item_t){.name = way->name, .handle = way->handle};
    }
    /* With several entities the right one is unknown: configured providers are offered to all. */
    for (int i = 0; !entity_id && configured && i < configured->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(configured, i, const identity_configured_provider_t *)->name;
        *(entry_item_t *)apr_array_push(ways->items) = (entry_item_t){.name = name, .handle = name};
    }
    return true;
}

/* ---- is there a way for anybody? -------------------------------------------------------------------------------- */

static bool somebody_of(identity_call_t *call, const char *entity_id, const char *domain,
                        bool *some)
{
    apr_array_header_t *users;

    if (!identity_db_ok(call, identity_users_search(call->db, entity_id, NULL, NULL, domain, NULL,
                                                    500, &users)))
        return false;
    for (int i = 0; i < users->nelts; i++)
        *some =
            *some || APR_ARRAY_IDX(users, i, identity_user_row_t *)->status == IDENTITY_USER_ACTIVE;
    return true;
}

bool identity_ways_left(identity_call_t *call, const char *entity_id, bool *left)
{
    apr_array_header_t *ways;

    if (!identity_password_sign_in(call, entity_id, left))
        return false;
    *left = *left && (call->env->settings->password_grant || is_local(call));
    if (*left)
        return true;
    if (!find_ways(call, entity_id, &ways))
        return false;
    for (int i = 0; i < ways->nelts && !*left; i++) {
        const way_t *way = &APR_ARRAY_IDX(ways, i, way_t);
        int domains = way->domains ? way->domains->nelts : 0;
        *left = domains == 0;
        for (int d = 0; d < domains && !*left; d++) {
            const char *domain = APR_ARRAY_IDX(way->domains, d, const char *);
            bool admitted;
            if (!admits(call, way, entity_id, domain, &admitted) ||
                (admitted && !somebody_of(call, entity_id, domain, left)))
                return false;
        }
    }
    return true;
}
