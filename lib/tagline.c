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
#include "io.h"
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum at { AT_START, AT_LINE, AT_FILE_END, AT_INPUT_END };

/* The tag that was checked last, so that the same one need not be again. */
struct known_tag {
    char tag[TL_TAG_MAX];
    size_t len; /* 0: none */
};

struct tl {
    struct known_tag read_tag, written_tag;
    unsigned promises;
    size_t max_line;
    struct buf in;
    size_t next;    /* of in: where the next line begins */
    size_t scanned; /* of in: no newline before this */
    struct buf out;
    size_t begun; /* of out: where the text of tl_begin begins; 0: none is open */
    size_t room;  /* what tl_begin gave */
    enum at at;
    bool input_closed;   /* end of all input was read */
    bool routed;         /* !hello was seen: somebody reads our answers */
    bool counting;       /* a line was read, and what comes out belongs to it */
    char end_answer[32]; /* "!end N" that waits for the filter to emit what it holds */
    uint64_t emitted;    /* lines that are not in card yet */
    struct card_writer card;
    unsigned long long lineno;
};

static bool is_tag_byte(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '.' || c == '-');
}

bool tl_is_tag(const char *tag, size_t len)
{
    if (len < 1 || len > TL_TAG_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_tag_byte(tag[i], i == 0))
            return false;
    return true;
}

size_t tl_max_line(const struct tl *tl)
{
    size_t most = TL_LINE_MAX;
    const char *max = getenv(ENV_MAX_LINE);
    if (tl)
        return tl->max_line;
    if (max && !text_size(max, &most))
        tl_die(EX_USAGE, "%s: \"%s\" is not a size; write 64M, 1G, or bytes", ENV_MAX_LINE, max);
    return most;
}

struct tl *tl_open(unsigned promises)
{
    struct tl *tl = xcalloc(1, sizeof *tl);
    tl->promises = promises & TL_MAP ? promises | TL_STATELESS : promises;
    tl->max_line = tl_max_line(NULL);
    buf_room(&tl->in, IO_BLOCK);
    buf_room(&tl->out, IO_BLOCK);
    return tl;
}

static void flush(struct tl *tl)
{
    io_write(tl->out.data, tl->out.len);
    tl->out.len = 0;
}

void tl_fail(struct tl *tl, int status, const char *format, ...)
{
    struct buf what = {0};
    va_list ap;
    va_start(ap, format);
    buf_addv(&what, format, ap);
    va_end(ap);
    flush(tl);
    tl_die(status, "line %llu: %s", tl->lineno, buf_str(&what));
}

/* Read one more block behind what is there; false at the end of input. */
static bool fill(struct tl *tl)
{
    if (tl->next > 0) {
        buf_shift(&tl->in, tl->next);
        tl->scanned -= tl->next;
        tl->next = 0;
    }
    if (tl->in.len > tl->max_line + TL_TAG_MAX + 1) {
        tl->lineno++;
        tl_fail(tl, EX_DATAERR, "is longer than %zu bytes", tl->max_line);
    }
    buf_room(&tl->in, IO_BLOCK);
    if (tl->out.len && !io_ready())
        flush(tl);
    /* One byte stays free, for the newline that the last line may lack. */
    size_t n = io_read(tl->in.data + tl->in.len, tl->in.cap - tl->in.len - 1);
    tl->in.len += n;
    return n > 0;
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

/* What the line in hand gave goes into CARD. What came before the first line of a file stays in
 * emitted, and so counts as that line's, or as the end's where there is none. */
static void count_line(struct tl *tl)
{
    if (!tl->counting)
        return;
    if (tl->routed)
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
    card_close(&tl->card); /* the number of the end is never part of a run */
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

static bool ends_file(const struct tl *tl, const char *raw, size_t len)
{
    return starts(raw, CONTROL_END) && len < sizeof tl->end_answer;
}

/* Obey one control line; true if it ends the file. What is unknown is echoed, as the rule says. */
static bool control(struct tl *tl, const char *word, size_t len)
{
    if (ends_file(tl, word, len)) {
        memcpy(tl->end_answer, word, len + 1);
        return true;
    }
    if (strcmp(word, CONTROL_HELLO) == 0) {
        answer_hello(tl, word);
    } else if (starts(word, CONTROL_FENCE)) {
        answer(tl, word);
    } else {
        buf_add(&tl->out, word, len);
        buf_addc(&tl->out, '\n');
        flush(tl);
    }
    return false;
}

static bool is_known(const struct known_tag *known, const char *tag, size_t len)
{
    return len > 0 && known->len == len && memcmp(known->tag, tag, len) == 0;
}

static void know(struct known_tag *known, const char *tag, size_t len)
{
    memcpy(known->tag, tag, len);
    known->len = len;
}

/* Find the tab and check the tag; most often it is the last line's. */
static void parse(struct tl *tl, char *raw, size_t len, struct tl_line *line)
{
    size_t taglen = tl->read_tag.len;
    if (taglen >= len || raw[taglen] != '\t' || !is_known(&tl->read_tag, raw, taglen)) {
        const char *tab = memchr(raw, '\t', len < TL_TAG_MAX + 1 ? len : TL_TAG_MAX + 1);
        taglen = tab ? (size_t)(tab - raw) : 0;
        if (!tl_is_tag(raw, taglen))
            tl_fail(tl, EX_DATAERR, "does not begin with a tag and a tab (tl-tag adds them)");
        know(&tl->read_tag, raw, taglen);
    }
    raw[taglen] = '\0';
    line->tag = raw;
    line->text = raw + taglen + 1;
    line->len = len - taglen - 1;
    if (line->len > tl->max_line)
        tl_fail(tl, EX_DATAERR, "is longer than %zu bytes", tl->max_line);
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
        if (raw[0] == CONTROL) {
            if (!control(tl, raw, len))
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

/* Go to the first line of a file, or to its end if it has none, and answer what stands before it;
 * false at the end of input. */
static bool more(struct tl *tl)
{
    size_t len;
    char *raw;
    while ((raw = cut(tl, &len))) {
        if (raw[0] == CONTROL && !ends_file(tl, raw, len)) {
            control(tl, raw, len);
            continue;
        }
        tl->next = tl->scanned = (size_t)(raw - tl->in.data); /* put it back */
        raw[len] = '\n';
        return true;
    }
    return false;
}

/* The filter has broken off its loop over the lines: pass over the rest of the file. Without a
 * router all input is one file and nobody waits for an answer, so there is nothing to read on for.
 */
static void skip(struct tl *tl)
{
    struct tl_line line;
    if (!tl->routed)
        tl->at = AT_INPUT_END;
    while (tl_read(tl, &line))
        ;
}

bool tl_file(struct tl *tl)
{
    bool first = tl->at == AT_START;
    if (tl->at == AT_LINE)
        skip(tl);
    if (tl->end_answer[0])
        answer_end(tl);
    if (tl->at == AT_INPUT_END)
        return false;
    tl->at = AT_LINE;
    /* In a pipeline empty input is an empty file; a router says where a file ends. */
    return more(tl) || (first && !tl->routed);
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
    if (!is_known(&tl->written_tag, tag, taglen)) {
        if (!tl_is_tag(tag, taglen))
            tl_fail(tl, EX_SOFTWARE, "\"%s\" is not a tag", tag);
        know(&tl->written_tag, tag, taglen);
    }
    if (tl->out.len + taglen + room + 2 > IO_BLOCK && tl->out.len)
        flush(tl);
    char *at = buf_room(&tl->out, taglen + room + 2);
    memcpy(at, tag, taglen);
    at[taglen] = '\t';
    tl->begun = (size_t)(at - tl->out.data) + taglen + 1;
    tl->room = room;
    return at + taglen + 1;
}

void tl_end(struct tl *tl, size_t len)
{
    const char *text = tl->out.data + tl->begun;
    if (!tl->begun)
        tl_bug("tl_end without tl_begin");
    if (len > tl->room)
        tl_bug("tl_end: %zu bytes where tl_begin gave room for %zu", len, tl->room);
    size_t begun = tl->begun;
    tl->begun = 0;
    if (memchr(text, '\n', len))
        tl_fail(tl, EX_SOFTWARE, "a newline inside what was written");
    if (len > tl->max_line)
        tl_fail(tl, EX_DATAERR, "became longer than %zu bytes", tl->max_line);
    tl->out.len = begun + len;
    tl->out.data[tl->out.len++] = '\n';
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
    if (tl->begun)
        tl_bug("tl_close between tl_begin and tl_end");
    if (tl->end_answer[0])
        answer_end(tl);
    flush(tl);
    io_close();
    buf_free(&tl->in);
    buf_free(&tl->out);
    buf_free(&tl->card.text);
    free(tl);
    return EX_OK;
}
