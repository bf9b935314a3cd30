/* SPDX-License-Identifier: Apache-2.0 */
/* What the limits by SQLite alone share: a connection set up as the module's, statements, and the end of a run. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

/* A C file includes what it uses of this. */
#define RAW_UNUSED __attribute__((unused))

static sqlite3 *raw;

static void raw_check(int status, const char *what)
{
    if (status == SQLITE_OK || status == SQLITE_DONE || status == SQLITE_ROW)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, raw ? sqlite3_errmsg(raw) : "");
    exit(1);
}

static RAW_UNUSED void raw_run(const char *text)
{
    raw_check(sqlite3_exec(raw, text, NULL, NULL, NULL), text);
}

/* As db_open.c does. */
static void raw_open(const char *path)
{
    raw_check(sqlite3_open_v2(path, &raw, SQLITE_OPEN_READWRITE, NULL), path);
    raw_run("PRAGMA foreign_keys=ON");
    raw_run("PRAGMA synchronous=FULL");
}

static sqlite3_stmt *raw_prepare(const char *text)
{
    sqlite3_stmt *statement = NULL;

    raw_check(sqlite3_prepare_v3(raw, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), text);
    return statement;
}

static RAW_UNUSED void raw_text(sqlite3_stmt *statement, int place, const char *text)
{
    raw_check(sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC), "bind");
}

/* Runs it, and looks at each column of each row as a program would that shows them. How many rows. */
static int raw_step(sqlite3_stmt *statement)
{
    int rows = 0, status;

    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            (void)sqlite3_column_text(statement, i);
        rows++;
    }
    raw_check(status, sqlite3_sql(statement));
    raw_check(sqlite3_reset(statement), "reset");
    return rows;
}

/* The first text of the first row. */
static RAW_UNUSED void raw_one_text(const char *query, char *text, size_t size)
{
    sqlite3_stmt *statement = raw_prepare(query);

    if (sqlite3_step(statement) == SQLITE_ROW)
        snprintf(text, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

static double raw_time(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* What one() does in so many seconds, a second of that clock. */
static RAW_UNUSED double raw_rate(clockid_t clock, double seconds, void (*one)(void))
{
    double start = raw_time(CLOCK_MONOTONIC), own = raw_time(clock);
    long done = 0;

    while (raw_time(CLOCK_MONOTONIC) - start < seconds) {
        one();
        done++;
    }
    return (double)done / (raw_time(clock) - own);
}

#endif
