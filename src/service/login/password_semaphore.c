/* SPDX-License-Identifier: Apache-2.0 */
/* The semaphore of password hashing: at most `slots` threads of all processes at a time, since one hash takes 19 MiB
 * and more and all of a processor (security 17).
 *
 * Limits count failures, but a sign-in that succeeds costs the same, so the queue itself is fair (A5):
 *  - an account has two waiting places, whoever asks for it;
 *  - requests of one client for one account with the same password at the same moment share one hash: they follow the
 *    first one and have its result;
 *  - while the queue is full, a newcomer takes the place of somebody of the client address that has the most, or of a
 *    (client, account) pair that has had its turn since the newcomer's; and addresses, then these pairs, take turns.
 *    Otherwise it is first come, first served, whatever the address: a whole office may share one.
 *
 * It lies in memory that processes share. One robust mutex guards all of it, for a few microseconds at a time; who
 * waits sleeps on a futex of its own entry. Every number is counted from the entries, so a process that is killed
 * leaves nothing wrong behind: its entries are dropped by whoever looks next. Passwords are never written into that
 * memory, only keyed digests, for as long as the hash takes.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "login/login.h"

#define PLACES_PER_SLOT 16
#define PLACES_MAX      512
#define FOLLOWERS       128
#define ACCOUNT_PLACES  2
#define LONGEST_WAIT                                                                               \
    INT64_C(10000)              /* milliseconds; a queue of fair hashes is finished long before */
#define LOOK_EVERY INT64_C(250) /* for processes that were killed */
#define BUCKETS    256
#define WAYS       4

typedef enum { WAITING, HASHING, FOLLOWING, DONE, AGAIN, DISPLACED } state_t;

typedef struct entry {
    atomic_uint signal; /* changes with state */
    pid_t pid;          /* 0: the entry is free */
    state_t state;
    unsigned leader; /* whose result a FOLLOWING entry awaits */
    apr_uint64_t number;
    apr_uint64_t client, account, pair;
    bool shared; /* tag identifies what is hashed */
    unsigned char tag[crypto_generichash_BYTES_MIN];
    identity_hash_result_t result;
} entry_t;

/* When a client, or a pair, last got a slot. */
typedef struct turn {
    apr_uint64_t key, number;
} turn_t;

typedef struct shared {
    pthread_mutex_t mutex;
    apr_uint64_t number; /* of the last arrival or turn */
    int64_t swept_at;
    bool crowded; /* the queue was full, and has not gone down to half since */
    unsigned char secret[crypto_generichash_KEYBYTES];
    turn_t turns[BUCKETS][WAYS];
    entry_t entries[];
} shared_t;

struct identity_hashsem {
    shared_t *shared;
    unsigned slots, places, entries;
    bool (*gone)(pid_t pid);
};

static unsigned places_of(unsigned slots)
{
    return slots > PLACES_MAX / PLACES_PER_SLOT ? PLACES_MAX : slots * PLACES_PER_SLOT;
}

/* Followers take a thread, but no processor time. */
static unsigned followers_of(unsigned slots)
{
    return places_of(slots) + FOLLOWERS;
}

/* Some were displaced and have not noticed yet. */
static unsigned entries_of(unsigned slots)
{
    return slots + 2 * places_of(slots) + followers_of(slots);
}

size_t identity_hashsem_size(unsigned slots)
{
    return sizeof(shared_t) + entries_of(slots) * sizeof(entry_t);
}

bool identity_hashsem_init(void *lookup, const identity_random_t *random)
{
    shared_t *shared = lookup;
    pthread_mutexattr_t kind;
    bool made = random->fill(random->context, shared->secret, sizeof shared->secret) &&
                pthread_mutexattr_init(&kind) == 0;

    if (!made)
        return false;
    made = pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0 &&
           pthread_mutex_init(&shared->mutex, &kind) == 0;
    pthread_mutexattr_destroy(&kind);
    return made;
}

identity_hashsem_t *identity_hashsem_open(apr_pool_t *pool, void *lookup, unsigned slots,
                                          bool (*gone)(pid_t pid))
{
    identity_hashsem_t *sem = apr_pcalloc(pool, sizeof *sem);

    sem->shared = lookup;
    sem->slots = slots;
    sem->places = places_of(slots);
    sem->entries = entries_of(slots);
    sem->gone = gone;
    return sem;
}

/* ---- small things ----------------------------------------------------------------------------------------------- */

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A process killed in here can only have left its own entry inconsistent, or one that will be checked again. */
static bool lock(identity_hashsem_t *sem)
{
    int error = pthread_mutex_lock(&sem->shared->mutex);

    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&sem->shared->mutex);
    return error == 0;
}

static void unlock(identity_hashsem_t *sem)
{
    pthread_mutex_unlock(&sem->shared->mutex);
}

static void change(entry_t *entry, state_t state)
{
    entry->state = state;
    atomic_fetch_add(&entry->signal, 1);
    syscall(SYS_futex, &entry->signal, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void digest(const identity_hashsem_t *sem, void *to, size_t size, const char *const texts[],
                   size_t count)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, sem->shared->secret, sizeof sem->shared->secret,
                            size < 16 ? 16 : size);
    for (size_t i = 0; i < count; i++)
        crypto_generichash_update(&state, (const unsigned char *)texts[i], strlen(texts[i]) + 1);
    unsigned char made[16];
    crypto_generichash_final(&state, made, sizeof made);
    memcpy(to, made, size);
    identity_wipe(&state, sizeof state);
}

static entry_t wanted_of(const identity_hashsem_t *sem, const identity_hash_request_t *request)
{
    entry_t wanted = {.state = WAITING, .shared = request->hash != NULL};
    const char *client = request->client ? request->client : "",
               *account = request->account ? request->account : "";
    const char *hash = request->hash ? request->hash : "",
               *password = request->password ? request->password : "";

    digest(sem, &wanted.client, sizeof wanted.client, (const char *[]){"client", client}, 2);
    digest(sem, &wanted.account, sizeof wanted.account, (const char *[]){"account", account}, 2);
    digest(sem, &wanted.pair, sizeof wanted.pair, (const char *[]){"pair", client, account}, 3);
    if (wanted.shared)
        digest(sem, wanted.tag, sizeof wanted.tag,
               (const char *[]){"tag", client, account, hash, password}, 5);
    return wanted;
}

/* ---- what the entries say --------------------------------------------------------------------------------------- */

static bool is(const entry_t *entry, state_t state)
{
    return entry->pid && entry->state == state;
}

static unsigned count(const identity_hashsem_t *sem, state_t state)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < sem->entries; i++)
        sum += is(&sem->shared->entries[i], state);
    return sum;
}

/* How many wait for a client and an account; NULL: for any. */
static unsigned waiting(const identity_hashsem_t *sem, const apr_uint64_t *client,
                        const apr_uint64_t *account)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < sem->entries; i++) {
        const entry_t *entry = &sem->shared->entries[i];
        sum += is(entry, WAITING) && (!client || entry->client == *client) &&
               (!account || entry->account == *account);
    }
    return sum;
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

static apr_uint64_t last_turn(const identity_hashsem_t *sem, apr_uint64_t key)
{
    const turn_t *bucket = sem->shared->turns[key % BUCKETS];

    for (int i = 0; i < WAYS; i++)
        if (bucket[i].key == key)
            return bucket[i].number;
    return 0;
}

static void take_turn(identity_hashsem_t *sem, apr_uint64_t key)
{
    turn_t *bucket = sem->shared->turns[key % BUCKETS], *turn = bucket;

    for (int i = 0; i < WAYS; i++) {
        if (bucket[i].key == key) {
            turn = &bucket[i];
            break;
        }
        if (bucket[i].number < turn->number)
            turn = &bucket[i];
    }
    *turn = (turn_t){key, ++sem->shared->number};
}

/* Should a get the next slot before b? */
static bool before(const identity_hashsem_t *sem, const entry_t *a, const entry_t *b)
{
    bool turns = sem->shared->crowded;
    apr_uint64_t a_client = last_turn(sem, a->client), b_client = last_turn(sem, b->client);
    apr_uint64_t a_pair = last_turn(sem, a->pair), b_pair = last_turn(sem, b->pair);

    if (turns && a_client != b_client)
        return a_client < b_client;
    if (turns && a_pair != b_pair)
        return a_pair < b_pair;
    return a->number < b->number;
}

/* Assigns all free slots. */
static void grant(identity_hashsem_t *sem)
{
    for (unsigned used = count(sem, HASHING); used < sem->slots; used++) {
        entry_t *next = NULL;
        for (unsigned i = 0; i < sem->entries; i++) {
            entry_t *entry = &sem->shared->entries[i];
            if (is(entry, WAITING) && (!next || before(sem, entry, next)))
                next = entry;
        }
        if (!next)
            return;
        take_turn(sem, next->client);
        take_turn(sem, next->pair);
        change(next, HASHING);
        if (2 * waiting(sem, NULL, NULL) < sem->places)
            sem->shared->crowded = false;
    }
}

/* ---- going ------------------------------------------------------------------------------------------------------ */

/* Frees an entry; its followers get its result, or must hash for themselves. */
static void release(identity_hashsem_t *sem, entry_t *entry, identity_hash_result_t result)
{
    unsigned number = (unsigned)(entry - sem->shared->entries);

    for (unsigned i = 0; i < sem->entries; i++) {
        entry_t *follower = &sem->shared->entries[i];
        if (is(follower, FOLLOWING) && follower->leader == number) {
            follower->result = result;
            change(follower, result == IDENTITY_HASH_UNKNOWN ? AGAIN : DONE);
        }
    }
    identity_wipe(entry->tag, sizeof entry->tag);
    entry->pid = 0;
}

/* Drops entries of dead processes. */
static void sweep(identity_hashsem_t *sem, int64_t now)
{
    pid_t self = getpid(), known = self;

    if (now - sem->shared->swept_at < LOOK_EVERY / 2)
        return;
    sem->shared->swept_at = now;
    for (unsigned i = 0; i < sem->entries; i++) {
        entry_t *entry = &sem->shared->entries[i];
        if (!entry->pid || entry->pid == self || entry->pid == known)
            continue;
        if (sem->gone(entry->pid))
            release(sem, entry, IDENTITY_HASH_UNKNOWN);
        else
            known = entry->pid;
    }
    grant(sem);
}

/* ---- coming ----------------------------------------------------------------------------------------------------- */

/* The waiting entry (for the newcomer's account, or any) that the newcomer displaces, or NULL. */
static entry_t *to_displace(identity_hashsem_t *sem, const entry_t *newcomer, bool of_account)
{
    const apr_uint64_t *account = of_account ? &newcomer->account : NULL;
    unsigned own = waiting(sem, &newcomer->client, account), most = 0;
    apr_uint64_t turn = last_turn(sem, newcomer->pair), latest = 0;
    entry_t *found = NULL;

    for (unsigned i = 0; i < sem->entries; i++) {
        entry_t *entry = &sem->shared->entries[i];
        if (!is(entry, WAITING) || (account && entry->account != *account))
            continue;
        unsigned share = waiting(sem, &entry->client, account);
        apr_uint64_t its = last_turn(sem, entry->pair);
        if (share <= own + 1 && (share < own || its <= turn))
            continue;
        if (!found || share > most ||
            (share == most && (its > latest || (its == latest && entry->number > found->number)))) {
            found = entry;
            most = share;
            latest = its;
        }
    }
    return found;
}

static bool make_place(identity_hashsem_t *sem, const entry_t *newcomer)
{
    bool of_account = waiting(sem, NULL, &newcomer->account) >= ACCOUNT_PLACES;
    bool full = waiting(sem, NULL, NULL) >= sem->places;

    if (!of_account && !full)
        return true;
    sem->shared->crowded = sem->shared->crowded || full;
    entry_t *out = to_displace(sem, newcomer, of_account);
    if (out)
        change(out, DISPLACED);
    return out != NULL;
}

static entry_t *leader_of(identity_hashsem_t *sem, const entry_t *wanted)
{
    for (unsigned i = 0; wanted->shared && i < sem->entries; i++) {
        entry_t *entry = &sem->shared->entries[i];
        if ((is(entry, WAITING) || is(entry, HASHING)) && entry->shared &&
            sodium_memcmp(entry->tag, wanted->tag, sizeof wanted->tag) == 0)
            return entry;
    }
    return NULL;
}

/* Creates an entry in the queue, behind a leader it can share with, or in a slot. NULL: refused. */
static entry_t *arrive(identity_hashsem_t *sem, const entry_t *wanted)
{
    entry_t *leader = leader_of(sem, wanted), *entry = NULL;
    bool slot = count(sem, HASHING) < sem->slots && waiting(sem, NULL, NULL) == 0;

    for (unsigned i = 0; i < sem->entries && !entry; i++)
        if (!sem->shared->entries[i].pid)
            entry = &sem->shared->entries[i];
    if (!entry || (leader ? count(sem, FOLLOWING) >= followers_of(sem->slots)
                          : !slot && !make_place(sem, wanted)))
        return NULL;
    entry->client = wanted->client;
    entry->account = wanted->account;
    entry->pair = wanted->pair;
    entry->shared = wanted->shared && !leader;
    if (entry->shared)
        memcpy(entry->tag, wanted->tag, sizeof entry->tag);
    entry->leader = leader ? (unsigned)(leader - sem->shared->entries) : 0;
    entry->state = leader ? FOLLOWING : WAITING;
    entry->number = ++sem->shared->number;
    entry->pid = getpid();
    grant(sem);
    return entry;
}

static bool settled(const entry_t *entry)
{
    return entry->state != WAITING && entry->state != FOLLOWING;
}

/* The mutex is held on entry and on return. */
static bool await(identity_hashsem_t *sem, entry_t *entry, int64_t deadline)
{
    const struct timespec patience = {.tv_nsec = LOOK_EVERY * 1000000};

    while (!settled(entry) && milliseconds() < deadline) {
        unsigned seen = atomic_load(&entry->signal);
        unlock(sem);
        syscall(SYS_futex, &entry->signal, FUTEX_WAIT, seen, &patience, NULL, 0);
        if (!lock(sem))
            return false;
        sweep(sem, milliseconds());
    }
    return true;
}

static identity_hash_turn_t outcome(identity_hashsem_t *sem, entry_t *entry,
                                    identity_hash_ticket_t *ticket, bool *again)
{
    if (entry->state == HASHING) {
        ticket->entry = (unsigned)(entry - sem->shared->entries);
        ticket->number = entry->number;
        return IDENTITY_HASH_ENTERED;
    }
    bool done = entry->state == DONE;
    *again = entry->state == AGAIN;
    ticket->result = done ? entry->result : IDENTITY_HASH_UNKNOWN;
    release(sem, entry, IDENTITY_HASH_UNKNOWN);
    return done ? IDENTITY_HASH_SHARED : IDENTITY_HASH_REFUSED;
}

identity_hash_turn_t identity_hashsem_enter(identity_hashsem_t *sem,
                                            const identity_hash_request_t *request,
                                            identity_hash_ticket_t *ticket)
{
    entry_t wanted = wanted_of(sem, request);
    int64_t deadline = milliseconds() + LONGEST_WAIT;
    identity_hash_turn_t turn = IDENTITY_HASH_REFUSED;
    bool again = true;

    *ticket = (identity_hash_ticket_t){.waited = false};
    while (again && milliseconds() < deadline && lock(sem)) {
        again = false;
        if (count(sem, HASHING) >= sem->slots)
            sweep(sem, milliseconds());
        entry_t *entry = arrive(sem, &wanted);
        ticket->waited = ticket->waited || (entry && !settled(entry));
        if (entry && !await(sem, entry, deadline))
            return IDENTITY_HASH_REFUSED;
        turn = entry ? outcome(sem, entry, ticket, &again) : IDENTITY_HASH_REFUSED;
        unlock(sem);
    }
    identity_wipe(&wanted, sizeof wanted);
    return turn;
}

void identity_hashsem_leave(identity_hashsem_t *sem, const identity_hash_ticket_t *ticket,
                            identity_hash_result_t result)
{
    if (!lock(sem))
        return;
    entry_t *entry = &sem->shared->entries[ticket->entry];
    if (entry->pid == getpid() && entry->number == ticket->number)
        release(sem, entry, result);
    grant(sem);
    unlock(sem);
}

void identity_hashsem_join(identity_hashsem_t *sem)
{
    if (!lock(sem))
        return;
    for (unsigned i = 0; i < sem->entries; i++)
        if (sem->shared->entries[i].pid == getpid())
            release(sem, &sem->shared->entries[i], IDENTITY_HASH_UNKNOWN);
    grant(sem);
    unlock(sem);
}

void identity_hashsem_look(identity_hashsem_t *sem, unsigned *hashing, unsigned *queued)
{
    *hashing = *queued = 0;
    if (!lock(sem))
        return;
    sweep(sem, milliseconds());
    *hashing = count(sem, HASHING);
    *queued = waiting(sem, NULL, NULL) + count(sem, FOLLOWING);
    unlock(sem);
}
