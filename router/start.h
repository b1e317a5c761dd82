/* SPDX-License-Identifier: MIT */
/* Starting a command: the one place that says what a child of ours gets. */
#ifndef START_H
#define START_H

#include "proc.h"
#include "terms.h"

/* What a start was at when it failed. */
enum start_step { START_PIPES, START_CHILD, START_SANDBOX, START_EXEC };

/* Must be called once before the others: raises the limit of descriptors for us (children get the
 * old one), puts our own folder first in PATH, keeps what is ours from children, the descriptors
 * among it that we were given. */
void start_setup(size_t max_line);

/* Where a command would be found, or NULL; the caller frees. */
char *start_find(const char *command);

/* Start argv in a process group of its own; pipe is the size to ask for. 0; or an errno, in *step
 * what it is about, and in culprit the path if it is about one. name must outlive the process. */
int start_command(struct proc *p, const char *name, char **argv, const struct terms *terms,
                  size_t pipe, enum start_step *step, struct buf *culprit);

#endif
