/* SPDX-License-Identifier: Apache-2.0 */
/* What a call has counted in the buckets of rate limits, so that it can be given back: when its work is run again, and
 * when it ends in 503 because of the database, or an outage would use up the limits of everybody who tries. Failures of
 * a credential stay counted: whoever guesses must not get tries for nothing. */
#include "call/call.h"

typedef struct taken {
    const char *key;
    bool failure;
} taken_t;

static bool counted_before(const identity_call_t *call, const char *key)
{
    for (int i = 0; call->taken && i < call->taken->nelts; i++) {
        const taken_t *taken = &APR_ARRAY_IDX(call->taken, i, taken_t);
        if (taken->failure && strcmp(taken->key, key) == 0)
            return true;
    }
    return false;
}

apr_interval_time_t identity_taken_count(identity_call_t *call, const char *key,
                                         const identity_rate_t *rate, bool failure)
{
    /* One failure of a call counts once, however often its work is run. */
    if (failure && counted_before(call, key))
        return 0;
    apr_interval_time_t wait = identity_counters_count(call->env->counters, key, rate, failure,
                                                       call->env->now(call->env->context));
    if (wait)
        return wait;
    if (!call->taken)
        call->taken = apr_array_make(call->pool, 3, sizeof(taken_t));
    APR_ARRAY_PUSH(call->taken, taken_t) = (taken_t){key, failure};
    return 0;
}

int identity_taken(const identity_call_t *call)
{
    return call->taken ? call->taken->nelts : 0;
}

void identity_taken_give_back(identity_call_t *call, int first)
{
    int stay = first;

    for (int i = first; i < identity_taken(call); i++) {
        taken_t *taken = &APR_ARRAY_IDX(call->taken, i, taken_t);
        if (taken->failure)
            APR_ARRAY_IDX(call->taken, stay++, taken_t) = *taken;
        else
            identity_counters_give_back(call->env->counters, taken->key);
    }
    if (call->taken)
        call->taken->nelts = stay;
}
