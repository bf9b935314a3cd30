/* SPDX-License-Identifier: Apache-2.0 */
/* Counters by which processes tell that what they remember is old. (security 37) */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core_fixture.h"

static identity_revisions_t *shared(void)
{
    void *memory = mmap(NULL, identity_revisions_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    identity_revisions_t *made = memory == MAP_FAILED ? NULL : identity_revisions_make(memory, &machine_random);
    return made ? made : (bail("no generations"), NULL);
}

static identity_snapshot_t snapshot_of(identity_revisions_t *revisions, const char *one, const char *two)
{
    const char *const ids[IDENTITY_STAMP_IDS] = {one, NULL, two};
    identity_snapshot_t snapshot;

    ok(identity_snapshot_take(revisions, identity_revisions_begin(revisions), ids, &snapshot), "a stamp");
    return snapshot;
}

static void test_bump(void)
{
    identity_revisions_t *revisions = shared();
    identity_snapshot_t ada = snapshot_of(revisions, "user_ada", "enti_a"),
                        bob = snapshot_of(revisions, "user_bob", NULL), none = {.count = 0};

    ok(identity_snapshot_current(revisions, &ada) && identity_snapshot_current(revisions, &bob), "are current");
    ok(!identity_snapshot_current(revisions, &none), "what was never stamped is not");
    identity_revisions_bump(revisions, "user_ada");
    ok(!identity_snapshot_current(revisions, &ada), "who was changed is old");
    ok(identity_snapshot_current(revisions, &bob), "others are not");
    ada = snapshot_of(revisions, "user_ada", "enti_a");
    ok(identity_snapshot_current(revisions, &ada), "read anew it is current");
    identity_revisions_bump(revisions, "enti_a");
    ok(!identity_snapshot_current(revisions, &ada), "any of its ids makes it old");
    ada = snapshot_of(revisions, "user_ada", "enti_a");
    identity_revisions_bump(revisions, "");
    ok(!identity_snapshot_current(revisions, &ada) && !identity_snapshot_current(revisions, &bob),
       "everybody is old at once");
}

/* Rows that were read while somebody's rights were changed may be the old ones. */
static void test_between(void)
{
    identity_revisions_t *revisions = shared();
    const char *const ids[IDENTITY_STAMP_IDS] = {"user_ada"};
    identity_snapshot_t snapshot;
    apr_uint64_t began = identity_revisions_begin(revisions);

    identity_revisions_bump(revisions, "user_ada");
    ok(!identity_snapshot_take(revisions, began, ids, &snapshot), "no stamp for what was read before a change");
    ok(!identity_snapshot_current(revisions, &snapshot), "... nor is it current");
}

/* Two ids of one counter: a change of the one makes the other old, never the reverse. */
static void test_collision(void)
{
    identity_revisions_t *revisions = shared();
    identity_snapshot_t ada = snapshot_of(revisions, "user_ada", NULL);
    int companions = 0;

    for (int i = 0; i < 400000; i++) {
        char id[32];
        snprintf(id, sizeof id, "user_%d", i);
        identity_revisions_bump(revisions, id);
        if (!identity_snapshot_current(revisions, &ada)) {
            companions++;
            ada.values[1] = identity_revisions_begin(revisions); /* not asked again */
            break;
        }
    }
    is_int(companions, 1, "of many ids one shares the counter, and drops it early");
}

static void test_processes(void)
{
    identity_revisions_t *revisions = shared();
    identity_snapshot_t snapshot = snapshot_of(revisions, "sess_1", NULL);

    if (fork() == 0) {
        identity_revisions_bump(revisions, "sess_1");
        _exit(0);
    }
    wait(NULL);
    ok(!identity_snapshot_current(revisions, &snapshot), "what one process counts the other sees");
}

static void test_follow(void)
{
    identity_revisions_t *revisions = shared();

    is_int(identity_revisions_followed(revisions).at, 0, "at first nothing is followed");
    identity_revisions_polled(revisions, &(identity_change_feed_t){.at = 20, .made_at = 7, .sequence = 3});
    identity_revisions_polled(revisions, &(identity_change_feed_t){.at = 10, .made_at = 7, .sequence = 3});
    identity_change_feed_t followed = identity_revisions_followed(revisions);
    ok(followed.at == 20 && followed.made_at == 7 && followed.sequence == 3, "a slower one does not turn it back");
}

/* ---- a database of one number, changed by writers as the service changes it: the number first (COMMIT), then the
 * counter ---------------------------------------------------------------------------------------------------------- */

#define READERS 3
#define ROUNDS  40000

static identity_revisions_t *race;
static _Atomic int64_t row;          /* what a reader would find */
static _Atomic int64_t acknowledged; /* the newest that a writer has answered for */
static atomic_int wrong, kept;

static void *write_rows(void *unused)
{
    for (int64_t i = 1; i <= ROUNDS; i++) {
        atomic_store(&row, i);
        identity_revisions_bump(race, i % 3 ? "user_ada" : "enti_a");
        atomic_store(&acknowledged, i);
    }
    return unused;
}

/* Remembers the row, and believes it as long as its stamp is current. */
static void *read_rows(void *unused)
{
    const char *const ids[IDENTITY_STAMP_IDS] = {"user_ada", NULL, "enti_a"};
    identity_snapshot_t snapshot = {.count = 0};
    int64_t remembered = 0;

    while (atomic_load(&acknowledged) < ROUNDS) {
        int64_t told = atomic_load(&acknowledged);
        if (identity_snapshot_current(race, &snapshot)) {
            atomic_fetch_add(&kept, 1);
            if (remembered < told)
                atomic_fetch_add(&wrong, 1);
            continue;
        }
        apr_uint64_t began = identity_revisions_begin(race);
        remembered = atomic_load(&row);
        identity_snapshot_take(race, began, ids, &snapshot);
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
