/* SPDX-License-Identifier: Apache-2.0 */
/* httpd's side: what mod_identity.c hooks up. The only room, with mod_identity.c, that includes httpd's headers. */
#ifndef IDENTITY_SERVER_H
#define IDENTITY_SERVER_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

/* The one symbol that leaves the shared object. */
extern __attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA identity_module;

/* ---- directives (config.c, directives.def) ---------------------------------------------------------------------- */

extern const command_rec identity_commands[];
void *identity_directory_create(apr_pool_t *pool, char *directory);
void *identity_directory_merge(apr_pool_t *pool, void *base, void *added);
void *identity_server_create(apr_pool_t *pool, server_rec *server);
void *identity_server_merge(apr_pool_t *pool, void *base, void *added);

/* ---- start-up --------------------------------------------------------------------------------------------------- */
/* check.c, start.c, databases.c, watchdog.c. Each step logs its own sentence and returns OK or an error. */

/* Is IdentityEngine On anywhere, or are identities asked for by AuthType, AuthBasicProvider or Require? If not, the
 * module does nothing and demands nothing. Marks the servers. */
bool identity_active(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *main_server);
int identity_check(apr_pool_t *configuration, apr_pool_t *temporary, server_rec *main_server);
/* `httpd -t` alone: warns of what is wrong with the databases. */
void identity_test(apr_pool_t *configuration, server_rec *main_server);

/* What a start makes; kept in the configuration pool. */
typedef struct identity_site identity_site_t;

/* From the first reading of the configuration to the start proper (start.c). */
void identity_hold_libraries(void);
void identity_release_libraries(void);
identity_site_t *identity_site_make(apr_pool_t *configuration, server_rec *main_server);
/* Settings, public URL, mail: one env a virtual host. */
int identity_start_hosts(identity_site_t *site);
/* Migrated or checked, and in the hands of the user as whom the children run. Faults are logged and keep nothing from
 * starting. */
void identity_start_databases(identity_site_t *site, apr_pool_t *temporary);
/* Signing keys are read; the first one is made. */
int identity_start_keys(identity_site_t *site, apr_pool_t *temporary);
/* The writers' mutex, the gate of password hashing, and the counters of the rate limits, which all children share. */
int identity_start_semaphores(identity_site_t *site);
/* The job that sends mail and purges. */
int identity_start_watchdog(identity_site_t *site);

/* Name of the writers' mutex for httpd's Mutex directive. */
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

/* protect.c, forward.c: what is not the API */
int identity_post_read_request(request_rec *r); /* post_read_request */
int identity_note_transport(request_rec *r);    /* post_read_request, before mod_headers and its like */
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
