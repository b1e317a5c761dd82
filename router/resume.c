/* SPDX-License-Identifier: MIT */
/*
 * A job that goes on from its checkpoint. Trust: since the checkpoint was made anything may have
 * happened to the flow, the input, the results and the checkpoint itself; what does not fit is told
 * in one line, and the job begins at its beginning as if there had been none. It never fails for
 * that.
 */
#include "contract.h"
#include "msg.h"
#include "run.h"
#include "tagline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOAD = 1 << 20 }; /* bytes of states on their way at a time */

bool resume_waits(const struct engine *e, const struct task *t)
{
    return t->keep.path && t->keep.found && t != e->tasks;
}

static void begin_again(struct task *t, const char *why)
{
    tl_warn("%s: begun again, because %s", t->path, why);
    if (unlink(t->keep.path) != 0)
        tl_warn("%s: %m", t->keep.path);
    t->keep.found = false;
}

static bool same_input(const struct input_id *a, const struct input_id *b)
{
    return a->inode == b->inode && a->size == b->size && a->mtime == b->mtime;
}

/* Why it does not fit, or NULL. */
static const char *compare(const struct engine *e, const struct checkpoint *c,
                           const struct input_id *input)
{
    char *promises = save_promises(e->flow);
    bool same = strcmp(promises, c->promises) == 0;
    free(promises);
    if (c->flow != e->flow->hash)
        return "the flow is another one since its checkpoint";
    if (!same)
        return "the commands of the flow promise something else since its checkpoint";
    if (save_hindrance(e->flow))
        return "a command of the flow cannot go on in the middle of a file";
    if (!same_input(&c->input, input))
        return "it has changed since its checkpoint";
    if (c->nnodes != e->flow->nnodes || c->nsinks != e->flow->nsinks)
        return "its checkpoint makes no sense";
    return NULL;
}

/* The job is where the checkpoint says. */
static void go_to(struct engine *e, struct task *t, const struct checkpoint *c)
{
    t->job->trace = false; /* its first line was long ago */
    t->job->input = c->read;
    memcpy(t->job->nodes, c->nodes, c->nnodes * sizeof *c->nodes);
    memcpy(t->job->sinks, c->sinks, c->nsinks * sizeof *c->sinks);
    core_go_to(e->core, c->at);
    t->keep.offset = t->keep.skip = c->at.offset;
}

void resume_begin(struct engine *e, struct task *t, const struct stat *st)
{
    struct checkpoint c = {0};
    struct checkpoint_file f;
    struct buf why = {0};
    t->keep.input = save_input(st);
    t->keep.at = engine_now_ms();
    t->keep.offset = t->keep.skip = 0;
    const char *wrong = t->keep.found ? checkpoint_open(&f, t->keep.path, &c) : "";
    if (!wrong) {
        const char *differs = compare(e, &c, &t->keep.input);
        if (differs)
            buf_adds(&why, differs);
        else
            out_resume(&t->out, &c, &why);
    } else if (*wrong) {
        buf_addf(&why, "its checkpoint %s", wrong);
    }
    if (!wrong && !why.len) {
        go_to(e, t, &c);
        t->keep.loading = xcalloc(1, sizeof f);
        *t->keep.loading = f;
        msg_at(MSG_INFO, "%s: goes on at byte %" PRIu64 ", line %" PRIu64, t->path, c.at.offset,
               c.read.lines + 1);
    } else if (!wrong) {
        checkpoint_close(&f);
    }
    if (why.len)
        begin_again(t, buf_str(&why));
    checkpoint_free(&c);
    buf_free(&why);
}

/* Some of what nodes held, on its way to them; 0 when there is no more, -1 if it is wrong. */
static int load_some(struct engine *e, struct checkpoint_file *f)
{
    struct buf lines = {0};
    size_t lane, given = NOWHERE, n, total = 0;
    uint64_t count = 0;
    const char *payload;
    int result = 1;
    while (total < LOAD && (result = checkpoint_state(f, &lane, &payload, &n)) > 0) {
        if (lane >= e->flow->nlanes || !flow_node(e->flow, lane)->state) {
            result = -1;
            break;
        }
        if (count && lane != given) {
            core_load(e->core, given, lines.data, lines.len, count);
            lines.len = count = 0;
        }
        given = lane;
        buf_adds(&lines, CONTROL_LOAD);
        buf_add(&lines, payload, n);
        buf_addc(&lines, '\n');
        total += n;
        count++;
    }
    if (count)
        core_load(e->core, given, lines.data, lines.len, count);
    buf_free(&lines);
    return result;
}

void resume_step(struct engine *e, struct task *t)
{
    if (save_busy(e))
        return;
    int result = load_some(e, t->keep.loading);
    if (result < 0)
        engine_fail_task(e, EX_IOERR, 0, t->job, "a state in its checkpoint makes no sense");
    else if (result == 0 && !save_busy(e))
        resume_abandon(t);
}

bool resume_failed(struct task *t, const char *why)
{
    if (!t->keep.loading && !t->keep.skip)
        return false;
    begin_again(t, why);
    return true;
}

void resume_abandon(struct task *t)
{
    if (t->keep.loading)
        checkpoint_close(t->keep.loading);
    free(t->keep.loading);
    t->keep.loading = NULL;
}
