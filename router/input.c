/* SPDX-License-Identifier: MIT */
/*
 * The input: cut into epochs at newlines by absolute offset, 4K, 8K, ... up to the flow's epoch, so
 * that the cuts do not depend on how the bytes arrived. A tagged input may also carry control
 * lines: then the router is a filter of another router, and answers as a filter does.
 */
#include "contract.h"
#include "core.h"
#include "tagline.h"

#include <string.h>

enum { FIRST_EPOCH = 4096, INFLIGHT = 4 << 20 };

struct job *core_begin(struct core *c, uint64_t id, void *owner, bool trace)
{
    const struct flow *f = c->flow;
    struct job *job = xcalloc(1, sizeof *job);
    size_t outlets = c->graph->noutlets ? c->graph->noutlets : 1;
    job->id = id;
    job->owner = owner;
    job->trace = trace && graph_line_order(c->graph);
    job->nodes = xcalloc(f->nnodes, sizeof *job->nodes);
    job->sinks = xcalloc(f->nsinks, sizeof *job->sinks);
    job->streams = xcalloc(outlets, sizeof *job->streams);
    if (c->last_job)
        c->last_job->next = job;
    else
        c->jobs = job;
    c->last_job = job;
    c->reading = job;
    c->base = 0;
    c->step = f->epoch < FIRST_EPOCH ? f->epoch : FIRST_EPOCH;
    c->boundary = job->trace ? 1 : c->step;
    return job;
}

size_t core_most_inflight(const struct flow *f)
{
    return 2 * f->epoch > INFLIGHT ? 2 * f->epoch : INFLIGHT;
}

bool core_wants_input(const struct core *c)
{
    return !c->barrier && !c->paused &&
           c->inflight < core_most_inflight(c->flow) + stream_slack(c) && !c->failure.status;
}

/* Close the epoch that the open lines make up. */
static struct epoch *cut(struct core *c, bool last)
{
    struct source *s = &c->input;
    struct job *job = c->reading;
    struct epoch *e = epoch_new(c, last);
    e->first_line = job->input.lines + 1;
    e->lines = s->lines;
    e->traced = job->trace && job->input.lines == 0 && s->lines == 1;
    job->input.lines += s->lines;
    job->input.bytes += s->bytes;
    if (s->track)
        epoch_identify(c, e, s, STAGE_INPUT);
    epoch_deliver(c, e, s, 0);
    s->lines = s->bytes = 0;
    if (last)
        c->reading = NULL;
    return e;
}

static void advance_boundary(struct core *c, uint64_t offset)
{
    while (c->boundary <= offset) {
        if (c->boundary < c->step) { /* the traced line stood alone; the grid is as ever */
            c->boundary = c->step;
            continue;
        }
        if (c->step < c->flow->epoch)
            c->step = c->step * 2 < c->flow->epoch ? c->step * 2 : c->flow->epoch;
        c->boundary += c->step;
    }
}

/* A line "!..." of a tagged input; text is a C string. */
static void control(struct core *c, const char *text)
{
    bool end = strncmp(text, CONTROL_END, strlen(CONTROL_END)) == 0;
    if (strcmp(text, CONTROL_HELLO) == 0)
        c->routed = true;
    if (!c->reading && !end) {
        buf_adds(&c->replies, text);
        buf_addc(&c->replies, '\n');
        return;
    }
    if (!c->reading)
        core_begin(c, 0, NULL, false);
    struct epoch *e = cut(c, end);
    e->reply = batch_get(c);
    buf_adds(&e->reply->bytes, text);
    buf_addc(&e->reply->bytes, '\n');
    c->barrier = true;
    epoch_admit(c, e);
}

static bool take_control(struct core *c, size_t *at)
{
    struct buf *in = &c->input.in;
    char *line = in->data + *at;
    char *nl = memchr(line, '\n', in->len - *at);
    if (!nl)
        return false;
    *nl = '\0';
    *at += (size_t)(nl + 1 - line);
    control(c, line);
    return true;
}

static void parse(struct core *c)
{
    struct source *s = &c->input;
    size_t at = 0;
    while (at < s->in.len && !c->barrier && !c->paused && !c->failure.status) {
        if (s->tagged && s->in.data[at] == CONTROL) {
            if (!take_control(c, &at))
                break;
            continue;
        }
        if (!c->reading) {
            core_begin(c, 0, NULL, false);
            c->base = 0 - (uint64_t)at;
        }
        if (c->base + at >= c->boundary) {
            if (s->lines)
                epoch_admit(c, cut(c, false));
            advance_boundary(c, c->base + at);
            c->paused = c->pausing;
            if (c->paused)
                break;
        }
        s->stop = c->boundary - c->base;
        size_t before = at;
        at = source_parse(c, s, at);
        if (at == before)
            break;
        if (c->reading->trace && c->reading->traced.len == 0)
            buf_add(&c->reading->traced, s->in.data + before, at - before - 1);
    }
    c->waits = c->barrier;
    source_drop(s, at);
    c->base += at;
}

char *core_input_room(struct core *c, size_t n)
{
    return buf_room(&c->input.in, n);
}

void core_input_took(struct core *c, size_t n)
{
    c->input.in.len += n;
    parse(c);
}

void input_resume(struct core *c)
{
    if (c->waits && !c->barrier)
        parse(c);
}

void input_go_on(struct core *c)
{
    parse(c);
}

void core_input_cut(struct core *c)
{
    if (c->reading && c->input.lines && !c->barrier)
        epoch_admit(c, cut(c, false));
}

void core_input_end(struct core *c)
{
    struct buf *in = &c->input.in;
    c->pausing = false;
    if (in->len) {
        buf_addc(in, '\n'); /* the last line had no newline */
        parse(c);
    }
    if (!c->reading && c->tagged && !c->routed && !c->jobs)
        core_begin(c, 0, NULL, false); /* nothing at all is still a file */
    if (c->reading && !c->failure.status)
        epoch_admit(c, cut(c, true));
}
