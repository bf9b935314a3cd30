/* SPDX-License-Identifier: Apache-2.0 */
/* userinfo (OpenID Connect Core 1.0, 5.3). */
#include <string.h>

#include "oidc/oidc.h"

typedef struct question {
    identity_claims_t claims;
    oidc_party_t party;
    bool live;
} question_t;

/* The grant may have ended before the token: its id stands in jti. */
static bool load(identity_call_t *call, void *data)
{
    question_t *question = data;
    const char *dot = strchr(question->claims.jwt_id, '.');
    identity_client_grant_row_t *grant = NULL;
    bool found;

    if (!dot)
        return true;
    const char *id = apr_pstrmemdup(call->pool, question->claims.jwt_id,
                                    (apr_size_t)(dot - question->claims.jwt_id));
    if (!identity_db_found(call, identity_client_grant_get(call->db, id, &grant), &found))
        return false;
    if (!found || grant->ended_at)
        return true;
    if (!oidc_client_find(call, question->claims.client_id, &question->party) ||
        !oidc_person_find(call, grant->session_id, &question->party))
        return false;
    question->live = question->party.client && question->party.session;
    return true;
}

static bool invalid(identity_call_t *call)
{
    call->standard = true; /* errors as RFC 6750, 3 has them */
    return identity_oauth_deny(call, "invalid_token", IDENTITY_PROBLEM_UNAUTHORISED,
                               "The access token is not valid.");
}

static bool answer(identity_call_t *call, const char *token)
{
    const char *issuer = call->env->settings->public_url;
    question_t question = {.live = false};

    if (!token || !identity_jwt_verify(call->pool, call->env->keys, token, issuer,
                                       oidc_audience(call), call->now, &question.claims))
        return invalid(call);
    if (!identity_read(call, load, &question))
        return false;
    if (!question.live)
        return invalid(call);
    json_t *claims = json_pack("{s:s}", "sub", question.claims.subject);
    oidc_claims_add(&question.party, question.claims.scope ? question.claims.scope : "", claims);
    return identity_answer(call, 200, claims);
}

static const char *in_header(const identity_call_t *call)
{
    const char *authorization = call->in->headers.authorization;
    return authorization ? identity_scheme(authorization, "Bearer") : NULL;
}

bool identity_op_oidc_userinfo(identity_call_t *call)
{
    return oidc_enabled(call) && answer(call, in_header(call));
}

bool identity_op_oidc_userinfo_form(identity_call_t *call)
{
    const char *token = identity_json_string(call->body, "access_token");

    if (!oidc_enabled(call))
        return false;
    if (token && in_header(call))
        return identity_oauth_deny(
            call, "invalid_request", IDENTITY_PROBLEM_BAD_REQUEST,
            "Send the access token once: in the Authorization header or in the form.");
    return answer(call, token ? token : in_header(call));
}
