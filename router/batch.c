/* SPDX-License-Identifier: MIT */
/*
 * Batches: the lines of one source for one destination, in memory of their own, in a piece of what
 * a filter shares, or in a file. They are used again: fresh memory costs more in page faults than
 * all the copying.
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

/* The failure of a spill fails the job; until it is noticed there is memory all the same. */
static void fail_spill(struct core *c)
{
    int why = errno;
    core_fail(c, EX_IOERR, NOWHERE, NULL, "%s: cannot spill what is over set memory %zu: %s",
              spill_folder(), c->flow->memory, strerror(why));
    c->failure.error = why;
}

static void spill(struct core *c, struct batch *b, size_t n)
{
    size_t cap = b->bytes.cap;
    b->spill = spill_new(&b->bytes, n);
    if (b->spill)
        c->memory -= cap;
    else
        fail_spill(c);
}

/* Out of the file again, because it cannot grow. */
static void unspill(struct core *c, struct batch *b)
{
    struct buf own = {0};
    fail_spill(c);
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

void batch_add_tagged(struct core *c, struct batch *to, const char *tag, const struct batch *texts)
{
    size_t taglen = strlen(tag);
    const char *at = texts->bytes.data, *end = at + texts->bytes.len;
    for (const char *next; at < end; at = next) {
        next = line_end(at, end);
        batch_room(c, to, taglen + 1 + (size_t)(next - at));
        batch_add(c, to, tag, taglen);
        batch_add(c, to, "\t", 1);
        batch_add(c, to, at, (size_t)(next - at));
    }
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
    for (const struct batch *b = chain; b; b = b->next) {
        if (all->region)
            batch_add(c, all, b->bytes.data, b->bytes.len);
        else
            batch_add_tagged(c, all, flow_node(c->flow, lane)->tag, b);
        all->lines += b->lines;
    }
    all->counted = all->bytes.len;
    c->inflight += all->counted;
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

/* Is the destination one process? A node with copies is several. */
static bool dest_is_lane(const struct core *c, size_t dest)
{
    return dest < c->flow->nnodes && c->flow->nodes[dest].jobs == 1;
}

struct batch *batch_merged(struct core *c, size_t dest)
{
    return dest_is_lane(c, dest) ? batch_for(c, dest) : batch_get(c);
}

struct batch *batch_open(struct core *c, size_t dest)
{
    const struct stage *stage = &c->graph->stages[graph_stage(c->graph, dest)];
    bool merges = stage->merge == MERGE_LINE && !stage->cyclic;
    return merges ? batch_get(c) : batch_merged(c, dest);
}
