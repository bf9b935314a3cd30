/* SPDX-License-Identifier: Apache-2.0 */
/* A1: whatever stands in any part of a token, or in any member of a provider's key, is refused and ends no process.
 * Tokens and keys are made by OpenSSL (support/signer.c), not by the code under test. */
#include "core_fixture.h"
#include "support/signer.h"

#define NOW          APR_INT64_C(1705311000)
#define ISSUER       "https://login.example.org"
#define F(...)       apr_psprintf(pool, __VA_ARGS__)
#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static signer_t *rsa, *ec;
static identity_keyset_t *keys;

/* What no part of a token and no member of a key may be; filled in main. */
static const char *hostile[40];
static int hostile_count;

static void add(const char *text)
{
    hostile[hostile_count++] = text;
}

static const char *encoded(const char *text)
{
    return identity_base64url_encode(pool, text, strlen(text));
}

static void collect(void)
{
    static const char *const plain[] = {"",      "=",     "A=",    "A",      "AA=",    "AA==",  "AAA=", "====", "=A",
                                        "AAAAA", " ",     "AA AA", "AAAA\n", "\tAAAA", "AB",    "AAB",  "+/+/", "%41",
                                        "\xff",  "A\xff", "AAAA.", "null",   "\"\"",   "A\0AA", "-",    "_____"};

    for (int i = 0; i < COUNT(plain); i++)
        add(plain[i]);
    add(repeat("=", 100));
    add(F("%s=", repeat("A", 85)));
    add(repeat("A", 1 << 20));
    add(repeat("A=", 1 << 19));
    add(F("%s=", repeat("A", 4001)));
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

/* The token with one of its three parts replaced. */
static const char *with_part(const char *token, int part, const char *text)
{
    char *parts[3];

    parts[0] = apr_pstrdup(pool, token);
    parts[1] = strchr(parts[0], '.') + 1;
    parts[2] = strchr(parts[1], '.') + 1;
    parts[1][-1] = parts[2][-1] = '\0';
    return F("%s.%s.%s", part == 0 ? text : parts[0], part == 1 ? text : parts[1], part == 2 ? text : parts[2]);
}

static bool access_right(const char *token)
{
    identity_claims_t got;
    return identity_jwt_verify(pool, keys, token, ISSUER, ISSUER, apr_time_from_sec(NOW), &got);
}

static identity_id_token_verdict_t judge(const char *jwks, const char *token)
{
    const identity_id_token_rules_t rules = {ISSUER, "client", "nonce", NULL, apr_time_from_sec(NOW)};
    identity_vouched_t vouched;
    const char *why;

    return identity_id_token_verify(pool, jwks, token, &rules, &vouched, &why);
}

static const char *id_token(const signer_t *signer, const char *header)
{
    return signer_token(pool, signer, header,
                        F("{\"iss\":\"" ISSUER "\",\"sub\":\"s\",\"aud\":\"client\",\"exp\":%" APR_INT64_T_FMT
                          ",\"iat\":%" APR_INT64_T_FMT ",\"nonce\":\"nonce\"}",
                          NOW + 300, NOW),
                        NULL);
}

/* Deep and large JSON, of which cjose or jansson would make much. */
static const char *const contents[] = {"[]",
                                       "7",
                                       "\"x\"",
                                       "{\"alg\":{}}",
                                       "{\"alg\":\"ES256\",\"kid\":[]}",
                                       "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"\\u0000\"}",
                                       "{\"alg\":1e999}",
                                       "{\"alg\":\"ES256\",\"x\":99999999999999999999999999}",
                                       "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}",
                                       "{\"alg\":\"ES256\"",
                                       "{\"alg\":\"ES256\"}{",
                                       "\xef\xbb\xbf{}"};

static void test_parts(void)
{
    const identity_claims_t claims = {.issuer = ISSUER,
                                      .subject = "s",
                                      .audience = ISSUER,
                                      .jwt_id = "j",
                                      .session_id = "x",
                                      .client_id = "c",
                                      .entity_id = "e",
                                      .issued_at = apr_time_from_sec(NOW),
                                      .expires_at = apr_time_from_sec(NOW + 300)};
    static const char *const names[] = {"header", "payload", "signature"};
    const char *access = identity_jwt_sign(pool, keys, &claims);
    const char *ours = id_token(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"), *set = signer_set(pool, rsa, ec, NULL);
    const char *deep = F("{\"alg\":\"ES256\",\"x\":%s}", repeat("[", 40000));

    ok(access_right(access), "the access token itself is right");
    is_int(judge(set, ours), IDENTITY_ID_TOKEN_RIGHT, "and so is the ID token");
    for (int part = 0; part < 3; part++) {
        int taken = 0;
        for (int i = 0; i < hostile_count; i++)
            taken += access_right(with_part(access, part, hostile[i])) +
                     (judge(set, with_part(ours, part, hostile[i])) == IDENTITY_ID_TOKEN_RIGHT);
        is_int(taken, 0, "A1: %d malformed spellings in place of the %s are refused", hostile_count, names[part]);
        taken = 0;
        for (int i = 0; i < COUNT(contents); i++)
            taken += access_right(with_part(access, part, encoded(contents[i]))) +
                     (judge(set, with_part(ours, part, encoded(contents[i]))) == IDENTITY_ID_TOKEN_RIGHT);
        taken += access_right(with_part(access, part, encoded(deep))) +
                 (judge(set, with_part(ours, part, encoded(deep))) == IDENTITY_ID_TOKEN_RIGHT);
        is_int(taken, 0, "A1: nor is other JSON taken for the %s", names[part]);
    }
    for (int i = 0, taken = 0; i <= hostile_count; i++) {
        if (i == hostile_count)
            is_int(taken, 0, "A1: what is malformed as a whole is no token either");
        else
            taken += access_right(hostile[i]) + (judge(set, hostile[i]) == IDENTITY_ID_TOKEN_RIGHT);
    }
    for (int dots = 0; dots < 6; dots++)
        ok(!access_right(repeat(".", dots)) && judge(set, repeat(".", dots)) == IDENTITY_ID_TOKEN_WRONG,
           "A1: nor are %d dots", dots);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

/* The key with a member replaced: by a text, or by JSON. */
static bool taken_with(const signer_t *signer, const char *header, const char *member, json_t *value)
{
    json_t *jwk = identity_json_own(pool, json_deep_copy(signer->jwk));
    json_t *set = identity_json_own(pool, json_pack("{s:[O]}", "keys", jwk));

    json_object_set_new(jwk, member, value);
    return judge(identity_json_text(pool, set, NULL), id_token(signer, header)) == IDENTITY_ID_TOKEN_RIGHT;
}

static void test_members(void)
{
    const struct {
        const signer_t *signer;
        const char *header, *member;
    } cases[] = {{rsa, "{\"alg\":\"RS256\"}", "n"},  {rsa, "{\"alg\":\"RS256\"}", "e"},
                 {rsa, "{\"alg\":\"PS256\"}", "n"},  {ec, "{\"alg\":\"ES256\"}", "x"},
                 {ec, "{\"alg\":\"ES256\"}", "y"},   {ec, "{\"alg\":\"ES256\"}", "crv"},
                 {ec, "{\"alg\":\"ES256\"}", "kty"}, {rsa, "{\"alg\":\"RS256\"}", "kty"}};
    json_t *const others[] = {json_null(),  json_true(),   json_integer(65537),
                              json_array(), json_object(), json_real(1e300)};

    for (int c = 0; c < COUNT(cases); c++) {
        int taken = 0, odd = 0;
        for (int i = 0; i < hostile_count; i++) {
            /* What is no UTF-8 stands in no JSON. */
            json_t *value = json_string(hostile[i]);
            if (value)
                taken += taken_with(cases[c].signer, cases[c].header, cases[c].member, value);
        }
        for (int i = 0; i < COUNT(others); i++)
            odd += taken_with(cases[c].signer, cases[c].header, cases[c].member, json_incref(others[i]));
        is_int(taken, 0, "A1: %s: a malformed \"%s\" of a JWK is refused", cases[c].header, cases[c].member);
        is_int(odd, 0, "A1: ... and one that is no text");
    }
    for (int i = 0; i < COUNT(others); i++)
        json_decref(others[i]);
}

/* Numbers that decode well and are no key. */
static void test_numbers(void)
{
    unsigned char bytes[4096];
    const char *rs = "{\"alg\":\"RS256\"}", *es = "{\"alg\":\"ES256\"}", *e = identity_json_string(rsa->jwk, "e"),
               *n = identity_json_string(rsa->jwk, "n"), *x = identity_json_string(ec->jwk, "x");
    size_t size;
    const struct {
        const char *text, *what;
    } exponents[] = {{"AQ", "1"}, {"AA", "0"}, {"Ag", "2"}, {"AQAA", "65536"}, {"AQAAAAAAAAAB", "over 64 bits"}};

    ok(taken_with(rsa, rs, "e", json_string(e)), "the key itself is taken");
    for (int i = 0; i < COUNT(exponents); i++)
        ok(!taken_with(rsa, rs, "e", json_string(exponents[i].text)), "A1: an exponent of %s is refused",
           exponents[i].what);
    memset(bytes, 0xff, sizeof bytes);
    ok(!taken_with(rsa, rs, "e", json_string(identity_base64url_encode(pool, bytes, 512))), "A1: or of 4,096 bits");
    for (size = 1; size <= sizeof bytes; size *= 2)
        ok(!taken_with(rsa, rs, "n", json_string(identity_base64url_encode(pool, bytes, size))),
           "A1: a modulus of %d bytes of ones is refused", (int)size);
    memset(bytes, 0, sizeof bytes);
    ok(!taken_with(rsa, rs, "n", json_string(identity_base64url_encode(pool, bytes, 256))), "A1: and one of zeros");
    ok(!taken_with(ec, es, "x", json_string(identity_base64url_encode(pool, bytes, 32))), "A1: x off the curve");
    ok(!taken_with(ec, es, "y", json_string(x)), "A1: y off the curve");
    for (size = 1; size <= 128; size += size == 31 || size == 32 ? 1 : 10)
        ok(!taken_with(ec, es, "y", json_string(identity_base64url_encode(pool, bytes, size))), "A1: y of %d bytes",
           (int)size);
    const unsigned char *modulus = identity_base64url_decode(pool, n, &size);
    memcpy(bytes + 1, modulus, size);
    ok(taken_with(rsa, rs, "n", json_string(identity_base64url_encode(pool, bytes, size + 1))),
       "a zero before a modulus, as some libraries write it (RFC 7518, 6.3.1.1), changes nothing");
}

/* Key sets of every shape. */
static void test_sets(void)
{
    const char *token = id_token(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}");
    const char *sets[] = {
        "{\"keys\":[[]]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"A=\",\"e\":\"A=\",\"kid\":\"rsa\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"A=\",\"kid\":\"rsa\"}]}",
        F("{\"keys\":%s}", repeat("[", 100000)),
        F("{\"keys\":[%s]}", repeat("{\"a\":", 3000)),
        F("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"rsa\",\"n\":\"%s\",\"e\":\"AQAB\"}]}", repeat("A", 1 << 20))};

    for (int i = 0; i < COUNT(sets); i++)
        ok(judge(sets[i], token) != IDENTITY_ID_TOKEN_RIGHT, "A1: key set %d is none that verifies", i);
}

int main(void)
{
    const char *error;

    fixture_begin();
    const char *pem = identity_signing_key_make(pool);
    keys = identity_keyset_load(pool, &pem, 1, &error);
    rsa = signer_make(pool, 2048, "rsa");
    ec = signer_make(pool, 0, "ec");
    collect();
    test_parts();
    test_members();
    test_numbers();
    test_sets();
    return fixture_end();
}
