/* What the two files about authentication providers share. */
#ifndef IDENTITY_PROVIDERS_INT_H
#define IDENTITY_PROVIDERS_INT_H

#include "users/users.h"

/* A new reference. domain: of the one person who is shown it, who is told of no other domain that is allowed; or NULL.
 */
json_t *identity_provider_json(identity_call_t *call, const identity_provider_row_t *row, const char *domain);
/* Fills all but id, entity_id, created_at, version from a checked object with type, name, status, sso: 400 naming what
 * does not go together. */
bool identity_provider_read(identity_call_t *call, const json_t *whole, identity_provider_row_t *row);
/* What the body makes of a provider: absent keeps, null clears. */
bool identity_provider_merge(identity_call_t *call, const identity_provider_row_t *present,
                             identity_provider_row_t *row);

#endif
