/* SPDX-License-Identifier: Apache-2.0 */
/* Files read line by line, repeatedly, whatever they contain. */
#ifndef IDENTITY_TOOL_LINES_H
#define IDENTITY_TOOL_LINES_H

#include "tool.h"

typedef struct tool_lines tool_lines_t;
/* A file by its name, or standard input for "-" or NULL; input that cannot be read twice is copied first, into an
 * unnamed file in the database's folder. 0, or the exit status after a message. */
int tool_lines_open(tool_t *tool, const char *name, tool_lines_t **lines);
/* From the beginning again. */
void tool_lines_rewind(tool_lines_t *lines);
/* The next line without its end, valid until the next call; *text is NULL if it is longer than IDENTITY_IMPORT_LINE.
 * False at the end, and on errors (tool_lines_failed). */
bool tool_lines_next(tool_lines_t *lines, const char **text, size_t *length);
bool tool_lines_failed(const tool_lines_t *lines);
/* SHA-256 of everything read since the beginning. Once, at the end. */
const char *tool_lines_digest(tool_lines_t *lines);

#endif
