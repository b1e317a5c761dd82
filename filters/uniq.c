/* SPDX-License-Identifier: MIT */
/*
 * tl-uniq: drop lines that were there before. Trust: any text; holds one line, with -a every
 * different line of the file, so memory grows with them.
 */
#include "buf.h"
#include "set.h"
#include "tagline.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] = "usage: tl-uniq [-ac]\n"
                            "Drop each line that equals the line before it, tag and text.\n"
                            "  -a  drop each line that equals any earlier line of the file\n"
                            "  -c  write after each line a tab and how many there were of it\n";

struct uniq {
    bool every, counted;
    struct set seen;      /* with -a: all lines */
    struct buf last, now; /* without: the line before, and the one in hand */
    uint64_t count;       /* of last; 0: there was none */
};

/* The line with its tag, as it is compared and kept: TAG, tab, text. */
static void whole(struct buf *to, const struct tl_line *line)
{
    to->len = 0;
    buf_adds(to, line->tag);
    buf_addc(to, '\t');
    buf_add(to, line->text, line->len);
}

/* Write what whole() made; its count behind it unless that is 0. */
static void put(struct tl *tl, const char *kept, size_t len, uint64_t count)
{
    char tag[TL_TAG_MAX + 1], tail[32];
    const char *text = (const char *)memchr(kept, '\t', len) + 1;
    size_t taglen = (size_t)(text - kept) - 1;
    size_t textlen = len - taglen - 1;
    int n = count ? snprintf(tail, sizeof tail, "\t%" PRIu64, count) : 0;
    memcpy(tag, kept, taglen);
    tag[taglen] = '\0';
    char *to = tl_begin(tl, tag, textlen + (size_t)n);
    memcpy(to, text, textlen);
    memcpy(to + textlen, tail, (size_t)n);
    tl_end(tl, textlen + (size_t)n);
}

/* One file of adjacent duplicates. A counted line can only leave when its run is over. */
static void adjacent(struct tl *tl, struct uniq *u)
{
    struct tl_line line;
    while (tl_read(tl, &line)) {
        whole(&u->now, &line);
        if (u->count && u->now.len == u->last.len &&
            memcmp(u->now.data, u->last.data, u->now.len) == 0) {
            u->count++;
            continue;
        }
        if (u->counted && u->count)
            put(tl, u->last.data, u->last.len, u->count);
        if (!u->counted)
            tl_write(tl, line.tag, line.text, line.len);
        struct buf swap = u->last;
        u->last = u->now;
        u->now = swap;
        u->count = 1;
    }
    if (u->counted && u->count)
        put(tl, u->last.data, u->last.len, u->count);
    u->count = 0;
}

/* One file of all duplicates; counted lines leave at its end, in the order of their first one. */
static void all(struct tl *tl, struct uniq *u)
{
    struct tl_line line;
    struct set *seen = &u->seen;
    while (tl_read(tl, &line)) {
        whole(&u->now, &line);
        struct set_item *item = set_add(seen, u->now.data, u->now.len);
        if (item->count++ == 0 && !u->counted)
            tl_write(tl, line.tag, line.text, line.len);
    }
    for (size_t i = 0; u->counted && i < seen->len; i++)
        put(tl, seen->items[i].key, seen->items[i].len, seen->items[i].count);
    set_clear(seen);
}

static void save(struct tl *tl, void *arg)
{
    const struct uniq *u = arg;
    set_save(tl, &u->seen);
    if (u->count)
        set_save_one(tl, u->count, u->last.data, u->last.len);
}

static void load(struct tl *tl, void *arg, const char *record, size_t len)
{
    struct uniq *u = arg;
    const char *kept;
    uint64_t count;
    if (!set_load_one(record, len, &count, &kept, &len))
        tl_fail(tl, EX_DATAERR, "a saved state that is not of this filter");
    if (u->every) {
        set_add(&u->seen, kept, len)->count = count;
        return;
    }
    u->count = count;
    u->last.len = 0;
    buf_add(&u->last, kept, len);
}

int main(int argc, char **argv)
{
    int c;
    struct uniq u = {0};
    while ((c = tl_getopt(argc, argv, "ac", usage)) != -1)
        if (c == 'a')
            u.every = true;
        else
            u.counted = true;
    tl_operands(argc, argv, 0, 0);

    struct tl *tl = tl_open(0);
    tl_state(tl, save, load, &u);
    while (tl_file(tl))
        if (u.every)
            all(tl, &u);
        else
            adjacent(tl, &u);
    set_clear(&u.seen); /* of a file that was loaded and never read */
    buf_free(&u.last);
    buf_free(&u.now);
    return tl_close(tl);
}
