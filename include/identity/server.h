/* SPDX-License-Identifier: Apache-2.0 */
/* httpd's side: the functions that mod_identity.c hooks up. Only this layer and mod_identity.c include httpd's
 * headers. */
#ifndef IDENTITY_SERVER_H
#define IDENTITY_SERVER_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

/* The only exported symbol of the shared object. */
extern __attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA identity_module;

/* ---- directives (config.c, directives.def) ---------------------------------------------------------------------- */

extern const command_rec identity_commands[];
void *identity_directory_create(apr_pool_t *pool, char *directory);
void *identity_directory_merge(apr_pool_t *pool, void *base, void *added);
void *identity_server_create(apr_pool_t *pool, server_rec *server);
void *identity_server_merge(apr_pool_t *pool, void *base, void *added);

/* ---- start-up --------------------------------------------------------------------------------------------------- */
/* check.c, start.c, databases.c, watchdog.c. Each step logs its own errors and returns OK or an error. */

/* Is IdentityEngine On anywhere, or do AuthType, AuthBasicProvider or Require ask for identities? If not, the module
 * does nothing and requires nothing. Marks the servers. */
bool identity_active(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *main_server);
int identity_check(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *main_server);
/* Only for `httpd -t`: warns of problems with the databases. */
void identity_test(apr_pool_t *configuration, server_rec *main_server);

/* Everything a start creates; kept in the configuration pool. */
typedef struct identity_site identity_site_t;

/* Called at the first reading of the configuration, for the actual start (start.c). */
void identity_hold_libraries(void);
void identity_release_libraries(void);
identity_site_t *identity_site_make(apr_pool_t *configuration, server_rec *main_server);
/* Settings, public URL, mail: one env per virtual host. */
int identity_start_hosts(identity_site_t *site);
/* Migrates or checks the databases and gives them to the user the children run as. Errors are logged and do not
 * prevent the start. */
void identity_start_databases(identity_site_t *site, apr_pool_t *temporary);
/* Loads the signing keys; creates the first one. */
int identity_start_keys(identity_site_t *site, apr_pool_t *temporary);
/* The write lock, the password hashing semaphore, and the buckets of the rate limits, which all children share. */
int identity_start_semaphores(identity_site_t *site);
/* The job that sends mail and purges. */
int identity_start_watchdog(identity_site_t *site);

/* Name of the write lock for httpd's Mutex directive. */
#define IDENTITY_WRITE_MUTEX "identity-write"
void identity_child_init(apr_pool_t *child, server_rec *main_server);

/* ---- the way of a request --------------------------------------------------------------------------------------- */

/* claim.c */
int identity_pre_translate_name(request_rec *r); /* pre_translate_name */
int identity_translate_name(request_rec *r);     /* translate_name */
int identity_map_to_storage(request_rec *r);     /* map_to_storage */
int identity_type_checker(request_rec *r);       /* type_checker */
int identity_generate_log_id(const conn_rec *c, const request_rec *r, const char **id);

/* authn.c */
int identity_force_authn(request_rec *r);
int identity_check_authn(request_rec *r);
int identity_check_authz(request_rec *r);

/* protect.c, forward.c: everything outside the API */
int identity_post_read_request(request_rec *r); /* post_read_request */
int identity_note_transport(
    request_rec *r); /* post_read_request, before mod_headers and the like */
int identity_fixups(request_rec *r);
int identity_fixups_last(request_rec *r);
int identity_note_auth_failure(request_rec *r, const char *type);

/* stream.c: IdentityStreamRecheck */
int identity_stream_begin(request_rec *r); /* fixups */
void identity_register_stream_filter(void);

/* basic.c, require.c */
void identity_register_basic(apr_pool_t *pool);
void identity_register_require(apr_pool_t *pool);

/* handler.c */
int identity_handler(request_rec *r);

/* status.c */
int identity_show_status(request_rec *r);
void identity_register_status(void); /* in mod_status */

/* errors.c */
void identity_register_error_filter(void);
void identity_insert_error_filter(request_rec *r);

#endif
