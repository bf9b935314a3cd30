/* SPDX-License-Identifier: Apache-2.0 */
/* Languages that are asked for (RFC 9110, 12.5.4), and which of those there are is taken (RFC 4647, 3.4). */
#include "core_fixture.h"

static void test_tags(void)
{
    static const char *const good[] = {"de", "de-AT", "zh-Hant-TW", "sl-rozaj-biske-1994", "i-klingon", "x-a-b"};
    static const char *const bad[] = {"",
                                      "-",
                                      "de-",
                                      "-de",
                                      "de--AT",
                                      "d1e-*",
                                      "de_AT",
                                      "1de",
                                      "*",
                                      "de\r\nX: y",
                                      "ninechars",
                                      "de-abcdefghijklmnop",
                                      "aa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ok(identity_language_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(!identity_language_valid(bad[i]), "no tag: the %dth", (int)i + 1);
}

static void test_choice(void)
{
    static const char *const tags[] = {"en", "de", "fr", "pt-BR", "zh-Hant"};
    static const struct {
        const char *accepted, *chosen;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"*", NULL},
        {"de", "de"},
        {"DE", "de"},
        {"de-AT", "de"},
        {"de-CH-1996", "de"},
        {"pt-br", "pt-BR"},
        {"pt", NULL},
        {"zh-Hant-TW", "zh-Hant"},
        {"zh-Hans, fr", "fr"},
        {"zh-Hant-x-y", "zh-Hant"},
        {"es, it, fr", "fr"},
        {"fr;q=0.3, de;q=0.9, en;q=0.5", "de"},
        {"fr;q=0.5, de;q=0.5", "fr"},
        {"en ; q=0.001 , de\t;\tQ=0.002", "de"},
        {"de;q=0, fr;q=0.1", "fr"},
        {"de;q=0.000", NULL},
        {"de;q=1.0, en", "de"},
        {"de;q=1.5, en;q=0.1", "en"},
        {"de;q=2, en;q=0.1", "en"},
        {"de;q=.5, en;q=0.1", "en"},
        {"de;q=0.5555, en;q=0.1", "en"},
        {"de;q=-1, en;q=0.1", "en"},
        {"de;level=1, en;q=0.1", "en"},
        {"de;q=1e0, en;q=0.1", "en"},
        {"de;q=, en;q=0.1", "en"},
        {", ,,de", "de"},
        {"\xff, de", "de"},
        {"da, en-gb;q=0.8, en;q=0.7", "en"},
    };
    apr_array_header_t *there = apr_array_make(pool, 5, sizeof(const char *));

    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        APR_ARRAY_PUSH(there, const char *) = tags[i];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_str(identity_language_choose(pool, cases[i].accepted, there), cases[i].chosen, "\"%s\"",
               cases[i].accepted ? cases[i].accepted : "no header");
    const char *many = "xx";
    for (int i = 0; i < 5000; i++)
        many = i % 500 ? many : apr_pstrcat(pool, many, ",xx;q=0.5", NULL);
    is_str(identity_language_choose(pool, apr_pstrcat(pool, many, ", de", NULL), there), "de", "among many");
    char *endless = apr_pcalloc(pool, 100001);
    for (int i = 0; i < 100000; i++)
        endless[i] = "x,"[i % 2];
    is_str(identity_language_choose(pool, apr_pstrcat(pool, "fr,", endless, NULL), there), "fr",
           "an endless one is read as far as it is sensible");
    apr_array_clear(there);
    is_str(identity_language_choose(pool, "de", there), NULL, "where there is none none is chosen");
}

int main(void)
{
    fixture_begin();
    test_tags();
    test_choice();
    return fixture_end();
}
