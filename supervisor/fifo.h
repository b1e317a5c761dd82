/* SPDX-License-Identifier: MIT */
/* The FIFO of metrics: whole lines for whoever reads, nothing for nobody, never a wait. */
#ifndef FIFO_H
#define FIFO_H

#include "buf.h"
#include "store.h"

#include <stdbool.h>

enum { FIFO_ERRORS = 20, FIFO_TRACES = 5 }; /* that a reader who comes late is told again */

struct fifo_ring {
    char *lines[FIFO_ERRORS];
    size_t size; /* of lines in use at most */
    size_t next; /* where the next goes: behind it is the oldest */
};

struct fifo {
    const struct store *store;
    int fd; /* -1: nobody reads */
    uint64_t inode;
    bool warned; /* of something that is no FIFO */
    unsigned long dropped;
    struct fifo_ring errors, traces;
};

void fifo_open(struct fifo *f, const struct store *store);
void fifo_close(struct fifo *f);

/* Once a second: make the FIFO if there is none, look for a reader, tell a new one what he missed.
 */
void fifo_tick(struct fifo *f);

/* Write one line, newline included, of at most PIPE_BUF bytes. */
void fifo_write(struct fifo *f, const struct buf *line);
/* The same, and keep it for readers to come. */
void fifo_write_error(struct fifo *f, struct buf *line);
void fifo_write_trace(struct fifo *f, struct buf *line);

#endif
