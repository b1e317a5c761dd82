/* SPDX-License-Identifier: MIT */
/* tl-upper: ASCII letters to capitals. Trust: any text; holds one line. */
#include "tagline.h"

static const char usage[] = "usage: tl-upper\n"
                            "Make the ASCII letters of each line capital.\n";

/* Written so that the compiler can take many bytes at a time. */
static void upper(char *restrict to, const char *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] >= 'a' && from[i] <= 'z' ? (char)(from[i] - 32) : from[i];
}

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    tl_operands(argc, argv, 0, 0);
    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        upper(tl_begin(tl, line.tag, line.len), line.text, line.len);
        tl_end(tl, line.len);
    }
    return tl_close(tl);
}
