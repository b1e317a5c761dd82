/* SPDX-License-Identifier: MIT */
/* A journal record as a crash, or anybody, may leave it. Half of the inputs get a checksum that is
 * right, because otherwise hardly one would come past it. */
#include "../../supervisor/dict.h"
#include "../../supervisor/journal.h"
#include "fuzz.h"

#include <inttypes.h>

/* What is whole is written back to the same bytes, and these are read as the same. */
static void must_survive(const struct record *r)
{
    struct buf one = {0}, two = {0};
    struct record again = {0};
    journal_print(r, &one);
    MUST(journal_parse(one.data, one.len, &again) == JOURNAL_WHOLE);
    MUST(again.n == r->n);
    journal_print(&again, &two);
    MUST(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    for (size_t i = 0; i < r->n; i++)
        MUST(strchr(r->moves[i].to, '/'));
    record_free(&again);
    buf_free(&one);
    buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {data, data + size};
    struct record r = {0};
    struct buf text = {0};
    size_t n, moves = 0;
    unsigned sealed = fuzz_byte(&f) & 1;
    const char *bytes = fuzz_bytes(&f, SIZE_MAX, &n);
    buf_add(&text, sealed ? "tagline-journal 1\n" : "", sealed ? 18 : 0);
    buf_add(&text, bytes, n);
    if (sealed) {
        for (size_t i = 18; i < text.len; i++)
            moves += text.data[i] == '\n';
        buf_addf(&text, "end %zu %016" PRIx64 "\n", moves, dict_hash(text.data, text.len));
    }
    if (journal_parse(text.len ? text.data : "", text.len, &r) == JOURNAL_WHOLE)
        must_survive(&r);
    else
        MUST(r.n == 0);
    record_free(&r);
    buf_free(&text);
    return 0;
}
