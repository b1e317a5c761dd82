/* SPDX-License-Identifier: MIT */
/*
 * Where the lines of a job go: to standard output as they come, or into one file a sink in a
 * folder.
 */
#ifndef OUT_H
#define OUT_H

#include "checkpoint.h"
#include "core.h"

/* What is in a file so far. */
struct written {
    uint64_t bytes;
    XXH3_state_t *hash; /* of them; NULL: there are none yet */
};

struct out {
    const char *name;  /* of the input, what %f stands for; owned by the task */
    char *dir;         /* NULL: standard output */
    bool publish;      /* files get their names only by out_finish, whole or not at all */
    int *fds;          /* of each outlet; -1: not open */
    struct buf *names; /* of each outlet's file */
    size_t n;
    struct written *written; /* of each outlet, if that is to be known; else NULL */
};

enum wrote {
    WROTE_ALL,
    WROTE_BLOCKED, /* standard output is full */
    WROTE_FAILED,  /* errno says why; text has been made */
};

/* Prepare standard output: not blocking where that can be had without changing it for others. */
void out_setup(void);
int out_stdout(void); /* descriptor to watch */
void out_reset(void); /* undo out_setup */

void out_init(struct out *o, const struct flow *flow, const struct graph *g, const char *name,
              const char *dir, bool publish);
/* Know what is written, so that it can go into checkpoints; to be called behind out_init. */
void out_keep(struct out *o);
void out_checkpoint(const struct out *o, struct checkpoint *c);
/* Make it durable; 0, or -1 and errno. */
int out_sync(const struct out *o);
/* Go on behind what a checkpoint names. False: the files are not so, why says what is wrong. */
bool out_resume(struct out *o, const struct checkpoint *c, struct buf *why);
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
