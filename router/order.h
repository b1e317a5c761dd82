/* SPDX-License-Identifier: MIT */
/*
 * Identities of lines, in the order in which a program would have seen them that follows each line
 * to its end before the next (depth first). A line that becomes one line keeps its identity; where
 * it becomes several, the others get new identities right behind it. So the list is always the
 * depth-first order, and a merge compares positions in it. One list serves one epoch.
 */
#ifndef ORDER_H
#define ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order {
    uint32_t *next;  /* of an identity: the one behind it */
    uint32_t *label; /* its position, as of the last order_labels */
    uint32_t n, cap;
    uint32_t last; /* end of the list */
    bool moved;    /* an identity was put between others: labels are stale */
    bool sparse;   /* ... and have been at least once: an identity is no longer its own label */
};

#define ORDER_NONE UINT32_MAX

struct order *order_new(void);
void order_free(struct order *o);

/* Append n identities, consecutive numbers; returns the first. */
uint32_t order_append(struct order *o, uint32_t n);
/* A new identity right behind id. */
uint32_t order_after(struct order *o, uint32_t id);
/* Position of each identity; valid until the next append or after. NULL: each is its own. */
const uint32_t *order_labels(struct order *o);

#endif
