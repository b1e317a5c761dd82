/* SPDX-License-Identifier: MIT */
/*
 * The runs of each file that did not succeed at once, in a log that survives us. A run is written
 * down before it begins. A first run is not written at all: that its file lies in
 * underprocess is the record of it, and the start of a supervisor writes it down then.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include "dict.h"
#include "history.h"
#include "store.h"

struct attempts {
    const struct store *store;
    struct dict counts;
    int log;
    size_t lines; /* in the log */
    bool torn;    /* its last line is not whole */
};

/* Read the log and write it anew with what is still of use. Dies if it cannot be written. */
void attempts_open(struct attempts *a, const struct store *store);

/* Take the lines of a log; the text is changed. What is no line of ours is passed over. */
void attempts_parse(struct attempts *a, char *text);

/* Runs of the file so far, 0 if none is known; and if h is not NULL, more of them. */
long attempts_of(const struct attempts *a, const char *name, uint64_t inode, struct history *h);

/* Note the runs of the file, or if there are none forget it; 0, or -1 and errno. */
int attempts_set(struct attempts *a, const char *name, uint64_t inode, const struct history *h);

void attempts_close(struct attempts *a);

#endif
