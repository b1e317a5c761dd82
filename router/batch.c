/* SPDX-License-Identifier: MIT */
/*
 * Batches: made for one destination, merged where sources meet, and used again: fresh memory costs
 * more in page faults than all the copying.
 */
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    POOL_BYTES = 8 << 20,
    KEEP_BYTES = 1 << 20,
    SPILL_LEAST = 1 << 20, /* a smaller batch is not worth a file */
    FEW = 8,               /* sources that are merged head by head; more are sorted */
};

struct batch *batch_get(struct core *c)
{
    struct batch *b = c->pool;
    if (!b)
        return xcalloc(1, sizeof *b);
    c->pool = b->next;
    c->pool_bytes -= b->bytes.cap;
    b->next = NULL;
    return b;
}

struct batch *batch_of(struct core *c, struct region *r, char *piece, size_t len)
{
    struct batch *b = c->bare;
    if (b)
        c->bare = b->next;
    else
        b = xcalloc(1, sizeof *b);
    b->next = NULL;
    b->bytes = (struct buf){.data = piece, .len = len, .cap = r->piece};
    b->region = r;
    return b;
}

struct batch *batch_for(struct core *c, size_t lane)
{
    struct region *r = &c->nodes[lane].region;
    char *piece = region_take(r);
    return piece ? batch_of(c, r, piece, 0) : batch_get(c);
}

/* Give the piece back that holds the bytes. */
static void leave_region(struct batch *b)
{
    region_give(b->region, b->bytes.data);
    b->region = NULL;
    b->bytes = (struct buf){0};
}

/* Over the flow's memory large batches go into files. The failure of that fails the job; until it
 * is noticed there is memory all the same. */
static void spill(struct core *c, struct batch *b, size_t n)
{
    size_t cap = b->bytes.cap;
    b->spill = spill_new(&b->bytes, n);
    if (b->spill) {
        c->memory -= cap;
        return;
    }
    int why = errno;
    core_fail(c, EX_IOERR, NOWHERE, NULL, "%s: cannot spill what is over set memory %zu: %s",
              spill_folder(), c->flow->memory, strerror(why));
    c->failure.error = why;
}

/* Out of the file again, because it cannot grow. */
static void unspill(struct core *c, struct batch *b)
{
    struct buf own = {0};
    int why = errno;
    core_fail(c, EX_IOERR, NOWHERE, NULL, "%s: what is over set memory %zu: %s", spill_folder(),
              c->flow->memory, strerror(why));
    c->failure.error = why;
    buf_add(&own, b->bytes.data, b->bytes.len);
    spill_free(b->spill, &b->bytes);
    b->spill = NULL;
    b->bytes = own;
    c->memory += own.cap;
}

char *batch_room(struct core *c, struct batch *b, size_t n)
{
    struct buf *bytes = &b->bytes;
    if (n <= bytes->cap - bytes->len && bytes->data)
        return bytes->data + bytes->len;
    if (b->region) { /* no piece is large enough */
        struct buf own = {0};
        buf_room(&own, bytes->len + n);
        buf_add(&own, bytes->data, bytes->len);
        leave_region(b);
        *bytes = own;
        c->memory += own.cap;
    }
    size_t wanted = bytes->len + n > 2 * bytes->cap ? bytes->len + n : 2 * bytes->cap;
    if (!b->spill && wanted >= SPILL_LEAST && c->memory - bytes->cap + wanted > c->flow->memory)
        spill(c, b, n);
    if (b->spill && !spill_room(b->spill, bytes, n))
        unspill(c, b);
    if (!b->spill) {
        size_t before = bytes->cap;
        buf_room(bytes, n);
        c->memory += bytes->cap - before;
    }
    return bytes->data + bytes->len;
}

void batch_add(struct core *c, struct batch *b, const void *bytes, size_t n)
{
    char *to = batch_room(c, b, n);
    memcpy(to, bytes, n);
    b->bytes.len += n;
}

/* Put the tag before each line. */
static struct batch *with_tags(struct core *c, const struct batch *b, const char *tag)
{
    struct batch *tagged = batch_get(c);
    size_t taglen = strlen(tag);
    const char *at = b->bytes.data, *end = at + b->bytes.len;
    for (const char *next; at < end; at = next) {
        next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        batch_room(c, tagged, taglen + 1 + (size_t)(next - at));
        batch_add(c, tagged, tag, taglen);
        batch_add(c, tagged, "\t", 1);
        batch_add(c, tagged, at, (size_t)(next - at));
    }
    tagged->lines = b->lines;
    tagged->counted = tagged->bytes.len;
    c->inflight += tagged->counted;
    return tagged;
}

struct batch *batch_pack(struct core *c, size_t lane, struct batch *chain)
{
    struct region *r = &c->nodes[lane].region;
    size_t bytes = 0;
    if (!chain || (!chain->next && chain->region == r))
        return chain;
    for (const struct batch *b = chain; b; b = b->next)
        bytes += b->bytes.len;
    struct batch *all = bytes <= r->piece ? batch_for(c, lane) : batch_get(c);
    struct batch **to = &all;
    if (all->region) {
        for (const struct batch *b = chain; b; b = b->next) {
            batch_add(c, all, b->bytes.data, b->bytes.len);
            all->lines += b->lines;
        }
        all->counted = bytes;
        c->inflight += bytes;
    } else {
        batch_put(c, all);
        for (const struct batch *b = chain; b; b = b->next, to = &(*to)->next)
            *to = with_tags(c, b, flow_node(c->flow, lane)->tag);
        *to = NULL;
    }
    batch_put_all(c, chain);
    return all;
}

void batch_free_all(struct core *c, struct batch *chain)
{
    while (chain) {
        struct batch *next = chain->next;
        if (chain->spill) {
            spill_free(chain->spill, &chain->bytes);
        } else {
            c->memory -= chain->bytes.cap;
            buf_free(&chain->bytes);
        }
        free(chain->ids);
        free(chain);
        chain = next;
    }
}

void batch_put(struct core *c, struct batch *b)
{
    c->inflight -= b->counted;
    b->lines = 0;
    b->counted = 0;
    if (b->region) {
        leave_region(b);
        b->next = c->bare;
        c->bare = b;
        return;
    }
    if (b->spill || b->bytes.cap > KEEP_BYTES || c->pool_bytes + b->bytes.cap > POOL_BYTES) {
        b->next = NULL;
        batch_free_all(c, b);
        return;
    }
    b->bytes.len = 0;
    c->pool_bytes += b->bytes.cap;
    b->next = c->pool;
    c->pool = b;
}

void batch_put_all(struct core *c, struct batch *chain)
{
    while (chain) {
        struct batch *next = chain->next;
        batch_put(c, chain);
        chain = next;
    }
}

/* The next line of the batch has this identity (or, until the answer, this emission number). */
void batch_id(struct batch *b, uint32_t id)
{
    if (b->lines == b->ids_cap) {
        b->ids_cap = b->ids_cap ? b->ids_cap * 2 : 1024;
        b->ids = xrealloc(b->ids, b->ids_cap, sizeof *b->ids);
    }
    b->ids[b->lines] = id;
}

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
            size_t left = (size_t)(b->bytes.data + b->bytes.len - at);
            const char *nl = memchr(at, '\n', left);
            refs[n] = (struct line_ref){labels ? labels[b->ids[i]] : b->ids[i], b->ids[i], at,
                                        (size_t)(nl + 1 - at)};
            at = nl + 1;
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
        k->at = (const char *)memchr(k->at, '\n', (size_t)(end - k->at)) + 1;
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

/* Is the destination one process? A node with copies is several. */
static bool dest_is_lane(const struct core *c, size_t dest)
{
    return dest < c->flow->nnodes && c->flow->nodes[dest].jobs == 1;
}

/* A batch for lines of one source: they go to the destination as they are, unless they are merged
 * with others first. */
struct batch *batch_open(struct core *c, size_t dest)
{
    bool merged = c->graph->merge[dest] == MERGE_LINE &&
                  !c->graph->stages[graph_stage(c->graph, dest)].cyclic;
    return dest_is_lane(c, dest) && !merged ? batch_for(c, dest) : batch_get(c);
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
    struct batch *all = dest_is_lane(c, dest) ? batch_for(c, dest) : batch_get(c);
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
    if (!chain || !chain->next)
        if (!chain || g->merge[dest] != MERGE_LINE)
            return chain;
    size_t stage = graph_stage(g, dest);
    /* In a cycle the nodes are stateless where order is by line: only the identities matter. */
    if (g->merge[dest] != MERGE_LINE || g->stages[stage].cyclic)
        return merge_by_epoch(chain);
    size_t feeder = g->stages[stage].prev[0];
    return merge_by_line(c, dest, chain, epoch_order(e, g->stages[feeder].domain));
}
