/* SPDX-License-Identifier: Apache-2.0 */
/* IdentityProvider, IdentityRedirectURI, IdentitySSOProvision: signing on at OpenID providers. */
#include <string.h>

#include <apr_lib.h>

#include "server_int.h"

#define NAME_MAX_LENGTH 64
#define CLIENT_MAX      256

/* ---- IdentityProvider NAME ISSUER CLIENT-ID SECRET-FILE [option...] --------------------------------------------- */

static bool name_valid(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++)
        if (!apr_isalnum(name[i]) && !strchr("._-", name[i]))
            return false;
    return length > 0 && length <= NAME_MAX_LENGTH;
}

static const char *read_domains(apr_pool_t *pool, const char *name, const char *option,
                                const char *text, apr_array_header_t *domains)
{
    char *list = apr_pstrdup(pool, text), *rest;

    for (char *domain = apr_strtok(list, ",", &rest); domain;
         domain = apr_strtok(NULL, ",", &rest)) {
        const char *canonical = identity_domain_canonical(pool, domain);
        if (!canonical)
            return apr_psprintf(pool,
                                "%s: %s= takes domains such as example.org, separated by commas.",
                                name, option);
        APR_ARRAY_PUSH(domains, const char *) = canonical;
    }
    return domains->nelts ? NULL : apr_psprintf(pool, "%s: %s= names no domain.", name, option);
}

static bool listed(const apr_array_header_t *domains, const char *domain)
{
    for (int i = 0; i < domains->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(domains, i, const char *), domain) == 0)
            return true;
    return false;
}

/* Addresses can only be declared verified for domains that the provider may speak for. */
static const char *check_verified(apr_pool_t *pool, const char *name,
                                  const identity_provider_conf_t *provider)
{
    for (int i = 0; provider->verified && i < provider->verified->nelts; i++) {
        const char *domain = APR_ARRAY_IDX(provider->verified, i, const char *);
        if (!listed(provider->domains, domain))
            return apr_psprintf(
                pool, "%s %s: verified= names %s, which is not one of the domains in domains=.",
                name, provider->name, domain);
    }
    return NULL;
}

static const char *read_option(apr_pool_t *pool, const char *name, const char *option,
                               identity_provider_conf_t *provider)
{
    if (strncmp(option, "domains=", 8) == 0)
        return read_domains(pool, name, "domains", option + 8, provider->domains);
    if (strncmp(option, "verified=", 9) == 0) {
        provider->verified = apr_array_make(pool, 2, sizeof(const char *));
        return read_domains(pool, name, "verified", option + 9, provider->verified);
    }
    if (strncmp(option, "entity=", 7) == 0 && option[7]) {
        provider->entity = option + 7;
        return NULL;
    }
    if (strcmp(option, "network=private") == 0) {
        provider->private_network = true;
        return NULL;
    }
    return apr_psprintf(
        pool,
        "%s takes domains=, verified=, entity= and network=private after the four values, not %s.",
        name, option);
}

const char *identity_read_provider(apr_pool_t *pool, const char *name, int count,
                                   char *const arguments[], identity_provider_conf_t *provider)
{
    const char *err = NULL;

    if (count < 4)
        return apr_psprintf(
            pool,
            "%s needs a name, the issuer, the client id and the file that contains the client secret.",
            name);
    provider->name = arguments[0];
    provider->issuer = arguments[1];
    provider->client_id = arguments[2];
    provider->domains = apr_array_make(pool, 2, sizeof(const char *));
    if (!name_valid(provider->name))
        return apr_psprintf(
            pool,
            "%s needs a name of at most %d letters, digits, dots, hyphens and underscores, not %s.",
            name, NAME_MAX_LENGTH, provider->name);
    if (!identity_issuer_valid(pool, provider->issuer)) /* not quoted: it may contain a password */
        return apr_psprintf(
            pool,
            "%s %s: the issuer must be an https URL without user, query and fragment, such as "
            "https://login.example.org (http only for loopback).",
            name, provider->name);
    if (!identity_text_valid(provider->client_id) || strlen(provider->client_id) > CLIENT_MAX)
        return apr_psprintf(pool, "%s %s: the client id must be text of at most %d bytes.", name,
                            provider->name, CLIENT_MAX);
    provider->secret_file = ap_server_root_relative(pool, arguments[3]);
    if (!provider->secret_file)
        return apr_psprintf(pool,
                            "%s %s needs the path of the file that contains the client secret.",
                            name, provider->name);
    for (int i = 4; i < count && !err; i++)
        err = read_option(pool, name, arguments[i], provider);
    return err ? err : check_verified(pool, name, provider);
}

const char *identity_provider_clash(apr_pool_t *pool, const char *name,
                                    const identity_provider_conf_t *one,
                                    const identity_provider_conf_t *other)
{
    if (strcmp(one->name, other->name) == 0)
        return apr_psprintf(pool, "%s: two providers are named %s.", name, one->name);
    if (strcmp(one->issuer, other->issuer) == 0 && strcmp(one->client_id, other->client_id) == 0)
        return apr_psprintf(pool, "%s: %s and %s are the same client of the same issuer.", name,
                            other->name, one->name);
    return NULL;
}

/* ---- together --------------------------------------------------------------------------------------------------- */

static const identity_provider_conf_t *provider_at(const identity_conf_t *conf, int index)
{
    return APR_ARRAY_IDX(conf->providers, index, const identity_provider_conf_t *);
}

static const char *read_secret(apr_pool_t *pool, const identity_provider_conf_t *provider,
                               char **secret)
{
    const char *errmsg = identity_secret_line(pool, provider->secret_file, secret);
    return errmsg ? apr_psprintf(pool, "IdentityProvider %s: %s", provider->name, errmsg) : NULL;
}

const char *identity_check_sso(apr_pool_t *temporary, const identity_conf_t *conf)
{
    char *secret;

    if (conf->settings.sso_provision && !conf->providers)
        return "ID0571: IdentitySSOProvision is On, but there is no IdentityProvider to sign in with.";
    if (conf->providers && !conf->settings.redirect_uris)
        return "ID0572: IdentityProvider is set, but IdentityRedirectURI does not name the page to which a sign-on "
               "returns.";
    for (int i = 0; conf->providers && i < conf->providers->nelts; i++) {
        const char *errmsg = read_secret(temporary, provider_at(conf, i), &secret);
        if (errmsg)
            return apr_psprintf(temporary, "ID0573: %s", errmsg);
    }
    return NULL;
}

static const char *make(apr_pool_t *pool, const identity_provider_conf_t *conf,
                        identity_configured_provider_t *provider)
{
    identity_oidc_options_t options = {.issuer = conf->issuer,
                                       .client_id = conf->client_id,
                                       .private_network = conf->private_network};
    char *secret;
    const char *errmsg = read_secret(pool, conf, &secret);

    if (errmsg)
        return errmsg;
    options.client_secret = secret;
    *provider =
        (identity_configured_provider_t){.id = identity_id_of_name(pool, "auth", conf->name),
                                         .name = conf->name,
                                         .issuer = conf->issuer,
                                         .client_id = conf->client_id,
                                         .entity = conf->entity,
                                         .verified = conf->verified,
                                         .domains = conf->domains};
    provider->oidc = identity_oidc_make(pool, &options, &errmsg);
    return errmsg ? apr_psprintf(pool, "IdentityProvider %s: %s", conf->name, errmsg) : NULL;
}

static void take_secret(void *oidc, const char *secret)
{
    identity_oidc_secret(oidc, secret);
}

const char *identity_start_sso(identity_host_t *host)
{
    const identity_conf_t *conf = host->conf;
    apr_pool_t *pool = host->site->pool;
    apr_array_header_t *providers =
        apr_array_make(pool, 2, sizeof(identity_configured_provider_t *));

    host->settings.providers = providers;
    for (int i = 0; conf->providers && i < conf->providers->nelts; i++) {
        identity_configured_provider_t *provider = apr_palloc(pool, sizeof *provider);
        const char *errmsg = make(pool, provider_at(conf, i), provider);
        if (errmsg)
            return errmsg;
        APR_ARRAY_PUSH(providers, identity_configured_provider_t *) = provider;
        identity_secret_watch(host->site,
                              apr_pstrcat(pool, "IdentityProvider ", provider->name, NULL),
                              provider_at(conf, i)->secret_file, take_secret, provider->oidc);
    }
    return NULL;
}
