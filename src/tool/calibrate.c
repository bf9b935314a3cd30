/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity calibrate: finds affordable cost parameters of password hashes for this machine. */
#include <stdio.h>
#include <unistd.h>

#include "tool.h"

#define TARGET_MS      100
#define MEMORY_MAX     262144 /* KiB: more would make a few concurrent logins a burden for a server */
#define PASSES_MAX     20
#define SAMPLES        3
#define PASSWORD_TRIED "Correct horse 1"

static unsigned milliseconds(const tool_t *tool)
{
    return (unsigned)tool_number(tool, TOOL_TIME, TARGET_MS);
}

/* Milliseconds for one hash, the best of a few; negative if memory runs out. */
static double cost_of(tool_t *tool, const identity_hash_parameters_t *parameters)
{
    double best = -1;

    for (int i = 0; i < SAMPLES; i++) {
        apr_time_t start = apr_time_now();
        if (!identity_password_hash(tool->pool, parameters, PASSWORD_TRIED))
            return -1;
        double cost = (double)(apr_time_now() - start) / 1000;
        if (best < 0 || cost < best)
            best = cost;
    }
    return best;
}

/* Takes next if it stays below the target. */
static bool better(tool_t *tool, identity_hash_parameters_t *best, identity_hash_parameters_t next,
                   double *cost)
{
    double tried = cost_of(tool, &next);

    if (tried < 0 || tried > milliseconds(tool))
        return false;
    *best = next;
    *cost = tried;
    return true;
}

/* Memory first, which costs an attacker's hardware most, then passes. */
int tool_calibrate(tool_t *tool)
{
    identity_hash_parameters_t best = {IDENTITY_HASH_MEMORY_MIN, IDENTITY_HASH_PASSES_MIN};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    double cost = cost_of(tool, &best);

    if (cost < 0)
        return tool_fail(TOOL_FAILED, "there is not enough memory for one hash of %d KiB",
                         IDENTITY_HASH_MEMORY_MIN);
    if (cost > milliseconds(tool))
        fprintf(stderr, "htidentity: the floor alone takes %.0f ms here, longer than %u ms\n", cost,
                milliseconds(tool));
    while (
        best.memory_kib * 2 <= MEMORY_MAX &&
        better(tool, &best, (identity_hash_parameters_t){best.memory_kib * 2, best.passes}, &cost))
        continue;
    while (
        best.passes < PASSES_MAX &&
        better(tool, &best, (identity_hash_parameters_t){best.memory_kib, best.passes + 1}, &cost))
        continue;
    if (processors < 1)
        processors = 1;
    unsigned budget = (unsigned)((best.memory_kib + 1023) / 1024 * (unsigned long)processors);
    if (tool->json) {
        json_t *object =
            json_pack("{s:i, s:i, s:i, s:f, s:i, s:i}", "memory_kib", (int)best.memory_kib,
                      "passes", (int)best.passes, "lanes", 1, "milliseconds", cost,
                      "hash_memory_mib", (int)budget, "processors", (int)processors);
        tool_print(tool, object, (const char *const[]){NULL});
        json_decref(object);
        return 0;
    }
    printf("# One hash takes %.0f ms here: about %.0f logins a second on %ld processors.\n"
           "IdentityPasswordHash argon2id m=%u t=%u p=1\n"
           "IdentityHashMemory %uM\n",
           cost, 1000 / (cost > 0 ? cost : 1) * (double)processors, processors, best.memory_kib,
           best.passes, budget);
    return 0;
}
