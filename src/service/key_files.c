/* Signing keys that lie beside the database: identity-signing-key.pem, which the first start makes, and
 * identity-signing-key-1.pem and so on, which rotations make. The highest number signs, all verify. */
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>

#include "service_int.h"

#define STEM   "identity-signing-key"
#define SUFFIX ".pem"
#define DIGITS 9

typedef struct found {
    long number;
    const char *path;
} found_t;

/* -1: it is none. */
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
    long one = ((const found_t *)a)->number, other = ((const found_t *)b)->number;
    return (one < other) - (one > other);
}

const char *identity_key_file(apr_pool_t *pool, const char *folder, long number)
{
    return number ? apr_psprintf(pool, "%s/" STEM "-%ld" SUFFIX, folder, number)
                  : apr_pstrcat(pool, folder, "/" STEM SUFFIX, NULL);
}

apr_array_header_t *identity_key_files(apr_pool_t *pool, const char *folder, long *highest)
{
    apr_array_header_t *found = apr_array_make(pool, 2, sizeof(found_t)),
                       *paths = apr_array_make(pool, 2, sizeof(const char *));
    apr_finfo_t info;
    apr_dir_t *dir;

    *highest = -1;
    if (apr_dir_open(&dir, folder, pool) == APR_SUCCESS) {
        while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
            long number = number_of(info.name);
            if (number >= 0)
                *(found_t *)apr_array_push(found) = (found_t){number, identity_key_file(pool, folder, number)};
        }
        apr_dir_close(dir);
    }
    qsort(found->elts, (size_t)found->nelts, sizeof(found_t), newer_first);
    for (int i = 0; i < found->nelts; i++)
        APR_ARRAY_PUSH(paths, const char *) = APR_ARRAY_IDX(found, i, found_t).path;
    if (found->nelts)
        *highest = APR_ARRAY_IDX(found, 0, found_t).number;
    else
        APR_ARRAY_PUSH(paths, const char *) = identity_key_file(pool, folder, 0);
    return paths;
}
