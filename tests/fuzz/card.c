/* SPDX-License-Identifier: MIT */
/* CARD as a filter may send it: what is read whole is written back to the same counts. */
#include "card.h"
#include "fuzz.h"

enum { MOST = 5000 }; /* lines that are written again, one by one */

static uint64_t total(const char *text, size_t n, bool *whole)
{
    struct card_reader r = {text, text + n};
    uint64_t lines = 0, count, times;
    while (card_next(&r, &count, &times)) {
        MUST(times > 0);
        MUST(r.at <= r.end);
        lines += times;
    }
    *whole = r.at == r.end;
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct card_reader r = {text, text + size}, again;
    struct card_writer w = {0};
    uint64_t count, times, count2, times2 = 0, left = 0;
    bool whole;
    if (total(text, size, &whole) > MOST)
        return 0;
    while (card_next(&r, &count, &times))
        for (; times > 0; times--)
            card_add(&w, count);
    card_close(&w);
    const char *back = buf_str(&w.text);
    again = (struct card_reader){back, back + w.text.len};
    r = (struct card_reader){text, text + size};
    while (card_next(&r, &count, &times)) {
        for (; times > 0; times--, left--) {
            if (left == 0) {
                MUST(card_next(&again, &count2, &times2));
                left = times2;
            }
            MUST(count == count2);
        }
    }
    MUST(left == 0 && !card_next(&again, &count2, &times2) && again.at == again.end);
    buf_free(&w.text);
    return 0;
}
