/* SPDX-License-Identifier: Apache-2.0 */
/* The pages and templates as they are embedded: each page is whole, fetches nothing, and its policy fits its one style
 * and one script. */
#include <apr_strings.h>
#include <openssl/evp.h>

#include "identity/client.h"
#include "identity/pages.h"
#include "tap.h"

static int count(const char *text, const char *word)
{
    int found = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        found++;
    return found;
}

/* CSP's name for what stands in the page's only element of this name. */
static const char *hash_of(apr_pool_t *pool, const char *html, const char *element)
{
    const char *open = apr_pstrcat(pool, "<", element, ">", NULL);
    const char *start = strstr(html, open);
    const char *end = start ? strstr(start, apr_pstrcat(pool, "</", element, ">", NULL)) : NULL;
    unsigned char digest[32], text[64];
    size_t size;

    if (!end)
        return "none";
    start += strlen(open);
    if (!EVP_Q_digest(NULL, "SHA256", NULL, start, (size_t)(end - start), digest, &size))
        return "none";
    EVP_EncodeBlock(text, digest, (int)size);
    return apr_pstrcat(pool, "'sha256-", (char *)text, "'", NULL);
}

/* forms: where those of the page may be sent. */
static void test_page(apr_pool_t *pool, const char *name, const identity_page_t *page, const char *forms)
{
    is_int(strlen(page->html), page->length, "%s: its length", name);
    ok(!strncmp(page->html, "<!DOCTYPE html>\n", 16) && strstr(page->html, "</html>\n"), "%s: it is whole", name);
    is_int(count(page->html, "<style"), 1, "%s: one style", name);
    is_int(count(page->html, "<script"), 1, "%s: one script", name);
    is_int(count(page->html, " src=") + count(page->html, "<link") + count(page->html, "url(") +
               count(page->html, "@import") + count(page->html, "://\""),
           0, "%s: nothing else is fetched", name);
    is_int(count(page->html, "innerHTML") + count(page->html, "outerHTML") + count(page->html, "insertAdjacentHTML") +
               count(page->html, "document.write"),
           0, "%s: nothing that is read becomes HTML", name);
    is_str(page->content_security_policy,
           apr_pstrcat(pool, "default-src 'none'; style-src ", hash_of(pool, page->html, "style"), "; script-src ",
                       hash_of(pool, page->html, "script"), "; connect-src 'self'; base-uri 'none'; form-action '",
                       forms, "'; frame-ancestors 'none'", NULL),
           "%s: its policy", name);
}

/* The interface for people: no script at all, nothing from elsewhere, and every link within it leads somewhere. */
static void test_reference(apr_pool_t *pool, const identity_page_t *page)
{
    int links = 0, loose = 0;

    is_int(strlen(page->html), page->length, "reference: its length");
    ok(!strncmp(page->html, "<!DOCTYPE html>\n", 16) && strstr(page->html, "</html>\n"), "reference: it is whole");
    is_int(count(page->html, "<style"), 1, "reference: one style");
    is_int(count(page->html, "<script") + count(page->html, "javascript:") + count(page->html, " onclick="), 0,
           "reference: no script");
    is_int(count(page->html, " src=") + count(page->html, "<link") + count(page->html, "url(") +
               count(page->html, "@import") + count(page->html, "<form") + count(page->html, "href=\"http"),
           0, "reference: nothing is fetched, sent or linked elsewhere");
    is_str(page->content_security_policy,
           apr_pstrcat(pool, "default-src 'none'; style-src ", hash_of(pool, page->html, "style"),
                       "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", NULL),
           "reference: its policy");
    for (const char *at = page->html; (at = strstr(at, "href=\"#")); links++) {
        at += strlen("href=\"#");
        const char *id = apr_pstrmemdup(pool, at, strcspn(at, "\""));
        if (count(page->html, apr_pstrcat(pool, " id=\"", id, "\"", NULL)) != 1) {
            loose++;
            ok(false, "reference: #%s is there once", id);
        }
    }
    ok(links > 500 && !loose, "reference: each of its %d links leads to one place", links);
}

static void test_mail(const char *name, bool has_link, const char *text, const char *html)
{
    ok(!strncmp(text, "Subject: ", 9) && strstr(text, "\n\n"), "%s: the text has a subject", name);
    is_int(count(text, "\n{{link}}\n"), has_link, "%s: the text has the link on a line of its own, a notice none",
           name);
    is_int(count(html, "href=\"{{link}}\""), has_link ? 2 : 0, "%s: the HTML has it twice", name);
    is_int(count(html, "<img") + count(html, "<script") + count(html, "<style") + count(html, "src=") +
               count(html, "url(") + count(html, "http"),
           0, "%s: the HTML fetches nothing", name);
    ok(text[strlen(text) - 1] == '\n' && html[strlen(html) - 1] == '\n', "%s: both end their last line", name);
}

static bool has_link(const char *name)
{
    identity_mail_kind_t kind;

    if (!identity_mail_kind_named(name, &kind))
        bail("there is a mail of no kind");
    return identity_mail_kind_page(kind) != NULL;
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    test_page(pool, "activate", &identity_page_activate, "none");
    test_page(pool, "reset", &identity_page_reset, "none");
    test_page(pool, "confirm", &identity_page_confirm, "none");
    test_reference(pool, &identity_page_reference);
    int languages = 0;
    for (const identity_filled_page_t *page = identity_pages_entry; page->language; page++, languages++)
        test_page(pool, apr_pstrcat(pool, "entry in ", page->language, NULL), &page->page, "self");
    is_int(languages, 3, "the page that signs in is there in three languages");
    int mails = 0;
    for (const identity_mail_source_t *source = identity_mail_sources; source->kind; source++, mails++)
        test_mail(apr_pstrcat(pool, source->kind, ".", source->language, NULL), has_link(source->kind), source->text,
                  source->html);
    is_int(mails, 3 * IDENTITY_MAIL_KINDS, "all kinds of mails in three languages");
    return tap_done();
}
