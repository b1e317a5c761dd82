/* SPDX-License-Identifier: MIT */
/*
 * CARD: how many lines came out for each line that went in, run-length coded (tagline(5)):
 *     COUNT[*TIMES],...      "1*998,0,3": 998 lines gave one each, then one gave none, one gave
 * three The answer to !end has one number more, never part of a run: what came out at the end.
 */
#ifndef CARD_H
#define CARD_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

struct card_writer {
    struct buf text; /* finished runs */
    uint64_t count;  /* of the open run */
    uint64_t times;  /* 0: no run is open */
};

/* One more input line gave count lines. */
void card_add(struct card_writer *w, uint64_t count);
/* Close the open run; the text is then whole. The caller resets text.len to begin anew. */
void card_close(struct card_writer *w);

struct card_reader {
    const char *at, *end;
};

/* Read the next run; false at the end of the text or where it is malformed (at is then not end). */
bool card_next(struct card_reader *r, uint64_t *count, uint64_t *times);

#endif
