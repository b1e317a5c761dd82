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

static const char usage[] = "usage: tl-uniq [-ac]\n"
                            "Drop each line that equals the line before it, tag and text.\n"
                            "  -a  drop each line that equals any earlier line of the file\n"
                            "  -c  write after each line a tab and how many there were of it\n";

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
static void adjacent(struct tl *tl, bool counted, struct buf *last, struct buf *now)
{
    struct tl_line line;
    uint64_t count = 0;
    while (tl_read(tl, &line)) {
        whole(now, &line);
        if (count && now->len == last->len && memcmp(now->data, last->data, now->len) == 0) {
            count++;
            continue;
        }
        if (counted && count)
            put(tl, last->data, last->len, count);
        if (!counted)
            tl_write(tl, line.tag, line.text, line.len);
        struct buf swap = *last;
        *last = *now;
        *now = swap;
        count = 1;
    }
    if (counted && count)
        put(tl, last->data, last->len, count);
}

/* One file of all duplicates; counted lines leave at its end, in the order of their first one. */
static void all(struct tl *tl, bool counted, struct buf *now)
{
    struct tl_line line;
    struct set seen = {0};
    while (tl_read(tl, &line)) {
        whole(now, &line);
        struct set_item *item = set_add(&seen, now->data, now->len);
        if (item->count++ == 0 && !counted)
            tl_write(tl, line.tag, line.text, line.len);
    }
    for (size_t i = 0; counted && i < seen.len; i++)
        put(tl, seen.items[i].key, seen.items[i].len, seen.items[i].count);
    set_clear(&seen);
}

int main(int argc, char **argv)
{
    int c;
    bool every = false, counted = false;
    while ((c = tl_getopt(argc, argv, "ac", usage)) != -1)
        if (c == 'a')
            every = true;
        else
            counted = true;
    tl_operands(argc, argv, 0, 0);

    struct tl *tl = tl_open(0);
    struct buf last = {0}, now = {0};
    while (tl_file(tl))
        if (every)
            all(tl, counted, &now);
        else
            adjacent(tl, counted, &last, &now);
    buf_free(&last);
    buf_free(&now);
    return tl_close(tl);
}
