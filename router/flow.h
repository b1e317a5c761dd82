/* SPDX-License-Identifier: MIT */
/*
 * A flow, parsed and checked as far as its text goes; tl-flow(5) describes the language.
 * Destinations are numbered through: node i is i, sink i is nnodes + i. A lane is one process of a
 * node: lane i is the first of node i, the further ones of nodes with jobs=N come behind nnodes.
 */
#ifndef FLOW_H
#define FLOW_H

#include "buf.h"
#include "terms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind {
    NODE_FILTER,  /* ":" tagged lines, obeys the protocol, stays alive */
    NODE_COMMAND, /* "|" any program, plain lines, runs to end of file */
};

struct node {
    char *tag;
    enum node_kind kind;
    int line;         /* of the flow file */
    char **argv;      /* NULL-terminated */
    char **next_tags; /* as written */
    size_t *next;     /* destinations, in the order written */
    size_t nnext;
    bool stateless, map; /* promised, by attribute or by the answer to hello */
    bool shares;         /* takes lines in shared memory: their texts alone */
    bool state;          /* can save what it holds of a file; by the answer to hello */
    bool card;           /* says how many lines came out for each; by the answer to hello */
    size_t jobs;         /* copies that share the work */
    size_t more_lanes;   /* lane of the second copy; the third is behind it */
    long timeout_ms;     /* for the answer to a fence; 0: none */
    uint8_t ok[256 / 8]; /* exit statuses that are success */
    struct terms terms;
};

struct sink {
    char *tag;
    char *file; /* with %f and %% in it; NULL discards */
    int line;   /* 0: the end that need not be written */
};

enum order_rule { ORDER_AUTO, ORDER_LINE, ORDER_EPOCH };

struct flow {
    char *path;
    uint64_t hash; /* of its text */
    struct node *nodes;
    size_t nnodes;
    struct sink *sinks;
    size_t nsinks;
    size_t start;      /* destination of the input */
    size_t *lane_node; /* of a lane, the node */
    size_t nlanes;
    size_t max_line, epoch, memory;
    size_t unpack; /* bytes that a packed input may hold; 0: it is taken as it is */
    long max_rounds;
    enum order_rule order;
};

/* The problems found, one "FILE:LINE: what" a line. */
struct problems {
    struct buf text;
    size_t count;
};

/* Add a problem; line 0 stands for the file as a whole. */
void problem(struct problems *p, const struct flow *f, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Parse and check the text; what is wrong goes to problems. The flow is whole only if there are
 * none, but may be freed either way. path is for messages. */
struct flow *flow_parse(const char *path, const char *text, size_t len, struct problems *problems);
void flow_free(struct flow *f);

/* Lane copy (from 0) of a node, and the node of a lane. */
size_t flow_lane(const struct flow *f, size_t node, size_t copy);
struct node *flow_node(const struct flow *f, size_t lane);

/* The tag of a destination. */
const char *flow_tag(const struct flow *f, size_t dest);

/* Append the file name of a sink for an input called name. */
void flow_sink_file(const struct sink *sink, const char *name, struct buf *to);

#endif
