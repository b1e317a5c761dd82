/* SPDX-License-Identifier: MIT */
/*
 * The supervisor as a whole: what its parts share, and the states it goes through. One process, one
 * thread, one loop; what happens is a wake-up, a worker's answer, a signal or a time that has come.
 */
#ifndef SUPER_H
#define SUPER_H

#include "attempts.h"
#include "blame.h"
#include "fifo.h"
#include "job.h"
#include "keep.h"
#include "options.h"
#include "pool.h"
#include "publish.h"
#include "report.h"
#include "scan.h"
#include "store.h"
#include "waiting.h"
#include "watch.h"

enum super_state {
    SUPER_STARTING, /* no worker was ready yet */
    SUPER_RUNNING,
    SUPER_PAUSED,   /* claims nothing, as it was asked */
    SUPER_HOLDING,  /* claims nothing, because it cannot */
    SUPER_DRAINING, /* claims nothing more, and ends */
    SUPER_STOPPED,
};

enum super_hold {
    HOLD_NONE,
    HOLD_FLOW,    /* the flow or a command of it cannot run */
    HOLD_STORM,   /* the system refuses what we need */
    HOLD_WORKERS, /* workers die before they are ready */
    HOLD_DISK,    /* less is free than --min-free asks for */
};

enum adopt_phase {
    ADOPT_IDLE,
    ADOPT_CHECKING, /* tl-router --check looks at the flow */
    ADOPT_TRYING,   /* a first worker starts with it */
};

/* Taking on the flow as it is on disk now. */
struct adopt {
    enum adopt_phase phase;
    pid_t check;
    long long deadline;        /* of the check */
    struct buf text;           /* what was checked */
    bool again;                /* asked for once more meanwhile */
    bool reload;               /* the service manager waits to hear that it is over */
    unsigned generation, next; /* of the flow in use, 0 without; of the one that is tried */
    char hash[FLOW_HASH], next_hash[FLOW_HASH]; /* of these, SHA-256 in hexadecimal */
};

struct super {
    struct options opt;
    enum super_state state;
    enum super_hold hold;
    char reason[512];     /* why it holds, one line, shown */
    long long hold_until; /* when to look whether it can go on */
    long storm_wait;      /* grows until a commit succeeds */
    bool paused;          /* asked to claim nothing; a hold shows before it */
    bool now;             /* draining at once */
    int status;           /* to exit with */

    struct store store;
    struct attempts attempts;
    struct waiting waiting;
    struct scan scan;
    struct watch watch;
    struct pool pool;
    struct publish publish;
    struct adopt adopt;
    struct fifo fifo;
    struct accounts accounts;
    struct keep keep;
    struct told told;
    struct blame blame;
    bool proved;          /* a run with the flow in use ended well */
    unsigned idle_deaths; /* of workers that had nothing to do, since a run ended well */

    struct job_list delayed; /* claimed, and to run when due */
    long long next_retry;    /* when the first of them is, or -1 */
    bool retry_turn;
    unsigned long next_id;
    long long started, next_second, next_trace;
};

const char *super_state_name(enum super_state state);

/* The one place where the state changes. */
void super_enter(struct super *s, enum super_state next);
/* Stop claiming, say why, and look again after so many milliseconds. */
void super_hold(struct super *s, enum super_hold why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The system refused something, errno says why: hold. */
void super_storm(struct super *s, const char *what);
/* Tell the service manager how things stand. */
void super_tell(const struct super *s);
/* Hold if the disk runs full. */
void super_check_disk(struct super *s);
/* What made it hold is over. */
void super_resume(struct super *s);
/* Somebody asks to claim nothing, or to go on. */
void super_pause(struct super *s, bool pause);
/* A signal to end came, or --once is through. */
void super_drain(struct super *s);
/* Steps of a turn of the loop. */
void super_hold_step(struct super *s, long long now);
void super_publish_step(struct super *s);
void super_end_step(struct super *s);

/* work.c: jobs. */
void work_recover(struct super *s);
void work_dispatch(struct super *s, long long now);
void work_put_back_all(struct super *s);
/* When work_dispatch can run a file again, or -1. */
long long work_next(const struct super *s);
struct pool_handler work_pool_handler(struct super *s);
struct publish_handler work_publish_handler(struct super *s);
size_t work_running(const struct super *s); /* files in underprocess */
int64_t work_running_bytes(const struct super *s);

/* Run a file that waits to be tried again now; false if there is none of that name. */
bool work_hasten(struct super *s, const char *name, long long now);

/* orders.c: look whether anybody wants something of us. */
void orders_look(struct super *s);

/* adopt.c: flows. */
void adopt_begin(struct super *s);
void adopt_reap(struct super *s, long long now);
void adopt_crew(struct super *s, long long now);
void adopt_worker_ready(struct super *s, struct worker *w);
void adopt_worker_gone(struct super *s, struct worker *w, int status, bool was_ready);
void adopt_cancel(struct super *s);
/* When adopt_crew or adopt_reap have something to do, or -1. */
long long adopt_next(const struct super *s);

/* loop.c: runs until the end; the exit status. */
int loop_run(struct super *s, int signals);
/* From now on signals wait for the loop, also those that come during start-up; the descriptor. */
int loop_signals(void);

#endif
