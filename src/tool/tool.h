/* SPDX-License-Identifier: Apache-2.0 */
/* htidentity: the command line on the same library. */
#ifndef IDENTITY_TOOL_H
#define IDENTITY_TOOL_H

#include "identity/service.h"

/* Exit statuses, by kind. */
typedef enum {
    TOOL_DONE,
    TOOL_FAILED,
    TOOL_USAGE,
    TOOL_DATABASE, /* missing, or not of this version */
    TOOL_NOT_FOUND,
    TOOL_STATE,  /* exists already, or is in the wrong state */
    TOOL_REFUSED /* by a rule */
} tool_status_t;

typedef enum {
#define OPTION(id, name, value, kind, text) TOOL_##id,
#include "options.def"
#undef OPTION
    TOOL_OPTIONS
} tool_option_t;

typedef enum { TOOL_ALL, TOOL_ONCE, TOOL_MANY } tool_option_kind_t;

typedef struct tool_option_row {
    const char *name, *value, *text; /* value NULL: a flag */
    tool_option_kind_t kind;
} tool_option_row_t;
extern const tool_option_row_t tool_options[TOOL_OPTIONS];

typedef struct tool tool_t;
typedef struct tool_command {
    const char *name, *arguments, *options;
    int (*run)(tool_t *tool);
    const char *text;
} tool_command_t;
extern const tool_command_t tool_commands[];
extern const size_t tool_command_count;

#define TOOL_ARGUMENTS 4

struct tool {
    apr_pool_t *pool;
    const tool_command_t *command;
    const char *driver, *params;               /* of the database */
    const char *entity;                        /* id or reference, or NULL: the only one */
    apr_array_header_t *values[TOOL_OPTIONS];  /* of const char *; NULL: not given */
    const char *argument, *second;             /* the command's operands; NULL if omitted */
    const char *arguments[TOOL_ARGUMENTS + 1]; /* all of them */
    bool json;
    bool bulk;   /* bulk writes */
    int wanted;  /* lines left of --limit; -1: all */
    bool headed; /* the heading has been printed, or there is none */
    identity_env_t env;
    identity_settings_t settings;
    identity_db_t *db;
    const char *entity_id;  /* once determined */
    const char *account_id; /* account that calls act on, or NULL */
    json_t *settings_json;  /* the server's configuration (server/describe.c); NULL: unknown */
    const char *next;       /* query of the next page after the last answer, or NULL */
};

/* parse.c: fills the tool; TOOL_DONE, or the exit status after a message. */
int tool_parse(tool_t *tool, int argc, char **argv);
/* Does the command have the option? *value: the name of its value there. */
bool tool_takes(const tool_command_t *command, tool_option_t option, const char **value);
/* The last value of an option, NULL if not given; all values; was it given? */
const char *tool_text(const tool_t *tool, tool_option_t option);
const apr_array_header_t *tool_list(const tool_t *tool, tool_option_t option);
bool tool_has(const tool_t *tool, tool_option_t option);
/* For an option whose value has been checked to be a whole number. */
long tool_number(const tool_t *tool, tool_option_t option, long absent);
/* A duration such as 90d; --expires, which was checked before, or 0. */
bool tool_duration(const char *text, apr_interval_time_t *value);
apr_interval_time_t tool_expires(const tool_t *tool);
/* A value such as LIVE|TEST: is it a choice of words? And is the text one of them? */
bool tool_is_choice(const char *value);
bool tool_chosen(const char *value, const char *text);

/* Prints `htidentity: ...` and returns the exit status. */
int tool_fail(tool_status_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tool_problem(const identity_problem_t *problem);
/* Opens the database and fills env; 0, or the exit status after a message. */
int tool_open(tool_t *tool);
/* A connection to another file of the same driver. NULL with *error a sentence. */
identity_db_t *tool_open_path(tool_t *tool, const char *path, const char **error);
/* config.c: determines the database, by --db, --config or httpd's own configuration, and reads what httpd reports
 * about it. Called by tool_open before tool->driver is used. */
int tool_configure(tool_t *tool);
/* The settings that the server has stored in the database, if httpd's configuration was not read. */
int tool_settings_kept(tool_t *tool);
/* An error message if the settings of the server are unknown. */
int tool_need_settings(const tool_t *tool);
/* `httpd -t` on the configuration of --config, or the system's. */
typedef struct tool_httpd {
    int status;
    char *output, *errors;
} tool_httpd_t;
int tool_test_config(tool_t *tool, tool_httpd_t *httpd);
/* The reason for its failure, on one line. */
const char *tool_httpd_reason(const tool_t *tool, const tool_httpd_t *httpd);
/* The servers that it reported; NULL: mod_identity is not loaded there, or it failed. */
json_t *tool_httpd_hosts(const tool_t *tool, const tool_httpd_t *httpd);
/* DRIVER:PARAMS of one of them. */
const char *tool_database_of(const tool_t *tool, const json_t *host);
/* A line of httpd's log without its prefix. */
const char *tool_log_text(const char *line);
const char *tool_folder_of(apr_pool_t *pool, const char *path);
/* man.c: the manual page, on standard output. */
int tool_print_man(void);

/* keys.c: the signing keys, which seal links in the outbox. */
int tool_load_keys(tool_t *tool);
/* The key of IdentityKeyEscrow; the list of IdentityPasswordBlockList. Also succeeds if there is none. */
int tool_load_escrow(tool_t *tool);
int tool_load_blocklist(tool_t *tool);
/* tool->entity_id from --entity, or of the only entity. */
int tool_find_entity(tool_t *tool);
/* tool_open and tool_find_entity. */
int tool_open_entity(tool_t *tool);
/* A request through the service's entry point, with all permissions in the entity. body may be NULL; takes it.
 * *answer is owned by the pool. */
int tool_call(tool_t *tool, const char *method, const char *path, const char *query, json_t *body,
              json_t **answer);

/* find.c: resolve names to ids. Each returns 0, or the exit status after a message. */
int tool_find_user(tool_t *tool, const char *named, const char **id);
int tool_find_team(tool_t *tool, const char *named, const char **id);
int tool_find_role(tool_t *tool, const char *named, const char **id);
int tool_find_provider(tool_t *tool, const char *named, const char **id);
int tool_find_client(tool_t *tool, const char *named, const char **id);
int tool_find_account(tool_t *tool, const char *named, const char **id);
/* The membership described by --account, --type and --role, all of which exist; NULL if none was given. */
int tool_membership(tool_t *tool, json_t **object);
/* The same for an account that is given otherwise; type NULL: only if it was given. */
int tool_membership_of(tool_t *tool, const char *account, const char *type, json_t **object);
/* Ids of --role or --child. */
int tool_role_ids(tool_t *tool, tool_option_t option, json_t **ids);

/* Prints a link with which a user sets a password (reset) or accepts an invitation (activate). */
int tool_hand_link(tool_t *tool, const char *user_id, const char *kind);

/* Reads a password or the like from standard input; wiped with the pool. */
int tool_read_secret(tool_t *tool, char **secret);

#define COMMAND(name, arguments, options, run, text) int run(tool_t *tool);
#include "commands.def"
#undef COMMAND

/* Helpers: a path of literal parts and ids, NULL-terminated; a list of strings as JSON; a member, if there is a
 * value; `&name=value`, or "" without a value. */
const char *tool_path(tool_t *tool, ...) __attribute__((sentinel));
json_t *tool_strings(const apr_array_header_t *list);
void tool_set_text(json_t *object, const char *name, const char *value);
const char *tool_filter(const tool_t *tool, const char *name, const char *value);
const char *tool_member(const json_t *object, const char *name);
/* Calls each for every item of every page of a list, until it returns false or a request fails. */
typedef bool tool_each_t(tool_t *tool, json_t *item, void *data);
int tool_each_page(tool_t *tool, const char *path, const char *filters, tool_each_t *each,
                   void *data);
int tool_print_pages(tool_t *tool, const char *path, const char *filters, const char *const *names);
/* A call whose answer is printed. */
int tool_call_and_print(tool_t *tool, const char *method, const char *path, json_t *body,
                        const char *const *names);

/* One JSON value per line with --json; otherwise its members with those names, separated by tabs. */
void tool_print(const tool_t *tool, const json_t *value, const char *const *names);
/* A line of a list, with a heading above the first on a terminal. False: --limit is reached. */
bool tool_line(tool_t *tool, const json_t *value, const char *const *names);
/* False if --limit is reached. */
bool tool_wants_more(const tool_t *tool);

#endif
