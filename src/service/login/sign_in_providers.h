/* SPDX-License-Identifier: Apache-2.0 */
/* Providers at which people sign in. */
#ifndef IDENTITY_SERVICE_SIGN_IN_PROVIDERS_H
#define IDENTITY_SERVICE_SIGN_IN_PROVIDERS_H

#include "login/login.h"

/* ---- sign_in_providers.c: which provider is meant, and whom it may vouch for ------------------------------------- */

/* The provider of a sign-on: always one from the configuration, which alone has the secret, optionally with an
 * entity's own row. */
typedef struct sso_provider {
    const identity_configured_provider_t *configured; /* NULL: none is usable */
    const char *row_id;                               /* or NULL */
    const char *entity_id;                            /* of the row, or NULL */
} sso_provider_t;

/* By its id or name in the configuration; false: it may be a row. */
bool sso_provider_configured(identity_call_t *call, const char *id_or_name,
                             sso_provider_t *provider);
/* By id or, for configured ones, by name. Reads only for a row. */
bool sso_provider_find(identity_call_t *call, const char *id_or_name, sso_provider_t *provider);
/* From an entity's row; configured is NULL if the row is not ENABLED or not backed by the configuration. */
void sso_provider_of_row(identity_call_t *call, const identity_provider_row_t *row,
                         sso_provider_t *provider);
/* Does the provider admit addresses of the domain into the entity? listed: the domain must be named explicitly.
 * Reads. */
bool sso_admits(identity_call_t *call, const sso_provider_t *provider, const char *entity_id,
                const char *domain, bool listed, bool *admitted);
/* Is the provider set up for this particular entity: by entity=, by the entity's own row, or because it is the only
 * lasting entity? Reads. */
bool sso_set_up_for(identity_call_t *call, const sso_provider_t *provider, const char *entity_id,
                    bool *set_up);
/* Does the configuration declare addresses of the domain verified if the provider does not say? */
bool sso_vouches(const sso_provider_t *provider, const char *domain);
/* The entity for a new user: NULL if the configuration leaves it open. Reads. */
bool sso_entity(identity_call_t *call, const sso_provider_t *provider, const char **entity_id);

/* Configured providers that an entity has in addition to its own rows, as rows. domain: only those that admit it, or
 * NULL. Reads. */
bool identity_providers_builtin(identity_call_t *call, const char *entity_id, const char *domain,
                                apr_array_header_t **rows);

#endif
