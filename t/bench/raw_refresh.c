/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-raw_refresh DATABASE SECONDS: how many rotations of refresh tokens a second can be written by SQLite
 * alone: what POST /v1/oauth/refresh-token reads and writes, a transaction each, with the same sync, of 16 sessions in
 * turn (the limit of row W7). */
#include "raw.h"

#define FAMILIES 16

/* ?1: what ids end with, ?2: now, ?3: the entity, ?4: the session, ?5: the live token, ?6: the next one. */
static const char *const rotation[] = {
    "BEGIN IMMEDIATE",
    "SELECT f.digest, f.session_id, f.nonce, f.created_at, f.spent_at FROM refresh_tokens f WHERE f.digest = ?5",
    "SELECT s.*, u.*, e.expires_at FROM sessions s CROSS JOIN users u CROSS JOIN entities e WHERE s.id = ?4 AND u.id = "
    "s.user_id AND e.id = s.entity_id",
    "UPDATE refresh_tokens SET spent_at = ?2, nonce = 'nonc_' || ?1 WHERE digest = ?5 AND spent_at = 0",
    "INSERT INTO refresh_tokens (digest, session_id, nonce, created_at) VALUES (?6, ?4, '', ?2)",
    "UPDATE sessions SET idle_expires_at = ?2 + 604800000000 WHERE id = ?4 AND ended_at = 0",
    "INSERT INTO audit_records (id, entity_id, user_id, target_entity_id, target_resource_type, target_id, action, "
    "message, reference, client_address, created_at) SELECT 'audi_' || ?1, ?3, s.user_id, ?3, 'SESSION', ?4, 'REFRESH', "
    "'A refresh token was exchanged.', 'reqr_' || ?1, '', ?2 FROM sessions s WHERE s.id = ?4",
    "INSERT INTO audit_details (record_id, actor_name, target_name, client_address, user_agent, changes) SELECT 'audi_' "
    "|| ?1, u.username, u.username, '127.0.0.1', '', '' FROM sessions s CROSS JOIN users u WHERE s.id = ?4 AND u.id = "
    "s.user_id",
    "COMMIT",
};
#define STATEMENTS (sizeof rotation / sizeof rotation[0])

static const char sign_in[] =
    "INSERT INTO sessions (id, entity_id, user_id, method, client_address, user_agent, created_at, authenticated_at, "
    "idle_expires_at, expires_at) SELECT ?4, ?3, u.id, 'password', '127.0.0.1', '', ?2, ?2, ?2 + 604800000000, ?2 + "
    "2592000000000 FROM users u WHERE u.active = 1 LIMIT 1";
static const char first_token[] =
    "INSERT INTO refresh_tokens (digest, session_id, nonce, created_at) VALUES (?6, ?4, '', ?2)";

static sqlite3_stmt *statements[STATEMENTS];
static char entity[64], sessions[FAMILIES][64], tokens[FAMILIES][65];
static long long number, started;

/* As the digest of a token: in no order. */
static void next_token(char token[65])
{
    unsigned char bytes[32];

    sqlite3_randomness((int)sizeof bytes, bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

static void run(sqlite3_stmt *statement, const char *end, int family, const char *next)
{
    const char *values[] = {end, NULL, entity, sessions[family], tokens[family], next};

    for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++)
        if (values[i])
            raw_text(statement, i + 1, values[i]);
        else
            raw_check(sqlite3_bind_int64(statement, i + 1, started + number), "bind");
    raw_step(statement);
}

static void one(void)
{
    int family = (int)(++number % FAMILIES);
    char end[21], next[65];

    snprintf(end, sizeof end, "%020lld", started + number);
    next_token(next);
    for (size_t i = 0; i < STATEMENTS; i++) {
        run(statements[i], end, family, next);
        if (sqlite3_sql(statements[i])[0] == 'U' && sqlite3_changes(raw) != 1) {
            fputs("bench-raw_refresh: a token was not rotated\n", stderr);
            exit(1);
        }
    }
    snprintf(tokens[family], sizeof tokens[family], "%s", next);
}

int main(int count, char *arguments[])
{
    if (count != 3) {
        fputs("usage: bench-raw_refresh DATABASE SECONDS\n", stderr);
        return 2;
    }
    raw_open(arguments[1]);
    raw_one_text("SELECT id FROM entities", entity, sizeof entity);
    started = (long long)(raw_time(CLOCK_REALTIME) * 1e6);
    for (int i = 0; i < FAMILIES; i++) {
        snprintf(sessions[i], sizeof sessions[i], "sess_%020lld", started + i);
        next_token(tokens[i]);
        run(raw_prepare(sign_in), "", i, "");
        run(raw_prepare(first_token), "", i, tokens[i]);
    }
    for (size_t i = 0; i < STATEMENTS; i++)
        statements[i] = raw_prepare(rotation[i]);
    printf("%.2f\n", raw_rate(CLOCK_MONOTONIC, atof(arguments[2]), one));
    return 0;
}
