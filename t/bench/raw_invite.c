/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-raw_invite DATABASE SECONDS: how many invitations a second can be written by SQLite alone: the rows that
 * POST /v1/users/invite writes of a username alone, a transaction each, with the same sync (the limit of row W6). */
#include "raw.h"

/* ?1: what ids and names end with, ?2: now, ?3: the entity. Digests are in no order, as those of tokens. */
static const char *const inserts[] = {
    "INSERT INTO users (id, entity_id, username, canonical, domain, status, active, created_at, updated_at, "
    "invite_expires_at, version) VALUES ('user_' || ?1, ?3, 'raw' || ?1 || '@bench.example', 'raw' || ?1 || "
    "'@bench.example', 'bench.example', 'INVITED', 0, ?2, ?2, ?2 + 604800000000, 1)",
    "INSERT INTO invitations (id, entity_id, user_id, email, state, invited_by, adds, created_at, modified_at, "
    "expires_at, canonical, role_slug) VALUES ('01A22F83278D' || ?1, ?3, 'user_' || ?1, 'raw' || ?1 || "
    "'@bench.example', 'invited', 'apik_8E1ATgj5OtUB5pxroqm2', 0, ?2, ?2, ?2 + 604800000000, 'raw' || ?1 || "
    "'@bench.example', 'none')",
    "INSERT INTO secrets (digest, kind, user_id, invitation_id, created_at, expires_at) VALUES "
    "(lower(hex(randomblob(32))), 'invite', 'user_' || ?1, '01A22F83278D' || ?1, ?2, ?2 + 604800000000)",
    "INSERT INTO outbox (id, entity_id, user_id, invitation_id, kind, recipient, sealed, sealed_with, state, created_at, "
    "next_attempt_at, link_expires_at, language) VALUES ('mail_' || ?1, ?3, 'user_' || ?1, '01A22F83278D' || ?1, "
    "'invite', 'raw' || ?1 || '@bench.example', hex(randomblob(54)), 'XtV2x4Y5hnbrPzDObQOmY3U7iyodBElBZpVyGVG8yCQ', "
    "'queued', ?2, ?2, ?2 + 604800000000, 'en')",
    "INSERT INTO audit_records (id, entity_id, user_id, target_entity_id, target_resource_type, target_id, action, "
    "message, reference, client_address, created_at) VALUES ('audi_' || ?1, ?3, 'apik_8E1ATgj5OtUB5pxroqm2', ?3, 'USER', "
    "'user_' || ?1, 'INVITE', 'A person was invited.', 'reqr_' || ?1, '', ?2)",
    "INSERT INTO audit_details (record_id, actor_name, target_name, client_address, user_agent, changes) VALUES "
    "('audi_' || ?1, '', 'raw' || ?1 || '@bench.example', '127.0.0.1', '', '')",
};
#define INSERTS (sizeof inserts / sizeof inserts[0])

static sqlite3_stmt *statements[INSERTS], *begin, *commit;
static long long number, started;

static void one(void)
{
    char end[21];

    snprintf(end, sizeof end, "%020lld", ++number + started);
    raw_step(begin);
    for (size_t i = 0; i < INSERTS; i++) {
        raw_text(statements[i], 1, end);
        if (sqlite3_bind_parameter_count(statements[i]) >= 2)
            raw_check(sqlite3_bind_int64(statements[i], 2, started + number), "bind");
        raw_step(statements[i]);
    }
    raw_step(commit);
}

int main(int count, char *arguments[])
{
    char entity[64] = "";

    if (count != 3) {
        fputs("usage: bench-raw_invite DATABASE SECONDS\n", stderr);
        return 2;
    }
    raw_open(arguments[1]);
    raw_one_text("SELECT id FROM entities", entity, sizeof entity);
    started = (long long)(raw_time(CLOCK_REALTIME) * 1e6);
    begin = raw_prepare("BEGIN IMMEDIATE");
    commit = raw_prepare("COMMIT");
    for (size_t i = 0; i < INSERTS; i++) {
        statements[i] = raw_prepare(inserts[i]);
        if (sqlite3_bind_parameter_count(statements[i]) >= 3)
            raw_text(statements[i], 3, entity);
    }
    printf("%.2f\n", raw_rate(CLOCK_MONOTONIC, atof(arguments[2]), one));
    return 0;
}
