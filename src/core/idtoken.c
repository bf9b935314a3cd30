/* ID tokens of OpenID providers: whose they are, for whom, and by which key (OpenID Connect Core 1.0, 3.1.3.7). */
#include <string.h>

#include <apr_strings.h>

#include "jose.h"

#define TOKEN_MAX   65536
#define SKEW        60            /* seconds */
#define LAST_SECOND 253402300799. /* 9999-12-31 */
#define SUBJECT_MAX 255

static identity_id_token_verdict_t wrong(const char **why, const char *what)
{
    *why = what;
    return IDENTITY_ID_TOKEN_WRONG;
}

/* ---- the key ---------------------------------------------------------------------------------------------------- */

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
static bool suits(const json_t *key, const identity_jws_algorithm_t *algorithm)
{
    return member_is(key, "kty", algorithm->key_type, true) && member_is(key, "use", "sig", false) &&
           member_is(key, "alg", algorithm->name, false) && may_verify(key) &&
           (algorithm->curve == NULL || member_is(key, "crv", algorithm->curve, true));
}

/* The one key that the header means. Without a kid there may be only one that suits. */
static identity_id_token_verdict_t find_key(const json_t *keys, const identity_jws_t *jws, const json_t **found,
                                            const char **why)
{
    bool named = false;
    const json_t *key;
    size_t i;

    *found = NULL;
    json_array_foreach (keys, i, key) {
        if (!json_is_object(key) || (jws->kid != NULL && !member_is(key, "kid", jws->kid, true))) {
            continue;
        }
        named = true;
        if (!suits(key, jws->algorithm)) {
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
    if (named && jws->kid != NULL) {
        return wrong(why, "its key is not for this algorithm");
    }
    *why = "it is signed by no known key";
    return IDENTITY_ID_TOKEN_UNKNOWN_KEY;
}

static identity_id_token_verdict_t signed_by(apr_pool_t *pool, const char *jwks, const identity_jws_t *jws,
                                             const char **why)
{
    json_t *set = identity_json_own(pool, json_loads(jwks, JSON_REJECT_DUPLICATES, NULL));
    const json_t *found;
    identity_jwk_t key;

    /* Another kind of token of the same provider (at+jwt, logout+jwt) is no ID token. */
    if (jws->type != NULL && strcasecmp(jws->type, "JWT") != 0) {
        return wrong(why, "it is of another kind");
    }
    identity_id_token_verdict_t verdict = find_key(json_object_get(set, "keys"), jws, &found, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT) {
        return verdict;
    }
    if (!identity_jwk_read(pool, found, jws->algorithm, &key)) {
        return wrong(why, "its key is not usable");
    }
    return identity_jws_verify(jws, &key) ? IDENTITY_ID_TOKEN_RIGHT : wrong(why, "its signature is not right");
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

/* The left half of the digest that the token's own algorithm uses (OpenID Connect Core, 3.1.3.6). */
static bool hash_right(apr_pool_t *pool, const json_t *claims, const char *digest_name, const char *access_token)
{
    const json_t *hash = json_object_get(claims, "at_hash");
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t size;

    if (hash == NULL) {
        return true;
    }
    if (!json_is_string(hash) || access_token == NULL) {
        return false;
    }
    return EVP_Q_digest(NULL, digest_name, NULL, access_token, strlen(access_token), digest, &size) == 1 &&
           identity_secret_equal(json_string_value(hash), identity_base64url_encode(pool, digest, size / 2));
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

    if (email == NULL || !identity_username_valid(email)) {
        return;
    }
    vouched->email = apr_pstrdup(pool, email);
    vouched->email_verified = json_is_true(json_object_get(claims, "email_verified"));
}

identity_id_token_verdict_t identity_id_token_verify(apr_pool_t *pool, const char *jwks, const char *token,
                                                     const identity_id_token_rules_t *rules,
                                                     identity_vouched_t *vouched, const char **why)
{
    static const identity_jws_rules_t any = {.max = TOKEN_MAX};
    identity_jws_t jws;

    memset(vouched, 0, sizeof *vouched);
    *why = identity_jws_read(pool, token, strnlen(token, TOKEN_MAX + 1), &any, &jws);
    if (*why != NULL) {
        return IDENTITY_ID_TOKEN_WRONG;
    }
    identity_id_token_verdict_t verdict = signed_by(pool, jwks, &jws, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT) {
        return verdict;
    }
    const json_t *claims = identity_jws_claims(pool, &jws);
    if (claims == NULL) {
        return wrong(why, "its claims are no object");
    }
    if (!member_is(claims, "iss", rules->issuer, true)) {
        return wrong(why, "it is of another issuer");
    }
    if (!for_client(claims, rules->client_id)) {
        return wrong(why, "it is for another client");
    }
    if (!timely(claims, rules->now)) {
        return wrong(why, "it is not of this time");
    }
    if (!identity_secret_equal(identity_json_string(claims, "nonce"), rules->nonce)) {
        return wrong(why, "it answers another request (nonce)");
    }
    if (!hash_right(pool, claims, jws.algorithm->digest, rules->access_token)) {
        return wrong(why, "it came with another access token (at_hash)");
    }
    if (!take_subject(pool, claims, vouched)) {
        return wrong(why, "it names nobody");
    }
    identity_vouched_address(pool, claims, vouched);
    return IDENTITY_ID_TOKEN_RIGHT;
}
