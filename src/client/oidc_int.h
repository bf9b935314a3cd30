/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files about OpenID providers. */
#ifndef IDENTITY_CLIENT_OIDC_INT_H
#define IDENTITY_CLIENT_OIDC_INT_H

#include "fetch.h"

/* The relevant parts of a discovery document, validated. */
typedef struct oidc_metadata {
    const char *authorization_endpoint, *token_endpoint, *jwks_uri;
    const char *userinfo_endpoint; /* or NULL */
    bool secret_in_form;           /* client_secret_post; else client_secret_basic */
    bool names_issuer;             /* in every answer (RFC 9207) */
} oidc_metadata_t;

const identity_oidc_options_t *oidc_options(const identity_oidc_t *oidc);
/* Reads the discovery document, fetched or cached. */
identity_oidc_status_t oidc_metadata(apr_pool_t *pool, identity_oidc_t *oidc,
                                     identity_oidc_sign_on_t *sign_on, oidc_metadata_t *metadata,
                                     const char **error);
/* The provider's keys; again: the cached ones were not sufficient. *known: they are as fresh as possible, so that a
 * token they do not verify is wrong. */
identity_oidc_status_t oidc_keys(apr_pool_t *pool, identity_oidc_t *oidc,
                                 identity_oidc_sign_on_t *sign_on, const oidc_metadata_t *metadata,
                                 bool again, const char **jwks, const char **error);
/* Sets the limits of a request to the provider. */
void oidc_request(identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on, const char *url,
                  fetch_request_t *request);

#endif
