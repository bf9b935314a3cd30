/* SPDX-License-Identifier: Apache-2.0 */
/* Delivers the outbox: leases mails in one short transaction, sends them without holding a connection, records the
 * outcome in another. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "users/users.h"

#define BATCH         20
#define LEASE         apr_time_from_sec(300)
#define BACKOFF_FIRST apr_time_from_sec(10)
#define BACKOFF_MAX   apr_time_from_sec(3600)
#define OUTAGE_MAX    apr_time_from_sec(300) /* between attempts while a mail server is down */
#define GIVE_UP       apr_time_from_sec(5 * 86400) /* RFC 5321, 4.5.4.1 */
/* Another process may have just created the key: a mail waits for it this often, a minute in all. */
#define KEY_ATTEMPTS  4

typedef struct round {
    const char *owner;
    identity_courier_t *courier;
    apr_array_header_t *due; /* of identity_outbox_row_t * */
    const identity_outbox_row_t *mail;
    identity_delivery_t verdict;
    apr_time_t next; /* attempt */
    const char *error;
    apr_int64_t held;
    bool waiting;
} round_t;

/* A process of this host that no longer exists. One that merely cannot be signalled is alive. */
static bool dead_owner(const char *owner, const char *self)
{
    const char *colon = strrchr(self, ':');
    size_t host = colon ? (size_t)(colon - self) + 1 : 0;

    if (strcmp(owner, self) == 0 || strncmp(owner, self, host) != 0)
        return false;
    long pid = strtol(owner + host, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Left by a finished round (whose result could not be recorded) or by a dead process. */
static bool left_behind(const char *owner, const char *self)
{
    return strcmp(owner, self) == 0 || dead_owner(owner, self);
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
        waiting += left_behind(APR_ARRAY_IDX(owners, i, const char *), round->owner);
    round->waiting = waiting > 0 || round->courier->unrecorded[0];
    return true;
}

/* Records a mail that was sent during a database outage, unless another node has taken it over. */
static bool write_unrecorded(identity_call_t *call, const round_t *round)
{
    bool found;

    return !round->courier->unrecorded[0] ||
           identity_db_found(call,
                             identity_outbox_sent(call->db, round->courier->unrecorded,
                                                  round->owner, round->courier->sent_at),
                             &found);
}

static bool write_claim(identity_call_t *call, void *data)
{
    round_t *round = data;
    apr_array_header_t *owners = NULL;

    if (!write_unrecorded(call, round) ||
        !identity_db_ok(call, identity_outbox_owners(call->db, call->now, &owners)))
        return false;
    for (int i = 0; i < owners->nelts; i++) {
        const char *owner = APR_ARRAY_IDX(owners, i, const char *);
        if (left_behind(owner, round->owner) &&
            !identity_db_ok(call, identity_outbox_abandon(call->db, owner)))
            return false;
    }
    return identity_db_ok(call, identity_outbox_claim(call->db, round->owner, call->now,
                                                      call->now + LEASE, BATCH, &round->due));
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
    return apr_pstrmemdup(pool, host,
                          host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/"));
}

/* A filter may quote the link that it rejects. */
static const char *without_token(apr_pool_t *pool, const char *error)
{
    static const char *const prefixes[] = {IDENTITY_TOKEN_INVITE, IDENTITY_TOKEN_RESET,
                                           IDENTITY_TOKEN_CHANGE};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *at = strstr(error, prefixes[i]);
        if (at)
            return apr_pstrcat(pool, apr_pstrmemdup(pool, error, (size_t)(at - error)), "...",
                               NULL);
    }
    return error;
}

/* Details are stored in the row, since the user's name may change meanwhile. */
static void read_details(identity_call_t *call, const identity_outbox_row_t *row,
                         identity_mail_values_t *values)
{
    json_t *details = row->details && *row->details ? json_loads(row->details, 0, NULL) : NULL;

    if (!details || !identity_json_own(call->pool, details))
        return;
    const char *username = identity_json_string(details, "username");
    if (username)
        values->username = username;
    values->address = identity_json_string(details, "address");
    values->actor = identity_json_string(details, "actor");
    if (json_is_integer(json_object_get(details, "expires_at")))
        values->expires_at = json_integer_value(json_object_get(details, "expires_at"));
}

/* The link of a mail; NULL with error and verdict. */
static const char *link_of(identity_call_t *call, round_t *round, const char *page)
{
    const identity_outbox_row_t *row = round->mail;
    const char *token = unseal(call, row);
    const char **error = &round->error;

    round->verdict = IDENTITY_DELIVERY_PERMANENT;
    if (!token && row->attempts < KEY_ATTEMPTS)
        round->verdict = IDENTITY_DELIVERY_TEMPORARY;
    if (!token)
        *error =
            "The link in this mail was sealed with a signing key that this process does not have.";
    else if (row->link_expires_at <= call->now)
        *error = "The link expired before the mail could be delivered.";
    else
        return apr_pstrcat(call->pool, call->env->settings->public_url, page, "#token=", token,
                           NULL);
    return NULL;
}

/* The mail server answers again. */
static void forget_outage(const identity_call_t *call, identity_courier_t *courier)
{
    if (courier->failures > 0)
        identity_metric_add(call->env->metrics, IDENTITY_METRIC_MAIL_OUTAGES, -1);
    courier->failures = 0;
}

static void send_one(identity_call_t *call, round_t *round, const identity_stop_t *stop)
{
    const identity_settings_t *settings = call->env->settings;
    const identity_outbox_row_t *row = round->mail;
    /* A name from an older database may contain whole sentences, which would look like this server's. */
    const char *inviter = identity_username_valid(row->inviter) ? row->inviter : NULL;
    const char *host = host_of(call->pool, settings->public_url);
    identity_mail_kind_t kind;
    identity_mail_t mail = {.id = row->id,
                            .from = settings->mail_from,
                            .to = row->recipient,
                            .date = row->created_at,
                            .host = host};
    identity_mail_values_t values = {.username = row->username ? row->username : row->recipient,
                                     .site = host,
                                     .expires_at = row->link_expires_at,
                                     .inviter = inviter,
                                     .account = row->account};

    round->verdict = IDENTITY_DELIVERY_PERMANENT;
    if (!identity_mail_kind_named(row->kind, &kind)) {
        round->error = "This version does not know this kind of mail.";
        return;
    }
    const char *page = identity_mail_kind_page(kind);
    values.link = page ? link_of(call, round, page) : NULL;
    if (page && !values.link)
        return;
    read_details(call, row, &values);
    identity_mail_render(call->pool, settings->mail_templates, kind, row->language, &values, &mail);
    round->verdict = identity_mail_send(call->pool, settings->mail, &mail, stop, &round->error);
    if (round->error)
        round->error = without_token(call->pool, round->error);
    if (round->verdict <= IDENTITY_DELIVERY_PERMANENT)
        forget_outage(call, round->courier);
}

static apr_interval_time_t doubled(apr_interval_time_t first, unsigned times,
                                   apr_interval_time_t most)
{
    apr_interval_time_t wait = first;

    for (unsigned i = 1; i < times && wait < most; i++)
        wait *= 2;
    return wait < most ? wait : most;
}

/* A server that fails is left alone for 10 s, 20 s, 40 s ... up to five minutes, and up to a quarter more, so that
 * several nodes do not return at the same time. */
static void remember_outage(identity_call_t *call, round_t *round)
{
    identity_courier_t *courier = round->courier;
    unsigned char chance = 0;

    if (courier->failures == 0)
        identity_metric_add(call->env->metrics, IDENTITY_METRIC_MAIL_OUTAGES, 1);
    apr_interval_time_t wait = doubled(BACKOFF_FIRST, ++courier->failures, OUTAGE_MAX);
    call->env->random.fill(call->env->random.context, &chance, sizeof chance);
    wait += wait / 4 * chance / 255;
    courier->not_before = call->now + wait;
    identity_log(call, IDENTITY_LOG_ERROR,
                 "ID0307: mail cannot be sent; next attempt in %d s (mail %s): %s",
                 (int)apr_time_sec(wait), round->mail->id, round->error);
}

/* A clock that was set back does not delay mail. */
static bool is_away(const identity_call_t *call, const identity_courier_t *courier)
{
    return call->now < courier->not_before && courier->not_before - call->now <= 2 * OUTAGE_MAX;
}

/* Each refusal of a mail doubles its own wait: 10 s, 20 s, 40 s ... up to an hour. A failure of the whole server
 * does not count against the mail; it is retried when the server is. */
static apr_time_t next_attempt(const identity_call_t *call, const round_t *round)
{
    if (round->verdict == IDENTITY_DELIVERY_UNAVAILABLE)
        return round->courier->not_before;
    return call->now + doubled(BACKOFF_FIRST, (unsigned)round->mail->attempts, BACKOFF_MAX);
}

/* For an undelivered notice: at its first failure, and when it is given up. */
static bool write_untold(identity_call_t *call, const round_t *round)
{
    const identity_outbox_row_t *row = round->mail;
    bool for_good = round->verdict == IDENTITY_DELIVERY_PERMANENT;
    bool failed = for_good || (round->verdict != IDENTITY_DELIVERY_SENT &&
                               round->verdict != IDENTITY_DELIVERY_STOPPED && row->attempts == 1);

    return !failed || row->link_expires_at || identity_notice_failed(call, row, for_good);
}

static bool write_outcome(identity_call_t *call, void *data)
{
    round_t *round = data;
    const identity_outbox_row_t *row = round->mail;
    identity_db_status_t status;
    bool found;

    if (round->verdict == IDENTITY_DELIVERY_STOPPED)
        status = identity_outbox_return(call->db, row->id, round->owner, round->error);
    else if (round->verdict == IDENTITY_DELIVERY_SENT)
        status = identity_outbox_sent(call->db, row->id, round->owner, call->now);
    else if (round->verdict == IDENTITY_DELIVERY_PERMANENT)
        status = identity_outbox_give_up(call->db, row->id, round->owner, round->error);
    else
        status = identity_outbox_retry(call->db, row->id, round->owner, round->next, round->error);
    return identity_db_found(call, status, &found) && (!found || write_untold(call, round));
}

static void count(const identity_call_t *call, identity_delivery_t verdict)
{
    identity_metric_t metric = verdict == IDENTITY_DELIVERY_SENT ? IDENTITY_METRIC_MAILS_SENT
                               : verdict == IDENTITY_DELIVERY_PERMANENT
                                   ? IDENTITY_METRIC_MAILS_FAILED
                                   : IDENTITY_METRIC_MAILS_DEFERRED;
    if (verdict != IDENTITY_DELIVERY_STOPPED)
        identity_metric_add(call->env->metrics, metric, 1);
}

/* Earlier mails of the batch may have taken time: mails cancelled or replaced meanwhile are not sent. */
static bool read_held(identity_call_t *call, void *data)
{
    round_t *round = data;
    return identity_db_ok(
        call, identity_outbox_held(call->db, round->mail->id, round->owner, &round->held));
}

/* False if the outcome could not be recorded: the round ends, and the next one starts by recording it. */
static bool deliver_one(identity_call_t *call, round_t *round, const identity_stop_t *stop)
{
    identity_courier_t *courier = round->courier;
    const identity_outbox_row_t *row = round->mail;

    round->error = NULL;
    round->verdict = IDENTITY_DELIVERY_STOPPED;
    if (!identity_read(call, read_held, round))
        return false;
    if (!round->held)
        return true;
    send_one(call, round, stop);
    call->now = call->env->now(call->env->context);
    if (round->verdict == IDENTITY_DELIVERY_UNAVAILABLE ||
        round->verdict == IDENTITY_DELIVERY_INTERRUPTED)
        remember_outage(call, round);
    if (round->error && !is_away(call, courier))
        identity_log(call, IDENTITY_LOG_WARNING, "ID0303: mail %s, attempt %d: %s", row->id,
                     row->attempts, round->error);
    round->next = next_attempt(call, round);
    bool over = row->link_expires_at && round->next >= row->link_expires_at;
    if (round->error && (over || round->next - row->created_at >= GIVE_UP))
        round->verdict = IDENTITY_DELIVERY_PERMANENT;
    count(call, round->verdict);
    if (identity_write(call, write_outcome, round))
        return true;
    if (round->verdict == IDENTITY_DELIVERY_SENT) {
        apr_cpystrn(courier->unrecorded, row->id, sizeof courier->unrecorded);
        courier->sent_at = call->now;
    }
    identity_log(call, IDENTITY_LOG_ERROR, "ID0304: the outcome of mail %s could not be recorded",
                 row->id);
    return false;
}

static bool must_return(const identity_call_t *call, const round_t *round,
                        const identity_stop_t *stop, apr_time_t leased_until)
{
    /* What could outlast its lease is returned: another node may take it then. */
    return is_away(call, round->courier) || (stop && stop->asked(stop->context)) ||
           call->now + apr_time_from_sec(call->env->settings->mail->timeout) >= leased_until;
}

static bool begin_round(identity_call_t *call, round_t *round)
{
    /* Most rounds find nothing: those only read. */
    if (!identity_read(call, read_due, round) ||
        (round->waiting && !identity_write(call, write_claim, round))) {
        identity_log(call, IDENTITY_LOG_ERROR, "ID0305: the outbox cannot be read");
        return false;
    }
    round->courier->unrecorded[0] = '\0';
    return true;
}

int identity_deliver(apr_pool_t *pool, const identity_env_t *env, const char *owner,
                     identity_courier_t *courier, const identity_stop_t *stop)
{
    identity_call_t call;
    round_t round = {.owner = owner, .courier = courier};
    const char *outage = NULL;
    bool recorded = true;
    int sent = 0;

    if (!env->settings->mail)
        return 0;
    identity_call_begin(&call, pool, env, NULL);
    if (is_away(&call, courier) || !begin_round(&call, &round))
        return 0;
    apr_time_t leased_until = call.now + LEASE;
    for (int i = 0; i < round.due->nelts && recorded; i++) {
        round.mail = APR_ARRAY_IDX(round.due, i, identity_outbox_row_t *);
        apr_pool_create(&call.pool, pool);
        if (must_return(&call, &round, stop, leased_until)) {
            round.verdict = IDENTITY_DELIVERY_STOPPED;
            round.error = outage;
            recorded = identity_write(&call, write_outcome, &round);
        } else {
            recorded = deliver_one(&call, &round, stop);
            sent += round.verdict == IDENTITY_DELIVERY_SENT;
            outage = is_away(&call, courier) ? apr_pstrdup(pool, round.error) : NULL;
        }
        /* Also closes the connection to the mail server. */
        apr_pool_destroy(call.pool);
    }
    return recorded ? sent : 0;
}
