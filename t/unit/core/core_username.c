/* SPDX-License-Identifier: Apache-2.0 */
/* User names: the rule and the canonical form, by a table (conf/interface.md; security 77). */
#include <utf8proc.h>

#include "core_fixture.h"
#include "support/usernames.h"

static const char *shown(const char *text)
{
    char *to = apr_palloc(pool, strlen(text) * 4 + 1), *at = to;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c > '~')
            at += apr_snprintf(at, 5, "\\x%02x", c);
        else
            *at++ = *text;
    }
    *at = '\0';
    return strlen(to) > 80 ? apr_pstrcat(pool, apr_pstrndup(pool, to, 77), "...", NULL) : to;
}

static void test_table(void)
{
    ok(username_case_count >= 80, "at least 80 names (%d)", (int)username_case_count);
    for (size_t i = 0; i < username_case_count; i++) {
        const username_case_t *item = &username_cases[i];
        const char *canonical = identity_username_canonical(pool, item->name);
        is_str(canonical, item->canonical, "%s: %s %s # security 77", item->number, shown(item->name),
               item->canonical ? "has its canonical form" : "is not a user name");
        ok(identity_username_valid(item->name) == (item->canonical != NULL), "%s: ... and is %s", item->number,
           item->canonical ? "valid" : "not valid");
        if (canonical)
            is_str(identity_username_canonical(pool, canonical), canonical, "%s: ... which is its own", item->number);
        is_str(identity_username_key(pool, item->name),
               canonical ? canonical : identity_username_old_form(pool, item->name), "%s: ... and its key",
               item->number);
    }
    ok(!identity_username_valid(NULL), "NULL is not a user name");
    is_str(identity_username_canonical(pool, NULL), NULL, "... and has no canonical form");
    ok(!identity_username_valid("it@x.example\r\nSubject: Your account was hacked"),
       "A12: an address that goes on as a sentence or a header is refused as a name");
}

/* All of a kind, not only those of the table. */
static void test_characters(void)
{
    int taken = 0, wrong = 0;

    for (utf8proc_int32_t c = 0x80; c < 0x110000; c++) {
        char name[32] = "a";
        if (c >= 0xd800 && c < 0xe000)
            continue;
        utf8proc_ssize_t length = utf8proc_encode_char(c, (utf8proc_uint8_t *)name + 1);
        strcpy(name + 1 + length, "@x.example");
        const char *canonical = identity_username_canonical(pool, name);
        if (!canonical)
            continue;
        taken++;
        utf8proc_category_t category = utf8proc_category(c);
        if (utf8proc_get_property(c)->ignorable || category == UTF8PROC_CATEGORY_CF ||
            category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZS)
            wrong++;
        const char *again = identity_username_canonical(pool, canonical);
        if (!again || strcmp(again, canonical) != 0)
            wrong++;
    }
    ok(taken > 100000, "of all characters those of scripts are taken in a local part (%d)", taken);
    is_int(wrong, 0, "A15: none that cannot be seen, and each form is its own # security 77");
}

static void test_lengths(void)
{
    const char *tail = apr_pstrcat(pool, repeat("b", 63), ".", repeat("c", 63), ".", NULL);

    ok(identity_username_valid(apr_pstrcat(pool, repeat("a", 64), "@", tail, repeat("d", 61), NULL)),
       "A15: 64 bytes before the @ and 254 in all");
    ok(!identity_username_valid(apr_pstrcat(pool, repeat("a", 64), "@", tail, repeat("d", 62), NULL)),
       "A15: ... and not 255");
    ok(!identity_username_valid(apr_pstrcat(pool, repeat("a", 65), "@x.example", NULL)),
       "A15: not 65 bytes before the @");
    ok(identity_username_valid(apr_pstrcat(pool, repeat("\xc3\xa4", 32), "@x.example", NULL)),
       "... bytes, not characters: 32 of two");
    ok(!identity_username_valid(apr_pstrcat(pool, repeat("\xc3\xa4", 33), "@x.example", NULL)), "... and not 33");
    ok(!identity_username_valid(apr_pstrcat(pool, "a@", repeat("b", 64), ".example", NULL)), "A15: no label of 64");
    ok(!identity_username_valid(apr_pstrcat(pool, "a@", repeat("\xc3\xbc", 60), ".example", NULL)),
       "A15: ... nor one that has more than 63 as an A-label");
    ok(!identity_username_valid(apr_pstrcat(pool, "a@", repeat("b.", 100000), "example", NULL)), "nor a very long one");
    ok(!identity_username_valid(repeat("a", 100000)), "nor a very long local part");
}

static void test_search(void)
{
    is_str(identity_username_prefix(pool, "Ada"), "ada", "the beginning of a name");
    is_str(identity_username_prefix(pool, "\xc3\x84"), "\xc3\xa4", "folds as the name does");
    is_str(identity_username_prefix(pool, "Ada@B\xc3\x9c"
                                          "CHER.Example"),
           "ada@xn--bcher-kva.example", "a whole domain too");
    is_str(identity_username_prefix(pool, "Ada@Exa."), "ada@exa.", "and what is not whole by its letters");
    is_str(identity_username_prefix(pool, "STRA\xc3\x9f"
                                          "E"),
           "stra\xc3\x9f"
           "e",
           "what cannot be in a name stays");
    is_str(identity_domain_canonical(pool, "B\xc3\x9c"
                                           "CHER.example"),
           "xn--bcher-kva.example", "a domain");
    is_str(identity_domain_canonical(pool, "localhost"), NULL, "... needs a dot");
    is_str(identity_host_canonical(pool, "B\xc3\xbc"
                                         "cher"),
           "xn--bcher-kva", "B2: a host does not");
    is_str(identity_host_canonical(pool, "[::1]"), NULL, "and is no address in brackets");
}

/* ---- logins ----------------------------------------------------------------------------------------------------- */

static void test_logins(void)
{
    static const char *const good[] = {"a",
                                       "7",
                                       "Ada.Lovelace_1815-x",
                                       "a..b",
                                       "user_0123456789012345678",
                                       "user_01234567890123456789a",
                                       "user_012345678901234567.9",
                                       "us3r_01234567890123456789",
                                       "0123456789abcdef0123456789abcde",
                                       "a123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {"",
                                      ".a",
                                      "-a",
                                      "_a",
                                      "a b",
                                      "a@b.c",
                                      "a/b",
                                      "a:b",
                                      "\xc3\xa4",
                                      "a\n",
                                      "user_01234567890123456789",
                                      "USER_01234567890123456789",
                                      "Apik_abcdefghijABCDEFGHIJ",
                                      "0123456789abcdef0123456789ABCDEF",
                                      "a1234567890123456789012345678901234567890123456789012345678901234"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ok(identity_login_valid(good[i]), "M19: %s is a login", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(!identity_login_valid(bad[i]), "M19: \"%s\" is none", bad[i]);
    ok(!identity_login_valid(NULL), "M19: nor is nothing");
    is_str(identity_login_key(pool, "Ada.L_1-X"), "ada.l_1-x", "M19: compared in lower case");
}

int main(void)
{
    fixture_begin();
    test_table();
    test_lengths();
    test_characters();
    test_search();
    test_logins();
    return fixture_end();
}
