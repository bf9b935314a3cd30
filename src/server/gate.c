/* The memory of the semaphore of password hashing (password_semaphore.c): anonymous, of the parent, made once in its
 * life, so that both generations of a graceful restart use the same one. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "server_int.h"

bool identity_process_gone(pid_t pid)
{
    return (kill(pid, 0) != 0 && errno == ESRCH) || getpgid(pid) != getpgrp();
}

bool identity_hashsem_share(identity_site_t *site, unsigned slots)
{
    apr_pool_t *process = site->main_server->process->pool;
    const identity_random_t *random = &APR_ARRAY_IDX(site->hosts, 0, identity_host_t *)->env.random;
    /* A module that was replaced before a graceful restart may lay it out in another way. */
    const char *name =
        apr_psprintf(site->pool, "identity-hash-semaphore-1-%u-%" APR_SIZE_T_FMT, slots, identity_hashsem_size(slots));
    void *memory = NULL;

    apr_pool_userdata_get(&memory, name, process);
    if (!memory) {
        memory = identity_memory_shared(process, identity_hashsem_size(slots));
        if (!memory || !identity_hashsem_init(memory, random))
            return false;
        apr_pool_userdata_set(memory, name, NULL, process);
    }
    site->hash_slots = slots;
    site->hashing = identity_hashsem_open(site->pool, memory, slots, identity_process_gone);
    return true;
}

void identity_hashsem_figures(const identity_site_t *site, identity_figures_t *figures)
{
    unsigned hashing, queued;

    identity_hashsem_look(site->hashing, &hashing, &queued);
    identity_figure_set(figures, IDENTITY_METRIC_HASH_SLOTS, site->hash_slots);
    identity_figure_set(figures, IDENTITY_METRIC_HASH_IN_USE, hashing);
    identity_figure_set(figures, IDENTITY_METRIC_HASH_WAITING, queued);
}
