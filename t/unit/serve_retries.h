/* SPDX-License-Identifier: Apache-2.0 */
/* What a request does to a copy of the database, in a process of its own: how a run in which the Nth statement answers
 * RETRY or LOST is compared with one in which none does. */
#ifndef IDENTITY_TEST_SERVE_RETRIES_H
#define IDENTITY_TEST_SERVE_RETRIES_H

#include <sys/wait.h>

#include <apr_file_io.h>

#include "serve.h"

typedef struct retried {
    bool reached;       /* there is an Nth statement */
    const char *result; /* status, body and rows, without what is random */
} retried_t;

/* Ids, secrets, digests and times of a microsecond are other ones each time. */
static inline char *without_random(const char *from)
{
    char *to = apr_palloc(door->pool, strlen(from) + 1), *at = to;

    while (*from) {
        size_t word = strspn(from, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-+/=$");
        /* "idk_...G2if" shows the end of a key. */
        if (word >= 16 || (word == 4 && at - to >= 3 && strncmp(at - 3, "...", 3) == 0))
            *at++ = '?';
        else if (word)
            at = (char *)memcpy(at, from, word) + word;
        else
            *at++ = *from;
        from += word ? word : 1;
    }
    *at = '\0';
    return to;
}

static int by_text(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* Every row of every table, sorted without what is random. */
static const char *rows_without_random(void)
{
    char *tables = apr_pstrdup(door->pool, rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
    const char *all = "";
    char *rest;

    for (char *table = apr_strtok(tables, " ", &rest); table; table = apr_strtok(NULL, " ", &rest)) {
        apr_array_header_t *lines = apr_array_make(door->pool, 64, sizeof(char *));
        char *content = without_random(rows(text("SELECT char(10), * FROM %s", table))), *more;
        for (char *line = apr_strtok(content, "\n", &more); line; line = apr_strtok(NULL, "\n", &more)) {
            size_t length = strlen(line);
            while (length > 0 && line[length - 1] == ' ')
                line[--length] = '\0';
            APR_ARRAY_PUSH(lines, char *) = apr_pstrcat(door->pool, line, "\n", NULL);
        }
        qsort(lines->elts, (size_t)lines->nelts, sizeof(char *), by_text);
        all = apr_pstrcat(door->pool, all, "\n", table, "\n", apr_array_pstrcat(door->pool, lines, 0), NULL);
    }
    return all;
}

static void no_pause(void *context, apr_interval_time_t pause)
{
    (void)context;
    (void)pause;
}

/* In the child: everything goes to a copy, through new connections. */
static void use_copy(void)
{
    const char *copy = text("%s/copy-%d.db", door->folder, (int)getpid());

    for (int wal = 0; wal < 2; wal++) {
        const char *suffix = wal ? "-wal" : "";
        apr_status_t status = apr_file_copy(text("%s%s", door->params, suffix), text("%s%s", copy, suffix),
                                            APR_FPROT_FILE_SOURCE_PERMS, door->pool);
        if (status != APR_SUCCESS && !(wal && APR_STATUS_IS_ENOENT(status)))
            bail("no copy of the database");
    }
    door->params = copy;
    door_catalogue(door, door->settings.catalogue);
    if (apr_dbd_open(serve_driver, door->pool, copy, &serve_handle) != APR_SUCCESS)
        bail("no second connection");
}

static void try_in_child(door_answer_t (*call)(const void *), const void *data, int n, identity_db_status_t with,
                         FILE *out)
{
    use_copy();
    door->env.pause = no_pause;
    /* The connection is no new one. */
    identity_db_release(door->db);
    door->fail_with = with;
    door->fail_after = n;
    door_answer_t answer = call(data);
    bool reached = door->fail_after <= 0;
    door->fail_after = 0;
    fprintf(out, "%d%d %s\n%s", reached, answer.status, answer.text ? without_random(answer.text) : "",
            rows_without_random());
    apr_file_remove(door->params, door->pool);
    apr_file_remove(text("%s-wal", door->params), door->pool);
    apr_file_remove(text("%s-shm", door->params), door->pool);
}

/* n: 0 for none. */
static inline retried_t retried(door_answer_t (*call)(const void *), const void *data, int n, identity_db_status_t with)
{
    FILE *out = tmpfile();
    int status;

    fflush(stdout);
    pid_t child = out ? fork() : -1;
    if (child < 0)
        bail("no child");
    if (child == 0) {
        try_in_child(call, data, n, with, out);
        fflush(out);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0)
        bail(text("the child failed (status %d, statement %d)", status, n));
    long size = ftell(out);
    char *result = apr_pcalloc(door->pool, (apr_size_t)size + 1);
    rewind(out);
    if (fread(result, 1, (size_t)size, out) != (size_t)size || size < 2)
        bail("the child wrote nothing");
    fclose(out);
    return (retried_t){.reached = result[0] == '1', .result = result + 1};
}

#endif
