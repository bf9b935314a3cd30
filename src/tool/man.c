/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page, generated from the tables. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

#define LINE_LENGTH 78

/* Of the current line. */
static size_t column;

static void end_line(void)
{
    if (column)
        putchar('\n');
    column = 0;
}

/* Text between requests: escapes hyphens and backslashes, and prevents lines that look like requests. */
static void print_text(const char *text, size_t length)
{
    if (!column && (*text == '.' || *text == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < length; i++)
        if (text[i] == '-')
            fputs("\\-", stdout);
        else if (text[i] == '\\')
            fputs("\\e", stdout);
        else
            putchar(text[i]);
}

/* The next word of running text, on a new line if it does not fit: the source should be readable, too. */
static void print_word(const char *word, size_t length)
{
    /* A hyphen takes two columns. */
    size_t width = length;

    for (size_t i = 0; i < length; i++)
        width += word[i] == '-';
    if (column && column + 1 + width > LINE_LENGTH)
        end_line();
    else if (column) {
        putchar(' ');
        column++;
    }
    print_text(word, length);
    column += width;
}

static void print_words(const char *text)
{
    for (size_t length; *text; text += length + strspn(text + length, " ")) {
        length = strcspn(text, " ");
        print_word(text, length);
    }
}

/* A text of the tables as a sentence: with a capital letter and a full stop. */
static void print_sentence(const char *text, const char *end)
{
    char sentence[1024];

    snprintf(sentence, sizeof sentence, "%s%s", text, end);
    if (sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
    print_words(sentence);
    end_line();
}

static void print_arguments(const char *arguments)
{
    bool begins = true;

    for (const char *at = arguments; *at; begins = *at == ' ', at++)
        if (!begins || *at != '=')
            putchar(*at);
}

static void print_command(const tool_command_t *command)
{
    char option[64];
    const char *value;
    bool any = false;

    fputs(".TP\n.B ", stdout);
    print_text(command->name, strlen(command->name));
    if (*command->arguments) {
        fputs(" \\fR", stdout);
        print_arguments(command->arguments);
    }
    putchar('\n');
    print_sentence(command->text, ".");
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_options[i].kind != TOOL_ALL && tool_takes(command, (tool_option_t)i, &value)) {
            if (any) {
                putchar(',');
                column++;
            } else
                print_words("Options:");
            any = true;
            snprintf(option, sizeof option, "--%s", tool_options[i].name);
            print_words(option);
            print_words(value ? value : "");
        }
    if (any) {
        putchar('.');
        column++;
    }
    end_line();
}

static void print_option(const tool_option_row_t *option)
{
    fputs(".TP\n.B \\-\\-", stdout);
    print_text(option->name, strlen(option->name));
    if (option->value) {
        fputs(" \\fI", stdout);
        print_text(option->value, strlen(option->value));
        fputs("\\fR", stdout);
    }
    putchar('\n');
    print_sentence(option->text, option->kind == TOOL_MANY ? "; may be repeated." : ".");
}

static const char begin[] =
    ".SH NAME\nhtidentity \\- set up, change and inspect the identities of mod_identity\n"
    ".SH SYNOPSIS\n.B htidentity\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n"
    ".SH DESCRIPTION\n";
static const char description[] =
    "It works on the database of mod_identity, with httpd running or not, by the same rules as "
    "the interface does. "
    "A USER is an id, a user name or a login; a TEAM, ROLE, ACCOUNT, ENTITY or PROVIDER an id or "
    "its reference, slug "
    "or name. Durations take s, m, h or d; a time is written 2024-01-15T09:30:00Z. A password is "
    "read from standard "
    "input; a key, an alias or a link is printed alone, once. Lists are separated by tabs, the id "
    "first, with a "
    "heading on a terminal alone.";
static const char where[] =
    "Without --db the database, keys, lifetimes and rules are those of httpd's configuration, "
    "which httpd itself "
    "reads (httpd -t -D IDENTITY_DUMP). With --db alone they are what the server wrote into the "
    "database at its last "
    "start.";
static const char end[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\nFailed.\n"
    ".TP\n.B 2\nWrong usage; the message names the wrong word.\n"
    ".TP\n.B 3\nThere is no database, or it has another version.\n"
    ".TP\n.B 4\nNot found.\n"
    ".TP\n.B 5\nThe object already exists, or its state does not allow the command.\n"
    ".TP\n.B 6\nRefused by a rule.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B IDENTITY_DB\nStands for \\-\\-db.\n"
    ".TP\n.B IDENTITY_ENTITY\nStands for \\-\\-entity.\n"
    ".TP\n.B IDENTITY_HTTPD\nThe path of the httpd whose configuration is read.\n"
    ".TP\n.B APACHE_ENVVARS\nThe file with the variables that its configuration uses.\n"
    ".SH SEE ALSO\n.BR mod_identity (8),\n.BR httpd (8),\n.BR apachectl (8)\n";

int tool_print_man(void)
{
    puts(".TH HTIDENTITY 8 " IDENTITY_VERSION_DATE " \"mod_identity " IDENTITY_VERSION
         "\" \"System Administration\"");
    fputs(begin, stdout);
    print_sentence(description, "");
    puts(".PP");
    print_sentence(where, "");
    puts(".SH OPTIONS OF EVERY COMMAND");
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_options[i].kind == TOOL_ALL)
            print_option(&tool_options[i]);
    puts(".SH COMMANDS");
    for (size_t i = 0; i < tool_command_count; i++)
        print_command(&tool_commands[i]);
    puts(".SH OPTIONS");
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_options[i].kind != TOOL_ALL)
            print_option(&tool_options[i]);
    fputs(end, stdout);
    return TOOL_DONE;
}
