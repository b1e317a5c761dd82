/* SPDX-License-Identifier: MIT */
/* tl-prefix: put a text before each line. Trust: any text; holds one line. */
#include "tagline.h"

#include <string.h>
#include <sysexits.h>

static const char usage[] = "usage: tl-prefix TEXT\n"
                            "Put TEXT before each line.\n";

int main(int argc, char **argv)
{
    while (tl_getopt(argc, argv, "", usage) != -1)
        ;
    tl_operands(argc, argv, 1, 1);
    const char *text = argv[argc - 1];
    size_t len = strlen(text);
    if (strchr(text, '\n'))
        tl_die(EX_USAGE, "TEXT: has a newline; it must be one line");
    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        char *to = tl_begin(tl, line.tag, len + line.len);
        memcpy(to, text, len);
        memcpy(to + len, line.text, line.len);
        tl_end(tl, len + line.len);
    }
    return tl_close(tl);
}
