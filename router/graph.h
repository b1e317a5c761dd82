/* SPDX-License-Identifier: MIT */
/*
 * What the arrows of a flow mean: the order of work and the order of lines.
 *
 * Work goes in stages: the input (stage 0), then the strongly connected components of the nodes in
 * topological order (among those that are ready, the one that stands first in the flow first), then
 * the outlets. A stage works on an epoch when all stages that feed it have finished it.
 *
 * Lines that part must meet again in order. Where several sources meet, or one in a cycle, lines
 * are merged by the place that their ancestor had when they parted: in the output of the nearest
 * stage that all paths to the meeting share (its immediate dominator). That takes commands that
 * tell, for each line, how many came out of it; where one on the way does not, lines are merged by
 * (epoch, round, source in flow order, emission), which is as deterministic but depends on the
 * cuts.
 *
 * Sources: Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972), for
 * components; Cooper, Harvey, Kennedy, "A simple, fast dominance algorithm" (2001), for dominators,
 * of which an acyclic graph needs one pass.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "flow.h"

enum merge {
    MERGE_NONE,  /* one source, in order already */
    MERGE_LINE,  /* as if each line had gone to its end before the next */
    MERGE_EPOCH, /* by epoch, round, source, emission */
};

enum { STAGE_INPUT = 0 };
#define NOWHERE                                                                                    \
    SIZE_MAX /* the outlet of a sink that discards; the stage that dominates the input */

struct stage {
    size_t *nodes; /* of a component, in flow order; none for input and outlets */
    size_t nnodes;
    bool cyclic;
    bool tells;       /* lines keep their lineage through it */
    bool track_in;    /* its input lines need identities */
    bool track_out;   /* its output lines do */
    enum merge merge; /* how its input lines meet */
    size_t blame;     /* the node that makes it MERGE_EPOCH; NOWHERE without */
    size_t domain;    /* whose identities these are: a stage; NOWHERE without */
    size_t *prev;     /* stages that feed it, itself excluded */
    size_t nprev;
    size_t *next;
    size_t nnext;
    size_t dominator;
    size_t depth;
};

struct graph {
    const struct flow *flow;
    bool together; /* one outlet for all sinks, which gets the tags too */
    struct stage *stages;
    size_t nstages;
    size_t ncomponents; /* stages 1 to ncomponents */
    size_t *stage_of;   /* of a node; of [nnodes], the input: STAGE_INPUT */
    size_t *outlet_of;  /* of a sink: a destination, or NOWHERE */
    size_t noutlets;
    size_t ndests; /* nodes, then outlets */
};

/* Analyse. together: all sinks leave through one outlet, tags kept. anywhere: input lines bring
 * their tags and may enter at any node or sink. The flow must outlive the graph. */
struct graph *graph_new(const struct flow *flow, bool together, bool anywhere);
void graph_free(struct graph *g);

/* Decide the merging from what the nodes promise by now; call again when that changes. */
void graph_order(struct graph *g);

/* The stage of a destination. */
size_t graph_stage(const struct graph *g, size_t dest);

/* Report what is unreachable, what cannot leave, and cycles that cannot work. */
void graph_check(const struct graph *g, struct problems *problems);

/* Is every merging one by line? */
bool graph_line_order(const struct graph *g);

#endif
