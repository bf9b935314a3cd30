/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on the database as a whole: sizes, cleaning, backups. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static int of_file(identity_file_status_t status, const char *const *error)
{
    static const tool_status_t statuses[] = {[IDENTITY_FILE_DONE] = TOOL_DONE,
                                             [IDENTITY_FILE_FAILED] = TOOL_FAILED,
                                             [IDENTITY_FILE_STATE] = TOOL_STATE,
                                             [IDENTITY_FILE_UNFIT] = TOOL_DATABASE};
    return status == IDENTITY_FILE_DONE ? TOOL_DONE : tool_fail(statuses[status], "%s", *error);
}

int tool_backup(tool_t *tool)
{
    const char *error = NULL;
    int status = tool_open(tool);

    if (status == TOOL_DONE)
        status = of_file(identity_db_backup(tool->db, tool->argument, &error), &error);
    /* The server's metrics report its age. */
    if (status == TOOL_DONE && !identity_backup_done(tool->pool, &tool->env))
        fprintf(
            stderr,
            "htidentity: the backup is complete, but its time could not be written into the database\n");
    if (status == TOOL_DONE && tool->json)
        printf("{\"backup\":true}\n");
    else if (status == TOOL_DONE)
        printf("backed up to %s\n", tool->argument);
    return status;
}

int tool_restore(tool_t *tool)
{
    const char *error = NULL, *kept = NULL;

    int status = tool_configure(tool);
    if (status)
        return status;
    status = of_file(
        identity_db_restore(tool->pool, tool->driver, tool->params, tool->argument, &kept, &error),
        &error);
    if (status == TOOL_DONE && tool->json)
        printf("{\"restored\":true}\n");
    else if (status == TOOL_DONE)
        printf("restored%s%s\n", kept ? "; the previous database is kept as " : "",
               kept ? kept : "");
    return status;
}

int tool_stats(tool_t *tool)
{
    static const char *const columns[] = {"table", "rows", "bytes", "oldest_at", NULL};
    apr_array_header_t *rows = NULL;
    int status = tool_open(tool);

    if (status)
        return status;
    if (identity_tables_measure(tool->db, &rows) != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    for (int i = 0; i < rows->nelts && tool_wants_more(tool); i++) {
        const identity_table_row_t *row = APR_ARRAY_IDX(rows, i, const identity_table_row_t *);
        json_t *line =
            json_pack("{s:s, s:I, s:o, s:o}", "table", row->name, "rows", (json_int_t)row->rows,
                      "bytes", row->bytes < 0 ? json_null() : json_integer((json_int_t)row->bytes),
                      "oldest_at", identity_time_json(row->oldest_at));
        tool_line(tool, line, columns);
        json_decref(line);
    }
    return TOOL_DONE;
}

/* By the server's own settings, so not without them: rows that they keep would be deleted. */
int tool_purge(tool_t *tool)
{
    static const char *const columns[] = {"kind", "rows", NULL};
    apr_int64_t deleted[IDENTITY_PURGED_KINDS];
    int status = tool_open(tool);

    if (status == TOOL_DONE)
        status = tool_need_settings(tool);
    if (status == TOOL_DONE)
        status = tool_load_keys(tool);
    if (status)
        return status;
    bool done = identity_purge_all(tool->pool, &tool->env, deleted);
    for (int kind = 0; kind < IDENTITY_PURGED_KINDS; kind++) {
        json_t *line =
            json_pack("{s:s, s:I}", "kind", identity_purged_name((identity_purged_t)kind), "rows",
                      (json_int_t)deleted[kind]);
        tool_line(tool, line, columns);
        json_decref(line);
    }
    return done ? TOOL_DONE
                : tool_fail(TOOL_FAILED,
                            "not everything was deleted: the database could not be written");
}
