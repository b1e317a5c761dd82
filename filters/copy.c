/* SPDX-License-Identifier: MIT */
/* tl-copy: each line again under other tags. Trust: any text; holds one line. */
#include "tagline.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] = "usage: tl-copy [-k] TAG...\n"
                            "Write each line once under each TAG, in that order.\n"
                            "  -k  first keep the line under its own tag\n";

int main(int argc, char **argv)
{
    bool keep = false;
    while (tl_getopt(argc, argv, "k", usage) != -1)
        keep = true;
    tl_operands(argc, argv, 1, -1);
    for (int i = optind; i < argc; i++)
        if (!tl_is_tag(argv[i], strlen(argv[i])))
            tl_die(EX_USAGE, "%s: is not a tag", argv[i]);

    struct tl *tl = tl_open(argc - optind + keep == 1 ? TL_MAP : TL_STATELESS);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        if (keep)
            tl_write(tl, line.tag, line.text, line.len);
        for (int i = optind; i < argc; i++)
            tl_write(tl, argv[i], line.text, line.len);
    }
    return tl_close(tl);
}
