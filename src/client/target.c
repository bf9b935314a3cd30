/* SPDX-License-Identifier: Apache-2.0 */
/* Parses IdentityMailURL. No error message quotes the URL: it may contain a password by mistake. */
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "client_int.h"

#define MAILDIR "maildir:"
#define SMTP    "smtp://"
#define SMTPS   "smtps://"
#define TIMEOUT 60

static identity_mail_target_t *refuse(const char **error, const char *sentence)
{
    *error = sentence;
    return NULL;
}

/* Decodes %XX in place; false for a bad escape or an encoded control character. */
static bool decode(char *text)
{
    char *to = text;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '%') {
            if (!apr_isxdigit(text[1]) || !apr_isxdigit(text[2]))
                return false;
            char digits[3] = {text[1], text[2], '\0'};
            c = (unsigned char)strtoul(digits, NULL, 16);
            text += 2;
        }
        if (c < ' ' || c == 127)
            return false;
        *to++ = (char)c;
    }
    *to = '\0';
    return true;
}

static bool host_valid(const char *host, size_t length)
{
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        for (size_t i = 1; i < length - 1; i++) {
            if (!apr_isxdigit(host[i]) && host[i] != ':' && host[i] != '.')
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < length; i++) {
        if (!apr_isalnum(host[i]) && host[i] != '-' && host[i] != '.' && host[i] != '_')
            return false;
    }
    return length > 0 && length < 254 && host[0] != '.' && host[0] != '-';
}

static bool port_valid(const char *port)
{
    size_t length = strlen(port);
    long number = strtol(port, NULL, 10);

    return length > 0 && length < 6 && strspn(port, "0123456789") == length && number > 0 &&
           number < 65536;
}

/* A port that uses TLS from the first byte, or only after STARTTLS (RFC 8314), combined with the other scheme: no
 * mail would ever be sent. */
static const char *port_unfit(const char *scheme, long port)
{
    bool tls = strcmp(scheme, SMTPS) == 0;

    if (!tls && port == 465)
        return "Port 465 uses TLS from the start: the mail URL must begin with smtps://.";
    if (tls && (port == 25 || port == 587))
        return "Ports 25 and 587 start without TLS and switch to it by STARTTLS: the mail URL "
               "must begin with smtp://.";
    return NULL;
}

/* `[user@]host[:port]` */
static identity_mail_target_t *parse_authority(apr_pool_t *pool, const char *scheme,
                                               char *authority, const char **error)
{
    identity_mail_target_t *target = apr_pcalloc(pool, sizeof(*target));
    char *at = strrchr(authority, '@');
    char *host = at ? at + 1 : authority;

    if (at) {
        *at = '\0';
        if (strchr(authority, ':'))
            return refuse(error,
                          "The mail URL must not contain a password; put it into the file that "
                          "IdentityMailSecret names.");
        if (!*authority || !decode(authority))
            return refuse(
                error, "The user in the mail URL is empty or has a character that is not allowed.");
        target->user = authority;
    }
    size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (length > strlen(host) || !host_valid(host, length))
        return refuse(error,
                      "The mail URL must name a host, as in smtp://user@mail.example.org:587.");
    if (host[length] && (host[length] != ':' || !port_valid(host + length + 1)))
        return refuse(error, "The port of the mail URL must be a number from 1 to 65535.");
    const char *unfit =
        host[length] ? port_unfit(scheme, strtol(host + length + 1, NULL, 10)) : NULL;
    if (unfit)
        return refuse(error, unfit);
    target->kind = IDENTITY_MAIL_SMTP;
    target->url = apr_pstrcat(pool, scheme, host, NULL);
    target->timeout = TIMEOUT;
    return target;
}

static identity_mail_target_t *parse_smtp(apr_pool_t *pool, const char *scheme, const char *rest,
                                          const char **error)
{
    char *authority = apr_pstrdup(pool, rest);
    size_t length = strlen(authority);

    if (length && authority[length - 1] == '/')
        authority[length - 1] = '\0';
    if (strpbrk(authority, "/?#")) {
        /* It may be part of a password, so it is not quoted. */
        return refuse(error, "The mail URL must end with its host or port.");
    }
    return parse_authority(pool, scheme, authority, error);
}

static identity_mail_target_t *parse_maildir(apr_pool_t *pool, const char *directory,
                                             const char **error)
{
    identity_mail_target_t *target = apr_pcalloc(pool, sizeof(*target));

    if (*directory != '/')
        return refuse(
            error,
            "The mail URL needs the absolute path of the folder, as in maildir:/var/mail/identity.");
    target->kind = IDENTITY_MAIL_MAILDIR;
    target->directory = apr_pstrdup(pool, directory);
    target->timeout = TIMEOUT;
    return target;
}

identity_mail_target_t *identity_mail_target_parse(apr_pool_t *pool, const char *url,
                                                   const char **error)
{
    static const char *const schemes[] = {SMTP, SMTPS};

    *error = NULL;
    for (const char *at = url; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 127)
            return refuse(error, "The mail URL must not contain control characters.");
    }
    if (!strncasecmp(url, MAILDIR, strlen(MAILDIR)))
        return parse_maildir(pool, url + strlen(MAILDIR), error);
    for (size_t i = 0; i < 2; i++) {
        if (!strncasecmp(url, schemes[i], strlen(schemes[i])))
            return parse_smtp(pool, schemes[i], url + strlen(schemes[i]), error);
    }
    return refuse(error, "The mail URL must begin with smtp://, smtps:// or maildir:.");
}

static bool domain_valid(const char *host)
{
    size_t label = 0, length = strlen(host);

    for (const char *at = host; *at; at++) {
        bool edge = label == 0 || !at[1] || at[1] == '.';
        if (*at == '.' ? label == 0 || !at[1] : !apr_isalnum(*at) && (*at != '-' || edge))
            return false;
        label = *at == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return length > 0 && length < 254;
}

const char *identity_mail_helo(apr_pool_t *pool, const char *host)
{
    size_t length = strlen(host);
    unsigned char address[16];

    if (length > 2 && host[0] == '[' && host[length - 1] == ']')
        host = apr_pstrmemdup(pool, host + 1, length - 2);
    else if (domain_valid(host) && inet_pton(AF_INET, host, address) != 1)
        return host;
    if (inet_pton(AF_INET, host, address) == 1)
        return apr_pstrcat(pool, "[", host, "]", NULL);
    if (strncasecmp(host, "IPv6:", 5) == 0)
        host += 5;
    return inet_pton(AF_INET6, host, address) == 1 ? apr_pstrcat(pool, "[IPv6:", host, "]", NULL)
                                                   : NULL;
}

bool mail_url_is_loopback(const char *url)
{
    const char *host = strstr(url, "://");

    host = host ? host + 3 : url;
    size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (length == 9 && !strncasecmp(host, "localhost", length))
        return true;
    if (length == 5 && !strncmp(host, "[::1]", length))
        return true;
    /* 127.0.0.0/8 in four numbers, not a name such as 127.example.org */
    return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == length;
}
