/* SPDX-License-Identifier: MIT */
/* What tl-supervisor was told on its command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

struct options {
    const char *flow, *queue;
    long workers;
    long settle; /* milliseconds, as all times here */
    long backoff_least, backoff_most;
    long retries;
    int ready_fd; /* -1: none */
    bool power, once, verbose;
};

/* Read the command line, with defaults for what it does not say. Ends the program where it is wrong
 * or only asked for help. */
void options_read(struct options *o, int argc, char **argv);

#endif
