/* SPDX-License-Identifier: Apache-2.0 */
/* Files read line by line, as often as is wanted, whatever stands in them. */
#ifndef IDENTITY_TOOL_LINES_H
#define IDENTITY_TOOL_LINES_H

#include "tool.h"

typedef struct tool_lines tool_lines_t;
/* A file by its name, or standard input for "-" or NULL; what cannot be read twice is copied first, into a file without
 * a name in the database's folder. 0, or the exit status after a message. */
int tool_lines_open(tool_t *tool, const char *name, tool_lines_t **lines);
/* From the beginning again. */
void tool_lines_rewind(tool_lines_t *lines);
/* The next line without its end, good until the next call; *text is NULL where it is longer than IDENTITY_IMPORT_LINE.
 * False at the end, and where nothing more can be read (tool_lines_failed). */
bool tool_lines_next(tool_lines_t *lines, const char **text, size_t *length);
bool tool_lines_failed(const tool_lines_t *lines);
/* SHA-256 of all that was read since the beginning. Once, at the end. */
const char *tool_lines_digest(tool_lines_t *lines);

#endif
