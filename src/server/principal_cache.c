/* SPDX-License-Identifier: Apache-2.0 */
/* Server side of the principal cache: revisions in shared memory, one set for each database, created once in the
 * life of the parent (the old and the new children of a graceful restart share them); and a cache for each virtual
 * host in each child. */
#include <time.h>

#include "server_int.h"

/* Accounts, roles and teams, and the assignments of the users on a few pages; two MiB at most. */
#define SHARED 1024

APLOG_USE_MODULE(identity);

apr_time_t identity_ticks(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}

static bool init(void *memory, const void *random)
{
    return identity_revisions_make(memory, random) != NULL;
}

static identity_revisions_t *revisions_of(const identity_host_t *host)
{
    const char *name = apr_pstrcat(host->site->pool, "generations-", host->dbd.params, NULL);
    return identity_shared(host->site, name, 1, identity_revisions_size(), init, &host->env.random);
}

bool identity_revisions_share(identity_site_t *site)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_env_t *env = &APR_ARRAY_IDX(site->hosts, i, identity_host_t *)->env;
        env->ticks = identity_ticks;
        env->revisions = revisions_of(APR_ARRAY_IDX(site->hosts, i, identity_host_t *));
        if (!env->revisions)
            return false;
    }
    return true;
}

/* In the configuration's pool, and never freed: an ungraceful stop destroys the child's pool under running threads. */
void identity_cache_child(identity_host_t *host)
{
    if (!host->env.revisions)
        return;
    host->env.shared = identity_cache_make(host->site->pool, SHARED, &host->env.random);
    if (!host->conf->cache)
        return;
    host->env.cache = identity_cache_make(host->site->pool, host->conf->cache, &host->env.random);
    if (!host->env.cache)
        IDENTITY_LOG(APLOG_WARNING, host->server,
                     "ID0536: not enough memory for IdentityCache: credentials are not cached");
}
