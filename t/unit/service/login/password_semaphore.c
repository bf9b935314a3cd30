/* SPDX-License-Identifier: Apache-2.0 */
/* The semaphore of password hashing: who is given a slot, who waits and who is refused, told by counting; between
 * threads, processes, and processes that are killed. (A5; security 17) */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <sodium.h>

#include "identity/service.h"
#include "tap.h"

#define PLACES 16 /* of one slot */

static apr_pool_t *pool;
static identity_hashsem_t *sem;
static unsigned slots;

static bool fill(void *context, void *buffer, size_t size)
{
    (void)context;
    randombytes_buf(buffer, size);
    return true;
}

static bool gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void fresh(unsigned wanted)
{
    const identity_random_t random = {.fill = fill};
    void *memory = mmap(NULL, identity_hashsem_size(wanted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || !identity_hashsem_init(memory, &random))
        bail("there is no semaphore");
    slots = wanted;
    sem = identity_hashsem_open(pool, memory, wanted, gone);
}

/* ---- people who come, one after the other ----------------------------------------------------------------------- */

#define PEOPLE 128
typedef struct person {
    identity_hash_request_t request;
    identity_hash_ticket_t ticket;
    identity_hash_turn_t turn;
    pthread_t thread;
    atomic_bool answered;
    bool joined;
    int place; /* among those who were given a slot, from 1 */
} person_t;

static person_t people[PEOPLE];
static int came;
static atomic_int entered;

static void *come(void *data)
{
    person_t *person = data;

    person->turn = identity_hashsem_enter(sem, &person->request, &person->ticket);
    if (person->turn == IDENTITY_HASH_ENTERED)
        person->place = atomic_fetch_add(&entered, 1) + 1;
    atomic_store(&person->answered, true);
    return NULL;
}

static unsigned known(bool hashing)
{
    unsigned in, queued;

    identity_hashsem_look(sem, &in, &queued);
    return hashing ? in : queued;
}

static int answered(void)
{
    int sum = 0;

    for (int i = 0; i < came; i++)
        sum += atomic_load(&people[i].answered);
    return sum;
}

/* Once everybody who came is in a slot, in the queue, or refused. */
static void settle(void)
{
    unsigned hashing, queued;
    int before;

    do {
        sched_yield();
        before = answered();
        identity_hashsem_look(sem, &hashing, &queued);
    } while (before + (int)queued != came);
}

static person_t *arrives(const char *client, const char *account, const char *password)
{
    person_t *person = &people[came++];

    *person = (person_t){.request = {client, account, password ? "$hash" : NULL, password}};
    if (pthread_create(&person->thread, NULL, come, person) != 0)
        bail("no thread");
    settle();
    return person;
}

static bool waits(const person_t *person)
{
    return !atomic_load(&person->answered);
}

static void wait_for(person_t *person)
{
    if (!person->joined)
        pthread_join(person->thread, NULL);
    person->joined = true;
}

static void leave(person_t *person, identity_hash_result_t result)
{
    wait_for(person);
    identity_hashsem_leave(sem, &person->ticket, result);
}

/* Lets those who are left through; how many got a slot. */
static int drain(void)
{
    int through = 0, left;

    do {
        left = 0;
        for (int i = 0; i < came; i++) {
            person_t *person = &people[i];
            if (person->joined)
                continue;
            left++;
            if (waits(person))
                continue;
            wait_for(person);
            if (person->turn == IDENTITY_HASH_ENTERED) {
                identity_hashsem_leave(sem, &person->ticket, IDENTITY_HASH_WRONG);
                through++;
            }
        }
        sched_yield();
    } while (left);
    came = 0;
    atomic_store(&entered, 0);
    return through;
}

static void is_empty(const char *name)
{
    is_int(known(true), 0, "A5: %s: nobody hashes", name);
    is_int(known(false), 0, "A5: %s: nobody waits", name);
}

static const char *name_of(const char *prefix, int number)
{
    return apr_psprintf(pool, "%s%d", prefix, number);
}

/* ---- one at a time ---------------------------------------------------------------------------------------------- */

static void test_slots(void)
{
    fresh(2);
    person_t *one = arrives("a", "1", NULL), *two = arrives("a", "2", NULL), *three = arrives("a", "3", NULL);
    is_int(one->turn == IDENTITY_HASH_ENTERED && two->turn == IDENTITY_HASH_ENTERED, true, "two slots, two enter");
    ok(!one->ticket.waited, "... at once");
    ok(waits(three), "the third waits # security 17");
    leave(two, IDENTITY_HASH_WRONG);
    wait_for(three);
    is_int(three->turn, IDENTITY_HASH_ENTERED, "and has the slot of who leaves");
    ok(three->ticket.waited, "... which is told");
    identity_hashsem_leave(sem, &two->ticket, IDENTITY_HASH_WRONG);
    is_int(known(true), 2, "who leaves twice takes nobody's slot away");
    leave(one, IDENTITY_HASH_WRONG);
    leave(three, IDENTITY_HASH_WRONG);
    came = 0;
    is_empty("slots");
}

static void test_account(void)
{
    fresh(1);
    person_t *holder = arrives("a", "held", NULL);
    person_t *first = arrives("a", "ada", "x1"), *second = arrives("a", "ada", "x2"),
             *third = arrives("a", "ada", "x3");
    ok(waits(first) && waits(second), "A5: an account has two waiting places");
    is_int(third->turn, IDENTITY_HASH_REFUSED, "A5: and no third");
    person_t *other = arrives("a", "bob", "x1");
    ok(waits(other), "A5: another account of the same client has its own");
    person_t *owner = arrives("home", "ada", "right");
    ok(waits(owner), "A5: who comes for that account from elsewhere gets one of the two");
    ok(waits(first) && !waits(second), "A5: of the client that had both, the one that came last");
    wait_for(second);
    is_int(second->turn, IDENTITY_HASH_REFUSED, "A5: which is refused");
    person_t *again = arrives("a", "ada", "x4");
    is_int(again->turn, IDENTITY_HASH_REFUSED, "A5: it does not get it back");
    leave(holder, IDENTITY_HASH_WRONG);
    is_int(drain(), 3, "A5: those who waited are served, all of them");
    is_empty("account");
}

static void test_shared(void)
{
    fresh(1);
    person_t *holder = arrives("a", "held", NULL), *same[8];
    for (int i = 0; i < 8; i++)
        same[i] = arrives("a", "ada", "secret");
    person_t *others[] = {arrives("b", "ada", "secret"), arrives("a", "bob", "secret"), arrives("a", "cyd", "Secret")};
    is_int(known(false), 8 + 3, "A5: equal requests wait");
    leave(holder, IDENTITY_HASH_WRONG);
    wait_for(same[0]);
    is_int(same[0]->turn, IDENTITY_HASH_ENTERED, "A5: the first of them hashes");
    ok(waits(same[7]), "A5: the others wait for it");
    identity_hashsem_leave(sem, &same[0]->ticket, IDENTITY_HASH_RIGHT);
    int shared = 0;
    for (int i = 1; i < 8; i++) {
        wait_for(same[i]);
        shared += same[i]->turn == IDENTITY_HASH_SHARED && same[i]->ticket.result == IDENTITY_HASH_RIGHT;
    }
    is_int(shared, 7, "A5: seven have its result without a hash of their own");
    for (int i = 0; i < 3; i++) {
        wait_for(others[i]);
        is_int(others[i]->turn, IDENTITY_HASH_ENTERED, "A5: another client, account or password has a hash of its own");
        identity_hashsem_leave(sem, &others[i]->ticket, IDENTITY_HASH_WRONG);
    }
    came = 0;
    /* What the first one could not find out. */
    holder = arrives("a", "held", NULL);
    same[0] = arrives("a", "ada", "secret");
    same[1] = arrives("a", "ada", "secret");
    leave(holder, IDENTITY_HASH_WRONG);
    leave(same[0], IDENTITY_HASH_UNKNOWN);
    wait_for(same[1]);
    is_int(same[1]->turn, IDENTITY_HASH_ENTERED, "A5: where there was no result the next one sees for itself");
    leave(same[1], IDENTITY_HASH_WRONG);
    came = 0;
    holder = arrives("a", "ada", NULL);
    person_t *making = arrives("a", "ada", NULL);
    ok(waits(making), "A5: new hashes are never shared");
    leave(holder, IDENTITY_HASH_UNKNOWN);
    leave(making, IDENTITY_HASH_UNKNOWN);
    came = 0;
    is_empty("shared");
}

static void test_full(void)
{
    person_t *many[PLACES];

    fresh(1);
    person_t *holder = arrives("flood", "held", NULL);
    for (int i = 0; i < PLACES; i++)
        many[i] = arrives("flood", name_of("f", i), "x");
    is_int(known(false), PLACES, "A5: a client fills the queue with accounts of its own");
    is_int(arrives("flood", "f99", "x")->turn, IDENTITY_HASH_REFUSED, "A5: it gets no more than there is");
    person_t *ada = arrives("home", "ada", "y"), *bob = arrives("work", "bob", "y");
    ok(waits(ada) && waits(bob), "A5: others get places all the same");
    wait_for(many[PLACES - 1]);
    wait_for(many[PLACES - 2]);
    is_int(many[PLACES - 1]->turn == IDENTITY_HASH_REFUSED && many[PLACES - 2]->turn == IDENTITY_HASH_REFUSED, true,
           "A5: those of the client that has the most, the last to come first");
    is_int(known(false), PLACES, "A5: the queue is no longer than before");
    atomic_store(&entered, 0);
    leave(holder, IDENTITY_HASH_WRONG);
    wait_for(ada);
    leave(ada, IDENTITY_HASH_WRONG);
    wait_for(bob);
    leave(bob, IDENTITY_HASH_WRONG);
    is_int(ada->place == 1 && bob->place == 2, true, "A5: clients take turns, so theirs come first");
    drain();
    is_empty("full");
}

/* Behind one address: an office, or a proxy that is not told of. */
static void test_pairs(void)
{
    fresh(1);
    person_t *holder = arrives("office", "held", NULL);
    leave(holder, IDENTITY_HASH_WRONG);
    person_t *served = arrives("office", "loud", "x1");
    leave(served, IDENTITY_HASH_WRONG);
    came = 0;
    holder = arrives("office", "held", NULL);
    person_t *loud1 = arrives("office", "loud", "x2"), *loud2 = arrives("office", "loud", "x3");
    for (int i = 0; i < PLACES - 2; i++)
        arrives("office", name_of("p", i), "x");
    person_t *newcomer = arrives("office", "quiet", "x");
    ok(waits(newcomer), "A5: the queue is full of one client's; an account that had no turn yet gets a place");
    ok(waits(loud1) && !waits(loud2), "A5: of the one that had");
    atomic_store(&entered, 0);
    leave(holder, IDENTITY_HASH_WRONG);
    drain();
    ok(loud1->place > PLACES / 2, "A5: and pairs of client and account take turns: who came first is no. %d",
       loud1->place);
    is_empty("pairs");
}

/* ---- all at once ------------------------------------------------------------------------------------------------ */

static atomic_bool over;
static atomic_int inside, most, served, refused;

static bool sign_in(identity_hash_request_t request)
{
    identity_hash_ticket_t ticket;
    identity_hash_turn_t turn = identity_hashsem_enter(sem, &request, &ticket);

    if (turn == IDENTITY_HASH_ENTERED) {
        int now = atomic_fetch_add(&inside, 1) + 1, seen = atomic_load(&most);
        while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
            ;
        sched_yield();
        atomic_fetch_sub(&inside, 1);
        identity_hashsem_leave(sem, &ticket, IDENTITY_HASH_RIGHT);
    }
    atomic_fetch_add(turn == IDENTITY_HASH_REFUSED ? &refused : &served, 1);
    return turn != IDENTITY_HASH_REFUSED;
}

typedef enum { ONE_ACCOUNT, OWN_ACCOUNTS, NEW_ACCOUNTS, OTHER_PASSWORDS } flood_t;
static flood_t kind;

static void *flood(void *data)
{
    int number = (int)(intptr_t)data;
    char account[32], password[32];

    for (int i = 0; !atomic_load(&over); i++) {
        snprintf(account, sizeof account, "flood%d.%d", kind == OWN_ACCOUNTS || kind == NEW_ACCOUNTS ? number : 0,
                 kind == NEW_ACCOUNTS ? i : 0);
        snprintf(password, sizeof password, "%d.%d", kind == OTHER_PASSWORDS ? number : 0,
                 kind == OTHER_PASSWORDS ? i : 0);
        if (!sign_in((identity_hash_request_t){"flood", account, "$hash", password}))
            sched_yield();
    }
    return NULL;
}

/* 60 connections of one client without pause, and five people who sign in ten times each. */
static void test_flood(const char *name, flood_t which, unsigned wanted)
{
    enum { CONNECTIONS = 60, OTHERS = 5, TIMES = 10 };
    pthread_t threads[CONNECTIONS];
    int got = 0;

    fresh(wanted);
    kind = which;
    atomic_store(&over, false);
    atomic_store(&most, 0);
    for (int i = 0; i < CONNECTIONS; i++)
        if (pthread_create(&threads[i], NULL, flood, (void *)(intptr_t)i) != 0)
            bail("no thread");
    while (atomic_load(&served) + atomic_load(&refused) < CONNECTIONS)
        sched_yield();
    for (int i = 0; i < OTHERS * TIMES; i++) {
        const char *principal = name_of("person", i % OTHERS);
        got += sign_in((identity_hash_request_t){principal, principal, "$hash", "right"});
    }
    atomic_store(&over, true);
    for (int i = 0; i < CONNECTIONS; i++)
        pthread_join(threads[i], NULL);
    is_int(got, OTHERS * TIMES, "A5: %s: everybody else is given a slot, each time", name);
    ok(atomic_load(&most) <= (int)wanted, "A5: %s: never more than %u at a time # security 17", name, wanted);
    is_empty(name);
    atomic_store(&served, 0);
    atomic_store(&refused, 0);
}

/* ---- processes that are killed ---------------------------------------------------------------------------------- */

/* A process that does that and then sleeps until it is killed; returns when it has begun. */
static pid_t process(identity_hash_request_t request, bool waits_there)
{
    int ready[2];
    char byte;

    if (pipe(ready))
        bail("no pipe");
    unsigned before = known(false);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        identity_hash_ticket_t ticket;
        identity_hashsem_join(sem);
        close(ready[0]);
        if (identity_hashsem_enter(sem, &request, &ticket) != IDENTITY_HASH_ENTERED || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (waits_there)
        while (known(false) == before)
            sched_yield();
    else if (read(ready[0], &byte, 1) != 1)
        bail("a process got no slot");
    close(ready[0]);
    return child;
}

static void kill_it(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void test_killed(void)
{
    fresh(1);
    pid_t holder = process((identity_hash_request_t){"a", "held", NULL, NULL}, false);
    person_t *waiter = arrives("a", "ada", "x");
    ok(waits(waiter), "A5: a process has the slot");
    kill_it(holder);
    wait_for(waiter);
    is_int(waiter->turn, IDENTITY_HASH_ENTERED, "A5: it is killed: the slot is free");
    pid_t queued = process((identity_hash_request_t){"a", "ada", "$hash", "y"}, true);
    kill_it(queued);
    person_t *next = arrives("b", "bob", "x");
    leave(waiter, IDENTITY_HASH_WRONG);
    wait_for(next);
    is_int(next->turn, IDENTITY_HASH_ENTERED, "A5: one that was killed in the queue is passed over");
    leave(next, IDENTITY_HASH_WRONG);
    came = 0;
    pid_t leader = process((identity_hash_request_t){"a", "ada", "$hash", "z"}, false);
    person_t *follower = arrives("a", "ada", "z");
    ok(waits(follower), "A5: an equal request waits for the result of another process");
    kill_it(leader);
    wait_for(follower);
    is_int(follower->turn, IDENTITY_HASH_ENTERED, "A5: which never comes: it does the work itself");
    leave(follower, IDENTITY_HASH_RIGHT);
    came = 0;
    is_empty("killed");
}

/* Children that come and go by SIGKILL, at whatever moment. */
static void test_many_killed(void)
{
    enum { CHILDREN = 6, KILLS = 40 };
    pid_t children[CHILDREN] = {0};

    fresh(2);
    fflush(stdout);
    for (int i = 0; i < KILLS; i++) {
        pid_t *child = &children[i % CHILDREN];
        if (*child)
            kill_it(*child);
        *child = fork();
        if (*child == 0) {
            pthread_t threads[10];
            identity_hashsem_join(sem);
            kind = (flood_t)(i % 4);
            for (int j = 0; j < 10; j++)
                pthread_create(&threads[j], NULL, flood, (void *)(intptr_t)(i * 10 + j));
            for (;;)
                pause();
        }
        if (!sign_in((identity_hash_request_t){name_of("p", i % 3), name_of("p", i % 3), "$hash", "right"}))
            diag("refused at kill %d", i);
    }
    is_int(atomic_load(&refused), 0, "A5: while children are killed all who come are given a slot");
    for (int i = 0; i < CHILDREN; i++)
        kill_it(children[i]);
    while (known(true) + known(false))
        sched_yield();
    is_empty("many killed");
    person_t *both[] = {arrives("a", "1", NULL), arrives("a", "2", NULL)};
    is_int(both[0]->turn == IDENTITY_HASH_ENTERED && both[1]->turn == IDENTITY_HASH_ENTERED, true,
           "A5: afterwards every slot is there");
    drain();
    atomic_store(&served, 0);
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    if (sodium_init() < 0)
        bail("libsodium");
    test_slots();
    test_account();
    test_shared();
    test_full();
    test_pairs();
    test_flood("one account", ONE_ACCOUNT, 1);
    test_flood("one account, wrong passwords", OTHER_PASSWORDS, 1);
    test_flood("sixty accounts", OWN_ACCOUNTS, 1);
    test_flood("ever new accounts", NEW_ACCOUNTS, 2);
    test_killed();
    test_many_killed();
    return tap_done();
}
