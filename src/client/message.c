/* SPDX-License-Identifier: Apache-2.0 */
/* The complete message, ready for the wire (RFC 5322, 2046, 3834). Values cannot terminate a header: a mail with a
 * line break in one is refused. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <idn2.h>

#include "client_int.h"

#define ID_MAX 64

bool mail_id_valid(const char *id)
{
    size_t length = id ? strlen(id) : 0;

    if (length == 0 || length > ID_MAX)
        return false;
    for (; *id; id++) {
        if (!apr_isalnum(*id) && *id != '_' && *id != '-')
            return false;
    }
    return true;
}

/* A name, or a number in brackets (RFC 5322, 3.6.4: dot-atom or no-fold-literal). */
static bool host_valid(const char *host)
{
    return *host &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
               strlen(host);
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static bool holds_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            return true;
    }
    return false;
}

/* RFC 5322, 3.2.3, with the characters of RFC 6532. */
static bool is_atom_character(char c)
{
    return apr_isalnum(c) || (unsigned char)c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_atom(const char *text, size_t length)
{
    if (length == 0 || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' ? text[i + 1] == '.' : !is_atom_character(text[i]))
            return false;
    }
    return true;
}

static const char *quote_local_part(apr_pool_t *pool, const char *local, size_t length)
{
    char *quoted = apr_palloc(pool, length * 2 + 3);
    char *at = quoted;

    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (local[i] == '"' || local[i] == '\\')
            *at++ = '\\';
        *at++ = local[i];
    }
    *at++ = '"';
    *at = '\0';
    return quoted;
}

/* In the form that every mail server accepts (RFC 5891); only the local part requires SMTPUTF8. */
static const char *ascii_domain(apr_pool_t *pool, const char *domain)
{
    const char *at = domain;
    char *ascii = NULL;

    while (*at && !(*at & 0x80))
        at++;
    if (!*at)
        return domain;
    if (idn2_to_ascii_8z(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    domain = apr_pstrdup(pool, ascii);
    idn2_free(ascii);
    return domain;
}

/* Less strict than identity_mail_address_valid in one point: a sender's domain may lack a dot (localhost). */
static const char *write_address(apr_pool_t *pool, const char *address)
{
    const char *at = strchr(address, '@');

    if (!at || at == address || strchr(at + 1, '@') || strlen(address) > 254 ||
        holds_control(address) || strpbrk(address, " <>,\""))
        return NULL;
    const char *domain = is_dot_atom(at + 1, strlen(at + 1)) ? ascii_domain(pool, at + 1) : NULL;
    if (!domain)
        return NULL;
    size_t length = (size_t)(at - address);
    const char *local = is_dot_atom(address, length) ? apr_pstrmemdup(pool, address, length)
                                                     : quote_local_part(pool, address, length);
    return apr_pstrcat(pool, local, "@", domain, NULL);
}

/* Removes blanks and quotes from a display name. */
static const char *read_name(apr_pool_t *pool, const char *text, size_t length)
{
    while (length && *text == ' ') {
        text++;
        length--;
    }
    while (length && text[length - 1] == ' ')
        length--;
    if (length < 2 || *text != '"' || text[length - 1] != '"')
        return length ? apr_pstrmemdup(pool, text, length) : NULL;

    char *name = apr_palloc(pool, length);
    char *end = name;
    for (size_t i = 1; i < length - 1; i++) {
        if (text[i] == '\\' && i + 1 < length - 1)
            i++;
        *end++ = text[i];
    }
    *end = '\0';
    return *name ? name : NULL;
}

const char *mail_address_read(apr_pool_t *pool, const char *text, const char **name)
{
    const char *open = text ? strrchr(text, '<') : NULL;

    *name = NULL;
    if (!text || holds_control(text))
        return NULL;
    if (!open)
        return write_address(pool, text);

    size_t length = strlen(open);
    if (open[length - 1] != '>')
        return NULL;
    *name = read_name(pool, text, (size_t)(open - text));
    return write_address(pool, apr_pstrmemdup(pool, open + 1, length - 2));
}

/* ---- the message ------------------------------------------------------------------------------------------------ */

static void put_date(mail_buffer_t *buffer, apr_time_t date)
{
    apr_time_exp_t t;

    apr_time_exp_gmt(&t, date);
    mail_puts(buffer, apr_psprintf(buffer->pool, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n",
                                   apr_day_snames[t.tm_wday], t.tm_mday, apr_month_snames[t.tm_mon],
                                   t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec));
}

static void put_from(mail_buffer_t *buffer, const char *name, const char *address)
{
    mail_puts(buffer, "From: ");
    if (!name) {
        mail_puts(buffer, apr_pstrcat(buffer->pool, address, "\r\n", NULL));
        return;
    }
    mail_put_phrase(buffer, name);
    /* With a long name the address gets a line of its own, so that none grows too long. */
    bool fits = strlen(name) + strlen(address) < 60 && buffer->data[buffer->length - 1] == '"';
    mail_puts(buffer, apr_pstrcat(buffer->pool, fits ? " <" : "\r\n <", address, ">\r\n", NULL));
}

static void put_headers(mail_buffer_t *buffer, const identity_mail_t *mail, const char *from_name,
                        const char *from, const char *to)
{
    put_date(buffer, mail->date);
    put_from(buffer, from_name, from);
    mail_puts(buffer, apr_pstrcat(buffer->pool, "To: ", to, "\r\n", NULL));
    mail_put_unstructured(buffer, "Subject", mail->subject);
    mail_puts(buffer, apr_pstrcat(buffer->pool, "Message-ID: <", mail->id, "@",
                                  mail->host ? mail->host : strrchr(from, '@') + 1, ">\r\n", NULL));
    mail_puts(buffer, "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n");
    if (mail->language && *mail->language)
        mail_puts(buffer,
                  apr_pstrcat(buffer->pool, "Content-Language: ", mail->language, "\r\n", NULL));
}

static bool is_ascii(const char *text)
{
    while (*text && !(*text & 0x80))
        text++;
    return !*text;
}

static void put_part(mail_buffer_t *buffer, const char *boundary, const char *type,
                     const char *text)
{
    mail_puts(buffer, apr_pstrcat(buffer->pool, "--", boundary, "\r\nContent-Type: ", type,
                                  "; charset=utf-8\r\nContent-Transfer-Encoding: ",
                                  is_ascii(text) ? "7bit" : "8bit", "\r\n\r\n", NULL));
    mail_put_lines(buffer, text);
}

const char *identity_mail_compose(apr_pool_t *pool, const identity_mail_t *mail, size_t *length)
{
    mail_buffer_t buffer = {.pool = pool};
    const char *from_name, *to_name;
    const char *from = mail_address_read(pool, mail->from, &from_name);
    const char *to =
        identity_mail_address_valid(mail->to) ? mail_address_read(pool, mail->to, &to_name) : NULL;

    if (!from || !to || !mail_id_valid(mail->id) || holds_control(mail->subject) ||
        (mail->host && !host_valid(mail->host)) ||
        (mail->language && !identity_language_valid(mail->language)))
        return NULL;

    /* The id was generated after the texts of the mail were known, so this occurs in none of them; and the mail has
     * the same bytes in every attempt. */
    const char *boundary = apr_pstrcat(pool, "=_", mail->id, NULL);
    put_headers(&buffer, mail, from_name, from, to);
    mail_puts(&buffer, apr_pstrcat(pool, "Content-Type: multipart/alternative;\r\n boundary=\"",
                                   boundary, "\"\r\n\r\n", NULL));
    put_part(&buffer, boundary, "text/plain", mail->text);
    put_part(&buffer, boundary, "text/html", mail->html);
    mail_puts(&buffer, apr_pstrcat(pool, "--", boundary, "--\r\n", NULL));
    *length = buffer.length;
    return buffer.data;
}
