/* SPDX-License-Identifier: Apache-2.0 */
/* The database fails at every statement of every kind of call, one after the other: 503, nothing half made, and the
 * same request done afterwards (security 86). */
#include "routes.h"
#include "users/users.h"
#include "oauth.h"
#include "serve_retries.h"

#define STATEMENTS_MAX 100

/* A process for each statement: with sanitizers each takes a tenth of a second. */
#ifdef __SANITIZE_ADDRESS__
#define RETRY_STEP 7
#else
#define RETRY_STEP 1
#endif

typedef struct attempt {
    const char *what, *method, *path, *credential, *cookie, *body;
    int outcome; /* of the request when nothing fails */
} attempt_t;

static const char *ada, *ada_id, *bob_id;

/* What is no JSON is a form, and its refusals are RFC 6749's. */
static bool is_form(const attempt_t *attempt)
{
    return attempt->body && attempt->body[0] != '{';
}

static door_answer_t call(const attempt_t *attempt)
{
    door->cookie = attempt->cookie;
    door->content_type = is_form(attempt) ? "application/x-www-form-urlencoded" : NULL;
    door_answer_t answer = door_call(door, attempt->method, attempt->path, attempt->credential, attempt->body);
    door->cookie = door->content_type = NULL;
    return answer;
}

static void unavailable(const attempt_t *attempt, door_answer_t answer, const char *why)
{
    if (is_form(attempt))
        denied(answer, "503 temporarily_unavailable", "%s: %s # security 86", attempt->what, why);
    else
        refused(answer, 503, "INTERNAL_ERROR", "", "%s: %s # security 86", attempt->what, why);
}

/* The Nth statement fails, for N from 1 until no statement is left to fail. */
static void exhaust(const attempt_t *attempt)
{
    const char *before = state();
    int n;

    for (n = 1; n < STATEMENTS_MAX; n++) {
        door->fail_after = n;
        door_answer_t answer = call(attempt);
        bool failed = door->fail_after <= 0;
        door->fail_after = 0;
        if (!failed) {
            is_int(answer.status, attempt->outcome, "%s: done, when none of %d statements fails", attempt->what, n - 1);
            break;
        }
        unavailable(attempt, answer, text("statement %d fails", n));
        is_str(state(), before, "... and nothing is half made");
    }
    ok(n > 1 && n < STATEMENTS_MAX, "%s: every statement was tried", attempt->what);
}

/* Neither a connection nor the writers' gate is to be had. */
static bool closed(void *context)
{
    (void)context;
    return false;
}

static void starve(const attempt_t *attempt, bool writes)
{
    const char *before = state();
    bool (*enter)(void *) = door->env.enter_write;

    door->refuse_borrow = true;
    door_answer_t answer = call(attempt);
    door->refuse_borrow = false;
    unavailable(attempt, answer, "no connection");
    door->env.enter_write = closed;
    answer = call(attempt);
    door->env.enter_write = enter;
    if (writes)
        unavailable(attempt, answer, "the writers' gate is closed");
    else
        is_int(answer.status, attempt->outcome, "%s: needs no writers' gate", attempt->what);
    is_str(state(), before, "... and nothing is changed");
}

static door_answer_t called(const void *data)
{
    return call(data);
}

/* The Nth statement finds that its transaction was given up, or that the connection is dead: the request is answered,
 * and leaves the database, as if nothing had been. */
static void retry(const attempt_t *attempt)
{
    const retried_t plain = retried(called, attempt, 0, IDENTITY_DB_OK);
    retried_t again = {.reached = true};
    int n;

    for (n = 1; again.reached && n < STATEMENTS_MAX; n += RETRY_STEP) {
        again = retried(called, attempt, n, IDENTITY_DB_RETRY);
        if (strcmp(again.result, plain.result) != 0)
            is_str(again.result, plain.result, "%s: statement %d is given up", attempt->what, n);
    }
    ok(n > RETRY_STEP && !again.reached, "%s: the same, whichever statement answers RETRY", attempt->what);
    again = retried(called, attempt, 1, IDENTITY_DB_LOST);
    is_str(again.result, plain.result, "%s: the same, where the connection had died unused", attempt->what);
}

/* ---- what is tried ---------------------------------------------------------------------------------------------- */

static void try(const attempt_t *attempt)
{
    /* A POST that asks. */
    starve(attempt, strcmp(attempt->method, "GET") != 0 && !strstr(attempt->path, "/enabled") &&
                        !strstr(attempt->path, "/describe-link"));
    retry(attempt);
    exhaust(attempt);
}

/* route invite_user revoke_invite create_user update_user add_user_membership update_user_membership add_user_team
 * list_user_teams */
static void test_users(void)
{
    const char *roles = ",\"roles\":[{\"name\":\"Quote Viewer\"},{\"name\":\"Clerk\"}]";
    const char *given = text("\"account_memberships\":[%s],\"team_memberships\":[{\"team_id\":\"%s\"}]",
                             member(door->account_id, "USER", roles), serve_team("Team"));
    const char *more = text("\"account_memberships\":[%s]", member(door->second_account_id, "USER", roles));
    const char *joined = serve_team("Joined");
    serve_team_gives(joined, door->account_id, "USER", "");
    const attempt_t attempts[] = {
        {"invite", "POST", "/v1/users/invite", door->key, NULL, text("{\"username\":\"n1@example.org\",%s}", given),
         200},
        {"invite again", "POST", "/v1/users/invite", door->key, NULL,
         text("{\"username\":\"n1@example.org\",%s}", more), 200},
        {"invite somebody active", "POST", "/v1/users/invite", door->key, NULL,
         text("{\"username\":\"bob@example.org\",%s}", more), 200},
        {"revoke", "POST", "/v1/users/revoke-invite", door->key, NULL, "{\"username\":\"n1@example.org\"}", 200},
        {"create with a password", "POST", "/v1/users", door->key, NULL,
         "{\"username\":\"n2@example.org\",\"password\":\"" PASSWORD "\"}", 201},
        {"create without", "POST", "/v1/users", door->key, NULL, "{\"username\":\"n3@example.org\"}", 201},
        {"give a membership", "POST", text("/v1/users/%s/memberships", bob_id), ada, NULL,
         member(door->account_id, "USER", roles), 201},
        {"change a membership", "PATCH",
         rows("SELECT '/v1/users/' || u.id || '/memberships/' || m.id FROM users u JOIN memberships m ON m.user_id = "
              "u.id "
              "WHERE u.canonical = 'eve@example.org'"),
         ada, NULL, text("{\"type\":\"ADMIN\"%s}", named("Clerk")), 200},
        {"join a team", "POST", text("/v1/users/%s/teams", bob_id), ada, NULL, text("{\"team_id\":\"%s\"}", joined),
         201},
        {"list teams of a user", "GET", text("/v1/users/%s/teams", bob_id), ada, NULL, NULL, 200},
        {"change one's own password", "PATCH", text("/v1/users/%s", ada_id), ada, NULL,
         "{\"password\":\"Another1one\",\"current_password\":\"" PASSWORD "\"}", 200},
        {"deactivate", "PATCH", text("/v1/users/%s", bob_id), ada, NULL, "{\"status\":\"INACTIVE\"}", 200},
        {"list", "GET", "/v1/users?limit=2", ada, NULL, NULL, 200},
        {"search", "GET", "/v1/users/search", door->key, NULL, NULL, 200},
        {"get", "GET", text("/v1/users/%s", bob_id), ada, NULL, NULL, 200},
        {"list memberships", "GET", text("/v1/users/%s/memberships", bob_id), ada, NULL, NULL, 200},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
}

/* route create_invitation list_invitations get_invitation update_invitation */
static void test_invitations(void)
{
    post("/v1/users/invite", door->key,
         text("{\"username\":\"faulty@example.org\",\"account_memberships\":[%s]}",
              member(door->account_id, "USER", named("Clerk"))));
    const char *path =
        text("/v1/invitations/%s", rows("SELECT id FROM invitations WHERE email = 'faulty@example.org'"));
    const attempt_t attempts[] = {
        {"invite to an account", "POST", "/v1/invitations", ada, NULL,
         "{\"email\":\"n4@example.org\",\"roleID\":\"clerk\"}", 201},
        {"invite somebody active to an account", "POST", "/v1/invitations", ada, NULL,
         "{\"email\":\"stranger@example.org\",\"roleID\":\"clerk\"}", 201},
        {"list invitations", "GET", "/v1/invitations?limit=1", ada, NULL, NULL, 200},
        {"get an invitation", "GET", path, ada, NULL, NULL, 200},
        {"send an invitation again", "POST", path, ada, NULL, NULL, 200},
        {"revoke an invitation", "POST", path, ada, NULL, "{\"state\":\"revoked\"}", 200},
    };

    door_person(door, "stranger@example.org", PASSWORD, NULL);
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
}

/* route create_team list_teams get_team add_team_membership */
static void test_teams(void)
{
    const char *team = text("/v1/teams/%s", serve_team("Faulty"));
    const attempt_t attempts[] = {
        {"create a team", "POST", "/v1/teams", ada, NULL, "{\"name\":\"Another\"}", 201},
        {"give a team a membership", "POST", text("%s/memberships", team), ada, NULL,
         member(door->account_id, "USER", named("Clerk")), 201},
        {"get a team", "GET", team, ada, NULL, NULL, 200},
        {"list teams", "GET", "/v1/teams", ada, NULL, NULL, 200},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
}

/* route create_authentication_provider update_authentication_provider get_authentication_provider
 * list_authentication_providers list_audit_records get_audit_record */
static void test_providers(void)
{
    door_answer_t made = post("/v1/authentication-providers", door->key, "{\"type\":\"DEFAULT\"}");
    const char *path = text("/v1/authentication-providers/%s", door_text(&made, "id"));
    post("/v1/authentication-providers", door->key, "{\"type\":\"DEFAULT\"}"); /* stays ENABLED */
    const attempt_t attempts[] = {
        {"create a provider", "POST", "/v1/authentication-providers", door->key, NULL,
         "{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\"}}", 201},
        {"create a provider as a user", "POST", "/v1/authentication-providers", ada, NULL, "{\"type\":\"DEFAULT\"}",
         403},
        {"change a provider", "PATCH", path, door->key, NULL, "{\"status\":\"DISABLED\"}", 200},
        {"get a provider", "GET", path, ada, NULL, NULL, 200},
        {"list providers", "GET", "/v1/authentication-providers?limit=1", ada, NULL, NULL, 200},
        {"list audit records", "GET", "/v1/audit-records?limit=1&target_type=USER", ada, NULL, NULL, 200},
        {"get an audit record", "GET",
         text("/v1/audit-records/%s",
              rows("SELECT id FROM audit_records WHERE target_resource_type = 'API_KEY' LIMIT 1")),
         door->key, NULL, NULL, 200},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
}

/* route create_role list_roles get_role update_role delete_role */
static void test_roles(void)
{
    const char *viewer = role_named("Quote Viewer"), *clerk = role_named("Clerk");
    door_answer_t made =
        post("/v1/roles", door->key,
             text("{\"name\":\"Present\",\"permissions\":[\"SITE.A\"],\"child_role_ids\":[\"%s\"]}", clerk));
    const char *path = text("/v1/roles/%s", door_text(&made, "id"));
    const char *all = text("{\"name\":\"Next\",\"description\":\"x\",\"permissions\":[\"SITE.B\"],"
                           "\"child_role_ids\":[\"%s\"]}",
                           viewer);
    const attempt_t attempts[] = {
        {"create a role", "POST", "/v1/roles", door->key, NULL,
         text("{\"name\":\"Own\",\"permissions\":[\"SITE.A\",\"SITE.B\"],\"child_role_ids\":[\"%s\",\"%s\"]}", viewer,
              clerk),
         200},
        {"list roles", "GET", "/v1/roles?include_child_roles=true&limit=500", door->key, NULL, NULL, 200},
        {"get a role", "GET", path, door->key, NULL, NULL, 200},
        {"change a role", "PATCH", path, door->key, NULL, all, 200},
        {"give a role a taken name", "PATCH", path, door->key, NULL, "{\"name\":\"Own\"}", 409},
        {"change a role as a user of one account", "PATCH", path, ada, NULL, "{\"permissions\":[]}", 403},
        {"delete a role", "DELETE", path, door->key, NULL, NULL, 200},
        {"delete a role in use", "DELETE", text("/v1/roles/%s", clerk), door->key, NULL, NULL, 409},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
}

/* route create_api_key list_api_keys search_api_key get_api_key update_api_key decrypt_api_key */
static void test_keys(void)
{
    door->settings.key_escrow = (const unsigned char *)"0123456789abcdef0123456789abcdef";
    door_answer_t made = post("/v1/api-keys", door->key, "{\"permissions\":[\"SITE.A\"]}");
    const char *path = text("/v1/api-keys/%s", door_text(&made, "id"));
    const char *all = "{\"status\":\"INACTIVE\",\"description\":\"x\",\"permissions\":[\"SITE.B\",\"SITE.C\"],"
                      "\"expires_at\":\"2040-01-01T00:00:00Z\",\"role_type\":\"READ_ONLY\"}";
    const attempt_t attempts[] = {
        {"create a key", "POST", "/v1/api-keys", door->key, NULL, "{\"permissions\":[\"QUOTE.VIEW\",\"SITE.A\"]}", 201},
        {"create a key as a user", "POST", "/v1/api-keys", ada, NULL,
         "{\"role_type\":\"READ_ONLY\",\"permissions\":[\"QUOTE.VIEW\"]}", 403},
        {"list keys", "GET", "/v1/api-keys", door->key, NULL, NULL, 200},
        {"get a key", "GET", path, door->key, NULL, NULL, 200},
        {"change a key as a user of one account", "PATCH", path, ada, NULL, "{\"status\":\"INACTIVE\"}", 403},
        {"change a key", "PATCH", path, door->key, NULL, all, 200},
    };
    /* The one reads by POST, the other is on record. */
    const attempt_t search = {
        "search a key", "POST", "/v1/api-keys/search", door->key, NULL, "{\"include_inactive\":true}", 200};
    const attempt_t decrypt = {"decrypt a key", "GET", text("%s/decrypt", path), door->key, NULL, NULL, 200};

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
    starve(&search, false);
    exhaust(&search);
    starve(&decrypt, true);
    exhaust(&decrypt);
}

static const char *mailed(const char *path, const char *body, const char *address)
{
    post(path, door->key, body);
    const char *token = door_mailed_token(door, address);
    return token ? token : (bail(text("no mail for %s", address)), NULL);
}

/* route obtain_token refresh_token logout request_password_reset reset_password activate_user
 * enabled_authentication_providers describe_link confirm_address */
static void test_oauth(void)
{
    const char *cookie, *spent, *bearer = door_login(door, "eve@example.org", PASSWORD, &cookie), *alias;
    identity_alias_row_t *made;
    identity_problem_t problem;
    const char *invited = mailed("/v1/users/invite", "{\"username\":\"fay@example.org\"}", "fay@example.org");
    const char *added = mailed("/v1/users/invite",
                               text("{\"username\":\"eve@example.org\",\"account_memberships\":[%s]}",
                                    member(door->second_account_id, "USER", "")),
                               "eve@example.org");

    identity_alias_add(door->pool, &door->env, "eve@example.org", NULL, apr_time_from_sec(86400), &alias, &made,
                       &problem);
    door_login(door, "eve@example.org", PASSWORD, &spent);
    door->cookie = spent;
    post("/v1/oauth/refresh-token", NULL, NULL);
    pass(11);
    const attempt_t attempts[] = {
        {"sign in", "POST", "/v1/oauth/token", NULL, NULL,
         "{\"username\":\"eve@example.org\",\"password\":\"" PASSWORD "\"}", 200},
        {"sign in with a wrong password", "POST", "/v1/oauth/token", NULL, NULL,
         "{\"username\":\"eve@example.org\",\"password\":\"x\"}", 401},
        {"sign in as nobody", "POST", "/v1/oauth/token", NULL, NULL,
         "{\"username\":\"nobody@example.org\",\"password\":\"x\"}", 401},
        {"sign in by an alias", "POST", "/v1/oauth/token", NULL, NULL, text("{\"token_alias\":\"%s\"}", alias), 200},
        {"refresh", "POST", "/v1/oauth/refresh-token", NULL, cookie, NULL, 200},
        {"refresh with a stolen token", "POST", "/v1/oauth/refresh-token", NULL, spent, NULL, 401},
        {"ask what a link is about", "POST", "/v1/oauth/describe-link", NULL, NULL, text("{\"token\":\"%s\"}", invited),
         200},
        {"ask for providers", "POST", "/v1/authentication-providers/enabled", NULL, NULL,
         text("{\"token\":\"%s\",\"email\":\"fay@example.org\"}", invited), 200},
        {"accept", "POST", "/v1/oauth/activate-user", NULL, NULL,
         text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", invited), 200},
        {"accept more", "POST", "/v1/oauth/activate-user", bearer, NULL, text("{\"token\":\"%s\"}", added), 200},
        {"log out", "POST", "/v1/oauth/logout", bearer, NULL, NULL, 200},
        {"ask for a reset", "POST", "/v1/oauth/request-password-reset", NULL, NULL, "{\"email\":\"eve@example.org\"}",
         200},
        {"ask for a reset as nobody", "POST", "/v1/oauth/request-password-reset", NULL, NULL,
         "{\"email\":\"nobody@example.org\"}", 200},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
    const char *token = door_mailed_token(door, "eve@example.org");
    const attempt_t reset = {"reset", "POST", "/v1/oauth/reset-password",
                             NULL,    NULL,   text("{\"token\":\"%s\",\"new_password\":\"Another1one\"}", token),
                             200};
    try(&reset);
}

/* route update_user confirm_address */
static void test_change_address(void)
{
    const char *bearer = door_login(door, "eve@example.org", "Another1one", NULL);
    const attempt_t move = {"ask for another address",
                            "PATCH",
                            text("/v1/users/%s", rows("SELECT id FROM users WHERE canonical = 'eve@example.org'")),
                            bearer,
                            NULL,
                            "{\"username\":\"eva@example.org\",\"current_password\":\"Another1one\"}",
                            200};
    try(&move);
    const char *token = door_mailed_token(door, "eva@example.org");
    const attempt_t confirm = {
        "confirm an address", "POST", "/v1/oauth/confirm-address", NULL, NULL, text("{\"token\":\"%s\"}", token), 200};
    try(&confirm);
}

#define TOKEN   "POST", "/v1/oauth/token", NULL, NULL
#define REVOKE  "POST", "/v1/oauth/revoke", NULL, NULL
#define INQUIRE "POST", "/v1/oauth/introspect", NULL, NULL

/* route obtain_token introspect_token revoke_token */
static void test_forms(void)
{
    door_answer_t live = form_login("eve@example.org"), spent = form_login("eve@example.org"),
                  ended = form_login("eve@example.org"), narrow;
    const char *client = text("client_id=%s&client_secret=%s", key_id(door->key), door->key);

    narrow = post("/v1/api-keys", door->key, "{\"permissions\":[\"USER.MORTAL.VIEW\"]}");
    const char *narrowed =
        text("client_id=%s&client_secret=%s", door_text(&narrow, "id"), door_text(&narrow, "api_key"));
    form_refresh(refresh_of(&spent));
    pass(11);
    const attempt_t attempts[] = {
        {"form: sign in", TOKEN, "grant_type=password&username=eve@example.org&password=" PASSWORD, 200},
        {"form: a wrong password", TOKEN, "grant_type=password&username=eve@example.org&password=x", 400},
        {"form: refresh", TOKEN, text("grant_type=refresh_token&refresh_token=%s", refresh_of(&live)), 200},
        {"form: a stolen token", TOKEN, text("grant_type=refresh_token&refresh_token=%s", refresh_of(&spent)), 400},
        {"form: a key", TOKEN, text("grant_type=client_credentials&%s", client), 200},
        {"form: a narrowed key", TOKEN, text("grant_type=client_credentials&%s", narrowed), 200},
        {"introspect a refresh token", INQUIRE,
         text("token_type_hint=refresh_token&token=%s&%s", refresh_of(&ended), client), 200},
        {"introspect an access token", INQUIRE, text("token=%s&%s", door_text(&ended, "access_token"), narrowed), 200},
        {"revoke a refresh token", REVOKE, text("token=%s&%s", refresh_of(&ended), client), 200},
        {"revoke an access token", REVOKE, text("token=%s", door_text(&live, "access_token")), 200},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        starve(&attempts[i], strcmp(attempts[i].path, "/v1/oauth/introspect") != 0);
        exhaust(&attempts[i]);
    }
}

/* route list_user_sessions end_user_session end_user_sessions obtain_token */
static void test_sessions(void)
{
    const char *eve = rows("SELECT id FROM users WHERE canonical = 'eve@example.org'"),
               *path = text("/v1/users/%s/sessions", eve);
    const attempt_t attempts[] = {
        {"list sessions", "GET", path, ada, NULL, NULL, 200},
        {"end a session", "DELETE",
         text("%s/%s", path, rows(text("SELECT max(id) FROM sessions WHERE user_id = '%s' AND ended_at = 0", eve))),
         ada, NULL, NULL, 200},
        {"end all sessions", "DELETE", path, ada, NULL, NULL, 200},
    };

    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        try(&attempts[i]);
    for (int i = 0; i < IDENTITY_SESSIONS_MAX; i++)
        login("eve@example.org");
    const attempt_t limit = {"sign in at the limit",
                             "POST",
                             "/v1/oauth/token",
                             NULL,
                             NULL,
                             "{\"username\":\"eve@example.org\",\"password\":\"" PASSWORD "\"}",
                             200};
    try(&limit);
}

/* ---- every route ------------------------------------------------------------------------------------------------ */

/* Each row of routes.def is met by one of the attempts above; the pages alone need no database. */
static void test_all_routes(void)
{
    const char *well_formed = "{\"username\":\"eve@example.org\",\"password\":\"x\",\"email\":\"eve@example.org\","
                              "\"name\":\"x\",\"account_id\":\"x\",\"captcha_token\":\"x\","
                              "\"type\":\"USER\",\"new_password\":\"" PASSWORD "\",\"status\":\"INACTIVE\"";
    const char *cookie;
    door_login(door, "fay@example.org", PASSWORD, &cookie);
    static const identity_captcha_t captcha = {.url = "http://127.0.0.1:1/", .secret = "x"}; /* never gets so far */
    door->settings.captcha = &captcha;
    door->settings.demo_account = "second";
    door->settings.sandbox = true;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        /* Without a provider nobody signs on at one: serve_sso_people.c. */
        if (route->handler == identity_op_authorize || route->handler == identity_op_oauth_callback)
            continue;
        const char *token = identity_token_make(door->pool,
                                                strstr(route->pattern, "reset")     ? IDENTITY_TOKEN_RESET
                                                : strstr(route->pattern, "confirm") ? IDENTITY_TOKEN_CHANGE
                                                                                    : IDENTITY_TOKEN_INVITE,
                                                &door->env.random);
        if (route->form && !route->body)
            continue; /* answered otherwise: test_forms */
        const char *path = "", *rest = route->pattern;
        for (const char *open; (open = strchr(rest, '{')) != NULL; rest = strchr(open, '}') + 1)
            path = text("%s%.*s%.*s%s", path, (int)(open - rest), rest, (int)strcspn(open + 1, "}"), open + 1,
                        strchr(bob_id, '_'));
        path = text("%s%s", path, rest);
        door->settings.openid = true;
        door->refuse_borrow = true;
        door->cookie = cookie;
        door_answer_t answer =
            door_call(door, route->method, path, route->credential == IDENTITY_CREDENTIAL_REQUIRED ? door->key : NULL,
                      route->body ? text("%s,\"token\":\"%s\"}", well_formed, token) : NULL);
        door->refuse_borrow = false;
        door->cookie = NULL;
        if (strcmp(route->method, "GET") == 0 && route->credential == IDENTITY_CREDENTIAL_NONE)
            is_int(answer.status,
                   strcmp(route->operation, "oidc_authorize") == 0  ? 503 /* which client is it? */
                   : strcmp(route->operation, "oidc_userinfo") == 0 ? 401 /* there is no token */
                                                                    : 200,
                   "%s needs no database", route->operation);
        else
            refused(answer, 503, "INTERNAL_ERROR", "", "%s without a database # security 86", route->operation);
    }
}

/* The key's last use is no reason to refuse the request. */
static void test_last_use(void)
{
    int failed = 0, n;

    for (n = 1; n < STATEMENTS_MAX; n++) {
        pass(61);
        door->fail_after = n;
        door_answer_t answer = get("/v1/users/search?username=ada@example.org", door->key);
        bool reached = door->fail_after <= 0;
        door->fail_after = 0;
        if (!reached)
            break;
        failed += answer.status == 503;
        ok(answer.status == 503 || answer.status == 200, "statement %d fails, where the last use is due: %d", n,
           answer.status);
    }
    ok(failed < n - 1, "a last use that could not be written refused nothing");
}

/* An outage uses up nobody's rate: what ended in 503 is not counted. */
static void test_rates(void)
{
    const char *body = "{\"username\":\"late@example.org\"}";

    door->settings.rates.of[IDENTITY_RATE_INVITE] = (identity_rate_t){2, apr_time_from_sec(3600)};
    for (int i = 1; i <= 5; i++) {
        door->fail_after = 6;
        refused(post("/v1/users/invite", door->key, body), 503, "INTERNAL_ERROR", "", "invitation %d fails", i);
    }
    door->fail_after = 0;
    is_int(post("/v1/users/invite", door->key, body).status, 200, "the first that is counted");
    is_int(post("/v1/users/invite", door->key, body).status, 200, "the second");
    is_int(post("/v1/users/invite", door->key, body).status, 429, "no third");
    door->settings.rates.of[IDENTITY_RATE_INVITE] = (identity_rate_t){0};
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = door_person(door, "bob@example.org", PASSWORD, "[]");
    person_with("eve@example.org", "USER", named("Quote Viewer"));
    post("/v1/roles", door->key, text("{\"name\":\"Clerk\",\"child_role_ids\":[\"%s\"]}", role_named("Wallet Viewer")));
    ada = login("ada@example.org");
    test_users();
    test_invitations();
    test_teams();
    test_providers();
    test_roles();
    test_keys();
    test_forms();
    test_sessions();
    test_oauth();
    test_change_address();
    test_all_routes();
    test_last_use();
    test_rates();
    return serve_end();
}
