/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint (OpenID Connect Core 1.0, 3.1.2): a browser comes from an application, and goes back to it
 * with a code or with an error.
 *
 * Whoever has to sign in first goes to the sign-in page and comes back to the same address with `pending`: the time
 * they were sent there, and a MAC over it and the whole request. So it is known that they have signed in since, and
 * nothing is written before they have. */
#include <string.h>

#include "oidc/authorize.h"

#define SIGN_IN       "/v1/oauth/sign-in"
#define AUTHORIZE     "/v1/oidc/authorize"
#define CODE_LIFETIME apr_time_from_sec(60)
#define KEPT          apr_time_from_sec(3600) /* a spent or expired code is known for what it is */

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static bool see_other(identity_call_t *call, const char *target)
{
    identity_header(call, "Location", target);
    identity_header(call, "Referrer-Policy", "no-referrer");
    return identity_answer_empty(call, 303);
}

/* Back to the application, with state and issuer (RFC 9207) whatever else. */
static bool send_back(identity_call_t *call, const oidc_request_t *request, const char *name,
                      const char *value)
{
    apr_pool_t *pool = call->pool;
    const char *target =
        apr_pstrcat(pool, request->redirect_uri, strchr(request->redirect_uri, '?') ? "&" : "?",
                    name, "=", identity_query_escape(pool, value), NULL);

    if (request->error && request->description)
        target = apr_pstrcat(pool, target, "&error_description=",
                             identity_query_escape(pool, request->description), NULL);
    if (request->state)
        target =
            apr_pstrcat(pool, target, "&state=", identity_query_escape(pool, request->state), NULL);
    target = apr_pstrcat(
        pool, target, "&iss=", identity_query_escape(pool, call->env->settings->public_url), NULL);
    return see_other(call, target);
}

static bool refuse(identity_call_t *call, oidc_request_t *request, const char *error,
                   const char *description)
{
    request->error = error;
    request->description = description;
    return send_back(call, request, "error", error);
}

/* ---- signing in first ------------------------------------------------------------------------------------------- */

/* The request once more, without `pending`. */
static const char *whole(identity_call_t *call)
{
    const apr_array_header_t *all = apr_table_elts(call->query);
    const char *text = "";

    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        if (strcmp(entry->key, "pending") != 0)
            text = apr_pstrcat(call->pool, text, *text ? "&" : "",
                               identity_query_escape(call->pool, entry->key), "=",
                               identity_query_escape(call->pool, entry->val), NULL);
    }
    return text;
}

static const char *stamp_mac(identity_call_t *call, int key, const char *time)
{
    unsigned char secret[32];

    if (!identity_keyset_kid(call->env->keys, key) ||
        !identity_keyset_derive(call->env->keys, key, "oidc pending", secret))
        return NULL;
    const char *mac = identity_mac_text(call->pool, secret, sizeof secret,
                                        apr_pstrcat(call->pool, time, "\n", whole(call), NULL));
    identity_wipe(secret, sizeof secret);
    return mac;
}

/* When this browser was sent to sign in for this very request; 0: it was not. */
static apr_time_t sent_at(identity_call_t *call)
{
    const char *pending = apr_table_get(call->query, "pending"), *mac;
    const char *dot = pending ? strchr(pending, '.') : NULL;

    if (!dot)
        return 0;
    const char *time = apr_pstrmemdup(call->pool, pending, (apr_size_t)(dot - pending));
    for (int key = 0; (mac = stamp_mac(call, key, time)) != NULL; key++)
        if (identity_secret_equal(mac, dot + 1))
            return apr_atoi64(time);
    return 0;
}

static bool send_to_sign_in(identity_call_t *call, oidc_request_t *request)
{
    apr_pool_t *pool = call->pool;
    const char *time = apr_psprintf(pool, "%" APR_TIME_T_FMT, call->now),
               *mac = stamp_mac(call, 0, time);

    if (!mac)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    const char *back =
        apr_pstrcat(pool, AUTHORIZE "?", whole(call), "&pending=", time, ".", mac, NULL);
    if (strlen(back) > ENTRY_RETURN_MAX)
        return refuse(call, request, "invalid_request", "The request is too long.");
    const char *target =
        apr_pstrcat(pool, SIGN_IN "?return=", identity_query_escape(pool, back), NULL);
    if (request->login_hint)
        target = apr_pstrcat(
            pool, target, "&login_hint=", identity_query_escape(pool, request->login_hint), NULL);
    return see_other(call, target);
}

/* ---- who is there ----------------------------------------------------------------------------------------------- */

static bool load(identity_call_t *call, void *data)
{
    oidc_request_t *request = data;
    const char *cookie = identity_access_cookie(call),
               *session = cookie ? identity_access_cookie_session(call, cookie) : NULL;

    return oidc_client_find(call, request->client_id, &request->party) &&
           (!session || oidc_person_find(call, session, &request->party));
}

/* Has somebody signed in since this browser was sent to the sign-in page? */
static bool signed_in_since(const oidc_request_t *request)
{
    const identity_session_row_t *session = request->party.session;
    return request->sent_at && session && session->authenticated_at >= request->sent_at;
}

/* Does the person have to sign in (again)? */
static bool sign_in_needed(const identity_call_t *call, const oidc_request_t *request)
{
    const identity_session_row_t *session = request->party.session;

    if (!session)
        return true;
    if (request->hint_subject && strcmp(request->hint_subject, request->party.user->id) != 0)
        return true;
    if (signed_in_since(request))
        return false;
    return request->login || (request->max_age >= 0 && call->now - session->authenticated_at >
                                                           apr_time_from_sec(request->max_age));
}

/* ---- the code --------------------------------------------------------------------------------------------------- */

static bool write_grant(identity_call_t *call, void *data)
{
    oidc_request_t *request = data;
    const oidc_party_t *party = &request->party;
    identity_audit_t audit = {.action = "CLIENT_SIGN_IN",
                              .type = "CLIENT",
                              .id = party->client->id,
                              .target_name = party->client->name,
                              .entity_id = party->user->entity_id,
                              .actor = party->user->id,
                              .each_minute = true,
                              .message = "Signed in at a client."};

    return identity_db_ok(
               call, identity_client_grant_insert(call->db, &request->grant, call->now - KEPT)) &&
           oidc_session_used(call, party->session) && identity_audit(call, &audit);
}

static bool issue(identity_call_t *call, oidc_request_t *request)
{
    const char *code = identity_token_make(call->pool, IDENTITY_TOKEN_CODE, &call->env->random);
    const char *id = identity_call_id(call, "gran");

    if (!code || !id)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    request->grant =
        (identity_client_grant_row_t){.id = id,
                                      .client_id = request->party.client->id,
                                      .session_id = request->party.session->id,
                                      .digest = identity_token_digest(call->pool, code),
                                      .redirect_uri = request->redirect_uri,
                                      .challenge = request->challenge ? request->challenge : "",
                                      .nonce = request->nonce ? request->nonce : "",
                                      .scope = request->scope,
                                      .created_at = call->now,
                                      .expires_at = call->now + CODE_LIFETIME,
                                      .refresh = "",
                                      .refresh_old = "",
                                      .refresh_nonce = ""};
    return identity_write(call, write_grant, request) && send_back(call, request, "code", code);
}

bool identity_op_oidc_authorize(identity_call_t *call)
{
    oidc_request_t request = {.client_id = apr_table_get(call->query, "client_id")};

    if (!oidc_enabled(call) || !identity_read(call, load, &request))
        return false;
    if (!oidc_request_target(call, &request))
        return entry_refusal(call, request.description);
    if (!oidc_request_read(call, &request))
        return send_back(call, &request, "error", request.error);
    request.sent_at = sent_at(call);
    if (sign_in_needed(call, &request)) {
        if (request.none)
            return refuse(call, &request, "login_required",
                          "No user is signed in, or the sign-in is too old.");
        /* Another person than the application meant has just signed in. */
        if (signed_in_since(&request))
            return refuse(call, &request, "login_required", "Another user is signed in.");
        return send_to_sign_in(call, &request);
    }
    if (!oidc_admitted(&request.party))
        return refuse(call, &request, "access_denied", "This person may not use this application.");
    return issue(call, &request);
}

/* The access cookie does not come with a form of another site: the browser is sent to ask once more by GET. */
bool identity_op_oidc_authorize_form(identity_call_t *call)
{
    const char *target = AUTHORIZE "?", *name;
    json_t *value;

    if (!oidc_enabled(call))
        return false;
    json_object_foreach (call->body, name, value)
        target = apr_pstrcat(call->pool, target, target[strlen(target) - 1] == '?' ? "" : "&",
                             identity_query_escape(call->pool, name), "=",
                             identity_query_escape(call->pool, json_string_value(value)), NULL);
    if (strlen(target) > ENTRY_RETURN_MAX)
        return entry_refusal(call, "The request is too long.");
    return see_other(call, target);
}
