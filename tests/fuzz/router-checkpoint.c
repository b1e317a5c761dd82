/* SPDX-License-Identifier: MIT */
/* A checkpoint as a crash, or anybody, may leave it. Half of the inputs get a first and a last line
 * that are right, because otherwise hardly one would come past these. */
#include "../../router/checkpoint.h"
#include "fuzz.h"
#include "tagline.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

/* What was taken is written back to a text that gives the same again. */
static void must_survive(const struct checkpoint *c)
{
    struct buf one = {0}, two = {0};
    struct checkpoint again = {0};
    MUST(c->at.boundary > c->at.offset && c->at.boundary - c->at.offset <= c->at.step);
    checkpoint_print(c, &one);
    char *text = xstrdup(buf_str(&one)), *save;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        MUST(checkpoint_take(&again, line) || line == text);
    checkpoint_print(&again, &two);
    MUST(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    free(text);
    checkpoint_free(&again);
    buf_free(&one);
    buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {data, data + size};
    struct checkpoint c = {0};
    struct checkpoint_file file;
    struct buf text = {0};
    const char *payload;
    size_t n, lane;
    int fd = memfd_create("checkpoint", MFD_CLOEXEC), result;
    unsigned sealed = fuzz_byte(&f) & 1;
    const char *bytes = fuzz_bytes(&f, SIZE_MAX, &n);
    buf_adds(&text, sealed ? "tagline-checkpoint 1 " TL_VERSION "\n" : "");
    buf_add(&text, bytes, n);
    if (sealed)
        buf_addf(&text, "end %zu %016" PRIx64 "\n", text.len, checkpoint_hash(text.data, text.len));
    MUST(fd >= 0 && write(fd, buf_str(&text), text.len) == (ssize_t)text.len);
    if (!checkpoint_read(&file, fd, &c)) {
        must_survive(&c);
        while ((result = checkpoint_state(&file, &lane, &payload, &n)) > 0)
            MUST(n <= size);
        checkpoint_close(&file);
    }
    checkpoint_free(&c);
    buf_free(&text);
    return 0;
}
