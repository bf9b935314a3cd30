/* SPDX-License-Identifier: Apache-2.0 */
/* Who may sign on at a provider: links, invitations, new people, entities and their own rows of a provider (security
 * 69, 70). */
#include "serve_sso.h"

static void patch_user(const char *id, const char *body)
{
    accepted(patch(text("/v1/users/%s", id), door->key, body), 200, "(%s)", body);
}

static const char *made(const char *credential, const char *email, const char *password)
{
    door_answer_t answer = post("/v1/users", credential,
                                text("{\"username\":\"%s\"%s%s%s}", email, *password ? ",\"password\":\"" : "",
                                     password, *password ? "\"" : ""));
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

static const char *user_row(const char *email)
{
    return rows(text("SELECT status, password_hash IS NULL, verified_at > 0 FROM users WHERE canonical = '%s'", email));
}

static void test_active(void)
{
    person_with("ada@example.org", "ADMIN", "");
    const char *unproved = made(door->key, "given@example.org", PASSWORD);
    long long failed = audited("LOGIN_FAILED");

    turned_away(sign_on("s-nobody", "nobody@example.org", NULL), "somebody who is not known");
    turned_away(sign_on("s-ada", "ada@example.org", "{\"email_verified\":false}"), "an address not verified there");
    turned_away(sign_on("s-ada", "ada@example.org", "{\"email_verified\":null}"), "nor said to be");
    turned_away(sign_on("s-given", "given@example.org", NULL), "an address not proved here # security 70");
    is_int(count("SELECT COUNT(*) FROM provider_links"), 0, "nobody was linked by that");
    is_int(audited("LOGIN_FAILED"), failed + 3,
           "B4: and the trail has it, but for the third, which is a matter of how the provider is set up");
    is_str(rows(text("SELECT DISTINCT target_id FROM audit_records WHERE action = 'LOGIN_FAILED' AND target_id IS NOT "
                     "NULL")),
           unproved, "... with whom, where that is known");

    accepted(sign_on("s-ada", "ADA@EXAMPLE.org", NULL), 200, "both proved: linked, whatever the letters' case");
    accepted(sign_on("s-ada", "else@example.com", "{\"email_verified\":false}"), 200,
             "from then on the subject counts, not the address # security 69");
    turned_away(sign_on("s-ada-2", "ada@example.org", NULL), "another subject with her address # security 69");
    turned_away(sign_on("S-ADA", "ada@example.org", NULL), "a subject in other letters is another one");
    is_int(count("SELECT COUNT(*) FROM provider_links"), 1, "there is one link");

    /* A mailed link proves the address. */
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"given@example.org\"}");
    const char *token = door_mailed_token(door, "given@example.org");
    accepted(
        post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token)),
        200, "an address is proved by a reset");
    accepted(sign_on("s-given", "given@example.org", NULL), 200, "... and then linked");
    change(text("UPDATE users SET username = 'x@example.org', canonical = 'x@example.org', held_name = "
                "'x@example.org', verified_at = 0 WHERE id = '%s'",
                unproved));
    accepted(sign_on("s-given", "given@example.org", NULL), 200, "a link outlives a new name");
}

/* A user's address is changed to somebody else's, who then gets in by a mailed link: whoever linked the user before
 * does not stay. */
static void test_new_owner(void)
{
    const char *id = person_with("before@example.org", "USER", "");

    accepted(sign_on("s-before", "before@example.org", NULL), 200, "linked");
    accepted(patch(text("/v1/users/%s", id), door->key, "{\"username\":\"owner@example.org\"}"), 200,
             "... is given another's address");
    for (int i = 0; i < 2; i++) {
        post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"owner@example.org\"}");
        const char *token = door_mailed_token(door, "owner@example.org");
        accepted(
            post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token)),
            200, "reset %d by its owner", i + 1);
        turned_away(sign_on("s-before", "before@example.org", NULL), "who was there before is out # security 70");
        accepted(sign_on("s-owner", "owner@example.org", NULL), 200, "the owner is linked, and stays so");
    }
}

/* B4: who says that an address is verified, and what is nobody's failed sign-in. */
static void test_vouched(void)
{
    static const char *const silent = "{\"email_verified\":null}";
    apr_array_header_t *domains = apr_array_make(door->pool, 2, sizeof(const char *)),
                       *verified = apr_array_make(door->pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(domains, const char *) = "vouched.example";
    APR_ARRAY_PUSH(domains, const char *) = "listed.example";
    APR_ARRAY_PUSH(verified, const char *) = "vouched.example";
    for (int i = 0; i < 4; i++)
        person_with(text("b4-%d@vouched.example", i), "USER", "");
    person_with("b4@listed.example", "USER", "");
    accepted(sign_on("b4-0", "b4-0@vouched.example", "{\"email_verified\":\"true\"}"), 200, "B4: \"true\" is taken");
    accepted(sign_on("b4-1", "b4-1@vouched.example", "{\"email_verified\":1}"), 200, "B4: and so is 1");
    provider->answers[PROVIDER_ADDRESS].body = "{\"sub\":\"b4-2\",\"email_verified\":true}";
    accepted(sign_on("b4-2", "b4-2@vouched.example", silent), 200, "B4: and what userinfo alone says");
    provider->answers[PROVIDER_ADDRESS].body = "{\"sub\":\"b4-3\"}";

    door->log = "";
    long long failed = audited("LOGIN_FAILED");
    turned_away(sign_on("b4-3", "b4-3@vouched.example", silent), "B4: where nobody says it nobody is let in");
    ok(strstr(door->log, "ID0373") && strstr(door->log, "(verified=)"), "B4: the log says what can be done: %s",
       door->log);
    ok(!strstr(door->log, "ID0361"), "B4: it is no failed sign-in for fail2ban");
    is_int(audited("LOGIN_FAILED"), failed, "B4: nor for the trail");
    door->settings.rates = identity_rates_standard;
    for (int i = 0; i < 12; i++)
        is_int(sign_on("b4-3", "b4-3@vouched.example", silent).status, 403, "B4: nor for the limits, %d", i + 1);
    memset(&door->settings.rates, 0, sizeof door->settings.rates);

    first.domains = domains;
    first.verified = verified;
    accepted(sign_on("b4-3", "b4-3@vouched.example", silent), 200,
             "B4: until the administrator vouches for the domain");
    provider->answers[PROVIDER_ADDRESS].body = "{\"sub\":\"b4\"}";
    turned_away(sign_on("b4", "b4@listed.example", silent), "B4: not for another one, though it is listed");
    turned_away(sign_on("b4-x", "b4-0@vouched.example", "{\"email_verified\":false}"),
                "B4: nor against what the provider says itself");
    first.domains = first.verified = NULL;
    provider->answers[PROVIDER_ADDRESS].body = NULL;
    door->log = NULL;
}

static void test_inactive(void)
{
    const char *id = person_with("left@example.org", "USER", "");

    accepted(sign_on("s-left", "left@example.org", NULL), 200, "while active");
    patch_user(id, "{\"status\":\"INACTIVE\"}");
    turned_away(sign_on("s-left", "left@example.org", NULL), "not any more");
    turned_away(sign_on("s-left-2", "left@example.org", NULL), "nor as somebody else");
    patch_user(id, "{\"status\":\"ACTIVE\"}");
    accepted(sign_on("s-left", "left@example.org", NULL), 200, "and again");
}

/* Invited people: the provider's word takes the place of the mailed link. */
static void test_invited(void)
{
    post(
        "/v1/users/invite", door->key,
        text("{\"username\":\"New@example.org\",\"account_memberships\":[%s]}", member(door->account_id, "ADMIN", "")));
    const char *token = door_mailed_token(door, "New@example.org");

    turned_away(sign_on("s-new", "new@example.org", "{\"email_verified\":false}"), "not with an unproved address");
    is_str(user_row("new@example.org"), "INVITED|1|0", "... still invited");
    door_answer_t answer = sign_on("s-new", "new@example.org", NULL);
    accepted(answer, 200, "the invitation is accepted by signing on");
    is_str(user_row("new@example.org"), "ACTIVE|1|1", "active, proved, without a password # security 70");
    is_str(rows("SELECT state FROM invitations WHERE email = 'New@example.org'"), "accepted", "it is used");
    accepted(get("/v1/users", text("Bearer %s", door_text(&answer, "access_token"))), 200, "what it gave holds");
    refused(post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token)),
            400, "INVALID_FIELD", "token", "its link is dead # security 21");
    refused(post("/v1/oauth/token", NULL, "{\"username\":\"new@example.org\",\"password\":\"" PASSWORD "\"}"), 401,
            "UNAUTHORISED", "", "there is no password to log in by");
    const char *id = rows("SELECT id FROM users WHERE canonical = 'new@example.org'");
    refused(patch(text("/v1/users/%s", id), text("Bearer %s", door_text(&answer, "access_token")),
                  "{\"password\":\"" PASSWORD "\",\"current_password\":\"" PASSWORD "\"}"),
            400, "INVALID_FIELD", "current_password", "nor one to change");
    is_str(rows(text("SELECT action FROM audit_records WHERE user_id = '%s' ORDER BY action", id)),
           "ACTIVATE LINK LOGIN PASSWORD_REFUSED", "the trail tells it");
    patch_user(id, "{\"status\":\"INACTIVE\"}");
    patch_user(id, "{\"status\":\"ACTIVE\"}");
    accepted(sign_on("s-new", "new@example.org", NULL), 200, "who never had a password can be let in again");

    made(door->key, "late@example.org", "");
    pass(8 * 86400);
    fresh();
    turned_away(sign_on("s-late", "late@example.org", NULL), "an invitation that has expired");
    made(door->key, "revoked@example.org", "");
    post("/v1/users/revoke-invite", door->key, "{\"username\":\"revoked@example.org\"}");
    turned_away(sign_on("s-revoked", "revoked@example.org", NULL), "one that was revoked");
    is_str(user_row("late@example.org"), "INVITED|1|0", "nothing came of either");
    is_int(count("SELECT COUNT(*) FROM provider_links WHERE subject IN ('s-late', 's-revoked')"), 0, "no link either");

    /* Security 25, 26: whoever invited must still hold what it gives. */
    person_with("boss@example.org", "ADMIN", "");
    const char *boss = login("boss@example.org");
    post("/v1/users/invite", boss,
         text("{\"username\":\"hired@example.org\",\"account_memberships\":[%s]}",
              member(door->account_id, "ADMIN", "")));
    patch_user(rows("SELECT id FROM users WHERE canonical = 'boss@example.org'"), "{\"status\":\"INACTIVE\"}");
    turned_away(sign_on("s-hired", "hired@example.org", NULL), "one of somebody who has gone # security 26");
    is_str(user_row("hired@example.org"), "INVITED|1|0", "... stays as it was");
}

static void test_domains(void)
{
    apr_array_header_t *domains = apr_array_make(door->pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(domains, const char *) = "example.com";
    person_with("in@example.com", "USER", "");
    person_with("out@example.org", "USER", "");
    accepted(sign_on("s-out", "out@example.org", NULL), 200, "while all domains are open");
    first.domains = domains;
    accepted(sign_on("s-in", "in@example.com", NULL), 200, "a listed domain");
    turned_away(sign_on("s-out", "out@example.org", NULL), "another one, though linked before");
    turned_away(sign_on("s-sub", "x@sub.example.com", NULL), "a domain below");
    first.domains = NULL;
}

static void test_provision(void)
{
    apr_array_header_t *domains = apr_array_make(door->pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(domains, const char *) = "example.net";
    door->settings.sso_provision = true;
    turned_away(sign_on("s-p1", "p1@example.net", NULL), "a provider that lists no domain makes nobody");
    first.domains = domains;
    turned_away(sign_on("s-p1", "p1@example.net", NULL), "nor one of which nobody says for which entity");
    first.entity = "default";
    turned_away(sign_on("s-p1", "p1@example.net", "{\"email_verified\":false}"), "nor of an unproved address");
    turned_away(sign_on("s-p2", "p2@example.org", NULL), "nor of another domain");
    turned_away(sign_on("s-p3", "p3@sub.example.net", NULL), "nor of one below");
    is_int(count("SELECT COUNT(*) FROM users WHERE domain LIKE '%example.net'"), 0, "nobody was made");
    door_answer_t answer = sign_on("s-p1", "P1@Example.net", NULL);
    accepted(answer, 200, "a proved address of a listed domain");
    is_str(rows("SELECT username, entity_id, status, password_hash IS NULL, verified_at > 0 FROM users "
                "WHERE canonical = 'p1@example.net'"),
           text("P1@Example.net|%s|ACTIVE|1|1", door->entity_id), "is a user");
    is_int(
        count("SELECT COUNT(*) FROM memberships m, users u WHERE u.canonical = 'p1@example.net' AND m.user_id = u.id"),
        0, "without memberships");
    refused(get("/v1/users", text("Bearer %s", door_text(&answer, "access_token"))), 403, "USER_NOT_ALLOWED", "",
            "who may do nothing");
    is_str(rows("SELECT action FROM audit_records WHERE user_id = (SELECT id FROM users WHERE canonical = "
                "'p1@example.net') ORDER BY action"),
           "LINK LOGIN PROVISION", "the trail tells it");
    accepted(sign_on("s-p1", "P1@Example.net", NULL), 200, "and comes again");
    is_int(count("SELECT COUNT(*) FROM users WHERE canonical = 'p1@example.net'"), 1, "as the same one");
    turned_away(sign_on("s-p4", "p1@example.net", NULL), "the address alone is not enough # security 69");
    first.entity = "nowhere";
    turned_away(sign_on("s-p5", "p5@example.net", NULL), "an entity that is not there");
    door->settings.sso_provision = false;
    first.entity = "default";
    turned_away(sign_on("s-p6", "p6@example.net", NULL), "and all that only where it is switched on");
    first.domains = NULL;
    first.entity = NULL;
}

/* ---- entities and rows ------------------------------------------------------------------------------------------ */

static const char *row_made(const char *credential, const char *body)
{
    door_answer_t answer = post("/v1/authentication-providers", credential, body);
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

static door_answer_t sign_on_at(const char *name, const char *subject, const char *email)
{
    flow_t flow = begin_at(name, HERE);
    vouch(&flow, subject, email, NULL);
    return finish(&flow);
}

/* Whoever has a sandbox puts names into it as they like: nobody is led there. */
static void test_sandbox(void)
{
    apr_array_header_t *domains = apr_array_make(door->pool, 1, sizeof(const char *));
    const char *own = row_made(door->other_key,
                               text("{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"%s\",\"client_id\":"
                                    "\"" CLIENT "\"}}",
                                    provider->issuer));

    APR_ARRAY_PUSH(domains, const char *) = "trap.example";
    made(door->other_key, "bob@trap.example", "");
    change(text("UPDATE entities SET expires_at = %" APR_INT64_T_FMT " WHERE reference = 'other'",
                (apr_int64_t)(door->now + apr_time_from_sec(3600))));
    turned_away(sign_on("s-bob", "bob@trap.example", NULL),
                "an invitation into a sandbox is not accepted by signing on");
    is_int(count("SELECT COUNT(*) FROM users WHERE canonical = 'bob@trap.example' AND status = 'INVITED'"), 1,
           "... and stays as it was");
    refused(authorize(own, HERE), 400, "INVALID_FIELD", "provider", "a sandbox has no sign-on of its own");
    door->settings.sso_provision = true;
    first.domains = domains;
    first.entity = "default";
    accepted(sign_on("s-bob", "bob@trap.example", NULL), 200, "who is provided for");
    is_str(rows("SELECT entity_id, status FROM users WHERE held_name = 'bob@trap.example'"),
           text("%s|ACTIVE", door->entity_id), "... is where the site says, and the sandbox gives way");
    door->settings.sso_provision = false;
    first.domains = NULL;
    first.entity = NULL;
    change("UPDATE entities SET expires_at = 0 WHERE reference = 'other'");
    change(text("DELETE FROM providers WHERE id = '%s'", own));
}

static const char *in_entities(const char *email)
{
    return rows(text("SELECT e.reference, u.status FROM users u JOIN entities e ON e.id = u.entity_id "
                     "WHERE u.canonical = '%s' ORDER BY e.reference",
                     email));
}

/* A8: of several invitations that of an entity which the provider is set up for, and none by chance. */
static void test_invited_twice(void)
{
    for (int i = 0; i < 3; i++) {
        made(door->other_key, text("a8-%d@example.org", i), "");
        made(door->key, text("a8-%d@example.org", i), "");
    }
    door->settings.sso_provision = true;
    long long failed = audited("LOGIN_FAILED");
    turned_away(sign_on("a8-0", "a8-0@example.org", NULL), "A8: invited by two, at a provider that is for both");
    is_str(in_entities("a8-0@example.org"), "default|INVITED other|INVITED", "A8: ... leads to neither");
    is_int(audited("LOGIN_FAILED"), failed, "B4: ... which is nobody's failed sign-in");
    first.entity = "default";
    accepted(sign_on("a8-0", "a8-0@example.org", NULL), 200, "A8: a provider for one entity accepts its invitation");
    is_str(in_entities("a8-0@example.org"), "default|ACTIVE other|INVITED",
           "A8: ... and not the one of another, though that came first");
    first.entity = "other";
    accepted(sign_on("a8-1", "a8-1@example.org", NULL), 200, "A8: and the other way round");
    is_str(in_entities("a8-1@example.org"), "default|INVITED other|ACTIVE", "A8: ... by the other one");
    first.entity = NULL;
    const char *own = row_made(door->key, text("{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"%s\","
                                               "\"client_id\":\"" CLIENT "\"}}",
                                               provider->issuer));
    accepted(sign_on("a8-2", "a8-2@example.org", NULL), 200, "A8: an entity's own row is such a set-up, too");
    is_str(in_entities("a8-2@example.org"), "default|ACTIVE other|INVITED", "A8: ... of that entity");
    door->settings.sso_provision = false;
    change(text("DELETE FROM providers WHERE id = '%s'", own));
}

static void test_entities(void)
{
    /* Somebody of the other entity, with a proved address. */
    made(door->other_key, "far@example.org", "");
    accept_mailed("far@example.org");
    first.entity = door->entity_id;
    turned_away(sign_on("s-far", "far@example.org", NULL), "a provider for one entity is closed to others");
    first.entity = "other";
    accepted(sign_on("s-far", "far@example.org", NULL), 200, "... and open to its own");
    first.entity = door->entity_id;
    turned_away(sign_on("s-far", "far@example.org", NULL), "a link does not lead past that");
    first.entity = NULL;
    accepted(sign_on("s-far", "far@example.org", NULL), 200, "one for all is open to all");
}

static void test_rows(void)
{
    const char *body = text("{\"type\":\"SSO\",\"name\":\"Ours\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"%s\","
                            "\"client_id\":\"" CLIENT "\",\"allowed_domains\":[\"example.com\"]}}",
                            provider->issuer);
    const char *row = row_made(door->key, body);

    person_with("eve@example.org", "USER", "");
    person_with("eve@example.com", "USER", "");
    accepted(sign_on_at(row, "s-eve-com", "eve@example.com"), 200, "by the entity's own row");
    turned_away(sign_on_at(row, "s-eve-org", "eve@example.org"), "but not of another domain");
    turned_away(sign_on_at("work", "s-eve-org", "eve@example.org"), "which the configured one does not lead past");
    accepted(sign_on_at("work", "s-eve-com", "eve@example.com"), 200, "(though it leads there)");
    apr_array_header_t *domains = apr_array_make(door->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(domains, const char *) = "example.net";
    first.domains = domains;
    turned_away(sign_on_at(row, "s-eve-com", "eve@example.com"), "a row does not widen what the configuration allows");
    first.domains = NULL;
    turned_away(sign_on_at(row, "s-far", "far@example.org"), "a row is closed to another entity # security 60");
    accepted(sign_on_at("work", "s-far", "far@example.org"), 200, "... where it changes nothing");

    flow_t flow = begin_at(row, HERE);
    vouch(&flow, "s-eve-com", "eve@example.com", NULL);
    accepted(patch(text("/v1/authentication-providers/%s", row), door->key, "{\"status\":\"DISABLED\"}"), 200,
             "the row is switched off");
    dead(finish(&flow), "a sign-on that was under way does not end");
    refused(authorize(row, HERE), 400, "INVALID_FIELD", "provider", "and none begins");
    turned_away(sign_on_at("work", "s-eve-com", "eve@example.com"), "nor by the configured one");
    patch(text("/v1/authentication-providers/%s", row), door->key, "{\"status\":\"ENABLED\"}");

    const char *strange =
        row_made(door->key, "{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"https://evil.example.org\","
                            "\"client_id\":\"" CLIENT "\"}}");
    refused(authorize(strange, HERE), 400, "INVALID_FIELD", "provider",
            "an issuer without a secret in the configuration is not called # security 72");
    strange = row_made(door->key, text("{\"type\":\"SSO\",\"sso\":{\"variant\":\"OIDC\",\"issuer\":\"%s\","
                                       "\"client_id\":\"client-2\"}}",
                                       provider->issuer));
    refused(authorize(strange, HERE), 400, "INVALID_FIELD", "provider", "nor for another client");
    const char *okta = row_made(door->other_key,
                                "{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":\"work\"}}}");
    accepted(sign_on_at(okta, "s-far", "far@example.org"), 200, "a connection is the name of a configured one");
    okta = row_made(door->other_key,
                    "{\"type\":\"SSO\",\"sso\":{\"variant\":\"OKTA\",\"okta\":{\"connection\":\"works\"}}}");
    refused(authorize(okta, HERE), 400, "INVALID_FIELD", "provider", "of which there must be one");
    okta = row_made(door->other_key, "{\"type\":\"DEFAULT\"}");
    refused(authorize(okta, HERE), 400, "INVALID_FIELD", "provider", "nobody signs on at a password");
}

/* As they are shown. */
static void test_listed(void)
{
    door_answer_t answer = get("/v1/authentication-providers?limit=1", door->key);

    is_int(size_at(&answer, "data"), 2, "what stands in a row's place is not shown beside it, another one is");
    is_str(json_at(&answer, "data.0"),
           text("{\"id\":\"%s\",\"entity_id\":null,\"type\":\"SSO\",\"name\":\"else\",\"status\":\"ENABLED\",\"sso\":"
                "{\"variant\":\"OIDC\",\"allowed_domains\":[],\"issuer\":\"%s\","
                "\"client_id\":\"" CLIENT "\"}}",
                second.id, other->issuer),
           "in front of the first page, as one of no entity");
    ok(!strstr(answer.text, "s3cret"), "without its secret");
    answer = get(door_text(&answer, "links.next"), door->key);
    is_int(size_at(&answer, "data"), 1, "and on no other page");
    answer = get(text("/v1/authentication-providers/%s", second.id), door->key);
    is_str(door_text(&answer, "name"), "else", "alone, too");
    refused(get(text("/v1/authentication-providers/%s", first.id), door->key), 404, "RESOURCE_NOT_FOUND", "",
            "but not where a row stands in its place");
    refused(patch(text("/v1/authentication-providers/%s", second.id), door->key, "{\"status\":\"DISABLED\"}"), 409,
            "INVALID_OPERATION", "", "it cannot be changed over the API");
    refused(patch(text("/v1/authentication-providers/%s", second.id), door->read_key, "{\"status\":\"DISABLED\"}"), 403,
            "USER_NOT_ALLOWED", "", "least of all by who may not");

    first.entity = "default";
    answer = get("/v1/authentication-providers", door->other_key);
    ok(!strstr(answer.text, "\"name\":\"work\""), "one for another entity is not shown");
    first.entity = NULL;

    apr_array_header_t *domains = apr_array_make(door->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(domains, const char *) = "example.com";
    APR_ARRAY_PUSH(domains, const char *) = "example.org";
    second.domains = domains;
    made(door->key, "guest@example.org", "");
    const char *token = door_mailed_token(door, "guest@example.org");
    answer = post("/v1/authentication-providers/enabled", NULL,
                  text("{\"token\":\"%s\",\"email\":\"guest@example.org\"}", token));
    ok(strstr(answer.text, "\"name\":\"else\"") && strstr(answer.text, "\"allowed_domains\":[\"example.org\"]"),
       "an invited person is told of those that are open: %s", answer.text);
    ok(!strstr(answer.text, "example.com") && !strstr(answer.text, "Ours"), "and of no other, nor of other domains");
    second.domains = NULL;
}

/* What fails counts as a failed login of the address (security 12, 80). */
static void test_limit(void)
{
    door->settings.rates = identity_rates_standard;
    for (int i = 0; i < 10; i++) {
        flow_t flow = begin();
        vouch(&flow, "s-eve-com", "eve@example.com", i % 2 ? "{\"nonce\":\"x\"}" : "{\"sub\":\"s-unknown\"}");
        door_answer_t answer = finish(&flow);
        is_int(answer.status, i % 2 ? 401 : 403, "failure %d", i + 1);
    }
    flow_t flow = begin();
    vouch(&flow, "s-eve-com", "eve@example.com", NULL);
    int asked = provider->asked[PROVIDER_TOKEN];
    refused(finish(&flow), 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "and no more # security 80");
    is_int(provider->asked[PROVIDER_TOKEN], asked, "the provider is not asked then");
    pass(61);
    flow = begin();
    vouch(&flow, "s-eve-com", "eve@example.com", NULL);
    accepted(finish(&flow), 200, "later it goes on");
    memset(&door->settings.rates, 0, sizeof door->settings.rates);
}

/* No connection is held while the provider is asked: one thread's only connection is back before. */
static void test_faults(void)
{
    flow_t flow = begin();
    vouch(&flow, "s-eve-com", "eve@example.com", NULL);
    door->refuse_borrow = true;
    refused(finish(&flow), 503, "INTERNAL_ERROR", "", "no connection is to be had # security 86");
    door->refuse_borrow = false;
    accepted(finish(&flow), 200, "... and nothing was used up by that");
    const char *before = rows("SELECT COUNT(*) FROM provider_links");
    for (int after = 1; after < 40; after++) {
        flow = begin();
        vouch(&flow, "s-eve-com", "eve@example.com", NULL);
        door->fail_after = after;
        door_answer_t answer = finish(&flow);
        bool spent = door->fail_after <= 0;
        door->fail_after = 0;
        if (!spent) {
            accepted(answer, 200, "with %d statements a sign-on ends", after - 1);
            break;
        }
        refused(answer, 503, "INTERNAL_ERROR", "", "a fault of statement %d # security 86", after);
    }
    is_str(rows("SELECT COUNT(*) FROM provider_links"), before, "no link was left half made");
}

int main(void)
{
    sso_begin();
    test_active();
    test_new_owner();
    test_vouched();
    test_inactive();
    test_invited();
    test_domains();
    test_provision();
    test_invited_twice();
    test_entities();
    test_sandbox();
    test_rows();
    test_listed();
    test_limit();
    test_faults();
    is_int(provider->most_held + other->most_held, 0, "no connection and no gate was held while a provider was asked");
    return serve_end();
}
