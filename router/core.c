/* SPDX-License-Identifier: MIT */
/* The core's life, and its doors: bytes to and from nodes. */
#include "core.h"
#include "contract.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct core *core_new(const struct flow *flow, struct graph *graph, bool tagged)
{
    struct core *c = xcalloc(1, sizeof *c);
    c->flow = flow;
    c->graph = graph;
    c->tagged = tagged;
    c->nodes = xcalloc(flow->nlanes, sizeof *c->nodes);
    c->fed = xcalloc(flow->nlanes, sizeof *c->fed);
    c->stages = xcalloc(graph->nstages, sizeof *c->stages);
    for (size_t i = 0; i < flow->nlanes; i++)
        source_init(c, &c->nodes[i].source, i, flow_node(flow, i)->kind == NODE_FILTER);
    source_init(c, &c->input, flow->nlanes, tagged);
    return c;
}

void core_share(struct core *c, size_t lane, char *base, size_t size, size_t piece)
{
    region_init(&c->nodes[lane].region, base, size, piece);
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
        stream_took(c, &job->streams[i], job->streams[i].bytes);
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
    for (size_t i = 0; i < c->flow->nlanes; i++) {
        struct node_state *n = &c->nodes[i];
        while (n->first) {
            struct run *next = n->first->next;
            run_free(c, n->first);
            n->first = next;
        }
        batch_put_all(c, n->pending);
        source_free(c, &n->source);
    }
    source_free(c, &c->input);
    while (c->first) {
        struct epoch *next = c->first->next;
        epoch_free(c, c->first);
        c->first = next;
    }
    batch_free_all(c, c->pool);
    batch_free_all(c, c->bare);
    for (size_t i = 0; i < c->flow->nlanes; i++)
        region_free(&c->nodes[i].region);
    free(c->fed);
    free(c->nodes);
    free(c->stages);
    buf_free(&c->saved);
    buf_free(&c->replies);
    buf_free(&c->failure.text);
    buf_free(&c->failure.sample);
    free(c);
}

const struct failure *core_failure(const struct core *c)
{
    return c->failure.status ? &c->failure : NULL;
}

/* Which lines of the input a node was at work on: those of the epoch that it has not answered, or
 * for a whole-file command all that were read. */
static bool lines_in_work(struct core *c, size_t node, const struct job *job)
{
    const struct node *def = flow_node(c->flow, node);
    const struct run *run = c->nodes[node].first;
    struct failure *f = &c->failure;
    if (def->kind == NODE_COMMAND && !def->stateless && job) {
        f->last_line = job->input.lines + (c->reading == job ? c->input.lines : 0);
        f->first_line = f->last_line > 0;
    } else if (run && run->epoch && run->epoch->lines) {
        f->first_line = run->epoch->first_line;
        f->last_line = run->epoch->first_line + run->epoch->lines - 1;
    }
    return f->first_line;
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
    c->failure.node = node == NOWHERE ? NOWHERE : c->flow->lane_node[node];
    c->failure.lane = node;
    c->failure.job = job;
    if (node == NOWHERE && job)
        c->failure.line = job->input.lines + c->input.lines + 1;
    c->failure.first_line = c->failure.last_line = c->failure.line;
    buf_adds(&c->failure.text, text);
    if (node == NOWHERE)
        return;
    if (job)
        job->nodes[c->failure.node].errors++;
    if (!lines_in_work(c, node, job))
        return;
    if (c->failure.first_line == c->failure.last_line)
        c->failure.line = c->failure.first_line;
    else
        buf_addf(&c->failure.text, " (input lines %" PRIu64 " to %" PRIu64 ")",
                 c->failure.first_line, c->failure.last_line);
}

void core_fail_line(struct core *c, const char *line, size_t len)
{
    enum { SAMPLE = 200 };
    if (c->failure.sample.len == 0)
        buf_add(&c->failure.sample, line, len < SAMPLE ? len : SAMPLE);
}

/* ---- to and from nodes ---- */

char *core_node_room(struct core *c, size_t node, size_t n)
{
    return buf_room(&c->nodes[node].source.in, n);
}

/* Lines belong to an epoch; while a state is saved or loaded there is none. */
static bool speaks_unasked(struct core *c, size_t node, size_t at)
{
    const struct node *def = flow_node(c->flow, node);
    const struct run *run = c->nodes[node].first;
    const struct source *s = &c->nodes[node].source;
    const char *said = s->in.data + at;
    size_t n = s->in.len - at;
    if (run ? run->kind == RUN_LINES || *said == CONTROL
            : def->kind == NODE_COMMAND && !def->stateless)
        return false;
    core_fail(c, EX_SOFTWARE, node, run ? run->job : NULL, "printed without being asked: \"%.*s\"",
              (int)(n < 60 ? n : 60), said);
    return true;
}

void core_node_took(struct core *c, size_t node, size_t n)
{
    struct source *s = &c->nodes[node].source;
    size_t at = 0;
    s->in.len += n;
    while (at < s->in.len && !c->failure.status && !speaks_unasked(c, node, at)) {
        if (s->tagged && s->in.data[at] == CONTROL) {
            const char *line = s->in.data + at;
            const char *nl = memchr(line, '\n', s->in.len - at);
            if (!nl)
                break;
            run_answer(c, node, line, (size_t)(nl - line));
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
    const struct node *def = flow_node(c->flow, node);
    const struct run *first = c->nodes[node].first;
    if (def->kind == NODE_FILTER)
        return true;
    return def->stateless ? run == first : run->job == first->job;
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

size_t core_next_fed(struct core *c)
{
    if (c->nfed == 0)
        return NOWHERE;
    size_t node = c->fed[--c->nfed];
    c->nodes[node].fed = false;
    return node;
}

void core_feed(struct core *c, size_t node)
{
    if (!c->nodes[node].fed)
        c->fed[c->nfed++] = node;
    c->nodes[node].fed = true;
}

/* Whole-file commands answer nothing before the end: such runs are over once written. */
static void next_run(struct core *c, struct node_state *n)
{
    struct run *run = n->writing;
    run->written = true;
    n->writing = run->next;
    if (run->quiet && n->first == run)
        run_pop(c, n);
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
                if (b->spill)
                    spill_pass(b->spill, &b->bytes, n->offset);
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
        run_answered(c, node, none);
    input_resume(c);
}
