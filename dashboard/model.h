/* SPDX-License-Identifier: MIT */
/*
 * What is known of a queue, from its metrics records: plain structures that any view may read.
 * Pure: no clock, no file, no terminal. Every text in it is valid UTF-8 without control characters,
 * so that a view may print it as it is. Numbers are double: exact up to 2^53.
 */
#ifndef MODEL_H
#define MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_SERIES = 60, /* samples of a rate: about a minute */
    MODEL_NODES = 512, /* more than that is no flow, but somebody who plays with the FIFO */
    MODEL_FILES = 100,
    MODEL_ERRORS = 50,
    MODEL_TRACES = 10,
};

/* A cumulative counter over time. A counter that falls has begun anew: its supervisor did. */
struct series {
    double time[MODEL_SERIES + 1], value[MODEL_SERIES + 1]; /* the newest last */
    size_t n;
};

void series_add(struct series *s, double time, double value);
/* Growth a second over the last so many seconds; 0 where that cannot be told. */
double series_rate(const struct series *s, double seconds);
/* The growth a second of the last n steps, the newest last; returns how many there are. */
size_t series_steps(const struct series *s, double *steps, size_t n);

/* Fields are those of lib/metrics.c, under the same names. */
struct model_queue {
    char *flow, *state, *reason;
    double time, workers, waiting, waiting_bytes, oldest, running, running_bytes, processed,
        processed_bytes, failed, failed_bytes, removed, removed_bytes, retried, ignored, lines,
        uptime, records_dropped;
    struct series files_done, bytes_done, lines_done;
};

struct model_node {
    char *node;
    double time, lines_in, bytes_in, lines_out, bytes_out, dropped, errors, cpu, memory, restarts;
    struct series lines_passed;
};

/* The last that was heard of a file. */
struct model_file {
    char *event, *name;
    double time, size, lines, seconds, attempt, status;
};

struct model_error {
    char *name, *node, *text;
    double time, line;
};

struct model_trace {
    char *name, *text;
    char *path; /* "start -> error 1, error -> general 1" */
    double time;
};

struct model {
    bool known;  /* a queue record has come */
    double time; /* of the newest record */
    struct model_queue queue;
    struct model_node nodes[MODEL_NODES]; /* in the order of their first record: flow order */
    struct model_file files[MODEL_FILES]; /* the newest first, here and below */
    struct model_error errors[MODEL_ERRORS];
    struct model_trace traces[MODEL_TRACES];
    size_t n_nodes, n_files, n_errors, n_traces;
};

/* A model is big: keep it static or on the heap. Zero it to begin, model_free it to end.
 * model_take: false if the record told nothing that the model did not know. */
bool model_take(struct model *m, const json_t *record);
void model_free(struct model *m);

/* A copy of what may be shown: control characters, and those that reorder text, become "?". */
char *model_clean(const char *text);

/* Every field that the model takes, for the test that holds it against lib/metrics.c; NULL ends. */
struct model_field {
    const char *record, *field;
    bool is_text;
    size_t offset;
};
extern const struct model_field model_fields[];

#endif
