/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity export. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define SHOW_EVERY apr_time_from_msec(200)

typedef struct shown {
    apr_time_t began, next;
    bool terminal;
} shown_t;

static bool put(void *context, const char *text, size_t length, apr_int64_t rows)
{
    shown_t *shown = context;
    apr_time_t now = apr_time_now();

    if (shown->terminal && now >= shown->next) {
        fprintf(stderr, "\r%" APR_INT64_T_FMT " rows", rows);
        shown->next = now + SHOW_EVERY;
    }
    return fwrite(text, 1, length, stdout) == length;
}

/* The export is as secret as the database: a new file is private, and an existing file that others can read is
 * refused. */
static int guard_output(void)
{
    struct stat info;

    if (fstat(STDOUT_FILENO, &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) == 0)
        return TOOL_DONE;
    if (info.st_size > 0)
        return tool_fail(
            TOOL_FAILED,
            "standard output goes to a file that is not empty and that others can read: an export "
            "is as secret as the database");
    return fchmod(STDOUT_FILENO, 0600) == 0
               ? TOOL_DONE
               : tool_fail(
                     TOOL_FAILED,
                     "the file that standard output goes to cannot be restricted to its owner");
}

int tool_export(tool_t *tool)
{
    shown_t shown = {.terminal = isatty(STDERR_FILENO)};
    identity_site_totals_t totals;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    int status = tool_open(tool);

    if (status == TOOL_DONE)
        status = guard_output();
    if (status)
        return status;
    bool done = identity_site_export(tool->pool, &tool->env, put, &shown, &totals, &problem);
    if (shown.terminal)
        fputs("\r\033[K", stderr);
    if (!done)
        return tool_problem(&problem);
    for (int i = 0; shown.terminal && i < totals.tables->nelts; i++)
        fprintf(stderr, "%s\t%" APR_INT64_T_FMT "\n",
                APR_ARRAY_IDX(totals.tables, i, identity_site_count_t).table,
                APR_ARRAY_IDX(totals.tables, i, identity_site_count_t).rows);
    if (shown.terminal)
        fprintf(stderr, "rows\t%" APR_INT64_T_FMT "\nsha256\t%s\n", totals.rows, totals.digest);
    return TOOL_DONE;
}
