/* What the files about users share. */
#ifndef IDENTITY_USERS_INT_H
#define IDENTITY_USERS_INT_H

#include "service_int.h"

typedef struct identity_user_view {
    const char *id;
    identity_user_row_t *user;
    identity_holdings_t *holdings;
} identity_user_view_t;

/* Canonical form of a username in the body, NULL where absent. */
const char *identity_canonical_field(identity_call_t *call, const char *name);
/* The user of that id within the caller's sight: 404 otherwise. Reads. */
bool identity_user_found(identity_call_t *call, const char *id, identity_user_row_t **user);
/* identity_work_t on an identity_user_view_t: the user of view->id and all it holds. */
bool identity_user_load(identity_call_t *call, void *view);

#endif
