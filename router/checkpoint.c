/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints as files. Trust: the file is ours, but a crash may have left any of it, another
 * version may have written it, and the disk may have lost a block; nothing in it is used before its
 * hash is right, and no number before it was checked.
 */
#include "checkpoint.h"
#include "contract.h"
#include "proc.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_WORD "tagline-checkpoint "
#define FIRST_LINE FIRST_WORD "1 " TL_VERSION

enum { BLOCK = 256 * 1024, MOST_END = 64 };

uint64_t checkpoint_hash(const char *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}

void checkpoint_free(struct checkpoint *c)
{
    for (size_t i = 0; i < c->nresults; i++)
        free(c->results[i].name);
    free(c->results);
    free(c->promises);
    free(c->nodes);
    free(c->sinks);
    *c = (struct checkpoint){0};
}

void checkpoint_add_result(struct checkpoint *c, const char *name, uint64_t length, uint64_t hash)
{
    c->results = xrealloc(c->results, c->nresults + 1, sizeof *c->results);
    c->results[c->nresults++] = (struct kept){xstrdup(name), length, hash};
}

/* ---- the text ---- */

void checkpoint_print(const struct checkpoint *c, struct buf *to)
{
    buf_adds(to, FIRST_LINE "\n");
    buf_addf(to, "flow %016" PRIx64 " %s\n", c->flow, c->promises);
    buf_addf(to, "input %" PRIu64 " %" PRId64 " %" PRId64 "\n", c->input.inode, c->input.size,
             c->input.mtime);
    buf_addf(to, "at %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", c->at.offset,
             c->at.boundary, c->at.step, c->read.lines, c->read.bytes);
    for (size_t i = 0; i < c->nnodes; i++) {
        const struct account *a = &c->nodes[i];
        buf_addf(to,
                 "node %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                 a->lines_in, a->bytes_in, a->lines_out, a->bytes_out, a->dropped, a->errors);
    }
    for (size_t i = 0; i < c->nsinks; i++)
        buf_addf(to, "sink %" PRIu64 " %" PRIu64 "\n", c->sinks[i].lines, c->sinks[i].bytes);
    for (size_t i = 0; i < c->nresults; i++) {
        buf_adds(to, "result ");
        text_percent(to, c->results[i].name, strlen(c->results[i].name));
        buf_addf(to, " %" PRIu64 " %016" PRIx64 "\n", c->results[i].length, c->results[i].hash);
    }
}

/* The words of a line behind the first one. */
struct words {
    char *rest;
    bool good;
};

static char *word(struct words *w)
{
    static char none[1];
    char *found = strsep(&w->rest, " ");
    w->good = w->good && found && *found;
    return found ? found : none;
}

static uint64_t number(struct words *w, int base)
{
    const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
    const char *text = word(w);
    errno = 0;
    uint64_t n = strtoull(text, NULL, base);
    w->good = w->good && strspn(text, digits) == strlen(text) && errno == 0;
    return n;
}

/* A size, or a time, which before 1970 has a sign. */
static int64_t number_signed(struct words *w)
{
    const char *text = word(w), *digits = text + (*text == '-');
    errno = 0;
    int64_t n = strtoll(text, NULL, 10);
    w->good = w->good && *digits && strspn(digits, "0123456789") == strlen(digits) && errno == 0;
    return n;
}

static void take_flow(struct checkpoint *c, struct words *w)
{
    c->flow = number(w, 16);
    free(c->promises);
    c->promises = xstrdup(word(w));
}

static void take_input(struct checkpoint *c, struct words *w)
{
    c->input.inode = number(w, 10);
    c->input.size = number_signed(w);
    c->input.mtime = number_signed(w);
}

static void take_at(struct checkpoint *c, struct words *w)
{
    c->at.offset = number(w, 10);
    c->at.boundary = number(w, 10);
    c->at.step = number(w, 10);
    c->read.lines = number(w, 10);
    c->read.bytes = number(w, 10);
    w->good = w->good && c->at.boundary > c->at.offset && c->at.step > 0 &&
              c->at.boundary - c->at.offset <= c->at.step;
}

static void take_node(struct checkpoint *c, struct words *w)
{
    struct account a = {0};
    a.lines_in = number(w, 10);
    a.bytes_in = number(w, 10);
    a.lines_out = number(w, 10);
    a.bytes_out = number(w, 10);
    a.dropped = number(w, 10);
    a.errors = number(w, 10);
    c->nodes = xrealloc(c->nodes, c->nnodes + 1, sizeof *c->nodes);
    c->nodes[c->nnodes++] = a;
}

static void take_sink(struct checkpoint *c, struct words *w)
{
    struct tally t = {0};
    t.lines = number(w, 10);
    t.bytes = number(w, 10);
    c->sinks = xrealloc(c->sinks, c->nsinks + 1, sizeof *c->sinks);
    c->sinks[c->nsinks++] = t;
}

static void take_result(struct checkpoint *c, struct words *w)
{
    char *name = word(w);
    uint64_t length = number(w, 10), hash = number(w, 16);
    w->good = w->good && length <= INT64_MAX && text_unpercent(name);
    if (w->good)
        checkpoint_add_result(c, name, length, hash);
}

bool checkpoint_take(struct checkpoint *c, char *line)
{
    static const struct {
        const char *word;
        void (*take)(struct checkpoint *c, struct words *w);
    } lines[] = {{"flow", take_flow}, {"input", take_input}, {"at", take_at},
                 {"node", take_node}, {"sink", take_sink},   {"result", take_result}};
    struct words w = {line, true};
    const char *first = word(&w);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strcmp(first, lines[i].word) == 0) {
            lines[i].take(c, &w);
            return w.good && !w.rest;
        }
    return false;
}

/* ---- writing ---- */

static int flush(struct checkpoint_file *f)
{
    for (size_t done = 0; done < f->buffer.len;) {
        ssize_t n = write(f->fd, f->buffer.data + done, f->buffer.len - done);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    f->buffer.len = 0;
    return 0;
}

int checkpoint_write(struct checkpoint_file *f, const char *lines, size_t n)
{
    XXH3_64bits_update(f->hash, lines, n);
    f->bytes += n;
    buf_add(&f->buffer, lines, n);
    return f->buffer.len >= BLOCK ? flush(f) : 0;
}

static XXH3_state_t *new_hash(void)
{
    XXH3_state_t *hash = XXH3_createState();
    if (!hash)
        tl_die(EX_TEMPFAIL, "not enough memory");
    XXH3_64bits_reset(hash);
    return hash;
}

int checkpoint_begin(struct checkpoint_file *f, const char *path, const struct checkpoint *c)
{
    struct buf b = {0};
    *f = (struct checkpoint_file){.path = xstrdup(path), .hash = new_hash()};
    buf_addf(&b, "%s.tmp", path);
    f->temporary = xstrdup(buf_str(&b));
    f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    b.len = 0;
    checkpoint_print(c, &b);
    int result = f->fd < 0 ? -1 : checkpoint_write(f, b.data, b.len);
    buf_free(&b);
    if (result != 0)
        checkpoint_close(f);
    return result;
}

/* Make the entry that path has in its folder durable. */
static int sync_folder(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int saved = errno;
    close_fd(&fd);
    free(copy);
    errno = saved;
    return result;
}

int checkpoint_end(struct checkpoint_file *f, bool sync)
{
    buf_addf(&f->buffer, "end %" PRIu64 " %016" PRIx64 "\n", f->bytes, XXH3_64bits_digest(f->hash));
    if (flush(f) != 0 || (sync && fsync(f->fd) != 0))
        return -1;
    int fd = f->fd;
    f->fd = -1;
    if (close(fd) != 0 || rename(f->temporary, f->path) != 0)
        return -1;
    free(f->temporary);
    f->temporary = NULL;
    return sync ? sync_folder(f->path) : 0;
}

/* ---- reading ---- */

/* The last line, which says how many bytes and which hash come before it. */
static const char *read_end(struct checkpoint_file *f, uint64_t size, uint64_t *hash)
{
    char tail[MOST_END + 1];
    size_t n = size < MOST_END ? (size_t)size : MOST_END;
    if (pread(f->fd, tail, n, (off_t)(size - n)) != (ssize_t)n)
        return "cannot be read";
    if (n == 0)
        return "is empty";
    tail[n - 1] = tail[n - 1] == '\n' ? '\0' : 'x';
    tail[n] = '\0';
    const char *nl = memrchr(tail, '\n', n);
    struct words w = {nl ? (char *)nl + 1 : tail, true};
    bool end = strcmp(word(&w), "end") == 0;
    f->states = number(&w, 10);
    *hash = number(&w, 16);
    if (!end || !w.good || w.rest || !nl || f->states != size - n + (size_t)(nl + 1 - tail))
        return "is cut short";
    return NULL;
}

static const char *verify(struct checkpoint_file *f)
{
    struct stat st;
    uint64_t hash;
    static const char unreadable[] = "cannot be read";
    if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return unreadable;
    const char *why = read_end(f, (uint64_t)st.st_size, &hash);
    char *block = why ? NULL : xcalloc(BLOCK, 1);
    for (uint64_t at = 0; !why && at < f->states;) {
        size_t most = f->states - at < BLOCK ? (size_t)(f->states - at) : BLOCK;
        ssize_t n = pread(f->fd, block, most, (off_t)at);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            why = unreadable;
        else if (n > 0)
            XXH3_64bits_update(f->hash, block, (size_t)n);
        at += n > 0 ? (uint64_t)n : 0;
    }
    free(block);
    return why ? why : XXH3_64bits_digest(f->hash) == hash ? NULL : "is damaged";
}

/* The next line, a C string; NULL and 0 behind the last one, NULL and -1 if it cannot be read. */
static char *next_line(struct checkpoint_file *f, size_t *len, int *result)
{
    size_t looked = f->at;
    *result = 0;
    for (;;) {
        struct buf *b = &f->buffer;
        char *nl = b->len > looked ? memchr(b->data + looked, '\n', b->len - looked) : NULL;
        if (nl) {
            char *line = b->data + f->at;
            *nl = '\0';
            *len = (size_t)(nl - line);
            f->at += *len + 1;
            return line;
        }
        buf_shift(b, f->at);
        f->at = 0;
        looked = b->len;
        size_t most = f->states - f->bytes < BLOCK ? (size_t)(f->states - f->bytes) : BLOCK;
        ssize_t n = pread(f->fd, buf_room(b, BLOCK), most, (off_t)f->bytes);
        if (n < 0 && errno == EINTR)
            continue;
        *result = n < 0 || (n == 0 && b->len) ? -1 : 0;
        if (n <= 0)
            return NULL;
        b->len += (size_t)n;
        f->bytes += (uint64_t)n;
    }
}

/* All that comes before the states. */
static const char *read_head(struct checkpoint_file *f, struct checkpoint *c)
{
    size_t len;
    int result;
    char *line = next_line(f, &len, &result);
    if (!line || strncmp(line, FIRST_WORD, strlen(FIRST_WORD)) != 0)
        return "is none";
    if (strcmp(line, FIRST_LINE) != 0)
        return "is of another version";
    while ((line = next_line(f, &len, &result))) {
        if (strncmp(line, "state ", 6) == 0) {
            line[len] = '\n';
            f->at -= len + 1; /* put it back */
            break;
        }
        if (strlen(line) != len || !checkpoint_take(c, line))
            return "makes no sense";
    }
    return result == 0 && c->promises && c->at.step ? NULL : "makes no sense";
}

const char *checkpoint_open(struct checkpoint_file *f, const char *path, struct checkpoint *c)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? "" : "cannot be opened";
    return checkpoint_read(f, fd, c);
}

const char *checkpoint_read(struct checkpoint_file *f, int fd, struct checkpoint *c)
{
    *f = (struct checkpoint_file){.fd = fd, .hash = new_hash()};
    const char *why = verify(f);
    if (!why)
        why = read_head(f, c);
    if (why)
        checkpoint_close(f);
    return why;
}

int checkpoint_state(struct checkpoint_file *f, size_t *lane, const char **payload, size_t *n)
{
    int result;
    char *line = next_line(f, n, &result), *end;
    if (!line)
        return result;
    if (*n < 6 || memcmp(line, "state ", 6) != 0 || line[6] < '0' || line[6] > '9')
        return -1;
    *lane = strtoul(line + 6, &end, 10);
    if (*end != ' ')
        return -1;
    *payload = end + 1;
    *n -= (size_t)(end + 1 - line);
    return 1;
}

void checkpoint_close(struct checkpoint_file *f)
{
    int saved = errno;
    if (f->temporary)
        unlink(f->temporary); /* what was in the way of writing it may be in the way of this */
    if (f->hash) {
        close_fd(&f->fd);
        XXH3_freeState(f->hash);
    }
    free(f->path);
    free(f->temporary);
    buf_free(&f->buffer);
    *f = (struct checkpoint_file){.fd = -1};
    errno = saved;
}
