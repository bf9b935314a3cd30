/* What the files about signing on at a provider share. */
#ifndef IDENTITY_SSO_INT_H
#define IDENTITY_SSO_INT_H

#include "providers_int.h"

/* ---- sso_providers.c: which provider is meant, and whom it may vouch for ---------------------------------------- */

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

/* ---- sso_person.c: whose sign-on it is -------------------------------------------------------------------------- */

typedef struct sso_sign_on {
    sso_provider_t provider;
    identity_oidc_sign_on_t oidc;
    apr_time_t expires_at;
    const char *digest; /* of the state */
    identity_user_row_t *user;
    bool linked;
    const char *refused; /* why, for the log; NULL: welcome */
    bool set_up;         /* by how provider and server are set up, whoever comes: no failed sign-in */
    identity_login_t login;
} sso_sign_on_t;

/* identity_work_t on a sso_sign_on_t: looks for a link, so that it is known whether an address is needed. */
bool sso_find_link(identity_call_t *call, void *sign_on);
/* identity_work_t: finds, links, activates or makes the user and opens the session, or says why not (refused), which is
 * no fault: it is committed with its audit row. */
bool sso_finish(identity_call_t *call, void *sign_on);
/* The audit row of a sign-on that failed. Inside identity_write. */
bool sso_write_failure(identity_call_t *call, const sso_sign_on_t *sign_on);

#endif
