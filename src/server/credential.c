/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials are for this server and not for the programs behind it: session cookies, and our keys and tokens in any
 * header, are removed from every request to a server with an identity database, whether its location is protected or
 * not, unless IdentityForwardCredential allows them. Values that other directives have derived from them are removed,
 * too.
 *
 * This is done in the first of the fixups, before per-directory rules of mod_rewrite and mod_headers, which may set
 * anything for the backend; and again in the last one, in case mod_dir has switched to another file. The removed values
 * are kept with the request, for locations reached by internal redirects, which authenticate again. */
#include <string.h>

#include "rctx.h"

static const char *cut_of(const request_rec *r, const char *name)
{
    const identity_rctx_t *rctx = identity_rctx(r);

    if (!rctx)
        return NULL;
    return strcmp(name, "Authorization") == 0 ? rctx->cut.authorization
           : strcmp(name, "X-API-KEY") == 0   ? rctx->cut.api_key
                                              : rctx->cut.cookie;
}

static const char *cut_before(const request_rec *r, const char *name)
{
    const char *value = NULL;

    for (; r && !value; r = identity_request_before(r))
        value = cut_of(r, name);
    return value;
}

static const apr_table_t *others_before(const request_rec *r)
{
    const apr_table_t *others = NULL;

    for (; r && !others; r = identity_request_before(r)) {
        const identity_rctx_t *rctx = identity_rctx(r);
        others = rctx ? rctx->cut.others : NULL;
    }
    return others;
}

const char *identity_header_sent(const request_rec *r, const char *name)
{
    const char *value = cut_before(r, name);
    return value ? value : identity_header_in(r, name);
}

/* ---- recognizing ------------------------------------------------------------------------------------------------ */

/* For the hosts of all virtual hosts with the same database. */
static bool formed(request_rec *r, const char *value, apr_array_header_t *secrets)
{
    const identity_site_t *site = identity_conf(r->server)->database_of;

    for (int i = 0; site && i < site->hosts->nelts; i++)
        if (identity_credential_formed(
                r->pool, &APR_ARRAY_IDX(site->hosts, i, identity_host_t *)->env, value, secrets))
            return true;
    return false;
}

/* Session cookies, as browsers and programs send them. */
static const char *const session_cookies[] = {("__Host-" IDENTITY_ACCESS_COOKIE),
                                              IDENTITY_ACCESS_COOKIE, IDENTITY_REFRESH_COOKIE};
#define SESSION_COOKIES (sizeof session_cookies / sizeof session_cookies[0])

/* ---- cutting ---------------------------------------------------------------------------------------------------- */

/* A subrequest shares the header table of its request, which may still have to be authenticated. */
static void own_headers(request_rec *r)
{
    if (r->main && r->headers_in == r->main->headers_in)
        r->headers_in = apr_table_copy(r->pool, r->headers_in);
}

static void cut_cookie(request_rec *r)
{
    const char *cookies = apr_table_get(r->headers_in, "Cookie"), *left = cookies;

    for (size_t i = 0; cookies && i < SESSION_COOKIES; i++)
        left = identity_cookie_without(r->pool, left, session_cookies[i]);
    if (left == cookies)
        return;
    identity_rctx_make(r)->cut.cookie = cookies;
    own_headers(r);
    if (*left)
        apr_table_setn(r->headers_in, "Cookie", left);
    else
        apr_table_unset(r->headers_in, "Cookie");
}

static void cut_header(request_rec *r, const char *name, bool used)
{
    const char *value = apr_table_get(r->headers_in, name);

    if (!value || (!used && !formed(r, value, NULL)))
        return;
    identity_rctx_t *rctx = identity_rctx_make(r);
    *(strcmp(name, "Authorization") == 0 ? &rctx->cut.authorization : &rctx->cut.api_key) = value;
    own_headers(r);
    apr_table_unset(r->headers_in, name);
}

/* A key or token of ours counts in any header. Cookies with other names belong to the programs that set them. */
typedef struct others {
    request_rec *r;
    apr_table_t *found;
} others_t;

static int note_other(void *others_, const char *name, const char *value)
{
    others_t *others = others_;
    bool known = strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "X-API-KEY") == 0 ||
                 strcasecmp(name, "Cookie") == 0;

    /* Most values contain nothing that resembles the beginning of one. */
    if (!known &&
        (strstr(value, "idk_") || strstr(value, "ey") || strncasecmp(value, "Basic ", 6) == 0) &&
        formed(others->r, value, NULL))
        apr_table_addn(others->found, name, value);
    return 1;
}

static void cut_others(request_rec *r)
{
    others_t others = {r, apr_table_make(r->pool, 1)};
    const apr_array_header_t *found = apr_table_elts(others.found);

    apr_table_do(note_other, &others, r->headers_in, NULL);
    if (!found->nelts)
        return;
    identity_rctx_make(r)->cut.others = others.found;
    own_headers(r);
    for (int i = 0; i < found->nelts; i++)
        apr_table_unset(r->headers_in, APR_ARRAY_IDX(found, i, apr_table_entry_t).key);
}

/* Was the client authenticated, or to be authenticated, by a header, whatever it looks like? With a cookie the
 * headers are left to the application. */
static bool by_header(const request_rec *r)
{
    const identity_rctx_t *rctx = identity_rctx_inherited(r);

    if (!rctx || !rctx->authentication.credential)
        rctx = identity_rctx_shown(r);
    return rctx && rctx->authentication.credential &&
           !(rctx->authentication.method && strcmp(rctx->authentication.method, "cookie") == 0);
}

static bool let_in(const request_rec *r)
{
    const identity_rctx_t *rctx = identity_rctx_inherited(r);

    if (!rctx || !rctx->authentication.principal)
        rctx = identity_rctx_shown(r);
    return rctx && rctx->authentication.principal && !rctx->authentication.refused;
}

/* ---- what was made of it ---------------------------------------------------------------------------------------- */

/* Fragments of a secret long enough to be unambiguous: any copy of twice that length contains a whole one. Clients
 * must not be able to remove the administrator's variables by sending their values as credentials, so only the
 * random part of well-formed credentials counts, and credentials that were really accepted. */
#define PIECE      12
#define KEY_SECRET 49 /* of a key: the part after its id */
#define MAC        43 /* of the access cookie, after the session's id */

typedef struct traces {
    request_rec *r;
    apr_array_header_t *secrets; /* of const char * */
    apr_array_header_t *names;   /* of const char *: names of variables that contain one of them */
} traces_t;

static bool random_text(const char *text)
{
    size_t length =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return length >= PIECE && !text[length];
}

static void add_secret(traces_t *traces, const char *secret)
{
    const char *dot = strrchr(secret, '.');

    /* The signature of a token; the part before it is similar in many. */
    if (dot)
        secret = dot + 1;
    else if (strlen(secret) > KEY_SECRET)
        secret += strlen(secret) - KEY_SECRET;
    if (random_text(secret))
        APR_ARRAY_PUSH(traces->secrets, const char *) = secret;
}

/* Asked twice for a request, before and behind what other modules do to it: the headers are what they were. */
static const apr_array_header_t *secrets_in(request_rec *r, const char *value)
{
    identity_rctx_t *rctx = identity_rctx_make(r);

    if (rctx->looked_through != value) {
        rctx->secrets = apr_array_make(r->pool, 2, sizeof(const char *));
        formed(r, value, rctx->secrets);
        rctx->looked_through = value;
    }
    return rctx->secrets;
}

static void add_header_secrets(traces_t *traces, const char *value)
{
    if (!value)
        return;
    const apr_array_header_t *secrets = secrets_in(traces->r, value);
    bool ours = secrets->nelts > 0;
    for (int i = 0; i < secrets->nelts; i++)
        add_secret(traces, APR_ARRAY_IDX(secrets, i, const char *));
    /* For Basic the whole value, too: a key as a password, or the password that was accepted. */
    const char *basic = ap_getword_white(traces->r->pool, &value);
    if (strcasecmp(basic, "Basic") == 0 && (ours || let_in(traces->r)) && strlen(value) >= PIECE)
        APR_ARRAY_PUSH(traces->secrets, const char *) = value;
}

static int add_other_secrets(void *traces, const char *name, const char *value)
{
    (void)name;
    add_header_secrets(traces, value);
    return 1;
}

static void add_cookie_secrets(traces_t *traces, const char *cookies)
{
    for (size_t i = 0; cookies && i < SESSION_COOKIES; i++) {
        const apr_array_header_t *values =
            identity_cookie_values(traces->r->pool, cookies, session_cookies[i]);
        for (int v = 0; v < values->nelts; v++) {
            const char *value = APR_ARRAY_IDX(values, v, const char *), *dot = strchr(value, '.');
            if ((dot && strlen(dot + 1) == MAC) ||
                identity_token_valid(value, IDENTITY_TOKEN_REFRESH))
                add_secret(traces, value);
        }
    }
}

/* This module's own variables contain no secret, whatever a client sends; the cookies have already been filtered. */
static bool spared(const char *name)
{
    static const char *const names[] = {
        "IDENTITY_USER_ID", "IDENTITY_USERNAME",    "IDENTITY_ENTITY_ID",
        "IDENTITY_AUTH",    "IDENTITY_REQUEST_ID",  "IDENTITY_ACCOUNT_ID",
        "Cookie",           "IDENTITY_PERMISSIONS", NULL};

    for (size_t i = 0; names[i]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool holds(const char *value, const char *secret)
{
    size_t length = strlen(secret);
    char piece[PIECE + 1] = "";

    for (size_t at = 0; at + PIECE <= length; at += PIECE) {
        memcpy(piece, secret + at, PIECE);
        if (strstr(value, piece))
            return true;
    }
    return false;
}

static int note_trace(void *traces_, const char *name, const char *value)
{
    traces_t *traces = traces_;

    for (int i = 0; value && !spared(name) && i < traces->secrets->nelts; i++)
        if (holds(value, APR_ARRAY_IDX(traces->secrets, i, const char *))) {
            APR_ARRAY_PUSH(traces->names, const char *) = name;
            break;
        }
    return 1;
}

static void drop_traces(traces_t *traces, apr_table_t *table)
{
    traces->names = apr_array_make(traces->r->pool, 2, sizeof(const char *));
    apr_table_do(note_trace, traces, table, NULL);
    for (int i = 0; i < traces->names->nelts; i++)
        apr_table_unset(table, APR_ARRAY_IDX(traces->names, i, const char *));
}

/* Variables (SetEnvIf, [E=...], REDIRECT_...), and copies in other headers (RequestHeader ... early). */
static void cut_copies(request_rec *r, bool headers)
{
    traces_t traces = {.r = r, .secrets = apr_array_make(r->pool, 4, sizeof(const char *))};

    add_header_secrets(&traces, cut_before(r, "Authorization"));
    add_header_secrets(&traces, cut_before(r, "X-API-KEY"));
    add_cookie_secrets(&traces, cut_before(r, "Cookie"));
    if (others_before(r))
        apr_table_do(add_other_secrets, &traces, others_before(r), NULL);
    if (!traces.secrets->nelts)
        return;
    drop_traces(&traces, r->subprocess_env);
    if (headers)
        drop_traces(&traces, r->headers_in);
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static void give_back(request_rec *r, const char *name)
{
    const char *value = cut_before(r, name);

    if (value) {
        own_headers(r);
        apr_table_setn(r->headers_in, name, value);
    }
}

static void give_back_others(request_rec *r)
{
    if (!others_before(r))
        return;
    own_headers(r);
    apr_table_overlap(r->headers_in, others_before(r), APR_OVERLAP_TABLES_SET);
}

void identity_keep_credentials(request_rec *r)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const identity_rctx_t *rctx = identity_rctx(r);
    bool first = !rctx || rctx->kept_for != r->per_dir_config;
    bool used = by_header(r) || (rctx && rctx->used_below);

    /* mod_dir and mod_negotiation use a subrequest, and continue as if that had been requested. */
    if (used && r->main && let_in(r))
        identity_rctx_make(r->main)->used_below = true;

    /* Credentials in a forward proxy's requests are for the site behind it. */
    if (r->proxyreq == PROXYREQ_PROXY || (!identity_conf(r->server)->database_of && !used))
        return;
    if (conf->forward_credential) {
        if (first && (rctx || identity_request_before(r))) {
            give_back(r, "Authorization");
            give_back(r, "X-API-KEY");
            give_back(r, "Cookie");
            give_back_others(r);
        }
        return;
    }
    if (first) {
        cut_header(r, "Authorization", used);
        cut_header(r, "X-API-KEY", used);
        cut_cookie(r);
        cut_others(r);
        identity_rctx_make(r)->kept_for = r->per_dir_config;
    }
    cut_copies(r, first);
}
