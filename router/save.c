/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints in the making: the input pauses at a cut, what is in flight comes to its end, nodes
 * say what they hold, results are made durable, and then a file that says all this takes the place
 * of the one before. A checkpoint that cannot be written does no harm to the job, which goes on
 * without; results that cannot be made durable do.
 */
#include "contract.h"
#include "run.h"
#include "tagline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool can_save(const struct node *n)
{
    return n->stateless || n->map || (n->kind == NODE_FILTER && n->state);
}

const struct node *save_hindrance(const struct flow *f)
{
    for (size_t i = 0; i < f->nnodes; i++)
        if (!can_save(&f->nodes[i]))
            return &f->nodes[i];
    return NULL;
}

char *save_promises(const struct flow *f)
{
    struct buf b = {0};
    for (size_t i = 0; i < f->nnodes; i++) {
        const struct node *n = &f->nodes[i];
        buf_addf(&b, "%x", n->stateless | n->map << 1 | n->card << 2 | n->state << 3);
    }
    buf_str(&b);
    return b.data;
}

struct input_id save_input(const struct stat *st)
{
    return (struct input_id){.inode = st->st_ino,
                             .size = st->st_size,
                             .mtime = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
}

bool save_busy(const struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes; i++)
        if (core_node_busy(e->core, i))
            return true;
    return false;
}

/* The task that is being read, if a checkpoint of it is due. */
static struct task *due(const struct engine *e)
{
    struct task *t = e->tasks;
    while (t && t->ended)
        t = t->next;
    if (!t || !t->opened || !t->keep.path || t->keep.loading || t->keep.skip)
        return NULL;
    const struct keep *k = &t->keep;
    bool now = k->every_bytes ? core_position(e->core).offset - k->offset >= k->every_bytes
                              : engine_now_ms() - k->at >= k->every_ms;
    return now ? t : NULL;
}

static void warn(const struct task *t)
{
    tl_warn("%s: no checkpoint can be written: %m", t->path);
}

/* The file up to the states; and ask for these. */
static void begin(struct engine *e, struct task *t)
{
    struct checkpoint c = {.flow = e->flow->hash, .promises = save_promises(e->flow)};
    c.at = core_position(e->core);
    c.read = t->job->input;
    c.nodes = t->job->nodes;
    c.nnodes = e->flow->nnodes;
    c.sinks = t->job->sinks;
    c.nsinks = e->flow->nsinks;
    out_checkpoint(&t->out, &c);
    c.input = t->keep.input;
    e->save.writing = checkpoint_begin(&e->save.file, t->keep.path, &c) == 0;
    if (!e->save.writing)
        warn(t);
    c.nodes = NULL; /* the job's */
    c.sinks = NULL;
    checkpoint_free(&c);
    for (size_t i = 0; i < e->flow->nlanes; i++)
        if (flow_node(e->flow, i)->state && !flow_node(e->flow, i)->stateless)
            core_save(e->core, i);
    e->save.phase = SAVE_ASKING;
}

static void stop_writing(struct engine *e)
{
    warn(e->save.task);
    checkpoint_close(&e->save.file);
    e->save.writing = false;
}

/* What has been said so far. */
static void take_states(struct engine *e)
{
    struct buf *saved = &e->core->saved;
    if (e->save.writing && checkpoint_write(&e->save.file, saved->data, saved->len) != 0)
        stop_writing(e);
    saved->len = 0;
}

static void finish(struct engine *e, struct task *t)
{
    if (e->save.writing && t->keep.sync && out_sync(&t->out) != 0) {
        engine_fail_task(e, EX_IOERR, errno, t->job, "its results cannot be made durable");
        return;
    }
    if (e->save.writing && checkpoint_end(&e->save.file, t->keep.sync) != 0)
        stop_writing(e);
    if (e->save.writing)
        checkpoint_close(&e->save.file);
    t->keep.at = engine_now_ms();
    t->keep.offset = core_position(e->core).offset;
    e->save.phase = SAVE_NONE;
    core_go_on(e->core);
}

static bool drained(const struct engine *e, const struct task *t)
{
    for (size_t i = 0; i < e->graph->noutlets; i++)
        if (t->job->streams[i].first)
            return false;
    return core_still(e->core);
}

bool save_step(struct engine *e)
{
    struct task *t = e->save.task;
    switch (e->save.phase) {
    case SAVE_NONE:
        t = e->save.task = due(e);
        if (!t || save_hindrance(e->flow))
            return false;
        core_pause(e->core);
        e->save.phase = SAVE_PAUSING;
        return false;
    case SAVE_PAUSING:
        if (e->core->reading != t->job) { /* it was at its end before the next cut */
            core_go_on(e->core);
            e->save.phase = SAVE_NONE;
            return false;
        }
        if (!drained(e, t))
            return false;
        begin(e, t);
        return true;
    case SAVE_ASKING:
        take_states(e);
        if (save_busy(e))
            return false;
        finish(e, t);
        return true;
    }
    return false;
}

void save_abandon(struct engine *e)
{
    if (e->save.phase == SAVE_ASKING && e->save.writing)
        checkpoint_close(&e->save.file);
    e->save = (struct save){.phase = SAVE_NONE};
}
