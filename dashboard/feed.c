/* SPDX-License-Identifier: MIT */
/*
 * The metrics FIFO. Trust: the queue's folder may hold anything under the FIFO's name; only a FIFO
 * is read, and at most 1 MiB of it is held at a time.
 *
 * Two descriptors of the FIFO are open. The lock holds flock(2), so that there is one reader, and
 * keeps the pipe's bytes alive. The other is read, and opened anew when the writer has gone:
 * poll(2) would report the hang-up for ever, but not on a descriptor opened after it.
 */
#include "feed.h"
#include "contract.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 64 * 1024, BLOCKS_A_READ = 16 };

struct feed {
    const char *queue;
    int dir, lock, fd;
    bool written;
    bool not_fifo; /* what has its name is something else */
    int status;    /* for feed_die, and why */
    const char *why;
    int error;
    struct records records;
};

struct feed *feed_open(const char *queue)
{
    int dir = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        tl_die(errno == EACCES || errno == EPERM ? EX_NOPERM : EX_NOINPUT, "%s: %m", queue);
    struct feed *f = xcalloc(1, sizeof *f);
    f->queue = queue;
    f->dir = dir;
    f->lock = f->fd = -1;
    return f;
}

/* Keep the first reason: the caller has a terminal to put in order before it is told. */
static void fail(struct feed *f, int status, const char *why)
{
    if (f->status != 0)
        return;
    f->status = status;
    f->why = why;
    f->error = errno;
}

_Noreturn void feed_die(const struct feed *f)
{
    errno = f->error;
    if (f->why)
        tl_die(f->status, "%s/%s: %s", f->queue, QUEUE_METRICS, f->why);
    tl_die(f->status, "%s/%s: %m", f->queue, QUEUE_METRICS);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* nothing was written to it: there is nothing that close could report */
    *fd = -1;
}

/* Open the FIFO by name; -1 when there is none. O_NONBLOCK, or the open would wait for a writer. */
static int open_fifo(struct feed *f)
{
    struct stat st;
    int fd =
        openat(f->dir, QUEUE_METRICS, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    f->not_fifo = fd < 0 && (errno == ELOOP || errno == ENXIO);
    if (fd < 0) {
        if (errno == EACCES || errno == EPERM)
            fail(f, EX_NOPERM, NULL);
        else if (errno != ENOENT && errno != EINTR && !f->not_fifo)
            fail(f, EX_OSERR, NULL);
        return -1;
    }
    if (fstat(fd, &st) != 0)
        fail(f, EX_OSERR, NULL);
    f->not_fifo = !S_ISFIFO(st.st_mode);
    if (f->not_fifo)
        close_fd(&fd);
    return fd;
}

/* Is the FIFO that was just opened the one that is locked? A new one may have taken its name. */
static bool same_file(int a, int b)
{
    struct stat sa, sb;
    return a >= 0 && b >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* The lock goes with the FIFO that has the name now; one that was replaced is let go. */
static void attach(struct feed *f)
{
    int fd = open_fifo(f);
    if (same_file(f->lock, fd)) {
        close_fd(&f->fd);
        f->fd = fd;
        return;
    }
    close_fd(&f->fd);
    close_fd(&f->lock);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        fail(f, EX_TEMPFAIL,
             errno == EWOULDBLOCK ? "another dashboard reads it; one can at a time" : NULL);
    f->lock = fd;
    f->fd = open_fifo(f);
}

/* Read what is there; false when the writer has gone (or there never was one). */
static bool drain(struct feed *f)
{
    static char block[BLOCK];
    for (int i = 0; i < BLOCKS_A_READ; i++) {
        ssize_t n = read(f->fd, block, sizeof block);
        if (n > 0) {
            f->written = true;
            records_push(&f->records, block, (size_t)n);
        } else if (n == 0) {
            return false;
        } else if (errno == EAGAIN) {
            f->written = true; /* a writer has it open: nothing to read, and no end */
            return true;
        } else if (errno != EINTR) {
            fail(f, EX_IOERR, NULL);
            return true;
        }
    }
    return true;
}

bool feed_read(struct feed *f)
{
    if (f->fd < 0 || !drain(f)) {
        records_cut(&f->records);
        f->written = false;
        attach(f);
    }
    return f->status == 0;
}

struct records *feed_records(struct feed *f)
{
    return &f->records;
}

int feed_fd(const struct feed *f)
{
    return f->fd;
}

enum feed_state feed_state(const struct feed *f)
{
    if (f->fd < 0)
        return f->not_fifo ? FEED_NOT_FIFO : FEED_NO_FIFO;
    return f->written ? FEED_WRITTEN : FEED_WAITING;
}

void feed_close(struct feed *f)
{
    close_fd(&f->fd);
    close_fd(&f->lock);
    close_fd(&f->dir);
    records_free(&f->records);
    free(f);
}
