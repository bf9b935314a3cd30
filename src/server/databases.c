/* Step 4 of the start: each database is made, brought up to date or checked by a connection of its own, which is closed
 * before children are forked (SQLite's locks do not survive a fork), and belongs to whom the children run as. */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <unixd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

/* How long the start tries: other processes, and at a graceful restart the children at work, may keep SQLite busy. */
#define PATIENCE apr_time_from_sec(3)

static const char *read_version(apr_pool_t *temporary, const identity_host_t *host, int *version)
{
    const char *sentence = NULL, *error = NULL;
    apr_pool_t *connection;

    apr_pool_create(&connection, temporary);
    identity_db_t *db =
        identity_db_open(connection, host->dbd.driver, host->dbd.params, &(identity_db_options_t){0}, &error);
    if (!db) {
        sentence = apr_pstrdup(temporary, error);
    } else {
        identity_db_use(db, connection);
        if (identity_schema_version(db, version) != IDENTITY_DB_OK)
            sentence = "The version of the database cannot be read.";
    }
    apr_pool_destroy(connection);
    return sentence;
}

static const char *migrate(apr_pool_t *temporary, const identity_host_t *host, int *version)
{
    int from = 0;
    const char *sentence = identity_schema_migrate(temporary, host->dbd.driver, host->dbd.params, &from, version);

    if (!sentence && from != *version)
        IDENTITY_SAY(APLOG_NOTICE, host->server, "ID0530: brought %s from version %d to %d", host->dbd.params, from,
                     *version);
    return sentence;
}

static const char *prepare(apr_pool_t *temporary, const identity_host_t *host)
{
    int version = IDENTITY_SCHEMA_ABSENT, current = identity_schema_current();
    apr_time_t end = apr_time_now() + PATIENCE;
    const char *sentence;

    for (;;) {
        sentence =
            host->conf->auto_migrate ? migrate(temporary, host, &version) : read_version(temporary, host, &version);
        if (!sentence || access(host->dbd.params, F_OK) != 0 || apr_time_now() >= end)
            break;
        apr_sleep(apr_time_from_msec(100));
    }
    if (!sentence && version < current)
        sentence = apr_psprintf(temporary,
                                "The database has version %d, but version %d is needed: run `htidentity migrate` or "
                                "set IdentityAutoMigrate On.",
                                version, current);
    if (!sentence && version > current)
        sentence = apr_psprintf(temporary,
                                "The database has version %d, but this module knows none newer than %d: install the "
                                "newer module.",
                                version, current);
    return sentence;
}

/* ---- whose it is ------------------------------------------------------------------------------------------------ */

/* What root has made (here, or by htidentity) goes to the user of the children. */
static const char *give(apr_pool_t *pool, const char *path)
{
    struct stat info;

    /* The folder is in the children's hands: nothing that they might have put there is followed. */
    if (geteuid() != 0 || lstat(path, &info) != 0 || info.st_uid != 0 || (S_ISREG(info.st_mode) && info.st_nlink > 1))
        return NULL;
    if (lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) != 0)
        return apr_psprintf(pool, "%s cannot be given to User %s: %s.", path, ap_unixd_config.user_name,
                            strerror(errno));
    return NULL;
}

/* May the children read and write there? Asked by a process that becomes what they will be, since nothing else knows of
 * every folder above, of groups and of access lists. */
static bool reachable(const char *folder, const char *file)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(ap_unixd_config.group_id) != 0 ||
                               initgroups(ap_unixd_config.user_name, ap_unixd_config.group_id) != 0 ||
                               setuid(ap_unixd_config.user_id) != 0))
            _exit(1);
        _exit(access(folder, R_OK | W_OK | X_OK) == 0 && (!file || access(file, R_OK | W_OK) == 0) ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *user(apr_pool_t *pool)
{
    return geteuid() == 0 ? apr_pstrcat(pool, "User ", ap_unixd_config.user_name, NULL) : "The user who starts httpd";
}

static const char *hand_over(apr_pool_t *temporary, const identity_host_t *host)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    const char *file = host->dbd.params, *sentence = NULL;
    const char *folder =
        strrchr(file, '/') == file ? "/" : apr_pstrmemdup(temporary, file, (apr_size_t)(strrchr(file, '/') - file));

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0] && !sentence; i++)
        sentence = give(temporary, apr_pstrcat(temporary, file, suffixes[i], NULL));
    if (!sentence && !reachable(folder, file))
        sentence = apr_psprintf(
            temporary,
            "%s must be able to write to the folder %s and to %s in it, since SQLite keeps its journal there.",
            user(temporary), folder, strrchr(file, '/') + 1);
    return sentence;
}

static const char *maildir(apr_pool_t *temporary, const identity_host_t *host)
{
    const identity_mail_target_t *target = host->settings.mail;
    const char *sentence = NULL;

    if (!target || target->kind != IDENTITY_MAIL_MAILDIR)
        return NULL;
    if (mkdir(target->directory, 0700) == 0)
        sentence = give(temporary, target->directory);
    else if (errno != EEXIST)
        sentence = apr_psprintf(temporary, "The folder %s of IdentityMailURL cannot be made: %s.", target->directory,
                                strerror(errno));
    if (!sentence && !reachable(target->directory, NULL))
        sentence = apr_psprintf(temporary, "%s must be able to write to the folder %s of IdentityMailURL.",
                                user(temporary), target->directory);
    return sentence;
}

int identity_start_databases(identity_site_t *site, apr_pool_t *temporary)
{
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        bool first = true;
        const char *sentence = NULL;

        for (int k = 0; k < i; k++)
            first = first && !identity_dbd_same(&APR_ARRAY_IDX(site->hosts, k, identity_host_t *)->dbd, &host->dbd);
        if (first) {
            sentence = prepare(temporary, host);
            if (!sentence)
                sentence = hand_over(temporary, host);
        }
        if (!sentence)
            sentence = maildir(temporary, host);
        if (sentence) {
            IDENTITY_SAY(APLOG_EMERG, host->server, "ID0531: %s", sentence);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        identity_tell_demo(temporary, host);
    }
    return OK;
}
