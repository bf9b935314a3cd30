/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps every answer, one JSON object a line, as t/answers/check.py reads them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "tap.h"
#include "door.h"

static int add_header(void *headers, const char *name, const char *value)
{
    char lower[64];
    size_t i = 0;

    for (; name[i] && i < sizeof lower - 1; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    lower[i] = '\0';
    json_t *before = json_object_get(headers, lower);
    if (json_is_array(before)) {
        json_array_append_new(before, json_string(value));
        return 1;
    }
    json_t *list = json_array();
    json_array_append_new(list, json_string(value));
    json_object_set_new(headers, lower, list);
    return 1;
}

/* A file of its own for each process: what is written to it is never mixed. */
static FILE *file(void)
{
    static FILE *out;
    static pid_t owner;
    const char *folder = getenv("IDENTITY_ANSWERS");
    char path[4096];

    if (!folder || (out && owner == getpid()))
        return out;
    owner = getpid();
    snprintf(path, sizeof path, "%s/%s.%ld.jsonl", folder, program_invocation_short_name, (long)owner);
    out = fopen(path, "a");
    if (!out)
        bail("IDENTITY_ANSWERS names no folder that can be written");
    return out;
}

void door_record(const char *method, const char *path, const identity_response_t *answer)
{
    FILE *out = file();
    bool shown = answer->content_type && strncmp(answer->content_type, "application/json", 16) == 0;

    if (!out)
        return;
    json_t *headers = json_object();
    apr_table_do(add_header, headers, answer->headers, NULL);
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:i, s:s?, s:o}", "from", program_invocation_short_name, "method", method, "target",
                  path, "status", answer->status, "type", answer->content_type, "headers", headers);
    /* That HEAD has no body is the server's part. */
    if (line && shown && strcmp(method, "HEAD") != 0)
        json_object_set_new(line, "body", json_stringn(answer->body, answer->length));
    /* A path that is no UTF-8 is asked for too; nothing of the document is at such a one. */
    if (line && json_dumpf(line, out, JSON_COMPACT) == 0)
        fputc('\n', out);
    json_decref(line);
    if (fflush(out) != 0)
        bail("an answer could not be recorded");
}
