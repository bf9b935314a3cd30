/* htidentity: sets up and looks into the database of mod_identity, with the server running or not. */
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <sodium.h>

#include "tool.h"

static const char usage[] =
    "usage: htidentity [--db DRIVER:PARAMS] [--entity ID|REFERENCE] [--json] COMMAND\n"
    "\n"
    "  migrate                       make the database, or bring it up to date\n"
    "  check                         look for faults in it\n"
    "  calibrate                     [--time MILLISECONDS] propose the cost of password hashes for this machine\n"
    "  entity  add REFERENCE         [--name NAME]\n"
    "  account add REFERENCE         [--environment LIVE|TEST] [--type CODE] [--parent ID|REFERENCE]\n"
    "  user    add USERNAME          [--account ID|REFERENCE [--type ADMIN|USER|PARTNER] [--role NAME]...]\n"
    "                                with --password-stdin, or --hash-stdin (a line of another program, such as\n"
    "                                htpasswd), the user is active; else an invitation is mailed by the server\n"
    "                                ([--signing-key FILE]); [--hash-memory KIB]: the m= of IdentityPasswordHash,\n"
    "                                where it is more than 19456\n"
    "  user    show USERNAME|ID      what somebody holds now, and where each permission comes from\n"
    "  team    add NAME              [--account ID|REFERENCE [--type ADMIN|USER|PARTNER] [--role NAME]...]\n"
    "  role    add NAME              [--description TEXT] [--slug SLUG] [--permission P]... [--child ROLE-ID]...\n"
    "  key     add                   [--description TEXT] [--role ADMINISTRATOR|READ_ONLY] [--expires 90d] "
    "[--permission P]...\n"
    "                                prints the key, once\n"
    "  alias   add USERNAME          [--expires 1d] [--description TEXT]\n"
    "                                prints the alias, once\n"
    "  provider add DEFAULT|GOOGLE|OKTA|MICROSOFT|OIDC\n"
    "                                [--name NAME] [--connection TEXT] [--issuer URL --client-id ID] [--domain "
    "DOMAIN]...\n"
    "                                [--disabled]\n"
    "  audit   list                  [--user USERNAME|ID] [--target ID] [--target-type TYPE] [--account ID|REFERENCE]\n"
    "                                [--since TIME|90d] [--until TIME|90d]\n"
    "  mail    list                  mails that wait or have failed, and why\n"
    "  mail    retry                 what waits for a further attempt is due now\n"
    "  mail    preview KIND          [--language TAG] [--templates FOLDER] [--text|--html|--message]\n"
    "                                how a mail will look\n"
    "  invitation show ID            its state, and how its mail fares\n"
    "  entity|account|user|team|role|key|alias|provider|invitation list\n"
    "\n"
    "The database is named as by DBDriver and DBDParams, such as sqlite3:/var/lib/identity/identity.db, or by the\n"
    "variable IDENTITY_DB. Durations take s, m, h or d; a time is written 2024-01-15T09:30:00Z.\n";

#define LONGEST (36500 * (apr_int64_t)86400) /* seconds: a hundred years */

typedef struct command {
    const char *noun, *verb; /* verb NULL: none */
    int (*run)(tool_t *tool);
    const char *argument; /* what it asks for, or NULL */
    const char *options;  /* beside those that all take, parted by blanks */
} command_t;

static const command_t commands[] = {
    {"migrate", NULL, tool_migrate, NULL, ""},
    {"check", NULL, tool_check, NULL, ""},
    {"calibrate", NULL, tool_calibrate, NULL, "time"},
    {"entity", "add", tool_entity_add, "a reference", "name"},
    {"entity", "list", tool_entity_list, NULL, ""},
    {"account", "add", tool_account_add, "a reference", "entity environment type parent"},
    {"account", "list", tool_account_list, NULL, "entity"},
    {"user", "add", tool_user_add, "a username",
     "entity account type role password-stdin hash-stdin hash-memory signing-key"},
    {"user", "list", tool_user_list, NULL, "entity"},
    {"user", "show", tool_user_show, "a username or an id", "entity"},
    {"team", "add", tool_team_add, "a name", "entity account type role"},
    {"team", "list", tool_team_list, NULL, "entity"},
    {"role", "add", tool_role_add, "a name", "entity description slug permission child"},
    {"role", "list", tool_role_list, NULL, "entity"},
    {"key", "add", tool_key_add, NULL, "entity description role expires permission"},
    {"key", "list", tool_key_list, NULL, "entity"},
    {"alias", "add", tool_alias_add, "a username", "expires description"},
    {"alias", "list", tool_alias_list, NULL, "entity"},
    {"provider", "add", tool_provider_add, "DEFAULT, GOOGLE, OKTA, MICROSOFT or OIDC",
     "entity name connection issuer client-id domain disabled"},
    {"provider", "list", tool_provider_list, NULL, "entity"},
    {"mail", "list", tool_mail_list, NULL, ""},
    {"mail", "retry", tool_mail_retry, NULL, ""},
    {"mail", "preview", tool_mail_preview, "a kind of mail", "language templates text html message"},
    {"invitation", "list", tool_invitation_list, NULL, "entity"},
    {"invitation", "show", tool_invitation_show, "an id", "entity"},
    {"audit", "list", tool_audit_list, NULL, "entity user target target-type account since until"},
};

enum {
    DB = 256,
    ENTITY,
    JSON,
    NAME,
    ENVIRONMENT,
    TYPE,
    PARENT,
    DESCRIPTION,
    ROLE,
    SLUG,
    ACCOUNT,
    EXPIRES,
    PASSWORD,
    PERMISSION,
    CHILD,
    SIGNING_KEY,
    CONNECTION,
    ISSUER,
    CLIENT_ID,
    DOMAIN,
    DISABLED,
    USER,
    TARGET,
    TARGET_TYPE,
    SINCE,
    UNTIL,
    HASH,
    HASH_MEMORY,
    TIME,
    LANGUAGE,
    TEMPLATES,
    TEXT,
    HTML,
    MESSAGE
};

static const struct option options[] = {
    {"db", required_argument, NULL, DB},
    {"entity", required_argument, NULL, ENTITY},
    {"json", no_argument, NULL, JSON},
    {"name", required_argument, NULL, NAME},
    {"environment", required_argument, NULL, ENVIRONMENT},
    {"type", required_argument, NULL, TYPE},
    {"parent", required_argument, NULL, PARENT},
    {"description", required_argument, NULL, DESCRIPTION},
    {"role", required_argument, NULL, ROLE},
    {"slug", required_argument, NULL, SLUG},
    {"account", required_argument, NULL, ACCOUNT},
    {"expires", required_argument, NULL, EXPIRES},
    {"password-stdin", no_argument, NULL, PASSWORD},
    {"permission", required_argument, NULL, PERMISSION},
    {"child", required_argument, NULL, CHILD},
    {"signing-key", required_argument, NULL, SIGNING_KEY},
    {"connection", required_argument, NULL, CONNECTION},
    {"issuer", required_argument, NULL, ISSUER},
    {"client-id", required_argument, NULL, CLIENT_ID},
    {"domain", required_argument, NULL, DOMAIN},
    {"disabled", no_argument, NULL, DISABLED},
    {"user", required_argument, NULL, USER},
    {"target", required_argument, NULL, TARGET},
    {"target-type", required_argument, NULL, TARGET_TYPE},
    {"since", required_argument, NULL, SINCE},
    {"until", required_argument, NULL, UNTIL},
    {"hash-stdin", no_argument, NULL, HASH},
    {"hash-memory", required_argument, NULL, HASH_MEMORY},
    {"time", required_argument, NULL, TIME},
    {"language", required_argument, NULL, LANGUAGE},
    {"templates", required_argument, NULL, TEMPLATES},
    {"text", no_argument, NULL, TEXT},
    {"html", no_argument, NULL, HTML},
    {"message", no_argument, NULL, MESSAGE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

int tool_fail(const char *format, ...)
{
    va_list arguments;

    fputs("htidentity: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return 1;
}

bool tool_duration(const char *text, apr_interval_time_t *value)
{
    static const char units[] = "smhd";
    static const apr_int64_t seconds[] = {1, 60, 3600, 86400};
    char *end;
    apr_int64_t number = apr_strtoi64(text, &end, 10);
    const char *unit = *end && !end[1] ? strchr(units, *end) : NULL;

    if (text[0] < '0' || text[0] > '9' || !unit || number < 1 || number > LONGEST / seconds[unit - units])
        return false;
    *value = number * seconds[unit - units] * APR_USEC_PER_SEC;
    return true;
}

static bool hash_memory(const char *text, unsigned *value)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *value = (unsigned)number;
    return text[0] >= '1' && text[0] <= '9' && !*end && number >= IDENTITY_HASH_MEMORY_MIN && number <= 4194303;
}

static bool milliseconds(const char *text, unsigned *value)
{
    char *end;
    apr_int64_t number = apr_strtoi64(text, &end, 10);

    *value = (unsigned)number;
    return text[0] >= '0' && text[0] <= '9' && !*end && number >= 10 && number <= 5000;
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

/* Options that are one text, kept as it is. */
static void set_text(tool_t *tool, int option, const char *value)
{
    const struct {
        int option;
        const char **text;
    } texts[] = {{ENTITY, &tool->entity},
                 {NAME, &tool->name},
                 {ENVIRONMENT, &tool->environment},
                 {TYPE, &tool->type},
                 {PARENT, &tool->parent},
                 {DESCRIPTION, &tool->description},
                 {SLUG, &tool->slug},
                 {ACCOUNT, &tool->account},
                 {SIGNING_KEY, &tool->signing_key},
                 {CONNECTION, &tool->connection},
                 {ISSUER, &tool->issuer},
                 {CLIENT_ID, &tool->client_id},
                 {USER, &tool->user},
                 {TARGET, &tool->target},
                 {TARGET_TYPE, &tool->target_type},
                 {SINCE, &tool->since},
                 {UNTIL, &tool->until},
                 {LANGUAGE, &tool->language},
                 {TEMPLATES, &tool->templates}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].option == option)
            *texts[i].text = value;
}

static int set_form(tool_t *tool, int option)
{
    if (tool->form != TOOL_MAIL_UNSAID)
        return tool_fail("--text, --html and --message exclude each other");
    tool->form = option == TEXT ? TOOL_MAIL_TEXT : option == HTML ? TOOL_MAIL_HTML : TOOL_MAIL_MESSAGE;
    return 0;
}

/* 0, or the exit status. */
static int set_option(tool_t *tool, int option, const char *value)
{
    if (option == 'h') {
        fputs(usage, stdout);
        exit(0);
    }
    if (option == '?')
        return 2;
    if (option == DB && !database(tool, value))
        return tool_fail("--db must be DRIVER:PARAMS, such as sqlite3:/var/lib/identity/identity.db");
    if (option == EXPIRES && !tool_duration(value, &tool->expires))
        return tool_fail("--expires must be a duration such as 90d or 12h");
    if (option == HASH_MEMORY && !hash_memory(value, &tool->hash_memory))
        return tool_fail("--hash-memory must be the m= of IdentityPasswordHash, a number of KiB from %d to 4194303",
                         IDENTITY_HASH_MEMORY_MIN);
    if (option == TIME && !milliseconds(value, &tool->milliseconds))
        return tool_fail("--time must be a number of milliseconds from 10 to 5000");
    if (option == TEXT || option == HTML || option == MESSAGE)
        return set_form(tool, option);
    if (option == JSON)
        tool->json = true;
    else if (option == HASH)
        tool->hash_stdin = true;
    else if (option == PASSWORD)
        tool->password_stdin = true;
    else if (option == PERMISSION)
        APR_ARRAY_PUSH(tool->permissions, const char *) = value;
    else if (option == DISABLED)
        tool->disabled = true;
    else if (option == DOMAIN)
        APR_ARRAY_PUSH(tool->domains, const char *) = value;
    else if (option == CHILD)
        APR_ARRAY_PUSH(tool->children, const char *) = value;
    else if (option == ROLE)
        APR_ARRAY_PUSH(tool->roles, const char *) = tool->role = value;
    else
        set_text(tool, option, value);
    return 0;
}

static const command_t *find(int count, char **words)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const command_t *command = &commands[i];
        int wanted = 1 + (command->verb != NULL) + (command->argument != NULL);
        if (count == wanted && strcmp(words[0], command->noun) == 0 &&
            (!command->verb || strcmp(words[1], command->verb) == 0))
            return command;
    }
    return NULL;
}

static int complain(int count, char **words)
{
    for (size_t i = 0; count > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        const command_t *command = &commands[i];
        if (strcmp(words[0], command->noun) != 0 ||
            (command->verb && (count < 2 || strcmp(words[1], command->verb) != 0)))
            continue;
        if (command->argument && count == 2)
            return tool_fail("%s %s asks for %s", command->noun, command->verb, command->argument), 2;
        return tool_fail("%s is one word too many", words[count - 1]), 2;
    }
    fputs(usage, stderr);
    return 2;
}

/* Is the option one of the command's? Those of the whole program are everybody's. */
static bool belongs(const command_t *command, const char *name)
{
    size_t length = strlen(name);

    if (strcmp(name, "db") == 0 || strcmp(name, "json") == 0)
        return true;
    for (const char *at = strstr(command->options, name); at; at = strstr(at + 1, name))
        if ((at == command->options || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* An option that a command does not have is refused: nothing is ignored in silence. */
static int check_options(const command_t *command, const apr_array_header_t *given)
{
    for (int i = 0; i < given->nelts; i++) {
        const char *name = APR_ARRAY_IDX(given, i, const char *);
        if (!belongs(command, name)) {
            tool_fail("%s%s%s does not take --%s", command->noun, command->verb ? " " : "",
                      command->verb ? command->verb : "", name);
            return 2;
        }
    }
    return 0;
}

static int run(tool_t *tool, int argc, char **argv)
{
    int option, status, place;
    apr_array_header_t *given = apr_array_make(tool->pool, 8, sizeof(const char *));

    tool->permissions = apr_array_make(tool->pool, 4, sizeof(const char *));
    tool->children = apr_array_make(tool->pool, 4, sizeof(const char *));
    tool->roles = apr_array_make(tool->pool, 4, sizeof(const char *));
    tool->domains = apr_array_make(tool->pool, 4, sizeof(const char *));
    while ((option = getopt_long(argc, argv, "h", options, &place)) != -1) {
        if ((status = set_option(tool, option, optarg)) != 0)
            return status;
        APR_ARRAY_PUSH(given, const char *) = options[place].name;
    }
    const command_t *command = find(argc - optind, argv + optind);
    if (!command)
        return complain(argc - optind, argv + optind);
    if ((status = check_options(command, given)) != 0)
        return status;
    if (command->argument)
        tool->argument = argv[argc - 1];
    bool alone = command->run == tool_calibrate || command->run == tool_mail_preview;
    if (!alone && !tool->driver && !database(tool, getenv("IDENTITY_DB")))
        return tool_fail("which database? Give --db DRIVER:PARAMS or set IDENTITY_DB");
    return command->run(tool);
}

int main(int argc, char **argv)
{
    tool_t tool = {.json = false};

    if (apr_initialize() != APR_SUCCESS || sodium_init() < 0)
        return tool_fail("the libraries could not be started");
    apr_pool_create(&tool.pool, NULL);
    int status = run(&tool, argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = tool_fail("the output could not be written");
    apr_terminate();
    return status;
}
