/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the command line only: entities, accounts, aliases. */
#include <string.h>

#include "site/site.h"

#define LABEL_MAX 128

/* References are used in configuration and on command lines: no blanks. */
bool identity_reference_valid(const char *reference)
{
    size_t length = strlen(reference);
    return length > 0 && length <= LABEL_MAX && reference[0] != '-' &&
           strspn(reference, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

bool identity_local_reference(identity_call_t *call, const char *reference)
{
    return identity_reference_valid(reference) ||
           identity_deny(
               call, IDENTITY_PROBLEM_INVALID_FIELD, "reference",
               "A reference consists of letters, digits, dots, hyphens and underscores, at most %d.",
               LABEL_MAX);
}

bool identity_local_label(identity_call_t *call, const char *field, const char *text)
{
    return (identity_text_valid(text) && strlen(text) <= LABEL_MAX) ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                         "%s must be text of at most %d bytes.", field, LABEL_MAX);
}

bool identity_local_environment(identity_call_t *call, const char *environment)
{
    return strcmp(environment, "LIVE") == 0 || strcmp(environment, "TEST") == 0 ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "environment",
                         "environment must be LIVE or TEST.");
}

bool identity_local_type(identity_call_t *call, const char *code)
{
    return identity_reference_valid(code) ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "account_type_code",
                         "An account type has the form of a reference.");
}

/* ---- entities --------------------------------------------------------------------------------------------------- */

static bool write_entity(identity_call_t *call, void *data)
{
    identity_entity_row_t *row = data;
    identity_audit_t audit = {
        .action = "CREATE", .type = "ENTITY", .message = "An entity was created."};

    if (!identity_local_reference(call, row->reference) ||
        !identity_local_label(call, "name", row->name))
        return false;
    row->id = identity_call_id(call, "enti");
    row->created_at = call->now;
    identity_db_status_t status =
        row->id ? identity_entity_insert(call->db, row) : IDENTITY_DB_FAILED;
    if (status == IDENTITY_DB_CONFLICT)
        return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "reference",
                             "An entity with this reference already exists.");
    audit.id = audit.entity_id = row->id;
    return identity_db_ok(call, status) && identity_audit(call, &audit);
}

bool identity_entity_add(apr_pool_t *pool, const identity_env_t *env, const char *reference,
                         const char *name, identity_entity_row_t **made,
                         identity_problem_t *problem)
{
    *made = apr_pcalloc(pool, sizeof **made);
    (*made)->reference = reference;
    (*made)->name = name ? name : reference;
    return identity_run_local(pool, env, "", true, write_entity, *made, problem);
}

static bool read_entities(identity_call_t *call, void *data)
{
    return identity_db_ok(call, identity_entities_list(call->db, data));
}

bool identity_entities(apr_pool_t *pool, const identity_env_t *env, apr_array_header_t **rows,
                       identity_problem_t *problem)
{
    return identity_run_local(pool, env, "", false, read_entities, rows, problem);
}

typedef struct named {
    const char *name;
    identity_entity_row_t *entity;
} named_t;

static bool read_named(identity_call_t *call, void *data)
{
    named_t *named = data;
    bool found;

    if (!identity_db_found(call, identity_entity_find(call->db, named->name, &named->entity),
                           &found))
        return false;
    return found || identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, "entity",
                                  "There is no entity %s.", named->name);
}

bool identity_entity_named(apr_pool_t *pool, const identity_env_t *env, const char *id_or_reference,
                           identity_entity_row_t **row, identity_problem_t *problem)
{
    named_t named = {.name = id_or_reference};
    bool done = identity_run_local(pool, env, "", false, read_named, &named, problem);
    *row = named.entity;
    return done;
}

/* ---- accounts --------------------------------------------------------------------------------------------------- */

typedef struct account_addition {
    identity_account_row_t row;
    const char *parent; /* id or reference, or NULL */
} account_addition_t;

static bool write_account(identity_call_t *call, void *data)
{
    account_addition_t *addition = data;
    identity_account_row_t *row = &addition->row, *parent = NULL;
    identity_audit_t audit = {.action = "CREATE",
                              .type = "ACCOUNT",
                              .account = row,
                              .message = "An account was created."};
    bool found = true;

    if (!identity_local_reference(call, row->reference) ||
        !identity_local_environment(call, row->environment) ||
        !identity_local_type(call, row->account_type_code))
        return false;
    if (addition->parent &&
        !identity_db_found(
            call, identity_account_find(call->db, row->entity_id, addition->parent, &parent),
            &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "parent",
                             "There is no account %s.", addition->parent);
    row->parent_id = parent ? parent->id : NULL;
    row->id = identity_call_id(call, "plat");
    row->created_at = call->now;
    identity_db_status_t status =
        row->id ? identity_account_insert(call->db, row) : IDENTITY_DB_FAILED;
    if (status == IDENTITY_DB_CONFLICT)
        return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "reference",
                             "An account with this reference already exists.");
    audit.id = row->id;
    return identity_db_ok(call, status) && identity_audit(call, &audit);
}

bool identity_account_add(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *reference, const char *environment,
                          const char *account_type_code, const char *parent,
                          identity_account_row_t **made, identity_problem_t *problem)
{
    account_addition_t *addition = apr_pcalloc(pool, sizeof *addition);

    addition->row.entity_id = entity_id;
    addition->row.reference = reference;
    addition->row.environment = environment ? environment : "LIVE";
    addition->row.account_type_code = account_type_code ? account_type_code : "PLATFORM";
    addition->parent = parent;
    *made = &addition->row;
    return identity_run_local(pool, env, entity_id, true, write_account, addition, problem);
}

typedef struct listed {
    const char *entity_id;
    apr_array_header_t **rows;
} listed_t;

static bool read_accounts(identity_call_t *call, void *data)
{
    listed_t *listed = data;
    return identity_db_ok(call, identity_accounts_list(call->db, listed->entity_id, listed->rows));
}

bool identity_accounts(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                       apr_array_header_t **rows, identity_problem_t *problem)
{
    listed_t listed = {entity_id, rows};
    return identity_run_local(pool, env, entity_id, false, read_accounts, &listed, problem);
}

/* ---- users of other programs ------------------------------------------------------------------------------------ */

static bool write_import(identity_call_t *call, void *data)
{
    identity_user_row_t *user = data;
    identity_audit_t audit = {
        .action = "IMPORT", .type = "USER", .message = "A user was imported with a password."};

    user->id = identity_call_id(call, "user");
    user->entity_id = call->principal->entity_id;
    user->created_at = user->updated_at = user->password_changed_at = call->now;
    audit.id = user->id;
    return user->id && identity_user_make(call, user, false, "username") &&
           (!user->login || identity_login_claim(call, user)) && identity_audit(call, &audit);
}

bool identity_hash_importable(apr_pool_t *pool, const char *hash,
                              const identity_hash_parameters_t *parameters,
                              identity_problem_t *problem)
{
    switch (identity_password_importable(hash, parameters)) {
    case IDENTITY_IMPORT_FINE:
        return true;
    case IDENTITY_IMPORT_MEMORY:
        return identity_refuse(
            pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "password",
            "Verifying this hash takes more memory than IdentityPasswordHash allows (m=%u).",
            parameters->memory_kib);
    case IDENTITY_IMPORT_SLOW:
        return identity_refuse(
            pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "password",
            "Verifying this hash would take too long: its number of passes or rounds is too high.");
    default:
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "password",
                               "This is not a password hash in a supported format.");
    }
}

bool identity_user_import(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                          const char *username, const char *login, const char *hash,
                          identity_user_row_t **made, identity_problem_t *problem)
{
    identity_user_row_t *user = apr_pcalloc(pool, sizeof *user);

    *made = user;
    if (!identity_username_valid(username))
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "username",
                               "username must be " IDENTITY_USERNAME_RULE ".");
    if (login && !identity_login_valid(login))
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "login",
                               "login must be " IDENTITY_LOGIN_RULE ".");
    if (!identity_hash_importable(pool, hash, &env->settings->hash, problem))
        return false;
    user->username = username;
    user->canonical = identity_username_canonical(pool, username);
    user->login = login;
    user->status = IDENTITY_USER_ACTIVE;
    user->password_hash = hash;
    user->version = 1;
    return identity_run_local(pool, env, entity_id, true, write_import, user, problem);
}

/* ---- aliases ---------------------------------------------------------------------------------------------------- */

typedef struct alias_addition {
    identity_alias_row_t row;
    const char *user;
} alias_addition_t;

static bool write_alias(identity_call_t *call, void *data)
{
    alias_addition_t *addition = data;
    identity_user_row_t *user = NULL;
    identity_audit_t audit = {
        .action = "CREATE", .type = "TOKEN_ALIAS", .message = "A token alias was created."};
    identity_db_status_t status = identity_id_valid(addition->user, "user")
                                      ? identity_user_by_id(call->db, addition->user, &user)
                                      : identity_user_by_name(call->db, addition->user, &user);
    bool found;

    /* In any entity: a login is prefixed with the entity's reference if several lasting entities exist. */
    if (status == IDENTITY_DB_NONE)
        status = identity_user_by_login(call->db, addition->user, &user);
    if (!identity_db_found(call, status, &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_USER_NOT_FOUND, "user", "There is no user %s.",
                             addition->user);
    if (user->status != IDENTITY_USER_ACTIVE)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, "user", "The user %s is not active.",
                             addition->user);
    addition->row.id = identity_call_id(call, "alia");
    addition->row.user_id = user->id;
    addition->row.entity_id = audit.entity_id = user->entity_id;
    addition->row.username = user->username;
    addition->row.created_at = call->now;
    addition->row.expires_at += call->now;
    audit.id = addition->row.id;
    return addition->row.id &&
           identity_db_ok(call, identity_alias_insert(call->db, &addition->row)) &&
           identity_audit(call, &audit);
}

bool identity_alias_add(apr_pool_t *pool, const identity_env_t *env, const char *user,
                        const char *description, apr_interval_time_t lifetime, const char **secret,
                        identity_alias_row_t **made, identity_problem_t *problem)
{
    alias_addition_t *addition = apr_pcalloc(pool, sizeof *addition);

    *made = &addition->row;
    *secret = identity_token_make(pool, IDENTITY_TOKEN_ALIAS, &env->random);
    if (!*secret)
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    if (lifetime <= 0)
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "expires",
                               "An alias needs a lifetime.");
    if (description && (strlen(description) > LABEL_MAX || !identity_text_valid(description)))
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, "description",
                               "description must be text of at most %d bytes.", LABEL_MAX);
    addition->user = user;
    addition->row.description = description ? description : "";
    addition->row.digest = identity_token_digest(pool, *secret);
    addition->row.expires_at = lifetime;
    return identity_run_local(pool, env, "", true, write_alias, addition, problem);
}

static bool read_aliases(identity_call_t *call, void *data)
{
    listed_t *listed = data;
    return identity_db_ok(call, identity_aliases_list(call->db, listed->entity_id, listed->rows));
}

bool identity_aliases(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                      apr_array_header_t **rows, identity_problem_t *problem)
{
    listed_t listed = {entity_id, rows};
    return identity_run_local(pool, env, entity_id, false, read_aliases, &listed, problem);
}
