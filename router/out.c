/* SPDX-License-Identifier: MIT */
/*
 * Results. Trust: the folder is the caller's; names come from the flow and the input's name and
 * hold no slash. Every write and close is checked: a full disk must fail the job, not shorten a
 * result.
 */
#include "out.h"
#include "contract.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_IOV = 64, BLOCK = 256 * 1024 };

static int standard_output = STDOUT_FILENO;
static bool may_block;

/* O_NONBLOCK belongs to the open file, which we may share with a shell: open a pipe or terminal
 * anew to have one of our own. A regular file never blocks and must keep its offset. */
void out_setup(void)
{
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) != 0)
        tl_die(EX_IOERR, "standard output: %m");
    if (S_ISREG(st.st_mode))
        return;
    int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        standard_output = fd;
    else
        may_block = true; /* a socket, or no /proc: write small pieces, and only when polled */
}

void out_reset(void)
{
    if (standard_output != STDOUT_FILENO)
        close(standard_output); /* what was written to it was told when it was written */
    standard_output = STDOUT_FILENO;
}

int out_stdout(void)
{
    return standard_output;
}

void out_init(struct out *o, const struct flow *flow, const struct graph *g, const char *name,
              const char *dir, bool publish)
{
    *o = (struct out){.name = name, .publish = publish, .n = g->noutlets};
    if (!dir)
        return;
    o->dir = xstrdup(dir);
    o->fds = xcalloc(o->n, sizeof *o->fds);
    o->names = xcalloc(o->n, sizeof *o->names);
    for (size_t i = 0; i < o->n; i++)
        o->fds[i] = -1;
    for (size_t i = 0; i < flow->nsinks; i++)
        if (g->outlet_of[i] != NOWHERE) {
            struct buf *b = &o->names[g->outlet_of[i] - flow->nnodes];
            flow_sink_file(&flow->sinks[i], name, b);
            buf_str(b);
        }
}

/* Path of an outlet's file; temporary until it is published. */
static const char *path(const struct out *o, size_t i, bool temporary, struct buf *b)
{
    b->len = 0;
    if (temporary)
        buf_addf(b, "%s/.tl-router.%d.%p.%zu.tmp", o->dir, (int)getpid(), (const void *)o, i);
    else
        buf_addf(b, "%s/%s", o->dir, o->names[i].data);
    return buf_str(b);
}

static bool say(struct buf *why, const char *what)
{
    why->len = 0;
    buf_addf(why, "%s: %s", what, strerror(errno));
    return false;
}

static bool open_file(struct out *o, size_t i, struct buf *why)
{
    struct buf b = {0};
    if (o->fds[i] < 0) {
        o->fds[i] = open(path(o, i, o->publish, &b),
                         O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (o->fds[i] < 0)
            say(why, b.data);
    }
    buf_free(&b);
    return o->fds[i] >= 0;
}

static bool ready(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 0) == 1;
}

static void note(struct written *w, const struct iovec *iov, size_t n)
{
    if (!w->hash) {
        w->hash = XXH3_createState();
        if (!w->hash)
            tl_die(EX_TEMPFAIL, "not enough memory");
        XXH3_64bits_reset(w->hash);
    }
    w->bytes += n;
    for (; n > 0; iov++) {
        size_t part = n < iov->iov_len ? n : iov->iov_len;
        XXH3_64bits_update(w->hash, iov->iov_base, part);
        n -= part;
    }
}

static enum wrote write_stream(struct core *c, struct stream *s, int fd, bool careful,
                               struct written *w)
{
    while (s->first) {
        struct iovec iov[MOST_IOV];
        int n = stream_iov(s, iov, MOST_IOV);
        if (careful) {
            if (!ready(fd))
                return WROTE_BLOCKED;
            n = 1;
            iov[0].iov_len = iov[0].iov_len < PIPE_BUF ? iov[0].iov_len : PIPE_BUF;
        }
        ssize_t wrote = writev(fd, iov, n);
        if (wrote > 0 && w)
            note(w, iov, (size_t)wrote);
        if (wrote >= 0)
            stream_took(c, s, (size_t)wrote);
        else if (errno == EAGAIN)
            return WROTE_BLOCKED;
        else if (errno != EINTR)
            return WROTE_FAILED;
    }
    return WROTE_ALL;
}

enum wrote out_write(struct out *o, struct core *c, struct job *job, struct buf *why)
{
    if (!o->dir) {
        enum wrote w = write_stream(c, &job->streams[0], standard_output, may_block, NULL);
        if (w == WROTE_FAILED)
            say(why, "standard output");
        return w;
    }
    for (size_t i = 0; i < o->n; i++) {
        if (!stream_due(c, job, &job->streams[i]))
            continue;
        if (!open_file(o, i, why))
            return WROTE_FAILED;
        struct written *w = o->written ? &o->written[i] : NULL;
        if (write_stream(c, &job->streams[i], o->fds[i], false, w) == WROTE_FAILED) {
            say(why, o->names[i].data);
            return WROTE_FAILED;
        }
    }
    return WROTE_ALL;
}

enum wrote out_text(struct buf *text, struct buf *why)
{
    while (text->len) {
        if (may_block && !ready(standard_output))
            return WROTE_BLOCKED;
        ssize_t n = write(standard_output, text->data, text->len);
        if (n >= 0)
            buf_shift(text, (size_t)n);
        else if (errno == EAGAIN)
            return WROTE_BLOCKED;
        else if (errno != EINTR) {
            say(why, "standard output");
            return WROTE_FAILED;
        }
    }
    return WROTE_ALL;
}

/* ---- checkpoints ---- */

void out_keep(struct out *o)
{
    o->written = xcalloc(o->n, sizeof *o->written);
}

void out_checkpoint(const struct out *o, struct checkpoint *c)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct written *w = &o->written[i];
        checkpoint_add_result(c, o->names[i].data, w->bytes,
                              w->hash ? XXH3_64bits_digest(w->hash) : 0);
    }
}

int out_sync(const struct out *o)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->fds[i] >= 0 && fdatasync(o->fds[i]) != 0)
            return -1;
    int fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return result;
}

/* Read what is to be kept; errno is 0 where the file ends too soon. */
static bool read_again(int fd, uint64_t length, struct written *w)
{
    char *block = xcalloc(BLOCK, 1);
    errno = 0;
    while (w->bytes < length) {
        uint64_t left = length - w->bytes;
        ssize_t n = read(fd, block, left < BLOCK ? (size_t)left : BLOCK);
        if (n > 0)
            note(w, &(struct iovec){block, (size_t)n}, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    free(block);
    return w->bytes == length;
}

static bool resume_file(struct out *o, size_t i, const struct kept *kept, struct buf *why)
{
    struct buf b = {0};
    struct written *w = &o->written[i];
    struct stat st;
    const char *wrong = NULL;
    int fd = open(path(o, i, false, &b), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    o->fds[i] = fd;
    if (fd < 0 || fstat(fd, &st) != 0)
        wrong = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        wrong = "is no regular file";
    else if (!read_again(fd, kept->length, w))
        wrong = errno ? strerror(errno) : "is shorter than it was";
    else if (XXH3_64bits_digest(w->hash) != kept->hash)
        wrong = "is not what it was";
    else if (ftruncate(fd, (off_t)kept->length) != 0)
        wrong = strerror(errno);
    if (wrong)
        buf_addf(why, "the result %s: %s", o->names[i].data, wrong);
    buf_free(&b);
    return !wrong;
}

bool out_resume(struct out *o, const struct checkpoint *c, struct buf *why)
{
    bool good = c->nresults == o->n;
    if (!good)
        buf_adds(why, "it has other results");
    for (size_t i = 0; i < o->n && good; i++) {
        const struct kept *kept = &c->results[i];
        good = strcmp(kept->name, o->names[i].data) == 0;
        if (!good)
            buf_adds(why, "its results have other names");
        else if (kept->length)
            good = resume_file(o, i, kept, why);
    }
    if (!good)
        out_abandon(o);
    return good;
}

/* ---- the end ---- */

/* Synced, because a rename may reach the disk before the bytes: a crash must leave old or new. */
static bool close_file(struct out *o, size_t i, struct buf *why)
{
    if (!open_file(o, i, why))
        return false;
    bool good = !o->publish || fsync(o->fds[i]) == 0;
    if (close(o->fds[i]) != 0)
        good = false;
    o->fds[i] = -1;
    return good || say(why, o->names[i].data);
}

static bool publish_file(struct out *o, size_t i, struct buf *why)
{
    struct buf from = {0}, to = {0};
    bool good = rename(path(o, i, true, &from), path(o, i, false, &to)) == 0 || say(why, to.data);
    buf_free(&from);
    buf_free(&to);
    return good;
}

bool out_finish(struct out *o, struct buf *why)
{
    bool good = true;
    if (!o->dir)
        return true;
    for (size_t i = 0; i < o->n && good; i++)
        good = close_file(o, i, why);
    for (size_t i = 0; i < o->n && good && o->publish; i++)
        good = publish_file(o, i, why);
    if (good)
        o->publish = false; /* nothing is left to take back */
    return good;
}

static void forget(struct written *w)
{
    XXH3_freeState(w->hash);
    *w = (struct written){0};
}

void out_abandon(struct out *o)
{
    struct buf b = {0};
    for (size_t i = 0; o->dir && i < o->n; i++) {
        if (o->fds[i] >= 0)
            close(o->fds[i]); /* what is in it is given up */
        o->fds[i] = -1;
        if (o->written)
            forget(&o->written[i]);
        if (o->publish && unlink(path(o, i, true, &b)) != 0 && errno != ENOENT)
            tl_warn("%s: %m", b.data);
    }
    buf_free(&b);
}

void out_free(struct out *o)
{
    out_abandon(o);
    for (size_t i = 0; o->dir && i < o->n; i++)
        buf_free(&o->names[i]);
    free(o->written);
    free(o->fds);
    free(o->names);
    free(o->dir);
}
