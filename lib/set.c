/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing, at most half full. Trust: keys may be chosen by an enemy,
 * so the hash has a secret key. */
#include "set.h"
#include "buf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

enum { FIRST_SLOTS = 64 };

static void place(struct set *s, size_t item)
{
    size_t at = s->items[item].hash & (s->nslots - 1);
    while (s->slots[at])
        at = (at + 1) & (s->nslots - 1);
    s->slots[at] = item + 1;
}

static void grow(struct set *s)
{
    if (s->nslots == 0)
        while (getrandom(&s->secret, sizeof s->secret, 0) != (ssize_t)sizeof s->secret)
            if (errno != EINTR)
                tl_die(EX_OSERR, "getrandom: %m");
    s->nslots = s->nslots ? s->nslots * 2 : FIRST_SLOTS;
    s->cap = s->nslots / 2;
    s->items = xrealloc(s->items, s->cap, sizeof *s->items);
    free(s->slots);
    s->slots = xcalloc(s->nslots, sizeof *s->slots);
    for (size_t i = 0; i < s->len; i++)
        place(s, i);
}

struct set_item *set_add(struct set *s, const char *key, size_t len)
{
    if (s->len == s->cap)
        grow(s);
    uint64_t hash = hash_bytes(&s->secret, key, len);
    for (size_t at = hash & (s->nslots - 1); s->slots[at]; at = (at + 1) & (s->nslots - 1)) {
        struct set_item *item = &s->items[s->slots[at] - 1];
        if (item->hash == hash && item->len == len && memcmp(item->key, key, len) == 0)
            return item;
    }
    struct set_item *item = &s->items[s->len];
    *item = (struct set_item){.key = xstrndup(key, len), .len = len, .hash = hash};
    place(s, s->len++);
    return item;
}

static int by_bytes(const void *a, const void *b)
{
    const struct set_item *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

void set_sort(struct set *s)
{
    if (s->len)
        qsort(s->items, s->len, sizeof *s->items, by_bytes);
}

void set_save_one(struct tl *tl, uint64_t count, const char *key, size_t len)
{
    struct buf record = {0};
    buf_addf(&record, "%" PRIu64 "\t", count);
    buf_add(&record, key, len);
    tl_save(tl, record.data, record.len);
    buf_free(&record);
}

bool set_load_one(const char *record, size_t len, uint64_t *count, const char **key,
                  size_t *key_len)
{
    char *end;
    errno = 0;
    *count = strtoull(record, &end, 10);
    if (errno || end == record || *end != '\t')
        return false;
    *key = end + 1;
    *key_len = len - (size_t)(end + 1 - record);
    const char *tab = memchr(*key, '\t', *key_len);
    return tab && tl_is_tag(*key, (size_t)(tab - *key));
}

void set_save(struct tl *tl, const struct set *s)
{
    for (size_t i = 0; i < s->len; i++)
        set_save_one(tl, s->items[i].count, s->items[i].key, s->items[i].len);
}

void set_load(struct tl *tl, struct set *s, const char *record, size_t len)
{
    const char *key;
    uint64_t count;
    if (!set_load_one(record, len, &count, &key, &len))
        tl_fail(tl, EX_DATAERR, "a saved state that is not of this filter");
    set_add(s, key, len)->count = count;
}

void set_clear(struct set *s)
{
    for (size_t i = 0; i < s->len; i++)
        free(s->items[i].key);
    free(s->items);
    free(s->slots);
    *s = (struct set){0};
}
