/* SPDX-License-Identifier: Apache-2.0 */
/* Step 5 of the start: signing keys. Those of IdentitySigningKey are configuration, and errors in them end the
 * start. The key beside the database shares the database's fate: without it the API and protected content answer 503
 * until it can be read. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

const apr_array_header_t *identity_keys_configured(const identity_host_t *host)
{
    const identity_host_t *api =
        host->conf->engine ? NULL : identity_api_of(host->site, &host->dbd);

    return host->conf->signing_keys ? host->conf->signing_keys
           : api                    ? api->conf->signing_keys
                                    : NULL;
}

/* The keys beside the database. */
static void find(apr_pool_t *pool, const identity_host_t *host, identity_key_folder_t *found)
{
    identity_key_folder(pool, identity_folder_of(pool, host->dbd.params), apr_time_now(), found);
}

static const char *load(apr_pool_t *temporary, apr_pool_t *pool, const identity_key_folder_t *found,
                        identity_keyset_t **keys)
{
    const char *errmsg = identity_keys_load(pool, found->paths, keys);
    return errmsg ? apr_pstrcat(temporary, "The signing key ", errmsg, NULL) : NULL;
}

/* Threads read env.keys at any time: a set that was in use is never freed. */
static void install(const identity_database_t *database, const identity_site_t *site,
                    const identity_keyset_t *keys)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        if (host->database == database && !identity_keys_configured(host))
            __atomic_store_n(&host->env.keys, keys, __ATOMIC_RELEASE);
    }
}

/* A host of that database that uses the key beside it; NULL: none. *known: it already has keys. */
static identity_host_t *taker(const identity_site_t *site, const identity_database_t *database,
                              bool *known)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        *known = __atomic_load_n(&host->env.keys, __ATOMIC_ACQUIRE) != NULL;
        if (host->database == database && !identity_keys_configured(host))
            return host;
    }
    return NULL;
}

/* For an available database: creates the first key if there is none. */
static const char *load_or_make(apr_pool_t *temporary, apr_pool_t *pool,
                                const identity_host_t *host, identity_key_folder_t *found,
                                identity_keyset_t **keys)
{
    const char *path = APR_ARRAY_IDX(found->paths, 0, const char *), *errmsg = NULL;

    if (found->highest < 0 && access(path, F_OK) != 0 && errno == ENOENT) {
        errmsg = identity_key_file_make(temporary, path);
        if (!errmsg)
            IDENTITY_LOG(APLOG_NOTICE, host->server, "ID0520: created the signing key %s", path);
        find(temporary, host, found);
    }
    for (int i = 0; i < found->paths->nelts && !errmsg; i++)
        errmsg = identity_give_to_children(temporary, APR_ARRAY_IDX(found->paths, i, const char *));
    return errmsg ? errmsg : load(temporary, pool, found, keys);
}

/* Callers with a token of a key that has been removed must authenticate again. */
static void forget_principals(const identity_host_t *host)
{
    if (host->env.revisions)
        identity_revisions_bump(host->env.revisions, "");
}

/* Loads them again. If that fails, existing keys remain in use; logged once. */
static const char *reload(apr_pool_t *temporary, const identity_database_t *database,
                          identity_host_t *host, identity_key_folder_t *found, bool known)
{
    identity_keyset_t *keys = NULL;
    apr_pool_t *lasting;

    apr_pool_create(&lasting, NULL);
    const char *errmsg = load_or_make(temporary, lasting, host, found, &keys);
    host->keys_mark = found->mark;
    if (errmsg) {
        apr_pool_destroy(lasting);
        if (known)
            IDENTITY_LOG(APLOG_WARNING, host->server, "ID0538: %s The present keys remain in use.",
                         errmsg);
        return errmsg;
    }
    install(database, host->site, keys);
    if (known)
        forget_principals(host);
    return NULL;
}

identity_fault_t identity_keys_reload(apr_pool_t *temporary, const identity_database_t *database,
                                      bool replaced, const char **errmsg)
{
    const identity_site_t *site = identity_database_site(database);
    bool known = false;
    identity_host_t *host = taker(site, database, &known);
    identity_key_folder_t found;

    if (!host)
        return IDENTITY_FAULT_NONE;
    find(temporary, host, &found);
    /* If none is left the present ones remain in use, as with a restored backup that lacks its key. */
    if (known && !replaced && (found.mark == host->keys_mark || found.highest < 0))
        return IDENTITY_FAULT_NONE;
    *errmsg = reload(temporary, database, host, &found, known);
    return *errmsg && !known ? IDENTITY_FAULT_KEY : IDENTITY_FAULT_NONE;
}

/* In the parent. */
static void start_beside(identity_host_t *host, apr_pool_t *temporary)
{
    bool well = identity_database_well(host->database), known = false;
    identity_keyset_t *keys = NULL;
    identity_key_folder_t found;
    const char *errmsg;

    if (taker(host->site, host->database, &known) != host)
        return; /* loaded by the first for all */
    find(temporary, host, &found);
    errmsg = well ? load_or_make(temporary, host->site->pool, host, &found, &keys)
                  : load(temporary, host->site->pool, &found, &keys);
    host->keys_mark = found.mark;
    if (!errmsg)
        install(host->database, host->site, keys);
    else if (well)
        identity_database_started(host->database, IDENTITY_FAULT_KEY, errmsg);
}

static const char *start_configured(identity_host_t *host, const apr_array_header_t *paths)
{
    identity_keyset_t *keys = NULL;
    const char *errmsg = identity_keys_load(host->site->pool, paths, &keys);

    host->env.keys = keys;
    identity_note_key(host, APR_ARRAY_IDX(paths, 0, const char *));
    return errmsg;
}

/* The RSA key of a host with IdentityOpenID: the configured one, or the one beside the database. */
static const char *start_openid(identity_host_t *host, apr_pool_t *temporary)
{
    const char *path = host->conf->openid_key, *errmsg = NULL;

    if (!host->settings.openid || (!path && !identity_database_well(host->database)))
        return NULL;
    if (!path) {
        path = identity_openid_key_file(temporary, identity_folder_of(temporary, host->dbd.params));
        if (access(path, F_OK) != 0 && errno == ENOENT)
            errmsg = identity_openid_key_file_make(temporary, path);
    }
    return errmsg ? errmsg
                  : identity_openid_load(host->site->pool, path, &host->settings.openid_key);
}

int identity_start_keys(identity_site_t *site, apr_pool_t *temporary)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        const apr_array_header_t *paths = identity_keys_configured(host);
        const char *errmsg = paths ? start_configured(host, paths) : NULL;

        if (!errmsg && host->conf->key_escrow)
            errmsg = identity_escrow_load(site->pool, host->conf->key_escrow,
                                          &host->settings.key_escrow);
        if (!errmsg)
            errmsg = start_openid(host, temporary);
        if (errmsg) {
            IDENTITY_LOG(APLOG_EMERG, site->main_server, "ID0528: %s", errmsg);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (!paths)
            start_beside(host, temporary);
    }
    return OK;
}
