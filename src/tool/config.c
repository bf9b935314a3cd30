/* SPDX-License-Identifier: Apache-2.0 */
/* The server's configuration: from httpd's own parser, by running `httpd -t`, which prints the part of our module
 * (server/describe.c), or from the database, where the server stores it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "tool.h"

#define OUTPUT_MAX 1048576

/* ---- httpd -t --------------------------------------------------------------------------------------------------- */

static bool readable(const tool_t *tool, const char *path)
{
    apr_file_t *file;
    return apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, tool->pool) ==
               APR_SUCCESS &&
           apr_file_close(file) == APR_SUCCESS;
}

const char *tool_folder_of(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? apr_pstrmemdup(pool, path, (apr_size_t)(slash - path)) : ".";
}

/* The file from which apachectl gets the environment for the configuration: next to it on Debian, else next to
 * httpd. */
static const char *envvars_of(const tool_t *tool, const char *program, const char *file)
{
    const char *named = getenv("APACHE_ENVVARS"),
               *beside = file ? apr_pstrcat(tool->pool, tool_folder_of(tool->pool, file),
                                            "/envvars", NULL)
                              : NULL;

    if (named && *named)
        return named;
    if (beside && readable(tool, beside))
        return beside;
    if (readable(tool, IDENTITY_SYSCONFDIR "/envvars"))
        return IDENTITY_SYSCONFDIR "/envvars";
    return apr_pstrcat(tool->pool, tool_folder_of(tool->pool, program), "/envvars", NULL);
}

static char *read_all(const tool_t *tool, apr_file_t *file)
{
    char *text = apr_pcalloc(tool->pool, OUTPUT_MAX + 1);
    apr_size_t length = OUTPUT_MAX;

    apr_file_read_full(file, text, OUTPUT_MAX, &length);
    text[length] = '\0';
    return text;
}

static bool streams(tool_t *tool, apr_procattr_t *attributes, apr_file_t **errors)
{
    const char *folder;
    apr_file_t *nothing;

    if (apr_temp_dir_get(&folder, tool->pool) != APR_SUCCESS)
        return false;
    char *name = apr_pstrcat(tool->pool, folder, "/htidentity.XXXXXX", NULL);
    return apr_file_mktemp(errors, name,
                           APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_EXCL |
                               APR_FOPEN_DELONCLOSE,
                           tool->pool) == APR_SUCCESS &&
           apr_file_open(&nothing, "/dev/null", APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, tool->pool) ==
               APR_SUCCESS &&
           apr_procattr_io_set(attributes, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE) ==
               APR_SUCCESS &&
           apr_procattr_child_in_set(attributes, nothing, NULL) == APR_SUCCESS &&
           apr_procattr_child_err_set(attributes, *errors, NULL) == APR_SUCCESS &&
           apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV) == APR_SUCCESS;
}

static int run_httpd(tool_t *tool, const char *file, tool_httpd_t *httpd)
{
    static const char script[] = "[ -r \"$1\" ] && . \"$1\"; shift; exec \"$@\"";
    const char *program = getenv("IDENTITY_HTTPD");
    apr_procattr_t *attributes;
    apr_file_t *errors;
    apr_exit_why_e why;
    apr_off_t start = 0;
    apr_proc_t process;

    program = program && *program ? program : IDENTITY_HTTPD_PROGRAM;
    const char *arguments[] = {"/bin/sh",
                               "-c",
                               script,
                               "sh",
                               envvars_of(tool, program, file),
                               program,
                               "-t",
                               "-D",
                               "IDENTITY_DUMP",
                               file ? "-f" : NULL,
                               file,
                               NULL};
    if (apr_procattr_create(&attributes, tool->pool) != APR_SUCCESS ||
        !streams(tool, attributes, &errors) ||
        apr_proc_create(&process, arguments[0], arguments, NULL, attributes, tool->pool) !=
            APR_SUCCESS)
        return tool_fail(TOOL_FAILED, "%s could not be run", program);
    httpd->output = read_all(tool, process.out);
    apr_proc_wait(&process, &httpd->status, &why, APR_WAIT);
    apr_file_seek(errors, APR_SET, &start);
    httpd->errors = read_all(tool, errors);
    apr_file_close(errors);
    if (!APR_PROC_CHECK_EXIT(why))
        httpd->status = 1;
    return TOOL_DONE;
}

/* `[date] [module:level] [pid n] text` without its prefix. */
const char *tool_log_text(const char *line)
{
    while (*line == '[' && strstr(line, "] "))
        line = strstr(line, "] ") + 2;
    return line;
}

/* The last messages, on one line: "Syntax error on line 5 of FILE:" comes before the error itself. */
const char *tool_httpd_reason(const tool_t *tool, const tool_httpd_t *httpd)
{
    const char *before = "", *last = "";
    char *state, *copy = apr_pstrdup(tool->pool, httpd->errors);

    for (char *line = apr_strtok(copy, "\n", &state); line; line = apr_strtok(NULL, "\n", &state)) {
        const char *text = tool_log_text(line);
        if (!*text || strncmp(text, "AH00558", 7) == 0 || strncmp(text, "AH00014", 7) == 0 ||
            strcmp(text, "Syntax OK") == 0 || strncmp(text, "Action '", 8) == 0 ||
            strncmp(text, "The Apache error log", 20) == 0)
            continue;
        before = strncmp(text, "AH00526", 7) == 0 ? text : "";
        last = *before ? last : text;
        if (*before) {
            char *next = apr_strtok(NULL, "\n", &state);
            last = apr_pstrcat(tool->pool, before, " ", next ? tool_log_text(next) : "", NULL);
        }
    }
    return *last ? last : "it printed nothing";
}

json_t *tool_httpd_hosts(const tool_t *tool, const tool_httpd_t *httpd)
{
    static const char begin[] = "{\"mod_identity\":";
    const char *line = httpd->output;

    while (line && strncmp(line, begin, sizeof begin - 1) != 0)
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    json_t *dump =
        identity_json_own(tool->pool, line ? json_loadb(line, strcspn(line, "\n"), 0, NULL) : NULL);
    return json_object_get(json_object_get(dump, "mod_identity"), "hosts");
}

/* ---- which of its servers --------------------------------------------------------------------------------------- */

const char *tool_database_of(const tool_t *tool, const json_t *host)
{
    return apr_pstrcat(tool->pool, tool_member(host, "driver"), ":", tool_member(host, "params"),
                       NULL);
}

static int weight(const json_t *host)
{
    return (json_is_true(json_object_get(host, "mail")) ? 2 : 0) +
           json_is_true(json_object_get(host, "engine"));
}

/* Of the servers on one database, prefers one that sends mail and answers the API. *other: another configured
 * database. */
static json_t *choose(const tool_t *tool, const json_t *hosts, const char *database,
                      const char **other)
{
    json_t *host, *chosen = NULL;
    size_t i;

    *other = NULL;
    json_array_foreach (hosts, i, host) {
        const char *its = tool_database_of(tool, host);
        if (database ? strcmp(its, database) != 0
                     : chosen && strcmp(its, tool_database_of(tool, chosen)) != 0)
            *other = its;
        else if (!chosen || weight(host) > weight(chosen))
            chosen = host;
    }
    return chosen;
}

/* httpd continues with the literal text: it would not be the server's configuration. */
static int check_variables(const tool_t *tool, const char *file, const tool_httpd_t *httpd)
{
    const char *line = strstr(httpd->errors, "AH00111: ");

    if (!line)
        return TOOL_DONE;
    line += sizeof "AH00111: " - 1;
    return tool_fail(TOOL_DATABASE,
                     "%s: %s; name the file that defines it, as for apachectl, in APACHE_ENVVARS",
                     file, apr_pstrmemdup(tool->pool, line, strcspn(line, "\n")));
}

static int take_host(tool_t *tool, const char *file, const json_t *hosts, const char *database)
{
    const char *other;
    json_t *host = choose(tool, hosts, database, &other);

    if (!host && database)
        return tool_fail(TOOL_DATABASE, "no server of %s uses the database %s%s%s", file, database,
                         other ? ": there is " : "", other ? other : "");
    if (!host)
        return tool_fail(TOOL_DATABASE,
                         "%s does not use mod_identity: name the database by --db DRIVER:PARAMS",
                         file);
    if (other && !database)
        return tool_fail(TOOL_USAGE,
                         "%s has several databases: choose one by --db, such as %s or %s", file,
                         tool_database_of(tool, host), other);
    tool->settings_json = host;
    tool->driver = tool_member(host, "driver");
    tool->params = tool_member(host, "params");
    return TOOL_DONE;
}

int tool_test_config(tool_t *tool, tool_httpd_t *httpd)
{
    const char *file = tool_text(tool, TOOL_CONFIG);
    char *whole = NULL;

    if (file && (apr_filepath_merge(&whole, NULL, file, 0, tool->pool) != APR_SUCCESS ||
                 !readable(tool, whole)))
        return tool_fail(TOOL_USAGE, "--config: %s cannot be read", file);
    return run_httpd(tool, whole, httpd);
}

int tool_configure(tool_t *tool)
{
    const char *file = tool_text(tool, TOOL_CONFIG),
               *database = tool->driver
                               ? apr_pstrcat(tool->pool, tool->driver, ":", tool->params, NULL)
                               : NULL,
               *said = file ? file : "httpd's configuration";
    tool_httpd_t httpd = {.status = 0};

    if (tool->settings_json || (database && !file))
        return TOOL_DONE;
    int status = tool_test_config(tool, &httpd);
    if (status)
        return status;
    json_t *hosts = tool_httpd_hosts(tool, &httpd);
    if (hosts && httpd.status == 0) {
        status = check_variables(tool, said, &httpd);
        return status ? status : take_host(tool, said, hosts, database);
    }
    if (!file)
        return tool_fail(
            TOOL_USAGE,
            "no database is named: give --db DRIVER:PARAMS or set IDENTITY_DB; httpd's "
            "configuration does not name one: %s",
            httpd.status ? tool_httpd_reason(tool, &httpd) : "mod_identity is not loaded there");
    return tool_fail(TOOL_DATABASE, "%s: %s", file,
                     httpd.status ? tool_httpd_reason(tool, &httpd)
                                  : "mod_identity is not loaded there");
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

int tool_settings_kept(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *kept;

    if (tool->settings_json)
        return TOOL_DONE;
    if (!identity_settings_kept(tool->pool, &tool->env, &kept, &problem))
        return tool_problem(&problem);
    if (json_object_size(kept))
        tool->settings_json = kept;
    return TOOL_DONE;
}

int tool_need_settings(const tool_t *tool)
{
    return tool->settings_json
               ? TOOL_DONE
               : tool_fail(
                     TOOL_DATABASE,
                     "%s needs the server's configuration, and no server has stored it in this "
                     "database yet: start httpd once, or name its configuration by --config FILE",
                     tool->command->name);
}
