/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits by the door: exactly as many as are configured, the right waits, and nobody locked out by a stranger.
 * (security 12 to 14, 28, 80, 85) */
#include "routes.h"
#include "users/users.h"
#include "serve.h"
#include "support/provider.h"

#define WRONG "Wrong1horse"
#define PAGE  "https://app.example.org/sso"

static const char *const victim = "victim@example.org";

static door_answer_t attempt(const char *from, const char *name, const char *password)
{
    door->client_address = from;
    door_answer_t answer =
        post("/v1/oauth/token", NULL, text("{\"username\":\"%s\",\"password\":\"%s\"}", name, password));
    door->client_address = NULL;
    return answer;
}

/* Fails so often: how often it was 401 before anything else came. */
static int failures(const char *from, const char *name, int tries)
{
    for (int i = 0; i < tries; i++)
        if (attempt(from, name, WRONG).status != 401)
            return i;
    return tries;
}

static int retry_after(const door_answer_t *answer)
{
    const char *value = header(answer, "Retry-After");
    return value ? (int)strtol(value, NULL, 10) : -1;
}

static void rate(identity_rate_class_t class, unsigned count, apr_int64_t seconds)
{
    door->settings.rates.of[class] = (identity_rate_t){count, apr_time_from_sec(seconds)};
}

/* Nothing that was counted before is known any more. */
static void afresh(void)
{
    pass(40 * 86400);
}

static void test_standard(void)
{
    const identity_rates_t *rates = &identity_rates_standard;

    for (int class = IDENTITY_RATE_NONE; class < IDENTITY_RATE_CLASSES; class ++) {
        const char *name = identity_rate_class_name((identity_rate_class_t) class);
        const char *expected = class == IDENTITY_RATE_LOGIN     ? "login 10/60"
                               : class == IDENTITY_RATE_TOKEN   ? "token 30/60"
                               : class == IDENTITY_RATE_RESET   ? "reset 5/3600"
                               : class == IDENTITY_RATE_INVITE  ? "invite 1000/3600"
                               : class == IDENTITY_RATE_MAIL    ? "mail 10/3600"
                               : class == IDENTITY_RATE_REFRESH ? "refresh 60/3600"
                               : class == IDENTITY_RATE_READ    ? "read 0/0"
                               : class == IDENTITY_RATE_WRITE   ? "write 0/0"
                                                                : "none 0/0";
        is_str(
            text("%s %u/%d", name ? name : "none", rates->of[class].count, (int)apr_time_sec(rates->of[class].period)),
            expected, "by default");
        is_int(name ? identity_rate_class_find(name) : IDENTITY_RATE_NONE, class, "found by its name");
    }
    is_int(identity_rate_class_find("logins"), IDENTITY_RATE_NONE, "no such class");
    door->settings.rates = *rates;
}

/* ---- login ------------------------------------------------------------------------------------------------------ */

static void test_login_exact(void)
{
    afresh();
    is_int(failures("192.0.2.1", "nobody@example.org", 20), 10, "login 10/1m: ten failures are 401 # security 80");
    long long audits = count("SELECT count(*) FROM audit_records");
    door->log = "";
    door_answer_t answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "the next is 429");
    is_int(retry_after(&answer), 60, "... for a minute");
    is_int(answer.statements, 0, "... and costs the database nothing");
    is_int(count("SELECT count(*) FROM audit_records"), audits, "... nor is it written");
    is_str(door->log, "ID0361: throttled login from 192.0.2.1\n", "... but it is logged");
    door->log = NULL;
    answer = attempt("192.0.2.1", victim, PASSWORD);
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "the right password is answered alike # security 13");
    is_int(answer.statements, 0, "... at the same cost");
    pass(retry_after(&answer));
    accepted(attempt("192.0.2.1", victim, PASSWORD), 200, "after so many seconds it is taken");
}

static void test_retry_after_to_the_second(void)
{
    afresh();
    failures("192.0.2.1", "nobody@example.org", 10);
    door->now += 400 * 1000;
    door_answer_t answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
    is_int(retry_after(&answer), 60, "59.6 s are 60");
    pass(59);
    answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
    is_int(retry_after(&answer), 1, "0.6 s are 1");
    pass(1);
    answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
    is_int(answer.status, 401, "then one may try");
    answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
    is_int(answer.status, 429, "... and not two");
    is_int(retry_after(&answer), 120, "... and the wait has doubled # security 12");
    for (int wait = 240; wait <= 960; wait *= 2) {
        pass(retry_after(&answer));
        is_int(attempt("192.0.2.1", "nobody@example.org", WRONG).status, 401, "one more");
        answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
        is_int(retry_after(&answer), wait, "... doubles it");
    }
    pass(960);
    attempt("192.0.2.1", "nobody@example.org", WRONG);
    answer = attempt("192.0.2.1", "nobody@example.org", WRONG);
    is_int(retry_after(&answer), 960, "16 minutes are the longest wait");
}

static void test_login_counts_failures_only(void)
{
    afresh();
    for (int i = 0; i < 25; i++)
        is_int(attempt("192.0.2.1", victim, PASSWORD).status, 200, "a login counts nothing");
    is_int(failures("192.0.2.1", victim, 9), 9, "nine failures");
    is_int(attempt("192.0.2.1", victim, PASSWORD).status, 200, "a login in between");
    is_int(failures("192.0.2.1", victim, 9), 1, "... does not wipe the address clean");
    afresh();
    for (int i = 0; i < 20; i++) {
        refused(post("/v1/oauth/token", NULL, "{\"username\":\"a@b.c\"}"), 400, "MISSING_FIELD", "password",
                "what is no attempt counts nothing");
        door->refuse_hash = true;
        is_int(attempt("192.0.2.7", victim, WRONG).status, 503, "nor one that was not decided");
        door->refuse_hash = false;
    }
    is_int(failures("192.0.2.7", victim, 20), 10, "all ten are left");
}

static identity_hash_turn_t (*enter_hash)(void *context, const identity_hash_request_t *request,
                                          identity_hash_ticket_t *ticket);
static int meanwhile;

/* While one password waits to be hashed, others fail. */
static identity_hash_turn_t enter_late(void *context, const identity_hash_request_t *request,
                                       identity_hash_ticket_t *ticket)
{
    int tries = meanwhile;

    meanwhile = 0;
    if (tries)
        failures("192.0.2.1", "nobody@example.org", tries);
    return enter_hash(context, request, ticket);
}

/* Of many tries at once no more are told anything than of as many one after the other. */
static void test_at_once(void)
{
    afresh();
    enter_hash = door->env.enter_hash;
    door->env.enter_hash = enter_late;
    long long sessions = count("SELECT count(*) FROM sessions");
    meanwhile = 10;
    refused(attempt("192.0.2.1", victim, PASSWORD), 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "",
            "ten failures while the right password waits: it is throttled # security 13");
    is_int(count("SELECT count(*) FROM sessions"), sessions, "... and opens no session");
    afresh();
    meanwhile = 10;
    is_int(attempt("192.0.2.1", victim, WRONG).status, 429, "... a wrong one alike");
    afresh();
    meanwhile = 9;
    is_int(attempt("192.0.2.1", victim, PASSWORD).status, 200, "nine failures: it is let in");
    afresh();
    meanwhile = 9;
    is_int(attempt("192.0.2.1", victim, WRONG).status, 401, "... a wrong one is the tenth");
    is_int(attempt("192.0.2.1", victim, WRONG).status, 429, "... and the last");
    door->env.enter_hash = enter_hash;
}

/* Known, unknown, invited, inactive: the same answers in the same order at the same cost. */
static void test_no_enumeration(void)
{
    const char *names[] = {"unknown@example.org", victim, "invited@example.org", "inactive@example.org"};
    const char *seen[4];

    for (int n = 0; n < 4; n++) {
        afresh();
        seen[n] = "";
        for (int i = 0; i < 13; i++) {
            door_answer_t answer = attempt(text("192.0.2.%d", i + 1), names[n], WRONG);
            seen[n] = text("%s%d %s %d %s%d\n", seen[n], answer.status, answer.text, (int)answer.statements,
                           headers_of(&answer), retry_after(&answer));
        }
        is_str(seen[n], seen[0], "%s is answered as an unknown name # security 15", names[n]);
    }
    ok(strstr(seen[0], "401 ") && strstr(seen[0], "429 "), "... with both");
}

static void test_addresses(void)
{
    afresh();
    is_int(failures("2001:db8:1:2::1", "a@example.org", 10), 10, "an address of IPv6");
    is_int(attempt("2001:db8:1:2:ffff::9", "b@example.org", WRONG).status, 429, "its whole /64 waits");
    is_int(attempt("2001:db8:1:3::1", "b@example.org", WRONG).status, 401, "the next one does not");
    is_int(failures("192.0.2.1", "c@example.org", 10), 10, "an address of IPv4");
    is_int(attempt("::ffff:192.0.2.1", "d@example.org", WRONG).status, 429, "is the same in the dress of IPv6");
    is_int(attempt("192.0.2.2", "d@example.org", WRONG).status, 401, "its neighbour is another");
    is_int(attempt("192.0.2.2", "c@example.org", WRONG).status, 429, "... but not for the same account");
    is_int(attempt("198.51.100.1", "c@example.org", WRONG).status, 401, "another network may try it");
}

/* Many addresses, one account. */
static void test_account(void)
{
    afresh();
    int seen = 0;
    while (seen < 30 && attempt(text("203.0.113.%d", seen + 1), "a@example.org", WRONG).status == 401)
        seen++;
    is_int(seen, 10, "one network: ten failures at an account, from however many addresses # security 12");
    afresh();
    seen = 0;
    while (seen < 300 && attempt(text("198.51.%d.%d", seen, seen), "A@Example.org", WRONG).status == 401)
        seen++;
    is_int(seen, 100, "very many networks: a hundred # security 12");
    is_int(attempt("192.0.2.1", "a@EXAMPLE.org", WRONG).status, 429, "in any spelling");
    is_int(attempt("192.0.2.1", "b@example.org", WRONG).status, 401, "another account is not touched");
}

/* ---- no lock-out ------------------------------------------------------------------------------------------------ */

/* From very many networks, for as long as a wait can grow. */
static void attack(void)
{
    for (int i = 0; i < 400; i++) {
        attempt(text("198.%d.%d.1", 18 + i / 200, i % 200), victim, WRONG);
        if (i > 100)
            pass(90);
    }
    is_int(attempt("198.51.100.9", victim, WRONG).status, 429, "the account is under attack");
}

static void test_lockout(void)
{
    const char *cookie = NULL;

    afresh();
    /* A stranger from one place. */
    is_int(failures("203.0.113.7", victim, 50), 10, "a stranger fails");
    accepted(attempt("192.0.2.50", victim, PASSWORD), 200, "the victim, elsewhere, is not kept out # security 13");

    /* Neighbours behind the same network, and all the world. */
    afresh();
    accepted(attempt("203.0.113.50", victim, PASSWORD), 200, "the victim signs in at home");
    is_int(failures("203.0.113.7", victim, 50), 10, "a neighbour fails");
    is_int(attempt("203.0.113.51", victim, PASSWORD).status, 429, "who is not known there waits");
    accepted(attempt("203.0.113.50", victim, PASSWORD), 200, "the victim at home does not # security 13");
    is_int(attempt("203.0.113.51", victim, PASSWORD).status, 429, "... which helps nobody else there");
    attack();
    accepted(attempt("203.0.113.50", victim, PASSWORD), 200, "... nor for all the world's trying");
    is_int(failures("203.0.113.50", victim, 20), 10, "... but its own failures count");
    is_int(attempt("203.0.113.50", victim, PASSWORD).status, 429, "... as everybody's do");

    /* On the way: the cookie of a session shows who it is. */
    afresh();
    door->client_address = "203.0.113.50";
    door_login(door, victim, PASSWORD, &cookie);
    attack();
    is_int(attempt("192.0.2.77", victim, PASSWORD).status, 429, "in a new place the victim is as unknown as anybody");
    door->cookie = cookie;
    accepted(attempt("192.0.2.77", victim, PASSWORD), 200, "the cookie makes it known # security 13");
    is_int(failures("192.0.2.78", victim, 20), 10, "... and does not open the door to guesses");
    is_int(attempt("192.0.2.78", "ada@example.org", WRONG).status, 401, "it is nothing for another account,");
    door->cookie = NULL;
    failures("192.0.2.79", "x@example.org", 10);
    door->cookie = cookie;
    is_int(attempt("192.0.2.79", "ada@example.org", PASSWORD).status, 429, "... whose user waits with the address");

    /* Behind an address that others have spoilt. */
    afresh();
    door->cookie = NULL;
    door_login(door, victim, PASSWORD, &cookie);
    failures("192.0.2.7", "x@example.org", 10);
    is_int(attempt("192.0.2.7", victim, PASSWORD).status, 429, "an address that others spoilt");
    door->cookie = cookie;
    accepted(attempt("192.0.2.7", victim, PASSWORD), 200, "... does not keep out who has a live session # security 13");
    refused(post("/v1/oauth/token", NULL, "{\"token_alias\":\"x\"}"), 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "",
            "... for anything else than its own password");
    post("/v1/oauth/logout", NULL, NULL);
    is_int(attempt("192.0.2.7", victim, PASSWORD).status, 429, "a session that has ended proves nothing");
    door->cookie = "identity_refresh=idr_made_up";
    is_int(attempt("192.0.2.7", victim, PASSWORD).status, 429, "nor does a made-up cookie");
    door->cookie = NULL;
}

/* A mailed link is a way in that nobody can close. */
static void test_reset_lets_in(void)
{
    afresh();
    attack();
    post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", victim));
    const char *token = door_mailed_token(door, victim);
    is_int(attempt("192.0.2.90", victim, PASSWORD).status, 429, "an account under attack");
    door->client_address = "192.0.2.90";
    accepted(post("/v1/oauth/reset-password", NULL,
                  text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token ? token : "")),
             200, "its owner resets the password");
    accepted(attempt("192.0.2.90", victim, PASSWORD), 200, "... and is known there # security 13");
}

/* The password is asked for once more where one's own is changed. */
static void test_current_password(void)
{
    int seen = 0;

    afresh();
    const char *bearer = login(victim);
    const char *id = rows(text("SELECT id FROM users WHERE canonical = '%s'", victim));
    const char *path = text("/v1/users/%s", id);
    const char *body = text("{\"password\":\"Other1horse\",\"current_password\":\"" WRONG "\"}");
    while (seen < 20 && patch(path, bearer, body).status == 400)
        seen++;
    is_int(seen, 10, "a stolen token is no way to guess the password");
    refused(patch(path, bearer, "{\"password\":\"Other1horse\",\"current_password\":\"" PASSWORD "\"}"), 429,
            "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "... nor to change it");
    accepted(attempt("192.0.2.7", victim, PASSWORD), 200, "its owner signs in all the same");
}

/* ---- token ------------------------------------------------------------------------------------------------------ */

static door_answer_t redeem(const char *path, const char *token)
{
    return post(path, NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
}

static void test_token(void)
{
    const char *paths[] = {"/v1/oauth/reset-password", "/v1/oauth/activate-user", "/v1/oauth/confirm-address"};
    int seen;

    for (int p = 0; p < 3; p++) {
        afresh();
        for (seen = 0; seen < 50; seen++)
            if (redeem(paths[p], seen % 2 ? "x" : identity_token_make(door->pool, "idp", &door->env.random)).status !=
                400)
                break;
        is_int(seen, 30, "token 30/1m: %s # security 14, 80", paths[p]);
        door_answer_t answer = redeem(paths[(p + 1) % 3], "x");
        refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "... counted with %s", paths[(p + 1) % 3]);
        is_int(retry_after(&answer), 60, "... for a minute");
        is_int(attempt(NULL, victim, WRONG).status, 401, "... and not with logins # security 14");
    }
    afresh();
    for (seen = 0; seen < 40; seen++)
        refused(post("/v1/oauth/reset-password", NULL, "{\"token\":\"x\"}"), 400, "MISSING_FIELD", "new_password",
                "what is no attempt counts nothing");
    is_int(redeem(paths[0], "x").status, 400, "... as is seen");
}

/* By account: a dead secret tells whose it was. */
static void test_token_account(void)
{
    int seen = 0;

    afresh();
    post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", victim));
    const char *token = door_mailed_token(door, victim);
    accepted(redeem("/v1/oauth/reset-password", token), 200, "a link is used");
    for (; seen < 50; seen++) {
        door->client_address = text("198.51.%d.1", seen);
        if (redeem("/v1/oauth/reset-password", token).status != 400)
            break;
    }
    is_int(seen, 30, "the same link again, from anywhere, 30 times");
    door->client_address = "192.0.2.8";
    is_int(redeem("/v1/oauth/reset-password", "x").status, 400, "no other link is touched");
    door->client_address = NULL;
}

/* ---- reset, invite, read, write --------------------------------------------------------------------------------- */

static void test_reset(void)
{
    const char *names[] = {victim, "unknown@example.org"}, *seen[2];

    for (int n = 0; n < 2; n++) {
        afresh();
        seen[n] = "";
        for (int i = 0; i < 7; i++) {
            door->client_address = text("198.51.100.%d", i);
            door_answer_t answer = post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", names[n]));
            seen[n] = text("%s%d %s %d %s", seen[n], answer.status, answer.text ? answer.text : "-",
                           (int)answer.statements, headers_of(&answer));
        }
        door->client_address = NULL;
    }
    is_str(seen[1], seen[0], "known and unknown are answered alike, to the last # security 15");
    afresh();
    int sent = 0;
    for (; sent < 20; sent++)
        if (post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", victim)).status != 200)
            break;
    is_int(sent, 5, "reset 5/1h: five mails to one address # security 28, 80");
    const char *token = door_mailed_token(door, victim);
    door_answer_t answer = post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"VICTIM@example.org\"}"));
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "in any spelling");
    ok(retry_after(&answer) > 3500 && retry_after(&answer) <= 3600, "... for an hour");
    ok(token && !door_mailed_token(door, victim), "... and sends nothing");
    is_int(post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"ada@example.org\"}").status, 200,
           "another address is not touched");
    accepted(redeem("/v1/oauth/reset-password", token), 200,
             "the last link that was sent is alive: nobody is shut out");
    pass(retry_after(&answer));
    accepted(post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", victim)), 200,
             "after so many seconds there is another");
    afresh();
    for (sent = 0; sent < 1000; sent++)
        if (post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"n%d@example.net\"}", sent)).status != 200)
            break;
    is_int(sent, 500, "one client asks for a hundred times as many, to ever new addresses # security 80");
    door->client_address = "198.51.100.77";
    is_int(post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"n@example.net\"}").status, 200,
           "another client is not touched");
    door->client_address = NULL;
}

/* All mails to one address, whoever asks and for what. */
static void test_mail(void)
{
    const char *body = "{\"username\":\"Bombed@example.org\"}";
    int sent = 0;

    afresh();
    for (; sent < 20; sent++) {
        const char *bearer = sent % 2 ? login("ada@example.org") : door->key;
        if (post("/v1/users/invite", bearer, body).status != 200)
            break;
    }
    is_int(sent, 10, "mail 10/1h: ten invitations to one address, of two callers # security 80");
    const char *before = state();
    door_answer_t answer = post("/v1/users/invite", door->key, "{\"username\":\"bombed@EXAMPLE.org\"}");
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "the next is 429, in any spelling");
    ok(retry_after(&answer) > 3500 && retry_after(&answer) <= 3600, "... for an hour");
    is_str(state(), before, "... and nothing is written");
    accepted(post("/v1/users/invite", door->key, "{\"username\":\"spared@example.org\"}"), 200,
             "another address is not touched");
    pass(retry_after(&answer));
    accepted(post("/v1/users/invite", door->key, body), 200, "after so many seconds there is another");

    /* Resets count, too; they are answered as ever. */
    afresh();
    rate(IDENTITY_RATE_MAIL, 2, 3600);
    const char *seen = "";
    for (int i = 0; i < 3; i++)
        seen = text("%s%d ", seen,
                    post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"%s\"}", victim)).status);
    is_str(seen, "200 200 200 ", "a reset over the limit is answered as others are # security 15");
    is_int(count(text("SELECT count(*) FROM outbox WHERE recipient = '%s' AND created_at >= %" APR_INT64_T_FMT, victim,
                      (apr_int64_t)(door->now - apr_time_from_sec(60)))),
           2, "... and sends no mail # security 28");
    door->settings.rates = identity_rates_standard;
}

static void test_credentials(void)
{
    const char *bearer = login("ada@example.org");

    afresh();
    bearer = login("ada@example.org");
    rate(IDENTITY_RATE_READ, 3, 60);
    rate(IDENTITY_RATE_WRITE, 2, 60);
    rate(IDENTITY_RATE_INVITE, 4, 3600);
    for (int i = 0; i < 3; i++)
        is_int(get(i ? "/v1/roles" : "/v1/users", door->key).status, 200, "read 3/1m: number %d", i + 1);
    door_answer_t answer = get("/v1/users/search", door->key);
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "... and no other # security 80");
    is_int(retry_after(&answer), 60, "... for a minute");
    is_int(door_call(door, "HEAD", "/v1/users", door->key, NULL).status, 429, "HEAD reads");
    is_int(door_call(door, "OPTIONS", "/v1/users", door->key, NULL).status, 204, "OPTIONS does not");
    is_int(get("/v1/users", door->read_key).status, 200, "another key has a count of its own");
    is_int(get("/v1/users", bearer).status, 200, "a person too");
    is_int(get("/v1/users", "idk_x").status, 401, "a bad one has none");
    for (int i = 0; i < 2; i++)
        is_int(post("/v1/roles", door->key, text("{\"name\":\"Limit %d\"}", i)).status, 200, "write 2/1m: number %d",
               i + 1);
    is_int(post("/v1/roles", door->key, "{\"name\":\"Limit\"}").status, 429, "... and no other # security 80");
    is_int(count("SELECT count(*) FROM roles WHERE name LIKE 'Limit%'"), 2, "... which is not made");
    is_int(post("/v1/roles", door->read_key, "{\"name\":\"Limit\"}").status, 403, "what is not allowed");
    is_int(post("/v1/roles", door->read_key, "{\"name\":\"Limit\"}").status, 403, "... counts");
    is_int(post("/v1/roles", door->read_key, "{\"name\":\"Limit\"}").status, 429, "... before it is asked for");
    rate(IDENTITY_RATE_WRITE, 0, 0);
    for (int i = 0; i < 3; i++)
        is_int(post("/v1/users/invite", door->key, text("{\"username\":\"i%d@example.org\"}", i)).status, 200,
               "invite 4/1h: number %d", i + 1);
    is_int(post("/v1/users", door->key, "{\"username\":\"i3@example.org\"}").status, 201,
           "a user without a password is invited too");
    is_int(post("/v1/users", door->key, "{\"username\":\"i4@example.org\"}").status, 429,
           "... and no other # security 80");
    is_int(post("/v1/users/invite", door->key, "{\"username\":\"i5@example.org\"}").status, 429, "... by either way");
    is_int(post("/v1/users", door->key, "{\"username\":\"i6@example.org\",\"password\":\"" PASSWORD "\"}").status, 201,
           "one with a password gets no mail");
    is_int(count("SELECT count(*) FROM users WHERE username LIKE 'i_@example.org'"), 5, "... that many are there");
    door->settings.rates = identity_rates_standard;
    is_int(get("/v1/users", door->key).status, 200, "off is off");
}

/* ---- every route ------------------------------------------------------------------------------------------------ */

/* A call that fails in the way its class counts. */
static door_answer_t call_route(const identity_route_t *route)
{
    const char *path = route->pattern, *open, *made = "";
    const char *body = route->rate == IDENTITY_RATE_LOGIN ? "{\"username\":\"a@b.c\",\"password\":\"" WRONG
                                                            "\",\"code\":\"x\",\"state\":\"x\",\"redirect_uri\":\"" PAGE
                                                            "\"}"
                                                          : "{\"token\":\"x\",\"new_password\":\"" PASSWORD
                                                            "\",\"email\":\"a@b.c\",\"captcha_token\":\"x\"}";

    for (; (open = strchr(path, '{')) != NULL; path = strchr(open, '}') + 1)
        made = text("%s%.*s%.*s_00000000000000000000", made, (int)(open - path), path, (int)strcspn(open + 1, "}"),
                    open + 1);
    made = text("%s%s", made, path);
    bool form = !route->body && route->form && route->rate != IDENTITY_RATE_NONE;
    door->access_cookie = form;
    door->content_type = form ? "application/x-www-form-urlencoded" : NULL;
    door_answer_t answer =
        door_call(door, route->method, made, route->credential == IDENTITY_CREDENTIAL_REQUIRED ? door->key : NULL,
                  form          ? "username=a%40b.c&password=" WRONG "&grant_type=refresh_token&client_id=x"
                  : route->body ? body
                                : NULL);
    door->access_cookie = false;
    door->content_type = NULL;
    return answer;
}

static void test_routes(void)
{
    int classes[IDENTITY_RATE_CLASSES] = {0};
    apr_array_header_t *pages = apr_array_make(door->pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(pages, const char *) = PAGE;
    door->settings.redirect_uris = pages;
    provider_t *service = provider_open(door->pool);
    const identity_captcha_t captcha = {.url = text("%s/token", service->issuer), .secret = "x"};
    service->answers[PROVIDER_TOKEN].body = "{\"success\":false}";
    door->settings.captcha = &captcha;
    door->settings.demo_account = "second";
    door->settings.sandbox = true;
    door->settings.openid = true;
    for (int class = IDENTITY_RATE_NONE + 1; class < IDENTITY_RATE_CLASSES; class ++)
        rate((identity_rate_class_t) class, 2, 60);
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        classes[route->rate]++;
        afresh();
        get("/v1/roles", door->key); /* writes the key's last use */
        pass(61);
        int first = call_route(route).status, second = call_route(route).status, third = call_route(route).status;
        ok(first != 429 && second != 429 && first < 500, "%s: twice (%d)", route->operation, first);
        /* Refreshes are counted by session, and here is none. */
        is_int(third == 429, route->rate != IDENTITY_RATE_NONE && route->rate != IDENTITY_RATE_REFRESH,
               "... and the third time (%d)", third);
        bool required = route->credential == IDENTITY_CREDENTIAL_REQUIRED, page = strcmp(route->method, "GET") == 0;
        ok(required == (route->rate == IDENTITY_RATE_READ || route->rate == IDENTITY_RATE_WRITE ||
                        route->rate == IDENTITY_RATE_INVITE),
           "... counted by %s", required ? "credential" : "address");
        ok(!required || !page || route->rate == IDENTITY_RATE_READ, "... a GET is a read");
    }
    /* Of mails it is not the request that is counted. */
    for (int class = IDENTITY_RATE_NONE; class < IDENTITY_RATE_CLASSES; class ++)
        ok((classes[class] > 0) == (class != IDENTITY_RATE_MAIL), "%d routes of class %d", classes[class], class);
    door->settings.captcha = NULL;
    door->settings.rates = identity_rates_standard;
}

static void test_log(void)
{
    afresh();
    door->log = "";
    attempt("192.0.2.1", "<script>\\r\\nID0361: failed login from 8.8.8.8", WRONG);
    is_str(door->log, "ID0361: failed login from 192.0.2.1\n",
           "a failed login is a line, without the name # security 84");
    door->log = "";
    attempt("192.0.2.1\nID0361: failed login from 8.8.8.8", "a@b.c", WRONG);
    is_str(door->log, "ID0361: failed login from 192.0.2.1\\x0aID0361: failed login from 8.8.8.8\n",
           "... and one line only # security 85");
    door->log = "";
    door->client_address = "2001:db8::1";
    redeem("/v1/oauth/activate-user", "x");
    is_str(door->log, "ID0361: failed token from 2001:db8::1\n", "a wrong secret too");
    door->client_address = NULL;
    rate(IDENTITY_RATE_LOGIN, 0, 0);
    door->log = "";
    attempt("192.0.2.1", "a@b.c", WRONG);
    is_str(door->log, "ID0361: failed login from 192.0.2.1\n", "also where nothing is limited");
    door->log = NULL;
    is_int(failures("192.0.2.1", "a@b.c", 40), 40, "... as off is off");
    door->settings.rates = identity_rates_standard;
}

/* M7: an operator lets somebody try again. Other accounts and addresses count on. */
static void follow(void)
{
    door->ticks += apr_time_from_sec(1);
    ok(identity_poll_changes(door->pool, &door->env), "changes are read");
}

static void test_unlock(const char *id)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    afresh();
    door_remember(door, 10);
    is_int(failures("192.0.2.20", victim, 20), 10, "ten failures");
    is_int(failures("192.0.2.21", "ada@example.org", 20), 10, "ten at another account from another address");
    is_int(attempt("192.0.2.22", victim, PASSWORD).status, 429, "the account is bound for its network, too");
    ok(!identity_user_unlock(door->pool, &door->env, door->other_entity_id, id, NULL, &problem),
       "M7: not in another entity");
    is_int(problem.kind, IDENTITY_PROBLEM_USER_NOT_FOUND, "... where there is no such user");
    ok(!identity_user_unlock(door->pool, &door->env, door->entity_id, id, "192.0.2", &problem), "M7: no address");
    is_int(problem.kind, IDENTITY_PROBLEM_INVALID_FIELD, "... is refused");
    follow();
    ok(identity_user_unlock(door->pool, &door->env, door->entity_id, id, NULL, &problem), "M7: unlocked");
    is_int(attempt("192.0.2.22", victim, PASSWORD).status, 429, "... which the server has to read first");
    follow();
    is_int(attempt("192.0.2.22", victim, PASSWORD).status, 200, "M7: then another address is let in");
    is_int(attempt("192.0.2.20", victim, PASSWORD).status, 429, "... that of the failures is not");
    is_int(attempt("192.0.2.22", "ada@example.org", PASSWORD).status, 429, "... nor is anybody else");
    ok(identity_user_unlock(door->pool, &door->env, door->entity_id, id, "192.0.2.20", &problem),
       "M7: the address, too");
    follow();
    is_int(attempt("192.0.2.20", victim, PASSWORD).status, 200, "M7: is let in");
    is_int(attempt("192.0.2.21", victim, PASSWORD).status, 429, "... other addresses are not");
    is_int(failures("192.0.2.23", victim, 20), 10, "M7: failures count from there on as ever");
}

int main(void)
{
    serve_begin();
    person_with("ada@example.org", "ADMIN", "");
    const char *victim_id = person_with(victim, "ADMIN", "");
    post("/v1/users/invite", door->key, "{\"username\":\"invited@example.org\"}");
    const char *id = person_with("inactive@example.org", "USER", "");
    patch(text("/v1/users/%s", id), door->key, "{\"status\":\"INACTIVE\"}");
    test_standard();
    test_login_exact();
    test_retry_after_to_the_second();
    test_login_counts_failures_only();
    test_at_once();
    test_no_enumeration();
    test_addresses();
    test_account();
    test_lockout();
    test_reset_lets_in();
    test_current_password();
    test_token();
    test_token_account();
    test_reset();
    test_mail();
    test_credentials();
    test_routes();
    test_log();
    test_unlock(victim_id);
    return serve_end();
}
