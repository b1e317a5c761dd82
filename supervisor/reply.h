/* SPDX-License-Identifier: MIT */
/* What a worker says: one JSON object a line, read into plain C (tl-router(1), WORKER). */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply_node {
    char *node;
    int64_t lines_in, bytes_in, lines_out, bytes_out, dropped, errors, restarts;
    int64_t memory; /* -1: not said */
    double cpu;
};

struct reply_sink {
    char *tag;
    char *file; /* any bytes but NUL and slash; NULL: discarded */
    int64_t lines, bytes;
};

struct reply {
    bool ready; /* the first line; nodes then have only names */
    int64_t id;
    int status;
    int64_t lines, bytes;
    /* Of a failure: the line, or 0; those among which it is, or 0; errno, or 0; how the command
     * ended, or -1. */
    int64_t line, first_line, last_line;
    int number, exit, signal;
    double seconds;
    /* "" where not said; errors: last lines of standard error; sample: first bytes of the line */
    char *error, *node, *errors, *sample;
    struct reply_node *nodes;
    size_t nnodes;
    struct reply_sink *sinks;
    size_t nsinks;
    char *trace_text, *trace_path; /* NULL without trace; path is JSON */
};

/* Read one line; false and a reason if it is not an answer of a worker. Free it either way. */
bool reply_parse(struct reply *r, const char *line, size_t n, const char **why);
void reply_free(struct reply *r);

#endif
