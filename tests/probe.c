/* SPDX-License-Identifier: MIT */
/* A filter that does what its operand says, for the tests of the library: rarely used orders of
 * calls, and faults. Trust: only tests feed it. */
#include "tagline.h"

#include <string.h>

static void each_line(struct tl *tl, const char *what, const struct tl_line *line)
{
    if (strcmp(what, "newline") == 0)
        tl_write(tl, line->tag, "a\nb", 3);
    else if (strcmp(what, "tag") == 0)
        tl_write(tl, "not a tag", line->text, line->len);
    else if (strcmp(what, "begin") == 0)
        tl_begin(tl, line->tag, 1), tl_begin(tl, line->tag, 1);
    else if (strcmp(what, "end") == 0)
        tl_end(tl, 0);
    else if (strcmp(what, "room") == 0)
        tl_begin(tl, line->tag, 1), tl_end(tl, 2);
    else if (strcmp(what, "open") == 0)
        tl_begin(tl, line->tag, 1);
    else
        tl_write(tl, line->tag, line->text, line->len);
}

/* Write before, between and after the lines of each file; stop at a line "stop". */
static void frame(struct tl *tl)
{
    struct tl_line line;
    while (tl_file(tl)) {
        tl_write(tl, "head", "", 0);
        while (tl_read(tl, &line)) {
            tl_write(tl, line.tag, line.text, line.len);
            if (line.len == 4 && memcmp(line.text, "stop", 4) == 0)
                break;
        }
        tl_write(tl, "foot", "", 0);
    }
}

int main(int argc, char **argv)
{
    tl_operands(argc, argv, 1, 1);
    struct tl *tl = tl_open(strcmp(argv[1], "map") == 0 ? TL_MAP : 0);
    struct tl_line line;
    if (strcmp(argv[1], "frame") == 0)
        frame(tl);
    else if (strcmp(argv[1], "skip") == 0)
        while (tl_file(tl))
            tl_write(tl, "file", "", 0);
    else
        while (tl_read(tl, &line))
            each_line(tl, argv[1], &line);
    return tl_close(tl);
}
