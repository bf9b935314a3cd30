/* SPDX-License-Identifier: Apache-2.0 */
/* Mails without a network: templates, composing, IdentityMailURL, Maildir. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "identity/client.h"
#include "tap.h"

#define LINK "https://id.example.org/v1/oauth/activate-user#token=idi_0123456789012345678901234567890123456789012345"

static apr_pool_t *pool;
static const identity_mail_templates_t *templates;

/* ---- templates -------------------------------------------------------------------------------------------------- */

static void test_render(void)
{
    identity_mail_values_t values = {.link = LINK,
                                     .username = "ada@example.org",
                                     .site = "id.example.org",
                                     .expires_at = apr_time_from_sec(1795936425)};
    identity_mail_t mail = {.id = "kept"};

    identity_mail_render(pool, templates, IDENTITY_MAIL_INVITE, "", &values, &mail);
    is_str(mail.subject, "Your invitation to id.example.org", "subject of an invitation");
    is_str(mail.id, "kept", "nothing else is touched");
    ok(!strncmp(mail.text, "Hello,\n", 7), "the text begins after its subject");
    ok(strstr(mail.text, "\n" LINK "\n"), "the link stands on a line of its own");
    ok(strstr(mail.text, "invited\nto id.example.org as ada@example.org."), "site and user");
    ok(strstr(mail.text, "until 29 November 2026 at 07:13 UTC"), "the end of the link's time");
    ok(strstr(mail.html, "<a href=\"" LINK "\""), "the HTML links it");
    ok(strstr(mail.html, "29 November 2026"), "and tells its time");
    ok(!strstr(mail.text, "{{") && !strstr(mail.html, "{{"), "nothing is left to fill in");
    ok(!strstr(mail.html, "<img") && !strstr(mail.html, "url("), "nothing is fetched by reading it");

    identity_mail_render(pool, templates, IDENTITY_MAIL_RESET, "", &values, &mail);
    is_str(mail.subject, "Your new password at id.example.org", "subject of a reset");
    ok(strstr(mail.text, "\n" LINK "\n") && strstr(mail.html, "<a href=\"" LINK "\""), "with its link");
    ok(!strstr(mail.text, "{{") && !strstr(mail.html, "{{"), "nothing is left to fill in");
}

static void test_render_escapes(void)
{
    identity_mail_values_t values = {.link = "https://h/?a=1&b=\"><x>",
                                     .username = "<b>o'x\"@{{site}}.org\nBcc: y\r\n\xe2\x80\xaexel\xc2\x85",
                                     .site = "a&b\nX: y",
                                     .expires_at = 1};
    identity_mail_t mail = {.id = "x"};

    identity_mail_render(pool, templates, IDENTITY_MAIL_INVITE, "", &values, &mail);
    is_str(mail.subject, "Your invitation to a&b X: y", "a line break in a value becomes a blank in the subject");
    ok(strstr(mail.text, "as <b>o'x\"@{{site}}.org Bcc: y   xel ."),
       "and in the text, whose values are not filled in again");
    ok(strstr(mail.html, "&lt;b&gt;o&#39;x&quot;@{{site}}.org Bcc: y   xel <"), "HTML is escaped");
    ok(strstr(mail.html, "href=\"https://h/?a=1&amp;b=&quot;&gt;&lt;x&gt;\""), "in an attribute too");
    ok(strstr(mail.text, "1 January 1970 at 00:00 UTC"), "the beginning of time");
}

/* ---- composing -------------------------------------------------------------------------------------------------- */

static identity_mail_t mail_of(const char *from, const char *to, const char *subject, const char *text)
{
    identity_mail_t mail = {.id = "out_0123456789abcdefghij",
                            .from = from,
                            .to = to,
                            .date = apr_time_from_sec(1764313505),
                            .subject = subject,
                            .text = text,
                            .html = "<p>é</p>\n"};
    return mail;
}

static const char *compose(const char *from, const char *to, const char *subject, const char *text)
{
    identity_mail_t mail = mail_of(from, to, subject, text);
    size_t length = 0;
    const char *message = identity_mail_compose(pool, &mail, &length);

    if (message && strlen(message) != length)
        bail("the length of a message is wrong");
    return message;
}

static const char *with_from(const char *from)
{
    return compose(from, "ada@example.org", "Hello", "x");
}

static const char *with_subject(const char *subject)
{
    return compose("noreply@example.org", "ada@example.org", subject, "x");
}

static void test_compose(void)
{
    is_str(compose("Example <noreply@example.org>", "ada@example.org", "Your invitation", "Grüße = 5\n.\n"),
           "Date: Fri, 28 Nov 2025 07:05:05 +0000\r\n"
           "From: \"Example\" <noreply@example.org>\r\n"
           "To: ada@example.org\r\n"
           "Subject: Your invitation\r\n"
           "Message-ID: <out_0123456789abcdefghij@example.org>\r\n"
           "MIME-Version: 1.0\r\n"
           "Auto-Submitted: auto-generated\r\n"
           "Content-Type: multipart/alternative;\r\n"
           " boundary=\"=_out_0123456789abcdefghij\"\r\n"
           "\r\n"
           "--=_out_0123456789abcdefghij\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: 8bit\r\n"
           "\r\n"
           "Grüße = 5\r\n"
           ".\r\n"
           "--=_out_0123456789abcdefghij\r\n"
           "Content-Type: text/html; charset=utf-8\r\n"
           "Content-Transfer-Encoding: 8bit\r\n"
           "\r\n"
           "<p>é</p>\r\n"
           "--=_out_0123456789abcdefghij--\r\n",
           "M9: the whole of a message outside ASCII");
}

static void test_headers(void)
{
    ok(strstr(with_from("noreply@example.org"), "\r\nFrom: noreply@example.org\r\n"), "a sender without a name");
    ok(strstr(with_from("<noreply@localhost>"), "\r\nFrom: noreply@localhost\r\n"),
       "in brackets, of a domain without a dot");
    ok(strstr(with_from("Bär & Söhne <a@b.org>"), "\r\nFrom: =?utf-8?B?QsOkciAmIFPDtmhuZQ==?=\r\n <a@b.org>\r\n"),
       "a name outside ASCII");
    ok(strstr(with_from("\"Doe, \\\"J\\\"\" <a@b.org>"), "\r\nFrom: \"Doe, \\\"J\\\"\" <a@b.org>\r\n"),
       "a quoted name");
    ok(strstr(with_from("Doe, \"J\" <a@b.org>"), "\r\nFrom: \"Doe, \\\"J\\\"\" <a@b.org>\r\n"),
       "a name that should be quoted");
    ok(strstr(with_from("\"x\" <y@z.org>, b <a@b.org>"), "\r\nFrom: \"\\\"x\\\" <y@z.org>, b\" <a@b.org>\r\n"),
       "there is one sender");
    ok(strstr(compose("a@b.org", ".o.'x@example.org", "s", "t"), "\r\nTo: \".o.'x\"@example.org\r\n"),
       "an odd local part is quoted");
    ok(strstr(compose("a@b.org", "ünï@exämple.org", "s", "t"), "\r\nTo: ünï@xn--exmple-cua.org\r\n"),
       "a local part in UTF-8 (RFC 6532), a domain as all know it (RFC 5891)");
    ok(!compose("a@b.org", "x@ü\xe2\xbf\xb0.org", "s", "t"), "a domain that is none in any spelling");

    ok(strstr(with_subject("Grüße aus Österreich"), "\r\nSubject: =?utf-8?B?R3LDvMOfZSBhdXMgw5ZzdGVycmVpY2g=?=\r\n"),
       "a subject in UTF-8");
    ok(strstr(with_subject("=?utf-8?B?QQ==?="), "\r\nSubject: =?utf-8?B?PT91dGYtOD9CP1FRPT0/PQ==?=\r\n"),
       "one that looks encoded");
    ok(strstr(with_subject("€€€€€€€€€€€€€€€€"),
              "\r\nSubject: =?utf-8?B?4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs?=\r\n"
              " =?utf-8?B?4oKs4oKs4oKs?=\r\nMessage-ID"),
       "a long one in words that split no character");
    ok(strstr(with_subject(
                  "Your invitation to a place whose name is so long that it does not fit a line of seventy-eight"),
              "\r\nSubject: Your invitation to a place whose name is so long that it does not fit\r\n"
              " a line of seventy-eight\r\nMessage-ID"),
       "a long one in ASCII is folded");
    ok(strstr(with_subject(""), "\r\nSubject: \r\nMessage-ID"), "no subject");
}

static void test_further_headers(void)
{
    identity_mail_t mail = mail_of("noreply@example.org", "ada@example.org", "s", "t");
    size_t length;

    mail.host = "id.example.org";
    mail.language = "de";
    const char *message = identity_mail_compose(pool, &mail, &length);
    ok(message && strstr(message, "\r\nMessage-ID: <out_0123456789abcdefghij@id.example.org>\r\n"),
       "the Message-ID names the host of the links");
    ok(message && strstr(message, "\r\nContent-Language: de\r\n"), "the language is told");
    mail.host = "h>\r\nBcc: eve@example.org";
    ok(!identity_mail_compose(pool, &mail, &length), "no host ends a header");
    mail.host = "[::1]";
    ok(identity_mail_compose(pool, &mail, &length), "a host may be a number");
    mail.language = "de\r\nBcc: eve@example.org";
    ok(!identity_mail_compose(pool, &mail, &length), "no language ends a header");
}

static void test_injection(void)
{
    static const char *const senders[] = {"a@b.org\r\nBcc: x@y.org",
                                          "a\nBcc: x <a@b.org>",
                                          "\"a\rb\" <a@b.org>",
                                          "a@b.org\n",
                                          "nobody",
                                          "a <b@c.org> d",
                                          "a@b@c.org",
                                          "@b.org",
                                          "a@",
                                          "a@b..org",
                                          "a b@c.org",
                                          "a@b,c.org",
                                          "",
                                          NULL};
    static const char *const recipients[] = {
        "a@b.org\r\nBcc: x@y.org", "A <a@b.org>", "a@b.org,c@d.org", "a@b.org>", "a", "", NULL};
    static const char *const ids[] = {"", "../x", "a/b", "a b", "a\n", "a@b", NULL};

    for (size_t i = 0; senders[i]; i++)
        ok(!with_from(senders[i]), "no such sender (%zu)", i);
    for (size_t i = 0; recipients[i]; i++)
        ok(!compose("a@b.org", recipients[i], "s", "t"), "no such recipient (%zu)", i);
    for (size_t i = 0; ids[i]; i++) {
        identity_mail_t mail = mail_of("a@b.org", "a@b.org", "s", "t");
        size_t length;
        mail.id = ids[i];
        ok(!identity_mail_compose(pool, &mail, &length), "no such id (%zu)", i);
    }
    ok(!with_subject("s\r\nBcc: x@y.org"), "no subject of two lines");
    ok(!with_subject("s\nx"), "however they are parted");
}

/* ---- bodies ----------------------------------------------------------------------------------------------------- */

/* The text part of a message of these texts, or the HTML part; CRLF becomes LF. */
static char *part_of(const char *message, const char *type)
{
    const char *head = strstr(message, type), *at = head ? strstr(head, "\r\n\r\n") : NULL;
    const char *end = at ? strstr(at + 2, "\r\n--=_") : NULL;
    char *text = apr_pcalloc(pool, strlen(message) + 1);

    if (!end)
        return text;
    for (char *to = text; at < end + 2; at++)
        if (at[0] != '\r' || at[1] != '\n')
            *to++ = *at;
    return text + 2;
}

static void test_lines(void)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {{"x", "x\n"},
                 {"", ""},
                 {"a \nb\t\n \n\n.\n..\nFrom me\n", "a \nb\t\n \n\n.\n..\nFrom me\n"},
                 {"=3D= =\n=", "=3D= =\n=\n"},
                 {"Grüße, 中文, 😀", "Grüße, 中文, 😀\n"},
                 {"a\r\nb\rc", "a\nb\nc\n"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_str(part_of(compose("a@b.org", "a@b.org", "s", cases[i].text), "text/plain"), cases[i].expected,
               "M9: text %zu comes as it is", i);
}

/* Every length around the break of a line, with blanks and without: nothing but a blank is lost. */
static void test_long_lines(void)
{
    static const char *const ends[] = {"x", " y", "é", "😀z", "\ny", NULL};
    bool same = true, narrow = true, whole = true;

    for (size_t length = 990; length < 1005; length++) {
        for (size_t i = 0; ends[i]; i++) {
            char *text = apr_pcalloc(pool, 4 * length);
            for (size_t at = 0; at < 2 * length; at++)
                text[at] = i & 1 && at % 700 == 699 ? ' ' : 'x';
            strcat(text, ends[i]);
            const char *message = compose("a@b.org", "a@b.org", "s", text);
            for (const char *line = message; *line; line += strcspn(line, "\n") + 1)
                narrow &= strcspn(line, "\r") <= 998;
            char *got = part_of(message, "text/plain"), *to = text;
            whole &= identity_utf8_valid(got);
            for (const char *from = text; *from; from++)
                if (*from != ' ' && *from != '\n')
                    *to++ = *from;
            *to = '\0';
            to = got;
            for (const char *from = got; *from; from++)
                if (*from != ' ' && *from != '\n')
                    *to++ = *from;
            *to = '\0';
            same &= !strcmp(got, text);
        }
    }
    ok(same, "M9: long lines lose nothing");
    ok(whole, "M9: no character is split");
    ok(narrow, "M9: no line is longer than 998 bytes");
}

/* What somebody sees who opens the file of a Maildir. */
static void test_encodings(void)
{
    static const char *const languages[] = {"en", "de", "fr"};

    for (int kind = 0; kind < IDENTITY_MAIL_KINDS; kind++)
        for (size_t i = 0; i < 3; i++) {
            bool has_link = identity_mail_kind_page((identity_mail_kind_t)kind) != NULL;
            identity_mail_values_t values = {.link = has_link ? LINK : NULL,
                                             .username = "ada@example.org",
                                             .site = "id.example.org",
                                             .address = "new@example.org",
                                             .expires_at = apr_time_from_sec(1795936425)};
            identity_mail_t mail = mail_of("a@b.org", "a@b.org", "s", "t");
            size_t length;
            identity_mail_render(pool, templates, (identity_mail_kind_t)kind, languages[i], &values, &mail);
            const char *message = identity_mail_compose(pool, &mail, &length);
            const char *name =
                apr_pstrcat(pool, identity_mail_kind_name((identity_mail_kind_t)kind), " in ", languages[i], NULL);
            ok(message && !strstr(message, "quoted-printable"), "M9: %s: nothing is encoded", name);
            ok(message && !strstr(message, "\r\n" LINK "\r\n") == !has_link,
               "M9: %s: the link is whole on a line of its own, a notice has none", name);
            if (message && i == 0)
                ok(strstr(message, "Transfer-Encoding: 7bit\r\n") && !strstr(message, "Transfer-Encoding: 8bit\r\n"),
                   "M9: %s: what is ASCII is 7bit", name);
        }
}

/* ---- IdentityMailURL -------------------------------------------------------------------------------------------- */

static void is_target(const char *url, const char *user, const char *host)
{
    const char *error = "unset";
    identity_mail_target_t *target = identity_mail_target_parse(pool, url, &error);

    if (!ok(target && target->kind == IDENTITY_MAIL_SMTP && !error, "%s is taken", url))
        return;
    is_str(target->user, user, "its user");
    is_str(target->url, host, "its host");
    is_str(target->password, NULL, "no password");
    ok(target->timeout > 0, "a time-out");
}

static void test_target(void)
{
    static const char *const wrong[] = {"",
                                        "mail.example.org",
                                        "http://mail.example.org",
                                        "smtp:mail",
                                        "smtp://",
                                        "smtp://@mail",
                                        "smtp://ada:S3cret@mail.example.org",
                                        "smtp://ada:@mail.example.org",
                                        "smtp://mail:0",
                                        "smtp://mail:65536",
                                        "smtp://mail:",
                                        "smtp://mail:25x",
                                        "smtp://mail/S3cret",
                                        "smtp://mail?S3cret",
                                        "smtp://ada%0d%0aS3cret@mail",
                                        "smtp://ada%zz@mail",
                                        "smtp://ada%00@mail",
                                        "smtp://ma il",
                                        "smtp://mail\r\nS3cret",
                                        "smtp://[::1",
                                        "smtp://[::1]25",
                                        "smtp://-x",
                                        "maildir:",
                                        "maildir:mail",
                                        "maildir:/a\nb",
                                        NULL};
    const char *error;

    is_target("smtp://mail.example.org", NULL, "smtp://mail.example.org");
    is_target("SMTPS://mail.example.org:465/", NULL, "smtps://mail.example.org:465");
    is_target("smtp://ada@mail.example.org:587", "ada", "smtp://mail.example.org:587");
    is_target("smtp://ada%40example.org@mail", "ada@example.org", "smtp://mail");
    is_target("smtp://ada@example.org@mail", "ada@example.org", "smtp://mail");
    is_target("smtp://a%3Ab@[2001:db8::1]:25", "a:b", "smtp://[2001:db8::1]:25");

    identity_mail_target_t *target = identity_mail_target_parse(pool, "maildir:/var/mail/x y", &error);
    ok(target && target->kind == IDENTITY_MAIL_MAILDIR, "a Maildir is taken");
    is_str(target ? target->directory : NULL, "/var/mail/x y", "its folder");

    for (size_t i = 0; wrong[i]; i++) {
        error = NULL;
        target = identity_mail_target_parse(pool, wrong[i], &error);
        ok(!target && error && error[strlen(error) - 1] == '.', "refused by a sentence: %s", error ? error : "(none)");
        ok(error && !strstr(error, "S3cret"), "that repeats no secret");
    }
}

/* ---- Maildir ---------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/identity-mail.XXXXXX";

static const char *in_folder(const char *path)
{
    return apr_pstrcat(pool, folder, "/m/", path, NULL);
}

static int count_files(const char *sub)
{
    DIR *dir = opendir(in_folder(sub));
    int count = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return dir ? count : -1;
}

static int mode_of(const char *path)
{
    struct stat found;
    return stat(in_folder(path), &found) ? -1 : (int)(found.st_mode & 07777);
}

static char *content_of(const char *path)
{
    char *content = apr_pcalloc(pool, 65536);
    int file = open(in_folder(path), O_RDONLY);

    if (file < 0 || read(file, content, 65535) < 0)
        return NULL;
    close(file);
    return content;
}

static const char *error;

static identity_delivery_t deliver_to(const char *directory, const char *id, const char *text)
{
    identity_mail_target_t target = {.kind = IDENTITY_MAIL_MAILDIR, .directory = directory, .timeout = 10};
    identity_mail_t mail = mail_of("noreply@example.org", "ada@example.org", "Hello", text);

    mail.id = id;
    error = "unset";
    return identity_mail_send(pool, &target, &mail, NULL, &error);
}

static identity_delivery_t deliver(const char *id, const char *text)
{
    return deliver_to(in_folder(""), id, text);
}

static void test_maildir(void)
{
    umask(0);
    is_int(deliver("out_1", "first"), IDENTITY_DELIVERY_SENT, "a mail is delivered where no folder was");
    is_str(error, NULL, "nothing to complain of");
    is_int(mode_of(""), 0700, "the folder is private");
    ok(mode_of("tmp") == 0700 && mode_of("new") == 0700 && mode_of("cur") == 0700, "its three parts too");
    is_int(mode_of("new/out_1"), 0600, "the mail too");
    const char *content = content_of("new/out_1");
    ok(content && strstr(content, "\nTo: ada@example.org\nSubject: Hello\n") && !strchr(content, '\r'),
       "it has Unix lines");
    is_int(count_files("tmp"), 0, "nothing stays in tmp");

    is_int(deliver("out_1", "second"), IDENTITY_DELIVERY_SENT, "a second attempt");
    is_int(count_files("new"), 1, "makes no second mail");
    is_str(content_of("new/out_1"), content, "and changes none");

    rename(in_folder("new/out_1"), in_folder("cur/out_1:2,S"));
    is_int(deliver("out_1", "third"), IDENTITY_DELIVERY_SENT, "once it was read");
    is_int(count_files("new"), 0, "it does not come again");
    is_int(deliver("out_11", "other"), IDENTITY_DELIVERY_SENT, "an id that begins like it");
    is_int(deliver("out_", "other"), IDENTITY_DELIVERY_SENT, "or that it begins like");
    is_int(count_files("new"), 2, "are other mails");
    is_int(deliver("../out", "x"), IDENTITY_DELIVERY_PERMANENT, "no way out by an id");
}

static void test_maildir_half_written(void)
{
    const char *half = in_folder("tmp/out_2");
    int file = open(half, O_WRONLY | O_CREAT, 0600);

    if (file < 0 || write(file, apr_pstrcat(pool, "half", NULL), 4) != 4 || flock(file, LOCK_EX))
        bail("no file can be written");
    is_int(deliver("out_2", "x"), IDENTITY_DELIVERY_TEMPORARY, "while another writes the same mail");
    ok(error && strstr(error, "another process"), "is told: %s", error);
    is_int(access(half, F_OK), 0, "its file is left alone");
    close(file);
    is_int(deliver("out_2", "x"), IDENTITY_DELIVERY_SENT, "what a killed writer left");
    ok(!strncmp(content_of("new/out_2"), "Date: ", 6), "is written anew");
    is_int(count_files("tmp"), 0, "nothing stays in tmp");
}

static void test_maildir_race(void)
{
    int before = count_files("new"), status, failures = 0;

    for (int i = 0; i < 16; i++) {
        if (fork() == 0) {
            for (int attempt = 0; attempt < 200; attempt++) {
                if (deliver("out_3", "x") == IDENTITY_DELIVERY_SENT)
                    _exit(0);
                usleep(1000);
            }
            _exit(1);
        }
    }
    while (wait(&status) > 0)
        failures += status != 0;
    is_int(failures, 0, "sixteen at once");
    is_int(count_files("new"), before + 1, "deliver one mail");
    is_int(count_files("tmp"), 0, "nothing stays in tmp");
}

static void test_maildir_faults(void)
{
    struct rlimit limit, small;
    char *long_text = apr_pcalloc(pool, 40001);

    memset(long_text, 'x', 40000);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 10000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    is_int(deliver("out_4", long_text), IDENTITY_DELIVERY_UNAVAILABLE, "no room");
    setrlimit(RLIMIT_FSIZE, &limit);
    ok(error && strstr(error, "File too large") && !strstr(error, folder), "is told: %s", error);
    ok(access(in_folder("new/out_4"), F_OK) && count_files("tmp") == 0, "nothing half stays behind");
    is_int(deliver("out_4", long_text), IDENTITY_DELIVERY_SENT, "once there is room it is delivered");
    ok(strlen(content_of("new/out_4")) > 40000, "whole");

    is_int(deliver_to(in_folder("new/out_4/m"), "out_5", "x"), IDENTITY_DELIVERY_UNAVAILABLE,
           "a folder that cannot be made");
    ok(error && strstr(error, "cannot be written"), "is told: %s", error);
    if (symlink("/etc/passwd", in_folder("tmp/out_6")))
        bail("no link can be made");
    is_int(deliver("out_6", "x"), IDENTITY_DELIVERY_UNAVAILABLE, "a link in the file's place is not followed");
    unlink(in_folder("tmp/out_6"));
}

static void remove_folder(void)
{
    static const char *const subs[] = {"tmp", "new", "cur"};

    for (size_t i = 0; i < 3; i++) {
        DIR *dir = opendir(in_folder(subs[i]));
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            if (entry->d_name[0] != '.')
                unlink(apr_pstrcat(pool, in_folder(subs[i]), "/", entry->d_name, NULL));
        }
        if (dir)
            closedir(dir);
        rmdir(in_folder(subs[i]));
    }
    rmdir(in_folder(""));
    rmdir(folder);
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);

    templates = identity_mail_templates_load(pool, NULL, &error);
    test_render();
    test_render_escapes();
    test_compose();
    test_headers();
    test_further_headers();
    test_injection();
    test_lines();
    test_long_lines();
    test_encodings();
    test_target();

    if (!mkdtemp(folder))
        bail("no folder can be made");
    test_maildir();
    test_maildir_half_written();
    test_maildir_race();
    test_maildir_faults();
    remove_folder();
    return tap_done();
}
