/* SPDX-License-Identifier: MIT */
/*
 * tl-join: several lines into one. Trust: any text; holds the lines that are joined, together at
 * most the longest line allowed.
 */
#include "buf.h"
#include "pattern.h"
#include "tagline.h"
#include "text.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* The lines in hand. */
struct record {
    char tag[TL_TAG_MAX + 1];
    struct buf text;
    long lines;
};

static const char usage[] =
    "usage: tl-join [-n COUNT | -b PATTERN] [-s SEPARATOR]\n"
    "Join COUNT lines into one, or each line that matches PATTERN (a Perl regular\n"
    "expression) and the lines after it; with neither, all the lines of the file.\n"
    "  -s  put SEPARATOR between them instead of a space\n";

static void finish(struct tl *tl, struct record *r)
{
    if (r->lines)
        tl_write(tl, r->tag, r->text.data, r->text.len);
    r->text.len = 0;
    r->lines = 0;
}

static void add(struct tl *tl, struct record *r, const struct tl_line *line, const char *separator)
{
    if (r->lines == 0)
        strcpy(r->tag, line->tag);
    else
        buf_adds(&r->text, separator);
    buf_add(&r->text, line->text, line->len);
    r->lines++;
    if (r->text.len > tl_max_line(tl))
        tl_fail(tl, EX_DATAERR, "the joined line is longer than %zu bytes", tl_max_line(tl));
}

/* LINES tab TAG tab TEXT. */
static void save(struct tl *tl, void *arg)
{
    const struct record *r = arg;
    struct buf b = {0};
    if (r->lines == 0)
        return;
    buf_addf(&b, "%ld\t%s\t", r->lines, r->tag);
    buf_add(&b, r->text.data, r->text.len);
    tl_save(tl, b.data, b.len);
    buf_free(&b);
}

static void load(struct tl *tl, void *arg, const char *record, size_t len)
{
    struct record *r = arg;
    int at = 0;
    if (sscanf(record, "%ld\t%63[^\t]%n", &r->lines, r->tag, &at) != 2 || r->lines < 1 ||
        !tl_is_tag(r->tag, strlen(r->tag)) || record[at] != '\t')
        tl_fail(tl, EX_DATAERR, "a saved state that is not of this filter");
    r->text.len = 0;
    buf_add(&r->text, record + at + 1, len - (size_t)at - 1);
}

int main(int argc, char **argv)
{
    int c;
    long count = LONG_MAX;
    const char *separator = " ", *begin = NULL;
    while ((c = tl_getopt(argc, argv, "b:n:s:", usage)) != -1)
        if (c == 'b')
            begin = optarg;
        else if (c == 's')
            separator = optarg;
        else if (!text_number(optarg, 1, LONG_MAX, &count))
            tl_die(EX_USAGE, "-n %s: is not a number from 1 up", optarg);
    tl_operands(argc, argv, 0, 0);
    if (begin && count != LONG_MAX)
        tl_die(EX_USAGE, "-b and -n exclude each other");
    if (strchr(separator, '\n'))
        tl_die(EX_USAGE, "SEPARATOR: has a newline; it must be one line");
    struct pattern *begins = begin ? pattern_new(begin, 0) : NULL;

    struct tl *tl = tl_open(0);
    struct tl_line line;
    struct record r = {.lines = 0};
    tl_state(tl, save, load, &r);
    while (tl_file(tl)) {
        while (tl_read(tl, &line)) {
            if (r.lines && (strcmp(r.tag, line.tag) != 0 ||
                            (begins && pattern_find(tl, begins, line.text, line.len, 0))))
                finish(tl, &r);
            add(tl, &r, &line, separator);
            if (r.lines == count)
                finish(tl, &r);
        }
        finish(tl, &r);
    }
    buf_free(&r.text);
    pattern_free(begins);
    return tl_close(tl);
}
