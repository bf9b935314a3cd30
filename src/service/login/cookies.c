/* SPDX-License-Identifier: Apache-2.0 */
/* The access cookie: gives a signed-in browser access to protected content on the same host (security 41, 42). It
 * holds the session's id and a MAC over it; the session is looked up with every request. The API never accepts it. */
#include <string.h>

#include "login/login.h"

#define PURPOSE  "access-cookie"
#define MAC_SIZE 43

/* A session used only through the cookie stays alive; this is written at these intervals. */
#define USE_STEP apr_time_from_sec(3600)

/* The prefix makes browsers reject it from any other host or path, but it requires Secure. */
static const char *name_of(identity_call_t *call)
{
    return identity_cookie_plain(call) ? IDENTITY_ACCESS_COOKIE : "__Host-" IDENTITY_ACCESS_COOKIE;
}

static const char *mac_of(identity_call_t *call, int key_index, const char *session_id)
{
    unsigned char key[32];

    if (!identity_keyset_derive(call->env->keys, key_index, PURPOSE, key))
        return NULL;
    const char *mac = identity_mac_text(call->pool, key, sizeof key, session_id);
    identity_wipe(key, sizeof key);
    return mac;
}

static void set(identity_call_t *call, const char *value, apr_int64_t seconds)
{
    identity_cookie_set(call, &(identity_cookie_t){.name = name_of(call),
                                                   .value = value,
                                                   .path = "/",
                                                   .same_site = "Lax",
                                                   .seconds = seconds});
}

void identity_access_cookie_set(identity_call_t *call, const identity_session_row_t *session)
{
    const char *mac = call->in->access_cookie ? mac_of(call, 0, session->id) : NULL;

    /* Expires with the session's maximum lifetime: whether the session is live is looked up. */
    if (mac)
        set(call, apr_pstrcat(call->pool, session->id, ".", mac, NULL),
            apr_time_sec(session->expires_at - call->now));
}

void identity_access_cookie_clear(identity_call_t *call)
{
    if (call->in->access_cookie)
        set(call, "", 0);
}

const char *identity_access_cookie(identity_call_t *call)
{
    return identity_cookie(call, name_of(call), NULL);
}

const char *identity_access_cookie_session(identity_call_t *call, const char *text)
{
    const char *dot = strchr(text, '.'), *mac;

    if (!dot || strlen(dot + 1) != MAC_SIZE)
        return NULL;
    const char *id = apr_pstrmemdup(call->pool, text, (size_t)(dot - text));
    if (!identity_id_valid(id, "sess"))
        return NULL;
    for (int i = 0; (mac = mac_of(call, i, id)) != NULL; i++)
        if (identity_secret_equal(mac, dot + 1))
            return id;
    return NULL;
}

/* Sec-Fetch-Site takes precedence if it is same-origin, for only browsers can set it: they send Origin: null if a
 * page hides its origin, and behind a TLS-terminating proxy the origin differs from what is seen here. */
bool identity_origin_fits(const identity_call_t *call)
{
    const identity_request_t *in = call->in;
    const char *origin = in->headers.origin, *site = in->headers.fetch_site;

    if (site && strcmp(site, "same-origin") == 0)
        return true;
    return origin && ((in->own_origin && strcmp(origin, in->own_origin) == 0) ||
                      strcmp(origin, call->env->settings->public_url) == 0);
}

static bool reads_only(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "OPTIONS") == 0;
}

bool identity_own_page(identity_call_t *call)
{
    const identity_request_t *in = call->in;

    /* Pages of any origin may open and read other protocols (WebSocket). */
    if (reads_only(in->method) && !in->upgrade)
        return true;
    return identity_origin_fits(call) ||
           identity_deny(
               call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
               "A request authenticated by the cookie alone must come from a page of the same origin.");
}

static apr_time_t idle_end(const identity_call_t *call, const identity_principal_t *principal)
{
    apr_time_t idle = call->now + call->env->settings->refresh_idle;
    return idle < principal->expires_at
               ? idle
               : principal->expires_at; /* never past the absolute expiry (security 34) */
}

static bool write_use(identity_call_t *call, void *data)
{
    const identity_principal_t *const *principal = data;
    return identity_db_ok(call, identity_session_touch(call->db, (*principal)->session_id,
                                                       idle_end(call, *principal)));
}

void identity_session_used(identity_call_t *call, const identity_principal_t *principal,
                           const identity_cache_lookup_t *lookup)
{
    apr_interval_time_t eighth = call->env->settings->refresh_idle / 8,
                        step = eighth < USE_STEP ? eighth : USE_STEP;

    if (idle_end(call, principal) - principal->idle_expires_at >= step &&
        identity_use_due(call, lookup, step) && !identity_write_nowait(call, write_use, &principal))
        identity_use_missed(call, lookup, step);
}
