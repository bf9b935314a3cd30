/* The second half of a sign-on at an OpenID provider: a code is given for tokens, and what they say is verified. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "oidc_int.h"

/* An error code as RFC 6749 has them; anything else is not repeated. */
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

/* ---- the token endpoint ----------------------------------------------------------------------------------------- */

static const char *form_of(apr_pool_t *pool, const identity_oidc_options_t *options,
                           const identity_oidc_sign_on_t *sign_on, const oidc_metadata_t *metadata)
{
    char *form = apr_pstrcat(pool, "grant_type=authorization_code&code=", identity_query_escape(pool, sign_on->code),
                             "&redirect_uri=", identity_query_escape(pool, sign_on->redirect_uri),
                             "&code_verifier=", identity_query_escape(pool, sign_on->verifier), NULL);

    if (metadata->secret_in_form)
        form = apr_pstrcat(pool, form, "&client_id=", identity_query_escape(pool, options->client_id),
                           "&client_secret=", identity_query_escape(pool, options->client_secret), NULL);
    identity_wipe_with_pool(pool, form);
    return form;
}

/* What a refusal means: a code that is no good is the person's matter, all else our configuration's or the provider's.
 */
static identity_oidc_status_t refusal(apr_pool_t *pool, const fetch_response_t *response, const char **error)
{
    const json_t *root = identity_json_own(pool, json_loadb(response->body, response->length, 0, NULL));
    const char *code = identity_json_string(root, "error");

    *error = apr_psprintf(pool, "the token endpoint answered %ld with %s", response->status, named(pool, code));
    return response->status < 500 && code && strcmp(code, "invalid_grant") == 0 ? IDENTITY_OIDC_REFUSED
                                                                                : IDENTITY_OIDC_UNAVAILABLE;
}

static identity_oidc_status_t give_code(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                                        const oidc_metadata_t *metadata, const char **id_token, const char **error)
{
    const identity_oidc_options_t *options = oidc_options(oidc);
    fetch_request_t request;
    fetch_response_t response;

    oidc_request(oidc, sign_on, metadata->token_endpoint, &request);
    request.form = form_of(pool, options, sign_on, metadata);
    if (!metadata->secret_in_form) {
        /* Both are form-encoded before they are made a credential (RFC 6749, 2.3.1). */
        request.user = identity_query_escape(pool, options->client_id);
        request.password = identity_query_escape(pool, options->client_secret);
    }
    bool answered = client_fetch(pool, &request, &response, error);
    if (request.password)
        identity_wipe_with_pool(pool, (char *)request.password);
    if (!answered)
        return unavailable(error, apr_pstrcat(pool, "the token endpoint: ", *error, NULL));
    if (response.status != 200)
        return refusal(pool, &response, error);
    const json_t *root =
        identity_json_own(pool, json_loadb(response.body, response.length, JSON_REJECT_DUPLICATES, NULL));
    const char *type = identity_json_string(root, "token_type");
    *id_token = identity_json_string(root, "id_token");
    if (!*id_token)
        return unavailable(error, "the token endpoint answered without an ID token");
    if (type && strcasecmp(type, "Bearer") == 0)
        sign_on->access_token = identity_json_string(root, "access_token");
    return IDENTITY_OIDC_DONE;
}

/* ---- the ID token ----------------------------------------------------------------------------------------------- */

static identity_oidc_status_t verify(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                                     const oidc_metadata_t *metadata, const char *id_token, const char **error)
{
    const identity_oidc_options_t *options = oidc_options(oidc);
    const identity_id_token_rules_t rules = {.issuer = options->issuer,
                                             .client_id = options->client_id,
                                             .nonce = sign_on->nonce,
                                             .access_token = sign_on->access_token,
                                             .now = sign_on->now};
    identity_id_token_verdict_t verdict = IDENTITY_ID_TOKEN_UNKNOWN_KEY;
    const char *why = NULL;

    /* A key that is not known may be a new one: looked for once more, but not at anybody's pleasure. */
    for (int again = 0; again <= 1 && verdict == IDENTITY_ID_TOKEN_UNKNOWN_KEY; again++) {
        const char *jwks;
        identity_oidc_status_t status = oidc_keys(pool, oidc, sign_on, metadata, again, &jwks, error);
        if (status != IDENTITY_OIDC_DONE)
            return status;
        verdict = identity_id_token_verify(pool, jwks, id_token, &rules, &sign_on->vouched, &why);
    }
    if (verdict == IDENTITY_ID_TOKEN_RIGHT)
        return IDENTITY_OIDC_DONE;
    *error = apr_psprintf(pool, "the ID token of %s is refused: %s", options->issuer, why);
    return IDENTITY_OIDC_REFUSED;
}

/* RFC 9207: before the code is given to anybody. A provider that always names itself and has not done so here is not
 * who answered; where there is no other that could have, a page that passes on nothing but code and state is let be. */
static identity_oidc_status_t whose(const identity_oidc_t *oidc, const identity_oidc_sign_on_t *sign_on,
                                    const oidc_metadata_t *metadata, const char **error)
{
    bool named = sign_on->issuer != NULL;

    if (named ? strcmp(sign_on->issuer, oidc_options(oidc)->issuer) == 0
              : !(metadata->names_issuer && sign_on->one_of_many))
        return IDENTITY_OIDC_DONE;
    *error = named ? "it was answered by another issuer (iss)" : "the answer does not say whose it is (iss)";
    return IDENTITY_OIDC_REFUSED;
}

identity_oidc_status_t identity_oidc_exchange(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                                              const char **error)
{
    oidc_metadata_t metadata;
    const char *id_token = NULL;
    identity_oidc_status_t status = oidc_metadata(pool, oidc, sign_on, &metadata, error);

    if (status == IDENTITY_OIDC_DONE)
        status = whose(oidc, sign_on, &metadata, error);
    if (status == IDENTITY_OIDC_DONE)
        status = give_code(pool, oidc, sign_on, &metadata, &id_token, error);
    if (status == IDENTITY_OIDC_DONE)
        status = verify(pool, oidc, sign_on, &metadata, id_token, error);
    return status;
}

/* ---- the address ------------------------------------------------------------------------------------------------ */

identity_oidc_status_t identity_oidc_address(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                                             const char **error)
{
    oidc_metadata_t metadata;
    fetch_request_t request;
    fetch_response_t response;
    identity_oidc_status_t status = IDENTITY_OIDC_DONE;

    *error = NULL;
    if (!sign_on->vouched.email && sign_on->access_token)
        status = oidc_metadata(pool, oidc, sign_on, &metadata, error);
    else
        return status;
    if (status != IDENTITY_OIDC_DONE || !metadata.userinfo_endpoint)
        return status;
    oidc_request(oidc, sign_on, metadata.userinfo_endpoint, &request);
    request.bearer = sign_on->access_token;
    if (!client_fetch(pool, &request, &response, error))
        return unavailable(error, apr_pstrcat(pool, "the userinfo endpoint: ", *error, NULL));
    if (response.status != 200)
        return unavailable(error, apr_psprintf(pool, "the userinfo endpoint answered %ld", response.status));
    const json_t *claims =
        identity_json_own(pool, json_loadb(response.body, response.length, JSON_REJECT_DUPLICATES, NULL));
    const char *subject = identity_json_string(claims, "sub");
    if (!subject)
        return unavailable(error, "the userinfo endpoint answered something else than claims");
    /* It speaks of whom the signed token names, or it does not count (OpenID Connect Core, 5.3.2). */
    if (strcmp(subject, sign_on->vouched.subject) != 0) {
        *error = "the userinfo endpoint speaks of somebody else";
        return IDENTITY_OIDC_REFUSED;
    }
    identity_vouched_address(pool, claims, &sign_on->vouched);
    return IDENTITY_OIDC_DONE;
}
