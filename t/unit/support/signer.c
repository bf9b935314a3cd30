/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "tap.h"
#include "signer.h"

static const char *number(apr_pool_t *pool, EVP_PKEY *key, const char *name, int size)
{
    BIGNUM *value = NULL;
    unsigned char bytes[1024];

    if (EVP_PKEY_get_bn_param(key, name, &value) != 1)
        bail("a key has no such number");
    int length = size ? size : BN_num_bytes(value);
    BN_bn2binpad(value, bytes, length);
    BN_free(value);
    return identity_base64url_encode(pool, bytes, (size_t)length);
}

static apr_status_t release(void *data)
{
    EVP_PKEY_free(((signer_t *)data)->key);
    return APR_SUCCESS;
}

static signer_t *keep(apr_pool_t *pool, EVP_PKEY *key, const char *kid)
{
    signer_t *signer = apr_pcalloc(pool, sizeof *signer);

    if (!key)
        bail("no key can be made");
    signer->key = key;
    signer->kid = kid;
    signer->rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    apr_pool_cleanup_register(pool, signer, release, apr_pool_cleanup_null);
    return signer;
}

signer_t *signer_make(apr_pool_t *pool, int bits, const char *kid)
{
    if (!bits)
        return signer_make_curve(pool, "P-256", kid);
    signer_t *signer = keep(pool, EVP_RSA_gen((unsigned)bits), kid);
    signer->jwk = identity_json_own(pool, json_pack("{s:s, s:s, s:s, s:s}", "kty", "RSA", "kid", kid, "n",
                                                    number(pool, signer->key, OSSL_PKEY_PARAM_RSA_N, 0), "e",
                                                    number(pool, signer->key, OSSL_PKEY_PARAM_RSA_E, 0)));
    return signer;
}

signer_t *signer_make_curve(apr_pool_t *pool, const char *curve, const char *kid)
{
    bool ed = strcmp(curve, "Ed25519") == 0;
    signer_t *signer = keep(pool, ed ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen(curve), kid);
    int size = (EVP_PKEY_get_bits(signer->key) + 7) / 8;
    unsigned char bytes[32];
    size_t length = sizeof bytes;

    if (ed && EVP_PKEY_get_raw_public_key(signer->key, bytes, &length) != 1)
        bail("a key has no public half");
    const char *x =
        ed ? identity_base64url_encode(pool, bytes, length) : number(pool, signer->key, OSSL_PKEY_PARAM_EC_PUB_X, size);
    signer->jwk = identity_json_own(
        pool, json_pack("{s:s, s:s, s:s, s:s}", "kty", ed ? "OKP" : "EC", "kid", kid, "crv", curve, "x", x));
    if (!ed)
        json_object_set_new(signer->jwk, "y", json_string(number(pool, signer->key, OSSL_PKEY_PARAM_EC_PUB_Y, size)));
    return signer;
}

const char *signer_set(apr_pool_t *pool, const signer_t *first, ...)
{
    json_t *set = identity_json_own(pool, json_pack("{s:[]}", "keys"));
    va_list list;

    va_start(list, first);
    for (const signer_t *signer = first; signer; signer = va_arg(list, const signer_t *))
        json_array_append(json_object_get(set, "keys"), signer->jwk);
    va_end(list);
    return identity_json_text(pool, set, NULL);
}

static size_t sign(const signer_t *signer, const char *algorithm, const char *input, unsigned char *out, size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    size_t size = room;
    bool pss = algorithm[0] == 'P';
    const char *digest = EVP_PKEY_is_a(signer->key, "ED25519") ? NULL
                         : strstr(algorithm, "512")            ? "SHA512"
                         : strstr(algorithm, "384")            ? "SHA384"
                                                               : "SHA256";

    if (EVP_DigestSignInit_ex(context, &options, digest, NULL, NULL, signer->key, NULL) != 1 ||
        (pss && signer->rsa &&
         (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
          EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) ||
        EVP_DigestSign(context, out, &size, (const unsigned char *)input, strlen(input)) != 1)
        bail("nothing can be signed");
    EVP_MD_CTX_free(context);
    return size;
}

/* r and s, as many bytes each as the curve has. */
static size_t plain_ecdsa(const signer_t *signer, unsigned char *bytes, size_t size)
{
    const unsigned char *at = bytes;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    int half = (EVP_PKEY_get_bits(signer->key) + 7) / 8;

    BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + half, half);
    ECDSA_SIG_free(signature);
    return 2 * (size_t)half;
}

const char *signer_token(apr_pool_t *pool, const signer_t *signer, const char *header, const char *claims,
                         const char *secret)
{
    unsigned char bytes[1024];
    size_t size = 0;
    json_t *read = identity_json_own(pool, json_loads(header, 0, NULL));
    const char *algorithm = identity_json_string(read, "alg");
    const char *input = apr_pstrcat(pool, identity_base64url_encode(pool, header, strlen(header)), ".",
                                    identity_base64url_encode(pool, claims, strlen(claims)), NULL);

    if (secret) {
        unsigned length = sizeof bytes;
        HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)input, strlen(input), bytes, &length);
        size = length;
    } else if (algorithm && signer &&
               strstr("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA", algorithm)) {
        size = sign(signer, algorithm, input, bytes, sizeof bytes);
        if (EVP_PKEY_is_a(signer->key, "EC"))
            size = plain_ecdsa(signer, bytes, size);
    }
    return apr_pstrcat(pool, input, ".", identity_base64url_encode(pool, bytes, size), NULL);
}
