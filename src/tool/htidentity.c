/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity: sets up and examines the database of mod_identity, with or without a running server. */
#include <stdarg.h>
#include <stdio.h>

#include <apr_general.h>
#include <sodium.h>

#include "tool.h"

int tool_fail(tool_status_t status, const char *format, ...)
{
    va_list arguments;

    fputs("htidentity: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return (int)status;
}

static int run(tool_t *tool, int argc, char **argv)
{
    int status = tool_parse(tool, argc, argv);

    if (status != TOOL_DONE)
        return status;
    if (tool_has(tool, TOOL_VERSION)) {
        puts("htidentity " IDENTITY_VERSION);
        return TOOL_DONE;
    }
    return tool_has(tool, TOOL_HELP) ? tool_help(tool) : tool->command->run(tool);
}

int main(int argc, char **argv)
{
    tool_t tool = {.json = false};

    if (apr_initialize() != APR_SUCCESS || sodium_init() < 0)
        return tool_fail(TOOL_FAILED, "the libraries could not be started");
    apr_pool_create(&tool.pool, NULL);
    int status = run(&tool, argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = tool_fail(TOOL_FAILED, "the output could not be written");
    apr_terminate();
    return status;
}
