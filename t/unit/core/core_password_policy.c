/* SPDX-License-Identifier: Apache-2.0 */
/* Words that are no passwords: the block list, the user's name and the site's (security 6). */
#include "core_fixture.h"
#include "identity/pages.h"

static const char list[] = "# a comment\npassword\nqwerty123\r\ndragon\n\nstra\xc3\x9f"
                           "e\nletmein\n";
static identity_blocklist_t *blocklist;

static const char *told(const char *password, const char *username, const char *site)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const identity_password_policy_t policy = {
        .minimum = 8, .blocklist = blocklist, .username = username, .site = site};

    if (identity_password_acceptable(pool, password, &policy, "password", &problem))
        return "taken";
    if (strstr(problem.message, password))
        return "the message holds the password";
    return strstr(problem.message, "common password")         ? "common"
           : strstr(problem.message, "the name of this site") ? "names"
                                                              : problem.message;
}

typedef struct policy_case {
    const char *password, *wanted;
} policy_case_t;

static void test_common(void)
{
    static const policy_case_t cases[] = {
        {"QWERTY123", "common"},
        {"Qwerty123", "common"},
        {"Password1", "common"},
        {"PASSWORD2026!", "common"},
        {"1Password", "common"},
        {"P4ssw0rd!", "common"},
        {"P@$$w0rd99", "common"},
        {"!!Dragon7!!", "common"},
        {"Let me in 1", "taken"},
        {"L3tmein2026", "common"},
        {"Password of mine 1", "taken"},
        {"Dragonfly12", "taken"},
        {"Two Dragons 2", "taken"},
        {"Stra\xc3\x9f"
         "e2026",
         "common"},
        {"STRASSE2026", "common"},
        {"# a comment 1A", "taken"},
        {"A1234567", "taken"},
        {"Correct1Horse", "taken"},
    };

    is_int(identity_blocklist_count(blocklist), 5, "lines that are words");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_str(told(cases[i].password, NULL, NULL), cases[i].wanted, "%s # security 6", cases[i].password);
}

static void test_names(void)
{
    static const policy_case_t cases[] = {
        {"Lovelace1", "names"},       {"AdaLovelace42", "names"},       {"Lovelace@Engine1", "names"},
        {"Engine.Example1", "names"}, {"ExampleExample1", "names"},     {"Example1abc", "names"},
        {"Example1abcd", "taken"},    {"The engine of Ada 1", "taken"}, {"Correct1Horse", "taken"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_str(told(cases[i].password, "ada.lovelace@engine.org", "https://id.example.com:8443"), cases[i].wanted,
               "%s # security 6", cases[i].password);
}

/* Item 13: each word of the shipped table is found as it is made at build time, and nothing that lies between two. */
static void test_sorted(const char *text, const char *end)
{
    const identity_blocklist_t *made = identity_blocklist_make(pool, text, (size_t)(end - text));
    int words = 0, wrong = 0, between = 0;
    const char *before = "";

    for (const char *at = text, *line; at < end; at = line + 1, words++) {
        line = memchr(at, '\n', (size_t)(end - at));
        const char *word = apr_pstrmemdup(pool, at, (size_t)(line - at));
        wrong += strcmp(before, word) >= 0 || strcmp(identity_name_canonical(pool, word), word) != 0;
        wrong += !identity_blocklist_has(blocklist, word);
        between += identity_blocklist_has(blocklist, apr_pstrcat(pool, word, "\x01", NULL));
        between += identity_blocklist_has(blocklist, apr_pstrmemdup(pool, word, strlen(word) - 1)) !=
                   identity_blocklist_has(made, apr_pstrmemdup(pool, word, strlen(word) - 1));
        before = word;
    }
    is_int(words, (int)identity_blocklist_count(blocklist), "%d words", words);
    is_int(words, (int)identity_blocklist_count(made), "as many as in a table that is made");
    ok(!identity_blocklist_has(blocklist, "") && !identity_blocklist_has(blocklist, "\x01") &&
           !identity_blocklist_has(blocklist, "\xff"),
       "nothing, what is before all and what is behind all is not there");
    is_int(wrong, 0, "... sorted, in the form that is compared, and found");
    is_int(between, 0, "... and nothing but they");
}

static void test_lists(void)
{
    identity_blocklist_t *none = identity_blocklist_make(pool, "", 0);
    is_int(identity_blocklist_count(none), 0, "an empty list");
    identity_blocklist_t *cut = identity_blocklist_make(pool, "first\nsecond", 9);
    is_int(identity_blocklist_count(cut), 2, "no more than its length is read");
    int long_enough = 0;
    const char *end = identity_document_blocklist.text + identity_document_blocklist.length;
    for (const char *at = identity_document_blocklist.text, *line; at < end; at = line + 1) {
        line = strchr(at, '\n');
        long_enough += *at != '#' && line - at >= 8;
    }
    ok(long_enough >= 3000, "the shipped list has %d of 8 characters and more # security 6", long_enough);
    blocklist = identity_blocklist_sorted(pool, identity_document_blocklist.text, identity_document_blocklist.length);
    test_sorted(identity_document_blocklist.text, end);
    is_str(told("Password1", NULL, NULL), "common", "Password1 is one");
    is_str(told("Iloveyou2", NULL, NULL), "common", "Iloveyou2 too");
    is_str(told("Abcd1234", NULL, NULL), "common", "Abcd1234 too");
    is_str(told("Correct1Horse", NULL, NULL), "taken", "Correct1Horse is none");
}

int main(void)
{
    fixture_begin();
    blocklist = identity_blocklist_make(pool, list, sizeof list - 1);
    test_common();
    test_names();
    test_lists();
    return fixture_end();
}
