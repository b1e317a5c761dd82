/* SPDX-License-Identifier: MIT */
/* The depth-first order of lines as a linked list with lazy labels. */
#include "order.h"
#include "buf.h"
#include "tagline.h"

#include <stdlib.h>
#include <sysexits.h>

struct order *order_new(void)
{
    struct order *o = xcalloc(1, sizeof *o);
    o->last = ORDER_NONE;
    return o;
}

void order_free(struct order *o)
{
    if (!o)
        return;
    free(o->next);
    free(o->label);
    free(o);
}

static void grow(struct order *o, uint32_t n)
{
    if (n > UINT32_MAX / 2 - o->n)
        tl_die(EX_TEMPFAIL, "memory: too many lines in one epoch");
    while (o->cap < o->n + n) {
        o->cap = o->cap ? o->cap * 2 : 1024;
        o->next = xrealloc(o->next, o->cap, sizeof *o->next);
    }
}

uint32_t order_append(struct order *o, uint32_t n)
{
    uint32_t first = o->n;
    if (n == 0)
        return first;
    grow(o, n);
    if (o->last != ORDER_NONE)
        o->next[o->last] = first;
    for (uint32_t i = 0; i < n; i++)
        o->next[first + i] = first + i + 1;
    o->n += n;
    o->last = o->n - 1;
    o->next[o->last] = ORDER_NONE;
    o->moved = o->moved || o->sparse;
    return first;
}

uint32_t order_after(struct order *o, uint32_t id)
{
    grow(o, 1);
    uint32_t new = o->n++;
    o->next[new] = o->next[id];
    o->next[id] = new;
    if (o->last == id)
        o->last = new;
    o->moved = o->sparse = true;
    return new;
}

const uint32_t *order_labels(struct order *o)
{
    if (!o->sparse)
        return NULL;
    if (o->moved) {
        o->label = xrealloc(o->label, o->cap, sizeof *o->label);
        uint32_t position = 0;
        /* Nothing is ever put before the first identity. */
        for (uint32_t id = 0; id != ORDER_NONE; id = o->next[id])
            o->label[id] = position++;
        o->moved = false;
    }
    return o->label;
}
