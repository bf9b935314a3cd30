/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenID provider: what authorize, token and userinfo share. */
#ifndef IDENTITY_SERVICE_OIDC_H
#define IDENTITY_SERVICE_OIDC_H

#include "oidc/clients.h"

#define OIDC_USERINFO "/v1/oidc/userinfo"

/* A client, and the person whose session it is about. */
typedef struct oidc_party {
    identity_client_row_t *client;   /* NULL: unknown, or DISABLED */
    json_t *settings;                /* of the client */
    identity_session_row_t *session; /* NULL: none, or it has ended */
    identity_user_row_t *user;
    identity_principal_t *principal; /* what the person holds now */
} oidc_party_t;

/* Is IdentityOpenID On? 404 otherwise. */
bool oidc_enabled(identity_call_t *call);
/* Sets client and settings. Reads. */
bool oidc_client_find(identity_call_t *call, const char *id, oidc_party_t *party);
/* Sets session, user and principal. Reads. */
bool oidc_person_find(identity_call_t *call, const char *session_id, oidc_party_t *party);
/* May this person use this client: is it of the same entity, and does it hold what the client requires? */
bool oidc_admitted(const oidc_party_t *party);
/* Does the client have this grant type? Is its setting on? */
bool oidc_grants(const oidc_party_t *party, const char *type);
bool oidc_setting(const oidc_party_t *party, const char *name);
/* Of the scopes asked for those that the client may have, each once. */
const char *oidc_scopes(identity_call_t *call, const oidc_party_t *party, const char *asked);
bool oidc_scope_has(const char *scopes, const char *scope);
/* Adds what the scopes say of the person; what is not known is left out (OpenID Connect Core 1.0, 5.3.2, 5.4). */
void oidc_claims_add(const oidc_party_t *party, const char *scopes, json_t *claims);

/* oidc_tokens.c: 200 with access token, ID token where the scope has openid, and the refresh token unless NULL. */
bool oidc_tokens_answer(identity_call_t *call, const oidc_party_t *party,
                        const identity_client_grant_row_t *grant, const char *scope,
                        const char *refresh);
/* The audience of clients' access tokens, which no other place accepts. */
const char *oidc_audience(const identity_call_t *call);
/* Extends the session's idle expiry, at intervals. Inside identity_write. */
bool oidc_session_used(identity_call_t *call, const identity_session_row_t *session);

#endif
