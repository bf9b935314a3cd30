/* The gate of password hashing: at most `slots` threads of all children at a time, since one hash takes 19 MiB and more
 * and all of a processor.
 *
 * It lies in anonymous shared memory of the parent, so both generations of a graceful restart use the same one. A slot
 * is a robust mutex: what a child that was killed held or waited for is free at once. Waiters are given slots by turns
 * and queue in the kernel; how many each process has waiting stands in a table, which tells when the queue is full.
 * Nothing here is a counter that a killed child could leave behind wrong.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_shm.h>

#include "server_int.h"

#define WAITERS_PER_SLOT 16
#define LONGEST_WAIT     10 /* seconds; a queue of fair hashes is through long before */

/* Each on a cache line of its own. */
typedef struct slot {
    _Alignas(64) pthread_mutex_t mutex;
    _Atomic pid_t owner; /* thread id, 0 where free */
} slot_t;

typedef struct process {
    _Atomic pid_t pid; /* 0: the entry is free */
    _Atomic int waiting;
} process_t;

typedef struct shared {
    atomic_uint turn;
    slot_t slots[];
} shared_t;

struct identity_gate {
    shared_t *shared;
    process_t *table; /* behind the slots */
    unsigned slots, processes;
    process_t *mine; /* of this process; NULL: the table is full, so it never waits */
};

/* ---- making ----------------------------------------------------------------------------------------------------- */

static bool slot_make(slot_t *slot)
{
    pthread_mutexattr_t kind;
    bool made = pthread_mutexattr_init(&kind) == 0 &&
                pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0 &&
                pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0;

    /* Handed from holder to longest waiter by the kernel; where it cannot, waiters still get it, only less justly. */
    pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
    made = made && pthread_mutex_init(&slot->mutex, &kind) == 0;
    pthread_mutexattr_destroy(&kind);
    return made;
}

static shared_t *shared_make(apr_pool_t *pool, apr_size_t size, unsigned slots)
{
    apr_shm_t *memory;

    /* APR keeps a word of its own in front. */
    if (apr_shm_create(&memory, size + _Alignof(shared_t), NULL, pool) != APR_SUCCESS)
        return NULL;
    uintptr_t base = (uintptr_t)apr_shm_baseaddr_get(memory), mask = _Alignof(shared_t) - 1;
    shared_t *shared = (shared_t *)((base + mask) & ~mask);
    memset(shared, 0, size);
    for (unsigned i = 0; i < slots; i++)
        if (!slot_make(&shared->slots[i]))
            return NULL;
    return shared;
}

identity_gate_t *identity_gate_open(apr_pool_t *configuration, apr_pool_t *process, unsigned slots, unsigned processes)
{
    identity_gate_t *gate = apr_pcalloc(configuration, sizeof *gate);
    apr_size_t table = sizeof(shared_t) + slots * sizeof(slot_t), size = table + processes * sizeof(process_t);
    const char *name = apr_psprintf(configuration, "identity-gate-%u-%u", slots, processes);
    void *shared = NULL;

    apr_pool_userdata_get(&shared, name, process);
    if (!shared) {
        shared = shared_make(process, size, slots);
        if (!shared)
            return NULL;
        apr_pool_userdata_set(shared, name, NULL, process);
    }
    gate->shared = shared;
    gate->table = (process_t *)((char *)shared + table);
    gate->slots = slots;
    gate->processes = processes;
    return gate;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* Gone, or a number that some other program has got since: children of a server are all in one process group. */
bool identity_process_gone(pid_t pid)
{
    return (kill(pid, 0) != 0 && errno == ESRCH) || getpgid(pid) != getpgrp();
}

static void sweep(identity_gate_t *gate)
{
    for (unsigned i = 0; i < gate->processes; i++) {
        process_t *entry = &gate->table[i];
        pid_t pid = atomic_load(&entry->pid);
        if (pid && identity_process_gone(pid) && atomic_compare_exchange_strong(&entry->pid, &pid, -1)) {
            atomic_store(&entry->waiting, 0);
            atomic_store(&entry->pid, 0);
        }
    }
}

static process_t *take_entry(identity_gate_t *gate)
{
    for (unsigned i = 0; i < gate->processes; i++) {
        pid_t nobody = 0;
        if (atomic_compare_exchange_strong(&gate->table[i].pid, &nobody, getpid())) {
            atomic_store(&gate->table[i].waiting, 0);
            return &gate->table[i];
        }
    }
    return NULL;
}

static apr_status_t leave_table(void *gate_)
{
    identity_gate_t *gate = gate_;

    if (gate->mine)
        atomic_store(&gate->mine->pid, 0);
    gate->mine = NULL;
    return APR_SUCCESS;
}

void identity_gate_join(identity_gate_t *gate, apr_pool_t *child)
{
    /* A killed child may have had the number that this one has now. */
    for (unsigned i = 0; i < gate->processes; i++)
        if (atomic_load(&gate->table[i].pid) == getpid())
            atomic_store(&gate->table[i].pid, 0);
    gate->mine = take_entry(gate);
    if (!gate->mine) {
        sweep(gate);
        gate->mine = take_entry(gate);
    }
    apr_pool_cleanup_register(child, gate, leave_table, apr_pool_cleanup_null);
}

static unsigned waiting(const identity_gate_t *gate)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < gate->processes; i++)
        if (atomic_load(&gate->table[i].pid) > 0)
            sum += (unsigned)atomic_load(&gate->table[i].waiting);
    return sum;
}

static bool queue(identity_gate_t *gate)
{
    unsigned places = gate->slots * WAITERS_PER_SLOT;

    if (!gate->mine)
        return false;
    atomic_fetch_add(&gate->mine->waiting, 1);
    if (waiting(gate) <= places)
        return true;
    sweep(gate);
    if (waiting(gate) <= places)
        return true;
    atomic_fetch_sub(&gate->mine->waiting, 1);
    return false;
}

/* ---- entering and leaving --------------------------------------------------------------------------------------- */

static bool own(slot_t *slot, int error)
{
    /* The holder was killed; what it guarded is nothing but time and memory, which are free again. */
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&slot->mutex);
    if (error != 0)
        return false;
    atomic_store(&slot->owner, gettid());
    return true;
}

bool identity_gate_enter(identity_gate_t *gate, bool *waited)
{
    unsigned turn = atomic_fetch_add(&gate->shared->turn, 1);
    struct timespec end;

    *waited = false;
    for (unsigned i = 0; i < gate->slots; i++) {
        slot_t *slot = &gate->shared->slots[(turn + i) % gate->slots];
        if (own(slot, pthread_mutex_trylock(&slot->mutex)))
            return true;
    }
    if (!queue(gate))
        return false;
    *waited = true;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LONGEST_WAIT;
    slot_t *slot = &gate->shared->slots[turn % gate->slots];
    bool entered = own(slot, pthread_mutex_timedlock(&slot->mutex, &end));
    atomic_fetch_sub(&gate->mine->waiting, 1);
    return entered;
}

void identity_gate_leave(identity_gate_t *gate)
{
    pid_t self = gettid();

    for (unsigned i = 0; i < gate->slots; i++) {
        slot_t *slot = &gate->shared->slots[i];
        if (atomic_load(&slot->owner) != self)
            continue;
        atomic_store(&slot->owner, 0);
        /* A slot that a killed thread of the same number left behind is not ours to unlock. */
        if (pthread_mutex_unlock(&slot->mutex) == 0)
            return;
    }
}

void identity_gate_look(identity_gate_t *gate, identity_figures_t *figures)
{
    unsigned used = 0;

    sweep(gate);
    for (unsigned i = 0; i < gate->slots; i++) {
        pid_t owner = atomic_load(&gate->shared->slots[i].owner);
        /* A slot of a thread that was killed is free. */
        used += owner && (kill(owner, 0) == 0 || errno != ESRCH);
    }
    identity_figure_set(figures, IDENTITY_METRIC_HASH_SLOTS, gate->slots);
    identity_figure_set(figures, IDENTITY_METRIC_HASH_IN_USE, used);
    identity_figure_set(figures, IDENTITY_METRIC_HASH_WAITING, waiting(gate));
}
