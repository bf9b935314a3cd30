/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of mails: what stands in them, where a value is escaped how, files of an administrator, languages. */
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "src/client/template.h"
#include "tap.h"

#define VALUES "link, username, site, expires, inviter, account, address and actor"
#define EVIL   "<b>\"o'x&\"</b>\r\nBcc: eve\xe2\x80\xae@x.org"

static apr_pool_t *pool;
static char folder[] = "/tmp/identity-templates.XXXXXX";
static const char *error;

/* ---- one template ----------------------------------------------------------------------------------------------- */

static const char *filled(const char *source, bool html, const char *inviter)
{
    const char *const values[MAIL_VALUES] = {[MAIL_VALUE_LINK] = "https://h/#token=a&b",
                                             [MAIL_VALUE_USERNAME] = EVIL,
                                             [MAIL_VALUE_SITE] = "h",
                                             [MAIL_VALUE_EXPIRES] = "soon",
                                             [MAIL_VALUE_INVITER] = inviter};
    mail_template_t *template = mail_template_compile(pool, source, 1, html, &error);

    return template ? mail_template_fill(pool, template, values) : error;
}

static void test_values(void)
{
    is_str(filled("{{link}} {{ site }}{{expires}}", false, NULL), "https://h/#token=a&b hsoon", "values");
    is_str(filled("a{{inviter}}b{{account}}c", false, NULL), "abc", "none are empty");
    is_str(filled("a{{#inviter}} by {{inviter}}{{/inviter}}{{^inviter}} by none{{/inviter}}b", false, "{{site}}"),
           "a by {{site}}b", "a section for what is there; values are not filled in again");
    is_str(filled("a{{#inviter}} by {{inviter}}{{/inviter}}{{^inviter}} by none{{/inviter}}b", false, ""), "a by noneb",
           "and one for what is not");
    is_str(filled("{ {site} } }} {", false, NULL), "{ {site} } }} {", "other braces are text");
    is_str(filled("", false, NULL), "", "nothing");
}

static void test_faults(void)
{
    static const struct {
        const char *source, *error;
    } cases[] = {
        {"a\nb {{link", "line 2: a {{ has no }}."},
        {"{{name}}", "line 1: there is no value {{name}}; there are " VALUES "."},
        {"{{}}", "line 1: there is no value {{}}; there are " VALUES "."},
        {"{{{site}}}", "line 1: there is no value {{{site}}; there are " VALUES "."},
        {"{{> file}}", "line 1: there is no value {{> file}}; there are " VALUES "."},
        {"\n\n{{#inviter}}", "line 3: a section of inviter has no {{/inviter}}."},
        {"{{/inviter}}", "line 1: {{/inviter}} has no section to end."},
        {"{{#inviter}}{{/account}}", "line 1: {{/account}} has no section to end."},
        {"{{#inviter}}{{^account}}", "line 1: a section of account begins inside one of inviter."},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_str(filled(cases[i].source, false, NULL), cases[i].error, "refused: %s", cases[i].error);
}

/* Where it stands says how. */
static void test_text(void)
{
    is_str(filled("as {{username}}.", false, NULL), "as <b>\"o'x&\"</b>  Bcc: eve @x.org.",
           "in a text no line is broken and no direction turned # security 85");
    is_str(filled("see https://h/?u={{username}} now {{site}}", false, NULL),
           "see https://h/?u=%3Cb%3E%22o%27x%26%22%3C%2Fb%3E%0D%0ABcc%3A%20eve%E2%80%AE%40x.org now h",
           "in an address it is a part of that");
    is_str(filled("https://{{site}}/help", false, NULL), "https://h/help", "a host stays one");
}

static void test_html(void)
{
    const char *const escaped = "&lt;b&gt;&quot;o&#39;x&amp;&quot;&lt;/b&gt;  Bcc: eve @x.org";

    is_str(filled("<p>{{username}}</p>", true, NULL), apr_pstrcat(pool, "<p>", escaped, "</p>", NULL), "between tags");
    is_str(filled("<p title='{{username}}'>", true, NULL), apr_pstrcat(pool, "<p title='", escaped, "'>", NULL),
           "in an attribute");
    is_str(filled("<A HREF = \"{{link}}\">", true, NULL), "<A HREF = \"https://h/#token=a&amp;b\">",
           "our link as a whole");
    is_str(filled("<a href=\"https://i/?u={{username}}&amp;l={{link}}\">", true, NULL),
           "<a href=\"https://i/?u=%3Cb%3E%22o%27x%26%22%3C%2Fb%3E%0D%0ABcc%3A%20eve%E2%80%AE%40x.org&amp;"
           "l=https%3A%2F%2Fh%2F%23token%3Da%26b\">",
           "in an address it is a part of that");
    is_str(filled("<!-- <a href=\" --><br/><img alt>{{site}}<script>'<'</script>{{site}}", true, NULL),
           "<!-- <a href=\" --><br/><img alt>h<script>'<'</script>h", "behind comments and scripts");
    is_str(filled("<p title=\"x{{#inviter}} by {{inviter}}{{/inviter}}\">", true, "\"'"),
           "<p title=\"x by &quot;&#39;\">", "a section in an attribute");
    is_str(filled("1 < 2 {{site}}", true, NULL), "1 < 2 h", "a lone < is none of a tag");

    static const char *const refused[] = {
        "<p {{username}}>",
        "<{{username}}>",
        "<p title={{username}}>",
        "<p title=x{{username}}>",
        "<!-- {{username}} -->",
        "<!DOCTYPE {{username}}>",
        "<script>'{{username}}'</script>",
        "<STYLE>{{username}}</STYLE>",
        "<script>'<'{{username}}</script>",
        "<p style=\"color: {{username}}\">",
        "<p onclick=\"x('{{username}}')\">",
        "<a href=\"{{username}}\">",
        "<img src='{{site}}'>",
        "<p {{#inviter}}title=\"{{/inviter}}{{username}}\">",
        "{{#inviter}}<p {{/inviter}}>",
        "{{^inviter}}<script>{{/inviter}}x",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        ok(!strncmp(filled(refused[i], true, NULL), "line 1: ", 8) && error, "%s: %s", refused[i], error ? error : "");
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

static void put_bytes(const char *name, const char *content, size_t length)
{
    FILE *file = fopen(path_of(name), "w");

    if (!file || fwrite(content, 1, length, file) != length || fclose(file))
        bail("no template can be written");
}

static void put(const char *name, const char *content)
{
    put_bytes(name, content, strlen(content));
}

static void drop(const char *name)
{
    unlink(path_of(name));
}

static const identity_mail_templates_t *load(void)
{
    return identity_mail_templates_load(pool, folder, &error);
}

static const identity_mail_t *rendered(const identity_mail_templates_t *templates, identity_mail_kind_t kind,
                                       const char *language)
{
    identity_mail_values_t values = {
        .link = "https://h/#t", .username = "u@h", .site = "h", .inviter = "i@h", .expires_at = 1};
    identity_mail_t *mail = apr_pcalloc(pool, sizeof *mail);

    identity_mail_render(pool, templates, kind, language, &values, mail);
    return mail;
}

static void test_folder(void)
{
    put("invite.txt", "\xef\xbb\xbfSubject: Welcome to {{site}}\r\n\r\nCome: {{link}}\r\nuntil {{expires}}\r\n");
    put("invite.html", "<html lang=\"it\"><p><a href=\"{{link}}\">{{inviter}}</a>");
    put("README", "not read {{x}}");
    put(".invite.txt", "nor this");
    const identity_mail_templates_t *templates = load();
    is_str(error, NULL, "a folder with one kind of mail");
    if (!templates)
        return;
    const identity_mail_t *mail = rendered(templates, IDENTITY_MAIL_INVITE, "");
    is_str(mail->subject, "Welcome to h", "its subject, whatever its lines end in");
    is_str(mail->text, "Come: https://h/#t\nuntil 1970-01-01 00:00 UTC\n", "its text, the time in no country's way");
    is_str(mail->html, "<html lang=\"it\"><p><a href=\"https://h/#t\">i@h</a>", "its HTML");
    is_str(mail->language, "it", "its language is what it says of itself");
    is_str(rendered(templates, IDENTITY_MAIL_INVITE, "de")->subject, "Welcome to h",
           "it takes the place of what comes with the module in all languages");
    is_str(rendered(templates, IDENTITY_MAIL_RESET, "de")->language, "de", "the other kind is left as it was");

    put("invite.pt-BR.txt", "Subject: Convite\n\n{{link}}\n");
    put("invite.pt-BR.html", "<p>{{link}}");
    templates = load();
    is_str(error, NULL, "with a second language");
    is_str(templates ? identity_mail_language(pool, templates, IDENTITY_MAIL_INVITE, "pt-BR, it;q=0.5") : "", "pt-BR",
           "which is chosen");
    is_str(templates ? identity_mail_language(pool, templates, IDENTITY_MAIL_INVITE, "it, pt-BR;q=0.5") : "", "it",
           "or the first");
    is_str(templates ? identity_mail_language(pool, templates, IDENTITY_MAIL_INVITE, "xx") : "", "it",
           "that is for all others, too");
    is_str(templates ? rendered(templates, IDENTITY_MAIL_INVITE, "pt-BR")->subject : "", "Convite", "and read");

    put("invite.html", "<p>{{link}}");
    templates = load();
    is_str(templates ? identity_mail_language(pool, templates, IDENTITY_MAIL_INVITE, "xx") : "none", "",
           "what does not say in which language it is leaves it open");
}

static void is_refused(const char *end, const char *why)
{
    const char *sentence = load() ? "" : error;

    ok(strncmp(sentence, folder, strlen(folder)) == 0 && strstr(sentence, end), "%s: %s", why, sentence);
}

static void test_refused_folders(void)
{
    static char large[256 * 1024 + 2];

    drop("invite.pt-BR.html");
    is_refused("/invite.pt-BR.html: this file is missing", "a text without HTML");
    drop("invite.pt-BR.txt");
    put("invite.txt", "Welcome\n\n{{link}}");
    is_refused("/invite.txt: the first line must be Subject:", "no subject");
    put("invite.txt", "Subject: \n\n{{link}}");
    is_refused("/invite.txt: the first line must be Subject:", "an empty one");
    put("invite.txt", "Subject: x\n\n{{name}} {{link}}");
    is_refused("/invite.txt: line 3: there is no value {{name}}", "an unknown value");
    put("invite.txt", "Subject: x {{link}}\n\n{{link}}");
    is_refused("/invite.txt: the link must not be in the subject", "the secret in the subject # security 20");
    put("invite.txt", "Subject: x\n\nhello\n");
    is_refused("/invite.txt: {{link}} is missing", "no link");
    put("invite.txt", "Subject: x\n\n{{link}} \xff");
    is_refused("/invite.txt: is not UTF-8 text.", "not UTF-8");
    put_bytes("invite.txt", "Subject: x\n\n\0{{link}}", 22);
    is_refused("/invite.txt: is not UTF-8 text.", "a NUL");
    memset(large, 'x', sizeof large - 1);
    put("invite.txt", large);
    is_refused("/invite.txt: is not a file, or is larger than 256 KiB.", "too large");
    put("invite.txt", "Subject: x\n\n{{link}}\n");
    put("invite.html", "<p>hello");
    is_refused("/invite.html: {{link}} is missing", "HTML without the link");
    put("invite.html", "\n<a href=\"{{site}}\">{{link}}");
    is_refused("/invite.html: line 2: {{site}} is not a URL", "HTML that cannot be escaped");
    put("invite.html", "<p>{{link}}");
    put("invit.de.txt", "x");
    is_refused(
        "/invit.de.txt: is not the name of a template; these are invite, reset, change, changed, password, deleted and link, with",
        "a misspelt name");
    drop("invit.de.txt");
    put("invite.de_AT.html", "x");
    is_refused("/invite.de_AT.html: is not the name of a template", "no language");
    drop("invite.de_AT.html");
    put("invite.de.txt", "Subject: x\n\n{{link}}\n");
    put("invite.DE.txt", "Subject: x\n\n{{link}}\n");
    is_refused("there is another file for this language.", "a language twice");
    drop("invite.de.txt");
    put("invite.DE.html", "<p>{{link}}");
    drop("invite.txt");
    drop("invite.html");
    is_refused("/invite.txt: this file is missing: it is used for languages without a file of their own.",
               "no form for the others");
    drop("invite.DE.txt");
    drop("invite.DE.html");
    mkdir(path_of("invite.txt"), 0700);
    is_refused("/invite.txt: is not a file", "a folder");
    rmdir(path_of("invite.txt"));
    is_refused(": there is no template in this folder.", "none at all");
    drop("README");
    drop(".invite.txt");
    rmdir(folder);
    is_refused(": cannot be read: No such file or directory.", "no folder");
}

/* A mail with a link has one, a notice none. */
static void test_notice_folder(void)
{
    put("changed.txt", "Subject: x\n\n{{username}} {{address}} {{#actor}}{{actor}}{{/actor}}\n");
    put("changed.html", "<p>{{address}}");
    const identity_mail_templates_t *templates = load();
    is_str(error, NULL, "a notice needs no {{link}}");
    identity_mail_values_t values = {.username = "u@h", .site = "h", .address = "v@h", .actor = "a@h"};
    identity_mail_t mail = {.id = "x"};
    if (templates)
        identity_mail_render(pool, templates, IDENTITY_MAIL_CHANGED, "de", &values, &mail);
    is_str(mail.text, "u@h v@h a@h\n", "... and tells both addresses and who did it");
    put("changed.html", "<p>{{link}}");
    is_refused("/changed.html: {{link}} is always empty here: this mail is a notice.", "a notice with a link");
    drop("changed.txt");
    drop("changed.html");
    put("change.txt", "Subject: x\n\nhello\n");
    put("change.html", "<p>{{link}}");
    is_refused("/change.txt: {{link}} is missing", "a mail to confirm an address without the link");
    drop("change.txt");
    drop("change.html");
}

/* ---- what comes with the module --------------------------------------------------------------------------------- */

static void test_built_in_notices(const identity_mail_templates_t *templates, const char *language, const char *time)
{
    identity_mail_values_t values = {.username = "u@h",
                                     .site = "h",
                                     .address = "v@h",
                                     .link = "https://h/#t",
                                     .expires_at = apr_time_from_sec(1796108700)};
    identity_mail_t mail = {.id = "x"};

    identity_mail_render(pool, templates, IDENTITY_MAIL_CHANGE, language, &values, &mail);
    ok(strstr(mail.text, "v@h") && strstr(mail.text, time) && strstr(mail.html, "v@h") && strstr(mail.html, time),
       "change in %s: which address, and until when", language);
    ok(!strstr(mail.text, "u@h") && !strstr(mail.html, "u@h"),
       "... and nothing of whose it was, as anybody may get it whose address was mistyped");
    identity_mail_render(pool, templates, IDENTITY_MAIL_CHANGED, language, &values, &mail);
    ok(strstr(mail.text, "u@h") && strstr(mail.text, "v@h") && strstr(mail.text, time) && strstr(mail.html, time),
       "changed in %s, asked for: from what to what, and until when", language);
    const char *asked = mail.text;
    values.expires_at = 0;
    values.actor = "admin@h";
    identity_mail_render(pool, templates, IDENTITY_MAIL_CHANGED, language, &values, &mail);
    ok(strstr(mail.text, "u@h") && strstr(mail.text, "v@h") && strstr(mail.text, "admin@h") &&
           strstr(mail.html, "admin@h") && strcmp(mail.text, asked) != 0,
       "... made by somebody: by whom");
    identity_mail_render(pool, templates, IDENTITY_MAIL_PASSWORD, language, &values, &mail);
    ok(strstr(mail.text, "u@h") && strstr(mail.text, "admin@h") && strstr(mail.html, "admin@h"),
       "password in %s: whose, and by whom", language);
    values.actor = NULL;
    identity_mail_render(pool, templates, IDENTITY_MAIL_PASSWORD, language, &values, &mail);
    ok(strstr(mail.text, "u@h") && !strstr(mail.text, "admin@h") && !strstr(mail.text, "https:"), "... or by oneself");
}

static void test_built_in(void)
{
    static const struct {
        const char *language, *time, *named, *unnamed;
    } cases[] = {{"en", "1 December 2026 at 07:05 UTC", "invited by i@h\nto h", "invited\nto h"},
                 {"de", "1. Dezember 2026 um 07:05 UTC", "wurden von i@h\nzu h", "wurden\nzu h"},
                 {"fr", "1er décembre 2026 à 07:05 UTC", "invitation de i@h\nà rejoindre", "invitation\nà rejoindre"}};
    const identity_mail_templates_t *templates = identity_mail_templates_load(pool, NULL, &error);

    is_str(error, NULL, "the templates of the module are sound");
    for (size_t i = 0; templates && i < sizeof cases / sizeof cases[0]; i++) {
        identity_mail_values_t values = {.link = "https://h/#t",
                                         .username = "u@h",
                                         .site = "h",
                                         .inviter = "i@h",
                                         .expires_at = apr_time_from_sec(1796108700)};
        identity_mail_t mail = {.id = "x"};
        identity_mail_render(pool, templates, IDENTITY_MAIL_INVITE, cases[i].language, &values, &mail);
        is_str(mail.language, cases[i].language, "%s", cases[i].language);
        ok(strstr(mail.text, cases[i].time) && strstr(mail.html, cases[i].time), "... tells the time");
        ok(strstr(mail.text, cases[i].named) && strstr(mail.html, "i@h"), "... and who invited");
        values.inviter = NULL;
        identity_mail_render(pool, templates, IDENTITY_MAIL_INVITE, cases[i].language, &values, &mail);
        ok(strstr(mail.text, cases[i].unnamed), "... or not");
        identity_mail_render(pool, templates, IDENTITY_MAIL_RESET, cases[i].language, &values, &mail);
        ok(strstr(mail.text, cases[i].time) && strstr(mail.html, cases[i].time) && mail.subject[0],
           "... and the same of a reset");
    }
    for (size_t i = 0; templates && i < sizeof cases / sizeof cases[0]; i++)
        test_built_in_notices(templates, cases[i].language, cases[i].time);
    is_str(templates ? identity_mail_language(pool, templates, IDENTITY_MAIL_RESET, "fr-CA") : "", "fr", "fr-CA");
    is_str(templates ? identity_mail_language(pool, templates, IDENTITY_MAIL_RESET, NULL) : "", "en", "English else");
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    if (!mkdtemp(folder))
        bail("no folder can be made");
    test_values();
    test_faults();
    test_text();
    test_html();
    test_folder();
    test_notice_folder();
    test_refused_folders();
    test_built_in();
    return tap_done();
}
