/* SPDX-License-Identifier: MIT */
/* fuzz-NAME FILE...: feed a target each file, and each beginning of it, without a fuzzing engine.
 * Prints how many inputs that was; whatever the target finds wrong ends it. */
#include "buf.h"
#include "fuzz.h"
#include "tagline.h"

#include <sysexits.h>

enum { BEGINNINGS = 512 }; /* of a file at most, evenly spread */

static void read_file(const char *path, struct buf *to)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        tl_die(EX_NOINPUT, "%s: %m", path);
    for (size_t n = 1; n > 0; to->len += n)
        n = fread(buf_room(to, 65536), 1, 65536, file);
    if (ferror(file))
        tl_die(EX_IOERR, "%s: %m", path);
    fclose(file);
}

/* In memory of just that size, so that one byte too far is found. */
static void feed(const char *bytes, size_t n)
{
    uint8_t *exact = xcalloc(n, 1);
    if (n)
        memcpy(exact, bytes, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

int main(int argc, char **argv)
{
    size_t inputs = 0;
    for (int i = 1; i < argc; i++) {
        struct buf text = {0};
        read_file(argv[i], &text);
        size_t step = text.len / BEGINNINGS + 1;
        for (size_t n = 0; n < text.len; n += step, inputs++)
            feed(text.data, n);
        feed(text.data, text.len);
        inputs++;
        buf_free(&text);
    }
    printf("%zu inputs\n", inputs);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
