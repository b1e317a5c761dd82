/* SPDX-License-Identifier: MIT */
/* Requests to a worker and its answers, over its two pipes. */
#ifndef TALK_H
#define TALK_H

#include "pool.h"

/* Hand it a job; queue is the absolute path of the queue. */
void talk_give(const struct pool *p, struct worker *w, struct job *job, bool alone,
               const char *queue, long long now);
/* Write what is to be written, as far as it can take it; of one that is to end, then close. */
void talk_write(struct worker *w);
/* Read what there is, and do as it says. */
void talk_read(struct pool *p, struct worker *w, long long now);
void talk_hang_up(int *fd);

#endif
