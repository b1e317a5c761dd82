/* SPDX-License-Identifier: MIT */
/*
 * The filter library. Trust: standard input may hold anything; it comes from a router or from a
 * shell pipeline. What is not a tagged line ends the program with status 65.
 *
 * The read buffer always begins with the line in hand; lines are cut out of it in place. Output is
 * collected and written when the buffer is full, when a fence is answered, and before a read that
 * would block.
 */
#include "contract.h"
#include "inside.h"
#include "io.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    tl->out = &tl->own;
    buf_room(&tl->in, IO_BLOCK);
    buf_room(&tl->own, IO_BLOCK);
    return tl;
}

/* What was to stay in the shared region goes the way of all output, and its lines get the tag. */
static void leave_region(struct tl *tl)
{
    const char *at = tl->lent.data, *end = at + tl->lent.len;
    while (tl->plain && at < end) {
        const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        buf_adds(&tl->own, tl->tag);
        buf_addc(&tl->own, '\t');
        buf_add(&tl->own, at, (size_t)(next - at));
        at = next;
    }
    buf_add(&tl->own, at, (size_t)(end - at));
    tl->out = &tl->own;
    tl->plain = false;
}

void tl_flush(struct tl *tl)
{
    if (tl->out == &tl->lent)
        leave_region(tl);
    io_write(tl->own.data, tl->own.len);
    tl->own.len = 0;
    tl->taken = 0;
    tl->mark = tl->next;
}

/* Room for n more bytes of output. */
static char *out_room(struct tl *tl, size_t n)
{
    size_t most = tl->out == &tl->own ? IO_BLOCK : tl->lent.cap;
    if (n > most - tl->out->len && (tl->out->len || tl->out == &tl->lent))
        tl_flush(tl);
    return buf_room(tl->out, n);
}

void tl_fail(struct tl *tl, int status, const char *format, ...)
{
    char what[1024]; /* nobody would be left to free a buffer */
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    tl_flush(tl);
    tl_die(status, "line %llu: %s", tl->lineno, what);
}

/* Is a line that begins so, or its beginning, too long whatever it holds? Control lines have a
 * limit of their own: a flow of short lines may have long fences. */
static bool too_long(const struct tl *tl, char first, size_t len)
{
    return len > (first == CONTROL ? (size_t)IO_BLOCK : tl->max_line + TL_TAG_MAX + 1);
}

/* Read one more block behind what is there; false at the end of input. */
static bool fill(struct tl *tl)
{
    if (tl->next > 0) {
        buf_shift(&tl->in, tl->next);
        tl->taken += tl->next - tl->mark;
        tl->scanned -= tl->next;
        tl->next = tl->mark = 0;
    }
    if (tl->in.len && too_long(tl, *tl->in.data, tl->in.len)) {
        tl->lineno++;
        tl_fail(tl, EX_DATAERR, "is longer than %zu bytes", tl->max_line);
    }
    buf_room(&tl->in, IO_BLOCK);
    if (tl->own.len && !io_ready())
        tl_flush(tl);
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

/* The next line of the shared region, whose last byte is a newline. */
static void cut_part(struct tl *tl, struct tl_line *line)
{
    char *nl = memchr(tl->part, '\n', (size_t)(tl->part_end - tl->part));
    *nl = '\0';
    *line = (struct tl_line){tl->tag, tl->part, (size_t)(nl - tl->part)};
    tl->part = nl + 1;
}

/* What the line in hand gave goes into CARD. What came before the first line of a file stays in
 * emitted, and so counts as that line's, or as the end's where there is none. */
static void count_line(struct tl *tl)
{
    if (!tl->counting)
        return;
    if (tl->tells)
        card_add(&tl->card, tl->emitted);
    tl->counting = false;
    tl->emitted = 0;
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
        if (too_long(tl, *raw, len)) /* as if only its beginning had been read so far */
            tl_fail(tl, EX_DATAERR, "is longer than %zu bytes", tl->max_line);
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
    if (tl->open)
        tl_bug("tl_read between tl_begin and tl_end");
    if (tl->at == AT_FILE_END || tl->at == AT_INPUT_END)
        return false;
    count_line(tl);
    for (;;) {
        if (tl->part < tl->part_end) {
            tl->lineno++;
            cut_part(tl, line);
            break;
        }
        if (tl->due[0] && control_ends_file(tl) && !(tl->promises & TL_STATELESS)) {
            tl->at = AT_FILE_END;
            return false;
        }
        if (tl->due[0]) {
            control_answer(tl);
            continue;
        }
        raw = cut(tl, &len);
        if (!raw) {
            tl->at = AT_INPUT_END;
            return false;
        }
        if (raw[0] != CONTROL) {
            tl->lineno++;
            parse(tl, raw, len, line);
            break;
        }
        control_obey(tl, raw, len);
    }
    tl->at = AT_LINE;
    tl->counting = true;
    return true;
}

/* Go to the first line of a file, or to its end if it has none, and answer what stands before it;
 * false at the end of input. */
static bool more(struct tl *tl)
{
    size_t len;
    char *raw;
    for (;;) {
        if (tl->part < tl->part_end || (tl->due[0] && control_ends_file(tl)))
            return true;
        if (tl->due[0])
            control_answer(tl);
        raw = cut(tl, &len);
        if (!raw)
            return false;
        if (raw[0] != CONTROL)
            break;
        control_obey(tl, raw, len);
    }
    tl->next = tl->scanned = (size_t)(raw - tl->in.data); /* put it back */
    raw[len] = '\n';
    return true;
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

void tl_skip(struct tl *tl)
{
    if (tl->at == AT_LINE)
        skip(tl);
}

bool tl_file(struct tl *tl)
{
    bool first = tl->at == AT_START;
    tl_skip(tl);
    if (tl->due[0])
        control_answer(tl); /* the filter has emitted what it held */
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
    bool kept = tl->plain && tag == tl->tag; /* as most are: the line's own */
    size_t taglen = kept ? 0 : strlen(tag);
    if (tl->open)
        tl_bug("tl_begin without tl_end");
    if (tl->saving)
        tl_bug("a line written while the state is saved");
    if (!kept && !is_known(&tl->written_tag, tag, taglen)) {
        if (!tl_is_tag(tag, taglen))
            tl_fail(tl, EX_SOFTWARE, "\"%s\" is not a tag", tag);
        know(&tl->written_tag, tag, taglen);
    }
    if (tl->plain && !kept && strcmp(tag, tl->tag) != 0) {
        leave_region(tl);
        tl->mixed = true;
    }
    char *at = out_room(tl, TL_TAG_MAX + room + 2);
    if (!tl->plain) {
        taglen = strlen(tag); /* no longer kept, if the region was too small */
        memcpy(at, tag, taglen);
        at[taglen] = '\t';
        at += taglen + 1;
    }
    tl->open = true;
    tl->begun = (size_t)(at - tl->out->data);
    tl->room = room;
    return at;
}

void tl_end(struct tl *tl, size_t len)
{
    const char *text = tl->out->data + tl->begun;
    if (!tl->open)
        tl_bug("tl_end without tl_begin");
    if (len > tl->room)
        tl_bug("tl_end: %zu bytes where tl_begin gave room for %zu", len, tl->room);
    tl->open = false;
    if (memchr(text, '\n', len))
        tl_fail(tl, EX_SOFTWARE, "a newline inside what was written");
    if (len > tl->max_line)
        tl_fail(tl, EX_DATAERR, "became longer than %zu bytes", tl->max_line);
    tl->out->len = tl->begun + len;
    tl->out->data[tl->out->len++] = '\n';
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
    if (tl->open)
        tl_bug("tl_close between tl_begin and tl_end");
    if (tl->due[0])
        control_answer(tl); /* the filter has emitted what it held */
    tl_flush(tl);
    io_close();
    buf_free(&tl->in);
    buf_free(&tl->own);
    buf_free(&tl->card.text);
    buf_free(&tl->record);
    free(tl);
    return EX_OK;
}
