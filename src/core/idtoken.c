/* SPDX-License-Identifier: Apache-2.0 */
/* ID tokens of OpenID providers: checks subject, audience and key (OpenID Connect Core 1.0, 3.1.3.7). */
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

/* The relevant members of a key set, and of claims; the rest of a provider's documents is skipped. */
static const identity_json_member_t key_members[] = {
    {"kty", NULL}, {"kid", NULL}, {"use", NULL}, {"alg", NULL}, {"key_ops", NULL}, {"crv", NULL},
    {"x", NULL},   {"y", NULL},   {"n", NULL},   {"e", NULL},   {NULL, NULL}};
static const identity_json_member_t set_members[] = {{"keys", key_members}, {NULL, NULL}};
static const identity_json_member_t claim_members[] = {{"iss", NULL},
                                                       {"sub", NULL},
                                                       {"aud", NULL},
                                                       {"azp", NULL},
                                                       {"exp", NULL},
                                                       {"iat", NULL},
                                                       {"nbf", NULL},
                                                       {"nonce", NULL},
                                                       {"at_hash", NULL},
                                                       {"email", NULL},
                                                       {"email_verified", NULL},
                                                       {NULL, NULL}};

/* ---- the key ---------------------------------------------------------------------------------------------------- */

static bool member_is(const json_t *object, const char *name, const char *wanted, bool needed)
{
    const json_t *value = json_object_get(object, name);

    return !value ? !needed
                  : json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

static bool may_verify(const json_t *key)
{
    const json_t *operations = json_object_get(key, "key_ops");
    bool may = !operations;

    for (size_t i = 0; !may && i < json_array_size(operations); i++) {
        const char *operation = json_string_value(json_array_get(operations, i));
        may = operation != NULL && strcmp(operation, "verify") == 0;
    }
    return may;
}

/* A key is used only for its declared purpose, whatever the token says (security 48). */
static bool suits(const json_t *key, const identity_jws_algorithm_t *algorithm)
{
    return member_is(key, "kty", algorithm->key_type, true) &&
           member_is(key, "use", "sig", false) && member_is(key, "alg", algorithm->name, false) &&
           may_verify(key) && (!algorithm->curve || member_is(key, "crv", algorithm->curve, true));
}

/* The key named in the header. Without a kid only one key may be suitable. */
static identity_id_token_verdict_t find_key(const json_t *keys, const identity_jws_t *jws,
                                            const json_t **found, const char **why)
{
    bool named = false;
    const json_t *key;
    size_t i;

    *found = NULL;
    json_array_foreach (keys, i, key) {
        if (!json_is_object(key) || (jws->kid != NULL && !member_is(key, "kid", jws->kid, true)))
            continue;
        named = true;
        if (!suits(key, jws->algorithm))
            continue;
        if (*found != NULL)
            return wrong(why, "several keys match");
        *found = key;
    }
    if (*found != NULL)
        return IDENTITY_ID_TOKEN_RIGHT;
    if (named && jws->kid != NULL) {
        *why = "its key does not fit its algorithm";
        return IDENTITY_ID_TOKEN_NOT_VERIFIABLE;
    }
    *why = "it is signed by an unknown key";
    return IDENTITY_ID_TOKEN_UNKNOWN_KEY;
}

const json_t *identity_key_set_read(apr_pool_t *pool, const char *text, size_t length)
{
    const json_t *set = identity_json_pick(pool, text, length, set_members);
    return json_is_array(json_object_get(set, "keys")) ? set : NULL;
}

static identity_id_token_verdict_t signed_by(apr_pool_t *pool, const char *jwks,
                                             const identity_jws_t *jws, const char **why)
{
    const json_t *set = identity_key_set_read(pool, jwks, strlen(jwks));
    const json_t *found;
    identity_jwk_t key;

    /* Other token types of the same provider (at+jwt, logout+jwt) are not accepted here. */
    if (jws->type != NULL && strcasecmp(jws->type, "JWT") != 0)
        return wrong(why, "it is of another type (typ)");
    identity_id_token_verdict_t verdict = find_key(json_object_get(set, "keys"), jws, &found, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT)
        return verdict;
    if (!identity_jwk_read(pool, found, jws->algorithm, &key)) {
        *why = "its key is not usable (RSA of 2,048 to 16,384 bits, a point of the curve)";
        return IDENTITY_ID_TOKEN_NOT_VERIFIABLE;
    }
    return identity_jws_verify(jws, &key) ? IDENTITY_ID_TOKEN_RIGHT
                                          : wrong(why, "its signature is not valid");
}

/* The claims of a token signed by a key of the set. */
static identity_id_token_verdict_t signed_claims(apr_pool_t *pool, const char *jwks,
                                                 const char *token, size_t length,
                                                 identity_jws_t *jws, const json_t **claims,
                                                 const char **why)
{
    static const identity_jws_rules_t any = {.max = TOKEN_MAX};

    *why = identity_jws_read(pool, token, length, &any, jws);
    if (*why != NULL)
        return jws->header != NULL && !jws->algorithm ? IDENTITY_ID_TOKEN_NOT_VERIFIABLE
                                                      : IDENTITY_ID_TOKEN_WRONG;
    identity_id_token_verdict_t verdict = signed_by(pool, jwks, jws, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT)
        return verdict;
    *claims = identity_json_pick(pool, jws->payload, jws->payload_size, claim_members);
    return *claims != NULL ? IDENTITY_ID_TOKEN_RIGHT
                           : wrong(why, "its claims are not a JSON object");
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

/* Seconds since 1970, possibly with a fraction; false for anything else. */
static bool seconds_of(const json_t *claims, const char *name, double *seconds)
{
    const json_t *value = json_object_get(claims, name);

    *seconds = json_number_value(value);
    return json_is_number(value) && *seconds >= 0 && *seconds <= LAST_SECOND;
}

static bool timely(const json_t *claims, apr_time_t now_)
{
    double now = (double)apr_time_sec(now_), expires, issued, begins;

    if (!seconds_of(claims, "exp", &expires) || !seconds_of(claims, "iat", &issued))
        return false;
    if (json_object_get(claims, "nbf") != NULL &&
        (!seconds_of(claims, "nbf", &begins) || begins > now + SKEW))
        return false;
    return expires > now - SKEW && issued <= now + SKEW;
}

/* The left half of the digest that the token's own algorithm uses (OpenID Connect Core, 3.1.3.6). */
static bool hash_right(apr_pool_t *pool, const json_t *claims, const char *digest_name,
                       const char *access_token)
{
    const json_t *hash = json_object_get(claims, "at_hash");
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t size;

    if (!hash)
        return true;
    if (!json_is_string(hash) || !access_token)
        return false;
    return EVP_Q_digest(NULL, digest_name, NULL, access_token, strlen(access_token), digest,
                        &size) == 1 &&
           identity_secret_equal(json_string_value(hash),
                                 identity_base64url_encode(pool, digest, size / 2));
}

static bool take_subject(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched)
{
    const char *subject = identity_json_string(claims, "sub");

    if (!subject || strlen(subject) > SUBJECT_MAX || !identity_text_valid(subject))
        return false;
    vouched->subject = apr_pstrdup(pool, subject);
    return true;
}

/* In the spellings of providers: true, "true", 1. Anything other than these and their opposites counts as no
 * statement. */
static void take_verified(const json_t *claims, identity_vouched_t *vouched)
{
    const json_t *value = json_object_get(claims, "email_verified");
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);
    bool yes = json_is_true(value) || (text != NULL && strcmp(text, "true") == 0) || number == 1;
    bool no = json_is_false(value) || (text != NULL && strcmp(text, "false") == 0) ||
              (json_is_integer(value) && number == 0);

    if (yes || no) {
        vouched->email_judged = true;
        vouched->email_verified = yes;
    }
}

static void take_address(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched)
{
    const char *email = identity_json_string(claims, "email");

    if (!email || !identity_username_valid(email))
        return;
    vouched->email = apr_pstrdup(pool, email);
    vouched->email_judged = vouched->email_verified = false;
    take_verified(claims, vouched);
}

bool identity_userinfo_take(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched)
{
    const char *subject = identity_json_string(claims, "sub"),
               *email = identity_json_string(claims, "email");
    identity_vouched_t told = {0};

    if (!subject || !vouched->subject || strcmp(subject, vouched->subject) != 0)
        return false;
    take_address(pool, claims, &told);
    if (!vouched->email || (told.email != NULL && told.email_judged)) {
        vouched->email = told.email;
        vouched->email_judged = told.email_judged;
        vouched->email_verified = told.email_verified;
    } else if (!email) {
        take_verified(claims, vouched); /* of the address that the ID token named */
    }
    return true;
}

const json_t *identity_userinfo_read(apr_pool_t *pool, const char *text, size_t length)
{
    return identity_json_pick(pool, text, length, claim_members);
}

identity_id_token_verdict_t identity_userinfo_verify(apr_pool_t *pool, const char *jwks,
                                                     const char *token, size_t length,
                                                     const identity_id_token_rules_t *rules,
                                                     const json_t **claims, const char **why)
{
    identity_jws_t jws;
    identity_id_token_verdict_t verdict =
        signed_claims(pool, jwks, token, length, &jws, claims, why);

    if (verdict != IDENTITY_ID_TOKEN_RIGHT)
        return verdict;
    if (!member_is(*claims, "iss", rules->issuer, true))
        return wrong(why, "it is from another issuer (iss)");
    return for_client(*claims, rules->client_id) ? verdict
                                                 : wrong(why, "it is for another client (aud)");
}

identity_id_token_verdict_t identity_id_token_verify(apr_pool_t *pool, const char *jwks,
                                                     const char *token,
                                                     const identity_id_token_rules_t *rules,
                                                     identity_vouched_t *vouched, const char **why)
{
    const json_t *claims;
    identity_jws_t jws;

    memset(vouched, 0, sizeof *vouched);
    identity_id_token_verdict_t verdict =
        signed_claims(pool, jwks, token, strnlen(token, TOKEN_MAX + 1), &jws, &claims, why);
    if (verdict != IDENTITY_ID_TOKEN_RIGHT)
        return verdict;
    if (!member_is(claims, "iss", rules->issuer, true))
        return wrong(why, "it is from another issuer (iss)");
    if (!for_client(claims, rules->client_id))
        return wrong(why, "it is for another client (aud)");
    if (!timely(claims, rules->now))
        return wrong(why, "it is expired or not yet valid");
    if (!identity_secret_equal(identity_json_string(claims, "nonce"), rules->nonce))
        return wrong(why, "it belongs to another request (nonce)");
    if (!hash_right(pool, claims, jws.algorithm->digest, rules->access_token))
        return wrong(why, "it belongs to another access token (at_hash)");
    if (!take_subject(pool, claims, vouched))
        return wrong(why, "it has no subject (sub)");
    take_address(pool, claims, vouched);
    return IDENTITY_ID_TOKEN_RIGHT;
}
