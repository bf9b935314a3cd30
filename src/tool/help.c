/* SPDX-License-Identifier: Apache-2.0 */
/* Renders the tables for people and shells. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

#define COLUMN 34

static void print_arguments(const tool_command_t *command)
{
    bool begins = true;

    if (*command->arguments)
        putchar(' ');
    for (const char *at = command->arguments; *at; begins = *at == ' ', at++)
        if (!begins || *at != '=')
            putchar(*at);
}

static int length_of(const tool_command_t *command)
{
    size_t length =
        strlen(command->name) + strlen(command->arguments) + (*command->arguments != '\0');

    for (const char *at = command->arguments; *at; at++)
        length -= *at == '=';
    return (int)length;
}

static void print_all(void)
{
    puts("usage: htidentity [--config FILE] [--db DRIVER:PARAMS] [--entity ENTITY] [--json] "
         "[--limit N] COMMAND\n");
    for (size_t i = 0; i < tool_command_count; i++) {
        const tool_command_t *command = &tool_commands[i];
        int length = length_of(command);
        printf("  %s", command->name);
        print_arguments(command);
        if (length >= COLUMN)
            printf("\n%*s%s\n", COLUMN + 2, "", command->text);
        else
            printf("%*s%s\n", COLUMN - length, "", command->text);
    }
    puts(
        "\nhtidentity help COMMAND lists the options. A USER is an id or a user name; a TEAM, "
        "ROLE, ACCOUNT, ENTITY "
        "or\n"
        "PROVIDER an id or its reference, slug or name. Durations take s, m, h or d; a time is written\n"
        "2024-01-15T09:30:00Z. Exit status: 0 done, 1 failed, 2 usage, 3 no database or not of this version,\n"
        "4 not found, 5 exists already or not in this state, 6 refused by a rule.");
}

static void print_option(tool_option_t option, const char *value)
{
    const tool_option_row_t *row = &tool_options[option];
    int length = (int)strlen(row->name) + 2 + (value ? (int)strlen(value) + 1 : 0);

    printf("  --%s%s%s", row->name, value ? " " : "", value ? value : "");
    if (length >= COLUMN)
        printf("\n%*s", COLUMN + 2, "");
    else
        printf("%*s", COLUMN - length, "");
    printf("%s%s\n", row->text, row->kind == TOOL_MANY ? "; may be repeated" : "");
}

static void print_command(const tool_command_t *command)
{
    const char *value;

    printf("usage: htidentity %s", command->name);
    print_arguments(command);
    printf("%s\n\n%c%s.\n\n", *command->options ? " [OPTION]..." : "", command->text[0] - 'a' + 'A',
           command->text + 1);
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_takes(command, (tool_option_t)i, &value))
            print_option((tool_option_t)i, value);
}

static bool begins_with(const char *name, const char *words)
{
    size_t length = strlen(words);
    return strncmp(name, words, length) == 0 && (name[length] == ' ' || name[length] == '\0');
}

int tool_help(tool_t *tool)
{
    const char *words = "";
    int found = 0;

    if (tool->command && tool_has(tool, TOOL_HELP)) { /* COMMAND --help */
        print_command(tool->command);
        return TOOL_DONE;
    }
    if (tool_has(tool, TOOL_MAN))
        return *tool->arguments ? tool_fail(TOOL_USAGE, "help: --man does not accept COMMAND")
                                : tool_print_man();
    for (int i = 0; tool->arguments[i]; i++)
        words = apr_pstrcat(tool->pool, words, *words ? " " : "", tool->arguments[i], NULL);
    if (!*words) {
        print_all();
        return TOOL_DONE;
    }
    for (size_t i = 0; i < tool_command_count; i++) {
        if (!begins_with(tool_commands[i].name, words))
            continue;
        if (found++)
            putchar('\n');
        print_command(&tool_commands[i]);
    }
    return found
               ? TOOL_DONE
               : tool_fail(TOOL_USAGE, "there is no command %s: htidentity help lists them", words);
}

/* ---- completion ------------------------------------------------------------------------------------------------- */

static const char script_begin[] =
    "# Completion of htidentity for bash: source it, or keep it as /etc/bash_completion.d/htidentity.\n"
    "_htidentity()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} command= option= words= word i\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [ -n \"$option\" ]; then option=; continue; fi\n"
    "        case $word in\n";
static const char script_words[] = "        -*) ;;\n"
                                   "        *) command=\"$command${command:+ }$word\" ;;\n"
                                   "        esac\n"
                                   "    done\n"
                                   "    if [ -n \"$option\" ]; then\n"
                                   "        case \"$command $option\" in\n";
static const char script_commands[] = "        esac\n"
                                      "    else\n"
                                      "        case $command in\n";
static const char script_end[] =
    "        esac\n"
    "    fi\n"
    "    COMPREPLY=($(if [ -n \"$words\" ]; then compgen -W \"$words\" -- \"$current\"; "
    "else compgen -f -- \"$current\"; fi))\n"
    "}\n"
    "complete -F _htidentity htidentity\n";

static void print_words(const char *choice, size_t length)
{
    for (size_t i = 0; i < length; i++)
        putchar(choice[i] == '|' ? ' ' : choice[i]);
}

static void complete_values(const tool_command_t *command)
{
    const char *value;

    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_takes(command, (tool_option_t)i, &value) && tool_is_choice(value)) {
            printf("        \"%s \"*--%s) words=\"", command->name, tool_options[i].name);
            print_words(value, strlen(value));
            puts("\" ;;");
        }
}

static void complete_command(const tool_command_t *command)
{
    const char *value;

    printf("        \"%s\"|\"%s \"*) words=\"", command->name, command->name);
    for (const char *at = command->arguments; *at; at += strcspn(at, " "), at += *at == ' ')
        if (*at == '=') {
            print_words(at + 1, strcspn(at + 1, " "));
            putchar(' ');
        }
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_takes(command, (tool_option_t)i, &value))
            printf(" --%s", tool_options[i].name);
    puts("\" ;;");
}

/* Does the name begin with these words, and continue? */
static bool goes_on(const char *name, const char *words, size_t length)
{
    return length == 0 || (strncmp(name, words, length) == 0 && name[length] == ' ');
}

/* The words after the first `length` bytes of a name, over all commands; nothing if an earlier command had it. */
static void complete_prefix(size_t index, size_t length)
{
    const char *name = tool_commands[index].name, *last = "";
    size_t last_length = 0;

    for (size_t i = 0; i < index; i++)
        if (goes_on(tool_commands[i].name, name, length))
            return;
    printf("        \"%.*s\") words=\"", (int)length, name);
    for (size_t i = index; i < tool_command_count; i++) {
        if (!goes_on(tool_commands[i].name, name, length))
            continue;
        const char *next = tool_commands[i].name + length + (length > 0);
        size_t next_length = strcspn(next, " ");
        if (next_length != last_length || strncmp(next, last, last_length) != 0)
            printf(" %.*s", (int)next_length, next);
        last = next;
        last_length = next_length;
    }
    puts("\" ;;");
}

int tool_completion(tool_t *tool)
{
    (void)tool;
    fputs(script_begin, stdout);
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (tool_options[i].value)
            printf("        --%s) option=$word ;;\n", tool_options[i].name);
    fputs(script_words, stdout);
    for (size_t i = 0; i < tool_command_count; i++)
        complete_values(&tool_commands[i]);
    fputs(script_commands, stdout);
    for (size_t i = 0; i < tool_command_count; i++) {
        const char *name = tool_commands[i].name;
        complete_prefix(i, 0);
        for (const char *blank = strchr(name, ' '); blank; blank = strchr(blank + 1, ' '))
            complete_prefix(i, (size_t)(blank - name));
        complete_command(&tool_commands[i]);
    }
    fputs(script_end, stdout);
    return TOOL_DONE;
}
