/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity import: the file, the messages about it, and a copy of the database for a dry run. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "lines.h"

#define SHOW_EVERY apr_time_from_msec(200)
#define LOOK_EVERY 512

typedef struct taking {
    tool_t *tool;
    tool_lines_t *lines;
    identity_import_options_t options;
    identity_problem_t problem;
    const char *digest;
    apr_int64_t read;
    apr_time_t began, next;
    bool terminal;
} taking_t;

/* ---- what is said ----------------------------------------------------------------------------------------------- */

static void clear_progress(const taking_t *taking)
{
    if (taking->terminal)
        fputs("\r\033[K", stderr);
}

static void refused(void *context, apr_int64_t line, const char *reason)
{
    clear_progress(context);
    fprintf(stderr, "htidentity: line %" APR_INT64_T_FMT ": %s\n", line, reason);
}

static void show_progress(taking_t *taking)
{
    apr_time_t now;

    if (++taking->read % LOOK_EVERY != 0 || !taking->terminal ||
        (now = apr_time_now()) < taking->next)
        return;
    taking->next = now + SHOW_EVERY;
    fprintf(stderr, "\r%" APR_INT64_T_FMT " lines, %" APR_INT64_T_FMT " a second", taking->read,
            taking->read * APR_USEC_PER_SEC / (now - taking->began + 1));
}

static void print_totals(const taking_t *taking, const identity_import_totals_t *totals)
{
    bool site = taking->options.kind == IDENTITY_IMPORT_SITE,
         dry = tool_has(taking->tool, TOOL_DRY_RUN);
    const char *what = site ? "rows" : "users";

    if (taking->tool->json) {
        json_t *line = json_pack(
            "{s:I, s:I, s:I, s:I, s:b, s:s}", what, (json_int_t)totals->made, "memberships",
            (json_int_t)totals->memberships, "present", (json_int_t)totals->present, "refused",
            (json_int_t)totals->refused, "dry_run", dry, "sha256", taking->digest);
        tool_print(taking->tool, line, NULL);
        json_decref(line);
        return;
    }
    printf("%s%s\t%" APR_INT64_T_FMT "\n", dry ? "would be imported: " : "", what, totals->made);
    if (totals->memberships)
        printf("memberships\t%" APR_INT64_T_FMT "\n", totals->memberships);
    if (taking->options.resume)
        printf("there already\t%" APR_INT64_T_FMT "\n", totals->present);
    printf("refused\t%" APR_INT64_T_FMT "\nsha256\t%s\n", totals->refused, taking->digest);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static int unreadable(void)
{
    return tool_fail(TOOL_FAILED, "the file could not be read to its end");
}

/* An export is validated as a whole before anything is imported. */
static int look_through(taking_t *taking)
{
    identity_site_check_t *check = identity_site_check_make(taking->tool->pool, &taking->tool->env);
    const char *text;
    size_t length;

    tool_lines_rewind(taking->lines);
    while (tool_lines_next(taking->lines, &text, &length))
        if (!identity_site_check_line(check, text, length, &taking->problem))
            return tool_problem(&taking->problem);
    if (tool_lines_failed(taking->lines))
        return unreadable();
    if (!identity_site_check_end(check, &taking->problem))
        return tool_problem(&taking->problem);
    taking->digest = identity_site_check_digest(check);
    return TOOL_DONE;
}

static int take_lines(taking_t *taking, identity_importer_t *importer)
{
    const char *text;
    size_t length;
    bool done = true;

    tool_lines_rewind(taking->lines);
    taking->began = apr_time_now();
    while (done && tool_lines_next(taking->lines, &text, &length)) {
        done = identity_importer_line(importer, text, length, &taking->problem);
        show_progress(taking);
    }
    done = done && identity_importer_end(importer, &taking->problem);
    clear_progress(taking);
    if (!done) {
        if (taking->problem.kind != IDENTITY_PROBLEM_UNAVAILABLE)
            return tool_problem(&taking->problem);
        return tool_fail(TOOL_FAILED,
                         "the database could not be written: %" APR_INT64_T_FMT
                         " lines are done with, import --resume goes on behind them",
                         identity_importer_totals(importer)->lines);
    }
    return tool_lines_failed(taking->lines) ? unreadable() : TOOL_DONE;
}

static int take(taking_t *taking)
{
    identity_importer_t *importer = identity_importer_make(taking->tool->pool, &taking->tool->env,
                                                           &taking->options, &taking->problem);
    const identity_import_totals_t *totals;
    int status;

    if (!importer)
        return tool_problem(&taking->problem);
    if ((status = take_lines(taking, importer)) != TOOL_DONE)
        return status;
    const char *digest = tool_lines_digest(taking->lines);
    if (!taking->digest)
        taking->digest = digest;
    totals = identity_importer_totals(importer);
    print_totals(taking, totals);
    return totals->refused
               ? tool_fail(TOOL_FAILED,
                           "%" APR_INT64_T_FMT " of %" APR_INT64_T_FMT " lines were refused",
                           totals->refused, totals->lines)
               : TOOL_DONE;
}

/* ---- a dry run -------------------------------------------------------------------------------------------------- */

/* Files of the copy, to be deleted if the dry run is interrupted by a signal. */
static char copies[4][4200];

static void remove_copies(void)
{
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
        unlink(copies[i]);
}

static void end_by_signal(int signal_number)
{
    remove_copies();
    _exit(128 + signal_number);
}

/* A dry run uses a copy, so that it shows exactly what would happen. */
static int take_copy(taking_t *taking)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    tool_t *tool = taking->tool;
    const char *path = NULL, *error = NULL;
    identity_db_t *original = tool->db;

    if (strlen(tool->params) > sizeof copies[0] - 32)
        return tool_fail(TOOL_FAILED, "the name of the database is too long");
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
        apr_snprintf(copies[i], sizeof copies[i], "%s" IDENTITY_TRIAL_SUFFIX "%s", tool->params,
                     suffixes[i]);
    identity_db_use(original, tool->pool);
    /* Making the copy takes most of the time. */
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        signal(ends[i], end_by_signal);
    identity_file_status_t made =
        identity_db_trial(original, tool->driver, tool->params, &path, &error);
    if (made != IDENTITY_FILE_DONE)
        return tool_fail(made == IDENTITY_FILE_STATE ? TOOL_STATE : TOOL_FAILED, "%s", error);
    tool->db = tool_open_path(tool, path, &error);
    int status = tool->db ? take(taking) : tool_fail(TOOL_FAILED, "%s", error);
    tool->db = original;
    remove_copies();
    return status;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static int check_domain(const tool_t *tool)
{
    const apr_array_header_t *domains = tool_list(tool, TOOL_DOMAIN);

    if (domains->nelts && !tool_has(tool, TOOL_HTPASSWD))
        return tool_fail(TOOL_USAGE, "--domain requires --htpasswd");
    if (domains->nelts > 1)
        return tool_fail(TOOL_USAGE, "--domain is given twice");
    if (domains->nelts && !identity_domain_valid(APR_ARRAY_IDX(domains, 0, const char *)))
        return tool_fail(TOOL_USAGE, "--domain: %s is not a domain such as example.org",
                         APR_ARRAY_IDX(domains, 0, const char *));
    return TOOL_DONE;
}

static int check_usage(const tool_t *tool)
{
    if (tool->argument && tool_has(tool, TOOL_HTPASSWD))
        return tool_fail(TOOL_USAGE, "import accepts FILE or --htpasswd FILE, not both");
    if (!tool->argument && !tool_has(tool, TOOL_HTPASSWD) && isatty(STDIN_FILENO))
        return tool_fail(TOOL_USAGE, "import requires FILE, --htpasswd FILE, or standard input");
    return check_domain(tool);
}

/* The memberships that --account, --type and --role give to everybody. */
static int find_given(taking_t *taking)
{
    json_t *object = NULL;
    int status = tool_membership(taking->tool, &object);

    if (status == TOOL_DONE && object)
        taking->options.given = identity_json_own(
            taking->tool->pool,
            json_pack("[{s:O, s:O, s:O}]", "account", json_object_get(object, "account_id"), "type",
                      json_object_get(object, "type"), "roles",
                      json_object_get(object, "role_ids")));
    return status;
}

/* By its first line. */
static int find_kind(taking_t *taking)
{
    const char *text = NULL;
    size_t length = 0;
    tool_t *tool = taking->tool;

    taking->options.kind =
        tool_has(tool, TOOL_HTPASSWD) ? IDENTITY_IMPORT_HTPASSWD : IDENTITY_IMPORT_USERS;
    if (taking->options.kind == IDENTITY_IMPORT_USERS &&
        tool_lines_next(taking->lines, &text, &length) && text &&
        identity_site_begins(text, length)) {
        taking->options.kind = IDENTITY_IMPORT_SITE;
        if (tool_has(tool, TOOL_ENTITY) || tool_has(tool, TOOL_ACCOUNT) ||
            tool_has(tool, TOOL_TYPE) || tool_has(tool, TOOL_ROLE))
            return tool_fail(
                TOOL_USAGE,
                "an export contains a whole site: it cannot be combined with --entity, --account, "
                "--type and --role");
        return look_through(taking);
    }
    int status = tool_find_entity(tool);
    taking->options.entity_id = tool->entity_id;
    return status ? status : find_given(taking);
}

int tool_import(tool_t *tool)
{
    taking_t *taking = apr_pcalloc(tool->pool, sizeof *taking);
    int status = check_usage(tool);

    taking->tool = tool;
    tool->bulk = true;
    taking->terminal = isatty(STDERR_FILENO);
    taking->options.domain = tool_text(tool, TOOL_DOMAIN);
    taking->options.resume = tool_has(tool, TOOL_RESUME);
    taking->options.refused = refused;
    taking->options.context = taking;
    if (status == TOOL_DONE)
        status = tool_open(tool);
    if (status == TOOL_DONE)
        status = tool_lines_open(
            tool, tool_has(tool, TOOL_HTPASSWD) ? tool_text(tool, TOOL_HTPASSWD) : tool->argument,
            &taking->lines);
    if (status == TOOL_DONE)
        status = find_kind(taking);
    if (status)
        return status;
    return tool_has(tool, TOOL_DRY_RUN) ? take_copy(taking) : take(taking);
}
