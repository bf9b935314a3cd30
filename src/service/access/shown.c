/* SPDX-License-Identifier: Apache-2.0 */
/* Users' assignments in the most frequent answers: written as text, not built as JSON objects (json_write.c). The
 * bytes are those of identity_user_json, which is used where they are part of something else; a test compares the
 * two.
 *
 * Users' assignments, and the accounts, roles and team grants in them, are cached (shared.c). What is missing takes
 * two statements for users, however many, and a few more for the rest. */
#include <string.h>

#include "access/access.h"

#define LASTS                                                                                      \
    apr_time_from_sec(300) /* even without a change record, to pick up rows edited by hand */

/* Finished text. A piece with two halves has a NUL between them: for an account, which appears in two places of a
 * membership; for assignments, memberships and teams. */
typedef struct piece {
    const char *text;
    size_t length; /* 0: too long for any answer */
} piece_t;

static const piece_t unknown = {"null", 4}, too_long = {"", 0};

/* id -> piece_t */
struct identity_shown {
    identity_shared_age_t age;
    apr_hash_t *users, *roles, *accounts, *teams;
};

static void write_piece(identity_writer_t *writer, const piece_t *piece)
{
    identity_write_raw(writer, piece->text, piece->length);
    writer->full |= piece->length == 0;
}

static void write_half(identity_writer_t *writer, const piece_t *piece, bool second)
{
    size_t half = strlen(piece->text);

    if (piece->length == 0)
        write_piece(writer, piece);
    else if (second)
        identity_write_raw(writer, piece->text + half + 1, piece->length - half - 1);
    else
        identity_write_raw(writer, piece->text, half);
}

/* Looks an id up in the cache; if it is missing, adds it to the list to be read. */
static void want(identity_call_t *call, apr_hash_t *pieces, identity_shared_kind_t kind,
                 const char *id, apr_array_header_t *missing)
{
    if (apr_hash_get(pieces, id, APR_HASH_KEY_STRING))
        return;
    piece_t *piece = apr_palloc(call->pool, sizeof *piece);
    piece->text = identity_shared_get(call, kind, id, &piece->length);
    if (!piece->text) {
        *piece = unknown;
        APR_ARRAY_PUSH(missing, const char *) = id;
    }
    apr_hash_set(pieces, id, APR_HASH_KEY_STRING, piece);
}

/* Takes over what has been loaded meanwhile. */
static void found(identity_call_t *call, const identity_shown_t *shown, apr_hash_t *pieces,
                  identity_shared_kind_t kind, const char *id, piece_t piece)
{
    piece_t *place = apr_hash_get(pieces, id, APR_HASH_KEY_STRING);

    if (!place)
        return;
    *place = piece.text ? piece : too_long;
    if (piece.text)
        identity_shared_keep(call, kind, id, &shown->age, piece.text, piece.length);
}

static piece_t piece_of(identity_writer_t *writer)
{
    piece_t piece;

    piece.text = identity_writer_end(writer, &piece.length);
    return piece;
}

/* ---- accounts and roles ------------------------------------------------------------------------------------------ */

static piece_t account_piece(identity_call_t *call, const identity_account_row_t *account)
{
    identity_writer_t writer;
    size_t length;
    json_t *object = identity_json_own(call->pool, identity_account_json(account));
    const char *text = identity_json_text(call->pool, object, &length);

    identity_writer_begin(&writer, call->pool, length + 300, IDENTITY_ANSWER_MAX);
    identity_write_member(&writer, ",\"account_id\":", account->id);
    identity_write_literal(&writer, ",\"account\":");
    identity_write_raw(&writer, text, length);
    identity_write_raw(&writer, "", 1);
    identity_write_member(&writer, ",\"account_reference\":", account->reference);
    identity_write_member(&writer, ",\"environment\":", account->environment);
    return piece_of(&writer);
}

static bool load_accounts(identity_call_t *call, identity_shown_t *shown,
                          const apr_array_header_t *ids)
{
    apr_array_header_t *rows;

    if (ids->nelts == 0)
        return true;
    if (!identity_db_ok(call, identity_accounts_of(call->db, ids, &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        const identity_account_row_t *account = APR_ARRAY_IDX(rows, i, identity_account_row_t *);
        found(call, shown, shown->accounts, IDENTITY_SHARED_ACCOUNT, account->id,
              account_piece(call, account));
    }
    return true;
}

static bool load_roles(identity_call_t *call, identity_shown_t *shown,
                       const apr_array_header_t *ids)
{
    identity_roles_t *roles;

    if (ids->nelts == 0)
        return true;
    if (!identity_roles_load_shown(call, ids, &roles))
        return false;
    for (int i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        json_t *role = identity_json_own(call->pool, identity_embedded_role_json(call, roles, id));
        piece_t piece;
        piece.text = identity_json_text(call->pool, role, &piece.length);
        /* One that has been deleted meanwhile is not cached. */
        if (!json_is_null(role))
            found(call, shown, shown->roles, IDENTITY_SHARED_ROLE, id, piece);
    }
    return true;
}

/* Collects accounts and roles of these rows. */
static void want_of(identity_call_t *call, const identity_shown_t *shown,
                    const apr_array_header_t *rows, apr_array_header_t *accounts,
                    apr_array_header_t *roles)
{
    for (int i = 0; i < rows->nelts; i++) {
        const identity_membership_shown_t *row =
            APR_ARRAY_IDX(rows, i, identity_membership_shown_t *);
        want(call, shown->accounts, IDENTITY_SHARED_ACCOUNT, row->account_id, accounts);
        if (row->role_id)
            want(call, shown->roles, IDENTITY_SHARED_ROLE, row->role_id, roles);
    }
}

/* ---- memberships ------------------------------------------------------------------------------------------------- */

typedef identity_membership_shown_t row_t;

/* Rows of one owner are adjacent: owner -> its first row, a pointer into their array. */
static apr_hash_t *firsts_of(apr_pool_t *pool, const apr_array_header_t *rows,
                             const char *(*owner_of)(const void *))
{
    apr_hash_t *firsts = apr_hash_make(pool);
    const void **all = (const void **)rows->elts;

    for (int i = 0; i < rows->nelts; i++)
        if (i == 0 || strcmp(owner_of(all[i]), owner_of(all[i - 1])) != 0)
            apr_hash_set(firsts, owner_of(all[i]), APR_HASH_KEY_STRING, &all[i]);
    return firsts;
}

static const char *owner_of_membership(const void *row)
{
    return ((const row_t *)row)->owner_id;
}

static void write_roles(identity_writer_t *writer, const identity_shown_t *shown, row_t **row,
                        row_t **next)
{
    identity_write_literal(writer, ",\"roles\":[");
    for (row_t **at = row; at < next && (*at)->role_id; at++) {
        if (at > row)
            identity_write_literal(writer, ",");
        write_piece(writer, apr_hash_get(shown->roles, (*at)->role_id, APR_HASH_KEY_STRING));
    }
    identity_write_literal(writer, "]");
}

/* A membership has a row for each of its roles. */
static void write_membership(identity_writer_t *writer, const identity_shown_t *shown, row_t **row,
                             row_t **next)
{
    const piece_t *account = apr_hash_get(shown->accounts, (*row)->account_id, APR_HASH_KEY_STRING);

    identity_write_literal(writer, "{\"object_type\":\"MEMBERSHIP\"");
    identity_write_member(writer, ",\"id\":", (*row)->id);
    write_half(writer, account, false);
    identity_write_member(writer, ",\"type\":", identity_member_type_name((*row)->type));
    identity_write_literal(writer, ",\"role_ids\":[");
    for (row_t **at = row; at < next && (*at)->role_id; at++)
        identity_write_member(writer, at > row ? "," : "", (*at)->role_id);
    identity_write_literal(writer, "]");
    write_half(writer, account, true);
    write_roles(writer, shown, row, next);
    identity_write_literal(writer, "}");
}

/* first: the owner's first row, or NULL. Memberships in an account that was deleted meanwhile are omitted. */
static void write_memberships(identity_writer_t *writer, const identity_shown_t *shown,
                              const apr_array_header_t *rows, row_t **first)
{
    row_t **end = (row_t **)rows->elts + rows->nelts, **next;
    const char *separator = "";

    identity_write_literal(writer, "[");
    for (row_t **row = first; row && row < end && strcmp((*row)->owner_id, (*first)->owner_id) == 0;
         row = next) {
        const piece_t *account =
            apr_hash_get(shown->accounts, (*row)->account_id, APR_HASH_KEY_STRING);
        for (next = row + 1; next < end && strcmp((*next)->id, (*row)->id) == 0;)
            next++;
        if (account->text == unknown.text)
            continue;
        identity_write_raw(writer, separator, strlen(separator));
        write_membership(writer, shown, row, next);
        separator = ",";
    }
    identity_write_literal(writer, "]");
}

/* ---- teams ------------------------------------------------------------------------------------------------------- */

static const char *owner_of_member(const void *row)
{
    return ((const identity_team_member_row_t *)row)->owner_id;
}

static void write_teams(identity_writer_t *writer, const identity_shown_t *shown,
                        const apr_array_header_t *rows, identity_team_member_row_t **first)
{
    identity_team_member_row_t **end = (identity_team_member_row_t **)rows->elts + rows->nelts,
                               **row = first;

    identity_write_literal(writer, "[");
    for (; row && row < end && strcmp((*row)->owner_id, (*first)->owner_id) == 0; row++) {
        identity_write_member(writer,
                              row > first ? ",{\"team_id\":" : "{\"team_id\":", (*row)->team_id);
        identity_write_literal(writer, ",\"start_at\":");
        identity_write_time(writer, (*row)->start_at);
        identity_write_literal(writer, ",\"end_at\":");
        identity_write_time(writer, (*row)->end_at);
        identity_write_literal(writer, ",\"account_memberships\":");
        write_piece(writer, apr_hash_get(shown->teams, (*row)->team_id, APR_HASH_KEY_STRING));
        identity_write_literal(writer, "}");
    }
    identity_write_literal(writer, "]");
}

/* What the teams grant. */
static void finish_teams(identity_call_t *call, const identity_shown_t *shown,
                         const apr_array_header_t *ids, const apr_array_header_t *rows)
{
    apr_hash_t *firsts = firsts_of(call->pool, rows, owner_of_membership);

    for (int i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        identity_writer_t writer;
        identity_writer_begin(&writer, call->pool, IDENTITY_SHOWN_LENGTH, IDENTITY_ANSWER_MAX);
        write_memberships(&writer, shown, rows, apr_hash_get(firsts, id, APR_HASH_KEY_STRING));
        found(call, shown, shown->teams, IDENTITY_SHARED_TEAM, id, piece_of(&writer));
    }
}

/* Loads everything that the rows of users refer to and the cache lacks. */
static bool load_parts(identity_call_t *call, identity_shown_t *shown,
                       const apr_array_header_t *memberships, const apr_array_header_t *members)
{
    apr_array_header_t *teams = apr_array_make(call->pool, 4, sizeof(const char *)),
                       *of_teams = NULL,
                       *accounts = apr_array_make(call->pool, 4, sizeof(const char *)),
                       *roles = apr_array_make(call->pool, 4, sizeof(const char *));

    for (int i = 0; i < members->nelts; i++)
        want(call, shown->teams, IDENTITY_SHARED_TEAM,
             APR_ARRAY_IDX(members, i, identity_team_member_row_t *)->team_id, teams);
    if (teams->nelts && !identity_db_ok(call, identity_memberships_shown(
                                                  call->db, IDENTITY_OWNER_TEAM, teams, &of_teams)))
        return false;
    want_of(call, shown, memberships, accounts, roles);
    if (of_teams)
        want_of(call, shown, of_teams, accounts, roles);
    if (!load_accounts(call, shown, accounts) || !load_roles(call, shown, roles))
        return false;
    if (of_teams)
        finish_teams(call, shown, teams, of_teams);
    return true;
}

/* ---- users ------------------------------------------------------------------------------------------------------- */

static void finish_users(identity_call_t *call, identity_shown_t *shown,
                         const apr_array_header_t *ids, const apr_array_header_t *memberships,
                         const apr_array_header_t *members)
{
    apr_hash_t *firsts = firsts_of(call->pool, memberships, owner_of_membership),
               *first_members = firsts_of(call->pool, members, owner_of_member);

    for (int i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        identity_writer_t writer;
        identity_writer_begin(&writer, call->pool, IDENTITY_SHOWN_LENGTH, IDENTITY_ANSWER_MAX);
        write_memberships(&writer, shown, memberships,
                          apr_hash_get(firsts, id, APR_HASH_KEY_STRING));
        identity_write_raw(&writer, "", 1);
        write_teams(&writer, shown, members, apr_hash_get(first_members, id, APR_HASH_KEY_STRING));
        shown->age.ids[1] = id;
        found(call, shown, shown->users, IDENTITY_SHARED_ASSIGNMENTS, id, piece_of(&writer));
    }
}

static bool load_users(identity_call_t *call, identity_shown_t *shown,
                       const apr_array_header_t *ids)
{
    apr_array_header_t *memberships, *members;

    if (ids->nelts == 0)
        return true;
    if (!identity_db_ok(
            call, identity_memberships_shown(call->db, IDENTITY_OWNER_USER, ids, &memberships)) ||
        !identity_db_ok(call, identity_team_members_shown(call->db, ids, &members)) ||
        !load_parts(call, shown, memberships, members))
        return false;
    finish_users(call, shown, ids, memberships, members);
    return true;
}

bool identity_shown_load(identity_call_t *call, const apr_array_header_t *user_ids,
                         apr_int64_t sequence, identity_shown_t **shown)
{
    identity_shown_t *made = apr_pcalloc(call->pool, sizeof *made);
    apr_array_header_t *missing = apr_array_make(call->pool, 4, sizeof(const char *));

    *shown = made;
    made->users = apr_hash_make(call->pool);
    made->roles = apr_hash_make(call->pool);
    made->accounts = apr_hash_make(call->pool);
    made->teams = apr_hash_make(call->pool);
    if (user_ids->nelts == 0)
        return true;
    if (!identity_shared_begin(call, sequence, &made->age))
        return false;
    made->age.ids[0] = call->principal->entity_id;
    made->age.lasts = LASTS;
    for (int i = 0; i < user_ids->nelts; i++)
        want(call, made->users, IDENTITY_SHARED_ASSIGNMENTS,
             APR_ARRAY_IDX(user_ids, i, const char *), missing);
    return load_users(call, made, missing);
}

void identity_shown_begin(identity_call_t *call, identity_writer_t *writer, int users)
{
    identity_writer_begin(writer, call->pool, (size_t)(users + 1) * IDENTITY_SHOWN_LENGTH,
                          IDENTITY_ANSWER_MAX);
}

void identity_shown_memberships(identity_writer_t *writer, const identity_shown_t *shown,
                                const char *user_id)
{
    write_half(writer, apr_hash_get(shown->users, user_id, APR_HASH_KEY_STRING), false);
}

void identity_shown_teams(identity_writer_t *writer, const identity_shown_t *shown,
                          const char *user_id)
{
    write_half(writer, apr_hash_get(shown->users, user_id, APR_HASH_KEY_STRING), true);
}

static void write_boolean(identity_writer_t *writer, bool value)
{
    identity_write_raw(writer, value ? "true" : "false", value ? 4 : 5);
}

void identity_shown_user(identity_call_t *call, identity_writer_t *writer,
                         const identity_shown_t *shown, const identity_user_row_t *user)
{
    identity_write_literal(writer, "{\"object_type\":\"USER\"");
    identity_write_member(writer, ",\"id\":", user->id);
    identity_write_member(writer, ",\"entity_id\":", call->principal->entity_id);
    identity_write_literal(writer, ",\"created_at\":");
    identity_write_time(writer, user->created_at);
    identity_write_member(writer, ",\"status\":", identity_user_status_name(user->status));
    identity_write_member(writer, ",\"username\":", user->username);
    identity_write_literal(writer, ",\"password\":null,\"invite_expired\":");
    if (user->invite_expires_at)
        write_boolean(writer, user->invite_expires_at <= call->now);
    else
        identity_write_literal(writer, "null");
    identity_write_literal(writer, ",\"active\":");
    write_boolean(writer, user->status == IDENTITY_USER_ACTIVE);
    identity_write_literal(writer, ",\"account_memberships\":");
    identity_shown_memberships(writer, shown, user->id);
    identity_write_literal(writer, ",\"team_memberships\":");
    identity_shown_teams(writer, shown, user->id);
    if (user->login)
        identity_write_member(writer, ",\"login\":", user->login);
    if (identity_change_pending(call, user))
        identity_write_member(writer, ",\"pending_username\":", user->pending_username);
    if (user->deleted_at) {
        identity_write_literal(writer, ",\"deleted_at\":");
        identity_write_time(writer, user->deleted_at);
    }
    identity_write_literal(writer, "}");
}
