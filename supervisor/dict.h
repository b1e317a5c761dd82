/* SPDX-License-Identifier: MIT */
/*
 * A hash table of things that carry their own key. A thing embeds struct dict_link as its first
 * member and owns the key's bytes; the table owns neither.
 */
#ifndef DICT_H
#define DICT_H

#include <stddef.h>
#include <stdint.h>

struct dict_link {
    struct dict_link *next;
    uint64_t hash;
    const char *key;
};

struct dict { /* zero it to begin */
    struct dict_link **slots;
    size_t nslots;
    size_t count;
};

uint64_t dict_hash(const char *bytes, size_t n);
struct dict_link *dict_find(const struct dict *d, const char *key);
/* The key must not be in it yet. */
void dict_add(struct dict *d, struct dict_link *link, const char *key);
void dict_remove(struct dict *d, struct dict_link *link);
/* Take out everything, giving each to drop. */
void dict_clear(struct dict *d, void (*drop)(struct dict_link *link));

#endif
