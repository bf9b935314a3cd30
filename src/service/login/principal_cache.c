/* SPDX-License-Identifier: Apache-2.0 */
/* The principal cache, by credential, so that the next request with the same credential needs no database.
 *
 * An entry is an immutable block, referenced by the cache and by every request that uses it. It is trusted while its
 * snapshot is current (nobody's rights have changed, revisions.c), it has not expired, and the change feed is up to
 * date (change_feed.c). If one of the latter two fails, the database is asked; during an outage, IdentityStale
 * determines for how long cached principals are still accepted. Invalid credentials are not cached: their number is
 * unlimited, and whatever makes one valid (such as a reactivated key) would have to invalidate them. */
#include <stdatomic.h>
#include <string.h>

#include "login/login.h"

/* Maximum age of the last look at the change feed. Looks are a second apart; when the process that looks ends,
 * another begins within two. */
#define TRUST     apr_time_from_sec(5)
/* Re-read after this long even without a change record, to pick up rows edited by hand. */
#define REFRESH   apr_time_from_sec(300)
#define TRY_AGAIN apr_time_from_sec(1)

typedef struct identity_cached_principal {
    _Atomic int64_t used_at; /* when a key's last use was written */
    apr_time_t ends;         /* by the wall clock; 0: never */
    apr_time_t refresh_at;   /* by env->ticks */
    identity_principal_t principal;
} cached_principal_t;

/* ---- one block -------------------------------------------------------------------------------------------------- */

/* Copies into a block; without one it only measures. */
typedef struct writer {
    char *at;
    size_t used;
} writer_t;

static void *put(writer_t *writer, const void *data, size_t size)
{
    size_t room = (size + 7) & ~(size_t)7;
    char *place = writer->at;

    writer->used += room;
    if (!place)
        return NULL;
    memcpy(place, data, size);
    writer->at += room;
    return place;
}

static const char *put_text(writer_t *writer, const char *text)
{
    return text ? put(writer, text, strlen(text) + 1) : NULL;
}

static apr_array_header_t *put_array(writer_t *writer, const apr_array_header_t *array)
{
    apr_array_header_t *copy = put(writer, array, sizeof *array);
    char *elements = put(writer, array->elts, (size_t)array->nelts * (size_t)array->elt_size);

    if (copy) {
        copy->pool = NULL;
        copy->elts = elements;
        copy->nalloc = copy->nelts;
    }
    return copy;
}

static void put_permissions(writer_t *writer, const identity_permset_t *from,
                            identity_permset_t *to)
{
    apr_array_header_t *own = from->own ? put_array(writer, from->own) : NULL;

    for (int i = 0; from->own && i < from->own->nelts; i++) {
        const char *name = put_text(writer, APR_ARRAY_IDX(from->own, i, const char *));
        if (own)
            APR_ARRAY_IDX(own, i, const char *) = name;
    }
    to->own = own;
}

static const identity_permset_t *put_whole(writer_t *writer, const identity_permset_t *from)
{
    identity_permset_t *to = put(writer, from, sizeof *from), measured = *from;

    put_permissions(writer, from, to ? to : &measured);
    return to;
}

static apr_array_header_t *put_roles(writer_t *writer, const apr_array_header_t *from)
{
    apr_array_header_t *to = from ? put_array(writer, from) : NULL;

    for (int i = 0; from && i < from->nelts; i++) {
        const identity_assigned_role_t *role = &APR_ARRAY_IDX(from, i, identity_assigned_role_t);
        identity_assigned_role_t copy = {put_text(writer, role->id), put_text(writer, role->name),
                                         put_text(writer, role->slug)};
        if (to)
            APR_ARRAY_IDX(to, i, identity_assigned_role_t) = copy;
    }
    return to;
}

static apr_array_header_t *put_teams(writer_t *writer, const apr_array_header_t *from)
{
    apr_array_header_t *to = from ? put_array(writer, from) : NULL;

    for (int i = 0; from && i < from->nelts; i++) {
        const identity_assigned_team_t *team = &APR_ARRAY_IDX(from, i, identity_assigned_team_t);
        identity_assigned_team_t copy = {put_text(writer, team->id), put_text(writer, team->name)};
        if (to)
            APR_ARRAY_IDX(to, i, identity_assigned_team_t) = copy;
    }
    return to;
}

static apr_array_header_t *put_grants(writer_t *writer, const apr_array_header_t *from)
{
    apr_array_header_t *to = put_array(writer, from);

    for (int i = 0; i < from->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(from, i, identity_grant_t);
        identity_grant_t copy = *grant;
        copy.account_id = put_text(writer, grant->account_id);
        copy.reference = put_text(writer, grant->reference);
        copy.roles = put_roles(writer, grant->roles);
        put_permissions(writer, &grant->permissions, &copy.permissions);
        copy.whole = grant->whole ? put_whole(writer, grant->whole) : NULL;
        if (to)
            APR_ARRAY_IDX(to, i, identity_grant_t) = copy;
    }
    return to;
}

/* If you add a pointer member, copy its target here. The sizes are those of 64-bit machines. */
_Static_assert(sizeof(void *) != 8 ||
                   (sizeof(identity_principal_t) == 256 && sizeof(identity_grant_t) == 88 &&
                    sizeof(identity_assigned_role_t) == 24 &&
                    sizeof(identity_assigned_team_t) == 16),
               "put_principal copies all of it");

static void put_principal(writer_t *writer, const identity_principal_t *from,
                          identity_principal_t *to)
{
    identity_principal_t copy = *from;

    copy.id = put_text(writer, from->id);
    copy.name = from->name == from->id ? copy.id : put_text(writer, from->name);
    copy.login = put_text(writer, from->login);
    copy.method = put_text(writer, from->method);
    copy.entity_id = put_text(writer, from->entity_id);
    copy.entity_reference = put_text(writer, from->entity_reference);
    copy.session_id = from->session_id == from->id ? copy.id : put_text(writer, from->session_id);
    copy.key_id = put_text(writer, from->key_id);
    put_permissions(writer, &from->entity_permissions, &copy.entity_permissions);
    copy.grants = from->grants ? put_grants(writer, from->grants) : NULL;
    copy.teams = put_teams(writer, from->teams);
    if (to)
        *to = copy;
}

static cached_principal_t *block_of(const identity_principal_t *principal)
{
    writer_t measure = {NULL, 0};

    put_principal(&measure, principal, NULL);
    cached_principal_t *entry = identity_cache_block(sizeof *entry + measure.used);
    if (entry) {
        writer_t writer = {(char *)(entry + 1), 0};
        put_principal(&writer, principal, &entry->principal);
    }
    return entry;
}

/* ---- asked ------------------------------------------------------------------------------------------------------ */

static apr_status_t release(void *entry)
{
    identity_cache_release(entry);
    return APR_SUCCESS;
}

static void hold(identity_call_t *call, identity_cache_lookup_t *lookup, cached_principal_t *entry)
{
    apr_pool_cleanup_register(call->pool, entry, release, apr_pool_cleanup_null);
    lookup->entry = entry;
}

static void count(const identity_call_t *call, identity_metric_t metric, apr_int64_t n)
{
    if (n)
        identity_metric_add(call->env->metrics, metric, n);
}

static void forget(identity_call_t *call, const identity_cache_lookup_t *lookup)
{
    if (identity_cache_drop(call->env->cache, lookup->key, lookup->entry))
        count(call, IDENTITY_METRIC_CACHE_ENTRIES, -1);
}

static bool followed_within(const identity_env_t *env, apr_interval_time_t bound)
{
    identity_change_feed_t followed = identity_revisions_followed(env->revisions);
    return followed.at && env->ticks(env->context) - followed.at < bound;
}

static bool holds(const identity_env_t *env, const cached_principal_t *entry, apr_time_t now)
{
    return identity_snapshot_current(env->revisions, &entry->principal.snapshot) &&
           (!entry->ends || now < entry->ends);
}

void identity_principal_cache_get(identity_call_t *call, unsigned kind, const char *credential,
                                  identity_cache_lookup_t *lookup)
{
    const identity_env_t *env = call->env;

    memset(lookup, 0, sizeof *lookup);
    if (!env->revisions || !credential)
        return;
    lookup->began = identity_revisions_begin(env->revisions);
    if (!env->cache)
        return;
    identity_cache_key(env->cache, kind, credential, lookup->key);
    cached_principal_t *entry = identity_cache_get(env->cache, lookup->key);
    if (entry)
        hold(call, lookup, entry);
    if (entry && holds(env, entry, call->now)) {
        lookup->principal = &entry->principal;
        lookup->sure = env->ticks(env->context) < entry->refresh_at && followed_within(env, TRUST);
    } else if (entry) {
        forget(call, lookup);
    }
    count(call, lookup->sure ? IDENTITY_METRIC_CACHE_HITS : IDENTITY_METRIC_CACHE_MISSES, 1);
}

bool identity_stale_enough(const identity_env_t *env)
{
    return env->revisions && env->settings->stale > 0 &&
           followed_within(env, TRUST + env->settings->stale);
}

bool identity_principal_cache_stale(identity_call_t *call, const identity_cache_lookup_t *lookup)
{
    const identity_env_t *env = call->env;

    if (!lookup->principal || call->problem.kind != IDENTITY_PROBLEM_UNAVAILABLE)
        return false;
    /* Changes made meanwhile by this server still count. */
    bool stale = identity_stale_enough(env) && holds(env, lookup->entry, call->now);
    count(call, stale ? IDENTITY_METRIC_CACHE_STALE : IDENTITY_METRIC_CACHE_STALE_REFUSED, 1);
    if (stale)
        call->problem.kind = IDENTITY_PROBLEM_NONE;
    return stale;
}

/* ---- told ------------------------------------------------------------------------------------------------------- */

bool identity_principal_snapshot(const identity_env_t *env, apr_uint64_t began,
                                 identity_principal_t *principal)
{
    bool own_record = principal->kind == IDENTITY_CALLER_KEY || !principal->guest;
    /* By session or by key, never both. */
    const char *by = principal->key_id ? principal->key_id : principal->session_id;
    const char *const ids[IDENTITY_STAMP_IDS] = {own_record ? principal->id : NULL, by,
                                                 principal->entity_id};

    principal->ends_at = identity_time_sooner(
        identity_time_sooner(principal->ends_at, principal->changes_at),
        identity_time_sooner(principal->expires_at, principal->idle_expires_at));
    return env->revisions &&
           identity_snapshot_take(env->revisions, began, ids, &principal->snapshot);
}

static void keep(identity_call_t *call, identity_cache_lookup_t *lookup,
                 const identity_principal_t *principal, apr_time_t ends, apr_time_t used_at)
{
    const identity_env_t *env = call->env;
    cached_principal_t *entry = block_of(principal);
    unsigned gone, evicted;

    if (!entry)
        return;
    entry->ends = identity_time_sooner(ends, principal->ends_at);
    entry->refresh_at = env->ticks(env->context) + REFRESH;
    atomic_init(&entry->used_at, used_at);
    hold(call, lookup, entry);
    if (!identity_cache_put(env->cache, lookup->key, entry, &gone, &evicted))
        return;
    count(call, IDENTITY_METRIC_CACHE_ENTRIES, 1 - (apr_int64_t)gone);
    count(call, IDENTITY_METRIC_CACHE_EVICTIONS, evicted);
}

void identity_principal_cache_put(identity_call_t *call, identity_cache_lookup_t *lookup,
                                  identity_principal_t *principal, apr_time_t ends,
                                  apr_time_t used_at)
{
    const identity_env_t *env = call->env;

    lookup->used_at = used_at;
    if (lookup->entry && (!principal || lookup->principal))
        forget(call, lookup);
    lookup->entry = NULL;
    if (principal && identity_principal_snapshot(env, lookup->began, principal) && env->cache)
        keep(call, lookup, principal, ends, used_at);
}

/* Of concurrent requests in this process only one writes it. */
bool identity_use_due(identity_call_t *call, const identity_cache_lookup_t *lookup,
                      apr_interval_time_t step)
{
    int64_t present = lookup->entry ? atomic_load(&lookup->entry->used_at) : lookup->used_at;

    return call->now - present >= step &&
           (!lookup->entry ||
            atomic_compare_exchange_strong(&lookup->entry->used_at, &present, call->now));
}

void identity_use_missed(identity_call_t *call, const identity_cache_lookup_t *lookup,
                         apr_interval_time_t step)
{
    if (lookup->entry)
        atomic_store(&lookup->entry->used_at, call->now - step + TRY_AGAIN);
}

bool identity_principal_current(const identity_env_t *env, const identity_principal_t *principal)
{
    return env->revisions && followed_within(env, TRUST) &&
           identity_snapshot_current(env->revisions, &principal->snapshot) &&
           (!principal->ends_at || env->now(env->context) < principal->ends_at);
}
