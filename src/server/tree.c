/* SPDX-License-Identifier: Apache-2.0 */
/* Directives of other modules: mod_dbd's and mod_ssl's. They have no interface for that, so httpd's configuration
 * tree is read; a virtual host overrides the main server, and the last directive the earlier ones, as in those
 * modules. */
#include <string.h>

#include <util_cfgtree.h>

#include "server_int.h"

#define DBD_MAX 10 /* mod_dbd's own default */

typedef void guest_t(apr_pool_t *pool, const char *name, const char *arguments, void *data);

static bool virtual_host(const ap_directive_t *directive)
{
    return strcasecmp(directive->directive, "<VirtualHost") == 0;
}

/* All directives of a level, including nested ones (IfModule and the like) but not virtual hosts. */
static void walk(apr_pool_t *pool, const ap_directive_t *directive, guest_t *visit, void *data)
{
    for (; directive; directive = directive->next) {
        visit(pool, directive->directive, directive->args, data);
        if (directive->first_child && !virtual_host(directive))
            walk(pool, directive->first_child, visit, data);
    }
}

static const ap_directive_t *find(const ap_directive_t *directive, const server_rec *server)
{
    for (; directive; directive = directive->next) {
        if (virtual_host(directive) && directive->line_num == (int)server->defn_line_number &&
            strcmp(directive->filename, server->defn_name) == 0)
            return directive;
        const ap_directive_t *found =
            directive->first_child ? find(directive->first_child, server) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

static void visit_server(apr_pool_t *pool, const server_rec *main_server, const server_rec *server,
                         guest_t *visit, void *data)
{
    const ap_directive_t *host =
        server != main_server && server->defn_name ? find(ap_conftree, server) : NULL;

    walk(pool, ap_conftree, visit, data);
    if (host)
        walk(pool, host->first_child, visit, data);
}

static void take_dbd(apr_pool_t *pool, const char *name, const char *arguments, void *data)
{
    identity_dbd_t *dbd = data;

    if (strcasecmp(name, "DBDriver") == 0)
        dbd->driver = ap_getword_conf(pool, &arguments);
    else if (strcasecmp(name, "DBDParams") == 0)
        dbd->params = ap_getword_conf(pool, &arguments);
    else if (strcasecmp(name, "DBDMax") == 0)
        dbd->max = (int)strtol(ap_getword_conf(pool, &arguments), NULL,
                               10); /* mod_dbd accepts only digits */
    else if (strcasecmp(name, "DBDPersist") == 0)
        dbd->persist = strcasecmp(ap_getword_conf(pool, &arguments), "off") != 0;
}

void identity_dbd_read(apr_pool_t *pool, const server_rec *main_server, const server_rec *server,
                       identity_dbd_t *dbd)
{
    *dbd = (identity_dbd_t){.max = DBD_MAX, .persist = true};
    visit_server(pool, main_server, server, take_dbd, dbd);
    if (dbd->max < 1)
        dbd->max = 1;
}

bool identity_dbd_same(const identity_dbd_t *a, const identity_dbd_t *b)
{
    return a->driver && b->driver && strcmp(a->driver, b->driver) == 0 && a->params && b->params &&
           strcmp(a->params, b->params) == 0;
}

/* ---- other modules that use mod_dbd ----------------------------------------------------------------------------- */

static bool uses_dbd(apr_pool_t *pool, const ap_directive_t *directive)
{
    static const char *const prefixes[] = {"AuthDBD", "AuthzDBD", "SessionDBD", "DBDPrepareSQL",
                                           "DBDInitSQL"};
    const char *arguments = directive->args;

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncasecmp(directive->directive, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    if (strcasecmp(directive->directive, "RewriteMap") != 0)
        return false;
    ap_getword_conf(pool, &arguments);
    return strncasecmp(arguments, "dbd:", 4) == 0 || strncasecmp(arguments, "fastdbd:", 8) == 0;
}

/* Of a level including nested sections, except virtual hosts. */
static const ap_directive_t *find_user(apr_pool_t *pool, const ap_directive_t *directive)
{
    for (; directive; directive = directive->next) {
        if (virtual_host(directive))
            continue;
        const ap_directive_t *found = uses_dbd(pool, directive) ? directive : NULL;
        if (!found && directive->first_child)
            found = find_user(pool, directive->first_child);
        if (found)
            return found;
    }
    return NULL;
}

const ap_directive_t *identity_dbd_user(apr_pool_t *pool, const server_rec *main_server,
                                        const server_rec *server)
{
    const ap_directive_t *host =
        server != main_server && server->defn_name ? find(ap_conftree, server) : NULL;

    if (server == main_server)
        return find_user(pool, ap_conftree);
    return host ? find_user(pool, host->first_child) : NULL;
}

bool identity_dbd_shared(apr_pool_t *pool, const server_rec *main_server, const server_rec *server)
{
    return identity_dbd_user(pool, main_server, main_server) ||
           identity_dbd_user(pool, main_server, server);
}

/* As if the server had `DBDMin 0`: mod_dbd then opens connections only on demand. Otherwise each child would open
 * one, which creates an empty file if the database is missing and logs three lines about the failure. */
void identity_dbd_open_late(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *server)
{
    ap_directive_t directive = {.directive = "DBDMin", .args = "0", .filename = "mod_identity"};
    cmd_parms parms = {.pool = configuration,
                       .temp_pool = temporary,
                       .server = server,
                       .limited = -1,
                       .override = RSRC_CONF,
                       .override_opts = OPT_ALL};

    ap_walk_config(&directive, &parms, server->lookup_defaults);
}

/* ---- who asks for identities ------------------------------------------------------------------------------------ */

static bool has_word(apr_pool_t *pool, const char *arguments, const char *word)
{
    while (*arguments)
        if (strcasecmp(ap_getword_conf(pool, &arguments), word) == 0)
            return true;
    return false;
}

static bool asks(apr_pool_t *pool, const ap_directive_t *directive)
{
    const char *name = directive->directive, *arguments = directive->args;

    if (strcasecmp(name, "AuthType") == 0 || strcasecmp(name, "AuthBasicProvider") == 0 ||
        strcasecmp(name, "AuthFormProvider") == 0)
        return has_word(pool, arguments, "identity");
    if (strcasecmp(name, "<AuthzProviderAlias") == 0)
        return strncasecmp(ap_getword_conf(pool, &arguments), "identity-", 9) == 0;
    if (strcasecmp(name, "Require") != 0)
        return false;
    const char *word = ap_getword_conf(pool, &arguments);
    if (strcasecmp(word, "not") == 0)
        word = ap_getword_conf(pool, &arguments);
    return strncasecmp(word, "identity-", 9) == 0;
}

static server_rec *server_of(server_rec *main_server, const ap_directive_t *directive)
{
    for (server_rec *server = main_server->next; server; server = server->next)
        if (server->defn_name && directive->line_num == (int)server->defn_line_number &&
            strcmp(directive->filename, server->defn_name) == 0)
            return server;
    return main_server;
}

typedef struct asking {
    apr_pool_t *pool;
    server_rec *main_server;
    void (*want)(void *data, server_rec *server);
    void *data;
} asking_t;

static void look_for_asking(const asking_t *asking, const ap_directive_t *directive,
                            server_rec *server)
{
    for (; directive; directive = directive->next) {
        if (asks(asking->pool, directive))
            asking->want(asking->data, server);
        if (directive->first_child)
            look_for_asking(asking, directive->first_child,
                            virtual_host(directive) ? server_of(asking->main_server, directive)
                                                    : server);
    }
}

void identity_servers_asking(apr_pool_t *pool, server_rec *main_server,
                             void (*want)(void *data, server_rec *server), void *data)
{
    const asking_t asking = {.pool = pool, .main_server = main_server, .want = want, .data = data};
    look_for_asking(&asking, ap_conftree, main_server);
}

static void take_tls(apr_pool_t *pool, const char *name, const char *arguments, void *data)
{
    if (strcasecmp(name, "SSLEngine") == 0)
        *(bool *)data = strcasecmp(ap_getword_conf(pool, &arguments), "on") == 0;
}

bool identity_server_tls(apr_pool_t *pool, const server_rec *main_server, const server_rec *server)
{
    bool tls = false;

    if (server->server_scheme)
        return strcasecmp(server->server_scheme, "https") == 0;
    visit_server(pool, main_server, server, take_tls, &tls);
    return tls;
}
