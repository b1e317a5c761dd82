/* SPDX-License-Identifier: MIT */
/*
 * tl-count: totals of a file. Trust: any text; holds every key that it met in the file, so memory
 * grows with the number of different keys.
 */
#include "buf.h"
#include "pattern.h"
#include "set.h"
#include "tagline.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

struct options {
    struct pattern *pattern; /* NULL: the key is the tag */
    const char *tag;         /* of the totals; NULL: the line's own */
    bool pass;
};

static void save(struct tl *tl, void *totals)
{
    set_save(tl, totals);
}

static void load(struct tl *tl, void *totals, const char *record, size_t len)
{
    set_load(tl, totals, record, len);
}

static const char usage[] =
    "usage: tl-count [-p] [-k PATTERN] [-t TAG]\n"
    "At the end of a file write how many lines each tag had, as KEY, tab, COUNT.\n"
    "  -k  count the lines that match PATTERN (a Perl regular expression) by what its\n"
    "      first group matched, or the whole of it if it has no group\n"
    "  -p  pass the lines on as well\n"
    "  -t  write the totals under TAG\n";

/* What the line counts for; false if it does not count. */
static bool key_of(struct tl *tl, const struct options *o, const struct tl_line *line,
                   const char **key, size_t *len)
{
    *key = line->tag;
    *len = strlen(line->tag);
    if (!o->pattern)
        return true;
    const struct span *spans = pattern_find(tl, o->pattern, line->text, line->len, 0);
    if (!spans)
        return false;
    const struct span *s = &spans[pattern_groups(o->pattern) > 0];
    if (s->begin == NO_SPAN)
        return false;
    *key = line->text + s->begin;
    *len = s->end - s->begin;
    return true;
}

/* A total is kept under the tag that it leaves with, a tab, and its key. */
static void count(struct tl *tl, const struct options *o, const struct tl_line *line,
                  struct set *totals, struct buf *scratch)
{
    const char *key;
    size_t len;
    if (!key_of(tl, o, line, &key, &len))
        return;
    scratch->len = 0;
    buf_adds(scratch, o->tag ? o->tag : line->tag);
    buf_addc(scratch, '\t');
    buf_add(scratch, key, len);
    set_add(totals, scratch->data, scratch->len)->count++;
}

static void write_totals(struct tl *tl, struct set *totals, struct buf *scratch)
{
    set_sort(totals);
    for (size_t i = 0; i < totals->len; i++) {
        struct set_item *total = &totals->items[i];
        char *tab = memchr(total->key, '\t', total->len);
        *tab = '\0';
        scratch->len = 0;
        buf_add(scratch, tab + 1, total->len - (size_t)(tab + 1 - total->key));
        buf_addf(scratch, "\t%" PRIu64, total->count);
        tl_write(tl, total->key, scratch->data, scratch->len);
    }
    set_clear(totals);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {0};
    int c;
    while ((c = tl_getopt(argc, argv, "k:pt:", usage)) != -1)
        if (c == 'k') {
            pattern_free(o.pattern);
            o.pattern = pattern_new(optarg, 0);
        } else if (c == 'p') {
            o.pass = true;
        } else if (tl_is_tag(optarg, strlen(optarg))) {
            o.tag = optarg;
        } else {
            tl_die(EX_USAGE, "-t %s: is not a tag", optarg);
        }
    tl_operands(argc, argv, 0, 0);
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct tl *tl = tl_open(0);
    struct tl_line line;
    struct set totals = {0};
    struct buf scratch = {0};
    tl_state(tl, save, load, &totals);
    while (tl_file(tl)) {
        while (tl_read(tl, &line)) {
            count(tl, &o, &line, &totals, &scratch);
            if (o.pass)
                tl_write(tl, line.tag, line.text, line.len);
        }
        write_totals(tl, &totals, &scratch);
    }
    set_clear(&totals); /* of a file that was loaded and never read */
    buf_free(&scratch);
    pattern_free(o.pattern);
    return tl_close(tl);
}
