/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords: which are taken, and Argon2id. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "core_fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const identity_hash_parameters_t floor_cost = {IDENTITY_HASH_MEMORY_MIN, IDENTITY_HASH_PASSES_MIN};
static const identity_hash_parameters_t cheap = {1024, 1}; /* for what is not about the cost */

typedef struct password_case {
    const char *what, *password, *told; /* told NULL: taken */
    size_t minimum;
} password_case_t;

static const password_case_t cases[] = {
    {"8 bytes with digit and capital", "Abcdefg1", NULL, 8},
    {"spaces", "Correct horse 1", NULL, 8},
    {"accents and an emoji", "P\xc3\xa4sswort1 \xf0\x9f\x98\x80", NULL, 8},
    {"a capital of another script",
     "\xd0\x9f\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c"
     "1",
     NULL, 8},
    {"7 bytes", "Abcdef1", "have at least 8 bytes", 8},
    {"7 bytes where 1 would do", "Abcdef1", "have at least 8 bytes", 1},
    {"14 bytes where 15 are asked", "Abcdefghijklm1", "have at least 15 bytes", 15},
    {"15 bytes where 15 are asked", "Abcdefghijklmn1", NULL, 15},
    {"nothing", "", "have at least 8 bytes", 8},
    {"no digit", "Abcdefgh", "contain a digit", 8},
    {"no capital", "abcdefg1", "contain a capital letter", 8},
    {"a control character", "Abcdefg1\n", "without control characters", 8},
    {"a control character of the second set", "Abcdefg1\xc2\x85", "without control characters", 8},
    {"wrong UTF-8", "Abcdefg1\xff", "UTF-8", 8},
    {"cut UTF-8", "Abcdefg1\xc3", "UTF-8", 8},
    {"the user name", "Ada1@Example.com", "not be the user name", 8},
    {"the user name in capitals", "ADA1@EXAMPLE.COM", "not be the user name", 8},
    {"the user name in wide letters",
     "\xef\xbc\xa1"
     "da1@example.com",
     "not be the user name", 8},
    {"a part of the user name", "Ada1@Example.co", "not be made up of the user name", 8},
    {"the user name among other words", "Ada1@Example rides a horse", NULL, 8},
};

static bool acceptable(const char *password, const char *username, size_t minimum, identity_problem_t *problem)
{
    const identity_password_policy_t policy = {.minimum = minimum, .username = username};
    return identity_password_acceptable(pool, password, &policy, "new_password", problem);
}

static void test_acceptable(void)
{
    identity_problem_t problem;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const password_case_t *c = &cases[i];
        problem = (identity_problem_t){.kind = IDENTITY_PROBLEM_NONE};
        bool taken = acceptable(c->password, "ada1@example.com", c->minimum, &problem);

        ok(taken == (c->told == NULL), "%s: %s", c->what, c->told == NULL ? "taken" : "refused");
        if (c->told != NULL) {
            is_int(problem.kind, IDENTITY_PROBLEM_INVALID_FIELD, "%s: the kind", c->what);
            is_str(problem.field, "new_password", "%s: the field", c->what);
            ok(strstr(problem.message, c->told) != NULL, "%s: told", c->what);
            ok(*c->password == '\0' || strstr(problem.message, c->password) == NULL,
               "%s: the password is not repeated # security 84", c->what);
        }
    }
    ok(acceptable("Abcdefg1", NULL, 8, &problem), "no user name: taken");
    const char *longest = apr_pstrcat(pool, "A1", repeat("x", IDENTITY_PASSWORD_MAX - 2), NULL);
    ok(acceptable(longest, "a@b.c", 8, &problem), "1,024 bytes # security 4");
    ok(!acceptable(apr_pstrcat(pool, longest, "x", NULL), "a@b.c", 8, &problem),
       "1,025 bytes are refused # security 4");
    is_str(problem.message, "new_password must have at most 1024 bytes.", "and told");
    ok(!acceptable(repeat("\xff", 2000), "a@b.c", 8, &problem) && strstr(problem.message, "at most") != NULL,
       "the length is judged before anything else # security 4");
}

static void test_normalise(void)
{
    is_str(identity_password_normalise(pool, "Plain 1"), "Plain 1", "ASCII stays");
    is_str(identity_password_normalise(pool, " Two  Spaces "), " Two  Spaces ", "no trimming, no case # security 3");
    is_str(identity_password_normalise(pool, "e\xcc\x81"), "\xc3\xa9", "composed # security 3");
    is_str(identity_password_normalise(pool, "\xef\xbc\xa1\xef\xac\x81"), "Afi", "NFKC # security 3");
    is_str(identity_password_normalise(pool, "a\xff"), NULL, "no valid UTF-8");
    ok(identity_password_normalise(pool, repeat("x", 1024)) != NULL, "1,024 bytes");
    is_str(identity_password_normalise(pool, repeat("x", 1025)), NULL, "not 1,025 # security 4");
    const char *grown = identity_password_normalise(pool, repeat("\xef\xb7\xba", 341));
    is_int(grown == NULL ? 0 : strlen(grown), 341 * 33, "the form that grows most is whole");
}

static identity_password_verdict_t verify(const char *hash, const char *password)
{
    bool weaker;
    return identity_password_verify(hash, password, password, &cheap, &weaker);
}

static void test_hash(void)
{
    const char *hash = identity_password_hash(pool, &floor_cost, "Correct horse 1");
    bool weaker = true;

    ok(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31) == 0, "a PHC string of the floor # security 1");
    ok(strcmp(hash, identity_password_hash(pool, &floor_cost, "Correct horse 1")) != 0, "a salt each # security 2");
    is_int(strchr(hash + 31, '$') - (hash + 31), 22, "of 16 bytes # security 2");
    is_int(identity_password_verify(hash, "Correct horse 1", "Correct horse 1", &floor_cost, &weaker),
           IDENTITY_PASSWORD_RIGHT, "right");
    ok(!weaker, "not weaker than its own parameters");
    ok(crypto_pwhash_str_verify(hash, "Correct horse 1", 15) == 0, "libsodium verifies it too");
    is_int(identity_password_verify(hash, "Correct horse 2", "Correct horse 2", &floor_cost, &weaker),
           IDENTITY_PASSWORD_WRONG, "the last byte differs # security 3");

    hash = identity_password_hash(pool, &cheap, "x");
    identity_password_verify(hash, "x", "x", &(identity_hash_parameters_t){2048, 1}, &weaker);
    ok(weaker, "less memory is weaker # security 8");
    identity_password_verify(hash, "y", "y", &floor_cost, &weaker);
    ok(weaker, "told of a wrong password too: both must cost the same # security 15");
    identity_password_verify(hash, "x", "x", &(identity_hash_parameters_t){1024, 2}, &weaker);
    ok(weaker, "fewer passes are weaker # security 8");
    identity_password_verify(hash, "x", "x", &(identity_hash_parameters_t){512, 1}, &weaker);
    ok(!weaker, "more memory is not");
}

static void test_whole(void)
{
    char *password = apr_pstrdup(pool, repeat("x", 200));
    const char *hash = identity_password_hash(pool, &cheap, password);
    int wrong = 0;

    is_int(verify(hash, password), IDENTITY_PASSWORD_RIGHT, "200 bytes");
    static const int places[] = {0, 71, 72, 199};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        password[places[i]] = 'X';
        wrong += verify(hash, password) != IDENTITY_PASSWORD_WRONG;
        password[places[i]] = 'x';
    }
    is_int(wrong, 0, "the 1st, 72nd, 73rd and 200th byte count # security 3");
    is_int(verify(hash, apr_pstrcat(pool, password, " ", NULL)), IDENTITY_PASSWORD_WRONG, "a space more # security 3");
    password[199] = '\0';
    is_int(verify(hash, password), IDENTITY_PASSWORD_WRONG, "a byte less # security 3");
    is_int(verify(identity_password_hash(pool, &cheap, ""), ""), IDENTITY_PASSWORD_RIGHT, "an empty one");
}

static const char *const foreign[] = {
    "",
    "$",
    "plain text",
    "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.",
    "$argon2i$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=16$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$t=1,m=1024,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=-1,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=0,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=7,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1$!!!!!!!!!!!!!!!!!!!!!!$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
    "$argon2id$v=19$m=1024,t=01,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=1024,t=1,p=1",
    "$argon2id$v=19$",
};

/* What would take gigabytes or minutes; the last one is just over the work that is allowed. */
static const char *const absurd[] = {
    "m=1048577,t=1,p=1", "m=4294967295,t=1,p=1",    "m=4294968320,t=1,p=1", "m=99999999999999999999,t=1,p=1",
    "m=1024,t=65,p=1",   "m=1024,t=4294967297,p=1", "m=1024,t=1,p=2",       "m=1048576,t=5,p=1"};

static const char *absurd_hash(size_t i)
{
    return apr_pstrcat(pool, "$argon2id$v=19$", absurd[i],
                       "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL);
}

#define ABSURD_COUNT (sizeof absurd / sizeof absurd[0])

static void test_foreign(void)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        is_int(verify(foreign[i], "x"), IDENTITY_PASSWORD_WRONG, "hash \"%s\" is of no password # security 91",
               foreign[i]);
    }
    for (size_t i = 0; i < ABSURD_COUNT; i++) {
        is_int(verify(absurd_hash(i), "x"), IDENTITY_PASSWORD_WRONG, "%s is refused # security 91", absurd[i]);
    }
    is_int(verify(NULL, "x"), IDENTITY_PASSWORD_WRONG, "no hash");
    is_int(verify(repeat("$argon2id$v=19$m=1024,t=1,p=1$", 10), "x"), IDENTITY_PASSWORD_WRONG, "a long hash");
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void test_dummy(void)
{
    const char *dummy = identity_password_dummy(pool, &floor_cost);
    const char *hash = identity_password_hash(pool, &floor_cost, "x");
    bool weaker;

    is_int(strlen(dummy), strlen(hash), "a dummy is as long as a hash # security 16");
    ok(strncmp(dummy, hash, 31) == 0, "of the same parameters # security 16");
    double start = processor_seconds();
    for (int i = 0; i < 3; i++) {
        identity_password_verify(hash, "y", "y", &floor_cost, &weaker);
    }
    double of_hash = processor_seconds() - start;
    start = processor_seconds();
    for (int i = 0; i < 3; i++) {
        is_int(identity_password_verify(dummy, "y", "y", &floor_cost, &weaker), IDENTITY_PASSWORD_WRONG,
               "no password has it");
    }
    double of_dummy = processor_seconds() - start;
    ok(of_dummy > of_hash / 2, "and it costs a whole hash # security 16");
}

/* In a child with little address space: lack of memory is told apart from a wrong password. */
static void test_no_memory(void)
{
    if (SANITIZED) {
        ok(true, "lack of memory # SKIP the sanitizer needs the address space");
        return;
    }
    const identity_hash_parameters_t large = {262144, 1};
    const char *hash = identity_password_dummy(pool, &large);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {200u << 20, 200u << 20};
        bool weaker;
        setrlimit(RLIMIT_AS, &limit);
        bool told = identity_password_verify(hash, "x", "x", &large, &weaker) == IDENTITY_PASSWORD_NO_MEMORY &&
                    identity_password_hash(pool, &large, "x") == NULL;
        /* were memory tried for, it would lack */
        for (size_t i = 0; i < ABSURD_COUNT; i++) {
            told = told && verify(absurd_hash(i), "x") == IDENTITY_PASSWORD_WRONG;
        }
        _exit(told ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    is_int(status, 0,
           "lack of memory is told apart from a wrong password, and an absurd hash takes none # security 86, 91");
}

int main(void)
{
    fixture_begin();
    test_acceptable();
    test_normalise();
    test_hash();
    test_whole();
    test_foreign();
    test_dummy();
    test_no_memory();
    return fixture_end();
}
