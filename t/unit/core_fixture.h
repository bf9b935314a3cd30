/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/core share: a pool for the whole run, and sources of random bytes. */
#ifndef IDENTITY_CORE_FIXTURE_H
#define IDENTITY_CORE_FIXTURE_H

#include <sys/random.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "identity/core.h"
#include "tap.h"

static apr_pool_t *pool;

static inline void fixture_begin(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    json_object_seed(0);
}

static inline int fixture_end(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}

static inline bool fill_of_machine(void *context, void *buffer, size_t size)
{
    (void)context;
    return getrandom(buffer, size, 0) == (ssize_t)size;
}

static inline bool fill_with_byte(void *context, void *buffer, size_t size)
{
    memset(buffer, *(const int *)context, size);
    return true;
}

static inline bool fill_fails(void *context, void *buffer, size_t size)
{
    (void)context;
    (void)buffer;
    (void)size;
    return false;
}

__attribute__((unused)) static const identity_random_t machine_random = {fill_of_machine, NULL};
__attribute__((unused)) static const identity_random_t no_random = {fill_fails, NULL};

/* text, count times over */
static inline const char *repeat(const char *text, int count)
{
    size_t length = strlen(text);
    char *result = apr_palloc(pool, length * (size_t)count + 1);
    for (int i = 0; i < count; i++) {
        memcpy(result + (size_t)i * length, text, length);
    }
    result[length * (size_t)count] = '\0';
    return result;
}

#endif
