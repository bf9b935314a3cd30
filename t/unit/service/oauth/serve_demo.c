/* SPDX-License-Identifier: Apache-2.0 */
/* demo-token: what a visitor of the demo account sees, that it changes nothing, and how the visit ends (security,
 * "Decided"). */
#include "serve_guests.h"
#include "serve_world.h"

static world_t *shop, *other;

static const char *guest(void)
{
    door_answer_t answer = visit(DEMO, "visitor-canary@example.org");
    return bearer_in(&answer);
}

static json_t *claims_of(const char *bearer)
{
    const char *dot = strchr(bearer, '.');
    size_t size;
    unsigned char *payload =
        identity_base64url_decode(door->pool, apr_pstrmemdup(door->pool, dot + 1, strcspn(dot + 1, ".")), &size);
    return identity_json_own(door->pool, json_loadb((const char *)payload, size, 0, NULL));
}

static const char *claim(const char *bearer, const char *name)
{
    return json_string_value(json_object_get(claims_of(bearer), name));
}

/* ---- whether there is one --------------------------------------------------------------------------------------- */

static void test_configured(void)
{
    const char *before = state();
    static const char *const names[] = {"nothing", "plat_00000000000000000000", "default" /* of two entities */};

    door->settings.demo_account = NULL;
    refused(visit(DEMO, "a@example.org"), 403, "USER_NOT_ALLOWED", "", "no demo account is configured");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        door->settings.demo_account = names[i];
        refused(visit(DEMO, "a@example.org"), 403, "USER_NOT_ALLOWED", "", "IdentityDemoAccount %s", names[i]);
    }
    is_int(service->asked[PROVIDER_TOKEN], 0, "nobody solves a captcha for nothing");
    is_str(state(), before, "... and nothing is written");
    door->settings.demo_account = "shop-first";
    accepted(visit(DEMO, "a@example.org"), 200, "an account by its reference");
    door->settings.demo_account = shop->account;
    accepted(visit(DEMO, "a@example.org"), 200, "... and by its id");
}

/* ---- the token -------------------------------------------------------------------------------------------------- */

static void test_token(void)
{
    long long users = count("SELECT COUNT(*) FROM users");
    door_answer_t answer = visit(DEMO, "visitor-canary@example.org");

    accepted(answer, 200, "a visitor");
    is_str(members_at(&answer, ""), "issued_at,access_token,expires_in,expires_at,token_type,scope,id_token",
           "... gets a Token");
    is_str(json_at(&answer, "expires_in"), "1800", "... for half an hour");
    is_str(header(&answer, "Set-Cookie"), NULL, "... which nothing renews");
    const char *bearer = bearer_in(&answer), *session = claim(bearer, "sid");
    ok(identity_id_valid(session, "sess"), "... of a session");
    is_str(claim(bearer, "sub"), session, "... and of nobody else");
    is_str(claim(bearer, "client_id"), "demo", "... marked");
    is_str(claim(bearer, "entity_id"), shop->entity, "... in the entity of the account");
    is_str(rows(text("SELECT entity_id, user_id, method, client_address, expires_at - created_at, ended_at FROM "
                     "sessions WHERE id = '%s'",
                     session)),
           text("%s|-|demo|192.0.2.7|1800000000|0", shop->entity), "the session has no user");
    is_int(count(text("SELECT COUNT(*) FROM refresh_tokens WHERE session_id = '%s'", session)), 0,
           "... and no refresh token");
    is_int(count("SELECT COUNT(*) FROM users"), users, "no user was made");
    is_str(rows(text("SELECT action, user_id, target_resource_type, entity_id, target_platform_id FROM audit_records "
                     "WHERE target_id = '%s'",
                     session)),
           text("DEMO_TOKEN|%s|SESSION|%s|%s", session, shop->entity, shop->account), "it is on record # security 82");
    is_str(traces_of("visitor-canary"), "", "the visitor's address is kept nowhere");
    is_str(traces_of("captcha-canary"), "", "... nor the service's secret");
    is_str(traces_of("solved-canary"), "", "... nor the captcha's");
    answer = get("/v1/users", bearer);
    ok(!strstr(answer.text, session), "nobody is shown in the list of users");
    answer = get(text("/v1/audit-records?target_id=%s", session), shop->key);
    is_str(json_at(&answer, "data.0.user_id"), text("\"%s\"", session), "an administrator finds what it did");
}

/* ---- what it may ------------------------------------------------------------------------------------------------ */

/* Every row of routes.def with a request that an administrator's key could make. */
static void test_routes(void)
{
    const char *bearer = guest();
    int views = 0, others = 0;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (route->credential != IDENTITY_CREDENTIAL_REQUIRED)
            continue;
        world_request_t request = world_request(shop, route);
        const char *before = state();
        size_t length = strlen(route->permission);
        bool view = strcmp(route->permission + length - 5, ".VIEW") == 0;
        door_answer_t answer = door_call(door, route->method, request.path, bearer, request.body);
        if (strcmp(route->operation, "decrypt_api_key") == 0)
            refused(answer, 403, "USER_NOT_ALLOWED", "", "no key is decrypted for a visitor");
        else if (strcmp(route->operation, "list_permission_holders") == 0)
            refused(answer, 403, "USER_NOT_ALLOWED", "", "a visitor is not told who holds what");
        else if (view)
            accepted(answer, 200, "a visitor may %s", route->operation);
        else
            refused(answer, 403, "USER_NOT_ALLOWED", "", "a visitor may not %s # security 58", route->operation);
        is_str(state(), before, "... and changed nothing");
        views += view;
        others += !view;
    }
    ok(views > 10 && others > 10, "%d views and %d others", views, others);
}

/* The routes that need no credential take one in their stride. */
static void test_public_routes(void)
{
    const char *bearer = guest();

    post("/v1/users/invite", shop->key, "{\"username\":\"guest@shop.example\"}");
    const char *token = door_mailed_token(door, "guest@shop.example");
    refused(
        post("/v1/oauth/activate-user", bearer, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token)),
        403, "USER_NOT_ALLOWED", "", "a visitor accepts nobody's invitation # security 27");
    refused(post("/v1/oauth/refresh-token", bearer, NULL), 401, "UNAUTHORISED", "", "nothing renews the visit");
}

static door_answer_t ask(const char *path, const char *credential, const char *bearer)
{
    door->content_type = "application/x-www-form-urlencoded";
    door_answer_t answer = post(path, credential, text("token=%s", bearer + strlen("Bearer ")));
    door->content_type = NULL;
    return answer;
}

/* RFC 7662 and 7009: marked, and ended by who holds it. */
static void test_introspection(void)
{
    const char *bearer = guest(), *session = claim(bearer, "sid");
    const char *const seers[] = {shop->key, shop->admin, bearer};

    for (size_t i = 0; i < sizeof seers / sizeof seers[0]; i++) {
        door_answer_t answer = ask("/v1/oauth/introspect", seers[i], bearer);
        is_str(json_at(&answer, "active"), "true", "introspection: live");
        is_str(door_text(&answer, "auth_method"), "demo", "... marked");
        is_str(door_text(&answer, "client_id"), "demo", "... twice");
        is_str(door_text(&answer, "sub"), session, "... and nobody's");
        is_str(door_text(&answer, "username"), NULL, "... without a name");
    }
    door_answer_t answer = ask("/v1/oauth/introspect", other->key, bearer);
    is_str(answer.text, "{\"active\":false}", "others hear nothing # security 47");
    answer = ask("/v1/oauth/introspect", bearer, shop->admin);
    is_str(json_at(&answer, "active"), "true", "a visitor may view, so it may ask");
    answer = ask("/v1/oauth/revoke", bearer, shop->admin);
    is_int(answer.status, 200, "a visitor revokes somebody's token");
    accepted(get("/v1/users", shop->admin), 200, "... to no effect");
    answer = ask("/v1/oauth/revoke", NULL, bearer);
    is_int(answer.status, 200, "its own is revoked by who holds it");
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "... and dead # security 46");
    answer = ask("/v1/oauth/introspect", shop->key, bearer);
    is_str(answer.text, "{\"active\":false}", "... as introspection says");
    is_str(rows(text("SELECT user_id FROM audit_records WHERE action = 'TOKEN_REVOKED' AND target_id = '%s'", session)),
           session, "... and the trail");
}

static void test_account(void)
{
    const char *bearer = guest(), *session = claim(bearer, "sid");

    door->platform_id = shop->account;
    accepted(get("/v1/users", bearer), 200, "in the account");
    door->platform_id = shop->account2;
    refused(get("/v1/users", bearer), 403, "USER_NOT_ALLOWED", "", "not in another one of the entity");
    door->platform_id = other->account;
    refused(get("/v1/users", bearer), 403, "USER_NOT_ALLOWED", "", "not in one of others # security 60");
    door->platform_id = NULL;
    refused(get(text("/v1/users/%s", other->user), bearer), 404, "USER_NOT_FOUND", "",
            "nobody of others # security 60");
    refused(get(text("/v1/roles/%s", other->role), bearer), 404, "RESOURCE_NOT_FOUND", "",
            "no role of others # security 60");
    refused(get(text("/v1/users/%s", session), bearer), 404, "USER_NOT_FOUND", "", "it has no record of its own");
    refused(patch(text("/v1/users/%s", session), bearer, "{\"password\":\"" PASSWORD "\"}"), 404, "USER_NOT_FOUND", "",
            "... and no password");
    door_answer_t answer = get("/v1/audit-records", bearer);
    bool all = true;
    for (size_t i = 0; i < size_at(&answer, "data"); i++)
        all = all && strcmp(door_text(&answer, text("data.%d.target_platform_id", (int)i)), shop->account) == 0;
    ok(all && size_at(&answer, "data") > 0, "of the trail that of the account");
}

/* Looking does not count as looking after. */
static void test_administrators(void)
{
    const char *alone = text("admin@%s.example", shop->label);

    guest();
    is_int(count(text("SELECT COUNT(*) FROM memberships WHERE account_id = '%s' AND type = 'ADMIN'", shop->account)), 1,
           "%s is the only administrator", alone);
    refused(patch(text("/v1/users/%s", shop->admin_id), shop->key, "{\"status\":\"INACTIVE\"}"), 409,
            "INVALID_OPERATION", "", "... and stays it, whoever looks on # security 63");
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static void test_end(void)
{
    const char *bearer = guest();

    pass(1799);
    accepted(get("/v1/users", bearer), 200, "just before its end");
    pass(1);
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "the visit is over # security 23");
    bearer = guest();
    change(text("UPDATE sessions SET expires_at = %" APR_INT64_T_FMT " WHERE id = '%s'", (apr_int64_t)door->now,
                claim(bearer, "sid")));
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "... when the session says so");

    bearer = guest();
    accepted(get("/v1/users", bearer), 200, "another one");
    door_answer_t answer = post("/v1/oauth/logout", bearer, NULL);
    is_int(answer.status, 200, "signs out");
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "... and is out # security 37");

    bearer = guest();
    door->settings.demo_account = NULL;
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "the directive goes, and with it who came by it");
    door->settings.demo_account = other->account;
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "... or leads elsewhere");
    door->settings.demo_account = "plat_00000000000000000000";
    refused(get("/v1/users", bearer), 401, "UNAUTHORISED", "", "... or to nothing");
    door->settings.demo_account = shop->account2;
    accepted(get("/v1/users", bearer), 200, "within the entity it leads on");
    door->platform_id = shop->account;
    refused(get("/v1/users", bearer), 403, "USER_NOT_ALLOWED", "", "... to where it leads now");
    door->platform_id = NULL;
    door->settings.demo_account = shop->account;
}

/* Visits that are over are forgotten, however they ended; the trail keeps that there were any. */
static void test_purge(void)
{
    long long users = count("SELECT COUNT(*) FROM sessions WHERE user_id IS NOT NULL"),
              records = count("SELECT COUNT(*) FROM audit_records");

    pass(1801);
    while (identity_purge(door->pool, &door->env) > 0)
        ;
    is_int(count("SELECT COUNT(*) FROM sessions WHERE user_id IS NULL"), 0, "what is over is forgotten");
    guest();
    is_int(identity_purge(door->pool, &door->env), 0, "... what is not stays");
    is_int(count("SELECT COUNT(*) FROM sessions WHERE user_id IS NULL"), 1, "... indeed");
    is_int(count("SELECT COUNT(*) FROM sessions WHERE user_id IS NOT NULL"), users, "... and so do users' sessions");
    is_int(count("SELECT COUNT(*) FROM audit_records"), records + 1, "... and the trail");
    pass(1801);
    door->fail_after = 4;
    is_int(identity_purge(door->pool, &door->env), 0, "a fault");
    door->fail_after = 0;
    is_int(identity_purge(door->pool, &door->env), 1, "... and the next round");
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

static void test_faults(void)
{
    int failed = 0, n;

    for (n = 1; n < 40; n++) {
        const char *before = state();
        door->fail_after = n;
        door_answer_t answer = visit(DEMO, "a@example.org");
        bool fell = door->fail_after <= 0;
        door->fail_after = 0;
        if (!fell) {
            accepted(answer, 200, "without a fault");
            break;
        }
        refused(answer, 503, "INTERNAL_ERROR", "", "statement %d fails # security 86", n);
        is_str(state(), before, "... and nothing is kept");
        failed++;
    }
    ok(failed >= 5, "%d statements failed one after the other", failed);
    const char *bearer = guest();
    door->fail_after = 1;
    refused(get("/v1/users", bearer), 503, "INTERNAL_ERROR", "", "a fault is no 401 # security 86");
    door->fail_after = 2;
    refused(get("/v1/users", bearer), 503, "INTERNAL_ERROR", "", "... nor the next one");
    door->fail_after = 0;
}

int main(void)
{
    serve_begin();
    captcha_open();
    shop = world_make("shop");
    other = world_make("other-shop");
    door->settings.key_escrow = (const unsigned char *)"0123456789abcdef0123456789abcdef";
    test_configured();
    test_captcha_of(DEMO);
    test_token();
    test_routes();
    test_public_routes();
    test_introspection();
    test_account();
    test_administrators();
    test_end();
    test_purge();
    test_faults();
    test_held();
    return serve_end();
}
