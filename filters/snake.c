/* SPDX-License-Identifier: MIT */
/* tl-snake: "Disk Full" becomes "disk_full". Trust: any text; holds one line. */
#include "space.h"
#include "tagline.h"

static const char usage[] = "usage: tl-snake\n"
                            "Trim each line, make spaces underscores and ASCII capitals small.\n";

/* Written so that the compiler can take many bytes at a time. */
static void snake(char *restrict to, const char *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] + 32) : from[i];
        to[i] = c == ' ' ? '_' : c;
    }
}

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    tl_operands(argc, argv, 0, 0);
    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        const char *text = space_trim(line.text, &line.len);
        snake(tl_begin(tl, line.tag, line.len), text, line.len);
        tl_end(tl, line.len);
    }
    return tl_close(tl);
}
