/* SPDX-License-Identifier: Apache-2.0 */
/* Wiping, comparing and spelling of secrets; tokens, keys and sealing. */
#include "core_fixture.h"

#define BASE64URL_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static void test_spelling(void)
{
    static const unsigned char bytes[] = {0xfb, 0xff, 0x00, 0x10};
    size_t size = 0;

    is_str(identity_sha256_hex(pool, "abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "SHA-256 of abc");
    is_str(identity_sha256_hex(pool, "", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
           "SHA-256 of nothing");
    is_str(identity_base64url_encode(pool, bytes, 4), "-_8AEA", "base64url without padding");
    is_str(identity_base64url_encode(pool, bytes, 0), "", "of nothing");
    const unsigned char *back = identity_base64url_decode(pool, "-_8AEA", &size);
    ok(back != NULL && size == 4 && memcmp(back, bytes, 4) == 0, "and back");
    ok(identity_base64url_decode(pool, "", &size) != NULL && size == 0, "nothing is nothing");
    static const char *const bad[] = {"A", "-_8AEA==", "+/8AEA", "-_8AE", "AB", "-_8A EA", "-_8A\n", "-_8AE\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ok(identity_base64url_decode(pool, bad[i], &size) == NULL, "\"%s\" is refused", bad[i]);
    }
    for (size_t length = 0; length < 100; length++) {
        const char *text = identity_base64url_encode(pool, repeat("x", (int)length), length);
        back = identity_base64url_decode(pool, text, &size);
        if (back == NULL || size != length || back[size] != 0) {
            ok(false, "%d bytes there and back", (int)length);
        }
    }
}

static void test_wiping(void)
{
    char text[] = "hunter2";
    char bytes[4] = {1, 2, 3, 4};
    apr_pool_t *request;

    identity_wipe(bytes, sizeof bytes);
    ok(bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 0 && bytes[3] == 0, "bytes are wiped # security 18");
    identity_wipe_string(text);
    ok(memcmp(text, "\0\0\0\0\0\0\0", 8) == 0, "a string is wiped # security 18");
    identity_wipe_string(NULL);
    identity_wipe(NULL, 0);

    strcpy(text, "hunter2");
    apr_pool_create(&request, pool);
    identity_wipe_with_pool(request, text);
    identity_wipe_with_pool(request, NULL);
    is_str(text, "hunter2", "kept while the pool lives");
    apr_pool_destroy(request);
    ok(memcmp(text, "\0\0\0\0\0\0\0", 8) == 0, "wiped with the pool # security 18");
}

static void test_comparing(void)
{
    ok(identity_secret_equal("abc", "abc"), "equal # security 18");
    ok(identity_secret_equal("", ""), "both empty");
    ok(!identity_secret_equal("abc", "abd"), "last byte differs");
    ok(!identity_secret_equal("abc", "ab") && !identity_secret_equal("ab", "abc"), "one is shorter");
    ok(!identity_secret_equal(NULL, "") && !identity_secret_equal("", NULL) && !identity_secret_equal(NULL, NULL),
       "NULL equals nothing");
}

/* Every change of one character, every cut and every addition is told by the checksum, without a look-up. */
static int misread(const char *secret, bool (*valid)(const char *))
{
    int wrong = 0;
    size_t length = strlen(secret);

    for (size_t i = 0; i < length; i++) {
        char *changed = apr_pstrdup(pool, secret);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        wrong += valid(changed);
        changed[i] = '\0';
        wrong += valid(changed);
    }
    wrong += valid(apr_pstrcat(pool, secret, "A", NULL));
    wrong += valid(apr_pstrcat(pool, " ", secret, NULL));
    return wrong;
}

static bool is_refresh(const char *token)
{
    return identity_token_valid(token, IDENTITY_TOKEN_REFRESH);
}

static bool is_key(const char *key)
{
    return identity_key_id(pool, key) != NULL;
}

static void test_tokens(void)
{
    static const char *const prefixes[] = {IDENTITY_TOKEN_REFRESH, IDENTITY_TOKEN_INVITE, IDENTITY_TOKEN_RESET,
                                           IDENTITY_TOKEN_ALIAS};
    unsigned char bytes[32] = {0};

    for (size_t i = 0; i < 4; i++) {
        const char *token = identity_token_make(pool, prefixes[i], &machine_random);
        is_int(strlen(token), 53, "%s: prefix, 43 characters of secret, 6 of checksum # security 33", prefixes[i]);
        ok(identity_token_valid(token, prefixes[i]), "%s: valid", prefixes[i]);
        for (size_t j = 0; j < 4; j++) {
            ok(i == j || !identity_token_valid(token, prefixes[j]), "%s is no %s # security 33", prefixes[i],
               prefixes[j]);
        }
        is_int(strspn(token + 4, BASE64URL_ALPHABET), 49, "%s: needs no escape in URL and JSON", prefixes[i]);
    }
    const char *token = identity_token_make(pool, "idr", &machine_random);
    is_int(misread(token, is_refresh), 0, "every typo is told by the checksum # security 33");
    ok(!identity_token_valid(NULL, "idr") && !identity_token_valid("", "idr"), "nothing is no token");
    ok(strcmp(token, identity_token_make(pool, "idr", &machine_random)) != 0, "two differ # security 20");
    is_str(identity_token_make(pool, "idr", &no_random), NULL, "none without random bytes # security 20");

    token = identity_token_of_bytes(pool, "idi", bytes);
    is_str(token, identity_token_of_bytes(pool, "idi", bytes), "the same bytes make the same token");
    ok(strncmp(token, "idi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 47) == 0, "of the bytes");
    is_str(identity_token_digest(pool, token), identity_sha256_hex(pool, token, 53),
           "stored as SHA-256 of the whole # security 20");
    bytes[31] = 1;
    ok(strcmp(token, identity_token_of_bytes(pool, "idi", bytes)) != 0, "the last bit counts");
}

/* A right checksum over what is no secret of 256 bits. */
static void test_odd_secrets(void)
{
    static const char *const odd[] = {
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA'AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        const char *start = apr_pstrcat(pool, "idr_", odd[i], NULL);
        const char *hex = identity_sha256_hex(pool, start, strlen(start));
        unsigned char bytes[6];
        for (int j = 0; j < 6; j++) {
            bytes[j] = (unsigned char)strtoul(apr_pstrmemdup(pool, hex + 2 * j, 2), NULL, 16);
        }
        const char *checksum = apr_pstrmemdup(pool, identity_base64url_encode(pool, bytes, 6), 6);
        bool last = i + 1 == sizeof odd / sizeof odd[0];
        ok(identity_token_valid(apr_pstrcat(pool, start, checksum, NULL), "idr") == last, "secret \"%s\": %s", odd[i],
           last ? "taken" : "refused for all its checksum");
    }
}

static void test_successor(void)
{
    const char *spent = identity_token_make(pool, "idr", &machine_random);
    const char *other = identity_token_make(pool, "idr", &machine_random);
    const char *next = identity_refresh_successor(pool, spent, "nonce-1");

    ok(identity_token_valid(next, "idr"), "a successor is a refresh token");
    is_str(identity_refresh_successor(pool, spent, "nonce-1"), next, "the same again # security 36");
    ok(strcmp(next, spent) != 0, "not the spent one # security 35");
    ok(strcmp(next, identity_refresh_successor(pool, spent, "nonce-2")) != 0, "another nonce, another one");
    ok(strcmp(next, identity_refresh_successor(pool, other, "nonce-1")) != 0, "another token, another one");
}

static void test_keys(void)
{
    const char *id = identity_id_make(pool, "apik", apr_time_now(), &machine_random);
    const char *key = identity_key_make(pool, id, &machine_random);

    is_int(strlen(key), 74, "idk_, id, _, secret and checksum # security 53");
    ok(strncmp(key, "idk_", 4) == 0 && strncmp(key + 4, id + 5, 20) == 0 && key[24] == '_', "in this order");
    is_str(identity_key_id(pool, key), id, "its id is told # security 53");
    is_int(misread(key, is_key), 0, "every typo is told by the checksum # security 33");
    is_str(identity_key_id(pool, NULL), NULL, "NULL is no key");
    is_str(identity_key_id(pool, "idk_"), NULL, "a start is no key");
    is_str(identity_key_id(pool, identity_token_make(pool, "idk", &machine_random)), NULL, "a token is no key");
    const char *mask = identity_key_mask(pool, key);
    is_str(mask, apr_pstrcat(pool, "idk_...", key + 70, NULL), "masked: prefix and last four # security 53");
    is_str(identity_key_mask(pool, "abc"), "idk_...", "what is too short shows nothing");
    is_str(identity_key_make(pool, "user_0123456789ABCDEFGHxz", &machine_random), NULL, "only of the id of a key");
    is_str(identity_key_make(pool, id, &no_random), NULL, "none without random bytes");
}

static void test_keyed_digest(void)
{
    unsigned char key[32];

    for (int i = 0; i < 32; i++)
        key[i] = (unsigned char)i;
    is_str(identity_keyed_digest(pool, key, "what do ya want for nothing?", 28),
           "099805f4ac310786968565c098db515cc50862b420ae31e20238312344bed36a", "a keyed digest is HMAC-SHA256");
    is_str(identity_keyed_digest(pool, key, "", 0), "d38b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb",
           "of nothing too");
}

static void test_sealing(void)
{
    static const unsigned char key[32] = "0123456789abcdef0123456789abcde";
    static const unsigned char other[32] = "0123456789abcdef0123456789abcdf";
    const char *plain = "idk_secret \xc3\xa9";
    const char *sealed = identity_seal(pool, key, plain, "apik_1", &machine_random);
    int wrong = 0;

    is_str(identity_unseal(pool, key, sealed, "apik_1"), plain, "sealed and unsealed");
    ok(strstr(sealed, "secret") == NULL && strspn(sealed, BASE64URL_ALPHABET) == strlen(sealed), "in base64url");
    is_int(strlen(sealed), ((12 + strlen(plain) + 16) * 4 + 2) / 3, "nonce, text and tag");
    ok(strcmp(sealed, identity_seal(pool, key, plain, "apik_1", &machine_random)) != 0, "a fresh nonce each time");
    is_str(identity_unseal(pool, other, sealed, "apik_1"), NULL, "another key");
    is_str(identity_unseal(pool, key, sealed, "apik_2"), NULL, "another place");
    is_str(identity_unseal(pool, key, "", "apik_1"), NULL, "nothing");
    is_str(identity_unseal(pool, key, NULL, "apik_1"), NULL, "NULL");
    is_str(identity_unseal(pool, key, "no base64url!", "apik_1"), NULL, "what is no base64url");
    for (size_t i = 0; i < strlen(sealed); i++) {
        char *changed = apr_pstrdup(pool, sealed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        wrong += identity_unseal(pool, key, changed, "apik_1") != NULL;
        changed[i] = '\0';
        wrong += identity_unseal(pool, key, changed, "apik_1") != NULL;
    }
    is_int(wrong, 0, "every change and every cut is told");
    is_str(identity_unseal(pool, key, identity_seal(pool, key, "", "", &machine_random), ""), "",
           "an empty text in an empty place");
    is_str(identity_seal(pool, key, plain, "apik_1", &no_random), NULL, "none without random bytes");
}

static void test_sealing_key(void)
{
    static const char hex[] = "000102030405060708090a0b0c0d0e0fF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF",
                      base64[] = "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v8=";
    static const struct {
        const char *what, *text;
        bool good;
    } cases[] = {
        {"hexadecimal digits", hex, true},
        {"... with the end of the line", "000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n", true},
        {"base64", base64, true},
        {"... of a file from elsewhere", "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v8=\r\n", true},
        {"... without padding", "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v8", true},
        {"base64url", "AAECAwQFBgcICQoLDA0OD_Dx8vP09fb3-Pn6-_z9_v8=\n", true},
        {"... without padding", "AAECAwQFBgcICQoLDA0OD_Dx8vP09fb3-Pn6-_z9_v8", true},
        {"nothing", "", false},
        {"an empty line", "\n", false},
        {"31 bytes", "000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfe", false},
        {"33 bytes", "000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff00", false},
        {"64 characters that are no digits", "x00102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", false},
        {"31 bytes in base64", "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/g==", false},
        {"33 bytes in base64", "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v8A", false},
        {"both alphabets", "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3-Pn6-_z9_v8=", false},
        {"two lines", "000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n\n", false},
        {"a remark before it", "# key\n000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n", false},
        {"a blank before it", " AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v8=", false},
        {"a blank after it", "AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v8= ", false},
        {"32 raw bytes", "0123456789abcdef0123456789abcdef", false},
        {"43 raw bytes", "What is this, that it should be any secret?", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char key[32] = {0};
        bool right = true;
        is_int(identity_sealing_key_read(cases[i].text, key), cases[i].good, "a sealing key: %s", cases[i].what);
        for (int b = 0; b < 32; b++)
            right = right && key[b] == (b < 16 ? b : 0xe0 + b);
        ok(right || !cases[i].good, "... byte by byte");
    }
}

int main(void)
{
    fixture_begin();
    test_spelling();
    test_wiping();
    test_comparing();
    test_tokens();
    test_odd_secrets();
    test_successor();
    test_keys();
    test_keyed_digest();
    test_sealing();
    test_sealing_key();
    return fixture_end();
}
