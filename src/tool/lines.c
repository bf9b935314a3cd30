/* SPDX-License-Identifier: Apache-2.0 */
/* Files read line by line (lines.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "lines.h"

#define PIECE 65536

struct tool_lines {
    apr_pool_t *pool;
    int file;
    char *buffer; /* the text from `from` to `until` has not been returned yet */
    size_t from, until, size;
    bool failed, first;
    identity_digest_t *digest;
};

static apr_status_t close_file(void *lines)
{
    close(((tool_lines_t *)lines)->file);
    return APR_SUCCESS;
}

/* Private, and deleted with this process. */
static int unnamed_file(const tool_t *tool)
{
    const char *slash = strrchr(tool->params, '/');
    const char *folder =
        slash ? apr_pstrmemdup(tool->pool, tool->params, (apr_size_t)(slash + 1 - tool->params))
              : ".";
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (file < 0) {
        FILE *other = tmpfile();
        file = other ? dup(fileno(other)) : -1;
        if (other)
            fclose(other);
    }
    return file;
}

static bool copy(int from, int to)
{
    char piece[PIECE];
    ssize_t got;

    while ((got = read(from, piece, sizeof piece)) > 0)
        for (ssize_t done = 0, one; done < got; done += one)
            if ((one = write(to, piece + done, (size_t)(got - done))) <= 0)
                return false;
    return got == 0;
}

int tool_lines_open(tool_t *tool, const char *name, tool_lines_t **made)
{
    tool_lines_t *lines = apr_pcalloc(tool->pool, sizeof *lines);
    bool standard = !name || strcmp(name, "-") == 0;
    struct stat info;

    lines->pool = tool->pool;
    lines->size = IDENTITY_IMPORT_LINE + PIECE;
    lines->buffer = apr_palloc(tool->pool, lines->size);
    lines->file = standard ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
    if (lines->file < 0 || fstat(lines->file, &info) != 0)
        return tool_fail(TOOL_FAILED, "%s cannot be read: %s (errno %d)",
                         standard ? "standard input" : name, strerror(errno), errno);
    apr_pool_cleanup_register(tool->pool, lines, close_file, apr_pool_cleanup_null);
    if (S_ISDIR(info.st_mode))
        return tool_fail(TOOL_FAILED, "%s is a folder", name);
    if (!S_ISREG(info.st_mode)) {
        int file = unnamed_file(tool);
        if (file < 0 || !copy(lines->file, file))
            return tool_fail(TOOL_FAILED, "standard input cannot be kept in a file: %s (errno %d)",
                             strerror(errno), errno);
        close(lines->file);
        lines->file = file;
    }
    tool_lines_rewind(lines);
    *made = lines;
    return TOOL_DONE;
}

void tool_lines_rewind(tool_lines_t *lines)
{
    lines->from = lines->until = 0;
    lines->first = true;
    lines->failed = lseek(lines->file, 0, SEEK_SET) != 0;
    lines->digest = identity_digest_make(lines->pool);
    lines->failed = lines->failed || !lines->digest;
}

bool tool_lines_failed(const tool_lines_t *lines)
{
    return lines->failed;
}

const char *tool_lines_digest(tool_lines_t *lines)
{
    return identity_digest_hex(lines->pool, lines->digest);
}

/* False at the end. */
static bool fill(tool_lines_t *lines)
{
    ssize_t got;

    if (lines->from > 0)
        memmove(lines->buffer, lines->buffer + lines->from, lines->until - lines->from);
    lines->until -= lines->from;
    lines->from = 0;
    do
        got = read(lines->file, lines->buffer + lines->until, lines->size - lines->until);
    while (got < 0 && errno == EINTR);
    lines->failed = got < 0;
    if (got <= 0)
        return false;
    identity_digest_add(lines->digest, lines->buffer + lines->until, (size_t)got);
    lines->until += (size_t)got;
    return true;
}

/* The end of the line that begins at `from`, or NULL if more must be read. */
static char *end_of_line(const tool_lines_t *lines, size_t looked)
{
    return memchr(lines->buffer + lines->from + looked, '\n', lines->until - lines->from - looked);
}

static bool pass_over(tool_lines_t *lines)
{
    char *end;

    do
        lines->from = lines->until;
    while (fill(lines) && !end_of_line(lines, 0) && !lines->failed);
    lines->from = lines->until > 0 && (end = end_of_line(lines, 0))
                      ? (size_t)(end + 1 - lines->buffer)
                      : lines->until;
    return !lines->failed;
}

/* The byte order mark that some editors write. */
static void drop_mark(tool_lines_t *lines, const char **text, size_t *length)
{
    if (lines->first && *length >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        *length -= 3;
    }
    lines->first = false;
}

bool tool_lines_next(tool_lines_t *lines, const char **text, size_t *length)
{
    size_t looked = 0;
    char *end;

    while (!(end = end_of_line(lines, looked))) {
        looked = lines->until - lines->from;
        if (looked > IDENTITY_IMPORT_LINE) {
            *text = NULL;
            *length = 0;
            lines->first = false;
            return pass_over(lines);
        }
        if (!fill(lines))
            break;
    }
    if (lines->failed || (!end && lines->from == lines->until))
        return false;
    *text = lines->buffer + lines->from;
    *length = end ? (size_t)(end - *text) : lines->until - lines->from;
    lines->from = end ? (size_t)(end + 1 - lines->buffer) : lines->until;
    if (*length > IDENTITY_IMPORT_LINE)
        *text = NULL;
    else
        drop_mark(lines, text, length);
    return true;
}
