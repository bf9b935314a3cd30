/* SPDX-License-Identifier: Apache-2.0 */
/* Checks across directives: step 2 of the start, and all of `httpd -t`, which also examines the databases. */
#include <string.h>

#include <apr_optional.h>
#include <apr_dbd.h>
#include <mod_dbd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

typedef struct wanting {
    apr_pool_t *configuration;
    server_rec *main_server;
} wanting_t;

/* A virtual host without directives of ours shares the main server's configuration record, which may be inactive. */
static void want(void *data, server_rec *server)
{
    const wanting_t *wanting = data;
    identity_conf_t *conf = identity_conf(server);

    if (conf->active)
        return;
    if (server != wanting->main_server && conf == identity_conf(wanting->main_server)) {
        conf = apr_pmemdup(wanting->configuration, conf, sizeof *conf);
        conf->own = 0;
        ap_set_module_config(server->module_config, &identity_module, conf);
    }
    if (server == wanting->main_server)
        conf->own = conf->set;
    conf->active = true;
}

bool identity_active(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *main_server)
{
    wanting_t wanting = {.configuration = configuration, .main_server = main_server};
    bool any = false;

    identity_servers_asking(temporary, main_server, want, &wanting);
    for (server_rec *server = main_server; server; server = server->next) {
        /* A requirement in the main server applies to each virtual host. */
        if (identity_conf(server)->engine || identity_conf(main_server)->active)
            want(&wanting, server);
        any = any || identity_conf(server)->active;
    }
    return any;
}

static const char *check_database(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    if (!APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open) || !APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close))
        return "ID0501: Identities are required (IdentityEngine, AuthType Identity, ...), but mod_dbd, which connects "
               "to the database, is not loaded.";
    if (!dbd->driver || !dbd->params || !*dbd->params)
        return "ID0502: Identities are required (IdentityEngine, AuthType Identity, ...), but DBDriver and DBDParams "
               "do not name a database; for the embedded one write DBDriver sqlite3 and DBDParams "
               "/path/of/identity.db.";
    if (strcmp(dbd->driver, "sqlite3") != 0)
        return apr_psprintf(
            pool, "ID0503: Identities are required, but DBDriver is %s; only sqlite3 is supported.",
            dbd->driver);
    /* mod_dbd opens the path as it is, relative to the process's current directory. */
    if (dbd->params[0] != '/')
        return apr_psprintf(pool,
                            "ID0504: DBDParams needs the absolute path of the SQLite file, not %s.",
                            dbd->params);
    return NULL;
}

static const char *check_mail(apr_pool_t *pool, const identity_conf_t *conf)
{
    const char *errmsg = NULL;
    char *text;

    if (!conf->mail)
        return NULL;
    if (!identity_watchdog_loaded())
        return "ID0505: IdentityMailURL is set, but mod_watchdog, which sends the mail, is not loaded.";
    if (conf->mail->user && !conf->mail_secret)
        return "ID0506: IdentityMailURL names a user, but IdentityMailSecret does not name the file with the password.";
    if (conf->mail_secret)
        errmsg = identity_secret_read(pool, conf->mail_secret, &text);
    return errmsg ? apr_psprintf(pool, "ID0507: IdentityMailSecret %s", errmsg) : NULL;
}

static const char *check_origin(apr_pool_t *pool, const identity_conf_t *conf)
{
    const char *origin = conf->settings.public_url;

    if (!origin || !conf->settings.require_tls || strncmp(origin, "https:", 6) == 0 ||
        identity_origin_loopback(pool, origin))
        return NULL;
    return apr_psprintf(
        pool,
        "ID0508: IdentityPublicURL is %s, but secrets are sent over TLS only: write https:// or, on a "
        "trusted network, IdentityRequireTLS Off.",
        origin);
}

static const char *check_keys(apr_pool_t *pool, const identity_conf_t *conf)
{
    identity_keyset_t *keys;
    const char *errmsg =
        conf->signing_keys ? identity_keys_load(pool, conf->signing_keys, &keys) : NULL;

    return errmsg ? apr_psprintf(pool, "ID0509: %s", errmsg) : NULL;
}

static const char *check_escrow(apr_pool_t *pool, const identity_conf_t *conf)
{
    const unsigned char *key;
    const char *errmsg =
        conf->key_escrow ? identity_escrow_load(pool, conf->key_escrow, &key) : NULL;

    return errmsg ? apr_psprintf(pool, "ID0511: %s", errmsg) : NULL;
}

static const char *check_openid(apr_pool_t *pool, const identity_conf_t *conf)
{
    const identity_openid_key_t *key;
    const char *errmsg =
        conf->openid_key ? identity_openid_load(pool, conf->openid_key, &key) : NULL;

    return errmsg ? apr_psprintf(pool, "ID0515: %s", errmsg) : NULL;
}

/* A connection is set up once, for all hosts that share it. */
static const char *check_shared(apr_pool_t *pool, server_rec *main_server,
                                const identity_conf_t *conf, const identity_dbd_t *dbd)
{
    for (server_rec *other = main_server; other; other = other->next) {
        identity_dbd_t its;
        identity_dbd_read(pool, main_server, other, &its);
        if (!identity_conf(other)->active || !identity_dbd_same(dbd, &its))
            continue;
        if (identity_conf(other)->sync != conf->sync)
            return "ID0510: IdentitySync differs between virtual hosts that share a database.";
        if (identity_conf(other)->settings.catalogue != conf->settings.catalogue)
            return "ID0514: IdentityBuiltInRoles differs between virtual hosts that share a database.";
    }
    return NULL;
}

static const char *check_stale(const identity_conf_t *conf)
{
    if (!conf->settings.stale)
        return NULL;
    if (!conf->cache)
        return "ID0517: IdentityStale is set, but with IdentityCache 0 there are no cached credentials that could "
               "remain valid.";
    if (!identity_watchdog_loaded())
        return "ID0518: IdentityStale is set, but mod_watchdog, without which no credentials are cached, is not "
               "loaded.";
    return NULL;
}

/* Trailers arrive with the body, after forged identity headers were removed (security 73). */
static const char *check_trailers(const server_rec *server)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);

    return identity_conf(server)->forwards && core->merge_trailers == AP_MERGE_TRAILERS_ENABLE
               ? "ID0519: IdentityForwardHeaders and MergeTrailers are both On: a client could forge "
                 "X-Identity-User-Id and the other headers in the trailers; leave MergeTrailers Off."
               : NULL;
}

static void warn_lifetime(const server_rec *server, const char *name, apr_interval_time_t lifetime)
{
    if (lifetime > IDENTITY_TOKEN_LONGEST)
        IDENTITY_LOG(
            APLOG_WARNING, server,
            "ID0534: %s is more than 24h, the maximum lifetime of an access token: using 24h",
            name);
}

/* mod_dbd has one database per server or virtual host, and the last DBDParams wins: if two modules each set one, the
 * first gets the other's. */
static const char *check_dbd_users(apr_pool_t *pool, server_rec *main_server,
                                   const server_rec *server)
{
    const ap_directive_t *user = identity_dbd_user(pool, main_server, server);
    identity_dbd_t its, ours;

    if (!user)
        return NULL;
    identity_dbd_read(pool, main_server, server, &its);
    for (server_rec *other = main_server; other; other = other->next) {
        identity_dbd_read(pool, main_server, other, &ours);
        if (identity_conf(other)->active && identity_dbd_same(&its, &ours))
            return apr_psprintf(
                pool,
                "ID0512: %s (%s line %d) would run its SQL on %s, which is also the database of "
                "mod_identity (DBDParams): mod_dbd has one database for each server or virtual host. "
                "Move DBDriver and DBDParams of mod_identity to a virtual host of its own, together "
                "with IdentityEngine and everything that AuthType Identity protects.",
                user->directive, user->filename, user->line_num, its.params);
    }
    return NULL;
}

static const char *check_server(apr_pool_t *pool, server_rec *main_server, const server_rec *server)
{
    const identity_conf_t *conf = identity_conf(server);
    identity_dbd_t dbd;

    identity_dbd_read(pool, main_server, server, &dbd);
    const char *errmsg = check_database(pool, &dbd);
    if (!errmsg)
        errmsg = check_mail(pool, conf);
    if (!errmsg)
        errmsg = check_origin(pool, conf);
    if (!errmsg)
        errmsg = check_keys(pool, conf);
    if (!errmsg)
        errmsg = check_escrow(pool, conf);
    if (!errmsg)
        errmsg = check_openid(pool, conf);
    if (!errmsg)
        errmsg = identity_check_sso(pool, conf);
    if (!errmsg)
        errmsg = identity_check_guests(pool, conf);
    if (!errmsg)
        errmsg = check_stale(conf);
    if (!errmsg)
        errmsg = check_shared(pool, main_server, conf, &dbd);
    return errmsg;
}

/* A configuration may have many virtual hosts. */
static const char *whereabouts(apr_pool_t *pool, const server_rec *server)
{
    return server->defn_name
               ? apr_psprintf(pool, " (virtual host %s, %s line %u)",
                              server->server_hostname ? server->server_hostname : "without a name",
                              server->defn_name, server->defn_line_number)
               : "";
}

int identity_check(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *main_server)
{
    identity_alias_finish(temporary, main_server);
    for (server_rec *server = main_server; server; server = server->next) {
        const char *errmsg = check_trailers(server);
        if (!errmsg)
            errmsg = check_dbd_users(temporary, main_server, server);
        if (!errmsg && identity_conf(server)->active)
            errmsg = check_server(temporary, main_server, server);
        if (!errmsg && identity_conf(server)->active) {
            warn_lifetime(server, "IdentityAccessLifetime",
                          identity_conf(server)->settings.access_lifetime);
            warn_lifetime(server, "IdentityDemoLifetime",
                          identity_conf(server)->settings.demo_lifetime);
        }
        if (errmsg) {
            errmsg = apr_pstrcat(temporary, errmsg, whereabouts(temporary, server), NULL);
            IDENTITY_LOG(APLOG_EMERG, server, "%s", errmsg);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (identity_conf(server)->active)
            identity_dbd_open_late(configuration, temporary, server);
    }
    return OK;
}

/* ---- `httpd -t` ------------------------------------------------------------------------------------------------- */

/* Problems that a start would not fix by itself. */
static const char *test_database(apr_pool_t *pool, const identity_conf_t *conf,
                                 const identity_dbd_t *dbd)
{
    const char *errmsg = NULL;
    identity_fault_t err = identity_database_check(pool, dbd, NULL, true, &errmsg);

    if (conf->auto_migrate &&
        (err == IDENTITY_FAULT_OLDER ||
         (err == IDENTITY_FAULT_MISSING && !identity_database_remains(pool, dbd))))
        return NULL;
    return errmsg;
}

void identity_test(apr_pool_t *configuration, server_rec *main_server)
{
    apr_array_header_t *seen = apr_array_make(configuration, 2, sizeof(identity_dbd_t));

    if (ap_exists_config_define("IDENTITY_DUMP"))
        identity_dump(configuration, main_server);
    for (server_rec *server = main_server; server; server = server->next) {
        identity_dbd_t dbd;
        bool known = !identity_conf(server)->active;
        identity_dbd_read(configuration, main_server, server, &dbd);
        for (int i = 0; i < seen->nelts; i++)
            known = known || identity_dbd_same(&APR_ARRAY_IDX(seen, i, identity_dbd_t), &dbd);
        if (known)
            continue;
        APR_ARRAY_PUSH(seen, identity_dbd_t) = dbd;
        const char *errmsg = test_database(configuration, identity_conf(server), &dbd);
        if (errmsg)
            IDENTITY_LOG(
                APLOG_WARNING, server,
                "ID0513: %s httpd starts all the same; the API and protected content would answer 503.",
                errmsg);
    }
    identity_named_check(configuration, main_server);
}
