#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "../tap.h"
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

signer_t *signer_make(apr_pool_t *pool, int bits, const char *kid)
{
    signer_t *signer = apr_pcalloc(pool, sizeof *signer);

    signer->rsa = bits > 0;
    signer->kid = kid;
    signer->key = bits ? EVP_RSA_gen((unsigned)bits) : EVP_EC_gen("P-256");
    if (!signer->key)
        bail("no key can be made");
    apr_pool_cleanup_register(pool, signer, release, apr_pool_cleanup_null);
    signer->jwk =
        identity_json_own(pool, bits ? json_pack("{s:s, s:s, s:s, s:s}", "kty", "RSA", "kid", kid, "n",
                                                 number(pool, signer->key, OSSL_PKEY_PARAM_RSA_N, 0), "e",
                                                 number(pool, signer->key, OSSL_PKEY_PARAM_RSA_E, 0))
                                     : json_pack("{s:s, s:s, s:s, s:s, s:s}", "kty", "EC", "kid", kid, "crv", "P-256",
                                                 "x", number(pool, signer->key, OSSL_PKEY_PARAM_EC_PUB_X, 32), "y",
                                                 number(pool, signer->key, OSSL_PKEY_PARAM_EC_PUB_Y, 32)));
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

static size_t sign(const signer_t *signer, bool pss, const char *input, unsigned char *out, size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    size_t size = room;

    if (EVP_DigestSignInit(context, &options, EVP_sha256(), NULL, signer->key) != 1 ||
        (pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) ||
        EVP_DigestSign(context, out, &size, (const unsigned char *)input, strlen(input)) != 1)
        bail("nothing can be signed");
    EVP_MD_CTX_free(context);
    return size;
}

/* r and s, 32 bytes each. */
static size_t plain_ecdsa(unsigned char *bytes, size_t size)
{
    const unsigned char *at = bytes;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);

    BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + 32, 32);
    ECDSA_SIG_free(signature);
    return 64;
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
    } else if (algorithm && signer && strstr("RS256 PS256 ES256 RS384 ES384", algorithm)) {
        size = sign(signer, algorithm[0] == 'P', input, bytes, sizeof bytes);
        if (!signer->rsa)
            size = plain_ecdsa(bytes, size);
    }
    return apr_pstrcat(pool, input, ".", identity_base64url_encode(pool, bytes, size), NULL);
}
