/* SPDX-License-Identifier: Apache-2.0 */
/* Step 4 of the start: each database is made, brought up to date or checked by a connection of its own, which is closed
 * before children are forked (SQLite's locks do not survive a fork), and belongs to the user as whom the children run.
 * What is wrong with it is logged and never ends the start (database_state.c). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <unixd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

/* ---- whose it is ------------------------------------------------------------------------------------------------ */

/* Files that root has created (here, or with htidentity) are given to the children's user. */
const char *identity_give_to_children(apr_pool_t *pool, const char *path)
{
    struct stat info;

    /* The folder belongs to the children: symbolic links that they might have put there are not followed. */
    if (geteuid() != 0 || lstat(path, &info) != 0 || info.st_uid != 0 ||
        (S_ISREG(info.st_mode) && info.st_nlink > 1))
        return NULL;
    if (lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) != 0)
        return apr_psprintf(pool, "Cannot change the owner of %s to %s: %s (errno %d).", path,
                            identity_children_user(pool), strerror(errno), errno);
    return NULL;
}

static const char *hand_over(apr_pool_t *temporary, const identity_host_t *host)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    const char *errmsg = NULL;

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0] && !errmsg; i++)
        errmsg = identity_give_to_children(
            temporary, apr_pstrcat(temporary, host->dbd.params, suffixes[i], NULL));
    return errmsg;
}

/* ---- made, brought up to date, checked -------------------------------------------------------------------------- */

/* Any of the hosts that share the database may enable it. */
static bool auto_migrate(const identity_host_t *host)
{
    for (int i = 0; i < host->site->hosts->nelts; i++) {
        const identity_host_t *other = APR_ARRAY_IDX(host->site->hosts, i, identity_host_t *);
        if (other->database == host->database && other->conf->auto_migrate)
            return true;
    }
    return false;
}

/* How long the start retries: other processes, and at a graceful restart the running children, may keep SQLite busy. */
#define PATIENCE apr_time_from_sec(3)

/* A database is created only if there are no remains of one that was moved away. */
static bool may_migrate(apr_pool_t *temporary, const identity_dbd_t *dbd, identity_fault_t err)
{
    struct stat info;

    if (err == IDENTITY_FAULT_MISSING)
        return stat(identity_folder_of(temporary, dbd->params), &info) == 0 &&
               !identity_database_remains(temporary, dbd);
    return err == IDENTITY_FAULT_OLDER || err == IDENTITY_FAULT_SCHEMA;
}

static identity_fault_t check_patiently(apr_pool_t *temporary, const identity_dbd_t *dbd,
                                        const char **errmsg)
{
    apr_time_t end = apr_time_now() + PATIENCE;
    identity_fault_t err;

    while ((err = identity_database_check(temporary, dbd, NULL, false, errmsg)) ==
               IDENTITY_FAULT_LOCKED &&
           apr_time_now() < end)
        apr_sleep(apr_time_from_msec(100));
    return err;
}

static identity_fault_t migrate(apr_pool_t *temporary, const identity_host_t *host,
                                identity_fault_t err, const char **errmsg)
{
    int from = 0, to = 0;
    const char *failed =
        identity_schema_migrate(temporary, host->dbd.driver, host->dbd.params, &from, &to);

    if (failed) {
        *errmsg = failed;
        return err;
    }
    if (from != to)
        IDENTITY_LOG(APLOG_NOTICE, host->server, "ID0530: migrated %s from version %d to %d",
                     host->dbd.params, from, to);
    *errmsg = hand_over(temporary, host);
    return *errmsg ? IDENTITY_FAULT_RIGHTS : check_patiently(temporary, &host->dbd, errmsg);
}

static void start_database(apr_pool_t *temporary, const identity_host_t *host)
{
    const char *errmsg = hand_over(temporary, host);
    identity_fault_t err =
        errmsg ? IDENTITY_FAULT_RIGHTS : check_patiently(temporary, &host->dbd, &errmsg);

    if (auto_migrate(host) && may_migrate(temporary, &host->dbd, err))
        err = migrate(temporary, host, err, &errmsg);
    identity_database_started(host->database, err, errmsg);
}

/* ---- the Maildir ------------------------------------------------------------------------------------------------ */

/* A problem with the mail folder only affects mail, which waits in the outbox: it is logged, and httpd starts. */
static const char *maildir(apr_pool_t *temporary, const identity_host_t *host)
{
    const identity_mail_target_t *target = host->settings.mail;
    const char *errmsg = NULL;

    if (!target || target->kind != IDENTITY_MAIL_MAILDIR)
        return NULL;
    if (mkdir(target->directory, 0700) == 0)
        errmsg = identity_give_to_children(temporary, target->directory);
    else if (errno != EEXIST)
        return apr_psprintf(temporary,
                            "The folder %s of IdentityMailURL cannot be created: %s (errno %d).",
                            target->directory, strerror(errno), errno);
    int error = identity_child_access(target->directory, R_OK | W_OK | X_OK);
    if (!errmsg && error)
        errmsg = apr_psprintf(
            temporary,
            "%s must be able to write to the folder %s of IdentityMailURL: %s (errno %d). Run `%s`.",
            identity_children_user(temporary), target->directory, strerror(error), error,
            identity_rights_command(temporary, target->directory));
    return errmsg;
}

void identity_start_databases(identity_site_t *site, apr_pool_t *temporary)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        bool first = true;

        for (int k = 0; k < i; k++)
            first = first &&
                    APR_ARRAY_IDX(site->hosts, k, identity_host_t *)->database != host->database;
        if (first)
            start_database(temporary, host);
        const char *errmsg = maildir(temporary, host);
        if (errmsg)
            IDENTITY_LOG(APLOG_ERR, site->main_server, "ID0539: %s Until then no mail is sent.",
                         errmsg);
        if (identity_database_well(host->database))
            identity_tell_demo(temporary, host);
    }
}
