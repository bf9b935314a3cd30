/* SPDX-License-Identifier: Apache-2.0 */
#include "bodies.h"
#include "routes.h"

#define END                                                                                        \
    {                                                                                              \
        NULL, IDENTITY_FIELD_STRING, 0, 0, 0, NULL, NULL, NULL, NULL                               \
    }
#define STRING(name, flags, max)                                                                   \
    {                                                                                              \
        name, IDENTITY_FIELD_STRING, flags, 0, max, NULL, NULL, NULL, NULL                         \
    }
#define RULED(name, flags, max, valid, rule)                                                       \
    {                                                                                              \
        name, IDENTITY_FIELD_STRING, flags, 0, max, NULL, NULL, valid, rule                        \
    }
#define BOOLEAN(name)                                                                              \
    {                                                                                              \
        name, IDENTITY_FIELD_BOOLEAN, 0, 0, 0, NULL, NULL, NULL, NULL                              \
    }
#define ENUM(name, flags, values)                                                                  \
    {                                                                                              \
        name, IDENTITY_FIELD_ENUM, flags, 0, 0, values, NULL, NULL, NULL                           \
    }
#define TIME(name)                                                                                 \
    {                                                                                              \
        name, IDENTITY_FIELD_TIME, 0, 0, 0, NULL, NULL, NULL, NULL                                 \
    }
#define NULLABLE_TIME(name)                                                                        \
    {                                                                                              \
        name, IDENTITY_FIELD_TIME, IDENTITY_FIELD_NULLABLE, 0, 0, NULL, NULL, NULL, NULL           \
    }
#define LIST(name, max, items)                                                                     \
    {                                                                                              \
        name, IDENTITY_FIELD_LIST, 0, 0, max, NULL, items, NULL, NULL                              \
    }
#define OBJECT(name, flags, items)                                                                 \
    {                                                                                              \
        name, IDENTITY_FIELD_OBJECT, flags, 0, 0, NULL, items, NULL, NULL                          \
    }
#define NAMES(name, flags, max, valid, rule)                                                       \
    {                                                                                              \
        name, IDENTITY_FIELD_LIST, flags, 0, max, NULL, NULL, valid, rule                          \
    }
#define PRINTABLE             "text without control characters"
/* The length rules for passwords report the field themselves; here the body's cap bounds it. */
#define PASSWORD(name, flags) STRING(name, (flags) | IDENTITY_FIELD_SECRET, 65536)
#define LOGIN                 RULED("login", IDENTITY_FIELD_NULLABLE, 64, identity_login_valid, IDENTITY_LOGIN_RULE)
#define USERNAME(flags)                                                                            \
    RULED("username", flags, 1024, identity_username_valid, IDENTITY_USERNAME_RULE)

/* Empty if there is none, as in answers about roles. */
static bool description_valid(const char *text)
{
    return !*text || identity_text_valid(text);
}

static const char *const user_statuses[] = {"INVITED", "INVITE_REVOKED", "ACTIVE", "INACTIVE",
                                            NULL};
static const char *const member_types[] = {"ADMIN", "USER", "PARTNER", NULL};
static const char *const user_types[] = {"MORTAL", "API", NULL};
static const char *const key_statuses[] = {"ACTIVE", "INACTIVE", NULL};
static const char *const key_roles[] = {"ADMINISTRATOR", "READ_ONLY", NULL};

const identity_field_t token_body[] = {STRING("username", 0, 1024), PASSWORD("password", 0),
                                       STRING("token_alias", IDENTITY_FIELD_SECRET, 256), END};
/* RFC 6749; RFC 7662 and 7009. client_id and client_secret: a key, unless it comes in a header. */
const identity_field_t token_form[] = {STRING("grant_type", IDENTITY_FIELD_REQUIRED, 256),
                                       STRING("username", 0, 1024),
                                       PASSWORD("password", 0),
                                       STRING("refresh_token", IDENTITY_FIELD_SECRET, 256),
                                       STRING("client_id", 0, 256),
                                       STRING("client_secret", IDENTITY_FIELD_SECRET, 256),
                                       STRING("scope", 0, 1024),
                                       END};
const identity_field_t token_question_form[] = {
    STRING("token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 8192),
    STRING("token_type_hint", 0, 256), STRING("client_id", 0, 256),
    STRING("client_secret", IDENTITY_FIELD_SECRET, 256), END};
const identity_field_t sign_in_form[] = {STRING("username", IDENTITY_FIELD_REQUIRED, 1024),
                                         PASSWORD("password", IDENTITY_FIELD_REQUIRED), END};
const identity_field_t request_reset_body[] = {STRING("email", IDENTITY_FIELD_REQUIRED, 1024), END};
const identity_field_t reset_body[] = {
    STRING("token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 256),
    PASSWORD("new_password", IDENTITY_FIELD_REQUIRED), END};
const identity_field_t activate_body[] = {
    STRING("token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 256),
    PASSWORD("new_password", 0), END};
const identity_field_t confirm_address_body[] = {
    STRING("token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 256), END};
const identity_field_t describe_link_body[] = {
    STRING("token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 256), END};

const identity_field_t user_create_body[] = {USERNAME(IDENTITY_FIELD_REQUIRED),
                                             PASSWORD("password", 0),
                                             ENUM("status", 0, user_statuses),
                                             BOOLEAN("active"),
                                             LOGIN,
                                             END};
/* The present name may be sent back in any form; PATCH itself validates a new one. */
const identity_field_t user_update_body[] = {STRING("username", 0, 1024),
                                             PASSWORD("password", 0),
                                             PASSWORD("current_password", 0),
                                             ENUM("status", 0, user_statuses),
                                             BOOLEAN("active"),
                                             LOGIN,
                                             END};

static const char *const link_kinds[] = {"activate", "reset", NULL};
const identity_field_t user_link_body[] = {ENUM("kind", IDENTITY_FIELD_REQUIRED, link_kinds), END};

static const identity_field_t role_reference[] = {STRING("id", 0, 64), STRING("name", 0, 256), END};
const identity_field_t identity_membership_fields[] = {
    STRING("account_id", IDENTITY_FIELD_REQUIRED, 64),
    ENUM("type", IDENTITY_FIELD_REQUIRED, member_types), LIST("role_ids", 200, NULL),
    LIST("roles", 200, role_reference), END};
const identity_field_t membership_update_body[] = {
    STRING("account_id", 0, 64), ENUM("type", 0, member_types), LIST("role_ids", 200, NULL),
    LIST("roles", 200, role_reference), END};
const identity_field_t identity_team_member_fields[] = {
    STRING("team_id", IDENTITY_FIELD_REQUIRED, 64), TIME("start_at"), TIME("end_at"), END};

const identity_field_t invite_body[] = {
    USERNAME(IDENTITY_FIELD_REQUIRED), STRING("entity_id", 0, 64),
    LIST("account_memberships", 100, identity_membership_fields),
    LIST("team_memberships", 100, identity_team_member_fields), END};
const identity_field_t revoke_invite_body[] = {STRING("username", IDENTITY_FIELD_REQUIRED, 1024),
                                               END};

static const char *const invitation_states[] = {"invited", "revoked", NULL};
const identity_field_t invitation_create_body[] = {
    RULED("email", IDENTITY_FIELD_REQUIRED, 1024, identity_username_valid, IDENTITY_USERNAME_RULE),
    RULED("roleID", IDENTITY_FIELD_REQUIRED, 64, identity_slug_valid, "the slug of a role"), END};
const identity_field_t invitation_update_body[] = {ENUM("state", 0, invitation_states), END};

const identity_field_t team_create_body[] = {RULED("name", IDENTITY_FIELD_REQUIRED, 256,
                                                   identity_text_valid,
                                                   "text without control characters"),
                                             STRING("entity_id", 0, 64), END};
const identity_field_t team_update_body[] = {
    RULED("name", 0, 256, identity_text_valid, "text without control characters"), END};
const identity_field_t team_member_update_body[] = {TIME("start_at"), NULLABLE_TIME("end_at"), END};
const identity_field_t role_create_body[] = {
    RULED("name", IDENTITY_FIELD_REQUIRED, 256, identity_text_valid,
          "text without control characters"),
    RULED("description", 0, 1024, description_valid, "text without control characters"),
    LIST("child_role_ids", 200, NULL),
    RULED("slug", 0, 64, identity_slug_valid,
          "of lower-case letters, digits and hyphens, at most 64"),
    LIST("permissions", 500, NULL),
    END};
const identity_field_t role_update_body[] = {
    RULED("name", 0, 256, identity_text_valid, "text without control characters"),
    RULED("description", IDENTITY_FIELD_NULLABLE, 1024, description_valid,
          "text without control characters"),
    LIST("child_role_ids", 200, NULL),
    RULED("slug", 0, 64, identity_slug_valid,
          "of lower-case letters, digits and hyphens, at most 64"),
    LIST("permissions", 500, NULL),
    END};
const identity_field_t key_create_body[] = {
    ENUM("status", 0, key_statuses),
    RULED("description", 0, 1024, identity_text_valid, "text without control characters"),
    ENUM("role_type", 0, key_roles),
    BOOLEAN("active"),
    TIME("expires_at"),
    LIST("permissions", 500, NULL),
    END};
const identity_field_t key_update_body[] = {ENUM("status", 0, key_statuses),
                                            RULED("description", IDENTITY_FIELD_NULLABLE, 1024,
                                                  identity_text_valid,
                                                  "text without control characters"),
                                            ENUM("role_type", 0, key_roles),
                                            BOOLEAN("active"),
                                            NULLABLE_TIME("expires_at"),
                                            LIST("permissions", 500, NULL),
                                            END};
const identity_field_t personal_key_body[] = {
    RULED("description", 0, 1024, identity_text_valid, "text without control characters"),
    TIME("expires_at"), LIST("permissions", 500, NULL), PASSWORD("current_password", 0), END};
const identity_field_t key_search_body[] = {
    STRING("resource_id", 0, 1024), STRING("username", 0, 1024), ENUM("user_type", 0, user_types),
    BOOLEAN("include_inactive"), END};

/* demo-token, sandbox-token; the longest captcha tokens have two thousand bytes. */
const identity_field_t guest_body[] = {
    RULED("email", IDENTITY_FIELD_REQUIRED, 1024, identity_username_valid, IDENTITY_USERNAME_RULE),
    STRING("captcha_token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 8192), END};

#define BETWEEN(name, flags, min, max)                                                             \
    {                                                                                              \
        name, IDENTITY_FIELD_STRING, flags, min, max, NULL, NULL, NULL, NULL                       \
    }
const identity_field_t callback_body[] = {
    BETWEEN("code", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 1, 256),
    BETWEEN("redirect_uri", IDENTITY_FIELD_REQUIRED, 1, 256),
    BETWEEN("state", IDENTITY_FIELD_REQUIRED, 1, 256), BETWEEN("iss", 0, 1, 512), END};

/* The service checks which settings go together (provider.c). */
static const char *const provider_types[] = {"DEFAULT", "SSO", NULL};
static const char *const provider_statuses[] = {"ENABLED", "DISABLED", NULL};
static const char *const provider_variants[] = {"GOOGLE", "OKTA", "MICROSOFT", "OIDC", NULL};
static const identity_field_t connection_fields[] = {
    RULED("connection", IDENTITY_FIELD_NULLABLE, 256, identity_text_valid, PRINTABLE), END};
static const identity_field_t sso_fields[] = {
    ENUM("variant", 0, provider_variants),
    NAMES("allowed_domains", IDENTITY_FIELD_NULLABLE, 100, identity_domain_valid,
          "a domain such as example.org"),
    OBJECT("okta", IDENTITY_FIELD_NULLABLE, connection_fields),
    OBJECT("microsoft", IDENTITY_FIELD_NULLABLE, connection_fields),
    STRING("issuer", IDENTITY_FIELD_NULLABLE, 512),
    RULED("client_id", IDENTITY_FIELD_NULLABLE, 256, identity_text_valid, PRINTABLE),
    END};
#define PROVIDER_FIELDS(required)                                                                  \
    ENUM("type", required, provider_types),                                                        \
        RULED("name", IDENTITY_FIELD_NULLABLE, 256, identity_text_valid, PRINTABLE),               \
        ENUM("status", 0, provider_statuses), OBJECT("sso", IDENTITY_FIELD_NULLABLE, sso_fields),  \
        END
const identity_field_t provider_create_body[] = {PROVIDER_FIELDS(IDENTITY_FIELD_REQUIRED)};
const identity_field_t provider_update_body[] = {PROVIDER_FIELDS(0)};

/* Which settings go together: oidc/client_rules.c. */
static const char *const client_types[] = {"CONFIDENTIAL", "PUBLIC", NULL};
static const char *const client_algorithms[] = {"RS256", "ES256", NULL};
static const identity_field_t client_require_fields[] = {
    RULED("permission", IDENTITY_FIELD_NULLABLE, 64, identity_permission_valid,
          "the name of a permission"),
    STRING("role", IDENTITY_FIELD_NULLABLE, 64), STRING("team", IDENTITY_FIELD_NULLABLE, 64), END};
#define CLIENT_FIELDS(required)                                                                    \
    RULED("name", required, 256, identity_text_valid, PRINTABLE),                                  \
        ENUM("status", 0, provider_statuses), LIST("redirect_uris", 20, NULL),                     \
        LIST("grant_types", 10, NULL), LIST("scopes", 10, NULL),                                   \
        OBJECT("require", IDENTITY_FIELD_NULLABLE, client_require_fields),                         \
        ENUM("id_token_signed_response_alg", 0, client_algorithms), BOOLEAN("claims_in_id_token"), \
        BOOLEAN("require_pkce"), END
const identity_field_t client_create_body[] = {ENUM("type", 0, client_types),
                                               CLIENT_FIELDS(IDENTITY_FIELD_REQUIRED)};
const identity_field_t client_update_body[] = {CLIENT_FIELDS(0)};
/* OpenID Connect Core 1.0, 3.1.2.1, which is judged by its handler; RFC 6749, 4.1.3 and 6; RFC 6750, 2.2. */
const identity_field_t client_authorize_form[] = {STRING("client_id", 0, 256),
                                                  STRING("redirect_uri", 0, 1024), END};
const identity_field_t client_token_form[] = {STRING("grant_type", IDENTITY_FIELD_REQUIRED, 256),
                                              STRING("code", IDENTITY_FIELD_SECRET, 256),
                                              STRING("redirect_uri", 0, 1024),
                                              STRING("code_verifier", IDENTITY_FIELD_SECRET, 256),
                                              STRING("refresh_token", IDENTITY_FIELD_SECRET, 256),
                                              STRING("client_id", 0, 256),
                                              STRING("client_secret", IDENTITY_FIELD_SECRET, 256),
                                              STRING("scope", 0, 1024),
                                              END};
const identity_field_t client_userinfo_form[] = {
    STRING("access_token", IDENTITY_FIELD_SECRET, 8192), END};
const identity_field_t client_rotate_body[] = {TIME("previous_expires_at"), END};
const identity_field_t enabled_providers_body[] = {
    STRING("token", IDENTITY_FIELD_REQUIRED | IDENTITY_FIELD_SECRET, 256),
    STRING("email", IDENTITY_FIELD_REQUIRED, 1024), END};
