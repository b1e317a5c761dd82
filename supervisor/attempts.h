/* SPDX-License-Identifier: MIT */
/*
 * How often each file was run that did not succeed at once, in a log that survives us. A count is
 * written before the run that it counts. A first run is not written at all: that its file lies in
 * underprocess is the record of it, and the start of a supervisor writes the count then.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include "dict.h"
#include "store.h"

struct attempts {
    const struct store *store;
    struct dict counts;
    int log;
    size_t lines; /* in the log */
};

/* Read the log and write it anew with what is still of use. Dies if it cannot be written. */
void attempts_open(struct attempts *a, const struct store *store);

/* Runs of the file so far, 0 if none is known. */
long attempts_of(const struct attempts *a, const char *name, uint64_t inode);

/* Note that runs of the file have begun, or with 0 forget it; 0, or -1 and errno. */
int attempts_set(struct attempts *a, const char *name, uint64_t inode, long runs);

void attempts_close(struct attempts *a);

#endif
