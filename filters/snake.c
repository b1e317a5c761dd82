/* SPDX-License-Identifier: MIT */
/* tl-snake: "Disk Full" becomes "disk_full". Trust: any text; holds one line. */
#include "space.h"
#include "tagline.h"

static const char usage[] = "usage: tl-snake\n"
                            "Trim each line, make spaces underscores and ASCII capitals small.\n";

static char snake(char c)
{
    if (c == ' ')
        return '_';
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
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
        char *to = tl_begin(tl, line.tag, line.len);
        for (size_t i = 0; i < line.len; i++)
            to[i] = snake(text[i]);
        tl_end(tl, line.len);
    }
    return tl_close(tl);
}
