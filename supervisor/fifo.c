/* SPDX-License-Identifier: MIT */
/* The FIFO of metrics. Trust: its readers may stop reading, die, or put something else in its
 * place; none of that may hold up or end the work. */
#include "fifo.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fifo_open(struct fifo *f, const struct store *store)
{
    *f = (struct fifo){
        .store = store, .fd = -1, .errors.size = FIFO_ERRORS, .traces.size = FIFO_TRACES};
    fifo_tick(f);
}

static void hang_up(struct fifo *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

static void ring_free(struct fifo_ring *r)
{
    for (size_t i = 0; i < r->size; i++)
        free(r->lines[i]);
}

void fifo_close(struct fifo *f)
{
    hang_up(f);
    ring_free(&f->errors);
    ring_free(&f->traces);
}

static void write_line(struct fifo *f, const char *line, size_t n)
{
    if (f->fd < 0)
        return;
    if (n > PIPE_BUF)
        tl_bug("a metrics record of %zu bytes", n);
    ssize_t written;
    do {
        written = write(f->fd, line, n); /* whole or not at all: it fits PIPE_BUF */
    } while (written < 0 && errno == EINTR);
    if (written < 0 && errno == EPIPE)
        hang_up(f);
    if (written < 0)
        f->dropped++;
}

void fifo_write(struct fifo *f, const struct buf *line)
{
    write_line(f, line->data, line->len);
}

static void keep(struct fifo_ring *r, struct buf *line)
{
    free(r->lines[r->next]);
    r->lines[r->next] = xstrdup(buf_str(line));
    r->next = (r->next + 1) % r->size;
}

void fifo_write_error(struct fifo *f, struct buf *line)
{
    keep(&f->errors, line);
    fifo_write(f, line);
}

void fifo_write_trace(struct fifo *f, struct buf *line)
{
    keep(&f->traces, line);
    fifo_write(f, line);
}

static void replay(struct fifo *f, const struct fifo_ring *r)
{
    for (size_t i = 0; i < r->size; i++) {
        const char *line = r->lines[(r->next + i) % r->size];
        if (line)
            write_line(f, line, strlen(line));
    }
}

/* Is it there and a FIFO? One is made where nothing is. */
static bool is_fifo(struct fifo *f, struct stat *st)
{
    const struct store *s = f->store;
    if (fstatat(s->root, QUEUE_METRICS, st, AT_SYMLINK_NOFOLLOW) != 0 &&
        (mkfifoat(s->root, QUEUE_METRICS, 0640) != 0 ||
         fstatat(s->root, QUEUE_METRICS, st, AT_SYMLINK_NOFOLLOW) != 0)) {
        if (!f->warned)
            tl_warn("%s/" QUEUE_METRICS ": %m; going on without metrics", s->path);
        f->warned = true;
        return false;
    }
    if (!S_ISFIFO(st->st_mode) && !f->warned)
        tl_warn("%s/" QUEUE_METRICS ": is not a FIFO; going on without metrics", s->path);
    f->warned = !S_ISFIFO(st->st_mode);
    return S_ISFIFO(st->st_mode);
}

void fifo_tick(struct fifo *f)
{
    struct stat st;
    if (!is_fifo(f, &st) || (f->fd >= 0 && st.st_ino != f->inode)) {
        hang_up(f);
        return;
    }
    if (f->fd >= 0)
        return;
    f->fd = openat(f->store->root, QUEUE_METRICS,
                   O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (f->fd < 0)
        return; /* ENXIO: nobody reads; anything else is tried again as well */
    if (fstat(f->fd, &st) != 0 || !S_ISFIFO(st.st_mode)) {
        hang_up(f); /* it was exchanged between look and open */
        return;
    }
    f->inode = st.st_ino;
    replay(f, &f->errors);
    replay(f, &f->traces);
}
