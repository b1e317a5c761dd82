/* SPDX-License-Identifier: MIT */
/* Components, topological order, dominators, and what they say about order. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static void append(size_t **list, size_t *n, size_t value)
{
    for (size_t i = 0; i < *n; i++)
        if ((*list)[i] == value)
            return;
    *list = xrealloc(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = value;
}

/* ---- components ---- */

struct tarjan {
    const struct flow *flow;
    size_t *index, *low; /* 0: not seen */
    size_t *component;   /* of a node; NOWHERE while open */
    size_t *open, nopen;
    size_t *path, *arrow, depth; /* the recursion, as a stack: node and its next arrow */
    size_t counter, ncomponents;
};

static void enter(struct tarjan *t, size_t node)
{
    t->index[node] = t->low[node] = ++t->counter;
    t->open[t->nopen++] = node;
    t->path[t->depth] = node;
    t->arrow[t->depth++] = 0;
}

/* All arrows of the top of the stack are followed: close its component if it is the root of one. */
static void leave(struct tarjan *t)
{
    size_t node = t->path[--t->depth];
    if (t->low[node] == t->index[node]) {
        size_t member;
        do {
            member = t->open[--t->nopen];
            t->component[member] = t->ncomponents;
        } while (member != node);
        t->ncomponents++;
    }
    if (t->depth) {
        size_t up = t->path[t->depth - 1];
        if (t->low[node] < t->low[up])
            t->low[up] = t->low[node];
    }
}

static void search(struct tarjan *t, size_t start)
{
    enter(t, start);
    while (t->depth) {
        size_t node = t->path[t->depth - 1];
        const struct node *n = &t->flow->nodes[node];
        if (t->arrow[t->depth - 1] == n->nnext) {
            leave(t);
            continue;
        }
        size_t to = n->next[t->arrow[t->depth - 1]++];
        if (to >= t->flow->nnodes)
            continue;
        if (!t->index[to])
            enter(t, to);
        else if (t->component[to] == NOWHERE && t->index[to] < t->low[node])
            t->low[node] = t->index[to];
    }
}

/* Component of each node, numbered as they close. The caller frees. */
static size_t *components(const struct flow *f, size_t *count)
{
    size_t n = f->nnodes;
    size_t *work = xcalloc(5 * n + 1, sizeof *work);
    struct tarjan t = {.flow = f,
                       .index = work,
                       .low = work + n,
                       .open = work + 2 * n,
                       .path = work + 3 * n,
                       .arrow = work + 4 * n};
    t.component = xcalloc(n, sizeof *t.component);
    for (size_t i = 0; i < n; i++)
        t.component[i] = NOWHERE;
    for (size_t i = 0; i < n; i++)
        if (!t.index[i])
            search(&t, i);
    free(work);
    *count = t.ncomponents;
    return t.component;
}

/* ---- stages ---- */

/* How many arrows lead into each component from others. */
static size_t *count_arrows(const struct flow *f, const size_t *component, size_t n)
{
    size_t *arrows = xcalloc(n, sizeof *arrows);
    for (size_t i = 0; i < f->nnodes; i++)
        for (size_t j = 0; j < f->nodes[i].nnext; j++) {
            size_t to = f->nodes[i].next[j];
            if (to < f->nnodes && component[to] != component[i])
                arrows[component[to]]++;
        }
    return arrows;
}

/* Make the component a stage, and free those that waited only for it. */
static void place(struct graph *g, const size_t *component, size_t *arrows, size_t which)
{
    const struct flow *f = g->flow;
    size_t at = ++g->ncomponents;
    for (size_t i = 0; i < f->nnodes; i++) {
        if (component[i] != which)
            continue;
        g->stage_of[i] = at;
        append(&g->stages[at].nodes, &g->stages[at].nnodes, i);
        for (size_t j = 0; j < f->nodes[i].nnext; j++) {
            size_t to = f->nodes[i].next[j];
            if (to < f->nnodes && component[to] != which)
                arrows[component[to]]--;
            else if (to < f->nnodes)
                g->stages[at].cyclic = true;
        }
    }
}

/* Number the components topologically, the first in the flow first. */
static void make_stages(struct graph *g)
{
    size_t n;
    size_t *component = components(g->flow, &n);
    size_t *arrows = count_arrows(g->flow, component, n);
    g->stages = xcalloc(1 + n + g->noutlets, sizeof *g->stages);
    for (size_t placed = 0; placed < n; placed++)
        for (size_t i = 0; i < g->flow->nnodes; i++)
            if (g->stage_of[i] == NOWHERE && arrows[component[i]] == 0) {
                place(g, component, arrows, component[i]);
                break;
            }
    g->nstages = 1 + g->ncomponents + g->noutlets;
    free(arrows);
    free(component);
}

size_t graph_stage(const struct graph *g, size_t dest)
{
    if (dest < g->flow->nnodes)
        return g->stage_of[dest];
    return 1 + g->ncomponents + (dest - g->flow->nnodes);
}

/* A flow's destination as the graph's: a node, an outlet, or NOWHERE. */
static size_t outlet(const struct graph *g, size_t dest)
{
    return dest < g->flow->nnodes ? dest : g->outlet_of[dest - g->flow->nnodes];
}

static void connect(struct graph *g, size_t from, size_t flow_dest)
{
    size_t dest = outlet(g, flow_dest);
    if (dest == NOWHERE)
        return;
    size_t to = graph_stage(g, dest);
    if (to == from)
        return;
    append(&g->stages[from].next, &g->stages[from].nnext, to);
    append(&g->stages[to].prev, &g->stages[to].nprev, from);
}

/* Stages come after all that feed them, so that one pass in order finds every dominator. */
static void find_dominators(struct graph *g)
{
    g->stages[STAGE_INPUT].dominator = NOWHERE;
    for (size_t s = 1; s < g->nstages; s++) {
        struct stage *stage = &g->stages[s];
        size_t d = stage->nprev ? stage->prev[0] : STAGE_INPUT;
        for (size_t i = 1; i < stage->nprev; i++)
            for (size_t other = stage->prev[i]; d != other;) {
                if (g->stages[d].depth >= g->stages[other].depth)
                    d = g->stages[d].dominator;
                else
                    other = g->stages[other].dominator;
            }
        stage->dominator = d;
        stage->depth = g->stages[d].depth + 1;
    }
}

static void assign_outlets(struct graph *g)
{
    const struct flow *f = g->flow;
    g->outlet_of = xcalloc(f->nsinks, sizeof *g->outlet_of);
    for (size_t i = 0; i < f->nsinks; i++) {
        g->outlet_of[i] = NOWHERE;
        if (!f->sinks[i].file)
            continue;
        if (!g->together || g->noutlets == 0)
            g->noutlets++;
        g->outlet_of[i] = f->nnodes + g->noutlets - 1;
    }
}

struct graph *graph_new(const struct flow *flow, bool together, bool anywhere)
{
    struct graph *g = xcalloc(1, sizeof *g);
    g->flow = flow;
    g->together = together;
    assign_outlets(g);
    g->ndests = flow->nnodes + g->noutlets;
    g->stage_of = xcalloc(flow->nnodes + 1, sizeof *g->stage_of);
    for (size_t i = 0; i < flow->nnodes; i++)
        g->stage_of[i] = NOWHERE;
    make_stages(g);
    if (anywhere)
        for (size_t d = 0; d < flow->nnodes + flow->nsinks; d++)
            connect(g, STAGE_INPUT, d);
    else
        connect(g, STAGE_INPUT, flow->start);
    for (size_t i = 0; i < flow->nnodes; i++)
        for (size_t j = 0; j < flow->nodes[i].nnext; j++)
            connect(g, g->stage_of[i], flow->nodes[i].next[j]);
    find_dominators(g);
    graph_order(g);
    return g;
}

void graph_free(struct graph *g)
{
    for (size_t s = 0; s < g->nstages; s++) {
        free(g->stages[s].nodes);
        free(g->stages[s].prev);
        free(g->stages[s].next);
    }
    free(g->stages);
    free(g->stage_of);
    free(g->outlet_of);
    free(g);
}

/* ---- order ---- */

/* Does lineage survive the node? A whole-file command gives nothing before the end: that tells. */
static bool node_tells(const struct node *n, bool cyclic)
{
    bool counts = n->map || (n->kind == NODE_FILTER && n->card);
    return cyclic ? n->stateless && counts : counts || (n->kind == NODE_COMMAND && !n->stateless);
}

/* The first node of the stage that does not tell, or NOWHERE. */
static size_t stage_mute(const struct graph *g, size_t s)
{
    const struct stage *stage = &g->stages[s];
    for (size_t i = 0; i < stage->nnodes; i++)
        if (!node_tells(&g->flow->nodes[stage->nodes[i]], stage->cyclic))
            return stage->nodes[i];
    return NOWHERE;
}

/* Collect the stages strictly between the dominator of s and s. The caller frees. */
static size_t *between(const struct graph *g, size_t s, size_t *n)
{
    size_t *list = xcalloc(g->nstages, sizeof *list);
    bool *seen = xcalloc(g->nstages, sizeof *seen);
    size_t d = g->stages[s].dominator;
    seen[d] = true;
    *n = 0;
    list[(*n)++] = s;
    for (size_t i = 0; i < *n; i++)
        for (size_t j = 0; j < g->stages[list[i]].nprev; j++) {
            size_t p = g->stages[list[i]].prev[j];
            if (!seen[p]) {
                seen[p] = true;
                list[(*n)++] = p;
            }
        }
    free(seen);
    memmove(list, list + 1, --*n * sizeof *list);
    return list;
}

/* The first node that keeps lines from meeting in order at stage s, or NOWHERE. */
static size_t find_mute(const struct graph *g, size_t s, const size_t *way, size_t n)
{
    const struct stage *d = &g->stages[g->stages[s].dominator];
    if (d->cyclic && !d->tells)
        return d->nodes[0];
    for (size_t i = 0; i < n; i++)
        if (!g->stages[way[i]].tells) {
            size_t mute = stage_mute(g, way[i]);
            return mute != NOWHERE ? mute : g->stages[way[i]].nodes[0];
        }
    return g->stages[s].cyclic ? stage_mute(g, s) : NOWHERE;
}

/* Do lines meet in the stage at all? A cycle brings lines of several rounds together. */
static bool is_meeting(const struct graph *g, size_t s)
{
    const struct stage *stage = &g->stages[s];
    return stage->cyclic || stage->nprev > 1 ||
           (stage->nprev == 1 && g->stages[stage->prev[0]].cyclic);
}

/* Decide for a stage where lines meet, and mark the way on which identities must be carried. */
static void order_meeting(struct graph *g, size_t s)
{
    struct stage *stage = &g->stages[s];
    size_t n = 0;
    size_t *way = between(g, s, &n);
    stage->blame = find_mute(g, s, way, n);
    bool line = stage->blame == NOWHERE && g->flow->order != ORDER_EPOCH;
    for (size_t i = 0; i < n && line; i++)
        g->stages[way[i]].track_in = g->stages[way[i]].track_out = true;
    if (line) {
        struct stage *d = &g->stages[stage->dominator];
        d->track_out = true;
        d->track_in = d->track_in || d->cyclic;
        stage->track_in = stage->track_out = stage->cyclic;
    }
    stage->merge = line ? MERGE_LINE : MERGE_EPOCH;
    free(way);
}

static void order_stage(struct graph *g, size_t s)
{
    struct stage *stage = &g->stages[s];
    stage->merge = MERGE_NONE;
    stage->blame = NOWHERE;
    if (is_meeting(g, s))
        order_meeting(g, s);
    stage->tells = stage->cyclic ? stage->merge == MERGE_LINE : stage_mute(g, s) == NOWHERE;
}

/* Identities come from the stage that feeds us, if all of them do, or begin here. */
static void assign_domain(struct graph *g, size_t s)
{
    struct stage *stage = &g->stages[s];
    stage->domain = stage->track_in || stage->track_out ? s : NOWHERE;
    if (!stage->track_in || stage->nprev == 0)
        return;
    size_t domain = g->stages[stage->prev[0]].domain;
    for (size_t i = 0; i < stage->nprev; i++) {
        const struct stage *p = &g->stages[stage->prev[i]];
        if (!p->track_out || p->domain != domain)
            return;
    }
    stage->domain = domain;
}

void graph_order(struct graph *g)
{
    for (size_t s = 0; s < g->nstages; s++)
        g->stages[s].track_in = g->stages[s].track_out = false;
    g->stages[STAGE_INPUT].tells = true;
    for (size_t s = 1; s < g->nstages; s++)
        order_stage(g, s);
    for (size_t s = 0; s < g->nstages; s++)
        assign_domain(g, s);
}

bool graph_line_order(const struct graph *g)
{
    for (size_t d = 0; d < g->ndests; d++)
        if (g->stages[graph_stage(g, d)].merge == MERGE_EPOCH)
            return false;
    return true;
}

/* ---- checks ---- */

/* Mark what the destination reaches, itself included. */
static void mark(const struct flow *f, size_t dest, bool *seen)
{
    size_t n = f->nnodes + f->nsinks, top = 0;
    size_t *stack = xcalloc(n, sizeof *stack);
    seen[dest] = true;
    stack[top++] = dest;
    while (top) {
        size_t at = stack[--top];
        for (size_t j = 0; at < f->nnodes && j < f->nodes[at].nnext; j++) {
            size_t to = f->nodes[at].next[j];
            if (!seen[to]) {
                seen[to] = true;
                stack[top++] = to;
            }
        }
    }
    free(stack);
}

/* Nodes from which a sink can be reached: grow the set of sinks backwards until it stays. */
static bool *find_leaving(const struct flow *f)
{
    size_t n = f->nnodes + f->nsinks;
    bool *leaves = xcalloc(n, sizeof *leaves);
    memset(leaves + f->nnodes, true, f->nsinks * sizeof *leaves);
    for (bool grown = true; grown;) {
        grown = false;
        for (size_t i = f->nnodes; i-- > 0;)
            for (size_t j = 0; j < f->nodes[i].nnext && !leaves[i]; j++)
                if (leaves[f->nodes[i].next[j]])
                    grown = leaves[i] = true;
    }
    return leaves;
}

void graph_check(const struct graph *g, struct problems *problems)
{
    const struct flow *f = g->flow;
    size_t n = f->nnodes + f->nsinks;
    bool *seen = xcalloc(n, sizeof *seen);
    bool *leaves = find_leaving(f);
    mark(f, f->start, seen);
    for (size_t i = 0; i < n; i++) {
        int line = i < f->nnodes ? f->nodes[i].line : f->sinks[i - f->nnodes].line;
        if (!seen[i])
            problem(problems, f, line, "%s is never reached from start; no arrow leads to it",
                    flow_tag(f, i));
        if (!leaves[i])
            problem(problems, f, line, "there is no way from %s to a sink; add one after its arrow",
                    flow_tag(f, i));
    }
    for (size_t i = 0; i < f->nnodes; i++)
        if (g->stages[g->stage_of[i]].cyclic && f->nodes[i].kind == NODE_COMMAND &&
            !f->nodes[i].stateless)
            problem(
                problems, f, f->nodes[i].line,
                "%s is in a cycle, where a whole-file | command cannot be; write %s [stateless]",
                f->nodes[i].tag, f->nodes[i].tag);
    free(leaves);
    free(seen);
}
