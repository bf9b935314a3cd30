/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limiting: the state of one counter, and the waits it imposes. */
#include "identity/core.h"

/* Events are kept in groups, each for as long as its newest one counts. A group only takes events of a part of the
 * period, so this many are always enough. */
#define PARTS (IDENTITY_RATE_GROUPS - 2)

#define WAIT_GROWTH  16 /* times the period, */
#define WAIT_LONGEST apr_time_from_sec(3600)

#define DISORDER apr_time_from_sec(60) /* of clocks, more than which was set by hand */

apr_interval_time_t identity_rate_longest(const identity_rate_t *rate)
{
    apr_interval_time_t cap = rate->period > WAIT_LONGEST ? rate->period : WAIT_LONGEST;
    return rate->period > cap / WAIT_GROWTH ? cap : rate->period * WAIT_GROWTH;
}

/* The clock was set back: the state refers to a future time. */
static bool from_the_future(const identity_rate_state_t *state, const identity_rate_t *rate,
                            apr_time_t now)
{
    if (state->until - now > identity_rate_longest(rate) + DISORDER)
        return true;
    return state->used > 0 && state->groups[state->used - 1].last - now > DISORDER;
}

/* Index of the oldest group that still counts. */
static int oldest(const identity_rate_state_t *state, const identity_rate_t *rate, apr_time_t now)
{
    int i = 0;

    while (i < state->used && now - state->groups[i].last >= rate->period)
        i++;
    return i;
}

static unsigned long long total_from(const identity_rate_state_t *state, int i)
{
    unsigned long long total = 0;

    for (; i < state->used; i++)
        total += state->groups[i].count;
    return total;
}

apr_interval_time_t identity_rate_wait(const identity_rate_state_t *state,
                                       const identity_rate_t *rate, apr_time_t now)
{
    if (from_the_future(state, rate, now))
        return 0;
    if (state->until > now)
        return state->until - now;
    if (state->until)
        return 0; /* the wait is over: the next attempt is allowed */
    int i = oldest(state, rate, now);
    unsigned long long total = total_from(state, i);
    if (total < rate->count)
        return 0;
    for (; total - state->groups[i].count >= rate->count; i++)
        total -= state->groups[i].count;
    return state->groups[i].last + rate->period - now;
}

static void add(identity_rate_state_t *state, const identity_rate_t *rate, apr_time_t now)
{
    int gone = oldest(state, rate, now);

    for (int i = gone; gone && i < state->used; i++)
        state->groups[i - gone] = state->groups[i];
    state->used -= gone;
    bool fits = state->used > 0 && now - state->first < rate->period / PARTS;
    if (!fits && state->used < IDENTITY_RATE_GROUPS) {
        state->groups[state->used++] = (identity_rate_group_t){.last = now};
        state->first = now;
    }
    identity_rate_group_t *newest = &state->groups[state->used - 1];
    newest->count++;
    /* Threads do not arrive in clock order. */
    if (now > newest->last)
        newest->last = now;
}

static void hold(identity_rate_state_t *state, const identity_rate_t *rate, apr_time_t now)
{
    apr_interval_time_t wait = rate->period, longest = identity_rate_longest(rate);

    for (unsigned i = 0; i < state->waits && wait < longest; i++)
        wait = wait > longest / 2 ? longest : wait * 2;
    state->waits++;
    state->used = 0;
    state->until = now + wait;
    state->quiet = state->until + wait;
}

apr_interval_time_t identity_rate_count(identity_rate_state_t *state, const identity_rate_t *rate,
                                        bool growing, apr_time_t now)
{
    apr_interval_time_t wait = identity_rate_wait(state, rate, now);

    if (wait > 0)
        return wait;
    if (from_the_future(state, rate, now) || (state->until && now >= state->quiet))
        *state = (identity_rate_state_t){0};
    if (state->until) {
        hold(state, rate, now);
        return 0;
    }
    add(state, rate, now);
    if (growing && total_from(state, 0) >= rate->count)
        hold(state, rate, now);
    return 0;
}

void identity_rate_give_back(identity_rate_state_t *state)
{
    for (int i = state->used - 1; i >= 0 && !state->until; i--)
        if (state->groups[i].count > 0) {
            state->groups[i].count--;
            return;
        }
}

apr_time_t identity_rate_idle_at(const identity_rate_state_t *state, const identity_rate_t *rate)
{
    if (state->until)
        return state->quiet;
    return state->used > 0 ? state->groups[state->used - 1].last + rate->period : 0;
}
