/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes that other programs made (security 8): Python's crypt and hashlib, openssl passwd. */
#include "core_fixture.h"

#define RIGHT "Correct horse 1"

static const identity_hash_parameters_t parameters = {IDENTITY_HASH_MEMORY_MIN, IDENTITY_HASH_PASSES_MIN};

static const struct {
    const char *what, *hash;
} hashes[] = {
    {"bcrypt $2b$", "$2b$04$WP/zn96f1WbM7o9EJDeZc.a9jz4QW0Dam/6FNF1CzxHgyQxFVNhEq"},
    {"bcrypt $2y$ of htpasswd", "$2y$05$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu"},
    {"apr1", "$apr1$saltsalt$9K/Ni5V9k6YD2L9pa7ptQ."},
    {"{SHA}", "{SHA}OdjSh+JLO9kQnOGMNELHPI3s6zU="},
    {"md5-crypt", "$1$DeLMvhVP$sSmtHO/pDXQxHsFj59jKA/"},
    {"SHA-256-crypt", "$5$BR3zgcjOYfMR6EEc$Tc/AGNb7WlSfV8oPcdcNoF68ELd1bfzr5i80YyQTC7C"},
    {"SHA-512-crypt",
     "$6$ut2B/w2lDZVyvDW2$RIAiW7.ih4P9zH2RolWNDg6U0GEeu.tn.7VMSciead3Ffq2klRIzE2kBSlJ609QDgjVfKkTRPKIyb"
     "S4xpURdN/"},
    {"SHA-512-crypt with rounds",
     "$6$rounds=1000$saltsalt$X.NBLZPGrU3iop1d1unOMM1urKov7y7lhbR6/FgljGZs/2xD/igEDFUrYULGnCX"
     "HFv08mGa33BCJ46ukEQA4a/"},
    {"yescrypt", "$y$j9T$abcdefghijklmnop$k2uEHIz2NENzV19X1YuKhlXoRnua8sjsewVVDikTZr2"},
    {"scrypt of crypt", "$7$A6..../....abcdefghijklmnop$9iwmZtqz4Yx6uglzgaZyavtX1EoEmBzM8cyEpUGKqYB"},
    {"PBKDF2 with SHA-256", "$pbkdf2-sha256$1000$c2FsdHNhbHRzYWx0c2FsdA$2UKtLrLpCvi0g0pQ7qqBZ4pr8/DVNFc0qTU1pE6.8QY"},
    {"PBKDF2 with SHA-512",
     "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0c2FsdA$c4NbkfgY2ZlurZ0iDAmLwPL/YLNQ7veI2458q09jKkWoCa1Sgr"
     "nqJZv2E0l2dknswTxRzi92ze0aHUCMtMDFOw"},
    {"PBKDF2 with SHA-1", "$pbkdf2$1000$c2FsdHNhbHRzYWx0c2FsdA$hbZQ8dl8F.PAxfnLjxz1Oq.NYM0"},
    {"PBKDF2 of Django", "pbkdf2_sha256$1000$text$nSIlq+qfvcJKTEhSk/0ElTO6RFVXUzxskCorE/006pQ="},
    {"scrypt", "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$B+kSO84bEnF06rylEJsXLRRyEkyVx3MfusQUHAaCX24"},
};

/* No password is tried against these, whatever it would cost: they are none, or ask for too much. */
static const char *const refused_hashes[] = {
    "",
    "plain",
    "$2b$15$WP/zn96f1WbM7o9EJDeZc.a9jz4QW0Dam/6FNF1CzxHgyQxFVNhEq",
    "$2x$04$WP/zn96f1WbM7o9EJDeZc.a9jz4QW0Dam/6FNF1CzxHgyQxFVNhEq",
    "$2b$04$WP/zn96f1WbM7o9EJDeZc.",
    "$6$rounds=1000001$saltsalt$x",
    "$6$rounds=99999999999999999999$saltsalt$x",
    "$6$rounds=$saltsalt$x",
    "$y$jDT$abcdefghijklmnop$qf8VS0KCc0pwmI0At9UcvQygkRQZF3YOQdmd",
    "$y$j9T/$abcdefghijklmnop$x",
    "$y$",
    "$7$CU..../....abcdefghijklmnop$HoN5DqPSqxRhvR0Vq.QisnntmsYii84mZbqB.U3gVl/",
    "$7$A6",
    "$pbkdf2-sha256$2000001$c2FsdA$2UKtLrLpCvi0g0pQ7qqBZ4pr8",
    "$pbkdf2-sha256$0$c2FsdA$2UKtLrLpCvi0g0pQ7qqBZ4pr8",
    "$pbkdf2-sha256$1000$$2UKtLrLpCvi0g0pQ7qqBZ4pr8",
    "$pbkdf2-sha256$1000$c2FsdA$",
    "$pbkdf2-sha256$1000$c2FsdA",
    "$pbkdf2-md5$1000$c2FsdA$2UKtLrLpCvi0g0pQ7qqBZ4pr8",
    "pbkdf2_sha256$1000$$nSIlq+qfvcJKTEhSk",
    "$scrypt$ln=20,r=8,p=1$c2FsdA$B+kSO84bEnF06rylEJsXLRRyEkyVx3MfusQUHAaCX24",
    "$scrypt$ln=14,r=8,p=17$c2FsdA$B+kSO84bEnF06rylEJsXLRRyEkyVx3MfusQUHAaCX24",
    "$scrypt$ln=63,r=64,p=1$c2FsdA$B+kSO84bEnF06rylEJsXLRRyEkyVx3MfusQUHAaCX24",
    "_J9..abcdefghijkl",
    "abJnggxhB/yWI",
};

static identity_password_verdict_t verify(const char *hash, const char *password, bool *weaker)
{
    return identity_password_verify(hash, password, password, &parameters, weaker);
}

/* Why a hash is not taken. */
static void test_reasons(void)
{
    const identity_hash_parameters_t few = {.memory_kib = 19456, .passes = 2},
                                     more = {.memory_kib = 65536, .passes = 3};
    static const char dear[] =
        "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const struct {
        const char *hash;
        identity_import_t reason;
    } cases[] = {
        {dear, IDENTITY_IMPORT_MEMORY},
        {"$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
         IDENTITY_IMPORT_MEMORY},
        {"$argon2id$v=19$m=65536,t=1000,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         IDENTITY_IMPORT_SLOW},
        {"$2b$31$abcdefghijklmnopqrstuuAbcdefghijklmnopqrstuvwxyz012345", IDENTITY_IMPORT_SLOW},
        {"$6$rounds=999999999$salt$x", IDENTITY_IMPORT_SLOW},
        {"$pbkdf2-sha256$99999999$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
         IDENTITY_IMPORT_SLOW},
        {"correct horse", IDENTITY_IMPORT_UNKNOWN},
        {"$argon2i$v=19$m=4096,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", IDENTITY_IMPORT_UNKNOWN},
        {"", IDENTITY_IMPORT_UNKNOWN}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_int(identity_password_importable(cases[i].hash, &few), cases[i].reason, "B9: why not: %.40s", cases[i].hash);
    is_int(identity_password_importable(dear, &more), IDENTITY_IMPORT_FINE,
           "B9: what the configuration allows is taken");
}

int main(void)
{
    bool weaker;

    fixture_begin();
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        const char *what = hashes[i].what, *hash = hashes[i].hash;
        is_int(identity_password_importable(hash, &parameters), IDENTITY_IMPORT_FINE, "%s: known", what);
        is_int(verify(hash, RIGHT, &weaker), IDENTITY_PASSWORD_RIGHT, "%s: right", what);
        ok(weaker, "%s: to be replaced # security 8", what);
        is_int(verify(hash, "Correct horse 2", &weaker), IDENTITY_PASSWORD_WRONG, "%s: last byte # security 3", what);
        is_int(verify(hash, "Correct horse 1 ", &weaker), IDENTITY_PASSWORD_WRONG, "%s: longer # security 3", what);
        is_int(verify(hash, "", &weaker), IDENTITY_PASSWORD_WRONG, "%s: nothing", what);
        char *changed = apr_pstrdup(pool, hash);
        changed[strlen(hash) - 3] ^= 1;
        is_int(verify(changed, RIGHT, &weaker), IDENTITY_PASSWORD_WRONG, "%s: another hash", what);
    }
    for (size_t i = 0; i < sizeof refused_hashes / sizeof refused_hashes[0]; i++) {
        ok(identity_password_importable(refused_hashes[i], &parameters) != IDENTITY_IMPORT_FINE, "\"%s\" is refused",
           refused_hashes[i]);
        is_int(verify(refused_hashes[i], RIGHT, &weaker), IDENTITY_PASSWORD_WRONG, "... and matches nothing");
    }
    const char *seventy = "1234567890123456789012345678901234567890123456789012345678901234567890AB";
    const char *cut = "$2b$04$WP/zn96f1WbM7o9EJDeZc.K5ORQ8U1zWefhb3qZpd8yTg6y6Rb21u";
    is_int(verify(cut, seventy, &weaker), IDENTITY_PASSWORD_RIGHT, "bcrypt looks at 72 bytes");
    is_int(verify(cut, apr_pstrcat(pool, seventy, "x", NULL), &weaker), IDENTITY_PASSWORD_WRONG,
           "the 73rd makes it wrong # security 3");
    ok(identity_password_importable(identity_password_hash(pool, &parameters, RIGHT), &parameters) ==
           IDENTITY_IMPORT_FINE,
       "Argon2id may be taken over too");
    test_reasons();
    return fixture_end();
}
