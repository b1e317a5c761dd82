/* SPDX-License-Identifier: MIT */
/*
 * Commits: jobs that ended, well or badly, reach their last folder in rounds. All jobs that wait
 * when a round begins share its syncs and its journal record. The order, each step durable before
 * the next: results and reasons; the record; the renames; the folders; then the record goes.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "dict.h"
#include "job.h"
#include "journal.h"

enum {
    PUBLISH_BATCH = 256,   /* jobs of a round at most */
    PUBLISH_MOVES = 16384, /* and so many renames, so that its record can be read again */
    PUBLISH_HINTS = 1024,
};

enum publish_phase {
    PUBLISH_IDLE,
    PUBLISH_CHOSEN, /* results are durable, names are chosen, the record is not written */
    PUBLISH_MOVING, /* the record is written: only forward from here */
};

struct publish_handler {
    void *arg;
    /* It is in its last folder. */
    void (*finished)(void *arg, struct job *job);
    /* Its results are of no use: the input changed, or (error) could not be made durable. */
    void (*again)(void *arg, struct job *job, int error);
    /* Its input is gone, taken away by somebody. */
    void (*gone)(void *arg, struct job *job);
};

struct publish {
    const struct store *store;
    const char *flow; /* for reasons */
    struct publish_handler handler;
    struct job_list waiting, batch;
    enum publish_phase phase;
    struct record record;
    struct dict reserved; /* names that jobs of the batch will have */
    unsigned long seq;
    struct {
        uint64_t hash;
        unsigned long version;
    } hints[PUBLISH_HINTS]; /* which versions of a name are taken for sure, to begin behind them */
    const char *where;      /* what a failed round was doing */
};

void publish_init(struct publish *p, const struct store *store, const char *flow,
                  struct publish_handler handler);
void publish_free(struct publish *p);

/* The job ended as its end says: it belongs to the publisher until a handler gets it. */
void publish_add(struct publish *p, struct job *job);

/* Is anything under way or waiting? */
bool publish_pending(const struct publish *p);

/* One round; 0, or -1 and errno if the system refused: call again later, nothing is lost. alive is
 * called between steps that may take long. */
int publish_round(struct publish *p, void (*alive)(void));

/* Give back all jobs that no record names yet, through handler.again with error 0. */
void publish_abandon(struct publish *p);

#endif
