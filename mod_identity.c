/* SPDX-License-Identifier: Apache-2.0 */
/* mod_identity: the module record, the hooks, and start-up as numbered steps. */
#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_mutex.h>

#include "identity/core.h"
#include "identity/server.h"

/* Start-up. httpd runs 1 to 7 twice when it starts, the first time as a trial, and again at every graceful restart; 8
 * in each child, after it has dropped its privileges. Nothing that outlives a pass may be kept in a static variable:
 * the shared object is unloaded in between.
 *
 *   1. pre_config   names the write lock, so that `Mutex` can configure it
 *   2. check_config checks across directives; `httpd -t` ends here, after examining the databases
 *   3. post_config  settings and the mail secret, one env per virtual host
 *   4. post_config  the databases: migrated or checked with a connection that is closed before any child is forked;
 *                   problems are logged, and never end the start
 *   5. post_config  the signing keys, read while the parent has the privileges; creates the first one
 *   6. post_config  the locks and semaphores that all children share
 *   7. post_config  the watchdog that sends mail and purges; mod_watchdog itself starts later in this hook
 *   8. child_init   libraries, and this process's side of locks and connection pools
 */

static int pre_config(apr_pool_t *configuration, apr_pool_t *log, apr_pool_t *temporary)
{
    (void)log;
    (void)temporary;
    identity_hold_libraries();
    /* 1. A mechanism with time-outs, and with recovery from a holder that was killed. */
    return ap_mutex_register(configuration, IDENTITY_WRITE_MUTEX, NULL, APR_LOCK_DEFAULT_TIMED,
                             0) == APR_SUCCESS
               ? OK
               : HTTP_INTERNAL_SERVER_ERROR;
}

static int check_config(apr_pool_t *configuration, apr_pool_t *log, apr_pool_t *temporary,
                        server_rec *main_server)
{
    (void)log;
    /* 2. */
    return identity_active(configuration, temporary, main_server)
               ? identity_check(configuration, temporary, main_server)
               : OK;
}

static int post_config(apr_pool_t *configuration, apr_pool_t *log, apr_pool_t *temporary,
                       server_rec *main_server)
{
    (void)log;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG ||
        !identity_active(configuration, temporary, main_server))
        return OK;
    identity_release_libraries();
    ap_add_version_component(configuration, "mod_identity/" IDENTITY_VERSION);
    identity_site_t *site = identity_site_make(configuration, main_server);
    int status = identity_start_hosts(site); /* 3. */
    if (status == OK) {
        identity_start_databases(site, temporary);     /* 4. */
        status = identity_start_keys(site, temporary); /* 5. */
    }
    if (status == OK)
        status = identity_start_semaphores(site); /* 6. */
    if (status == OK)
        status = identity_start_watchdog(site); /* 7. */
    return status;
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(identity_test, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* 8. Before mod_watchdog's, which starts the thread that needs what is created here. */
    ap_hook_child_init(identity_child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);

    ap_hook_post_read_request(identity_note_transport, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(identity_post_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_pre_translate_name(identity_pre_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(identity_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(identity_map_to_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(identity_type_checker, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_generate_log_id(identity_generate_log_id, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_force_authn(identity_force_authn, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_authn(identity_check_authn, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(identity_check_authz, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);

    /* Before mod_headers, which may set request headers for the backend itself. */
    ap_hook_fixups(identity_fixups, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(identity_fixups_last, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_fixups(identity_stream_begin, NULL, NULL, APR_HOOK_LAST);
    identity_register_stream_filter();
    ap_hook_note_auth_failure(identity_note_auth_failure, NULL, NULL, APR_HOOK_FIRST);
    identity_register_basic(pool);
    identity_register_require(pool);

    ap_hook_handler(identity_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(identity_show_status, NULL, NULL, APR_HOOK_MIDDLE);
    identity_register_status();
    ap_hook_insert_error_filter(identity_insert_error_filter, NULL, NULL, APR_HOOK_LAST);
    identity_register_error_filter();
}

module AP_MODULE_DECLARE_DATA identity_module = {
    STANDARD20_MODULE_STUFF, identity_directory_create, identity_directory_merge,
    identity_server_create,  identity_server_merge,     identity_commands,
    register_hooks,          AP_MODULE_FLAG_NONE,
};
