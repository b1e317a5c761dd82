/* SPDX-License-Identifier: MIT */
/* The metrics FIFO of a queue, read for as long as one likes: supervisors come and go meanwhile. */
#ifndef FEED_H
#define FEED_H

#include "records.h"

enum feed_state {
    FEED_NO_FIFO,  /* the queue has none yet */
    FEED_NOT_FIFO, /* something else stands in its place */
    FEED_WAITING,  /* it is open, and nobody has written since */
    FEED_WRITTEN,  /* a supervisor writes */
};

struct feed; /* one reader of one queue */

/* Find the queue; dies (66, 77) when it is not there. */
struct feed *feed_open(const char *queue);
/* What to poll for POLLIN, or -1 while there is no FIFO. May change with each feed_read. */
int feed_fd(const struct feed *f);
enum feed_state feed_state(const struct feed *f);
/* Call when the fd is ready, and once a second: reads what is there, and opens the FIFO (again)
 * where that is needed. Never blocks. False: it cannot be read (another reader has it, no
 * permission, an I/O error); put the terminal in order, then feed_die. */
bool feed_read(struct feed *f);
/* Say why feed_read failed and exit: 71, 74, 75, 77. */
_Noreturn void feed_die(const struct feed *f);
/* The records that were read and not yet taken, and the counts of what was none. */
struct records *feed_records(struct feed *f);
void feed_close(struct feed *f);

#endif
