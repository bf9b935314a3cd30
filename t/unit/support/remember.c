/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of principals in a test, and what holds it against a server that has none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "tap.h"
#include "door.h"

static apr_time_t ticks(void *context)
{
    return ((door_t *)context)->ticks;
}

identity_revisions_t *door_revisions(door_t *door)
{
    char *memory = apr_pcalloc(door->pool, identity_revisions_size() + 64);
    identity_revisions_t *made =
        identity_revisions_make((void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), &door->env.random);
    return made ? made : (bail("no revisions"), NULL);
}

static apr_status_t clear(void *cache)
{
    identity_cache_clear(cache);
    return APR_SUCCESS;
}

identity_cache_t *door_cache(door_t *door, unsigned entries)
{
    identity_cache_t *cache = identity_cache_make(door->pool, entries, &door->env.random);
    if (!cache)
        bail("no cache");
    apr_pool_cleanup_register(door->pool, cache, clear, apr_pool_cleanup_null);
    return cache;
}

void door_remember(door_t *door, unsigned entries)
{
    door->ticks = apr_time_from_sec(1000);
    door->env.ticks = ticks;
    door->env.revisions = door_revisions(door);
    door->env.cache = door_cache(door, entries);
    door->env.shared = door_cache(door, 512);
    if (!identity_poll_changes(door->pool, &door->env))
        bail("changes cannot be read");
}

static const char *permissions_of(door_t *door, const identity_permset_t *set)
{
    json_t *list =
        set->all ? NULL : identity_json_own(door->pool, identity_permset_json(set, IDENTITY_CATALOGUE_PUBLISHED));
    return set->all ? "all" : identity_json_text(door->pool, list, NULL);
}

const char *door_who(door_t *door, const identity_authentication_t *found)
{
    const identity_principal_t *principal = found->principal;

    if (found->refused || !principal)
        return door_format(door, "refused %d", (int)found->problem.kind);
    const char *all = door_format(door, "%d %s %s %s %s %s %d %" APR_INT64_T_FMT " %d %s", (int)principal->kind,
                                  principal->id, principal->name, principal->method, principal->entity_id,
                                  principal->session_id ? principal->session_id : "-", principal->guest,
                                  (apr_int64_t)principal->authenticated_at, principal->entity_wide,
                                  permissions_of(door, &principal->entity_permissions));
    all = door_format(door, "%s %s %d %" APR_INT64_T_FMT, all,
                      principal->entity_reference ? principal->entity_reference : "-", principal->sandbox,
                      (apr_int64_t)principal->changes_at);
    for (int i = 0; principal->teams && i < principal->teams->nelts; i++) {
        const identity_assigned_team_t *team = &APR_ARRAY_IDX(principal->teams, i, identity_assigned_team_t);
        all = door_format(door, "%s\n%s %s", all, team->id, team->name);
    }
    for (int i = 0; principal->grants && i < principal->grants->nelts; i++) {
        const identity_grant_t *grant = &APR_ARRAY_IDX(principal->grants, i, identity_grant_t);
        all = door_format(door, "%s\n%s %s %d %s", all, grant->account_id, grant->reference ? grant->reference : "-",
                          (int)grant->type, permissions_of(door, &grant->permissions));
        for (int k = 0; grant->roles && k < grant->roles->nelts; k++) {
            const identity_assigned_role_t *role = &APR_ARRAY_IDX(grant->roles, k, identity_assigned_role_t);
            all = door_format(door, "%s %s %s %s", all, role->id, role->name, role->slug);
        }
    }
    return all;
}

void door_hold_against_cold(door_t *door, const identity_request_t *in, const identity_authentication_t *warm,
                            unsigned long statements)
{
    identity_env_t env = door->env;
    identity_authentication_t cold;

    env.cache = NULL;
    env.revisions = NULL;
    env.metrics = NULL;
    identity_authenticate(door->pool, &env, in, &cold);
    const char *expected = door_who(door, &cold), *got = door_who(door, warm);
    door->warm += warm->principal && statements == 0;
    if (strcmp(expected, got) == 0)
        return;
    door->differences++;
    diag("%s %s: remembered\n%s\ncold\n%s", in->method, in->path, got, expected);
}
