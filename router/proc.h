/* SPDX-License-Identifier: MIT */
/* A child process with its three pipes: watch, end. start.h starts it. */
#ifndef PROC_H
#define PROC_H

#include "buf.h"

#include <stdbool.h>
#include <sys/types.h>

struct proc {
    pid_t pid;        /* 0: none */
    const char *name; /* for what it says on standard error */
    int in, out, err; /* our ends, non-blocking; -1 when closed */
    bool ended;       /* reaped; wait_status and cpu are valid */
    int wait_status;
    long cpu;        /* whole seconds that it used */
    struct buf line; /* of its standard error, unfinished */
    struct buf tail; /* last lines of its standard error */
};

/* A process whose CPU time is limited may use as much again from now on. */
void proc_renew_cpu(const struct proc *p, long seconds);

/* Reap it if it has ended. */
bool proc_reap(struct proc *p);

/* Read its standard error, passing whole lines on to ours under its name; false at its end. */
bool proc_stderr(struct proc *p);

/* Let them end by themselves for grace_ms (0: not at all), then kill whole groups, and reap.
 * SIGCHLD must be blocked. */
void proc_stop(struct proc *list, size_t n, int grace_ms);

/* "exited with status 3", "was killed by signal 9 (Killed)" */
const char *proc_how(int wait_status);

void close_fd(int *fd);

#endif
