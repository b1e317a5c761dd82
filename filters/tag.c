/* SPDX-License-Identifier: MIT */
/*
 * tl-tag: plain lines in, tagged lines out: the door into a pipeline. Trust: any bytes; holds
 * one line, because half a line must never leave. It does not read tagged lines, so it is no filter
 * for a flow.
 */
#include "buf.h"
#include "contract.h"
#include "io.h"
#include "tagline.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: tl-tag TAG\n"
                            "Put TAG and a tab before each plain line.\n";

struct tagger {
    struct buf out; /* whole lines, then the open one */
    size_t whole;   /* of out: bytes of whole lines */
    const char *tag;
    size_t max_line;
    size_t len; /* of the text of the open line */
    bool open;
    unsigned long long lineno;
};

static void write_whole(struct tagger *t)
{
    io_write(t->out.data, t->whole);
    if (t->whole)
        buf_shift(&t->out, t->whole);
    t->whole = 0;
}

static void add(struct tagger *t, const char *bytes, size_t n)
{
    if (!t->open) {
        buf_adds(&t->out, t->tag);
        buf_addc(&t->out, '\t');
        t->open = true;
        t->len = 0;
        t->lineno++;
    }
    t->len += n;
    if (t->len > t->max_line) {
        write_whole(t);
        tl_die(EX_DATAERR, "line %llu: is longer than %zu bytes", t->lineno, t->max_line);
    }
    buf_add(&t->out, bytes, n);
}

static void end_line(struct tagger *t)
{
    buf_addc(&t->out, '\n');
    t->open = false;
    t->whole = t->out.len;
}

static void block(struct tagger *t, const char *at, const char *end)
{
    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        const char *stop = nl ? nl : end;
        add(t, at, (size_t)(stop - at));
        if (nl)
            end_line(t);
        at = stop + 1;
    }
}

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    tl_operands(argc, argv, 1, 1);
    struct tagger t = {.tag = argv[optind], .max_line = tl_max_line(NULL)};
    if (!tl_is_tag(t.tag, strlen(t.tag)))
        tl_die(EX_USAGE, "%s: is not a tag", t.tag);
    char *in = xcalloc(IO_BLOCK, 1);
    size_t n;
    /* Each block is written before the next is read: nothing waits while the input does. */
    while ((n = io_read(in, IO_BLOCK)) > 0) {
        block(&t, in, in + n);
        write_whole(&t);
    }
    if (t.open)
        end_line(&t);
    write_whole(&t);
    io_close();
    free(in);
    buf_free(&t.out);
    return EX_OK;
}
