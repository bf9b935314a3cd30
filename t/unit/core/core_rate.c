/* SPDX-License-Identifier: Apache-2.0 */
/* So many in any period, and the table of counters that processes share. (security 12, 80) */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core_fixture.h"

#define SECOND APR_USEC_PER_SEC
#define MINUTE (60 * SECOND)
#define START  ((apr_time_t)1700000000 * SECOND)

static const identity_rate_t ten = {10, MINUTE};

static void test_window(void)
{
    identity_rate_state_t state = {0};

    for (int i = 0; i < 10; i++)
        is_int(identity_rate_count(&state, &ten, false, START + i * 100), 0, "number %d of 10 in a minute", i + 1);
    is_int(identity_rate_count(&state, &ten, false, START + 1000), MINUTE - 100, "the next one waits for the last");
    is_int(identity_rate_wait(&state, &ten, START + 30 * SECOND), MINUTE / 2 + 900, "less, later");
    is_int(identity_rate_count(&state, &ten, false, START + 900 + MINUTE - 1), 1, "a microsecond is a wait");
    for (int i = 0; i < 10; i++)
        is_int(identity_rate_count(&state, &ten, false, START + 900 + MINUTE), 0, "then number %d of 10", i + 1);
    ok(identity_rate_count(&state, &ten, false, START + 900 + MINUTE) > 0, "and no other");
}

static void test_give_back(void)
{
    identity_rate_state_t state = {0};
    int allowed = 0;

    for (int i = 0; i < 10; i++)
        identity_rate_count(&state, &ten, false, START);
    identity_rate_give_back(&state);
    identity_rate_give_back(&state);
    while (allowed < 20 && identity_rate_count(&state, &ten, false, START + SECOND) == 0)
        allowed++;
    is_int(allowed, 2, "two were given back, and no more are allowed");
    identity_rate_state_t empty = {0};
    identity_rate_give_back(&empty);
    is_int(identity_rate_count(&empty, &ten, false, START), 0, "where none was counted there is nothing to give back");
}

/* The borders of fixed windows would let twice as many through. */
static void test_sliding(void)
{
    identity_rate_state_t state = {0};

    identity_rate_count(&state, &ten, false, START);
    for (int i = 0; i < 9; i++)
        is_int(identity_rate_count(&state, &ten, false, START + 59 * SECOND), 0, "9 late in a minute");
    is_int(identity_rate_count(&state, &ten, false, START + MINUTE), 0, "the first counts no more");
    apr_interval_time_t wait = identity_rate_count(&state, &ten, false, START + MINUTE);
    ok(wait >= 59 * SECOND && wait <= 59 * SECOND + MINUTE / 8, "the late ones do");
}

/* Against a plain list of all times, for many rates and paces. */
static void test_against_a_list(void)
{
    static const identity_rate_t rates[] = {
        {1, SECOND}, {3, 2 * SECOND}, {10, MINUTE}, {30, MINUTE}, {1000, 60 * MINUTE}};
    static apr_time_t allowed[20000];
    unsigned seed = 7;

    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        const identity_rate_t *rate = &rates[r];
        apr_time_t now = START;
        int count = 0, too_many = 0, too_strict = 0, wrong_wait = 0, refused = 0;
        identity_rate_state_t state = {0};
        for (int i = 0; i < 20000; i++) {
            seed = seed * 1103515245 + 12345;
            now += (apr_time_t)(seed >> 8) % (rate->period * 2 / rate->count);
            int in_period = 0, in_more = 0;
            for (int j = count; j-- > 0 && now - allowed[j] < rate->period * 5 / 4;) {
                in_more++;
                in_period += now - allowed[j] < rate->period;
            }
            identity_rate_state_t before = state;
            apr_interval_time_t wait = identity_rate_count(&state, rate, false, now);
            refused += wait > 0;
            too_strict += wait > 0 && in_more < (int)rate->count;
            if (wait == 0)
                allowed[count++] = now;
            too_many += wait == 0 && in_period >= (int)rate->count;
            wrong_wait += wait > 0 && (identity_rate_wait(&before, rate, now + wait) != 0 ||
                                       identity_rate_wait(&before, rate, now + wait - 1) == 0);
        }
        ok(refused > 100 && count > 100, "%u in %ds: %d allowed, %d refused", rate->count, (int)(rate->period / SECOND),
           count, refused);
        is_int(too_many, 0, "... never more than that in any period");
        is_int(too_strict, 0, "... and none refused without cause");
        is_int(wrong_wait, 0, "... every wait is long enough, to the microsecond");
    }
}

static void test_growth(void)
{
    identity_rate_state_t state = {0};
    apr_time_t now = START;
    apr_interval_time_t expected = MINUTE;

    for (int i = 0; i < 10; i++)
        is_int(identity_rate_count(&state, &ten, true, now), 0, "failure %d of 10", i + 1);
    for (int i = 0; i < 8; i++) {
        is_int(identity_rate_wait(&state, &ten, now), expected, "then a wait of %d s", (int)(expected / SECOND));
        is_int(identity_rate_count(&state, &ten, true, now + 1), expected - 1, "... in which nothing counts");
        is_int(identity_rate_wait(&state, &ten, now + expected - 1), 1, "... to its end");
        now += expected;
        is_int(identity_rate_wait(&state, &ten, now), 0, "... when one may try");
        is_int(identity_rate_count(&state, &ten, true, now), 0, "... and fail");
        expected = expected * 2 > 16 * MINUTE ? 16 * MINUTE : expected * 2;
    }
    is_int(identity_rate_wait(&state, &ten, now), 16 * MINUTE, "it grows no further");
    now += 2 * 16 * MINUTE;
    for (int i = 0; i < 10; i++)
        is_int(identity_rate_count(&state, &ten, true, now), 0, "quiet for as long again: failure %d of 10", i + 1);
    is_int(identity_rate_wait(&state, &ten, now), MINUTE, "and the first wait");
    is_int(identity_rate_longest(&(identity_rate_t){5, 10 * MINUTE}), 60 * MINUTE, "no wait is longer than an hour");
    is_int(identity_rate_longest(&(identity_rate_t){5, 90 * MINUTE}), 90 * MINUTE, "... but for a longer period");
}

static void test_clock(void)
{
    identity_rate_state_t state = {0};

    for (int i = 0; i < 10; i++)
        identity_rate_count(&state, &ten, true, START);
    ok(identity_rate_wait(&state, &ten, START - SECOND) > 0, "a thread whose clock lags changes nothing");
    is_int(identity_rate_wait(&state, &ten, START - 86400 * SECOND), 0, "nobody waits for a clock that was set back");
    is_int(identity_rate_count(&state, &ten, true, START - 86400 * SECOND), 0, "... and all is counted by the new one");
    is_int(identity_rate_idle_at(&state, &ten), START - 86400 * SECOND + MINUTE, "... from its time on");
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static identity_counters_t *table(unsigned entries)
{
    void *memory =
        mmap(NULL, identity_counters_size(entries), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    identity_counters_t *counters =
        memory == MAP_FAILED ? NULL : identity_counters_make(memory, entries, &machine_random);
    return counters ? counters : (bail("no table"), NULL);
}

static void test_names(void)
{
    identity_counters_t *counters = table(64);

    for (int i = 0; i < 10; i++)
        identity_counters_count(counters, "one", &ten, true, START);
    ok(identity_counters_wait(counters, "one", &ten, START) > 0, "one name is full");
    is_int(identity_counters_wait(counters, "other", &ten, START), 0, "another is not");
    is_int(identity_counters_wait(counters, "one ", &ten, START), 0, "nor one that looks alike");
    identity_counters_mark(counters, "proof", START + MINUTE, START);
    ok(identity_counters_marked(counters, "proof", START + MINUTE - 1), "marked until its time");
    ok(!identity_counters_marked(counters, "proof", START + MINUTE), "and no longer");
    ok(!identity_counters_marked(counters, "no proof", START), "another is not marked");
    ok(identity_counters_make(
           mmap(NULL, identity_counters_size(64), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 64,
           &no_random) == NULL,
       "no table without randomness: who knew the places could choose his neighbours");
}

/* A flood of names takes the places of old ones, never of what is in use, and no memory. */
static void test_eviction(void)
{
    identity_counters_t *counters = table(1024);
    apr_time_t now = START;
    int lost = 0;

    for (int i = 0; i < 10; i++)
        identity_counters_count(counters, "attacker", &ten, true, now);
    identity_counters_count(counters, "sleeper", &ten, true, now);
    for (int i = 0; i < 100000; i++) {
        char name[32];
        snprintf(name, sizeof name, "flood %d", i);
        identity_counters_count(counters, name, &ten, true, now += 10);
        if (i % 64 == 0)
            lost += identity_counters_wait(counters, "attacker", &ten, now) == 0;
    }
    is_int(lost, 0, "100,000 names in 1,024 places: one that is asked for keeps its own");
    int kept = 0;
    for (int i = 0; i < 100000; i++) {
        char name[32];
        identity_rate_t one = {1, MINUTE};
        snprintf(name, sizeof name, "flood %d", i);
        kept += identity_counters_wait(counters, name, &one, now) > 0;
    }
    ok(kept > 900 && kept <= 1024, "%d names are still known, no more than there are places", kept);
    /* What says nothing any more goes first. */
    counters = table(8);
    identity_counters_count(counters, "old", &(identity_rate_t){1, 3600 * SECOND}, false, START);
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "short %d", i);
        identity_counters_count(counters, name, &(identity_rate_t){1, SECOND}, false, START + SECOND);
    }
    identity_counters_count(counters, "new", &ten, false, START + 10 * SECOND);
    ok(identity_counters_wait(counters, "old", &(identity_rate_t){1, 3600 * SECOND}, START + 10 * SECOND) > 0,
       "a counter that still counts outlives younger ones that do not");
}

/* Eight processes at once count exactly as many as one. */
static void test_processes(void)
{
    identity_counters_t *counters = table(64);
    identity_rate_t rate = {1000, 60 * MINUTE};
    int sum = 0, status;

    for (int i = 0; i < 8; i++) {
        if (fork() != 0)
            continue;
        int counted = 0;
        for (int j = 0; j < 1000; j++)
            counted += identity_counters_count(counters, "shared", &rate, false, START) == 0;
        /* As exit status, in parts. */
        for (int part = 0; part < counted; part++)
            identity_counters_count(counters, "sum", &(identity_rate_t){100000, 60 * MINUTE}, false, START);
        _exit(0);
    }
    while (wait(&status) > 0)
        if (status != 0)
            bail("a process failed");
    /* How many were counted: as many more fit below a rate of so many. */
    while (identity_counters_count(counters, "sum", &(identity_rate_t){10000, 60 * MINUTE}, false, START) == 0)
        sum++;
    is_int(10000 - sum, 1000, "8 processes with 1,000 tries each: 1,000 counted");
}

static void test_killed(void)
{
    identity_counters_t *counters = table(8);
    int status;

    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0)
            for (apr_time_t now = START;; now += MINUTE)
                identity_counters_count(counters, "busy", &ten, true, now);
        usleep(2000);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        alarm(10); /* ends the test where the lock was lost */
        identity_counters_count(counters, "busy", &ten, true, START);
    }
    alarm(0);
    ok(true, "40 processes killed in the midst of counting: the table goes on");
}

static void test_log_text(void)
{
    is_str(identity_log_text(pool, "ID0361: failed login from 192.0.2.7"), "ID0361: failed login from 192.0.2.7",
           "plain text stays");
    is_str(identity_log_text(pool, "Zo\xc3\xab \\ \"q\""), "Zo\xc3\xab \\ \"q\"", "letters of all kinds too");
    is_str(identity_log_text(pool, "a\r\nb\tc\x1b[0m\x7f"), "a\\x0d\\x0ab\\x09c\\x1b[0m\\x7f",
           "no control character # security 85");
    is_str(identity_log_text(pool, "\xe2\x80\xae"
                                   "gpj\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c"),
           "\\xe2\\x80\\xaegpj\\xe2\\x81\\xa6\\xe2\\x80\\x8f\\xd8\\x9c", "no mark that turns the text # security 85");
    is_str(identity_log_text(pool, "\xc2\x85\xe2\x80\xa8|\xff|\xc3"), "\\xc2\\x85\\xe2\\x80\\xa8|\\xff|\\xc3",
           "no other end of line, no broken character # security 85");
}

int main(void)
{
    fixture_begin();
    test_window();
    test_give_back();
    test_sliding();
    test_against_a_list();
    test_growth();
    test_clock();
    test_names();
    test_eviction();
    test_processes();
    test_killed();
    test_log_text();
    return fixture_end();
}
