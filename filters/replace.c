/* SPDX-License-Identifier: MIT */
/*
 * tl-replace: put a text in the place of what a pattern matches. Trust: pattern and replacement
 * come from the flow, the text may be anything. Holds one line and what becomes of it.
 */
#include "buf.h"
#include "pattern.h"
#include "tagline.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* The replacement, cut into pieces: bytes as they are, or what a group matched. */
struct piece {
    const char *text; /* NULL: the group */
    size_t len;
    int group;
};

struct replacement {
    struct piece *pieces;
    size_t n;
};

static const char usage[] =
    "usage: tl-replace [-gi] PATTERN REPLACEMENT\n"
    "Replace in each line the first match of PATTERN (a Perl regular expression).\n"
    "In REPLACEMENT $0 is the match, $1 or ${1} or ${NAME} a group, $$ a dollar sign.\n"
    "  -g  replace every match\n"
    "  -i  ignore the case of ASCII letters\n";

/* Number of the group that name means. */
static int group(const struct pattern *p, const char *name)
{
    char *end;
    long n = strtol(name, &end, 10);
    if (*name >= '0' && *name <= '9' && !*end) {
        if (n <= pattern_groups(p))
            return (int)n;
    } else if (*name && pattern_named(p, name) > 0) {
        return pattern_named(p, name);
    }
    tl_die(EX_USAGE, "REPLACEMENT: PATTERN has no group \"%s\"", name);
}

/* Read the reference at s, which stands behind a dollar sign; returns where it ends. */
static const char *reference(const struct pattern *p, const char *s, struct piece *piece)
{
    bool braced = *s == '{';
    size_t len = braced ? strcspn(s + 1, "}") : strspn(s, "0123456789");
    if (*s == '$') {
        *piece = (struct piece){.text = s, .len = 1};
        return s + 1;
    }
    if (len == 0 || (braced && s[1 + len] != '}'))
        tl_die(EX_USAGE, "REPLACEMENT: behind $ stands no group; write $$ for a dollar sign");
    char *name = xstrndup(s + braced, len);
    *piece = (struct piece){.group = group(p, name)};
    free(name);
    return s + len + (braced ? 2 : 0);
}

static struct replacement replacement_parse(const struct pattern *p, const char *s)
{
    struct replacement r = {.pieces = xcalloc(strlen(s) + 1, sizeof *r.pieces)};
    if (strchr(s, '\n'))
        tl_die(EX_USAGE, "REPLACEMENT: has a newline; it must be one line");
    while (*s) {
        struct piece *piece = &r.pieces[r.n++];
        if (*s == '$') {
            s = reference(p, s + 1, piece);
            continue;
        }
        *piece = (struct piece){.text = s, .len = strcspn(s, "$")};
        s += piece->len;
    }
    return r;
}

/* A group that took no part in the match gives nothing. */
static void expand(struct buf *to, const struct replacement *r, const char *text,
                   const struct span *spans)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct piece *piece = &r->pieces[i];
        const struct span *s = &spans[piece->group];
        if (piece->text)
            buf_add(to, piece->text, piece->len);
        else if (s->begin != NO_SPAN)
            buf_add(to, text + s->begin, s->end - s->begin);
    }
}

static void replace(struct tl *tl, struct pattern *p, const struct replacement *r, bool all,
                    const struct tl_line *line, struct buf *to)
{
    size_t done = 0;
    const struct span *spans = pattern_find(tl, p, line->text, line->len, 0);
    to->len = 0;
    while (spans) {
        struct span whole = spans[0];
        buf_add(to, line->text + done, whole.begin - done);
        expand(to, r, line->text, spans);
        done = whole.end;
        spans = all ? pattern_next(tl, p, line->text, line->len, whole) : NULL;
    }
    buf_add(to, line->text + done, line->len - done);
}

int main(int argc, char **argv)
{
    int c;
    bool all = false;
    unsigned flags = 0;
    while ((c = tl_getopt(argc, argv, "gi", usage)) != -1)
        if (c == 'g')
            all = true;
        else
            flags = PATTERN_ANY_CASE;
    tl_operands(argc, argv, 2, 2);
    struct pattern *p = pattern_new(argv[optind], flags);
    struct replacement r = replacement_parse(p, argv[optind + 1]);

    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    struct buf text = {0};
    while (tl_read(tl, &line)) {
        replace(tl, p, &r, all, &line, &text);
        tl_write(tl, line.tag, text.data, text.len);
    }
    buf_free(&text);
    free(r.pieces);
    pattern_free(p);
    return tl_close(tl);
}
