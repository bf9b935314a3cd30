/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of post_config and child_init (numbered in mod_identity.c): creates what each virtual host has, and what
 * all children share. */
#include <string.h>
#include <unistd.h>

#include <ap_listen.h>
#include <ap_mpm.h>
#include <http_main.h>
#include <sodium.h>
#include <util_mutex.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

identity_site_t *identity_site_make(apr_pool_t *configuration, server_rec *main_server)
{
    identity_site_t *site = apr_pcalloc(configuration, sizeof *site);

    site->pool = configuration;
    site->main_server = main_server;
    site->blocklist = identity_blocklist_shipped(configuration);
    site->hosts = apr_array_make(configuration, 2, sizeof(identity_host_t *));
    site->pools = apr_array_make(configuration, 1, sizeof(identity_dbpool_t *));
    site->streams = identity_streams_make(site);
    return site;
}

/* ---- libraries -------------------------------------------------------------------------------------------------- */

#define HELD "identity-libraries"

/* httpd reads its configuration twice when it starts, and unloads all modules in between: binding libcurl and its
 * dependencies again would take a third of the start. At a restart they are loaded again, as they may have been
 * upgraded. */
void identity_hold_libraries(void)
{
    /* The name is copied: this module will be unloaded. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        apr_pool_userdata_set(identity_client_hold(), HELD, NULL, ap_pglobal);
}

void identity_release_libraries(void)
{
    void *held = NULL;

    apr_pool_userdata_get(&held, HELD, ap_pglobal);
    identity_client_release(held);
    apr_pool_userdata_set(NULL, HELD, NULL, ap_pglobal);
}

/* ---- 3. virtual hosts ------------------------------------------------------------------------------------------- */

static unsigned port_of(const server_rec *server, bool main_server)
{
    if (server->port)
        return server->port;
    if (!main_server && server->addrs && server->addrs->host_port)
        return server->addrs->host_port;
    return ap_listeners ? ap_listeners->bind_addr->port : 0;
}

static const char *origin_of(const identity_site_t *site, const server_rec *server)
{
    bool secure = identity_server_tls(site->pool, site->main_server, server);

    return identity_origin(site->pool, secure, server->server_hostname,
                           port_of(server, server == site->main_server));
}

/* The first that answers the API from the same database: a server that only protects something accepts its tokens. */
identity_host_t *identity_api_of(const identity_site_t *site, const identity_dbd_t *dbd)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        if (host->conf->engine && identity_dbd_same(&host->dbd, dbd))
            return host;
    }
    return NULL;
}

/* From ServerName; if TLS is required and the server itself has none, that of a virtual host with TLS which shares
 * its settings. */
static const char *default_origin(identity_host_t *host)
{
    identity_site_t *site = host->site;
    const identity_host_t *api = host->conf->engine ? NULL : identity_api_of(site, &host->dbd);

    if (api)
        return api->settings.public_url;
    if (host->conf->settings.require_tls &&
        !identity_server_tls(site->pool, site->main_server, host->server))
        for (const server_rec *other = site->main_server; other; other = other->next)
            if (identity_conf(other) == host->conf &&
                identity_server_tls(site->pool, site->main_server, other))
                return origin_of(site, other);
    return origin_of(site, host->server);
}

static const char *default_sender(apr_pool_t *pool, const char *origin)
{
    const char *host = strstr(origin, "://") + 3;

    host = host[0] == '[' ? "localhost" : apr_pstrmemdup(pool, host, strcspn(host, ":"));
    /* Mail programs reject a domain with a single label. */
    return apr_pstrcat(pool, "noreply@", host, strchr(host, '.') ? "" : ".localdomain", NULL);
}

static const char *default_helo(apr_pool_t *pool, const char *origin)
{
    const char *host = strstr(origin, "://") + 3;

    return identity_mail_helo(
        pool,
        apr_pstrmemdup(pool, host, host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":")));
}

static void take_password(void *target, const char *secret)
{
    __atomic_store_n(&((identity_mail_target_t *)target)->password, secret, __ATOMIC_RELEASE);
}

static const char *mail_of(identity_host_t *host)
{
    const identity_conf_t *conf = host->conf;
    identity_settings_t *settings = &host->settings;
    identity_mail_target_t *target;
    const char *errmsg;
    char *secret;

    if (!conf->mail)
        return NULL;
    settings->mail = target = apr_pmemdup(host->site->pool, conf->mail, sizeof *target);
    target->helo =
        conf->mail_helo ? conf->mail_helo : default_helo(host->site->pool, settings->public_url);
    settings->mail_templates = conf->mail_templates;
    if (!settings->mail_templates)
        settings->mail_templates = identity_mail_templates_load(host->site->pool, NULL, &errmsg);
    if (!settings->mail_templates)
        return errmsg;
    settings->mail_from =
        conf->mail_from ? conf->mail_from : default_sender(host->site->pool, settings->public_url);
    if (!conf->mail_secret || !target->user)
        return NULL;
    errmsg = identity_secret_read(host->site->pool, conf->mail_secret, &secret);
    if (errmsg)
        return apr_psprintf(host->site->pool, "IdentityMailSecret %s", errmsg);
    secret[strcspn(secret, "\r\n")] = '\0';
    target->password = secret;
    identity_secret_watch(host->site, "IdentityMailSecret", conf->mail_secret, take_password,
                          target);
    return NULL;
}

static void settings_of(identity_host_t *host)
{
    const identity_conf_t *conf = host->conf;
    identity_settings_t *settings = &host->settings;

    *settings = conf->settings;
    if (!settings->public_url)
        settings->public_url = default_origin(host);
    settings->access_lifetime = identity_within_day(settings->access_lifetime);
    settings->demo_lifetime = identity_within_day(settings->demo_lifetime);
    settings->refresh_idle = conf->refresh_lifetime.idle;
    settings->refresh_absolute = conf->refresh_lifetime.absolute;
    settings->blocklist =
        conf->password_blocklist ? conf->password_blocklist : host->site->blocklist;
    settings->rates = conf->rates.rates;
    settings->retention = conf->retention.retention;
    settings->retention.leaves = conf->refresh_lifetime.idle;
    settings->retention.deleted = conf->delete_after;
}

static identity_host_t *host_make(identity_site_t *site, server_rec *server,
                                  const identity_dbd_t *dbd, const char **errmsg)
{
    identity_host_t *host = apr_pcalloc(site->pool, sizeof *host);

    host->server = server;
    host->conf = identity_conf(server);
    host->site = site;
    host->dbd = *dbd;
    settings_of(host);
    *errmsg = mail_of(host);
    if (!*errmsg)
        *errmsg = identity_start_sso(host);
    if (!*errmsg)
        *errmsg = identity_start_guests(host);
    identity_env_fill(host);
    for (int i = 0; i < site->hosts->nelts && !host->pool; i++) {
        identity_host_t *other = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        if (identity_dbd_same(&other->dbd, dbd)) {
            host->pool = other->pool;
            host->database = other->database;
        }
    }
    if (!host->pool) {
        host->database = identity_database_make(site, dbd);
        host->pool = identity_dbpool_make(site->pool, host);
        APR_ARRAY_PUSH(site->pools, identity_dbpool_t *) = host->pool;
    }
    APR_ARRAY_PUSH(site->hosts, identity_host_t *) = host;
    return host;
}

static void tell_origin(const identity_host_t *host)
{
    const char *origin = host->settings.public_url;

    if (!host->conf->engine)
        IDENTITY_LOG(APLOG_INFO, host->server, "ID0533: protects content; accepts the tokens of %s",
                     origin);
    else if (host->conf->settings.require_tls && strncmp(origin, "https:", 6) != 0 &&
             !identity_origin_loopback(host->site->pool, origin))
        IDENTITY_LOG(APLOG_WARNING, host->server,
                     "ID0523: links in mails begin with %s, without TLS; set IdentityPublicURL",
                     origin);
    else
        IDENTITY_LOG(APLOG_INFO, host->server, "ID0529: answers the API as %s", origin);
}

static int start_host(identity_site_t *site, server_rec *server)
{
    identity_conf_t *conf = identity_conf(server);
    const char *errmsg = NULL;
    identity_dbd_t dbd;

    identity_dbd_read(site->pool, site->main_server, server, &dbd);
    if (conf->host && !identity_dbd_same(&conf->host->dbd, &dbd)) {
        /* Without directives of ours it shares the main server's configuration, but it has a database of its own. */
        conf = apr_pmemdup(site->pool, conf, sizeof *conf);
        conf->host = NULL;
        ap_set_module_config(server->module_config, &identity_module, conf);
    }
    identity_host_t *api = conf->engine ? NULL : identity_api_of(site, &dbd);
    if (!conf->host && api && !conf->own)
        conf->host = api;
    if (conf->host)
        return OK;
    conf->host = host_make(site, server, &dbd, &errmsg);
    if (errmsg) {
        IDENTITY_LOG(APLOG_EMERG, server, "ID0522: %s", errmsg);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    tell_origin(conf->host);
    return OK;
}

/* Where credentials are hidden from programs (credential.c): in every server with an identity database, whether it
 * protects something itself or not. */
static void mark_databases(identity_site_t *site)
{
    for (server_rec *server = site->main_server; server; server = server->next) {
        identity_conf_t *conf = identity_conf(server);
        const identity_site_t *mine = NULL;
        identity_dbd_t dbd;

        identity_dbd_read(site->pool, site->main_server, server, &dbd);
        for (int i = 0; i < site->hosts->nelts && !mine; i++)
            if (identity_dbd_same(&APR_ARRAY_IDX(site->hosts, i, identity_host_t *)->dbd, &dbd))
                mine = site;
        if (conf->database_of != mine && server != site->main_server &&
            conf == identity_conf(site->main_server)) {
            conf = apr_pmemdup(site->pool, conf, sizeof *conf);
            ap_set_module_config(server->module_config, &identity_module, conf);
        }
        conf->database_of = mine;
    }
}

int identity_start_hosts(identity_site_t *site)
{
    if (sodium_init() < 0) {
        IDENTITY_LOG(APLOG_EMERG, site->main_server,
                     "ID0521: libsodium cannot be used on this machine.");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    /* First those that answer the API: the others follow them. */
    for (int api = 1; api >= 0; api--)
        for (server_rec *server = site->main_server; server; server = server->next)
            if (identity_conf(server)->active && identity_conf(server)->engine == api) {
                int status = start_host(site, server);
                if (status != OK)
                    return status;
            }
    mark_databases(site);
    return OK;
}

/* ---- 6. what all children share --------------------------------------------------------------------------------- */

/* Old and new children of a graceful restart share it, so it lives as long as the process. */
static int write_mutex(identity_site_t *site)
{
    apr_pool_t *process = site->main_server->process->pool;
    apr_global_mutex_t *mutex = NULL;

    apr_pool_userdata_get((void **)&mutex, IDENTITY_WRITE_MUTEX, process);
    if (!mutex) {
        if (ap_global_mutex_create(&mutex, NULL, IDENTITY_WRITE_MUTEX, NULL, site->main_server,
                                   process, 0) != APR_SUCCESS)
            return HTTP_INTERNAL_SERVER_ERROR; /* httpd has logged the reason */
        apr_pool_userdata_setn(mutex, apr_pstrdup(process, IDENTITY_WRITE_MUTEX), NULL, process);
    }
    if (apr_global_mutex_mech(mutex) == APR_LOCK_POSIXSEM) {
        IDENTITY_LOG(
            APLOG_EMERG, site->main_server,
            "ID0524: Mutex posixsem %s: a child that is killed could block all others from writing; use "
            "another mechanism.",
            IDENTITY_WRITE_MUTEX);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    site->write = mutex;
    return OK;
}

static unsigned hash_slots(const identity_site_t *site)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    apr_size_t budget = identity_conf(site->main_server)->hash_memory,
               largest = (apr_size_t)IDENTITY_HASH_MEMORY_MIN * 1024;

    if (!budget)
        budget = (apr_size_t)(processors > 0 ? processors : 1) * 20 * 1024 * 1024;
    for (int i = 0; i < site->hosts->nelts; i++) {
        apr_size_t memory =
            (apr_size_t)APR_ARRAY_IDX(site->hosts, i, identity_host_t *)->settings.hash.memory_kib *
            1024;
        if (memory > largest)
            largest = memory;
    }
    apr_size_t slots = budget / largest;
    return slots < 1 ? 1 : slots > 1024 ? 1024 : (unsigned)slots;
}

int identity_start_semaphores(identity_site_t *site)
{
    int daemons = 0, status = write_mutex(site);

    if (status != OK)
        return status;
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &daemons);
    /* Room for the old and the new children of a graceful restart. */
    unsigned processes = 2 * (unsigned)(daemons > 0 ? daemons : 1);
    if (identity_hashsem_share(site, hash_slots(site)) && identity_counters_share(site) &&
        identity_metrics_share(site, processes))
        return OK;
    IDENTITY_LOG(
        APLOG_EMERG, site->main_server,
        "ID0525: Cannot allocate shared memory for the password hashing semaphore, the rate limits and the metrics.");
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- 8. each child ---------------------------------------------------------------------------------------------- */

static identity_site_t *site_of(server_rec *main_server)
{
    for (server_rec *server = main_server; server; server = server->next)
        if (identity_conf(server)->host)
            return identity_conf(server)->host->site;
    return NULL;
}

void identity_child_init(apr_pool_t *child, server_rec *main_server)
{
    identity_site_t *site = site_of(main_server);

    if (!site)
        return;
    if (sodium_init() < 0 || !identity_client_start())
        IDENTITY_LOG(APLOG_CRIT, main_server,
                     "ID0526: libsodium or libcurl cannot be used in this child");
    json_object_seed(0);
    identity_request_ids_begin(&site->labels);
    apr_status_t status =
        apr_global_mutex_child_init(&site->write, apr_global_mutex_lockfile(site->write), child);
    if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, main_server,
                     "ID0527: the mutex %s cannot be used in this child", IDENTITY_WRITE_MUTEX);
    identity_hashsem_join(site->hashing);
    identity_metrics_join(site, child);
    for (int i = 0; i < site->pools->nelts; i++)
        identity_dbpool_child(APR_ARRAY_IDX(site->pools, i, identity_dbpool_t *), child);
    for (int i = 0; i < site->hosts->nelts; i++)
        identity_cache_child(APR_ARRAY_IDX(site->hosts, i, identity_host_t *));
    if (site->job)
        identity_job_child(site->job, child);
    identity_streams_child(site->streams, child);
}
