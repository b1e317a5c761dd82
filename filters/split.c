/* SPDX-License-Identifier: MIT */
/* tl-split: one line into several. Trust: any text; holds one line. */
#include "pattern.h"
#include "tagline.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

struct separator {
    const char *text;
    size_t len;
    struct pattern *pattern; /* NULL: it is the text */
};

static const char usage[] = "usage: tl-split [-rs] SEPARATOR\n"
                            "Write each piece between SEPARATORs as a line of its own.\n"
                            "  -r  SEPARATOR is a Perl regular expression\n"
                            "  -s  skip empty pieces\n";

/* The next separator at or after from. One that matches the empty text separates nothing. */
static bool next(struct tl *tl, const struct separator *by, const struct tl_line *line, size_t from,
                 struct span *found)
{
    if (by->pattern) {
        const struct span *s = pattern_find(tl, by->pattern, line->text, line->len, from);
        while (s && s->begin == s->end)
            s = pattern_next(tl, by->pattern, line->text, line->len, *s);
        if (s)
            *found = *s;
        return s;
    }
    const char *at = memmem(line->text + from, line->len - from, by->text, by->len);
    if (at)
        *found = (struct span){(size_t)(at - line->text), (size_t)(at - line->text) + by->len};
    return at;
}

static void piece(struct tl *tl, const struct tl_line *line, size_t begin, size_t end, bool skip)
{
    if (!skip || begin < end)
        tl_write(tl, line->tag, line->text + begin, end - begin);
}

static void split(struct tl *tl, const struct separator *by, const struct tl_line *line, bool skip)
{
    struct span found;
    size_t begin = 0;
    while (next(tl, by, line, begin, &found)) {
        piece(tl, line, begin, found.begin, skip);
        begin = found.end;
    }
    piece(tl, line, begin, line->len, skip);
}

int main(int argc, char **argv)
{
    int c;
    bool regex = false, skip = false;
    while ((c = tl_getopt(argc, argv, "rs", usage)) != -1)
        if (c == 'r')
            regex = true;
        else
            skip = true;
    tl_operands(argc, argv, 1, 1);
    struct separator by = {.text = argv[optind], .len = strlen(argv[optind])};
    if (by.len == 0)
        tl_die(EX_USAGE, "SEPARATOR: is empty");
    if (regex)
        by.pattern = pattern_new(by.text, 0);

    struct tl *tl = tl_open(TL_STATELESS);
    struct tl_line line;
    while (tl_read(tl, &line))
        split(tl, &by, &line, skip);
    pattern_free(by.pattern);
    return tl_close(tl);
}
