/* SPDX-License-Identifier: Apache-2.0 */
/* <AuthzProviderAlias identity-... NAME ...>: mod_authz_core parses the line of an alias once, where it is defined, and
 * calls our provider wherever the alias is required, below a negation or not; but a line below a negation is evaluated
 * differently (require.c). So aliases of our providers get a provider of our own, which parses the line again for each
 * Require that names the alias.
 *
 * mod_authz_core registers its provider at the end of the section, after our parser was called for it, without a
 * callback. Therefore this module has its own commands for <AuthzProviderAlias and Require, in addition to those of
 * mod_authz_core: httpd calls the handlers of all modules that know a directive. In either order, the alias is ours by
 * the time that mod_authz_core looks it up for a Require. */
#include <string.h>

#include <ap_provider.h>
#include <util_cfgtree.h>
#include <mod_auth.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define ALIASES "identity-authz-aliases"

typedef struct alias {
    const authz_provider *provider; /* the original provider */
    const char *arguments;
} alias_t;

typedef struct aliased {
    const authz_provider *provider;
    const char *arguments;
    const void *parsed;
} aliased_t;

/* By name; NULL if there are none. Written only while the configuration is read. */
static apr_hash_t *aliases(const server_rec *server)
{
    void *hash = NULL;

    apr_pool_userdata_get(&hash, ALIASES, server->process->pconf);
    return hash;
}

static bool is_alias_section(const ap_directive_t *directive)
{
    return directive && strcasecmp(directive->directive, "<AuthzProviderAlias") == 0;
}

/* The section being read, NULL for a Require. After its contents have been read, it is the current directive. */
static const ap_directive_t *alias_section(const cmd_parms *cmd)
{
    const ap_directive_t *directive = cmd->directive;

    if (directive && !is_alias_section(directive) &&
        strcasecmp(directive->directive, "Require") != 0)
        directive = directive->parent;
    return is_alias_section(directive) ? directive : NULL;
}

void identity_alias_note(cmd_parms *cmd, const char *text, const authz_provider *provider)
{
    const ap_directive_t *section = alias_section(cmd);
    apr_pool_t *pool = cmd->server->process->pconf;
    apr_hash_t *hash = aliases(cmd->server);
    const char *words;

    if (!section)
        return;
    words = section->args;
    ap_getword_conf(cmd->temp_pool, &words);
    const char *name = ap_getword_conf(pool, &words);
    if (!hash) {
        hash = apr_hash_make(pool);
        apr_pool_userdata_setn(hash, ALIASES, NULL, pool);
    }
    alias_t *alias = apr_pcalloc(pool, sizeof *alias);
    alias->provider = provider;
    alias->arguments = apr_pstrdup(pool, text);
    apr_hash_set(hash, name, APR_HASH_KEY_STRING, alias);
}

/* ---- the provider ----------------------------------------------------------------------------------------------- */

static authz_status check_alias(request_rec *r, const char *text, const void *parsed)
{
    const aliased_t *aliased = parsed;

    (void)text;
    return aliased->provider->check_authorization(r, aliased->arguments, aliased->parsed);
}

/* From `not NAME ...`, or from `NAME ...`. */
static const char *required_name(apr_pool_t *pool, const char *arguments)
{
    const char *name = ap_getword_conf(pool, &arguments);
    return strcasecmp(name, "not") == 0 ? ap_getword_conf(pool, &arguments) : name;
}

static const char *parse_alias(cmd_parms *cmd, const char *text, const void **parsed)
{
    const ap_directive_t *section = alias_section(cmd),
                         *directive = section ? section : cmd->directive;
    const char *name = directive ? required_name(cmd->temp_pool, directive->args) : "";
    apr_hash_t *hash = aliases(cmd->server);
    const alias_t *alias = hash ? apr_hash_get(hash, name, APR_HASH_KEY_STRING) : NULL;
    aliased_t *aliased = apr_pcalloc(cmd->pool, sizeof *aliased);

    (void)text;
    if (!alias)
        return apr_psprintf(cmd->pool, "%s is an alias that mod_identity cannot resolve here.",
                            name);
    aliased->provider = alias->provider;
    aliased->arguments = alias->arguments;
    *parsed = aliased;
    return alias->provider->parse_require_line(cmd, alias->arguments, &aliased->parsed);
}

static const authz_provider alias_provider = {check_alias, parse_alias};

static void take_over(const server_rec *server, const char *name)
{
    if (ap_lookup_provider(AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION) != &alias_provider)
        ap_register_auth_provider(server->process->pconf, AUTHZ_PROVIDER_GROUP, name,
                                  AUTHZ_PROVIDER_VERSION, &alias_provider,
                                  AP_AUTH_INTERNAL_PER_CONF);
}

bool identity_negated(const cmd_parms *cmd)
{
    const ap_directive_t *line = cmd->directive;
    bool negated = false;

    if (!line || strcasecmp(line->directive, "Require") != 0)
        return false;
    const char *words = line->args;
    negated = strcasecmp(ap_getword_conf(cmd->temp_pool, &words), "not") == 0;
    for (const ap_directive_t *around = line->parent; around; around = around->parent)
        if (strcasecmp(around->directive, "<RequireNone") == 0 ||
            strcasecmp(around->directive, "<RequireNotAll") == 0)
            negated = !negated;
    return negated;
}

/* For .htaccess, which may be the first to name one. */
void identity_alias_finish(apr_pool_t *temporary, const server_rec *server)
{
    apr_hash_t *hash = aliases(server);

    for (apr_hash_index_t *i = hash ? apr_hash_first(temporary, hash) : NULL; i;
         i = apr_hash_next(i))
        take_over(server, apr_hash_this_key(i));
}

/* ---- beside mod_authz_core's commands --------------------------------------------------------------------------- */

static const char *take_over_named(cmd_parms *cmd, const char *name)
{
    apr_hash_t *hash = aliases(cmd->server);

    /* mod_authz_core evaluates these lines. */
    if (!ap_find_linked_module("mod_authz_core.c"))
        return apr_psprintf(
            cmd->pool,
            "Invalid command '%s', perhaps misspelled or defined by a module not included in the "
            "server configuration",
            cmd->cmd->name);
    if (hash && apr_hash_get(hash, name, APR_HASH_KEY_STRING))
        take_over(cmd->server, name);
    return NULL;
}

/* r->user is always the canonical form of a name. Another spelling never matches, which admits people whom `Require
 * not user` should keep out. httpd reads its configuration twice when it starts; nobody would notice a log line
 * about .htaccess in time. */
static void warn_of_spelling(const cmd_parms *cmd, const char *arguments)
{
    bool again = ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG ||
                 ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;
    const char *word = ap_getword_conf(cmd->temp_pool, &arguments);

    if (strcasecmp(word, "not") == 0)
        word = ap_getword_conf(cmd->temp_pool, &arguments);
    if (strcasecmp(word, "user") != 0 || !again || cmd->pool != cmd->server->process->pconf ||
        !cmd->directive)
        return;
    while (*arguments) {
        const char *name = ap_getword_conf(cmd->temp_pool, &arguments),
                   *canonical = identity_username_canonical(cmd->temp_pool, name);
        if (canonical && strcmp(canonical, name) != 0)
            IDENTITY_LOG(
                APLOG_WARNING, cmd->server,
                "ID0565: %s, line %d: no user of the identity database is named %s in Require user; the name is %s",
                cmd->directive->filename, cmd->directive->line_num, name, canonical);
    }
}

const char *identity_beside_require(cmd_parms *cmd, void *directory, const char *arguments)
{
    (void)directory;
    warn_of_spelling(cmd, arguments);
    return take_over_named(cmd, required_name(cmd->temp_pool, arguments));
}

const char *identity_beside_alias(cmd_parms *cmd, void *directory, const char *arguments)
{
    char *words = apr_pstrdup(cmd->temp_pool, arguments), *end = strrchr(words, '>');
    const char *at = words;

    (void)directory;
    if (end)
        *end = '\0';
    ap_getword_conf(cmd->temp_pool, &at);
    return take_over_named(cmd, ap_getword_conf(cmd->temp_pool, &at));
}
