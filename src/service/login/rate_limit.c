/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits (IdentityRateLimit; security 12 to 14, 80).
 *
 * login and token count failures. Such a call is limited by several buckets at once: that of its client address
 * (IPv4: the address, IPv6: its /64), and two of the account that it names: one for each network (/24, /48) that
 * fails there, and one, ten times as high, for all networks together. Each is checked before a password is hashed,
 * and again when the result is known, so that concurrent attempts get no more tries than consecutive ones.
 *
 * A stranger must not be able to lock anybody out. The buckets of an account do not limit an address from which its
 * owner has signed in (or opened a mailed link) within the last 30 days; and a client with a live refresh cookie of
 * that very user is limited only by a bucket of its own, even behind an address that others have exhausted.
 *
 * Known and unknown names are treated alike: nothing here asks whether the user exists. */
#include <string.h>

#include <arpa/inet.h>

#include "login/login.h"

#define ALL_NETWORKS      10 /* times the rate */
#define PROOF_LIFETIME    apr_time_from_sec(30 * 86400)
#define UNLOCKED_LIFETIME apr_time_from_sec(400 * 86400)

#define MINUTE apr_time_from_sec(60)
#define HOUR   apr_time_from_sec(3600)
const identity_rates_t identity_rates_standard = {.of = {[IDENTITY_RATE_LOGIN] = {10, MINUTE},
                                                         [IDENTITY_RATE_TOKEN] = {30, MINUTE},
                                                         [IDENTITY_RATE_RESET] = {5, HOUR},
                                                         [IDENTITY_RATE_INVITE] = {1000, HOUR},
                                                         [IDENTITY_RATE_MAIL] = {10, HOUR},
                                                         [IDENTITY_RATE_REFRESH] = {60, HOUR}}};

static const char *const names[IDENTITY_RATE_CLASSES] = {
    [IDENTITY_RATE_LOGIN] = "login", [IDENTITY_RATE_TOKEN] = "token",
    [IDENTITY_RATE_RESET] = "reset", [IDENTITY_RATE_INVITE] = "invite",
    [IDENTITY_RATE_MAIL] = "mail",   [IDENTITY_RATE_REFRESH] = "refresh",
    [IDENTITY_RATE_READ] = "read",   [IDENTITY_RATE_WRITE] = "write"};

const char *identity_rate_class_name(identity_rate_class_t class)
{
    return names[class];
}

identity_rate_class_t identity_rate_class_find(const char *name)
{
    for (int class = IDENTITY_RATE_NONE + 1; class < IDENTITY_RATE_CLASSES; class ++)
        if (strcasecmp(names[class], name) == 0)
            return (identity_rate_class_t) class;
    return IDENTITY_RATE_NONE;
}

const char *identity_rate_class_names(apr_pool_t *pool)
{
    const char *list = names[IDENTITY_RATE_NONE + 1];

    for (int class = IDENTITY_RATE_NONE + 2; class < IDENTITY_RATE_CLASSES; class ++)
        list = apr_pstrcat(pool, list, class == IDENTITY_RATE_CLASSES - 1 ? " or " : ", ",
                           names[class], NULL);
    return list;
}

/* ---- names of counters ------------------------------------------------------------------------------------------ */

/* A rate belongs to the host name: other hosts count separately. what comes last, since it may contain anything. */
static const char *key_of(identity_call_t *call, identity_rate_class_t class, const char *kind,
                          const char *where, const char *what)
{
    const identity_rate_t *rate = &call->env->settings->rates.of[class];

    return apr_psprintf(call->pool, "%s %u/%" APR_INT64_T_FMT " %s %s\n%s\n%s", names[class],
                        rate->count, (apr_int64_t)rate->period, kind, where,
                        call->env->counters_scope, what);
}

static const char *proof_of(identity_call_t *call, const char *account)
{
    return apr_psprintf(call->pool, "%s\n%s\n%s", identity_client_address(call),
                        call->env->counters_scope, account);
}

#define RESETS_OF_CLIENT  100 /* times as many as for one address */
#define CHANGES_OF_PERSON 2

/* ---- what all classes do ---------------------------------------------------------------------------------------- */

static apr_time_t now(const identity_call_t *call)
{
    return call->env->now(call->env->context);
}

static bool limited(const identity_call_t *call, identity_rate_class_t class)
{
    bool local = call->principal && call->principal->kind == IDENTITY_CALLER_LOCAL;
    return class != IDENTITY_RATE_NONE && call->env->counters &&
           call->env->settings->rates.of[class].count > 0 && !local;
}

/* The line that conf/fail2ban matches. It contains no user name: people type passwords there. */
static void log_throttled(const identity_call_t *call, const char *what,
                          identity_rate_class_t class)
{
    const char *address = call->in && call->in->client_address ? call->in->client_address : "-";

    identity_log(call, IDENTITY_LOG_WARNING, "ID0361: %s %s from %s", what, names[class], address);
}

/* The metrics for throttled requests are in the order of the classes. */
#define METRIC_OF(class) (IDENTITY_METRIC_RATE_LIMITED_LOGIN + ((class) - IDENTITY_RATE_LOGIN))
_Static_assert(METRIC_OF(IDENTITY_RATE_WRITE) == IDENTITY_METRIC_RATE_LIMITED_WRITE,
               "a class without its counter");
_Static_assert(METRIC_OF(IDENTITY_RATE_MAIL) == IDENTITY_METRIC_RATE_LIMITED_MAIL,
               "a class without its counter");

static void tell_throttled(const identity_call_t *call, identity_rate_class_t class)
{
    log_throttled(call, "throttled", class);
    identity_metric_add(call->env->metrics, METRIC_OF(class), 1);
}

static bool refuse(identity_call_t *call, identity_rate_class_t class, apr_interval_time_t wait)
{
    tell_throttled(call, class);
    identity_deny(call, IDENTITY_PROBLEM_THROTTLED, NULL,
                  "Too many of these requests; please try again later.");
    call->problem.retry_after = (int)((wait + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
    return false;
}

/* The wait until another one is allowed; 0: counted. */
static apr_interval_time_t count(identity_call_t *call, identity_rate_class_t class,
                                 const char *kind, const char *what, unsigned times)
{
    if (!limited(call, class))
        return 0;
    identity_rate_t rate = call->env->settings->rates.of[class];
    rate.count *= times;
    return identity_taken_count(call, key_of(call, class, kind, "", what), &rate, false);
}

static bool take(identity_call_t *call, identity_rate_class_t class, const char *kind,
                 const char *what, unsigned times)
{
    apr_interval_time_t wait = count(call, class, kind, what, times);
    return wait == 0 || refuse(call, class, wait);
}

bool identity_ratelimit_take(identity_call_t *call, identity_rate_class_t class, const char *what)
{
    return take(call, class, "of", what, 1);
}

static bool count_mail(identity_call_t *call, const char *kind, const char *address)
{
    bool counted = count(call, IDENTITY_RATE_MAIL, kind, address, 1) == 0;

    if (!counted)
        tell_throttled(call, IDENTITY_RATE_MAIL);
    return counted;
}

bool identity_ratelimit_mail(identity_call_t *call, const char *address)
{
    return count_mail(call, "of", address);
}

bool identity_ratelimit_notice(identity_call_t *call, const char *address)
{
    return count_mail(call, "notice", identity_username_key(call->pool, address));
}

/* An endless series of new addresses would fill the database and displace other buckets. */
bool identity_ratelimit_reset(identity_call_t *call, const char *address)
{
    return take(call, IDENTITY_RATE_RESET, "by", identity_client_address(call), RESETS_OF_CLIENT) &&
           take(call, IDENTITY_RATE_RESET, "of", address, 1);
}

/* Otherwise a user could have this server write to any number of addresses. */
bool identity_ratelimit_change(identity_call_t *call, const char *user_id, const char *address)
{
    return take(call, IDENTITY_RATE_MAIL, "by", user_id, CHANGES_OF_PERSON) &&
           take(call, IDENTITY_RATE_MAIL, "of", address, 1);
}

/* ---- what an operator has unlocked ------------------------------------------------------------------------------ */

/* The networks that have failed at an account are unknown, so their buckets cannot be found and reset. Instead, a
 * mark makes the account count under another name from then on; the mark outlives the buckets under the old name. */
static const char *mark_of(identity_call_t *call, const char *where, const char *what)
{
    return apr_psprintf(call->pool, "unlocked %s\n%s\n%s", *what ? "" : where,
                        call->env->counters_scope, what);
}

static const char *since_unlocked(identity_call_t *call, const char *where, const char *what)
{
    apr_time_t mark =
        identity_counters_marked_until(call->env->counters, mark_of(call, where, what), now(call));
    return mark ? apr_psprintf(call->pool, "%s\n%" APR_TIME_T_FMT, what, mark) : what;
}

void identity_ratelimit_unlock(identity_call_t *call, const char *where, const char *what)
{
    apr_time_t moment = now(call);

    if (call->env->counters)
        identity_counters_mark(call->env->counters, mark_of(call, where, what),
                               moment + UNLOCKED_LIFETIME, moment);
}

/* ---- failures --------------------------------------------------------------------------------------------------- */

static void bind_to(identity_call_t *call, const char *kind, const char *where, const char *what,
                    unsigned times)
{
    identity_ratelimit_t *limit = &call->limit;
    const char *key = key_of(call, limit->class, kind, where, since_unlocked(call, where, what));

    for (int i = 0; i < limit->count; i++)
        if (strcmp(limit->buckets[i].key, key) == 0)
            return;
    if (limit->count == IDENTITY_RATELIMIT_BUCKETS)
        return;
    identity_ratelimit_bucket_t *bucket = &limit->buckets[limit->count++];
    bucket->key = key;
    bucket->rate = call->env->settings->rates.of[limit->class];
    bucket->rate.count *= times;
}

static apr_interval_time_t longest_wait(identity_call_t *call)
{
    const identity_ratelimit_t *limit = &call->limit;
    apr_interval_time_t longest = 0;

    for (int i = 0; i < limit->count; i++) {
        apr_interval_time_t wait = identity_counters_wait(
            call->env->counters, limit->buckets[i].key, &limit->buckets[i].rate, now(call));
        if (wait > longest)
            longest = wait;
    }
    return longest;
}

bool identity_ratelimit_check(identity_call_t *call)
{
    apr_interval_time_t wait = longest_wait(call);
    return wait == 0 || refuse(call, call->limit.class, wait);
}

bool identity_ratelimit_failed(identity_call_t *call)
{
    const identity_ratelimit_t *limit = &call->limit;

    for (int i = 0; i < limit->count; i++) {
        apr_interval_time_t wait =
            identity_taken_count(call, limit->buckets[i].key, &limit->buckets[i].rate, true);
        if (wait > 0)
            return refuse(call, limit->class, wait);
    }
    if (limit->class == IDENTITY_RATE_NONE)
        return true;
    log_throttled(call, "failed", limit->class);
    identity_metric_add(call->env->metrics,
                        limit->class == IDENTITY_RATE_LOGIN ? IDENTITY_METRIC_FAILURES_LOGIN
                                                            : IDENTITY_METRIC_FAILURES_TOKEN,
                        1);
    return true;
}

/* ---- the user's own browser ------------------------------------------------------------------------------------- */

typedef struct device {
    const char *token, *account;
    bool known;
} device_t;

static bool find_device(identity_call_t *call, void *data)
{
    device_t *device = data;
    identity_refresh_row_t *refresh;
    identity_session_row_t *session;
    identity_user_row_t *user;

    if (!identity_refresh_session(call, device->token, &refresh, &session, &user))
        return false;
    device->known = session && !refresh->spent_at &&
                    strcmp(identity_user_key(call, user), device->account) == 0;
    return true;
}

/* Asks the database only for clients that would be refused otherwise. False on an error. */
static bool rebind_device(identity_call_t *call, const char *account)
{
    device_t device = {.token = identity_refresh_cookie(call), .account = account};

    if (!device.token)
        return true;
    if (!identity_read(call, find_device, &device))
        return false;
    if (device.known) {
        call->limit.count = 0;
        bind_to(call, "device", "", account, 1);
    }
    return true;
}

/* ---- what the classes do ---------------------------------------------------------------------------------------- */

static bool enter_failures(identity_call_t *call)
{
    call->limit.class = call->route->rate;
    if (!limited(call, call->limit.class))
        return true;
    bind_to(call, "address", identity_client_address(call), "", 1);
    /* If the cookie may lift the limit, the body has to name the account; and of the grants of a form only the
     * password is a guessable secret: strangers cannot keep a program from its tokens. */
    if (call->route->rate_deferred && (call->standard || identity_refresh_cookie(call)))
        return true;
    return identity_ratelimit_check(call);
}

bool identity_ratelimit_enter(identity_call_t *call)
{
    switch (call->route->rate) {
    case IDENTITY_RATE_LOGIN:
    case IDENTITY_RATE_TOKEN:
        return enter_failures(call);
    case IDENTITY_RATE_INVITE:
    case IDENTITY_RATE_READ:
    case IDENTITY_RATE_WRITE:
        return !call->principal || identity_ratelimit_take(call, call->route->rate,
                                                           identity_credential_id(call->principal));
    default:
        return true;
    }
}

bool identity_ratelimit_account(identity_call_t *call, const char *account)
{
    if (!limited(call, call->limit.class))
        return true;
    if (account && call->limit.class != IDENTITY_RATE_LOGIN)
        bind_to(call, "account", "", account, 1);
    else if (account &&
             !(call->env->proofs &&
               identity_counters_marked(call->env->proofs, proof_of(call, account), now(call)))) {
        bind_to(call, "network", identity_client_network(call), account, 1);
        bind_to(call, "account", "", account, ALL_NETWORKS);
    }
    if (account && longest_wait(call) > 0 && call->limit.class == IDENTITY_RATE_LOGIN &&
        !rebind_device(call, account))
        return false;
    return identity_ratelimit_check(call);
}

bool identity_ratelimit_password(identity_call_t *call, const char *account)
{
    call->limit.class = IDENTITY_RATE_LOGIN;
    if (!limited(call, IDENTITY_RATE_LOGIN))
        return true;
    bind_to(call, "address", identity_client_address(call), "", 1);
    return identity_ratelimit_account(call, account);
}

bool identity_ratelimit_self(identity_call_t *call)
{
    call->limit.class = IDENTITY_RATE_LOGIN;
    if (!limited(call, IDENTITY_RATE_LOGIN))
        return true;
    bind_to(call, "self", "", call->principal->id, 1);
    return identity_ratelimit_check(call);
}

void identity_ratelimit_trust_client(identity_call_t *call, const char *account)
{
    apr_time_t moment = now(call);

    if (limited(call, IDENTITY_RATE_LOGIN) && call->env->proofs)
        identity_counters_mark(call->env->proofs, proof_of(call, account), moment + PROOF_LIFETIME,
                               moment);
}
