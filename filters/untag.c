/* SPDX-License-Identifier: MIT */
/*
 * tl-untag: tagged lines in, plain lines out: the door out of a pipeline. Trust: any bytes; holds
 * one line, because half a line must never leave. It does not write tagged lines, so it is no
 * filter for a flow.
 */
#include "buf.h"
#include "contract.h"
#include "io.h"
#include "tagline.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: tl-untag [TAG...]\n"
    "Write the text of each tagged line, or only of the lines that have one of the TAGs.\n";

enum part { IN_TAG, IN_TEXT, IN_OTHER };

struct untagger {
    struct buf out; /* whole lines, then the open one */
    size_t whole;   /* of out: bytes of whole lines */
    char **wanted;  /* NULL-terminated; none: all */
    enum part part;
    char tag[TL_TAG_MAX + 1]; /* what was read of it */
    size_t taglen;
    size_t len; /* of the text so far */
    size_t max_line;
    unsigned long long lineno;
};

static void write_whole(struct untagger *u)
{
    io_write(u->out.data, u->whole);
    if (u->whole)
        buf_shift(&u->out, u->whole);
    u->whole = 0;
}

/* What was written before comes out, so that it does not depend on the size of the blocks. */
_Noreturn static void refuse(struct untagger *u, const char *why)
{
    write_whole(u);
    tl_die(EX_DATAERR, "line %llu: %s", u->lineno, why);
}

static bool is_wanted(const struct untagger *u)
{
    if (!*u->wanted)
        return true;
    for (char **w = u->wanted; *w; w++)
        if (strlen(*w) == u->taglen && memcmp(*w, u->tag, u->taglen) == 0)
            return true;
    return false;
}

/* Take bytes of the tag; returns how many. Control lines are no text: they are passed over. */
static size_t in_tag(struct untagger *u, const char *at, size_t n)
{
    static const char why[] = "does not begin with a tag and a tab";
    for (size_t i = 0; i < n; i++) {
        if (at[i] == '\t') {
            if (!tl_is_tag(u->tag, u->taglen))
                refuse(u, why);
            u->part = is_wanted(u) ? IN_TEXT : IN_OTHER;
            u->len = 0;
            return i + 1;
        }
        if (u->taglen == 0 && at[i] == CONTROL) {
            u->part = IN_OTHER;
            u->len = 0;
            return i;
        }
        if (at[i] == '\n' || u->taglen == TL_TAG_MAX)
            refuse(u, why);
        u->tag[u->taglen++] = at[i];
    }
    return n;
}

static void end_line(struct untagger *u)
{
    if (u->part == IN_TEXT)
        buf_addc(&u->out, '\n');
    u->whole = u->out.len;
    u->part = IN_TAG;
    u->taglen = 0;
    u->lineno++;
}

/* Take bytes up to the end of the line or of the block; returns how many. */
static size_t in_text(struct untagger *u, const char *at, size_t n)
{
    const char *nl = memchr(at, '\n', n);
    size_t len = nl ? (size_t)(nl - at) : n;
    u->len += len;
    if (u->len > u->max_line)
        refuse(u, "is longer than " ENV_MAX_LINE " allows");
    if (u->part == IN_TEXT)
        buf_add(&u->out, at, len);
    if (!nl)
        return len;
    end_line(u);
    return len + 1;
}

static void block(struct untagger *u, const char *at, size_t n)
{
    size_t done = 0;
    while (done < n)
        done +=
            u->part == IN_TAG ? in_tag(u, at + done, n - done) : in_text(u, at + done, n - done);
}

static void last_line(struct untagger *u)
{
    if (u->part == IN_TAG && u->taglen > 0)
        refuse(u, "ends inside its tag");
    if (u->part != IN_TAG)
        end_line(u);
    write_whole(u);
}

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    struct untagger u = {.wanted = argv + optind, .max_line = tl_max_line(NULL), .lineno = 1};
    for (char **w = u.wanted; *w; w++)
        if (!tl_is_tag(*w, strlen(*w)))
            tl_die(EX_USAGE, "%s: is not a tag", *w);
    char *in = xcalloc(IO_BLOCK, 1);
    size_t n;
    /* Each block is written before the next is read: nothing waits while the input does. */
    while ((n = io_read(in, IO_BLOCK)) > 0) {
        block(&u, in, n);
        write_whole(&u);
    }
    last_line(&u);
    io_close();
    free(in);
    buf_free(&u.out);
    return EX_OK;
}
