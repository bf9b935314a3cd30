/* SPDX-License-Identifier: Apache-2.0 */
/* Users: create and change. */
#include <string.h>

#include "users/users.h"

/* ---- POST /users ------------------------------------------------------------------------------------------------ */

typedef struct creation {
    identity_user_row_t user;
    identity_link_t link;
    identity_assignments_t *assignments;
} creation_t;

static bool write_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    identity_user_row_t *user = &creation->user;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "CREATE",
                              .type = "USER",
                              .id = user->id,
                              .message = "A user was created.",
                              .changes = user->login ? changes : NULL};

    identity_changes_add(changes, "login", NULL, user->login);
    if (!identity_user_make(call, user, false, "username") ||
        (user->login && !identity_login_claim(call, user)))
        return false;
    if (user->status == IDENTITY_USER_INVITED &&
        !identity_invite_user(call, user, NULL, &creation->link, "username", NULL))
        return false;
    return identity_audit(call, &audit) &&
           identity_user_assignments(call, user, &creation->assignments) &&
           identity_answer(call, 201, identity_user_json(call, user, creation->assignments));
}

/* Other people's rules may refer to a login. */
static bool may_set_login(identity_call_t *call)
{
    return identity_permset_has(&call->permissions, "USER.MORTAL.UPDATE") ||
           identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, "login",
                         "This needs the permission USER.MORTAL.UPDATE.");
}

/* The status requested by `status` and its older alias `active`; both must be consistent with whether there is a
 * password. */
static bool first_status(identity_call_t *call, bool password, identity_user_status_t *status)
{
    const char *asked = identity_json_string(call->body, "status");
    bool active = identity_json_boolean(call->body, "active", true),
         says = identity_json_has(call->body, "active");

    *status = password ? IDENTITY_USER_ACTIVE : IDENTITY_USER_INVITED;
    if (password && asked ? strcmp(asked, "INACTIVE") == 0 : password && !active)
        *status = IDENTITY_USER_INACTIVE;
    if (asked && strcmp(asked, identity_user_status_name(*status)) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "status",
                             password
                                 ? "status must be ACTIVE or INACTIVE for a user with a password."
                                 : "status must be INVITED for a user without a password.");
    if (says && active != (*status == IDENTITY_USER_ACTIVE))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "active",
                             password ? "active contradicts status."
                                      : "A user without a password cannot be active.");
    return true;
}

bool identity_op_create_user(identity_call_t *call)
{
    const char *username = identity_json_string(call->body, "username"),
               *password = identity_json_string(call->body, "password");
    creation_t creation = {.assignments = NULL};
    identity_user_row_t *user = &creation.user;

    user->username = username;
    user->canonical = identity_username_canonical(call->pool, username);
    user->login = identity_json_string(call->body, "login");
    user->entity_id = call->principal->entity_id;
    user->created_at = user->updated_at = call->now;
    user->version = 1;
    if (password && call->principal->key_id)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, "password",
                             "A personal key cannot set passwords.");
    if ((user->login && !may_set_login(call)) ||
        !first_status(call, password != NULL, &user->status))
        return false;
    if (password) {
        user->password_changed_at = call->now;
        if (!identity_password_permitted(call, password, username, "password") ||
            !identity_hash_password(call, user->canonical,
                                    identity_password_normalise(call->pool, password),
                                    &user->password_hash))
            return false;
    } else if (!identity_mail_possible(call, username, "username") ||
               !identity_ratelimit_take(call, IDENTITY_RATE_INVITE,
                                        identity_credential_id(call->principal)) ||
               !identity_link_make(call, IDENTITY_TOKEN_INVITE, &creation.link)) {
        return false;
    } else {
        user->invite_expires_at = call->now + call->env->settings->invite_lifetime;
    }
    user->id = identity_call_id(call, "user");
    return user->id && identity_write(call, write_creation, &creation);
}

/* ---- PATCH /users/{id} ------------------------------------------------------------------------------------------ */

typedef struct update {
    identity_user_row_t *user;
    const char *username, *password; /* requested and different from the present ones, else NULL */
    const char *login;               /* likewise, NULL: none; if it is changed */
    bool to_login;                   /* the login is changed */
    const char *to_status;           /* or NULL: unchanged */
    bool own;
    bool confirms; /* the new address must be confirmed first */
    identity_link_t link;
    const char *untold; /* who should have been notified and was not, or NULL */
    const char *hash;
    identity_assignments_t *assignments;
    bool ends;                /* INACTIVE was requested, even if it already is */
    bool revokes;             /* ... together with the end of the keys that the user created */
    apr_array_header_t *made; /* those keys, if they are ended */
} update_t;

/* Allowed status changes of PATCH: a user who never accepted can only leave INACTIVE by a new invitation. */
static bool leads(const identity_user_row_t *user, const char *request)
{
    if (strcmp(request, "INACTIVE") == 0)
        return true;
    return user->status == IDENTITY_USER_INACTIVE &&
           strcmp(request,
                  user->password_hash || user->verified_at ? "ACTIVE" : "INVITE_REVOKED") == 0;
}

static bool wants_status(identity_call_t *call, update_t *update)
{
    const char *asked = identity_json_string(call->body, "status"),
               *present = identity_user_status_name(update->user->status);
    bool is_active = update->user->status == IDENTITY_USER_ACTIVE;
    bool by_status = asked && strcmp(asked, present) != 0;
    bool by_alias = identity_json_has(call->body, "active") &&
                    identity_json_boolean(call->body, "active", is_active) != is_active;

    if (!by_status && !by_alias)
        return true;
    /* A client may send both back as read and change one: the one that differs counts. */
    const char *request = by_status ? asked : is_active ? "INACTIVE" : "ACTIVE";
    if (by_status && by_alias && (strcmp(asked, "ACTIVE") == 0) == is_active)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "active",
                             "active contradicts status.");
    if (!leads(update->user, request))
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, by_status ? "status" : "active",
            "The status of a user who is %s cannot be set to %s: invitations are sent, revoked "
            "and accepted by their own calls.",
            present, request);
    update->to_status = request;
    return true;
}

static bool wants_end(identity_call_t *call, update_t *update)
{
    const char *asked = identity_json_string(call->body, "status");
    bool stays = !update->to_status && update->user->status == IDENTITY_USER_INACTIVE;

    update->ends = update->to_status
                       ? strcmp(update->to_status, "INACTIVE") == 0
                       : stays && (asked || !identity_json_boolean(call->body, "active", true));
    return update->ends || !update->revokes ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "revoke_keys",
                         "revoke_keys is allowed only with status INACTIVE.");
}

static void wants_login(identity_call_t *call, update_t *update)
{
    const char *present = update->user->login;

    update->login = identity_json_string(call->body, "login");
    update->to_login =
        json_object_get(call->body, "login") &&
        (update->login && present ? strcmp(update->login, present) != 0 : update->login != present);
}

static bool wants(identity_call_t *call, update_t *update)
{
    const char *username = identity_json_string(call->body, "username");

    if (!identity_user_present(call, update->user, NULL))
        return false;
    update->own = call->principal->kind == IDENTITY_CALLER_USER &&
                  strcmp(call->principal->id, update->user->id) == 0;
    update->username = username && strcmp(username, update->user->username) != 0 ? username : NULL;
    update->password = identity_json_string(call->body, "password");
    wants_login(call, update);
    if (update->username && !identity_username_valid(update->username))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "username",
                             "username must be " IDENTITY_USERNAME_RULE ".");
    update->confirms =
        update->own && update->username &&
        strcmp(identity_username_canonical(call->pool, username), update->user->canonical) != 0;
    if (!wants_status(call, update) || !wants_end(call, update))
        return false;
    bool pending = update->user->status == IDENTITY_USER_INVITED ||
                   update->user->status == IDENTITY_USER_INVITE_REVOKED;
    if (pending && update->password)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, "password",
                             "An invited user sets the password by accepting the invitation.");
    if (pending && update->username)
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, "username",
            "An invitation is valid for its address only: revoke it and invite the other address.");
    return true;
}

static bool allowed(identity_call_t *call, update_t *update)
{
    if (update->to_status && !identity_permset_has(&call->permissions, "USER.MORTAL.UPDATE"))
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, "status",
                             "This needs the permission USER.MORTAL.UPDATE.");
    if (update->to_login && !may_set_login(call))
        return false;
    /* Whoever sets another user's password can act as that user: never for users with more rights (security 62). And
     * own status and login require the permission in all accounts. */
    return (update->own && !update->to_status && !update->to_login) ||
           identity_may_act_on(call, update->assignments, update->user->id,
                               call->route->permission);
}

/* With If-Match: is the user unchanged since the caller read it? */
static bool load_update(identity_call_t *call, update_t *update)
{
    return identity_user_found(call, call->id, &update->user) &&
           identity_user_assignments(call, update->user, &update->assignments) &&
           (!identity_conditional(call) ||
            identity_precondition(call,
                                  identity_user_json(call, update->user, update->assignments)));
}

static bool read_update(identity_call_t *call, void *data)
{
    update_t *update = data;
    return load_update(call, update) && wants(call, update) && allowed(call, update);
}

static bool prove_owner(identity_call_t *call, const update_t *update)
{
    return !update->own || !(update->username || update->password) ||
           identity_owner_proved(
               call, update->user,
               "current_password is required to change one's own username or password.");
}

/* The caller cancels a pending change of address before it writes the row. */
bool identity_user_end_access(identity_call_t *call, const identity_user_row_t *user)
{
    bool ours = call->principal && strcmp(call->principal->entity_id, user->entity_id) == 0;

    /* This entity's records do not mention users of other entities. */
    return identity_end_ways_in(call, user->id, NULL) && identity_invitation_end(call, user) &&
           identity_personal_keys_end(call, user, ours ? NULL : "");
}

/* Nobody keeps access: changes by somebody else end all sessions, the user's own new password all others. */
static bool end_credentials(identity_call_t *call, const update_t *update)
{
    const char *id = update->user->id;

    if (update->to_status && update->user->status == IDENTITY_USER_INACTIVE)
        return identity_user_end_access(call, update->user);
    if (update->own && update->password)
        return identity_end_ways_in(call, id, call->principal->session_id);
    if (!update->own && (update->password || update->username))
        return identity_end_ways_in(call, id, NULL);
    return true;
}

/* former: the row before the change. Changes by somebody else are notified to both mailboxes, if there are two. */
static bool tell(identity_call_t *call, update_t *update, const identity_user_row_t *former)
{
    const identity_user_row_t *user = update->user;
    const identity_notice_t notices[] = {
        {.kind = IDENTITY_MAIL_CHANGED, .username = former->username, .address = user->username},
        {.kind = IDENTITY_MAIL_PASSWORD}};
    const bool request[] = {!update->own && update->username, update->password != NULL};
    bool moved = strcmp(former->canonical, user->canonical) != 0;

    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++)
        if (request[i] && (!identity_notify(call, user, &notices[i], &update->untold) ||
                           (moved && !identity_notify(call, former, &notices[i], &update->untold))))
            return false;
    return true;
}

/* Called before the row itself is changed. */
static identity_changes_t *changes_of(identity_call_t *call, const update_t *update)
{
    identity_changes_t *changes = identity_changes_make(call);
    const identity_user_row_t *user = update->user;

    if (update->username && update->confirms)
        identity_changes_add(
            changes, "pending_username",
            user->pending_username && *user->pending_username ? user->pending_username : NULL,
            update->username);
    else if (update->username)
        identity_changes_add(changes, "username", user->username, update->username);
    if (update->to_login)
        identity_changes_add(changes, "login", user->login, update->login);
    if (update->password)
        identity_changes_add_secret(changes, "password");
    if (update->to_status)
        identity_changes_add(changes, "status", identity_user_status_name(user->status),
                             update->to_status);
    return changes;
}

static void change_name(identity_call_t *call, const update_t *update)
{
    identity_user_row_t *user = update->user;
    const char *canonical = identity_username_canonical(call->pool, update->username);

    /* Another spelling of the same address is as proved as the one before. */
    if (strcmp(canonical, user->canonical) != 0) {
        user->verified_at = 0;
        user->old_name = NULL;
    }
    user->username = update->username;
    user->canonical = canonical;
}

/* An ACTIVE user holds the name; one that becomes INACTIVE, too, if it is free. */
static bool settle_name(identity_call_t *call, const update_t *update)
{
    identity_user_row_t *user = update->user;

    if (user->status == IDENTITY_USER_ACTIVE ||
        (user->status == IDENTITY_USER_INACTIVE && update->username)) {
        user->held_name = true;
        return !(update->username || update->to_status) ||
               identity_name_claim(call, user, false, "username");
    }
    return user->status != IDENTITY_USER_INACTIVE || !update->to_status ||
           identity_name_keep(call, user);
}

/* Applies the new values to the row; any change cancels a pending change of address. */
static bool change_row(identity_call_t *call, update_t *update)
{
    identity_user_row_t *user = update->user;

    if (!identity_change_void(call, user))
        return false;
    if (update->password) {
        user->password_hash = update->hash;
        user->password_changed_at = call->now;
    }
    if (update->to_status)
        user->status = strcmp(update->to_status, "INACTIVE") == 0 ? IDENTITY_USER_INACTIVE
                       : strcmp(update->to_status, "ACTIVE") == 0 ? IDENTITY_USER_ACTIVE
                                                                  : IDENTITY_USER_INVITE_REVOKED;
    user->updated_at = call->now;
    if (update->confirms)
        return identity_change_begin(call, user, update->username, &update->link, &update->untold);
    if (update->username)
        change_name(call, update);
    return settle_name(call, update);
}

static bool change_login(identity_call_t *call, const update_t *update)
{
    if (!update->to_login)
        return true;
    update->user->login = update->login;
    return identity_login_claim(call, update->user);
}

static bool settle_keys(identity_call_t *call, void *data)
{
    update_t *update = data;
    return !update->ends || identity_made_keys(call, update->user, update->revokes, &update->made);
}

/* For a user who is already INACTIVE. */
static bool write_revocation(identity_call_t *call, void *data)
{
    update_t *update = data;

    if (!load_update(call, update) || !wants(call, update) || !allowed(call, update))
        return false;
    /* Active again by now. */
    if (update->to_status)
        return identity_db_ok(call, IDENTITY_DB_NONE);
    return settle_keys(call, update);
}

static bool write_update(identity_call_t *call, void *data)
{
    update_t *update = data;
    identity_user_row_t *user;
    identity_audit_t audit = {.action = "UPDATE", .type = "USER", .id = update->user->id};
    apr_int64_t checked = update->user->version;
    bool ends = update->to_status && strcmp(update->to_status, "INACTIVE") == 0;
    identity_administered_t administered;

    /* Memberships may have been added while the password was hashed. */
    if (!load_update(call, update) || !allowed(call, update))
        return false;
    user = update->user;
    if (user->version != checked)
        return identity_db_ok(call, IDENTITY_DB_NONE);
    const identity_user_row_t former = *user;
    audit.changes = changes_of(call, update);
    if ((ends &&
         !identity_administrators_before(call, update->assignments, user->id, &administered)) ||
        !change_row(call, update))
        return false;
    return identity_user_save(call, user) && change_login(call, update) &&
           (!ends || identity_administrators_remain(call, &administered)) &&
           end_credentials(call, update) && tell(call, update, &former) &&
           identity_audit_told(call, &audit, update->untold) && settle_keys(call, update);
}

/* An address to be confirmed is sent a link: without mail the change cannot be requested. */
static bool prepare_link(identity_call_t *call, update_t *update)
{
    return !update->confirms || (identity_mail_possible(call, update->username, "username") &&
                                 identity_link_make(call, IDENTITY_TOKEN_CHANGE, &update->link));
}

/* The tag is that of the user as GET shows it. */
static bool answer_update(identity_call_t *call, const update_t *update)
{
    json_t *user = identity_user_json(call, update->user, update->assignments);

    if (!update->ends)
        return identity_answer_tagged(call, 200, user);
    json_t *told = json_copy(user);
    json_object_set_new(told, "api_keys_created", identity_made_keys_json(update->made));
    if (identity_answer_tagged(call, 200, user))
        return identity_answer(call, 200, told);
    json_decref(told);
    return false;
}

bool identity_op_update_user(identity_call_t *call)
{
    update_t update = {.user = NULL};

    int revokes;

    if (!identity_query_boolean(call, "revoke_keys", &revokes))
        return false;
    update.revokes = revokes == 1;
    if (!identity_read(call, read_update, &update) || !prove_owner(call, &update) ||
        !prepare_link(call, &update))
        return false;
    if (update.password &&
        (!identity_password_permitted(call, update.password,
                                      update.username ? update.username : update.user->username,
                                      "password") ||
         !identity_hash_password(call, update.user->canonical,
                                 identity_password_normalise(call->pool, update.password),
                                 &update.hash)))
        return false;
    bool changes = update.username || update.password || update.to_status || update.to_login;
    if (changes          ? !identity_write(call, write_update, &update)
        : update.revokes ? !identity_write(call, write_revocation, &update)
                         : update.ends && !identity_read(call, settle_keys, &update))
        return false;
    return answer_update(call, &update);
}
