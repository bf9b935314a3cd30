/* SPDX-License-Identifier: Apache-2.0 */
/* Signing keys beside the database: identity-signing-key.pem, created by the first start, and
 * identity-signing-key-1.pem and so on, created by rotations. The highest number signs, all verify; a new one signs
 * once every process knows it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>

#include "site/site.h"

#define STEM   "identity-signing-key"
#define SUFFIX ".pem"
#define DIGITS 9

/* Every process of every server reads the folder at least this often: after that all know a new key. */
#define KNOWN apr_time_from_sec(10)

typedef struct found {
    long number;
    bool waits; /* too young to sign */
    const char *path;
    apr_uint64_t mark; /* of the existing file */
} found_t;

/* -1: not a key file. */
static long number_of(const char *name)
{
    size_t digits;
    char *end;

    if (strncmp(name, STEM, sizeof STEM - 1) != 0)
        return -1;
    name += sizeof STEM - 1;
    if (strcmp(name, SUFFIX) == 0)
        return 0;
    digits = *name == '-' ? strspn(name + 1, "0123456789") : 0;
    if (digits == 0 || digits > DIGITS || name[1] == '0' || strcmp(name + 1 + digits, SUFFIX) != 0)
        return -1;
    return strtol(name + 1, &end, 10);
}

static int newer_first(const void *a, const void *b)
{
    const found_t *one = a, *other = b;

    if (one->waits != other->waits)
        return one->waits - other->waits;
    int newer = (one->number < other->number) - (one->number > other->number);
    return one->waits ? -newer : newer;
}

const char *identity_key_file(apr_pool_t *pool, const char *folder, long number)
{
    return number ? apr_psprintf(pool, "%s/" STEM "-%ld" SUFFIX, folder, number)
                  : apr_pstrcat(pool, folder, "/" STEM SUFFIX, NULL);
}

static apr_array_header_t *read_folder(apr_pool_t *pool, const char *folder, apr_time_t now)
{
    apr_array_header_t *found = apr_array_make(pool, 2, sizeof(found_t));
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, folder, pool) != APR_SUCCESS)
        return found;
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        long number = number_of(info.name);
        const char *path = number >= 0 ? identity_key_file(pool, folder, number) : NULL;
        if (!path || apr_stat(&info, path, APR_FINFO_MTIME | APR_FINFO_INODE, pool) != APR_SUCCESS)
            continue;
        bool waits = info.mtime > now - KNOWN && info.mtime <= now;
        *(found_t *)apr_array_push(found) =
            (found_t){number, waits, path, (apr_uint64_t)info.mtime * 31u + info.inode};
    }
    apr_dir_close(dir);
    return found;
}

void identity_key_folder(apr_pool_t *pool, const char *folder, apr_time_t now,
                         identity_key_folder_t *keys)
{
    keys->mark = 0;
    keys->waiting = 0;
    keys->highest = -1;
    keys->paths = apr_array_make(pool, 2, sizeof(const char *));
    apr_array_header_t *found = read_folder(pool, folder, now);
    qsort(found->elts, (size_t)found->nelts, sizeof(found_t), newer_first);
    for (int i = 0; i < found->nelts; i++) {
        const found_t *file = &APR_ARRAY_IDX(found, i, found_t);
        APR_ARRAY_PUSH(keys->paths, const char *) = file->path;
        keys->mark = keys->mark * 1000003u + (apr_uint64_t)file->number * 8191u + file->mark;
        keys->highest = file->number > keys->highest ? file->number : keys->highest;
        keys->waiting += file->waits;
    }
    if (!found->nelts)
        APR_ARRAY_PUSH(keys->paths, const char *) = identity_key_file(pool, folder, 0);
}

/* ---- a new one -------------------------------------------------------------------------------------------------- */

static bool put(int file, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t done = write(file, text, left);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            text += done;
            left -= (size_t)done;
        }
    }
    return fsync(file) == 0;
}

static const char *not_made(apr_pool_t *pool, const char *path)
{
    return apr_psprintf(pool, "The signing key %s cannot be created: %s (errno %d).", path,
                        strerror(errno), errno);
}

static const char *make(apr_pool_t *pool, const char *path, const char *pem)
{
    const char *name = apr_psprintf(pool, "%s.%ld", path, (long)getpid()),
               *slash = strrchr(path, '/'), *error = NULL;
    const char *folder_name =
        slash ? apr_pstrmemdup(pool, path, (apr_size_t)(slash - path) + 1) : ".";
    struct stat folder;

    if (!pem)
        return "No signing key can be created.";
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return not_made(pool, path);
    /* Nobody ever sees a partial key, and an existing one is never replaced. The folder's owner runs htidentity
     * (M8). */
    if (!put(file, pem) ||
        (geteuid() == 0 &&
         (stat(folder_name, &folder) != 0 || fchown(file, folder.st_uid, folder.st_gid) != 0)) ||
        (link(name, path) != 0 && errno != EEXIST))
        error = not_made(pool, path);
    close(file);
    unlink(name);
    return error;
}

const char *identity_key_file_make(apr_pool_t *pool, const char *path)
{
    return make(pool, path, identity_signing_key_make(pool));
}

const char *identity_openid_key_file(apr_pool_t *pool, const char *folder)
{
    return apr_pstrcat(pool, folder, "/" STEM "-rs256" SUFFIX, NULL);
}

const char *identity_openid_key_file_make(apr_pool_t *pool, const char *path)
{
    return make(pool, path, identity_openid_key_make(pool));
}
