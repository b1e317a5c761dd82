/* SPDX-License-Identifier: MIT */
/*
 * Standing still. Between two epochs, when all before are through, nothing is in flight, in cycles
 * neither: what the job is then, is the place in the input, the accounts, what is in the files, and
 * what the nodes hold. The place is one where an undisturbed run cuts too, because lines may be
 * ordered by epoch.
 */
#include "contract.h"
#include "core.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void core_pause(struct core *c)
{
    c->pausing = true;
}

bool core_still(const struct core *c)
{
    return c->paused && !c->first;
}

void core_go_on(struct core *c)
{
    bool was = c->paused;
    c->pausing = c->paused = false;
    if (was)
        input_go_on(c);
}

struct position core_position(const struct core *c)
{
    return (struct position){c->base, c->boundary, c->step};
}

void core_go_to(struct core *c, struct position at)
{
    c->base = at.offset;
    c->boundary = at.boundary;
    c->step = at.step;
}

static struct run *new_run(struct core *c, enum run_kind kind)
{
    struct run *run = xcalloc(1, sizeof *run);
    *run = (struct run){.kind = kind, .job = c->reading};
    return run;
}

void core_save(struct core *c, size_t lane)
{
    struct run *run = new_run(c, RUN_SAVE);
    int n = snprintf(run->fence, sizeof run->fence, CONTROL_SAVE "%" PRIu64 "\n",
                     ++c->nodes[lane].fences);
    run->fence_len = (size_t)n;
    run_add(c, lane, run);
}

void core_load(struct core *c, size_t lane, const char *lines, size_t bytes, uint64_t n)
{
    struct run *run = new_run(c, RUN_LOAD);
    run->batches = batch_get(c);
    batch_add(c, run->batches, lines, bytes);
    run->lines = n;
    run_add(c, lane, run);
}

static bool begins(const char *line, size_t len, const char *word)
{
    return len >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

/* A line of an answer to save; true: it is in order. */
static bool take_state(struct core *c, size_t node, const char *line, size_t len)
{
    struct node_state *n = &c->nodes[node];
    const struct run *run = n->first;
    if (begins(line, len, CONTROL_STATE)) {
        size_t word = strlen(CONTROL_STATE);
        buf_addf(&c->saved, "%s%zu ", &CONTROL_STATE[1], node);
        buf_add(&c->saved, line + word, len - word);
        buf_addc(&c->saved, '\n');
        return true;
    }
    if (len != run->fence_len - 1 || memcmp(line, run->fence, len) != 0)
        return false;
    run_pop(c, n);
    return true;
}

/* Loads come back one by one; the last of them is the answer. */
static bool take_load(struct core *c, size_t node, const char *line, size_t len)
{
    struct node_state *n = &c->nodes[node];
    if (!begins(line, len, CONTROL_LOAD))
        return false;
    if (--n->first->lines == 0)
        run_pop(c, n);
    return true;
}

void run_answer_state(struct core *c, size_t node, const char *line, size_t len)
{
    struct run *run = c->nodes[node].first;
    bool save = run->kind == RUN_SAVE;
    if (save ? run->written && take_state(c, node, line, len) : take_load(c, node, line, len))
        return;
    core_fail(c, EX_SOFTWARE, node, run->job, "answered what was not asked: \"%.*s\"",
              (int)(len < 60 ? len : 60), line);
}
