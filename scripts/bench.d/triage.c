/* SPDX-License-Identifier: MIT */
/*
 * The bench's measure of what one program can do that was written for one task alone (T1): one pass
 * over the input, three files out. Lines with "ERROR" or " error" go to err behind "ALERT ", those
 * with "WARN" to warn, all others to gen in capitals. Trust: scripts/bench's own data; a line
 * longer than the buffer is refused.
 *
 *     triage IN ERR WARN GEN
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

struct out {
    int fd;
    size_t len;
    char bytes[2 * BLOCK];
};

static struct out errors, warnings, general;
static char in[BLOCK];

static void flush(struct out *to)
{
    for (size_t at = 0; at < to->len;) {
        ssize_t n = write(to->fd, to->bytes + at, to->len - at);
        if (n < 0 && errno != EINTR)
            err(EX_IOERR, "write");
        at += n > 0 ? (size_t)n : 0;
    }
    to->len = 0;
}

/* Room for a line and what goes before it: a line is shorter than a block. */
static char *room(struct out *to)
{
    if (to->len >= BLOCK / 2)
        flush(to);
    return to->bytes + to->len;
}

static bool has(const char *line, size_t len, const char *what, size_t n)
{
    return memmem(line, len, what, n) != NULL;
}

static void upper(char *restrict to, const char *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] >= 'a' && from[i] <= 'z' ? (char)(from[i] - 32) : from[i];
}

/* len counts the newline. */
static void sort_line(const char *line, size_t len)
{
    if (has(line, len, "ERROR", 5) || has(line, len, " error", 6)) {
        char *to = room(&errors);
        memcpy(to, "ALERT ", 6);
        memcpy(to + 6, line, len);
        errors.len += len + 6;
    } else if (has(line, len, "WARN", 4)) {
        memcpy(room(&warnings), line, len);
        warnings.len += len;
    } else {
        upper(room(&general), line, len);
        general.len += len;
    }
}

static void run(int fd)
{
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, in + have, sizeof in - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err(EX_IOERR, "read");
        if (n == 0)
            break;
        have += (size_t)n;
        char *line = in;
        for (char *end; (end = memchr(line, '\n', have - (size_t)(line - in))); line = end + 1)
            sort_line(line, (size_t)(end + 1 - line));
        have -= (size_t)(line - in);
        memmove(in, line, have);
        if (have == sizeof in)
            errx(EX_DATAERR, "a line is longer than %d bytes", BLOCK);
    }
    if (have)
        errx(EX_DATAERR, "the last line has no newline");
}

static int create(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        err(EX_CANTCREAT, "%s", name);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        errx(EX_USAGE, "usage: triage IN ERR WARN GEN");
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        err(EX_NOINPUT, "%s", argv[1]);
    errors.fd = create(argv[2]);
    warnings.fd = create(argv[3]);
    general.fd = create(argv[4]);
    run(fd);
    flush(&errors);
    flush(&warnings);
    flush(&general);
    if (close(errors.fd) || close(warnings.fd) || close(general.fd))
        err(EX_IOERR, "close");
    return EX_OK;
}
