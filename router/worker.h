/* SPDX-License-Identifier: MIT */
/* The router as a worker: jobs on standard input, answers on standard output. */
#ifndef WORKER_H
#define WORKER_H

#include "graph.h"

/* Runs until standard input ends and all jobs are answered; the exit status. */
int worker_run(struct flow *flow, struct graph *graph);

#endif
