/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/invitations as conf/interface.md has it: forms, statuses, filters, pages, who may what, both views. route
 * list_invitations create_invitation get_invitation update_invitation */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

#define MEMBERS "id,email,roleID,state,created,lastModified,expiry,lastSent,urn"

/* Another entity has a user of the name, who has proved the address. */
static void taken_elsewhere(void)
{
    if (count("SELECT COUNT(*) FROM users WHERE canonical = 'taken@example.org'") == 0) {
        post("/v1/users/invite", door->other_key, "{\"username\":\"taken@example.org\"}");
        accept_mailed("taken@example.org");
    }
}

static const char *mallory, *helper, *partner;

static door_answer_t create(const char *credential, const char *email, const char *role)
{
    door->platform_id = door->account_id;
    door_answer_t answer =
        post("/v1/invitations", credential, text("{\"email\":\"%s\",\"roleID\":\"%s\"}", email, role));
    door->platform_id = NULL;
    return answer;
}

static const char *made(const char *email, const char *role)
{
    door_answer_t answer = create(door->key, email, role);
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(text("%s: %s", email, answer.text)), NULL);
}

static const char *path_of(const char *id)
{
    return text("/v1/invitations/%s", id);
}

static const char *of_address(const char *email)
{
    return rows(text("SELECT id FROM invitations WHERE email = '%s' ORDER BY created_at DESC LIMIT 1", email));
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

static void test_create(void)
{
    door_answer_t answer = create(door->key, "Ada@Example.org", "quote-viewer");

    accepted(answer, 201, "an invitation");
    is_str(members_at(&answer, ""), MEMBERS ",delivery", "... has these members in this order");
    const char *id = door_text(&answer, "id");
    ok(identity_invitation_id_valid(id), "... an id of 32 upper-case hex digits");
    is_str(text("%s %s %s", door_text(&answer, "email"), door_text(&answer, "roleID"), door_text(&answer, "state")),
           "Ada@Example.org quote-viewer invited", "... as asked for");
    is_str(
        text("%s %s %s", door_text(&answer, "created"), door_text(&answer, "lastModified"),
             door_text(&answer, "lastSent")),
        text("%s %s %s", door_text(&answer, "created"), door_text(&answer, "created"), door_text(&answer, "created")),
        "... all of it just now");
    is_str(door_text(&answer, "expiry"),
           identity_time_format(door->pool,
                                (apr_time_t)count(text("SELECT created_at FROM invitations WHERE id = '%s'", id)) +
                                    door->settings.invite_lifetime),
           "... for its lifetime");
    is_str(door_text(&answer, "urn"), text("urn:identity:identity:local:%s:invitation/%s", door->account_id, id),
           "... by its name");
    is_str(json_at(&answer, "delivery"),
           text("{\"state\":\"queued\",\"attempts\":0,\"lastError\":null,\"queued\":\"%s\",\"sent\":null}",
                door_text(&answer, "created")),
           "... its mail is queued");
    door_answer_t again = get(path_of(id), door->key);
    is_str(again.text, answer.text, "... and is described in the same words");
    door->settings.urn_namespace = "example";
    door->settings.urn_region = "eu-1";
    again = get(path_of(id), door->read_key);
    is_str(door_text(&again, "urn"), text("urn:example:identity:eu-1:%s:invitation/%s", door->account_id, id),
           "namespace and region are the site's");
    door->settings.urn_namespace = "identity";
    door->settings.urn_region = "local";
    is_str(members_at(&again, ""), MEMBERS, "who may only look is not shown how the mail fares");

    /* The other view. */
    answer = get("/v1/users?username=ada@example.org", door->key);
    is_str(text("%s %s %s %d", door_text(&answer, "data.0.status"),
                door_text(&answer, "data.0.account_memberships.0.type"),
                door_text(&answer, "data.0.account_memberships.0.roles.0.name"),
                (int)size_at(&answer, "data.0.account_memberships")),
           "INVITED USER Quote Viewer 1", "users shows who was invited, with the membership");
    is_str(rows("SELECT action, target_resource_type, target_platform_id FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("INVITE|USER|%s", door->account_id), "it is on record # security 82");
    accept_mailed("Ada@Example.org");
    answer = get(path_of(id), door->key);
    is_str(text("%s %s", door_text(&answer, "state"), door_text(&answer, "delivery.state")), "accepted sent",
           "it is accepted by the link");
}

static void test_refused_create(void)
{
    const struct {
        const char *body, *code, *field;
    } wrong[] = {{"{}", "MISSING_FIELD", "email"},
                 {"{\"email\":\"x@example.org\"}", "MISSING_FIELD", "roleID"},
                 {"{\"email\":null,\"roleID\":\"read-only\"}", "MISSING_FIELD", "email"},
                 {"{\"email\":\"x\",\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"},
                 {"{\"email\":\"x@example.org, y@example.org\",\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"},
                 {"{\"email\":7,\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"},
                 {"{\"email\":\"x@example.org\",\"roleID\":\"no-such-role\"}", "INVALID_FIELD", "roleID"},
                 {"{\"email\":\"x@example.org\",\"roleID\":\"Read Only\"}", "INVALID_FIELD", "roleID"},
                 {"{\"email\":\"x@example.org\",\"roleID\":\"none\"}", "INVALID_FIELD", "roleID"},
                 {"{\"email\":\"x@example.org\",\"roleID\":\"\"}", "INVALID_FIELD", "roleID"},
                 {"{\"email\":\"x@example.org\",\"roleID\":\"theirs\"}", "INVALID_FIELD", "roleID"},
                 {"{\"email\":\"ada@example.org\",\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"},
                 {"{\"email\":\"idle@example.org\",\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"},
                 {"{\"email\":\"taken@example.org\",\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"},
                 {"{\"email\":\"OPEN@example.org\",\"roleID\":\"read-only\"}", "INVALID_FIELD", "email"}};

    post("/v1/roles", door->other_key, "{\"name\":\"Theirs\"}");
    taken_elsewhere();
    made("open@example.org", "read-only");
    const char *before = state();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door->platform_id = door->account_id;
        door_answer_t answer = post("/v1/invitations", door->key, wrong[i].body);
        door->platform_id = NULL;
        refused(answer, 400, wrong[i].code, wrong[i].field, "invite %s", wrong[i].body);
    }
    door_answer_t answer = post("/v1/invitations", door->key, "{\"email\":\"x@example.org\",\"roleID\":\"read-only\"}");
    refused(answer, 400, "MISSING_FIELD", "x-platform-id", "a key of an entity with several accounts says which");
    answer = create(helper, "x@example.org", "full-access");
    refused(answer, 403, "USER_NOT_ALLOWED", "roleID", "nobody gives what they lack # security 25");
    answer = create(partner, "x@example.org", "quote-viewer");
    refused(answer, 403, "USER_NOT_ALLOWED", "roleID", "a PARTNER makes nobody a USER # security 62");
    const identity_mail_target_t *mail = door->settings.mail;
    door->settings.mail = NULL;
    answer = create(door->key, "x@example.org", "read-only");
    refused(answer, 503, "INTERNAL_ERROR", "", "mail that is not set up");
    answer = post(path_of(of_address("open@example.org")), door->key, NULL);
    refused(answer, 503, "INTERNAL_ERROR", "", "... nor is any sent again");
    door->settings.mail = mail;
    is_str(state(), before, "none of it changed a row");
    answer = create(helper, "given@example.org", "quote-viewer");
    accepted(answer, 201, "what they hold they may give");
}

/* Without x-platform-id: of a person's only account, of an entity's only account. */
static void test_account(void)
{
    door_answer_t answer =
        post("/v1/invitations", helper, "{\"email\":\"only@example.org\",\"roleID\":\"quote-viewer\"}");
    accepted(answer, 201, "somebody with one account invites to that");
    ok(strstr(door_text(&answer, "urn"), door->account_id), "... as the name says");
    answer = post("/v1/invitations", door->other_key, "{\"email\":\"alone@example.org\",\"roleID\":\"read-only\"}");
    accepted(answer, 201, "the key of an entity with one account invites to that");
    ok(strstr(door_text(&answer, "urn"), door->other_account_id), "... as the name says");
}

/* ---- send again, revoke ----------------------------------------------------------------------------------------- */

static void test_update(void)
{
    const char *id = made("again@example.org", "read-only"), *first = door_mailed_token(door, "again@example.org");
    static const char *const bodies[] = {NULL, "", "{}", "{\"state\":\"invited\"}",
                                         "{\"state\":\"invited\",\"email\":\"x\",\"id\":1}"};
    const char *last = first;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        pass(3600);
        door->content_type = bodies[i] && *bodies[i] ? NULL : "";
        door_answer_t answer = post(path_of(id), door->key, bodies[i]);
        door->content_type = NULL;
        accepted(answer, 200, "sent again by %s", bodies[i] ? bodies[i] : "no body");
        ok(strcmp(door_text(&answer, "lastSent"), door_text(&answer, "created")) > 0, "... lastSent moves");
        is_str(door_text(&answer, "lastModified"), door_text(&answer, "lastSent"), "... so does lastModified");
        is_str(door_text(&answer, "delivery.state"), "queued", "... a mail is queued");
        const char *token = door_mailed_token(door, "again@example.org");
        ok(token && strcmp(token, last) != 0, "... with another secret # security 24");
        last = token;
    }
    is_int(count(text("SELECT COUNT(*) FROM secrets WHERE invitation_id = '%s' AND ended_at = 0", id)), 1,
           "one link is good # security 24");
    door_answer_t answer =
        post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", first));
    refused(answer, 400, "INVALID_FIELD", "token", "the first one is not # security 24");
    /* What waits is not sent once its link is dead. */
    post(path_of(id), door->key, NULL);
    post(path_of(id), door->key, NULL);
    is_str(rows(text("SELECT state, COUNT(*) FROM outbox WHERE invitation_id = '%s' GROUP BY state ORDER BY 1", id)),
           "cancelled|1 queued|1 sent|6", "a mail that waits gives way to the next");
    is_str(rows("SELECT action FROM audit_records ORDER BY id DESC LIMIT 1"), "RESEND_INVITE",
           "it is on record # security 82");

    pass(8 * 86400);
    answer = get(path_of(id), door->key);
    is_str(door_text(&answer, "state"), "expired", "it expires by itself # security 23");
    answer = post(path_of(id), door->key, "{\"state\":\"revoked\"}");
    refused(answer, 400, "INVALID_FIELD", "state", "an expired one is not revoked # security 23");
    answer = post(path_of(id), door->key, NULL);
    is_str(text("%d %s", answer.status, door_text(&answer, "state")), "200 invited", "but sent again");
    answer = post(path_of(id), door->key, "{\"state\":\"revoked\"}");
    is_str(text("%d %s", answer.status, door_text(&answer, "state")), "200 revoked", "and revoked then");
    is_str(door_text(&answer, "delivery.state"), "cancelled", "... with its mail");
    is_str(rows("SELECT action FROM audit_records ORDER BY id DESC LIMIT 1"), "REVOKE_INVITE",
           "it is on record # security 82");
    answer = get("/v1/users?username=again@example.org", door->key);
    is_str(door_text(&answer, "data.0.status"), "INVITE_REVOKED", "users shows it, too");
    answer = post(path_of(id), door->key, NULL);
    refused(answer, 400, "INVALID_FIELD", "state", "what is revoked stays so # security 23");
    answer = post(path_of(id), door->key, "{\"state\":\"revoked\"}");
    refused(answer, 400, "INVALID_FIELD", "state", "... however often # security 23");
}

static void test_refused_update(void)
{
    static const char *const bodies[] = {
        "{\"state\":\"accepted\"}", "{\"state\":\"expired\"}", "{\"state\":\"INVITED\"}",  "{\"state\":\"\"}",
        "{\"state\":null}",         "{\"state\":true}",        "{\"state\":[\"revoked\"]}"};
    const char *path = path_of(of_address("open@example.org")), *before = state();

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        door_answer_t answer = post(path, door->key, bodies[i]);
        refused(answer, 400, "INVALID_FIELD", "state", "%s", bodies[i]);
    }
    door_answer_t answer = post(path, door->key, "[]");
    refused(answer, 400, "BAD_REQUEST", "", "what is no object");
    answer = post(path, door->key, "{");
    refused(answer, 400, "BAD_REQUEST", "", "or nothing");
    door->content_type = "text/plain";
    answer = post(path, door->key, "{}");
    door->content_type = NULL;
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "", "a body says what it is");
    door->api_version = "v2";
    answer = post(path, door->key, NULL);
    refused(answer, 400, "INVALID_FIELD", "Api-Version", "another version");
    answer = get("/v1/invitations", door->key);
    refused(answer, 400, "INVALID_FIELD", "Api-Version", "... of each operation");
    answer = get("/v1/users?limit=1", door->key);
    accepted(answer, 200, "... but of no other interface's");
    door->api_version = "v1";
    answer = get(path, door->key);
    accepted(answer, 200, "the version that it is");
    door->api_version = NULL;
    is_str(state(), before, "none of it changed a row");
}

/* Whoever sends it again, nobody's rights grow. */
static void test_voucher(void)
{
    const char *by_mallory, *id, *token;
    door_answer_t answer;

    mallory = login("mallory@example.org");
    helper = login("helper@example.org");
    /* The inviter may no more; who sends it again may. */
    door->platform_id = door->account_id;
    answer = post("/v1/invitations", mallory, "{\"email\":\"vouched@example.org\",\"roleID\":\"full-access\"}");
    door->platform_id = NULL;
    by_mallory = path_of(door_text(&answer, "id"));
    answer = post(by_mallory, helper, NULL);
    accepted(answer, 200, "sent again by who may do less, in the name of who invited");
    id = rows("SELECT id FROM users WHERE canonical = 'mallory@example.org'");
    is_str(rows("SELECT invited_by FROM invitations WHERE email = 'vouched@example.org'"), id,
           "... who stays the inviter");
    answer = patch(text("/v1/users/%s", id), door->key, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "the inviter goes");
    answer = post(by_mallory, helper, NULL);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "then who may do less cannot send it again # security 25");
    token = door_mailed_token(door, "vouched@example.org");
    answer = post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    refused(answer, 400, "INVALID_FIELD", "token", "it is void # security 26");
    answer = post(by_mallory, door->key, NULL);
    accepted(answer, 200, "sent again by who may give all of it");
    token = door_mailed_token(door, "vouched@example.org");
    answer = post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    accepted(answer, 200, "it holds in their name");
}

/* ---- invitations of the other view ------------------------------------------------------------------------------ */

static const char *role_shown(const char *name, const char *memberships)
{
    post("/v1/users/invite", door->key,
         text("{\"username\":\"%s@example.org\",\"account_memberships\":[%s]}", name, memberships));
    door_answer_t answer = get(path_of(of_address(text("%s@example.org", name))), door->key);
    const char *urn = door_text(&answer, "urn");
    return text("%s of %s", door_text(&answer, "roleID"),
                strstr(urn, door->account_id)          ? "first"
                : strstr(urn, door->second_account_id) ? "second"
                : strstr(urn, door->entity_id)         ? "entity"
                                                       : urn);
}

static void test_other_view(void)
{
    const char *viewer = member(door->second_account_id, "USER", named("Quote Viewer")),
               *first = member(door->account_id, "USER",
                               ",\"roles\":[{\"name\":\"Read Only\"},{\"name\":\"Quote Viewer\"}]");

    is_str(role_shown("several", text("%s,%s", first, viewer)), "read-only of first",
           "the first role of the first account");
    is_str(role_shown("one", viewer), "quote-viewer of second", "of the only one");
    is_str(role_shown("boss", text("%s,%s", member(door->account_id, "ADMIN", named("Quote Viewer")), viewer)),
           "full-access of first", "ADMIN holds all");
    is_str(role_shown("bare", member(door->account_id, "USER", "")), "none of first", "no role");
    is_str(role_shown("nothing", ""), "none of entity", "no account at all");
    /* The role goes; what was is told still. */
    door_answer_t role = post("/v1/roles", door->key, "{\"name\":\"Passing\"}");
    const char *id = made("passing@example.org", "passing");
    door_answer_t answer = door_call(door, "DELETE", text("/v1/roles/%s", door_text(&role, "id")), door->key, NULL);
    refused(answer, 409, "INVALID_OPERATION", "", "a role that somebody is invited to stays");
    post(path_of(id), door->key, "{\"state\":\"revoked\"}");
    change(text("DELETE FROM membership_roles WHERE role_id = '%s'", door_text(&role, "id")));
    answer = door_call(door, "DELETE", text("/v1/roles/%s", door_text(&role, "id")), door->key, NULL);
    accepted(answer, 200, "... no longer than that");
    answer = get(path_of(id), door->key);
    is_str(door_text(&answer, "roleID"), "passing", "a role that is gone is named still");
    role = post("/v1/roles", door->key, "{\"name\":\"Late\"}");
    id = made("late@example.org", "late");
    pass(8 * 86400);
    answer = door_call(door, "DELETE", text("/v1/roles/%s", door_text(&role, "id")), door->key, NULL);
    refused(answer, 409, "INVALID_OPERATION", "", "a role of an invitation that may be sent again stays");
    made("late@example.org", "read-only");
    answer = post(path_of(id), door->key, NULL);
    refused(answer, 400, "INVALID_FIELD", "state", "what was replaced is not sent again # security 23");
    answer = get(path_of(id), door->key);
    is_str(text("%s %s", door_text(&answer, "roleID"), door_text(&answer, "state")), "late expired",
           "... and stays expired");
    answer = door_call(door, "DELETE", text("/v1/roles/%s", door_text(&role, "id")), door->key, NULL);
    accepted(answer, 200, "... so that nothing holds its role");
    answer = post("/v1/roles", door->key, "{\"name\":\"x\",\"slug\":\"none\"}");
    refused(answer, 400, "INVALID_FIELD", "slug", "no role can be called none");
    answer = post("/v1/roles", door->key, "{\"name\":\"None\"}");
    is_str(door_text(&answer, "slug"), "role", "... nor is by its name");
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

static int listed(const char *parameters)
{
    door_answer_t answer = get(text("/v1/invitations?limit=100&%s", parameters), door->key);
    return answer.status == 200 ? (int)size_at(&answer, "invitations") : -answer.status;
}

static int in_database(const char *condition)
{
    return (int)count(
        text("SELECT COUNT(*) FROM invitations WHERE entity_id = '%s' AND %s", door->entity_id, condition));
}

static void test_filters(void)
{
    is_int(listed(""), in_database("1"), "all");
    is_int(listed("state="), in_database("1"), "an empty filter is none");
    is_int(listed("email=ADA@EXAMPLE.ORG"), 1, "an address in any case");
    is_int(listed("email=ada@example.or"), 0, "... but whole");
    is_int(listed("roleID=quote-viewer"), in_database("role_slug = 'quote-viewer'"), "a role");
    is_int(listed("roleID=none"), 2, "none");
    is_int(listed("roleID=no-such"), 0, "nobody's");
    is_int(listed("state=revoked"), in_database("state = 'revoked'"), "revoked ones");
    is_int(listed("state=accepted&roleID=quote-viewer"),
           in_database("state = 'accepted' AND role_slug = 'quote-viewer'"), "two filters");
    is_int(listed("state=invited&email=more1@example.org"), 1, "one that is open");
    is_int(listed("state=expired"), in_database(text("state = 'invited' AND expires_at < %" APR_TIME_T_FMT, door->now)),
           "those that have expired");
    pass(8 * 86400);
    is_int(listed("state=invited"), 0, "then all have # security 23");
    is_int(listed("state=expired"), in_database("state = 'invited'"), "... and are found as such");
    is_int(listed("state=expired&email=open@example.org"), 1, "... by address, too");
    made("fresh@example.org", "read-only");
    is_int(listed("state=invited"), 1, "a new one is open");
    is_int(listed("state=expired&roleID=read-only"), in_database("state = 'invited' AND role_slug = 'read-only'") - 1,
           "... among those of its role");
}

static void test_refused_lists(void)
{
    door_answer_t page = get("/v1/invitations?limit=1", door->key), answer;
    const char *cursor = door_text(&page, "next");
    const struct {
        const char *parameters, *field;
    } wrong[] = {{"limit=-1", "limit"},
                 {"limit=101", "limit"},
                 {"limit=ten", "limit"},
                 {"limit=1.5", "limit"},
                 {"limit=99999999999999999999", "limit"},
                 {"cursor=x", "cursor"},
                 {text("cursor=%sx", cursor), "cursor"},
                 {text("cursor=%s&state=invited", cursor), "cursor"},
                 {text("cursor=%s&email=ada@example.org", cursor), "cursor"},
                 {"state=open", "state"},
                 {"state=Invited", "state"},
                 {"roleID=Read+Only", "roleID"}};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        answer = get(text("/v1/invitations?%s", wrong[i].parameters), door->key);
        refused(answer, 400, "INVALID_FIELD", wrong[i].field, "%s", wrong[i].parameters);
    }
    answer = get(text("/v1/users?cursor=%s", cursor), door->key);
    ok(answer.status == 200 || answer.status == 400, "the cursor is of no use elsewhere: %d", answer.status);
    door_answer_t users = get("/v1/users?limit=1", door->key);
    const char *link = strstr(door_text(&users, "links.next"), "cursor=");
    answer = get(text("/v1/invitations?%s", link), door->key);
    refused(answer, 400, "INVALID_FIELD", "cursor", "nor is another's here");
}

/* Every one once, newest first, while others come and change. */
static void test_pages(const char *filter, int expected)
{
    const char *cursor = NULL, *seen = " ", *last = "~";
    int pages = 0, found = 0, wrong = 0;

    do {
        door_answer_t answer = get(
            text("/v1/invitations?limit=3&%s%s%s", filter, cursor ? "&cursor=" : "", cursor ? cursor : ""), door->key);
        size_t size = size_at(&answer, "invitations");
        for (size_t i = 0; i < size; i++, found++) {
            const char *id = door_text(&answer, text("invitations.%d.id", (int)i)),
                       *created = door_text(&answer, text("invitations.%d.created", (int)i));
            wrong += strstr(seen, id) != NULL || strcmp(created, last) > 0;
            seen = text("%s%s ", seen, id);
            last = created;
        }
        cursor = door_text(&answer, "next");
        wrong += cursor && size != 3;
        wrong += json_object_size(answer.json) != (cursor ? 2 : 1);
        if (pages++ == 1)
            made(text("while%s@example.org", *filter ? "filtered" : ""), "wallet-viewer");
    } while (cursor && pages < 100);
    is_str(text("%d, %d wrong", found, wrong), text("%d, 0 wrong", expected), "\"%s\" by %d pages", filter, pages);
}

static void test_lists(void)
{
    door_answer_t answer = get("/v1/invitations", door->key), zero = get("/v1/invitations?limit=0", door->key);

    ok(in_database("1") > 25, "there are more than fit on a page");
    is_int(size_at(&answer, "invitations"), 25, "25 a page");
    is_str(members_at(&answer, ""), "invitations,next", "... and where the next one begins");
    is_str(zero.text, answer.text, "... for 0, too");
    is_str(members_at(&answer, "invitations.0"), MEMBERS ",delivery", "each as by itself");
    answer = get("/v1/invitations?limit=100", door->read_key);
    is_str(members_at(&answer, ""), "invitations", "the last page has no next");
    is_str(members_at(&answer, "invitations.0"), MEMBERS, "... nor how mails fare, for who may only look");
    answer = get("/v1/invitations?state=invited&email=nobody@example.org", door->key);
    is_str(answer.text, "{\"invitations\":[]}", "nothing is an empty list");
    test_pages("", in_database("1"));
    test_pages("state=revoked", in_database("state = 'revoked'"));
    test_pages("roleID=read-only", in_database("role_slug = 'read-only'"));
    unsigned long few = get("/v1/invitations?limit=1", door->key).statements,
                  many = get("/v1/invitations?limit=100", door->key).statements;
    is_int(many, few, "a page costs %lu statements, however long", few);
}

/* A PARTNER sees nobody else's. */
static void test_partner(void)
{
    const char *other = of_address("open@example.org");
    door_answer_t answer = get(path_of(other), partner);

    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "a PARTNER sees no other's invitation");
    answer = post(path_of(other), partner, "{\"state\":\"revoked\"}");
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "... nor revokes it");
    answer = get("/v1/invitations?limit=100", partner);
    is_int(size_at(&answer, "invitations"), 1, "... but its own");
    is_str(door_text(&answer, "invitations.0.email"), "partner@example.org", "... that it came by");
    answer = get("/v1/invitations?email=open@example.org", partner);
    is_str(answer.text, "{\"invitations\":[]}", "... also by address");
    answer = get(path_of(of_address("partner@example.org")), partner);
    accepted(answer, 200, "... and by its id");
}

/* While the first request of a key is being answered the others are told to come again. */
static void test_running(void)
{
    const char *path = path_of(of_address("fresh@example.org"));

    door->idempotency_key = "running";
    door_answer_t first = post(path, door->key, NULL);
    change("UPDATE idempotency SET state = 'running' WHERE idempotency_key = 'running'");
    const char *before = state();
    door_answer_t answer = post(path, door->key, NULL);
    door->idempotency_key = NULL;
    accepted(first, 200, "sent again under an Idempotency-Key");
    refused(answer, 503, "INTERNAL_ERROR", "", "the same while that runs: 503 and Retry-After, where there is no 422");
    is_str(state(), before, "... and nothing is done");
}

/* Mails are counted, however they are asked for. */
static void test_limit(void)
{
    const char *path = path_of(of_address("fresh@example.org"));

    door->settings.rates.of[IDENTITY_RATE_INVITE] = (identity_rate_t){2, apr_time_from_sec(60)};
    door_answer_t answer = create(door->key, "limited@example.org", "read-only");
    accepted(answer, 201, "one mail");
    answer = post(path, door->key, NULL);
    accepted(answer, 200, "another");
    answer = post(path, door->key, NULL);
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "a third is too many # security 80");
    answer = create(door->key, "more@example.org", "read-only");
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "... of any kind # security 80");
    answer = post(path, door->key, "{\"state\":\"revoked\"}");
    accepted(answer, 200, "to revoke is no mail");
    door->settings.rates.of[IDENTITY_RATE_INVITE].count = 0;
}

int main(void)
{
    serve_begin();
    person_with("mallory@example.org", "ADMIN", "");
    person_with("chief@example.org", "ADMIN", "");
    person_with("helper@example.org", "USER",
                ",\"roles\":[{\"name\":\"User Administrator\"},{\"name\":\"Quote Viewer\"}]");
    person_with("partner@example.org", "PARTNER",
                ",\"roles\":[{\"name\":\"User Administrator\"},{\"name\":\"Quote Viewer\"}]");
    post("/v1/users", door->key,
         "{\"username\":\"idle@example.org\",\"password\":\"" PASSWORD "\",\"status\":\"INACTIVE\"}");
    helper = login("helper@example.org");
    partner = login("partner@example.org");
    test_create();
    test_refused_create();
    test_account();
    test_update();
    test_refused_update();
    test_voucher();
    test_other_view();
    partner = login("partner@example.org");
    test_partner();
    for (int i = 0; i < 14; i++)
        made(text("more%d@example.org", i), "read-only");
    test_filters();
    test_refused_lists();
    test_lists();
    test_running();
    test_limit();
    return serve_end();
}
