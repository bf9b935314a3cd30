/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files about API keys. */
#ifndef IDENTITY_KEYS_INT_H
#define IDENTITY_KEYS_INT_H

#include "access/access.h"

/* A key acts in every account of its entity. */
typedef struct identity_key_accounts {
    apr_array_header_t *rows; /* accounts of the entity */
    identity_roles_t *roles;  /* Read Only, for read-only keys */
    apr_array_header_t *read_only;
} identity_key_accounts_t;
bool identity_key_accounts_load(identity_call_t *call, identity_key_accounts_t *accounts);
json_t *identity_key_accounts_json(identity_call_t *call, const identity_key_accounts_t *accounts,
                                   identity_key_role_t role);
/* text: the key in clear or masked; permissions: array of strings, or NULL. Takes both references. */
json_t *identity_key_json(const identity_key_row_t *key, const char *text, json_t *permissions,
                          json_t *accounts);

typedef struct identity_key_view {
    const char *id;
    identity_key_row_t *row;
    apr_array_header_t *names; /* permissions that narrow it; empty if it is not narrowed */
    identity_key_accounts_t accounts;
} identity_key_view_t;
/* identity_work_t on an identity_key_view_t: loads the entity's key view->id, 404 otherwise. */
bool identity_key_load(identity_call_t *call, void *view);
json_t *identity_key_view_json(identity_call_t *call, const identity_key_view_t *view,
                               const char *text);

/* For several keys: key id -> JSON array of the permissions that narrow it, absent if it is not narrowed. Reads. */
bool identity_keys_permissions(identity_call_t *call, const apr_array_header_t *keys,
                               apr_hash_t **permissions);
json_t *identity_key_names_json(const apr_array_header_t *names);

/* Does the caller hold all of the key's permissions, and the call's permission, in every account? Reads. */
bool identity_key_covered(identity_call_t *call, const identity_key_row_t *key,
                          const apr_array_header_t *names, bool *covers);

#endif
