/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-hash SECONDS: hashes a second of processor time of bare libsodium with the parameters of new passwords,
 * on all processors that this process may use, a thread each (the limit of row W1). */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sodium.h>

#include "identity/core.h"

#define THREADS 256

static atomic_bool ended;
static atomic_long hashes;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *work(void *unused)
{
    unsigned char out[32], salt[crypto_pwhash_SALTBYTES] = {0};

    while (!atomic_load(&ended)) {
        if (crypto_pwhash(out, sizeof out, "Correct1Horse", 13, salt, IDENTITY_HASH_PASSES_MIN,
                          (size_t)IDENTITY_HASH_MEMORY_MIN * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
            exit(1);
        atomic_fetch_add(&hashes, 1);
    }
    return unused;
}

int main(int count, char *arguments[])
{
    pthread_t threads[THREADS];
    cpu_set_t set;
    struct timespec pause = {.tv_sec = count > 1 ? atoi(arguments[1]) : 3};

    if (sodium_init() < 0 || sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int processors = CPU_COUNT(&set) < THREADS ? CPU_COUNT(&set) : THREADS;
    double start = now();
    for (int i = 0; i < processors; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    nanosleep(&pause, NULL);
    atomic_store(&ended, true);
    for (int i = 0; i < processors; i++)
        pthread_join(threads[i], NULL);
    printf("%.2f\n", (double)atomic_load(&hashes) / (now() - start));
    return 0;
}
