/* SPDX-License-Identifier: MIT */
/*
 * Where the lines of a job go: to standard output as they come, or into one file a sink in a
 * folder.
 */
#ifndef OUT_H
#define OUT_H

#include "core.h"

struct out {
    const char *name;  /* of the input, what %f stands for; owned by the task */
    char *dir;         /* NULL: standard output */
    bool publish;      /* files get their names only by out_finish, whole or not at all */
    int *fds;          /* of each outlet; -1: not open */
    struct buf *names; /* of each outlet's file */
    size_t n;
};

enum wrote {
    WROTE_ALL,
    WROTE_BLOCKED, /* standard output is full */
    WROTE_FAILED,  /* errno says why; text has been made */
};

/* Prepare standard output: not blocking where that can be had without changing it for others. */
void out_setup(void);
int out_stdout(void); /* descriptor to watch */

void out_init(struct out *o, const struct flow *flow, const struct graph *g, const char *name,
              const char *dir, bool publish);
/* Write what the streams hold. */
enum wrote out_write(struct out *o, struct core *c, struct job *job, struct buf *why);
/* Write bytes to standard output alone. */
enum wrote out_text(struct buf *text, struct buf *why);
/* All is written: close the files, every sink has one, and publish them. False: why. */
bool out_finish(struct out *o, struct buf *why);
/* Close, and remove files that were not published. Also begins anew. */
void out_abandon(struct out *o);
void out_free(struct out *o);

#endif
