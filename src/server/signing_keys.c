/* Step 5 of the start: signing keys. Those of IdentitySigningKey are configuration, and what is wrong with them ends
 * the start. The one beside the database shares the database's fate: without it identity's own places answer 503 until
 * it can be read. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define KEY_FILE "identity-signing-key.pem"

const apr_array_header_t *identity_keys_configured(const identity_host_t *host)
{
    const identity_host_t *api = host->conf->engine ? NULL : identity_api_of(host->site, &host->dbd);

    return host->conf->signing_keys ? host->conf->signing_keys : api ? api->conf->signing_keys : NULL;
}

static const char *beside(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    return apr_pstrcat(pool, identity_folder_of(pool, dbd->params), "/", KEY_FILE, NULL);
}

static const char *load(apr_pool_t *temporary, apr_pool_t *pool, const char *path, identity_keyset_t **keys)
{
    apr_array_header_t *paths = apr_array_make(temporary, 1, sizeof(const char *));
    const char *errmsg = NULL;

    APR_ARRAY_PUSH(paths, const char *) = path;
    errmsg = identity_keys_load(pool, paths, keys);
    return errmsg ? apr_pstrcat(temporary, "The signing key ", errmsg, NULL) : NULL;
}

/* Threads read env.keys at any time: a set that was in use is never freed. */
static void install(const identity_database_t *database, const identity_site_t *site, const identity_keyset_t *keys)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        if (host->database == database && !identity_keys_configured(host))
            __atomic_store_n(&host->env.keys, keys, __ATOMIC_RELEASE);
    }
}

/* A host of that database that takes the key beside it; NULL: none does. *known: it has keys already. */
static const identity_host_t *taker(const identity_site_t *site, const identity_database_t *database, bool *known)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        const identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        *known = __atomic_load_n(&host->env.keys, __ATOMIC_ACQUIRE) != NULL;
        if (host->database == database && !identity_keys_configured(host))
            return host;
    }
    return NULL;
}

/* Beside a database that is well: makes the key where there is none. */
static const char *load_or_make(apr_pool_t *temporary, apr_pool_t *pool, const identity_host_t *host,
                                identity_keyset_t **keys)
{
    const char *path = beside(temporary, &host->dbd), *errmsg = NULL;

    if (access(path, F_OK) != 0 && errno == ENOENT) {
        errmsg = identity_key_file_make(temporary, path);
        if (!errmsg)
            IDENTITY_SAY(APLOG_NOTICE, host->server, "ID0520: made the signing key %s", path);
    } else {
        errmsg = identity_give_to_children(temporary, path);
    }
    return errmsg ? errmsg : load(temporary, pool, path, keys);
}

identity_fault_t identity_keys_reload(apr_pool_t *temporary, const identity_database_t *database, bool replaced,
                                      const char **errmsg)
{
    const identity_site_t *site = identity_database_site(database);
    bool known = false;
    const identity_host_t *host = taker(site, database, &known);
    identity_keyset_t *keys = NULL;
    apr_pool_t *lasting;

    if (!host || (known && !replaced))
        return IDENTITY_FAULT_NONE;
    apr_pool_create(&lasting, NULL);
    *errmsg = load_or_make(temporary, lasting, host, &keys);
    if (*errmsg)
        apr_pool_destroy(lasting);
    else
        install(database, site, keys);
    /* A backup may have come without its key, or with one that only root can read: the one in use goes on. */
    return *errmsg && !known ? IDENTITY_FAULT_KEY : IDENTITY_FAULT_NONE;
}

/* In the parent. */
static void start_beside(identity_host_t *host, apr_pool_t *temporary)
{
    bool well = identity_database_well(host->database), known = false;
    const char *path = beside(temporary, &host->dbd), *errmsg;
    identity_keyset_t *keys = NULL;

    if (taker(host->site, host->database, &known) != host)
        return; /* the first has loaded it for all */
    errmsg =
        well ? load_or_make(temporary, host->site->pool, host, &keys) : load(temporary, host->site->pool, path, &keys);
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

int identity_start_keys(identity_site_t *site, apr_pool_t *temporary)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        const apr_array_header_t *paths = identity_keys_configured(host);
        const char *errmsg = paths ? start_configured(host, paths) : NULL;

        if (!errmsg && host->conf->key_escrow)
            errmsg = identity_escrow_load(site->pool, host->conf->key_escrow, &host->settings.key_escrow);
        if (errmsg) {
            IDENTITY_SAY(APLOG_EMERG, site->main_server, "ID0528: %s", errmsg);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (!paths)
            start_beside(host, temporary);
    }
    return OK;
}
