/* SPDX-License-Identifier: Apache-2.0 */
/* The request bodies in routes.def (src/service/bodies.c), validated before a handler runs. */
#ifndef IDENTITY_BODIES_H
#define IDENTITY_BODIES_H

#include "identity/core.h"

extern const identity_field_t token_form[], token_question_form[], sign_in_form[];
extern const identity_field_t token_body[], request_reset_body[], reset_body[], activate_body[],
    describe_link_body[];
extern const identity_field_t confirm_address_body[];
extern const identity_field_t user_create_body[], user_update_body[], user_link_body[],
    invite_body[], revoke_invite_body[];
extern const identity_field_t invitation_create_body[], invitation_update_body[];
extern const identity_field_t membership_update_body[], team_create_body[], team_update_body[],
    team_member_update_body[];
extern const identity_field_t role_create_body[], role_update_body[], key_create_body[],
    key_update_body[], key_search_body[], personal_key_body[];
extern const identity_field_t guest_body[];
extern const identity_field_t callback_body[], provider_create_body[], provider_update_body[],
    enabled_providers_body[];
extern const identity_field_t client_authorize_form[], client_token_form[], client_userinfo_form[];
extern const identity_field_t client_create_body[], client_update_body[], client_rotate_body[];

#endif
