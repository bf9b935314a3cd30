/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a sign-on at an OpenID provider: exchanges the code for tokens and verifies them. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "oidc_int.h"

/* A valid RFC 6749 error code; anything else is not quoted. */
static const char *named(apr_pool_t *pool, const char *code)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    bool plain = code && *code && strlen(code) <= 40 && strspn(code, letters) == strlen(code);

    return plain ? apr_pstrdup(pool, code) : "an error without a name";
}

static identity_oidc_status_t unavailable(const char **error, const char *sentence)
{
    *error = sentence;
    return IDENTITY_OIDC_UNAVAILABLE;
}

/* The relevant members of a token endpoint's answer. */
static const identity_json_member_t token_members[] = {{"id_token", NULL},
                                                       {"access_token", NULL},
                                                       {"token_type", NULL},
                                                       {"error", NULL},
                                                       {NULL, NULL}};

/* ---- the token endpoint ----------------------------------------------------------------------------------------- */

static const char *form_of(apr_pool_t *pool, const identity_oidc_options_t *options,
                           const identity_oidc_sign_on_t *sign_on, const oidc_metadata_t *metadata)
{
    char *form = apr_pstrcat(
        pool, "grant_type=authorization_code&code=", identity_query_escape(pool, sign_on->code),
        "&redirect_uri=", identity_query_escape(pool, sign_on->redirect_uri),
        "&code_verifier=", identity_query_escape(pool, sign_on->verifier), NULL);

    if (metadata->secret_in_form)
        form = apr_pstrcat(
            pool, form, "&client_id=", identity_query_escape(pool, options->client_id),
            "&client_secret=",
            identity_query_escape(pool, __atomic_load_n(&options->client_secret, __ATOMIC_ACQUIRE)),
            NULL);
    identity_wipe_with_pool(pool, form);
    return form;
}

/* Interprets a refusal: an invalid code is the person's problem, everything else our configuration's or the
 * provider's. */
static identity_oidc_status_t refusal(apr_pool_t *pool, const fetch_response_t *response,
                                      const char **error)
{
    const json_t *root = identity_json_pick(pool, response->body, response->length, token_members);
    const char *code = identity_json_string(root, "error");

    *error = apr_psprintf(pool, "the token endpoint answered %ld with %s", response->status,
                          named(pool, code));
    return response->status < 500 && code && strcmp(code, "invalid_grant") == 0
               ? IDENTITY_OIDC_REFUSED
               : IDENTITY_OIDC_UNAVAILABLE;
}

static identity_oidc_status_t give_code(apr_pool_t *pool, identity_oidc_t *oidc,
                                        identity_oidc_sign_on_t *sign_on,
                                        const oidc_metadata_t *metadata, const char **id_token,
                                        const char **error)
{
    const identity_oidc_options_t *options = oidc_options(oidc);
    fetch_request_t request;
    fetch_response_t response;

    oidc_request(oidc, sign_on, metadata->token_endpoint, &request);
    request.form = form_of(pool, options, sign_on, metadata);
    if (!metadata->secret_in_form) {
        /* Both are form-encoded before they become a credential (RFC 6749, 2.3.1). */
        request.user = identity_query_escape(pool, options->client_id);
        request.password =
            identity_query_escape(pool, __atomic_load_n(&options->client_secret, __ATOMIC_ACQUIRE));
    }
    bool answered = client_fetch(pool, &request, &response, error);
    if (request.password)
        identity_wipe_with_pool(pool, (char *)request.password);
    if (!answered)
        return unavailable(error, apr_pstrcat(pool, "the token endpoint: ", *error, NULL));
    if (response.status != 200)
        return refusal(pool, &response, error);
    const json_t *root = identity_json_pick(pool, response.body, response.length, token_members);
    const char *type = identity_json_string(root, "token_type");
    *id_token = identity_json_string(root, "id_token");
    if (!*id_token)
        return unavailable(error, "the token endpoint answered without an ID token");
    if (type && strcasecmp(type, "Bearer") == 0)
        sign_on->access_token = identity_json_string(root, "access_token");
    return IDENTITY_OIDC_DONE;
}

/* ---- the ID token ----------------------------------------------------------------------------------------------- */

static identity_id_token_rules_t rules_of(const identity_oidc_t *oidc,
                                          const identity_oidc_sign_on_t *sign_on)
{
    const identity_oidc_options_t *options = oidc_options(oidc);

    return (identity_id_token_rules_t){.issuer = options->issuer,
                                       .client_id = options->client_id,
                                       .nonce = sign_on->nonce,
                                       .access_token = sign_on->access_token,
                                       .now = sign_on->now};
}

/* The ID token, or a signed userinfo response (*claims). */
typedef struct signed_text {
    const char *name, *text;
    size_t length;
    const json_t **claims; /* NULL: the ID token */
} signed_text_t;

static identity_oidc_status_t verify(apr_pool_t *pool, identity_oidc_t *oidc,
                                     identity_oidc_sign_on_t *sign_on,
                                     const oidc_metadata_t *metadata, const signed_text_t *text,
                                     const char **error)
{
    const identity_id_token_rules_t rules = rules_of(oidc, sign_on);
    identity_id_token_verdict_t verdict = IDENTITY_ID_TOKEN_UNKNOWN_KEY;
    const char *why = NULL;

    /* An unknown key may be a new one: the keys are fetched again, but not as often as anybody likes. */
    for (int again = 0; again <= 1 && verdict == IDENTITY_ID_TOKEN_UNKNOWN_KEY; again++) {
        const char *jwks;
        identity_oidc_status_t status =
            oidc_keys(pool, oidc, sign_on, metadata, again, &jwks, error);
        if (status != IDENTITY_OIDC_DONE)
            return status;
        verdict = text->claims ? identity_userinfo_verify(pool, jwks, text->text, text->length,
                                                          &rules, text->claims, &why)
                               : identity_id_token_verify(pool, jwks, text->text, &rules,
                                                          &sign_on->vouched, &why);
    }
    if (verdict == IDENTITY_ID_TOKEN_RIGHT)
        return IDENTITY_OIDC_DONE;
    *error =
        apr_psprintf(pool, "%s of %s is refused: %s", text->name, oidc_options(oidc)->issuer, why);
    sign_on->set_up = verdict == IDENTITY_ID_TOKEN_NOT_VERIFIABLE;
    return IDENTITY_OIDC_REFUSED;
}

/* RFC 9207: checked before the code is sent to anybody. A provider that always names itself, but has not done so
 * here, did not send this answer; if no other provider could have, a page that forwards only code and state is
 * tolerated. */
static identity_oidc_status_t whose(const identity_oidc_t *oidc,
                                    const identity_oidc_sign_on_t *sign_on,
                                    const oidc_metadata_t *metadata, const char **error)
{
    bool named = sign_on->issuer != NULL;

    if (named ? strcmp(sign_on->issuer, oidc_options(oidc)->issuer) == 0
              : !(metadata->names_issuer && sign_on->one_of_many))
        return IDENTITY_OIDC_DONE;
    *error = named ? "the answer is from another issuer (iss)"
                   : "the answer does not name its issuer (iss)";
    return IDENTITY_OIDC_REFUSED;
}

identity_oidc_status_t identity_oidc_exchange(apr_pool_t *pool, identity_oidc_t *oidc,
                                              identity_oidc_sign_on_t *sign_on, const char **error)
{
    oidc_metadata_t metadata;
    const char *id_token = NULL;
    identity_oidc_status_t status = oidc_metadata(pool, oidc, sign_on, &metadata, error);

    if (status == IDENTITY_OIDC_DONE)
        status = whose(oidc, sign_on, &metadata, error);
    if (status == IDENTITY_OIDC_DONE)
        status = give_code(pool, oidc, sign_on, &metadata, &id_token, error);
    if (status == IDENTITY_OIDC_DONE)
        status = verify(pool, oidc, sign_on, &metadata,
                        &(signed_text_t){.name = "the ID token", .text = id_token}, error);
    return status;
}

/* ---- the address ------------------------------------------------------------------------------------------------ */

/* A userinfo endpoint that does not answer counts as absent if the ID token has an address. */
static identity_oidc_status_t says_nothing(const identity_oidc_sign_on_t *sign_on,
                                           const char **error, const char *sentence)
{
    *error = sentence;
    return sign_on->vouched.email ? IDENTITY_OIDC_DONE : IDENTITY_OIDC_UNAVAILABLE;
}

/* The userinfo claims, as JSON or as a signed JWT (OpenID Connect Core, 5.3.2). */
static identity_oidc_status_t read_userinfo(apr_pool_t *pool, identity_oidc_t *oidc,
                                            identity_oidc_sign_on_t *sign_on,
                                            const oidc_metadata_t *metadata,
                                            const fetch_response_t *response, const char **error)
{
    const json_t *claims = NULL;

    if (strcasecmp(response->type, "application/jwt") == 0) {
        const signed_text_t text = {"userinfo", response->body, response->length, &claims};
        identity_oidc_status_t status = verify(pool, oidc, sign_on, metadata, &text, error);
        if (status != IDENTITY_OIDC_DONE)
            return status;
    } else {
        claims = identity_userinfo_read(pool, response->body, response->length);
    }
    if (!identity_json_string(claims, "sub"))
        return says_nothing(sign_on, error, "the userinfo endpoint did not answer with claims");
    /* Its subject must be that of the signed token (OpenID Connect Core, 5.3.2). */
    if (identity_userinfo_take(pool, claims, &sign_on->vouched))
        return IDENTITY_OIDC_DONE;
    *error = "the userinfo endpoint describes another user (sub)";
    return IDENTITY_OIDC_REFUSED;
}

static identity_oidc_status_t ask_userinfo(apr_pool_t *pool, identity_oidc_t *oidc,
                                           identity_oidc_sign_on_t *sign_on,
                                           const oidc_metadata_t *metadata, const char **error)
{
    fetch_request_t request;
    fetch_response_t response;

    oidc_request(oidc, sign_on, metadata->userinfo_endpoint, &request);
    request.bearer = sign_on->access_token;
    request.accept = "application/json, application/jwt";
    if (!client_fetch(pool, &request, &response, error))
        return unavailable(error, apr_pstrcat(pool, "the userinfo endpoint: ", *error, NULL));
    if (response.status != 200) {
        const char *answered =
            apr_psprintf(pool, "the userinfo endpoint answered %ld", response.status);
        return response.status < 500 ? says_nothing(sign_on, error, answered)
                                     : unavailable(error, answered);
    }
    return read_userinfo(pool, oidc, sign_on, metadata, &response, error);
}

identity_oidc_status_t identity_oidc_address(apr_pool_t *pool, identity_oidc_t *oidc,
                                             identity_oidc_sign_on_t *sign_on, const char **error)
{
    oidc_metadata_t metadata;
    identity_oidc_status_t status;

    *error = NULL;
    if ((sign_on->vouched.email && sign_on->vouched.email_judged) || !sign_on->access_token)
        return IDENTITY_OIDC_DONE;
    status = oidc_metadata(pool, oidc, sign_on, &metadata, error);
    if (status == IDENTITY_OIDC_DONE && metadata.userinfo_endpoint)
        status = ask_userinfo(pool, oidc, sign_on, &metadata, error);
    return status;
}
