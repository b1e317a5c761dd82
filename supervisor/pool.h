/* SPDX-License-Identifier: MIT */
/*
 * The pool of workers: routers that are warm, each with a pipe to and from it and some jobs in
 * flight. What a worker says or that it ended is told through a handler; the pool decides nothing.
 */
#ifndef POOL_H
#define POOL_H

#include "buf.h"
#include "job.h"

#include <poll.h>
#include <sys/types.h>

enum {
    POOL_DEPTH = 16,      /* jobs in flight a worker at most, so that small files wait for nobody */
    POOL_QUEUE_MS = 1000, /* and no more than it was lately seen to do in so long */
    POOL_STUCK_MS = 3000, /* a job that takes longer holds up none behind it */
    POOL_FLIGHT = 4 << 20,  /* bytes in flight after which it gets no further job */
    POOL_READY_MS = 60000,  /* it must be ready by then */
    POOL_GRACE_MS = 10000,  /* it must end by then once it has nothing to do */
    POOL_ANSWER = 16 << 20, /* bytes in an answer at most */
};

enum worker_state {
    WORKER_NONE,
    WORKER_STARTING, /* runs, has not said that it is ready */
    WORKER_READY,
    WORKER_ENDING, /* its input is closed: it finishes what it has and ends */
};

struct worker {
    enum worker_state state;
    pid_t pid;
    int in, out; /* its standard input and output; -1: closed */
    struct buf to, from;
    struct job *jobs[POOL_DEPTH];
    size_t njobs;
    int64_t flight;  /* bytes of them */
    long long since; /* the first of them is at work */
    long pace;       /* milliseconds that a job took lately; -1: none was done yet */
    bool alone;      /* has a job that must not take others down with it */
    bool stuck;      /* its first job takes long: it gets no other */
    unsigned long taken[POOL_DEPTH]; /* ids of jobs that went to others; it does not know */
    size_t ntaken;
    unsigned generation; /* of the flow it runs */
    long long deadline;  /* killed if it has not changed state by then; 0: none */
    long long rest;      /* not to be started before */
    unsigned deaths;     /* in a row, without one good answer between */
};

struct pool_handler {
    void *arg;
    void (*ready)(void *arg, struct worker *w, const struct reply *reply);
    void (*answer)(void *arg, struct worker *w, struct job *job, struct reply *reply);
    /* It ended, with a status as a shell has it (128 and more: a signal), was ready or not. Its
     * jobs are lost and no longer its own. */
    void (*gone)(void *arg, struct worker *w, int status, bool was_ready, struct job **jobs,
                 size_t njobs);
    /* Jobs behind one that takes long are no longer its own; it may still write into their folders,
     * until each is left. */
    void (*behind)(void *arg, struct worker *w, struct job **jobs, size_t njobs);
    void (*left)(void *arg, unsigned long id);
};

struct pool {
    struct worker *workers;
    size_t n;
    char *router;           /* its path */
    int lock;               /* of the queue; a worker holds it too */
    const char *checkpoint; /* how often a job is saved; NULL: never */
    bool sync;              /* ... so that it survives a power cut */
    struct pool_handler handler;
};

void pool_init(struct pool *p, size_t n, int lock, struct pool_handler handler);
void pool_free(struct pool *p);

/* Start a worker on a flow; 0, or -1 and errno. */
int pool_start(struct pool *p, struct worker *w, const char *flow, unsigned generation,
               long long now);
/* Start tl-router --check on a flow; its pid, or -1 and errno. */
pid_t pool_check(const struct pool *p, const char *flow);

/* A worker of this generation with room for a job, the least busy one; or NULL. alone: one that has
 * nothing else to do. keep: leave out the first, so that it becomes idle. */
struct worker *pool_room(const struct pool *p, unsigned generation, bool alone, bool keep);
/* Take back jobs that wait behind one that takes long, where another worker could have them. */
void pool_relieve(struct pool *p, long long now);

/* Let it finish what it has and end. */
void pool_retire(struct worker *w, long long now);
void pool_kill(const struct worker *w);

/* Add what is to be polled; returns how many were added (at most 2 a worker). */
size_t pool_polls(const struct pool *p, struct pollfd *polls);
/* Read and write what is possible now. */
void pool_io(struct pool *p, long long now);
/* Reap those that ended, and kill those that are over their time. */
void pool_reap(struct pool *p, long long now);
/* The first deadline, or -1. */
long long pool_next(const struct pool *p);

size_t pool_running(const struct pool *p); /* processes */
size_t pool_jobs(const struct pool *p);    /* in flight */
size_t pool_alone(const struct pool *p);   /* workers that have a job alone */
/* Those that are ready, and whose job does not take long. */
size_t pool_able(const struct pool *p, unsigned generation);
size_t pool_ready(const struct pool *p, unsigned generation);
/* Those that start or are ready. */
size_t pool_live(const struct pool *p, unsigned generation);

#endif
