/* SPDX-License-Identifier: Apache-2.0 */
/* The server's secret files: signing keys, and the key that seals API keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_user.h>
#include <unistd.h>

#include "tool.h"

#define KEY_FILE_MAX 65536

static int unreadable(const tool_t *tool, const char *file, apr_status_t status, const char *why,
                      const char *else_do)
{
    char *user = NULL, reason[120];

    apr_strerror(status, reason, sizeof reason);
    if (APR_STATUS_IS_EACCES(status) &&
        apr_uid_name_get(&user, geteuid(), tool->pool) == APR_SUCCESS)
        return tool_fail(TOOL_FAILED,
                         "%s cannot be read: %s (errno %d). %s. Run `sudo chown %s %s`%s", file,
                         reason, status, why, user, file, else_do);
    return tool_fail(
        TOOL_FAILED,
        "%s cannot be read: %s (errno %d). %s, which the server creates at its first start: name "
        "it by --signing-key%s",
        file, reason, status, why, else_do);
}

/* Wiped with the pool. */
static apr_status_t read_file(const tool_t *tool, const char *file, char **text)
{
    apr_size_t length = KEY_FILE_MAX;
    apr_file_t *opened;
    apr_status_t status =
        apr_file_open(&opened, file, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, tool->pool);

    if (status != APR_SUCCESS)
        return status;
    *text = apr_pcalloc(tool->pool, KEY_FILE_MAX + 1);
    status = apr_file_read_full(opened, *text, KEY_FILE_MAX, &length);
    apr_file_close(opened);
    identity_wipe_with_pool(tool->pool, *text);
    return status == APR_EOF ? APR_SUCCESS : status;
}

/* Where the server looks: `make run` as root uses links to its database. */
static const char *key_folder(const tool_t *tool)
{
    char *real = realpath(tool->params, NULL);
    const char *path = apr_pstrdup(tool->pool, real ? real : tool->params),
               *slash = strrchr(path, '/');

    free(real);
    return slash ? apr_pstrmemdup(tool->pool, path, (apr_size_t)(slash - path)) : ".";
}

static const apr_array_header_t *key_files(tool_t *tool)
{
    apr_array_header_t *files = apr_array_make(tool->pool, 2, sizeof(const char *));
    const json_t *configured = json_object_get(tool->settings_json, "signing_keys"), *file;
    identity_key_folder_t found;
    size_t i;

    if (tool_has(tool, TOOL_SIGNING_KEY))
        APR_ARRAY_PUSH(files, const char *) = tool_text(tool, TOOL_SIGNING_KEY);
    else
        json_array_foreach (configured, i, file)
            APR_ARRAY_PUSH(files, const char *) = json_string_value(file);
    if (files->nelts)
        return files;
    identity_key_folder(tool->pool, key_folder(tool), apr_time_now(), &found);
    return found.paths;
}

int tool_load_keys(tool_t *tool)
{
    const apr_array_header_t *files = key_files(tool);
    const char **pems = apr_pcalloc(tool->pool, (apr_size_t)files->nelts * sizeof *pems),
               *error = NULL, *value;

    for (int i = 0; i < files->nelts; i++) {
        const char *file = APR_ARRAY_IDX(files, i, const char *);
        char *text = NULL;
        apr_status_t status = read_file(tool, file, &text);
        if (status != APR_SUCCESS)
            return unreadable(tool, file, status,
                              "Mails, links and erasure need the server's signing key",
                              tool_takes(tool->command, TOOL_PASSWORD_STDIN, &value)
                                  ? ", or give a password by --password-stdin"
                                  : "");
        pems[i] = text;
    }
    tool->env.keys = identity_keyset_load(tool->pool, pems, files->nelts, &error);
    return tool->env.keys
               ? 0
               : tool_fail(TOOL_FAILED, "%s: %s", APR_ARRAY_IDX(files, 0, const char *), error);
}

#define ESCROW_SIZE 32

int tool_load_escrow(tool_t *tool)
{
    const char *file = tool_member(tool->settings_json, "key_escrow");
    unsigned char *key;
    char *text, reason[120];

    if (!file)
        return TOOL_DONE;
    apr_status_t status = read_file(tool, file, &text);
    if (status != APR_SUCCESS)
        return tool_fail(
            TOOL_FAILED,
            "%s cannot be read: %s (errno %d). With IdentityKeyEscrow the server keeps new keys "
            "sealed with this file: run this as a user who can read it",
            file, apr_strerror(status, reason, sizeof reason), status);
    key = apr_pcalloc(tool->pool, ESCROW_SIZE + 1);
    if (!identity_sealing_key_read(text, key))
        return tool_fail(TOOL_FAILED,
                         "%s does not contain 32 bytes as 64 hexadecimal digits or in base64",
                         file);
    tool->settings.key_escrow = key;
    return TOOL_DONE;
}

int tool_load_blocklist(tool_t *tool)
{
    const char *file = tool_member(tool->settings_json, "password_blocklist");
    apr_file_t *opened;
    apr_finfo_t info;
    char *text;

    if (!file)
        return TOOL_DONE;
    apr_status_t status =
        apr_file_open(&opened, file, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, tool->pool);
    if (status == APR_SUCCESS)
        status = apr_file_info_get(&info, APR_FINFO_SIZE, opened);
    if (status != APR_SUCCESS) {
        char reason[120];
        return tool_fail(TOOL_FAILED,
                         "%s, the list of IdentityPasswordBlockList, cannot be read: %s (errno %d)",
                         file, apr_strerror(status, reason, sizeof reason), status);
    }
    apr_size_t length = (apr_size_t)info.size;
    text = apr_palloc(tool->pool, length + 1);
    apr_file_read_full(opened, text, length, &length);
    text[length] = '\0';
    apr_file_close(opened);
    tool->settings.blocklist = identity_blocklist_make(tool->pool, text, length);
    return TOOL_DONE;
}

/* ---- signing-key list, rotate ----------------------------------------------------------------------------------- */

static const json_t *configured_keys(const tool_t *tool)
{
    const json_t *list = json_object_get(tool->settings_json, "signing_keys");
    return json_array_size(list) ? list : NULL;
}

static const char *state_of(const tool_t *tool, int index, int count)
{
    identity_key_folder_t found = {.waiting = 0};

    if (!configured_keys(tool))
        identity_key_folder(tool->pool, key_folder(tool), apr_time_now(), &found);
    return index == 0 ? "signs" : index >= count - found.waiting ? "waits" : "verifies";
}

int tool_signing_key_list(tool_t *tool)
{
    static const char *const columns[] = {"kid", "state", "algorithm", "created_at", "file", NULL};
    int status = tool_open(tool);

    if (status == TOOL_DONE)
        status = tool_load_keys(tool);
    if (status)
        return status;
    const apr_array_header_t *files = key_files(tool);
    for (int i = 0; i < files->nelts; i++) {
        const char *file = APR_ARRAY_IDX(files, i, const char *);
        apr_finfo_t info = {.mtime = 0};
        apr_stat(&info, file, APR_FINFO_MTIME, tool->pool);
        json_t *line =
            json_pack("{s:s?, s:s, s:s, s:o, s:s}", "kid", identity_keyset_kid(tool->env.keys, i),
                      "state", state_of(tool, i, files->nelts), "algorithm", "ES256", "created_at",
                      identity_time_json(info.mtime), "file", file);
        tool_line(tool, line, columns);
        json_decref(line);
    }
    return TOOL_DONE;
}

static int make_key(tool_t *tool, const char *folder, const char **path)
{
    identity_key_folder_t found;

    identity_key_folder(tool->pool, folder, apr_time_now(), &found);
    *path = identity_key_file(tool->pool, folder, found.highest + 1);
    const char *error = identity_key_file_make(tool->pool, *path);
    return error ? tool_fail(TOOL_FAILED, "%s", error) : TOOL_DONE;
}

/* IdentitySigningKey names the files, so nothing takes effect before it has been edited. */
static int propose_key(tool_t *tool, const json_t *configured)
{
    const char *first = json_string_value(json_array_get(configured, 0)),
               *slash = strrchr(first, '/'), *path;
    const json_t *file;
    size_t i;
    int status = make_key(
        tool, slash ? apr_pstrmemdup(tool->pool, first, (apr_size_t)(slash - first)) : ".", &path);

    if (status)
        return status;
    printf("IdentitySigningKey %s", path);
    if (!tool_has(tool, TOOL_NOW))
        json_array_foreach (configured, i, file)
            printf(" %s", json_string_value(file));
    putchar('\n');
    return tool_fail(
        TOOL_REFUSED,
        "the new key is created, but httpd's configuration lists the keys: replace the present "
        "line by this one and reload httpd");
}

static int drop_keys(const apr_array_header_t *paths)
{
    for (int i = 0; i < paths->nelts; i++)
        if (unlink(APR_ARRAY_IDX(paths, i, const char *)) != 0 && errno != ENOENT)
            return tool_fail(TOOL_FAILED,
                             "%s cannot be removed and continues to verify: %s (errno %d)",
                             APR_ARRAY_IDX(paths, i, const char *), strerror(errno), errno);
    return TOOL_DONE;
}

int tool_signing_key_rotate(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    identity_key_folder_t before;
    const char *path;
    int status = tool_open(tool);

    if (status)
        return status;
    if (configured_keys(tool))
        return propose_key(tool, configured_keys(tool));
    identity_key_folder(tool->pool, key_folder(tool), apr_time_now(), &before);
    status = make_key(tool, key_folder(tool), &path);
    if (status == TOOL_DONE && tool_has(tool, TOOL_NOW) && before.highest >= 0)
        status = drop_keys(before.paths);
    if (status)
        return status;
    if (!identity_rotation_note(tool->pool, &tool->env, tool_has(tool, TOOL_NOW), &problem))
        return tool_problem(&problem);
    if (!tool->json) {
        puts(path);
        return TOOL_DONE;
    }
    json_t *line = json_pack("{s:s}", "file", path);
    tool_print(tool, line, NULL);
    json_decref(line);
    return TOOL_DONE;
}
