/* SPDX-License-Identifier: Apache-2.0 */
/* GET /.well-known/jwks.json and /.well-known/oauth-authorization-server; what signing keys that come and go do to
 * tokens and to what is sealed. route get_jwks get_oauth_metadata */
#include "oauth.h"

#define METADATA "/.well-known/oauth-authorization-server"

static const char *pems[3];

static const identity_keyset_t *keys_of(int first, int count)
{
    const char *error = NULL;
    const identity_keyset_t *keys = identity_keyset_load(door->pool, pems + first, count, &error);
    return keys ? keys : (bail(error), NULL);
}

static int status_with(const char *bearer)
{
    return get("/v1/users/search?username=ada@example.org", bearer).status;
}

static const char *kid_of(const char *bearer)
{
    size_t size;
    const unsigned char *decoded =
        identity_base64url_decode(door->pool, apr_pstrmemdup(door->pool, bearer + 7, strcspn(bearer + 7, ".")), &size);
    json_t *head = identity_json_own(door->pool, json_loadb((const char *)decoded, size, 0, NULL));
    return json_string_value(json_object_get(head, "kid"));
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

static void test_jwks(void)
{
    door_answer_t answer = get("/.well-known/jwks.json", NULL);

    accepted(answer, 200, "the keys, for anybody");
    is_int(answer.statements, 0, "... cost the database nothing");
    is_str(header(&answer, "Cache-Control"), "public, max-age=300", "... may be kept for five minutes");
    is_str(members_at(&answer, ""), "keys", "... a set");
    is_int(size_at(&answer, "keys"), 2, "... of all that verify # security 49");
    is_str(members_at(&answer, "keys.0"), "kty,crv,x,y,use,alg,kid", "... public parts only");
    is_str(door_text(&answer, "keys.0.kid"), kid_of(login("ada@example.org")), "... the one that signs first");
    is_int(door_call(door, "HEAD", "/.well-known/jwks.json", NULL, NULL).status, 200, "HEAD");
    answer = post("/.well-known/jwks.json", NULL, "{}");
    refused(answer, 405, "INVALID_OPERATION", "", "POST");
    answer = get("/.well-known/jwks", NULL);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "what is near it");
    identity_headers_t none = {.api_key = NULL};
    answer = call_with("GET", "/.well-known/jwks.json", none, false, false, NULL);
    accepted(answer, 200, "there is nothing secret in it: without TLS too");
}

static bool has(const door_answer_t *answer, const char *list, const char *value)
{
    const json_t *array = door_at(answer->json, list);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), value) == 0)
            return true;
    return false;
}

/* The path of an endpoint, which must be ours. */
static const char *endpoint(const door_answer_t *metadata, const char *name)
{
    const char *url = door_text(metadata, name), *issuer = door_text(metadata, "issuer");
    if (!url || strncmp(url, issuer, strlen(issuer)) != 0)
        bail(text("%s: %s", name, url));
    return url + strlen(issuer);
}

/* A client by one of the named methods: the outcome of a call that needs one. */
static const char *outcome_by(const char *method, const char *path, const char *body)
{
    const char *key = door->key, *id = key_id(key);

    if (strcmp(method, "client_secret_basic") == 0)
        return oauth_outcome(form_with(path, basic(id, key), body));
    if (strcmp(method, "client_secret_post") == 0)
        return oauth_outcome(form(path, text("%s&client_id=%s&client_secret=%s", body, id, key)));
    if (strcmp(method, "Bearer") == 0)
        return oauth_outcome(form_with(path, with_authorization(login("ada@example.org")), body));
    return strcmp(method, "none") == 0 ? oauth_outcome(form(path, body)) : "an unknown method";
}

static void test_methods(const door_answer_t *metadata, const char *list, const char *path, const char *body)
{
    const json_t *array = door_at(metadata->json, list);

    ok(json_array_size(array) > 0, "%s is told # security 50", list);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *method = json_string_value(json_array_get(array, i));
        is_str(outcome_by(method, path, body), "200", "%s: %s # security 50", list, method);
    }
}

/* Every grant that is told works, every other one is refused (security 50). */
static void test_grants(const door_answer_t *metadata)
{
    const char *path = endpoint(metadata, "token_endpoint");
    const char *cookie;

    door_login(door, "ada@example.org", PASSWORD, &cookie);
    const struct {
        const char *grant, *body;
    } grants[] = {{"password", "username=ada@example.org&password=" PASSWORD},
                  {"refresh_token", text("refresh_token=%s", strchr(cookie, '=') + 1)},
                  {"client_credentials", text("client_id=%s&client_secret=%s", key_id(door->key), door->key)},
                  {"authorization_code", "code=x"},
                  {"implicit", ""},
                  {"urn:ietf:params:oauth:grant-type:device_code", "device_code=x"},
                  {"urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion=x"}};
    size_t known = 0;

    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++) {
        const char *grant = identity_query_escape(door->pool, grants[i].grant);
        bool listed = has(metadata, "grant_types_supported", grants[i].grant);
        known += listed;
        is_str(oauth_outcome(form(path, text("grant_type=%s&%s", grant, grants[i].body))),
               listed ? "200" : "400 unsupported_grant_type", "%s %s # security 50", grants[i].grant,
               listed ? "works as told" : "is not told, and refused");
    }
    is_int(known, size_at(metadata, "grant_types_supported"), "nothing else is told # security 50");
}

static void test_metadata(void)
{
    door_answer_t answer = get(METADATA, NULL);

    accepted(answer, 200, "the metadata, for anybody");
    is_int(answer.statements, 0, "... cost the database nothing");
    is_str(header(&answer, "Cache-Control"), "public, max-age=300", "... may be kept for five minutes");
    is_str(members_at(&answer, ""),
           "issuer,token_endpoint,jwks_uri,introspection_endpoint,revocation_endpoint,grant_types_supported,"
           "response_types_supported,token_endpoint_auth_methods_supported,"
           "introspection_endpoint_auth_methods_supported,revocation_endpoint_auth_methods_supported",
           "... members");
    door_answer_t in = form_login("ada@example.org");
    is_str(door_text(&answer, "issuer"), claim(&in, "iss"), "the issuer of tokens # security 50");
    is_int(size_at(&answer, "response_types_supported"), 0, "no authorization endpoint, no response type");
    door_answer_t jwks = get(endpoint(&answer, "jwks_uri"), NULL);
    accepted(jwks, 200, "the keys are where it says # security 50");
    test_grants(&answer);
    test_methods(&answer, "token_endpoint_auth_methods_supported", endpoint(&answer, "token_endpoint"),
                 "grant_type=password&username=ada@example.org&password=" PASSWORD);
    test_methods(&answer, "introspection_endpoint_auth_methods_supported", endpoint(&answer, "introspection_endpoint"),
                 "token=x");
    test_methods(&answer, "revocation_endpoint_auth_methods_supported", endpoint(&answer, "revocation_endpoint"),
                 "token=x");
    is_str(outcome_by("none", endpoint(&answer, "introspection_endpoint"), "token=x"), "401 invalid_client",
           "introspection without a credential is neither told nor served # security 50");
}

static void test_password_off(void)
{
    door->settings.password_grant = false;
    door_answer_t answer = get(METADATA, NULL);
    is_str(json_at(&answer, "grant_types_supported"), "[\"refresh_token\",\"client_credentials\"]",
           "IdentityPasswordGrant Off shows # security 50");
    denied(form_login("ada@example.org"), "400 unsupported_grant_type", "... and holds # security 50");
    door->settings.password_grant = true;
}

/* ---- keys that come and go (security 49) ---------------------------------------------------------------------------
 */

static void test_rotation(void)
{
    door->env.keys = keys_of(1, 1);
    const char *old = login("ada@example.org"), *cookie;
    door_login(door, "ada@example.org", PASSWORD, &cookie);
    post("/v1/users/invite", door->key, "{\"username\":\"sealed@example.org\"}");
    post("/v1/users/invite", door->key, "{\"username\":\"lost@example.org\"}");
    change("UPDATE outbox SET next_attempt_at = next_attempt_at + 3600000000 WHERE recipient = 'lost@example.org'");

    door->env.keys = keys_of(0, 2);
    is_int(status_with(old), 200, "a new key in front logs nobody out # security 49");
    const char *fresh = login("ada@example.org");
    is_str(kid_of(fresh), identity_keyset_kid(door->env.keys, 0), "... it signs # security 49");
    ok(strcmp(kid_of(fresh), kid_of(old)) != 0, "... by another name");
    door_answer_t jwks = get("/.well-known/jwks.json", NULL);
    is_str(door_text(&jwks, "keys.1.kid"), kid_of(old), "the old one is still published # security 49");
    door->cookie = cookie;
    door_answer_t refreshed = post("/v1/oauth/refresh-token", NULL, NULL);
    accepted(refreshed, 200, "a session of before goes on # security 49");
    is_str(kid_of(bearer_of(&refreshed)), kid_of(fresh), "... with the new key # security 49");
    ok(door_mailed_token(door, "sealed@example.org"), "a mail that was sealed under the old key goes out");

    door->env.keys = keys_of(0, 1);
    is_int(status_with(old), 401, "an old key that is taken out ends its tokens at once # security 49");
    is_int(status_with(fresh), 200, "... and nobody else's # security 49");
    jwks = get("/.well-known/jwks.json", NULL);
    is_int(size_at(&jwks, "keys"), 1, "... and is published no more");
    door->cookie = text("identity_refresh=%s", strchr(header(&refreshed, "Set-Cookie"), '=') + 1);
    ((char *)door->cookie)[strcspn(door->cookie, ";")] = '\0';
    refreshed = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    accepted(refreshed, 200, "sessions live on by their refresh tokens");
    pass(3601);
    ok(!door_mailed_token(door, "lost@example.org"), "a mail that was sealed under it does not go out");
    is_str(rows("SELECT state FROM outbox WHERE recipient = 'lost@example.org'"), "queued",
           "... yet: another process may have made a key just now");
    for (int i = 0; i < 3; i++) {
        pass(60);
        ok(!door_mailed_token(door, "lost@example.org"), "... nor later");
    }
    is_str(rows("SELECT state FROM outbox WHERE recipient = 'lost@example.org'"), "failed", "... which shows");
}

int main(void)
{
    serve_begin();
    for (int i = 0; i < 3; i++)
        pems[i] = identity_signing_key_make(door->pool);
    door->env.keys = keys_of(0, 2);
    person_with("ada@example.org", "ADMIN", "");
    test_jwks();
    test_metadata();
    test_password_off();
    test_rotation();
    return serve_end();
}
