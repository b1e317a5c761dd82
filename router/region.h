/* SPDX-License-Identifier: MIT */
/*
 * Memory that a filter shares with us, in pieces of one size: lines on their way to it, and what it
 * leaves there for us. The piece used last is used first, because it is still in the cache.
 */
#ifndef REGION_H
#define REGION_H

#include <stddef.h>
#include <stdint.h>

struct region {
    char *base; /* NULL: nothing is shared; belongs to whoever mapped it */
    size_t piece;
    uint32_t *spare; /* numbers of the pieces that are free, as a stack */
    size_t nspare;
};

void region_init(struct region *r, char *base, size_t size, size_t piece);
void region_free(struct region *r); /* not the memory itself */

/* A piece, or NULL if there is none; and back. */
char *region_take(struct region *r);
void region_give(struct region *r, char *piece);

#endif
