/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen at once on one link to a new address. route confirm_address */
#include "routes.h"
#include "users/users.h"
#include "serve_racers.h"

#define ALL    16
#define ROUNDS 4

static const char *const everybody[] = {"400 400 400 400 400 400 400 400 400 400 400 400 400 400 400"};

/* The secret of the newest link, which its mail never told. */
static const char *secret(void)
{
    const char *id = rows("SELECT MAX(id) FROM outbox WHERE kind = 'change'");
    unsigned char key[32];

    identity_keyset_derive(door->env.keys, 0, IDENTITY_SEAL_OUTBOX, key);
    return identity_unseal(door->pool, key, rows(text("SELECT sealed FROM outbox WHERE id = '%s'", id)), id);
}

int main(void)
{
    serve_begin();
    const char *id = person_with("ada@example.org", "ADMIN", ""), *ada = login("ada@example.org");
    prepare();
    for (int round = 0; round < ROUNDS; round++) {
        const char *name = text("ada%d@example.org", round);
        accepted(patch(text("/v1/users/%s", id), ada,
                       text("{\"username\":\"%s\",\"current_password\":\"" PASSWORD "\"}", name)),
                 200, "round %d: a new address", round);
        const char *token = secret();
        for (int i = 0; i < ALL; i++) {
            ask(i, "POST", "/v1/oauth/confirm-address", text("{\"token\":\"%s\"}", token));
            racers[i].nobody = true;
        }
        is_str(race(ALL), text("200 %s", everybody[0]), "A4: of sixteen at once one confirms # security 21");
        is_str(rows(text("SELECT username, pending_username FROM users WHERE id = '%s'", id)), text("%s|", name),
               "... and it is so");
        is_int(
            count(
                "SELECT count(*) FROM audit_records WHERE action = 'UPDATE' AND message LIKE '%confirmed by a mailed link.'"),
            round + 1, "... on record once");
    }
    return serve_end();
}
