/* SPDX-License-Identifier: MIT */
/*
 * The queue on disk. Trust: producers and consumers may do in the folders what they like at any
 * moment; nothing here follows a link, opens what is no regular file, or writes over a file.
 */
#include "store.h"
#include "msg.h"
#include "tagline.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *path;
    mode_t mode;
} folders[] = {
    {QUEUE_UNPROCESSED, 0755}, {QUEUE_UNDERPROCESS, 0755}, {QUEUE_PROCESSED, 0755},
    {QUEUE_OUTPUT, 0755},      {QUEUE_FAILED, 0755},       {QUEUE_STATE, 0700},
    {STORE_WORK, 0700},        {STORE_JOURNAL, 0700},      {STORE_FLOW, 0700},
    {QUEUE_CONTROL, 0700},
};
enum { FOLDERS = sizeof folders / sizeof *folders };

char *store_path(char *to, const char *folder, const char *name)
{
    int n = snprintf(to, STORE_PATH, "%s/%s", folder, name);
    if (n < 0 || n >= STORE_PATH)
        tl_bug("a name of %zu bytes", strlen(name));
    return to;
}

int store_folders(const struct store *s)
{
    for (size_t i = 0; i < FOLDERS; i++)
        if (mkdirat(s->root, folders[i].path, folders[i].mode) != 0 && errno != EEXIST)
            return -1;
    return 0;
}

/* Results and inputs travel between folders by rename, so all must be on one file system. Those
 * that are there are looked at before others are made in them. */
static void check_folders(const struct store *s, const struct strict *strict, bool made)
{
    struct stat root, st;
    if (fstat(s->root, &root) != 0)
        tl_die(EX_OSERR, "%s: %m", s->path);
    for (size_t i = 0; i < FOLDERS; i++) {
        const char *path = folders[i].path;
        bool there = fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (!there && errno == ENOENT && !made)
            continue;
        if (!there)
            tl_die(EX_OSERR, "%s/%s: %m", s->path, path);
        if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
            strict_folder(strict, s->path, path, &st, strcmp(path, QUEUE_UNPROCESSED) == 0);
        if (fstatat(s->root, path, &st, 0) != 0)
            tl_die(EX_OSERR, "%s/%s: %m", s->path, path);
        if (!S_ISDIR(st.st_mode))
            tl_die(EX_CANTCREAT, "%s/%s: is in the way and no folder", s->path, folders[i].path);
        if (st.st_dev != root.st_dev)
            tl_die(EX_CONFIG,
                   "%s/%s: is on another file system than the queue; all folders must be on one",
                   s->path, folders[i].path);
    }
}

/* Signals wait for the loop, but whoever waits for the lock holds nothing and can go at once. */
static bool told_to_end(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Workers hold the lock too, through the open file that they inherit. */
static void take_lock(struct store *s)
{
    s->lock = openat(s->root, QUEUE_STATE "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0)
        tl_die(EX_CANTCREAT, "%s/" QUEUE_STATE "/lock: %m", s->path);
    for (int tries = 0; flock(s->lock, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            tl_die(EX_OSERR, "%s/" QUEUE_STATE "/lock: %m", s->path);
        if (tries == STORE_LOCK_SECONDS * 20)
            tl_die(EX_TEMPFAIL, "%s: another supervisor, or a worker of one, is at work here",
                   s->path);
        if (told_to_end()) {
            msg_at(MSG_INFO, "stop: told to while waiting for the lock");
            exit(EX_OK);
        }
        poll(NULL, 0, 50); /* a lock that an orphan lets go of tells nobody */
    }
}

void store_open(struct store *s, const char *path, bool power, const struct strict *strict)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        tl_die(EX_CANTCREAT, "%s: %m", path);
    s->path = realpath(path, NULL);
    s->power = power;
    s->root = s->path ? open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (s->root < 0)
        tl_die(EX_CANTCREAT, "%s: %m", path);
    strict_queue(strict, s->path);
    check_folders(s, strict, false);
    if (store_folders(s) != 0)
        tl_die(EX_CANTCREAT, "%s: cannot make its folders: %m", path);
    check_folders(s, strict, true);
    take_lock(s);
}

void store_visit(struct store *s, const char *path)
{
    *s = (struct store){.root = -1, .lock = -1};
    s->path = realpath(path, NULL);
    s->root = s->path ? open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (s->root < 0)
        tl_die(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %m", path);
    if (faccessat(s->root, QUEUE_STATE "/lock", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        tl_die(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s", path,
               errno == ENOENT ? "is no queue that a supervisor has worked on" : strerror(errno));
}

void store_close(struct store *s)
{
    close(s->root);
    if (s->lock >= 0)
        close(s->lock); /* workers that are left hold it on */
    free(s->path);
    *s = (struct store){.root = -1, .lock = -1};
}

bool store_locked(const struct store *s)
{
    int fd = openat(s->root, QUEUE_STATE "/lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        tl_die(errno == EACCES ? EX_NOPERM : EX_IOERR, "%s/" QUEUE_STATE "/lock: %m", s->path);
    /* One that starts just now finds it free again when it looks for the second time. */
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return locked;
}

bool store_in_place(const struct store *s)
{
    struct stat held, there;
    return fstat(s->root, &held) == 0 && stat(s->path, &there) == 0 &&
           held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

static int64_t nanoseconds(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

int store_look(const struct store *s, const char *path, struct identity *id)
{
    struct stat st;
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    *id = (struct identity){.inode = st.st_ino,
                            .size = st.st_size,
                            .mtime = nanoseconds(&st.st_mtim),
                            .ctime = nanoseconds(&st.st_ctim),
                            .regular = S_ISREG(st.st_mode)};
    return 0;
}

bool store_same(const struct identity *a, const struct identity *b)
{
    return a->inode == b->inode && a->size == b->size && a->mtime == b->mtime &&
           a->regular == b->regular;
}

/* Where the file system knows no RENAME_NOREPLACE: a link never replaces. Where it knows no links
 * either we look first; under our lock only a stranger could come between. */
static int move_by_link(const struct store *s, const char *from, const char *to)
{
    struct stat st;
    if (linkat(s->root, from, s->root, to, 0) == 0)
        return unlinkat(s->root, from, 0);
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    if (fstatat(s->root, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? renameat(s->root, from, s->root, to) : -1;
}

int store_move(const struct store *s, const char *from, const char *to)
{
    int result;
    do {
        result = renameat2(s->root, from, s->root, to, RENAME_NOREPLACE);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? move_by_link(s, from, to) : -1;
}

/* Close, with the errno of what failed before. */
static int fail_close(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t more = write(fd, bytes + done, n - done);
        if (more < 0 && errno != EINTR)
            return -1;
        done += more > 0 ? (size_t)more : 0;
    }
    return 0;
}

int store_write(const struct store *s, const char *path, const char *bytes, size_t n)
{
    int fd = openat(s->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return -1;
    if (write_all(fd, bytes, n) != 0)
        return fail_close(fd);
    if (s->power && fsync(fd) != 0)
        return fail_close(fd);
    return close(fd);
}

int store_replace(const struct store *s, const char *path, const char *bytes, size_t n)
{
    char fresh[STORE_PATH];
    snprintf(fresh, sizeof fresh, "%s.tmp", path);
    int fd = openat(s->root, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -1;
    if (write_all(fd, bytes, n) != 0)
        return fail_close(fd);
    if (close(fd) != 0)
        return -1;
    return renameat(s->root, fresh, s->root, path);
}

int store_sync(const struct store *s, const char *path)
{
    if (!s->power)
        return 0;
    int fd = openat(s->root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fsync(fd) != 0)
        return fail_close(fd);
    return close(fd);
}

int store_read(const struct store *s, const char *path, struct buf *to, size_t max)
{
    int fd = openat(s->root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    for (;;) {
        ssize_t n = read(fd, buf_room(to, 65536), 65536);
        if (n < 0 && errno != EINTR)
            return fail_close(fd);
        if (n == 0)
            return close(fd);
        to->len += n > 0 ? (size_t)n : 0;
        if (to->len > max) {
            errno = EFBIG;
            return fail_close(fd);
        }
    }
}

int store_each(const struct store *s, const char *path, void (*each)(void *arg, const char *name),
               void *arg)
{
    int fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return fd < 0 ? -1 : fail_close(fd);
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(arg, entry->d_name);
    int saved = errno;
    closedir(dir);
    errno = saved;
    return saved ? -1 : 0;
}

struct cleaning {
    const struct store *store;
    const char *path;
    size_t stayed;
};

static void clean_one(void *arg, const char *name)
{
    struct cleaning *c = arg;
    char path[2 * STORE_PATH];
    snprintf(path, sizeof path, "%s/%s", c->path, name);
    if (unlinkat(c->store->root, path, 0) == 0)
        return;
    if (errno == EISDIR && (store_clean(c->store, path), true) &&
        unlinkat(c->store->root, path, AT_REMOVEDIR) == 0)
        return;
    c->stayed++;
}

size_t store_clean(const struct store *s, const char *path)
{
    struct cleaning c = {.store = s, .path = path};
    if (store_each(s, path, clean_one, &c) != 0 && errno != ENOENT)
        c.stayed++;
    return c.stayed;
}

void store_remove_folder(const struct store *s, const char *path)
{
    if (unlinkat(s->root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    store_clean(s, path);
    if (unlinkat(s->root, path, AT_REMOVEDIR) != 0 && errno != ENOENT)
        tl_warn("%s/%s: cannot be removed: %m", s->path, path);
}

int store_probe(const struct store *s, bool durable)
{
    static const char block[65536];
    const char *path = STORE_WORK "/probe";
    struct store as = *s;
    as.power = s->power && durable;
    int result = store_write(&as, path, block, sizeof block);
    int saved = errno;
    unlinkat(s->root, path, 0);
    errno = saved;
    return result;
}

int store_free(const struct store *s, struct room *bytes, struct room *files)
{
    struct statvfs v;
    if (fstatvfs(s->root, &v) != 0)
        return -1;
    bytes->avail = (uint64_t)v.f_bavail * v.f_frsize;
    bytes->total = (uint64_t)(v.f_blocks - v.f_bfree + v.f_bavail) * v.f_frsize;
    files->avail = v.f_favail;
    files->total = v.f_files - v.f_ffree + v.f_favail;
    return 0;
}
