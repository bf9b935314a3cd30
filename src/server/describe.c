/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the configuration that htidentity needs: `httpd -t -D IDENTITY_DUMP` prints it, and the first round of
 * the watchdog stores it in the database. Paths of secrets, never secrets. */
#include <stdio.h>
#include <string.h>

#include "server_int.h"

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *list_json(const apr_array_header_t *list)
{
    json_t *array = json_array();

    for (int i = 0; list && i < list->nelts; i++)
        json_array_append_new(array, json_string(APR_ARRAY_IDX(list, i, const char *)));
    return array;
}

/* The number of keys of a host may have changed since. */
json_t *identity_host_json(const identity_host_t *host)
{
    const identity_conf_t *conf = host->conf;
    json_t *object = identity_settings_json(&host->settings);

    json_object_set_new(object, "signing_keys", list_json(identity_keys_configured(host)));
    json_object_set_new(object, "key_escrow", text_or_null(conf->key_escrow));
    json_object_set_new(object, "password_blocklist", text_or_null(conf->blocklist_file));
    json_object_set_new(object, "mail_templates", text_or_null(conf->templates_folder));
    json_object_set_new(object, "mail", json_boolean(host->settings.mail != NULL));
    json_object_set_new(object, "require_tls", json_boolean(conf->settings.require_tls));
    json_object_set_new(object, "auto_migrate", json_boolean(conf->auto_migrate));
    json_object_set_new(object, "sync",
                        json_string(conf->sync == IDENTITY_SYNC_FULL ? "FULL" : "NORMAL"));
    return object;
}

static json_t *with_place(const identity_host_t *host)
{
    json_t *object = identity_host_json(host);

    json_object_set_new(object, "server", text_or_null(host->server->server_hostname));
    json_object_set_new(object, "engine", json_boolean(host->conf->engine));
    json_object_set_new(object, "driver", json_string(host->dbd.driver));
    json_object_set_new(object, "params", json_string(host->dbd.params));
    return object;
}

/* One line, recognised by its beginning. */
void identity_dump(apr_pool_t *configuration, server_rec *main_server)
{
    identity_site_t *site = identity_site_make(configuration, main_server);
    json_t *hosts = json_array(), *all;

    if (identity_start_hosts(site) == OK) {
        identity_retention_share(site);
        for (int i = 0; i < site->hosts->nelts; i++)
            json_array_append_new(hosts,
                                  with_place(APR_ARRAY_IDX(site->hosts, i, identity_host_t *)));
    }
    all = json_pack("{s:{s:s, s:o}}", "mod_identity", "version", IDENTITY_VERSION, "hosts", hosts);
    json_dumpf(all, stdout, JSON_COMPACT);
    json_decref(all);
    putchar('\n');
    fflush(stdout);
}
