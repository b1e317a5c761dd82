/* SPDX-License-Identifier: MIT */
/* The runs of one file: how many count, when the last of them began, and how they ended. */
#ifndef HISTORY_H
#define HISTORY_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { HISTORY_TOLD = 16 }; /* runs of which more is known than that they were */

struct history {
    long runs; /* begun, that count */
    size_t n;  /* of told, the latest last */
    struct {
        int64_t began; /* milliseconds since 1970 */
        int status;    /* as of sysexits(3); 0: it goes on, or nobody lived to tell */
    } told[HISTORY_TOLD];
};

void history_begin(struct history *h, int64_t began);
/* The run that began last ended so. */
void history_end(struct history *h, int status);
/* The run that began last does not count. */
void history_undo(struct history *h);

/* "BEGAN:STATUS,..." of those told, and back; what is no such text tells of no run. */
void history_print(const struct history *h, struct buf *to);
void history_parse(struct history *h, const char *text);

#endif
