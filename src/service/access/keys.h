/* What the files about API keys share. */
#ifndef IDENTITY_KEYS_INT_H
#define IDENTITY_KEYS_INT_H

#include "access/access.h"

/* A key acts in every account of its entity. */
typedef struct identity_key_accounts {
    apr_array_header_t *rows; /* of the entity */
    identity_roles_t *roles;  /* Read Only, for keys that only read */
    apr_array_header_t *read_only;
} identity_key_accounts_t;
bool identity_key_accounts_load(identity_call_t *call, identity_key_accounts_t *accounts);
json_t *identity_key_accounts_json(identity_call_t *call, const identity_key_accounts_t *accounts,
                                   identity_key_role_t role);
/* text: the key in clear or its mask; permissions: array of strings, or NULL; takes both references. */
json_t *identity_key_json(const identity_key_row_t *key, const char *text, json_t *permissions, json_t *accounts);

typedef struct identity_key_view {
    const char *id;
    identity_key_row_t *row;
    apr_array_header_t *names; /* of the permissions that narrow it; empty where it is not narrowed */
    identity_key_accounts_t accounts;
} identity_key_view_t;
/* identity_work_t on an identity_key_view_t: the entity's key of view->id, 404 otherwise. */
bool identity_key_load(identity_call_t *call, void *view);
json_t *identity_key_view_json(identity_call_t *call, const identity_key_view_t *view, const char *text);

/* Beside rows of keys: key id -> json array of what narrows it, nothing where it is not narrowed. Reads. */
bool identity_keys_permissions(identity_call_t *call, const apr_array_header_t *keys, apr_hash_t **permissions);
json_t *identity_key_names_json(const apr_array_header_t *names);

/* Does the caller hold in every account all that the key does, and the permission of the call? Reads. */
bool identity_key_covered(identity_call_t *call, const identity_key_row_t *key, const apr_array_header_t *names,
                          bool *covers);

#endif
