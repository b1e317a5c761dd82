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
    size_t node = c->flow->lane_node[s->index];
    const struct node *n = &c->flow->nodes[node];
    const struct stage *stage = &c->graph->stages[c->graph->stage_of[node]];
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
        ids[out] = run->epoch->end_ids[node] = order_after(o, run->epoch->end_ids[node]);
    return ids;
}

static void identify(struct core *c, const struct run *run, struct card_reader card,
                     struct source *s)
{
    const struct stage *stage = &c->graph->stages[source_stage(c, s)];
    if (!stage->track_out)
        return;
    if (!stage->track_in && flow_node(c->flow, s->index)->jobs > 1) {
        if (!run->epoch->lane_lines)
            run->epoch->lane_lines = xcalloc(c->flow->nlanes, sizeof *run->epoch->lane_lines);
        run->epoch->lane_lines[s->index] = (uint32_t)s->lines;
        return;
    }
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

/* All copies of a node where identities begin have answered: number their lines in order. */
static void identify_copies(struct core *c, struct epoch *e, size_t node)
{
    const struct stage *stage = &c->graph->stages[c->graph->stage_of[node]];
    if (!e->lane_lines || stage->track_in || !stage->track_out || c->flow->nodes[node].jobs == 1)
        return;
    for (size_t copy = 0; copy < c->flow->nodes[node].jobs; copy++) {
        size_t lane = flow_lane(c->flow, node, copy);
        uint32_t first = order_append(epoch_order(e, stage->domain), e->lane_lines[lane]);
        e->lane_lines[lane] = 0;
        for (size_t i = 0; i < c->nodes[lane].source.nslots; i++)
            for (struct batch *b = e->in [c->nodes[lane].source.slots[i].dest]; b; b = b->next)
                for (uint32_t j = 0; b->source == source_rank(c, lane) && j < b->lines; j++)
                    b->ids[j] += first;
    }
    epoch_mark_ends(c, e, stage->domain);
}

/* ---- runs ---- */

void run_free(struct core *c, struct run *run)
{
    batch_put_all(c, run->batches);
    if (run->shared)
        batch_put(c, run->shared);
    if (run->left)
        region_give(run->region, run->left);
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

/* Lines that stand in a shared piece stay there, and what comes out may be left in another. */
static void lend(struct node_state *n, struct run *run)
{
    if (run->batches && run->batches->region == &n->region) {
        run->shared = run->batches;
        run->batches = NULL;
    }
    run->region = &n->region;
    run->left = run->lines || run->end ? region_take(&n->region) : NULL;
}

static void set_fence(struct node_state *n, struct run *run, const struct node *node)
{
    if (node->kind != NODE_FILTER)
        return;
    if (node->shares)
        lend(n, run);
    int len = snprintf(run->fence, sizeof run->fence, "%s%" PRIu64,
                       run->end ? CONTROL_END : CONTROL_FENCE, ++n->fences);
    if (run->shared || run->left)
        len += snprintf(run->fence + len, sizeof run->fence - (size_t)len, " %zu %zu %zu %zu",
                        run->shared ? (size_t)(run->shared->bytes.data - n->region.base) : 0,
                        run->shared ? run->shared->bytes.len : 0,
                        run->left ? (size_t)(run->left - n->region.base) : 0,
                        run->left ? n->region.piece : 0);
    run->fence[len++] = '\n';
    run->fence_len = (size_t)len;
}

void run_add(struct core *c, size_t lane, struct run *run)
{
    struct node_state *n = &c->nodes[lane];
    if (n->last)
        n->last->next = run;
    else
        n->first = run;
    n->last = run;
    n->job = run->job;
    if (!n->writing)
        n->writing = run;
    core_feed(c, lane);
}

/* Give one lane lines. */
static void give_lane(struct core *c, struct epoch *e, size_t lane, struct batch *lines, bool end)
{
    struct node_state *n = &c->nodes[lane];
    const struct node *def = flow_node(c->flow, lane);
    size_t stage = c->graph->stage_of[c->flow->lane_node[lane]];
    const struct stage *st = &c->graph->stages[stage];
    struct account *a = &e->job->nodes[c->flow->lane_node[lane]];
    struct run *run = xcalloc(1, sizeof *run);
    *run = (struct run){.epoch = e, .job = e->job, .end = end, .batches = lines};
    run->round = st->cyclic ? c->stages[stage].round : 0;
    for (struct batch *b = lines; b; b = b->next) {
        size_t tags =
            def->kind == NODE_FILTER && !def->shares ? b->lines * (strlen(def->tag) + 1) : 0;
        run->lines += b->lines;
        a->bytes_in += b->bytes.len - tags;
    }
    a->lines_in += run->lines;
    run->quiet = def->kind == NODE_COMMAND && !def->stateless && !end;
    if (st->track_in && !run->quiet)
        take_ids(run, stage, st->domain == stage && run->round == 0);
    if (run->quiet)
        run->epoch = NULL;
    if (def->shares)
        run->batches = batch_pack(c, lane, run->batches);
    set_fence(n, run, def);
    run_add(c, lane, run);
}

/* Move the first n lines of the chain into a batch of their own. */
static struct batch *split_off(struct core *c, size_t lane, struct batch **chain, uint32_t n,
                               bool ids)
{
    struct batch *part = batch_for(c, lane);
    while (n > 0) {
        struct batch *b = *chain;
        uint32_t take = n < b->lines ? n : b->lines;
        const char *at = b->bytes.data;
        for (uint32_t i = 0; i < take; i++) {
            at = (const char *)memchr(at, '\n', (size_t)(b->bytes.data + b->bytes.len - at)) + 1;
            if (ids)
                batch_id(part, b->ids[i]);
            part->lines++;
        }
        size_t bytes = (size_t)(at - b->bytes.data);
        batch_add(c, part, b->bytes.data, bytes);
        buf_shift(&b->bytes, bytes);
        b->lines -= take;
        n -= take;
        if (ids)
            memmove(b->ids, b->ids + take, b->lines * sizeof *b->ids);
        if (b->lines == 0) {
            *chain = b->next;
            batch_put(c, b);
        }
    }
    part->counted = part->bytes.len;
    c->inflight += part->counted;
    return part;
}

/* Give a node lines: to one lane, or in even parts to all of them if that is worth the fences. */
uint32_t run_give(struct core *c, struct epoch *e, size_t node, struct batch *lines, bool end)
{
    enum { WORTH = 2 }; /* lines a copy */
    size_t jobs = c->flow->nodes[node].jobs;
    const struct stage *st = &c->graph->stages[c->graph->stage_of[node]];
    uint64_t n = 0;
    uint32_t answers = 0;
    for (struct batch *b = lines; b; b = b->next)
        n += b->lines;
    if (jobs == 1 || n < WORTH * jobs || !c->flow->nodes[node].stateless) {
        give_lane(c, e, node, lines, end);
        return 1;
    }
    size_t stage = c->graph->stage_of[node];
    bool fresh = st->domain == stage && (!st->cyclic || c->stages[stage].round == 0);
    bool ids = st->track_in && !fresh;
    for (size_t copy = 0; copy < jobs; copy++) {
        uint32_t part = (uint32_t)(n * (copy + 1) / jobs - n * copy / jobs);
        if (part == 0)
            continue;
        size_t lane = flow_lane(c->flow, node, copy);
        give_lane(c, e, lane, split_off(c, lane, &lines, part, ids), end);
        answers++;
    }
    return answers;
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

static void account(const struct core *c, const struct run *run, const struct source *s,
                    uint64_t dropped)
{
    struct account *a = &run->epoch->job->nodes[c->flow->lane_node[s->index]];
    a->lines_out += s->lines;
    a->bytes_out += s->bytes;
    a->dropped += dropped;
}

/* The node has finished the first of its runs. */
void run_answered(struct core *c, size_t node, struct card_reader card)
{
    const struct node *def = flow_node(c->flow, node);
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
    account(c, run, s, dropped);
    epoch_deliver(c, e, s, run->round);
    s->lines = s->bytes = 0;
    run_pop(c, n);
    size_t stage = source_stage(c, s);
    if (!c->graph->stages[stage].cyclic) {
        if (--e->waiting[stage] == 0) {
            identify_copies(c, e, c->flow->lane_node[node]);
            stage_finish(c, e, stage);
        }
    } else if (--c->stages[stage].running == 0) {
        c->stages[stage].round++;
        stage_turn(c, stage);
    }
    epochs_retire(c);
}

/* Lines with their tags that stand elsewhere than what was read. */
static bool parse_piece(struct core *c, struct source *s, char *piece, size_t n)
{
    struct buf printed = s->in;
    s->in = (struct buf){.data = piece, .len = n, .cap = n};
    s->clean = 0;
    size_t taken = source_parse(c, s, 0);
    s->in = printed;
    s->scanned = s->clean = 0;
    return taken == n || c->failure.status;
}

/* Behind all that it printed comes what the filter left in the shared piece: "@BYTES" of tagged
 * lines,
 * "=BYTES" of texts that keep the tag. False: it cannot be. */
static bool take_left(struct core *c, size_t node, const char *word, const char *end)
{
    struct source *s = &c->nodes[node].source;
    struct run *run = c->nodes[node].first;
    size_t n = 0;
    const char *digit = word + 1;
    if (!run->left)
        return false;
    for (; digit < end && *digit >= '0' && *digit <= '9' && n <= run->region->piece; digit++)
        n = n * 10 + (size_t)(*digit - '0');
    if (digit != end || n > run->region->piece)
        return false;
    if (*word == *SHARE_LEFT)
        return parse_piece(c, s, run->left, n);
    struct batch *b = batch_of(c, run->region, run->left, n);
    run->left = NULL;
    return source_texts(c, s, b) || c->failure.status;
}

/* A control line of a filter: the answer to the fence that is due, or a breach of the protocol. */
void run_answer(struct core *c, size_t node, const char *line, size_t len)
{
    struct run *run = c->nodes[node].first;
    if (run && run->kind != RUN_LINES) {
        run_answer_state(c, node, line, len);
        return;
    }
    size_t due = run ? run->fence_len - 1 : 0;
    if (!run || len < due || memcmp(line, run->fence, due) != 0 ||
        (len > due && line[due] != ' ') || !run->written) {
        core_fail(c, EX_SOFTWARE, node, run ? run->job : NULL,
                  "answered what was not asked: \"%.*s\"", (int)(len < 60 ? len : 60), line);
        return;
    }
    struct card_reader card = {line + (len > due ? due + 1 : due), line + len};
    const char *left = card.end;
    while (left > card.at && left[-1] != ' ')
        left--;
    if (left < card.end && (*left == *SHARE_LEFT || *left == *SHARE_LEFT_TEXTS)) {
        if (!take_left(c, node, left, card.end))
            core_fail(c, EX_SOFTWARE, node, run->job, "left no lines where it says: \"%.*s\"",
                      (int)(len < 60 ? len : 60), line);
        card.end = left > card.at ? left - 1 : left;
    }
    if (!c->failure.status)
        run_answered(c, node, card);
}
