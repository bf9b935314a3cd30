/* SPDX-License-Identifier: Apache-2.0 */
/* Users of other programs: one JSON object per line, or a password file of htpasswd. Follows the rules of the API. */
#include <string.h>

#include "site/import.h"

#define LINES       100000 /* the more of them are written in order, the cheaper */
#define MEMBERSHIPS 100
#define ROLES       100

typedef struct wanted_user {
    identity_user_row_t user;
    bool dated;                /* has its own created_at */
    const json_t *memberships; /* or NULL */
} wanted_user_t;

static const char *const statuses[] = {"ACTIVE", "INACTIVE", NULL};
static const char *const types[] = {"ADMIN", "USER", "PARTNER", NULL};
static const char *const kinds[] = {"user", NULL};

static const identity_field_t membership_fields[] = {
    {.name = "account",
     .type = IDENTITY_FIELD_STRING,
     .flags = IDENTITY_FIELD_REQUIRED,
     .min = 1,
     .max = 128},
    {.name = "type", .type = IDENTITY_FIELD_ENUM, .values = types},
    {.name = "roles", .type = IDENTITY_FIELD_LIST, .max = ROLES},
    {.name = NULL}};
static const identity_field_t user_fields[] = {
    {.name = "type",
     .type = IDENTITY_FIELD_ENUM,
     .flags = IDENTITY_FIELD_REQUIRED,
     .values = kinds},
    {.name = "username",
     .type = IDENTITY_FIELD_STRING,
     .flags = IDENTITY_FIELD_REQUIRED,
     .max = 1024,
     .valid = identity_username_valid,
     .rule = IDENTITY_USERNAME_RULE},
    {.name = "login",
     .type = IDENTITY_FIELD_STRING,
     .max = IDENTITY_LOGIN_MAX,
     .valid = identity_login_valid,
     .rule = IDENTITY_LOGIN_RULE},
    {.name = "password_hash",
     .type = IDENTITY_FIELD_STRING,
     .flags = IDENTITY_FIELD_SECRET,
     .min = 1,
     .max = 512},
    {.name = "status", .type = IDENTITY_FIELD_ENUM, .values = statuses},
    {.name = "verified", .type = IDENTITY_FIELD_BOOLEAN},
    {.name = "created_at", .type = IDENTITY_FIELD_TIME},
    {.name = "memberships",
     .type = IDENTITY_FIELD_LIST,
     .max = MEMBERSHIPS,
     .items = membership_fields},
    {.name = NULL}};

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* Ids end in a hash of line number and name: a second run over the same file recognizes them, and the second
 * occurrence of a name in a file is not mistaken for the first. No part of a password goes into it. */
static const char *id_of(identity_importer_t *importer, const import_item_t *item,
                         const char *canonical, apr_time_t at)
{
    return identity_id_of_name_at(importer->batch, "user",
                                  apr_psprintf(importer->batch,
                                               "import\n%s\n%" APR_INT64_T_FMT "\n%s",
                                               importer->options.entity_id, item->line, canonical),
                                  at);
}

static bool of_same_line(const char *one, const char *other)
{
    size_t from = sizeof "user_" - 1 + IDENTITY_ID_TIME_LENGTH;

    return strlen(one) > from && strlen(other) > from && strcmp(one + from, other + from) == 0;
}

static bool take_name(identity_importer_t *importer, import_item_t *item, wanted_user_t *request,
                      const char *username)
{
    request->user.username = username;
    request->user.canonical = identity_username_canonical(importer->batch, username);
    request->user.entity_id = importer->options.entity_id;
    request->user.version = 1;
    item->sorted = request->user.canonical;
    return request->user.canonical != NULL;
}

static bool take_hash(identity_importer_t *importer, import_item_t *item, wanted_user_t *request,
                      const char *hash)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    request->user.password_hash = hash;
    return identity_hash_importable(importer->batch, hash, &importer->env->settings->hash,
                                    &problem) ||
           identity_item_refuse(importer, item, "%s", problem.message);
}

static bool all_known(identity_importer_t *importer, import_item_t *item, const json_t *object,
                      const identity_field_t *table)
{
    const char *name;
    json_t *member;

    json_object_foreach ((json_t *)object, name, member) {
        const identity_field_t *field = table;
        while (field->name && strcmp(field->name, name) != 0)
            field++;
        if (!field->name)
            return identity_item_unknown(importer, item, name);
    }
    return true;
}

static bool memberships_known(identity_importer_t *importer, import_item_t *item,
                              const json_t *list)
{
    json_t *object;
    size_t i;

    json_array_foreach (list, i, object) {
        if (json_object_size(object) == 0)
            return identity_item_refuse(importer, item, "memberships.%d.account is required.",
                                        (int)i);
        if (!all_known(importer, item, object, membership_fields))
            return false;
    }
    return true;
}

static bool take_time(identity_importer_t *importer, import_item_t *item, wanted_user_t *request,
                      const char *text)
{
    if (!text || !identity_time_parse(text, &request->user.created_at))
        return true;
    request->dated = true;
    return (request->user.created_at > 0 &&
            request->user.created_at <= importer->env->now(importer->env->context)) ||
           identity_item_refuse(importer, item, "created_at must be a time in the past.");
}

static bool blank(const char *text, size_t length)
{
    size_t i = 0;

    while (i < length && strchr(" \t\r", text[i]) && text[i])
        i++;
    return i == length;
}

static bool read_user(identity_importer_t *importer, import_item_t *item, const char *text,
                      size_t length)
{
    wanted_user_t *request = apr_pcalloc(importer->batch, sizeof *request);
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (blank(text, length))
        return false;
    item->request = request;
    apr_pool_clear(importer->scratch);
    json_t *object = identity_json_read(importer->scratch, "line", text, length, &problem);
    if (!object || !identity_fields_check(importer->scratch, object, user_fields, &problem))
        return identity_item_refuse(importer, item, "%s", problem.message);
    if (json_array_size(json_object_get(object, "memberships")))
        request->memberships =
            identity_json_own(importer->batch, json_incref(json_object_get(object, "memberships")));
    if (!all_known(importer, item, object, user_fields) ||
        !memberships_known(importer, item, request->memberships))
        return false;
    const char *hash = identity_json_string(object, "password_hash"),
               *status = identity_json_string(object, "status");
    take_name(importer, item, request,
              apr_pstrdup(importer->batch, identity_json_string(object, "username")));
    if (identity_json_has(object, "login"))
        request->user.login = apr_pstrdup(importer->batch, identity_json_string(object, "login"));
    request->user.status = IDENTITY_USER_ACTIVE;
    if (status)
        identity_user_status_parse(status, &request->user.status);
    request->user.verified_at =
        identity_json_boolean(object, "verified", false); /* uses the time of the write */
    return take_time(importer, item, request, identity_json_string(object, "created_at")) &&
           (!hash || take_hash(importer, item, request, apr_pstrdup(importer->batch, hash)));
}

/* An address is the user name; anything else that can be a login is one, and forms a user name with the domain. */
static bool take_plain_name(identity_importer_t *importer, import_item_t *item,
                            wanted_user_t *request, const char *name)
{
    if (take_name(importer, item, request, name))
        return true;
    if (strchr(name, '@') || !importer->options.domain)
        return identity_item_refuse(importer, item,
                                    "The name must be " IDENTITY_USERNAME_RULE "%s.",
                                    strchr(name, '@') ? "" : ", or come with a domain (--domain)");
    if (!identity_login_valid(name))
        return identity_item_refuse(importer, item, "The name must be " IDENTITY_LOGIN_RULE ".");
    request->user.login = name;
    return take_name(importer, item, request,
                     apr_pstrcat(importer->batch, name, "@", importer->options.domain, NULL)) ||
           identity_item_refuse(importer, item,
                                "The name and the domain do not form a mail address.");
}

/* As httpd reads it (mod_authn_file): surrounding blanks, comments, and anything after a second colon are ignored. */
static bool read_htpasswd(identity_importer_t *importer, import_item_t *item, const char *text,
                          size_t length)
{
    wanted_user_t *request = apr_pcalloc(importer->batch, sizeof *request);

    item->request = request;
    while (length > 0 && strchr(" \t\r", text[length - 1]) && text[length - 1])
        length--;
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    if (length == 0 || *text == '#')
        return false;
    char *line = apr_pstrmemdup(importer->batch, text, length), *colon = strchr(line, ':');
    identity_wipe_with_pool(importer->batch, line);
    if (strlen(line) != length)
        return identity_item_refuse(importer, item, "The line contains a NUL character.");
    if (!colon || colon == line)
        return identity_item_refuse(importer, item, "The line does not have the form name:hash.");
    *colon = '\0';
    colon[1 + strcspn(colon + 1, ":")] = '\0';
    request->user.status = IDENTITY_USER_ACTIVE;
    return take_plain_name(importer, item, request, line) &&
           take_hash(importer, item, request, colon + 1);
}

/* ---- what users are given --------------------------------------------------------------------------------------- */

static bool find_account(identity_call_t *call, identity_importer_t *importer, const char *name,
                         identity_account_row_t **account)
{
    bool found;

    *account = apr_hash_get(importer->accounts, name, APR_HASH_KEY_STRING);
    if (*account)
        return true;
    if (!identity_db_found(
            call, identity_account_find(call->db, importer->options.entity_id, name, account),
            &found))
        return false;
    if (found)
        apr_hash_set(importer->accounts, name, APR_HASH_KEY_STRING, *account);
    else
        *account = NULL;
    return true;
}

static bool find_role(identity_call_t *call, identity_importer_t *importer, const char *name,
                      identity_role_row_t **role)
{
    apr_array_header_t *rows = NULL, *one = identity_list_of(call->pool, name);
    bool by_id = identity_id_valid(name, "role");

    *role = apr_hash_get(importer->roles, name, APR_HASH_KEY_STRING);
    if (*role)
        return true;
    if (!identity_db_ok(call,
                        identity_roles_find(call->db, importer->options.entity_id,
                                            by_id ? one : NULL, NULL, by_id ? NULL : one, &rows)))
        return false;
    if (rows->nelts > 0)
        *role = APR_ARRAY_IDX(rows, 0, identity_role_row_t *);
    if (*role)
        apr_hash_set(importer->roles, name, APR_HASH_KEY_STRING, *role);
    return true;
}

/* False: the database failed. item->refusal: the account or role does not exist. */
static bool want_membership(identity_call_t *call, identity_importer_t *importer,
                            import_item_t *item, const json_t *object,
                            identity_membership_request_t *given)
{
    identity_membership_row_t *row = apr_pcalloc(call->pool, sizeof *row);
    apr_array_header_t *ids = apr_array_make(call->pool, 4, sizeof(const char *));
    identity_account_row_t *account;
    identity_role_row_t *role;
    json_t *name;
    size_t i;

    if (!find_account(call, importer, identity_json_string(object, "account"), &account))
        return false;
    if (!account) {
        identity_item_refuse(importer, item, "There is no account %s.",
                             identity_json_string(object, "account"));
        return true;
    }
    json_array_foreach (json_object_get(object, "roles"), i, name) {
        if (!find_role(call, importer, json_string_value(name), &role))
            return false;
        if (!role) {
            identity_item_refuse(importer, item, "There is no role %s.", json_string_value(name));
            return true;
        }
        bool twice = false;
        for (int k = 0; k < ids->nelts; k++)
            twice = twice || strcmp(APR_ARRAY_IDX(ids, k, const char *), role->id) == 0;
        if (!twice)
            APR_ARRAY_PUSH(ids, const char *) = role->id;
    }
    for (int k = 0; k < given->memberships->nelts; k++)
        if (strcmp(APR_ARRAY_IDX(given->memberships, k, identity_membership_row_t *)->account.id,
                   account->id) == 0)
            identity_item_refuse(importer, item, "The account %s is listed twice.",
                                 account->reference);
    row->account = *account;
    row->entity_id = importer->options.entity_id;
    row->created_at = call->now;
    row->type = IDENTITY_MEMBER_USER;
    if (identity_json_string(object, "type"))
        identity_member_type_parse(identity_json_string(object, "type"), &row->type);
    APR_ARRAY_PUSH(given->memberships, identity_membership_row_t *) = row;
    APR_ARRAY_PUSH(given->role_ids, apr_array_header_t *) = ids;
    return true;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static bool begin_users(identity_call_t *call, identity_importer_t *importer)
{
    importer->accounts = apr_hash_make(call->pool);
    importer->roles = apr_hash_make(call->pool);
    importer->users = 0;
    return identity_db_ok(call, identity_names_old(call->db, &importer->old_names));
}

/* One record for all: one for each would be most of the work, and of the database. */
static bool end_users(identity_call_t *call, identity_importer_t *importer)
{
    identity_audit_t audit = {
        .action = "IMPORT", .type = "ENTITY", .id = importer->options.entity_id};

    audit.message = apr_psprintf(call->pool, "Users imported from a file: %d.", importer->users);
    return importer->users == 0 || identity_audit(call, &audit);
}

/* If only an index can cause a conflict, the insert alone decides. */
static bool make_user(identity_call_t *call, const identity_importer_t *importer,
                      const identity_user_row_t *user)
{
    identity_db_status_t status =
        importer->old_names ? IDENTITY_DB_CONFLICT : identity_user_insert(call->db, user);

    return status == IDENTITY_DB_CONFLICT ? identity_user_make(call, user, false, "username")
                                          : identity_db_ok(call, status);
}

/* The name exists: from this very line in an earlier run, or otherwise. */
static bool met(identity_call_t *call, identity_importer_t *importer, import_item_t *item,
                const wanted_user_t *request)
{
    const identity_user_row_t *user = &request->user;
    identity_user_row_t *present = NULL;
    bool found;

    if (call->problem.kind != IDENTITY_PROBLEM_EXISTS)
        return false;
    if (!identity_db_found(
            call, identity_user_in_entity(call->db, user->entity_id, user->username, &present),
            &found))
        return false;
    if (found && importer->options.resume && of_same_line(present->id, user->id))
        item->outcome = IMPORT_PRESENT;
    else
        identity_item_refuse(importer, item, "%s: %s", user->username, call->problem.message);
    call->problem.kind = IDENTITY_PROBLEM_NONE;
    return true;
}

/* A line is imported as a whole: checked before anything of it is written. */
static bool look_at_login(identity_call_t *call, identity_importer_t *importer, import_item_t *item,
                          const identity_user_row_t *user)
{
    identity_user_row_t *holder = NULL;
    bool found;

    if (!user->login)
        return true;
    if (!identity_db_found(
            call, identity_user_of_login(call->db, user->entity_id, user->login, &holder), &found))
        return false;
    if (found && importer->options.resume && of_same_line(holder->id, user->id))
        item->outcome = IMPORT_PRESENT;
    else if (found)
        identity_item_refuse(importer, item, "%s: The login %s is taken.", user->username,
                             user->login);
    return true;
}

static void date(identity_call_t *call, identity_importer_t *importer, const import_item_t *item,
                 wanted_user_t *request)
{
    identity_user_row_t *user = &request->user;

    /* In file order. */
    if (!request->dated)
        user->created_at = call->now + item->line % APR_USEC_PER_SEC;
    user->updated_at = user->created_at > call->now ? user->created_at : call->now;
    user->password_changed_at = user->password_hash ? call->now : 0;
    user->verified_at = user->verified_at ? call->now : 0;
    user->id = id_of(importer, item, user->canonical, user->created_at);
}

static bool write_user(identity_call_t *call, identity_importer_t *importer, import_item_t *item)
{
    wanted_user_t *request = item->request;
    identity_membership_request_t given;
    json_t *object;
    size_t i;

    identity_membership_request_make(call, &given);
    json_array_foreach (request->memberships ? request->memberships : importer->options.given, i,
                        object)
        if (!want_membership(call, importer, item, object, &given) || item->refusal)
            return item->refusal != NULL;
    date(call, importer, item, request);
    if (!look_at_login(call, importer, item, &request->user))
        return false;
    if (item->refusal || item->outcome == IMPORT_PRESENT)
        return true;
    if (!make_user(call, importer, &request->user))
        return met(call, importer, item, request);
    importer->users++;
    item->outcome = IMPORT_MADE;
    item->memberships = given.memberships->nelts;
    return (!request->user.login || identity_login_claim(call, &request->user)) &&
           identity_membership_request_write(call, IDENTITY_OWNER_USER, request->user.id, &given);
}

const import_kind_t identity_import_users = {LINES, read_user, begin_users, write_user, end_users};
const import_kind_t identity_import_htpasswd = {LINES, read_htpasswd, begin_users, write_user,
                                                end_users};
