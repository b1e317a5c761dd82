/* SPDX-License-Identifier: MIT */
/*
 * The bench's data: logs that look like logs, the same bytes for the same seed on every machine.
 * Trust: run by scripts/bench alone, on numbers that it chose.
 *
 *     generate log SEED BYTES          lines of a service's log, 139 bytes on average
 *     generate plain SEED BYTES        without a date: a line begins with its level
 *     generate access SEED BYTES       lines of a web server's access log
 *     generate words SEED BYTES LENGTH TAGS    lines of LENGTH bytes; the first word is one of TAGS
 *     generate files SEED FILES LINES  files of log lines, named 000000.log and so on
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    BLOCK = 1 << 20,
    ROOM = 1 << 18, /* more than the longest line */
};

struct block {
    int fd;
    size_t len;
    char bytes[BLOCK + ROOM];
};

typedef void line_fn(struct block *to);

static uint64_t state;
static unsigned long long lines; /* a clock that goes with the lines */
static size_t word_len, word_tags;
static struct block block;

static const char *const nouns[] = {"disk",     "service",  "network", "user",    "session",
                                    "kernel",   "request",  "cache",   "index",   "replica",
                                    "checksum", "upstream", "client",  "payload", "transaction",
                                    "volume",   "socket",   "lease"};
static const char *const verbs[] = {"accepted", "closed", "took",      "moved to", "released",
                                    "from",     "with",   "completed", "opened",   "queued for",
                                    "retried",  "by",     "flushed",   "in",       "renewed"};
static const char *const hosts[] = {"alpha", "bravo", "web-01.example", "db-02.example",
                                    "cache-17"};
static const char *const programs[] = {"sshd",     "nginx",      "systemd",
                                       "postgres", "app-worker", "cron"};
static const char *const levels[] = {"INFO", "INFO", "INFO", "DEBUG", "NOTICE"};

/* xorshift64*: fast, and the same everywhere. */
static uint64_t chance(uint64_t n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545F4914F6CDD1DU >> 33) % n;
}

static void text(struct block *to, const char *s)
{
    size_t n = strlen(s);
    memcpy(to->bytes + to->len, s, n);
    to->len += n;
}

static void number(struct block *to, uint64_t n, int digits)
{
    char buf[24];
    int at = sizeof buf;
    do {
        buf[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (--digits > 0 || n);
    memcpy(to->bytes + to->len, buf + at, sizeof buf - (size_t)at);
    to->len += sizeof buf - (size_t)at;
}

#define ONE_OF(list) list[chance(sizeof(list) / sizeof *(list))]

/* How long a line shall be: most short, some long, a few very long. */
static size_t length(void)
{
    uint64_t kind = chance(1000);
    if (kind < 620)
        return 50 + chance(75);
    if (kind < 910)
        return 124 + chance(76);
    if (kind < 999)
        return 200 + chance(180);
    return 1000 + chance(3000);
}

/* Words up to the length. One line in sixty speaks of an error among them. */
static void message(struct block *to, size_t begin, size_t len)
{
    if (chance(60) == 0)
        text(to, " error 0x5 reading");
    while (to->len - begin < len) {
        text(to, " ");
        text(to, ONE_OF(nouns));
        text(to, " ");
        text(to, ONE_OF(verbs));
        if (chance(3) == 0) {
            text(to, " ");
            number(to, chance(100000), 1);
        }
    }
}

static void clock_time(struct block *to)
{
    unsigned long long s = lines / 50;
    number(to, s / 3600 % 24, 2);
    text(to, ":");
    number(to, s / 60 % 60, 2);
    text(to, ":");
    number(to, s % 60, 2);
}

static void log_line(struct block *to)
{
    size_t begin = to->len;
    size_t len = length();
    text(to, "2026-11-");
    number(to, lines / 4320000 % 30 + 1, 2);
    text(to, "T");
    clock_time(to);
    text(to, ".");
    number(to, chance(1000), 3);
    text(to, "Z ");
    text(to, ONE_OF(hosts));
    text(to, " ");
    text(to, ONE_OF(programs));
    text(to, "[");
    number(to, chance(32768), 1);
    text(to, "]: ");
    uint64_t kind = chance(100);
    text(to, kind < 2 ? "ERROR" : kind < 8 ? "WARN" : ONE_OF(levels));
    message(to, begin, len);
    text(to, "\n");
}

static void plain_line(struct block *to)
{
    size_t begin = to->len;
    uint64_t kind = chance(100);
    if (chance(20) == 0)
        text(to, "  ");
    text(to, kind < 3 ? "Error:" : kind < 10 ? "warning:" : ONE_OF(levels));
    message(to, begin, length());
    text(to, chance(20) ? "\n" : " \n");
}

static void access_line(struct block *to)
{
    static const char *const users[] = {"-", "-", "-", "alice", "bob"};
    static const char *const methods[] = {"GET", "GET", "GET", "POST", "HEAD"};
    static const char *const agents[] = {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
                                         "curl/7.88.1", "Wget/1.21.3"};
    static const unsigned statuses[] = {200, 200, 200, 200, 304, 404, 500};
    number(to, chance(223) + 1, 1);
    for (int i = 0; i < 3; i++) {
        text(to, ".");
        number(to, chance(256), 1);
    }
    text(to, " - ");
    text(to, ONE_OF(users));
    text(to, " [24/Nov/2026:");
    clock_time(to);
    text(to, " +0000] \"");
    text(to, ONE_OF(methods));
    text(to, " ");
    for (uint64_t parts = chance(4) + 1; parts; parts--) {
        text(to, "/");
        text(to, ONE_OF(nouns));
    }
    text(to, "?id=");
    number(to, chance(1000000), 1);
    text(to, " HTTP/1.1\" ");
    number(to, ONE_OF(statuses), 3);
    text(to, " ");
    number(to, chance(200000), 1);
    text(to, " \"-\" \"");
    text(to, ONE_OF(agents));
    text(to, "\"\n");
}

static void word_line(struct block *to)
{
    size_t begin = to->len;
    text(to, "t");
    number(to, chance(word_tags), 1);
    text(to, " ");
    for (; to->len - begin + 1 < word_len; to->len++)
        to->bytes[to->len] = (char)('a' + (to->len + lines) % 26);
    text(to, "\n");
}

static void flush(struct block *from)
{
    for (size_t at = 0; at < from->len;) {
        ssize_t n = write(from->fd, from->bytes + at, from->len - at);
        if (n < 0 && errno != EINTR)
            err(EX_IOERR, "write");
        at += n > 0 ? (size_t)n : 0;
    }
    from->len = 0;
}

/* Whole lines until there are so many bytes, or a line more. */
static void stream(line_fn *line, unsigned long long bytes)
{
    block.fd = STDOUT_FILENO;
    for (unsigned long long done = 0; done < bytes; lines++) {
        size_t before = block.len;
        line(&block);
        done += block.len - before;
        if (block.len >= BLOCK)
            flush(&block);
    }
    flush(&block);
}

static void files(unsigned long long count, unsigned long long each)
{
    for (unsigned long long n = 0; n < count; n++) {
        char name[32];
        snprintf(name, sizeof name, "%06llu.log", n);
        block.fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (block.fd < 0)
            err(EX_CANTCREAT, "%s", name);
        for (unsigned long long i = 0; i < each; i++, lines++)
            log_line(&block);
        flush(&block);
        if (close(block.fd))
            err(EX_IOERR, "%s", name);
    }
}

static unsigned long long argument(const char *s)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(s, &end, 10);
    if (errno || end == s || *end)
        errx(EX_USAGE, "%s: not a number", s);
    return n;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5 && argc != 6)
        errx(EX_USAGE, "usage: generate log|plain|access|words|files SEED NUMBER...");
    const char *what = argv[1];
    state = argument(argv[2]) + 88172645463325252U; /* never 0 */
    unsigned long long amount = argument(argv[3]);
    unsigned long long fourth = argc > 4 ? argument(argv[4]) : 0;
    if (strcmp(what, "log") == 0 && argc == 4) {
        stream(log_line, amount);
    } else if (strcmp(what, "plain") == 0 && argc == 4) {
        stream(plain_line, amount);
    } else if (strcmp(what, "access") == 0 && argc == 4) {
        stream(access_line, amount);
    } else if (strcmp(what, "words") == 0 && argc == 6 && fourth < ROOM && argument(argv[5])) {
        word_len = fourth;
        word_tags = argument(argv[5]);
        stream(word_line, amount);
    } else if (strcmp(what, "files") == 0 && argc == 5) {
        files(amount, fourth);
    } else {
        errx(EX_USAGE, "%s: not known, or not with these numbers", what);
    }
    return EX_OK;
}
