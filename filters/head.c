/* SPDX-License-Identifier: MIT */
/* tl-head: the first lines of each file. Trust: any text; holds one line. */
#include "tagline.h"
#include "text.h"

#include <getopt.h>
#include <limits.h>
#include <sysexits.h>

static const char usage[] = "usage: tl-head [-n COUNT]\n"
                            "Pass the first COUNT lines of each file (10), drop the others.\n";

int main(int argc, char **argv)
{
    long count = 10;
    while (tl_getopt(argc, argv, "n:", usage) != -1)
        if (!text_number(optarg, 0, LONG_MAX, &count))
            tl_die(EX_USAGE, "-n %s: is not a number", optarg);
    tl_operands(argc, argv, 0, 0);

    struct tl *tl = tl_open(0);
    struct tl_line line;
    while (tl_file(tl))
        for (long n = 0; n < count && tl_read(tl, &line); n++)
            tl_write(tl, line.tag, line.text, line.len);
    return tl_close(tl);
}
