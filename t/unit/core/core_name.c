/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, names, slugs, permissions and texts. */
#include "core_fixture.h"

typedef struct text_case {
    const char *text;
    bool valid;
} text_case_t;

#define CASES(table) (table), sizeof(table) / sizeof(table)[0]

static void check(const char *what, bool (*valid)(const char *), const text_case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ok(valid(cases[i].text) == cases[i].valid, "%s \"%s\": %s", what, cases[i].text,
           cases[i].valid ? "valid" : "not valid");
    }
    ok(!valid(NULL), "%s NULL: not valid", what);
}

static const text_case_t addresses[] = {
    {"ada@example.com", true},
    {"o'brien+list@mail.example.co.uk", true},
    {"j\xc3\xbcrgen@m\xc3\xbcller.example", true},
    {"-x@a-b.c", true},
    {"", false},
    {"@example.com", false},
    {"ada@", false},
    {"ada@example", false},
    {"ada@.com", false},
    {"ada@example.", false},
    {"ada@example..com", false},
    {"ada@-example.com", false},
    {"ada@example-.com", false},
    {"ada@example.com-", false},
    {"ada@exa_mple.com", false},
    {"ada@bob@example.com", false},
    {"ada lovelace@example.com", false},
    {"ada@example.com ", false},
    {"ada@example.com,bob@example.com", false},
    {"ada@example.com;bob", false},
    {"\"ada\"@example.com", false},
    {"<ada@example.com>", false},
    {"ada>@example.com", false},
    {"ada@[127.0.0.1]", false},
    {"ada(x)@example.com", false},
    {"ada\\@example.com", false},
    {"ada@example.com\r\nRCPT TO:<x@y.z>", false},
    {"ada\x01@example.com", false},
    {"ada\xe3\x80\x80@example.com", false},
    {"ada\xff@example.com", false},
};

static const text_case_t slugs[] = {
    {"read-only", true}, {"a", true},    {"9", true},    {"-", true},    {"", false},
    {"Read", false},     {"a b", false}, {"a_b", false}, {"a/b", false}, {"\xc3\xa9", false},
};

static const text_case_t permissions[] = {
    {"REPORT.VIEW", true},  {"A.B", true},      {"A1_.B2_.C", true}, {"", false},
    {"REPORT", false},      {"REPORT.", false}, {".VIEW", false},    {"A..B", false},
    {"report.view", false}, {"1A.B", false},    {"A.1B", false},     {"A._B", false},
    {"A.B ", false},        {"A-B.C", false},   {"A.B\n", false},    {"A.\xc3\x89", false},
    {"A.B*", false},
};

static const text_case_t texts[] = {
    {"Sales", true},
    {"Vertrieb \xe2\x80\x93 S\xc3\xbc"
     "d",
     true},
    {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", true},
    {"", false},
    {" ", false},
    {"\xc2\xa0\xe3\x80\x80", false},
    {"a\tb", false},
    {"a\nb", false},
    {"a\x1b[31m", false},
    {"a\x7f", false},
    {"a\xc2\x9b", false},
    {"a\xe2\x80\xa8", false},
    {"a\xe2\x80\xae", false},
    {"a\xe2\x81\xa6", false},
    {"a\xff", false},
    {"a\xc0\x80", false},
};

static void test_lengths(void)
{
    ok(identity_slug_valid(repeat("a", 64)), "a slug of 64 characters");
    ok(!identity_slug_valid(repeat("a", 65)), "not of 65");
    ok(identity_permission_valid(apr_pstrcat(pool, "A.", repeat("B", 126), NULL)), "a permission of 128 characters");
    ok(!identity_permission_valid(apr_pstrcat(pool, "A.", repeat("B", 127), NULL)), "not of 129");
}

static void test_canonical(void)
{
    is_str(identity_username_domain("a@b@c.d"), "c.d", "the domain follows the last @");
    is_str(identity_username_domain("nobody"), "", "none without an @");

    is_str(identity_name_canonical(pool, "Read ONLY"), "read only", "a name is folded");
    is_str(identity_name_canonical(pool, "STRA\xc3\x9f"
                                         "E"),
           "strasse", "by the rules of Unicode");
    is_str(identity_name_canonical(pool, "\xef\xbc\xa1\xef\xac\x81"), "afi", "wide letters and ligatures");
    is_str(identity_name_canonical(pool, "e\xcc\x81"), identity_name_canonical(pool, "\xc3\x89"),
           "composed or not is the same");
    is_str(identity_name_canonical(pool, "a\xe2\x80\x8b"
                                         "b"),
           "ab", "what has no width does not count");
    is_str(identity_name_canonical(pool, "a\xff"), NULL, "no valid UTF-8, no name");
    is_str(identity_name_canonical(pool, ""), "", "an empty name");
}

static void test_prefix_end(void)
{
    is_str(identity_prefix_end(pool, "ada"), "adb", "the end behind ada");
    is_str(identity_prefix_end(pool, ""), NULL, "none behind nothing");
    is_str(identity_prefix_end(pool, "a\x7f"), "a\xc2\x80", "the next character, not the next byte");
    is_str(identity_prefix_end(pool, "\xc3\xbf"), "\xc4\x80", "across two bytes");
    is_str(identity_prefix_end(pool, "\xdf\xbf"), "\xe0\xa0\x80", "from two bytes to three");
    is_str(identity_prefix_end(pool, "\xed\x9f\xbf"), "\xee\x80\x80", "over the surrogates");
    is_str(identity_prefix_end(pool, "a\xf4\x8f\xbf\xbf"), "b", "past the last character");
    is_str(identity_prefix_end(pool, "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"), NULL, "none where all are the last");
    is_str(identity_prefix_end(pool, "a%_"), "a%`", "wildcards are plain characters # security 78");
}

static void test_slugs(void)
{
    is_str(identity_slug_of_name(pool, "Billing  Entity / Viewer"), "billing-entity-viewer", "a slug of a name");
    is_str(identity_slug_of_name(pool, "--Sales 2024!"), "sales-2024", "no hyphen at the ends");
    is_str(identity_slug_of_name(pool, "\xe5\x96\xb6\xe6\xa5\xad"), "role", "where nothing is left");
    const char *slug = identity_slug_of_name(pool, apr_pstrcat(pool, repeat("a", 63), " bcd", NULL));
    is_str(slug, repeat("a", 63), "cut at 64 characters, no hyphen left");
    ok(identity_slug_valid(identity_slug_of_name(pool, repeat("x", 300))), "a long name's slug is valid");
}

static bool issuer_valid(const char *url)
{
    return identity_issuer_valid(pool, url);
}

static void test_addresses_of_others(void)
{
    const text_case_t issuers[] = {{"https://login.example.org", true},
                                   {"https://login.example.org/realms/a%20b/", true},
                                   {"https://login.example.org:8443", true},
                                   {"http://127.0.0.1:9000", true},
                                   {"http://localhost/a", true},
                                   {"http://[::1]:9000", true},
                                   {"http://login.example.org", false},
                                   {"http://127.0.0.1.example.org", false},
                                   {"http://localhost.example.org", false},
                                   {"ftp://login.example.org", false},
                                   {"HTTPS://login.example.org", false},
                                   {"login.example.org", false},
                                   {"https://", false},
                                   {"https:///a", false},
                                   {"https://user@login.example.org", false},
                                   {"https://user:x@login.example.org", false},
                                   {"https://login.example.org?a", false},
                                   {"https://login.example.org#a", false},
                                   {"https://login.example.org:", false},
                                   {"https://login.example.org:0", false},
                                   {"https://login.example.org:99999", false},
                                   {"https://login.example.org/a b", false},
                                   {"https://login.example.org/\"", false},
                                   {"https://l\xc3\xb6gin.example.org", false},
                                   {"https://login.example.org/\\", false},
                                   {"", false}};
    const text_case_t domains[] = {{"example.org", true},
                                   {"A-1.Example.ORG", true},
                                   {"m\xc3\xbcller.example", true},
                                   {"localhost", false},
                                   {"@example.org", false},
                                   {"example..org", false},
                                   {".example.org", false},
                                   {"example.org.", false},
                                   {"-a.example", false},
                                   {"exa mple.org", false},
                                   {"exa\xc2\xa0mple.org", false},
                                   {"*.example.org", false},
                                   {"", false}};

    check("issuer", issuer_valid, CASES(issuers));
    check("domain", identity_domain_valid, CASES(domains));
    ok(issuer_valid(apr_pstrcat(pool, "https://e.org/", repeat("x", 498), NULL)), "an issuer of 512 bytes");
    ok(!issuer_valid(apr_pstrcat(pool, "https://e.org/", repeat("x", 499), NULL)), "and not one more");
    ok(identity_host_loopback("127.1.2.3") && identity_host_loopback("LocalHost") &&
           !identity_host_loopback("128.0.0.1") && !identity_host_loopback("") && !identity_host_loopback("127.0.0.1x"),
       "this machine itself");
}

int main(void)
{
    fixture_begin();
    check("address", identity_mail_address_valid, CASES(addresses));
    check("slug", identity_slug_valid, CASES(slugs));
    check("permission", identity_permission_valid, CASES(permissions));
    check("text", identity_text_valid, CASES(texts));
    test_lengths();
    test_canonical();
    test_prefix_end();
    test_slugs();
    test_addresses_of_others();
    return fixture_end();
}
