/* SPDX-License-Identifier: Apache-2.0 */
/* Selects the text of a mail: the shipped templates, or an administrator's files in their place, by kind of mail and
 * by language. */
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "identity/pages.h"
#include "template.h"

#define SUBJECT      "Subject: "
#define TEMPLATE_MAX (256 * 1024)
#define KINDS        IDENTITY_MAIL_KINDS

typedef struct wording {
    const char *tag;      /* from the file names; "" without one */
    const char *language; /* the same, or as declared in the HTML; "" if unknown */
    mail_template_t *subject, *text, *html;
} wording_t;

struct identity_mail_templates {
    apr_array_header_t *of[KINDS]; /* of wording_t *; the first one is the default */
};

/* A pair of files; NULL if one is missing. */
typedef struct source {
    const char *tag, *text, *html;
} source_t;

typedef struct loader {
    apr_pool_t *pool;
    const char *directory; /* NULL: the shipped ones */
    const char *error;
} loader_t;

static const char *const kinds[KINDS] = {
#define MAIL(kind, name, page) [IDENTITY_MAIL_##kind] = name,
#include "identity/mails.def"
#undef MAIL
};

static const char *const pages[KINDS] = {
#define MAIL(kind, name, page) [IDENTITY_MAIL_##kind] = page,
#include "identity/mails.def"
#undef MAIL
};

const char *identity_mail_kind_name(identity_mail_kind_t kind)
{
    return kinds[kind];
}

const char *identity_mail_kind_page(identity_mail_kind_t kind)
{
    return pages[kind];
}

bool identity_mail_kind_named(const char *name, identity_mail_kind_t *kind)
{
    for (int i = 0; i < KINDS; i++) {
        *kind = (identity_mail_kind_t)i;
        if (strcmp(kinds[i], name) == 0)
            return true;
    }
    return false;
}

const char *mail_words_listed(apr_pool_t *pool, const char *const *words, int count)
{
    const char *list = words[0];

    for (int i = 1; i < count; i++)
        list = apr_pstrcat(pool, list, i == count - 1 ? " and " : ", ", words[i], NULL);
    return list;
}

const char *identity_mail_kinds_listed(apr_pool_t *pool)
{
    return mail_words_listed(pool, kinds, KINDS);
}

/* ---- one wording ------------------------------------------------------------------------------------------------ */

static const char *file_name(const loader_t *loader, const char *kind, const char *tag,
                             const char *ending)
{
    const char *name = apr_pstrcat(loader->pool, kind, *tag ? "." : "", tag, ending, NULL);

    return loader->directory ? apr_pstrcat(loader->pool, loader->directory, "/", name, NULL) : name;
}

static bool refuse(loader_t *loader, const char *file, const char *sentence)
{
    loader->error = apr_pstrcat(loader->pool, file, ": ", sentence, NULL);
    return false;
}

/* <html lang="de"> */
static const char *language_of(apr_pool_t *pool, const char *html)
{
    const char *tag = strstr(html, "<html"), *end = tag ? strchr(tag, '>') : NULL,
               *lang = tag ? strstr(tag, " lang=\"") : NULL;

    if (!lang || !end || lang > end)
        return "";
    lang += strlen(" lang=\"");
    const char *language = apr_pstrmemdup(pool, lang, strcspn(lang, "\""));
    return identity_language_valid(language) ? language : "";
}

static mail_template_t *compile(loader_t *loader, const char *file, const char *source, int line,
                                bool html)
{
    const char *error;
    mail_template_t *template = mail_template_compile(loader->pool, source, line, html, &error);

    if (!template)
        refuse(loader, file, error);
    return template;
}

/* A mail without its link is useless, and a notice has none. */
static bool link_fits(loader_t *loader, const char *file, int kind, const mail_template_t *template)
{
    bool wanted = pages[kind] != NULL, uses = template->uses[MAIL_VALUE_LINK];

    if (wanted == uses)
        return true;
    return refuse(loader, file,
                  wanted ? "{{link}} is missing, without which the mail is useless."
                         : "{{link}} is always empty here: this mail is a notice.");
}

static bool compile_text(loader_t *loader, const char *file, int kind, const char *source,
                         wording_t *wording)
{
    size_t length = strcspn(source, "\n"), first = strlen(SUBJECT);

    if (strncmp(source, SUBJECT, first) != 0 || length == first)
        return refuse(loader, file, "the first line must be Subject: and the mail's subject.");
    wording->subject = compile(
        loader, file, apr_pstrmemdup(loader->pool, source + first, length - first), 1, false);
    const char *body = source + length;
    int line = 1;
    for (; *body == '\n'; body++)
        line++;
    wording->text = wording->subject ? compile(loader, file, body, line, false) : NULL;
    if (wording->subject && wording->subject->uses[MAIL_VALUE_LINK])
        return refuse(loader, file,
                      "the link must not be in the subject: subjects are displayed and logged.");
    return wording->text && link_fits(loader, file, kind, wording->text);
}

static bool add_wording(loader_t *loader, int kind, const source_t *source,
                        apr_array_header_t *wordings)
{
    const char *text_file = file_name(loader, kinds[kind], source->tag, ".txt"),
               *html_file = file_name(loader, kinds[kind], source->tag, ".html");
    wording_t *wording = apr_pcalloc(loader->pool, sizeof *wording);

    if (!source->text || !source->html)
        return refuse(loader, source->text ? html_file : text_file,
                      "this file is missing; each mail needs a text and an HTML form.");
    wording->tag = source->tag;
    wording->language = *source->tag ? source->tag : language_of(loader->pool, source->html);
    if (!compile_text(loader, text_file, kind, source->text, wording))
        return false;
    wording->html = compile(loader, html_file, source->html, 1, true);
    if (!wording->html || !link_fits(loader, html_file, kind, wording->html))
        return false;
    APR_ARRAY_PUSH(wordings, wording_t *) = wording;
    return true;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* A copy with LF line ends and without a byte order mark. */
static char *plain_lines(apr_pool_t *pool, const char *text)
{
    char *copy = apr_palloc(pool, strlen(text) + 1), *to = copy;

    if (!strncmp(text, "\xef\xbb\xbf", 3))
        text += 3;
    for (; *text; text++)
        if (text[0] != '\r' || text[1] != '\n')
            *to++ = *text;
    *to = '\0';
    return copy;
}

static const char *read_file(loader_t *loader, const char *path)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length = 0;
    char *text = NULL;
    apr_status_t status =
        apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, loader->pool);

    if (status == APR_SUCCESS) {
        status = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file);
        if (status == APR_SUCCESS && info.filetype == APR_REG && info.size <= TEMPLATE_MAX) {
            text = apr_pcalloc(loader->pool, (apr_size_t)info.size + 1);
            status = info.size ? apr_file_read_full(file, text, (apr_size_t)info.size, &length)
                               : APR_SUCCESS;
        }
        apr_file_close(file);
    }
    if (status != APR_SUCCESS)
        refuse(loader, path, apr_psprintf(loader->pool, "cannot be read: %pm.", &status));
    else if (!text)
        refuse(loader, path, "is not a file, or is larger than 256 KiB.");
    else if (memchr(text, '\0', length) || !identity_utf8_valid(text))
        refuse(loader, path, "is not UTF-8 text.");
    return loader->error ? NULL : plain_lines(loader->pool, text);
}

static source_t *source_of(loader_t *loader, apr_array_header_t *sources, const char *tag)
{
    for (int i = 0; i < sources->nelts; i++)
        if (strcasecmp(APR_ARRAY_IDX(sources, i, source_t).tag, tag) == 0)
            return &APR_ARRAY_IDX(sources, i, source_t);
    source_t *source = apr_array_push(sources);
    *source = (source_t){.tag = apr_pstrdup(loader->pool, tag)};
    return source;
}

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0;
}

/* invite.txt, reset.de-AT.html; files with other extensions are ignored. */
static bool add_file(loader_t *loader, const char *name, apr_array_header_t *const sources[KINDS])
{
    bool text = ends_in(name, ".txt");
    const char *path = apr_pstrcat(loader->pool, loader->directory, "/", name, NULL), *tag = NULL;
    apr_size_t stem = strlen(name) - strlen(text ? ".txt" : ".html");
    int kind;

    if (name[0] == '.' || (!text && !ends_in(name, ".html")))
        return true;
    for (kind = 0; kind < KINDS && !tag; kind++) {
        size_t length = strlen(kinds[kind]);
        if (strncmp(name, kinds[kind], length) == 0 && (length == stem || name[length] == '.'))
            tag = length == stem
                      ? ""
                      : apr_pstrmemdup(loader->pool, name + length + 1, stem - length - 1);
    }
    if (!tag || (*tag && !identity_language_valid(tag)))
        return refuse(loader, path,
                      apr_pstrcat(loader->pool, "is not the name of a template; these are ",
                                  identity_mail_kinds_listed(loader->pool),
                                  ", with .txt and .html, or with a language as in invite.de.txt.",
                                  NULL));
    source_t *source = source_of(loader, sources[kind - 1], tag);
    const char **form = text ? &source->text : &source->html;
    if (*form)
        return refuse(loader, path, "there is another file for this language.");
    *form = read_file(loader, path);
    return *form != NULL;
}

static bool read_directory(loader_t *loader, apr_array_header_t *const sources[KINDS])
{
    apr_dir_t *directory;
    apr_finfo_t info;
    apr_status_t status = apr_dir_open(&directory, loader->directory, loader->pool);
    bool good = true;

    if (status != APR_SUCCESS)
        return refuse(loader, loader->directory,
                      apr_psprintf(loader->pool, "cannot be read: %pm.", &status));
    while (good && apr_dir_read(&info, APR_FINFO_NAME, directory) == APR_SUCCESS)
        good = add_file(loader, info.name, sources);
    apr_dir_close(directory);
    for (int kind = 0; good && kind < KINDS; kind++)
        if (sources[kind]->nelts)
            return true;
    return good && refuse(loader, loader->directory, "there is no template in this folder.");
}

static void take_built_in(int kind, apr_array_header_t *sources)
{
    for (const identity_mail_source_t *built_in = identity_mail_sources; built_in->kind; built_in++)
        if (strcmp(built_in->kind, kinds[kind]) == 0)
            APR_ARRAY_PUSH(sources, source_t) =
                (source_t){built_in->language, built_in->text, built_in->html};
}

/* ---- all wordings ----------------------------------------------------------------------------------------------- */

/* The one without a language is the default. */
static bool add_kind(loader_t *loader, int kind, apr_array_header_t *sources,
                     identity_mail_templates_t *templates)
{
    loader_t built_in = {.pool = loader->pool};
    bool own = sources->nelts > 0, good = true;

    templates->of[kind] = apr_array_make(loader->pool, 4, sizeof(wording_t *));
    if (!own)
        take_built_in(kind, sources);
    for (int wanted = 1; wanted >= 0; wanted--)
        for (int i = 0; good && i < sources->nelts; i++) {
            const source_t *source = &APR_ARRAY_IDX(sources, i, source_t);
            if ((*source->tag == '\0') == wanted)
                good = add_wording(own ? loader : &built_in, kind, source, templates->of[kind]);
        }
    if (built_in.error)
        loader->error = built_in.error;
    if (good && *APR_ARRAY_IDX(templates->of[kind], 0, wording_t *)->tag)
        good =
            refuse(loader, file_name(loader, kinds[kind], "", ".txt"),
                   "this file is missing: it is used for languages without a file of their own.");
    return good;
}

identity_mail_templates_t *identity_mail_templates_load(apr_pool_t *pool, const char *directory,
                                                        const char **error)
{
    loader_t loader = {.pool = pool, .directory = directory};
    identity_mail_templates_t *templates = apr_pcalloc(pool, sizeof *templates);
    apr_array_header_t *sources[KINDS];
    bool good = true;

    for (int kind = 0; kind < KINDS; kind++)
        sources[kind] = apr_array_make(pool, 4, sizeof(source_t));
    if (directory)
        good = read_directory(&loader, sources);
    for (int kind = 0; good && kind < KINDS; kind++)
        good = add_kind(&loader, kind, sources[kind], templates);
    *error = loader.error;
    return good ? templates : NULL;
}

static const wording_t *choose(apr_pool_t *pool, const identity_mail_templates_t *templates,
                               identity_mail_kind_t kind, const char *accepted)
{
    const apr_array_header_t *wordings = templates->of[kind];
    apr_array_header_t *languages = apr_array_make(pool, wordings->nelts, sizeof(const char *));

    for (int i = wordings->nelts - 1; i >= 0; i--)
        APR_ARRAY_PUSH(languages, const char *) = APR_ARRAY_IDX(wordings, i, wording_t *)->language;
    const char *language = identity_language_choose(pool, accepted, languages);
    for (int i = wordings->nelts - 1; language && i >= 0; i--)
        if (strcasecmp(APR_ARRAY_IDX(wordings, i, wording_t *)->language, language) == 0)
            return APR_ARRAY_IDX(wordings, i, wording_t *);
    return APR_ARRAY_IDX(wordings, 0, wording_t *);
}

const char *identity_mail_language(apr_pool_t *pool, const identity_mail_templates_t *templates,
                                   identity_mail_kind_t kind, const char *accepted)
{
    return choose(pool, templates, kind, accepted)->language;
}

/* ---- rendering -------------------------------------------------------------------------------------------------- */

/* 28 November 2026 at 07:05 UTC: not in figures, in which countries order month and day differently. If the month
 * names of a language are unknown, in the unambiguous order. */
static const char *time_in_words(apr_pool_t *pool, const char *language, apr_time_t time)
{
    static const struct {
        const char *language, *first, *other, *at, *months[12];
    } words[] = {{"en",
                  "",
                  "",
                  " at ",
                  {"January", "February", "March", "April", "May", "June", "July", "August",
                   "September", "October", "November", "December"}},
                 {"de",
                  ".",
                  ".",
                  " um ",
                  {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August",
                   "September", "Oktober", "November", "Dezember"}},
                 {"fr",
                  "er",
                  "",
                  " à ",
                  {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août",
                   "septembre", "octobre", "novembre", "décembre"}}};
    apr_time_exp_t t;

    apr_time_exp_gmt(&t, time);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(language, words[i].language, 2) == 0 &&
            (!language[2] || language[2] == '-'))
            return apr_psprintf(pool, "%d%s %s %d%s%02d:%02d UTC", t.tm_mday,
                                t.tm_mday == 1 ? words[i].first : words[i].other,
                                words[i].months[t.tm_mon], t.tm_year + 1900, words[i].at, t.tm_hour,
                                t.tm_min);
    return apr_psprintf(pool, "%d-%02d-%02d %02d:%02d UTC", t.tm_year + 1900, t.tm_mon + 1,
                        t.tm_mday, t.tm_hour, t.tm_min);
}

void identity_mail_render(apr_pool_t *pool, const identity_mail_templates_t *templates,
                          identity_mail_kind_t kind, const char *language,
                          const identity_mail_values_t *values, identity_mail_t *mail)
{
    const wording_t *wording = choose(pool, templates, kind, language);
    const char *const filled[MAIL_VALUES] = {
        [MAIL_VALUE_LINK] = values->link,
        [MAIL_VALUE_USERNAME] = values->username,
        [MAIL_VALUE_SITE] = values->site,
        [MAIL_VALUE_EXPIRES] =
            values->expires_at ? time_in_words(pool, wording->language, values->expires_at) : NULL,
        [MAIL_VALUE_INVITER] = values->inviter,
        [MAIL_VALUE_ACCOUNT] = values->account,
        [MAIL_VALUE_ADDRESS] = values->address,
        [MAIL_VALUE_ACTOR] = values->actor};

    mail->language = wording->language;
    mail->subject = mail_template_fill(pool, wording->subject, filled);
    mail->text = mail_template_fill(pool, wording->text, filled);
    mail->html = mail_template_fill(pool, wording->html, filled);
}
