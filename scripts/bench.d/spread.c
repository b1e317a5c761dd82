/* SPDX-License-Identifier: MIT */
/* The bench's fan-out: a filter that gives each line the tag that its first word is. Trust: any
 * text; a first word that is no tag ends it. */
#include <string.h>
#include <sysexits.h>

#include "tagline.h"

int main(void)
{
    struct tl *tl = tl_open(TL_MAP);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        char tag[TL_TAG_MAX + 1];
        const char *end = memchr(line.text, ' ', line.len);
        size_t len = end ? (size_t)(end - line.text) : line.len;
        if (!tl_is_tag(line.text, len))
            tl_fail(tl, EX_DATAERR, "the first word is no tag");
        memcpy(tag, line.text, len);
        tag[len] = '\0';
        tl_write(tl, tag, line.text, line.len);
    }
    return tl_close(tl);
}
