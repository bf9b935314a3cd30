/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of authentication providers, and which settings are allowed for which type and variant. */
#include <string.h>

#include "sso/providers.h"

static const struct {
    const char *variant, *name;
} variants[] = {
    {"GOOGLE", "Google"}, {"OKTA", "Okta"}, {"MICROSOFT", "Microsoft"}, {"OIDC", "OpenID Connect"}};

/* Settings besides allowed_domains, and the type they belong to. */
static const struct {
    const char *member, *variant;
} connections[] = {{"okta", "OKTA"}, {"microsoft", "MICROSOFT"}};

#define CONNECTIONS (sizeof connections / sizeof connections[0])

static json_t *sso_json(identity_call_t *call, const identity_provider_row_t *row,
                        const char *domain)
{
    json_t *settings = identity_json_own(call->pool, json_loads(row->settings, 0, NULL)),
           *sso = json_object();
    json_t *domains = json_object_get(settings, "allowed_domains");

    json_object_set_new(sso, "variant", json_string(row->variant));
    if (domain && json_array_size(domains))
        json_object_set_new(sso, "allowed_domains", json_pack("[s]", domain));
    else
        json_object_set_new(sso, "allowed_domains", domains ? json_incref(domains) : json_array());
    for (size_t i = 0; i < CONNECTIONS; i++) {
        json_t *connection = json_object_get(settings, connections[i].member);
        if (connection)
            json_object_set(sso, connections[i].member, connection);
    }
    json_object_set_new(sso, "issuer", identity_json_text_or_null(row->issuer));
    json_object_set_new(sso, "client_id", identity_json_text_or_null(row->client_id));
    return sso;
}

json_t *identity_provider_json(identity_call_t *call, const identity_provider_row_t *row,
                               const char *domain)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_string(row->id));
    json_object_set_new(
        object, "entity_id",
        identity_json_text_or_null(row->entity_id)); /* null: from the configuration */
    json_object_set_new(object, "type", json_string(row->type));
    json_object_set_new(object, "name", json_string(row->name));
    json_object_set_new(object, "status", json_string(row->status));
    if (strcmp(row->type, "SSO") == 0)
        json_object_set_new(object, "sso", sso_json(call, row, domain));
    return object;
}

/* ---- from a body ------------------------------------------------------------------------------------------------ */

static bool missing(identity_call_t *call, const char *field)
{
    return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, field,
                         "%s is required for this provider.", field);
}

static bool misplaced(identity_call_t *call, const char *field, const char *whose)
{
    return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                         "%s is for providers of %s only.", field, whose);
}

static bool read_connections(identity_call_t *call, const json_t *sso, const char *variant,
                             json_t *settings)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const char *member = connections[i].member,
                   *field = apr_pstrcat(call->pool, "sso.", member, NULL);
        bool own = strcmp(variant, connections[i].variant) == 0;
        const char *connection = identity_json_string(json_object_get(sso, member), "connection");
        if (!own && identity_json_has(sso, member))
            return misplaced(call, field,
                             apr_pstrcat(call->pool, "variant ", connections[i].variant, NULL));
        if (own && !connection)
            return missing(call, apr_pstrcat(call->pool, field, ".connection", NULL));
        if (own)
            json_object_set_new(settings, member, json_pack("{s:s}", "connection", connection));
    }
    return true;
}

static bool read_openid(identity_call_t *call, const json_t *sso, identity_provider_row_t *row)
{
    static const char *const members[] = {"issuer", "client_id"};
    bool own = strcmp(row->variant, "OIDC") == 0;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *field = apr_pstrcat(call->pool, "sso.", members[i], NULL);
        if (!own && identity_json_has(sso, members[i]))
            return misplaced(call, field, "variant OIDC");
        if (own && !identity_json_has(sso, members[i]))
            return missing(call, field);
    }
    if (!own)
        return true;
    row->issuer = identity_json_string(sso, "issuer");
    row->client_id = identity_json_string(sso, "client_id");
    return identity_issuer_valid(call->pool, row->issuer) ||
           identity_deny(
               call, IDENTITY_PROBLEM_INVALID_FIELD, "sso.issuer",
               "sso.issuer must be an https URL without user, query and fragment, such as "
               "https://login.example.org (http only for loopback).");
}

/* In canonical form, without duplicates. */
static json_t *domains_of(identity_call_t *call, const json_t *sso)
{
    json_t *domains = json_array(), *item;
    apr_hash_t *seen = apr_hash_make(call->pool);
    size_t i;

    json_array_foreach (json_object_get(sso, "allowed_domains"), i, item) {
        const char *domain = identity_domain_canonical(call->pool, json_string_value(item));
        if (apr_hash_get(seen, domain, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, domain, APR_HASH_KEY_STRING, domain);
        json_array_append_new(domains, json_string(domain));
    }
    return domains;
}

static bool read_sso(identity_call_t *call, const json_t *sso, identity_provider_row_t *row)
{
    json_t *settings = identity_json_own(call->pool, json_object());

    if (!json_is_object(sso))
        return missing(call, "sso");
    if (!identity_json_has(sso, "variant"))
        return missing(call, "sso.variant");
    row->variant = identity_json_string(sso, "variant");
    json_object_set_new(settings, "allowed_domains", domains_of(call, sso));
    if (!read_connections(call, sso, row->variant, settings) || !read_openid(call, sso, row))
        return false;
    row->settings = identity_json_text(call->pool, settings, NULL);
    return true;
}

static const char *default_name(const identity_provider_row_t *row)
{
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (strcmp(variants[i].variant, row->variant) == 0)
            return variants[i].name;
    return "Password";
}

bool identity_provider_read(identity_call_t *call, const json_t *whole,
                            identity_provider_row_t *row)
{
    const char *name = identity_json_string(whole, "name"),
               *status = identity_json_string(whole, "status");

    row->type = identity_json_string(whole, "type");
    row->status = status ? status : "ENABLED";
    row->variant = row->issuer = row->client_id = "";
    row->settings = "{}";
    if (strcmp(row->type, "SSO") == 0) {
        if (!read_sso(call, json_object_get(whole, "sso"), row))
            return false;
    } else if (identity_json_has(whole, "sso")) {
        return misplaced(call, "sso", "type SSO");
    }
    row->name = name ? name : default_name(row);
    return true;
}

/* RFC 7396, except for enumerations: there null counts as absent, as in every body. */
static void merge(json_t *target, const json_t *patch)
{
    const char *member;
    json_t *value;

    json_object_foreach ((json_t *)patch, member, value) {
        bool fixed = strcmp(member, "type") == 0 || strcmp(member, "status") == 0 ||
                     strcmp(member, "variant") == 0;
        if (json_is_null(value) && !fixed) {
            json_object_del(target, member);
        } else if (json_is_object(value)) {
            if (!json_is_object(json_object_get(target, member)))
                json_object_set_new(target, member, json_object());
            merge(json_object_get(target, member), value);
        } else if (!json_is_null(value)) {
            json_object_set(target, member, value);
        }
    }
}

bool identity_provider_merge(identity_call_t *call, const identity_provider_row_t *present,
                             identity_provider_row_t *row)
{
    json_t *whole = identity_json_own(call->pool, identity_provider_json(call, present, NULL));

    *row = *present;
    /* What is shown as null is absent. */
    json_t *bare = identity_json_own(call->pool, json_object());
    merge(bare, whole);
    merge(bare, call->body);
    return identity_provider_read(call, bare, row);
}
