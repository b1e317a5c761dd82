/* SPDX-License-Identifier: MIT */
/*
 * tl-template: drop lines without text. Copy this file to filters/NAME.c and template.1 to
 * filters/NAME.1, change the loop, and make builds tl-NAME: no list needs to know of it.
 *
 * Trust: say here what the filter may be fed and what it holds. This one: any text; one line.
 */
#include "tagline.h"

static const char usage[] = "usage: tl-template\n"
                            "Drop lines without text.\n";

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ; /* "n:" instead of "" would give an option -n with a value in optarg */
    tl_operands(argc, argv, 0, 0);

    /* Promise what is true. TL_MAP: exactly one line out for each line in. TL_STATELESS: any
     * number, but they depend on that line alone. 0: what is written depends on other lines too;
     * then two loops, while (tl_file(tl)) around while (tl_read(tl, &line)), and state begins anew
     * with each file. */
    struct tl *tl = tl_open(TL_STATELESS);
    struct tl_line line;
    while (tl_read(tl, &line))
        if (line.len > 0) /* the text may hold any byte but a newline: it is no C string */
            tl_write(tl, line.tag, line.text,
                     line.len); /* or under another tag, or several times */
    return tl_close(tl);
}
