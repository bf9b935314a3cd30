/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity config check: what httpd would refuse, and what is risky in what it accepts. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>

#include "tool.h"

typedef struct checking {
    tool_t *tool;
    int found;
} checking_t;

static void find(checking_t *checking, const char *kind, const char *server, const char *text)
{
    static const char *const columns[] = {"kind", "server", "finding", NULL};
    json_t *line = json_pack("{s:s, s:s?, s:s}", "kind", kind, "server", server, "finding", text);

    tool_line(checking->tool, line, columns);
    json_decref(line);
    checking->found++;
}

/* ---- what httpd says -------------------------------------------------------------------------------------------- */

static bool is_warning(const char *line)
{
    static const char *const levels[] = {"[identity:warn]",  "[identity:error]", "[identity:crit]",
                                         "[identity:alert]", "[identity:emerg]", "AH00111: "};

    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strstr(line, levels[i]))
            return true;
    return false;
}

static void read_log(checking_t *checking, const tool_httpd_t *httpd)
{
    char *state, *copy = apr_pstrdup(checking->tool->pool, httpd->errors);
    bool refused = false;

    for (char *line = apr_strtok(copy, "\n", &state); line; line = apr_strtok(NULL, "\n", &state)) {
        if (!is_warning(line))
            continue;
        bool ends = strstr(line, "[identity:emerg]") != NULL;
        find(checking, ends && httpd->status ? "refused" : "warning", NULL, tool_log_text(line));
        refused = refused || (ends && httpd->status);
    }
    if (httpd->status && !refused)
        find(checking, "refused", NULL, tool_httpd_reason(checking->tool, httpd));
}

/* ---- what it accepts -------------------------------------------------------------------------------------------- */

static const char *number_text(const tool_t *tool, const struct stat *info)
{
    return apr_psprintf(tool->pool, "%o", (unsigned)(info->st_mode & 07777));
}

/* A secret that others may read; or, beside the database, with an owner other than the folder's, whose tool cannot
 * read it (M8). */
static void check_secret(checking_t *checking, const char *server, const char *path,
                         const struct stat *folder)
{
    const tool_t *tool = checking->tool;
    struct stat info;

    if (stat(path, &info) != 0)
        return; /* httpd has reported it, or will create it */
    if (info.st_mode & 077)
        find(checking, "risk", server,
             apr_psprintf(tool->pool, "%s contains a secret and has mode %s: chmod 600 it", path,
                          number_text(tool, &info)));
    if (folder && info.st_uid != folder->st_uid)
        find(
            checking, "risk", server,
            apr_psprintf(
                tool->pool,
                "%s does not belong to the owner of its folder, who cannot use it: chown --reference=%s %s",
                path, tool_folder_of(tool->pool, path), path));
}

static void check_folder(checking_t *checking, const char *server, const json_t *host)
{
    const tool_t *tool = checking->tool;
    const char *folder = tool_folder_of(tool->pool, tool_member(host, "params"));
    identity_key_folder_t keys;
    struct stat info;

    if (stat(folder, &info) != 0)
        return;
    if (info.st_mode & 022)
        find(
            checking, "risk", server,
            apr_psprintf(
                tool->pool,
                "others than the owner can write to %s, the folder of the database and the keys: chmod go-w it",
                folder));
    if (json_array_size(json_object_get(host, "signing_keys")) == 0) {
        identity_key_folder(tool->pool, folder, apr_time_now(), &keys);
        for (int i = 0; i < keys.paths->nelts; i++)
            check_secret(checking, server, APR_ARRAY_IDX(keys.paths, i, const char *), &info);
    }
    check_secret(checking, server, tool_member(host, "params"), &info);
}

static void check_host(checking_t *checking, const json_t *host)
{
    const char *server = tool_member(host, "server"), *escrow = tool_member(host, "key_escrow");
    const json_t *file;
    size_t i;

    if (!json_is_true(json_object_get(host, "require_tls")))
        find(checking, "risk", server,
             "IdentityRequireTLS Off: passwords and keys may travel where others can read them");
    if (json_is_true(json_object_get(host, "engine")) &&
        !json_is_true(json_object_get(host, "mail")))
        find(checking, "risk", server,
             "IdentityMailURL is not set: invitations and password resets are refused, and mails "
             "of htidentity are not sent");
    if (strcmp(tool_member(host, "sync"), "NORMAL") == 0)
        find(checking, "risk", server,
             "IdentitySync NORMAL: a power failure may undo acknowledged changes");
    json_array_foreach (json_object_get(host, "signing_keys"), i, file)
        check_secret(checking, server, json_string_value(file), NULL);
    if (escrow)
        check_secret(checking, server, escrow, NULL);
    check_folder(checking, server, host);
}

int tool_config_check(tool_t *tool)
{
    const char *database =
        tool->driver ? apr_pstrcat(tool->pool, tool->driver, ":", tool->params, NULL) : NULL;
    checking_t checking = {.tool = tool};
    tool_httpd_t httpd;
    json_t *host;
    size_t i;
    int hosts = 0, status = tool_test_config(tool, &httpd);

    if (status)
        return status;
    read_log(&checking, &httpd);
    json_array_foreach (tool_httpd_hosts(tool, &httpd), i, host) {
        if (database && strcmp(database, tool_database_of(tool, host)) != 0)
            continue;
        check_host(&checking, host);
        hosts++;
    }
    if (!hosts && !httpd.status)
        find(&checking, "warning", NULL,
             database ? "no server uses that database"
                      : "nothing uses mod_identity, or it is not loaded");
    if (!checking.found && !tool->json)
        puts("nothing found");
    return checking.found ? TOOL_FAILED : TOOL_DONE;
}
