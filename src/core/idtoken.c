/* ID tokens of OpenID providers: whose they are, for whom, and by which key (OpenID Connect Core 1.0, 3.1.3.7). */
#include <string.h>

#include <apr_strings.h>
#include <cjose/cjose.h>
#include <openssl/err.h>

#include "core_int.h"

#define TOKEN_MAX        16384
#define SKEW             60            /* seconds */
#define LAST_SECOND      253402300799. /* 9999-12-31 */
#define SUBJECT_MAX      255
#define RSA_MODULUS_MIN  256 /* bytes: 2048 bits */
#define ES256_SIZE       64
#define HALF_DIGEST_SIZE (IDENTITY_SHA256_SIZE / 2)

/* What signs, and the members of a key that make it. */
typedef struct algorithm {
    const char *name, *type;
    const char *curve; /* or NULL */
    const char *members[2];
} algorithm_t;

static const algorithm_t algorithms[] = {
    {"RS256", "RSA", NULL, {"n", "e"}}, {"PS256", "RSA", NULL, {"n", "e"}}, {"ES256", "EC", "P-256", {"x", "y"}}};

/* A token taken apart; the parts are the pool's. */
typedef struct parts {
    json_t *header, *claims;
    size_t signature_size;
} parts_t;

static identity_id_token_verdict_t wrong(const char **why, const char *what)
{
    *why = what;
    return IDENTITY_ID_TOKEN_WRONG;
}

/* ---- taking apart ----------------------------------------------------------------------------------------------- */

static json_t *object_of(apr_pool_t *pool, const char *text, size_t length)
{
    size_t size;
    const unsigned char *bytes = identity_base64url_decode(pool, apr_pstrmemdup(pool, text, length), &size);
    json_t *object = bytes != NULL ? json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

    identity_json_own(pool, object);
    return json_is_object(object) ? object : NULL;
}

static bool take_apart(apr_pool_t *pool, const char *token, parts_t *parts)
{
    size_t length = strnlen(token, TOKEN_MAX + 1);
    const char *first = length <= TOKEN_MAX ? strchr(token, '.') : NULL;
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;

    if (second == NULL || identity_base64url_decode(pool, second + 1, &parts->signature_size) == NULL) {
        return false;
    }
    parts->header = object_of(pool, token, (size_t)(first - token));
    parts->claims = object_of(pool, first + 1, (size_t)(second - first - 1));
    return parts->header != NULL && parts->claims != NULL;
}

/* ---- the key ---------------------------------------------------------------------------------------------------- */

/* NULL for none, for HMAC with what everybody knows, for whatever else a token may wish for. */
static const algorithm_t *algorithm_of(const json_t *header)
{
    const char *name = identity_json_string(header, "alg");

    for (size_t i = 0; name != NULL && i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            return &algorithms[i];
        }
    }
    return NULL;
}

static bool member_is(const json_t *object, const char *name, const char *wanted, bool needed)
{
    const json_t *value = json_object_get(object, name);

    return value == NULL ? !needed : json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

static bool may_verify(const json_t *key)
{
    const json_t *operations = json_object_get(key, "key_ops");
    bool may = operations == NULL;

    for (size_t i = 0; !may && i < json_array_size(operations); i++) {
        const char *operation = json_string_value(json_array_get(operations, i));
        may = operation != NULL && strcmp(operation, "verify") == 0;
    }
    return may;
}

/* A key is used for what it says it is for, whatever the token says (security 48). */
static bool suits(const json_t *key, const algorithm_t *algorithm)
{
    return member_is(key, "kty", algorithm->type, true) && member_is(key, "use", "sig", false) &&
           member_is(key, "alg", algorithm->name, false) && may_verify(key) &&
           (algorithm->curve == NULL || member_is(key, "crv", algorithm->curve, true));
}

/* The one key that the header means. Without a kid there may be only one that suits. */
static identity_id_token_verdict_t find_key(const json_t *keys, const json_t *header, const algorithm_t *algorithm,
                                            const json_t **found, const char **why)
{
    const json_t *kid = json_object_get(header, "kid");
    bool named = false;
    const json_t *key;
    size_t i;

    if (kid != NULL && !json_is_string(kid)) {
        return wrong(why, "its key's name is no text");
    }
    *found = NULL;
    json_array_foreach (keys, i, key) {
        if (!json_is_object(key) || (kid != NULL && !json_equal(json_object_get(key, "kid"), kid))) {
            continue;
        }
        named = true;
        if (!suits(key, algorithm)) {
            continue;
        }
        if (*found != NULL) {
            return wrong(why, "several keys could be meant");
        }
        *found = key;
    }
    if (*found != NULL) {
        return IDENTITY_ID_TOKEN_RIGHT;
    }
    if (named && kid != NULL) {
        return wrong(why, "its key is not for this algorithm");
    }
    *why = "it is signed by no known key";
    return IDENTITY_ID_TOKEN_UNKNOWN_KEY;
}

/* Only the members that make the key: cjose need not see what else a provider writes beside them. */
static cjose_jwk_t *import_key(apr_pool_t *pool, const json_t *key, const algorithm_t *algorithm)
{
    json_t *bare = identity_json_own(pool, json_object());
    const char *values[2];
    size_t length, size;

    json_object_set_new(bare, "kty", json_string(algorithm->type));
    if (algorithm->curve != NULL) {
        json_object_set_new(bare, "crv", json_string(algorithm->curve));
    }
    for (int i = 0; i < 2; i++) {
        values[i] = json_string_value(json_object_get(key, algorithm->members[i]));
        if (values[i] == NULL) {
            return NULL;
        }
        json_object_set_new(bare, algorithm->members[i], json_string(values[i]));
    }
    if (algorithm->curve == NULL &&
        (identity_base64url_decode(pool, values[0], &size) == NULL || size < RSA_MODULUS_MIN)) {
        return NULL;
    }
    const char *text = identity_json_text(pool, bare, &length);
    return cjose_jwk_import(text, length, NULL);
}

static bool signature_right(apr_pool_t *pool, const json_t *key, const algorithm_t *algorithm, const char *token)
{
    ERR_set_mark();
    cjose_jwk_t *jwk = import_key(pool, key, algorithm);
    cjose_jws_t *jws = jwk != NULL ? cjose_jws_import(token, strlen(token), NULL) : NULL;
    bool right = jws != NULL && cjose_jws_verify(jws, jwk, NULL);

    cjose_jws_release(jws);
    cjose_jwk_release(jwk);
    ERR_pop_to_mark();
    return right;
}

static identity_id_token_verdict_t signed_by(apr_pool_t *pool, const char *jwks, const char *token,
                                             const parts_t *parts, const char **why)
{
    const algorithm_t *algorithm = algorithm_of(parts->header);
    const char *type = identity_json_string(parts->header, "typ");
    json_t *set = identity_json_own(pool, json_loads(jwks, JSON_REJECT_DUPLICATES, NULL));
    const json_t *key;

    if (algorithm == NULL) {
        return wrong(why, "its algorithm is not taken");
    }
    /* Another kind of token of the same provider (at+jwt, logout+jwt) is no ID token. */
    if (json_object_get(parts->header, "crit") != NULL ||
        (json_object_get(parts->header, "typ") != NULL && (type == NULL || strcasecmp(type, "JWT") != 0))) {
        return wrong(why, "it is of another kind");
    }
    identity_id_token_verdict_t verdict = find_key(json_object_get(set, "keys"), parts->header, algorithm, &key, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT) {
        return verdict;
    }
    /* cjose would take a longer one and leave its end unread. */
    if ((algorithm->curve != NULL && parts->signature_size != ES256_SIZE) ||
        !signature_right(pool, key, algorithm, token)) {
        return wrong(why, "its signature is not right");
    }
    return IDENTITY_ID_TOKEN_RIGHT;
}

/* ---- the claims ------------------------------------------------------------------------------------------------- */

static bool for_client(const json_t *claims, const char *client)
{
    const json_t *audience = json_object_get(claims, "aud");
    size_t size = json_array_size(audience);
    bool meant = json_is_string(audience) && strcmp(json_string_value(audience), client) == 0;

    for (size_t i = 0; i < size; i++) {
        const char *one = json_string_value(json_array_get(audience, i));
        meant = meant || (one != NULL && strcmp(one, client) == 0);
    }
    return meant && member_is(claims, "azp", client, size > 1);
}

/* Seconds since 1970, perhaps with a fraction; false for what is none. */
static bool seconds_of(const json_t *claims, const char *name, double *seconds)
{
    const json_t *value = json_object_get(claims, name);

    *seconds = json_number_value(value);
    return json_is_number(value) && *seconds >= 0 && *seconds <= LAST_SECOND;
}

static bool timely(const json_t *claims, apr_time_t now_)
{
    double now = (double)apr_time_sec(now_), expires, issued, begins;

    if (!seconds_of(claims, "exp", &expires) || !seconds_of(claims, "iat", &issued)) {
        return false;
    }
    if (json_object_get(claims, "nbf") != NULL && (!seconds_of(claims, "nbf", &begins) || begins > now + SKEW)) {
        return false;
    }
    return expires > now - SKEW && issued <= now + SKEW;
}

static bool hash_right(apr_pool_t *pool, const json_t *claims, const char *access_token)
{
    const json_t *hash = json_object_get(claims, "at_hash");
    unsigned char digest[IDENTITY_SHA256_SIZE];

    if (hash == NULL) {
        return true;
    }
    if (!json_is_string(hash) || access_token == NULL) {
        return false;
    }
    identity_sha256(access_token, strlen(access_token), digest);
    return identity_secret_equal(json_string_value(hash), identity_base64url_encode(pool, digest, HALF_DIGEST_SIZE));
}

static bool take_subject(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched)
{
    const char *subject = identity_json_string(claims, "sub");

    if (subject == NULL || strlen(subject) > SUBJECT_MAX || !identity_text_valid(subject)) {
        return false;
    }
    vouched->subject = apr_pstrdup(pool, subject);
    return true;
}

void identity_vouched_address(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched)
{
    const char *email = identity_json_string(claims, "email");

    if (email == NULL || !identity_mail_address_valid(email) || !identity_username_valid(email)) {
        return;
    }
    vouched->email = apr_pstrdup(pool, email);
    vouched->email_verified = json_is_true(json_object_get(claims, "email_verified"));
}

identity_id_token_verdict_t identity_id_token_verify(apr_pool_t *pool, const char *jwks, const char *token,
                                                     const identity_id_token_rules_t *rules,
                                                     identity_vouched_t *vouched, const char **why)
{
    parts_t parts;

    memset(vouched, 0, sizeof *vouched);
    *why = NULL;
    if (!take_apart(pool, token, &parts)) {
        return wrong(why, "it is no signed token");
    }
    identity_id_token_verdict_t verdict = signed_by(pool, jwks, token, &parts, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT) {
        return verdict;
    }
    if (!member_is(parts.claims, "iss", rules->issuer, true)) {
        return wrong(why, "it is of another issuer");
    }
    if (!for_client(parts.claims, rules->client_id)) {
        return wrong(why, "it is for another client");
    }
    if (!timely(parts.claims, rules->now)) {
        return wrong(why, "it is not of this time");
    }
    if (!identity_secret_equal(identity_json_string(parts.claims, "nonce"), rules->nonce)) {
        return wrong(why, "it answers another request (nonce)");
    }
    if (!hash_right(pool, parts.claims, rules->access_token)) {
        return wrong(why, "it came with another access token (at_hash)");
    }
    if (!take_subject(pool, parts.claims, vouched)) {
        return wrong(why, "it names nobody");
    }
    identity_vouched_address(pool, parts.claims, vouched);
    return IDENTITY_ID_TOKEN_RIGHT;
}
