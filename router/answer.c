/* SPDX-License-Identifier: MIT */
/* Work for a node up to one fence, and what its answer means: identities and accounts. */
#include "contract.h"
#include "core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- runs ---- */

void run_free(struct core *c, struct run *run)
{
    batch_put_all(c, run->batches);
    free(run->ids);
    free(run);
}

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
void run_give(struct core *c, struct epoch *e, size_t node, struct batch *lines, bool end)
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

void run_pop(struct core *c, struct node_state *n)
{
    struct run *run = n->first;
    n->first = run->next;
    if (!n->first)
        n->last = NULL;
    if (n->writing == run) {
        n->writing = run->next;
        n->offset = 0;
    }
    run_free(c, run);
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
void run_answered(struct core *c, size_t node, struct card_reader card)
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
    run_pop(c, n);
    size_t stage = c->graph->stage_of[node];
    if (!c->graph->stages[stage].cyclic) {
        stage_finish(c, e, stage);
    } else if (--c->stages[stage].running == 0) {
        c->stages[stage].round++;
        stage_turn(c, stage);
    }
    epochs_retire(c);
}

/* A control line of a filter: the answer to the fence that is due, or a breach of the protocol. */
void run_answer(struct core *c, size_t node, const char *line, size_t len)
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
    run_answered(c, node, card);
}
