/* SPDX-License-Identifier: MIT */
/*
 * tl-match: give each line the tag of the first pattern that it matches. Trust: patterns come from
 * the flow, the text may be anything; a search that PCRE2 gives up is an error. Holds one line.
 */
#include "buf.h"
#include "pattern.h"
#include "tagline.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct rule {
    const char *tag;
    struct pattern *pattern;
};

static const char usage[] =
    "usage: tl-match [-i] TAG=PATTERN...\n"
    "Give each line the TAG of the first PATTERN (a Perl regular expression) that it\n"
    "matches; a line that matches none keeps its tag.\n"
    "  -i  ignore the case of ASCII letters\n";

/* Cut TAG=PATTERN in two, in place. */
static struct rule rule_parse(char *word, unsigned flags)
{
    size_t taglen = strcspn(word, "=");
    if (!word[taglen] || !tl_is_tag(word, taglen))
        tl_die(EX_USAGE, "%s: is not TAG=PATTERN", word);
    word[taglen] = '\0';
    return (struct rule){.tag = word, .pattern = pattern_new(word + taglen + 1, flags)};
}

static const char *classify(struct tl *tl, const struct rule *rules, size_t n,
                            const struct tl_line *line)
{
    for (size_t i = 0; i < n; i++)
        if (pattern_find(tl, rules[i].pattern, line->text, line->len, 0))
            return rules[i].tag;
    return line->tag;
}

int main(int argc, char **argv)
{
    unsigned flags = 0;
    while (tl_getopt(argc, argv, "i", usage) != -1)
        flags = PATTERN_ANY_CASE;
    tl_operands(argc, argv, 1, -1);
    size_t n = (size_t)(argc - optind);
    struct rule *rules = xcalloc(n, sizeof *rules);
    for (size_t i = 0; i < n; i++)
        rules[i] = rule_parse(argv[(size_t)optind + i], flags);

    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line))
        tl_write(tl, classify(tl, rules, n, &line), line.text, line.len);
    for (size_t i = 0; i < n; i++)
        pattern_free(rules[i].pattern);
    free(rules);
    return tl_close(tl);
}
