/* The outbox, emptied: leases in one short transaction, mail with no connection held, what became of it in another
 * (architecture, decision 8). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "service_int.h"

#define BATCH         20
#define LEASE         apr_time_from_sec(300)
#define ATTEMPTS      12
#define BACKOFF_FIRST apr_time_from_sec(10)
#define BACKOFF_MAX   apr_time_from_sec(3600)

typedef struct round {
    const char *owner;
    apr_array_header_t *due; /* of identity_outbox_row_t * */
    const identity_outbox_row_t *mail;
    identity_delivery_t verdict;
    const char *error;
    bool returned, waiting;
} round_t;

/* HOST:PID of this host whose process is gone. A process that merely cannot be signalled is alive. */
static bool dead_owner(const char *owner, const char *self)
{
    const char *colon = strrchr(self, ':');
    size_t host = colon ? (size_t)(colon - self) + 1 : 0;

    if (strcmp(owner, self) == 0 || strncmp(owner, self, host) != 0)
        return false;
    long pid = strtol(owner + host, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static bool read_due(identity_call_t *call, void *data)
{
    round_t *round = data;
    apr_int64_t waiting = 0;
    apr_array_header_t *owners = NULL;

    if (!identity_db_ok(call, identity_outbox_waiting(call->db, call->now, &waiting)) ||
        !identity_db_ok(call, identity_outbox_owners(call->db, call->now, &owners)))
        return false;
    round->due = apr_array_make(call->pool, 1, sizeof(void *));
    for (int i = 0; i < owners->nelts; i++)
        waiting += dead_owner(APR_ARRAY_IDX(owners, i, const char *), round->owner);
    round->waiting = waiting > 0;
    return true;
}

static bool write_claim(identity_call_t *call, void *data)
{
    round_t *round = data;
    apr_array_header_t *owners = NULL;

    if (!identity_db_ok(call, identity_outbox_owners(call->db, call->now, &owners)))
        return false;
    for (int i = 0; i < owners->nelts; i++) {
        const char *owner = APR_ARRAY_IDX(owners, i, const char *);
        if (dead_owner(owner, round->owner) && !identity_db_ok(call, identity_outbox_abandon(call->db, owner)))
            return false;
    }
    return identity_db_ok(
        call, identity_outbox_claim(call->db, round->owner, call->now, call->now + LEASE, BATCH, &round->due));
}

static const char *unseal(identity_call_t *call, const identity_outbox_row_t *row)
{
    unsigned char key[32];

    if (!identity_sealing_key(call, row->sealed_with, IDENTITY_SEAL_OUTBOX, key))
        return NULL;
    const char *token = identity_unseal(call->pool, key, row->sealed, row->id);
    identity_wipe(key, sizeof key);
    return token;
}

static const char *host_of(apr_pool_t *pool, const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return apr_pstrmemdup(pool, host, host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/"));
}

static void send_one(identity_call_t *call, round_t *round)
{
    const identity_settings_t *settings = call->env->settings;
    const identity_outbox_row_t *row = round->mail;
    bool invite = strcmp(row->kind, "invite") == 0;
    const char *token = unseal(call, row);
    identity_mail_t mail = {.id = row->id, .from = settings->mail_from, .to = row->recipient, .date = row->created_at};
    identity_mail_values_t values = {.username = row->recipient,
                                     .site = host_of(call->pool, settings->public_url),
                                     .expires_at = row->link_expires_at};

    round->verdict = IDENTITY_DELIVERY_PERMANENT;
    if (!token) {
        round->error = "The signing key that sealed this mail's link is not among the keys any more.";
        return;
    }
    if (row->link_expires_at <= call->now) {
        round->error = "The link expired before the mail could be delivered.";
        return;
    }
    values.link =
        apr_pstrcat(call->pool, settings->public_url,
                    invite ? "/v1/oauth/activate-user#token=" : "/v1/oauth/reset-password#token=", token, NULL);
    identity_mail_render(call->pool, invite ? IDENTITY_MAIL_INVITE : IDENTITY_MAIL_RESET, &values, &mail);
    round->verdict = identity_mail_send(call->pool, settings->mail, &mail, &round->error);
}

/* 10 s, 20 s, 40 s ... to an hour. */
static apr_time_t next_attempt(const identity_call_t *call, int attempts)
{
    apr_interval_time_t wait = BACKOFF_FIRST;

    for (int i = 1; i < attempts && wait < BACKOFF_MAX; i++)
        wait *= 2;
    return call->now + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
}

static bool write_outcome(identity_call_t *call, void *data)
{
    const round_t *round = data;
    const identity_outbox_row_t *row = round->mail;
    identity_db_status_t status;
    bool found;

    if (round->returned)
        status = identity_outbox_return(call->db, row->id, round->owner);
    else if (round->verdict == IDENTITY_DELIVERY_SENT)
        status = identity_outbox_sent(call->db, row->id, round->owner, call->now);
    else if (round->verdict == IDENTITY_DELIVERY_TEMPORARY && row->attempts < ATTEMPTS)
        status =
            identity_outbox_retry(call->db, row->id, round->owner, next_attempt(call, row->attempts), round->error);
    else
        status = identity_outbox_give_up(call->db, row->id, round->owner, round->error);
    return identity_db_found(call, status, &found);
}

int identity_deliver(apr_pool_t *pool, const identity_env_t *env, const char *owner, bool (*stop)(void *context),
                     void *stop_context)
{
    identity_call_t call;
    round_t round = {.owner = owner};
    int sent = 0;

    if (!env->settings->mail)
        return 0;
    identity_call_begin(&call, pool, env, NULL);
    /* Most rounds find nothing: those only read. */
    if (!identity_read(&call, read_due, &round) || (round.waiting && !identity_write(&call, write_claim, &round))) {
        identity_log(&call, IDENTITY_LOG_ERROR, "ID0305: the outbox cannot be read");
        return 0;
    }
    apr_time_t leased_until = call.now + LEASE;
    for (int i = 0; i < round.due->nelts; i++) {
        round.mail = APR_ARRAY_IDX(round.due, i, identity_outbox_row_t *);
        round.error = NULL;
        /* What could outlast its lease is given back: another node may take it then. */
        round.returned =
            stop(stop_context) || call.now + apr_time_from_sec(env->settings->mail->timeout) >= leased_until;
        apr_pool_create(&call.pool, pool);
        if (!round.returned) {
            send_one(&call, &round);
            sent += round.verdict == IDENTITY_DELIVERY_SENT;
        }
        call.now = env->now(env->context);
        if (round.error)
            identity_log(&call, IDENTITY_LOG_WARNING, "ID0303: mail %s, attempt %d: %s", round.mail->id,
                         round.mail->attempts, round.error);
        if (!identity_write(&call, write_outcome, &round))
            identity_log(&call, IDENTITY_LOG_ERROR, "ID0304: what became of mail %s could not be recorded",
                         round.mail->id);
        apr_pool_destroy(call.pool);
    }
    return sent;
}
