/* SPDX-License-Identifier: Apache-2.0 */
/* IdentityDemoAccount, IdentitySandbox, IdentityCaptcha: people without a user account. */
#include <string.h>

#include <apr_optional.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define ACCOUNT_MAX 128

const char *identity_read_account(apr_pool_t *pool, const char *name, const char *value)
{
    size_t length = strlen(value);

    if (length > 0 && length <= ACCOUNT_MAX &&
        strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
            length)
        return NULL;
    return apr_psprintf(pool, "%s needs the reference or id of an account, not %s.", name, value);
}

/* IdentityCaptcha URL SECRET-FILE [network=private] */
const char *identity_read_captcha(apr_pool_t *pool, const char *name, const char *url,
                                  const char *file, const char *option,
                                  identity_captcha_conf_t *captcha)
{
    const char *err = identity_captcha_fault(pool, url);

    captcha->url = url;
    captcha->secret_file = ap_server_root_relative(pool, file);
    captcha->private_network = option != NULL;
    if (err)
        return apr_psprintf(pool, "%s: %s.", name, err);
    if (!captcha->secret_file)
        return apr_psprintf(
            pool, "%s needs the path of the file that contains the service's secret.", name);
    if (option && strcmp(option, "network=private") != 0)
        return apr_psprintf(pool, "%s takes network=private after the two values, not %s.", name,
                            option);
    return NULL;
}

static const char *read_secret(apr_pool_t *pool, const identity_captcha_conf_t *captcha,
                               char **secret)
{
    const char *errmsg = identity_secret_line(pool, captcha->secret_file, secret);
    return errmsg ? apr_psprintf(pool, "IdentityCaptcha: %s", errmsg) : NULL;
}

const char *identity_check_guests(apr_pool_t *temporary, const identity_conf_t *conf)
{
    const char *errmsg = NULL;
    char *secret;

    if (conf->settings.demo_account && !conf->captcha)
        return "ID0581: IdentityDemoAccount is set, but IdentityCaptcha does not name a captcha service for guests.";
    if (conf->settings.sandbox && !conf->captcha)
        return "ID0582: IdentitySandbox is On, but IdentityCaptcha does not name a captcha service for guests.";
    if (conf->settings.sandbox && !identity_watchdog_loaded())
        return "ID0586: IdentitySandbox is On, but mod_watchdog, which deletes expired sandboxes, is not loaded.";
    if (conf->captcha)
        errmsg = read_secret(temporary, conf->captcha, &secret);
    return errmsg ? apr_psprintf(temporary, "ID0583: %s", errmsg) : NULL;
}

static void take_secret(void *captcha, const char *secret)
{
    __atomic_store_n(&((identity_captcha_t *)captcha)->secret, secret, __ATOMIC_RELEASE);
}

const char *identity_start_guests(identity_host_t *host)
{
    const identity_conf_t *conf = host->conf;
    apr_pool_t *pool = host->site->pool;
    char *secret;

    if (!conf->captcha)
        return NULL;
    const char *errmsg = read_secret(pool, conf->captcha, &secret);
    if (errmsg)
        return errmsg;
    identity_captcha_t *captcha = apr_pcalloc(pool, sizeof *captcha);
    captcha->url = conf->captcha->url;
    captcha->secret = secret;
    captcha->private_network = conf->captcha->private_network;
    host->settings.captcha = captcha;
    identity_secret_watch(host->site, "IdentityCaptcha", conf->captcha->secret_file, take_secret,
                          captcha);
    return NULL;
}

/* The account may be created while the server runs: no reason not to start. */
void identity_tell_demo(apr_pool_t *temporary, const identity_host_t *host)
{
    const char *name = host->conf->settings.demo_account, *error = NULL;
    identity_account_row_t *account;
    apr_pool_t *connection;

    if (!name)
        return;
    apr_pool_create(&connection, temporary);
    identity_db_t *db = identity_db_open(connection, host->dbd.driver, host->dbd.params,
                                         &(identity_db_options_t){0}, &error);
    if (db) {
        identity_db_use(db, connection);
        identity_db_status_t status = identity_account_named(db, name, &account);
        if (status == IDENTITY_DB_NONE)
            IDENTITY_LOG(
                APLOG_WARNING, host->server,
                "ID0584: IdentityDemoAccount %s: there is no such account yet; demo-token answers 403",
                name);
        else if (status == IDENTITY_DB_CONFLICT)
            IDENTITY_LOG(
                APLOG_WARNING, host->server,
                "ID0585: IdentityDemoAccount %s: several accounts have this reference, so demo-token answers "
                "403; use the account's id",
                name);
    }
    apr_pool_destroy(connection);
}
