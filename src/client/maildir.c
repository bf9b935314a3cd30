/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery into a Maildir. The file name is derived from the mail's id alone: a second attempt after a crash finds
 * the result of the first, and overwrites what was left half written in tmp/. The writer holds a lock on that file,
 * so that two cannot mix. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <dirent.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "client_int.h"

typedef struct maildir {
    int tmp, fresh, cur; /* the three folders */
} maildir_t;

static void close_maildir(maildir_t *maildir)
{
    const int folders[] = {maildir->tmp, maildir->fresh, maildir->cur};

    for (size_t i = 0; i < 3; i++) {
        if (folders[i] >= 0)
            close(folders[i]);
    }
}

/* Creates a missing folder; its name must survive a power loss as well as the mail in it. */
static int open_folder(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) == 0) {
        if (fsync(parent))
            return -1;
    } else if (errno != EEXIST) {
        return -1;
    }
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool open_maildir(apr_pool_t *pool, const char *directory, maildir_t *maildir)
{
    apr_status_t status = apr_dir_make_recursive(
        directory, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, pool);

    *maildir = (maildir_t){-1, -1, -1};
    if (status != APR_SUCCESS) {
        errno = status;
        return false;
    }
    int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return false;
    bool opened = (maildir->tmp = open_folder(root, "tmp")) >= 0 &&
                  (maildir->fresh = open_folder(root, "new")) >= 0 &&
                  (maildir->cur = open_folder(root, "cur")) >= 0;
    int why = errno;
    close(root);
    errno = why;
    return opened;
}

/* A reader moves a mail from new/ to cur/ and appends its flags to the name: `id:2,S`. */
static bool is_in_cur(int cur, const char *id)
{
    int copy = openat(cur, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    size_t length = strlen(id);
    bool found = false;
    const struct dirent *entry;

    if (!folder) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while (!found && (entry = readdir(folder)))
        found = !strncmp(entry->d_name, id, length) &&
                (!entry->d_name[length] || entry->d_name[length] == ':');
    closedir(folder);
    return found;
}

static bool is_delivered(const maildir_t *maildir, const char *id)
{
    struct stat found;

    return fstatat(maildir->fresh, id, &found, AT_SYMLINK_NOFOLLOW) == 0 ||
           is_in_cur(maildir->cur, id);
}

/* Lines end in LF in a Maildir on Unix. */
static bool write_lines(int file, const char *message, size_t length)
{
    char block[8192];
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        if (message[i] != '\r')
            block[used++] = message[i];
        if (used < sizeof(block) && i + 1 < length)
            continue;
        for (size_t done = 0; done < used;) {
            ssize_t wrote = write(file, block + done, used - done);

            if (wrote < 0 && errno != EINTR)
                return false;
            done += wrote > 0 ? (size_t)wrote : 0;
        }
        used = 0;
    }
    return true;
}

/* Does the opened file still have this name? Another writer may have moved it before we got the lock. */
static bool is_still_named(int file, int folder, const char *id)
{
    struct stat opened, named;

    return fstat(file, &opened) == 0 && fstatat(folder, id, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static bool deliver_locked(const maildir_t *maildir, int file, const char *id, const char *message,
                           size_t length)
{
    if (flock(file, LOCK_EX | LOCK_NB))
        return false;
    if (is_delivered(maildir, id)) {
        if (is_still_named(file, maildir->tmp, id))
            unlinkat(maildir->tmp, id, 0);
        return true;
    }
    if (!is_still_named(file, maildir->tmp, id)) {
        errno = EWOULDBLOCK;
        return false;
    }
    return ftruncate(file, 0) == 0 && write_lines(file, message, length) && fsync(file) == 0 &&
           renameat(maildir->tmp, id, maildir->fresh, id) == 0 && fsync(maildir->fresh) == 0;
}

static bool deliver(const maildir_t *maildir, const char *id, const char *message, size_t length)
{
    int file =
        openat(maildir->tmp, id, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file < 0)
        return false;
    bool delivered = deliver_locked(maildir, file, id, message, length);
    int why = errno;
    /* Nothing is left behind in tmp/, least of all on a full disk; unless the file is another writer's. */
    if (!delivered && why != EWOULDBLOCK && is_still_named(file, maildir->tmp, id))
        unlinkat(maildir->tmp, id, 0);
    close(file);
    errno = why;
    return delivered;
}

identity_delivery_t mail_send_maildir(apr_pool_t *pool, const identity_mail_target_t *target,
                                      const identity_mail_t *mail, const char *message,
                                      size_t length, const char **error)
{
    maildir_t maildir;
    bool delivered = open_maildir(pool, target->directory, &maildir) &&
                     deliver(&maildir, mail->id, message, length);
    int why = errno;
    char text[128];

    close_maildir(&maildir);
    if (delivered)
        return IDENTITY_DELIVERY_SENT;
    if (why == EWOULDBLOCK) {
        *error = "The mail is being written by another process.";
        return IDENTITY_DELIVERY_TEMPORARY;
    }
    *error = apr_psprintf(pool, "The Maildir cannot be written: %s.",
                          apr_strerror(why, text, sizeof(text)));
    return IDENTITY_DELIVERY_UNAVAILABLE;
}
