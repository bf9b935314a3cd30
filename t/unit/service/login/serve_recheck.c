/* SPDX-License-Identifier: Apache-2.0 */
/* A caller whose rights go between its authentication and its turn to write: what counts is what it may do then.
 * (security 62) */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

static const char *target, *clerk_id, *role_id;

typedef struct caller {
    bool bearer;
    identity_authentication_t authentication;
} caller_t;

/* As of now; everything that follows is asked with what was found. */
static caller_t caller_of(const char *credential)
{
    caller_t caller = {.bearer = strncmp(credential, "Bearer ", 7) == 0};
    identity_request_t in = {.method = "GET", .path = "/v1/users", .secure = true};

    if (caller.bearer)
        in.headers.authorization = credential;
    else
        in.headers.api_key = credential;
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &caller.authentication);
    if (!caller.authentication.principal)
        bail("nobody");
    return caller;
}

static door_answer_t later(const caller_t *caller, const char *method, const char *path, const char *body)
{
    serve_body_t given = {body, body ? strlen(body) : 0};
    identity_request_t in = {.method = method,
                             .path = path,
                             .headers.authorization = caller->bearer ? "Bearer x" : NULL,
                             .headers.content_type = body ? "application/json" : NULL,
                             .headers.idempotency_key = door->idempotency_key,
                             .secure = true,
                             .has_body = body != NULL,
                             .read_body = body ? serve_read : NULL,
                             .body_context = &given};
    identity_response_t out;
    unsigned long before = identity_db_statements(door->db);

    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_serve(door->pool, &door->env, &in, &caller->authentication, &out);
    door_answer_t answer = {.status = out.status,
                            .content_type = out.content_type,
                            .text = out.body,
                            .length = out.length,
                            .headers = out.headers,
                            .statements = identity_db_statements(door->db) - before};
    answer.json =
        out.body ? identity_json_own(door->pool, json_loadb(out.body, out.length, JSON_DECODE_ANY, NULL)) : NULL;
    return answer;
}

static door_answer_t gives(const caller_t *caller)
{
    change(text("DELETE FROM memberships WHERE user_id = '%s'", target));
    return later(caller, "POST", text("/v1/users/%s/memberships", target),
                 member(door->account_id, "USER", named("Quote Viewer")));
}

static const char *membership_of(const char *user)
{
    return rows(text("SELECT id FROM memberships WHERE user_id = '%s'", user));
}

static void sets(const char *user, const char *type, const char *roles)
{
    accepted(patch(text("/v1/users/%s/memberships/%s", user, membership_of(user)), door->key,
                   text("{\"type\":\"%s\"%s}", type, roles)),
             200, "(%s%s)", type, roles);
}

#define BOTH ",\"roles\":[{\"name\":\"User Administrator\"},{\"name\":\"Quote Viewer\"}]"

static void test_role(void)
{
    caller_t clerk = caller_of(login("clerk@example.org"));
    door_answer_t first = gives(&clerk), again = gives(&clerk);

    accepted(first, 201, "who holds it gives it");
    is_int(again.statements, first.statements, "... in as many statements as ever, where nothing has changed");
    sets(clerk_id, "USER", named("User Administrator"));
    refused(gives(&clerk), 403, "USER_NOT_ALLOWED", "",
            "A17: a role that was taken meanwhile is not given # security 62");
    is_str(membership_of(target), "", "A17: ... nothing was written");
    clerk = caller_of(login("clerk@example.org"));
    sets(clerk_id, "USER", ",\"role_ids\":[]");
    refused(gives(&clerk), 403, "USER_NOT_ALLOWED", "", "A17: nor without the permission of the call any more");
    sets(clerk_id, "USER", BOTH);
    clerk = caller_of(login("clerk@example.org"));
    accepted(patch(text("/v1/roles/%s", role_id), door->key, "{\"description\":\"New\"}"), 200,
             "(a role of the entity)");
    accepted(gives(&clerk), 201, "A17: what concerns the caller not at all leaves it its rights");
}

static void test_gone(void)
{
    caller_t clerk = caller_of(login("clerk@example.org"));

    accepted(door_call(door, "DELETE", text("/v1/users/%s/sessions", clerk_id), door->key, NULL), 200, "(ended)");
    door->idempotency_key = "gone";
    refused(gives(&clerk), 401, "UNAUTHORISED", "",
            "A17: a session that has ended meanwhile writes nothing # security 37");
    door->idempotency_key = NULL;
    is_str(membership_of(target), "", "A17: ... nothing");
    is_int(count("SELECT COUNT(*) FROM idempotency WHERE idempotency_key = 'gone'"), 0, "A17: ... nor keeps a key");
    clerk = caller_of(login("clerk@example.org"));
    accepted(patch(text("/v1/users/%s", clerk_id), door->key, "{\"status\":\"INACTIVE\"}"), 200, "(inactive)");
    refused(gives(&clerk), 401, "UNAUTHORISED", "", "A17: nor who is INACTIVE meanwhile");
    accepted(patch(text("/v1/users/%s", clerk_id), door->key, "{\"status\":\"ACTIVE\"}"), 200, "(active)");
    accepted(later(&clerk, "GET", "/v1/users", NULL), 200, "(a read asks no more than before)");
}

static void test_keys(void)
{
    door_answer_t made = post("/v1/api-keys", door->key, "{}");
    const char *path = text("/v1/api-keys/%s", door_text(&made, "id"));
    caller_t key = caller_of(door_text(&made, "api_key"));

    accepted(gives(&key), 201, "a key gives");
    accepted(patch(path, door->key, "{\"permissions\":[\"USER.MORTAL.UPDATE\"]}"), 200, "(narrowed)");
    refused(gives(&key), 403, "USER_NOT_ALLOWED", "", "A17: one that was narrowed meanwhile does not");
    accepted(patch(path, door->key, "{\"permissions\":[\"QUOTE.VIEW\"]}"), 200, "(narrowed)");
    refused(gives(&key), 403, "USER_NOT_ALLOWED", "", "A17: ... nor without the permission of the call");
    accepted(door_call(door, "DELETE", path, door->key, NULL), 200, "(deleted)");
    refused(gives(&key), 401, "UNAUTHORISED", "", "A17: ... nor one that is gone");
    made = post(text("/v1/users/%s/api-keys", clerk_id), door->key, "{}");
    key = caller_of(door_text(&made, "api_key"));
    accepted(gives(&key), 201, "a personal key gives what its owner does");
    sets(clerk_id, "USER", named("User Administrator"));
    refused(gives(&key), 403, "USER_NOT_ALLOWED", "", "A17: ... and no more");
    sets(clerk_id, "USER", BOTH);
    accepted(gives(&key), 201, "A17: ... and that again");
}

int main(void)
{
    serve_begin();
    target = door_person(door, "target@example.org", PASSWORD, "[]");
    clerk_id = person_with("clerk@example.org", "USER", BOTH);
    door_answer_t role = post("/v1/roles", door->key, "{\"name\":\"Aside\"}");
    role_id = door_text(&role, "id");
    change("PRAGMA synchronous = OFF");
    door->env.revisions = door_revisions(door);
    test_role();
    test_gone();
    test_keys();
    return serve_end();
}
