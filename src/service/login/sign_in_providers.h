/* Providers that people sign in at. */
#ifndef IDENTITY_SERVICE_SIGN_IN_PROVIDERS_H
#define IDENTITY_SERVICE_SIGN_IN_PROVIDERS_H

#include "login/login.h"

/* ---- sign_in_providers.c: which provider is meant, and whom it may vouch for ------------------------------------- */

/* What a sign-on is made with: always something of the configuration, which alone has the secret, and perhaps an
 * entity's own row of it. */
typedef struct sso_provider {
    const identity_configured_provider_t *configured; /* NULL: there is none that can be used */
    const char *row_id;                               /* or NULL */
    const char *entity_id;                            /* of the row, or NULL */
} sso_provider_t;

/* By id or name of the configuration; false: it may be a row. */
bool sso_provider_configured(identity_call_t *call, const char *id_or_name, sso_provider_t *provider);
/* By id or, for those of the configuration, by name. Reads only for a row. */
bool sso_provider_find(identity_call_t *call, const char *id_or_name, sso_provider_t *provider);
/* Of an entity's row; configured is NULL where the row is not ENABLED, or of nothing in the configuration. */
void sso_provider_of_row(identity_call_t *call, const identity_provider_row_t *row, sso_provider_t *provider);
/* Is the provider open to addresses of the domain in the entity? listed: the domain must be named. Reads. */
bool sso_admits(identity_call_t *call, const sso_provider_t *provider, const char *entity_id, const char *domain,
                bool listed, bool *admitted);
/* Is the provider set up for this entity itself: by entity=, by the entity's own row, or as the only lasting one?
 * Reads. */
bool sso_set_up_for(identity_call_t *call, const sso_provider_t *provider, const char *entity_id, bool *set_up);
/* Does the configuration vouch for addresses of the domain where the provider does not say whether they are verified?
 */
bool sso_vouches(const sso_provider_t *provider, const char *domain);
/* The entity of somebody new: NULL where the configuration leaves it open. Reads. */
bool sso_entity(identity_call_t *call, const sso_provider_t *provider, const char **entity_id);

/* Of the configuration: those that an entity has beside its own rows, as rows. domain: only those that are open to it,
 * or NULL. Reads. */
bool identity_providers_builtin(identity_call_t *call, const char *entity_id, const char *domain,
                                apr_array_header_t **rows);

#endif
