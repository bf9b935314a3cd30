/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication providers. route list_authentication_providers create_authentication_provider
 * get_authentication_provider update_authentication_provider enabled_authentication_providers */
#include "serve.h"

#define PROVIDERS    "/v1/authentication-providers"
#define OIDC(issuer) "{\"variant\":\"OIDC\",\"issuer\":\"" issuer "\",\"client_id\":\"client\"}"

static const char *last_audit(const char *columns)
{
    return rows(text("SELECT %s FROM audit_records ORDER BY id DESC LIMIT 1", columns));
}

static door_answer_t make(const char *body)
{
    return post(PROVIDERS, door->key, body);
}

static const char *made(const char *body)
{
    door_answer_t answer = make(body);
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

static const char *path_to(const char *id)
{
    return text(PROVIDERS "/%s", id);
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

static void test_create(void)
{
    static const struct {
        const char *body, *shown; /* what follows entity_id */
    } cases[] = {
        {"{\"type\":\"DEFAULT\"}", "\"type\":\"DEFAULT\",\"name\":\"Password\",\"status\":\"ENABLED\""},
        {"{\"type\":\"DEFAULT\",\"name\":\"Log in\",\"status\":\"DISABLED\",\"sso\":null,\"client_secret\":\"x\"}",
         "\"type\":\"DEFAULT\",\"name\":\"Log in\",\"status\":\"DISABLED\""},
        {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\"}}",
         "\"type\":\"SSO\",\"name\":\"Google\",\"status\":\"ENABLED\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_"
         "domains\":[],"
         "\"issuer\":null,\"client_id\":null}"},
        {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":\"acme\",\"secret\":\"x\"},"
         "\"microsoft\":null,\"allowed_domains\":[\"Example.ORG\",\"b.example\",\"example.org\"]}}",
         "\"type\":\"SSO\",\"name\":\"Okta\",\"status\":\"ENABLED\",\"sso\":{\"variant\":\"OKTA\","
         "\"allowed_domains\":[\"example.org\",\"b.example\"],\"okta\":{\"connection\":\"acme\"},"
         "\"issuer\":null,\"client_id\":null}"},
        {"{\"type\":\"SSO\",\"name\":\"Work\",\"sso\":{\"variant\":\"MICROSOFT\",\"microsoft\":{\"connection\":"
         "\"tenant\"}}}",
         "\"type\":\"SSO\",\"name\":\"Work\",\"status\":\"ENABLED\",\"sso\":{\"variant\":\"MICROSOFT\",\"allowed_"
         "domains\":[],"
         "\"microsoft\":{\"connection\":\"tenant\"},\"issuer\":null,\"client_id\":null}"},
        {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"https://login.example.org/a\",\"client_id\":\"c "
         "1\","
         "\"client_secret\":\"hush\"}}",
         "\"type\":\"SSO\",\"name\":\"OpenID Connect\",\"status\":\"ENABLED\",\"sso\":{\"variant\":\"OIDC\","
         "\"allowed_domains\":[],\"issuer\":\"https://login.example.org/a\","
         "\"client_id\":\"c 1\"}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = make(cases[i].body);
        accepted(answer, 201, "create %s", cases[i].body);
        const char *id = door_text(&answer, "id");
        ok(identity_id_valid(id, "auth"), "... has an id");
        is_str(answer.text, text("{\"id\":\"%s\",\"entity_id\":\"%s\",%s}", id, door->entity_id, cases[i].shown),
               "... the whole of it");
        is_str(last_audit("action, user_id, target_resource_type, target_id"),
               text("CREATE|%s|AUTHENTICATION_PROVIDER|%s", identity_key_id(door->pool, door->key), id),
               "... an audit record # security 82");
        door_answer_t again = get(path_to(id), door->key);
        accepted(again, 200, "get");
        is_str(again.text, answer.text, "... is what was answered");
        is_str(rows(text("SELECT count(*) FROM providers WHERE settings LIKE '%%hush%%' OR client_id LIKE '%%hush%%'")),
               "0", "... and holds no secret # security 95");
        is_str(patch(path_to(id), door->key, answer.text).text, answer.text, "what was read may be sent back");
    }
}

static const struct {
    const char *body, *code, *field;
} faults[] = {
    {"{}", "MISSING_FIELD", "type"},
    {"{\"type\":null}", "MISSING_FIELD", "type"},
    {"{\"type\":\"SAML\"}", "INVALID_FIELD", "type"},
    {"{\"type\":\"DEFAULT\",\"name\":\"\"}", "INVALID_FIELD", "name"},
    {"{\"type\":\"DEFAULT\",\"name\":\"a\\u0007\"}", "INVALID_FIELD", "name"},
    {"{\"type\":\"DEFAULT\",\"status\":\"ON\"}", "INVALID_FIELD", "status"},
    {"{\"type\":\"DEFAULT\",\"sso\":{\"variant\":\"GOOGLE\"}}", "INVALID_FIELD", "sso"},
    {"{\"type\":\"SSO\"}", "MISSING_FIELD", "sso"},
    {"{\"type\":\"SSO\",\"sso\":null}", "MISSING_FIELD", "sso"},
    {"{\"type\":\"SSO\",\"sso\":[]}", "INVALID_FIELD", "sso"},
    {"{\"type\":\"SSO\",\"sso\":{}}", "MISSING_FIELD", "sso.variant"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"SAML\"}}", "INVALID_FIELD", "sso.variant"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\"}}", "MISSING_FIELD", "sso.okta.connection"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{}}}", "MISSING_FIELD", "sso.okta.connection"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":7}}}", "INVALID_FIELD",
     "sso.okta.connection"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":\"x\"}}", "INVALID_FIELD", "sso.okta"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"MICROSOFT\"}}", "MISSING_FIELD", "sso.microsoft.connection"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\",\"okta\":{\"connection\":\"x\"}}}", "INVALID_FIELD",
     "sso.okta"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":\"x\"},\"microsoft\":{}}}",
     "INVALID_FIELD", "sso.microsoft"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\",\"issuer\":\"https://x.example\"}}", "INVALID_FIELD",
     "sso.issuer"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\",\"client_id\":\"x\"}}", "INVALID_FIELD", "sso.client_id"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"client_id\":\"x\"}}", "MISSING_FIELD", "sso.issuer"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"https://x.example\"}}", "MISSING_FIELD",
     "sso.client_id"},
    {"{\"type\":\"SSO\",\"sso\":" OIDC("http://x.example") "}", "INVALID_FIELD", "sso.issuer"},
    {"{\"type\":\"SSO\",\"sso\":" OIDC("https://x.example/?a=b") "}", "INVALID_FIELD", "sso.issuer"},
    {"{\"type\":\"SSO\",\"sso\":" OIDC("") "}", "INVALID_FIELD", "sso.issuer"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_domains\":[\"a.example\",\"@b.example\"]}}",
     "INVALID_FIELD", "sso.allowed_domains.1"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_domains\":[\"localhost\"]}}", "INVALID_FIELD",
     "sso.allowed_domains.0"},
    {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_domains\":\"a.example\"}}", "INVALID_FIELD",
     "sso.allowed_domains"},
};

static void test_faults(void)
{
    const char *before = state();

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        refused(make(faults[i].body), 400, faults[i].code, faults[i].field, "create %s", faults[i].body);
    is_str(state(), before, "none of it changed a row");
    accepted(make("{\"type\":\"SSO\",\"sso\":" OIDC("http://127.0.0.1:9000") "}"), 201, "http on this machine itself");
}

/* ---- change ----------------------------------------------------------------------------------------------------- */

static void test_update(void)
{
    const char *id = made("{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":\"acme\"},"
                          "\"allowed_domains\":[\"a.example\"]}}");
    const struct {
        const char *body, *path, *value, *message;
    } steps[] = {
        {"{\"name\":\"Work\"}", "name", "\"Work\"", "Changed: name"},
        {"{\"status\":\"DISABLED\"}", "status", "\"DISABLED\"", "Changed: status"},
        {"{\"sso\":{\"allowed_domains\":[\"B.example\",\"a.example\"]}}", "sso.allowed_domains",
         "[\"b.example\",\"a.example\"]", "Changed: sso.allowed_domains"},
        {"{\"sso\":{\"okta\":{\"connection\":\"other\"}}}", "sso.okta", "{\"connection\":\"other\"}",
         "Changed: sso.okta.connection"},
        {"{\"sso\":{\"allowed_domains\":null}}", "sso.allowed_domains", "[]", "Changed: sso.allowed_domains"},
        {"{\"name\":null,\"status\":\"ENABLED\"}", "name", "\"Okta\"", "Changed: name status"},
        {"{\"sso\":{\"variant\":\"OIDC\",\"okta\":null,\"issuer\":\"https://x.example\",\"client_id\":\"c\"}}",
         "sso.okta", NULL, "Changed: sso.variant sso.okta sso.issuer sso.client_id"},
        {"{\"sso\":{\"issuer\":\"https://y.example/\"}}", "sso.client_id", "\"c\"", "Changed: sso.issuer"},
        {"{\"type\":\"DEFAULT\",\"sso\":null}", "sso", NULL, "Changed: type sso"},
        {"{\"type\":\"SSO\",\"sso\":{\"variant\":\"GOOGLE\"}}", "sso.variant", "\"GOOGLE\"", "Changed: type sso"},
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        door_answer_t answer = patch(path_to(id), door->key, steps[i].body);
        accepted(answer, 200, "change %s", steps[i].body);
        is_str(json_at(&answer, steps[i].path), steps[i].value, "... %s", steps[i].path);
        is_str(last_audit("action, target_id, message"), text("UPDATE|%s|%s", id, steps[i].message),
               "... is on record # security 82");
        is_str(get(path_to(id), door->key).text, answer.text, "... and stays");
    }
    const char *before = state();
    static const char *const nothing[] = {"{}", "{\"type\":null,\"status\":null,\"unknown\":1}",
                                          "{\"sso\":{\"variant\":null,\"okta\":null}}", "{\"name\":\"Okta\"}"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        accepted(patch(path_to(id), door->key, nothing[i]), 200, "%s changes nothing", nothing[i]);
    static const struct {
        const char *body, *code, *field;
    } wrong[] = {{"{\"type\":\"DEFAULT\"}", "INVALID_FIELD", "sso"},
                 {"{\"sso\":null}", "MISSING_FIELD", "sso"},
                 {"{\"sso\":{\"variant\":\"OKTA\"}}", "MISSING_FIELD", "sso.okta.connection"},
                 {"{\"sso\":{\"okta\":{\"connection\":\"x\"}}}", "INVALID_FIELD", "sso.okta"},
                 {"{\"sso\":{\"variant\":\"OIDC\",\"client_id\":\"x\"}}", "MISSING_FIELD", "sso.issuer"},
                 {"{\"status\":\"GONE\"}", "INVALID_FIELD", "status"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refused(patch(path_to(id), door->key, wrong[i].body), 400, wrong[i].code, wrong[i].field, "change %s",
                wrong[i].body);
    refused(patch(path_to(id), door->other_key, "{\"name\":\"x\"}"), 404, "RESOURCE_NOT_FOUND", "",
            "another entity's # security 60");
    refused(get(path_to(id), door->other_key), 404, "RESOURCE_NOT_FOUND", "",
            "which is not shown either # security 60");
    is_str(state(), before, "none of it changed a row");
}

/* A provider lets people into every account. */
static void test_lacking(void)
{
    const char *half = login("half@example.org"), *keeper = login("keeper@example.org"),
               *id = made("{\"type\":\"DEFAULT\"}"), *before = state();

    refused(post(PROVIDERS, half, "{\"type\":\"DEFAULT\"}"), 403, "USER_NOT_ALLOWED", "",
            "an administrator of one of two accounts makes none # security 62");
    refused(patch(path_to(id), half, "{\"status\":\"DISABLED\"}"), 403, "USER_NOT_ALLOWED", "", "nor changes one");
    accepted(get(path_to(id), half), 200, "but sees it");
    accepted(get(PROVIDERS, half), 200, "and the list");
    is_str(state(), before, "none of it changed a row");
    accepted(patch(path_to(id), keeper, "{\"status\":\"DISABLED\"}"), 200, "who may in all accounts does");
    accepted(post(PROVIDERS, keeper, "{\"type\":\"DEFAULT\"}"), 201, "one or the other");
}

static void test_list(void)
{
    door_answer_t all = get(PROVIDERS "?order_direction=asc&limit=500", door->key);
    size_t count = size_at(&all, "data"), seen = 0;
    const char *next = PROVIDERS "?order_direction=asc&limit=3", *order = "";

    is_str(members_at(&all, ""), "data,links,page,limit,total_number_of_pages", "the wrapper");
    while (next && seen < 100) {
        door_answer_t page = get(next, door->key);
        for (size_t i = 0; i < size_at(&page, "data"); i++, seen++)
            order = text(
                "%s%d", order,
                strcmp(door_text(&page, text("data.%d.id", (int)i)), door_text(&all, text("data.%d.id", (int)seen))));
        next = door_text(&page, "links.next");
    }
    is_int(seen, count, "all of them by following next");
    is_int(strspn(order, "0"), count, "... in their order");
    refused(get(PROVIDERS "?order_by=name", door->key), 400, "INVALID_FIELD", "order_by", "no other order");
}

/* ---- enabled ---------------------------------------------------------------------------------------------------- */

static const char *ask_body(const char *token, const char *email)
{
    return text("{\"token\":\"%s\",\"email\":\"%s\"}", token, email);
}

static door_answer_t ask(const char *token, const char *email)
{
    return post(PROVIDERS "/enabled", NULL, ask_body(token, email));
}

static const char *invited(const char *address, const char *memberships)
{
    accepted(post("/v1/users/invite", door->key,
                  text("{\"username\":\"%s\",\"account_memberships\":[%s]}", address, memberships)),
             200, "%s is invited", address);
    return door_mailed_token(door, address);
}

static const char *names_of(const door_answer_t *answer)
{
    const char *names = "";
    for (size_t i = 0; i < size_at(answer, "data"); i++)
        names = text("%s%s%s", names, i ? " " : "", door_text(answer, text("data.%d.name", (int)i)));
    return names;
}

static const char *test_enabled(void)
{
    change("DELETE FROM providers");
    made("{\"type\":\"DEFAULT\",\"name\":\"password\"}");
    made("{\"type\":\"DEFAULT\",\"name\":\"off\",\"status\":\"DISABLED\"}");
    made("{\"type\":\"SSO\",\"name\":\"any\",\"sso\":{\"variant\":\"GOOGLE\"}}");
    made("{\"type\":\"SSO\",\"name\":\"ours\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_domains\":[\"b.example\",\"A."
         "example\"]}}");
    made("{\"type\":\"SSO\",\"name\":\"theirs\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_domains\":[\"c.example\"]}}");
    made("{\"type\":\"SSO\",\"name\":\"closed\",\"status\":\"DISABLED\",\"sso\":{\"variant\":\"GOOGLE\",\"allowed_"
         "domains\":[\"a.example\"]}}");
    accepted(post(PROVIDERS, door->other_key, "{\"type\":\"DEFAULT\",\"name\":\"foreign\"}"), 201,
             "(another entity's)");
    const char *token = invited("Mia@A.example", member(door->account_id, "USER", "")), *before = state();

    door_answer_t answer = ask(token, "mia@a.EXAMPLE");
    accepted(answer, 200, "an invited person asks");
    is_str(members_at(&answer, ""), "data,links,page,limit,total_number_of_pages", "the wrapper");
    is_str(names_of(&answer), "ours any password", "what is enabled and open to the address");
    is_str(json_at(&answer, "data.0.sso.allowed_domains"), "[\"a.example\"]", "and nothing of other domains");
    ok(!strstr(answer.text, "c.example") && !strstr(answer.text, "b.example"), "anywhere");
    is_str(names_of((door_answer_t[]){ask(token, "Mia@A.example")}), "ours any password", "again: nothing is spent");
    answer = post(PROVIDERS "/enabled?limit=2", NULL, ask_body(token, "mia@a.example"));
    is_str(names_of(&answer), "ours any", "by pages");
    answer = post(door_text(&answer, "links.next"), NULL, ask_body(token, "mia@a.example"));
    is_str(names_of(&answer), "password", "that lead on");
    is_str(state(), before, "none of it changed a row");

    door_answer_t unknown =
        ask(identity_token_make(door->pool, IDENTITY_TOKEN_INVITE, &door->env.random), "mia@a.example");
    refused(unknown, 400, "INVALID_FIELD", "token", "an unknown token");
    door_answer_t activation = post("/v1/oauth/activate-user", NULL,
                                    text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}",
                                         identity_token_make(door->pool, IDENTITY_TOKEN_INVITE, &door->env.random)));
    is_str(unknown.text, activation.text, "... in the words of activate-user");
    const char *const strangers[] = {"joe@a.example", "mia@c.example", "", "mia", "mia@a.example "};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        is_str(ask(token, strangers[i]).text, unknown.text, "the token and \"%s\": the same", strangers[i]);
    is_str(ask("x", "mia@a.example").text, unknown.text, "what is no token: the same");
    refused(post(PROVIDERS "/enabled", NULL, "{\"token\":\"x\"}"), 400, "MISSING_FIELD", "email", "no email");
    refused(post(PROVIDERS "/enabled", NULL, "{\"email\":\"mia@a.example\"}"), 400, "MISSING_FIELD", "token",
            "no token");
    door->insecure = true;
    refused(ask(token, "mia@a.example"), 403, "USER_NOT_ALLOWED", "", "not in clear text");
    door->insecure = false;
    return token;
}

/* Expired, replaced, revoked, used. */
static void test_ended_tokens(const char *token)
{
    const char *unknown = ask("x", "mia@a.example").text;

    change("UPDATE secrets SET expires_at = 1 WHERE kind = 'invite' AND ended_at = 0");
    door_answer_t late = ask(token, "mia@a.example");
    refused(late, 400, "INVALID_FIELD", "token", "an expired token");
    door_answer_t activation =
        post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    is_str(late.text, activation.text, "... in the words of activate-user");
    ok(strcmp(late.text, unknown) != 0, "... which are others");
    is_str(ask(token, "joe@a.example").text, unknown, "but only to whom it was sent");
    const char *newer = invited("mia@a.example", member(door->account_id, "USER", ""));
    is_str(ask(token, "mia@a.example").text, unknown, "a replaced one is as unknown # security 24");
    accepted(ask(newer, "mia@a.example"), 200, "its successor is good");
    accepted(post("/v1/users/revoke-invite", door->key, "{\"username\":\"mia@a.example\"}"), 200,
             "until it is revoked");
    is_str(ask(newer, "mia@a.example").text, unknown, "which is as unknown # security 24");
    token = invited("mia@a.example", member(door->account_id, "USER", ""));
    post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    is_str(ask(token, "mia@a.example").text, unknown, "and so is a used one");
    token = invited("mia@a.example", member(door->second_account_id, "USER", ""));
    is_str(names_of((door_answer_t[]){ask(token, "mia@a.example")}), "ours any password",
           "who is added to may ask too");
}

int main(void)
{
    serve_begin();
    person_with("half@example.org", "ADMIN", "");
    door_person(door, "keeper@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "USER", named("Role Administrator")),
                     member(door->second_account_id, "USER", named("Role Administrator"))));
    get(PROVIDERS, door->other_key); /* writes the last use of the key */
    test_create();
    test_faults();
    test_update();
    test_lacking();
    test_list();
    test_ended_tokens(test_enabled());
    return serve_end();
}
