/* SPDX-License-Identifier: MIT */
/* tl-trim: no white space at both ends of a line. Trust: any text; holds one line. */
#include "space.h"
#include "tagline.h"

static const char usage[] = "usage: tl-trim\n"
                            "Remove ASCII white space from both ends of each line.\n";

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    tl_operands(argc, argv, 0, 0);
    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        char *text = space_trim(line.text, &line.len);
        tl_write(tl, line.tag, text, line.len);
    }
    return tl_close(tl);
}
