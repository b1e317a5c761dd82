/* SPDX-License-Identifier: MIT */
/* CARD, written by filters and read by the router. */
#include "card.h"

#include <inttypes.h>

/* Decimal by hand: this runs once a line for a filter whose counts alternate. */
static void put(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, digits + i, sizeof digits - i);
}

void card_close(struct card_writer *w)
{
    if (!w->times)
        return;
    if (w->text.len)
        buf_addc(&w->text, ',');
    put(&w->text, w->count);
    if (w->times > 1) {
        buf_addc(&w->text, '*');
        put(&w->text, w->times);
    }
    w->times = 0;
}

void card_add(struct card_writer *w, uint64_t count)
{
    if (w->times && w->count != count)
        card_close(w);
    w->count = count;
    w->times++;
}

/* A decimal number; false if there is none or it is too large to be a count. */
static bool get(struct card_reader *r, uint64_t *n)
{
    const char *begin = r->at;
    *n = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && *n < UINT64_MAX / 100)
        *n = *n * 10 + (uint64_t)(*r->at++ - '0');
    return r->at > begin;
}

bool card_next(struct card_reader *r, uint64_t *count, uint64_t *times)
{
    const char *begin = r->at;
    *times = 1;
    if (r->at == r->end || !get(r, count))
        return false;
    bool whole = true;
    if (r->at < r->end && *r->at == '*') {
        r->at++;
        whole = get(r, times) && *times > 0;
    }
    if (whole && r->at < r->end) {
        whole = *r->at == ',' && r->at + 1 < r->end;
        r->at++;
    }
    if (!whole)
        r->at = begin;
    return whole;
}
