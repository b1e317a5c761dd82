/* SPDX-License-Identifier: MIT */
/*
 * Epochs on their way through the stages: when a node gets its lines, what its answer means, and
 * the accounts.
 */
#include "core.h"
#include "contract.h"
#include "tagline.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void advance(struct core *c, size_t stage);
static void finish(struct core *c, struct epoch *e, size_t stage);
static void retire(struct core *c);

/* ---- life ---- */

struct core *core_new(const struct flow *flow, struct graph *graph, bool tagged)
{
    struct core *c = xcalloc(1, sizeof *c);
    c->flow = flow;
    c->graph = graph;
    c->tagged = tagged;
    c->nodes = xcalloc(flow->nnodes, sizeof *c->nodes);
    c->stages = xcalloc(graph->nstages, sizeof *c->stages);
    for (size_t i = 0; i < flow->nnodes; i++)
        source_init(c, &c->nodes[i].source, i, flow->nodes[i].kind == NODE_FILTER);
    source_init(c, &c->input, flow->nnodes, tagged);
    return c;
}

static void free_run(struct core *c, struct run *run)
{
    batch_put_all(c, run->batches);
    free(run->ids);
    free(run);
}

static void free_epoch(struct core *c, struct epoch *e)
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
    free(e);
}

void core_forget(struct core *c, struct job *job)
{
    struct job *last = NULL;
    for (struct job **p = &c->jobs; *p;) {
        if (*p == job)
            *p = job->next;
        else
            last = *p, p = &(*p)->next;
    }
    c->last_job = last;
    for (size_t i = 0; i < (c->graph->noutlets ? c->graph->noutlets : 1); i++)
        batch_put_all(c, job->streams[i].first);
    free(job->nodes);
    free(job->sinks);
    free(job->streams);
    free(job->hops);
    buf_free(&job->traced);
    free(job);
}

void core_free(struct core *c)
{
    while (c->jobs)
        core_forget(c, c->jobs);
    for (size_t i = 0; i < c->flow->nnodes; i++) {
        struct node_state *n = &c->nodes[i];
        while (n->first) {
            struct run *next = n->first->next;
            free_run(c, n->first);
            n->first = next;
        }
        batch_put_all(c, n->pending);
        source_free(c, &n->source);
    }
    source_free(c, &c->input);
    while (c->first) {
        struct epoch *next = c->first->next;
        free_epoch(c, c->first);
        c->first = next;
    }
    for (struct batch *b = c->pool; b;) {
        struct batch *next = b->next;
        buf_free(&b->bytes);
        free(b->ids);
        free(b);
        b = next;
    }
    free(c->nodes);
    free(c->stages);
    buf_free(&c->replies);
    buf_free(&c->failure.text);
    free(c);
}

const struct failure *core_failure(const struct core *c)
{
    return c->failure.status ? &c->failure : NULL;
}

void core_fail(struct core *c, int status, size_t node, struct job *job, const char *format, ...)
{
    char text[512];
    va_list ap;
    if (c->failure.status)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    c->failure.status = status;
    c->failure.node = node;
    c->failure.job = job;
    if (node == NOWHERE && job)
        c->failure.line = job->input.lines + c->input.lines + 1;
    text_escape(&c->failure.text, text, strlen(text));
    if (node == NOWHERE)
        return;
    const struct run *run = c->nodes[node].first;
    if (job)
        job->nodes[node].errors++;
    if (run && run->epoch->lines == 1)
        c->failure.line = run->epoch->first_line;
    else if (run && run->epoch->lines)
        buf_addf(&c->failure.text, " (input lines %" PRIu64 " to %" PRIu64 ")",
                 run->epoch->first_line, run->epoch->first_line + run->epoch->lines - 1);
}

/* ---- identities ---- */

struct order *epoch_order(struct epoch *e, size_t domain)
{
    if (!e->orders[domain])
        e->orders[domain] = order_new();
    return e->orders[domain];
}

/* Behind all other lines come, stage by stage, those that the domain's nodes emit at the end. */
void epoch_mark_ends(struct core *c, struct epoch *e, size_t domain)
{
    if (!e->last)
        return;
    if (!e->end_ids)
        e->end_ids = xcalloc(c->flow->nnodes, sizeof *e->end_ids);
    for (size_t s = 1; s <= c->graph->ncomponents; s++) {
        const struct stage *stage = &c->graph->stages[s];
        for (size_t i = 0; stage->domain == domain && stage->track_in && i < stage->nnodes; i++)
            e->end_ids[stage->nodes[i]] = order_append(epoch_order(e, domain), 1);
    }
}

void epoch_identify(struct core *c, struct epoch *e, struct source *s, size_t domain)
{
    uint32_t first = order_append(epoch_order(e, domain), (uint32_t)s->lines);
    for (size_t i = 0; i < s->nslots; i++) {
        struct batch *b = s->slots[i].open;
        for (uint32_t j = 0; b && j < b->lines; j++)
            b->ids[j] += first;
    }
    epoch_mark_ends(c, e, domain);
}

/* Identities of what a node emitted, in order of emission: those of the lines it got, by CARD. */
static uint32_t *descend(struct core *c, const struct run *run, struct card_reader card,
                         struct source *s)
{
    const struct node *n = &c->flow->nodes[s->index];
    const struct stage *stage = &c->graph->stages[c->graph->stage_of[s->index]];
    struct order *o = epoch_order(run->epoch, stage->domain);
    uint32_t *ids = xcalloc(s->lines, sizeof *ids);
    uint64_t out = 0, in = 0, count, times;
    if (n->map && card.at == card.end) {
        memcpy(ids, run->ids, s->lines * sizeof *ids);
        return ids;
    }
    while (in < run->lines && card_next(&card, &count, &times))
        for (; times > 0 && in < run->lines; times--, in++)
            for (uint64_t k = 0; k < count; k++, out++)
                ids[out] = k == 0 ? run->ids[in] : order_after(o, ids[out - 1]);
    for (; out < s->lines; out++)
        ids[out] = run->epoch->end_ids[s->index] = order_after(o, run->epoch->end_ids[s->index]);
    return ids;
}

static void identify(struct core *c, const struct run *run, struct card_reader card,
                     struct source *s)
{
    const struct stage *stage = &c->graph->stages[c->graph->stage_of[s->index]];
    if (!stage->track_out)
        return;
    if (!stage->track_in) {
        epoch_identify(c, run->epoch, s, stage->domain);
        return;
    }
    uint32_t *ids = descend(c, run, card, s);
    for (size_t i = 0; i < s->nslots; i++) {
        struct batch *b = s->slots[i].open;
        for (uint32_t j = 0; b && j < b->lines; j++)
            b->ids[j] = ids[b->ids[j]];
    }
    free(ids);
}

/* ---- runs: work for a node ---- */

/* The identities of the lines of a run. fresh: they begin here. */
static void take_ids(struct run *run, size_t stage, bool fresh)
{
    run->ids = xcalloc(run->lines, sizeof *run->ids);
    size_t n = 0;
    if (fresh) {
        uint32_t first = order_append(epoch_order(run->epoch, stage), (uint32_t)run->lines);
        for (; n < run->lines; n++)
            run->ids[n] = first + (uint32_t)n;
        return;
    }
    for (const struct batch *b = run->batches; b; b = b->next) {
        memcpy(run->ids + n, b->ids, b->lines * sizeof *b->ids);
        n += b->lines;
    }
}

static void set_fence(struct node_state *n, struct run *run, const struct node *node)
{
    if (node->kind == NODE_FILTER)
        run->fence_len = (size_t)snprintf(run->fence, sizeof run->fence, "%s%" PRIu64 "\n",
                                          run->end ? CONTROL_END : CONTROL_FENCE, ++n->fences);
}

/* Give a node lines, closed by a fence or the end. */
static void give(struct core *c, struct epoch *e, size_t node, struct batch *lines, bool end)
{
    struct node_state *n = &c->nodes[node];
    size_t stage = c->graph->stage_of[node];
    const struct stage *st = &c->graph->stages[stage];
    struct account *a = &e->job->nodes[node];
    struct run *run = xcalloc(1, sizeof *run);
    *run = (struct run){.epoch = e, .round = c->stages[stage].round, .end = end, .batches = lines};
    if (!st->cyclic)
        run->round = 0;
    for (struct batch *b = lines; b; b = b->next) {
        run->lines += b->lines;
        size_t tags = c->flow->nodes[node].kind == NODE_FILTER
                          ? b->lines * (strlen(c->flow->nodes[node].tag) + 1)
                          : 0;
        a->bytes_in += b->bytes.len - tags;
    }
    a->lines_in += run->lines;
    const struct node *def = &c->flow->nodes[node];
    run->quiet = def->kind == NODE_COMMAND && !def->stateless && !end;
    if (st->track_in && !run->quiet)
        take_ids(run, stage, st->domain == stage && run->round == 0);
    set_fence(n, run, def);
    if (n->last)
        n->last->next = run;
    else
        n->first = run;
    n->last = run;
    n->job = e->job;
    if (!n->writing)
        n->writing = run;
}

static void pop_run(struct core *c, struct node_state *n)
{
    struct run *run = n->first;
    n->first = run->next;
    if (!n->first)
        n->last = NULL;
    if (n->writing == run) {
        n->writing = run->next;
        n->offset = 0;
    }
    free_run(c, run);
}

/* ---- stages ---- */

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
    finish(c, e, STAGE_INPUT);
    retire(c);
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

void epoch_deliver(struct core *c, struct epoch *e, struct source *s, uint32_t round)
{
    const struct graph *g = c->graph;
    size_t from = s->index < c->flow->nnodes ? g->stage_of[s->index] : STAGE_INPUT;
    for (size_t i = 0; i < s->nslots; i++) {
        struct batch *b = s->slots[i].open;
        size_t dest = s->slots[i].dest;
        if (!b)
            continue;
        s->slots[i].open = NULL;
        b->source = s->index < c->flow->nnodes ? s->index + 1 : 0;
        b->round = round;
        b->counted = b->bytes.len;
        c->inflight += b->counted;
        if (e->traced)
            trace(e->job, s->index, dest, b->lines);
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
    struct stream *to = &e->job->streams[outlet];
    struct batch *b = batch_merge(c, e, dest, e->in[dest]);
    e->in[dest] = NULL;
    if (!b)
        return;
    if (to->last)
        to->last->next = b;
    else
        to->first = b;
    while (b->next)
        b = b->next;
    to->last = b;
}

/* A node outside cycles gets an epoch; false if that takes no work. */
static bool enter_node(struct core *c, struct epoch *e, size_t node)
{
    const struct node *def = &c->flow->nodes[node];
    struct batch *lines = batch_merge(c, e, node, e->in[node]);
    e->in[node] = NULL;
    if (!lines && (!e->last || def->stateless))
        return false;
    bool whole_file = def->kind == NODE_COMMAND && !def->stateless;
    give(c, e, node, lines, e->last && (whole_file || def->kind == NODE_FILTER));
    return !whole_file || e->last;
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
        now->running++;
        give(c, now->now, st->nodes[i], lines, false);
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
        now->running++;
        give(c, now->now, st->nodes[i], NULL, true);
    }
}

static void fail_endless(struct core *c, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    for (size_t i = 0; i < st->nnodes; i++) {
        const struct batch *b = c->nodes[st->nodes[i]].pending;
        if (!b)
            continue;
        const char *nl = memchr(b->bytes.data, '\n', b->bytes.len);
        size_t len = (size_t)(nl - b->bytes.data);
        core_fail(c, EX_DATAERR, st->nodes[i], c->stages[stage].now->job,
                  "lines still circle after %ld rounds (set max-rounds): \"%.*s\"",
                  c->flow->max_rounds, (int)(len < 80 ? len : 80), b->bytes.data);
        return;
    }
}

/* All nodes of a cycle have answered: the next round, the ends, or the epoch is through. */
static void turn(struct core *c, size_t stage)
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
    finish(c, e, stage);
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
        turn(c, stage);
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
            finish(c, e, stage);
        } else if (st->cyclic) {
            enter_cycle(c, e, stage);
        } else if (!enter_node(c, e, st->nodes[0])) {
            finish(c, e, stage);
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

static void print_reply(struct epoch *e)
{
    struct stream *to = &e->job->streams[0];
    if (to->last)
        to->last->next = e->reply;
    else
        to->first = e->reply;
    to->last = e->reply;
    e->reply = NULL;
}

/* Epochs end in the order in which they began. */
static void retire(struct core *c)
{
    while (c->first && c->first->unfinished == 0 && !c->failure.status) {
        struct epoch *e = c->first;
        bool replied = e->reply;
        c->first = e->next;
        if (!c->first)
            c->last = NULL;
        if (replied)
            print_reply(e);
        if (e->last) {
            check_accounts(c, e->job);
            e->job->done = true;
        }
        free_epoch(c, e);
        if (replied)
            c->barrier = false;
    }
}

/* A stage is through with an epoch. */
static void finish(struct core *c, struct epoch *e, size_t stage)
{
    const struct stage *st = &c->graph->stages[stage];
    e->unfinished--;
    for (size_t i = 0; i < st->nnext; i++)
        if (--e->waiting[st->next[i]] == 0)
            advance(c, st->next[i]);
    if (st->cyclic)
        advance(c, stage); /* it was busy: another epoch may wait */
}

/* ---- answers ---- */

/* Does CARD speak of just the lines that came? Adds up what gave nothing. */
static bool check_card(const struct run *run, struct card_reader card, const struct source *s,
                       bool map, uint64_t *dropped)
{
    uint64_t lines = 0, out = 0, count, times, last = 0;
    while (card_next(&card, &count, &times)) {
        if (times > run->lines + 1 - lines || (count && times > s->lines / count))
            return false;
        lines += times;
        out += count * times;
        *dropped += count == 0 ? times : 0;
        last = count;
        if (map && count != 1 && !(run->end && lines == run->lines + 1))
            return false;
    }
    if (run->end && last == 0 && *dropped)
        --*dropped; /* the number for the end of the file is no line */
    return card.at == card.end && lines == run->lines + run->end && out == s->lines;
}

static void account(const struct run *run, const struct source *s, uint64_t dropped)
{
    struct account *a = &run->epoch->job->nodes[s->index];
    a->lines_out += s->lines;
    a->bytes_out += s->bytes;
    a->dropped += dropped;
}

/* The node has finished the first of its runs. */
static void answered(struct core *c, size_t node, struct card_reader card)
{
    const struct node *def = &c->flow->nodes[node];
    struct node_state *n = &c->nodes[node];
    struct source *s = &n->source;
    struct run *run = n->first;
    struct epoch *e = run->epoch;
    uint64_t dropped = 0;
    bool told = card.at != card.end;
    if (told && !check_card(run, card, s, def->map, &dropped))
        core_fail(c, EX_SOFTWARE, node, e->job, "its count of lines is not what came out: %.*s",
                  (int)(card.end - card.at < 60 ? card.end - card.at : 60), card.at);
    else if (!told && def->card && run->lines)
        core_fail(c, EX_SOFTWARE, node, e->job, "promised to count its lines, and does not");
    else if (!told && def->map && s->lines != run->lines)
        core_fail(c, EX_SOFTWARE, node, e->job, "is a map, but gave %" PRIu64 " lines for %" PRIu64,
                  s->lines, run->lines);
    if (c->failure.status)
        return;
    identify(c, run, card, s);
    account(run, s, dropped);
    epoch_deliver(c, e, s, run->round);
    s->lines = s->bytes = 0;
    pop_run(c, n);
    size_t stage = c->graph->stage_of[node];
    if (!c->graph->stages[stage].cyclic) {
        finish(c, e, stage);
    } else if (--c->stages[stage].running == 0) {
        c->stages[stage].round++;
        turn(c, stage);
    }
    retire(c);
}

/* A control line of a filter: the answer to the fence that is due, or a breach of the protocol. */
static void take_answer(struct core *c, size_t node, const char *line, size_t len)
{
    struct run *run = c->nodes[node].first;
    size_t due = run ? run->fence_len - 1 : 0;
    if (!run || len < due || memcmp(line, run->fence, due) != 0 ||
        (len > due && line[due] != ' ') || !run->written) {
        core_fail(c, EX_SOFTWARE, node, run ? run->epoch->job : NULL,
                  "answered what was not asked: \"%.*s\"", (int)(len < 60 ? len : 60), line);
        return;
    }
    struct card_reader card = {line + (len > due ? due + 1 : due), line + len};
    answered(c, node, card);
}

/* ---- to and from nodes ---- */

char *core_node_room(struct core *c, size_t node, size_t n)
{
    return buf_room(&c->nodes[node].source.in, n);
}

static bool speaks_unasked(struct core *c, size_t node)
{
    const struct node *def = &c->flow->nodes[node];
    if (c->nodes[node].first || (def->kind == NODE_COMMAND && !def->stateless))
        return false;
    const struct source *s = &c->nodes[node].source;
    core_fail(c, EX_SOFTWARE, node, NULL, "printed without being asked: \"%.*s\"",
              (int)(s->in.len < 60 ? s->in.len : 60), s->in.data);
    return true;
}

void core_node_took(struct core *c, size_t node, size_t n)
{
    struct source *s = &c->nodes[node].source;
    size_t at = 0;
    s->in.len += n;
    while (at < s->in.len && !c->failure.status && !speaks_unasked(c, node)) {
        if (s->tagged && s->in.data[at] == CONTROL) {
            const char *line = s->in.data + at;
            const char *nl = memchr(line, '\n', s->in.len - at);
            if (!nl)
                break;
            take_answer(c, node, line, (size_t)(nl - line));
            at += (size_t)(nl + 1 - line);
            continue;
        }
        size_t before = at;
        at = source_parse(c, s, at);
        if (at == before)
            break;
    }
    source_drop(s, at);
    input_resume(c);
}

bool core_node_busy(const struct core *c, size_t node)
{
    return c->nodes[node].first != NULL;
}

/* May bytes of this run go out now? A stateless command has a process for each run. */
static bool may_write(const struct core *c, size_t node, const struct run *run)
{
    const struct node *def = &c->flow->nodes[node];
    const struct run *first = c->nodes[node].first;
    if (def->kind == NODE_FILTER)
        return true;
    return def->stateless ? run == first : run->epoch->job == first->epoch->job;
}

size_t core_node_iov(struct core *c, size_t node, struct iovec *iov, size_t max)
{
    struct node_state *n = &c->nodes[node];
    size_t count = 0, offset = n->offset;
    for (struct run *run = n->writing; run && count < max && may_write(c, node, run);
         run = run->next) {
        for (struct batch *b = run->batches; b && count < max; b = b->next) {
            iov[count++] = (struct iovec){b->bytes.data + offset, b->bytes.len - offset};
            offset = 0;
        }
        if (count < max && run->fence_len > run->fence_written)
            iov[count++] = (struct iovec){run->fence + run->fence_written,
                                          run->fence_len - run->fence_written};
    }
    return count;
}

/* Whole-file commands answer nothing before the end: such runs are over once written. */
static void next_run(struct core *c, struct node_state *n)
{
    struct run *run = n->writing;
    run->written = true;
    n->writing = run->next;
    if (run->quiet && n->first == run)
        pop_run(c, n);
}

void core_node_wrote(struct core *c, size_t node, size_t wrote)
{
    struct node_state *n = &c->nodes[node];
    while (n->writing && may_write(c, node, n->writing)) {
        struct run *run = n->writing;
        struct batch *b = run->batches;
        if (b) {
            size_t left = b->bytes.len - n->offset;
            if (wrote < left) {
                n->offset += wrote;
                return;
            }
            wrote -= left;
            n->offset = 0;
            run->batches = b->next;
            batch_put(c, b);
        } else if (run->fence_len > run->fence_written) {
            size_t left = run->fence_len - run->fence_written;
            size_t part = wrote < left ? wrote : left;
            run->fence_written += part;
            wrote -= part;
            if (part < left)
                return;
        } else {
            next_run(c, n);
        }
    }
}

bool core_command_due(const struct core *c, size_t node)
{
    return c->nodes[node].first != NULL;
}

bool core_command_full(const struct core *c, size_t node)
{
    const struct run *run = c->nodes[node].first;
    return run && run->written && !run->quiet;
}

void core_command_deaf(struct core *c, size_t node)
{
    struct node_state *n = &c->nodes[node];
    while (n->writing && may_write(c, node, n->writing)) {
        batch_put_all(c, n->writing->batches);
        n->writing->batches = NULL;
        n->offset = 0;
        next_run(c, n);
    }
}

void core_command_ended(struct core *c, size_t node)
{
    struct node_state *n = &c->nodes[node];
    struct source *s = &n->source;
    struct card_reader none = {NULL, NULL};
    if (s->in.len) {
        buf_addc(&s->in, '\n'); /* its last line had none */
        core_node_took(c, node, 0);
    }
    if (!c->failure.status)
        answered(c, node, none);
    input_resume(c);
}
