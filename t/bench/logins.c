/* SPDX-License-Identifier: Apache-2.0 */
/* Does the time of a refused login tell whether the name is known (security 15)? Logins of known, unknown, inactive and
 * invited names in turn, through identity_serve, in one process on one core; compared by the rank test of Mann and
 * Whitney, which asks for no distribution and does not mind outliers. */
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "../unit/support/door.h"

#define LOGINS   2000 /* of a known and an unknown name together; the other kinds as many each */
#define READINGS 20000
/* Two sides that are the same exceed it once in a thousand comparisons. */
#define Z_LIMIT  3.29

enum { KNOWN, UNKNOWN, INACTIVE, INVITED, KINDS };
static const char *const names[KINDS] = {"known", "unknown", "inactive", "invited"};

typedef struct sample {
    double wall, processor; /* microseconds */
} sample_t;
static sample_t samples[KINDS][LOGINS / 2];

static double reading(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* On some virtual machines a core's clock ticks in milliseconds: there no figure is worth anything. */
static bool clock_moves(void)
{
    int values = 0;
    double last = reading(CLOCK_MONOTONIC);

    for (int i = 0; i < READINGS; i++) {
        double now = reading(CLOCK_MONOTONIC);
        values += now != last;
        last = now;
    }
    return values > READINGS * 9 / 10;
}

static int pin_to_good_core(void)
{
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(core, &set);
        if (sched_setaffinity(0, sizeof set, &set) != 0)
            continue;
        if (clock_moves())
            return (int)core;
    }
    return -1;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[LOGINS / 2];

    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return sorted[count / 2];
}

/* z of the statistic U of two samples of the same size. */
static double rank_test(const double *a, const double *b, int count)
{
    double u = 0, n = count;

    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            u += a[i] > b[j] ? 1 : a[i] == b[j] ? 0.5 : 0;
    return (u - n * n / 2) / sqrt(n * n * (2 * n + 1) / 12);
}

static void login(door_t *door, int kind, int number)
{
    const char *body =
        door_format(door, "{\"username\":\"%s@example.org\",\"password\":\"Wrong1Horse%04d\"}", names[kind], number);
    double wall = reading(CLOCK_MONOTONIC), processor = reading(CLOCK_PROCESS_CPUTIME_ID);
    door_answer_t answer = door_call(door, "POST", "/v1/oauth/token", NULL, body);

    samples[kind][number].processor = reading(CLOCK_PROCESS_CPUTIME_ID) - processor;
    samples[kind][number].wall = reading(CLOCK_MONOTONIC) - wall;
    if (answer.status != 401) {
        fprintf(stderr, "logins: %s answered %d\n", names[kind], answer.status);
        exit(1);
    }
}

static bool compare(const char *what, int kind, bool processor)
{
    int count = LOGINS / 2;
    double a[LOGINS / 2], b[LOGINS / 2];

    for (int i = 0; i < count; i++) {
        a[i] = processor ? samples[KNOWN][i].processor : samples[KNOWN][i].wall;
        b[i] = processor ? samples[kind][i].processor : samples[kind][i].wall;
    }
    double z = rank_test(a, b, count), of_known = median(a, count), of_kind = median(b, count);
    bool same = fabs(z) < Z_LIMIT;
    printf("%-10s %-9s %-15s %10.0f %10.0f %8.4f %7.2f  %s\n", "L1 login", names[kind], what, of_known, of_kind,
           of_kind / of_known, z, same ? "not to be told apart" : "DIFFERENT");
    return same;
}

int main(void)
{
    int core = pin_to_good_core();
    door_t *door = door_open();
    bool same = true;

    if (core < 0)
        fprintf(stderr, "logins: no core has a clock that moves; figures mean little\n");
    door_person(door, "known@example.org", "Correct1Horse", "[]");
    const char *id = door_person(door, "inactive@example.org", "Correct1Horse", "[]");
    door_call(door, "PATCH", door_format(door, "/v1/users/%s", id), door->key, "{\"status\":\"INACTIVE\"}");
    door_call(door, "POST", "/v1/users/invite", door->key, "{\"username\":\"invited@example.org\"}");
    for (int i = 0; i < LOGINS / 2; i++)
        for (int kind = 0; kind < KINDS; kind++)
            login(door, (kind + i) % KINDS, i);
    printf("%-10s %-9s %-15s %10s %10s %8s %7s\n", "row", "name", "time", "known us", "other us", "ratio", "z");
    for (int kind = UNKNOWN; kind < KINDS; kind++) {
        same &= compare("processor", kind, true);
        same &= compare("on the clock", kind, false);
    }
    door_close(door);
    return same ? 0 : 1;
}
