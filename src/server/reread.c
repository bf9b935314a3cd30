/* SPDX-License-Identifier: Apache-2.0 */
/* Secret files that change while the server runs (M20): a thread in each child checks them periodically, and new
 * secrets take effect from then on. If a file is unusable the old secret remains in use, with one log line for all
 * children together. Signing keys and the escrow key have rules of their own.
 *
 * Threads read a secret at any time, so one that was in use is never freed. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_optional.h>
#include <mod_watchdog.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define EVERY apr_time_from_sec(3)

typedef struct snapshot {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
    long there; /* no padding: snapshots are compared byte by byte */
} snapshot_t;

typedef struct secret_file {
    const char *name, *path; /* the directive, for the log */
    identity_secret_take_t *take;
    void *user;
    snapshot_t seen;    /* of this process */
    atomic_llong *told; /* shared: what was last logged */
} secret_file_t;

struct identity_secrets {
    server_rec *server;
    apr_array_header_t *files; /* of secret_file_t */
};

/* False if this process may not look: then nothing is assumed to have changed. */
static bool snapshot_of(const char *path, snapshot_t *snapshot)
{
    struct stat info;

    memset(snapshot, 0, sizeof *snapshot);
    if (stat(path, &info) != 0)
        return errno == ENOENT;
    snapshot->device = info.st_dev;
    snapshot->inode = info.st_ino;
    snapshot->size = info.st_size;
    snapshot->modified = info.st_mtim;
    snapshot->changed = info.st_ctim;
    snapshot->there = 1;
    return true;
}

void identity_secret_watch(identity_site_t *site, const char *name, const char *path,
                           identity_secret_take_t *take, void *user)
{
    if (!site->secrets) {
        site->secrets = apr_pcalloc(site->pool, sizeof *site->secrets);
        site->secrets->server = site->main_server;
        site->secrets->files = apr_array_make(site->pool, 4, sizeof(secret_file_t));
    }
    secret_file_t *file = apr_array_push(site->secrets->files);
    *file = (secret_file_t){.name = name, .path = path, .take = take, .user = user};
    snapshot_of(path, &file->seen);
}

/* The first child to notice logs for all. */
static bool first_to_tell(secret_file_t *file)
{
    const unsigned char *bytes = (const unsigned char *)&file->seen;
    unsigned long long sum = 14695981039346656037ULL;

    for (size_t i = 0; i < sizeof file->seen; i++)
        sum = (sum ^ bytes[i]) * 1099511628211ULL;
    return !file->told || atomic_exchange(file->told, (long long)sum) != (long long)sum;
}

static void look(const identity_secrets_t *secrets, secret_file_t *file)
{
    apr_pool_t *lasting;
    char *secret = NULL;
    snapshot_t now;

    if (!snapshot_of(file->path, &now) || memcmp(&now, &file->seen, sizeof now) == 0)
        return;
    file->seen = now;
    apr_pool_create(&lasting, NULL);
    const char *errmsg = identity_secret_line(lasting, file->path, &secret);
    bool tell = first_to_tell(file);
    if (!errmsg) {
        file->take(file->user, secret);
        if (tell)
            IDENTITY_LOG(APLOG_NOTICE, secrets->server,
                         "ID0555: %s: %s has changed and was read again", file->name, file->path);
        return;
    }
    bool closed = now.there && access(file->path, R_OK) != 0 && errno == EACCES;
    if (tell && closed)
        IDENTITY_LOG(
            APLOG_NOTICE, secrets->server,
            "ID0558: %s: %s has changed but is readable by root only: the change takes effect at the next "
            "graceful restart",
            file->name, file->path);
    else if (tell)
        IDENTITY_LOG(APLOG_WARNING, secrets->server,
                     "ID0556: %s: %s The previous secret remains in use", file->name, errmsg);
    apr_pool_destroy(lasting);
}

static apr_status_t tick(int state, void *secrets_, apr_pool_t *pool)
{
    const identity_secrets_t *secrets = secrets_;

    (void)pool;
    for (int i = 0; state == AP_WATCHDOG_STATE_RUNNING && i < secrets->files->nelts; i++)
        look(secrets, &APR_ARRAY_IDX(secrets->files, i, secret_file_t));
    return APR_SUCCESS;
}

void identity_start_secrets(identity_site_t *site)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;

    if (!site->secrets || !instance || !callback)
        return;
    atomic_llong *told =
        identity_memory_shared(site->pool, (apr_size_t)site->secrets->files->nelts * sizeof *told);
    for (int i = 0; told && i < site->secrets->files->nelts; i++)
        APR_ARRAY_IDX(site->secrets->files, i, secret_file_t).told = &told[i];
    /* In every child. */
    if (instance(&watchdog, "_identity_secrets_", 0, 0, site->pool) != APR_SUCCESS ||
        callback(watchdog, EVERY, site->secrets, tick) != APR_SUCCESS)
        IDENTITY_LOG(
            APLOG_WARNING, site->main_server,
            "ID0557: mod_watchdog does not watch the secret files: changes take effect at the next graceful restart");
}
