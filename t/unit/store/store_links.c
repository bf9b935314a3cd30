/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, invitations, the secrets of mailed links, sessions, refresh tokens, aliases, providers, audit: every column
 * comes back as it went, and every guarded change says what became of it. */
#include "store_fixture.h"

static identity_db_t *db;
static const char *user, *account, *role;

#define SAME(field)  is_str(read->field, row.field, #field)
#define EQUAL(field) ok(read->field == row.field, #field)

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static identity_db_status_t add_key(const identity_key_row_t *row, const apr_array_header_t *permissions)
{
    must(identity_db_begin(db, true), "begin");
    identity_db_status_t status = identity_key_insert(db, row, permissions);
    must(identity_db_commit(db), "commit");
    return status;
}

static void test_keys(void)
{
    identity_key_row_t row = {.id = id("apik", 1),
                              .entity_id = ENTITY,
                              .digest = "0123456789abcdef",
                              .mask = "idk_...a1B2",
                              .description = "for the shop",
                              .sealed = "c2VhbGVk",
                              .created_by = user,
                              .active = true,
                              .narrowed = true,
                              .role_type = IDENTITY_KEY_READ_ONLY,
                              .created_at = NOW + 1,
                              .expires_at = NOW + 2,
                              .last_used_at = NOW + 3,
                              .version = 4},
                       bare = {.id = id("apik", 2),
                               .entity_id = ENTITY,
                               .digest = "fedcba",
                               .mask = "",
                               .created_by = "",
                               .role_type = IDENTITY_KEY_ADMINISTRATOR},
                       *read;
    apr_array_header_t *rows;

    is_int(add_key(&row, ids_of(2, "B.VIEW", "A.VIEW")), IDENTITY_DB_OK, "a key");
    is_int(add_key(&row, NULL), IDENTITY_DB_CONFLICT, "is one only once");
    must(add_key(&bare, NULL), "another");
    must(identity_key_get(db, row.id, &read), "get");
    SAME(id), SAME(entity_id), SAME(digest), SAME(mask), SAME(description), SAME(sealed), SAME(created_by);
    EQUAL(active), EQUAL(narrowed), EQUAL(role_type), EQUAL(created_at), EQUAL(expires_at), EQUAL(last_used_at);
    EQUAL(version);
    must(identity_key_get(db, bare.id, &read), "get");
    is_str(read->description, NULL, "no description");
    is_str(read->sealed, NULL, "not sealed");
    ok(!read->active && !read->narrowed && read->role_type == IDENTITY_KEY_ADMINISTRATOR,
       "inactive, whole, administrator");
    is_int(identity_key_get(db, id("apik", 3), &read), IDENTITY_DB_NONE, "an unknown key is NONE");
    must(identity_key_permissions(db, ids_of(2, row.id, bare.id), &rows), "permissions");
    is_int(rows->nelts, 2, "permissions of keys");
    is_str(APR_ARRAY_IDX(rows, 0, identity_role_permission_row_t *)->permission, "A.VIEW", "a name");
    is_str(APR_ARRAY_IDX(rows, 0, identity_role_permission_row_t *)->role_id, row.id, "with its key");
    must(identity_key_touch(db, row.id, NOW + 60), "touch");
    must(identity_key_touch(db, row.id, NOW + 50), "touch by one who is late");
    must(identity_key_get(db, row.id, &read), "get");
    ok(read->last_used_at == NOW + 60, "the last use is the latest");
}

static identity_db_status_t change_key(identity_key_row_t *row, const apr_array_header_t *permissions)
{
    must(identity_db_begin(db, true), "begin");
    identity_db_status_t status = identity_key_update(db, row, permissions);
    must(identity_db_commit(db), "commit");
    return status;
}

static void test_key_changes(void)
{
    identity_key_row_t *read, row, late;
    apr_array_header_t *rows;

    is_int(identity_key_find(db, OTHER, id("apik", 1), &read), IDENTITY_DB_NONE, "not another entity's key");
    must(identity_key_find(db, ENTITY, id("apik", 1), &read), "find");
    row = late = *read;
    row.description = NULL;
    row.active = row.narrowed = false;
    row.role_type = IDENTITY_KEY_ADMINISTRATOR;
    row.expires_at = 0;
    is_int(identity_key_update(db, &row, NULL), IDENTITY_DB_FAILED, "outside of a write transaction no key is changed");
    must(change_key(&row, ids_of(0)), "change");
    is_int(row.version, 5, "its version moves on");
    must(identity_key_find(db, ENTITY, row.id, &read), "find");
    EQUAL(active), EQUAL(narrowed), EQUAL(role_type), EQUAL(expires_at), EQUAL(version);
    SAME(description), SAME(digest), SAME(mask), SAME(sealed);
    must(identity_key_permissions(db, ids_of(1, row.id), &rows), "permissions");
    is_int(rows->nelts, 0, "an empty list clears them");
    must(change_key(&row, ids_of(2, "C.VIEW", "B.VIEW")), "change");
    must(change_key(&row, NULL), "change");
    must(identity_key_permissions(db, ids_of(1, row.id), &rows), "permissions");
    is_int(rows->nelts, 2, "without a list they stay");
    is_int(change_key(&late, ids_of(0)), IDENTITY_DB_NONE, "who has read an older version changes nothing");
    late.version = row.version;
    late.entity_id = OTHER;
    is_int(change_key(&late, ids_of(0)), IDENTITY_DB_NONE, "nor another entity");
    must(identity_key_permissions(db, ids_of(1, row.id), &rows), "permissions");
    is_int(rows->nelts, 2, "... not even what belongs to it");
}

/* ---- invitations ------------------------------------------------------------------------------------------------ */

static void test_renewal(identity_invitation_row_t *newer)
{
    identity_invitation_row_t *read, closed = *newer;

    newer->invited_by = "";
    newer->modified_at = newer->sent_at = NOW + 9;
    newer->expires_at = NOW + 10;
    is_int(identity_invitation_renew(db, newer), IDENTITY_DB_FAILED, "none is sent again without a transaction");
    identity_db_rollback(db);
    must(identity_db_begin(db, true), "begin");
    is_int(identity_invitation_renew(db, newer), IDENTITY_DB_OK, "one is sent again");
    must(identity_db_commit(db), "commit");
    must(identity_invitation_get(db, ENTITY, newer->id, &read), "get");
    is_str(text("%s %d %d %d", read->invited_by, (int)(read->modified_at - NOW), (int)(read->sent_at - NOW),
                (int)(read->expires_at - NOW)),
           " 9 9 10", "by whom, then, until when");
    closed.id = text("%032X", 99);
    must(identity_db_begin(db, true), "begin");
    is_int(identity_invitation_renew(db, &closed), IDENTITY_DB_NONE, "one that is not open is not");
    must(identity_db_commit(db), "commit");
}

static void test_invitations(void)
{
    identity_invitation_row_t row = {.id = "0123456789ABCDEF0123456789ABCDEF",
                                     .entity_id = ENTITY,
                                     .user_id = user,
                                     .email = "Ada@Example.org",
                                     .canonical = "ada@example.org",
                                     .account_id = account,
                                     .role_id = role,
                                     .state = IDENTITY_INVITATION_INVITED,
                                     .invited_by = id("apik", 1),
                                     .adds = true,
                                     .created_at = NOW + 1,
                                     .modified_at = NOW + 2,
                                     .expires_at = NOW + 3,
                                     .sent_at = NOW + 4},
                              *read;

    is_int(identity_invitation_open(db, user, &read), IDENTITY_DB_NONE, "nobody is invited");
    is_int(identity_invitation_insert(db, &row), IDENTITY_DB_OK, "an invitation");
    must(identity_invitation_get(db, ENTITY, row.id, &read), "get");
    SAME(id), SAME(entity_id), SAME(user_id), SAME(email), SAME(account_id), SAME(role_id), SAME(invited_by);
    EQUAL(state), EQUAL(adds), EQUAL(created_at), EQUAL(modified_at), EQUAL(expires_at), EQUAL(sent_at);
    is_str(read->role_slug, sql_value(db, text("SELECT slug FROM roles WHERE id = '%s'", role)),
           "with the role's slug");
    is_str(sql_value(db, "SELECT canonical FROM invitations"), "ada@example.org", "and the canonical address");
    ok(!read->superseded, "nothing took its place");
    is_int(identity_invitation_state(read, row.expires_at - 1), IDENTITY_INVITATION_INVITED, "it is open");
    is_int(identity_invitation_state(read, row.expires_at), IDENTITY_INVITATION_EXPIRED, "until it expires");
    is_int(identity_invitation_get(db, OTHER, row.id, &read), IDENTITY_DB_NONE, "not for another entity");
    identity_invitation_row_t *newer = add_invitation(db, 2, user, NOW + 9);
    add_invitation(db, 3, user, NOW + 5);
    must(identity_invitation_open(db, user, &read), "open");
    is_str(read->id, newer->id, "the newest is the open one");
    is_str(read->account_id, NULL, "without an account");
    is_str(read->role_id, NULL, "or a role");
    ok(!read->adds, "of somebody new");

    test_renewal(newer);
    is_int(identity_invitation_close(db, newer->id, IDENTITY_INVITATION_REVOKED, NOW + 10), IDENTITY_DB_OK, "revoked");
    is_int(identity_invitation_close(db, newer->id, IDENTITY_INVITATION_ACCEPTED, NOW + 11), IDENTITY_DB_NONE,
           "it is not accepted then");
    must(identity_invitation_get(db, ENTITY, newer->id, &read), "get");
    is_int(read->state, IDENTITY_INVITATION_REVOKED, "but stays revoked");
    ok(read->modified_at == NOW + 10, "since then");
    must(identity_invitation_open(db, user, &read), "open");
    is_str(read->id, text("%032X", 3), "an older one is open");
    is_int(identity_invitation_close(db, read->id, IDENTITY_INVITATION_ACCEPTED, NOW), IDENTITY_DB_OK, "accepted");
    must(identity_invitation_get(db, ENTITY, read->id, &read), "get");
    is_int(read->state, IDENTITY_INVITATION_ACCEPTED, "it stays so");
    is_int(identity_invitation_close(db, "none", IDENTITY_INVITATION_REVOKED, NOW), IDENTITY_DB_NONE, "none is NONE");
}

/* ---- secrets ---------------------------------------------------------------------------------------------------- */

static void add_secret(const char *digest, identity_secret_kind_t kind)
{
    must(identity_secret_insert(
             db,
             &(identity_secret_row_t){
                 .digest = digest, .kind = kind, .user_id = user, .created_at = NOW, .expires_at = NOW + HOUR}),
         "secret");
}

static apr_time_t ended_at(const char *digest, identity_secret_kind_t kind)
{
    identity_secret_row_t *read;

    must(identity_secret_get(db, digest, kind, &read), "secret");
    return read->ended_at;
}

static void test_secrets(void)
{
    identity_secret_row_t row = {.digest = "d1",
                                 .kind = IDENTITY_SECRET_INVITE,
                                 .user_id = user,
                                 .invitation_id = text("%032X", 2),
                                 .created_at = NOW + 1,
                                 .expires_at = NOW + 2},
                          *read;

    is_int(identity_secret_insert(db, &row), IDENTITY_DB_OK, "a secret");
    is_int(identity_secret_insert(db, &row), IDENTITY_DB_CONFLICT, "is one only once");
    must(identity_secret_get(db, "d1", IDENTITY_SECRET_INVITE, &read), "get");
    SAME(digest), SAME(user_id), SAME(invitation_id);
    EQUAL(kind), EQUAL(created_at), EQUAL(expires_at), EQUAL(ended_at);
    is_int(identity_secret_get(db, "d1", IDENTITY_SECRET_RESET, &read), IDENTITY_DB_NONE, "of its kind only");
    is_int(identity_secret_spend(db, "d1", NOW + 3), IDENTITY_DB_OK, "it is spent");
    is_int(identity_secret_spend(db, "d1", NOW + 4), IDENTITY_DB_NONE, "once");
    ok(ended_at("d1", IDENTITY_SECRET_INVITE) == NOW + 3, "at that time");
    is_int(identity_secret_spend(db, "none", NOW), IDENTITY_DB_NONE, "an unknown one is NONE");

    add_secret("d2", IDENTITY_SECRET_INVITE);
    add_secret("d3", IDENTITY_SECRET_RESET);
    add_secret("d4", IDENTITY_SECRET_RESET);
    is_int(identity_secrets_end(db, user, IDENTITY_SECRET_RESET, NOW + 5), IDENTITY_DB_OK, "all of a kind end");
    ok(ended_at("d3", IDENTITY_SECRET_RESET) == NOW + 5 && ended_at("d4", IDENTITY_SECRET_RESET) == NOW + 5, "both");
    ok(ended_at("d2", IDENTITY_SECRET_INVITE) == 0, "not those of another kind");
    is_int(identity_secret_spend(db, "d3", NOW + 6), IDENTITY_DB_NONE, "they cannot be spent");
    is_int(identity_secrets_end(db, user, IDENTITY_SECRET_RESET, NOW + 7), IDENTITY_DB_OK, "nothing to end is well");
    ok(ended_at("d3", IDENTITY_SECRET_RESET) == NOW + 5, "and changes nothing");
    must(identity_secret_get(db, "d3", IDENTITY_SECRET_RESET, &read), "get");
    is_str(read->invitation_id, NULL, "a reset has no invitation");
}

/* ---- sessions and refresh tokens -------------------------------------------------------------------------------- */

static identity_session_row_t session_row(int number)
{
    return (identity_session_row_t){.id = id("sess", number),
                                    .entity_id = ENTITY,
                                    .user_id = user,
                                    .method = "password",
                                    .client_address = "192.0.2.1",
                                    .user_agent = "a browser",
                                    .created_at = NOW + 1,
                                    .authenticated_at = NOW + 2,
                                    .idle_expires_at = NOW + 3,
                                    .expires_at = NOW + 4,
                                    .ended_at = 0};
}

static apr_time_t session_end(int number)
{
    identity_session_row_t *session;
    identity_user_row_t *of;

    must(identity_session_get(db, id("sess", number), &session, &of), "session");
    return session->ended_at;
}

static void test_sessions(void)
{
    identity_session_row_t row = session_row(1), more = session_row(2), third = session_row(3), *read;
    identity_user_row_t *of;

    is_int(identity_session_insert(db, &row), IDENTITY_DB_OK, "a session");
    is_int(identity_session_insert(db, &row), IDENTITY_DB_CONFLICT, "is one only once");
    must(identity_session_get(db, row.id, &read, &of), "get");
    SAME(id), SAME(entity_id), SAME(user_id), SAME(method), SAME(client_address), SAME(user_agent);
    EQUAL(created_at), EQUAL(authenticated_at), EQUAL(idle_expires_at), EQUAL(expires_at), EQUAL(ended_at);
    is_str(of->id, user, "with its user: id");
    is_str(of->username, "ada@example.org", "username");
    is_int(of->status, IDENTITY_USER_ACTIVE, "status");
    is_int(of->version, 1, "version");
    is_int(identity_session_get(db, "sess_x", &read, &of), IDENTITY_DB_NONE, "an unknown one is NONE");
    ok(!read && !of, "and nothing");
    is_int(identity_session_touch(db, row.id, NOW + 9), IDENTITY_DB_OK, "its idle time moves");
    must(identity_session_get(db, row.id, &read, &of), "get");
    ok(read->idle_expires_at == NOW + 9, "to the new one");
    is_int(written(identity_session_end(db, row.id, NOW + 10)), IDENTITY_DB_OK, "it ends");
    is_int(written(identity_session_end(db, row.id, NOW + 11)), IDENTITY_DB_NONE, "once");
    ok(session_end(1) == NOW + 10, "at that time");
    is_int(identity_session_touch(db, row.id, NOW + 12), IDENTITY_DB_NONE, "and moves no more");

    must(identity_session_insert(db, &more), "session");
    must(identity_session_insert(db, &third), "session");
    is_int(written(identity_sessions_end(db, user, more.id, NOW + 20)), IDENTITY_DB_OK, "all but one end");
    ok(session_end(2) == 0, "that one lives");
    ok(session_end(3) == NOW + 20 && session_end(1) == NOW + 10, "the others ended, each in its time");
    is_int(written(identity_sessions_end(db, user, NULL, NOW + 30)), IDENTITY_DB_OK, "all end");
    ok(session_end(2) == NOW + 30, "that one too");
    is_int(written(identity_sessions_end(db, "user_x", NULL, NOW)), IDENTITY_DB_OK, "none to end is well");
}

/* Of another user: newest first, without those that ended or whose time is up. */
static void test_live_sessions(void)
{
    const char *other = add_user(db, ENTITY, 9, "sessions@example.org", IDENTITY_USER_ACTIVE)->id;
    apr_array_header_t *rows;
    apr_int64_t count;
    int ended;

    for (int i = 0; i < 6; i++) {
        identity_session_row_t row = session_row(90 + i);
        row.user_id = other;
        row.created_at = NOW + i;
        row.idle_expires_at = i == 1 ? NOW : NOW + HOUR;
        row.expires_at = i == 2 ? NOW : NOW + HOUR;
        row.ended_at = i == 3 ? NOW : 0;
        must(identity_session_insert(db, &row), "session");
    }
    must(identity_sessions_live(db, other, NOW, 10, &rows), "live");
    is_int(rows->nelts, 3, "three are live");
    is_str(APR_ARRAY_IDX(rows, 0, identity_session_row_t *)->id, id("sess", 95), "the newest first");
    is_str(APR_ARRAY_IDX(rows, 2, identity_session_row_t *)->id, id("sess", 90), "the oldest last");
    must(identity_sessions_live(db, other, NOW, 2, &rows), "live");
    is_int(rows->nelts, 2, "no more than are asked for");
    must(identity_sessions_count(db, other, 10, &count), "count");
    is_int(count, 5, "five have not ended");
    must(identity_sessions_count(db, other, 4, &count), "count");
    is_int(count, 4, "counted so far and no further");
    must(identity_sessions_expire(db, other, NOW), "expire");
    must(identity_sessions_count(db, other, 10, &count), "count");
    is_int(count, 3, "two whose time was up have ended now");
    must(written(identity_sessions_trim(db, other, 2, NOW + 1, &ended)), "trim");
    is_int(ended, 1, "one too many");
    ok(session_end(90) == NOW + 1 && session_end(94) == 0 && session_end(95) == 0, "the oldest");
    must(written(identity_sessions_trim(db, other, 2, NOW + 2, &ended)), "trim");
    is_int(ended, 0, "no further");
    sql(db, text("DELETE FROM sessions WHERE user_id = '%s'", other));
}

static void test_refresh(void)
{
    identity_refresh_row_t row = {.digest = "r1", .session_id = id("sess", 2), .nonce = "", .created_at = NOW + 1},
                           *read;

    is_int(identity_refresh_insert(db, &row), IDENTITY_DB_OK, "a refresh token");
    is_int(identity_refresh_insert(db, &row), IDENTITY_DB_CONFLICT, "is one only once");
    must(identity_refresh_get(db, "r1", &read), "get");
    SAME(digest), SAME(session_id), SAME(nonce);
    EQUAL(created_at), EQUAL(spent_at);
    is_int(identity_refresh_spend(db, "r1", "nonce-1", NOW + 2), IDENTITY_DB_OK, "it is spent");
    is_int(identity_refresh_spend(db, "r1", "nonce-2", NOW + 3), IDENTITY_DB_NONE, "once");
    must(identity_refresh_get(db, "r1", &read), "get");
    is_str(read->nonce, "nonce-1", "by the first");
    ok(read->spent_at == NOW + 2, "at that time");
    is_int(identity_refresh_spend(db, "none", "n", NOW), IDENTITY_DB_NONE, "an unknown one is NONE");
    is_int(identity_refresh_get(db, "none", &read), IDENTITY_DB_NONE, "and not found");
}

static void test_aliases(void)
{
    identity_alias_row_t row = {.id = id("alia", 1),
                                .digest = "a1",
                                .user_id = user,
                                .entity_id = ENTITY,
                                .description = "kiosk",
                                .username = "ada@example.org",
                                .created_at = NOW + 1,
                                .expires_at = NOW + 2,
                                .last_used_at = NOW + 3},
                         more = row, *read;
    apr_array_header_t *rows;

    is_int(identity_alias_insert(db, &row), IDENTITY_DB_OK, "an alias");
    more.id = id("alia", 2);
    is_int(identity_alias_insert(db, &more), IDENTITY_DB_CONFLICT, "a digest is one only once");
    more.digest = "a2";
    more.created_at++;
    must(identity_alias_insert(db, &more), "another");
    must(identity_alias_get(db, "a1", &read), "get");
    SAME(id), SAME(digest), SAME(user_id), SAME(entity_id), SAME(description), SAME(username);
    EQUAL(created_at), EQUAL(expires_at), EQUAL(last_used_at);
    is_int(identity_alias_get(db, "none", &read), IDENTITY_DB_NONE, "an unknown one is NONE");
    is_int(identity_alias_touch(db, row.id, NOW + 9), IDENTITY_DB_OK, "used");
    must(identity_alias_get(db, "a1", &read), "get");
    ok(read->last_used_at == NOW + 9, "then");
    must(identity_aliases_list(db, ENTITY, &rows), "list");
    is_int(rows->nelts, 2, "all of an entity");
    is_str(APR_ARRAY_IDX(rows, 0, identity_alias_row_t *)->id, more.id, "the newest first");
    is_str(APR_ARRAY_IDX(rows, 1, identity_alias_row_t *)->username, "ada@example.org", "with the name");
    must(identity_aliases_list(db, OTHER, &rows), "list");
    is_int(rows->nelts, 0, "none of another");
}

static void test_audit(void)
{
    static const char *const columns[] = {
        "id",        "entity_id",          "user_id", "target_entity_id", "target_platform_id", "target_resource_type",
        "target_id", "target_environment", "action",  "message",          "reference",          "idempotency_key",
        "created_at"};
    identity_audit_row_t row = {.id = "audi_1",
                                .entity_id = "enti_1",
                                .user_id = "user_1",
                                .target_entity_id = "enti_2",
                                .target_platform_id = "plat_1",
                                .target_resource_type = "USER",
                                .target_id = "user_2",
                                .target_environment = "LIVE",
                                .action = "INVITE",
                                .message = "text",
                                .reference = "reqr_1",
                                .idempotency_key = "idem_1",
                                .created_at = NOW,
                                .actor_name = "Ada",
                                .target_name = "Grace",
                                .client_address = "192.0.2.1",
                                .user_agent = "curl",
                                .changes = "[1]"},
                         bare = {.id = "audi_2",
                                 .entity_id = "",
                                 .user_id = "",
                                 .target_resource_type = "SESSION",
                                 .action = "LOGIN_FAILED",
                                 .message = ""};
    const char *const values[] = {"audi_1",
                                  "enti_1",
                                  "user_1",
                                  "enti_2",
                                  "plat_1",
                                  "USER",
                                  "user_2",
                                  "LIVE",
                                  "INVITE",
                                  "text",
                                  "reqr_1",
                                  "idem_1",
                                  text("%" APR_TIME_T_FMT, NOW)};

    is_int(identity_audit_insert(db, &row), IDENTITY_DB_OK, "an audit record of what is not there any more");
    for (int i = 0; i < 13; i++)
        is_str(sql_value(db, text("SELECT %s FROM audit_records WHERE id = 'audi_1'", columns[i])), values[i], "%s",
               columns[i]);
    is_str(sql_value(db, "SELECT actor_name || ' ' || target_name || ' ' || client_address || ' ' || user_agent || ' ' "
                         "|| changes FROM audit_details WHERE record_id = 'audi_1'"),
           "Ada Grace 192.0.2.1 curl [1]", "M18: what is personal stands in a row of its own");
    is_str(sql_value(db, "SELECT client_address FROM audit_records WHERE id = 'audi_1'"), "", "M18: and nowhere else");
    is_int(identity_audit_insert(db, &bare), IDENTITY_DB_OK, "and of nobody");
    is_str(sql_value(db, "SELECT COUNT(*) FROM audit_records WHERE id = 'audi_2' AND target_entity_id IS NULL AND "
                         "target_platform_id IS NULL AND target_id IS NULL AND target_environment IS NULL AND "
                         "reference IS NULL AND idempotency_key IS NULL"),
           "1", "with nothing where there is nothing");
}

/* The environment is that of the account, where nothing else is said. */
static void test_audit_environment(void)
{
    identity_audit_row_t row = {.id = "audi_3",
                                .entity_id = ENTITY,
                                .user_id = user,
                                .target_entity_id = ENTITY,
                                .target_platform_id = account,
                                .target_resource_type = "USER",
                                .target_id = user,
                                .action = "X",
                                .message = "",
                                .idempotency_key = "client1",
                                .created_at = NOW + 1,
                                .client_address = "192.0.2.1",
                                .user_agent = "curl",
                                .changes = "[1]"},
                         *read;

    must(identity_audit_insert(db, &row), "insert");
    must(identity_audit_get(db, ENTITY, "audi_3", &read), "get");
    SAME(id), SAME(entity_id), SAME(user_id), SAME(target_entity_id), SAME(target_platform_id), SAME(target_id);
    SAME(target_resource_type), SAME(action), SAME(message), SAME(reference), SAME(idempotency_key);
    SAME(client_address), SAME(user_agent), SAME(changes);
    EQUAL(created_at);
    const char *name = sql_value(db, text("SELECT username FROM users WHERE id = '%s'", user));
    is_str(read->actor_name, name, "M18: the name of who acted, looked up");
    is_str(read->target_name, name, "M18: ... and of what it was done to");
    sql(db, "DELETE FROM audit_details WHERE record_id = 'audi_3'");
    must(identity_audit_get(db, ENTITY, "audi_3", &read), "get");
    is_str(
        text("%s%s%s%s%s", read->actor_name, read->target_name, read->client_address, read->user_agent, read->changes),
        "", "M18: what is personal can be erased while the record stays");
    is_str(read->target_environment, "LIVE", "the account's environment");
    is_int(identity_audit_get(db, OTHER, "audi_3", &read), IDENTITY_DB_NONE, "not of another entity");
    must(identity_audit_get(db, "enti_1", "audi_1", &read), "get");
    is_str(read->target_environment, "LIVE", "one that was given");
    sql(db, "DELETE FROM audit_records WHERE id = 'audi_3'");
}

static void test_providers(void)
{
    identity_provider_row_t row = {.id = id("auth", 1),
                                   .entity_id = ENTITY,
                                   .type = "SSO",
                                   .name = "Work",
                                   .status = "ENABLED",
                                   .variant = "OIDC",
                                   .issuer = "https://login.example.org",
                                   .client_id = "client",
                                   .settings = "{\"allowed_domains\":[]}",
                                   .created_at = NOW,
                                   .version = 3},
                            *read, stale;

    is_int(identity_provider_insert(db, &row), IDENTITY_DB_OK, "a provider");
    is_int(identity_provider_insert(db, &row), IDENTITY_DB_CONFLICT, "is one only once");
    must(identity_provider_get(db, ENTITY, row.id, &read), "get");
    SAME(id), SAME(entity_id), SAME(type), SAME(name), SAME(status), SAME(variant), SAME(issuer), SAME(client_id);
    SAME(settings);
    EQUAL(created_at), EQUAL(version);
    is_int(identity_provider_get(db, OTHER, row.id, &read), IDENTITY_DB_NONE, "not of another entity");
    stale = row;
    row.type = "DEFAULT", row.name = "Password", row.status = "DISABLED", row.settings = "{}";
    row.variant = row.issuer = row.client_id = "";
    must(identity_provider_update(db, &row), "update");
    is_int(row.version, 4, "moves on");
    must(identity_provider_get(db, ENTITY, row.id, &read), "get");
    SAME(type), SAME(name), SAME(status), SAME(variant), SAME(issuer), SAME(client_id), SAME(settings);
    EQUAL(version);
    is_int(identity_provider_update(db, &stale), IDENTITY_DB_NONE, "one that somebody else changed is NONE");
    row.entity_id = OTHER;
    is_int(identity_provider_update(db, &row), IDENTITY_DB_NONE, "and so is another entity's");
}

/* What hangs on a user goes with it; what was recorded stays. */
static void test_deletion(void)
{
    must(identity_db_begin(db, true), "begin");
    sql(db, text("DELETE FROM users WHERE id = '%s'", user));
    must(identity_db_commit(db), "commit");
    is_str(sql_value(db, "SELECT (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM refresh_tokens) + "
                         "(SELECT COUNT(*) FROM secrets) + (SELECT COUNT(*) FROM invitations) + "
                         "(SELECT COUNT(*) FROM aliases)"),
           "0", "sessions, tokens, secrets, invitations and aliases go with their user");
    is_str(sql_value(db, "SELECT COUNT(*) FROM audit_records"), "2", "the audit stays");
    is_str(sql_value(db, "SELECT COUNT(*) FROM api_keys"), "2", "keys too");
}

int main(void)
{
    db = fixture_begin();
    user = add_user(db, ENTITY, 1, "ada@example.org", IDENTITY_USER_ACTIVE)->id;
    account = add_account(db, ENTITY, 1);
    role = identity_builtin_role(1)->id;
    test_keys();
    test_key_changes();
    test_invitations();
    test_secrets();
    test_sessions();
    test_live_sessions();
    test_refresh();
    test_aliases();
    test_audit();
    test_audit_environment();
    test_providers();
    test_deletion();
    return fixture_end();
}
