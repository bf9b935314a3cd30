/* SPDX-License-Identifier: Apache-2.0 */
/* The page for signing in and out, which can also replace error pages: httpd's `ErrorDocument 401` and
 * `ErrorDocument 403`. It works without its script: its forms are plain ones, answered by a page or by 303. */
#include <string.h>

#include <apr_lib.h>

#include "oauth/sign_in_page.h"

#define SIGN_IN     "/v1/oauth/sign-in"
#define SIGN_OUT    "/v1/oauth/sign-out"
#define CONTACT_MAX 256
#define HINT_MAX    256
#define AUTHORIZE   "/v1/oidc/authorize?"

/* ---- where to afterwards ---------------------------------------------------------------------------------------- */

/* An absolute path on this host that can be sent in Location; NULL for anything else, including forms that browsers
 * interpret as another host (//, /\, and both with characters in between that they drop). */
static const char *local_path(apr_pool_t *pool, const char *text)
{
    if (!text || text[0] != '/' || text[1] == '/' || strlen(text) > ENTRY_RETURN_MAX)
        return NULL;
    char *path = apr_palloc(pool, 3 * strlen(text) + 1), *to = path;
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < ' ' || c == 127 || c == '\\')
            return NULL;
        if (c == ' ' || c > 127 || strchr("\"<>`{}|^", c))
            to += apr_snprintf(to, 4, "%%%02X", c);
        else
            *to++ = *at;
    }
    *to = '\0';
    return path;
}

/* *target: NULL if none was requested. */
static bool find_target(identity_call_t *call, const char **target)
{
    const char *given = apr_table_get(call->query, "return");

    *target = given ? local_path(call->pool, given) : NULL;
    return !given || *target ||
           identity_deny(
               call, IDENTITY_PROBLEM_INVALID_FIELD, "return",
               "return must be a path on this host that begins with exactly one / and has at most "
               "%d characters.",
               ENTRY_RETURN_MAX);
}

static const char *with_target(identity_call_t *call, const char *path, const char *target)
{
    return target ? apr_pstrcat(call->pool, path,
                                "?return=", identity_query_escape(call->pool, target), NULL)
                  : path;
}

static bool see_other(identity_call_t *call, const char *target)
{
    identity_header(call, "Location", target);
    return identity_answer_empty(call, 303);
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

static const identity_page_t *page_for(identity_call_t *call)
{
    apr_array_header_t *languages = apr_array_make(call->pool, 4, sizeof(const char *));

    for (const identity_filled_page_t *page = identity_pages_entry; page->language; page++)
        APR_ARRAY_PUSH(languages, const char *) = page->language;
    const char *language =
        identity_language_choose(call->pool, call->in->headers.accept_language, languages);
    for (const identity_filled_page_t *page = identity_pages_entry; language && page->language;
         page++)
        if (strcmp(page->language, language) == 0)
            return &page->page;
    return &identity_pages_entry[0].page;
}

static const char *language_of(const identity_page_t *page)
{
    const identity_filled_page_t *filled = identity_pages_entry;

    while (&filled->page != page)
        filled++;
    return filled->language;
}

/* The host of the public URL: the request's own host name cannot be trusted. */
static const char *site_of(const identity_call_t *call)
{
    const char *host = strstr(call->env->settings->public_url, "://");
    return host ? host + 3 : call->env->settings->public_url;
}

static bool show(identity_call_t *call, int status, apr_table_t *values,
                 const apr_array_header_t *items)
{
    const identity_page_t *page = page_for(call);

    apr_table_setn(values, "language", language_of(page));
    apr_table_setn(values, "site", site_of(call));
    call->out->status = status;
    call->out->content_type = "text/html; charset=utf-8";
    call->out->body = entry_fill(call->pool, page, values, items, &call->out->length);
    identity_header(call, "Content-Security-Policy", page->content_security_policy);
    /* Forms of other pages hide their origin under no-referrer; this page must send it. */
    identity_header(call, "Referrer-Policy", "same-origin");
    identity_header(call, "X-Frame-Options", "DENY");
    return true;
}

/* ---- signing in ------------------------------------------------------------------------------------------------- */

static apr_table_t *values_for(identity_call_t *call, const char *target)
{
    apr_table_t *values = apr_table_make(call->pool, 16);

    apr_table_setn(values, "return", target ? target : "/");
    apr_table_setn(values, "signin", "1");
    apr_table_setn(values, call->env->settings->logins ? "byname" : "byaddress", "1");
    apr_table_setn(values, "action", with_target(call, SIGN_IN, target));
    return values;
}

static bool is_set_up(identity_call_t *call)
{
    if (!call->in->access_cookie)
        identity_log(call, IDENTITY_LOG_INFO,
                     "ID0390: nobody can sign in on the page " SIGN_IN
                     ": IdentityCookie is not On there");
    return call->in->access_cookie;
}

static bool show_sign_in(identity_call_t *call, int status, apr_table_t *values)
{
    entry_ways_t ways = {.items = apr_array_make(call->pool, 1, sizeof(entry_item_t)),
                         .password = true};

    if (!is_set_up(call)) {
        apr_table_setn(values, "unset", "1");
        return show(call, status, values, ways.items);
    }
    if (!identity_read(call, entry_find_ways, &ways))
        return false;
    if (ways.password)
        apr_table_setn(values, "form", "1");
    if (ways.items->nelts)
        apr_table_setn(values, "provided", "1");
    if (ways.password && ways.items->nelts)
        apr_table_setn(values, "either", "1");
    if (!ways.password && !ways.items->nelts)
        apr_table_setn(values, "closed", "1");
    return show(call, status, values, ways.items);
}

/* ErrorDocument: keeps the status of the request that the page replaces. */
static bool stand_in(identity_call_t *call)
{
    const identity_stand_in_t *place = &call->in->stand_in;
    const char *target = local_path(call->pool, place->path);
    apr_table_t *values = values_for(call, target);

    if (place->status == 401 && place->cookie) {
        apr_table_setn(values, "asked", "1");
        return show_sign_in(call, place->status, values);
    }
    apr_table_unset(values, "signin");
    if (place->status == 401) {
        apr_table_setn(values, "dialog", "1");
    } else {
        apr_table_setn(values, "denied", "1");
        apr_table_setn(values, place->user ? "known" : "stranger", "1");
        if (place->user)
            apr_table_setn(values, "user", identity_utf8_valid(place->user) ? place->user : "?");
        if (place->user && place->cookie)
            apr_table_setn(values, "other",
                           with_target(call, SIGN_OUT, with_target(call, SIGN_IN, target)));
        if (place->contact && strchr(place->contact, '@') && strlen(place->contact) <= CONTACT_MAX)
            apr_table_setn(values, "contact", place->contact);
    }
    return show(call, place->status, values, apr_array_make(call->pool, 1, sizeof(entry_item_t)));
}

bool identity_op_sign_in_page(identity_call_t *call)
{
    const char *target;

    if (call->in->stand_in.status)
        return stand_in(call);
    if (!find_target(call, &target))
        return false;
    apr_table_t *values = values_for(call, target);
    const char *hint = apr_table_get(call->query, "login_hint");
    if (hint && strlen(hint) <= HINT_MAX)
        apr_table_setn(values, "username", hint);
    return show_sign_in(call, 200, values);
}

/* Browsers hold the whole chain of redirects that follows a form against the page's form-action, and an application's
 * address is not in it: the chain ends here, and the next page is opened anew. */
static bool go_on(identity_call_t *call, const char *target)
{
    apr_table_t *values = apr_table_make(call->pool, 4);

    if (strncmp(target, AUTHORIZE, strlen(AUTHORIZE)) != 0)
        return see_other(call, target);
    apr_table_setn(values, "onward", "1");
    apr_table_setn(values, "return", target);
    identity_header(call, "Refresh", apr_pstrcat(call->pool, "0;url=", target, NULL));
    return show(call, 200, values, apr_array_make(call->pool, 1, sizeof(entry_item_t)));
}

bool entry_refusal(identity_call_t *call, const char *detail)
{
    apr_table_t *values = apr_table_make(call->pool, 4);

    apr_table_setn(values, "refused", "1");
    apr_table_setn(values, "detail", detail);
    return show(call, 400, values, apr_array_make(call->pool, 1, sizeof(entry_item_t)));
}

/* A form of another origin could sign somebody in as a user of its choice, or out; IdentityCORSOrigin does not apply
 * here. */
static bool own_form(identity_call_t *call)
{
    const char *origin = call->in->headers.origin, *site = call->in->headers.fetch_site;

    return identity_origin_fits(call) || (!origin && (!site || strcmp(site, "none") == 0)) ||
           identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "This is not allowed from a page of another origin.");
}

bool identity_op_sign_in(identity_call_t *call)
{
    const char *target;

    call->standard = false; /* not a form of RFC 6749 */
    if (!own_form(call) || !find_target(call, &target))
        return false;
    if (!is_set_up(call))
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "This server is not configured for sign-in on this page.");
    return identity_login_by_password(call, identity_json_string(call->body, "username"),
                                      identity_json_string(call->body, "password")) &&
           go_on(call, target ? target : "/");
}

/* ---- what went wrong -------------------------------------------------------------------------------------------- */

bool identity_wants_page(const identity_request_t *in)
{
    const char *destination = in->headers.fetch_destination;
    char accept[1024];

    if (!in->headers.accept ||
        (destination && strcmp(destination, "document") != 0 &&
         strcmp(destination, "iframe") != 0 && strcmp(destination, "frame") != 0))
        return false;
    apr_cpystrn(accept, in->headers.accept, sizeof accept);
    for (char *at = accept; *at; at++)
        *at = (char)apr_tolower(*at);
    return strstr(accept, "text/html") != NULL;
}

bool identity_entry_refused(identity_call_t *call, int status)
{
    static const struct {
        int status;
        const char *value;
    } reasons[] = {{400, "none"}, {401, "wrong"}, {403, "off"}, {429, "often"}, {503, "full"}};
    const char *target = NULL, *reason = "broken",
               *username = identity_json_string(call->body, "username");

    if (!call->route || call->route->handler != identity_op_sign_in)
        return false;
    call->standard = false;
    if (!identity_wants_page(call->in))
        return false;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            reason = reasons[i].value;
    if (call->query)
        target = local_path(call->pool, apr_table_get(call->query, "return"));
    apr_table_t *values = values_for(call, target);
    apr_table_setn(values, call->in->access_cookie ? "form" : "unset", "1");
    if (call->in->access_cookie)
        apr_table_setn(values, reason, "1");
    if (username)
        apr_table_setn(values, "username", username);
    return show(call, status, values, apr_array_make(call->pool, 1, sizeof(entry_item_t)));
}

/* ---- signing out ------------------------------------------------------------------------------------------------ */

static bool show_leaving(identity_call_t *call, const char *state, const char *action)
{
    apr_table_t *values = apr_table_make(call->pool, 8);

    apr_table_setn(values, state, "1");
    apr_table_setn(values, "action", action);
    apr_table_setn(values, "return", "/");
    return show(call, 200, values, apr_array_make(call->pool, 1, sizeof(entry_item_t)));
}

bool identity_op_sign_out_page(identity_call_t *call)
{
    const char *target;
    return find_target(call, &target) &&
           show_leaving(call, "leave", with_target(call, SIGN_OUT, target));
}

/* Also signs out a browser whose session has already ended. */
bool identity_op_sign_out(identity_call_t *call)
{
    const char *target;
    bool ended;

    if (!own_form(call) || !find_target(call, &target) || !identity_browser_logout(call, &ended))
        return false;
    return target ? see_other(call, target) : show_leaving(call, "left", SIGN_IN);
}
