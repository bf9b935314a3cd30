/* Counters by which processes tell that what they remember is old. (security 37) */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core_fixture.h"

static identity_generations_t *shared(void)
{
    void *memory = mmap(NULL, identity_generations_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    identity_generations_t *made = memory == MAP_FAILED ? NULL : identity_generations_make(memory, &machine_random);
    return made ? made : (bail("no generations"), NULL);
}

static identity_stamp_t stamp_of(identity_generations_t *generations, const char *one, const char *two)
{
    const char *const ids[IDENTITY_STAMP_IDS] = {one, NULL, two};
    identity_stamp_t stamp;

    ok(identity_stamp_take(generations, identity_generations_begin(generations), ids, &stamp), "a stamp");
    return stamp;
}

static void test_bump(void)
{
    identity_generations_t *generations = shared();
    identity_stamp_t ada = stamp_of(generations, "user_ada", "enti_a"), bob = stamp_of(generations, "user_bob", NULL),
                     none = {.count = 0};

    ok(identity_stamp_current(generations, &ada) && identity_stamp_current(generations, &bob), "are current");
    ok(!identity_stamp_current(generations, &none), "what was never stamped is not");
    identity_generations_bump(generations, "user_ada");
    ok(!identity_stamp_current(generations, &ada), "who was changed is old");
    ok(identity_stamp_current(generations, &bob), "others are not");
    ada = stamp_of(generations, "user_ada", "enti_a");
    ok(identity_stamp_current(generations, &ada), "read anew it is current");
    identity_generations_bump(generations, "enti_a");
    ok(!identity_stamp_current(generations, &ada), "any of its ids makes it old");
    ada = stamp_of(generations, "user_ada", "enti_a");
    identity_generations_bump(generations, "");
    ok(!identity_stamp_current(generations, &ada) && !identity_stamp_current(generations, &bob),
       "everybody is old at once");
}

/* Rows that were read while somebody's rights were changed may be the old ones. */
static void test_between(void)
{
    identity_generations_t *generations = shared();
    const char *const ids[IDENTITY_STAMP_IDS] = {"user_ada"};
    identity_stamp_t stamp;
    apr_uint64_t began = identity_generations_begin(generations);

    identity_generations_bump(generations, "user_ada");
    ok(!identity_stamp_take(generations, began, ids, &stamp), "no stamp for what was read before a change");
    ok(!identity_stamp_current(generations, &stamp), "... nor is it current");
}

/* Two ids of one counter: a change of the one makes the other old, never the reverse. */
static void test_collision(void)
{
    identity_generations_t *generations = shared();
    identity_stamp_t ada = stamp_of(generations, "user_ada", NULL);
    int companions = 0;

    for (int i = 0; i < 400000; i++) {
        char id[32];
        snprintf(id, sizeof id, "user_%d", i);
        identity_generations_bump(generations, id);
        if (!identity_stamp_current(generations, &ada)) {
            companions++;
            ada.values[1] = identity_generations_begin(generations); /* not asked again */
            break;
        }
    }
    is_int(companions, 1, "of many ids one shares the counter, and drops it early");
}

static void test_processes(void)
{
    identity_generations_t *generations = shared();
    identity_stamp_t stamp = stamp_of(generations, "sess_1", NULL);

    if (fork() == 0) {
        identity_generations_bump(generations, "sess_1");
        _exit(0);
    }
    wait(NULL);
    ok(!identity_stamp_current(generations, &stamp), "what one process counts the other sees");
}

static void test_follow(void)
{
    identity_generations_t *generations = shared();

    is_int(identity_generations_followed(generations).at, 0, "at first nothing is followed");
    identity_generations_follow(generations, &(identity_follow_t){.at = 20, .made_at = 7, .sequence = 3});
    identity_generations_follow(generations, &(identity_follow_t){.at = 10, .made_at = 7, .sequence = 3});
    identity_follow_t followed = identity_generations_followed(generations);
    ok(followed.at == 20 && followed.made_at == 7 && followed.sequence == 3, "a slower one does not turn it back");
}

/* ---- a database of one number, changed by writers as the service changes it: the number first (COMMIT), then the
 * counter ---------------------------------------------------------------------------------------------------------- */

#define READERS 3
#define ROUNDS  40000

static identity_generations_t *race;
static _Atomic int64_t row;          /* what a reader would find */
static _Atomic int64_t acknowledged; /* the newest that a writer has answered for */
static atomic_int wrong, kept;

static void *write_rows(void *unused)
{
    for (int64_t i = 1; i <= ROUNDS; i++) {
        atomic_store(&row, i);
        identity_generations_bump(race, i % 3 ? "user_ada" : "enti_a");
        atomic_store(&acknowledged, i);
    }
    return unused;
}

/* Remembers the row, and believes it as long as its stamp is current. */
static void *read_rows(void *unused)
{
    const char *const ids[IDENTITY_STAMP_IDS] = {"user_ada", NULL, "enti_a"};
    identity_stamp_t stamp = {.count = 0};
    int64_t remembered = 0;

    while (atomic_load(&acknowledged) < ROUNDS) {
        int64_t told = atomic_load(&acknowledged);
        if (identity_stamp_current(race, &stamp)) {
            atomic_fetch_add(&kept, 1);
            if (remembered < told)
                atomic_fetch_add(&wrong, 1);
            continue;
        }
        apr_uint64_t began = identity_generations_begin(race);
        remembered = atomic_load(&row);
        identity_stamp_take(race, began, ids, &stamp);
    }
    return unused;
}

static void test_race(void)
{
    pthread_t readers[READERS], writer;

    race = shared();
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_rows, NULL);
    pthread_create(&writer, NULL, write_rows, NULL);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    is_int(wrong, 0, "nobody goes by a row that was taken back before it was asked for # security 37");
    diag("%d answers from memory", kept);
}

int main(void)
{
    fixture_begin();
    test_bump();
    test_between();
    test_collision();
    test_processes();
    test_follow();
    test_race();
    return fixture_end();
}
