/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the OpenID provider: applications that people sign in to. */
#ifndef IDENTITY_SERVICE_CLIENTS_H
#define IDENTITY_SERVICE_CLIENTS_H

#include "users/users.h"

/* A new reference. secret: shown where it is not NULL, which is once. */
json_t *identity_client_json(const identity_client_row_t *row, const char *secret);
/* Fills name, type, status and settings of the row from an object in the form of identity_client_json, of which absent
 * members have their defaults: 400 naming the field that is wrong. Reads. */
bool identity_client_read(identity_call_t *call, const json_t *whole, identity_client_row_t *row);
/* The same after the body is applied to the present row: absent keeps, null clears `require`. Reads. */
bool identity_client_merge(identity_call_t *call, const identity_client_row_t *present,
                           identity_client_row_t *row);

#endif
