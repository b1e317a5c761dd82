/* SPDX-License-Identifier: MIT */
/* The reason that lies beside a file in failed (tagline-queue(5)). */
#ifndef REASON_H
#define REASON_H

#include "job.h"

/* Append the reason of a job that failed. */
void reason_print(const struct job *j, const char *flow, struct buf *to);

/* A file of that name comes in: if it lay in failed before, what is left of that is its reason,
 * which is removed. True if there was one. */
bool reason_withdraw(const struct store *s, const char *name);

#endif
