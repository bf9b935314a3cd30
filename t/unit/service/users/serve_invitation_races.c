/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen at once on one invitation: accepted, revoked, sent again, made. Whatever the order, it ends once, and one
 * link is good at most (security 21, 23, 24). route update_invitation create_invitation activate_user */
#include "routes.h"
#include "users/users.h"
#include "serve_racers.h"

#define ALL    16
#define ROUNDS 4

static int number; /* of the person in hand */
static const char *path, *token;

static const char *address(void)
{
    return text("racer%d@example.org", number);
}

/* A new person's invitation, and its secret, which its mail never told. */
static void invite(void)
{
    unsigned char key[32];

    number++;
    door->platform_id = door->account_id;
    door_answer_t answer =
        post("/v1/invitations", door->key, text("{\"email\":\"%s\",\"roleID\":\"read-only\"}", address()));
    door->platform_id = NULL;
    path = text("/v1/invitations/%s", door_text(&answer, "id"));
    const char *id = rows(text("SELECT id FROM outbox WHERE recipient = '%s'", address()));
    identity_keyset_derive(door->env.keys, 0, IDENTITY_SEAL_OUTBOX, key);
    token = identity_unseal(door->pool, key, rows(text("SELECT sealed FROM outbox WHERE id = '%s'", id)), id);
    if (!token)
        bail("no secret");
}

static void accepts(int racer)
{
    ask(racer, "POST", "/v1/oauth/activate-user", text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token));
    racers[racer].nobody = true;
}

static void revokes(int racer)
{
    ask(racer, "POST", path, "{\"state\":\"revoked\"}");
}

static void resends(int racer)
{
    ask(racer, "POST", path, NULL);
}

static int times(const char *statuses, const char *status)
{
    int found = 0;

    for (; (statuses = strstr(statuses, status)); statuses++)
        found++;
    return found;
}

/* State of the invitation, status of the person, links that are good, mails that wait. */
static const char *left(void)
{
    return rows(
        text("SELECT i.state, u.status, (SELECT COUNT(*) FROM secrets s WHERE s.user_id = u.id AND s.ended_at = "
             "0), (SELECT COUNT(*) FROM outbox o WHERE o.user_id = u.id AND o.state = 'queued') "
             "FROM invitations i JOIN users u ON u.id = i.user_id WHERE i.email = '%s'",
             address()));
}

static void test_alike(void (*racer)(int), int wins, const char *end, const char *what)
{
    for (int round = 0; round < ROUNDS; round++) {
        invite();
        for (int i = 0; i < ALL; i++)
            racer(i);
        const char *statuses = race(ALL);
        is_str(text("%d won, %d not", times(statuses, "200"), times(statuses, "400")),
               text("%d won, %d not", wins, ALL - wins), "%d at once %s # security 21", ALL, what);
        is_str(left(), end, "... and it is so");
    }
}

static void test_accept_or_revoke(void)
{
    int accepted = 0;

    for (int round = 0; round < 3 * ROUNDS; round++) {
        invite();
        for (int i = 0; i < ALL; i++)
            (i % 2 ? accepts : revokes)(i);
        const char *statuses = race(ALL), *end = left();
        bool taken = strcmp(end, "accepted|ACTIVE|0|0") == 0;
        accepted += taken;
        is_str(text("%d won; %s", times(statuses, "200"), taken ? "revoked|INVITE_REVOKED|0|0" : end),
               "1 won; revoked|INVITE_REVOKED|0|0", "accepted or revoked, by one of %d # security 23", ALL);
    }
    diag("accepted %d times of %d", accepted, 3 * ROUNDS);
}

/* Whoever sends it again in between makes the link that is raced for a dead one. */
static void test_all_three(void)
{
    for (int round = 0; round < 3 * ROUNDS; round++) {
        int ends = 0;
        invite();
        for (int i = 0; i < ALL; i++)
            (i % 3 == 0 ? accepts : i % 3 == 1 ? revokes : resends)(i);
        race(ALL);
        for (int i = 0; i < ALL; i++)
            ends += i % 3 != 2 && racers[i].status == 200;
        const char *end = left();
        ok(ends == 1 && (strcmp(end, "revoked|INVITE_REVOKED|0|0") == 0 || strcmp(end, "accepted|ACTIVE|0|0") == 0),
           "accepted, revoked or sent again: %d end it, and %s is what is left # security 24", ends, end);
    }
}

/* One open invitation a person. */
static void test_create(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        number++;
        for (int i = 0; i < ALL; i++) {
            ask(i, "POST", "/v1/invitations", text("{\"email\":\"%s\",\"roleID\":\"read-only\"}", address()));
            racers[i].platform_id = door->account_id;
        }
        const char *statuses = race(ALL);
        is_str(text("%d made, %d not", times(statuses, "201"), times(statuses, "400")), text("1 made, %d not", ALL - 1),
               "%d at once invite one person", ALL);
        is_str(left(), "invited|INVITED|1|1", "... who has one invitation, one link and one mail");
    }
}

int main(void)
{
    serve_begin();
    change("PRAGMA synchronous = OFF");
    get("/v1/roles?limit=1", door->key); /* writes the key's last use */
    prepare();
    test_alike(accepts, 1, "accepted|ACTIVE|0|0", "accept it");
    test_alike(revokes, 1, "revoked|INVITE_REVOKED|0|0", "revoke it");
    test_alike(resends, ALL, "invited|INVITED|1|1", "send it again");
    test_accept_or_revoke();
    test_all_three();
    test_create();
    return serve_end();
}
