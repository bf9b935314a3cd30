/* SPDX-License-Identifier: Apache-2.0 */
/* Acceptable passwords (conf/interface.md; security 4 to 6). */
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "core_int.h"

#define LENGTH_MIN     8
#define WORD_MIN       3 /* minimum length of words of a name that are considered */
#define LETTERS_OF_OWN 4 /* required in addition to such words */

/* ---- words that many people use -------------------------------------------------------------------------------- */

/* Words are in the form in which names are compared. */
struct identity_blocklist {
    apr_hash_t *words; /* NULL: as text, sorted, one per line */
    const char *text;
    size_t length;
};

identity_blocklist_t *identity_blocklist_sorted(apr_pool_t *pool, const char *text, size_t length)
{
    identity_blocklist_t *list = apr_pcalloc(pool, sizeof *list);

    list->text = text;
    list->length = length;
    return list;
}

identity_blocklist_t *identity_blocklist_make(apr_pool_t *pool, const char *text, size_t length)
{
    identity_blocklist_t *list = apr_pcalloc(pool, sizeof *list);
    const char *end = text + length;

    list->words = apr_hash_make(pool);
    while (text < end) {
        size_t size = strcspn(text, "\r\n");
        if (size > (size_t)(end - text))
            size = (size_t)(end - text);
        const char *word = size > 0 && *text != '#' ? apr_pstrmemdup(pool, text, size) : NULL;
        word = word != NULL ? identity_name_canonical(pool, word) : NULL;
        if (word != NULL && *word != '\0')
            apr_hash_set(list->words, word, APR_HASH_KEY_STRING, word);
        text += size + 1;
    }
    return list;
}

unsigned identity_blocklist_count(const identity_blocklist_t *list)
{
    unsigned count = 0;

    if (list->words != NULL)
        return apr_hash_count(list->words);
    for (size_t i = 0; i < list->length; i++)
        count += list->text[i] == '\n';
    return count;
}

/* Compares a word with the line that begins at `at`, in byte order. */
static int compare_line(const char *word, size_t length, const char *at, const char *end)
{
    size_t size = (size_t)(end - at);
    int order = memcmp(word, at, length < size ? length : size);

    return order != 0 ? order : (length > size) - (length < size);
}

/* Binary search: each middle is moved back to the beginning of its line. */
static bool in_sorted(const identity_blocklist_t *list, const char *word)
{
    const char *from = list->text, *until = list->text + list->length;
    size_t length = strlen(word);

    while (from < until) {
        const char *at = from + (until - from) / 2;
        while (at > from && at[-1] != '\n')
            at--;
        const char *end = memchr(at, '\n', (size_t)(until - at));
        int order = compare_line(word, length, at, end);
        if (order == 0)
            return true;
        if (order < 0)
            until = at;
        else
            from = end + 1;
    }
    return false;
}

bool identity_blocklist_has(const identity_blocklist_t *list, const char *word)
{
    return list->words != NULL ? apr_hash_get(list->words, word, APR_HASH_KEY_STRING) != NULL
                               : in_sorted(list, word);
}

/* ---- what a password is made of --------------------------------------------------------------------------------- */

/* Bytes of other scripts count as letters. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

/* The letter that a digit or sign in the middle of a word represents; unchanged if there is none. */
static char letter_for(char c)
{
    static const char signs[] = "0134578@$!", letters[] = "oieastbasi";
    const char *at = c != '\0' ? strchr(signs, c) : NULL;

    return at != NULL ? letters[at - signs] : c;
}

/* Removes non-letters from both ends, in place. */
static char *trimmed(char *folded)
{
    char *end = folded + strlen(folded);

    while (end > folded && !is_letter(end[-1]))
        *--end = '\0';
    while (*folded != '\0' && !is_letter(*folded))
        folded++;
    return folded;
}

static bool is_common(const identity_blocklist_t *list, char *folded)
{
    if (identity_blocklist_has(list, folded))
        return true;
    char *core = trimmed(folded);
    if (*core != '\0' && identity_blocklist_has(list, core))
        return true;
    for (char *at = core; *at != '\0'; at++)
        *at = letter_for(*at);
    return *core != '\0' && identity_blocklist_has(list, core);
}

/* Removes every occurrence of the words of name (its runs of letters) from letters, in place. */
static bool remove_words(apr_pool_t *pool, const char *name, char *letters)
{
    char *words = name != NULL ? (char *)identity_name_canonical(pool, name) : NULL;
    bool found = false;

    for (char *word = words, *end; word != NULL && *word != '\0'; word = end) {
        while (*word != '\0' && !is_letter(*word))
            word++;
        for (end = word; is_letter(*end);)
            end++;
        size_t size = (size_t)(end - word);
        if (size < WORD_MIN)
            continue;
        const char *of = apr_pstrmemdup(pool, word, size);
        for (char *at = letters; (at = strstr(at, of)) != NULL; found = true)
            memmove(at, at + size, strlen(at + size) + 1);
    }
    return found;
}

/* Does it consist of little more than the user's name and the site's? */
static bool is_made_of_names(apr_pool_t *pool, const identity_password_policy_t *policy,
                             char *folded)
{
    char *to = folded;

    for (const char *from = folded; *from != '\0'; from++)
        if (is_letter(*from))
            *to++ = *from;
    *to = '\0';
    bool found = remove_words(pool, policy->username, folded);
    found |= remove_words(pool, policy->site, folded);
    return found && strlen(folded) < LETTERS_OF_OWN;
}

static const char *too_easy(apr_pool_t *pool, const char *password,
                            const identity_password_policy_t *policy)
{
    char *folded = (char *)identity_name_canonical(pool, password);
    char *copy = folded != NULL ? apr_pstrdup(pool, folded) : NULL;
    const char *name =
        policy->username != NULL ? identity_name_canonical(pool, policy->username) : NULL;
    const char *must = NULL;

    if (!folded)
        return NULL;
    identity_wipe_with_pool(pool, copy);
    if (name != NULL && strcmp(folded, name) == 0)
        must = "not be the user name";
    else if (is_made_of_names(pool, policy, copy))
        must = "not be made up of the user name or the name of this site";
    else if (policy->blocklist != NULL && is_common(policy->blocklist, folded))
        must = "not be a common password, nor one with digits or signs added around it";
    identity_wipe_string(folded);
    return must;
}

/* ---- which are taken -------------------------------------------------------------------------------------------- */

typedef struct password_traits {
    bool readable, digit, capital;
} password_traits_t;

static password_traits_t traits_of(const char *password, size_t length)
{
    password_traits_t traits = {.readable = true};
    const unsigned char *at = (const unsigned char *)password;
    const unsigned char *end = at + length;

    while (at < end) {
        utf8proc_int32_t character;
        utf8proc_ssize_t size = utf8proc_iterate(at, end - at, &character);
        if (size <= 0) {
            traits.readable = false;
            break;
        }
        utf8proc_category_t category = utf8proc_category(character);
        traits.readable &= category != UTF8PROC_CATEGORY_CC;
        traits.digit |= category == UTF8PROC_CATEGORY_ND;
        traits.capital |= category == UTF8PROC_CATEGORY_LU;
        at += size;
    }
    return traits;
}

size_t identity_password_minimum(size_t wanted)
{
    return wanted > LENGTH_MIN ? wanted : LENGTH_MIN;
}

bool identity_password_acceptable(apr_pool_t *pool, const char *password,
                                  const identity_password_policy_t *policy, const char *field,
                                  identity_problem_t *problem)
{
    size_t length = strnlen(password, IDENTITY_PASSWORD_MAX + 1);
    size_t minimum = identity_password_minimum(policy->minimum);
    const char *must = NULL;

    if (length > IDENTITY_PASSWORD_MAX) {
        must = apr_psprintf(pool, "have at most %d bytes", IDENTITY_PASSWORD_MAX);
    } else if (length < minimum) {
        must = apr_psprintf(pool, "have at least %" APR_SIZE_T_FMT " bytes", minimum);
    } else {
        password_traits_t traits = traits_of(password, length);
        if (!traits.readable)
            must = "be UTF-8 without control characters";
        else if (!traits.digit)
            must = "contain a digit";
        else if (!traits.capital)
            must = "contain a capital letter";
        else
            must = too_easy(pool, password, policy);
    }
    return !must || identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, field,
                                    "%s must %s.", field, must);
}
