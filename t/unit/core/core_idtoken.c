/* SPDX-License-Identifier: Apache-2.0 */
/* ID tokens of OpenID providers: taken by the rules, and refused for whatever an attacker may change in them (security
 * 48, 68). They are signed by OpenSSL (support/signer.c), not by the code under test. */
#include "core_fixture.h"
#include "support/signer.h"

#define NOW     APR_INT64_C(1705311000)
#define ISSUER  "https://login.example.org"
#define CLIENT  "client-1"
#define NONCE   "n-0S6_WzA2Mj"
#define ACCESS  "access-token-1"
#define HEADER  "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"
#define WRONG   IDENTITY_ID_TOKEN_WRONG
#define RIGHT   IDENTITY_ID_TOKEN_RIGHT
#define UNKNOWN IDENTITY_ID_TOKEN_UNKNOWN_KEY
#define NEVER   IDENTITY_ID_TOKEN_NOT_VERIFIABLE
#define F(...)  apr_psprintf(pool, __VA_ARGS__)

static signer_t *rsa, *ec, *weak, *stranger;
static const char *jwks;
static identity_vouched_t vouched;
static const char *why;

/* Claims that are right, with these in their place; "" changes nothing. */
static const char *claims_with(const char *changes)
{
    json_t *claims =
        identity_json_own(pool, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:b}", "iss", ISSUER, "sub", "subject-1",
                                          "aud", CLIENT, "exp", (json_int_t)NOW + 300, "iat", (json_int_t)NOW, "nonce",
                                          NONCE, "email", "Ada@Example.org", "email_verified", 1));
    json_t *patch = identity_json_own(pool, json_loads(*changes ? changes : "{}", 0, NULL)), *value;
    const char *name;

    if (!patch)
        bail(changes);
    json_object_foreach (patch, name, value) {
        if (json_is_null(value))
            json_object_del(claims, name);
        else
            json_object_set(claims, name, value);
    }
    return identity_json_text(pool, claims, NULL);
}

static identity_id_token_verdict_t judge(const char *keys, const char *token)
{
    const identity_id_token_rules_t rules = {ISSUER, CLIENT, NONCE, ACCESS, apr_time_from_sec(NOW)};
    return identity_id_token_verify(pool, keys, token, &rules, &vouched, &why);
}

static identity_id_token_verdict_t judge_claims(const char *changes)
{
    return judge(jwks, signer_token(pool, rsa, HEADER, claims_with(changes), NULL));
}

static identity_id_token_verdict_t judge_header(const signer_t *signer, const char *header)
{
    return judge(jwks, signer_token(pool, signer, header, claims_with(""), NULL));
}

static void test_right(void)
{
    is_int(judge_claims(""), RIGHT, "RS256 is taken");
    is_str(vouched.subject, "subject-1", "with its subject");
    is_str(vouched.email, "Ada@Example.org", "its address");
    ok(vouched.email_verified, "which is verified");
    is_int(judge_header(rsa, "{\"alg\":\"PS256\",\"kid\":\"rsa\"}"), RIGHT, "PS256, without a typ");
    is_int(judge_header(ec, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"jwt\"}"), RIGHT, "ES256");
    is_int(judge_header(ec, "{\"alg\":\"ES256\"}"), RIGHT, "without a kid where one key only suits");
}

static void test_claims(void)
{
    static const struct {
        const char *changes, *what;
        identity_id_token_verdict_t verdict;
    } cases[] = {
        {"{\"iss\":\"https://login.example.org/\"}", "an issuer with one more slash # security 68", WRONG},
        {"{\"iss\":\"https://LOGIN.example.org\"}", "an issuer in other letters # security 68", WRONG},
        {"{\"iss\":\"https://evil.example.org\"}", "another issuer # security 68", WRONG},
        {"{\"iss\":null}", "no issuer", WRONG},
        {"{\"iss\":[\"" ISSUER "\"]}", "a list of issuers", WRONG},
        {"{\"aud\":\"client-2\"}", "another audience # security 68", WRONG},
        {"{\"aud\":null}", "no audience", WRONG},
        {"{\"aud\":[\"" CLIENT "\"]}", "a list of one", RIGHT},
        {"{\"aud\":[\"client-2\"]}", "a list of another one", WRONG},
        {"{\"aud\":[\"" CLIENT "\",\"client-2\"]}", "two without azp", WRONG},
        {"{\"aud\":[\"" CLIENT "\",\"client-2\"],\"azp\":\"client-2\"}", "two, authorised is the other", WRONG},
        {"{\"aud\":[\"" CLIENT "\",\"client-2\"],\"azp\":\"" CLIENT "\"}", "two, authorised are we", RIGHT},
        {"{\"azp\":\"client-2\"}", "one, authorised is another", WRONG},
        {"{\"nonce\":\"n-0S6_WzA2Mk\"}", "another nonce # security 67", WRONG},
        {"{\"nonce\":null}", "no nonce # security 67", WRONG},
        {"{\"nonce\":\"\"}", "an empty one", WRONG},
        {"{\"exp\":1705310941}", "expired 59 s ago # security 51", RIGHT},
        {"{\"exp\":1705310940}", "expired 60 s ago", WRONG},
        {"{\"exp\":null}", "no end", WRONG},
        {"{\"exp\":\"1705311300\"}", "an end in a string", WRONG},
        {"{\"exp\":-1}", "a negative end # security 51", WRONG},
        {"{\"exp\":1e300}", "an end beyond all time # security 51", WRONG},
        {"{\"exp\":9223372036854775807}", "an end that would wrap # security 51", WRONG},
        {"{\"exp\":1705311300.5}", "an end with a fraction", RIGHT},
        {"{\"iat\":1705311060}", "made 60 s from now # security 51", RIGHT},
        {"{\"iat\":1705311061}", "made 61 s from now", WRONG},
        {"{\"iat\":null}", "not made at any time", WRONG},
        {"{\"nbf\":1705311061}", "not before a minute from now", WRONG},
        {"{\"nbf\":1705311000}", "from now on", RIGHT},
        {"{\"sub\":null}", "nobody", WRONG},
        {"{\"sub\":\"\"}", "an empty name", WRONG},
        {"{\"sub\":7}", "a number", WRONG},
        {"{\"sub\":\"a\\nb\"}", "a name with a line break", WRONG},
        {"{\"at_hash\":\"AAAA\"}", "another access token", WRONG},
        {"{\"at_hash\":7}", "at_hash of another kind", WRONG},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_int(judge_claims(cases[i].changes), cases[i].verdict, "%s", cases[i].what);
    unsigned char digest[32];
    EVP_Digest(ACCESS, strlen(ACCESS), digest, NULL, EVP_sha256(), NULL);
    is_int(judge_claims(F("{\"at_hash\":\"%s\"}", identity_base64url_encode(pool, digest, 16))), RIGHT,
           "the hash of the access token that came with it");
    is_int(judge_claims(F("{\"sub\":\"%s\"}", repeat("s", 255))), RIGHT, "a subject of 255 bytes");
    is_int(judge_claims(F("{\"sub\":\"%s\"}", repeat("s", 256))), WRONG, "and not one more");
}

static void test_address(void)
{
    static const struct {
        const char *changes, *email;
        bool verified;
        const char *what;
    } cases[] = {
        {"{\"email_verified\":false}", "Ada@Example.org", false, "one that is not verified"},
        {"{\"email_verified\":null}", "Ada@Example.org", false, "one of which that is not said"},
        {"{\"email_verified\":\"true\"}", "Ada@Example.org", true, "B4: one of which it is said in a string"},
        {"{\"email_verified\":1}", "Ada@Example.org", true, "B4: one of which it is said in a number"},
        {"{\"email_verified\":\"false\"}", "Ada@Example.org", false, "one of which the opposite is said in a string"},
        {"{\"email_verified\":0}", "Ada@Example.org", false, "or in a number"},
        {"{\"email_verified\":\"TRUE\"}", "Ada@Example.org", false, "one of which something else is said"},
        {"{\"email_verified\":2}", "Ada@Example.org", false, "such as 2"},
        {"{\"email_verified\":[true]}", "Ada@Example.org", false, "or a list"},
        {"{\"email\":\"no address\"}", NULL, false, "what is none"},
        {"{\"email\":\"a@b.org, c@d.org\"}", NULL, false, "two"},
        {"{\"email\":[\"a@b.org\"]}", NULL, false, "a list"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_int(judge_claims(cases[i].changes), RIGHT, "an address: %s", cases[i].what);
        is_str(vouched.email, cases[i].email, "... is told as it is");
        is_int(vouched.email_verified, cases[i].verified, "... and as it was proved");
    }
}

/* Everything that the keys of a provider do not mean (security 48). */
static void test_keys(void)
{
    const char *n = identity_json_string(rsa->jwk, "n");
    const char *hs = "{\"alg\":\"HS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}";

    is_int(judge_header(rsa, "{\"alg\":\"none\",\"kid\":\"rsa\"}"), NEVER, "alg none # security 48");
    is_int(judge_header(rsa, "{\"alg\":\"None\",\"kid\":\"rsa\"}"), NEVER, "alg None");
    is_int(judge_header(rsa, "{\"kid\":\"rsa\"}"), NEVER, "no alg");
    is_int(judge(jwks, signer_token(pool, rsa, hs, claims_with(""), n)), NEVER,
           "HS256 keyed with the public modulus # security 48");
    is_int(judge(jwks, signer_token(pool, rsa, hs, claims_with(""), jwks)), NEVER,
           "HS256 keyed with the public key set # security 48");
    is_int(judge_header(rsa, "{\"alg\":\"RS257\",\"kid\":\"rsa\"}"), NEVER, "RS257 is not taken");
    is_int(judge_header(rsa, "{\"alg\":\"ES256\",\"kid\":\"rsa\"}"), WRONG, "ES256 by a key of RSA");
    is_int(judge_header(ec, "{\"alg\":\"RS256\",\"kid\":\"ec\"}"), NEVER, "RS256 by a key of P-256");
    is_int(judge_header(stranger, "{\"alg\":\"RS256\",\"kid\":\"stranger\"}"), UNKNOWN, "a key that is not in the set");
    is_int(judge_header(stranger, HEADER), WRONG, "another key under a known name");
    is_int(judge_header(rsa, "{\"alg\":\"RS256\",\"kid\":7}"), WRONG, "a name that is no text");
    is_int(judge_header(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"b64\"],\"b64\":false}"), WRONG,
           "critical extensions");
    is_int(judge_header(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}"), WRONG,
           "an access token of the same provider");
    is_int(judge_header(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"logout+jwt\"}"), WRONG, "a logout token");
    is_int(judge(jwks, signer_token(pool, rsa,
                                    F("{\"alg\":\"RS256\",\"jwk\":%s}", identity_json_text(pool, stranger->jwk, NULL)),
                                    claims_with(""), NULL)),
           RIGHT, "a key inside the token is not looked at (signed by the known one)");
    is_int(judge_header(stranger, F("{\"alg\":\"RS256\",\"jwk\":%s}", identity_json_text(pool, stranger->jwk, NULL))),
           WRONG, "... nor does it verify (signed by the one inside)");
    is_int(judge(signer_set(pool, weak, NULL),
                 signer_token(pool, weak, "{\"alg\":\"RS256\",\"kid\":\"weak\"}", claims_with(""), NULL)),
           NEVER, "a key of 1024 bits");
    is_int(judge(signer_set(pool, rsa, stranger, NULL),
                 signer_token(pool, rsa, "{\"alg\":\"RS256\"}", claims_with(""), NULL)),
           WRONG, "no kid, and two keys could be meant");
}

/* What a key says it is for. */
static void test_uses(void)
{
    static const struct {
        const char *member, *json;
        identity_id_token_verdict_t verdict;
    } cases[] = {{"use", "\"sig\"", RIGHT},
                 {"use", "\"enc\"", NEVER},
                 {"alg", "\"RS256\"", RIGHT},
                 {"alg", "\"PS256\"", NEVER},
                 {"alg", "7", NEVER},
                 {"key_ops", "[\"verify\"]", RIGHT},
                 {"key_ops", "[\"encrypt\"]", NEVER},
                 {"key_ops", "\"verify\"", NEVER}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_object_set_new(rsa->jwk, cases[i].member, json_loads(cases[i].json, JSON_DECODE_ANY, NULL));
        is_int(judge(signer_set(pool, rsa, NULL), signer_token(pool, rsa, HEADER, claims_with(""), NULL)),
               cases[i].verdict, "a key with %s %s", cases[i].member, cases[i].json);
        json_object_del(rsa->jwk, cases[i].member);
    }
    static const char *const sets[] = {"",
                                       "null",
                                       "{}",
                                       "{\"keys\":{}}",
                                       "{\"keys\":[]}",
                                       "{\"keys\":[7,null,\"x\"]}",
                                       "[]",
                                       "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"}]}"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        is_int(judge(sets[i], signer_token(pool, rsa, HEADER, claims_with(""), NULL)), UNKNOWN, "the key set %s",
               sets[i]);
    is_int(judge("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"rsa\",\"n\":7,\"e\":\"AQAB\"}]}",
                 signer_token(pool, rsa, HEADER, claims_with(""), NULL)),
           NEVER, "a key without numbers");
}

static void test_forms(void)
{
    const char *good = signer_token(pool, rsa, HEADER, claims_with(""), NULL);
    const char *elliptic = signer_token(pool, ec, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", claims_with(""), NULL);
    char *changed = apr_pstrdup(pool, good);
    char *dot = strrchr(changed, '.');

    dot[1] = dot[1] == 'A' ? 'B' : 'A';
    is_int(judge(jwks, changed), WRONG, "another signature");
    changed = apr_pstrdup(pool, good);
    dot = strchr(changed, '.');
    dot[20] = dot[20] == 'A' ? 'B' : 'A';
    is_int(judge(jwks, changed), WRONG, "another content under the same signature");
    is_int(judge(jwks, F("%s=", good)), WRONG, "padding");
    is_int(judge(jwks, F("%sAAAA", elliptic)), WRONG, "a longer signature of ES256");
    is_int(judge(jwks, F("%.*s", (int)(strrchr(good, '.') - good) + 1, good)), WRONG, "no signature at all");
    is_int(judge(jwks, F("%s.x", good)), WRONG, "a part too many");
    is_int(judge(jwks, ""), WRONG, "nothing");
    is_int(judge(jwks, ".."), WRONG, "three empty parts");
    is_int(judge(jwks, "a.b"), WRONG, "two parts");
    is_int(judge(jwks, signer_token(pool, rsa, HEADER, claims_with(F("{\"x\":\"%s\"}", repeat("x", 48000))), NULL)),
           RIGHT, "B13: a token of nearly 64 KiB is taken");
    is_int(judge(jwks, signer_token(pool, rsa, HEADER, claims_with(F("{\"x\":\"%s\"}", repeat("x", 49000))), NULL)),
           WRONG, "B13: one of more than 64 KiB is not");
    is_int(judge(jwks, signer_token(pool, rsa, HEADER, "[]", NULL)), WRONG, "claims that are no object");
    is_int(judge(jwks, signer_token(pool, rsa, HEADER, "{\"iss\":\"" ISSUER "\",\"iss\":\"x\"}", NULL)), WRONG,
           "a claim twice");
    for (size_t length = 0; length < strlen(good); length += 7)
        if (judge(jwks, apr_pstrmemdup(pool, good, length)) == RIGHT)
            ok(false, "a token cut at %d is taken", (int)length);
}

/* B11: every algorithm that is listed, each by a key of its own kind and by no other; at_hash by the algorithm's own
 * digest. */
static void test_algorithms(void)
{
    signer_t *const signers[] = {rsa, ec, signer_make_curve(pool, "P-384", "ec384"),
                                 signer_make_curve(pool, "P-521", "ec521"), signer_make_curve(pool, "Ed25519", "ed")};
    static const struct {
        const char *name, *digest;
        int signer;
    } cases[] = {{"RS256", "SHA256", 0}, {"RS384", "SHA384", 0}, {"RS512", "SHA512", 0}, {"PS256", "SHA256", 0},
                 {"PS384", "SHA384", 0}, {"PS512", "SHA512", 0}, {"ES256", "SHA256", 1}, {"ES384", "SHA384", 2},
                 {"ES512", "SHA512", 3}, {"EdDSA", "SHA512", 4}};
    const char *set = signer_set(pool, signers[0], signers[1], signers[2], signers[3], signers[4], NULL);
    const char *const *listed = identity_id_token_algorithms();

    for (int i = 0; i < 10; i++) {
        unsigned char digest[64];
        size_t size;
        EVP_Q_digest(NULL, cases[i].digest, NULL, ACCESS, strlen(ACCESS), digest, &size);
        const char *claims = claims_with(F("{\"at_hash\":\"%s\"}", identity_base64url_encode(pool, digest, size / 2)));
        const char *other = claims_with(F("{\"at_hash\":\"%s\"}", identity_base64url_encode(pool, digest, 15)));
        const char *header = F("{\"alg\":\"%s\",\"kid\":\"%s\"}", cases[i].name, signers[cases[i].signer]->kid);
        const signer_t *by = signers[cases[i].signer];
        char *token = apr_pstrdup(pool, signer_token(pool, by, header, claims, NULL));
        is_str(listed[i], cases[i].name, "B11: %s is listed", cases[i].name);
        is_int(judge(set, token), RIGHT, "B11: an ID token by %s is taken", cases[i].name);
        is_int(judge(set, signer_token(pool, by, header, other, NULL)), WRONG, "... by %s not with another at_hash",
               cases[i].name);
        char *last = strrchr(token, '.') + 5;
        *last = *last == 'A' ? 'B' : 'A';
        is_int(judge(set, token), WRONG, "... nor with another signature");
        for (int j = 0; j < 5; j++)
            if (j != cases[i].signer)
                ok(judge(set, signer_token(pool, signers[j],
                                           F("{\"alg\":\"%s\",\"kid\":\"%s\"}", cases[i].name, signers[j]->kid), claims,
                                           NULL)) != RIGHT,
                   "... nor by the key %s", signers[j]->kid);
    }
    ok(listed[10] == NULL, "B11: and no other is listed");
    json_object_set_new(signers[4]->jwk, "crv", json_string("Ed448"));
    is_int(judge(signer_set(pool, signers[4], NULL),
                 signer_token(pool, signers[4], "{\"alg\":\"EdDSA\"}", claims_with(""), NULL)),
           UNKNOWN, "B11: EdDSA by another curve is not");
}

/* B13: what nobody reads does no harm in claims and key sets, and the same is refused in what is read. */
static void test_unread(void)
{
    static const char *const unread[] = {"99999999999999999999999999999999",
                                         "-9223372036854775809",
                                         "1e999",
                                         "\"\\u0000\"",
                                         "\"\\ud800\"",
                                         "{\"a\":1,\"a\":2}",
                                         "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"};
    const char *base = claims_with(""), *set = signer_set(pool, rsa, NULL);
    const char *rest = base + 1, *keys_rest = json_string_value(identity_json_own(pool, json_string(set))) + 10;

    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++) {
        is_int(judge(jwks, signer_token(pool, rsa, HEADER, F("{\"x\":%s,\"x\":1,%s", unread[i], rest), NULL)), RIGHT,
               "B13: a claim that nobody reads is %s, and comes twice", unread[i]);
        is_int(judge(jwks, signer_token(pool, rsa, HEADER, F("{\"nbf\":%s,%s", unread[i], rest), NULL)), WRONG,
               "B13: ... and one that is read");
        is_int(judge(F("{\"x\":%s,\"keys\":[{\"y2\":%s,\"y2\":1,%s", unread[i], unread[i], keys_rest),
                     signer_token(pool, rsa, HEADER, base, NULL)),
               RIGHT, "B13: ... and so is a member of a key set and of a key");
    }
    static const char *const never[] = {"{\"sub\":\"x\",",
                                        "{\"s\\u0075b\":\"x\",",
                                        "{\"iss\":\"" ISSUER "\",",
                                        "{\"x\":01,",
                                        "{\"x\":tru,",
                                        "{\"x\":\"\xff\",",
                                        "{\"x\":\"\\x\",",
                                        "{\"x\",",
                                        "{x:1,",
                                        "{,",
                                        "{\"x\":1,,",
                                        "{\"x\":[1,],",
                                        "{\"x\":+1,",
                                        "{\"x\":.5,",
                                        "{\"x\":1.,",
                                        "{\"x\":1e,",
                                        "{\"x\":\"a\nb\",",
                                        "{\"x\":'a',",
                                        "{\"x\":\"\\u00g0\",",
                                        "[{"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        is_int(judge(jwks, signer_token(pool, rsa, HEADER, F("%s%s", never[i], rest), NULL)), WRONG,
               "a claim twice that is read, or no JSON: %s", never[i]);
    is_int(judge(jwks, signer_token(pool, rsa, HEADER, F("%s}", base), NULL)), WRONG, "nor more behind it");
    is_int(
        judge(jwks, signer_token(pool, rsa, HEADER, F("{\"x\":%s%s,%s", repeat("[", 65), repeat("]", 65), rest), NULL)),
        WRONG, "nor 65 levels");
    is_int(judge(jwks, signer_token(pool, rsa, HEADER,
                                    F(" {\n\t\"x\" : [ 1 , { \"y\" : -0.5e+7 } ] , \"\\u0069at\" : %s , %s",
                                      "1705311000", strstr(rest, "\"nonce\"")),
                                    NULL)),
           WRONG, "(claims are missing in this one)");
    ok(strstr(why, "issuer") != NULL, "spaces and escapes in names are read: %s", why);
}

static void test_userinfo(void)
{
    const identity_id_token_rules_t rules = {ISSUER, CLIENT, NONCE, NULL, apr_time_from_sec(NOW)};
    static const struct {
        const char *changes;
        identity_id_token_verdict_t verdict;
        const char *what;
    } cases[] = {{"{}", RIGHT, "a good one"},
                 {"{\"exp\":null,\"iat\":null,\"nonce\":null}", RIGHT, "which needs no times and no nonce"},
                 {"{\"aud\":[\"" CLIENT "\"]}", RIGHT, "a list of one audience"},
                 {"{\"iss\":null}", WRONG, "no issuer"},
                 {"{\"iss\":\"https://evil.example\"}", WRONG, "another issuer"},
                 {"{\"aud\":null}", WRONG, "no audience"},
                 {"{\"aud\":\"client-2\"}", WRONG, "another audience"}};
    const json_t *claims;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *token = signer_token(pool, rsa, HEADER, claims_with(cases[i].changes), NULL);
        is_int(identity_userinfo_verify(pool, jwks, token, strlen(token), &rules, &claims, &why), cases[i].verdict,
               "B13: userinfo as a JWT: %s", cases[i].what);
    }
    const char *strange = signer_token(pool, stranger, HEADER, claims_with(""), NULL);
    is_int(identity_userinfo_verify(pool, jwks, strange, strlen(strange), &rules, &claims, &why), WRONG,
           "B13: ... not by another's key");
    strange = signer_token(pool, rsa, "{\"alg\":\"none\"}", claims_with(""), NULL);
    is_int(identity_userinfo_verify(pool, jwks, strange, strlen(strange), &rules, &claims, &why), NEVER,
           "B13: ... nor without a signature");
}

/* B4: what userinfo adds to the ID token. */
static void test_completed(void)
{
    static const struct {
        const char *email, *userinfo, *result;
        bool judged, verified, taken;
    } cases[] = {
        {"a@b.org", "{\"sub\":\"s\",\"email_verified\":true}", "a@b.org", true, true, true},
        {"a@b.org", "{\"sub\":\"s\",\"email\":\"a@b.org\",\"email_verified\":\"true\"}", "a@b.org", true, true, true},
        {"a@b.org", "{\"sub\":\"s\",\"email\":\"c@d.org\",\"email_verified\":true}", "c@d.org", true, true, true},
        {"a@b.org", "{\"sub\":\"s\",\"email\":\"c@d.org\"}", "a@b.org", false, false, true},
        {"a@b.org", "{\"sub\":\"s\",\"email\":\"a@b.org\",\"email_verified\":false}", "a@b.org", true, false, true},
        {"a@b.org", "{\"sub\":\"s\",\"email\":\"no address\",\"email_verified\":true}", "a@b.org", false, false, true},
        {"a@b.org", "{\"sub\":\"s\"}", "a@b.org", false, false, true},
        {NULL, "{\"sub\":\"s\",\"email\":\"c@d.org\",\"email_verified\":1}", "c@d.org", true, true, true},
        {NULL, "{\"sub\":\"s\",\"email_verified\":true}", NULL, false, false, true},
        {"a@b.org", "{\"sub\":\"t\",\"email_verified\":true}", "a@b.org", false, false, false},
        {"a@b.org", "{\"email_verified\":true}", "a@b.org", false, false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        identity_vouched_t found = {.subject = "s", .email = cases[i].email};
        const json_t *claims = identity_userinfo_read(pool, cases[i].userinfo, strlen(cases[i].userinfo));
        is_int(identity_userinfo_take(pool, claims, &found), cases[i].taken, "B4: userinfo %s", cases[i].userinfo);
        is_str(found.email, cases[i].result, "... the address");
        ok(found.email_judged == cases[i].judged && found.email_verified == cases[i].verified,
           "... and if it is verified");
    }
}

int main(void)
{
    fixture_begin();
    rsa = signer_make(pool, 2048, "rsa");
    stranger = signer_make(pool, 2048, "stranger");
    weak = signer_make(pool, 1024, "weak");
    ec = signer_make(pool, 0, "ec");
    jwks = signer_set(pool, rsa, ec, NULL);
    test_right();
    test_claims();
    test_address();
    test_keys();
    test_uses();
    test_forms();
    test_algorithms();
    test_unread();
    test_userinfo();
    test_completed();
    return fixture_end();
}
