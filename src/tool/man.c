/* The manual page, made from the tables. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

/* Text between requests: hyphens that are typed, backslashes, and no line that begins as a request does. */
static void print_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
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
    const char *value;
    bool any = false;

    fputs(".TP\n.B ", stdout);
    print_text(command->name);
    if (*command->arguments) {
        fputs(" \\fR", stdout);
        print_arguments(command->arguments);
    }
    printf("\n%c", command->text[0] - 'a' + 'A');
    print_text(command->text + 1);
    puts(".");
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_options[i].kind != TOOL_ALL && tool_takes(command, (tool_option_t)i, &value)) {
            fputs(any ? ", " : "Options: ", stdout);
            fputs("\\-\\-", stdout);
            print_text(tool_options[i].name);
            if (value) {
                putchar(' ');
                print_text(value);
            }
            any = true;
        }
    if (any)
        puts(".");
}

static void print_option(const tool_option_row_t *option)
{
    fputs(".TP\n.B \\-\\-", stdout);
    print_text(option->name);
    if (option->value) {
        fputs(" \\fI", stdout);
        print_text(option->value);
        fputs("\\fR", stdout);
    }
    printf("\n%c", option->text[0] >= 'a' && option->text[0] <= 'z' ? option->text[0] - 'a' + 'A' : option->text[0]);
    print_text(option->text + 1);
    puts(option->kind == TOOL_MANY ? "; may be repeated." : ".");
}

static const char begin[] =
    ".SH NAME\nhtidentity \\- set up, change and look into the identities of mod_identity\n"
    ".SH SYNOPSIS\n.B htidentity\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n"
    ".SH DESCRIPTION\n"
    "It works on the database of mod_identity, with httpd running or not, by the same rules as the interface does. "
    "A USER is an id, a user name or a login; a TEAM, ROLE, ACCOUNT, ENTITY or PROVIDER an id or its reference, slug "
    "or "
    "name. "
    "Durations take s, m, h or d; a time is written 2024\\-01\\-15T09:30:00Z. A password is read from standard input; "
    "a "
    "key, an alias or a link is printed alone, once. Lists are separated by tabs, the id first, with a heading on a "
    "terminal alone.\n.PP\n"
    "Without \\-\\-db the database, keys, lifetimes and rules are those of httpd\\(aqs configuration, which httpd "
    "itself "
    "reads (httpd \\-t \\-D IDENTITY_DUMP). With \\-\\-db alone they are what the server wrote into the database at "
    "its "
    "last start.\n";
static const char end[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n.TP\n.B 1\nFailed.\n.TP\n.B 2\nUsage; the wrong word is named.\n.TP\n.B 3\nThere is no "
    "database, or "
    "not of this version.\n.TP\n.B 4\nNot found.\n.TP\n.B 5\nIt exists already, or is not in the state for "
    "it.\n.TP\n.B 6\n"
    "Refused by a rule.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B IDENTITY_DB\nStands for \\-\\-db.\n.TP\n.B IDENTITY_ENTITY\nStands for \\-\\-entity.\n"
    ".TP\n.B IDENTITY_HTTPD\nThe path of the httpd whose configuration is read.\n"
    ".TP\n.B APACHE_ENVVARS\nThe file with the variables that its configuration uses.\n"
    ".SH SEE ALSO\n.BR httpd (8),\n.BR apachectl (8)\n";

int tool_print_man(void)
{
    puts(".TH HTIDENTITY 1 \"\" \"mod_identity " IDENTITY_VERSION "\" \"User Commands\"");
    fputs(begin, stdout);
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
