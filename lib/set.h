/* SPDX-License-Identifier: MIT */
/*
 * A set of byte strings, each with a count, in the order of their first appearance. The set owns
 * copies of the keys; it grows with them, and out of memory dies. Zero it to begin.
 */
#ifndef SET_H
#define SET_H

#include "hash.h"
#include "tagline.h"

#include <stddef.h>
#include <stdint.h>

struct set_item {
    char *key; /* len bytes, then a NUL that does not count */
    size_t len;
    uint64_t hash;
    uint64_t count; /* the user's; 0 at first */
};

struct set {
    struct set_item *items; /* len of them */
    size_t len, cap;
    size_t *slots; /* number of an item + 1, or 0; a power of two of them */
    size_t nslots;
    struct hash_key secret;
};

/* Find or add; the item stays where it is until the next set_add. */
struct set_item *set_add(struct set *s, const char *key, size_t len);

/* Order the items by their bytes. Until set_clear nothing can be added. */
void set_sort(struct set *s);

/* A count and the line that was counted, TAG, tab, text, as a record of a filter's state, and back;
 * false: it is none. */
void set_save_one(struct tl *tl, uint64_t count, const char *key, size_t len);
bool set_load_one(const char *record, size_t len, uint64_t *count, const char **key,
                  size_t *key_len);

/* All items, in their order; load adds one. It refuses by tl_fail. */
void set_save(struct tl *tl, const struct set *s);
void set_load(struct tl *tl, struct set *s, const char *record, size_t len);

/* Make it empty; its memory goes back. */
void set_clear(struct set *s);

#endif
