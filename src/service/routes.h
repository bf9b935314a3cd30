/* SPDX-License-Identifier: Apache-2.0 */
/* The route table (routes.def) and its look-up. */
#ifndef IDENTITY_SERVICE_ROUTES_H
#define IDENTITY_SERVICE_ROUTES_H

#include "call/call.h"

extern const identity_route_t identity_routes[];
extern const int identity_route_count;
/* Names of the query parameters that it accepts, separated by blanks; NULL if it ignores unknown ones (queries.def). */
const char *identity_route_query(const identity_route_t *route);

extern const identity_field_t identity_membership_fields[], identity_team_member_fields[];

/* May a personal key call it (personal_key.def)? */
bool identity_route_of_personal_key(const identity_route_t *route);

#endif
