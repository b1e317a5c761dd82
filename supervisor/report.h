/* SPDX-License-Identifier: MIT */
/* What has been done, in numbers and in the records of tagline-metrics(5). */
#ifndef REPORT_H
#define REPORT_H

#include "buf.h"
#include "reply.h"

#include <stddef.h>
#include <stdint.h>

struct super;
struct job;

struct account {
    char *node;
    int64_t lines_in, bytes_in, lines_out, bytes_out, dropped, errors, restarts;
    double cpu;
    int64_t *memory; /* of each worker */
};

struct accounts {
    struct account *nodes;
    size_t n;
    size_t workers;
    int64_t processed, processed_bytes, failed, failed_bytes, retried, lines;
};

/* What the status file says. */
struct told {
    struct buf text;
    int64_t started; /* seconds since 1970 */
    int state, hold; /* enum super_state, super_hold */
    long long next;  /* when to look again, if these are still the same */
};

void accounts_init(struct accounts *a, size_t workers);
void accounts_free(struct accounts *a);
/* Add what an answer says, of the worker with that number. */
void accounts_add(struct accounts *a, const struct reply *r, size_t worker);
/* That worker is gone, and its memory is free. */
void accounts_gone(struct accounts *a, size_t worker);

/* The records of each second. */
void report_second(struct super *s);
/* The file that tl-supervisor --status reads, if it would say something else than it does. */
void report_status(struct super *s);
/* What happened to a file: claimed, done, retried, failed. */
void report_file(struct super *s, const struct job *j, const char *event, long long now);
/* What is wrong, from a job's fault. */
void report_error(struct super *s, const struct job *j);
/* What is wrong with no file. */
void report_trouble(struct super *s, const char *text);
void report_trace(struct super *s, const struct job *j, const struct reply *r);

#endif
