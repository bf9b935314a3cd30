/* SPDX-License-Identifier: Apache-2.0 */
/* Secret files: read by the parent, before it drops privileges, and only if nobody else has access. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_int.h"

#define SECRET_LARGEST 65536

static const char *err(apr_pool_t *pool, const char *path, int error)
{
    return apr_psprintf(pool, "%s cannot be read: %s (errno %d)%s%s%s.", path, strerror(error),
                        error, error == EACCES ? "; run `" : "",
                        error == EACCES ? identity_rights_command(pool, path) : "",
                        error == EACCES ? "`" : "");
}

static const char *validate(apr_pool_t *pool, const char *path, int file, struct stat *info)
{
    if (fstat(file, info) != 0)
        return err(pool, path, errno);
    if (!S_ISREG(info->st_mode))
        return apr_psprintf(pool, "%s is not a regular file.", path);
    if (info->st_mode & 077)
        return apr_psprintf(
            pool,
            "%s contains a secret, but is readable or writable by others than its owner: chmod 600 it.",
            path);
    if (info->st_size == 0 || info->st_size > SECRET_LARGEST)
        return apr_psprintf(pool, "%s is empty or too large.", path);
    return NULL;
}

const char *identity_secret_read(apr_pool_t *pool, const char *path, char **text)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would block */

    if (file < 0)
        return err(pool, path, errno);
    const char *errmsg = validate(pool, path, file, &info);
    if (!errmsg) {
        char *buffer = apr_pcalloc(pool, (apr_size_t)info.st_size + 1);
        ssize_t got = read(file, buffer, (size_t)info.st_size);
        if (got < 0)
            errmsg = err(pool, path, errno);
        else if (strlen(buffer) != (size_t)got)
            errmsg = apr_psprintf(pool, "%s is not text.", path);
        identity_wipe_with_pool(pool, buffer);
        *text = buffer;
    }
    close(file);
    return errmsg;
}

const char *identity_secret_line(apr_pool_t *pool, const char *path, char **secret)
{
    const char *errmsg = identity_secret_read(pool, path, secret);

    if (errmsg)
        return errmsg;
    (*secret)[strcspn(*secret, "\r\n")] = '\0';
    return **secret ? NULL : apr_psprintf(pool, "%s has no secret on its first line.", path);
}

const char *identity_keys_load(apr_pool_t *pool, const apr_array_header_t *paths,
                               identity_keyset_t **keys)
{
    const char **pems = apr_palloc(pool, (apr_size_t)paths->nelts * sizeof *pems);
    const char *errmsg = NULL;
    apr_pool_t *texts;

    /* The PEM texts are freed at once; only the key set remains. */
    apr_pool_create(&texts, pool);
    for (int i = 0; i < paths->nelts && !errmsg; i++) {
        char *text = NULL;
        errmsg = identity_secret_read(texts, APR_ARRAY_IDX(paths, i, const char *), &text);
        if (errmsg)
            errmsg = apr_pstrdup(pool, errmsg);
        pems[i] = text;
    }
    if (!errmsg) {
        const char *error = NULL;
        *keys = identity_keyset_load(pool, pems, paths->nelts, &error);
        if (!*keys)
            errmsg = apr_psprintf(pool, "IdentitySigningKey %s: %s",
                                  apr_array_pstrcat(texts, paths, ' '), error);
    }
    apr_pool_destroy(texts);
    return errmsg;
}

#define ESCROW_SIZE 32

static apr_status_t wipe_escrow(void *key)
{
    identity_wipe(key, ESCROW_SIZE);
    return APR_SUCCESS;
}

const char *identity_escrow_load(apr_pool_t *pool, const char *path, const unsigned char **key)
{
    unsigned char *made = apr_palloc(pool, ESCROW_SIZE);
    apr_pool_t *texts;
    char *text = NULL;

    apr_pool_cleanup_register(pool, made, wipe_escrow, apr_pool_cleanup_null);
    apr_pool_create(&texts, pool);
    const char *errmsg = identity_secret_read(texts, path, &text);
    if (errmsg)
        errmsg = apr_pstrcat(pool, "IdentityKeyEscrow ", errmsg, NULL);
    else if (!identity_sealing_key_read(text, made))
        errmsg = apr_psprintf(
            pool,
            "IdentityKeyEscrow %s does not contain 32 bytes as 64 hexadecimal digits or in base64; "
            "`openssl rand -hex 32` generates them.",
            path);
    *key = made;
    apr_pool_destroy(texts);
    return errmsg;
}

const char *identity_openid_load(apr_pool_t *pool, const char *path,
                                 const identity_openid_key_t **key)
{
    apr_pool_t *texts;
    char *pem = NULL;

    apr_pool_create(&texts, pool);
    const char *errmsg = identity_secret_read(texts, path, &pem);
    *key = errmsg ? NULL : identity_openid_key_load(pool, pem);
    if (errmsg)
        errmsg = apr_pstrcat(pool, "IdentityOpenIDKey ", errmsg, NULL);
    else if (!*key)
        errmsg = apr_psprintf(pool,
                              "IdentityOpenIDKey %s is not a valid RSA private key of 2048 to 8192 "
                              "bits in PEM format.",
                              path);
    apr_pool_destroy(texts);
    return errmsg;
}
