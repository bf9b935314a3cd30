/* SPDX-License-Identifier: Apache-2.0 */
/* Objects shared by many answers (an account, a role, the grants of a team), cached as text in this process, and
 * expensive counts.
 *
 * A text is valid while its snapshot is current (revisions.c) and the change feed is up to date, like a cached
 * principal (principal_cache.c). Without revisions nothing is cached: every answer is built anew. */
#include <string.h>

#include "call/call.h"

typedef struct kept {
    identity_snapshot_t snapshot;
    apr_time_t until; /* of env->ticks */
    size_t length;
    char text[];
} kept_t;

bool identity_shared_begin(identity_call_t *call, apr_int64_t sequence, identity_shared_age_t *age)
{
    const identity_env_t *env = call->env;

    if (!env->shared)
        return true;
    if (!call->looked) {
        if (!sequence && !identity_db_ok(call, identity_change_sequence(call->db, &sequence)))
            return false;
        call->fresh = identity_followed_to(call, sequence);
        call->looked = true;
    }
    age->began = identity_revisions_begin(env->revisions);
    return call->problem.kind == IDENTITY_PROBLEM_NONE;
}

static apr_status_t release(void *block)
{
    identity_cache_release(block);
    return APR_SUCCESS;
}

const char *identity_shared_get(identity_call_t *call, identity_shared_kind_t kind, const char *id,
                                size_t *length)
{
    const identity_env_t *env = call->env;
    unsigned char key[IDENTITY_CACHE_KEY];

    if (!call->fresh)
        return NULL;
    identity_cache_key(env->shared, kind, id, key);
    kept_t *kept = identity_cache_get(env->shared, key);
    if (!kept)
        return NULL;
    apr_pool_cleanup_register(call->pool, kept, release, apr_pool_cleanup_null);
    if (!identity_snapshot_current(env->revisions, &kept->snapshot) ||
        env->ticks(env->context) >= kept->until)
        return NULL;
    *length = kept->length;
    return kept->text;
}

void identity_shared_keep(identity_call_t *call, identity_shared_kind_t kind, const char *id,
                          const identity_shared_age_t *age, const char *text, size_t length)
{
    const identity_env_t *env = call->env;
    unsigned char key[IDENTITY_CACHE_KEY];
    identity_snapshot_t snapshot;
    unsigned gone, evicted;

    if (!call->fresh || !identity_snapshot_take(env->revisions, age->began, age->ids, &snapshot))
        return;
    kept_t *kept = identity_cache_block(sizeof *kept + length + 1);
    if (!kept)
        return;
    kept->snapshot = snapshot;
    kept->until = env->ticks(env->context) + age->lasts;
    kept->length = length;
    memcpy(kept->text, text, length);
    identity_cache_key(env->shared, kind, id, key);
    identity_cache_put(env->shared, key, kept, &gone, &evicted);
    identity_cache_release(kept);
}
