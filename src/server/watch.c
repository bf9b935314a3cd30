/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics that the watchdog's job collects besides the database's: sizes and ages of its file and the signing
 * keys. */
#include <sys/stat.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

/* One for each database, shown by all its hosts. Recreated at each restart. */
void identity_watch_share(identity_site_t *site)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        for (int j = 0; j < i && !host->watch; j++) {
            const identity_host_t *other = APR_ARRAY_IDX(site->hosts, j, const identity_host_t *);
            if (other->pool == host->pool)
                host->watch = other->watch;
        }
        /* Without it these metrics are missing: no reason not to start. */
        if (!host->watch)
            host->watch = identity_memory_shared(site->pool, identity_watch_size());
    }
}

static apr_time_t made_at(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? apr_time_from_sec(info.st_mtime) : 0;
}

/* Children may not have access to the configured key folder: then the parent's result is used. */
void identity_note_key(identity_host_t *host, const char *path)
{
    host->signing_key_at = made_at(path);
}

identity_watched_t identity_watched_files(apr_pool_t *pool, const identity_host_t *host)
{
    identity_watched_t files = {.signing_key_at = host->signing_key_at};
    const apr_array_header_t *paths = identity_keys_configured(host);
    identity_key_folder_t beside;
    struct stat info;

    if (!paths) {
        identity_key_folder(pool, identity_folder_of(pool, host->dbd.params), apr_time_now(),
                            &beside);
        paths = beside.paths;
    }
    apr_time_t now = paths->nelts ? made_at(APR_ARRAY_IDX(paths, 0, const char *)) : 0;
    if (now)
        files.signing_key_at = now;
    if (stat(host->dbd.params, &info) == 0)
        files.size = info.st_size;
    return files;
}
