/* SPDX-License-Identifier: MIT */
/*
 * The filter library. Trust: standard input may hold anything; it comes from a router or from a
 * shell pipeline. What is not a tagged line ends the program with status 65.
 *
 * The read buffer always begins with the line in hand; lines are cut out of it in place. Output is
 * collected and written when the buffer is full, when a fence is answered, and before a read that
 * would block.
 */
#include "tagline.h"
#include "buf.h"
#include "card.h"
#include "contract.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024 };

enum at { AT_START, AT_LINE, AT_FILE_END, AT_INPUT_END };

struct tl {
    unsigned promises;
    size_t max_line;
    struct buf in;
    size_t next;            /* of in: where the next line begins */
    size_t scanned;         /* of in: no newline before this */
    struct buf out;
    size_t begun;           /* of out: where the text of tl_begin begins; 0: none is open */
    enum at at;
    bool input_closed;      /* read(2) has said end of file */
    bool routed;            /* !hello was seen: somebody reads our answers */
    bool counting;          /* a line was read, and what comes out belongs to it */
    char end_answer[32];    /* "!end N" that waits for the filter to emit what it holds */
    uint64_t emitted;       /* lines since the line in hand was read */
    struct card_writer card;
    unsigned long long lineno;
};

bool tl_is_tag(const char *tag, size_t len)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char more[] = "0123456789.-";
    if (len < 1 || len > TL_TAG_MAX || !tag[0] || !strchr(first, tag[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!tag[i] || (!strchr(first, tag[i]) && !strchr(more, tag[i])))
            return false;
    return true;
}

struct tl *tl_open(unsigned promises)
{
    struct tl *tl = xcalloc(1, sizeof *tl);
    tl->promises = promises & TL_MAP ? promises | TL_STATELESS : promises;
    tl->max_line = TL_LINE_MAX;
    const char *max = getenv(ENV_MAX_LINE);
    if (max && !text_size(max, &tl->max_line))
        tl_die(EX_USAGE, "%s: \"%s\" is not a size; write 64M, 1G, or bytes", ENV_MAX_LINE, max);
    buf_room(&tl->in, BLOCK);
    buf_room(&tl->out, BLOCK);
    return tl;
}

static void flush(struct tl *tl)
{
    size_t done = 0;
    while (done < tl->out.len) {
        ssize_t n = write(STDOUT_FILENO, tl->out.data + done, tl->out.len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        } else if (errno == EPIPE) {
            exit(EX_IOERR); /* the reader went away and has said why, or does not care */
        } else if (errno != EINTR) {
            tl_die(EX_IOERR, "standard output: %m");
        }
    }
    tl->out.len = 0;
}

/* Read one more block behind what is there; false at the end of input. */
static bool fill(struct tl *tl)
{
    if (tl->next > 0) {
        buf_shift(&tl->in, tl->next);
        tl->scanned -= tl->next;
        tl->next = 0;
    }
    if (tl->in.len > tl->max_line + TL_TAG_MAX + 1)
        tl_die(EX_DATAERR, "standard input: line %llu is longer than %zu bytes", tl->lineno + 1,
               tl->max_line);
    buf_room(&tl->in, BLOCK);
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (tl->out.len && poll(&in, 1, 0) == 0)
        flush(tl);
    for (;;) {
        ssize_t n = read(STDIN_FILENO, tl->in.data + tl->in.len, tl->in.cap - tl->in.len - 1);
        if (n > 0) {
            tl->in.len += (size_t)n;
            return true;
        }
        if (n == 0)
            return false;
        if (errno == EAGAIN)
            poll(&in, 1, -1);
        else if (errno != EINTR)
            tl_die(EX_IOERR, "standard input: %m");
    }
}

/* Cut the next raw line out of the input: its first byte and length, newline replaced by NUL. */
static char *cut(struct tl *tl, size_t *len)
{
    for (;;) {
        char *from = tl->in.data + tl->scanned;
        char *nl = tl->in.len > tl->scanned ? memchr(from, '\n', tl->in.len - tl->scanned) : NULL;
        char *begin = tl->in.data + tl->next;
        if (!nl && !tl->input_closed) {
            tl->scanned = tl->in.len;
            tl->input_closed = !fill(tl);
            continue;
        }
        if (!nl && tl->next == tl->in.len)
            return NULL;
        if (!nl)
            nl = tl->in.data + tl->in.len++; /* a last line without newline; fill left room */
        *nl = '\0';
        *len = (size_t)(nl - begin);
        tl->next = tl->scanned = (size_t)(nl - tl->in.data) + 1;
        return begin;
    }
}

/* What the line in hand gave goes into CARD. */
static void count_line(struct tl *tl)
{
    if (tl->counting && tl->routed)
        card_add(&tl->card, tl->emitted);
    tl->counting = false;
    tl->emitted = 0;
}

static void answer(struct tl *tl, const char *word)
{
    card_close(&tl->card);
    buf_adds(&tl->out, word);
    if (tl->card.text.len)
        buf_addc(&tl->out, ' ');
    buf_add(&tl->out, tl->card.text.data, tl->card.text.len);
    buf_addc(&tl->out, '\n');
    tl->card.text.len = 0;
    flush(tl);
}

/* The filter has emitted what it held: answer the !end that asked for it. */
static void answer_end(struct tl *tl)
{
    card_close(&tl->card);
    card_add(&tl->card, tl->emitted);
    tl->emitted = 0;
    answer(tl, tl->end_answer);
    tl->end_answer[0] = '\0';
    tl->lineno = 0;
}

static void answer_hello(struct tl *tl, const char *word)
{
    tl->routed = true;
    buf_adds(&tl->out, word);
    buf_adds(&tl->out, " " CAN_CARD);
    if (tl->promises & TL_STATELESS)
        buf_adds(&tl->out, " " CAN_STATELESS);
    if (tl->promises & TL_MAP)
        buf_adds(&tl->out, " " CAN_MAP);
    buf_addc(&tl->out, '\n');
    flush(tl);
}

static bool starts(const char *s, const char *word)
{
    return strncmp(s, word, strlen(word)) == 0;
}

/* Obey one control line; true if it ends the file. What is unknown is echoed, as the rule says. */
static bool control(struct tl *tl, const char *word)
{
    if (starts(word, CONTROL_END) && strlen(word) < sizeof tl->end_answer) {
        memcpy(tl->end_answer, word, strlen(word) + 1);
        return true;
    }
    if (strcmp(word, CONTROL_HELLO) == 0)
        answer_hello(tl, word);
    else if (starts(word, CONTROL_FENCE))
        answer(tl, word);
    else {
        buf_adds(&tl->out, word);
        buf_addc(&tl->out, '\n');
        flush(tl);
    }
    return false;
}

/* Find the tab and check the tag; the checked tag of the last line is most often this one's too. */
static void parse(struct tl *tl, char *raw, size_t len, struct tl_line *line)
{
    size_t near = len < TL_TAG_MAX + 1 ? len : TL_TAG_MAX + 1;
    char *tab = memchr(raw, '\t', near);
    if (!tab || !tl_is_tag(raw, (size_t)(tab - raw)))
        tl_die(EX_DATAERR,
               "standard input: line %llu: does not begin with a tag and a tab (tl-tag adds one)",
               tl->lineno);
    *tab = '\0';
    line->tag = raw;
    line->text = tab + 1;
    line->len = len - (size_t)(line->text - raw);
    if (line->len > tl->max_line)
        tl_die(EX_DATAERR, "standard input: line %llu is longer than %zu bytes", tl->lineno,
               tl->max_line);
}

bool tl_read(struct tl *tl, struct tl_line *line)
{
    char *raw;
    size_t len;
    if (tl->begun)
        tl_bug("tl_read between tl_begin and tl_end");
    if (tl->at == AT_FILE_END || tl->at == AT_INPUT_END)
        return false;
    count_line(tl);
    while ((raw = cut(tl, &len))) {
        if (len && raw[0] == CONTROL) {
            if (!control(tl, raw))
                continue;
            if (tl->promises & TL_STATELESS) {
                answer_end(tl);
                continue;
            }
            tl->at = AT_FILE_END;
            return false;
        }
        tl->at = AT_LINE;
        tl->lineno++;
        tl->counting = true;
        parse(tl, raw, len, line);
        return true;
    }
    tl->at = AT_INPUT_END;
    return false;
}

/* Is there anything left to read? Answers hello on the way: nothing else can come between files. */
static bool more(struct tl *tl)
{
    size_t len;
    char *raw = cut(tl, &len);
    if (raw && strcmp(raw, CONTROL_HELLO) == 0) {
        answer_hello(tl, raw);
        raw = cut(tl, &len);
    }
    if (!raw)
        return false;
    /* Put it back: fill may have moved it, but it then begins the buffer. */
    tl->next = (size_t)(raw - tl->in.data);
    tl->scanned = tl->next;
    raw[len] = '\n';
    return true;
}

bool tl_file(struct tl *tl)
{
    if (tl->at == AT_START) {
        tl->at = AT_LINE;
        return more(tl) || !tl->routed;
    }
    if (tl->end_answer[0])
        answer_end(tl);
    if (tl->at == AT_INPUT_END || !more(tl))
        return false;
    tl->at = AT_LINE;
    return true;
}

unsigned long long tl_lineno(const struct tl *tl)
{
    return tl->lineno;
}

char *tl_begin(struct tl *tl, const char *tag, size_t room)
{
    size_t taglen = strlen(tag);
    if (tl->begun)
        tl_bug("tl_begin without tl_end");
    if (!tl_is_tag(tag, taglen))
        tl_die(EX_SOFTWARE, "line %llu: \"%s\" is not a tag", tl->lineno, tag);
    if (tl->out.len + taglen + room + 2 > BLOCK && tl->out.len)
        flush(tl);
    char *at = buf_room(&tl->out, taglen + room + 2);
    memcpy(at, tag, taglen);
    at[taglen] = '\t';
    tl->begun = (size_t)(at - tl->out.data) + taglen + 1;
    return at + taglen + 1;
}

void tl_end(struct tl *tl, size_t len)
{
    const char *text = tl->out.data + tl->begun;
    if (!tl->begun)
        tl_bug("tl_end without tl_begin");
    if (memchr(text, '\n', len))
        tl_die(EX_SOFTWARE, "line %llu: a newline inside what was written", tl->lineno);
    if (len > tl->max_line)
        tl_die(EX_DATAERR, "line %llu: became longer than %zu bytes", tl->lineno, tl->max_line);
    tl->out.len = tl->begun + len;
    tl->out.data[tl->out.len++] = '\n';
    tl->begun = 0;
    tl->emitted++;
}

void tl_write(struct tl *tl, const char *tag, const char *text, size_t len)
{
    char *to = tl_begin(tl, tag, len);
    if (len)
        memcpy(to, text, len);
    tl_end(tl, len);
}

int tl_close(struct tl *tl)
{
    if (tl->end_answer[0])
        answer_end(tl);
    flush(tl);
    /* A file system may report only now that what was written is lost. */
    if (close(STDOUT_FILENO) != 0 && errno != EINTR)
        tl_die(EX_IOERR, "standard output: %m");
    buf_free(&tl->in);
    buf_free(&tl->out);
    buf_free(&tl->card.text);
    free(tl);
    return EX_OK;
}

int tl_getopt(int argc, char **argv, const char *options, const char *usage)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 1}, {0}};
    char known[128];
    snprintf(known, sizeof known, ":h%s", options);
    /* Options stand before operands: a word of a command is not ours. */
    char shorts[132];
    snprintf(shorts, sizeof shorts, "+%s", known);
    opterr = 0;
    int c = getopt_long(argc, argv, shorts, longs, NULL);
    switch (c) {
    case 'h':
        fputs(usage, stdout);
        exit(fflush(stdout) == 0 ? EX_OK : EX_IOERR);
    case 1:
        printf("%s %s\n", program_invocation_short_name, TL_VERSION);
        exit(fflush(stdout) == 0 ? EX_OK : EX_IOERR);
    case ':':
        tl_die(EX_USAGE, "-%c: needs a value; see %s -h", optopt, program_invocation_short_name);
    case '?':
        if (optopt > ' ')
            tl_die(EX_USAGE, "-%c: no such option; see %s -h", optopt, program_invocation_short_name);
        tl_die(EX_USAGE, "%s: no such option; see %s -h", argv[optind - 1],
               program_invocation_short_name);
    default:
        return c;
    }
}
