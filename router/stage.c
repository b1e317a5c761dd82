/* SPDX-License-Identifier: MIT */
/*
 * Epochs on their way through the stages: who gets which lines when, rounds in a cycle, and the end
 * of an epoch and of a job.
 */
#include "contract.h"
#include "core.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void advance(struct core *c, size_t stage);

void epoch_free(struct core *c, struct epoch *e)
{
    for (size_t i = 0; i < c->graph->ndests; i++)
        batch_put_all(c, e->in[i]);
    for (size_t i = 0; i < c->graph->nstages; i++)
        order_free(e->orders[i]);
    if (e->reply)
        batch_put(c, e->reply);
    free(e->in);
    free(e->orders);
    free(e->waiting);
    free(e->end_ids);
    free(e->lane_lines);
    free(e);
}

struct epoch *epoch_new(struct core *c, bool last)
{
    struct epoch *e = xcalloc(1, sizeof *e);
    const struct graph *g = c->graph;
    e->job = c->reading;
    e->last = last;
    e->in = xcalloc(g->ndests, sizeof *e->in);
    e->orders = xcalloc(g->nstages, sizeof *e->orders);
    e->waiting = xcalloc(g->nstages, sizeof *e->waiting);
    for (size_t s = 0; s < g->nstages; s++)
        e->waiting[s] = (uint32_t)g->stages[s].nprev;
    e->unfinished = g->nstages;
    if (c->last)
        c->last->next = e;
    else
        c->first = e;
    c->last = e;
    for (size_t s = 1; s < g->nstages; s++)
        if (!c->stages[s].next)
            c->stages[s].next = e;
    return e;
}

void epoch_admit(struct core *c, struct epoch *e)
{
    stage_finish(c, e, STAGE_INPUT);
    epochs_retire(c);
}

/* Remember the hop of a traced line. */
static void trace(struct job *job, size_t from, size_t to, uint32_t lines)
{
    enum { MOST = 64 };
    if (job->nhops == MOST)
        return;
    job->hops = xrealloc(job->hops, job->nhops + 1, sizeof *job->hops);
    job->hops[job->nhops++] = (struct hop){from, to, lines};
}

/* The input first, then nodes in the order of the flow, the copies of one together. */
size_t source_rank(const struct core *c, size_t lane)
{
    const struct flow *f = c->flow;
    if (lane >= f->nlanes)
        return 0;
    size_t node = f->lane_node[lane];
    size_t copy = lane == node ? 0 : lane - f->nodes[node].more_lanes + 1;
    return (node + 1) << 16 | copy;
}

void epoch_deliver(struct core *c, struct epoch *e, struct source *s, uint32_t round)
{
    const struct graph *g = c->graph;
    size_t from = source_stage(c, s);
    size_t rank = source_rank(c, s->index);
    for (size_t i = 0; i < s->nslots; i++) {
        struct batch *b = s->slots[i].open;
        size_t dest = s->slots[i].dest;
        if (!b)
            continue;
        s->slots[i].open = NULL;
        b->source = rank;
        b->round = round;
        b->counted = b->bytes.len;
        c->inflight += b->counted;
        if (e->traced)
            trace(e->job, rank ? c->flow->lane_node[s->index] : c->flow->nnodes, dest, b->lines);
        bool inside = from != STAGE_INPUT && graph_stage(g, dest) == from;
        struct batch **list = inside ? &c->nodes[dest].pending : &e->in[dest];
        while (*list)
            list = &(*list)->next;
        *list = b;
    }
}

/* An outlet gets an epoch: it goes into the file. */
static void let_out(struct core *c, struct epoch *e, size_t stage)
{
    size_t outlet = stage - 1 - c->graph->ncomponents;
    size_t dest = c->flow->nnodes + outlet;
    struct batch *b = batch_merge(c, e, dest, e->in[dest]);
    e->in[dest] = NULL;
    stream_put(c, &e->job->streams[outlet], b);
}

/* A node outside cycles gets an epoch; false if that takes no work. */
static bool enter_node(struct core *c, struct epoch *e, size_t node)
{
    const struct node *def = &c->flow->nodes[node];
    struct batch *lines = batch_merge(c, e, node, e->in[node]);
    e->in[node] = NULL;
    if (!lines && (!e->last || def->stateless)) {
        size_t stage = c->graph->stage_of[node];
        if (c->graph->stages[stage].domain == stage)
            epoch_mark_ends(c, e, stage); /* identities begin here, if only those of the end */
        return false;
    }
    bool whole_file = def->kind == NODE_COMMAND && !def->stateless;
    uint32_t answers =
        run_give(c, e, node, lines, e->last && (whole_file || def->kind == NODE_FILTER));
    if (whole_file && !e->last)
        return false;
    e->waiting[c->graph->stage_of[node]] = answers;
    return true;
}

/* One round of a cycle: every node with lines gets them. */
static void round_lines(struct core *c, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    struct stage_state *now = &c->stages[stage];
    for (size_t i = 0; i < st->nnodes; i++) {
        struct node_state *n = &c->nodes[st->nodes[i]];
        if (!n->pending)
            continue;
        struct batch *lines = batch_merge(c, now->now, st->nodes[i], n->pending);
        n->pending = NULL;
        n->ended = false;
        now->running += run_give(c, now->now, st->nodes[i], lines, false);
    }
}

/* Nothing circles any more at the end of a file: the nodes may emit what they hold. */
static void round_ends(struct core *c, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    struct stage_state *now = &c->stages[stage];
    for (size_t i = 0; i < st->nnodes; i++) {
        struct node_state *n = &c->nodes[st->nodes[i]];
        if (n->ended || c->flow->nodes[st->nodes[i]].stateless)
            continue;
        n->ended = true;
        now->running += run_give(c, now->now, st->nodes[i], NULL, true);
    }
}

static void fail_endless(struct core *c, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    for (size_t i = 0; i < st->nnodes; i++) {
        const struct batch *b = c->nodes[st->nodes[i]].pending;
        if (!b)
            continue;
        const struct node *def = &c->flow->nodes[st->nodes[i]];
        bool tagged = def->kind == NODE_FILTER && !def->shares;
        const char *text = b->bytes.data + (tagged ? strlen(def->tag) + 1 : 0);
        const char *end = b->bytes.data + b->bytes.len;
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((nl ? nl : end) - text);
        core_fail(c, EX_DATAERR, st->nodes[i], c->stages[stage].now->job,
                  "lines still circle after %ld rounds (set max-rounds): \"%.*s\"",
                  c->flow->max_rounds, (int)(len < 80 ? len : 80), text);
        core_fail_line(c, text, len);
        return;
    }
}

/* All nodes of a cycle have answered: the next round, the ends, or the epoch is through. */
void stage_turn(struct core *c, size_t stage)
{
    struct stage_state *now = &c->stages[stage];
    struct epoch *e = now->now;
    if (now->round >= (uint64_t)c->flow->max_rounds)
        fail_endless(c, stage);
    if (c->failure.status)
        return;
    round_lines(c, stage);
    if (!now->running && e->last)
        round_ends(c, stage);
    if (now->running)
        return;
    now->now = NULL;
    stage_finish(c, e, stage);
}

/* A cycle gets an epoch. */
static void enter_cycle(struct core *c, struct epoch *e, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    struct stage_state *now = &c->stages[stage];
    now->now = e;
    now->round = 0;
    for (size_t i = 0; i < st->nnodes; i++) {
        c->nodes[st->nodes[i]].pending = e->in[st->nodes[i]];
        c->nodes[st->nodes[i]].ended = false;
        e->in[st->nodes[i]] = NULL;
    }
    round_lines(c, stage);
    if (st->domain == stage)
        epoch_mark_ends(c, e, stage);
    if (!now->running)
        stage_turn(c, stage);
}

/* Let a stage have all epochs that are ready for it. */
static void advance(struct core *c, size_t stage)
{
    struct stage_state *now = &c->stages[stage];
    const struct stage *st = &c->graph->stages[stage];
    while (now->next && now->next->waiting[stage] == 0 && !now->now && !c->failure.status) {
        struct epoch *e = now->next;
        now->next = e->next;
        if (stage > c->graph->ncomponents) {
            let_out(c, e, stage);
            stage_finish(c, e, stage);
        } else if (st->cyclic) {
            enter_cycle(c, e, stage);
        } else if (!enter_node(c, e, st->nodes[0])) {
            stage_finish(c, e, stage);
        }
    }
}

/* ---- the end of an epoch, and of a job ---- */

/* Every line that was emitted arrived somewhere, or the job is not to be trusted. */
static void check_accounts(struct core *c, struct job *job)
{
    uint64_t emitted = job->input.lines, arrived = 0;
    for (size_t i = 0; i < c->flow->nnodes; i++) {
        emitted += job->nodes[i].lines_out;
        arrived += job->nodes[i].lines_in;
    }
    for (size_t i = 0; i < c->flow->nsinks; i++)
        arrived += job->sinks[i].lines;
    if (emitted != arrived)
        core_fail(c, EX_SOFTWARE, NOWHERE, job,
                  "accounts: %" PRIu64 " lines emitted, %" PRIu64 " arrived", emitted, arrived);
}

static void print_reply(struct core *c, struct epoch *e)
{
    stream_put(c, &e->job->streams[0], e->reply);
    e->reply = NULL;
}

/* Epochs end in the order in which they began. */
void epochs_retire(struct core *c)
{
    while (c->first && c->first->unfinished == 0 && !c->failure.status) {
        struct epoch *e = c->first;
        bool replied = e->reply;
        c->first = e->next;
        if (!c->first)
            c->last = NULL;
        if (replied)
            print_reply(c, e);
        if (e->last) {
            check_accounts(c, e->job);
            e->job->done = true;
        }
        epoch_free(c, e);
        if (replied)
            c->barrier = false;
    }
}

/* A stage is through with an epoch. */
void stage_finish(struct core *c, struct epoch *e, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    e->unfinished--;
    for (size_t i = 0; i < st->nnext; i++)
        if (--e->waiting[st->next[i]] == 0)
            advance(c, st->next[i]);
    if (st->cyclic)
        advance(c, stage); /* it was busy: another epoch may wait */
}
