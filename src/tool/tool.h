/* htidentity: the command line on the same library (architecture.md, Commands). */
#ifndef IDENTITY_TOOL_H
#define IDENTITY_TOOL_H

#include "identity/service.h"

typedef struct tool {
    apr_pool_t *pool;
    const char *driver, *params; /* of the database */
    const char *entity;          /* id or reference, or NULL: the only one */
    const char *signing_key;     /* file, or NULL: beside the database */
    bool json;
    /* Options of a command; NULL or empty where not given. */
    const char *name, *environment, *type, *parent, *description, *role, *slug, *account;
    apr_interval_time_t expires; /* 0: not given */
    bool password_stdin, hash_stdin;
    unsigned target; /* milliseconds */
    apr_array_header_t *permissions, *children, *roles;
    const char *argument; /* what the command is about: a reference, a username, a name */
    identity_env_t env;
    identity_settings_t settings;
    identity_db_t *db;
    const char *entity_id; /* once asked for */
} tool_t;

/* Prints `htidentity: ...` and returns the exit status 1. */
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_problem(const identity_problem_t *problem);
/* Opens the database and fills env; 0, or the exit status after a message. */
int tool_open(tool_t *tool);
/* The signing keys, which seal links on their way. */
int tool_load_keys(tool_t *tool);
/* tool->entity_id of --entity, or of the only entity there is. */
int tool_find_entity(tool_t *tool);
/* tool_open and tool_find_entity. */
int tool_open_entity(tool_t *tool);
/* One request by the door, as the owner of everything in the entity. body may be NULL; takes it. *answer is owned by
 * the pool. */
int tool_call(tool_t *tool, const char *method, const char *path, const char *query, json_t *body, json_t **answer);

/* commands.c */
int tool_migrate(tool_t *tool);
int tool_check(tool_t *tool);
int tool_calibrate(tool_t *tool); /* calibrate.c */
int tool_entity_add(tool_t *tool);
int tool_entity_list(tool_t *tool);
int tool_account_add(tool_t *tool);
int tool_account_list(tool_t *tool);
int tool_alias_add(tool_t *tool);
int tool_alias_list(tool_t *tool);
/* resources.c */
int tool_user_add(tool_t *tool);
int tool_user_list(tool_t *tool);
int tool_role_add(tool_t *tool);
int tool_role_list(tool_t *tool);
int tool_key_add(tool_t *tool);
int tool_key_list(tool_t *tool);

/* One JSON value a line where --json was given; else its members of those names, parted by tabs. */
void tool_print(const tool_t *tool, const json_t *value, const char *const *names);

#endif
