/* SPDX-License-Identifier: MIT */
/* A job: one input file on its way through the queue. */
#ifndef JOB_H
#define JOB_H

#include "history.h"
#include "reply.h"
#include "store.h"

enum job_end {
    JOB_PUBLISH, /* results to output, input to processed */
    JOB_FAIL,    /* input to failed, with a reason */
};

/* What is to be said of a run that went wrong. */
struct fault {
    int status;
    int number;       /* errno, or 0 */
    int exit, signal; /* how the node's command, or the worker, ended; -1: it is not that */
    int64_t line, first_line, last_line; /* as in struct reply */
    /* Owned; NULL where there is nothing to say. errors: last lines of standard error; sample:
     * first bytes of the line. */
    char *error, *node, *errors, *sample;
};

enum { FLOW_HASH = 65 }; /* SHA-256, in hexadecimal */

struct job {
    struct job *next, *prev;
    unsigned long id; /* of this run: worker lines and its folder in work carry it */
    char *name;
    struct identity input;
    long long claimed;         /* milliseconds of times_ms */
    long long due;             /* when it may run again */
    struct history history;    /* of its runs, this one included */
    unsigned era;              /* of its last run: see blame.h */
    char flow_hash[FLOW_HASH]; /* of the flow of its last run, in hexadecimal */
    bool kept;                 /* its folder has a checkpoint to go on from */
    bool trace;                /* asked for in this run */
    unsigned doubts;           /* runs after which it was not clear that the file is at fault */
    bool told;                 /* that it was claimed */
    enum job_end end;
    unsigned long version; /* that it was given in its last folder; 1: its own name */
    struct reply reply;    /* of the run that ended well */
    struct fault fault;    /* of the one that did not */
};

struct job_list {
    struct job *first, *last;
    size_t n;
};

struct job *job_new(const char *name, const struct identity *input, long long now);
void job_free(struct job *j);
void job_add(struct job_list *l, struct job *j);
void job_remove(struct job_list *l, struct job *j);

/* Note what went wrong: with a status and a text, or as a worker answered. */
void job_fault(struct job *j, int status, const char *error);
void job_fault_reply(struct job *j, const struct reply *r);

/* Its name for messages; the text is owned by the buffer. */
const char *job_shown(const struct job *j, struct buf *text);

/* "underprocess/NAME", and its folder of partial results, or that of a run. */
char *job_input(const struct job *j, char *path);
char *job_folder(const struct job *j, char *path);
char *job_run_folder(unsigned long id, char *path);

/* Where its checkpoint is, which the inode of the input is a part of: "work/ID.INODE"; and back.
 * False: it is no such name. */
char *job_checkpoint(const struct job *j, char *path);
bool job_checkpoint_of(const char *name, unsigned long *id, uint64_t *inode);

/* Remove its folder and its checkpoint; or those of a run of which only the number is known. */
void job_drop(const struct store *s, const struct job *j);
void job_drop_run(const struct store *s, unsigned long id);

#endif
