/* SPDX-License-Identifier: MIT */
/* tl-head: the first lines of each file. Trust: any text; holds one line. */
#include "tagline.h"
#include "text.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

static const char usage[] = "usage: tl-head [-n COUNT]\n"
                            "Pass the first COUNT lines of each file (10), drop the others.\n";

static void save(struct tl *tl, void *passed)
{
    char text[24];
    tl_save(tl, text, (size_t)snprintf(text, sizeof text, "%ld", *(long *)passed));
}

static void load(struct tl *tl, void *passed, const char *record, size_t len)
{
    if (len == 0 || !text_number(record, 0, LONG_MAX, passed))
        tl_fail(tl, EX_DATAERR, "a saved state that is not of this filter");
}

int main(int argc, char **argv)
{
    long count = 10, passed = 0;
    while (tl_getopt(argc, argv, "n:", usage) != -1)
        if (!text_number(optarg, 0, LONG_MAX, &count))
            tl_die(EX_USAGE, "-n %s: is not a number", optarg);
    tl_operands(argc, argv, 0, 0);

    struct tl *tl = tl_open(0);
    struct tl_line line;
    tl_state(tl, save, load, &passed);
    while (tl_file(tl)) {
        for (; passed < count && tl_read(tl, &line); passed++)
            tl_write(tl, line.tag, line.text, line.len);
        tl_skip(tl);
        passed = 0;
    }
    return tl_close(tl);
}
