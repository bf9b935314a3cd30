/* htidentity: the command line on the same library (architecture.md, Commands). */
#ifndef IDENTITY_TOOL_H
#define IDENTITY_TOOL_H

#include "identity/service.h"

/* What `mail preview` shows. */
typedef enum { TOOL_MAIL_UNSAID, TOOL_MAIL_TEXT, TOOL_MAIL_HTML, TOOL_MAIL_MESSAGE } tool_form_t;

typedef struct tool {
    apr_pool_t *pool;
    const char *driver, *params; /* of the database */
    const char *entity;          /* id or reference, or NULL: the only one */
    const char *signing_key;     /* file, or NULL: beside the database */
    bool json;
    /* Options of a command; NULL or empty where not given. */
    const char *name, *environment, *type, *parent, *description, *role, *slug, *account;
    const char *connection, *issuer, *client_id;
    const char *user, *target, *target_type, *since, *until;
    const char *language, *templates;
    tool_form_t form;
    apr_interval_time_t expires; /* 0: not given */
    unsigned hash_memory;        /* KiB; 0: not given */
    bool password_stdin, hash_stdin, disabled;
    unsigned milliseconds;
    apr_array_header_t *permissions, *children, *roles, *domains;
    const char *argument; /* what the command is about: a reference, a username, a name */
    identity_env_t env;
    identity_settings_t settings;
    identity_db_t *db;
    const char *entity_id;  /* once asked for */
    const char *account_id; /* that calls act on, or NULL */
    const char *next;       /* query of the page after the one that was answered last, or NULL */
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
/* show.c */
int tool_user_show(tool_t *tool);
/* resources.c */
int tool_user_add(tool_t *tool);
int tool_user_list(tool_t *tool);
int tool_role_add(tool_t *tool);
int tool_role_list(tool_t *tool);
int tool_key_add(tool_t *tool);
int tool_key_list(tool_t *tool);
/* further.c */
int tool_team_add(tool_t *tool);
int tool_team_list(tool_t *tool);
int tool_provider_add(tool_t *tool);
int tool_provider_list(tool_t *tool);
int tool_audit_list(tool_t *tool);
int tool_invitation_list(tool_t *tool);
int tool_invitation_show(tool_t *tool);
/* mail.c */
int tool_mail_list(tool_t *tool);
int tool_mail_retry(tool_t *tool);
int tool_mail_preview(tool_t *tool);

/* What they share: a list of texts as JSON; a member, where there is a value; every page of a list, as it comes. */
json_t *tool_strings(const apr_array_header_t *list);
void tool_set_text(json_t *object, const char *name, const char *value);
int tool_print_pages(tool_t *tool, const char *path, const char *filters, const char *const *names);
/* tool->account_id of --account; the exit status. */
int tool_find_account(tool_t *tool);
/* The membership that --account, --type and --role describe, with all of it known to exist; NULL where none is asked
 * for. */
int tool_membership(tool_t *tool, json_t **object);
/* A duration such as 90d. */
bool tool_duration(const char *text, apr_interval_time_t *value);

/* One JSON value a line where --json was given; else its members of those names, parted by tabs. */
void tool_print(const tool_t *tool, const json_t *value, const char *const *names);

#endif
