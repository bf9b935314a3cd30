/* SPDX-License-Identifier: Apache-2.0 */
/* Entity tags: what GET shows has one, If-None-Match saves showing it again, and of several changes with one If-Match
 * one is made. */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

static const char *ada, *ada_id, *bob_id, *bob;

static door_answer_t with(const char *method, const char *target, const char *match, const char *none_match,
                          const char *body)
{
    door->if_match = match;
    door->if_none_match = none_match;
    door_answer_t answer = door_call(door, method, target, door->key, body);
    door->if_match = door->if_none_match = NULL;
    return answer;
}

static const char *tag_at(const char *target)
{
    door_answer_t answer = get(target, door->key);
    const char *tag = header(&answer, "ETag");
    return tag ? tag : (bail(text("%s has no tag", target)), NULL);
}

/* What stands between the quotes. */
static const char *inside(const char *tag)
{
    return apr_pstrndup(door->pool, tag + 1, strlen(tag) - 2);
}

static const char *status_of(bool active)
{
    return active ? "{\"status\":\"ACTIVE\"}" : "{\"status\":\"INACTIVE\"}";
}

/* ---- GET ------------------------------------------------------------------------------------------------------------
 */

static void test_tags(void)
{
    const char *tag = tag_at(bob), *other = tag_at(text("/v1/users/%s", ada_id));

    ok(strlen(tag) == 34 && tag[0] == '"' && tag[33] == '"' && strspn(tag + 1, "0123456789abcdef") == 32,
       "a strong tag: %s", tag);
    is_str(tag_at(bob), tag, "the same for the same");
    ok(strcmp(tag, other) != 0, "another for another");
    door_answer_t answer = get(bob, ada);
    is_str(header(&answer, "ETag"), tag, "whoever asks");
    answer = get("/v1/users", door->key);
    is_str(header(&answer, "ETag"), NULL, "a page has none");
    answer = get("/v1/users/user_00000000000000000000", door->key);
    is_str(header(&answer, "ETag"), NULL, "nor has an error");
}

static void test_none_match(void)
{
    const char *tag = inside(tag_at(bob));
    const struct {
        const char *list;
        int status;
        const char *what;
    } cases[] = {{text("\"%s\"", tag), 304, "the tag"},
                 {text("W/\"%s\"", tag), 304, "... weakly"},
                 {text("\"x\", \"%s\"", tag), 304, "... in a list"},
                 {text("\"x\",,  W/\"y,\" ,\"%s\"", tag), 304, "... behind others"},
                 {text("\"%s-gzip\"", tag), 304, "... as mod_deflate marks it"},
                 {text("\"%s-br\"", tag), 304, "... as mod_brotli does"},
                 {"*", 304, "anything"},
                 {"\"x\"", 200, "another"},
                 {"\"\"", 200, "an empty one"},
                 {text("\"%s", tag), 200, "half a tag"},
                 {tag, 200, "a tag without quotes"},
                 {text("x \"%s\"", tag), 200, "no list"},
                 {text("\"%.31s\"", tag), 200, "a part of it"},
                 {text("\"%s-zip\"", tag), 200, "another mark"},
                 {"-gzip", 200, "a mark alone"},
                 {"\"-gzip\"", 200, "... in quotes"},
                 {"W/", 200, "nothing that is weak"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = with("GET", bob, NULL, cases[i].list, NULL);
        is_int(answer.status, cases[i].status, "If-None-Match: %s", cases[i].what);
    }
    door_answer_t answer = with("GET", bob, NULL, "*", NULL);
    ok(!answer.content_type && !answer.text && !answer.length, "304 has no body");
    is_str(inside(header(&answer, "ETag")), tag, "... but the tag");
    is_str(header(&answer, "Cache-Control"), "no-store", "... and is not to be kept");
    answer = with("HEAD", bob, NULL, "*", NULL);
    is_int(answer.status, 304, "HEAD alike");
    answer = with("GET", "/v1/users/user_00000000000000000000", NULL, "*", NULL);
    refused(answer, 404, "USER_NOT_FOUND", "", "what is not there matches nothing");
    answer = with("GET", bob, "\"x\"", NULL, NULL);
    refused(answer, 412, "INVALID_OPERATION", "", "If-Match of another");
    is_str(header(&answer, "ETag"), NULL, "... without a tag");
    answer = with("GET", bob, text("\"%s\"", tag), NULL, NULL);
    accepted(answer, 200, "If-Match of this");
}

/* ---- PATCH ----------------------------------------------------------------------------------------------------------
 */

static void test_match(void)
{
    const char *tag = tag_at(bob), *before = state();
    const char *refused_lists[] = {"\"x\"",
                                   text("W/%s", tag),
                                   text("W/%s, \"x\"", tag),
                                   inside(tag),
                                   text("\"%.31s\"", inside(tag)),
                                   text("\"%s-zip\"", inside(tag)),
                                   "\"\""};

    for (size_t i = 0; i < sizeof refused_lists / sizeof refused_lists[0]; i++) {
        door_answer_t answer = with("PATCH", bob, refused_lists[i], NULL, status_of(false));
        refused(answer, 412, "INVALID_OPERATION", "", "If-Match: %s", refused_lists[i]);
        answer = with("PATCH", bob, refused_lists[i], NULL, "{}");
        refused(answer, 412, "INVALID_OPERATION", "", "... of a change of nothing too");
    }
    is_str(state(), before, "nothing was changed");
    const char *taken[] = {tag, text("\"%s-gzip\"", inside(tag)), text("\"%s-br\"", inside(tag)),
                           text("\"x\" , %s", tag), "*"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        door_answer_t answer = with("PATCH", bob, taken[i], NULL, status_of(false));
        accepted(answer, 200, "If-Match: %s", taken[i]);
        const char *next = header(&answer, "ETag");
        ok(strcmp(next, tag) != 0, "... gives a new tag");
        is_str(tag_at(bob), next, "... which is GET's");
        answer = with("PATCH", bob, next, NULL, status_of(true));
        accepted(answer, 200, "... good for the next change");
        is_str(header(&answer, "ETag"), tag, "... back to what it was");
    }
    door_answer_t answer = with("PATCH", bob, tag, NULL, "{}");
    is_str(header(&answer, "ETag"), tag, "a change of nothing answers with the tag");
    answer = with("PATCH", bob, NULL, "*", status_of(false));
    refused(answer, 412, "INVALID_OPERATION", "", "If-None-Match of what is there");
    answer = with("PATCH", bob, NULL, "\"x\"", "{}");
    accepted(answer, 200, "... of another");
    answer = with("PATCH", "/v1/users/user_00000000000000000000", "*", NULL, status_of(false));
    refused(answer, 404, "USER_NOT_FOUND", "", "If-Match of what is not there");
}

static void test_membership_counts(void)
{
    const char *tag = tag_at(bob);
    door_answer_t answer =
        post(text("%s/memberships", bob), door->key, member(door->account_id, "USER", named("Quote Viewer")));

    accepted(answer, 201, "a membership is given");
    answer = with("PATCH", bob, tag, NULL, status_of(false));
    refused(answer, 412, "INVALID_OPERATION", "", "... which changes the user");
}

/* ---- roles ----------------------------------------------------------------------------------------------------------
 */

static const char *made(const char *body)
{
    door_answer_t answer = post("/v1/roles", door->key, body);
    const char *id = door_text(&answer, "id");
    return id ? text("/v1/roles/%s", id) : (bail(answer.text), NULL);
}

static void test_roles(void)
{
    const char *child = made("{\"name\":\"Child\"}");
    const char *parent = made(text("{\"name\":\"Parent\",\"child_role_ids\":[\"%s\"]}", child + strlen("/v1/roles/")));
    const char *tag = tag_at(child), *above = tag_at(parent);
    const char *rename = "{\"name\":\"Grown\"}", *builtin = text("/v1/roles/%s", role_named("Quote Viewer"));

    ok(strcmp(tag, above) != 0 && strcmp(tag_at(builtin), tag) != 0, "each role has its own");
    door_answer_t answer = with("GET", child, NULL, tag, NULL);
    is_int(answer.status, 304, "If-None-Match");
    answer = with("PATCH", child, above, NULL, rename);
    refused(answer, 412, "INVALID_OPERATION", "", "If-Match of another role's");
    answer = with("PATCH", child, tag, NULL, "{\"name\":\"Child\"}");
    is_str(header(&answer, "ETag"), tag, "a change of nothing keeps the tag");
    answer = with("PATCH", child, text("\"%s-gzip\"", inside(tag)), NULL, rename);
    accepted(answer, 200, "If-Match");
    is_str(header(&answer, "ETag"), tag_at(child), "... answers with the next tag");
    ok(strcmp(tag_at(child), tag) != 0 && strcmp(tag_at(parent), above) != 0,
       "... and what shows the role has another");
    answer = with("PATCH", child, tag, NULL, "{\"description\":\"x\"}");
    refused(answer, 412, "INVALID_OPERATION", "", "the old tag");
    answer = with("DELETE", parent, above, NULL, NULL);
    refused(answer, 412, "INVALID_OPERATION", "", "DELETE with an old tag");
    answer = with("DELETE", parent, tag_at(parent), NULL, NULL);
    accepted(answer, 200, "DELETE with the present one");
    answer = with("PATCH", builtin, tag_at(builtin), NULL, rename);
    refused(answer, 409, "INVALID_OPERATION", "", "built-in roles are not changed with any");
}

/* ---- two at once --------------------------------------------------------------------------------------------------
 */

static const char *rival, *rival_target, *rival_body;

/* Before this writer gets in another one has been there. */
static bool enter_second(void *context)
{
    const char *match = rival;

    ((door_t *)context)->writers++;
    rival = NULL;
    if (match) {
        door->writers--;
        door_answer_t answer = with("PATCH", rival_target, match, NULL, rival_body);
        door->writers++;
        accepted(answer, 200, "the one that comes first");
    }
    return true;
}

static void test_race(const char *target, const char *table, const char *body)
{
    bool (*enter)(void *) = door->env.enter_write;
    const char *tag = tag_at(target),
               *version = text("SELECT version FROM %s WHERE id = '%s'", table, strrchr(target, '/') + 1);
    long long before = count(version);

    rival = tag;
    rival_target = target;
    rival_body = body;
    door->env.enter_write = enter_second;
    door_answer_t answer = with("PATCH", target, tag, NULL, body);
    refused(answer, 412, "INVALID_OPERATION", "", "the other, that had read the same, is told");
    door->env.enter_write = enter;
    is_int(count(version), before + 1, "one change was made");
}

/* ---- what it costs --------------------------------------------------------------------------------------------------
 */

static void test_cost(void)
{
    door_answer_t plain = patch(bob, door->key, status_of(true)), tagged;

    patch(bob, door->key, status_of(false));
    tagged = with("PATCH", bob, "*", NULL, status_of(true));
    is_int(tagged.statements, plain.statements, "a condition on PATCH reads nothing more");
    plain = get(bob, door->key);
    tagged = with("GET", bob, NULL, "*", NULL);
    is_int(tagged.statements, plain.statements, "... nor does one on GET");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = door_person(door, "bob@example.org", PASSWORD, "[]");
    bob = text("/v1/users/%s", bob_id);
    ada = login("ada@example.org");
    test_tags();
    test_none_match();
    test_match();
    test_membership_counts();
    test_roles();
    test_race(bob, "users", status_of(false));
    test_race(made("{\"name\":\"Raced\"}"), "roles", "{\"description\":\"x\"}");
    test_cost();
    return serve_end();
}
