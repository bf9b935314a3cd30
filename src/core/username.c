/* SPDX-License-Identifier: Apache-2.0 */
/* User names: their syntax, and the canonical form in which they are compared, counted, mailed to and shown to
 * others (conf/interface.md; security 77). Nothing else in this program folds or normalises a user name.
 *
 * Domains are mapped by libidn2 (UTS 46, non-transitional), everything else by utf8proc: neither depends on a
 * locale. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <idn2.h>

#include "core_int.h"

#define INPUT_MAX   1024 /* bytes of the input: an A-label may be shorter than its source */
#define LOCAL_MAX   64
#define LABEL_MAX   63
#define DOMAIN_MAX  253
#define ADDRESS_MAX 254 /* RFC 5321's path without its brackets */

#define BRAILLE_BLANK 0x2800 /* a symbol by category, but it looks blank */

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text & 0x80)
            return false;
    return true;
}

/* Characters that are visible, allowed in an address, and have the same meaning in every version of Unicode. */
static bool character_allowed(utf8proc_int32_t character)
{
    if (character < 0x80)
        return character > ' ' && character != 0x7f && !strchr("\"(),:;<>[]\\", character);
    switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return character != BRAILLE_BLANK && !utf8proc_get_property(character)->ignorable;
    }
}

static bool characters_allowed(const char *text)
{
    utf8proc_int32_t character;

    while ((character = identity_next_char(&text)) > 0)
        if (!character_allowed(character))
            return false;
    return character == 0;
}

/* Is the text already normalised? options: 0 for NFC, UTF8PROC_COMPAT for NFKC. */
static bool normalised(const char *text, utf8proc_option_t options)
{
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t length =
        utf8proc_map((const utf8proc_uint8_t *)text, 0, &mapped,
                     UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | options);
    bool same = length >= 0 && strcmp((const char *)mapped, text) == 0;

    free(mapped);
    return same;
}

/* Simple case folding. False if full folding turns one character into several: programs would then compare the name
 * in two ways. */
static bool fold(const char *text, char *folded, size_t size)
{
    utf8proc_int32_t character, to[4];
    size_t length = 0;
    int boundary = 0;

    while ((character = identity_next_char(&text)) > 0) {
        if (utf8proc_decompose_char(character, to, 4, UTF8PROC_CASEFOLD, &boundary) != 1 ||
            length + 4 >= size)
            return false;
        length += (size_t)utf8proc_encode_char(to[0], (utf8proc_uint8_t *)folded + length);
    }
    folded[length] = '\0';
    return character == 0;
}

static bool local_form(const char *local, char form[LOCAL_MAX + 1])
{
    char folded[LOCAL_MAX * 2 + 8];
    size_t length = strlen(local);

    if (length == 0 || length > LOCAL_MAX)
        return false;
    if (!is_ascii(local)) {
        if (!normalised(local, UTF8PROC_COMPAT) || !fold(local, folded, sizeof folded) ||
            !normalised(folded, UTF8PROC_COMPAT))
            return false;
        local = folded;
        length = strlen(folded);
        if (length > LOCAL_MAX)
            return false;
    }
    for (size_t i = 0; i <= length; i++)
        form[i] = to_lower(local[i]);
    return true;
}

/* ---- domains ---------------------------------------------------------------------------------------------------- */

/* Letters, digits and inner hyphens in every label; returns the number of labels, 0 if it is not a domain. */
static int labels_of(const char *domain)
{
    int labels = 0;

    if (strlen(domain) > DOMAIN_MAX)
        return 0;
    for (;;) {
        size_t length = strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (length == 0 || length > LABEL_MAX || domain[0] == '-' || domain[length - 1] == '-')
            return 0;
        labels++;
        if (domain[length] != '.')
            return domain[length] == '\0' ? labels : 0;
        domain += length + 1;
    }
}

/* By UTS 46, without the transitional mappings: a new string from libidn2, or NULL. */
static char *to_a_labels(const char *domain)
{
    char *ascii = NULL;

    return idn2_to_ascii_8z(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK
               ? ascii
               : NULL;
}

/* Is each xn-- label the encoding of its own characters? Otherwise it is a second spelling, or invalid. */
static bool a_labels_true(const char *ascii)
{
    char *characters = NULL, *again = NULL;

    if (strncmp(ascii, "xn--", 4) != 0 && !strstr(ascii, ".xn--"))
        return true;
    if (idn2_to_unicode_8z8z(ascii, &characters, 0) == IDN2_OK)
        again = to_a_labels(characters);
    bool same = again != NULL && strcmp(again, ascii) == 0;
    idn2_free(characters);
    idn2_free(again);
    return same;
}

/* Lower-case A-labels; returns their number, 0 if it is not a domain. */
static int domain_form(const char *domain, char form[DOMAIN_MAX + 1])
{
    char *ascii = NULL;

    if (domain[0] == '\0' || strlen(domain) > INPUT_MAX || !characters_allowed(domain))
        return 0;
    if (!is_ascii(domain))
        domain = ascii = to_a_labels(domain);
    bool fits = domain != NULL && strlen(domain) <= DOMAIN_MAX;
    for (size_t i = 0; fits && (i == 0 || domain[i - 1] != '\0'); i++)
        form[i] = to_lower(domain[i]);
    idn2_free(ascii);
    int labels = fits ? labels_of(form) : 0;
    return labels > 0 && a_labels_true(form) ? labels : 0;
}

const char *identity_domain_canonical(apr_pool_t *pool, const char *domain)
{
    char form[DOMAIN_MAX + 1];

    return domain != NULL && domain_form(domain, form) > 1 ? apr_pstrdup(pool, form) : NULL;
}

bool identity_domain_valid(const char *domain)
{
    char form[DOMAIN_MAX + 1];

    return domain != NULL && domain_form(domain, form) > 1;
}

const char *identity_host_canonical(apr_pool_t *pool, const char *host)
{
    char form[DOMAIN_MAX + 1];

    return host != NULL && domain_form(host, form) > 0 ? apr_pstrdup(pool, form) : NULL;
}

/* ---- user names ------------------------------------------------------------------------------------------------- */

static bool username_form(const char *username, char form[ADDRESS_MAX + 1])
{
    char local[LOCAL_MAX + 1], domain[DOMAIN_MAX + 1];
    const char *at = username != NULL ? strchr(username, '@') : NULL;

    if (!at || strchr(at + 1, '@') != NULL || at - username > LOCAL_MAX ||
        !characters_allowed(username))
        return false;
    memcpy(local, username, (size_t)(at - username));
    local[at - username] = '\0';
    if (strlen(at + 1) > INPUT_MAX || (!is_ascii(at + 1) && !normalised(at + 1, 0)) ||
        domain_form(at + 1, domain) < 2 || !local_form(local, local))
        return false;
    if (strlen(local) + 1 + strlen(domain) > ADDRESS_MAX)
        return false;
    apr_snprintf(form, ADDRESS_MAX + 1, "%s@%s", local, domain);
    return true;
}

bool identity_username_valid(const char *username)
{
    char form[ADDRESS_MAX + 1];
    return username_form(username, form);
}

const char *identity_username_canonical(apr_pool_t *pool, const char *username)
{
    char form[ADDRESS_MAX + 1];
    return username_form(username, form) ? apr_pstrdup(pool, form) : NULL;
}

const char *identity_username_old_form(apr_pool_t *pool, const char *username)
{
    char *form = apr_pstrdup(pool, username);

    for (char *at = form; *at != '\0'; at++)
        *at = to_lower(*at);
    return form;
}

const char *identity_username_key(apr_pool_t *pool, const char *text)
{
    const char *canonical = identity_username_canonical(pool, text);
    return canonical != NULL ? canonical : identity_username_old_form(pool, text);
}

const char *identity_username_domain(const char *canonical)
{
    const char *at = strrchr(canonical, '@');
    return at != NULL ? at + 1 : canonical + strlen(canonical);
}

/* A prefix of a local part folds like the whole; a domain can only be mapped as a whole. */
const char *identity_username_prefix(apr_pool_t *pool, const char *text)
{
    const char *at = strchr(text, '@');
    char *local = apr_pstrmemdup(pool, text, at != NULL ? (size_t)(at - text) : strlen(text));
    char folded[INPUT_MAX + 8], domain[DOMAIN_MAX + 1];

    if (strlen(local) > INPUT_MAX / 2 || !fold(local, folded, sizeof folded))
        return identity_username_old_form(pool, text);
    if (!at)
        return apr_pstrdup(pool, folded);
    const char *rest =
        domain_form(at + 1, domain) > 0 ? domain : identity_username_old_form(pool, at + 1);
    return apr_pstrcat(pool, folded, "@", rest, NULL);
}

/* ---- what mail can be sent to ----------------------------------------------------------------------------------- */

bool identity_mail_address_valid(const char *address)
{
    char form[DOMAIN_MAX + 1];
    const char *at = address != NULL ? strchr(address, '@') : NULL;

    if (!at || at == address || strlen(address) > ADDRESS_MAX || !characters_allowed(address))
        return false;
    return !strchr(at + 1, '@') && domain_form(at + 1, form) > 1;
}

/* ---- logins ----------------------------------------------------------------------------------------------------- */

/* In any letter case: abcd_ and 20 characters, or 32 hex digits. */
static bool looks_like_id(const char *login, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    bool id = length == 25 && strspn(login, letters) == 4 && login[4] == '_' &&
              !strpbrk(login + 5, "._-");

    return id || (length == 32 && strspn(login, "0123456789ABCDEFabcdef") == length);
}

bool identity_login_valid(const char *login)
{
    size_t length =
        login != NULL
            ? strspn(login, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
            : 0;

    return length > 0 && length <= IDENTITY_LOGIN_MAX && login[length] == '\0' &&
           !strchr("._-", login[0]) && !looks_like_id(login, length);
}

const char *identity_login_key(apr_pool_t *pool, const char *login)
{
    return identity_username_old_form(pool, login);
}
