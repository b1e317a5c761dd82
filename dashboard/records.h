/* SPDX-License-Identifier: MIT */
/* Bytes to metrics records: cuts lines, parses them, holds them against the table of lib/metrics.c.
 * Pure: whoever has the bytes, from a FIFO or a file, pushes them in and takes records out. */
#ifndef RECORDS_H
#define RECORDS_H

#include "buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it to begin, records_free it to end. */
struct records {
    struct buf in;
    size_t next;       /* of in: where the next line begins */
    bool skipping;     /* the line in hand is too long: its rest is thrown away */
    uint64_t good;     /* records that came out */
    uint64_t torn;     /* lines whose writer went away in the middle */
    uint64_t foreign;  /* lines that are not a record of ours */
    uint64_t newer;    /* records of a version that is not known here */
    uint64_t overlong; /* lines over PIPE_BUF: no single write can have made them */
};

struct record {
    const char *line; /* as it came, without newline; stays until the next records_ call */
    size_t len;
    json_t *json; /* the caller's: json_decref it */
};

void records_push(struct records *r, const char *bytes, size_t n);
/* The next good record; false when the whole lines are used up. */
bool records_next(struct records *r, struct record *record);
/* The writer went away: what it left unfinished is counted and forgotten. */
void records_cut(struct records *r);
/* Lines that were not used, of all kinds. */
uint64_t records_bad(const struct records *r);
void records_free(struct records *r);

/* Is the object a record: "v", a known "type", "time", and each declared field of its kind? */
bool records_valid(const json_t *json);

#endif
