/* SPDX-License-Identifier: MIT */
/*
 * The core with processes and descriptors around it. One engine runs tasks (inputs) through one
 * flow, one after the other but overlapping; main.c and worker.c say what the tasks are and what to
 * do when one is done.
 */
#ifndef RUN_H
#define RUN_H

#include "core.h"
#include "out.h"
#include "proc.h"
#include "unpack.h"

#include <sys/stat.h>

/* How a task is kept from being done again from its beginning. */
struct keep {
    char *path;                      /* of its checkpoint; NULL: it has none */
    long every_ms;                   /* time from one to the next, or ... */
    uint64_t every_bytes;            /* ... bytes of input */
    bool sync;                       /* they must survive a power cut */
    bool found;                      /* one may be there already */
    struct input_id input;           /* what the file was when it was opened */
    long at;                         /* ms: of the last, or of the beginning */
    uint64_t offset;                 /* the same, in the input */
    uint64_t skip;                   /* bytes of the input that are still to be passed over */
    struct checkpoint_file *loading; /* states that the nodes still have to take on, or NULL */
};

struct task {
    struct task *next;
    uint64_t id;
    char *path;            /* for messages */
    int input;             /* -1: not opened yet, or at its end */
    struct unpack *unpack; /* reads it; NULL when it is not open */
    bool live;             /* a pipe or terminal: cut when it pauses */
    bool opened, ended;
    bool missing; /* could not be opened, which is told in its turn */
    bool trace;
    struct keep keep;
    struct job *job; /* NULL until begun */
    struct out out;
    double began; /* seconds, monotonic */
};

/* What the engine knows of one node's process beyond struct proc. */
struct link {
    bool eof; /* its standard output has ended */
    bool err_open;
    bool blocked; /* its standard input is full: epoll says when not */
    enum greeting { NOT_GREETED, SHARING, GREETED } greeting; /* what was answered so far */
    char *region;                                             /* memory shared with it, or NULL */
    int shared;  /* its descriptor, until the filter has opened it; else -1 */
    long active; /* ms: when it last took or gave anything */
    long doomed; /* ms: when to lose patience with a half-dead process; 0: not */
    uint64_t starts;
    double cpu_told;
    uint64_t starts_told;
};

enum turn {
    TURN_MORE,    /* go on */
    TURN_IDLE,    /* no task is left */
    TURN_FAILED,  /* core_failure says why; the engine can only be stopped */
    TURN_REQUEST, /* the extra descriptor is readable */
    TURN_SIGNAL,  /* e->signal */
};

enum { TICK_MS = 100 }; /* how often deadlines are looked at while there are any */

/* A checkpoint that is being made. */
struct save {
    enum save_phase {
        SAVE_NONE,
        SAVE_PAUSING, /* what is in flight comes to its end */
        SAVE_ASKING,  /* nodes say what they hold */
    } phase;
    struct task *task;
    struct checkpoint_file file;
    bool writing; /* the file is good so far */
};

struct engine {
    struct flow *flow; /* gets the promises that filters make */
    struct graph *graph;
    struct core *core;
    struct proc *procs;
    struct link *links;
    size_t *commands, ncommands; /* lanes that are no filters */
    bool timed;                  /* some process may have a deadline ... */
    long look;                   /* ms: ... and then they are looked at next */
    size_t pipe;                 /* bytes to ask for */
    size_t region;               /* bytes to share with each filter; 0: none */
    bool tagged;
    int epoll, signals, request;
    int signal;
    bool request_ready; /* it is a regular file */
    struct task *tasks; /* in order; the first may be done */
    struct save save;
    bool one_by_one; /* a task is done before the next is begun */
    int watched_input;
    bool stdout_watched;
    struct failure failed; /* before there is a core */
};

/* request: a descriptor to watch as well, or -1. */
struct engine *engine_new(struct flow *flow, struct graph *graph, bool tagged, int request);
/* Start all filters and greet them; false: engine_failure says why. */
bool engine_start(struct engine *e);
/* Stop all processes and forget the core; tasks stay, and would run again from their beginning.
 * grace_ms as for proc_stop. */
void engine_stop(struct engine *e, int grace_ms);
void engine_free(struct engine *e);

/* The extra descriptor is at its end. */
void engine_ignore_request(struct engine *e);

void engine_add(struct engine *e, struct task *t); /* takes it over */
enum turn engine_turn(struct engine *e);
/* The first task if it is done and all its lines are written; the caller finishes and frees it. */
struct task *engine_done(struct engine *e);
const struct failure *engine_failure(const struct engine *e);

struct task *task_new(uint64_t id, const char *path);
void task_close(struct task *t); /* its input */
void task_free(struct task *t);
/* User and system seconds since the last call, and resident bytes, of a node's processes. */
void engine_usage(struct engine *e, size_t node, double *cpu, uint64_t *memory, uint64_t *restarts);

double now_seconds(void);

/* ---- shared by the files of the engine ---- */
/* What a descriptor is, in the upper half of epoll's data; the node is in the lower. */
enum what { W_OUT, W_ERR, W_IN, W_INPUT, W_STDOUT, W_SIGNAL, W_REQUEST };

long engine_now_ms(void);
void engine_watch(struct engine *e, int op, int fd, uint32_t events, enum what what, size_t node);
void engine_unwatch(struct engine *e, int fd);
void engine_drop(struct engine *e, int *fd); /* stop watching, and close */
/* The job at hand fails at a node; _system: by an errno; _ended: because its process ended; or,
 * with _task, for its own files, by an errno. */
void engine_fail(struct engine *e, int status, size_t node, const char *text);
void engine_fail_system(struct engine *e, int status, int error, size_t node, const char *text);
void engine_fail_ended(struct engine *e, int status, int wait_status, size_t node,
                       const char *text);
void engine_fail_task(struct engine *e, int status, int error, struct job *job, const char *text);

/* ---- save.c ---- */
/* Make checkpoints when they are due; true: there is more to do at once. */
bool save_step(struct engine *e);
void save_abandon(struct engine *e);
/* The first node whose state cannot be saved, or NULL. */
const struct node *save_hindrance(const struct flow *f);
/* What the nodes promise, a hexadecimal digit each; the caller frees it. */
char *save_promises(const struct flow *f);
struct input_id save_input(const struct stat *st);
bool save_busy(const struct engine *e); /* does any node owe an answer? */

/* ---- resume.c ---- */
/* The task's input was opened and its job begun: go on from its checkpoint, if there is one that
 * fits. */
void resume_begin(struct engine *e, struct task *t, const struct stat *st);
/* Let nodes take on what they held; t->keep.loading is NULL when they have. */
void resume_step(struct engine *e, struct task *t);
/* Must it wait until all before it are done? Nodes take on a state only between files. */
bool resume_waits(const struct engine *e, const struct task *t);
/* It failed; was that while it was made to go on? Then it is to begin again. */
bool resume_failed(struct task *t, const char *why);
void resume_abandon(struct task *t);

void share_offer(struct engine *e, size_t node);
/* The answer to the offer, cut at its newline; false: it is none. */
bool share_answered(struct engine *e, size_t node, const char *line);
void share_agree(struct engine *e); /* all have answered: which nodes share */
void share_begin(struct engine *e); /* the core is there */
void share_end(struct engine *e);   /* the core is gone */

int engine_take_signal(struct engine *e); /* 0: there was none */

void node_start(struct engine *e, size_t node);
void node_read(struct engine *e, size_t node);
void node_settle(struct engine *e, size_t node);       /* it ended, or closed its output */
void node_stop_writing(struct engine *e, size_t node); /* it closed its input */
void node_fail_ended(struct engine *e, size_t node);
void nodes_reap(struct engine *e);
void nodes_pump(struct engine *e);
void nodes_check_deadlines(struct engine *e);
void nodes_renew_cpu(struct engine *e); /* a file is done: limits of CPU time begin anew */
void feed_pump(struct engine *e);       /* read what there is while the core wants it */
bool feed_more(const struct engine *e); /* could more be read at once? */
void feed_watch(struct engine *e);      /* watch a live input only while it is wanted */

#endif
