/* SPDX-License-Identifier: MIT */
/* Numbers as people read them, and the model's events as lines of text. */
#ifndef HUMAN_H
#define HUMAN_H

#include "buf.h"
#include "model.h"

enum { HUMAN = 24 }; /* room for any of the texts below */

/* Each writes into room and returns it. What is over a million or a thousand is rounded. */
const char *human_count(char room[HUMAN], double n);    /* 14,003 · 12.3 M */
const char *human_bytes(char room[HUMAN], double n);    /* 512 B · 1.2 MB (of 1000) */
const char *human_duration(char room[HUMAN], double s); /* 0.31 s · 4.2 s · 1 m 04 s */
const char *human_clock(char room[HUMAN], double time); /* 14:02:59, local time */

/* Append one column a value, scaled to the biggest; ascii: for terminals without Unicode. */
void human_spark(struct buf *to, const double *values, size_t n, bool ascii);

/* Append one line without newline and without the clock. */
void human_file(struct buf *to, const struct model_file *f);
void human_error(struct buf *to, const struct model_error *e);
void human_trace(struct buf *to, const struct model_trace *t);
void human_queue(struct buf *to, const struct model_queue *q);

#endif
