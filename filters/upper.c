/* SPDX-License-Identifier: MIT */
/* tl-upper: ASCII letters to capitals. Trust: any text; holds one line. */
#include "tagline.h"

static const char usage[] = "usage: tl-upper\n"
                            "Make the ASCII letters of each line capital.\n";

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    tl_operands(argc, argv, 0, 0);
    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        char *to = tl_begin(tl, line.tag, line.len);
        for (size_t i = 0; i < line.len; i++) {
            char c = line.text[i];
            to[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        }
        tl_end(tl, line.len);
    }
    return tl_close(tl);
}
