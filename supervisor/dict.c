/* SPDX-License-Identifier: MIT */
/* A chained hash table. Trust: keys are file names of strangers; a crowd of equal hashes makes it
 * slow, never wrong. */
#include "dict.h"
#include "buf.h"

#include <stdlib.h>
#include <string.h>

enum { FEWEST = 64 };

/* FNV-1a: the journal uses it as its checksum too. */
uint64_t dict_hash(const char *bytes, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
    return h;
}

static struct dict_link **slot(const struct dict *d, uint64_t hash)
{
    return &d->slots[hash & (d->nslots - 1)];
}

struct dict_link *dict_find(const struct dict *d, const char *key)
{
    if (d->count == 0)
        return NULL;
    uint64_t hash = dict_hash(key, strlen(key));
    for (struct dict_link *l = *slot(d, hash); l; l = l->next)
        if (l->hash == hash && strcmp(l->key, key) == 0)
            return l;
    return NULL;
}

static void grow(struct dict *d)
{
    struct dict bigger = {.nslots = d->nslots ? d->nslots * 2 : FEWEST};
    bigger.slots = xcalloc(bigger.nslots, sizeof(struct dict_link *));
    for (size_t i = 0; i < d->nslots; i++) {
        for (struct dict_link *l = d->slots[i], *next; l; l = next) {
            next = l->next;
            struct dict_link **to = slot(&bigger, l->hash);
            l->next = *to;
            *to = l;
        }
    }
    free(d->slots);
    d->slots = bigger.slots;
    d->nslots = bigger.nslots;
}

void dict_add(struct dict *d, struct dict_link *link, const char *key)
{
    if (d->count >= d->nslots)
        grow(d);
    link->key = key;
    link->hash = dict_hash(key, strlen(key));
    struct dict_link **to = slot(d, link->hash);
    link->next = *to;
    *to = link;
    d->count++;
}

void dict_remove(struct dict *d, struct dict_link *link)
{
    struct dict_link **at = slot(d, link->hash);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    d->count--;
}

void dict_clear(struct dict *d, void (*drop)(struct dict_link *link))
{
    for (size_t i = 0; i < d->nslots; i++) {
        for (struct dict_link *l = d->slots[i], *next; l; l = next) {
            next = l->next;
            drop(l);
        }
    }
    free(d->slots);
    *d = (struct dict){0};
}
