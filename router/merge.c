/* SPDX-License-Identifier: MIT */
/* Where sources meet: their lines in one order, by the line that they descend from or by the epoch.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 8 }; /* sources that are merged head by head; more are sorted */

static int by_round_and_source(const void *a, const void *b)
{
    const struct batch *x = *(struct batch *const *)a, *y = *(struct batch *const *)b;
    if (x->round != y->round)
        return x->round < y->round ? -1 : 1;
    return (x->source > y->source) - (x->source < y->source);
}

/* Put whole batches in order of (round, source). The input comes before all nodes. */
static struct batch *merge_by_epoch(struct batch *chain)
{
    size_t n = 0;
    for (struct batch *b = chain; b; b = b->next)
        n++;
    struct batch **list = xcalloc(n, sizeof *list);
    n = 0;
    for (struct batch *b = chain; b; b = b->next)
        list[n++] = b;
    qsort(list, n, sizeof *list, by_round_and_source);
    for (size_t i = 0; i < n; i++)
        list[i]->next = i + 1 < n ? list[i + 1] : NULL;
    chain = list[0];
    free(list);
    return chain;
}

struct line_ref {
    uint32_t label, id;
    const char *at;
    size_t len;
};

static int by_label(const void *a, const void *b)
{
    const struct line_ref *x = a, *y = b;
    return (x->label > y->label) - (x->label < y->label);
}

/* Look up the lines of all batches with their places in the order. */
static void collect(struct batch *chain, const uint32_t *labels, struct line_ref *refs)
{
    size_t n = 0;
    for (struct batch *b = chain; b; b = b->next) {
        const char *at = b->bytes.data;
        for (uint32_t i = 0; i < b->lines; i++, n++) {
            const char *next = line_end(at, b->bytes.data + b->bytes.len);
            refs[n] = (struct line_ref){labels ? labels[b->ids[i]] : b->ids[i], b->ids[i], at,
                                        (size_t)(next - at)};
            at = next;
        }
    }
}

/* How far a merge has come in one batch. */
struct cursor {
    const struct batch *batch;
    uint32_t line;  /* the next */
    uint32_t label; /* its place; UINT32_MAX behind the last */
    const char *at;
};

static uint32_t label_at(const struct cursor *k, const uint32_t *labels)
{
    if (k->line == k->batch->lines)
        return UINT32_MAX;
    uint32_t id = k->batch->ids[k->line];
    return labels ? labels[id] : id;
}

static bool is_sorted(const struct batch *b, const uint32_t *labels)
{
    for (uint32_t i = 1; i < b->lines; i++) {
        uint32_t before = labels ? labels[b->ids[i - 1]] : b->ids[i - 1];
        if (before > (labels ? labels[b->ids[i]] : b->ids[i]))
            return false;
    }
    return true;
}

/* Cursors on all batches, if they are few and each is sorted; how many, or 0. */
static size_t open_cursors(struct batch *chain, const uint32_t *labels, struct cursor *k)
{
    size_t n = 0;
    for (struct batch *b = chain; b; b = b->next) {
        if (n == FEW || !is_sorted(b, labels))
            return 0;
        k[n] = (struct cursor){.batch = b, .at = b->bytes.data};
        k[n].label = label_at(&k[n], labels);
        n++;
    }
    return n;
}

/* Copy lines of the cursor as long as they come before the others; they stand together. */
static void take_run(struct core *c, struct cursor *k, uint32_t before, const uint32_t *labels,
                     struct batch *all)
{
    const char *from = k->at;
    const char *end = k->batch->bytes.data + k->batch->bytes.len;
    while (k->label < before) {
        k->at = line_end(k->at, end);
        batch_id(all, k->batch->ids[k->line++]);
        all->lines++;
        k->label = label_at(k, labels);
    }
    batch_add(c, all, from, (size_t)(k->at - from));
}

/* Merge sorted batches. */
static void merge_cursors(struct core *c, struct cursor *k, size_t n, const uint32_t *labels,
                          struct batch *all)
{
    for (;;) {
        size_t first = 0;
        uint32_t second = UINT32_MAX;
        for (size_t i = 1; i < n; i++) {
            if (k[i].label < k[first].label) {
                second = k[first].label;
                first = i;
            } else if (k[i].label < second) {
                second = k[i].label;
            }
        }
        if (k[first].label == UINT32_MAX)
            return;
        take_run(c, &k[first], second, labels, all);
    }
}

/* Sort the lines of many batches, or of batches that a cycle has mixed. */
static void sort_lines(struct core *c, struct batch *chain, size_t lines, const uint32_t *labels,
                       struct batch *all)
{
    struct line_ref *refs = xcalloc(lines, sizeof *refs);
    collect(chain, labels, refs);
    qsort(refs, lines, sizeof *refs, by_label);
    for (size_t i = 0; i < lines; i++) {
        batch_add(c, all, refs[i].at, refs[i].len);
        batch_id(all, refs[i].id);
        all->lines++;
    }
    free(refs);
}

/* Copy the lines of all batches into one, in the order of their identities. */
static struct batch *merge_by_line(struct core *c, size_t dest, struct batch *chain,
                                   struct order *o)
{
    const uint32_t *labels = order_labels(o);
    struct cursor cursors[FEW];
    size_t n = open_cursors(chain, labels, cursors);
    size_t lines = 0, bytes = 0;
    if (n == 1)
        return chain;
    for (struct batch *b = chain; b; b = b->next) {
        lines += b->lines;
        bytes += b->bytes.len;
    }
    struct batch *all = batch_merged(c, dest);
    batch_room(c, all, bytes);
    if (n)
        merge_cursors(c, cursors, n, labels, all);
    else
        sort_lines(c, chain, lines, labels, all);
    all->counted = bytes;
    c->inflight += bytes;
    batch_put_all(c, chain);
    return all;
}

/* Bring what arrived for a destination in the order in which it gets it. */
struct batch *batch_merge(struct core *c, struct epoch *e, size_t dest, struct batch *chain)
{
    const struct graph *g = c->graph;
    const struct stage *stage = &g->stages[graph_stage(g, dest)];
    if (!chain || (!chain->next && stage->merge != MERGE_LINE))
        return chain;
    /* In a cycle the nodes are stateless where order is by line: only the identities matter. */
    if (stage->merge != MERGE_LINE || stage->cyclic)
        return merge_by_epoch(chain);
    size_t feeder = stage->prev[0];
    return merge_by_line(c, dest, chain, epoch_order(e, g->stages[feeder].domain));
}
