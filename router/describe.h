/* SPDX-License-Identifier: MIT */
/* A flow and its accounts in words, Graphviz DOT and JSON. All append to a buffer. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "core.h"
#include "run.h"

/* What --check says of a flow without problems; the nodes' promises are known. */
void describe_check(const struct graph *g, struct buf *to);
void describe_dot(const struct graph *g, struct buf *to);
void describe_json(const struct flow *f, struct buf *to);

/* The one line of --summary; name is the input's. */
void describe_summary(const struct flow *f, const char *name, const struct task *t, struct buf *to);

/* Lines of the worker (tl-router(1), WORKER), each with its newline. */
void describe_ready(const struct graph *g, struct buf *to);
/* usage: also tell time and memory of the nodes. */
void describe_done(struct engine *e, const struct task *t, bool usage, struct buf *to);
void describe_failed(struct engine *e, const struct task *t, const struct failure *why,
                     struct buf *to);

/* "node: text", as far as there is a node, for messages. */
void describe_failure(const struct flow *f, const struct failure *why, struct buf *to);

#endif
