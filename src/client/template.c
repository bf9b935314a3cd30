/* The mails' texts: templates in which {{name}} stands for a value. The text template's first line is the subject. */
#include <string.h>

#include <apr_strings.h>

#include "client_int.h"
#include "identity/pages.h"

#define SUBJECT "Subject: "

typedef struct mail_value {
    const char *name, *text;
} mail_value_t;

/* 28 November 2026 at 07:05 UTC: told without figures that one country reads as the month and another as the day. */
static const char *time_in_words(apr_pool_t *pool, apr_time_t time)
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    apr_time_exp_t t;

    apr_time_exp_gmt(&t, time);
    return apr_psprintf(pool, "%d %s %d at %02d:%02d UTC", t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour,
                        t.tm_min);
}

/* Length of a character that would break a line or turn the direction of writing, so that a value could pass for our
 * own words; 0 for any other. */
static size_t disguise(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;

    if (c[0] < ' ' || c[0] == 127)
        return 1;
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
        return 2; /* C1 controls */
    if (c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae)
        return 3; /* line and paragraph separators, embeddings, overrides */
    if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
        return 3; /* isolates */
    return 0;
}

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static void put_value(mail_buffer_t *buffer, const char *text, bool html)
{
    while (*text) {
        size_t length = disguise(text);
        const char *entity = html ? entity_of(*text) : NULL;

        if (length)
            mail_put(buffer, " ", 1);
        else if (entity)
            mail_puts(buffer, entity);
        else
            mail_put(buffer, text, 1);
        text += length ? length : 1;
    }
}

static const char *value_named(const mail_value_t *values, const char *name, size_t length)
{
    for (; values->name; values++) {
        if (strlen(values->name) == length && !memcmp(values->name, name, length))
            return values->text;
    }
    return NULL;
}

static const char *fill(apr_pool_t *pool, const char *template, const mail_value_t *values, bool html)
{
    mail_buffer_t buffer = {.pool = pool};

    mail_puts(&buffer, "");
    for (;;) {
        const char *open = strstr(template, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;

        if (!close)
            break;
        const char *text = value_named(values, open + 2, (size_t)(close - open - 2));
        mail_put(&buffer, template, (size_t)(open - template));
        if (text)
            put_value(&buffer, text, html);
        else
            mail_put(&buffer, open, (size_t)(close + 2 - open));
        template = close + 2;
    }
    mail_puts(&buffer, template);
    return buffer.data;
}

/* Takes the subject off a filled text. No value can hold a line break, so the first line is the template's own. */
static void split_subject(apr_pool_t *pool, const char *filled, identity_mail_t *mail)
{
    size_t line = strcspn(filled, "\n");

    mail->subject = "";
    mail->text = filled;
    if (strncmp(filled, SUBJECT, strlen(SUBJECT)))
        return;
    mail->subject = apr_pstrmemdup(pool, filled + strlen(SUBJECT), line - strlen(SUBJECT));
    mail->text = filled + line;
    mail->text += strspn(mail->text, "\n");
}

void identity_mail_render(apr_pool_t *pool, identity_mail_kind_t kind, const identity_mail_values_t *values,
                          identity_mail_t *mail)
{
    bool invite = kind == IDENTITY_MAIL_INVITE;
    const mail_value_t named[] = {{"link", values->link},
                                  {"username", values->username},
                                  {"site", values->site},
                                  {"expires", time_in_words(pool, values->expires_at)},
                                  {NULL, NULL}};

    split_subject(pool, fill(pool, invite ? identity_mail_invite_text : identity_mail_reset_text, named, false), mail);
    mail->html = fill(pool, invite ? identity_mail_invite_html : identity_mail_reset_html, named, true);
}
