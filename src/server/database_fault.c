/* SPDX-License-Identifier: Apache-2.0 */
/* Describes a problem with a database, in a sentence with the command that fixes it. Changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_user.h>
#include <unixd.h>

#include "server_int.h"

/* ---- words of a shell ------------------------------------------------------------------------------------------- */

/* Quoted as one shell word, since people copy the command from the log. */
static const char *quoted(apr_pool_t *pool, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-:@%+=,";
    const char *result = "'";

    if (text[strspn(text, plain)] == '\0')
        return text;
    for (const char *quote; (quote = strchr(text, '\'')) != NULL; text = quote + 1)
        result = apr_pstrcat(pool, result, apr_pstrmemdup(pool, text, (apr_size_t)(quote - text)),
                             "'\\''", NULL);
    return apr_pstrcat(pool, result, text, "'", NULL);
}

static const char *tool_command(apr_pool_t *pool, const identity_dbd_t *dbd, const char *command)
{
    return apr_psprintf(pool, "htidentity --db %s %s",
                        quoted(pool, apr_pstrcat(pool, dbd->driver, ":", dbd->params, NULL)),
                        command);
}

/* USER:GROUP of the children. */
static const char *children_owner(apr_pool_t *pool)
{
    bool root = geteuid() == 0;
    char *user = NULL, *group = NULL;
    uid_t uid = root ? ap_unixd_config.user_id : geteuid();
    gid_t gid = root ? ap_unixd_config.group_id : getegid();

    if (apr_uid_name_get(&user, uid, pool) != APR_SUCCESS)
        user = apr_psprintf(pool, "%ld", (long)uid);
    if (apr_gid_name_get(&group, gid, pool) != APR_SUCCESS)
        group = apr_psprintf(pool, "%ld", (long)gid);
    return apr_pstrcat(pool, user, ":", group, NULL);
}

const char *identity_children_user(apr_pool_t *pool)
{
    const char *owner = children_owner(pool);
    return apr_pstrmemdup(pool, owner, strcspn(owner, ":"));
}

const char *identity_folder_of(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? "/" : apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
}

/* ---- rights ----------------------------------------------------------------------------------------------------- */

static int try_access(const char *path, int mode)
{
    return access(path, mode) == 0 ? 0 : errno;
}

/* In a process that becomes what the children will be: nothing else takes into account all parent folders, groups
 * and access lists. */
static int try_access_as_child(const char *path, int mode)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        if (setgid(ap_unixd_config.group_id) != 0 ||
            initgroups(ap_unixd_config.user_name, ap_unixd_config.group_id) != 0 ||
            setuid(ap_unixd_config.user_id) != 0)
            _exit(EPERM);
        _exit(try_access(path, mode));
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

int identity_child_access(const char *path, int mode)
{
    return geteuid() == 0 ? try_access_as_child(path, mode) : try_access(path, mode);
}

/* The first folder on a path in which the children have no search permission; NULL: none. */
static const char *barred(apr_pool_t *pool, const char *path)
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        const char *folder = apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
        if (identity_child_access(folder, X_OK) != 0)
            return folder;
    }
    return NULL;
}

const char *identity_rights_command(apr_pool_t *pool, const char *path)
{
    uid_t children = geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
    struct stat info;

    if (stat(path, &info) == 0 && info.st_uid == children)
        return apr_psprintf(pool, "chmod %s %s", S_ISDIR(info.st_mode) ? "u+rwx" : "u+rw",
                            quoted(pool, path));
    return apr_psprintf(pool, "chown %s %s", children_owner(pool), quoted(pool, path));
}

static const char *no_access(apr_pool_t *pool, const char *path, int error)
{
    const char *user = identity_children_user(pool), *folder = barred(pool, path);

    if (folder)
        return apr_psprintf(
            pool,
            "%s has no search permission for the folder %s, which leads to %s: %s (errno %d). Run `chmod o+x %s`.",
            user, folder, path, strerror(EACCES), EACCES, quoted(pool, folder));
    if (error == EROFS)
        return apr_psprintf(
            pool,
            "%s lies on a file system that is mounted read-only: %s (errno %d). Mount it read-write.",
            path, strerror(error), error);
    return apr_psprintf(
        pool,
        "%s, the user httpd runs as, must be able to read and write %s: %s (errno %d). Run `%s`.",
        user, path, strerror(error), error, identity_rights_command(pool, path));
}

/* A missing folder is handled with the file. */
static identity_fault_t check_folder(apr_pool_t *pool, const identity_dbd_t *dbd,
                                     const char **errmsg)
{
    const char *folder = identity_folder_of(pool, dbd->params);
    int error = identity_child_access(folder, R_OK | W_OK | X_OK);

    if (!error || error == ENOENT || error == ENOTDIR)
        return IDENTITY_FAULT_NONE;
    *errmsg = no_access(pool, folder, error);
    return IDENTITY_FAULT_RIGHTS;
}

static identity_fault_t check_rights(apr_pool_t *pool, const identity_dbd_t *dbd,
                                     const char **errmsg)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const char *file = apr_pstrcat(pool, dbd->params, suffixes[i], NULL);
        int error = identity_child_access(file, R_OK | W_OK);
        if (error && (i == 0 || error != ENOENT)) {
            *errmsg = no_access(pool, file, error);
            return IDENTITY_FAULT_RIGHTS;
        }
    }
    return IDENTITY_FAULT_NONE;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

const char *identity_database_remains(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    const char *folder = identity_folder_of(pool, dbd->params), *found = NULL;
    const char *wal = apr_pstrcat(pool, dbd->params, "-wal", NULL);
    struct stat info;
    glob_t keys;

    if (stat(wal, &info) == 0 && info.st_size > 0)
        return wal;
    if (strpbrk(folder, "*?[\\"))
        return NULL;
    if (glob(apr_pstrcat(pool, folder, "/identity-signing-key*.pem", NULL), 0, NULL, &keys) == 0 &&
        keys.gl_pathc > 0)
        found = apr_pstrdup(pool, keys.gl_pathv[0]);
    globfree(&keys);
    return found;
}

/* errno, or 0 for an empty file. */
static const char *missing(apr_pool_t *pool, const identity_dbd_t *dbd, int error)
{
    const char *folder = identity_folder_of(pool, dbd->params),
               *migrate = tool_command(pool, dbd, "migrate");
    struct stat info;

    if (error && stat(folder, &info) != 0)
        return apr_psprintf(
            pool,
            "The folder of the database %s does not exist: %s (errno %d). Mount it, or create both "
            "with `install -d -o %s -g %s -m 0700 %s && %s`.",
            dbd->params, strerror(errno), errno, identity_children_user(pool),
            strchr(children_owner(pool), ':') + 1, quoted(pool, folder), migrate);
    const char *what =
        error ? apr_psprintf(pool, "does not exist: %s (errno %d)", strerror(error), error)
              : "is an empty file";
    const char *remains = identity_database_remains(pool, dbd);
    if (remains)
        return apr_psprintf(
            pool,
            "The database %s %s, but %s, which belongs to one, is next to it. Restore the database; to "
            "start with an empty one run `%s`.",
            dbd->params, what, remains, migrate);
    return apr_psprintf(pool, "The database %s %s. Run `%s`.", dbd->params, what, migrate);
}

static const char *damaged(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    return apr_psprintf(
        pool,
        "The database %s is damaged, or is not an SQLite database. Restore a backup; `%s` gives details.",
        dbd->params, tool_command(pool, dbd, "check"));
}

static bool has_magic(int file)
{
    static const char magic[16] = "SQLite format 3";
    char head[sizeof magic] = "";

    return pread(file, head, sizeof head, 0) == sizeof head &&
           memcmp(head, magic, sizeof magic) == 0;
}

/* Before SQLite opens it: if it is not a database, SQLite would delete the journal that belongs to the right one. If
 * connections may be open, the file stays open: by POSIX rules, closing it would drop SQLite's locks in this
 * process. (One for each file that was ever there.) */
static bool is_database(const char *path, const struct stat *info, identity_magic_t *kept)
{
    if (kept && kept->file >= 0 && kept->number == info->st_ino && kept->device == info->st_dev)
        return has_magic(kept->file);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool good = file >= 0 && has_magic(file);

    if (kept && good)
        *kept = (identity_magic_t){.file = file, .device = info->st_dev, .number = info->st_ino};
    else if (file >= 0)
        close(file);
    return good;
}

static identity_fault_t check_file(apr_pool_t *pool, const identity_dbd_t *dbd, struct stat *info,
                                   const char **errmsg)
{
    int error = stat(dbd->params, info) == 0 ? 0 : errno;

    if (error && error != ENOENT && error != ENOTDIR) {
        *errmsg = no_access(pool, dbd->params, error);
        return IDENTITY_FAULT_RIGHTS;
    }
    if (!error && S_ISREG(info->st_mode) && info->st_size > 0)
        return IDENTITY_FAULT_NONE;
    *errmsg = error || S_ISREG(info->st_mode)
                  ? missing(pool, dbd, error)
                  : apr_psprintf(pool, "The database %s is not a file.", dbd->params);
    return IDENTITY_FAULT_MISSING;
}

/* ---- the schema ------------------------------------------------------------------------------------------------- */

static const char *locked(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    return apr_psprintf(pool,
                        "The database %s is locked by another process; `fuser -v %s` shows which.",
                        dbd->params, quoted(pool, dbd->params));
}

static const char *full(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    return apr_psprintf(
        pool, "The disk of the database %s is full. Free some space; `df -h %s` shows the usage.",
        dbd->params, quoted(pool, identity_folder_of(pool, dbd->params)));
}

static const char *not_fitting(apr_pool_t *pool, const identity_dbd_t *dbd,
                               identity_schema_state_t state, int version)
{
    const char *migrate = tool_command(pool, dbd, "migrate");

    switch (state) {
    case IDENTITY_SCHEMA_EMPTY:
        return apr_psprintf(pool, "The database %s is empty. Run `%s`.", dbd->params, migrate);
    case IDENTITY_SCHEMA_OLDER:
        return apr_psprintf(pool,
                            "The database %s has version %d, but version %d is required. Run `%s`.",
                            dbd->params, version, identity_schema_current(), migrate);
    case IDENTITY_SCHEMA_NEWER:
        return apr_psprintf(
            pool,
            "The database %s has version %d, but this module supports versions up to %d. Install the "
            "newer module and restart httpd, or restore a backup of version %d.",
            dbd->params, version, identity_schema_current(), identity_schema_current());
    case IDENTITY_SCHEMA_FOREIGN:
        return apr_psprintf(
            pool,
            "The database %s contains tables of another program. Name another file in DBDParams.",
            dbd->params);
    case IDENTITY_SCHEMA_JOURNAL:
        return apr_psprintf(pool, "The database %s is not in WAL mode. Run `%s`.", dbd->params,
                            migrate);
    default:
        return damaged(pool, dbd);
    }
}

static identity_fault_t check_access(apr_pool_t *pool, const identity_dbd_t *dbd, struct stat *info,
                                     const char **errmsg)
{
    identity_fault_t fault = check_folder(pool, dbd, errmsg);

    if (!fault)
        fault = check_file(pool, dbd, info, errmsg);
    return fault ? fault : check_rights(pool, dbd, errmsg);
}

/* On a full disk SQLite cannot open the database, because it cannot create the index of its journal. */
static bool disk_is_full(const char *folder)
{
    struct statvfs info;

    return statvfs(folder, &info) == 0 && info.f_blocks > 0 && info.f_bavail == 0;
}

/* A file that was moved away or closed a moment ago is not damaged, nor is one on a full disk: nobody must be told
 * to restore a backup then. */
static identity_fault_t damaged_or_gone(apr_pool_t *pool, const identity_dbd_t *dbd,
                                        const char **errmsg)
{
    struct stat info;
    identity_fault_t fault = check_access(pool, dbd, &info, errmsg);

    if (fault)
        return fault;
    if (disk_is_full(identity_folder_of(pool, dbd->params))) {
        *errmsg = full(pool, dbd);
        return IDENTITY_FAULT_FULL;
    }
    *errmsg = damaged(pool, dbd);
    return IDENTITY_FAULT_DAMAGED;
}

identity_fault_t identity_database_check(apr_pool_t *pool, const identity_dbd_t *dbd,
                                         identity_magic_t *kept, bool read_only,
                                         const char **errmsg)
{
    struct stat info;
    int version;
    identity_fault_t fault = check_access(pool, dbd, &info, errmsg);

    if (fault)
        return fault;
    if (!is_database(dbd->params, &info, kept))
        return damaged_or_gone(pool, dbd, errmsg);
    identity_schema_state_t state =
        identity_schema_look(pool, dbd->driver, dbd->params, read_only, &version);
    if (state == IDENTITY_SCHEMA_FITS)
        return IDENTITY_FAULT_NONE;
    if (state == IDENTITY_SCHEMA_LOCKED) {
        *errmsg = locked(pool, dbd);
        return IDENTITY_FAULT_LOCKED;
    }
    if (state == IDENTITY_SCHEMA_DAMAGED)
        return damaged_or_gone(pool, dbd, errmsg);
    *errmsg = not_fitting(pool, dbd, state, version);
    return state == IDENTITY_SCHEMA_OLDER ? IDENTITY_FAULT_OLDER : IDENTITY_FAULT_SCHEMA;
}

/* The driver's messages, in all versions so far. */
identity_fault_t identity_statement_fault(apr_pool_t *pool, const identity_dbd_t *dbd,
                                          const char *failure, const char *detail,
                                          const char **errmsg)
{
    if (strstr(failure, "locked")) {
        *errmsg = locked(pool, dbd);
        return IDENTITY_FAULT_LOCKED;
    }
    /* If there is no room for the index of the journal, SQLite reports an I/O error. */
    if (detail &&
        (strstr(detail, "disk is full") ||
         (strstr(detail, "I/O") && disk_is_full(identity_folder_of(pool, dbd->params))))) {
        *errmsg = full(pool, dbd);
        return IDENTITY_FAULT_FULL;
    }
    if (detail && (strstr(detail, "malformed") || strstr(detail, "not a database"))) {
        *errmsg = damaged(pool, dbd);
        return IDENTITY_FAULT_DAMAGED;
    }
    return IDENTITY_FAULT_NONE;
}
