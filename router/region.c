/* SPDX-License-Identifier: MIT */
/* Pieces of shared memory. */
#include "region.h"
#include "buf.h"

#include <stdlib.h>

void region_init(struct region *r, char *base, size_t size, size_t piece)
{
    *r = (struct region){.base = base, .piece = piece, .nspare = size / piece};
    r->spare = xcalloc(r->nspare, sizeof *r->spare);
    for (size_t i = 0; i < r->nspare; i++)
        r->spare[i] = (uint32_t)(r->nspare - 1 - i);
}

void region_free(struct region *r)
{
    free(r->spare);
    *r = (struct region){0};
}

char *region_take(struct region *r)
{
    return r->nspare ? r->base + r->spare[--r->nspare] * r->piece : NULL;
}

void region_give(struct region *r, char *piece)
{
    r->spare[r->nspare++] = (uint32_t)((size_t)(piece - r->base) / r->piece);
}
