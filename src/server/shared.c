/* SPDX-License-Identifier: Apache-2.0 */
/* Memory shared by all processes of the server: anonymous, allocated by the parent, zeroed; and which of these
 * processes still exist. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include <apr_shm.h>

#include "server_int.h"

void *identity_memory_shared(apr_pool_t *pool, size_t size)
{
    apr_shm_t *memory;

    /* APR keeps a word of its own at the beginning. */
    if (apr_shm_create(&memory, size + IDENTITY_SHARED_BORDER, NULL, pool) != APR_SUCCESS)
        return NULL;
    return (void *)identity_shared_border((uintptr_t)apr_shm_baseaddr_get(memory));
}

void *identity_shared(const identity_site_t *site, const char *name, unsigned version, size_t size,
                      identity_shared_init_t *init, const void *context)
{
    apr_pool_t *process = site->main_server->process->pool;
    /* A module that was replaced before a graceful restart may use a different layout. */
    const char *key =
        apr_psprintf(site->pool, "identity-%u-%" APR_SIZE_T_FMT "-%s", version, size, name);
    void *memory = NULL;

    apr_pool_userdata_get(&memory, key, process);
    if (memory)
        return memory;
    memory = identity_memory_shared(process, size);
    if (!memory || (init && !init(memory, context)))
        return NULL;
    apr_pool_userdata_set(memory, key, NULL, process);
    return memory;
}

bool identity_process_gone(pid_t pid)
{
    return (kill(pid, 0) != 0 && errno == ESRCH) || getpgid(pid) != getpgrp();
}
