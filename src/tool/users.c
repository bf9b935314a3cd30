/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on users and their memberships. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

static const char *const user_columns[] = {"id", "status", "username", "created_at", NULL};
static const char *const membership_columns[] = {"id",   "account_id", "account_reference",
                                                 "type", "roles",      NULL};

/* ---- user add --------------------------------------------------------------------------------------------------- */

static int add_with_password(tool_t *tool, json_t **user)
{
    char *password;
    int status = tool_read_secret(tool, &password);

    if (status)
        return status;
    json_t *body = json_pack("{s:s, s:s}", "username", tool->argument, "password", password);
    tool_set_text(body, "login", tool_text(tool, TOOL_LOGIN));
    return tool_call(tool, "POST", "/v1/users", NULL, body, user);
}

/* Only the hash, or a line of htpasswd: the part before the first colon is not used as the username. */
static int add_with_hash(tool_t *tool, json_t **user)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    identity_user_row_t *row;
    char *line;
    int status = tool_read_secret(tool, &line);

    if (status)
        return status;
    const char *colon = strchr(line, ':'), *hash = colon ? colon + 1 : line;
    if (!identity_user_import(tool->pool, &tool->env, tool->entity_id, tool->argument,
                              tool_text(tool, TOOL_LOGIN), hash, &row, &problem))
        return tool_problem(&problem);
    return tool_call(tool, "GET", tool_path(tool, "users", row->id, NULL), NULL, NULL, user);
}

/* Adds it to the user object of an answer. */
static int give(tool_t *tool, json_t *user, json_t *given)
{
    json_t *memberships;

    if (!given)
        return TOOL_DONE;
    int status = tool_call(tool, "POST",
                           tool_path(tool, "users", tool_member(user, "id"), "memberships", NULL),
                           NULL, json_incref(given), &memberships);
    if (status == TOOL_DONE)
        json_object_set(user, "account_memberships", memberships);
    return status;
}

static int add_active(tool_t *tool, json_t *given)
{
    json_t *user = NULL;
    int status = tool_has(tool, TOOL_HASH_STDIN) ? add_with_hash(tool, &user)
                                                 : add_with_password(tool, &user);

    if (status)
        return status;
    status = give(tool, user, given);
    tool_print(tool, user, user_columns);
    return status;
}

/* The operation that invites to memberships does not accept a login. */
static int invite_with_login(tool_t *tool, json_t *given)
{
    json_t *user;
    int status = tool_load_keys(tool);

    if (status == TOOL_DONE)
        status = tool_call(tool, "POST", "/v1/users", NULL,
                           json_pack("{s:s, s:s}", "username", tool->argument, "login",
                                     tool_text(tool, TOOL_LOGIN)),
                           &user);
    if (status)
        return status;
    status = give(tool, user, given);
    tool_print(tool, user, user_columns);
    return status;
}

static int invite(tool_t *tool, json_t *given)
{
    static const char *const columns[] = {"username", "entity_id", NULL};
    json_t *body;
    int status = tool_load_keys(tool);

    if (status)
        return status;
    body = json_pack("{s:s}", "username", tool->argument);
    if (given)
        json_object_set_new(body, "account_memberships", json_pack("[O]", given));
    return tool_call_and_print(tool, "POST", "/v1/users/invite", body, columns);
}

int tool_user_add(tool_t *tool)
{
    bool hash = tool_has(tool, TOOL_HASH_STDIN), password = tool_has(tool, TOOL_PASSWORD_STDIN);
    json_t *given;

    if (password && hash)
        return tool_fail(TOOL_USAGE, "--password-stdin and --hash-stdin exclude each other");
    int status = tool_open_entity(tool);
    if (status == TOOL_DONE)
        status = tool_membership(tool, &given);
    if (status)
        return status;
    if (password || hash)
        return add_active(tool, given);
    return tool_text(tool, TOOL_LOGIN) ? invite_with_login(tool, given) : invite(tool, given);
}

int tool_invitation_send(tool_t *tool)
{
    json_t *given;
    int status = tool_open_entity(tool);

    if (status == TOOL_DONE)
        status = tool_membership(tool, &given);
    return status ? status : invite(tool, given);
}

int tool_user_list(tool_t *tool)
{
    int status = tool_open_entity(tool);
    return status ? status
                  : tool_print_pages(tool, "/v1/users",
                                     tool_filter(tool, "status", tool_text(tool, TOOL_STATUS)),
                                     user_columns);
}

/* ---- user set-password, activate, deactivate, rename ------------------------------------------------------------ */

/* The user named by the first argument. */
static int open_user(tool_t *tool, const char **id)
{
    int status = tool_open_entity(tool);
    return status ? status : tool_find_user(tool, tool->argument, id);
}

static int change_user(tool_t *tool, const char *name, const char *value, json_t **user)
{
    const char *id;
    int status = open_user(tool, &id);

    return status ? status
                  : tool_call(tool, "PATCH", tool_path(tool, "users", id, NULL), NULL,
                              json_pack("{s:s}", name, value), user);
}

/* Upper case, lower case and digits, without similar-looking ones: 20 of 56 are 116 bits. */
static char *make_password(tool_t *tool)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
    unsigned char byte;
    char *password = apr_pcalloc(tool->pool, 24);

    identity_wipe_with_pool(tool->pool, password);
    memcpy(password, "Aa2", sizeof "Aa2");
    for (int i = 3; i < 23;) {
        tool->env.random.fill(tool->env.random.context, &byte, 1);
        if (byte < sizeof letters - 1)
            password[i++] = letters[byte];
    }
    return password;
}

int tool_user_set_password(tool_t *tool)
{
    bool generate = tool_has(tool, TOOL_GENERATE);
    const char *id;
    char *password;
    json_t *user;
    int status = open_user(tool, &id);

    if (status == TOOL_DONE && generate)
        password = make_password(tool);
    else if (status == TOOL_DONE)
        status = tool_read_secret(tool, &password);
    if (status == TOOL_DONE)
        status = tool_call(tool, "PATCH", tool_path(tool, "users", id, NULL), NULL,
                           json_pack("{s:s}", "password", password), &user);
    if (status)
        return status;
    if (generate && tool->json)
        json_object_set_new(user, "password", json_string(password));
    if (generate && !tool->json)
        puts(password);
    else
        tool_print(tool, user, user_columns);
    return TOOL_DONE;
}

int tool_user_activate(tool_t *tool)
{
    json_t *user;
    int status = change_user(tool, "status", "ACTIVE", &user);

    if (status == TOOL_DONE)
        tool_print(tool, user, user_columns);
    return status;
}

static int count_of(tool_t *tool, const char *id, const char *what, json_t **count)
{
    json_t *answer;
    int status =
        tool_call(tool, "GET", tool_path(tool, "users", id, what, NULL), NULL, NULL, &answer);

    if (status == TOOL_DONE)
        *count = json_integer((json_int_t)json_array_size(
            json_is_array(answer) ? answer : json_object_get(answer, "data")));
    return status;
}

/* They are easily forgotten, and remain valid. */
static void say_keys(const tool_t *tool, const json_t *keys)
{
    size_t count = json_array_size(keys);

    if (count && !tool_has(tool, TOOL_REVOKE_KEYS))
        fprintf(
            stderr,
            "htidentity: %d API key%s of the entity that the user created remain%s valid: end %s "
            "by key revoke, or all by user deactivate --revoke-keys\n",
            (int)count, count == 1 ? "" : "s", count == 1 ? "s" : "", count == 1 ? "it" : "each");
}

int tool_user_deactivate(tool_t *tool)
{
    static const char *const columns[] = {"id",
                                          "status",
                                          "username",
                                          "created_at",
                                          "sessions_ended",
                                          "personal_keys_ended",
                                          "api_keys_created",
                                          NULL};
    const char *id;
    json_t *user, *sessions = NULL, *keys = NULL;
    int status = open_user(tool, &id);

    if (status == TOOL_DONE)
        status = count_of(tool, id, "sessions", &sessions);
    if (status == TOOL_DONE)
        status = count_of(tool, id, "api-keys", &keys);
    identity_json_own(tool->pool, sessions);
    identity_json_own(tool->pool, keys);
    if (status == TOOL_DONE)
        status = tool_call(tool, "PATCH", tool_path(tool, "users", id, NULL),
                           tool_has(tool, TOOL_REVOKE_KEYS) ? "revoke_keys=true" : NULL,
                           json_pack("{s:s}", "status", "INACTIVE"), &user);
    if (status)
        return status;
    json_object_set(user, "sessions_ended", sessions);
    json_object_set(user, "personal_keys_ended", keys);
    tool_print(tool, user, columns);
    say_keys(tool, json_object_get(user, "api_keys_created"));
    return TOOL_DONE;
}

int tool_user_rename(tool_t *tool)
{
    json_t *user;
    int status = change_user(tool, "username", tool->second, &user);

    if (status == TOOL_DONE)
        tool_print(tool, user, user_columns);
    return status;
}

/* ---- user unlock, delete, restore ------------------------------------------------------------------------------- */

int tool_user_unlock(tool_t *tool)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *id;
    int status = open_user(tool, &id);

    if (status == TOOL_DONE && !identity_user_unlock(tool->pool, &tool->env, tool->entity_id, id,
                                                     tool_text(tool, TOOL_ADDRESS), &problem))
        return tool_problem(&problem);
    return status ? status
                  : tool_call_and_print(tool, "GET", tool_path(tool, "users", id, NULL), NULL,
                                        user_columns);
}

int tool_user_delete(tool_t *tool)
{
    static const char *const columns[] = {"id", "status", "username", "deleted_at", NULL};
    const char *id;
    int status = open_user(tool, &id);

    return status ? status
                  : tool_call_and_print(tool, "DELETE", tool_path(tool, "users", id, NULL), NULL,
                                        columns);
}

int tool_user_restore(tool_t *tool)
{
    const char *id;
    int status = open_user(tool, &id);

    return status ? status
                  : tool_call_and_print(tool, "POST", tool_path(tool, "users", id, "restore", NULL),
                                        NULL, user_columns);
}

/* A link is a secret: printed alone on standard output, like a key. */
int tool_hand_link(tool_t *tool, const char *user_id, const char *kind)
{
    static const char *const columns[] = {"link", NULL};
    int status = tool_need_settings(tool);

    return status
               ? status
               : tool_call_and_print(tool, "POST", tool_path(tool, "users", user_id, "link", NULL),
                                     json_pack("{s:s}", "kind", kind), columns);
}

int tool_user_link(tool_t *tool)
{
    const char *id;
    int status = open_user(tool, &id);
    return status ? status : tool_hand_link(tool, id, tool->second);
}

/* ---- memberships ------------------------------------------------------------------------------------------------ */

/* `roles` by name, for a line of text. */
static void print_membership(const tool_t *tool, const json_t *membership)
{
    json_t *shown = identity_json_own(tool->pool, json_copy((json_t *)membership)), *role;
    const char *names = "";
    size_t i;

    json_array_foreach (json_object_get(membership, "roles"), i, role)
        names = apr_pstrcat(tool->pool, names, *names ? ", " : "", tool_member(role, "name"), NULL);
    if (!tool->json)
        tool_set_text(shown, "roles", *names ? names : "-");
    tool_print(tool, shown, membership_columns);
}

/* These operations answer with all memberships of the user; selects the one in the account. */
static json_t *membership_in(const json_t *list, const char *account_id)
{
    json_t *membership;
    size_t i;

    json_array_foreach (json_is_array(list) ? list : json_object_get(list, "data"), i, membership) {
        const char *id = tool_member(membership, "account_id");
        if (id && strcmp(id, account_id) == 0)
            return membership;
    }
    return NULL;
}

static int find_membership(tool_t *tool, const char *user_id, const char *account_id,
                           const char **id)
{
    json_t *list;
    int status = tool_call(tool, "GET", tool_path(tool, "users", user_id, "memberships", NULL),
                           NULL, NULL, &list);

    if (status)
        return status;
    *id = tool_member(membership_in(list, account_id), "id");
    return *id ? TOOL_DONE
               : tool_fail(TOOL_NOT_FOUND, "%s has no membership of account %s", tool->argument,
                           tool->second);
}

static int print_of_account(const tool_t *tool, const json_t *answer, const char *account_id)
{
    const json_t *membership = json_is_object(answer) && json_object_get(answer, "account_id")
                                   ? answer
                                   : membership_in(answer, account_id);
    if (membership)
        print_membership(tool, membership);
    return TOOL_DONE;
}

int tool_membership_add(tool_t *tool)
{
    const char *user_id;
    json_t *body = NULL, *answer;
    int status = open_user(tool, &user_id);

    if (status == TOOL_DONE)
        status = tool_membership_of(tool, tool->second, "USER", &body);
    if (status == TOOL_DONE)
        status = tool_call(tool, "POST", tool_path(tool, "users", user_id, "memberships", NULL),
                           NULL, json_incref(body), &answer);
    return status ? status : print_of_account(tool, answer, tool_member(body, "account_id"));
}

int tool_membership_set(tool_t *tool)
{
    const char *user_id, *id;
    json_t *body, *answer;

    if (!tool_has(tool, TOOL_TYPE) && !tool_has(tool, TOOL_ROLE))
        return tool_fail(TOOL_USAGE, "membership set requires --type or --role");
    int status = open_user(tool, &user_id);
    if (status == TOOL_DONE)
        status = tool_membership_of(tool, tool->second, NULL, &body);
    if (status == TOOL_DONE)
        status = find_membership(tool, user_id, tool_member(body, "account_id"), &id);
    if (status == TOOL_DONE)
        status =
            tool_call(tool, "PATCH", tool_path(tool, "users", user_id, "memberships", id, NULL),
                      NULL, json_incref(body), &answer);
    return status ? status : print_of_account(tool, answer, tool_member(body, "account_id"));
}

int tool_membership_remove(tool_t *tool)
{
    const char *user_id, *account_id, *id;
    json_t *answer;
    int status = open_user(tool, &user_id);

    if (status == TOOL_DONE)
        status = tool_find_account(tool, tool->second, &account_id);
    if (status == TOOL_DONE)
        status = find_membership(tool, user_id, account_id, &id);
    return status ? status
                  : tool_call(tool, "DELETE",
                              tool_path(tool, "users", user_id, "memberships", id, NULL), NULL,
                              NULL, &answer);
}
