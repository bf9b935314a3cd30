/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files about authentication providers. */
#ifndef IDENTITY_PROVIDERS_INT_H
#define IDENTITY_PROVIDERS_INT_H

#include "users/users.h"

/* A new reference. domain: that of the person it is shown to, who sees no other allowed domain; or NULL. */
json_t *identity_provider_json(identity_call_t *call, const identity_provider_row_t *row,
                               const char *domain);
/* Fills everything except id, entity_id, created_at, version from a validated object with type, name, status, sso:
 * 400 naming the inconsistent field. */
bool identity_provider_read(identity_call_t *call, const json_t *whole,
                            identity_provider_row_t *row);
/* Applies the body to a provider: absent keeps, null clears. */
bool identity_provider_merge(identity_call_t *call, const identity_provider_row_t *present,
                             identity_provider_row_t *row);

#endif
