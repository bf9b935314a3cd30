/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends a request to anything but the API (basic_password.c, cookies.c, authorization.c): every way to show who
 * one is, what belongs to whom, and what of it ends when. */
#include <apr_base64.h>
#include <apr_md5.h>

#include "routes.h"
#include "users/users.h"
#include "serve_guests.h"
#include "serve_world.h"

static world_t *shop;

typedef struct sent {
    identity_headers_t headers;
    identity_accepts_t accepts;
    const char *method, *address;
    bool plain, upgrade;
} sent_t;

static identity_authentication_t found;

static identity_request_t request_of(sent_t sent)
{
    return (identity_request_t){.method = sent.method ? sent.method : "GET",
                                .path = "/reports/1.html",
                                .headers = sent.headers,
                                .client_address = sent.address ? sent.address : "192.0.2.7",
                                .secure = !sent.plain,
                                .upgrade = sent.upgrade,
                                .own_origin = "https://app.example.org",
                                .request_id = "reqr_00000000000000000001"};
}

/* "200 NAME METHOD", or the status of the refusal. */
static const char *principal(sent_t sent)
{
    identity_request_t in = request_of(sent);

    identity_identify(door->pool, &door->env, &in, &sent.accepts, &found);
    return found.refused ? text("%d", identity_problem_status(found.problem.kind))
                         : text("200 %s %s", found.principal->name, found.method);
}

static const char *with_password(const char *user, const char *password, sent_t sent)
{
    identity_request_t in = request_of(sent);

    identity_identify_password(door->pool, &door->env, &in, user, password, &found);
    return found.refused ? text("%d", identity_problem_status(found.problem.kind))
                         : text("200 %s %s", found.principal->name, found.method);
}

static sent_t bearer(const char *token)
{
    return (sent_t){.headers.authorization = token};
}

static sent_t key(const char *given)
{
    return (sent_t){.headers.api_key = given};
}

static const char *base64(const char *plain)
{
    char *encoded = apr_palloc(door->pool, (size_t)apr_base64_encode_len((int)strlen(plain)));
    apr_base64_encode(encoded, plain, (int)strlen(plain));
    return text("Basic %s", encoded);
}

static sent_t basic(const char *user, const char *secret)
{
    return (sent_t){.headers.authorization = base64(text("%s:%s", user, secret)), .accepts.basic_keys = true};
}

static sent_t cookie(const char *given)
{
    return (sent_t){.headers.cookie = given, .accepts.cookie = true};
}

/* ---- what is taken ---------------------------------------------------------------------------------------------- */

static void test_credentials(void)
{
    const char *name = "admin@shop.example", *token = shop->admin;
    const char *as_key = text("200 %s ", shop->key_id);

    is_str(principal(key(shop->key)), text("%skey", as_key), "X-API-KEY");
    is_str(principal((sent_t){.headers.authorization = text("ApiKey %s", shop->key)}), text("%skey", as_key), "ApiKey");
    is_str(principal(bearer(token)), text("200 %s bearer", name), "Bearer");
    is_str(principal(basic("whoever", shop->key)), text("%sbasic", as_key), "a key as password");
    is_str(principal(basic("100%", shop->key)), text("%sbasic", as_key), "... whatever the user name");
    is_str(principal(basic("", shop->key)), text("%sbasic", as_key), "... also none");

    is_str(principal((sent_t){.method = NULL}), "401", "nothing");
    ok(!found.credential, "... and no credential # security 44");
    is_str(principal(key("idk_false")), "401", "a false key");
    ok(found.credential, "... is one # security 44");
    is_str(principal(key(text("%.*sX", (int)strlen(shop->key) - 1, shop->key))), "401", "a key with a false end");
    is_str(principal(bearer("Bearer x.y.z")), "401", "a false token");
    is_str(principal(bearer(text("%sA", token))), "401", "a token with a false signature");
    sent_t off = basic("whoever", shop->key);
    off.accepts.basic_keys = false;
    is_str(principal(off), "401", "a key as password where that is not taken");
    is_str(principal(basic("whoever", "idk_false")), "401", "a false key as password");
    is_str(principal(basic(name, PASSWORD)), "401", "a user's password in a key's place");
    is_str(principal((sent_t){.headers.authorization = "Basic ####", .accepts.basic_keys = true}), "401", "no base64");
    is_str(principal((sent_t){.headers.authorization = token, .headers.api_key = shop->key}), "400",
           "two credentials # security 43");
    ok(found.ambiguous, "... are told from others");
    sent_t open = key(shop->key);
    open.plain = true;
    is_str(principal(open), "403", "over plain HTTP");
    is_str(principal((sent_t){.plain = true}), "401", "nothing over plain HTTP");
    door->settings.require_tls = false;
    is_str(principal(open), text("%skey", as_key), "over plain HTTP where that is allowed");
    door->settings.require_tls = true;
}

static void test_end(void)
{
    const char *token = login("user@shop.example"), *name = "200 user@shop.example bearer";

    is_str(principal(bearer(token)), name, "a session");
    post("/v1/oauth/logout", token, NULL);
    is_str(principal(bearer(token)), "401", "signed out # security 37");
    token = login("user@shop.example");
    change(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", shop->user));
    is_str(principal(bearer(token)), "401", "deactivated # security 37");
    change(text("UPDATE users SET status = 'ACTIVE', active = 1 WHERE id = '%s'", shop->user));
    is_str(principal(bearer(token)), name, "... and active again");
    const char *id, *made = world_key(shop->entity, "{}", &id);
    is_str(principal(key(made)), text("200 %s key", id), "a key");
    patch(text("/v1/api-keys/%s", id), shop->key, "{\"active\":false}");
    is_str(principal(key(made)), "401", "revoked # security 55");
}

static void test_faults(void)
{
    sent_t all[] = {key(shop->key), bearer(shop->admin), basic("x", shop->key)};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        door->refuse_borrow = true;
        is_str(principal(all[i]), "503", "no connection # security 65");
        door->refuse_borrow = false;
        /* A key's second statement says that it was used: nobody waits for that. */
        for (int n = 1; n <= (all[i].headers.authorization == shop->admin ? 3 : 1); n++) {
            door->fail_after = n;
            is_str(principal(all[i]), "503", "statement %d fails # security 65", n);
            ok(!found.principal, "... and it is nobody");
        }
        door->fail_after = 0;
    }
    is_int(door->borrowed, 0, "no connection is left out");
}

/* ---- whom anybody can be ---------------------------------------------------------------------------------------- */

static void test_strangers(void)
{
    captcha_open();
    door->settings.demo_account = shop->account;
    door->settings.sandbox = true;
    door_answer_t answer = visit(DEMO, "visitor@example.org");
    is_str(principal(bearer(bearer_in(&answer))), "403",
           "a visitor of the demo account is nobody at a protected place");
    answer = visit(SANDBOX, "visitor@example.org");
    const char *token = bearer_in(&answer);
    is_str(principal(bearer(token)), "403", "nor is who has a sandbox");
    answer = post("/v1/api-keys", token, "{}");
    is_str(principal(key(door_text(&answer, "api_key"))), "403", "... nor a key of it");
}

/* ---- passwords -------------------------------------------------------------------------------------------------- */

static int hashed(void)
{
    return (int)count("SELECT COUNT(*) FROM audit_records WHERE action = 'LOGIN' AND target_resource_type = 'USER'");
}

static void test_password(void)
{
    const char *name = "user@shop.example", *in = "200 user@shop.example basic";
    sent_t here = {.method = "GET"}, elsewhere = {.address = "198.51.100.9"}, open = {.plain = true};
    int before = hashed();

    is_str(with_password(name, PASSWORD, here), in, "user name and password");
    ok(found.principal->authenticated_at == door->now || door->now - found.principal->authenticated_at < 1000,
       "... just now");
    is_int(hashed() - before, 1, "... on record # security 82");
    is_str(with_password("USER@shop.EXAMPLE", PASSWORD, here), in, "in any case of letters");
    is_int(hashed() - before, 1, "... is not hashed again");
    door->refuse_hash = true;
    is_str(with_password(name, PASSWORD, here), in, "... nor needs the gate");
    is_str(with_password(name, "Correct1horsE", here), "503", "another password does");
    is_str(with_password(name, PASSWORD, elsewhere), "503", "... and another client");
    door->refuse_hash = false;
    is_str(with_password(name, PASSWORD, elsewhere), in, "another client");
    is_int(hashed() - before, 2, "... is hashed for itself");
    pass(301);
    is_str(with_password(name, PASSWORD, here), in, "later");
    is_int(hashed() - before, 3, "... is hashed again");
    is_str(with_password(name, "Correct1horsE", here), "401", "a wrong one");
    is_str(with_password("nobody@shop.example", PASSWORD, here), "401", "nobody's");
    is_str(with_password(name, PASSWORD, open), "403", "over plain HTTP");
    char *endless = apr_pcalloc(door->pool, IDENTITY_PASSWORD_MAX + 2);
    memset(endless, 'a', IDENTITY_PASSWORD_MAX + 1);
    is_str(with_password(name, endless, here), "401", "longer than any # security 4");
    door->settings.password_grant = false;
    is_str(with_password(name, PASSWORD, here), "403", "where passwords are off");
    door->settings.password_grant = true;
    is_str(with_password(name, PASSWORD, here), in, "and on again");
}

static void test_password_ends(void)
{
    const char *name = "user@shop.example";
    sent_t here = {.method = "GET"};

    with_password(name, PASSWORD, here);
    change(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", shop->user));
    is_str(with_password(name, PASSWORD, here), "401", "deactivated, though remembered # security 37");
    change(text("UPDATE users SET status = 'ACTIVE', active = 1 WHERE id = '%s'", shop->user));
    is_str(with_password(name, PASSWORD, here), "200 user@shop.example basic", "active");
    const char *hash = identity_password_hash(door->pool, &door->settings.hash, "Another1horse");
    const char *kept = rows(text("SELECT password_hash FROM users WHERE id = '%s'", shop->user));
    change(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", hash, shop->user));
    is_str(with_password(name, PASSWORD, here), "401", "another password by now, though remembered # security 37");
    is_str(with_password(name, "Another1horse", here), "200 user@shop.example basic", "... which is the one");
    change(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", kept, shop->user));
    door->refuse_borrow = true;
    is_str(with_password(name, PASSWORD, here), "503", "no connection # security 65");
    door->refuse_borrow = false;
}

static void test_rehash(void)
{
    char *legacy = apr_pcalloc(door->pool, 120);

    apr_md5_encode(PASSWORD, "salt1234", legacy, 120);
    change(text("UPDATE users SET password_hash = '%s' WHERE id = '%s'", legacy, shop->user));
    is_str(with_password("user@shop.example", PASSWORD, (sent_t){.address = "203.0.113.5"}),
           "200 user@shop.example basic", "another program's hash");
    ok(strncmp(rows(text("SELECT password_hash FROM users WHERE id = '%s'", shop->user)), "$argon2id$", 10) == 0,
       "... is replaced");
    door->refuse_hash = true;
    is_str(with_password("user@shop.example", PASSWORD, (sent_t){.address = "203.0.113.5"}),
           "200 user@shop.example basic", "... and the password remembered all the same");
    door->refuse_hash = false;
}

static void test_throttled(void)
{
    sent_t from = {.address = "203.0.113.77"};
    identity_rates_t kept = door->settings.rates;

    door->settings.rates.of[IDENTITY_RATE_LOGIN] = (identity_rate_t){3, apr_time_from_sec(60)};
    for (int i = 0; i < 3; i++)
        is_str(with_password("user@shop.example", "Wrong1horse", from), "401", "wrong, %d # security 12", i + 1);
    is_str(with_password("user@shop.example", "Wrong1horse", from), "429", "too many # security 12");
    is_str(with_password("user@shop.example", PASSWORD, from), "429", "... the right one alike # security 13");
    ok(found.problem.retry_after > 0, "... with a time to wait");
    is_str(with_password("nobody@shop.example", "Wrong1horse", from), "429", "... whoever is named");
    is_str(with_password("user@shop.example", PASSWORD, (sent_t){.address = "192.0.2.7"}),
           "200 user@shop.example basic", "its owner's client goes on # security 13");
    door->settings.rates = kept;
}

/* ---- the cookie ------------------------------------------------------------------------------------------------- */

static bool sets;

/* Signs in and returns what the browser would send; *refresh and *token beside it. */
static const char *sign_in(const char **refresh, const char **token, const char **whole)
{
    const char *line = text("{\"username\":\"user@shop.example\",\"password\":\"" PASSWORD "\"}");
    serve_body_t given = {line, strlen(line)};
    identity_request_t in = {.method = "POST",
                             .path = "/v1/oauth/token",
                             .headers.content_type = "application/json",
                             .secure = true,
                             .has_body = true,
                             .read_body = serve_read,
                             .body_context = &given,
                             .access_cookie = sets,
                             .request_id = "reqr_00000000000000000002"};
    identity_authentication_t nobody;
    identity_response_t out;
    const char *access = NULL;

    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &nobody);
    identity_serve(door->pool, &door->env, &in, &nobody, &out);
    const apr_array_header_t *headers = apr_table_elts(out.headers);
    for (int i = 0; i < headers->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        bool is_cookie = strcmp(entry->key, "Set-Cookie") == 0, is_access = strstr(entry->val, "access") != NULL;
        if (is_cookie && is_access)
            *whole = entry->val;
        if (is_cookie)
            *(is_access ? &access : refresh) = text("%.*s", (int)strcspn(entry->val, ";"), entry->val);
    }
    json_t *body = identity_json_own(door->pool, json_loadb(out.body, out.length, 0, NULL));
    *token = text("Bearer %s", json_string_value(json_object_get(body, "access_token")));
    return access;
}

static void test_cookie(void)
{
    const char *refresh = NULL, *token, *whole = "", *in = "200 user@shop.example cookie";

    is_str(sign_in(&refresh, &token, &whole), NULL, "no access cookie where it is not on");
    sets = true;
    const char *given = sign_in(&refresh, &token, &whole);
    ok(refresh && given, "with the refresh cookie comes an access cookie where it is on");
    is_str(strchr(whole, ';'), "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax",
           "... as browsers are to treat it # security 41");
    ok(strncmp(given, "__Host-", 7) == 0 && strlen(given) <= 200, "... by name and size # security 41");
    ok(!strstr(given, "user") && !strstr(given, "shop"), "... without a word about the person # security 41");
    is_str(principal(cookie(given)), in, "it is taken");
    is_str(principal(cookie(text("a=b; %s; c=d", given))), in, "... among others");
    is_str(principal((sent_t){.headers.cookie = given}), "401", "... but not where it is not on");
    is_str(principal(cookie(text("%sA", given))), "401", "longer by one");
    is_str(principal(cookie(text("%.*s", (int)strlen(given) - 1, given))), "401", "shorter by one");
    char *other = apr_pstrdup(door->pool, given);
    *strchr(other, '.') -= 1;
    is_str(principal(cookie(other)), "401", "another session's id");
    is_str(principal(cookie(given + 7)), "401", "under another name # security 41");
    sent_t open = cookie(given);
    open.plain = true;
    is_str(principal(open), "403", "over plain HTTP");
    sent_t both = cookie(given);
    both.headers.api_key = text("%.25sAAAA%s", shop->key, shop->key + 29);
    is_str(principal(both), in, "B6: beside what is no key of ours the cookie is in force");
    both.headers.api_key = NULL;
    both.headers.authorization = "Token of-the-application";
    is_str(principal(both), in, "B6: ... beside another program's Authorization");
    both.headers.api_key = "app";
    is_str(principal(both), in, "B6: ... beside both");
    both.headers.authorization = "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.AA";
    is_str(principal(both), in, "B6: ... beside another issuer's token");
    sent_t ended = both;
    ended.headers.cookie = text("%sA", given);
    ended.headers.api_key = NULL;
    is_str(principal(ended), "401", "B6: without a good cookie it is a bad credential as ever");
    both.headers.api_key = NULL;
    both.headers.authorization = text("%.*sAAAA", (int)strlen(token) - 4, token);
    is_str(principal(both), "401", "B6: what is written as a token of ours is not another program's");
    both.headers.authorization = base64(text("git:%s", shop->key));
    is_str(principal(both), "401", "B6: ... nor is a key of ours as a password that is not taken");
    both.headers.authorization = NULL;
    both.headers.api_key = shop->key;
    is_str(principal(both), text("200 %s key", shop->key_id), "... the key is what counts # security 42");
    is_str(serve_outcome(call_with("GET", text("/v1/users/%s", shop->user), (identity_headers_t){.cookie = given}, true,
                                   false, NULL)),
           "401 UNAUTHORISED ", "the API does not take it # security 42");
    post("/v1/oauth/logout", token, NULL);
    is_str(principal(cookie(given)), "401", "signed out # security 37");
}

static void test_origin(void)
{
    const char *refresh, *token, *whole, *given = sign_in(&refresh, &token, &whole),
                                         *in = "200 user@shop.example cookie";
    static const struct {
        const char *method, *origin, *site;
        bool upgrade, fits;
    } cases[] = {{"GET", NULL, NULL, false, true},
                 {"HEAD", "https://evil.example", "cross-site", false, true},
                 {"POST", NULL, NULL, false, false},
                 {"POST", "https://app.example.org", "same-origin", false, true},
                 {"POST", "null", "same-origin", false, true},
                 {"POST", "https://wiki.example.org", "same-origin", false, true},
                 {"GET", "https://wiki.example.org", "same-origin", true, true},
                 {"POST", "null", "cross-site", false, false},
                 {"POST", "null", "same-site", false, false},
                 {"GET", "null", NULL, true, false},
                 {"POST", "https://id.example.org", "same-site", false, true},
                 {"POST", NULL, "same-origin", false, true},
                 {"POST", NULL, "same-site", false, false},
                 {"POST", NULL, "none", false, false},
                 {"PUT", "https://evil.example", "cross-site", false, false},
                 {"DELETE", "null", NULL, false, false},
                 {"PROPFIND", NULL, NULL, false, false},
                 {"GET", NULL, NULL, true, false},
                 {"GET", "https://evil.example", NULL, true, false},
                 {"GET", "https://app.example.org", NULL, true, true}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sent_t sent = cookie(given);
        sent.method = cases[i].method;
        sent.headers.origin = cases[i].origin;
        sent.headers.fetch_site = cases[i].site;
        sent.upgrade = cases[i].upgrade;
        is_str(principal(sent), cases[i].fits ? in : "403", "B1: %s%s from %s, %s # security 42", cases[i].method,
               cases[i].upgrade ? " (upgrade)" : "", cases[i].origin ? cases[i].origin : "-",
               cases[i].site ? cases[i].site : "-");
    }
}

static apr_int64_t idle_of(const char *given)
{
    const char *id = strstr(given, "sess_");
    return count(text("SELECT idle_expires_at FROM sessions WHERE id = '%.*s'", (int)strcspn(id, "."), id));
}

static void test_idle(void)
{
    const char *refresh, *token, *whole, *given = sign_in(&refresh, &token, &whole);
    apr_int64_t at = idle_of(given);

    principal(cookie(given));
    is_int(idle_of(given), at, "used at once: the idle end stays");
    pass(3700);
    principal(cookie(given));
    ok(idle_of(given) >= at + apr_time_from_sec(3700), "used an hour later: it moves on");
    pass(6 * 86400);
    is_str(principal(cookie(given)), "200 user@shop.example cookie", "used within the week");
    pass(6 * 86400);
    is_str(principal(cookie(given)), "200 user@shop.example cookie", "... and the next");
    ok(idle_of(given) <= count(text("SELECT max(expires_at) FROM sessions WHERE user_id = '%s'", shop->user)),
       "... never past its end # security 34");
    pass(8 * 86400);
    is_str(principal(cookie(given)), "401", "not used for a week # security 34");
}

/* ---- what somebody is and may do -------------------------------------------------------------------------------- */

static const char *role_id(const char *slug)
{
    return rows(text("SELECT id FROM roles WHERE slug = '%s' AND entity_id = '%s'", slug, shop->entity));
}

static void test_standing(void)
{
    principal(bearer(login("user@shop.example")));
    const identity_principal_t *user = found.principal;
    const char *account = found.account_id;

    is_str(account, shop->account, "the only account");
    ok(identity_may(user, account, "USER.MORTAL.VIEW"), "a permission by a role within a role");
    ok(!identity_may(user, account, "USER.MORTAL.UPDATE"), "no other");
    ok(!identity_may(user, account, "NOBODY.KNOWS"), "nor one that nobody knows # security 65");
    ok(!identity_may(user, shop->account2, "USER.MORTAL.VIEW"), "nor in another account");
    ok(!identity_has_role(user, account, "Shop Parent"), "A2: a role's name is not asked for");
    ok(!identity_has_role(user, account, identity_name_canonical(door->pool, "Shop Parent")), "A2: in no spelling");
    ok(identity_has_role(user, account, "shop-parent"), "A2: a role by its slug");
    ok(identity_has_role(user, account, role_id("shop-parent")), "A2: a role by its id");
    ok(identity_has_role(user, account, "shop-child"), "... one within it");
    ok(!identity_has_role(user, account, "administrator"), "no other");
    ok(identity_in_account(user, shop->account) && identity_in_account(user, "shop-first"), "a member, by id and name");
    ok(!identity_in_account(user, shop->account2) && !identity_in_account(user, "shop-second"), "not of the other");
    ok(identity_in_team(user, shop->team), "in the team, by id");
    ok(!identity_in_team(user, "shop team") && !identity_in_team(user, "Shop Team"), "A2: a team's name is never met");
    ok(!identity_in_team(user, "shop"), "in no other");
    ok(identity_in_entity(user, shop->entity) && identity_in_entity(user, "shop"), "of the entity, by id and name");
    ok(!identity_in_entity(user, "other"), "of no other");
    is_str(identity_permission_list(door->pool, user, account, 1000), "USER.MORTAL.VIEW", "the list");
    is_str(identity_permission_list(door->pool, user, account, 3), "", "... cut at a name");
}

static void test_accounts(void)
{
    principal(bearer(login("admin@shop.example")));
    ok(!found.account_id, "of two accounts none is the one");
    ok(identity_may(found.principal, NULL, "USER.MORTAL.UPDATE"), "what is held in each");
    is_str(identity_permission_list(door->pool, found.principal, NULL, 100), "*", "the list of all");
    change(text("UPDATE memberships SET type = 'USER' WHERE user_id = '%s' AND account_id = '%s'", shop->admin_id,
                shop->account2));
    const char *token = login("admin@shop.example");
    principal(bearer(token));
    ok(!identity_may(found.principal, NULL, "USER.MORTAL.UPDATE"), "what is held in one only: not");
    sent_t sent = bearer(token);
    sent.headers.platform_id = shop->account;
    principal(sent);
    is_str(found.account_id, shop->account, "X-Platform-Id says which");
    ok(identity_may(found.principal, found.account_id, "USER.MORTAL.UPDATE"), "... and then it is");
    sent.headers.platform_id = door->account_id;
    is_str(principal(sent), "403", "another's account");
    sent = key(shop->key);
    sent.headers.platform_id = shop->account2;
    is_str(principal(sent), text("200 %s key", shop->key_id), "a key in an account of its entity");
    sent.headers.platform_id = door->account_id;
    is_str(principal(sent), "403", "... and not in another's");
    principal(key(shop->key));
    ok(!identity_has_role(found.principal, NULL, "shop-parent"), "a key has no role");
    ok(!identity_in_account(found.principal, "shop-first"), "... is no member");
    ok(identity_in_entity(found.principal, "shop"), "... but of its entity");
    change(text("DELETE FROM memberships WHERE user_id = '%s'", shop->admin_id));
    principal(bearer(token));
    ok(!identity_may(found.principal, NULL, "USER.MORTAL.VIEW"), "without a membership: nothing");
}

static void test_windows(void)
{
    const char *token = login("user@shop.example");
    apr_time_t start = door->now + apr_time_from_sec(600), end = start + apr_time_from_sec(600);

    change(text("UPDATE team_members SET start_at = %" APR_INT64_T_FMT ", end_at = %" APR_INT64_T_FMT
                " WHERE user_id = '%s'",
                start, end, shop->user));
    principal(bearer(token));
    ok(!identity_in_team(found.principal, shop->team), "before its time: not in the team");
    ok(found.principal->changes_at == start, "... until then");
    pass(601);
    principal(bearer(token));
    ok(identity_in_team(found.principal, shop->team), "in its time");
    ok(found.principal->changes_at == end, "... until that ends");
    pass(601);
    principal(bearer(login("user@shop.example")));
    ok(!identity_in_team(found.principal, shop->team), "afterwards");
    ok(found.principal->changes_at == 0, "... for good");
}

int main(void)
{
    serve_begin();
    shop = world_make("shop");
    test_credentials();
    test_end();
    test_faults();
    test_strangers();
    test_password();
    test_password_ends();
    test_rehash();
    test_throttled();
    test_cookie();
    test_origin();
    test_standing();
    test_accounts();
    test_windows();
    test_idle();
    return serve_end();
}
