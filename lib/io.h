/* SPDX-License-Identifier: MIT */
/*
 * Standard input and output in big blocks, for filters: interrupted, short and non-blocking reads
 * and writes are carried through, what cannot be done ends the program with status 74.
 */
#ifndef IO_H
#define IO_H

#include <stdbool.h>
#include <stddef.h>

enum { IO_BLOCK = 256 * 1024 }; /* a good size for one read or write */

/* Read at least one and at most room bytes; 0 at the end of input. */
size_t io_read(char *to, size_t room);

/* Would io_read return at once? */
bool io_ready(void);

/* Write all of it. Ends the program silently if the reader has gone away: it knows why. */
void io_write(const char *bytes, size_t n);

/* Close standard output, because a file system may report only now that what was written is lost.
 */
void io_close(void);

#endif
