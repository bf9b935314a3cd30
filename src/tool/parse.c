/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, by the tables commands.def and options.def. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "tool.h"

#define LONGEST   (36500 * (apr_int64_t)86400) /* seconds: a hundred years */
#define LIMIT_MAX 1000000000

const tool_option_row_t tool_options[TOOL_OPTIONS] = {
#define OPTION(id, name, value, kind, text) {name, value, text, TOOL_##kind},
#include "options.def"
#undef OPTION
};

const tool_command_t tool_commands[] = {
#define COMMAND(name, arguments, options, run, text) {name, arguments, options, run, text},
#include "commands.def"
#undef COMMAND
};
const size_t tool_command_count = sizeof tool_commands / sizeof tool_commands[0];

const char *tool_text(const tool_t *tool, tool_option_t option)
{
    const apr_array_header_t *list = tool->values[option];
    return list ? APR_ARRAY_IDX(list, list->nelts - 1, const char *) : NULL;
}

const apr_array_header_t *tool_list(const tool_t *tool, tool_option_t option)
{
    return tool->values[option] ? tool->values[option]
                                : apr_array_make(tool->pool, 1, sizeof(const char *));
}

bool tool_has(const tool_t *tool, tool_option_t option)
{
    return tool->values[option] != NULL;
}

bool tool_duration(const char *text, apr_interval_time_t *value)
{
    static const char units[] = "smhd";
    static const apr_int64_t seconds[] = {1, 60, 3600, 86400};
    char *end;
    apr_int64_t number = apr_strtoi64(text, &end, 10);
    const char *unit = *end && !end[1] ? strchr(units, *end) : NULL;

    if (text[0] < '0' || text[0] > '9' || !unit || number < 1 ||
        number > LONGEST / seconds[unit - units])
        return false;
    *value = number * seconds[unit - units] * APR_USEC_PER_SEC;
    return true;
}

apr_interval_time_t tool_expires(const tool_t *tool)
{
    apr_interval_time_t value = 0;

    if (tool_has(tool, TOOL_EXPIRES))
        tool_duration(tool_text(tool, TOOL_EXPIRES), &value);
    return value;
}

bool tool_is_choice(const char *value)
{
    static const char *const open[] = {"TIME|", "DOMAIN|", "ACCOUNT|"};

    for (size_t i = 0; value && i < sizeof open / sizeof open[0]; i++)
        if (strncmp(value, open[i], strlen(open[i])) == 0)
            return false;
    return value && strchr(value, '|');
}

bool tool_chosen(const char *value, const char *text)
{
    size_t length = strlen(text);

    for (const char *at = value; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strcspn(at, "|") == length && strncmp(at, text, length) == 0)
            return true;
    return false;
}

bool tool_takes(const tool_command_t *command, tool_option_t option, const char **value)
{
    const tool_option_row_t *row = &tool_options[option];
    size_t length = strlen(row->name);
    static char own[80];

    *value = row->value;
    if (row->kind == TOOL_ALL)
        return true;
    for (const char *at = command->options; *at; at += strcspn(at, " "), at += *at == ' ') {
        size_t word = strcspn(at, " ");
        if (strncmp(at, row->name, length) != 0 || (at[length] != '=' && length != word))
            continue;
        if (at[length] == '=') {
            apr_cpystrn(own, at + length + 1,
                        word - length < sizeof own ? word - length : sizeof own);
            *value = own;
        }
        return true;
    }
    return false;
}

long tool_number(const tool_t *tool, tool_option_t option, long absent)
{
    return tool_has(tool, option) ? strtol(tool_text(tool, option), NULL, 10) : absent;
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static bool whole_number(const char *text, long least, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && number >= least && number <= most;
}

static bool database(tool_t *tool, const char *text)
{
    const char *colon = text ? strchr(text, ':') : NULL;

    if (!colon || colon == text || !colon[1])
        return false;
    tool->driver = apr_pstrmemdup(tool->pool, text, (apr_size_t)(colon - text));
    tool->params = colon + 1;
    return true;
}

/* Checks the type of a value, regardless of the command. */
static int check_value(tool_t *tool, tool_option_t option, const char *value)
{
    apr_interval_time_t duration;

    if (option == TOOL_DB && !database(tool, value))
        return tool_fail(
            TOOL_USAGE,
            "--db must be DRIVER:PARAMS, such as sqlite3:/var/lib/identity/identity.db");
    if (option == TOOL_EXPIRES && !tool_duration(value, &duration))
        return tool_fail(TOOL_USAGE, "--expires must be a duration such as 90d or 12h");
    if (option == TOOL_HASH_MEMORY && !whole_number(value, IDENTITY_HASH_MEMORY_MIN, 4194303))
        return tool_fail(
            TOOL_USAGE,
            "--hash-memory must be the m= of IdentityPasswordHash, a number of KiB from %d to 4194303",
            IDENTITY_HASH_MEMORY_MIN);
    if (option == TOOL_TIME && !whole_number(value, 10, 5000))
        return tool_fail(TOOL_USAGE, "--time must be a number of milliseconds from 10 to 5000");
    if (option == TOOL_LIMIT && !whole_number(value, 1, LIMIT_MAX))
        return tool_fail(TOOL_USAGE, "--limit must be a number from 1 to %d", LIMIT_MAX);
    return TOOL_DONE;
}

static int keep_option(tool_t *tool, tool_option_t option, const char *value)
{
    apr_array_header_t **list = &tool->values[option];

    /* The last --db and --entity counts, so that a script can put its own first. */
    if (*list && tool_options[option].value && tool_options[option].kind == TOOL_ONCE &&
        option != TOOL_ENTITY && option != TOOL_CONFIG)
        return tool_fail(TOOL_USAGE, "--%s is given twice", tool_options[option].name);
    if (!*list)
        *list = apr_array_make(tool->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(*list, const char *) = value ? value : "";
    return value ? check_value(tool, option, value) : TOOL_DONE;
}

static tool_option_t option_named(const char *name, size_t length)
{
    for (int i = 0; i < TOOL_OPTIONS; i++)
        if (strlen(tool_options[i].name) == length &&
            strncmp(tool_options[i].name, name, length) == 0)
            return (tool_option_t)i;
    return TOOL_OPTIONS;
}

/* argv[*at] begins with --; *at advances to its value if that is a separate word. */
static int read_option(tool_t *tool, int argc, char **argv, int *at)
{
    const char *word = argv[*at] + 2, *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    tool_option_t option = option_named(word, length);

    if (option == TOOL_OPTIONS)
        return tool_fail(TOOL_USAGE, "there is no option --%.*s", (int)length, word);
    if (!tool_options[option].value)
        return equals ? tool_fail(TOOL_USAGE, "--%s does not accept a value",
                                  tool_options[option].name)
                      : keep_option(tool, option, NULL);
    if (!equals && *at + 1 >= argc)
        return tool_fail(TOOL_USAGE, "--%s requires %s", tool_options[option].name,
                         tool_options[option].value);
    return keep_option(tool, option, equals ? equals + 1 : argv[++*at]);
}

static int read_words(tool_t *tool, int argc, char **argv, apr_array_header_t *words)
{
    bool options = true;
    int status = TOOL_DONE;

    for (int i = 1; i < argc && status == TOOL_DONE; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strcmp(argv[i], "-h") == 0)
            status = keep_option(tool, TOOL_HELP, NULL);
        else if (options && strncmp(argv[i], "--", 2) == 0)
            status = read_option(tool, argc, argv, &i);
        else if (options && argv[i][0] == '-' && argv[i][1])
            status = tool_fail(TOOL_USAGE, "there is no option %s", argv[i]);
        else
            APR_ARRAY_PUSH(words, const char *) = argv[i];
    }
    return status;
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

/* The number of matching words of the command's name; *whole: all of them. */
static int words_of(const tool_command_t *command, const apr_array_header_t *words, bool *whole)
{
    const char *at = command->name;
    int count = 0;

    while (*at && count < words->nelts) {
        const char *word = APR_ARRAY_IDX(words, count, const char *);
        size_t length = strcspn(at, " ");
        if (strlen(word) != length || strncmp(at, word, length) != 0)
            break;
        count++;
        at += length;
        at += *at == ' ';
    }
    *whole = !*at;
    return count;
}

/* The distinct words that may follow the first `count` ones. */
static const char *following(tool_t *tool, const apr_array_header_t *words, int count)
{
    const char *list = "";

    for (size_t i = 0; i < tool_command_count; i++) {
        const char *at = tool_commands[i].name;
        bool whole;
        if (words_of(&tool_commands[i], words, &whole) < count)
            continue;
        for (int w = 0; w < count && *at; w++) {
            at += strcspn(at, " ");
            at += *at == ' ';
        }
        const char *word = apr_pstrmemdup(tool->pool, at, strcspn(at, " "));
        if (*word && !strstr(apr_pstrcat(tool->pool, ", ", list, ",", NULL),
                             apr_pstrcat(tool->pool, ", ", word, ",", NULL)))
            list = apr_pstrcat(tool->pool, list, *list ? ", " : "", word, NULL);
    }
    return list;
}

static int find_command(tool_t *tool, const apr_array_header_t *words, int *used)
{
    int best = 0;

    *used = 0;
    for (size_t i = 0; i < tool_command_count; i++) {
        bool whole;
        int count = words_of(&tool_commands[i], words, &whole);
        if (whole && count > *used) {
            *used = count;
            tool->command = &tool_commands[i];
        }
        best = count > best ? count : best;
    }
    if (tool->command)
        return TOOL_DONE;
    const char *before = apr_array_pstrcat(tool->pool, apr_array_copy(tool->pool, words), ' ');
    if (best == 0 && words->nelts > 0)
        return tool_fail(TOOL_USAGE, "there is no command %s: htidentity help lists them",
                         APR_ARRAY_IDX(words, 0, const char *));
    if (best < words->nelts)
        return tool_fail(TOOL_USAGE, "%s is not one of %s",
                         APR_ARRAY_IDX(words, best, const char *), following(tool, words, best));
    return words->nelts == 0
               ? tool_fail(TOOL_USAGE, "a command is missing: htidentity help lists them")
               : tool_fail(TOOL_USAGE, "%s requires one of %s", before,
                           following(tool, words, best));
}

static int check_argument(tool_t *tool, const char *wanted, const char *given)
{
    if (*wanted != '=' || tool_chosen(wanted + 1, given))
        return TOOL_DONE;
    return strchr(wanted, '|')
               ? tool_fail(TOOL_USAGE, "%s: %s is not one of %s", tool->command->name, given,
                           wanted + 1)
               : tool_fail(TOOL_USAGE, "%s: %s is not %s", tool->command->name, given, wanted + 1);
}

static int read_arguments(tool_t *tool, const apr_array_header_t *words, int at)
{
    char *state, *copy = apr_pstrdup(tool->pool, tool->command->arguments);
    int count = 0, status = TOOL_DONE;
    bool endless = strstr(copy, "...") != NULL;

    for (char *wanted = apr_strtok(copy, " ", &state); wanted && !endless;
         wanted = apr_strtok(NULL, " ", &state)) {
        if (at + count >= words->nelts)
            return *wanted == '[' ? TOOL_DONE
                                  : tool_fail(TOOL_USAGE, "%s requires %s", tool->command->name,
                                              wanted + (*wanted == '='));
        const char *given = APR_ARRAY_IDX(words, at + count, const char *);
        if (!*given)
            return tool_fail(TOOL_USAGE, "%s: %s is empty", tool->command->name,
                             wanted + (*wanted == '='));
        if ((status = check_argument(tool, wanted, given)) != TOOL_DONE)
            return status;
        tool->arguments[count++] = given;
    }
    for (; endless && at + count < words->nelts && count < TOOL_ARGUMENTS; count++)
        tool->arguments[count] = APR_ARRAY_IDX(words, at + count, const char *);
    if (at + count < words->nelts)
        return tool_fail(TOOL_USAGE, "%s: unexpected argument %s", tool->command->name,
                         APR_ARRAY_IDX(words, at + count, const char *));
    return TOOL_DONE;
}

/* An option that the command does not have is refused, never silently ignored. */
static int check_options(tool_t *tool)
{
    for (int i = 0; i < TOOL_OPTIONS; i++) {
        const char *value;
        if (!tool->values[i])
            continue;
        if (!tool_takes(tool->command, (tool_option_t)i, &value))
            return tool_fail(TOOL_USAGE, "%s does not accept --%s", tool->command->name,
                             tool_options[i].name);
        if (tool_is_choice(value) && !tool_chosen(value, tool_text(tool, (tool_option_t)i)))
            return tool_fail(TOOL_USAGE, "--%s: %s is not one of %s", tool_options[i].name,
                             tool_text(tool, (tool_option_t)i), value);
    }
    return TOOL_DONE;
}

int tool_parse(tool_t *tool, int argc, char **argv)
{
    apr_array_header_t *words = apr_array_make(tool->pool, 8, sizeof(const char *));
    int used, status = read_words(tool, argc, argv, words);
    const char *entity = getenv("IDENTITY_ENTITY");

    if (status != TOOL_DONE || tool_has(tool, TOOL_VERSION) ||
        (tool_has(tool, TOOL_HELP) && words->nelts == 0))
        return status;
    status = find_command(tool, words, &used);
    if (status != TOOL_DONE || tool_has(tool, TOOL_HELP))
        return status;
    if ((status = check_options(tool)) != TOOL_DONE ||
        (status = read_arguments(tool, words, used)) != TOOL_DONE)
        return status;
    tool->argument = tool->arguments[0];
    tool->second = tool->arguments[1];
    tool->json = tool_has(tool, TOOL_JSON);
    tool->wanted = (int)tool_number(tool, TOOL_LIMIT, -1);
    tool->headed = tool->json || !isatty(STDOUT_FILENO);
    tool->entity = tool_has(tool, TOOL_ENTITY) ? tool_text(tool, TOOL_ENTITY)
                   : entity && *entity         ? entity
                                               : NULL;
    if (!tool->driver && !tool_has(tool, TOOL_CONFIG))
        database(tool, getenv("IDENTITY_DB"));
    return TOOL_DONE;
}
